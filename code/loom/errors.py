"""What went wrong, where, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, order=True)
class Place:
    """A file and, where it is known, a line of it (the first line is 1)."""

    path: Path
    line: int | None = None

    def __str__(self) -> str:
        path = self.path
        if path.is_absolute() and path.is_relative_to(Path.cwd()):
            path = path.relative_to(Path.cwd())
        return str(path) if self.line is None else f"{path}:{self.line}"


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: where, what, and what to do."""

    place: Place | None
    what: str
    remedy: str = ""

    def __str__(self) -> str:
        where = f"{self.place}: " if self.place else ""
        return f"{where}{self.what}" + (f"\n    → {self.remedy}" if self.remedy else "")


class LoomError(Exception):
    """Problems that a reader or an author can mend. Never a bug of ours.

    The command line prints them without a traceback and exits with 1.
    """

    def __init__(self, problems: Problem | Iterable[Problem]) -> None:
        self.problems = [problems] if isinstance(problems, Problem) else list(problems)
        super().__init__("\n".join(map(str, self.problems)))


def fail(what: str, remedy: str = "", *, path: Path | None = None,
         line: int | None = None) -> LoomError:
    """The error of a single problem: ``raise fail("…", "…", path=…, line=…)``."""
    return LoomError(Problem(Place(path, line) if path else None, what, remedy))
