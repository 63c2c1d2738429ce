"""Compile the written book; tell what goes wrong in terms of the chapters."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from loom import files
from loom.errors import LoomError, Place, Problem, fail
from loom.weave.pdf import text

DAY = datetime(2026, 1, 1, tzinfo=UTC)  # the same bytes whenever the book is built
SINGLE = "alone.typ"
ALONE = """#import "book.typ": *
#show: book.with("", "", datetime(year: 2026, month: 1, day: 1))
#set page(numbering: "1")
#counter(page).update(json(bytes(sys.inputs.starts)).at(sys.inputs.alone))
#include sys.inputs.alone + ".typ"
#context [#metadata(counter(page).get().first())<last-page>]
"""
RESTLESS = 4  # changes of a figure's place, after which it is told where to stand
STANDARD: Literal["ua-1"] = "ua-1"  # tagged and readable aloud, or it does not compile

# The fonts that a kind of text is set in: the same lists as in book.typ.
FONTS = {
    "text": ("Libertinus Serif", "New Computer Modern", "DejaVu Sans", "Shobhika", "IPAexGothic"),
    "mono": ("DejaVu Sans Mono", "DejaVu Sans", "Shobhika", "IPAexGothic"),
    "math": ("New Computer Modern Math", "DejaVu Sans"),
}
# Where fonts that Typst does not bring come from: packages and their folders.
FONT_FOLDERS = {
    "matplotlib": "mpl-data/fonts/ttf",  # DejaVu
    "devanagari_fonts": "fonts",         # Shobhika
    "matplotlib_fontja": "fonts",        # IPAexGothic, for Japanese and much of Chinese
}
_MARK = re.compile(r"^// @ (.+?):(\d+)$")
_LABEL = re.compile(r'(#xref\(|#part\()("(?:[^"\\]|\\.)*")')
_INCLUDED = re.compile(r'#include "(.+)\.typ"$')
_CITED = re.compile(re.escape(text.CITED_BY) + r"(.*?)\*/")


@lru_cache(maxsize=1)
def fonts() -> Any:
    """Typst's own fonts and those of the packages above; none of the system's."""
    import typst

    folders = []
    for name, folder in FONT_FOLDERS.items():
        package = find_spec(name)  # found, not imported: that takes half a second
        if package is None or package.origin is None:
            raise fail(f"the package {name}, which has fonts of the PDF, is not installed",
                       "install what requirements.lock names")
        folders.append(str(Path(package.origin).parent / folder))
    return typst.Fonts(include_system_fonts=False, include_embedded_fonts=True,
                       font_paths=folders)


def substitute(source: str, aliases: Mapping[str, str],
               cited: Mapping[str, Sequence[str]] = MappingProxyType({})) -> str:
    """Fill in what is known when all chapters are written.

    Args:
        source: a Typst file.
        aliases: labels of headings, by the other labels they have.
        cited: labels of the places that cite a work, by the work's label.
    """
    def real(match: re.Match[str]) -> str:
        label = match[2][1:-1]
        return f'{match[1]}"{aliases.get(label, label)}"'

    def places(match: re.Match[str]) -> str:
        return text.array([text.string(place) for label in match[1].split()
                           for place in cited.get(label, ())])

    return _CITED.sub(places, _LABEL.sub(real, source))


def check_glyphs(characters: Mapping[tuple[str, str], Place]) -> None:
    """Every character of the book is in the font it is set in.

    Raises:
        LoomError: each that is not, with the chapter and line it first stands in.
    """
    wanted = sorted(characters)
    missing: list[tuple[str, str]] = []
    for role, family in FONTS.items():
        left = [character for kind, character in wanted if kind == role and _shows(character)]
        while left and (found := _first_missing(left, family)):
            missing += [(role, character) for character in left if character in found]
            left = [character for character in left if character not in found]
    if missing:
        raise LoomError([Problem(
            characters[role, character],
            f"no font of the PDF has the character {character} (U+{ord(character):04X})"
            f" for {'formulas' if role == 'math' else 'code' if role == 'mono' else 'text'}",
            "write it with other characters, or show its code point")
            for role, character in missing])


def _shows(character: str) -> bool:
    import unicodedata

    return unicodedata.category(character) not in ("Cf", "Zs", "Zl", "Zp", "Cc", "Mn")


def _first_missing(characters: list[str], family: tuple[str, ...]) -> str:
    """Characters of the first piece of text that Typst has no glyphs for."""
    import typst

    names = ", ".join(f'"{name}"' for name in family)
    lines = "\n\n".join(f"#text({_quoted(character)})" for character in characters)
    source = (f'#set document(title: "glyphs")\n#set text(font: ({names},), fallback: false)\n'
              f"= Glyphs\n{lines}\n")
    try:
        typst.Compiler(font_paths=fonts()).compile(
            input=source.encode(), format="pdf", pdf_standards=[STANDARD])
    except typst.TypstError as error:
        found = re.search(r'the text `"(.+?)"`', error.message)
        if not found:
            raise
        return found[1].encode().decode("unicode_escape") if found[1].startswith("\\u") \
            else found[1]
    return ""


def _quoted(character: str) -> str:
    return f'"\\u{{{ord(character):x}}}"'


def compile_book(main: Path, root: Path) -> bytes:
    """The PDF of a book whose files are written.

    Args:
        main: the file that includes the others.
        root: the book's folder, for the places of errors.

    Raises:
        LoomError: what Typst refuses, with the chapter and line it comes from.
    """
    import typst

    try:
        try:
            compiler = _settled(main)
        except RuntimeError:  # a query says what is wrong, but not where
            compiler = _compiler(main, {})
        pdf, warnings = compiler.compile_with_warnings(
            format="pdf", pdf_standards=[STANDARD], timestamp=int(DAY.timestamp()))
    except typst.TypstError as error:
        raise LoomError(_problem(error, main.parent, root)) from None
    if warnings:
        raise LoomError([_problem(warning, main.parent, root) for warning in warnings])
    if not isinstance(pdf, bytes):
        raise fail("Typst made no PDF", "this is a bug of loom", path=main)
    return pdf


def _compiler(main: Path, places: Mapping[str, bool], alone: str = "",
              starts: Mapping[str, int] = MappingProxyType({})) -> Any:
    """A compiler that holds figures where they are spoken of, or not; of one chapter alone.

    Args:
        main: the file that is compiled.
        places: which figures stand where they are spoken of.
        alone: the chapter.
        starts: the page on which it begins, and those before it.
    """
    import typst

    return typst.Compiler(str(main), root=str(main.parent), font_paths=fonts(), sys_inputs={
        "places": json.dumps(dict(places)), "alone": alone, "starts": json.dumps(dict(starts))})


def _settled(main: Path) -> Any:
    """A compiler of the book with every figure in its place.

    A figure stands where it is spoken of or, where there is no room, on top
    of the next page. It moves what follows it, later figures included, so that
    choices come to rest from a chapter's first figure to its last. Chapters
    begin on pages of their own: one with new figures is looked at alone, which
    is quick. Then the whole is looked at: a figure that found no room after
    all goes to the next page, and text fills the gap.
    """
    kept = main.parent.with_suffix(".json")  # beside the folder, which is written anew
    last: dict[str, Any] = {}
    with suppress(OSError, ValueError):
        last = json.loads(kept.read_text(encoding="utf-8"))
    template = main.with_name("book.typ").read_text(encoding="utf-8")
    files.write_all({main.with_name(SINGLE): ALONE})
    alone: dict[str, Any] = {}
    places: dict[str, bool] = {}
    starts: dict[str, int] = {}
    start = 1
    for line in main.read_text(encoding="utf-8").splitlines():
        start += line.startswith("#part(")
        if not (included := _INCLUDED.match(line)):
            continue
        chapter, starts[included[1]] = included[1], start
        source = (main.parent / f"{chapter}.typ").read_text(encoding="utf-8")
        read = json.dumps([source, template, ALONE, starts])
        digest = hashlib.sha256(read.encode()).hexdigest()
        alone[chapter] = last[chapter] if last.get(chapter, {}).get("digest") == digest \
            else {"digest": digest, **_alone(main.with_name(SINGLE), chapter, starts)}
        places |= alone[chapter]["fits"]
        start += alone[chapter]["pages"]
    files.write_all({kept: json.dumps(alone, indent=1)})
    while True:
        compiler = _compiler(main, places)
        full = {figure for figure, fit in _choices(compiler).items() if places[figure] and not fit}
        if not full:
            return compiler
        places |= dict.fromkeys(full, False)


def _alone(main: Path, chapter: str, starts: Mapping[str, int]) -> dict[str, Any]:
    """Let a chapter's figures choose until none would move; its pages, too."""
    changes: Counter[str] = Counter()
    places: dict[str, bool] = {}
    while True:
        compiler = _compiler(main, places, chapter, starts)
        fits = {figure: fit and changes[figure] < RESTLESS
                for figure, fit in _choices(compiler).items()}
        moved = [figure for figure, fit in fits.items() if places.get(figure) != fit]
        if not moved:
            pages = json.loads(compiler.query("<last-page>", field="value"))
            return {"fits": fits, "pages": pages[0] - starts[chapter] + 1}
        changes.update(moved)
        places = fits


