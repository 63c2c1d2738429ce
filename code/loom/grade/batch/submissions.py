"""Which files of a folder are whose answers.

A folder of submissions comes from Moodle, Canvas, GitHub Classroom or a
teacher's own hands: one folder or one file per student. Nothing in it is
trusted: links are not followed, what is no plain file is not opened.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from loom.errors import fail
from loom.exercise.model import Exercise
from loom.grade.batch.strangers import PACKED, SUFFIXES, digest_of, read_plain, shown

DEEPEST = 8  # folders within a submission
MOST_ENTRIES = 20_000  # in one submission
MOST_FILES = 20  # of answers, in one submission
SKIPPED = frozenset({"__MACOSX", "__pycache__", "node_modules", "site-packages", "venv"})
KNOWN = frozenset({*SUFFIXES, *PACKED})
USUAL = frozenset({".png", ".jpg", ".jpeg", ".gif", ".svg", ".pyc", ".npy", ".npz", ".pt", ".ini",
                   ".db"})  # beside answers, or made by systems: not worth a line
MOST_OTHERS = 5  # lines about one student's files that are no answers
MOODLE = re.compile(r"(?P<who>.+?)_(?P<id>\d+)_assignsubmission_(file|onlinetext)_?(?P<file>.*)")
CANVAS = re.compile(r"(?P<who>[^_]+?)(_late)?_\d+_\d+_(?P<file>.+?)(-(?P<version>\d+))?",
                    re.IGNORECASE)
AGAIN = re.compile(r"(\s*\(\d+\)|[-_ ]copy(\s*\d+)?|-\d+)$", re.IGNORECASE)  # a second download
MARKER = re.compile(rb"#\s*%%\s*exercises?\b[\s:.-]*([A-Za-z0-9_][\w-]*)", re.IGNORECASE)


@dataclass(frozen=True)
class File:
    """A file of answers: where it lies in the folder of submissions, and its content's digest."""

    path: PurePosixPath
    digest: str
    version: int = 0  # of several under one name, the highest is the newest
    chapters: frozenset[str] = frozenset()  # that it answers, by its name or its marks


@dataclass(frozen=True)
class Submission:
    """What one student handed in. The first of several files for an exercise counts."""

    student: str
    files: tuple[File, ...]
    notes: tuple[str, ...] = ()


@dataclass
class Found:
    """Everything that a folder holds.

    Attributes:
        strange: paths that are nobody's answers, each with the reason.
    """

    submissions: list[Submission] = field(default_factory=list)
    strange: list[tuple[str, str]] = field(default_factory=list)

    @property
    def chapters(self) -> frozenset[str]:
        """Those that at least one file answers."""
        return frozenset().union(*(file.chapters for one in self.submissions
                                   for file in one.files))


def find_submissions(folder: Path, exercises: Sequence[Exercise]) -> Found:
    """Sort the files of a folder by student.

    Accepted are ``ann/01_numbers.py`` (also deeper), ``ann_01_numbers.py``,
    ``ann.ipynb`` and the names that Moodle and Canvas give.

    Args:
        folder: one folder or one file per student.
        exercises: those that are graded.

    Raises:
        LoomError: there is no such folder, or it cannot be read.
    """
    if not folder.is_dir():
        raise fail("is not a folder of submissions", "give the folder that holds one folder or "
                   "one file for each student", path=folder)
    sorter = _Sorter(folder, exercises)
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise fail(f"cannot be read: {error.strerror}", "see that you may read it (`ls -ld`)",
                   path=folder) from None
    for entry in entries:
        if entry.name.startswith(".") or entry.name in SKIPPED:
            continue
        if entry.is_dir(follow_symlinks=False):
            sorter.folder(entry.name)
        else:
            sorter.file(PurePosixPath(entry.name))
    return sorter.found()


