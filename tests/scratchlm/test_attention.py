"""Attention, against PyTorch, a definition by loops in float64, and the laws it obeys."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from scratchlm import nn as engine
from scratchlm.attention import (
    CrossAttention,
    MultiHeadAttention,
    SingleHeadAttention,
    attention_backward,
    attention_maps,
    attention_weights,
    causal_mask,
    combine_masks,
    fused_attention,
    kernel_pool,
    masked_softmax,
    merge_heads,
    padding_mask,
    scaled_dot_product_attention,
    split_heads,
    uniform_causal_average,
)

BOTH = [scaled_dot_product_attention, fused_attention]
both = pytest.mark.parametrize("attend", BOTH, ids=["by_hand", "fused"])
Attend = Callable[..., Tensor]


def normal(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def by_loops(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None,
             bias: Tensor | None = None, scale: float | None = None) -> Tensor:
    """The definition, number by number, in Python's float64; zeros where nothing is seen."""
    *batch, H, T_q, d = q.shape
    H_kv, T_k, d_v = v.shape[-3:]
    assert len(batch) == 1
    shape = (batch[0], H, T_q, T_k)
    seen = torch.ones(shape, dtype=torch.bool) if mask is None else mask.expand(shape)
    added = torch.zeros(shape) if bias is None else bias.expand(shape)
    scale = 1 / math.sqrt(d) if scale is None else scale
    out = torch.zeros(batch[0], H, T_q, d_v, dtype=torch.float64)
    for b in range(batch[0]):
        for h in range(H):
            g = h * H_kv // H
            for i in range(T_q):
                at = [j for j in range(T_k) if seen[b, h, i, j]]
                if not at:
                    continue
                s = [math.fsum(q[b, h, i, c].item() * k[b, g, j, c].item() for c in range(d))
                     * scale + added[b, h, i, j].item() for j in at]
                e = [math.exp(x - max(s)) for x in s]
                for c in range(d_v):
                    out[b, h, i, c] = math.fsum(
                        w * v[b, g, j, c].item() for w, j in zip(e, at, strict=True)) / sum(e)
    return out


def leaves(*tensors: Tensor) -> list[Tensor]:
    return [t.clone().requires_grad_() for t in tensors]


# Averages

def test_uniform_average_is_the_mean_of_every_prefix() -> None:
    x = normal(2, 7, 3, dtype=torch.float64)
    want = np.stack([x.numpy()[:, :t + 1].mean(axis=1) for t in range(7)], axis=1)
    np.testing.assert_allclose(uniform_causal_average(x).numpy(), want, rtol=1e-12)


def test_uniform_average_is_attention_without_scores() -> None:
    x = normal(2, 7, 4)
    want = scaled_dot_product_attention(torch.zeros_like(x), x, x, is_causal=True)
    torch.testing.assert_close(uniform_causal_average(x), want)


@pytest.mark.parametrize("x", [torch.ones(3), torch.ones(3, 2, dtype=torch.long)])
def test_uniform_average_refuses(x: Tensor) -> None:
    with pytest.raises(ValueError, match="want floating point"):
        uniform_causal_average(x)


def test_kernel_pool_by_loops_and_at_its_limits() -> None:
    q, k, v = (normal(*s, seed=i, dtype=torch.float64)
               for i, s in enumerate(((4, 3), (6, 3), (6, 2))))
    for width in (0.3, 1.0, 7.0):
        for i in range(4):
            w = np.exp(-((q[i] - k) ** 2).sum(-1).numpy() / (2 * width**2))
            np.testing.assert_allclose(kernel_pool(q, k, v, width)[i].numpy(),
                                       (w / w.sum()) @ v.numpy(), rtol=1e-10)
    torch.testing.assert_close(kernel_pool(q, k, v, 1e5), v.mean(0).expand(4, 2))
    near = torch.cdist(q, k).argmin(dim=1)
    torch.testing.assert_close(kernel_pool(q, k, v, 1e-3), v[near])


