"""What keeps a chapter's questions from being answered without reading the chapter.

Whoever always picks the longest option, or always the second, must not do
better than by chance; no two questions are alike; and at least four answers in
ten are computed by code that runs, not typed by hand.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations

from loom.book.chapter import Chapter, Section
from loom.book.toc import Book
from loom.errors import LoomError, Place, Problem
from loom.quiz.bank import quizzes_of
from loom.quiz.markup import wrong_markup
from loom.quiz.models import Choice, Question, Quiz, TraceQuestion
from loom.quiz.text import to_words

QUESTIONS = 25  # at least, of a chapter
VERIFIED = 0.40  # of them, at least
LONGEST = 0.30  # of the choices at most may be answered by picking the longest
SHORTEST = 0.40  # … or the shortest
RATIO = (0.9, 1.1)  # mean length of right options to that of wrong ones
ALIKE = 0.6  # of the word pairs of two questions shared
_LUMPED = re.compile(
    r"\b(all|none|both|neither|any|some|one|two|more) of the "
    r"(above|below|others?|rest|options?|answers?|choices?)\b"
    r"|^\W*(all|none|both|neither|some|any) of (these|them)\W*$"
    r"|\b(the|options?|answers?) (first|second|third|last|previous|following) "
    r"(option|answer|choice|one|two)s?\b|\b(options?|answers?) [A-H]\b|\bas above\b",
    re.IGNORECASE)
_APART = {"exercises", "quiz", "built", "further", "history"}  # sections that teach nothing new


@dataclass(frozen=True)
class Numbers:
    """A chapter's questions in numbers."""

    chapter: str
    questions: int
    kinds: Mapping[str, int]
    verified: int
    choices: int
    longest: int  # choices that picking the longest answers
    shortest: int
    ratio: float  # of mean lengths, right to wrong
    positions: tuple[int, ...]  # how often each position of a single choice is right
    untouched: tuple[str, ...]  # titles of sections that no question is about

    def __str__(self) -> str:
        kinds = ", ".join(f"{count} {kind}" for kind, count in self.kinds.items())
        where = " ".join(f"{letter} {count}" for letter, count in
                         zip("ABCDEFGH", self.positions, strict=False))
        said = [f"{self.questions} questions ({kinds})",
                f"{self.verified} verified by code ({_percent(self.verified, self.questions)})"]
        if self.choices:
            said += [f"the longest option is right in {self.longest} of {self.choices} "
                     f"({_percent(self.longest, self.choices)}), the shortest in {self.shortest}",
                     f"right options {self.ratio:.2f} times as long as wrong ones"]
        if self.positions:
            said.append(f"right ones stand at {where}")
        if self.untouched:
            said.append("no question on " + ", ".join(f"“{title}”" for title in self.untouched))
        return f"{self.chapter}: " + "; ".join(said)


def check(book: Book) -> tuple[list[Numbers], list[Problem]]:
    """All quizzes of a book in numbers, and what is wrong with them.

    Where one cannot be read, that is all that is said.
    """
    try:
        quizzes = quizzes_of(book)
    except LoomError as error:
        return [], error.problems
    chapters = {chapter.name: chapter for chapter in book.chapters}
    labels = frozenset(_labels(book))
    problems: list[Problem] = []
    for name, quiz in quizzes.items():
        problems += broken_gates(quiz, chapters[name], labels)
    everywhere = [(quiz, question) for quiz in quizzes.values() for question in quiz.questions]
    problems += _alike(everywhere)
    return [numbers(quiz, chapters[name]) for name, quiz in quizzes.items()], problems


def numbers(quiz: Quiz, chapter: Chapter) -> Numbers:
    """A chapter's questions in numbers."""
    choices = [one for one in quiz.questions if isinstance(one, Choice)]
    singles = [one for one in choices if one.kind == "single"]
    positions = Counter(one.right[0] for one in singles)
    rights = [_length(o.text) for one in choices for o in one.options if o.right]
    wrongs = [_length(o.text) for one in choices for o in one.options if not o.right]
    most = max((len(one.options) for one in singles), default=0)
    touched = {question.section for question in quiz.questions}
    kinds = Counter(question.kind for question in quiz.questions)
    return Numbers(
        quiz.chapter, len(quiz.questions), dict(kinds.most_common()),
        sum(map(is_verified, quiz.questions)), len(choices), sum(map(_by_longest, choices)),
        sum(map(_by_shortest, choices)),
        (sum(rights) / len(rights)) / (sum(wrongs) / len(wrongs)) if rights and wrongs else 1.0,
        tuple(positions[n] for n in range(most)),
        tuple(_untouched(chapter, touched)))


def is_verified(question: Question) -> bool:
    """Whether code that runs stands behind the answer."""
    return isinstance(question, TraceQuestion) or question.verify is not None


def broken_gates(quiz: Quiz, chapter: Chapter,
                 labels: frozenset[str] | None = None) -> list[Problem]:
    """The rules that a chapter's questions break.

    Args:
        quiz: the questions.
        chapter: their chapter.
        labels: every label of the book; None: references are not checked.
    """
    found = numbers(quiz, chapter)
    problems = list(_shares(quiz, found))
    for question in quiz.questions:
        problems += _wording(quiz, question)
        problems += wrong_markup(quiz, question, labels)
    replies: dict[str, Place] = {}
    for question in quiz.questions:
        for text, line in _replies(question):
            place = Place(quiz.path, line)
            first = replies.setdefault(" ".join(text.casefold().split()), place)
            if first != place:
                problems.append(Problem(place, f"question `{question.id}`: this reply stands "
                                        f"in line {first.line} too",
                                        "a reply answers one option: say what is wrong with it"))
    return problems


