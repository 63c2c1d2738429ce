"""What a built book depends on, as hashes: has anything changed, and what?"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from loom.book.toc import Book, read_book


@dataclass(frozen=True)
class Inputs:
    """Hashes of what goes into the book, from the innermost outwards.

    Attributes:
        tool: what reads chapters: this program, the locked versions, Python.
        look: that, and what every page is made with: configuration, contents,
            style, templates, bibliography.
        all: that, and the chapters with their outputs, exercises and quizzes.
        pages: the names of the chapters' pages.
    """

    tool: str
    look: str
    all: str
    pages: tuple[str, ...]


def inputs_of(root: Path) -> Inputs:
    """Hash what the book at ``root`` depends on now."""
    book = read_book(root)
    tool = _hash(root, _tool(root), sys.version)
    look = _hash(root, _look(root), tool)
    pages = tuple(chapter.path.relative_to(book.root).with_suffix("").as_posix()
                  for chapter in book.chapters)
    return Inputs(tool, look, _hash(root, _content(book), look), pages)


def _hash(root: Path, paths: Iterable[Path], before: str) -> str:
    found = hashlib.sha256(before.encode())
    for path in sorted(paths):
        name = path.relative_to(root) if path.is_relative_to(root) else path.name
        found.update(f"{name}\0".encode())
        with suppress(FileNotFoundError):
            found.update(hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()


def _tool(root: Path) -> Iterable[Path]:
    yield root / "requirements.lock"
    yield from Path(__file__).parents[1].rglob("*.py")


def _look(root: Path) -> Iterable[Path]:
    yield root / "_config.yml"
    yield root / "_toc.yml"
    yield from (root / "book").glob("*.bib")
    for folder in ("_static", "_templates", "_epub"):
        yield from (path for path in (root / "book" / folder).rglob("*") if path.is_file())
    yield from (path for path in Path(__file__).parent.rglob("*")
                if path.suffix in (".typ", ".tmTheme", ".css", ".js", ".html"))


def _content(book: Book) -> Iterable[Path]:
    from loom.run.store import shown

    yield from (chapter.path for chapter in book.chapters)
    yield from (book.root / "exercises").glob("*.md")
    yield from (book.root / "book" / "quizzes").glob("*.yml")
    yield from (path for path in (book.root / "book" / "images").rglob("*") if path.is_file())
    yield from shown(book.root)
