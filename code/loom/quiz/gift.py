r"""A quiz as GIFT, Moodle's text format, which many other systems read too.

Reserved are ``~ = # { } :`` and the backslash; a line that ends is written
``\n``, since an empty line ends a question.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from loom.errors import fail
from loom.quiz.models import Quiz
from loom.quiz.moodle import BOOK, category
from loom.quiz.portable import Item, items, percent


def export_gift(quiz: Quiz, titles: Mapping[str, str], heading: str | None = None) -> str:
    """A quiz as GIFT.

    Args:
        quiz: the questions of a chapter.
        titles: the titles of the book's labeled sections.
        heading: the name of the category; the chapter's name if not given.

    Raises:
        LoomError: an answer holds ``->``, which GIFT takes for a pair.
    """
    parts = [f"// {BOOK}: {heading or quiz.chapter}", f"$CATEGORY: {category(quiz, heading)}"]
    for item in items(quiz, titles):
        if item.kind == "shortanswer" and any("->" in one.text for one in item.answers):
            raise fail(f"question `{item.id}`: GIFT takes `->` in an answer for a pair",
                       "export to Moodle XML instead: `loom export moodle`", path=quiz.path,
                       line=quiz.question(item.id).line)
        parts.append(f"::{escape(item.name)}::[html]{escape(item.text)}"
                     + "\n".join(["{#" if item.kind == "numerical" else "{",
                                  *(f"\t{line}" for line in _answers(item)), "}"]))
    return "\n\n".join(parts) + "\n"


def _answers(item: Item) -> Iterator[str]:
    for answer in item.answers:
        share = percent(answer.percent)
        if item.kind == "multichoice":
            sign = "=" if item.single and answer.percent == 100 else "~"
            weight = "" if item.single or not answer.percent else f"%{share}%"
            line = sign + weight + escape(answer.text)
        elif item.kind == "numerical":
            line = f"=%{share}%{answer.text}:{answer.margin}"
        else:
            line = f"=%{share}%" + escape(answer.text.replace("*", r"\*"))
        yield line + (f"#{escape(answer.reply)}" if answer.reply else "")
    for step, place in item.pairs:
        yield f"={escape(step)} -> {escape(place)}"
    last = item.explain + (f"\n<p>{item.reply}</p>" if item.reply else "")
    yield f"####{escape(last)}"


def escape(text: str) -> str:
    """Text in which nothing is reserved."""
    for sign in "\\~=#{}:":
        text = text.replace(sign, f"\\{sign}")
    return text.replace("\r", "").replace("\n", "\\n")
