"""Whether what came back equals what was expected, and the first way in which it does not."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from loom.grade.pattern import pattern
from loom.grade.words import LONGEST, pair, said, shape, short
from loom.grade.worker.wire import Tensor

TOLERANCE = {"f8": 1e-9, "f4": 1e-5, "f2": 1e-2, "c16": 1e-9, "c8": 1e-5}
BFLOAT16 = 2e-2
KINDS = {"b": "bool", "i": "int", "u": "int", "f": "float", "c": "complex", "U": "str",
         "S": "bytes"}


def differences(got: Any, expected: Any, *, rtol: float | None = None,
                atol: float | None = None, dtype: bool = True, where: str = "") -> list[str]:
    """What tells two values apart, in at most three lines; empty if nothing does.

    Args:
        got: what the answer returned.
        expected: what the reference returned.
        rtol: relative tolerance of floating-point numbers; default by dtype.
        atol: absolute tolerance; default the same, less where all values are small.
        dtype: whether an array's width must agree, beside its kind.
        where: the part of the result that is looked at, for the message.
    """
    at = f"{where}: " if where else ""
    if _is_scalar(got) and _is_scalar(expected) and not _torch(got) and not _torch(expected):
        return _scalars(got, expected, rtol, atol, at)
    if isinstance(expected, np.ndarray) or isinstance(got, np.ndarray):
        return _arrays(got, expected, rtol, atol, dtype, at)
    if type(got) is not type(expected):
        return [f"{at}got {said(got)}, expected {said(expected)}{_hint(got, expected)}"]
    how = {"rtol": rtol, "atol": atol, "dtype": dtype}
    if isinstance(expected, list | tuple):
        return _sequences(got, expected, how, where)
    if isinstance(expected, dict):
        return _dictionaries(got, expected, how, where)
    if isinstance(expected, set | frozenset):
        return _sets(got, expected, at)
    return [] if got == expected else [f"{at}got {short(got)}, expected {short(expected)}"]


def identical(one: Any, other: Any) -> bool:
    """Whether two values are the same to the last bit, type included."""
    if type(one) is not type(other):
        return False
    if isinstance(one, np.ndarray):
        if one.dtype != other.dtype or one.shape != other.shape:
            return False
        return np.ascontiguousarray(one).tobytes() == np.ascontiguousarray(other).tobytes()
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(identical, one, other))
    if isinstance(one, dict):
        return len(one) == len(other) and all(
            identical(a, b) and identical(one[a], other[b])
            for a, b in zip(one, other, strict=True))
    return bool(one == other or (one != one and other != other))


def _torch(value: Any) -> bool:
    return isinstance(value, Tensor)


def _is_scalar(value: Any) -> bool:
    if isinstance(value, np.ndarray):
        return value.ndim == 0
    return isinstance(value, bool | int | float | complex | str | bytes | np.generic)


def _kind(value: Any) -> str:
    if isinstance(value, np.ndarray | np.generic):
        return KINDS.get(value.dtype.kind, "?")
    return type(value).__name__


def _tolerance(*values: Any) -> float:
    """The default tolerance for values of these types: the loosest."""
    found = [0.0]
    for value in values:
        if isinstance(value, Tensor) and value.torch_dtype == "bfloat16":
            found.append(BFLOAT16)
        elif isinstance(value, np.ndarray | np.generic):
            found.append(TOLERANCE.get(value.dtype.str[1:], 0.0))
        elif isinstance(value, float | complex):
            found.append(TOLERANCE["f8"])
    return max(found)


def _close(got: Any, expected: Any, rtol: float | None, atol: float | None,
           default: float) -> Any:
    """Where numbers agree; both are arrays of one shape."""
    if expected.dtype.kind not in "fc" and got.dtype.kind not in "fc":
        return got == expected
    wide = np.complex128 if "c" in (got.dtype.kind, expected.dtype.kind) else np.float64
    a, b = got.astype(wide), expected.astype(wide)
    with np.errstate(all="ignore"):
        sizes = np.abs(b[np.isfinite(b)])
        scale = float(sizes.max()) if sizes.size else 0.0
        rtol = default if rtol is None else rtol
        atol = default * (min(1.0, scale) or 1.0) if atol is None else atol
        near = np.abs(a - b) <= atol + rtol * np.abs(b)
        return (a == b) | (np.isnan(a) & np.isnan(b)) | (np.isfinite(a) & np.isfinite(b) & near)


def _scalars(got: Any, expected: Any, rtol: float | None, atol: float | None,
             at: str) -> list[str]:
    kinds = _kind(got), _kind(expected)
    if kinds[0] != kinds[1] and kinds not in (("int", "float"), ("int", "complex"),
                                              ("float", "complex")):
        return [f"{at}got {_scalar(got)} ({kinds[0]}), expected {_a(kinds[1])}"]
    if kinds == ("int", "int") or kinds[1] in ("bool", "str", "bytes"):
        a = got.item() if isinstance(got, np.ndarray | np.generic) else got
        b = expected.item() if isinstance(expected, np.ndarray | np.generic) else expected
        return [] if a == b else [f"{at}{_texts(a, b)}"]
    try:
        equal = _close(np.asarray(got), np.asarray(expected), rtol, atol, _tolerance(expected))
    except (TypeError, ValueError, OverflowError):  # a whole number beyond every float
        equal = False
    return [] if bool(equal) else [f"{at}{pair(_scalar(got, True), _scalar(expected, True))}"]


def _a(kind: str) -> str:
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


def _scalar(value: Any, plain: bool = False) -> Any:
    value = value.item() if isinstance(value, np.ndarray | np.generic) else value
    return value if plain else short(value)


def _texts(got: Any, expected: Any) -> str:
    """Two texts, around the place where they part."""
    if not isinstance(got, str | bytes) or max(len(got), len(expected)) <= LONGEST - 2:
        return f"got {short(got)}, expected {short(expected)}"
    first = next((i for i, (a, b) in enumerate(zip(got, expected, strict=False)) if a != b),
                 min(len(got), len(expected)))
    start = max(0, first - 20)
    return (f"texts of length {len(got)} and {len(expected)} part at {first}: got "
            f"…{short(got[start:first + 20])}, expected …{short(expected[start:first + 20])}")


def _arrays(got: Any, expected: Any, rtol: float | None, atol: float | None, dtype: bool,
            at: str) -> list[str]:
    if not isinstance(got, np.ndarray) or not isinstance(expected, np.ndarray) \
            or _torch(got) != _torch(expected):
        return [f"{at}got {said(got)}, expected {said(expected)}{_hint(got, expected)}"]
    if identical(got, expected) and _dtype(got) == _dtype(expected):
        return []
    if got.shape != expected.shape:
        why = ": transposed?" if got.shape == expected.shape[::-1] and got.ndim > 1 else ""
        return [f"{at}shape {shape(got)}, expected {shape(expected)}{why}"]
    fine = f"{at}shape {shape(got)} ✓  "
    mine, theirs = _dtype(got), _dtype(expected)
    kinds = got.dtype.kind, expected.dtype.kind
    if kinds[0] in "US" and kinds[0] == kinds[1]:
        mine = theirs  # the width of text is an accident
    if mine != theirs and (dtype or KINDS.get(kinds[0]) != KINDS.get(kinds[1])):
        return [f"{fine}dtype {mine}, expected {theirs}"]
    fine += f"dtype {mine} ✓  "
    default = _tolerance(expected) if dtype else _tolerance(got, expected)
    close = _close(np.asarray(got), np.asarray(expected), rtol, atol, default)
    wrong = np.argwhere(~close)
    if not len(wrong):
        return []
    first = tuple(int(i) for i in wrong[0])
    count = f"{len(wrong):,} of {got.size:,} values differ" if got.size > 1 \
        else "the value differs"
    values = pair(np.asarray(got)[first], np.asarray(expected)[first])
    common = pattern(np.asarray(got), np.asarray(expected))
    return [f"{fine}{count}; first at {list(first)}: {values}", *([common] if common else [])]


def _dtype(value: Any) -> str:
    return value.torch_dtype if isinstance(value, Tensor) else _name(value.dtype)


_name = lru_cache(str)  # numpy puts it together each time


def _hint(got: Any, expected: Any) -> str:
    """What a wrong type probably comes from."""
    if got is None:
        return ": is there a `return`?"
    if isinstance(expected, Tensor) and isinstance(got, np.ndarray) and not _torch(got):
        return ": torch.from_numpy makes a tensor of an array"
    if _torch(got) and isinstance(expected, np.ndarray) and not _torch(expected):
        return ": .numpy() makes an array of a tensor"
    if _torch(got) and got.size == 1 and _is_scalar(expected):
        return ": .item() makes a number of a tensor"
    if isinstance(expected, np.ndarray) and isinstance(got, list | tuple):
        return ": np.array makes an array of it"
    if isinstance(got, np.ndarray) and isinstance(expected, list | tuple):
        return ": .tolist() makes a list of an array"
    if isinstance(got, tuple) and len(got) == 1:
        return ": is there a comma too many?"
    return ""


def _sequences(got: Any, expected: Any, how: Any, where: str) -> list[str]:
    at = f"{where}: " if where else ""
    if len(got) != len(expected):
        kind = type(expected).__name__
        for i, (one, other) in enumerate(zip(got, expected, strict=False)):
            found = differences(one, other, **how, where=f"{where}[{i}]")
            if found:
                return [f"{at}a {kind} of {len(got)}, expected {len(expected)}", *found][:3]
        same = min(len(got), len(expected))
        return [f"{at}a {kind} of {len(got)}, expected {len(expected)}"
                + (f"; the first {same} are right" if same else "")]
    for i, (one, other) in enumerate(zip(got, expected, strict=True)):
        found = differences(one, other, **how, where=f"{where}[{i}]")
        if found:
            return found
    return []


def _dictionaries(got: Any, expected: Any, how: Any, where: str) -> list[str]:
    at = f"{where}: " if where else ""
    lacking = [key for key in expected if key not in got]
    beyond = [key for key in got if key not in expected]
    if lacking or beyond:
        parts = []
        if lacking:
            parts.append(f"{len(lacking)} missing, {short(lacking[0], 40)} for one")
        if beyond:
            parts.append(f"{len(beyond)} too many, {short(beyond[0], 40)} for one")
        return [f"{at}keys of the dict: {'; '.join(parts)}"]
    for key, other in expected.items():
        found = differences(got[key], other, **how, where=f"{where}[{short(key)}]")
        if found:
            return found
    return []


def _sets(got: Any, expected: Any, at: str) -> list[str]:
    lacking, beyond = expected - got, got - expected
    if not lacking and not beyond:
        return []
    parts = []
    for name, found in (("missing", lacking), ("too many", beyond)):
        if found:
            parts.append(f"{len(found)} {name}, {min(short(one, 40) for one in found)} for one")
    return [f"{at}{'; '.join(parts)}"]
