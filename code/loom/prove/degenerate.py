"""Answers that answer nothing: what graders have given marks for by mistake."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from loom.exercise.model import Code, Exercise

# What a function of any arguments gives back. `a` are the arguments in order.
RESULTS = {
    "None": "None",
    "its input": "a[0] if a else None",
    "zero": "0.0",
    "zeros like the input": "np.zeros_like(a[0]) if a else 0.0",
    "ones like the input": "np.ones_like(a[0]) if a else 1.0",
    "NaN": "np.full_like(a[0], np.nan, dtype=float) if a else np.nan",
    "a shape too many": "np.asarray(a[0])[None] if a else [[]]",
    "a list": "list(np.ravel(a[0])) if a else []",
    "an array of objects": "np.asarray(a[0]).astype(object) if a else None",
    "a string": "'passed'",
    "True": "True",
    "an error": "(_ for _ in ()).throw(ValueError(*a))",
}


def degenerate(exercise: Exercise) -> Iterator[Code]:
    """One answer for every such result, each defining all that is asked for."""
    kinds = {node.name: type(node) for node in ast.parse(exercise.solution).body
             if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    for what, result in RESULTS.items():
        lines = ["import numpy as np", ""]
        for name in exercise.names:
            if kinds.get(name) is ast.ClassDef:
                lines += [f"class {name}:",
                          "    def __init__(self, *a, **named): self.a = a",
                          "    def __call__(self, *a, **named):",
                          "        a = a or tuple(named.values())",
                          f"        return {result}",
                          "    def __getattr__(self, name):",
                          "        if name.startswith('__'): raise AttributeError(name)",
                          "        return self", ""]
            else:
                lines += [f"def {name}(*a, **named):",
                          "    a = a or tuple(named.values())",
                          f"    return {result}", ""]
        yield Code(what, "\n".join(lines), 1)
