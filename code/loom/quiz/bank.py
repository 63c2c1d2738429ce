"""A chapter's questions, read from ``book/quizzes/NN-name.yml``.

What is wrong is told all at once, each with its file, line, question and field.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from loom.book.chapter import Chapter
from loom.book.toc import Book
from loom.errors import LoomError, Place, Problem
from loom.quiz.arrange import arrange
from loom.quiz.checks import broken_rules
from loom.quiz.fields import Wrong
from loom.quiz.models import KINDS, Question, Quiz
from loom.quiz.nodes import Fields, Items, Scalar, read_yaml

FOLDER = Path("book") / "quizzes"
SINGULAR = {"options": "option", "steps": "step", "replies": "reply", "answers": "answer"}
START = "start the file with:\nchapter: {}\nquestions:\n  - id: …"


def quiz_path(book: Book, chapter: Chapter) -> Path:
    """Where a chapter's questions stand, whether there are any or not."""
    return book.root / FOLDER / f"{chapter.name}.yml"


def titles_of(book: Book) -> dict[str, str]:
    """The title of each labeled section of a book, for references to it."""
    return {section.label: section.title for chapter in book.chapters
            for section in chapter.sections if section.label}


def quizzes_of(book: Book) -> dict[str, Quiz]:
    """Every quiz of a book by its chapter's name; a chapter without one is absent.

    Raises:
        LoomError: every problem of every quiz; a file that belongs to no
            chapter; an id that two chapters use.
    """
    quizzes: dict[str, Quiz] = {}
    problems: list[Problem] = []
    expected = {quiz_path(book, chapter): chapter for chapter in book.chapters}
    for path in sorted((book.root / FOLDER).glob("*.y*ml")):
        if path not in expected:
            near = difflib.get_close_matches(path.stem, [one.stem for one in expected], 1, 0.5)
            problems.append(Problem(
                Place(path), "belongs to no chapter",
                "name it after its chapter's file" + (f": {near[0]}.yml" if near else "")))
    taken: dict[str, Place] = {}
    for path, chapter in expected.items():
        if not path.is_file():
            continue
        try:
            quizzes[chapter.name] = quiz = read_quiz(path, chapter)
        except LoomError as error:
            problems.extend(error.problems)
            continue
        for question in quiz.questions:
            place = Place(path, question.lines["id"])
            if question.id in taken:
                problems.append(_taken(question.id, place, taken[question.id]))
            taken.setdefault(question.id, place)
    if problems:
        raise LoomError(problems)
    return quizzes


def read_quiz(path: Path, chapter: Chapter) -> Quiz:
    """The questions of a chapter.

    Args:
        path: the YAML file.
        chapter: the chapter whose sections the questions belong to.

    Raises:
        LoomError: all that is wrong with the file, in the order of its lines.
    """
    content = read_yaml(path)
    problems: list[Problem] = []
    questions: list[Question] = []
    if not isinstance(content, Fields):
        raise LoomError(Problem(Place(path, 1), "holds no questions",
                                START.format(chapter.name)))
    for name in content["lines"]:
        if name not in ("chapter", "questions", "line", "lines"):
            problems.append(Problem(Place(path, content["lines"][name]), f"unknown field `{name}`",
                                    "a quiz has `chapter` and `questions`"))
    if content.get("chapter") != chapter.name:
        problems.append(Problem(
            Place(path, content["lines"].get("chapter", 1)),
            f"`chapter` is {_shown(content.get('chapter'))}, the file is {chapter.name}'s",
            f"write `chapter: {chapter.name}`"))
    listed = content.get("questions")
    if not isinstance(listed, Items) or not listed:
        problems.append(Problem(Place(path, content["lines"].get("questions", 1)),
                                "`questions` is no list of questions", START.format(chapter.name)))
    taken: dict[str, Place] = {}
    for item in listed if isinstance(listed, Items) else ():
        found = list(_question(path, item, chapter))
        problems += [one for one in found if isinstance(one, Problem)]
        questions += [one for one in found if not isinstance(one, Problem)]
        name = item.get("id") if isinstance(item, Fields) else None
        if isinstance(name, Scalar):
            place = Place(path, name.line)
            if name in taken:
                problems.append(_taken(name, place, taken[name]))
            taken.setdefault(name, place)
    if problems:
        raise LoomError(sorted(problems, key=lambda one: one.place.line or 0 if one.place else 0))
    return Quiz(chapter=chapter.name, questions=arrange(chapter.name, questions), path=path,
                line=content.line, lines=content.lines)


