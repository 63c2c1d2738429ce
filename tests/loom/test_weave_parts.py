"""The parts of weaving, one by one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from xml.etree import ElementTree

import pytest

from loom.book.toc import Book
from loom.tangle.modules import tangle
from loom.weave.built import additions, sizes
from loom.weave.epub.mathml import to_mathml
from loom.weave.html.figures import is_drawing
from loom.weave.html.fonts import FACES, write_fonts
from loom.weave.html.page import _launches
from loom.weave.listings import Listings, spans

MATH = "{http://www.w3.org/1998/Math/MathML}"

SHAPES = '''(ch-shapes)=
# Shapes

```{code-cell} python
:tangle: shapes.py
SIDES = 4


class Square:
    """A square of a side.

    More words that nobody needs here.
    """

    def __init__(self, side: float) -> None:
        self.side = side

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Square) and self.side == other.side


def _hidden() -> int:
    return 0
```

```{code-cell} python
from loom.extends import extends
```

```{code-cell} python
:tangle: shapes.py
@extends(Square)
def area(self) -> float:
    """Side times side."""
    return self.side**2
```
'''
SIZES = '''(ch-sizes)=
# Sizes

```{code-cell} python
from loom.extends import extends
from scratchlm.shapes import Square
```

```{code-cell} python
:tangle: shapes.py
:replaces: Square.area
@extends(Square)
def area(self) -> float:
    """Side times side, once more."""
    return self.side * self.side
```

```{code-cell} python
:tangle: sizes.py
def one() -> int:
    """One."""
    return 1
```
'''


@pytest.fixture
def book(make_book: Callable[[Mapping[str, str]], Book]) -> Book:
    return make_book({"01-shapes": SHAPES, "02-sizes": SIZES})


def test_what_a_chapter_built(book: Book) -> None:
    first = book.chapter(1)
    found = additions(tangle(book.until(first)), tangle(()), first)
    assert [(a.name, a.purpose, a.changed) for a in found] == [
        ("SIDES", "`4`", False),
        ("Square", "A square of a side.", False),
        ("Square.area", "Side times side.", False)]
    assert [a.lines for a in found] == [1, 8, 3], "a member's lines count once"


def test_what_a_later_chapter_built_and_changed(book: Book) -> None:
    second = book.chapter(2)
    found = additions(tangle(book.until(second)), tangle(book.until(1)), second)
    assert [(str(a.module), a.name, a.changed) for a in found] == [
        ("shapes.py", "Square.area", True), ("sizes.py", "one", False)]
    assert found[0].lines == 3 and found[0].purpose == "Side times side, once more."


def test_sizes_count_lines_that_say_something(book: Book) -> None:
    package = tangle(book.until(2))
    found = sizes(package)
    assert {str(path) for path in found} == {"shapes.py", "sizes.py"}
    for path, lines in found.items():
        assert lines == len([x for x in package.files[path].splitlines() if x.strip()])


def test_listings_know_what_comes_before_and_after(book: Book) -> None:
    listings = Listings(book)
    used: set[int] = set()
    cells = [cell for cell in book.chapter(1).cells if cell.target]
    first = listings.find("book/01-shapes", "shapes.py", cells[0].source, used)
    second = listings.find("book/01-shapes", "shapes.py", cells[1].source, used)
    assert first and second and first.action.startswith("defines `SIDES`, `Square`")
    assert second.action == "adds `area` to `Square`"
    before, after = listings.neighbors(second)
    assert before is first and after is not None
    assert (after.docname, after.anchor) == ("book/02-sizes", "listing-shapes-3")
    assert listings.neighbors(first)[0] is None
    assert listings.find("book/01-shapes", "shapes.py", cells[0].source, used) is None
    assert listings.find("book/01-shapes", "shapes.py", "print(1)", set()) is None


@pytest.mark.parametrize(("text", "parts"), [
    ("adds `f` to `C`", [(False, "adds "), (True, "f"), (False, " to "), (True, "C")]),
    ("`x`", [(True, "x")]),
    ("see ``d_head`` there", [(False, "see "), (True, "d_head"), (False, " there")]),
    ("", []),
])
def test_spans(text: str, parts: list[tuple[bool, str]]) -> None:
    assert list(spans(text)) == parts


@pytest.mark.parametrize(("tex", "holds"), [
    (r"\frac{a}{b}", "mfrac"),
    (r"\sqrt{x}", "msqrt"),
    (r"\begin{aligned} a &= b \\ &= c \end{aligned}", "mtable"),
    (r"a &= b \\ &= c", "mtable"),
    (r"\begin{cases} 1 & \text{if } x > 0 \\ 0 & \text{else} \end{cases}", "mtable"),
    (r"\sum_{i=1}^{n} x_i", "munderover"),
    (r"\operatorname{Var}(s)", "mi"),
])
def test_formulas_become_mathml(tex: str, holds: str) -> None:
    root = ElementTree.fromstring(to_mathml(tex, display=True))
    assert root.tag == f"{MATH}math" and root.get("display") == "block"
    assert root.get("alttext") == " ".join(tex.split())
    assert next(root.iter(f"{MATH}{holds}"), None) is not None
    assert "&" not in "".join(root.itertext())


@pytest.mark.parametrize("tex", [r"\nosuchthing{x}", r"\frac{a}", r"\left( x", "{x", r"a & b"])
def test_formulas_that_do_not_convert(tex: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        to_mathml(tex, display=False)


def test_drawings_and_pictures(tmp_path: Path) -> None:
    drawing, picture, photo = (tmp_path / name for name in ("a.svg", "b.svg", "c.png"))
    drawing.write_text("<svg><path d='M0 0'/></svg>")
    picture.write_text("<svg><image href='data:image/png;base64,'/></svg>")
    photo.write_bytes(b"\x89PNG")
    assert is_drawing(drawing)
    assert not is_drawing(picture) and not is_drawing(photo)
    assert not is_drawing(tmp_path / "missing.svg")


def test_fonts_are_made_once_and_named(tmp_path: Path) -> None:
    write_fonts(tmp_path)
    style = (tmp_path / "fonts.css").read_text()
    fonts = sorted((tmp_path / "fonts").glob("*.woff"))
    assert len(fonts) == len(FACES)
    assert all(f'url("fonts/{font.name}")' in style for font in fonts)
    assert sum(font.stat().st_size for font in fonts) < 400_000
    assert all("Open Font License" in path.read_text()
               for path in (tmp_path / "fonts").glob("*.txt"))
    before = [font.stat().st_mtime_ns for font in fonts]
    write_fonts(tmp_path)
    assert [font.stat().st_mtime_ns for font in fonts] == before


def test_launch_buttons_need_a_repository() -> None:
    services = {"colab_url": "https://colab.example", "binderhub_url": "https://binder.example/"}
    assert _launches({"launch_buttons": services}, "book/01.ipynb") == []
    found = _launches({"launch_buttons": services, "repository_branch": "pages",
                       "repository_url": "https://github.com/who/what"}, "book/01.ipynb")
    assert [button["url"] for button in found] == [
        "https://colab.example/github/who/what/blob/pages/book/01.ipynb",
        "https://binder.example/v2/gh/who/what/pages?urlpath=lab/tree/book/01.ipynb"]
