"""``loom list`` and ``loom progress``: what there is, and how far one has come."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from loom.desk.desk import Desk
from loom.desk.progress import Progress, Record
from loom.desk.shelf import Shelf
from loom.errors import LoomError
from loom.exercise.model import Exercise

if TYPE_CHECKING:
    from loom.cli.screen import Screen

STYLES = {"passed": "green", "solution seen": "yellow", "tried": "red", "started": "cyan"}
BAR = 24  # columns


def states(shelf: Shelf, desk: Desk | None, progress: Progress,
           exercises: Sequence[Exercise]) -> dict[str, str]:
    """Each exercise's state in a word or two, by id.

    ``started`` is one whose stub was touched and that was never checked.
    """
    touched: set[str] = set()
    for name in {e.chapter for e in exercises} if desk else ():
        with suppress(LoomError):
            answers = desk.answers(shelf.by_chapter[name]) if desk else {}
            touched |= {a.exercise for a in answers.values() if a.runs}
    return {e.id: _state(progress.of(e.id), e.id in touched) for e in exercises}


def _state(record: Record, touched: bool) -> str:
    if record.passed:
        return "passed"
    if record.gave_up:
        return "solution seen"
    if record.attempts:
        return "tried"
    return "started" if touched else "not started"


def list_exercises(screen: Screen, shelf: Shelf, exercises: Sequence[Exercise],
                   found: Mapping[str, str], progress: Progress) -> None:
    """Print exercises as a table, chapter by chapter."""
    from rich.table import Table
    from rich.text import Text

    wide = screen.width >= 76
    for n, name in enumerate(dict.fromkeys(e.chapter for e in exercises)):
        group = [e for e in exercises if e.chapter == name]
        chapter = shelf.chapter_of(group[0])
        if n:
            screen.say()
        screen.row(Text(f"{chapter.number} {chapter.title}", style="bold"))
        table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, show_edge=False,
                      header_style="dim", expand=wide)
        table.add_column("no.", no_wrap=True)
        table.add_column("id", no_wrap=True, min_width=12)
        if wide:
            table.add_column("title", ratio=1, no_wrap=True, overflow="ellipsis")
            table.add_column("min", justify="right", no_wrap=True)
        table.add_column("level", no_wrap=True)
        table.add_column("points", justify="right", no_wrap=True)
        table.add_column("state", no_wrap=True)
        for e in group:
            style = STYLES.get(found[e.id], "dim")
            title = [Text(e.title), Text(str(e.minutes))] if wide else []
            table.add_row(e.printed, Text(e.id), *title, "●" * e.level + "○" * (4 - e.level),
                          f"{_best(shelf, progress, e):g}/{shelf.points[e.id]:g}",
                          Text(found[e.id], style=style))
        screen.say(table)


def _best(shelf: Shelf, progress: Progress, exercise: Exercise) -> float:
    return min(progress.of(exercise.id).best, shelf.points[exercise.id])


def as_rows(shelf: Shelf, exercises: Sequence[Exercise], found: Mapping[str, str],
            progress: Progress) -> list[dict[str, Any]]:
    """The table as data, for ``--json``."""
    return [{"id": e.id, "number": e.printed, "title": e.title, "chapter": e.chapter,
             "minutes": e.minutes, "level": e.level, "points": shelf.points[e.id],
             "earned": _best(shelf, progress, e), "state": found[e.id],
             "attempts": progress.of(e.id).attempts, "hints": progress.of(e.id).hints,
             "passed": progress.of(e.id).passed} for e in exercises]


def as_summary(shelf: Shelf, found: Mapping[str, str], progress: Progress) -> dict[str, Any]:
    """The chapters as data, for ``--json``."""
    following = next_exercise(shelf.exercises, found)
    return {"schema": 1, "next": following.id if following else None, "chapters": [
        {"chapter": name, "exercises": len(group),
         "passed": sum(found[e.id] == "passed" for e in group),
         "earned": earned(shelf, progress, group), "points": worth(shelf, group)}
        for name, group in shelf.by_chapter.items()]}


def next_exercise(exercises: Sequence[Exercise], found: Mapping[str, str],
                  after: Exercise | None = None,
                  there: Container[str] = ()) -> Exercise | None:
    """What to do next: what was begun, else the next one in the book.

    After an exercise, those of its chapter come first, the later ones before
    the earlier; then those of chapters whose file is there.
    """
    rest = [e for e in exercises if found[e.id] not in ("passed", "solution seen")]
    if after is not None:
        same = [e for e in rest if e.chapter == after.chapter and e.id != after.id]
        later = [e for e in same if e.number > after.number]
        return next(iter(later or same or [e for e in rest if e.chapter in there] or rest), None)
    begun = [e for e in rest if found[e.id] != "not started"]
    return next(iter(begun or rest), None)


def show_progress(screen: Screen, shelf: Shelf, found: Mapping[str, str],
                  progress: Progress) -> None:
    """Print a bar for each chapter, the points, and what to do next."""
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2, 0, 0), pad_edge=False, expand=True)
    for ratio in (1, None, None, None):
        table.add_column(ratio=ratio, no_wrap=True, overflow="ellipsis",
                         justify="left" if ratio or len(table.columns) == 1 else "right")
    for group in shelf.by_chapter.values():
        chapter = shelf.chapter_of(group[0])
        table.add_row(Text(f"{chapter.number} {chapter.title}"), bar(group, found, screen.width),
                      f"{sum(found[e.id] == 'passed' for e in group)} of {len(group)} passed",
                      f"{earned(shelf, progress, group):g}/{worth(shelf, group):g} points")
    screen.say(table, "")
    screen.text(summary(shelf, shelf.exercises, found, progress))
    tips = _answered(progress)
    if tips:
        screen.text(tips)
    following = next_exercise(shelf.exercises, found)
    if following is None:
        screen.text("Nothing is left to do. Other ways to write each answer: loom solution ID.")
    else:
        screen.text(f"Next: {following.printed} {following.title} ({following.minutes} minutes), "
                    f"loom list {following.id}")


def _answered(progress: Progress) -> str:
    if not progress.quiz:
        return ""
    count = len(progress.quiz)
    return f"{count} quiz question{'s' * (count != 1)} answered."


def earned(shelf: Shelf, progress: Progress, exercises: Sequence[Exercise]) -> float:
    """The best points of exercises, summed."""
    return sum(_best(shelf, progress, e) for e in exercises)


def worth(shelf: Shelf, exercises: Sequence[Exercise]) -> float:
    """The points that there are to earn."""
    return sum(shelf.points[e.id] for e in exercises)


def summary(shelf: Shelf, exercises: Sequence[Exercise], found: Mapping[str, str],
            progress: Progress) -> str:
    """``4 of 22 exercises passed, 12 of 60 points.``"""
    passed = sum(found[e.id] == "passed" for e in exercises)
    return (f"{passed} of {len(exercises)} exercises passed, "
            f"{earned(shelf, progress, exercises):g} of {worth(shelf, exercises):g} points.")


def bar(exercises: Sequence[Exercise], found: Mapping[str, str], width: int = 100) -> Any:
    """A bar as long as what was passed, then what was tried."""
    from rich.text import Text

    columns = BAR if width >= 80 else BAR // 2
    count = len(exercises) or 1
    passed = sum(found[e.id] == "passed" for e in exercises)
    begun = sum(found[e.id] in ("tried", "started") for e in exercises)
    full = passed * columns // count
    part = (passed + begun) * columns // count - full
    return Text.assemble(("█" * full, "green"), ("▒" * part, "yellow"),
                         ("░" * (columns - full - part), "dim"))