class _Sorter:
    """Collects files by student."""

    def __init__(self, root: Path, exercises: Sequence[Exercise]) -> None:
        self.root = root
        self.known = {exercise.id.encode(): exercise.chapter for exercise in exercises}
        self.named = {exercise.chapter.replace("-", "_").lower(): exercise.chapter
                      for exercise in exercises}
        self.chapters = sorted(self.named, key=len, reverse=True)
        self.students: dict[str, list[File]] = {}
        self.notes: dict[str, list[str]] = {}
        self.strange: list[tuple[str, str]] = []
        self.moodle: dict[str, set[str]] = {}

    def folder(self, name: str) -> None:
        """All of one student's folder."""
        match = MOODLE.fullmatch(name)
        student = self._named(match, name)
        self.students.setdefault(student, [])
        files: list[File] = []
        others: list[PurePosixPath] = []
        for path in self._below(PurePosixPath(name), student):
            if path.suffix.lower() not in KNOWN and not (self.root / path).is_symlink():
                others.append(path)
                continue
            content = self._read(path, student)
            if content is None:
                continue
            if answered := self._answers(path.stem, content):
                files.append(File(path, digest_of(content), _version(path.stem)[1], answered))
            else:
                self._odd(path, "answers none of these exercises", student)
        self._others(student, others, bool(files))
        self._add(student, files)

    def _others(self, student: str, paths: list[PurePosixPath], answered: bool) -> None:
        """Tell of files of other kinds: all that may be answers, if there are no others."""
        told = [path for path in paths if not answered
                or not KNOWN.isdisjoint(suffix.lower() for suffix in path.suffixes)
                or self._chapter(_version(path.name.partition(".")[0])[0]) is not None]
        for path in told[:MOST_OTHERS]:
            self._read(path, student)
        if len(told) > MOST_OTHERS:
            self._odd(PurePosixPath(told[0].parts[0]), f"holds {len(told) - MOST_OTHERS} more "
                      "that are neither a .py nor a .ipynb", student)

    def file(self, path: PurePosixPath) -> None:
        """A file that stands for itself: its name begins with the student's."""
        moodle, canvas = MOODLE.fullmatch(path.stem), CANVAS.fullmatch(path.stem)
        stem, version = _version(path.stem)
        chapter = self._chapter(stem)
        if moodle:
            student = self._named(moodle, path.stem)
        elif canvas and self._chapter(_version(canvas["file"])[0]) is not None:
            student = canvas["who"]
            version = int(canvas["version"] or 0)
        elif chapter is not None:
            student = stem[:len(stem) - len(chapter)].rstrip("_- ") or self.root.resolve().name
        else:
            student, version = path.stem, 0
        expected = moodle or chapter is not None or (self.root / path).is_symlink()
        if expected:
            self.students.setdefault(student, [])
        content = self._read(path, student if expected else None)
        if content is None:
            return
        answered = self._answers(path.stem, content)
        if not answered:
            self._odd(path, "answers none of these exercises", None)
            return
        self._add(student, [File(path, digest_of(content), version, answered)])

    def found(self) -> Found:
        """What there is, students in the order of their names."""
        by_name: dict[str, list[str]] = {}
        for student in self.students:
            plain = unicodedata.normalize("NFC", student).casefold()
            by_name.setdefault(plain, []).append(student)
        found = Found(strange=self.strange)
        for group in sorted(by_name.values()):
            for student in group:
                notes = self.notes.get(student, [])
                if len(group) > 1:
                    others = ", ".join(f"`{shown(n)}`" for n in group if n != student)
                    notes = [*notes, f"another submission is named {others}: the same person?"]
                files = sorted(self.students[student], key=_priority)
                if len(files) > MOST_FILES:
                    notes = [*notes, f"{len(files)} files with answers; {MOST_FILES} are read"]
                found.submissions.append(
                    Submission(student, tuple(files[:MOST_FILES]), tuple(notes)))
        return found

    def _named(self, match: re.Match[str] | None, name: str) -> str:
        """The student's name in what Moodle wrote; with the number if two share it."""
        if match is None:
            return name
        numbers = self.moodle.setdefault(match["who"], set())
        numbers.add(match["id"])
        return match["who"] if len(numbers) == 1 else f"{match['who']} ({match['id']})"

    def _add(self, student: str, files: list[File]) -> None:
        mine = self.students.setdefault(student, [])
        if mine and files:
            self._note(student, f"handed in more than once: {shown(str(mine[0].path))} and "
                       f"{shown(str(files[0].path))}")
        mine += files

    def _note(self, student: str, text: str) -> None:
        self.notes.setdefault(student, []).append(text)

    def _odd(self, path: PurePosixPath, why: str, student: str | None) -> None:
        self.strange.append((shown(str(path)), why))
        if student is not None and why != "answers none of these exercises":
            self._note(student, f"{shown(str(path))} {why}")

    def _below(self, top: PurePosixPath, student: str) -> Iterator[PurePosixPath]:
        """The files of a submission, but for those that nobody would ask about."""
        waiting, seen = [top], 0
        while waiting:
            folder = waiting.pop()
            try:
                entries = sorted(os.scandir(self.root / folder), key=lambda entry: entry.name)
            except OSError as error:
                self._odd(folder, f"cannot be read: {error.strerror}", student)
                continue
            for entry in entries:
                seen += 1
                if seen > MOST_ENTRIES:
                    self._odd(top, f"holds more than {MOST_ENTRIES} files: the rest is not read",
                              student)
                    return
                path = folder / entry.name
                if entry.is_dir(follow_symlinks=False):
                    if entry.name.startswith(".") or entry.name in SKIPPED:
                        continue
                    if len(path.parts) > DEEPEST:
                        self._odd(path, "is too deep inside other folders: not read", student)
                    else:
                        waiting.append(path)
                elif entry.is_symlink() or path.suffix.lower() in KNOWN or not (
                        entry.name.startswith(".") or path.suffix.lower() in USUAL):
                    yield path

    def _read(self, path: PurePosixPath, student: str | None) -> bytes | None:
        """A file's content; None, and a line for the teacher, if it is not to be read."""
        try:
            return read_plain(self.root, path)
        except OSError as error:
            self._odd(path, error.strerror or str(error), student)
            return None

    def _answers(self, stem: str, content: bytes) -> frozenset[str]:
        """The chapters that a file answers, by its marks or by its name."""
        marks = {match.lower().strip(b"-") for match in MARKER.findall(content)}
        named = self._chapter(_version(stem)[0])
        return frozenset([*(self.known[mark] for mark in marks & self.known.keys()),
                          *([self.named[named]] if named else [])])

    def _chapter(self, stem: str) -> str | None:
        """The chapter, as part of the name, that a file's name ends with."""
        plain = stem.replace("-", "_").replace(" ", "_").lower()
        for chapter in self.chapters:
            if plain == chapter or plain.endswith(f"_{chapter}"):
                return chapter
        return None


def _version(stem: str) -> tuple[str, int]:
    """A name without what a browser or Canvas adds to a second one; which one it is."""
    match = AGAIN.search(stem)
    if match is None:
        return stem, 0
    number = re.search(r"\d+", match[0])
    return stem[:match.start()], int(number[0]) if number else 1


def _priority(file: File) -> tuple[int, int, int, str]:
    """The newest first, then text before notebooks, then what lies less deep."""
    return (-file.version, file.path.suffix.lower() != ".py", len(file.path.parts),
            str(file.path))
