"""The book's PDF, as it is printed.

The whole book is woven once for these tests, from the outputs that
``loom run`` has stored; where they are missing or stale, the build says so.
"""

from __future__ import annotations

import pickle
import re
import time
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import pikepdf
import pypdfium2
import pytest

from loom.book.toc import Book
from loom.weave.pdf.compile import FONTS, compile_book

ROOT = Path(__file__).parents[2]
PAGE = (576.0, 720.0)
TEXT, NOTES = (48.0, 416.0), (436.0, 544.0)  # columns, in points from the left
SLACK = 8.0  # panels of code hang out by 7 pt; points and hyphens by less


class Pdf:
    """The built PDF, read by two libraries that had no part in making it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.document = pypdfium2.PdfDocument(path)
        self.objects = pikepdf.open(path)

    @cached_property
    def pages(self) -> list[str]:
        return [page.get_textpage().get_text_range() for page in self.document]

    @cached_property
    def text(self) -> str:
        return re.sub(r"[\s\ufffe\x02]+", " ", " ".join(self.pages))

    def rectangles(self) -> Iterator[tuple[int, tuple[float, float, float, float], str]]:
        """Page, place (left, bottom, right, top) and text of every run of text."""
        for number, page in enumerate(self.document):
            text = page.get_textpage()
            for n in range(text.count_rects()):
                place = text.get_rect(n)
                yield number, place, text.get_text_bounded(*place)

    def elements(self) -> Iterator[Any]:
        """Every element of the structure tree."""
        waiting = [self.objects.Root.StructTreeRoot]
        while waiting:
            element = waiting.pop()
            if "/S" in element:
                yield element
            kids = element.get("/K", [])
            for kid in kids if isinstance(kids, pikepdf.Array) else [kids]:
                if isinstance(kid, pikepdf.Dictionary) and ("/S" in kid or "/K" in kid):
                    waiting.append(kid)


@pytest.fixture(scope="session")
def pdf(woven: Callable[[str], Path]) -> Pdf:
    """The book's PDF, built if the sources say something else than it."""
    return Pdf(woven("pdf"))


@pytest.fixture(scope="session")
def numbers(pdf: Pdf) -> Any:
    """Sphinx's memory of the book, which the HTML takes its numbers from too."""
    with (ROOT / "_build/weave/doctrees/environment.pickle").open("rb") as file:
        return pickle.load(file)


def test_nothing_stands_outside_the_columns(pdf: Pdf) -> None:
    assert all((round(page.get_width()), round(page.get_height())) == PAGE
               for page in pdf.document)
    outside = [(number + 1, place, text) for number, place, text in pdf.rectangles()
               if text.strip() and (place[0] < TEXT[0] - SLACK or place[2] > NOTES[1] + 2
                                    or place[1] < 20 or place[3] > PAGE[1] - 20)]
    assert outside == []


def test_code_and_prose_keep_to_their_column(pdf: Pdf) -> None:
    """Only running heads, titles and very wide formulas cross the gutter."""
    crossing = {number + 1 for number, (left, bottom, right, top), text in pdf.rectangles()
                if left < TEXT[1] - 20 and right > TEXT[1] + SLACK and text.strip()
                and top < PAGE[1] - 60}
    assert len(crossing) <= len(pdf.pages) // 20


def test_every_chapter_and_section_is_in_the_outline_with_its_number(
        pdf: Pdf, numbers: Any, book: Book) -> None:
    titles: list[str] = []

    def walk(items: Any) -> None:
        for item in items:
            titles.append(str(item.title))
            walk(item.children)

    with pdf.objects.open_outline() as outline:
        walk(outline.root)
    for docname, sections in numbers.toc_secnumbers.items():
        chapter = ".".join(map(str, sections[""]))
        assert f"{chapter} {numbers.titles[docname].astext()}" in titles
        for number in sections.values():
            assert any(title.startswith(".".join(map(str, number)) + " ") for title in titles)
    assert "Contents" in titles
    assert "Index" in titles
    assert sum(title.startswith("Part I ") for title in titles) == 1


def test_it_is_tagged_and_says_what_it_is(pdf: Pdf) -> None:
    root = pdf.objects.Root
    assert root.MarkInfo.Marked
    assert str(root.Lang).startswith("en")
    assert root.ViewerPreferences.DisplayDocTitle
    with pdf.objects.open_metadata() as metadata:
        assert "Every Line Runs" in str(metadata["dc:title"])
        assert str(metadata["pdfuaid:part"]) == "1"


