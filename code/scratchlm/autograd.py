"""Chapter 2: Gradients, from one rule."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from numbers import Real
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

# § sec-tensor
Array: TypeAlias = NDArray[np.floating[Any]]
Vjp: TypeAlias = Callable[[Array], tuple[Array, ...]]


class Tensor:
    """An array that remembers how it was computed.

    Args:
        data: real numbers of any shape. Floating types are kept, and not
            copied; integers and booleans become float64.
        requires_grad: whether ``backward`` leaves a gradient in ``grad``.
        _parents: the tensors that it was computed from.
        _vjp: turns the gradient of this tensor into one for each parent;
            None for a leaf of the graph.

    Raises:
        TypeError: data holds something else than real numbers.
    """

    __array_ufunc__ = None  # leave `array + tensor` to us

    def __init__(self, data: ArrayLike, requires_grad: bool = False,
                 _parents: tuple[Tensor, ...] = (),
                 _vjp: Vjp | None = None) -> None:
        array = np.asarray(data)
        if array.dtype.kind in "biu":
            array = array.astype(np.float64)
        if array.dtype.kind != "f":
            raise TypeError(f"a Tensor holds numbers, not {array.dtype}")
        self.data: Array = array
        self.grad: Array | None = None
        self.requires_grad = requires_grad
        self._parents = _parents
        self._vjp = _vjp

    def __repr__(self) -> str:
        """The numbers, and whether they are being differentiated."""
        kind = ", requires_grad=True" if self.requires_grad else ""
        return f"Tensor({self.data}{kind})"

    @property
    def shape(self) -> tuple[int, ...]:
        """The sizes of the array's axes."""
        return self.data.shape

    def item(self) -> float:
        """The value of a tensor that holds a single number."""
        return float(self.data.item())

    # § sec-unbroadcast
    def __add__(self, other: Tensor | ArrayLike) -> Tensor:
        """Sum, elementwise, with broadcasting."""
        a, b = self, _wrap(other, self)
        return _node(a.data + b.data, (a, b), lambda g: (
            unbroadcast(g, a.shape), unbroadcast(g, b.shape)))

    def __mul__(self, other: Tensor | ArrayLike) -> Tensor:
        """Product, elementwise, with broadcasting."""
        a, b = self, _wrap(other, self)
        return _node(a.data * b.data, (a, b), lambda g: (
            unbroadcast(g * b.data, a.shape),
            unbroadcast(g * a.data, b.shape)))

    # § sec-graph-memory
    def backward(self, grad: ArrayLike | None = None,
                 retain_graph: bool = False) -> None:
        """Add to every leaf's ``grad`` the gradient of this tensor.

        Args:
            grad: the gradient to start from, of this tensor's shape; one, if
                the tensor holds a single number.
            retain_graph: keep the graph for another walk.

        Raises:
            ValueError: no gradient is needed here, or ``grad`` is missing or
                has the wrong shape.
            RuntimeError: an earlier walk has used up a part of the graph.
        """
        promised = {self: _seed(self, grad)}
        order = topological_order(self)
        if any(node._vjp is _used_up for node in order):
            _used_up(promised[self])  # before any gradient is touched
        for node in reversed(order):
            total = promised.pop(node)
            if node._vjp is None:
                known = 0.0 if node.grad is None else node.grad
                node.grad = np.array(known + total, node.data.dtype)
                continue
            for parent, part in zip(node._parents, node._vjp(total),
                                    strict=True):
                if parent.requires_grad:
                    _promise(promised, parent, part)
            if not retain_graph:
                node._parents, node._vjp = (), _used_up

    # § sec-topological-order
    def zero_grad(self) -> None:
        """Forget the gradient that earlier walks have left here."""
        self.grad = None

    # § sec-operations
    def __pow__(self, exponent: float) -> Tensor:
        """A power with a constant exponent, elementwise.

        Raises:
            TypeError: the exponent is not a number. Write
                ``(y * x.log()).exp()`` for x to the power of a tensor y.
        """
        if not isinstance(exponent, Real):
            raise TypeError("the exponent must be a plain number, not "
                            f"{type(exponent).__name__}")
        x, p = self.data, float(exponent)

        def vjp(g: Array) -> tuple[Array, ...]:
            # At p = 0 the formula would give 0 * inf where x is zero.
            slope = p * x ** (p - 1) if p != 0 else np.zeros_like(x)
            return (g * slope,)

        return _node(x**p, (self,), vjp)

    def __neg__(self) -> Tensor:
        """The negative."""
        return self * -1.0

    def __sub__(self, other: Tensor | ArrayLike) -> Tensor:
        """Difference, elementwise, with broadcasting."""
        return self + -_wrap(other, self)

    def __truediv__(self, other: Tensor | ArrayLike) -> Tensor:
        """Quotient, elementwise, with broadcasting."""
        a, b = self, _wrap(other, self)
        y = a.data / b.data
        return _node(y, (a, b), lambda g: (
            unbroadcast(g / b.data, a.shape),
            unbroadcast(-g * y / b.data, b.shape)))

    def __radd__(self, other: ArrayLike) -> Tensor:
        """A number or an array plus this tensor."""
        return self + other

    def __rmul__(self, other: ArrayLike) -> Tensor:
        """A number or an array times this tensor."""
        return self * other

    def __rsub__(self, other: ArrayLike) -> Tensor:
        """A number or an array minus this tensor."""
        return -self + other

    def __rtruediv__(self, other: ArrayLike) -> Tensor:
        """A number or an array divided by this tensor."""
        return _wrap(other, self) / self

    def exp(self) -> Tensor:
        """e to the power of each element."""
        y = np.exp(self.data)
        return _node(y, (self,), lambda g: (g * y,))

    def log(self) -> Tensor:
        """Natural logarithm of each element."""
        x = self.data
        return _node(np.log(x), (self,), lambda g: (g / x,))

    def tanh(self) -> Tensor:
        """Hyperbolic tangent of each element."""
        y = np.tanh(self.data)
        return _node(y, (self,), lambda g: (g * (1.0 - y * y),))

    def relu(self) -> Tensor:
        """Each element where it is positive, zero elsewhere.

        At zero, where there is no derivative, we take 0, as PyTorch does.
        """
        positive = self.data > 0
        return _node(np.maximum(self.data, 0), (self,),
                     lambda g: (g * positive,))

    def sum(self, axis: Axis = None, keepdims: bool = False) -> Tensor:
        """Sum over all elements, or over one or several axes."""
        shape = self.shape
        return _node(self.data.sum(axis=axis, keepdims=keepdims), (self,),
                     lambda g: (_unreduce(g, shape, axis, keepdims),))

    def mean(self, axis: Axis = None, keepdims: bool = False) -> Tensor:
        """Mean over all elements, or over one or several axes.

        Raises:
            ValueError: there is nothing to take the mean of.
        """
        total = self.sum(axis=axis, keepdims=keepdims)
        if self.data.size == 0:
            raise ValueError(f"the mean of no elements: shape {self.shape}")
        return total * (total.data.size / self.data.size)

    def max(self, axis: Axis = None, keepdims: bool = False) -> Tensor:
        """Largest element; equally large ones share its gradient."""
        x = self.data
        top = x.max(axis=axis, keepdims=True)
        ties = x == top
        share = ties / ties.sum(axis=axis, keepdims=True)
        return _node(x.max(axis=axis, keepdims=keepdims), (self,), lambda g: (
            _unreduce(g, x.shape, axis, keepdims) * share,))

    def logsumexp(self, axis: Axis = -1, keepdims: bool = False) -> Tensor:
        """log(sum(exp(x))) over axes, exact for logits of any size."""
        x = self.data
        top = x.max(axis=axis, keepdims=True)
        top = np.where(np.isfinite(top), top, 0)
        scaled = np.exp(x - top)
        total = scaled.sum(axis=axis, keepdims=True)
        with np.errstate(divide="ignore"):  # log 0 is -inf, as it should be
            value = top + np.log(total)
        # A row of -inf has no softmax; its gradient is zero.
        softmax = scaled / np.where(total == 0, 1, total)
        if not keepdims:
            value = value.squeeze(axis)
        return _node(value, (self,), lambda g: (
            _unreduce(g, x.shape, axis, keepdims) * softmax,))

    def reshape(self, *shape: int) -> Tensor:
        """The same elements in another shape; one size may be -1."""
        old = self.shape
        return _node(self.data.reshape(shape), (self,),
                     lambda g: (g.reshape(old),))

    def transpose(self, *axes: int) -> Tensor:
        """The axes in another order; reversed, if none is given."""
        moved = self.data.transpose(axes or None)
        n = moved.ndim
        order = [axis % n for axis in axes] or list(range(n))[::-1]
        back = tuple(int(i) for i in np.argsort(order))
        return _node(moved, (self,), lambda g: (g.transpose(back),))

    def __getitem__(self, index: Any) -> Tensor:
        """Elements, slices or rows, as NumPy indexes them."""
        x = self.data

        def vjp(g: Array) -> tuple[Array, ...]:
            grad = np.zeros_like(x)
            np.add.at(grad, index, g)  # repeated indices add up
            return (grad,)

        return _node(x[index], (self,), vjp)

    # § sec-matmul-vjp
    def __matmul__(self, other: Tensor | ArrayLike) -> Tensor:
        """Matrix product over the last two axes; the others broadcast.

        Shapes (..., n, k) and (..., k, m) give (..., n, m).

        Raises:
            ValueError: an operand has less than two axes, or the inner sizes
                differ.
        """
        a, b = self, _wrap(other, self)
        if a.data.ndim < 2 or b.data.ndim < 2:
            raise ValueError(f"@ needs two axes on both sides, got {a.shape} "
                             f"and {b.shape}: reshape a vector to one row")
        if a.shape[-1] != b.shape[-2]:
            raise ValueError(f"{a.shape} @ {b.shape}: the inner sizes "
                             f"{a.shape[-1]} and {b.shape[-2]} differ")
        return _node(a.data @ b.data, (a, b), lambda g: (
            unbroadcast(g @ b.data.swapaxes(-1, -2), a.shape),
            unbroadcast(a.data.swapaxes(-1, -2) @ g, b.shape)))

    def __rmatmul__(self, other: ArrayLike) -> Tensor:
        """An array times this tensor."""
        return _wrap(other, self) @ self

    # § sec-graph-memory
    def detach(self) -> Tensor:
        """The same numbers in the same memory, cut off from the graph."""
        return Tensor(self.data)


