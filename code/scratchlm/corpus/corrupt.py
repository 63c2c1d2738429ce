"""Storyworld."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence

from scratchlm.corpus.checks import sentences
from scratchlm.corpus.storyworld import Story, Stream
from scratchlm.corpus.words import (
    COLORS,
    NAMES,
    NUMBERS,
    TABLES,
    WORDS,
    entries,
)

# § sec-storyworld-misses
Corruption = Callable[[Story, Stream], str | None]


def swap_word(words: Collection[str], others: Sequence[str],
              ) -> Corruption:
    """A corruption that replaces one of some words by another one."""
    longest = sorted(map(re.escape, words), key=len, reverse=True)
    pattern = re.compile(rf"(?<!\w)(?:{'|'.join(longest)})(?!\w)")

    def corrupt(story: Story, stream: Stream) -> str | None:
        found = list(pattern.finditer(story.text))
        if not found:
            return None
        hit = stream.pick(found, "place")
        other = stream.pick([w for w in others if w != hit[0]], "word")
        return story.text[:hit.start()] + other + story.text[hit.end():]

    return corrupt


def swap_names(story: Story, stream: Stream) -> str | None:
    """One name becomes that of another character of the story."""
    if len(story.cast) < 2:
        return None
    return swap_word(story.cast, list(story.cast))(story, stream)


def trade_places(story: Story, stream: Stream) -> str | None:
    """In one sentence, two characters change roles."""
    a, b, *_ = [*story.cast, "", ""]
    said = sentences(story.text)
    both = [s for s in said if b and a in s and b in s and "named" not in s]
    if not both:
        return None
    old = stream.pick(both, "place")
    new = re.sub(rf"\b({a}|{b})\b", lambda m: b if m[0] == a else a, old)
    return story.text.replace(old, new, 1)


def edit(change: Callable[[list[str], int], list[str]], first: int = 1,
         last: int = 2) -> Corruption:
    """A corruption of the list of sentences, at a place in its middle."""
    def corrupt(story: Story, stream: Stream) -> str | None:
        said = sentences(story.text)
        at = stream.pick(range(first, len(said) - last + 1), "place")
        return " ".join(change(said, at))

    return corrupt


def recall_color(story: Story, stream: Stream) -> str | None:
    """The color of a thing at its last mention only."""
    pattern = rf"\bthe ({'|'.join(COLORS)}) "
    colored = list(re.finditer(pattern, story.text))
    if not colored:
        return None
    hit = colored[-1]
    new = stream.pick([c for c in COLORS if c != hit[1]], "word")
    return story.text[:hit.start(1)] + new + story.text[hit.end(1):]


NOTIONS = {name: sorted({*pairs.values()})
           for name, pairs in TABLES.items()}
MADE_UP = entries("blorp wuggle snorfle tribbit quandle")

CORRUPTIONS: dict[str, Corruption] = {
    "another character's name": swap_names,
    "two characters change roles": trade_places,
    "a stranger's name": swap_word(NAMES, NAMES),
    "he for she, she for he": swap_word(["he", "she"], ["he", "she"]),
    "a color": swap_word(COLORS, COLORS),
    "a color, at the end": recall_color,
    "a number": swap_word(NUMBERS, NUMBERS[2:13]),
    "a thing": swap_word(WORDS["thing"], WORDS["thing"]),
    "a box": swap_word(WORDS["box"], WORDS["box"]),
    "a landmark": swap_word(WORDS["landmark"], WORDS["landmark"]),
    "a tool": swap_word(NOTIONS["tool"], NOTIONS["tool"]),
    "a tool that is none": swap_word(NOTIONS["tool"], WORDS["treat"]),
    "an ingredient": swap_word(
        NOTIONS["ingredient"], NOTIONS["ingredient"]),
    "a feeling": swap_word(WORDS["glad"], WORDS["sad"]),
    "a trait": swap_word(WORDS["trait"], WORDS["trait"]),
    "the weather": swap_word(WORDS["weather"], WORDS["weather"]),
    "a word that is none": swap_word(
        ["was", "had", "the", "and", "to"], MADE_UP),
    "a sentence is missing": edit(lambda s, i: [*s[:i], *s[i + 1:]]),
    "a sentence twice": edit(lambda s, i: [*s[:i], s[i], *s[i:]]),
    "two sentences swapped": edit(
        lambda s, i: [*s[:i], s[i + 1], s[i], *s[i + 2:]]),
    "the end is missing": edit(lambda s, i: s[:-1]),
    "cut inside a sentence": lambda story, stream: story.text[
        :stream.pick(range(20, len(story.text) - 1), "place")],
    "a quotation mark is missing": lambda story, stream: (
        story.text.replace('"', "", 1) if '"' in story.text else None),
}
