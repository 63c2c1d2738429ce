"""What the judge takes for equal, and how it tells what is not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from loom.grade.compare import differences, identical
from loom.grade.worker.wire import tensor

A = np.array


@pytest.mark.parametrize(("got", "expected"), [
    (1.0, 1.0), (1, 1.0), (np.float64(2), 2.0), (A(2.0), 2.0), (np.int32(3), 3),
    (A(3), np.int64(3)), (True, np.bool_(True)), ("a", np.str_("a")), (None, None),
    ([1, (2, "x")], [1, (2, "x")]),
    (float("nan"), float("nan")), (float("inf"), float("inf")), (1 + 2j, np.complex128(1 + 2j)),
    (1.0 + 1e-12, 1.0), ({"a": 1, "b": 2}, {"b": 2, "a": 1}), ({1, 2}, {2, 1}),
    (A([1.0, np.nan, np.inf]), A([1.0, np.nan, np.inf])), (A([1.0]) + 1e-11, A([1.0])),
    (A([1.0], "f4") + np.float32(3e-6), A([1.0], "f4")), (A([1e-17, 1.0]), A([0.0, 1.0])),
    (A(["ab"]), A(["ab"], "U9")), (np.zeros((0, 3)), np.zeros((0, 3))), (b"x", b"x"),
    (tensor([1.0], "bfloat16"), tensor([1.0 + 2 ** -7], "bfloat16")), (10 ** 400, 10 ** 400),
    (A([1e-17]), A([0.0]))])
def test_equal(got: Any, expected: Any) -> None:
    assert differences(got, expected) == []


@pytest.mark.parametrize(("got", "expected", "words"), [
    (2.0, 1.0, "got 2, expected 1"), (1.0, 1, "float"), (1, True, "bool"), (True, 1, "int"),
    (None, 1.0, "return"), (1.0, float("nan"), "got 1, expected nan"),
    (float("nan"), 1.0, "got nan"), (float("-inf"), float("inf"), "got -inf, expected inf"),
    (1e308, float("inf"), "expected inf"), ([1.0], A([1.0]), "np.array"),
    (A([1.0]), [1.0], "tolist"), ((1,), 1, "comma"), ([1, 2], (1, 2), "a list of 2"),
    ([1, 2], [1, 3], "[1]: got 2, expected 3"), ([1], [1, 2], "the first 1 are right"),
    ([1, 9, 4], [1, 2], "[1]: got 9"), ({"a": 1}, {"a": 1, "b": 2}, "1 missing, 'b'"),
    ({"a": 1, "c": 2}, {"a": 1}, "1 too many, 'c'"), ({"a": [1]}, {"a": [2]}, "['a'][0]: got 1"),
    ({1}, {1, 2}, "1 missing, 2"), (A([[1.0]]), A([1.0]), "shape (1, 1), expected (1,)"),
    (np.zeros((2, 3)), np.zeros((3, 2)), "transposed?"),
    (A([1.0], "f4"), A([1.0]), "dtype float32, expected float64"),
    (A([1]), A([1.0]), "dtype int64, expected float64"),
    (A([1.0, 2.0, 4.0]), A([1.0, 2.0, 3.0]),
     "shape (3,) ✓  dtype float64 ✓  1 of 3 values differ; first at [2]: got 4, expected 3"),
    (A([np.nan]), A([1.0]), "got nan"), (A([1.0]), A([np.nan]), "expected nan"),
    (A([1.0]) + 1e-7, A([1.0]), "got 1.0000001, expected 1.0"), (A([1e-12]), A([1e-15]), "differs"),
    (tensor([1.0]), A([1.0]), ".numpy()"), (A([1.0]), tensor([1.0]), "from_numpy"),
    (tensor(2.0), 2.0, ".item()"), (tensor([1.0], "bfloat16"), tensor([1.0]), "dtype bfloat16"),
    ("x" * 500, "x" * 200 + "y" * 300, "part at 200"), (10 ** 400, 10 ** 400 + 1, "got"),
    (A(["a"]), A(["b"]), "got 'a', expected 'b'"),
    (A([2 ** 53 + 1]), A([2 ** 53]), "got 9007199254740993")])
def test_different(got: Any, expected: Any, words: str) -> None:
    lines = differences(got, expected)
    assert 1 <= len(lines) <= 3
    assert words in "\n".join(lines)


def test_tolerances_can_be_given() -> None:
    assert differences(1.01, 1.0, rtol=0.02) == []
    assert differences(0.01, 0.0, atol=0.02) == []
    assert differences(1.0 + 1e-10, 1.0, rtol=0, atol=0) != []


def test_width_of_a_dtype_can_be_left_open_but_not_its_kind() -> None:
    assert differences(A([1.0], "f4") + np.float32(1e-6), A([1.0]), dtype=False) == []
    assert differences(A([1]), A([1.0]), dtype=False) != []


def test_only_the_first_difference_is_told() -> None:
    text = "\n".join(differences(np.zeros(9), np.arange(1.0, 10.0)))
    assert "expected 1" in text and not any(f"{n}" in text.split("expected 1")[1]
                                            for n in range(2, 9))


def test_identical_is_to_the_last_bit() -> None:
    assert identical(A([np.nan]), A([np.nan])) and identical([1, (2.0,)], [1, (2.0,)])
    assert not identical(A([0.0]), A([-0.0])) and not identical(1, 1.0)
    assert not identical({"a": 1, "b": 2}, {"b": 2, "a": 1})


def test_numbers_of_thousands_of_digits_are_told_by_their_size() -> None:
    assert differences(10 ** 9000, 10 ** 9000) == []
    assert "bits" in differences(10 ** 9000, 1)[0] and "bits" in differences(10 ** 9000, 1.0)[0]


@pytest.mark.parametrize(("change", "words"), [
    (lambda e: e * 2.5, "every value is 2.5 times what is expected"),
    (lambda e: -e, "every value has the wrong sign"),
    (lambda e: e + 0.25, "every value is 0.25 more than expected"),
    (lambda e: e - 3, "every value is 3 less than expected"),
    (lambda e: e[::-1], "they are the right values in another order"),
    (lambda e: e * np.nan, "every value is nan"), (lambda e: e * 0, "every value is 0"),
    (lambda e: e + A([0.1, 0.0, 0.0, 0.0]), None), (lambda e: e ** 2, None)])
def test_what_wrong_values_have_in_common_is_told(change: Any, words: str | None) -> None:
    expected = A([1.0, 2.0, -4.0, 8.5])
    lines = differences(change(expected), expected)
    assert lines[1:] == ([words] if words else [])


def test_no_pattern_is_seen_in_two_values_or_in_one_repeated() -> None:
    assert len(differences(A([2.0, 4.0]), A([1.0, 2.0]))) == 1
    assert len(differences(A([2.0, 2.0, 2.0]), A([1.0, 1.0, 1.0]))) == 1


def test_imprecise_values_are_not_said_to_stand_in_another_order() -> None:
    expected = A([16764.221595220577, -3.0, 12.5])
    for got in (expected * (1 + 2.5e-9), expected * A([1 + 2.5e-9, 1, 1 - 1e-9])):
        assert differences(got, expected)[1:] == ["right to about 8 digits; the case wants more"]


def test_no_first_ones_are_right_where_there_are_none() -> None:
    assert differences([], [1]) == ["a list of 0, expected 1"]
