"""Small books, written for one test each."""

from __future__ import annotations

import atexit
import shutil
import signal
import tempfile
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path

import nbformat
import pytest

from loom.book.chapter import HEADER
from loom.book.toc import Book, read_book
from loom.run.store import Store
from loom.weave.html.fonts import write_fonts

# Where the tests were started in the background, Control-C and a terminal's end are
# ignored, and what they start would inherit that; many of them send one.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

BookMaker = Callable[[Mapping[str, str]], Book]


def write_book(root: Path, chapters: Mapping[str, str]) -> Book:
    """Write a book whose chapters are given by file name and Markdown."""
    folder = root / "book"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "index.md").write_text("# A small book\n", encoding="utf-8")
    for name, body in chapters.items():
        (folder / f"{name}.md").write_text(f"{HEADER}\n\n{body}", encoding="utf-8")
    files = "".join(f"  - file: book/{name}\n" for name in chapters)
    (root / "_toc.yml").write_text(
        f"format: jb-book\nroot: book/index\nchapters:\n{files}", encoding="utf-8")
    return read_book(root)


@pytest.fixture
def make_book(tmp_path: Path) -> BookMaker:
    """A function that writes a book into this test's folder and reads it."""
    return lambda chapters: write_book(tmp_path, chapters)


REPOSITORY = Path(__file__).parents[2]
OUTPUTS = "printed by no kernel"


def write_woven(root: Path, chapters: Mapping[str, str]) -> Path:
    """Write a book with the real configuration and style, and outputs for its cells."""
    for name in ("_config.yml", "requirements.lock"):
        shutil.copy(REPOSITORY / name, root)
    for name in ("_static", "_templates", "_epub"):
        shutil.copytree(REPOSITORY / "book" / name, root / "book" / name)
    shutil.copytree(_assets(), root / "_build" / "weave" / "static")
    (root / "book" / "references.bib").write_text("")
    (root / "book" / "index.md").write_text("# A small book\n\nIts first words.\n")
    for name, body in chapters.items():
        (root / "book" / f"{name}.md").write_text(f"{HEADER}\n\n{body}", encoding="utf-8")
    files = "".join(f"  - file: book/{name}\n" for name in chapters)
    (root / "_toc.yml").write_text(
        f"format: jb-book\nroot: book/index\ndefaults: {{numbered: true}}\nchapters:\n{files}")
    for name in chapters:
        store_outputs(root, name)
    return root


@lru_cache
def _assets() -> Path:
    """Fonts and MathJax, prepared once for all of these books."""
    folder = Path(tempfile.mkdtemp(prefix="loom-assets-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    write_fonts(folder)
    return folder


def store_outputs(root: Path, name: str) -> None:
    """Store outputs for a chapter as it is now."""
    book = read_book(root)
    chapter = book.chapter(name)
    cells = [nbformat.v4.new_code_cell(cell.source, execution_count=1, outputs=[
        nbformat.v4.new_output("stream", name="stdout", text=f"{OUTPUTS}\n")])
        for cell in chapter.cells]
    language = {"name": "python", "pygments_lexer": "ipython3"}
    Store(book).save(chapter, nbformat.v4.new_notebook(
        cells=cells, metadata={"language_info": language}), 1.0)


@pytest.fixture
def weave_book(tmp_path: Path) -> Callable[[Mapping[str, str]], Path]:
    """A function that writes a book which can be woven into this test's folder."""
    return lambda chapters: write_woven(tmp_path, chapters)


@pytest.fixture
def put_outputs() -> Callable[[Path, str], None]:
    """A function that stores outputs for a chapter of such a book as it is now."""
    return store_outputs