def test_kernel_pool_refuses() -> None:
    q, k, v = normal(4, 3), normal(6, 3), normal(6, 2)
    for width in (0.0, -1.0, math.nan):
        with pytest.raises(ValueError, match="width="):
            kernel_pool(q, k, v, width)
    with pytest.raises(ValueError, match="do not fit"):
        kernel_pool(q, k[:, :2], v)
    with pytest.raises(ValueError, match="do not fit"):
        kernel_pool(q, k, v[:5])


# Masks

@given(st.integers(0, 9), st.integers(0, 9))
def test_causal_mask_is_aligned_bottom_right(T_q: int, T_k: int) -> None:
    mask = causal_mask(T_q, T_k)
    assert mask.shape == (T_q, T_k) and mask.dtype == torch.bool
    for i in range(T_q):
        for j in range(T_k):
            assert mask[i, j].item() == (j <= i + T_k - T_q)


def test_causal_mask_of_one_new_token_sees_everything() -> None:
    assert causal_mask(1, 7).all()
    assert torch.equal(causal_mask(5), causal_mask(5, 5))
    assert torch.equal(causal_mask(2, 6), causal_mask(6)[-2:])
    with pytest.raises(ValueError, match="T_q=-1"):
        causal_mask(-1)


def test_padding_mask() -> None:
    mask = padding_mask(torch.tensor([3, 0, 5]), 5)
    assert mask.shape == (3, 1, 1, 5)
    assert mask[:, 0, 0].sum(-1).tolist() == [3, 0, 5]
    assert mask[0, 0, 0].tolist() == [True, True, True, False, False]


@pytest.mark.parametrize(("lengths", "message"), [
    (torch.tensor([1, 6]), "want 0 to T=5"), (torch.tensor([-1]), "want 0 to T=5"),
    (torch.tensor([1.0]), "want integers"), (torch.tensor(3), "want integers")])
def test_padding_mask_refuses(lengths: Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        padding_mask(lengths, 5)


def test_combine_masks() -> None:
    pads = padding_mask(torch.tensor([3, 5]), 5)
    mask = combine_masks(None, causal_mask(5), pads)
    assert mask is not None and mask.shape == (2, 1, 5, 5)
    for b in range(2):
        for i in range(5):
            for j in range(5):
                assert mask[b, 0, i, j].item() == (j <= i and j < (3, 5)[b])
    assert combine_masks() is None and combine_masks(None, None) is None
    with pytest.raises(ValueError, match=r"torch.int64: want torch.bool"):
        combine_masks(causal_mask(3), causal_mask(3).long())
    with pytest.raises(ValueError, match="do not broadcast"):
        combine_masks(causal_mask(3), causal_mask(4))


def test_masked_softmax_renormalizes_over_what_is_allowed() -> None:
    scores, mask = normal(4, 6, dtype=torch.float64), normal(4, 6, seed=1) > 0
    mask[:, 0] = True
    got = masked_softmax(scores, mask)
    assert (got[~mask] == 0).all()
    for i in range(4):
        torch.testing.assert_close(got[i, mask[i]], scores[i, mask[i]].softmax(0))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_masked_softmax_of_huge_scores(dtype: torch.dtype) -> None:
    scores = torch.tensor([[6e4, 6e4, -6e4], [-6e4, -6e4, -6e4]], dtype=dtype)
    got = masked_softmax(scores)
    assert got.dtype == dtype
    torch.testing.assert_close(got.double(), scores.double().softmax(-1), rtol=1e-2, atol=1e-3)


# The function, and the fused one

@both
@pytest.mark.parametrize("H_kv", [1, 2, 4])
@pytest.mark.parametrize("T_q", [1, 3, 6, 8])
@pytest.mark.parametrize("is_causal", [False, True])
def test_equals_the_definition(attend: Attend, H_kv: int, T_q: int, is_causal: bool) -> None:
    q = normal(2, 4, T_q, 5, dtype=torch.float64)
    k, v = (normal(2, H_kv, 6, n, seed=n, dtype=torch.float64) for n in (5, 3))
    mask = causal_mask(T_q, 6) if is_causal else None
    got = attend(q, k, v, is_causal=is_causal, enable_gqa=True)
    torch.testing.assert_close(got, by_loops(q, k, v, mask), rtol=1e-10, atol=1e-12)
    single = attend(q.float(), k.float(), v.float(), is_causal=is_causal, enable_gqa=True)
    torch.testing.assert_close(single.double(), got, rtol=1e-5, atol=1e-6)


@both
def test_masks_equal_the_definition(attend: Attend) -> None:
    q, k, v = (normal(2, 2, 6, 4, seed=i, dtype=torch.float64) for i in range(3))
    pads = padding_mask(torch.tensor([6, 3]), 6)
    ragged = normal(2, 2, 6, 6, seed=3) > 0
    bias = normal(2, 6, 6, seed=4, dtype=torch.float64)
    for mask in (pads, pads.flip(-1), ragged, ragged[0, 0], ragged[:1, :1, :, :1]):
        torch.testing.assert_close(attend(q, k, v, mask), by_loops(q, k, v, mask))
        torch.testing.assert_close(attend(q, k, v, mask, is_causal=True),
                                   by_loops(q, k, v, mask & causal_mask(6)))
    torch.testing.assert_close(attend(q, k, v, bias), by_loops(q, k, v, bias=bias))
    torch.testing.assert_close(attend(q, k, v, bias, is_causal=True, scale=0.3),
                               by_loops(q, k, v, causal_mask(6), bias, scale=0.3))


@both
@pytest.mark.parametrize("H_kv", [1, 2, 4])
@pytest.mark.parametrize("kind", ["none", "causal", "bool", "float"])
def test_forward_and_gradients_equal_pytorch(attend: Attend, H_kv: int, kind: str) -> None:
    data = (normal(2, 4, 7, 8), normal(2, H_kv, 7, 8, seed=1), normal(2, H_kv, 7, 8, seed=2))
    mask = {"bool": normal(2, 1, 7, 7, seed=3) > -0.5, "float": normal(4, 7, 7, seed=3)}.get(kind)
    ours, theirs = leaves(*data), leaves(*data)
    a = attend(*ours, mask, is_causal=kind == "causal", enable_gqa=True)
    b = F.scaled_dot_product_attention(*theirs, attn_mask=mask, is_causal=kind == "causal",
                                       enable_gqa=True)
    torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)
    grad = normal(*a.shape, seed=5)
    a.backward(grad)
    b.backward(grad)
    for x, y in zip(ours, theirs, strict=True):
        torch.testing.assert_close(x.grad, y.grad, rtol=1e-4, atol=1e-5)


