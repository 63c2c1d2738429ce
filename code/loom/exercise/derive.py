"""What a learner gets of a chapter's exercises: a file, and a notebook.

Both hold the same: a head that every exercise sees, then for each exercise
its marker, its statement and its stub. ``answers`` reads them back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from loom.book.chapter import Chapter
from loom.book.toc import Book
from loom.exercise.markers import marker_line
from loom.exercise.model import Exercise
from loom.exercise.plain import comments

Named = Callable[[str], str | None]


def student_name(chapter: str, suffix: str = ".py") -> str:
    """The learner's file of a chapter: ``01-numbers`` gives ``01_numbers.py``."""
    return chapter.replace("-", "_") + suffix


def section_titles(book: Book) -> Named:
    """A function from labels of the book's sections to their titles."""
    titles = {s.label: s.title for c in book.chapters for s in c.sections if s.label}
    return titles.get


def student_file(chapter: Chapter, exercises: Sequence[Exercise],
                 named: Named = lambda label: None) -> str:
    """The learner's file of a chapter, in percent format.

    Args:
        chapter: the chapter.
        exercises: its exercises.
        named: titles of labels, for references in statements.
    """
    return "".join([student_head(chapter, exercises),
                    *(student_block(e, named) for e in exercises)])


def student_head(chapter: Chapter, exercises: Sequence[Exercise]) -> str:
    """What stands above the first exercise: how to work, and room for imports."""
    number = chapter.number
    minutes = sum(e.minutes for e in exercises)
    example = exercises[0].id if exercises else "ID"
    text = f"""Exercises of chapter {number}, {chapter.title}

{_count(exercises)}, {_time(minutes)} in all. Write your answers into the functions
below, then check them in a terminal:

```
loom check {example}
loom watch {number:02}
```

The first checks one exercise, the second checks again whenever you save.
`loom hint {example}` gives a hint, `loom list` shows what there is.

Each exercise is checked by itself: it sees the lines above the first
exercise, and its own. Keep the lines that start with `# %% exercise`.
"""
    return (f"{comments(text)}\n\n"
            "# Imports and helpers for all exercises go here.\n\n\n")


def student_block(exercise: Exercise, named: Named = lambda label: None) -> str:
    """One exercise of the learner's file: marker, statement, stub."""
    about = f"{_time(exercise.minutes)} · level {exercise.level} of 4"
    section = named(exercise.section)
    where = f" · section “{section}”" if section else ""
    return (f"{marker_line(exercise.id, exercise.printed, exercise.title)}\n"
            f"#\n{comments(exercise.statement, named)}\n"
            f"#\n{comments(about + where)}\n\n{exercise.stub.strip()}\n\n\n")


def _count(exercises: Sequence[Exercise]) -> str:
    return f"{len(exercises)} exercise{'s' * (len(exercises) != 1)}"


def _time(minutes: int) -> str:
    if minutes < 90:
        return f"{minutes} minutes"
    hours = round(minutes / 30) / 2
    return f"{hours:g} hours"
