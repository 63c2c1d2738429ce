"""The rules that a machine can hold a chapter to.

Reading and tangling refuse what cannot work (a nested cell, a name used
before its chapter). The rules here keep the book good: what fits on paper,
what a reader of the package needs, what someone who cannot see the figure
needs, and that every reference leads somewhere.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from loom.book.chapter import Cell, Chapter
from loom.book.toc import Book
from loom.errors import Place, Problem
from loom.files import read_text

COLUMNS = 76  # what a printed line holds
LINES = 25  # of a cell
TANGLED_LINES = 40  # of a cell of the package
WORDS_IN_A_SENTENCE = 40  # far beyond what the style asks for; no reader survives more

# Words that praise instead of saying (whole words, any case).
HYPE = (
    "delve", "delves", "crucial", "crucially", "powerful", "landscape", "unlock", "unlocks",
    "seamless", "seamlessly", "leverage", "leverages", "testament", "tapestry", "revolutionary",
    "game-changer", "it is important to note", "it is worth noting",
)
_HYPE = re.compile(r"\b(" + "|".join(map(re.escape, HYPE)) + r")\b", re.IGNORECASE)
_OPENING = re.compile(r"\bin this chapter,? we (will|are going to|shall)\b", re.IGNORECASE)
_ROLE = re.compile(r"\{(numref|ref|eq|cite(?::[a-z]+)?|doc)\}`([^`]+)`")
_LABEL = re.compile(r"^\(([A-Za-z0-9_.:-]+)\)=\s*$|^\$\$\s*\(([A-Za-z0-9_.:-]+)\)\s*$"
                    r"|^:(?:name|label):\s*(\S+)\s*$", re.MULTILINE)
_BIB_KEY = re.compile(r"^\s*@\w+\s*\{\s*([^,\s]+)\s*,", re.MULTILINE)


def lint(book: Book, labels: Collection[str] = ()) -> list[Problem]:
    """Everything that the rules find, in the order of the book.

    Args:
        book: the book.
        labels: those that stand elsewhere, and may be referred to.
    """
    problems = list(_numbers(book))
    problems += _references(book, labels)
    for chapter in book.chapters:
        problems += prose(chapter.path, _text_lines(chapter))
        problems += _footnotes(chapter)
        for cell in chapter.cells:
            problems += _cell(cell)
    return problems


def _numbers(book: Book) -> Iterator[Problem]:
    numbers = [c.number for c in book.chapters if c.number is not None]
    if numbers != list(range(1, len(numbers) + 1)):
        yield Problem(Place(book.root / "_toc.yml"),
                      f"the chapters' files are numbered {numbers}",
                      "number them 01, 02, 03 … in the order of the contents")


def _cell(cell: Cell) -> Iterator[Problem]:
    lines = cell.source.split("\n")
    for n, line in enumerate(lines, 1):
        if len(line) > COLUMNS:
            yield Problem(cell.place(n), f"a code line of {len(line)} columns",
                          f"break it: the page holds {COLUMNS}")
    limit = TANGLED_LINES if cell.target else LINES
    if len(lines) > limit:
        kind = "a tangled cell" if cell.target else "a cell"
        yield Problem(Place(cell.path, cell.fence), f"{kind} of {len(lines)} lines",
                      f"split it: at most {limit}, one idea each")
    if cell.target:
        yield from _docstrings(cell)
    yield from _figure(cell)


def _docstrings(cell: Cell) -> Iterator[Problem]:
    try:
        tree = ast.parse(cell.source)
    except SyntaxError:
        return  # tangling tells it better
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        if node not in tree.body and not _in_class(tree, node):
            continue
        if node.name.startswith("_") or ast.get_docstring(node) or _is_overload(node):
            continue
        yield Problem(cell.place(node.lineno), f"public `{node.name}` has no docstring",
                      "say its purpose, shapes, errors and source")


def _in_class(tree: ast.Module, node: ast.AST) -> bool:
    return any(node in c.body for c in tree.body if isinstance(c, ast.ClassDef))


def _is_overload(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> bool:
    names = {ast.unparse(d).rsplit(".", 1)[-1] for d in node.decorator_list}
    return bool(names & {"overload", "setter", "deleter"})


def _figure(cell: Cell) -> Iterator[Problem]:
    mystnb = cell.options.get("mystnb") or {}
    draws = re.search(r"\bplt\.(subplots|figure|show)\b", cell.source)
    if not (draws or "figure" in mystnb) or cell.tags & {"remove-output", "remove-cell"}:
        return
    place = Place(cell.path, cell.fence)
    if not (mystnb.get("image") or {}).get("alt"):
        yield Problem(place, "a figure without alternative text",
                      "add `mystnb: {image: {alt: …}}`: what one sees, in a sentence or two")
    if not (mystnb.get("figure") or {}).get("caption"):
        yield Problem(place, "a figure without a caption",
                      "add `mystnb: {figure: {name: fig-…, caption: …}}`: what to conclude")


def prose(path: Path, lines: Iterable[tuple[int, str]]) -> Iterator[Problem]:
    """Praise, announcements and sentences that nobody follows, in running text.

    Args:
        path: the file.
        lines: numbers of lines and what stands there.
    """
    for n, line in lines:
        match = _HYPE.search(line) or _OPENING.search(line)
        if match:
            yield Problem(Place(path, n), f"`{match[0]}` praises, or announces",
                          "say what happens instead")
        for sentence in re.split(r"(?<=[.!?])\s", re.sub(r"\$[^$]*\$|`[^`]*`", "", line)):
            words = len(re.findall(r"[A-Za-z][\w’'-]*", sentence))
            if words > WORDS_IN_A_SENTENCE:
                yield Problem(Place(path, n),
                              f"a sentence of {words} words: “{sentence.strip()[:40]}…”",
                              "cut it in two")


def _footnotes(chapter: Chapter) -> Iterator[Problem]:
    """Footnotes that are called and not written: MyST prints the call as text."""
    lines = list(_text_lines(chapter))
    written = {match[1] for _, line in lines if (match := re.match(r"\[\^([^\]]+)\]:", line))}
    for n, line in lines:
        for name in re.findall(r"\[\^([^\]]+)\](?!:)", re.sub(r"`[^`]*`|\$[^$]*\$", "", line)):
            if name not in written:
                yield Problem(Place(chapter.path, n), f"the footnote `[^{name}]` is not written",
                              f"add a paragraph `[^{name}]: …`, or drop the call")


def _text_lines(chapter: Chapter) -> Iterator[tuple[int, str]]:
    """Lines of running text: no header, no code, no displayed mathematics."""
    skipped: set[int] = set()
    for first, last, kind in chapter.fences:
        code = not kind.startswith(("{margin}", "{note}", "{tip}", "{warning}", "{admonition}"))
        skipped.update(range(first, last + 1) if code else (first, last))
    in_math = False
    header = chapter.text.startswith("---\n")
    for n, line in enumerate(chapter.text.split("\n"), 1):
        if header:
            header = n == 1 or line != "---"
            continue
        fence = line.startswith("$$")
        if fence and not (len(line) > 2 and "$$" in line[2:]):
            in_math = not in_math
        if not (in_math or fence or n in skipped or line.startswith("|")):
            yield n, line


def _references(book: Book, labels: Collection[str]) -> Iterator[Problem]:
    """Labels that are defined twice, and references that lead nowhere."""
    places: dict[str, Place] = {}
    for chapter in book.chapters:
        for label, at in labels_of(chapter):
            place = Place(chapter.path, at)
            if label in places:
                yield Problem(place, f"the label `{label}` is taken by {places[label]}",
                              "a label names one thing in the whole book: choose another")
            places.setdefault(label, place)
    bibliography, keys = citations(book)
    for key, count in keys.items():
        if count > 1:
            yield Problem(Place(bibliography), f"`{key}` stands there {count} times",
                          "keep one of them")
    known = {*places, *labels}
    for chapter in book.chapters:
        shown = {n for first, last, kind in chapter.fences
                 if not kind.startswith("{") or kind.startswith("{code")
                 for n in range(first, last + 1)}
        for n, line in enumerate(chapter.text.split("\n"), 1):
            if n in shown and not line.strip().startswith("caption"):
                continue
            yield from unresolved(line, known, keys, Place(chapter.path, n))


def citations(book: Book) -> tuple[Path, Counter[str]]:
    """The bibliography, and how often it holds each key."""
    bibliography = book.root / "book" / "references.bib"
    text = read_text(bibliography) if bibliography.is_file() else ""
    return bibliography, Counter(_BIB_KEY.findall(text))


def unresolved(text: str, labels: Collection[str], keys: Collection[str], place: Place
               ) -> Iterator[Problem]:
    """References and citations of a line that lead nowhere.

    Args:
        text: the line.
        labels: what references may name.
        keys: what citations may name.
        place: where it stands.
    """
    for role, body in _ROLE.findall(text):
        yield from _unresolved(role, body, labels, keys, place)


def _unresolved(role: str, body: str, labels: Collection[str], keys: Collection[str],
                place: Place) -> Iterator[Problem]:
    named = re.fullmatch(r".*<([^<>]+)>", body, re.DOTALL)
    targets = (named[1] if named else body).split(",")
    if role == "doc":
        return  # the build checks files
    known, remedy = (keys, "add it to book/references.bib") if role.startswith("cite") \
        else (labels, "mend the name, or label the target")
    for target in (t.strip() for t in targets):
        if target not in known:
            what = "citation" if role.startswith("cite") else "reference"
            yield Problem(place, f"the {what} `{target}` leads nowhere", remedy)


def labels_of(chapter: Chapter) -> Iterator[tuple[str, int]]:
    """The labels that a chapter defines, and their lines."""
    for match in _LABEL.finditer(chapter.text):
        line = chapter.text.count("\n", 0, match.start()) + 1
        inside = any(first < line < last and (not kind or not kind.startswith("{"))
                     for first, last, kind in chapter.fences)
        if not inside:
            yield next(filter(None, match.groups())), line
    for cell in chapter.cells:
        name = ((cell.options.get("mystnb") or {}).get("figure") or {}).get("name")
        if name:
            yield str(name), cell.fence
