"""One chapter under nbmake, in a process of its own: ``python -m loom.run.worker``.

A second thread watches the clock, the memory of all the chapter's processes,
and whether the runner is still there.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

TICK = 0.2  # seconds between two looks
LAST = 20  # printed lines of a failing cell that its report shows
WIDEST = 200  # columns of them
GRACE = 5.0  # seconds from an interrupt to the kernel's end


class Watchman(threading.Thread):
    """Interrupts a kernel that is over its time or memory, then ends it.

    Args:
        reports: where the kernel says which cell is at work.
        chapter_limit: seconds for all cells.
        cell_limit: seconds for one.
        memory_limit: bytes, for all processes of the chapter together.
        runner: the process that waits for the chapter; without it, all ends.
    """

    def __init__(self, reports: Path, chapter_limit: float, cell_limit: float,
                 memory_limit: int, runner: int) -> None:
        super().__init__(daemon=True)
        self.reports = reports
        self.chapter_limit = chapter_limit
        self.cell_limit = cell_limit
        self.memory_limit = memory_limit
        self.verdict: str | None = None  # "chapter", "cell" or "memory"
        self.peak = 0
        self.started: float | None = None  # when the first cell began
        self.runner = runner

    def run(self) -> None:
        struck: float | None = None
        while True:
            time.sleep(TICK)
            if os.getppid() != self.runner:
                kill_descendants()
                os._exit(1)
            if struck is None:
                self.verdict = self._judge()
                if self.verdict:
                    struck = time.monotonic()
                    _interrupt(and_children=self.verdict == "memory")
            elif time.monotonic() - struck > 3 * GRACE:  # we are buried in what it printed
                seconds = time.monotonic() - (self.started or struck)
                _report(self.reports, failing=-1, summary="it printed without end",
                        verdict=self.verdict, peak=self.peak, seconds=seconds)
                os._exit(1)
            elif time.monotonic() - struck > GRACE or memory_used() > 1.25 * self.memory_limit:
                kill_descendants()

    def _judge(self) -> str | None:
        self.peak = max(self.peak, memory_used())
        if self.peak > self.memory_limit:
            return "memory"
        with suppress(OSError):
            since = time.time() - (self.reports / "cell.json").stat().st_mtime
            if self.started is None:
                self.started = time.monotonic() - since
            if time.monotonic() - self.started > self.chapter_limit:
                return "chapter"
            if since > self.cell_limit:
                return "cell"
        return None


def _descendants() -> list[Any]:
    import psutil  # type: ignore[import-untyped]

    with suppress(psutil.Error):
        return list(psutil.Process().children(recursive=True))
    return []


def memory_used() -> int:
    """Bytes that this process and all below it hold for themselves."""
    import psutil

    total = 0
    for process in [psutil.Process(), *_descendants()]:
        with suppress(psutil.Error):
            memory = process.memory_info()
            total += memory.rss - getattr(memory, "shared", 0)
    return total


def _interrupt(and_children: bool) -> None:
    """As Ctrl-C in the kernel: the traceback says where it was.

    Args:
        and_children: end at once what the cells started, which holds memory.
    """
    import psutil

    with suppress(psutil.Error, OSError):
        for kernel in psutil.Process().children():
            kernel.send_signal(signal.SIGINT)
            for child in kernel.children(recursive=True) if and_children else ():
                child.kill()


def kill_descendants() -> None:
    """End the kernel and everything that the cells started."""
    import psutil

    for process in _descendants():
        with suppress(psutil.Error):
            process.kill()


def _report(reports: Path, **said: Any) -> None:
    """Tell the runner how it went."""
    (reports / "result.json").write_text(json.dumps(said), encoding="utf-8")


def _printed(cell: Any) -> list[str]:
    """The last lines that a cell printed before it failed."""
    text = "".join(output.text for output in cell.outputs if output.output_type == "stream")
    lines = text.rstrip().split("\n")[-LAST:] if text.strip() else []
    return [line if len(line) <= WIDEST else f"{line[:WIDEST]} …" for line in lines]


def main() -> None:
    """Run the notebook that the task in ``sys.argv[1]`` names; say how it went."""
    task = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    from nbmake.nb_run import NotebookRun  # type: ignore[import-untyped]

    from loom.run.environment import KERNEL

    notebook, reports = Path(task["notebook"]), Path(task["reports"])
    watchman = Watchman(reports, task["chapter_limit"], task["cell_limit"], task["memory_limit"],
                        task["runner"])
    watchman.start()
    run = NotebookRun(notebook, int(task["chapter_limit"] + 2 * GRACE + 1), kernel=KERNEL)
    said: dict[str, Any] = {"failing": None, "summary": None}
    started = time.monotonic()
    try:
        result = run.execute()
        if result.error is not None:
            said.update(failing=result.error.failing_cell_index, summary=result.error.summary,
                        printed=_printed(result.nb.cells[result.error.failing_cell_index]))
        else:
            import nbformat

            nbformat.write(result.nb, task["executed"])  # type: ignore[no-untyped-call]
    except Exception as error:  # a kernel that died, or would not start
        said.update(failing=-1, summary=f"{type(error).__name__}: {error}")
    seconds = time.monotonic() - (watchman.started or started)
    kill_descendants()
    _report(reports, verdict=watchman.verdict, peak=watchman.peak, seconds=seconds, **said)


if __name__ == "__main__":
    main()
