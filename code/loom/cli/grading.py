"""``loom grade``: a folder of submissions, graded and told."""

from __future__ import annotations

import secrets
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loom.book.toc import read_book
from loom.errors import fail

if TYPE_CHECKING:
    from loom.grade.batch.batch import Report
    from loom.grade.batch.submissions import Found

STRANGE = 12  # lines about files that are nobody's answers
REMEDY = ("install the package `bubblewrap`, or allow user namespaces (in a container: run it "
          "with --security-opt seccomp=unconfined); or say --unsafe, best on a machine that "
          "holds nothing else")


@dataclass(frozen=True)
class Wish:
    """What the command line says."""

    folder: Path
    csv: Path | None
    json: Path | None
    jobs: int
    exercises: tuple[str, ...]
    seed: int | None
    timeout: float
    unsafe: bool
    again: bool


def grade_folder(wish: Wish) -> None:
    """Grade a folder, print a table, write what was asked for.

    Raises:
        LoomError: no submissions, no protection, exercises that are wrong.
    """
    from loom.cli.screen import Screen
    from loom.desk.desk import find_book
    from loom.exercise.bundle import write_bundle
    from loom.exercise.own import choose_exercises
    from loom.files import write_all
    from loom.grade.batch import batch
    from loom.grade.batch.marks import csv_text, json_text
    from loom.grade.batch.results import Results
    from loom.grade.batch.submissions import find_submissions
    from loom.grade.cases import load_cases

    _targets(wish)
    screen = Screen()
    root = find_book()
    book = read_book(root)
    exercises = choose_exercises(book, wish.exercises)
    found = find_submissions(wish.folder, exercises)
    _told_strange(screen, found)
    if not any(one.files for one in found.submissions):
        raise fail("no answers to these exercises in this folder", "answers are in files such as "
                   f"ann/{exercises[0].chapter.replace('-', '_')}.py, or hold lines "
                   f"`# %% exercise {exercises[0].id}`", path=wish.folder)
    about = " ".join(sorted(e.id for e in exercises))
    absent: dict[str, str] = {}
    if not wish.exercises:
        absent = {e.chapter: e.printed.partition(".")[0] for e in exercises
                  if e.chapter not in found.chapters}
        exercises = tuple(e for e in exercises if e.chapter not in absent)
        _told_absent(screen, absent)
    points = {e.id: float(sum(case.points for case in load_cases(e))) for e in exercises}
    results = Results(root, wish.folder, about)
    with results.held():
        seed = wish.seed if wish.seed is not None else results.seed
        seed = secrets.randbelow(1 << 32) if seed is None else seed
        results.begin(seed)
        write_bundle(book, exercises, results.bundle)
        plan = batch.Plan(wish.folder, exercises, results.bundle, seed, wish.timeout, points,
                          _protected(screen, wish.unsafe), wish.jobs)
        started = time.monotonic()
        with _progress(len(found.submissions), sum(points.values())) as display:
            reports = batch.grade(plan, found.submissions, results, again=wish.again,
                                  tell=display.tell)
    seconds = time.monotonic() - started
    files: dict[Path, str | bytes] = {}
    if wish.csv:
        files[wish.csv] = csv_text(exercises, points, reports)
    if wish.json:
        files[wish.json] = json_text(exercises, points, seed, reports, found.strange, [*absent])
    write_all(files)
    _summary(screen, reports, sum(points.values()))
    _closing(screen, reports, seed, seconds, [*files])


def _targets(wish: Wish) -> None:
    """Refuse to write over what is no earlier result."""
    for path, suffix in ((wish.csv, ".csv"), (wish.json, ".json")):
        if path is None:
            continue
        if path.suffix.lower() != suffix:
            raise fail(f"the name does not end in {suffix}", "so that no answer is overwritten "
                       f"by a slip: --{suffix[1:]} marks{suffix}", path=path)
        if path.is_dir() or not path.absolute().parent.is_dir():
            raise fail("cannot be written there", "name a file in a folder that exists",
                       path=path)