# § sec-tensor
def _wrap(value: Tensor | ArrayLike, like: Tensor) -> Tensor:
    """An operand as a Tensor; plain numbers take the type of `like`."""
    if isinstance(value, Tensor):
        return value
    array = np.asarray(value)
    if isinstance(value, float) or array.dtype.kind in "biu":
        array = array.astype(like.data.dtype)
    return Tensor(array)


# § sec-graph-memory
def _node(data: ArrayLike, parents: tuple[Tensor, ...],
          vjp: Vjp) -> Tensor:
    """The result of an operation, tied to what it was computed from."""
    needed = any(parent.requires_grad for parent in parents)
    if needed and _recording.get():
        return Tensor(data, True, parents, vjp)
    return Tensor(data)


# § sec-topological-order
def topological_order(root: Tensor) -> list[Tensor]:
    """The nodes that need a gradient, each after all its parents.

    Depth-first search with a stack of its own, so that the depth of the
    graph is not limited by Python's recursion.

    Args:
        root: where the search begins; it comes last in the result.
    """
    order: list[Tensor] = []
    seen: set[Tensor] = set()
    stack = [(root, False)]
    while stack:
        node, parents_are_done = stack.pop()
        if parents_are_done:
            order.append(node)
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            stack.extend((parent, False) for parent in node._parents
                         if parent.requires_grad)
    return order


