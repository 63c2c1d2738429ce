"""Values in words: what they are, and the shortest form that tells them apart."""

from __future__ import annotations

from typing import Any

import numpy as np

from loom.grade.worker.wire import Tensor

LONGEST = 60


def said(value: Any) -> str:
    """What a value is, in words, without its values."""
    if isinstance(value, Tensor):
        return f"a torch tensor {value.torch_dtype} {shape(value)}"
    if isinstance(value, np.ndarray):
        return f"an array {value.dtype} {shape(value)}"
    if value is None:
        return "None"
    if isinstance(value, np.generic):
        return f"a numpy {value.dtype}"
    name = type(value).__name__
    article = "an" if name[0] in "aeiou" else "a"
    if isinstance(value, list | tuple | dict | set | frozenset):
        return f"{article} {name} of {len(value)}"
    return f"{article} {name}"


def short(value: Any, longest: int = LONGEST) -> str:
    """A value in one short line."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, Tensor) and value.ndim:
        text = f"tensor({np.array2string(np.asarray(value), separator=', ')})"
    else:
        try:
            text = repr(np.asarray(value)) if isinstance(value, np.ndarray) else repr(value)
        except ValueError:  # a whole number of thousands of digits
            text = f"an int of {value.bit_length():,} bits" if isinstance(value, int) \
                else said(value)
    text = " ".join(text.split())
    return text if len(text) <= longest else text[:longest - 1] + "…"


def number(value: Any) -> str:
    """A number to six digits."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return f"{value:,.6g}" if 1e-4 <= abs(value) < 1e6 else f"{value:.6g}"
    return short(value)


def pair(got: Any, expected: Any) -> str:
    """Two numbers with as many digits as tell them apart."""
    one, other = number(got), number(expected)
    if one == other:
        one, other = short(got), short(expected)
    return f"got {one}, expected {other}"


def shape(value: Any) -> str:
    """The shape as Python prints it."""
    return str(tuple(value.shape))
