"""What a worker and all its descendants take, seen from outside."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from contextlib import suppress

MOST_PROCESSES = 32
MOST_THREADS = 256
MOST_DISK = 64 << 20
TAKEN = re.compile(rb"^(?:RssAnon|RssShmem):\s*(\d+) kB$", re.M)
THREADS = re.compile(rb"^Threads:\s*(\d+)$", re.M)


class Watch:
    """Looks at the trees of processes below some, and says when it is too much."""

    def __init__(self, processes: Sequence[int], memory: int, folder: str) -> None:
        self.processes, self.memory, self.folder = tuple(processes), memory, folder
        self.most = 0
        self._direct = os.path.exists(f"/proc/self/task/{os.getpid()}/children")
        self._files: dict[str, int] = {}  # of these processes, kept open: they are read often

    def begin(self, most: int) -> None:
        """From now on they may take so many bytes more than the libraries do."""
        self.most = most

    def close(self) -> None:
        """Look no more."""
        for file in self._files.values():
            os.close(file)
        self._files = {}

    def excess(self) -> str:
        """What there is too much of: ``memory``, ``processes``, ``disk``; or nothing."""
        count = threads = memory = 0
        left = list(self.processes) if self._direct else self._asked()
        while left:
            process = left.pop()
            tasks, own, children = self._look(process)
            count, threads, memory = count + 1, threads + tasks, memory + max(0, own - self.memory)
            left += children
            if count > MOST_PROCESSES + len(self.processes) or threads > MOST_THREADS:
                return "processes"
        if memory > self.most:
            return "memory"
        return "disk" if self.folder and self._written() > MOST_DISK else ""

    def _look(self, process: int) -> tuple[int, int, list[int]]:
        """A process's threads, its bytes of memory that are not a file's, and its children."""
        if not self._direct:
            return 1, self._resident(process), []
        status = self._read(process, "status")
        threads, taken = sum(map(int, THREADS.findall(status))), TAKEN.findall(status)
        names = [process] if threads == 1 else []
        if threads > 1:
            with suppress(OSError):
                names = [int(name) for name in os.listdir(f"/proc/{process}/task")]
        for name in names:
            if not taken:  # its first thread has ended, and tells nothing any more
                taken = TAKEN.findall(self._read(process, f"task/{name}/status"))
        children = [int(child) for name in names
                    for child in self._read(process, f"task/{name}/children").split()]
        return threads, sum(int(part) << 10 for part in taken), children

    def _read(self, process: int, name: str) -> bytes:
        """What a file below ``/proc`` holds; nothing where the process is gone."""
        path = f"/proc/{process}/{name}"
        with suppress(FileNotFoundError, ProcessLookupError, PermissionError):
            if process not in self.processes or name not in ("status", f"task/{process}/children"):
                with open(path, "rb") as file:
                    return file.read()
            if path not in self._files:
                self._files[path] = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            return os.pread(self._files[path], 1 << 16, 0)
        return b""

    def _asked(self) -> list[int]:
        import psutil  # type: ignore[import-untyped,unused-ignore]

        found = list(self.processes)
        for process in self.processes:
            with suppress(psutil.Error):
                found += [c.pid for c in psutil.Process(process).children(recursive=True)]
        return found

    def _resident(self, process: int) -> int:
        import psutil

        with suppress(psutil.Error):
            return int(psutil.Process(process).memory_info().rss)
        return 0

    def _written(self) -> int:
        total = 0
        for folder, _, names in os.walk(self.folder):
            for name in names:
                with suppress(OSError):
                    total += os.lstat(os.path.join(folder, name)).st_size
        return total


def below(process: int) -> list[int]:
    """A process and its descendants (Linux), as many as are worth counting."""
    found = [process]
    for one in found:
        if len(found) > 10 * MOST_PROCESSES:
            break
        with suppress(OSError):
            for thread in os.listdir(f"/proc/{one}/task"):
                with open(f"/proc/{one}/task/{thread}/children") as file:
                    found += map(int, file.read().split())
    return found


def outside(processes: Sequence[int], top: int, level: int) -> list[int]:
    """The numbers out here of the innermost processes that a sandbox below ``top`` holds.

    Args:
        processes: their numbers in the sandbox.
        level: where those stand among the numbers that each has: -1 if it has
            none further in, -2 if it has one.
    """
    numbers: dict[int, list[int]] = {}
    for one in below(top):
        with suppress(OSError), open(f"/proc/{one}/status") as file:
            for line in file:
                if line.startswith("NSpid:"):
                    numbers[one] = [int(part) for part in line.split()[1:]]
    depth = max(map(len, numbers.values()), default=0)
    found = {known[level]: one for one, known in numbers.items()
             if len(known) == depth >= -level}
    return [found.get(process, top) for process in processes]
