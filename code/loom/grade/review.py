"""What is wrong with what an answer's worker sent, beside what the reference's sent."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loom.errors import LoomError, Problem
from loom.grade import messages
from loom.grade.cases import Call, Case
from loom.grade.compare import differences, identical
from loom.grade.hand import Reply
from loom.grade.messages import Text, plain
from loom.grade.worker import wire

if TYPE_CHECKING:
    from loom.exercise.source import Exercise


@dataclass(frozen=True)
class Review:
    """Looks at replies to one answer's calls.

    Attributes:
        text: the answer's, to quote lines from.
        file: what the answer's worker calls its file.
        seed: of the inputs, for authors.
        packages: the folder with what the answer may import of the book's package.
    """

    exercise: Exercise
    text: Text
    file: str
    seed: int
    packages: tuple[Path, ...] = ()

    def faults(self, case: Case, call: Call, reply: Reply, reference: Reply) -> list[str]:
        """What is wrong with the reply to one call."""
        if reply.message is None:
            return messages.ended(reply, self.text, self.file, case.seconds, case.megabytes, "")
        got, wanted = reply.message, reference.message
        assert wanted is not None
        if "signature" in got:
            return messages.signature(case.call, call, self.exercise.solution,
                                      str(got["signature"]))
        notes = messages.warned(got.get("warnings"), self.text)
        error = got.get("raised")
        if case.raises is not None:
            return self._refused(case, call, got) or []
        if isinstance(error, dict):
            given = "stub's parameters" if "def " in self.exercise.stub \
                else "parameters that the statement gives it"
            by = f"the grader calls it: is it there, with the {given}?"
            return [*messages.raised(error, self.text, by, self.packages), *notes[:1]]
        if "unsendable" in got:
            return messages.unsendable(str(got["unsendable"]),
                                       "torch" in self.exercise.libraries)
        if "unsendable_arguments" in got:
            return ["it changes its arguments into what cannot be sent",
                    "→ leave the arguments as they are"]
        if "value" not in got:
            return ["it sent the grader no value", "→ let the function return its value"]
        value, expected = got["value"], wanted["value"]
        if case.check is not None:
            lines = self._checked(case, call, value, expected)
        else:
            lines = differences(value, expected, rtol=case.rtol, atol=case.atol, dtype=case.dtype)
        if lines and value is None and expected is not None:
            lines = [*lines[:1], messages.nothing(reply.printed)]
        if lines:
            return [*lines, *notes]
        return self._changed(case, call, got, wanted)

    def _refused(self, case: Case, call: Call, got: dict[str, Any]) -> list[str]:
        """What is wrong where an exception is expected."""
        error = got.get("raised")
        if not isinstance(error, dict):
            return [f"no exception, expected {case.raises}",
                    f"→ raise {case.raises} for this argument"]
        kinds = messages.kinds_of(error)
        if case.raises not in kinds:
            return [*messages.raised(error, self.text, packages=self.packages),
                    f"expected {case.raises}"]
        lacking = unsaid(case, call, str(error.get("text", "")))
        if lacking:
            return [plain(f"{kinds[0]}: {error.get('text', '')}"),
                    f"its message does not mention {lacking!r}"]
        return []

    def _checked(self, case: Case, call: Call, value: Any, expected: Any) -> list[str]:
        """What the case's own predicate says.

        An error in it is the answer's if the reference's value passes: a value
        of another type or shape, which the predicate did not expect.
        """
        assert case.check is not None
        inputs: Any = dict(call.kwargs) if call.kwargs else list(call.args)
        try:
            said = case.check(value, inputs, expected)
        except Exception:
            try:
                case.check(expected, inputs, expected)
            except Exception as error:
                raise self.wrong(case, f"`check` fails on the reference's own value: "
                                  f"{type(error).__name__}: {error}") from error
            return differences(value, expected, rtol=float("inf"), dtype=case.dtype) or [
                "it returns a value of another type or shape than asked for"]
        if said is None:
            return []
        if not isinstance(said, str):
            raise self.wrong(case, f"`check` returned {said!r}: it is to be None or a text")
        return [plain(line) for line in said.splitlines() if line.strip()] or ["it is wrong"]

    def _changed(self, case: Case, call: Call, got: dict[str, Any],
                 wanted: dict[str, Any]) -> list[str]:
        """What is wrong with the arguments after the call."""
        args, kwargs = got.get("args"), got.get("kwargs")
        names = messages.parameters(case.drive or self.exercise.solution, case.call) or ()
        if case.drive:
            names = names[1:]
        if not isinstance(args, list) or not isinstance(kwargs, dict) \
                or len(args) != len(call.args) or kwargs.keys() != call.kwargs.keys():
            return ["it sent the grader no arguments", "→ let the function return its value"]
        triples = [(names[i] if i < len(names) else f"argument {i + 1}", i, before, args[i],
                    wanted["args"][i]) for i, before in enumerate(call.args)]
        triples += [(name, -1, before, kwargs[name], wanted["kwargs"][name])
                    for name, before in call.kwargs.items()]
        for name, i, before, after, theirs in triples:
            allowed = name in case.mutates or (i >= 0 and i in case.mutates)
            if allowed or case.drive:
                if case.check is None or allowed:
                    lines = differences(after, theirs, rtol=case.rtol, atol=case.atol,
                                        dtype=case.dtype, where=f"{name} after the call")
                    if lines:
                        return lines
            elif not _same(before, after):
                return [f"it changes its argument {name}",
                        f"→ work on a copy: {name} belongs to the caller"]
        return []

    def wrong(self, case: Case, what: str) -> LoomError:
        """An error of the case's author, to raise."""
        return LoomError(Problem(case.place, f"`{self.exercise.id}`, “{case.name}”: {what}",
                                 f"mend the case or the solution; seed {self.seed} shows it"))


def _same(before: Any, after: Any) -> bool:
    """Whether an argument came back as it went; marks of the judge's own aside."""
    try:
        sent = wire.value_of(wire.frame(before))
    except (wire.Unsendable, wire.Malformed):
        return False
    return identical(sent, after)


def unsaid(case: Case, call: Call, text: str) -> str:
    """The first thing that an exception's message should mention, and does not."""
    wanted = case.mentions
    if callable(wanted):
        inputs = dict(call.kwargs) if call.kwargs else list(call.args)
        wanted = wanted(inputs)
    return next((one for one in wanted if str(one) not in text), "")
