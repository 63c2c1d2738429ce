"""The answers of a quiz, computed by code and compared with what the quiz says."""

from __future__ import annotations

import json
import math
import os
import re
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loom.book.toc import Book
from loom.errors import Place, Problem, fail
from loom.files import read_text
from loom.quiz.checks import same_output, same_text, same_value
from loom.quiz.models import (
    Choice,
    NumberQuestion,
    OrderQuestion,
    Question,
    Quiz,
    TextQuestion,
    TraceQuestion,
)

SECONDS = 20.0  # for one question
STARTING = 120.0  # for the libraries; a cold disk takes its time


@dataclass(frozen=True)
class Verified:
    """What became of a quiz's answers.

    Attributes:
        checked: ids of the questions whose code ran.
        problems: answers that the code does not confirm.
        seconds: how long all of it took.
    """

    checked: tuple[str, ...]
    problems: tuple[Problem, ...]
    seconds: float


def verify(book: Book, quiz: Quiz, seconds: float | None = None) -> Verified:
    """Run a chapter's ``verify`` blocks and traced programs, and compare.

    They see ``scratchlm`` as of the quiz's chapter. One process runs them all,
    each in names of its own; it is started again after a block that does not
    end, or that takes the process down.

    Args:
        book: the book.
        quiz: one of its quizzes.
        seconds: what one question may take; ``LOOM_PATIENCE`` times 20 if not given.

    Raises:
        LoomError: the package cannot be made, or nothing can be started.
    """
    from loom.tangle.snapshot import write_snapshot

    started = time.monotonic()
    asked = [question for question in quiz.questions if _source(question)]
    limit = seconds or SECONDS * _patience()
    problems: list[Problem] = []
    if asked:
        with tempfile.TemporaryDirectory(prefix="loom-quiz-") as folder:
            write_snapshot(book, quiz.chapter, Path(folder))
            for question, found in _run(asked, Path(folder), limit):
                problems += _compare(quiz, question, found)
    return Verified(tuple(one.id for one in asked), tuple(problems), time.monotonic() - started)


def _source(question: Question) -> str | None:
    return question.code if isinstance(question, TraceQuestion) else question.verify


def _patience() -> float:
    said = os.environ.get("LOOM_PATIENCE", "1")
    try:
        return max(1.0, float(said))
    except ValueError:
        raise fail(f"LOOM_PATIENCE={said} is not a positive number",
                   "set it to how many times slower than the book's this machine may be, "
                   "such as 10") from None


def _run(questions: Sequence[Question], folder: Path,
         limit: float) -> Iterator[tuple[Question, dict[str, Any]]]:
    """Each question with what came of its code."""
    left = list(questions)
    while left:
        done = 0
        ended = ""
        for message in _process(left, folder, limit):
            if "ended" in message:
                ended = message["ended"]
            else:
                yield left[done], message
                done += 1
        if done < len(left):
            yield left[done], {"error": ended, "line": None, "printed": ""}
            done += 1
        left = left[done:]


