"""Chapter 7: Attention."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial, reduce
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from scratchlm.numerics import softmax


# § sec-attention-average
def uniform_causal_average(x: Tensor) -> Tensor:
    """Mean of every token and all before it.

    Args:
        x: (..., T, d_model).

    Returns:
        The same shape; row t is the mean of rows 0 to t.

    Raises:
        ValueError: x has no axis of tokens, or is not floating point.
    """
    if x.dim() < 2 or not x.is_floating_point():
        raise ValueError(f"x is {x.dtype} of shape {tuple(x.shape)}: want "
                         "floating point, (..., T, d_model)")
    count = torch.arange(1, x.shape[-2] + 1, device=x.device)
    return x.cumsum(dim=-2) / count[:, None].to(x.dtype)


# § sec-attention-kernel
def kernel_pool(q: Tensor, K: Tensor, V: Tensor,
                width: float = 1.0) -> Tensor:
    """Means of values, weighted by how near their keys are.

    The estimator of Nadaraya (1964) and Watson (1964), Gaussian kernel.

    Args:
        q: (..., T_q, d), the places asked about.
        K: (..., T_k, d), where the values were seen.
        V: (..., T_k, d_v), the values.
        width: standard deviation of the kernel, in the units of K.

    Returns:
        (..., T_q, d_v).

    Raises:
        ValueError: width is not positive, or the shapes do not fit.
    """
    if not width > 0:
        raise ValueError(f"width={width} must be positive")
    if q.shape[-1] != K.shape[-1] or K.shape[-2] != V.shape[-2]:
        raise ValueError(f"q {tuple(q.shape)}, K {tuple(K.shape)} and V "
                         f"{tuple(V.shape)} do not fit together")
    apart = (q.unsqueeze(-2) - K.unsqueeze(-3)).square().sum(dim=-1)
    return softmax(-apart / (2 * width**2), dim=-1) @ V


# § sec-attention-mask
def causal_mask(T_q: int, T_k: int | None = None,
                device: torch.device | str | None = None) -> Tensor:
    """Which keys each query may attend to without seeing the future.

    The queries are the last T_q of T_k positions: the mask is aligned at
    the bottom right. With more queries than keys, the first ones see
    nothing.

    Args:
        T_q: number of queries.
        T_k: number of keys; T_q if not given.

    Returns:
        (T_q, T_k), booleans, True where query i may attend to key j.

    Raises:
        ValueError: a negative size.
    """
    T_k = T_q if T_k is None else T_k
    if T_q < 0 or T_k < 0:
        raise ValueError(f"T_q={T_q}, T_k={T_k} must not be negative")
    full = torch.ones(T_q, T_k, dtype=torch.bool, device=device)
    return full.tril(diagonal=T_k - T_q)


def masked_softmax(scores: Tensor, attn_mask: Tensor | None = None
                   ) -> Tensor:
    """Softmax over the keys that a mask allows.

    Args:
        scores: (..., T_q, T_k).
        attn_mask: broadcasts to scores. Booleans: True where a query may
            attend. Floating point: added to the scores.

    Returns:
        The shape of scores; rows sum to one. A row that may see nothing
        is all zeros, and so is its gradient.

    Raises:
        ValueError: the mask has the wrong dtype or shape.
    """
    if attn_mask is not None:
        _check_mask(attn_mask, scores.shape)
        if attn_mask.dtype == torch.bool:
            scores = scores.masked_fill(~attn_mask, -math.inf)
        else:
            scores = scores + attn_mask.to(scores.dtype)
    empty = (scores == -math.inf).all(dim=-1, keepdim=True)
    weights = softmax(scores.masked_fill(empty, 0.0), dim=-1)
    return weights.masked_fill(empty, 0.0)


def _check_mask(attn_mask: Tensor, shape: Sequence[int]) -> None:
    """Refuse a mask that is no mask, or does not broadcast to scores."""
    if attn_mask.dtype != torch.bool and not attn_mask.is_floating_point():
        raise ValueError(
            f"attn_mask is {attn_mask.dtype}: want torch.bool, True where "
            "a query may attend, or floating point, added to the scores")
    wide = (1,) * (len(shape) - attn_mask.dim()) + tuple(attn_mask.shape)
    if len(wide) > len(shape) or any(
            m not in (1, s) for m, s in zip(wide, shape, strict=True)):
        raise ValueError(f"attn_mask of shape {tuple(attn_mask.shape)} "
                         f"does not broadcast to scores {tuple(shape)}")


def _check_qkv(q: Tensor, k: Tensor, v: Tensor, enable_gqa: bool) -> None:
    """Refuse queries, keys and values that do not fit together."""
    shapes = (f"q {tuple(q.shape)}, k {tuple(k.shape)}, "
              f"v {tuple(v.shape)}")
    axes = 3 if enable_gqa else 2
    if min(q.dim(), k.dim(), v.dim()) < axes:
        raise ValueError(f"{shapes}: want {axes} axes or more")
    if not q.dtype == k.dtype == v.dtype or not q.is_floating_point():
        raise ValueError(f"q {q.dtype}, k {k.dtype}, v {v.dtype}: want "
                         "one floating point dtype")
    if q.shape[-1] != k.shape[-1] or k.shape[-2] != v.shape[-2]:
        raise ValueError(f"{shapes}: q and k need one d_head, k and v one "
                         "number of tokens")
    if not q.shape[:-axes] == k.shape[:-axes] == v.shape[:-axes]:
        raise ValueError(f"{shapes}: batch and heads differ; fewer heads "
                         "of keys than of queries want enable_gqa=True")
    if k.shape[-2] == 0 or q.shape[-1] == 0:
        raise ValueError(f"{shapes}: there is nothing to attend to")
    if enable_gqa:
        _check_groups(q.shape[-3], k.shape[-3], v.shape[-3])


def attention_weights(q: Tensor, k: Tensor,
                      attn_mask: Tensor | None = None,
                      is_causal: bool = False, scale: float | None = None,
                      enable_gqa: bool = False) -> Tensor:
    """How much each query attends to each key, (..., T_q, T_k).

    Arguments and errors are those of ``scaled_dot_product_attention``.
    """
    _check_qkv(q, k, k, enable_gqa)
    scale = q.shape[-1] ** -0.5 if scale is None else scale
    if enable_gqa:
        k = _repeat_kv(k, q.shape[-3])
    scores = q @ k.transpose(-2, -1) * scale
    if attn_mask is not None:
        _check_mask(attn_mask, scores.shape)
    if is_causal:
        attn_mask = _with_causal(attn_mask, q.shape[-2], k.shape[-2],
                                 q.device)
    return masked_softmax(scores, attn_mask)


def _with_causal(attn_mask: Tensor | None, T_q: int, T_k: int,
                 device: torch.device) -> Tensor:
    """The mask that allows what attn_mask and causality both allow."""
    causal = causal_mask(T_q, T_k, device)
    if attn_mask is None:
        return causal
    if attn_mask.dtype == torch.bool:
        return attn_mask & causal
    return torch.where(causal, attn_mask, -torch.inf)


def scaled_dot_product_attention(
        q: Tensor, k: Tensor, v: Tensor, attn_mask: Tensor | None = None,
        is_causal: bool = False, dropout_p: float = 0.0,
        scale: float | None = None, enable_gqa: bool = False) -> Tensor:
    """softmax(q k^T * scale) v (Vaswani et al. 2017, section 3.2.1).

    Args:
        q: (..., T_q, d_head).
        k: (..., T_k, d_head).
        v: (..., T_k, d_v).
        attn_mask: broadcasts to (..., T_q, T_k). True where a query may
            attend; or floating point, added to the scores.
        is_causal: the queries are the last T_q of T_k positions, and none
            sees a later key. Combined with attn_mask if both are given.
        dropout_p: share of the weights to drop, here and now.
        scale: 1 / sqrt(d_head) if not given.
        enable_gqa: k and v may have fewer heads, axis -3, than q.

    Returns:
        (..., T_q, d_v). A query that may see nothing receives zeros.

    Raises:
        ValueError: shapes or dtypes do not fit, or dropout_p is no share.
    """
    if not 0 <= dropout_p <= 1:
        raise ValueError(f"dropout_p={dropout_p} is not between 0 and 1")
    _check_qkv(q, k, v, enable_gqa)
    weights = attention_weights(q, k, attn_mask, is_causal, scale,
                                enable_gqa)
    if enable_gqa:
        v = _repeat_kv(v, q.shape[-3])
    return F.dropout(weights, dropout_p) @ v


class SingleHeadAttention(nn.Module):
    """One head: queries, keys and values of the same tokens.

    Args:
        d_model: width of the tokens.
        d_head: width of queries, keys and values; d_model if not given.
        bias: whether the three projections have one.
    """

    def __init__(self, d_model: int, d_head: int | None = None,
                 bias: bool = False) -> None:
        super().__init__()
        d_head = d_model if d_head is None else d_head
        if d_model < 1 or d_head < 1:
            raise ValueError(f"d_model={d_model}, d_head={d_head} must be "
                             "at least 1")
        self.qkv = nn.Linear(d_model, 3 * d_head, bias)

    def forward(self, x: Tensor, attn_mask: Tensor | None = None,
                is_causal: bool = False) -> Tensor:
        """(..., T, d_head) from tokens, (..., T, d_model)."""
        q, k, v = self.qkv(x).chunk(3, dim=-1)
        return scaled_dot_product_attention(q, k, v, attn_mask, is_causal)


# § sec-attention-padding
def padding_mask(lengths: Tensor, T: int) -> Tensor:
    """Which keys are tokens, in rows filled up at their ends.

    Args:
        lengths: (B,), integers from 0 to T, tokens in each row.
        T: length of the filled rows.

    Returns:
        (B, 1, 1, T), booleans, True at tokens; it broadcasts over heads
        and queries.

    Raises:
        ValueError: lengths are no such integers.
    """
    if lengths.dim() != 1 or lengths.dtype.is_floating_point:
        raise ValueError(f"lengths are {lengths.dtype} of shape "
                         f"{tuple(lengths.shape)}: want integers, (B,)")
    if ((lengths < 0) | (lengths > T)).any():
        raise ValueError(f"lengths={lengths.tolist()}: want 0 to T={T}")
    here = torch.arange(T, device=lengths.device)
    return (here < lengths[:, None])[:, None, None, :]


def combine_masks(*masks: Tensor | None) -> Tensor | None:
    """What all of the masks allow; None stands for no restriction.

    Raises:
        ValueError: a mask is not boolean, or two do not broadcast.
    """
    given = [mask for mask in masks if mask is not None]
    for mask in given:
        if mask.dtype != torch.bool:
            raise ValueError(f"a mask is {mask.dtype}: want torch.bool")
    try:
        return reduce(torch.logical_and, given) if given else None
    except RuntimeError:
        shapes = [tuple(mask.shape) for mask in given]
        raise ValueError(f"masks {shapes} do not broadcast") from None


# § sec-attention-by-hand
def attention_backward(dO: Tensor, q: Tensor, k: Tensor, v: Tensor,
                       P: Tensor, scale: float | None = None
                       ) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of q, k and v from that of the output.

    Args:
        dO: (..., T_q, d_v), gradient of the output.
        q, k, v: as in the forward pass; k and v may have fewer heads.
        P: (..., T_q, T_k), what ``attention_weights`` returned. A mask
            needs no mention: it is in the zeros of P.
        scale: 1 / sqrt(d_head) if not given.

    Returns:
        Gradients in the shapes of q, k and v.

    Raises:
        ValueError: the shapes do not fit.
    """
    grouped = q.dim() > 2 and q.shape[:-2] != k.shape[:-2]
    _check_qkv(q, k, v, enable_gqa=grouped)
    if (dO.shape != (*q.shape[:-1], v.shape[-1])
            or P.shape != (*q.shape[:-1], k.shape[-2])):
        raise ValueError(f"dO {tuple(dO.shape)} and P {tuple(P.shape)} do "
                         f"not fit q {tuple(q.shape)}, v {tuple(v.shape)}")
    scale = q.shape[-1] ** -0.5 if scale is None else scale
    wide_k, wide_v = ((_repeat_kv(x, q.shape[-3]) for x in (k, v))
                      if grouped else (k, v))
    dV = P.transpose(-2, -1) @ dO
    dP = dO @ wide_v.transpose(-2, -1)
    dS = P * (dP - (dP * P).sum(dim=-1, keepdim=True)) * scale
    dK = dS.transpose(-2, -1) @ q
    if grouped:
        groups = (*k.shape[:-2], -1)             # (..., H_kv, group)
        dK, dV = (x.reshape(*groups, *x.shape[-2:]).sum(dim=-3)
                  for x in (dK, dV))
    return dS @ wide_k, dK, dV


