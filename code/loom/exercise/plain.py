"""MyST as plain text: what a statement looks like above a stub, in comments."""

from __future__ import annotations

import re
import textwrap

from loom.exercise.roles import Named, unknown, without_roles

WIDTH = 76  # columns of the learner's file
FENCE = re.compile(r"(\s*)(`{3,}|~{3,}|:{3,})\s*(\{[^}]+\})?\s*(.*)$")
LABEL = re.compile(r"\$\$\s*\([\w.:-]+\)\s*$")  # of a displayed formula
_ITEM = re.compile(r"(\s*)([-*+]|\d+[.)])\s+(.*)$")
_CODE = ("{code-block}", "{code}", "{math}", "{literalinclude}", "{raw}")


def comments(myst: str, named: Named = unknown) -> str:
    """A statement as lines of comments, at most 76 columns wide.

    Args:
        myst: the text. Mathematics and code stay as they are.
        named: the title of what a label stands for, None if nobody knows.
    """
    lines = plain(myst, named, WIDTH - 2)
    # a line of %% would be a cell's mark
    return "\n".join(f"# {line}".rstrip() if not line.lstrip().startswith("%%")
                     else f"# \\{line.lstrip()}" for line in lines)


def plain(myst: str, named: Named = unknown,
          width: int = WIDTH) -> list[str]:
    """A statement as lines of plain text: paragraphs wrapped, directives flattened.

    Args:
        myst: the text.
        named: the title of what a label stands for, None if nobody knows.
        width: the columns that a line may take; code and formulas may be wider.
    """
    return _Flattener(named, width).flatten(myst.split("\n"))


class _Flattener:
    def __init__(self, named: Named, width: int) -> None:
        self.named = named
        self.width = width

    def flatten(self, rows: list[str], margin: str = "") -> list[str]:
        """Lines of text for lines of MyST."""
        out: list[str] = []
        paragraph: list[str] = []

        def end() -> None:
            if paragraph:
                out.extend(self._wrapped(" ".join(paragraph), margin, margin))
                paragraph.clear()

        n = 0
        while n < len(rows):
            row = rows[n]
            fence = FENCE.match(row)
            item = _ITEM.match(row)
            if fence:
                end()
                last = closing(rows, n, fence[2])
                out += self._fenced(rows[n + 1:last], fence, margin)
                n = last + 1
                continue
            if row.lstrip().startswith("$$") or row.lstrip().startswith("|"):
                end()
                last = _verbatim(rows, n)
                out += [margin + LABEL.sub("$$", line).rstrip() for line in rows[n:last]]
                n = last
                continue
            if row.startswith("    ") and row.strip() and not paragraph:  # indented code
                out.append(margin + row.rstrip())
                n += 1
                continue
            if not row.strip():
                end()
                if out and out[-1]:
                    out.append("")
            elif row.startswith("%") or re.fullmatch(r"\([\w.:-]+\)=\s*", row):
                end()
            elif item:
                end()
                n = self._item(rows, n, item, margin, out)
                continue
            else:
                paragraph.append(row.strip().lstrip("#").strip() if row.startswith("#")
                                 else row.strip().removeprefix("> "))
            n += 1
        end()
        while out and not out[-1]:
            out.pop()
        return out

    def _item(self, rows: list[str], n: int, item: re.Match[str], margin: str,
              out: list[str]) -> int:
        """One item of a list, with the lines that belong to it; the next line's number."""
        hang = len(item[1]) + len(item[2]) + 1
        body = [item[3]]
        n += 1
        while n < len(rows):
            row = rows[n]
            inside = row[:hang].strip() == "" and len(row) > hang
            if not inside and (not row.strip() or _ITEM.match(row) or FENCE.match(row)):
                follows = next((r for r in rows[n:] if r.strip()), "")
                if row.strip() or not follows.startswith(" " * hang):
                    break
            body.append(row[hang:] if inside else row.strip())
            n += 1
        inner = _Flattener(self.named, self.width).flatten(body, f"{margin}{' ' * (hang)}")
        if inner:
            inner[0] = f"{margin}{item[1]}{item[2]} {inner[0].lstrip()}"
        out += inner
        return n

    def _fenced(self, body: list[str], fence: re.Match[str], margin: str) -> list[str]:
        name, argument = fence[3] or "", fence[4].strip()
        if name in _CODE or (fence[2][0] != ":" and not name):
            while body and re.match(r":[\w-]+:", body[0]):
                body = body[1:]
            block = textwrap.dedent("\n".join(body)).strip("\n").split("\n")
            return [f"{margin}    {line}".rstrip() for line in block]
        options = 0
        while options < len(body) and re.match(r":[\w-]+:", body[options]):
            options += 1
        kind = name.strip("{}").capitalize()
        head = argument or ("" if kind in ("Admonition", "Div", "") else kind)
        text = self.flatten(body[options:], margin)
        if head and text:
            return [*self._wrapped(f"{head}:", margin, margin), *text]
        return text or self._wrapped(head, margin, margin)

    def _wrapped(self, text: str, first: str, rest: str) -> list[str]:
        # spaces inside code and formulas do not break
        kept = re.sub(r"`[^`]+`|\$[^$]+\$", lambda m: m[0].replace(" ", "\0"),
                      without_roles(text, self.named))
        lines = textwrap.wrap(kept, self.width, initial_indent=first, subsequent_indent=rest,
                              break_long_words=False, break_on_hyphens=False)
        if any(len(line) > self.width for line in lines):
            lines = textwrap.wrap(kept.replace("\0", " "), self.width, initial_indent=first,
                                  subsequent_indent=rest, break_long_words=False,
                                  break_on_hyphens=False)
        return [line.replace("\0", " ") for line in lines]


def closing(rows: list[str], n: int, marks: str) -> int:
    """The line that closes the fence at line ``n``, or the end."""
    for last in range(n + 1, len(rows)):
        row = rows[last].strip()
        if len(row) >= len(marks) and not row.strip(marks[0]):
            return last
    return len(rows)


def _verbatim(rows: list[str], n: int) -> int:
    """The line after a displayed formula or a table that starts at line ``n``."""
    if rows[n].lstrip().startswith("|"):
        while n < len(rows) and rows[n].lstrip().startswith("|"):
            n += 1
        return n
    if rows[n].count("$$") > 1:
        return n + 1
    for last in range(n + 1, len(rows)):
        if "$$" in rows[last]:
            return last + 1
    return len(rows)
