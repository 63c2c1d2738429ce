"""Chapter 6: Vectors and order."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from scratchlm.embedding import check_index, check_sizes


# § sec-vectors-learned
def _rows(table: Tensor, x: Tensor, position_ids: Tensor | None) -> Tensor:
    """The rows of a table of positions (T, d) that belong to x."""
    if x.ndim < 2 or x.shape[-1] != table.shape[1]:
        raise ValueError(f"vectors of shape {tuple(x.shape)}: want "
                         f"(..., T, {table.shape[1]})")
    n_tokens = x.shape[-2]
    if position_ids is None:
        if n_tokens > len(table):
            raise ValueError(f"{n_tokens} tokens: there are only "
                             f"{len(table)} positions")
        return table[:n_tokens]
    if position_ids.shape[-1:] != (n_tokens,):
        raise ValueError(f"position_ids of shape "
                         f"{tuple(position_ids.shape)} for {n_tokens} "
                         "tokens")
    check_index(position_ids, len(table), "position")
    return table[position_ids]


class LearnedPositions(nn.Module):
    """Adds a learned row for each position (Gehring et al. 2017).

    Args:
        T: the longest context; there is no row beyond it.
        d_model: numbers in a row.
        std: rows begin as normal noise of this standard deviation.
    """

    def __init__(self, T: int, d_model: int, std: float = 1.0) -> None:
        super().__init__()
        check_sizes(T=T, d_model=d_model)
        self.weight = nn.Parameter(std * torch.randn(T, d_model))

    def forward(self, x: Tensor, position_ids: Tensor | None = None
                ) -> Tensor:
        """x with its positions added: (..., T, d_model).

        Args:
            x: (..., T, d_model).
            position_ids: (T,) or (..., T), where each token stands; 0, 1,
                2, ... if not given.

        Raises:
            ValueError: too many tokens, or shapes that do not fit.
        """
        return x + _rows(self.weight, x, position_ids)


# § sec-vectors-sinusoids
def sinusoidal(T: int, d_model: int, base: float = 10000.0) -> Tensor:
    """Sines and cosines of positions (Vaswani et al. 2017, section 3.5).

    Args:
        T: positions 0 to T - 1.
        d_model: even; dimension 2i is a sine, 2i + 1 its cosine.
        base: the slowest pair would turn by 1 / base per step, if the
            exponents went up to one.

    Returns:
        (T, d_model) in float32, computed in float64: at large t the angle
        needs more digits than float32 has.

    Raises:
        ValueError: an odd d_model, a size below 1, or base not positive.
    """
    check_sizes(T=T, d_model=d_model)
    if d_model % 2:
        raise ValueError(f"d_model={d_model} is odd: sines and cosines "
                         "come in pairs")
    if not 0 < base < math.inf:
        raise ValueError(f"base={base} must be positive and finite")
    i = torch.arange(0, d_model, 2, dtype=torch.float64)     # 2i
    omega = base ** (-i / d_model)
    angle = torch.arange(T, dtype=torch.float64)[:, None] * omega
    pairs = torch.stack([angle.sin(), angle.cos()], dim=-1)  # (T, d/2, 2)
    return pairs.flatten(1).float()


class SinusoidalPositions(nn.Module):
    """Adds fixed sinusoids; nothing in it is learned.

    Args:
        T: the longest context.
        d_model: even.
        base: see ``sinusoidal``.
    """

    weight: Tensor

    def __init__(self, T: int, d_model: int,
                 base: float = 10000.0) -> None:
        super().__init__()
        self.register_buffer("weight", sinusoidal(T, d_model, base),
                             persistent=False)

    def forward(self, x: Tensor, position_ids: Tensor | None = None
                ) -> Tensor:
        """x with its positions added, as in ``LearnedPositions``."""
        return x + _rows(self.weight, x, position_ids)
