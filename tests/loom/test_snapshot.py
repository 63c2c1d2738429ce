"""Snapshots of the package, and the tests that belong to a chapter."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from loom.book.toc import Book
from loom.errors import LoomError
from loom.tangle.snapshot import chapter_tests, run_tests, write_snapshot

BookMaker = Callable[[Mapping[str, str]], Book]

CHAPTERS = {
    "preface": "# Preface\n",
    "01-one": '''(ch-one)=
# One

```{code-cell} python
:tangle: one.py
class A:
    """Grows."""

    def f(self):
        return 1
```
''',
    "02-two": '''(ch-two)=
# Two

```{code-cell} python
:tangle: sub/two.py
from scratchlm.one import A


def g():
    return A().f()
```

```{code-cell} python
:tangle: one.py
:replaces: A.f
from loom.extends import extends


@extends(A)
def f(self):
    return 2
```
''',
}


@pytest.fixture
def book(make_book: BookMaker) -> Book:
    made = make_book(CHAPTERS)
    tests = made.root / "tests" / "scratchlm"
    tests.mkdir(parents=True)
    (tests / "test_one.py").write_text(
        "import scratchlm\nfrom scratchlm.one import A\n\n\n"
        "def test_f():\n    assert A().f() == 1, scratchlm.__file__\n")
    (tests / "test_two.py").write_text(
        "from scratchlm.one import A\nfrom scratchlm.sub.two import g\n\n\n"
        "def test_g():\n    assert g() == A().f() == 2\n")
    (tests / "test_later.py").write_text("from scratchlm.one import Later\n")
    return made


def modules(folder: Path) -> list[str]:
    home = folder / "scratchlm"
    return sorted(p.relative_to(home).as_posix() for p in home.rglob("*") if p.is_file())


def test_a_snapshot_is_the_package_after_a_chapter(book: Book, tmp_path: Path) -> None:
    write_snapshot(book, 0, tmp_path / "0")
    assert modules(tmp_path / "0") == ["__init__.py"]
    write_snapshot(book, book.chapter(1), tmp_path / "1")
    assert modules(tmp_path / "1") == ["__init__.py", "one.py"]
    assert "return 1" in (tmp_path / "1/scratchlm/one.py").read_text()
    write_snapshot(book, "02", tmp_path / "2")
    assert modules(tmp_path / "2") == ["__init__.py", "one.py", "sub/__init__.py", "sub/two.py"]
    assert "return 2" in (tmp_path / "2/scratchlm/one.py").read_text()


def test_a_snapshot_over_another_leaves_nothing_behind(book: Book, tmp_path: Path) -> None:
    write_snapshot(book, 2, tmp_path / "s")
    write_snapshot(book, "0", tmp_path / "s")
    assert modules(tmp_path / "s") == ["__init__.py"]


def test_an_import_never_falls_through_to_another_package(book: Book, tmp_path: Path) -> None:
    write_snapshot(book, 2, tmp_path / "installed")
    write_snapshot(book, 0, tmp_path / "zero")
    code = f"import sys; sys.path[:0] = [{str(tmp_path / 'zero')!r}, " \
           f"{str(tmp_path / 'installed')!r}]\nimport scratchlm.one"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "No module named 'scratchlm.one'" in done.stderr


def test_a_snapshot_of_no_chapter(book: Book, tmp_path: Path) -> None:
    with pytest.raises(LoomError, match="no chapter `9`"):
        write_snapshot(book, 9, tmp_path / "9")


def test_a_test_belongs_to_the_chapter_that_completes_its_imports(book: Book) -> None:
    assert [p.name for p in chapter_tests(book, book.chapter(1))] == ["test_one.py"]
    assert [p.name for p in chapter_tests(book, book.chapter(2))] == ["test_two.py"]


def test_tests_of_a_chapter_run_on_its_snapshot(book: Book) -> None:
    assert run_tests(book, book.chapter(1)) == 0
    assert run_tests(book, book.chapter(2)) == 0


def test_tests_of_a_chapter_run_on_a_package_that_a_reader_typed(
        book: Book, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    typed = tmp_path / "typed" / "scratchlm"
    typed.mkdir(parents=True)
    with pytest.raises(LoomError, match="there is no scratchlm"):
        run_tests(book, book.chapter(1), typed.parent)
    (typed / "__init__.py").touch()
    (typed / "one.py").write_text("class A:\n    def f(self):\n        return 3\n")
    assert run_tests(book, book.chapter(1), typed.parent) == 1
    assert str(typed) in capfd.readouterr().out
    (typed / "one.py").write_text("class A:\n    def f(self):\n        return 1\n")
    assert run_tests(book, book.chapter(1), typed) == 0


def test_a_chapter_without_tests(book: Book) -> None:
    with pytest.raises(LoomError, match="has no tests"):
        run_tests(book, book.chapter("preface"))
