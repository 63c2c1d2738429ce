"""The judge: asks an answer in a process of its own, and decides what it earned.

Expected values come from the reference, which runs in another worker, with
inputs that this process draws. What a worker sends is data: nothing that an
answer can do makes more of it than a wrong value.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection
from contextlib import ExitStack
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Literal

from loom.errors import Problem
from loom.grade import messages
from loom.grade.bench import LOADING, Bench, Known
from loom.grade.cases import load_cases
from loom.grade.messages import Text
from loom.grade.verdict import Outcome, Verdict
from loom.grade.warm import Warm

if TYPE_CHECKING:
    from loom.exercise.answers import Answer
    from loom.exercise.source import Exercise
    from loom.grade.sandbox import Sandbox

__all__ = ["LOADING", "Known", "Outcome", "Verdict", "judge"]

LARGEST = 1 << 20  # characters of an answer


def judge(exercise: Exercise, answer: Answer | str, *, seed: int | None = None,
          everything: bool = False, warm: Warm | None = None,
          sandbox: Sandbox | None = None, known: Known | None = None,
          only: Collection[str] | None = None, patience: float | None = None) -> Verdict:
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
        only: names of the cases to run; default: all of them.
        patience: stop a call that takes so many times the reference's time, and more than
            a second, before the time of its case is up: for answers that are known to be wrong.

    Raises:
        LoomError: the exercise itself is wrong (its cases, its reference), or
            no process can be started. Never for anything an answer does.
    """
    started = perf_counter()
    seed = secrets.randbelow(1 << 32) if seed is None else seed
    cases = load_cases(exercise)
    outcomes = [Outcome(c.name, c.points, 0, "not run", (), c.why) for c in cases]
    state: Literal["passed", "failed", "not started", "broken"]
    source, text, problem = _text(exercise, answer)
    if problem or _untouched(exercise, answer):
        state = "broken" if problem else "not started"
        return Verdict(exercise.id, seed, state, tuple(outcomes), perf_counter() - started,
                       tuple(problem[:messages.MOST_LINES]))
    file = "answer.py" if isinstance(answer, str) else _file(answer.path)
    with ExitStack() as stack:
        if warm is None or not exercise.libraries <= warm.libraries:
            of = sandbox if warm is None else warm.sandbox
            warm = stack.enter_context(Warm(exercise.libraries, sandbox=of))
        bench = Bench(exercise, warm, seed, cases, source, file, text, known,
                      patience)
        stack.callback(bench.close)
        problem = bench.open()
        for i, case in enumerate(() if problem else cases):
            if only is not None and case.name not in only:
                continue
            lines = tuple(bench.run(case)[:messages.MOST_LINES])
            outcomes[i] = Outcome(case.name, case.points, 0 if lines else case.points,
                                  "failed" if lines else "passed", lines, case.why)
            if lines and not everything:
                break
        bench.close()
        passed = all(outcome.state == "passed" for outcome in outcomes)
        state = "broken" if problem else "passed" if passed else "failed"
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
    shown = "".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in str(problem))
    return [line[:messages.WIDEST] for line in shown.split("\n") if line.strip()]


def _untouched(exercise: Exercise, answer: Answer | str) -> bool:
    """Whether an answer is the stub as it was given."""
    if not isinstance(answer, str):
        return not answer.started
    return [line.rstrip() for line in answer.splitlines() if line.strip()] \
        == [line.rstrip() for line in exercise.stub.splitlines() if line.strip()]
