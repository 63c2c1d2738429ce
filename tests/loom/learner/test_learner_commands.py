"""What a learner types and reads: check, hint, solution, list, progress, doctor."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from typing import Any

import pytest

from loom.cli.checking import Bench
from loom.desk.progress import read_progress, state_file

WRONG = "def twice(x):\n    print('here I am')\n    return x * x"


@pytest.fixture
def ready(learner: Any) -> Any:
    """A learner with files."""
    learner.loom("start")
    return learner


def test_an_untouched_stub_is_not_started(ready: Any) -> None:
    said = ready.loom("check", "twice")
    assert said.code == 1
    assert re.search(r"twice \(chapter 1, exercise 1\) +my-exercises/01_first.py:\d+ +not started",
                     said.text)
    assert read_progress(ready.folder).exercises == {}


def test_full_marks(ready: Any) -> None:
    ready.answer("twice")
    said = ready.loom("check", "twice")
    assert said.code == 0
    lines = said.text.splitlines()
    assert lines[0].endswith("4 of 4 points") and lines[2].startswith("  ✓ large ones")
    assert lines[2].endswith("2/2") and "loom solution twice" in lines[-2]
    record = read_progress(ready.folder).of("twice")
    assert record.passed and record.best == 4 and record.attempts == 1


def test_a_wrong_answer(ready: Any) -> None:
    ready.answer("twice", WRONG)
    said = ready.loom("check", "1.1", "--seed", "7")
    assert said.code == 1
    assert "✗ any number" in said.text and "→ twice, not the square" in said.text
    assert "2 more: not run yet" in said.text and "--all" in said.text
    assert "It printed:\n    here I am" in said.text
    assert "Hint 1 of 2: loom hint twice" in said.text and "--seed 7" in said.text
    again = ready.loom("check", "twice", "--seed", "7")
    assert re.sub(r"[\d.]+ s\n", "", again.text) == re.sub(r"[\d.]+ s\n", "", said.text)
    everything = ready.loom("check", "twice", "--all", "--seed", "7").text
    assert "not run yet" not in everything and everything.count("✗") == 3


def test_a_chapter_with_a_broken_answer_and_a_good_one(ready: Any) -> None:
    ready.answer("twice", "def twice(x:\n    return x")
    ready.answer("half-of-it")
    said = ready.loom("check", "01")
    assert said.code == 1
    assert "half-of-it (chapter 1, exercise 2)" in said.text and "1 of 1 point" in said.text
    assert "never closed" in said.text and "my-exercises/01_first.py:" in said.text
    assert said.text.rstrip().endswith("1 of 2 exercises passed; 1 of 5 points")


@pytest.mark.parametrize("damage", [
    lambda text: "import math)\n" + text,
    lambda text: text + "# caf\xe9\n",
    lambda text: text[:text.index("# %% exercise half-of-it")]])
def test_a_damaged_file_is_no_try_at_what_was_not_started(
        ready: Any, damage: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does it start a process: there is nothing to run."""
    text = damage(ready.file.read_text(encoding="utf-8"))
    ready.file.write_bytes(text.encode("latin-1", "replace"))
    asked: list[object] = []
    monkeypatch.setattr(Bench, "of", lambda self, exercise: asked.append(exercise))
    said = ready.loom("check", "half-of-it")
    assert said.code == 1 and "my-exercises/01_first.py" in said.text
    rows = json.loads(ready.loom("list", "--json").text)["exercises"]
    assert [(r["state"], r["attempts"]) for r in rows] == [("not started", 0)] * 3
    assert not asked


def test_without_names_what_was_started(ready: Any) -> None:
    said = ready.loom("check")
    assert said.code == 1 and "nothing is started yet" in said.error
    kept = ready.file.read_text(encoding="utf-8")
    for file in ready.folder.glob("*.py"):
        file.unlink()
    said = ready.loom("check")
    assert said.code == 1 and "no exercises in my-exercises yet" in said.error
    assert "`loom start` writes them" in said.error
    ready.file.write_text(kept, encoding="utf-8")
    ready.answer("half-of-it")
    said = ready.loom("check")
    assert said.code == 0 and "twice (" not in said.text


