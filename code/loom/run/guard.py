"""No network from a chapter's cells, nor from the processes they start.

An audit hook sees every name look-up and every connection that Python code
attempts, in C too. It stands in ``sitecustomize.py`` on the kernel's path, so
that child processes have it from their first line. Imports nothing of ours.
"""

from __future__ import annotations

import sys
from typing import Any

MESSAGE = ("the book's cells have no network: {what} was refused. Generate the data in the "
           "chapter, or name a file of the repository under `data:` in its header")
LOCAL = frozenset({"", "localhost", "localhost.localdomain", "ip6-localhost", "0.0.0.0", "::"})
EVENTS = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})
LOOKUPS = frozenset({"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"})


def cut_network() -> None:
    """Refuse every connection that leaves this machine, for good."""
    sys.addaudithook(_watch)


def _watch(event: str, args: tuple[Any, ...]) -> None:
    if not event.startswith("socket."):
        return
    if event in EVENTS:
        address = args[1] if len(args) > 1 else None
        if isinstance(address, tuple) and address and not _is_local(address[0]):
            raise PermissionError(MESSAGE.format(what=f"a connection to {address[0]}"))
    elif event in LOOKUPS and not _is_local(args[0]):
        host = args[0].decode(errors="replace") if isinstance(args[0], bytes) else args[0]
        raise PermissionError(MESSAGE.format(what=f"looking up {host}"))


def _is_local(host: object) -> bool:
    """Whether a host is this machine: loopback, unspecified, or its own name."""
    if host is None:
        return True
    name = host.decode(errors="replace") if isinstance(host, bytes) else str(host)
    if name in LOCAL or name.startswith("127.") or name == "::1" or name.startswith("::ffff:127."):
        return True
    import socket

    return name == socket.gethostname()
