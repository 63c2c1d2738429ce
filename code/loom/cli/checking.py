"""``loom check``: judge answers, show the verdicts, remember them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from typing import TYPE_CHECKING

from loom.desk.desk import Desk, shown
from loom.desk.progress import read_progress, remember
from loom.desk.shelf import Shelf
from loom.errors import LoomError, Problem
from loom.exercise.answers import Answer
from loom.exercise.model import Exercise

if TYPE_CHECKING:
    from loom.cli.screen import Screen
    from loom.cli.show import Around
    from loom.grade.judge import Verdict
    from loom.grade.warm import Warm


class Bench:
    """The warm processes that answers run in, one for each set of libraries."""

    def __init__(self, stack: ExitStack) -> None:
        self.stack = stack
        self.warm: dict[frozenset[str], Warm] = {}

    def prepare(self, exercises: Sequence[Exercise]) -> None:
        """Start what these exercises will need, without waiting for it."""
        for exercise in exercises:
            self.of(exercise)

    def of(self, exercise: Exercise) -> Warm:
        """The process for an exercise's answers."""
        from loom.grade.warm import Warm

        if exercise.libraries not in self.warm:
            self.warm[exercise.libraries] = self.stack.enter_context(Warm(exercise.libraries))
        return self.warm[exercise.libraries]


@contextmanager
def bench() -> Iterator[Bench]:
    """Warm processes that end with the block."""
    with ExitStack() as stack:
        yield Bench(stack)


def answers_to(shelf: Shelf, desk: Desk, exercises: Sequence[Exercise]) -> dict[str, Answer]:
    """The answers to exercises of any chapters, by id.

    Raises:
        LoomError: a chapter has no file.
    """
    found: dict[str, Answer] = {}
    for name in dict.fromkeys(e.chapter for e in exercises):
        found |= desk.answers(shelf.by_chapter[name])
    return {e.id: found[e.id] for e in exercises}


def wanted(shelf: Shelf, desk: Desk, names: Sequence[str]) -> tuple[Exercise, ...]:
    """The exercises that the arguments name; without any, all that were started.

    Raises:
        LoomError: a name means nothing; nothing was started yet.
    """
    if names:
        return tuple(dict.fromkeys(e for name in names for e in shelf.pick(name)))
    there = [e for e in shelf.exercises if desk.files(e.chapter)]
    answers = answers_to(shelf, desk, there)
    started = tuple(e for e in there if answers[e.id].started)
    if started:
        return started
    from loom.errors import fail

    if not there:
        raise fail(f"there are no exercises in {shown(desk.folder)} yet",
                   "`loom start` writes them")
    example = there[0].id
    raise fail("nothing is started yet: every answer is as `loom start` wrote it",
               f"write one in {shown(desk.folder)}, or name an exercise: `loom check {example}`")


def check(shelf: Shelf, desk: Desk, names: Sequence[str], screen: Screen | None, *,
          everything: bool = False, seed: int | None = None) -> bool:
    """Check answers.

    Args:
        shelf: the book's exercises.
        desk: the learner's folder.
        names: of exercises or chapters; all that were started if there are none.
        screen: where to show the verdicts; None prints JSON.
        everything: run all cases, even after one has failed.
        seed: of the cases' inputs; a fresh one if None.

    Returns:
        Whether everything earned full marks.

    Raises:
        LoomError: a name means nothing, a file is not there; an exercise that
            cannot be judged, after all others.
    """
    from loom.cli.show import Around, show, total

    exercises = wanted(shelf, desk, names)
    answers = answers_to(shelf, desk, exercises)
    progress = read_progress(desk.folder)
    notes = list(progress.notes)
    verdicts: list[Verdict] = []
    problems: list[Problem] = []
    rows = []
    with bench() as ready:
        ready.prepare([e for e in exercises if answers[e.id].runs])
        for exercise in exercises:
            answer = answers[exercise.id]
            try:
                with screen.busy(f"checking {exercise.id}") if screen else nullcontext():
                    verdict = judged(shelf, exercise, answer, ready, everything, seed)
            except LoomError as error:  # of the book's, or of this machine's
                problems += error.problems
                continue
            if not answer.shared:
                notes += [n for n in remember(desk.folder, verdict) if n not in notes]
            verdicts.append(verdict)
            if screen is None:
                rows.append({**verdict.as_json(), "place": answer.where()})
            else:
                around = Around(answer.where(), progress.of(exercise.id).hints)
                if len(exercises) == 1:
                    show(screen, exercise, verdict, around)
                else:
                    _one_of_many(screen, exercise, verdicts, around)
    passed = all(v.state == "passed" for v in verdicts) and not problems
    if screen is None:
        import sys

        print(json.dumps({"schema": 1, "passed": passed,
                          "earned": sum(v.earned for v in verdicts),
                          "points": sum(v.points for v in verdicts), "exercises": rows}, indent=1))
        print(*notes, sep="\n", end="\n" if notes else "", file=sys.stderr)
        _refuse(problems)
        return passed
    if len(verdicts) > 1:
        screen.say("")
        screen.text(total(verdicts), "bold")
    if passed:
        _suggest(screen, shelf, desk, verdicts[-1].exercise)
    tell(screen, notes)
    _refuse(problems)
    return passed


def _refuse(problems: Sequence[Problem]) -> None:
    """Tell, at the end, what kept answers from being judged.

    Raises:
        LoomError: something did.
    """
    if problems:
        raise LoomError(dict.fromkeys(problems))


def tell(screen: Screen, notes: Sequence[str]) -> None:
    """What happened to the progress file."""
    for note in notes:
        screen.text(note, "yellow")


def judged(shelf: Shelf, exercise: Exercise, answer: Answer, ready: Bench,
           everything: bool = False, seed: int | None = None) -> Verdict:
    """The verdict on one answer. An untouched stub starts no process."""
    from loom.grade.judge import judge

    if not answer.runs:
        return judge(exercise, answer, seed=seed)
    return judge(shelf.ready(exercise), answer, seed=seed, everything=everything,
                 warm=ready.of(exercise))


def _one_of_many(screen: Screen, exercise: Exercise, verdicts: Sequence[Verdict],
                 around: Around) -> None:
    """The latest of several verdicts: a line, or a block between empty lines."""
    from loom.cli.show import show_short

    short = [v.state in ("passed", "not started") for v in verdicts[-2:]]
    told = bool(verdicts[-1].problem) and any(
        v.problem == verdicts[-1].problem for v in verdicts[:-1])
    if len(short) == 2 and not all(short) and not told:
        screen.say("")
    show_short(screen, exercise, verdicts[-1], around, told)


def _suggest(screen: Screen, shelf: Shelf, desk: Desk, done: str) -> None:
    """What to do next, after full marks."""
    from loom.cli.tables import next_exercise, states

    found = states(shelf, desk, read_progress(desk.folder), shelf.exercises)
    there = [chapter for chapter in shelf.by_chapter if desk.files(chapter)]
    after = next(e for e in shelf.exercises if e.id == done)
    following = next_exercise(shelf.exercises, found, after, there)
    if following is not None:
        screen.text(f"Next: {following.printed} {following.title} ({following.minutes} minutes), "
                    f"loom list {following.id}", "dim", indent=2)


def unbroken(shelf: Shelf) -> None:
    """Refuse a book without exercises.

    Raises:
        LoomError: there are none; or why they cannot be read.
    """
    if shelf.exercises:
        return
    if shelf.broken:
        raise LoomError(shelf.broken)
    from loom.errors import fail

    raise fail("this book has no exercises yet", "they stand in exercises/NN-name.md",
               path=shelf.root)
