"""Tangling: modules as a reader would have written them, and every mistake told."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath

import pytest

from loom.book.toc import Book
from loom.errors import LoomError
from loom.tangle.imports import closure, imported_modules
from loom.tangle.modules import describe, tangle
from loom.tangle.where import where

GROW = "from loom.extends import extends\n"
BookMaker = Callable[[Mapping[str, str]], Book]


def cell(source: str, target: str | None = "one.py", replaces: str = "") -> str:
    """A code cell as it stands in a chapter."""
    options = f":tangle: {target}\n" if target else ""
    options += f":replaces: {replaces}\n" if replaces else ""
    return f"```{{code-cell}} python\n{options}{source.strip()}\n```\n\n"


def chapter(*parts: str, label: str = "ch-one", title: str = "One") -> str:
    return f"({label})=\n# {title}\n\n" + "".join(parts)


def module(book: Book, path: str = "one.py") -> str:
    return tangle(book.chapters).files[PurePosixPath(path)]


def complaint(book: Book) -> str:
    """What tangling says against a book."""
    with pytest.raises(LoomError) as caught:
        tangle(book.chapters)
    for problem in caught.value.problems:
        assert problem.place is not None and problem.place.line is not None
        assert problem.remedy
    return str(caught.value)


def line_of(book: Book, name: str, text: str) -> str:
    """``01-one.md:17``, the place of the only line that starts so."""
    lines = book.chapter(name).text.split("\n")
    found = [n for n, line in enumerate(lines, 1) if line.startswith(text)]
    assert len(found) == 1, (text, found)
    return f"{name}.md:{found[0]}"


# What comes out


def test_a_module_reads_like_its_pages(make_book: BookMaker) -> None:
    book = make_book({
        "01-one": chapter(
            "(sec-size)=\n## Size\n\n",
            cell('''
"""How large things are."""
import os, math
from torch import nn

EPS = 1e-6  # small
LIMIT = 3


# Sizes add.
def size(x: float) -> float:
    """Size of x."""
    return math.sqrt(x) + EPS
'''),
            cell("import unused\nprint('not tangled')", target=None)),
        "02-two": chapter(
            "(sec-layer)=\n## Layer\n\n",
            cell('''
from torch import Tensor
from scratchlm.one import size
class Layer(nn.Module):
    """A layer."""
    scale: float = 1.0
def make() -> Tensor:
    return Layer(size(2.0))
'''), label="ch-two", title="Two")})
    assert module(book) == '''\
"""How large things are."""

from __future__ import annotations

import math

from torch import Tensor, nn

# § sec-size
EPS = 1e-6  # small
LIMIT = 3


# Sizes add.
def size(x: float) -> float:
    """Size of x."""
    return math.sqrt(x) + EPS


# § sec-layer
class Layer(nn.Module):
    """A layer."""
    scale: float = 1.0


def make() -> Tensor:
    return Layer(size(2.0))
'''


def test_a_class_grows_into_one_clean_class(make_book: BookMaker) -> None:
    book = make_book({"01-one": chapter(
        cell('''
class Store:
    """Keeps a number."""

    count: int = 0
    # Starts empty.
    items: tuple = ()

    def __init__(self, start=0):
        self.start = start
'''),
        "(sec-more)=\n## More\n\n",
        cell('''
import functools
from typing import overload

from loom.extends import extends


# The number, read
# and written.
@extends(Store)
@property
def value(self):
    """The value.

    Always there.
    """
    return self.start


@extends(Store)
@Store.value.setter
def value(self, new):
    self.start = new


@extends(Store)
@classmethod
def empty(cls):
    return cls()


@extends(Store)
@staticmethod
def note():
    text = """
unmoved
    as it is
"""

    # A blank line above, a comment here.
    return text


@extends(Store)
@functools.cached_property
def cached(self):
    async def later():
        return f"""{
self.start}
"""

    return later


@extends(Store)
@overload
def get(self, key: int) -> int: ...


@extends(Store)
@overload
def get(self, key: str) -> str: ...


@extends(Store)
def get(self, key):
    return key


@extends(Store)
async def wait(self):
    # The last word stays inside.
    return 1
    # So does this.
'''))})
    assert module(book).split("\n\n\n", 1)[1] == '''\
# § ch-one
class Store:
    """Keeps a number."""

    count: int = 0
    # Starts empty.
    items: tuple = ()

    def __init__(self, start=0):
        self.start = start

    # § sec-more
    # The number, read
    # and written.
    @property
    def value(self):
        """The value.

        Always there.
        """
        return self.start

    @value.setter
    def value(self, new):
        self.start = new

    @classmethod
    def empty(cls):
        return cls()

    @staticmethod
    def note():
        text = """
