"""``loom start`` and ``loom reset``: files that are written once and then only added to."""

from __future__ import annotations

import errno
import json
import os
import shutil
import stat
import tempfile
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given as given_edits
from hypothesis import settings
from hypothesis import strategies as st

from loom.desk.desk import Desk
from loom.desk.layout import lay_out, reset
from loom.desk.shelf import read_shelf
from loom.errors import LoomError
from loom.exercise.answers import read_answers
from loom.exercise.derive import student_file

THIRD = '''
:::{exercise} A third
:id: a-third
:minutes: 5
:level: 1
:section: sec-one

Write `third()`.
:::

```{code-cell} python
:tags: [ex-answer]
def third() -> int:
    """Three.

    >>> third()
    3
    """
    ### BEGIN SOLUTION
    return 3
    ### END SOLUTION
```

:::{exercise-hint}
Count.
:::

:::{exercise-hint}
One, two.
:::

```{code-cell} python
:tags: [ex-cases, remove-cell]
case("three", lambda r: [], why="it is three")
```

```{code-cell} python
:tags: [ex-accept, remove-cell]
# by adding
def third():
    return 1 + 2
```

```{code-cell} python
:tags: [ex-accept, remove-cell]
# by taking away
def third():
    return 4 - 1
```
'''


def with_third(source: str, first: bool = False) -> str:
    """The first chapter with one exercise more, at its end or at its start."""
    if not first:
        return source + THIRD
    place = source.index(":::{exercise} Twice")
    return source[:place] + THIRD.lstrip() + "\n" + source[place:]


def started(learner: Any) -> dict[str, bool | str]:
    """What the first chapter's file holds."""
    exercises = read_shelf(learner.root).by_chapter["01-first"]
    found = read_answers(learner.file, exercises)
    return {a.exercise: str(a.problem) if a.problem else a.started for a in found.values()}


def test_files_are_written_and_the_next_step_told(learner: Any) -> None:
    said = learner.loom("start")
    assert said.code == 0
    assert "my-exercises/01_first.py  2 exercises, 20 minutes" in said.text
    assert "02_second.py  1 exercise, 5 minutes" in said.text
    assert "loom watch 01" in said.text and "loom check twice" in said.text
    assert started(learner) == {"twice": False, "half-of-it": False}
    assert "return x * 2" not in learner.file.read_text(encoding="utf-8")


def test_only_the_chapters_asked_for(learner: Any) -> None:
    learner.loom("start", "2")
    assert not learner.file.exists() and (learner.folder / "02_second.py").exists()
    assert "01_first.py" in learner.loom("start", "01-first").text


def test_work_is_never_overwritten(learner: Any) -> None:
    learner.loom("start")
    learner.answer("twice", "def twice(x):\n    return x + 1  # mine")
    before = learner.file.read_bytes()
    for arguments in ([], ["1"], ["--notebook"], ["01-first"]):
        assert learner.loom("start", *arguments).code == 0
        assert learner.file.read_bytes() == before


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_new_exercise_is_added(learner: Any, source: str, first: bool, end: str) -> None:
    learner.loom("start")
    learner.answer("twice", "def twice(x):\n    return x + 1  # mine\n")
    text = learner.file.read_bytes().decode().replace("\n", end)
    learner.file.write_bytes(text.encode())
    learner.source(with_third(source, first))
    said = learner.loom("start")
    assert "added: a-third" in said.text
    assert started(learner) == {"twice": True, "half-of-it": False, "a-third": False}
    new = learner.file.read_bytes().decode()
    assert "return x + 1  # mine" in new
    assert new.count("\r\n") == (new.count("\n") if end == "\r\n" else 0)
    assert (new.index("a-third") < new.index("exercise twice")) == first
    for line in text.split(end):  # an exercise's number may change, its text never
        assert line.startswith("# %% exercise") or line in new
    assert "has changed" not in said.text
    (copy,) = (learner.folder / ".loom" / "kept").iterdir()
    assert copy.read_bytes().decode() == text and "load it again" in said.text
    again = learner.loom("start")
    assert "nothing to add" in again.text
    assert learner.file.read_bytes().decode() == new


def test_an_untouched_stub_follows_the_book(learner: Any, source: str) -> None:
    learner.loom("start")
    learner.source(source.replace("Write `half(x)`.", "Write `half(x)`, for any array."))
    assert "brought up to date: half-of-it" in learner.loom("start").text
    assert "for any array" in learner.file.read_text(encoding="utf-8")
    assert started(learner) == {"twice": False, "half-of-it": False}


