"""Exercises and quizzes in small books: where each part goes, with which number."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import nbformat
import pypdfium2
import pytest
from bs4 import BeautifulSoup, Tag

from loom.book.chapter import HEADER
from loom.book.toc import read_book
from loom.errors import LoomError
from loom.exercise.source import exercises_of
from loom.weave.build import build
from loom.weave.exercises import points_of, without_docstrings

ONE = """(ch-one)=
# One

(sec-sums)=
## Sums

Words.

(sec-exercises)=
## Exercises

```{exercises}
```

(sec-quiz)=
## Quiz

```{quiz}
```
"""
TWO = "(ch-two)=\n# Two\n\nSee {numref}`ex-halve` and {numref}`q-half-of-four`.\n"
ANSWERS = """(answers)=
# Answers

## Hints

```{hints}
```

## Solutions

```{solutions}
```

## Quiz

```{quiz-answers}
```
"""
EXERCISE = """
:::{exercise} @title
:id: @id
:minutes: 5
:level: 2
:section: sec-sums

The statement of @id, with $x^2$ and {numref}`sec-sums`.
:::

```{code-cell} python
:tags: [ex-answer]
def @name(x: float) -> float:
    \"\"\"The docstring of @id.

    >>> @name(4.0)
    @value
    \"\"\"
    # The comment of @id.
    ### BEGIN SOLUTION
    return @right
    ### END SOLUTION
```

:::{exercise-hint}
The zeroth hint of @id.
:::

:::{exercise-hint}
The first hint of @id, see {numref}`sec-sums`.
:::

```{code-cell} python
:tags: [ex-cases, remove-cell]
case("any", lambda r: [r.normal()], why="because")
case("two", lambda r: [2.0], why="because", points=2)
```

```{code-cell} python
:tags: [ex-accept, remove-cell]
# through `a` lambda
@name = lambda x: @right
```

:::{exercise-solution}
The remark on @id, $y^2$.
:::
"""
QUIZ = """chapter: 01-one
questions:
  - id: half-of-four
    kind: number
    section: sec-sums
    level: 1
    ask: |
      Half of four?
    answer: 2
    tolerance: 0.01
    unit: apples
    replies:
      - {value: 8, misconception: doubles, reply: That is twice four.}
    explain: |
      Four is two and two.
  - id: which-is-odd
    kind: single
    section: sec-sums
    level: 1
    ask: Which is odd?
    options:
      - {text: Three., right: true, reply: The reply to three.}
      - {text: Two., misconception: counts, reply: The reply to two.}
      - {text: Four., misconception: counts, reply: The reply to four.}
    explain: Only three is.
  - id: which-are-even
    kind: multiple
    section: sec-sums
    level: 1
    ask: Which are even?
    options:
      - {text: Six., right: true, reply: The reply to six.}
      - {text: Eight., right: true, reply: The reply to eight.}
      - {text: Nine., misconception: counts, reply: The reply to nine.}
    explain: Nine is three times three.
  - id: in-order
    kind: order
    section: sec-sums
    level: 1
    ask: How to boil an egg?
    steps: [Fill the pot., Heat it., Put the egg in.]
    reply: First water.
    explain: An egg needs hot water.
  - id: what-is-printed
    kind: trace
    section: sec-sums
    level: 1
    ask: What does this print?
    code: |
      for n in range(2):
          print(n)
    answer: |
      0
      1
    replies:
      - {text: "1", misconception: skips, reply: It begins with zero.}
    explain: A range begins with zero.
  - id: a-word
    kind: text
    section: sec-sums
    level: 1
    ask: Who counts?
    answers: [the loop, loop]
    explain: A loop counts.
