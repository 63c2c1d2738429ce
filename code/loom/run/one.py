"""One chapter's run: its worker process, its folders, and what becomes of its outputs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import time
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any

from loom.book.chapter import Chapter
from loom.errors import LoomError, Place, Problem
from loom.files import told
from loom.run.environment import Limits, Room
from loom.run.keys import home
from loom.run.notebook import differing, tidy, to_run, verbose
from loom.run.package import Snapshots
from loom.run.products import Bench, is_made, lacking
from loom.run.report import Failure, Finder
from loom.run.store import Store
from loom.tangle.imports import dotted

OVERHEAD = 150.0  # seconds a worker may need beside its cells: start, and end by force


class Run:
    """A chapter that runs.

    Args:
        store: where its outputs go.
        snapshots: the package that it sees.
        chapter: the chapter.
        folder: a new folder for it to work in.
        limits: what it may take.
    """

    def __init__(self, store: Store, snapshots: Snapshots, chapter: Chapter, folder: Path,
                 limits: Limits) -> None:
        self.store = store
        self.snapshots = snapshots
        self.chapter = chapter
        self.limits = limits
        self.room = Room(folder)
        keys = store.keys
        self.bench = Bench(chapter, keys.key(chapter), {
            need: keys.key(keys.maker(chapter, need)) for need in chapter.needs})
        self.differences: list[Problem] = []
        self.seconds = 0.0
        self._process: subprocess.Popen[bytes] | None = None
        self._started = 0.0

    def start(self) -> None:
        """Start the worker.

        Raises:
            LoomError: a folder cannot be written, a needed product is not there.
        """
        import nbformat

        for need, path in self.bench.needs.items():
            if not is_made(need, path.name):
                raise lacking(self.chapter, need, self.store.keys.maker(self.chapter, need))
        chapter_limit, cell_limit = self.limits.seconds(self.chapter)
        homes = {cell.source: {"module": home(cell), "replaces": list(cell.replaces)}
                 for cell in self.chapter.cells if cell.target}
        try:
            self.room.prepare(self.snapshots.before(self.chapter),
                              self.snapshots.after(self.chapter), homes, self.limits.memory)
            self.bench.set_out(self.room.products)
            nbformat.write(to_run(self.chapter), str(self.room.notebook))  # type: ignore[no-untyped-call]
            task = self.room.folder / "task.json"
            task.write_text(json.dumps({
                "notebook": str(self.room.notebook), "executed": str(self._executed),
                "reports": str(self.room.reports), "chapter_limit": chapter_limit,
                "cell_limit": cell_limit, "memory_limit": self.limits.memory,
                "runner": os.getpid()}), encoding="utf-8")
            with (self.room.reports / "log.txt").open("wb") as log:
                self._started = time.monotonic()
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "loom.run.worker", str(task)], cwd=self.room.folder,
                    env=self.room.environment(self.store.book.root), stdin=subprocess.DEVNULL,
                    stdout=log, stderr=log, start_new_session=True)
        except OSError as error:
            raise told(error, self.room.folder) from error

    @property
    def _executed(self) -> Path:
        return self.room.folder / "executed.ipynb"

    def cell(self) -> int:
        """The number of the cell at work, from 1; 0 before the first."""
        with suppress(OSError, ValueError):
            return int(json.loads((self.room.reports / "cell.json").read_text(encoding="utf-8")))
        return 0

    def ended(self) -> bool:
        """Whether the worker is done; one that hangs is ended here."""
        assert self._process is not None
        if self._process.poll() is not None:
            return True
        whole, _ = self.limits.seconds(self.chapter)
        if time.monotonic() - self._started > whole + OVERHEAD:
            self._end_processes()
        return False

    def finish(self) -> list[Problem]:
        """Keep what the run gave.

        Returns:
            Why it gave nothing, if so.
        """
        try:
            self._end_processes()
            said = self._said()
            self.seconds = said["seconds"]
            failed = said["failing"] is not None or said["verdict"] or self._error_untold()
            problems = [self._failure(said).problem()] if failed \
                else [*self._hidden_imports(), *self.bench.problems()]
            return problems or self._keep()
        except LoomError as error:
            return error.problems
        finally:
            self.bench.clear()
            shutil.rmtree(self.room.folder, ignore_errors=True)

    def kill(self) -> None:
        """End everything at once, keep nothing."""
        self._end_processes()
        self.bench.clear()
        shutil.rmtree(self.room.folder, ignore_errors=True)

    def _said(self) -> dict[str, Any]:
        try:
            said: dict[str, Any] = json.loads(
                (self.room.reports / "result.json").read_text(encoding="utf-8"))
            return said
        except (OSError, ValueError):
            return {"failing": -1, "summary": "the worker ended without a word", "verdict": None,
                    "peak": 0, "seconds": time.monotonic() - self._started}

    def _error_untold(self) -> bool:
        """Whether a cell ended in an error that nbmake takes for none, such as SystemExit."""
        last = self.cell()
        expected = self.chapter.cells[last - 1].tags
        return (self.room.reports / f"error-{last}.json").is_file() \
            and "raises-exception" not in expected

    def _failure(self, said: dict[str, Any]) -> Failure:
        return Failure(self.chapter, self.room.reports, said, self.limits,
                       [self.snapshots.before(self.chapter), self.snapshots.after(self.chapter)],
                       self._finder())

    def _finder(self) -> Finder:
        """From a line of the package before this chapter to the chapter it is from."""
        tangled = self.snapshots.tangled(self.chapter.position)

        def find(module: str, line: int) -> Place | None:
            return tangled.origin(PurePosixPath(module), line)

        return find

    def _hidden_imports(self) -> list[Problem]:
        """Modules that were loaded and that the key does not know of."""
        known = {dotted(path) for path in self.store.keys.modules(self.chapter)}
        loaded: set[str] = set()
        with suppress(OSError, ValueError):
            loaded = set(json.loads(
                (self.room.reports / "modules.json").read_text(encoding="utf-8")))
        return [Problem(Place(self.chapter.path),
                        f"its cells load `{name}` without naming it",
                        "import it with an import statement, or name it in a comment: what is "
                        "named nowhere cannot make the outputs stale when it changes")
                for name in sorted(loaded - known)]

    def _keep(self) -> list[Problem]:
        """Store the outputs, if they are fit for the book."""
        import nbformat

        notebook = nbformat.read(str(self._executed), as_version=4)  # type: ignore[no-untyped-call]
        tidy(notebook, self._names())
        problems = verbose(self.chapter, notebook)
        if problems:
            return problems
        old = self.store.load(self.chapter)
        self.bench.publish()
        self.store.save(self.chapter, notebook, self.seconds)
        for index in differing(self.chapter, old.notebook, notebook) if old else ():
            cell = self.chapter.cells[index]
            self.differences.append(Problem(
                cell.place(), f"cell {index + 1} gave another output than last time, from the "
                "same code", "seed it, or tag it `varies` if its output depends on the machine"))
        return []

    def _names(self) -> dict[str, str]:
        """What the folders of this run are called in the outputs, the longest first."""
        inside = [self.snapshots.before(self.chapter), self.snapshots.after(self.chapter),
                  *(Path(sysconfig.get_path(name)) for name in ("purelib", "stdlib")),
                  self.room.work]
        names = {f"{folder}{os.sep}": "" for folder in inside}
        names |= {str(self.room.work): ".", str(self.room.products): "$SCRATCHLM_PRODUCTS",
                  str(self.room.folder / "tmp"): "/tmp", str(self.store.book.root): "$LOOM_ROOT"}
        return dict(sorted(names.items(), key=lambda item: -len(item[0])))

    def _end_processes(self) -> None:
        """Kill the worker and all that it or its cells started, orphans too."""
        import psutil  # type: ignore[import-untyped]

        if self._process is not None and self._process.poll() is None:
            below: list[psutil.Process] = []
            with suppress(psutil.Error):
                below = psutil.Process(self._process.pid).children(recursive=True)
            self._process.kill()
            for child in below:
                with suppress(psutil.Error):
                    child.kill()
            self._process.wait()
        mark = str(self.room.folder)
        for other in psutil.process_iter():
            with suppress(psutil.Error, OSError):
                if other.environ().get("LOOM_RUN") == mark:
                    other.kill()
