"""What the judge decided, as data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class Outcome:
    """What came of one case."""

    case: str
    points: float
    earned: float
    state: Literal["passed", "failed", "not run"]
    lines: tuple[str, ...]
    why: str


@dataclass(frozen=True)
class Verdict:
    """What came of an answer.

    Attributes:
        problem: what kept it from running at all; empty if it ran.
        output: what it printed, cut.
        lacks: what did not protect this machine from it, in words.
    """

    exercise: str
    seed: int
    state: Literal["passed", "failed", "not started", "broken"]
    outcomes: tuple[Outcome, ...]
    seconds: float
    problem: tuple[str, ...] = ()
    output: str = ""
    lacks: str = field(default="", compare=False)

    @property
    def earned(self) -> float:
        return sum(outcome.earned for outcome in self.outcomes)

    @property
    def points(self) -> float:
        return sum(outcome.points for outcome in self.outcomes)

    def as_json(self) -> dict[str, Any]:
        """The verdict as data, the same for the same answer and seed.

        But for the lines of a case that time or memory ended: a machine picks which of
        the two comes first, and which line is running then.
        """
        return {
            "exercise": self.exercise, "seed": self.seed, "state": self.state,
            "earned": self.earned, "points": self.points, "problem": list(self.problem),
            "cases": [{"case": o.case, "points": o.points, "earned": o.earned, "state": o.state,
                       "lines": list(o.lines), "why": o.why} for o in self.outcomes],
            "output": self.output,
        }
