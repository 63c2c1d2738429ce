"""Worlds that workers live in: made by a small process, entered by a large one.

A process that has imported torch takes long to copy, so that it forks but
once for each worker. All else is done by a process that was forked before
anything was imported: it makes namespaces (``cage``), with a first process in
them that takes in orphans and ends with the world. A world is held by one end
of a socket; when that is closed, however it comes to be, all that lives in
the world is ended. Runs inside the warm process.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, NoReturn

Shown = dict[str, tuple[int, int]]  # folders, and which each was: its device and its number
SPACES = ("pid", "user", "mnt", "net", "ipc", "uts")


class Builder:
    """The small process, as the large one holds it."""

    def __init__(self, cage: Any, where: str, seen: Sequence[str]) -> None:
        self.cage = cage
        self._next: World | None = None
        self._orders, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.process = os.fork()
        if self.process == 0:
            try:
                cage.close_files(0, 1, 2, theirs.fileno())
                _build(cage, where, seen, theirs)
            finally:
                os._exit(1)
        theirs.close()

    def take(self, packages: Sequence[str] = ()) -> World:
        """A world where these folders are visible, too; the next such one is begun meanwhile.

        Raises:
            OSError: the system refuses.
        """
        world, self._next = self._next, None
        shown = _identities(packages)
        if world is not None and world.shown == shown:
            with suppress(OSError):  # it may have been lost meanwhile, or had a bad start
                world.wait()
                self._next = World(self.cage, self._orders, shown)
                return world
        if world is not None:
            world.end()
        world = World(self.cage, self._orders, shown)
        world.wait()
        self._next = World(self.cage, self._orders, shown)
        return world

    def lost(self) -> bool:
        """Whether somebody has ended the small process."""
        found = os.waitid(os.P_PID, self.process, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        return found is not None

    def close(self) -> None:
        """End the small process, and the world that nobody took."""
        if self._next is not None:
            self._next.end()
        self._orders.close()


class World:
    """One world.

    Attributes:
        shown: folders that are visible in it, beside what is in each, and which they were.
        first: its first process, once it is there.
        lacks: what the system did not grant, in words.
    """

    def __init__(self, cage: Any, orders: socket.socket, shown: Shown) -> None:
        self.shown, self.first, self.lacks = shown, 0, ""
        self._cage = cage
        self._life, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._end = -1  # its first process, which it ends with
        self._spaces: list[int] = []
        try:
            socket.send_fds(orders, [json.dumps(list(shown)).encode()], [theirs.fileno()])
        except OSError:
            self._life.close()
            raise
        finally:
            theirs.close()

    def wait(self) -> None:
        """Wait until it is there.

        Raises:
            OSError: the system refused; the world is ended.
        """
        try:
            text, files, _, _ = socket.recv_fds(self._life, 1 << 12, 1 + len(SPACES))
            told = json.loads(text or b'{"failed": "namespaces fail"}')
            if "failed" in told:
                raise OSError(0, told["failed"])
            self._end, *self._spaces = files
            self.first, self.lacks = told["first"], told["lacks"]
            signal.pidfd_send_signal(self._end, 0)  # it may have been killed since
        except OSError:
            self.end()
            raise

    def fork(self, serve: Callable[[], object]) -> int:
        """Fork a process that enters it, calls ``serve`` and ends; its number out here.

        Raises:
            OSError: the world cannot be entered.
        """
        children, *others = self._spaces
        self._cage.enter(children)
        child = os.fork()
        if child == 0:
            code = 70
            try:
                for space in others:
                    self._cage.enter(space)
                os.chdir(self._cage.FOLDER)
                serve()
                code = 0
            finally:
                os._exit(code)
        return child

    def end(self, reap: Callable[[], object] = lambda: None) -> None:
        """End it and all that lives in it, and wait until that is gone.

        Args:
            reap: waits for what in it is a child of this process, if it has ended.
        """
        if self._end >= 0:
            with suppress(OSError):
                signal.pidfd_send_signal(self._end, signal.SIGKILL)
            gone = select.poll()
            gone.register(self._end, select.POLLIN)
            reap()
            while not gone.poll(10):  # the first process is the last to go
                reap()
        for file in (self._end, *self._spaces):
            if file >= 0:
                os.close(file)
        self._end, self._spaces = -1, []
        self._life.close()


def _identities(folders: Sequence[str]) -> Shown:
    """Which folders stand at these paths now."""
    found = {}
    for folder in folders:
        there = os.stat(folder)
        found[folder] = (there.st_dev, there.st_ino)
    return found


def _build(cage: Any, where: str, seen: Sequence[str], orders: socket.socket) -> None:
    """Make worlds until nobody can order any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them
    user, group = os.getuid(), os.getgid()
    gc.collect()
    gc.freeze()
    while True:
        text, fds, _, _ = socket.recv_fds(orders, 1 << 16, 1)
        if not text:
            return
        life = socket.socket(fileno=fds[0])
        try:
            if cage.fork_away() == 0:
                _be_first(cage, where, [*seen, *json.loads(text)], life, user, group)
        except OSError as error:
            with suppress(OSError):
                life.send(json.dumps({"failed": str(error)}).encode())
        life.close()


def _be_first(cage: Any, where: str, seen: Sequence[str], life: socket.socket, user: int,
              group: int) -> NoReturn:
    """Be the first process of a world: furnish it, then take in orphans until the end."""
    try:
        cage.be_known(user, group, user or 1000, group or 1000)
        me = int(os.readlink("/proc/self"))  # its number for those outside
        files = [os.pidfd_open(os.getpid()),
                 *(os.open(f"/proc/self/ns/{name}", os.O_RDONLY) for name in SPACES)]
        lacks = cage.build_root(where, seen)
        cage.prctl(cage.PR_SET_DUMPABLE, 0)
        socket.send_fds(life, [json.dumps({"first": me, "lacks": lacks}).encode()], files)
        cage.close_files(life.fileno())
        life.recv(1)  # until nobody holds it any more
    except BaseException as error:
        with suppress(OSError):
            life.send(json.dumps({"failed": str(error)}).encode())
    finally:
        os._exit(0)
