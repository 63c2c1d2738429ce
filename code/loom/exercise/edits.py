"""Mutants: edits of the solution's text, read as data and never run."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable

from loom.exercise.model import Code, Mutant
from loom.exercise.near import nearest

Tell = Callable[[int, str, str], None]  # line of the file, what is wrong, what to do


def catches(line: int, case: str, known: tuple[str, ...] | None, tell: Tell) -> None:
    """Tell if no case of this name exists.

    Args:
        line: where it is named.
        case: its name.
        known: the cases' names; None if they are only known when they run.
        tell: takes the problem.
    """
    if known is not None and case not in known:
        tell(line, f"caught by “{case}”: there is no such case", nearest(case, known))


class Edits:
    """The mutants and equivalents of one exercise.

    Args:
        solution: the text that they edit.
        known: the names of the cases, None if they are not all known.
        tell: takes what is wrong.
    """

    def __init__(self, solution: str, known: tuple[str, ...] | None, tell: Tell) -> None:
        self.solution = solution
        self.known = known
        self.tell = tell
        self.mutants: list[Mutant] = []
        self.equivalents: list[tuple[str, str, str]] = []

    def read(self, tree: ast.Module, first: int) -> None:
        """Read a cell of calls.

        Args:
            tree: the cell.
            first: the line of the file that it starts on.
        """
        for node in tree.body:
            line = first + node.lineno - 1
            call = _literal_call(node)
            if call is None or call[0] not in ("mutant", "equivalent"):
                self.tell(line, "not a mutant: this cell is read, never run",
                          "write `mutant(name, old, new, caught_by=…)` or "
                          "`equivalent(old, new, because=…)`, with strings as they are")
            elif call[0] == "mutant":
                fields = self._fields(line, call, ("name", "old", "new", "caught_by"))
                if fields:
                    mutant = Mutant(fields[0], fields[1], fields[2], fields[3], line)
                    self.mutants.append(mutant)
                    self._check(mutant)
            else:
                fields = self._fields(line, call, ("old", "new", "because"))
                if fields:
                    self.equivalents.append((fields[0], fields[1], fields[2]))

    def applied(self) -> list[Code]:
        """The wrong answers that the mutants make."""
        return [Code(m.name, self.solution.replace(m.old, m.new), m.line, m.caught_by, edited=True)
                for m in self.mutants if self.solution.count(m.old) == 1]

    def _fields(self, line: int, call: tuple[str, list[object], dict[str, object]],
                names: tuple[str, ...]) -> list[str]:
        kind, args, keywords = call
        given = dict(zip(names, args, strict=False)) | keywords
        missing = [n for n in names if not isinstance(given.get(n), str) or
                   not (given[n] or n == "new")]
        extra = [n for n in given if n not in names]
        if missing or extra or len(args) > len(names):
            self.tell(line, f"`{kind}` with " + " and ".join(
                [f"no string for `{n}`" for n in missing]
                + [f"an unknown `{n}`" for n in extra] or ["too many values"]),
                f"write `{kind}({', '.join(names)})`")
            return []
        return [str(given[n]) for n in names]

    def _check(self, mutant: Mutant) -> None:
        count = self.solution.count(mutant.old)
        if count != 1:
            self.tell(mutant.line, f"the mutant “{mutant.name}” edits `{mutant.old}`, which "
                      f"occurs {f'{count} times' if count else 'nowhere'} in the answer cell",
                      "give enough of the text around it that it occurs once" if count else
                      "copy the text from the answer cell, spaces included")
        elif mutant.old == mutant.new:
            self.tell(mutant.line, f"the mutant “{mutant.name}” changes nothing",
                      "its third value is what stands there instead")
        else:
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    compile(self.solution.replace(mutant.old, mutant.new), "<mutant>", "exec",
                            dont_inherit=True)
            except (SyntaxError, ValueError) as error:
                what = error.msg if isinstance(error, SyntaxError) else str(error)
                self.tell(mutant.line, f"the mutant “{mutant.name}” is no Python: {what}",
                          "mend its third value: line breaks and indentation count")
        catches(mutant.line, mutant.caught_by, self.known, self.tell)


def _literal_call(node: ast.stmt) -> tuple[str, list[object], dict[str, object]] | None:
    """A statement ``name("…", key="…")`` as data, None if it is anything else."""
    if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
            and isinstance(node.value.func, ast.Name)):
        return None
    try:
        return (node.value.func.id, [ast.literal_eval(a) for a in node.value.args],
                {k.arg or "**": ast.literal_eval(k.value) for k in node.value.keywords})
    except (ValueError, TypeError, SyntaxError):
        return None