def test_library_is_aligned_top_left_and_we_are_not() -> None:
    q, k, v = (normal(1, 1, 6, 8, seed=i) for i in range(3))
    theirs = F.scaled_dot_product_attention(q[:, :, -1:], k, v, is_causal=True)
    torch.testing.assert_close(theirs, v[:, :, :1])
    for attend in BOTH:
        full = attend(q, k, v, is_causal=True)
        torch.testing.assert_close(attend(q[:, :, -2:], k, v, is_causal=True), full[:, :, -2:])


@both
@settings(max_examples=25, deadline=None)
@given(st.integers(1, 12), st.integers(0, 10_000))
def test_causality_to_the_bit(attend: Attend, t: int, seed: int) -> None:
    q, k, v = (normal(2, 2, 12, 8, seed=seed + i) for i in range(3))
    changed = [x.clone() for x in (q, k, v)]
    for x in changed:
        x[:, :, t:] = normal(2, 2, 12 - t, 8, seed=seed + 7) * 1e4
    before = attend(q, k, v, is_causal=True)
    after = attend(*changed, is_causal=True)
    assert torch.equal(before[:, :, :t], after[:, :, :t])
    if t < 12:
        assert not torch.equal(before[:, :, t:], after[:, :, t:])


@both
def test_no_gradient_reaches_the_future(attend: Attend) -> None:
    q, k, v = leaves(*(normal(1, 2, 8, 4, seed=i) for i in range(3)))
    attend(q, k, v, is_causal=True)[:, :, 3].sum().backward()
    for x in (k, v):
        assert x.grad is not None
        assert (x.grad[:, :, 4:] == 0).all() and (x.grad[:, :, :4] != 0).any()


