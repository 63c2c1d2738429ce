"""The directive ``{stats}``: the book in numbers, counted when a page is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from loom.tangle.stats import statistics
from loom.weave.listings import listings_of

if TYPE_CHECKING:
    from sphinx.application import Sphinx


def setup(app: Sphinx) -> None:
    """Register the directive."""
    app.add_directive("stats", Stats)


class Stats(SphinxDirective):
    """What ``loom stats`` prints, as a block of its own.

    Not the output of a cell: a cell would have to run again after every
    change of the book.
    """

    def run(self) -> list[nodes.Node]:
        """The block; its page is read again when a chapter or a module changes."""
        book = listings_of(self.env.app).book
        for path in [c.path for c in book.chapters] + sorted(book.package.rglob("*.py")):
            self.env.note_dependency(str(path))
        text = str(statistics(book))
        block = nodes.literal_block(text, text, language="none")
        self.set_source_info(block)
        return [block]
