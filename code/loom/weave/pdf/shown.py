"""What is shown: code and what it prints, figures, tables, large formulas."""

from __future__ import annotations

import re

from docutils import nodes

from loom.weave.pdf import code, text
from loom.weave.pdf.inline import Inline
from loom.weave.pdf.writer import inside

TEXT_WIDTH = 368  # points, as in book.typ
WIDTH = 88  # columns of code and output; what is longer goes on in the next line


class Shown(Inline):
    """Nodes with a frame, a number or a caption."""

    # -- code and what it gives ----------------------------------------------------------

    def visit_container(self, node: nodes.container) -> None:
        """Cells and their parts; what the HTML folds (``hide-input``) is printed open."""
        if node.get("literal_block"):
            self.captioned_code(node)
        elif node.get("design_component") == "tab-label":
            self.block(node, f"#strong[{self.inner(node)}]")
            raise nodes.SkipNode
        self.anchor(node)

    def depart_container(self, node: nodes.container) -> None:
        pass

    def visit_listing_head(self, node: nodes.Element) -> None:
        """The line above a tangled cell: kept until its code comes."""
        self.anchor(node)
        self.head = (str(node["target"]), str(node["action"]) if node.get("action") else None)
        raise nodes.SkipNode

    def captioned_code(self, node: nodes.container) -> None:
        self.anchor(node, own=None)
        waiting = self.flush()
        caption = next(child for child in node.children if isinstance(child, nodes.caption))
        code = self.inner(node, skip=lambda child: child is caption)
        number = self.caption_number(node, "code-block")
        self.block(node, f"#block(below: 0.4em, sticky: true, caption-text({number}, "
                         f"[{waiting}{self.inner(caption)}]))\n{code}")
        raise nodes.SkipNode

    def visit_literal_block(self, node: nodes.Element) -> None:
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
                    "none": "", "text": "", "myst": "markdown",
                    "default": ""}.get(str(node.get("language", "")),
                                       str(node.get("language", "")))
        shown = text.plain_output(content, WIDTH)
        self.builder.note_code(shown)
        look = f"{code.styles(shown, language)}, {text.columns(shown)}"
        if shown.count("\n") < 8 and self.has_output(node):
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

    def has_output(self, node: nodes.Element) -> bool:
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
        waiting = self.flush(notes=False)
        caption = next((c for c in node.children if isinstance(c, nodes.caption)), None)
        legend = next((c for c in node.children if isinstance(c, nodes.legend)), None)
        body = self.inner(node, skip=lambda child: child in (caption, legend))
        told = "none"
        if caption is not None:
            more = f" {self.inner(legend).strip()}" if legend is not None else ""
            told = f"[{self.inner(caption).strip()}{more}]"
        number = self.caption_number(node, "figure") if caption is not None else "none"
        where = "none"
        if caption is not None and not inside(node, nodes.sidebar):
            self.figures += 1
            where = text.string(f"{self.docname}/{self.figures}")
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
        waiting, notes = self.flush(notes=False), self.notes
        self.notes = []  # not in a cell: beside the paragraph that follows
        title = next((c for c in node.children if isinstance(c, nodes.title)), None)
        group = next(c for c in node.children if isinstance(c, nodes.tgroup))
        grid = self.grid(node, group)
        told = f"[{self.inner(title).strip()}]" if title is not None else "none"
        number = self.caption_number(node, "table") if title is not None else "none"
        self.block(node, f"#captioned(table, {number}, [{waiting}{grid}], {told})")
        self.notes = notes
        raise nodes.SkipNode

    def grid(self, table: nodes.table, group: nodes.tgroup) -> str:
        specs = [c for c in group.children if isinstance(c, nodes.colspec)]
        given = "colwidths-given" in table.get("classes", ()) or table.get("width")
        widths, wide = ([f"{spec['colwidth']}fr" for spec in specs], False) if given \
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
        return f"#grid-table({'true' if wide else 'false'}, {text.array(widths)}, " \
               f"{text.array(aligns)}, {text.array(head)}, {text.array(body)})"

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

    def visit_caption(self, node: nodes.caption) -> None:
        self.block(node, f"#strong[{self.inner(node)}]")
        raise nodes.SkipNode


def column_widths(group: nodes.tgroup, count: int) -> tuple[list[str], bool]:
    """Columns of words are as wide as their words; those of sentences share the rest.

    Returns:
        Typst's widths, and whether the table should use the margin too.
    """
    natural = [0.0] * count  # in points, without line breaks
    for row in group.findall(nodes.row):
        for column, entry in enumerate(row.children):
            if isinstance(entry, nodes.entry) and column < count and not entry.get("morecols"):
                code = sum(len(found.astext()) for found in entry.findall(nodes.literal))
                width = 4.7 * code + 4.4 * (len(entry.astext()) - code) + 10
                natural[column] = max(natural[column], width)
    sentences = [width > 190 or width == max(natural) > 120 for width in natural]
    if sum(natural) <= TEXT_WIDTH:
        return ["auto"] * count, False
    widths = [f"{min(width, 500):.0f}fr" if long else "auto"
              for width, long in zip(natural, sentences, strict=True)]
    words = sum(width for width, long in zip(natural, sentences, strict=True) if not long)
    return widths, TEXT_WIDTH - words < 110
