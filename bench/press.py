"""The press beside its peers: tangling, the PDF, a cached rebuild.

Every row times two whole processes in turn, A B A B …, and prints medians and
the median of the ratios, pair by pair: on a busy machine the ratio is what
holds. A peer that cannot be installed here is skipped, and the row says why.

    nox -s bench            all rows
    nox -s bench -- -n 9    more pairs
"""

from __future__ import annotations

import argparse
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import nbformat
import yaml
from rich.console import Console
from rich.table import Table

from loom.book.toc import Book, read_book

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
PEERS = ROOT / "_build" / "bench" / "peers"  # an environment of their own
PINNED = ("entangled-cli==2.1.13", "nbdev==3.3.26")


@dataclass(frozen=True)
class Side:
    """One of the two that are timed: its name, its command, what to undo before."""

    name: str
    command: list[str]
    folder: Path
    before: Callable[[], object] = lambda: None

    def seconds(self) -> float:
        self.before()
        started = time.perf_counter()
        done = subprocess.run(self.command, cwd=self.folder, capture_output=True, text=True)
        elapsed = time.perf_counter() - started
        if done.returncode:
            raise RuntimeError(f"{self.name}: {' '.join(self.command)}\n{done.stdout[-2000:]}"
                               f"\n{done.stderr[-2000:]}")
        return elapsed


@dataclass(frozen=True)
class Row:
    """What a pair came to."""

    task: str
    ours: str
    peer: str
    our_seconds: float | None
    peer_seconds: float | None
    ratio: float | None
    remark: str = ""


def pair(task: str, ours: Side, peer: Side, runs: int, remark: str = "") -> Row:
    """Time two sides in turn, after one uncounted run of each."""
    ours.seconds()
    peer.seconds()
    times = [(ours.seconds(), peer.seconds()) for _ in range(runs)]
    return Row(task, ours.name, peer.name,
               statistics.median(a for a, _ in times), statistics.median(b for _, b in times),
               statistics.median(b / a for a, b in times), remark)


def skipped(task: str, ours: str, peer: str, why: str) -> Row:
    return Row(task, ours, peer, None, None, None, f"skipped: {why}")


