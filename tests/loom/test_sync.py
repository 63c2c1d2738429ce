"""Syncing: what was edited in the package reaches its cell, or nothing is touched."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath

import pytest

from loom.book.toc import Book, read_book
from loom.errors import LoomError
from loom.tangle.disk import write_package
from loom.tangle.modules import tangle
from loom.tangle.sync import sync

BookMaker = Callable[[Mapping[str, str]], Book]

ONE = '''(ch-one)=
# One

A cell that is only shown:

````markdown
```{code-cell} python
:tangle: one.py
def size(x): ...
```
````

```{code-cell} python
:tangle: one.py
:tags: [raises-exception]
import math
from torch import Tensor


def size(x: float) -> float:
    """The size of x."""
    return math.sqrt(x)


class Store:
    """Keeps things."""

    count: int = 0
    limit: int = 9

    def first(self) -> int:
        return 1
```

Prose between, with trailing spaces.  \n\ttabs, too.

~~~{code-cell} python
---
tangle: one.py
---

from loom.extends import extends


# What it holds.
@extends(Store)
@property
def held(self) -> str:
    """What is held.

    A string.
    """
    return """
as it is
"""


@extends(Store)
@Store.held.setter
def held(self, new: str) -> None:
    self.new = new
~~~
'''
TWO = '''(ch-two)=
# Two

```{code-cell} python
:tangle: one.py
:replaces: Store.first
from scratchlm.one import Store
from loom.extends import extends


@extends(Store)
def first(self) -> int:
    return 11
```

```{code-cell} python
:tangle: two.py
"""The second module."""
from scratchlm.one import size


def twice(x: float) -> float:
    return 2 * size(x)
```
'''


@pytest.fixture
def book(make_book: BookMaker) -> Book:
    """Two chapters, tangled."""
    made = make_book({"01-one": ONE, "02-two": TWO})
    write_package(made, tangle(made.chapters))
    return made


def edit(book: Book, *changes: tuple[str, str], module: str = "one.py") -> str:
    """Edit a module on disk; returns its new text."""
    path = book.package / module
    text = path.read_text(encoding="utf-8")
    for old, new in changes:
        assert text.count(old) == 1, (old, text)
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")
    return text


def diff(book: Book) -> list[str]:
    """The lines of the chapters that differ from the originals, as ``-old`` and ``+new``."""
    import difflib

    found = []
    for name, before in (("01-one", ONE), ("02-two", TWO)):
        text = (book.root / "book" / f"{name}.md").read_text(encoding="utf-8")
        before = text[:len(text) - len(text.split("\n\n", 1)[1])] + before
        found += [line for line in difflib.ndiff(before.split("\n"), text.split("\n"))
                  if line[0] in "+-"]
    return [line[0] + line[2:] for line in found]


def refused(book: Book) -> str:
    """What sync says when it refuses; checks that it touched nothing."""
    files = [p for p in book.root.rglob("*") if p.is_file()]
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in files}
    with pytest.raises(LoomError) as caught:
        sync(read_book(book.root))
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in files} == before
    for problem in caught.value.problems:
        assert problem.place is not None and problem.remedy
    return str(caught.value)


def carries(book: Book, *expected: str) -> None:
    """Sync, and check the lines that changed in the chapters."""
    texts = {path: path.read_text() for path in book.package.rglob("*.py")}
    sync(read_book(book.root))
    assert sorted(diff(book)) == sorted(expected)
    again = tangle(read_book(book.root).chapters)
    assert {book.package / m: text for m, text in again.files.items()} == texts
    assert sync(read_book(book.root)) == []


def test_a_body(book: Book) -> None:
    edit(book, ("    return math.sqrt(x)", "    root = math.sqrt(x)\n    return root"))
    carries(book, "-    return math.sqrt(x)", "+    root = math.sqrt(x)", "+    return root")


def test_a_grown_method_loses_its_margin_and_keeps_its_decorator(book: Book) -> None:
    edit(book, ("        A string.\n", "        A longer\n        string.\n"),
         ('        return """\nas it is\n"""', '        text = """\nas it\n  was\n"""\n'
          '        return text'))
    carries(book, "-    A string.", "+    A longer", "+    string.", '-    return """', "-as it is",
            '+    text = """', "+as it", "+  was", "+    return text")


def test_comments_decorators_and_signatures(book: Book) -> None:
    edit(book, ("    # What it holds.\n", "    # What it\n    # holds.\n"),
         ("def size(x: float)", "@math.cache\ndef size(x: float, *, fast: bool = False)"),
         ("    @held.setter\n    def held(self, new: str)",
          "    # Set it.\n    @held.setter\n    def held(self, new: object)"),
         ("class Store:", "class Store(dict):  # ours"))
    carries(book, "-# What it holds.", "+# What it", "+# holds.", "+@math.cache",
            "-def size(x: float) -> float:", "+def size(x: float, *, fast: bool = False) -> float:",
            "+# Set it.", "-def held(self, new: str) -> None:",
            "+def held(self, new: object) -> None:", "-class Store:", "+class Store(dict):  # ours")


