"""A chapter's exercises for otter-grader, nbgrader, GitHub Classroom and Gradescope.

Every export carries the judge along in a folder ``grader``: the part of this
tool that judges, and a bundle of the exercises. So the verdicts are the same
everywhere; what differs is who calls the judge.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from importlib.metadata import version
from importlib.resources import files as resources
from pathlib import Path
from typing import Any

import yaml

from loom.book.chapter import Chapter, read_chapter
from loom.book.toc import Book
from loom.errors import fail
from loom.exercise.bundle import write_bundle
from loom.exercise.derive import head_text, section_titles, student_file, student_name
from loom.exercise.markdown import markdown
from loom.exercise.markers import marker_line
from loom.exercise.model import Exercise
from loom.exercise.regions import BEGIN, END, PLACEHOLDER
from loom.exercise.roles import Named
from loom.files import write_all
from loom.grade.cases import load_cases

KIT = "grader"
MODULES = ("*.py", "book/*.py", "exercise/*.py", "grade/*.py", "grade/worker/*.py",
           "desk/*.py")  # of loom, that judging needs
NEEDS = ("numpy", "pyyaml", "psutil", "filelock")
RUN = '''\
"""Grade a file of answers: python grader/run.py FILE"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from loom.grade.foreign import main

raise SystemExit(main())
'''
CALL = 'import sys\n\nsys.path.insert(0, "{kit}")\nfrom loom.grade.foreign import case\n'


def export(book: Book, chapter: Chapter, exercises: Sequence[Exercise], system: str,
           folder: Path) -> list[Path]:
    """Write a chapter's exercises for another system.

    Args:
        book: the book.
        chapter: the chapter.
        exercises: its exercises.
        system: ``otter``, ``nbgrader``, ``classroom`` or ``gradescope``.
        folder: a new or empty folder.

    Returns:
        The files that were written.

    Raises:
        LoomError: an unknown system; a folder that holds something else.
    """
    if system not in SYSTEMS:
        raise fail(f"cannot export to `{system}`", f"choose among {', '.join(SYSTEMS)}")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise fail("is not an empty folder", "give one that does not exist yet: an export "
                   "overwrites nothing", path=folder)
    home, contents = SYSTEMS[system](book, chapter, exercises)
    written = write_all({folder / path: text for path, text in contents.items()})
    return [*written, *_kit(book, exercises, folder / home / KIT)]


Contents = dict[str, str | bytes]


def _kit(book: Book, exercises: Sequence[Exercise], folder: Path) -> list[Path]:
    """The judge and its exercises, to be called without the book."""
    tool = Path(str(resources("loom")))
    texts: dict[Path, str | bytes] = {
        folder / "loom" / path.relative_to(tool): path.read_bytes()
        for pattern in MODULES for path in sorted(tool.glob(pattern))}
    texts[folder / "run.py"] = RUN
    texts[folder / "requirements.txt"] = "\n".join(_needs(exercises)) + "\n"
    return [*write_all(texts), *write_bundle(book, exercises, folder / "bundle")]


def _needs(exercises: Sequence[Exercise]) -> list[str]:
    """What pip installs for the judge and the answers, in the versions of this book."""
    more = {name for one in exercises for name in one.libraries} - {"numpy"}
    return [f"{name}=={version(name).partition('+')[0]}" for name in (*NEEDS, *sorted(more))]


def _otter(book: Book, chapter: Chapter,
           exercises: Sequence[Exercise]) -> tuple[str, Contents]:
    """A master notebook: ``otter assign NN-name.ipynb dist`` makes the rest."""
    settings = {"name": chapter.name, "init_cell": True, "export_cell": {"pdf": False},
                "tests": {"ok_format": False}, "requirements": _needs(exercises),
                "autograder_files": [KIT]}
    cells = [_raw("# ASSIGNMENT CONFIG\n" + yaml.safe_dump(settings, sort_keys=False)),
             _text(_head(chapter, exercises))]
    named = section_titles(book)
    for one in exercises:
        question = {"name": one.id.replace("-", "_"), "points": sum(p for _, p in _cases(one))}
        cells += [_raw("# BEGIN QUESTION\n" + yaml.safe_dump(question, sort_keys=False)),
                  _text(_statement(one, named)), _raw("# BEGIN SOLUTION"),
                  _code(_answer(one, "# BEGIN SOLUTION NO PROMPT", "# END SOLUTION", PROMPT)),
                  _raw("# END SOLUTION"), _raw("# BEGIN TESTS")]
        for n, (name, points) in enumerate(_cases(one), 1):
            about = {"points": points, "hidden": True}
            call = "".join(f"    {line}\n" if line else "\n"
                           for line in CALL.format(kit=KIT).splitlines())
            cells.append(_code(
                f'""" # BEGIN TEST CONFIG\n{yaml.safe_dump(about)}""" # END TEST CONFIG\n'
                f"def test_{n}(env):\n{call}    case({one.id!r}, {name!r})\n"))
        cells += [_raw("# END TESTS"), _raw("# END QUESTION")]
    return "", {f"{chapter.name}.ipynb": _notebook(cells)}


PROMPT = f'{{margin}}""" # BEGIN PROMPT\n{{margin}}{PLACEHOLDER}\n{{margin}}""" # END PROMPT'


def _nbgrader(book: Book, chapter: Chapter,
              exercises: Sequence[Exercise]) -> tuple[str, Contents]:
    """A source assignment: ``nbgrader generate_assignment NN-name`` makes the release."""
    named = section_titles(book)
    cells = [_text(_head(chapter, exercises))]
    for one in exercises:
        cells += [_text(_statement(one, named)),
                  _code(_answer(one, "### BEGIN SOLUTION", "### END SOLUTION"),
                        nbgrader=_graded(one.id, solution=True))]
        for n, (name, points) in enumerate(_cases(one), 1):
            body = f"{CALL.format(kit=KIT)}\ncase({one.id!r}, {name!r})"
            cells.append(_code("### BEGIN HIDDEN TESTS\n" + body + "\n### END HIDDEN TESTS",
                               nbgrader=_graded(f"{one.id}-{n}", points=points)))
    home = f"source/{chapter.name}"
    return home, {f"{home}/{chapter.name}.ipynb": _notebook(cells)}


def _graded(name: str, solution: bool = False, points: float | None = None) -> dict[str, Any]:
    """What nbgrader wants to know about a cell."""
    about: dict[str, Any] = {"schema_version": 3, "grade_id": name, "solution": solution,
                             "grade": points is not None, "locked": not solution, "task": False}
    return about | ({} if points is None else {"points": points})


def _classroom(book: Book, chapter: Chapter,
               exercises: Sequence[Exercise]) -> tuple[str, Contents]:
    """A template repository, graded by a workflow at every push."""
    file = student_name(chapter.name)
    steps: list[dict[str, Any]] = [
        {"uses": "actions/checkout@v4"},
        {"uses": "actions/setup-python@v5", "with": {"python-version": "3.12"}},
        {"run": f"pip install -r {KIT}/requirements.txt"}]
    steps += [{"id": one.id, "name": f"{one.printed} {one.title}", "continue-on-error": True,
               "run": f"python {KIT}/run.py {file} --classroom {one.id}"} for one in exercises]
    steps.append({
        "name": "Report", "uses": "classroom-resources/autograding-grading-reporter@v1",
        "env": {f"{one.id.upper()}_RESULTS": f"${{{{ steps.{one.id}.outputs.result }}}}"
                for one in exercises},
        "with": {"runners": ",".join(one.id for one in exercises)}})
    workflow = {"name": "Autograding", "on": ["push"],
                "permissions": {"checks": "write", "actions": "read", "contents": "read"},
                "jobs": {"grade": {
                    "runs-on": "ubuntu-latest",
                    "if": "github.actor != 'github-classroom[bot]'", "steps": steps}}}
    readme = (f"# {chapter.title}\n\nWrite your answers into `{file}` and push. Each push is "
              f"graded; `python {KIT}/run.py {file}` grades it at home.\n\n"
              "For teachers: the folder of the grader holds the reference solutions, and "
              "students can read this repository. It suits practice; for marks, grade the "
              "collected files with `loom grade`.\n")
    how = f"Every push is graded. At home:\n\n```\npython {KIT}/run.py {file}\n```"
    return "", {file: student_file(chapter, exercises, section_titles(book), how),
                "README.md": readme,
                ".github/workflows/classroom.yml": yaml.safe_dump(workflow, sort_keys=False)}


def _gradescope(book: Book, chapter: Chapter,
                exercises: Sequence[Exercise]) -> tuple[str, Contents]:
    """What to zip and upload as a Gradescope autograder; students hand in their file."""
    setup = ("#!/usr/bin/env bash\nset -e\napt-get install -y python3 python3-pip python3-venv\n"
             f"python3 -m venv /autograder/venv\n/autograder/venv/bin/pip install "
             f"-r /autograder/source/{KIT}/requirements.txt\n")
    run = ("#!/usr/bin/env bash\ncd /autograder/submission\n"
           'file=$(find . -maxdepth 2 \\( -name "*.py" -o -name "*.ipynb" \\) -type f '
           "| sort | head -n 1)\n"
           f"/autograder/venv/bin/python /autograder/source/{KIT}/run.py "
           '"${file:-missing.py}" --gradescope /autograder/results/results.json || true\n')
    return "", {"setup.sh": setup, "run_autograder": run,
                f"for-students/{student_name(chapter.name)}":
                    student_file(chapter, exercises, section_titles(book),
                                 "Hand this file in; it is graded then.")}


SYSTEMS: dict[str, Callable[[Book, Chapter, Sequence[Exercise]], tuple[str, Contents]]] = {
    "otter": _otter, "nbgrader": _nbgrader, "classroom": _classroom, "gradescope": _gradescope}


def _cases(exercise: Exercise) -> list[tuple[str, float]]:
    """Names and points of an exercise's cases."""
    return [(case.name, case.points) for case in load_cases(exercise)]


def _head(chapter: Chapter, exercises: Sequence[Exercise]) -> str:
    return head_text(chapter, exercises, notebook=True).split("\n\n")[0]


def _statement(exercise: Exercise, named: Named) -> str:
    return f"## {exercise.printed} {exercise.title}\n\n{markdown(exercise.statement, named)}"


def _answer(exercise: Exercise, begin: str, end: str, prompt: str = "") -> str:
    """The answer cell as its source has it, with another system's marks.

    What a region at the left margin holds (helpers of the reference) is
    enclosed in a ``try``, so that the cell still runs where the other system
    has put an error in the region's place.
    """
    source = next(cell.source for cell in read_chapter(exercise.path).cells
                  if cell.line == exercise.answer_line)
    whole = not re.search(rf"^ +{BEGIN}", source, re.MULTILINE)
    lines, push = [marker_line(exercise.id, exercise.printed, exercise.title)], ""
    for line in source.splitlines():
        margin = line[:len(line) - len(line.lstrip())]
        if line.strip() == BEGIN:
            push = "" if margin or whole else "    "
            lines += ["try:"] * bool(push)
            lines += prompt.format(margin=margin or push).splitlines()
            lines.append(f"{margin or push}{begin}")
        elif line.strip() == END:
            lines.append(f"{margin or push}{end}")
            lines += ["except NotImplementedError:", "    pass"] if push else []
            push = ""
        else:
            lines.append(push + line if line else "")
    return "\n".join(lines)


def _raw(source: str) -> dict[str, Any]:
    return {"cell_type": "raw", "metadata": {}, "source": source}


def _text(source: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "metadata": {}, "source": source}


def _code(source: str, **metadata: Any) -> dict[str, Any]:
    return {"cell_type": "code", "metadata": metadata, "source": source.rstrip(),
            "execution_count": None, "outputs": []}


def _notebook(cells: list[dict[str, Any]]) -> str:
    for n, one in enumerate(cells):
        one["id"] = f"cell-{n}"
    about = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
             "language_info": {"name": "python"}}
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": about, "cells": cells},
                      indent=1, ensure_ascii=False) + "\n"
