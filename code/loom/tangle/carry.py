"""The edits of one module, carried to the cells that its pieces came from."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from loom.book.chapter import Cell, Chapter, with_text
from loom.book.toc import Book
from loom.errors import Place, Problem
from loom.tangle.edits import Edit, edit_imports, edited_text
from loom.tangle.imports import Import, read_imports
from loom.tangle.modules import Package
from loom.tangle.names import root_of, uses_in
from loom.tangle.pieces import SECTION_MARK, Piece, cut, docstring_of, frozen_lines

Key = tuple[str, int]  # the names that a piece binds; which of several so called


@dataclass(frozen=True)
class Carried:
    """What was carried: a definition or an import, and the place it went to."""

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
        """The line of the chapter for a line of the cell's source."""
        return self.cell.line + source_line - 1


class Text:
    """A module's text, cut into pieces that are known by the names they bind.

    Raises:
        SyntaxError: it is not Python.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.source = cut(text)
        self.uses = uses_in(text)
        self.pieces = _keyed(self.source.pieces)
        self.imports = {i for piece in self.source.pieces if piece.kind == "import"
                        for i in read_imports(piece.node) if i.module != "__future__"
                        and (i.module, i.name) != ("typing", "TYPE_CHECKING")}
        self.marks = [line.strip() for line in self.source.lines if SECTION_MARK.match(line)]

    def members(self, key: Key) -> dict[Key, Piece]:
        """The body of a class."""
        return _keyed(self.pieces[key].members) if key in self.pieces else {}

    def lines(self, first: int, last: int) -> tuple[str, ...]:
        """Lines of the module without the section marks."""
        return tuple(line for line in self.source.lines[first - 1:last]
                     if not SECTION_MARK.match(line))

    def of(self, piece: Piece | None, head: bool = False) -> tuple[str, ...]:
        """A piece's lines; with ``head``, those of a class before its body."""
        return self.lines(piece.first, piece.head if head else piece.last) if piece else ()


def _keyed(pieces: Iterable[Piece]) -> dict[Key, Piece]:
    """Pieces by what they bind; those that bind nothing by their order."""
    counts: Counter[str] = Counter()
    found: dict[Key, Piece] = {}
    for piece in pieces:
        if piece.kind != "import":
            name = ", ".join(piece.names) or f"<{piece.kind}>"
            found[name, counts[name]] = piece
            counts[name] += 1
    return found


