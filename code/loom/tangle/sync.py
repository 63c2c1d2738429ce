"""From modules back to chapters: edits made in the package reach their cells.

A module is cut into pieces as a cell is. A piece whose text was edited takes
the place of the piece of the cell that it came from; every other line of the
chapter stays as it is. Before anything is written, tangling the edited
chapters must give the edited package, or nothing is written.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from loom.book.chapter import Cell, Chapter, with_text
from loom.book.toc import Book
from loom.errors import LoomError, Place, Problem
from loom.tangle.disk import Disk, write_package
from loom.tangle.imports import Import, by_name, print_from, read_imports
from loom.tangle.modules import Package, tangle
from loom.tangle.names import root_of, uses_in
from loom.tangle.pieces import SECTION_MARK, Cut, Piece, cut, frozen_lines

Key = tuple[str, int]  # the names that a piece binds; which of several so called


@dataclass(frozen=True)
class Edit:
    """Lines of a chapter, first to last (last < first: none), that become others."""

    path: Path
    first: int
    last: int
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Carried:
    """What ``sync`` did: a definition, or an import, and the place it went to."""

    name: str
    module: PurePosixPath
    place: Place


@dataclass(frozen=True)
class Home:
    """The piece of a cell that a piece of a module came from."""

    chapter: Chapter
    cell: Cell
    piece: Piece

    def line(self, source_line: int) -> int:
        return self.cell.line + source_line - 1


@dataclass
class Text:
    """A module's text, and its pieces by the names they bind."""

    text: str
    source: Cut = field(init=False)
    pieces: dict[Key, Piece] = field(init=False)
    imports: dict[Import, None] = field(init=False)

    def __post_init__(self) -> None:
        self.source = cut(self.text)
        self.pieces = keyed(self.source.pieces)
        self.imports = {i: None for piece in self.source.pieces if piece.kind == "import"
                        for i in read_imports(piece.node) if i.module != "__future__"
                        and (i.module, i.name) != ("typing", "TYPE_CHECKING")}

    def members(self, key: Key) -> dict[Key, Piece]:
        piece = self.pieces.get(key)
        return keyed(piece.members) if piece else {}

    def lines(self, first: int, last: int) -> tuple[str, ...]:
        """Lines of the module without the section marks."""
        return tuple(line for line in self.source.lines[first - 1:last]
                     if not SECTION_MARK.match(line))

    def of(self, piece: Piece | None, head: bool = False) -> tuple[str, ...] | None:
        """A piece's lines; with ``head``, those of a class before its body."""
        return self.lines(piece.first, piece.head if head else piece.last) if piece else None

    @property
    def marks(self) -> list[str]:
        return [line.strip() for line in self.source.lines if SECTION_MARK.match(line)]


def keyed(pieces: Sequence[Piece]) -> dict[Key, Piece]:
    """Pieces by what they bind; those that bind nothing by their order."""
    counts: Counter[str] = Counter()
    found: dict[Key, Piece] = {}
    for piece in pieces:
        if piece.kind != "import":
            name = ", ".join(piece.names) or f"<{piece.kind}>"
            found[name, counts[name]] = piece
            counts[name] += 1
    return found


def sync(book: Book) -> list[Carried]:
    """Carry the edits made in ``code/scratchlm`` back to the chapters.

    Where a chapter changed too since the last tangling, the two are merged as
    long as no definition changed on both sides.

    Returns:
        What was carried, and where to.

    Raises:
        LoomError: an edit without a home in the book, a definition that changed
            on both sides, a package that the chapters cannot make. Nothing
            is written.
    """
    package = tangle(book.chapters)
    disk = Disk(book)
    carrier = _Carrier(book, package)
    for module, text in disk.modules.items():
        new = package.files.get(module)
        if new is None and not disk.is_known(module):
            carrier.problem(module, None, "comes from no cell of the book",
                            "write it in a chapter's cell with "
                            f"`:tangle: {module}`, then `loom tangle`")
        elif new is not None and text != new and not disk.was_written(module, text):
            base = new if disk.was_written(module, new) else disk.copy(module)
            carrier.carry(module, base or disk.committed(module) or new, text)
    for module in package.files:
        if module not in disk.modules and disk.copy(module) == package.files[module]:
            carrier.problem(module, None, "was deleted, but the book still makes it",
                            "delete the cells that make it, or run `loom tangle`")
    if carrier.problems:
        raise LoomError(carrier.problems)
    if not carrier.edits:
        return []
    texts = _apply(carrier.edits, book.chapters)
    edited, made = _tangled_again(book, texts)
    carrier.verify(made)
    write_package(edited, made, force=True, more={
        path: text.replace("\n", "\r\n") if b"\r\n" in path.read_bytes() else text
        for path, text in texts.items()})
    return carrier.carried


