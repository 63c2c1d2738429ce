"""Read one chapter: a MyST notebook becomes sections and cells, with places.

A real Markdown parser finds the cells, so that a cell which is only shown,
inside a longer fence, is text. Options follow MyST-NB: ``:key: value`` lines
or a YAML block between ``---`` lines at the top of the cell.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from loom.errors import LoomError, Place, Problem
from loom.files import read_text

HEADER = """---
jupytext:
  text_representation:
    extension: .md
    format_name: myst
kernelspec:
  display_name: Python 3
  name: python3
---"""

# What a cell may say about itself. The rest of MyST-NB's rendering options
# (captions, names, alternative texts) live under `mystnb`.
CELL_OPTIONS = frozenset({"tangle", "replaces", "tags", "mystnb"})
# What a chapter may say about itself, beside jupytext's own fields.
HEADER_OPTIONS = frozenset(
    {"jupytext", "kernelspec", "makes", "needs", "data", "gpu", "exclusive", "title"}
)
HIDING_TAGS = frozenset({"hide-input", "hide-cell", "remove-input", "remove-cell"})
YAML = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # written in C where it is there


@dataclass(frozen=True)
class Section:
    """A heading and the label that stays when its words change."""

    title: str
    level: int
    line: int
    label: str | None


@dataclass(frozen=True)
class Cell:
    """A code cell: its source, where it stands, and what it says of itself."""

    index: int  # among the code cells of its chapter, from 0
    fence: int  # line of the opening fence
    line: int  # line of the first line of source
    source: str  # without the options, no newline at the end
    options: Mapping[str, Any]
    section: Section
    path: Path

    @property
    def target(self) -> PurePosixPath | None:
        """The module it goes to, relative to ``code/scratchlm``."""
        name = self.options.get("tangle")
        return PurePosixPath(str(name)) if name else None

    @property
    def replaces(self) -> tuple[str, ...]:
        """Names (``f``, ``Class.method``) whose earlier definition this drops."""
        return tuple(_names(self.options.get("replaces")))

    @property
    def tags(self) -> frozenset[str]:
        return frozenset(_names(self.options.get("tags")))

    def place(self, source_line: int = 1) -> Place:
        """The place in the chapter of a line of the cell's source."""
        return Place(self.path, self.line + source_line - 1)


@dataclass(frozen=True)
class Chapter:
    """One Markdown file of the book, in the order of the contents."""

    path: Path
    position: int  # in the table of contents, from 0
    number: int | None  # printed number; None for front matter and appendices
    text: str
    header: Mapping[str, Any]
    sections: tuple[Section, ...]
    cells: tuple[Cell, ...]
    part: str | None = None
    fences: tuple[tuple[int, int, str], ...] = field(default=(), repr=False)

    @property
    def name(self) -> str:
        """The file's name without its extension: ``01-numbers``."""
        return self.path.stem

    @property
    def title(self) -> str:
        return self.sections[0].title if self.sections else self.name

    @property
    def label(self) -> str | None:
        return self.sections[0].label if self.sections else None

    @property
    def is_notebook(self) -> bool:
        """Whether it has cells to run (a preface has none)."""
        return "kernelspec" in self.header

    @property
    def makes(self) -> tuple[str, ...]:
        return tuple(_names(self.header.get("makes")))

    @property
    def needs(self) -> tuple[str, ...]:
        return tuple(_names(self.header.get("needs")))

    @property
    def data(self) -> tuple[str, ...]:
        """Globs, relative to the book's root, of the files its cells read."""
        return tuple(_names(self.header.get("data")))

    @property
    def alone(self) -> bool:
        """Whether no other chapter may run beside it."""
        return bool(self.header.get("gpu") or self.header.get("exclusive"))

    def section_at(self, line: int) -> Section:
        """The section that a line of the file belongs to."""
        found = [s for s in self.sections if s.line <= line]
        return found[-1] if found else Section(self.name, 1, 1, None)


def read_chapter(path: Path, position: int = 0, number: int | None = None,
                 part: str | None = None) -> Chapter:
    """Read a chapter.

    Args:
        path: the Markdown file.
        position: its place in the table of contents, from 0.
        number: its printed number, None for an unnumbered one.
        part: the title of its part.

    Raises:
        LoomError: the file cannot be read, its header is missing or wrong, or
            a cell is nested, has an unknown option or a target outside the
            package. All problems of the file at once.
    """
    return _parse(path, position, number, part, read_text(path))


def with_text(chapter: Chapter, text: str) -> Chapter:
    """The chapter as it would be if its file held another text.

    Raises:
        LoomError: as ``read_chapter``.
    """
    return _parse(chapter.path, chapter.position, chapter.number, chapter.part, text)


