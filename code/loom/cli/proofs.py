"""The eleven proofs as one table: ``loom prove``."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from loom.book.toc import Book
from loom.errors import fail

if TYPE_CHECKING:
    from rich.console import Console

    from loom.exercise.model import Exercise
    from loom.prove.proofs import Findings

HEADINGS = {1: "1 right", 2: "2 empty", 3: "3 wrong", 4: "4 mutants", 5: "5 others",
            6: "6 cases", 8: "8 why", 9: "9 seed", 10: "10 stub"}
SUITES = {7: ("no attack gets a mark or leaves anything behind", "tests/loom/test_attacks.py"),
          11: ("exports, graded by the real graders: reference full, stub zero",
               "tests/loom/test_exports_real.py")}
WIDTH = 110  # columns of the table
COMMITS = 30  # back, to see which exercises have changed
HUNK = re.compile(r"@@ -\S+ \+(\d+)(?:,(\d+))? @@")


def prove_book(book: Book, wanted: Iterable[str], everything: bool, skip: Iterable[int],
               jobs: int) -> bool:
    """Prove exercises and print the table.

    Args:
        book: the book.
        wanted: chapters, exercises or files; those that have changed, if there are none.
        everything: the whole book, and the proofs that take minutes.
        skip: numbers of proofs to leave out.
        jobs: processes.

    Returns:
        Whether all is proven.

    Raises:
        LoomError: an exercise or a chapter that does not exist, a source with mistakes.
    """
    from rich.console import Console

    from loom.prove.proofs import prove

    started = time.monotonic()
    console = Console(highlight=False, soft_wrap=True)
    console.width = max(console.width, WIDTH)
    exercises = _chosen(book, list(wanted), everything)
    if not exercises:
        raise fail("there are no exercises to prove", "write exercises/NN-name.md")
    console.print(f"proving {len(exercises)} exercises, {jobs} side by side")
    found = prove(exercises, book.root, jobs=jobs,
                  tell=lambda one: console.print(
                      f"  {one.exercise}: {'sound' if one.sound else 'NOT SOUND'}, "
                      f"{one.seconds:.0f} s"))
    console.print(_table(exercises, found))
    sound = True
    for findings in found:
        for number, problems in sorted(findings.problems.items()):
            for problem in problems:
                sound = False
                console.print(f"{findings.exercise}, proof {number}: {problem}", markup=False)
    own = all(exercise.packages is not None for exercise in exercises)  # none of the book's
    for number, (what, suite) in SUITES.items():
        skipped = number in set(skip) or (number == 11 and not everything) or own
        sound = _suite(console, book.root, number, what, suite, skipped) and sound
    seconds = time.monotonic() - started
    console.print(f"{'proven' if sound else 'NOT PROVEN'}, in {seconds / 60:.1f} minutes")
    return sound


def changed_lines(root: Path) -> dict[str, list[range]] | None:
    """By file of exercises, the lines that the last commits or the working tree changed.

    None where that cannot be told: outside git, or where there are fewer commits.
    """
    diff = _git(root, "diff", "--unified=0", "--no-renames", "--no-ext-diff", "--relative",
                f"HEAD~{COMMITS}", "--", "exercises")
    if diff is None:
        return None
    new = _git(root, "ls-files", "--others", "--exclude-standard", "exercises") or ""
    found = {Path(line).name: [range(1, sys.maxsize)] for line in new.splitlines()}
    name = ""
    for line in diff.splitlines():
        if line.startswith("+++ "):
            name = Path(line.rstrip()).name
        elif hunk := HUNK.match(line):
            first, count = int(hunk[1]), int(hunk[2] or 1)
            # where lines were only taken out, git names the one before the gap
            found.setdefault(name, []).append(range(first, first + max(count, 2 - count)))
    return found


def recent(book: Book, by_chapter: Mapping[str, Sequence[Exercise]]) -> list[Exercise]:
    """The exercises whose text has changed, and of every other chapter one by turns."""
    changed = changed_lines(book.root)
    turn = int(_git(book.root, "rev-list", "--count", "HEAD") or 0)
    chosen: list[Exercise] = []
    for exercises in by_chapter.values():
        ends = [*(exercise.line for exercise in exercises[1:]), sys.maxsize]
        touched = [one for one, end in zip(exercises, ends, strict=True) if changed is None
                   or any(lines.start < end and lines.stop > one.line
                          for lines in changed.get(one.path.name, ()))]
        chosen += touched or exercises[turn % len(exercises):][:1]
    return chosen


def _git(root: Path, *arguments: str) -> str | None:
    """What git prints; None if it fails or is not there."""
    try:
        run = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True,
                             check=False)
    except OSError:
        return None
    return None if run.returncode else run.stdout


def _chosen(book: Book, wanted: list[str], everything: bool) -> list[Exercise]:
    from loom.exercise.own import choose_exercises
    from loom.exercise.package import package_folder
    from loom.exercise.source import FOLDER, exercises_of

    if wanted:
        # an exercise of the book finds its package by where it stands
        return [e if e.path.parent.resolve() == (book.root / FOLDER).resolve()
                else replace(e, packages=package_folder(book, e))
                for e in choose_exercises(book, wanted)]
    by_chapter = exercises_of(book)
    if not everything:
        return recent(book, by_chapter)
    return [exercise for exercises in by_chapter.values() for exercise in exercises]


def _table(exercises: list[Exercise], found: list[Findings]) -> object:
    from rich.table import Table

    table = Table(box=None, padding=(0, 1), header_style="bold")
    table.add_column("exercise", no_wrap=True)
    for heading in HEADINGS.values():
        table.add_column(heading, justify="right", no_wrap=True)
    for exercise, findings in zip(exercises, found, strict=True):
        cells = [f"[red]{findings.counts[n]} ✗[/red]" if findings.problems[n]
                 else findings.counts[n] for n in HEADINGS]
        table.add_row(exercise.id, *cells)
    return table


def _suite(console: Console, root: Path, number: int, what: str, suite: str,
           skipped: bool) -> bool:
    """Run the tests that are a proof of the grader as a whole."""
    if skipped:
        console.print(f"{number} {what}: left out", markup=False)
        return True
    run = subprocess.run([sys.executable, "-m", "pytest", "-q", "--no-header", suite],
                         cwd=root, capture_output=True, text=True, check=False,
                         env={**os.environ, "LOOM_REAL_GRADERS": "1"})
    lines = run.stdout.strip().splitlines() or run.stderr.strip().splitlines() or ["nothing ran"]
    console.print(f"{number} {what}: {lines[-1].strip('= ')}", markup=False)
    if run.returncode:
        console.print("\n".join(lines), markup=False)
    return run.returncode == 0
