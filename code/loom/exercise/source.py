"""The exercises of a chapter, read from ``exercises/NN-name.md``.

The file is a MyST notebook like a chapter. What stands between one
``{exercise}`` and the next belongs to it: its hints, its remarks, and its
cells, which tags tell apart.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from loom.book.chapter import Chapter, read_chapter
from loom.book.toc import Book
from loom.errors import LoomError, Place, Problem, fail
from loom.exercise.directives import Directive, read_directives, stray_text
from loom.exercise.model import Code, Exercise, Mutant
from loom.exercise.near import nearest
from loom.exercise.parts import Maker

__all__ = ["FOLDER", "Code", "Exercise", "Mutant", "all_exercises", "exercises_of", "find",
           "read_exercises", "select", "source_path"]

FOLDER = "exercises"
_NUMBER = re.compile(r"0*([0-9]{1,6})\.0*([0-9]{1,6})")
Reader = Callable[[Path, Chapter], tuple[Exercise, ...]]


def source_path(book: Book, chapter: Chapter) -> Path:
    """Where a chapter's exercises stand, whether or not there are any."""
    return book.root / FOLDER / f"{chapter.name}.md"


def read_exercises(path: Path, chapter: Chapter) -> tuple[Exercise, ...]:
    """Read the exercises of one chapter.

    Args:
        path: their source.
        chapter: the chapter that they belong to.

    Raises:
        LoomError: every mistake in the file, each with its line and a remedy.
    """
    source = read_chapter(path, chapter.position, chapter.number, chapter.part)
    problems = stray_text(source)
    if chapter.number is None:
        problems.append(Problem(Place(path, 1), f"{chapter.name} has no number",
                                "exercises belong to a numbered chapter"))
    directives = read_directives(source, problems)
    heads = [d for d in directives if d.name == "exercise"]
    if not heads and not problems:
        problems.append(Problem(Place(path, 1), "no exercises", "write one, or remove the file"))
    start = heads[0].line if heads else len(source.text)
    for directive in directives:
        if directive.line < start and heads:
            problems.append(Problem(Place(path, directive.line), f"`{{{directive.name}}}` above "
                                    "the first exercise",
                                    "move it below the `{exercise}` it is for"))
    for cell in source.cells:
        if cell.fence < start and heads:
            problems.append(Problem(Place(path, cell.fence), "a cell above the first exercise",
                                    "move it below the `{exercise}` it is for"))
    found: list[Exercise] = []
    for n, head in enumerate(heads):
        end = heads[n + 1].line if n + 1 < len(heads) else len(source.text)
        maker = Maker(head, [d for d in directives if head.line < d.line < end],
                      [c for c in source.cells if head.line < c.fence < end],
                      chapter, n + 1, path)
        exercise = maker.make()
        problems += maker.problems
        if exercise is not None:
            found.append(exercise)
    problems += _taken(path, heads)
    if problems:
        raise LoomError(sorted(problems, key=lambda p: (p.place.line or 0) if p.place else 0))
    return tuple(found)


def _taken(path: Path, heads: list[Directive]) -> list[Problem]:
    first: dict[str, int] = {}
    problems = []
    for head in heads:
        name, line = head.options.get("id", ("", head.line))
        if name and name in first:
            problems.append(Problem(Place(path, line), f"the id `{name}` is taken by line "
                                    f"{first[name]}", "an id names one exercise of the book"))
        first.setdefault(name, line)
    return problems


def exercises_of(book: Book) -> dict[str, tuple[Exercise, ...]]:
    """The exercises of the whole book, by the name of their chapter.

    A chapter without a file is absent.

    Raises:
        LoomError: every mistake of every file; an id that two files use; a
            file that belongs to no chapter; ``:package:`` without a chapter.
    """
    found: dict[str, tuple[Exercise, ...]] = {}
    problems: list[Problem] = []
    names = {chapter.name for chapter in book.chapters}
    for path in sorted((book.root / FOLDER).glob("*.md")):
        if path.stem not in names:
            problems.append(Problem(Place(path), "belongs to no chapter: a chapter of this name "
                                    "is not in _toc.yml", nearest(path.stem, sorted(names))))
    for chapter in book.chapters:
        path = source_path(book, chapter)
        if path.is_file():
            try:
                found[chapter.name] = read_exercises(path, chapter)
            except LoomError as error:
                problems += error.problems
    places: dict[str, Place] = {}
    for exercise in (e for group in found.values() for e in group):
        if exercise.id in places:
            problems.append(Problem(exercise.place, f"the id `{exercise.id}` is taken by "
                                    f"{places[exercise.id]}", "choose another: an id names one "
                                    "exercise of the book"))
        places.setdefault(exercise.id, exercise.place)
        problems += _package(book, exercise)
    if problems:
        raise LoomError(problems)
    return found


def _package(book: Book, exercise: Exercise) -> list[Problem]:
    if exercise.package is None:
        return []
    numbers = {c.name: c.number for c in book.chapters if c.number is not None}
    number = numbers.get(exercise.package)
    if number is None:
        return [Problem(exercise.place, f"`:package: {exercise.package}` is no chapter",
                        nearest(exercise.package, numbers))]
    if number > exercise.chapter_number:
        return [Problem(exercise.place, f"`:package: {exercise.package}` comes after the "
                        "exercise's own chapter", "take this chapter or an earlier one: the "
                        "reader has not read further")]
    return []


def all_exercises(book: Book) -> tuple[Exercise, ...]:
    """Every exercise, in the order of the book."""
    return tuple(e for group in exercises_of(book).values() for e in group)


def find(book: Book, text: str, read: Reader = read_exercises) -> Exercise:
    """The exercise with that id, label or printed number.

    Only the files that may hold it are read: a mistake in another chapter's
    source keeps nobody from working on this one.

    Args:
        book: the book.
        text: ``masked-softmax``, ``ex-masked-softmax`` or ``1.3``.
        read: what reads a chapter's exercises.

    Raises:
        LoomError: there is none; the message names what is near. Or its
            source has mistakes.
    """
    number = _NUMBER.fullmatch(text.strip())
    seen: list[Exercise] = []
    broken: list[Problem] = []
    for chapter in book.chapters:
        path = source_path(book, chapter)
        if (number and chapter.number != int(number[1])) or not path.is_file():
            continue
        try:
            group = read(path, chapter)
        except LoomError as error:
            broken += error.problems
            continue
        seen += group
        with suppress(LoomError):
            return select(group, text)
    if broken:
        raise LoomError(broken)
    return select(tuple(seen), text)


def select(exercises: tuple[Exercise, ...], text: str) -> Exercise:
    """As ``find``, among exercises that are already read."""
    wanted = text.strip().strip("`").lower()
    for exercise in exercises:
        if wanted in (exercise.id, exercise.label):
            return exercise
    number = _NUMBER.fullmatch(wanted)
    if number:
        for exercise in exercises:
            if exercise.printed == f"{number[1]}.{number[2]}":
                return exercise
        count = sum(e.chapter_number == int(number[1]) for e in exercises)
        raise fail(f"no exercise {wanted}", f"chapter {number[1]} has {count or 'no'} "
                   f"exercise{'s' * (count != 1)}; `loom list` shows them all")
    remedy = nearest(wanted, [e.id for e in exercises])
    raise fail(f"no exercise `{text}`", f"{remedy} `loom list` shows them all"
               if remedy.endswith("?") else "`loom list` shows them all")