def test_a_new_statement_above_the_learner_s_code(learner: Any, source: str) -> None:
    learner.loom("start")
    learner.answer("half-of-it", "def half(x):\n    return x  # mine\n# a note")
    learner.source(source.replace("Write `half(x)`.", "Write `half(x)`, for any array."))
    said = learner.loom("start")
    assert "the statement of `half-of-it` has changed; your answer is as it was" in said.text
    text = learner.file.read_text(encoding="utf-8")
    assert "for any array" in text and "return x  # mine\n# a note" in text
    assert "nothing to add" in learner.loom("start").text


def test_a_statement_that_the_learner_has_edited_stays(learner: Any, source: str) -> None:
    learner.loom("start")
    learner.edit("# Write `half(x)`.", "# Write half. I think: divide!")
    before = learner.file.read_bytes()
    learner.source(source.replace("Write `half(x)`.", "Write `half(x)`, for any array.")
                   .replace("def half(x: np.ndarray)", "def half(x: np.ndarray, n: int = 1)"))
    said = learner.loom("start")
    assert "`half-of-it` has changed in the book; your text is as it was" in said.text
    assert "The stub has changed too" in said.text
    assert learner.file.read_bytes() == before


def test_what_was_given_is_not_known(learner: Any, source: str) -> None:
    learner.loom("start")
    (learner.folder / ".loom" / "given.json").write_text("{", encoding="utf-8")
    before = learner.file.read_bytes()
    learner.source(source.replace("Write `half(x)`.", "Write `half(x)`, for any array."))
    assert learner.loom("start").code == 0
    assert learner.file.read_bytes() == before  # it might be the learner's own


@pytest.mark.parametrize("broken", [
    b"", b"\xff\xfe\x00", b"x = 1\n", b"import (\n# %% exercise twice\n"])
def test_a_file_that_cannot_be_read_is_left_alone(learner: Any, broken: bytes) -> None:
    learner.loom("start")
    learner.file.write_bytes(broken)
    said = learner.loom("start")
    assert "nothing added, because" in said.text
    assert learner.file.read_bytes() == broken


def test_a_deleted_marker_is_told_and_no_second_stub_added(learner: Any) -> None:
    learner.loom("start")
    learner.answer("half-of-it")
    text = learner.file.read_text(encoding="utf-8")
    line = next(line for line in text.split("\n") if line.startswith("# %% exercise half"))
    learner.edit(line + "\n", "")
    before = learner.file.read_bytes()
    said = learner.loom("start")
    assert "`half-of-it` not added" in said.text and "# %% exercise half-of-it" in said.text
    assert learner.file.read_bytes() == before


def test_an_exercise_that_left_the_book_stays_in_the_file(learner: Any, source: str) -> None:
    learner.source(with_third(source))
    learner.loom("start")
    learner.answer("a-third")
    learner.source(source)
    said = learner.loom("start")
    assert "`a-third` is no exercise of this chapter; your text stays" in said.text
    assert "return 3" in learner.file.read_text(encoding="utf-8")


def test_a_notebook(learner: Any, source: str) -> None:
    learner.loom("start", "1", "--notebook")
    path = learner.folder / "01_first.ipynb"
    assert not learner.file.exists()
    data = json.loads(path.read_text(encoding="utf-8"))
    cell = next(c for c in data["cells"] if c["id"] == "twice-answer")
    cell["source"] = [cell["source"][0], "def twice(x):\n", "    return x  # mine"]
    cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "hello"}]
    data["metadata"]["mine"] = True
    path.write_text(json.dumps(data), encoding="utf-8")
    learner.source(with_third(source, first=True).replace("Write `twice(x)`", "Please write it"))
    said = learner.loom("start", "1", "--notebook")
    assert "added: a-third" in said.text and "statement of `twice` has changed" in said.text
    data = json.loads(path.read_text(encoding="utf-8"))
    names = [c["id"] for c in data["cells"]]
    assert names.index("a-third-answer") < names.index("twice-statement")
    assert data["metadata"]["mine"]
    cell = next(c for c in data["cells"] if c["id"] == "twice-answer")
    assert "# mine" in "".join(cell["source"]) and cell["outputs"]
    assert "Please" in "".join(next(c for c in data["cells"]
                                    if c["id"] == "twice-statement")["source"])
    assert "nothing to add" in learner.loom("start", "1", "--notebook").text
    said = learner.loom("reset", "twice")
    assert "is a stub again" in said.text
    data = json.loads(path.read_text(encoding="utf-8"))
    cell = next(c for c in data["cells"] if c["id"] == "twice-answer")
    assert "NotImplementedError" in "".join(cell["source"]) and not cell["outputs"]


