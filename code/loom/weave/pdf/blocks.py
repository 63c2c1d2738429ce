"""What stands on its own: headings, paragraphs, lists, boxes, margin notes."""

from __future__ import annotations

from docutils import nodes
from sphinx import addnodes

from loom.weave.pdf import text
from loom.weave.pdf.writer import Writer

ADMONITIONS = {
    "attention": "Attention", "caution": "Caution", "danger": "Danger", "error": "Error",
    "hint": "Hint", "important": "Important", "note": "Note", "tip": "Tip",
    "warning": "Warning", "seealso": "See also",
}
LEAD = 240  # characters of a paragraph that goes to the next page with its formula


class Blocks(Writer):
    """Nodes between headings."""

    # -- the chapter and its sections ------------------------------------------------------

    def visit_document(self, node: nodes.document) -> None:
        pass

    def depart_document(self, node: nodes.document) -> None:
        for footnote in node.findall(nodes.footnote):
            if not self.footnotes_seen & set(footnote["ids"]):
                raise self.problem(footnote, "nothing refers to this footnote",
                                   "refer to it where it belongs, or drop it")
        if waiting := self.flush():
            self.put(waiting + "\n")

    def visit_section(self, node: nodes.section) -> None:
        self.level += 1

    def depart_section(self, node: nodes.section) -> None:
        self.level -= 1

    def visit_title(self, node: nodes.title) -> None:
        section = node.parent
        if not isinstance(section, nodes.section):
            raise self.problem(node, "a title where none can be", "make it a heading")
        own = section["ids"][0]
        number = self.builder.section_number(self.docname, own, self.level)
        label = self.label(own)
        self.builder.claim(label)
        for identifier in section["ids"][1:]:
            self.builder.alias(self.label(identifier), label)
        short = self.short(node)
        body = self.inner(node)
        depth = self.builder.depth + self.level
        place = self.place(node)
        self.put(f"\n// @ {place}\n")
        if self.level == 1:
            self.builder.alias(self.label(""), label)
            self.put(f"#chapter({depth}, {text.option(number)}, {text.string(label)}, "
                     f"[{short}], [{body}])\n")
        else:
            self.put(f"#headed({depth}, {self.level - 1}, {text.option(number)}, "
                     f"{text.string(label)}, [{short}], [{body}])\n")
        self.put("\n")
        raise nodes.SkipNode

    def short(self, node: nodes.Element) -> str:
        """A heading for the running head: without labels and footnotes."""
        copy = node.deepcopy()
        for extra in list(copy.findall(nodes.footnote_reference)) + list(
                copy.findall(nodes.target)) + list(copy.findall(addnodes.index)):
            extra.parent.remove(extra)
        anchors, self.anchors = self.anchors, []
        for child in copy.findall(nodes.Element):
            child["ids"] = []
        source = self.inner(copy)
        self.anchors = anchors
        return source

    def visit_subtitle(self, node: nodes.subtitle) -> None:
        self.block(node, f"#emph[{self.inner(node)}]")
        raise nodes.SkipNode

    def visit_rubric(self, node: nodes.rubric) -> None:
        self.anchor(node)
        if node.astext().strip() not in ("Footnotes",):
            waiting = self.flush()
            self.block(node, "#block(above: 1.3em, below: 0.6em, sticky: true, "
                             f"strong[{waiting}{self.inner(node)}])")
        raise nodes.SkipNode

    def visit_transition(self, node: nodes.transition) -> None:
        if "footnotes" not in node.get("classes", ()):
            self.block(node, "#ornament")
        raise nodes.SkipNode

    # -- paragraphs, lists ----------------------------------------------------------------

    def visit_paragraph(self, node: nodes.paragraph) -> None:
        self.anchor(node)
        waiting = self.flush()
        source = waiting + self.inner(node).strip()
        if source and leads_to_formula(node):
            indented = "true" if isinstance(beside(node, -1), nodes.paragraph) else "false"
            source = f"#leads({indented})[{source}]"
        if source:
            self.block(node, source)
        raise nodes.SkipNode

    def visit_bullet_list(self, node: nodes.bullet_list) -> None:
        self.listed(node, "list")

    def visit_enumerated_list(self, node: nodes.enumerated_list) -> None:
        shape = {"arabic": "1", "loweralpha": "a", "upperalpha": "A", "lowerroman": "i",
                 "upperroman": "I"}[node.get("enumtype", "arabic")]
        numbering = node.get("prefix", "") + shape + node.get("suffix", ".")
        self.listed(node, f"enum(start: {node.get('start', 1)}, numbering: "
                          f"{text.string(numbering or '1.')})", closed=True)

    def listed(self, node: nodes.Element, call: str, closed: bool = False) -> None:
        self.anchor(node)
        tight = all(len(item.children) < 2 or isinstance(item.children[1], nodes.bullet_list)
                    for item in node.children)
        items = []
        for item in node.children:
            assert isinstance(item, nodes.Element)
            self.anchor(item)
            prefix = self.flush()
            items.append(f"[{prefix}{self.inner(item).strip()}\n]")
        option = f"tight: {'true' if tight else 'false'}"
        call = call.replace(")", f", {option})") if closed else f"{call}({option})"
        self.block(node, f"#{call}" + "".join(items))
        raise nodes.SkipNode

    def visit_definition_list(self, node: nodes.definition_list) -> None:
        self.anchor(node)
        items = []
        for item in node.children:
            terms: list[str] = []
            body = "[]"
            for child in item.children:
                if isinstance(child, nodes.term):
                    self.anchor(child)
                    terms.append(f"{self.flush()}#strong[{self.inner(child)}];")
                elif isinstance(child, nodes.classifier):
                    terms[-1] += f" : #emph[{self.inner(child)}];"
                elif isinstance(child, nodes.definition):
                    body = f"[{self.inner(child)}]"
            items.append(f"([{' #linebreak() '.join(terms)}], {body}),")
        self.block(node, "#deflist(" + "\n".join(items) + ")")
        raise nodes.SkipNode

    def visit_field_list(self, node: nodes.field_list) -> None:
        items = []
        for field in node.children:
            name, body = field.children
            items.append(f"([#strong[{self.inner(name)}]], [{self.inner(body)}]),")
        self.block(node, "#deflist(" + "\n".join(items) + ")")
        raise nodes.SkipNode

    def visit_block_quote(self, node: nodes.block_quote) -> None:
        self.anchor(node)
        body = self.inner(node, skip=lambda child: isinstance(child, nodes.attribution))
        by = next((child for child in node.children if isinstance(child, nodes.attribution)), None)
        option = f", by: [{self.inner(by)}]" if by is not None else ""
        self.block(node, f"#quotation([{body}]{option})")
        raise nodes.SkipNode

    def visit_line_block(self, node: nodes.line_block) -> None:
        lines = []
        for line in node.findall(nodes.line):
            indent, at = 0, line.parent
            while at is not node:
                indent, at = indent + 1, at.parent
            lines.append(f"#h({indent * 1.5}em);{self.inner(line)}")
        self.block(node, " #linebreak() ".join(lines))
        raise nodes.SkipNode

    def visit_citation(self, node: nodes.citation) -> None:
        self.anchor(node)
        waiting = self.flush()
        body = self.inner(node).strip()
        labels = [self.label(identifier) for identifier in node["ids"]]
        self.block(node, f"#literature([{waiting}{body}], {text.CITED_BY}{' '.join(labels)}*/)")
        raise nodes.SkipNode

    # -- boxes ------------------------------------------------------------------------

    def boxed(self, node: nodes.Node, kind: str, title: str) -> None:
        assert isinstance(node, nodes.Element)
        self.anchor(node)
        self.block(node, f"#admonition({text.string(kind)}, [{text.markup(title)}], "
                         f"[{self.inner(node)}])")
        raise nodes.SkipNode

    def visit_admonition(self, node: nodes.admonition) -> None:
        self.titled(node)

    def titled(self, node: nodes.Element) -> None:
        self.anchor(node)
        title = next((c for c in node.children if isinstance(c, nodes.title)), None)
        body = self.inner(node, skip=lambda child: child is title)
        kind = next((str(name) for name in node["classes"] if name in ADMONITIONS), "note")
        told = self.inner(title) if title is not None else ""
        self.block(node, f"#admonition({text.string(kind)}, [{told}], [{body}])")
        raise nodes.SkipNode

    visit_topic = titled

    def visit_sidebar(self, node: nodes.sidebar) -> None:
        """A margin note: it waits for the paragraph that it stands beside."""
        if self.in_note:
            raise self.problem(node, "a margin note inside a margin note", "make it one")
        title = next((c for c in node.children if isinstance(c, nodes.title)), None)
        self.anchor(node)
        self.in_note = True
        body = self.inner(node, skip=lambda child: child is title).strip()
        if title is not None and title.astext().strip():
            body = f"#strong[{self.inner(title)}] {body}"
        self.in_note = False
        self.note_count += 1
        self.notes.append(f"#note({text.string(f'{self.docname}:{self.note_count}')})[{body}];")
        raise nodes.SkipNode

    def visit_versionmodified(self, node: nodes.Element) -> None:
        pass

    def depart_versionmodified(self, node: nodes.Element) -> None:
        pass

    def visit_raw(self, node: nodes.raw) -> None:
        """Raw Typst passes; what is meant for other formats has its place there."""
        if "typst" in node.get("format", "").split():
            self.block(node, node.astext())
        elif "output" in node.get("classes", ()):
            raise self.problem(node, "a cell shows something that exists as HTML only",
                               "let it show text or a figure too, or print it")
        raise nodes.SkipNode

    def visit_problematic(self, node: nodes.problematic) -> None:
        raise self.problem(node, f"docutils could not read `{node.astext()}`", "mend the markup")

    def visit_system_message(self, node: nodes.system_message) -> None:
        raise self.problem(node, node.astext(), "mend the markup")


def beside(node: nodes.Element, step: int) -> nodes.Node | None:
    """What is shown before (-1) or after (1) a node, labels passed over."""
    siblings = [child for child in node.parent.children
                if child is node or not isinstance(child, nodes.Invisible)]
    at = siblings.index(node) + step
    return siblings[at] if 0 <= at < len(siblings) else None


def leads_to_formula(node: nodes.Element) -> bool:
    """Whether a paragraph of up to some three lines goes on in a formula below it."""
    return isinstance(beside(node, 1), nodes.math_block) and len(node.astext()) <= LEAD
