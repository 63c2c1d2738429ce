"""Small books, written for one test each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from loom.book.chapter import HEADER
from loom.book.toc import Book, read_book

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
