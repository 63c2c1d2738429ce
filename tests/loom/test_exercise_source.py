"""Exercise sources: what is read, and every mistake with its line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loom.book.chapter import HEADER
from loom.book.toc import Book, read_book
from loom.errors import LoomError
from loom.exercise.lint import lint
from loom.exercise.source import Exercise, exercises_of, find

CHAPTER = "# {title}\n\n({label})=\n## A section\n\nText.\n"

GOOD = '''# Exercises

:::{exercise} The sum of squares
:id: sum-squares
:minutes: 10
:level: 2
:section: sec-one

Write `sum_squares(x)`, see {numref}`sec-one`.
:::

```{code-cell} python
:tags: [ex-answer]
import numpy as np


def sum_squares(x: np.ndarray) -> float:
    """The sum of the squares of ``x``.

    >>> sum_squares(np.array([3.0, 4.0]))
    25.0
    """
    ### BEGIN SOLUTION
    squares = x * x
    return float(squares.sum())
    ### END SOLUTION
```

:::{exercise-hint}
Where to look.
:::

:::{exercise-hint}
The idea.
:::

```{code-cell} python
:tags: [ex-cases, remove-cell]
case("a row", lambda r: [r.normal(size=5)], why="squares, not the numbers themselves")
case("nothing", lambda r: [np.zeros(0)], why="an empty sum is zero")
```

```{code-cell} python
:tags: [ex-wrong, remove-cell]
# forgets to square
# caught by: a row
def sum_squares(x):
    return float(x.sum())
```

```{code-cell} python
:tags: [ex-mutants, remove-cell]
mutant("a mean", ".sum()", ".mean()", caught_by="a row")
equivalent("x * x", "x ** 2", because="the same numbers")
```

```{code-cell} python
:tags: [ex-accept, remove-cell]
# as a product
import numpy as np


def sum_squares(x):
    return float(np.dot(x, x))
```

:::{exercise-solution}
It costs one pass.
:::
'''


def make(root: Path, sources: dict[str, str], chapters: int = 2) -> Book:
    """A book of small chapters with these exercise sources."""
    (root / "book").mkdir(parents=True, exist_ok=True)
    (root / "exercises").mkdir(exist_ok=True)
    (root / "book/index.md").write_text("# A book\n")
    names = [f"{n:02}-part" for n in range(1, chapters + 1)]
    (root / "_toc.yml").write_text(
        "format: jb-book\nroot: book/index\nchapters:\n"
        + "".join(f"  - file: book/{name}\n" for name in names))
    for n, name in enumerate(names, 1):
        label = f"sec-{['one', 'two', 'three'][n - 1]}"
        (root / f"book/{name}.md").write_text(CHAPTER.format(title=f"Part {n}", label=label))
    for name, text in sources.items():
        (root / f"exercises/{name}.md").write_text(f"{HEADER}\n\n{text}")
    return read_book(root)


def one(root: Path, text: str = GOOD) -> Exercise:
    return exercises_of(make(root, {"01-part": text}))["01-part"][0]


def problems(root: Path, text: str) -> list[str]:
    """What is wrong with a source: the line in question, and what is wrong with it."""
    with pytest.raises(LoomError) as caught:
        one(root, text)
    found = []
    lines = (root / "exercises/01-part.md").read_text().split("\n")
    for problem in caught.value.problems:
        assert problem.place is not None
        assert problem.place.path == root / "exercises/01-part.md"
        assert problem.remedy
        line = lines[(problem.place.line or 1) - 1]
        found.append(f"{line}| {problem.what}")
    return found


def test_a_good_source_is_read(tmp_path: Path) -> None:
    exercise = one(tmp_path)
    assert (exercise.id, exercise.title) == ("sum-squares", "The sum of squares")
    assert (exercise.label, exercise.printed) == ("ex-sum-squares", "1.1")
    assert (exercise.minutes, exercise.level, exercise.section) == (10, 2, "sec-one")
    assert (exercise.chapter, exercise.chapter_number) == ("01-part", 1)
    assert exercise.libraries == frozenset() and exercise.package is None
    assert exercise.statement == "Write `sum_squares(x)`, see {numref}`sec-one`."
    assert exercise.names == exercise.asked == ("sum_squares",)
    assert exercise.hints == ("Where to look.", "The idea.")
    assert exercise.remarks == "It costs one pass."
    assert exercise.stub.endswith('    """\n    raise NotImplementedError')
    assert "SOLUTION" not in exercise.solution
    assert exercise.solution.endswith("    squares = x * x\n    return float(squares.sum())")
    assert [c.name for c in exercise.accepted] == ["as a product"]
    assert [(c.name, c.caught_by, c.edited) for c in exercise.wrong] == [
        ("forgets to square", "a row", False), ("a mean", "a row", True)]
    assert exercise.wrong[1].source.endswith("return float(squares.mean())")
    assert exercise.equivalents == (("x * x", "x ** 2", "the same numbers"),)


