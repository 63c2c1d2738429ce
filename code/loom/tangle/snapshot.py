"""The package as it stands after a chapter."""

from __future__ import annotations

from pathlib import Path

from loom.book.chapter import Chapter
from loom.book.toc import PACKAGE, Book
from loom.files import write_all
from loom.tangle.modules import Package, tangle


def snapshot(book: Book, chapter: Chapter | int | str) -> Package:
    """The package that the chapters up to and including one make.

    Args:
        book: the book.
        chapter: a chapter, or its number or name; 0 stands before the first.
    """
    if isinstance(chapter, str) and not chapter.strip("0"):
        chapter = 0
    if isinstance(chapter, str):
        chapter = book.chapter(chapter)
    return tangle(book.until(chapter))


def write_snapshot(book: Book, chapter: Chapter | int | str, folder: Path) -> Package:
    """Write ``folder/scratchlm`` as it stands after a chapter.

    Modules in the folder that the snapshot does not have are removed.

    Returns:
        The snapshot.

    Raises:
        LoomError: a chapter that does not exist, a problem in a cell, a disk
            that is full, a folder that cannot be written.
    """
    package = snapshot(book, chapter)
    home = folder / PACKAGE
    files: dict[Path, str | bytes] = {home / path: text for path, text in package.files.items()}
    stale = tuple(path for path in home.rglob("*.py") if path not in files)
    write_all(files, remove=stale)
    return package