def _seed(root: Tensor, grad: ArrayLike | None) -> Array:
    """The gradient that a backward walk starts from."""
    if not root.requires_grad:
        raise ValueError("nothing to differentiate: this tensor was not "
                         "computed from one with requires_grad=True")
    if grad is None and root.data.size != 1:
        raise ValueError(f"a tensor of shape {root.shape} is not a loss: "
                         "give backward() a gradient of that shape")
    seed = np.asarray(1.0 if grad is None else grad, root.data.dtype)
    if grad is None:
        seed = seed.reshape(root.shape)
    if seed.shape != root.shape:
        raise ValueError(f"a gradient of shape {seed.shape} for a tensor "
                         f"of shape {root.shape}")
    return seed


def _promise(promised: dict[Tensor, Array], parent: Tensor,
             part: Array) -> None:
    """Add one contribution to what a node will receive."""
    if part.shape != parent.shape:
        raise ValueError(f"a VJP gave a gradient of shape {part.shape} to "
                         f"an operand of shape {parent.shape}")
    part = part.astype(parent.data.dtype, copy=False)
    # Not +=: the same array may have been promised to somebody else, too.
    known = promised.get(parent)
    promised[parent] = part if known is None else known + part


# § sec-unbroadcast
def unbroadcast(grad: Array, shape: tuple[int, ...]) -> Array:
    """Sum a gradient over the copies that broadcasting has made.

    Args:
        grad: the gradient of the broadcast array.
        shape: what the array's shape was before.

    Returns:
        An array of that shape.

    Raises:
        ValueError: ``shape`` does not broadcast to the gradient's.
    """
    new = grad.ndim - len(shape)
    pairs = list(zip(grad.shape[max(new, 0):], shape, strict=False))
    if new < 0 or any(n not in (1, wide) for wide, n in pairs):
        raise ValueError(f"shape {shape} does not broadcast to the "
                         f"gradient's shape {grad.shape}")
    stretched = [new + axis for axis, (wide, n) in enumerate(pairs)
                 if n != wide]
    if not new and not stretched:
        return grad
    summed: Array = grad.sum(axis=(*range(new), *stretched))
    return summed.reshape(shape)


