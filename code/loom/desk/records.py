"""What is known of a learner's exercises, and how a file says it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import Any, Protocol

SCHEMA = 1
# What brings a file of schema n to schema n + 1.
MIGRATIONS: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {}


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


class Damage(Exception):
    """The file does not hold what it should; ``saved`` is what could be read of it."""

    def __init__(self, why: str, saved: Progress | None = None) -> None:
        super().__init__(why)
        self.saved = saved or Progress()


def decode(content: bytes) -> Progress:
    """What the file's bytes say.

    Raises:
        Damage: they are not a progress file.
    """
    try:
        data = json.loads(content)
    except (ValueError, RecursionError) as error:  # UTF-8's errors are ValueErrors
        raise Damage(f"not JSON: {error}") from None
    if not isinstance(data, dict):
        raise Damage("not a JSON object")
    schema = data.get("schema")
    if type(schema) is not int:
        raise Damage("it does not say its schema")
    frozen = schema > SCHEMA
    while schema < SCHEMA:
        if schema not in MIGRATIONS:
            raise Damage(f"its schema is {schema}")
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
        raise Damage(f"entries that make no sense: {', '.join(wrong[:3])}", progress)
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


def encode(progress: Progress) -> str:
    def entry(record: Record) -> dict[str, Any]:
        shown = {f.name: getattr(record, f.name) for f in fields(Record) if f.name != "more"}
        return shown | record.more

    data = {"schema": SCHEMA,
            "exercises": {key: entry(record) for key, record in progress.exercises.items()},
            "quiz": progress.quiz} | progress.more
    return json.dumps(data, indent=1, ensure_ascii=False) + "\n"
