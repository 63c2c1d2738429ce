"""The process that runs answers: run by its path, with ``python -P -s -S -B``.

Started by the judge, it imports numpy (and torch) and computes nothing. For
each request it forks a worker, which enters a world of its own (``world``),
loads one answer and answers calls over ``wire``. Nothing here gives a verdict:
what a worker sends is data for the judge to look at. Imports the files that
stand beside it, and nothing else of ours.
"""

from __future__ import annotations

import faulthandler
import gc
import importlib
import importlib.util
import json
import os
import select
import signal
import socket
import sys
import tempfile
from contextlib import suppress
from types import SimpleNamespace
from typing import Any, NoReturn

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
    builder, trial = _builder(cage, setup)
    tools = SimpleNamespace(
        cage=cage, **{name: _beside(name) for name in ("wire", "filter", "serve")})
    for name in READY:
        importlib.import_module(name)
    if "torch" in setup["libraries"]:
        import torch

        torch.set_num_threads(1)
        tools.wire.use_torch(torch)
    caged, lacks, setup["tasks"] = trial()
    if builder is not None and not caged:
        builder.close()
        builder = None
    cage.note_data()
    gc.collect()
    gc.freeze()
    cage.gather_pages()
    crew = Crew(tools, setup, builder)
    with suppress(ConnectionError):  # who started this may be gone already
        _say(control.fileno(), {"caged": caged, "lacks": lacks, "memory": _memory()})
        _serve(control, crew)
    crew.close()
    cage.remove(setup["where"])
    os._exit(0)


def _serve(control: socket.socket, crew: Crew) -> None:
    """Do what the judge asks for, and hear of workers that end, until it closes its end."""
    bell, ring = socket.socketpair()
    ring.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(ring.fileno(), warn_on_full_buffer=False)
    while True:
        heard, _, _ = select.select([control, bell], [], [])
        if bell in heard:
            bell.recv(1 << 12)
            crew.tell()
        if control not in heard:
            continue
        text, fds, _, _ = socket.recv_fds(control, 1 << 16, 8)
        if not text:
            return
        request = json.loads(text)
        if request["op"] == "fork":
            _say(control.fileno(), {"processes": crew.add(request, fds)})
        else:
            crew.end(request["process"], request["folder"])
            _say(control.fileno(), {"ended": True})


def _say(fd: int, message: dict[str, Any]) -> None:
    os.write(fd, json.dumps(message).encode() + b"\n")


def _memory() -> int:
    """Bytes that are this process's own."""
    with suppress(OSError), open("/proc/self/statm") as file:
        _, resident, shared, *_ = map(int, file.read().split())
        return (resident - shared) * os.sysconf("SC_PAGESIZE")
    return 0


def _builder(cage: Any, setup: dict[str, Any]) -> tuple[Any, Any]:
    """What builds worlds, if it can be had, and a function for how a trial of it ended.

    The trial runs in a child, while the libraries load. It says whether there
    are worlds, what they lack, and how many tasks this user has.
    """
    builder, problem = None, ""
    if setup["cage"]:
        world = _beside("world")
        try:
            cage.gain_rights()
            builder = world.Builder(cage, setup["where"], setup["seen"])
        except OSError as error:
            problem = str(error)
    ear, mouth = os.pipe()
    child = os.fork()
    if child == 0:
        told = [False, problem]
        try:
            if builder is not None:
                trial = builder.take()
                failed = os.waitpid(trial.fork(lambda: None), 0)[1]
                trial.end()
                told = [False, "it cannot be entered"] if failed else [True, trial.lacks]
        except BaseException as error:
            told = [False, str(error)]
        tasks = setup["tasks"] or cage.tasks_of_user()
        os.write(mouth, json.dumps([*told, tasks]).encode())
        os._exit(0)
    os.close(mouth)

    def result() -> Any:
        with open(ear, "rb") as file:
            text = file.read()
        os.waitpid(child, 0)
        return json.loads(text) if text else (False, "namespaces fail", 0)

    return builder, result


