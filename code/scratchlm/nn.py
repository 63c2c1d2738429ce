"""Chapter 2: Gradients, from one rule."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scratchlm.autograd import Array, Tensor, unbroadcast


# § sec-modules
class Parameter(Tensor):
    """A tensor that training changes. It keeps a copy of its data."""

    def __init__(self, data: ArrayLike) -> None:
        super().__init__(np.array(data), requires_grad=True)


class Module:
    """A part of a model: parameters, smaller modules, a forward pass."""
    forward: Callable[..., Tensor]

    def __call__(self, *inputs: Any) -> Tensor:
        return self.forward(*inputs)

    def parameters(self) -> list[Parameter]:
        """Every parameter once, however many parts share it."""
        return list(dict.fromkeys(_parameters_in(vars(self))))

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters."""
        for parameter in self.parameters():
            parameter.zero_grad()


def _parameters_in(part: Any) -> Iterator[Parameter]:
    """Those in modules, lists, tuples and dicts, to any depth."""
    if isinstance(part, Parameter):
        yield part
    elif isinstance(part, Module):
        yield from part.parameters()
    elif isinstance(part, dict | list | tuple):
        for p in part.values() if isinstance(part, dict) else part:
            yield from _parameters_in(p)


class Linear(Module):
    """y = x W^T + b, from (..., n, d_in) to (..., n, d_out).

    Args:
        d_in: numbers per input row.
        d_out: numbers per output row.
        rng: draws the weights, evenly from +-1/sqrt(d_in).
        bias: whether to add b.
    """

    def __init__(self, d_in: int, d_out: int, rng: np.random.Generator,
                 bias: bool = True) -> None:
        if d_in < 1 or d_out < 1:
            raise ValueError(f"d_in={d_in}, d_out={d_out}: both must be "
                             "at least 1")
        bound = d_in**-0.5
        self.weight = Parameter(rng.uniform(-bound, bound, (d_out, d_in)))
        self.bias = (Parameter(rng.uniform(-bound, bound, d_out))
                     if bias else None)

    def forward(self, x: Tensor | ArrayLike) -> Tensor:
        """(..., n, d_in) to (..., n, d_out); one row is (1, d_in)."""
        y = x @ self.weight.transpose()
        return y if self.bias is None else y + self.bias


class Sequential(Module):
    """Functions applied one after the other; modules among them count."""

    def __init__(self, *layers: Callable[[Any], Tensor]) -> None:
        self.layers = layers

    def forward(self, x: Any) -> Tensor:
        """The output of the last layer."""
        for layer in self.layers:
            x = layer(x)
        out: Tensor = x
        return out


class Embedding(Module):
    """A table of rows, read by index: (...) to (..., d_model).

    Args:
        vocab_size: number of rows.
        d_model: numbers per row.
        rng: draws the rows, normal with standard deviation one.
    """

    def __init__(self, vocab_size: int, d_model: int,
                 rng: np.random.Generator) -> None:
        if vocab_size < 1 or d_model < 1:
            raise ValueError(f"vocab_size={vocab_size}, d_model={d_model}:"
                             " both must be at least 1")
        self.weight = Parameter(rng.normal(size=(vocab_size, d_model)))

    def forward(self, ids: ArrayLike) -> Tensor:
        """The rows that integer ids name."""
        return self.weight[_checked_ids(ids, self.weight.shape[0])]


def _checked_ids(ids: ArrayLike, limit: int) -> NDArray[np.integer[Any]]:
    """Integers from 0 to limit - 1; anything else is an error."""
    numbers = np.asarray(ids)
    if numbers.dtype.kind not in "iu":
        raise TypeError(f"ids are integers, not {numbers.dtype}")
    bad = numbers[(numbers < 0) | (numbers >= limit)]
    if bad.size:
        raise ValueError(f"id {bad[0]} is outside 0 to {limit - 1}")
    return numbers


def cross_entropy(logits: Tensor, targets: ArrayLike) -> Tensor:
    """Mean negative log-probability of the targets, in nats.

    Args:
        logits: (..., V).
        targets: (...), integers from 0 to V - 1.

    Raises:
        ValueError: the shapes do not fit, or a target is out of range.
    """
    ids = _checked_targets(targets, logits.shape)
    rows = logits.reshape(ids.size, logits.shape[-1])
    right = rows[np.arange(ids.size), ids.ravel()]
    return (rows.logsumexp(axis=-1) - right).mean()


def _checked_targets(targets: ArrayLike, shape: tuple[int, ...]
                     ) -> NDArray[np.integer[Any]]:
    """One id below V for every row of logits of a shape (..., V)."""
    ids = _checked_ids(targets, shape[-1])
    if ids.shape != shape[:-1]:
        raise ValueError(f"targets of shape {ids.shape} for logits of "
                         f"shape {shape}: want {shape[:-1]}")
    return ids


