"""The quizzes of a book as files that other systems import, one per chapter."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from loom.book.toc import Book
from loom.errors import fail
from loom.files import write_all
from loom.quiz.bank import quizzes_of, titles_of
from loom.quiz.gift import export_gift
from loom.quiz.moodle import export_moodle

FORMATS = {"moodle": (export_moodle, ".xml"), "gift": (export_gift, ".gift.txt")}


def export_quizzes(book: Book, kind: str, folder: Path, names: Iterable[str] = ()) -> list[Path]:
    """Write a file for each chapter that has a quiz, all of them or none.

    Args:
        book: the book.
        kind: ``moodle`` or ``gift``.
        folder: where to write; it is made if it is not there.
        names: chapters by number or name; all if none is given.

    Returns:
        The files, whether or not they have changed.

    Raises:
        LoomError: an unknown format, a chapter without a quiz, a quiz with
            problems, a folder that cannot be written, a file that would be
            overwritten.
    """
    if kind not in FORMATS:
        raise fail(f"no format `{kind}` for quizzes", f"the formats are {', '.join(FORMATS)}")
    export, suffix = FORMATS[kind]
    quizzes, titles = quizzes_of(book), titles_of(book)
    wanted = [book.chapter(name) for name in names] or [
        chapter for chapter in book.chapters if chapter.name in quizzes]
    files: dict[Path, str | bytes] = {}
    for chapter in wanted:
        if chapter.name not in quizzes:
            raise fail(f"{chapter.name} has no quiz",
                       "`loom quiz` lists the chapters that have one")
        number = f"{chapter.number}. " if chapter.number is not None else ""
        files[folder / f"{chapter.name}{suffix}"] = export(
            quizzes[chapter.name], titles, f"{number}{chapter.title}")
    if not files:
        raise fail("no chapter has a quiz", "they stand in book/quizzes/NN-name.yml")
    changed = [path for path, text in files.items() if path.exists() and not _holds(path, text)]
    if changed:
        raise fail("is there already, and differs", "move it away, or name another folder: an "
                   "export overwrites nothing", path=changed[0])
    write_all(files)
    return list(files)


def _holds(path: Path, text: str | bytes) -> bool:
    """Whether a file holds just this already."""
    wanted = text.encode() if isinstance(text, str) else text
    return path.is_file() and path.read_bytes() == wanted