def _protected(screen: Any, unsafe: bool) -> bool:
    """See that answers run apart from this machine, and say by what if not by bubblewrap.

    Returns:
        Whether that is bubblewrap's doing.

    Raises:
        LoomError: they do not, and nobody has said that they may.
    """
    from loom.grade.sandbox import sandbox_available

    protection = sandbox_available()
    if protection.apart and not protection.bubblewrap:
        screen.text("; ".join(("No bubblewrap: namespaces keep answers from the network and your "
                               "files", *protection.lacks)), "dim")
    if not protection.apart:
        what = "somebody else's answers are not kept apart from this computer: " \
            + "; ".join(protection.sentences)
        if not unsafe:
            raise fail(what, REMEDY)
        screen.text(f"--unsafe: {what}.", "yellow")
    return protection.bubblewrap


def _told_strange(screen: Any, found: Found) -> None:
    """The files that were not recognized."""
    if not found.strange:
        return
    count = len(found.strange)
    screen.text(f"{count} thing{'s' * (count != 1)} not graded:")
    for path, why in found.strange[:STRANGE]:
        screen.text(f"{path}: {why}", "dim", indent=2)
    if count > STRANGE:
        screen.text(f"and {count - STRANGE} more; --json names them all", "dim", indent=2)


def _told_absent(screen: Any, chapters: dict[str, str]) -> None:
    """The chapters that nobody answers, by their names and numbers."""
    if chapters:
        screen.text(f"Nobody handed in anything for chapter{'s' * (len(chapters) > 1)} "
                    f"{', '.join(chapters.values())}: not graded")


def _summary(screen: Any, reports: Sequence[Report], points: float) -> None:
    """A line for each student."""
    from loom.grade.batch.marks import notes, number
    from loom.grade.batch.strangers import shown

    for report in reports:
        screen.row(shown(report.submission.student), f"{number(report.earned)} of {number(points)}")
        said = notes(report)
        if said:
            screen.text(said if len(said) < 300 else f"{said[:299]}…", "dim", indent=4)


def _closing(screen: Any, reports: Sequence[Report], seed: int, seconds: float,
             files: Sequence[Path]) -> None:
    fresh = [report for report in reports if report.fresh]
    checks = sum(any(case["state"] != "not run" for case in verdict["cases"])
                 for report in fresh for verdict in report.verdicts.values())
    kept = sum(bool(report.verdicts) and not report.fresh for report in reports)
    parts = [f"{len(fresh)} graded"]
    if checks:
        parts[0] += f" in {seconds:.1f} s ({checks / max(seconds, 1e-9):.0f} exercises a second)"
    if kept:
        parts.append(f"{kept} from earlier runs (--again grades them again)")
    screen.say()
    screen.text(f"{len(reports)} submissions: {', '.join(parts)}")
    screen.text(f"Repeat these numbers: --seed {seed}", "dim")
    for path in files:
        screen.text(f"Written: {path}", "dim")


class _Plain:
    """A line for each submission: for pipes and logs."""

    def __init__(self, count: int, points: float) -> None:
        self.count, self.points, self.done = count, points, 0

    def __enter__(self) -> _Plain:
        return self

    def __exit__(self, *what: object) -> None:
        pass

    def tell(self, report: Report) -> None:
        from loom.grade.batch.marks import number
        from loom.grade.batch.strangers import shown

        self.done += 1
        if report.fresh:
            print(f"{self.done} of {self.count}: {shown(report.submission.student)}, "
                  f"{number(report.earned)} of {number(self.points)} points, "
                  f"{report.seconds:.1f} s", flush=True)


class _Live:
    """A bar, for terminals."""

    def __init__(self, count: int, points: float) -> None:
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )

        self.progress = Progress(TextColumn("grading"), BarColumn(30), MofNCompleteColumn(),
                                 TimeRemainingColumn(), TextColumn("{task.fields[last]}"),
                                 transient=True)
        self.task = self.progress.add_task("grading", total=count, last="")

    def __enter__(self) -> _Live:
        self.progress.start()
        return self

    def __exit__(self, *what: object) -> None:
        self.progress.stop()

    def tell(self, report: Report) -> None:
        from rich.markup import escape

        from loom.grade.batch.strangers import shown

        self.progress.update(self.task, advance=1,
                             last=escape(shown(report.submission.student)[:30]))


def _progress(count: int, points: float) -> _Plain | _Live:
    return _Live(count, points) if sys.stdout.isatty() else _Plain(count, points)
