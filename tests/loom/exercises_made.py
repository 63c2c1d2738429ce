"""Exercises for tests of the judge, made from two texts."""

from __future__ import annotations

import ast
from pathlib import Path
from textwrap import dedent

from loom.exercise.source import Code, Exercise

PLACE = Path("/exercises/01-small.md")


def made(solution: str, cases: str, *, libraries: frozenset[str] = frozenset(),
         packages: Path | None = None) -> Exercise:
    """An exercise with a reference and cases; its stub raises in every function."""
    solution, cases = dedent(solution).strip() + "\n", dedent(cases).strip() + "\n"
    names = tuple(node.name for node in ast.parse(solution).body
                  if isinstance(node, ast.FunctionDef | ast.ClassDef))
    stub = "\n\n".join(f"def {name}(*args):\n    raise NotImplementedError" for name in names)
    return Exercise(
        id="small", title="Small", chapter="01-small", chapter_number=1, number=1, minutes=5,
        level=1, section="sec-small", libraries=libraries, package=None, statement="Do it.",
        statement_line=3, stub=stub, solution=solution, answer_line=10, names=names, asked=names,
        hints=(), cases=Code("cases", cases, 30), accepted=(), wrong=(), mutants=(),
        equivalents=(), remarks="", path=PLACE, line=1, packages=packages)


SOFTMAX = """
import numpy as np


def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)
"""
SOFTMAX_CASES = """
case("rows sum to one", lambda r: [r.normal(size=(3, 5))], why="divide by the row's sum")
case("stable for large logits", lambda r: [r.normal(size=(3, 5)) * 1e4], points=2,
     why="exp overflows; subtract each row's maximum first")
case("any number of axes", lambda r: [r.normal(size=(2, 3, 5))], why="axis=-1")
"""
