"""A chapter's exercises as a folder that needs no book: for exports and for grading.

The folder holds ``exercises.json`` and, below ``packages``, ``scratchlm`` as
each exercise's answers see it. The same sources give the same bytes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path, PurePosixPath
from typing import Any

from loom.book.toc import PACKAGE, Book
from loom.errors import LoomError, fail
from loom.exercise.model import Code, Exercise, Mutant
from loom.exercise.package import package_folder
from loom.files import read_text, write_all

NAME = "exercises.json"
FORMAT = 1
_AGAIN = "write the bundle again with the loom that reads it"


def write_bundle(book: Book, exercises: Sequence[Exercise], folder: Path) -> list[Path]:
    """Write a bundle; what another bundle left in the folder is removed.

    Args:
        book: the book that the exercises are from.
        exercises: those that it is to hold.
        folder: where to.

    Returns:
        The files that changed.

    Raises:
        LoomError: a package cannot be tangled; a disk that is full.
    """
    files: dict[Path, str | bytes] = {}
    rows = []
    for exercise in exercises:
        home = package_folder(book, exercise)
        target = folder / "packages" / home.name
        for path in sorted((home / PACKAGE).rglob("*.py")):
            files[target / path.relative_to(home)] = path.read_bytes()
        rows.append(as_data(exercise, book.root) | {"packages": f"packages/{home.name}"})
    files[folder / NAME] = json.dumps({"format": FORMAT, "exercises": rows}, ensure_ascii=False,
                                      indent=1, sort_keys=True) + "\n"
    old = [path for path in (folder / "packages").rglob("*.py") if path not in files] \
        if (folder / NAME).is_file() else []
    return write_all(files, remove=tuple(old))


def as_data(exercise: Exercise, root: Path) -> dict[str, Any]:
    """An exercise as JSON knows it; its path is relative to the book's root."""
    data = asdict(exercise)
    data["libraries"] = sorted(exercise.libraries)
    path = exercise.path
    data["path"] = path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name
    del data["packages"]
    return data


def read_bundle(folder: Path) -> tuple[Exercise, ...]:
    """The exercises of a bundle, each with its package.

    Raises:
        LoomError: the folder holds no bundle, one that is damaged, or one of
            another version of loom.
    """
    path = folder / NAME
    if not path.is_file():
        raise fail(f"there is no {NAME} here", "give the folder that a bundle was written to",
                   path=folder)
    try:
        content = json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise fail(f"is not JSON: {error}", _AGAIN, path=path) from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise fail(f"is a bundle of another format than {FORMAT}", _AGAIN, path=path)
    try:
        return tuple(from_data(row, folder) for row in content["exercises"])
    except (KeyError, TypeError, ValueError) as error:
        raise fail(f"is damaged: {type(error).__name__} at {error}", _AGAIN, path=path) from None
    except LoomError as error:
        raise fail(f"is damaged: {error}", _AGAIN, path=path) from None


def from_data(row: dict[str, Any], folder: Path) -> Exercise:
    """The reverse of ``as_data``.

    Raises:
        KeyError, TypeError, ValueError: it is something else.
    """
    made: dict[str, Any] = {}
    for one in fields(Exercise):
        if one.name in ("path", "packages"):
            continue
        made[one.name] = _value(str(one.type), row[one.name], one.name)
    path = PurePosixPath(_value("str", row["path"], "path"))
    exercise = Exercise(path=Path(path), **made)
    home = row.get("packages")
    if home is None:
        return exercise
    if not (isinstance(home, str) and re.fullmatch(r"packages/[0-9a-z]+", home)):
        raise ValueError(f"`packages`: {home!r}")
    if not (folder / home / PACKAGE / "__init__.py").is_file():
        raise ValueError(f"`{home}/{PACKAGE}`, which is not there")
    return replace(exercise, packages=folder / home)


def _value(kind: str, value: Any, name: str) -> Any:
    """A field's value, checked against the type that the class writes down."""
    makers: dict[str, Callable[[Any], Any]] = {
        "tuple[str, ...]": lambda v: tuple(_value("str", item, name) for item in v),
        "frozenset[str]": lambda v: frozenset(_value("str", item, name) for item in v),
        "Code": lambda v: Code(**v),
        "tuple[Code, ...]": lambda v: tuple(Code(**item) for item in v),
        "tuple[Mutant, ...]": lambda v: tuple(Mutant(**item) for item in v),
        "tuple[tuple[str, str, str], ...]": lambda v: tuple(
            (str(a), str(b), str(c)) for a, b, c in v),
    }
    if kind in makers:
        if not isinstance(value, dict if kind == "Code" else list):
            raise ValueError(f"`{name}`: {value!r}")
        return makers[kind](value)
    wanted = {"str": str, "int": int, "str | None": (str, type(None))}[kind]
    if not isinstance(value, wanted) or isinstance(value, bool):  # type: ignore[arg-type]
        raise ValueError(f"`{name}`: {value!r}")
    return value
