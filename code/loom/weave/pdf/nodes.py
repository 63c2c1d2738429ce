"""From docutils' tree of one chapter to Typst's markup.

Every kind of node has its method; one that has none stops the build, so that
nothing an author wrote can be missing from the printed page.
"""

from __future__ import annotations

from docutils import nodes
from sphinx import addnodes

from loom.weave.pdf.blocks import ADMONITIONS, Blocks
from loom.weave.pdf.practice import Practice
from loom.weave.pdf.shown import Shown

# Shown by other means, or meant for other formats.
SILENT = (
    nodes.comment, nodes.substitution_definition, nodes.meta, nodes.docinfo, nodes.pending,
    addnodes.highlightlang, addnodes.tabular_col_spec, addnodes.toctree, nodes.colspec,
    nodes.label, nodes.footnote, nodes.decoration,
)
# Nothing of their own: their children are all.
TRANSPARENT = (
    addnodes.compact_paragraph, addnodes.only, addnodes.start_of_file, addnodes.glossary,
    addnodes.pending_xref, nodes.compound, nodes.tbody, nodes.thead, nodes.row,
    nodes.definition_list_item, nodes.generated,
)


class TypstTranslator(Blocks, Shown, Practice):
    """All that a chapter can hold."""

    def dispatch_visit(self, node: nodes.Node) -> None:
        if isinstance(node, SILENT):
            raise nodes.SkipNode
        if isinstance(node, TRANSPARENT) and not hasattr(self, f"visit_{type(node).__name__}"):
            if isinstance(node, nodes.Element):
                self.anchor(node)
            return
        name = type(node).__name__
        if name in ADMONITIONS:
            self.boxed(node, name, ADMONITIONS[name])
        super().dispatch_visit(node)

    def dispatch_departure(self, node: nodes.Node) -> None:
        if isinstance(node, TRANSPARENT) and not hasattr(self, f"depart_{type(node).__name__}"):
            return
        super().dispatch_departure(node)

    def unknown_visit(self, node: nodes.Node) -> None:
        raise self.problem(node, f"the PDF does not know what to do with `{type(node).__name__}`",
                           "write it another way, or teach loom.weave.pdf.nodes")
