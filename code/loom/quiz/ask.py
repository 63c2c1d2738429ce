"""A quiz in the terminal: one question at a time, with the replies to what was answered."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from loom.quiz.checks import typed
from loom.quiz.marking import LETTERS, Given, Unclear, mark, read
from loom.quiz.models import (
    Choice,
    NumberQuestion,
    OrderQuestion,
    Question,
    Quiz,
    TextQuestion,
    TraceQuestion,
)
from loom.quiz.text import inline, markdown, to_lines

TRIES = 5  # times that something which is no answer is asked for again


class Shows(Protocol):
    """Where the questions are shown; ``ascii`` where nothing else can be."""

    @property
    def ascii(self) -> bool: ...

    @property
    def width(self) -> int: ...

    def text(self, what: str, style: str = "", indent: int = 0, hang: int = 0) -> None: ...


@dataclass
class Score:
    """How a round went: ids of questions by what became of them."""

    right: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    stopped: bool = False
    heard: bool = False  # whether anything was typed at all


def ask(quiz: Quiz, questions: Sequence[Question], show: Shows,
        listen: Callable[[str], str | None], titles: Mapping[str, str],
        remember: Callable[[Question, bool, str], None]) -> Score:
    """Ask questions until they are answered or the answers end.

    Args:
        quiz: the quiz they belong to.
        questions: those to ask, in this order.
        show: the screen.
        listen: shows a prompt and returns the line that was typed; None at the end.
        titles: titles of the book's labeled sections.
        remember: called with each answered question, whether the answer was
            right, and what was typed.
    """
    score = Score()
    for number, question in enumerate(questions, 1):
        show.text("")
        show.text(f"{number} of {len(questions)}  ·  {titles.get(question.section, '')}", "dim")
        _question(question, show, titles)
        given, said = _listen(question, show, listen, score)
        if score.stopped:
            break
        if given is None:
            score.skipped.append(question.id)
            continue
        marked = mark(question, given)
        (score.right if marked.right else score.wrong).append(question.id)
        remember(question, marked.right, said)
        show.text("")
        show.text("✓ Right." if marked.right else "✗ Not right.",
                  "bold green" if marked.right else "bold red")
        for letter, reply in marked.replies:
            _put(show, reply, titles, lead=f"{letter}  " if letter else "", indent=2)
        if not marked.right:
            _solution(question, show, titles)
        show.text("")
        _put(show, question.explain, titles, indent=2)
        if question.section in titles:
            show.text(f"Read “{titles[question.section]}”.", "dim", indent=2)
    return score


def _question(question: Question, show: Shows, titles: Mapping[str, str]) -> None:
    _put(show, question.ask, titles)
    if isinstance(question, TraceQuestion):
        show.text("")
        for line in question.code.split("\n"):
            show.text(line or " ", "cyan", indent=4)
    if isinstance(question, Choice | OrderQuestion):
        show.text("")
        for letter, said in zip(LETTERS, [part.text for part in question.shown], strict=False):
            _put(show, said, titles, lead=f"{letter}  ", indent=2)
    show.text("")


def _put(show: Shows, text: str, titles: Mapping[str, str], lead: str = "",
         indent: int = 0) -> None:
    """A MyST text; ``lead`` stands before its first line."""
    margin = indent + len(lead)
    for n, line in enumerate(to_lines(text, titles, show.width - margin, show.ascii)):
        show.text((lead + line) if n == 0 else line, indent=indent if n == 0 else margin)


def _prompt(question: Question) -> str:
    """What to type."""
    if isinstance(question, Choice):
        return "a letter" if question.kind == "single" else "letters of all that hold"
    if isinstance(question, OrderQuestion):
        return f"the {len(question.steps)} letters in order"
    if isinstance(question, NumberQuestion):
        unit = inline(markdown().parseInline(question.unit)[0].children or (), {}) \
            if question.unit else ""
        return f"a number, in {unit}" if unit else "a number"
    if isinstance(question, TraceQuestion):
        rows = question.answer.count("\n") + 1
        return "its output" if rows == 1 else "its output, line by line; an empty line ends it"
    return "a word" if question.answers[0].isalpha() else "your answer"


def _listen(question: Question, show: Shows, listen: Callable[[str], str | None],
            score: Score) -> tuple[Given | None, str]:
    """The answer and what was typed for it; None for a question that is skipped."""
    many = isinstance(question, TraceQuestion) and "\n" in question.answer
    prompt = f"{_prompt(question)[0].upper()}{_prompt(question)[1:]}: "
    for _ in range(TRIES):
        said = listen(prompt)
        if said is None or (said.strip().casefold() in ("q", "quit") and not _means(question, "q")):
            score.stopped = True
            score.heard |= said is not None
            return None, ""
        score.heard = True
        if not said.strip():
            return None, ""
        while many and (more := listen("… ")):
            said += "\n" + more
        try:
            given = read(question, said)
        except Unclear as unclear:
            show.text(f"{str(unclear)[0].upper()}{str(unclear)[1:]}. (Enter skips the question, "
                      "q stops.)", "yellow", indent=2)
            continue
        if isinstance(given, float) and f"{given:g}" != said.strip() \
                and any(sign in said for sign in ",^*/%"):
            show.text(f"Read as {given:.12g}.", "dim", indent=2)
        return given, said.strip()
    show.text("Let us leave this one.", indent=2)
    return None, ""


def _means(question: Question, word: str) -> bool:
    """Whether ``q`` could be meant as an answer."""
    if isinstance(question, TraceQuestion | TextQuestion):
        answers = [question.answer] if isinstance(question, TraceQuestion) else question.answers
        return word in map(typed, [*answers, *(wrong.text for wrong in question.replies)])
    return False


def _solution(question: Question, show: Shows, titles: Mapping[str, str]) -> None:
    """What would have been right."""
    if isinstance(question, Choice | OrderQuestion):
        letters = " ".join(LETTERS[n] for n in question.right)
        show.text(f"Right is {letters}.", "bold", indent=2)
    elif isinstance(question, NumberQuestion):
        unit = f" {question.unit}" if question.unit else ""
        show.text(f"Right is {question.answer}{unit}.", "bold", indent=2)
    elif isinstance(question, TraceQuestion):
        show.text("It prints", "bold", indent=2)
        for line in question.answer.split("\n"):
            show.text(line or " ", "cyan", indent=4)
    else:
        show.text(f"Right is {question.answers[0]}.", "bold", indent=2)
