"""The checker of stories: clean on its own world, and not blind."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scratchlm.corpus.checks import (
    RULES,
    check_story,
    coherence_report,
    compile_lines,
    sentences,
    understand_story,
)
from scratchlm.corpus.corrupt import CORRUPTIONS
from scratchlm.corpus.plots import PLOTS, parse_plots
from scratchlm.corpus.storyworld import Story, Stream, World, generate, tell

GOOD = (
    "Once, there was a shy fox named Mia. Mia had a good friend, a bold bear named Tom. "
    "{0}That evening, Mia slept well."
)
TRADE = GOOD.format(
    "Mia had a red ball. Tom owned a blue drum and was proud of it. Mia admired the drum. "
    'And Tom had long wished for the ball. "Shall we trade?" asked Mia. Mia gave the ball to '
    "Tom and got the drum. Now the red ball belonged to Tom. It was a fair trade, and nobody "
    "complained. "
)


def broken(text: str) -> set[str]:
    return {result.rule for result in check_story(text) if not result.ok}


@pytest.mark.parametrize("split", ["train", "test"])
def test_own_stories_are_clean(split: str) -> None:
    for story in generate(500_000, seed=17, split=split):
        bad = [r for r in check_story(story.text) if not r.ok]
        assert not bad, (story.text, bad)


def test_a_story_by_hand_is_clean() -> None:
    assert broken(TRADE) == set()


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ("the red ball belonged", "the blue ball belonged", "colors"),
        ("admired the drum", "admired the ball", "things"),
        ("to Tom and got", "to Mia and got", "roles"),
        ("Mia admired", "Tom admired", "roles"),
        ("asked Mia", "asked Zoe", "names"),
        ("Mia gave the ball", "She gave the ball", ""),
        ("Mia gave the ball", "He gave the ball", "pronouns"),
        ("a shy fox named Mia", "a shy boy named Mia", "kinds"),
        ("a shy fox", "a blorp fox", "vocabulary"),
        ("complained.", "complained. Nobody else was about. Nobody else was about.", "repetition"),
        ("That evening, Mia slept well.", "", "ending"),
        ("Once, there was a shy fox named Mia. ", "", "opening"),
        ('trade?"', "trade?", "quotes"),
        ("It was a fair trade, and nobody complained. ", "", "order"),
        ("Mia admired the drum. ", "", "order"),
        ("nobody complained.", "nobody complained. Mia ate the drum.", "known"),
        ("nobody complained.", "nobody complained. Tom was glad because Mia had shared.", "plot"),
    ],
)
def test_each_kind_of_damage_has_its_rule(old: str, new: str, rule: str) -> None:
    assert old in TRADE
    text = TRADE.replace(old, new, 1)
    assert (rule in broken(text)) if rule else broken(text) == set()


def of_plot(name: str, number: int = 0) -> Story:
    plots = {name: PLOTS[name]}
    return tell(Stream(f"checks {name} {number}"), "train", plots)


@pytest.mark.parametrize(
    ("plot", "var", "wrong", "rule"),
    [
        ("mend", "t", "pillow", "things"),
        ("mend", "t", "hammer", "knowledge"),
        ("cook", "g", "lemons", "knowledge"),
        ("collect", "s", "nineteen", "sums"),
        ("share", "r", "eight", "sums"),
        ("skill", "q", "harbor", "knowledge"),
        ("gift", "k", "purple", "knowledge"),
    ],
)
def test_what_follows_must_follow(plot: str, var: str, wrong: str, rule: str) -> None:
    tried = 0
    for number in range(20):
        story = of_plot(plot, number)
        told = understand_story(story.text).episodes[0].values
        value = told[var][0]
        others = [word for name, words in told.items() if name != var for word in words]
        if value == wrong or any(value in other for other in others):
            continue  # "fish pie" shall keep its fish
        tried += 1
        times = 1 if plot == "gift" else 0  # only what is liked, not what is bought
        text = re.sub(rf"\b{value}\b", wrong, story.text, count=times)
        text = re.sub(rf"\b{value.capitalize()}\b", wrong.capitalize(), text)
        assert rule in broken(text), (text, broken(text))
    assert tried > 5


def test_facts_are_read_back() -> None:
    """What is read from the text alone is what the author recorded."""
    for story in generate(150_000, seed=23):
        world = World()
        for episode in understand_story(story.text).episodes:
            for step in episode.steps:
                for relation, *args in episode.plot.beats[step.line.beat].facts:
                    world.apply((relation, *map(episode.value, args)))
        assert world.facts == story.facts


def test_cast_is_read_back() -> None:
    for story in generate(100_000, seed=29):
        read = understand_story(story.text).cast
        known = {name: (who.kind, who.trait) for name, who in story.cast.items()}
        assert {name: (m.kind, m.trait) for name, m in read.items()} == known


LEAST = {  # share that must be caught; what is left makes other possible stories
    "the weather": 0.0, "a trait": 0.1, "a color": 0.6, "a landmark": 0.6,
    "two characters change roles": 0.7, "a number": 0.75, "a thing": 0.8,
}  # fmt: skip


@pytest.mark.parametrize("kind", list(CORRUPTIONS))
def test_corruptions_are_caught(kind: str) -> None:
    stream, caught, applied = Stream(f"corrupt {kind}"), 0, 0
    for story in generate(80_000, seed=31):
        text = CORRUPTIONS[kind](story, stream)
        if text is not None and text != story.text:
            applied += 1
            caught += bool(broken(text))
    assert applied > 5
    assert caught / applied >= LEAST.get(kind, 0.88), (caught, applied)


@settings(max_examples=150, deadline=None)
@given(st.text())
def test_any_text_gets_an_answer(text: str) -> None:
    results = check_story(text)
    assert [r.rule for r in results] == [rule.__name__ for rule in RULES]
    assert not all(r.ok for r in results)
    assert all(r.ok == (r.detail == "") for r in results)


PARTS = [s for story in generate(30_000, seed=37) for s in sentences(story.text)]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(PARTS), max_size=30), st.sampled_from([" ", "\n", "", "\n\n"]))
def test_any_mixture_of_sentences_gets_an_answer(parts: list[str], gap: str) -> None:
    assert len(check_story(gap.join(parts))) == len(RULES)


@pytest.mark.parametrize("text", ["", " ", '"', ".", "\n\n", "a" * 20_000, '"A." ' * 2_000])
def test_degenerate_texts(text: str) -> None:
    assert broken(text)


def test_sentences() -> None:
    text = 'He ran. "Why?" Mia asked. "No. Never!" she cried. "So," said Tom, "go."\nIt rained.'
    assert sentences(text) == [
        "He ran.", '"Why?" Mia asked.', '"No. Never!" she cried.', '"So," said Tom, "go."',
        "It rained.",
    ]  # fmt: skip


def test_report() -> None:
    stories = list(generate(20_000, seed=41))
    report = coherence_report([*stories, "Nothing."])
    assert list(report) == [*(rule.__name__ for rule in RULES), "all"]
    assert report["all"] == pytest.approx(len(stories) / (len(stories) + 1))
    assert report["repetition"] == 1 and report["ending"] == report["all"]
    with pytest.raises(ValueError, match="at least one story"):
        coherence_report([])


def test_a_new_plot_is_understood() -> None:
    mine = parse_plots("""
zoo A B | z: sense, w: sense(z)
* {A.n} and {B.n} went to see {z.an}.
* They heard a {w}.
~
* {B} was {*glad} because it was {z.an}.
""")
    index = compile_lines(PLOTS | mine)
    story = tell(Stream("zoo"), "train", mine)
    reading = understand_story(story.text, PLOTS | mine, index)
    assert [e.plot.name for e in reading.episodes] == ["zoo"]
    assert [rule.__name__ for rule in RULES if rule(reading)] in ([], ["vocabulary"])
