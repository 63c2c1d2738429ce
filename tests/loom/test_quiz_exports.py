"""What is exported, read back as Moodle reads it: nothing is lost, nothing is misread."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

import pytest

from loom.book.chapter import HEADER, read_chapter
from loom.book.toc import read_book
from loom.errors import LoomError
from loom.quiz.bank import read_quiz
from loom.quiz.export import export_quizzes
from loom.quiz.gift import export_gift
from loom.quiz.models import Choice, NumberQuestion, OrderQuestion, Quiz
from loom.quiz.moodle import export_moodle
from loom.quiz.text import to_html, to_inline_html

QUIZ = r"""chapter: 01-one
questions:
  - id: nasty
    kind: single
    section: sec-alpha
    level: 1
    ask: |
      Braces $\frac{a}{b}$, $\{x\}$, $\nabla \neq \: 1$, `{~=#:}`, `a < b && c`, ::x::, ]]> "q".

      ```python
      # a comment {not} an answer
      // no comment: x = {"a": 1}

      d = {k: v for k, v in []}  # ~ = # : \n
      ```

      %50% and [html] and $CATEGORY and -> and ####
    options:
      - text: "100% = {right}"
        right: true
        reply: 'Yes: `x = y # z`, \{ and ~.'
      - text: '[0, 1] # $\{0\}$'
        misconception: m
        reply: No = no.
      - text: '~ -> `\n`'
        misconception: m
        reply: "// nothing"
    explain: "Since 1 = 1: # {ok} ~ in {numref}`sec-alpha`."
  - id: many
    kind: multiple
    section: sec-alpha
    level: 2
    ask: Which?
    options:
      - {text: a, right: true, reply: ra}
      - {text: b, right: true, reply: rb}
      - {text: c, right: true, reply: rc}
      - {text: d, misconception: m, reply: rd}
      - {text: e, misconception: m, reply: re}
    explain: So.
  - id: only-one
    kind: multiple
    section: sec-alpha
    level: 2
    ask: Which of them?
    options:
      - {text: a, right: true, reply: ra}
      - {text: b, misconception: m, reply: rb}
      - {text: c, misconception: m, reply: rc}
    explain: So.
  - id: how-large
    kind: number
    section: sec-alpha
    level: 3
    ask: How large?
    answer: -1.5e-7
    relative: 0.01
    unit: nats
    replies:
      - {value: 1.5e-7, misconception: m, reply: 'Sign: {wrong}.'}
    explain: So.
  - id: steps
    kind: order
    section: sec-alpha
    level: 1
    ask: In which order?
    steps: ['$x = 1$', 'then -> `y`', third]
    reply: Not so = no.
    explain: So.
  - id: printed
    kind: trace
    section: sec-alpha
    level: 1
    ask: What does this print?
    code: |
      print("*", {1: 2})
      print(a < b)
    answer: |
      *  {1: 2}
      True
    replies:
      - text: |
          * [1]
          False
        misconception: m
        reply: No.
    explain: So.
  - id: word
    kind: text
    section: sec-alpha
    level: 1
    ask: Which word?
    answers: [TRUE, "a = b"]
    replies:
      - {text: '50%', misconception: m, reply: No.}
    explain: So.
