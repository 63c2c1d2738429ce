"""The EPUB: the same pages as plain XHTML, mathematics as MathML, no scripts."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from docutils import nodes
from sphinx import addnodes
from sphinx.builders.epub3 import Epub3Builder
from sphinx.util.math import get_node_equation_number

from loom.errors import LoomError, Place, Problem
from loom.weave.epub.mathml import to_mathml

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.writers.html5 import HTML5Translator

STYLES = ("pygments.css", "epub.css")


class BookEpub(Epub3Builder):
    """Sphinx's builder, with what readers' software and epubcheck ask for besides."""

    allow_parallel = False  # its problems are gathered in one process
    html_tag = ('<html xmlns="http://www.w3.org/1999/xhtml" '
                'xmlns:epub="http://www.idpf.org/2007/ops" lang="en" xml:lang="en">')

    def init(self) -> None:
        """Begin without problems."""
        super().init()
        self.problems: list[Problem] = []

    def copy_static_files(self) -> None:
        """Add the cover; drop what belongs to web pages."""
        from loom.weave.epub.cover import draw_cover

        super().copy_static_files()
        static = Path(self.outdir) / "_static"
        for path in static.iterdir():
            if path.is_file() and path.name not in STYLES:
                path.unlink()
        draw_cover(static / "cover.png", str(self.config.project), str(self.config.epub_author))

    def copy_image_files(self) -> None:
        """Copy the figures, without what EPUB forbids in an SVG."""
        super().copy_image_files()
        for path in (Path(self.outdir) / self.imagedir).glob("*.svg"):
            text = re.sub(r"<!DOCTYPE[^>]*>\s*", "", path.read_text(encoding="utf-8"))
            # the glyph of a space has no outline: matplotlib leaves it out, epubcheck wants one
            text = re.sub(r"<path(?![^>]*\sd=)([^>]*?)/>", r'<path\1 d=""/>', text)
            path.write_text(text, encoding="utf-8")

    def get_toc(self) -> None:
        """The contents down to the sections; the page shows the chapters alone."""
        tree = self.env.get_doctree(self.config.root_doc)
        for toctree in tree.findall(addnodes.toctree):
            toctree["titlesonly"] = False
        resolve = self.env.get_and_resolve_doctree
        self.env.get_and_resolve_doctree = (  # type: ignore[method-assign]
            lambda *args, **options: resolve(*args, **{"doctree": tree, **options}))
        try:
            super().get_toc()
        finally:
            del self.env.get_and_resolve_doctree

    def handle_finish(self) -> None:
        """Check every page before it is packed.

        Raises:
            LoomError: formulas that do not convert, pages that are not XML.
        """
        out = Path(self.outdir)
        for name in ("search.xhtml", "searchindex.js"):
            (out / name).unlink(missing_ok=True)
        for path in sorted(out.rglob("*.xhtml")):
            text = path.read_text(encoding="utf-8")
            path.write_text(SUMMARY.sub(_inline, text), encoding="utf-8")
            if not self.problems:
                self._check(path)
        if self.problems:
            raise LoomError(self.problems)
        super().handle_finish()

    def _check(self, path: Path) -> None:
        try:
            ElementTree.parse(path)
        except ElementTree.ParseError as error:
            name = path.relative_to(self.outdir).with_suffix("").as_posix()
            source = self.env.doc2path(name) if name in self.env.all_docs else str(path)
            self.problems.append(Problem(
                Place(Path(source)), f"its EPUB page is not XHTML: {error}",
                "look for HTML written by hand, or printed by a cell, that is not closed"))

    def build_content(self) -> None:
        """Say of each page whether it holds MathML, and how the book can be read."""
        super().build_content()
        path = Path(self.outdir) / "content.opf"
        text = path.read_text(encoding="utf-8")

        def declare(match: re.Match[str]) -> str:
            page = (Path(self.outdir) / match[1]).read_text(encoding="utf-8")
            return match[0] + (' properties="mathml"' if "<math" in page else "")

        text = re.sub(r'<item id="[^"]*" href="([^"]+\.xhtml)"(?![^>]* properties=)', declare, text)
        facts = "".join(f'    <meta property="schema:{name}">{value}</meta>\n'
                        for name, value in ACCESS)
        text = text.replace("  </metadata>", f"{facts}  </metadata>")
        path.write_text(text, encoding="utf-8")


# MyST-NB puts paragraphs where XHTML wants words in a line.
SUMMARY = re.compile(r"<summary\b.*?</summary>", re.DOTALL)


def _inline(summary: re.Match[str]) -> str:
    return re.sub(r"<(/?)p\b", r"<\1span", summary[0])


ACCESS = (
    ("accessMode", "textual"), ("accessMode", "visual"),
    ("accessModeSufficient", "textual"),
    ("accessibilityFeature", "alternativeText"), ("accessibilityFeature", "MathML"),
    ("accessibilityFeature", "structuralNavigation"),
    ("accessibilityFeature", "tableOfContents"),
    ("accessibilityHazard", "none"),
    ("accessibilitySummary", "Figures have alternative texts; formulas are MathML."),
)


def setup(app: Sphinx) -> None:
    """Register the builder and what it needs."""
    app.add_builder(BookEpub, override=True)
    app.connect("builder-inited", _write_mathml, priority=900)
    app.connect("html-page-context", _plain_page, priority=900)


def _write_mathml(app: Sphinx) -> None:
    """Take the place of MathJax for this builder alone."""
    if app.builder.name != "epub":
        return
    app.registry.html_inline_math_renderers["mathjax"] = (_visit_math, None)
    app.registry.html_block_math_renderers["mathjax"] = (_visit_math_block, None)


def _visit_math(self: HTML5Translator, node: nodes.math) -> None:
    self.body.append(_convert(self, node, display=False))
    raise nodes.SkipNode


def _visit_math_block(self: HTML5Translator, node: nodes.math_block) -> None:
    self.body.append(self.starttag(node, "div", CLASS="math"))
    if node.get("number"):
        number = get_node_equation_number(self, node)
        self.body.append(f'<span class="eqno">({number})</span>')
    self.body.append(_convert(self, node, display=True))
    self.body.append("</div>\n")
    raise nodes.SkipNode


def _convert(self: HTML5Translator, node: nodes.Element, display: bool) -> str:
    try:
        return to_mathml(node.astext(), display)
    except ValueError as error:
        builder = self.builder
        assert isinstance(builder, BookEpub)
        place = Place(Path(node.source or builder.env.doc2path(builder.current_docname)),
                      node.line)
        tex = " ".join(node.astext().split())
        builder.problems.append(Problem(
            place, f"the formula `{tex[:60]}` does not become MathML: {error}",
            "write it in plainer TeX"))
        return ""


def _plain_page(app: Sphinx, page: str, template: str, context: dict[str, Any],
                doctree: nodes.document | None) -> None:
    """No scripts, and no style but the book's own."""
    if app.builder.name == "epub":
        context["script_files"] = []
        context["css_files"] = [f"_static/{name}" for name in STYLES]
