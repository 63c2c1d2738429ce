"""A learner's file, taken apart: one answer per exercise, each on its own.

An answer is the head of the file and the exercise's own block. All other
lines are blank in it, so that every line has the number it has in the file,
and a mistake in one exercise never touches another.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from loom.errors import LoomError, Place, Problem
from loom.exercise.blame import same_program, unreadable
from loom.exercise.decode import Lines, decode, read_bytes
from loom.exercise.jupyter import read_notebook, without_checks
from loom.exercise.markers import Block, conflicts, cut, marker_line
from loom.exercise.model import Exercise

LONGEST = 60_000  # characters of a head or of a block; Python takes its time over more
_BETWEEN = re.compile(r"\s*$|[#@]|import\s|from\s")  # what stands above a definition
_RESOLVE = ("choose one of the two versions, and delete the lines that start with <<<<<<<, "
            "======= and >>>>>>>")


@dataclass(frozen=True)
class Answer:
    """What a learner has written for one exercise.

    Attributes:
        exercise: its id.
        source: the head and the exercise's block, padded so that each line
            has its number in the file; empty where there is a problem.
        path: the learner's file.
        line: the line of the exercise's marker; 1 where there is none.
        problem: what keeps the answer from being run at all.
        shared: whether that is nothing of the answer's own: the whole file's, or a
            stub's that nobody has touched, or that the answer is not there.
        started: False while the block is the stub, whatever its layout.
        places: for a notebook, each line's cell and line in the cell.
    """

    exercise: str
    source: str
    path: Path
    line: int
    problem: Problem | None = None
    started: bool = True
    places: tuple[tuple[int, int], ...] = field(default=(), repr=False)
    shared: bool = False

    @property
    def runs(self) -> bool:
        """Whether there is anything to run."""
        return self.started and self.problem is None

    def where(self, line: int | None = None) -> str:
        """A line of ``source`` as the learner finds it: ``01_numbers.py:43``."""
        line = self.line if line is None else line
        if not self.places:
            return str(Place(self.path, line))
        cell, row = self.places[min(max(line, 1), len(self.places)) - 1]
        return f"{Place(self.path)}, cell {cell}, line {row}"


def read_answers(path: Path, exercises: Sequence[Exercise]) -> dict[str, Answer]:
    """The answers in a file or a notebook.

    Args:
        path: a ``.py`` in percent format, or a ``.ipynb``.
        exercises: those that it should answer.

    Returns:
        For each exercise, by id, its answer. Whatever is wrong with the file
        is the ``problem`` of the answers concerned; nothing is raised.
    """
    places: tuple[tuple[int, int], ...] = ()
    try:
        if path.suffix == ".ipynb":
            lines, places = read_notebook(path)
        else:
            lines = decode(read_bytes(path), path)
            lines = replace(lines, lines=without_checks(lines.lines))
    except LoomError as error:
        return {e.id: Answer(e.id, "", path, 1, error.problems[0], shared=True)
                for e in exercises}
    return _Reader(path, lines, places).answers(exercises)


class _Reader:
    """Reads the answers out of one file."""

    def __init__(self, path: Path, lines: Lines, places: tuple[tuple[int, int], ...]) -> None:
        self.path = path
        self.text = lines
        self.lines = lines.lines
        self.places = places
        self.head, self.blocks = cut(self.lines)
        self.conflicts = conflicts(self.lines)

    def answers(self, exercises: Sequence[Exercise]) -> dict[str, Answer]:
        here = {b.id for b in self.blocks}
        lost = [e for e in exercises if e.id not in here]
        problem = self._whole(lost)
        if problem is not None:
            return {e.id: Answer(e.id, "", self.path, 1, problem, places=self.places,
                                 shared=True) for e in exercises}
        known = {e.id for e in exercises}
        missing = [e.id for e in lost]
        self.blocks = [self._shortened(b, exercises, lost) for b in self.blocks]
        return {e.id: self._answer(e, known, missing) for e in exercises}

    def _shortened(self, block: Block, exercises: Sequence[Exercise], lost: Sequence[Exercise]
                   ) -> Block:
        """A block without the answer that fell into it when its own marker was deleted."""
        own = {name for e in exercises if e.id == block.id for name in e.names}
        last = block.last
        for exercise in lost:
            at = self._definition(exercise)
            if at is not None and block.first < at <= last and not own & set(exercise.names):
                last = self._above(at, block.first)
        return replace(block, last=last)

    def _above(self, line: int, first: int, between: re.Pattern[str] = _BETWEEN) -> int:
        """The last line above a definition and what belongs to it."""
        while line > first + 1 and between.match(self.lines[line - 2]):
            line -= 1
        return line - 1

    def _problem(self, line: int | None, what: str, remedy: str) -> Problem:
        if not self.places or line is None:
            return Problem(Place(self.path, line), what, remedy)
        cell, row = self.places[min(line, len(self.places)) - 1]
        return Problem(Place(self.path), f"cell {cell}, line {row}: {what}", remedy)

    def _whole(self, lost: Sequence[Exercise]) -> Problem | None:
        """What is wrong with the file for every exercise.

        A head that is broken where an answer without marker fell into it is
        cut above that answer.
        """
        if not any(line.strip() for line in self.lines):
            return self._problem(None, "is empty", "undo in your editor; or move it away, and "
                                 "`loom start` writes it again")
        if not self.blocks:
            return self._problem(
                None, "has no line that starts with `# %% exercise`",
                "put such a line above each answer, as in the file that `loom start` writes")
        found = self._wrong_lines(1, self.head)
        if found is None and self.head:
            blame = unreadable("\n".join(self.lines[:self.head]))
            fallen = [at for e in lost if (at := self._definition(e)) and at <= self.head]
            if blame is not None and fallen:
                self.head = self._above(min(fallen), 0, re.compile("@"))
                blame = unreadable("\n".join(self.lines[:self.head]))
            if blame is not None:
                found = self._problem(blame.line, blame.what, blame.remedy)
        if found is None:
            return None
        return Problem(found.place, found.what,
                       f"{found.remedy} (it stands above the first exercise, so every exercise "
                       "sees it)")

    def _wrong_lines(self, first: int, last: int) -> Problem | None:
        """Lines that no Python is made of, told before Python stumbles over them."""
        size = sum(map(len, self.lines[first - 1:last]))
        if size > LONGEST:
            return self._problem(first, f"{size:,} characters of code, more than the {LONGEST:,} "
                                 "that are read", "an answer takes a few hundred: keep data out "
                                 "of it")
        for start, end in self.conflicts:
            if start <= last and end >= first:
                return self._problem(max(start, first), "an unresolved merge conflict", _RESOLVE)
        for n in range(first, last + 1):
            if n in self.text.bad:
                return self._problem(n, *self.text.bad[n])
        return None

    def _answer(self, exercise: Exercise, known: set[str], missing: Sequence[str]) -> Answer:
        blocks = [block for block in self.blocks if block.id == exercise.id]
        if not blocks:
            return self._missing(exercise, known, missing)
        block = blocks[0]
        own = list(self.lines[block.first - 1:block.last])
        untouched = same_program("\n".join(own), exercise.stub)

        def broken(problem: Problem) -> Answer:
            return Answer(exercise.id, "", self.path, block.first, problem, places=self.places,
                          shared=untouched)

        for one in blocks:
            wrong = self._wrong_lines(one.first, one.last)
            if wrong is not None:
                return broken(wrong)
        if len(blocks) > 1:
            return broken(self._problem(
                blocks[1].first, f"`{exercise.id}` is here a second time; the first is at "
                f"{self._spot(block.first)}", "keep the answer that you want graded, and delete "
                "the other with its line `# %% exercise …`"))
        source = "\n".join([*self.lines[:self.head], *[""] * (block.first - 1 - self.head), *own])
        blame = unreadable(source)
        if blame is not None:
            return broken(self._problem(blame.line, blame.what, blame.remedy))
        if same_program("\n".join(own), ""):
            return broken(self._problem(
                block.first, f"nothing but comments below the line of `{exercise.id}`",
                f"write your answer here; `loom reset {exercise.id}` brings the stub back"))
        return Answer(exercise.id, source, self.path, block.first, None,
                      not untouched, self.places)

    def _spot(self, line: int) -> str:
        if not self.places:
            return f"line {line}"
        return "cell {}, line {}".format(*self.places[line - 1])

    def _missing(self, exercise: Exercise, known: set[str], missing: Sequence[str]) -> Answer:
        """No marker of this name: renamed, deleted with its answer, or without it."""
        marker = marker_line(exercise.id, exercise.printed, exercise.title)
        renamed = self._renamed(exercise.id, known, missing)
        at = self._definition(exercise)
        if renamed is not None:
            problem = self._problem(
                renamed.first, f"no exercise is called `{renamed.id}`" if renamed.id else
                "the line `# %% exercise` names no exercise",
                f"for `{exercise.id}`, the line starts with `{marker.split(' ·')[0]}`")
        elif at is not None:
            problem = self._problem(
                at, f"the line that starts the exercise `{exercise.id}` is gone",
                f"put it back, above your answer: `{marker.split(' ·')[0]}`")
        else:
            problem = self._problem(
                None, f"the exercise `{exercise.id}` is not in the file",
                f"`loom reset {exercise.id}` adds it at the end, and leaves the rest as it is")
        line = renamed.first if renamed else at or 1
        return Answer(exercise.id, "", self.path, line, problem, places=self.places,
                      shared=renamed is None and at is None)

    def _renamed(self, name: str, known: set[str], missing: Sequence[str]) -> Block | None:
        """The block with an unknown name that is most like this one."""
        for block in self.blocks:
            if block.id in known:
                continue
            near = difflib.get_close_matches(block.id, missing, n=1, cutoff=0.6)
            if near == [name] or (not near and not block.id and len(missing) == 1):
                return block
        return None

    def _definition(self, exercise: Exercise) -> int | None:
        """The line where the exercise's name is defined, whatever block it is in."""
        for name in exercise.asked or exercise.names:
            pattern = re.compile(rf"(async\s+def|def|class)\s+{re.escape(name)}\b")
            for n, line in enumerate(self.lines, 1):
                if pattern.match(line):
                    return n
        return None
