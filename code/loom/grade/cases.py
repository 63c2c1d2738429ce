"""The cases of an exercise: what the judge asks an answer. Trusted code, run by the judge."""

from __future__ import annotations

import ast
import hashlib
import sys
import traceback
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import FunctionType
from typing import TYPE_CHECKING, Any

import numpy as np

from loom.errors import LoomError, Place, Problem
from loom.grade.worker.wire import tensor

if TYPE_CHECKING:
    from loom.exercise.source import Exercise

SECONDS, MEGABYTES, MEGABYTES_TORCH = 5.0, 512, 1024


@dataclass(frozen=True)
class Call:
    """The arguments of one call."""

    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]


@dataclass(frozen=True)
class Each:
    """The arguments of several calls; made by ``each``."""

    calls: tuple[Any, ...]


@dataclass(frozen=True)
class Case:
    """One thing that is asked of an answer; the fields are those of ``case``."""

    name: str
    inputs: Callable[[np.random.Generator], Any]
    why: str
    points: float
    call: str
    drive: str | None  # the source of the function that the worker runs instead
    raises: str | None
    mentions: Any
    check: Callable[[Any, Any, Any], str | None] | None
    rtol: float | None
    atol: float | None
    dtype: bool
    mutates: tuple[int | str, ...]
    seconds: float
    times: float | None
    megabytes: int
    place: Place

    def random(self, seed: int) -> np.random.Generator:
        """The case's own source of random numbers: other cases do not move it."""
        return np.random.default_rng([seed, *np.frombuffer(self._digest, np.uint32).tolist()])

    def seed(self, seed: int) -> int:
        """What the answer's own random numbers start from, in every call of the case."""
        return (seed ^ int.from_bytes(self._digest[:4], "little")) & 0xFFFFFFFF

    @property
    def _digest(self) -> bytes:
        return hashlib.sha256(self.name.encode()).digest()[:16]

    def calls(self, seed: int) -> tuple[Call, ...]:
        """The calls of this case for a seed.

        Raises:
            LoomError: ``inputs`` fails, or returns what is no arguments.
        """
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                made = self.inputs(self.random(seed))
            several = made.calls if isinstance(made, Each) else (made,)
            calls = tuple(self._call(one) for one in several)
        except LoomError:
            raise
        except Exception as error:
            raise LoomError(_problem(self.place, error, f"the inputs of “{self.name}”")) from error
        if not calls:
            raise LoomError(Problem(self.place, f"“{self.name}”: `each()` without a call",
                                    "give it the arguments of at least one call"))
        return calls

    def _call(self, made: Any) -> Call:
        if isinstance(made, dict) and all(isinstance(key, str) for key in made):
            return Call((), made)
        if isinstance(made, list | tuple):
            return Call(tuple(made), {})
        raise LoomError(Problem(
            self.place, f"the inputs of “{self.name}” are a {type(made).__name__}",
            "return a list of positional arguments, a dict of keyword arguments, "
            "or `each([…], […])`"))


def each(*calls: Any) -> Each:
    """Several calls in one case: all of them must be right."""
    return Each(calls)


@lru_cache(maxsize=64)  # many answers are asked the same
def load_cases(exercise: Exercise) -> tuple[Case, ...]:
    """Run the cell of cases.

    Raises:
        LoomError: the cell fails, a case is not as it should be, there is none.
    """
    code, path = exercise.cases, exercise.path
    found: list[Case] = []
    maker = _Maker(exercise, found)
    space: dict[str, Any] = {"case": maker.case, "each": each, "tensor": tensor, "np": np,
                             "__name__": "cases"}
    try:
        text = "\n" * (code.line - 1) + code.source
        exec(compile(text, str(path), "exec", dont_inherit=True), space)
    except LoomError:
        raise
    except Exception as error:
        raise LoomError(_problem(Place(path, code.line), error, "the cell of cases")) from error
    if maker.problems:
        raise LoomError(maker.problems)
    if not found:
        raise LoomError(Problem(Place(path, code.line), f"no cases for `{exercise.id}`",
                                "write at least one `case(…)`"))
    return tuple(found)


