"""What a name in a module means: where it comes from, and whether it is there in time."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path, PurePosixPath

from loom.book.chapter import Cell, Chapter
from loom.book.toc import PACKAGE
from loom.errors import LoomError, Place, Problem, fail
from loom.tangle.drafts import Draft, Item, near
from loom.tangle.imports import Import, cycle_in, dotted, read_imports
from loom.tangle.names import KNOWN


def resolve(drafts: Mapping[PurePosixPath, Draft], chapters: Sequence[Chapter],
            ) -> dict[tuple[Path, int], tuple[Import, ...]]:
    """Settle every import of every module, and check every name.

    A module imports what its text uses. What an earlier cell of the same
    chapter puts into another module, the notebook has without an import; the
    module gets one.

    Returns:
        Those added imports, by the path and index of the cell that needs them.

    Raises:
        LoomError: names that are nowhere, or only in a later chapter; two
            meanings of one name; modules that import each other.
    """
    resolver = _Resolver(drafts)
    for draft in drafts.values():
        resolver.settle(draft)
    resolver.check_plain_cells(chapters)
    if not resolver.problems:
        resolver.check_cycles()
    if resolver.problems:
        raise LoomError(resolver.problems)
    return {key: tuple(found) for key, found in resolver.added.items()}


class _Resolver:
    """Goes from module to module, and collects what is wrong."""

    def __init__(self, drafts: Mapping[PurePosixPath, Draft]) -> None:
        self.drafts = drafts
        self.modules = {dotted(path): draft for path, draft in drafts.items()}
        self.problems: list[Problem] = []
        self.added: dict[tuple[Path, int], list[Import]] = {}
        self.by_chapter: dict[tuple[int, str], PurePosixPath] = {}
        for path, draft in drafts.items():
            for name, item in draft.first.items():
                self.by_chapter.setdefault((item.chapter.position, name), path)

    def settle(self, draft: Draft) -> None:
        """Keep the imports that the module's text uses, add those it lacks."""
        own = dotted(draft.path)
        kept: dict[str, tuple[Import, Item]] = {}
        imports: list[tuple[Import, Item]] = []
        for i, item in draft.imports:
            if i.module.split(".")[0] == PACKAGE:
                self.check_available(i, item.chapter, item.cell, own)
            if i.module == own:
                continue
            other = kept.setdefault(i.binds, (i, item))[0]
            if _source(other) != _source(i) and not _parts_of_one(i, other):
                self.problems.append(Problem(
                    i.place, f"`{i}` and `{other}`: one name for two things in {draft.path}",
                    f"the other is at {other.place}; import it the same way everywhere, or "
                    "under two names"))
            elif i.binds in draft.first:
                self.problems.append(Problem(
                    i.place, f"`{i}`, but {draft.path} defines `{i.binds}` itself",
                    f"at {draft.first[i.binds].place}; import it under another name"))
            imports.append((i, item))
        draft.imports = imports
        self._check_names(draft)
        live = [item for top in draft.items for item in (top, *top.members)]
        used = {name for item in live for name in _used(item)}
        draft.imports = [(i, item) for i, item in draft.imports if i.binds in used or i.kept]

    def _check_names(self, draft: Draft) -> None:
        """Find every name that the module's text uses; add imports from the same chapter."""
        earliest = {i.binds: item for i, item in reversed(draft.imports)}
        told: set[tuple[str, str]] = set()
        for item in [inner for top in draft.every for inner in (top, *top.members)]:
            for name in sorted(_used(item)):
                source = draft.first.get(name) or earliest.get(name)
                early = source is not None and source.chapter.position > item.chapter.position
                if (source is not None and not early) or name in KNOWN:
                    continue
                added = self._from_same_chapter(draft, item, name)
                if added is not None:
                    draft.imports.append((added, item))
                    earliest[name] = item
                    self.added.setdefault((item.cell.path, item.cell.index), []).append(added)
                elif source is not None:
                    self._too_early(item, name, source)
                elif name not in item.uses.quoted and (item.piece.name, name) not in told:
                    told.add((item.piece.name, name))
                    self._unknown(draft, item, name)

    def _from_same_chapter(self, draft: Draft, item: Item, name: str) -> Import | None:
        module = self.by_chapter.get((item.chapter.position, name))
        if module is None or module == draft.path:
            return None
        return Import(dotted(module), name, place=_place_of(item, name))

    def _too_early(self, item: Item, name: str, source: Item) -> None:
        self.problems.append(Problem(
            _place_of(item, name),
            f"uses `{name}`, which first exists in a later chapter, at {source.place}",
            f"build `{name}` before {item.chapter.name}, or do without it here"))

    def _unknown(self, draft: Draft, item: Item, name: str) -> None:
        home = next((d for d in self.drafts.values() if name in d.first), None)
        place = _place_of(item, name)
        if home is not None and home.first[name].chapter.position > item.chapter.position:
            self._too_early(item, name, home.first[name])
            return
        seen = next((i for c in item.chapter.cells for i in _imports_of(c)
                     if i.binds == name and i.module != "__future__"), None)
        if seen is not None:
            remedy = f"add `{Import(seen.module, seen.name, seen.alias)}` to this cell"
        elif home is not None:
            remedy = f"add `from {dotted(home.path)} import {name}` to this cell"
        else:
            remedy = near(name, [*draft.first, *(i.binds for i, _ in draft.imports)]) \
                or "define or import it in a cell of the module"
        self.problems.append(Problem(
            place, f"uses `{name}`, which nothing in {draft.path} defines or imports", remedy))

    def check_available(self, i: Import, chapter: Chapter, cell: Cell, own: str = "") -> None:
        """Check that a notebook can import this: it sees the package of the chapter before."""
        module, name = i.module, i.name
        if name and f"{module}.{name}" in self.modules:
            module, name = f"{module}.{name}", None
        draft = self.modules.get(module)
        if draft is None:
            if module != PACKAGE or name is not None:
                known = [dotted(path) for path in self.drafts]
                if not any(k.startswith(f"{module}.") for k in known) or name is not None:
                    self.problems.append(Problem(
                        i.place, f"`{i}`: the book makes no such module",
                        near(module.partition(".")[2], [k.partition(".")[2] for k in known])
                        or "name a module that an earlier chapter tangles"))
            return
        source = draft.every[0] if name is None and draft.every else draft.first.get(name or "")
        if source is None:
            source = next((item for j, item in draft.imports if j.binds == name and j.kept), None)
        if source is None:
            if name is not None:
                self.problems.append(Problem(
                    i.place, f"`{i}`: {draft.path} has no `{name}`",
                    near(name, draft.first) or "name what an earlier chapter defines"))
        elif source.chapter.position > chapter.position:
            self.problems.append(Problem(
                i.place, f"`{i}`, which first exists in a later chapter, at {source.place}",
                f"build it before {chapter.name}, or do without it here"))
        elif source.chapter.position == chapter.position and not i.typing:
            self.problems.append(Problem(
                i.place, f"`{i}`, which this chapter itself builds, at {source.place}",
                "drop the import: the notebook already has the name, and tangling writes "
                "the module's import"))

    def check_plain_cells(self, chapters: Sequence[Chapter]) -> None:
        """Check the package's names that plain cells import."""
        for chapter in chapters:
            for cell in chapter.cells:
                if cell.target is None and PACKAGE in cell.source:
                    for i in _imports_of(cell):
                        if i.module.split(".")[0] == PACKAGE:
                            self.check_available(i, chapter, cell)

    def check_cycles(self) -> None:
        """Refuse modules that import each other."""
        edges: dict[str, dict[str, Import]] = {}
        for path, draft in self.drafts.items():
            for i, _ in draft.imports:
                if not i.typing:
                    target = f"{i.module}.{i.name}"
                    target = target if target in self.modules else i.module
                    if target in self.modules:
                        edges.setdefault(dotted(path), {})[target] = i
        chain = cycle_in(edges)
        if chain:
            links = [edges[one][other] for one, other in pairwise(chain)]
            self.problems.append(Problem(
                links[-1].place, "modules import each other: " + " → ".join(chain),
                "the imports stand at " + ", ".join(str(i.place) for i in links)
                + "; move what both need into a third module, or import for types only, "
                "under `if TYPE_CHECKING:`"))


