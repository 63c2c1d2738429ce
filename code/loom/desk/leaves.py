"""A learner's file as something to add to: exercises in it, and text around them.

Everything that is not replaced keeps its bytes, line ends included.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loom.errors import fail
from loom.exercise.decode import read_bytes
from loom.exercise.jupyter import OUTPUTS
from loom.exercise.markers import cut


@dataclass(frozen=True)
class Leaf:
    """One exercise in a learner's file: what is asked, and the code below.

    ``cells`` are those of a notebook, when it is new.
    """

    text: str
    code: str
    cells: tuple[dict[str, Any], ...] = ()

    @classmethod
    def of_lines(cls, lines: Sequence[str]) -> Leaf:
        """A block of a Python file: the comments at its top are its text."""
        count = next((n for n, line in enumerate(lines) if not line.startswith("#")), len(lines))
        return cls("\n".join(lines[:count]), "\n".join(lines[count:]))

    def as_data(self) -> list[str]:
        return [self.text, self.code]

    def same(self, other: Leaf) -> bool:
        """Whether both say the same, ends of lines and blank lines around them aside."""
        return _bare(self.text) == _bare(other.text) and _bare(self.code) == _bare(other.code)

    def starts_with(self, other: Leaf) -> bool:
        """Whether the text is the other's, with or without more below."""
        mine, theirs = _bare(self.text), _bare(other.text)
        return mine == theirs or mine.startswith(theirs + "\n")

    def with_text(self, old: Leaf, new: Leaf) -> Leaf:
        """This code, with the other text in the place of the old one."""
        more = _bare(self.text).removeprefix(_bare(old.text))
        return Leaf(new.text + more, self.code, self.cells)


def _bare(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.split("\n")).strip("\n")


class TextFile:
    """A Python file in percent format.

    Raises:
        LoomError: it cannot be read, or is not UTF-8.
    """

    def __init__(self, path: Path) -> None:
        content = read_bytes(path)
        try:
            text = content.decode()
        except UnicodeDecodeError as error:
            raise fail("is not UTF-8, so nothing can be put into it", "save it as UTF-8", path=path,
                       line=content[:error.start].count(b"\n") + 1) from None
        self.end = "\r\n" if "\r\n" in text else "\n"
        lines = text.split("\n")
        head, blocks = cut([line.rstrip("\r") for line in lines])
        # the head, then each block's id and lines, in order
        self.parts: list[tuple[str | None, list[str]]] = [(None, lines[:head])]
        self.parts += [(b.id, lines[b.first - 1:b.last]) for b in blocks]

    def names(self) -> list[str]:
        """The ids of its exercises, in order."""
        return [name for name, _ in self.parts if name is not None]

    def leaf(self, name: str) -> Leaf | None:
        """An exercise of it, the first if there are two of that id."""
        for found, lines in self.parts:
            if found == name:
                return Leaf.of_lines([line.rstrip("\r") for line in lines])
        return None

    def whole(self, name: str) -> str:
        """All that it holds of an exercise, twice if it is there twice."""
        return "\n".join("\n".join(lines).replace("\r", "").rstrip() + "\n"
                         for found, lines in self.parts if found == name)

    def replace(self, name: str, leaf: Leaf) -> None:
        """Put another text in the place of an exercise's, of every one of that id."""
        first = next(n for n, (found, _) in enumerate(self.parts) if found == name)
        self.parts[first] = (name, self._lines(leaf))
        self.parts = [part for n, part in enumerate(self.parts) if part[0] != name or n == first]

    def insert(self, name: str, leaf: Leaf, before: Sequence[str]) -> None:
        """Add an exercise, before the first of some others that is there, or at the end."""
        names = [found for found, _ in self.parts]
        place = next((names.index(other) for other in before if other in names), len(self.parts))
        ahead = self.parts[place - 1][1]
        while ahead and not ahead[-1].strip():
            ahead.pop()
        ahead += [self.end.rstrip("\n")] * (2 if ahead else 0)
        self.parts.insert(place, (name, self._lines(leaf)))

    def _lines(self, leaf: Leaf) -> list[str]:
        back = self.end.rstrip("\n")
        rows = f"{leaf.text}\n{leaf.code}".rstrip().split("\n")
        return [row + back for row in rows] + [back, back]

    def content(self) -> str:
        """The file's new text."""
        text = "\n".join("\n".join(lines) for _, lines in self.parts if lines)
        return text.rstrip("\r\n") + self.end


class NotebookFile:
    """A notebook.

    Raises:
        LoomError: it cannot be read, or is no notebook.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        again = "save it again from Jupyter, or move it away: `loom start` writes a new one"
        try:
            self.data: dict[str, Any] = json.loads(read_bytes(path, OUTPUTS).decode("utf-8-sig"))
            self.cells: list[dict[str, Any]] = self.data["cells"]
            self.found = [_id_of(cell) for cell in self.cells]
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise fail("is not a notebook", again, path=path) from None

    def names(self) -> list[str]:
        return [name for name in self.found if name]

    def leaf(self, name: str) -> Leaf | None:
        if name not in self.found:
            return None
        text = self._statement(name)
        return Leaf(_source(text) if text else "", _source(self.cells[self.found.index(name)]))

    def whole(self, name: str) -> str:
        return "\n".join(_source(cell) + "\n" for cell, found in
                         zip(self.cells, self.found, strict=True) if found == name)

    def replace(self, name: str, leaf: Leaf) -> None:
        place = self.found.index(name)
        _, blocks = cut(_source(self.cells[place]).split("\n"))
        if len({block.id for block in blocks}) > 1:
            raise fail(f"cell {place + 1} holds more than one exercise",
                       "split it in Jupyter, so that each starts a cell of its own",
                       path=self.path)
        statement = self._statement(name)
        if statement is not None:
            statement["source"] = leaf.text.splitlines(keepends=True)
        if _source(self.cells[place]) != leaf.code:
            self.cells[place].update(source=leaf.code.splitlines(keepends=True), outputs=[],
                                     execution_count=None)
        for n in reversed(range(place + 1, len(self.cells))):
            if self.found[n] == name:
                del self.cells[n], self.found[n]

    def insert(self, name: str, leaf: Leaf, before: Sequence[str]) -> None:
        place = len(self.cells)
        for other in before:
            if other in self.found:
                place = self.found.index(other)
                statement = self._statement(other)
                if statement is not None and self.cells.index(statement) < place:
                    place = self.cells.index(statement)
                break
        for cell in reversed(leaf.cells):
            self.cells.insert(place, cell)
            self.found.insert(place, _id_of(cell))

    def _statement(self, name: str) -> dict[str, Any] | None:
        return next((c for c in self.cells if c.get("id") == f"{name}-statement"), None)

    def content(self) -> str:
        return json.dumps(self.data, ensure_ascii=False, indent=1) + "\n"


def _source(cell: dict[str, Any]) -> str:
    source = cell.get("source", "")
    return "".join(source) if isinstance(source, list) else str(source)


def _id_of(cell: dict[str, Any]) -> str:
    """The id of the exercise whose marker a cell starts with, or nothing."""
    if cell.get("cell_type") != "code":
        return ""
    _, blocks = cut(_source(cell).split("\n"))
    return blocks[0].id if blocks else ""
