"""What a quiz is made of. Texts are MyST as written; ``lines`` says where they stand."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema

from loom.quiz.fields import Id, Number, Text, Value, Yes


class Part(BaseModel):
    """Anything that stands in the file: where, and where each of its fields.

    Attributes:
        line: its first line.
        lines: for each field that is given, the first line of its text.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    line: SkipJsonSchema[int] = 1
    lines: SkipJsonSchema[dict[str, int]] = {}


class Option(Part):
    """One of the answers to choose from."""

    text: Text = Field(description="what the option says")
    right: Yes = Field(False, description="true for a right option")
    reply: Text = Field(description="what somebody who chooses it is told")
    misconception: Text | None = Field(
        None, description="what somebody who chooses a wrong option thinks")
    value: Value | None = Field(
        None, description="what `verify` computes if this option is right")


class WrongNumber(Part):
    """A wrong number that people arrive at."""

    value: Number = Field(description="the wrong number")
    tolerance: Number | None = Field(
        None, ge=0, description="how far from it counts; the answer's tolerance if not given")
    misconception: Text = Field(description="how somebody arrives at it")
    reply: Text = Field(description="what they are told")


class WrongText(Part):
    """A wrong text, or wrong output, that people write."""

    text: Text = Field(description="the wrong text")
    misconception: Text = Field(description="how somebody arrives at it")
    reply: Text = Field(description="what they are told")


class Step(Part):
    """One of the things to put in order."""

    text: Text = Field(description="what the step says")
    value: Value | None = Field(None, description="what `verify` has in its list for this step")


class Asked(Part):
    """What all questions have."""

    id: Id = Field(description="its name, in-small-letters, for ever")
    section: Text = Field(description="the label of the section that it belongs to")
    level: int = Field(description="1 recall, 2 use, 3 think; no other number", ge=1, le=3)
    ask: Text = Field(description="the question")
    explain: Text = Field(description="why the right answer is right")
    verify: Text | None = Field(
        None, description="Python that assigns the right answer to `answer`")


class Choice(Asked):
    """Choose one (``single``) or all that hold (``multiple``)."""

    kind: Literal["single", "multiple"]
    options: tuple[Option, ...] = Field(
        min_length=3, max_length=8, description="three to eight options, the right one first")
    arrangement: SkipJsonSchema[tuple[int, ...]] = ()

    @cached_property
    def shown(self) -> tuple[Option, ...]:
        """The options in the order in which every form of the book shows them."""
        return tuple(self.options[n] for n in self.arrangement)

    @property
    def right(self) -> tuple[int, ...]:
        """The positions, from 0, of the right options as shown."""
        return tuple(n for n, option in enumerate(self.shown) if option.right)


class NumberQuestion(Asked):
    """A number to type in."""

    kind: Literal["number"]
    answer: Number = Field(description="the right number")
    tolerance: Number | None = Field(None, ge=0, description="how far from it is still right")
    relative: Number | None = Field(
        None, gt=0, lt=1, description="the same, as a part of the answer: 0.01 is one percent")
    unit: Text | None = Field(None, description="the unit to answer in: nats")
    replies: tuple[WrongNumber, ...] = Field((), description="typical wrong numbers")

    @property
    def margin(self) -> float:
        """How far from the answer is still right."""
        return float(self.tolerance) if self.tolerance is not None \
            else abs(self.answer) * float(self.relative or 0)

    def margin_of(self, wrong: WrongNumber) -> float:
        """How far from a typical wrong number its reply still fits."""
        if wrong.tolerance is not None:
            return float(wrong.tolerance)
        return float(self.tolerance) if self.tolerance is not None \
            else abs(wrong.value) * float(self.relative or 0)


class OrderQuestion(Asked):
    """Steps to put in order; they are written in the right one."""

    kind: Literal["order"]
    steps: tuple[Step, ...] = Field(
        min_length=3, max_length=8, description="three to eight steps in the right order")
    reply: Text = Field(description="what somebody with another order is told")
    arrangement: SkipJsonSchema[tuple[int, ...]] = ()

    @cached_property
    def shown(self) -> tuple[Step, ...]:
        """The steps in the order in which every form of the book shows them."""
        return tuple(self.steps[n] for n in self.arrangement)

    @property
    def right(self) -> tuple[int, ...]:
        """The positions among ``shown``, from 0, of the first step, the second, …"""
        return tuple(self.arrangement.index(n) for n in range(len(self.steps)))


class TraceQuestion(Asked):
    """What does this program print?"""

    kind: Literal["trace"]
    code: Text = Field(description="the program")
    answer: Text = Field(description="all that it prints")
    replies: tuple[WrongText, ...] = Field((), description="typical wrong answers")


class TextQuestion(Asked):
    """A word or two to type in."""

    kind: Literal["text"]
    answers: tuple[Text, ...] = Field(
        min_length=1, description="the answers that are right; the first is the one we print")
    replies: tuple[WrongText, ...] = Field((), description="typical wrong answers")


Question = Choice | NumberQuestion | OrderQuestion | TraceQuestion | TextQuestion
KINDS: dict[str, type[Choice | NumberQuestion | OrderQuestion | TraceQuestion | TextQuestion]] = {
    "single": Choice, "multiple": Choice, "number": NumberQuestion, "order": OrderQuestion,
    "trace": TraceQuestion, "text": TextQuestion}


class Quiz(Part):
    """The questions of a chapter, in the order of the file."""

    chapter: Text = Field(description="the chapter's name: 01-numbers")
    questions: tuple[Annotated[Question, Field(discriminator="kind")], ...] = Field(
        description="the questions")
    path: SkipJsonSchema[Path] = Path()

    def question(self, name: str) -> Question:
        """The question with that id.

        Raises:
            KeyError: there is none.
        """
        for question in self.questions:
            if question.id == name:
                return question
        raise KeyError(name)
