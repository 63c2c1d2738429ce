"""The HTML book in a browser with the network cut: formulas, search, colors, phones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from loom.book.toc import read_book

ROOT = Path(__file__).parents[2]
CHAPTERS = read_book(ROOT).chapters
NAMES = [c.path.relative_to(ROOT).with_suffix(".html").as_posix() for c in CHAPTERS]
OTHERS = ["genindex.html", "search.html"]
DESKTOP, TABLET, PHONE = (1400, 900), (768, 1024), (390, 844)

# Texts whose contrast is below what WCAG AA asks for: 4.5, or 3 where large.
CONTRAST = """() => {
  const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const rgba = (color) => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = "#000"; canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = (top, below) => [0, 1, 2].map((i) => top[i] * top[3] + below[i] * (1 - top[3]));
  const light = (color) => {
    const [r, g, b] = color.slice(0, 3).map((c) => {
      c /= 255; return c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (element) => {
    const layers = [];
    for (let e = element; e; e = e.parentElement)
      layers.push(rgba(getComputedStyle(e).backgroundColor));
    return layers.reverse().reduce((below, top) => over(top, below), [255, 255, 255]);
  };
  const bad = new Map();
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const text = walk.currentNode.textContent.trim(), element = walk.currentNode.parentElement;
    if (!text || element.closest("script, style, noscript, svg, mjx-container, .sr-only")) continue;
    if (!element.checkVisibility({checkOpacity: true, checkVisibilityCSS: true})) continue;
    const style = getComputedStyle(element), below = ground(element);
    const a = light(over(rgba(style.color), below)), b = light(below);
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const size = parseFloat(style.fontSize), bold = parseInt(style.fontWeight) >= 700;
    const needed = size >= 24 || (bold && size >= 18.66) ? 3 : 4.5;
    if (ratio < needed) bad.set(element.tagName + "." + element.className,
      text.slice(0, 40) + " " + ratio.toFixed(2));
  }
  return [...bad.entries()].map(String);
}"""

# Elements that stick out of the window and are not inside something that scrolls.
STICKING_OUT = """() => {
  const width = document.documentElement.clientWidth, found = [];
  for (const e of document.querySelectorAll("article *, .bd-header-article *")) {
    const box = e.getBoundingClientRect();
    if (box.right <= width + 1 || !box.width || e.closest("svg, .sr-only")) continue;
    let p = e.parentElement, inside = false;
    for (; p && p !== document.body; p = p.parentElement)
      if (/auto|scroll|hidden|clip/.test(getComputedStyle(p).overflowX)) { inside = true; break; }
    if (!inside) found.push(e.tagName + "." + e.className + " " + Math.round(box.right));
  }
  return found;
}"""


@contextmanager
def opened(browser: Any, html: Path, name: str, size: tuple[int, int] = DESKTOP,
           theme: str = "light") -> Iterator[Any]:
    """A page from disk, offline, which must not complain nor ask for anything outside."""
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]}, color_scheme=theme,
        is_mobile=size[0] < 500, has_touch=size[0] < 500)
    context.set_offline(True)
    page = context.new_page()
    asked: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("requestfailed", lambda request: complaints.append(f"failed: {request.url}"))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text)
            if message.type in ("error", "warning") else None)
    page.goto((html / name).as_uri(), wait_until="load")
    page.wait_for_function("!window.MathJax || (MathJax.startup && MathJax.startup.document)")
    page.evaluate("window.MathJax ? MathJax.startup.promise.then(() => true) : true")
    yield page
    assert not [url for url in asked if not url.startswith(("file://", "data:", "blob:"))]
    assert not complaints
    context.close()


@dataclass
class Facts:
    """What one visit of a page shows."""

    formulas: int
    drawn: int
    spoken: int
    errors: int
    broken: list[str]
    faint: dict[str, list[str]]  # by theme
    wide: dict[int, tuple[int, list[str]]]  # by width: how wide it is, what sticks out


@pytest.fixture(scope="module")
def facts(browser: Any, html: Path) -> Callable[[str], Facts]:
    """A function: the facts of a page, which is visited once."""
    known: dict[str, Facts] = {}

    def visit(name: str) -> Facts:
        if name not in known:
            known[name] = _visit(browser, html, name)
        return known[name]

    return visit


def _visit(browser: Any, html: Path, name: str) -> Facts:
    faint, wide = {}, {}
    with opened(browser, html, name) as page:
        for theme in ("light", "dark"):
            page.emulate_media(color_scheme=theme, reduced_motion="reduce")
            page.wait_for_function(f"document.documentElement.dataset.theme === '{theme}'")
            faint[theme] = page.evaluate(CONTRAST)
        for width, height in (TABLET, PHONE):
            page.set_viewport_size({"width": width, "height": height})
            page.wait_for_function(f"innerWidth === {width}")
            wide[width] = (page.evaluate("document.documentElement.scrollWidth"),
                           page.evaluate(STICKING_OUT))
        return Facts(
            formulas=page.locator("article .math").count(),
            drawn=page.locator("article .math mjx-container > svg").count(),
            spoken=page.locator("article mjx-assistive-mml").count(),
            errors=page.locator("mjx-merror, [data-mjx-error]").count(),
            broken=page.evaluate("[...document.images].filter("
                                 "i => i.complete && !i.naturalWidth).map(i => i.src)"),
            faint=faint, wide=wide)


@pytest.mark.parametrize("name", NAMES + OTHERS)
def test_formulas_and_figures_are_drawn(facts: Callable[[str], Facts], name: str) -> None:
    page = facts(name)
    assert page.drawn == page.spoken == page.formulas
    assert page.errors == 0
    assert page.broken == []


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", NAMES + OTHERS)
def test_contrast(facts: Callable[[str], Facts], name: str, theme: str) -> None:
    assert facts(name).faint[theme] == []


@pytest.mark.parametrize("size", [PHONE, TABLET], ids=["phone", "tablet"])
@pytest.mark.parametrize("name", NAMES + OTHERS)
def test_nothing_sticks_out(facts: Callable[[str], Facts], name: str,
                            size: tuple[int, int]) -> None:
    width, sticking_out = facts(name).wide[size[0]]
    assert width <= size[0]
    assert sticking_out == []


def test_margin_notes_stand_in_the_margin_and_fold_into_the_text(
        browser: Any, html: Path) -> None:
    name = next(name for name, c in zip(NAMES, CHAPTERS, strict=True)
                if any(kind.startswith("{margin}") for _, _, kind in c.fences))
    for size, beside in ((DESKTOP, True), (PHONE, False)):
        with opened(browser, html, name, size) as page:
            note = page.locator("aside.margin").first.bounding_box()
            text = page.locator("article > section p").first.bounding_box()
            assert (note["x"] > text["x"] + text["width"]) is beside


def test_the_fonts_come_with_the_book(browser: Any, html: Path) -> None:
    with opened(browser, html, NAMES[-2]) as page:
        page.evaluate("document.fonts.ready.then(() => true)")
        loaded = set(page.evaluate("[...document.fonts].filter(f => f.status === 'loaded')"
                                   ".map(f => f.family.replaceAll('\"', ''))"))
        assert {"Book Serif", "Book Sans"} <= loaded


def test_code_of_76_columns_fits(browser: Any, html: Path) -> None:
    name = next(name for name, c in zip(NAMES, CHAPTERS, strict=True) if c.cells)
    with opened(browser, html, name) as page:
        over = page.evaluate("""() => [...document.querySelectorAll(".cell_input pre")]
            .filter(pre => pre.scrollWidth > pre.clientWidth + 1).length""")
        assert over == 0


@pytest.mark.parametrize(("word", "found"), [("gradient", "Gradients"), ("softmax", "softmax")])
def test_search_finds_a_word_and_shows_it(
        browser: Any, html: Path, word: str, found: str) -> None:
    with opened(browser, html, "search.html") as page:
        field = ".bd-search-container form.bd-search input"
        page.fill(field, word)
        page.press(field, "Enter")
        page.wait_for_selector("#search-results ul.search li p.context")
        assert found in page.inner_text("#search-results")
        assert word in page.inner_text("#search-results p.context >> nth=0").lower()
        page.click("#search-results ul.search li a >> nth=0")
        page.wait_for_load_state()
        assert "/book/" in page.url


def test_search_is_a_keystroke_away(browser: Any, html: Path) -> None:
    with opened(browser, html, NAMES[-1]) as page:
        page.keyboard.press("Control+k")
        page.keyboard.type("chapter")
        page.keyboard.press("Enter")
        page.wait_for_selector("#search-results ul.search li")


def test_the_theme_can_be_switched_and_stays(browser: Any, html: Path) -> None:
    with opened(browser, html, NAMES[0]) as page:
        seen = set()
        for _ in range(3):
            page.click(".theme-switch-button")
            seen.add(page.evaluate("document.documentElement.dataset.mode"))
        assert seen == {"light", "dark", "auto"}
        while page.evaluate("document.documentElement.dataset.mode") != "dark":
            page.click(".theme-switch-button")
        page.goto((html / NAMES[1]).as_uri())
        assert page.evaluate("document.documentElement.dataset.theme") == "dark"


def test_who_wants_no_motion_gets_none(browser: Any, html: Path) -> None:
    with opened(browser, html, NAMES[0]) as page:
        page.emulate_media(reduced_motion="reduce")
        moving = page.evaluate("""() => [...document.querySelectorAll("*")].filter(e => {
            const s = getComputedStyle(e);
            return s.transitionDuration.split(",").some(t => parseFloat(t) > 0)
                && s.transitionProperty !== "none" || s.animationName !== "none"; })
            .map(e => e.tagName + "." + e.className)""")
        assert moving == []


def test_the_keyboard_shows_where_it_is(browser: Any, html: Path) -> None:
    with opened(browser, html, NAMES[0]) as page:
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent").strip().startswith("Skip")
        for _ in range(12):
            page.keyboard.press("Tab")
            style = page.evaluate("(e => { const s = getComputedStyle(e); "
                                  "return [s.outlineStyle, parseFloat(s.outlineWidth)]; })"
                                  "(document.activeElement)")
            assert style[0] != "none" and style[1] >= 1


def test_paper_gets_the_text_alone(browser: Any, html: Path) -> None:
    with opened(browser, html, NAMES[-1]) as page:
        page.emulate_media(media="print")
        for hidden in (".bd-sidebar-primary", ".bd-sidebar-secondary", ".bd-header-article"):
            assert not page.locator(hidden).first.is_visible(), hidden
        assert page.locator("article h1").first.is_visible()