def _choices(compiler: Any) -> dict[str, bool]:
    """By figure, whether there is room for it where it is spoken of."""
    said = json.loads(compiler.query("<choice>", field="value"))
    return {one["figure"]: one["fits"] for one in said}


def _problem(error: Any, folder: Path, root: Path) -> Problem:
    """A Typst error as a problem of the chapter that its line was written for."""
    what = str(error.message).splitlines()[0]
    remedy = "; ".join(str(hint) for hint in error.hints)
    if asked := re.fullmatch(r"panicked with: find (.+?); (the .+)", what):
        # The template complains of something that it can only name.
        place = next(filter(None, (_search(path, asked[1]) for path in folder.rglob("*.typ"))),
                     None)
        return Problem(place, asked[2], remedy or "break it into lines, or shorten it")
    for path, line in re.findall(r"[┌├]─ (.+?):(\d+):\d+", str(error.diagnostic)):
        file = folder / path if (folder / path).is_file() else folder / Path(path).name
        if place := origin(file, int(line)):
            return Problem(place, f"Typst: {what}", remedy)
    return Problem(Place(folder / "main.typ"), f"Typst: {what}",
                   remedy or "the whole message: " + str(error.diagnostic))


def _search(path: Path, words: str) -> Place | None:
    """The chapter and line of the first line of a Typst file with these words."""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if words in line:
            return origin(path, number)
    return None


def origin(path: Path, line: int) -> Place | None:
    """The chapter and line that a line of a Typst file was written for."""
    if not path.is_file():
        return None
    lines = path.read_text(encoding="utf-8").splitlines()
    for at in range(min(line, len(lines)) - 1, -1, -1):
        if found := _MARK.match(lines[at]):
            return Place(Path(found[1]), int(found[2]))
    return None
