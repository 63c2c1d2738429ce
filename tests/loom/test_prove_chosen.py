"""Which exercises `loom prove` proves if nothing is said: those whose text has changed."""

from __future__ import annotations

import importlib.util
import subprocess
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from loom.cli import proofs
from loom.exercise.model import Exercise

spec = importlib.util.spec_from_file_location(
    "exercises_made", Path(__file__).with_name("exercises_made.py"))
assert spec is not None and spec.loader is not None
beside = importlib.util.module_from_spec(spec)
spec.loader.exec_module(beside)

CHAPTERS = {"01-small": 3, "02-large": 2}
LINES = 10  # of each exercise's text


def git(root: Path, *arguments: str) -> None:
    subprocess.run(["git", "-c", "user.name=A", "-c", "user.email=a@b.c", *arguments],
                   cwd=root, check=True, capture_output=True)


def commit(root: Path) -> None:
    git(root, "add", "-A")
    git(root, "commit", "--allow-empty", "-m", "more")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A book's folder with two files of exercises, committed, and one commit more."""
    monkeypatch.setattr(proofs, "COMMITS", 1)
    (tmp_path / "exercises").mkdir()
    for chapter, count in CHAPTERS.items():
        text = "".join(f"{chapter}, line {i}\n" for i in range(5 + LINES * count))
        (tmp_path / "exercises" / f"{chapter}.md").write_text(text)
    git(tmp_path, "init", "-q")
    commit(tmp_path)
    commit(tmp_path)
    return tmp_path


def chosen(root: Path) -> list[str]:
    """What is proven, as chapter and number: the exercise at lines 6 to 15 is the first."""
    one: Exercise = beside.made("def f(x):\n    return x", "")
    book: dict[str, list[Exercise]] = {
        chapter: [replace(one, id=f"{chapter[:2]}.{i + 1}", line=6 + LINES * i,
                          path=root / "exercises" / f"{chapter}.md") for i in range(count)]
        for chapter, count in CHAPTERS.items()}
    at: Any = SimpleNamespace(root=root)
    return [exercise.id for exercise in proofs.recent(at, book)]


def edit(root: Path, line: int, new: str | None) -> None:
    path = root / "exercises" / "01-small.md"
    lines = path.read_text().splitlines(keepends=True)
    lines[line - 1:line] = [] if new is None else [new]
    path.write_text("".join(lines))


def test_where_nothing_changed_each_chapter_has_one_by_turns(root: Path) -> None:
    turns = []
    for _ in range(6):
        turns.append(chosen(root))
        commit(root)
    assert {one for turn in turns for one in turn} == {"01.1", "01.2", "01.3", "02.1", "02.2"}
    assert all(len(turn) == 2 and turn[0] < "02" < turn[1] for turn in turns)


@pytest.mark.parametrize(("line", "new", "changed"), [
    (6, "another heading\n", ["01.1"]),
    (15, "its last line\n", ["01.1"]),
    (16, "the second\n", ["01.2"]),
    (35, "the last of all\n", ["01.3"]),
    (20, "one\ntwo\nthree\n", ["01.2"]),
    (3, "the file's head\n", []),
    (20, None, ["01.2"]),
])
def test_an_exercise_is_proven_again_when_its_text_changes(
        root: Path, line: int, new: str | None, changed: list[str]) -> None:
    edit(root, line, new)
    here = [one for one in chosen(root) if one < "02"]
    assert here == changed if changed else len(here) == 1  # by turns
    commit(root)
    assert [one for one in chosen(root) if one < "02"] == here or not changed


def test_changes_further_back_are_none(root: Path) -> None:
    edit(root, 6, "another heading\n")
    edit(root, 16, "and another\n")
    commit(root)
    assert chosen(root)[:2] == ["01.1", "01.2"]
    commit(root)
    assert len(chosen(root)) == 2


def test_a_file_that_git_does_not_know_yet_is_new(root: Path) -> None:
    git(root, "rm", "-q", "--cached", "exercises/02-large.md")
    git(root, "commit", "-m", "out")
    assert chosen(root)[-2:] == ["02.1", "02.2"]


def test_a_short_history_says_nothing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proofs, "COMMITS", 30)
    assert len(chosen(root)) == sum(CHAPTERS.values())


def test_outside_git_everything_is_proven(
        root: Path, tmp_path_factory: pytest.TempPathFactory,
        monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(root.parent))
    (root / ".git").rename(tmp_path_factory.mktemp("aside") / "git")
    assert len(chosen(root)) == sum(CHAPTERS.values())
    monkeypatch.setenv("PATH", "")  # no git at all
    assert len(chosen(root)) == sum(CHAPTERS.values())
