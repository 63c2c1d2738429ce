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

SPACES = ("pid", "user", "mnt", "net", "ipc", "uts")


class Builder:
    """The small process, as the large one holds it."""

    def __init__(self, cage: Any, where: str, seen: Sequence[str]) -> None:
        self.cage = cage
        self._orders, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.process = os.fork()
        if self.process == 0:
            os.closerange(3, theirs.fileno())
            os.closerange(theirs.fileno() + 1, 4096)
            _build(cage, where, seen, theirs)
        theirs.close()
        self._next: World | None = None

    def take(self, packages: Sequence[str] = ()) -> World:
        """A world where these folders are visible, too; the next such one is begun meanwhile.

        Raises:
            OSError: the system refuses.
        """
        world, self._next = self._next, None
        if world is not None and world.packages != list(packages):
            world.end()
            world = None
        world = world or World(self.cage, self._orders, packages)
        self._next = World(self.cage, self._orders, packages)
        world.wait()
        return world

    def close(self) -> None:
        """End the small process, and the world that nobody took."""
        if self._next is not None:
            self._next.end()
        self._orders.close()


class World:
    """One world.

    Attributes:
        packages: folders that are visible in it, beside what is in each.
        first: its first process, once it is there.
        lacks: what the system did not grant, in words.
    """

    def __init__(self, cage: Any, orders: socket.socket, packages: Sequence[str]) -> None:
        self.packages, self.first, self.lacks = list(packages), 0, ""
        self._cage = cage
        self._life, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        socket.send_fds(orders, [json.dumps(self.packages).encode()], [theirs.fileno()])
        theirs.close()
        self._end = -1  # its first process, which it ends with
        self._spaces: list[int] = []

    def wait(self) -> None:
        """Wait until it is there.

        Raises:
            OSError: the system refused.
        """
        text, self._spaces, _, _ = socket.recv_fds(self._life, 1 << 12, len(SPACES))
        told = json.loads(text or b'{"failed": "namespaces fail"}')
        if "failed" in told:
            self.end()
            raise OSError(0, told["failed"])
        self.first, self.lacks = told["first"], told["lacks"]
        self._end = os.pidfd_open(self.first)

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
            reap: waits for the processes in it that were forked out here.
        """
        if self._end >= 0:
            with suppress(OSError):
                signal.pidfd_send_signal(self._end, signal.SIGKILL)
            reap()
            select.select([self._end], [], [])  # the first process is the last to go
        for file in (self._end, *self._spaces):
            if file >= 0:
                os.close(file)
        self._end, self._spaces = -1, []
        self._life.close()


def _build(cage: Any, where: str, seen: Sequence[str], orders: socket.socket) -> NoReturn:
    """Make worlds until nobody can order any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them
    gc.collect()
    gc.freeze()
    while True:
        text, fds, _, _ = socket.recv_fds(orders, 1 << 16, 1)
        if not text:
            os._exit(0)
        life = socket.socket(fileno=fds[0])
        try:
            if cage.fork_away() == 0:
                orders.close()
                _be_first(cage, where, [*seen, *json.loads(text)], life)
        except OSError as error:
            life.send(json.dumps({"failed": str(error)}).encode())
        life.close()


def _be_first(cage: Any, where: str, seen: Sequence[str], life: socket.socket) -> NoReturn:
    """Be the first process of a world: furnish it, then take in orphans until the end."""
    try:
        me = int(os.readlink("/proc/self"))  # its number for those outside
        spaces = [os.open(f"/proc/self/ns/{name}", os.O_RDONLY) for name in SPACES]
        lacks = cage.build_root(where, seen)
        cage.drop_rights()
        cage.prctl(cage.PR_SET_DUMPABLE, 0)
        told = json.dumps({"first": me, "lacks": lacks}).encode()
        socket.send_fds(life, [told], spaces)
        os.closerange(0, life.fileno())
        os.closerange(life.fileno() + 1, 4096)
        life.recv(1)  # until nobody holds it any more
    except BaseException as error:
        with suppress(OSError):
            life.send(json.dumps({"failed": str(error)}).encode())
    os._exit(0)
