"""What crosses between the judge and a worker: values as JSON and raw bytes.

A frame is two lengths, a JSON text and the bytes of its arrays. Never pickle:
a frame from a worker is data that stands for a value and can be nothing else.
Values of exactly these types pass: None, bool, int, float, complex, str,
bytes, list, tuple, dict, set, frozenset, ``numpy.ndarray`` and numpy's scalars
of numbers, booleans and strings, ``torch.Tensor``; and as plain dictionaries
those of ``collections``. Imports nothing of ours.
"""

from __future__ import annotations

import gc
import json
import re
import struct
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

HEAD = struct.Struct(">QQ")
MOST_TEXT = 4 << 20  # bytes of JSON in a frame
MOST_NODES = 150_000  # lists, tuples, arrays and the like
MOST_DATA = 32 << 20  # bytes of arrays in a frame
DEEPEST = 60  # lists within lists
MOST_KEYS = 1 << 14  # of a dictionary or a set: their hashes can be made to collide
DTYPE = re.compile(r"[<|](b1|[iu][1248]|f[248]|c8|c16|[US]\d{1,5})")
FITTING = 1 << 63  # whole numbers below go as JSON's
DICTS = (dict, Counter, OrderedDict, defaultdict)
SCALARS = frozenset(np.sctypeDict.values())

# Functions and types as they were before any answer was loaded.
_array, _generic, _contiguous, _dtype = np.ndarray, np.generic, np.ascontiguousarray, np.dtype
_dumps, _type, _len, _str = json.dumps, type, len, str
_torch: Any = None  # the module, in a worker that has it


class Unsendable(Exception):
    """A value that has no form on the wire; the text says which type, and where."""


class Malformed(Exception):
    """Bytes that are no frame of ours."""


class Tensor(np.ndarray):
    """A ``torch.Tensor`` as the judge sees it: an array that knows it was one.

    ``torch_dtype`` is the tensor's own (``bfloat16`` is held as float32).
    """

    torch_dtype: str

    def __array_finalize__(self, parent: Any) -> None:
        self.torch_dtype = _str(self.dtype)


def tensor(array: Any, dtype: str | None = None) -> Tensor:
    """Mark an array so that the answer receives it as a ``torch.Tensor``.

    Args:
        array: what numpy makes an array of.
        dtype: torch's name of the type wanted (``"bfloat16"``); default: the array's.
    """
    held = np.asarray(array)
    if dtype is not None:
        held = held.astype("float32" if dtype == "bfloat16" else dtype)
    marked = held.view(Tensor)
    marked.torch_dtype = dtype or _str(held.dtype)
    return marked


def use_torch(module: Any) -> None:
    """Let tensors pass; called where torch has been imported."""
    global _torch
    _torch = module


def pieces(value: Any) -> list[Any]:
    """A frame in parts to be sent one after the other; arrays are not copied.

    Raises:
        Unsendable: something in it has no form on the wire, or it is too large.
    """
    parts: list[Any] = []
    try:
        text = _dumps(_pack(value, parts, 0, ""), separators=(",", ":")).encode()
    except (RecursionError, MemoryError) as error:
        raise Unsendable("a value nested too deeply or too large to send") from error
    except Unsendable:
        raise
    except Exception as error:  # whatever a library says of a value that has no data
        raise Unsendable(f"{_said(value, _type(value))} whose data cannot be read") from error
    if text.count(b"{") > MOST_NODES:
        raise Unsendable(f"a value of more than {MOST_NODES:,} lists, tuples and the like")
    if _len(text) > MOST_TEXT:
        raise Unsendable(f"a value of more than {MOST_TEXT >> 20} MiB of text")
    return [HEAD.pack(_len(text), sum(map(_len, parts))) + text, *parts]


def frame(value: Any) -> bytes:
    """The bytes of a frame; raises as ``pieces``."""
    return b"".join(pieces(value))


