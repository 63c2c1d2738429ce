"""``loom watch``: answers are checked whenever their file is saved."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from loom.cli.checking import Bench, bench, judged, tell
from loom.desk.desk import Desk, shown
from loom.desk.progress import read_progress, remember
from loom.desk.shelf import Shelf
from loom.errors import LoomError, fail
from loom.exercise.answers import Answer
from loom.exercise.model import Exercise

if TYPE_CHECKING:
    from loom.cli.screen import Screen

QUIET = 30  # milliseconds without a change, after which a save is complete
OFTEN = 400  # milliseconds after which to look without being told
BACK = 0.4  # seconds in which a file that is gone or empty usually comes back


class Watcher:
    """What was saved last, and what to check of what is saved now."""

    def __init__(self, shelf: Shelf, desk: Desk, exercises: Sequence[Exercise],
                 screen: Screen) -> None:
        self.shelf, self.desk, self.screen = shelf, desk, screen
        self.exercises = {e.id: e for e in exercises}
        self.chapters = list(dict.fromkeys(e.chapter for e in exercises))
        self.stamp = self._stamp()
        self.seen = {name: _print(answer) for name, answer in self.answers().items()}

    def answers(self) -> dict[str, Answer]:
        """The answers as they are now; of a file that is being saved, as they soon are."""
        found: dict[str, Answer] = {}
        for chapter in self.chapters:
            found |= self._of(chapter)
        return found

    def _of(self, chapter: str) -> dict[str, Answer]:
        mine = [e for e in self.exercises.values() if e.chapter == chapter]
        until = time.monotonic() + BACK
        while True:
            problem: LoomError | None = None
            found: dict[str, Answer] = {}
            try:
                answers = self.desk.answers(self.shelf.by_chapter[chapter])
                found = {e.id: answers[e.id] for e in mine}
                if any(a.problem is None or (a.problem.place and a.problem.place.line)
                       for a in found.values()):
                    return found  # something in the file can be read
            except LoomError as error:
                problem = error
            if time.monotonic() > until:
                if problem is None:
                    return found
                path = self.desk.file(chapter)
                return {e.id: Answer(e.id, "", path, 1, problem.problems[0]) for e in mine}
            time.sleep(0.02)

    def _stamp(self) -> list[tuple[str, int, int, int]]:
        """What changes when one of the files is saved."""
        found = []
        for path in (path for c in self.chapters for path in self.desk.files(c)):
            with suppress(OSError):
                state = path.stat()
                found.append((path.name, state.st_ino, state.st_size, state.st_mtime_ns))
        return found

    def saved(self) -> bool:
        """Whether a file was saved since the last look."""
        return self._stamp() != self.stamp

    def changed(self) -> list[Answer]:
        """The answers that are not what they were at the last look."""
        self.stamp = self._stamp()
        now = self.answers()
        prints = {name: _print(answer) for name, answer in now.items()}
        found = [now[name] for name in now if prints[name] != self.seen.get(name)]
        self.seen = prints
        return found

    def check(self, answers: Sequence[Answer], ready: Bench) -> None:
        """Judge answers and show what comes of it, then how far one has come."""
        from loom.cli.show import Around, show_short

        self._time()
        said: set[str] = set()
        progress = read_progress(self.desk.folder)
        notes = list(progress.notes)
        for answer in answers:
            if answer.problem is not None:
                if str(answer.problem) in said:
                    continue  # a file that cannot be read is told once, not for each exercise
                said.add(str(answer.problem))
            exercise = self.exercises[answer.exercise]
            try:
                with self.screen.busy(f"checking {exercise.id}"):
                    verdict = judged(self.shelf, exercise, answer, ready)
            except LoomError as error:  # of the book's, or of this machine's
                notes.append(str(error))
                continue
            show_short(self.screen, exercise, verdict,
                       Around(answer.where(), progress.of(exercise.id).hints))
            if not answer.shared:
                notes += [n for n in remember(self.desk.folder, verdict) if n not in notes]
        tell(self.screen, notes)
        self.progress()

    def nothing(self) -> None:
        """Say that a save changed no answer."""
        self._time()
        self.screen.text("Saved; no exercise has changed.", "dim")

    def _time(self) -> None:
        self.screen.rule(time.strftime("%H:%M:%S"))

    def progress(self) -> None:
        """A line: a bar, and the points."""
        from rich.text import Text

        from loom.cli.tables import bar, states, summary

        progress = read_progress(self.desk.folder)
        group = [e for name in self.chapters for e in self.shelf.by_chapter[name]]
        found = states(self.shelf, self.desk, progress, group)
        self.screen.say(Text.assemble(bar(group, found, self.screen.width), "  ",
                                      (summary(self.shelf, group, found, progress), "dim")))


def _print(answer: Answer) -> str:
    """What has to change for an answer to be checked again: not the lines above it."""
    if answer.problem is not None:
        return re.sub(r":\d+", "", str(answer.problem))
    return "\n".join(line.rstrip() for line in answer.source.split("\n") if line.strip())


def watch(shelf: Shelf, desk: Desk, exercises: Sequence[Exercise], screen: Screen,
          at_once: bool = False) -> None:
    """Check what is saved until Ctrl-C.

    Args:
        shelf: the book's exercises.
        desk: the learner's folder.
        exercises: those to look at.
        screen: where to show what comes of it.
        at_once: check what was started already, before anything is saved.

    Raises:
        LoomError: a chapter has no file; the folder cannot be watched.
    """
    for chapter in dict.fromkeys(e.chapter for e in exercises):
        if not desk.files(chapter):
            raise fail(f"there is no {shown(desk.file(chapter))}",
                       f"write it with `loom start {chapter[:2]}`")
    with bench() as ready:
        ready.prepare(exercises)
        watcher = Watcher(shelf, desk, exercises, screen)
        names = [shown(path) for c in watcher.chapters for path in desk.files(c)]
        screen.text(f"Watching {', '.join(names)}. Save to check, Ctrl-C to stop.", "bold")
        tell(screen, read_progress(desk.folder).notes)
        try:
            started = [a for a in watcher.answers().values() if a.started]
            if at_once and started:
                watcher.check(started, ready)
            else:
                watcher.progress()
            for _ in _saves(watcher):
                changed = watcher.changed()
                if changed:
                    watcher.check(changed, ready)
                else:
                    watcher.nothing()
        except KeyboardInterrupt:
            screen.say("")
    screen.text("Stopped watching.", "dim")


def _saves(watcher: Watcher) -> Iterator[None]:
    """Once for each save of a file that is watched.

    Raises:
        LoomError: the folder cannot be watched, or is gone.
    """
    from watchfiles import watch as changes

    folder = watcher.desk.folder
    names = {watcher.desk.file(c, suffix).name for c in watcher.chapters
             for suffix in (".py", ".ipynb")}

    def ours(change: object, path: str) -> bool:
        return path.replace("\\", "/").rpartition("/")[2] in names

    while True:
        try:
            # A look now and then also finds what the system does not report:
            # a save before the watching began, one on a network drive.
            for _ in changes(folder, watch_filter=ours, step=QUIET, debounce=300,
                             rust_timeout=OFTEN, yield_on_timeout=True, recursive=False):
                if not folder.is_dir():
                    raise FileNotFoundError(folder)
                if watcher.saved():
                    yield
            return
        except FileNotFoundError:
            for _ in range(20):  # a folder that is moved away is perhaps only replaced
                time.sleep(0.1)
                if folder.is_dir():
                    break
            else:
                raise fail("the folder is gone", "put it back, or `loom start`",
                           path=folder) from None
            yield
        except OSError as error:
            raise fail(f"cannot be watched: {error.strerror or error}",
                       "see `loom doctor`; `loom check` works without watching",
                       path=folder) from None
