"""A chapter's exercises as Jupyter notebooks: the learner's, and the solved one.

Notebooks are written as JSON by hand: the same source gives the same bytes,
and the ids of cells come from the ids of exercises.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Sequence
from typing import Any

from loom.book.chapter import Chapter
from loom.book.toc import Book
from loom.exercise.derive import about, head_text, section_titles, student_name
from loom.exercise.jupyter import CHECKER
from loom.exercise.markdown import markdown
from loom.exercise.markers import marker_line
from loom.exercise.model import Exercise
from loom.exercise.roles import Named, unknown
from loom.files import BUILD, write_all

SOLUTIONS = f"{BUILD}/exercises/solutions"

EXAMPLES = '''\
import doctest


def examples(*objects):
    """The examples (>>>) in the docstrings of functions and classes."""
    texts = [one.__doc__ for thing in objects
             for one in (thing, *getattr(thing, "__dict__", {}).values())]
    return [text for text in texts if isinstance(text, str) and ">>>" in text]


def run(texts):
    """Run examples on what is defined now; stop if one gives something else."""
    assert texts, "there are no examples to run"
    for text in texts:
        test = doctest.DocTestParser().get_doctest(text, dict(globals()), "example", None, 0)
        runner = doctest.DocTestRunner(verbose=False)
        assert runner.run(test).failed == 0, "an example gives something else: see above"
        print(len(test.examples), "examples hold")'''


def student_notebook(chapter: Chapter, exercises: Sequence[Exercise],
                     named: Named = unknown) -> str:
    """The learner's notebook of a chapter, as JSON.

    Args:
        chapter: the chapter.
        exercises: its exercises.
        named: titles of labels, for references in statements.
    """
    cells = [_text("about", head_text(chapter, exercises, notebook=True)),
             _code("head", "# Imports and helpers for all exercises go here.\n"
                   f"from {CHECKER} import check")]
    for exercise in exercises:
        cells += student_cells(exercise, named)
    return _notebook(cells)


def student_cells(exercise: Exercise, named: Named = unknown) -> list[dict[str, Any]]:
    """One exercise of the learner's notebook: statement, stub, check."""
    marker = marker_line(exercise.id, exercise.printed, exercise.title)
    text = (f"## {exercise.printed} {exercise.title}\n\n{markdown(exercise.statement, named)}\n\n"
            f"*{about(exercise, named)}*")
    return [_text(f"{exercise.id}-statement", text),
            _code(f"{exercise.id}-answer", f"{marker}\n{exercise.stub.strip()}"),
            _code(f"{exercise.id}-check", f'check("{exercise.id}")')]


def solution_notebook(chapter: Chapter, exercises: Sequence[Exercise],
                      named: Named = unknown) -> str:
    """Every exercise of a chapter with its solutions, as a notebook that runs.

    After the reference and after each other accepted answer, the examples in
    the reference's docstrings are run on it.
    """
    cells = [_text("about", f"# Solutions to the exercises of chapter {chapter.number}, "
                   f"{chapter.title}"), _code("examples", EXAMPLES)]
    for exercise in exercises:
        cells += _solved(exercise, named)
    return _notebook(cells)


def _solved(exercise: Exercise, named: Named) -> list[dict[str, Any]]:
    name = exercise.id
    shown = [node.name for node in ast.parse(exercise.solution).body
             if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)]
    cells = [_text(f"{name}-statement", f"## {exercise.printed} {exercise.title}\n\n"
                   f"{markdown(exercise.statement, named)}"),
             _code(f"{name}-solution", exercise.solution.strip()),
             _code(f"{name}-examples", "texts = examples(*(thing for thing in "
                   f"[{', '.join(shown)}] if callable(thing)))\nrun(texts)")]
    if exercise.remarks:
        cells.append(_text(f"{name}-remarks", markdown(exercise.remarks, named)))
    for n, code in enumerate(exercise.accepted, 1):
        cells += [_text(f"{name}-way-{n}", f"Another way: {code.name.rstrip('.')}."),
                  _code(f"{name}-accepted-{n}", f"{code.source.strip()}\n\n\nrun(texts)")]
    return cells


def write_solutions(book: Book) -> list[Any]:
    """Write the solution notebook of every chapter with exercises.

    Returns:
        Their paths, in the order of the book.

    Raises:
        LoomError: a mistake in a source; a disk that is full.
    """
    from loom.exercise.source import exercises_of

    named = section_titles(book)
    texts: dict[Any, str | bytes] = {
        book.root / SOLUTIONS / f"{name}.ipynb":
            solution_notebook(book.chapter(name), exercises, named)
        for name, exercises in exercises_of(book).items()}
    write_all(texts)
    return list(texts)


def notebook_name(chapter: str) -> str:
    """The learner's notebook of a chapter: ``01_numbers.ipynb``."""
    return student_name(chapter, ".ipynb")


def _text(name: str, source: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "id": _cell_id(name), "metadata": {},
            "source": source.splitlines(keepends=True)}


def _code(name: str, source: str) -> dict[str, Any]:
    return {"cell_type": "code", "execution_count": None, "id": _cell_id(name), "metadata": {},
            "outputs": [], "source": source.splitlines(keepends=True)}


def _cell_id(name: str) -> str:
    """At most 64 characters, as the format asks; the end tells cells apart."""
    return name if len(name) <= 64 else name[:31] + "--" + name[-31:]


def _notebook(cells: Sequence[dict[str, Any]]) -> str:
    return json.dumps({
        "cells": list(cells), "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"}},
        "nbformat": 4, "nbformat_minor": 5}, ensure_ascii=False, indent=1) + "\n"
