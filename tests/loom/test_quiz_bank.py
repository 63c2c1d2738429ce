"""The reader of quizzes: what is written arrives, what is wrong is told with its line."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from loom.book.chapter import HEADER, read_chapter
from loom.errors import LoomError
from loom.quiz.bank import quizzes_of, read_quiz, schema
from loom.quiz.models import Choice, NumberQuestion, OrderQuestion, Quiz, TextQuestion

CHAPTER = f"""{HEADER}

(ch-one)=
# One

(sec-alpha)=
## Alpha

(sec-beta)=
## Beta
"""
GOOD = r"""chapter: 01-one
questions:
  - id: shift
    kind: single
    section: sec-alpha
    level: 1
    ask: |
      What does $\frac{1}{2}$ do?

      ```python
      x = 1
      ```
    options:
      - text: It stays.
        right: true
        reply: Yes, it does.
        value: 0.0
      - text: It doubles.
        misconception: thinks of the logarithm
        reply: Only its logarithm would.
      - text: It halves.
        misconception: divides once too often
        reply: Nothing divides it.
        value: 0.5
    explain: Because of the sum.
    verify: |
      import math
      answer = math.sin(0)
  - id: limits
    kind: multiple
    section: sec-beta
    level: 2
    ask: Which are finite?
    options:
      - {text: one, right: true, reply: One is.}
      - {text: two, right: true, reply: So is two.}
      - {text: inf, misconception: a word is a number, reply: It is not.}
      - {text: no, misconception: silence, reply: That is no number.}
    explain: Look at them.
  - id: eps
    kind: number
    section: sec-alpha
    level: 3
    ask: How large?
    answer: 1e5
    relative: 0.01
    unit: nats
    replies:
      - {value: 0.10, misconception: takes the inverse, reply: That is its inverse.}
    explain: Count.
  - id: sorting
    kind: order
    section: sec-alpha
    level: 2
    ask: In which order?
    steps:
      - first things
      - text: second things
      - third things
    reply: Begin with the first.
    explain: That is the order.
  - id: printing
    kind: trace
    section: sec-beta
    level: 1
    ask: What does this print?
    code: |
      print(0.10)
    answer: 0.1
    replies:
      - {text: 0.10, misconception: believes that digits are kept, reply: Digits go.}
    explain: Floats have no digits.
  - id: naming
    kind: text
    section: sec-beta
    level: 1
    ask: What is it called?
    answers: [no, "none at all"]
    explain: It has no name.
