"""The kernel of one chapter: ``python -m loom.run.kernel -f CONNECTION``.

The runner says in a file, named by ``LOOM_KERNEL``, what holds inside: the
folder to work in, the package as of the chapter before, the memory. The cells
themselves are never changed. Standard library and ipykernel only.
"""

from __future__ import annotations

import faulthandler
import importlib.abc
import importlib.machinery
import json
import os
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

from loom.run.identity import PACKAGE, Homes

CELL = "<cell {number}>"  # the file name of a cell's code, the same in every run


class Before(importlib.abc.MetaPathFinder):
    """Finds the package as of the chapter before, wherever else one may be.

    A finder and not an entry of ``sys.path``: a spawned process takes over
    the path, and is to see the package as of this chapter.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def find_spec(self, name: str, path: Sequence[str] | None,
                  target: ModuleType | None = None) -> importlib.machinery.ModuleSpec | None:
        if name != PACKAGE:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, [self.folder])
        if spec is None:
            raise ModuleNotFoundError(f"the snapshot in {self.folder} has no {name}", name=name)
        return spec


class Watch:
    """Tells the runner which cell is at work, what it loaded and how it failed."""

    def __init__(self, folder: Path, homes: Homes) -> None:
        self.folder = folder
        self.homes = homes
        self.number = 0

    def before_cell(self, info: Any) -> None:
        self.number += 1
        self._tell("cell", self.number)

    def after_cell(self, result: Any) -> None:
        loaded = sorted(name for name in list(sys.modules) if name not in self.homes.made
                        and (name == PACKAGE or name.startswith(PACKAGE + ".")))
        self._tell("modules", loaded)
        error = result.error_before_exec or result.error_in_exec
        if error is not None:
            self._tell(f"error-{self.number}", _told(error))

    def _tell(self, what: str, value: object) -> None:
        path = self.folder / f"{what}.json"
        temporary = path.with_suffix(".tmp")
        temporary.write_text(json.dumps(value), encoding="utf-8")
        os.replace(temporary, path)


def _told(error: BaseException) -> list[dict[str, Any]]:
    """An exception and what caused it, the oldest first, with its frames as data."""
    chain: list[dict[str, Any]] = []
    seen: set[int] = set()
    link: str | None = None
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        frames = [{"file": f.filename, "line": f.lineno, "name": f.name, "text": f.line or ""}
                  for f in traceback.extract_tb(current.__traceback__)]
        first = next((n for n, f in enumerate(frames) if str(f["file"]).startswith("<cell ")),
                     0 if not frames else len(frames))
        frames = frames[first:]
        if isinstance(current, SyntaxError):
            frames.append({"file": current.filename, "line": current.lineno, "name": "<module>",
                           "text": (current.text or "").rstrip()})
        message = "".join(traceback.format_exception_only(type(current), current))
        if isinstance(current, SyntaxError):
            message = f"{type(current).__name__}: {current.msg}"
        chain.append({"error": message.strip(), "frames": frames, "then": link})
        if current.__cause__ is not None:
            link, current = "the cause of", current.__cause__
        elif current.__context__ is not None and not current.__suppress_context__:
            link, current = "handled when there came", current.__context__
        else:
            current = None
    return chain[::-1]


def _limit_memory(limit: int) -> None:
    """Allocations over the limit fail, where the system knows how (Linux)."""
    with suppress(ImportError, OSError, ValueError):
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        if hard != resource.RLIM_INFINITY:
            limit = min(limit, hard)
        resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))


def main() -> None:
    """Start the kernel and serve it until it is shut down."""
    orders = json.loads(Path(os.environ["LOOM_KERNEL"]).read_text(encoding="utf-8"))
    if sys.path and sys.path[0] in ("", os.getcwd()):
        del sys.path[0]
    os.chdir(orders["work"])
    sys.meta_path.insert(0, Before(orders["before"]))
    _limit_memory(orders["memory"])

    from ipykernel.kernelapp import IPKernelApp
    from traitlets.config import Config

    config = Config()
    config.InlineBackend.figure_formats = {"svg"}
    config.InlineBackend.print_figure_kwargs = {"bbox_inches": "tight",
                                                "metadata": {"Date": None}}
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "nocolor"
    app: Any = IPKernelApp.instance(config=config)
    app.initialize(sys.argv[1:])
    faulthandler.enable((Path(orders["reports"]) / "crash.txt").open("w"), all_threads=False)
    shell = app.shell
    homes = Homes(orders["homes"], shell.user_ns)
    watch = Watch(Path(orders["reports"]), homes)
    shell.compile.get_code_name = lambda raw, code, number: CELL.format(number=watch.number)
    shell.events.register("pre_run_cell", watch.before_cell)
    shell.events.register("post_run_cell", homes.after_cell)
    shell.events.register("post_run_cell", watch.after_cell)
    app.start()


if __name__ == "__main__":
    main()
