"""Splits of chapter 3: nothing lost, nothing twice, no copy on two sides."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scratchlm.splits import train_val_test

FEW = settings(max_examples=80, deadline=None)


@FEW
@given(
    docs=st.lists(st.text("ab ", max_size=4), min_size=1, max_size=60),
    cut=st.tuples(st.integers(0, 10), st.integers(0, 10)),
    seed=st.integers(0, 5),
)
def test_a_partition_without_shared_documents(
    docs: list[str], cut: tuple[int, int], seed: int
) -> None:
    low, high = sorted(cut)
    fractions = (low / 10, (high - low) / 10, (10 - high) / 10)
    sides = train_val_test(docs, fractions, seed)
    assert Counter(doc for side in sides for doc in side) == Counter(docs)
    for i, side in enumerate(sides):
        for other in sides[i + 1 :]:
            assert not set(side) & set(other)
        if fractions[i] == 0:
            assert side == []


@FEW
@given(n=st.integers(1, 300), seed=st.integers(0, 9))
def test_sizes_of_distinct_documents_are_those_asked_for(n: int, seed: int) -> None:
    docs = [str(i) for i in range(n)]
    train, val, test = train_val_test(docs, seed=seed)
    assert len(train) == round(0.8 * n)
    assert len(train) + len(val) == round(0.9 * n)
    assert len(train) + len(val) + len(test) == n
    for side in (train, val, test):  # the order of the corpus
        assert side == sorted(side, key=int)


def test_the_seed_decides() -> None:
    docs = [str(i) for i in range(100)]
    assert train_val_test(docs, seed=3) == train_val_test(docs, seed=3)
    assert train_val_test(docs, seed=3) != train_val_test(docs, seed=4)


def test_every_document_can_land_on_every_side() -> None:
    docs = [str(i) for i in range(10)]
    where: dict[str, set[int]] = {doc: set() for doc in docs}
    for seed in range(80):
        for i, side in enumerate(train_val_test(docs, (0.4, 0.3, 0.3), seed)):
            for doc in side:
                where[doc].add(i)
    assert all(sides == {0, 1, 2} for sides in where.values())


@dataclass
class Story:
    text: str
    facts: list[str] = field(default_factory=list)  # not hashable


def test_objects_are_grouped_by_their_text() -> None:
    docs = [Story(str(i % 20), [str(i)]) for i in range(200)]
    sides = train_val_test(docs)
    texts = [{s.text for s in side} for side in sides]
    assert sum(map(len, sides)) == 200
    assert sum(map(len, texts)) == 20


def test_a_key_keeps_near_copies_together() -> None:
    docs = [f"{name} lost kite {i}" for i in range(50) for name in ("Mia", "Hugo")]
    sides = train_val_test(docs, key=lambda doc: doc.split()[-1])
    kites = [{doc.split()[-1] for doc in side} for side in sides]
    assert sum(map(len, kites)) == 50
    loose = train_val_test(docs)  # without it some are torn apart
    assert sum(len({d.split()[-1] for d in side}) for side in loose) > 50


def test_one_document_and_all_copies() -> None:
    assert train_val_test(["a"]) == (["a"], [], [])
    assert train_val_test(["a"] * 7) == (["a"] * 7, [], [])


@pytest.mark.parametrize(
    ("docs", "fractions", "message"),
    [
        ([], (0.8, 0.1, 0.1), "no documents"),
        ("abc", (0.8, 0.1, 0.1), "single string"),
        (["a"], (0.8, 0.2), "three"),
        (["a"], (0.8, 0.3, -0.1), "not negative"),
        (["a"], (0.8, 0.1, 0.2), "sum to 1"),
        (["a"], (80, 10, 10), "sum to 1"),
        (["a"], (float("nan"), 0.5, 0.5), "sum to 1"),
    ],
)
def test_bad_input(docs: Sequence[str], fractions: tuple[float, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        train_val_test(docs, fractions)
