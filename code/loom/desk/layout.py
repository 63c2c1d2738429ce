"""Files for a learner's answers: written once, then only added to.

What the learner was given is kept in ``.loom/given.json``. So a later version
of the book's can tell a stub that nobody has touched from one that somebody
has, and renews the first and leaves the second.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from loom.book.chapter import Chapter
from loom.desk.desk import Desk
from loom.desk.leaves import Leaf, NotebookFile, TextFile
from loom.desk.progress import HOME
from loom.errors import fail
from loom.exercise.answers import read_answers
from loom.exercise.derive import student_block, student_file
from loom.exercise.model import Exercise
from loom.exercise.notebooks import student_cells, student_notebook
from loom.exercise.roles import Named
from loom.files import write_all

KEPT = "kept"  # in .loom: copies of what was replaced


@dataclass
class Laid:
    """What became of one file.

    ``notes`` are sentences for the learner.
    """

    path: Path
    new: bool = False
    added: list[str] = field(default_factory=list)
    renewed: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def lay_out(desk: Desk, chapter: Chapter, exercises: Sequence[Exercise], named: Named,
            notebook: bool = False) -> Laid:
    """Write a chapter's file, or add to it what the book has and it has not.

    Args:
        desk: the learner's folder.
        chapter: the chapter.
        exercises: its exercises.
        named: titles of labels, for references in statements.
        notebook: a notebook instead of a Python file.

    Raises:
        LoomError: the file cannot be read or written.
    """
    path = desk.file(chapter.name, ".ipynb" if notebook else ".py")
    laid = Laid(path)
    given = _given(desk)
    fresh = {e.id: _fresh(e, named, notebook) for e in exercises}
    kind = path.suffix
    if not path.exists():
        whole = (student_notebook if notebook else student_file)(chapter, exercises, named)
        laid.new = True
        for name, leaf in fresh.items():
            given.setdefault(name, {})[kind] = leaf.as_data()
        write_all({path: whole, _given_file(desk): _json(given)})
        return laid
    answers = read_answers(path, exercises)
    problems = {answers[e.id].problem for e in exercises}
    if len(exercises) > 1 and len(problems) == 1 and None not in problems:
        (whole_file,) = problems  # nothing in it can be read: it is left alone
        laid.notes.append(f"nothing added, because {whole_file}")
        return laid
    file = _open(path)
    for n, exercise in enumerate(exercises):
        new, name = fresh[exercise.id], exercise.id
        mine = file.leaf(name)
        if mine is None:
            problem = answers[name].problem
            if problem is not None and problem.place and problem.place.line is not None:
                laid.notes.append(f"`{name}` not added: {problem}")
                continue
            file.insert(name, new, before=[e.id for e in exercises[n + 1:]])
            laid.added.append(name)
        elif file.names().count(name) > 1:
            laid.notes.append(f"{answers[name].problem}")
            continue
        else:
            old = _leaf(given.get(name, {}).get(kind))
            _renew(file, name, mine, old, new, laid)
        given.setdefault(name, {})[kind] = new.as_data()
    known = {e.id for e in exercises}
    for name in file.names():
        if name and name not in known:
            laid.notes.append(f"`{name}` is no exercise of this chapter; your text stays")
    files: dict[Path, str | bytes] = {_given_file(desk): _json(given)}
    if laid.added or laid.renewed:
        files[path] = file.content()
        files[_unused(desk, path.stem, path.suffix)] = path.read_bytes()
    write_all(files)
    return laid


def _unused(desk: Desk, name: str, suffix: str) -> Path:
    """A path for a copy of what is about to be replaced."""
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    copy = desk.folder / HOME / KEPT / f"{name}-{stamp}{suffix}"
    count = 1
    while copy.exists():
        count += 1
        copy = copy.with_name(f"{name}-{stamp}-{count}{suffix}")
    return copy


def _renew(file: TextFile | NotebookFile, name: str, mine: Leaf, old: Leaf | None, new: Leaf,
           laid: Laid) -> None:
    """Carry a change of the book's to an exercise that the learner has already."""
    if old is None or old.same(new) or mine.same(new):
        return
    if mine.same(old):
        file.replace(name, new)
        laid.renewed.append(name)
        return
    stub = "" if old.code.strip() == new.code.strip() else \
        f" The stub has changed too: `loom list {name}` shows it."
    if mine.starts_with(old):
        file.replace(name, mine.with_text(old, new))
        laid.renewed.append(name)
        if old.text.split("\n")[1:] == new.text.split("\n")[1:] and not stub:
            return  # only its number
        laid.notes.append(f"the statement of `{name}` has changed; your answer is as it was.{stub}")
    else:
        laid.notes.append(f"`{name}` has changed in the book; your text is as it was, "
                          f"`loom list {name}` shows the new statement.{stub}")


def reset(desk: Desk, exercise: Exercise, named: Named) -> tuple[Path, Path | None]:
    """Put the stub back in the place of an answer, and keep the answer.

    An exercise that is not in the file is added.

    Returns:
        The file, and where the copy of the answer is.

    Raises:
        LoomError: there is no file; it cannot be read or written.
    """
    files = desk.files(exercise.chapter)
    if not files:
        raise fail(f"there is no {desk.file(exercise.chapter).name}",
                   f"write it with `loom start {exercise.chapter_number}`")
    path = files[0]
    new = _fresh(exercise, named, path.suffix == ".ipynb")
    file = _open(path)
    mine = file.leaf(exercise.id)
    given = _given(desk)
    given.setdefault(exercise.id, {})[path.suffix] = new.as_data()
    changes: dict[Path, str | bytes] = {_given_file(desk): _json(given)}
    copy = None
    if mine is None:
        file.insert(exercise.id, new, before=[])
    else:
        copy = _unused(desk, exercise.id, ".py")
        changes[copy] = file.whole(exercise.id)
        file.replace(exercise.id, new)
    changes[path] = file.content()
    write_all(changes)
    return path, copy


def _fresh(exercise: Exercise, named: Named, notebook: bool) -> Leaf:
    if notebook:
        text, code, check = student_cells(exercise, named)
        return Leaf("".join(text["source"]), "".join(code["source"]), (text, code, check))
    block = student_block(exercise, named).rstrip().split("\n")
    return Leaf.of_lines(block)


def _open(path: Path) -> TextFile | NotebookFile:
    return NotebookFile(path) if path.suffix == ".ipynb" else TextFile(path)


def _given_file(desk: Desk) -> Path:
    return desk.folder / HOME / "given.json"


def _given(desk: Desk) -> dict[str, dict[str, Any]]:
    """What was written into files so far; nothing, if that is not known."""
    with suppress(OSError, ValueError):
        data = json.loads(_given_file(desk).read_bytes())
        if isinstance(data, dict) and all(isinstance(v, dict) for v in data.values()):
            return data
    return {}


def _leaf(data: Any) -> Leaf | None:
    if isinstance(data, list) and len(data) == 2 and all(isinstance(d, str) for d in data):
        return Leaf(data[0], data[1])
    return None


def _json(given: dict[str, dict[str, Any]]) -> str:
    return json.dumps(given, ensure_ascii=False, indent=1) + "\n"
