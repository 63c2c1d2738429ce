"""Chapter 1: Numbers a machine can hold."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


# § sec-formats
@dataclass(frozen=True)
class FloatSpec:
    """A binary format by the widths of its fields (IEEE 754, 3.4)."""

    exponent: int  # bits
    mantissa: int  # bits, without the leading 1 that is not stored

    @property
    def bits(self) -> int:
        """Width of the whole number, its sign included."""
        return 1 + self.exponent + self.mantissa

    @property
    def bias(self) -> int:
        """What is added to e before it is stored; also the largest e."""
        return (1 << (self.exponent - 1)) - 1

    @property
    def eps(self) -> float:
        """Gap between 1 and the next larger number."""
        return math.ldexp(1, -self.mantissa)

    @property
    def tiny(self) -> float:
        """Smallest positive number with full precision."""
        return math.ldexp(1, 1 - self.bias)

    @property
    def smallest(self) -> float:
        """Smallest positive number at all, a subnormal one."""
        return self.tiny * self.eps

    @property
    def max(self) -> float:
        """Largest finite number."""
        return math.ldexp(2 - self.eps, self.bias)


_FORMATS = {
    torch.float64: FloatSpec(exponent=11, mantissa=52),
    torch.float32: FloatSpec(exponent=8, mantissa=23),
    torch.bfloat16: FloatSpec(exponent=8, mantissa=7),
    torch.float16: FloatSpec(exponent=5, mantissa=10),
    torch.float8_e5m2: FloatSpec(exponent=5, mantissa=2),
}


def float_spec(dtype: torch.dtype) -> FloatSpec:
    """The layout of a floating-point dtype.

    Raises:
        ValueError: the dtype is no floating-point format, or one that
            departs from IEEE 754's layout.
    """
    if dtype not in _FORMATS:
        known = ", ".join(str(d) for d in _FORMATS)
        raise ValueError(f"no layout for {dtype}; known are {known}")
    return _FORMATS[dtype]


# § sec-cutting
def round_to_bf16(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Round to the nearest bfloat16, ties to even, by operations on bits.

    Args:
        x: float32, any shape.

    Returns:
        float32 of the same shape whose lower sixteen bits are zero: the
        values that bfloat16 has. What is beyond its largest number
        becomes infinite; NaN stays NaN.

    Raises:
        ValueError: x is not a float32 array.
    """
    dtype: Any = getattr(x, "dtype", type(x).__name__)
    if dtype != np.float32:
        raise ValueError(f"x must be a float32 array, not {dtype}")
    bits = np.atleast_1d(x).view(np.uint32)
    last_kept = (bits >> np.uint32(16)) & np.uint32(1)
    rounded = bits + np.uint32(0x7FFF) + last_kept
    quiet = bits | np.uint32(0x0040_0000)  # a NaN that survives the cut
    chosen = np.where(np.isnan(np.atleast_1d(x)), quiet, rounded)
    kept = chosen & np.uint32(0xFFFF_0000)
    return kept.view(np.float32).reshape(x.shape)


# § sec-summation
def kahan_sum(values: Tensor) -> Tensor:
    """Running total that carries its rounding error along.

    Args:
        values: (n,), floating point.

    Returns:
        The sum, a scalar of the dtype of ``values``, in which every
        single operation was done (Kahan 1965). Infinite terms give NaN.

    Raises:
        ValueError: values is not one-dimensional or not floating point.
    """
    if values.dim() != 1 or not values.is_floating_point():
        raise ValueError(
            "values must be floating point with one axis, not "
            f"{values.dtype} of shape {tuple(values.shape)}"
        )
    total = values.new_zeros(())
    excess = values.new_zeros(())
    for value in values:
        step = value - excess
        grown = total + step
        excess = (grown - total) - step
        total = grown
    return total


# § sec-logsumexp
def _wide(x: Tensor, dim: int) -> Tensor:
    """x in the format to compute in, float32 or wider, once checked."""
    if not x.is_floating_point():
        raise ValueError(f"logits must be floating point, not {x.dtype}")
    if not -x.dim() <= dim < x.dim():
        raise ValueError(
            f"dim={dim} is no axis of a tensor of shape {tuple(x.shape)}"
        )
    if x.shape[dim] == 0:
        raise ValueError(f"axis {dim} of {tuple(x.shape)} has no entries")
    return x.float() if x.element_size() < 4 else x


