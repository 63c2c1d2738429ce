"""Where a learner's commands write: colors and signs where they can be shown."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.text import Text

    from loom.exercise.roles import Named

SIGNS = "✓✗→·●○█▒░─…"  # what a terminal has to be able to show, or gets ASCII
MOMENT = 0.5  # seconds that nobody has to be told about
WIDEST = 100  # columns; longer lines are hard to read
# What stands for a character in plain ASCII; one column each where columns matter.
PLAIN = str.maketrans({
    "✓": "+", "✗": "x", "→": ">", "·": "-", "●": "*", "○": ".", "█": "#", "▒": "=", "░": ".",
    "─": "-", "…": "...", "×": "x", "–": "-", "—": "-", "“": '"', "”": '"', "‘": "'", "’": "'",
    "−": "-", "•": "*", "▌": "|", "│": "|", "≤": "<=", "≥": ">=", "≠": "!=", "≈": "~",
    "\u00a0": " ", "∞": "inf", "²": "^2", "³": "^3", "½": "1/2", "√": "sqrt", "∑": "sum",
    "∏": "prod", "∈": "in", "⌘": "#", "┃": "|", "━": "-"})


class Screen:
    """Rich output on a terminal, the same words without styles elsewhere.

    Args:
        plain: no styles and only ASCII, whatever the terminal can do.
        file: where to write; the standard output if None.
        width: columns; the terminal's if None.
    """

    def __init__(self, plain: bool = False, file: IO[str] | None = None,
                 width: int | None = None) -> None:
        from rich.console import Console

        target = file if file is not None else sys.stdout
        self.plain, self.ascii = plain, plain or not _shows_signs(target)
        bare = plain or bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb" \
            or (file is not None and not file.isatty())
        if width is None and not target.isatty() and "COLUMNS" not in os.environ:
            width = WIDEST
        shown: Any = _Ascii(target) if self.ascii else target
        self.console: Console = Console(
            file=shown, width=width, highlight=False, markup=False, emoji=False,
            force_jupyter=False, color_system=None if bare else "auto")
        self.console.width = max(40, min(self.console.width, WIDEST))
        self.styled = self.console.color_system is not None

    @property
    def width(self) -> int:
        """The columns that a line may fill."""
        return self.console.width

    def say(self, *what: RenderableType) -> None:
        """Print, each thing on a line of its own; without arguments, an empty line."""
        for one in what or ("",):
            if self.styled:
                self.console.print(one)
                continue
            with self.console.capture() as shown:
                self.console.print(one)
            self.console.file.write(re.sub(r"[ \t]+$", "", shown.get(), flags=re.MULTILINE))

    @contextmanager
    def busy(self, what: str) -> Iterator[None]:
        """Say what is being waited for, if it takes longer than a moment."""
        if not self.styled:
            yield
            return
        import threading

        from rich.text import Text

        status = self.console.status(Text(what, style="dim"))
        timer = threading.Timer(MOMENT, status.start)
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join()
            status.stop()

    def verbatim(self, line: str) -> None:
        """A line as it is, without wrapping."""
        from rich.text import Text

        self.console.print(Text(line.rstrip()), soft_wrap=True)

    def rule(self, what: str) -> None:
        """A line across the screen, with a word at its left."""
        from rich.text import Text

        line = "─" * max(0, min(self.width, 60) - len(what) - 4)
        self.say(Text(f"── {what} {line}", style="dim"))

    def myst(self, text: str, named: Named, indent: int = 0) -> None:
        """A text of the book's; ``named`` gives the titles of labels."""
        from loom.cli.myst import show_myst

        show_myst(self, text, named, indent)

    def code(self, source: str, indent: int = 0) -> None:
        """Python, in colors where there are any."""
        from loom.cli.myst import show_code

        show_code(self, source, indent)

    def row(self, left: str | Text, right: str | Text = "", indent: int = 0) -> None:
        """A line with something at its right edge."""
        from rich.table import Table

        grid = Table.grid(expand=True, padding=(0, 2, 0, 0), pad_edge=False)
        grid.add_column(ratio=1)
        grid.add_column(justify="right", no_wrap=True)
        grid.add_row(left, right)
        self.say(_pushed(grid, indent, expand=True))

    def text(self, what: str, style: str = "", indent: int = 0, hang: int = 0) -> None:
        """Text, wrapped; further lines stand ``hang`` columns deeper."""
        from rich.table import Table
        from rich.text import Text

        if not hang:
            self.say(_pushed(Text(what, style=style), indent))
            return
        grid = Table.grid(padding=0)
        grid.add_column(width=hang, no_wrap=True)
        grid.add_column()
        grid.add_row(Text(what[:hang], style=style), Text(what[hang:], style=style))
        self.say(_pushed(grid, indent))


def _pushed(what: RenderableType, indent: int, expand: bool = False) -> RenderableType:
    from rich.padding import Padding

    return Padding(what, (0, 0, 0, indent), expand=expand) if indent else what


def _shows_signs(target: IO[str]) -> bool:
    try:
        SIGNS.encode(getattr(target, "encoding", None) or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def to_ascii(text: str) -> str:
    """The text in ASCII: signs by their likes, letters by number.

    Letters are what a case is about, more often than not: ``é`` is no ``e`` there.
    """
    return text.translate(PLAIN).encode("ascii", "backslashreplace").decode()


class _Ascii:
    """A file that is handed everything in ASCII."""

    encoding = "ascii"

    def __init__(self, target: IO[str]) -> None:
        self.target = target

    def write(self, text: str) -> int:
        return self.target.write(to_ascii(text))

    def flush(self) -> None:
        self.target.flush()

    def isatty(self) -> bool:
        return self.target.isatty()

    def fileno(self) -> int:
        return self.target.fileno()
