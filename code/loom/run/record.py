"""Recorded runs: what takes longer than a chapter may is run by hand, and its log is kept.

A script in ``book/recorded`` runs the cells of a chapter as they stand, goes
on where they stop, and writes what it finds beside itself, as CSV. The log
says what it was made from. A test compares that with what is there now, so
that a chapter does not go on quoting a run of other code.
"""

from __future__ import annotations

import csv
import hashlib
import io
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from itertools import takewhile
from pathlib import Path
from typing import Any

from loom.book.toc import Book, read_book
from loom.errors import fail
from loom.files import write_all
from loom.run.keys import Keys, meaning

FOLDER = "book/recorded"
LIBRARIES = ("numpy", "torch")


@dataclass(frozen=True)
class Sources:
    """What a run begins with: cells of a chapter, and the modules of the package they use."""

    cells: tuple[str, ...]
    modules: tuple[str, ...] = ()


def cells(chapter: str, before: str, book: Book | None = None) -> Sources:
    """A chapter's cells that stand before a section.

    Args:
        chapter: the chapter's name, ``06-vectors``.
        before: the section's label.
        book: default: the one around the working directory.

    Raises:
        LoomError: there is no such chapter or section.
    """
    book = book or read_book()
    found = book.chapter(chapter)
    line = next((one.line for one in found.sections if one.label == before), None)
    if line is None:
        raise fail(f"no section has the label {before!r}", "a label stands above a heading: "
                   "`(sec-…)=`", path=found.path)
    return Sources(tuple(cell.source for cell in found.cells if cell.line < line),
                   tuple(Keys(book).modules(found).values()))


def names_after(sources: Sources) -> dict[str, Any]:
    """Run cells one after the other, with no window for figures; what they define."""
    os.environ["MPLBACKEND"] = "agg"
    names: dict[str, Any] = {"__name__": "__main__"}
    for number, source in enumerate(sources.cells, 1):
        exec(compile(source, f"<cell {number}>", "exec"), names)
    return names


def origin(script: Path, sources: Sources) -> str:
    """A digest of all code of the book's that a run's results come from; layout aside."""
    parts = [script.read_text(encoding="utf-8"), *sources.cells, *sources.modules]
    return hashlib.sha256("\0".join(map(meaning, parts)).encode()).hexdigest()[:32]


def write_log(script: Path, sources: Sources, seed: int,
              rows: Sequence[Mapping[str, object]]) -> Path:
    """Write a run's log beside its script: where it comes from, then the rows.

    Args:
        script: the file that ran.
        sources: what it began with.
        seed: that it began from.
        rows: one mapping from column to value for each; all have the same columns.

    Returns:
        The log's path.
    """
    made = [f"{name} {version(name)}" for name in LIBRARIES]
    head = {"script": script.name, "origin": origin(script, sources), "seed": seed,
            "hardware": f"{_processor()}, {os.cpu_count()} cores",
            "software": ", ".join([f"Python {platform.python_version()}", *made])}
    path = script.with_suffix(".csv")
    text = io.StringIO(newline="")
    text.writelines(f"# {key}: {value}\n" for key, value in head.items())
    table = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    write_all({path: text.getvalue()})
    return path


def read_log(path: Path) -> tuple[dict[str, str], list[dict[str, str]]]:
    """What a log says of its run, and its rows."""
    with open(path, encoding="utf-8", newline="") as file:
        lines = list(file)
    head = list(takewhile(lambda line: line.startswith("# "), lines))
    told = dict(line[2:].rstrip("\n").split(": ", 1) for line in head)
    return told, list(csv.DictReader(lines[len(head):]))


def _processor() -> str:
    """What the processor calls itself."""
    if sys.platform == "linux":
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
