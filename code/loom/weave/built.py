"""The directive ``{built}``: what this chapter added to the package.

Tables, made from the tangled cells: for each module the new and changed
definitions with the first line of their docstrings, and the program so far
with its size.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.docutils import SphinxDirective

from loom.book.chapter import Chapter
from loom.book.toc import PACKAGE
from loom.tangle.modules import Definition, Package, tangle
from loom.weave.listings import listings_of, spans

if TYPE_CHECKING:
    from sphinx.application import Sphinx


class built(nodes.General, nodes.Element):
    """Stands where the tables will be."""


@dataclass(frozen=True)
class Addition:
    """A definition that a chapter made or changed."""

    module: PurePosixPath
    name: str
    purpose: str
    lines: int
    changed: bool


def setup(app: Sphinx) -> None:
    """Register the directive and who fills it."""
    app.add_node(built)
    app.add_directive("built", Built)
    app.add_post_transform(Fill)


class Built(SphinxDirective):
    """Leaves a mark; the tables are made when the page is written."""

    def run(self) -> list[nodes.Node]:
        """The mark."""
        mark = built("")
        self.set_source_info(mark)
        return [mark]


class Fill(SphinxPostTransform):
    """Put the tables in the place of the mark."""

    default_priority = 15

    def run(self, **kwargs: Any) -> None:
        """Make the tables of this page's chapter."""
        marks = list(self.document.findall(built))
        if not marks:
            return
        book = listings_of(self.app).book
        chapter = book.chapter(PurePosixPath(self.env.docname).name)
        package = tangle(book.until(chapter))
        before = tangle(book.chapters[:chapter.position])
        for mark in marks:
            mark.replace_self([*_additions_tables(additions(package, before, chapter)),
                               *_program_table(package, before)])


def additions(package: Package, before: Package, chapter: Chapter) -> list[Addition]:
    """The definitions of the package that come from one chapter's cells.

    Args:
        package: as it stands after the chapter.
        before: as it stood before.
        chapter: the chapter.

    Methods without a docstring (``__add__`` and its kin) are told together
    with their class or, where the class is older, with each other.
    """
    old = {(d.module, d.name) for d in before.definitions}
    purposes = {module: dict(_purposes(text)) for module, text in package.files.items()}
    shown: list[Definition] = []
    for d in sorted(package.definitions, key=lambda d: (str(d.module), d.first)):
        owner = d.name.rpartition(".")[0]
        quiet = d.name.endswith("__") or d.kind == "constant" \
            or not purposes[d.module].get(d.name)
        told = any(s.module == d.module and s.name == owner for s in shown)
        if d.chapter.path == chapter.path and not _is_private(d.name) and not (quiet and told):
            shown.append(d)
    return [Addition(d.module, d.name, purposes[d.module].get(d.name, ""),
                     _own_lines(d, shown, package), (d.module, d.name) in old)
            for d in shown]


def _own_lines(d: Definition, shown: list[Definition], package: Package) -> int:
    """A definition's lines, without those of members that have a line of their own here."""
    text = package.files[d.module].splitlines()
    inner = {n for s in shown if s.module == d.module and s.name.startswith(f"{d.name}.")
             for n in range(s.first, s.last + 1)}
    return sum(bool(text[n - 1].strip()) and not text[n - 1].lstrip().startswith("# §")
               for n in range(d.first, d.last + 1) if n not in inner)


def sizes(package: Package) -> dict[PurePosixPath, int]:
    """Lines of code and documentation of each module, without blank ones."""
    return {module: sum(bool(line.strip()) for line in text.splitlines())
            for module, text in package.files.items() if module.name != "__init__.py"}


def _is_private(name: str) -> bool:
    last = name.rpartition(".")[2]
    return any(part.startswith("_") and not part.endswith("__") for part in name.split(".")) \
        or (last.startswith("__") and not last.endswith("__"))


def _purposes(text: str) -> Iterator[tuple[str, str]]:
    """Each definition's name and the first line of its docstring."""
    def walk(body: Iterable[ast.stmt], prefix: str) -> Iterator[tuple[str, str]]:
        for node in body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                name = prefix + node.name
                yield name, (ast.get_docstring(node) or "").partition("\n\n")[0]
                if isinstance(node, ast.ClassDef):
                    yield from walk(node.body, f"{name}.")
            elif isinstance(node, ast.Assign | ast.AnnAssign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                for target in targets:
                    if isinstance(target, ast.Name) and node.value is not None:
                        yield prefix + target.id, f"`{ast.unparse(node.value)[:60]}`"

    yield from walk(ast.parse(text).body, "")


def _additions_tables(found: list[Addition]) -> list[nodes.Node]:
    """One table for each module, under the module's name."""
    tables: list[nodes.Node] = []
    for module, members in groupby(found, key=lambda a: a.module):
        rows = [[f"`{a.name}`", f"(changed) {_words(a)}" if a.changed else _words(a),
                 str(a.lines)] for a in members]
        tables.append(_table([f"`{PACKAGE}/{module}`", "what it is", "lines"], rows,
                             [34, 56, 10], "built-additions"))
    return tables


def _words(addition: Addition) -> str:
    return " ".join(addition.purpose.split())


def _program_table(now: Package, before: Package) -> list[nodes.Node]:
    new, old = sizes(now), sizes(before)
    if not new:
        return []
    rows = [[f"`{PACKAGE}/{module}`", str(lines), _change(lines - old.get(module, 0))]
            for module, lines in new.items()]
    total, grown = sum(new.values()), sum(new.values()) - sum(old.values())
    rows.append(["the program so far", str(total), _change(grown)])
    return [_table(["module", "lines", "this chapter"], rows, [50, 25, 25], "built-program")]


def _change(lines: int) -> str:
    return f"+{lines}" if lines > 0 else f"−{-lines}" if lines else "–"


def _table(heads: list[str], rows: list[list[str]], widths: list[int],
           kind: str) -> nodes.table:
    """A docutils table; columns of numbers, the last ones, are set to the right."""
    numeric = {n for n in range(len(heads))
               if all(row[n].lstrip("+−–").isdigit() or row[n] == "–" for row in rows)}

    def cells(texts: list[str]) -> nodes.row:
        row = nodes.row()
        for n, text in enumerate(texts):
            paragraph = nodes.paragraph()
            for code, part in spans(text):
                paragraph += nodes.literal(part, part) if code else nodes.Text(part)
            entry = nodes.entry("", paragraph, classes=["text-right"] if n in numeric else [])
            row += entry
        return row

    group = nodes.tgroup(cols=len(heads))
    for width in widths:
        group += nodes.colspec(colwidth=width)
    group += nodes.thead("", cells(heads))
    group += nodes.tbody("", *map(cells, rows))
    return nodes.table("", group, classes=["built", kind])
