"""The imports of a module: gathered, sorted as ruff sorts them, checked for cycles."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import PurePosixPath

from loom.book.toc import PACKAGE
from loom.errors import Place

WIDTH = 76


@dataclass(frozen=True)
class Import:
    """One name that an import binds: ``import module`` or ``from module import name``."""

    module: str
    name: str | None = None
    alias: str | None = None
    typing: bool = False  # stands under `if TYPE_CHECKING:`
    place: Place | None = field(default=None, compare=False)

    @property
    def binds(self) -> str:
        """The name that the module's code uses."""
        return self.alias or self.name or self.module.split(".")[0]

    @property
    def kept(self) -> bool:
        """Whether it is there for others: ``from x import y as y``."""
        return self.alias is not None and self.alias == self.name

    def __str__(self) -> str:
        alias = f" as {self.alias}" if self.alias else ""
        if self.name is None:
            return f"import {self.module}{alias}"
        return f"from {self.module} import {self.name}{alias}"


def read_imports(node: ast.stmt, path_line: Place | None = None,
                 typing: bool = False) -> Iterator[Import]:
    """The names that an import statement, or a block of them, binds.

    Args:
        node: an import, or an ``if TYPE_CHECKING:`` with nothing else inside.
        path_line: the place of line 1 of the source that was parsed.
    """
    place = path_line and Place(path_line.path, (path_line.line or 1) + node.lineno - 1)
    if isinstance(node, ast.If):
        for inner in node.body:
            yield from read_imports(inner, path_line, typing=True)
    elif isinstance(node, ast.Import):
        for alias in node.names:
            yield Import(alias.name, None, alias.asname, typing, place)
    elif isinstance(node, ast.ImportFrom):
        module = "." * node.level + (node.module or "")
        for alias in node.names:
            yield Import(module, alias.name, alias.asname, typing, place)


def print_imports(imports: Iterable[Import]) -> list[tuple[str, Place | None]]:
    """The import block of a module, line by line, each with where it comes from.

    A name that is imported for types only and also at run time is imported once.
    """
    imports = list(imports)
    plain = {(i.module, i.name, i.alias): i for i in reversed(imports) if not i.typing}
    typed = {(i.module, i.name, i.alias): i for i in reversed(imports)
             if i.typing and (i.module, i.name, i.alias) not in plain}
    if typed:
        guard = next(iter(typed.values())).place
        plain.setdefault(("typing", "TYPE_CHECKING", None),
                         Import("typing", "TYPE_CHECKING", place=guard))
    lines = _print_block(list(plain.values()), "")
    if typed:
        lines += [("", None), ("if TYPE_CHECKING:", None)]
        lines += _print_block(list(typed.values()), "    ")
    return lines


def _print_block(imports: Sequence[Import], margin: str) -> list[tuple[str, Place | None]]:
    lines: list[tuple[str, Place | None]] = []
    for group in range(3):
        members = [i for i in imports if _group(i.module) == group]
        if members and lines:
            lines.append(("", None))
        modules = sorted((i for i in members if i.name is None), key=_by_module)
        lines += [(f"{margin}{i}", i.place) for i in modules]
        merged: dict[tuple[str, str], list[Import]] = {}
        for i in members:
            if i.name is not None:
                merged.setdefault((i.module, str(i) if i.alias else ""), []).append(i)
        for names in merged.values():
            names.sort(key=by_name)
        for names in sorted(merged.values(), key=lambda n: (_by_module(n[0])[:2], by_name(n[0]))):
            lines += print_from(names, margin)
    return lines


def print_from(names: Sequence[Import], margin: str) -> list[tuple[str, Place | None]]:
    one_line = f"{margin}from {names[0].module} import " + ", ".join(
        str(i).split(" import ", 1)[1] for i in names)
    if len(one_line) <= WIDTH:
        return [(one_line, names[0].place)]
    return [(f"{margin}from {names[0].module} import (", names[0].place),
            *((f"{margin}    {str(i).split(' import ', 1)[1]},", i.place) for i in names),
            (f"{margin})", names[0].place)]


