"""What a worker and all its descendants take, seen from outside."""

from __future__ import annotations

import os
import re
from contextlib import suppress

MOST_PROCESSES = 32
MOST_THREADS = 256
MOST_DISK = 64 << 20
OWN = re.compile(rb"^(?:RssAnon|RssShmem):\s*(\d+) kB$", re.M)


class Watch:
    """Looks at the tree of processes below one, and says when it is too much."""

    def __init__(self, process: int, memory: int, folder: str) -> None:
        self.process, self.memory, self.folder = process, memory, folder
        self.most = 0
        self._direct = os.path.exists(f"/proc/self/task/{os.getpid()}/children")

    def begin(self, most: int) -> None:
        """From now on the tree may take so many bytes more than the libraries do."""
        self.most = most

    def excess(self) -> str:
        """What there is too much of: ``memory``, ``processes``, ``disk``; or nothing."""
        threads, memory = 0, 0
        tree = self._tree()
        if len(tree) > MOST_PROCESSES + 3:
            return "processes"
        for process in tree:
            threads += self._threads(process)
            memory += max(0, self._own(process) - self.memory)
        if threads > MOST_THREADS:
            return "processes"
        if memory > self.most:
            return "memory"
        return "disk" if self.folder and self._written() > MOST_DISK else ""

    def _tree(self) -> list[int]:
        """The process and its descendants."""
        if not self._direct:
            return self._asked()
        return below(self.process)

    def _asked(self) -> list[int]:
        import psutil  # type: ignore[import-untyped,unused-ignore]

        with suppress(psutil.Error):
            parent = psutil.Process(self.process)
            return [self.process, *(child.pid for child in parent.children(recursive=True))]
        return []

    def _threads(self, process: int) -> int:
        with suppress(OSError):
            return os.stat(f"/proc/{process}/task").st_nlink - 2
        return 1

    def _own(self, process: int) -> int:
        """Bytes of memory that are not a file's, shared memory included."""
        with suppress(OSError), open(f"/proc/{process}/status", "rb") as file:
            return sum(int(part) << 10 for part in OWN.findall(file.read()))
        if not self._direct:
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


def outside(process: int, top: int) -> int:
    """The number out here of a process that a sandbox below ``top`` knows by another."""
    for one in below(top):
        with suppress(OSError), open(f"/proc/{one}/status") as file:
            for line in file:
                if line.startswith("NSpid:") and line.split()[-1] == str(process):
                    return one
    return top