def frame_size(head: bytes) -> int:
    """How many bytes follow a frame's head.

    Raises:
        Malformed: the lengths are beyond the limits.
    """
    text, data = HEAD.unpack(head)
    if text > MOST_TEXT or data > MOST_DATA:
        raise Malformed("a frame too large")
    return int(text + data)


@contextmanager
def _without_collector() -> Iterator[None]:
    """The collector would look at all that is made, again and again."""
    on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if on:
            gc.enable()


def value_of(content: bytes | bytearray | memoryview) -> Any:
    """The value of a whole frame, head included.

    Raises:
        Malformed: it is not one.
    """
    try:
        view = memoryview(content)
        text, data = HEAD.unpack(view[:HEAD.size])
        if text + data + HEAD.size != _len(view):
            raise Malformed("a frame of another length")
        written = bytes(view[HEAD.size:HEAD.size + text])
        if written.count(b"{") > MOST_NODES:
            raise Malformed("too many lists")
        with _without_collector():
            return _unpack(json.loads(written), view[HEAD.size + text:], 0)
    except Malformed:
        raise
    except (ValueError, TypeError, KeyError, IndexError, OverflowError, RecursionError,
            MemoryError, AttributeError, struct.error) as error:
        raise Malformed(f"not a frame: {_type(error).__name__}") from error


def _pack(value: Any, parts: list[Any], depth: int, where: str) -> Any:
    """One value as JSON; the bytes of arrays go to ``parts``."""
    kind = _type(value)
    if value is None or kind is bool or kind is float or kind is str:
        return value
    if kind is int:
        return value if -FITTING < value < FITTING else {"i": hex(value)}
    if depth > DEEPEST:
        raise Unsendable(f"a value nested more than {DEEPEST} deep")
    if kind is list or kind is tuple:
        name = "l" if kind is list else "t"
        return {name: [_pack(v, parts, depth + 1, f"{where}[{i}]")
                       for i, v in enumerate(value)]}
    if kind in (*DICTS, set, frozenset) and _len(value) > MOST_KEYS:
        raise Unsendable(f"a {kind.__name__} of more than {MOST_KEYS:,} items")
    if kind in DICTS:
        return {"d": [[_pack(k, parts, depth + 1, f"{where}'s keys"),
                       _pack(v, parts, depth + 1, f"{where}[{k!r}]"[:80])]
                      for k, v in dict.items(value)]}
    if kind is set or kind is frozenset:
        return {"s" if kind is set else "z":
                [_pack(v, parts, depth + 1, f"{where}'s items") for v in value]}
    if kind is complex:
        return {"c": [value.real, value.imag]}
    if kind is bytes:
        return {"b": value.hex()}
    if kind is _array or (kind in SCALARS and isinstance(value, _generic)):
        return {"a" if kind is _array else "n": _bytes_of(value, parts, where)}
    if kind is Tensor:
        return {"T": [value.torch_dtype, *_bytes_of(_bits(value), parts, where)]}
    if _torch is not None and (kind is _torch.Tensor or kind is _torch.nn.Parameter):
        return {"T": _tensor_of(value, parts, where)}
    raise Unsendable(_said(value, kind) + (f" at {where}" if where else ""))


def _bytes_of(array: Any, parts: list[Any], where: str) -> list[Any]:
    shape = list(array.shape)
    if array.nbytes > MOST_DATA - sum(map(_len, parts)):
        raise Unsendable(f"an array of shape {tuple(shape)}, more than {MOST_DATA >> 20} MiB")
    plain = _contiguous(array)
    plain = plain.astype(plain.dtype.newbyteorder("<"), copy=False)
    name = plain.dtype.str
    if not DTYPE.fullmatch(name):
        raise Unsendable(f"an array of dtype {_str(array.dtype)}"
                         + (f" at {where}" if where else ""))
    start = sum(map(_len, parts))
    if plain.nbytes:
        parts.append(plain.reshape(-1).view(np.uint8).data)
    return [name, shape, start]


