"""What the judge says: how a call was made, what came of it, where, and what to do."""

from __future__ import annotations

import ast
import re
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from loom.grade.cases import Call, Case
from loom.grade.hand import Reply
from loom.grade.words import number, short
from loom.grade.worker.wire import Tensor

WIDEST = 200
MOST_LINES = 11  # with the case's `why`, twelve
ADDRESS = re.compile(r"\bat 0x[0-9a-fA-F]+")
FILE = re.compile(r" \(/.*\)")  # where a module stands, in the text of an ImportError
NEAR = 0.8  # how like a name has to be to be the one that was meant
OURS = re.compile(r"(No module named|cannot import name '(?P<name>\w+)' from) "
                  r"'(?P<module>scratchlm(\.\w+)*)'")
EXIT = re.compile(r"'(exit|quit)' is not defined")  # there where people type, not in programs
RUNNING = "was running"  # said of the line where the time ended: chance picks it
LIMITS = {"time": "its time limit", "memory": "it takes more than",
          "request": "it asks for more memory than a case may use"}
SIGNALS = {"SIGSEGV": "it crashed the interpreter (a segmentation fault; very deep recursion is "
                      "the likeliest cause)",
           "SIGABRT": "it aborted the interpreter", "SIGFPE": "it crashed the interpreter",
           "SIGBUS": "it crashed the interpreter", "SIGILL": "it crashed the interpreter",
           "SIGKILL": "its process was killed, by itself or for lack of memory",
           "SIGXCPU": "it used more processor time than all cases together may",
           "SIGXFSZ": "it wrote a file larger than it may"}


@dataclass(frozen=True)
class Text:
    """An answer's text, to quote lines from: the source, and what to call a line."""

    source: str
    where: Callable[[int], str]

    def at(self, line: int, note: str = "") -> str:
        """``at my-exercises/01_numbers.py:43   e = np.exp(x)     RuntimeWarning: …``"""
        lines = self.source.split("\n")
        text = lines[line - 1].strip() if 0 < line <= len(lines) else ""
        quoted = f"at {plain(self.where(line))}   {plain(text[:90])}"
        return quoted + (f"     {plain(note)}" if note else "")


def plain(text: str, longest: int = WIDEST) -> str:
    """Untrusted text as one line that a terminal only prints."""
    text = ADDRESS.sub("at 0x…", " ".join(text[:4 * longest].split()))
    text = "".join(c if c.isprintable() else "\ufffd" for c in text)
    return text if len(text) <= longest else text[:longest - 1] + "…"


@lru_cache(maxsize=64)
def parameters(source: str, name: str) -> tuple[str, ...] | None:
    """The names of a function's or a class's parameters, as trusted source defines them."""
    for node in ast.parse(source).body:
        if getattr(node, "name", None) != name:
            continue
        found: Any = node
        if isinstance(node, ast.ClassDef):
            found = next((n for n in node.body if isinstance(n, ast.FunctionDef)
                          and n.name == "__init__"), None)
        if isinstance(found, ast.FunctionDef):
            names = [a.arg for a in [*found.args.posonlyargs, *found.args.args]]
            return tuple(names[isinstance(node, ast.ClassDef):])
    return None


def called(case: Case, call: Call, solution: str, count: tuple[int, int]) -> list[str]:
    """How the answer was called, with what: one line, or one more for each large argument."""
    several = f"call {count[0]} of {count[1]}: " if count[1] > 1 else ""
    names: Sequence[str] = parameters(case.drive or solution, case.call) or ()
    if case.drive:
        names = names[1:]
    pairs = [(names[i] if i < len(names) else f"argument {i + 1}", value)
             for i, value in enumerate(call.args)] + list(call.kwargs.items())
    literal = [f"{name}={short(value)}" if name in call.kwargs else short(value)
               for name, value in pairs]
    if case.drive:
        what = _purpose(case.drive) or "the grader's steps"
        if not pairs:
            return [several + what]
        return _with(f"{several}{what}, with", pairs, WIDEST)
    if sum(map(len, literal)) + 2 * len(literal) <= 76 and all(
            "…" not in text for text in literal):
        return [f"{several}{case.call}({', '.join(literal)})"]
    heads = ", ".join(name for name, _ in pairs)
    return _with(f"{several}{case.call}({heads}) with", pairs, 110)