def logsumexp(x: Tensor, dim: int, keepdim: bool = False) -> Tensor:
    """Logarithm of a sum of exponentials, without overflow.

    Args:
        x: logits, any shape.
        dim: the axis to sum over.
        keepdim: keep that axis, with size 1.

    Returns:
        x.shape without ``dim``, in the dtype of x. Rows of nothing but
        -inf give -inf: the logarithm of zero.

    Raises:
        ValueError: x is not floating point, dim is no axis of it, or
            that axis is empty.
    """
    wide = _wide(x, dim)
    top = wide.detach().amax(dim, keepdim=True)
    top = torch.where(top.isfinite(), top, 0.0)  # inf - inf is NaN
    result = top + (wide - top).exp().sum(dim, keepdim=True).log()
    return (result if keepdim else result.squeeze(dim)).to(x.dtype)


def softmax(x: Tensor, dim: int) -> Tensor:
    """Probabilities from logits along one axis, without overflow.

    Args:
        x: logits, any shape. An entry of -inf gets probability 0.
        dim: the axis that shall sum to one.

    Returns:
        The shape and dtype of x. A row of nothing but -inf has no
        answer and gives NaN.

    Raises:
        ValueError: x is not floating point, dim is no axis of it, or
            that axis is empty.
    """
    wide = _wide(x, dim)
    weights = (wide - wide.detach().amax(dim, keepdim=True)).exp()
    return (weights / weights.sum(dim, keepdim=True)).to(x.dtype)


def log_softmax(x: Tensor, dim: int) -> Tensor:
    """Logarithm of the softmax, finite where the softmax underflows.

    Arguments, result and errors are those of ``softmax``.
    """
    wide = _wide(x, dim)
    shifted = wide - wide.detach().amax(dim, keepdim=True)
    norm = shifted.exp().sum(dim, keepdim=True).log()
    return (shifted - norm).to(x.dtype)


def seed_everything(seed: int) -> None:
    """Seed Python's, NumPy's and PyTorch's global random numbers.

    Raises:
        ValueError: seed is not between 0 and 2**32 - 1, what NumPy takes.
    """
    if not 0 <= seed < 2**32:
        raise ValueError(f"seed={seed} is not between 0 and 2**32 - 1")
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


# § sec-strides
def strides_of(shape: Sequence[int], order: str = "C") -> tuple[int, ...]:
    """Strides, in elements, of an array that fills memory without holes.

    Args:
        shape: sizes of the axes.
        order: "C", the last axis runs fastest, or "F", the first does.

    Raises:
        ValueError: a negative size, or another order.
    """
    if order not in ("C", "F"):
        raise ValueError(f"order must be 'C' or 'F', not {order!r}")
    if any(size < 0 for size in shape):
        raise ValueError(f"{tuple(shape)} has a negative size")
    sizes = list(shape) if order == "F" else list(reversed(shape))
    strides = []
    step = 1
    for size in sizes:
        strides.append(step)
        step *= max(size, 1)
    return tuple(strides if order == "F" else reversed(strides))


def sliding_windows(x: Tensor, size: int) -> Tensor:
    """All runs of ``size`` neighbors along the last axis, as a view.

    Args:
        x: (..., n), of any strides.
        size: length of a window.

    Returns:
        (..., n - size + 1, size), sharing the memory of x: nothing is
        copied, and what is written to one window shows in others.

    Raises:
        ValueError: size is less than 1 or more than n.
    """
    if x.dim() == 0:
        raise ValueError("a scalar has no axis to slide along")
    n = x.shape[-1]
    if not 1 <= size <= n:
        raise ValueError(f"size={size} must be between 1 and {n}, the "
                         "length of the last axis")
    shape = (*x.shape[:-1], n - size + 1, size)
    return x.as_strided(shape, (*x.stride(), x.stride(-1)))


# § sec-broadcasting
def broadcast_shapes(*shapes: Sequence[int]) -> tuple[int, ...]:
    """The shape that arrays of these shapes are stretched to.

    Raises:
        ValueError: two sizes on the same axis, counted from the last,
            differ and neither is 1; or a size is negative.
    """
    n_axes = max((len(shape) for shape in shapes), default=0)
    result = [1] * n_axes
    for shape in shapes:
        for axis, size in enumerate(shape, start=n_axes - len(shape)):
            if size < 0:
                raise ValueError(f"{tuple(shape)} has a negative size")
            if result[axis] == 1:
                result[axis] = size
            elif size not in (1, result[axis]):
                listed = " and ".join(str(tuple(s)) for s in shapes)
                raise ValueError(
                    f"shapes {listed} do not fit: sizes {result[axis]} and "
                    f"{size} meet on axis {axis - n_axes}"
                )
    return tuple(result)


