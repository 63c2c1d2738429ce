"""The quizzes in a browser without a network: by keyboard, kept, and without a script."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from loom.book.toc import read_book
from loom.quiz.bank import quizzes_of
from loom.quiz.marking import LETTERS, Unclear, mark, read, read_number
from loom.quiz.models import (
    Choice,
    NumberQuestion,
    OrderQuestion,
    Question,
    TextQuestion,
    TraceQuestion,
)

ROOT = Path(__file__).parents[2]
QUIZZES = quizzes_of(read_book(ROOT))
RESULT = ".question-result"


@contextmanager
def opened(browser: Any, html: Path, chapter: str, **options: Any) -> Iterator[Any]:
    """A chapter's page from disk, offline; it must not complain, nor ask for anything outside."""
    context = browser.new_context(viewport={"width": 1200, "height": 900}, **options)
    context.set_offline(True)
    page = context.new_page()
    asked: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text)
            if message.type in ("error", "warning") else None)
    page.goto((html / "book" / f"{chapter}.html").as_uri(), wait_until="domcontentloaded")
    yield page
    assert not [url for url in asked if not url.startswith(("file://", "data:", "blob:"))]
    assert not complaints
    context.close()


def form_of(page: Any, question: Question) -> Any:
    return page.locator(f"form#q-{question.id}")


def first(chapter: str, kind: str) -> Question:
    return next(one for one in QUIZZES[chapter].questions if one.kind == kind)


ANSWER = """(form, given) => {
    const inputs = [...form.querySelectorAll("input, textarea")];
    const list = form.querySelector("ol.choices"), kind = form.dataset.kind;
    if (kind === "order")
        given.forEach(letter => list.append(list.querySelector(`[data-letter="${letter}"]`)));
    else if (Array.isArray(given))
        inputs.forEach(input => { input.checked = given.includes(input.value); });
    else inputs[0].value = given;
    form.requestSubmit();
}"""


def answer(form: Any, given: Any) -> None:
    """Put an answer into a form and check it."""
    form.evaluate(ANSWER, given)


def shown(form: Any) -> str:
    return " ".join(form.locator(RESULT).text_content().split())


@pytest.mark.parametrize("chapter", QUIZZES)
def test_right_answers_are_right_and_each_wrong_one_has_its_reply(
        browser: Any, html: Path, chapter: str) -> None:
    questions = QUIZZES[chapter].questions
    tried = [(one, given, right) for one in questions for given, right in attempts(one)]
    with opened(browser, html, chapter) as page:
        told = page.evaluate(f"""tried => tried.map(([name, given]) => {{
            const form = document.getElementById("q-" + name);
            ({ANSWER})(form, given);
            const result = form.querySelector(".question-result");
            return [form.dataset.state, result.textContent, result.querySelectorAll("a").length,
                    result.querySelectorAll(".reply-text").length];
        }})""", [[one.id, given] for one, given, _ in tried])
        score = page.locator(".quiz-score p").text_content()
    for (one, given, right), (state, said, links, replies) in zip(tried, told, strict=True):
        assert state == ("right" if right else "wrong"), (one.id, given, said)
        assert links, "one leads to the section"
        if not right and isinstance(one, Choice | OrderQuestion):
            assert replies or "missing" in said, (one.id, given)
    assert len(tried) >= 2 * len(questions)
    count = len(questions)
    assert score == f"{count} questions: {count} answered, {count} right"


def attempts(question: Question) -> Iterator[tuple[Any, bool]]:
    """Answers, and whether they are right: wrong ones first."""
    if isinstance(question, Choice):
        right = [LETTERS[n] for n in question.right]
        for n in range(len(question.shown)):
            if [LETTERS[n]] != right:
                yield [LETTERS[n]], False
        yield right, True
    elif isinstance(question, OrderQuestion):
        right = [LETTERS[n] for n in question.right]
        yield right[::-1], False
        yield right, True
    else:
        wrong = [str(one.value) if isinstance(question, NumberQuestion) else one.text
                 for one in question.replies]
        for text in [*wrong, "123456.75"]:
            assert not mark(question, read(question, text)).right
            yield text, False
        yield (question.answers[0] if isinstance(question, TextQuestion)
               else str(question.answer)), True


