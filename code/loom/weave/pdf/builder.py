"""The PDF: a Sphinx builder that writes Typst and compiles it, without TeX.

Sphinx has read the chapters and given every number; this module walks the
tree of contents, lets ``nodes`` write one file per chapter, adds what
stands before and behind them, and hands the whole to ``compile``. The root
document is the front page of the HTML; the PDF has a title page in its place.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sphinx import addnodes
from sphinx.builders import Builder
from sphinx.environment.adapters.indexentries import IndexEntries

from loom import files
from loom.errors import LoomError, Place, Problem
from loom.weave.pdf import compile as press
from loom.weave.pdf import text
from loom.weave.pdf.nodes import TypstTranslator

if TYPE_CHECKING:
    from sphinx.application import Sphinx

HERE = Path(__file__).parent
TEMPLATE = "book.typ"
ROMAN = ("", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII")
COVER_LINES = 44
IMPRINT = (
    "Text and figures: Creative Commons Attribution 4.0 International (CC BY 4.0). "
    "Code: MIT License.",
    "The code in this book is the code that ran, and the outputs are what it printed. "
    "The package that it makes comes with the source of the book.",
    "Set in Libertinus Serif, New Computer Modern Math and DejaVu Sans Mono, by Typst; "
    "Devanagari in Shobhika, Japanese in IPAexGothic.",
)
CONTENTS, INDEX = "book:contents", "book:index"


@dataclass(frozen=True)
class Part:
    """A part of the book: its title, whether its chapters have numbers, their names."""

    title: str | None
    numbered: bool
    docnames: list[str]


class TypstBuilder(Builder):
    """``sphinx-build -b typst``: the book as a PDF."""

    name = "typst"
    format = "typst"
    epilog = "The book is in %(outdir)s."
    allow_parallel = False
    supported_image_types = ["image/svg+xml", "image/png", "image/jpeg"]  # noqa: RUF012 - as Sphinx declares it
    supported_remote_images = False
    default_translator_class = TypstTranslator

    def init(self) -> None:
        self.tags.add("pdf")
        self.current_docname = ""
        self.depth = 0  # heading level of what stands above a chapter
        self.characters: dict[tuple[str, str], Place] = {}
        self.claimed: set[str] = set()
        self.aliases: dict[str, str] = {}
        self.references: dict[str, Place] = {}
        self.cited: dict[str, list[str]] = {}  # by label of a work, where it is cited
        self.image_files: dict[str, str] = {}
        self.code_lines: list[str] = []

    # -- what Sphinx asks -----------------------------------------------------------

    def get_outdated_docs(self) -> str:
        return "the whole book"

    def get_target_uri(self, docname: str, typ: str | None = None) -> str:
        return f"doc:{docname}"

    def get_relative_uri(self, from_: str, to: str, typ: str | None = None) -> str:
        return self.get_target_uri(to, typ)

    # -- labels and numbers ------------------------------------------------------------

    def label(self, docname: str, identifier: str) -> str:
        """The Typst label of a docutils id."""
        return f"{docname}:{identifier}"

    def claim(self, label: str) -> bool:
        """Whether a label is still free; it is not any more."""
        if label in self.claimed:
            return False
        self.claimed.add(label)
        return True

    def alias(self, label: str, of: str) -> None:
        self.aliases[label] = of

    def refer(self, label: str, place: Place) -> None:
        self.references.setdefault(label, place)

    def cite(self, docname: str, label: str) -> str:
        """Note that a chapter cites a work; a label for the place where it does."""
        places = self.cited.setdefault(label, [])
        places.append(f"{docname}:cites-{label.rpartition(':')[2]}-{len(places) + 1}")
        return places[-1]

    def section_number(self, docname: str, identifier: str, level: int) -> str | None:
        """The number Sphinx gave a section, as ``1.2``."""
        numbers = self.env.toc_secnumbers.get(docname, {})
        number = numbers.get(f"#{identifier}") or (numbers.get("") if level == 1 else None)
        return ".".join(map(str, number)) if number else None

    def image(self, uri: str) -> str | None:
        """Copy an image beside the Typst files; its path there, or None if there is none."""
        source = Path(self.srcdir) / uri
        if not source.is_file():
            return None
        content = source.read_bytes()
        name = f"{hashlib.sha256(content).hexdigest()[:16]}{source.suffix.lower()}"
        if name not in self.image_files:
            self.image_files[name] = uri
            target = self.source / "images" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.is_file():
                target.write_bytes(content)
        return f"images/{name}"

    def note_code(self, code: str) -> None:
        """Keep the book's first lines of code: the cover shows how long they are."""
        self.code_lines += [line for line in code.splitlines() if line.strip()]
        del self.code_lines[COVER_LINES:]

    # -- writing -----------------------------------------------------------------------

    @property
    def source(self) -> Path:
        """Where the Typst files go."""
        return Path(self.outdir) / "typst"

    @property
    def pdf(self) -> Path:
        return Path(self.outdir) / f"{self.config.typst_basename}.pdf"

    def prepare_writing(self, docnames: set[str]) -> None:
        pass

    def write_documents(self, docnames: set[str]) -> None:  # pragma: no cover - Sphinx 8
        self.write(docnames, docnames)

    def write(self, build_docnames: Iterable[str] | None, updated_docnames: Iterable[str],
              method: str = "update") -> None:
        """Write every chapter, whatever is new, and compile.

        Raises:
            LoomError: everything that is wrong with the chapters; a full disk.
        """
        try:
            main = self.write_sources()
        except OSError as error:
            raise files.told(error, self.source) from error
        press.check_glyphs(self.characters)
        pdf = press.compile_book(self.source / main, Path(self.srcdir))
        files.write_all({self.pdf: pdf})

    def write_sources(self) -> str:
        """Write the Typst files; the name of the one to compile."""
        shutil.rmtree(self.source, ignore_errors=True)
        self.source.mkdir(parents=True)
        shutil.copyfile(HERE / TEMPLATE, self.source / TEMPLATE)
        parts = list(self.parts())
        chapters = {docname: self.chapter(docname, 1 if part.numbered else 0)
                    for part in parts for docname in part.docnames}
        self.resolve(chapters)
        written = {self.source / f"{docname}.typ": self.prologue(docname) + body
                   for docname, body in chapters.items()}
        written[self.source / "main.typ"] = self.main(parts)
        files.write_all({path: press.substitute(body, self.aliases, self.cited)
                         for path, body in written.items()})
        return "main.typ"

    def finish(self) -> None:
        pass

    def chapter(self, docname: str, depth: int) -> str:
        """The Typst source of one chapter."""
        self.current_docname, self.depth = docname, depth
        self.env.temp_data["docname"] = docname
        tree = self.env.get_and_resolve_doctree(docname, self)
        translator = TypstTranslator(tree, self)
        tree.walkabout(translator)
        return translator.out

    def resolve(self, chapters: dict[str, str]) -> None:
        """Every reference has a target, or the build stops."""
        missing = [Problem(place, f"nothing in the PDF carries the label `{label}`",
                           "mend the name, or add what it names")
                   for label, place in self.references.items()
                   if label not in self.claimed and label not in self.aliases]
        if missing:
            raise LoomError(missing)

    def prologue(self, docname: str) -> str:
        up = "../" * docname.count("/")
        return f'#import "{up}book.typ": *\n'

    def parts(self) -> Iterator[Part]:
        """The parts, from the tables of contents of the root document."""
        root = self.config.root_doc
        tree = self.env.get_doctree(root)
        for toctree in tree.findall(addnodes.toctree):
            names: list[str] = []
            for _, docname in toctree["entries"]:
                if docname not in ("self", root):
                    names.extend(self.below(docname))
            yield Part(toctree.get("caption"), bool(toctree.get("numbered")), names)

    def below(self, docname: str) -> Iterator[str]:
        yield docname
        for child in self.env.toctree_includes.get(docname, ()):
            yield from self.below(child)

    def main(self, parts: list[Part]) -> str:
        """The file that is compiled: front matter, parts, index."""
        config = self.config
        title, subtitle = config.typst_title or config.project, config.typst_subtitle
        author = config.author
        day = press.DAY
        out = ['#import "book.typ": *',
               f"#show: book.with({text.string(title)}, {text.string(author)}, "
               f"datetime(year: {day.year}, month: {day.month}, day: {day.day}))",
               '#set page(numbering: "i")',
               f"#cover([{text.markup(title)}], [{text.markup(subtitle)}], "
               f"[{text.markup(author)}], {self.skyline()})",
               f"#title-page([{text.markup(title)}], [{text.markup(subtitle)}], "
               f"[{text.markup(author)}])",
               f"#copyright-page[{self.imprint(title)}]",
               f"#contents([Contents], {text.string(CONTENTS)})"]
        self.claim(CONTENTS)
        numbered, arabic = 0, False
        for part in parts:
            if part.numbered:
                numbered += 1
                if not arabic:
                    arabic = True
                    out += ["#pagebreak(weak: true)", '#set page(numbering: "1")',
                            "#counter(page).update(1)"]
                if part.title:
                    out.append(self.part_page(part, ROMAN[numbered]))
            out += [f'#include "{docname}.typ"' for docname in part.docnames]
        if index := self.index():
            out.append(index)
        return "\n".join(out) + "\n"

    def part_page(self, part: Part, number: str) -> str:
        chapters = []
        for docname in part.docnames:
            title = self.env.titles[docname].astext()
            shown = self.section_number(docname, "", 1) or ""
            label = self.aliases.get(self.label(docname, ""), "")
            chapters.append(f"([{shown}], [{text.markup(title)}], {text.string(label)})")
        name = f"book:part-{number}"
        self.claim(name)
        return (f"#part({text.string(number)}, {text.string(name)}, "
                f"[{text.markup(part.title or '')}], {text.array(chapters)})")

    def imprint(self, title: str) -> str:
        """The back of the title page."""
        said = [line for line in self.config.typst_imprint if line]
        return "\n\n".join([f"#emph[{text.markup(title)}]",
                            text.markup(f"© {self.config.copyright.strip('© ')}"),
                            *(text.markup(line) for line in said)])

    def skyline(self) -> str:
        """Indents and lengths of the first lines of code, for the picture on the cover."""
        return text.array([f"({len(line) - len(line.lstrip())}, {len(line.strip())})"
                           for line in self.code_lines])

    def index(self) -> str:
        """The index at the end, from Sphinx's own."""
        groups = []
        for letter, entries in IndexEntries(self.env).create_index(self):
            rows = []
            for term, (links, children, _) in entries:
                rows.append(self.index_row(0, term, links))
                rows += [self.index_row(1, child, sub) for child, sub in children]
            groups.append(f"([{text.markup(letter)}], {text.array(rows)})")
        if not groups:
            return ""
        self.claim(INDEX)
        return f"#book-index([Index], {text.string(INDEX)}, {text.array(groups)})"

    def index_row(self, depth: int, term: str, links: list[Any]) -> str:
        names = []
        for _, uri in links:
            docname, _, identifier = uri.removeprefix("doc:").partition("#")
            label = self.label(docname, identifier)
            if label in self.claimed or label in self.aliases:
                names.append(text.string(self.aliases.get(label, label)))
        return f"({depth}, [{text.markup(term)}], {text.array(names)})"


def choose_outputs(app: Sphinx, config: Any) -> None:
    """Of a cell's outputs, MyST-NB shall give us the one that prints best."""
    wanted = [("typst", kind, rank) for rank, kind in enumerate(
        ("image/svg+xml", "image/png", "image/jpeg", "text/latex", "text/markdown",
         "text/plain", "text/html"), start=1)]
    if "nb_mime_priority_overrides" in config:
        given = [tuple(entry) for entry in config.nb_mime_priority_overrides]
        config.nb_mime_priority_overrides = wanted + given


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the builder and its options."""
    app.add_builder(TypstBuilder)
    app.add_config_value("typst_basename", "every-line-runs", "")
    app.add_config_value("typst_title", "", "")
    app.add_config_value("typst_subtitle", "Build a Large Language Model from Scratch", "")
    app.add_config_value("typst_imprint", list(IMPRINT), "")
    app.connect("config-inited", choose_outputs, priority=900)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}

