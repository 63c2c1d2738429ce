"""The engine of chapter 2 against PyTorch, SciPy, differences and identities."""

from __future__ import annotations

import gc
import math
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.optimize
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from scratchlm.autograd import (
    STEP,
    Tensor,
    gradcheck,
    no_grad,
    numeric_vjp,
    topological_order,
    unbroadcast,
)

FEW = settings(max_examples=60, deadline=None)


def shapes(draw: Any, n: int) -> tuple[tuple[int, ...], ...]:
    """`n` shapes that broadcast together, sizes of one and missing axes included."""
    return draw(hnp.mutually_broadcastable_shapes(
        num_shapes=n, max_dims=4, max_side=4)).input_shapes


def both(ours: Callable[..., Tensor], theirs: Callable[..., torch.Tensor],
         *arrays: np.ndarray, seed: int = 0, rtol: float = 1e-10, atol: float = 1e-12) -> None:
    """The same graph in both libraries: values, and every gradient."""
    a = [Tensor(x.copy(), requires_grad=True) for x in arrays]
    b = [torch.tensor(x, requires_grad=True) for x in arrays]
    y, z = ours(*a), theirs(*b)
    assert y.shape == tuple(z.shape)
    np.testing.assert_allclose(y.data, z.detach().numpy(), rtol=rtol, atol=atol)
    v = np.random.default_rng(seed).normal(size=y.shape).astype(y.data.dtype)
    y.backward(v)
    z.backward(torch.tensor(v))
    for mine, reference in zip(a, b, strict=True):
        assert mine.grad is not None and reference.grad is not None
        assert mine.grad.dtype == mine.data.dtype
        np.testing.assert_allclose(mine.grad, reference.grad.numpy(), rtol=rtol, atol=atol)


