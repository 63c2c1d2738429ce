"""What Python cannot read, told so that a beginner can mend it."""

from __future__ import annotations

import ast
import warnings
from dataclasses import dataclass
from functools import lru_cache

WIDEST = 100  # columns of a line that is shown
_REMEDIES = (
    ("was never closed", "close the bracket; the line that it points at is where it opens"),
    ("unmatched", "remove the bracket, or open it before"),
    ("does not match opening", "the bracket that closes must be of the kind that opened"),
    ("unterminated triple-quoted", "end the text with the three quotes that it starts with"),
    ("unterminated string", "end the text with the quote that it starts with"),
    ("unterminated f-string", "end the text with the quote that it starts with"),
    ("invalid character", "type the character again: it looks like one of Python's, and is not; "
                          "word processors and PDF files change quotes and minus signs"),
    ("invalid non-printable", "delete the invisible character: type the line again"),
    ("inconsistent use of tabs", "indent with spaces only, four a level: most editors have a "
                                 "command “convert indentation to spaces”"),
    ("expected an indented block", "indent what belongs to the line above, by four spaces"),
    ("unexpected indent", "line this up with the line above it"),
    ("unindent does not match", "line this up with an earlier line: four spaces a level"),
    ("expected ':'", "end the line with a colon"),
    ("from __future__", "move this line to the top of the file"),
    ("outside function", "indent it so that it stands inside its function"),
    ("maybe you meant '=='", "`=` gives a name to a value, `==` compares"),
    ("cannot assign", "`=` gives a name to a value, `==` compares"),
    ("line continuation", "nothing may follow a backslash at the end of a line"),
    ("Missing parentheses", "put what is printed in parentheses: `print(…)`"),
    ("perhaps you forgot a comma", "put a comma between the two"),
)
_STARTS = (  # what a line starts with that was never Python
    ("%", "a command of Jupyter's, no Python", "delete the line"),
    ("!", "a command of the shell, no Python", "delete the line, and run it in a terminal"),
    (">>>", "a prompt, no Python", "delete the >>> and what it printed"),
    ("```", "a mark of Markdown, no Python", "delete the line"),
)
_OTHERWISE = "mend this line; if it looks right, look at the end of the line above"


@dataclass(frozen=True)
class Blame:
    """What is wrong with a text: line (from 1, None if unknown), what, what to do."""

    line: int | None
    what: str
    remedy: str


def unreadable(source: str) -> Blame | None:
    """Why Python cannot read a program; None if it can. Nothing of it is run."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(source, "<answer>", "exec", dont_inherit=True)
    except SyntaxError as error:
        return _told(error)
    except (RecursionError, MemoryError):
        return Blame(None, "an expression is nested too deep for Python", "write it more simply")
    except ValueError as error:
        return Blame(None, f"Python cannot read it: {error}", "delete the odd character")
    return None


def _told(error: SyntaxError) -> Blame:
    kind = {"TabError": "tabs and spaces are mixed", "IndentationError": "the indentation"}.get(
        type(error).__name__, "a syntax error")
    message = error.msg or "invalid syntax"
    what = kind if isinstance(error, TabError) else f"{kind}: {message}"
    shown = _pointed(error)
    line = (error.text or "").lstrip()
    for start, foreign, remedy in _STARTS:
        if line.startswith(start) and "invalid syntax" in message:
            return Blame(error.lineno, foreign + shown, remedy)
    remedy = next((r for words, r in _REMEDIES if words in message), _OTHERWISE)
    return Blame(error.lineno, what + shown, remedy)


def _pointed(error: SyntaxError) -> str:
    """The line and a caret below the place, tabs as arrows where they matter."""
    raw = (error.text or "").split("\n")[0].rstrip("\r")
    if not raw.strip():
        return ""
    if isinstance(error, TabError):
        return "\n        " + raw.replace("\t", "→   ")[:WIDEST]
    text = raw.lstrip()
    gone = len(raw) - len(text)
    at = max((error.offset or 1) - 1 - gone, 0)
    cut = max(at - WIDEST + 20, 0)
    start = "…" if cut else ""
    text, at = start + text[cut:cut + WIDEST], at - cut + len(start)
    end = error.end_offset - 1 - gone - cut + len(start) \
        if error.end_lineno == error.lineno and error.end_offset else at + 1
    carets = "^" * max(1, min(end, len(text)) - at)
    return f"\n        {text.rstrip()}\n        {' ' * at}{carets}"


def same_program(one: str, other: str) -> bool:
    """Whether two texts are one program but for layout, comments and docstrings."""
    try:
        return _bare(one) == _bare(other)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False


@lru_cache(maxsize=256)  # a stub is compared with every answer
def _bare(source: str) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) \
                and ast.get_docstring(node, clean=False) is not None:
            del node.body[0]
    return ast.dump(tree)
