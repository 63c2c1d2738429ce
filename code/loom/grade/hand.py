"""The judge's end of one worker: it asks, listens, watches and ends."""

from __future__ import annotations

import os
import re
import select
import selectors
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from loom.grade.watch import Watch
from loom.grade.worker import wire

MOST_OUTPUT = 64 << 10  # bytes of what an answer prints that are kept
CUT = "… cut here"  # how the last line begins of what was printed, if not all is kept
MOST_TRACE = 32 << 10
PART = 1 << 18
SLACK = 64 << 20  # bytes for replies on their way
SETUP = 60.0  # seconds in which a worker may come to life
PULSE = 0.03  # seconds between two looks at what a worker takes
OURS = re.compile(r'^ *File "<grader.*\n', re.M)  # frames of ours, in what an answer prints
FRAME = re.compile(r'File "(.*)", line (\d+) in ')


@dataclass(frozen=True)
class Reply:
    """What came of one message to a worker.

    Attributes:
        message: what it sent; None where it sent nothing that can be used.
        ended: why it did not: ``time``, ``memory``, ``processes``, ``disk``,
            ``exit``, ``signal``, ``closed``, ``malformed`` or ``failed``.
        detail: a number or a text that goes with it.
        trace: file and line of where it was, innermost first.
        seconds: from the message to the reply.
        printed: whether the answer printed something meanwhile.
    """

    message: dict[str, Any] | None
    ended: str = ""
    detail: str = ""
    trace: tuple[tuple[str, int], ...] = ()
    seconds: float = 0.0
    printed: bool = False


