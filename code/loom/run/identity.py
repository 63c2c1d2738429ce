"""Inside the kernel: what a tangled cell defines belongs to its module.

After a tangled cell has run, its names are bound in ``scratchlm.<module>``
too, where the package will have them: a function can be sent to another
process, ``from scratchlm.x import f`` works in the cells that follow, and a
definition that replaces an earlier one replaces it in every module that
already holds it. Standard library only: the notebooks that readers download
carry this file.
"""

from __future__ import annotations

import ast
import importlib
import importlib.machinery
import sys
import types
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

PACKAGE = "scratchlm"


class Homes:
    """Where the names of tangled cells belong.

    Args:
        cells: for each tangled cell's source, or the id that the front end
            sends for it: ``{"module": "scratchlm.x", "replaces": ["f"]}``.
        namespace: the notebook's variables.
    """

    def __init__(self, cells: Mapping[str, Mapping[str, Any]], namespace: dict[str, Any]) -> None:
        self.cells = cells
        self.namespace = namespace
        self.made: set[str] = set()  # modules that exist only because of this chapter's cells

    def after_cell(self, result: Any) -> None:
        """IPython's ``post_run_cell`` event."""
        info = result.info
        cell = self.cells.get(str(getattr(info, "cell_id", None))) \
            or self.cells.get(info.raw_cell)
        if cell is None or not result.success:
            return
        module = self._module(cell["module"])
        for name in defined_names(info.raw_cell):
            if name not in self.namespace:
                continue
            new = self.namespace[name]
            _move(new, name, module.__name__)
            old = module.__dict__.get(name)
            if name in cell["replaces"] and old is not None and old is not new:
                _rebind(old, new)
            setattr(module, name, new)

    def _module(self, name: str) -> types.ModuleType:
        """The module, imported if the chapter before has it, or made."""
        parent, _, last = name.rpartition(".")
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name is None or not (name == error.name or name.startswith(error.name + ".")):
                raise  # the module is there, and something it imports is not
        package = self._module(parent) if parent else None
        module = types.ModuleType(name)
        module.__spec__ = importlib.machinery.ModuleSpec(name, None, is_package=True)
        module.__path__ = []
        module.__package__ = name
        sys.modules[name] = module
        self.made.add(name)
        if package is not None:
            setattr(package, last, module)
        return module


def defined_names(source: str) -> list[str]:
    """Names that a cell's top level binds; members for a class are not among them."""
    try:
        tree = ast.parse(source)
    except SyntaxError:  # magics: such a cell is not tangled
        return []
    return list(dict.fromkeys(_bound(tree.body)))


def _bound(body: list[ast.stmt]) -> Iterator[str]:
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            if not any(_is_extends(decorator) for decorator in node.decorator_list):
                yield node.name
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            for alias in node.names:
                yield alias.asname or alias.name.partition(".")[0]
        elif isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                yield from (n.id for n in ast.walk(target)
                            if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store))
        else:
            for part in ("body", "orelse", "finalbody"):
                yield from _bound(getattr(node, part, []))


def _is_extends(decorator: ast.expr) -> bool:
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", None)
    return name == "extends"


def _move(thing: Any, name: str, module: str) -> None:
    """A function or class that the notebook defined says that it is the module's."""
    if getattr(thing, "__module__", None) == "__main__" \
            and getattr(thing, "__qualname__", getattr(thing, "__name__", None)) == name:
        with suppress(AttributeError, TypeError):
            thing.__module__ = module


def _rebind(old: Any, new: Any) -> None:
    """Put ``new`` wherever a loaded module of the package holds ``old``."""
    for name, module in list(sys.modules.items()):
        if name == PACKAGE or name.startswith(PACKAGE + "."):
            for attribute, value in list(vars(module).items()):
                if value is old:
                    setattr(module, attribute, new)
