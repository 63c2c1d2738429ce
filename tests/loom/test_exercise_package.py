"""The package that answers see, and bundles that bring it along."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from loom.book.toc import Book, read_book
from loom.errors import LoomError
from loom.exercise import package
from loom.exercise.bundle import NAME, read_bundle, write_bundle
from loom.exercise.model import Code, Exercise, Mutant
from loom.exercise.package import package_folder

EXERCISE = Exercise(
    id="double-up", title="Twice", chapter="02-second", chapter_number=2, number=1, minutes=5,
    level=1, section="sec-two", libraries=frozenset({"torch"}), package=None,
    statement="Write “it”.", statement_line=9, stub="def twice(x):\n    raise NotImplementedError",
    solution="def twice(x):\n    return 2 * x", answer_line=20, names=("twice",), asked=("twice",),
    hints=("One.", "Two."), cases=Code("cases", 'case("a", lambda r: [1], why="b")', 30),
    accepted=(Code("as a sum", "def twice(x):\n    return x + x", 40),),
    wrong=(Code("thrice", "def twice(x):\n    return 3 * x", 50, "a", edited=True),),
    mutants=(Mutant("thrice", "2 * x", "3 * x", "a", 50),),
    equivalents=(("2 * x", "x * 2", "the same"),), remarks="", path=Path("exercises/02-second.md"),
    line=5)


@pytest.fixture
def book(make_book: Any) -> Book:
    """A book of three chapters, each of which adds a function."""
    def chapter(n: int) -> str:
        return (f"# Chapter {n}\n\n```{{code-cell}} python\n:tangle: part{n}.py\n"
                f"def number() -> int:\n    \"\"\"The number {n}.\"\"\"\n    return {n}\n```\n")
    made = make_book({f"0{n}-{word}": chapter(n)
                      for n, word in enumerate(("first", "second", "third"), 1)})
    assert isinstance(made, Book)
    return made


def modules(folder: Path) -> set[str]:
    return {path.name for path in (folder / "scratchlm").glob("*.py")}


def test_an_answer_sees_the_chapters_before(book: Book) -> None:
    assert modules(package_folder(book, EXERCISE)) == {"__init__.py", "part1.py"}
    first = replace(EXERCISE, chapter="01-first", chapter_number=1)
    assert modules(package_folder(book, first)) == {"__init__.py"}
    named = replace(EXERCISE, package="02-second")
    assert modules(package_folder(book, named)) == {"__init__.py", "part1.py", "part2.py"}


def test_the_folder_is_on_the_path_before_everything_else(book: Book) -> None:
    folder = package_folder(book, EXERCISE)
    done = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(folder)!r})\n"
         "import scratchlm.part1 as one; print(one.number(), one.__file__)"],
        capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1", str(folder / "scratchlm/part1.py")]


def test_book_and_folder_of_the_book_give_the_same(book: Book) -> None:
    assert package_folder(book, EXERCISE) == package_folder(book.root, EXERCISE)


def test_a_kept_package_is_found_without_parsing(book: Book,
                                                 monkeypatch: pytest.MonkeyPatch) -> None:
    folder = package_folder(book, EXERCISE)

    def never(*_: object) -> None:
        raise AssertionError("parsed again")

    monkeypatch.setattr(package, "read_book", never)
    monkeypatch.setattr(package, "_write", never)
    assert package_folder(book.root, EXERCISE) == folder
    assert package_folder(book, EXERCISE) == folder


def test_a_change_of_an_earlier_chapter_makes_another_package(book: Book) -> None:
    folder = package_folder(book, EXERCISE)
    path = book.root / "book/01-first.md"
    path.write_text(path.read_text().replace("return 1", "return 11"))
    other = package_folder(book.root, EXERCISE)
    assert other != folder and "return 11" in (other / "scratchlm/part1.py").read_text()
    later = book.root / "book/02-second.md"
    later.write_text(later.read_text().replace("return 2", "return 22"))
    assert package_folder(read_book(book.root), EXERCISE) == other


def test_a_damaged_package_is_written_again(book: Book) -> None:
    folder = package_folder(book, EXERCISE)
    shutil.rmtree(folder / "scratchlm")
    assert modules(package_folder(book, EXERCISE)) == {"__init__.py", "part1.py"}
    (folder / package.WHOLE).unlink()
    assert modules(package_folder(book, EXERCISE)) == {"__init__.py", "part1.py"}
    assert (folder / package.WHOLE).is_file()
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_old_packages_go_and_recent_ones_stay(book: Book,
                                              monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package, "KEPT", 1)
    first = package_folder(book, EXERCISE)
    second = package_folder(book, replace(EXERCISE, package="02-second"))
    assert first.is_dir() and second.is_dir()
    monkeypatch.setattr(package, "AGE", -1.0)
    third = package_folder(book, replace(EXERCISE, chapter="03-third", package="03-third"))
    assert third.is_dir() and not first.exists() and not second.exists()


def test_a_chapter_that_is_gone_is_told(book: Book) -> None:
    with pytest.raises(LoomError, match="`double-up` belongs to 07-lost, which is not in"):
        package_folder(book, replace(EXERCISE, package="07-lost"))
    with pytest.raises(LoomError, match="was read without its book"):
        package_folder(None, EXERCISE)


def test_a_bundle_gives_the_exercises_back(book: Book, tmp_path: Path) -> None:
    exercise = replace(EXERCISE, path=book.root / EXERCISE.path)
    first = replace(exercise, id="other", chapter="01-first")
    folder = tmp_path / "bundle"
    write_bundle(book, (exercise, first), folder)
    back = read_bundle(folder)
    assert [replace(e, packages=None) for e in back] == [EXERCISE, replace(
        EXERCISE, id="other", chapter="01-first")]
    assert modules(package_folder(None, back[0])) == {"__init__.py", "part1.py"}
    assert modules(package_folder(None, back[1])) == {"__init__.py"}


def test_a_bundle_is_the_same_bytes_and_leaves_nothing_old(book: Book, tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    first = replace(EXERCISE, id="other", chapter="01-first")
    write_bundle(book, (EXERCISE, first), one)
    write_bundle(book, (EXERCISE,), one)
    write_bundle(book, (EXERCISE,), two)

    def content(folder: Path) -> dict[str, bytes]:
        return {str(p.relative_to(folder)): p.read_bytes()
                for p in folder.rglob("*") if p.is_file()}

    assert content(one) == content(two)
    assert write_bundle(book, (EXERCISE,), two) == []


@pytest.mark.parametrize(("damage", "message"), [
    (lambda data: data.update(format=99), "another format"),
    (lambda data: data["exercises"][0].pop("stub"), "damaged: KeyError at 'stub'"),
    (lambda data: data["exercises"][0].update(minutes="5"), "damaged: ValueError at `minutes`"),
    (lambda data: data["exercises"][0].update(hints="one"), "damaged: ValueError at `hints`"),
    (lambda data: data["exercises"][0].update(packages="../.."), "at `packages`"),
    (lambda data: data["exercises"][0].update(packages="packages/00"), "which is not there"),
    (lambda data: data["exercises"][0]["cases"].update(more=1), "damaged: TypeError"),
    (lambda data: data.pop("exercises"), "damaged: KeyError"),
])
def test_a_damaged_bundle_is_told(book: Book, tmp_path: Path, damage: Any, message: str) -> None:
    write_bundle(book, (EXERCISE,), tmp_path)
    data = json.loads((tmp_path / NAME).read_text())
    damage(data)
    (tmp_path / NAME).write_text(json.dumps(data))
    with pytest.raises(LoomError, match=message):
        read_bundle(tmp_path)


def test_a_folder_without_a_bundle_is_told(tmp_path: Path) -> None:
    with pytest.raises(LoomError, match=r"there is no exercises\.json here"):
        read_bundle(tmp_path)
    (tmp_path / NAME).write_text("{")
    with pytest.raises(LoomError, match="is not JSON"):
        read_bundle(tmp_path)
