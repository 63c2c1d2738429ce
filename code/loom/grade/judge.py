"""The judge: asks an answer in a process of its own, and decides what it earned.

Expected values come from the reference, which runs in another worker, with
inputs that this process draws. What a worker sends is data: nothing that an
answer can do makes more of it than a wrong value.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from contextlib import ExitStack
from copy import deepcopy
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, Literal

from loom.errors import LoomError, Problem
from loom.grade import messages, wire
from loom.grade.cases import Call, Case, load_cases
from loom.grade.compare import differences, identical
from loom.grade.hand import MOST_OUTPUT, Hand, Reply
from loom.grade.messages import Text, plain
from loom.grade.warm import Warm

if TYPE_CHECKING:
    from loom.exercise.answers import Answer
    from loom.exercise.source import Exercise
    from loom.grade.sandbox import Sandbox

LOADING = 5.0  # seconds that running an answer's file may take
REFERENCE = 60.0  # seconds for the reference: its author has seen to it
SHORTEST = 0.05  # seconds that every call may take, however quick the reference is
LARGEST = 1 << 20  # characters of an answer

# By exercise, seed, case and number of the call: what the reference makes of it.
Known = dict[tuple[str, int, str, int], Reply]


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
        """The verdict as data, the same for the same answer and seed."""
        return {
            "exercise": self.exercise, "seed": self.seed, "state": self.state,
            "earned": self.earned, "points": self.points, "problem": list(self.problem),
            "cases": [{"case": o.case, "points": o.points, "earned": o.earned, "state": o.state,
                       "lines": list(o.lines), "why": o.why} for o in self.outcomes],
            "output": self.output,
        }


def judge(exercise: Exercise, answer: Answer | str, *, seed: int | None = None,
          everything: bool = False, warm: Warm | None = None,
          sandbox: Sandbox | None = None, known: Known | None = None) -> Verdict:
    """Judge an answer.

    Args:
        exercise: with its cases and its reference.
        answer: a learner's, or the text of one.
        seed: of the inputs; default: a fresh one, which the verdict tells.
        everything: whether the cases after the first failing one run too.
        warm: the process that gives workers; default: one for this call.
        sandbox: run the answer as somebody else's work, where ``warm`` is not given.
        known: what the reference made of earlier calls, which is used and added to: for
            many answers to one exercise. What is timed is asked again all the same.

    Raises:
        LoomError: the exercise itself is wrong (its cases, its reference), or
            no process can be started. Never for anything an answer does.
    """
    started = perf_counter()
    seed = secrets.randbelow(1 << 32) if seed is None else seed
    with ExitStack() as stack:
        if warm is None or not exercise.libraries <= warm.libraries:
            of = sandbox if warm is None else warm.sandbox
            warm = stack.enter_context(Warm(exercise.libraries, sandbox=of))
        cases = load_cases(exercise)
        source, text, problem = _text(exercise, answer)
        file = "answer.py" if isinstance(answer, str) else _file(answer.path)
        bench = _Bench(exercise, warm, seed, cases, source, file, text, known)
        stack.callback(bench.close)
        outcomes: list[Outcome] = []
        state: Literal["passed", "failed", "not started", "broken"] = "failed"
        if not problem and _untouched(exercise, answer):
            state = "not started"
        else:
            problem = problem or bench.open()
            state = "broken" if problem else "failed"
        running = state == "failed"
        for case in cases:
            if not running:
                outcomes.append(Outcome(case.name, case.points, 0, "not run", (), case.why))
                continue
            lines = tuple(bench.run(case)[:messages.MOST_LINES])
            outcomes.append(Outcome(case.name, case.points, 0 if lines else case.points,
                                    "failed" if lines else "passed", lines, case.why))
            running = everything or not lines
        if state == "failed" and all(o.state == "passed" for o in outcomes):
            state = "passed"
        bench.close()
        return Verdict(exercise.id, seed, state, tuple(outcomes), perf_counter() - started,
                       tuple(problem[:messages.MOST_LINES]), bench.output(), warm.lacks)


def _text(exercise: Exercise, answer: Answer | str) -> tuple[str, Text, list[str]]:
    """An answer's source, how to quote it, and what keeps it from being run."""
    if isinstance(answer, str):
        source, problem = answer, None
        text = Text(source, lambda line: f"answer.py:{line}")
    else:
        source, problem = answer.source, answer.problem
        text = Text(source, answer.where)
    if problem is not None:
        return source, text, _told(problem)
    if len(source) > LARGEST:
        return "", text, [f"the answer has {len(source):,} characters, more than {LARGEST:,}",
                          "→ an answer is a page or two: is there data in it?"]
    return source, text, []


