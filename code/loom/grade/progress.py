"""What a learner has done so far: one JSON file in ``my-exercises/.loom``.

The file outlives versions of this tool. Fields that are not known here are
kept; an older file is brought up to date; one that a newer version wrote is
read and left alone; a damaged one is moved aside, never deleted. Two commands
at once (``loom watch`` and ``loom check``) do not lose each other's entries.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from loom.errors import LoomError, fail
from loom.files import told, write_all

HOME = ".loom"  # in the learner's folder: progress, copies of what was reset
SCHEMA = 1
# What brings a file of schema n to schema n + 1.
MIGRATIONS: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {}
PATIENCE = 10.0  # seconds to wait for another command that is writing


class Result(Protocol):
    """What a verdict has to say to be remembered."""

    @property
    def exercise(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def earned(self) -> float: ...
    @property
    def points(self) -> float: ...


@dataclass
class Record:
    """What is known of one exercise, by its id.

    ``more`` holds fields that this version does not know; they are written back.
    """

    best: float = 0.0  # points, the most so far
    of: float = 0.0  # how many there were to earn
    attempts: int = 0
    state: str = ""  # of the last check: passed, failed, broken
    last: str | None = None  # when that was
    passed: str | None = None  # when it first earned full marks
    hints: int = 0  # how many were shown
    gave_up: str | None = None  # when the solution was shown before that
    more: dict[str, Any] = field(default_factory=dict)


@dataclass
class Progress:
    """The whole file: exercises by id, the quizzes' answers by question.

    ``notes`` tell what happened when it was opened; a ``frozen`` one is never written.
    """

    exercises: dict[str, Record] = field(default_factory=dict)
    quiz: dict[str, dict[str, Any]] = field(default_factory=dict)
    more: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    frozen: bool = False

    def of(self, exercise: str) -> Record:
        """What is known of an exercise; an empty record if nothing is."""
        return self.exercises.get(exercise, Record())

    def checked(self, result: Result) -> None:
        """Remember a check. One of an untouched stub is none."""
        if result.state == "not started":
            return
        record = self.exercises.setdefault(result.exercise, Record())
        if record.of != result.points:  # the exercise has changed since
            record.best, record.of = 0.0, result.points
        record.best = max(record.best, result.earned)
        record.attempts += 1
        record.state, record.last = result.state, now()
        if result.state == "passed" and record.passed is None:
            record.passed = record.last

    def hinted(self, exercise: str, number: int) -> None:
        """Remember that the hints up to this one were shown."""
        record = self.exercises.setdefault(exercise, Record())
        record.hints = max(record.hints, number)

    def gave_up(self, exercise: str) -> None:
        """Remember that the solution was shown before the exercise passed."""
        record = self.exercises.setdefault(exercise, Record())
        if record.passed is None and record.gave_up is None:
            record.gave_up = now()


def now() -> str:
    """This second, in UTC: ``2026-11-21T02:45:00Z``."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def state_file(folder: Path) -> Path:
    """Where the progress of a learner's folder is kept."""
    return folder / HOME / "progress.json"


def read_progress(folder: Path) -> Progress:
    """The progress kept in a learner's folder; an empty one if there is none yet.

    A damaged file is moved aside first, and ``notes`` say where.

    Args:
        folder: ``my-exercises``.

    Raises:
        LoomError: the file cannot be read, or not be moved.
    """
    path = state_file(folder)
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return Progress()
    except OSError as error:
        raise fail(f"cannot be read: {error.strerror}",
                   "see that you may read it (`ls -l`)", path=path) from None
    try:
        return _decode(text)
    except _Damage:
        with _locked(path):
            return _mended(path)


@contextmanager
def change_progress(folder: Path) -> Iterator[Progress]:
    """The progress, to be changed: read, then written when the block ends well.

    Holds the file's lock meanwhile, so the block should be short. A file of a
    newer version is not written.

    Args:
        folder: ``my-exercises``.

    Raises:
        LoomError: the file cannot be read or written, or another command
            holds it for too long.
    """
    path = state_file(folder)
    with _locked(path):
        progress = _mended(path)
        yield progress
        if not progress.frozen:
            write_all({path: _encode(progress)})


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    from filelock import FileLock, Timeout

    lock = FileLock(path.with_suffix(".lock"))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=PATIENCE)
    except Timeout:
        raise fail("another loom command has been writing the progress for "
                   f"{PATIENCE:.0f} seconds", "wait until it ends, or stop it, then try again",
                   path=path) from None
    except OSError as error:
        raise told(error, path.parent) from None
    try:
        yield
    finally:
        lock.release()