@lru_cache(maxsize=256)
def _parse(path: Path, position: int, number: int | None, part: str | None,
           text: str) -> Chapter:
    problems: list[Problem] = []
    for character, what in (("\ufeff", "a byte-order mark"), ("\0", "a NUL character")):
        if character in text:
            problems.append(Problem(
                Place(path, text[:text.index(character)].count("\n") + 1),
                f"holds {what}, which no editor shows",
                "delete it; the encoding to save in is UTF-8 without a byte-order mark"))
    text = text.removeprefix("\ufeff")
    tokens = _markdown().parse(text)
    header = _header(path, text, tokens, problems)
    sections: list[Section] = []
    cells: list[Cell] = []
    fences: list[tuple[int, int, str]] = []
    label: tuple[str, int] | None = None
    lines = text.split("\n")
    for i, token in enumerate(tokens):
        if token.type == "myst_target" and token.map:
            label = (token.content, token.map[0])
        elif token.type == "heading_open" and token.map:
            sections.append(Section(
                title=tokens[i + 1].content, level=int(token.tag[1]),
                line=token.map[0] + 1, label=label[0] if label else None))
            label = None
        elif token.type in ("fence", "colon_fence") and token.map:
            first, end = token.map
            kind = token.info.strip()
            fences.append((first + 1, end, kind))
            if not token.level and not _is_closed(lines[first:end], token.markup):
                problems.append(Problem(
                    Place(path, first + 1),
                    f"{token.markup}{kind} is never closed, and swallows the rest of the chapter",
                    f"end it with a line that holds only {token.markup}"))
            section = sections[-1] if sections else Section(path.stem, 1, 1, None)
            if kind.startswith("{code-cell}"):
                language = kind.removeprefix("{code-cell}").strip()
                if language not in ("", "python", "python3", "ipython3"):
                    problems.append(Problem(
                        Place(path, first + 1), f"a code cell in `{language}`",
                        "write `python`, or make it a code block: the kernel speaks Python"))
                if token.level:
                    problems.append(Problem(
                        Place(path, first + 1), "a code cell inside a list or a quotation",
                        "move it to the left margin: nested cells are never run"))
                cells.append(_cell(path, len(cells), first + 1, token.content, section, problems))
            elif kind.startswith("{"):
                _refuse_nested(path, first + 1, kind, token.content, problems)
        if token.type not in ("myst_target", "heading_open") and token.level == 0 \
                and token.type.endswith("_open"):
            label = None
    if not problems and (not sections or sections[0].level != 1):
        problems.append(Problem(
            Place(path, sections[0].line if sections else 1), "the chapter has no title",
            "open its text with a line `# Title`"))
    if cells and "kernelspec" not in header and not problems:
        problems.append(Problem(
            Place(path, 1), "has code cells but no notebook header",
            "start the file with:\n" + HEADER))
    if problems:
        raise LoomError(problems)
    return Chapter(path, position, number, text, header, tuple(sections), tuple(cells),
                   part, tuple(fences))


def _is_closed(lines: list[str], markup: str) -> bool:
    """Whether a fence's lines end with its closing one, and not with the file."""
    last = lines[-1].strip()
    return len(lines) > 1 and len(last) >= len(markup) and not last.strip(markup[0])


@lru_cache(maxsize=1)
def _markdown() -> Any:
    from markdown_it import MarkdownIt
    from mdit_py_plugins.colon_fence import colon_fence_plugin
    from mdit_py_plugins.dollarmath import dollarmath_plugin
    from mdit_py_plugins.front_matter import front_matter_plugin
    from mdit_py_plugins.myst_blocks import myst_block_plugin

    # without dollarmath a formula's line of `=` would make a heading of the lines above it
    return (MarkdownIt("commonmark", {"linkify": False}).disable("inline")
            .enable("table").use(front_matter_plugin).use(myst_block_plugin)
            .use(colon_fence_plugin).use(dollarmath_plugin, allow_labels=True))


def _header(path: Path, text: str, tokens: list[Any], problems: list[Problem]) -> dict[str, Any]:
    if not tokens or tokens[0].type != "front_matter":
        return {}
    try:
        header = yaml.load(tokens[0].content, YAML) or {}
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problems.append(Problem(Place(path, mark.line + 2 if mark else 1),
                                "the header is not valid YAML", "start the file with:\n" + HEADER))
        return {"kernelspec": {}}
    if not isinstance(header, dict):
        problems.append(Problem(Place(path, 1), "the header is not a mapping",
                                "start the file with:\n" + HEADER))
        return {"kernelspec": {}}
    for key in header:
        if key not in HEADER_OPTIONS:
            line = _line_of(tokens[0].content, f"{key}:") + 2
            problems.append(Problem(
                Place(path, line), f"unknown header field `{key}`",
                f"known fields: {', '.join(sorted(HEADER_OPTIONS))}"))
    if "jupytext" in header or "kernelspec" in header:
        jupytext = header.get("jupytext")
        representation = (jupytext.get("text_representation") or {}) \
            if isinstance(jupytext, dict) else {}
        kernel = header.get("kernelspec")
        wanted = [("jupytext.text_representation.extension",
                   representation.get("extension"), ".md"),
                  ("jupytext.text_representation.format_name",
                   representation.get("format_name"), "myst"),
                  ("kernelspec.name",
                   kernel.get("name") if isinstance(kernel, dict) else None, "python3"),
                  ("kernelspec.display_name",
                   kernel.get("display_name") if isinstance(kernel, dict) else None, "Python 3")]
        wrong = [f"`{name}` {f'is {found!r}' if found is not None else 'is missing'}, "
                 f"not {want!r}" for name, found, want in wanted if found != want]
        if wrong:
            problems.append(Problem(
                Place(path, 1), f"wrong notebook header: {'; '.join(wrong)}",
                "it has to read:\n" + HEADER))
        header.setdefault("kernelspec", {})
    return header


