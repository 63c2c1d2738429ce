"""Storyworld."""

from __future__ import annotations

import hashlib
import math
import random
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TypeVar

from scratchlm.corpus.plots import (
    PLOTS,
    Beat,
    Plot,
    Slot,
    Template,
    parse_template,
    shared,
)
from scratchlm.corpus.words import (
    COLORED,
    COLORS,
    GIRLS,
    HER,
    NAMES,
    NUMBERS,
    PLURALS,
    PRONOUNS,
    TABLES,
    WORDS,
)

# § sec-storyworld-simulate
T = TypeVar("T")


class Stream:
    """Uniform choices that are the same on every machine and Python.

    Built on ``random.Random(seed).random()``, the one sequence that Python
    promises not to change, with a seed from SHA-256 of ``key``.

    Args:
        key: names the stream; another key gives unrelated choices.
    """

    def __init__(self, key: str) -> None:
        digest = hashlib.sha256(key.encode()).digest()
        self._random = random.Random(int.from_bytes(digest)).random
        self.bits: defaultdict[str, float] = defaultdict(float)

    def pick(self, options: Sequence[T], kind: str) -> T:
        """One of n options; its log2(n) bits are booked under a kind."""
        if not options:
            raise ValueError(f"no {kind} left to pick from")
        if len(options) == 1:
            return options[0]
        self.bits[kind] += math.log2(len(options))
        return options[int(self._random() * len(options))]

    def chance(self, p: float, kind: str) -> bool:
        """True with probability ``p``, at -log2 of what comes out."""
        heads = self._random() < p
        self.bits[kind] -= math.log2(p if heads else 1 - p)
        return heads


Fact = tuple[str, ...]


@dataclass(frozen=True)
class Character:
    """Somebody in a story."""

    name: str
    kind: str
    trait: str

    @property
    def girl(self) -> bool:
        """Whether the pronoun is "she"; the name decides."""
        return self.name in HER


@dataclass
class World:
    """What is true at one moment, and all that happened so far."""

    cast: dict[str, Character] = field(default_factory=dict)
    holder: dict[str, str] = field(default_factory=dict)  # of a thing
    place: dict[str, str] = field(default_factory=dict)  # of who or what
    color: dict[str, str] = field(default_factory=dict)  # of a thing
    broken: set[str] = field(default_factory=set)
    facts: list[Fact] = field(default_factory=list)

    def apply(self, fact: Fact) -> None:
        """Let something happen.

        Args:
            fact: a relation and what it relates, ("goes", "Mia", "the park").

        Raises:
            ValueError: it cannot happen.
        """
        def need(true: bool, rule: str) -> None:
            if not true:
                raise ValueError(f"{' '.join(fact)}: {rule}")
        match fact:
            case ("has", who, what):
                need(self.holder.get(what, who) == who, "somebody else has it")
                self.holder[what] = who
            case ("gives", who, what, to):
                need(self.holder.get(what) == who, "the giver does not hold it")
                self.holder[what] = to
            case ("loses", who, what):
                need(self.holder.get(what) == who, "the loser does not hold it")
                self.holder[what] = ""
            case ("finds" | "takes", who, what):
                need(self.holder.get(what) == "", "it was not lost or put away")
                self.holder[what] = who
            case ("puts", who, what, where):
                need(self.holder.get(what) == who, "nobody can put it there")
                self.holder[what], self.place[what] = "", where
            case ("moves", _, what, where):
                need(self.place.get(what, where) != where, "it is not away")
                self.place[what] = where
            case ("goes", who, to):
                self.place[who] = to
            case ("breaks", what):
                self.broken.add(what)
            case ("mends", _, what, _):
                need(what in self.broken, "it is not broken")
                self.broken.remove(what)
        self.facts.append(fact)


CLASSES = WORDS | {name: tuple(pairs) for name, pairs in TABLES.items()}
ORDER = {name: i for i, name in enumerate(NAMES)} | {
    noun: i for i, noun in enumerate(
        noun for kind in COLORED for noun in CLASSES[kind])}