def normal(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


BINARY = {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "multiply": lambda a, b: a * b,
    "divide": lambda a, b: a / (b * b + 0.5),
    "used twice": lambda a, b: (a + b) * (a - b) + a * a,
}


@pytest.mark.parametrize("name", BINARY)
@FEW
@given(data=st.data())
def test_broadcasting_operators_match_torch_on_both_sides(name: str, data: Any) -> None:
    left, right = shapes(data.draw, 2)
    seed = data.draw(st.integers(0, 10))
    both(BINARY[name], BINARY[name], normal(left, seed), normal(right, seed + 1))


UNARY = {
    "exp": (lambda x: x.exp(), lambda x: x.exp()),
    "log": (lambda x: (x * x + 0.1).log(), lambda x: (x * x + 0.1).log()),
    "tanh": (lambda x: x.tanh(), lambda x: x.tanh()),
    "relu": (lambda x: x.relu(), lambda x: x.relu()),
    "negative": (lambda x: -x, lambda x: -x),
    "square": (lambda x: x**2, lambda x: x**2),
    "power 2.5": (lambda x: (x * x + 0.1) ** 2.5, lambda x: (x * x + 0.1) ** 2.5),
    "power -1": (lambda x: (x * x + 0.1) ** -1, lambda x: (x * x + 0.1) ** -1),
    "3 - x": (lambda x: 3 - x, lambda x: 3 - x),
    "3 / x": (lambda x: 3 / (x * x + 1), lambda x: 3 / (x * x + 1)),
    "2 + 3 * x": (lambda x: 2 + 3 * x, lambda x: 2 + 3 * x),
    "sum": (lambda x: x.sum(), lambda x: x.sum()),
    "reverse axes": (lambda x: x.transpose(), lambda x: x.permute(tuple(range(x.ndim))[::-1])),
    "flatten": (lambda x: x.reshape(-1), lambda x: x.reshape(-1)),
}


@pytest.mark.parametrize("name", UNARY)
@FEW
@given(shape=hnp.array_shapes(min_dims=0, max_dims=4, max_side=4), seed=st.integers(0, 10))
def test_one_operand_matches_torch(name: str, shape: tuple[int, ...], seed: int) -> None:
    ours, theirs = UNARY[name]
    both(ours, theirs, normal(shape, seed))


REDUCTIONS = {
    "sum": (lambda x, a, k: x.sum(axis=a, keepdims=k), lambda x, a, k: x.sum(a, k)),
    "mean": (lambda x, a, k: x.mean(axis=a, keepdims=k), lambda x, a, k: x.mean(a, k)),
    "max": (lambda x, a, k: x.max(axis=a, keepdims=k), lambda x, a, k: x.amax(a, k)),
    "logsumexp": (lambda x, a, k: x.logsumexp(axis=a, keepdims=k),
                  lambda x, a, k: x.logsumexp(a, k)),
}


@pytest.mark.parametrize("name", REDUCTIONS)
@FEW
@given(data=st.data(), keepdims=st.booleans())
def test_reductions_match_torch_over_any_axes(name: str, data: Any, keepdims: bool) -> None:
    shape = data.draw(hnp.array_shapes(min_dims=1, max_dims=4, max_side=4))
    axes = data.draw(st.sets(st.integers(0, len(shape) - 1), min_size=1))
    axis = tuple(a - len(shape) if data.draw(st.booleans()) else a for a in sorted(axes))
    ours, theirs = REDUCTIONS[name]
    chosen = axis if data.draw(st.booleans()) or len(axis) > 1 else axis[0]
    # Rounded, so that equal elements occur and ties are tested too.
    x = normal(shape, data.draw(st.integers(0, 10))).round(1)
    both(lambda t: ours(t, chosen, keepdims), lambda t: theirs(t, axis, keepdims), x)


@FEW
@given(data=st.data())
def test_matmul_matches_torch_with_broadcast_batches(data: Any) -> None:
    left, right = shapes(data.draw, 2)
    n, k, m = (data.draw(st.integers(1, 4)) for _ in range(3))
    both(lambda a, b: a @ b, lambda a, b: a @ b,
         normal((*left, n, k), 1), normal((*right, k, m), 2))


def test_matmul_takes_arrays_on_either_side() -> None:
    x, w = normal((3, 4)), normal((4, 2), 1)
    both(lambda t: x @ t, lambda t: torch.tensor(x) @ t, w)
    both(lambda t: t @ w, lambda t: t @ torch.tensor(w), x)


@FEW
@given(data=st.data())
def test_transpose_matches_torch(data: Any) -> None:
    shape = data.draw(hnp.array_shapes(min_dims=1, max_dims=4, max_side=3))
    order = data.draw(st.permutations(range(len(shape))))
    signed = [a - len(shape) if data.draw(st.booleans()) else a for a in order]
    both(lambda x: x.transpose(*signed) * 2.0, lambda x: x.permute(*order) * 2.0, normal(shape))


INDICES: dict[str, Any] = {
    "integer": 1, "negative": -1, "slice": slice(1, 3), "step": (slice(None), slice(0, 4, 2)),
    "new axis": (None, 1), "ellipsis": (..., 2), "repeated rows": np.array([2, 0, 2, 2]),
    "pairs": (np.array([0, 1, 0]), np.array([3, 3, 3])), "mask": np.array([True, False, True]),
    "2-d index": np.array([[0, 0], [1, 2]]),
}


@pytest.mark.parametrize("name", INDICES)
def test_getitem_matches_torch(name: str) -> None:
    index = INDICES[name]
    both(lambda x: x[index] * 3.0, lambda x: x[index] * 3.0, normal((3, 4)))


def test_index_pairs_pick_one_element_per_row_and_add_up() -> None:
    rows, columns = np.array([0, 1, 2, 0]), np.array([3, 0, 3, 3])
    both(lambda x: x[rows, columns] * 3.0, lambda x: x[rows, columns] * 3.0, normal((3, 4)))


@pytest.mark.parametrize("name", REDUCTIONS)
@pytest.mark.parametrize("axis", [0, -1])
@pytest.mark.parametrize("keepdims", [False, True])
def test_reductions_of_a_single_number_match_torch(name: str, axis: int, keepdims: bool) -> None:
    ours, theirs = REDUCTIONS[name]
    both(lambda x: ours(x, axis, keepdims), lambda x: theirs(x, axis, keepdims), np.array(0.3))


def test_division_of_very_small_and_very_large_numbers() -> None:
    for a, b in ((1e-310, 1e-310), (1e300, 1e305), (3e-320, 2e-320)):
        assert (Tensor(a) / b).item() == a / b == (a / Tensor(b)).item()
    half = Tensor(np.float16(60000)) / Tensor(np.float16(60000))
    assert half.item() == 1.0 and half.data.dtype == np.float16
    both(lambda a, b: a / b, lambda a, b: a / b, np.array([1e-160, 1.0]), np.array([1e-150, 3.0]))


def test_powers_take_numpys_numbers_and_keep_the_type() -> None:
    x = Tensor(np.array([1.5, 2.0], np.float32), requires_grad=True)
    for exponent in (np.float32(2), np.float64(2), np.int64(2), 2):
        y = x**exponent
        assert y.data.dtype == np.float32
        np.testing.assert_allclose(y.data, [2.25, 4.0])


def test_a_float64_array_is_not_rounded_to_the_tensors_type() -> None:
    y = Tensor(np.ones(2, np.float32)) * np.array([1 / 3, 1.0])
    assert y.data.dtype == np.float64 and y.data[0] == 1 / 3


def test_float32_stays_float32() -> None:
    x, y = normal((3, 4)).astype(np.float32), normal((4,), 1).astype(np.float32)

    def f(a: Any, b: Any) -> Any:
        return ((a * 2.5 + b / 3 - 1) ** 2).mean() + (1 - a).tanh().sum() * 0.5

    both(f, f, x, y, rtol=1e-5, atol=1e-6)
    t = Tensor(x, requires_grad=True)
    for z in (t.relu(), t.exp(), t.max(axis=0), t.logsumexp(), t.mean(), t @ x.T, t[0], -t,
              t * np.float64(2), t * np.array([True, False, True, True]), 2 / t,
              t * np.ones(4, int)):
        assert z.data.dtype == np.float32


def test_mixed_precision_gives_each_leaf_its_own_type() -> None:
    a = Tensor(np.ones(3, np.float32), requires_grad=True)
    b = Tensor(np.ones(3), requires_grad=True)
    (a * b).sum().backward()
    assert a.grad is not None and a.grad.dtype == np.float32
    assert b.grad is not None and b.grad.dtype == np.float64


def test_a_gradient_travels_in_the_type_of_the_values() -> None:
    seen = []

    def vjp(g: np.ndarray) -> tuple[np.ndarray, ...]:
        seen.append(g.dtype)
        return (g,)

    x = Tensor(np.ones(3, np.float32), requires_grad=True)
    y = Tensor(x.data, True, (x,), vjp)
    (y * Tensor(np.ones(3))).sum().backward()
    Tensor(x.data, True, (x,), vjp).backward(np.ones(3))  # float64, as NumPy gives it
    assert seen == [np.float32, np.float32]


# -- the graph -----------------------------------------------------------------


def test_the_counter_example_to_the_plain_recursion() -> None:
    a = Tensor(1.0, requires_grad=True)
    b = a + a
    c = b + b
    c.backward()
    assert a.grad == 4
    a.zero_grad()
    b = a * 2.0
    (b + b * 3.0).backward()
    assert a.grad == 8


@FEW
@given(steps=st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50), st.booleans()),
                      min_size=1, max_size=12))