"""


def exercise(name: str, right: str, value: str, title: str) -> str:
    text = EXERCISE.replace("@title", title).replace("@id", name.replace("_", "-"))
    return text.replace("@name", name).replace("@right", right).replace("@value", value)


SOURCE = f"{HEADER}\n\n# Exercises\n" + exercise("double", "2 * x", "8.0", "Twice") \
    + exercise("halve", "x / 2", "2.0", "Half of `x`")


@pytest.fixture
def root(weave_book: Callable[[Mapping[str, str]], Path]) -> Path:
    """A book with two exercises, a question of each kind and a page for the answers."""
    root = weave_book({"01-one": ONE, "02-two": TWO, "answers": ANSWERS})
    (root / "exercises").mkdir()
    (root / "exercises" / "01-one.md").write_text(SOURCE, encoding="utf-8")
    (root / "book" / "quizzes").mkdir()
    (root / "book" / "quizzes" / "01-one.yml").write_text(QUIZ, encoding="utf-8")
    return root


def page(root: Path, name: str) -> BeautifulSoup:
    path = root / "_build" / "html" / "book" / f"{name}.html"
    return BeautifulSoup(path.read_text(encoding="utf-8"), "lxml")


def one(soup: BeautifulSoup | Tag, selector: str) -> Tag:
    (found,) = soup.select(selector)
    return found


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def line_of(path: Path, words: str) -> int:
    text = path.read_text(encoding="utf-8")
    return text[:text.index(words)].count("\n") + 1


def words(tag: Tag) -> str:
    return " ".join(tag.get_text().split())


def test_the_page_of_a_chapter_shows_its_exercises(root: Path) -> None:
    build(root, "html")
    soup = page(root, "01-one")
    half = one(soup, "#ex-halve")
    assert words(one(half, "h3")).startswith("Exercise 1.2 Half of x")
    facts = words(one(half, ".exercise-facts"))
    assert facts == "●●○○ 5 minutes · 3 points · Section 1.1 · loom check halve"
    assert one(half, ".exercise-level")["aria-label"] == "level 2 of 4"
    assert "The statement of halve" in words(half)
    assert "raise NotImplementedError" in one(half, ".exercise-stub").get_text()
    folds = half.select("details")
    assert [words(one(fold, "summary")) for fold in folds] \
        == ["Hint 1 of 2", "Hint 2 of 2", "Solution"]
    assert not any(fold.has_attr("open") for fold in folds)
    solution = folds[2].get_text()
    assert "return x / 2" in solution and "The remark on halve" in solution
    assert "The docstring" not in solution and "The comment of halve" in solution
    assert "Just as right: through a lambda" in words(folds[2]) and "lambda x: x / 2" in solution
    for fold in folds:
        fold.decompose()
    left = soup.get_text()
    for secret in ("x / 2", "hint of halve", "remark on halve"):
        assert secret not in left, "nothing of it stands outside its fold"


def test_what_learners_work_in_lies_beside_the_page(root: Path) -> None:
    build(root, "html")
    links = [str(a["href"]) for a in page(root, "01-one").select(".exercise-files a")]
    assert links == ["exercises/01_one.ipynb", "exercises/01_one.py"]
    folder = root / "_build" / "html" / "book"
    notebook = nbformat.read(folder / links[0], as_version=4)
    nbformat.validate(notebook)
    text = (folder / links[1]).read_text(encoding="utf-8")
    assert "def halve" in text and "x / 2" not in text
    assert "x / 2" not in (folder / links[0]).read_text(encoding="utf-8")


def test_the_same_number_in_every_form(root: Path) -> None:
    html, pdf, epub = build(root, "html", "pdf", "epub")
    assert "See Exercise 1.2 and Question 1.1." in words(one(page(root, "02-two"), "article"))
    text = " ".join(" ".join(sheet.get_textpage().get_text_range().split())
                    for sheet in pypdfium2.PdfDocument(pdf.path))
    assert re.search(r"See Exercise 1\.2 \(p\. \d+\) and Question 1\.1 \(p\. \d+\)\.", text)
    assert "Exercise 1.2 Half of x" in text
    with zipfile.ZipFile(epub.path) as archive:
        two = archive.read("book/02-two.xhtml").decode()
    assert "Exercise 1.2" in two and "Question 1.1" in two
    assert html.fresh


def test_paper_has_the_solution_at_the_back_with_its_page(root: Path) -> None:
    (built,) = build(root, "pdf")
    document = pypdfium2.PdfDocument(built.path)
    sheets = [" ".join(sheet.get_textpage().get_text_range().split()) for sheet in document]

    def sheet_of(text: str) -> int:
        (found,) = [n for n, sheet in enumerate(sheets) if text in sheet]
        return found

    def printed(at: int) -> str:
        return str(document.get_page_label(at))

    statement, hint = sheet_of("The statement of halve"), sheet_of("The first hint of halve")
    solution = sheet_of("return x / 2")
    assert statement < hint <= solution
    assert sheets[statement].count("(p. ") >= 4
    page_of_hint, page_of_solution = re.findall(
        r"loom check halve · hints \(p. (\d+)\) · solution \(p. (\d+)\)",
        sheets[statement])[0]
    assert (page_of_hint, page_of_solution) == (printed(hint), printed(solution))
    assert re.search(rf"1\.2 \(p. {printed(statement)}\) Half of x", sheets[solution])
    assert "The reply to nine." in sheets[sheet_of("Nine is three times three.")]
    assert statement < sheet_of("The reply to nine.")


def test_e_readers_have_lists_and_no_forms(root: Path) -> None:
    (built,) = build(root, "epub")
    with zipfile.ZipFile(built.path) as archive:
        chapter = BeautifulSoup(archive.read("book/01-one.xhtml"), "lxml")
        answers = BeautifulSoup(archive.read("book/answers.xhtml"), "lxml")
    assert not chapter.select("form, input, button, select, textarea, details")
    assert "The statement of halve" in words(chapter)
    assert "x / 2" not in chapter.get_text() and "reply to nine" not in chapter.get_text()
    assert "return x / 2" in one(answers, "#solution-halve").get_text()
    links = [str(a["href"]) for a in one(chapter, "#ex-halve").select("a")]
    assert "answers.xhtml#hint-halve" in links and "answers.xhtml#solution-halve" in links
    back = one(answers, "#solution-halve").select("h4 a")
    assert str(back[0]["href"]) == "01-one.xhtml#ex-halve"
    assert "The reply to nine" in words(one(answers, "#answer-which-are-even"))


def test_each_kind_of_question_has_its_controls(root: Path) -> None:
    build(root, "html")
    soup = page(root, "01-one")
    forms = {str(form["data-kind"]): form for form in soup.select("form.question")}
    assert set(forms) == {"number", "single", "multiple", "order", "trace", "text"}
    for form in forms.values():
        assert form.select("fieldset > legend") and one(form, "details.fold-answer")
        assert not one(form, "details").has_attr("open")
        assert one(form, ".question-result")["aria-live"] == "polite"
        for control in form.select("input, textarea, select"):
            name = str(control.get("id", ""))
            assert control.find_parent("label") or control.get("aria-label") \
                or form.select(f'label[for="{name}"]'), control
    assert len(forms["single"].select("input[type=radio]")) == 3
    assert len(forms["multiple"].select("input[type=checkbox]")) == 3
    assert len(forms["order"].select("select")) == 3
    assert forms["number"].select("input[inputmode=decimal]")
    assert "apples" in words(forms["number"])
    right = [li for li in forms["single"].select("li.choice") if "Three." in words(li)]
    letter = str(one(right[0], "input")["value"])
    assert f"Right: {letter} " in words(one(forms["single"], "details"))
    assert words(one(forms["trace"], ".quiz-printed")) == "0 1"
    scripts = [str(script.get("src", "")) for script in soup.select("script")]
    assert any("quiz.js" in script for script in scripts)
    other = [str(script.get("src", "")) for script in page(root, "02-two").select("script")]
    assert not any("quiz.js" in script for script in other)


def test_the_answers_page_of_the_html_leads_to_the_folds(root: Path) -> None:
    build(root, "html")
    article = one(page(root, "answers"), "article")
    links = {words(a): str(a["href"]) for a in article.select("p.answer-links a")}
    assert links["Chapter 1"] == "01-one.html"
    addresses = [str(a["href"]) for a in article.select("p.answer-links a")]
    chapter = page(root, "01-one")
    for name in ("hint-halve-1", "solution-halve", "answer-which-is-odd"):
        assert f"01-one.html#{name}" in addresses
        assert chapter.find(id=name) is not None
    assert "x / 2" not in article.get_text()


def test_search_finds_statements_and_no_solutions(root: Path) -> None:
    edit(root / "exercises" / "01-one.md", "The statement of halve", "The statement zyzzyva")
    edit(root / "exercises" / "01-one.md", "The remark on halve", "The remark xylophagous")
    build(root, "html")
    html = root / "_build" / "html"
    index = (html / "searchindex.js").read_text(encoding="utf-8")
    text = (html / "_static" / "search-text.js").read_text(encoding="utf-8")
    assert "zyzzyva" in index and "zyzzyva" in text
    assert "xylophag" not in index and "xylophag" not in text


def test_a_change_of_a_source_is_seen_and_writes_few_pages(root: Path) -> None:
    build(root, "html")
    folder = root / "_build" / "weave" / "html" / "book"
    before = {path.stem: path.stat().st_mtime_ns for path in folder.glob("*.html")}
    edit(root / "exercises" / "01-one.md", "The first hint of halve", "A better hint")
    (built,) = build(root, "html")
    assert built.fresh and "A better hint" in words(one(page(root, "01-one"), "#hint-halve-2"))
    after = {path.stem: path.stat().st_mtime_ns for path in folder.glob("*.html")}
    assert {name for name in after if after[name] != before[name]} <= {"01-one", "index"}
    edit(root / "book" / "quizzes" / "01-one.yml", "Who counts?", "Who counts here?")
    build(root, "html")
    assert "Who counts here?" in words(one(page(root, "01-one"), "#q-a-word"))
    source = root / "exercises" / "01-one.md"
    source.write_text(source.read_text(encoding="utf-8").replace("double", "twofold"))
    build(root, "html")
    assert "01-one.html#solution-twofold" in str(page(root, "answers"))


@pytest.mark.parametrize(("file", "old", "new"), [
    ("exercises/01-one.md", "The statement of halve", "{cite}`nobody1900`"),
    ("exercises/01-one.md", "The first hint of halve", "See {numref}`nowhere`"),
    ("exercises/01-one.md", "The remark on halve", "{unheard}`of`"),
    ("book/quizzes/01-one.yml", "Half of four?", "{cite}`nobody1900`"),
    ("book/quizzes/01-one.yml", "The reply to four.", "See {eq}`nothing`"),
    ("book/quizzes/01-one.yml", "      Four is two and two.", "      See {numref}`nowhere`."),
])
def test_a_warning_names_the_source_and_its_line(root: Path, file: str, old: str,
                                                 new: str) -> None:
    line = line_of(root / file, old)
    edit(root / file, old, new)
    for _ in range(2):  # Sphinx does not forget it
        with pytest.raises(LoomError) as raised:
            build(root, "html")
        (problem,) = raised.value.problems
        assert problem.place is not None and problem.remedy
        assert (problem.place.path.name, problem.place.line) == (Path(file).name, line)


def test_a_formula_that_paper_refuses_is_found_in_the_source(root: Path) -> None:
    source = root / "exercises" / "01-one.md"
    line = line_of(source, "The remark on halve")
    edit(source, "The remark on halve, $y^2$", r"The remark on halve, $\nosuchthing{y}$")
    with pytest.raises(LoomError, match="nosuchthing") as raised:
        build(root, "pdf")
    place = raised.value.problems[0].place
    assert place is not None and (place.path.name, place.line) == ("01-one.md", line)
    assert place.path.parent.name == "exercises"


def test_what_moves_to_the_back_is_no_target(root: Path) -> None:
    edit(root / "exercises" / "01-one.md", "The first hint of halve",
         "$$\nx\n$$ (eq-hidden)\n\nThe first hint of halve")
    with pytest.raises(LoomError, match="a label in a hint"):
        build(root, "html")


def test_a_directive_without_a_source(root: Path) -> None:
    (root / "exercises" / "01-one.md").unlink()
    edit(root / "book" / "02-two.md", "{numref}`ex-halve`", "nothing")
    with pytest.raises(LoomError, match=r"no exercises: there is no file exercises/01-one\.md"):
        build(root, "html")


def test_hidden_parts_without_a_page(root: Path) -> None:
    edit(root / "book" / "answers.md", "```{solutions}\n```\n", "")
    build(root, "html")
    with pytest.raises(LoomError, match=r"no page shows this solution.*\{solutions\}"):
        build(root, "pdf")


def test_a_source_that_is_wrong_stops_the_build(root: Path) -> None:
    edit(root / "exercises" / "01-one.md", ":level: 2", ":level: 9")
    with pytest.raises(LoomError, match="level"):
        build(root, "html")


def test_points_and_docstrings(root: Path) -> None:
    (first, _) = exercises_of(read_book(root))["01-one"]
    assert points_of(first) == 3
    assert without_docstrings('class A:\n    """Doc."""\n    x = 1\n') == "class A:\n    x = 1\n"
    assert without_docstrings('def f():\n    """Only."""\n') == 'def f():\n    """Only."""\n'