# § sec-attention-heads
def split_heads(x: Tensor, n_heads: int) -> Tensor:
    """(..., T, n_heads * d_head) to (..., n_heads, T, d_head).

    Raises:
        ValueError: the last axis does not divide.
    """
    if n_heads < 1 or x.shape[-1] % n_heads:
        raise ValueError(f"d_model={x.shape[-1]} is not divisible by "
                         f"n_heads={n_heads}")
    d_head = x.shape[-1] // n_heads
    return x.reshape(*x.shape[:-1], n_heads, d_head).transpose(-3, -2)


def merge_heads(x: Tensor) -> Tensor:
    """(..., n_heads, T, d_head) to (..., T, n_heads * d_head)."""
    return x.transpose(-3, -2).flatten(-2)


class MultiHeadAttention(nn.Module):
    """Self-attention with heads (Vaswani et al. 2017, section 3.2.2).

    Args:
        d_model: width of the tokens.
        n_heads: heads of queries, H; each is d_model / n_heads wide.
        n_kv_heads: heads of keys and values; n_heads if not given. Fewer
            are shared by groups of queries (GQA), one by all (MQA).
        bias: whether the projections have one.
        dropout: share of the weights dropped in training.

    Raises:
        ValueError: heads do not divide, or dropout is no share.
    """

    def __init__(self, d_model: int, n_heads: int,
                 n_kv_heads: int | None = None, bias: bool = False,
                 dropout: float = 0.0) -> None:
        super().__init__()
        kv = n_heads if n_kv_heads is None else n_kv_heads
        _check_layer(d_model, n_heads, kv, dropout)
        self.d_model, self.dropout = d_model, dropout
        self.n_heads, self.n_kv_heads = n_heads, kv
        self.d_head = d_model // n_heads
        self.qkv = nn.Linear(d_model, (n_heads + 2 * kv) * self.d_head,
                             bias)
        self.out = nn.Linear(d_model, d_model, bias)

    def project(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, (..., n_heads, T, d_head), and the keys and values,
        (..., n_kv_heads, T, d_head), of tokens, (..., T, d_model)."""
        if x.dim() < 2 or x.shape[-1] != self.d_model:
            raise ValueError(f"x has shape {tuple(x.shape)}: want (..., T, "
                             f"d_model={self.d_model})")
        n, kv = self.n_heads, self.n_kv_heads
        heads = split_heads(self.qkv(x), n + 2 * kv)
        return (heads[..., :n, :, :], heads[..., n:n + kv, :, :],
                heads[..., n + kv:, :, :])

    def forward(self, x: Tensor, attn_mask: Tensor | None = None,
                is_causal: bool = False) -> Tensor:
        """(..., T, d_model) from x, (..., T, d_model).

        attn_mask broadcasts to (..., n_heads, T, T); True may attend.
        """
        out = _attend(*self.project(x), attn_mask, is_causal,
                      self.dropout if self.training else 0.0)
        mixed: Tensor = self.out(merge_heads(out))
        return mixed

    def weights(self, x: Tensor, attn_mask: Tensor | None = None,
                is_causal: bool = False) -> Tensor:
        """How much each token attends to each, (..., n_heads, T, T)."""
        q, k, _ = self.project(x)
        return attention_weights(q, k, attn_mask, is_causal, enable_gqa=True)


# § sec-attention-library
def _attend(q: Tensor, k: Tensor, v: Tensor, attn_mask: Tensor | None,
            is_causal: bool, dropout_p: float) -> Tensor:
    """What the layers compute between their projections."""
    return fused_attention(q, k, v, attn_mask, is_causal, dropout_p,
                           enable_gqa=True)


# § sec-attention-heads
def _check_layer(d_model: int, n_heads: int, n_kv_heads: int,
                 dropout: float) -> None:
    """Refuse sizes that make no attention layer."""
    if d_model < 1 or n_heads < 1 or d_model % n_heads:
        raise ValueError(f"d_model={d_model} is not divisible by "
                         f"n_heads={n_heads}")
    _check_groups(n_heads, n_kv_heads, n_kv_heads)
    if not 0 <= dropout < 1:
        raise ValueError(f"dropout={dropout} is not in [0, 1)")


# § sec-attention-grouped
def _repeat_kv(x: Tensor, n_heads: int) -> Tensor:
    """Each head of keys or values once for every query head it serves."""
    return x.repeat_interleave(n_heads // x.shape[-3], dim=-3)


def _check_groups(n_heads: int, n_k: int, n_v: int) -> None:
    """Refuse heads of queries that cannot share keys evenly."""
    if n_k != n_v or n_k < 1 or n_heads % n_k:
        raise ValueError(
            f"n_heads={n_heads} is not divisible by n_kv_heads={n_k}"
            if n_k == n_v else f"{n_k} heads of keys, {n_v} of values")


# § sec-attention-cross
class CrossAttention(nn.Module):
    """Queries from one sequence, keys and values from another.

    Args:
        d_context: width of the context; d_model if not given.

    The others, and the errors, are those of ``MultiHeadAttention``.
    """

    def __init__(self, d_model: int, n_heads: int,
                 n_kv_heads: int | None = None, bias: bool = False,
                 dropout: float = 0.0, d_context: int | None = None
                 ) -> None:
        super().__init__()
        kv = n_heads if n_kv_heads is None else n_kv_heads
        _check_layer(d_model, n_heads, kv, dropout)
        self.n_heads, self.n_kv_heads, self.dropout = n_heads, kv, dropout
        self.q = nn.Linear(d_model, d_model, bias)
        self.kv = nn.Linear(d_context or d_model,
                            2 * kv * d_model // n_heads, bias)
        self.out = nn.Linear(d_model, d_model, bias)

    def project(self, x: Tensor, context: Tensor
                ) -> tuple[Tensor, Tensor, Tensor]:
        """Queries of x, (..., n_heads, T_q, d_head), and the keys and
        values of the context, (..., n_kv_heads, T_k, d_head)."""
        for y, layer in ((x, self.q), (context, self.kv)):
            if y.dim() < 2 or y.shape[-1] != layer.in_features:
                raise ValueError(f"shape {tuple(y.shape)}: want (..., T, "
                                 f"{layer.in_features})")
        both = split_heads(self.kv(context), 2 * self.n_kv_heads)
        k, v = both.chunk(2, dim=-3)
        return split_heads(self.q(x), self.n_heads), k, v

    def forward(self, x: Tensor, context: Tensor,
                attn_mask: Tensor | None = None) -> Tensor:
        """(..., T_q, d_model) from x, (..., T_q, d_model), and the context,
        (..., T_k, d_context). attn_mask: to (..., n_heads, T_q, T_k)."""
        out = _attend(*self.project(x, context), attn_mask, False,
                      self.dropout if self.training else 0.0)
        mixed: Tensor = self.out(merge_heads(out))
        return mixed

    def weights(self, x: Tensor, context: Tensor,
                attn_mask: Tensor | None = None) -> Tensor:
        """(..., n_heads, T_q, T_k)."""
        q, k, _ = self.project(x, context)
        return attention_weights(q, k, attn_mask, enable_gqa=True)


# § sec-attention-library
def fused_attention(
        q: Tensor, k: Tensor, v: Tensor, attn_mask: Tensor | None = None,
        is_causal: bool = False, dropout_p: float = 0.0,
        scale: float | None = None, enable_gqa: bool = False) -> Tensor:
    """``scaled_dot_product_attention`` by PyTorch's fused kernels.

    The same arguments, results and errors; weights are never stored.
    """
    if not 0 <= dropout_p <= 1:
        raise ValueError(f"dropout_p={dropout_p} is not between 0 and 1")
    _check_qkv(q, k, v, enable_gqa)
    T_q, T_k = q.shape[-2], k.shape[-2]
    if attn_mask is not None:
        _check_mask(attn_mask, (*q.shape[:-1], T_k))
        if attn_mask.is_floating_point():
            attn_mask = attn_mask.to(q.dtype)
    if is_causal and (attn_mask is not None or T_q != T_k):
        attn_mask = _with_causal(attn_mask, T_q, T_k, q.device)
    return F.scaled_dot_product_attention(
        q, k, v, attn_mask, dropout_p, is_causal and attn_mask is None,
        scale=scale, enable_gqa=enable_gqa)


# § sec-attention-experiment
def attention_maps(model: nn.Module, ids: Tensor) -> dict[str, Tensor]:
    """The weights of every attention layer while a model reads ids.

    Args:
        model: run in evaluation mode, and left as it was.
        ids: what the model takes.

    Returns:
        By each layer's name in it, (..., n_heads, T_q, T_k).

    Raises:
        ValueError: there is no such layer.
    """
    maps: dict[str, Tensor] = {}

    def keep(name: str, layer: Any, args: Any, kw: Any, _: Any) -> None:
        maps[name] = layer.weights(*args, **kw)
    hooks = [layer.register_forward_hook(partial(keep, name),
                                         with_kwargs=True)
             for name, layer in model.named_modules()
             if isinstance(layer, MultiHeadAttention | CrossAttention)]
    if not hooks:
        raise ValueError(f"{type(model).__name__} has no attention layer")
    modes = [(module, module.training) for module in model.modules()]
    try:
        with torch.no_grad():
            model.eval()(ids)
    finally:
        for module, mode in modes:
            module.training = mode
        for handle in hooks:
            handle.remove()
    return maps