def schema() -> dict[str, Any]:
    """The format as a JSON schema, for editors that complete and check YAML."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema",
            **Quiz.model_json_schema()}


def _question(path: Path, item: Any, chapter: Chapter) -> Iterator[Question | Problem]:
    """One question, or what is wrong with it."""
    if not isinstance(item, Fields):
        line = getattr(item, "line", None)
        yield Problem(Place(path, line), "a question that is no mapping",
                      "write `- id: …` and its other fields below it, equally far in")
        return
    name = item.get("id") or "without an id"
    who = f"question `{name}`" if item.get("id") else "a question without an id"
    kind = item.get("kind")
    if not isinstance(kind, Scalar) or kind not in KINDS:
        near = difflib.get_close_matches(str(kind), KINDS, 1) or [""]
        yield Problem(Place(path, item.lines.get("kind", item.line)),
                      f"{who} has no `kind`" if kind is None
                      else f"{who}: unknown kind {_shown(kind)}",
                      (f"did you mean `{near[0]}`? " if near[0] else "")
                      + f"the kinds are {', '.join(KINDS)}")
        return
    for step in _strings(item.get("steps")):
        item["steps"][step] = _as_step(item["steps"][step])
    labels = {section.label: section for section in chapter.sections if section.label}
    section = item.get("section")
    if isinstance(section, Scalar) and section not in labels:
        near = difflib.get_close_matches(section, labels, 1) or [""]
        yield Problem(Place(path, section.line),
                      f"{who}: {chapter.name} has no section `{section}`",
                      f"did you mean `{near[0]}`?" if near[0] else
                      f"its sections: {', '.join(labels)}")
    try:
        question: Question = KINDS[kind].model_validate(item)
    except ValidationError as error:
        details = error.errors(include_url=False)
        broken_in = {one["loc"][0] for one in details if len(one["loc"]) > 1}
        misspelled = [one["loc"] for one in details if one["type"] == "extra_forbidden"]
        for detail in details:
            loc, why = detail["loc"], detail["type"]
            if why in ("too_short", "too_long") and loc[0] in broken_in:
                continue  # some of them are there, and broken
            if why == "missing" and difflib.get_close_matches(str(loc[-1]), [
                    str(other[-1]) for other in misspelled if other[:-1] == loc[:-1]], 1, 0.7):
                continue  # it is there under another name
            yield _problem(path, item, KINDS[kind], detail, who)
        return
    broken = list(broken_rules(question))
    for at, what, remedy in broken:
        yield Problem(Place(path, at), f"{who}: {what}", remedy)
    if not broken:
        yield question


def _problem(path: Path, item: Fields, model: type[BaseModel], detail: ErrorDetails,
             who: str) -> Problem:
    """A complaint of pydantic's in our words, at its line."""
    line, part, inner = item.line, "", model
    here: Any = item
    field = ""
    for step in detail["loc"]:
        if isinstance(step, int):
            here = here[step]
            line = getattr(here, "line", line)
            part += f", {SINGULAR.get(field, field)} {step + 1}"
            inner, field = _part(inner, field), ""
        else:
            field = str(step)
            if isinstance(here, Fields):
                line = here.lines.get(field, here.line)
                here = here.get(field)
    known = {name: info for name, info in inner.model_fields.items()
             if name not in ("line", "lines", "arrangement")}
    about = (known[field].description or "") if field in known else ""
    meant = f"`{field}`: {about}" if about else ""
    said = f"{who}{part}: "
    kind, context = detail["type"], detail.get("ctx", {})
    wrong = context.get("error")
    if kind == "missing":
        what, remedy = f"{who}{part} has no `{field}`", meant
        return Problem(Place(path, line), what, remedy)
    if kind == "extra_forbidden":
        near = difflib.get_close_matches(field, known, 1)
        what = f"unknown field `{field}`"
        remedy = (f"did you mean `{near[0]}`? " if near else "") + \
            f"the fields here are {', '.join(known)}"
    elif isinstance(wrong, Wrong):
        what = f"`{field}` {wrong}" if field else str(wrong)
        remedy = wrong.remedy
    elif kind in ("tuple_type", "list_type"):
        what, remedy = f"`{field}` is not a list", f"one `- …` for each; {meant}"
    elif kind in ("model_type", "model_attributes_type", "dict_type"):
        what, remedy = "is no mapping of fields", f"it has the fields {', '.join(known)}"
    elif kind in ("too_short", "too_long"):
        count = context.get("actual_length")
        what, remedy = f"`{field}` has {count} of them", meant
    elif kind == "string_pattern_mismatch":
        what = f"`{field}` is {_shown(detail['input'])}"
        remedy = "small letters, digits and single hyphens, a letter first: softmax-shift"
    else:  # not a whole number, too small, too large
        what, remedy = f"`{field}` is {_shown(detail['input'])}", meant
    return Problem(Place(path, line), said + what, remedy)


def _part(model: type[BaseModel], field: str) -> type[BaseModel]:
    """The model of the things that a field lists."""
    kinds = get_args(model.model_fields[field].annotation) if field in model.model_fields else ()
    return kinds[0] if kinds and isinstance(kinds[0], type) \
        and issubclass(kinds[0], BaseModel) else model


def _strings(items: Any) -> Iterable[int]:
    """Where a list holds a bare text instead of fields."""
    return [n for n, one in enumerate(items) if isinstance(one, Scalar)] \
        if isinstance(items, Items) else ()


def _as_step(text: Scalar) -> Fields:
    """``- a text`` is short for ``- text: a text``."""
    return Fields(text=text, line=text.line, lines={"text": text.line})


def _taken(name: str, place: Place, by: Place) -> Problem:
    return Problem(place, f"the id `{name}` is taken by {by}",
                   "an id names one question in the whole book: choose another")


def _shown(value: Any) -> str:
    if value is None:
        return "missing"
    if isinstance(value, str):
        return f"`{value[:40]}`"
    return f"a {'mapping' if isinstance(value, Fields) else 'list'}"
