"""The kinds of fields that a quiz is made of, read from text as it is written."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainValidator, StringConstraints, WithJsonSchema

from loom.quiz.nodes import QUOTE, Fields, Items, Scalar

CONTROL = {"\t": "a tab", "\f": "a form feed", "\r": "a carriage return", "\b": "a backspace",
           "\v": "a vertical tab", "\a": "a bell", "\x1b": "an escape character"}
NUMBER = re.compile(r"[-+]?(\d[\d_]*\.?\d*|\.\d+)([eE][-+]?\d+)?")


class Wrong(ValueError):
    """What is wrong with a field, and what to do."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(what)
        self.remedy = remedy


class Figure(float):
    """A number that prints as its author wrote it: ``262144``, ``0.10``."""

    written: str

    def __str__(self) -> str:
        return self.written


def _text(value: Any) -> Any:
    if value is None:
        raise Wrong("is empty", "write it, or remove the field")
    if isinstance(value, Fields | Items):
        raise Wrong(f"is a {'mapping' if isinstance(value, Fields) else 'list'}, not a text", QUOTE)
    if isinstance(value, Scalar):
        if value.cut:
            raise Wrong(f"YAML cuts the text off at `{value.cut}`, which it takes for a comment",
                        QUOTE)
        if value.escaped:
            raise Wrong(f"in double quotes YAML reads `{value.escaped}` as an escape",
                        f"use single quotes, or {QUOTE}")
    text = str(value).strip("\n").rstrip()
    if not text.strip():
        raise Wrong("is empty", "write it, or remove the field")
    for character, name in CONTROL.items():
        if character in text:
            raise Wrong(f"holds {name}", "write spaces instead; LaTeX belongs in single quotes "
                        "or below `|`")
    return text


def _figure(value: Any) -> Figure:
    text = str(value).strip()
    if isinstance(value, Scalar) and not NUMBER.fullmatch(text):
        raise Wrong(f"`{text[:40]}` is not a number",
                    "write it in digits, with a point and no unit: 0.25, 262144, 1.5e-7")
    if not isinstance(value, Scalar | int | float) or isinstance(value, bool):
        raise Wrong("is not a number", "write one number, with a point and no unit")
    figure = Figure(text)
    if figure in (float("inf"), float("-inf")):
        raise Wrong(f"{text} is more than a float64 holds", "ask for another number")
    figure.written = text
    return figure


def _value(value: Any) -> Any:
    """What ``verify`` computes: a number, a text, true or false, or a list of these."""
    if isinstance(value, Fields):
        raise Wrong("is a mapping", "give a number, a text, true, false, or a list of these")
    if isinstance(value, Items | list | tuple):
        return tuple(_value(item) for item in value)
    if value is None:
        raise Wrong("is empty", "give what `verify` computes for this option, or remove the field")
    if not isinstance(value, Scalar) or not value.plain:
        return str(value) if isinstance(value, str) else value
    words = {"true": True, "True": True, "false": False, "False": False}
    if value in words:
        return words[value]
    if value in ("inf", "-inf", "nan", ".inf", "-.inf", ".nan"):
        return float(value.replace(".", ""))
    if NUMBER.fullmatch(value):
        return int(value) if re.fullmatch(r"[-+]?[\d_]+", value) else float(value)
    return str(value)


def _yes(value: Any) -> bool:
    words = {"true": True, "True": True, "false": False, "False": False}
    if isinstance(value, bool):
        return value
    if not isinstance(value, str) or value not in words:
        raise Wrong(f"`{value}` is neither true nor false", "write `true`, or leave the field out")
    return words[value]


Text = Annotated[str, BeforeValidator(_text, json_schema_input_type=str)]
Id = Annotated[str, BeforeValidator(_text, json_schema_input_type=str),
               StringConstraints(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", max_length=60)]
Yes = Annotated[bool, PlainValidator(_yes), WithJsonSchema({"type": "boolean"})]
Number = Annotated[Figure, PlainValidator(_figure), WithJsonSchema({"type": "number"})]
Value = Annotated[Any, PlainValidator(_value), WithJsonSchema(
    {"type": ["number", "string", "boolean", "array"]})]