# § sec-cross-entropy
def _check_distribution(p: Tensor, name: str, dim: int) -> Tensor:
    wide = _wide(p, dim)
    info = torch.finfo(p.dtype)  # each entry was rounded; so slack grows
    slack = 1e-3 + 4 * info.eps + p.shape[dim] * info.tiny * info.eps
    right = (wide.sum(dim) - 1).abs() <= slack  # False for NaN, too
    if (wide < 0).any() or not right.all():
        raise ValueError(f"{name} must be probabilities that sum to one "
                         f"along dim={dim}; are these logits?")
    return wide


def entropy(p: Tensor, dim: int) -> Tensor:
    """Average surprise, in nats, of a model that is right.

    Args:
        p: probabilities, summing to one along ``dim``.

    Returns:
        p.shape without ``dim``; between 0 and the logarithm of its size,
        as far as the sum of p is 1.

    Raises:
        ValueError: p is no distribution along ``dim``.
    """
    wide = _check_distribution(p, "p", dim)
    return -torch.xlogy(wide, wide).sum(dim).to(p.dtype)


def kl_divergence(p: Tensor, q: Tensor, dim: int) -> Tensor:
    """Extra surprise, in nats, of believing q where p is true.

    Args:
        p, q: probabilities of one shape, summing to one along ``dim``.

    Returns:
        The shape without ``dim``; inf where q rules out what p allows.

    Raises:
        ValueError: two shapes, or not a distribution along ``dim``.
    """
    if p.shape != q.shape:
        raise ValueError(f"p is {tuple(p.shape)}, q {tuple(q.shape)}")
    wide_p = _check_distribution(p, "p", dim)
    wide_q = _check_distribution(q, "q", dim)
    terms = wide_p * (wide_p.log() - wide_q.log())
    return torch.where(wide_p > 0, terms, 0.0).sum(dim).to(p.dtype)


# § sec-targets
def token_nll(
    logits: Tensor,
    targets: Tensor,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
) -> Tensor:
    """Surprise at every target, in nats; 0 where it does not count.

    Args:
        logits: (..., V), floating point.
        targets: (...), integers from 0 to V - 1, or ``ignore_index``.
        label_smoothing: share of the uniform distribution in the target.

    Returns:
        (...), float32 or wider whatever the dtype of the logits.

    Raises:
        ValueError: shapes that do not fit, a target that is no token,
            targets that are not integers, smoothing outside 0 to 1.
    """
    wide = _wide(logits, -1)
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"label_smoothing={label_smoothing} outside 0..1")
    index = _whole(targets, logits.shape[:-1])
    counts = index != ignore_index
    index = torch.where(counts, index, 0)
    _check_tokens(index, logits.shape[-1])
    log_probs = log_softmax(wide, dim=-1)
    nll = -log_probs.gather(-1, index.unsqueeze(-1)).squeeze(-1)
    if label_smoothing > 0:
        spread = -log_probs.mean(dim=-1)
        nll = (1 - label_smoothing) * nll + label_smoothing * spread
    return torch.where(counts, nll, 0.0)


def _check_tokens(index: Tensor, vocab_size: int) -> None:
    wrong = index[(index < 0) | (index >= vocab_size)]
    if wrong.numel():
        raise ValueError(f"target {wrong[0].item()} is no token of a "
                         f"vocabulary of {vocab_size}")


def _whole(targets: Tensor, shape: torch.Size) -> Tensor:
    kind = targets.dtype
    broken = kind.is_floating_point or kind.is_complex or kind == torch.bool
    if broken or targets.shape != shape:
        raise ValueError(
            f"targets must be integers of shape {tuple(shape)}, "
            f"not {kind} of shape {tuple(targets.shape)}"
        )
    return targets.long()


