"""Statements, hints and solutions in a terminal. Mathematics stays TeX."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from loom.exercise.roles import Named

if TYPE_CHECKING:
    from loom.cli.screen import Screen

THEME = "ansi_dark"  # the terminal's own colors, on its own background


def show_myst(screen: Screen, myst: str, named: Named, indent: int = 0) -> None:
    """Print a text of the book's.

    Args:
        screen: where.
        myst: the text.
        named: the title of what a label stands for.
        indent: columns to the left of it.
    """
    if not screen.styled:
        from loom.exercise.plain import plain

        for line in plain(myst, named, screen.width - indent):
            screen.verbatim(" " * indent + line)
        return
    from rich.markdown import Markdown
    from rich.padding import Padding
    from rich.styled import Styled
    from rich.theme import Theme

    from loom.exercise.markdown import markdown

    shown = Markdown(_with_math_as_code(markdown(myst, named)), code_theme=THEME,
                     hyperlinks=False, inline_code_lexer=None)
    with screen.console.use_theme(Theme({
            "markdown.code": "cyan", "markdown.code_block": "cyan", "markdown.h1": "bold",
            "markdown.h2": "bold", "markdown.h3": "bold", "markdown.block_quote": "none",
            "markdown.item.bullet": "dim", "markdown.item.number": "dim"})):
        screen.say(Padding(Styled(shown, "none"), (0, 0, 0, indent)))


def show_code(screen: Screen, code: str, indent: int = 0) -> None:
    """Print Python, in colors where there are any."""
    if not screen.styled:
        for line in code.strip("\n").split("\n"):
            screen.verbatim(" " * indent + line)
        return
    from rich.padding import Padding
    from rich.syntax import Syntax

    screen.say(Padding(Syntax(code.strip("\n"), "python", theme=THEME, word_wrap=True,
                              background_color="default"), (0, 0, 0, indent)))


def _with_math_as_code(text: str) -> str:
    """Markdown whose formulas are code, so that no underscore in them is emphasis."""
    out: list[str] = []
    fence = ""
    display = False
    for line in text.split("\n"):
        mark = re.match(r"[\s>]*(`{3,}|~{3,})", line)
        if mark and not display:
            fence = "" if fence and line.strip("> ").startswith(fence) else fence or mark[1]
            out.append(line)
        elif fence:
            out.append(line)
        elif line.lstrip("> ").startswith("$$"):
            out += _displayed(line, display)
            display ^= line.count("$$") % 2 == 1
        elif display and line.rstrip().endswith("$$"):
            out += [line.rstrip().removesuffix("$$"), "```"]
            display = False
        else:
            out.append(line if display else _inline(line))
    return "\n".join(out)


def _displayed(line: str, inside: bool) -> list[str]:
    margin = line[:len(line) - len(line.lstrip("> "))]
    rest = line.strip("> ").removeprefix("$$")
    if inside:
        return [f"{margin}```"]
    if rest.endswith("$$") and rest:
        return [f"{margin}```tex", margin + rest.removesuffix("$$").strip(), f"{margin}```"]
    return [f"{margin}```tex", *([margin + rest] if rest.strip() else [])]


def _inline(line: str) -> str:
    """``$x_i$`` as code; what is code already stays."""
    return re.sub(r"(`+)(?:.(?!\1))*.?\1|(?<![\\$])\$([^$`\n]+)\$(?!\d)",
                  lambda m: m[0] if m[1] else f"`{m[2]}`", line)
