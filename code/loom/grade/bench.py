"""The reference and the answer at work: each in its worker, asked the same things."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loom.errors import LoomError, Problem
from loom.grade import messages
from loom.grade.cases import Call, Case
from loom.grade.hand import CUT, MOST_OUTPUT, Hand, Reply
from loom.grade.messages import Text, plain
from loom.grade.review import Review, unsaid
from loom.grade.warm import Warm
from loom.grade.worker import wire

if TYPE_CHECKING:
    from loom.exercise.source import Exercise

LOADING = 5.0  # seconds that running an answer's file may take
REFERENCE = 60.0  # seconds for the reference: its author has seen to it
LEAST_PATIENCE = 1.0  # seconds, with answers that are expected to be wrong
SHORTEST = 0.05  # seconds that every call may take, however quick the reference is

# By exercise, seed, case and number of the call: what the reference makes of it.
Known = dict[tuple[str, int, str, int], Reply]


@lru_cache(maxsize=64)
def _packages(exercise: Exercise) -> tuple[Path, ...]:
    """The folder with the package that an answer may import, if there is a book around it."""
    from loom.exercise.package import package_folder

    if exercise.packages is not None:
        return (package_folder(None, exercise),)
    root = exercise.path.parent.parent
    if not (root / "_toc.yml").is_file():
        return ()
    return (package_folder(root, exercise),)


class Bench:
    """The reference and the answer, each in its worker, side by side."""

    def __init__(self, exercise: Exercise, warm: Warm, seed: int, cases: Sequence[Case],
                 source: str, file: str, text: Text, known: Known | None = None,
                 patience: float | None = None) -> None:
        self.known, self.patience = known, patience
        self.exercise, self.warm, self.seed, self.text = exercise, warm, seed, text
        self.review = Review(exercise, text, file, seed, _packages(exercise))
        self.source, self.file = source, file
        self.megabytes = max(case.megabytes for case in cases)
        self.cpu = int(2 * LOADING + sum(case.seconds for case in cases) * 20) + 60
        self.answer: Hand | None = None
        self.reference: Hand | None = None
        self.loaded = False  # whether the reference's worker has it
        self.key = (exercise.id, exercise.solution, _packages(exercise), self.megabytes, self.cpu)
        self.defined: dict[str, bool] = {}
        self.printed: list[str] = []

    def close(self) -> None:
        """End both workers."""
        self._drop()
        if self.reference is not None:
            if self.loaded:
                self.warm.keep(self.key, self.reference)
            else:
                self.reference.close()
            self.reference = None

    def output(self) -> str:
        """What the answer printed, over all its workers."""
        text = "".join(self.printed)
        if len(text) <= MOST_OUTPUT + 200:
            return text
        return text[:MOST_OUTPUT] + f"\n{CUT}: too many characters were printed to keep them\n"

    def _drop(self) -> None:
        if self.answer is not None:
            self.answer.close()
            self.printed.append(self.answer.output)
            self.answer = None

    def _worker(self) -> Hand:
        return self.warm.worker(_packages(self.exercise), megabytes=self.megabytes,
                                seconds=self.cpu)

    def _load(self, hand: Hand, source: str, file: str, seconds: float) -> Reply:
        try:
            message = {"op": "load", "source": source, "file": file, "seed": 0}
            return hand.ask(message, seconds, self.megabytes)
        except BaseException:
            hand.close()
            raise

    def open(self) -> list[str]:
        """Load the answer; why it cannot be asked anything, if so."""
        try:
            self.answer = self._worker()
            if self.reference is None and not self.known:
                self.reference = self.warm.kept(self.key)
                self.loaded = self.reference is not None
                # a new one gets ready while the answer is loaded
                self.reference = self.reference or self._worker()
            reply = self._load(self.answer, self.source, self.file, LOADING)
        except wire.Unsendable:
            return ["the answer's text holds a character that no file can hold"]
        during = " while the file is run"
        if reply.message is None:
            lines = messages.ended(reply, self.text, self.file, LOADING, self.megabytes, during)
            self._drop()
            return lines
        error = reply.message.get("raised")
        if isinstance(error, dict):
            return messages.raised(error, self.text, packages=self.review.packages)
        names = reply.message.get("names")
        self.defined = {one[0]: one[1] is True for one in names if isinstance(one, list)
                        and len(one) == 2 and isinstance(one[0], str)} \
            if isinstance(names, list) else {}
        if not any(name in self.defined for name in self.exercise.names):
            return messages.missing(self.exercise.names[0], list(self.defined))
        return []

    def expect(self, case: Case, call: Call, number: int = 0) -> Reply:
        """What the reference makes of a call, the one of this number in its case.

        Raises:
            LoomError: it fails, or does not do what the case says.
        """
        key = (self.exercise.id, self.seed, case.name, number)
        if self.known is not None and case.times is None and key in self.known:
            return deepcopy(self.known[key])  # a case's `check` may do with it what it likes
        try:
            reply = self._refer(case, call)
            if reply.message is None:  # its worker may have served many answers before
                reply = self._refer(case, call)
        except wire.Unsendable as error:
            raise self.review.wrong(case, f"the inputs hold {error}") from error
        if case.raises is not None:
            found = (reply.message or {}).get("raised")
            if not isinstance(found, dict) or case.raises not in messages.kinds_of(found):
                raise self.review.wrong(case, f"the reference does not raise {case.raises}: "
                                  + summary(reply))
            lacking = unsaid(case, call, str(found.get("text")))
            if lacking:
                raise self.review.wrong(
                    case, f"the reference's message does not mention {lacking!r}")
        elif reply.message is None or "value" not in reply.message:
            raise self.review.wrong(case, f"the reference fails: {summary(reply)}")
        if self.known is not None:
            self.known[key] = deepcopy(reply)
        return reply

    def _refer(self, case: Case, call: Call) -> Reply:
        """Ask the reference's worker; a new one if there is none any more."""
        if self.reference is not None and not self.reference.alive:
            self.reference, self.loaded = None, False
        if self.reference is None:
            self.reference = self.warm.kept(self.key)
            self.loaded = self.reference is not None
        if self.reference is None or not self.loaded:
            self.reference = self.reference or self._worker()
            reply = self._load(self.reference, self.exercise.solution, "reference.py", REFERENCE)
            if reply.message is None or "raised" in reply.message:
                raise LoomError(Problem(self.exercise.place, "the reference cannot be loaded: "
                                        + summary(reply), "mend the answer cell"))
            self.loaded = True
        return self.reference.ask(self._message(case, call), REFERENCE, 4 * case.megabytes)

    def _message(self, case: Case, call: Call) -> dict[str, Any]:
        return {"op": "call", "call": case.call, "drive": case.drive,
                "args": list(call.args), "kwargs": dict(call.kwargs),
                "seed": case.seed(self.seed)}

    def run(self, case: Case) -> list[str]:
        """Put a case to the answer; what is wrong, empty if nothing is."""
        calls = case.calls(self.seed)
        for i, call in enumerate(calls):
            expected = self.expect(case, call, i)
            if self.answer is None:
                problem = self.open()
                if problem:
                    return ["its file could not be run again for this case", *problem]
            if not case.drive and case.call not in self.defined:
                return messages.missing(case.call, list(self.defined))
            if not case.drive and not self.defined[case.call]:
                return [f"`{case.call}` is no function", "→ keep the `def` or `class` of the stub"]
            assert self.answer is not None
            reply = self.answer.ask(self._message(case, call), self._limit(case, expected),
                                    case.megabytes)
            lines = self.review.faults(case, call, reply, expected)
            if not lines and case.times is not None:
                lines = self._slow(case, call, reply, expected)
            if not self.answer.alive:
                self._drop()
            if lines:
                head = messages.called(case, call, self.exercise.solution, (i + 1, len(calls)))
                return [*head, *lines]
        return []

    def _limit(self, case: Case, reference: Reply) -> float:
        """The seconds that a call may take."""
        if self.patience is None:
            return case.seconds
        return min(case.seconds, max(LEAST_PATIENCE, self.patience * reference.seconds))

    def _slow(self, case: Case, call: Call, reply: Reply, reference: Reply) -> list[str]:
        """What is wrong with the time it took: the best of some tries counts.

        The reference's worker tells how long its call took, and so how long
        sending and receiving these arguments and results does. What the
        answer's worker says of its own time would be hearsay.
        """
        assert case.times is not None and self.answer is not None
        theirs, around = _taken(reference)
        mine = reply.seconds
        if mine <= max(SHORTEST, case.times * theirs):
            return []
        for attempt in range(3):
            if attempt and mine - around > 4 * max(SHORTEST, case.times * theirs):
                break  # beyond any noise
            again = self.answer.ask(self._message(case, call), self._limit(case, reference),
                                    case.megabytes)
            if again.message is None:
                break
            more, least = _taken(self.expect(case, call))
            mine, around, theirs = min(mine, again.seconds), min(around, least), max(theirs, more)
        if mine - around <= max(SHORTEST, case.times * theirs):
            return []
        return [f"right, but too slow: more than {case.times:g} times the reference's time",
                "→ the same can be had in far fewer steps"]


def _taken(reply: Reply) -> tuple[float, float]:
    """How long a reference's call took, and all that is around it."""
    took = float((reply.message or {}).get("took", 0.0))
    return took, max(0.0, reply.seconds - took)


def summary(reply: Reply) -> str:
    """What a reference did instead of returning, for an author."""
    if reply.message is None:
        return f"{reply.ended} {reply.detail}".strip()
    error = reply.message.get("raised")
    if isinstance(error, dict):
        lines = ", ".join(map(str, error.get("lines", [])))
        return plain(f"{messages.kinds_of(error)[0]}: {error.get('text')}") \
            + (f" (line {lines} of the cell)" if lines else "")
    if "value" in reply.message:
        return "it returns a value"
    return plain(str({k: v for k, v in reply.message.items() if k != "id"}))
