"""A real corpus."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import rich.progress as bars
from rich.console import Console


# § sec-real-processes
def decode_at(raw: bytes, at: int, path: Path, errors: str) -> str:
    """Text from the bytes that stand at position ``at`` of a file.

    Raises:
        ValueError: they are not UTF-8; it names the byte in the file.
    """
    try:
        return raw.decode("utf-8", errors)
    except UnicodeDecodeError as error:
        cut_off = error.end == len(raw) and "end of data" in error.reason
        raise ValueError(
            f"{path} is not UTF-8 at byte {at + error.start}: "
            + ("it ends inside a character" if cut_off else error.reason)
            + '; errors="replace" reads it all the same') from None


Tell = Callable[[int], None]  # is told how much is done


@contextmanager
def progress_bar(what: str, total: int, unit: str = "") -> Iterator[Tell]:
    """A progress bar on a terminal; call what it gives with what is done.

    Args:
        what: stands before the bar.
        total: what is to be done.
        unit: "bytes" shows size and speed, too.
    """
    columns = [bars.TextColumn(what), bars.BarColumn(),
               bars.DownloadColumn() if unit else bars.MofNCompleteColumn()]
    columns += [bars.TransferSpeedColumn()] if unit else []
    with bars.Progress(*columns, bars.TimeRemainingColumn(),
                       console=Console(stderr=True), transient=True,
                       disable=not sys.stderr.isatty()) as shown:
        task = shown.add_task("", total=total)
        yield lambda done: shown.update(task, completed=done)
