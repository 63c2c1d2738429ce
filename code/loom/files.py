"""Writing files so that nothing is ever half-written, and one writer at a time."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from loom.errors import LoomError, Place, Problem, fail

BUILD = "_build"  # everything that can be made again lives below this folder


@contextmanager
def exclusive(root: Path, what: str) -> Iterator[None]:
    """Hold the tree's lock: two commands that write never overlap.

    Args:
        root: the book's root; the lock is a file in its build folder.
        what: the command, for the message of the one that has to wait.

    Raises:
        LoomError: another command holds the lock.
    """
    from filelock import FileLock, Timeout

    path = root / BUILD / "loom.lock"
    _reporting(lambda: path.parent.mkdir(parents=True, exist_ok=True), path.parent)
    holder = path.with_suffix(".holder")
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        with suppress(OSError):
            who = holder.read_text(encoding="utf-8")
            raise fail(f"`{who}` is at work in this tree",
                       "wait until it ends, or stop it, then try again") from None
        raise fail("another loom command is at work in this tree",
                   "wait until it ends, or stop it, then try again") from None
    except OSError as error:
        raise told(error, path) from error
    try:
        holder.write_text(f"loom {what}, process {os.getpid()}", encoding="utf-8")
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()


def read_text(path: Path, exact: bool = False) -> str:
    """A text of the book's, whose lines end in ``\\n``.

    Args:
        path: the file.
        exact: leave the ends of lines as they are.

    Raises:
        LoomError: it cannot be read, or is not UTF-8.
    """
    try:
        content = path.read_bytes()
        text = content.decode()
        return text if exact else text.replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        raise fail(f"is not UTF-8: what is byte {content[error.start]:#04x} to mean?",
                   "save the file as UTF-8", path=path,
                   line=content[:error.start].count(b"\n") + 1) from None
    except OSError as error:
        raise fail(f"cannot be read: {error.strerror}",
                   "see that the file is there, and that you may read it (`ls -l`)",
                   path=path) from None


@contextmanager
def undisturbed() -> Iterator[None]:
    """What must not stop halfway: Ctrl-C and its kin take effect afterwards."""
    old = signal.pthread_sigmask(
        signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, old)


@undisturbed()
def write_all(files: Mapping[Path, str | bytes], remove: tuple[Path, ...] = ()) -> list[Path]:
    """Write several files, all of them or none.

    Each content goes to a temporary file beside its target first; only when
    every one is safely on disk are they renamed into place. If a rename
    fails after others succeeded, those are put back.

    Args:
        files: target paths and their contents; unchanged files are not touched.
        remove: files to delete together with the writes.

    Returns:
        The paths that changed.

    Raises:
        LoomError: a disk that is full, a folder that cannot be written.
    """
    contents = {path: text.encode() if isinstance(text, str) else text
                for path, text in files.items()}
    changed = {path: new for path, new in contents.items()
               if not path.is_file() or path.read_bytes() != new}
    staged: dict[Path, Path] = {}
    saved: dict[Path, Path | None] = {}
    current = Path()
    try:
        for current, new in changed.items():
            current.parent.mkdir(parents=True, exist_ok=True)
            staged[current] = _temporary(current, new)
        for current in [*changed, *(path for path in remove if path.exists())]:
            saved[current] = _temporary(current, current.read_bytes()) if current.exists() else None
        for current, temporary in staged.items():
            os.replace(temporary, current)
        for current in remove:
            current.unlink(missing_ok=True)
    except BaseException as error:
        for path, backup in saved.items():
            with suppress(OSError):
                if backup is None:
                    path.unlink(missing_ok=True)
                else:
                    os.replace(backup, path)
        if isinstance(error, OSError):
            raise told(error, current) from error
        raise
    finally:
        for leftover in [*staged.values(), *(b for b in saved.values() if b)]:
            leftover.unlink(missing_ok=True)
    return [*changed, *(path for path in remove if path in saved)]


@undisturbed()
def replace_folder(target: Path, source: Path) -> None:
    """Put the folder ``source`` in the place of ``target`` by renaming."""
    old = None
    try:
        if target.exists():
            old = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent)) / "old"
            os.replace(target, old)
        os.replace(source, target)
    except OSError as error:
        if old is not None and old.exists() and not target.exists():
            os.replace(old, target)
        raise told(error, target) from error
    finally:
        if old is not None:
            shutil.rmtree(old.parent, ignore_errors=True)


def _temporary(target: Path, content: bytes) -> Path:
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".tmp", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        mode = target.stat().st_mode & 0o777 if target.exists() else 0o666 & ~_umask()
        os.chmod(name, mode)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return Path(name)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _reporting(action: object, path: Path) -> None:
    try:
        action()  # type: ignore[operator]
    except OSError as error:
        raise told(error, path) from error


def told(error: OSError, path: Path) -> LoomError:
    """An operating system's error in the words of this book's tools."""
    import errno

    remedies = {
        errno.ENOSPC: "the disk is full: free some space and run the command again; "
                      "nothing was changed",
        errno.EDQUOT: "your disk quota is used up: free some space and run the command again",
        errno.EACCES: "you may not write here: check who owns the folder (`ls -ld`)",
        errno.EPERM: "you may not write here: check who owns the folder (`ls -ld`)",
        errno.EEXIST: "something else has this name: move it away",
        errno.ENOTDIR: "a file stands where a folder is to be: move it away",
        errno.EROFS: "the file system is read-only: work in a copy of the repository",
    }
    remedy = remedies.get(error.errno or 0, "nothing was changed; mend this and try again")
    what = f"cannot write: {error.strerror}" if error.errno else str(error)
    return LoomError(Problem(Place(path), what, remedy))
