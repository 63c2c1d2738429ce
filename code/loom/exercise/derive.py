"""What a learner gets of a chapter's exercises: a file, and a notebook.

Both hold the same: a head that every exercise sees, then for each exercise
its marker, its statement and its stub. ``answers`` reads them back.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from loom.book.chapter import Chapter
from loom.book.toc import Book
from loom.exercise.markers import marker_line
from loom.exercise.model import Exercise
from loom.exercise.plain import comments
from loom.exercise.roles import Named, unknown

_LABEL = re.compile(r"\s*\$\$\s*\(([\w.:-]+)\)\s*$|\s*:?(?:name|label):\s*([\w.:-]+)\s*$")


def student_name(chapter: str, suffix: str = ".py") -> str:
    """The learner's file of a chapter: ``01-numbers`` gives ``01_numbers.py``."""
    return chapter.replace("-", "_") + suffix


def section_titles(book: Book, exercises: Iterable[Exercise] = ()) -> Named:
    """As ``titles_of``, for a book."""
    return titles_of(book.chapters, exercises)


def titles_of(chapters: Iterable[Chapter], exercises: Iterable[Exercise] = ()) -> Named:
    """A function from labels to the titles of what they stand for.

    Args:
        chapters: chapters, of which only text and sections are looked at;
            their formulas, figures and tables have the title of the section
            that they stand in.
        exercises: those that have a title of their own.
    """
    titles: dict[str, str] = {}
    for chapter in chapters:
        for n, line in enumerate(chapter.text.split("\n"), 1):
            match = _LABEL.match(line)
            if match:
                titles.setdefault(match[1] or match[2], chapter.section_at(n).title)
        titles |= {s.label: s.title for s in chapter.sections if s.label}
    titles |= {exercise.label: exercise.title for exercise in exercises}
    return titles.get


def student_file(chapter: Chapter, exercises: Sequence[Exercise],
                 named: Named = unknown, how: str = "") -> str:
    """The learner's file of a chapter, in percent format.

    Args:
        chapter: the chapter.
        exercises: its exercises.
        named: titles of labels, for references in statements.
        how: how answers are checked, where that is not by ``loom check``.
    """
    parts = [student_head(chapter, exercises, how), *(student_block(e, named) for e in exercises)]
    return "".join(parts).rstrip() + "\n"


def student_head(chapter: Chapter, exercises: Sequence[Exercise], how: str = "") -> str:
    """What stands above the first exercise: how to work, and room for imports."""
    return (f"{comments(head_text(chapter, exercises, how=how))}\n\n"
            "# Imports and helpers for all exercises go here.\n\n\n")


def head_text(chapter: Chapter, exercises: Sequence[Exercise], notebook: bool = False,
              how: str = "") -> str:
    """How to work with a file or a notebook of exercises, in Markdown."""
    example = exercises[0].id if exercises else "ID"
    total = time_text(sum(e.minutes for e in exercises))
    title = f"Exercises of chapter {chapter.number}, {chapter.title}"
    if notebook:
        how = f"""Save, then run the cell below your answer, such as `check("{example}")`.
`loom hint {example}` in a terminal gives a hint."""
        title = f"# Exercises of chapter {chapter.number}: {chapter.title}"
    elif not how:
        how = f"""Check them in a terminal:

```
loom check {example}
loom watch {chapter.number or 0:02}
```

The first checks one exercise, the second checks again whenever you save.
`loom hint {example}` gives a hint, `loom list` shows what there is."""
    return f"""{title}

{_count(exercises)}, {total} in all. Write your answers into the functions below.
{how}

Each exercise is checked by itself: it sees what stands above the first
exercise, and its own code. {_sees(chapter, exercises)}Keep the lines that start
with `# %% exercise`.
"""


def _sees(chapter: Chapter, exercises: Sequence[Exercise]) -> str:
    """What answers may import of the book's package, where that goes for most of them."""
    if chapter.number == 1 or all(e.package is not None for e in exercises):
        return ""
    more = ", unless its text\nsays that more is there" \
        if any(e.package is not None for e in exercises) else ""
    return f"It may import `scratchlm` as it was before this\nchapter{more}. "


def student_block(exercise: Exercise, named: Named = unknown) -> str:
    """One exercise of the learner's file: marker, statement, stub."""
    return (f"{marker_line(exercise.id, exercise.printed, exercise.title)}\n"
            f"#\n{comments(exercise.statement, named)}\n"
            f"#\n{comments(about(exercise, named))}\n\n{exercise.stub.strip()}\n\n\n")


def about(exercise: Exercise, named: Named = unknown) -> str:
    """How long and how hard an exercise is, and the section that it belongs to."""
    section = named(exercise.section)
    return f"{time_text(exercise.minutes)} · level {exercise.level} of 4" \
        + (f" · section “{section}”" if section else "")


def _count(exercises: Sequence[Exercise]) -> str:
    return f"{len(exercises)} exercise{'s' * (len(exercises) != 1)}"


def time_text(minutes: int) -> str:
    """``45 minutes``, ``2.5 hours``."""
    if minutes < 90:
        return f"{minutes} minutes"
    hours = round(minutes / 30) / 2
    return f"{hours:g} hours"
