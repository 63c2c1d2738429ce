"""The PDF builder on small pages: nothing lost, nothing silent, the same bytes."""

from __future__ import annotations

import errno
import io
import itertools
import logging
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pypdfium2
import pytest
from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace

from loom.errors import LoomError
from loom.weave.listings import listing_head
from loom.weave.pdf import compile as press
from loom.weave.pdf import nodes as typst_nodes
from loom.weave.pdf import text as typst_text

INDEX = "# Book\n\n```{toctree}\n:numbered:\nchapter\n```\n"
PIXEL = ("<svg xmlns='http://www.w3.org/2000/svg' width='80' height='40'>"
         "<rect width='80' height='40' fill='#777'/></svg>")


class Woven:
    """What one build left behind."""

    def __init__(self, app: Sphinx) -> None:
        self.app = app
        self.pdf = Path(app.outdir) / "book.pdf"

    @property
    def typst(self) -> str:
        return (Path(self.app.outdir) / "typst" / "chapter.typ").read_text(encoding="utf-8")

    @property
    def pages(self) -> list[str]:
        document = pypdfium2.PdfDocument(self.pdf)
        return [" ".join(page.get_textpage().get_text_range().split()) for page in document]

    @property
    def text(self) -> str:
        return " ".join(self.pages)


Weave = Callable[..., Woven]


@pytest.fixture
def weave(tmp_path: Path) -> Iterator[Weave]:
    """A function that weaves one chapter of Markdown, with Sphinx and MyST alone."""
    def go(markdown: str, out: str = "out") -> Woven:
        source = tmp_path / "source"
        source.mkdir(exist_ok=True)
        (source / "index.md").write_text(INDEX, encoding="utf-8")
        (source / "chapter.md").write_text(markdown, encoding="utf-8")
        (source / "pixel.svg").write_text(PIXEL, encoding="utf-8")
        with docutils_namespace():
            app = Sphinx(
                srcdir=source, confdir=None, outdir=tmp_path / out,
                doctreedir=tmp_path / f"{out}-trees", buildername="typst", status=None,
                warning=io.StringIO(), freshenv=True, confoverrides={
                    # Said here, since Sphinx would write MyST's suffix into its own default.
                    "source_suffix": {".md": "markdown"},
                    "extensions": ["myst_parser", "sphinx_book_theme", "loom.weave.pdf.builder"],
                    "project": "Book", "author": "A", "copyright": "2026", "numfig": True,
                    "math_numfig": True, "numfig_secnum_depth": 1, "typst_basename": "book",
                    "myst_enable_extensions": ["dollarmath", "deflist", "attrs_block", "amsmath"],
                })
            app.build(force_all=True)
        return Woven(app)

    yield go
    logging.getLogger("sphinx").handlers.clear()


# -- every kind of node ------------------------------------------------------------------

# Made by readers of other formats, by directives of programming languages, or
# gone before a builder sees the tree.
ELSEWHERE = {
    "address", "author", "authors", "contact", "copyright", "date", "organization", "revision",
    "status", "version", "docinfo_item", "option", "option_argument", "option_group",
    "option_list", "option_list_item", "option_string", "description", "footer", "header",
    "field", "field_body", "field_name", "fixed_text_element", "substitution_reference",
    "math_reference", "citation_reference", "attribution", "classifier", "term", "definition",
    "colspec", "tgroup", "entry", "row", "line", "list_item", "image_", "topic_",
    "Admonition", "BackLinkable", "Body", "Bibliographic", "Decorative", "Element",
    "FixedTextElement", "General", "Inline", "Invisible", "Labeled", "Node", "Part",
    "PreBibliographic", "Referential", "Resolvable", "Root", "Sequential", "Special",
    "Structural", "Targetable", "TextElement", "Titular", "reprunicode",
    # Sphinx: signatures of code, hidden machinery, other builders
    "acks", "centered", "hlist", "hlistcol", "manpage", "production", "productionlist",
    "translatable", "not_smartquotable", "desc", "document",
    "pending_xref_condition",
}


