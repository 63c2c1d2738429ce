"""Our judge inside other people's graders: a test cell of a notebook, or a file.

What calls this stands in a folder ``grader`` that an export has written: this
package, and beside it the bundle of exercises. The verdict is the judge's, in
processes of its own; who reports it is the other grader.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from loom.errors import LoomError, fail
from loom.exercise.answers import Answer, read_answers
from loom.exercise.bundle import read_bundle
from loom.exercise.model import Exercise
from loom.grade.judge import Verdict, judge
from loom.grade.warm import Warm

BUNDLE = Path(__file__).parents[2] / "bundle"  # beside the folder of this package
# Cells that belong to the other grader and not to the answer.
THEIRS = re.compile(
    r"loom\.grade\.foreign|^\s*(from|import) otter\b|^\s*grader\.check", re.MULTILINE)

_verdicts: dict[tuple[str, str], Verdict] = {}  # by exercise and source: one run for all its cases


def case(exercise: str, name: str) -> float:
    """The points of one case, for the answer that was run in this kernel.

    Args:
        exercise: the exercise's id.
        name: the case's.

    Raises:
        AssertionError: the case failed; with the lines that explain it.
        LoomError: no such exercise, or its cell was not run.
    """
    from loom.desk.notebook import answer_in, history_of

    exercises = read_bundle(BUNDLE)
    one = _one(exercises, exercise)
    history = ["" if THEIRS.search(cell) else cell for cell in history_of(exercise)]
    answer = answer_in(history, one, exercises, Path("answers.ipynb"))
    key = (one.id, answer.source)
    if key not in _verdicts:
        _verdicts[key] = judge(one, answer, everything=True)
    verdict = _verdicts[key]
    outcome = next((o for o in verdict.outcomes if o.case == name), None)
    if outcome is None:
        raise fail(f"`{exercise}` has no case `{name}`", "export the exercises again")
    if outcome.state != "passed":
        lines = outcome.lines or verdict.problem or (verdict.state,)
        raise AssertionError("\n".join([*lines, f"→ {outcome.why}"]))
    return outcome.points


def grade_file(exercises: Sequence[Exercise], path: Path,
               seed: int | None = None) -> list[Verdict]:
    """Judge every exercise of a learner's file.

    Args:
        exercises: of the file's chapter.
        path: a Python file or a notebook.
        seed: of the inputs; fresh if None.

    Raises:
        LoomError: there is no such file.
    """
    if not path.is_file():
        raise fail("there is no such file", "hand in a .py or .ipynb file of answers", path=path)
    answers = read_answers(path, exercises)
    verdicts = []
    for libraries in sorted({e.libraries for e in exercises}, key=sorted):
        with Warm(libraries) as warm:
            for one in exercises:
                if one.libraries == libraries:
                    answer: Answer | str = answers.get(one.id, one.stub)
                    verdicts.append(judge(one, answer, seed=seed, everything=True, warm=warm))
    order = [e.id for e in exercises]
    return sorted(verdicts, key=lambda v: order.index(v.exercise))


def gradescope(exercises: Sequence[Exercise], verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """The verdicts as Gradescope's ``results.json``: a test for each case."""
    titles = {e.id: f"{e.printed} {e.title}" for e in exercises}
    tests = [{"name": f"{titles[verdict.exercise]}: {outcome.case}",
              "score": outcome.earned, "max_score": outcome.points,
              "status": "passed" if outcome.state == "passed" else "failed",
              "output": _story(verdict, n), "visibility": "visible"}
             for verdict in verdicts for n, outcome in enumerate(verdict.outcomes)]
    return {"score": sum(v.earned for v in verdicts), "tests": tests,
            "stdout_visibility": "hidden"}


def classroom(verdict: Verdict) -> dict[str, Any]:
    """A verdict as GitHub Classroom's grading reporter reads it from a runner."""
    return {"version": 1, "max_score": verdict.points,
            "status": "pass" if verdict.state == "passed" else "fail",
            "tests": [{"name": outcome.case, "score": outcome.earned,
                       "status": "pass" if outcome.state == "passed" else "fail",
                       "message": _story(verdict, n), "test_code": "", "filename": "",
                       "line_no": 0, "execution_time": "0s"}
                      for n, outcome in enumerate(verdict.outcomes)]}


def main(arguments: Sequence[str] | None = None) -> int:
    """Grade a file from the command line: ``python grader/run.py FILE``."""
    parser = argparse.ArgumentParser(description="Grade the answers in a file.")
    parser.add_argument("file", type=Path, help="a Python file or a notebook of answers")
    parser.add_argument("--seed", type=int, help="the numbers of an earlier run")
    parser.add_argument("--gradescope", type=Path, metavar="RESULTS",
                        help="write Gradescope's results.json here")
    parser.add_argument("--classroom", metavar="ID", help="one exercise, as output of a step")
    chosen = parser.parse_args(arguments)
    try:
        exercises = read_bundle(BUNDLE)
        if chosen.classroom:
            exercises = (_one(exercises, chosen.classroom),)
        verdicts = grade_file(exercises, chosen.file, chosen.seed)
    except LoomError as error:
        if chosen.gradescope:
            chosen.gradescope.write_text(json.dumps({"score": 0, "output": str(error)}))
        print(error, file=sys.stderr)
        return 1
    for verdict in verdicts:
        print(f"{verdict.exercise}: {verdict.earned:g} of {verdict.points:g}")
        for n, outcome in enumerate(verdict.outcomes):
            if outcome.state != "passed":
                print("  " + f"{outcome.case}: {_story(verdict, n)}".replace("\n", "\n    "))
    if chosen.gradescope:
        content = gradescope(exercises, verdicts)
        chosen.gradescope.write_text(json.dumps(content, indent=1), encoding="utf-8")
    if chosen.classroom and "GITHUB_OUTPUT" in os.environ:
        content = classroom(verdicts[0])
        with open(os.environ["GITHUB_OUTPUT"], "a", encoding="utf-8") as out:
            out.write(f"result={base64.b64encode(json.dumps(content).encode()).decode()}\n")
    return 0 if all(v.state == "passed" for v in verdicts) else 1


def _one(exercises: Sequence[Exercise], name: str) -> Exercise:
    for one in exercises:
        if one.id == name:
            return one
    raise fail(f"no exercise `{name}` in this export",
               f"it holds {', '.join(e.id for e in exercises)}")


def _story(verdict: Verdict, n: int) -> str:
    """What a student reads about a case."""
    outcome = verdict.outcomes[n]
    if outcome.state == "passed":
        return ""
    if verdict.state == "not started":
        return verdict.state
    lines = outcome.lines or verdict.problem or (verdict.state,)
    again = f"(seed {verdict.seed})"
    return "\n".join([*lines, f"→ {outcome.why}", again])
