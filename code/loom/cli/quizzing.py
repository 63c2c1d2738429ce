"""``loom quiz``: what is asked, where answers come from, where they are kept."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from loom.errors import LoomError, Problem, fail

if TYPE_CHECKING:
    from pathlib import Path

    from loom.book.toc import Book
    from loom.cli.screen import Screen
    from loom.quiz.models import Question, Quiz


def overview(book: Book, screen: Screen) -> None:
    """The chapters that have a quiz, and how far each is."""
    from loom.desk.progress import read_progress
    from loom.quiz.bank import quizzes_of

    quizzes = quizzes_of(book)
    if not quizzes:
        raise fail("no chapter has a quiz", "they stand in book/quizzes/NN-name.yml")
    progress = read_progress(_folder(book))
    _notes(screen, progress.notes)
    for name, quiz in quizzes.items():
        chapter = book.chapter(name)
        screen.row(f"{name[:2]}  {chapter.title}", _tally(quiz, progress.quiz))
    screen.text("")
    screen.text("loom quiz 01 asks a chapter's questions.", "dim")


def play(book: Book, name: str, screen: Screen, again: bool, everything: bool) -> None:
    """Ask a chapter's questions, keep the answers, tell the score.

    Args:
        book: the book.
        name: the chapter's number or name.
        screen: where to write.
        again: ask those whose last answer was wrong.
        everything: ask all, whatever was answered before.

    Raises:
        LoomError: the chapter has no quiz, or no answer came at all.
    """
    from loom.desk.progress import change_progress, now, read_progress
    from loom.quiz.ask import ask
    from loom.quiz.bank import quiz_path, read_quiz, titles_of

    chapter = book.chapter(name)
    path = quiz_path(book, chapter)
    if not path.is_file():
        raise fail(f"{chapter.name} has no quiz", "`loom quiz` lists the chapters that have one")
    quiz = read_quiz(path, chapter)
    folder = _folder(book)
    progress = read_progress(folder)
    _notes(screen, progress.notes)
    known = progress.quiz
    questions = _chosen(quiz, known, again, everything)
    number = f"Chapter {chapter.number}" if chapter.number is not None else chapter.name
    screen.text(f"{number}: {chapter.title}", "bold")
    if not questions:
        screen.text(f"{_tally(quiz, known)}.")
        screen.text("Nothing was answered wrong the last time." if again else
                    "You have answered them all. --again asks those that went wrong, "
                    "--all asks every one.")
        return
    screen.text(f"{len(questions)} questions. Enter skips one, q stops; what you answered is kept.",
                "dim")
    lost: list[str] = []

    def remember(question: Question, right: bool, said: str) -> None:
        old = known.get(question.id, {})
        entry: dict[str, Any] = {
            **old, "right": right, "said": said[:500], "last": now(),
            "times": _count(old, "times") + 1, "first": old.get("first", right)}
        known[question.id] = entry
        try:
            with change_progress(folder) as kept:
                kept.quiz[question.id] = entry
        except LoomError as error:
            if not lost:
                screen.text(f"Your answers are not being kept: {error}", "yellow")
            lost.append(question.id)

    score = ask(quiz, questions, screen, _listener(screen), titles_of(book), remember)
    if not score.heard:
        raise fail("no answer came in", "run it in a terminal, or hand it a line for each "
                   f"question: `printf 'a\\nb\\n' | loom quiz {name}`")
    answered = len(score.right) + len(score.wrong)
    skipped = f", {len(score.skipped)} skipped" if score.skipped else ""
    screen.text("")
    screen.text(f"{len(score.right)} of {answered} right{skipped}." if answered
                else "Nothing answered.", "bold")
    screen.text(f"The chapter so far: {_tally(quiz, known)}.")
    if score.wrong and not again:
        screen.text(f"loom quiz {name} --again asks those that went wrong.", "dim")


def check(book: Book, names: Sequence[str]) -> None:
    """Run the code behind the answers.

    Raises:
        LoomError: answers that it does not confirm.
    """
    from loom.quiz.bank import quizzes_of
    from loom.quiz.verify import verify

    quizzes = quizzes_of(book)
    wanted = {book.chapter(name).name for name in names} or set(quizzes)
    problems: list[Problem] = []
    for name, quiz in quizzes.items():
        if name in wanted:
            done = verify(book, quiz)
            problems += done.problems
            print(f"{name}: {len(done.checked)} of {len(quiz.questions)} answers are computed by "
                  f"code, {len(done.checked) - len(done.problems)} confirmed, {done.seconds:.1f} s",
                  flush=True)
    for name in sorted(wanted - set(quizzes)):
        raise fail(f"{name} has no quiz", "`loom quiz` lists the chapters that have one")
    if problems:
        raise LoomError(problems)


def json_schema() -> str:
    """The format of quizzes, for editors that complete and check YAML."""
    import json

    from loom.quiz.bank import schema

    return json.dumps(schema(), indent=2)


def _folder(book: Book) -> Path:
    """The learner's folder, which keeps the answers; the one in the book if there is none yet."""
    from loom.desk.desk import NAME, find_desk

    desk = find_desk(book.root)
    return desk.folder if desk else book.root / NAME


def _chosen(quiz: Quiz, known: dict[str, dict[str, Any]], again: bool,
            everything: bool) -> list[Question]:
    """The questions to ask: open ones, wrong ones, or all."""
    if everything:
        return list(quiz.questions)
    if again:
        return [one for one in quiz.questions if known.get(one.id, {}).get("right") is False]
    return [one for one in quiz.questions if one.id not in known]


def _tally(quiz: Quiz, known: dict[str, dict[str, Any]]) -> str:
    """How far somebody is: ``12 right, 3 wrong, 15 open``."""
    said = [known[one.id].get("right") is True for one in quiz.questions if one.id in known]
    parts = [f"{sum(said)} right", f"{len(said) - sum(said)} wrong",
             f"{len(quiz.questions) - len(said)} open"]
    return ", ".join(parts)


def _count(entry: dict[str, Any], name: str) -> int:
    value = entry.get(name, 0)
    return value if isinstance(value, int) else 0


def _notes(screen: Screen, notes: Sequence[str]) -> None:
    for note in notes:
        screen.text(note, "yellow")


def _listener(screen: Screen) -> Any:
    """What reads a line: from the terminal, or from a pipe, whose answers are shown."""
    if sys.stdin is None:
        return lambda prompt: None
    sys.stdin.reconfigure(errors="replace")  # type: ignore[union-attr]
    if sys.stdin.isatty():
        from contextlib import suppress

        from loom.cli.screen import to_ascii

        with suppress(ImportError):
            import readline  # noqa: F401 (arrow keys while typing)

        def typed(prompt: str) -> str | None:
            try:
                return input(to_ascii(prompt) if screen.ascii else prompt)
            except EOFError:
                print()
                return None

        return typed

    def piped(prompt: str) -> str | None:
        line = sys.stdin.readline()
        if line:
            screen.text(f"{prompt}{line.strip()}")
        return line.rstrip("\n") if line else None

    return piped
