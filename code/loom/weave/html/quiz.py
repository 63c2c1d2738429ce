"""Questions as HTML: real forms, which a script brings to life; lists for e-readers.

Without the script every question can be read and answered in one's head: what
is right, with every reply, is in the fold below it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from docutils import nodes

from loom.weave.html.practice import Pair, is_web
from loom.weave.practice import number_of

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.writers.html5 import HTML5Translator

SCRIPT, STYLE = "quiz.js", "practice.css"
HINTS = {"multiple": "Choose all that hold."}
LABELS = {"number": "Your number", "text": "Your answer", "trace": "What it prints"}


def setup(app: Sphinx) -> None:
    """Connect to the pages that are written."""
    app.connect("html-page-context", _offer_assets)


def _offer_assets(app: Sphinx, page: str, template: str, context: dict[str, Any],
                 doctree: nodes.document | None) -> None:
    """Load style and script on the pages that need them."""
    marks = app.env.metadata.get(page, {})
    if app.builder.name == "epub" or not marks.keys() & {"exercises", "quiz", "answers"}:
        return
    app.add_css_file(STYLE)
    if "quiz" in marks:
        app.add_js_file(SCRIPT, loading_method="defer")


def _visit_quiz(self: HTML5Translator, node: nodes.Element) -> None:
    self.body.append('<div class="quiz">\n')


def _depart_quiz(self: HTML5Translator, node: nodes.Element) -> None:
    if is_web(self):
        self.body.append('<div class="quiz-score" hidden><p></p>'
                         '<button type="button">Start again</button></div>\n')
    self.body.append("</div>\n")


def _visit_question(self: HTML5Translator, node: nodes.Element) -> None:
    name, number = node["name"], number_of(self.builder.env, self.builder.current_docname, node)
    label = f'<span class="question-number">Question {number}</span>'
    if not is_web(self):
        self.body.append(f'<div class="question" id="q-{name}">\n<p>{label}</p>\n')
        return
    field = next(iter(node.findall(lambda n: type(n).__name__ == "entry_field")), None)
    unit = f' data-unit="{self.attval(field["unit"])}"' \
        if isinstance(field, nodes.Element) and field["unit"] else ""
    self.body.append(
        f'<form class="question" id="q-{name}" method="dialog" novalidate autocomplete="off" '
        f'data-kind="{node["kind"]}"{unit} data-right="{self.attval(json.dumps(node["right"]))}">\n'
        f'<fieldset aria-describedby="ask-{name}"><legend>{label}</legend>\n'
        f'<div class="question-ask" id="ask-{name}">\n')
    self.context.append("</div>\n")


def _depart_question(self: HTML5Translator, node: nodes.Element) -> None:
    self.body.append("</form>\n" if is_web(self) else "</div>\n")


def _end_of_ask(self: HTML5Translator) -> None:
    """What is asked ends where the answering begins."""
    self.body.append(self.context.pop())


def _visit_choices(self: HTML5Translator, node: nodes.Element) -> None:
    hint = HINTS.get(node["kind"])
    if is_web(self):
        _end_of_ask(self)
    if hint:
        self.body.append(f'<p class="question-hint">{hint}</p>\n')
    shape = 'ol class="choices" type="a"'
    if is_web(self):
        shape = f'ol class="choices choices-{node["kind"]}"'
    self.body.append(f"<{shape}>\n")


def _depart_choices(self: HTML5Translator, node: nodes.Element) -> None:
    self.body.append("</ol>\n")
    if is_web(self):
        _end_of_fields(self)


def _visit_choice(self: HTML5Translator, node: nodes.Element) -> None:
    if not is_web(self):
        self.body.append("<li>")
        return
    letter, name = node["letter"], node["name"]
    shown = f'<span class="choice-letter" aria-hidden="true">{letter}</span>'
    if node["kind"] == "order":
        count = len(node.parent.children)
        at = node.parent.index(node) + 1
        options = "".join(f'<option{" selected" if n == at else ""}>{n}</option>'
                          for n in range(1, count + 1))
        self.body.append(
            f'<li class="choice" data-letter="{letter}">'
            f'<select id="{name}-{letter}" aria-label="Place of step {letter}">{options}</select>'
            f'{shown}<div class="choice-text">')
        self.context.append("</div></li>\n")
        return
    control = "radio" if node["kind"] == "single" else "checkbox"
    self.body.append(
        f'<li class="choice"><label><input type="{control}" name="{name}" value="{letter}">'
        f'{shown}<span class="choice-text">')
    self.context.append("</span></label></li>\n")


def _depart_choice(self: HTML5Translator, node: nodes.Element) -> None:
    self.body.append(self.context.pop() if is_web(self) else "</li>\n")


def _visit_field(self: HTML5Translator, node: nodes.Element) -> None:
    if not is_web(self):
        if node["unit"]:
            self.body.append(f'<p class="question-hint">In {self.encode(node["unit"])}.</p>\n')
        raise nodes.SkipNode
    _end_of_ask(self)
    name, kind, label = node["name"], node["kind"], LABELS[node["kind"]]
    self.body.append(f'<p class="field field-{kind}"><label for="{name}-field">{label}</label> ')
    plain = f'id="{name}-field" name="{name}" spellcheck="false" autocapitalize="off"'
    if kind == "trace":
        self.body.append(f'<textarea {plain} rows="{node["rows"]}" cols="40"></textarea>')
    else:
        mode = ' inputmode="decimal"' if kind == "number" else ""
        self.body.append(f'<input type="text" {plain}{mode}>')
    if node["unit"]:
        self.body.append(f' <span class="field-unit">{self.encode(node["unit"])}</span>')
    self.body.append("</p>\n")
    _end_of_fields(self)
    raise nodes.SkipNode


def _end_of_fields(self: HTML5Translator) -> None:
    """The button, which only the script can make work, and where it answers."""
    self.body.append('<p class="question-check"><button type="submit" hidden>Check</button></p>\n'
                     "</fieldset>\n"
                     '<div class="question-result" role="status" aria-live="polite"></div>\n')


def _visit_reply(self: HTML5Translator, node: nodes.Element) -> None:
    data = f' data-letter="{node["letter"]}"' if node["letter"] else ""
    if node["given"]:
        data = f' data-given="{self.attval(json.dumps(node["given"]))}"'
    right = " reply-right" if node["right"] else ""
    name = node["letter"] or node["shown"]
    head = f'<span class="reply-of">{self.encode(name)}</span>\n' if name else ""
    if not is_web(self):
        data = ""
    self.body.append(f'<div class="reply{right}"{data}>{head}<div class="reply-text">')


def _depart_reply(self: HTML5Translator, node: nodes.Element) -> None:
    self.body.append("</div></div>\n")


def _visit_explanation(self: HTML5Translator, node: nodes.Element) -> None:
    self.body.append('<div class="explanation">\n')


def _depart_div(self: HTML5Translator, node: nodes.Element) -> None:
    self.body.append("</div>\n")


QUIZ: Pair = (_visit_quiz, _depart_quiz)
QUESTION: Pair = (_visit_question, _depart_question)
CHOICES: Pair = (_visit_choices, _depart_choices)
CHOICE: Pair = (_visit_choice, _depart_choice)
ENTRY_FIELD: Pair = (_visit_field, None)
REPLY: Pair = (_visit_reply, _depart_reply)
EXPLANATION: Pair = (_visit_explanation, _depart_div)
