"""Files and notebooks made of exercises, and read back."""

from __future__ import annotations

import ast
import json
from dataclasses import replace
from pathlib import Path

import nbformat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loom.book.chapter import Chapter, Section
from loom.book.toc import Book
from loom.exercise.answers import read_answers
from loom.exercise.derive import (
    section_titles,
    student_block,
    student_file,
    student_name,
    time_text,
)
from loom.exercise.markdown import markdown
from loom.exercise.markers import marker_line
from loom.exercise.model import Code, Exercise
from loom.exercise.notebooks import solution_notebook, student_notebook
from loom.exercise.plain import WIDTH, comments
from loom.exercise.regions import take_apart
from loom.exercise.roles import without_roles

STATEMENT = """Some words with $a + b$ and `code that must not break`, see {numref}`sec-one`.
They go on *here*, by {eq}`eq-one` of {cite}`shannon1948` and {ref}`the other <ex-two>`.[^1]

- a first item that is so long that it takes a second line, which hangs below it
  and says {math}`x^2`
- a second

1. one
2. two

   with a paragraph of its own

:::{note}
:class: wide
Mind the gap.
:::

```{math}
:label: eq-x
x = \\begin{pmatrix} 1 \\\\ 2 \\end{pmatrix}
```

$$
y = 1
$$ (eq-y)

```python
print("kept   as it is")
```

| a | b |
|---|---|
| 1 | 2 |

% a note to myself
(sec-label)=
The end.
"""


def chapter() -> Chapter:
    section = Section("Where it starts", 2, 3, "sec-one")
    text = "# Part\n(sec-one)=\n## Where it starts\n\n$$\nx\n$$ (eq-one)\n"
    return Chapter(Path("01-part.md"), 0, 1, text, {}, (Section("Part", 1, 1, None), section), ())


def exercise(name: str = "first-one", number: int = 1, statement: str = STATEMENT,
             body: str = "return x") -> Exercise:
    function = name.replace("-", "_")
    answer = (f'def {function}(x):\n    """Say.\n\n    >>> {function}(1)\n    1\n    """\n'
              f"    ### BEGIN SOLUTION\n    {body}\n    ### END SOLUTION")
    parts, flaws = take_apart(answer)
    assert not flaws
    return Exercise(
        id=name, title=f"About {name}", chapter="01-part", chapter_number=1, number=number,
        minutes=5, level=1, section="sec-one", libraries=frozenset(), package=None,
        statement=statement, statement_line=1, solution=parts.solution, stub=parts.stub,
        answer_line=1, names=(function,), asked=(function,), hints=("a", "b"),
        cases=Code("cases", "", 1),
        accepted=(Code("by another way", f"# by another way\n{function} = lambda x: x", 1),),
        wrong=(), mutants=(), equivalents=(), remarks="It {ref}`sec-one` costs.",
        path=Path("01-part.md"), line=1)


TITLES = {"sec-one": "Where it starts", "eq-one": "Where it starts"}.get
EXERCISES = (exercise(), exercise("second-one", 2, "Short."))


def test_a_statement_as_comments() -> None:
    assert comments(STATEMENT, TITLES) == """\
# Some words with $a + b$ and `code that must not break`, see “Where it
# starts”. They go on *here*, by the formula of section “Where it starts” of
# [shannon1948] and the other.
#
# - a first item that is so long that it takes a second line, which hangs
#   below it and says $x^2$
# - a second
#
# 1. one
# 2. two
#
#    with a paragraph of its own
#
# Note:
# Mind the gap.
#
#     x = \\begin{pmatrix} 1 \\\\ 2 \\end{pmatrix}
#
# $$
# y = 1
# $$
#
#     print("kept   as it is")
#
# | a | b |
# |---|---|
# | 1 | 2 |
#
# The end."""


def test_indented_code_keeps_its_lines() -> None:
    text = "Two rows:\n\n    pad  pad  5\n      7    2  5\n\nwith a line\n    that hangs."
    assert comments(text) == """\
# Two rows:
#
#     pad  pad  5
#       7    2  5
#
# with a line that hangs."""


def test_a_reference_that_begins_a_sentence_has_a_capital() -> None:
    text = "{eq}`eq-a` holds. {numref}`fig-b` shows it, and\n{eq}`eq-a` again."
    assert without_roles(text, lambda label: "Start") == (
        "The formula of section “Start” holds. The figure in “Start” shows it, and\n"
        "the formula of section “Start” again.")


def test_a_statement_as_markdown() -> None:
    text = markdown(STATEMENT, TITLES)
    assert "see “Where it starts”.\n" in text
    assert "> **Note**\n>\n> Mind the gap.\n" in text
    assert "\n$$\nx = \\begin{pmatrix} 1 \\\\ 2 \\end{pmatrix}\n$$\n" in text
    assert "\n$$\ny = 1\n$$\n" in text
    assert '```python\nprint("kept   as it is")\n```' in text
    assert not any(word in text for word in ("{", "note to myself", "(sec-label)", "[^1]")
                   if word != "{") and "{numref}" not in text and "{note}" not in text


def test_the_students_file() -> None:
    text = student_file(chapter(), EXERCISES, TITLES)
    tree = ast.parse(text)
    assert [n.name for n in tree.body if isinstance(n, ast.FunctionDef)] \
        == ["first_one", "second_one"]
    assert "SOLUTION" not in text and "return x" not in text
    assert "2 exercises, 10 minutes in all" in text and "loom check first-one" in text
    assert max(map(len, text.split("\n"))) <= WIDTH
    assert "# %% exercise second-one · 1.2 About second-one\n#\n# Short.\n#\n" \
        "# 5 minutes · level 1 of 4 · section “Where it starts”\n\ndef second_one(x):" in text
    assert text.endswith("raise NotImplementedError\n")
    assert student_block(EXERCISES[1], TITLES).rstrip() in text
    assert student_file(chapter(), EXERCISES, TITLES) == text


