"""Questions as other systems know them: choices, numbers, short answers, pairs.

Stock Moodle has no question type for putting steps in order before version
4.4, so steps are matched with their places. Its short answers are one line,
compared character by character: printed lines are asked for in one line, and
every spacing that we take for the same is listed.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from loom.quiz.checks import few_spaces, same_output, typed
from loom.quiz.models import (
    Choice,
    NumberQuestion,
    OrderQuestion,
    Question,
    Quiz,
    TraceQuestion,
)
from loom.quiz.text import to_html, to_inline_html


@dataclass(frozen=True)
class Answer:
    """One answer of a question.

    Attributes:
        text: HTML for a choice; a number or plain text to type otherwise.
        percent: what it is worth, -100 to 100.
        reply: HTML.
        margin: how far from a number counts.
    """

    text: str
    percent: float
    reply: str = ""
    margin: str = "0"


@dataclass(frozen=True)
class Item:
    """A question, its texts in HTML.

    Attributes:
        kind: Moodle's name for it.
        name: unique, and in the order of the quiz when sorted.
        pairs: for ``match``, a step and its place.
        reply: for ``match``, what is said about a wrong order.
    """

    kind: Literal["multichoice", "numerical", "shortanswer", "match"]
    id: str
    name: str
    text: str
    explain: str
    tags: tuple[str, ...]
    answers: tuple[Answer, ...] = ()
    single: bool = True
    unit: str | None = None
    pairs: tuple[tuple[str, str], ...] = ()
    reply: str = ""


def items(quiz: Quiz, titles: Mapping[str, str]) -> tuple[Item, ...]:
    """A chapter's questions.

    Args:
        quiz: the questions.
        titles: the titles of the book's labeled sections.
    """
    return tuple(_item(quiz, number, question, titles)
                 for number, question in enumerate(quiz.questions, 1))


def _item(quiz: Quiz, number: int, question: Question, titles: Mapping[str, str]) -> Item:
    name = f"{quiz.chapter.split('-')[0]}.{number:02} {question.id}"
    text, explain = to_html(question.ask, titles), to_html(question.explain, titles)
    title = titles.get(question.section)
    if title:
        explain += f"\n<p>Read “{html.escape(title, quote=False)}”.</p>"
    tags = (quiz.chapter, question.section, f"level {question.level}")
    if isinstance(question, Choice):
        return Item("multichoice", question.id, name, text, explain, tags,
                    _options(question, titles), question.kind == "single")
    if isinstance(question, NumberQuestion):
        if question.unit:
            text += f"\n<p>Answer in {to_inline_html(question.unit, titles)}.</p>"
        numbers = [Answer(_number(question.answer), 100, "", _number(question.margin))]
        numbers += [Answer(_number(wrong.value), 0, to_inline_html(wrong.reply, titles),
                           _number(question.margin_of(wrong))) for wrong in question.replies]
        return Item("numerical", question.id, name, text, explain, tags, tuple(numbers),
                    unit=question.unit)
    if isinstance(question, OrderQuestion):
        text += "\n<p>Give each step its place.</p>"
        places = {step.text: str(n) for n, step in enumerate(question.steps, 1)}
        pairs = tuple((to_inline_html(step.text, titles), places[step.text])
                      for step in question.shown)
        return Item("match", question.id, name, text, explain, tags, pairs=pairs,
                    reply=to_inline_html(question.reply, titles))
    if isinstance(question, TraceQuestion):
        code = html.escape(question.code, quote=False)
        text += f'\n<pre><code class="language-python">{code}\n</code></pre>'
        if "\n" in same_output(question.answer):
            text += "\n<p>Write what it prints in one line, a space where a line ends.</p>"
        right: Iterable[str] = [question.answer]
    else:
        right = question.answers
    words: dict[str, Answer] = {}
    for answer in right:
        for spelling in _spellings(answer):
            words.setdefault(spelling, Answer(spelling, 100))
    for wrong in question.replies:
        for spelling in _spellings(wrong.text):
            words.setdefault(spelling, Answer(spelling, 0, to_inline_html(wrong.reply, titles)))
    return Item("shortanswer", question.id, name, text, explain, tags, tuple(words.values()))


def _options(question: Choice, titles: Mapping[str, str]) -> tuple[Answer, ...]:
    """Options as shown. All of them ticked, or none, is worth nothing."""
    rights = len(question.right)
    wrongs = len(question.options) - rights
    loss = 0.0 if question.kind == "single" else -100 / wrongs
    return tuple(Answer(to_inline_html(option.text, titles),
                        100 / rights if option.right else loss,
                        to_inline_html(option.reply, titles)) for option in question.shown)


def _spellings(text: str) -> list[str]:
    """A text in one line with its spaces, with single ones, the fewest, and short numbers."""
    line = " ".join(one.strip() for one in same_output(text).split("\n"))
    return list(dict.fromkeys([line, " ".join(line.split()),
                               *(short(text).replace("\n", " ") for short in (few_spaces, typed))]))


def _number(value: float) -> str:
    return f"{float(value):.12g}"


def percent(value: float) -> str:
    """A share as Moodle lists them: ``100``, ``33.33333``, ``-50``."""
    return f"{value:.5f}".rstrip("0").rstrip(".")
