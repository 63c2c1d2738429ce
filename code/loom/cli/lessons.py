"""``loom start``, ``hint``, ``solution``, ``reset`` and one exercise's own page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from loom.desk.desk import Desk, find_desk, make_desk, require_desk, shown
from loom.desk.layout import KEPT, Laid, lay_out
from loom.desk.layout import reset as put_back
from loom.desk.progress import HOME, Progress, change_progress, read_progress
from loom.desk.shelf import Shelf
from loom.errors import fail
from loom.exercise.derive import time_text
from loom.exercise.model import Exercise

if TYPE_CHECKING:
    from loom.cli.screen import Screen


def start(shelf: Shelf, names: Sequence[str], screen: Screen, notebook: bool = False) -> None:
    """Make the learner's folder and files, or add what is missing; say what to do next.

    Raises:
        LoomError: a chapter has no exercises; a file cannot be written.
    """
    from loom.cli.checking import unbroken

    unbroken(shelf)
    wanted = [e.chapter for name in names for e in shelf.pick(name)] or list(shelf.by_chapter)
    desk, new = make_desk(shelf.root)
    if not new:
        screen.text(f"Your exercises are in {shown(desk.folder)}", "dim")
    first: Exercise | None = None
    for name in dict.fromkeys(wanted):
        exercises = shelf.by_chapter[name]
        laid = lay_out(desk, shelf.chapter_of(exercises[0]), exercises, shelf.named, notebook)
        _laid(screen, laid, exercises)
        first = first or exercises[0]
    assert first is not None
    chapter = f"{first.chapter_number:02}"
    steps = [("Open", shown(desk.file(first.chapter, ".ipynb" if notebook else ".py"))),
             ("Checked as you save:", f"loom watch {chapter}"),
             ("Checked once:", f"loom check {first.id}"),
             ("Stuck:", f"loom hint {first.id}"), ("What there is:", "loom list")]
    if notebook:
        steps[1:3] = [("Save, and run:", f'check("{first.id}")')]
    screen.say("")
    width = max(len(what) for what, _ in steps)
    for what, how in steps:
        screen.text(f"{what:{width}}  {how}", indent=2)


def _laid(screen: Screen, laid: Laid, exercises: Sequence[Exercise]) -> None:
    where, count = shown(laid.path), len(exercises)
    if laid.new:
        minutes = time_text(sum(e.minutes for e in exercises))
        screen.text(f"✓ {where}  {count} exercise{'s' * (count != 1)}, {minutes}", "green")
    elif laid.added or laid.renewed:
        for what, found in (("added", laid.added), ("brought up to date", laid.renewed)):
            if found:
                screen.text(f"✓ {where}  {what}: {', '.join(found)}", "green")
    elif not laid.notes:
        screen.text(f"· {where}  nothing to add, your work is as it was", "dim")
    if laid.added or laid.renewed:
        screen.text("  If it is open in an editor, load it again there; a copy of how it was is "
                    f"in {shown(laid.path.parent / HOME / KEPT)}", "dim", hang=2)
    for note in laid.notes:
        screen.text(f"! {where}  {note}", "yellow", hang=2)


def hint(shelf: Shelf, name: str, number: int | None, screen: Screen) -> None:
    """Show an exercise's next hint, or one that was seen before, and remember it.

    Raises:
        LoomError: no such exercise; no such hint, or not yet.
    """
    exercise = shelf.one(name)
    count = len(exercise.hints)
    if not count:
        raise fail(f"`{exercise.id}` has no hints", f"`loom list {exercise.id}` shows what it asks")
    desk = require_desk(shelf.root)
    seen = read_progress(desk.folder).of(exercise.id).hints
    wanted = min(seen + 1, count) if number is None else number
    if not 1 <= wanted <= count:
        raise fail(f"there is no hint {wanted}: `{exercise.id}` has {count}",
                   f"`loom hint {exercise.id}` shows the next one")
    if wanted > seen + 1:
        raise fail(f"hint {wanted} comes after hint {seen + 1}, which you have not seen",
                   f"`loom hint {exercise.id}` shows that one first")
    _title(screen, exercise, f"hint {wanted} of {count}")
    screen.myst(exercise.hints[wanted - 1], shelf.named, indent=2)
    left = count - max(seen, wanted)
    screen.say("")
    screen.text(f"{left} hint{'s' * (left != 1)} left: loom hint {exercise.id}" if left else
                f"That was the last. If it does not help: loom solution {exercise.id} --give-up",
                "dim", indent=2)
    with change_progress(desk.folder) as progress:
        progress.hinted(exercise.id, wanted)


def solution(shelf: Shelf, name: str, give_up: bool, screen: Screen) -> None:
    """Show the solution, other accepted ways, and what there is to say about it.

    Raises:
        LoomError: no such exercise; it has not passed, and nobody gave up.
    """
    exercise = shelf.one(name)
    desk = require_desk(shelf.root)
    progress = read_progress(desk.folder)
    record = progress.of(exercise.id)
    if not (record.passed or record.gave_up or give_up):
        left = len(exercise.hints) - record.hints
        raise fail(f"`{exercise.id}` has not passed yet",
                   (f"there {'are' if left != 1 else 'is'} {left} hint{'s' * (left != 1)} left "
                    f"(`loom hint {exercise.id}`); or " if left > 0 else "") +
                   f"`loom solution {exercise.id} --give-up`, which is remembered")
    if give_up and not record.passed:
        with change_progress(desk.folder) as progress:
            progress.gave_up(exercise.id)
    _title(screen, exercise, "solution")
    screen.code(exercise.solution, indent=2)
    if exercise.remarks:
        screen.say("")
        screen.myst(exercise.remarks, shelf.named, indent=2)
    for code in exercise.accepted:
        screen.say("")
        screen.text(f"Another way: {code.name.rstrip('.')}", "bold", indent=2)
        screen.code(code.source, indent=2)


def page(shelf: Shelf, exercise: Exercise, screen: Screen) -> None:
    """Show what an exercise asks, its stub, and how far one has come with it."""
    from loom.cli.show import next_hint
    from loom.cli.tables import states

    desk = find_desk(shelf.root)
    progress = read_progress(desk.folder) if desk else Progress()
    record = progress.of(exercise.id)
    state = states(shelf, desk, progress, [exercise])[exercise.id]
    _title(screen, exercise, state)
    about = f"{time_text(exercise.minutes)}, level {exercise.level} of 4"
    section = shelf.named(exercise.section)
    screen.text(about + (f", section “{section}”" if section else ""), "dim", indent=2)
    screen.say("")
    screen.myst(exercise.statement, shelf.named, indent=2)
    screen.say("")
    screen.code(exercise.stub, indent=2)
    screen.say("")
    if desk is not None and desk.files(exercise.chapter):
        where = desk.answers(shelf.by_chapter[exercise.chapter])[exercise.id].where()
        screen.text(f"Your answer: {where}", "dim", indent=2)
    if exercise.hints:
        screen.text(next_hint(exercise, record.hints), "dim", indent=2)
    if record.attempts:
        best = f"{record.best:g} of {record.of:g} points in {record.attempts} "
        screen.text(f"Best so far: {best}check{'s' * (record.attempts != 1)}", "dim", indent=2)


def reset(shelf: Shelf, name: str, screen: Screen) -> None:
    """Put the stub back and say where the answer is kept.

    Raises:
        LoomError: no such exercise, or no file of its chapter.
    """
    exercise = shelf.one(name)
    desk: Desk = require_desk(shelf.root)
    path, copy = put_back(desk, exercise, shelf.named)
    screen.text(f"✓ {exercise.id} is a stub again in {shown(path)}" if copy else
                f"✓ {exercise.id} was not in {shown(path)}, and is now", "green")
    if copy:
        screen.text(f"Your answer is kept in {shown(copy)}")
        screen.text("If the file is open in an editor, load it again there.", "dim")


def _title(screen: Screen, exercise: Exercise, right: str) -> None:
    from rich.text import Text

    screen.row(Text.assemble((f"{exercise.printed} {exercise.title}", "bold"),
                             (f"  {exercise.id}", "dim")), Text(right, style="dim"))
