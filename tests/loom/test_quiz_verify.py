"""Answers are computed by code, and a quiz that says otherwise is told so."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from loom.book.chapter import HEADER
from loom.book.toc import Book, read_book
from loom.errors import LoomError
from loom.quiz.bank import quiz_path, read_quiz
from loom.quiz.verify import Verified, verify

CHAPTER = f"""{HEADER}

(ch-one)=
# One

```{{code-cell}} python
:tangle: one.py
def one() -> int:
    \"\"\"The number one.\"\"\"
    return 1
```
"""
CHOICE = """
    options:
      - {text: one, right: true, value: %s, reply: r1}
      - {text: two, value: %s, misconception: m, reply: r2}
      - {text: three, misconception: m, reply: r3}
"""
MULTIPLE = """
    options:
      - {text: one, right: true, value: 1, reply: r1}
      - {text: two, right: true, value: 2, reply: r2}
      - {text: three, value: 3, misconception: m, reply: r3}
"""
STEPS = """
    steps: [{text: a, value: 1}, {text: b, value: 2}, {text: c, value: 3}]
    reply: r
"""


def question(kind: str, fields: str, verify: str = "", name: str = "asked") -> str:
    """A question in YAML."""
    code = "".join(f"      {line}\n" for line in verify.split("\n"))
    return (f"  - id: {name}\n    kind: {kind}\n    section: ch-one\n    level: 1\n"
            f"    ask: What?\n    explain: So.\n    {fields.strip()}\n"
            + (f"    verify: |\n{code}" if verify else ""))


def run(folder: Path, *questions: str, seconds: float | None = None) -> Verified:
    """Verify a quiz of these questions."""
    (folder / "book/quizzes").mkdir(parents=True)
    (folder / "book/index.md").write_text("# A book\n")
    (folder / "book/01-one.md").write_text(CHAPTER)
    (folder / "book/02-two.md").write_text(CHAPTER.replace("ch-one", "ch-two").replace(
        "one", "two"))
    (folder / "_toc.yml").write_text("format: jb-book\nroot: book/index\nchapters:\n"
                                     "  - file: book/01-one\n  - file: book/02-two\n")
    book: Book = read_book(folder)
    chapter = book.chapter(1)
    quiz_path(book, chapter).write_text("chapter: 01-one\nquestions:\n" + "".join(questions))
    return verify(book, read_quiz(quiz_path(book, chapter), chapter), seconds)


NUMBER = "answer: 0.5\n    tolerance: 0.1"
RIGHT = {
    "number": question("number", NUMBER, "import math\nanswer = math.sqrt(0.3)"),
    "exact number": question("number", "answer: 3\n    tolerance: 0", "answer = 1 + 2"),
    "relative": question("number", "answer: 1e5\n    relative: 0.01", "answer = 1e5 * 1.0099"),
    "numpy scalar": question("number", NUMBER, "import numpy as np\nanswer = np.float32(0.25) * 2"),
    "fraction": question("number", NUMBER, "from fractions import Fraction\n"
                                           "answer = Fraction(1) / 2"),
    "choice": question("single", CHOICE % (0.3, 0.4), "answer = 0.1 + 0.2"),
    "choice of texts": question("single", CHOICE % ("Two  words", "b"),
                                "answer = 'two ' + 'words'"),
    "choice of truths": question("single", CHOICE % ("true", 1), "answer = 1 < 2"),
    "choice of lists": question("single", CHOICE % ("[2, 3]", "[3, 2]"),
                                "import numpy as np\nanswer = np.zeros((2, 3)).shape"),
    "choice of infinities": question("single", CHOICE % ("inf", "nan"), "answer = 1e308 * 10"),
    "choice of nan": question("single", CHOICE % ("nan", "inf"), "answer = 1e308 * 10 * 0"),
    "multiple": question("multiple", MULTIPLE, "answer = {n for n in (2, 1)}"),
    "order": question("order", STEPS, "answer = sorted([3, 1, 2])"),
    "text": question("text", "answers: [Log-Sum-Exp]", "answer = 'LOG' + '-sum-exp '"),
    "trace": question("trace", "code: |\n      for n in range(2):\n          print(n, '')\n"
                               "    answer: |\n      0\n      1"),
    "package": question("number", "answer: 1\n    tolerance: 0",
                        "from scratchlm.one import one\nanswer = one()"),
}
WRONG = {
    "number": (
        question("number", NUMBER, "answer = 1.0 / 2 + 0.11"),
        "answer = 1.0 / 2", "computes 0.61, not 0.5"),
    "no number": (
        question("number", NUMBER, "answer = str(0.5)"),
        "answer = str", "computes `0.5`, not 0.5"),
    "nan": (
        question("number", NUMBER, "answer = 1e308 * 10 * 0"),
        "answer = 1e308", "computes nan"),
    "choice": (
        question("single", CHOICE % (3, 4), "answer = 2 + 2"),
        "answer = 2 + 2", "computes 4, not 3"),
    "true is not 1": (
        question("single", CHOICE % (1, 2), "answer = 1 < 2"),
        "answer = 1 < 2", "computes True"),
    "multiple, one lacks": (
        question("multiple", MULTIPLE, "answer = [n for n in (1,)]"),
        "answer = [n", "computes [1], not [1, 2] in any order"),
    "multiple, one too many": (
        question("multiple", MULTIPLE, "answer = list(range(1, 4))"),
        "answer = list", "computes [1, 2, 3]"),
    "multiple, one twice": (
        question("multiple", MULTIPLE, "answer = [1, 2] + [1]"),
        "answer = [1, 2]", "computes [1, 2, 1]"),
    "order": (
        question("order", STEPS, "answer = sorted([1, 2, 3], reverse=True)"),
        "answer = sorted", "computes [3, 2, 1], not [1, 2, 3]"),
    "text": (
        question("text", "answers: [softmax]", "answer = 'soft' + 'plus'"),
        "answer = 'soft'", "computes `softplus`, not `softmax`"),
    "trace": (
        question("trace", "code: print(0.10)\n    answer: 0.10"),
        "answer: 0.10", "the program prints `0.1`, `answer` says `0.10`"),
    "an exception": (
        question("number", NUMBER, "x = 1\nanswer = x / 0"),
        "x / 0", "`verify` fails: ZeroDivisionError"),
    "a function": (
        question("number", NUMBER, "import json\nanswer = json.dumps or 1 + 1"),
        "import json", "`answer` is a function"),
    "sys.exit": (
        question("number", NUMBER, "import sys\nsys.exit(0)\nanswer = 1 + 1"),
        "sys.exit(0)", "fails: SystemExit"),
    "gone": (
        question("number", NUMBER, "answer = 1 + 1\ndel answer"),
        "answer = 1 + 1", "nothing was assigned to `answer`"),
    "a later chapter": (
        question("number", NUMBER, "from scratchlm.two import two\nanswer = two()"),
        "from scratchlm.two", "ModuleNotFoundError"),
    "os._exit": (
        question("number", NUMBER, "import os\nos._exit(0)\nanswer = 1 + 1"),
        "import os", "it ended the process (exit code 0)"),
    "a crash": (
        question("number", NUMBER, "import ctypes\nctypes.string_at(0)\nanswer = 1 + 1"),
        "import ctypes", "it ended the process (SIGSEGV)"),
}


@pytest.fixture(scope="module")
def wrong(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Verified]:
    """All wrong questions in one quiz."""
    folder = tmp_path_factory.mktemp("wrong")
    return folder, run(folder, *(named(text, name) for name, (text, _, _) in WRONG.items()))


def named(text: str, name: str) -> str:
    """A question under an id made of a test's name."""
    return text.replace("id: asked", f"id: {slug(name)}")