class _Maker:
    """Collects the cases of one cell, and what is wrong with them."""

    def __init__(self, exercise: Exercise, found: list[Case]) -> None:
        self.exercise, self.found = exercise, found
        self.problems: list[Problem] = []
        self.tree: ast.Module | None = None

    def case(self, name: str, inputs: Callable[[np.random.Generator], Any], *, why: str,
             points: float = 1, call: str | None = None, drive: Any = None,
             raises: type[BaseException] | str | None = None,
             mentions: Sequence[str] | Callable[..., Any] = (),
             check: Callable[[Any, Any, Any], str | None] | None = None,
             rtol: float | None = None, atol: float | None = None, dtype: bool = True,
             mutates: Sequence[int | str] = (), seconds: float | None = None,
             times: float | None = None, megabytes: int | None = None) -> None:
        """Ask something of an answer; see the documentation of exercises."""
        place = Place(self.exercise.path, sys._getframe(1).f_lineno)
        default = MEGABYTES_TORCH if "torch" in self.exercise.libraries else MEGABYTES

        def bad(what: str, remedy: str) -> None:
            self.problems.append(Problem(place, f"case {name!r}: {what}", remedy))

        if not isinstance(name, str) or not name.strip():
            bad("has no name", "a name says what is asked: \"rows of different size\"")
        elif any(case.name == name for case in self.found):
            bad("the name is taken", "names tell the cases of an exercise apart")
        if not callable(inputs):
            bad("`inputs` is not a function", "lambda r: […], where r is a random generator")
        if not isinstance(why, str) or not why.strip():
            bad("`why` is empty", "one sentence that names the misconception")
        for what, value in (("points", points), ("seconds", seconds), ("times", times),
                            ("megabytes", megabytes)):
            if value is not None and (isinstance(value, bool) or
                                      not isinstance(value, int | float) or not value > 0):
                bad(f"{what}={value!r} is not a positive number", f"give `{what}` as one")
        for what, value in (("rtol", rtol), ("atol", atol)):
            if value is not None and not (isinstance(value, int | float) and value >= 0):
                bad(f"{what}={value!r} is not a number of at least 0", f"give `{what}` as one")
        if call is not None and call not in self.exercise.names:
            bad(f"call={call!r} is no name that the answer defines",
                "one of " + ", ".join(self.exercise.names))
        if not (isinstance(raises, str | None) or
                (isinstance(raises, type) and issubclass(raises, BaseException))):
            bad(f"raises={raises!r} is no exception", "an exception's type, or its name")
        if isinstance(mentions, str):
            mentions = [mentions]
        if mentions and raises is None:
            bad("`mentions` without `raises`", "say which exception's message it is about")
        if check is not None and (not callable(check) or raises is not None):
            bad("`check` is not a function, or stands beside `raises`",
                "check(got, inputs, expected) returns None or what is wrong")
        if not all(isinstance(one, int | str) for one in mutates):
            bad(f"mutates={mutates!r}", "positions or names of arguments")
        source = self._source(drive, bad) if drive is not None else None
        self.found.append(Case(
            name, inputs, " ".join(why.split()) if isinstance(why, str) else "", points,
            drive.__name__ if source is not None else call or self.exercise.names[0], source,
            raises if isinstance(raises, str | None) else getattr(raises, "__name__", ""),
            mentions, check, rtol, atol, dtype, tuple(mutates), float(seconds or SECONDS), times,
            int(megabytes or default), place))

    def _source(self, drive: Any, bad: Callable[[str, str], None]) -> str | None:
        """The text of a function of the cell, for the worker."""
        if self.tree is None:
            self.tree = ast.parse(self.exercise.cases.source)
        if isinstance(drive, FunctionType):
            line = drive.__code__.co_firstlineno - self.exercise.cases.line + 1
            for node in self.tree.body:
                if isinstance(node, ast.FunctionDef) and node.name == drive.__name__ \
                        and node.lineno == line:
                    return ast.get_source_segment(self.exercise.cases.source, node) or ""
        bad("`drive` is no function defined at the top of this cell",
            "def drive(answer, …): …, and drive=drive")
        return None


def _problem(place: Place, error: Exception, what: str) -> Problem:
    """What went wrong in an author's code, at the innermost of its lines."""
    lines = [line for frame, line in traceback.walk_tb(error.__traceback__)
             if frame.f_code.co_filename == str(place.path)]
    if isinstance(error, SyntaxError) and error.filename == str(place.path):
        lines = [error.lineno or 1]
    return Problem(Place(place.path, lines[-1] if lines else place.line),
                   f"{what} fail{'s' if what.startswith('the cell') else ''}: "
                   f"{type(error).__name__}: {error}", "mend it: this code is the judge's own")
