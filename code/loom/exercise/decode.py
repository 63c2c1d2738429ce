"""From the bytes of a learner's file to lines, bad ones told apart from good ones."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from loom.errors import LoomError, fail

LARGEST = 1 << 20  # bytes: a file of answers has a tenth of that
_WIDE = ((b"\xff\xfe", "UTF-16"), (b"\xfe\xff", "UTF-16"))


@dataclass(frozen=True)
class Lines:
    """A file's lines, without their ends, and what is wrong with some of them.

    Attributes:
        bad: for a line that cannot be read: what is wrong, and what to do.
    """

    lines: tuple[str, ...]
    bad: Mapping[int, tuple[str, str]] = field(default_factory=dict)


def read_bytes(path: Path, largest: int = LARGEST) -> bytes:
    """The content of a file that somebody else may have written.

    Raises:
        LoomError: it is missing, no plain file, too large, or may not be read.
    """
    if not os.path.lexists(path):
        raise fail("there is no such file", "`loom start` writes it", path=path)
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise fail(f"cannot be opened: {error.strerror}", "see that it is there and that you may "
                   "read it (`ls -l`)", path=path) from None
    try:
        mode = os.fstat(handle).st_mode
        if stat.S_ISDIR(mode):
            raise fail("is a folder, not a file", "move it away; `loom start` writes the file",
                       path=path)
        if not stat.S_ISREG(mode):
            raise fail("is not a plain file", "move it away; `loom start` writes one", path=path)
        with os.fdopen(handle, "rb", closefd=False) as file:
            content = file.read(largest + 1)
    except OSError as error:
        raise fail(f"cannot be read: {error.strerror}", "see that the disk is well",
                   path=path) from None
    finally:
        os.close(handle)
    if len(content) > largest:
        raise fail(f"is larger than {largest >> 20} MB", "answers are text of a few kilobytes: "
                   "take out what does not belong there", path=path)
    return content


def decode(content: bytes, path: Path) -> Lines:
    """The lines of a text.

    Args:
        content: its bytes. UTF-8 with or without a byte-order mark; any ends
            of lines.
        path: for messages.

    Raises:
        LoomError: the whole text is in an encoding that cannot be read.
    """
    for mark, name in _WIDE:
        if content.startswith(mark):
            raise _encoding(name, path)
    if content.count(b"\0") > len(content) // 4:
        raise _encoding("UTF-16", path)
    content = content.removeprefix(b"\xef\xbb\xbf")
    rows = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    lines: list[str] = []
    bad: dict[int, tuple[str, str]] = {}
    for n, row in enumerate(rows, 1):
        try:
            lines.append(row.decode())
        except UnicodeDecodeError as error:
            lines.append(row.decode("latin-1"))
            letter = lines[-1][error.start]
            bad[n] = (f"is not UTF-8: byte {row[error.start]:#04x}"
                      + (f" (perhaps “{letter}” in Latin-1)" if letter.isprintable() else ""),
                      "save the file as UTF-8: your editor's “Save with encoding”")
        if "\0" in lines[-1]:
            bad[n] = ("holds a NUL character, which no editor shows",
                      "delete the line and type it again")
    return Lines(tuple(lines), bad)


def _encoding(name: str, path: Path) -> LoomError:
    return fail(f"is saved as {name}", "save it as UTF-8: your editor's “Save with encoding”",
                path=path, line=1)
