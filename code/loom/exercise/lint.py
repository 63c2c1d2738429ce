"""The rules that make exercises good; ``source`` refuses what cannot work at all."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from loom.book.chapter import read_chapter
from loom.book.lint import COLUMNS, HYPE, labels_of
from loom.book.toc import Book
from loom.errors import LoomError, Place, Problem
from loom.exercise.directives import read_directives
from loom.exercise.model import Exercise
from loom.exercise.source import exercises_of, source_path
from loom.files import read_text

ACCEPTED = 2  # other right answers that an exercise has, at least
WRONG = 6  # named wrong ones, mutants included
_ROLE = re.compile(r"\{(?:numref|ref|eq)\}`(?:[^`<>]*<)?([^`<>]+)>?`")
_HYPE = re.compile(r"\b(" + "|".join(map(re.escape, HYPE)) + r")\b", re.IGNORECASE)


def lint(book: Book) -> tuple[dict[str, tuple[Exercise, ...]], list[Problem]]:
    """The exercises of a book, and everything that is wrong with them.

    Returns:
        The exercises by chapter (none at all where a source has mistakes),
        and the problems.
    """
    try:
        found = exercises_of(book)
    except LoomError as error:
        return {}, list(error.problems)
    labels = {label for chapter in book.chapters for label, _ in labels_of(chapter)}
    labels |= {e.label for group in found.values() for e in group}
    problems: list[Problem] = []
    for name, group in found.items():
        for exercise in group:
            problems += _counts(exercise)
            problems += _code(exercise)
        problems += _prose(book, name, labels)
    return found, problems


def _counts(exercise: Exercise) -> Iterator[Problem]:
    if len(exercise.accepted) < ACCEPTED:
        yield Problem(exercise.place, f"`{exercise.id}` accepts {len(exercise.accepted) or 'no'} "
                      "other answer" + "s" * (len(exercise.accepted) != 1),
                      f"add cells with the tag `ex-accept`, at least {ACCEPTED}: right answers "
                      "that work otherwise")
    if len(exercise.wrong) < WRONG:
        yield Problem(exercise.place, f"`{exercise.id}` has {len(exercise.wrong) or 'no'} wrong "
                      "answer" + "s" * (len(exercise.wrong) != 1),
                      f"add mutants or cells with the tag `ex-wrong`, at least {WRONG} in all: "
                      "mistakes that people make")


def _code(exercise: Exercise) -> Iterator[Problem]:
    """Lines of what is printed that do not fit on the page."""
    answer = read_text(exercise.path).split("\n")[exercise.answer_line - 1:]
    for n, line in enumerate(answer, exercise.answer_line):
        if line.startswith("```"):
            break
        if len(line) > COLUMNS:
            yield Problem(Place(exercise.path, n), f"a code line of {len(line)} columns",
                          f"break it: the page holds {COLUMNS}")
    for code in exercise.accepted:
        for n, line in enumerate(code.source.split("\n"), code.line):
            if len(line) > COLUMNS:
                yield Problem(Place(exercise.path, n), f"a code line of {len(line)} columns",
                              f"break it: the page holds {COLUMNS}")


def _prose(book: Book, name: str, labels: Collection[str]) -> Iterator[Problem]:
    """Praise, and references that lead nowhere, in all that is read."""
    path = source_path(book, book.chapter(name))
    chapter = book.chapter(name)
    source = read_chapter(path, chapter.position, chapter.number, chapter.part)
    for directive in read_directives(source, []):
        for n, line in enumerate(directive.text.split("\n"), directive.text_line):
            if match := _HYPE.search(line):
                yield Problem(Place(path, n), f"`{match[0]}` praises, or announces",
                              "say what happens instead")
            for label in _ROLE.findall(line):
                if label.strip() not in labels:
                    yield Problem(Place(path, n), f"the reference `{label}` leads nowhere",
                                  "mend the name, or label the target")
