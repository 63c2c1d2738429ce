"""MyST as the Markdown that Jupyter shows: directives and roles flattened."""

from __future__ import annotations

import re
import textwrap

from loom.exercise.plain import FENCE, LABEL, closing
from loom.exercise.roles import Named, unknown, without_roles

_CODE = ("{code-block}", "{code}", "{literalinclude}")


def markdown(myst: str, named: Named = unknown) -> str:
    """A statement as plain Markdown with mathematics between dollars.

    Args:
        myst: the text.
        named: the title of what a label stands for, None if nobody knows.
    """
    return "\n".join(_lines(myst.split("\n"), named)).strip("\n")


def _lines(rows: list[str], named: Named) -> list[str]:
    out: list[str] = []
    n = 0
    while n < len(rows):
        row = rows[n]
        fence = FENCE.match(row)
        if fence:
            last = closing(rows, n, fence[2])
            out += _fenced(rows[n + 1:last], fence, named)
            n = last + 1
            continue
        n += 1
        if row.startswith("%") or re.fullmatch(r"\([\w.:-]+\)=\s*", row):
            continue
        out.append(without_roles(LABEL.sub("$$", row), named))
    return out


def _fenced(body: list[str], fence: re.Match[str], named: Named) -> list[str]:
    name, argument = fence[3] or "", fence[4].strip()
    margin = fence[1]
    if fence[2][0] != ":" and not name:
        return [f"{margin}```{argument}", *body, f"{margin}```"]
    options = 0
    while options < len(body) and re.match(r"\s*:[\w-]+:", body[options]):
        options += 1
    body = body[options:]
    if name == "{math}":
        return [f"{margin}$$", *body, f"{margin}$$"]
    if name in _CODE:
        return [f"{margin}```{argument}", *body, f"{margin}```"]
    kind = name.strip("{}").capitalize()
    head = without_roles(argument, named) or ("" if kind in ("Admonition", "Div") else kind)
    inner = _lines(textwrap.dedent("\n".join(body)).strip("\n").split("\n"), named)
    quoted = [*([f"**{head}**", ""] if head else []), *inner]
    return [f"{margin}> {line}".rstrip() for line in quoted]