def test_lines_are_those_of_the_file(tmp_path: Path) -> None:
    exercise = one(tmp_path)
    lines = (tmp_path / "exercises/01-part.md").read_text().split("\n")
    assert lines[exercise.line - 1].startswith(":::{exercise} The sum")
    assert lines[exercise.statement_line - 1].startswith("Write `sum_squares")
    assert lines[exercise.answer_line - 1] == "import numpy as np"
    assert lines[exercise.cases.line - 1].startswith('case("a row"')
    assert lines[exercise.wrong[0].line - 1] == "# forgets to square"
    assert lines[exercise.wrong[1].line - 1].startswith('mutant("a mean"')
    assert lines[exercise.accepted[0].line - 1] == "# as a product"


HINT = ":::{exercise-hint}\nThe idea.\n:::\n"
ANSWER = GOOD[GOOD.index("```{code-cell} python\n:tags: [ex-answer]"):
              GOOD.index(":::{exercise-hint}")]
CASES = GOOD[GOOD.index("```{code-cell} python\n:tags: [ex-cases"):
             GOOD.index("```{code-cell} python\n:tags: [ex-wrong")]


@pytest.mark.parametrize(("old", "new", "found"), [
    (":id: sum-squares\n", "", ":::{exercise} The sum of| `:id:` is missing"),
    (":id: sum-squares", ":id: Sum_Squares", ":id: Sum_Squares| `Sum_Squares` is not an id"),
    (":id: sum-squares", ":id:", ":id:| `:id:` says nothing"),
    (":level: 2", ":level: 5", ":level: 5| `:level: 5` is no level"),
    (":level: 2", ":level: hard", ":level: hard| `:level: hard` is no level"),
    (":minutes: 10", ":minutes: 0", ":minutes: 0| `:minutes: 0` is no time"),
    (":minutes: 10", ":minutes: ten", ":minutes: ten| `:minutes: ten` is no time"),
    (":minutes: 10", ":minutes: ١٠", ":minutes: ١٠| `:minutes: ١٠` is no time"),
    (":minutes: 10", ":minute: 10", ":minute: 10| unknown option `:minute:` of `{exercise}`"),
    (":minutes: 10", ":minutes: 10\n:minutes: 20", ":minutes: 20| `:minutes:` is given twice"),
    (":section: sec-one", ":section: sec-ome",
     ":section: sec-ome| 01-part has no section `sec-ome`"),
    (":section: sec-one", ":section: sec-one\n:libraries: jax",
     ":libraries: jax| `jax` is not a library of the book"),
    (" The sum of squares", "", ":::{exercise}| an exercise without a title"),
    ("Write `sum_squares(x)`, see {numref}`sec-one`.\n", "",
     ":::{exercise} The sum of| an exercise without a statement"),
    (ANSWER, "", ":::{exercise} The sum of| no cell with the tag `ex-answer`"),
    (CASES, "", ":::{exercise} The sum of| no cell with the tag `ex-cases`"),
    (ANSWER, ANSWER + ANSWER, "```{code-cell} python| a second cell with the tag `ex-answer`"),
    (HINT, "", ":::{exercise} The sum of| 1 hint"),
    ("The idea.\n", "", ":::{exercise-hint}| an empty `{exercise-hint}`"),
    ("    ### BEGIN SOLUTION\n", "",
     "### END SOLUTION| `### END SOLUTION` without a `### BEGIN SOLUTION`"),
    ("    ### END SOLUTION\n", "", "### BEGIN SOLUTION| `### BEGIN SOLUTION` is never ended"),
    ("    ### END SOLUTION", "  ### END SOLUTION",
     "### END SOLUTION| `### END SOLUTION` is not indented"),
    ("### BEGIN SOLUTION", "### begin solution",
     "### begin solution| `### begin solution` is not quite a mark"),
    ("    squares = x * x\n    return float(squares.sum())\n", "    # todo\n",
     "### BEGIN SOLUTION| an empty solution"),
    ("    ### BEGIN SOLUTION\n    squares = x * x\n", "    squares = (x\n    ### BEGIN SOLUTION\n"
     "    * x)\n", "### BEGIN SOLUTION| without its solution the cell is no Python ("),
    ("The sum of the squares of ``x``.", "squares = x * x",
     "squares = x * x| the stub gives away this line of the solution: `squares = x * x`"),
    ("    >>> sum_squares(np.array([3.0, 4.0]))\n    25.0\n", "",
     "import numpy as np| no docstring of the answer cell shows an example"),
    ("squares = x * x", "squares = x *", "squares = x *| a syntax error: invalid syntax"),
    ("return float(squares.sum())", "return float(squares.sum()",
     "return float(squares.sum| a syntax error: '(' was never closed"),
    ("import numpy as np\n\n\ndef sum_squares(x: np.ndarray", "import scipy\n\n\ndef "
     "sum_squares(x: scipy.A",
     "import scipy| imports scipy, which the learner's answer will not find"),
    ("import numpy as np\n\n\ndef sum_squares(x: np.ndarray", "import torch\n\n\ndef "
     "sum_squares(x: torch.A", "import torch| imports torch, and the exercise does not ask for it"),
    ("import numpy as np\n\n\ndef sum_squares", "from __future__ import annotations\n\n"
     "import numpy as np\n\n\ndef sum_squares",
     "from __future__ import| `from __future__` in an answer"),
    ("import numpy as np\n\n\ndef sum_squares(x: np.ndarray", "from scratchlm.a import b\n\n\ndef "
     "sum_squares(x: b", "from scratchlm.a import | imports scratchlm, which does not exist yet"),
    ('case("a row"', 'case("nothing"',
     "case(\"nothing\", lambda r| two cases are called “nothing”"),
    ('case("a row"', "case(1", "case(1, lambda r: [r.nor| a case without a name"),
    (', why="an empty sum is zero"', "",
     "case(\"nothing\", lambda r| the case “nothing” does not say why it is there"),
    ('why="an empty', 'call="cube", why="an empty',
     "case(\"nothing\", lambda r| `call='cube'` names nothing that the answer defines"),
    ('why="an empty', 'drive=steps, why="an empty',
     "case(\"nothing\", lambda r| `drive=steps`: no function of this cell"),
    ("# forgets to square\n", "", "# caught by: a row| a wrong answer without a name"),
    ("# caught by: a row\n", "",
     "# forgets to square| no case is named that catches “forgets to square”"),
    ("# caught by: a row", "# caught by: a column",
     "# caught by: a column| caught by “a column”: there is no such case"),
    ("    return float(x.sum())", "    return float(x.sum(", "return float(x.sum(| a syntax error"),
    ("def sum_squares(x):\n    return float(x.sum())", "def squares(x):\n    return x",
     "# forgets to square| the wrong answer “forgets to square” does not define `sum_squares`"),
    ("# as a product\n", "", "import numpy as np| an accepted answer without a name"),
    ("# as a product", "# forgets to square",
     "# forgets to square| “forgets to square” is the name of the answer at line"),
    ('".sum()", ".mean()"', '"sum_squares", "mean"',
     "mutant(\"a mean\", \"sum_sq| the mutant “a mean” edits `sum_squares`, which occurs 2 times"),
    ('".sum()", ".mean()"', '".max()", ".mean()"',
     "mutant(\"a mean\", \".max()| the mutant “a mean” edits `.max()`, which occurs nowhere"),
    ('".sum()", ".mean()"', '".sum()", ".sum()"',
     "mutant(\"a mean\", \".sum()| the mutant “a mean” changes nothing"),
    ('".sum()", ".mean()"', '".sum()", ".mean("',
     "mutant(\"a mean\", \".sum()| the mutant “a mean” is no Python"),
    ('caught_by="a row")', 'caught_by="a rov")',
     "mutant(\"a mean\", \".sum()| caught by “a rov”: there is no such case"),
    ('caught_by="a row")', "why=2)",
     "mutant(\"a mean\", \".sum()| `mutant` with no string for `caught_by` and an unknown `why`"),
    ('".sum()", ".mean()"', "SUM, MEAN",
     "mutant(\"a mean\", SUM, ME| not a mutant: this cell is read, never run"),
    ("[ex-accept, remove-cell]", "[ex-acept, remove-cell]",
     "```{code-cell} python| unknown tag `ex-acept`"),
    ("[ex-accept, remove-cell]", "[ex-accept, ex-wrong]",
     "```{code-cell} python| a cell with the tags ex-accept and"),
    (":tags: [ex-accept, remove-cell]\n", "",
     "```{code-cell} python| a cell that does not say what it is"),
    ("# Exercises\n", "# Exercises\n\nSome text\nin two lines.\n",
     "Some text| text outside every exercise: “Some text”"),
    ("# Exercises\n", "# Exercises\n\n:::{note}\nText.\n:::\n",
     ":::{note}| `{note}` stands outside every exercise"),
    ("# Exercises\n", "# Exercises\n\n" + HINT,
     ":::{exercise-hint}| `{exercise-hint}` above the first exercise"),
    ("# Exercises\n", "# Exercises\n\n" + ANSWER,
     "```{code-cell} python| a cell above the first exercise"),
])
def test_mistakes_are_told_with_their_line(tmp_path: Path, old: str, new: str,
                                           found: str) -> None:
    assert GOOD.count(old) >= 1
    told = problems(tmp_path, GOOD.replace(old, new, 1))
    line, what = found.split("| ")
    assert any(at.strip().startswith(line) and problem.startswith(what)
               for at, problem in (one.split("| ", 1) for one in told)), "\n".join(told)


