"""Cut Python source into pieces: statements with the comments that go with them.

Cells and tangled modules are cut by the same rules, so that a piece of one
can be found in the other. A comment belongs to the statement below it; one
that is indented deeper than the statement above belongs to that one's body.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
SECTION_MARK = re.compile(r"\s*# § \S+$")


@dataclass(frozen=True, eq=False)
class Piece:
    """A statement, the comments above it, and the lines both take up (from 1)."""

    node: ast.stmt
    first: int  # comments above included
    start: int  # decorators included, comments not
    last: int
    kind: str  # import, docstring, function, class, constant, code or main
    names: tuple[str, ...]  # what it binds; () for a statement without a name
    head: int = 0  # of a class of the module: the last line of its header
    members: tuple[Piece, ...] = ()  # of a class of the module: its body
    grows: ast.expr | None = None  # the class in its `@extends(Class)`

    @property
    def name(self) -> str:
        return self.names[0] if self.names else ""

    @property
    def is_open(self) -> bool:
        """Whether it is a class whose body stands below its header, not beside it."""
        return bool(self.members) and self.members[0].start > self.head

    @property
    def is_definition(self) -> bool:
        return isinstance(self.node, DEFINITIONS)


@dataclass(frozen=True, eq=False)
class Cut:
    """Source in pieces, and the lines of what cannot be cut cleanly."""

    lines: tuple[str, ...]
    pieces: tuple[Piece, ...]
    loose: tuple[int, ...]  # comments below which nothing follows
    shared: tuple[int, ...]  # lines with more than one statement


@lru_cache(maxsize=8192)
def cut(source: str) -> Cut:
    """Cut a cell or a module into pieces.

    Raises:
        SyntaxError: it is not Python.
    """
    tree = ast.parse(source)
    lines = source.split("\n")
    loose: list[int] = []
    shared: list[int] = []
    pieces = _cut_body(tree.body, lines, 1, len(lines), loose, shared, top=True)
    return Cut(tuple(lines), tuple(pieces), tuple(loose), tuple(shared))


def _cut_body(body: Sequence[ast.stmt], lines: list[str], begin: int, end: int,
              loose: list[int], shared: list[int], top: bool) -> list[Piece]:
    """Cut the statements of one body, which may use the lines begin to end."""
    pieces: list[Piece] = []
    for n, node in enumerate(body):
        start = _start(node)
        if start < begin:
            shared.append(start)
        first = next((k for k in range(begin, start) if lines[k - 1].strip()), start)
        limit = _start(body[n + 1]) - 1 if n + 1 < len(body) else end
        last = node.end_lineno or node.lineno
        for k in range(last + 1, limit + 1):
            text = lines[k - 1].strip()
            if text and _indent(lines[k - 1]) <= node.col_offset:
                break
            last = k if text else last
        begin = last + 1
        head, members = 0, []
        if top and isinstance(node, ast.ClassDef):
            head = _head(node, lines)
            opening = min(head + 1, _start(node.body[0]))
            members = _cut_body(node.body, lines, opening, last, loose, shared, top=False)
        pieces.append(Piece(node, first, start, last, _kind(node, n == 0 and top),
                            _names(node), head, tuple(members), _grows(node)))
    loose.extend(k for k in range(begin, end + 1) if lines[k - 1].strip())
    return pieces


def _start(node: ast.stmt) -> int:
    decorators = getattr(node, "decorator_list", None)
    return min(node.lineno, decorators[0].lineno) if decorators else node.lineno


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _head(node: ast.ClassDef, lines: list[str]) -> int:
    """The line on which a class's header ends with its colon."""
    inside = [*node.bases, *(k.value for k in node.keywords)]
    line = max([node.lineno, *(n.end_lineno or n.lineno for n in inside)])
    while line < node.body[0].lineno and not re.search(r":\s*(#.*)?$", lines[line - 1]):
        line += 1
    return line


def _kind(node: ast.stmt, opens: bool) -> str:
    match node:
        case ast.Import() | ast.ImportFrom():
            return "import"
        case ast.If(test=ast.Name("TYPE_CHECKING") | ast.Attribute(attr="TYPE_CHECKING"),
                    orelse=[]) if all(isinstance(n, ast.Import | ast.ImportFrom)
                                      for n in node.body):
            return "import"
        case ast.If(test=ast.Compare(left=ast.Name("__name__"))):
            return "main"
        case ast.Expr(ast.Constant(str())) if opens:
            return "docstring"
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            return "function"
        case ast.ClassDef():
            return "class"
        case ast.Assign() | ast.AnnAssign() if _names(node):
            return "constant"
    return "code"