# § sec-operations
Axis: TypeAlias = int | tuple[int, ...] | None


def _unreduce(grad: ArrayLike, shape: tuple[int, ...], axis: Axis,
              keepdims: bool) -> Array:
    """Stretch what belongs to a reduced array over the array's shape."""
    if shape and axis is not None and not keepdims:
        grad = np.expand_dims(grad, axis)
    return np.broadcast_to(grad, shape)


# § sec-gradcheck
STEP = 6e-6  # cube root of float64's epsilon: best for values near one


def numeric_vjp(f: Callable[[Array], ArrayLike], x: ArrayLike,
                v: ArrayLike, eps: float = STEP) -> Array:
    """A vector-Jacobian product by central differences, in float64.

    Args:
        f: a function of one array.
        x: where to differentiate it, of any shape.
        v: one number per element of f(x), and of its shape.
        eps: the step size.

    Returns:
        An array of the shape of x, right to about ten digits if x and
        f(x) are of order one.
    """
    at = np.array(x, dtype=np.float64)
    weights = np.asarray(v, dtype=np.float64)
    product = np.empty_like(at)
    for i in np.ndindex(at.shape):
        here = at[i]
        at[i] = here + eps
        up = np.array(f(at))  # a copy: f may hand back a view of `at`
        at[i] = here - eps
        product[i] = (weights * (up - np.asarray(f(at)))).sum() / (2 * eps)
        at[i] = here
    return product


@dataclass(frozen=True)
class Report:
    """What ``gradcheck`` found; true if all gradients agree.

    Attributes:
        excess: the worst error, in units of its tolerance.
        where: the worst element: number of the input, then its index.
        analytic: what ``backward`` says there.
        numeric: what the differences say there.
    """

    excess: float
    where: tuple[int, ...]
    analytic: float
    numeric: float

    def __bool__(self) -> bool:
        return self.excess <= 1

    def __str__(self) -> str:
        number, *index = self.where
        return (f"{'agree' if self else 'DISAGREE'}: {self.analytic:.5g},"
                f" numeric {self.numeric:.5g}, input {number} at {index}")


def _compare(n: int, found: Array, numeric: Array,
             allowed: Array) -> Report:
    """The worst element of one input; nan never agrees."""
    excess = np.abs(found - numeric) / allowed
    excess = np.where(np.isnan(excess), np.inf, excess)
    if excess.size == 0:
        return Report(0.0, (n,), 0.0, 0.0)
    index = np.unravel_index(int(excess.argmax()), excess.shape)
    return Report(float(excess[index]), (n, *map(int, index)),
                  float(found[index]), float(numeric[index]))


def gradcheck(f: Callable[..., Tensor], inputs: Sequence[ArrayLike],
              eps: float = STEP, atol: float = 1e-8,
              rtol: float = 1e-6) -> Report:
    """Hold the gradients of ``f`` against central differences.

    Args:
        f: takes as many tensors as there are inputs, gives one tensor.
        inputs: float64 arrays, away from kinks such as relu's at zero;
            they and the values of f should be of order one.
        eps: the step size.
        atol: allowed absolute error.
        rtol: allowed error relative to the numeric gradient.

    Raises:
        ValueError: an input is not float64.
    """
    for n, x in enumerate(inputs):
        if (dtype := np.asarray(x).dtype) != np.float64:
            raise ValueError(f"input {n} is {dtype}: differences need "
                             "float64 to tell right from wrong")
    tensors = [Tensor(np.array(x), requires_grad=True) for x in inputs]
    out = f(*tensors)
    v = np.random.default_rng(0).normal(size=out.shape)
    if out.requires_grad:
        out.backward(v)
    reports = []
    for n, leaf in enumerate(tensors):
        def at(z: Array, n: int = n) -> Array:
            return f(*[*tensors[:n], Tensor(z), *tensors[n + 1:]]).data

        numeric = numeric_vjp(at, leaf.data, v, eps)
        found = np.zeros_like(numeric) if leaf.grad is None else leaf.grad
        reports.append(_compare(n, found, numeric,
                                atol + rtol * np.abs(numeric)))
    return max(reports, key=lambda report: report.excess)


# § sec-graph-memory
def _used_up(grad: Array) -> tuple[Array, ...]:
    """Takes the place of the VJP of a node that has been walked."""
    raise RuntimeError("an earlier backward() used up this graph; "
                       "give that one retain_graph=True")


_recording: ContextVar[bool] = ContextVar("recording", default=True)


@contextmanager
def no_grad() -> Iterator[None]:
    """Within this block operations do not remember their operands."""
    token = _recording.set(False)
    try:
        yield
    finally:  # also when the block is left by an error
        _recording.reset(token)
