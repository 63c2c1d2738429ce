"""YAML with places: every scalar as its author wrote it, every field with its line.

YAML guesses types (an unquoted ``no`` is false, ``0.10`` is 0.1) and cuts text
at a ``#``. Nothing is guessed here: scalars stay text, and whoever knows what a
field is for reads a number out of it.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from loom.errors import LoomError, Place, Problem, fail
from loom.files import read_text

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # written in C where it is there
DEPTH = 20  # levels of nesting that somebody may have meant
QUOTE = "write `|` after the colon and the text on the next line, further in"


class Scalar(str):
    """A scalar, its text untouched.

    Attributes:
        line: where its first line of text stands.
        plain: whether it stands without quotes and without ``|``.
        cut: what YAML took for a comment behind it, "" if nothing.
        escaped: an escape of double quotes that the author may not have meant.
    """

    line: int
    plain: bool
    cut: str
    escaped: str


class Fields(dict[str, Any]):
    """A mapping; ``line`` and ``lines`` (of each field's value) are among its items."""

    @property
    def line(self) -> int:
        """Where it begins."""
        return int(self["line"])

    @property
    def lines(self) -> dict[str, int]:
        """Where the value of each field begins."""
        return dict(self["lines"])


class Items(list[Any]):
    """A sequence and where it begins."""

    line: int


def read_yaml(path: Path) -> Any:
    """A YAML file as ``Fields``, ``Items`` and ``Scalar``; None if it is empty.

    Raises:
        LoomError: it cannot be read, is no YAML, or holds what no quiz needs:
            tabs for indentation, aliases, tags, a field twice.
    """
    text = read_text(path)
    problems = [
        Problem(Place(path, text[:text.index(character)].count("\n") + 1),
                f"holds {what}, which no editor shows",
                "delete it; the encoding to save in is UTF-8 without a byte-order mark")
        for character, what in (("\ufeff", "a byte-order mark"), ("\0", "a NUL character"))
        if character in text]
    if problems:
        raise LoomError(problems)
    try:
        node = yaml.compose(text, Loader=LOADER)
    except yaml.YAMLError as error:
        raise _no_yaml(error, path, text) from None
    except RecursionError:
        raise fail("is nested beyond all measure", "a question has three levels: the list of "
                   "questions, its fields, its options", path=path) from None
    reader = _Reader(path, text.split("\n"))
    content = reader.read(node, 0) if node is not None else None
    if reader.problems:
        raise LoomError(reader.problems)
    return content


def _no_yaml(error: yaml.YAMLError, path: Path, text: str) -> LoomError:
    """Where YAML gave up, and what is usually the reason."""
    mark = getattr(error, "problem_mark", None)
    line = mark.line + 1 if mark else None
    said = str(getattr(error, "problem", None) or getattr(error, "reason", error))
    if isinstance(error, yaml.reader.ReaderError) and isinstance(error.position, int):
        character = f"U+{ord(error.character):04X}" if isinstance(error.character, str) \
            else f"U+{error.character:04X}"
        line = text[:error.position].count("\n") + 1
        return fail(f"holds the control character {character}", "delete it", path=path, line=line)
    shown = text.split("\n")[line - 1] if line and line <= text.count("\n") + 1 else ""
    remedy = "mend the line"
    if "\t" in shown:
        remedy = "indent with spaces: YAML takes no tabs"
    elif "mapping values" in said or "could not find expected ':'" in said:
        remedy = f"a text that holds a colon and a space needs quotes: {QUOTE}"
    elif "cannot start any token" in said or "alias" in said or "expected" in said:
        remedy = "a text that begins with ` @ % * & ! [ { or with a quotation mark " \
                 f"needs care: {QUOTE}"
    return fail(f"is not YAML: {said}", remedy, path=path, line=line)


class _Reader:
    """Turns nodes into content and collects what is wrong with them."""

    def __init__(self, path: Path, lines: list[str]) -> None:
        self.path = path
        self.lines = lines
        self.problems: list[Problem] = []
        self.seen: set[int] = set()

    def read(self, node: Any, depth: int) -> Any:
        line = node.start_mark.line + 1
        if id(node) in self.seen:
            self.problem(line, "is used a second time through an alias", "write it out")
            return None
        if depth > DEPTH:
            self.problem(line, f"is nested more than {DEPTH} levels deep", "mend the indentation")
            return None
        self.seen.add(id(node))
        if not str(node.tag).startswith("tag:yaml.org,2002:"):
            self.problem(line, f"YAML reads `{node.tag}` as a tag, and drops it", QUOTE)
        if isinstance(node, yaml.ScalarNode):
            return self.scalar(node)
        if isinstance(node, yaml.SequenceNode):
            items = Items(self.read(one, depth + 1) for one in node.value)
            items.line = line
            return items
        return self.fields(node, depth)

    def fields(self, node: Any, depth: int) -> Fields:
        content = Fields()
        lines: dict[str, int] = {}
        for key, value in node.value:
            at = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                self.problem(at, "a field whose name is a list or a mapping", QUOTE)
                continue
            name = str(key.value)
            if name in lines:
                self.problem(at, f"`{name}` is written twice; the first stands in line "
                             f"{lines[name]}", "keep one of the two")
                continue
            read = self.read(value, depth + 1)
            empty = isinstance(read, Scalar) and read.plain and not read
            lines[name] = at if empty or read is None else read.line
            content[name] = None if empty else read
        for name in ("line", "lines"):  # ours: said below
            if name in content:
                self.problem(lines[name], f"unknown field `{name}`", "remove it")
        content["line"] = node.start_mark.line + 1
        content["lines"] = lines
        return content

    def scalar(self, node: Any) -> Scalar:
        text = str(node.value)
        scalar = Scalar(text)
        block = node.style in ("|", ">")
        scalar.plain = not node.style
        scalar.line = node.start_mark.line + 1
        if block:
            scalar.line += 1 + len(text) - len(text.lstrip("\n"))
        scalar.cut = scalar.escaped = ""
        first, last = node.start_mark, node.end_mark
        if scalar.plain and text and last.line < len(self.lines):
            behind = re.match(r"\s+(#.*)", self.lines[last.line][last.column:])
            scalar.cut = behind[1].strip() if behind else ""
        if node.style == '"':
            raw = "\n".join(self.lines[first.line:last.line + 1])[first.column:]
            escape = re.search(r'\\([^"\\\n])', raw.replace("\\\\", ""))
            scalar.escaped = f"\\{escape[1]}" if escape else ""
        return scalar

    def problem(self, line: int, what: str, remedy: str) -> None:
        self.problems.append(Problem(Place(self.path, line), what, remedy))