def test_several_chapters_and_modules_at_once(book: Book) -> None:
    edit(book, ("return 11", "return 12"), ('"""The size of x."""', '"""Its size."""'))
    edit(book, ("return 2 * size(x)", "return size(x) + size(x)"),
         ('"""The second module."""', '"""Module two."""'), module="two.py")
    carries(book, "-    return 11", "+    return 12", '-    """The size of x."""',
            '+    """Its size."""', "-    return 2 * size(x)", "+    return size(x) + size(x)",
            '-"""The second module."""', '+"""Module two."""')


def test_the_body_of_the_class_statement(book: Book) -> None:
    edit(book, ("    count: int = 0\n    limit: int = 9\n",
                "    limit: int = 99\n    other: int = 1\n"),
         ('"""Keeps things."""', '"""Keeps all things."""'))
    carries(book, "-    count: int = 0", "-    limit: int = 9", "+    limit: int = 99",
            "+    other: int = 1", '-    """Keeps things."""', '+    """Keeps all things."""')


def test_a_formatter_that_ran_over_the_package(make_book: BookMaker) -> None:
    body = "class Empty:\n    ...\n\n\ndef f(x):\n    return {'a':x,\n            'b': [ x ]}\n"
    book = make_book({
        "01-one": f"(ch-a)=\n# A\n\n```{{code-cell}} python\n:tangle: one.py\n{body}```\n"})
    write_package(book, tangle(book.chapters))
    subprocess.run([sys.executable, "-m", "ruff", "format", "-q", "--isolated",
                    str(book.package)], check=True)
    assert [one.name for one in sync(read_book(book.root))] == ["Empty", "f"]
    text = (book.root / "book/01-one.md").read_text()
    assert "class Empty: ...\n\n\ndef f(x):\n    return {\"a\": x, \"b\": [x]}\n```" in text


def test_a_new_import_goes_to_the_cell_that_uses_it_first(book: Book) -> None:
    edit(book, ("import math\n", "import math\nimport zlib\n"),
         ("        self.new = new", "        self.new = zlib.crc32(new.encode())"),
         ("        return 11", "        return zlib.crc32(b'')"))
    carries(book, "+import zlib", "-    self.new = new", "-    return 11",
            "+    self.new = zlib.crc32(new.encode())", "+    return zlib.crc32(b'')")
    lines = (book.root / "book/01-one.md").read_text().split("\n")
    assert lines.index("import zlib") == lines.index("from loom.extends import extends") + 1


def test_a_name_joins_the_import_of_its_module(book: Book) -> None:
    edit(book, ("import math\n", "from math import pi, sqrt\n"),
         ("return math.sqrt(x)", "return sqrt(x) * pi"))
    carries(book, "-import math", "+from math import pi, sqrt", "-    return math.sqrt(x)",
            "+    return sqrt(x) * pi")
    edit(book, ("from math import pi, sqrt\n", "from math import e, pi, sqrt\n"),
         ("return sqrt(x) * pi", "return sqrt(x) * pi * e"))
    carries(book, "-import math", "+from math import e, pi, sqrt", "-    return math.sqrt(x)",
            "+    return sqrt(x) * pi * e")


def test_an_import_for_types(book: Book) -> None:
    edit(book, ("import math\n", "import math\nfrom typing import TYPE_CHECKING\n\n"
                "if TYPE_CHECKING:\n    from collections.abc import Sized\n"),
         ("def size(x: float)", "def size(x: Sized)"))
    sync(read_book(book.root))
    assert {"+if TYPE_CHECKING:", "+    from collections.abc import Sized",
            "+from typing import TYPE_CHECKING"} <= set(diff(book))


def test_nothing_to_carry(book: Book) -> None:
    assert sync(book) == []
    assert diff(book) == []


def test_line_endings_of_a_chapter_stay(book: Book) -> None:
    path = book.root / "book/01-one.md"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    edit(book, ('"""The size of x."""', '"""Its size."""'))
    sync(read_book(book.root))
    assert b'"""Its size."""\r\n' in path.read_bytes()
    assert path.read_bytes().count(b"\n") == path.read_bytes().count(b"\r\n")