def test_one_mistake_is_one_problem(tmp_path: Path) -> None:
    for old, new in ((":level: 2", ":level: 5"), ("squares = x * x", "squares = x *"),
                     ("# caught by: a row", "# caught by: a column")):
        assert len(problems(tmp_path, GOOD.replace(old, new))) == 1


def test_all_mistakes_of_a_file_at_once(tmp_path: Path) -> None:
    text = GOOD.replace(":level: 2", ":level: 9").replace("# as a product\n", "") \
        .replace(HINT, "").replace("squares = x * x", "squares = x *")
    assert len(problems(tmp_path, text)) >= 3


def test_syntax_errors_are_told_even_where_the_answer_is_missing(tmp_path: Path) -> None:
    told = problems(tmp_path, GOOD.replace(ANSWER, "").replace("float(x.sum())", "float(x.sum("))
    assert told == [":::{exercise} The sum of squares| no cell with the tag `ex-answer`",
                    "    return float(x.sum(| a syntax error: '(' was never closed"]


def test_ids_are_unique_in_the_file_and_in_the_book(tmp_path: Path) -> None:
    again = GOOD + GOOD.removeprefix("# Exercises")
    assert problems(tmp_path, again) == [
        ":id: sum-squares| the id `sum-squares` is taken by line 14"]
    book = make(tmp_path, {"01-part": GOOD, "02-part": GOOD.replace("sec-one", "sec-two")})
    with pytest.raises(LoomError, match=r"02-part.md:13: the id `sum-squares` is taken by .*01-p"):
        exercises_of(book)


