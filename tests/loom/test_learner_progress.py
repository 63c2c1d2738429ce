"""The state file: what it keeps, and what happens to one that is damaged, old or new."""

from __future__ import annotations

import errno
import json
import math
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loom.desk import progress as module
from loom.desk import records
from loom.desk.progress import (
    HOME,
    Progress,
    change_progress,
    read_progress,
    remember,
    state_file,
)
from loom.desk.records import SCHEMA
from loom.errors import LoomError


@dataclass
class Checked:
    """As much of a verdict as is remembered."""

    exercise: str
    state: str
    earned: float
    points: float = 3.0


def written(folder: Path) -> dict[str, Any]:
    data = json.loads(state_file(folder).read_text(encoding="utf-8"))
    assert isinstance(data, dict)
    return data


def test_nothing_is_written_by_reading(tmp_path: Path) -> None:
    assert read_progress(tmp_path) == Progress()
    assert not (tmp_path / HOME).exists()


def test_what_a_check_leaves_behind(tmp_path: Path) -> None:
    remember(tmp_path, Checked("softmax", "failed", 2), Checked("kahan", "not started", 0))
    remember(tmp_path, Checked("softmax", "failed", 1))
    record = read_progress(tmp_path).of("softmax")
    assert (record.best, record.of, record.attempts, record.state) == (2, 3, 2, "failed")
    assert record.passed is None and record.last
    assert "kahan" not in read_progress(tmp_path).exercises


def test_passed_stays_passed(tmp_path: Path) -> None:
    remember(tmp_path, Checked("softmax", "passed", 3))
    first = read_progress(tmp_path).of("softmax").passed
    remember(tmp_path, Checked("softmax", "broken", 0))
    record = read_progress(tmp_path).of("softmax")
    assert record.passed == first is not None
    assert (record.best, record.state) == (3, "broken")


def test_points_of_an_exercise_that_changed_are_counted_anew(tmp_path: Path) -> None:
    remember(tmp_path, Checked("softmax", "failed", 3, points=5))
    remember(tmp_path, Checked("softmax", "failed", 1, points=2))
    record = read_progress(tmp_path).of("softmax")
    assert (record.best, record.of, record.attempts) == (1, 2, 2)


def test_hints_and_giving_up(tmp_path: Path) -> None:
    with change_progress(tmp_path) as progress:
        progress.hinted("softmax", 2)
        progress.hinted("softmax", 1)
        progress.gave_up("softmax")
    record = read_progress(tmp_path).of("softmax")
    assert record.hints == 2 and record.gave_up and record.attempts == 0
    with change_progress(tmp_path) as progress:
        progress.checked(Checked("kahan", "passed", 3))
        progress.gave_up("kahan")
    assert read_progress(tmp_path).of("kahan").gave_up is None


def test_unknown_fields_are_kept(tmp_path: Path) -> None:
    state_file(tmp_path).parent.mkdir()
    state_file(tmp_path).write_text(json.dumps({
        "schema": SCHEMA, "streak": 5, "quiz": {"q": {"right": True, "mood": "fine"}},
        "exercises": {"softmax": {"best": 1, "of": 3, "badge": "owl"}}}), encoding="utf-8")
    assert remember(tmp_path, Checked("softmax", "passed", 3)) == []
    data = written(tmp_path)
    assert data["streak"] == 5 and data["quiz"] == {"q": {"right": True, "mood": "fine"}}
    assert data["exercises"]["softmax"]["badge"] == "owl"
    assert data["exercises"]["softmax"]["best"] == 3


@pytest.mark.parametrize("content", [
    b"", b"{", b"\xff\xfe", b"[]", b"null", b'{"exercises": {}}', b'{"schema": "1"}',
    b'{"schema": true}', b'{"schema": 0}', b"[" * 100_000])
def test_a_damaged_file_is_moved_aside(tmp_path: Path, content: bytes) -> None:
    path = state_file(tmp_path)
    path.parent.mkdir()
    path.write_bytes(content)
    progress = read_progress(tmp_path)
    assert not progress.exercises
    aside = next(path.parent.glob("progress.damaged-*.json"))
    assert aside.read_bytes() == content
    assert f"It is now {tmp_path.name}/.loom/{aside.name}. Your answers" in progress.notes[0]
    assert "loom check" in progress.notes[0]
    assert remember(tmp_path, Checked("softmax", "passed", 3)) == []  # told once


