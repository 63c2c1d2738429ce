"""Overlap of training and test texts, against sets of word n-grams."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scratchlm.corpus.storyworld import generate
from scratchlm.data.decontaminate import Overlap, ngram_overlap

WORDS = st.lists(st.sampled_from("abcd"), max_size=12).map(" ".join)


def grams(text: str, n: int) -> set[tuple[str, ...]]:
    words = re.findall(r"\w+", text.lower())
    if 0 < len(words) < n:
        return {tuple(words)}
    return {tuple(words[i : i + n]) for i in range(len(words) - n + 1)} - {()}


def brute_force(train: list[str], test: list[str], n: int) -> list[Overlap]:
    return [
        Overlap(i, j, len(both), len(grams(text, n)))
        for i, doc in enumerate(train)
        for j, text in enumerate(test)
        if (both := grams(doc, n) & grams(text, n))
    ]


@settings(max_examples=150, deadline=None)
@given(st.lists(WORDS, max_size=6), st.lists(WORDS, max_size=6), st.integers(1, 6))
def test_all_overlaps_and_no_others(train: list[str], test: list[str], n: int) -> None:
    assert list(ngram_overlap(train, test, n)) == brute_force(train, test, n)


def test_stories() -> None:
    train = [story.text for story in generate(60_000, seed=1)]
    test = [story.text for story in generate(20_000, seed=2)]
    train[3] += " " + test[4]
    found = list(ngram_overlap(train, test, 8))
    assert found == brute_force(train, test, 8)
    assert Overlap(3, 4, len(grams(test[4], 8)), len(grams(test[4], 8))) in found


def test_case_and_marks_do_not_hide_a_copy() -> None:
    text = "Once upon a time, there lived a careful girl named Lucy in a small town."
    shouted = text.upper().replace(" ", "  ").replace(",", " --")
    (found,) = ngram_overlap(["Other words first. " + shouted], [text])
    assert (found.shared, found.total) == (3, 3)


def test_twelve_words_are_not_thirteen() -> None:
    words = [f"w{i}" for i in range(40)]
    text = " ".join(words)
    assert not list(ngram_overlap(["x " + " ".join(words[5:17]) + " y"], [text]))
    (found,) = ngram_overlap(["x " + " ".join(words[5:18]) + " y"], [text])
    assert (found.shared, found.total) == (1, 28)


def test_one_changed_word_breaks_n_runs() -> None:
    words = [f"w{i}" for i in range(40)]
    changed = [*words[:20], "other", *words[21:]]
    (found,) = ngram_overlap([" ".join(changed)], [" ".join(words)], 13)
    assert found.total - found.shared == 13


def test_empty_and_short_texts() -> None:
    assert list(ngram_overlap([], ["a b"], 2)) == []
    assert list(ngram_overlap(["a b"], [], 2)) == []
    assert list(ngram_overlap(["", "..."], ["", "!"], 2)) == []
    assert [x.doc for x in ngram_overlap(["Yes, no", "yes no maybe"], ["yes no"], 5)] == [0]


def test_training_documents_stream() -> None:
    def endless():  # type: ignore[no-untyped-def]
        while True:
            yield "a b c"

    found = ngram_overlap(endless(), ["b c"], 2)
    assert [next(found).doc for _ in range(3)] == [0, 1, 2]


def test_bad_input() -> None:
    for train, test in (("a b", ["a"]), (["a b"], "a")):
        with pytest.raises(ValueError, match="single string"):
            list(ngram_overlap(train, test))
    with pytest.raises(ValueError, match="n=0"):
        list(ngram_overlap(["a"], ["b"], 0))