def _source(i: Import) -> tuple[str, str | None]:
    return (i.module, i.name)


def _parts_of_one(i: Import, other: Import) -> bool:
    """``import a`` and ``import a.b`` bind one ``a``."""
    return i.name is other.name is i.alias is other.alias is None


def _used(item: Item) -> set[str]:
    """The names an item uses; the decorator that makes it grow is none of them."""
    return item.uses.all - {"extends"} if item.grown else item.uses.all


def _place_of(item: Item, name: str) -> Place:
    """The first line of an item on which it uses a name."""
    for node in ast.walk(item.piece.node):
        if isinstance(node, ast.Name) and node.id == name:
            return item.cell.place(node.lineno)
    return item.place


def _imports_of(cell: Cell) -> Iterator[Import]:
    """Every import of a cell; a cell with notebook magics is read without them.

    A cell that is handed to a magic as a whole (``%%writefile``, ``%%bash``)
    is not this notebook's Python.
    """
    source = cell.source
    if "import" not in source or re.match(r"%%(?!(time|timeit|capture|prun)\b)", source):
        return
    try:
        tree = ast.parse(source)
    except SyntaxError:
        lines = [line if line.startswith(("import ", "from ")) else "" for line in
                 source.split("\n")]
        try:
            tree = ast.parse("\n".join(lines))
        except SyntaxError:
            return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from read_imports(node, cell.place())


