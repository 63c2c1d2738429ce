"""What a question has to be beyond the types of its fields."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable, Iterator
from typing import Any

from loom.quiz.computed import bound, computed_names
from loom.quiz.models import (
    Asked,
    Choice,
    NumberQuestion,
    OrderQuestion,
    TextQuestion,
    TraceQuestion,
)

Rule = tuple[int, str, str]  # line, what is wrong, remedy


def same_text(one: str) -> str:
    """A text as comparing takes it: neither case nor spaces matter."""
    return " ".join(one.casefold().split())


def same_output(one: str) -> str:
    """A program's output as comparing takes it: spaces at the ends of lines do not matter."""
    return "\n".join(line.rstrip() for line in one.strip("\n").split("\n")).rstrip()


def typed(text: str) -> str:
    """A typed text or output as comparing takes it.

    Neither case nor the number of spaces matters, nor a space beside a bracket,
    a comma or a colon: NumPy prints ``[ 0. nan]`` and means ``[0. nan]``. And
    ``7.0``, ``7.`` and ``7`` are one number, as are ``0.5`` and ``.5``.
    """
    return few_spaces(re.sub(r"(^|[^\w.])(?:(\d+)\.0*(?![\w.])|(?=\.\d))",
                          lambda match: match[1] + (match[2] or "0"), text, flags=re.ASCII))


def few_spaces(text: str) -> str:
    """The same, with numbers as they are."""
    lines = [same_text(line) for line in text.strip().split("\n")]
    return "\n".join(re.sub(r"\s*([\[\](){},:])\s*", r"\1", line) for line in lines if line)


def same_value(one: Any, other: Any) -> bool:
    """Whether two values of ``verify`` are the same; True is not 1, 0.5 is 0.5 within 1e-9."""
    if isinstance(one, tuple | list) and isinstance(other, tuple | list):
        return len(one) == len(other) and all(map(same_value, one, other))
    if isinstance(one, str) or isinstance(other, str):
        return (isinstance(one, str) and isinstance(other, str)
                and same_text(one) == same_text(other))
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, int | float) and isinstance(other, int | float):
        return (one == other or math.isclose(one, other, rel_tol=1e-9)
                or (math.isnan(one) and math.isnan(other)))
    return one is other


def broken_rules(question: Asked) -> Iterator[Rule]:
    """What is wrong with a question whose fields are all there."""
    if isinstance(question, Choice):
        yield from _choice(question)
    elif isinstance(question, NumberQuestion):
        yield from _number(question)
    elif isinstance(question, OrderQuestion):
        yield from _order(question)
    elif isinstance(question, TraceQuestion):
        yield from _trace(question)
    elif isinstance(question, TextQuestion):
        yield from _text(question)
    if question.verify is not None and not isinstance(question, TraceQuestion):
        yield from _verify(question)


def _choice(question: Choice) -> Iterator[Rule]:
    rights = sum(option.right for option in question.options)
    at = question.lines["options"]
    if question.kind == "single" and rights != 1:
        yield (at, f"{rights or 'no'} option{'s are' if rights > 1 else ' is'} right",
               "exactly one has `right: true`" + (", or `kind: multiple`" if rights else ""))
    if question.kind == "multiple" and rights in (0, len(question.options)):
        yield (at, "no option is right" if not rights else "every option is right",
               "at least one is right and at least one is wrong")
    yield from _twice(question.options, lambda one: same_text(one.text), "option")
    yield from _twice(question.options, lambda one: same_text(one.reply), "reply to option",
                      "reply")
    counted = rights == 1 if question.kind == "single" else 0 < rights < len(question.options)
    for n, option in enumerate(question.options if counted else (), 1):
        if not option.right and option.misconception is None:
            yield (option.line, f"option {n} is wrong, but names no `misconception`",
                   "say what somebody who chooses it thinks; if nobody would, choose another")
        if option.right and option.misconception is not None:
            yield (option.lines["misconception"], f"option {n} is right, but names a misconception",
                   "remove it")
        if question.verify is None and option.value is not None:
            yield (option.lines["value"], f"option {n} has a `value`, but nothing computes one",
                   "add `verify`, or remove the value")
        if question.verify is not None and option.right and option.value is None:
            yield (option.line, f"option {n} is right, but has no `value` for `verify` to meet",
                   "add `value:`, what `verify` computes if this option is right")
    if question.verify is not None:
        for n, option in enumerate(question.options, 1):
            for m, other in enumerate(question.options[:n - 1], 1):
                if option.value is not None and same_value(option.value, other.value):
                    yield (option.lines["value"], f"options {m} and {n} have the same `value`",
                           "the value tells the options apart: change one")


