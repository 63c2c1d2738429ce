"""The package that an answer may import: ``scratchlm`` as of an earlier chapter."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from loom.book.chapter import Chapter
from loom.book.toc import PACKAGE, Book
from loom.errors import fail
from loom.exercise.model import Exercise
from loom.files import BUILD, told, write_all

PACKAGES = Path(BUILD) / "exercises" / "packages"
WHOLE = ".whole"  # the file that says that a folder was written to its end
KEPT = 40  # packages that stay, and the seconds that an unused one stays: a worker may read it
AGE = 3600.0


def package_folder(book: Book | None, exercise: Exercise) -> Path:
    """The folder to put on ``sys.path`` for an exercise's answers.

    It holds ``scratchlm`` as of the chapter that the exercise names, or the
    one before its own (before chapter 1, a package with nothing in it). It is
    written once for the same chapters and kept in the build folder. An
    exercise out of a bundle brings its package along, and needs no book.

    Raises:
        LoomError: the chapter does not exist, a cell cannot be tangled, the
            disk is full.
    """
    if exercise.packages is not None:
        return exercise.packages
    if book is None:
        raise fail(f"the exercise `{exercise.id}` was read without its book",
                   "give the book, or read the exercise from a bundle")
    return folder_of(book.root, chapters_seen(book, exercise))


def chapters_seen(book: Book, exercise: Exercise) -> tuple[Chapter, ...]:
    """The chapters whose package an exercise's answers may import.

    Raises:
        LoomError: the chapter that the exercise names does not exist.
    """
    if exercise.package is not None:
        return book.until(book.chapter(exercise.package))
    return book.chapters[:book.chapter(exercise.chapter).position]


def kept_folder(root: Path, chapters: tuple[Chapter, ...]) -> Path | None:
    """The folder of the package that these chapters make, if it was written already.

    Only the chapters' texts are looked at: they need not have been parsed.
    """
    folder = root / PACKAGES / _digest((c.path.name, c.text) for c in chapters)
    if not (folder / WHOLE).is_file():
        return None
    with suppress(OSError):
        os.utime(folder / WHOLE)  # in use
    return folder


def folder_of(root: Path, chapters: tuple[Chapter, ...]) -> Path:
    """The folder of the package that these chapters make.

    Raises:
        LoomError: as ``package_folder``.
    """
    kept = kept_folder(root, chapters)
    if kept is not None:
        return kept
    folder = root / PACKAGES / _digest((c.path.name, c.text) for c in chapters)
    from loom.tangle.modules import tangle

    package = tangle(chapters)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        new = Path(tempfile.mkdtemp(prefix=".new-", dir=folder.parent))
    except OSError as error:
        raise told(error, folder.parent) from error
    try:
        new.chmod(0o755)  # a worker of another user reads it
        write_all({new / PACKAGE / path: text for path, text in package.files.items()}
                  | {new / WHOLE: ""})
        try:
            os.replace(new, folder)
        except OSError as error:
            if not (folder / WHOLE).is_file():  # another command was quicker, or it is damaged
                shutil.rmtree(folder, ignore_errors=True)
                try:
                    os.replace(new, folder)
                except OSError:
                    raise told(error, folder) from error
    finally:
        shutil.rmtree(new, ignore_errors=True)
    with suppress(OSError):
        _prune(folder.parent)
    return folder


def _prune(folder: Path) -> None:
    """Remove packages of chapters as they no longer are, the most recent ones kept."""
    kept = [path for path in folder.iterdir() if (path / WHOLE).is_file()]
    kept.sort(key=lambda path: (path / WHOLE).stat().st_mtime, reverse=True)
    for old in kept[KEPT:]:
        with suppress(OSError):
            if time.time() - (old / WHOLE).stat().st_mtime > AGE:
                shutil.rmtree(old)


def _digest(texts: Iterable[tuple[str, str]]) -> str:
    digest = hashlib.sha256(_tool())
    for name, text in texts:
        content = text.encode()
        digest.update(f"{name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()[:20]


@lru_cache(maxsize=1)
def _tool() -> bytes:
    """A digest of the code that makes packages of chapters."""
    import loom.book.chapter
    import loom.tangle

    digest = hashlib.sha256()
    folder = Path(loom.tangle.__file__).parent
    for path in (Path(loom.book.chapter.__file__), *sorted(folder.glob("*.py"))):
        digest.update(path.read_bytes())
    return digest.digest()
