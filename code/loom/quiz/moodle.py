"""A quiz as Moodle XML, which a stock Moodle 4 imports into its question bank."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping

from loom.quiz.models import Quiz
from loom.quiz.portable import Item, items, percent

BOOK = "Every Line Runs"


def export_moodle(quiz: Quiz, titles: Mapping[str, str], heading: str | None = None) -> str:
    r"""A quiz as Moodle XML.

    Formulas stand between ``\(`` and ``\)``, which Moodle's MathJax filter sets.

    Args:
        quiz: the questions of a chapter.
        titles: the titles of the book's labeled sections.
        heading: the name of the category; the chapter's name if not given.
    """
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', "<quiz>",
             '  <question type="category">',
             f"    <category>{_text(category(quiz, heading))}</category>", "  </question>"]
    for item in items(quiz, titles):
        lines.append(f'  <question type="{item.kind}">')
        lines += (f"    {line}" for line in _question(item))
        lines.append("  </question>")
    return "\n".join([*lines, "</quiz>", ""])


def category(quiz: Quiz, heading: str | None) -> str:
    """Where the questions go in a course's question bank."""
    name = (heading or quiz.chapter).replace("/", "//")  # a single slash parts levels
    return f"$course$/top/{BOOK}/{name}"


def _question(item: Item) -> Iterator[str]:
    yield f"<name>{_text(item.name)}</name>"
    yield f'<questiontext format="html">{_text(item.text)}</questiontext>'
    yield f'<generalfeedback format="html">{_text(item.explain)}</generalfeedback>'
    yield "<defaultgrade>1</defaultgrade>"
    yield f"<idnumber>{html.escape(item.id)}</idnumber>"
    if item.kind == "multichoice":
        yield f"<single>{'true' if item.single else 'false'}</single>"
        yield "<shuffleanswers>true</shuffleanswers>"
        yield "<answernumbering>abc</answernumbering>"
        yield from _combined("")
    elif item.kind == "shortanswer":
        yield "<usecase>0</usecase>"
    elif item.kind == "match":
        yield "<shuffleanswers>true</shuffleanswers>"
        yield from _combined(item.reply)
        for step, place in item.pairs:
            yield (f'<subquestion format="html">{_text(step)}'
                   f"<answer>{_text(place)}</answer></subquestion>")
    for answer in item.answers:
        plain = item.kind != "multichoice"
        shown = answer.text.replace("*", r"\*") if item.kind == "shortanswer" else answer.text
        yield (f'<answer fraction="{percent(answer.percent)}" '
               f'format="{"moodle_auto_format" if plain else "html"}">')
        yield f"  {_text(shown)}"
        yield f'  <feedback format="html">{_text(answer.reply)}</feedback>'
        if item.kind == "numerical":
            yield f"  <tolerance>{answer.margin}</tolerance>"
        yield "</answer>"
    if item.unit:
        yield "<unitgradingtype>0</unitgradingtype>"
        yield ("<units><unit><multiplier>1</multiplier>"
               f"<unit_name>{html.escape(item.unit)}</unit_name></unit></units>")
    tags = "".join(f"<tag>{_text(tag)}</tag>" for tag in item.tags)
    yield f"<tags>{tags}</tags>"


def _combined(reply: str) -> Iterator[str]:
    """What is said about a whole answer."""
    yield f'<correctfeedback format="html">{_text("")}</correctfeedback>'
    yield f'<partiallycorrectfeedback format="html">{_text(reply)}</partiallycorrectfeedback>'
    yield f'<incorrectfeedback format="html">{_text(reply)}</incorrectfeedback>'
    yield "<shownumcorrect/>"


def _text(text: str) -> str:
    """A text element: HTML in a CDATA section, unless it would end one."""
    if not any(sign in text for sign in "&<>"):
        return f"<text>{text}</text>"
    if "]]>" in text:
        return f"<text>{html.escape(text, quote=False)}</text>"
    return f"<text><![CDATA[{text}]]></text>"