@both
@pytest.mark.parametrize("kind", ["bool", "float"])
def test_rows_that_see_nothing_get_zeros_and_send_none(attend: Attend, kind: str) -> None:
    mask = torch.ones(6, 6, dtype=torch.bool)
    mask[2], mask[:, 4] = False, False
    given = mask if kind == "bool" else torch.zeros(6, 6).masked_fill(~mask, -math.inf)
    q, k, v = leaves(*(normal(1, 2, 6, 4, seed=i) for i in range(3)))
    out = attend(q, k, v, given)
    assert (out[:, :, 2] == 0).all() and out.isfinite().all()
    out.square().sum().backward()
    for x in (q, k, v):
        assert x.grad is not None and x.grad.isfinite().all()
    assert q.grad is not None and k.grad is not None
    assert (q.grad[:, :, 2] == 0).all() and (k.grad[:, :, 4] == 0).all()


@both
def test_more_queries_than_keys_see_nothing_at_first(attend: Attend) -> None:
    out = attend(normal(5, 4), normal(3, 4, seed=1), normal(3, 4, seed=2), is_causal=True)
    assert (out[:2] == 0).all() and (out[2:] != 0).all()


@both
def test_permutation_equivariance_and_convex_hull(attend: Attend) -> None:
    x = normal(9, 4, dtype=torch.float64)
    order = torch.randperm(9, generator=torch.Generator().manual_seed(1))
    out = attend(x, x, x)
    torch.testing.assert_close(attend(x[order], x[order], x[order]), out[order])
    assert (out.amax(0) <= x.amax(0)).all() and (out.amin(0) >= x.amin(0)).all()


def test_scale_keeps_the_variance_of_scores() -> None:
    for d in (16, 256):
        q, k = normal(300, d), normal(300, d, seed=1)
        weights = attention_weights(q, k)
        std = (q @ k.T * d**-0.5).std().item()
        assert abs(std - 1) < 0.1
        torch.testing.assert_close(weights, (q @ k.T / math.sqrt(d)).softmax(-1))


def test_weights_sum_to_one_where_anything_is_seen() -> None:
    mask = causal_mask(5, 3)
    sums = attention_weights(normal(2, 5, 4), normal(2, 3, 4, seed=1), mask).sum(-1)
    torch.testing.assert_close(sums, torch.tensor([0.0, 0, 1, 1, 1]).expand(2, 5))


BAD: list[tuple[dict[str, object], str]] = [
    ({"attn_mask": torch.ones(6, 6, dtype=torch.long)}, "torch.int64: want torch.bool"),
    ({"attn_mask": torch.ones(6, 6, dtype=torch.uint8)}, "torch.uint8"),
    ({"attn_mask": torch.ones(5, 6, dtype=torch.bool)}, r"\(5, 6\) does not broadcast"),
    ({"attn_mask": torch.ones(3, 1, 1, 6, 6, dtype=torch.bool)}, "does not broadcast"),
    ({"attn_mask": torch.ones(5, dtype=torch.bool), "is_causal": True}, "does not broadcast"),
    ({"k": normal(2, 4, 6, 7)}, "one d_head"),
    ({"v": normal(2, 4, 5, 8)}, "one number of tokens"),
    ({"k": normal(2, 2, 6, 8), "v": normal(2, 2, 6, 8)}, "enable_gqa"),
    ({"k": normal(1, 4, 6, 8)}, "batch and heads differ"),
    ({"k": normal(2, 3, 6, 8), "v": normal(2, 3, 6, 8), "enable_gqa": True},
     "n_heads=4 is not divisible by n_kv_heads=3"),
    ({"k": normal(2, 2, 6, 8), "enable_gqa": True}, "2 heads of keys, 4 of values"),
    ({"k": normal(2, 4, 0, 8), "v": normal(2, 4, 0, 8)}, "nothing to attend to"),
    ({"v": normal(2, 4, 6, 8).double()}, "one floating point dtype"),
    ({"dropout_p": 1.5}, "dropout_p=1.5"),
    ({"dropout_p": -0.1}, "dropout_p=-0.1"),
    ({"q": normal(8)}, "want 2 axes"),
]


@both
@pytest.mark.parametrize(("change", "message"), BAD)
def test_refuses_bad_input(attend: Attend, change: dict[str, Tensor], message: str) -> None:
    arguments = {name: normal(2, 4, 6, 8) for name in "qkv"} | change
    with pytest.raises(ValueError, match=message):
        attend(**arguments)


