"""What an output depends on, as one key per chapter."""

from __future__ import annotations

import ast
import hashlib
import json
import re
import sys
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path, PurePosixPath

from loom.book.chapter import Cell, Chapter
from loom.book.toc import PACKAGE, Book
from loom.errors import LoomError, Place, Problem, fail
from loom.run.environment import LOOK, constants
from loom.run.package import Snapshots
from loom.tangle.imports import closure, dotted, imported_modules

# A module that a cell names, in code or in a string.
MENTION = re.compile(rf"\b{PACKAGE}(?:\.\w+)*")
# Tags that change what running a cell does. All others only change its looks.
RUNNING_TAGS = frozenset({"raises-exception"})


class Keys:
    """The keys of a book's chapters.

    Args:
        book: the book.
        snapshots: its package after each chapter.
    """

    def __init__(self, book: Book, snapshots: Snapshots | None = None) -> None:
        self.book = book
        self.snapshots = snapshots or Snapshots(book)
        self._keys: dict[str, str] = {}
        self._machine = _machine(book.root)
        self.makers = _makers(book)

    def key(self, chapter: Chapter) -> str:
        """The key of a chapter's outputs and products: 32 hexadecimal digits.

        Raises:
            LoomError: the package before the chapter cannot be tangled, a
                product has no maker, a glob of ``data:`` matches nothing.
        """
        if chapter.name not in self._keys:
            parts = {
                "machine": self._machine,
                "cells": [_cell(cell) for cell in chapter.cells],
                "modules": {str(path): _digest(meaning(text))
                            for path, text in self.modules(chapter).items()},
                "data": _data(self.book, chapter),
                "makes": sorted(chapter.makes),
                "needs": {need: self.key(self.maker(chapter, need))
                          for need in sorted(chapter.needs)},
            }
            self._keys[chapter.name] = _digest(json.dumps(parts, sort_keys=True))[:32]
        return self._keys[chapter.name]

    def modules(self, chapter: Chapter) -> dict[PurePosixPath, str]:
        """The package's modules that a chapter depends on, by path, with their source.

        Those are modules of the snapshot before it: what it adds itself is in
        its cells. Not only imports count but every mention of
        ``scratchlm.module``, in a string too: it may be code for a process
        that the cell starts.
        """
        known = self.snapshots.files(self.snapshots.before(chapter))
        named = {home(cell) for cell in chapter.cells if cell.target}
        for cell in chapter.cells:
            named |= imported_modules(cell.source) | set(MENTION.findall(cell.source))
        return {path: known[path] for path in sorted(closure(named, known))}

    def maker(self, chapter: Chapter, need: str) -> Chapter:
        """The earlier chapter that makes a product.

        Raises:
            LoomError: no chapter makes it, or none that comes before.
        """
        maker = self.makers.get(need)
        line = _header_line(chapter, "needs")
        if maker is None:
            known = ", ".join(sorted(self.makers)) or "none"
            raise fail(f"needs `{need}`, which no chapter makes",
                       f"say `makes: {need}` in the header of the chapter that writes it; "
                       f"products that are made: {known}", path=chapter.path, line=line)
        if maker.position >= chapter.position:
            raise fail(f"needs `{need}`, which is made only in {maker.name}",
                       "a product is made before it is needed: change the order in _toc.yml",
                       path=chapter.path, line=line)
        return maker


def home(cell: Cell) -> str:
    """The dotted name of the module that a tangled cell belongs to."""
    assert cell.target is not None
    return dotted(cell.target)


def _makers(book: Book) -> dict[str, Chapter]:
    makers: dict[str, Chapter] = {}
    problems = []
    for chapter in book.notebooks:
        for name in chapter.makes:
            if name in makers:
                problems.append(Problem(
                    Place(chapter.path, _header_line(chapter, "makes")),
                    f"makes `{name}`, which {makers[name].name} makes too",
                    "give one of the two another name"))
            if not name.replace("-", "").replace("_", "").replace(".", "").isalnum() \
                    or name.startswith("."):
                problems.append(Problem(
                    Place(chapter.path, _header_line(chapter, "makes")),
                    f"`{name}` is not a name for a product",
                    "use letters, digits, `-`, `_` and `.`: it becomes a folder"))
            makers[name] = chapter
    if problems:
        raise LoomError(problems)
    return makers


def _cell(cell: Cell) -> list[object]:
    return [cell.source, sorted(cell.tags & RUNNING_TAGS), str(cell.target or ""),
            sorted(cell.replaces)]


def _data(book: Book, chapter: Chapter) -> dict[str, str]:
    found: dict[str, str] = {}
    for pattern in chapter.data:
        paths = [path for path in _glob(book.root, pattern) if path.is_file()]
        if not paths:
            raise fail(f"`data: {pattern}` matches no file",
                       "name files relative to the book's folder, or drop it from the header",
                       path=chapter.path, line=_header_line(chapter, "data"))
        for path in paths:
            found[str(path.relative_to(book.root))] = hashlib.sha256(
                path.read_bytes()).hexdigest()
    return dict(sorted(found.items()))


def _glob(root: Path, pattern: str) -> Iterator[Path]:
    if Path(pattern).is_absolute() or ".." in Path(pattern).parts:
        return iter(())
    return iter(sorted(root.glob(pattern)))


def _machine(root: Path) -> str:
    """What all chapters depend on: Python, the locked versions, the look, the runner."""
    parts = [sys.implementation.name, ".".join(map(str, sys.version_info[:2])), constants()]
    for name in ("requirements.lock", LOOK):
        path = root / name
        parts.append(path.read_text(encoding="utf-8") if path.is_file() else "")
    return _digest("\0".join(parts))


@lru_cache(maxsize=4096)
def meaning(source: str) -> str:
    """A module without its comments and layout, which no output depends on."""
    try:
        return ast.dump(ast.parse(source))
    except SyntaxError:
        return source


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _header_line(chapter: Chapter, field: str) -> int:
    for number, line in enumerate(chapter.text.split("\n"), 1):
        if line.startswith(f"{field}:"):
            return number
    return 1
