"""What a chapter runs in: limits, variables, folders. The same on every machine."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loom.book.chapter import Chapter
from loom.errors import fail

GIB = 1024 ** 3
KERNEL = "loom"  # the name of the kernel specification that the runner provides
LOOK = "book/matplotlibrc"  # relative to the book's root
# Variables that never reach a chapter: what it says must not depend on them.
FOREIGN = ("PYTHON", "JUPYTER", "JPY_", "IPYTHON", "IPYKERNEL", "MPL", "MATPLOTLIB", "PYTEST",
           "COVERAGE", "LOOM_", "SCRATCHLM_DATA")
THREADS = 2  # the book promises two cores; sums depend on how they are split


@dataclass(frozen=True)
class Limits:
    """What a chapter may take, before the headroom for slow machines.

    Attributes:
        chapter: seconds for all cells of a chapter.
        maker: the same, where the chapter makes a product.
        cell: seconds for one cell of a chapter that makes nothing.
        memory: bytes, all processes of the chapter together.
        patience: the factor on all times; this machine may be slow.
    """

    chapter: float = 90
    maker: float = 240
    cell: float = 60
    memory: int = 4 * GIB
    patience: float = 3

    @classmethod
    def from_environment(cls) -> Limits:
        """The book's limits, with the patience that ``LOOM_PATIENCE`` asks for."""
        said = os.environ.get("LOOM_PATIENCE")
        if said is None:
            return cls()
        try:
            patience = float(said)
            if not 0 < patience < 1e6:
                raise ValueError
        except ValueError:
            raise fail(f"LOOM_PATIENCE={said} is not a positive number",
                       "set it to how many times slower than the book's this machine may be, "
                       "such as 10") from None
        return cls(patience=patience)

    def seconds(self, chapter: Chapter) -> tuple[float, float]:
        """Limits for (the whole chapter, one cell), in seconds, patience included."""
        whole = self.maker if chapter.makes else self.chapter
        one = whole if chapter.makes else min(self.cell, whole)
        return whole * self.patience, one * self.patience


@dataclass(frozen=True)
class Room:
    """The folders of one run, all below one temporary folder."""

    folder: Path

    @property
    def work(self) -> Path:
        """Where the cells work: empty but for the data that the chapter names."""
        return self.folder / "work"

    @property
    def reports(self) -> Path:
        """What kernel and worker tell the runner."""
        return self.folder / "reports"

    @property
    def products(self) -> Path:
        return self.folder / "products"

    @property
    def notebook(self) -> Path:
        return self.folder / "chapter.ipynb"

    @property
    def orders(self) -> Path:
        return self.folder / "orders.json"

    def prepare(self, before: Path, after: Path, homes: Mapping[str, Any], memory: int) -> None:
        """Make the folders, the kernel's specification and its orders.

        Args:
            before: folder that holds the package as of the chapter before.
            after: folder that holds the package as of this chapter.
            homes: see ``loom.run.identity.Homes``.
            memory: bytes that one process may allocate.
        """
        for folder in (self.work, self.reports, self.products, self.folder / "tmp",
                       self.folder / "children", self.folder / "kernels" / KERNEL):
            folder.mkdir(parents=True, exist_ok=True)
        self.orders.write_text(json.dumps({
            "work": str(self.work), "reports": str(self.reports), "before": str(before),
            "homes": dict(homes), "memory": memory}), encoding="utf-8")
        guard = Path(__file__).with_name("guard.py")
        (self.folder / "children" / "sitecustomize.py").write_text(
            f"import runpy\n\nrunpy.run_path({str(guard)!r})['cut_network']()\n",
            encoding="utf-8")
        specification = {
            "argv": [sys.executable, "-m", "loom.run.kernel", "-f", "{connection_file}"],
            "display_name": "Python 3", "language": "python", "interrupt_mode": "signal",
            "env": {"PYTHONPATH": os.pathsep.join([str(self.folder / "children"), str(after)]),
                    "PYTHONHASHSEED": "0", "LOOM_KERNEL": str(self.orders)}}
        (self.folder / "kernels" / KERNEL / "kernel.json").write_text(
            json.dumps(specification), encoding="utf-8")

    def environment(self, root: Path) -> dict[str, str]:
        """The variables of the worker and of all it starts.

        Nothing of the user's Python, Jupyter or matplotlib settings gets in.

        Args:
            root: the book's folder, which cells find as ``LOOM_ROOT``.
        """
        kept = {name: value for name, value in os.environ.items()
                if not name.startswith(FOREIGN) or name == "LOOM_PATIENCE"}
        threads = {name: str(THREADS) for name in (
            "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS",
            "VECLIB_MAXIMUM_THREADS", "NUMEXPR_NUM_THREADS")}
        look = self.folder / "matplotlibrc"
        look.write_text(_look(root), encoding="utf-8")
        return {
            **kept, **threads, "MATPLOTLIBRC": str(look),
            "OMP_WAIT_POLICY": "PASSIVE", "KMP_BLOCKTIME": "0",
            "TZ": "UTC", "LC_ALL": "C.UTF-8", "LANG": "C.UTF-8", "COLUMNS": "80",
            "NO_COLOR": "1", "TERM": "dumb",
            "TMPDIR": str(self.folder / "tmp"),
            "JUPYTER_PATH": str(self.folder),
            "JUPYTER_RUNTIME_DIR": str(self.folder / "runtime"),
            "JUPYTER_CONFIG_DIR": str(self.folder / "config"),
            "JUPYTER_NO_CONFIG": "1",
            "IPYTHONDIR": str(self.folder / "ipython"),
            "PYDEVD_DISABLE_FILE_VALIDATION": "1",
            "SCRATCHLM_PRODUCTS": str(self.products),
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), kept.get("PATH", "")]),
            "LOOM_ROOT": str(root),
            "LOOM_RUN": str(self.folder),
        }


def _look(root: Path) -> str:
    """The look of the figures; names inside an SVG are never random."""
    path = root / LOOK
    look = path.read_text(encoding="utf-8") if path.is_file() else ""
    return look if "svg.hashsalt" in look else f"{look}\nsvg.hashsalt: loom\n"


def constants() -> str:
    """What this file and the kernel's files say, for the key: they shape the outputs."""
    here = Path(__file__).parent
    files = [here / "environment.py", here / "kernel.py", here / "identity.py",
             here / "guard.py", here.parent / "extends.py"]
    return "".join(file.read_text(encoding="utf-8") for file in files)