@cache
def held_out(a: str | int, b: str | int) -> bool:
    """Whether the training split never puts these two together.

    Args:
        a, b: a color and a thing, two names, or two numbers.
    """
    if isinstance(a, int) and isinstance(b, int):
        return (min(a, b) + 3 * max(a, b)) % 10 == 0
    if a in NAMES:
        return (ORDER[str(a)] + ORDER[str(b)]) % 10 == 0
    return (COLORS.index(str(a)) + 3 * ORDER[str(b)]) % 10 == 0


@dataclass(frozen=True)
class Event:
    """A beat with its values: what happened, before any words."""

    beat: Beat
    scene: dict[str, str]


@dataclass
class Story:
    """A text and everything that is known about it."""

    text: str
    facts: list[Fact]
    cast: dict[str, Character]
    plot: str  # names joined by "+", if there are two episodes
    bits_by: dict[str, float]  # information of the choices, by kind
    hard: bool  # three or more asides in the middle of every episode

    @property
    def bits(self) -> float:
        """-log2 of the probability of the choices that made the text."""
        return sum(self.bits_by.values())


class Author:
    """Makes up what happens; writes nothing down.

    Args:
        stream: where choices come from.
        split: "train" avoids the held-out pairs, "test" has only those.
        plots: what may happen.
    """

    def __init__(self, stream: Stream, split: str,
                 plots: dict[str, Plot] = PLOTS) -> None:
        self.stream, self.test, self.plots = stream, split != "train", plots
        self.world = World()
        self.events: list[Event] = []
        self.used: set[str] = set()

    def fresh(self, options: Sequence[str]) -> list[str]:
        """Options that no variable of this story has yet."""
        return [word for word in options if word not in self.used]

    def paint(self, noun: str) -> None:
        """Give a thing its color."""
        colors = [color for color in COLORS
                  if held_out(color, noun) == self.test]
        self.world.color[noun] = self.stream.pick(colors, "color")

    def meet(self) -> str:
        """A new character, whose name may stand beside the others'."""
        known = list(self.world.cast)
        names = [name for name in NAMES if name not in known]
        if known and self.test:
            names = [n for n in names if held_out(n, known[0])]
        elif known:
            names = [n for n in names
                     if not any(held_out(n, other) for other in known)]
        name = self.stream.pick(names, "cast")
        kind = "girl" if name in GIRLS else "boy"
        if self.stream.chance(0.4, "cast"):
            kind = self.stream.pick(self.fresh(WORDS["animal"]), "cast")
        traits = self.fresh(WORDS["trait"])
        trait = self.stream.pick(traits, "cast")
        self.used |= {kind, trait}
        self.world.cast[name] = Character(name, kind, trait)
        return name

    def draw(self, kind: str, args: tuple[str, ...], scene: dict[str, str],
             ) -> str:
        """The value of one variable, from its declaration in a plot."""
        values = [scene[arg] for arg in args]
        numbers = [NUMBERS.index(v) for v in values if v in NUMBERS]
        if kind == "sum":
            return NUMBERS[sum(numbers)]
        if kind == "difference":
            return NUMBERS[numbers[0] - numbers[1]]
        if kind in ("number", "fewer"):
            amounts = self.amounts(kind, numbers)
            return NUMBERS[self.stream.pick(amounts, "world")]
        if kind == "color":
            return self.world.color[values[0]]
        if kind in TABLES and values:
            return TABLES[kind][values[0]]
        if kind == "thing":  # keep what the owner has, before any new thing
            for what, who in self.world.holder.items():
                if who in values and what in WORDS["thing"] and (
                        what not in {*scene.values(), *self.world.broken}):
                    return what
        noun = self.stream.pick(self.fresh(CLASSES[kind]), "world")
        self.used.add(noun)
        if kind in COLORED:
            self.paint(noun)
        return noun

    def amounts(self, kind: str, given: list[int]) -> list[int]:
        """Numbers that may stand beside the one that is given, if any."""
        def beside(n: int) -> list[int]:
            top = n - 2 if kind == "fewer" else 12
            return [m for m in range(2, top + 1) if held_out(n, m) == self.test]

        if given:
            return beside(given[0])
        return [n for n in range(2, 13)  # if there is a second one for it
                if any(held_out(n, m) == self.test for m in range(2, n - 1))]

    def happen(self, beat: Beat, scene: dict[str, str]) -> None:
        """Let one beat happen."""
        if beat.name == "has":
            who, what = (scene[arg] for arg in beat.facts[0][1:])
            if self.world.holder.get(what) == who:
                beat = shared("still", *beat.facts[0][1:])
        for relation, *args in beat.facts:
            self.world.apply((relation, *(scene[arg] for arg in args)))
        self.events.append(Event(beat, scene))

    def play(self, plot: Plot, names: list[str], hard: bool) -> None:
        """Let one plot happen to the characters that ``names`` lists."""
        scene = dict(zip(plot.roles, names, strict=False))
        for role in plot.roles[len(names):]:
            scene[role] = self.meet()
            how = "meet" if role == "B" else "join"
            self.happen(shared(how, plot.roles[0], role), scene)
        for var, (kind, args) in plot.variables.items():
            scene[var] = self.draw(kind, args, scene)
        for beat in plot.beats:
            if beat.name != "aside":
                self.happen(beat, scene)
            elif hard:
                for _ in range(self.stream.pick(range(3, 9), "plot")):
                    self.happen(beat, scene)
            elif self.stream.chance(0.25, "plot"):
                self.happen(beat, scene)

    def invent(self) -> tuple[str, bool]:
        """A story's events; returns its plots' names, and if it is hard."""
        hard = self.stream.chance(0.05, "plot")
        first = self.stream.pick(list(self.plots), "plot")
        names = [self.meet()]
        self.happen(shared("open", "A"), {"A": names[0]})
        self.play(self.plots[first], names, hard)
        title = first
        if len(self.plots) > 1 and self.stream.chance(0.3, "plot"):
            others = [name for name in self.plots if name != first]
            second = self.stream.pick(others, "plot")
            names = list(self.world.cast)
            if len(names) > 1 and self.stream.chance(0.5, "plot"):
                names[:2] = names[1::-1]
            self.happen(shared("bridge", "A"), {"A": names[0]})
            self.play(self.plots[second], names, hard)
            title += "+" + second
        scene = dict(zip("AB", self.world.cast, strict=False))
        roles = ["A", "B"][:len(scene)]
        self.happen(shared("ends" if "B" in scene else "end", *roles), scene)
        return title, hard


