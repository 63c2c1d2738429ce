"""The directives of an exercise source: their options, their text, their places."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from loom.book.chapter import Chapter
from loom.errors import Place, Problem

KNOWN = ("exercise", "exercise-hint", "exercise-solution")
REQUIRED = ("id", "minutes", "level", "section")
OPTIONAL = ("libraries", "package")
_OPTION = re.compile(r":([A-Za-z_][\w-]*):(?:\s+(.*))?$")


@dataclass(frozen=True)
class Directive:
    """One directive at the left margin.

    Attributes:
        name: ``exercise``.
        argument: what follows the name on its line.
        options: each option's value and its line in the file.
        text: what it holds below its options, without blank lines around it.
        line: the line of its fence; ``text_line`` the first of its text,
            ``end`` the line of the closing fence.
    """

    name: str
    argument: str
    options: Mapping[str, tuple[str, int]]
    text: str
    line: int
    text_line: int
    end: int


def read_directives(source: Chapter, problems: list[Problem]) -> list[Directive]:
    """The directives of an exercise source, in order.

    Args:
        source: the file, as read.
        problems: what is wrong is added here: unknown directives, options
            that are no options.
    """
    found = []
    for first, end, kind in source.fences:
        match = re.match(r"\{([^}\s]+)\}\s*(.*)$", kind)
        if match is None or match[1] == "code-cell":
            continue
        if match[1] not in KNOWN:
            problems.append(Problem(
                Place(source.path, first), f"`{{{match[1]}}}` stands outside every exercise",
                "only " + ", ".join(f"`{{{name}}}`" for name in KNOWN) + " and code cells are "
                "read at the left margin; put it inside the statement, with fewer colons"))
            continue
        found.append(_directive(source, first, end, match[1], match[2].strip(), problems))
    return found


def _directive(source: Chapter, first: int, end: int, name: str, argument: str,
               problems: list[Problem]) -> Directive:
    lines = source.text.split("\n")[first:end - 1]
    options: dict[str, tuple[str, int]] = {}
    count = 0
    while count < len(lines) and lines[count].startswith(":") and not lines[count].startswith("::"):
        line = lines[count].rstrip()
        match = _OPTION.match(line)
        count += 1
        place = Place(source.path, first + count)
        if match is None:
            problems.append(Problem(place, f"not an option: `{line}`", "write `:key: value`"))
        elif match[1] in options:
            problems.append(Problem(place, f"`:{match[1]}:` is given twice", "keep one of them"))
        else:
            options[match[1]] = ((match[2] or "").strip(), first + count)
    allowed = (*REQUIRED, *OPTIONAL) if name == "exercise" else ()
    for key, (_, line_number) in options.items():
        if key not in allowed:
            remedy = f"known options: {', '.join(allowed)}" if allowed else "it takes none: drop it"
            problems.append(Problem(Place(source.path, line_number),
                                    f"unknown option `:{key}:` of `{{{name}}}`", remedy))
    while count < len(lines) and not lines[count].strip():
        count += 1
    return Directive(name, argument, options, "\n".join(lines[count:]).strip("\n"),
                     first, first + count + 1, end)


def stray_text(source: Chapter) -> list[Problem]:
    """Text that no derived file would ever show: outside directives and cells."""
    inside = {n for first, end, _ in source.fences for n in range(first, end + 1)}
    lines = source.text.split("\n")
    start = lines.index("---", 1) + 1 if lines[0] == "---" and "---" in lines[1:] else 0
    title = source.sections[0].line if source.sections else 0
    problems: list[Problem] = []
    before = 0
    for n, line in enumerate(lines[start:], start + 1):
        if n in inside or n == title or not line.strip() or line.startswith(("%", "+++")):
            continue
        if before != n - 1:  # one problem for a paragraph
            problems.append(Problem(
                Place(source.path, n), f"text outside every exercise: “{line.strip()[:40]}”",
                "put it into a statement, a hint or a solution; a line that starts with % is "
                "a note to yourself"))
        before = n
    return problems