def _cell(path: Path, index: int, fence: int, content: str, section: Section,
          problems: list[Problem]) -> Cell:
    lines = content.split("\n")
    if lines and lines[-1] == "":
        lines.pop()
    raw: list[str] = []
    skipped = 0
    if lines and lines[0].rstrip() == "---":
        closing = next((n for n, line in enumerate(lines[1:], 1) if line.rstrip() == "---"), None)
        if closing is None:
            problems.append(Problem(Place(path, fence + 1), "the cell's option block never ends",
                                    "close it with a line `---`"))
            closing = len(lines) - 1
        raw, skipped = lines[1:closing], closing + 1
    else:
        while skipped < len(lines) and lines[skipped].startswith(":"):  # no Python does
            raw.append(lines[skipped][1:])
            if not re.match(r":[A-Za-z_]\w*:(\s|$)", lines[skipped]):
                problems.append(Problem(
                    Place(path, fence + 1 + skipped), f"not a cell option: `{lines[skipped]}`",
                    "write `:key: value`, without a space before the key"))
            skipped += 1
    try:
        options = yaml.load("\n".join(raw), YAML) or {}
        if not isinstance(options, dict):
            raise yaml.YAMLError
    except yaml.YAMLError:
        problems.append(Problem(Place(path, fence + 1), "the cell's options are not valid YAML",
                                "write one `:key: value` on a line"))
        options = {}
    for key in options:
        if key not in CELL_OPTIONS:
            problems.append(Problem(
                Place(path, fence + 1 + _line_of("\n".join(raw), f"{key}:")),
                f"unknown cell option `{key}`",
                f"known options: {', '.join(sorted(CELL_OPTIONS))}"))
    while skipped < len(lines) and not lines[skipped].strip():
        skipped += 1
    cell = Cell(index, fence, fence + 1 + skipped, "\n".join(lines[skipped:]).rstrip(),
                options, section, path)
    if not cell.source.strip():
        problems.append(Problem(Place(path, fence), "a code cell without code",
                                "write it, or remove the cell"))
    _check_target(cell, problems)
    return cell


def _check_target(cell: Cell, problems: list[Problem]) -> None:
    if "tangle" not in cell.options:
        if cell.replaces:
            problems.append(Problem(Place(cell.path, cell.fence),
                                    "`:replaces:` on a cell that is not tangled",
                                    "add `:tangle: module.py` or drop `:replaces:`"))
        return
    target = cell.target
    parts = target.parts if target else ()
    inside = bool(parts) and target is not None and not target.is_absolute() \
        and ".." not in parts and target.suffix == ".py"
    names = [part.removesuffix(".py") for part in parts]
    taken = next(filter(keyword.iskeyword, names), None)
    if inside and taken:
        problems.append(Problem(
            Place(cell.path, cell.fence),
            f"`:tangle: {target}`: nobody could import it, `{taken}` is a word of Python's",
            f"call it `{taken}_` or, better, by what it holds"))
    elif not (inside and all(map(str.isidentifier, names))):
        problems.append(Problem(
            Place(cell.path, cell.fence),
            f"`:tangle: {cell.options['tangle']}` is not a module of the package",
            "give a path relative to code/scratchlm, such as `attention.py` or `data/pack.py`"))
    hidden = cell.tags & HIDING_TAGS
    if hidden:
        problems.append(Problem(
            Place(cell.path, cell.fence), f"a tangled cell is hidden by `{min(hidden)}`",
            "show it: the reader must see every line of the package"))


def _refuse_nested(path: Path, fence: int, kind: str, content: str,
                   problems: list[Problem]) -> None:
    """Cells inside an admonition or an exercise would be shown, never run."""
    if kind.startswith(("{code-block}", "{code}", "{literalinclude}", "{math}", "{raw}")):
        return
    for token in _markdown().parse(content):
        if token.type in ("fence", "colon_fence") and token.map:
            inner = token.info.strip()
            place = Place(path, fence + 1 + token.map[0])
            if inner.startswith("{code-cell}"):
                problems.append(Problem(
                    place, f"a code cell nested inside {kind.split()[0]}",
                    "move it out: nested cells are neither run nor tangled"))
            elif inner.startswith("{"):
                _refuse_nested(path, fence + 1 + token.map[0], inner, token.content, problems)


def _names(value: Any) -> list[str]:
    """``a, b`` or a YAML list, as a list of names."""
    if value is None:
        return []
    if isinstance(value, str):
        return [name for name in re.split(r"[,\s]+", value.strip()) if name]
    if isinstance(value, list):
        return [str(name) for name in value]
    return [str(value)]


def _line_of(text: str, start: str) -> int:
    """The first line, from 0, that starts so."""
    for n, line in enumerate(text.split("\n")):
        if line.strip().startswith(start):
            return n
    return 0
