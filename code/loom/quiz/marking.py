"""What somebody answered: read from what they typed, and marked.

The page in the browser follows the same rules.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass

from loom.quiz.checks import same_text, typed
from loom.quiz.models import Choice, NumberQuestion, OrderQuestion, Question, TraceQuestion

LETTERS = "abcdefgh"
SIGNS = {"−": "-", "–": "-", "·": "*", "×": "*", "⋅": "*", "\u00a0": " ", "’": "", "_": ""}
Given = tuple[int, ...] | float | str  # positions as shown; a number; a text


class Unclear(ValueError):
    """What was typed is no answer yet; the text says what is wanted."""


@dataclass(frozen=True)
class Marked:
    """Whether an answer is right, and what to tell about it (MyST, the letters it is about)."""

    right: bool
    replies: tuple[tuple[str, str], ...] = ()


def mark(question: Question, given: Given) -> Marked:
    """Whether an answer is right, and the replies to it."""
    if isinstance(question, Choice) and isinstance(given, tuple):
        right = set(given) == set(question.right)
        told = [(LETTERS[n], option.reply) for n, option in enumerate(question.shown)
                if n in given]
        return Marked(right, tuple(told))
    if isinstance(question, OrderQuestion) and isinstance(given, tuple):
        right = given == question.right
        return Marked(right, () if right else (("", question.reply),))
    if isinstance(question, NumberQuestion) and isinstance(given, float):
        margin = question.margin * (1 + 1e-9) + abs(question.answer) * 1e-12
        if abs(given - question.answer) <= margin:
            return Marked(True)
        near = [wrong.reply for wrong in question.replies
                if abs(given - wrong.value) <= question.margin_of(wrong) * (1 + 1e-9)]
        return Marked(False, (("", near[0]),) if near else ())
    if isinstance(given, str) and not isinstance(question, Choice | OrderQuestion | NumberQuestion):
        answers = [question.answer] if isinstance(question, TraceQuestion) else question.answers
        if typed(given) in map(typed, answers):
            return Marked(True)
        same = [wrong.reply for wrong in question.replies if typed(wrong.text) == typed(given)]
        return Marked(False, (("", same[0]),) if same else ())
    raise TypeError(f"{given!r} is no answer to a question of kind {question.kind}")


def read(question: Question, text: str) -> Given:
    """An answer out of what was typed.

    Raises:
        Unclear: it is none; the text says what is wanted.
    """
    if isinstance(question, Choice | OrderQuestion):
        return _positions(question, text)
    if isinstance(question, NumberQuestion):
        return read_number(text, question.unit, question.ask)
    return text


def _positions(question: Choice | OrderQuestion, text: str) -> tuple[int, ...]:
    """Letters or numbers as positions from 0."""
    count = len(question.shown)
    last = LETTERS[count - 1]
    signs = re.findall(r"[^\W_]", text.casefold())
    found = [LETTERS.find(s) if s.isalpha() else int(s) - 1 if s.isdecimal() else -1
             for s in signs]
    if re.search(r"[^\W\d_]{2,}", text) and not re.fullmatch(rf"[a-{last}\W]+", text.casefold()):
        found = []
    if not found or not all(0 <= n < count for n in found):
        raise Unclear(f"letters from a to {last}, please" if question.kind != "single"
                      else f"one letter from a to {last}, please")
    if len(set(found)) != len(found):
        raise Unclear("each letter once, please")
    if question.kind == "single" and len(found) > 1:
        raise Unclear("one letter, please: exactly one option is right")
    if question.kind == "order" and len(found) != count:
        raise Unclear(f"all {count} letters in order, please, such as {LETTERS[:count]}")
    return tuple(found)


def read_number(text: str, unit: str | None = None, ask: str = "") -> float:
    """A number as people type it: ``262,144``, ``2^18``, ``1/3``, ``5 %``, ``1.5 nats``.

    A comma with three digits behind it groups them, any other is a point. A
    percent sign divides by 100, unless the answer is to be in percent.

    Args:
        text: what was typed.
        unit: the unit of the answer, which may be typed or left out.
        ask: the question; its words are tolerated behind the number.

    Raises:
        Unclear: it is no number.
    """
    said = text.strip()
    for sign, plain in SIGNS.items():
        said = said.replace(sign, plain)
    percent = unit is not None and same_text(unit).strip("%") in ("", "percent", "per cent")
    match = re.fullmatch(r"(.*?[\d.)])\s*(%|[^\W\d][^\d]*)?", said.rstrip(". "), re.DOTALL)
    if not match:
        raise Unclear(f"a number, please; `{_cut(text)}` is none")
    number, word = match[1], same_text(match[2] or "")
    if word in ("%", "percent", "per cent"):
        return _evaluate(number, text) / (1 if percent else 100)
    if word and not _fits(word, unit, ask):
        raise Unclear(f"the number in {unit}, please" if unit else
                      f"only the number, please, without `{_cut(word)}`")
    return _evaluate(number, text)


def _fits(word: str, unit: str | None, ask: str) -> bool:
    """Whether a word behind a number is its unit."""
    if unit is not None:
        wanted = same_text(unit.replace("`", ""))
        return word.rstrip("s.") == wanted.rstrip("s.")
    words = {one.rstrip("s") for one in re.findall(r"\w+", ask.casefold())}
    return all(one.rstrip("s") in words for one in re.findall(r"\w+", word))


def _evaluate(number: str, text: str) -> float:
    """Arithmetic on plain numbers; nothing else is evaluated."""
    source = re.sub(r"(?<=\d) (?=\d{3}\b)", "", number)
    source = re.sub(r"[\d.,]+", lambda match: _separators(match[0]), source)
    source = re.sub(r"(?<![\d.])0+(?=\d)", "", source)  # Python takes no 007
    source = source.replace("^", "**").strip()
    try:
        value = _value(ast.parse(source, mode="eval").body)
    except OverflowError:
        raise Unclear(f"`{_cut(text)}` is more than a float64 holds") from None
    except (SyntaxError, ValueError, ZeroDivisionError, RecursionError, MemoryError):
        raise Unclear(f"a number, please; `{_cut(text)}` is none") from None
    if value != value or value in (float("inf"), float("-inf")):
        raise Unclear(f"`{_cut(text)}` is no finite number")
    return value


def _separators(number: str) -> str:
    """Commas and points as Python writes them."""
    point, comma = number.rfind("."), number.rfind(",")
    if comma < 0:
        return number.replace(".", "") if re.fullmatch(r"[1-9]\d{0,2}(\.\d{3}){2,}", number) \
            else number
    if point > comma or re.fullmatch(r"[1-9]\d{0,2}(,\d{3})+", number):
        return number.replace(",", "")
    return number.replace(".", "").replace(",", ".")


_BINARY: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul,
    ast.Div: operator.truediv, ast.Pow: operator.pow}


def _value(node: ast.expr) -> float:
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        return float(node.value)  # type: ignore[arg-type]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        value = _value(node.operand)
        return -value if isinstance(node.op, ast.USub) else value
    if isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
        value = _BINARY[type(node.op)](_value(node.left), _value(node.right))
        if isinstance(value, float):  # a root of a negative number is complex
            return value
    raise ValueError("no arithmetic")


def _cut(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 30 else text[:29] + "…"
