"""Hostile answers in other people's graders, and how long one check takes.

Each program of ``tests/loom/attacks`` is handed in, with an honest answer to
a second exercise, to otter-grader, nbgrader, check50, plain pytest and ours.
Every run has namespaces of its own, so that what it leaves behind can be
counted and ends with it. A tool that cannot be installed here is left out,
and the table says why.

    python bench/graders.py          twelve programs: some minutes
    python bench/graders.py --all    every program: an hour
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
VENVS = ROOT / "_build" / "graders"
PATIENCE = 60.0  # seconds after which a run counts as hung
TWELVE = (
    "patching/numpy_testing", "patching/numpy_comparisons", "ending/os_exit_on_call",
    "ending/sys_exit_on_import", "ending/atexit_forges", "time/loop_swallows",
    "planting/conftest_beside", "planting/numpy_beside", "lying/always_equal",
    "processes/daemon_by_shell", "processes/forks", "output/flood")


def _load(name: str, path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


arena = _load("arena", ROOT / "tests" / "loom" / "attacks" / "arena.py")

RIGHT = """import numpy as np


def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)
"""
OTHER = """import numpy as np


def center(x):
    return x - np.mean(x)
"""
CHECKS = {  # what the graders' tests say: values typed by their author, as is usual
    "softmax": """import numpy as np
x = np.array([[1000.0, 1001.0, 1002.0], [0.0, 0.0, 0.0]])
want = np.array([[0.09003057, 0.24472847, 0.66524096], [1 / 3, 1 / 3, 1 / 3]])
np.testing.assert_allclose(softmax(x), want, rtol=1e-6)
""",
    "center": """import numpy as np