def arrange(items: Sequence[Item]) -> list[Item]:
    """Order a module's items so that it can be imported.

    The book's order stays, except that what a class needs in order to be
    made comes before it: a decorator of a method that grew on it in a later
    cell, with the functions that this decorator calls.

    Raises:
        LoomError: two items that each need the other first.
    """
    by_name = {name: item for item in items for name in item.names}
    done: dict[Item, None] = {}
    doing: dict[Item, tuple[Item, Item]] = {}  # what is being made: its part, what that needs
    ready: set[Item] = set()

    def needs(item: Item) -> Iterator[tuple[Item, Item]]:
        for part in (item, *item.members):
            for name in part.uses.at_import:
                other = by_name.get(name)
                if other is not None and (other is not item or part.grown) \
                        and other.since <= part.since:
                    yield part, other

    def place(item: Item) -> None:
        if item in done:
            return
        for part, other in sorted(needs(item), key=lambda pair: items.index(pair[1])):
            doing[item] = part, other
            if other in doing:
                raise _cannot_be_made(other, *doing[other])
            make_ready(other, part.since)
        doing.pop(item, None)
        done[item] = None

    def make_ready(item: Item, since: int) -> None:
        """Place an item, and what its body looks up when it runs."""
        place(item)
        if item in ready:
            return
        ready.add(item)
        for part in (item, *item.members):
            for name in sorted(part.uses.later):
                other = by_name.get(name)
                if other is not None and other not in doing and other.since < since:
                    make_ready(other, since)

    for item in sorted(items, key=lambda item: item.piece.kind == "main"):
        place(item)
    return list(done)


def _cannot_be_made(whole: Item, part: Item, other: Item) -> LoomError:
    name, needed = (part.names or ("a statement",))[0], (other.names or ("a statement",))[0]
    made = whole.names[0]
    because = "" if needed == made else f", and `{needed}`, at {other.place}, needs `{made}`"
    return fail(f"`{name}` needs `{needed}` while `{made}` is being made{because}",
                "look the name up when the function runs: use None as the default",
                path=part.cell.path, line=part.place.line)
