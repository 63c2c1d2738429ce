"""The stored outputs: one executed notebook per chapter and key."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loom.book.chapter import Chapter
from loom.book.toc import Book
from loom.errors import LoomError, Place, Problem
from loom.files import BUILD, write_all
from loom.run.keys import Keys

FOLDER = Path(BUILD) / "run" / "outputs"
_last: Keys | None = None
KEPT = 6  # runs of one chapter that stay on disk, the most recently used


@dataclass(frozen=True)
class Stored:
    """A chapter's outputs as one run left them."""

    path: Path
    notebook: Any  # nbformat's NotebookNode; its metadata has `loom`

    @property
    def seconds(self) -> float:
        """How long the cells took."""
        return float(self.notebook.metadata["loom"]["seconds"])

    @property
    def when(self) -> float:
        """When they ran, in seconds since 1970."""
        return float(self.notebook.metadata["loom"]["when"])

    @property
    def sources(self) -> list[str]:
        return [str(cell.source) for cell in self.notebook.cells]


class Store:
    """The outputs of one book's chapters.

    Args:
        book: the book.
        keys: the keys of its chapters; computed if not given.
    """

    def __init__(self, book: Book, keys: Keys | None = None) -> None:
        self.book = book
        self.keys = keys or Keys(book)

    def path(self, chapter: Chapter) -> Path:
        """Where the outputs of the chapter as it is now are or will be."""
        return self.book.root / FOLDER / chapter.name / f"{self.keys.key(chapter)}.ipynb"

    def is_fresh(self, chapter: Chapter) -> bool:
        """Whether a run's outputs are those of the chapter as it is now."""
        return not chapter.cells or self.path(chapter).is_file()

    def load(self, chapter: Chapter) -> Stored | None:
        """The outputs of the chapter as it is now, if it has run."""
        path = self.path(chapter)
        stored = _read(path)
        if stored is not None and stored.sources != [cell.source for cell in chapter.cells]:
            return None
        return stored

    def save(self, chapter: Chapter, notebook: Any, seconds: float) -> None:
        """Keep a run's outputs; the oldest go."""
        import nbformat

        notebook.metadata["loom"] = {"key": self.keys.key(chapter), "chapter": chapter.name,
                                     "seconds": round(seconds, 3), "when": time.time()}
        path = self.path(chapter)
        text = nbformat.writes(notebook)  # type: ignore[no-untyped-call]
        write_all({path: f"{text}\n"})
        os.utime(path)
        for old in _newest_first(path.parent)[KEPT:]:
            old.unlink(missing_ok=True)

    def last_seconds(self, chapter: Chapter) -> float | None:
        """How long the chapter took when it last ran, in whatever form it was then."""
        for path in _newest_first(self.book.root / FOLDER / chapter.name):
            stored = _read(path)
            if stored is not None:
                return stored.seconds
        return None

    def require_fresh(self, chapters: Iterable[Chapter]) -> None:
        """Refuse to go on with outputs that are not those of the chapters.

        Raises:
            LoomError: for each chapter that has changed since it ran, or never ran.
        """
        problems = []
        for chapter in chapters:
            try:
                if not chapter.is_notebook or self.is_fresh(chapter):
                    continue
            except LoomError as error:
                problems += [p for p in error.problems if p not in problems]
                continue
            ran = bool(_newest_first(self.book.root / FOLDER / chapter.name))
            problems.append(Problem(
                Place(chapter.path), "its outputs are out of date" if ran else "has not run",
                "`loom run` runs what has changed"))
        if problems:
            raise LoomError(problems)


def shown(root: Path) -> list[Path]:
    """The files of outputs that a build of the book shows, for those who watch them.

    Raises:
        LoomError: the book cannot be read or tangled.
    """
    from loom.book.toc import read_book

    book = read_book(root)
    store = Store(book)
    return [store.path(chapter) for chapter in book.notebooks if chapter.cells]


def notebook_for_reader(book: Book, chapter: Chapter) -> Any:
    """The notebook that readers download: see ``loom.run.reader``."""
    from loom.run import reader

    global _last  # the keys of a book take longer than its notebooks
    if _last is None or _last.book is not book:
        _last = Keys(book)
    return reader.notebook_for_reader(book, chapter, _last)


def _newest_first(folder: Path) -> list[Path]:
    found = []
    for path in folder.glob("*.ipynb"):
        with suppress(OSError):
            found.append((path.stat().st_mtime, path))
    return [path for _, path in sorted(found, reverse=True)]


def _read(path: Path) -> Stored | None:
    """A stored notebook; None where there is none, or it is not one of ours."""
    import nbformat

    try:
        notebook = nbformat.read(str(path), as_version=4)  # type: ignore[no-untyped-call]
        stored = Stored(path, notebook)
        return stored if stored.seconds >= 0 and stored.when >= 0 else None
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        return None
    except Exception as error:  # nbformat's own: not a notebook
        if type(error).__module__.startswith(("nbformat", "jsonschema", "fastjsonschema")):
            return None
        raise
