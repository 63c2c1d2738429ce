"""Properties of tangling and syncing, on random books.

A random book has functions, constants, and classes that grow over cells and
chapters, with comments, decorators, strings over several lines, replacements
and imports across modules and chapters.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import random
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loom.book.chapter import HEADER
from loom.book.toc import Book, read_book
from loom.errors import LoomError
from loom.tangle.disk import write_package
from loom.tangle.modules import Package, tangle
from loom.tangle.sync import sync

books = settings(max_examples=60, deadline=None, derandomize=True,
                 suppress_health_check=[HealthCheck.too_slow])

MEMBERS = ["max", "sum", "size", "value", "step", "reset", "forward", "name"]
TRACED = '''# Keeps a function's name.
def traced(function):
    @functools.wraps(function)
    def inner(*args, **kwargs):
        return function(*args, **kwargs)

    return inner
'''


@dataclass
class Maker:
    """Writes a random book, and keeps account of what it put in."""

    rng: random.Random
    modules: list[str] = field(default_factory=lambda: ["one.py", "two.py", "sub/three.py"])
    functions: dict[str, tuple[str, int]] = field(default_factory=dict)  # module, chapter
    classes: dict[str, tuple[str, dict[str, str]]] = field(default_factory=dict)
    closed: set[str] = field(default_factory=set)  # classes on one line, which cannot grow
    count: int = 0
    chapter: int = 0
    imported: set[str] = field(default_factory=set)

    def fresh(self, stem: str) -> str:
        self.count += 1
        return f"{stem}{self.count}"

    def body(self, margin: str, module: str, uses: list[str]) -> str:
        """The body of a function that returns something comparable."""
        rng = self.rng
        lines = []
        if rng.random() < 0.5:
            lines += ['"""Says what it does.', "", "    Indented, in the docstring.", '"""']
        if rng.random() < 0.4:
            lines += ["# A remark.", "", "scale = 3  # beside"]
        elif rng.random() < 0.2:
            lines = ['r"""Raw, and \\d."""', "", "with_words = 'a' \\", "    'b'"]
        result = [str(rng.randrange(100))]
        frozen: list[str] = []
        if rng.random() < 0.3:
            frozen = ['text = """first', "  second", "", 'third"""']
            result.append("text")
        if rng.random() < 0.2:
            lines += ["joined = (", "    'a'", "    'b'", ")"]
            result.append("joined")
        if rng.random() < 0.2:
            lines += ["def inner(x: int = 2) -> int:", "    return x + 1", ""]
            result.append("inner()")
        if rng.random() < 0.3:
            lines.append("root = math.sqrt(4)")
            self.imported.add("import math")
            result.append("root")
        if rng.random() < 0.2:
            self.imported.add("from collections import Counter, OrderedDict")
            result.append("Counter('ab')['a']")
        if uses and rng.random() < 0.5:
            result.append(f"{rng.choice(uses)}()")
        text = "".join(f"{margin}{line}\n" if line else "\n" for line in lines)
        if frozen:
            text += f"{margin}{frozen[0]}\n" + "".join(f"{line}\n" for line in frozen[1:])
        text += f"{margin}return ({', '.join(result)},)\n"
        if rng.random() < 0.1:
            text += f"{margin}# A last word.\n"
        return text

    def usable(self, module: str) -> list[str]:
        """Functions that a cell of a module may call; notes the imports it needs."""
        found = []
        order = self.modules.index(module)
        for name, (home, chapter) in self.functions.items():
            if home == module:
                found.append(name)
            elif self.modules.index(home) < order:
                if chapter < self.chapter:
                    dots = home.removesuffix(".py").replace("/", ".")
                    self.imported.add(f"from scratchlm.{dots} import {name}")
                found.append(name)
        return found

    def remark(self, margin: str = "") -> str:
        return f"{margin}# About this.\n" if self.rng.random() < 0.3 else ""

    def function(self, module: str, name: str | None = None) -> str:
        name = name or self.fresh("f")
        uses = [u for u in self.usable(module) if u < name and u != name]
        self.functions.setdefault(name, (module, self.chapter))
        arguments = self.rng.choice(["", "x: int = 1", "*args: str, key: float = 2.0"])
        return (f"{self.remark()}def {name}({arguments}) -> tuple:\n"
                + self.body("    ", module, uses))

    def constant(self) -> str:
        name = self.fresh("C")
        other = f"{name}_other"
        return self.rng.choice([
            f"{name} = {self.rng.randrange(9)}\n",
            f"# Set with care.\n{name}: list[int] = [\n    1,\n    2,\n]\n",
            f'{name} = """a\n  b\n"""\n',
            f"{name}, {other} = (lambda x: x + 1), [k for k in range(3)]\n",
            f"if len('ab') == 2:\n    {name} = 1\nelse:\n    {name} = 2\n",
            f"try:\n    import nowhere as {name}\nexcept ImportError:\n    # Not there.\n"
            f"    {name} = None\n\nassert {name} is None\n",
            f"{name} = {{}}\nfor _key in 'ab':\n    {name}[_key] = 1\n"])

    def new_class(self, module: str) -> str:
        name = self.fresh("K")
        members: dict[str, str] = {}
        base = next((c for c, (home, _) in self.classes.items()
                     if home == module and self.rng.random() < 0.3), "")
        header = f"class {name}({base}):" if base else f"class {name}:"
        if base and self.rng.random() < 0.3:
            header = f"class {name}(\n    {base},  # the base: one\n):  # of several"
        if self.rng.random() < 0.2:
            header = f"@typing.final\n# Decorated.\n{header}"
            self.imported.add("import typing")
        lines = [self.remark() + header]
        if self.rng.random() < 0.6:
            lines.append('    """A class.\n\n    More of it.\n    """\n')
        if self.rng.random() < 0.5:
            lines.append("    count: int = 0\n    # The other.\n    other: str = 'o'\n")
        if self.rng.random() < 0.2:
            lines.append("    table = [k for k in range(3)]\n\n\n"
                         '    text = """a\n  b\n"""\n')
        if self.rng.random() < 0.2:
            lines.append("\n    # The first thing.\n    class Config:\n        deep = 1\n\n"
                         "        # Deeper.\n        def f(self): return 2\n"
                         "        # After it.\n")
        if self.rng.random() < 0.5:
            lines.append("    def own(self) -> tuple:\n"
                         + self.body("        ", module, self.usable(module)).rstrip("\n"))
            members["own"] = "method"
        if len(lines) == 1 and lines[0].endswith(":") and self.rng.random() < 0.3:
            lines[0] += " ..."
            self.closed.add(name)
        elif len(lines) == 1:
            lines.append(self.rng.choice(["    pass", "    ..."]))
        self.classes[name] = (module, members)
        return "\n".join(lines).rstrip("\n") + "\n"

    def growth(self, module: str, replacing: bool = False) -> tuple[str, str] | None:
        """A grown or replaced member: its text and its full name."""
        rng = self.rng
        here = [c for c, (home, members) in self.classes.items()
                if home == module and c not in self.closed and (members or not replacing)]
        if not here:
            return None
        cls = rng.choice(here)
        members = self.classes[cls][1]
        if replacing:
            name = rng.choice(list(members))
            kind = members[name]
        else:
            free = [m for m in MEMBERS if m not in members]
            if not free:
                return None
            name = rng.choice(free)
            kind = rng.choice(["method", "method", "traced", "property", "setter",
                               "classmethod", "staticmethod", "cached", "async"])
            members[name] = kind
        if kind == "traced":
            self.usable(module)
        decorator = {"property": "@property\n", "setter": "@property\n",
                     "classmethod": "@classmethod\n", "staticmethod": "@staticmethod\n",
                     "cached": "@functools.cached_property\n",
                     "traced": f"@traced_{_stem(module)}\n"}.get(kind, "")
        if kind == "cached":
            self.imported.add("import functools")
        first = {"classmethod": "cls", "staticmethod": ""}.get(kind, "self")
        word = "async def" if kind == "async" else "def"
        extends = rng.choice([f"@extends({cls})", f"@extends({cls})", f"@extends(\n    {cls}\n)"])
        extends += rng.choice(["\n", "\n", "\n# Between decorators.\n"])
        text = (f"{self.remark()}{extends}{decorator}{word} {name}({first}) -> tuple:\n"
                + self.body("    ", module, self.usable(module)))
        if kind == "setter":
            text += (f"\n\n@extends({cls})\n@{cls}.{name}.setter\n"
                     f"def {name}(self, new: int) -> None:\n    self.kept = new\n")
        return text, f"{cls}.{name}"

    def book(self) -> dict[str, str]:
        """Chapters by file name."""
        rng = self.rng
        chapters: dict[str, str] = {}
        opened: set[str] = set()
        for self.chapter in range(rng.randint(1, 3)):
            text = [f"(ch-{self.chapter})=\n# Chapter {self.chapter}\n"]
            for cell in range(rng.randint(1, 6)):
                if rng.random() < 0.5:
                    text.append(f"\n(sec-{self.chapter}-{cell})=\n## Section {cell}\n\nWords.\n")
                module = rng.choice(self.modules)
                self.imported = set()
                pieces: list[str] = []
                replaced: list[str] = []
                if module not in opened:
                    pieces.append(TRACED.replace("traced(", f"traced_{_stem(module)}("))
                    self.imported.add("import functools")
                known = {n for n, (home, _) in self.functions.items() if home == module}
                old_members = {c: dict(m) for c, (_, m) in self.classes.items()}
                for _ in range(rng.randint(1, 3)):
                    kind = rng.choice(["function", "constant", "class", "grow", "grow",
                                       "replace", "replace member"])
                    if kind == "function":
                        pieces.append(self.function(module))
                    elif kind == "constant":
                        pieces.append(self.constant())
                    elif kind == "class":
                        pieces.append(self.new_class(module))
                    elif kind == "replace":
                        free = sorted(known - set(replaced))
                        if free:
                            name = rng.choice(free)
                            pieces.append(self.function(module, name))
                            replaced.append(name)
                    else:
                        grown = self.growth(module, replacing=kind == "replace member")
                        if grown is None:
                            continue
                        cls, name = grown[1].split(".")
                        if kind == "replace member":
                            if name not in old_members.get(cls, {}) or grown[1] in replaced:
                                continue
                            replaced.append(grown[1])
                        pieces.append(grown[0])
                if not pieces:
                    continue
                options = f":tangle: {module}\n"
                if replaced:
                    options += f":replaces: {', '.join(replaced)}\n"
                source = "\n\n".join(pieces)
                if "@extends" in source:
                    self.imported.add("from loom.extends import extends")
                docstring = '"""What this module is for."""\n\n' \
                    if module not in opened and rng.random() < 0.5 else ""
                opened.add(module)
                imports = sorted(self.imported)
                rng.shuffle(imports)
                source = docstring + "".join(f"{i}\n" for i in imports) + \
                    ("\n\n" if imports else "") + source
                text.append(f"\n```{{code-cell}} python\n{options}{source}```\n\nAnd so on.\n")
            chapters[f"{self.chapter + 1:02d}-c"] = "".join(text)
        return chapters


def _stem(module: str) -> str:
    return module.removesuffix(".py").replace("/", "_")


def random_book(rng: random.Random, root: Path) -> tuple[Book, Maker]:
    maker = Maker(rng)
    folder = root / "book"
    folder.mkdir(parents=True)
    (folder / "index.md").write_text("# Index\n")
    chapters = maker.book()
    for name, body in chapters.items():
        (folder / f"{name}.md").write_text(f"{HEADER}\n\n{body}")
    (root / "_toc.yml").write_text("format: jb-book\nroot: book/index\nchapters:\n" + "".join(
        f"  - file: book/{name}\n" for name in chapters))
    return read_book(root), maker


@contextmanager
def a_book(rng: random.Random) -> Iterator[tuple[Book, Maker]]:
    with tempfile.TemporaryDirectory() as folder:
        yield random_book(rng, Path(folder).resolve())


def notebook(book: Book) -> dict[str, Any]:
    """Run all tangled cells in order, as one long notebook, with the real ``extends``."""
    names: dict[str, Any] = {"__name__": "notebook"}
    for chapter in book.chapters:
        for cell in chapter.cells:
            if cell.target:
                source = re.sub(r"^from scratchlm\..*$", "", cell.source, flags=re.MULTILINE)
                code = compile("from __future__ import annotations\n" + source,
                               str(cell.place()), "exec")
                exec(code, names)
    return names


@contextmanager
def imported(package: Package) -> Iterator[dict[str, Any]]:
    """The names of all modules of a package, imported afresh."""
    with tempfile.TemporaryDirectory() as folder:
        for path, text in package.files.items():
            file = Path(folder) / "scratchlm" / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        saved = {n: sys.modules.pop(n) for n in list(sys.modules) if n.split(".")[0] == "scratchlm"}
        sys.path.insert(0, folder)
        importlib.invalidate_caches()
        names: dict[str, Any] = {}
        try:
            for path in package.files:
                if path.name != "__init__.py":
                    dots = "scratchlm." + ".".join(path.with_suffix("").parts)
                    names.update(vars(importlib.import_module(dots)))
            yield names
        finally:
            sys.path.remove(folder)
            for name in [n for n in sys.modules if n.split(".")[0] == "scratchlm"]:
                del sys.modules[name]
            sys.modules.update(saved)


def doc(thing: Any) -> str:
    """Its own docstring, without the margin."""
    return inspect.cleandoc(thing.__doc__ or "")


def behavior(names: dict[str, Any], maker: Maker) -> dict[str, Any]:
    """What every function and member gives back, and what it says of itself."""
    seen: dict[str, Any] = {}
    for name in maker.functions:
        seen[name] = (names[name](), doc(names[name]),
                      str(inspect.signature(names[name])))
    for cls, (_, members) in maker.classes.items():
        made = names[cls]()
        seen[cls] = (doc(names[cls]), [b.__name__ for b in names[cls].__mro__])
        for member, kind in members.items():
            full = f"{cls}.{member}"
            if kind == "setter":
                setattr(made, member, 7)
                assert made.kept == 7
            value = getattr(made, member)
            if kind == "async":
                coroutine = value()
                try:
                    coroutine.send(None)
                except StopIteration as done:
                    seen[full] = done.value
            elif kind in ("property", "setter", "cached"):
                seen[full] = value
            else:
                seen[full] = (value(), value.__qualname__, doc(value))
    return seen


@books
@given(st.randoms(use_true_random=False))
def test_module_behaves_like_the_cells(rng: random.Random) -> None:
    with a_book(rng) as (book, maker):
        expected = behavior(notebook(book), maker)
        with imported(tangle(book.chapters)) as names:
            assert behavior(names, maker) == expected


@books
@given(st.randoms(use_true_random=False))
def test_no_definition_is_lost_and_none_is_there_twice(rng: random.Random) -> None:
    with a_book(rng) as (book, maker):
        package = tangle(book.chapters)
        found: Counter[str] = Counter()
        for text in package.files.values():
            for node in ast.parse(text).body:
                if isinstance(node, ast.FunctionDef | ast.ClassDef):
                    found[node.name] += 1
                if isinstance(node, ast.ClassDef):
                    for inner in node.body:
                        if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef):
                            setter = any(isinstance(d, ast.Attribute) and d.attr == "setter"
                                         for d in inner.decorator_list)
                            found[f"{node.name}.{inner.name}" + (" setter" if setter else "")] += 1
        expected = [*maker.functions, *maker.classes]
        for cls, (_, members) in maker.classes.items():
            expected += [f"{cls}.{member}" for member in members]
        expected += [f"traced_{_stem(str(m))}" for m in package.files if m.name != "__init__.py"]
        plain = {name: count for name, count in found.items() if not name.endswith(" setter")}
        assert plain == dict.fromkeys(expected, 1)
        assert set(found.values()) <= {1}


@books
@given(st.randoms(use_true_random=False))
def test_every_line_leads_to_the_book_and_back(rng: random.Random) -> None:
    with a_book(rng) as (book, _):
        package = tangle(book.chapters)
        texts = {chapter.path: chapter.text.split("\n") for chapter in book.chapters}
        for module, origins in package.origins.items():
            lines = package.files[module].removesuffix("\n").split("\n")
            assert len(lines) == len(origins)
            for number, (line, origin) in enumerate(zip(lines, origins, strict=True), 1):
                if origin is None:
                    continue
                assert (module, number) in package.landings(origin)
                if not re.match(r"\s*(# §|from|import|if TYPE|@|    \w+,|\))", line):
                    assert texts[origin.path][(origin.line or 0) - 1].strip() == line.strip()


@books
@given(st.randoms(use_true_random=False))
def test_sync_of_an_unchanged_package_does_nothing(rng: random.Random) -> None:
    with a_book(rng) as (book, _):
        package = tangle(book.chapters)
        write_package(book, package)
        before = {c.path: c.path.read_bytes() for c in book.chapters}
        assert sync(book) == []
        assert {c.path: c.path.read_bytes() for c in book.chapters} == before
        assert tangle(read_book(book.root).chapters).files == package.files


def margin_of(line: str) -> str:
    return line[:len(line) - len(line.lstrip())]


def edit_something(rng: random.Random, text: str) -> str:
    """Edit a module the way a person would: bodies, signatures, docstrings, comments."""
    lines = text.split("\n")
    kind = rng.choice(["return", "comment", "docstring", "signature", "above", "line", "import",
                       "decorator", "remark", "string"])
    heads = [n for n, line in enumerate(lines) if re.match(r"\s*(async )?def \w+\(", line)]
    returns = [n for n, line in enumerate(lines) if re.match(r"\s*return \(", line)]
    if not heads or not returns:
        return text
    n = rng.choice(returns)
    margin = margin_of(lines[n])
    if kind == "return":
        lines[n] = re.sub(r"\(\d+", f"({rng.randrange(100, 999)}", lines[n])
    elif kind == "comment":
        lines.insert(n, f"{margin}# New in the package.")
    elif kind == "line":
        lines[n:n] = [f"{margin}extra = [", f"{margin}    1,", f"{margin}]", "",
                      f"{margin}del extra"]
    elif kind == "docstring":
        lines = [re.sub(r"Says what it does", "Says it better", line) for line in lines]
    elif kind == "string":
        lines = [line.replace("  second", "   second, edited") for line in lines]
    elif kind == "remark":
        lines = [line for line in lines if line.strip() != "# A remark."]
    elif kind == "signature":
        at = rng.choice(heads)
        lines[at] = re.sub(r"\) -> tuple:", r") -> tuple:  # edited", lines[at])
    elif kind == "above":
        at = rng.choice(heads)
        while lines[at - 1].strip().startswith("@"):
            at -= 1
        lines.insert(at, f"{margin_of(lines[at])}# Said above.")
    elif kind == "decorator":
        at = rng.choice(heads)
        traced = next((re.match(r"def (traced_\w+)", line)[1] for line in lines
                       if line.startswith("def traced_")), None)
        start = next((k for k, line in enumerate(lines) if line.startswith("def traced_")), 0)
        if traced and at > start + 6:
            top = at
            while lines[top - 1].strip().startswith("@"):
                top -= 1
            if not any(".setter" in line or "property" in line or "method" in line
                       for line in lines[top:at]):
                lines.insert(at, f"{margin_of(lines[at])}@{traced}")
    elif kind == "import" and "import zlib" not in text:
        lines[n:n] = [f"{margin}check = zlib.crc32(b'x')", f"{margin}del check"]
        at = next(k for k, line in enumerate(lines) if line.startswith("from __future__"))
        block = next((k for k in range(at + 1, len(lines))
                      if lines[k].startswith("import ")), None)
        if block is None:
            follow = next((k for k in range(at + 1, len(lines)) if lines[k]), at + 2)
            if lines[follow].startswith("from "):
                lines.insert(at + 2, "import zlib")
                if "scratchlm" in lines[follow + 1]:
                    lines.insert(at + 3, "")
            else:
                lines[at + 1:at + 1] = ["", "import zlib"]
        else:
            while lines[block].startswith("import "):
                block += 1
            lines.insert(block, "import zlib")
    return "\n".join(lines)


@settings(books, max_examples=100)
@given(st.randoms(use_true_random=False))
def test_edits_of_the_package_reach_the_book(rng: random.Random) -> None:
    with a_book(rng) as (book, _):
        package = tangle(book.chapters)
        write_package(book, package)
        edited: dict[PurePosixPath, str] = {}
        for module in [m for m in package.files if m.name != "__init__.py"]:
            text = package.files[module]
            for _ in range(rng.randint(0, 3)):
                text = edit_something(rng, text)
            edited[module] = text
            (book.package / module).write_text(text)
        changed = {m for m, text in edited.items() if text != package.files[m]}
        carried = sync(book)
        assert {c.module for c in carried} == changed
        again = tangle(read_book(book.root).chapters)
        assert {m: again.files[m] for m in edited} == edited
        assert sync(read_book(book.root)) == []
        cells = [c.options for chapter in book.chapters for c in chapter.cells]
        assert cells == [c.options for chapter in read_book(book.root).chapters
                         for c in chapter.cells]


def spoil(rng: random.Random, text: str) -> str:
    """Change a text anyhow, one to three times."""
    lines = text.split("\n")
    for _ in range(rng.randint(1, 3)):
        n = rng.randrange(len(lines))
        kind = rng.choice(["delete", "double", "insert", "indent", "cut", "swap", "blank"])
        if kind == "delete" and len(lines) > 1:
            del lines[n]
        elif kind == "double":
            lines.insert(n, lines[n])
        elif kind == "insert":
            lines.insert(n, rng.choice(["x = 1", "    y = 2", "def new(): ...", "# § sec-wrong",
                                        "# loose", "import os", "    @property", '"""', ")",
                                        "class New:", "        return 5", "from . import a"]))
        elif kind == "indent":
            lines[n] = "    " + lines[n]
        elif kind == "cut":
            lines[n] = lines[n][: rng.randrange(len(lines[n]) + 1)]
        elif kind == "blank":
            lines.insert(n, "")
        else:
            other = rng.randrange(len(lines))
            lines[n], lines[other] = lines[other], lines[n]
    return "\n".join(lines)


