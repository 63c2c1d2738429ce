"""The book in numbers, counted afresh: what ``loom stats`` prints."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from loom.book.toc import Book
from loom.tangle.disk import drift
from loom.tangle.modules import Package, tangle


@dataclass(frozen=True)
class Statistics:
    """Counts of one book.

    Attributes:
        chapters: numbered chapters.
        cells: code cells, of all pages; every one is run.
        tangled_cells: those of the package.
        modules: files of the package that hold definitions.
        definitions: functions, classes, methods and constants of the package.
        lines: lines of the package.
        drift: lines in which the package on disk differs from the chapters.
        duplicates: names of the package that are defined more than once.
    """

    chapters: int
    cells: int
    tangled_cells: int
    modules: int
    definitions: int
    lines: int
    drift: int
    duplicates: int

    def __str__(self) -> str:
        return "\n".join(f"{name.replace('_', ' '):14} {count:6,}"
                         for name, count in asdict(self).items())


def statistics(book: Book) -> Statistics:
    """Count a book and the package that its chapters make now.

    Raises:
        LoomError: the chapters cannot be tangled.
    """
    package = tangle(book.chapters)
    cells = [cell for chapter in book.chapters for cell in chapter.cells]
    differing = [line for line in "".join(drift(book, package)).splitlines()
                 if line.startswith(("+", "-")) and not line.startswith(("+++", "---"))]
    return Statistics(
        chapters=sum(c.number is not None for c in book.chapters),
        cells=len(cells),
        tangled_cells=sum(cell.target is not None for cell in cells),
        modules=len({definition.module for definition in package.definitions}),
        definitions=len(package.definitions),
        lines=sum(text.count("\n") for text in package.files.values()),
        drift=len(differing),
        duplicates=len(list(duplicates(package))),
    )


def duplicates(package: Package) -> Iterator[str]:
    """Names that a module or a class of the package defines twice.

    Overloads and the setters of a property are one definition. Counted in
    the modules' text, not in what tangling believes about it.
    """
    for path, text in package.files.items():
        scopes = [(str(path), ast.parse(text).body)]
        scopes += [(f"{path}: {node.name}", node.body) for node in scopes[0][1]
                   if isinstance(node, ast.ClassDef)]
        for scope, body in scopes:
            names = Counter(
                node.name for node in body
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
                and not _continues(node))
            yield from (f"{scope}: {name}" for name, count in names.items() if count > 1)


def _continues(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> bool:
    marks = {ast.unparse(d).rsplit(".", 1)[-1] for d in node.decorator_list}
    return bool(marks & {"overload", "setter", "getter", "deleter"})
