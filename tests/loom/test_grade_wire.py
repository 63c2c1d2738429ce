"""What crosses between the judge and a worker: the same on both sides, or nothing."""

from __future__ import annotations

import json
import pickle
from collections import Counter, OrderedDict, defaultdict
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loom.grade.compare import identical
from loom.grade.worker import wire

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()
    | st.complex_numbers(),
    lambda inner: st.lists(inner, max_size=4) | st.lists(inner, max_size=4).map(tuple)
    | st.dictionaries(st.text() | st.integers() | st.tuples(st.integers(), st.integers()), inner,
                      max_size=4),
    max_leaves=20)


def there_and_back(value: Any) -> Any:
    return wire.value_of(wire.frame(value))


@settings(max_examples=300, deadline=None)
@given(PLAIN)
def test_what_is_sent_arrives(value: Any) -> None:
    assert identical(there_and_back(value), value)


@pytest.mark.parametrize("array", [
    np.arange(12.0).reshape(3, 4), np.arange(12.0).reshape(3, 4).T, np.float32(2.5),
    np.array(7), np.zeros((0, 3)), np.array(["a", "βγ"]), np.array([b"ab"]), np.array([True]),
    np.arange(3, dtype=">i4"), np.array([1 + 2j], np.complex64), np.uint8(255), np.str_("x"),
    np.float16([np.nan, np.inf, -0.0]), np.arange(20)[::-3], np.zeros((2, 0), "U1")])
def test_arrays_arrive(array: Any) -> None:
    got = there_and_back(array)
    assert type(got) is type(array)
    assert got.dtype == array.dtype.newbyteorder("=") and got.shape == array.shape
    assert np.array_equal(got, array, equal_nan=array.dtype.kind == "f")


def test_sets_large_numbers_and_signs() -> None:
    assert there_and_back({1, 2}) == {1, 2}
    assert there_and_back(frozenset({(1, "a")})) == frozenset({(1, "a")})
    assert there_and_back(-(10 ** 6000)) == -(10 ** 6000)
    assert str(there_and_back(-0.0)) == "-0.0"
    assert type(there_and_back((1, [2]))) is tuple


@pytest.mark.parametrize("value", [Counter("aab"), defaultdict(int, a=2, b=1),
                                   OrderedDict(a=2, b=1)])
def test_dictionaries_of_the_library_arrive_as_plain_ones(value: Any) -> None:
    got = there_and_back([value])[0]
    assert type(got) is dict and got == {"a": 2, "b": 1}


def test_tensors_arrive_as_arrays_that_know() -> None:
    held = there_and_back(wire.tensor([[1.0, 2.0]], "bfloat16"))
    assert isinstance(held, wire.Tensor) and held.torch_dtype == "bfloat16"
    assert held.tolist() == [[1.0, 2.0]] and held.dtype == np.float32
    # halves round to even, as in the formats of chapter 1
    assert there_and_back(wire.tensor([1 + 2 ** -8, 1 + 3 * 2 ** -8], "bfloat16")).tolist() \
        == [1.0, 1 + 2 ** -6]
    assert there_and_back(wire.tensor(np.arange(3))).torch_dtype == "int64"


class Equal:
    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]


class Text(str):
    pass


class Numbers(np.ndarray):
    pass


@pytest.mark.parametrize(("value", "word"), [
    (Equal(), "Equal"), (Text("a"), "Text"), (np.zeros(2).view(Numbers), "Numbers"),
    (np.array([None, 1]), "dtype object"), (iter([1]), "iterator"), ((i for i in "a"), "generator"),
    (len, "function"), (range(3), "range"), (np.zeros(1, "M8[s]"), "datetime64"),
    (np.zeros(1, [("a", "i4")]), "dtype"), ([1, {"k": object()}], "['k']"),
    (np.broadcast_to(1.0, (10 ** 5, 10 ** 5)), "MiB"), ("x" * (5 << 20), "MiB"),
    (dict.fromkeys(range(20000)), "items")])
def test_other_types_do_not_pass(value: Any, word: str) -> None:
    with pytest.raises(wire.Unsendable) as caught:
        wire.frame(value)
    assert word in str(caught.value)


def test_a_list_in_itself_does_not_pass() -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(wire.Unsendable):
        wire.frame(endless)


def frame_of(tree: Any, data: bytes = b"") -> bytes:
    text = tree if isinstance(tree, bytes) else json.dumps(tree).encode()
    return wire.HEAD.pack(len(text), len(data)) + text + data


@pytest.mark.parametrize("tree", [
    [1], {"x": 1}, {"a": ["|O", [1], 0]}, {"a": ["<f8", [1 << 40], 0]}, {"a": ["<f8", [-1], 0]},
    {"a": ["<f8", [1], -8]}, {"a": ["<f8", ["1"], 0]}, {"a": ["<f8", [2], 0]}, {"a": []},
    {"a": ["<f8", [0] * 40, 0]}, {"a": ["<U99999", [9], 0]}, {"i": "z"}, {"i": 5}, {"b": "0"},
    {"c": [1]}, {"d": [[{"l": []}, 1]]}, {"s": [{"l": []}]}, {"T": ["float32", "<U1", [0], 0]},
    {"l": 5}, {"l": [], "t": []}, b"[" * 100000, b"{", b"\xff", b"9" * 5000,
    {"d": [[i, i] for i in range(20000)]}, {"a": ["<f8", [10 ** 18, 0, 10 ** 18], 0]}])
def test_bytes_of_another_make_are_refused(tree: Any) -> None:
    with pytest.raises(wire.Malformed):
        wire.value_of(frame_of(tree, bytes(8)))


def test_a_pickle_is_not_a_frame(tmp_path: Any) -> None:
    class Opens:
        def __reduce__(self) -> Any:
            return open, (str(tmp_path / "made"), "w")

    content = pickle.dumps(Opens())
    for sent in (content, frame_of(content), frame_of({"a": ["|O", [1], 0]}, content)):
        with pytest.raises(wire.Malformed):
            wire.value_of(sent)
    assert not list(tmp_path.iterdir())


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200), st.binary(max_size=60))
def test_any_bytes_are_refused_or_a_value(text: bytes, data: bytes) -> None:
    for content in (text, frame_of(text, data)):
        with suppress(wire.Malformed):
            wire.frame(wire.value_of(content))


def test_lengths_beyond_the_limits_are_refused_before_anything_is_kept() -> None:
    with pytest.raises(wire.Malformed):
        wire.frame_size(wire.HEAD.pack(1 << 60, 0))
    with pytest.raises(wire.Malformed):
        wire.frame_size(wire.HEAD.pack(0, 1 << 40))
