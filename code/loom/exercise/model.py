"""An exercise as data: what its source says, checked, with places."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from loom.errors import Place


@dataclass(frozen=True)
class Code:
    """A named piece of code and the line of the source file that it starts on.

    A wrong answer names the case that catches it. ``edited`` says that the
    text was made from the solution by a mutant, which stands on ``line``.
    """

    name: str
    source: str
    line: int
    caught_by: str | None = None
    edited: bool = False


@dataclass(frozen=True)
class Mutant:
    """An edit of the solution's text that makes it wrong."""

    name: str
    old: str
    new: str
    caught_by: str
    line: int


@dataclass(frozen=True)
class Exercise:
    """One exercise, with all that its derived forms need.

    Attributes:
        chapter: the chapter's file name without its extension.
        number: its place among the chapter's exercises, from 1.
        libraries: what it needs beside numpy, such as ``torch``.
        package: the chapter after which ``scratchlm`` is seen, None for the
            chapter before this one.
        statement: MyST, without the options.
        stub: the answer cell with every region replaced by a placeholder.
        solution: the answer cell without its marks.
        names: the public names that the answer defines, those that are asked
            for first; the first of all is the one that cases call.
        asked: the names that the learner writes. What only the solution
            defines, for itself, is none of them.
        cases: the cell of cases, its line the one of its first line.
        wrong: wrong answers as whole texts, those made by mutants included.
        equivalents: automatic mutants that may survive: old, new, why.
        remarks: prose that is printed with the solution.
        line: where its directive stands in ``path``.
        packages: for an exercise out of a bundle, the folder that holds
            ``scratchlm`` as its answers see it.
    """

    id: str
    title: str
    chapter: str
    chapter_number: int
    number: int
    minutes: int
    level: int
    section: str
    libraries: frozenset[str]
    package: str | None
    statement: str
    statement_line: int
    stub: str
    solution: str
    answer_line: int
    names: tuple[str, ...]
    asked: tuple[str, ...]
    hints: tuple[str, ...]
    cases: Code
    accepted: tuple[Code, ...]
    wrong: tuple[Code, ...]
    mutants: tuple[Mutant, ...]
    equivalents: tuple[tuple[str, str, str], ...]
    remarks: str
    path: Path
    line: int
    packages: Path | None = None

    @property
    def label(self) -> str:
        """What ``{ref}`` calls it: ``ex-masked-softmax``."""
        return f"ex-{self.id}"

    @property
    def printed(self) -> str:
        """Its number in the book: ``1.3``."""
        return f"{self.chapter_number}.{self.number}"

    @property
    def place(self) -> Place:
        """Where it stands in its source."""
        return Place(self.path, self.line)