class Hand:
    """One worker, as the judge holds it. Whatever happens in it, ``ask`` returns in time."""

    def __init__(self, channel: socket.socket, out: int, err: int, trace: int, status: int, *,
                 processes: Sequence[int], memory: int, folder: str,
                 end: Callable[[], None]) -> None:
        self.alive = True
        self.warm_process: object = None  # who forked it
        self._channel, self._fds = channel, (out, err, trace, status)
        self._out, self._err, self._trace, self._status = out, err, trace, status
        self._watch = Watch(processes, memory, folder)
        self._end = end
        self._number = 0
        self._incoming = bytearray()
        self._traced = bytearray()
        self._told = bytearray()
        self._kept: list[bytes] = []
        self._printed = 0
        self._room = MOST_OUTPUT
        self._selector = selectors.DefaultSelector()
        channel.setblocking(False)
        self._selector.register(channel, selectors.EVENT_READ)
        for fd in self._fds:
            os.set_blocking(fd, False)
            self._selector.register(fd, selectors.EVENT_READ)

    @property
    def output(self) -> str:
        """What the answer printed, cut, with a notice where it was."""
        text = OURS.sub("", b"".join(self._kept).decode(errors="replace"))
        text = "".join(c if c.isprintable() or c in "\n\t" else "\ufffd"
                       for c in text.replace("\r\n", "\n"))
        long = text.encode()
        text = long[:MOST_OUTPUT].decode(errors="ignore")
        if self._printed > MOST_OUTPUT or len(long) > MOST_OUTPUT:
            text += f"\n{CUT}: {self._printed:,} bytes were printed, too many to keep\n"
        return text

    def ask(self, message: dict[str, Any], seconds: float, megabytes: int) -> Reply:
        """Send a message and wait for its reply.

        Args:
            message: what ``worker`` understands.
            seconds: after which the worker is ended.
            megabytes: memory beyond which it is ended.

        Raises:
            wire.Unsendable: the message has no form on the wire.
        """
        self._number += 1
        content = wire.frame({**message, "id": self._number, "seconds": seconds,
                              "megabytes": megabytes})
        if not self.alive:
            return Reply(None, "closed")
        if self._number == 1:
            self._await()
        started, printed = time.monotonic(), self._printed
        self._traced.clear()
        if self._incoming:
            return self._over("malformed", started, printed, "it wrote to the judge unasked")
        self._watch.begin((megabytes << 20) + 5 * len(content) + SLACK)
        outgoing = memoryview(content)
        self._selector.modify(self._channel, selectors.EVENT_READ | selectors.EVENT_WRITE)
        deadline, pulse = started + seconds, started + PULSE
        open_ = True
        while True:
            now = time.monotonic()
            if now >= deadline:
                return self._over("time", started, printed)
            if now >= pulse:
                excess = self._watch.excess()
                if excess:
                    return self._over(excess, started, printed)
                pulse = time.monotonic() + PULSE
            for key, events in self._selector.select(max(0.0, min(deadline, pulse) - now)):
                if key.fileobj is self._channel:
                    if events & selectors.EVENT_WRITE and outgoing:
                        with suppress(BlockingIOError):
                            try:
                                outgoing = outgoing[self._channel.send(outgoing[:PART]):]
                            except (BrokenPipeError, ConnectionError):
                                outgoing = outgoing[:0]
                        if not outgoing:
                            self._selector.modify(self._channel, selectors.EVENT_READ)
                    if events & selectors.EVENT_READ:
                        open_ = self._hear()
                else:
                    self._drain(key.fd)
            try:
                found = self._whole()
            except wire.Malformed as error:
                return self._over("malformed", started, printed, str(error))
            if found is not None:
                if not isinstance(found, dict) or found.get("id") != self._number or outgoing:
                    return self._over("malformed", started, printed,
                                      "it wrote to the judge unasked")
                self._drain(self._out)
                self._drain(self._err)
                excess = self._watch.excess()
                if excess:
                    return self._over(excess, started, printed)
                return Reply(found, seconds=time.monotonic() - started,
                             printed=self._printed > printed)
            if self._told or not open_:
                return self._gone(started, printed)

    def close(self) -> None:
        """End the worker and all that it started."""
        if not self.alive:
            return
        self.alive = False
        self._end()
        for fd in self._fds:
            for _ in range(64):  # what was still on its way
                if not self._drain(fd):
                    break
        self._selector.close()
        self._watch.close()
        self._channel.close()
        for fd in self._fds:
            os.close(fd)

    def _await(self) -> None:
        """Wait until the worker is there: a busy machine's delays are not the answer's."""
        until = time.monotonic() + SETUP
        while b"\n" not in self._told and time.monotonic() < until:
            heard, _, _ = select.select([self._status], [], [], 0.5)
            if heard and not self._drain(self._status):
                break  # it is gone
        if self._told.startswith(b'{"ready"'):
            del self._told[:self._told.index(b"\n") + 1]

    def _hear(self) -> bool:
        """Read from the channel; False at its end."""
        try:
            part = self._channel.recv(PART)
        except BlockingIOError:
            return True
        except OSError:
            part = b""
        if not part:
            self._selector.unregister(self._channel)
            return False
        self._incoming += part
        return True

    def _whole(self) -> Any:
        """The frame that has arrived; None while it has not."""
        head = wire.HEAD.size
        if len(self._incoming) < head:
            return None
        size = head + wire.frame_size(bytes(self._incoming[:head]))
        if len(self._incoming) < size:
            return None
        content = bytes(self._incoming[:size])
        del self._incoming[:size]
        return wire.value_of(content)

    def _drain(self, fd: int) -> bool:
        """Read what a pipe holds; False where it holds nothing now."""
        try:
            part = os.read(fd, PART)
        except BlockingIOError:
            return False
        except OSError:
            part = b""
        if not part:
            with suppress(KeyError, ValueError):
                self._selector.unregister(fd)
            return False
        if fd == self._trace:
            self._traced += part[:MOST_TRACE - len(self._traced)]
        elif fd == self._status:
            self._told += part[:MOST_TRACE - len(self._told)]
        else:
            self._printed += len(part)
            if self._room:
                self._kept.append(part[:self._room])
                self._room -= len(self._kept[-1])
        return True

    def _gone(self, started: float, printed: int) -> Reply:
        """The worker ended by itself, or left the channel: how."""
        import json

        until = time.monotonic() + 1.0
        while not self._told.endswith(b"\n") and time.monotonic() < until:
            if not self._drain(self._status):
                time.sleep(0.002)
        try:
            told = json.loads(self._told.splitlines()[0])
            (ended, detail), = told.items()
            known = ended in ("exit", "signal", "failed")
        except (ValueError, IndexError, AttributeError):
            known = False
        if not known:
            return self._over("closed", started, printed)
        return self._over(str(ended), started, printed, str(detail)[:300])

    def _over(self, ended: str, started: float, printed: int, detail: str = "") -> Reply:
        seconds = time.monotonic() - started
        self.close()
        text = self._traced.decode(errors="replace")
        trace = tuple((name, int(line)) for name, line in FRAME.findall(text)
                      if len(line) < 9)
        return Reply(None, ended, detail, trace, seconds, self._printed > printed)