np.testing.assert_allclose(center(np.array([1.0, 3.0])), np.array([-1.0, 1.0]))
""",
}


def indented(text: str, by: str = "    ") -> str:
    return "".join(f"{by}{line}\n" for line in text.splitlines())


@dataclass
class Seen:
    """What became of one program in one grader."""

    softmax: bool | None = None  # whether it got full marks; None if the run was lost
    center: bool | None = None
    hung: bool = False
    left: int = 0  # processes
    memory: int = 0  # bytes, of all processes at the peak
    seconds: float = 0.0
    error: str = ""

    @property
    def said(self) -> str:
        """A cell of the table."""
        parts = ["hung" if self.hung else "run lost" if self.softmax is None
                 else "FULL MARKS" if self.softmax else "0"]
        if self.center is not True:
            parts.append("other lost")
        if self.left:
            parts.append(f"{self.left} left")
        return ", ".join(parts)


@dataclass(frozen=True)
class Peer:
    """A grader: how it is installed, given an answer, run and read."""

    name: str
    pinned: str
    prepare: Callable[[Path], None]  # once, into a folder that is copied for each run
    hand_in: Callable[[Path, str, str], None]  # the answers to softmax and to center
    command: list[str]
    read: Callable[[Path, int], tuple[bool | None, bool | None]]
    extra: tuple[str, ...] = ("numpy",)

    @property
    def venv(self) -> Path:
        return VENVS / self.name

    def installed(self) -> str | None:
        """Install it in an environment of its own; the reason if that fails."""
        wanted = " ".join((self.pinned, *self.extra))
        marker = self.venv / "installed.txt"
        if marker.is_file() and marker.read_text() == wanted:
            return None
        made = subprocess.run([sys.executable, "-m", "venv", "--clear", str(self.venv)],
                              capture_output=True, text=True)
        done = made if made.returncode else subprocess.run(
            [str(self.venv / "bin" / "python"), "-m", "pip", "install", "-q", self.pinned,
             *self.extra], capture_output=True, text=True)
        if done.returncode:
            lines = (done.stderr or done.stdout).strip().splitlines()
            return lines[-1] if lines else f"pip ended with {done.returncode}"
        marker.write_text(wanted)
        return None


# --- the peers -------------------------------------------------------------

def prepare_pytest(folder: Path) -> None:
    for number, (name, check) in enumerate(CHECKS.items(), 1):
        (folder / f"test_{number}_{name}.py").write_text(
            f"def test_{name}():\n    from answer_{name} import {name}\n{indented(check)}")


def hand_in_pytest(folder: Path, softmax: str, center: str) -> None:
    (folder / "answer_softmax.py").write_text(softmax)
    (folder / "answer_center.py").write_text(center)


def read_pytest(folder: Path, code: int) -> tuple[bool | None, bool | None]:
    """Its exit code is the mark, as in GitHub Classroom."""
    if code == 0:
        return True, True
    passed = {}
    with suppress(OSError, ElementTree.ParseError):
        for case in ElementTree.parse(folder / "report.xml").getroot().iter("testcase"):
            passed[case.get("name", "")] = not any(
                case.find(kind) is not None for kind in ("failure", "error", "skipped"))
    return passed.get("test_softmax"), passed.get("test_center")


def prepare_check50(folder: Path) -> None:
    checks = folder / "checks"
    checks.mkdir()
    (checks / ".cs50.yml").write_text("check50: true\n")
    (checks / "__init__.py").write_text("import check50\nimport check50.py\n\n" + "\n\n".join(
        f'@check50.check()\ndef {name}():\n    """{name}"""\n'
        f'    {name} = check50.py.import_("answer_{name}.py").{name}\n{indented(check)}'
        for name, check in CHECKS.items()))


def read_check50(folder: Path, code: int) -> tuple[bool | None, bool | None]:
    with suppress(OSError, ValueError, KeyError, TypeError):
        results = json.loads((folder / "out.json").read_text())["results"]
        passed = {result["name"]: result["passed"] for result in results}
        return bool(passed.get("softmax")), bool(passed.get("center"))
    return None, None


def notebook(cells: list[dict[str, Any]]) -> str:
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "cells": cells, "metadata": {
        "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
        "language_info": {"name": "python"}}})


def cell(source: str, name: str, **metadata: Any) -> dict[str, Any]:
    return {"cell_type": "code", "id": name, "metadata": metadata, "outputs": [],
            "execution_count": None, "source": source}


def prepare_otter(folder: Path) -> None:
    tests = folder / "tests"
    tests.mkdir()
    for name, check in CHECKS.items():
        (tests / f"{name}.py").write_text(
            f"from otter.test_files import test_case\n\nOK_FORMAT = False\nname = {name!r}\n"
            f"points = 1\n\n@test_case(points=1, hidden=False)\n"
            f"def test_{name}({name}):\n{indented(check)}")
    subprocess.run([_bin("otter"), "generate", "-t", "tests", "-o", "autograder.zip",
                    "--no-environment"], cwd=folder, check=True, capture_output=True,
                   env=_environment("otter"))


def hand_in_otter(folder: Path, softmax: str, center: str) -> None:
    (folder / "answer.ipynb").write_text(notebook([
        cell("import otter\ngrader = otter.Notebook()", "a"), cell(softmax, "b"),
        cell("grader.check('softmax')", "c"), cell(center, "d"),
        cell("grader.check('center')", "e")]))


def read_otter(folder: Path, code: int) -> tuple[bool | None, bool | None]:
    with suppress(OSError, ValueError, KeyError, TypeError):
        tests = json.loads((folder / "results.json").read_text())["tests"]
        full = {test["name"]: test.get("score", 0) >= 1 for test in tests
                if "score" in test}
        return full.get("softmax"), full.get("center")
    return None, None


def prepare_nbgrader(folder: Path) -> None:
    (folder / "nbgrader_config.py").write_text(
        "c = get_config()\nc.CourseDirectory.course_id = 'c'\n"
        f"c.ExecutePreprocessor.timeout = {int(PATIENCE / 3)}\n")
    def mark(name: str, grade: bool) -> dict[str, Any]:
        return {"grade": grade, "grade_id": name, "locked": grade, "schema_version": 3,
                "solution": not grade, "task": False, **({"points": 1} if grade else {})}

    source = folder / "source" / "p"
    source.mkdir(parents=True)
    (source / "p.ipynb").write_text(notebook([
        one for name, check in CHECKS.items() for one in (
            cell(f"def {name}(x):\n    raise NotImplementedError()", f"s{name}",
                 nbgrader=mark(f"s{name}", False)),
            cell(check, f"t{name}", nbgrader=mark(f"t{name}", True)))]))
    subprocess.run([_bin("nbgrader"), "generate_assignment", "p"], cwd=folder, check=True,
                   capture_output=True, env=_environment("nbgrader"))


def hand_in_nbgrader(folder: Path, softmax: str, center: str) -> None:
    content = json.loads((folder / "release" / "p" / "p.ipynb").read_text())
    texts = {"ssoftmax": softmax, "scenter": center}
    for one in content["cells"]:
        name = one.get("metadata", {}).get("nbgrader", {}).get("grade_id")
        one["source"] = texts.get(name, one["source"])
    target = folder / "submitted" / "s" / "p"
    target.mkdir(parents=True)
    (target / "p.ipynb").write_text(json.dumps(content))


def read_nbgrader(folder: Path, code: int) -> tuple[bool | None, bool | None]:
    query = ("select base_cell.name, grade.manual_score, grade.auto_score from grade "
             "join base_cell on base_cell.id = grade.cell_id")
    with suppress(sqlite3.Error, OSError):
        base = sqlite3.connect(f"file:{folder / 'gradebook.db'}?mode=ro", uri=True)
        full = {name: (manual if manual is not None else auto or 0) >= 1
                for name, manual, auto in base.execute(query)}
        if code == 0 and full:
            return full.get("tsoftmax"), full.get("tcenter")
    return None, None


def _bin(name: str) -> str:
    return str(VENVS / name / "bin" / name)


def _environment(name: str) -> dict[str, str]:
    return {**os.environ, "NO_COLOR": "1",
            "PATH": f"{VENVS / name / 'bin'}{os.pathsep}{os.environ['PATH']}"}


PEERS = [
    Peer("otter", "otter-grader==7.0.0", prepare_otter, hand_in_otter,
         [_bin("otter"), "run", "answer.ipynb", "-a", "autograder.zip", "-o", ".", "--no-logo"],
         read_otter, ("numpy", "ipykernel")),
    Peer("nbgrader", "nbgrader==0.9.6", prepare_nbgrader, hand_in_nbgrader,
         [_bin("nbgrader"), "autograde", "p", "--create"], read_nbgrader, ("numpy", "ipykernel")),
    Peer("check50", "check50==3.5.0", prepare_check50, hand_in_pytest,
         [_bin("check50"), "--dev", "-o", "json", "--output-file", "out.json", "--",
          "checks"], read_check50),
    Peer("pytest", "pytest==8.4.2", prepare_pytest, hand_in_pytest,
         [_bin("pytest"), "-q", "--junitxml=report.xml"], read_pytest),
]


# --- one run, in namespaces of its own --------------------------------------

def run_apart(peer: Peer, template: Path, softmax: str, beside: dict[str, str]) -> Seen:
    """Hand in two answers and run the grader, where nothing can outlive it."""
    orders = {"name": peer.name, "template": str(template), "softmax": softmax,
              "beside": beside, "book": {}, "patience": PATIENCE}
    started = [*arena.isolated(), sys.executable, str(Path(__file__)), "--inside"]
    done = subprocess.run(started, input=json.dumps(orders), capture_output=True, text=True,
                          errors="replace", start_new_session=True)
    try:
        return Seen(**json.loads(done.stdout.splitlines()[-1]))
    except (ValueError, IndexError, TypeError):
        return Seen(error=f"{done.returncode}: {done.stderr[-300:]}")


def inside() -> None:
    """The first process of the namespaces: runs one grader, counts what is left."""
    orders = json.load(sys.stdin)
    peer = next(p for p in PEERS if p.name == orders["name"])
    pit = arena.Arena(orders, carry=Path(orders["template"]))
    folder = pit.home / "work"
    peer.hand_in(folder, orders["softmax"], OTHER)
    for name, content in orders["beside"].items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(content)
    environment = {**_environment(peer.name), "HOME": str(pit.home / "user")}
    seen = Seen()
    started = time.monotonic()
    with (pit.home / "log.txt").open("wb") as log:
        pit.referee = subprocess.Popen(peer.command, cwd=folder, env=environment, stdout=log,
                                       stderr=log, stdin=subprocess.DEVNULL)
        while pit.referee.poll() is None:
            time.sleep(0.02)
            if pit._too_much() or time.monotonic() - started > PATIENCE:
                seen.hung = True
                break
    seen.seconds = time.monotonic() - started
    seen.memory = pit.peaks["memory"]
    time.sleep(0.3)
    pit._reap()
    seen.left = len([pid for pid in pit._processes() if pid != pit.referee.pid])
    pit._end_all()
    if not seen.hung:
        seen.softmax, seen.center = peer.read(folder, pit.referee.returncode)
    seen.error = (pit.home / "log.txt").read_text(errors="replace")[-300:]
    print("\n" + json.dumps(vars(seen)))
    sys.stdout.flush()
    os._exit(0)


# --- ours ------------------------------------------------------------------

def ours(programs: list[Any]) -> dict[str, Seen]:
    """The same programs before our judge."""
    suite = _load("suite", ROOT / "tests" / "loom" / "test_attacks.py")
    fights = suite.Fights([program.name for program in programs])
    found = {}
    for program in programs:
        seen = fights.seen(program)
        if "lost" in seen or "hostile" not in seen:
            found[program.name] = Seen(left=len(seen.get("left", [])))
            continue
        verdict = seen["hostile"]
        full = {key: verdict["earned"][key] == verdict["points"][key] for key in CHECKS}
        found[program.name] = Seen(full["softmax"], full["center"], False, len(seen["left"]),
                                   seen["peaks"]["memory"], verdict["seconds"]["softmax"])
    fights.pool.shutdown()
    return found


def our_seconds(runs: int) -> tuple[float, float]:
    """Seconds of one check of an honest answer: everything anew, and by a warm process."""
    suite = _load("suite", ROOT / "tests" / "loom" / "test_attacks.py")
    program = """