def _kinds() -> list[type[nodes.Node]]:
    found = [getattr(nodes, name) for name in nodes.node_class_names]
    found += [kind for kind in vars(addnodes).values()
              if isinstance(kind, type) and issubclass(kind, nodes.Element)
              and kind.__module__ == addnodes.__name__]
    return [kind for kind in found if kind.__name__ not in ELSEWHERE
            and not kind.__name__.startswith(("desc_", "_"))]


@pytest.mark.parametrize("kind", [*_kinds(), listing_head], ids=lambda kind: kind.__name__)
def test_every_node_that_a_chapter_can_hold_is_handled(kind: type[nodes.Node]) -> None:
    silent, through = typst_nodes.SILENT, typst_nodes.TRANSPARENT
    handled = issubclass(kind, silent) or issubclass(kind, through) \
        or kind.__name__ in typst_nodes.ADMONITIONS \
        or any(hasattr(typst_nodes.TypstTranslator, f"visit_{base.__name__}")
               for base in kind.__mro__)
    assert handled


def test_an_unknown_node_stops_the_build(weave: Weave) -> None:
    with pytest.raises(LoomError, match=r"chapter\.md:3: .*`centered`"):
        weave("# T\n\n```{centered} A line\n```\n")


def test_all_of_a_page_arrives(weave: Weave) -> None:
    woven = weave(PAGE)
    for words in ("Emphasis Strong code", "second paragraph of an item", "A term",
                  "Its definition", "A quotation", "Someone", "Note text", "Own title",
                  "Top cell", "bottom cell", "Spanning", "def listed", "A caption that says",
                  "Listing 1.1", "Fig. 1.1", "Table 1.1", "A margin note", "(1.1)",
                  "footnote text", "glossary entry", "raw Typst", "first line", "Index",
                  "sub", "super", "python.org/downloads"):
        assert words in woven.text, words
    assert "HTML only" not in woven.text


PAGE = r"""# Title with `code`

*Emphasis* **Strong** `code` a footnote[^f], H{sub}`sub`, x{sup}`super`, [a link](https://www.python.org/downloads/).

[^f]: The footnote text.

- item

  second paragraph of an item
  1. one
  2. two

A term
: Its definition.

> A quotation.

```{epigraph}
Epigraph.

-- Someone
```

```{note}
Note text
```

```{admonition} Own title
Body
```

```{margin}
A margin note
```

Beside it.

| Top cell | b |
|:---------|--:|
| bottom cell | 1 |

```{table} The caption of the table
:name: tab-one

| a | b |
|---|---|
| 1 | 2 |
```

```{eval-rst}
+-----+-----+
| Spanning  |
+-----+-----+
| c   | d   |
+-----+-----+
```

```{code-block} python
:caption: The caption of the listing
:name: list-one

def listed(): ...
```

```{figure} pixel.svg
:alt: A gray box.
:name: fig-one

A caption that says $x^2$.
```

$$ a = b $$ (eq-one)

{numref}`fig-one`, {numref}`tab-one`, {numref}`list-one`, {eq}`eq-one`

```{glossary}
word
  A glossary entry, which the {term}`word` leads to.
```

```{only} html
HTML only
```

```{raw} typst
raw Typst
```

```{index} single: indexed
```

```{eval-rst}
| first line
| second line
```
"""


# -- numbers and references ----------------------------------------------------------------

def test_numbers_are_those_of_sphinx(weave: Weave) -> None:
    woven = weave("# One\n\n## Two\n\n```{figure} pixel.svg\n:alt: x\n:name: fig-x\n\nC\n```\n\n"
                  "{numref}`fig-x` {numref}`sec`\n\n(sec)=\n## Three\n\nText\n")
    numbers = woven.app.env.toc_secnumbers["chapter"]
    assert numbers["#three"] == (1, 2)
    assert '#headed(3, 1, "1.2"' in woven.typst
    assert '#captioned(image, "Fig. 1.1"' in woven.typst
    assert "Fig. 1.1" in woven.text
    assert "Section 1.2" in woven.text


def _height(woven: Woven, words: str) -> tuple[int, float]:
    """The page that words stand on, and how far from its foot."""
    for number, page in enumerate(pypdfium2.PdfDocument(woven.pdf)):
        text = page.get_textpage()
        for n in range(text.count_rects()):
            place = text.get_rect(n)
            if words in text.get_text_bounded(*place):
                return number, place[1]
    raise AssertionError(f"no page says {words!r}")