def _with(head: str, pairs: Sequence[tuple[str, Any]], longest: int) -> list[str]:
    """A call and its arguments: in one line of at most this length, or each in its own."""
    said = [f"{name}{value(v)}" for name, v in pairs]
    one = f"{head} {'; '.join(said)}"
    if len(one) <= longest:
        return [plain(one)]
    lines = [plain(head), *(plain(f"  {text}", WIDEST + 60) for text in said[:6])]
    return lines + ([f"  and {len(pairs) - 6} more arguments"] if len(pairs) > 6 else [])


def _purpose(drive: str) -> str:
    """The first line of a drive's docstring."""
    node = ast.parse(drive).body[0]
    text = ast.get_docstring(node) if isinstance(node, ast.FunctionDef) else None
    return text.split("\n")[0].rstrip(".") if text else ""


def value(found: Any) -> str:
    """An argument: small ones in full, arrays by shape and range."""
    if isinstance(found, np.ndarray) and found.size > 6:
        kind = f"tensor {found.torch_dtype}" if isinstance(found, Tensor) else str(found.dtype)
        text = f": {kind} {tuple(found.shape)}"
        numbers = np.asarray(found)
        if numbers.dtype.kind == "b":
            return f"{text}, {int(numbers.sum()):,} true"
        if numbers.dtype.kind not in "iuf":
            return text
        finite = numbers[np.isfinite(numbers)]
        odd = numbers.size - finite.size
        if finite.size:
            text += f", values {number(finite.min())} to {number(finite.max())}"
        return text + (f", {odd:,} not finite" if odd else "")
    if isinstance(found, list | tuple | dict | set | str | bytes):
        text = short(found, WIDEST)
        return f": {type(found).__name__} of {len(found):,}, {text}" if text.endswith("…") \
            else f" = {text}"
    return f" = {short(found)}"


def ended(reply: Reply, text: Text, file: str, seconds: float, megabytes: int,
          while_: str) -> list[str]:
    """Why a worker sent nothing that can be used."""
    what = {
        "time": f"stopped after {seconds:g} s, {LIMITS['time']}{while_}: it may never end, "
                "or be too slow",
        "memory": f"stopped: {LIMITS['memory']} {megabytes:,} MB of memory{while_}",
        "processes": f"stopped: it starts too many processes or threads{while_}",
        "disk": f"stopped: it writes more than 64 MB of files{while_}",
        "closed": f"it broke off the connection to the grader{while_}",
        "malformed": f"it wrote to the grader's own channel{while_}: {reply.detail}",
        "failed": f"its process did not start: {reply.detail}",
    }.get("closed" if reply.ended == "exit" else reply.ended, "")
    if reply.ended == "exit" and reply.detail != "70":
        what = f"it ended its own process{while_} (os._exit or the like, code {reply.detail})"
    elif reply.ended == "signal":
        try:
            name = signal.Signals(int(reply.detail)).name
        except ValueError:
            name = f"signal {reply.detail}"
        what = SIGNALS.get(name, f"it ended its own process{while_} ({name})")
    lines = [plain(what)]
    own = [line for name, line in reply.trace if name == file]
    if own:
        line = text.source.split("\n")[own[0] - 1:own[0]]
        anew = "an import, done anew for each exercise that sees it, " \
            if line and re.match(r"\s*(import|from)\s", line[0]) else ""
        lines.append(text.at(own[0], anew + RUNNING if reply.ended == "time" else ""))
    if while_ and reply.ended in ("time", "memory"):
        lines.append("→ what stands outside of functions runs at every check: is there a loop "
                     "that never ends, or work to leave out?")
    if reply.ended in ("exit", "closed", "malformed"):
        lines.append("→ let the function return its value, and nothing else")
    return lines


def at_a_limit(lines: Sequence[str]) -> bool:
    """Whether time or memory ended an answer. The machine picks which of them does, and where."""
    return any(words in line for line in lines for words in LIMITS.values())