def test_a_source_without_exercises_or_without_a_chapter(tmp_path: Path) -> None:
    assert problems(tmp_path, "# Exercises\n") == ["---| no exercises"]
    with pytest.raises(LoomError, match=r"09-other\.md: belongs to no chapter"):
        exercises_of(make(tmp_path, {"01-part": GOOD, "09-other": GOOD}))


@pytest.mark.parametrize(("package", "found"), [
    ("01-part", None), ("02-part", None),
    ("03-part", "comes after the exercise's own chapter"),
    ("index", "is no chapter"), ("nothing", "is no chapter"),
])
def test_the_package_an_exercise_sees_is_a_chapter_already_read(
        tmp_path: Path, package: str, found: str | None) -> None:
    text = GOOD.replace(":section: sec-one", f":section: sec-two\n:package: {package}")
    book = make(tmp_path, {"02-part": text}, chapters=3)
    if found is None:
        assert exercises_of(book)["02-part"][0].package == package
    else:
        with pytest.raises(LoomError, match=found):
            exercises_of(book)


def test_computed_names_of_cases_are_left_to_the_judge(tmp_path: Path) -> None:
    text = GOOD.replace('case("a row"', 'case(f"a {2}"')
    assert one(tmp_path, text).wrong[0].caught_by == "a row"


