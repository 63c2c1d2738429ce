"""The story generator: determinism, held-out pairs, its world and its bits."""

from __future__ import annotations

import hashlib
import itertools
import math
import os
import random
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import scratchlm
from scratchlm.corpus.plots import PLOTS, Slot, parse_plots, parse_template
from scratchlm.corpus.storyworld import (
    Author,
    Narrator,
    Story,
    Stream,
    World,
    article,
    generate,
    held_out,
    plural,
    tell,
)
from scratchlm.corpus.words import COLORS, HER, NAMES, NUMBERS, WORDS

STORIES = list(generate(400_000, seed=3))
TEST = list(generate(200_000, seed=3, split="test"))
SHA256 = "f926746f295ef15d9a8bfb3c43359c8a9764d8a6675a6396ef69f0fc1f5f0702"


def joined(stories: list[Story]) -> str:
    return "\n\n".join(story.text for story in stories)


def test_the_bytes_are_pinned() -> None:
    text = joined(list(generate(100_000)))
    assert hashlib.sha256(text.encode()).hexdigest() == SHA256


def test_same_bytes_whatever_the_hash_seed() -> None:
    program = (
        "import hashlib; from scratchlm.corpus.storyworld import generate;"
        "print(hashlib.sha256('\\n\\n'.join(s.text for s in generate(100_000))"
        ".encode()).hexdigest())"
    )
    path = str(Path(scratchlm.__file__).parent.parent)
    for seed in ("0", "4242"):
        env = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": path}
        done = subprocess.run(
            [sys.executable, "-c", program], env=env, capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == SHA256


def test_the_global_generator_is_not_touched() -> None:
    random.seed(1)
    before = random.getstate()
    list(generate(5_000))
    assert random.getstate() == before


def test_size_seed_and_prefix() -> None:
    short, long = list(generate(20_000, seed=9)), list(generate(60_000, seed=9))
    size = len(joined(short).encode())
    assert 20_000 <= size < 20_000 + 4_000
    assert len(joined(short[:-1]).encode()) < 20_000
    assert [s.text for s in long[: len(short)]] == [s.text for s in short]
    assert not {s.text for s in long} & {s.text for s in generate(60_000, seed=10)}
    assert list(generate(0)) == []


@pytest.mark.parametrize("split", ["validation", "", "Train"])
def test_unknown_split(split: str) -> None:
    with pytest.raises(ValueError, match="none of train, test, heldout"):
        next(generate(10, split=split))


def test_negative_size() -> None:
    with pytest.raises(ValueError, match="n_bytes=-1 is negative"):
        next(generate(-1))


def test_heldout_is_another_name_for_test() -> None:
    a, b = (next(generate(1, split=split)).text for split in ("test", "heldout"))
    assert a == b


def color_pairs(stories: list[Story]) -> set[tuple[str, str]]:
    nouns = sorted((n for kind in ("thing", "light", "vehicle") for n in WORDS[kind]), key=len)
    pattern = rf"\b({'|'.join(COLORS)}) ({'|'.join(nouns[::-1])})\b"
    return {pair for story in stories for pair in re.findall(pattern, story.text)}


def test_color_pairs_are_held_out() -> None:
    train, test = color_pairs(STORIES), color_pairs(TEST)
    assert len(train) > 200 and len(test) > 30
    assert not train & test
    assert all(held_out(*pair) for pair in test)


def test_name_pairs_are_held_out() -> None:
    def pairs(stories: list[Story]) -> set[frozenset[str]]:
        return {
            frozenset(pair) for s in stories for pair in itertools.combinations(list(s.cast)[:2], 2)
        }

    train, test = pairs(STORIES), pairs(TEST)
    assert train and test and not train & test
    everyone = {name for s in STORIES for name in s.cast}
    assert everyone == set(NAMES)


def test_number_pairs_are_held_out() -> None:
    def pairs(stories: list[Story]) -> set[frozenset[int]]:
        found = set()
        for s in stories:
            for a, b in re.findall(r"(?i)([a-z]+) (?:and|minus) ([a-z]+) (?:make|is)\b", s.text):
                if a.lower() in NUMBERS and b in NUMBERS:
                    found.add(frozenset((NUMBERS.index(a.lower()), NUMBERS.index(b))))
        return found

    train, test = pairs(STORIES), pairs(TEST)
    assert len(train) > 5 and len(test) > 2 and not train & test


def test_a_tenth_of_all_pairs_is_held_out() -> None:
    shares = [
        sum(held_out(c, n) for c in COLORS for n in WORDS["thing"])
        / (len(COLORS) * len(WORDS["thing"])),
        sum(held_out(a, b) for a, b in itertools.combinations(NAMES, 2)) / math.comb(len(NAMES), 2),
        sum(held_out(a, b) for a, b in itertools.combinations_with_replacement(range(2, 13), 2))
        / 66,
    ]
    assert all(0.08 < share < 0.12 for share in shares)
    assert all(held_out(a, b) == held_out(b, a) for a, b in itertools.combinations(NAMES, 2))


def test_facts_can_be_played_again() -> None:
    for story in STORIES[:200] + TEST[:100]:
        world = World()
        for fact in story.facts:
            world.apply(fact)
        assert world.facts == story.facts


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ([("gives", "Mia", "kite", "Tom")], "does not hold"),
        ([("has", "Mia", "kite"), ("has", "Tom", "kite")], "somebody else"),
        ([("has", "Mia", "kite"), ("finds", "Tom", "kite")], "not lost"),
        ([("loses", "Mia", "kite")], "does not hold"),
        ([("mends", "Tom", "kite", "tape")], "not broken"),
        ([("puts", "Mia", "kite", "box")], "nobody can put"),
        ([("moves", "Tom", "kite", "box")], "not away"),
    ],
)
def test_impossible_facts(facts: list[tuple[str, ...]], message: str) -> None:
    world = World()
    for fact in facts[:-1]:
        world.apply(fact)
    with pytest.raises(ValueError, match=f"{facts[-1][1]}.*{message}"):
        world.apply(facts[-1])