def raised(error: Mapping[str, Any], text: Text, called_by: str = "",
           packages: Sequence[Path] = ()) -> list[str]:
    """An exception that the answer did not catch; ``packages`` hold what it may import of ours."""
    kinds, said = kinds_of(error), str(error.get("text", ""))
    name = kinds[0]
    if "ImportError" in kinds:
        said = FILE.sub("", said)
    lines = [plain(f"{name}: {said}" if said else name)]
    own = [line for line in error.get("lines", ()) if isinstance(line, int)]
    if len(own) > 4 and kinds[0] == "RecursionError":
        own = own[-1:]
    lines += [text.at(line) for line in list(dict.fromkeys(own))[-3:]]
    remedy = _remedy(kinds, said, bool(own), called_by, packages)
    return lines + ([f"→ {remedy}"] if remedy else [])


def kinds_of(error: Mapping[str, Any]) -> list[str]:
    kinds = error.get("kinds")
    if isinstance(kinds, list) and kinds and all(isinstance(kind, str) for kind in kinds):
        return [plain(kind, 60) for kind in kinds[:40]]
    return ["an exception"]


def _remedy(kinds: list[str], said: str, own: bool, called_by: str,
            packages: Sequence[Path]) -> str:
    if kinds[0] == "NotImplementedError":
        return "this part is still to be written: replace `raise NotImplementedError`"
    if "BdbQuit" in kinds:
        return "the grader has no debugger: leave out breakpoint(), and print what you want to see"
    if "SystemExit" in kinds or ("NameError" in kinds and EXIT.search(said)):
        return "leave out exit(), quit() and sys.exit(): return the value instead"
    if "EOFError" in kinds and "EOF when reading a line" in said:
        return "your answer asks for input, and graders have no keyboard: leave out input()"
    if "MemoryError" in kinds or "DefaultCPUAllocator" in said:  # torch's is a RuntimeError
        return f"{LIMITS['request']}: is an array larger than it must be?"
    if "RecursionError" in kinds:
        return "it calls itself more than a thousand levels deep: is there a case in which it " \
               "stops, or is the input that deep?"
    if "ImportError" in kinds and (ours := OURS.search(said)):
        return _unseen(ours["module"], ours["name"] or "", packages)
    if "ModuleNotFoundError" in kinds:
        if "solved without it" in said:
            return "leave the import out, and write what you need of it"
        return "only Python's own modules, numpy and what the exercise names are promised to be " \
               "there. Files beside this one are not: put their code above the first exercise"
    if "OSError" in kinds:
        return "answers have no network, and see no files but those that they write themselves"
    if "NameError" in kinds:
        return "is it spelled as where it is defined? Imports belong to the file's head or here"
    if not own and called_by and kinds[0] in ("AttributeError", "TypeError"):
        return called_by
    return ""


def _unseen(module: str, name: str, packages: Sequence[Path]) -> str:
    """What to do where a module of ``scratchlm`` is not seen, or a name in one that is."""
    from difflib import get_close_matches

    seen = {".".join(path.relative_to(folder).with_suffix("").parts).removesuffix(".__init__"):
            path for folder in packages for path in sorted((folder / "scratchlm").rglob("*.py"))}
    if name and module != "scratchlm":
        near = get_close_matches(name, _names(seen[module]) if module in seen else (), 1, NEAR)
        return f"{module} has no `{name}`: is `{near[0]}` meant?" if near else \
            "answers do not see what this chapter adds to scratchlm: write what you need of it"
    wanted = (f"{module}.{name}" if name else module).removeprefix("scratchlm.")
    there = [one.removeprefix("scratchlm.") for one in seen if one != "scratchlm"]
    if near := get_close_matches(wanted, there, 1, NEAR):
        return f"there is no scratchlm.{plain(wanted, 60)}: is scratchlm.{near[0]} meant?"
    outer = ", ".join(one for one in there if "." not in one) or "nothing in it"
    return f"this exercise sees an earlier scratchlm, without {plain(wanted, 60)}, " \
           f"with {outer}: write what else you need"


