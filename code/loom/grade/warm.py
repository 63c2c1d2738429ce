"""The warm process: it has imported the libraries, and forks a worker per answer."""

from __future__ import annotations

import importlib.util
import json
import os
import socket
import subprocess
import sys
import sysconfig
import tempfile
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loom.errors import fail
from loom.grade.hand import Hand
from loom.grade.watch import outside
from loom.grade.worker.cage import remove, tasks_of_user

if TYPE_CHECKING:
    from loom.grade.sandbox import Sandbox

PROGRAM = Path(__file__).parent / "worker" / "worker.py"
RUN = ("import sys; del sys.argv[0]; __file__ = sys.argv[0]; "
       "exec(compile(open(__file__, encoding='utf-8').read(), '<grader>', 'exec'))")
KEPT = 2  # workers with references that wait for the next answer
START = 120.0  # seconds for the first word of a process that imports torch on a busy machine
LARGE = 1 << 20  # bytes: what is larger is given back at once, so that memory is what is in use
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS",
           "VECLIB_MAXIMUM_THREADS", "NUMEXPR_NUM_THREADS")


class Warm:
    """A process that has imported numpy (and torch) and computed nothing.

    It runs no code of an answer: it forks, and its children do. Use it as a
    context manager; it also ends when the process that made it ends, however
    that happens. Safe to use from several threads.
    """

    namespaces = True  # whether to try them: False makes it as on a system without

    def __init__(self, libraries: frozenset[str] = frozenset(), *,
                 sandbox: Sandbox | None = None) -> None:
        self.libraries = libraries
        self.sandbox = sandbox
        self.caged = False
        self.lacks = ""
        self.memory = 0  # bytes that the libraries take
        self._lock = threading.RLock()
        self._kept: dict[Any, Hand] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._where = ""
        self._count = 0
        self._began = False  # whether it has been asked for, but not heard
        # Folders that the sandbox shows.
        self._shown = {path.resolve() for path in sandbox.packages} if sandbox else set()

    def __enter__(self) -> Warm:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Start the process, and do not wait until it is ready."""
        with self._lock:
            if self._control is None:
                self._start()

    def _start(self) -> None:
        self._where = tempfile.mkdtemp(prefix="loom-grade-")
        ours, theirs = socket.socketpair()
        sites = site_folders(self.libraries)
        shared = os.environ.get("LD_LIBRARY_PATH", "").split(":")
        seen = [sys.base_prefix, *sites, *filter(os.path.isdir, shared)]
        seen = sorted({*map(os.path.abspath, seen), *map(os.path.realpath, seen)} - {"/"})
        setup = {"sites": sites, "libraries": sorted(self.libraries), "where": self._where,
                 "seen": seen, "cage": self.namespaces,
                 "tasks": tasks_of_user() if self.sandbox is not None else 0}
        command = [sys.executable, "-P", "-s", "-S", "-B", "-X", "utf8", "-c", RUN, str(PROGRAM),
                   str(theirs.fileno()), json.dumps(setup)]
        if self.sandbox is not None:
            command = self.sandbox.command(
                command, [*seen, *map(str, sorted(self._shown))], self._where)
        environment = {
            "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "HOME": self._where,
            "TMPDIR": self._where, "PYTHONHASHSEED": "0", **dict.fromkeys(THREADS, "1"),
            "MALLOC_MMAP_THRESHOLD_": str(LARGE),
            **{name: os.environ[name] for name in ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
               if name in os.environ}}
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=self._errors, cwd=self._where, env=environment,
                pass_fds=[theirs.fileno()], start_new_session=True)
        except OSError as error:
            ours.close()
            raise fail(f"a process for the answer cannot be started: {error.strerror}",
                       f"see that {sys.executable} is still there") from error
        finally:
            theirs.close()
        ours.settimeout(START)
        self._control, self._began = ours, True

    def close(self) -> None:
        """End the process and all that its workers left."""
        with self._lock:
            self._stop()

    def keep(self, key: Any, hand: Hand) -> None:
        """Keep a worker that runs trusted code alone, for the next who asks with this key."""
        with self._lock:
            if not hand.alive or hand.warm_process is not self._process:
                hand.close()
                return
            self._kept.setdefault(key, hand)
            if self._kept[key] is not hand:
                hand.close()
            while len(self._kept) > KEPT:
                self._kept.pop(next(iter(self._kept))).close()

    def kept(self, key: Any) -> Hand | None:
        """A worker that was kept with this key; it is the caller's now."""
        with self._lock:
            return self._kept.pop(key, None)

    def _stop(self) -> None:
        kept, self._kept = self._kept, {}
        for hand in kept.values():
            hand.close()
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._process is not None:
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
            self._errors.close()
        remove(self._where)

    def worker(self, packages: Sequence[Path] = (), *, megabytes: int = 512,
               seconds: int = 60) -> Hand:
        """A new worker.

        Args:
            packages: folders that it can import from and see.
            megabytes: memory it may have above what the libraries take.
            seconds: processor time it may use.

        Raises:
            LoomError: the warm process cannot be started.
        """
        ours, theirs = socket.socketpair()
        pairs = [os.pipe() for _ in range(4)]
        fds = [theirs.fileno(), *(write for _, write in pairs)]
        with self._lock:
            self._count += 1
            folder = os.path.join(self._where, str(self._count))
            found = [str(path.resolve()) for path in packages]
            unseen = {path.resolve() for path in packages} - self._shown
            if self.sandbox is not None and unseen:
                self._shown |= unseen  # it is started again where it sees them
                self._stop()
            request = {"op": "fork", "packages": found, "folder": folder, "megabytes": megabytes,
                       "cpu": seconds}
            try:
                reply = self._ask(request, fds)
            except BaseException:
                ours.close()
                for read, _ in pairs:
                    os.close(read)
                raise
            finally:
                theirs.close()
                for _, write in pairs:
                    os.close(write)
            owner, roots = self._process, [int(process) for process in reply["processes"]]
            last = roots[-1] if roots else 0
            if self.sandbox is not None and owner is not None:
                roots = outside(roots, owner.pid, -2 if self.caged else -1)
        hand = Hand(ours, *(read for read, _ in pairs), processes=roots, memory=self.memory,
                    folder="" if self.caged else folder,
                    end=lambda: self._end(owner, last, folder))
        hand.warm_process = owner
        return hand

    def _ask(self, request: dict[str, Any], fds: Sequence[int]) -> dict[str, Any]:
        """Send a request and wait for its reply; a process that is gone is started again."""
        for attempt in (1, 2):
            if self._control is None:
                self._start()
            try:
                self._hear_first()
                assert self._control is not None
                request["folder"] = os.path.join(self._where, str(self._count))
                socket.send_fds(self._control, [json.dumps(request).encode()], list(fds))
                return self._hear()
            except (OSError, ValueError) as error:
                said = self._said()
                self._stop()
                if attempt == 2:
                    raise fail("the process for the answer did not start"
                               + (f": {said}" if said else ""),
                               "see that `python -c 'import numpy"
                               + (", torch'`" if "torch" in self.libraries else "'`")
                               + " works, then try again") from error
        raise AssertionError

    def _hear_first(self) -> None:
        if self._began:
            first = self._hear()
            self.caged, self.lacks = bool(first["caged"]), str(first["lacks"])
            self.memory = int(first["memory"])
            self._began = False

    def ready(self) -> None:
        """Wait until the libraries are imported.

        Raises:
            LoomError: they cannot be.
        """
        with self._lock:
            self._ask({"op": "end", "process": 0}, [])

    def _hear(self) -> dict[str, Any]:
        assert self._control is not None
        text = b""
        while not text.endswith(b"\n"):
            part = self._control.recv(1 << 16)
            if not part:
                raise ConnectionError("the warm process ended")
            text += part
        found: dict[str, Any] = json.loads(text)
        return found

    def _said(self) -> str:
        """The last line that the process wrote about itself."""
        with suppress(OSError, ValueError):
            self._errors.seek(0)
            lines = self._errors.read(1 << 16).decode(errors="replace").splitlines()
            return lines[-1][:300] if lines else ""
        return ""

    def _end(self, owner: object, process: int, folder: str) -> None:
        with self._lock, suppress(OSError, ValueError):
            if self._control is not None and self._process is owner:
                request = {"op": "end", "process": process, "folder": folder}
                self._control.sendall(json.dumps(request).encode())
                self._hear()


def site_folders(libraries: frozenset[str]) -> list[str]:
    """The folders that hold the libraries, without what their ``.pth`` files add."""
    found = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
    for name in ("numpy", *sorted(libraries)):
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            raise fail(f"the library {name} is not installed",
                       f"pip install {name}")
        found.append(str(Path(spec.origin).parents[1]))
    return [path for path in dict.fromkeys(found) if os.path.isdir(path)]
