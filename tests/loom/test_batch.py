"""Grading a folder of submissions: who handed in what, what it earned, and again."""

from __future__ import annotations

import csv
import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
import typer

from loom.book.toc import Book, read_book
from loom.cli.grading import Wish, grade_folder
from loom.cli.teacher import prove
from loom.errors import LoomError
from loom.exercise.model import Exercise
from loom.exercise.own import choose_exercises
from loom.exercise.source import all_exercises, read_exercises
from loom.grade.batch import batch, grader
from loom.grade.batch.marks import cell
from loom.grade.batch.results import Results
from loom.grade.batch.strangers import shown
from loom.grade.batch.submissions import find_submissions

_spec = importlib.util.spec_from_file_location("suite", Path(__file__).parent / "test_attacks.py")
assert _spec and _spec.loader
suite = importlib.util.module_from_spec(_spec)
sys.modules["suite"] = suite
_spec.loader.exec_module(suite)

WRONG = suite.HONEST.replace("e / e.sum(axis=-1, keepdims=True)", "e * 0")
STUB = """import numpy as np

# %% exercise softmax · 1.1 Softmax
import numpy as np


def softmax(x: np.ndarray) -> np.ndarray:
    \"\"\"Softmax over the last axis. x: float array (..., V). Returns the same shape.

    >>> softmax(np.zeros(2))
    array([0.5, 0.5])
    \"\"\"
    raise NotImplementedError

""" + suite.HONEST[suite.HONEST.index("# %% exercise center"):]


def write_book(root: Path) -> None:
    """Write the small book of the attacks, one chapter with two exercises."""
    for name, text in suite.BOOK.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Book:
    """A book of one chapter with two exercises, four points."""
    root = tmp_path_factory.mktemp("book")
    write_book(root)
    return read_book(root)


@pytest.fixture(scope="module")
def exercises(book: Book) -> tuple[Exercise, ...]:
    return all_exercises(book)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "in"
    made.mkdir()
    return made


Grade = Callable[..., dict[str, dict[str, str]]]


@pytest.fixture
def grade(book: Book, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Grade:
    """Grade the folder; the rows of the table, by student."""
    monkeypatch.chdir(book.root)
    monkeypatch.setattr(batch, "_tool", lambda: "this one")  # sources may change meanwhile

    def run(**wishes: object) -> dict[str, dict[str, str]]:
        target = folder.parent / "marks.csv"
        wish = {"folder": folder, "csv": target, "json": folder.parent / "marks.json", "jobs": 2,
                "exercises": (), "seed": None, "timeout": 60.0, "unsafe": False, "again": False}
        grade_folder(Wish(**{**wish, **wishes}))  # type: ignore[arg-type]
        with target.open(encoding="utf-8-sig", newline="") as file:
            return {row["student"]: row for row in csv.DictReader(file)}

    return run


def hand_in(folder: Path, name: str, text: str = suite.HONEST) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def notebook(text: str) -> str:
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [
        {"cell_type": "code", "id": f"c{n}", "metadata": {}, "outputs": [],
         "execution_count": None, "source": part}
        for n, part in enumerate(text.replace("# %%", "\0# %%").split("\0"))]})


# --- whose is what ---------------------------------------------------------

