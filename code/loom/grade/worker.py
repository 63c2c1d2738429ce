"""The process that runs answers: run by its path, with ``python -P -s -S -B``.

Started by the judge, it imports numpy (and torch) and computes nothing. For
each request it forks a worker, which moves into namespaces of its own
(``cage``), loads one answer and answers calls over ``wire``. Nothing here
gives a verdict: what a worker sends is data for the judge to look at. Imports
``wire``, ``cage`` and ``filter``, which stand beside it, and nothing else of ours.
"""

from __future__ import annotations

import faulthandler
import gc
import importlib
import importlib.util
import inspect
import json
import linecache
import os
import random
import shutil
import signal
import socket
import sys
import tempfile
import time
import traceback
import types
import warnings
from contextlib import suppress
from typing import Any

WIRE, TRACE = 62, 63  # where the judge listens; numbers that an answer does not meet by chance
MOST_NAMES, MOST_WARNINGS, MOST_SAID = 1000, 20, 2000
READY = ("ast", "dataclasses", "inspect", "linecache", "numpy.random", "numpy.linalg", "typing")
OWN = ("loom", "scratchlm")  # seen only where the exercise's folder has them


def _beside(name: str) -> Any:
    """Import a file that stands beside this one."""
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), f"{name}.py")
    spec = importlib.util.spec_from_file_location(f"_loom_{name}", path)
    assert spec
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    with open(path, encoding="utf-8") as file:
        exec(compile(file.read(), f"<grader: {name}>", "exec"), module.__dict__)
    return module


def main() -> None:
    """Serve requests for workers until the judge closes its end."""
    control = socket.socket(fileno=int(sys.argv[1]))
    setup = json.loads(sys.argv[2])
    sys.path[:] = [p for p in sys.path if p != os.path.dirname(os.path.abspath(__file__))]
    sys.path += setup["sites"]
    cage = _beside("cage")
    cage.prctl(cage.PR_SET_CHILD_SUBREAPER, 1)
    trial = _try(cage, setup) if setup["cage"] else None
    wire, filter_ = _beside("wire"), _beside("filter")
    for name in READY:
        importlib.import_module(name)
    if "torch" in setup["libraries"]:
        import torch

        torch.set_num_threads(1)
        wire.use_torch(torch)
    caged, lacks, setup["tasks"] = trial() if trial else (False, "", cage.tasks_of_user())
    gc.collect()
    gc.freeze()
    _say(control.fileno(), {"caged": caged, "lacks": lacks, "memory": _memory()})
    known: list[int] = []
    while True:
        text, fds, _, _ = socket.recv_fds(control, 1 << 16, 8)
        if not text:
            break
        request = json.loads(text)
        if request["op"] == "fork":
            parent, child = os.getpid(), os.fork()
            if child == 0:
                control.close()
                _supervise(cage, wire, filter_, {**setup, **request, "caged": caged}, fds, parent)
            known.append(child)
            for fd in fds:
                os.close(fd)
            _say(control.fileno(), {"process": child})
        else:
            _end(cage, known, request["process"], request["folder"])
            _say(control.fileno(), {"ended": True})
    for process in list(known):
        _end(cage, known, process, "")
    shutil.rmtree(setup["where"], ignore_errors=True)
    os._exit(0)


def _say(fd: int, message: dict[str, Any]) -> None:
    os.write(fd, json.dumps(message).encode() + b"\n")


def _memory() -> int:
    """Bytes that are this process's own."""
    with suppress(OSError), open("/proc/self/statm") as file:
        _, resident, shared, *_ = map(int, file.read().split())
        return (resident - shared) * os.sysconf("SC_PAGESIZE")
    return 0


def _try(cage: Any, setup: dict[str, Any]) -> Any:
    """Try the namespaces in a child, while the libraries load; the result when called."""
    ear, mouth = os.pipe()
    child = os.fork()
    if child == 0:
        tasks = setup["tasks"] or cage.tasks_of_user()
        try:
            cage.leave_world()
            first = os.fork()
            if first == 0:
                lacks = cage.build_root(setup["where"], setup["seen"])
                cage.drop_rights()
                os.write(mouth, json.dumps([True, lacks, tasks]).encode())
                os._exit(0)
            os.waitpid(first, 0)
        except BaseException as error:
            os.write(mouth, json.dumps([False, str(error), tasks]).encode())
        os._exit(0)
    os.close(mouth)

    def result() -> Any:
        with open(ear, "rb") as file:
            text = file.read()
        os.waitpid(child, 0)
        return json.loads(text) if text else (False, "namespaces fail", 0)

    return result