def _file(path: Path) -> str:
    """What an answer's file is called in what it prints itself."""
    common = path.suffix == ".py" and path.stem.replace("_", "a").isalnum() and path.name.isascii()
    return path.name if common else "answer.py"


def _told(problem: Problem) -> list[str]:
    return [line for line in str(problem).split("\n") if line.strip()]


def _untouched(exercise: Exercise, answer: Answer | str) -> bool:
    """Whether an answer is the stub as it was given."""
    if not isinstance(answer, str):
        return not answer.started
    return [line.rstrip() for line in answer.splitlines() if line.strip()] \
        == [line.rstrip() for line in exercise.stub.splitlines() if line.strip()]


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


class _Bench:
    """The reference and the answer, each in its worker, side by side."""

    def __init__(self, exercise: Exercise, warm: Warm, seed: int, cases: Sequence[Case],
                 source: str, file: str, text: Text, known: Known | None = None) -> None:
        self.known = known
        self.exercise, self.warm, self.seed, self.text = exercise, warm, seed, text
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
        return text[:MOST_OUTPUT] + f"\n… cut here: {MOST_OUTPUT:,} characters are shown\n"

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
            return messages.raised(error, self.text)
        names = reply.message.get("names")
        self.defined = {one[0]: one[1] is True for one in names if isinstance(one, list)
                        and len(one) == 2 and isinstance(one[0], str)} \
            if isinstance(names, list) else {}
        if not any(name in self.defined for name in self.exercise.names):
            return messages.missing(self.exercise.names[0], list(self.defined))
        return []

    def _wrong(self, case: Case, what: str) -> LoomError:
        return LoomError(Problem(case.place, f"`{self.exercise.id}`, “{case.name}”: {what}",
                                 f"mend the case or the solution; seed {self.seed} shows it"))

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
            raise self._wrong(case, f"the inputs hold {error}") from error
        if case.raises is not None:
            found = (reply.message or {}).get("raised")
            if not isinstance(found, dict) or case.raises not in messages.kinds_of(found):
                raise self._wrong(case, f"the reference does not raise {case.raises}: "
                                  + _summary(reply))
            unsaid = _unsaid(case, call, str(found.get("text")))
            if unsaid:
                raise self._wrong(case, f"the reference's message does not mention {unsaid!r}")
        elif reply.message is None or "value" not in reply.message:
            raise self._wrong(case, f"the reference fails: {_summary(reply)}")
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
                                        + _summary(reply), "mend the answer cell"))
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
            reply = self.answer.ask(self._message(case, call), case.seconds, case.megabytes)
            lines = self._judge(case, call, reply, expected)
            if not lines and case.times is not None:
                lines = self._slow(case, call, reply, expected)
            if not self.answer.alive:
                self._drop()
            if lines:
                head = messages.called(case, call, self.exercise.solution, (i + 1, len(calls)))
                return [*head, *lines]
        return []

    def _judge(self, case: Case, call: Call, reply: Reply, reference: Reply) -> list[str]:
        """What is wrong with the reply to one call."""
        if reply.message is None:
            return messages.ended(reply, self.text, self.file, case.seconds, case.megabytes, "")
        got, wanted = reply.message, reference.message
        assert wanted is not None
        if "signature" in got:
            return messages.signature(case.call, call, self.exercise.solution,
                                      str(got["signature"]))
        notes = messages.warned(got.get("warnings"), self.text)
        error = got.get("raised")
        if case.raises is not None:
            return self._refused(case, call, got) or []
        if isinstance(error, dict):
            by = "the grader calls it: is it there, with the stub's parameters?"
            return [*messages.raised(error, self.text, by), *notes[:1]]
        if "unsendable" in got:
            return messages.unsendable(str(got["unsendable"]))
        if "unsendable_arguments" in got:
            return ["it changes its arguments into what cannot be sent",
                    "→ leave the arguments as they are"]
        if "value" not in got:
            return ["it sent the grader no value", "→ let the function return its value"]
        value, expected = got["value"], wanted["value"]
        if case.check is not None:
            lines = self._checked(case, call, value, expected)
        else:
            lines = differences(value, expected, rtol=case.rtol, atol=case.atol, dtype=case.dtype)
        if lines and value is None and expected is not None:
            lines = [*lines[:1], messages.nothing(reply.printed)]
        if lines:
            return [*lines, *notes]
        return self._changed(case, call, got, wanted)

    def _refused(self, case: Case, call: Call, got: dict[str, Any]) -> list[str]:
        """What is wrong where an exception is expected."""
        error = got.get("raised")
        if not isinstance(error, dict):
            return [f"no exception, expected {case.raises}",
                    f"→ raise {case.raises} for this argument"]
        kinds = messages.kinds_of(error)
        if case.raises not in kinds:
            return [*messages.raised(error, self.text), f"expected {case.raises}"]
        unsaid = _unsaid(case, call, str(error.get("text", "")))
        if unsaid:
            return [plain(f"{kinds[0]}: {error.get('text', '')}"),
                    f"its message does not mention {unsaid!r}"]
        return []

    def _checked(self, case: Case, call: Call, value: Any, expected: Any) -> list[str]:
        """What the case's own predicate says.

        An error in it is the answer's if the reference's value passes: a value
        of another type or shape, which the predicate did not expect.
        """
        assert case.check is not None
        inputs: Any = dict(call.kwargs) if call.kwargs else list(call.args)
        try:
            said = case.check(value, inputs, expected)
        except Exception:
            try:
                case.check(expected, inputs, expected)
            except Exception as error:
                raise self._wrong(case, f"`check` fails on the reference's own value: "
                                  f"{type(error).__name__}: {error}") from error
            return differences(value, expected, rtol=float("inf"), dtype=case.dtype) or [
                "it returns a value of another type or shape than asked for"]
        if said is None:
            return []
        if not isinstance(said, str):
            raise self._wrong(case, f"`check` returned {said!r}: it is to be None or a text")
        return [plain(line) for line in said.splitlines() if line.strip()] or ["it is wrong"]

    def _changed(self, case: Case, call: Call, got: dict[str, Any],
                 wanted: dict[str, Any]) -> list[str]:
        """What is wrong with the arguments after the call."""
        args, kwargs = got.get("args"), got.get("kwargs")
        names = messages.parameters(case.drive or self.exercise.solution, case.call) or ()
        if case.drive:
            names = names[1:]
        if not isinstance(args, list) or not isinstance(kwargs, dict) \
                or len(args) != len(call.args) or kwargs.keys() != call.kwargs.keys():
            return ["it sent the grader no arguments", "→ let the function return its value"]
        triples = [(names[i] if i < len(names) else f"argument {i + 1}", i, before, args[i],
                    wanted["args"][i]) for i, before in enumerate(call.args)]
        triples += [(name, -1, before, kwargs[name], wanted["kwargs"][name])
                    for name, before in call.kwargs.items()]
        for name, i, before, after, theirs in triples:
            allowed = name in case.mutates or (i >= 0 and i in case.mutates)
            if allowed or case.drive:
                if case.check is None or allowed:
                    lines = differences(after, theirs, rtol=case.rtol, atol=case.atol,
                                        dtype=case.dtype, where=f"{name} after the call")
                    if lines:
                        return lines
            elif not _same(before, after):
                return [f"it changes its argument {name}",
                        f"→ work on a copy: {name} belongs to the caller"]
        return []

    def _slow(self, case: Case, call: Call, reply: Reply, reference: Reply) -> list[str]:
        """What is wrong with the time it took: the best of some tries counts.

        The reference's worker tells how long its call took, and so how long
        sending and receiving these arguments and results does. What the
        answer's worker says of its own time would be hearsay.
        """
        assert case.times is not None and self.answer is not None
        theirs, around = _taken(reference)
        mine = reply.seconds - around
        for _ in range(3):
            if mine <= max(SHORTEST, case.times * theirs):
                return []
            again = self.answer.ask(self._message(case, call), case.seconds, case.megabytes)
            if again.message is None:
                break
            more, around = _taken(self.expect(case, call))
            mine, theirs = min(mine, again.seconds - around), max(theirs, more)
        return [f"right, but too slow: more than {case.times:g} times the reference's time",
                "→ let numpy do the loop"]


def _taken(reply: Reply) -> tuple[float, float]:
    """How long a reference's call took, and all that is around it."""
    took = float((reply.message or {}).get("took", 0.0))
    return took, max(0.0, reply.seconds - took)


def _same(before: Any, after: Any) -> bool:
    """Whether an argument came back as it went; marks of the judge's own aside."""
    try:
        sent = wire.value_of(wire.frame(before))
    except (wire.Unsendable, wire.Malformed):
        return False
    return identical(sent, after)


def _unsaid(case: Case, call: Call, text: str) -> str:
    """The first thing that an exception's message should mention, and does not."""
    wanted = case.mentions
    if callable(wanted):
        inputs = dict(call.kwargs) if call.kwargs else list(call.args)
        wanted = wanted(inputs)
    return next((one for one in wanted if str(one) not in text), "")


def _summary(reply: Reply) -> str:
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