unmoved
    as it is
"""

        # A blank line above, a comment here.
        return text

    @functools.cached_property
    def cached(self):
        async def later():
            return f"""{
self.start}
"""

        return later

    @overload
    def get(self, key: int) -> int: ...

    @overload
    def get(self, key: str) -> str: ...

    def get(self, key):
        return key

    async def wait(self):
        # The last word stays inside.
        return 1
        # So does this.
'''


@pytest.mark.parametrize("placeholder", ["pass", "..."])
def test_what_holds_an_empty_body_open_goes_when_the_class_grows(
        make_book: BookMaker, placeholder: str) -> None:
    grown = cell("from loom.extends import extends\n@extends(A)\ndef f(self):\n    return 1")
    book = make_book({"01-one": chapter(cell(f"class A:\n    {placeholder}"), grown)})
    assert module(book).endswith("class A:\n    def f(self):\n        return 1\n")


def test_a_replacement_stands_where_the_old_one_stood(make_book: BookMaker) -> None:
    book = make_book({
        "01-one": chapter(cell('''
import math
class A:
    def first(self): return 1

    def second(self):
        return math.pi

    def third(self): return 3


def f():
    return 1


def g():
    return f()
''')),
        "02-two": chapter(cell('''
from scratchlm.one import A
from loom.extends import extends


@extends(A)
def second(self):
    return 22


def f():
    return 2
''', replaces="A.second, f"), label="ch-two")})
    text = module(book)
    assert "math" not in text  # no text of the module uses it any more
    assert text.endswith('''\
class A:
    def first(self): return 1

    # § ch-two
    def second(self):
        return 22

    # § ch-one
    def third(self): return 3


# § ch-two
def f():
    return 2


# § ch-one
def g():
    return f()
''')


def test_a_class_on_one_line_stays_so(make_book: BookMaker) -> None:
    source = "class A: ...\n\n\nclass B(A): x = 1\n"
    assert module(make_book({"01-one": chapter(cell(source))})).endswith(f"# § ch-one\n{source}")


def test_a_replaced_class_takes_all_its_members_along(make_book: BookMaker) -> None:
    book = make_book({"01-one": chapter(
        cell("class A:\n    def f(self): ..."),
        cell(GROW + "@extends(A)\ndef g(self): ..."),
        cell("class A:\n    def h(self): ...", replaces="A"))})
    assert module(book).endswith("\n\n\n# § ch-one\nclass A:\n    def h(self): ...\n")


def test_names_that_are_defined_in_several_steps(make_book: BookMaker) -> None:
    source = '''
@overload
def f(x: int) -> int: ...
@overload
def f(x: str) -> str: ...


def f(x):
    return x


@singledispatch
def show(x): ...


@show.register
def _(x: int): ...


@show.register
def _(x: str): ...


try:
    import triton
except ImportError:
    triton = None
'''
    book = make_book({"01-one": chapter(cell(
        "from functools import singledispatch\nfrom typing import overload" + source))})
    assert module(book).endswith("# § ch-one" + source)


def test_a_class_inside_a_class_may_grow(make_book: BookMaker) -> None:
    book = make_book({"01-one": chapter(
        cell("class A:\n    x = 1"),
        cell(GROW + "import math\n\n\n@extends(A)\nclass Config:\n    pi = math.pi\n\n"
             "    def f(self):\n        return math.e"))})
    assert module(book).endswith("""\
class A:
    x = 1

    class Config:
        pi = math.pi

        def f(self):
            return math.e