def _end(cage: Any, known: list[int], process: int, folder: str) -> None:
    """Kill a supervisor and all that its worker started; empty its folder."""
    if process in known:
        known.remove(process)
        with suppress(OSError):
            os.kill(process, signal.SIGKILL)
        with suppress(OSError):
            os.waitpid(process, 0)
    cage.end_strays(known)
    if folder:
        shutil.rmtree(folder, ignore_errors=True)


def _supervise(cage: Any, wire: Any, filter_: Any, request: dict[str, Any], fds: list[int],
               parent: int) -> None:
    """Be the first process of a worker's world; tell how the worker ended."""
    try:
        channel, out, err, trace, status = fds
        cage.prctl(cage.PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(0)
        if request["caged"]:
            cage.leave_world()
            first = os.fork()
            if first:
                for fd in fds:
                    os.close(fd)
                os.waitpid(first, 0)
                os._exit(0)
            cage.prctl(cage.PR_SET_PDEATHSIG, signal.SIGKILL)
            cage.note_data()
            cage.build_root(request["where"], [*request["seen"], *request["packages"]])
        else:
            cage.prctl(cage.PR_SET_CHILD_SUBREAPER, 1)
            os.makedirs(request["folder"])
            os.chdir(request["folder"])
        worker = os.fork()
        if worker == 0:
            os.close(status)
            _become(cage, wire, filter_, request, channel, out, err, trace)
        for fd in (channel, out, err, trace):
            os.close(fd)
        cage.prctl(cage.PR_SET_DUMPABLE, 0)
        ended, code = os.wait()
        while ended != worker:
            ended, code = os.wait()
        number = os.waitstatus_to_exitcode(code)
        _say(status, {"signal": -number} if number < 0 else {"exit": number})
        if not request["caged"]:
            cage.end_strays()
    except BaseException as error:
        with suppress(OSError):
            _say(status, {"failed": f"{type(error).__name__}: {error}"})
    os._exit(0)


def _become(cage: Any, wire: Any, filter_: Any, request: dict[str, Any], channel: int, out: int,
            err: int, trace: int) -> None:
    """Turn a fresh fork into a worker, and serve."""
    try:
        os.setsid()
        cage.prctl(cage.PR_SET_PDEATHSIG, signal.SIGKILL)
        null = os.open(os.devnull, os.O_RDONLY)
        high = [os.dup2(fd, 200 + n) for n, fd in enumerate((null, out, err, channel, trace))]
        for fd, number in zip(high, (0, 1, 2, WIRE, TRACE), strict=True):
            os.dup2(fd, number)
        os.closerange(3, WIRE)
        os.closerange(TRACE + 1, 4096)
        here = os.getcwd()
        os.environ.update(HOME=here, TMPDIR=here, PWD=here)
        tempfile.tempdir = here
        for number in (signal.SIGINT, signal.SIGPIPE, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        sys.path[:0] = request["packages"]
        sys.argv[:] = ["answer"]
        sys.meta_path.insert(0, _Without(request["packages"]))
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
        sys.stdout = open(1, "w", 1, encoding="utf-8", closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", 1, encoding="utf-8", closefd=False)  # noqa: SIM115
        for name in ("stdin", "stdout", "stderr"):
            setattr(sys, f"__{name}__", getattr(sys, name))
        cage.drop_rights()
        filter_.refuse()
        cage.limit(request["megabytes"], request["cpu"],
                   request["tasks"] + 128 if request["tasks"] else 0)
        faulthandler.enable(file=TRACE, all_threads=False)
        Server(wire, cage).serve()
    except BaseException as error:
        with suppress(BaseException):
            os.write(TRACE, f"worker: {type(error).__name__}: {error}".encode())
    os._exit(70)


class _Without:
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
        exec(compile(message["drive"], "<grader: drive>", "exec"), space)
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
                faulthandler.dump_traceback_later(max(0.02, seconds * 0.9), file=TRACE)

            def __exit__(self, *_: Any) -> None:
                faulthandler.cancel_dump_traceback_later()

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
            sys.modules["torch"].manual_seed(seed)


if __name__ == "__main__":
    main()
