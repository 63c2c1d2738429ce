"""The rules that make exercises good; ``source`` refuses what cannot work at all."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from loom.book.chapter import read_chapter
from loom.book.lint import COLUMNS, citations, labels_of, prose, unresolved
from loom.book.toc import Book
from loom.errors import LoomError, Place, Problem
from loom.exercise.directives import Directive, read_directives
from loom.exercise.model import Exercise
from loom.exercise.source import FOLDER, exercises_of, source_path
from loom.files import read_text

_ID = re.compile(r"^:id:\s*([\w-]+)\s*$", re.MULTILINE)
ACCEPTED = 2  # other right answers that an exercise has, at least
WRONG = 6  # named wrong ones, mutants included


def exercise_labels(book: Book) -> set[str]:
    """The labels of all exercises, those of sources with mistakes too."""
    paths = sorted((book.root / FOLDER).glob("*.md"))
    return {f"ex-{name}" for path in paths for name in _ID.findall(read_text(path))}


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
    labels |= exercise_labels(book)
    _, keys = citations(book)
    problems: list[Problem] = []
    for name, group in found.items():
        for exercise in group:
            problems += _counts(exercise)
            problems += _code(exercise)
        problems += _prose(book, name, labels, keys)
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


def _prose(book: Book, name: str, labels: Collection[str], keys: Collection[str]
           ) -> Iterator[Problem]:
    """The chapters' rules for running text, and references that lead nowhere."""
    path, chapter = source_path(book, book.chapter(name)), book.chapter(name)
    source = read_chapter(path, chapter.position, chapter.number, chapter.part)
    for directive in read_directives(source, []):
        lines = list(_text_lines(directive))
        yield from prose(path, lines)
        for n, line in lines:
            yield from unresolved(line, labels, keys, Place(path, n))


def _text_lines(directive: Directive) -> Iterator[tuple[int, str]]:
    """Lines of running text: no code, no displayed mathematics."""
    ends = ""
    for n, line in enumerate(directive.text.split("\n"), directive.text_line):
        start = line.strip()
        if ends:
            ends = "" if start.startswith(ends) else ends
        elif start.startswith("```") and not start.startswith(("```{note", "```{tip")):
            ends = "```"
        elif start == "$$":
            ends = "$$"
        elif not start.startswith(("$$", "|", ":")):
            yield n, line
