"""A chapter's notebook on a reader's own machine, outside of the repository.

Downloaded notebooks carry this file. It gives their cells what ``loom run``
gives them: the package as the chapter before left it, the look of the
figures, and the products of earlier chapters, which it makes when they lack.
Standard library and IPython only.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from loom.run.identity import PACKAGE, Homes
from loom.run.kernel import Before

HERE = Path(__file__).parents[2]  # where the notebook has unpacked what it carries


def begin(shell: Any) -> None:
    """Set up a notebook: called by its first cell.

    Args:
        shell: IPython's shell.
    """
    orders = json.loads((HERE / "chapter.json").read_text(encoding="utf-8"))
    _see_package(HERE / orders["chapter"], orders["homes"], shell)
    products = Path(tempfile.mkdtemp(prefix="products-", dir=HERE))
    for name in orders["makes"]:
        (products / name).mkdir()
    os.environ["SCRATCHLM_PRODUCTS"] = str(products)
    os.environ["LOOM_ROOT"] = str(HERE / "root")
    os.environ["MATPLOTLIBRC"] = str(HERE / "matplotlibrc")
    if "matplotlib" in sys.modules:
        sys.modules["matplotlib"].rc_file(HERE / "matplotlibrc")
    shell.run_line_magic("config", "InlineBackend.figure_formats = ['svg']")
    missing = [name for name in orders["imports"] if importlib.util.find_spec(name) is None]
    if missing:
        print(f"This chapter imports {', '.join(missing)}, not installed here. In a cell, run:\n"
              f"    %pip install {' '.join(missing)}")
    if orders["loom"] and shutil.which("loom") is None:
        print("This chapter runs the command `loom`, which comes with the book's repository:\n"
              "install that first, and start Jupyter from its environment.")
    _link(products, orders["needs"])
    lacking = [need["name"] for need in orders["needs"] if not _place(need).is_dir()]
    if lacking:
        print(f"This chapter needs {', '.join(lacking)}, not made on this machine yet; "
              "the next cell makes what is missing.")


def make_what_is_missing() -> None:
    """Make the products that the chapter needs and this machine does not have."""
    orders = json.loads((HERE / "chapter.json").read_text(encoding="utf-8"))
    for need in orders["makers"]:  # in the order in which they need each other
        if all(_place(one).is_dir() for one in need["makes"]):
            continue
        names = ", ".join(one["name"] for one in need["makes"])
        print(f"making {names}: running the cells of {need['chapter']} …", flush=True)
        started = time.monotonic()
        done = subprocess.run([sys.executable, "-m", "loom.run.outside", need["chapter"]],
                              env={**os.environ, "PYTHONPATH": str(HERE)})
        if done.returncode:
            raise RuntimeError(f"the cells of {need['chapter']} failed; see above")
        print(f"made {names} in {time.monotonic() - started:.0f} s")
    _link(Path(os.environ["SCRATCHLM_PRODUCTS"]), orders["needs"])


def _see_package(folder: Path, homes: dict[str, Any], shell: Any) -> None:
    """Let cells import the package as of the chapter before; other processes, as of this one."""
    after = str(folder / "after")
    for name in [n for n in sys.modules if n == PACKAGE or n.startswith(PACKAGE + ".")]:
        del sys.modules[name]
    sys.meta_path[:] = [finder for finder in sys.meta_path
                        if type(finder).__name__ != Before.__name__]
    sys.meta_path.insert(0, Before(str(folder / "before")))
    sys.path.insert(0, after)
    os.environ["PYTHONPATH"] = after
    for callback in list(shell.events.callbacks["post_run_cell"]):
        if type(getattr(callback, "__self__", None)).__name__ == Homes.__name__:
            shell.events.unregister("post_run_cell", callback)
    shell.events.register("post_run_cell", Homes(homes, shell.user_ns).after_cell)


def _place(need: dict[str, str]) -> Path:
    """Where a product is kept on this machine."""
    from loom.run.cache import product

    return product(need["name"], need["key"])


def _link(products: Path, needs: list[dict[str, str]]) -> None:
    for need in needs:
        link = products / need["name"]
        if _place(need).is_dir() and not link.exists():
            link.symlink_to(_place(need), target_is_directory=True)


def _make(name: str) -> None:
    """Run the cells of the chapter that makes something, and keep what it made."""
    from IPython.core.interactiveshell import InteractiveShell

    orders = json.loads((HERE / "chapter.json").read_text(encoding="utf-8"))
    need = next(need for need in orders["makers"] if need["chapter"] == name)
    shell: Any = InteractiveShell.instance()
    sys.path[:] = [path for path in sys.path if path != str(HERE)]
    _see_package(HERE / name, need["homes"], shell)
    products = Path(tempfile.mkdtemp(prefix="products-", dir=HERE))
    _link(products, need["needs"])
    os.environ["SCRATCHLM_PRODUCTS"] = str(products)
    os.environ["MPLBACKEND"] = "agg"
    staged = []
    for one in need["makes"]:
        home = _place(one).parent
        home.mkdir(parents=True, exist_ok=True)
        staged.append(Path(tempfile.mkdtemp(prefix=".making-", dir=home)))
        (products / one["name"]).symlink_to(staged[-1], target_is_directory=True)
    try:
        os.chdir(tempfile.mkdtemp(prefix="work-", dir=HERE))
        for source, may_fail in need["cells"]:
            if not shell.run_cell(source, store_history=True).success and not may_fail:
                raise SystemExit(1)
        for one, folder in zip(need["makes"], staged, strict=True):
            folder.chmod(0o755)
            if not _place(one).is_dir():
                os.replace(folder, _place(one))
    finally:
        for folder in staged:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    _make(sys.argv[1])