def _process(questions: Sequence[Question], folder: Path,
             limit: float) -> Iterator[dict[str, Any]]:
    """The results of one process, then why it ended."""
    sources = [_source(question) or "" for question in questions]
    text = "\n".join(sources)
    if "scratchlm" in text:
        text += "".join(read_text(path) for path in folder.glob("scratchlm/**/*.py"))
    imports = [name for name in ("numpy", "torch") if re.search(rf"\bimport {name}\b"
                                                               rf"|\bfrom {name}\b", text)]
    orders = json.dumps({"package": str(folder), "imports": imports, "jobs": [
        {"id": question.id, "source": source, "printed": isinstance(question, TraceQuestion)}
        for question, source in zip(questions, sources, strict=True)]})
    reading, writing = os.pipe()
    work = folder / "work"
    work.mkdir(exist_ok=True)
    environment = {**{name: value for name, value in os.environ.items()
                      if not name.startswith(("PYTHON", "LOOM_"))},
                   "PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "2", "MPLBACKEND": "agg"}
    process = subprocess.Popen(
        [sys.executable, "-s", "-P", str(Path(__file__).with_name("worker.py")), str(writing)],
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        pass_fds=[writing], cwd=work, env=environment, start_new_session=True)
    os.close(writing)
    try:
        assert process.stdin is not None
        with process.stdin as orders_out:
            orders_out.write(orders.encode())
        yield from _messages(reading, limit)
        code = process.wait(timeout=10)
        yield {"ended": f"it ended the process (exit code {code})" if code >= 0 else
               f"it ended the process ({signal.Signals(-code).name})"}
    except TimeoutError:
        yield {"ended": f"it did not end within {limit:g} s"}
    except (BrokenPipeError, subprocess.TimeoutExpired):
        yield {"ended": "the process did not end"}
    finally:
        os.close(reading)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # what it may have started
        process.wait()


def _messages(reading: int, limit: float) -> Iterator[dict[str, Any]]:
    """The results that come through a pipe.

    Raises:
        TimeoutError: the next one takes too long.
    """
    buffer = b""
    wait = STARTING
    with selectors.DefaultSelector() as selector:
        selector.register(reading, selectors.EVENT_READ)
        deadline = time.monotonic() + wait
        while True:
            if not selector.select(max(0.0, deadline - time.monotonic())):
                raise TimeoutError
            read = os.read(reading, 65536)
            if not read:
                return
            *lines, buffer = (buffer + read).split(b"\n")
            for line in lines:
                message = json.loads(line)
                deadline = time.monotonic() + limit
                if "begins" not in message:
                    yield message


def _compare(quiz: Quiz, question: Question, found: dict[str, Any]) -> Iterator[Problem]:
    """What is wrong with an answer, given what its code computed."""
    field = "code" if isinstance(question, TraceQuestion) else "verify"
    line = question.lines[field]
    who = f"question `{question.id}`"
    if "error" in found:
        at = line + found["line"] - 1 if found["line"] else line
        yield Problem(Place(quiz.path, at), f"{who}: `{field}` fails: {found['error']}",
                      f"it sees scratchlm as of {quiz.chapter}; run it yourself, and mend it")
        return
    if isinstance(question, TraceQuestion):
        printed, said = same_output(found["printed"]), same_output(question.answer)
        if printed != said:
            yield Problem(Place(quiz.path, question.lines["answer"]),
                          f"{who}: the program prints {_short(printed)}, `answer` says "
                          f"{_short(said)}", "the program is right: change the answer")
        return
    place = Place(quiz.path, line)
    expected, right = _expected(question, found["answer"])
    if not right:
        yield Problem(place, f"{who}: `verify` computes {_short(found['answer'])}, "
                      f"not {expected}", "one of the two is wrong: mend it")


def _expected(question: Question, answer: Any) -> tuple[str, bool]:
    """What ``verify`` should have computed, in words, and whether it did."""
    if isinstance(question, NumberQuestion):
        words = f"{question.answer}" + (f" ± {question.margin:g}" if question.margin else "")
        return words, (isinstance(answer, int | float) and not isinstance(answer, bool)
                       and math.isfinite(answer)
                       and abs(answer - question.answer) <= question.margin * (1 + 1e-9))
    if isinstance(question, Choice):
        rights = [option.value for option in question.options if option.right]
        wrongs = [option.value for option in question.options
                  if not option.right and option.value is not None]
        if question.kind == "single":
            return _short(rights[0]), same_value(answer, rights[0]) and not any(
                same_value(answer, wrong) for wrong in wrongs)
        return f"{_short(rights)} in any order", isinstance(answer, list) and _same_members(
            answer, rights)
    if isinstance(question, OrderQuestion):
        values = [step.value for step in question.steps]
        return _short(values), same_value(answer, values)
    if isinstance(question, TextQuestion):
        words = " or ".join(map(_short, question.answers))
        return words, isinstance(answer, str) and same_text(answer) in map(
            same_text, question.answers)
    raise AssertionError(question.kind)


def _same_members(some: list[Any], others: list[Any]) -> bool:
    left = list(others)
    for one in some:
        at = next((n for n, other in enumerate(left) if same_value(one, other)), None)
        if at is None:
            return False
        del left[at]
    return not left


def _short(value: Any) -> str:
    text = value if isinstance(value, str) and "\n" not in value else repr(value)
    shown = text if len(text) <= 120 else text[:117] + "…"
    return f"`{shown}`" if isinstance(value, str) else shown
