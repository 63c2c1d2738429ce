"""Markup that every form of a quiz can show: on a page, on paper, in a terminal, in Moodle."""

from __future__ import annotations

from collections.abc import Iterator

from loom.errors import Place, Problem
from loom.quiz.models import Question, Quiz, TextQuestion, TraceQuestion
from loom.quiz.text import ROLES, directives, markdown, references


def wrong_markup(quiz: Quiz, question: Question,
                 labels: frozenset[str] | None) -> Iterator[Problem]:
    """Markup of a question that one of the forms cannot show.

    Args:
        quiz: the quiz.
        question: one of its questions.
        labels: every label of the book; None: references are not checked.
    """
    who = f"question `{question.id}`"
    for text, line in myst_of(question):
        for at, name in directives(text):
            yield Problem(Place(quiz.path, line + at), f"{who}: the directive `{name}`",
                          "questions hold paragraphs, lists, tables, formulas and ``` blocks")
        for at, role, label in references(text):
            if role not in ROLES:
                yield Problem(Place(quiz.path, line + at), f"{who}: the role `{role}`",
                              f"questions may use {', '.join(sorted(ROLES))}")
            elif role in ("numref", "ref", "eq") and labels is not None and label not in labels:
                yield Problem(Place(quiz.path, line + at),
                              f"{who}: the reference `{label}` leads nowhere", "mend the name")
        for token in markdown().parse(text):
            if token.type == "heading_open":
                yield Problem(Place(quiz.path, line + (token.map or [0])[0]),
                              f"{who}: a heading", "a question has none: use bold words")
            for inner in token.children or ():
                if inner.type == "image" or (
                        inner.type == "text" and inner.content.count("$") > 1):
                    yield Problem(
                        Place(quiz.path, line + (token.map or [0])[0]),
                        f"{who}: " + ("an image" if inner.type == "image" else
                                      f"`$` that opens no formula: {inner.content[:40]}"),
                        "a question has none: describe it" if inner.type == "image" else
                        "write no space inside the `$`s, or `\\$` for the sign")


def myst_of(question: Question) -> Iterator[tuple[str, int]]:
    """The MyST texts of a question and their lines."""
    for part in (question, *getattr(question, "options", ()), *getattr(question, "steps", ()),
                 *getattr(question, "replies", ())):
        for name in ("ask", "explain", "reply", "text"):
            plain = name == "text" and isinstance(question, TraceQuestion | TextQuestion)
            if name in part.lines and not plain:
                yield getattr(part, name), part.lines[name]
