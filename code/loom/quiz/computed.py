"""Whether a program computes a name, or only repeats what is written in it."""

from __future__ import annotations

import ast


def bound(node: ast.AST) -> set[str]:
    """The names that a statement assigns to."""
    if isinstance(node, ast.Assign):
        targets: list[ast.AST] = [*node.targets]
    elif isinstance(node, ast.AnnAssign | ast.AugAssign | ast.NamedExpr | ast.For | ast.AsyncFor):
        targets = [node.target]
    elif isinstance(node, ast.withitem) and node.optional_vars:
        targets = [node.optional_vars]
    else:
        return set()
    return {name.id for target in targets for name in ast.walk(target)
            if isinstance(name, ast.Name)}


def computed_names(tree: ast.Module) -> set[str]:
    """The names whose value comes out of a call, a comparison, a loop …, not out of the text."""
    computed: set[str] = set()
    while True:
        before = len(computed)
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                computed.add(node.name)
            elif isinstance(node, ast.Import | ast.ImportFrom):
                computed |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
            elif isinstance(node, ast.For | ast.AsyncFor | ast.AugAssign | ast.withitem) or (
                    isinstance(node, ast.Assign | ast.AnnAssign | ast.NamedExpr)
                    and node.value is not None and _computes(node.value, computed)):
                computed |= bound(node)
        if len(computed) == before:
            return computed


def _computes(value: ast.AST, computed: set[str]) -> bool:
    """Whether an expression does more than repeat literals."""
    working = (ast.Call, ast.BinOp, ast.Compare, ast.ListComp, ast.SetComp, ast.DictComp,
               ast.GeneratorExp, ast.JoinedStr)
    for node in ast.walk(value):
        if isinstance(node, working) and not _is_constant(node):
            return True
        if isinstance(node, ast.Name) and node.id in computed:
            return True
    return False


def _is_constant(node: ast.AST) -> bool:
    """Arithmetic on literals that stands for a number, such as ``-1``, ``1 + 2j``, ``f"a"``."""
    try:
        ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return isinstance(node, ast.JoinedStr) and not any(
            isinstance(part, ast.FormattedValue) for part in node.values)
    return True
