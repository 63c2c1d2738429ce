"""The process that runs answers: run by its path, with ``python -P -s -S -B``.

Started by the judge, it imports numpy (and torch) and computes nothing. For
each request it forks a worker, which moves into namespaces of its own
(``cage``), loads one answer and answers calls over ``wire``. Nothing here
gives a verdict: what a worker sends is data for the judge to look at. Imports
``wire``, ``cage``, ``filter`` and ``serve``, which stand beside it, and
nothing else of ours.
"""

from __future__ import annotations

import faulthandler
import gc
import importlib
import importlib.util
import json
import os
import signal
import socket
import sys
import tempfile
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

READY = ("ast", "dataclasses", "inspect", "linecache", "numpy.random", "numpy.linalg", "typing")


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
    tools = SimpleNamespace(
        cage=cage, **{name: _beside(name) for name in ("wire", "filter", "serve")})
    for name in READY:
        importlib.import_module(name)
    if "torch" in setup["libraries"]:
        import torch

        torch.set_num_threads(1)
        tools.wire.use_torch(torch)
    caged, lacks, setup["tasks"] = trial() if trial else (False, "", cage.tasks_of_user())
    gc.collect()
    gc.freeze()
    cage.gather_pages()
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
                _supervise(tools, {**setup, **request, "caged": caged}, fds, parent)
            known.append(child)
            for fd in fds:
                os.close(fd)
            _say(control.fileno(), {"process": child})
        else:
            _end(cage, known, request["process"], request["folder"])
            _say(control.fileno(), {"ended": True})
    for process in list(known):
        _end(cage, known, process, "")
    cage.remove(setup["where"])
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
        for end in (os.killpg, os.kill):
            with suppress(OSError):
                end(process, signal.SIGKILL)
        with suppress(OSError):
            os.waitpid(process, 0)
    cage.end_strays(known)
    if folder:
        cage.remove(folder)


def _supervise(tools: Any, request: dict[str, Any], fds: list[int],
               parent: int) -> None:
    """Be the first process of a worker's world; tell how the worker ended."""
    cage = tools.cage
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
            os.setsid()  # one group, which is ended as one where there is nothing better
            cage.prctl(cage.PR_SET_CHILD_SUBREAPER, 1)
            os.makedirs(request["folder"])
            os.chdir(request["folder"])
        worker = os.fork()
        if worker == 0:
            os.close(status)
            _become(tools, request, channel, out, err, trace)
        for fd in (channel, out, err, trace):
            os.close(fd)
        cage.prctl(cage.PR_SET_DUMPABLE, 0)
        _say(status, {"ready": True})
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


def _become(tools: Any, request: dict[str, Any], channel: int, out: int,
            err: int, trace: int) -> None:
    """Turn a fresh fork into a worker, and serve."""
    cage = tools.cage
    try:
        if request["caged"]:
            os.setsid()
        else:  # other workers of this user are not to read this one's memory
            cage.prctl(cage.PR_SET_DUMPABLE, 0)
        cage.prctl(cage.PR_SET_PDEATHSIG, signal.SIGKILL)
        null = os.open(os.devnull, os.O_RDONLY)
        high = [os.dup2(fd, 200 + n) for n, fd in enumerate((null, out, err, channel, trace))]
        for fd, number in zip(high, (0, 1, 2, tools.serve.WIRE, tools.serve.TRACE), strict=True):
            os.dup2(fd, number)
        os.closerange(3, tools.serve.WIRE)
        os.closerange(tools.serve.TRACE + 1, 4096)
        here = os.getcwd()
        os.environ.update(HOME=here, TMPDIR=here, PWD=here)
        tempfile.tempdir = here
        for number in (signal.SIGINT, signal.SIGPIPE, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        sys.path[:0] = request["packages"]
        sys.argv[:] = ["answer"]
        sys.meta_path.insert(0, tools.serve.Without(request["packages"]))
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
        sys.stdout = open(1, "w", 1, encoding="utf-8", closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", 1, encoding="utf-8", closefd=False)  # noqa: SIM115
        for name in ("stdin", "stdout", "stderr"):
            setattr(sys, f"__{name}__", getattr(sys, name))
        cage.drop_rights()
        tools.filter.refuse()
        cage.limit(request["megabytes"], request["cpu"],
                   request["tasks"] + 128 if request["tasks"] else 0)
        faulthandler.enable(file=tools.serve.TRACE, all_threads=False)
        tools.serve.Server(tools.wire, cage).serve()
    except BaseException as error:
        with suppress(BaseException):
            os.write(tools.serve.TRACE, f"worker: {type(error).__name__}: {error}".encode())
    os._exit(70)


if __name__ == "__main__":
    main()
