"""A quiz in the terminal: what is typed is understood, answered, and remembered."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from loom.book.chapter import HEADER
from loom.quiz.checks import typed
from loom.quiz.marking import Unclear, mark, read, read_number
from loom.quiz.models import (
    Choice,
    NumberQuestion,
    Option,
    OrderQuestion,
    Question,
    Step,
    TextQuestion,
    TraceQuestion,
    WrongNumber,
    WrongText,
)
from loom.quiz.text import readable, to_html, to_lines

COMMON = {"section": "sec-alpha", "level": 1, "ask": "How many tokens?", "explain": "So."}
SINGLE = Choice(id="single", kind="single", arrangement=(1, 0, 2), options=(
    Option(text="a", right=True, reply="A is right."), Option(text="b", reply="B is not."),
    Option(text="c", reply="C is not.")), **COMMON)  # type: ignore[arg-type]
MULTIPLE = SINGLE.model_copy(update={"kind": "multiple", "options": (
    SINGLE.options[0], SINGLE.options[1].model_copy(update={"right": True}), SINGLE.options[2])})
ORDER = OrderQuestion(id="order", kind="order", arrangement=(2, 0, 1), reply="Not so.", steps=(
    Step(text="x"), Step(text="y"), Step(text="z")), **COMMON)  # type: ignore[arg-type]
NUMBER = NumberQuestion(id="number", kind="number", answer=4.0, tolerance=0.25, replies=(
    WrongNumber(value=2, tolerance=0, misconception="m", reply="Half of it."),
    WrongNumber(value=8, misconception="m", reply="Twice.")), **COMMON)  # type: ignore[arg-type]
TEXT = TextQuestion(id="text", kind="text", answers=("Log-Sum-Exp", "lse"), replies=(
    WrongText(text="softmax", misconception="m", reply="No."),), **COMMON)  # type: ignore[arg-type]
TRACE = TraceQuestion(id="trace", kind="trace", code="1", answer="[ 0. nan]\nTrue", replies=(
    WrongText(text="[1. 2.]\nTrue", misconception="m", reply="No."),),
    **COMMON)  # type: ignore[arg-type]


@pytest.mark.parametrize(("text", "number"), [
    ("4", 4.0), (" 4.0 ", 4.0), ("-3", -3.0), ("−3", -3.0), ("+1.5", 1.5), (".5", 0.5),
    ("4.", 4.0), ("1e-3", 1e-3), ("1E3", 1e3), ("0,5", 0.5), ("1,5", 1.5), ("1,024", 1024.0),
    ("0,125", 0.125), ("12,345,678", 12345678.0), ("1,024.5", 1024.5), ("1.024,5", 1024.5),
    ("1.024.000", 1024000.0), ("007", 7.0), ("-00.50", -0.5), ("1e05", 1e5), ("100", 100.0),
    ("1,007", 1007.0), ("10.05", 10.05), ("0", 0.0), ("0.0", 0.0), ("00", 0.0),
    ("262 144", 262144.0), ("262_144", 262144.0), ("2^18", 262144.0), ("2**-7", 2**-7),
    ("1/4", 0.25), ("3 · 10^-2", 0.03), ("2 × 3", 6.0), ("(1 + 2) / 4", 0.75), ("5%", 0.05),
    ("12,5 %", 0.125), ("50 percent", 0.5), ("4 tokens", 4.0), ("4 token", 4.0), ("4.", 4.0),
])
def test_numbers_as_people_type_them(text: str, number: float) -> None:
    assert read_number(text, None, "How many tokens?") == pytest.approx(number, rel=1e-12)


@pytest.mark.parametrize(("text", "unit", "number"), [
    ("1.5 nats", "nats", 1.5), ("1.5nats", "nats", 1.5), ("1.5 Nat", "nats", 1.5),
    ("1.5", "nats", 1.5), ("25%", "%", 25.0), ("25", "percent", 25.0), ("25 percent", "%", 25.0),
    ("2 bits per byte", "bits per byte", 2.0)])
def test_units_are_tolerated(text: str, unit: str, number: float) -> None:
    assert read_number(text, unit) == number


@pytest.mark.parametrize(("text", "unit", "says"), [
    ("1.2.3", None, "is none"), ("", None, "a number, please"),
    ("four", None, "a number, please; `four` is none"),
    ("4 bits", "nats", "the number in nats, please"), ("4 GB", None, "without `gb`"),
    ("1 2", None, "is none"), ("1/0", None, "is none"), ("9^9^9", None, "more than a float64"),
    ("10^400", None, "more than a float64"), ("nan", None, "is none"), ("inf", None, "is none"),
    ("1e999", None, "is no finite number"), ("(-8)^(1/3)", None, "is none"),
    ("__import__('os').getcwd() + 1", None, "please"), ("[1]", None, "is none"),
    ("1 if 2 else 3", None, "is none"), ("((((" * 300 + "1", None, "is none"),
    ("9" * 5000, None, "please"), ("'a' * 9", None, "is none")])
def test_what_is_no_number_is_said(text: str, unit: str | None, says: str) -> None:
    with pytest.raises(Unclear) as unclear:
        read_number(text, unit, "How many tokens?")
    assert says in str(unclear.value) or (len(text) > 999 and "please" in says)


@pytest.mark.parametrize(("question", "text", "given"), [
    (SINGLE, "b", (1,)), (SINGLE, " B ", (1,)), (SINGLE, "(b)", (1,)), (SINGLE, "2", (1,)),
    (MULTIPLE, "a c", (0, 2)), (MULTIPLE, "ca", (2, 0)), (MULTIPLE, "a, c", (0, 2)),
    (MULTIPLE, "1 3", (0, 2)), (ORDER, "b c a", (1, 2, 0)), (ORDER, "bca", (1, 2, 0)),
    (ORDER, "2 > 3 > 1", (1, 2, 0)), (TEXT, " any ", " any ")])
def test_letters_and_numbers_choose(question: Question, text: str, given: object) -> None:
    assert read(question, text) == given


@pytest.mark.parametrize(("question", "text", "says"), [
    (SINGLE, "d", "one letter from a to c"), (SINGLE, "0", "one letter"), (SINGLE, "?", "one"),
    (SINGLE, "a b", "exactly one option is right"), (SINGLE, "yes", "one letter"),
    (MULTIPLE, "a a", "each letter once"), (MULTIPLE, "x", "letters from a to c"),
    (ORDER, "a b", "all 3 letters in order"), (ORDER, "abb", "each letter once")])
def test_what_is_no_choice_is_said(question: Question, text: str, says: str) -> None:
    with pytest.raises(Unclear, match=says):
        read(question, text)


@pytest.mark.parametrize(("question", "text", "right", "replies"), [
    (SINGLE, "b", True, [("b", "A is right.")]), (SINGLE, "a", False, [("a", "B is not.")]),
    (MULTIPLE, "ab", True, [("a", "B is not."), ("b", "A is right.")]),
    (MULTIPLE, "b", False, [("b", "A is right.")]),
    (MULTIPLE, "abc", False, [("a", "B is not."), ("b", "A is right."), ("c", "C is not.")]),
    (ORDER, "b c a", True, []), (ORDER, "a b c", False, [("", "Not so.")]),
    (NUMBER, "4.25", True, []), (NUMBER, "4.26", False, []), (NUMBER, "3,75", True, []),
    (NUMBER, "2", False, [("", "Half of it.")]), (NUMBER, "2.1", False, []),
    (NUMBER, "8.2", False, [("", "Twice.")]),
    (TEXT, "  log-sum-EXP ", True, []), (TEXT, "Softmax", False, [("", "No.")]),
    (TEXT, "softplus", False, []),
    (TRACE, "[0. nan]\ntrue", True, []), (TRACE, "[ 0.  nan ]\n\nTrue\n", True, []),
    (TRACE, "[0.nan]\nTrue", False, []), (TRACE, "[0. nan] True", False, []),
    (TRACE, "[ 1. 2. ]\nTrue", False, [("", "No.")])])
def test_answers_are_marked(question: Question, text: str, right: bool,
                            replies: list[tuple[str, str]]) -> None:
    marked = mark(question, read(question, text))
    assert (marked.right, list(marked.replies)) == (right, replies)


def test_spaces_that_mean_nothing_do_not_matter() -> None:
    assert typed("( 1,2 )") == typed("(1, 2)") == typed(" (1 ,  2)\n")
    assert typed("1 2") != typed("12")


def test_zeros_that_mean_nothing_do_not_matter() -> None:
    assert typed("0.0 1.") == typed("0 1") and typed("[ 0. nan]") == typed("[0 nan]")
    assert typed(".5, -.25") == typed("0.5,-0.25") and typed("7.00") == typed("7")
    for one, other in (("0.nan", "0 nan"), ("1.5", "15"), ("v1.0", "v1"), ("1.0.0", "1"),
                       ("10", "1.0"), ("0.50", "05")):
        assert typed(one) != typed(other)


def test_myst_reads_well_in_a_terminal() -> None:
    titles = {"sec-softmax": "Scores before probabilities"}
    shown = to_lines(
        "In {numref}`sec-softmax`, *all* `x[0]` of $e^{-2} \\approx 0.14$ and\n$\\frac{a}{b+1}$:\n"
        "\n- one\n- two\n\n```python\nif x:\n    y = 1\n```\n\n$$\n\\ln 2 \\cdot \\alpha\n$$\n\n"
        "| a | b |\n|---|---|\n| 1 | 2 |\n", titles, 60)
    assert shown == [
        "In “Scores before probabilities”, all `x[0]` of e^-2 ≈ 0.14", "and a/(b+1):",
        "• one", "• two", "", "    if x:", "        y = 1", "", "    ln 2 · α", "",
        "a | b", "1 | 2"]
    assert readable(r"\sqrt{n}, 2^{e-m}, \tfrac12, 10{,}000, \theta_t") == \
        "√n, 2^(e-m), 1/2, 10,000, θ_t"
    assert readable(r"\bar y_i, \hat{x}, X^{\top}") == "y\u0304_i, x\u0302, X^⊤"
    assert to_lines(r"$\bar y \le \infty$ and so on", {}, 20, plain=True) == [
        "y_bar <= inf and so", "on"]


def test_myst_as_html_escapes_what_html_would_read() -> None:
    assert to_html("Is $a<b$ & `x<y>` <b>?", {}) == (
        r"<p>Is \(a&lt;b\) &amp; <code>x&lt;y&gt;</code> &lt;b&gt;?</p>")
    assert to_html("$$\nx = 1\n$$", {}) == r"<p>\[x = 1\]</p>"


# -- the command ---------------------------------------------------------------------------

CHAPTER = f"""{HEADER}