def _bits(array: Any) -> Any:
    """A tensor held by the judge as the plain array that travels."""
    plain = np.asarray(array).view(np.ndarray)
    if array.torch_dtype != "bfloat16":
        return plain
    wide = np.ascontiguousarray(plain, np.float32).view(np.uint32)
    return ((wide + 0x7FFF + ((wide >> 16) & 1)) >> 16).astype(np.int16).reshape(plain.shape)


def _tensor_of(value: Any, parts: list[Any], where: str) -> list[Any]:
    name = _str(value.dtype).removeprefix("torch.")
    if value.layout is not _torch.strided or value.is_quantized:
        raise Unsendable(f"a {_str(value.layout)} tensor")
    if value.numel() * value.element_size() > MOST_DATA:
        raise Unsendable(f"a tensor of shape {tuple(value.shape)}, "
                         f"more than {MOST_DATA >> 20} MiB")
    plain = value.detach().cpu().resolve_conj().resolve_neg().contiguous()
    if value.dtype is _torch.bfloat16:
        plain = plain.view(_torch.int16)
    return [name, *_bytes_of(plain.numpy(), parts, where)]


def _said(value: Any, kind: type) -> str:
    """The type of a value that cannot pass, as a reader calls it."""
    import collections.abc
    import types

    module, name = _str(kind.__module__), _str(kind.__qualname__)
    if isinstance(value, types.GeneratorType):
        return "a generator"
    if isinstance(value, types.FunctionType | types.BuiltinFunctionType | types.MethodType):
        return "a function"
    said = name if module in ("builtins", "answer") else f"{module}.{name}"
    if isinstance(value, collections.abc.Iterator):
        return f"an iterator ({said})"[:100]
    return f"a value of type {said}"[:100]


def _unpack(node: Any, data: memoryview, depth: int) -> Any:
    """A value from its JSON; what is not of our making is refused."""
    if node is None or isinstance(node, bool | int | float | str):
        return node
    if depth > DEEPEST + 2 or not isinstance(node, dict) or len(node) != 1:
        raise Malformed("a node of no kind")
    (kind, body), = node.items()
    if kind in ("d", "s", "z") and len(body) > MOST_KEYS:
        raise Malformed("too many keys")
    if kind in ("l", "t", "s", "z") and isinstance(body, list):
        items = [_unpack(item, data, depth + 1) for item in body]
        return {"l": list, "t": tuple, "s": set, "z": frozenset}[kind](items)
    if kind == "d":
        return {_unpack(k, data, depth + 1): _unpack(v, data, depth + 1) for k, v in body}
    if kind == "i" and len(body) < 1 << 20:
        return int(body, 16)
    if kind == "c":
        return complex(float(body[0]), float(body[1]))
    if kind == "b":
        return bytes.fromhex(body)
    if kind in ("a", "n"):
        array = _array_from(body[0], body[1], body[2], data)
        return array if kind == "a" else array[()]
    if kind == "T":
        return _tensor_from(str(body[0]), _array_from(body[1], body[2], body[3], data))
    raise Malformed("a node of no kind")


def _array_from(name: Any, shape: Any, start: Any, data: memoryview) -> Any:
    if not isinstance(name, str) or not DTYPE.fullmatch(name) or len(shape) > 32:
        raise Malformed("an array of no kind")
    kind = _dtype(name)
    size = 1
    for length in shape:
        if type(length) is not int or length < 0:
            raise Malformed("an array of no shape")
        size *= length
    if type(start) is not int or start < 0 or size * kind.itemsize > len(data) - start:
        raise Malformed("an array beyond its frame")
    if kind.itemsize == 0:
        return np.zeros(shape, kind)
    flat = np.frombuffer(data, kind, size, start) if size else np.zeros(0, kind)
    return flat.reshape(shape).copy()


def _tensor_from(name: str, array: Any) -> Any:
    if array.dtype.kind in "US":
        raise Malformed("a tensor of text")
    if _torch is not None:
        found = _torch.from_numpy(array)
        return found.view(_torch.bfloat16) if name == "bfloat16" else found
    if name == "bfloat16":
        array = (array.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
    return tensor(array, name if name == "bfloat16" else None)