# Backward

@pytest.mark.parametrize("H_kv", [1, 2, 4])
@pytest.mark.parametrize("scale", [None, 0.7])
def test_backward_by_hand(H_kv: int, scale: float | None) -> None:
    data = [normal(2, 4, 5, 3, dtype=torch.float64),
            normal(2, H_kv, 6, 3, seed=1, dtype=torch.float64),
            normal(2, H_kv, 6, 2, seed=2, dtype=torch.float64)]
    mask = normal(2, 1, 5, 6, seed=3) > -0.3
    mask[0, 0, 1] = False
    grad = normal(2, 4, 5, 2, seed=4, dtype=torch.float64)
    theirs = leaves(*data)
    F.scaled_dot_product_attention(*theirs, attn_mask=mask, scale=scale,
                                   enable_gqa=True).backward(grad)
    P = attention_weights(data[0], data[1], mask, scale=scale, enable_gqa=True)
    for ours, leaf in zip(attention_backward(grad, *data, P, scale), theirs, strict=True):
        torch.testing.assert_close(ours, leaf.grad, rtol=1e-10, atol=1e-12)


def test_backward_equals_finite_differences_and_chapter_2() -> None:
    q, k, v = leaves(*(normal(1, 2, 4, 3, seed=i, dtype=torch.float64) for i in range(3)))
    assert torch.autograd.gradcheck(
        lambda *x: scaled_dot_product_attention(*x, is_causal=True), (q, k, v))

    class ByHand(torch.autograd.Function):
        @staticmethod
        def forward(ctx, q, k, v):  # type: ignore[no-untyped-def]
            P = attention_weights(q, k, is_causal=True)
            ctx.save_for_backward(q, k, v, P)
            return P @ v

        @staticmethod
        def backward(ctx, dO):  # type: ignore[no-untyped-def]
            return attention_backward(dO, *ctx.saved_tensors)

    assert torch.autograd.gradcheck(ByHand.apply, (q, k, v))
    arrays = [x.detach().numpy() for x in (q, k, v)]
    grad = normal(1, 2, 4, 3, seed=9, dtype=torch.float64)
    P = attention_weights(q, k, is_causal=True)
    want = engine.attention_backward(grad.numpy(), *arrays, attn_mask=causal_mask(4).numpy())
    for a, b in zip(attention_backward(grad, q, k, v, P), want, strict=True):
        np.testing.assert_allclose(a.detach().numpy(), b, rtol=1e-10, atol=1e-14)


def test_backward_refuses_shapes_that_do_not_fit() -> None:
    q, k, v = (normal(2, 4, 5, 3, seed=i) for i in range(3))
    P = attention_weights(q, k)
    with pytest.raises(ValueError, match="do not fit"):
        attention_backward(q[:, :, :4], q, k, v, P)
    with pytest.raises(ValueError, match="do not fit"):
        attention_backward(q, q, k, v, P[..., :4])


# Layers

