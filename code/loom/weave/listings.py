"""The line above a tangled cell: where it goes and what it does there.

Heads are made when a page is written, not when it is read: what one says may
depend on other chapters (who continues the module, what is imported).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform

from loom.book.chapter import Cell
from loom.book.toc import PACKAGE, Book, read_book
from loom.tangle.modules import Package, describe, tangle

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.writers.html5 import HTML5Translator


class listing_head(nodes.General, nodes.Element):
    """The head of a listing.

    Attributes:
        target: the module's path, ``scratchlm/autograd.py``.
        action: what the cell does there, with names in backticks.
        ids: the listing's anchor.
        before, after: anchors of the listings that the module's text comes
            from just before and just after, as ``(docname, id)``, or None.
    """


@dataclass(frozen=True)
class Listing:
    """A tangled cell as the book shows it."""

    cell: Cell
    docname: str
    anchor: str
    action: str


class Listings:
    """All listings of the book, in order, with the package they make."""

    def __init__(self, book: Book) -> None:
        self.book = book
        self.package: Package = tangle(book.chapters)
        self.of_module: dict[PurePosixPath, list[Listing]] = defaultdict(list)
        self._of_cell: dict[tuple[str, int], Listing] = {}
        for chapter in book.chapters:
            docname = chapter.path.relative_to(book.root).with_suffix("").as_posix()
            for cell in chapter.cells:
                if cell.target is None:
                    continue
                others = self.of_module[cell.target]
                name = "-".join(cell.target.with_suffix("").parts).replace("_", "-")
                listing = Listing(cell, docname, f"listing-{name}-{len(others) + 1}",
                                  describe(cell, self.package))
                others.append(listing)
                self._of_cell[docname, cell.index] = listing

    def find(self, docname: str, target: str, source: str, used: set[int]) -> Listing | None:
        """The listing that a rendered cell shows.

        Args:
            docname: the page.
            target: what the cell's ``tangle`` option says.
            source: its code.
            used: indices of the cells that have been found already; grows.
        """
        for (page, index), listing in self._of_cell.items():
            if page == docname and index not in used and str(listing.cell.target) == target \
                    and listing.cell.source.strip() == source.strip():
                used.add(index)
                return listing
        return None

    def neighbors(self, listing: Listing) -> tuple[Listing | None, Listing | None]:
        """The listings of the same module just before and just after."""
        assert listing.cell.target is not None
        line = self.of_module[listing.cell.target]
        at = line.index(listing)
        return (line[at - 1] if at else None,
                line[at + 1] if at + 1 < len(line) else None)


def listings_of(app: Sphinx) -> Listings:
    """The book's listings, computed once per run of Sphinx."""
    found: Listings | None = getattr(app, "loom_listings", None)
    if found is None:
        found = Listings(read_book(Path(app.srcdir)))
        app.loom_listings = found  # type: ignore[attr-defined]
    return found


def setup(app: Sphinx) -> None:
    """Register the node, who writes it, and who puts it there."""
    app.add_node(listing_head, html=(_visit_html, None))  # the EPUB's writer, too
    app.add_post_transform(PutHeads)
    app.connect("builder-inited", lambda app: listings_of(app) and None)


class PutHeads(SphinxPostTransform):
    """Put a head above each tangled cell."""

    default_priority = 20

    def run(self, **kwargs: Any) -> None:
        """Find the cells that name a module."""
        listings, used = listings_of(self.app), set[int]()
        for cell in list(self.document.findall(nodes.container)):
            if not _is_tangled(cell):
                continue
            target = str(cell["cell_metadata"]["tangle"])
            code = next(iter(cell.findall(nodes.literal_block)), None)
            listing = listings.find(self.env.docname, target, code.astext(), used) \
                if code is not None else None
            if listing is not None:
                cell.insert(0, _head(listings, listing))
                cell["classes"].append("tangled")


def _is_tangled(node: nodes.container) -> bool:
    return node.get("nb_element") == "cell_code" \
        and "tangle" in node.get("cell_metadata", ())


def _head(listings: Listings, listing: Listing) -> listing_head:
    before, after = listings.neighbors(listing)
    return listing_head(
        "", ids=[listing.anchor], target=f"{PACKAGE}/{listing.cell.target}",
        action=listing.action,
        before=(before.docname, before.anchor) if before else None,
        after=(after.docname, after.anchor) if after else None)


def spans(text: str) -> Iterator[tuple[bool, str]]:
    """Cut ``adds `f` to `C` `` into its parts: (is it code, text)."""
    for n, part in enumerate(re.split(r"`+", text)):
        if part:
            yield n % 2 == 1, part


def _visit_html(self: HTML5Translator, node: listing_head) -> None:
    action = "".join(f"<code>{self.encode(part)}</code>" if code else self.encode(part)
                     for code, part in spans(node["action"]))
    turns = []
    for key, arrow, words in (("before", "↑", "before"), ("after", "↓", "after")):
        if node[key] is not None:
            turns.append(f'<a href="{_address(self, node[key])}" '
                         f'title="The listing of {self.encode(node["target"])} {words} this one">'
                         f'<span aria-hidden="true">{arrow}</span>'
                         f'<span class="sr-only">listing {words} this one</span></a>')
    turn = f'<span class="listing-turn">{"".join(turns)}</span>' if turns else ""
    self.body.append(
        f'<div class="listing-head" id="{node["ids"][0]}">'
        f'<span class="listing-file">{self.encode(node["target"])}</span>'
        f'<span class="listing-action">{action}</span>{turn}</div>\n')
    raise nodes.SkipNode


def _address(self: HTML5Translator, where: tuple[str, str]) -> str:
    docname, anchor = where
    here = self.builder.current_docname
    page = "" if docname == here else self.builder.get_relative_uri(here, docname)
    return self.encode(f"{page}#{anchor}")