class Crew:
    """The workers, and what else there is for each."""

    def __init__(self, tools: Any, setup: dict[str, Any], builder: Any) -> None:
        self.tools, self.setup, self.builder = tools, setup, builder
        self.worlds: dict[int, Any] = {}
        self.status: dict[int, int] = {}  # where to tell how a worker ended
        self.workers: list[int] = []

    def add(self, request: dict[str, Any], fds: list[int]) -> list[int]:
        """Fork a worker; the processes at whose roots all of its own stand, it the last."""
        parent = os.getpid()
        if self.builder is None:
            worker = os.fork()
            if worker == 0:
                self.tools.cage.close_files(0, 1, 2, *fds)
                _supervise(self.tools, {**self.setup, **request}, fds, parent)
            for fd in fds:
                os.close(fd)
            self.workers.append(worker)
            return [worker]
        status = fds.pop()
        try:
            world, worker = self._enter(request, fds)
        except OSError as error:
            if isinstance(error, ConnectionError) or self.builder.lost():
                os._exit(1)  # no builder can be forked from here; the judge starts all again
            with suppress(OSError):
                _say(status, {"failed": str(error)})
            os.close(status)
            return []
        finally:
            for fd in fds:
                os.close(fd)
        with suppress(OSError):
            _say(status, {"ready": True})
        self.workers.append(worker)
        self.worlds[worker], self.status[worker] = world, status
        return [world.first, worker]

    def _enter(self, request: dict[str, Any], fds: list[int]) -> tuple[Any, int]:
        """A world, and a worker in it; a second one if the first was lost."""
        for attempt in (1, 2):
            world = self.builder.take(request["packages"])
            try:
                return world, world.fork(lambda: _become(
                    self.tools, {**self.setup, **request, "caged": True}, *fds))
            except OSError:
                world.end()
                if attempt == 2:
                    raise
        raise AssertionError

    def tell(self) -> None:
        """Tell of workers that have ended how they did. They keep their numbers until ``end``."""
        for worker in list(self.status):
            found = os.waitid(os.P_PID, worker, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if found is not None:
                status = self.status.pop(worker)
                kind = "exit" if found.si_code == os.CLD_EXITED else "signal"
                with suppress(OSError):
                    _say(status, {kind: found.si_status})
                os.close(status)

    def end(self, worker: int, folder: str) -> None:
        """End a worker and all that it started; empty its folder."""
        if worker in self.workers:
            self.workers.remove(worker)
            world = self.worlds.pop(worker, None)
            if world is not None:
                world.end(self._end_strays)
                if worker in self.status:
                    os.close(self.status.pop(worker))
            else:
                for end in (os.killpg, os.kill):
                    with suppress(OSError):
                        end(worker, signal.SIGKILL)
                with suppress(OSError):
                    os.waitpid(worker, 0)
        self._end_strays()
        if folder:
            self.tools.cage.remove(folder)

    def _end_strays(self) -> None:
        """End and reap every child that is no worker: strays, and workers that are to go."""
        ours = [self.builder.process] if self.builder else []
        self.tools.cage.end_strays([*self.workers, *ours])

    def close(self) -> None:
        """End everybody."""
        for worker in list(self.workers):
            self.end(worker, "")
        if self.builder is not None:
            self.builder.close()


def _how(code: int) -> dict[str, int]:
    """How a process ended, in words of ours."""
    number = os.waitstatus_to_exitcode(code)
    return {"signal": -number} if number < 0 else {"exit": number}


def _supervise(tools: Any, request: dict[str, Any], fds: list[int],
               parent: int) -> NoReturn:
    """Be the parent of a worker that has no world of its own; tell how it ended."""
    cage = tools.cage
    try:
        channel, out, err, trace, status = fds
        cage.prctl(cage.PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(0)
        os.setsid()  # one group, which is ended as one where there is nothing better
        cage.prctl(cage.PR_SET_CHILD_SUBREAPER, 1)
        os.makedirs(request["folder"])
        os.chdir(request["folder"])
        worker = os.fork()
        if worker == 0:
            os.close(status)
            _become(tools, {**request, "caged": False}, channel, out, err, trace)
        for fd in (channel, out, err, trace):
            os.close(fd)
        cage.prctl(cage.PR_SET_DUMPABLE, 0)
        _say(status, {"ready": True})
        ended, code = os.wait()
        while ended != worker:
            ended, code = os.wait()
        _say(status, _how(code))
        cage.end_strays()
    except BaseException as error:
        with suppress(OSError):
            _say(status, {"failed": f"{type(error).__name__}: {error}"})
    os._exit(0)


def _become(tools: Any, request: dict[str, Any], channel: int, out: int,
            err: int, trace: int) -> NoReturn:
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
        cage.close_files(0, 1, 2, tools.serve.WIRE, tools.serve.TRACE)
        here = os.getcwd()
        os.environ.update(HOME=here, TMPDIR=here, PWD=here)
        tempfile.tempdir = here
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGINT, signal.SIGPIPE, signal.SIGTERM, signal.SIGCHLD):
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
        if not tools.filter.refuse() and request["caged"]:
            raise OSError(0, "no filter of calls")
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
