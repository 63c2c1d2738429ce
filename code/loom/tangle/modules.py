"""From chapters to modules: every tangled cell finds its place in the package.

``tangle`` is pure: chapters in, the text of every module out, together with
the map between the two. A module reads like the pages it came from: a
docstring, the imports its text uses, then the definitions in the order of the
book, each group below the label of its section (``# § sec-softmax``).
"""

from __future__ import annotations

import ast
import gc
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import wraps
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import ParamSpec, TypeVar

from loom.book.chapter import Cell, Chapter
from loom.book.toc import PACKAGE
from loom.errors import LoomError, Place
from loom.tangle.drafts import Draft, Item, Maker
from loom.tangle.imports import Import, dotted, print_imports
from loom.tangle.names import root_of
from loom.tangle.pieces import (
    Piece,
    cut,
    frozen_lines,
    is_overload,
    is_placeholder,
)
from loom.tangle.scope import arrange, resolve

P = ParamSpec("P")
R = TypeVar("R")
FUTURE = "from __future__ import annotations"
ABOUT = f'''"""{PACKAGE}: the language model that the book builds.

Every module here is tangled from the cells of the book's chapters. Edit the
chapters and run `loom tangle`, or edit here and run `loom sync`.
"""
'''


@dataclass(frozen=True)
class Definition:
    """A definition of the package and the lines it takes up on either side."""

    module: PurePosixPath
    name: str  # "softmax", "Tensor.backward"
    kind: str  # "function", "class" or "constant"
    action: str  # "defines", "adds" or "replaces"
    chapter: Chapter
    cell: Cell
    first: int  # its lines in the module, comments above included
    last: int
    source_first: int  # its lines in the chapter
    source_last: int


@dataclass(frozen=True)
class Package:
    """The tangled package, and where each of its lines comes from."""

    files: Mapping[PurePosixPath, str]
    definitions: tuple[Definition, ...] = ()
    origins: Mapping[PurePosixPath, tuple[Place | None, ...]] = field(default_factory=dict)
    added: Mapping[tuple[Path, int], tuple[Import, ...]] = field(default_factory=dict)
    born: Mapping[str, Chapter] = field(default_factory=dict)  # "scratchlm.x.y": first chapter

    def origin(self, module: PurePosixPath, line: int) -> Place | None:
        """The place in the book of a module's line, None where there is none."""
        lines = self.origins.get(module, ())
        return lines[line - 1] if 0 < line <= len(lines) else None

    def landings(self, place: Place) -> list[tuple[PurePosixPath, int]]:
        """The lines of the package that a line of a chapter became."""
        return [(module, n) for module, lines in self.origins.items()
                for n, origin in enumerate(lines, 1) if origin == place]


def _without_collector(function: Callable[P, R]) -> Callable[P, R]:
    """Spare Python the search for garbage among syntax trees that all stay."""
    @wraps(function)
    def quick(*args: P.args, **kwargs: P.kwargs) -> R:
        was_on = gc.isenabled()
        gc.disable()
        try:
            return function(*args, **kwargs)
        finally:
            if was_on:
                gc.enable()

    return quick


@_without_collector
def tangle(chapters: Sequence[Chapter]) -> Package:
    """Make the package out of the tangled cells of chapters, in their order.

    Args:
        chapters: the book's chapters, or the first few of them for a snapshot.

    Raises:
        LoomError: every problem of every cell, each with its place.
    """
    maker = Maker()
    for chapter in chapters:
        for cell in chapter.cells:
            if cell.target is not None:
                maker.add(chapter, cell)
    if maker.problems:
        raise LoomError(maker.problems)
    added = resolve(maker.drafts, chapters)
    printer = _Printer(maker.drafts)
    for draft in maker.drafts.values():
        draft.items = arrange(draft.items)
        printer.print(draft)
    return Package(
        files=dict(sorted({**_init_files(maker.drafts), **printer.files}.items())),
        definitions=tuple(printer.definitions), origins=printer.origins, added=added,
        born=dict(_births(maker.drafts.values())))


