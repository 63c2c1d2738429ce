"""Runs the ``verify`` blocks and the traced programs of a chapter, in a process of its own.

Standard library only. One line of JSON per message: a question's id when it
begins, its result when it is done. The code is the book's: trusted, but not
trusted to end.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
import sys
import traceback
from typing import Any

LIMIT = 64 * 1024  # characters of output that are kept


def plain(value: Any) -> Any:
    """A value as JSON knows it: numbers, texts, true and false, lists of these.

    Raises:
        TypeError: it is something else.
    """
    for method in ("tolist", "item"):  # NumPy's and PyTorch's
        if hasattr(value, method) and not isinstance(value, type):
            value = getattr(value, method)()
            break
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, set | frozenset):
        return sorted((plain(one) for one in value), key=repr)
    if isinstance(value, range):
        return list(value)
    if hasattr(value, "__float__"):  # a Fraction, a Decimal
        return float(value)
    raise TypeError(f"`answer` is a {type(value).__name__}: "
                    "make it a number, a text, true, false, or a list of these")


def seed() -> None:
    """The same random numbers for every question, whatever ran before it."""
    random.seed(0)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(0)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)


def run(job: dict[str, str]) -> dict[str, Any]:
    """Run one block: its ``answer``, what it printed, or how it failed."""
    name = f"<{job['id']}>"
    printed = io.StringIO()
    found: dict[str, Any] = {"id": job["id"]}
    names: dict[str, Any] = {"__name__": "__main__"}
    try:
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(io.StringIO()):
            seed()
            exec(compile(job["source"], name, "exec"), names)
        if not job["printed"]:
            if "answer" not in names:
                raise NameError("nothing was assigned to `answer`")
            found["answer"] = plain(names["answer"])
    except BaseException as error:  # SystemExit too: the next question has to run
        if isinstance(error, KeyboardInterrupt):
            raise
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__)
                 if frame.filename == name]
        found["error"] = traceback.format_exception_only(error)[-1].strip()
        found["line"] = lines[-1] if lines else None
    found["printed"] = printed.getvalue()[:LIMIT]
    return found


def main() -> None:
    """Read jobs from standard input, answer on the descriptor that is named first."""
    orders = json.load(sys.stdin)
    sys.path.insert(0, orders["package"])
    with os.fdopen(int(sys.argv[1]), "w", encoding="utf-8") as out:
        for name in orders["imports"]:
            with contextlib.suppress(ImportError):
                __import__(name)  # once, and not on some question's time
        for job in orders["jobs"]:
            print(json.dumps({"begins": job["id"]}), file=out, flush=True)
            print(json.dumps(run(job)), file=out, flush=True)


if __name__ == "__main__":
    main()
