"""The book's own quizzes: they pass their gates, and code confirms their answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from loom.book.toc import Book, read_book
from loom.quiz.bank import quizzes_of, titles_of
from loom.quiz.gates import VERIFIED, check
from loom.quiz.marking import mark
from loom.quiz.models import Choice, NumberQuestion, OrderQuestion, Question, TraceQuestion
from loom.quiz.moodle import export_moodle
from loom.quiz.text import to_html, to_lines
from loom.quiz.verify import verify

ROOT = Path(__file__).parents[2]
CHAPTERS = sorted(path.stem for path in (ROOT / "book/quizzes").glob("*.yml"))


@pytest.fixture(scope="module")
def book() -> Book:
    return read_book(ROOT)


def test_the_gates(book: Book) -> None:
    numbers, problems = check(book)
    assert list(map(str, problems)) == []
    assert [one.chapter for one in numbers] == CHAPTERS and CHAPTERS
    assert all(one.verified >= VERIFIED * one.questions for one in numbers)


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_code_confirms_the_answers(book: Book, chapter: str) -> None:
    done = verify(book, quizzes_of(book)[chapter])
    assert list(map(str, done.problems)) == []
    assert done.checked


def right_answer(question: Question) -> object:
    """What somebody who knows it answers."""
    if isinstance(question, Choice | OrderQuestion):
        return question.right
    if isinstance(question, NumberQuestion):
        return float(question.answer)
    return question.answer if isinstance(question, TraceQuestion) else question.answers[-1]


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_right_answers_are_marked_right_and_listed_wrong_ones_get_their_reply(
    book: Book, chapter: str
) -> None:
    for question in quizzes_of(book)[chapter].questions:
        assert mark(question, right_answer(question)).right  # type: ignore[arg-type]
        if isinstance(question, Choice):
            for n, option in enumerate(question.shown):
                if question.kind == "single":
                    told = mark(question, (n,))
                    assert (told.right, told.replies[0][1]) == (option.right, option.reply)
        elif isinstance(question, NumberQuestion):
            for number in question.replies:
                told = mark(question, float(number.value))
                assert (told.right, told.replies) == (False, (("", number.reply),)), question.id
        elif not isinstance(question, OrderQuestion):
            for text in question.replies:
                told = mark(question, text.text)
                assert (told.right, told.replies) == (False, (("", text.reply),)), question.id


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_text_can_be_shown(book: Book, chapter: str) -> None:
    """No command of TeX, and no mark of MyST, is left over in a terminal."""
    from loom.quiz.markup import myst_of

    titles = titles_of(book)
    quiz = quizzes_of(book)[chapter]
    for question in quiz.questions:
        for text, line in myst_of(question):
            shown = "\n".join(one for one in to_lines(text, titles) if not one.startswith("    "))
            assert "$" not in shown and "{numref}" not in shown, f"{quiz.path}:{line}"
            assert "$" not in to_html(text, titles).replace("\\$", ""), f"{quiz.path}:{line}"
    assert export_moodle(quiz, titles).count("<question ") == len(quiz.questions) + 1