import sys, time
started = time.perf_counter()
from pathlib import Path
from loom.exercise.answers import read_answers
from loom.grade.judge import judge
from loom.desk.shelf import read_shelf
from loom.grade.warm import Warm
def once(warm):
    exercise = read_shelf(Path.cwd()).one("softmax")
    answer = read_answers(Path("01_small.py"), [exercise])["softmax"]
    verdict = judge(exercise, answer, seed=1, **({"warm": warm} if warm else {}))
    assert verdict.earned == verdict.points, verdict
if sys.argv[1] == "cold":
    once(None)
else:
    with Warm(frozenset()) as warm:
        once(warm)
        for _ in range(int(sys.argv[1])):
            started = time.perf_counter()
            once(warm)
            print(time.perf_counter() - started)
"""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for path, text in suite.BOOK.items():
            (folder / path).parent.mkdir(exist_ok=True)
            (folder / path).write_text(text)
        (folder / "01_small.py").write_text(suite.HONEST)
        cold = []
        for _ in range(runs + 1):
            started = time.perf_counter()
            subprocess.run([sys.executable, "-c", program, "cold"], cwd=folder, check=True)
            cold.append(time.perf_counter() - started)
        warm = subprocess.run([sys.executable, "-c", program, str(runs + 1)], cwd=folder,
                              check=True, capture_output=True, text=True).stdout.split()
    return statistics.median(cold[1:]), statistics.median(map(float, warm[1:]))


@dataclass
class Column:
    """A grader's results, or why there are none."""

    name: str
    seen: dict[str, Seen] = field(default_factory=dict)
    cold: float | None = None
    warm: float | None = None
    missing: str = ""


