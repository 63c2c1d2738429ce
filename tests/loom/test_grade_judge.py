"""Verdicts: what an answer earns, and what it is told."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from loom.errors import LoomError, Problem
from loom.exercise.answers import Answer
from loom.grade import messages
from loom.grade.hand import Reply
from loom.grade.judge import Verdict, judge
from loom.grade.warm import Warm


def _beside(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


help_ = _beside("exercises_made")
made, SOFTMAX, SOFTMAX_CASES = help_.made, help_.SOFTMAX, help_.SOFTMAX_CASES
SEED = 2240657755


@pytest.fixture(scope="module")
def warm() -> Iterator[Warm]:
    with Warm() as process:
        yield process


@pytest.fixture
def check(warm: Warm) -> Any:
    """Judge an answer to a small exercise with a fixed seed."""

    def run(answer: str, solution: str = SOFTMAX, cases: str = SOFTMAX_CASES,
            **how: Any) -> Verdict:
        return judge(made(solution, cases), answer, seed=how.pop("seed", SEED), warm=warm, **how)

    return run


def text(verdict: Verdict) -> str:
    return "\n".join([*verdict.problem, *(line for o in verdict.outcomes for line in o.lines)])


# --- states -----------------------------------------------------------------

def test_the_reference_gets_full_marks(check: Any) -> None:
    verdict = check(SOFTMAX)
    assert (verdict.state, verdict.earned, verdict.points) == ("passed", 4, 4)
    assert text(verdict) == "" and [o.state for o in verdict.outcomes] == ["passed"] * 3


def test_the_stub_is_not_started(check: Any) -> None:
    verdict = check(made(SOFTMAX, SOFTMAX_CASES).stub + "\n\n")
    assert (verdict.state, verdict.earned) == ("not started", 0)
    assert {o.state for o in verdict.outcomes} == {"not run"}


UNSTABLE = SOFTMAX.replace("x - x.max(axis=-1, keepdims=True)", "x")


def test_the_report_says_how_it_was_called_what_came_back_and_where(check: Any) -> None:
    verdict = check(UNSTABLE)
    assert verdict.state == "failed" and verdict.earned == 1
    assert [o.state for o in verdict.outcomes] == ["passed", "failed", "not run"]
    lines = verdict.outcomes[1].lines
    assert re.fullmatch(r"softmax\(x\) with x: float64 \(3, 5\), values -[\d.,]+ to [\d.,]+",
                        lines[0])
    assert re.search(r"shape \(3, 5\) ✓  dtype float64 ✓  \d+ of 15 values differ; first at "
                     r"\[\d, \d\]: got nan, expected \S+", lines[1])
    assert "at answer.py:6   e = np.exp(x)     RuntimeWarning: overflow" in lines[2]
    assert len(lines) <= 11 and "subtract each row's maximum" in verdict.outcomes[1].why


def test_everything_runs_the_cases_after_a_failing_one(check: Any) -> None:
    verdict = check(UNSTABLE, everything=True)
    assert [o.state for o in verdict.outcomes] == ["passed", "failed", "passed"]
    assert (verdict.earned, verdict.points) == (2, 4)


def test_only_the_cases_that_are_named_run(check: Any) -> None:
    names = [outcome.case for outcome in check(SOFTMAX).outcomes]
    verdict = check(UNSTABLE, everything=True, only=names[1:2])
    assert [o.state for o in verdict.outcomes] == ["not run", "failed", "not run"]
    same = check(UNSTABLE, everything=True).outcomes[1]
    assert verdict.outcomes[1] == same  # a case draws the same numbers without the others
    assert check(SOFTMAX, only=names[:1]).state == "failed"  # some cases are not all


@pytest.mark.parametrize(("answer", "words"), [
    ("def softmax(x:\n    return x\n", ["SyntaxError", "answer.py:1"]),
    ("def softmax(x):\nreturn x\n", ["IndentationError", "answer.py:2"]),
    ("x = 1\n", ["it defines no `softmax`", "keep the name"]),
    ("", ["it defines no `softmax`"]),
    ("def sofmax(x):\n    return x\n", ["rename `sofmax`: the grader looks for `softmax`"]),
    ("import numpy as np\nnp.eyes(3)\ndef softmax(x): return x\n",
     ["AttributeError", "answer.py:2   np.eyes(3)"]),
    ("import sys\nsys.exit(0)\n", ["SystemExit", "leave out exit()"]),
    ("import os\nos._exit(0)\n", ["ended its own process", "code 0"]),
    ("import os\nos.kill(os.getpid(), 9)\n", ["killed"]),
    ("import scratchlm.nowhere\n", ["ModuleNotFoundError", "without it", "leave the import out"]),
    ("import loom.grade.judge\n", ["ModuleNotFoundError", "without it", "leave the import out"]),
    ("import helper\n", ["No module named 'helper'", "Files beside this one are not"]),
    ("exit()\n", ["NameError", "leave out exit()"]),
    ("breakpoint()\n", ["BdbQuit", "no debugger"]),
    ("name = input()\n", ["EOFError", "no keyboard"]),
    ("\0", ["null bytes"]), ("(" * 300 + ")" * 300, ["too many nested"]),
    ("import socket\nsocket.create_connection(('127.0.0.1', 9))\n", ["Error"]),
    ("raise BaseException('odd \\x1b[31m text')\n", ["BaseException: odd"]),
    ("class E(Exception):\n    def __str__(self): 1/0\nraise E\n", ["E: (its text cannot"]),
    ("softmax = 5\n", ["`softmax` is no function"]),
])
def test_what_keeps_an_answer_from_running_is_told(check: Any, answer: str,
                                                   words: list[str]) -> None:
    verdict = check(answer)
    assert verdict.earned == 0 and verdict.state == ("failed" if "= 5" in answer else "broken")
    assert all(word in text(verdict) for word in words), text(verdict)
    assert "\x1b" not in text(verdict) and "grader>" not in text(verdict)


def test_an_answer_with_a_problem_is_broken_before_anything_runs(warm: Warm) -> None:
    problem = Problem(None, "two answers", "keep one")
    answer = Answer("small", "", Path("my/01_small.py"), 4, problem)
    verdict = judge(made(SOFTMAX, SOFTMAX_CASES), answer, warm=warm)
    assert verdict.state == "broken" and "two answers" in text(verdict)


def test_lines_are_those_of_the_learners_file(warm: Warm) -> None:
    answer = Answer("small", "\n" * 40 + UNSTABLE, Path("my-exercises/01_small.py"), 40)
    found = text(judge(made(SOFTMAX, SOFTMAX_CASES), answer, warm=warm))
    assert "at my-exercises/01_small.py:46   e = np.exp(x)" in found


# --- what a call comes to ----------------------------------------------------

@pytest.mark.parametrize(("body", "words"), [
    ("pass", ["got None, expected an array", "returns nothing", "`return` on every path"]),
    ("print(x)", ["prints its result and returns nothing"]),
    ("return [1.0]", ["a list of 1", "np.array"]),
    ("return np.zeros(7)", ["shape (7,), expected (3, 5)"]),
    ("return np.zeros((3, 5), 'f4')", ["dtype float32, expected float64"]),
    ("return (i for i in x)", ["a generator", "return the values themselves"]),
    ("return softmax", ["a function", "parentheses"]),
    ("return np.array([[1], [1, 2]], dtype=object)", ["dtype object", "different lengths"]),
    ("quit()", ["NameError", "leave out exit(), quit()"]),
    ("import pdb; pdb.set_trace(); return x", ["BdbQuit", "leave out breakpoint()"]),
    ("return type('Tensor', (), {'__module__': 'torch'})()",
     ["type torch.Tensor", "return a NumPy array", "`t.detach().numpy()`"]),
    ("return {1: object()}", ["arrays, or lists","a value of type object at [1]"]),
    ("return x.view(np.matrix)", ["numpy.matrix"]),
    ("raise NotImplementedError", ["still to be written"]),
    ("return softmax(x)", ["RecursionError", "more than a thousand levels deep", "that deep?"]),
    ("return undefined", ["NameError", "answer.py:4   return undefined", "spelled"]),
    ("import sys; sys.exit(0)", ["SystemExit", "return the value instead"]),
    ("import os; os._exit(0)", ["ended its own process"]),
    ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", ["SIGTERM"]),
    ("import os; os.abort()", ["aborted", "answer.py:4"]),
    ("import ctypes; ctypes.string_at(0)", ["segmentation fault", "answer.py:4"]),
    ("x *= 0; return x", ["differ"]),
    ("e = np.exp(x - x.max(-1, keepdims=True)); e /= e.sum(-1, keepdims=True); x += 1; return e",
     ["changes its argument x", "copy"]),
    ("return input()", ["no keyboard"]),
    ("import os; os.close(62)", ["broke off the connection"]),
    ("import os; os.write(62, b'x' * 64)", ["wrote to the grader's own channel"]),
    ("return np.zeros(1 << 40)", ["MemoryError", "more memory"]),
    ("raise RuntimeError(\"DefaultCPUAllocator: can't allocate memory\")", ["more memory than"]),
    ("open('a', 'w').write('a'); open('/etc/x', 'w')", ["Error", "see no files"]),
])
def test_what_a_call_comes_to_is_told(check: Any, body: str, words: list[str]) -> None:
    verdict = check(f"import numpy as np\n\ndef softmax(x):\n    {body}\n")
    assert (verdict.state, verdict.earned) == ("failed", 0)
    found = text(verdict)
    assert all(word in found for word in words), found
    assert all(len(o.lines) <= 11 for o in verdict.outcomes)
    assert "grader>" not in found and "loom" not in found


@pytest.mark.parametrize(("body", "beside"), [
    ("return undefined", True), ("exit()", True), ("import sys; sys.exit()", True),
    ("import os; os._exit(0)", True), ("import ctypes; ctypes.string_at(0)", True),
    ("import os; os.abort()", True), ("import os; os.close(62)", True), ("input()", True),
    ("import helper", True), ("import scratchlm", True), ("breakpoint()", True),
    ("open('/etc/x', 'w')", True), ("return softmax", True), ("return iter(x)", True),
    ("return (i for i in x)", True), ("return {1: object()}", True), ("return None", True),
    ("raise NotImplementedError", True),
    ("return np.zeros(1 << 40)", False), ("while True: pass", False), ("return x[9]", False),
    ("return softmax(x)", False), ("return [1.0]", False), ("return x", False)])
def test_what_a_case_says_is_left_out_where_no_value_came(check: Any, body: str,
                                                          beside: bool) -> None:
    cases = 'case("a", lambda r: [r.random(3)], why="w", seconds=0.7)'
    (outcome,) = check(f"import numpy as np\ndef softmax(x):\n    {body}\n", cases=cases).outcomes
    assert outcome.why and messages.of_the_call(outcome.lines) == beside, outcome.lines


def test_an_endless_call_is_stopped_and_the_line_is_told(check: Any) -> None:
    answer = """def softmax(x):
    while True:
        try:
            while True: pass
        except BaseException:
            pass