def test_random_graphs_match_torch(steps: list[tuple[int, int, bool]]) -> None:
    def program(x: Any, y: Any) -> Any:
        values = [x, y]
        for i, j, product in steps:
            u, v = values[i % len(values)], values[j % len(values)]
            values.append((u * v).tanh() if product else u - v * 0.5)
        return values[-1] + values[0] * 0.0 + values[1] * 0.0

    both(program, program, normal((2, 3)), normal((3,), 1))


def test_topological_order_puts_parents_first_and_nodes_once() -> None:
    a = Tensor(1.0, requires_grad=True)
    nodes = [a]
    rng = np.random.default_rng(0)
    for _ in range(60):
        i, j = rng.integers(0, len(nodes), 2)
        nodes.append(nodes[i] * nodes[j] + 0.01)
    order = topological_order(nodes[-1])
    place = {id(node): n for n, node in enumerate(order)}
    assert len(place) == len(order) and order[-1] is nodes[-1]
    for node in order:
        assert all(place[id(p)] < place[id(node)] for p in node._parents if p.requires_grad)


def test_a_graph_far_deeper_than_the_recursion_limit() -> None:
    a = Tensor(1.0, requires_grad=True)
    x = a
    for _ in range(20_000):
        x = (x + x) * 0.5
    x.backward()
    assert a.grad == 1.0