def slug(name: str) -> str:
    return "-".join("".join(c if c.isalnum() else " " for c in name).split())


def test_right_answers_are_confirmed(tmp_path: Path) -> None:
    found = run(tmp_path, *(named(text, name) for name, text in RIGHT.items()))
    assert found.checked == tuple(map(slug, RIGHT))
    assert list(map(str, found.problems)) == []


@pytest.mark.parametrize("name", WRONG)
def test_wrong_answers_are_told_with_their_line(wrong: tuple[Path, Verified], name: str) -> None:
    folder, found = wrong
    _, shown, says = WRONG[name]
    (problem,) = [p for p in found.problems if f"`{slug(name)}`" in p.what]
    assert says in problem.what and problem.remedy
    assert problem.place is not None and problem.place.line is not None
    written = (folder / "book/quizzes/01-one.yml").read_text().split("\n")
    assert shown in written[problem.place.line - 1]


def test_questions_do_not_see_each_other(tmp_path: Path) -> None:
    found = run(tmp_path,
                question("number", NUMBER, "leak = 0.5\nanswer = leak * 1", "first"),
                question("number", NUMBER, "answer = leak * 1", "second"))
    assert [str(p.what).split(":")[0] for p in found.problems] == ["question `second`"]
    assert "NameError" in found.problems[0].what


def test_random_numbers_are_the_same_whatever_ran_before(tmp_path: Path) -> None:
    draw = "import numpy as np\nanswer = np.random.random()"
    found = run(tmp_path, *(question("number", "answer: 0.5488135\n    tolerance: 1e-7", draw, name)
                            for name in ("first", "second")))
    assert found.problems == ()


def test_what_does_not_end_is_stopped_and_the_rest_still_runs(tmp_path: Path) -> None:
    started = time.monotonic()
    found = run(tmp_path,
                question("number", NUMBER, "answer = 1 / 2", "before"),
                question("number", NUMBER, "while True:\n    pass\nanswer = 1 + 1", "endless"),
                question("number", NUMBER, "import os\nos.abort()\nanswer = 1 + 1", "aborted"),
                question("number", NUMBER, "answer = 1 / 2", "after"),
                question("number", NUMBER, "answer = 1 / 1", "wrong"), seconds=1.0)
    assert time.monotonic() - started < 20
    assert [p.what.split("`")[1] for p in found.problems] == ["endless", "aborted", "wrong"]
    assert "did not end within 1 s" in found.problems[0].what
    assert "SIGABRT" in found.problems[1].what
    assert len(found.checked) == 5


def test_output_of_the_blocks_disturbs_nothing(tmp_path: Path) -> None:
    noisy = ("import os, sys\nprint('x' * 100_000)\nos.write(1, b'{\"id\": 1}\\n')\n"
             "print('y', file=sys.stderr)\nanswer = 1 / 2")
    assert run(tmp_path, question("number", NUMBER, noisy)).problems == ()


def test_a_quiz_without_code_starts_nothing(tmp_path: Path) -> None:
    found = run(tmp_path, question("text", "answers: [a]"))
    assert (found.checked, found.problems) == ((), ())


def test_a_patience_that_is_no_number_is_told(tmp_path: Path,
                                              monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOOM_PATIENCE", "much")
    with pytest.raises(LoomError, match="LOOM_PATIENCE=much"):
        run(tmp_path, RIGHT["number"])