def describe(cell: Cell, package: Package) -> str:
    """What a tangled cell does: "adds `backward` to `Tensor`", "defines `softmax`"."""
    try:
        pieces = cut(cell.source).pieces
    except SyntaxError:
        return ""
    defined: list[str] = []
    replaced: list[str] = []
    grown: dict[str, list[str]] = {}
    for piece in pieces:
        cls = piece.grows
        for name in piece.names:
            full = f"{cls.id}.{name}" if isinstance(cls, ast.Name) else name
            if full in cell.replaces:
                replaced.append(full)
            elif isinstance(cls, ast.Name):
                grown.setdefault(cls.id, []).append(name)
            else:
                defined.append(name)
    parts = [f"defines {_ticked(defined)}"] if defined else []
    parts += [f"adds {_ticked(names)} to `{cls}`" for cls, names in grown.items()]
    parts += [f"replaces {_ticked(replaced)}"] if replaced else []
    if not parts:
        parts = ["opens the module" if pieces and pieces[0].kind == "docstring"
                 else "runs when the module is imported"]
    for i in package.added.get((cell.path, cell.index), ()):
        parts.append(f"imports `{i.name}` from `{i.module}`")
    return "; ".join(parts)


def _births(drafts: Iterable[Draft]) -> Iterator[tuple[str, Chapter]]:
    """Every module and every name of a module, with the chapter that first makes it."""
    for draft in drafts:
        yield dotted(draft.path), draft.chapters[0]
        for name, item in draft.first.items():
            yield f"{dotted(draft.path)}.{name}", item.chapter


def _ticked(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in dict.fromkeys(names))


def _init_files(drafts: Iterable[PurePosixPath]) -> dict[PurePosixPath, str]:
    """The ``__init__.py`` of the package and of its subpackages."""
    files = {PurePosixPath("__init__.py"): ABOUT}
    for path in drafts:
        for folder in path.parents:
            if folder.name:
                files[folder / "__init__.py"] = f'"""{PACKAGE}.{".".join(folder.parts)}"""\n'
    return files


class _Printer:
    """Writes the drafts down, and remembers where every line comes from."""

    def __init__(self, drafts: Mapping[PurePosixPath, Draft]) -> None:
        self.drafts = drafts
        self.files: dict[PurePosixPath, str] = {}
        self.definitions: list[Definition] = []
        self.origins: dict[PurePosixPath, tuple[Place | None, ...]] = {}
        self.lines: list[tuple[str, Place | None]] = []
        self.label: str | None = None

    def print(self, draft: Draft) -> None:
        """Write one module."""
        self.lines, self.label = [], None
        if draft.docstring:
            self._piece(draft.docstring, 0)
        else:
            self.lines += [(text, None) for text in _generated_docstring(draft)]
        self.lines += [("", None), (FUTURE, None)]
        imports = print_imports(i for i, _ in draft.imports)
        if imports:
            self.lines += [("", None), *imports]
        previous: Item | None = None
        for item in draft.items:
            self._blank(_gap(previous, item))
            self._item(draft, item, "")
            previous = item
        self.files[draft.path] = "\n".join(text for text, _ in self.lines) + "\n"
        self.origins[draft.path] = tuple(origin for _, origin in self.lines)

    def _blank(self, count: int) -> None:
        self.lines += [("", None)] * count

    def _item(self, draft: Draft, item: Item, margin: str) -> None:
        first = len(self.lines) + 1
        self._mark(item, margin)
        if item.piece.is_open and not item.owner:
            self._class(draft, item)
        else:
            self._piece(item, len(margin) if item.grown else 0)
        kind = item.piece.kind if item.piece.is_definition else "constant"
        self.definitions += [
            Definition(draft.path, name, kind, item.action, item.chapter, item.cell, first,
                       len(self.lines), item.cell.line + item.piece.first - 1,
                       item.cell.line + item.piece.last - 1) for name in item.names]

    def _mark(self, item: Item, margin: str) -> None:
        """The label of the section, where it changes."""
        label, place = _section(item)
        if label != self.label:
            self.lines.append((f"{margin}# § {label}", place))
            self.label = label

    def _class(self, draft: Draft, item: Item) -> None:
        piece = item.piece
        self._lines(item, piece.first, piece.head, 0)
        members = item.members
        if any(m.grown for m in members):
            members = [m for m in members if not is_placeholder(m.piece)]
        margin = " " * piece.members[0].node.col_offset
        previous: Item | None = None
        for member in members:
            self._blank(_member_gap(item, previous, member))
            self._item(draft, member, margin)
            previous = member

    def _piece(self, item: Item, shift: int) -> None:
        self._lines(item, item.piece.first, item.piece.last, shift)

    def _lines(self, item: Item, first: int, last: int, shift: int) -> None:
        """Lines of a cell, moved to the right by ``shift`` where it is a grown member."""
        lines, node = item.source.lines, item.piece.node
        dropped: set[int] = set()
        renamed: dict[int, str] = {}
        still: set[int] = set()
        if item.grown:
            decorators = getattr(node, "decorator_list", [])
            dropped = set(range(decorators[0].lineno, (decorators[0].end_lineno or 0) + 1))
            renamed = {d.lineno: item.owner for d in decorators[1:] if root_of(d) == item.owner}
            still = frozen_lines(item.piece, lines)
        for line in range(first, last + 1):
            text = lines[line - 1]
            if line in dropped:
                continue
            if line in renamed:
                text = text.replace(f"@{renamed[line]}.", "@", 1)
            if shift and line not in still:
                text = " " * shift + text if text.strip() else ""
            self.lines.append((text, item.cell.place(line)))


