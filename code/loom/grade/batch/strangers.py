"""Reading and naming files that somebody else has made."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path, PurePosixPath

from loom.exercise.decode import LARGEST
from loom.exercise.jupyter import OUTPUTS

SUFFIXES = {".py": LARGEST, ".ipynb": OUTPUTS}  # bytes that a file of answers may have
MOST_LISTS = 300_000  # in a notebook; ten million, which fit in a few megabytes, fill the memory
PACKED = frozenset({".zip", ".gz", ".tgz", ".tar", ".bz2", ".xz", ".7z", ".rar"})


def digest_of(content: bytes) -> str:
    """What tells one content from another."""
    return hashlib.sha256(content).hexdigest()


def read_plain(root: Path, path: PurePosixPath) -> bytes:
    """The content of a plain file, following a link in no part of its path below ``root``.

    Raises:
        OSError: it cannot be read, or is not to be; its text says why.
    """
    def refuse(why: str) -> OSError:
        return OSError(0, why)

    most = SUFFIXES.get(path.suffix.lower())
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
    folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in path.parts[:-1]:
            inner = os.open(part, flags | os.O_DIRECTORY, dir_fd=folder)
            os.close(folder)
            folder = inner
        mode = os.stat(path.parts[-1], dir_fd=folder, follow_symlinks=False).st_mode
        if stat.S_ISLNK(mode):
            raise refuse("is a symbolic link: not followed")
        if not stat.S_ISREG(mode):
            raise refuse("is not a plain file: not opened")
        if most is None:
            packed = path.suffix.lower() in PACKED
            raise refuse("is packed: unpack it first" if packed
                         else "is neither a .py nor a .ipynb")
        handle = os.open(path.parts[-1], flags, dir_fd=folder)
    except OSError as error:
        raise error if not error.errno else refuse(
            f"cannot be opened: {error.strerror}") from error
    finally:
        os.close(folder)
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):  # changed since
            raise refuse("is not a plain file: not read")
        content = file.read(most + 1)
    if len(content) > most:
        raise refuse(f"is larger than {most >> 20} MB: not read")
    if path.suffix.lower() == ".ipynb" and content.count(b"[") + content.count(b"{") > MOST_LISTS:
        raise refuse("holds more lists than a notebook has: not read")
    return content


def shown(text: str) -> str:
    """A name as it can be printed: whatever a terminal would obey is written out."""
    safe = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in safe)