(ch-one)=
# One

(sec-alpha)=
## Alpha and omega
"""
QUIZ = r"""chapter: 01-one
questions:
  - id: first
    kind: number
    section: sec-alpha
    level: 1
    ask: How much is $2 \cdot 2$?
    answer: 4
    tolerance: 0
    unit: apples
    replies:
      - {value: 5, tolerance: 0, misconception: m, reply: Not even nearly.}
    explain: Twice two, {numref}`sec-alpha` says.
  - id: second
    kind: trace
    section: sec-alpha
    level: 1
    ask: What does it print?
    code: |
      print(1)
      print("q")
    answer: |
      1
      q
    explain: Two lines.
  - id: third
    kind: text
    section: sec-alpha
    level: 1
    ask: A letter of the alphabet?
    answers: [q, x]
    explain: Some of them.
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "book/quizzes").mkdir(parents=True)
    (tmp_path / "book/index.md").write_text("# A book\n")
    (tmp_path / "book/01-one.md").write_text(CHAPTER)
    (tmp_path / "_toc.yml").write_text(
        "format: jb-book\nroot: book/index\nchapters:\n  - file: book/01-one\n")
    (tmp_path / "book/quizzes/01-one.yml").write_text(QUIZ)
    return tmp_path


def loom(folder: Path, *arguments: str, typed: str | bytes = "") -> tuple[int, str, str]:
    """Run ``loom quiz``: status, output, errors."""
    done = subprocess.run(
        [sys.executable, "-c", "from loom.cli import main; main()", "quiz", *arguments],
        cwd=folder, input=typed.encode() if isinstance(typed, str) else typed,
        capture_output=True, env={**os.environ, "COLUMNS": "80"}, timeout=60)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def kept(folder: Path) -> dict[str, dict[str, object]]:
    return dict(json.loads((folder / "my-exercises/.loom/progress.json").read_text())["quiz"])


