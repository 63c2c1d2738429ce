"""Run the chapters that need it: each once, several side by side."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from loom import files
from loom.book.chapter import Chapter
from loom.book.toc import Book
from loom.errors import LoomError, Place, Problem
from loom.run.environment import Limits
from loom.run.keys import Keys
from loom.run.one import Run
from loom.run.package import Snapshots
from loom.run.products import is_made
from loom.run.progress import Display, Plain
from loom.run.store import Store

TICK = 0.05  # seconds between two looks at what runs


@dataclass
class Summary:
    """How a run of the book went: names of chapters, and what went wrong."""

    ran: list[str] = field(default_factory=list)
    fresh: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def run(book: Book, chapters: Sequence[Chapter] | None = None, *, jobs: int | None = None,
        force: bool = False, limits: Limits | None = None,
        display: Display | None = None) -> Summary:
    """Run the chapters whose outputs are not those of the chapters as they are now.

    Args:
        book: the book.
        chapters: only these, and what makes the products that they need; all if None.
        jobs: chapters side by side; as many as there are processors if None.
        force: run chapters that are up to date too, and compare their outputs.
        limits: time and memory; the book's if None.
        display: shows what runs; a few lines on the standard output if None.

    Returns:
        What ran and what went wrong; one chapter's failure does not stop others.

    Raises:
        LoomError: another command is at work; nothing can be written.
        KeyboardInterrupt: after everything that ran has been ended.
    """
    with files.exclusive(book.root, "run"), _temporary(book.root) as folder:
        plan = _Plan(book, chapters, force)
        work = _Work(plan, folder, jobs or _processors(), limits or Limits.from_environment(),
                     display or Plain())
        work.do()
        plan.snapshots.prune()
    place = {chapter.path: chapter.position for chapter in book.chapters}
    plan.summary.problems.sort(
        key=lambda p: place.get(p.place.path, len(place)) if p.place else len(place))
    return plan.summary


class _Plan:
    """Which chapters are to run, and which wait for which."""

    def __init__(self, book: Book, chapters: Sequence[Chapter] | None, force: bool) -> None:
        self.book = book
        self.force = force
        self.snapshots = Snapshots(book)
        self.keys = Keys(book, self.snapshots)
        self.store = Store(book, self.keys)
        self.summary = Summary()
        self.todo: dict[str, Chapter] = {}
        for chapter in book.notebooks if chapters is None else chapters:
            if chapter.cells:
                self._consider(chapter)

    def _consider(self, chapter: Chapter) -> None:
        try:
            if self.force or not self.store.is_fresh(chapter):
                self._add(chapter)
            else:
                self.summary.fresh.append(chapter.name)
        except LoomError as error:
            self._refuse(chapter, error.problems)

    def _add(self, chapter: Chapter) -> None:
        """Put a chapter on the list, after those that make what it needs and is not there."""
        self.keys.key(chapter)
        self.snapshots.after(chapter)
        for need in chapter.needs:
            maker = self.keys.maker(chapter, need)
            if maker.name not in self.todo and not is_made(need, self.keys.key(maker)):
                self._add(maker)
        if chapter.name in self.summary.fresh:
            self.summary.fresh.remove(chapter.name)
        self.todo.setdefault(chapter.name, chapter)

    def _refuse(self, chapter: Chapter, problems: Iterable[Problem]) -> None:
        self.summary.failed.append(chapter.name)
        self.summary.problems += [p for p in problems if p not in self.summary.problems]

    def waits_for(self, chapter: Chapter) -> set[str]:
        """Names of the chapters to run that make what this one needs."""
        return {self.keys.maker(chapter, need).name for need in chapter.needs} & set(self.todo)

    def ended(self, chapter: Chapter, problems: Sequence[Problem]) -> None:
        """A chapter has run; those that wait for it may, or never will."""
        del self.todo[chapter.name]
        if not problems:
            self.summary.ran.append(chapter.name)
            return
        self._refuse(chapter, problems)
        for other in list(self.todo.values()):
            needed = [need for need in other.needs
                      if self.keys.maker(other, need).name == chapter.name]
            if needed:
                self.ended(other, [Problem(
                    Place(other.path),
                    f"was not run: it needs `{needed[0]}`, and {chapter.path.name}, which makes "
                    "it, failed", "mend that chapter first")])


class _Work:
    """The running chapters."""

    def __init__(self, plan: _Plan, folder: Path, jobs: int, limits: Limits,
                 display: Display) -> None:
        self.plan = plan
        self.folder = folder
        self.jobs = jobs
        self.limits = limits
        self.display = display
        self.running: dict[str, Run] = {}
        self.took = {name: plan.store.last_seconds(c) for name, c in plan.todo.items()}

    def do(self) -> None:
        """Run everything on the plan; end all processes whatever happens."""
        try:
            with self.display:
                while self.plan.todo:
                    for chapter in self._ready():
                        self._start(chapter)
                    for name, one in list(self.running.items()):
                        number = one.cell()
                        if number:
                            self.display.cell(one.chapter, number)
                        if one.ended():
                            del self.running[name]
                            self._end(one)
                    time.sleep(TICK)
        finally:
            with files.undisturbed():
                for one in self.running.values():
                    one.kill()

    def _ready(self) -> Iterator[Chapter]:
        """Chapters that may start now: makers first, then those that took longest."""
        waiting = [c for name, c in self.plan.todo.items() if name not in self.running]
        needed = {name for c in waiting for name in self.plan.waits_for(c)}
        waiting.sort(key=lambda c: (c.alone, c.name not in needed,
                                    -(self.took[c.name] or 0.0)))
        for chapter in waiting:
            if self.plan.waits_for(chapter) or len(self.running) >= self.jobs:
                continue
            if any(one.chapter.alone for one in self.running.values()):
                return
            if chapter.alone and self.running:
                continue
            yield chapter

    def _start(self, chapter: Chapter) -> None:
        plan = self.plan
        self.display.start(chapter, self.took[chapter.name])
        one = Run(plan.store, plan.snapshots, chapter, self.folder / str(chapter.position),
                  self.limits)
        self.running[chapter.name] = one
        one.start()

    def _end(self, one: Run) -> None:
        problems = one.finish()
        summary = self.plan.summary
        whole, _ = self.limits.seconds(one.chapter)
        said = f"failed after {one.seconds:.1f} s" if problems else f"ran in {one.seconds:.1f} s"
        self.display.end(one.chapter, said)
        if not problems and one.seconds > whole / self.limits.patience:
            summary.notes.append(
                f"{one.chapter.path.name} took {one.seconds:.0f} s; the book allows "
                f"{whole / self.limits.patience:g} s on two processors")
        self.plan.ended(one.chapter, problems)
        summary.problems += one.differences


@contextmanager
def _temporary(root: Path) -> Iterator[Path]:
    """A folder for the runs of one command; what a killed command left is removed."""
    place = Path(tempfile.gettempdir()).resolve()
    prefix = f"loom-{hashlib.sha256(str(root).encode()).hexdigest()[:8]}-"
    for left in place.glob(f"{prefix}*"):  # we hold the tree's lock: nobody works there
        shutil.rmtree(left, ignore_errors=True)
    try:
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=place))
    except OSError as error:
        raise files.told(error, place) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
