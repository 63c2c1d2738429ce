"""The package as it stands after a chapter, and the tests it has to pass by then."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from loom.book.chapter import Chapter
from loom.book.toc import PACKAGE, Book
from loom.errors import fail
from loom.files import read_text, write_all
from loom.tangle.imports import needed_names
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


def chapter_tests(book: Book, chapter: Chapter) -> list[Path]:
    """The test files of a chapter, out of ``tests/scratchlm``.

    A test file belongs to the chapter that completes what it imports: the
    first one after which every name that it takes from the package exists.
    """
    born = snapshot(book, chapter).born
    found = []
    for path in sorted((book.root / "tests" / PACKAGE).rglob("test_*.py")):
        names = set(needed_names(read_text(path)))
        if names and all(name in born for name in names) \
                and max(born[name].position for name in names) == chapter.position:
            found.append(path)
    return found


def run_tests(book: Book, chapter: Chapter, folder: Path | None = None) -> int:
    """Run a chapter's tests, on its snapshot or on a package that a reader typed.

    Args:
        book: the book.
        chapter: the chapter.
        folder: the folder that holds ``scratchlm``, or that folder itself; the
            chapter's snapshot if none is given.

    Returns:
        pytest's exit status.

    Raises:
        LoomError: there are no tests, or there is no package in the folder.
    """
    tests = chapter_tests(book, chapter)
    if not tests:
        raise fail(f"{chapter.name} has no tests in tests/{PACKAGE}",
                   "a test file belongs to the chapter that completes what it imports")
    if folder is not None and folder.name == PACKAGE and not (folder / PACKAGE).is_dir():
        folder = folder.resolve().parent
    if folder is not None and not (folder / PACKAGE / "__init__.py").is_file():
        raise fail(f"there is no {PACKAGE}/__init__.py",
                   f"give the folder that holds your `{PACKAGE}`; an empty __init__.py in it "
                   "makes it a package", path=folder)
    with tempfile.TemporaryDirectory(prefix="loom-") as scratch:
        if folder is None:
            folder = Path(scratch)
            write_snapshot(book, chapter, folder)
        paths = [str(folder.resolve()), *filter(None, [os.environ.get("PYTHONPATH")])]
        command = [sys.executable, "-m", "pytest", "-q", "--import-mode=importlib",
                   *map(str, tests)]
        return subprocess.run(command, cwd=book.root, check=False, env={
            **os.environ, "PYTHONPATH": os.pathsep.join(paths),
            "PYTHONDONTWRITEBYTECODE": "1"}).returncode