def test_what_a_story_knows_of_itself() -> None:
    for story in STORIES:
        assert 1 <= len(story.cast) <= 3
        assert all(len(re.findall(rf"named {name}\b", story.text)) == 1 for name in story.cast)
        assert all(name in PLOTS for name in story.plot.split("+"))
        assert ("\n" in story.text) == ("+" in story.plot)
        assert "\n\n" not in story.text and story.text == story.text.strip()
        assert story.bits == pytest.approx(sum(story.bits_by.values())) and story.bits > 30


def test_shares_of_hard_and_double_stories() -> None:
    many = list(generate(800_000, seed=5))
    hard = sum(s.hard for s in many) / len(many)
    two = sum("+" in s.plot for s in many) / len(many)
    assert 0.03 < hard < 0.07 and 0.26 < two < 0.34
    assert {name for s in many for name in s.plot.split("+")} == set(PLOTS)
    assert len(PLOTS) >= 20
    assert len({s.text for s in many}) == len(many)


def test_vocabulary_size() -> None:
    text = joined(list(generate(1_000_000, seed=6)))
    types = {word.lower() for word in re.findall(r"[A-Za-z'-]+", text)}
    assert 1_200 < len(types) < 1_800
    assert re.fullmatch(r"[A-Za-z\n .,!?:\"'-]+", text)


def test_grammar_of_articles_and_capitals() -> None:
    for story in STORIES + TEST:
        assert not re.search(r"\b[Aa] [aeiou]", story.text), story.text
        assert not re.search(r"\b[Aa]n (?!honest)[^aeiou]", story.text), story.text
        assert not re.search(r"  | [.,!?]|\{|\}|\[|\]|\||\*", story.text)
        assert not re.search(r"[.!?] [a-z]", story.text)
        assert story.text[0].isupper() and story.text[-1] in '.!?"'
        assert story.text.count('"') % 2 == 0


@pytest.mark.parametrize(
    ("one", "many"),
    [("leaf", "leaves"), ("berry", "berries"), ("daisy", "daisies"), ("radish", "radishes"),
     ("peach", "peaches"), ("shell", "shells"), ("donkey", "donkeys"), ("wolf", "wolves"),
     ("sheep", "sheep"), ("goose", "geese"), ("mouse", "mice")],
)  # fmt: skip
def test_plural(one: str, many: str) -> None:
    assert plural(one) == many


def test_article() -> None:
    words = ("apple", "bear", "honest fox", "honey cake")
    assert [article(w) for w in words] == ["an apple", "a bear", "an honest fox", "a honey cake"]


