"""Small wrong changes of a right program: does any case notice?

One mutant is one change at one place: an operator, a comparison, a constant,
a branch, a statement or a keyword argument. What cannot matter to a caller is
left alone: docstrings, annotations, the words of error messages.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Change:
    """One mutant: the whole program, and what was changed in it."""

    source: str
    line: int  # of the original
    old: str  # the smallest statement or expression that changed, normalized
    new: str

    def __str__(self) -> str:
        return f"line {self.line}: `{self.old}` → `{self.new}`"


OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult, ast.Mod: ast.FloorDiv, ast.Pow: ast.Mult,
    ast.LShift: ast.RShift, ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.BitXor: ast.BitAnd,
}
COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.In: ast.NotIn, ast.NotIn: ast.In,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}


def mutants(source: str) -> Iterator[Change]:
    """Every mutant of a program, in the order of its places.

    Args:
        source: a Python module that parses.
    """
    tree = ast.parse(source)
    untouched = set(_untouched(tree))
    for path in _paths(tree):
        node = _at(tree, path)
        if path in untouched or any(path[:n] in untouched for n in range(len(path))):
            continue
        for replacement in _replacements(node, path[-1][0] if path else ""):
            changed = copy.deepcopy(tree)
            _put(changed, path, replacement)
            shown = _shown(tree, path)
            yield Change(ast.unparse(ast.fix_missing_locations(changed)) + "\n",
                         getattr(node, "lineno", 1), ast.unparse(_at(tree, shown)),
                         ast.unparse(_at(changed, shown)))


def normalized(code: str) -> str:
    """Code as ``Change.old`` and ``Change.new`` spell it; as it is, if it does not parse."""
    try:
        return ast.unparse(ast.parse(code.strip()))
    except SyntaxError:
        return code.strip()


Path = tuple[tuple[str, int | None], ...]  # attribute, and place in it where it is a list


def _paths(tree: ast.AST, path: Path = ()) -> Iterator[Path]:
    yield path
    for name, value in ast.iter_fields(tree):
        if isinstance(value, ast.AST):
            yield from _paths(value, (*path, (name, None)))
        elif isinstance(value, list):
            for i, item in enumerate(value):
                if isinstance(item, ast.AST):
                    yield from _paths(item, (*path, (name, i)))


def _at(tree: ast.AST, path: Path) -> ast.AST:
    for name, i in path:
        value = getattr(tree, name)
        tree = value if i is None else value[i]
    return tree


def _put(tree: ast.AST, path: Path, new: ast.AST) -> None:
    *way, (name, i) = path
    parent = _at(tree, tuple(way))
    if i is None:
        setattr(parent, name, new)
    else:
        getattr(parent, name)[i] = new


def _shown(tree: ast.AST, path: Path) -> Path:
    """The place to show: a simple statement whole, of a compound one its part."""
    for n in range(len(path), -1, -1):
        node = _at(tree, path[:n])
        if isinstance(node, ast.stmt) and not hasattr(node, "body"):
            return path[:n]
        if isinstance(node, ast.expr) and n and isinstance(
                _at(tree, path[:n - 1]), ast.stmt) and hasattr(_at(tree, path[:n - 1]), "body"):
            return path[:n]
    return path


def _untouched(tree: ast.AST) -> Iterator[Path]:
    """Docstrings, annotations, imports, decorators, what is raised, type aliases."""
    for path in _paths(tree):
        node = _at(tree, path)
        if not path:
            continue
        name = path[-1][0]
        if (name in {"annotation", "returns", "decorator_list", "type_params"}
                or isinstance(node, (ast.Import, ast.ImportFrom, ast.Raise, ast.Assert,
                                     ast.JoinedStr, ast.Global, ast.Nonlocal))
                or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
                or (isinstance(node, ast.Call) and ast.unparse(node.func) in ABOUT_TYPES)):
            yield path


ABOUT_TYPES = {"TypeVar", "NewType", "cast", "typing.cast", "warnings.warn", "dataclass"}


def _replacements(node: ast.AST, role: str) -> Iterator[ast.AST]:
    """What may stand in the place of a node that plays this role for its parent."""
    if role == "test":  # of an if, a while or a conditional expression
        yield ast.copy_location(ast.UnaryOp(ast.Not(), copy.deepcopy(node)), node)  # type: ignore[arg-type]
    if isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
        yield _with(node, op=OPERATORS[type(node.op)]())
    elif isinstance(node, ast.AugAssign) and type(node.op) in OPERATORS:
        yield _with(node, op=OPERATORS[type(node.op)]())
        target = copy.deepcopy(node.target)
        yield ast.copy_location(ast.Assign([target], copy.deepcopy(node.value)), node)
    elif isinstance(node, ast.Compare):
        for i, op in enumerate(node.ops):
            ops = [copy.copy(o) for o in node.ops]
            ops[i] = COMPARISONS[type(op)]()
            yield _with(node, ops=ops)
    elif isinstance(node, ast.BoolOp):
        yield _with(node, op=ast.Or() if isinstance(node.op, ast.And) else ast.And())
    elif isinstance(node, ast.UnaryOp) and not (
            isinstance(node.operand, ast.Constant) and node.operand.value == 0):
        yield copy.deepcopy(node.operand)
    elif isinstance(node, ast.Constant):
        yield from _constants(node)
    elif isinstance(node, ast.Call):
        for i, keyword in enumerate(node.keywords):
            if keyword.arg is not None:
                yield _with(node, keywords=node.keywords[:i] + node.keywords[i + 1:])
    elif isinstance(node, ast.Break):
        yield ast.copy_location(ast.Continue(), node)
    elif isinstance(node, ast.Continue):
        yield ast.copy_location(ast.Break(), node)
    if isinstance(node, (ast.Assign, ast.AugAssign, ast.Expr)):
        yield ast.copy_location(ast.Pass(), node)


def _constants(node: ast.Constant) -> Iterator[ast.AST]:
    value = node.value
    if isinstance(value, bool):
        yield ast.copy_location(ast.Constant(not value), node)
    elif isinstance(value, int):
        yield ast.copy_location(ast.Constant(value + 1), node)
    elif isinstance(value, float):
        yield ast.copy_location(ast.Constant(value * 2 if value else 1.0), node)


def _with(node: ast.AST, **fields: object) -> ast.AST:
    """A copy of a node with some fields replaced."""
    changed = copy.deepcopy(node)
    for name, value in fields.items():
        setattr(changed, name, value)
    return changed
