"""``loom doctor``: does everything work here, and what to do where it does not."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from loom.desk.desk import NAME, find_book, find_desk, shown
from loom.desk.shelf import Shelf, read_shelf
from loom.errors import LoomError

if TYPE_CHECKING:
    from loom.cli.screen import Screen

STYLES = {"✓": "green", "!": "yellow", "✗": "red"}
ROOM = 200 << 20  # bytes of disk below which writing is soon a problem


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        sign: ``✓`` works, ``!`` works less well, ``✗`` does not work.
        remedy: what to do, where there is something.
    """

    sign: str
    what: str
    detail: str
    remedy: str = ""


def examine(screen: Screen) -> bool:
    """Look at everything, print each finding as it comes.

    Returns:
        Whether all that is needed works.
    """
    good = True
    for look in (_python, _libraries, _book, _answers, _processes, _watching, _disk,
                 lambda: _terminal(screen)):
        for finding in _safely(look):
            _print(screen, finding)
            good = good and finding.sign != "✗"
    screen.say("")
    screen.text("All that is needed works here." if good else
                "Something does not work: what to do stands beside it.", "bold")
    return good


def _safely(look: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """Findings; a problem on the way is one too."""
    try:
        yield from look()
    except LoomError as error:
        for problem in error.problems:
            where = f"{problem.place}: " if problem.place else ""
            yield Finding("✗", look.__name__.strip("_<>"), where + problem.what, problem.remedy)
    except OSError as error:
        yield Finding("✗", look.__name__.strip("_<>"), str(error), "see that the file is there")


def _print(screen: Screen, finding: Finding) -> None:
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(width=18)
    grid.add_column()
    said = Text(finding.detail)
    if finding.remedy:
        said.append(f"\n→ {finding.remedy}", style="yellow")
    grid.add_row(Text(finding.sign, style=STYLES[finding.sign]), Text(finding.what), said)
    screen.say(grid)


def _python() -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    fits = (3, 11) <= sys.version_info[:2] < (3, 14)
    yield Finding("✓" if fits else "!", "Python", f"{version}, {sys.executable}",
                  "" if fits else "the book is tested with Python 3.11, 3.12 and 3.13")


def _libraries() -> Iterator[Finding]:
    from importlib.metadata import PackageNotFoundError, version

    for name in ("numpy", "torch", "watchfiles"):
        try:
            yield Finding("✓", name, version(name))
        except PackageNotFoundError:
            yield Finding("✗", name, "is not installed in this Python",
                          f"{sys.executable} -m pip install {name}; or make the book's "
                          "environment again, as its README says")


def _book() -> Iterator[Finding]:
    root = find_book()
    shelf = read_shelf(root)
    count = len(shelf.exercises)
    yield Finding("✓" if count else "✗", "book",
                  f"{root}, {count} exercises in {len(shelf.by_chapter)} chapters",
                  "" if count else "they stand in exercises/NN-name.md: is the tree complete?")
    for problem in shelf.broken:
        yield Finding("✗", "exercises", f"{problem.place}: {problem.what}", problem.remedy)
    if count:
        yield _package(shelf)


def _package(shelf: Shelf) -> Finding:
    """Whether ``scratchlm``, as the last exercise sees it, can be imported."""
    exercise = shelf.ready(shelf.exercises[-1])
    run = subprocess.run(
        [sys.executable, "-P", "-c", "import sys; sys.path.insert(0, sys.argv[1]); "
         "import scratchlm; print(scratchlm.__file__)", str(exercise.packages)],
        capture_output=True, text=True, timeout=120, check=False)
    if run.returncode == 0:
        return Finding("✓", "scratchlm", f"as {exercise.id} sees it, in {exercise.packages}")
    said = run.stderr.strip().splitlines() or ["cannot be imported"]
    return Finding("✗", "scratchlm", said[-1],
                   "remove the folder _build/exercises/packages and try again")


def _answers() -> Iterator[Finding]:
    from loom.desk.progress import read_progress

    desk = find_desk(find_book())
    if desk is None:
        yield Finding("!", NAME, "not there yet", "`loom start` makes it")
        return
    writable = os.access(desk.folder, os.W_OK)
    yield Finding("✓" if writable else "✗", NAME, shown(desk.folder),
                  "" if writable else f"you may not write there: ls -ld {shown(desk.folder)}")
    progress = read_progress(desk.folder)
    yield Finding("✓", "progress",
                  f"{sum(r.passed is not None for r in progress.exercises.values())} passed, "
                  f"{len(progress.exercises)} tried, {len(progress.quiz)} questions answered")
    for note in progress.notes:
        yield Finding("!", "progress", note)


def _processes() -> Iterator[Finding]:
    from loom.grade.warm import Warm

    for libraries in (frozenset[str](), frozenset({"torch"})):
        name = " with torch" if libraries else ""
        begun = time.perf_counter()
        with Warm(libraries) as warm:
            warm.ready()
            ready = time.perf_counter()
            warm.worker(seconds=10).close()
            took = time.perf_counter() - ready
            yield Finding("✓", f"process{name}", f"starts in {ready - begun:.2f} s, then "
                          f"{1000 * took:.0f} ms for each answer")
            caged, lacks = warm.caged, warm.lacks
    if caged and not lacks:
        yield Finding("✓", "protection", "each answer runs in namespaces of its own: it sees "
                      "no file of yours and no network")
    else:
        yield Finding("!", "protection", (
            f"namespaces are not complete here: {lacks}" if lacks else
            "namespaces are not available here") + ". Your own answers run with your rights, as "
            "they would in any editor",
            "nothing to do for your own answers; on Ubuntu 24.04 an AppArmor rule forbids "
            "namespaces: sysctl kernel.apparmor_restrict_unprivileged_userns")
    where = shutil.which("bwrap")
    yield Finding("✓", "bubblewrap", where) if where else Finding(
        "!", "bubblewrap", "is not installed; only grading the work of others uses it",
        "apt install bubblewrap (Debian, Ubuntu), dnf install bubblewrap (Fedora)")


def _watching() -> Iterator[Finding]:
    """Whether a saved file is noticed, and how quickly."""
    import threading

    from watchfiles import watch

    with tempfile.TemporaryDirectory(prefix="loom-") as folder:
        path, begun = Path(folder) / "saved.py", 0.0

        def save() -> None:
            nonlocal begun
            time.sleep(0.2)
            begun = time.perf_counter()
            path.write_text("saved\n", encoding="utf-8")

        threading.Thread(target=save, daemon=True).start()
        for changes in watch(folder, step=30, debounce=300, rust_timeout=3000,
                             yield_on_timeout=True):
            took = time.perf_counter() - begun
            if changes:
                yield Finding("✓", "watching files",
                              f"a save is noticed after {1000 * took:.0f} ms")
            else:
                yield Finding("!", "watching files", "a save was not noticed within 3 seconds",
                              "set WATCHFILES_FORCE_POLLING=true (network drives and some "
                              "containers need it); `loom check` works without")
            break


def _disk() -> Iterator[Finding]:
    with suppress(LoomError):
        root = find_book()
        free = shutil.disk_usage(root).free
        yield Finding("✓" if free > ROOM else "!", "disk", f"{free / (1 << 30):.1f} GB free",
                      "" if free > ROOM else "free some space: nothing can be saved without it")


def _terminal(screen: Screen) -> Iterator[Finding]:
    encoding = getattr(sys.stdout, "encoding", None) or "unknown"
    colors = screen.console.color_system or "no colors"
    poor = screen.ascii and not screen.plain
    yield Finding("!" if poor else "✓", "terminal",
                  f"{encoding}, {colors}, {screen.width} columns",
                  "signs are shown in ASCII; export LC_ALL=C.UTF-8 shows them as they are"
                  if poor else "")
