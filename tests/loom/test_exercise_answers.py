"""Learners' files: what is taken from them, and what a beginner is told."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loom.exercise.answers import Answer, read_answers
from loom.exercise.model import Code, Exercise


def exercise(name: str, number: int = 1, stub: str = "") -> Exercise:
    """An exercise that asks for one function."""
    function = name.replace("-", "_")
    return Exercise(
        id=name, title=f"About {name}", chapter="01-part", chapter_number=1, number=number,
        minutes=5, level=1, section="sec-one", libraries=frozenset(), package=None,
        statement="Write it.", statement_line=1, solution=f"def {function}(x):\n    return x",
        stub=stub or f'def {function}(x):\n    """Say.\n\n    >>> {function}(1)\n    1\n    """\n'
                     "    raise NotImplementedError",
        answer_line=1, names=(function,), asked=(function,), hints=("a", "b"),
        cases=Code("cases", "", 1), accepted=(), wrong=(), mutants=(), equivalents=(),
        remarks="", path=Path("01-part.md"), line=1)


THREE = (exercise("first-one", 1), exercise("second-one", 2), exercise("third-one", 3))
FILE = """# How to work
import math


# %% exercise first-one · 1.1 About first-one
# Write it.

def first_one(x):
    return x


# %% exercise second-one · 1.2 About second-one
# Write it.

def second_one(x):
    return math.floor(x)


# %% exercise third-one · 1.3 About third-one
# Write it.

def third_one(x):
    \"\"\"Say.

    >>> third_one(1)
    1
    \"\"\"
    raise NotImplementedError
"""
SECOND = "def second_one(x):\n    return math.floor(x)\n"
Read = Callable[[str | bytes], dict[str, Answer]]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """A function that saves a learner's file and reads it."""
    def save_and_read(content: str | bytes) -> dict[str, Answer]:
        path = tmp_path / "01_part.py"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return read_answers(path, THREE)
    return save_and_read


def told(answer: Answer) -> str:
    assert answer.problem is not None
    assert answer.problem.remedy
    assert answer.source == ""
    return str(answer.problem)


def test_every_exercise_gets_the_head_and_its_own_block(read: Read) -> None:
    answers = read(FILE)
    lines = FILE.split("\n")
    for name, own in (("first-one", "first_one"), ("second-one", "second_one")):
        answer = answers[name]
        assert answer.problem is None and answer.started
        rows = answer.source.split("\n")
        assert rows[1] == "import math"
        for n, row in enumerate(rows):
            assert row in ("", lines[n])
        assert rows[answer.line - 1].startswith(f"# %% exercise {name}")
        assert rows[answer.line + 2] == f"def {own}(x):"
        others = {"first_one", "second_one", "third_one"} - {own}
        assert not any(other in answer.source for other in others)
    assert answers["first-one"].where(9).endswith("01_part.py:9")


def test_an_untouched_stub_is_recognized(read: Read) -> None:
    assert [a.started for a in read(FILE).values()] == [True, True, False]
    again = FILE.replace("def third_one(x):", "# a comment\n\ndef third_one( x ):") \
        .replace("    >>> third_one(1)\n    1\n", "    Mine.\n")
    assert not read(again)["third-one"].started
    assert read(FILE.replace("raise NotImplementedError", "return 1"))["third-one"].started


BROKEN = [
    ("def second_one(x):\n    return math.floor(x\n", ":16: a syntax error: '(' was never closed\n"
     "        return math.floor(x\n                         ^\n    → close the bracket"),
    ("def second_one(x)\n    return 1\n", ":15: a syntax error: expected ':'"),
    ("def second_one(x):\nreturn 1\n", ":16: the indentation: expected an indented block"),
    ("def second_one(x):\n    y = 1\n  return y\n", ":17: the indentation: unindent does not"),
    ("def second_one(x):\n    y = 1\n\treturn y\n", ":17: tabs and spaces are mixed\n"
     "        →   return y\n    → indent with spaces only"),
    ("def second_one(x):\n    return “x”\n", ":16: a syntax error: invalid character '“'"),
    ("def second_one(x):\n    return 'x\n", ":16: a syntax error: unterminated string"),
    ("def second_one(x):\n    x + 1 = x\n", ":16: a syntax error: cannot assign"),
    ("%matplotlib inline\n", ":15: a command of Jupyter's, no Python\n"),
    ("!pip install jax\n", ":15: a command of the shell"),
    (">>> second_one(1)\n1\n", ":15: a prompt, no Python"),
    ("```python\nx = 1\n```\n", ":15: a mark of Markdown, no Python"),
    ("print 'x'\n", "→ put what is printed in parentheses"),
    ("return 3\n", ":15: a syntax error: 'return' outside function"),
    ("from __future__ import annotations\nx = 1\n", ":15: a syntax error: from __future__"),
    ("x = " + "(" * 300 + "\n", ":15: a syntax error: too many nested parentheses"),
    ("x = " + "-" * 20000 + "1\n", "nested too deep"),
    ("x = 123456\n" * 6100, ":12: 61,0"),
    ("<<<<<<< mine\nx = 1\n=======\nx = 2\n>>>>>>> theirs\n", ":15: an unresolved merge conflict"),
    ("", ":12: nothing but comments below the line of `second-one`"),
    ("# only a comment\n", ":12: nothing but comments"),
    ("x = 1\0\n", ":15: holds a NUL character"),
]


