"""Exports, graded by the real otter-grader and nbgrader: reference full, stub zero.

Each grader gets environments of its own below ``_build/graders``, one for each
set of libraries that chapters ask for. That takes minutes; so this runs only
where ``LOOM_REAL_GRADERS`` is set, as it is by ``loom prove --all``.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from loom.book.toc import Book, read_book
from loom.exercise.source import exercises_of
from loom.grade.exports import export

ROOT = Path(__file__).parents[2]
VENVS = ROOT / "_build" / "graders"
PINS = {"otter": "otter-grader==7.0.0", "nbgrader": "nbgrader==0.9.6"}
CHAPTERS = sorted(path.stem for path in (ROOT / "exercises").glob("[0-9]*.md"))

pytestmark = pytest.mark.skipif("LOOM_REAL_GRADERS" not in os.environ,
                                reason="takes minutes: set LOOM_REAL_GRADERS, or loom prove --all")


@pytest.fixture(scope="module")
def book() -> Book:
    return read_book(ROOT)


def grader(name: str, kit: Path) -> Path:
    """The bin folder of a grader's environment, with what the kit asks for and no more."""
    wanted = sorted([PINS[name], "ipykernel", *(kit / "requirements.txt").read_text().split()])
    folder = VENVS / f"{name}-{sha256(' '.join(wanted).encode()).hexdigest()[:12]}"
    if not (folder / "installed.txt").is_file():
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        subprocess.run([str(folder / "bin" / "pip"), "install", "-q", *wanted], check=True)
        (folder / "installed.txt").write_text("\n".join(wanted))
    return folder / "bin"


def run(bin_: Path, *command: str, cwd: Path) -> str:
    """Run a grader's command; what it said."""
    environment = {**os.environ, "PATH": f"{bin_}{os.pathsep}{os.environ['PATH']}",
                   "NO_COLOR": "1"}
    environment.pop("PYTHONPATH", None)
    done = subprocess.run([str(bin_ / command[0]), *command[1:]], cwd=cwd, env=environment,
                          capture_output=True, text=True, timeout=1500)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_otter(book: Book, chapter: str, tmp_path: Path) -> None:
    found = exercises_of(book)[chapter]
    export(book, book.chapter(chapter), found, "otter", tmp_path / "out")
    folder = tmp_path / "out"
    bin_ = grader("otter", folder / "grader")
    run(bin_, "otter", "assign", f"{chapter}.ipynb", "dist", cwd=folder)
    archive = next((folder / "dist" / "autograder").glob("*.zip"))
    scores = {}
    for who in ("autograder", "student"):
        (folder / who).mkdir()
        run(bin_, "otter", "run", f"dist/{who}/{chapter}.ipynb", "-a", str(archive),
            "-o", who, "--no-logo", cwd=folder)
        tests = json.loads((folder / who / "results.json").read_text())["tests"]
        scores[who] = {t["name"]: (t["score"], t["max_score"]) for t in tests if "score" in t}
    assert len(scores["autograder"]) == len(found)
    assert all(got == most > 0 for got, most in scores["autograder"].values()), scores
    assert all(got == 0 for got, _ in scores["student"].values()), scores


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_nbgrader(book: Book, chapter: str, tmp_path: Path) -> None:
    found = exercises_of(book)[chapter]
    export(book, book.chapter(chapter), found, "nbgrader", tmp_path / "out")
    folder = tmp_path / "out"
    bin_ = grader("nbgrader", folder / "source" / chapter / "grader")
    (folder / "nbgrader_config.py").write_text(
        "c = get_config()\nc.CourseDirectory.course_id = 'book'\n"
        "c.ExecutePreprocessor.timeout = 600\n")
    run(bin_, "nbgrader", "generate_assignment", chapter, cwd=folder)
    for who, origin in (("reference", "source"), ("stub", "release")):
        shutil.copytree(folder / origin / chapter, folder / "submitted" / who / chapter)
    run(bin_, "nbgrader", "autograde", chapter, "--create", cwd=folder)
    scores: dict[str, list[tuple[float, float]]] = {"reference": [], "stub": []}
    with sqlite3.connect(folder / "gradebook.db") as base:
        query = """
            select submitted_assignment.student_id, coalesce(grade.manual_score, grade.auto_score),
                   grade_cells.max_score
            from grade join grade_cells on grade_cells.id = grade.cell_id
            join submitted_notebook on submitted_notebook.id = grade.notebook_id
            join submitted_assignment
                on submitted_assignment.id = submitted_notebook.assignment_id"""
        for who, got, most in base.execute(query):
            scores[who].append((got, most))
    assert len(scores["reference"]) == len(scores["stub"]) > len(found)
    assert all(got == most > 0 for got, most in scores["reference"]), scores
    assert all(got == 0 for got, _ in scores["stub"]), scores
