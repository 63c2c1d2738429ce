"""Roles of MyST where there is no Sphinx: in comments, and in a notebook's Markdown."""

from __future__ import annotations

import re
from collections.abc import Callable

# From a label to the title of what it stands for: of a section or an exercise,
# of the section that holds it for a formula, a figure or a table.
Named = Callable[[str], str | None]
_ROLE = re.compile(r"\{([a-z][\w:-]*)\}`([^`]+)`")
_NOTE = re.compile(r"\s*\[\^[^\]]+\]")


def unknown(label: str) -> str | None:
    """Knows no label."""
    return None


def without_roles(text: str, named: Named = unknown) -> str:
    """A text whose references are words, and whose footnote calls are gone.

    Args:
        text: MyST.
        named: the title of what a label stands for, None if nobody knows.
    """
    def said(match: re.Match[str]) -> str:
        shown = words(match)
        begins = re.search(r"(^|[.!?]|\n\n)\s*$", text[:match.start()])
        return f"The {shown[4:]}" if begins and shown.startswith("the ") else shown

    def words(match: re.Match[str]) -> str:
        role, content = match[1], match[2]
        explicit = re.fullmatch(r"(.*?)\s*<([^>]+)>", content)
        if explicit and explicit[1] and "%s" not in explicit[1]:
            return explicit[1]
        label = explicit[2] if explicit else content
        if role in ("numref", "ref", "doc"):
            title = named(label)
            kind = "the figure in " if label.startswith("fig-") else \
                "the table in " if label.startswith(("tab-", "tbl-")) else ""
            return f"{kind}“{title}”" if title else f"`{label}`"
        if role == "eq":
            title = named(label)
            return f"the formula of section “{title}”" if title else f"formula `{label}`"
        if role.startswith("cite"):
            return f"[{label}]"
        return f"${content}$" if role == "math" else content
    return _NOTE.sub("", _ROLE.sub(said, text))
