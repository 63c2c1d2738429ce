"""The gates: a chapter's questions cannot be answered by their looks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from loom.book.chapter import HEADER
from loom.book.toc import Book, read_book
from loom.quiz.bank import quiz_path, quizzes_of
from loom.quiz.gates import ALIKE, check, numbers, similarity, word_pairs

CHAPTER = f"""{HEADER}

(ch-one)=
# One

(sec-alpha)=
## Alpha

(sec-inner)=
### Inner

(sec-beta)=
## Beta

(sec-one-further)=
## What we left out
"""
WORDS = [
    "softmax", "logits", "overflow", "mantissa", "stride", "broadcast", "entropy", "surprise",
    "perplexity", "window", "gradient", "batch", "token", "header", "shift", "exponent",
    "underflow", "rounding", "summation", "pairwise", "mask", "stream", "order", "total",
    "ruler", "format", "subnormal", "truncation", "average", "variance"]
Edit = Callable[[list[dict[str, Any]]], None]


def good(count: int = 25) -> list[dict[str, Any]]:
    """Questions that pass every gate: no two alike, every option as long as the others."""
    asked = []
    for n in range(count):
        a, b, c = WORDS[n], WORDS[(n * 7 + 3) % 30], WORDS[(n * 11 + 5) % 30]
        asked.append({
            "id": f"asked-{n}", "kind": "single", "section": "sec-inner", "level": 1,
            "ask": f"What {a} does {b} {'see' if n % 2 else 'need'} in {c} number {n}?",
            "options": [
                {"text": f"{a[:3]} one", "right": True, "reply": f"{a} is so in {n}.",
                 **({"value": 1} if n % 2 else {})},
                {"text": f"{b[:3]} two", "misconception": "m", "reply": f"{b} is not so in {n}."},
                {"text": f"{c[:3]} six", "misconception": "m", "reply": f"{c} never in {n}."}],
            "explain": f"So it is with {a}.",
            **({"verify": "answer = max(1, 0)"} if n % 2 else {})})
    return asked


def book(folder: Path, asked: list[dict[str, Any]]) -> Book:
    """A book of one chapter with this quiz."""
    (folder / "book/quizzes").mkdir(parents=True)
    (folder / "book/index.md").write_text("# A book\n")
    (folder / "book/01-one.md").write_text(CHAPTER)
    (folder / "_toc.yml").write_text(
        "format: jb-book\nroot: book/index\nchapters:\n  - file: book/01-one\n")
    made = read_book(folder)
    quiz_path(made, made.chapter(1)).write_text(
        yaml.safe_dump({"chapter": "01-one", "questions": asked}, sort_keys=False,
                       allow_unicode=True))
    return made


def found(folder: Path, asked: list[dict[str, Any]]) -> list[str]:
    """What the gates say of these questions."""
    return [str(problem).replace(f"{folder}/", "") for problem in check(book(folder, asked))[1]]


def test_good_questions_pass_and_are_counted(tmp_path: Path) -> None:
    made = book(tmp_path, good())
    counted, problems = check(made)
    assert problems == []
    (one,) = counted
    assert (one.questions, one.verified, one.choices, one.longest) == (25, 12, 25, 0)
    assert sorted(one.positions) == [8, 8, 9] and one.ratio == pytest.approx(1.0)
    assert one.untouched == ("Beta",)
    assert str(one).startswith("01-one: 25 questions (25 single); 12 verified by code (48%); ")
    assert "no question on “Beta”" in str(one)


def lengthen(count: int, right: bool = True) -> Edit:
    def edit(asked: list[dict[str, Any]]) -> None:
        for one in asked[:count]:
            for option in one["options"]:
                if bool(option.get("right")) is right:
                    option["text"] += " of"
    return edit


def change(question: int, option: int, text: str) -> Edit:
    def edit(asked: list[dict[str, Any]]) -> None:
        asked[question]["options"][option]["text"] = text
    return edit


def set_ask(text: str) -> Edit:
    def edit(asked: list[dict[str, Any]]) -> None:
        asked[3]["ask"] = text
    return edit


def repeat(asked: list[dict[str, Any]]) -> None:
    asked[5]["ask"] = asked[4]["ask"].replace("What", "Which")
    for old, new in zip(asked[4]["options"], asked[5]["options"], strict=True):
        new["text"] = old["text"]


def same_reply(asked: list[dict[str, Any]]) -> None:
    asked[5]["options"][1]["reply"] = asked[4]["options"][1]["reply"].upper()


def unverified(asked: list[dict[str, Any]]) -> None:
    for one in asked[:7]:
        one.pop("verify", None)
        one["options"][0].pop("value", None)


@pytest.mark.parametrize(("edit", "says"), [
    (lambda asked: asked.__delitem__(slice(24, None)), "24 questions\n    → write at least 25"),
    (unverified, "9 of 25 answers are verified by code (36%)\n    → at least 40%"),
    (lengthen(8), "picking the longest option answers 8 of 25 choices (32%): `asked-0`, `asked-1`"),
    (lengthen(11, right=False), "picking the shortest option answers 11 of 25 choices (44%)"),
    (lengthen(25), "right options are 1.4"),
    (lengthen(25, right=False), "right options are 0.7"),
    (change(2, 1, "All of the above"), "option 2: “All of the above” speaks of the other options"),
    (change(2, 2, "None of the others."), "“None of the others” speaks"),
    (change(2, 2, "Neither of them"), "“Neither of them” speaks"),
    (change(2, 1, "Both of these."), "“Both of these.” speaks"),
    (change(2, 1, "The first option"), "“The first option” speaks"),
    (change(2, 1, "Option B and C"), "“Option B” speaks"),
    (repeat, "question `asked-5` is much like `asked-4` in "),
    (same_reply, "question `asked-5`: this reply stands in line "),
    (set_ask("Look at {numref}`sec-gamma`."), "the reference `sec-gamma` leads nowhere"),
    (set_ask("Look at {cite}`knuth`."), "the role `cite`"),
    (set_ask("Look:\n\n```{note}\nhere\n```\n"), "the directive `{note}`"),
    (set_ask("Look:\n\n:::{note}\nhere\n:::\n"), "the directive `{note}`"),
    (set_ask("# Look\n\nhere"), "a heading"),
    (set_ask("Look ![here](a.png)"), "an image"),
])
def test_each_gate_closes(tmp_path: Path, edit: Edit, says: str) -> None:
    asked = good()
    edit(asked)
    problems = found(tmp_path, asked)
    assert any(says in problem for problem in problems), problems
    assert all("01-one.yml:" in problem and "→" in problem for problem in problems)
    for problem in problems:  # and no gate closes for another's reason
        assert says in problem or "right options are" in problem or "picking the" in problem


@pytest.mark.parametrize("edit", [
    lengthen(7), lengthen(10, right=False),
    change(2, 1, "All six bits"), change(2, 1, "One of ten"), change(2, 1, "None at all"),
    set_ask("Look at {numref}`sec-beta`, {eq}`sec-alpha`, {math}`x` and {code}`y`."),
    set_ask("It costs \\$5, `$HOME`, or $x = 5$:\n\n```python\nprint(1)\n```\n\n- a\n- b\n"),
])
def test_what_is_allowed_passes(tmp_path: Path, edit: Edit) -> None:
    asked = good()
    edit(asked)
    assert [p for p in found(tmp_path, asked) if "right options are" not in p] == []


def test_lengths_are_those_that_a_reader_sees(tmp_path: Path) -> None:
    asked = good()
    for one in asked:
        one["options"][0]["text"] = "**" + one["options"][0]["text"] + "**"
        one["options"][1]["text"] = r"$\approx$" + one["options"][1]["text"][1:]
    made = book(tmp_path, asked)
    counted = numbers(quizzes_of(made)["01-one"], made.chapter(1))
    assert (counted.longest, counted.ratio) == (0, pytest.approx(1.0))


def test_multiple_choice_is_longest_when_all_right_ones_are(tmp_path: Path) -> None:
    asked = good()
    for n, one in enumerate(asked[:6]):
        one.pop("verify", None)
        one["kind"] = "multiple"
        one["options"][1] = {"text": "right too, long" if n < 3 else "too", "right": True,
                             "reply": f"Two is right in {n}."}
        one["options"][0] = {"text": "long, and right", "right": True, "reply": f"Yes, {n}."}
    made = book(tmp_path, asked)
    assert numbers(quizzes_of(made)["01-one"], made.chapter(1)).longest == 3


# Two people's wordings of one question, and questions that only share their form.
PAIRS = [
    ("What does softmax return for equal logits?",
     "What does the softmax return for equal logits?", True),
    ("How many bytes does a view of 1,000 floats take?",
     "How many bytes does a view of 2,000 floats take?", True),
    ("What does this program print?", "What does this program print", True),
    ("What does softmax return for equal logits?",
     "What does log-sum-exp return for two equal logits, both zero?", False),
    ("How many bytes does a view of 1,000 floats take?",
     "How many significant bits does bf16 have?", False),
    ("Which of these give NaN in IEEE 754 arithmetic?",
     "Which of these give infinity when they overflow?", False),
]


@pytest.mark.parametrize(("one", "other", "alike"), PAIRS)
def test_alike_is_what_people_call_alike(tmp_path: Path, one: str, other: str,
                                         alike: bool) -> None:
    asked = good(2)
    asked = [{**asked[n], "kind": "text", "ask": text, "answers": [str(n)]}
             for n, text in enumerate((one, other))]
    for question in asked:
        question.pop("options")
        question.pop("verify", None)
    quiz = quizzes_of(book(tmp_path, asked))["01-one"]
    first, second = map(word_pairs, quiz.questions)
    assert (similarity(first, second) >= ALIKE) is alike, similarity(first, second)


def test_the_same_words_around_other_programs_are_not_alike(tmp_path: Path) -> None:
    traces = [{"id": f"trace-{n}", "kind": "trace", "section": "sec-beta", "level": 1,
               "ask": "What does this program print?", "code": code, "answer": "1",
               "explain": "So."} for n, code in enumerate((
                   "import math\nprint(math.floor(1.5))", "a = [0, 1]\na.append(2)\nprint(a[1])"))]
    assert found(tmp_path, good() + traces) == []


def test_a_quiz_that_cannot_be_read_is_a_problem_too(tmp_path: Path) -> None:
    asked = good()
    del asked[0]["explain"]
    assert ["has no `explain`" in problem for problem in found(tmp_path, asked)] == [True]
