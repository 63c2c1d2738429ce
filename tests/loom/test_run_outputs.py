"""Stored outputs in the book: what a build shows, refuses and builds again."""

from __future__ import annotations

import io
from pathlib import Path

import nbformat
import pytest
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util.docutils import docutils_namespace

from loom.book.toc import read_book
from loom.errors import LoomError
from loom.run.store import Store, shown

HEADER = """---
jupytext:
  text_representation: {extension: .md, format_name: myst}
kernelspec: {display_name: Python 3, name: python3}
---
"""
BOOM = "raise SystemExit('executed while weaving')"  # nobody runs it here


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A book whose two chapters have outputs, which no kernel made."""
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "index.md").write_text(
        "# Front\n\n```{toctree}\n01-one\n02-two\n```\n")
    for name in ("01-one", "02-two"):
        (tmp_path / "book" / f"{name}.md").write_text(
            f"{HEADER}(ch-{name[3:]})=\n# Chapter {name[3:]}\n\nProse.\n\n"
            f"```{{code-cell}} python\n{BOOM}\n```\n\nMore.\n\n"
            f"```{{code-cell}} python\n---\ntags: [hide-input]\n---\n\nprint('{name}')\n```\n")
    (tmp_path / "_toc.yml").write_text(
        "format: jb-book\nroot: book/index\n"
        "chapters: [{file: book/01-one}, {file: book/02-two}]\n")
    for name in ("01-one", "02-two"):
        put(tmp_path, name, f"output of {name}")
    return tmp_path


def put(root: Path, name: str, text: str) -> None:
    """Store outputs for a chapter as it is now."""
    book = read_book(root)
    chapter = book.chapter(name)
    cells = []
    for cell in chapter.cells:
        new = nbformat.v4.new_code_cell(cell.source, execution_count=cell.index + 1)
        new.outputs = [nbformat.v4.new_output("stream", name="stdout", text=f"{text}\n")]
        cells.append(new)
    language = {"name": "python", "pygments_lexer": "ipython3"}
    Store(book).save(chapter, nbformat.v4.new_notebook(
        cells=cells, metadata={"language_info": language}), 1.0)


def build(root: Path, **settings: object) -> tuple[list[str], str]:
    """Build with Sphinx; which pages were read, and the warnings."""
    read: list[str] = []
    warnings = io.StringIO()
    config = {"extensions": ["myst_nb", "loom.weave.outputs"], "root_doc": "book/index",
              "exclude_patterns": ["_build"], "nb_execution_mode": "off",
              "html_theme": "basic", **settings}
    with docutils_namespace():
        app = Sphinx(root, None, root / "_build" / "out", root / "_build" / "trees", "html",
                     config, status=None, warning=warnings)
        app.connect("source-read", lambda app, name, text: read.append(name))
        app.build()
    return sorted(read), warnings.getvalue()


def page(root: Path, name: str) -> str:
    return (root / "_build" / "out" / "book" / f"{name}.html").read_text()


def test_a_build_shows_what_is_stored_and_executes_nothing(root: Path) -> None:
    read, warnings = build(root, nb_execution_mode="force")
    assert (len(read), warnings) == (3, "")
    for name in ("01-one", "02-two"):
        assert page(root, name).count(f"output of {name}") == 2
        assert "tag_hide-input" in page(root, name)
    assert build(root, nb_execution_mode="force")[0] == []


def test_changed_outputs_build_exactly_their_page_again(root: Path) -> None:
    build(root)
    put(root, "02-two", "another output")
    assert build(root)[0] == ["book/02-two"]
    assert "another output" in page(root, "02-two")
    assert build(root)[0] == []


def test_looks_take_effect_without_a_run(root: Path) -> None:
    build(root)
    path = root / "book" / "01-one.md"
    path.write_text(path.read_text().replace("hide-input", "remove-input"))
    assert build(root)[0] == ["book/01-one"]
    assert [">print<" in page(root, name) for name in ("01-one", "02-two")] == [False, True]
    assert page(root, "01-one").count("output of 01-one") == 2


def refused(root: Path) -> list[str]:
    with pytest.raises(ExtensionError) as caught:
        build(root)
    assert isinstance(caught.value.orig_exc, LoomError)
    problems = caught.value.orig_exc.problems
    assert all("`loom run`" in problem.remedy for problem in problems)
    return [f"{problem.place.path.name}: {problem.what}" for problem in problems if problem.place]


def test_stale_or_missing_outputs_refuse_the_build(root: Path) -> None:
    path = root / "book" / "01-one.md"
    path.write_text(path.read_text().replace("print('01-one')", "print('01-two')"))
    assert refused(root) == ["01-one.md: its outputs are out of date"]
    for stored in (root / "_build" / "run" / "outputs" / "02-two").iterdir():
        stored.unlink()
    assert refused(root) == ["01-one.md: its outputs are out of date", "02-two.md: has not run"]
    assert [path.is_file() for path in shown(root)] == [False, False]


def test_damaged_outputs_are_told_and_dropped(root: Path) -> None:
    damaged = shown(root)[0]
    for text in ("", "{", '{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'):
        damaged.write_text(text)
        with pytest.raises(LoomError, match="stored outputs were damaged"):
            build(root)
        assert not damaged.exists()
        put(root, "01-one", "again")
    build(root)
    assert "again" in page(root, "01-one")
