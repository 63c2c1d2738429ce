"""The ordered whole: the chapters in the order of ``_toc.yml``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from loom.book.chapter import Chapter, read_chapter
from loom.errors import LoomError, Problem, fail
from loom.files import read_text

PACKAGE = "scratchlm"
# The fields of _toc.yml that loom follows, by the kind of entry.
OPTIONS = frozenset({"options", "defaults", "numbered", "maxdepth", "titlesonly", "title"})
TOP = OPTIONS | {"format", "root", "parts", "chapters"}
PART = OPTIONS | {"caption", "chapters"}
ENTRY = OPTIONS | {"file", "sections"}


@dataclass(frozen=True)
class Book:
    """All chapters of the book and the folder they live in."""

    root: Path
    chapters: tuple[Chapter, ...]

    @property
    def package(self) -> Path:
        """The folder of the tangled package."""
        return self.root / "code" / PACKAGE

    @property
    def notebooks(self) -> tuple[Chapter, ...]:
        """The chapters that have cells."""
        return tuple(c for c in self.chapters if c.is_notebook)

    def chapter(self, name: str | int) -> Chapter:
        """The chapter with that number, file name or label.

        Args:
            name: ``5``, ``"05"``, ``"05-data"``, ``"book/05-data.md"`` or a label.

        Raises:
            LoomError: there is no such chapter.
        """
        wanted = str(name).strip()
        for chapter in self.chapters:
            if wanted.isdigit() and chapter.number == int(wanted):
                return chapter
            if wanted in (chapter.name, chapter.label) or Path(wanted).stem == chapter.name:
                return chapter
        known = ", ".join(c.name for c in self.chapters)
        raise fail(f"no chapter `{wanted}`", f"the chapters are {known}")

    def until(self, chapter: Chapter | int) -> tuple[Chapter, ...]:
        """The chapters up to and including one; number 0 stands before the first."""
        if isinstance(chapter, int):
            if chapter == 0:
                first = next((c.position for c in self.chapters if c.number is not None),
                             len(self.chapters))
                return self.chapters[:first]
            chapter = self.chapter(chapter)
        return self.chapters[:chapter.position + 1]


def find_root(start: Path | None = None) -> Path:
    """The nearest folder upwards that holds ``_toc.yml``.

    Raises:
        LoomError: there is none.
    """
    start = (start or Path.cwd()).resolve()
    for folder in (start, *start.parents):
        if (folder / "_toc.yml").is_file():
            return folder
    raise fail(f"no book here: neither {start} nor a folder above it has a _toc.yml",
               "change into the book's folder")


def read_book(root: Path | None = None) -> Book:
    """Read every chapter that ``_toc.yml`` names.

    Args:
        root: the book's folder; found from the current one if not given.

    Raises:
        LoomError: every problem of every chapter.
    """
    root = find_root(root)
    chapters: list[Chapter] = []
    problems: list[Problem] = []
    for position, (path, part, number) in enumerate(chapter_files(root)):
        try:
            chapters.append(read_chapter(path, position, number, part))
        except LoomError as error:
            problems.extend(error.problems)
    if problems:
        raise LoomError(problems)
    return Book(root, tuple(chapters))


def chapter_files(root: Path) -> Iterator[tuple[Path, str | None, int | None]]:
    """The chapters' files, the parts that they stand in, and their printed numbers.

    Raises:
        LoomError: the table of contents is no such table.
    """
    for path, part in _files(root):
        match = re.match(r"(\d+)-", path.name)
        yield path, part, int(match[1]) if match else None


def _files(root: Path) -> Iterator[tuple[Path, str | None]]:
    """The chapters' files and the parts that they stand in."""
    toc_path = root / "_toc.yml"
    text = read_text(toc_path)

    def refuse(what: str, remedy: str, word: object = None) -> LoomError:
        lines = text.split("\n")
        near = [n for n, line in enumerate(lines, 1) if word and str(word) in line]
        return fail(what, remedy, path=toc_path, line=near[-1] if near else None)

    try:
        toc = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise fail(f"is not YAML: {getattr(error, 'problem', error)}", "mend the line",
                   path=toc_path, line=mark.line + 1 if mark else None) from None
    if not isinstance(toc, dict) or toc.get("format") != "jb-book" or "root" not in toc:
        raise refuse("is not a Jupyter Book table of contents",
                     "it needs `format: jb-book`, `root:` and `chapters:` or `parts:`")
    seen: set[str] = set()

    def walk(node: object, part: str | None, known: frozenset[str]
             ) -> Iterator[tuple[Path, str | None]]:
        if not isinstance(node, dict):
            raise refuse(f"`{node}` is not an entry", "write `- file: book/NN-name`", node)
        for key in node:
            if key not in known:
                raise refuse(f"unknown field `{key}`",
                             f"known fields here: {', '.join(sorted(known))}", key)
        part = node.get("caption", part)
        name = node.get("root") or node.get("file")
        if name is not None:
            yield find(name), part
        for key, fields in (("parts", PART), ("chapters", ENTRY), ("sections", ENTRY)):
            entries = node.get(key) or []
            if not isinstance(entries, list):
                raise refuse(f"`{key}:` is not a list", "write `- file: book/NN-name` below it",
                             f"{key}:")
            for entry in entries:
                yield from walk(entry, part, fields)

    def find(name: object) -> Path:
        if str(name) in seen:
            raise refuse(f"names `{name}` twice", "keep one of the two", name)
        seen.add(str(name))
        path = root / f"{str(name).removesuffix('.md')}.md"
        if not path.is_file():
            raise refuse(f"names `{name}`, but there is no {path.relative_to(root)}",
                         "mend the name or add the file", name)
        return path

    yield from walk(toc, None, TOP)
