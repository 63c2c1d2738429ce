"""A failed run, told in terms of the chapter: section, line, cell, traceback."""

from __future__ import annotations

import json
import re
import sysconfig
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loom.book.chapter import Cell, Chapter
from loom.book.toc import PACKAGE
from loom.errors import Place, Problem
from loom.run.environment import GIB, Limits

ENDS = 12  # calls that a long traceback shows, of the oldest and of the newest
AROUND = 6  # lines of the cell above and below the failing one
SLOW = "on a slow machine, `LOOM_PATIENCE=10 loom run` waits longer"
# What to do about an exception, by a part of what it says.
REMEDIES = (
    ("StdinNotImplementedError", "nobody is there to answer: write the value into the cell"),
    ("SystemExit", "let the cell end by itself"),
    ("ModuleNotFoundError", "mend the name; what the book is to use stands in pyproject.toml "
                            "and requirements.lock"),
    ("no network", ""),  # the message says it
    ("", "mend the cell and run again"),
)
NOISE = ("[IPKernelApp] WARNING", "[NbClientApp]")  # said of every kernel
Finder = Callable[[str, int], Place | None]  # module within the package, line → chapter's line


@dataclass(frozen=True)
class Failure:
    """What the worker and the kernel left behind.

    Attributes:
        chapter: the chapter that ran.
        reports: the folder of their reports.
        said: the worker's result: ``verdict``, ``failing``, ``summary``, ``peak``, and
            ``printed``, the last lines of the failing cell's output.
        limits: what the chapter was allowed.
        snapshots: folders of the packages that the chapter saw.
        find: from a line of such a package to the chapter that it is from.
    """

    chapter: Chapter
    reports: Path
    said: dict[str, Any]
    limits: Limits
    snapshots: Sequence[Path]
    find: Finder

    def problem(self) -> Problem:
        """The failure as one problem with its place."""
        cell = self._cell()
        if cell is None:
            return Problem(Place(self.chapter.path), f"did not start: {self.said['summary']}",
                           self._log() or "see that `python -m ipykernel --version` works")
        chain = self._chain()
        frames = chain[-1]["frames"] if chain else []
        own = [f for f in frames if f["file"] == self._file(cell) and f["line"]]
        line = own[0]["line"] if own else self._crashed_at(cell)
        what, remedy = self._verdict(chain)
        parts = [what, f"    {self._where(cell)}", *_listing(cell, line)]
        if self.said.get("printed"):
            parts += ["    it had printed:", *(f"      {line}" for line in self.said["printed"])]
        if chain and (len(chain) > 1 or len(frames) > 1):
            parts += ["    traceback, the newest call last:", *self._traceback(chain)]
        return Problem(cell.place(line or 1), "\n".join(parts), remedy)

    def _verdict(self, chain: list[dict[str, Any]]) -> tuple[str, str]:
        """What went wrong, and what to do."""
        whole, one = self.limits.seconds(self.chapter)
        memory = f"{self.limits.memory / GIB:.3g} GiB"
        patience = f"× patience {self.limits.patience:g}"
        verdict = self.said["verdict"]
        if verdict == "chapter":
            return (f"the chapter ran out of time: its cells may take {whole:g} s together "
                    f"({whole / self.limits.patience:g} s {patience})",
                    f"make its experiments smaller; {SLOW}")
        if verdict == "cell":
            return (f"this cell ran out of time: a cell may take {one:g} s "
                    f"({one / self.limits.patience:g} s {patience})",
                    f"make its experiment smaller, or cut the cell in two; {SLOW}")
        if verdict == "memory":
            return (f"the chapter ran out of memory: all its processes together may hold {memory}, "
                    f"and held {self.said['peak'] / GIB:.2f} GiB", "make the experiment smaller")
        if not chain:
            log = self._log()
            return (f"the kernel died ({self.said['summary']}); the chapter's processes held at "
                    f"most {self.said['peak'] / GIB:.2f} GiB",
                    "look for a crash in compiled code, or `os._exit`, in this cell"
                    + (f"; its last words:\n      {log}" if log else ""))
        error = str(chain[-1]["error"])
        out_of_memory = error.startswith("MemoryError") or "Unable to allocate" in error \
            or "allocate memory" in error or "bad_alloc" in error
        if out_of_memory:
            return (f"{error}\n    out of memory: a chapter may take {memory}",
                    "make the experiment smaller")
        return error, next(remedy for pattern, remedy in REMEDIES if pattern in error)

    def _cell(self) -> Cell | None:
        """The cell that was at work; None if none ever began."""
        number = 0
        with suppress(OSError, ValueError):
            number = json.loads((self.reports / "cell.json").read_text(encoding="utf-8"))
        return self.chapter.cells[number - 1] if number else None

    def _chain(self) -> list[dict[str, Any]]:
        """The exceptions, the one that ended the cell last."""
        with suppress(OSError, ValueError):
            number = json.loads((self.reports / "cell.json").read_text(encoding="utf-8"))
            path = self.reports / f"error-{number}.json"
            chain: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
            return chain
        return []

    def _file(self, cell: Cell) -> str:
        return f"<cell {self.chapter.cells.index(cell) + 1}>"

    def _where(self, cell: Cell) -> str:
        number = f"chapter {self.chapter.number}" if self.chapter.number is not None \
            else self.chapter.name
        section = f", section “{cell.section.title}” (line {cell.section.line})" \
            if cell.section.level > 1 else ""
        return (f"{number}, “{self.chapter.title}”{section}, "
                f"cell {cell.index + 1} of {len(self.chapter.cells)}:")

    def _traceback(self, chain: list[dict[str, Any]]) -> list[str]:
        lines = []
        for one in chain:
            frames = one["frames"]
            for number, frame in enumerate(frames):
                if ENDS <= number < len(frames) - ENDS:
                    if number == ENDS:
                        lines.append(f"      … {len(frames) - 2 * ENDS} more calls")
                    continue
                name = "" if frame["name"].startswith("<module") else f" in {frame['name']}"
                lines.append(f"      {self._frame(frame['file'], frame['line'])}{name}")
                if frame["text"].strip():
                    lines.append(f"          {frame['text'].strip()}")
            lines += [f"      {line}" for line in str(one["error"]).split("\n")]
            if one["then"]:
                lines.append(f"    which was {one['then']}:")
        return lines

    def _frame(self, file: str, line: int | None) -> str:
        """A frame's place, in the chapter wherever it is from there."""
        if file.startswith("<cell ") and line:
            cell = self.chapter.cells[int(file[6:-1]) - 1]
            return str(cell.place(line))
        for folder in self.snapshots:
            if Path(file).is_relative_to(folder) and line:
                module = Path(file).relative_to(folder)
                place = self.find(module.relative_to(PACKAGE).as_posix(), line)
                return f"{place} (code/{module})" if place else f"code/{module}"
        for name in ("purelib", "platlib", "stdlib"):
            folder = Path(sysconfig.get_path(name))
            if Path(file).is_relative_to(folder):
                return f"{Path(file).relative_to(folder)}:{line}"
        return f"{file}:{line}"

    def _log(self) -> str:
        """The last lines that the worker and the kernel wrote."""
        text = self._text("log.txt").strip() + "\n" + self._text("crash.txt").partition("\n\n")[0]
        lines = [line for line in text.strip().split("\n") if not line.startswith(NOISE)]
        return "\n      ".join(lines[-12:])

    def _crashed_at(self, cell: Cell) -> int | None:
        """The line of the cell in which compiled code brought the kernel down."""
        pattern = rf'File "{re.escape(self._file(cell))}", line (\d+)'
        lines = re.findall(pattern, self._text("crash.txt"))
        return int(lines[-1]) if lines else None

    def _text(self, name: str) -> str:
        with suppress(OSError):
            return (self.reports / name).read_text(encoding="utf-8", errors="replace")
        return ""


def _listing(cell: Cell, line: int | None) -> list[str]:
    """The cell with the chapter's line numbers; around the failing line if it is long."""
    lines = cell.source.split("\n")
    first, last = 1, len(lines)
    if line is not None and last > 2 * AROUND + 1:
        first, last = max(1, line - AROUND), min(last, line + AROUND)
    shown = []
    for number in range(first, min(last, first + 4 * AROUND) + 1):
        mark = ">" if number == line else " "
        shown.append(f"    {mark} {cell.line + number - 1:4} | {lines[number - 1]}".rstrip())
    return shown