def test_a_cell_with_two_exercises_is_not_torn(learner: Any) -> None:
    learner.loom("start", "1", "--notebook")
    path = learner.folder / "01_first.ipynb"
    data = json.loads(path.read_text(encoding="utf-8"))
    one, two = (next(c for c in data["cells"] if c["id"] == f"{name}-answer")
                for name in ("twice", "half-of-it"))
    one["source"] = [*one["source"], "\n", *two["source"]]
    data["cells"].remove(two)
    path.write_text(json.dumps(data), encoding="utf-8")
    said = learner.loom("reset", "twice")
    assert said.code == 1 and "holds more than one exercise" in said.error


def test_reset_keeps_the_answer(learner: Any) -> None:
    learner.loom("start")
    learner.answer("twice", "def twice(x):\n    return x + 1  # mine")
    learner.answer("half-of-it")
    said = learner.loom("reset", "twice")
    assert "twice is a stub again in my-exercises/01_first.py" in said.text
    copies = list((learner.folder / ".loom" / "kept").glob("twice-*.py"))
    assert len(copies) == 1 and copies[0].name in said.text
    kept = copies[0].read_text(encoding="utf-8")
    assert "# mine" in kept and kept.startswith("# %% exercise twice")
    assert started(learner) == {"twice": False, "half-of-it": True}
    for _ in range(2):
        learner.loom("reset", "twice")
    assert len(list((learner.folder / ".loom" / "kept").iterdir())) == 3


def test_reset_of_an_answer_that_is_there_twice(learner: Any) -> None:
    learner.loom("start")
    text = learner.file.read_text(encoding="utf-8")
    learner.file.write_text(text + "# %% exercise twice\ndef twice(x):\n    return 7\n",
                            encoding="utf-8")
    learner.loom("reset", "1.1")
    assert started(learner) == {"twice": False, "half-of-it": False}
    (copy,) = (learner.folder / ".loom" / "kept").iterdir()
    assert "return 7" in copy.read_text(encoding="utf-8")


def test_reset_of_a_syntax_error_and_of_a_missing_exercise(learner: Any) -> None:
    learner.loom("start")
    learner.edit("def twice(x: float) -> float:", "def twice(x: float -> float:")
    assert "syntax" in str(started(learner)["twice"])
    learner.loom("reset", "twice")
    text = learner.file.read_text(encoding="utf-8")
    learner.file.write_text(text[:text.index("# %% exercise half")], encoding="utf-8")
    said = learner.loom("reset", "half-of-it")
    assert "was not in" in said.text
    assert started(learner) == {"twice": False, "half-of-it": False}


def test_a_full_disk_changes_nothing(learner: Any, source: str,
                                     monkeypatch: pytest.MonkeyPatch) -> None:
    learner.loom("start")
    before = learner.file.read_bytes()
    learner.source(with_third(source))
    read_shelf(learner.root)

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    for command in (["start"], ["reset", "twice"]):
        said = learner.loom(*command)
        assert said.code == 1 and "the disk is full" in said.error
        assert learner.file.read_bytes() == before
    assert not list(learner.folder.rglob("*.tmp"))


def test_another_s_mode_is_kept(learner: Any, source: str) -> None:
    learner.loom("start")
    learner.file.chmod(0o640)
    learner.source(with_third(source))
    learner.loom("start")
    assert stat.S_IMODE(learner.file.stat().st_mode) == 0o640


def test_start_from_a_folder_of_the_book(learner: Any) -> None:
    learner.here = learner.root / "book"
    assert "../my-exercises/01_first.py" in learner.loom("start").text
    assert learner.file.exists()


def test_start_outside_the_book(learner: Any, tmp_path_factory: pytest.TempPathFactory,
                                monkeypatch: pytest.MonkeyPatch) -> None:
    away = tmp_path_factory.mktemp("away")
    learner.here = away
    monkeypatch.setenv("LOOM_ROOT", str(learner.root))
    assert learner.loom("start").code == 0
    assert (away / "my-exercises" / "01_first.py").exists()
    monkeypatch.delenv("LOOM_ROOT")
    deep = away / "my-exercises" / "notes"
    deep.mkdir()
    learner.here = deep
    assert "twice" in learner.loom("list").text  # the folder remembers its book
    (away / "my-exercises" / ".loom" / "book").write_text("/nowhere\n", encoding="utf-8")
    said = learner.loom("list")
    assert said.code == 1 and "was at /nowhere" in said.error and "LOOM_ROOT" in said.error
    monkeypatch.setenv("LOOM_ROOT", str(away))
    assert "holds no book" in learner.loom("list").error


