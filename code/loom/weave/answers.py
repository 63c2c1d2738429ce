"""Where hints, solutions and answers stand: folded in the HTML, else at the back.

The directives ``{hints}``, ``{solutions}`` and ``{quiz-answers}`` belong to a
page of the back matter. On paper and for e-readers they take over what the
chapters' pages hide, with references both ways; in the HTML they lead to the
folds. This happens when a page is written: what was read is the same for all.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from docutils import nodes
from sphinx import addnodes
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

from loom.weave.exercises import exercise, exercise_files, exercise_title, hidden
from loom.weave.listings import listings_of
from loom.weave.practice import number_of
from loom.weave.quizzes import question

if TYPE_CHECKING:
    from sphinx.application import Sphinx

# By directive: which nodes of a page it is about, and which of their hidden parts.
KINDS: dict[str, tuple[type[nodes.Element], str]] = {
    "hints": (exercise, "hint"), "solutions": (exercise, "solution"),
    "quiz-answers": (question, "answer"),
}
DIRECTIVES = {part: directive for directive, (_, part) in KINDS.items()}
logger = logging.getLogger(__name__)


class answers(nodes.General, nodes.Element):
    """Stands where a directive's answers will be; ``kind`` is its name."""


class answer_group(nodes.General, nodes.Element):
    """The answers to one chapter, which ``title`` names."""


class answer(nodes.General, nodes.Element):
    """What belongs to one exercise or question: a title and what was hidden."""


class answer_title(nodes.TextElement):
    """The number, which leads back, and the words of the title."""


def setup(app: Sphinx) -> None:
    """Register nodes, directives and who fills them."""
    from loom.weave.html import practice as html

    app.add_node(answers)
    app.add_node(answer_group, html=html.GROUP)
    app.add_node(answer, html=html.ANSWER)
    app.add_node(answer_title, html=html.ANSWER_TITLE)
    for name in KINDS:
        app.add_directive(name, Answers)
    app.add_post_transform(Distribute)


class Answers(SphinxDirective):
    """Leaves a mark; the page that holds it is where references lead."""

    def run(self) -> list[nodes.Node]:
        """The mark."""
        mark = answers("", kind=self.name)
        self.set_source_info(mark)
        marks = self.env.metadata[self.env.docname].setdefault("answers", [])
        marks.append(self.name)
        return [mark]