@contextmanager
def copy_of_book() -> Iterator[Path]:
    """The sources of the book in a folder where anything may happen."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "book"
        names = subprocess.run(["git", "ls-files", "-z", "--cached", "--others",
                                "--exclude-standard"], cwd=ROOT, capture_output=True,
                               text=True, check=True).stdout.split("\0")
        for name in filter(None, names):
            if (ROOT / name).is_file():
                (target / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, target / name)
        yield target


def peers_installed() -> str | None:
    """Install the pinned peers; the reason if that fails."""
    python = PEERS / "bin" / "python"
    marker = PEERS / "installed.txt"
    if marker.is_file() and marker.read_text() == " ".join(PINNED):
        return None
    subprocess.run([sys.executable, "-m", "venv", "--clear", PEERS], check=True)
    done = subprocess.run([python, "-m", "pip", "install", "-q", *PINNED],
                          capture_output=True, text=True)
    if done.returncode:
        return "the peers could not be installed: " + done.stderr.strip().splitlines()[-1]
    marker.write_text(" ".join(PINNED))
    return None


def tangling(book: Book, runs: int) -> Iterator[Row]:
    """Extract the same cells into the same modules, from nothing."""
    cells = [c for chapter in book.chapters for c in chapter.cells if c.target]
    task = f"tangle {len(cells)} cells"
    why = peers_installed()
    if why:
        yield skipped(task, "loom tangle", "entangled-cli, nbdev", why)
        return
    with copy_of_book() as copy, tempfile.TemporaryDirectory() as other:
        package = copy / "code" / "scratchlm"
        ours = Side("loom tangle", [str(BIN / "loom"), "tangle"], copy,
                    lambda: shutil.rmtree(package, ignore_errors=True))

        entangled = Path(other) / "entangled"
        entangled.mkdir()
        (entangled / "entangled.toml").write_text('version = "2.0"\nwatch_list = ["*.md"]\n')
        seen: set[str] = set()
        for chapter in book.chapters:
            text = ""
            for cell in chapter.cells:
                if cell.target:
                    name = f"file=scratchlm/{cell.target}" if str(cell.target) not in seen \
                        else f"#scratchlm/{cell.target}"
                    seen.add(str(cell.target))
                    text += f"``` {{.python {name}}}\n{cell.source}\n```\n\n"
            (entangled / f"{chapter.name}.md").write_text(text)
        yield pair(task, ours, Side(
            f"entangled-cli {PINNED[0].split('==')[1]}",
            [str(PEERS / "bin" / "entangled"), "tangle"], entangled,
            lambda: [shutil.rmtree(entangled / d, ignore_errors=True)
                     for d in ("scratchlm", ".entangled")]), runs,
            "classes are not assembled")

        nbdev = Path(other) / "nbdev"
        (nbdev / "nbs").mkdir(parents=True)
        (nbdev / "pyproject.toml").write_text(
            '[project]\nname = "scratchlm"\nversion = "0"\n'
            '[tool.nbdev]\nnbs_path = "nbs"\nlib_path = "scratchlm"\n')
        modules: dict[str, list[str]] = {}
        for cell in cells:
            modules.setdefault(str(cell.target), []).append(cell.source)
        for number, (module, sources) in enumerate(modules.items()):
            default = f"#| default_exp {module.removesuffix('.py').replace('/', '.')}"
            notebook = nbformat.v4.new_notebook(cells=[
                nbformat.v4.new_code_cell(text)
                for text in [default, *(f"#| export\n{source}" for source in sources)]])
            nbformat.write(notebook, nbdev / "nbs" / f"{number:02}.ipynb")

        def fresh() -> None:
            shutil.rmtree(nbdev / "scratchlm", ignore_errors=True)
            (nbdev / "scratchlm").mkdir()
            (nbdev / "scratchlm" / "__init__.py").write_text('__version__ = "0"\n')

        yield pair(task, ours, Side(f"nbdev {PINNED[1].split('==')[1]}",
                                    [str(PEERS / "bin" / "nbdev-export")], nbdev, fresh), runs,
                   "methods stay patches")


def rebuilding(runs: int) -> Iterator[Row]:
    """HTML again, with nothing changed and with a changed sentence."""
    with copy_of_book() as stock:
        config = yaml.safe_load((stock / "_config.yml").read_text())
        sphinx = config.setdefault("sphinx", {})
        sphinx["extra_extensions"] = [e for e in sphinx.get("extra_extensions", [])
                                      if not e.startswith("loom")]
        sphinx["config"] = {"numfig": True}
        config["execute"] = {"execute_notebooks": "cache", "timeout": 600}
        (stock / "_config.yml").write_text(yaml.safe_dump(config))
        for path in (stock / "book").glob("*.md"):  # what only our extension knows
            text = re.sub(r"^```\{built\}.*?^```$", "", path.read_text(), flags=re.M | re.S)
            path.write_text(text)
        console.print("[dim]stock Jupyter Book executes every chapter once, uncounted …[/]")
        command = [str(BIN / "jupyter-book"), "build", "."]
        for task, touched in [("HTML again, nothing changed", False),
                              ("HTML again, one sentence changed", True)]:
            with changing(ROOT / "book" / "preface.md", touched) as ours_before, \
                    changing(stock / "book" / "preface.md", touched) as stock_before:
                yield pair(task, Side("loom weave html", [str(BIN / "loom"), "weave", "html"],
                                      ROOT, ours_before),
                           Side("jupyter-book 1.0.4, cached", command, stock, stock_before), runs)


@contextmanager
def changing(path: Path, really: bool) -> Iterator[Callable[[], None]]:
    """A function that changes a sentence of a file; the file comes back at the end."""
    original = path.read_text(encoding="utf-8")
    count = 0

    def change() -> None:
        nonlocal count
        count += 1
        if really:
            path.write_text(original + f"\nAnother sentence, the {count}th.\n", encoding="utf-8")

    try:
        yield change
    finally:
        if really:
            path.write_text(original, encoding="utf-8")


def typesetting(runs: int) -> Iterator[Row]:
    """The PDF from the same sources, through TeX where there is one."""
    task = "PDF of the book"
    if not shutil.which("latexmk"):
        yield skipped(task, "loom weave pdf", "Sphinx's LaTeX route",
                      "no TeX here (latexmk is not on the PATH)")
        return
    import pypdfium2

    pages = len(pypdfium2.PdfDocument(ROOT / "_build/pdf/every-line-runs.pdf"))
    with copy_of_book() as copy:
        command = f"{BIN}/jupyter-book build . --builder pdflatex"
        yield pair(task, Side("loom weave pdf", [str(BIN / "loom"), "weave", "pdf"], ROOT),
                   Side("jupyter-book, pdflatex", ["sh", "-c", command], copy), runs,
                   f"{pages} pages")


console = Console()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-n", "--runs", type=int, default=5, help="counted pairs (default 5)")
    runs = parser.parse_args().runs
    book = read_book(ROOT)
    console.print("[dim]our cells and pages are made current first …[/]")
    for command in (["run"], ["weave", "html", "pdf"]):
        subprocess.run([str(BIN / "loom"), *command], cwd=ROOT, check=True,
                       stdout=subprocess.DEVNULL)
    table = Table(title=f"Medians of {runs} pairs, whole processes")
    for heading in ("task", "ours", "s", "peer", "s", "peer / ours", "remark"):
        table.add_column(heading, justify="right" if heading in ("s", "peer / ours") else "left")
    for rows in (tangling(book, runs), typesetting(max(1, runs // 2)),
                 rebuilding(max(1, runs // 2))):
        for row in rows:
            numbers = ["–" if x is None else f"{x:.2f}"
                       for x in (row.our_seconds, row.peer_seconds, row.ratio)]
            table.add_row(row.task, row.ours, numbers[0], row.peer, numbers[1], numbers[2],
                          row.remark)
    console.print(table)


if __name__ == "__main__":
    main()