NUMBERS = ["0.5", "1/2", ".5", "5e-1", "50 %", "50 percent", "0,5", "2^-1", "2**-1", "1 - 0.5",
           "(1+1)/4", "−0.5", "-0.5", "262,144", "262 144", "2^18", "1,5", "1.000,5", "1_000",
           "1e400", "1/0", "abc", "1,2,3", "--1", "2 * 3", "3 × 10^2", "1..2", "5 apples",
           "0.5.", "(1", "1)", "e", "^2", "2^", "2^-2^2", "-2^2", "1e-5/1e-5"]


@pytest.mark.parametrize("chapter", list(QUIZZES)[:1])
def test_the_page_reads_numbers_as_the_terminal_does(
        browser: Any, html: Path, chapter: str) -> None:
    question = next(one for one in QUIZZES[chapter].questions
                    if isinstance(one, NumberQuestion) and one.unit is None)
    with opened(browser, html, chapter) as page:
        for text in NUMBERS:
            value: float | None = None
            with suppress(Unclear):
                value = read_number(text, None, question.ask)
            state = judged(page, question.id, text, value)
            assert state == ("right" if value is not None else None), (text, value, state)


def judged(page: Any, name: str, text: str, value: float | None) -> str | None:
    """What the script says to a text in a copy of a question whose answer is ``value``."""
    source = (ROOT / "book" / "_static" / "quiz.js").read_text(encoding="utf-8")
    return page.evaluate("""([name, text, value, source]) => {
        const form = document.getElementById(`q-${name}`).cloneNode(true);
        const bar = document.querySelector(".quiz-score").cloneNode(true);
        const old = [...document.querySelectorAll(".quiz")];
        old.forEach(quiz => quiz.classList.remove("quiz"));
        const quiz = document.createElement("div");
        quiz.className = "quiz";
        form.dataset.right = JSON.stringify([value, Math.abs(value) * 1e-9]);
        delete form.dataset.state;
        quiz.append(form, bar);
        document.body.append(quiz);
        localStorage.clear();
        (0, eval)(source);
        form.querySelector("input").value = text;
        form.requestSubmit();
        const state = form.dataset.state || null;
        quiz.remove();
        old.forEach(one => one.classList.add("quiz"));
        return state;
    }""", [name, text, value if value is not None else 0.0, source])


def test_answered_by_keyboard_alone_and_kept(browser: Any, html: Path) -> None:
    chapter = next(iter(QUIZZES))
    question = first(chapter, "single")
    assert isinstance(question, Choice)
    with opened(browser, html, chapter) as page:
        form = form_of(page, question)
        assert page.locator(".quiz-score").is_visible()
        form.locator("input").first.focus()
        for _ in range(question.right[0]):
            page.keyboard.press("ArrowDown")
        page.keyboard.press("Space")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Check"
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        page.keyboard.press("Enter")
        result = form.locator(RESULT)
        assert result.get_attribute("aria-live") == "polite"
        assert shown(form).startswith("Right.")
        score = page.locator(".quiz-score p").text_content()
        assert score.endswith("1 answered, 1 right")

        page.reload(wait_until="domcontentloaded")
        assert shown(form_of(page, question)).startswith("Right.")
        assert page.locator(".quiz-score p").text_content() == score

        page.locator(".quiz-score button").focus()
        page.keyboard.press("Enter")
        assert shown(form_of(page, question)) == ""
        assert page.locator(".quiz-score p").text_content().endswith("0 answered, 0 right")
        page.reload(wait_until="domcontentloaded")
        assert page.locator("form.question input:checked").count() == 0
        assert page.evaluate("id => localStorage.getItem('every-line-runs:quiz:' + id)",
                             question.id) is None


def test_typed_answers_are_checked_with_the_enter_key(browser: Any, html: Path) -> None:
    chapter = next(iter(QUIZZES))
    question = first(chapter, "number")
    with opened(browser, html, chapter) as page:
        form = form_of(page, question)
        page.keyboard.press("Tab")
        form.locator("input").focus()
        page.keyboard.press("Enter")
        assert shown(form) == "Write a number first."
        page.keyboard.type("many")
        page.keyboard.press("Enter")
        assert shown(form).startswith("That is no number")
        assert form.get_attribute("data-state") is None
        form.locator("input").fill("123456.75")
        page.keyboard.press("Enter")
        assert shown(form).startswith("Not right.")
        page.keyboard.type("1")
        assert shown(form) == "", "what was said of another answer is gone"
        assert "?" not in page.url


