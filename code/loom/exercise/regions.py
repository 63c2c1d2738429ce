"""The answer cell: what the learner gets of it, and what the solution is.

Between ``### BEGIN SOLUTION`` and ``### END SOLUTION`` stands what the learner
is to write. The stub has ``raise NotImplementedError`` there, the solution
has the same text without the two marks. Helpers of the solution's own may stand
in a region at the left margin: where another region asks for something, the
stub has nothing in their place.
"""

from __future__ import annotations

import ast
import re
import warnings
from dataclasses import dataclass

BEGIN = "### BEGIN SOLUTION"
END = "### END SOLUTION"
PLACEHOLDER = "raise NotImplementedError"
_MARK = re.compile(r"^\s*#+\s*(BEGIN|END)\s+SOLUTION\b.*$", re.IGNORECASE)
_SIMPLE = (ast.Return, ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Expr, ast.Raise, ast.Delete,
           ast.Assert)
TELLING = 12  # characters from which on a line of a solution tells something


@dataclass(frozen=True)
class Answer:
    """An answer cell, taken apart.

    Attributes:
        stub: the cell with every region replaced.
        solution: the cell without the marks.
        regions: first and last line, in the cell, of what each pair encloses.
        lines: for each line of the solution, its line in the cell.
    """

    stub: str
    solution: str
    regions: tuple[tuple[int, int], ...]
    lines: tuple[int, ...]


@dataclass(frozen=True)
class Flaw:
    """Something wrong in the cell: its line there (from 1), what, and what to do."""

    line: int
    what: str
    remedy: str


def take_apart(source: str) -> tuple[Answer, list[Flaw]]:
    """Cut the solution out of an answer cell.

    Args:
        source: the cell.

    Returns:
        Its parts, and what is wrong with its marks; with flaws, the parts are
        a best guess.
    """
    flaws: list[Flaw] = []
    stub: list[str] = []
    solution: list[str] = []
    numbers: list[int] = []
    regions: list[tuple[int, int]] = []
    opened: tuple[int, str] | None = None
    inner = any(line.startswith((" ", "\t")) and _MARK.match(line) for line in source.split("\n"))
    for n, line in enumerate(source.split("\n"), 1):
        mark = _MARK.match(line)
        if mark is None:
            solution.append(line)
            numbers.append(n)
            if opened is None:
                stub.append(line)
            continue
        if line.strip() not in (BEGIN, END):
            flaws.append(Flaw(n, f"`{line.strip()}` is not quite a mark",
                              f"write `{BEGIN}` or `{END}`, alone on its line"))
        margin = line[:len(line) - len(line.lstrip())]
        if mark[1].upper() == "BEGIN":
            if opened is not None:
                flaws.append(Flaw(n, f"a second `{BEGIN}` inside the one of line {opened[0]} of "
                                  "the cell", f"write `{END}` before it"))
            else:
                if margin or not inner:
                    stub.append(f"{margin}{PLACEHOLDER}")
                opened = (n, margin)
        elif opened is None:
            flaws.append(Flaw(n, f"`{END}` without a `{BEGIN}` above it",
                              f"write `{BEGIN}` above the first line of the solution"))
        else:
            regions.append((opened[0] + 1, n - 1))
            if margin != opened[1]:
                flaws.append(Flaw(n, f"`{END}` is not indented like its `{BEGIN}`",
                                  "put both at the margin of the lines between them; "
                                  "helpers at the left margin take a region of their own"))
            opened = None
    if opened is not None:
        flaws.append(Flaw(opened[0], f"`{BEGIN}` is never ended",
                          f"write `{END}` below the last line of the solution"))
    if not regions and not flaws:
        flaws.append(Flaw(1, f"no `{BEGIN}` … `{END}` in the answer cell",
                          "put them around what the learner is to write"))
    text = re.sub(r"\n{4,}", "\n\n\n", "\n".join(stub)).rstrip() if inner else "\n".join(stub)
    parts = Answer(text, "\n".join(solution), tuple(regions), tuple(numbers))
    return parts, flaws + _empty(source, regions) + _leaks(source, parts)


def _empty(source: str, regions: list[tuple[int, int]]) -> list[Flaw]:
    lines = source.split("\n")
    return [Flaw(first - 1, "an empty solution", "write the reference solution between the marks")
            for first, last in regions
            if not any(line.strip() and not line.strip().startswith("#")
                       for line in lines[first - 1:last])]


def _leaks(source: str, answer: Answer) -> list[Flaw]:
    """Statements of the solution that the stub gives away, in code or in words.

    Headers (``def``, ``for``, ``if``) tell little, and may well be alike.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):
        return []  # told where the cell is parsed
    telling = {n for node in ast.walk(tree) if isinstance(node, _SIMPLE)
               for n in range(node.lineno, (node.end_lineno or node.lineno) + 1)}
    lines = source.split("\n")
    shown = {re.sub(r"^(>>>|\.\.\.|[rbf]?\"\"\"|#)|\"\"\"$", "", line.strip()).strip()
             for line in answer.stub.split("\n")}
    return [Flaw(n, f"the stub gives away this line of the solution: `{lines[n - 1].strip()}`",
                 "reword it in the stub, or put it inside the region only")
            for first, last in answer.regions for n in range(first, last + 1)
            if n in telling and len(lines[n - 1].strip()) >= TELLING
            and lines[n - 1].strip() in shown]