@pytest.mark.parametrize(("text", "message"), BROKEN, ids=range(len(BROKEN)))
def test_a_mistake_is_told_and_touches_no_other_exercise(read: Read, text: str,
                                                         message: str) -> None:
    whole = read(FILE)
    answers = read(FILE.replace(SECOND, text))
    assert message in told(answers["second-one"])
    assert answers["first-one"] == whole["first-one"]
    assert answers["third-one"].problem is None
    assert answers["third-one"].started is False


def test_a_syntax_error_in_the_head_concerns_all_and_says_so(read: Read) -> None:
    for answer in read(FILE.replace("import math", "import")).values():
        assert "01_part.py:2: a syntax error" in told(answer)
        assert "above the first exercise" in told(answer)


def test_letters_of_another_encoding_concern_only_their_exercise(read: Read) -> None:
    content = FILE.replace(SECOND, SECOND + "# @\n").encode().replace(b"@", b"\xe9")
    answers = read(content)
    assert "01_part.py:17: is not UTF-8: byte 0xe9 (perhaps “é” in Latin-1)" \
        in told(answers["second-one"])
    assert "UTF-8" in told(answers["second-one"]).split("→")[1]
    assert answers["first-one"].problem is None and answers["third-one"].problem is None


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf_16_is_told(read: Read, encoding: str) -> None:
    for answer in read(FILE.encode(encoding)).values():
        assert "is saved as UTF-16" in told(answer)


@pytest.mark.parametrize("end", ["\r\n", "\r"])
def test_other_ends_of_lines_and_a_byte_order_mark_are_read(read: Read, end: str) -> None:
    plain = read(FILE)
    assert read("\ufeff" + FILE.replace("\n", end)) == plain


def test_a_marker_that_was_deleted(read: Read) -> None:
    marker = "# %% exercise second-one · 1.2 About second-one\n"
    answers = read(FILE.replace(marker, ""))
    message = told(answers["second-one"])
    assert "01_part.py:14: the line that starts the exercise `second-one` is gone" in message
    assert "`# %% exercise second-one`" in message
    assert answers["first-one"].problem is None and answers["third-one"].problem is None
    assert "second_one" not in answers["first-one"].source
    gone = read(FILE.replace(marker, "").replace(SECOND, ""))
    assert "the exercise `second-one` is not in the file" in told(gone["second-one"])
    assert "loom reset second-one" in told(gone["second-one"])


def test_an_untouched_stub_above_a_deleted_marker_is_still_not_started(read: Read) -> None:
    second, third = FILE.index("# %% exercise second-one"), FILE.index("# %% exercise third")
    text = f"{FILE[:second]}{FILE[third:]}\n\n# Write it.\nimport numpy as np\n\n\n" \
        f"@np.vectorize\n{SECOND}"
    answers = read(text)
    assert not answers["third-one"].started and answers["third-one"].problem is None
    assert "is gone" in told(answers["second-one"])
    broken = read(text.replace("math.floor(x)", "math.floor(x"))
    assert not broken["third-one"].started and broken["third-one"].problem is None


def test_a_broken_answer_whose_marker_was_the_first_spares_the_others(read: Read) -> None:
    text = FILE.replace("# %% exercise first-one · 1.1 About first-one\n", "")
    helper = read(text)["second-one"].source
    assert "def first_one" in helper and "import math" in helper
    answers = read(text.replace("return x", "return (x"))
    assert "is gone" in told(answers["first-one"])
    assert answers["second-one"].problem is None
    assert "first_one" not in answers["second-one"].source
    assert "import math" in answers["second-one"].source


