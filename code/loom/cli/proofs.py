"""The eleven proofs as one table: ``loom prove``."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterable
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
COMMITS = 30  # back, to see which chapters have changed
NEWEST = 2  # chapters that are always proven


def prove_book(book: Book, wanted: Iterable[str], everything: bool, skip: Iterable[int],
               jobs: int) -> bool:
    """Prove exercises and print the table.

    Args:
        book: the book.
        wanted: chapters or exercises; those that have changed, if there are none.
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
    for number, (what, suite) in SUITES.items():
        skipped = number in set(skip) or (number == 11 and not everything)
        sound = _suite(console, book.root, number, what, suite, skipped) and sound
    seconds = time.monotonic() - started
    console.print(f"{'proven' if sound else 'NOT PROVEN'}, in {seconds / 60:.1f} minutes")
    return sound


def changed_chapters(root: Path) -> set[str]:
    """Chapters whose text or exercises the last commits touched; none outside git."""
    log = subprocess.run(
        ["git", "log", f"-{COMMITS}", "--name-only", "--format="],
        cwd=root, capture_output=True, text=True, check=False)
    return {path.stem for path in map(Path, log.stdout.splitlines())
            if path.suffix == ".md" and path.parts[0] in ("exercises", "book")}


def _chosen(book: Book, wanted: list[str], everything: bool) -> list[Exercise]:
    from loom.exercise.source import exercises_of, find

    by_chapter = exercises_of(book)
    if wanted:
        chosen: dict[str, Exercise] = {}
        for text in wanted:
            group: Iterable[Exercise] = (
                by_chapter.get(book.chapter(text).name, ())
                if text.isdigit() or text in by_chapter else (find(book, text),))
            chosen |= {exercise.id: exercise for exercise in group}
        return list(chosen.values())
    names = list(by_chapter)
    if not everything:
        recent = changed_chapters(book.root) | set(names[-NEWEST:])
        names = [name for name in names if name in recent]
    return [exercise for name in names for exercise in by_chapter[name]]


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