def test_a_round_through_a_pipe(folder: Path) -> None:
    status, out, err = loom(folder, "01", typed="5 pears\n5 apples\n1\nq\n\nq\n")
    assert (status, err) == (0, "")
    for part in ("Chapter 1: One", "1 of 3  ·  Alpha and omega", "How much is 2 · 2?",
                 "A number, in apples: 5 pears", "The number in apples, please.", "✗ Not right.",
                 "Not even nearly.", "Right is 4 apples.", "Twice two, “Alpha and omega” says.",
                 "    print(\"q\")", "✓ Right.", "Read “Alpha and omega”.", "2 of 3 right.",
                 "2 right, 1 wrong, 0 open"):
        assert part in out, out
    assert "\x1b" not in out
    answers = kept(folder)
    assert {name: entry["right"] for name, entry in answers.items()} == {
        "first": False, "second": True, "third": True}
    assert answers["first"]["said"] == "5 apples" and answers["first"]["times"] == 1


def test_answers_are_remembered_and_wrong_ones_asked_again(folder: Path) -> None:
    loom(folder, "1", typed="5\nq\n")
    assert kept(folder)["first"]["right"] is False
    status, out, _ = loom(folder, "01-one", typed="\n\n")
    assert status == 0 and "How much" not in out and "Nothing answered." in out
    status, out, _ = loom(folder, "01", "--again", typed="4\n")
    assert "1 of 1 right" in out and "What does it print" not in out
    assert kept(folder)["first"] | {"last": ""} == {
        "right": True, "said": "4", "times": 2, "first": False, "last": ""}
    assert "Nothing was answered wrong" in loom(folder, "01", "--again")[1]
    assert "1 of 3" in loom(folder, "01", "--all", typed="q\n")[1]
    assert "1 right, 0 wrong, 2 open" in loom(folder)[1]


