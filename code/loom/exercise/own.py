"""A teacher's own exercises: a source in the book's format, anywhere."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from loom.book.chapter import Chapter, read_chapter
from loom.book.toc import Book
from loom.errors import LoomError, Problem, fail
from loom.exercise.model import Exercise
from loom.exercise.source import (
    Reader,
    all_exercises,
    exercises_of,
    find,
    read_exercises,
    source_path,
)


def choose_exercises(book: Book, wanted: Sequence[str]) -> tuple[Exercise, ...]:
    """The exercises that somebody names.

    Args:
        book: the book.
        wanted: chapters (``5``, ``05-data``), exercises (``masked-softmax``,
            ``1.3``) and files of exercises (``my.md``); all of the book's if
            there are none.

    Raises:
        LoomError: there is no such thing; two exercises with one id.
    """
    if not wanted:
        found = all_exercises(book)
        if not found:
            raise fail("this book has no exercises", "give a file of your own: --exercises my.md")
        return found
    chosen: list[Exercise] = []
    known: dict[Path, tuple[Exercise, ...]] = {}

    def once(path: Path, chapter: Chapter) -> tuple[Exercise, ...]:
        if path not in known:
            known[path] = read_exercises(path, chapter)
        return known[path]

    for text in wanted:
        chosen += _meant(book, text, once)
    first: dict[str, Exercise] = {}
    problems = []
    for exercise in chosen:
        other = first.setdefault(exercise.id, exercise)
        if other is not exercise and other != exercise:
            problems.append(Problem(exercise.place, f"the id `{exercise.id}` is taken by "
                                    f"{other.place}", "rename one of the two"))
    if problems:
        raise LoomError(problems)
    return tuple(first.values())


def _meant(book: Book, text: str, read: Reader) -> tuple[Exercise, ...]:
    path = Path(text)
    if path.suffix == ".md" and path.is_file():
        chapter = next((c for c in book.chapters
                        if source_path(book, c).resolve() == path.resolve()), None)
        return own_exercises(book, path) if chapter is None \
            else exercises_of(book)[chapter.name]
    name = text.strip().strip("`").removesuffix(".md").replace("_", "-")
    for chapter in book.chapters:
        if name == chapter.name or (name.isdigit() and chapter.number == int(name)):
            if not source_path(book, chapter).is_file():
                raise fail(f"chapter {text} has no exercises", "`loom list` shows what there is")
            return exercises_of(book)[chapter.name]
    if path.suffix == ".md":
        raise fail("there is no such file of exercises", "see that its name is right, and "
                   f"that it lies in {path.absolute().parent}", path=path)
    return (find(book, text, read),)


def own_exercises(book: Book, path: Path) -> tuple[Exercise, ...]:
    """The exercises of a file that belongs to no chapter.

    Their ``section`` may be left out, or be one of another book's, and their
    answers see the whole book's ``scratchlm`` unless ``:package:`` says less.

    Raises:
        LoomError: every mistake in the file.
    """
    numbers = [chapter.number for chapter in book.chapters if chapter.number is not None]
    match = re.match(r"(\d+)", path.stem)
    number = int(match[1]) if match else max(numbers, default=0) + 1
    found = read_exercises(path, read_chapter(path, len(book.chapters), number))
    last = next((c.name for c in reversed(book.chapters) if c.number is not None), None)
    names = {chapter.name for chapter in book.chapters if chapter.number is not None}
    problems = [Problem(e.place, f"`:package: {e.package}` is no chapter of the book",
                        "such as " + ", ".join(sorted(names)[:3]))
                for e in found if e.package is not None and e.package not in names]
    if problems:
        raise LoomError(problems)
    return tuple(e if e.package is not None else replace(e, package=last) for e in found)