def test_a_marker_that_was_renamed(read: Read) -> None:
    answers = read(FILE.replace("exercise second-one", "exercise second-won"))
    message = told(answers["second-one"])
    assert "01_part.py:12: no exercise is called `second-won`" in message
    assert "starts with `# %% exercise second-one`" in message
    assert answers["first-one"] == read(FILE)["first-one"]
    nameless = read(FILE.replace("exercise second-one · 1.2 About second-one", "exercise"))
    assert ":12: the line `# %% exercise` names no exercise" in told(nameless["second-one"])


def test_a_marker_that_is_there_twice(read: Read) -> None:
    marker = "# %% exercise second-one · 1.2 About second-one\n"
    answers = read(FILE + "\n" + marker + SECOND)
    message = told(answers["second-one"])
    assert "`second-one` is here a second time; the first is at line 12" in message
    assert answers["first-one"].problem is None and answers["third-one"].problem is None


@pytest.mark.parametrize("marker", ["#%% exercise second-one", "# %%  Exercise: second-one",
                                    "# %% exercise Second-One", "# %% exercise second-one"])
def test_markers_as_people_and_tools_rewrite_them(read: Read, marker: str) -> None:
    text = FILE.replace("# %% exercise second-one · 1.2 About second-one", marker)
    assert read(text)["second-one"].problem is None


def test_other_cells_inside_an_answer_belong_to_it(read: Read) -> None:
    answers = read(FILE.replace(SECOND, SECOND + "\n# %% my notes\nnotes = 1\n"))
    assert "notes = 1" in answers["second-one"].source
    assert "notes" not in answers["third-one"].source


def test_a_conflict_across_exercises_concerns_those_that_it_touches(read: Read) -> None:
    text = FILE.replace("def first_one", "<<<<<<< HEAD\ndef first_one") \
        .replace("# %% exercise second-one", "=======\n>>>>>>> theirs\n# %% exercise second-one")
    answers = read(text)
    assert "unresolved merge conflict" in told(answers["first-one"])
    assert answers["second-one"].problem is None


@pytest.mark.parametrize(("content", "message"), [
    ("", "is empty"), (" \n\t\n", "is empty"), ("x = 1\n", "has no line that starts with"),
    ("#" * (1 << 21), "is larger than 1 MB"),
])
def test_files_without_answers(read: Read, content: str, message: str) -> None:
    answers = read(content)
    assert list(answers) == ["first-one", "second-one", "third-one"]
    for answer in answers.values():
        assert message in told(answer)


def test_what_is_no_file(tmp_path: Path) -> None:
    path = tmp_path / "01_part.py"
    assert "there is no such file" in told(read_answers(path, THREE)["first-one"])
    path.mkdir()
    assert "is a folder" in told(read_answers(path, THREE)["first-one"])
    path.rmdir()
    os.mkfifo(path)
    assert "is not a plain file" in told(read_answers(path, THREE)["first-one"])
    path.unlink()
    path.symlink_to("/dev/zero")
    assert "is not a plain file" in told(read_answers(path, THREE)["first-one"])
    path.unlink()
    path.symlink_to(path)
    assert "cannot be opened" in told(read_answers(path, THREE)["first-one"])


def notebook(*sources: str | list[str], **more: object) -> str:
    """A notebook with a text and these code cells."""
    cells: list[dict[str, object]] = [
        {"cell_type": "markdown", "id": "top", "metadata": {}, "source": "# T"}]
    cells += [{"cell_type": "code", "id": f"cell-{n}", "metadata": {}, "outputs": [],
               "execution_count": None, "source": source} for n, source in enumerate(sources)]
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5, **more})


CELLS = ("import math\nfrom loom.desk.notebook import check",
         "# %% exercise first-one · 1.1\ndef first_one(x):\n    return x", 'check("first-one")',
         ["# %% exercise second-one\n", "def second_one(x):\n", "    return math.floor(x)"],
         "%%time\nsecond_one(2.5)", "%matplotlib inline\n!ls\nhelper = 1",
         'verdict = check("second-one")', "# %% exercise third-one\n" + THREE[2].stub)


@pytest.fixture
def read_cells(tmp_path: Path) -> Read:
    """A function that saves a learner's notebook and reads it."""
    def save_and_read(content: str | bytes) -> dict[str, Answer]:
        path = tmp_path / "01_part.ipynb"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return read_answers(path, THREE)
    return save_and_read


def test_notebooks_are_read_without_what_only_jupyter_knows(read_cells: Read) -> None:
    answers = read_cells(notebook(*CELLS))
    assert [a.problem for a in answers.values()] == [None] * 3
    assert [a.started for a in answers.values()] == [True, True, False]
    source = answers["second-one"].source
    assert "import math" in source and "math.floor(x)" in source and "helper = 1" in source
    assert not any(word in source for word in ("check", "%%time", "%matplotlib", "!ls", "2.5",
                                               "first_one"))
    assert answers["second-one"].where().endswith("01_part.ipynb, cell 5, line 1")