# § sec-storyworld-verbalize
def article(noun: str) -> str:
    """"a" or "an", with its noun."""
    vowel = noun[0] in "aeiou" or noun.startswith("honest")
    return f"{'an' if vowel else 'a'} {noun}"


def plural(noun: str) -> str:
    """More than one of a thing."""
    if noun in PLURALS:
        return PLURALS[noun]
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return noun[:-1] + "ies"
    return noun + ("es" if noun.endswith(("ch", "sh", "x", "s")) else "s")


@cache
def shape(line: str) -> str:
    """A template without its variables' names."""
    return re.sub(r"\{\w+", "{", line)


class Narrator:
    """Finds words for events.

    Args:
        author: who made them up, for colors and for the stream.
    """

    def __init__(self, author: Author) -> None:
        self.author, self.stream = author, author.stream
        self.told: set[str] = set()        # what is said but once
        self.before: list[str] = []        # who was in the last sentence
        self.now: list[str] = []           # who is in this one, so far

    def sentence(self, event: Event) -> str:
        """One sentence that tells one event."""
        lines = [line for line in event.beat.lines
                 if shape(line) not in self.told]
        line = self.stream.pick(lines or event.beat.lines, "telling")
        self.told.add(shape(line))
        self.before, self.now = self.now, []
        text = self.render(parse_template(line), event.scene)
        at = 1 if text[0] == '"' else 0
        return text[:at] + text[at].upper() + text[at + 1:]

    def render(self, template: Template, scene: dict[str, str]) -> str:
        """The words of a template."""
        words = []
        for piece in template:
            if isinstance(piece, str):
                words.append(piece)
            elif isinstance(piece, tuple):
                chosen = self.stream.pick(piece, "telling")
                words.append(self.render(chosen, scene))
            elif piece.var.startswith("*"):
                words.append(self.decor(piece))
            elif scene[piece.var] in self.author.world.cast:
                words.append(self.mention(scene[piece.var], piece.form))
            else:
                words.append(self.noun(scene[piece.var], piece.form))
        return "".join(words)

    def decor(self, slot: Slot) -> str:
        """A word that no fact depends on."""
        options = [word for word in self.author.fresh(CLASSES[slot.var[1:]])
                   if word not in self.told]
        word = self.stream.pick(options, "telling")
        self.told.add(word)
        if slot.form == "a":
            self.author.paint(word)
            return article(f"{self.author.world.color[word]} {word}")
        return article(word) if slot.form == "an" else word

    def noun(self, word: str, form: str) -> str:
        """A thing, a place, a number, in the form that a template asks for."""
        color = self.author.world.color.get(word, "")
        match form:
            case "a":
                return article(f"{color} {word}".strip())
            case "c":
                return f"{color} {word}"
            case "full":
                return f"the {color} {word}"
            case "the":
                forms = [f"the {word}", f"the {color} {word}"]
                return self.stream.pick(forms, "mention")
            case "s":
                return plural(word)
            case "an":
                return article(word)
            case "at":
                return word
        if word in WORDS["place"] or word in WORDS["outdoors"]:
            return word[word.index("the "):]
        return word

    def mention(self, name: str, form: str) -> str:
        """A character, by name or by a pronoun that can mean nobody else."""
        who = self.author.world.cast[name]
        alike = [other for other in self.before
                 if self.author.world.cast[other].girl == who.girl]
        clear = not self.now and alike == [name]
        if name not in self.now:
            self.now.append(name)
        if form in PRONOUNS:
            return PRONOUNS[form][not who.girl]
        match form:
            case "intro":
                return f"{article(f'{who.trait} {who.kind}')} named {name}"
            case "trait":
                return who.trait
            case "n":
                return name
            case "s":
                return f"{name}'s"
        she = PRONOUNS["he"][not who.girl]
        if form:  # a verb of speech
            return self.stream.pick(
                [f"{form} {name}", f"{she} {form}"] if clear
                else [f"{form} {name}", f"{name} {form}"], "mention")
        return self.stream.pick([name, she] if clear else [name], "mention")


