"""Modules, SGD and the hand-derived backward passes of chapter 2 against PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from scratchlm import numerics
from scratchlm.autograd import Tensor, gradcheck, numeric_vjp
from scratchlm.nn import (
    SGD,
    Embedding,
    Linear,
    Module,
    Parameter,
    Sequential,
    attention_backward,
    cross_entropy,
    layernorm_backward,
    linear_backward,
    softmax_cross_entropy_backward,
)

FEW = settings(max_examples=40, deadline=None)


def normal(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def leaf(x: np.ndarray) -> torch.Tensor:
    return torch.tensor(x, requires_grad=True)


def close(found: np.ndarray | None, wanted: torch.Tensor | None, tol: float = 1e-12) -> None:
    assert found is not None and wanted is not None
    np.testing.assert_allclose(found, wanted.detach().numpy(), rtol=1e-9, atol=tol)


LEADING = hnp.array_shapes(min_dims=0, max_dims=3, max_side=3)


# -- backward passes by hand -------------------------------------------------------


@FEW
@given(lead=LEADING, d_in=st.integers(1, 4), d_out=st.integers(1, 4))
def test_linear_backward(lead: tuple[int, ...], d_in: int, d_out: int) -> None:
    x, w, b = normal((*lead, d_in)), normal((d_out, d_in), 1), normal((d_out,), 2)
    grad = normal((*lead, d_out), 3)
    leaves = leaf(x), leaf(w), leaf(b)
    F.linear(*leaves).backward(torch.tensor(grad))
    for found, wanted in zip(linear_backward(grad, x, w), leaves, strict=True):
        assert found.shape == tuple(wanted.shape)
        close(found, wanted.grad)


@FEW
@given(lead=LEADING, vocab=st.integers(1, 6), scale=st.sampled_from([1.0, 50.0, 1e4]))
def test_softmax_cross_entropy_backward(lead: tuple[int, ...], vocab: int, scale: float) -> None:
    z = normal((*lead, vocab)) * scale
    t = np.random.default_rng(1).integers(0, vocab, lead)
    reference = leaf(z)
    F.cross_entropy(reference.reshape(-1, vocab), torch.tensor(t).reshape(-1)).backward()
    found = softmax_cross_entropy_backward(z, t)
    close(found, reference.grad)
    np.testing.assert_allclose(found.sum(axis=-1), 0, atol=1e-12)


def test_softmax_cross_entropy_backward_of_a_transposed_array() -> None:
    z = normal((7, 4)).T
    t = np.array([6, 0, 2, 2])
    np.testing.assert_array_equal(softmax_cross_entropy_backward(z, t),
                                  softmax_cross_entropy_backward(z.copy(), t))


@FEW
@given(lead=LEADING, d=st.integers(1, 8), eps=st.sampled_from([1e-5, 1e-2]),
       shift=st.sampled_from([0.0, 100.0]))
def test_layernorm_backward(lead: tuple[int, ...], d: int, eps: float, shift: float) -> None:
    x, gamma, beta = normal((*lead, d)) + shift, normal((d,), 1), normal((d,), 2)
    grad = normal((*lead, d), 3)
    leaves = leaf(x), leaf(gamma), leaf(beta)
    F.layer_norm(leaves[0], (d,), leaves[1], leaves[2], eps).backward(torch.tensor(grad))
    for found, wanted in zip(layernorm_backward(grad, x, gamma, eps), leaves, strict=True):
        assert found.shape == tuple(wanted.shape)
        close(found, wanted.grad, 1e-9)


def test_layernorm_backward_against_differences() -> None:
    x, gamma, grad = normal((2, 5)), normal((5,), 1), normal((2, 5), 2)

    def forward(z: np.ndarray) -> np.ndarray:
        n = (z - z.mean(-1, keepdims=True)) / np.sqrt(z.var(-1, keepdims=True) + 1e-5)
        return n * gamma

    dx, _, _ = layernorm_backward(grad, x, gamma)
    np.testing.assert_allclose(dx, numeric_vjp(forward, x, grad), rtol=1e-6, atol=1e-8)
    constants = grad * gamma / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
    assert not np.allclose(dx, constants, rtol=1e-2)  # the two mean terms matter


@FEW
@given(lead=hnp.array_shapes(min_dims=0, max_dims=2, max_side=3), t_q=st.integers(1, 5),
       t_k=st.integers(1, 5), d=st.integers(1, 4), d_v=st.integers(1, 4),
       kind=st.sampled_from(["none", "causal", "random"]),
       scale=st.sampled_from([None, 0.3, 5.0]))
def test_attention_backward(lead: tuple[int, ...], t_q: int, t_k: int, d: int, d_v: int,
                            kind: str, scale: float | None) -> None:
    q, k = normal((*lead, t_q, d)), normal((*lead, t_k, d), 1)
    v, grad = normal((*lead, t_k, d_v), 2), normal((*lead, t_q, d_v), 3)
    mask = None
    if kind == "causal":
        mask = np.tril(np.ones((t_q, t_k), dtype=bool))
    elif kind == "random":
        mask = np.random.default_rng(4).random((*lead, t_q, t_k)) < 0.5
        mask[..., 0] = True
    leaves = leaf(q), leaf(k), leaf(v)
    F.scaled_dot_product_attention(
        *leaves, attn_mask=None if mask is None else torch.tensor(mask), scale=scale,
    ).backward(torch.tensor(grad))
    for found, wanted in zip(attention_backward(grad, q, k, v, mask, scale), leaves, strict=True):
        assert found.shape == tuple(wanted.shape)
        close(found, wanted.grad, 1e-10)


def test_attention_backward_against_the_engine() -> None:
    def attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        scores = q @ k.transpose(0, 2, 1) * 0.5
        return (scores - scores.logsumexp(keepdims=True)).exp() @ v

    arrays = [normal((2, 3, 4), n) for n in range(3)]
    assert gradcheck(attention, arrays)
    tensors = [Tensor(a, requires_grad=True) for a in arrays]
    grad = normal((2, 3, 4), 5)
    attention(*tensors).backward(grad)
    for t, found in zip(tensors, attention_backward(grad, *arrays), strict=True):
        assert t.grad is not None
        np.testing.assert_allclose(found, t.grad, atol=1e-13)


def test_large_scores_do_not_overflow() -> None:
    q = normal((4, 3)) * 1e4
    for part in attention_backward(normal((4, 3), 1), q, q, normal((4, 3), 2)):
        assert np.isfinite(part).all()


def test_float32_by_hand_stays_float32() -> None:
    x, w, g = (normal((3, 3), n).astype(np.float32) for n in range(3))
    results = (*linear_backward(g, x, w), *layernorm_backward(g, x, w[0]),
               *attention_backward(g, x, w, g),
               softmax_cross_entropy_backward(x, [0, 1, 2]))
    assert all(part.dtype == np.float32 for part in results)


# -- the loss ----------------------------------------------------------------------


@FEW
@given(lead=LEADING, vocab=st.integers(1, 6), scale=st.sampled_from([1.0, 1e4]))
def test_cross_entropy(lead: tuple[int, ...], vocab: int, scale: float) -> None:
    z = normal((*lead, vocab)) * scale
    t = np.random.default_rng(1).integers(0, vocab, lead)
    ours, reference = Tensor(z, requires_grad=True), leaf(z)
    loss = cross_entropy(ours, t)
    wanted = F.cross_entropy(reference.reshape(-1, vocab), torch.tensor(t).reshape(-1))
    assert loss.item() == pytest.approx(wanted.item(), rel=1e-12, abs=1e-12)
    loss.backward()
    wanted.backward()
    close(ours.grad, reference.grad)


def test_cross_entropy_equals_chapter_one() -> None:
    z, t = normal((6, 4)), np.array([0, 3, 1, 1, 2, 0])
    wanted = numerics.cross_entropy(torch.tensor(z), torch.tensor(t))
    assert cross_entropy(Tensor(z), t).item() == pytest.approx(float(wanted), rel=1e-14)


# -- modules -------------------------------------------------------------------------


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def mlp() -> Sequential:
    r = rng()
    return Sequential(Linear(3, 8, r), Tensor.tanh, Linear(8, 4, r))


def twin_of(model: Sequential) -> torch.nn.Sequential:
    twin = torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.Tanh(),
                               torch.nn.Linear(8, 4)).double()
    with torch.no_grad():
        for theirs, ours in zip(twin.parameters(), model.parameters(), strict=True):
            theirs.copy_(torch.tensor(ours.data))
    return twin


def test_an_mlp_is_pytorchs() -> None:
    model = mlp()
    twin = twin_of(model)
    x, t = normal((2, 5, 3)), np.random.default_rng(1).integers(0, 4, (2, 5))
    loss = cross_entropy(model(x), t)
    wanted = F.cross_entropy(twin(torch.tensor(x)).reshape(-1, 4), torch.tensor(t).reshape(-1))
    assert loss.item() == pytest.approx(wanted.item(), rel=1e-13)
    loss.backward()
    wanted.backward()
    for ours, theirs in zip(model.parameters(), twin.parameters(), strict=True):
        close(ours.grad, theirs.grad)


def test_parameters_come_in_order_and_once() -> None:
    class Tied(Module):
        def __init__(self) -> None:
            self.first = Linear(3, 3, rng())
            self.second = Linear(3, 3, rng(), bias=False)
            self.second.weight = self.first.weight
            self.scale = Parameter(1.0)
            self.name = "not a parameter"
            self.parts = [Linear(1, 1, rng()), (Linear(2, 2, rng()))]

        def forward(self, x: Any) -> Tensor:
            return self.second(self.first(x)) * self.scale

    model = Tied()
    first = model.first
    assert model.parameters()[:3] == [first.weight, first.bias, model.scale]
    assert len(model.parameters()) == 7


def test_parameters_are_found_in_any_container_at_any_depth() -> None:
    class Own(Module):
        def __init__(self) -> None:
            self.gain = Parameter(1.0)
            self.inner = Linear(1, 1, rng(), bias=False)

    class Outer(Module):
        def __init__(self) -> None:
            self.own = Own()
            self.by_name = {"a": Linear(1, 1, rng(), bias=False), "b": [Parameter(2.0)]}
            self.nested = [[Own()], (Parameter(3.0), Tensor.tanh, None)]
            self.chain = Sequential(Sequential(Linear(1, 1, rng(), bias=False)), Tensor.tanh)

    model = Outer()
    nested_own, (loose, *_) = model.nested[0][0], model.nested[1]
    assert model.parameters() == [
        model.own.gain, model.own.inner.weight, model.by_name["a"].weight,
        model.by_name["b"][0], nested_own.gain, nested_own.inner.weight, loose,
        model.chain.layers[0].layers[0].weight]


def test_a_shared_weight_collects_from_both_uses_and_moves_once() -> None:
    weight = Parameter([[0.5, -1.0], [2.0, 0.25]])
    x = normal((3, 2))
    optimizer = SGD([weight, weight], lr=0.1)
    ((x @ weight).tanh() @ weight).sum().backward()
    reference = leaf(np.array([[0.5, -1.0], [2.0, 0.25]]))
    ((torch.tensor(x) @ reference).tanh() @ reference).sum().backward()
    close(weight.grad, reference.grad)
    optimizer.step()
    assert reference.grad is not None
    np.testing.assert_allclose(weight.data,
                               (reference - 0.1 * reference.grad).detach().numpy())


def test_a_parameter_keeps_its_own_copy() -> None:
    data = np.ones(3)
    p = Parameter(data)
    p.data -= 1
    assert p.requires_grad and (data == 1).all()
    assert Parameter([1, 2]).data.dtype == np.float64


def test_zero_grad_of_a_module() -> None:
    model = mlp()
    model(normal((2, 3))).sum().backward()
    assert all(p.grad is not None for p in model.parameters())
    model.zero_grad()
    assert all(p.grad is None for p in model.parameters())


def test_linear_starts_as_pytorchs_does_and_takes_arrays_and_tensors() -> None:
    layer = Linear(400, 300, rng())
    bound = 400**-0.5
    assert np.abs(layer.weight.data).max() <= bound
    assert layer.weight.data.std() == pytest.approx(bound / 3**0.5, rel=0.02)
    x = normal((2, 5, 400))
    np.testing.assert_array_equal(layer(x).data, layer(Tensor(x)).data)
    assert layer.bias is not None and np.abs(layer.bias.data).max() <= bound
    assert layer.bias.data.std() == pytest.approx(bound / 3**0.5, rel=0.1)
    assert Linear(2, 3, rng(), bias=False).bias is None
    assert len(Linear(2, 3, rng(), bias=False).parameters()) == 1


def test_embedding_rows_start_with_a_spread_of_one() -> None:
    assert Embedding(100, 50, rng()).weight.data.std() == pytest.approx(1, rel=0.05)


def test_embedding_is_a_one_hot_product_and_accumulates() -> None:
    table = Embedding(5, 3, rng())
    ids = np.array([[4, 0, 4], [4, 1, 1]])
    out, grad = table(ids), normal((2, 3, 3))
    np.testing.assert_array_equal(out.data, np.eye(5)[ids] @ table.weight.data)
    out.backward(grad)
    reference = leaf(table.weight.data.copy())
    F.embedding(torch.tensor(ids), reference).backward(torch.tensor(grad))
    close(table.weight.grad, reference.grad)


# -- the optimizer ---------------------------------------------------------------------


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9])
def test_sgd_follows_torch_step_by_step(momentum: float) -> None:
    model = mlp()
    twin = twin_of(model)
    ours = SGD(model.parameters(), lr=0.3, momentum=momentum)
    theirs = torch.optim.SGD(twin.parameters(), lr=0.3, momentum=momentum)
    x, t = normal((20, 3)), np.random.default_rng(2).integers(0, 4, 20)
    for _ in range(30):
        ours.zero_grad()
        theirs.zero_grad()
        cross_entropy(model(x), t).backward()
        F.cross_entropy(twin(torch.tensor(x)), torch.tensor(t)).backward()
        ours.step()
        theirs.step()
        for p, q in zip(model.parameters(), twin.parameters(), strict=True):
            close(p.data, q)


def test_momentum_multiplies_a_constant_gradient() -> None:
    p = Parameter(0.0)
    optimizer = SGD([p], lr=1.0, momentum=0.9)
    before = 0.0
    for _ in range(300):
        before = p.item()
        p.grad = np.array(1.0)
        optimizer.step()
    assert before - p.item() == pytest.approx(1 / (1 - 0.9))


def test_a_parameter_without_gradient_stays() -> None:
    used, unused = Parameter([1.0]), Parameter([1.0])
    optimizer = SGD([used, unused], lr=0.5, momentum=0.9)
    used.sum().backward()
    optimizer.step()
    assert used.data == 0.5 and unused.data == 1.0
    optimizer.zero_grad()
    optimizer.step()  # no gradient, no step: the velocity alone does not move it
    assert used.data == 0.5


def test_a_step_keeps_the_type_and_the_array() -> None:
    p = Parameter(np.ones(3, np.float32))
    array = p.data
    p.sum().backward()
    SGD([p], lr=0.1, momentum=0.9).step()
    assert p.data is array and array.dtype == np.float32


# -- bad input ---------------------------------------------------------------------------


@pytest.mark.parametrize(("call", "error", "message"), [
    (lambda: SGD([], 0.1), ValueError, "no parameters"),
    (lambda: SGD([Parameter(1.0)], 0.0), ValueError, "lr=0.0 must be above 0"),
    (lambda: SGD([Parameter(1.0)], float("nan")), ValueError, "lr=nan"),
    (lambda: SGD([Parameter(1.0)], 0.1, 1.0), ValueError, r"momentum=1.0 must be in \[0, 1\)"),
    (lambda: SGD([Parameter(1.0)], 0.1, -0.1), ValueError, "momentum=-0.1"),
    (lambda: SGD([Parameter(1.0)], float("inf")), ValueError, "above 0 and finite"),
    (lambda: Linear(0, 3, rng()), ValueError, "d_in=0"),
    (lambda: Embedding(3, 0, rng()), ValueError, "d_model=0"),
    (lambda: Linear(2, 3, rng())(np.ones((4, 3))), ValueError, "inner sizes 3 and 2 differ"),
    (lambda: Embedding(3, 2, rng())([0, 3]), ValueError, "id 3 is outside 0 to 2"),
    (lambda: Embedding(3, 2, rng())([-1]), ValueError, "id -1 is outside 0 to 2"),
    (lambda: Embedding(3, 2, rng())([0.0]), TypeError, "integers, not float64"),
    (lambda: Embedding(3, 2, rng())([True, False]), TypeError, "integers, not bool"),
    (lambda: cross_entropy(Tensor(np.ones((2, 3))), [0]), ValueError, r"want \(2,\)"),
    (lambda: cross_entropy(Tensor(np.ones((1, 3))), [3]), ValueError, "id 3"),
    (lambda: softmax_cross_entropy_backward(np.ones((2, 3)), [0]), ValueError, r"want \(2,\)"),
    (lambda: softmax_cross_entropy_backward(np.ones((1, 3)), [-1]), ValueError, "id -1"),
    (lambda: linear_backward(np.ones((2, 3)), np.ones((3, 2)), np.ones((3, 2))), ValueError,
     "want"),
    (lambda: linear_backward(np.ones((2, 3)), np.ones((2, 4)), np.ones((4, 3))), ValueError,
     r"weight \(4, 3\)"),
    (lambda: layernorm_backward(np.ones((2, 3)), np.ones((2, 3)), np.ones(2)), ValueError,
     r"gamma \(2,\)"),
    (lambda: attention_backward(*[np.ones((3, 2))] * 4, attn_mask=np.eye(3, dtype=bool) & False),
     ValueError, "a query without any key"),
    (lambda: attention_backward(*[np.ones((3, 2))] * 4,
                                attn_mask=np.tril(np.ones((3, 3), dtype=bool), -1)),
     ValueError, "a query without any key"),
    (lambda: attention_backward(*[np.ones((3, 2))] * 4, attn_mask=np.triu(
        np.full((3, 3), -1e9), 1)), ValueError, "attn_mask is float64"),
    (lambda: attention_backward(*[np.ones((3, 2))] * 4,
                                attn_mask=np.ones((2, 3, 3), dtype=bool)),
     ValueError, r"shape \(2, 3, 3\): want booleans that broadcast to \(3, 3\)"),
    (lambda: attention_backward(np.ones((2, 3, 2)), np.ones((2, 3, 2)),
                                *[np.ones((4, 3, 2))] * 2), ValueError, "do not fit together"),
    (lambda: attention_backward(np.ones((3, 1)), *[np.ones((3, 2))] * 3), ValueError,
     "do not fit together"),
    (lambda: attention_backward(np.ones((3, 2)), np.ones((3, 2)), np.ones((3, 4)),
                                np.ones((3, 2))), ValueError, r"k \(3, 4\)"),
])
def test_bad_input_is_named(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