"""
TITLES = {"sec-alpha": "Alpha & {omega}: 1"}


def quiz(folder: Path, text: str = QUIZ) -> Quiz:
    """The quiz above."""
    chapter = folder / "01-one.md"
    chapter.write_text(f"{HEADER}\n\n(ch-one)=\n# One\n\n(sec-alpha)=\n## Alpha\n")
    (folder / "01-one.yml").write_text(text)
    return read_quiz(folder / "01-one.yml", read_chapter(chapter, 1, 1))


@dataclass
class Read:
    """A question as an importer understands it."""

    kind: str
    name: str
    text: str = ""
    general: str = ""
    single: bool = True
    answers: list[tuple[str, float, str, float]] = field(default_factory=list)
    pairs: list[tuple[str, str]] = field(default_factory=list)


def read_gift(text: str) -> list[Read]:
    """A reader that takes the steps of Moodle's, one after the other."""
    found = []
    for block in re.split(r"\n[ \t]*\n", text):
        lines = [" " if line.strip().startswith("//") else line for line in block.split("\n")]
        said = "\n".join(lines).strip()
        if not said or said.startswith("$CATEGORY:"):
            continue
        said = said.replace("\\\\", "&&092;")
        for sign, code in (*((s, f"&&{ord(s):03};") for s in ":#={}~"), ("n", "&&010")):
            said = said.replace(f"\\{sign}", code)
        said = said.replace("&&092;", "\\")

        def post(part: str) -> str:
            for sign in ":#={}~":
                part = part.replace(f"&&{ord(sign):03};", sign)
            return part.replace("&&010", "\n").strip()

        def formatted(part: str) -> str:
            if part.startswith("[") and part[1:part.index("]")] in (
                    "html", "moodle", "plain", "markdown"):
                part = part[part.index("]") + 1:]
            return post(part)

        assert said.startswith("::")
        name, _, said = said[2:].partition("::")
        start, end = said.index("{"), said.index("}")
        assert end == len(said) - 1, "text behind the answers"
        answers, one = said[start + 1:end].strip(), Read("", post(name), formatted(said[:start]))
        at = answers.rfind("####")
        answers, one.general = answers[:at].strip(), formatted(answers[at + 4:])
        weight = re.compile(r"^%(-*[0-9]{1,2}\.?[0-9]*)%")

        def answer(part: str, default: float,
                   weight: re.Pattern[str] = weight) -> tuple[str, float, str]:
            part = part.strip()
            if match := weight.match(part):
                default, part = float(match[1]), part[match.end():]
            text, _, reply = part.partition("#")
            return formatted(text.strip()), default, formatted(reply.strip())

        if answers.startswith("#"):
            one.kind = "numerical"
            assert "~" not in answers
            for part in answers[1:].strip().split("=")[1:]:
                text, share, reply = answer(part, 100)
                number, _, margin = text.partition(":")
                one.answers.append((number, share, reply, float(margin)))
        elif "~" in answers:
            one.kind, one.single = "multichoice", "=" in answers
            for part in answers.replace("=", "~=").split("~"):
                if part.strip():
                    right = part.startswith("=")
                    one.answers.append((*answer(part.removeprefix("="), 100 if right else 0), 0))
        elif "=" in answers and "->" in answers:
            one.kind = "match"
            for part in answers.split("=")[1:]:
                step, _, place = part.partition("->")
                one.pairs.append((formatted(step.strip()), post(place)))
        else:
            one.kind = "shortanswer"
            assert answers.split("#")[0].strip() not in ("T", "TRUE", "F", "FALSE")
            one.answers = [(*answer(part, 100), 0) for part in answers.split("=")[1:]]
        found.append(one)
    return found


def read_moodle(text: str) -> list[Read]:
    """The questions of a Moodle XML file."""
    def said(node: ElementTree.Element | None) -> str:
        return (node.findtext("text") or "").strip() if node is not None else ""

    found = []
    for node in ElementTree.fromstring(text.encode()).findall("question"):
        if node.get("type") == "category":
            continue
        for name in ("questiontext", "generalfeedback"):
            part = node.find(name)
            assert part is not None and part.get("format") == "html"
        one = Read(str(node.get("type")), said(node.find("name")), said(node.find("questiontext")),
                   said(node.find("generalfeedback")), node.findtext("single", "true") == "true")
        for answer in node.findall("answer"):
            one.answers.append((said(answer), float(str(answer.get("fraction"))),
                                said(answer.find("feedback")),
                                float(answer.findtext("tolerance", "0"))))
        for pair in node.findall("subquestion"):
            one.pairs.append((said(pair), said(pair.find("answer"))))
        found.append(one)
    return found


@pytest.fixture(params=["moodle", "gift"])
def both(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Quiz, list[Read]]:
    """A quiz, and what an importer reads of its export."""
    made = quiz(tmp_path)
    if request.param == "gift":
        return made, read_gift(export_gift(made, TITLES, "One {1}: /a"))
    return made, read_moodle(export_moodle(made, TITLES, "One {1}: /a"))


def test_every_question_arrives_with_its_texts(both: tuple[Quiz, list[Read]]) -> None:
    made, found = both
    assert [one.kind for one in found] == ["multichoice"] * 3 + [
        "numerical", "match", "shortanswer", "shortanswer"]
    assert [one.name for one in found] == sorted(one.name for one in found)
    for question, one in zip(made.questions, found, strict=True):
        assert one.name.endswith(question.id)
        assert one.text.startswith(to_html(question.ask, TITLES))
        assert one.general.startswith(to_html(question.explain, TITLES))
        assert "Read “Alpha &amp; {omega}: 1”." in one.general


def test_options_keep_their_replies_and_shares(both: tuple[Quiz, list[Read]]) -> None:
    made, found = both
    for question, one in zip(made.questions[:3], found, strict=False):
        assert isinstance(question, Choice)
        assert one.single is (question.kind == "single")
        assert [(text, reply) for text, _, reply, _ in one.answers] == [
            (to_inline_html(o.text, TITLES), to_inline_html(o.reply, TITLES))
            for o in question.shown]
        shares = [share for _, share, _, _ in one.answers]
        right = [share for share, o in zip(shares, question.shown, strict=True) if o.right]
        assert sum(right) == pytest.approx(100, abs=1e-4) and min(right) > 0
        assert sum(shares) == pytest.approx(100 if question.kind == "single" else 0, abs=1e-4)
        listed = (0, 5, 10, 11.11111, 12.5, 14.28571, 16.66667, 20, 25, 33.33333, 50, 100)
        assert all(min(abs(abs(share) - one) for one in listed) < 1e-9 for share in shares)