def column(peer: Peer, programs: list[Any], runs: int, pool: ThreadPoolExecutor) -> Column:
    """Install a peer and run everything in it."""
    made = Column(f"{peer.name} {peer.pinned.split('==')[1]}")
    why = peer.installed()
    if why:
        made.missing = f"not installed: {why}"
        return made
    template = VENVS / f"{peer.name}-template"
    shutil.rmtree(template, ignore_errors=True)
    template.mkdir(parents=True)
    peer.prepare(template)
    honest = [run_apart(peer, template, RIGHT, {}) for _ in range(runs + 1)][1:]
    if not all(seen.softmax and seen.center for seen in honest):
        made.missing = f"does not pass an honest answer here: {honest[0].error}"
        return made
    made.cold = statistics.median(seen.seconds for seen in honest)
    found = pool.map(lambda p: run_apart(peer, template, p.source, p.beside), programs)
    made.seen = dict(zip((p.name for p in programs), found, strict=True))
    return made


def main() -> None:
    if sys.argv[1:] == ["--inside"]:
        inside()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--all", action="store_true", help="every program, not twelve")
    parser.add_argument("-n", "--runs", type=int, default=3, help="timed checks (default 3)")
    parser.add_argument("-j", "--jobs", type=int, default=os.cpu_count() or 2)
    parser.add_argument("--json", type=Path, help="write what was seen to this file")
    orders = parser.parse_args()
    if not arena.isolated():
        print("skipped: this system has no namespaces, and hostile programs would be loose in it")
        return
    programs = arena.programs()
    if not orders.all:
        by_name = {program.name: program for program in programs}
        programs = [by_name[name] for name in TWELVE]
    mine = Column("ours")
    mine.cold, mine.warm = our_seconds(orders.runs)
    mine.seen = ours(programs)
    with ThreadPoolExecutor(orders.jobs) as pool:
        columns = [mine, *(column(peer, programs, orders.runs, pool) for peer in PEERS)]
    show(programs, columns)
    if orders.json:
        orders.json.write_text(json.dumps(
            {c.name: {name: vars(seen) for name, seen in c.seen.items()} for c in columns},
            indent=1))


def show(programs: list[Any], columns: list[Column]) -> None:
    """Print the table."""
    from rich.console import Console
    from rich.table import Table

    console = Console(width=max(Console().width, 120))
    table = Table(title=f"{len(programs)} hostile answers, each beside an honest one")
    table.add_column("the answer to `softmax`")
    shown = [c for c in columns if not c.missing]
    for one in shown:
        table.add_column(one.name)
    for program in programs:
        table.add_row(program.about, *(c.seen[program.name].said for c in shown))
    table.add_section()
    for what, value in (
            ("full marks", lambda s: s.softmax is True), ("run lost or hung",
                                                         lambda s: s.softmax is None),
            ("honest exercise lost", lambda s: s.center is not True),
            ("processes left", lambda s: s.left > 0)):
        table.add_row(what, *(str(sum(map(value, c.seen.values()))) for c in shown))
    for what, name in (("one check, seconds, cold", "cold"), ("warm", "warm")):
        numbers = [getattr(c, name) for c in shown]
        table.add_row(what, *("–" if n is None else f"{n:.2f}" for n in numbers))
    console.print(table)
    for one in columns:
        if one.missing:
            console.print(f"{one.name}: left out, {one.missing}", markup=False)


if __name__ == "__main__":
    main()
