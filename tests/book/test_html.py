"""The HTML book, read as a file: links, figures, listings, headings, nothing from afar."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
import pytest
from bs4 import BeautifulSoup, Tag

from loom.book.chapter import Chapter
from loom.book.toc import Book, read_book

ROOT = Path(__file__).parents[2]
CHAPTERS = read_book(ROOT).chapters
FETCHED = (("script", "src"), ("link", "href"), ("img", "src"), ("source", "src"),
           ("iframe", "src"), ("audio", "src"), ("video", "src"), ("object", "data"))


@lru_cache(maxsize=64)
def soup(path: Path) -> BeautifulSoup:
    return BeautifulSoup(path.read_text(encoding="utf-8"), "lxml")


def page_of(html: Path, chapter: Chapter) -> Path:
    return html / chapter.path.relative_to(ROOT).with_suffix(".html")


def pages(html: Path) -> list[Path]:
    found = sorted(html.rglob("*.html"))
    assert len(found) > len(CHAPTERS)
    return found


def attribute(tag: Tag, name: str) -> str:
    return str(tag.get(name, ""))


def test_the_page_that_one_opens_leads_to_the_book(html: Path) -> None:
    first = html / "index.html"
    match = re.search(r"url=([^\"']+)", first.read_text(encoding="utf-8"))
    assert match and (html / match[1]).is_file()


def test_nothing_is_fetched_from_elsewhere(html: Path) -> None:
    for path in pages(html):
        for name, key in FETCHED:
            for tag in soup(path).find_all(name):
                address = attribute(tag, key)
                if name == "link" and "stylesheet" not in (tag.get("rel") or []):
                    continue
                assert not urlsplit(address).scheme.startswith("http"), (path.name, address)
                assert not address.startswith("//"), (path.name, address)
    for path in html.rglob("*.css"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"(@import|url\()\s*[\"']?(https?:)?//", text), path.name


def test_every_link_inside_leads_somewhere(html: Path) -> None:
    broken = []
    for path in pages(html):
        for tag in soup(path).find_all("a", href=True):
            target = urlsplit(attribute(tag, "href"))
            if target.scheme:
                assert target.scheme in ("http", "https", "mailto"), target
                continue
            file = (path.parent / unquote(target.path)).resolve() if target.path else path
            if not file.is_file() or not _has(file, unquote(target.fragment)):
                broken.append((path.name, tag["href"]))
    assert not broken


def _has(file: Path, anchor: str) -> bool:
    return not anchor or file.suffix != ".html" or anchor in _ids(file)


@cache
def _ids(file: Path) -> frozenset[str]:
    return frozenset(attribute(tag, "id") for tag in soup(file).find_all(id=True))


def test_every_file_that_a_page_loads_is_there(html: Path) -> None:
    missing = []
    for path in pages(html):
        for name, key in FETCHED:
            for tag in soup(path).find_all(name):
                target = urlsplit(attribute(tag, key))
                inside = target.path and not target.scheme
                rel = tag.get("rel") or []
                if inside and (name != "link" or "stylesheet" in rel or "preload" in rel) \
                        and not (path.parent / unquote(target.path)).is_file():
                    missing.append((path.name, attribute(tag, key)))
    assert not missing


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda c: c.name)
def test_headings_go_down_one_level_at_a_time(html: Path, chapter: Chapter) -> None:
    article = soup(page_of(html, chapter)).find("article")
    assert isinstance(article, Tag)
    levels = [int(tag.name[1]) for tag in article.find_all(re.compile(r"^h[1-6]$"))]
    assert levels.count(1) == 1 and levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    whole = soup(page_of(html, chapter)).find_all("h1")
    assert len(whole) == 1, "one title, also for who hears the page"


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda c: c.name)
def test_landmarks(html: Path, chapter: Chapter) -> None:
    page = soup(page_of(html, chapter))
    assert isinstance(page.html, Tag) and page.html.get("lang") == "en"
    assert len(page.find_all("main")) == 1
    skip = page.select_one("#pst-skip-link a, .skip-link a")
    assert skip is not None and page.find(id=attribute(skip, "href")[1:]) is not None
    assert all(nav.get("aria-label") or nav.get("aria-labelledby")
               for nav in page.find_all("nav"))
    assert page.title is not None and page.title.get_text(strip=True)
    assert page.find("meta", attrs={"name": "viewport"}) is not None


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda c: c.name)
def test_figures_say_what_they_show(html: Path, chapter: Chapter) -> None:
    article = soup(page_of(html, chapter)).find("article")
    assert isinstance(article, Tag)
    for image in article.find_all("img"):
        alt = attribute(image, "alt")
        assert len(alt) > 20 and not alt.startswith(("../", "_images")), image
        assert set(image.get("class") or []) & {"figure-lines", "figure-picture"}, image
    for figure in article.find_all("figure"):
        assert figure.find("figcaption") is not None, figure.get("id")


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda c: c.name)
def test_each_tangled_cell_says_where_it_goes(html: Path, chapter: Chapter) -> None:
    heads = soup(page_of(html, chapter)).select("article .listing-head")
    shown = [head.select_one(".listing-file") for head in heads]
    said = [file.get_text() if file else "" for file in shown]
    assert said == [f"scratchlm/{cell.target}" for cell in chapter.cells if cell.target]
    for head in heads:
        action = head.select_one(".listing-action")
        assert action is not None and action.get_text(strip=True)
        assert isinstance(head.find_next_sibling("div", class_="cell_input"), Tag)


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda c: c.name)
def test_cells_are_all_there_with_their_notebook(html: Path, chapter: Chapter) -> None:
    page = soup(page_of(html, chapter))
    shown = [c for c in chapter.cells if not {"remove-cell", "remove-input"} & c.tags]
    assert len(page.select("article div.cell_input")) == len(shown)
    button = page.select_one("a.btn-notebook")
    if not chapter.is_notebook:
        assert button is None
        return
    assert button is not None
    path = page_of(html, chapter).parent / attribute(button, "href")
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    sources = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    assert all(any(cell.source.strip() in source for source in sources)
               for cell in chapter.cells)


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda c: c.name)
def test_margin_notes_and_what_was_built(html: Path, chapter: Chapter) -> None:
    page = soup(page_of(html, chapter))
    notes = [kind for _, _, kind in chapter.fences if kind.startswith("{margin}")]
    assert len(page.select("article aside.margin")) >= len(notes)
    if any(kind.startswith("{built}") for _, _, kind in chapter.fences):
        tables = page.select("article table.built")
        assert len(tables) >= 2
        assert all(table.select("tbody tr") for table in tables)


def test_no_markup_is_left_in_the_text(html: Path, book: Book) -> None:
    for chapter in book.chapters:
        article = soup(page_of(html, chapter)).find("article")
        assert isinstance(article, Tag)
        text = " ".join(
            string for p in article.select("p, figcaption, caption") for string in p.strings
            if string.find_parent("code") is None)
        for mark in ("{numref}", "{cite}", "{ref}", "{eq}", "```", ":tangle:", "$$"):
            assert mark not in text, (chapter.name, mark)
