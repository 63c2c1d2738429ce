"""The names that a piece uses: while its module is imported, and later."""

from __future__ import annotations

import ast
import builtins
import copy
import re
import symtable
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from loom.tangle.pieces import DEFINITIONS, Piece, cut

KNOWN = frozenset(dir(builtins)) | {
    "__name__", "__file__", "__doc__", "__spec__", "__package__", "__path__", "__class__",
    "__qualname__", "__module__", "__annotations__",
}

PRIVATE = r"__\w*[^\W_]_?"


@dataclass
class Uses:
    """Global names by when they are looked up."""

    at_import: set[str] = field(default_factory=set)  # decorators, bases, defaults, values
    hints: set[str] = field(default_factory=set)  # annotations: never looked up
    quoted: set[str] = field(default_factory=set)  # annotations in quotes, `__all__`
    later: set[str] = field(default_factory=set)  # inside functions
    bound: set[str] = field(default_factory=set)  # by comprehensions and `:=`

    @property
    def all(self) -> set[str]:
        return self.at_import | self.hints | self.quoted | self.later


@lru_cache(maxsize=8192)
def uses_in(source: str) -> dict[Piece, Uses]:
    """What each piece of a cell uses; for a class, each member by itself too.

    A class's own entry holds what its header uses: decorators, bases.
    """
    found: dict[Piece, Uses] = {}
    by_line: dict[int, Uses] = {}
    for piece in cut(source).pieces:
        uses = found[piece] = Uses()
        for line in range(piece.start, piece.last + 1):
            by_line[line] = uses
        if isinstance(piece.node, ast.ClassDef) and piece.grows is None:
            own = {name for member in piece.members for name in member.names}
            for expression in (*piece.node.decorator_list, *piece.node.bases,
                               *(k.value for k in piece.node.keywords)):
                _eager(expression, uses)
            for member in piece.members:
                inner = found[member] = Uses()
                _eager(member.node, inner)
                inner.at_import -= own
                for line in range(member.start, member.last + 1):
                    by_line[line] = inner
        else:
            _eager(without_growth(piece), uses)
    if any(piece.is_definition or "lambda" in source for piece in found):
        for line, names in _in_functions(symtable.symtable(source, "cell", "exec")):
            if line in by_line:
                by_line[line].later.update(names)
    for uses in found.values():
        uses.at_import -= uses.bound
    return found


def without_growth(piece: Piece) -> ast.stmt:
    """A statement as it will read inside the class that it grows.

    ``@extends(Class)`` is gone, and ``@Class.x.setter`` is ``@x.setter``, which
    uses no global name.
    """
    cls = piece.grows
    if not (isinstance(cls, ast.Name) and isinstance(piece.node, DEFINITIONS)):
        return piece.node
    node = copy.copy(piece.node)
    node.decorator_list = [d for d in node.decorator_list[1:] if root_of(d) != cls.id]
    return node


def root_of(node: ast.expr) -> str | None:
    """``Class`` of the decorator ``@Class.x.setter``."""
    dotted = False
    while isinstance(node, ast.Attribute | ast.Call):
        dotted = dotted or isinstance(node, ast.Attribute)
        node = node.value if isinstance(node, ast.Attribute) else node.func
    return node.id if dotted and isinstance(node, ast.Name) else None


def _in_functions(table: symtable.SymbolTable) -> Iterator[tuple[int, tuple[str, ...]]]:
    """The global names of every function in a cell, with the function's line."""
    for child in table.get_children():
        if isinstance(child, symtable.Function):
            yield child.get_lineno(), child.get_globals()
        elif table.get_type() != "module":  # a class inside a function
            yield child.get_lineno(), tuple(s.get_name() for s in child.get_symbols()
                                            if s.is_global())
        yield from _in_functions(child)


def _eager(node: ast.AST, uses: Uses) -> None:
    """Collect what is looked up when a statement of a module or class runs."""
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            arguments = node.args
            for part in (*node.decorator_list, *arguments.defaults, *arguments.kw_defaults):
                if part is not None:
                    _eager(part, uses)
            every = (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs,
                     arguments.vararg, arguments.kwarg)
            for hint in (node.returns, *(a.annotation for a in every if a)):
                if hint is not None:
                    _hint(hint, uses)
        case ast.Lambda():
            for part in (*node.args.defaults, *node.args.kw_defaults):
                if part is not None:
                    _eager(part, uses)
        case ast.AnnAssign():
            _hint(node.annotation, uses)
            if node.value is not None:
                _eager(node.value, uses)
        case ast.Assign(targets=[ast.Name("__all__")]):
            uses.quoted.update(c.value for c in ast.walk(node.value)
                               if isinstance(c, ast.Constant) and isinstance(c.value, str))
            uses.bound.add("__all__")
        case ast.Name():
            (uses.at_import if isinstance(node.ctx, ast.Load) else uses.bound).add(node.id)
        case _:
            for child in ast.iter_child_nodes(node):
                _eager(child, uses)


def _hint(node: ast.AST, uses: Uses) -> None:
    """Collect the names of an annotation, those in quotes apart."""
    match node:
        case ast.Name():
            uses.hints.add(node.id)
        case ast.Subscript(value=ast.Name("Literal") | ast.Attribute(attr="Literal")):
            _hint(node.value, uses)
        case ast.Constant(str(text)):
            try:
                inner = ast.parse(text, mode="eval")
            except SyntaxError:
                return
            uses.quoted.update(n.id for n in ast.walk(inner) if isinstance(n, ast.Name))
        case _:
            for child in ast.iter_child_nodes(node):
                _hint(child, uses)


def private_names(node: ast.AST) -> Iterator[tuple[str, int]]:
    """Names like ``__x``, which Python spells differently inside a class."""
    for inner in ast.walk(node):
        for _, value in ast.iter_fields(inner):
            for name in value if isinstance(value, list) else [value]:
                if isinstance(name, str) and re.fullmatch(PRIVATE, name) \
                        and not isinstance(inner, ast.Constant):
                    yield name, getattr(inner, "lineno", getattr(node, "lineno", 1))


def bare_super(node: ast.AST) -> int | None:
    """The line of a ``super()`` without arguments or a ``__class__``."""
    for inner in ast.walk(node):
        match inner:
            case ast.Call(func=ast.Name("super"), args=[]) | ast.Name("__class__"):
                return inner.lineno
    return None
