"""Exercises as HTML: a heading, the facts, folds to open. For e-readers, too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from docutils import nodes

from loom.weave.practice import number_of

if TYPE_CHECKING:
    from sphinx.writers.html5 import HTML5Translator

Pair = tuple[Any, Any]
LEVELS = 4
SUMMARIES = {"hint": "Hint", "solution": "Solution", "answer": "Answer"}


def is_web(self: HTML5Translator) -> bool:
    """Whether this is for a browser, and not for an e-reader."""
    return self.builder.name != "epub"


def _visit_exercise(self: HTML5Translator, node: nodes.Element) -> None:
    self.body.append(f'<div class="exercise" id="{node["ids"][0]}">\n')
    self.section_level += 1


def _depart_exercise(self: HTML5Translator, node: nodes.Element) -> None:
    self.section_level -= 1
    self.body.append("</div>\n")


def _visit_title(self: HTML5Translator, node: nodes.Element) -> None:
    exercise = node.parent
    assert exercise is not None
    number = number_of(self.builder.env, self.builder.current_docname, exercise)
    level = min(self.section_level, 6)
    self.body.append(f'<h{level} class="exercise-title"><span class="exercise-number">'
                     f"Exercise {number}</span> ")
    link = f'<a class="headerlink" href="#{exercise["ids"][0]}" ' \
           f'title="Link to this exercise">{self.config.html_permalinks_icon}</a>'
    self.context.append(f'{link if is_web(self) else ""}</h{level}>\n')


def _depart_title(self: HTML5Translator, node: nodes.Element) -> None:
    self.body.append(self.context.pop())


def dots(level: int) -> str:
    """How hard, as filled and empty dots: ``●●○○``."""
    return "●" * level + "○" * (LEVELS - level)


def _visit_facts(self: HTML5Translator, node: nodes.Element) -> None:
    told = f"level {node['level']} of {LEVELS}"
    self.body.append(f'<p class="exercise-facts"><span class="exercise-level" role="img" '
                     f'aria-label="{told}" title="{told}">{dots(node["level"])}</span> ')


def _depart_facts(self: HTML5Translator, node: nodes.Element) -> None:
    self.body.append("</p>\n")


def _visit_files(self: HTML5Translator, node: nodes.Element) -> None:
    if is_web(self):
        links = " or a ".join(f'<a href="{self.encode(name)}" download>{words}</a>'
                              for name, words in node["files"])
        self.body.append(f'<p class="exercise-files">To work in: a {links}.</p>\n')
    raise nodes.SkipNode


def _visit_hidden(self: HTML5Translator, node: nodes.Element) -> None:
    words = SUMMARIES[node["kind"]]
    if node["of"] > 1:
        words += f' {node["number"]}<span class="fold-of"> of {node["of"]}</span>'
    self.body.append(f'<details class="fold fold-{node["kind"]}"><summary>{words}</summary>\n'
                     f'<div class="fold-body" id="{node["anchor"]}">\n')


def _depart_hidden(self: HTML5Translator, node: nodes.Element) -> None:
    self.body.append("</div></details>\n")


def _visit_group(self: HTML5Translator, node: nodes.Element) -> None:
    self.section_level += 1
    level = min(self.section_level, 6)
    self.body.append(f'<div class="answers"><h{level}>{self.encode(node["title"])}</h{level}>\n')


def _depart_group(self: HTML5Translator, node: nodes.Element) -> None:
    self.section_level -= 1
    self.body.append("</div>\n")


def _visit_answer(self: HTML5Translator, node: nodes.Element) -> None:
    self.body.append(f'<div class="answer" id="{node["ids"][0]}">\n')


def _visit_answer_title(self: HTML5Translator, node: nodes.Element) -> None:
    level = min(self.section_level + 1, 6)
    self.body.append(f'<h{level} class="answer-title">')
    self.context.append(f"</h{level}>\n")


def _depart_div(self: HTML5Translator, node: nodes.Element) -> None:
    self.body.append("</div>\n")


EXERCISE: Pair = (_visit_exercise, _depart_exercise)
EXERCISE_TITLE: Pair = (_visit_title, _depart_title)
EXERCISE_FACTS: Pair = (_visit_facts, _depart_facts)
EXERCISE_FILES: Pair = (_visit_files, None)
HIDDEN: Pair = (_visit_hidden, _depart_hidden)
GROUP: Pair = (_visit_group, _depart_group)
ANSWER: Pair = (_visit_answer, _depart_div)
ANSWER_TITLE: Pair = (_visit_answer_title, _depart_title)
