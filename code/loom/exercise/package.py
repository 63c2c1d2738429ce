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
from loom.book.toc import PACKAGE, Book, chapter_files, read_book
from loom.errors import fail
from loom.exercise.model import Exercise
from loom.files import BUILD, read_text, told, write_all

PACKAGES = Path(BUILD) / "exercises" / "packages"
WHOLE = ".whole"  # the file that says that a folder was written to its end
KEPT = 40  # packages that stay, and the seconds that an unused one stays: a worker may read it
AGE = 3600.0


def package_folder(book: Book | Path | None, exercise: Exercise) -> Path:
    """The folder to put on ``sys.path`` for an exercise's answers.

    It holds ``scratchlm`` as of the chapter that the exercise names, or the
    one before its own (before chapter 1, a package with nothing in it). It is
    written once for the same chapters and kept in the build folder. An
    exercise out of a bundle brings its package along, and needs no book.

    Args:
        book: the book, or its folder: then its chapters are only parsed where
            the package has to be made.
        exercise: the exercise.

    Raises:
        LoomError: the chapter does not exist, a cell cannot be tangled, the
            disk is full.
    """
    if exercise.packages is not None:
        return exercise.packages
    if book is None:
        raise fail(f"the exercise `{exercise.id}` was read without its book",
                   "give the book, or read the exercise from a bundle")
    if isinstance(book, Book):
        root = book.root
        texts = [(c.path, c.text) for c in book.chapters]
    else:
        root = book
        texts = [(path, read_text(path)) for path, _, _ in chapter_files(root)]
    names = [path.stem for path, _ in texts]
    wanted = exercise.package or exercise.chapter
    if wanted not in names:
        raise fail(f"the exercise `{exercise.id}` belongs to {wanted}, which is not in _toc.yml",
                   "add the chapter, or mend the exercise", path=exercise.path,
                   line=exercise.line)
    count = names.index(wanted) + (exercise.package is not None)
    folder = root / PACKAGES / _digest((path.name, text) for path, text in texts[:count])
    if _is_whole(folder):
        with suppress(OSError):
            os.utime(folder / WHOLE)  # in use
        return folder
    whole = book if isinstance(book, Book) else read_book(root)
    _write(folder, whole.chapters[:count])
    return folder


def _is_whole(folder: Path) -> bool:
    return (folder / WHOLE).is_file() and (folder / PACKAGE / "__init__.py").is_file()


def _write(folder: Path, chapters: tuple[Chapter, ...]) -> None:
    """Write the package that chapters make, all of it or nothing."""
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
            if not _is_whole(folder):  # damaged; otherwise another command was quicker
                shutil.rmtree(folder, ignore_errors=True)
                try:
                    os.replace(new, folder)
                except OSError:
                    raise told(error, folder) from error
    finally:
        shutil.rmtree(new, ignore_errors=True)
    with suppress(OSError):
        _prune(folder.parent)


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
