"""The lines that divide a learner's file: the head, and one block per exercise."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

MARKER = "# %% exercise"
COLUMNS = 76
_MARKER = re.compile(r"#\s*%%\s*exercises?\b[\s:·.-]*([A-Za-z0-9_][\w-]*)?", re.IGNORECASE)
_CONFLICT = re.compile(r"(<{7}|>{7})(\s|$)")


def marker_line(exercise_id: str, printed: str, title: str) -> str:
    """The line above an exercise in the learner's file; a long title is cut."""
    start = f"{MARKER} {exercise_id} · {printed}"
    shown = textwrap.shorten(title, max(COLUMNS - len(start) - 1, 1), placeholder="…")
    return f"{start} {shown}"


@dataclass(frozen=True)
class Block:
    """The lines from a marker up to the next one, counted from 1, both included."""

    id: str
    first: int
    last: int


def cut(lines: Sequence[str]) -> tuple[int, list[Block]]:
    """Divide a file.

    Returns:
        The number of lines of the head, and the blocks in order. A marker
        may name an exercise that does not exist, or none (its id is empty).
    """
    found = [(n, (match[1] or "").lower().strip("-")) for n, line in enumerate(lines, 1)
             if (match := _MARKER.match(line))]
    starts = [n for n, _ in found] + [len(lines) + 1]
    return starts[0] - 1, [Block(name, n, starts[i + 1] - 1) for i, (n, name) in enumerate(found)]


def conflicts(lines: Sequence[str]) -> list[tuple[int, int]]:
    """First and last line of every merge conflict that nobody has resolved."""
    found: list[tuple[int, int]] = []
    opened: int | None = None
    for n, line in enumerate(lines, 1):
        match = _CONFLICT.match(line)
        if match is None:
            continue
        if match[1][0] == "<":
            opened = opened or n
        else:
            found.append((opened or n, n))
            opened = None
    return [*found, (opened, opened)] if opened else found
