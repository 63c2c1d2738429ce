"""Text and strings as Typst source."""

from __future__ import annotations

import re

# Read as syntax wherever they stand, and where a piece of text begins.
_ALWAYS = re.compile(r"[\\#$*_`<>@\[\]~]")
_AT_START = re.compile(r"^(\s*)([=+/(\-;:]|\d+[.)])")
_SHORTHAND = re.compile(r"-[-?]+|\.\.\.|/[/*]+|['\"]")


def markup(text: str) -> str:
    """Plain text as Typst markup that shows exactly this text."""
    text = text.replace("\n", " ").replace("\u00ad", "")
    text = _ALWAYS.sub(lambda m: "\\" + m[0], text)
    text = _SHORTHAND.sub(lambda m: "\\" + "\\".join(m[0]), text)

    def escape(m: re.Match[str]) -> str:
        head = m[2]
        return m[1] + (head[:-1] + "\\" + head[-1] if head[0].isdigit() else "\\" + head)

    return _AT_START.sub(escape, text)


def string(text: str) -> str:
    """A Typst string literal."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + escaped.replace("\n", "\\n").replace("\t", "\\t").replace("\r", "") + '"'


def array(items: list[str]) -> str:
    """A Typst array of expressions; one element needs its comma."""
    return "(" + "".join(f"{item}, " for item in items) + ")"


# A remark that stands, until all chapters are written, for the places that cite a work.
CITED_BY = "/*cited by "


def option(value: str | None) -> str:
    """A string literal, or ``none``."""
    return "none" if value is None else string(value)


def raw_block(text: str, language: str) -> str:
    """A raw block; its fence is longer than any run of backticks in it."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def columns(code: str) -> int:
    """The length of the longest line."""
    return max(map(len, code.split("\n")))


_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07]*\x07")


def plain_output(text: str, width: int) -> str:
    """Output as paper shows it: no colors, no overprinting, no long lines.

    Args:
        text: what a cell printed.
        width: columns; what is longer goes on in the next line, after a ``↪``.
    """
    lines = []
    for line in _ANSI.sub("", text).expandtabs(8).split("\n"):
        line = line.rstrip("\r").rsplit("\r", 1)[-1].rstrip()
        while len(line) > width:
            cut = max(line.rfind(" ", width - 24, width), line.rfind(",", width - 24, width)) + 1
            lines.append(line[:cut or width].rstrip())
            line = "↪ " + line[cut or width:].lstrip()
        lines.append(line)
    while lines and not lines[-1]:
        lines.pop()
    return "\n".join(lines)