# § sec-storyworld-generate
def tell(stream: Stream, split: str = "train",
         plots: dict[str, Plot] = PLOTS) -> Story:
    """One story: first what happens, then the words for it."""
    author = Author(stream, split, plots)
    title, hard = author.invent()
    narrator = Narrator(author)
    sentences: list[str] = []
    for event in author.events:
        gap = "\n" if event.beat.name == "bridge" else " "
        sentences.append(gap + narrator.sentence(event))
    return Story("".join(sentences).strip(), author.world.facts,
                 author.world.cast, title, dict(stream.bits), hard)


def generate(n_bytes: int, seed: int = 0, split: str = "train",
             ) -> Iterator[Story]:
    """Stories until their texts, with an empty line between, fill n_bytes.

    Args:
        n_bytes: size of the corpus, in bytes; the last story may exceed it.
        seed: another seed, other stories.
        split: "train", or "test" (also "heldout") for stories whose pairs,
            of the first name with another, of numbers, of a color and a
            thing, are all ones that "train" never has.

    Yields:
        The stories. Story number i depends only on seed, split and i.

    Raises:
        ValueError: a size below zero, or a split that does not exist.
    """
    if n_bytes < 0:
        raise ValueError(f"n_bytes={n_bytes} is negative")
    if split not in ("train", "test", "heldout"):
        raise ValueError(f"split={split!r} is none of train, test, heldout")
    split = "train" if split == "train" else "test"
    size = number = 0
    while size < n_bytes:
        story = tell(Stream(f"storyworld {split} {seed} {number}"), split)
        size += len(story.text.encode()) + 2 * (number > 0)
        number += 1
        yield story