""")


def test_an_import_meant_for_others_is_kept(make_book: BookMaker) -> None:
    book = make_book({
        "01-one": chapter(cell("def f(): ...")),
        "02-two": chapter(cell("from scratchlm.one import f as f\nX = 1", target="__init__.py")),
        "03-three": chapter(cell("from scratchlm import f\nY = f", target="three.py"))})
    package = tangle(book.chapters)
    assert "\nfrom scratchlm.one import f as f\n" in package.files[PurePosixPath("__init__.py")]
    assert "\nfrom scratchlm import f\n" in package.files[PurePosixPath("three.py")]


def test_what_a_class_needs_to_be_made_comes_first(make_book: BookMaker) -> None:
    book = make_book({"01-one": chapter(
        cell("class A:\n    x = 1"),
        cell("def quiet(f):\n    return wrap(f)\n\n\ndef wrap(f):\n    return f\n\n\nZERO = 0"),
        cell("from loom.extends import extends\n@extends(A)\n@quiet\n"
             "def go(self, n=ZERO):\n    return n"))})
    text = module(book)
    names: dict[str, object] = {}
    exec(compile(text, "one", "exec"), names)
    assert names["A"]().go() == 0  # type: ignore[operator]
    assert text.index("def wrap") < text.index("class A")


def test_a_cell_in_a_longer_fence_is_only_shown(make_book: BookMaker) -> None:
    shown = "````markdown\n" + cell("def shown(): ...") + "````\n\n"
    book = make_book({"01-one": chapter(shown, cell("def f(): ..."))})
    assert "shown" not in module(book)


def test_names_of_the_same_chapter_are_imported_without_being_asked(
        make_book: BookMaker) -> None:
    book = make_book({"01-one": chapter(
        cell("class Tensor:\n    pass"),
        cell("def double(x: Tensor) -> Tensor:\n    return Tensor(x, x)", target="two.py"))})
    package = tangle(book.chapters)
    assert "from scratchlm.one import Tensor\n" in package.files[PurePosixPath("two.py")]
    assert describe(book.chapters[1].cells[1], package) \
        == "defines `double`; imports `Tensor` from `scratchlm.one`"


def test_imports_for_types_stand_apart(make_book: BookMaker) -> None:
    book = make_book({
        "01-one": chapter(cell("def a(): ...")),
        "02-two": chapter(cell('''
from typing import TYPE_CHECKING, Any
if TYPE_CHECKING:
    from scratchlm.one import a
    from collections.abc import Iterator
def b(x: a, y: Iterator, z: Any): ...
''', target="two.py"))})
    assert module(book, "two.py").split("\n\n", 2)[2] == '''\
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scratchlm.one import a


# § ch-one
def b(x: a, y: Iterator, z: Any): ...
'''


def test_long_imports_are_wrapped_and_subpackages_made(make_book: BookMaker) -> None:
    names = [f"a_rather_long_name_{n}" for n in range(4)]
    book = make_book({"01-one": chapter(cell(
        f"from torch import {', '.join(names)}\nX = ({', '.join(names)})", target="data/pack.py"))})
    files = tangle(book.chapters).files
    assert PurePosixPath("data/__init__.py") in files and PurePosixPath("__init__.py") in files
    wrapped = "".join(f"    {name},\n" for name in names)
    assert f"from torch import (\n{wrapped})\n" in files[PurePosixPath("data/pack.py")]


def test_main_comes_last(make_book: BookMaker) -> None:
    book = make_book({"01-one": chapter(
        cell('if __name__ == "__main__":\n    main()'), cell("def main(): ..."))})
    assert module(book).endswith('\n\n\nif __name__ == "__main__":\n    main()\n')


def test_describe_says_what_a_cell_does(make_book: BookMaker) -> None:
    book = make_book({"01-one": chapter(
        cell('"""A docstring."""\nimport math'),
        cell("def softmax(): ...\n\n\ndef logsumexp(): ...\n\n\nclass Tensor:\n    pass"),
        cell(GROW + "@extends(Tensor)\ndef a(self): ...\n\n\n@extends(Tensor)\ndef b(self): ..."),
        cell("print('at import')"),
        cell(GROW + "@extends(Tensor)\ndef a(self): ...\n\n\nX = 1", replaces="Tensor.a"))})
    package = tangle(book.chapters)
    assert [describe(c, package) for c in book.chapters[1].cells] == [
        "opens the module",
        "defines `softmax`, `logsumexp`, `Tensor`",
        "adds `a`, `b` to `Tensor`",
        "runs when the module is imported",
        "defines `X`; replaces `Tensor.a`"]


def test_definitions_know_their_lines_on_both_sides(make_book: BookMaker) -> None:
    book = make_book({"01-one": chapter(
        cell("class A:\n    x: int = 1"),
        cell(GROW + "# About f.\n@extends(A)\ndef f(self):\n    return 1"))})
    package = tangle(book.chapters)
    text = package.files[PurePosixPath("one.py")].split("\n")
    source = book.chapters[1].text.split("\n")
    found = {d.name: d for d in package.definitions}
    assert set(found) == {"A", "A.x", "A.f"}
    f = found["A.f"]
    assert (f.kind, f.action) == ("function", "adds")
    assert text[f.first - 1:f.last] == ["    # About f.", "    def f(self):", "        return 1"]
    assert source[f.source_first - 1] == "# About f."
    assert source[f.source_last - 1] == "    return 1"


def test_ruff_finds_nothing_in_a_module(make_book: BookMaker, tmp_path: Path) -> None:
    book = make_book({
        "01-one": chapter(cell('''
import torch, sys
import torch.nn.functional as F
import numpy as np
from torch import nn, Tensor, CONST, inf
from os import path as p, sep
import os.path


def f(x: Tensor) -> None:
    print(torch, sys, F, np, nn, CONST, inf, p, sep, os.path)
''')),
        "02-two": chapter(cell('''
from scratchlm.one import f
import abc
from torch10 import a
from torch9 import b
EPS = abc
def g() -> None:
    print(f, a, b)
''', target="two.py"), label="ch-two")})
    for path, text in tangle(book.chapters).files.items():
        (tmp_path / "scratchlm" / path).parent.mkdir(exist_ok=True)
        (tmp_path / "scratchlm" / path).write_text(text)
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "E,F,I,UP,B,W",
         "--line-length", "76", "scratchlm"], cwd=tmp_path, capture_output=True, text=True,
        check=False)
    assert done.returncode == 0, done.stdout


# Where things are


def test_where_leads_both_ways(make_book: BookMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    book = make_book({"01-one": chapter(
        "(sec-f)=\n## The f\n\n",
        cell("from loom.extends import extends\nimport math\nclass A:\n    x = 1\n\n\n"
             "@extends(A)\ndef f(self):\n    return math.pi\n"),
        cell("print(1)", target=None))})
    monkeypatch.chdir(book.root)
    package = tangle(book.chapters)
    source = book.package / "one.py"
    text = package.files[PurePosixPath("one.py")].split("\n")
    lines = book.chapters[1].text.split("\n")

    def ask(path: Path, line: int) -> list[str]:
        return list(where(book, package, path, line))

    here, there = text.index("        return math.pi") + 1, lines.index("    return math.pi") + 1
    assert ask(source, here) == [f"book/01-one.md:{there}: The f (sec-f) · A.f"]
    assert ask(book.chapters[1].path, there) == [f"code/scratchlm/one.py:{here}: A.f"]
    assert ask(source, text.index("import math") + 1) \
        == [f"book/01-one.md:{lines.index('import math') + 1}: The f (sec-f)"]
    assert ask(source, 2) == ["this line comes from no cell: loom writes it"]
    chapter_path = book.chapters[1].path
    assert "prose" in ask(chapter_path, 1)[0]
    assert "not tangled" in ask(chapter_path, lines.index("print(1)") + 1)[0]
    assert "`@extends`" in ask(chapter_path, lines.index("@extends(A)") + 1)[0]
    for path, line, words in ((source, 999, "no line 999"), (book.root / "x.py", 1, "neither"),
                              (book.package / "none.py", 1, "no cell")):
        with pytest.raises(LoomError, match=words):
            ask(path, line)


def test_imported_modules_and_their_closure(make_book: BookMaker) -> None:
    source = ("%matplotlib inline\nfrom scratchlm.two import g\nimport torch\n"
              "from scratchlm import one as o\n!ls\n")
    assert imported_modules(source) == {"scratchlm", "scratchlm.two", "scratchlm.two.g",
                                        "scratchlm.one"}
    assert imported_modules("import numpy") == frozenset()
    book = make_book({
        "01-one": chapter(cell("def f(): ...", target="sub/one.py"), cell("def z(): ...")),
        "02-two": chapter(cell("from scratchlm.sub.one import f\ndef g():\n    return f()",
                               target="two.py")),
        "03-three": chapter(cell("from scratchlm.two import g\ndef h():\n    return g()",
                                 target="three.py"))})
    files = tangle(book.chapters).files
    assert closure(imported_modules("from scratchlm.three import h"), files) == {
        PurePosixPath(p) for p in ("__init__.py", "three.py", "two.py", "sub/__init__.py",
                                   "sub/one.py")}


# What is refused: file, line, what is wrong, what to do


def refuse(make_book: BookMaker, *cells: str, at: str, says: str, remedy: str) -> None:
    book = make_book({"01-one": chapter(*cells)})
    told = complaint(book)
    assert f"{line_of(book, '01-one', at)}: " in told
    assert says in told
    assert remedy in told


@pytest.mark.parametrize(("source", "at", "says", "remedy"), [
    ("def f(:\n    pass", "def f(:", "syntax error: invalid syntax\n        def f(:\n"
     "              ^", "mend the cell"),
    ("x = 1\nreturn x", "return x", "syntax error: 'return' outside function", "mend the cell"),
    ("x = 1\nbad = x is 1", "bad", 'syntax error: "is" with a literal', "mend the cell"),
    ("x = " + "9" * 5000, "x = 9", "syntax error: Exceeds the limit", "mend the cell"),
    ("%timeit f()\nx = 1", "%timeit", "notebook magic in a tangled cell: `%timeit f()`",
     "without `:tangle:`"),
    ("x = 1\n!ls", "!ls", "notebook magic", "without `:tangle:`"),
    ("from .two import f\nx = f", "from .two", "relative import: `from .two import f`",
     "write `from scratchlm."),
    ("from torch import *\nx = 1", "from torch", "hides what is imported", "name what"),
    ("import loom.files\nx = loom", "import loom", "scratchlm never imports loom",
     "from loom.extends import extends"),
    ("x = 1; y = 2", "x = 1", "two statements on one line", "its own line"),
    ("x = 1\n# The end.", "# The end", "a comment below which nothing follows", "put it above"),
    ("# On top.\nimport math\nx = math", "# On top", "a comment at an import would be lost",
     "put it above the definition"),
    ("import math  # why\nx = math", "import math", "a comment at an import", "put it above"),
    ("# § sec-a\nx = 1", "# § sec-a", "looks like a section mark", "word it differently"),
    ("# nothing", "# nothing", "without a statement", "drop `:tangle:`"),
    ("def f():\n    return torch.pi", "    return torch", "uses `torch`, which nothing in one.py",
     "define or import it"),
    ("def f():\n    return 1\ndef g():\n    return ff()", "    return ff", "uses `ff`",
     "did you mean `f`?"),
    ("import torch\nimport numpy as torch\nx = torch", "import numpy",
     "one name for two things in one.py", "import it the same way everywhere"),
    ("from math import pi\ndef pi(): ...", "from math", "one.py defines `pi` itself",
     "import it under another name"),
    ("from scratchlm.other import f\nx = f", "from scratchlm", "the book makes no such module",
     "name a module"),
    (GROW + "@extends(Tensr)\ndef f(self): ...\n\n\nclass Tensor:\n    x = 1", "@extends(Tensr)",
     "one.py has no class `Tensr`", "define the class in an earlier cell"),
    (GROW + "@extends(a.B)\ndef f(self): ...", "@extends(a.B)", "needs one class, by its name",
     "@extends(Class)"),
])
def test_a_cell_is_refused(make_book: BookMaker, source: str, at: str, says: str,
                           remedy: str) -> None:
    refuse(make_book, cell(source), at=at, says=says, remedy=remedy)


@pytest.mark.parametrize(("member", "at", "says", "remedy"), [
    ("@extends(Tnsor)\ndef f(self): ...", "@extends", "no class `Tnsor`", "did you mean `Tensor`?"),
    ("@property\n@extends(Tensor)\ndef f(self): ...", "@property", "not the outermost decorator",
     "put it above"),
    ("@extends(Tensor)  # here\ndef f(self): ...", "@extends", "a comment beside `@extends`",
     "put it above"),
    ("@extends(Tensor)\ndef f(self):\n    return self.__secret", "    return self.__",
     "`__secret` would be spelled `_Tensor__secret`", "use one underscore: `_secret`"),
    ("@extends(Tensor)\ndef f(self):\n    return super().f()", "    return super",
     "`super()` without arguments", "call the base class by its name"),
    ("@extends(Tensor)\ndef f(self, n=size): ...\n\n\nx = size", "def f",
     "`size` in a default, decorator or annotation would mean `Tensor.size`",
     "None as the default"),
    ("@extends(Tensor)\ndef float(self) -> float: ...", "def float",
     "would mean `Tensor.float`", "give it another name"),
    ("@extends(Tensor)\ndef __post_init__(self): ...", "@extends",
     "`__post_init__` works only inside the class statement", "the cell that defines `Tensor`"),
    ("@extends(Tensor)\ndef __eq__(self, other): ...", "@extends", "makes it unhashable",
     "define `__hash__`"),
    ("@extends(Tensor)\ndef f(self, other=Tensor()): ...", "def f",
     "`Tensor.f` needs `Tensor` while `Tensor` is being made", "None as the default"),
])
def test_a_member_that_would_mean_something_else_is_refused(
        make_book: BookMaker, member: str, at: str, says: str, remedy: str) -> None:
    refuse(make_book, cell("class Tensor:\n    size = 1"), cell(GROW + member),
           at=at, says=says, remedy=remedy)


def test_a_class_on_one_line_cannot_grow(make_book: BookMaker) -> None:
    refuse(make_book, cell("class A: ..."), cell(GROW + "@extends(A)\ndef f(self): ..."),
           at="@extends", says="its body stands on its first line", remedy="its own line")


def test_a_class_of_another_module_cannot_grow_here(make_book: BookMaker) -> None:
    refuse(make_book, cell("class A:\n    x = 1", target="two.py"),
           cell(GROW + "@extends(A)\ndef f(self): ..."),
           at="@extends", says="one.py has no class `A`", remedy="write `:tangle: two.py`")


def test_two_definitions_of_one_name(make_book: BookMaker) -> None:
    book = make_book({"01-one": chapter(cell("def f():\n    return 1")),
                      "02-two": chapter(cell("def f():\n    return 2"), label="ch-two")})
    told = complaint(book)
    assert f"{line_of(book, '02-two', 'def f')}: `f` is already defined in one.py" in told
    assert line_of(book, "01-one", "def f") in told
    assert "`:replaces: f`" in told
    twice = make_book({"01-one": chapter(cell("X = 1\nX = 2"))})
    assert "`X` is already defined" in complaint(twice)


def test_two_definitions_of_one_method(make_book: BookMaker) -> None:
    book = make_book({"01-one": chapter(
        cell("class A:\n    def f(self): ..."), cell(GROW + "@extends(A)\ndef f(self): ..."))})
    told = complaint(book)
    assert "`A.f` is already defined in one.py, at" in told and "`:replaces: A.f`" in told
    assert line_of(book, "01-one", "    def f") in told


@pytest.mark.parametrize(("replaces", "source", "says", "remedy"), [
    ("sofmax", "def sofmax(): ...", "has no `sofmax` to replace", "did you mean `softmax`?"),
    ("nothing", "x = 1", "has no `nothing` to replace", "drop the option"),
    ("softmax", "def softmx(): ...", "does not define `softmax`", "did you mean `softmx`?"),
])
def test_replacing_what_is_not_there(make_book: BookMaker, replaces: str, source: str, says: str,
                                     remedy: str) -> None:
    book = make_book({"01-one": chapter(cell("def softmax(): ..."),
                                        cell(source, replaces=replaces))})
    told = complaint(book)
    assert f"01-one.md:{book.chapters[1].cells[1].fence}: `:replaces: {replaces}`" in told
    assert says in told and remedy in told


def test_an_import_that_only_a_plain_cell_has(make_book: BookMaker) -> None:
    refuse(make_book, cell("import numpy as np", target=None), cell("X = np.pi"),
           at="X = np", says="uses `np`, which nothing in one.py defines or imports",
           remedy="add `import numpy as np` to this cell")


def test_a_name_used_before_its_chapter(make_book: BookMaker) -> None:
    book = make_book({
        "01-one": chapter(
            cell("def f():\n    return later()"),
            cell("from scratchlm.two import g\n\nprint(g)", target=None),
            cell("import scratchlm.two", target=None)),
        "02-two": chapter(cell("def later(): ..."), cell("def g(): ...", target="two.py"),
                          label="ch-two")})
    told = complaint(book)
    assert f"{line_of(book, '01-one', '    return later')}: uses `later`, which first" in told
    assert line_of(book, "02-two", "def later") in told
    assert f"{line_of(book, '01-one', 'from scratchlm.two')}: `from scratchlm.two import g`" in told
    assert line_of(book, "02-two", "def g") in told
    assert f"{line_of(book, '01-one', 'import scratchlm.two')}: " in told
    assert "build `later` before 01-one" in told


def test_an_import_of_what_the_chapter_itself_builds(make_book: BookMaker) -> None:
    refuse(make_book, cell("def f(): ..."), cell("from scratchlm.one import f", target=None),
           at="from scratchlm", says="which this chapter itself builds",
           remedy="drop the import: the notebook already has the name")


def test_modules_that_import_each_other(make_book: BookMaker) -> None:
    book = make_book({
        "01-one": chapter(cell("def f(): ...")),
        "02-two": chapter(cell("from scratchlm.one import f\ndef g():\n    return f()",
                               target="two.py")),
        "03-three": chapter(cell("from scratchlm.two import g\ndef h():\n    return g()"))})
    told = complaint(book)
    assert "modules import each other: scratchlm.one → scratchlm.two → scratchlm.one" in told
    assert line_of(book, "02-two", "from scratchlm") in told
    assert line_of(book, "03-three", "from scratchlm") in told
    assert "`if TYPE_CHECKING:`" in told


def test_a_module_and_a_folder_of_one_name(make_book: BookMaker) -> None:
    book = make_book({"01-one": chapter(cell("x = 1", target="data.py"),
                                        cell("y = 1", target="data/pack.py"))})
    told = complaint(book)
    assert "a module and a folder of one name" in told and "data/__init__.py" in told


def test_two_classes_that_each_need_the_other(make_book: BookMaker) -> None:
    refuse(make_book, cell("class A:\n    x = 1"), cell("class B(A):\n    y = 1"),
           cell(GROW + "@extends(A)\ndef f(self, b=B()): ..."),
           at="def f", says="`A.f` needs `B` while `A` is being made, and `B`",
           remedy="None as the default")


def test_a_second_docstring(make_book: BookMaker) -> None:
    refuse(make_book, cell("x = 1"), cell('"""Too late."""\n\ny = 1'), at='"""Too late',
           says="one.py already has a docstring", remedy="only the first cell")