@pytest.mark.parametrize(("number", "packages", "words"), [
    (1, (None, None), None),
    (3, (None, None), "as it was before this chapter. Keep"),
    (3, (None, "03-part"), "unless its text says that more is there. Keep"),
    (3, ("03-part", "03-part"), None),
])
def test_a_file_says_which_package_its_answers_see(
        number: int, packages: tuple[str | None, ...], words: str | None) -> None:
    some = [replace(exercise(), package=package) for package in packages]
    text = " ".join(student_file(replace(chapter(), number=number), some).split("\n# "))
    if words is None:
        assert "scratchlm" not in text
    else:
        assert "may import `scratchlm`" in text and words in text


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    for suffix, text in ((".py", student_file(chapter(), EXERCISES, TITLES)),
                         (".ipynb", student_notebook(chapter(), EXERCISES, TITLES))):
        path = tmp_path / student_name("01-part", suffix)
        assert path.name == f"01_part{suffix}"
        path.write_text(text, encoding="utf-8")
        for answer, one in zip(read_answers(path, EXERCISES).values(), EXERCISES, strict=True):
            assert answer.problem is None and answer.exercise == one.id
            assert not answer.started
            assert answer.source.rstrip().endswith(one.stub)
            assert "import check" not in answer.source and "check(" not in answer.source


WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), max_size=40)
PROSE = st.lists(st.one_of(WORDS, st.sampled_from([
    "", "# %% exercise second-one", ":::{note}", ":::", "```", "$$", "- item", "| a |", "1. one",
    "<<<<<<< mine", "    indented", "%% exercise second-one", "---", '"""', "{ref}`x`"])),
    max_size=8).map("\n".join)


@settings(max_examples=60, deadline=None)
@given(first=PROSE, second=PROSE, title=WORDS.map(lambda text: " ".join(text.split())))
def test_any_statement_gives_a_file_that_is_read_back(
        tmp_path_factory: pytest.TempPathFactory, first: str, second: str, title: str) -> None:
    exercises = (replace(exercise("first-one", 1, first), title=title),
                 replace(exercise("second-one", 2, second), title=title))
    path = tmp_path_factory.getbasetemp() / "any_01_part.py"
    path.write_text(student_file(chapter(), exercises), encoding="utf-8", newline="\n")
    answers = read_answers(path, exercises)
    for one in exercises:
        assert answers[one.id].problem is None, (path.read_text(), answers[one.id].problem)
        assert not answers[one.id].started
    notebook = path.with_suffix(".ipynb")
    notebook.write_text(student_notebook(chapter(), exercises), encoding="utf-8")
    for one in exercises:
        assert not read_answers(notebook, exercises)[one.id].started


def test_notebooks_are_valid_and_the_same_each_time() -> None:
    long = replace(EXERCISES[0], id="x" + "-long" * 20)
    for make in (student_notebook, solution_notebook):
        text = make(chapter(), (*EXERCISES, long), TITLES)
        nbformat.validate(nbformat.reads(text, as_version=4))
        assert make(chapter(), (*EXERCISES, long), TITLES) == text
        ids = [cell["id"] for cell in json.loads(text)["cells"]]
        assert len(set(ids)) == len(ids)


def test_the_solution_notebook_holds_solutions_and_remarks() -> None:
    cells = json.loads(solution_notebook(chapter(), EXERCISES, TITLES))["cells"]
    code = ["".join(c["source"]) for c in cells if c["cell_type"] == "code"]
    text = "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")
    assert EXERCISES[0].solution in code and EXERCISES[1].solution in code
    assert "It “Where it starts” costs." in text and "Another way: by another way." in text


def run_cells(exercises: tuple[Exercise, ...]) -> None:
    """Run a solution notebook's cells in this process."""
    scope: dict[str, object] = {}
    for cell in json.loads(solution_notebook(chapter(), exercises))["cells"]:
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), cell["id"], "exec"), scope)


def test_the_solution_notebook_runs_and_stops_at_a_wrong_example(
        capsys: pytest.CaptureFixture[str]) -> None:
    run_cells(EXERCISES)
    assert capsys.readouterr().out.count("1 examples hold") == 4
    with pytest.raises(AssertionError, match="gives something else"):
        run_cells((exercise(body="return x + 1"),))
    wrong = replace(EXERCISES[0], accepted=(Code("b", "# b\nfirst_one = lambda x: 2", 1),))
    with pytest.raises(AssertionError, match="gives something else"):
        run_cells((wrong,))


def test_titles_of_sections_formulas_and_exercises() -> None:
    named = section_titles(Book(Path("."), (chapter(),)), EXERCISES)
    assert named("sec-one") == named("eq-one") == "Where it starts"
    assert named("ex-second-one") == "About second-one"
    assert named("sec-two") is None


def test_small_texts() -> None:
    assert [time_text(n) for n in (5, 89, 90, 100, 160)] == [
        "5 minutes", "89 minutes", "1.5 hours", "1.5 hours", "2.5 hours"]
    assert len(marker_line("a-long-name", "1.10", "many words " * 20)) <= WIDTH
    assert marker_line("n" * 90, "1.1", "many words").startswith(f"# %% exercise {'n' * 90} · 1.1")