@pytest.mark.parametrize("lines", [6, 14])
def test_a_figure_with_room_stands_where_it_is_written(weave: Weave, lines: int) -> None:
    code = "\n".join(f"step({n})" for n in range(lines))
    woven = weave(f"# One\n\n```\n{code}\n```\n\n```{{figure}} pixel.svg\n:alt: x\n\nSeen.\n```\n\n"
                  "Afterwards.\n")
    shown = [_height(woven, words) for words in (f"step({lines - 1})", "Seen.", "Afterwards.")]
    assert {page for page, _ in shown} == {shown[0][0]}
    assert [y for _, y in shown] == sorted((y for _, y in shown), reverse=True)


def test_a_figure_without_room_heads_the_next_page_and_text_goes_on(weave: Weave) -> None:
    filler = "\n\n".join(f"Paragraph {n}." for n in range(27))
    figure = ("```{figure} pixel.svg\n:alt: x\n:height: 40px\n\n"
              + "Seen. " + "A caption of many words. " * 40 + "\n```")
    woven = weave(f"# One\n\n{filler}\n\n{figure}\n\nAfterwards.\n\n"
                  + "\n\n".join(f"Then {n}." for n in range(12)))
    before, seen, after = (_height(woven, words)[0]
                           for words in ("Paragraph 26.", "Seen.", "Afterwards."))
    assert (seen, after) == (before + 1, before)
    assert _height(woven, "Seen.")[1] > _height(woven, "Then 11.")[1]
    assert _height(woven, "Then 11.")[0] == seen


def test_a_short_paragraph_stays_with_the_formula_it_ends_in(weave: Weave) -> None:
    pages = set()
    for lines in range(27, 33):
        filler = "\n\n".join(f"Paragraph {n}." for n in range(lines))
        woven = weave(f"# One\n\n{filler}\n\nBy the rule\n\n$$\nx = \\text{{quotient}}\n$$\n",
                      out=f"out-{lines}")
        said = _height(woven, "By the rule")[0]
        assert said == _height(woven, "quotient")[0]
        pages.add(said - _height(woven, "Paragraph 0.")[0])
    assert pages == {0, 1}


def test_a_reference_to_another_page_carries_its_number(weave: Weave) -> None:
    filler = "\n\n".join(f"Paragraph {n} of many words that fill a line or two of the page, "
                         "and then some." for n in range(60))
    woven = weave(f"# One\n\nSee {{ref}}`there`, {{ref}}`here`.\n\n(here)=\n## Here\n\n{filler}\n\n"
                  "(there)=\n## There\n\nEnd.\n")
    page = next(n for n, text in enumerate(woven.pages) if "End." in text)
    first = next(n for n, text in enumerate(woven.pages) if "See There" in text)
    assert re.search(rf"See There \(p\. {page - first + 1}\), Here\.", woven.pages[first])


def test_the_bibliography_tells_who_cites(weave: Weave) -> None:
    body = press.substitute(
        f'#literature([A book], {typst_text.CITED_BY}b:id1 b:id2*/)', {},
        {"b:id2": ["one:cites-id2-1", "two:cites-id2-2"]})
    assert body == '#literature([A book], ("one:cites-id2-1", "two:cites-id2-2", ))'


def test_a_label_that_nothing_carries_is_an_error(weave: Weave) -> None:
    markdown = "# T\n\n{ref}`lost <t>`\n"

    def lose(app: Sphinx, doctree: nodes.document, docname: str) -> None:
        paragraph = next(iter(doctree.findall(nodes.paragraph)))
        paragraph += nodes.reference("", "lost", refid="nowhere", internal=True)

    connect = Sphinx.add_builder

    def add_builder(app: Sphinx, *args: object, **kwargs: object) -> None:
        connect(app, *args, **kwargs)  # type: ignore[arg-type]
        app.connect("doctree-resolved", lose)

    with pytest.MonkeyPatch.context() as patch, \
            pytest.raises(LoomError, match=r"chapter\.md:3: .*`chapter:nowhere`"):
        patch.setattr(Sphinx, "add_builder", add_builder)
        weave(markdown)


