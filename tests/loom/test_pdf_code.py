"""Code in print has the colors of the HTML, and every character of the source."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loom.weave.pdf.code import styles

CODE = '''@decorated
def naïve(x: int) -> str:
    """What it is for."""
    return f"{x} é" + 'a'  # why
class A: pass
n = 1.5e-3 if None is not True else 0x1F
'''


def spans(code: str, language: str = "python") -> list[list[tuple[str, str]]]:
    """For each line, its colored pieces and their kinds."""
    found = styles(code, language)
    # Typst's arrays of these are Python's tuples, letter for letter.
    lines = ast.literal_eval(found)
    pieces = []
    for line, spans in zip(code.split("\n"), lines, strict=True):
        data = line.encode()
        pieces.append([(data[spans[n]:spans[n + 1]].decode(), spans[n + 2])
                       for n in range(0, len(spans), 3)])
    return pieces


def test_kinds() -> None:
    first, second, third, fourth, fifth, sixth, _ = spans(CODE)
    assert first == [("@decorated", "n")]
    assert ("def", "k") in second
    assert ("naïve", "n") in second
    assert [kind for _, kind in third] == ["c"]
    assert ("return", "k") in fourth
    assert ("'a'", "s") in fourth
    assert ("# why", "c") in fourth
    assert ("class", "k") in fifth
    assert ("1.5e-3", "m") in sixth
    assert ("None", "m") in sixth


def test_no_language_no_colors() -> None:
    assert styles("x = 1", "") == "none"
    assert styles("x = 1", "no-such-language") == "none"


@pytest.mark.parametrize("language", ["python", "bash", "console", "markdown", "yaml"])
@given(code=st.text(alphabet="aé ()\"'#=\n:def1[]{}$`-", max_size=60))
def test_spans_lie_in_their_lines_in_order(language: str, code: str) -> None:
    lines = ast.literal_eval(styles(code, language))
    assert len(lines) == len(code.split("\n"))
    for line, found in zip(code.split("\n"), lines, strict=True):
        at = 0
        for n in range(0, len(found), 3):
            start, end, kind = found[n:n + 3]
            assert at <= start < end <= len(line.encode())
            assert kind in "knsmc"
            line.encode()[start:end].decode()
            at = end
