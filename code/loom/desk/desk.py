"""The learner's folder, ``my-exercises``: where it is, and the answers in it."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from loom.book.toc import find_root
from loom.desk.progress import HOME
from loom.errors import LoomError, fail
from loom.exercise.answers import Answer, read_answers
from loom.exercise.derive import student_name
from loom.exercise.model import Exercise
from loom.files import read_text, told, write_all

NAME = "my-exercises"
BOOK = "book"  # in .loom: where the book is, for folders outside its tree
SUFFIXES = (".py", ".ipynb")


@dataclass(frozen=True)
class Desk:
    """The folder of answers and the book that they are to."""

    folder: Path
    root: Path

    def file(self, chapter: str, suffix: str = ".py") -> Path:
        """The file of a chapter, whether or not it is there."""
        return self.folder / student_name(chapter, suffix)

    def files(self, chapter: str) -> list[Path]:
        """The files of a chapter that are there, the one saved last first."""
        there = [path for path in (self.file(chapter, s) for s in SUFFIXES)
                 if os.path.lexists(path)]

        def age(path: Path) -> float:
            with suppress(OSError):
                return -path.stat().st_mtime
            return 0.0

        return sorted(there, key=age)

    def answers(self, exercises: Sequence[Exercise]) -> dict[str, Answer]:
        """What is written for all exercises of one chapter, by id.

        Where a file and a notebook both have an answer, the one that was
        saved last counts.

        Raises:
            LoomError: the chapter has no file.
        """
        chapter = exercises[0].chapter
        files = self.files(chapter)
        if not files:
            raise fail(f"there is no {self.file(chapter).name} in {shown(self.folder)}",
                       f"write it with `loom start {chapter[:2]}`")
        found = [(path, read_answers(path, exercises)) for path in files]
        best = dict(found[0][1])
        if len(found) == 1:
            return best
        for name in best:
            held = [answers[name] for path, answers in found if _holds(path, name)]
            started = [answer for answer in held if answer.started]
            best[name] = [*started, *held, best[name]][0]
        return best


def _holds(path: Path, exercise: str) -> bool:
    """Whether a file has a marker of an exercise, readable or not."""
    try:
        text = path.read_bytes().decode("utf-8", "replace")
    except OSError:
        return False
    return bool(re.search(rf"#\s*%%\s*exercises?\b[\s:]*{re.escape(exercise)}(?![\w-])", text))


def shown(path: Path) -> str:
    """A path as one types it here: relative below the current folder or its parents."""
    here = Path.cwd()
    if path.is_relative_to(here):
        return str(path.relative_to(here))
    near = os.path.relpath(path, here)
    return near if near.count("..") <= 2 else str(path)


def find_book(start: Path | None = None) -> Path:
    """The book's folder.

    It is the nearest folder upwards that holds a book; else the one that the
    variable ``LOOM_ROOT`` names; else the one that ``loom start`` has noted
    in the learner's folder; else the tree that this tool was installed from.

    Raises:
        LoomError: there is none.
    """
    with suppress(LoomError):
        return find_root(start)
    named = os.environ.get("LOOM_ROOT")
    if named:
        if not (Path(named) / "_toc.yml").is_file():
            raise fail(f"LOOM_ROOT is {named}, which holds no book",
                       "set it to the folder of the book, the one with _toc.yml")
        return Path(named).resolve()
    folder = _upwards((start or Path.cwd()).resolve())
    noted = folder / HOME / BOOK if folder else None
    if noted is not None and noted.is_file():
        root = Path(read_text(noted).strip())
        if (root / "_toc.yml").is_file():
            return root
        raise fail(f"the book of these exercises was at {root}, and is no longer there",
                   "set LOOM_ROOT to the folder that holds its _toc.yml, then `loom start`",
                   path=folder)
    tree = Path(__file__).resolve().parents[3]
    if (tree / "_toc.yml").is_file():
        return tree
    raise fail("no book here: neither this folder nor one above it has a _toc.yml",
               "change into the book's folder, or set LOOM_ROOT to it")


def _upwards(start: Path) -> Path | None:
    """The learner's folder that a folder is in, or that lies beside or above it."""
    for folder in (start, *start.parents):
        for one in (folder, folder / NAME):
            if (one / HOME).is_dir():
                return one
    return None


def find_desk(root: Path, start: Path | None = None) -> Desk | None:
    """The learner's folder, if it was made: from here upwards, or in the book's folder."""
    folder = _upwards((start or Path.cwd()).resolve())
    if folder is None and (root / NAME).is_dir():
        folder = root / NAME
    return Desk(folder, root) if folder else None


def require_desk(root: Path, start: Path | None = None) -> Desk:
    """The learner's folder.

    Raises:
        LoomError: it was not made yet.
    """
    desk = find_desk(root, start)
    if desk is None:
        raise fail(f"there is no {NAME} folder here",
                   "`loom start` makes it, with a file of exercises for each chapter")
    return desk


def make_desk(root: Path, start: Path | None = None) -> tuple[Desk, bool]:
    """The learner's folder, made if there is none, and whether it is new.

    Inside the book's tree it is made at the top, elsewhere in the current
    folder, with a note of where the book is.

    Raises:
        LoomError: it cannot be made.
    """
    here = (start or Path.cwd()).resolve()
    desk = find_desk(root, here)
    new = desk is None
    if desk is None:
        desk = Desk((root if here.is_relative_to(root) else here) / NAME, root)
    home = desk.folder / HOME
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise told(error, desk.folder) from None
    if not desk.folder.is_relative_to(root):
        write_all({home / BOOK: f"{root}\n"})
    return desk, new