def test_a_deep_graph_that_is_never_walked_can_be_dropped() -> None:
    x = Tensor(1.0, requires_grad=True)
    for _ in range(50_000):
        x = x + 1.0
    del x  # must not overflow the C stack
    gc.collect()


def test_a_thousand_doublings_take_a_thousand_steps() -> None:
    a = Tensor(1.0, requires_grad=True)
    x = a
    for _ in range(1000):
        x = x + x
    x.backward()
    assert a.grad == 2.0**1000


def test_only_leaves_keep_gradients() -> None:
    a = Tensor([1.0, 2.0], requires_grad=True)
    b = a * 3.0
    constant = Tensor([5.0, 5.0])
    (b * constant).sum().backward()
    assert b.grad is None and constant.grad is None
    np.testing.assert_array_equal(a.grad, [15.0, 15.0])


def test_walks_add_up_until_zero_grad() -> None:
    a = Tensor(2.0, requires_grad=True)
    for expected in (3.0, 6.0, 9.0):
        (a * 3.0).backward()
        assert a.grad == expected
    a.zero_grad()
    assert a.grad is None


def test_gradients_do_not_share_memory() -> None:
    a = Tensor([1.0, 1.0], requires_grad=True)
    b = Tensor([1.0, 1.0], requires_grad=True)
    v = np.array([1.0, 2.0])
    (a + b).backward(v)
    a.grad *= 10  # type: ignore[operator]
    np.testing.assert_array_equal(b.grad, [1.0, 2.0])
    np.testing.assert_array_equal(v, [1.0, 2.0])
    a.sum().backward()
    assert a.grad is not None and a.grad.flags.writeable


def test_a_second_walk_is_refused_and_touches_nothing() -> None:
    a = Tensor(2.0, requires_grad=True)
    loss = (a * a).tanh()
    loss.backward()
    before = a.grad
    with pytest.raises(RuntimeError, match="used up"):
        loss.backward()
    assert a.grad is before


@pytest.mark.parametrize("last", [True, False])
def test_a_used_up_part_is_refused_before_any_gradient_moves(last: bool) -> None:
    a = Tensor(2.0, requires_grad=True)
    other = Tensor(1.0, requires_grad=True)
    shared = a * a
    first, part = shared.exp(), shared.tanh()
    second = part + other if last else other + part
    first.backward()
    with pytest.raises(RuntimeError, match="retain_graph"):
        second.backward()
    assert other.grad is None


def test_retain_graph_allows_a_second_walk_which_adds() -> None:
    a = Tensor(2.0, requires_grad=True)
    loss = a * a
    loss.backward(retain_graph=True)
    loss.backward()
    assert a.grad == 8.0
    with pytest.raises(RuntimeError):
        loss.backward()


def test_a_walk_lets_go_of_what_the_forward_pass_kept() -> None:
    a = Tensor(np.ones(1000), requires_grad=True)
    middle = a * 2.0
    kept = weakref.ref(middle.data)
    loss = middle.exp().sum()
    del middle
    assert kept() is not None
    loss.backward()
    gc.collect()
    assert kept() is None


def test_no_grad_builds_nothing_and_ends_with_an_error_too() -> None:
    a = Tensor(1.0, requires_grad=True)
    with no_grad():
        inside = a * 2.0
        with no_grad():
            pass
        still = a * 3.0
    assert not inside.requires_grad and not inside._parents and not still.requires_grad
    with pytest.raises(ZeroDivisionError), no_grad():
        _ = 1 / 0
    assert (a * 2.0).requires_grad


def test_detach_shares_memory_and_stops_the_gradient() -> None:
    a = Tensor([1.0, 2.0], requires_grad=True)
    cut = a.detach()
    assert np.shares_memory(cut.data, a.data)
    (a * cut).sum().backward()
    np.testing.assert_array_equal(a.grad, [1.0, 2.0])


def test_constants_are_not_kept_in_the_graph() -> None:
    x, y = Tensor([1.0]), Tensor([2.0])
    assert (x * y)._parents == () and not (x * y).requires_grad