"""
    verdict = check(answer, cases='case("a", lambda r: [r.random(3)], why="w", seconds=0.5)')
    assert verdict.seconds < 4
    assert "stopped after 0.5 s, its time limit" in text(verdict)
    assert "answer.py:4   while True: pass" in text(verdict)


def test_an_endless_loop_outside_of_functions_has_a_remedy(check: Any,
                                                          monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loom.grade.bench.LOADING", 0.5)
    said = text(check("while True:\n    pass\n"))
    assert "its time limit while the file is run" in said
    assert "\n→ what stands outside of functions runs at every check: is there a loop" in said


@pytest.mark.parametrize(("parameters", "words"), [
    ("x, y", "the grader calls softmax(x); yours is softmax(x, y)"),
    ("", "the grader calls softmax(x); yours is softmax()"),
    ("*, x", "yours is softmax(*, x)")])
def test_parameters_that_do_not_fit_are_told(check: Any, parameters: str, words: str) -> None:
    assert words in text(check(f"def softmax({parameters}): return 1\n"))


def test_parameters_that_fit_the_call_may_be_others(check: Any) -> None:
    assert check(SOFTMAX.replace("def softmax(x)", "def softmax(x, *more, scale=1)")) \
        .state == "passed"


def test_after_a_crash_the_next_case_runs_in_a_fresh_worker(check: Any) -> None:
    answer = SOFTMAX + "\n\nimport os\nplain = softmax\ndef softmax(x):\n" \
        "    if abs(x).max() > 100: os._exit(0)\n    return plain(x)\n"
    verdict = check(answer, everything=True)
    assert [o.state for o in verdict.outcomes] == ["passed", "failed", "passed"]


def test_a_child_that_comes_back_says_nothing_twice(check: Any) -> None:
    answer = SOFTMAX.replace("    e =", "    import os; os.fork()\n    e =")
    assert check(answer).state == "passed"


# --- cases -------------------------------------------------------------------

SCALE = """
def scale(x, by=2, *, offset=0):
    if by == 0:
        raise ValueError(f"by={by} must not be zero")
    return x * by + offset