class Carrier:
    """Finds what was edited in a module, and where in the book it belongs.

    Args:
        book: the book.
        package: what the book's chapters make now.
        module: the module.
        base: its text before either side was edited.
        text: its text on disk.

    Raises:
        SyntaxError: the text on disk is not Python.
    """

    def __init__(self, book: Book, package: Package, module: PurePosixPath, base: str,
                 text: str) -> None:
        self.book = book
        self.package = package
        self.module = module
        self.base, self.ours, self.theirs = Text(base), Text(package.files[module]), Text(text)
        self.problems: list[Problem] = []
        self.edits: list[Edit] = []
        self.carried: list[Carried] = []

    def problem(self, line: int | None, what: str, remedy: str) -> None:
        self.problems.append(Problem(Place(self.book.package / self.module, line), what, remedy))

    def carry(self) -> None:
        """Find every edit's home; what has none becomes a problem."""
        base, ours, theirs = self.base, self.ours, self.theirs
        if theirs.marks != base.marks:
            self.problem(None, "its section marks (`# § …`) were changed",
                         "restore them: loom writes them from the chapters' labels; to move a "
                         "definition, move its cell")
        for line in theirs.source.loose:
            self.problem(line, "a comment below which nothing follows",
                         "put it above what it is about")
        self._match(base.pieces, ours.pieces, theirs.pieces)
        for key, new in theirs.pieces.items():
            if key in base.pieces and key in ours.pieces:
                old, mine = base.pieces[key], ours.pieces[key]
                if new.is_open and mine.is_open and old.is_open:
                    self._carry_class(key, old, mine, new)
                else:
                    self._carry_piece(old, mine, new)
        self._carry_imports()
        if not self.edits and not self.problems:
            self.problem(first_difference(ours.text, theirs.text),
                         "an edit that has no home in a chapter",
                         "blank lines between definitions, the order of definitions and imports, "
                         "and what loom writes itself follow from the chapters: edit there, or "
                         "`loom tangle --force` restores the module")

    def _match(self, base: Mapping[Key, Piece], ours: Mapping[Key, Piece],
               theirs: Mapping[Key, Piece], owner: str = "") -> None:
        """Refuse what is new, what is gone, and what was moved."""
        for key, piece in theirs.items():
            if key not in base and key not in ours:
                self.problem(piece.start, f"`{owner}{key[0]}` is new and has no home",
                             "write it in a cell of the chapter that it belongs to")
            elif key not in ours:
                self.problem(piece.start, f"`{owner}{key[0]}` is gone from the book",
                             "drop it here too, or take the chapter's change back")
        for key in base:
            if key not in theirs and key in ours:
                home = self.home(ours[key])
                self.problem(None, f"`{owner}{key[0]}` was deleted",
                             f"delete it in the chapter, at {home.cell.place(home.piece.first)}"
                             if home else "restore it: loom writes it itself")
        was, now = [k for k in base if k in theirs], [k for k in theirs if k in base]
        moved = next((k for k, other in zip(now, was, strict=True) if k != other), None)
        if moved:
            self.problem(theirs[moved].start, f"`{owner}{moved[0]}` was moved",
                         "the order is the book's: move it in its chapter")

    def home(self, piece: Piece) -> Home | None:
        """The piece of a cell that a piece of the tangled module came from."""
        place = self.package.origin(self.module, piece.node.lineno)
        for chapter in self.book.chapters:
            if place is None or place.line is None or chapter.path != place.path:
                continue
            for cell in chapter.cells:
                line = place.line - cell.line + 1
                found = _piece_at(cut(cell.source).pieces, line, piece) \
                    if cell.target == self.module and line >= 1 else None
                if found:
                    return Home(chapter, cell, found)
        return None

    def _carry_piece(self, old: Piece, mine: Piece, new: Piece, owner: Key | None = None) -> None:
        """Carry a piece that is not a class, or a member of one."""
        text = self.theirs.of(new)
        if text in (self.base.of(old), self.ours.of(mine)):
            return
        name = ".".join(filter(None, [owner[0] if owner else "", new.name])) or new.kind
        home = self.home(mine)
        if home is None:
            self.problem(new.start, f"the {new.kind} is written by loom itself",
                         "start the first cell of the module with a docstring of its own"
                         if new.kind == "docstring" else "edit the chapter")
        elif self.ours.of(mine) != self.base.of(old):
            self._conflict(name, new, home)
        else:
            siblings = self.ours.members(owner).values() if owner else ()
            lines = self._as_in_cell(new, home, {n for p in siblings for n in p.names})
            self._replace(home, home.piece.first, home.piece.last, lines, name)

    def _conflict(self, name: str, new: Piece, home: Home) -> None:
        self.problem(new.start, f"`{name}` was edited here and in the chapter, at "
                     f"{home.cell.place(home.piece.start)}",
                     "bring the two together by hand in the chapter, then `loom tangle --force`")

    def _as_in_cell(self, new: Piece, home: Home, siblings: set[str]) -> list[str]:
        """A piece's lines as its cell writes them: ``@extends`` kept, margin undone."""
        cls = home.piece.grows
        if not isinstance(cls, ast.Name):
            return list(self.theirs.of(new))
        source = self.theirs.source.lines
        shift = new.node.col_offset - home.piece.node.col_offset
        still = frozen_lines(new, source)
        decorators = getattr(new.node, "decorator_list", [])
        renamed = {d.lineno for d in decorators if root_of(d) in siblings}
        above: list[str] = []
        below: list[str] = []
        for n in range(new.first, new.last + 1):
            line = source[n - 1]
            if SECTION_MARK.match(line):
                continue
            if n not in still:
                if line[:shift].strip():
                    self.problem(n, "a line further left than its method",
                                 "indent it at least as far as the method")
                line = line[shift:]
            if n in renamed:
                line = line.replace("@", f"@{cls.id}.", 1)
            (above if n < new.start else below).append(line)
        return [*above, *_growing_lines(home), *below]

    def _replace(self, home: Home, first: int, last: int, lines: Sequence[str],
                 name: str) -> None:
        self.edits.append(Edit(home.chapter.path, home.line(first), home.line(last), tuple(lines)))
        self.carried.append(
            Carried(name, self.module, Place(home.chapter.path, home.line(first))))

    def _carry_class(self, key: Key, old: Piece, mine: Piece, new: Piece) -> None:
        """Carry a class: its header, and every member to where it was written."""
        home = self.home(mine)
        if home is None:
            return
        heads = [side.of(piece, head=True) for side, piece in
                 ((self.base, old), (self.ours, mine), (self.theirs, new))]
        if heads[2] not in heads[:2]:
            if heads[0] == heads[1]:
                self._replace(home, home.piece.first, home.piece.head, heads[2], key[0])
            else:
                self._conflict(key[0], new, home)
        sides = [side.members(key) for side in (self.base, self.ours, self.theirs)]
        settled = self._carry_body(key, home, *sides) if self.base.text == self.ours.text else set()
        before, ours, theirs = ({k: p for k, p in side.items() if k not in settled}
                                for side in sides)
        self._match(before, ours, theirs, f"{key[0]}.")
        for k, piece in sides[2].items():
            if k in sides[0] and k in sides[1]:
                self._carry_piece(sides[0][k], sides[1][k], piece, key)

    def _carry_body(self, key: Key, home: Home, base: Mapping[Key, Piece],
                    ours: Mapping[Key, Piece], theirs: Mapping[Key, Piece]) -> set[Key]:
        """Carry what the class statement's own body gained, lost, or spaced otherwise.

        Returns:
            The members that it gained or lost.
        """
        own = {k: found.piece for k, p in ours.items() if (found := self.home(p))
               and found.cell is home.cell and found.piece in home.piece.members}
        doc = docstring_of(home.piece.node)
        settled = {k for k, p in own.items()
                   if k not in theirs and not p.is_definition and p.node is not doc}
        lost = {n for k in settled for n in range(own[k].first, own[k].last + 1)}
        end = self.theirs.pieces[key].head  # of the member above, in the module
        at: int | None = home.piece.head  # and in the cell, None where it is not from there
        for k, piece in theirs.items():
            gap = self.theirs.lines(end + 1, piece.first - 1)
            if k in own:
                lost -= self._space(home, own[k], at, len(gap), lost)
                at = own[k].last
            elif k in ours:
                at = None
            elif at is not None:
                settled.add(k)
                self._replace(home, at + 1, at, (*gap, *self.theirs.of(piece)), f"{key[0]}.{k[0]}")
            end = piece.last
        for line in sorted(lost):
            self.edits.append(Edit(home.chapter.path, home.line(line), home.line(line), ()))
        return settled

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

    def _carry_imports(self) -> None:
        """Carry new imports to the cell that first uses them; drop what is gone."""
        add: dict[tuple[Path, int], list[Import]] = {}
        for i in sorted(self.theirs.imports - self.base.imports - self.ours.imports, key=str):
            homes = list(self._homes_using(i.binds))
            if not homes:
                self.problem(None, f"`{i}` is new, and nothing in the module uses it",
                             "drop the import")
                continue
            first = min(homes, key=lambda home: (home.chapter.position, home.cell.index))
            self.carried.append(Carried(str(i), self.module, first.cell.place()))
            if self.package.born.get(f"{i.module}.{i.name}") is not first.chapter:
                add.setdefault((first.cell.path, first.cell.index), []).append(i)
        gone = self.base.imports - self.theirs.imports
        taken = {i.binds for i in self.theirs.imports}
        for chapter in self.book.chapters:
            for cell in chapter.cells:
                if cell.target == self.module:
                    drop = {i for i in gone
                            if i.binds in taken or not self._mentioned(i.binds, chapter)}
                    self.edits += edit_imports(cell, add.get((cell.path, cell.index), []), drop)

    def _homes_using(self, name: str) -> Iterator[Home]:
        """Where the pieces of the edited module that use a name came from."""
        for key, piece in self.theirs.pieces.items():
            if key not in self.ours.pieces:
                continue
            users = [self.ours.pieces[key]] if name in self.theirs.uses[piece].all else []
            mine = self.ours.members(key)
            for k, member in self.theirs.members(key).items():
                if name in self.theirs.uses[member].all:
                    users.append(mine.get(k, self.ours.pieces[key]))
            yield from (home for user in users if (home := self.home(user)))

    def _mentioned(self, name: str, chapter: Chapter) -> bool:
        """Whether a chapter's cells, as edited, use a name outside import lines."""
        edited = with_text(chapter, edited_text(chapter, self.edits))
        word = re.compile(rf"\b{re.escape(name)}\b")
        return any(word.search(line) and not re.match(r"\s*(from|import)\s", line)
                   for cell in edited.cells for line in cell.source.split("\n"))

    def verify(self, made: str) -> None:
        """Check that the edited chapters make the edited module.

        Args:
            made: what they make.
        """
        if self.base.text != self.ours.text:
            self._verify_merge(Text(made))
        elif made != self.theirs.text:
            line = first_difference(made, self.theirs.text)
            within = next((p.name for p in self.theirs.source.pieces
                           if p.first <= line <= p.last and p.name), None)
            self.problem(line, "this edit cannot be carried back"
                         + (f" (in `{within}`)" if within else ""),
                         "make it in the chapter: tangling the edited chapters gives "
                         f"{_line(made, line)} here, not {_line(self.theirs.text, line)}")

    def _verify_merge(self, merged: Text) -> None:
        """Check that every piece of a merged module is one of the two sides'."""
        def flat(side: Text) -> dict[tuple[Key, ...], tuple[str, ...]]:
            found = {(key,): side.of(piece, head=piece.kind == "class")
                     for key, piece in side.pieces.items()}
            return found | {(key, k): side.of(member) for key in side.pieces
                            for k, member in side.members(key).items()}

        ours, theirs = flat(self.ours), flat(self.theirs)
        for key, text in flat(merged).items():
            if text not in (ours.get(key), theirs.get(key)):
                self.problem(None, f"`{'.'.join(name for name, _ in key)}` cannot be merged with "
                             "the chapter's change", "make the edit in the chapter")


def _piece_at(pieces: Sequence[Piece], line: int, like: Piece) -> Piece | None:
    """The piece whose statement stands on a line and binds the same names."""
    for piece in pieces:
        if piece.first <= line <= piece.last:
            if piece.node.lineno == line and piece.names == like.names:
                return piece
            return _piece_at(piece.members, line, like)
    return None


def _growing_lines(home: Home) -> tuple[str, ...]:
    """The lines of a cell's ``@extends(Class)``."""
    decorators = getattr(home.piece.node, "decorator_list", [])
    first, last = decorators[0].lineno, decorators[0].end_lineno
    return cut(home.cell.source).lines[first - 1:last]


def first_difference(one: str, other: str) -> int:
    """The first line, from 1, in which two texts differ."""
    lines, others = one.split("\n"), other.split("\n")
    return next((n for n, (a, b) in enumerate(zip(lines, others, strict=False), 1) if a != b),
                min(len(lines), len(others)) + 1)


def _line(text: str, number: int) -> str:
    lines = text.split("\n")
    line = lines[number - 1] if number <= len(lines) else ""
    return f"`{line}`" if line.strip() else "spaces" if line else "a blank line"