def _shares(quiz: Quiz, found: Numbers) -> Iterator[Problem]:
    """What holds for all questions of a chapter together."""
    place = Place(quiz.path, quiz.lines.get("questions", 1))
    if found.questions < QUESTIONS:
        yield Problem(place, f"{found.questions} questions", f"write at least {QUESTIONS}")
    if found.verified < VERIFIED * found.questions:
        yield Problem(place, f"{found.verified} of {found.questions} answers are verified by code "
                      f"({_percent(found.verified, found.questions)})",
                      f"at least {VERIFIED:.0%}: add `verify:` where an answer can be computed")
    for count, limit, which, change in (
            (found.longest, LONGEST, "longest", "shorten right options, or say more in wrong ones"),
            (found.shortest, SHORTEST, "shortest", "say less in wrong options")):
        if count > limit * found.choices:
            names = [f"`{one.id}`" for one in quiz.questions if isinstance(one, Choice)
                     and (_by_longest(one) if which == "longest" else _by_shortest(one))]
            yield Problem(place, f"picking the {which} option answers {count} of {found.choices} "
                          f"choices ({_percent(count, found.choices)}): {', '.join(names)}",
                          f"at most {limit:.0%}: {change}")
    if not RATIO[0] <= found.ratio <= RATIO[1]:
        yield Problem(place, f"right options are {found.ratio:.2f} times as long as wrong ones",
                      f"between {RATIO[0]} and {RATIO[1]}: make them alike in length")
    by_count: dict[int, Counter[int]] = {}
    for one in quiz.questions:
        if isinstance(one, Choice) and one.kind == "single":
            by_count.setdefault(len(one.options), Counter())[one.right[0]] += 1
    for count, positions in by_count.items():
        shares = [positions[n] for n in range(count)]
        if max(shares) - min(shares) > 1:
            yield Problem(place, f"of the choices among {count}, the right one stands {shares} "
                          "times at each position", "this is loom's own error: please report it")


def _wording(quiz: Quiz, question: Question) -> Iterator[Problem]:
    """Options that speak of other options."""
    for n, option in enumerate(question.options if isinstance(question, Choice) else (), 1):
        match = _LUMPED.search(to_words(option.text))
        if match:
            yield Problem(Place(quiz.path, option.lines["text"]),
                          f"question `{question.id}`, option {n}: “{match[0]}” speaks of the "
                          "other options", "options are shuffled, and each stands for itself: "
                          "say it in words, or use `kind: multiple`")


def _alike(everywhere: list[tuple[Quiz, Question]]) -> Iterator[Problem]:
    """Pairs of questions that ask the same."""
    pairs = [word_pairs(question) for _, question in everywhere]
    for one, other in combinations(range(len(everywhere)), 2):
        smaller, larger = sorted((len(pairs[one]), len(pairs[other])))
        if smaller < ALIKE * larger:
            continue  # the share cannot be larger than that
        shared = similarity(pairs[one], pairs[other])
        if shared >= ALIKE:
            (quiz, first), (later, second) = everywhere[one], everywhere[other]
            yield Problem(
                Place(later.path, second.lines["ask"]),
                f"question `{second.id}` is much like `{first.id}` in "
                f"{Place(quiz.path, first.lines['ask'])}: they share {shared:.0%} of their words",
                "ask something else, or drop one")


def word_pairs(question: Question) -> frozenset[tuple[str, str]]:
    """What a question says, as the set of its pairs of neighboring words."""
    said = [question.ask]
    if isinstance(question, Choice):
        said += [option.text for option in question.options]
    elif isinstance(question, TraceQuestion):
        said.append(question.code)
    else:
        said += [step.text for step in getattr(question, "steps", ())]
    words = re.findall(r"\w+|[^\w\s]", " ".join(said).casefold())
    return frozenset(zip(["", *words], [*words, ""], strict=True))


def similarity(one: frozenset[tuple[str, str]], other: frozenset[tuple[str, str]]) -> float:
    """The share of word pairs that two questions have in common, 0 to 1."""
    return len(one & other) / len(one | other)


def _by_longest(question: Choice) -> bool:
    """Whether picking the longest options, as many as are right, finds the right ones."""
    lengths = [(_length(option.text), option.right) for option in question.options]
    return min(n for n, right in lengths if right) > max(n for n, right in lengths if not right)


def _by_shortest(question: Choice) -> bool:
    lengths = [(_length(option.text), option.right) for option in question.options]
    return max(n for n, right in lengths if right) < min(n for n, right in lengths if not right)


def _length(text: str) -> int:
    """Characters that a reader sees."""
    return len(to_words(text))


def _replies(question: Question) -> Iterator[tuple[str, int]]:
    for part in (question, *getattr(question, "options", ()), *getattr(question, "replies", ())):
        if "reply" in part.lines:
            yield part.reply, part.lines["reply"]


def _untouched(chapter: Chapter, touched: set[str]) -> Iterator[str]:
    """Titles of the sections that teach, and that no question is about."""
    above: Section | None = None
    seen = True
    for section in [*chapter.sections, Section("", 1, 0, None)]:
        if section.level <= 2:
            if above is not None and not seen:
                yield above.title
            apart = section.level == 1 or section.label is None \
                or _APART & set(section.label.split("-"))
            above, seen = None if apart else section, False
        seen = seen or section.label in touched


def _labels(book: Book) -> Iterator[str]:
    from loom.book.lint import labels_of

    for chapter in book.chapters:
        for label, _ in labels_of(chapter):
            yield label


def _percent(part: int, whole: int) -> str:
    return f"{part / whole:.0%}" if whole else "0%"