def _names(node: ast.stmt) -> tuple[str, ...]:
    """The names that a statement binds in its own scope, imports aside."""
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return (node.name,)
        case ast.Assign():
            return tuple(name for target in node.targets for name in _targets(target))
        case ast.AnnAssign():
            return tuple(_targets(node.target))
        case ast.If() | ast.Try() | ast.With():
            blocks = [*node.body, *getattr(node, "orelse", []), *getattr(node, "finalbody", [])]
            for handler in getattr(node, "handlers", []):
                blocks.extend(handler.body)
            found = [name for inner in blocks for name in _names(inner)]
            found += [alias.asname or alias.name.split(".")[0] for inner in blocks
                      if isinstance(inner, ast.Import | ast.ImportFrom) for alias in inner.names]
            return tuple(dict.fromkeys(found))
    alias = getattr(node, "name", None)  # `type Name = …`, from Python 3.12
    return (alias.id,) if isinstance(alias, ast.Name) else ()


def _targets(target: ast.expr) -> Iterator[str]:
    if isinstance(target, ast.Name):
        yield target.id
    elif isinstance(target, ast.Tuple | ast.List):
        for element in target.elts:
            yield from _targets(element)
    elif isinstance(target, ast.Starred):
        yield from _targets(target.value)


def _grows(node: ast.stmt) -> ast.expr | None:
    for decorator in getattr(node, "decorator_list", []):
        match decorator:
            case ast.Call(func=ast.Name("extends"), args=[cls]):
                return cls
    return None


def continues(piece: Piece) -> bool:
    """Whether it may share its name with the pieces before it.

    So do a property's setter and deleter, what is registered with a
    single-dispatch function, and the name ``_``.
    """
    return piece.name == "_" or any(
        isinstance(decorator, ast.Attribute) and decorator.attr in ("setter", "deleter", "getter")
        for decorator in getattr(piece.node, "decorator_list", []))


def is_overload(piece: Piece) -> bool:
    return any(getattr(decorator, "id", getattr(decorator, "attr", "")) == "overload"
               for decorator in getattr(piece.node, "decorator_list", []))


def is_placeholder(piece: Piece) -> bool:
    """Whether it is ``pass`` or ``...``, which holds an empty body open."""
    match piece.node:
        case ast.Pass():
            return True
        case ast.Expr(ast.Constant(value=value)):
            return value is ...
    return False


def docstring_of(node: ast.AST) -> ast.stmt | None:
    """The docstring of a function or class, None if it has none."""
    if isinstance(node, DEFINITIONS):
        match node.body[0]:
            case ast.Expr(ast.Constant(str())):
                return node.body[0]
    return None


def frozen_lines(piece: Piece, lines: Sequence[str]) -> set[int]:
    """The lines that lie inside a string and must keep their margin.

    Docstrings are not among them: they move with their function.
    """
    outside = lines[piece.start - 1:piece.last]
    docstring = docstring_of(piece.node)
    if docstring is not None:
        outside = (*lines[piece.start - 1:docstring.lineno - 1],
                   *lines[docstring.end_lineno or 0:piece.last])
    if not any('"""' in line or "'''" in line or line.endswith("\\") for line in outside):
        return set()
    return set(_string_lines(piece, lines))


def _string_lines(piece: Piece, lines: Sequence[str]) -> Iterator[int]:
    text = "\n".join(lines[piece.start - 1:piece.last])
    text = "\n" * (piece.start - 1) + ("if 1:\n" if text[:1].isspace() else "\n") + text + "\n"
    opened: list[int] = []
    docstrings = {(found.lineno + 1, found.col_offset)
                  for node in ast.walk(piece.node) if (found := docstring_of(node))}
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        name = tokenize.tok_name[token.type]
        if token.type == tokenize.STRING and token.start not in docstrings:
            yield from range(token.start[0], token.end[0])
        elif name in ("FSTRING_START", "TSTRING_START"):
            opened.append(token.start[0])
        elif name in ("FSTRING_END", "TSTRING_END"):
            yield from range(opened.pop(), token.end[0])
