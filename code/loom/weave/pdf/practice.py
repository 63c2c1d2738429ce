"""Exercises and questions on paper; their answers at the back."""

from __future__ import annotations

from docutils import nodes

from loom.weave.pdf import text
from loom.weave.pdf.writer import Writer

HINTS = {"multiple": "Choose all that hold."}


class Practice(Writer):
    """Nodes of ``loom.weave.exercises``, ``quizzes`` and ``answers``."""

    # -- exercises ----------------------------------------------------------------------

    def visit_exercise(self, node: nodes.Element) -> None:
        pass

    def depart_exercise(self, node: nodes.Element) -> None:
        pass

    def visit_exercise_title(self, node: nodes.Element) -> None:
        """The exercise's label stands on its heading."""
        owner = node.parent
        assert owner is not None
        depth = self.builder.depth + self.level + 1
        label = self.claimed(owner)
        self.block(node, f"#exercise-head({depth}, {self.numbered(owner, 'exercise')}, "
                         f"{text.string(label)}, [{self.inner(node)}])")
        raise nodes.SkipNode

    def visit_exercise_facts(self, node: nodes.Element) -> None:
        check = node.children[-1]
        told = self.inner(node, skip=lambda child: child is check or child.astext() == " · ")
        self.block(node, f"#exercise-facts({node['level']}, [{told}], [{self.inner(check)}])")
        raise nodes.SkipNode

    # -- questions ----------------------------------------------------------------------

    def visit_quiz(self, node: nodes.Element) -> None:
        pass

    def depart_quiz(self, node: nodes.Element) -> None:
        pass

    def visit_question(self, node: nodes.Element) -> None:
        label = self.claimed(node)
        number = self.number(node, "question") or ""
        back = text.option(self.builder.label(node["answered"], f"answer-{node['name']}")
                           if node.get("answered") else None)
        if node.get("answered"):
            self.builder.refer(self.builder.label(node["answered"], f"answer-{node['name']}"),
                               self.place(node))
        self.block(node, f"#question({text.string(label)}, {text.string(number)}, {back}, "
                         f"[{self.inner(node)}])")
        raise nodes.SkipNode

    def visit_choices(self, node: nodes.Element) -> None:
        hint = text.option(HINTS.get(node["kind"]))
        items = [f"({text.string(one['letter'])}, [{self.inner(one).strip()}])"
                 for one in node.children if isinstance(one, nodes.Element)]
        self.block(node, f"#choices({hint}, {text.array(items)})")
        raise nodes.SkipNode

    def visit_entry_field(self, node: nodes.Element) -> None:
        if node["unit"]:
            self.block(node, f"#answer-in[{text.markup(node['unit'])}]")
        raise nodes.SkipNode

    # -- the back of the book --------------------------------------------------------------

    def visit_answer_group(self, node: nodes.Element) -> None:
        depth = self.builder.depth + self.level + 1
        self.block(node, f"#answer-group({depth}, [{text.markup(node['title'])}])")

    def depart_answer_group(self, node: nodes.Element) -> None:
        pass

    def visit_answer(self, node: nodes.Element) -> None:
        """What belongs to one question is a block, which begins with its number."""
        if node["kind"] != "answer":
            return
        title = next(child for child in node.children if type(child).__name__ == "answer_title")
        label = self.claimed(node)
        told = self.inner(node, skip=lambda child: child is title)
        self.block(node, f"#quiz-answer({text.string(label)}, [{self.inner(title)}], [{told}])")
        raise nodes.SkipNode

    def depart_answer(self, node: nodes.Element) -> None:
        pass

    def visit_answer_title(self, node: nodes.Element) -> None:
        owner = node.parent
        assert owner is not None
        label = self.claimed(owner)
        depth = self.builder.depth + self.level + 2
        self.block(node, f"#answer-head({depth}, {text.string(label)}, [{self.inner(node)}])")
        raise nodes.SkipNode

    def visit_reply(self, node: nodes.Element) -> None:
        shown = node["letter"] or node["shown"]
        head = f"[{text.markup(shown)}]" if shown else "none"
        self.seen("text", shown, node)
        right = "true" if node["right"] else "false"
        self.block(node, f"#reply({head}, {right}, [{self.inner(node).strip()}])")
        raise nodes.SkipNode

    def visit_explanation(self, node: nodes.Element) -> None:
        self.block(node, f"#explanation[{self.inner(node)}]")
        raise nodes.SkipNode

    # -- labels and numbers -------------------------------------------------------------

    def claimed(self, node: nodes.Element) -> str:
        """The label of a node, which stands nowhere else; its other ids lead to it."""
        label = self.label(node["ids"][0])
        self.builder.claim(label)
        for identifier in node["ids"][1:]:
            self.builder.alias(self.label(identifier), label)
        return label

    def numbered(self, node: nodes.Element, figtype: str) -> str:
        return self.caption_number(node, figtype)