def test_no_folder_yet(learner: Any) -> None:
    for command in (["check"], ["watch"], ["hint", "twice"], ["solution", "twice"],
                    ["progress"], ["reset", "twice"]):
        said = learner.loom(*command)
        assert said.code == 1
        assert "there is no my-exercises folder" in said.error and "`loom start`" in said.error
    assert learner.loom("list").code == 0


def test_something_else_in_the_folder_s_place(learner: Any) -> None:
    learner.folder.write_text("a file", encoding="utf-8")
    said = learner.loom("start")
    assert said.code == 1 and "cannot write" in said.error
    assert learner.folder.read_text(encoding="utf-8") == "a file"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written(learner: Any) -> None:
    learner.root.chmod(0o555)
    try:
        assert "you may not write here" in learner.loom("start").error
    finally:
        learner.root.chmod(0o755)


def test_a_broken_source_is_told_and_the_others_go_on(learner: Any, source: str) -> None:
    learner.source(source.replace(":minutes: 5", ":minutes: soon"))
    said = learner.loom("start")
    assert (learner.folder / "02_second.py").exists()
    assert not learner.file.exists()
    said = learner.loom("check", "twice")
    assert said.code == 1 and "01-first.md" in said.error and "soon" in said.error


def test_shelf_is_kept_and_made_again_when_it_is_damaged(learner: Any) -> None:
    first = read_shelf(learner.root)
    assert first.points == {"twice": 4, "half-of-it": 1, "thrice": 4}
    kept = list((learner.root / "_build" / "exercises" / "shelf").iterdir())
    assert len(kept) == 3
    for path in kept:
        path.write_text("{", encoding="utf-8")
    assert read_shelf(learner.root) == first
    assert all(json.loads(Path(p).read_text(encoding="utf-8")) for p in kept)
    learner.source((learner.root / "exercises" / "01-first.md").read_text(encoding="utf-8")
                   .replace("points=2", "points=5"))
    assert read_shelf(learner.root).points["twice"] == 7
    assert len(list((learner.root / "_build" / "exercises" / "shelf").iterdir())) == 3


EDITS = st.lists(st.tuples(st.integers(0, 80), st.sampled_from([
    "x = 1", "    return 2", "# a thought", "", "# %% exercise twice", "# %% exercise half-of-it",
    "# %% exercise new", "def half(x):", "'''", "\tpass", "\u00fc = 3",
    "raise NotImplementedError"]),
    st.booleans()), max_size=8)


def test_no_line_of_a_learner_s_is_ever_lost(learner: Any, source: str) -> None:
    """Whatever was written and however the book changed: each line is in the file or kept."""
    learner.loom("start")
    old = read_shelf(learner.root)
    chapter, before = old.chapter_of(old.one("twice")), old.by_chapter["01-first"]
    learner.source(with_third(source, first=True).replace("Write `half(x)`.", "Halve it.")
                   .replace("def twice(x: float)", "def twice(x: float, n: int = 2)"))
    new = read_shelf(learner.root)
    after = new.by_chapter["01-first"]
    given = set(student_file(chapter, before, old.named).split("\n"))

    @settings(max_examples=40, deadline=None)
    @given_edits(EDITS)
    def edited(edits: list[tuple[int, str, bool]]) -> None:
        folder = Path(tempfile.mkdtemp(dir=learner.root))
        desk = Desk(folder, learner.root)
        path = lay_out(desk, chapter, before, old.named).path
        lines = path.read_text(encoding="utf-8").split("\n")
        for place, text, replace in edits:
            place %= len(lines)
            lines[place:place + replace] = [text]
        path.write_text("\n".join(lines), encoding="utf-8")
        lay_out(desk, chapter, after, new.named)
        text = path.read_text(encoding="utf-8")
        assert_all_there(lines, given, text)
        with suppress(LoomError):
            reset(desk, new.one("twice"), new.named)
        kept = "".join(p.read_text(encoding="utf-8") for p in folder.rglob("kept/twice-*.py"))
        assert_all_there(lines, given, path.read_text(encoding="utf-8") + "\n" + kept)
        shutil.rmtree(folder)

    edited()


def assert_all_there(lines: list[str], given: set[str], text: str) -> None:
    """Every line that is not as it was given is in the text, as often as it was written."""
    mine = Counter(line for line in lines if line.strip() and line not in given
                   and not line.startswith("# %% exercise"))
    there = Counter(text.split("\n"))
    assert not mine - there
