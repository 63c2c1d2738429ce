"""MyST Markdown as plain Markdown, for notebooks that readers open anywhere.

Jupyter shows directives and roles as they are typed. Here margin notes and
admonitions become quotations, references become words, labels go.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

DROPPED = {"index", "bibliography", "built", "tableofcontents", "contents", "raw", "only",
           "exercises", "quiz", "hints", "solutions", "quiz-answers"}
CODE = {"code", "code-block", "sourcecode"}
FENCE = re.compile(r"^\s{0,3}(?P<marks>`{3,}|:{3,}|~{3,})\s*"
                   r"(?:\{(?P<name>[\w:-]+)\})?(?P<rest>.*)$")
OPTION = re.compile(r"^:[\w-]+:(\s|$)")
ROLE = re.compile(r"(?:\{(?P<name>[\w:-]+)\})?(?P<ticks>`+)(?P<text>.+?)(?P=ticks)(?!`)",
                  re.DOTALL)  # without a name it is code
EQUATION_END = re.compile(r"(?P<dollars>^\s*\$\$|\$\$)[ \t]*\((?P<label>[\w:.-]+)\)[ \t]*$",
                          re.MULTILINE)


def plain(text: str, titles: Mapping[str, str]) -> str:
    """Markdown without directives, roles and labels.

    Args:
        text: MyST Markdown without code cells.
        titles: the title of each labeled section of the book.
    """
    lines = text.split("\n")
    shown: list[str] = []
    at = 0
    while at < len(lines):
        match = FENCE.match(lines[at])
        if match:
            end = _end(lines, at, match["marks"])
            body = lines[at + 1:end]
            if match["name"]:
                shown += _directive(match["name"], match["rest"].strip(), body, titles)
            else:
                shown += lines[at:end + 1]
            at = end + 1
        else:
            line = lines[at]
            if not re.match(r"^\([\w:.-]+\)=\s*$|^%( |$)|^\+\+\+", line):
                shown.append(line)
            at += 1
    return re.sub(r"\n{3,}", "\n\n", _inline("\n".join(shown), titles)).strip()


def _end(lines: list[str], start: int, marks: str) -> int:
    """The line that closes a fence; the last one if none does."""
    closing = re.compile(rf"^\s{{0,3}}{re.escape(marks[0])}{{{len(marks)},}}\s*$")
    for number in range(start + 1, len(lines)):
        if closing.match(lines[number]):
            return number
    return len(lines) - 1


def _directive(name: str, argument: str, body: list[str],
               titles: Mapping[str, str]) -> list[str]:
    """What a reader sees of a directive."""
    while body and OPTION.match(body[0]):
        body = body[1:]
    while body and not body[0].strip():
        body = body[1:]
    if name in DROPPED:
        return []
    if name in CODE:
        return [f"```{argument}", *body, "```"]
    if name == "math":
        return ["$$", *body, "$$"]
    if name == "list-table":
        return ["", f"**{argument}**", "", *_table(plain("\n".join(body), titles)), ""]
    inner = plain("\n".join(body), titles).split("\n")
    if name in ("table", "figure", "image"):
        head = [f"**{argument}**", ""] if argument and name == "table" else []
        return ["", *head, *inner, ""]
    title = argument or ("" if name in ("margin", "sidebar", "epigraph")
                         else name.capitalize())
    head = [f"> **{title}**", ">"] if title else []
    return ["", *head, *(f"> {line}".rstrip() for line in inner), ""]


def _table(rows: str) -> list[str]:
    """A list of lists as a pipe table, its first row the head."""
    table: list[list[str]] = []
    for line in rows.split("\n"):
        match = re.match(r"^(?P<row>[*-] +)?[ ]*[*-] +(?P<cell>.*)$", line)
        if match and match["row"]:
            table.append([match["cell"]])
        elif match and table:
            table[-1].append(match["cell"])
        elif line.strip() and table:
            table[-1][-1] += f" {line.strip()}"
    shown = ["| " + " | ".join(c.strip().replace("|", "\\|") for c in row) + " |" for row in table]
    return [*shown[:1], "|" + " --- |" * len(table[0] if table else []), *shown[1:]]


def _inline(text: str, titles: Mapping[str, str]) -> str:
    """Roles as words; equations named by their labels."""
    def role(match: re.Match[str]) -> str:
        name, said = match["name"], match["text"].strip()
        if name is None:
            return match[0]
        shown, _, target = said.rpartition("<")
        label = target.rstrip(">").strip() if shown else said
        if name in ("cite", "cite:p", "cite:t", "cite:alp"):
            return "[" + "; ".join(key.strip() for key in said.split(",")) + "]"
        if name == "eq":
            return f"({_bare(label)})"
        if name in ("numref", "ref", "doc"):
            if label in titles:
                return shown.strip() if shown and "%" not in shown else f"*{titles[label]}*"
            word = {"fig": "Figure ", "tab": "Table "}.get(label.split("-")[0], "")
            return f"{word}*{_bare(label)}*"
        return shown.strip() or said

    text = EQUATION_END.sub(lambda m: rf"\tag{{{_bare(m['label'])}}} $$", text)
    return ROLE.sub(role, text)


def _bare(label: str) -> str:
    """``eq-softmax`` is called ``softmax`` where its kind is plain to see."""
    return label.partition("-")[2] if label.split("-")[0] in ("eq", "fig", "tab") else label
