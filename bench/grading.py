"""How many answers `loom grade` judges in a second, beside what Python itself takes to start.

A folder of submissions is made of the solutions of a chapter: chapter 1 needs
numpy alone, chapter 2 torch. Most exercises judge small inputs. Some have
cases for memory, speed or training, whose work no grader can spare; they
count in the second row of each chapter. As a measure of the machine, each row
has the time of a fresh `python -c "import torch"` (numpy) before and after.

    python bench/grading.py          40 submissions: some minutes
    python bench/grading.py -n 120   more of them: the start counts less
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from loom.book.toc import read_book
from loom.exercise.source import Exercise, exercises_of
from loom.grade.exports import marker_line

ROOT = Path(__file__).parent.parent
LOOM = Path(sys.executable).parent / "loom"
CHAPTERS = {"01-numbers": "numpy", "02-gradients": "torch"}
LARGE = {"arithmetic-coder", "count-pairs", "softmax-average",
         "backward-order", "lean-cross-entropy", "train-rings"}


def hand_in(folder: Path, exercises: list[Exercise], count: int) -> None:
    """Submissions, each with the solutions of all these exercises in one file."""
    text = "\n\n".join(f"{marker_line(e.id, e.printed, e.title)}\n{e.solution}"
                       for e in exercises)
    for number in range(count):
        one = folder / f"student{number}"
        one.mkdir()
        (one / f"{exercises[0].chapter.replace('-', '_')}.py").write_text(text)


def start(library: str, runs: int = 5) -> float:
    """Seconds until a fresh Python has imported a library."""
    seconds = []
    for _ in range(runs):
        begun = time.perf_counter()
        subprocess.run([sys.executable, "-c", f"import {library}"], check=True)
        seconds.append(time.perf_counter() - begun)
    return statistics.median(seconds)


def row(name: str, exercises: list[Exercise], count: int, jobs: int, library: str) -> str:
    """Grade, and say how quick that was."""
    with tempfile.TemporaryDirectory(prefix="loom-bench-") as made:
        folder, report = Path(made) / "in", Path(made) / "out.json"
        folder.mkdir()
        hand_in(folder, exercises, count)
        wanted = [part for e in exercises for part in ("--exercises", e.id)]
        before = start(library)
        begun = time.perf_counter()
        subprocess.run([str(LOOM), "grade", str(folder), *wanted, "--again", "-j", str(jobs),
                        "--json", str(report)], check=True, cwd=ROOT,
                       stdout=subprocess.DEVNULL)
        seconds = time.perf_counter() - begun
        alone = statistics.mean([before, start(library)])
        found = json.loads(report.read_text())
    if any(one["earned"] != one["points"] for one in found["students"]):
        raise SystemExit(f"{name}: a solution did not get full marks")
    checks = count * len(exercises)
    return (f"{name:34} {len(exercises):2} exercises  {checks / seconds:5.1f} a second   "
            f"one check on one of {jobs} jobs: {jobs * seconds / checks / alone:.2f} times "
            f"`import {library}` ({alone:.2f} s)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-n", "--submissions", type=int, default=40)
    parser.add_argument("-j", "--jobs", type=int, default=os.cpu_count() or 2)
    orders = parser.parse_args()
    book = read_book(ROOT)
    for chapter, library in CHAPTERS.items():
        every = exercises_of(book)[chapter]
        small = [e for e in every if e.id not in LARGE]
        for name, some in ((f"{chapter}, small cases", small), (f"{chapter}, all", every)):
            print(row(name, some, orders.submissions, orders.jobs, library), flush=True)


if __name__ == "__main__":
    main()