def test_what_can_be_read_of_a_damaged_file_is_kept(tmp_path: Path) -> None:
    path = state_file(tmp_path)
    path.parent.mkdir()
    bad: list[Any] = [[], {"best": "3"}, {"attempts": -1}, {"attempts": 1.5}, {"best": math.nan},
                      {"hints": True}, {"passed": 7}, {"state": None}]
    path.write_text(json.dumps({"schema": SCHEMA, "exercises": {
        "good": {"best": 2, "of": 3}, **{f"bad{n}": b for n, b in enumerate(bad)}}}),
        encoding="utf-8")
    notes = remember(tmp_path, Checked("kahan", "failed", 1))
    assert "damaged" in notes[0]
    assert set(written(tmp_path)["exercises"]) == {"good", "kahan"}
    assert len(list(path.parent.glob("progress.damaged-*.json"))) == 1


def test_a_newer_file_is_shown_and_not_changed(tmp_path: Path) -> None:
    path = state_file(tmp_path)
    path.parent.mkdir()
    text = json.dumps({"schema": SCHEMA + 1, "exercises": {
        "softmax": {"best": 2, "of": 3}, "odd": {"best": "two"}}})
    path.write_text(text, encoding="utf-8")
    assert read_progress(tmp_path).of("softmax").best == 2
    notes = remember(tmp_path, Checked("softmax", "passed", 3))
    assert len(notes) == 1 and "newer version" in notes[0]
    assert path.read_text(encoding="utf-8") == text


def test_an_older_file_is_brought_up_to_date(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    remember(tmp_path, Checked("softmax", "failed", 2))

    def rename(data: dict[str, Any]) -> dict[str, Any]:
        return data | {"exercises": {f"new-{k}": v for k, v in data["exercises"].items()}}

    monkeypatch.setattr(records, "SCHEMA", SCHEMA + 1)
    monkeypatch.setattr(records, "MIGRATIONS", {SCHEMA: rename})
    assert read_progress(tmp_path).of("new-softmax").best == 2
    remember(tmp_path, Checked("new-softmax", "passed", 3))
    assert written(tmp_path)["schema"] == SCHEMA + 1
    assert list(written(tmp_path)["exercises"]) == ["new-softmax"]


def test_two_processes_lose_nothing(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from loom.desk.progress import change_progress\n"
        "for n in range(25):\n"
        "    with change_progress(Path(sys.argv[1])) as progress:\n"
        "        progress.hinted(f'{sys.argv[2]}-{n}', 1)\n"
        "        progress.exercises.setdefault('both', progress.of('both')).attempts += 1\n")
    running = [subprocess.Popen([sys.executable, "-c", program, str(tmp_path), name])
               for name in "ab"]
    assert [process.wait(60) for process in running] == [0, 0]
    progress = read_progress(tmp_path)
    assert len(progress.exercises) == 51
    assert progress.of("both").attempts == 50


def test_a_lock_that_is_held_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from filelock import FileLock

    monkeypatch.setattr(module, "PATIENCE", 0.05)
    state_file(tmp_path).parent.mkdir()
    with FileLock(state_file(tmp_path).with_suffix(".lock")):
        notes = remember(tmp_path, Checked("softmax", "passed", 3))
    assert "not kept" in notes[0] and "another loom command" in notes[0]


def test_a_full_disk_keeps_the_old_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    remember(tmp_path, Checked("softmax", "failed", 1))

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    notes = remember(tmp_path, Checked("softmax", "passed", 3))
    assert "not kept" in notes[0] and "disk is full" in notes[0]
    monkeypatch.undo()
    assert read_progress(tmp_path).of("softmax").best == 1
    assert not list((tmp_path / HOME).glob("*.tmp"))


def test_an_error_inside_the_block_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyError), change_progress(tmp_path) as progress:
        progress.hinted("softmax", 1)
        raise KeyError
    assert read_progress(tmp_path) == Progress()


def test_a_file_in_the_folder_s_place_is_told(tmp_path: Path) -> None:
    (tmp_path / HOME).write_text("", encoding="utf-8")
    with pytest.raises(LoomError, match=r"cannot be read|cannot write"):
        read_progress(tmp_path)
    assert "not kept" in remember(tmp_path, Checked("softmax", "passed", 3))[0]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=10)


@settings(max_examples=150, deadline=None)
@given(exercises=json_values | st.dictionaries(st.text(), st.dictionaries(
    st.sampled_from(["best", "of", "attempts", "state", "passed", "hints", "x"]), json_values)),
    quiz=json_values)
def test_no_file_makes_it_fall(tmp_path_factory: pytest.TempPathFactory,
                               exercises: Any, quiz: Any) -> None:
    folder = tmp_path_factory.mktemp("state")
    path = state_file(folder)
    path.parent.mkdir()
    path.write_text(json.dumps({"schema": SCHEMA, "exercises": exercises, "quiz": quiz}),
                    encoding="utf-8")
    notes = remember(folder, Checked("softmax", "passed", 3))
    assert written(folder)["exercises"]["softmax"]["best"] >= 3
    assert not notes or len(list(path.parent.glob("progress.damaged-*.json"))) == 1
    json.dumps(written(folder))