# -- special values --------------------------------------------------------------


def test_ties_of_max_share_what_arrives() -> None:
    x = Tensor([[3.0, 3.0, 1.0], [2.0, 2.0, 2.0]], requires_grad=True)
    x.max(axis=1).backward(np.array([1.0, 6.0]))
    np.testing.assert_allclose(x.grad, [[0.5, 0.5, 0], [2, 2, 2]])


def test_repeated_indices_accumulate() -> None:
    x = Tensor(np.zeros((4, 2)), requires_grad=True)
    x[np.array([3, 1, 3, 3])].sum().backward()
    np.testing.assert_array_equal(x.grad[:, 0], [0, 1, 0, 3])  # type: ignore[index]


@pytest.mark.parametrize("scale", [1.0, 1e4, -1e4, 1e300])
def test_logsumexp_is_stable_and_its_gradient_is_the_softmax(scale: float) -> None:
    x = np.array([[1.0, 2.0, 0.5], [0.0, 0.0, 1.0]]) * scale
    t = Tensor(x, requires_grad=True)
    y = t.logsumexp(axis=1)
    y.sum().backward()
    r = torch.tensor(x, requires_grad=True)
    torch.logsumexp(r, 1).sum().backward()
    np.testing.assert_allclose(y.data, torch.logsumexp(r, 1).detach().numpy(), rtol=1e-14)
    np.testing.assert_allclose(t.grad, torch.softmax(r, 1).detach().numpy(), atol=1e-15)


def test_logsumexp_with_infinities() -> None:
    x = Tensor([[-np.inf, 0.0], [-np.inf, -np.inf], [np.inf, 0.0]], requires_grad=True)
    with np.errstate(invalid="ignore"):
        y = x.logsumexp(axis=1)
    np.testing.assert_array_equal(y.data, [0.0, -np.inf, np.inf])
    y[0:2].sum().backward()
    np.testing.assert_array_equal(x.grad[:2], [[0, 1], [0, 0]])  # type: ignore[index]


def test_relu_at_zero_and_powers_at_zero() -> None:
    x = Tensor([0.0, -0.0, 1.0], requires_grad=True)
    x.relu().sum().backward()
    np.testing.assert_array_equal(x.grad, [0, 0, 1])
    for p in (0, 1, 2, 3):
        ours = Tensor([0.0, 2.0], requires_grad=True)
        (ours**p).sum().backward()
        theirs = torch.tensor([0.0, 2.0], dtype=torch.float64, requires_grad=True)
        (theirs**p).sum().backward()
        np.testing.assert_array_equal(ours.grad, theirs.grad.numpy())


# -- unbroadcast ------------------------------------------------------------------


@FEW
@given(data=st.data())
def test_unbroadcast_is_the_transpose_of_broadcasting(data: Any) -> None:
    drawn = data.draw(hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=4, max_side=4))
    shape, wide = drawn.input_shapes[0], drawn.result_shape
    x, g = normal(shape, 1), normal(wide, 2)
    back = unbroadcast(g, shape)
    assert back.shape == shape
    # <g, copy(x)> = <uncopy(g), x>
    np.testing.assert_allclose((g * np.broadcast_to(x, wide)).sum(), (back * x).sum(),
                               rtol=1e-9, atol=1e-9)


def test_unbroadcast_returns_what_needs_no_summing() -> None:
    g = np.ones((2, 3))
    assert unbroadcast(g, (2, 3)) is g


@pytest.mark.parametrize("shape", [(3, 4, 1), (3,), (2, 2), (1, 1, 4)])
def test_unbroadcast_refuses_what_does_not_broadcast(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="does not broadcast"):
        unbroadcast(np.ones((2, 4)), shape)


# -- judges -------------------------------------------------------------------------


def test_the_jvp_identity() -> None:
    """<u, J v> from one difference along v equals <J^T u, v> from one walk."""
    def f(x: Tensor) -> Tensor:
        return ((x @ normal((4, 5), 1)).tanh() * x.logsumexp(keepdims=True)).transpose()

    x, v = normal((3, 4)), normal((3, 4), 2)
    h = STEP
    jv = (f(Tensor(x + h * v)).data - f(Tensor(x - h * v)).data) / (2 * h)
    u = normal(jv.shape, 3)
    t = Tensor(x, requires_grad=True)
    f(t).backward(u)
    assert t.grad is not None
    assert (u * jv).sum() == pytest.approx((t.grad * v).sum(), rel=1e-8)