@pytest.mark.parametrize(("old", "new", "says"), [
    ("def size(x", "def length(x: float):\n    return x\n\n\ndef size(x",
     "one.py:13: `length` is new and has no home"),
    ("def size(x", "LENGTH = 3\n\n\ndef size(x", "`LENGTH` is new and has no home"),
    ('def size(x: float) -> float:\n    """The size of x."""\n    return math.sqrt(x)\n\n\n', "",
     "`size` was deleted"),
    ("def size(x: float)", "def length(x: float)", "`length` is new and has no home"),
    ("    @held.setter\n    def held(self, new: str) -> None:\n        self.new = new\n", "",
     "`Store.held` was deleted"),
    ("        self.new = new\n", "        self.new = new\n\n    def more(self) -> None: ...\n",
     "`Store.more` is new and has no home"),
    ("# § ch-one\ndef size", "# § ch-uno\ndef size", "its section marks (`# § …`) were changed"),
    ("# § ch-one\ndef size", "def size", "its section marks (`# § …`) were changed"),
    ("def size(x: float)", "def size(x: float", "one.py:13: syntax error"),
    ("return math.sqrt(x)", "return mth.sqrt(x)", "uses `mth`, which nothing in one.py defines"),
    ("import math\n", "import math\nimport zlib\n", "`import zlib` is new, and nothing"),
    ("        self.new = new\n", "        self.new = new\n\n# The end.\n",
     "a comment below which nothing follows"),
    ("\n\n# § ch-one\ndef size", "\n\n\n\n# § ch-one\ndef size", "cannot be carried back"),
])
def test_what_has_no_home_is_refused_and_nothing_is_touched(
        book: Book, old: str, new: str, says: str) -> None:
    edit(book, (old, new), ("return 11", "return 12"))
    told = refused(book)
    assert says in told
    assert "one.py" in told


def test_a_moved_definition_is_refused(book: Book) -> None:
    path = book.package / "one.py"
    text = path.read_text()
    path.write_text(text.replace("    count: int = 0\n    limit: int = 9\n",
                                 "    limit: int = 9\n    count: int = 0\n"))
    assert "`Store.limit` was moved" in refused(book)


def test_a_new_and_a_deleted_module_are_refused(book: Book) -> None:
    (book.package / "three.py").write_text("x = 1\n")
    told = refused(book)
    assert "three.py: comes from no cell of the book" in told and "`:tangle: three.py`" in told
    (book.package / "three.py").unlink()
    (book.package / "two.py").unlink()
    assert "two.py: was deleted, but the book still makes it" in refused(book)


def test_edits_of_a_module_that_the_book_dropped_are_refused(book: Book) -> None:
    edit(book, ("return 2 * size(x)", "return 4 * size(x)"), module="two.py")
    rewrite(book, "02-two", ":tangle: two.py\n", ":tangle: three.py\n")
    assert "two.py: comes from no cell of the book" in refused(book)


def test_a_generated_docstring_is_refused(make_book: BookMaker) -> None:
    book = make_book({
        "01-one": "(ch-a)=\n# A\n\n```{code-cell} python\n:tangle: one.py\nx = 1\n```\n"})
    write_package(book, tangle(book.chapters))
    edit(book, ('"""Chapter 1: A."""', '"""Better."""'))
    assert "start the first cell of the module with a docstring" in refused(book)


# When the chapter changed too


def rewrite(book: Book, name: str, old: str, new: str) -> None:
    path = book.root / "book" / f"{name}.md"
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_edits_on_both_sides_are_merged(book: Book) -> None:
    edit(book, ('"""The size of x."""', '"""Its size."""'),
         ("        self.new = new", "        self.old = new"))
    rewrite(book, "02-two", "return 11", "return 12")
    rewrite(book, "02-two", "return 2 * size(x)", "return 3 * size(x)")
    sync(read_book(book.root))
    package = tangle(read_book(book.root).chapters)
    one = package.files[PurePosixPath("one.py")]
    assert '"""Its size."""' in one and "return 12" in one and "self.old = new" in one
    assert (book.package / "one.py").read_text() == one
    assert "return 3 * size(x)" in (book.package / "two.py").read_text()


def test_one_definition_edited_on_both_sides_is_refused(book: Book) -> None:
    edit(book, ("return 11", "return 13"))
    rewrite(book, "02-two", "return 11", "return 12")
    told = refused(book)
    assert "`Store.first` was edited here and in the chapter, at" in told
    assert "02-two.md:" in told and "by hand" in told


def test_the_same_edit_on_both_sides_is_no_conflict(book: Book) -> None:
    edit(book, ("return 11", "return 12"))
    rewrite(book, "02-two", "return 11", "return 12")
    assert sync(read_book(book.root)) == []


def test_a_package_that_is_only_older_is_not_carried_back(book: Book) -> None:
    rewrite(book, "02-two", "return 11", "return 12")
    assert sync(read_book(book.root)) == []
    assert "return 12" in (book.root / "book/02-two.md").read_text()
