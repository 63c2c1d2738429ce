"""Mixtures: shares against the formula in exact arithmetic, draws against chi-square."""

from __future__ import annotations

import math
import subprocess
import sys
from collections import Counter
from fractions import Fraction
from itertools import islice

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import softmax
from scipy.stats import chisquare

from scratchlm.data.mixture import sample_mixture, temper

sizes_of = st.lists(st.integers(0, 10**12), min_size=1, max_size=8).filter(any)


@given(sizes_of)
def test_temperature_one_keeps_the_proportions(sizes: list[int]) -> None:
    want = [float(Fraction(n, sum(sizes))) for n in sizes]
    np.testing.assert_allclose(temper(sizes), want, rtol=1e-12)


@given(sizes_of, st.floats(0.05, 50))
def test_shares_are_the_softmax_of_log_sizes(sizes: list[int], tau: float) -> None:
    with np.errstate(divide="ignore"):
        want = softmax(np.log(np.array(sizes, dtype=np.float64)) / tau)
    np.testing.assert_allclose(temper(sizes, tau), want, rtol=1e-9, atol=1e-300)
    assert math.isclose(temper(sizes, tau).sum(), 1)


@given(sizes_of)
def test_infinite_temperature_makes_equal_what_is_not_empty(sizes: list[int]) -> None:
    alive = sum(n > 0 for n in sizes)
    np.testing.assert_allclose(temper(sizes, math.inf),
                               [1 / alive if n else 0 for n in sizes])


@given(st.lists(st.floats(0.1, 1e6), min_size=2, max_size=6), st.floats(0.2, 9),
       st.floats(1.01, 4))
def test_warmer_is_flatter(sizes: list[float], tau: float, factor: float) -> None:
    cold, warm = temper(sizes, tau), temper(sizes, tau * factor)
    assert warm.max() <= cold.max() + 1e-12
    assert warm.min() >= cold.min() - 1e-12


def test_a_worked_example() -> None:
    # 1000 : 1 at temperature 5 is 1000 ** 0.2 = 3.98 : 1.
    big, small = temper([1000, 1], 5)
    assert math.isclose(big / small, 1000**0.2)


def test_extremes_neither_overflow_nor_vanish() -> None:
    np.testing.assert_allclose(temper([1e300, 1e300], 0.001), [0.5, 0.5])
    np.testing.assert_allclose(temper([1e300, 1], 0.01), [1, 0])


@pytest.mark.parametrize("sizes", [[], [0, 0], [1, -1], [1, math.nan], [1, math.inf], [[1, 2]], 3])
def test_bad_sizes(sizes: object) -> None:
    with pytest.raises(ValueError, match="sizes="):
        temper(sizes)  # type: ignore[arg-type]


@pytest.mark.parametrize("tau", [0, -1, math.nan, -math.inf])
def test_bad_temperatures(tau: float) -> None:
    with pytest.raises(ValueError, match=r"temperature=.* must be positive"):
        temper([1, 2], tau)
    with pytest.raises(ValueError, match="temperature="):
        sample_mixture({"a": "xy"}, None, tau)


PILES = {"large": range(600), "middle": range(1000, 1300), "small": range(2000, 2100)}


@pytest.mark.parametrize("tau", [0.5, 1.0, 3.0, math.inf])
def test_draws_come_in_the_shares_asked_for(tau: float) -> None:
    n = 30_000
    came = Counter(name for name, _ in islice(sample_mixture(PILES, None, tau, 11), n))
    powers = {name: len(pile) ** (1 / tau) for name, pile in PILES.items()}
    want = [n * powers[name] / sum(powers.values()) for name in PILES]
    assert chisquare([came[name] for name in PILES], want).pvalue > 1e-4


def test_weights_take_the_place_of_sizes_in_any_order() -> None:
    weights = {"small": 5.0, "large": 1.0, "middle": 2.0}
    n = 20_000
    came = Counter(name for name, _ in islice(sample_mixture(PILES, weights, 1.0, 3), n))
    want = [n * w / 8 for w in weights.values()]
    assert chisquare([came[k] for k in weights], want).pvalue > 1e-4


def test_draws_do_not_depend_on_the_draw_before() -> None:
    """Pairs of neighbors are as frequent as the product of their shares."""
    names = [name for name, _ in islice(sample_mixture(PILES, None, math.inf, 5), 18_001)]
    pairs = Counter(zip(names[::2], names[1::2], strict=False))
    assert len(pairs) == 9
    assert chisquare(list(pairs.values())).pvalue > 1e-4


@given(st.integers(0, 10**6), st.integers(1, 7), st.integers(1, 5))
def test_no_document_comes_again_before_all_have_come(seed: int, size: int, turns: int) -> None:
    docs = [d for _, d in islice(sample_mixture({"a": range(size)}, seed=seed), size * turns)]
    for turn in range(turns):
        assert sorted(docs[turn * size:(turn + 1) * size]) == list(range(size))


def test_every_turn_has_an_order_of_its_own_and_all_orders_occur() -> None:
    docs = [d for _, d in islice(sample_mixture({"a": "xyz"}, seed=1), 3 * 6000)]
    turns = Counter("".join(docs[i:i + 3]) for i in range(0, len(docs), 3))
    assert len(turns) == 6
    assert chisquare(list(turns.values())).pvalue > 1e-4


def test_documents_belong_to_the_source_they_come_with() -> None:
    for name, doc in islice(sample_mixture(PILES, seed=2), 2000):
        assert doc in PILES[name]


def test_the_same_seed_gives_the_same_stream_in_another_process() -> None:
    def first(seed: int) -> list[tuple[str, int]]:
        return list(islice(sample_mixture(PILES, None, 2.0, seed), 200))

    assert first(4) == first(4) != first(5)
    code = ("from itertools import islice\nfrom scratchlm.data.mixture import sample_mixture\n"
            "piles = {'large': range(600), 'middle': range(1000, 1300),\n"
            "         'small': range(2000, 2100)}\n"
            "print(list(islice(sample_mixture(piles, None, 2.0, 4), 200)))")
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == str(first(4))


def test_a_source_without_a_share_is_never_drawn_and_may_be_empty() -> None:
    weights = {"a": 1.0, "none": 0.0}
    came = {name for name, _ in islice(sample_mixture({"a": "xy", "none": ""}, weights), 500)}
    assert came == {"a"}
    assert next(sample_mixture({"a": "xy", "none": ""}))[0] == "a"


def test_bad_sources() -> None:
    with pytest.raises(ValueError, match=r"\['b'\] are empty and have a share"):
        sample_mixture({"a": "xy", "b": ""}, {"a": 1, "b": 1})
    with pytest.raises(ValueError, match=r"weights for \['a'\] do not match .*\['a', 'b'\]"):
        sample_mixture({"a": "xy", "b": "z"}, {"a": 1})
    with pytest.raises(ValueError, match="sizes="):
        sample_mixture({})
    with pytest.raises(ValueError, match="do not match"):
        sample_mixture({"a": "xy"}, {"b": 1})
    with pytest.raises(ValueError, match="do not match"):
        sample_mixture({"a": "xy"}, {})


def test_piles_of_one_size_are_shuffled_in_orders_of_their_own() -> None:
    came: dict[str, list[int]] = {"a": [], "b": []}
    for name, doc in islice(sample_mixture({"a": range(50), "b": range(50)}, seed=6), 400):
        came[name].append(doc)
    assert came["a"][:50] != came["b"][:50]