def test_unknown_fields_of_the_state_survive(folder: Path) -> None:
    loom(folder, "01", typed="4\n")
    path = folder / "my-exercises/.loom/progress.json"
    state = json.loads(path.read_text())
    state["quiz"]["first"]["mark"] = "star"
    state["quiz"]["gone"] = {"right": True}
    path.write_text(json.dumps(state))
    loom(folder, "01", "--all", typed="5\n")
    assert kept(folder)["first"]["mark"] == "star" and "gone" in kept(folder)


def test_no_answer_at_all_is_refused_with_a_remedy(folder: Path) -> None:
    status, _, err = loom(folder, "01")
    assert status == 1 and "no answer came in\n    → run it in a terminal" in err
    assert "Traceback" not in err


def test_nonsense_is_asked_for_again_a_few_times_and_then_left(folder: Path) -> None:
    status, out, err = loom(folder, "01", typed="what\n" * 5 + "q\n" + "\n")
    assert (status, err) == (0, "")
    assert out.count("A number, please; `what` is none.") == 5 and "Let us leave this one." in out


def test_bytes_that_are_no_text_are_no_answer(folder: Path) -> None:
    status, out, err = loom(folder, "01", typed=b"\xff\xfe\n4\n")
    assert (status, err) == (0, "") and "1 of 1 right" in out


def test_plain_is_ascii(folder: Path) -> None:
    status, out, _ = loom(folder, "01", "--plain", typed="4\n")
    assert status == 0 and out.isascii() and "How much is 2 * 2?" in out and "+ Right." in out


def test_a_state_that_cannot_be_kept_spoils_no_quiz(folder: Path) -> None:
    (folder / "my-exercises").write_text("a file where a folder is to be")
    status, out, err = loom(folder, "01", typed="4\n1\nq\n\n")
    assert status == 0 or "my-exercises" in err
    assert "Traceback" not in out + err


@pytest.mark.parametrize(("arguments", "says"), [
    (("07",), "no chapter `07`"), (("index",), "index has no quiz"), (("--verify",), "")])
def test_what_is_not_there_is_told(folder: Path, arguments: tuple[str, ...], says: str) -> None:
    status, out, err = loom(folder, *arguments)
    assert "Traceback" not in err
    assert (says in err and status == 1) if says else (
        status == 0 and "1 of 3 answers are computed by code, 1 confirmed" in out)


def test_the_schema_is_printed(folder: Path) -> None:
    status, out, _ = loom(folder, "--schema")
    assert status == 0 and "questions" in json.loads(out)["properties"]


def test_a_terminal_is_asked_line_by_line(folder: Path) -> None:
    import pexpect

    child = pexpect.spawn(sys.executable, ["-c", "from loom.cli import main; main()", "quiz", "1"],
                          cwd=folder, encoding="utf-8", timeout=30,
                          env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "80"})
    child.expect("A number, in apples: ")
    child.sendline("4")
    child.expect("Right.")
    child.expect("line by line; an empty line ends it: ")
    child.sendline("1")
    child.expect("… ")
    child.sendline("2")
    child.sendline("")
    child.expect("Not right.")
    child.expect("A word: ")
    child.sendeof()
    child.expect("1 of 2 right")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0 and set(kept(folder)) == {"first", "second"}
