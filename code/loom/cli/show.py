"""A verdict, as a learner reads it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.text import Text

    from loom.cli.screen import Screen
    from loom.exercise.model import Exercise
    from loom.grade.judge import Outcome, Verdict

PRINTED = 12  # lines of the answer's own output that are shown, each cut at the screen's edge


@dataclass(frozen=True)
class Around:
    """What a verdict is shown with.

    Attributes:
        place: where the answer stands.
        hints: how many were seen.
        again: how a check is repeated with the same seed.
        more: how all cases are run.
    """

    place: str = ""
    hints: int = 0
    again: str = "--seed {seed}"
    more: str = "--all"


def points(earned: float, of: float) -> str:
    """``1 of 3 points``."""
    return f"{earned:g} of {of:g} point{'s' * (of != 1)}"


def show(screen: Screen, exercise: Exercise, verdict: Verdict, around: Around) -> None:
    """Print a verdict: a head, a line for each case, what to do next."""
    _head(screen, exercise, verdict, around)
    if verdict.state == "not started":
        screen.text("Replace `raise NotImplementedError` by your code, save, and check again.",
                    "dim", indent=2)
        return
    for line in verdict.problem:
        screen.text(*_styled(line), indent=4)
    waiting = [o for o in verdict.outcomes if o.state == "not run"]
    for outcome in verdict.outcomes:
        if outcome.state != "not run":
            _case(screen, outcome)
    if waiting and not verdict.problem:
        names = waiting[0].case if len(waiting) == 1 else f"{len(waiting)} more"
        screen.text(f"· {names}: not run yet; fix the one above, or use {around.more}",
                    "dim", indent=2, hang=2)
    _printed(screen, verdict.output)
    _foot(screen, exercise, verdict, around)


def show_short(screen: Screen, exercise: Exercise, verdict: Verdict, around: Around,
               told: bool = False) -> None:
    """Print a verdict among others: a line if it passed, else what failed first.

    ``told`` says that its problem was printed already.
    """
    if told:
        _head(screen, exercise, verdict, around)
    elif verdict.state in ("passed", "not started"):
        _head(screen, exercise, verdict, around, "✓ " if verdict.state == "passed" else "· ")
        if verdict.state == "passed":
            _printed(screen, verdict.output)
    else:
        show(screen, exercise, verdict, around)


def _head(screen: Screen, exercise: Exercise, verdict: Verdict, around: Around,
          sign: str = "") -> None:
    from rich.text import Text

    style = {"passed": "green", "not started": "dim"}.get(verdict.state, "red")
    left = Text.assemble(
        (sign, style), (exercise.id, "bold"),
        (f" (chapter {exercise.chapter_number}, exercise {exercise.number})", ""),
        (f"  {around.place}", "dim"))
    right = "not started" if verdict.state == "not started" \
        else points(verdict.earned, verdict.points)
    screen.row(left, Text(right, style=style))


def _case(screen: Screen, outcome: Outcome) -> None:
    from rich.text import Text

    from loom.grade.messages import of_the_call

    passed = outcome.state == "passed"
    sign, style = ("✓", "green") if passed else ("✗", "red")
    screen.row(Text.assemble((f"{sign} ", style), (outcome.case, "" if passed else "bold")),
               Text(f"{outcome.earned:g}/{outcome.points:g}", style=style), indent=2)
    if passed:
        return
    for line in outcome.lines:
        screen.text(*_styled(line), indent=6)
    if outcome.why and not of_the_call(outcome.lines) and not any(
            outcome.why in line for line in outcome.lines):
        screen.text(f"→ {outcome.why}", "yellow", indent=6, hang=2)


def _styled(line: str) -> tuple[str, str]:
    """A line of a report and how it looks."""
    if line.lstrip().startswith("→"):
        return line, "yellow"
    return line, "dim" if line.lstrip().startswith("at ") else ""


def _printed(screen: Screen, output: str) -> None:
    lines = output.rstrip().splitlines()
    if not lines:
        return
    from loom.grade.hand import CUT

    cut = lines.pop() if lines[-1].startswith(CUT) else ""
    screen.text("It printed:", "dim", indent=2)
    for line in lines[:PRINTED]:
        screen.text(_visible(line, screen), indent=4)
    if cut:
        screen.text(cut, "dim", indent=4)
    elif len(lines) > PRINTED:
        left = len(lines) - PRINTED
        screen.text(f"… and {left} more line{'s' * (left != 1)}", "dim", indent=4)


def _visible(line: str, screen: Screen) -> str:
    """As much of a line as fits, without what moves a terminal's cursor or changes its colors."""
    import unicodedata

    from rich.text import Text

    from loom.cli.screen import to_ascii

    line = "".join(c if unicodedata.category(c) not in ("Cc", "Cf", "Cs") else "\ufffd"
                   for c in line[:500].expandtabs())
    shown = Text(to_ascii(line) if screen.ascii else line)
    shown.truncate(screen.width - (6 if screen.ascii else 4), overflow="ellipsis")
    return shown.plain


def _foot(screen: Screen, exercise: Exercise, verdict: Verdict, around: Around) -> None:
    from rich.text import Text

    parts: list[Text] = []
    if verdict.state == "passed":
        parts.append(Text(f"Other ways to write it: loom solution {exercise.id}"))
    else:
        parts.append(Text(next_hint(exercise, around.hints)))
        if verdict.state == "failed":
            parts.append(Text(f"Repeat these numbers: {around.again.format(seed=verdict.seed)}"))
    time = Text(f"{verdict.seconds:.2f} s")
    one = Text("     ").join(parts)
    one.stylize("dim")
    time.stylize("dim")
    if one.cell_len + time.cell_len + 6 <= screen.width:
        screen.row(one, time, indent=2)
        return
    for part in parts[:-1]:
        part.stylize("dim")
        screen.text(part.plain, "dim", indent=2)
    screen.row(Text(parts[-1].plain, style="dim"), time, indent=2)


def next_hint(exercise: Exercise, seen: int) -> str:
    """Which hint comes next, and how to see it."""
    count = len(exercise.hints)
    if seen < count:
        return f"Hint {seen + 1} of {count}: loom hint {exercise.id}"
    return f"You have seen all {count} hints: loom hint {exercise.id} 1"


def total(verdicts: Sequence[Verdict]) -> str:
    """The sum of several checks, in one line."""
    passed = sum(v.state == "passed" for v in verdicts)
    waiting = sum(v.state == "not started" for v in verdicts)
    earned, of = sum(v.earned for v in verdicts), sum(v.points for v in verdicts)
    said = f"{passed} of {len(verdicts)} exercises passed"
    if waiting:
        said += f", {waiting} not started"
    return f"{said}; {points(earned, of)}"
