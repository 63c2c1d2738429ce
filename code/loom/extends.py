"""``@extends(Class)``: let a class grow over several cells of a chapter.

The only part of ``loom`` that a chapter's cells may import. At run time the
decorated function becomes a member of the class; tangling writes it into the
class body and drops the decorator.
"""

from __future__ import annotations

import builtins
import sys
from collections.abc import Callable
from typing import Any, TypeVar

Member = TypeVar("Member")


def extends(cls: type) -> Callable[[Member], Member]:
    """Add the decorated function, property or class to ``cls``.

    The name that the definition hides in the notebook is given back: after a
    method called ``max``, ``max`` is the builtin again.

    Args:
        cls: the class that grows.

    Returns:
        A decorator for what should become a member; put it outermost.

    Raises:
        TypeError: ``cls`` is not a class, or the member has no name.
    """
    if not isinstance(cls, type):
        raise TypeError(f"@extends needs a class, got {cls!r}")

    def attach(member: Member) -> Member:
        name = _name_of(member)
        member_function = _function_of(member)
        if member_function is not None:
            member_function.__qualname__ = f"{cls.__qualname__}.{name}"
        setattr(cls, name, member)
        if hasattr(type(member), "__set_name__"):
            type(member).__set_name__(member, cls, name)  # type: ignore[attr-defined]
        notebook = sys._getframe(1).f_globals
        hidden: Member = notebook.get(name, getattr(builtins, name, member))
        return hidden

    return attach


def _function_of(member: Any) -> Any:
    """The plain function inside a property, class method or static method."""
    for attribute in ("fget", "func", "__func__"):
        inner = getattr(member, attribute, None)
        if inner is not None:
            return inner
    return member if hasattr(member, "__qualname__") else None


def _name_of(member: Any) -> str:
    name = getattr(_function_of(member), "__name__", None)
    if not isinstance(name, str):
        raise TypeError(f"@extends needs a function or a property, got {member!r}")
    return name