def copied(bias: bool) -> tuple[MultiHeadAttention, nn.MultiheadAttention]:
    torch.manual_seed(0)
    ours = MultiHeadAttention(24, 4, bias=bias)
    peer = nn.MultiheadAttention(24, 4, bias=bias, batch_first=True)
    with torch.no_grad():
        peer.in_proj_weight.copy_(ours.qkv.weight)
        peer.out_proj.weight.copy_(ours.out.weight)
        if bias:
            nn.init.normal_(ours.qkv.bias)
            nn.init.normal_(ours.out.bias)
            peer.in_proj_bias.copy_(ours.qkv.bias)
            peer.out_proj.bias.copy_(ours.out.bias)
    return ours, peer


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("is_causal", [False, True])
def test_layer_equals_pytorch_with_copied_weights(bias: bool, is_causal: bool) -> None:
    ours, peer = copied(bias)
    a, b = leaves(normal(3, 9, 24), normal(3, 9, 24))
    pads = padding_mask(torch.tensor([9, 4, 7]), 9)
    out = ours(a, pads, is_causal=is_causal)
    want, maps = peer(b, b, b, key_padding_mask=~pads[:, 0, 0],
                      attn_mask=~causal_mask(9) if is_causal else None,
                      average_attn_weights=False)
    torch.testing.assert_close(out, want, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(ours.weights(a, pads, is_causal), maps, rtol=1e-5, atol=1e-6)
    grad = normal(3, 9, 24, seed=5)
    out.backward(grad)
    want.backward(grad)
    torch.testing.assert_close(a.grad, b.grad, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(ours.qkv.weight.grad, peer.in_proj_weight.grad,
                               rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(ours.out.weight.grad, peer.out_proj.weight.grad,
                               rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("n_kv_heads", [1, 2])
def test_shared_keys_are_copied_heads(n_kv_heads: int) -> None:
    torch.manual_seed(0)
    shared, full = MultiHeadAttention(24, 4, n_kv_heads), MultiHeadAttention(24, 4)
    q, k, v = shared.qkv.weight.split((24, 6 * n_kv_heads, 6 * n_kv_heads))
    wide = [w.unflatten(0, (n_kv_heads, 6)).repeat_interleave(4 // n_kv_heads, 0).flatten(0, 1)
            for w in (k, v)]
    full.load_state_dict({"qkv.weight": torch.cat([q, *wide]), "out.weight": shared.out.weight})
    x = normal(2, 7, 24)
    torch.testing.assert_close(shared(x, is_causal=True), full(x, is_causal=True))
    size = sum(p.numel() for p in shared.parameters())
    assert size == 24 * 24 * (2 + 2 * n_kv_heads / 4)


def test_heads_do_not_change_the_number_of_weights() -> None:
    assert {sum(p.numel() for p in MultiHeadAttention(24, h).parameters())
            for h in (1, 2, 4, 24)} == {4 * 24 * 24}


def test_layer_is_causal_to_the_bit() -> None:
    torch.manual_seed(0)
    layer = MultiHeadAttention(24, 4, 2)
    x = normal(2, 9, 24)
    y = x.clone()
    y[:, 6:] = 1e3
    a, b = layer(x, is_causal=True), layer(y, is_causal=True)
    assert torch.equal(a[:, :6], b[:, :6]) and not torch.equal(a[:, 6:], b[:, 6:])
    assert not torch.equal(layer(x)[:, :6], layer(y)[:, :6])


def test_single_head_equals_one_head_without_output() -> None:
    torch.manual_seed(0)
    one, many = SingleHeadAttention(8), MultiHeadAttention(8, 1)
    many.load_state_dict({"qkv.weight": one.qkv.weight, "out.weight": torch.eye(8)})
    x = normal(2, 5, 8)
    torch.testing.assert_close(one(x, is_causal=True), many(x, is_causal=True))
    assert SingleHeadAttention(8, 3)(x).shape == (2, 5, 3)
    with pytest.raises(ValueError, match="d_head=0"):
        SingleHeadAttention(8, 0)


def test_cross_attention_equals_pytorch() -> None:
    torch.manual_seed(0)
    ours = CrossAttention(24, 4, d_context=10)
    peer = nn.MultiheadAttention(24, 4, bias=False, batch_first=True, kdim=10, vdim=10)
    with torch.no_grad():
        peer.q_proj_weight.copy_(ours.q.weight)
        peer.k_proj_weight.copy_(ours.kv.weight[:24])
        peer.v_proj_weight.copy_(ours.kv.weight[24:])
        peer.out_proj.weight.copy_(ours.out.weight)
    x, context = normal(2, 7, 24), normal(2, 5, 10, seed=1)
    pads = padding_mask(torch.tensor([5, 2]), 5)
    want, maps = peer(x, context, context, key_padding_mask=~pads[:, 0, 0],
                      average_attn_weights=False)
    torch.testing.assert_close(ours(x, context, pads), want, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(ours.weights(x, context, pads), maps, rtol=1e-5, atol=1e-6)
    shared = CrossAttention(24, 4, 2)
    assert shared(x, normal(2, 5, 24)).shape == (2, 7, 24)
    with pytest.raises(ValueError, match=r"want \(..., T, 10\)"):
        ours(x, x)


@pytest.mark.parametrize("make", [MultiHeadAttention, CrossAttention])
@pytest.mark.parametrize(("arguments", "message"), [
    ((100, 12), "d_model=100 is not divisible by n_heads=12"),
    ((24, 0), "n_heads=0"), ((0, 1), "d_model=0"),
    ((24, 4, 3), "n_heads=4 is not divisible by n_kv_heads=3"),
    ((24, 4, 0), "n_kv_heads=0"), ((24, 4, 8), "n_kv_heads=8"),
    ((24, 4, 2, False, 1.0), "dropout=1.0")])
def test_layers_refuse_sizes(make: type[nn.Module], arguments: tuple[object, ...],
                             message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(*arguments)


def test_layer_refuses_other_widths_and_masks() -> None:
    layer = MultiHeadAttention(24, 4)
    with pytest.raises(ValueError, match="d_model=24"):
        layer(normal(2, 5, 23))
    with pytest.raises(ValueError, match="does not broadcast"):
        layer(normal(2, 5, 24), torch.ones(2, 5, 5, dtype=torch.bool)[:, None, :3])


@given(st.integers(1, 4), st.integers(1, 5), st.integers(1, 6))
def test_split_and_merge(n_heads: int, T: int, d_head: int) -> None:
    x = normal(2, T, n_heads * d_head)
    heads = split_heads(x, n_heads)
    assert heads.shape == (2, n_heads, T, d_head)
    for h in range(n_heads):
        assert torch.equal(heads[:, h], x[..., h * d_head:(h + 1) * d_head])
    assert torch.equal(merge_heads(heads), x)
    with pytest.raises(ValueError, match="not divisible"):
        split_heads(x, n_heads * d_head + 1)


# Dropout

@both
def test_dropout_drops_weights_and_keeps_the_mean(attend: Attend) -> None:
    torch.manual_seed(0)
    T, p = 400, 0.3
    q, k, v = normal(1, T, 4), normal(1, T, 4, seed=1), torch.eye(T)[None]
    dropped = attend(q, k, v, dropout_p=p)                 # the weights themselves
    weights = attention_weights(q, k)
    kept = dropped != 0
    torch.testing.assert_close(dropped[kept], weights[kept] / (1 - p), rtol=1e-4, atol=1e-6)
    share = 1 - kept.double().mean().item()
    assert abs(share - p) < 5 * math.sqrt(p * (1 - p) / T**2)
    assert (attend(q, k, v, dropout_p=1.0) == 0).all()


def test_dropout_is_off_in_evaluation() -> None:
    torch.manual_seed(0)
    layer = MultiHeadAttention(24, 4, dropout=0.5)
    plain = MultiHeadAttention(24, 4)
    plain.load_state_dict(layer.state_dict())
    x = normal(2, 9, 24)
    assert not torch.equal(layer(x), layer(x))
    assert torch.equal(layer.eval()(x), plain(x))


# Maps

class Reader(nn.Module):
    """A model with an attention layer of each kind."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(11, 24)
        self.own = MultiHeadAttention(24, 4, 2, dropout=0.5)
        self.other = CrossAttention(24, 2)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.embed(ids)
        out: Tensor = self.other(self.own(x, is_causal=True), x[:, :3])
        return out


def test_maps_are_the_weights_that_were_used() -> None:
    torch.manual_seed(0)
    model = Reader()
    ids = torch.tensor([[1, 2, 3, 4, 5], [6, 7, 8, 9, 10]])
    maps = attention_maps(model, ids)
    assert {name: tuple(m.shape) for name, m in maps.items()} == {
        "own": (2, 4, 5, 5), "other": (2, 2, 5, 3)}
    assert model.training and not model.own._forward_hooks
    assert (maps["own"].triu(1) == 0).all()
    model.other.eval()                      # frozen, while the rest trains
    attention_maps(model, ids)
    assert model.training and model.own.training
    assert not model.other.training
    model.eval()
    x = model.embed(ids)
    _, _, v = model.own.project(x)
    wide = v.repeat_interleave(2, dim=1)
    torch.testing.assert_close(model.own.out(merge_heads(maps["own"] @ wide)),
                               model.own(x, is_causal=True))
    with pytest.raises(ValueError, match="Linear has no attention layer"):
        attention_maps(nn.Linear(2, 2), torch.ones(2))