def _names(module: Path) -> list[str]:
    """The names that a trusted module defines at its top."""
    names = []
    for node in ast.parse(module.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.append(node.name)
        else:
            names += [one.id for one in ast.walk(node)
                      if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)]
    return [name for name in names if not name.startswith("_")]


def warned(notes: Any, text: Text) -> list[str]:
    """The first two warnings that the answer's own lines caused."""
    lines = []
    for note in notes if isinstance(notes, list) else ():
        if isinstance(note, list) and len(note) == 3 and isinstance(note[2], int):
            lines.append(text.at(note[2], f"{note[0]}: {note[1]}"))
    return list(dict.fromkeys(lines))[:2]


def missing(name: str, defined: Sequence[str]) -> list[str]:
    """An answer without a name that it should define."""
    own = [plain(one, 40) for one in defined[:200] if not one.startswith("_")]
    return [f"it defines no `{name}`", f"→ {_near(name, own)}"]


def _near(name: str, defined: Sequence[str]) -> str:
    import difflib

    close = difflib.get_close_matches(name.lower(), [n.lower() for n in defined], 1, 0.6)
    found = next((n for n in defined if close and n.lower() == close[0]), None)
    if found:
        return f"rename `{found}`: the grader looks for `{name}`"
    return f"keep the name of the stub: the grader looks for `{name}`"


def signature(name: str, call: Call, solution: str, theirs: str) -> list[str]:
    """An answer whose parameters do not fit the call."""
    names = parameters(solution, name)
    wanted = f"{name}({', '.join(names)})" if names is not None else name
    return [f"the grader calls {wanted}; yours is {plain(name + theirs, 120)}",
            "→ take the parameters of the stub, in its order"]


def nothing(printed: bool) -> str:
    """What to do about a function that returns None."""
    if printed:
        return "→ your function prints its result and returns nothing: write `return` there"
    return "→ your function returns nothing: is there a `return` on every path?"


def unsendable(what: str, tensors: bool = True) -> list[str]:
    """A value of a type that graders do not take; ``tensors`` says whether it may hold them."""
    lines = [f"it returns {plain(what, 120)}, which the grader does not accept"]
    if "generator" in what or "iterator" in what:
        lines.append("→ return the values themselves, in a list or an array")
    elif "a function" in what:
        lines.append("→ return what the function gives: are the parentheses of a call missing?")
    elif "dtype object" in what:
        lines.append("→ an array of objects: do the rows have different lengths, or is there a "
                     "None among the numbers?")
    elif "torch." in what and not tensors:
        lines.append("→ this exercise has no tensors: return a NumPy array, "
                     "such as `t.detach().numpy()` for a tensor t")
    else:
        lines.append(f"→ return numbers, text, arrays, {'tensors, ' * tensors}or lists, tuples "
                     "and dicts of these")
    return lines


OF_THE_CALL = (
    "it changes its argument", "it defines no `", "the grader calls ", "→ the grader calls it",
    "→ this part is still to be written", "→ your function returns nothing",
    "→ your function prints its result", "it sent the grader no ", "→ keep the `def` or `class`",
    "its file could not be run again", "it returns a generator", "it returns an iterator",
    "it returns a function", "it returns a value of type", "it ended its own process",
    "it crashed the interpreter", "it aborted the interpreter", "it broke off the connection",
    "it wrote to the grader's own channel", "→ leave out exit()", "→ leave the import out",
    "→ the grader has no debugger", "→ your answer asks for input", "→ answers ",
    "→ only Python's own modules", "→ there is no scratchlm.", "→ this exercise sees an earlier",
    "→ scratchlm.", "→ is it spelled ")


def of_the_call(lines: Sequence[str]) -> bool:
    """Whether a report is on the call alone: what a case says of its values is beside it.

    Not so where time or memory ended it, or an exception that has no remedy here:
    what a case says is often why.
    """
    return any(line.startswith(OF_THE_CALL) for line in lines)


__all__ = ["Text", "called", "ended", "missing", "nothing", "of_the_call", "parameters", "plain",
           "raised", "signature", "unsendable", "value", "warned"]