def test_files_that_jupytext_has_turned_are_read(tmp_path: Path) -> None:
    jupytext = pytest.importorskip("jupytext")
    old = tmp_path / "old.py"
    old.write_text(FILE)
    wanted = [(a.problem, a.started) for a in read_answers(old, THREE).values()]
    assert wanted == [(None, True), (None, True), (None, False)]
    as_notebook = jupytext.reads(FILE, fmt="py:percent")
    for name, text in (
            ("new.ipynb", jupytext.writes(as_notebook, fmt="ipynb")),
            ("new.py", jupytext.writes(as_notebook, fmt="py:percent")),
            ("back.py", jupytext.writes(jupytext.reads(notebook(*CELLS), fmt="ipynb"),
                                        fmt="py:percent"))):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        answers = read_answers(path, THREE)
        assert [(a.problem, a.started) for a in answers.values()] == wanted, name
        assert not any("check(" in a.source or "import check" in a.source
                       for a in answers.values())


def test_a_modulo_at_the_start_of_a_line_is_no_magic(read_cells: Read) -> None:
    cells = list(CELLS)
    cells[3] = "# %% exercise second-one\ndef second_one(x):\n    return (x\n%  7)"
    assert "%  7)" in read_cells(notebook(*cells))["second-one"].source


def test_a_syntax_error_in_a_notebook_names_cell_and_line(read_cells: Read) -> None:
    cells = list(CELLS)
    cells[3] = "# %% exercise second-one\ndef second_one(x)\n    return 1"
    answers = read_cells(notebook(*cells))
    assert "01_part.ipynb: cell 5, line 2: a syntax error: expected ':'" \
        in told(answers["second-one"])
    assert answers["first-one"].problem is None and not answers["third-one"].started


@pytest.mark.parametrize(("content", "message"), [
    ("", "is empty"), ("{", "is not a notebook: not JSON"), ("[1]", "not a notebook of format 4"),
    ('{"worksheets": []}', "not a notebook of format 4"), ("[" * 100_000, "not JSON"),
    (b"\xff\xfe{\0", "is not UTF-8"), (notebook(), "is empty"), (notebook("x = 1"), "has no line"),
    ("<<<<<<< mine\n{}\n", "holds merge-conflict markers"),
    ('{"cells": [1, {"cell_type": "code"}, {"cell_type": "code", "source": 3}]}', "is empty"),
    ('{"cells": [{"cell_type": "code", "source": "x = \\ud800"}]}', "has no line"),
    (notebook("x" * (1 << 21)), "holds more than 1 MB of code"),
])
def test_damaged_notebooks(read_cells: Read, content: str | bytes, message: str) -> None:
    for answer in read_cells(content).values():
        assert message in told(answer)


NAMES = ("first-one", "second-one", "third-one")
LINES = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), max_size=30)


@settings(max_examples=80, deadline=None)
@given(blocks=st.permutations(NAMES), junk=st.lists(LINES, max_size=6), cut=st.integers(0, 400))
def test_no_file_makes_reading_fail(tmp_path_factory: pytest.TempPathFactory, blocks: list[str],
                                    junk: list[str], cut: int) -> None:
    text = "\n".join(f"# %% exercise {name}\n{line}" for name, line in
                     zip(blocks, [*junk, "", "", ""], strict=False)) + "\n" + "\n".join(junk)
    content = text.encode()[:cut]
    path = tmp_path_factory.mktemp("any") / "01_part.py"
    path.write_bytes(content)
    answers = read_answers(path, THREE)
    assert set(answers) == set(NAMES)
    for answer in answers.values():
        assert (answer.problem is None) == bool(answer.source)
        if answer.problem is None:
            compile(answer.source, "answer", "exec", dont_inherit=True)


@settings(max_examples=40, deadline=None)
@given(content=st.binary(max_size=300))
def test_no_bytes_make_reading_fail(tmp_path_factory: pytest.TempPathFactory,
                                    content: bytes) -> None:
    folder = tmp_path_factory.mktemp("bytes")
    for name in ("01_part.py", "01_part.ipynb"):
        (folder / name).write_bytes(content)
        for answer in read_answers(folder / name, THREE).values():
            assert told(answer)


def test_the_answer_is_plain_data() -> None:
    answer = Answer("first-one", "x = 1", Path("01_part.py"), 3)
    assert replace(answer, line=4).where() == "01_part.py:4"
