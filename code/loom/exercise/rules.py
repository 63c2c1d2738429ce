"""What can be told of an exercise's code without running it."""

from __future__ import annotations

import ast
import sys
import warnings
from collections.abc import Iterable, Iterator

from loom.book.toc import PACKAGE
from loom.errors import Place, Problem

LIBRARIES = ("numpy", "torch")  # what an exercise may ask for; numpy is always there


def parse(source: str, at: Place) -> ast.Module | Problem:
    """Parse a cell.

    Args:
        source: its text.
        at: the place of its first line.

    Returns:
        The tree, or the problem that keeps it from being one.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source)
            compile(tree, "<cell>", "exec", dont_inherit=True)
            return tree
    except SyntaxError as error:
        return Problem(Place(at.path, (at.line or 1) + (error.lineno or 1) - 1),
                       f"a syntax error: {error.msg}", "mend it: no part of a source may be broken")
    except (ValueError, RecursionError, MemoryError) as error:
        return Problem(at, f"Python cannot read it: {error}", "write it more simply")


def defined(tree: ast.Module) -> tuple[str, ...]:
    """The public names that a module binds: functions and classes first, then the rest."""
    callables = [node.name for node in tree.body
                 if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)]
    values = [name for node in tree.body for name in _assigned(node)]
    return tuple(dict.fromkeys(n for n in [*callables, *values] if not n.startswith("_")))


def bound(tree: ast.Module) -> set[str]:
    """Every name that a module binds, at its top or in a branch; imported ones too."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {(a.asname or a.name).split(".")[0] for a in node.names}
        else:
            names.update(_assigned(node))
    return names


def asked(tree: ast.Module, lines: Iterable[tuple[int, int]]) -> tuple[str, ...]:
    """The public names whose definitions hold lines that the learner writes.

    Args:
        tree: the answer cell, marks included.
        lines: first and last line of each region, in the same text.
    """
    written = {n for first, last in lines for n in range(first, last + 1)}
    found: list[str] = []
    for node in tree.body:
        if written.isdisjoint(range(node.lineno, (node.end_lineno or node.lineno) + 1)):
            continue
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.append(node.name)
        found += _assigned(node)
    return tuple(dict.fromkeys(name for name in found if not name.startswith("_")))


def _assigned(node: ast.AST) -> list[str]:
    targets = node.targets if isinstance(node, ast.Assign) else \
        [node.target] if isinstance(node, ast.AnnAssign) and node.value else []
    return [leaf.id for target in targets for leaf in ast.walk(target)
            if isinstance(leaf, ast.Name) and isinstance(leaf.ctx, ast.Store)]


def has_example(tree: ast.Module) -> bool:
    """Whether a docstring shows a worked example (``>>>``)."""
    return any(">>>" in (ast.get_docstring(node) or "") for node in ast.walk(tree)
               if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
                             | ast.Module))


def imports(tree: ast.Module, at: Place, libraries: frozenset[str], sees_package: bool
            ) -> Iterator[Problem]:
    """Imports of what will not be there when the answer runs.

    Args:
        tree: a cell.
        at: the place of its first line.
        libraries: what the exercise asks for.
        sees_package: whether ``scratchlm`` is there.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            modules = [node.module or ""]
        else:
            continue
        for module in modules:
            name = module.split(".")[0]
            place = Place(at.path, (at.line or 1) + node.lineno - 1)
            if name == PACKAGE and not sees_package:
                yield Problem(place, f"imports {PACKAGE}, which does not exist yet",
                              "write what you need, or say `:package: NN-name` (the chapter after "
                              "which the package is seen)")
            elif name in LIBRARIES and name not in {*libraries, "numpy"}:
                yield Problem(place, f"imports {name}, and the exercise does not ask for it",
                              f"add `:libraries: {name}` to the exercise")
            elif name not in {*LIBRARIES, PACKAGE, *sys.stdlib_module_names}:
                yield Problem(place, f"imports {name}, which the learner's answer will not find",
                              f"use the standard library, {' or '.join(LIBRARIES)}")


def futures(tree: ast.Module, at: Place) -> Iterator[Problem]:
    """``from __future__`` in an answer, which shares a file with the others."""
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module == "__future__":
            yield Problem(Place(at.path, (at.line or 1) + node.lineno - 1),
                          "`from __future__` in an answer: Python wants it at the top of a file, "
                          "and the learner's file has other exercises above it",
                          'put the annotations that need it in quotes: `-> "Dual"`')


def case_calls(tree: ast.Module) -> list[ast.Call]:
    """The calls of ``case`` in a cell of cases, in order."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)
             and isinstance(node.func, ast.Name) and node.func.id == "case"]
    return sorted(calls, key=lambda call: (call.lineno, call.col_offset))


def cases(tree: ast.Module, at: Place, names: tuple[str, ...], problems: list[Problem]
          ) -> tuple[str, ...] | None:
    """Check the cases as far as their text goes.

    Args:
        tree: the cell.
        at: the place of its first line.
        names: what the answer defines.
        problems: what is wrong is added here.

    Returns:
        The names of the cases; None if one is only known when it runs.
    """
    calls = case_calls(tree)
    if not calls:
        problems.append(Problem(at, "no cases", "write `case(name, inputs, why=…)`"))
    found: list[str] = []
    computed = False
    for call in calls:
        place = Place(at.path, (at.line or 1) + call.lineno - 1)
        options = {k.arg: k.value for k in call.keywords}
        first = call.args[0] if call.args else options.get("name")
        constant = isinstance(first, ast.Constant)
        name = first.value if isinstance(first, ast.Constant) \
            and isinstance(first.value, str) else None
        if first is None or (constant and name is None):
            problems.append(Problem(place, "a case without a name",
                                    "its first argument is its name, a string"))
        elif name is None:
            computed = True
        elif name in found:
            problems.append(Problem(place, f"two cases are called “{name}”", "rename one of them"))
        else:
            found.append(name)
        if None in options:  # **options: only known when it runs
            continue
        if "why" not in options:
            problems.append(Problem(place, f"the case {f'“{name}”' if name else 'here'} does not "
                                    "say why it is there",
                                    "add `why=…`: the misconception that it catches, one sentence"))
        called = options.get("call")
        if isinstance(called, ast.Constant) and isinstance(called.value, str) \
                and called.value.split(".")[0] not in names:
            problems.append(Problem(place, f"`call={ast.unparse(called)}` names nothing that "
                                    "the answer defines", f"it defines {', '.join(names)}"))
        drive = options.get("drive")
        functions = {n.name for n in tree.body if isinstance(n, ast.FunctionDef)}
        if isinstance(drive, ast.Name) and drive.id not in functions:
            problems.append(Problem(place, f"`drive={drive.id}`: no function of this cell",
                                    f"write `def {drive.id}(answer, …):` in this cell: its text is "
                                    "sent to the worker"))
    return None if computed else tuple(found)
