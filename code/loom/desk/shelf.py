"""All exercises of the book, at hand quickly.

Reading a chapter takes a tenth of a second, and a check needs hardly any of
it. So what was read is kept in the build folder, one file per chapter, named
by the digest of what it was made from.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path

from loom.book.chapter import Chapter, Section, read_chapter
from loom.book.toc import chapter_files
from loom.errors import LoomError, Problem, fail
from loom.exercise.bundle import as_data, from_data
from loom.exercise.derive import titles_of
from loom.exercise.model import Exercise
from loom.exercise.package import package_folder
from loom.exercise.roles import Named
from loom.exercise.source import FOLDER, read_exercises, select
from loom.files import BUILD, read_text, write_all

KEPT = Path(BUILD) / "exercises" / "shelf"


@dataclass(frozen=True)
class Shelf:
    """The book's exercises, by chapter; ``broken`` says why some are not there.

    The chapters have their text and sections, and no cells. ``points`` are
    those that each exercise's cases give together, by its id.
    """

    root: Path
    chapters: tuple[Chapter, ...]
    by_chapter: dict[str, tuple[Exercise, ...]]
    points: dict[str, float]
    broken: tuple[Problem, ...] = ()

    @property
    def exercises(self) -> tuple[Exercise, ...]:
        """All of them, in the order of the book."""
        return tuple(e for group in self.by_chapter.values() for e in group)

    def chapter_of(self, exercise: Exercise) -> Chapter:
        """The chapter that an exercise belongs to."""
        return next(c for c in self.chapters if c.name == exercise.chapter)

    def named(self, label: str) -> str | None:
        """The title of a section or an exercise, or of the section of a formula, by its label."""
        return self._titles(label)

    @cached_property
    def _titles(self) -> Named:
        return titles_of(self.chapters, self.exercises)

    def ready(self, exercise: Exercise) -> Exercise:
        """The exercise with the package that its answers may import.

        Raises:
            LoomError: the package cannot be made of its chapters.
        """
        return replace(exercise, packages=package_folder(self.root, exercise))

    def pick(self, text: str) -> tuple[Exercise, ...]:
        """The exercises that somebody means.

        Args:
            text: a chapter (``5``, ``05-data``, ``my-exercises/05_data.py``)
                or an exercise (its id, its label, ``1.3``).

        Raises:
            LoomError: there is nothing of that name.
        """
        chapter = self.chapter(text)
        if chapter is None:
            return (self.one(text),)
        if chapter.name in self.by_chapter:
            return self.by_chapter[chapter.name]
        ours = [p for p in self.broken if p.place and p.place.path.stem == chapter.name]
        raise LoomError(ours) if ours else fail(
            f"chapter {chapter.number or chapter.name} has no exercises",
            "`loom list` shows what there is")

    def chapter(self, text: str) -> Chapter | None:
        """The chapter that somebody means; None if it does not look like one.

        Raises:
            LoomError: it is a number, and there is no such chapter.
        """
        name = Path(text.strip().strip("`")).name
        stem = name.removesuffix(".py").removesuffix(".ipynb").replace("_", "-")
        for chapter in self.chapters:
            if stem in (chapter.name, chapter.label) or \
                    (stem.isdecimal() and chapter.number == int(stem)):
                return chapter
        if not stem.isdecimal():
            return None
        known = ", ".join(str(c.number) for c in self.chapters if c.name in self.by_chapter)
        raise fail(f"no chapter {stem}", f"chapters with exercises: {known or 'none yet'}")

    def one(self, text: str) -> Exercise:
        """The exercise with that id, label or printed number.

        Raises:
            LoomError: there is none; the message names what is near.
        """
        try:
            return select(self.exercises, text)
        except LoomError as error:
            if self.broken:
                raise LoomError([*error.problems, *self.broken]) from None
            raise


def read_shelf(root: Path) -> Shelf:
    """The exercises of the book in a folder.

    Raises:
        LoomError: the table of contents cannot be read.
    """
    chapters: list[Chapter] = []
    found: dict[str, tuple[Exercise, ...]] = {}
    points: dict[str, float] = {}
    broken: list[Problem] = []
    for position, (path, part, number) in enumerate(chapter_files(root)):
        try:
            bare = Chapter(path, position, number, read_text(path), {}, (), (), part)
            chapter, exercises, worth = _shelved(root, bare)
        except LoomError as error:
            broken += error.problems
            continue
        chapters.append(chapter)
        if exercises:
            found[chapter.name] = exercises
            points |= worth
    return Shelf(root, tuple(chapters), found, points, tuple(broken))


def _shelved(root: Path, bare: Chapter
             ) -> tuple[Chapter, tuple[Exercise, ...], dict[str, float]]:
    """A chapter's sections and exercises, out of the build folder or newly read."""
    source = root / FOLDER / bare.path.name
    there = source.is_file()
    digest = hashlib.sha256(_tool())
    for text in (bare.path.name, bare.text, read_text(source) if there else ""):
        digest.update(f"{len(text)}\0{text}".encode())
    kept = root / KEPT / f"{bare.name}-{digest.hexdigest()[:20]}.json"
    with suppress(OSError, ValueError, TypeError, KeyError, LoomError):
        data = json.loads(kept.read_bytes())
        return (replace(bare, sections=tuple(Section(**s) for s in data["sections"])),
                tuple(replace(from_data(e, root), path=source) for e in data["exercises"]),
                {str(name): float(worth) for name, worth in data["points"].items()})
    chapter = read_chapter(bare.path, bare.position, bare.number, bare.part)
    exercises = read_exercises(source, chapter) if there else ()
    points = {e.id: _points(e) for e in exercises}
    data = {"sections": [asdict(s) for s in chapter.sections], "points": points,
            "exercises": [as_data(e, root) for e in exercises]}
    with suppress(LoomError, OSError):  # a full disk only makes the next time slower
        old = tuple(p for p in kept.parent.glob(f"{bare.name}-{'?' * 20}.json") if p != kept)
        write_all({kept: json.dumps(data, ensure_ascii=False)}, remove=old)
    return replace(chapter, cells=(), fences=(), header={}), exercises, points


def _points(exercise: Exercise) -> float:
    from loom.grade.cases import load_cases

    return sum(case.points for case in load_cases(exercise))


@lru_cache(maxsize=1)
def _tool() -> bytes:
    """A digest of the code that reads exercises."""
    import loom.book.chapter
    import loom.exercise
    import loom.grade.cases

    digest = hashlib.sha256()
    folder = Path(loom.exercise.__file__ or "").parent
    for path in (Path(loom.book.chapter.__file__), Path(__file__),
                 Path(loom.grade.cases.__file__), *sorted(folder.glob("*.py"))):
        digest.update(path.read_bytes())
    return digest.digest()