"""


def test_each_keywords_raises_and_mentions(check: Any) -> None:
    cases = """
    case("several", lambda r: each([3, 4], [1.5]), why="w")
    case("by name", lambda r: dict(x=int(r.integers(9)), offset=7), why="w")
    case("zero", lambda r: [1, 0], raises=ValueError, mentions=["by", "0"], why="w")
    case("zero again", lambda r: [1, 0], raises="Exception",
         mentions=lambda inputs: [f"by={inputs[1]}"], why="w")
    """
    assert check(SCALE, SCALE, cases).state == "passed"
    wrong = check(SCALE.replace("* by", "* 2"), SCALE, cases)
    assert "call 1 of 2: scale(3, 4)" in text(wrong) and "got 6, expected 12" in text(wrong)
    other = check(SCALE.replace("ValueError", "KeyError"), SCALE, cases, everything=True)
    assert "expected ValueError" in text(other)
    assert [o.state for o in other.outcomes] == ["passed", "passed", "failed", "passed"]
    silent = check(SCALE.replace('f"by={by} must not be zero"', '"no"'), SCALE, cases)
    assert "does not mention 'by'" in text(silent)
    none = check("def scale(x, by=2, *, offset=0):\n    return x * by + offset\n", SCALE, cases)
    assert "no exception, expected ValueError" in text(none)


def test_what_cannot_be_imported_has_a_remedy(check: Any) -> None:
    cases = 'case("one", lambda r: [3], why="w")'
    no_module = """raise ModuleNotFoundError("No module named 'scratchlm.later'")"""
    for line, remedy in ((no_module, "sees an earlier scratchlm, without later"),
                         ("import pandas_of_old", "put their code above the first exercise")):
        said = text(check(SCALE.replace("    if by", f"    {line}\n    if by"), SCALE, cases))
        assert "ModuleNotFoundError" in said and said.count(remedy) == 1


@pytest.mark.parametrize(("line", "remedy"), [
    ("from scratchlm.attention import attention", "sees an earlier scratchlm, without attention, "
     "with data, numerics: write what else"),
    ("from scratchlm import attention", "an earlier scratchlm, without attention"),
    ("from scratchlm.nummerics import softmax",
     "there is no scratchlm.nummerics: is scratchlm.numerics meant?"),
    ("from scratchlm import nummerics", "is scratchlm.numerics meant?"),
    ("import scratchlm.data.batchs", "is scratchlm.data.batches meant?"),
    ("from scratchlm.numerics import sofmax", "scratchlm.numerics has no `sofmax`: is `softmax`"),
    ("from scratchlm.numerics import EPSILO", "is `EPSILON` meant?"),
    ("from scratchlm.numerics import entropy", "do not see what this chapter adds"),
])
def test_an_import_from_the_package_says_what_is_there(warm: Warm, tmp_path: Path, line: str,
                                                       remedy: str) -> None:
    package = tmp_path / "packages" / "scratchlm"
    (package / "data").mkdir(parents=True)
    for path, source in (("__init__.py", ""), ("data/__init__.py", ""), ("data/batches.py", ""),
                         ("numerics.py", "EPSILON: float = 1e-9\ndef softmax(x): return x\n")):
        (package / path).write_text(source)
    one = made(SCALE, 'case("one", lambda r: [3], why="w")', packages=package.parent)
    for answer in (f"{line}\n{SCALE}", SCALE.replace("    if by", f"    {line}\n    if by")):
        said = text(judge(one, answer, warm=warm))
        assert remedy in said and str(tmp_path) not in said, said
        assert messages.of_the_call(said.splitlines())


def test_an_import_that_takes_all_the_time_is_named() -> None:
    words = messages.Text("import slow\nx = slow.f()\n", lambda line: f"a.py:{line}")
    for line, note in ((1, "     an import, done anew for each exercise that sees it, was running"),
                       (2, "     was running")):
        reply = Reply(None, "time", trace=(("a.py", line),))
        said = messages.ended(reply, words, "a.py", 5, 500, "")
        assert said[-1].endswith(f"{words.source.splitlines()[line - 1]}{note}")


def test_a_predicate_decides_where_several_answers_are_right(check: Any) -> None:
    solution = "def root(n):\n    return n ** 0.5\n"
    cases = """
    def near(got, inputs, expected):
        if abs(got * got - inputs[0]) > 1e-6:
            return f"{got} squared is not {inputs[0]}"
    case("square", lambda r: [4.0], check=near, why="w")
    """
    assert check("def root(n): return -(n ** 0.5)", solution, cases).state == "passed"
    assert "3.0 squared is not 4.0" in text(check("def root(n): return 3.0", solution, cases))
    for value in ("None", "'a'", "[1]"):
        verdict = check(f"def root(n): return {value}", solution, cases)
        assert verdict.earned == 0 and "expected" in text(verdict)


def test_arguments_that_should_change_are_compared(check: Any) -> None:
    solution = "def clip(x, most):\n    x[x > most] = most\n"
    cases = 'case("in place", lambda r: [r.normal(size=50), 0.1], mutates=[0], why="w")'
    assert check(solution, solution, cases).state == "passed"
    found = text(check("def clip(x, most): pass", solution, cases))
    assert "x after the call: shape (50,)" in found


def test_time_is_measured_against_the_reference(check: Any) -> None:
    solution = "import numpy as np\ndef total(x): return float(x.sum())\n"
    cases = 'case("a million", lambda r: [np.ones(3000000)], times=20, why="w")'
    verdict = check("def total(x): return float(sum(x))", solution, cases)
    assert "right, but too slow" in text(verdict) or "stopped after" in text(verdict)
    assert check("def total(x): return float(x.sum())", solution, cases).state == "passed"


def test_memory_is_capped_by_the_case(check: Any) -> None:
    solution = "def total(x): return float(x.sum())"
    cases = 'case("a view", lambda r: [np.ones(1000000)], megabytes=16, why="w")'
    assert check(solution, solution, cases).state == "passed"
    found = text(check("def total(x): return float((x[:, None] * [1, 0, 0, 0]).sum())", solution,
                       cases))
    assert "MemoryError" in found or "16 MB" in found


def test_a_generator_and_a_class_are_driven(check: Any) -> None:
    solution = """
    def windows(text, size):
        for i in range(len(text) - size + 1):
            yield text[i:i + size]


    class Counter:
        def __init__(self):
            self.n = 0

        def push(self, x):
            self.n += x
            return self
    """
    cases = '''
    def first_three(answer, text):
        """the first three windows"""
        import itertools
        return list(itertools.islice(answer.windows(text, 2), 3))

    def steps(answer, values):
        counter = answer.Counter()
        for value in values:
            counter.push(value)
        return {"n": counter.n}

    case("lazy", lambda r: ["ab" * 10], drive=first_three, why="w")
    case("counts", lambda r: [[1, 2, 3]], drive=steps, why="w")
    '''
    import textwrap

    solution = textwrap.dedent(solution)
    assert check(solution, solution, cases).state == "passed"
    found = text(check(solution.replace("i + size]", "i + 1]"), solution, cases))
    assert "the first three windows, with text = 'abab" in found
    assert "[0]: got 'a', expected 'ab'" in found
    verdict = check(solution.replace("def push", "def put"), solution, cases)
    assert "AttributeError: 'Counter' object has no attribute 'push'" in text(verdict)
    assert "is it there" in text(verdict)


@pytest.mark.parametrize(("cases", "words"), [
    ("", "no cases"), ("case('a', 5, why='w')", "not a function"), ("1/0", "ZeroDivisionError"),
    ("case('a', lambda r: [1], why='')", "`why` is empty"), ("case(", "SyntaxError"),
    ("case('a', lambda r: [1], why='w', points=0)", "points=0"),
    ("case('a', lambda r: [1], why='w', call='g')", "call='g'"),
    ("case('a', lambda r: [1], why='w', raises=3)", "raises=3"),
    ("case('a', lambda r: [1], why='w', mentions=['a'])", "without `raises`"),
    ("case('a', lambda r: [1], why='w', drive=lambda a, x: 1)", "no function defined"),
    ("case('a', lambda r: [1], why='w')\ncase('a', lambda r: [1], why='w')", "is taken"),
    ("case('a', lambda r: 1, why='w')", "are a int"),
    ("case('a', lambda r: each(), why='w')", "each"),
    ("case('a', lambda r: [1/0], why='w')", "ZeroDivisionError"),
    ("case('a', lambda r: [object()], why='w')", "type object"),
    ("case('a', lambda r: ['x'], why='w')", "the reference fails"),
    ("case('a', lambda r: [r.random(3)], why='w', raises=KeyError)", "does not raise KeyError"),
    ("case('a', lambda r: [r.random(3)], why='w', check=lambda *a: 1/0)", "`check` fails")])
def test_mistakes_of_authors_are_told_with_their_line(check: Any, cases: str, words: str) -> None:
    with pytest.raises(LoomError) as caught:
        check("def softmax(x): return 1", SOFTMAX, cases)
    assert words in str(caught.value) and "01-small.md:3" in str(caught.value)


# --- numbers ----------------------------------------------------------------

def test_the_same_seed_gives_the_same_bytes(check: Any) -> None:
    answer = UNSTABLE + "\nprint(hash('a'), {'b', 'a', 'c'}, np.random.random())\n"
    one, two = (json.dumps(check(answer, everything=True).as_json()) for _ in range(2))
    assert one == two
    assert one != json.dumps(check(answer, everything=True, seed=1).as_json())


def test_a_case_draws_the_same_numbers_whatever_stands_beside_it(check: Any) -> None:
    first, second = ('case("a", lambda r: [r.normal(size=9)], why="w")',
                     'case("b", lambda r: [r.normal(size=9)], why="w")')
    both = check("def softmax(x): return x", SOFTMAX, f"{first}\n{second}", everything=True)
    alone = check("def softmax(x): return x", SOFTMAX, second)
    assert both.outcomes[1].lines == alone.outcomes[0].lines != both.outcomes[0].lines


def test_references_are_kept_and_what_they_did_before_changes_nothing(check: Any) -> None:
    solution = "calls = []\n\n\ndef f(x):\n    calls.append(x)\n    return x + 1\n"
    cases = 'case("a", lambda r: each([1], [int(r.integers(9))]), why="w")'
    seen = [check("def f(x): return x + 1", solution, cases, seed=n).state for n in range(4)]
    other = [check("def f(x): return x", f"def f(x): return x + {n}", cases).state
             for n in range(4)]
    assert seen == ["passed"] * 4 and other == ["passed"] + ["failed"] * 3


def test_a_reference_that_died_meanwhile_is_started_again() -> None:
    exercise = made("def f(x): return x", 'case("a", lambda r: [1], why="w")')
    with Warm() as warm:
        assert judge(exercise, "def f(x): return x", warm=warm).state == "passed"
        (hand,) = warm._kept.values()
        os.kill(hand._watch.processes[-1], signal.SIGKILL)
        assert judge(exercise, "def f(x): return x", warm=warm).state == "passed"


def test_output_is_kept_and_cut(check: Any) -> None:
    verdict = check("print('hello \\x1b[2J')\n" + SOFTMAX)
    assert verdict.output == "hello \ufffd[2J\n" and verdict.state == "passed"
    verdict = check("for _ in range(3000): print('x' * 10000)\n" + SOFTMAX)
    assert verdict.state == "passed" and len(verdict.output) < 66000
    assert verdict.output.endswith(
        "\n… cut here: 30,003,000 bytes were printed, too many to keep\n")


def test_no_frame_of_ours_is_printed(check: Any) -> None:
    answer = "import traceback\ndef softmax(x):\n    traceback.print_stack()\n    return x\n"
    output = check(answer).output
    assert 'File "answer.py", line 3, in softmax' in output and "grader" not in output


def test_a_small_dict_is_shown_whole(check: Any) -> None:
    solution = "def size(parents, of):\n    return len(parents)\n"
    cases = '''case("a", lambda r: [{f"n{i}": ["n1", "n2"] for i in range(7)}, 1], why="w")'''
    found = text(check("def size(parents, of): return 0", solution, cases))
    assert "parents = {'n0': ['n1', 'n2']," in found and "'n6': ['n1', 'n2']}" in found


def test_a_bare_class_has_no_parameters_in_its_stub(warm: Warm) -> None:
    from dataclasses import replace

    cases = """
    def use(answer):
        return answer.Bag().size()
    case("a", lambda r: [], drive=use, why="w")
    """
    one = made("class Bag:\n    def size(self):\n        return 0\n", cases)
    for stub, words in (("class Bag:\n    pass\n", "parameters that the statement gives it"),
                        ("class Bag:\n    def size(self): pass\n", "stub's parameters")):
        found = text(judge(replace(one, stub=stub), "class Bag: n = 1\n", warm=warm))
        assert f"is it there, with the {words}?" in found