class _Damage(Exception):
    """The file does not hold what it should; ``saved`` is what could be read of it."""

    def __init__(self, why: str, saved: Progress | None = None) -> None:
        super().__init__(why)
        self.saved = saved or Progress()


def _mended(path: Path) -> Progress:
    """The progress; a file that is damaged is moved aside. The lock is held."""
    try:
        return _decode(path.read_bytes())
    except FileNotFoundError:
        return Progress()
    except OSError as error:
        raise fail(f"cannot be read: {error.strerror}",
                   "see that you may read it (`ls -l`)", path=path) from None
    except _Damage as damage:
        stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S-%f")
        aside = path.with_name(f"progress.damaged-{stamp}.json")
        try:
            if any((damage.saved.exercises, damage.saved.quiz)):
                write_all({aside: path.read_bytes(), path: _encode(damage.saved)})
            else:
                os.replace(path, aside)
        except OSError as error:
            raise told(error, path) from None
        kept = len(damage.saved.exercises)
        damage.saved.notes.append(
            f"The progress file was damaged ({damage}). It is now {path.parent.name}/{aside.name}, "
            + (f"and what {kept} of its entries said is kept. " if kept else "")
            + "Your answers are untouched: `loom check` checks them all and counts them again.")
        return damage.saved


def _decode(content: bytes) -> Progress:
    """What the file's bytes say.

    Raises:
        _Damage: they are not a progress file.
    """
    try:
        data = json.loads(content)
    except (ValueError, RecursionError) as error:  # UTF-8's errors are ValueErrors
        raise _Damage(f"not JSON: {error}") from None
    if not isinstance(data, dict):
        raise _Damage("not a JSON object")
    schema = data.get("schema")
    if type(schema) is not int:
        raise _Damage("it does not say its schema")
    frozen = schema > SCHEMA
    while schema < SCHEMA:
        if schema not in MIGRATIONS:
            raise _Damage(f"its schema is {schema}")
        data, schema = MIGRATIONS[schema](data), schema + 1
    progress = Progress(frozen=frozen)
    wrong: list[str] = []
    for name, entries in (("exercises", data.get("exercises", {})), ("quiz", data.get("quiz", {}))):
        if not isinstance(entries, dict):
            wrong.append(name)
            continue
        for key, entry in entries.items():
            if not isinstance(entry, dict):
                wrong.append(key)
            elif name == "quiz":
                progress.quiz[key] = entry
            else:
                try:
                    progress.exercises[key] = _record(entry)
                except (TypeError, ValueError):
                    wrong.append(key)
    progress.more = {key: value for key, value in data.items()
                     if key not in ("schema", "exercises", "quiz")}
    if frozen:
        progress.notes.append(
            f"The progress file is of schema {data['schema']}, this loom knows {SCHEMA}: a newer "
            "version wrote it. It is shown and not changed; update the book's tools to go on.")
    elif wrong:
        raise _Damage(f"entries that make no sense: {', '.join(wrong[:3])}", progress)
    return progress


def _record(entry: Mapping[str, Any]) -> Record:
    """A record out of JSON.

    Raises:
        TypeError, ValueError: a field is of another kind.
    """
    known = {f.name: f for f in fields(Record) if f.name != "more"}
    for name, value in entry.items():
        kind = known[name].type if name in known else None
        if kind in ("float", "int"):
            right = isinstance(value, int | float) and not isinstance(value, bool) \
                and value >= 0 and (kind == "float" or value == int(value))
        else:
            right = kind is None or isinstance(value, str) or (value is None and kind != "str")
        if not right:
            raise ValueError(name)
    return Record(**{name: entry[name] for name in known if name in entry},
                  more={name: value for name, value in entry.items() if name not in known})


def _encode(progress: Progress) -> str:
    def entry(record: Record) -> dict[str, Any]:
        shown = {f.name: getattr(record, f.name) for f in fields(Record) if f.name != "more"}
        return shown | record.more

    data = {"schema": SCHEMA,
            "exercises": {key: entry(record) for key, record in progress.exercises.items()},
            "quiz": progress.quiz} | progress.more
    return json.dumps(data, indent=1, ensure_ascii=False) + "\n"


def remember(folder: Path, *results: Result) -> list[str]:
    """Remember checks; a state that cannot be written spoils no verdict.

    Args:
        folder: ``my-exercises``.
        results: the verdicts.

    Returns:
        What the learner should be told: of damage, of a newer version, of a
        full disk.
    """
    try:
        with change_progress(folder) as progress:
            for result in results:
                progress.checked(result)
        return progress.notes
    except LoomError as error:
        return [f"Your progress was not kept: {problem}" for problem in error.problems]
