"""The proofs: a sound exercise passes them, and each kind of unsoundness is found."""

from __future__ import annotations

import ast
import importlib.util
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loom.exercise.model import Code, Exercise
from loom.grade.judge import judge
from loom.grade.messages import at_a_limit
from loom.grade.verdict import Outcome, Verdict
from loom.prove.degenerate import RESULTS, degenerate
from loom.prove.mutate import mutants, normalized
from loom.prove.proofs import Findings, Plan, lasting, prove_one, solution_lines_in


def _beside(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


made = _beside("exercises_made").made
ROOT = Path(__file__).parents[2]
QUICK = Plan(reference_seeds=3, wrong_seeds=3, accepted_seeds=2, wrong_answers=2,
             rejected=0.6)

CLAMP = """
def clamp(x, low, high):
    if low > high:
        raise ValueError(f"low={low} above high={high}")
    if x < low:
        return low
    return high if x > high else x
"""
CASES = """
case("inside", lambda r: [float(r.uniform(1, 2)), 0.0, 3.0], why="what is inside stays")
case("below", lambda r: [float(r.uniform(-2, -1)), 0.0, 3.0], why="what is below becomes low")
case("above", lambda r: [float(r.uniform(4, 5)), 0.0, 3.0], why="what is above becomes high")
case("an empty range", lambda r: each([0.0, 3.0, float(r.uniform(1, 2))]),
     raises=ValueError, why="no number lies in an empty range")
case("one point", lambda r: [float(r.uniform(0, 1)), 2.0, 2.0], why="a range may be one point")
"""
WRONG = (
    Code("the ends swapped", CLAMP.replace("return low", "return high"), 40, "below"),
    Code("no upper end", CLAMP.replace("return high if x > high else x", "return x"), 41, "above"),
    Code("no check", CLAMP.replace("if low > high:", "if False:"), 42, "an empty range"),
    Code("always low", "def clamp(x, low, high):\n    if low > high:\n        raise ValueError\n"
         "    return low if x < low or x < high else high", 43, "inside"),
    Code("a point refused", CLAMP.replace("low > high", "low >= high"), 44, "one point"),
)
OTHERS = (
    Code("with min and max", "def clamp(x, low, high):\n    if not low <= high:\n"
         "        raise ValueError(low)\n    return min(max(x, low), high)", 50),
    Code("sorted", "def clamp(x, low, high):\n    if high < low:\n        raise ValueError\n"
         "    return sorted([low, x, high])[1]", 51),
)
LAST = "return high if x > high else x"
SAME = (("x < low", "x <= low", "equal either way"),
        (LAST, LAST.replace(">", ">="), "equal either way"))
SOUND: Exercise = replace(made(CLAMP, CASES), wrong=WRONG, accepted=OTHERS, equivalents=SAME)


def proven(exercise: Exercise) -> Findings:
    return prove_one(exercise, Path("/"), QUICK)


def test_a_sound_exercise_is_proven() -> None:
    findings = proven(SOUND)
    assert findings.sound, findings.problems
    assert findings.counts[1] == "3/3" and findings.counts[3] == "5/5"
    assert findings.counts[6] == "5/5" and findings.seconds > 0


@pytest.mark.parametrize(("change", "proof", "words"), [
    ({"wrong": (*WRONG, Code("not wrong at all", OTHERS[0].source, 60, "inside"))},
     3, "gets through `inside` on 3 of 3 seeds"),
    ({"wrong": WRONG[:1]}, 3, "1 named wrong answers; 2 are asked for"),
    ({"equivalents": SAME[:1]}, 4, "equivalent('return high if x > high else x', "
     "'return high if x >= high else x', because=…)"),
    ({"equivalents": (*SAME, ("x + 1", "x + 2", "who knows"))}, 4, "names no mutant"),
    ({"accepted": OTHERS[:1]}, 5, "1 other right answers; 2 are asked for"),
    ({"accepted": (*OTHERS, Code("again", CLAMP + "# nothing new", 61))}, 5, "same answer again"),
    ({"accepted": (*OTHERS, Code("wrong", "def clamp(x, low, high):\n    return x", 62))},
     5, "`wrong` (line 62), seed 1000: `below` fails"),
    ({"stub": OTHERS[0].source}, 2, "`the stub, touched` gets full marks"),
])
def test_each_flaw_is_found(change: dict[str, object], proof: int, words: str) -> None:
    findings = proven(replace(SOUND, **change))
    assert any(words in problem for problem in findings.problems[proof]), findings.problems
    assert not findings.sound


CHANCE = Code("never twice the same", "import os\ndef clamp(x, low, high):\n"
              "    raise ValueError(os.urandom(8).hex())", 70, "inside")


def test_a_verdict_that_chance_decides_is_found() -> None:
    findings = proven(replace(SOUND, wrong=(CHANCE, *WRONG)))
    assert findings.counts[9] == "differs"
    assert any("gives `never twice the same` two verdicts" in problem and "inside" in problem
               for problem in findings.problems[9])


LATE = "stopped after 5 s, its time limit: it may never end, or be too slow"
LARGE = ("MemoryError", "→ it asks for more memory than a case may use: is an array too large?")
HEAVY = "stopped: it takes more than 256 MB of memory"


@pytest.mark.parametrize(("once", "again", "same"), [
    ((LATE, "at answer.py:6   while True:     was running"), LARGE, True),
    ((LATE,), (HEAVY, "at answer.py:6   tokens = list(tokens)"), True),
    ((LATE,), (), False),
    (("value 3, expected 4",), ("value 5, expected 4",), False),
    ((LATE,), ("value 5, expected 4",), False),
])
def test_which_limit_an_answer_meets_first_is_the_machines_business(
        once: tuple[str, ...], again: tuple[str, ...], same: bool) -> None:
    def verdict(lines: tuple[str, ...]) -> Verdict:
        return Verdict("clamp", 1, "failed" if lines else "passed", (
            Outcome("inside", 1, 0 if lines else 1, "failed" if lines else "passed",
                    ("clamp(x) with x = 1", *lines) if lines else (), "why"),), 0.1)
    first, second = (lasting(verdict(lines), set()) for lines in (once, again))
    assert (first == second) is same


@pytest.mark.parametrize(("body", "seconds"), [
    ("while True: pass", 0.3), ("return [0] * (1 << 40)", 5), ("return bytearray(1 << 34)", 5)])
def test_what_a_limit_ends_is_known_by_its_words(body: str, seconds: float) -> None:
    cases = f'case("one", lambda r: [1.0], seconds={seconds}, why="one")'
    exercise = made("def f(x):\n    return x", cases)
    verdict = judge(exercise, f"def f(x):\n    {body}", seed=1)
    assert at_a_limit(verdict.outcomes[0].lines), verdict.outcomes[0].lines
    wrong = judge(exercise, "def f(x):\n    raise ValueError(x)", seed=1)
    assert wrong.outcomes[0].lines and not at_a_limit(wrong.outcomes[0].lines)


def test_an_idle_case_is_found() -> None:
    more = CASES + """
case("inside, again", lambda r: [float(r.uniform(1, 2)), 0.0, 3.0], why="what is inside stays")
"""
    findings = proven(replace(SOUND, cases=Code("cases", more, 30)))
    assert "`inside, again` is idle" in findings.problems[6][-1]


def test_a_weak_case_lets_mutants_through() -> None:
    weak = CASES[:CASES.index('case("above"')]
    findings = proven(replace(SOUND, cases=Code("cases", weak, 30), wrong=WRONG[:1]))
    assert any("survives" in problem for problem in findings.problems[4])


def test_a_wrong_reference_is_the_authors_error() -> None:
    from loom.errors import LoomError
    with pytest.raises(LoomError, match="an empty range"):
        proven(replace(SOUND, solution="def clamp(x, low, high):\n    return x"))


def test_a_stub_that_tells_is_found() -> None:
    telling = replace(SOUND, stub="def clamp(x, low, high):\n    raise NotImplementedError\n"
                                  "    return high if x > high else x")
    assert solution_lines_in(telling) == []  # given in the stub: not part of what is hidden
    twice = replace(telling, solution=CLAMP + "    return high if x > high else x")
    assert solution_lines_in(twice) == ["return high if x > high else x"]


def test_degenerate_answers_define_all_that_is_asked() -> None:
    both = made("def f(x):\n    return x\n\n\nclass C:\n    def g(self, x):\n        return x\n",
                'case("f", lambda r: [1.0], why="w")')
    answers = list(degenerate(both))
    assert [a.name for a in answers] == list(RESULTS)
    for answer in answers:
        space: dict[str, object] = {}
        exec(compile(answer.source, answer.name, "exec"), space)
        assert {"f", "C"} <= set(space)


# --- mutants ----------------------------------------------------------------

@pytest.mark.parametrize(("source", "old", "new"), [
    ("y = a + b", "y = a + b", "y = a - b"),
    ("y = a[1:]", "y = a[1:]", "y = a[2:]"),
    ("y = f(x, keepdims=True)", "y = f(x, keepdims=True)", "y = f(x)"),
    ("y = f(x, keepdims=True)", "y = f(x, keepdims=True)", "y = f(x, keepdims=False)"),
    ("y = -x", "y = -x", "y = x"),
    ("y += x", "y += x", "y = x"),
    ("y += x", "y += x", "y -= x"),
    ("y += x", "y += x", "pass"),
    ("if a < b:\n    f()", "a < b", "a <= b"),
    ("if a < b:\n    f()", "a < b", "not a < b"),
    ("while a and b:\n    f()", "a and b", "a or b"),
    ("for i in range(3):\n    break", "break", "continue"),
    ("y = 0.5", "y = 0.5", "y = 1.0"),
    ("y = a is None", "y = a is None", "y = a is not None"),
])
def test_mutants_of_each_kind(source: str, old: str, new: str) -> None:
    assert (old, new) in {(change.old, change.new) for change in mutants(source)}


@pytest.mark.parametrize("source", [
    '"""Words 1 + 1."""', "import numpy", "def f(x: int = None) -> list[1]:\n    '''Doc 2.'''",
    "raise ValueError(f'{x + 1} is not 3')", "x: Literal[3]",
])
def test_what_a_caller_cannot_see_is_left_alone(source: str) -> None:
    assert list(mutants(source)) == []


@settings(deadline=None, max_examples=60)
@given(st.sampled_from([CLAMP, *(answer.source for answer in OTHERS)]), st.data())
def test_every_mutant_is_a_program_that_differs_in_one_place(source: str,
                                                             data: st.DataObject) -> None:
    change = data.draw(st.sampled_from(list(mutants(source))))
    assert ast.dump(ast.parse(change.source)) != ast.dump(ast.parse(source))
    assert normalized(change.old) == change.old and change.old != change.new
    assert source.splitlines()[change.line - 1].strip()


def test_a_request_to_stop_does_not_wait_for_what_is_left() -> None:
    """Thirteen other exercises are waiting; nothing stays behind."""
    loom = Path(sys.executable).parent / "loom"
    process = subprocess.Popen([str(loom), "prove", "01", "--skip", "7"], cwd=ROOT,
                               stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline().startswith("proving")
    started = psutil.Process(process.pid)
    family: list[psutil.Process] = []
    give_up = time.monotonic() + 60
    while len(family) < 3 and time.monotonic() < give_up:
        family = started.children(recursive=True)
        time.sleep(0.1)
    process.terminate()
    assert process.wait(timeout=30) != 0
    assert psutil.wait_procs(family, timeout=30)[1] == []
