"""The book's exercises: their solutions run, and learners' files are made of them."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from loom.book.toc import Book
from loom.exercise.answers import read_answers
from loom.exercise.derive import section_titles, student_file, student_name
from loom.exercise.model import Exercise
from loom.exercise.notebooks import solution_notebook, student_notebook
from loom.exercise.package import package_folder
from loom.exercise.source import FOLDER, exercises_of

ROOT = Path(__file__).parents[2]
CHAPTERS = [path.stem for path in sorted((ROOT / FOLDER).glob("*.md"))]


@pytest.fixture(scope="module")
def exercises(book: Book) -> dict[str, tuple[Exercise, ...]]:
    """The exercises by chapter."""
    return exercises_of(book)


def latest(book: Book, group: tuple[Exercise, ...]) -> Path:
    """The package that the exercise sees which sees most."""
    names = [chapter.name for chapter in book.chapters]

    def seen(exercise: Exercise) -> int:
        if exercise.package is not None:
            return names.index(exercise.package) + 1
        return names.index(exercise.chapter)

    return package_folder(book, max(group, key=seen))


@pytest.mark.parametrize("name", CHAPTERS)
def test_solutions_run_as_notebooks(book: Book, exercises: dict[str, tuple[Exercise, ...]],
                                    name: str, tmp_path: Path) -> None:
    """Reference and accepted answers, and the docstrings' examples on each of them."""
    group = exercises[name]
    notebook = tmp_path / f"{name}.ipynb"
    notebook.write_text(solution_notebook(book.chapter(name), group, section_titles(book)),
                        encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--color=no", "--nbmake", "--nbmake-timeout=300",
         "-p", "no:cacheprovider", f"--rootdir={tmp_path}", notebook.name],
        cwd=tmp_path, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(latest(book, group)),
             "PYTHONDONTWRITEBYTECODE": "1"})
    assert done.returncode == 0 and "1 passed" in done.stdout, done.stdout[-6000:] + done.stderr


@pytest.mark.parametrize("name", CHAPTERS)
def test_learners_get_stubs_and_nothing_of_the_solutions(
        book: Book, exercises: dict[str, tuple[Exercise, ...]], name: str, tmp_path: Path) -> None:
    group = exercises[name]
    chapter, named = book.chapter(name), section_titles(book)
    for suffix, text in ((".py", student_file(chapter, group, named)),
                         (".ipynb", student_notebook(chapter, group, named))):
        path = tmp_path / student_name(name, suffix)
        path.write_text(text, encoding="utf-8")
        for answer in read_answers(path, group).values():
            assert answer.problem is None
            assert not answer.started
    text = student_file(chapter, group, named)
    ast.parse(text)
    assert "SOLUTION" not in text
    for exercise in group:
        assert exercise.stub in text and exercise.solution not in text
    wide = [line for line in text.split("\n") if len(line) > 79]
    assert not wide, wide


@pytest.mark.parametrize("name", CHAPTERS)
def test_statements_leave_no_markup_behind(
        book: Book, exercises: dict[str, tuple[Exercise, ...]], name: str) -> None:
    text = student_file(book.chapter(name), exercises[name], section_titles(book))
    comments = [line for line in text.split("\n") if line.startswith("#")]
    for mark in (":::", "```", "{numref}", "{ref}", "{eq}", "{cite"):
        assert not [line for line in comments if mark in line]
    assert not [line for line in comments if "(formula `" in line or "the figure in `" in line]