# -- errors with their places ----------------------------------------------------------------

@pytest.mark.parametrize(("markdown", "says"), [
    ("# T\n\ntext\n\n$$\n\\foo{x}\n$$\n", r"chapter\.md:5: the formula .*`\\foo`"),
    ("# T\n\ntext $\\foo$\n", r"chapter\.md:3: the formula"),
    ("# T\n\n```{figure} pixel.svg\nCaption\n```\n", r"chapter\.md:3: an image without alt"),
    ("# T\n\n```{figure} lost.svg\n:alt: a\n\nCaption\n```\n", r"chapter\.md:3: .*`lost.svg`"),
    ("# T\n\nfine\n\na \ud55c here\n", r"chapter\.md:5: no font .*\ud55c \(U\+D55C\) for text"),
    ("# T\n\n`\ud55c`\n", r"chapter\.md:3: no font .*U\+D55C\) for code"),
    ("# T\n\n$x = \ud55c$\n", r"chapter\.md:3: no font .*U\+D55C\) for formulas"),
    ("# T\n\nx\n\n```{raw} typst\n#lost-function()\n```\n",
     r"chapter\.md:5: Typst: unknown variable: lost-function"),
    ("# T\n\n```{margin}\nIn a note[^x].\n```\n\nText\n\n[^x]: F\n", r"footnote inside a margin"),
    ("# T\n\nText\n\n```{eval-rst}\n.. [#f] A footnote.\n```\n", r"nothing refers to this"),
    ("# T\n\n$$ " + " + ".join(["x_{1}y_{2}z_{3}"] * 30) + " $$\n",
     r"chapter\.md:3: the formula is \d+"),
    ("# T\n\n" + "".join(f"```{{margin}}\n{'Long note. ' * 30}\n```\n" for n in range(9))
     + "\nOne paragraph.\n", r"chapter\.md:\d+: the 9 margin notes"),
])
def test_errors_name_chapter_and_line(weave: Weave, markdown: str, says: str) -> None:
    with pytest.raises(LoomError, match=says):
        weave(markdown)


def test_all_missing_characters_are_told_at_once(weave: Weave) -> None:
    with pytest.raises(LoomError) as error:
        weave("# T\n\n\ud55c\n\n\uad6d and `\u0e17`\n")
    assert [problem.place.line for problem in error.value.problems if problem.place] == [5, 3, 5] \
        or len(error.value.problems) == 3


def test_nothing_is_published_when_something_is_wrong(weave: Weave) -> None:
    before = weave("# T\n\nGood.\n").pdf.read_bytes()
    with pytest.raises(LoomError):
        weave("# T\n\n$\\foo$\n")
    assert (weave("# T\n\nGood.\n").pdf).read_bytes() == before


