"""Running somebody else's work: the warm process itself inside bubblewrap."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from loom.errors import LoomError, fail
from loom.grade.worker.cage import SYSTEM

WORKER = Path(__file__).parent / "worker"


@dataclass(frozen=True)
class Sandbox:
    """A sandbox made by bubblewrap; each warm process gets one of its own.

    Inside there is no network, no other process, and of the files only the
    system's programs and Python with its libraries, read-only. The judge's
    folder, the book, homes and other submissions are not there.
    """

    program: str = field(default_factory=lambda: shutil.which("bwrap") or "")
    packages: tuple[Path, ...] = ()

    def command(self, command: Sequence[str], seen: Sequence[str], where: str) -> list[str]:
        """The command that runs another one inside.

        Args:
            command: what is run.
            seen: files and folders that it sees, read-only.
            where: the folder that it may write to, which is there empty.

        Raises:
            LoomError: there is no bubblewrap.
        """
        if not self.program:
            raise fail("there is no bubblewrap (`bwrap`) on this computer",
                       "install the package `bubblewrap`, or run without the sandbox")
        shown: list[str] = []
        ours = [str(path) for path in sorted(WORKER.glob("*.py"))]
        executable = command[0]
        links = [executable, *_chain(executable)]
        for path in dict.fromkeys([*SYSTEM, *seen, *ours, *links, *map(str, self.packages)]):
            if os.path.islink(path) and path in SYSTEM:
                shown += ["--symlink", os.readlink(path), path]
            elif os.path.lexists(path):
                shown += ["--ro-bind", path, path]
        # Root's number could not be mapped again by the worlds that workers make inside.
        user = ["--unshare-user", "--uid", "1000", "--gid", "1000"] if os.getuid() == 0 else []
        return [self.program, "--unshare-all", *user, "--die-with-parent", "--new-session",
                "--cap-drop", "ALL", "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp",
                *shown, "--dir", where, "--chdir", where, "--", *command]


@dataclass(frozen=True)
class Protection:
    """What stands between this computer and the answers that are judged on it.

    Attributes:
        apart: whether answers run apart from the rest of the computer.
        bubblewrap: whether that is bubblewrap's doing, and not ours alone.
        sentences: what is protected, and what is not.
        lacks: what is missing although they run apart.
    """

    apart: bool
    bubblewrap: bool
    sentences: tuple[str, ...]
    lacks: tuple[str, ...] = ()


PROTECTED = ("no answer reaches the network", "no answer sees or writes your files: it sees "
             "Python, its libraries and the system's programs, and an empty folder of its own",
             "no process that an answer starts outlives it")
ALWAYS = ("answers run in a process of their own, which sends data and never a verdict; time, "
          "memory, output and files are limited")
OPEN = ("an answer can use the network", "an answer can read and write the files that you can",
        "a process that an answer starts and hides may outlive it")
OPEN_LINUX = OPEN[:2]  # what is left is found by other means there


def sandbox_available() -> Protection:
    """Try what this computer has, and say what it protects.

    Raises:
        LoomError: no process for answers can be started at all.
    """
    from loom.grade.warm import Warm

    sandbox = Sandbox()
    reason = ""
    if sandbox.program:
        with Warm(sandbox=sandbox) as warm:
            try:
                warm.ready()
                return Protection(True, True, (ALWAYS, *PROTECTED))
            except LoomError:
                reason = "bubblewrap is installed, but does not run here"
    with Warm() as warm:
        warm.ready()
        if warm.caged:
            lacks = (f"but {warm.lacks}",) if warm.lacks else ()
            return Protection(True, False, (ALWAYS, *PROTECTED, *lacks), lacks)
        reason = reason or warm.lacks
    left = OPEN_LINUX if sys.platform == "linux" else OPEN
    return Protection(False, False, (ALWAYS, *left, *((reason,) if reason else ())))


def _chain(path: str) -> list[str]:
    """Where a chain of links leads, step by step."""
    found: list[str] = []
    while os.path.islink(path) and len(found) < 20:
        path = os.path.normpath(os.path.join(os.path.dirname(path), os.readlink(path)))
        found.append(path)
    return found

