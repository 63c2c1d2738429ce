"""The code of a learner's notebook as one text, and where each line stands in it."""

from __future__ import annotations

import ast
import json
import re
import warnings
from pathlib import Path
from typing import Any

from loom.errors import fail
from loom.exercise.decode import LARGEST, Lines, read_bytes

OUTPUTS = 32 * LARGEST  # a notebook also holds what its cells printed and drew
CHECKER = "loom.desk.notebook"
_CHECK = re.compile(r"""(\w+\s*=\s*)?check\(\s*["'][\w.-]+["'].*\)\s*(#.*)?$""")
_AGAIN = "save the notebook again from Jupyter, or `loom start` writes a new one beside it"


def read_notebook(path: Path) -> tuple[Lines, tuple[tuple[int, int], ...]]:
    """The code cells of a notebook, one below the other.

    Lines for Jupyter only are blank in it: cell magics, and the calls of
    ``check``, which would have the judge call itself.

    Returns:
        The lines, and for each its cell and its line there, both from 1
        (cells are counted with the texts between them).

    Raises:
        LoomError: the file cannot be read, or is not a notebook.
    """
    content = read_bytes(path, OUTPUTS)
    try:
        notebook = json.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise fail("is not UTF-8, as notebooks are", _AGAIN, path=path) from None
    except (ValueError, RecursionError) as error:
        what = "is empty" if not content.strip() else "holds merge-conflict markers" \
            if b"<<<<<<<" in content else "is not a notebook: not JSON"
        line = getattr(error, "lineno", None)
        raise fail(what, _AGAIN, path=path, line=line) from None
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    if not isinstance(cells, list):
        raise fail("is JSON, but not a notebook of format 4", _AGAIN, path=path)
    lines: list[str] = []
    places: list[tuple[int, int]] = []
    bad: dict[int, tuple[str, str]] = {}
    for number, cell in enumerate(cells, 1):
        source = _source(cell)
        if source is None:
            continue
        title = _title(cell, source)
        if title:
            lines.append(title)
            places.append((number, 1))
        for n, line in enumerate(_plain(source).split("\n"), 1):
            lines.append(line)
            places.append((number, n))
            if "\0" in line or any("\ud800" <= letter <= "\udfff" for letter in line):
                bad[len(lines)] = ("holds a character that no text has",
                                   "delete the line and type it again")
        lines.append("")
        places.append((number, places[-1][1]))
    if sum(map(len, lines)) > LARGEST:
        raise fail(f"holds more than {LARGEST >> 20} MB of code",
                   "answers are a few kilobytes: take out what does not belong there", path=path)
    return Lines(tuple(lines), bad), tuple(places)


def _source(cell: Any) -> str | None:
    """The text of a code cell."""
    if not isinstance(cell, dict) or cell.get("cell_type") != "code":
        return None
    source = cell.get("source", "")
    if isinstance(source, list):
        source = "".join(part for part in source if isinstance(part, str))
    return source.replace("\r\n", "\n").replace("\r", "\n") if isinstance(source, str) else None


def _title(cell: dict[str, Any], source: str) -> str:
    """The marker of a cell whose file was turned into a notebook by jupytext."""
    metadata = cell.get("metadata")
    title = metadata.get("title") if isinstance(metadata, dict) else None
    if not isinstance(title, str) or not title.lower().startswith("exercise") \
            or source.lstrip().startswith("# %%"):
        return ""
    return "# %% " + title.split("\n")[0]


def without_checks(lines: tuple[str, ...]) -> tuple[str, ...]:
    """The lines of a file that was a notebook, without its calls of ``check``."""
    if not any(line.startswith(f"from {CHECKER} import") for line in lines):
        return lines
    return tuple("" if line.startswith(f"from {CHECKER} import") or _CHECK.match(line) else line
                 for line in lines)


def _plain(source: str) -> str:
    """A cell with everything blanked that only Jupyter understands."""
    lines = source.split("\n")
    first = next((line for line in lines if line.strip()), "")
    if first.startswith("%%"):
        return "\n" * (len(lines) - 1)
    tree = _parsed(source)
    if tree is None:  # magics are no Python; inside brackets, % may start a line that is
        lines = ["" if re.match(r"\s*(%[A-Za-z]|!|\?)|[\w.]+\?{1,2}\s*$", line) else line
                 for line in lines]
        tree = _parsed("\n".join(lines))
        if tree is None:
            return source
    for node in tree.body:
        if _is_check(node):
            for n in range(node.lineno, (node.end_lineno or node.lineno) + 1):
                lines[n - 1] = ""
    return "\n".join(lines)


def _parsed(source: str) -> ast.Module | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _is_check(node: ast.stmt) -> bool:
    if isinstance(node, ast.ImportFrom):
        return node.module == CHECKER
    call = node.value if isinstance(node, ast.Expr | ast.Assign) else None
    return isinstance(call, ast.Call) and isinstance(call.func, ast.Name) \
        and call.func.id == "check" and all(isinstance(a, ast.Constant) for a in call.args)