def _group(module: str) -> int:
    """Standard library, other packages, ours."""
    top = module.split(".")[0]
    if top == PACKAGE:
        return 2
    return 0 if top in sys.stdlib_module_names else 1


def _natural(text: str) -> list[tuple[int, int, str]]:
    return [(0, int(part), "") if part.isdigit() else (1, 0, part)
            for part in re.split(r"(\d+)", text) if part]


def _by_module(i: Import) -> tuple[object, ...]:
    return (_natural(i.module.lower()), _natural(i.module), i.alias or "")


def by_name(i: Import) -> tuple[object, ...]:
    """Constants, then classes, then the rest; each in natural order."""
    name = i.name or ""
    kind = 0 if len(name) > 1 and name.isupper() else 1 if name[:1].isupper() else 2
    return (kind, _natural(name.lower()), _natural(name), i.alias or "")


@lru_cache(maxsize=4096)
def imported_modules(source: str) -> frozenset[str]:
    """The modules of the package that some code may import, by their dotted names.

    ``from scratchlm.x import y`` gives ``scratchlm.x`` and ``scratchlm.x.y``, since
    only the package's files tell whether ``y`` is a module: see ``closure``.
    Notebook magics are skipped; imports inside functions count.
    """
    found: set[str] = set()
    if PACKAGE not in source:
        return frozenset()
    try:
        tree = ast.parse(source)
    except SyntaxError:
        tree = ast.parse("\n".join(
            line.strip() for line in source.split("\n")
            if re.match(rf"\s*(from|import)\s+{PACKAGE}\b.*[\w)*]\s*$", line)
            and _parses(line.strip())))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            for i in read_imports(node):
                if i.module.split(".")[0] == PACKAGE:
                    found.add(i.module)
                    if i.name:
                        found.add(f"{i.module}.{i.name}")
    return frozenset(found)


def needed_names(source: str) -> Iterator[str]:
    """What plain Python takes from the package: ``scratchlm.x`` or ``scratchlm.x.y``."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            for i in read_imports(node):
                if i.module.split(".")[0] == PACKAGE and (i.module, i.name) != (PACKAGE, None):
                    yield f"{i.module}.{i.name}" if i.name else i.module


def _parses(source: str) -> bool:
    try:
        ast.parse(source)
    except SyntaxError:
        return False
    return True


def dotted(module: PurePosixPath) -> str:
    """``data/pack.py`` is ``scratchlm.data.pack``; a package goes by its folder."""
    parts = [PACKAGE, *module.with_suffix("").parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def closure(modules: Iterable[str], files: Mapping[PurePosixPath, str]) -> set[PurePosixPath]:
    """The files of the package that importing these modules reads.

    Args:
        modules: dotted names, as ``imported_modules`` gives them; names that
            are no modules are ignored.
        files: a package's files, as ``tangle(...).files``.

    Returns:
        Their paths among ``files``, the ``__init__.py`` of packages included.
    """
    paths = {dotted(path): path for path in files}
    todo, reached = list(modules), set[PurePosixPath]()
    while todo:
        name = todo.pop()
        path = paths.get(name)
        if "." in name:
            todo.append(name.rpartition(".")[0])
        if path is not None and path not in reached:
            reached.add(path)
            todo.extend(imported_modules(files[path]))
    return reached


def cycle_in(graph: Mapping[str, Iterable[str]]) -> list[str] | None:
    """A chain ``a, b, …, a`` of modules that import each other, if there is one."""
    done: set[str] = set()

    def visit(module: str, chain: list[str]) -> list[str] | None:
        if module in chain:
            return [*chain[chain.index(module):], module]
        if module in done:
            return None
        done.add(module)
        for other in sorted(graph.get(module, ())):
            found = visit(other, [*chain, module])
            if found:
                return found
        return None

    for module in sorted(graph):
        found = visit(module, [])
        if found:
            return found
    return None