def test_a_full_disk_is_told_in_plain_words(
        weave: Weave, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(LoomError, match="disk is full"):
        weave("# T\n\nGood.\n")


# -- the page -----------------------------------------------------------------------------

def test_the_same_bytes_every_time(weave: Weave) -> None:
    assert weave(PAGE, "one").pdf.read_bytes() == weave(PAGE, "two").pdf.read_bytes()


def test_margin_notes_stay_in_the_margin_and_never_overlap(weave: Weave) -> None:
    notes = "".join(
        f"```{{margin}}\nNote {n} says something that takes up a few lines in the narrow column, "
        f"more than its paragraph does.\n```\n\nParagraph {n} is {'quite ' * 45}short.\n\n"
        for n in range(24))
    woven = weave(f"# T\n\n{notes}")
    shown = 0
    for page in pypdfium2.PdfDocument(woven.pdf):
        if "Paragraph" not in page.get_textpage().get_text_range():
            continue
        text = page.get_textpage()
        rows: list[tuple[float, float]] = []
        for n in range(text.count_rects()):
            left, bottom, right, top = text.get_rect(n)
            folio = text.get_text_bounded(left, bottom, right, top).strip().isdigit()
            if left > 420 and not folio:
                assert right < 576 - 30
                assert bottom > 36
                rows.append((bottom, top))
        shown += sum("Note" in text.get_text_bounded(430, bottom - 1, 560, top + 1)
                     for bottom, top in rows)
        rows.sort()
        for (_, top), (bottom, _) in itertools.pairwise(rows):
            assert bottom > top - 3  # line boxes may touch, lines of two notes never
    assert shown == 24


def test_notes_keep_away_from_what_reaches_into_the_margin(weave: Weave) -> None:
    wide = " + ".join(["x_{1}y_{2}z_{3}"] * 10)
    woven = weave(f"# T\n\n```{{margin}}\n{'A note with many words. ' * 12}\n```\n\n"
                  f"Short.\n\nShort.\n\n$$ {wide} $$\n\nText.\n")
    page = next(page for page in pypdfium2.PdfDocument(woven.pdf)
                if "Short." in page.get_textpage().get_text_range())
    text = page.get_textpage()
    places = [text.get_rect(n) for n in range(text.count_rects())]
    words = [text.get_text_bounded(*place) for place in places]
    notes = [place for place, word in zip(places, words, strict=True)
             if place[0] > 430 and ("note" in word or "words" in word)]
    formula = [place for place, word in zip(places, words, strict=True)
               if "\U0001d467" in word]  # a slanted z
    assert len(notes) > 8
    assert max(place[2] for place in formula) > 440
    assert min(place[1] for place in notes) > max(place[3] for place in formula) \
        or max(place[3] for place in notes) < min(place[1] for place in formula)


def test_long_listings_break_over_pages_and_short_ones_do_not(weave: Weave) -> None:
    def listing(name: str, lines: int) -> str:
        body = "\n".join(f"{name}_{n} = {n}" for n in range(lines))
        return f"```python\n{body}\n```\n\nText between.\n\n"

    woven = weave("# T\n\n" + listing("long", 90) + "".join(
        listing(f"short{k}", 7) for k in range(12)))
    where = {name: {n for n, text in enumerate(woven.pages) if re.search(rf"\b{name}_\d", text)}
             for name in ("long", *(f"short{k}" for k in range(12)))}
    assert len(where["long"]) > 1
    assert all(len(where[f"short{k}"]) == 1 for k in range(12))


# -- text ---------------------------------------------------------------------------------

@pytest.mark.parametrize("text", [
    "= not a heading", "- not a list", "1. not a list", "+ x", "/ term: x", "a -- b --- c",
    "wait...", "http://a.b//c", "/* c */ // d", "#let x = 1", "$x$", "*a* _b_ `c`", "<l> @r",
    "[a](b)", "(call)", "~ \\ ' \" x", ".field", "; x", "a-?b", "-- -? ...", ": x",
])
def test_text_is_shown_as_it_is(text: str, weave: Weave) -> None:
    import typst

    source = (typst_text.markup(text) + f"\n\n#emph[x];{typst_text.markup(text)}").encode()
    page = typst.compile(b"#set smartquote(enabled: false)\n" + source, format="pdf")
    found = pypdfium2.PdfDocument(page)[0].get_textpage().get_text_range().split("\n")
    assert sorted(" ".join(line.split()) for line in found if line.strip()) \
        == sorted([text, f"x{text}"])


def test_output_is_made_fit_for_paper() -> None:
    assert typst_text.plain_output("\x1b[31mred\x1b[0m\n\n", 20) == "red"
    assert typst_text.plain_output("10%\r100%", 20) == "100%"
    assert typst_text.plain_output("x" * 25, 20) == "x" * 20 + "\n↪ " + "x" * 5
    assert typst_text.plain_output("aaaa bbbb cccc dddd eeee", 20) == "aaaa bbbb cccc dddd\n↪ eeee"


def test_a_raw_block_survives_backticks() -> None:
    assert typst_text.raw_block("```\n````", "").startswith("`````\n")


def test_the_fonts_are_those_of_the_registry() -> None:
    families = {font.family for font in press.fonts().fonts()}
    for names in press.FONTS.values():
        assert set(names) <= families
    template = (Path(press.__file__).parent / "book.typ").read_text(encoding="utf-8")
    for names in press.FONTS.values():
        assert "(" + ", ".join(f'"{name}"' for name in names) in template
