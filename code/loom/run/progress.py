"""What runs, for how long, and how long it took last time."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol

from loom.book.chapter import Chapter

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import TaskID


class Display(Protocol):
    """Shows a run; chapters are told apart by their names."""

    def __enter__(self) -> Display: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None: ...

    def start(self, chapter: Chapter, last: float | None) -> None:
        """A chapter starts, which took ``last`` seconds last time."""

    def cell(self, chapter: Chapter, number: int) -> None:
        """Its cell of this number, from 1, is at work."""

    def end(self, chapter: Chapter, said: str) -> None:
        """It ended, and how."""


class Plain:
    """One line when a chapter starts and one when it ends: for pipes and logs."""

    def __enter__(self) -> Plain:
        return self

    def __exit__(self, *what: object) -> None:
        pass

    def start(self, chapter: Chapter, last: float | None) -> None:
        before = "" if last is None else f" (last time {last:.1f} s)"
        count = len(chapter.cells)
        self._say(f"{chapter.name}: running {count} cell{'s' * (count != 1)}{before}")

    def cell(self, chapter: Chapter, number: int) -> None:
        pass

    def end(self, chapter: Chapter, said: str) -> None:
        self._say(f"{chapter.name}: {said}")

    def _say(self, line: str) -> None:
        print(line, flush=True)


class Live:
    """A bar for each chapter that runs, for terminals.

    Args:
        console: rich's console; that of the standard output if None.
    """

    def __init__(self, console: Console | None = None) -> None:
        from rich.progress import (
            BarColumn,
            Progress,
            SpinnerColumn,
            TextColumn,
            TimeElapsedColumn,
        )

        self.progress = Progress(
            SpinnerColumn("line"), TextColumn("{task.description}"), BarColumn(24),
            TextColumn("{task.fields[cell]}"), TimeElapsedColumn(),
            TextColumn("{task.fields[last]}", style="dim"), console=console, transient=True)
        self.tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Live:
        self.progress.start()
        return self

    def __exit__(self, *what: object) -> None:
        self.progress.stop()

    def start(self, chapter: Chapter, last: float | None) -> None:
        said = "first run" if last is None else f"last time {_clock(last)}"
        self.tasks[chapter.name] = self.progress.add_task(
            chapter.name, total=len(chapter.cells), cell="starting", last=said)

    def cell(self, chapter: Chapter, number: int) -> None:
        self.progress.update(self.tasks[chapter.name], completed=number - 1,
                             cell=f"cell {number} of {len(chapter.cells)}")

    def end(self, chapter: Chapter, said: str) -> None:
        self.progress.remove_task(self.tasks.pop(chapter.name))
        self.progress.refresh()
        self.progress.console.print(f"{chapter.name}: {said}", markup=False, highlight=False)


def display() -> Display:
    """The display that suits where the output goes."""
    import sys

    shown: Any = Live() if sys.stdout.isatty() else Plain()
    return shown  # type: ignore[no-any-return]


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 3600}:{int(seconds) // 60 % 60:02}:{int(seconds) % 60:02}"