def test_every_problem_is_told_at_once(make_book: BookMaker) -> None:
    book = make_book({"01-one": chapter(cell("def f(:"), cell("x = 1; y = 2"), cell("%magic"))})
    with pytest.raises(LoomError) as caught:
        tangle(book.chapters)
    assert len(caught.value.problems) == 3


def test_a_long_book_tangles_quickly(make_book: BookMaker) -> None:
    """Time grows with the book's length, not faster."""
    body = "\n\n\n".join(
        f"def f{{0}}_{n}(x):\n    \"\"\"A docstring.\"\"\"\n    total = [x, {n}]\n"
        "    for k in range(3):\n        total.append(k)\n    return total" for n in range(8))

    def seconds(count: int) -> float:
        cells = [cell(body.replace("{0}", f"{count}_{c}")) for c in range(count)]
        book = make_book({"01-one": chapter(*cells)})
        start = time.process_time()
        tangle(book.chapters)
        return time.process_time() - start

    assert seconds(80) < 12 * max(seconds(20), 0.02)


def test_loom_tangle_from_the_command_line(make_book: BookMaker) -> None:
    book = make_book({"01-one": chapter(cell("def f(): ..."))})

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", "from loom.cli import main; main()", *arguments],
            cwd=book.root, capture_output=True, text=True, check=False)

    assert run("tangle", "--check").returncode == 1
    done = run("tangle")
    assert done.returncode == 0 and "wrote code/scratchlm/one.py" in done.stdout
    assert run("tangle", "--check").returncode == 0
    (book.package / "one.py").write_text("x = 1\n")
    done = run("tangle", "--check")
    assert done.returncode == 1
    assert "-x = 1\n" in done.stdout and "+def f(): ...\n" in done.stdout
    assert "Traceback" not in done.stderr
