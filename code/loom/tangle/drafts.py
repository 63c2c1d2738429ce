"""Every tangled cell finds its place: at the end of its module, in a class of it,
or in the stead of what it replaces.
"""

from __future__ import annotations

import ast
import difflib
import re
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from loom.book.chapter import Cell, Chapter
from loom.book.toc import PACKAGE
from loom.errors import Place, Problem
from loom.tangle.imports import Import, read_imports
from loom.tangle.names import PRIVATE, Uses, bare_super, private_names, uses_in
from loom.tangle.pieces import (
    SECTION_MARK,
    Cut,
    Piece,
    continues,
    cut,
    is_overload,
)

# Members that Python looks at while it makes the class: added afterwards, as
# a notebook adds them, they would do something else.
MADE_WITH_CLASS = frozenset({"__new__", "__init_subclass__", "__class_getitem__",
                             "__post_init__", "__slots__", "__prepare__"})
WIDEST = 200  # columns of a line that an error still shows


@dataclass(eq=False)
class Item:
    """A piece that has found its place: in a module, or in a class of it."""

    piece: Piece
    cell: Cell
    chapter: Chapter
    source: Cut
    owner: str = ""  # the class it is a member of
    action: str = "defines"
    since: int = 0  # when its name first came to be
    members: list[Item] = field(default_factory=list)

    @property
    def grown(self) -> bool:
        return bool(self.owner) and self.piece.grows is not None

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(f"{self.owner}.{n}" if self.owner else n for n in self.piece.names)

    @property
    def uses(self) -> Uses:
        return uses_in(self.cell.source)[self.piece]

    @property
    def place(self) -> Place:
        return self.cell.place(self.piece.node.lineno)


@dataclass(eq=False)
class Draft:
    """A module in the making."""

    path: PurePosixPath
    docstring: Item | None = None
    items: list[Item] = field(default_factory=list)
    imports: list[tuple[Import, Item]] = field(default_factory=list)
    by_name: dict[str, list[Item]] = field(default_factory=dict)
    first: dict[str, Item] = field(default_factory=dict)  # every name's first definition
    every: list[Item] = field(default_factory=list)  # replaced ones too
    chapters: list[Chapter] = field(default_factory=list)

    def drop(self, item: Item) -> None:
        """Take a replaced item out, a class with all its members."""
        siblings = self.by_name[item.owner][0].members if item.owner else self.items
        siblings.remove(item)
        for name in item.names:
            if item in self.by_name.get(name, ()):
                self.by_name[name].remove(item)
                if not self.by_name[name]:
                    del self.by_name[name]
            for inner in [n for n in self.by_name if n.startswith(f"{name}.")]:
                del self.by_name[inner]


