"""From modules back to chapters: edits made in the package reach their cells.

A module is cut into pieces as a cell is. A piece whose text was edited takes
the place of the piece of the cell that it came from; every other line of the
chapter stays as it is. Before anything is written, tangling the edited
chapters must give the edited package.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from loom.book.chapter import with_text
from loom.book.toc import Book
from loom.errors import LoomError, Place, Problem
from loom.tangle.carry import Carried, Carrier
from loom.tangle.disk import Disk, write_package
from loom.tangle.edits import Edit, edited_text
from loom.tangle.modules import Package, tangle


def sync(book: Book) -> list[Carried]:
    """Carry the edits made in ``code/scratchlm`` back to the chapters.

    Where a chapter changed too since the last tangling, the two are merged as
    long as no definition changed on both sides.

    Returns:
        What was carried, and where to.

    Raises:
        LoomError: an edit without a home in the book, a definition that changed
            on both sides, a package that the chapters cannot make. Nothing
            is written.
    """
    package = tangle(book.chapters)
    problems = list(_modules_without_home(book, package))
    carriers = list(_carriers(book, package, problems))
    for carrier in carriers:
        carrier.carry()
        problems += carrier.problems
    if problems:
        raise LoomError(problems)
    edits = [edit for carrier in carriers for edit in carrier.edits]
    if not edits:
        return []
    texts = {c.path: edited_text(c, edits) for c in book.chapters
             if any(edit.path == c.path for edit in edits)}
    edited, made = _tangled_again(book, texts)
    _verify(book, package, made, carriers)
    write_package(edited, made, force=True, more={
        path: text.replace("\n", "\r\n") if b"\r\n" in path.read_bytes() else text
        for path, text in texts.items()})
    return [_as_it_is_now(one, edits) for carrier in carriers for one in carrier.carried]


def _carriers(book: Book, package: Package, problems: list[Problem]) -> Iterator[Carrier]:
    """One for every module that was edited by hand."""
    disk = Disk(book)
    for module, text in disk.modules.items():
        ours = package.files.get(module)
        if ours is None or text == ours or disk.was_written(module, text):
            continue
        base = None if disk.was_written(module, ours) else \
            disk.copy(module) or disk.committed(module)
        try:
            yield Carrier(book, package, module, base or ours, text)
        except SyntaxError as error:
            problems.append(Problem(Place(book.package / module, error.lineno),
                                    f"syntax error: {error.msg}", "mend the module first"))


def _modules_without_home(book: Book, package: Package) -> Iterator[Problem]:
    """Modules that are new or gone on disk."""
    disk = Disk(book)
    for module, text in disk.modules.items():
        if module not in package.files and not (disk.is_known(module)
                                                and disk.was_written(module, text)):
            yield Problem(Place(book.package / module), "comes from no cell of the book",
                          f"write it in a chapter's cell with `:tangle: {module}`, then "
                          "`loom tangle`")
    for module, made in package.files.items():
        if module not in disk.modules and disk.copy(module) == made:
            yield Problem(Place(book.package / module), "was deleted, but the book still makes it",
                          "delete the cells that make it, or run `loom tangle`")


def _tangled_again(book: Book, texts: dict[Path, str]) -> tuple[Book, Package]:
    """The book with other texts, and the package it makes."""
    try:
        edited = Book(book.root, tuple(
            with_text(c, texts[c.path]) if c.path in texts else c for c in book.chapters))
        return edited, tangle(edited.chapters)
    except LoomError as error:
        raise LoomError(replace(p, what=f"with the package's edits: {p.what}",
                                remedy=f"{p.remedy}; nothing was written")
                        for p in error.problems) from None


def _verify(book: Book, package: Package, made: Package, carriers: Sequence[Carrier]) -> None:
    """Check that the edited chapters make the edited package, and change nothing else.

    Raises:
        LoomError: they do not.
    """
    problems: list[Problem] = []
    for carrier in carriers:
        carrier.verify(made.files[carrier.module])
        problems += carrier.problems
    edited = {carrier.module for carrier in carriers}
    for module in {*package.files, *made.files} - edited:
        if made.files.get(module) != package.files.get(module):
            problems.append(Problem(
                Place(book.package / module), "would change with the edits of another module",
                "make this change in the chapters"))
    if problems:
        raise LoomError(problems)


def _as_it_is_now(one: Carried, edits: Sequence[Edit]) -> Carried:
    """What was carried, with its place in the edited chapter."""
    path, line = one.place.path, one.place.line or 1
    moved = sum(e.growth for e in edits if e.path == path and e.first < line)
    return replace(one, place=Place(path, line + moved))
