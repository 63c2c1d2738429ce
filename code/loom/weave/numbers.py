"""Chapters are called chapters: ``{numref}`ch-…` `` says "Chapter 2".

Sphinx calls everything with a heading a section.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from docutils import nodes
from sphinx import addnodes
from sphinx.transforms.post_transforms import SphinxPostTransform

if TYPE_CHECKING:
    from sphinx.application import Sphinx

FORMAT = "Chapter %s"


def setup(app: Sphinx) -> None:
    """Register the transform, for every form of the book."""
    app.connect("doctree-read", _note_title)
    app.add_post_transform(CallChapters)


def _note_title(app: Sphinx, doctree: nodes.document) -> None:
    """Remember the labels of a page's title; they are stored with what was read."""
    title = next(iter(doctree.findall(nodes.section)), None)
    app.env.metadata[app.env.docname]["title_ids"] = list(title["ids"]) if title else []


class CallChapters(SphinxPostTransform):
    """Say what to call a reference to the title of a page, where the author did not."""

    default_priority = 8  # before Sphinx resolves references

    def run(self, **kwargs: Any) -> None:
        """Mark each such reference as one with words of its own."""
        labels = self.env.get_domain("std").data["labels"]
        for node in self.document.findall(addnodes.pending_xref):
            if node.get("reftype") != "numref" or node.get("refexplicit"):
                continue
            docname, anchor, _ = labels.get(node["reftarget"], ("", "", ""))
            if anchor in self.env.metadata.get(docname, {}).get("title_ids", ()):
                node["refexplicit"] = True
                node.children = [nodes.inline(FORMAT, FORMAT, classes=["std", "std-numref"])]
