"""``loom export``: exercises to other graders, quizzes to learning platforms."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from loom.book.toc import read_book
from loom.errors import fail


def export_to(system: str, folder: Path, chapters: Sequence[str]) -> list[str]:
    """Export, and say what to do with it.

    Args:
        system: one of those that exercises or quizzes can be exported to.
        folder: a new folder; of several chapters, each gets one below it.
        chapters: numbers or names; every one that has any if empty.

    Raises:
        LoomError: an unknown system or chapter; a folder that is in use.
    """
    from loom.desk.desk import find_book
    from loom.exercise.source import exercises_of
    from loom.grade.exports import SYSTEMS, export
    from loom.quiz.export import FORMATS, export_quizzes

    book = read_book(find_book())
    if system in FORMATS:
        return [f"{path}" for path in export_quizzes(book, system, folder, chapters)]
    if system not in SYSTEMS:
        raise fail(f"cannot export to `{system}`", "choose among "
                   f"{', '.join(SYSTEMS)} for exercises, {', '.join(FORMATS)} for quizzes")
    found = exercises_of(book)
    wanted = [book.chapter(name).name for name in chapters] or list(found)
    for name in wanted:
        if name not in found:
            raise fail(f"{name} has no exercises", f"these have: {', '.join(found)}")
    told = []
    for name in wanted:
        target = folder if len(wanted) == 1 else folder / name
        export(book, book.chapter(name), found[name], system, target)
        told.append(f"{target}: {len(found[name])} exercises. {NEXT[system].format(name=name)}")
    return told


NEXT = {
    "otter": "In it: otter assign {name}.ipynb dist",
    "nbgrader": "Copy source/{name} into your course, then: nbgrader generate_assignment {name}",
    "classroom": "Make it a template repository, and an assignment of that",
    "gradescope": "Zip all but for-students and upload it as the autograder",
}