@settings(books, max_examples=150)
@given(st.randoms(use_true_random=False))
def test_any_change_of_the_package_is_carried_exactly_or_refused(rng: random.Random) -> None:
    with a_book(rng) as (book, _):
        package = tangle(book.chapters)
        write_package(book, package)
        module = rng.choice([m for m in package.files if m.name != "__init__.py"])
        text = spoil(rng, package.files[module])
        (book.package / module).write_text(text)
        before = {c.path: c.path.read_bytes() for c in book.chapters}
        try:
            sync(book)
        except LoomError as error:
            assert all(problem.place for problem in error.problems)
            assert {c.path: c.path.read_bytes() for c in book.chapters} == before
            assert (book.package / module).read_text() == text
        else:
            assert tangle(read_book(book.root).chapters).files[module] == text


@settings(books, max_examples=150)
@given(st.randoms(use_true_random=False))
def test_any_change_of_a_chapter_is_tangled_or_refused(rng: random.Random) -> None:
    with a_book(rng) as (book, _):
        chapter = rng.choice([c for c in book.chapters if c.cells] or [book.chapters[-1]])
        chapter.path.write_text(spoil(rng, chapter.text))
        try:
            package = tangle(read_book(book.root).chapters)
        except LoomError as error:
            assert all(problem.place and problem.what and problem.remedy
                       for problem in error.problems), error
        else:
            for text in package.files.values():
                compile(text, "module", "exec")
