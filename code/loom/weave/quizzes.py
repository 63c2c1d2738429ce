"""The directive ``{quiz}``: the questions of a chapter, at its end.

Read with the chapter's page: what is asked, what can be answered, and, hidden,
the right answer with every reply. The HTML makes forms of it; for paper and
e-readers ``answers`` takes what is hidden to the back.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from docutils import nodes
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

from loom.quiz.models import Choice, NumberQuestion, OrderQuestion, TextQuestion, TraceQuestion
from loom.weave.exercises import hidden
from loom.weave.practice import chapter_of, code_block, parse, parse_inline, practice_of

if TYPE_CHECKING:
    from pathlib import Path

    from sphinx.application import Sphinx

    from loom.quiz.models import Asked, Part

LETTERS = "abcdefgh"
logger = logging.getLogger(__name__)


class quiz(nodes.General, nodes.Element):
    """All questions of a chapter, which ``chapter`` names."""


class question(nodes.General, nodes.Element):
    """A question, numbered by Sphinx: what is asked, how to answer, the answer.

    Attributes:
        ids: its label, ``q-softmax-shift``.
        kind: as in the source: ``single``, ``number`` …
        right: what the page compares with: letters, texts, or a number and its margin.
        path: the file that it stands in.
    """


class choices(nodes.General, nodes.Element):
    """Options or steps; ``kind`` is ``single``, ``multiple`` or ``order``."""


class choice(nodes.General, nodes.Element):
    """One of them; ``letter`` names it."""


class entry_field(nodes.General, nodes.Element):
    """Where to write an answer; ``kind`` is ``number``, ``text`` or ``trace``."""


class reply(nodes.General, nodes.Element):
    """What somebody is told who answered so.

    Attributes:
        right: whether it was right.
        letter: of the option, else "".
        given: the text, or a number and its margin, else [].
        shown: ``given`` in words, else "".
    """


class explanation(nodes.General, nodes.Element):
    """Why the right answer is right, and where to read about it."""


def setup(app: Sphinx) -> None:
    """Register the nodes, who writes them, and the directive."""
    from loom.weave.html import quiz as html

    app.add_node(quiz, html=html.QUIZ)
    app.add_enumerable_node(question, "question", _title, html=html.QUESTION)
    app.add_node(choices, html=html.CHOICES)
    app.add_node(choice, html=html.CHOICE)
    app.add_node(entry_field, html=html.ENTRY_FIELD)
    app.add_node(reply, html=html.REPLY)
    app.add_node(explanation, html=html.EXPLANATION)
    app.add_directive("quiz", Quiz)
    app.connect("config-inited", lambda app, config: config.numfig_format.setdefault(
        "question", "Question %s"))


def _title(node: nodes.Node) -> str:
    assert isinstance(node, question)
    return str(node["name"])


class Quiz(SphinxDirective):
    """All questions of this chapter, in the order of their file."""

    def run(self) -> list[nodes.Node]:
        """The questions; their file decides when the page is read again."""
        from loom.quiz.bank import quiz_path

        practice, name = practice_of(self.env.app), chapter_of(self.env)
        source = quiz_path(practice.book, practice.book.chapter(name))
        self.env.note_dependency(str(source))
        found = practice.quizzes.get(name)
        if found is None:
            logger.warning("the chapter has no quiz: there is no file book/quizzes/%s.yml",
                           name, location=self.get_location())
            return []
        self.env.metadata[self.env.docname]["quiz"] = True
        node = quiz("", chapter=name)
        self.set_source_info(node)
        node.extend(Made(self, found.path, one).node for one in found.questions)
        return [node]


class Made:
    """One question as a node.

    Args:
        directive: that shows it.
        path: the file that it stands in.
        asked: the question.
    """

    def __init__(self, directive: SphinxDirective, path: Path, asked: Asked) -> None:
        self.directive = directive
        self.path = path
        label = f"q-{asked.id}"
        self.node = question("", name=asked.id, names=[label], path=str(path))
        self.place(self.node, asked.line)
        directive.state.document.note_explicit_target(self.node, self.node)
        self.text(asked, "ask", self.node)
        self.answer = hidden("", kind="answer", number=0, of=1, anchor=f"answer-{asked.id}")
        self.place(self.answer, asked.line)
        if isinstance(asked, Choice):
            self.choice(asked)
        elif isinstance(asked, OrderQuestion):
            self.order(asked)
        elif isinstance(asked, NumberQuestion):
            self.number(asked)
        elif isinstance(asked, TraceQuestion):
            self.trace(asked)
        elif isinstance(asked, TextQuestion):
            self.words(asked)
        self.explain(asked)
        self.node += self.answer

    def place(self, node: nodes.Element, line: int) -> None:
        node.source, node.line = str(self.path), line

    def text(self, part: Part, field: str, into: nodes.Element) -> nodes.Element:
        """A field of MyST; a single paragraph is no block of its own."""
        line = part.lines.get(field, part.line)
        self.place(into, line)
        return parse(self.directive, str(getattr(part, field)), self.path, line, into)

    # -- the kinds ---------------------------------------------------------------------

    def choice(self, asked: Choice) -> None:
        letters = [LETTERS[n] for n in asked.right]
        self.shown(asked.kind, asked.kind, letters, asked.shown)
        self.tell(f"{'Right' if len(letters) == 1 else 'Right are'}: ", *_joined(letters))
        for letter, option in zip(LETTERS, asked.shown, strict=False):
            self.reply(option, letter=letter, right=option.right)

    def order(self, asked: OrderQuestion) -> None:
        letters = [LETTERS[n] for n in asked.right]
        self.shown("order", "order", letters, asked.shown)
        self.tell("In order: ", *_joined(letters, last=", "))
        self.reply(asked)

    def shown(self, kind: str, control: str, right: list[str], parts: Iterable[Part]) -> None:
        """What to choose from, or to put in order."""
        self.node["kind"], self.node["right"] = kind, right
        listed = choices("", kind=control, name=self.node["name"])
        for letter, part in zip(LETTERS, parts, strict=False):
            one = self.text(part, "text", choice("", kind=control, letter=letter,
                                                 name=self.node["name"]))
            if len(one.children) == 1 and isinstance(one.children[0], nodes.paragraph):
                one.children = nodes.inline("", "", *one.children[0].children).children
                for child in one.children:
                    child.parent = one
            listed += one
        self.node += listed

    def number(self, asked: NumberQuestion) -> None:
        unit = asked.unit or ""
        self.node["kind"] = "number"
        self.node["right"] = [float(asked.answer), float(asked.margin)]
        self.node += entry_field("", kind="number", unit=unit, name=asked.id, rows=1)
        within = f"{float(asked.relative) * 100:g} %" if asked.relative else \
            f"{asked.margin:.6g}" if asked.margin else ""
        self.tell("Answer: ", f"{_number(asked.answer)} {unit}".strip(),
                  f" (right within {within})" if within else "")
        for wrong in asked.replies:
            self.reply(wrong, given=[float(wrong.value), float(asked.margin_of(wrong))],
                       shown=_number(wrong.value))

    def trace(self, asked: TraceQuestion) -> None:
        self.node["kind"], self.node["right"] = "trace", [asked.answer]
        self.node += code_block(asked.code.rstrip("\n"), self.path,
                                asked.lines.get("code", asked.line))
        rows = asked.answer.strip("\n").count("\n") + 1
        self.node += entry_field("", kind="trace", unit="", name=asked.id, rows=rows)
        self.tell("It prints:")
        printed = asked.answer.strip("\n")
        block = nodes.literal_block(printed, printed, language="none", classes=["quiz-printed"])
        self.place(block, asked.lines.get("answer", asked.line))
        self.answer += block
        for wrong in asked.replies:
            self.reply(wrong, given=[wrong.text], shown=wrong.text)

    def words(self, asked: TextQuestion) -> None:
        self.node["kind"], self.node["right"] = "text", list(asked.answers)
        self.node += entry_field("", kind="text", unit="", name=asked.id, rows=1)
        self.tell("Answer: ", asked.answers[0])
        for wrong in asked.replies:
            self.reply(wrong, given=[wrong.text], shown=wrong.text)

    # -- what is hidden ----------------------------------------------------------------

    def tell(self, lead: str, answer: str = "", more: str = "") -> None:
        """The right answer in a line."""
        told = nodes.paragraph("", "", nodes.Text(lead), classes=["quiz-right"])
        if answer:
            told += nodes.strong("", answer)
        if more:
            told += nodes.Text(more)
        self.place(told, self.node.line or 1)
        self.answer += told

    def reply(self, part: Part, letter: str = "", right: bool = False,
              given: list[Any] | None = None, shown: str = "") -> None:
        self.answer += self.text(part, "reply", reply(
            "", letter=letter, right=right, given=given or [], shown=shown))

    def explain(self, asked: Asked) -> None:
        told = self.text(asked, "explain", explanation(""))
        line = asked.lines.get("section", asked.line)
        where = nodes.inline("", "", nodes.Text("See "), classes=["quiz-section"])
        parse_inline(self.directive, f"{{numref}}`{asked.section}`", self.path, line, where)
        where += nodes.Text(".")
        last = told.children[-1]
        if isinstance(last, nodes.paragraph):
            last += [nodes.Text(" "), where]
        else:
            told += nodes.paragraph("", "", where)
        self.answer += told


def _joined(letters: list[str], last: str = " and ") -> tuple[str]:
    """``a, b and c``."""
    return (", ".join(letters[:-1]) + last + letters[-1] if letters[1:] else letters[0],)


def _number(value: object) -> str:
    """A number as its author wrote it, with a true minus sign."""
    return str(value).replace("-", "−")