def _apply(edits: Sequence[Edit], chapters: Sequence[Chapter]) -> dict[Path, str]:
    """The texts of the chapters that the edits change."""
    texts: dict[Path, str] = {}
    for chapter in chapters:
        own = [e for e in edits if e.path == chapter.path]
        if own:
            lines = chapter.text.split("\n")
            # From the bottom up; where lines are replaced and others come above, these last.
            order = [(e.first, e.last >= e.first, n) for n, e in enumerate(own)]
            for _, _, n in sorted(order, reverse=True):
                edit = own[n]
                lines[edit.first - 1:max(edit.last, edit.first - 1)] = edit.lines
            texts[chapter.path] = "\n".join(lines)
    return texts


def _tangled_again(book: Book, texts: Mapping[Path, str]) -> tuple[Book, Package]:
    try:
        edited = Book(book.root, tuple(
            with_text(c, texts[c.path]) if c.path in texts else c for c in book.chapters))
        return edited, tangle(edited.chapters)
    except LoomError as error:
        raise LoomError([Problem(p.place, f"with the package's edits: {p.what}",
                                 f"{p.remedy}; nothing was written".removeprefix("; "))
                         for p in error.problems]) from None


class _Carrier:
    """Finds the edits of modules and their homes; collects what has none."""

    def __init__(self, book: Book, package: Package) -> None:
        self.book = book
        self.package = package
        self.chapters = {chapter.path: chapter for chapter in book.chapters}
        self.problems: list[Problem] = []
        self.edits: list[Edit] = []
        self.carried: list[Carried] = []
        self.texts: dict[PurePosixPath, tuple[Text, Text, Text]] = {}

    def problem(self, module: PurePosixPath, line: int | None, what: str, remedy: str) -> None:
        self.problems.append(Problem(Place(self.book.package / module, line), what, remedy))

    def carry(self, module: PurePosixPath, base_text: str, new_text: str) -> None:
        """Find the edits that lead from a module's base to its new text.

        Args:
            module: the module.
            base_text: what both sides started from.
            new_text: what is on disk.
        """
        try:
            new = Text(new_text)
            uses_in(new_text)
        except SyntaxError as error:
            self.problem(module, error.lineno, f"syntax error: {error.msg}",
                         "mend the module first")
            return
        base, ours = Text(base_text), Text(self.package.files[module])
        self.texts[module] = base, ours, new
        before = len(self.edits)
        if new.marks != base.marks:
            self.problem(module, None, "its section marks (`# § …`) were changed",
                         "restore them: loom writes them from the chapters' labels; to move a "
                         "definition, move its cell")
        for line in new.source.loose:
            self.problem(module, line, "a comment below which nothing follows",
                         "put it above what it is about")
        self._match(module, base.pieces, ours.pieces, new.pieces, "")
        for key, piece in new.pieces.items():
            if key in base.pieces and key in ours.pieces:
                mine, old = ours.pieces[key], base.pieces[key]
                if piece.kind == mine.kind == old.kind == "class":
                    self._carry_class(module, key)
                else:
                    self._carry_piece(module, old, mine, piece)
        self._carry_imports(module)
        if len(self.edits) == before and not self.problems:
            self.problem(module, _first_difference(ours.text, new.text),
                         "an edit that has no home in a chapter",
                         "blank lines between definitions, the order of definitions and imports, "
                         "and what loom writes itself follow from the chapters: edit there, or "
                         "`loom tangle --force` restores the module")

    def _match(self, module: PurePosixPath, base: Mapping[Key, Piece], ours: Mapping[Key, Piece],
               new: Mapping[Key, Piece], owner: str) -> None:
        """Refuse what is new and what is gone."""
        for key, piece in new.items():
            if key not in base and key not in ours:
                self.problem(module, piece.start, f"`{owner}{key[0]}` is new and has no home",
                             "write it in a cell of the chapter that it belongs to")
            elif key not in ours:
                self.problem(module, piece.start, f"`{owner}{key[0]}` is gone from the book",
                             "drop it here too, or take the chapter's change back")
        for key in base:
            if key not in new and key in ours:
                home = self.home(module, ours[key])
                self.problem(module, None, f"`{owner}{key[0]}` was deleted",
                             f"delete it in the chapter, at {home.cell.place(home.piece.first)}"
                             if home else "restore it: loom writes it itself")
        if [k for k in new if k in base] != [k for k in base if k in new]:
            moved = next(k for k, other in zip((k for k in new if k in base),
                                               (k for k in base if k in new), strict=False)
                         if k != other)
            self.problem(module, new[moved].start, f"`{owner}{moved[0]}` was moved",
                         "the order is the book's: move it in its chapter")

    def home(self, module: PurePosixPath, piece: Piece) -> Home | None:
        """The piece of a cell that a piece of a module came from."""
        place = self.package.origin(module, piece.node.lineno)
        chapter = self.chapters.get(place.path) if place else None
        if place is None or chapter is None or place.line is None:
            return None
        for cell in chapter.cells:
            line = place.line - cell.line + 1
            if cell.target == module and 1 <= line <= cell.source.count("\n") + 1:
                found = _piece_at(cut(cell.source).pieces, line, piece)
                return Home(chapter, cell, found) if found else None
        return None

    def _carry_piece(self, module: PurePosixPath, old: Piece, mine: Piece, new: Piece,
                     owner: Key | None = None) -> None:
        """Carry a piece that is not a class, or a member of one."""
        base, ours, theirs = self.texts[module]
        text = theirs.of(new)
        if text in (base.of(old), ours.of(mine)):
            return
        name = ".".join(filter(None, [owner[0] if owner else "", new.name])) or new.kind
        home = self.home(module, mine)
        if home is None:
            self.problem(module, new.start, f"the {new.kind} is written by loom itself",
                         "start the first cell of the module with a docstring of its own"
                         if new.kind == "docstring" else "edit the chapter")
        elif ours.of(mine) != base.of(old):
            self.problem(module, new.start, f"`{name}` was edited here and in the chapter, at "
                         f"{home.cell.place(home.piece.start)}",
                         "bring the two together by hand in the chapter, then "
                         "`loom tangle --force`")
        else:
            siblings = ours.members(owner).values() if owner else ()
            lines = self._as_in_cell(module, new, home, {n for p in siblings for n in p.names})
            self._replace(module, home, home.piece.first, home.piece.last, lines, name)

    def _as_in_cell(self, module: PurePosixPath, new: Piece, home: Home,
                    siblings: set[str]) -> list[str]:
        """A piece's lines as its cell writes them: ``@extends`` kept, margin undone."""
        text = self.texts[module][2]
        cls = home.piece.grows
        if not isinstance(cls, ast.Name):
            return list(text.lines(new.first, new.last))
        shift = new.node.col_offset - home.piece.node.col_offset
        still = frozen_lines(new, text.source.lines)
        renamed = {d.lineno for d in getattr(new.node, "decorator_list", [])
                   if root_of(d) in siblings}
        head: list[str] = []
        body: list[str] = []
        for n in range(new.first, new.last + 1):
            line = text.source.lines[n - 1]
            if SECTION_MARK.match(line):
                continue
            if n not in still:
                if line[:shift].strip():
                    self.problem(module, n, "a line further left than its method",
                                 "indent it at least as far as the method")
                line = line[shift:]
            if n in renamed:
                line = line.replace("@", f"@{cls.id}.", 1)
            (head if n < new.start else body).append(line)
        decorator = getattr(home.piece.node, "decorator_list")[0]  # noqa: B009
        kept = cut(home.cell.source).lines[decorator.lineno - 1:decorator.end_lineno]
        return [*head, *kept, *body]

    def _replace(self, module: PurePosixPath, home: Home, first: int, last: int,
                 lines: Sequence[str], name: str) -> None:
        self.edits.append(Edit(home.chapter.path, home.line(first), home.line(last), tuple(lines)))
        self.carried.append(Carried(name, module, Place(home.chapter.path, home.line(first))))

    def _carry_class(self, module: PurePosixPath, key: Key) -> None:
        """Carry a class: its header, and every member to where it was written."""
        base, ours, theirs = self.texts[module]
        old, mine, new = base.pieces[key], ours.pieces[key], theirs.pieces[key]
        home = self.home(module, mine)
        head = theirs.of(new, head=True)
        if home is None:
            return
        if head not in (base.of(old, head=True), ours.of(mine, head=True)):
            if ours.of(mine, head=True) != base.of(old, head=True):
                self.problem(module, new.start, f"`{key[0]}` was edited here and in the chapter, "
                             f"at {home.cell.place(home.piece.start)}",
                             "bring the two together by hand in the chapter, then "
                             "`loom tangle --force`")
                return
            self._replace(module, home, home.piece.first, home.piece.head, head or (), key[0])
        olds, mines, news = base.members(key), ours.members(key), theirs.members(key)
        kept = self._own_body(module, key, home)
        self._match(module, {k: p for k, p in olds.items() if k not in kept},
                    {k: p for k, p in mines.items() if k not in kept},
                    {k: p for k, p in news.items() if k not in kept}, f"{key[0]}.")
        for k, piece in news.items():
            if k in olds and k in mines:
                self._carry_piece(module, olds[k], mines[k], piece, key)

    def _own_body(self, module: PurePosixPath, key: Key, home: Home) -> set[Key]:
        """Carry what the class statement's own body gained, lost, or spaced otherwise.

        Returns:
            The members that were gained or lost in it.
        """
        base, ours, theirs = self.texts[module]
        olds, mines, news = base.members(key), ours.members(key), theirs.members(key)
        own = {k: found for k, p in mines.items() if (found := self.home(module, p))
               and found.cell is home.cell and found.piece in home.piece.members}
        if base.text != ours.text:
            return set()
        handled = {k for k in own if k not in news and not olds[k].is_definition
                   and not _is_docstring(olds[k])}
        lost = {n for k in handled for n in range(own[k].piece.first, own[k].piece.last + 1)}
        above: Piece | None = None  # the member above, in the module
        at: int | None = home.piece.head  # the line of the cell after which to insert
        for k, piece in news.items():
            top = above.last if above else theirs.pieces[key].head
            gap = theirs.lines(top + 1, piece.first - 1)
            if k in own:
                lost -= self._space(home, own[k].piece, at, len(gap), lost)
                at = own[k].piece.last
            elif k in mines:
                at = None
            elif at is not None:
                handled.add(k)
                self._replace(module, home, at + 1, at,
                              (*gap, *theirs.lines(piece.first, piece.last)), f"{key[0]}.{k[0]}")
            above = piece
        for line in sorted(lost):
            self.edits.append(Edit(home.chapter.path, home.line(line), home.line(line), ()))
        return handled

    def _space(self, home: Home, piece: Piece, above: int | None, gap: int,
               lost: set[int]) -> set[int]:
        """Set the number of blank lines above a member, where the cell has any say.

        Returns:
            The lines in between that went away with it.
        """
        lines = cut(home.cell.source).lines
        between = set(range((above or 0) + 1, piece.first))
        if above is None or len(between) == gap \
                or any(lines[n - 1].strip() for n in between - lost):
            return set()
        self.edits.append(Edit(home.chapter.path, home.line(above + 1),
                               home.line(piece.first - 1), ("",) * gap))
        return between

    def _carry_imports(self, module: PurePosixPath) -> None:
        """Carry new imports to the cell that first uses them; drop what is gone."""
        base, ours, theirs = self.texts[module]
        uses = {piece: found.all for piece, found in uses_in(theirs.text).items()}
        cells = [(c, cell) for c in self.book.chapters for cell in c.cells
                 if cell.target == module]
        add: dict[tuple[Path, int], list[Import]] = {}
        for i in theirs.imports:
            if i in base.imports or i in ours.imports:
                continue
            homes = [home for home in (self._home_of_use(module, p) for p, names in uses.items()
                                       if i.binds in names) if home]
            if not homes:
                self.problem(module, None, f"`{i}` is new, and nothing in the module uses it",
                             "drop the import")
                continue
            first = min(homes, key=lambda h: (h.chapter.position, h.cell.index))
            self.carried.append(Carried(str(i), module, first.cell.place()))
            if self.package.born.get(f"{i.module}.{i.name}") is not first.chapter:
                add.setdefault((first.cell.path, first.cell.index), []).append(i)
        gone = [i for i in base.imports if i not in theirs.imports]
        taken = {i.binds for i in theirs.imports}
        for chapter, cell in cells:
            drop = {i for i in gone if i.binds in taken or not self._mentioned(i, chapter)}
            wanted = add.get((cell.path, cell.index), [])
            self.edits += _edit_imports(cell, wanted, drop)

    def _mentioned(self, i: Import, chapter: Chapter) -> bool:
        """Whether a chapter's cells, as edited, use a name outside import lines."""
        text = _apply(self.edits, [chapter]).get(chapter.path, chapter.text)
        word = re.compile(rf"\b{re.escape(i.binds)}\b")
        return any(word.search(line) for cell in with_text(chapter, text).cells
                   for line in cell.source.split("\n")
                   if not re.match(r"\s*(from|import)\s", line))

    def _home_of_use(self, module: PurePosixPath, piece: Piece) -> Home | None:
        """The home of a piece of the new text, by its name."""
        _, ours, theirs = self.texts[module]
        for key, found in theirs.pieces.items():
            if found is piece and key in ours.pieces:
                return self.home(module, ours.pieces[key])
            if piece in found.members and key in ours.pieces:
                inner = next(k for k, p in theirs.members(key).items() if p is piece)
                mine = ours.members(key).get(inner, ours.pieces[key])
                return self.home(module, mine)
        return None

    def verify(self, made: Package) -> None:
        """Check that the edited chapters make the edited package.

        Raises:
            LoomError: they do not.
        """
        for module, text in made.files.items():
            if module not in self.texts:
                if text != self.package.files.get(module):
                    self.problem(module, None, "would change with the edits of another module",
                                 "make this change in the chapters")
                continue
            base, ours, theirs = self.texts[module]
            if base.text == ours.text and text != theirs.text:
                line = _first_difference(text, theirs.text)
                within = next((p.name for p in theirs.source.pieces
                               if p.first <= line <= p.last and p.name), None)
                self.problem(module, line, "this edit cannot be carried back"
                             + (f" (in `{within}`)" if within else ""),
                             "make it in the chapter: tangling the edited chapters gives "
                             f"{_line(text, line)} here, not {_line(theirs.text, line)}")
            elif base.text != ours.text:
                self._verify_merge(module, Text(text))
        if self.problems:
            raise LoomError(self.problems)

    def _verify_merge(self, module: PurePosixPath, merged: Text) -> None:
        base, ours, theirs = self.texts[module]
        for key, piece in merged.pieces.items():
            sides = [side.of(side.pieces.get(key)) for side in (base, ours, theirs)]
            if piece.kind != "class" and merged.of(piece) not in sides[1:]:
                self.problem(module, None, f"`{key[0]}` cannot be merged with the chapter's change",
                             "make the edit in the chapter")