def test_json(ready: Any) -> None:
    ready.answer("twice", WRONG)
    said = ready.loom("check", "twice", "--json", "--seed", "7")
    assert said.code == 1
    data = json.loads(said.text)
    assert (data["schema"], data["passed"], data["earned"], data["points"]) == (1, False, 0, 4)
    (one,) = data["exercises"]
    assert one["exercise"] == "twice" and one["seed"] == 7 and one["state"] == "failed"
    assert one["place"].startswith("my-exercises/01_first.py:")
    assert said.text == ready.loom("check", "twice", "--json", "--seed", "7").text
    rows = json.loads(ready.loom("list", "--json").text)["exercises"]
    assert [r["id"] for r in rows] == ["twice", "half-of-it", "thrice"]
    assert rows[0]["state"] == "tried" and rows[0]["attempts"] == 2 and rows[0]["points"] == 4
    data = json.loads(ready.loom("progress", "--json").text)
    assert data["next"] == "twice" and data["chapters"][0]["points"] == 5


def test_hints_in_their_order(ready: Any) -> None:
    said = ready.loom("hint", "twice", "2")
    assert said.code == 1 and "comes after hint 1" in said.error
    said = ready.loom("hint", "twice")
    assert "hint 1 of 2" in said.text and "Look at *the sign*." in said.text
    assert "1 hint left" in said.text
    assert "hint 2 of 2" in ready.loom("hint", "twice").text
    assert "That was the last" in ready.loom("hint", "twice").text
    assert "hint 1 of 2" in ready.loom("hint", "twice", "1").text
    assert "there is no hint 3" in ready.loom("hint", "twice", "3").error
    assert read_progress(ready.folder).of("twice").hints == 2
    assert "You have seen all 2 hints" in ready.loom("list", "twice").text


def test_the_solution_after_passing(ready: Any) -> None:
    said = ready.loom("solution", "twice")
    assert said.code == 1 and "has not passed yet" in said.error and "--give-up" in said.error
    assert "2 hints left" in said.error
    ready.answer("twice")
    ready.loom("check", "twice")
    said = ready.loom("solution", "twice")
    assert "return x * 2" in said.text and "It costs one multiplication." in said.text
    assert "Another way: by adding" in said.text and "return x / 0.5" in said.text
    assert "###" not in said.text
    assert read_progress(ready.folder).of("twice").gave_up is None


def test_giving_up_is_remembered(ready: Any) -> None:
    assert "return x * 2" in ready.loom("solution", "twice", "--give-up").text
    assert "return x * 2" in ready.loom("solution", "twice").text
    assert "solution seen" in ready.loom("list").text
    assert json.loads(ready.loom("progress", "--json").text)["next"] == "half-of-it"
    ready.answer("twice")
    ready.loom("check", "twice")
    assert re.search(r"twice .* 4/4 +passed", ready.loom("list").text)
    assert read_progress(ready.folder).of("twice").gave_up


def test_the_table(ready: Any) -> None:
    ready.answer("half-of-it")
    text = ready.loom("list").text
    assert re.search(r"1\.1 +twice +Twice as much +5 +●○○○ +0/4 +not started", text)
    assert re.search(r"1\.2 +half-of-it +Half as much +15 +●●○○ +0/1 +started", text)
    assert "2 The second chapter" in text
    assert "second" not in ready.loom("list", "1").text
    page = ready.loom("list", "twice").text
    assert "5 minutes, level 1 of 4, section “One section”" in page
    assert "see “One section”" in page and "$x_i$" in page and "NotImplementedError" in page


def test_progress(ready: Any) -> None:
    ready.answer("twice")
    ready.loom("check", "twice")
    text = ready.loom("progress").text
    assert re.search(r"1 The first chapter +█+░+ +1 of 2 passed +4/5 points", text)
    assert "1 of 3 exercises passed, 4 of 9 points." in text
    assert "Next: 1.2 Half as much (15 minutes), loom list half-of-it" in text


@pytest.mark.parametrize("width", ["40", "60", "76", "100", "300"])
def test_every_width(ready: Any, monkeypatch: pytest.MonkeyPatch, width: str) -> None:
    ready.answer("twice", WRONG)
    monkeypatch.setenv("COLUMNS", width)
    for command in (["list"], ["progress"], ["check", "twice"], ["list", "half-of-it"],
                    ["hint", "half-of-it", "1"], ["solution", "half-of-it", "--give-up"]):
        said = ready.loom(*command)
        assert said.text, said.error
        limit = min(100, int(width))
        code = ("    return", "x:", "def ", '"""', "raise")  # is never broken
        assert [line for line in said.text.splitlines() if len(line) > limit
                and not line.strip().startswith(code)] == []