def test_numbers_keep_their_margins(both: tuple[Quiz, list[Read]]) -> None:
    made, found = both
    question, one = made.questions[3], found[3]
    assert isinstance(question, NumberQuestion)
    assert [(float(a), s, r, m) for a, s, r, m in one.answers] == [
        (-1.5e-7, 100, "", pytest.approx(1.5e-9)), (1.5e-7, 0, "Sign: {wrong}.",
                                                   pytest.approx(1.5e-9))]
    assert "Answer in nats." in one.text


def test_steps_become_places(both: tuple[Quiz, list[Read]]) -> None:
    made, found = both
    question, one = made.questions[4], found[4]
    assert isinstance(question, OrderQuestion)
    places = {to_inline_html(step.text, TITLES): str(n)
              for n, step in enumerate(question.steps, 1)}
    assert one.pairs == [(to_inline_html(s.text, TITLES), places[to_inline_html(s.text, TITLES)])
                         for s in question.shown]


def test_short_answers_are_literal_and_in_one_line(both: tuple[Quiz, list[Read]]) -> None:
    _, found = both
    assert [a[:3] for a in found[5].answers] == [
        ("\\*  {1: 2} True", 100, ""), ("\\* {1: 2} True", 100, ""), ("\\*{1:2} true", 100, ""),
        ("\\* [1] False", 0, "No."), ("\\*[1] false", 0, "No.")]
    assert "a space where a line ends" in found[5].text
    assert [a[0] for a in found[6].answers] == ["TRUE", "true", "a = b", "50%"]


def test_xml_has_what_moodle_asks_for(tmp_path: Path) -> None:
    text = export_moodle(quiz(tmp_path), TITLES, "One {1}: /a")
    assert text.startswith('<?xml version="1.0" encoding="UTF-8"?>\n<quiz>\n')
    tree = ElementTree.fromstring(text.encode())
    assert tree.findtext("question/category/text") == "$course$/top/Every Line Runs/One {1}: //a"
    for node in tree.findall("question")[1:]:
        assert {one.findtext("text") for one in node.findall("tags/tag")} >= {"01-one"}
        assert node.findtext("idnumber") in [q.id for q in quiz(tmp_path).questions]
        for answer in node.findall("answer"):
            assert answer.find("feedback") is not None and answer.get("fraction") is not None
    number = tree.find("question[@type='numerical']")
    assert number is not None and number.findtext("units/unit/unit_name") == "nats"


def test_gift_refuses_what_it_cannot_say(tmp_path: Path) -> None:
    made = quiz(tmp_path, QUIZ.replace('"a = b"', '"a -> b"'))
    with pytest.raises(LoomError, match="GIFT takes `->` in an answer for a pair"):
        export_gift(made, TITLES)
    assert "a -&gt; b" in export_moodle(made, TITLES) or "a -> b" in export_moodle(made, TITLES)


def test_the_same_quiz_gives_the_same_bytes(tmp_path: Path) -> None:
    made = quiz(tmp_path)
    assert export_gift(made, TITLES) == export_gift(quiz(tmp_path), TITLES)
    assert export_moodle(made, TITLES) == export_moodle(quiz(tmp_path), TITLES)


def test_a_book_is_exported_to_a_folder(tmp_path: Path) -> None:
    made = quiz(tmp_path)
    (tmp_path / "book/quizzes").mkdir(parents=True)
    for name in ("01-one.md", "02-two.md"):
        text = (tmp_path / "01-one.md").read_text()
        (tmp_path / "book" / name).write_text(text if name < "02" else text.replace(
            "ch-one", "ch-two").replace("sec-alpha", "sec-beta"))
    (tmp_path / "book/index.md").write_text("# A book\n")
    (tmp_path / "book/quizzes/01-one.yml").write_text(QUIZ)
    (tmp_path / "_toc.yml").write_text("format: jb-book\nroot: book/index\nchapters:\n"
                                       "  - file: book/01-one\n  - file: book/02-two\n")
    book = read_book(tmp_path)
    (xml,) = export_quizzes(book, "moodle", tmp_path / "a/b")
    assert xml == tmp_path / "a/b/01-one.xml" and len(read_moodle(xml.read_text())) == 7
    assert "top/Every Line Runs/1. One<" in xml.read_text()
    (gift,) = export_quizzes(book, "gift", tmp_path / "a", ["1"])
    assert len(read_gift(gift.read_text())) == len(made.questions)
    assert export_quizzes(book, "gift", tmp_path / "a", ["1"]) == [gift]  # nothing to change
    gift.write_text("// my edits\n")
    with pytest.raises(LoomError, match=r"01-one\.gift\.txt.*is there already, and differs"):
        export_quizzes(book, "gift", tmp_path / "a")
    assert gift.read_text() == "// my edits\n" and not (tmp_path / "a/02-two.gift.txt").exists()
    for kind, names, says in (("qti", [], "no format `qti`"), ("gift", ["02"], "has no quiz"),
                              ("gift", ["9"], "no chapter `9`")):
        with pytest.raises(LoomError, match=says):
            export_quizzes(book, kind, tmp_path / "c", names)
    assert not (tmp_path / "c").exists()