def _piece_at(pieces: Sequence[Piece], line: int, like: Piece) -> Piece | None:
    for piece in pieces:
        if piece.first <= line <= piece.last:
            if piece.node.lineno == line and piece.names == like.names:
                return piece
            return _piece_at(piece.members, line, like)
    return None


def _is_docstring(piece: Piece) -> bool:
    match piece.node:
        case ast.Expr(ast.Constant(str())):
            return True
    return False


def _edit_imports(cell: Cell, add: Sequence[Import], drop: set[Import]) -> Iterator[Edit]:
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
        plain = isinstance(piece.node, ast.ImportFrom)
        joining = [i for i in todo if plain and new and i.name and not i.typing
                   and i.module == new[0].module]
        todo = [i for i in todo if i not in joining]
        both = new + joining
        if plain and new == sorted(new, key=by_name):
            both.sort(key=by_name)
        if both != old:
            yield Edit(cell.path, cell.line + piece.first - 1, cell.line + piece.last - 1,
                       tuple(_statement(both)))
    typed = [i for i in todo if i.typing]
    lines: list[str] = []
    for module in dict.fromkeys((i.module, i.name is None) for i in todo if not i.typing):
        lines += _statement([i for i in todo if not i.typing
                             and (i.module, i.name is None) == module])
    if typed:
        lines += ["from typing import TYPE_CHECKING", "", "if TYPE_CHECKING:",
                  *(f"    {i}" for i in typed)]
    if lines and last is not None:
        line = cell.line + last.last
        yield Edit(cell.path, line, line - 1, tuple(lines))
    elif lines:
        opening = next((p for p in pieces if p.kind != "docstring"), pieces[-1])
        line = cell.line + opening.first - 1
        space = ["", ""] if opening.is_definition else [""]
        yield Edit(cell.path, line, line - 1, (*lines, *space))


def _statement(imports: Sequence[Import]) -> list[str]:
    """Import statements for these names, as a cell writes them."""
    typed = [i for i in imports if i.typing]
    if typed:
        return ["if TYPE_CHECKING:", *(f"    {i}" for i in typed)]
    if imports and imports[0].name is not None:
        return [line for line, _ in print_from(imports, "")]
    return [str(i) for i in imports]


def _first_difference(one: str, other: str) -> int:
    """The first line, from 1, in which two texts differ."""
    lines, others = one.split("\n"), other.split("\n")
    return next((n for n, (a, b) in enumerate(zip(lines, others, strict=False), 1) if a != b),
                min(len(lines), len(others)) + 1)


def _line(text: str, number: int) -> str:
    lines = text.split("\n")
    line = lines[number - 1] if number <= len(lines) else ""
    return f"`{line}`" if line.strip() else "spaces" if line else "a blank line"


__all__ = ["Carried", "sync"]
