"""The pen of the PDF: source is written, labels, notes and numbers kept in mind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from docutils import nodes
from sphinx.util.docutils import SphinxTranslator

from loom.errors import LoomError, Place, Problem
from loom.weave.pdf import text

if TYPE_CHECKING:
    from loom.weave.pdf.builder import TypstBuilder


class Writer(SphinxTranslator):
    """One chapter; ``self.out`` is its Typst source when the walk is over."""

    builder: TypstBuilder

    def __init__(self, document: nodes.document, builder: TypstBuilder) -> None:
        super().__init__(document, builder)
        self.docname = builder.current_docname
        self.path = Path(builder.env.doc2path(self.docname))
        self.stack: list[list[str]] = [[]]
        self.anchors: list[str] = []  # labels that wait for something to stand on
        self.notes: list[str] = []  # margin notes that wait for their paragraph
        self.head: tuple[str, str | None] | None = None  # the line above a tangled cell
        self.level = 0
        self.note_count = 0
        self.figures = 0  # that may stand on the next page
        self.in_note = False
        self.footnotes_seen: set[str] = set()

    @property
    def out(self) -> str:
        return "".join(self.stack[0])

    def put(self, source: str) -> None:
        self.stack[-1].append(source)

    def inner(self, node: nodes.Node, skip: Callable[[nodes.Node], bool] | None = None) -> str:
        """The Typst source of a node's children."""
        self.stack.append([])
        for child in node.children:
            if skip is None or not skip(child):
                child.walkabout(self)
        return "".join(self.stack.pop())

    def block(self, node: nodes.Node, source: str) -> None:
        """A block of its own, after a comment that says where it comes from."""
        place = self.place(node)
        self.put(f"\n// @ {place}\n" if place.line else "\n")
        if self.notes and not self.in_note:  # they stand beside this block's first line
            source = f"#led([{self.flush()}], [{source}\n])"
        self.put(self.flush() + source + "\n\n")

    def flush(self, notes: bool = True) -> str:
        """The anchors and margin notes that waited for the next place in the text.

        Those from inside a margin note go on waiting for the paragraph it stands beside.
        """
        if self.in_note:
            return ""
        source = "".join(f"#anchor({text.string(name)});" for name in self.anchors)
        self.anchors.clear()
        if notes:
            source += "".join(self.notes)
            self.notes.clear()
        return source

    def place(self, node: nodes.Node) -> Place:
        """The chapter and line a node comes from, as well as docutils knows it."""
        line: int | None = None
        at: nodes.Node | None = node
        while at is not None:
            line = line or at.line
            if isinstance(at, nodes.Element) and "path" in at:  # comes from another file
                return Place(Path(at["path"]), line)
            at = at.parent
        return Place(self.path, line)

    def problem(self, node: nodes.Node, what: str, remedy: str) -> LoomError:
        return LoomError(Problem(self.place(node), what, remedy))

    def seen(self, role: str, characters: str, node: nodes.Node) -> None:
        """Remember which characters a font has to have."""
        for character in characters:
            if character > "~":
                self.builder.characters.setdefault((role, character), self.place(node))

    # -- labels and numbers -----------------------------------------------------------

    def label(self, identifier: str) -> str:
        return self.builder.label(self.docname, identifier)

    def anchor(self, node: nodes.Element, own: str | None = None) -> None:
        """Let every label of a node stand on what is written next."""
        for identifier in node["ids"]:
            if identifier != own and self.builder.claim(self.label(identifier)):
                self.anchors.append(self.label(identifier))

    def number(self, node: nodes.Element, figtype: str) -> str | None:
        """The number that Sphinx gave a figure, table, listing or equation."""
        numbers = self.builder.env.toc_fignumbers.get(self.docname, {}).get(figtype, {})
        for identifier in node["ids"]:
            if identifier in numbers:
                return ".".join(map(str, numbers[identifier]))
        return None

    def caption_number(self, node: nodes.Element, figtype: str) -> str:
        number = self.number(node, figtype)
        if number is None or not self.config.numfig:
            return "none"
        shape = self.config.numfig_format.get(figtype, "%s")
        return text.string(shape.replace("{number}", "%s").replace("{name}", "").strip() % number)


def inside(node: nodes.Node, *kinds: type[nodes.Node]) -> bool:
    """Whether a node stands in one of these kinds."""
    at = node.parent
    while at is not None and not isinstance(at, kinds):
        at = at.parent
    return at is not None
