"""A process that judges submissions, one after the other, for a batch.

Run as ``python -m loom.grade.batch.grader``. It reads orders on its standard input
and writes what came of them on its standard output, a line of JSON each. What
it is given to judge is dangerous, so it may end at any time; the batch then
starts another one.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from loom.errors import LoomError, Place, Problem
from loom.exercise.answers import Answer, read_answers
from loom.exercise.bundle import read_bundle
from loom.exercise.model import Exercise


def main() -> None:
    """Serve until the batch closes its end."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what anybody prints here is not an answer to the batch
    setup = json.loads(sys.stdin.readline())
    exercises = read_bundle(Path(setup["bundle"]))
    with ExitStack() as stack:
        bench = Bench(exercises, setup, stack)

        def say(what: dict[str, Any]) -> None:
            out.write(json.dumps(what) + "\n")
            out.flush()

        for line in sys.stdin:
            try:
                for said in bench.grade(json.loads(line)):
                    say(said)
            except LoomError as error:  # a mistake in an exercise, or in what is installed
                say({"fault": [str(problem) for problem in error.problems]})


class Bench:
    """The exercises, and the warm processes that answers to them run in."""

    def __init__(self, exercises: Sequence[Exercise], setup: dict[str, Any],
                 stack: ExitStack) -> None:
        self.exercises = exercises
        self.seed = int(setup["seed"])
        self.stack = stack
        self.sandbox = self._sandbox() if setup["bubblewrap"] else None
        self.warm: dict[frozenset[str], Any] = {}
        self.known: dict[Any, Any] = {}  # the reference is asked once, for all submissions

    def grade(self, order: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Judge one submission.

        Args:
            order: ``files``, each with the ``copy`` that is read and the
                ``path`` that is named; ``done``, the exercises to leave out.

        Yields:
            ``next`` before each exercise, then its ``verdict`` as JSON and
            ``notes``; at last ``done``.
        """
        read = [read_as(Path(file["copy"]), Path(file["path"]), self.exercises)
                for file in order["files"]]
        for exercise in self.exercises:
            if exercise.id in order["done"]:
                continue
            answer, notes = choose([answers[exercise.id] for answers in read])
            yield {"next": exercise.id}
            yield {"exercise": exercise.id, "verdict": self._verdict(exercise, answer),
                   "notes": notes}
        yield {"done": True}

    def _verdict(self, exercise: Exercise, answer: Answer) -> dict[str, Any]:
        from loom.grade.judge import judge

        return judge(exercise, answer, seed=self.seed, everything=True,
                     warm=self._warm(exercise.libraries), known=self.known).as_json()

    def _warm(self, libraries: frozenset[str]) -> Any:
        from loom.grade.warm import Warm

        if libraries not in self.warm:
            warm = Warm(libraries, sandbox=self.sandbox)
            self.warm[libraries] = self.stack.enter_context(warm)
        return self.warm[libraries]

    def _sandbox(self) -> Any:
        """Bubblewrap around the warm processes."""
        from loom.grade.sandbox import Sandbox

        packages = {e.packages for e in self.exercises if e.packages is not None}
        return Sandbox(packages=tuple(sorted(packages)))


def read_as(copy: Path, path: Path, exercises: Sequence[Exercise]) -> dict[str, Answer]:
    """The answers in the copy of a file, told as if they stood in the file itself."""
    named = {}
    for key, answer in read_answers(copy, exercises).items():
        problem = answer.problem
        if problem is not None and problem.place is not None:
            problem = Problem(Place(path, problem.place.line), problem.what, problem.remedy)
        named[key] = dataclasses.replace(answer, path=path, problem=problem)
    return named


def choose(answers: Sequence[Answer]) -> tuple[Answer, list[str]]:
    """The answer that counts of those in a submission's files, in the order of these.

    One that was begun and can be run comes before one that cannot, that
    before one that was not begun.

    Returns:
        The answer, and what the teacher has to know about the choice.
    """
    def rank(answer: Answer) -> int:
        if answer.problem is None:
            return 0 if answer.started else 2
        return 1 if answer.line > 1 else 3  # in this file, or in none

    chosen = min(answers, key=rank)
    others = [str(a.path) for a in answers if a is not chosen and rank(a) == rank(chosen) == 0
              and a.source.strip() != chosen.source.strip()]
    return chosen, [f"answered in {chosen.path} and in {', '.join(others)}: the first counts"] \
        if others else []


if __name__ == "__main__":
    main()