LAYOUTS = {
    "ann/01_small.py": "ann",
    "ann/my-exercises/01_small.py": "ann",
    "ann/01-small.py": "ann",
    "ann_01_small.py": "ann",
    "ann-lee-01-small.py": "ann-lee",
    "ann.py": "ann",
    "Zoë Ångström/01_small.py": "Zoë Ångström",
    "Ann Lee_1234567_assignsubmission_file_/01_small.py": "Ann Lee",
    "Ann Lee_1234567_assignsubmission_file/01_small.py": "Ann Lee",
    "Ann Lee_1234567_assignsubmission_file_01_small.py": "Ann Lee",
    "leeann_12345_678901_01_small.py": "leeann",
    "leeann_LATE_12345_678901_01_small-2.py": "leeann",
    "homework-1-annlee/week1/my-exercises/01_small.py": "homework-1-annlee",
    "ann/01_small (1).py": "ann",
    "ann/renamed.py": "ann",
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_submission_is_found(name: str, folder: Path, exercises: tuple[Exercise, ...]) -> None:
    hand_in(folder, name)
    found = find_submissions(folder, exercises)
    assert [one.student for one in found.submissions] == [LAYOUTS[name]]
    assert [str(file.path) for file in found.submissions[0].files] == [name]
    assert not found.strange


def test_a_notebook_is_found(folder: Path, exercises: tuple[Exercise, ...]) -> None:
    hand_in(folder, "ann.ipynb", notebook(suite.HONEST))
    [one] = find_submissions(folder, exercises).submissions
    assert (one.student, len(one.files)) == ("ann", 1)


def test_the_newest_of_several_files_comes_first(
        folder: Path, exercises: tuple[Exercise, ...]) -> None:
    for name in ("lee_1_2_01_small.py", "lee_1_3_01_small-2.py", "lee_1_4_01_small-1.py"):
        hand_in(folder, name, suite.HONEST + f"# {name}\n")
    [one] = find_submissions(folder, exercises).submissions
    assert [file.version for file in one.files] == [2, 1, 0]
    assert any("more than once" in note for note in one.notes)


def test_names_that_look_alike_are_told(folder: Path, exercises: tuple[Exercise, ...]) -> None:
    hand_in(folder, "Jose\u0301/01_small.py")
    hand_in(folder, "jos\u00e9/01_small.py")
    found = find_submissions(folder, exercises).submissions
    assert len(found) == 2
    assert all("the same person?" in one.notes[0] for one in found)


def test_two_of_one_name_in_moodle_stay_two(
        folder: Path, exercises: tuple[Exercise, ...]) -> None:
    for number in (1, 2):
        hand_in(folder, f"Ann Lee_{number}_assignsubmission_file_/01_small.py")
    assert [one.student for one in find_submissions(folder, exercises).submissions] == [
        "Ann Lee", "Ann Lee (2)"]


def _link(path: Path, target: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    path.symlink_to(target)


STRANGE = {
    "a link out of the folder": (
        lambda f: _link(f / "bob/01_small.py", Path("/etc/passwd")), "symbolic link"),
    "a link to another's work": (
        lambda f: _link(f / "bob/01_small.py", f / "ann/01_small.py"), "symbolic link"),
    "a folder that is a link": (lambda f: _link(f / "bob", Path("/etc")), "symbolic link"),
    "a folder inside that is a link": (
        lambda f: _link(f / "bob/my-exercises", f / "ann"), "symbolic link"),
    "a link to a device": (
        lambda f: _link(f / "bob/01_small.py", Path("/dev/zero")), "symbolic link"),
    "a pipe": (lambda f: (os.mkdir(f / "bob"), os.mkfifo(f / "bob/01_small.py")),
               "not a plain file"),
    "a huge file": (lambda f: (hand_in(f, "bob/01_small.py"),
                               os.truncate(f / "bob/01_small.py", 1 << 32)), "larger than 1 MB"),
    "a huge notebook": (lambda f: (hand_in(f, "bob/01_small.ipynb"),
                                   os.truncate(f / "bob/01_small.ipynb", 1 << 32)),
                        "larger than"),
    "a notebook of many lists": (lambda f: hand_in(f, "bob/01_small.ipynb", "[]," * 1_000_000),
                                 "more lists than a notebook has"),
    "deep folders": (lambda f: hand_in(f, "bob/" + "d/" * 12 + "01_small.py"), "too deep"),
    "an archive": (lambda f: hand_in(f, "bob.zip"), "unpack it first"),
    "an archive inside": (lambda f: hand_in(f, "bob/all.tar.gz"), "unpack it first"),
    "another language": (lambda f: hand_in(f, "bob.txt"), "neither a .py nor a .ipynb"),
    "an answer as text": (lambda f: hand_in(f, "bob/01_small.py.txt"), "neither a .py"),
    "an answer without a suffix": (lambda f: hand_in(f, "bob/01_small"), "neither a .py"),
    "an answer as a letter": (lambda f: hand_in(f, "bob/solution.docx"), "neither a .py"),
    "an answer as text beside another's": (
        lambda f: hand_in(f, "ann/my-exercises/01-small (2).txt"), "neither a .py"),
    "another program": (lambda f: hand_in(f, "bob/helper.py", "print(1)\n"), "none of these"),
}


@pytest.mark.parametrize("what", STRANGE)
def test_what_is_nobodys_answer_is_told_and_not_read(
        what: str, folder: Path, exercises: tuple[Exercise, ...]) -> None:
    hand_in(folder, "ann/01_small.py")
    make, said = STRANGE[what]
    make(folder)
    found = find_submissions(folder, exercises)
    assert [one.student for one in found.submissions if one.files] == ["ann"]
    assert len(found.strange) == 1
    assert said in found.strange[0][1], found.strange


def test_what_lies_beside_answers_is_not_told(
        folder: Path, exercises: tuple[Exercise, ...]) -> None:
    for name in ("01_small.py", "readme.txt", ".DS_Store", "plot.png", "__pycache__/a.pyc"):
        hand_in(folder, f"ann/{name}")
    assert find_submissions(folder, exercises).strange == []
    for number in range(40):
        hand_in(folder, f"bob/data/{number}.csv")
    hand_in(folder, "cy/plot.png")
    found = find_submissions(folder, exercises)
    assert len(found.strange) == 6
    assert found.strange[-1] == ("bob", "holds 35 more that are neither a .py nor a .ipynb")


def test_who_has_nothing_to_grade_reads_why(grade: Grade, folder: Path) -> None:
    hand_in(folder, "ann/01_small.py")
    hand_in(folder, "bob/solution.docx")
    _link(folder / "cy" / "01_small.py", folder / "ann" / "01_small.py")
    _link(folder / "dan_01_small.py", folder / "ann" / "01_small.py")
    _link(folder / "eve", folder / "ann")
    rows = grade()
    said = {name: row["notes"] for name, row in rows.items() if row["total"] != "4"}
    link = "is a symbolic link: not followed; nothing to grade"
    assert said == {"bob": "bob/solution.docx is neither a .py nor a .ipynb; nothing to grade",
                    "cy": f"cy/01_small.py {link}", "dan": f"dan_01_small.py {link}",
                    "eve": f"eve {link}"}
    data = json.loads((folder.parent / "marks.json").read_text())
    assert [one["path"] for one in data["not_recognized"]] == [
        "bob/solution.docx", "cy/01_small.py", "dan_01_small.py", "eve"]


def test_hidden_folders_are_nobodys(folder: Path, exercises: tuple[Exercise, ...]) -> None:
    hand_in(folder, "ann/01_small.py")
    hand_in(folder, "ann/.ipynb_checkpoints/01_small.py")
    hand_in(folder, "__MACOSX/._01_small.py")
    found = find_submissions(folder, exercises)
    assert [len(one.files) for one in found.submissions] == [1]
    assert not found.strange


def test_no_folder_is_refused(tmp_path: Path, exercises: tuple[Exercise, ...]) -> None:
    with pytest.raises(LoomError, match="not a folder of submissions"):
        find_submissions(tmp_path / "none", exercises)


# --- what it earned --------------------------------------------------------

def test_a_class(grade: Grade, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Right, wrong, untouched, broken, hostile, in every form: each gets what it deserves."""
    hand_in(folder, "ann/01_small.py")
    hand_in(folder, "bob_01_small.py", WRONG)
    hand_in(folder, "cy/01_small.py", STUB)
    hand_in(folder, "dan.ipynb", notebook(suite.HONEST))
    hand_in(folder, "eve/01_small.py", suite.HONEST.replace(
        "def softmax(x):", "import os; os._exit(0)\ndef softmax(x):"))
    hand_in(folder, "flo/01_small.py", suite.HONEST.replace("def softmax(x):", "def softmax(x:"))
    (folder / "gus").mkdir()
    (folder / "gus" / "01_small.py").write_bytes(suite.HONEST.encode("utf-16"))
    hand_in(folder, "hal/01_small.ipynb", "[" * 100_000)
    (folder / "ida").mkdir()
    rows = grade()
    assert {name: row["total"] for name, row in rows.items()} == {
        "ann": "4", "bob": "2", "cy": "2", "dan": "4", "eve": "2", "flo": "2", "gus": "0",
        "hal": "0", "ida": "0"}
    assert {row["of"] for row in rows.values()} == {"4"}
    assert rows["bob"]["softmax"] == "0" and rows["bob"]["center"] == "2"
    assert "not started" in rows["cy"]["notes"]
    assert "UTF-16" in rows["gus"]["notes"]
    assert "nothing to grade" in rows["ida"]["notes"]
    verdicts = json.loads((folder.parent / "marks.json").read_text(encoding="utf-8"))
    by_name = {one["student"]: one for one in verdicts["students"]}
    assert by_name["bob"]["verdicts"]["softmax"]["cases"][0]["lines"]
    assert by_name["flo"]["verdicts"]["softmax"]["state"] == "broken"
    assert "flo/01_small.py" in str(by_name["flo"]["verdicts"]["softmax"]["problem"])
    out = capsys.readouterr().out
    assert "9 submissions: 8 graded" in out and "--seed" in out


def test_a_second_run_goes_on_with_what_is_new(
        grade: Grade, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hand_in(folder, "ann/01_small.py")
    hand_in(folder, "bob/01_small.py", "# all of it not started\n")
    first = grade()
    seed = json.loads((folder.parent / "marks.json").read_text())["seed"]
    capsys.readouterr()
    written = [path.read_bytes() for path in sorted(folder.parent.glob("marks.*"))]
    assert grade() == first
    assert [path.read_bytes() for path in sorted(folder.parent.glob("marks.*"))] == written
    assert "2 submissions: 0 graded, 2 from earlier runs" in capsys.readouterr().out
    hand_in(folder, "bob/01_small.py")
    hand_in(folder, "cy/01_small.py", WRONG)
    after = grade()
    assert "2 graded" in (out := capsys.readouterr().out) and "1 from earlier runs" in out
    assert (after["bob"]["total"], after["cy"]["total"]) == ("4", "2")
    assert json.loads((folder.parent / "marks.json").read_text())["seed"] == seed
    grade(again=True)
    assert "3 graded" in capsys.readouterr().out
    grade(seed=seed + 1)
    assert "3 graded" in capsys.readouterr().out


def test_another_judge_grades_again(
        grade: Grade, folder: Path, monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str]) -> None:
    hand_in(folder, "ann/01_small.py")
    grade()
    monkeypatch.setattr(batch, "_tool", lambda: "another one")
    capsys.readouterr()
    grade()
    assert "1 graded" in capsys.readouterr().out


def test_a_damaged_result_is_made_again(
        grade: Grade, book: Book, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hand_in(folder, "ann/01_small.py")
    first = grade()
    kept = [path for path in Results(book.root, folder, "center softmax").folder.glob("*.json")
            if path.name != "index.json"]
    assert len(kept) == 1
    kept[0].write_text("{")
    capsys.readouterr()
    assert grade() == first
    assert "1 graded" in capsys.readouterr().out


def test_hostile_submissions_touch_nobody_else(grade: Grade, folder: Path) -> None:
    names = ["patching/numpy_testing", "ending/os_exit_on_import", "processes/daemon_by_shell",
             "output/flood", "planting/numpy_beside", "wire/forged_frames", "lying/always_equal",
             "planting/deletes"]
    names += ["processes/kill_pythons"] if suite.arena.isolated() else []
    for number, name in enumerate(names):
        program = suite.PROGRAMS[name]
        start, end = (suite.HONEST.index(f"# %% exercise {e}") for e in ("softmax", "center"))
        head = suite.HONEST[start:end].split("\n", 1)[0]
        hand_in(folder, f"{number:02} hostile/01_small.py",
                f"{suite.HONEST[:start]}{head}\n{program.source}\n{suite.HONEST[end:]}")
        hand_in(folder, f"{number:02} honest/01_small.py")
    before = set(psutil.pids())  # such as the browser of other tests
    rows = grade()
    for number in range(len(names)):
        assert rows[f"{number:02} hostile"]["softmax"] == "0", names[number]
        assert rows[f"{number:02} hostile"]["center"] == "2", names[number]
        assert rows[f"{number:02} honest"]["total"] == "4"
    mine = [process.name() for process in psutil.Process().children(recursive=True)
            if process.pid not in before]
    sleeping = [p for p in psutil.process_iter(["cmdline"]) if p.pid not in before
                and p.info["cmdline"] == ["sleep", "3600"]]
    assert mine == [] and sleeping == []


def test_one_that_takes_too_long_is_ended_and_the_rest_goes_on(
        grade: Grade, folder: Path) -> None:
    slow = suite.HONEST.replace("    return x - np.mean(x)", "    while True: pass")
    hand_in(folder, "ann/01_small.py", slow)
    hand_in(folder, "bob/01_small.py")
    rows = grade(timeout=2.0, jobs=1)
    assert rows["ann"]["softmax"] == "2" and rows["ann"]["center"] == "0"
    assert "longer than 2 s (--timeout)" in rows["ann"]["notes"]
    assert rows["bob"]["total"] == "4"


def test_a_judge_that_is_killed_is_started_again(
        book: Book, exercises: tuple[Exercise, ...], folder: Path,
        monkeypatch: pytest.MonkeyPatch, grade: Grade) -> None:
    """Once: nothing is lost. Always at the same answer: that one is given up."""
    hand_in(folder, "ann/01_small.py")
    hand_in(folder, "bob/01_small.py")
    hear, killed = batch.Grader._hear, []

    def deadly(self: batch.Grader, limit: float) -> dict[str, object]:
        said = hear(self, limit)
        if said.get("next") == "center" and len(killed) < most:
            killed.append(self.process.pid)  # type: ignore[union-attr]
            os.kill(killed[-1], signal.SIGKILL)
        return said

    monkeypatch.setattr(batch.Grader, "_hear", deadly)
    most = 1
    assert {row["total"] for row in grade(jobs=1).values()} == {"4"}
    most = 3
    rows = grade(jobs=1, again=True)
    assert len(killed) == 3
    assert rows["ann"]["total"] == "2" and "the judge ended" in rows["ann"]["notes"]
    assert rows["bob"]["total"] == "4"


def test_a_fault_of_the_exercise_stops_the_batch_and_names_it(
        grade: Grade, folder: Path, tmp_path: Path) -> None:
    text = suite.EXERCISES.replace(
        "return x - x.mean()", "return x - x.mean() if x.size != 9 else x.no_such_name")
    own = tmp_path / "own.md"
    own.write_text(text, encoding="utf-8")
    hand_in(folder, "ann/own.py")
    with pytest.raises(LoomError, match="the reference fails"):
        grade(exercises=(str(own),))


def test_ctrl_c_keeps_what_is_done_and_ends_everything(book: Book, folder: Path) -> None:
    hand_in(folder, "ann/01_small.py")
    hand_in(folder, "bob/01_small.py", "import time\ntime.sleep(3600)\n" + suite.HONEST)
    command = [str(Path(sys.executable).parent / "loom"), "grade", str(folder), "--jobs", "1",
               "--seed", "7"]
    running = subprocess.Popen(command, cwd=book.root, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
    assert running.stdout is not None
    assert "ann, 4 of 4 points" in running.stdout.readline()
    time.sleep(0.5)
    children = psutil.Process(running.pid).children(recursive=True)
    assert children
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=30)
    assert running.returncode == 130 and "run the command again to go on" in err
    _, alive = psutil.wait_procs(children, timeout=10)
    assert alive == []
    hand_in(folder, "bob/01_small.py")
    done = subprocess.run(command, cwd=book.root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "1 graded" in done.stdout and "1 from earlier runs" in done.stdout


# --- what is written and said ----------------------------------------------

def test_no_cell_is_a_formula(grade: Grade, folder: Path) -> None:
    for name in ("=cmd|' /C calc'!A0", "+1", "@SUM(A1)", "-2", " =1", "a\tb\x1b[2J"):
        hand_in(folder, f"{name}/01_small.py")
    os.makedirs(os.fsencode(folder) + b"/\xff\xfe")
    shutil.copy(folder / "+1" / "01_small.py", os.fsencode(folder) + b"/\xff\xfe/01_small.py")
    rows = grade()
    assert len(rows) == 7 and {row["total"] for row in rows.values()} == {"4"}
    for name in rows:
        assert not name.lstrip().startswith(("=", "+", "-", "@"))
        assert all(c.isprintable() for c in name)
    assert cell("=1+1") == "'=1+1" and cell("ann") == "ann" and shown("\x1b[2J") == "\\x1b[2J"


@pytest.mark.parametrize("option", ["csv", "json"])
def test_results_are_not_written_over_answers(
        option: str, grade: Grade, folder: Path) -> None:
    path = hand_in(folder, "ann/01_small.py")
    with pytest.raises(LoomError, match=f"does not end in .{option}"):
        grade(**{option: path})
    assert path.read_text(encoding="utf-8") == suite.HONEST


def test_nothing_to_grade_is_told(grade: Grade, folder: Path) -> None:
    hand_in(folder, "readme.py", "print(1)\n")
    with pytest.raises(LoomError, match="no answers to these exercises"):
        grade()


def test_two_runs_at_once_are_refused(grade: Grade, book: Book, folder: Path) -> None:
    hand_in(folder, "ann/01_small.py")
    with Results(book.root, folder, "center softmax").held(), \
            pytest.raises(LoomError, match="another `loom grade`"):
        grade()


def test_without_protection_it_refuses_until_told(
        grade: Grade, folder: Path, monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str]) -> None:
    from loom.grade import sandbox

    hand_in(folder, "ann/01_small.py")
    nothing = sandbox.Protection(False, False, ("an answer can use the network",))
    monkeypatch.setattr(sandbox, "sandbox_available", lambda: nothing)
    with pytest.raises(LoomError, match="an answer can use the network") as refused:
        grade()
    assert "--unsafe" in str(refused.value) and "bubblewrap" in str(refused.value)
    assert grade(unsafe=True)["ann"]["total"] == "4"
    assert "an answer can use the network" in " ".join(capsys.readouterr().out.split())


@pytest.mark.skipif(not suite.arena.isolated(), reason="there are no namespaces here")
def test_without_bubblewrap_namespaces_do_and_are_named(
        grade: Grade, folder: Path, monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("loom.grade.sandbox.shutil.which", lambda name: None)
    secret = folder.parent / "secret.txt"
    secret.write_text("mine")
    hand_in(folder, "ann/01_small.py", suite.HONEST.replace(
        "    return x - np", f"    open({str(secret)!r})\n    return x - np"))
    assert grade()["ann"]["total"] == "2"
    said = " ".join(capsys.readouterr().out.split())
    assert "No bubblewrap: namespaces keep answers from the network and your files" in said


@pytest.mark.skipif(shutil.which("bwrap") is None, reason="there is no bubblewrap here")
def test_bubblewrap_is_used_where_it_is(
        grade: Grade, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    start = batch.Grader._start
    monkeypatch.setattr(batch.Grader, "_start",
                        lambda self: (seen.append(self.plan.bubblewrap), start(self)))
    hand_in(folder, "ann/01_small.py")
    assert grade()["ann"]["total"] == "4" and seen == [True]


def test_exercises_of_a_teachers_own(grade: Grade, folder: Path, tmp_path: Path) -> None:
    text = suite.EXERCISES.replace(":id: softmax", ":id: my-softmax").replace(
        ":id: center", ":id: my-center")
    own = tmp_path / "elsewhere" / "90-own.md"
    own.parent.mkdir()
    own.write_text(text, encoding="utf-8")
    answers = suite.HONEST.replace("exercise softmax", "exercise my-softmax").replace(
        "exercise center", "exercise my-center")
    hand_in(folder, "ann/90_own.py", answers)
    hand_in(folder, "bob/01_small.py")
    rows = grade(exercises=(str(own),))
    assert rows["ann"] == {"student": "ann", "my-softmax": "2", "my-center": "2", "total": "4",
                           "of": "4", "notes": ""}
    assert rows["bob"]["total"] == "0"


def test_one_exercise_can_be_chosen(grade: Grade, folder: Path, book: Book) -> None:
    hand_in(folder, "ann/01_small.py", WRONG)
    assert grade(exercises=("center",))["ann"]["total"] == "2"
    assert grade(exercises=("1.1",))["ann"]["total"] == "0"
    assert grade(exercises=("1",))["ann"]["total"] == "2"
    with pytest.raises(LoomError, match="no exercise"):
        choose_exercises(book, ["centered"])
    with pytest.raises(LoomError, match="no such file"):
        choose_exercises(book, ["there/is/none.md"])


def test_a_file_of_ones_own_is_graded_and_proven_where_it_lies(
        book: Book, grade: Grade, folder: Path, monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(folder.parent)
    monkeypatch.setenv("LOOM_ROOT", str(book.root))
    text = suite.EXERCISES.replace(":section: sec-small\n", "")
    Path("mine.md").write_text(text, encoding="utf-8")
    hand_in(folder, "ann/mine.py")
    assert grade(exercises=("mine.md",))["ann"]["total"] == "4"
    with pytest.raises(typer.Exit):  # too few wrong answers for the book
        prove(["mine.md"], jobs=1)
    said = capsys.readouterr().out
    assert "proving 2 exercises" in said and said.count("50/50") == 2
    with pytest.raises(LoomError, match="there is no such file of exercises"):
        grade(exercises=("none.md",))
    with pytest.raises(LoomError, match="`:section:` is missing"):
        read_exercises(Path("mine.md"), book.chapters[1])


def test_the_pages_own_exercise_is_one_of_this_book_too(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    page = (root / "book" / "for-teachers.md").read_text(encoding="utf-8")
    cells = re.findall(r"%%writefile (?:-a )?exercises/01-scores\.md\n(.*?)^`````$", page,
                       re.DOTALL | re.MULTILINE)
    own = tmp_path / "mine.md"
    own.write_text("".join(cells), encoding="utf-8")
    [exercise] = choose_exercises(read_book(root), [str(own)])
    assert (exercise.id, len(cells)) == ("shares", 4)


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Book:
    """A book of three chapters, the last two with the same exercises under other names."""
    root = tmp_path_factory.mktemp("two")
    write_book(root)
    for other in ("02-other", "03-last"):
        with (root / "_toc.yml").open("a") as toc:
            toc.write(f"  - file: book/{other}\n")
        for source in ("book", "exercises"):
            text = suite.BOOK[f"{source}/01-small.md"].replace("sec-small", f"sec-{other}")
            text = text.replace(":id: ", f":id: {other[3:]}-")
            (root / source / f"{other}.md").write_text(text, encoding="utf-8")
    return read_book(root)


def test_chapters_that_nobody_handed_in_are_not_graded(
        two: Book, grade: Grade, folder: Path, monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(two.root)
    hand_in(folder, "ann/01_small.py")
    row = grade()["ann"]
    assert [*row] == ["student", "softmax", "center", "total", "of", "notes"]
    assert (row["total"], row["of"], row["notes"]) == ("4", "4", "")
    said = " ".join(capsys.readouterr().out.split())
    assert "Nobody handed in anything for chapters 2, 3: not graded" in said
    data = json.loads((folder.parent / "marks.json").read_text())
    assert data["not_handed_in"] == ["02-other", "03-last"]
    hand_in(folder, "bob.py", suite.HONEST.replace("exercise softmax", "exercise other-softmax"))
    rows = grade()
    assert (rows["bob"]["other-softmax"], rows["bob"]["of"]) == ("2", "8")
    again = json.loads((folder.parent / "marks.json").read_text())
    assert (again["not_handed_in"], again["seed"]) == (["03-last"], data["seed"])
    assert grade(exercises=("2", "3"))["bob"]["of"] == "8"


def test_of_two_files_the_answer_that_was_begun_counts(
        tmp_path: Path, exercises: tuple[Exercise, ...]) -> None:
    texts = {"honest": suite.HONEST, "wrong": WRONG, "stub": STUB,
             "broken": suite.HONEST.replace("def softmax(x):", "def softmax(x:"),
             "empty": "# nothing\n"}
    read = {}
    for name, text in texts.items():
        path = hand_in(tmp_path, f"{name}.py", text)
        read[name] = grader.read_as(path, Path(f"{name}.py"), exercises)["softmax"]
    for names, chosen in ((("stub", "honest"), "honest"), (("broken", "honest"), "honest"),
                          (("stub", "broken"), "broken"), (("empty", "stub"), "stub"),
                          (("honest", "wrong"), "honest"), (("wrong", "honest"), "wrong")):
        answer, notes = grader.choose([read[name] for name in names])
        assert answer.path == Path(f"{chosen}.py"), names
        assert bool(notes) == ({*names} == {"honest", "wrong"}), notes
