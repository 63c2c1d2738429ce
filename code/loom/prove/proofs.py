"""Proofs that the graders are sound: what must pass passes, what must fail fails.

One exercise is proven by itself, so that many can be proven side by side.
The proofs are numbered as the table of ``loom prove`` shows them.
"""

from __future__ import annotations

import ast
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from multiprocessing import active_children
from pathlib import Path
from typing import Any

from loom.exercise.model import Code, Exercise
from loom.grade.cases import load_cases
from loom.grade.judge import Known, Verdict, judge
from loom.grade.messages import at_a_limit
from loom.grade.warm import Warm
from loom.prove.degenerate import degenerate
from loom.prove.mutate import mutants, normalized

PROOFS = {
    1: "the reference gets full marks on every seed",
    2: "the stub and degenerate answers never do",
    3: "each named wrong answer fails, on every seed, the case that it names",
    4: "of automatic mutants at least 90 % fail, and each survivor is justified",
    5: "two other right answers get full marks",
    6: "no case is idle: without it, some wrong answer would pass",
    8: "a failure says why, in at most 12 lines",
    9: "same seed, same verdict",
    10: "the stub contains no line of its solution",
}
PATIENCE = 25.0  # times the reference's time that a wrong answer is given
LINES = 12  # that a learner reads about one failed case


@dataclass(frozen=True)
class Plan:
    """How thorough to be."""

    reference_seeds: int = 50
    wrong_seeds: int = 20
    accepted_seeds: int = 10
    wrong_answers: int = 6  # at least
    accepted_answers: int = 2  # at least
    rejected: float = 0.9  # of the automatic mutants


