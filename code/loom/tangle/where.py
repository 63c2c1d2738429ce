"""Where a line of the package stands in the book, and the other way round."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from loom.book.chapter import Chapter
from loom.book.toc import Book
from loom.errors import Place, fail
from loom.tangle.modules import Package


def where(book: Book, package: Package, path: Path, line: int) -> Iterator[str]:
    """Say where a line went to, or came from, as lines of text.

    Args:
        book: the book.
        package: its tangled package.
        path: a module of the package, or a chapter.
        line: a line of it, from 1.

    Raises:
        LoomError: the file is neither, or has no such line.
    """
    path = path.resolve()
    chapter = next((c for c in book.chapters if c.path.resolve() == path), None)
    if chapter is not None:
        _require(path, line, chapter.text)
        return _from_chapter(book, package, chapter, line)
    if path.is_relative_to(book.package.resolve()):
        module = PurePosixPath(path.relative_to(book.package.resolve()).as_posix())
        if module in package.files:
            _require(path, line, package.files[module])
            return _from_module(book, package, module, line)
        raise fail("no cell of the book makes this module", "`loom tangle --check` shows how the "
                   "package differs from the book", path=path)
    raise fail("is neither a chapter nor a module of the package",
               f"give a chapter's file, or one below {Place(book.package)}", path=path)


def _require(path: Path, line: int, text: str) -> None:
    lines = text.removesuffix("\n").count("\n") + 1
    if not 1 <= line <= lines:
        raise fail(f"there is no line {line}", f"the file has {lines} lines", path=path)


def _from_module(book: Book, package: Package, module: PurePosixPath, line: int) -> Iterator[str]:
    place = package.origin(module, line)
    if place is None:
        yield "this line comes from no cell: loom writes it"
        return
    chapter = next(c for c in book.chapters if c.path == place.path)
    within = [d for d in package.definitions if d.module == module and d.first <= line <= d.last]
    name = max(within, key=lambda d: d.first).name if within else ""
    section = chapter.section_at(place.line or 1)
    label = f" ({section.label})" if section.label else ""
    yield f"{place}: " + " · ".join(filter(None, [f"{section.title}{label}", name]))


def _from_chapter(book: Book, package: Package, chapter: Chapter, line: int) -> Iterator[str]:
    found = package.landings(Place(chapter.path, line))
    for module, number in found:
        within = [d for d in package.definitions
                  if d.module == module and d.first <= number <= d.last]
        name = max(within, key=lambda d: d.first).name if within else ""
        yield f"{Place(book.package / module, number)}" + (f": {name}" if name else "")
    if found:
        return
    cell = next((c for c in chapter.cells
                 if c.fence <= line <= c.line + c.source.count("\n")), None)
    if cell is None:
        yield "this line is prose: it goes to no module"
    elif cell.target is None:
        yield "this cell is not tangled: it runs in the notebook only"
    else:
        yield (f"this line has no counterpart in {cell.target}: an option, a blank line, "
               "an import that the module does not use, `@extends`, or a definition that a "
               "later chapter replaces")