"""


def write(folder: Path, text: str | bytes, name: str = "01-one") -> Path:
    """Write a quiz and return its path."""
    path = folder / f"{name}.yml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def quiz(folder: Path, text: str | bytes) -> Quiz:
    """The quiz that a text makes, of the chapter above."""
    chapter = folder / "01-one.md"
    chapter.write_text(CHAPTER, encoding="utf-8")
    return read_quiz(write(folder, text), read_chapter(chapter, 1, 1))


def problems(folder: Path, text: str | bytes) -> list[str]:
    """What is wrong with a text, without the folder."""
    with pytest.raises(LoomError) as error:
        quiz(folder, text)
    found = [str(problem).replace(f"{folder}/", "") for problem in error.value.problems]
    assert all("\n    → " in one for one in found), found
    return found


def changed(old: str, new: str) -> str:
    """The good quiz with one edit."""
    assert GOOD.count(old) >= 1
    return GOOD.replace(old, new, 1)


def test_a_good_quiz_arrives_as_it_is_written(tmp_path: Path) -> None:
    found = quiz(tmp_path, GOOD)
    assert [q.id for q in found.questions] == [
        "shift", "limits", "eps", "sorting", "printing", "naming"]
    shift, limits, eps, sorting, printing, naming = found.questions
    assert isinstance(shift, Choice) and shift.options[0].right
    assert shift.ask == "What does $\\frac{1}{2}$ do?\n\n```python\nx = 1\n```"
    assert (shift.options[0].value, shift.options[1].value) == (0.0, None)
    assert isinstance(limits, Choice) and [o.text for o in limits.options][3] == "no"
    assert isinstance(eps, NumberQuestion)
    assert (float(eps.answer), str(eps.answer), eps.margin) == (1e5, "1e5", 1e3)
    assert f"{eps.replies[0].value}" == "0.10"
    assert isinstance(sorting, OrderQuestion)
    assert [step.text for step in sorting.steps] == ["first things", "second things",
                                                     "third things"]
    assert (printing.answer, printing.replies[0].text) == ("0.1", "0.10")
    assert isinstance(naming, TextQuestion) and naming.answers == ("no", "none at all")


def test_every_field_knows_the_line_of_its_text(tmp_path: Path) -> None:
    found = quiz(tmp_path, GOOD)
    written = ["", *GOOD.split("\n")]
    for question in found.questions:
        assert question.id in written[question.line]
        assert written[question.lines["ask"]].endswith(question.ask.split("\n")[0])
        assert written[question.lines["explain"]].endswith(question.explain)
    shift = found.questions[0]
    assert isinstance(shift, Choice)
    for option in shift.options:
        assert written[option.lines["text"]].endswith(option.text)
        assert written[option.lines["reply"]].endswith(option.reply)
    assert written[shift.lines["verify"]].strip() == "import math"


@pytest.mark.parametrize(("old", "new", "line", "says"), [
    ("    kind: single", "    kind: singlle", 4, "unknown kind `singlle`\n    → did you mean"),
    ("    kind: single\n", "", 3, "question `shift` has no `kind`"),
    ("    section: sec-alpha", "    section: sec-alhpa", 5, "has no section `sec-alhpa`\n    → di"),
    ("    level: 1", "    level: 4", 6, "`level` is `4`"),
    ("    level: 1", "    level: easy", 6, "`level` is `easy`"),
    ("    explain: Because of the sum.", "    explainn: Because.", 25, "unknown field `explainn`"),
    ("        reply: Yes, it does.\n", "", 14, "option 1 has no `reply`"),
    ("        right: true\n", "        righte: true\n", 15, "unknown field `righte`\n    → did"),
    ("        right: true\n", "", 14, "no option is right"),
    ("        right: true\n", "        right: yes\n", 15, "`yes` is neither true nor false"),
    ("thinks of the logarithm\n", "thinks of it\n        right: true\n", 14, "2 options are"),
    ("        misconception: thinks of the logarithm\n", "", 18, "option 2 is wrong, but names no"),
    ("right: true, reply: So is two.", "right: true, misconception: x, reply: So", 36, "names a"),
    ("It doubles.", "it  STAYS.", 18, "option 2 says the same as option 1"),
    ("Nothing divides it.", "Only its logarithm would.", 23, "reply to option 3 says the same"),
    ("        value: 0.0\n", "", 14, "option 1 is right, but has no `value`"),
    ("        value: 0.5", "        value: 0", 24, "options 1 and 3 have the same `value`"),
    ("answer = math.sin(0)", "answer = 0.0", 28, "`verify` cannot fail"),
    ("answer = math.sin(0)", "x = 0.0\n      answer = x", 29, "`verify` cannot fail"),
    ("answer = math.sin(0)", "answer = [0.0, (-1), 'a']", 28, "`verify` cannot fail"),
    ("answer = math.sin(0)", "math.sin(0)", 27, "assigns nothing to `answer`"),
    ("answer = math.sin(0)", "answer = = 0", 28, "`verify` is not Python: invalid syntax"),
    ("      - {text: two, right", "      - {text: one, right", 36, "option 2 says the same"),
    ("    answer: 1e5", "    answer: about five", 45, "`about five` is not a number"),
    ("    answer: 1e5", "    answer: [1, 2]", 45, "`answer` is not a number"),
    ("    answer: 1e5", "    answer: 1e999", 45, "1e999 is more than a float64 holds"),
    ("    relative: 0.01\n", "", 45, "the number has no `tolerance`"),
    ("    relative: 0.01\n", "    relative: 0.01\n    tolerance: 1\n", 46, "both `tolerance` and"),
    ("    relative: 0.01\n", "    tolerance: -1\n", 46, "`tolerance` is `-1`"),
    ("{value: 0.10", "{value: 100500", 49, "reply 1 is for 100500, which counts as rig"),
    ("      - text: second things\n", "      - First  Things\n", 58, "step 2 says the same as"),
    ("      - text: second things\n      - third things\n", "", 57, "`steps` has 1 of them"),
    ("    reply: Begin with the first.\n", "", 51, "question `sorting` has no `reply`"),
    ("      print(0.10)\n", "      print(0.10\n", 68, "`code` is not Python: '(' was never cl"),
    ("text: 0.10, misc", "text: ' 0.1', misc", 71, "reply 1 is for the right answer"),
    ("    answers: [no, ", "    answers: [None At All, ", 78, "is among the answers twice"),
    ("    answers: [no, \"none at all\"]", "    answers: no", 78, "`answers` is not a list"),
    ("  - id: limits", "  - id: shift", 29, "the id `shift` is taken by 01-one.yml:3"),
    ("  - id: limits", "  - id: Limits_1", 29, "`id` is `Limits_1`"),
    ("chapter: 01-one", "chapter: 01-two", 1, "`chapter` is `01-two`, the file is 01-one's"),
    ("chapter: 01-one\n", "chapter: 01-one\nauthor: me\n", 2, "unknown field `author`"),
    ("    level: 1\n", "    level: 1\n    line: 3\n", 7, "unknown field `line`"),
])
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, old: str, new: str, line: int,
                                             says: str) -> None:
    found = problems(tmp_path, changed(old, new))
    assert len(found) == 1, found
    assert found[0].startswith(f"01-one.yml:{line}: "), found
    assert says in found[0]


@pytest.mark.parametrize(("text", "line", "says"), [
    ("    ask: What $x$ # is left?\n", 7, "cuts the text off at `# is left?`"),
    ('    ask: "What is $\\theta$?"\n', 7, "reads `\\t` as an escape"),
    ('    ask: "What is $\\nabla$?"\n', 7, "reads `\\n` as an escape"),
    ("    ask: What: is it?\n", 7, "is not YAML: mapping values are not allowed"),
    ("    ask: `x` is what?\n", 7, "is not YAML: "),
    ("    ask: *x* is what?\n", 7, "is not YAML: "),
    ("    ask: [x] is what?\n", 7, "is not YAML: "),
    ("    ask: !important what?\n", 7, "reads `!important` as a tag"),
    ("    ask: [what]\n", 7, "`ask` is a list, not a text"),
    ("    ask: {what: it}\n", 7, "`ask` is a mapping, not a text"),
    ("    ask:\n", 7, "`ask` is empty"),
    ("    ask: '  '\n", 7, "`ask` is empty"),
    ("    ask: a\n    ask: b\n", 8, "`ask` is written twice; the first stands in line 7"),
    ("\task: a\n", 7, "is not YAML: "),
    ("    ask: |\n      a\tb\n", 8, "`ask` holds a tab"),
    ("    ask: a\0b\n", 7, "holds a NUL character"),
    ("    ask: a\x07b\n", 7, "holds the control character U+0007"),
    ("    ask: &a what?\n    unit: *a\n", 7, "is used a second time through an alias"),
])
def test_the_traps_of_yaml(tmp_path: Path, text: str, line: int, says: str) -> None:
    ask = GOOD[GOOD.index("    ask: |"):GOOD.index("    options:")]
    found = problems(tmp_path, GOOD.replace(ask, text, 1))
    assert found[0].startswith(f"01-one.yml:{line}: "), found
    assert says in found[0]


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    assert "is not UTF-8" in problems(tmp_path, b"chapter: 01-one\n# \xff\n")[0]
    assert "01-one.yml:1: holds a byte-order mark" in problems(tmp_path, "\ufeff" + GOOD)[0]
    assert quiz(tmp_path, GOOD.replace("\n", "\r\n")).questions[0].ask == \
        quiz(tmp_path, GOOD).questions[0].ask


@pytest.mark.parametrize("text", [
    "", "# nothing\n", "[]", "a text", "chapter: 01-one\n", "chapter: 01-one\nquestions:\n",
    "chapter: 01-one\nquestions: 3\n", "chapter: 01-one\nquestions: []\n",
    "chapter: 01-one\nquestions: [1, [], {}]\n", "? [a]\n: b\n", "[" * 500, "a: " + "{a: " * 300,
    "chapter: 01-one\n---\nchapter: 01-one\n", "chapter: 01-one\nquestions:\n  - - id: a\n"])
def test_what_is_no_quiz_is_refused_and_never_crashes(tmp_path: Path, text: str) -> None:
    assert problems(tmp_path, text)


def test_all_problems_are_told_at_once_in_the_order_of_their_lines(tmp_path: Path) -> None:
    text = GOOD.replace("kind: number", "kind: numberly").replace("level: 1", "level: 9") \
        .replace("It doubles.", "It stays.")
    found = problems(tmp_path, text)
    lines = [int(one.split(":")[1]) for one in found]
    assert lines == sorted(lines) and len(found) >= 4


def book_of(folder: Path, quizzes: dict[str, str]) -> Path:
    (folder / "book/quizzes").mkdir(parents=True)
    (folder / "book/index.md").write_text("# A book\n")
    (folder / "book/01-one.md").write_text(CHAPTER)
    (folder / "book/02-two.md").write_text(
        CHAPTER.replace("ch-one", "ch-two").replace("sec-", "sec-two-"))
    (folder / "_toc.yml").write_text("format: jb-book\nroot: book/index\nchapters:\n"
                                     "  - file: book/01-one\n  - file: book/02-two\n")
    for name, text in quizzes.items():
        (folder / "book/quizzes" / name).write_text(text)
    return folder


def test_a_book_has_quizzes_by_chapter(tmp_path: Path) -> None:
    from loom.book.toc import read_book

    book = read_book(book_of(tmp_path, {"01-one.yml": GOOD}))
    assert list(quizzes_of(book)) == ["01-one"]


def test_ids_are_unique_in_the_book_and_files_have_chapters(tmp_path: Path) -> None:
    from loom.book.toc import read_book

    second = GOOD.replace("01-one", "02-two").replace("sec-", "sec-two-")
    book = read_book(book_of(tmp_path, {
        "01-one.yml": GOOD, "02-two.yml": second, "02-tow.yml": GOOD, "01-one.yaml": GOOD}))
    with pytest.raises(LoomError) as error:
        quizzes_of(book)
    found = "\n".join(map(str, error.value.problems))
    assert found.count("belongs to no chapter") == 2 and "02-two.yml" in found
    assert found.count("is taken by") == 6


def test_the_json_schema_accepts_what_the_reader_accepts() -> None:
    published = json.loads(json.dumps(schema()))
    jsonschema.Draft202012Validator.check_schema(published)
    content = yaml.safe_load(GOOD)
    content["questions"][3]["steps"] = [{"text": "a"}, {"text": "b"}, {"text": "c"}]
    content["questions"][1]["options"][3]["text"] = "no"
    content["questions"][2]["answer"] = 1e5
    content["questions"][4]["answer"] = content["questions"][4]["replies"][0]["text"] = "0.1"
    content["questions"][5]["answers"] = ["no"]
    jsonschema.validate(content, published)
    content["questions"][0]["kind"] = "singlle"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(content, published)
    assert "lines" not in published["properties"]