def test_steps_move_by_buttons_and_by_lists(browser: Any, html: Path) -> None:
    chapter, question = next((name, one) for name, quiz in QUIZZES.items()
                             for one in quiz.questions if isinstance(one, OrderQuestion))
    with opened(browser, html, chapter) as page:
        form = form_of(page, question)

        def order() -> list[str]:
            return [step.get_attribute("data-letter") for step in form.locator("li.choice").all()]

        start = order()
        assert start == sorted(start)
        form.locator("li.choice").nth(0).locator("button").nth(1).focus()
        page.keyboard.press("Enter")
        assert order() == [start[1], start[0], *start[2:]]
        assert page.evaluate("document.activeElement.getAttribute('aria-label')") \
            == f"Move step {start[0]} down", "the focus stays with the step"
        assert f"Step {start[0]} is now number 2." in form.locator("[role=status].sr-only") \
            .text_content()
        form.locator("li.choice").nth(0).locator("button").nth(0).press("Enter")
        assert order()[0] == start[1], "the first one cannot move up"
        for place, n in enumerate(question.right):
            letter = LETTERS[n]
            form.locator(f"[data-letter='{letter}'] select").select_option(str(place + 1))
        assert order() == [LETTERS[n] for n in question.right]
        assert [box.input_value() for box in form.locator("select").all()] \
            == [str(n + 1) for n in range(len(start))]
        form.locator("button[type=submit]").press("Enter")
        assert shown(form).startswith("Right.")
        page.reload(wait_until="domcontentloaded")
        assert order() == [LETTERS[n] for n in question.right]
        page.locator(".quiz-score button").click()
        assert order() == start


def test_where_nothing_may_be_stored_it_works_all_the_same(browser: Any, html: Path) -> None:
    chapter = next(iter(QUIZZES))
    context = browser.new_context()
    context.add_init_script("Object.defineProperty(window, 'localStorage', "
                            "{get() { throw new DOMException('denied', 'SecurityError'); }});")
    page = context.new_page()
    page.goto((html / "book" / f"{chapter}.html").as_uri(), wait_until="domcontentloaded")
    question = first(chapter, "single")
    assert isinstance(question, Choice)
    answer(form_of(page, question), [LETTERS[question.right[0]]])
    assert shown(form_of(page, question)).startswith("Right.")
    context.close()


def test_what_another_page_left_behind_does_no_harm(browser: Any, html: Path) -> None:
    chapter = next(iter(QUIZZES))
    kept = ["{", "[1]", '{"given": 7, "checked": true}', '{"given": ["z"], "checked": true}',
            "null", '"x"']
    with opened(browser, html, chapter) as page:
        page.evaluate("""kept => document.querySelectorAll("form.question").forEach((form, n) =>
            localStorage.setItem("every-line-runs:quiz:" + form.id.slice(2),
                                 kept[n % kept.length]))""", kept)
        page.reload(wait_until="domcontentloaded")
        assert page.locator(".quiz-score").is_visible()
        assert page.locator("form.question[data-state=right]").count() == 0


@pytest.mark.parametrize("chapter", QUIZZES)
def test_without_a_script_every_question_can_be_read_and_answered(
        browser: Any, html: Path, chapter: str) -> None:
    with opened(browser, html, chapter, java_script_enabled=False) as page:
        part = re.match(r"0*(\d+)", chapter)
        assert part
        assert page.locator(".question-number").all_text_contents() == [
            f"Question {part[1]}.{n + 1}" for n in range(len(QUIZZES[chapter].questions))]
        assert page.locator("details.fold[open]").count() == 0
        assert page.locator("form.question button:visible, .quiz-score:visible").count() == 0
        for question in QUIZZES[chapter].questions:
            form = form_of(page, question)
            assert form.locator(".question-ask").is_visible()
            assert form.locator("input, select, textarea").first.is_visible()
            assert not form.locator(".fold-body").is_visible()
        form.locator("summary").focus()
        page.keyboard.press("Enter")
        assert form.locator(".fold-body .explanation").is_visible()
        if isinstance(question, TraceQuestion):
            assert question.answer.split()[0] in form.locator(".fold-body").text_content()


def test_a_link_to_an_answer_opens_its_fold(browser: Any, html: Path) -> None:
    chapter = next(iter(QUIZZES))
    question = QUIZZES[chapter].questions[0]
    with opened(browser, html, chapter) as page:
        page.goto(page.url + f"#answer-{question.id}")
        page.wait_for_function(f"document.getElementById('answer-{question.id}')"
                               ".closest('details').open")
