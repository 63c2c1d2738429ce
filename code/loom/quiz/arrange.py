"""The order in which options and steps are shown.

Authors write the right option first. The shown order depends on nothing but the
chapter's name and the ids, so every form of the book shows the same, and right
options take each position equally often.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence

from loom.quiz.models import Choice, OrderQuestion, Question


def arrange(chapter: str, questions: Sequence[Question]) -> tuple[Question, ...]:
    """The questions, each with its arrangement, in the order they came.

    Over all questions of one kind with as many options, the shares of any two
    positions in the right options differ by at most one.

    Args:
        chapter: the chapter's name.
        questions: its questions.
    """
    arranged: dict[str, Question] = {}
    loads: dict[tuple[str, int], list[int]] = defaultdict(list)
    given: list[int] = [0] * 8  # over all single-choice questions
    for question in sorted(questions, key=lambda one: _draw(chapter, one.id)):
        if isinstance(question, Choice):
            count = len(question.options)
            load = loads[question.kind, count] or [0] * count
            loads[question.kind, count] = load
            places = sorted(range(count), key=lambda at, load=load: (  # type: ignore[misc]
                load[at], given[at], _draw(chapter, question.id, "place", at)))
            order = _places(chapter, question, places)
            for at, n in enumerate(order):
                load[at] += question.options[n].right
                given[at] += question.options[n].right
            question = question.model_copy(update={"arrangement": tuple(order)})
        elif isinstance(question, OrderQuestion):
            steps = sorted(range(len(question.steps)),
                           key=lambda n: _draw(chapter, question.id, "step", n))
            if steps == sorted(steps):
                steps = [*steps[1:], steps[0]]
            question = question.model_copy(update={"arrangement": tuple(steps)})
        arranged[question.id] = question
    return tuple(arranged[question.id] for question in questions)


def _places(chapter: str, question: Choice, places: list[int]) -> list[int]:
    """Which option stands where; right ones take the first of ``places``."""
    order = [0] * len(places)
    mixed = sorted(range(len(places)), key=lambda n: (
        not question.options[n].right, _draw(chapter, question.id, "option", n)))
    for at, n in zip(places, mixed, strict=True):
        order[at] = n
    return order


def _draw(*what: object) -> bytes:
    """A number drawn by lot, the same on every machine and for ever."""
    return hashlib.sha256("\0".join(map(str, what)).encode()).digest()
