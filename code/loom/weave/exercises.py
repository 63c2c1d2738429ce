"""The directive ``{exercises}``: the exercises of a chapter, at its end.

Everything is read with the chapter's page, hints and solutions too. The HTML
folds them; for paper and e-readers ``answers`` takes them to the back.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from docutils import nodes
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

from loom.files import read_text
from loom.weave.practice import (
    chapter_of,
    code_block,
    parse,
    parse_inline,
    practice_of,
    read_all,
    words,
)

if TYPE_CHECKING:
    from sphinx.application import Sphinx

    from loom.exercise.model import Exercise

FILES = ((".ipynb", "notebook"), (".py", "Python file"))  # suffixes, and what they are called
logger = logging.getLogger(__name__)


class exercise(nodes.General, nodes.Element):
    """An exercise, numbered by Sphinx: title, facts, statement, stub, hints, solution.

    Attributes:
        ids: its label, ``ex-masked-softmax``.
        name: its id, ``masked-softmax``.
        path: the file that it stands in.
    """


class exercise_title(nodes.TextElement):
    """Its title, without the number."""


class exercise_facts(nodes.TextElement):
    """The line below: how hard, how long, how to check. ``level`` is from 1 to 4."""


class exercise_files(nodes.General, nodes.Element):
    """Where the HTML offers the ``files`` to work in: addresses, and what they are."""


class hidden(nodes.General, nodes.Element):
    """What a reader opens when it is time; search does not find its words.

    Attributes:
        kind: ``hint``, ``solution`` or, of a question, ``answer``.
        number: of a hint, from 1; 0 where there is only one.
        of: how many there are.
        anchor: its id, wherever it ends up.
    """

    def astext(self) -> str:
        """Nothing: for search, for descriptions of the page."""
        return ""


def setup(app: Sphinx) -> None:
    """Register the nodes, who writes them, and the directive."""
    from loom.weave.html import practice as html

    app.add_enumerable_node(exercise, "exercise", _title, html=html.EXERCISE)
    app.add_node(exercise_title, html=html.EXERCISE_TITLE)
    app.add_node(exercise_facts, html=html.EXERCISE_FACTS)
    app.add_node(exercise_files, html=html.EXERCISE_FILES)
    app.add_node(hidden, html=html.HIDDEN)
    app.add_directive("exercises", Exercises)
    app.connect("builder-inited", read_all)
    app.connect("config-inited", lambda app, config: config.numfig_format.setdefault(
        "exercise", "Exercise %s"))


def _title(node: nodes.Node) -> str:
    return next(iter(node.findall(exercise_title))).astext()


class Exercises(SphinxDirective):
    """All exercises of this chapter, in the order of their source."""

    def run(self) -> list[nodes.Node]:
        """The exercises; their source decides when the page is read again."""
        from loom.exercise.source import source_path

        practice, name = practice_of(self.env.app), chapter_of(self.env)
        source = source_path(practice.book, practice.book.chapter(name))
        self.env.note_dependency(str(source))
        if name not in practice.exercises:
            logger.warning("the chapter has no exercises: there is no file exercises/%s.md",
                           name, location=self.get_location())
            return []
        self.env.metadata[self.env.docname]["exercises"] = True
        from loom.exercise.derive import student_name

        files = exercise_files("", files=[(f"exercises/{student_name(name, suffix)}", words)
                                          for suffix, words in FILES])
        self.set_source_info(files)
        return [files, *(self.exercise(one) for one in practice.exercises[name])]

    def exercise(self, one: Exercise) -> exercise:
        """One exercise with all its parts."""
        node = exercise("", name=one.id, names=[one.label], path=str(one.path))
        node.source, node.line = str(one.path), one.line
        self.state.document.note_explicit_target(node, node)
        node += parse_inline(self, one.title, one.path, one.line, exercise_title(""))
        node += self.facts(one)
        parse(self, one.statement, one.path, one.statement_line, node)
        stub = code_block(one.stub, one.path, one.answer_line)
        stub["classes"].append("exercise-stub")
        node += stub
        node += self.hints(one)
        node += self.solution(one)
        for part in node.findall(hidden):
            _refuse_labels(part)
        return node

    def facts(self, one: Exercise) -> exercise_facts:
        """How hard, how long, worth what; the section it belongs to; how to check it."""
        facts = exercise_facts("", level=one.level)
        facts.source, facts.line = str(one.path), one.line
        facts += nodes.Text(f"{one.minutes} minutes · ")
        points = points_of(one)
        facts += nodes.Text(f"{points:g} point{'s' * (points != 1)} · ")
        parse_inline(self, f"{{numref}}`{one.section}`", one.path, one.line, facts)
        facts += nodes.Text(" · ")
        command = f"loom check {one.id}"
        facts += nodes.inline("", "", nodes.literal(command, command), classes=["facts-check"])
        return facts

    def hints(self, one: Exercise) -> Iterator[hidden]:
        """The hints, each hidden by itself."""
        at = one.line
        for number, text in enumerate(one.hints, 1):
            at = _line_of(text, one.path, at + 1)
            yield parse(self, text, one.path, at, hidden(  # type: ignore[misc]
                "", kind="hint", number=number, of=len(one.hints),
                anchor=f"hint-{one.id}-{number}"))

    def solution(self, one: Exercise) -> hidden:
        """The reference, what is to be said about it, and other right answers."""
        found = hidden("", kind="solution", number=0, of=1, anchor=f"solution-{one.id}")
        found += code_block(without_docstrings(one.solution), one.path, one.answer_line)
        if one.remarks:
            parse(self, one.remarks, one.path, _line_of(one.remarks, one.path, one.line), found)
        for other in one.accepted:
            told = nodes.rubric("", "", nodes.Text("Just as right: "), *words(other.name))
            told.source, told.line = str(one.path), other.line
            found += told
            source = other.source.partition("\n")[2].strip("\n")  # its name is its first line
            found += code_block(source, one.path, other.line)
        return found


def points_of(one: Exercise) -> float:
    """The points of all its cases."""
    from loom.grade.cases import load_cases

    return float(sum(case.points for case in load_cases(one)))


def without_docstrings(source: str) -> str:
    """Code without the docstrings that its stub shows already; comments stay."""
    doomed: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) \
                and ast.get_docstring(node) is not None and len(node.body) > 1:
            docstring = node.body[0]
            doomed.update(range(docstring.lineno, (docstring.end_lineno or 0) + 1))
    lines = [line for n, line in enumerate(source.split("\n"), 1) if n not in doomed]
    return "\n".join(lines)


def _line_of(text: str, path: Path, after: int) -> int:
    """The line of a file that some text begins on."""
    first = text.split("\n")[0]
    lines = read_text(path).split("\n")
    return next((n for n in range(after, len(lines) + 1) if first in lines[n - 1]), after)


def _refuse_labels(part: hidden) -> None:
    """What moves to the back of the book must not be a target or have footnotes."""
    for node in part.findall(nodes.Element):
        if node.get("names") or node.get("label") or isinstance(node, nodes.footnote_reference):
            what = "a footnote" if isinstance(node, nodes.footnote_reference) else "a label"
            logger.warning("%s in a %s", what, part["kind"], location=node)