def test_several_names_several_regions(tmp_path: Path) -> None:
    text = GOOD.replace('    ### END SOLUTION\n', '''    ### END SOLUTION


LIMIT = 3


def _helper() -> None:
    pass


class Meter:
    """Counts."""

    def add(self) -> int:
        """One more."""
        ### BEGIN SOLUTION
        self.total = 1
        return self.total
        ### END SOLUTION
''').replace("    return float(x.sum())", "    return float(x.sum())\n\nMeter = dict") \
        .replace("    return float(np.dot(x, x))", "    return float(np.dot(x, x))\n\n"
                 "class Meter: pass")
    exercise = one(tmp_path, text)
    assert exercise.names == ("sum_squares", "Meter", "LIMIT")
    assert exercise.asked == ("sum_squares", "Meter")
    assert exercise.stub.count("raise NotImplementedError") == 2
    assert exercise.stub.endswith('        """One more."""\n        raise NotImplementedError')


def test_what_only_the_solution_defines_is_not_asked_for(tmp_path: Path) -> None:
    text = GOOD.replace("def sum_squares(x: np.ndarray)", """class Given:
    pass


### BEGIN SOLUTION
def square(x):
    return x * x
### END SOLUTION


def sum_squares(x: np.ndarray)""", 1).replace("squares = x * x", "squares = square(x)")
    exercise = one(tmp_path, text)
    assert "class Given:\n    pass\n\n\ndef sum_squares" in exercise.stub
    assert exercise.stub.count("raise NotImplementedError") == 1
    assert exercise.asked == ("sum_squares",)
    assert exercise.names == ("sum_squares", "Given", "square")


def test_a_whole_function_may_be_what_is_asked_for(tmp_path: Path) -> None:
    text = GOOD.replace("def sum_squares(x: np.ndarray)", "### BEGIN SOLUTION\ndef sum_squares("
                        "x: np.ndarray)", 1).replace("    ### BEGIN SOLUTION\n", "") \
        .replace("    ### END", "### END")
    text = text.replace("import numpy as np\n\n\n###", '"""To write.\n\n>>> sum_squares(2)\n4\n"""'
                        "\nimport numpy as np\n\n\n###")
    exercise = one(tmp_path, text)
    assert exercise.stub.endswith("import numpy as np\n\n\nraise NotImplementedError")
    assert exercise.asked == ("sum_squares",)


