"""Numbers that compare tokenizers, against SciPy, mpmath and counts by hand."""

from __future__ import annotations

import math

import mpmath
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from scratchlm.tokenizer.stats import bytes_per_token, fertility, renyi_efficiency

PATIENT = settings(deadline=None)
ids = st.lists(st.integers(0, 6), min_size=2, max_size=60).filter(lambda x: len(set(x)) > 1)


def by_bytes(text: str) -> list[int]:
    return list(text.encode())


def by_words(text: str) -> list[int]:
    return [len(word) for word in text.split()]


def test_counts_by_hand() -> None:
    assert bytes_per_token(by_bytes, ["héllo", "日本"]) == 1
    assert bytes_per_token(by_words, ["one two", "three"]) == (7 + 5) / 3
    assert bytes_per_token(lambda text: [1], ["日本"]) == 6
    assert fertility(by_words, ["one two", "", " three\n"]) == 1
    assert fertility(by_bytes, ["a bc", "def"]) == 7 / 3


def test_a_stream_of_texts_is_read_once() -> None:
    assert fertility(by_words, (text for text in ("a b", "c"))) == 1


@PATIENT
@given(ids)
def test_order_one_is_shannon(tokens: list[int]) -> None:
    counts = [tokens.count(x) for x in set(tokens)]
    wanted = stats.entropy(counts) / math.log(len(counts))
    assert renyi_efficiency(tokens, order=1) == pytest.approx(wanted)


@PATIENT
@given(ids, st.sampled_from([0.5, 2.0, 2.5, 7.0]), st.integers(7, 50))
def test_other_orders_with_many_digits(tokens: list[int], order: float, size: int) -> None:
    with mpmath.workdps(40):
        power = mpmath.fsum((mpmath.mpf(tokens.count(x)) / len(tokens)) ** order
                            for x in set(tokens))
        wanted = float(mpmath.log(power) / (1 - mpmath.mpf(order)) / mpmath.log(size))
    assert renyi_efficiency(tokens, order, vocab_size=size) == pytest.approx(wanted, abs=1e-12)


@PATIENT
@given(ids)
def test_laws(tokens: list[int]) -> None:
    low, default, high = (renyi_efficiency(tokens, a) for a in (0.5, 2.5, 20.0))
    assert -1e-12 <= high <= default + 1e-12 <= low + 2e-12 <= 1 + 3e-12   # falls with the order
    near = renyi_efficiency(tokens, 1 + 1e-6)
    assert near == pytest.approx(renyi_efficiency(tokens, 1), abs=1e-4)
    assert renyi_efficiency(reversed(tokens)) == pytest.approx(default)


def test_extremes() -> None:
    assert renyi_efficiency(range(100)) == pytest.approx(1)
    assert renyi_efficiency([5] * 9, vocab_size=10) == pytest.approx(0)
    assert renyi_efficiency(range(10), vocab_size=100) == pytest.approx(0.5)


def test_bad_input() -> None:
    for measure in (bytes_per_token, fertility):
        with pytest.raises(ValueError, match="the texts"):
            measure(by_words, ["", "  "])
        with pytest.raises(ValueError, match="the texts"):
            measure(by_words, [])
        with pytest.raises(TypeError, match="texts is one string"):
            measure(by_words, "one string")
    for order in (0.0, -1.0, math.inf, math.nan):
        with pytest.raises(ValueError, match="need a positive finite order"):
            renyi_efficiency([1, 2], order)
    with pytest.raises(ValueError, match="at least one id"):
        renyi_efficiency([])
    with pytest.raises(ValueError, match="vocab_size=1 with 1 different"):
        renyi_efficiency([4, 4])
    with pytest.raises(ValueError, match="vocab_size=2 with 3 different"):
        renyi_efficiency([1, 2, 3], vocab_size=2)