@pytest.mark.parametrize(("name", "what"), [
    ("twise", "did you mean `twice`"), ("9", "no chapter 9"), ("1.9", "has 2 exercises"),
    ("", "`loom list` shows them all"), ("../../etc/passwd", "no exercise"),
    ("index", "has no exercises")])
def test_names_that_mean_nothing(ready: Any, name: str, what: str) -> None:
    said = ready.loom("check", name)
    assert said.code == 1 and what in said.error


@pytest.mark.parametrize("name", ["twice", "ex-twice", "1.1", "01.01", "`twice`", "TWICE"])
def test_names_of_one_exercise(ready: Any, name: str) -> None:
    assert "Twice as much" in ready.loom("list", name).text


@pytest.mark.parametrize("name", ["1", "01", "01-first", "my-exercises/01_first.py", "ch-first"])
def test_names_of_a_chapter(ready: Any, name: str) -> None:
    assert ready.loom("check", name).text.count("not started") == 3  # two, and their sum


def test_no_file_of_the_chapter(ready: Any) -> None:
    ready.file.unlink()
    said = ready.loom("check", "twice")
    assert said.code == 1 and "`loom start 01`" in said.error
    assert ready.loom("list").code == 0


def test_from_a_folder_below(ready: Any) -> None:
    ready.answer("twice")
    deep = ready.folder / "notes" / "of mine"
    deep.mkdir(parents=True)
    ready.here = deep
    said = ready.loom("check", "twice")
    assert said.code == 0 and "4 of 4 points" in said.text


def test_a_damaged_state_does_not_stop_a_check(ready: Any) -> None:
    ready.answer("twice")
    state_file(ready.folder).write_text("not JSON", encoding="utf-8")
    said = ready.loom("check", "twice")
    assert said.code == 0 and "The progress file was damaged" in said.text
    assert read_progress(ready.folder).of("twice").passed
    assert "damaged" not in ready.loom("check", "twice").text


def test_a_newer_state_is_told_and_kept(ready: Any) -> None:
    ready.answer("twice")
    text = json.dumps({"schema": 99, "exercises": {"half-of-it": {"best": 1, "of": 1,
                                                                  "passed": "2030"}}})
    state_file(ready.folder).write_text(text, encoding="utf-8")
    said = ready.loom("check", "twice")
    assert said.code == 0 and "newer version wrote it" in said.text
    assert re.search(r"half-of-it .* passed", ready.loom("list").text)
    assert state_file(ready.folder).read_text(encoding="utf-8") == text


