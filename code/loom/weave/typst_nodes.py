"""From docutils' tree of one chapter to Typst's markup.

Every kind of node has its method here; one that has none stops the build, so
that nothing an author wrote can be missing from the printed page.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from docutils import nodes
from sphinx import addnodes
from sphinx.util.docutils import SphinxTranslator

from loom.errors import LoomError, Place, Problem
from loom.weave import typst_code
from loom.weave import typst_text as text
from loom.weave.formulas import FormulaError, to_typst

if TYPE_CHECKING:
    from loom.weave.typst import TypstBuilder

WIDTH = 88  # columns of code and output; what is longer goes on in the next line
ADMONITIONS = {
    "attention": "Attention", "caution": "Caution", "danger": "Danger", "error": "Error",
    "hint": "Hint", "important": "Important", "note": "Note", "tip": "Tip",
    "warning": "Warning", "seealso": "See also",
}
# Shown by other means, or meant for other formats.
SILENT = (
    nodes.comment, nodes.substitution_definition, nodes.meta, nodes.docinfo, nodes.pending,
    addnodes.highlightlang, addnodes.tabular_col_spec, addnodes.toctree, nodes.colspec,
    nodes.citation_reference, nodes.label, nodes.footnote, nodes.decoration,
)
# Nothing of their own: their children are all.
TRANSPARENT = (
    addnodes.compact_paragraph, addnodes.only, addnodes.start_of_file, addnodes.glossary,
    addnodes.pending_xref, nodes.compound, nodes.tbody, nodes.thead, nodes.row,
    nodes.definition_list_item, nodes.generated,
)


class TypstTranslator(SphinxTranslator):
    """One chapter; ``self.out`` is its Typst source when the walk is over."""

    builder: TypstBuilder

    def __init__(self, document: nodes.document, builder: TypstBuilder) -> None:
        super().__init__(document, builder)  # type: ignore[arg-type]
        self.docname = builder.current_docname
        self.stack: list[list[str]] = [[]]
        self.anchors: list[str] = []  # labels that wait for something to stand on
        self.notes: list[str] = []  # margin notes that wait for their paragraph
        self.head: tuple[str, str | None] | None = None  # the line above a tangled cell
        self.level = 0
        self.note_count = 0
        self.in_note = False
        self.footnotes_seen: set[str] = set()
        self.image_width: str | None = None
        self.outputs = 0
        self.table: list[str] = []

    # -- writing ------------------------------------------------------------------

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
        waiting = self.flush()
        self.put(waiting + source + "\n\n" if waiting else source + "\n\n")

    def flush(self) -> str:
        """The anchors and margin notes that waited for the next place in the text.

        Those from inside a margin note go on waiting for the paragraph it stands beside.
        """
        if self.in_note:
            return ""
        source = "".join(f"#anchor({text.string(name)});" for name in self.anchors)
        source += "".join(self.notes)
        self.anchors.clear()
        self.notes.clear()
        return source

    def place(self, node: nodes.Node) -> Place:
        """The chapter and line a node comes from, as well as docutils knows it."""
        line: int | None = None
        at: nodes.Node | None = node
        while at is not None and line is None:
            line = at.line
            at = at.parent
        path = Path(self.builder.env.doc2path(self.docname))
        return Place(path, line)

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
        for identifier in node.get("ids", ()):
            if identifier != own and self.builder.claim(self.label(identifier)):
                self.anchors.append(self.label(identifier))

    def number(self, node: nodes.Element, figtype: str) -> str | None:
        """The number that Sphinx gave a figure, table, listing or equation."""
        numbers = self.builder.env.toc_fignumbers.get(self.docname, {}).get(figtype, {})
        for identifier in node.get("ids", ()):
            if identifier in numbers:
                return ".".join(map(str, numbers[identifier]))
        return None

    def caption_number(self, node: nodes.Element, figtype: str) -> str:
        number = self.number(node, figtype)
        if number is None or not self.config.numfig:
            return "none"
        shape = self.config.numfig_format.get(figtype, "%s")
        return text.string(shape.replace("{number}", "%s").replace("{name}", "").strip() % number)

    # -- the whole and its parts --------------------------------------------------------

    def unknown_visit(self, node: nodes.Node) -> None:
        raise self.problem(node, f"the PDF does not know what to do with `{type(node).__name__}`",
                           "write it another way, or teach loom.weave.typst_nodes")

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

    def visit_document(self, node: nodes.document) -> None:
        pass

    def depart_document(self, node: nodes.document) -> None:
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
                     f"{text.string(self.docname)}, [{short}], [{body}])\n")
        else:
            self.put(f"#headed({depth}, {self.level - 1}, {text.option(number)}, "
                     f"{text.string(label)}, [{short}], [{body}])\n")
        self.put(self.flush() + "\n" if self.anchors else "\n")
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
        source = self.inner(node).strip()
        if source or waiting:
            self.block(node, waiting + source)
        raise nodes.SkipNode

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

    def visit_emphasis(self, node: nodes.emphasis) -> None:
        self.wrapped(node, "emph")

    visit_title_reference = visit_literal_emphasis = visit_emphasis

    def visit_strong(self, node: nodes.strong) -> None:
        self.wrapped(node, "strong")

    visit_literal_strong = visit_strong

    def visit_subscript(self, node: nodes.subscript) -> None:
        self.wrapped(node, "sub")

    def visit_superscript(self, node: nodes.superscript) -> None:
        self.wrapped(node, "super")

    def visit_abbreviation(self, node: nodes.abbreviation) -> None:
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
        waiting = self.flush()
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
        self.block(node, f"{waiting}#{call}" + "".join(items))
        raise nodes.SkipNode

    def visit_definition_list(self, node: nodes.definition_list) -> None:
        self.anchor(node)
        waiting = self.flush()
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
        self.block(node, waiting + "#deflist(" + "\n".join(items) + ")")
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
        waiting = self.flush()
        body = self.inner(node, skip=lambda child: isinstance(child, nodes.attribution))
        by = next((child for child in node.children if isinstance(child, nodes.attribution)), None)
        option = f", by: [{self.inner(by)}]" if by is not None else ""
        self.block(node, f"{waiting}#quotation([{body}]{option})")
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

    def visit_citation(self, node: nodes.citation) -> None:
        self.anchor(node)
        waiting = self.flush()
        body = self.inner(node).strip()
        self.block(node, "#block(above: 0.8em, below: 0pt, par(first-line-indent: 0pt, "
                         f"hanging-indent: 1.4em, justify: false)[{waiting}{body}])")
        raise nodes.SkipNode

    # -- code and what it gives ----------------------------------------------------------

    def visit_container(self, node: nodes.container) -> None:
        kind = node.get("nb_element")
        if kind == "cell_code_output":
            self.outputs += 1
        elif node.get("literal_block"):
            self.captioned_code(node)
        elif node.get("design_component") == "tab-label":
            self.block(node, f"#strong[{self.inner(node)}]")
            raise nodes.SkipNode
        self.anchor(node)

    def depart_container(self, node: nodes.container) -> None:
        if node.get("nb_element") == "cell_code_output":
            self.outputs -= 1

    def visit_listing_head(self, node: nodes.Element) -> None:
        """The line above a tangled cell: kept until its code comes."""
        self.head = (str(node["target"]), str(node["action"]) if node.get("action") else None)
        raise nodes.SkipNode

    def captioned_code(self, node: nodes.container) -> None:
        self.anchor(node, own=None)
        waiting = self.flush()
        caption = next(child for child in node.children if isinstance(child, nodes.caption))
        code = self.inner(node, skip=lambda child: child is caption)
        self.block(node, f"{waiting}#block(below: 0.4em, sticky: true, caption-text("
                         f"{self.caption_number(node, 'code-block')}, [{self.inner(caption)}]))"
                         f"\n{code}")
        raise nodes.SkipNode

    def visit_literal_block(self, node: nodes.literal_block) -> None:
        content = node.astext()
        self.anchor(node)
        self.seen("mono", content, node)
        classes = node.get("classes", ())
        if "output" in classes:
            shown = text.plain_output(content, WIDTH)
            kind = "error" if "traceback" in classes else \
                "stderr" if "stderr" in classes else "out"
            if shown.strip():
                self.block(node, f'#output("{kind}", {text.columns(shown)})[\n'
                                 f'{text.raw_block(shown, "")}\n]')
            raise nodes.SkipNode
        language = {"ipython3": "python", "ipython": "python", "python3": "python",
                    "console": "bash", "none": "", "text": "", "myst": "markdown",
                    "default": ""}.get(str(node.get("language", "")),
                                       str(node.get("language", "")))
        shown = text.plain_output(content, WIDTH)
        self.builder.note_code(shown)
        look = f"{typst_code.styles(shown, language)}, {text.columns(shown)}"
        if shown.count("\n") < 14 and self.has_output(node):
            look += ", with-output: true"
        raw = text.raw_block(shown, "")
        if self.head is not None:
            file, action = self.head
            self.head = None
            told = "none" if action is None else f"[{self.told(action)}]"
            self.block(node, f"#listing({text.string(file)}, {told}, {look})"
                             f"[\n{raw}\n]")
        else:
            self.block(node, f"#code({look})[\n{raw}\n]")
        raise nodes.SkipNode

    visit_doctest_block = visit_literal_block

    def has_output(self, node: nodes.literal_block) -> bool:
        """Whether what the code prints comes right below it."""
        cell = node.parent.parent if node.parent is not None else None
        return isinstance(cell, nodes.container) and cell.get("nb_element") == "cell_code" \
            and any("output" in block.get("classes", ())
                    for block in cell.children[-1].children
                    if isinstance(block, nodes.literal_block))

    def told(self, action: str) -> str:
        """``adds `f` to `C```: the words as text, the names as code."""
        return "".join(f"#raw({text.string(part)});" if n % 2 else text.markup(part)
                       for n, part in enumerate(action.split("`")))

    # -- formulas ---------------------------------------------------------------------

    def formula(self, node: nodes.Element) -> tuple[str, str]:
        tex = node.astext().strip()
        try:
            source = to_typst(tex)
        except FormulaError as error:
            raise self.problem(
                node, f"the formula `{' '.join(tex.split())[:60]}` does not convert: {error}",
                "write it with the commands listed in loom/weave/symbols.py") from None
        self.seen("math", source, node)
        return text.string(" ".join(tex.split())), source.strip()

    def visit_math(self, node: nodes.math) -> None:
        self.anchor(node)
        alt, source = self.formula(node)
        call = "im-short" if len(node.astext()) < 16 else "im"
        self.put(f"{self.flush()}#{call}({alt}, ${source}$);")
        raise nodes.SkipNode

    def visit_math_block(self, node: nodes.math_block) -> None:
        self.anchor(node)
        waiting = self.flush()
        alt, source = self.formula(node)
        number = self.equation_number(node)
        shown = f"[{waiting}({text.markup(number).removeprefix(chr(92))})]" if number else "none"
        self.block(node, f"{'' if number else waiting}#equation-line({alt}, {shown}, $ {source} $)")
        raise nodes.SkipNode

    def equation_number(self, node: nodes.math_block) -> str | None:
        """As the HTML shows it: from Sphinx's numbers."""
        if not node.get("number"):
            return None
        if self.config.math_numfig and self.config.numfig:
            number = self.number(node, "displaymath")
            if number:
                return self.config.math_numsep.join(number.rsplit(".", 1)) \
                    if hasattr(self.config, "math_numsep") else number
        return str(node["number"])

    # -- figures and tables -----------------------------------------------------------

    def visit_figure(self, node: nodes.figure) -> None:
        self.anchor(node)
        waiting = self.flush()
        caption = next((c for c in node.children if isinstance(c, nodes.caption)), None)
        legend = next((c for c in node.children if isinstance(c, nodes.legend)), None)
        body = self.inner(node, skip=lambda child: child in (caption, legend))
        told = "none"
        if caption is not None:
            more = f" {self.inner(legend).strip()}" if legend is not None else ""
            told = f"[{self.inner(caption).strip()}{more}]"
        number = self.caption_number(node, "figure") if caption is not None else "none"
        where = "auto" if caption is not None and not inside(node, nodes.sidebar) else "none"
        self.block(node, f"#captioned(image, {number}, [{waiting}{body}], {told}, place: {where})")
        raise nodes.SkipNode

    def visit_image(self, node: nodes.image) -> None:
        alt = node.get("alt", "").strip()
        if not alt:
            raise self.problem(node, "an image without alternative text",
                               "say in one or two sentences what it shows: `alt: …`")
        uri = node["uri"]
        path = self.builder.image(uri)
        if path is None:
            raise self.problem(node, f"the image `{uri}` is missing",
                               "add the file or mend its path")
        width = self.length(node)
        source = f"picture({text.string(path)}, {text.string(' '.join(alt.split()))}{width})"
        if isinstance(node.parent, nodes.TextElement):
            self.put(f"#box({source});")
        else:
            self.anchor(node)
            self.block(node, f"#align(center, {source})"
                       if isinstance(node.parent, nodes.figure)
                       else f"#block(above: 1em, below: 1em, {source})")
        raise nodes.SkipNode

    def length(self, node: nodes.image) -> str:
        value = str(node.get("width", ""))
        match = re.fullmatch(r"([\d.]+)\s*(%|px|pt|em|cm|mm|in)?", value)
        if not match:
            return ""
        if match[2] in (None, "px"):
            return f", width: {float(match[1]) * 0.75:.4g}pt"
        return f", width: {match[1]}{match[2]}"

    def visit_legend(self, node: nodes.legend) -> None:
        pass

    def depart_legend(self, node: nodes.legend) -> None:
        pass

    def visit_table(self, node: nodes.table) -> None:
        self.anchor(node)
        waiting = self.flush()
        title = next((c for c in node.children if isinstance(c, nodes.title)), None)
        group = next(c for c in node.children if isinstance(c, nodes.tgroup))
        grid = self.grid(node, group)
        told = f"[{self.inner(title).strip()}]" if title is not None else "none"
        number = self.caption_number(node, "table") if title is not None else "none"
        self.block(node, f"#captioned(table, {number}, [{waiting}{grid}], {told})")
        raise nodes.SkipNode

    def grid(self, table: nodes.table, group: nodes.tgroup) -> str:
        specs = [c for c in group.children if isinstance(c, nodes.colspec)]
        given = "colwidths-given" in table.get("classes", ()) or table.get("width")
        widths = [f"{spec['colwidth']}fr" for spec in specs] if given \
            else column_widths(group, len(specs))
        aligns = ["start"] * len(specs)
        head: list[str] = []
        body: list[str] = []
        for part in group.children:
            if isinstance(part, (nodes.thead, nodes.tbody)):
                cells = head if isinstance(part, nodes.thead) else body
                for row in part.children:
                    for column, entry in enumerate(row.children):
                        assert isinstance(entry, nodes.entry)
                        self.align(entry, column, aligns)
                        stub = column < sum(1 for s in specs if s.get("stub"))
                        cells.append(self.cell(entry, cells is head or stub))
        return f"#grid-table({text.array(widths)}, {text.array(aligns)}, " \
               f"{text.array(head)}, {text.array(body)})"

    def align(self, entry: nodes.entry, column: int, aligns: list[str]) -> None:
        for side in ("left", "center", "right"):
            if f"text-{side}" in entry.get("classes", ()) and column < len(aligns):
                aligns[column] = {"left": "start", "right": "end"}.get(side, side)

    def cell(self, entry: nodes.entry, head: bool) -> str:
        body = self.inner(entry).strip()
        body = f"head-cell[{body}]" if head else f"[{body}]"
        span = "".join(f", {name}: {entry[key] + 1}" for name, key in
                       (("colspan", "morecols"), ("rowspan", "morerows")) if entry.get(key))
        return f"table.cell({body}{span})" if span else body

    # -- boxes ------------------------------------------------------------------------

    def boxed(self, node: nodes.Node, kind: str, title: str) -> None:
        assert isinstance(node, nodes.Element)
        self.anchor(node)
        waiting = self.flush()
        self.block(node, f"{waiting}#admonition({text.string(kind)}, [{text.markup(title)}], "
                         f"[{self.inner(node)}])")
        raise nodes.SkipNode

    def visit_admonition(self, node: nodes.admonition) -> None:
        self.titled(node)

    def titled(self, node: nodes.Element) -> None:
        self.anchor(node)
        waiting = self.flush()
        title = next((c for c in node.children if isinstance(c, nodes.title)), None)
        body = self.inner(node, skip=lambda child: child is title)
        kind = next((c for c in node.get("classes", ()) if c in ADMONITIONS), "note")
        told = self.inner(title) if title is not None else ""
        self.block(node, f"{waiting}#admonition({text.string(kind)}, [{told}], [{body}])")
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
        self.notes.append(f"#note({self.note_count})[{body}];")
        raise nodes.SkipNode

    def visit_caption(self, node: nodes.caption) -> None:
        self.block(node, f"#strong[{self.inner(node)}]")
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


def column_widths(group: nodes.tgroup, count: int) -> list[str]:
    """Columns of words are as wide as their words; those of sentences share the rest."""
    longest = [0] * count
    for row in group.findall(nodes.row):
        for column, entry in enumerate(row.children):
            if column < count and not entry.get("morecols"):
                longest[column] = max(longest[column], len(entry.astext()))
    return [f"{min(length, 120)}fr" if length > 28 else "auto" for length in longest]


def inside(node: nodes.Node, *kinds: type[nodes.Node]) -> bool:
    """Whether a node stands in one of these kinds."""
    at = node.parent
    while at is not None and not isinstance(at, kinds):
        at = at.parent
    return at is not None