class Distribute(SphinxPostTransform):
    """Put every hidden part where this form of the book has it."""

    default_priority = 4  # before references are resolved

    def run(self, **kwargs: Any) -> None:
        """Change the page that is being written."""
        folds = self.app.builder.name == "html"
        for mark in list(self.document.findall(answers)):
            mark.replace_self(self.links(mark["kind"]) if folds else self.moved(mark["kind"]))
        if not folds:
            self.take_away()

    # -- the chapters' pages ------------------------------------------------------------

    def take_away(self) -> None:
        """Leave references in the place of what moves to the back."""
        places = self.places()
        for files in list(self.document.findall(exercise_files)):
            files.replace_self([])
        for node in list(self.document.findall(
                lambda n: isinstance(n, exercise | question))):
            assert isinstance(node, nodes.Element)
            parts = [child for child in node.children if isinstance(child, hidden)]
            for part in parts:
                if DIRECTIVES[part["kind"]] not in places:
                    logger.warning("no page shows this %s: none has the directive {%s}",
                                   part["kind"], DIRECTIVES[part["kind"]], location=node)
                node.remove(part)
            if isinstance(node, exercise):
                self.lead_back(node, parts, places)
            else:
                node["answered"] = places.get("quiz-answers")

    def lead_back(self, node: exercise, parts: list[hidden], places: dict[str, str]) -> None:
        """From the facts of an exercise to its hints and its solution."""
        facts = next(iter(node.findall(
            lambda n: isinstance(n, nodes.inline) and "facts-check" in n["classes"])))
        assert isinstance(facts, nodes.inline)
        for kind, words in (("hint", "hints"), ("solution", "solution")):
            page = places.get(DIRECTIVES[kind])
            if page and any(part["kind"] == kind for part in parts):
                facts += nodes.Text(" · ")
                facts += self.reference(words, page, f"{kind}-{node['name']}")

    def places(self) -> dict[str, str]:
        """The page of each directive, by its name."""
        return {kind: docname for docname, facts in self.env.metadata.items()
                for kind in facts.get("answers", ())}

    # -- the page at the back --------------------------------------------------------------

    def found(self, kind: str) -> Iterator[tuple[str, str, list[nodes.Element]]]:
        """Chapter by chapter: its page, its title and its exercises or questions."""
        wanted, mark = KINDS[kind][0], "quiz" if kind == "quiz-answers" else "exercises"
        book = listings_of(self.app).book
        for chapter in book.chapters:
            docname = chapter.path.relative_to(book.root).with_suffix("").as_posix()
            if mark in self.env.metadata.get(docname, {}):
                tree = self.env.get_doctree(docname)
                title = f"Chapter {chapter.number}" if chapter.number else chapter.title
                yield docname, title, list(tree.findall(wanted))

    def moved(self, kind: str) -> list[nodes.Node]:
        """Everything that the chapters hide of this kind."""
        groups: list[nodes.Node] = []
        for docname, title, owners in self.found(kind):
            group = answer_group("", title=f"{title}: {self.env.titles[docname].astext()}")
            group.extend(self.answer(kind, docname, owner) for owner in owners)
            groups.append(group)
        return groups

    def answer(self, kind: str, docname: str, owner: nodes.Element) -> answer:
        """The hidden parts of one exercise or question, below their title."""
        part = KINDS[kind][1]
        name = f"{part}-{owner['name']}"
        node = answer("", kind=part, ids=[name], path=owner["path"])
        node.source, node.line = owner.source, owner.line
        title = answer_title("")
        title += self.reference(number_of(self.env, docname, owner), docname, owner["ids"][0])
        if isinstance(owner, exercise):
            title += nodes.Text(" ")
            title.extend(child.deepcopy()
                         for child in next(iter(owner.findall(exercise_title))).children)
        node += title
        hints = nodes.enumerated_list("", enumtype="arabic", prefix="", suffix=".")
        for child in owner.children:
            if isinstance(child, hidden) and child["kind"] == part:
                copies = [one.deepcopy() for one in child.children]
                if part == "hint":
                    hints += nodes.list_item("", *copies)
                else:
                    node.extend(copies)
        if hints.children:
            node += hints
        for reference in node.findall(addnodes.pending_xref):
            reference["refdoc"] = self.env.docname  # it is on this page now
        return node

    # -- the same page in the HTML ----------------------------------------------------------

    def links(self, kind: str) -> list[nodes.Node]:
        """For each chapter a line of links to the folds."""
        part = KINDS[kind][1]
        shown: list[nodes.Node] = []
        for docname, title, owners in self.found(kind):
            line = nodes.paragraph("", "", self.reference(title, docname, ""), nodes.Text(": "),
                                   classes=["answer-links"])
            for n, owner in enumerate(owners):
                anchor = next((child["anchor"] for child in owner.children
                               if isinstance(child, hidden) and child["kind"] == part), None)
                if anchor is not None:
                    line += nodes.Text(", " if n else "")
                    line += self.reference(number_of(self.env, docname, owner), docname, anchor)
            shown.append(line)
        return shown

    def reference(self, words: str, docname: str, anchor: str) -> nodes.reference:
        """A link within the book."""
        here, builder = self.env.docname, self.app.builder
        if docname == here and anchor:
            return nodes.reference("", words, internal=True, refid=anchor)
        uri = builder.get_relative_uri(here, docname)
        return nodes.reference("", words, internal=True,
                               refuri=f"{uri}#{anchor}" if anchor else uri)