def test_find(tmp_path: Path) -> None:
    second = GOOD.replace("sum-squares", "sum-cubes").replace("sec-one", "sec-two")
    book = make(tmp_path, {"01-part": GOOD, "02-part": second})
    for text in ("sum-squares", "ex-sum-squares", "1.1", "01.01", " 1.1 ", "Sum-Squares"):
        assert find(book, text).id == "sum-squares"
    assert find(book, "2.1").id == "sum-cubes"
    for text, told in (("sum-square", "did you mean `sum-squares`"), ("xyz", "loom list"),
                       ("1.7", "chapter 1 has 1 exercise;"), ("3.1", "chapter 3 has no exer"),
                       ("", "loom list")):
        with pytest.raises(LoomError, match=told):
            find(book, text)


def test_a_broken_chapter_does_not_hide_another(tmp_path: Path) -> None:
    book = make(tmp_path, {"01-part": GOOD, "02-part": "# Nothing\n"})
    assert find(book, "sum-squares").printed == "1.1"
    with pytest.raises(LoomError, match=r"02-part\.md.*no exercises"):
        find(book, "other")


def test_lint_asks_for_more_answers_and_for_lines_that_fit(tmp_path: Path) -> None:
    text = GOOD.replace("    squares = x * x\n", "    squares = x * x  # " + "wide " * 13 + "\n") \
        .replace("The idea.", "A powerful idea, {numref}`fig-nowhere`.")
    _, found = lint(make(tmp_path, {"01-part": text}))
    told = [problem.what for problem in found]
    assert told == ["`sum-squares` accepts 1 other answer", "`sum-squares` has 2 wrong answers",
                    "a code line of 88 columns", "`powerful` praises, or announces",
                    "the reference `fig-nowhere` leads nowhere"]


def test_lint_lists_what_reading_refuses(tmp_path: Path) -> None:
    exercises, found = lint(make(tmp_path, {"01-part": GOOD.replace(":level: 2", ":level: 7")}))
    assert exercises == {} and len(found) == 1


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_no_edit_of_a_source_makes_reading_fail(tmp_path_factory: pytest.TempPathFactory,
                                                data: st.DataObject) -> None:
    """Lines dropped, doubled, moved or replaced: exercises, or problems with places."""
    root = tmp_path_factory.getbasetemp() / "edited"
    lines = GOOD.split("\n")
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(lines) - 1))
        kind = data.draw(st.sampled_from(["drop", "double", "move", "cut", "replace"]))
        if kind == "drop" and len(lines) > 1:
            del lines[at]
        elif kind == "double":
            lines.insert(at, lines[at])
        elif kind == "move":
            lines.insert(data.draw(st.integers(0, len(lines) - 1)), lines.pop(at))
        elif kind == "cut":
            lines[at] = lines[at][:data.draw(st.integers(0, len(lines[at])))]
        else:
            lines[at] = data.draw(st.sampled_from(
                ["", "    ", ":::", "```", "::::", "---", ":id: x", "# %%", "case()", "mutant()",
                 ":::{exercise}", "case(name='a', why=1)", "mutant(*x)", "equivalent(old=1)",
                 "```{code-cell} python", ":tags: [ex-answer]", ":tags: 3", "text",
                 "\t", "case('"]))
    book = make(root, {"01-part": "\n".join(lines)})
    try:
        found = exercises_of(book)
    except LoomError as error:
        assert all(p.place and p.place.line and p.remedy for p in error.problems), error
    else:
        assert found["01-part"]
        for exercise in found["01-part"]:
            compile(exercise.stub, "stub", "exec")
            compile(exercise.solution, "solution", "exec")
            for code in (*exercise.accepted, *exercise.wrong):
                compile(code.source, code.name, "exec")


def test_loom_lint_tells_the_mistakes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                      capsys: pytest.CaptureFixture[str]) -> None:
    from loom.cli import main

    make(tmp_path, {"01-part": GOOD.replace(":level: 2", ":level: 8")})
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["loom", "lint"])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 1
    told = capsys.readouterr().err
    assert "exercises/01-part.md:16: `:level: 8` is no level" in told
    assert "1 (a warm-up)" in told
