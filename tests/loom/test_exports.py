"""Exports: what students get, what graders get, and the judge that comes along."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from loom.book.toc import Book, read_book
from loom.errors import LoomError
from loom.exercise.model import Exercise
from loom.exercise.source import read_exercises
from loom.grade.exports import SYSTEMS, export

ROOT = Path(__file__).parents[2]
CHAPTER = "01-numbers"


@pytest.fixture(scope="module")
def book() -> Book:
    return read_book(ROOT)


@pytest.fixture(scope="module")
def exercises(book: Book) -> tuple[Exercise, ...]:
    found = read_exercises(ROOT / "exercises" / f"{CHAPTER}.md", book.chapter(CHAPTER))
    return tuple(e for e in found if not e.libraries - {"numpy"})[:3]


@pytest.fixture(scope="module")
def exported(book: Book, exercises: tuple[Exercise, ...],
             tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exports")
    for system in SYSTEMS:
        export(book, book.chapter(CHAPTER), exercises, system, folder / system)
    return folder


def graded(kit: Path, file: Path, *options: str, **environment: str) -> tuple[int, str]:
    """What the kit says of a file, run as another grader would run it."""
    done = subprocess.run([sys.executable, str(kit / "run.py"), str(file), *options],
                          capture_output=True, text=True, cwd=file.parent,
                          env={"PATH": os.environ["PATH"], **environment})
    return done.returncode, done.stdout + done.stderr


def answers(stub: str, exercises: tuple[Exercise, ...], solved: set[str]) -> str:
    """The student file with the references of some exercises in it."""
    for exercise in exercises:
        if exercise.id in solved:
            assert exercise.stub.strip() in stub
            stub = stub.replace(exercise.stub.strip(), exercise.solution.strip())
    return stub


def cells(path: Path) -> list[dict[str, object]]:
    content: list[dict[str, object]] = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return content


def test_gradescope_gives_partial_credit(exported: Path, exercises: tuple[Exercise, ...],
                                         tmp_path: Path) -> None:
    folder = exported / "gradescope"
    stub = (folder / "for-students" / "01_numbers.py").read_text(encoding="utf-8")
    file, results = tmp_path / "01_numbers.py", tmp_path / "results.json"
    assert "loom check" not in stub and "Hand this file in" in stub
    scores = []
    for solved in (set(), {exercises[1].id}, {e.id for e in exercises}):
        file.write_text(answers(stub, exercises, solved), encoding="utf-8")
        code, _ = graded(folder / "grader", file, "--gradescope", str(results))
        content = json.loads(results.read_text(encoding="utf-8"))
        assert content["score"] == sum(test["score"] for test in content["tests"])
        scores.append(content["score"])
        assert len(solved) or {test["output"] for test in content["tests"]} == {"not started"}
        assert code == (0 if len(solved) == len(exercises) else 1)
    most = sum(test["max_score"] for test in content["tests"])
    assert scores[0] == 0 < scores[1] < scores[2] == most
    assert all(test["output"] == "" for test in content["tests"])


def test_gradescope_tells_a_missing_file(exported: Path, tmp_path: Path) -> None:
    results = tmp_path / "results.json"
    code, text = graded(exported / "gradescope" / "grader", tmp_path / "missing.py",
                        "--gradescope", str(results))
    assert code == 1
    content = json.loads(results.read_text(encoding="utf-8"))
    assert content["score"] == 0 and "missing.py" in text
    assert "there is no such file" in content["output"] and "loom start" not in text


def test_classroom_reports_each_exercise(exported: Path, exercises: tuple[Exercise, ...],
                                         tmp_path: Path) -> None:
    folder, output = exported / "classroom", tmp_path / "output"
    file = tmp_path / "01_numbers.py"
    stub = (folder / "01_numbers.py").read_text(encoding="utf-8")
    assert "loom check" not in stub and "python grader/run.py 01_numbers.py" in stub
    file.write_text(answers(stub, exercises, {exercises[0].id}), encoding="utf-8")
    reports = []
    for exercise in exercises[:2]:
        output.write_text("")
        graded(folder / "grader", file, "--classroom", exercise.id, GITHUB_OUTPUT=str(output))
        name, _, value = output.read_text().strip().partition("=")
        assert name == "result"
        reports.append(json.loads(base64.b64decode(value)))
    assert [report["status"] for report in reports] == ["pass", "fail"]
    assert sum(test["score"] for test in reports[0]["tests"]) == reports[0]["max_score"]
    assert sum(test["score"] for test in reports[1]["tests"]) == 0


def test_classroom_workflow_names_each_exercise(exported: Path,
                                                exercises: tuple[Exercise, ...]) -> None:
    text = (exported / "classroom" / ".github" / "workflows" / "classroom.yml").read_text()
    steps = yaml.safe_load(text)["jobs"]["grade"]["steps"]
    ids = [step["id"] for step in steps if "id" in step]
    assert ids == [e.id for e in exercises]
    assert steps[-1]["with"]["runners"] == ",".join(ids)
    assert set(steps[-1]["env"]) == {f"{name.upper()}_RESULTS" for name in ids}


@pytest.mark.parametrize(("system", "begin"), [("otter", "# BEGIN SOLUTION NO PROMPT"),
                                               ("nbgrader", "### BEGIN SOLUTION")])
def test_notebooks_mark_every_solution(exported: Path, exercises: tuple[Exercise, ...],
                                       system: str, begin: str) -> None:
    path = next((exported / system).rglob(f"{CHAPTER}.ipynb"))
    marked = [str(cell["source"]) for cell in cells(path)
              if cell["cell_type"] == "code" and begin in str(cell["source"])]
    assert len(marked) == len(exercises)
    for source, exercise in zip(marked, exercises, strict=True):
        assert source.startswith(f"# %% exercise {exercise.id}")
        compile(source, "cell", "exec")


def test_nbgrader_points_are_those_of_the_cases(exported: Path,
                                                exercises: tuple[Exercise, ...]) -> None:
    path = next((exported / "nbgrader").rglob(f"{CHAPTER}.ipynb"))
    about = [cell["metadata"]["nbgrader"] for cell in cells(path)  # type: ignore[index]
             if cell["cell_type"] == "code"]
    assert len({one["grade_id"] for one in about}) == len(about)
    assert [one["grade_id"] for one in about if one["solution"]] == [e.id for e in exercises]
    assert all(one["points"] > 0 and one["locked"] for one in about if one["grade"])


def test_kit_needs_nothing_of_the_book(exported: Path) -> None:
    kit = exported / "gradescope" / "grader"
    code = ("import sys; sys.path.insert(0, sys.argv[1]); import loom.grade.foreign as f; "
            "print(f.__file__); print(sorted({m.split('.')[0] for m in sys.modules}))")
    done = subprocess.run([sys.executable, "-c", code, str(kit)], capture_output=True, text=True,
                          check=True, cwd=kit)
    assert str(kit) in done.stdout
    for heavy in ("torch", "sphinx", "markdown_it", "typer", "rich"):
        assert f"'{heavy}'" not in done.stdout
    pins = (kit / "requirements.txt").read_text().split()
    assert all("==" in pin and "+" not in pin for pin in pins)


def test_a_folder_in_use_is_refused(book: Book, exercises: tuple[Exercise, ...],
                                    tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(LoomError, match="not an empty folder"):
        export(book, book.chapter(CHAPTER), exercises, "otter", tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["notes.txt"]
    with pytest.raises(LoomError, match="cannot export to `canvas`"):
        export(book, book.chapter(CHAPTER), exercises, "canvas", tmp_path / "new")