@dataclass
class Findings:
    """What was found of one exercise.

    Attributes:
        counts: by proof, what the table prints: ``50/50``.
        problems: by proof, what is wrong, a line each.
        seconds: how long the proofs took.
    """

    exercise: str
    counts: dict[int, str] = field(default_factory=dict)
    problems: dict[int, list[str]] = field(default_factory=dict)
    seconds: float = 0.0

    def add(self, proof: int, count: str, problems: Iterable[str]) -> None:
        """Note the outcome of a proof."""
        self.counts[proof] = count
        self.problems[proof] = list(problems)

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong."""
        return not any(self.problems.values())


def prove(exercises: Iterable[Exercise], root: Path, plan: Plan | None = None, jobs: int = 2,
          tell: Callable[[Findings], None] = lambda findings: None) -> list[Findings]:
    """Prove exercises, several side by side.

    Args:
        exercises: which ones.
        root: the book's folder.
        plan: how many seeds; the book's own numbers if not given.
        jobs: processes.
        tell: is given each exercise's findings as they come.

    Returns:
        The findings in the order of the exercises.
    """
    order = list(exercises)
    found: dict[str, Findings] = {}
    with ProcessPoolExecutor(jobs) as pool:
        waiting = [pool.submit(prove_one, exercise, root, plan or Plan()) for exercise in order]
        try:
            for done in as_completed(waiting):
                findings = done.result()
                found[findings.exercise] = findings
                tell(findings)
        except BaseException:  # a request to stop does not wait for what is left
            pool.shutdown(wait=False, cancel_futures=True)
            for process in active_children():
                process.kill()  # what it judges with ends when its pipe closes
            raise
    return [found[exercise.id] for exercise in order]


def prove_one(exercise: Exercise, root: Path, plan: Plan) -> Findings:
    """All proofs of one exercise."""
    started = time.monotonic()
    with Warm(exercise.libraries) as warm:
        findings = _Prover(exercise, warm, plan).run()
    findings.seconds = time.monotonic() - started
    return findings


class _Prover:
    def __init__(self, exercise: Exercise, warm: Warm, plan: Plan) -> None:
        self.exercise, self.warm, self.plan = exercise, warm, plan
        self.findings = Findings(exercise.id)
        self.seed = 1_000  # fixed, so that a proof can be repeated
        self.known: Known = {}  # what the reference says, of every seed
        cases = load_cases(exercise)
        self.cases = [case.name for case in cases]
        self.timed = {case.name for case in cases if case.times is not None}
        self.alone: dict[str, str] = {}  # a case, and a wrong answer that only it catches

    def run(self) -> Findings:
        self._reference()
        self._degenerate()
        self._wrong()
        self._mutants()
        self._accepted()
        self._idle()
        self._same()
        self._stub()
        return self.findings

    def _judge(self, source: str, seed: int | None = None, everything: bool = True,
               only: str | None = None, patience: float | None = None) -> Verdict:
        return judge(self.exercise, source, seed=self.seed if seed is None else seed,
                     everything=everything, warm=self.warm, known=self.known,
                     only=None if only is None else (only,), patience=patience)

    def _seeds(self, count: int) -> range:
        return range(self.seed, self.seed + count)

    def _passes(self, source: str, seeds: int) -> list[str]:
        """What went wrong, of an answer that is right."""
        problems = []
        for seed in self._seeds(seeds):
            verdict = self._judge(source, seed)
            if verdict.state != "passed":
                problems.append(f"seed {seed}: {_story(verdict)}")
        return problems

    def _reference(self) -> None:
        n = self.plan.reference_seeds
        problems = self._passes(self.exercise.solution, n)
        self.findings.add(1, f"{n - len(problems)}/{n}", problems)

    def _degenerate(self) -> None:
        touched = self.exercise.stub + "\n# touched\n"  # so that it is run
        answers = [Code("the stub, touched", touched, 1), *degenerate(self.exercise)]
        passed = [a.name for a in answers if self._judge(a.source).state == "passed"]
        problems = [f"`{name}` gets full marks" for name in passed]
        if self._judge(self.exercise.stub).state != "not started":
            problems.append("an untouched stub is not told as such")
        self.findings.add(2, f"0/{len(answers)}" if not passed
                          else f"{len(passed)}/{len(answers)}", problems)

    def _wrong(self) -> None:
        wrong, problems, unclear, caught = self.exercise.wrong, [], [], 0
        if len(wrong) < self.plan.wrong_answers:
            problems.append(f"{len(wrong)} named wrong answers; "
                            f"{self.plan.wrong_answers} are asked for")
        for answer in wrong:
            missed = []
            for seed in self._seeds(self.plan.wrong_seeds):
                verdict = self._judge(answer.source, seed,
                                      only=None if seed == self.seed else answer.caught_by,
                                      patience=PATIENCE)
                failed = {o.case: o for o in verdict.outcomes if o.state == "failed"}
                if answer.caught_by not in failed:
                    missed.append(seed)
                elif seed == self.seed:
                    unclear += _unclear(answer, failed[answer.caught_by])
                    self._note_alone(answer.name, failed)
            caught += not missed
            if missed:
                problems.append(f"`{answer.name}` (line {answer.line}) gets through "
                                f"`{answer.caught_by}` on {len(missed)} of "
                                f"{self.plan.wrong_seeds} seeds, such as {missed[0]}")
        self.findings.add(3, f"{caught}/{len(wrong)}", problems)
        self.findings.add(8, f"{len(wrong) - len(unclear)}/{len(wrong)}", unclear)

    def _note_alone(self, name: str, failed: Iterable[str]) -> None:
        cases = list(failed)
        if len(cases) == 1:
            self.alone.setdefault(cases[0], name)

    def _mutants(self) -> None:
        justified = {(normalized(old), normalized(new))
                     for old, new, _ in self.exercise.equivalents}
        used, survivors, total, excused = set(), [], 0, 0
        for change in mutants(self.exercise.solution):
            total += 1
            everything = not set(self.cases) <= set(self.alone)  # needed to see what is idle
            verdict = self._judge(change.source, everything=everything, patience=PATIENCE)
            if verdict.state != "passed":
                if everything:
                    self._note_alone(str(change),
                                     [o.case for o in verdict.outcomes if o.state == "failed"])
                continue
            if (change.old, change.new) in justified:
                used.add((change.old, change.new))
                excused += 1
                continue
            survivors.append(f"survives, line {self.exercise.answer_line + change.line - 1}: "
                             f"equivalent({change.old!r}, {change.new!r}, because=…)")
        rejected = total - excused - len(survivors)
        if rejected < self.plan.rejected * total:
            survivors.append(f"{rejected} of {total} mutants fail; "
                             f"{self.plan.rejected:.0%} have to")
        survivors += [f"equivalent({old!r}, {new!r}) names no mutant that survives"
                      for old, new in sorted(justified - used)]
        self.findings.add(4, f"{rejected}/{total}", survivors)

    def _accepted(self) -> None:
        problems = []
        answers = self.exercise.accepted
        if len(answers) < self.plan.accepted_answers:
            problems.append(f"{len(answers)} other right answers; "
                            f"{self.plan.accepted_answers} are asked for")
        trees = [_tree(self.exercise.solution)]
        for answer in answers:
            problems += [f"`{answer.name}` (line {answer.line}), {problem}"
                         for problem in self._passes(answer.source, self.plan.accepted_seeds)]
            if _tree(answer.source) in trees:
                problems.append(f"`{answer.name}` (line {answer.line}) is the same answer again")
            trees.append(_tree(answer.source))
        self.findings.add(5, str(len(answers)), problems)

    def _idle(self) -> None:
        idle = [case for case in self.cases if case not in self.alone]
        self.findings.add(6, f"{len(self.cases) - len(idle)}/{len(self.cases)}",
                          [f"`{case}` is idle: whatever it catches, another case catches too"
                           for case in idle])

    def _same(self) -> None:
        answers = {"the solution": self.exercise.solution,
                   **{f"`{w.name}`": w.source for w in self.exercise.wrong[:2]}}
        problems = []
        for name, source in answers.items():
            once, again = (lasting(self._judge(source), self.timed) for _ in range(2))
            problems += [f"seed {self.seed} gives {name} two verdicts: {a} · {b}"
                         for a, b in zip(_parts(once), _parts(again), strict=True) if a != b]
        self.findings.add(9, "same" if not problems else "differs", problems)

    def _stub(self) -> None:
        shared = solution_lines_in(self.exercise)
        self.findings.add(10, "clean" if not shared else str(len(shared)),
                          [f"the stub shows `{line}`" for line in shared])


def solution_lines_in(exercise: Exercise) -> list[str]:
    """Lines that the solution adds to the stub and that the stub shows all the same."""
    stub = [line.strip() for line in exercise.stub.splitlines()]
    given, hidden = list(stub), []
    for line in map(str.strip, exercise.solution.splitlines()):
        if line in given:
            given.remove(line)
        else:
            hidden.append(line)
    return [line for line in hidden if line in stub and len(line) > len("return x")]


def lasting(verdict: Verdict, timed: set[str]) -> dict[str, Any]:
    """A verdict but for words that are the machine's doing.

    Those are what is told of a case that time or memory ended: whichever came
    first, at the line that happened to run. And of a case that asks for speed,
    whether it is told as too slow or as stopped.
    """
    return replace(
        verdict, problem=() if at_a_limit(verdict.problem) else verdict.problem,
        outcomes=tuple(replace(o, lines=()) if o.case in timed or at_a_limit(o.lines) else o
                       for o in verdict.outcomes)).as_json()


def _parts(verdict: dict[str, Any]) -> list[Any]:
    """What a verdict says of each case, and last all else."""
    return [*verdict["cases"], {k: v for k, v in verdict.items() if k != "cases"}]


def _story(verdict: Verdict) -> str:
    """In a line, why a verdict is not full marks."""
    for outcome in verdict.outcomes:
        if outcome.state == "failed":
            return f"`{outcome.case}` fails: {' · '.join(outcome.lines)}"
    return " · ".join(verdict.problem) or verdict.state


def _unclear(answer: Code, outcome: object) -> list[str]:
    """What is wrong with the report on a wrong answer."""
    lines, why = getattr(outcome, "lines", ()), getattr(outcome, "why", "")
    if not why:
        return [f"`{answer.name}`: its report has no why"]
    if len(lines) > LINES:
        return [f"`{answer.name}`: its report has {len(lines)} lines; {LINES} at most"]
    return []


def _tree(source: str) -> str:
    """A program without its layout, comments and docstrings."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and isinstance(body[0], ast.Expr) \
                and isinstance(body[0].value, ast.Constant):
            del body[0]
    return ast.dump(tree)
