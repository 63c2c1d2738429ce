"""The text of every page in one script, for search results without a network."""

from __future__ import annotations

import html
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docutils import nodes

from loom.weave.exercises import hidden

if TYPE_CHECKING:
    from sphinx.application import Sphinx

FILE = "search-text.js"


def setup(app: Sphinx) -> None:
    """Gather the text while pages are written, write it at the end."""
    texts: dict[str, str] = {}
    head = "const BOOK_TEXT = "

    def gather(app: Sphinx, doctree: nodes.document, docname: str) -> None:
        texts[docname] = "".join(map(_section, _children(doctree, nodes.section)))

    def write(app: Sphinx, error: Exception | None) -> None:
        if error is None and app.builder.name == "html":
            path = Path(app.outdir) / "_static" / FILE
            kept = path.read_text(encoding="utf-8")[len(head):-2] if path.is_file() else "{}"
            all_texts = {name: text for name, text in {**json.loads(kept), **texts}.items()
                         if name in app.env.found_docs}
            path.write_text(f"{head}{json.dumps(all_texts, ensure_ascii=False)};\n",
                            encoding="utf-8")

    def leave_out(app: Sphinx) -> None:
        """Words that a reader has not opened yet are no hits."""
        builder: Any = app.builder
        if builder.name != "html":
            return
        feed = builder.index_page

        def index_page(page: str, doctree: nodes.document, title: str) -> None:
            shown = doctree
            if any(doctree.findall(hidden)):
                shown = doctree.deepcopy()
                for node in list(shown.findall(hidden)):
                    node.parent.remove(node)
            feed(page, shown, title)

        builder.index_page = index_page

    app.connect("builder-inited", leave_out)
    app.connect("doctree-resolved", gather)
    app.connect("build-finished", write)


def _section(section: nodes.section) -> str:
    """A section's words, and those of its subsections, as the least HTML."""
    parts = [_section(child) if isinstance(child, nodes.section) else _block(child)
             for child in section.children]
    return f'<section id="{html.escape(section["ids"][0])}">{" ".join(parts)}</section>'


def _block(node: nodes.Node) -> str:
    """A paragraph, a listing …, and the anchors of the index inside it."""
    words = html.escape(" ".join(node.astext().split()))
    if isinstance(node, nodes.Element):
        for inner in node.findall(nodes.Element):
            for name in map(str, inner.get("ids", ())):
                if name.startswith("index-"):
                    words = f'<span id="{html.escape(name)}">{words}</span>'
    return words


def _children(node: nodes.Element, kind: type[nodes.section]) -> list[nodes.section]:
    return [child for child in node.children if isinstance(child, kind)]
