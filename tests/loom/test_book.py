"""Reading chapters and the table of contents; `@extends`; what an error looks like."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from loom.book.chapter import HEADER, read_chapter, with_text
from loom.book.toc import Book, find_root, read_book
from loom.errors import LoomError, Place, Problem, fail
from loom.extends import extends

BookMaker = Callable[[Mapping[str, str]], Book]

CHAPTER = f'''{HEADER}

(ch-one)=
# One

```{{code-cell}} python
:tangle: data/pack.py
:replaces: f, A.g
:tags: [long, output-scroll]

def f(): ...
```

(sec-two)=
## Two

```{{code-cell}} python
---
tangle: one.py
mystnb:
  figure:
    caption: A figure
---
x = 1

y = 2
```

````markdown
```{{code-cell}} python
:tangle: one.py
shown = 1
```
````
'''


def write(folder: Path, text: str) -> Path:
    path = folder / "01-one.md"
    path.write_text(text, encoding="utf-8")
    return path


def test_cells_options_and_places(tmp_path: Path) -> None:
    chapter = read_chapter(write(tmp_path, CHAPTER), number=1)
    lines = CHAPTER.split("\n")
    first, second = chapter.cells
    assert first.target == PurePosixPath("data/pack.py")
    assert first.replaces == ("f", "A.g")
    assert first.tags == {"long", "output-scroll"}
    assert first.source == "def f(): ..."
    assert lines[first.line - 1] == "def f(): ..."
    assert first.place(1) == Place(chapter.path, first.line)
    assert second.source == "x = 1\n\ny = 2"
    assert lines[second.line - 1] == "x = 1"
    assert lines[second.fence - 1] == "```{code-cell} python"
    assert [(s.title, s.label) for s in chapter.sections] == [("One", "ch-one"), ("Two", "sec-two")]
    assert (first.section.label, second.section.label) == ("ch-one", "sec-two")
    assert (chapter.title, chapter.label, chapter.name) == ("One", "ch-one", "01-one")


def test_a_formula_is_no_heading(tmp_path: Path) -> None:
    text = "# One\n\n$$\na\n=\nb\n-\nc\n$$ (eq-a)\n\n## Two\n"
    chapter = read_chapter(write(tmp_path, text))
    assert [s.title for s in chapter.sections] == ["One", "Two"]
    assert chapter.section_at(5).title == "One"


def test_a_chapter_with_another_text(tmp_path: Path) -> None:
    chapter = read_chapter(write(tmp_path, CHAPTER), position=3, number=1, part="P")
    other = with_text(chapter, CHAPTER.replace("x = 1", "x = 5"))
    assert other.cells[1].source == "x = 5\n\ny = 2"
    assert (other.path, other.position, other.number, other.part) \
        == (chapter.path, 3, 1, "P")


BODY = CHAPTER.removeprefix(HEADER)
CELL = "\n```{code-cell} python\n"


@pytest.mark.parametrize(("text", "line", "says", "remedy"), [
    (BODY, 1, "has code cells but no notebook header", "jupytext:"),
    (CHAPTER.replace("name: python3", "name: julia"), 1,
     "wrong notebook header: `kernelspec.name` is 'julia', not 'python3'", "jupytext:"),
    (CHAPTER.replace("    format_name: myst\n", ""), 1,
     "`jupytext.text_representation.format_name` is missing, not 'myst'", "jupytext:"),
    ("---\njupytext: {}\n---\n" + BODY, 1, "is missing, not '.md'; `jupytext.", "jupytext:"),
    ("\ufeff" + CHAPTER, 1, "holds a byte-order mark", "delete it"),
    (CHAPTER.replace("x = 1", "x = '\0'"), 32, "holds a NUL character", "delete it"),
    (HEADER + CELL + "x = 1\n", 10, "{code-cell} python is never closed",
     "holds only ```"),
    (HEADER + "\n:::{note}\nwords\n", 10, ":::{note} is never closed, and swallows the rest",
     "holds only :::"),
    ("", 1, "the chapter has no title", "a line `# Title`"),
    (HEADER + "\n\nWords.\n\n## Two\n", 13, "the chapter has no title", "a line `# Title`"),
    (HEADER + CELL + ": tangle: one.py\nx = 1\n```\n", 11, "not a cell option: `: tangle:",
     "without a space"),
    (HEADER + CELL + ":tags: [long]\n\n```\n", 10, "a code cell without code", "remove the cell"),
    (HEADER + CELL.replace("python", "r") + "x = 1\n```\n", 10, "a code cell in `r`", "`python`"),
    (HEADER + CELL + ":tangle: data/class.py\nx = 1\n```\n", 10, "`class` is a word of Python's",
     "call it `class_`"),
    (CHAPTER.replace("kernelspec:", "kernelspec: ["), 8, "the header is not valid YAML",
     "jupytext:"),
    (CHAPTER.replace("kernelspec:", "color: red\nkernelspec:"), 6, "unknown header field `color`",
     "known fields: data"),
    (HEADER + CELL + ":tangel: one.py\nx = 1\n```\n", 11, "unknown cell option `tangel`",
     "known options: mystnb, replaces, tags, tangle"),
    (HEADER + CELL + ":tangle: ../one.py\nx = 1\n```\n", 10, "`:tangle: ../one.py` is not a module",
     "relative to code/scratchlm"),
    (HEADER + CELL + ":tangle: /one.py\nx = 1\n```\n", 10, "`:tangle: /one.py` is not a module",
     "relative to code/scratchlm"),
    (HEADER + CELL + ":tangle: one.txt\nx = 1\n```\n", 10, "is not a module", "relative to"),
    (HEADER + CELL + ":tangle: my-one.py\nx = 1\n```\n", 10, "is not a module", "relative to"),
    (HEADER + CELL + ":tangle: one.py\n:tags: [remove-input]\nx = 1\n```\n", 10,
     "a tangled cell is hidden by `remove-input`", "show it"),
    (HEADER + CELL + ":replaces: f\nx = 1\n```\n", 10, "`:replaces:` on a cell that is not tangled",
     "add `:tangle: module.py`"),
    (HEADER + CELL + "---\ntangle: one.py\nx = 1\n```\n", 11, "option block never ends",
     "close it with a line `---`"),
    (HEADER + "\n````{note}\n```{code-cell} python\nx = 1\n```\n````\n", 11,
     "a code cell nested inside {note}", "move it out"),
    (HEADER + "\n- item\n\n  ```{code-cell} python\n  x = 1\n  ```\n", 12,
     "a code cell inside a list", "left margin"),
])
def test_a_chapter_is_refused(tmp_path: Path, text: str, line: int, says: str,
                              remedy: str) -> None:
    with pytest.raises(LoomError) as caught:
        read_chapter(write(tmp_path, text))
    told = str(caught.value)
    assert says in told and remedy in told
    assert f"01-one.md:{line}: " in told


def test_a_chapter_that_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "01-one.md"
    path.write_bytes(b"# One\n\ncaf\xe9\n")
    with pytest.raises(LoomError, match=r"01-one.md:3: is not UTF-8: what is byte 0xe9"):
        read_chapter(path)
    with pytest.raises(LoomError, match="cannot be read: No such file"):
        read_chapter(tmp_path / "none.md")


@pytest.mark.parametrize("end", ["\r\n", "\r"])
def test_line_ends_of_other_systems(tmp_path: Path, end: str) -> None:
    path = tmp_path / "01-one.md"
    path.write_bytes(CHAPTER.encode())
    chapter = read_chapter(path)
    path.write_bytes(CHAPTER.replace("\n", end).encode())
    assert read_chapter(path) == chapter


def test_the_book_in_the_order_of_its_contents(make_book: BookMaker) -> None:
    book = make_book({"preface": "# Preface\n", "02-b": "# B\n", "01-a": "(ch-a)=\n# A\n"})
    assert [c.name for c in book.chapters] == ["index", "preface", "02-b", "01-a"]
    assert [c.number for c in book.chapters] == [None, None, 2, 1]
    for name in (1, "1", "01", "01-a", "book/01-a.md", "ch-a"):
        assert book.chapter(name).name == "01-a"
    assert [c.name for c in book.until(2)] == ["index", "preface", "02-b"]
    assert [c.name for c in book.until(0)] == ["index", "preface"]
    with pytest.raises(LoomError, match=r"no chapter `9`\n.*the chapters are index, preface"):
        book.chapter(9)


TOC = b"format: jb-book\nroot: book/index\n"


@pytest.mark.parametrize(("toc", "says"), [
    (TOC + b"chapters:\n  - file: book/none\n", ":4: names `book/none`, but there is no book/none"),
    (TOC + b"chapters:\n  - file: [a]\n", "there is no ['a'].md"),
    (TOC + b"chapters:\n  - file: book/index\n", ":4: names `book/index` twice"),
    (TOC + b"chapters:\n  - book/one\n", ":4: `book/one` is not an entry"),
    (TOC + b"chapters: book/one\n", ":3: `chapters:` is not a list"),
    (TOC + b"chapter:\n  - file: book/one\n", ":3: unknown field `chapter`"),
    (TOC + b"chapters:\n  - glob: book/*\n", ":4: unknown field `glob`"),
    (b"", "is not a Jupyter Book table of contents"),
    (b"- a\n", "is not a Jupyter Book table of contents"),
    (b"root: book/index\n", "it needs `format: jb-book`"),
    (b"format: jb-book\nroot: [\n", ":3: is not YAML"),
    (b"root: \xe9\n", ":1: is not UTF-8"),
])
def test_a_table_of_contents_is_refused(make_book: BookMaker, toc: bytes, says: str) -> None:
    book = make_book({})
    (book.root / "_toc.yml").write_bytes(toc)
    with pytest.raises(LoomError) as caught:
        read_book(book.root)
    assert says in str(caught.value) and "_toc.yml" in str(caught.value)


def test_no_book_here(tmp_path: Path, make_book: BookMaker) -> None:
    with pytest.raises(LoomError, match="no book here"):
        find_root(tmp_path)
    book = make_book({})
    assert find_root(book.root / "book") == book.root


def test_an_error_says_where_what_and_what_to_do(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    error = fail("is wrong", "mend it", path=tmp_path / "a.md", line=3)
    assert str(error) == "a.md:3: is wrong\n    → mend it"
    assert str(LoomError([Problem(None, "one"), Problem(Place(Path("b")), "two")])) \
        == "one\nb: two"


# `@extends`


class Grown:
    """Grows in these tests."""


def run(source: str) -> dict[str, Any]:
    """Run the source of a notebook, which has ``extends`` and a class ``Store``."""
    names: dict[str, Any] = {"extends": extends, "functools": functools,
                             "Store": type("Store", (), {})}
    exec(source, names)
    return names


def test_members_of_every_kind() -> None:
    names = run('''
@extends(Store)
def plain(self): return 1
@extends(Store)
@property
def read(self): return self.kept
@extends(Store)
@Store.read.setter
def read(self, new): self.kept = new
@extends(Store)
@classmethod
def made(cls): return cls()
@extends(Store)
@staticmethod
def fixed(): return 4
@extends(Store)
@functools.cached_property
def once(self): return [5]
''')
    store = names["Store"].made()
    store.read = 2
    assert (store.plain(), store.read, store.fixed()) == (1, 2, 4)
    assert store.once is store.once
    assert names["Store"].plain.__qualname__ == "Store.plain"


def test_the_name_that_a_member_hides_is_given_back() -> None:
    names = run('''
@extends(Store)
def max(self): return "ours"
def size(): return 1
@extends(Store)
def size(self): return 2
''')
    assert names["max"] is max
    assert names["size"]() == 1
    assert names["Store"]().size() == 2


def test_extends_needs_a_class_and_a_name() -> None:
    with pytest.raises(TypeError, match="needs a class, got 3"):
        extends(3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="needs a function or a property"):
        extends(Grown)(3)