def cross_entropy(
    logits: Tensor,
    targets: Tensor,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """Mean surprise at the targets that count, in nats.

    Arguments and errors are those of ``token_nll``. As
    ``torch.nn.functional.cross_entropy``, but the vocabulary is the last
    axis, and the result has at least 32 bits.

    Args:
        reduction: "mean" over the targets that count (NaN if none does),
            "sum" of them, or "none": one value per target.
    """
    nll = token_nll(logits, targets, ignore_index, label_smoothing)
    if reduction == "none":
        return nll
    if reduction == "sum":
        return nll.sum()
    if reduction == "mean":
        return nll.sum() / (targets.long() != ignore_index).sum()
    raise ValueError(
        f"reduction must be 'mean', 'sum' or 'none', not {reduction!r}"
    )


# § sec-perplexity
def perplexity(nll_sum: float, n_tokens: int) -> float:
    """Geometric mean of one over the probability of each token.

    Args:
        nll_sum: total surprise of a text, in nats.
        n_tokens: how many predictions it sums.

    Returns:
        At least 1; inf where it is beyond the largest float; NaN of NaN.

    Raises:
        ValueError: no tokens, or a negative total.
    """
    _check_total(nll_sum, "n_tokens", n_tokens)
    try:
        return math.exp(nll_sum / n_tokens)
    except OverflowError:
        return math.inf


def bits_per_byte(nll_sum: float, n_bytes: int) -> float:
    """Total surprise in bits for each byte of the text it covers.

    Arguments and errors are those of ``perplexity``, with bytes of
    UTF-8 in the place of tokens: the result can be compared between
    models of different tokenizers.
    """
    _check_total(nll_sum, "n_bytes", n_bytes)
    return nll_sum / math.log(2) / n_bytes


def _check_total(nll_sum: float, name: str, count: int) -> None:
    if count < 1:
        raise ValueError(f"{name}={count}: there is nothing to divide by")
    if nll_sum < 0:
        raise ValueError(f"nll_sum={nll_sum}: a probability above one?")


# § sec-batches
@dataclass(frozen=True)
class TextScore:
    """What a model thinks of a text, kept as sums so that parts add up.

    ``score + score`` is the score of both texts together, up to
    rounding in any order: over batches, over files, over machines.
    """

    nll_sum: float = 0.0  # total surprise, in nats
    n_tokens: int = 0  # predictions that counted
    n_bytes: int = 0  # bytes of UTF-8 that they cover

    def __add__(self, other: Self) -> Self:
        return type(self)(
            self.nll_sum + other.nll_sum,
            self.n_tokens + other.n_tokens,
            self.n_bytes + other.n_bytes,
        )

    @property
    def loss(self) -> float:
        """Nats per token."""
        _check_total(self.nll_sum, "n_tokens", self.n_tokens)
        return self.nll_sum / self.n_tokens

    @property
    def perplexity(self) -> float:
        """Of a token, so only for models with the same tokens."""
        return perplexity(self.nll_sum, self.n_tokens)

    @property
    def bits_per_byte(self) -> float:
        """The size of the text under this model, byte for byte."""
        return bits_per_byte(self.nll_sum, self.n_bytes)


# § sec-online
class OnlineLogSumExp:
    """Log-sum-exp over an axis that arrives in blocks.

    Holds two numbers per row, whatever the length of the rows: the
    largest entry so far, and the sum of exponentials relative to it
    (Milakov & Gimelshein 2018, algorithm 3).
    """

    def __init__(self) -> None:
        self.top = torch.tensor(-math.inf)
        self.total = torch.tensor(0.0, dtype=torch.float64)
        self.n_seen = 0

    def update(self, block: Tensor) -> None:
        """Take in the next block, (..., n), of the last axis.

        Raises:
            ValueError: the rows are not those of the blocks before, or
                the block is empty or not floating point.
        """
        wide = _wide(block, -1)
        if self.n_seen and wide.shape[:-1] != self.top.shape:
            raise ValueError(f"rows {tuple(wide.shape[:-1])} after rows "
                             f"{tuple(self.top.shape)}")
        top = torch.maximum(self.top, wide.amax(-1))
        anchor = torch.where(top.isfinite(), top, 0.0)
        past = self.total * (self.top - anchor).double().exp()
        terms = (wide - anchor.unsqueeze(-1)).exp()
        self.total = past + terms.sum(-1, dtype=torch.float64)
        self.top = top
        self.n_seen += block.shape[-1]

    @property
    def value(self) -> Tensor:
        """Log-sum-exp of all that was seen, (...); -inf of nothing."""
        return self.top + self.total.log().to(self.top.dtype)

    def log_prob(self, logit: Tensor) -> Tensor:
        """Log-probability of entries with these logits.

        Args:
            logit: (...), one entry of each row.

        Returns:
            (...): logit minus ``value``, subtracted in the order that keeps
            the digits when both are large.

        Raises:
            ValueError: nothing was seen yet, or logit is not (...).
        """
        if not self.n_seen or logit.shape != self.top.shape:
            raise ValueError(
                f"logits of shape {tuple(logit.shape)} for rows "
                f"{tuple(self.top.shape)} of {self.n_seen} entries"
            )
        wide = _wide(logit.unsqueeze(-1), -1).squeeze(-1)
        return (wide - self.top) - self.total.log().to(self.top.dtype)
