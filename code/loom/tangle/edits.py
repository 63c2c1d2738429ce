"""Edits of a chapter's lines, and of the imports in a cell."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from loom.book.chapter import Cell, Chapter
from loom.tangle.imports import Import, by_name, print_from, read_imports
from loom.tangle.pieces import Piece, cut


@dataclass(frozen=True)
class Edit:
    """Lines of a chapter, first to last (last < first: none), that become others."""

    path: Path
    first: int
    last: int
    lines: tuple[str, ...]

    @property
    def growth(self) -> int:
        """By how many lines the chapter gets longer."""
        return len(self.lines) - max(self.last - self.first + 1, 0)


def edited_text(chapter: Chapter, edits: Iterable[Edit]) -> str:
    """A chapter's text after those of the edits that are its own."""
    lines = chapter.text.split("\n")
    own = [edit for edit in edits if edit.path == chapter.path]
    # From the bottom up; where lines are replaced and others come above, these last.
    order = [(edit.first, edit.last >= edit.first, n) for n, edit in enumerate(own)]
    for _, _, n in sorted(order, reverse=True):
        edit = own[n]
        lines[edit.first - 1:max(edit.last, edit.first - 1)] = edit.lines
    return "\n".join(lines)


def edit_imports(cell: Cell, add: Sequence[Import], drop: set[Import]) -> Iterator[Edit]:
    """The edits that give a cell the imports it lacks and take others away."""
    pieces = cut(cell.source).pieces
    todo = list(add)
    last: Piece | None = None
    for piece in pieces:
        if piece.kind != "import":
            continue
        last = piece
        old = list(read_imports(piece.node))
        new = [i for i in old if i not in drop]
        joining = [i for i in todo if _joins(i, piece.node)] if new else []
        todo = [i for i in todo if i not in joining]
        in_order = new == sorted(new, key=by_name)
        new = sorted(new + joining, key=by_name) if in_order else new + joining
        if new != old:
            yield Edit(cell.path, cell.line + piece.first - 1, cell.line + piece.last - 1,
                       tuple(_statements(new)))
    if any(i.typing for i in todo):
        todo.append(Import("typing", "TYPE_CHECKING"))
    lines = tuple(_statements(todo))
    if lines and last is not None:
        line = cell.line + last.last
        yield Edit(cell.path, line, line - 1, lines)
    elif lines:
        below = next((p for p in pieces if p.kind != "docstring"), pieces[-1])
        line = cell.line + below.first - 1
        space = ("", "") if below.is_definition else ("",)
        yield Edit(cell.path, line, line - 1, (*lines, *space))


def _joins(i: Import, node: ast.stmt) -> bool:
    """Whether an import statement, or a block of them, can take another name."""
    if i.typing:
        return isinstance(node, ast.If)
    return isinstance(node, ast.ImportFrom) and i.name is not None and i.module == node.module


def _statements(imports: Sequence[Import]) -> Iterator[str]:
    """Import statements for these names, as a cell writes them."""
    plain = [i for i in imports if not i.typing]
    typed = [i for i in imports if i.typing]
    for module in dict.fromkeys(i.module for i in plain):
        names = [i for i in plain if i.module == module and i.name is not None]
        yield from (str(i) for i in plain if i.module == module and i.name is None)
        if names:
            yield from (line for line, _ in print_from(names, ""))
    if typed:
        yield from ["", "if TYPE_CHECKING:"] if plain else ["if TYPE_CHECKING:"]
        yield from (f"    {i}" for i in typed)