# § sec-sgd
class SGD:
    """Stochastic gradient descent, with momentum (Polyak 1964).

    Args:
        params: what to train; one that is named twice moves once.
        lr: the learning rate.
        momentum: the share of the velocity that survives a step.

    Raises:
        ValueError: no parameters, or a rate outside its range.
    """

    def __init__(self, params: Iterable[Tensor], lr: float,
                 momentum: float = 0.0) -> None:
        self.params = list(dict.fromkeys(params))
        if not self.params:
            raise ValueError("there are no parameters to train")
        if not 0 < lr < float("inf"):
            raise ValueError(f"lr={lr} must be above 0 and finite")
        if not 0 <= momentum < 1:
            raise ValueError(f"momentum={momentum} must be in [0, 1)")
        self.lr, self.momentum = lr, momentum
        self.velocity = [np.zeros_like(p.data) for p in self.params]

    def step(self) -> None:
        """Move every parameter that has a gradient."""
        for p, v in zip(self.params, self.velocity, strict=True):
            if p.grad is not None:
                v *= self.momentum
                v += p.grad
                p.data -= self.lr * v

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters."""
        for p in self.params:
            p.zero_grad()


# § sec-linear-backward
def linear_backward(grad: Array, x: Array, weight: Array,
                    ) -> tuple[Array, Array, Array]:
    """VJP of y = x W^T + b.

    Args:
        grad: (..., d_out), the gradient of y.
        x: (..., d_in).
        weight: (d_out, d_in).

    Returns:
        The gradients of x, of the weight and of the bias (d_out,).

    Raises:
        ValueError: the shapes do not fit together.
    """
    if (grad.shape[:-1] != x.shape[:-1]
            or weight.shape != (grad.shape[-1], x.shape[-1])):
        raise ValueError(f"grad {grad.shape}, x {x.shape} and weight "
                         f"{weight.shape}: want (..., d_out), "
                         "(..., d_in) and (d_out, d_in)")
    rows = grad.reshape(-1, grad.shape[-1])
    inputs = x.reshape(-1, x.shape[-1])
    return grad @ weight, rows.T @ inputs, rows.sum(axis=0)


# § sec-cross-entropy-backward
def softmax_cross_entropy_backward(logits: Array,
                                   targets: ArrayLike) -> Array:
    """Gradient of the mean cross-entropy: (p - y) / number of targets.

    Args:
        logits: (..., V).
        targets: (...), integers from 0 to V - 1.

    Returns:
        The gradient of the logits, (..., V); each row sums to zero.

    Raises:
        ValueError: the shapes do not fit, or a target is out of range.
    """
    ids = _checked_targets(targets, logits.shape)
    rows = _softmax(logits).reshape(-1, logits.shape[-1])
    rows[np.arange(len(rows)), ids.ravel()] -= 1
    gradient: Array = rows.reshape(logits.shape) / ids.size
    return gradient


def _softmax(z: Array) -> Array:
    """Each row's softmax, in an array of its own."""
    p: Array = np.exp(z - z.max(axis=-1, keepdims=True))
    p /= p.sum(axis=-1, keepdims=True)
    return p


# § sec-layernorm-backward
def layernorm_backward(grad: Array, x: Array, gamma: Array,
                       eps: float = 1e-5) -> tuple[Array, Array, Array]:
    """VJP of layer norm over the last axis (Ba et al. 2016).

    Args:
        grad: (..., d), the gradient of y = gamma * x_hat + beta.
        x: (..., d), what was normalized.
        gamma: (d,).
        eps: added to the variance.

    Returns:
        The gradients of x, of gamma (d,) and of beta (d,).

    Raises:
        ValueError: the shapes do not fit together.
    """
    if grad.shape != x.shape or gamma.shape != x.shape[-1:]:
        raise ValueError(f"grad {grad.shape}, x {x.shape} and gamma "
                         f"{gamma.shape}: want (..., d), (..., d), (d,)")
    centered = x - x.mean(axis=-1, keepdims=True)
    variance = (centered**2).mean(axis=-1, keepdims=True)
    s = np.sqrt(variance + eps)
    x_hat = centered / s
    u = grad * gamma  # the gradient of x_hat
    through_mean = u.mean(axis=-1, keepdims=True)
    through_spread = x_hat * (u * x_hat).mean(axis=-1, keepdims=True)
    dx = (u - through_mean - through_spread) / s
    return (dx, unbroadcast(grad * x_hat, gamma.shape),
            unbroadcast(grad, gamma.shape))


# § sec-attention-backward
def attention_backward(grad: Array, q: Array, k: Array, v: Array,
                       attn_mask: NDArray[np.bool_] | None = None,
                       scale: float | None = None,
                       ) -> tuple[Array, Array, Array]:
    """VJP of softmax(q k^T * scale) v (Vaswani et al. 2017).

    Args:
        grad: (..., T_q, d_v), the gradient of the output.
        q, k, v: (..., T_q, d), (..., T_k, d) and (..., T_k, d_v).
        attn_mask: (..., T_q, T_k), True where a query may attend.
        scale: 1 / sqrt(d) if not given.

    Returns:
        The gradients of q, k and v.

    Raises:
        ValueError: the shapes do not fit, the mask is not boolean, or it
            leaves a query without any key.
    """
    if (grad.shape != (*q.shape[:-1], v.shape[-1])
            or k.shape != (*v.shape[:-1], q.shape[-1])
            or k.shape[:-2] != q.shape[:-2]):
        raise ValueError(f"grad {grad.shape}, q {q.shape}, k {k.shape} "
                         f"and v {v.shape} do not fit together")
    scale = q.shape[-1] ** -0.5 if scale is None else scale
    scores = q @ k.swapaxes(-1, -2) * scale
    if attn_mask is not None:
        if (attn_mask.dtype != np.bool_ or np.broadcast_shapes(
                attn_mask.shape, scores.shape) != scores.shape):
            raise ValueError(f"attn_mask is {attn_mask.dtype} of shape "
                             f"{attn_mask.shape}: want booleans that "
                             f"broadcast to {scores.shape}")
        if not attn_mask.any(axis=-1).all():
            raise ValueError("attn_mask leaves a query without any key")
        scores = np.where(attn_mask, scores, -np.inf)
    p = _softmax(scores)
    dv = p.swapaxes(-1, -2) @ grad
    dp = grad @ v.swapaxes(-1, -2)
    ds = p * (dp - (dp * p).sum(axis=-1, keepdims=True)) * scale
    return ds @ k, ds.swapaxes(-1, -2) @ q, dv