def _number(question: NumberQuestion) -> Iterator[Rule]:
    if (question.tolerance is None) == (question.relative is None):
        both = question.tolerance is not None
        yield (question.lines["relative" if both else "answer"],
               "has both `tolerance` and `relative`" if both
               else "the number has no `tolerance`",
               "keep one" if both else "add `tolerance: 0.01`, or `relative: 0.01` for one "
               "percent; `tolerance: 0` where only the exact number will do")
        return
    if question.relative is not None and not question.answer:
        yield (question.lines["relative"], "a part of zero is zero", "use `tolerance`")
    for n, wrong in enumerate(question.replies, 1):
        if abs(wrong.value - question.answer) <= question.margin:
            yield (wrong.lines["value"], f"reply {n} is for {wrong.value}, which counts as right",
                   "change the number, or narrow the tolerance")
        for m, other in enumerate(question.replies[:n - 1], 1):
            if abs(wrong.value - other.value) <= question.margin_of(other):
                yield (wrong.lines["value"], f"replies {m} and {n} are for the same number",
                       "keep one, or narrow the tolerance of the first")
    yield from _twice(question.replies, lambda one: same_text(one.reply), "reply", "reply")


def _order(question: OrderQuestion) -> Iterator[Rule]:
    yield from _twice(question.steps, lambda one: same_text(one.text), "step")
    for n, step in enumerate(question.steps, 1):
        if question.verify is None and step.value is not None:
            yield (step.lines["value"], f"step {n} has a `value`, but nothing computes one",
                   "add `verify`, or remove the value")
        if question.verify is not None and step.value is None:
            yield (step.line, f"step {n} has no `value` for `verify` to meet",
                   "add `value:`, what `verify` has in its list for this step")
    if question.verify is not None and all(s.value is not None for s in question.steps):
        values = [step.value for step in question.steps]
        if all(same_value(values[0], value) for value in values):
            yield (question.steps[0].lines["value"], "all steps have the same `value`",
                   "the values tell the steps apart: change them")


def _trace(question: TraceQuestion) -> Iterator[Rule]:
    if question.verify is not None:
        yield (question.lines["verify"], "a trace is verified by running its `code`",
               "remove `verify`")
    yield from _syntax(question.code, question.lines["code"], "code")
    yield from _wrong_texts(question.replies, [question.answer])


def _text(question: TextQuestion) -> Iterator[Rule]:
    seen: set[str] = set()
    for answer in question.answers:
        if typed(answer) in seen:
            yield (question.lines["answers"], f"`{answer}` is among the answers twice",
                   "neither case nor spaces matter: keep one")
        seen.add(typed(answer))
    yield from _wrong_texts(question.replies, question.answers)


def _wrong_texts(replies: Any, answers: Any) -> Iterator[Rule]:
    right = set(map(typed, answers))
    for n, wrong in enumerate(replies, 1):
        if typed(wrong.text) in right:
            yield wrong.lines["text"], f"reply {n} is for the right answer", "remove it"
    yield from _twice(replies, lambda one: typed(one.text), "reply")
    yield from _twice(replies, lambda one: same_text(one.reply), "reply", "reply")


def _twice(parts: tuple[Any, ...], key: Callable[[Any], str], name: str,
           field: str = "text") -> Iterator[Rule]:
    first: dict[str, int] = {}
    for n, part in enumerate(parts, 1):
        m = first.setdefault(key(part), n)
        if m != n:
            yield (part.lines[field], f"{name} {n} says the same as {name} {m}",
                   "let each say something of its own")


def _syntax(source: str, line: int, name: str) -> Iterator[Rule]:
    try:
        compile(source, name, "exec")
    except SyntaxError as error:
        yield (line + (error.lineno or 1) - 1, f"`{name}` is not Python: {error.msg}",
               "mend the line")
    except ValueError as error:
        yield line, f"`{name}` is not Python: {error}", "mend it"


def _verify(question: Asked) -> Iterator[Rule]:
    source = question.verify or ""
    line = question.lines["verify"]
    wrong = list(_syntax(source, line, "verify"))
    if wrong:
        yield from wrong
        return
    tree = ast.parse(source)
    bindings = [node for node in ast.walk(tree) if "answer" in bound(node)]
    if not bindings:
        yield (line, "`verify` assigns nothing to `answer`",
               "end it with `answer = …`, computed from what the question is about")
    elif "answer" not in computed_names(tree):
        yield (line + bindings[-1].lineno - 1,  # type: ignore[attr-defined]
               "`verify` cannot fail: `answer` is written, not computed",
               "compute it from what the question is about, or remove `verify`")