def test_torch_forward_mode_agrees() -> None:
    """Exact dual numbers, no differences: torch.func.jvp."""
    w = normal((4, 5), 1)

    def g(x: torch.Tensor) -> torch.Tensor:
        return (x @ torch.tensor(w)).tanh().exp() / (x * x).sum(1, keepdim=True)

    x, v = normal((3, 4)), normal((3, 4), 2)
    _, jv = torch.func.jvp(g, (torch.tensor(x),), (torch.tensor(v),))
    u = normal((3, 5), 3)
    t = Tensor(x, requires_grad=True)
    ((t @ w).tanh().exp() / (t * t).sum(axis=1, keepdims=True)).backward(u)
    assert t.grad is not None
    assert (u * jv.numpy()).sum() == pytest.approx((t.grad * v).sum(), rel=1e-12)


def test_scipy_agrees() -> None:
    w = normal((6, 4), 5)

    def value(x: np.ndarray) -> float:
        return ((w @ Tensor(x.reshape(4, 1))).tanh() ** 2).sum().item()

    def gradient(x: np.ndarray) -> np.ndarray:
        t = Tensor(x.copy(), requires_grad=True)
        ((w @ t.reshape(4, 1)).tanh() ** 2).sum().backward()
        assert t.grad is not None
        return t.grad

    assert scipy.optimize.check_grad(value, gradient, normal((4,), 6)) < 1e-6


@FEW
@given(shape=hnp.array_shapes(min_dims=0, max_dims=3, max_side=3), seed=st.integers(0, 9))
def test_numeric_vjp_of_a_linear_map_is_exact(shape: tuple[int, ...], seed: int) -> None:
    a = normal((5, math.prod(shape)), seed)
    v = normal((5,), seed + 1)
    found = numeric_vjp(lambda x: a @ x.ravel(), normal(shape, seed + 2), v)
    np.testing.assert_allclose(found, (a.T @ v).reshape(shape), rtol=1e-8, atol=1e-8)


def test_numeric_vjp_of_a_view_and_leaves_its_input_alone() -> None:
    x = np.arange(6.0).reshape(2, 3)
    before, v = x.copy(), normal((3, 2))
    np.testing.assert_allclose(numeric_vjp(lambda z: z.T, x, v), v.T, rtol=1e-8)
    np.testing.assert_array_equal(x, before)


def test_gradcheck_accepts_what_torch_accepts() -> None:
    def f(a: Any, b: Any) -> Any:
        return (a @ b).tanh() * a.exp()

    a, b = normal((3, 3)), normal((3, 3), 1)
    assert torch.autograd.gradcheck(
        f, [torch.tensor(z, requires_grad=True) for z in (a, b)])
    report = gradcheck(f, [a, b])
    assert report and report.excess <= 1 and "agree" in str(report)


