"""What stands in a line: words, references, footnotes, small formulas."""

from __future__ import annotations

import re

from docutils import nodes
from sphinx import addnodes

from loom.weave.pdf import text
from loom.weave.pdf.formulas import FormulaError, to_typst
from loom.weave.pdf.writer import Writer, inside


class Inline(Writer):
    """Nodes within a paragraph."""

    def visit_Text(self, node: nodes.Text) -> None:
        content = node.astext()
        self.seen("text", content, node)
        self.put(text.markup(content))

    def depart_Text(self, node: nodes.Text) -> None:
        pass

    def wrapped(self, node: nodes.Element, call: str) -> None:
        self.anchor(node)
        self.put(f"{self.flush()}#{call}[{self.inner(node)}];")
        raise nodes.SkipNode

    def visit_emphasis(self, node: nodes.Element) -> None:
        self.wrapped(node, "emph")

    visit_title_reference = visit_literal_emphasis = visit_emphasis

    def visit_strong(self, node: nodes.strong) -> None:
        self.wrapped(node, "strong")

    visit_literal_strong = visit_strong

    def visit_subscript(self, node: nodes.subscript) -> None:
        self.wrapped(node, "sub")

    def visit_superscript(self, node: nodes.superscript) -> None:
        self.wrapped(node, "super")

    def visit_abbreviation(self, node: nodes.Element) -> None:
        self.put(self.inner(node))
        raise nodes.SkipNode

    visit_acronym = visit_abbreviation

    def visit_inline(self, node: nodes.inline) -> None:
        self.anchor(node)
        self.put(self.flush())

    def depart_inline(self, node: nodes.inline) -> None:
        pass

    def visit_literal(self, node: nodes.literal) -> None:
        self.anchor(node)
        content = node.astext()
        self.seen("mono", content, node)
        self.put(f"{self.flush()}#raw({text.string(content)});")
        raise nodes.SkipNode

    # -- references --------------------------------------------------------------------

    def visit_target(self, node: nodes.target) -> None:
        self.anchor(node)
        if node.children:  # an inline target has text
            self.put(self.flush())

    def depart_target(self, node: nodes.target) -> None:
        pass

    def visit_index(self, node: addnodes.index) -> None:
        raise nodes.SkipNode  # Sphinx has gathered the entries; their targets are ids

    def visit_reference(self, node: nodes.reference) -> None:
        self.anchor(node)
        body = self.flush() + self.inner(node)
        if "refid" in node:
            label = self.label(node["refid"])
        else:
            uri = node.get("refuri", "")
            if not uri.startswith("doc:"):
                shown = node.astext()
                self.put(f"#link({text.string(uri)})[{body}];")
                if not uri.removeprefix("mailto:").endswith(shown) and len(uri) < 70 \
                        and not inside(node, nodes.citation):
                    address = re.sub(r"^https?://(www\.)?", "", uri).rstrip("/")
                    self.put(f" (#raw({text.string(address)}))")
                raise nodes.SkipNode
            docname, _, identifier = uri.removeprefix("doc:").partition("#")
            label = self.builder.label(docname, identifier)
        self.builder.refer(label, self.place(node))
        if label.partition(":")[2].startswith("id"):  # perhaps literature, which tells where
            self.anchors.append(self.builder.cite(self.docname, label))
            self.put(self.flush(notes=False))
        paged = "false" if self.unpaged(node, label) else "true"
        self.put(f"#xref({text.string(label)}, [{body}], paged: {paged});")
        raise nodes.SkipNode

    def unpaged(self, node: nodes.reference, label: str) -> bool:
        """Whether a reference goes without a page: to literature, from a heading."""
        target = label.rpartition(":")[2]
        return inside(node, nodes.title, nodes.caption, nodes.citation, nodes.sidebar) \
            or bool(re.match(r"(id\d+$|cite|term-|footcite|index-)", target))

    def visit_number_reference(self, node: nodes.Element) -> None:
        self.visit_reference(node)  # type: ignore[arg-type]

    def visit_download_reference(self, node: nodes.Element) -> None:
        self.put(self.inner(node))
        raise nodes.SkipNode

    def visit_footnote_reference(self, node: nodes.footnote_reference) -> None:
        if self.in_note:
            raise self.problem(node, "a footnote inside a margin note",
                               "say it in the note itself")
        identifier = node["refid"]
        label = self.label(identifier)
        if identifier in self.footnotes_seen:
            self.put(f"#foot-again({text.string(label)});")
            raise nodes.SkipNode
        self.footnotes_seen.add(identifier)
        footnote = next((found for found in self.document.findall(nodes.footnote)
                         if identifier in found["ids"]), None)
        if footnote is None:
            raise self.problem(node, f"footnote `{node.astext()}` has no text",
                               "write it: `[^name]: …`")
        self.builder.claim(label)
        body = self.inner(footnote).strip()
        self.put(f"#foot({text.string(node.astext())}, {text.string(label)}, [{body}]);")
        raise nodes.SkipNode

    # -- formulas ---------------------------------------------------------------------

    def formula(self, node: nodes.Element) -> tuple[str, str]:
        tex = node.astext().strip()
        try:
            source = to_typst(tex)
        except FormulaError as error:
            raise self.problem(
                node, f"the formula `{' '.join(tex.split())[:60]}` does not convert: {error}",
                "write it with the commands listed in loom/weave/pdf/symbols.py") from None
        self.seen("math", source, node)
        return text.string(" ".join(tex.split())), source.strip()

    def visit_math(self, node: nodes.math) -> None:
        self.anchor(node)
        alt, source = self.formula(node)
        call = "im-short" if len(node.astext()) < 16 else "im"
        self.put(f"{self.flush()}#{call}({alt}, ${source}$);")
        raise nodes.SkipNode