def near(name: str, known: Iterable[str]) -> str:
    """A remedy: the known name that looks most like this one."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"did you mean `{close[0]}`?" if close else ""


class Maker:
    """Puts cell after cell into the drafts, and collects what is wrong."""

    def __init__(self) -> None:
        self.drafts: dict[PurePosixPath, Draft] = {}
        self.problems: list[Problem] = []
        self.clock = 0

    def problem(self, cell: Cell, line: int, what: str, remedy: str) -> None:
        self.problems.append(Problem(cell.place(line), what, remedy))

    def add(self, chapter: Chapter, cell: Cell) -> None:
        """Put every piece of a cell where it belongs."""
        assert cell.target is not None
        source = self._cut(cell)
        if source is None:
            return
        draft = self.drafts.get(cell.target) or self._open(cell.target, cell)
        opening = not draft.chapters
        if chapter not in draft.chapters:
            draft.chapters.append(chapter)
        replaceable = set(draft.by_name)
        for piece in source.pieces:
            self.clock += 1
            item = Item(piece, cell, chapter, source, since=self.clock)
            if piece.kind == "import":
                self._add_imports(draft, item)
            elif piece.kind == "docstring" and opening:
                draft.docstring = item
            elif piece.kind == "docstring":
                self.problem(cell, piece.start, f"{draft.path} already has a docstring",
                             "only the first cell of a module may start with one")
            elif piece.grows is not None or _uses_extends(piece):
                self._grow(draft, item)
            else:
                self._define(draft, item, draft.items)
        made = {name for item in draft.every if item.cell is cell for name in item.names}
        for name in cell.replaces:
            if name not in replaceable:
                self.problem(cell, cell.fence - cell.line + 1,
                             f"`:replaces: {name}`, but {draft.path} has no `{name}` to replace",
                             near(name, replaceable)
                             or "drop the option, or name what an earlier cell defines")
            elif name not in made:
                self.problem(cell, cell.fence - cell.line + 1,
                             f"`:replaces: {name}`, but the cell does not define `{name}`",
                             near(name, made) or f"define `{name}` here, or drop the option")

    def _cut(self, cell: Cell) -> Cut | None:
        """The cell in pieces, None if something keeps it from being cut."""
        before = len(self.problems)
        try:
            source = cut(cell.source)
            uses_in(cell.source)
            with warnings.catch_warnings():
                warnings.simplefilter("error", SyntaxWarning)  # becomes a SyntaxError
                compile(cell.source, cell.path.name, "exec", dont_inherit=True)
        except SyntaxError as error:
            self._syntax(cell, error)
            return None
        if not source.pieces:
            self.problem(cell, 1, "a tangled cell without a statement",
                         "drop `:tangle:`, or write what belongs to the module")
        for line in source.shared:
            self.problem(cell, line, "two statements on one line",
                         "give each statement of a tangled cell its own line")
        for line in source.loose:
            self.problem(cell, line, "a comment below which nothing follows",
                         "put it above what it is about")
        for line, text in enumerate(source.lines, 1):
            if "# §" in text and SECTION_MARK.match(text):
                self.problem(cell, line, f"the comment `{text.strip()}` looks like a section mark",
                             "word it differently: loom writes these marks itself")
        for piece in source.pieces:
            if piece.kind in ("import", "docstring"):
                lines = source.lines[piece.start - 1:piece.last]
                beside = piece.kind == "import" and any("#" in text for text in lines)
                if piece.first < piece.start or beside:
                    self.problem(cell, piece.first, f"a comment at {_a(piece.kind)} would be lost",
                                 "put it above the definition that it is about")
        return source if len(self.problems) == before else None

    def _syntax(self, cell: Cell, error: SyntaxError) -> None:
        line = error.lineno or 1
        lines = cell.source.split("\n")
        text = lines[line - 1] if line <= len(lines) else ""
        magic = next((n for n, t in enumerate(lines, 1) if re.match(r"\s*(%%?[A-Za-z]|!)", t)
                      or re.match(r"\s*(\?+[\w.]+|[\w.]+\?+)\s*$", t)), None)
        if magic is not None:
            self.problem(cell, magic,
                         f"notebook magic in a tangled cell: `{lines[magic - 1].strip()}`",
                         "move it to a cell without `:tangle:`: a module is plain Python")
            return
        column = max((error.offset or 1) - 1, 0)
        shown = f"\n        {text}\n        {' ' * column}^" if len(text) < WIDEST else ""
        self.problem(cell, line, f"syntax error: {error.msg}{shown}", "mend the cell")

    def _open(self, path: PurePosixPath, cell: Cell) -> Draft:
        """Begin a module."""
        for other in self.drafts:
            for short, long in ((path, other), (other, path)):
                if short.with_suffix("") in long.parents:
                    self.problem(cell, cell.fence - cell.line + 1,
                                 f"{short} and {long}: a module and a folder of one name",
                                 f"call the module {short.with_suffix('') / '__init__.py'}")
        self.drafts[path] = Draft(path)
        return self.drafts[path]

    def _add_imports(self, draft: Draft, item: Item) -> None:
        for i in read_imports(item.piece.node, item.cell.place()):
            line = (i.place.line or 0) - item.cell.line + 1 if i.place else 1
            if i.module.startswith("."):
                self.problem(item.cell, line, f"relative import: `{i}`",
                             f"write `from {PACKAGE}.… import …`: a notebook has no package "
                             "to be relative to")
            elif i.name == "*":
                self.problem(item.cell, line, f"`{i}` hides what is imported",
                             "name what the module uses")
            elif i.module.split(".")[0] == "loom":
                if (i.module, i.name, i.alias) != ("loom.extends", "extends", None):
                    self.problem(item.cell, line, f"`{i}`: {PACKAGE} never imports loom",
                                 "only `from loom.extends import extends` may stand in a cell; "
                                 "tangling removes it")
            elif i.module != "__future__":
                draft.imports.append((i, item))

    def _define(self, draft: Draft, item: Item, siblings: list[Item]) -> None:
        """Give an item its place: at the end, beside its namesake or in its stead."""
        before = {name: list(draft.by_name[name]) for name in item.names if name in draft.by_name}
        at = len(siblings)
        for name, namesakes in before.items():
            last = namesakes[-1]
            if continues(item.piece) or (is_overload(last.piece) and last.cell is item.cell):
                at = siblings.index(last) + 1 if name.rpartition(".")[2] != "_" else at
            elif name in item.cell.replaces and last.cell is not item.cell:
                item.since = min(old.since for old in namesakes)
                item.action = "replaces"
                for old in namesakes:
                    if old in siblings:
                        at = min(at, siblings.index(old))
                        draft.drop(old)
            else:
                self._duplicate(item, name, last)
                return
        siblings.insert(at, item)
        draft.every.append(item)
        for name in item.names:
            draft.by_name.setdefault(name, []).append(item)
            draft.first.setdefault(name, item)
        if item.piece.kind == "class" and not item.owner:
            for piece in item.piece.members:
                member = Item(piece, item.cell, item.chapter, item.source, item.piece.name,
                              since=item.since)
                item.members.append(member)
                for name in member.names:
                    draft.by_name.setdefault(name, []).append(member)

    def _duplicate(self, item: Item, name: str, other: Item) -> None:
        if other.cell is item.cell:
            remedy = "keep one of the two: a module defines a name once"
        else:
            remedy = (f"write `:replaces: {name}` under `:tangle:` if this one is to take the "
                      "other's place, or give it another name")
        self.problem(item.cell, item.piece.node.lineno,
                     f"`{name}` is already defined in {item.cell.target}, at {other.place}", remedy)

    def _grow(self, draft: Draft, item: Item) -> None:
        """Put a piece with ``@extends(Class)`` into the body of its class."""
        piece, cell = item.piece, item.cell
        cls = piece.grows
        if not isinstance(cls, ast.Name):
            self.problem(cell, piece.start, "`@extends` needs one class, by its name",
                         "write `@extends(Class)` for a class of this module")
            return
        owner = next((i for i in draft.by_name.get(cls.id, ()) if i.piece.kind == "class"), None)
        if owner is None:
            elsewhere = next((d.path for d in self.drafts.values() if cls.id in d.by_name), None)
            classes = [i.piece.name for d in self.drafts.values() for i in d.items
                       if i.piece.kind == "class"]
            self.problem(
                cell, piece.start, f"`@extends({cls.id})`: {draft.path} has no class `{cls.id}`",
                f"it lives in {elsewhere}: write `:tangle: {elsewhere}`" if elsewhere else
                near(cls.id, classes) or "define the class in an earlier cell of the module")
            return
        if self._fits(item, owner):
            item.owner, item.action = cls.id, "adds"
            self._define(draft, item, owner.members)

    def _fits(self, item: Item, owner: Item) -> bool:
        """Whether a member means in the class body what it means in the cell."""
        piece, cell, cls = item.piece, item.cell, owner.piece.name
        before = len(self.problems)
        decorators = getattr(piece.node, "decorator_list", [])
        if piece.grows is not getattr(decorators[0], "args", [None])[0]:
            self.problem(cell, piece.start, f"`@extends({cls})` is not the outermost decorator",
                         "put it above the others")
        elif "#" in item.source.lines[piece.start - 1]:
            self.problem(cell, piece.start, "a comment beside `@extends` would be lost",
                         "put it above the decorator")
        if not owner.piece.is_open:
            self.problem(cell, piece.start, f"`{cls}` grows, but its body stands on its first line",
                         f"give the body of `{cls}` its own line, at {owner.place}")
        text = "\n".join(item.source.lines[piece.start - 1:piece.last])
        for name, line in private_names(piece.node) if re.search(PRIVATE, text) else ():
            self.problem(cell, line, f"`{name}` would be spelled `_{cls.lstrip('_')}{name}` "
                         f"inside the body of `{cls}`", f"use one underscore: `{name[1:]}`")
        line_of_super = bare_super(piece.node) if re.search("super|__class__", text) else None
        if line_of_super is not None:
            self.problem(cell, line_of_super,
                         "`super()` without arguments fails in a method that grows on its class",
                         f"call the base class by its name, or write the method in the cell "
                         f"that defines `{cls}`")
        if piece.name in MADE_WITH_CLASS:
            self.problem(cell, piece.start, f"`{piece.name}` works only inside the class statement",
                         f"write it in the cell that defines `{cls}`, at {owner.place}")
        taken = {name for member in owner.members for name in member.piece.names} | {piece.name}
        if piece.name == "__eq__" and "__hash__" not in taken:
            self.problem(cell, piece.start,
                         f"`__eq__` in the body of `{cls}` makes it unhashable, unlike in the "
                         "notebook", f"define `__hash__` in `{cls}` first")
        for name in sorted((item.uses.at_import | item.uses.hints) & taken):
            self.problem(cell, piece.node.lineno,
                         f"`{name}` in a default, decorator or annotation would mean "
                         f"`{cls}.{name}` inside the class",
                         "give it another name first, or use None as the default")
        return len(self.problems) == before


def _uses_extends(piece: Piece) -> bool:
    """Whether a decorator calls ``extends`` in a way that ``cut`` cannot read."""
    return any("extends" in (getattr(node, "id", ""), getattr(node, "attr", ""))
               for decorator in getattr(piece.node, "decorator_list", [])
               for node in ast.walk(decorator))


def _a(kind: str) -> str:
    return "an import" if kind == "import" else f"a {kind}"
