"""Colors of code, from the same Pygments tokens that color the HTML."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

# The first that holds the token decides; the kinds are those of book.typ and
# of the style sheet: key, name, string, number, remark.
KINDS = (
    ("Token.Keyword.Constant", "m"), ("Token.Keyword", "k"), ("Token.Operator.Word", "k"),
    ("Token.Name.Function", "n"), ("Token.Name.Class", "n"), ("Token.Name.Decorator", "n"),
    ("Token.Name.Tag", "n"), ("Token.Literal.String.Doc", "c"),
    ("Token.Literal.String.Interpol", ""), ("Token.Literal.String", "s"),
    ("Token.Literal.Number", "m"), ("Token.Comment", "c"), ("Token.Generic.Prompt", "c"),
    ("Token.Generic.Output", "c"),
)


def styles(code: str, language: str) -> str:
    """Where each line of some code is colored, as a Typst array.

    Args:
        code: the code.
        language: a name that Pygments knows; empty for none.

    Returns:
        ``none``, or an array with one array per line of start, end and kind in
        turn; offsets are in bytes, as Typst counts.
    """
    lexer = _lexer(language) if language else None
    if lexer is None:
        return "none"
    lines: list[list[str]] = [[]]
    column = 0
    for kind, value in _tokens(lexer, code):
        for n, piece in enumerate(value.split("\n")):
            if n:
                lines.append([])
                column = 0
            length = len(piece.encode())
            if kind and piece.strip():
                lines[-1].append(f'{column}, {column + length}, "{kind}"')
            column += length
    return "(" + "".join(f"({', '.join(line)})," if line else "()," for line in lines) + ")"


@lru_cache(maxsize=32)
def _lexer(language: str) -> Any:
    from pygments.lexers import get_lexer_by_name  # type: ignore[import-untyped]
    from pygments.util import ClassNotFound  # type: ignore[import-untyped]

    try:
        return get_lexer_by_name(language, stripnl=False, ensurenl=False)
    except ClassNotFound:
        return None


def _tokens(lexer: Any, code: str) -> Iterator[tuple[str, str]]:
    """Kinds and texts; neighbors of one kind are one."""
    last, text = "", ""
    for token, value in lexer.get_tokens(code):
        kind = _kind(token)
        if kind == last:
            text += value
            continue
        if text:
            yield last, text
        last, text = kind, value
    if text:
        yield last, text


@lru_cache(maxsize=512)
def _kind(token: Any) -> str:
    told = str(token)
    return next((kind for name, kind in KINDS
                 if told == name or told.startswith(name + ".")), "")