def test_figures_and_formulas_can_be_read_aloud(pdf: Pdf) -> None:
    kinds: dict[str, int] = {}
    for element in pdf.elements():
        kind = str(element.S)
        kinds[kind] = kinds.get(kind, 0) + 1
        if kind in ("/Figure", "/Formula"):
            assert str(element.get("/Alt", "")).strip(), kind
    for kind in ("/H1", "/H2", "/P", "/Formula", "/Figure", "/Table", "/Code", "/Link", "/L"):
        assert kinds.get(kind, 0) > 0, kind


def test_no_reference_is_left_open(pdf: Pdf) -> None:
    assert "??" not in pdf.text
    assert "(p. )" not in pdf.text
    assert not re.search(r"(Figure|Table|Section|Chapter|Listing) (%s|None|\?)", pdf.text)


def test_figures_tables_and_equations_carry_the_numbers_of_the_html(
        pdf: Pdf, numbers: Any) -> None:
    shapes = {"figure": "Figure {}", "table": "Table {}", "displaymath": "({})",
              "exercise": "Exercise {}", "question": "{}"}
    found = 0
    for kinds in numbers.toc_fignumbers.values():
        for kind, items in kinds.items():
            for number in items.values():
                shown = shapes.get(kind, "Listing {}").format(".".join(map(str, number)))
                assert shown in pdf.text, shown
                found += 1
    assert found > 20


def test_every_listing_says_where_it_goes(pdf: Pdf, book: Book) -> None:
    for chapter in book.notebooks:
        for cell in chapter.cells:
            if cell.target is not None:
                assert f"scratchlm/{cell.target}" in pdf.text


def test_it_is_as_long_as_a_book_of_its_words(pdf: Pdf, book: Book) -> None:
    words = sum(len(chapter.text.split()) for chapter in book.chapters)
    assert words / 450 < len(pdf.pages) < words / 130
    empty = [n + 1 for n, text in enumerate(pdf.pages) if not text.strip()]
    assert empty == []


def test_fonts_are_embedded_and_are_those_that_pip_brings(pdf: Pdf) -> None:
    allowed = {name.replace(" ", "") for names in FONTS.values() for name in names}
    allowed |= {"NewCM", "NewCMMath", "LibertinusSerif"}
    seen = set()
    for page in pdf.objects.pages:
        for font in page.Resources.get("/Font", {}).values():
            name = str(font.BaseFont).lstrip("/").partition("+")[2]
            seen.add(name)
            assert any(name.startswith(family) for family in allowed), name
            inner = font.DescendantFonts[0] if "/DescendantFonts" in font else font
            assert {"/FontFile", "/FontFile2", "/FontFile3"} & set(inner.FontDescriptor.keys())
    assert any(name.startswith("LibertinusSerif") for name in seen)
    assert any(name.startswith("DejaVuSansMono") for name in seen)


def test_links_lead_somewhere(pdf: Pdf) -> None:
    pages = {page.objgen for page in pdf.objects.pages}
    names = {str(key) for key, _ in pikepdf.NameTree(pdf.objects.Root.Names.Dests).items()} \
        if "/Names" in pdf.objects.Root else set()
    inside = outside = 0
    for page in pdf.objects.pages:
        for link in page.get("/Annots", []):
            if link.Subtype != "/Link":
                continue
            action = link.get("/A")
            if action is not None and action.S == "/URI":
                assert re.match(r"https?://|mailto:", str(action.URI))
                outside += 1
                continue
            target = link.Dest if "/Dest" in link else action.D
            if isinstance(target, pikepdf.Array):
                assert target[0].objgen in pages
            else:
                assert str(target) in names
            inside += 1
    assert inside > 100
    assert outside > 5


def test_it_is_quick_and_the_same_every_time(pdf: Pdf, capsys: pytest.CaptureFixture[str]) -> None:
    started = time.perf_counter()
    again = compile_book(ROOT / "_build/weave/pdf/typst/main.typ", ROOT)
    seconds = time.perf_counter() - started
    with capsys.disabled():
        print(f"\nPDF: {len(pdf.pages)} pages in {seconds:.2f} s, "
              f"{len(pdf.pages) / seconds:.0f} pages per second")
    assert again == pdf.path.read_bytes()
    assert len(pdf.pages) / seconds > 5  # 50 and more where nothing else runs