def _section(item: Item) -> tuple[str, Place]:
    """The stable label of the section that an item stands in, and its heading."""
    section = item.cell.section
    above = [s for s in item.chapter.sections if s.line <= section.line]
    level = section.level
    for candidate in reversed(above):
        if candidate is section or candidate.level < level:
            if candidate.label:
                return candidate.label, Place(item.chapter.path, candidate.line)
            level = candidate.level
    return item.chapter.name, Place(item.chapter.path, section.line)


def _generated_docstring(draft: Draft) -> Iterator[str]:
    named = [f"Chapter {c.number}: {c.title}" if c.number is not None else c.title
             for c in draft.chapters]
    lines = [re.sub(r'[\\"]', "", line) for name in named for line in textwrap.wrap(name, 70)]
    if len(lines) == 1:
        return iter([f'"""{lines[0]}."""'])
    return iter(['"""Built in several chapters.' if len(named) > 1 else '"""Built in one chapter.',
                 "", *lines, '"""'])


def _gap(previous: Item | None, item: Item) -> int:
    """Blank lines above an item of a module."""
    if previous is None:
        return 2 if item.piece.is_definition else 1
    same = previous.cell is item.cell and _follows(previous.piece, item.piece, item.source.pieces)
    between = item.piece.first - previous.piece.last - 1
    if same and is_overload(previous.piece) and previous.piece.names == item.piece.names:
        return min(between, 2)
    if item.piece.is_definition or previous.piece.is_definition or item.piece.kind == "main":
        return 2
    return min(between, 2) if same else 1


def _member_gap(owner: Item, previous: Item | None, item: Item) -> int:
    """Blank lines above a member: as in the cell where the cell has both."""
    if item.grown:
        return 1 if previous else 0
    if previous is None:
        index = owner.piece.members.index(item.piece)
        return item.piece.first - owner.piece.head - 1 if index == 0 else 0
    if not previous.grown and _follows(previous.piece, item.piece, owner.piece.members):
        return item.piece.first - previous.piece.last - 1
    return 1 if item.piece.is_definition or previous.piece.is_definition else 0


def _follows(one: Piece, other: Piece, pieces: Sequence[Piece]) -> bool:
    return any(a is one and b is other for a, b in pairwise(pieces))
