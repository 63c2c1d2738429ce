"""Inside a worker: loads an answer, makes the calls that the judge asks for, sends what came.

Everything here shares its process with the answer, which can change all of
it: what is sent is data for the judge to look at. Imports nothing of ours.
"""

from __future__ import annotations

import faulthandler
import inspect
import linecache
import os
import random
import signal
import sys
import time
import traceback
import types
import warnings
from contextlib import suppress
from typing import Any

WIRE, TRACE = 62, 63  # where the judge listens; numbers that an answer does not meet by chance
MOST_NAMES, MOST_WARNINGS, MOST_SAID = 1000, 20, 2000
OWN = ("loom", "scratchlm")  # seen only where the exercise's folder has them


class Without:
    """An importer that says why our packages are not there."""

    def __init__(self, folders: list[str]) -> None:
        self.there = {name for name in OWN for folder in folders
                      if os.path.isdir(os.path.join(folder, name))}

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        if name in OWN and name not in self.there:
            raise ModuleNotFoundError(
                f"no module named {name!r} here: this exercise is solved without it", name=name)


class Server:
    """Answers the judge's messages, one after the other."""

    def __init__(self, wire: Any, cage: Any) -> None:
        self.wire, self.cage = wire, cage
        self.me = os.getpid()
        self.module = types.ModuleType("answer")
        self.file = "answer.py"
        self.noted: list[list[Any]] = []
        self.drives: dict[str, Any] = {}
        # As they are before any answer is loaded.
        self.read, self.write, self.pid, self.exit = os.read, os.write, os.getpid, os._exit
        self.pieces, self.value_of = wire.pieces, wire.value_of

    def serve(self) -> None:
        """Until the judge closes its end."""
        while True:
            head = self._bytes(self.wire.HEAD.size)
            message = self.value_of(head + self._bytes(self.wire.frame_size(head)))
            reply = self.load(message) if message["op"] == "load" else self.call(message)
            if self.pid() != self.me:
                self.exit(0)  # a child that the answer forked came back here
            with suppress(BaseException):
                sys.stdout.flush()
                sys.stderr.flush()
            reply["id"] = message["id"]
            for piece in self._framed(reply):
                self._send(piece)

    def _bytes(self, count: int) -> bytes:
        parts = bytearray()
        while len(parts) < count:
            part = self.read(WIRE, min(count - len(parts), 1 << 20))
            if not part:
                self.exit(0)
            parts += part
        return bytes(parts)

    def _send(self, content: Any) -> None:
        view = memoryview(content)
        while view:
            view = view[self.write(WIRE, view):]

    def _framed(self, reply: dict[str, Any]) -> list[Any]:
        """The reply as bytes; what cannot be sent is told instead."""
        try:
            return list(self.pieces(reply))
        except self.wire.Unsendable as error:
            reason = str(error)
        value, rest = reply.pop("value", None), {}
        try:
            self.pieces(value)
            rest = {"unsendable_arguments": reason}
        except self.wire.Unsendable as error:
            rest = {"unsendable": str(error)}
        kept = {k: v for k, v in reply.items() if k not in ("args", "kwargs", "value")}
        return list(self.pieces({**kept, **rest}))

    def load(self, message: dict[str, Any]) -> dict[str, Any]:
        """Run an answer's file; which names it defines."""
        source, self.file = message["source"], message["file"]
        self._seed(message["seed"])
        linecache.cache[self.file] = (len(source), None, source.splitlines(True), self.file)
        sys.modules["answer"] = self.module
        self.module.__file__ = self.file
        try:
            with self._noting(message["seconds"]):
                code = compile(source, self.file, "exec", dont_inherit=True)
                exec(code, self.module.__dict__)
        except BaseException as error:
            return {"raised": self._raised(error), "warnings": self.noted}
        names = [[name, callable(value)] for name, value in list(self.module.__dict__.items())
                 if type(name) is str and not name.startswith("__")]
        return {"names": names[:MOST_NAMES], "warnings": self.noted}

    def call(self, message: dict[str, Any]) -> dict[str, Any]:
        """Make one call, and tell what came of it and of its arguments."""
        args, kwargs = message["args"], message["kwargs"]
        self._seed(message["seed"])
        try:
            function = self._function(message)
            if not message["drive"]:
                wrong = self._arity(function, args, kwargs)
                if wrong is not None:
                    return {"signature": wrong, "warnings": []}
            with self._noting(message["seconds"]), self.cage.less_memory(message["megabytes"]):
                started = time.perf_counter()
                value = function(*args, **kwargs)
                took = time.perf_counter() - started
        except BaseException as error:
            return {"raised": self._raised(error), "warnings": self.noted}
        return {"value": value, "took": took, "args": args, "kwargs": kwargs,
                "warnings": self.noted}

    def _function(self, message: dict[str, Any]) -> Any:
        if not message["drive"]:
            return getattr(self.module, message["call"])
        space: dict[str, Any] = {"np": sys.modules["numpy"], "__name__": "drive"}
        source = message["drive"]
        if source not in self.drives:
            self.drives[source] = compile(source, "<grader: drive>", "exec")
        exec(self.drives[source], space)
        drive = space[message["call"]]
        return lambda *args, **kwargs: drive(self.module, *args, **kwargs)

    @staticmethod
    def _arity(function: Any, args: list[Any], kwargs: dict[str, Any]) -> str | None:
        """The function's own parameters, if it cannot be called like this."""
        try:
            signature = inspect.signature(function)
        except BaseException:
            return None
        try:
            signature.bind(*args, **kwargs)
        except TypeError:
            bare = [p.replace(annotation=inspect.Parameter.empty)
                    for p in signature.parameters.values()]
            return str(inspect.Signature(bare))[:200]
        return None

    def _noting(self, seconds: float) -> Any:
        """A context in which warnings are noted, and which says where it is when time is short."""
        server = self

        class Noting:
            def __enter__(self) -> None:
                server.noted = []
                server.module.__dict__.pop("__warningregistry__", None)
                warnings.resetwarnings()
                warnings.simplefilter("default")
                for kind in (ResourceWarning, PendingDeprecationWarning, ImportWarning):
                    warnings.simplefilter("ignore", kind)
                warnings.showwarning = server._note
                faulthandler.register(signal.SIGALRM, file=TRACE, all_threads=False)
                signal.setitimer(signal.ITIMER_REAL, max(0.02, seconds * 0.9))

            def __exit__(self, *_: Any) -> None:
                signal.setitimer(signal.ITIMER_REAL, 0)
                faulthandler.unregister(signal.SIGALRM)

        return Noting()

    def _note(self, message: Any, category: Any, filename: str, lineno: int,
              *_: Any, **__: Any) -> None:
        if filename == self.file and len(self.noted) < MOST_WARNINGS:
            self.noted.append([str(category.__name__), str(message)[:200], int(lineno)])

    def _raised(self, error: BaseException) -> dict[str, Any]:
        """An exception as data: its type, its text, the answer's lines it passed through."""
        try:
            text = str(error)[:MOST_SAID]
        except BaseException:
            text = "(its text cannot be shown)"
        lines = []
        with suppress(BaseException):
            for frame, line in traceback.walk_tb(error.__traceback__):
                if frame.f_code.co_filename == self.file:
                    lines.append(int(line))
        if isinstance(error, SyntaxError) and error.filename == self.file:
            lines = [int(error.lineno or 0)]
            text = str(error.msg)
        kinds = [str(kind.__name__) for kind in type(error).__mro__]
        return {"kinds": kinds, "text": text, "lines": lines[-30:],
                "file_level": not lines or isinstance(error, SyntaxError)}

    @staticmethod
    def _seed(seed: int) -> None:
        random.seed(seed)
        sys.modules["numpy"].random.seed(seed % (1 << 32))
        if "torch" in sys.modules:
            # The processor only: `torch.manual_seed` asks for graphics cards, too, and takes long.
            sys.modules["torch"].default_generator.manual_seed(seed)