def wrong(slope: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Callable[[Tensor], Tensor]:
    """tanh with a VJP of one's own choice."""
    def f(x: Tensor) -> Tensor:
        y = np.tanh(x.data)
        return Tensor(y, True, (x,), lambda g: (g * slope(x.data, y),))
    return f


@pytest.mark.parametrize("slope", [
    lambda x, y: 1 - np.tanh(y) ** 2, lambda x, y: 1 - y, lambda x, y: np.zeros_like(x),
    lambda x, y: (1 - y * y) * (1 + 1e-5), lambda x, y: y * y - 1,
    lambda x, y: np.full_like(x, np.nan),
])
def test_gradcheck_finds_wrong_gradients(slope: Any) -> None:
    report = gradcheck(wrong(slope), [normal((3, 4))])
    assert not report and "DISAGREE" in str(report)


def test_the_step_is_the_cube_root_of_the_machine_epsilon() -> None:
    assert abs(STEP**3 / np.finfo(np.float64).eps - 1) < 0.05


def test_gradcheck_finds_nan_in_any_input() -> None:
    def f(a: Tensor, b: Tensor) -> Tensor:
        return a + Tensor(b.data, True, (b,), lambda g: (g * np.nan,))

    assert not gradcheck(f, [np.ones(3), np.ones(3)])
    assert not gradcheck(lambda a, b: f(b, a), [np.ones(3), np.ones(3)])


def test_gradcheck_finds_errors_that_cancel_under_equal_weights() -> None:
    """The mean of the gradient in every place: right for any sum, wrong alone."""
    def f(x: Tensor) -> Tensor:
        return Tensor(x.data, True, (x,), lambda g: (np.full_like(g, g.mean()),))

    assert not gradcheck(f, [np.ones(4)])


def test_gradcheck_of_a_function_that_ignores_its_inputs() -> None:
    assert gradcheck(lambda a: Tensor([1.0, 2.0]), [np.ones(2)])
    assert not gradcheck(lambda a: Tensor(a.data), [np.ones(2)])  # cut off, but not constant


def test_gradcheck_finds_a_small_gradient_that_is_missing() -> None:
    def f(x: Tensor) -> Tensor:
        return Tensor(x.data * 1e-3, True, (x,), lambda g: (g * 0.0,))

    assert not gradcheck(f, [np.ones(3)])


def test_gradcheck_names_the_element() -> None:
    def f(a: Tensor, b: Tensor) -> Tensor:
        mask = np.ones((2, 3))
        mask[1, 2] = 0.5
        return a + Tensor(b.data, True, (b,), lambda g: (g * mask,))

    report = gradcheck(f, [np.ones((2, 3)), np.ones((2, 3))])
    assert report.where == (1, 1, 2)
    assert report.analytic == pytest.approx(report.numeric / 2)


@pytest.mark.parametrize("dtype", [np.float32, np.int64])
def test_gradcheck_refuses_other_types(dtype: type) -> None:
    with pytest.raises(ValueError, match="float64"):
        gradcheck(lambda x: x * 2.0, [np.ones(3, dtype=dtype)])


def test_gradcheck_of_an_input_that_is_not_used() -> None:
    assert gradcheck(lambda a, b: a * 2.0, [np.ones(3), np.ones(2)])


# -- bad input ------------------------------------------------------------------------


@pytest.mark.parametrize(("call", "error", "message"), [
    (lambda x: x.backward(), ValueError, r"shape \(2, 3\) is not a loss"),
    (lambda x: x.backward(np.ones(3)), ValueError, r"shape \(3,\) for a tensor of shape \(2, 3\)"),
    (lambda x: x.detach().sum().backward(), ValueError, "requires_grad=True"),
    (lambda x: x[0:0].backward(), ValueError, r"shape \(0, 3\) is not a loss"),
    (lambda x: x @ Tensor(np.ones(3)), ValueError, "two axes"),
    (lambda x: x @ Tensor(np.ones((2, 3))), ValueError, "inner sizes 3 and 2 differ"),
    (lambda x: x**x, TypeError, "plain number, not Tensor"),
    (lambda x: x.transpose(0, 2), ValueError, "axis 2 is out of bounds"),
    (lambda x: x.reshape(4, 2), ValueError, "cannot reshape"),
    (lambda x: x[0:0].mean(), ValueError, "mean of no elements"),
    (lambda x: Tensor("abc"), TypeError, "a Tensor holds numbers"),
    (lambda x: Tensor(1j), TypeError, "complex128"),
])
def test_bad_input_is_named(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call(Tensor(np.ones((2, 3)), requires_grad=True))


def test_a_vjp_of_the_wrong_shape_is_named() -> None:
    x = Tensor(np.ones(3), requires_grad=True)
    y = Tensor(np.ones((2, 3)), True, (x,), lambda g: (g,))
    with pytest.raises(ValueError, match=r"shape \(2, 3\) to an operand of shape \(3,\)"):
        y.backward(np.ones((2, 3)))


def test_construction() -> None:
    assert Tensor([1, 2]).data.dtype == np.float64
    assert Tensor(True).item() == 1.0
    assert Tensor(np.float16(1.5)).data.dtype == np.float16
    data = np.ones(3)
    assert Tensor(data).data is data
    assert repr(Tensor([1.0], requires_grad=True)) == "Tensor([1.], requires_grad=True)"
    with pytest.raises(ValueError):
        Tensor([1.0, 2.0]).item()