def test_pronouns_fit_names_in_solo_stories() -> None:
    solo = [s for s in STORIES if len(s.cast) == 1]
    assert len(solo) > 20
    for story in solo:
        (name,) = story.cast
        wrong = {"he", "him", "his", "He", "His"} if name in HER else {"she", "her", "She", "Her"}
        assert not wrong & set(re.findall(r"\w+", story.text))


class Scripted(Stream):
    """Choices from a list; the first option where the list ends."""

    def __init__(self, script: list[int]) -> None:
        super().__init__("unused")
        self.script, self.sizes, self.log2 = script, [], 0.0

    def pick(self, options, kind):  # type: ignore[no-untyped-def]
        if len(options) == 1:
            return options[0]
        self.sizes.append(len(options))
        self.log2 += math.log2(len(options))
        at = len(self.sizes) - 1
        return options[self.script[at] if at < len(self.script) else 0]


@pytest.mark.parametrize("plot", ["race", "share", "trade", "noise", "guess"])
def test_bits_are_exact_where_all_tellings_can_be_enumerated(plot: str) -> None:
    author = Author(Stream(f"tiny {plot}"), "train", {plot: PLOTS[plot]})
    author.invent()
    events = author.events[2:5]
    chance: Counter[str] = Counter()
    average, script = 0.0, []
    for _ in range(200_000):
        narrator = Narrator(author)
        narrator.stream = stream = Scripted(script)
        text = " ".join(map(narrator.sentence, events))
        chance[text] += 2**-stream.log2
        average += stream.log2 * 2**-stream.log2
        script = script + [0] * (len(stream.sizes) - len(script))
        while script and script[-1] + 1 == stream.sizes[len(script) - 1]:
            script.pop()
        if not script:
            break
        script[-1] += 1
    else:
        pytest.fail("the world is not tiny")
    entropy = -sum(p * math.log2(p) for p in chance.values())
    assert sum(chance.values()) == pytest.approx(1)
    assert len(chance) > 10
    assert average == pytest.approx(entropy)


def test_bits_are_a_bound_where_two_ways_tell_the_same() -> None:
    twice = parse_plots("""
echo A
* {A.n} sang.
/ {A.n} [sang|hummed].
~
""")
    stories = [tell(Stream(f"echo {i}"), "train", twice) for i in range(4000)]
    body = Counter("sang" in s.text for s in stories)
    assert body[True] / 4000 == pytest.approx(0.75, abs=0.03)  # counted as 0.5 + 0.25


def test_stream_books_what_it_decides() -> None:
    stream = Stream("books")
    stream.pick(range(8), "a")
    stream.pick(["only"], "a")
    came = stream.chance(0.25, "b")
    assert stream.bits["a"] == pytest.approx(3)
    assert stream.bits["b"] == pytest.approx(2 if came else math.log2(4 / 3))
    with pytest.raises(ValueError, match="no color left"):
        stream.pick([], "color")


def test_stream_is_uniform() -> None:
    stream = Stream("uniform")
    counts = Counter(stream.pick(range(6), "x") for _ in range(6000))
    chi2 = sum((counts[i] - 1000) ** 2 / 1000 for i in range(6))
    assert chi2 < 20.5  # 0.1 % of fair dice exceed it, and the seed is fixed


def test_templates() -> None:
    assert parse_template("a {A.n} [b|{x}].") == (
        "a ", Slot("A", "n"), " ", (("b",), (Slot("x", ""),)), ".",
    )  # fmt: skip
    assert parse_template('"So," {A:said}.')[1] == Slot("A", "said")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("p A | x: thing\n* {A.n} ran.", "'x'.*untold"),
        ("p A B\n* {A.n} ran.\n/ {B.n} ran.", "'A', 'B'.*untold"),
        ("p A | x: thing\n* {A} ran [{x.a}|away].", "'x'.*untold"),
        ("p A | x: thing\n* {A.n} lost {x.a}.\n/ {A.n} lost the {x}.", "'x.color'.*untold"),
        ("p A | x: tool\n* {A.n} lost the {x}.", "'x.color'.*untold"),
        ("p A\n{A.n} ran.", "starts with none of"),
        ("p A\n@nothing A\n* {A.n} ran.", "'nothing' is none of"),
    ],
)
def test_plots_that_are_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_plots(text)