def test_a_state_that_cannot_be_written_spoils_no_verdict(
        ready: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    ready.loom("check", "twice", "--json")
    ready.answer("twice")
    ready.loom("check", "twice")

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    said = ready.loom("check", "twice")
    assert said.code == 0 and "Your progress was not kept" in said.text


def test_the_file_saved_last_counts(ready: Any) -> None:
    ready.answer("twice")
    ready.loom("start", "1", "--notebook")
    assert "01_first.py" in ready.loom("check", "twice").text  # the notebook's is a stub
    path = ready.folder / "01_first.ipynb"
    data = json.loads(path.read_text(encoding="utf-8"))
    cell = next(c for c in data["cells"] if c["id"] == "twice-answer")
    cell["source"] = [cell["source"][0], "\ndef twice(x):\n", "    return x"]
    path.write_text(json.dumps(data), encoding="utf-8")
    os.utime(path, (2e9, 2e9))
    said = ready.loom("check", "twice")
    assert said.code == 1 and "01_first.ipynb, cell" in said.text
    os.utime(ready.file, (3e9, 3e9))
    assert ready.loom("check", "twice").code == 0


def test_plain_is_ascii(ready: Any) -> None:
    ready.answer("twice", WRONG)
    for command in (["check", "twice"], ["list"], ["progress"], ["list", "twice"],
                    ["hint", "twice"], ["reset", "twice"], ["start"]):
        text = ready.loom(*command, "--plain").text
        assert text and text.isascii(), command


def test_doctor(ready: Any) -> None:
    said = ready.loom("doctor", "--plain")
    assert said.code == 0, said.text
    for what in ("Python", "numpy", "torch", "3 exercises in 2 chapters", "scratchlm",
                 "for each answer", "protection", "a save is noticed", "GB free", "terminal"):
        assert what in " ".join(said.text.split()), what  # a long folder's line is cut in two
    assert "All that is needed works here." in said.text


def test_doctor_names_what_is_wrong(ready: Any, source: str) -> None:
    ready.source(source.replace(":minutes: 5", ":minutes: soon"))
    state_file(ready.folder).write_text("not JSON", encoding="utf-8")
    said = ready.loom("doctor")
    assert said.code == 1 and "soon" in said.text and "damaged" in said.text
    assert "Something does not work" in said.text


def test_a_file_that_cannot_be_read_is_told_once(ready: Any) -> None:
    text = ready.file.read_text(encoding="utf-8")
    ready.file.write_text("import (\n" + text, encoding="utf-8")
    said = ready.loom("check", "01")
    assert said.code == 1 and said.text.count("it stands above") == 1
    assert said.text.count("0 of ") == 4  # two exercises, twice in their sum
    ready.file.write_bytes(b"\xff\xfe" + text.encode("utf-16-le"))
    assert "UTF-16" in ready.loom("check", "twice").text
    ready.file.unlink()
    ready.file.mkdir()
    said = ready.loom("check", "twice")
    assert said.code == 1 and "is a folder" in said.text


def test_what_is_next_after_full_marks(ready: Any) -> None:
    ready.answer("twice")
    assert "Next: 1.2 Half as much (15 minutes)" in ready.loom("check", "twice").text
    assert "Next:" not in ready.loom("check", "half-of-it").text


def test_a_mistake_of_the_book_stops_no_other_check(ready: Any, source: str) -> None:
    ready.answer("twice")
    ready.answer("half-of-it")
    ready.source(source.replace("return x * 2", "return x * y"))
    said = ready.loom("check")
    assert said.code == 1 and "✓ half-of-it" in said.text
    assert "the reference fails" in said.error and "01-first.md:" in said.error
    data = json.loads(ready.loom("check", "--json").text)
    assert not data["passed"] and [e["exercise"] for e in data["exercises"]] == ["half-of-it"]


def test_next_stays_in_the_chapter() -> None:
    from types import SimpleNamespace as Some

    from loom.cli.tables import next_exercise

    every: Any = [Some(id=f"{c}{n}", chapter=c, number=n) for c in "abc" for n in (1, 2, 3)]
    found = {e.id: "not started" for e in every} | {"a2": "failed"}

    def following(after: str, *passed: str) -> Any:
        done = found | dict.fromkeys([after, *passed], "passed")
        one = next(e for e in every if e.id == after)
        return next_exercise(every, done, one, ["b", "c"]).id

    assert following("b1") == "b2" and following("b3") == "b1"
    assert following("b3", "b1", "b2") == "c1"
    assert following("b3", "b1", "b2", "c1", "c2", "c3") == "a1"


def test_why_is_left_out_where_the_call_is_at_fault() -> None:
    import io

    from loom.cli.screen import Screen
    from loom.cli.show import _case
    from loom.grade.verdict import Outcome

    for lines, shown in ((("it changes its argument grad", "→ work on a copy"), False),
                         (("got 1, expected 2",), True)):
        file = io.StringIO()
        _case(Screen(file=file, width=88), Outcome("a", 1, 0, "failed", lines, "the reason"))
        assert ("the reason" in file.getvalue()) == shown


@pytest.mark.parametrize("plain", [False, True])
def test_what_was_printed_is_cut_at_the_screen_s_edge(plain: bool) -> None:
    import io

    from rich.cells import cell_len

    from loom.cli.screen import Screen
    from loom.cli.show import _printed

    def shown(output: str) -> list[str]:
        file = io.StringIO()
        _printed(Screen(plain, file, 60), output)
        return file.getvalue().splitlines()

    long = shown("short\n" + "é\t字" * 9000 + "\n" + "x" * 40)
    assert len(long) == 4 and max(map(cell_len, long)) <= 60
    assert long[1] == "    short" and long[3] == "    " + "x" * 40
    assert long[2].endswith("..." if plain else "…")
    assert shown("a\n" * 15)[-1].strip(" .…") == "and 3 more lines"
    notice = "cut here: 70,000 bytes were printed, too many to keep"
    for lines in (5, 500):
        found = shown("a\n" * lines + f"… {notice}\n")
        assert len(found) == min(lines, 12) + 2 and found[-1].strip(" .…") == notice
