"""What a learner has done so far: one JSON file in ``my-exercises/.loom``.

The file outlives versions of this tool. Fields that are not known here are
kept; an older file is brought up to date; one that a newer version wrote is
read and left alone; a damaged one is moved aside, never deleted. Two commands
at once (``loom watch`` and ``loom check``) do not lose each other's entries.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from loom.desk.records import Damage, Progress, Record, Result, decode, encode, now
from loom.errors import LoomError, fail
from loom.files import told, write_all

__all__ = ["HOME", "Progress", "Record", "change_progress", "now", "read_progress", "remember",
           "state_file"]

HOME = ".loom"  # in the learner's folder: progress, copies of what was reset
PATIENCE = 10.0  # seconds to wait for another command that is writing


def state_file(folder: Path) -> Path:
    """Where the progress of a learner's folder is kept."""
    return folder / HOME / "progress.json"


def read_progress(folder: Path) -> Progress:
    """The progress kept in a learner's folder; an empty one if there is none yet.

    A damaged file is moved aside first, and ``notes`` say where.

    Args:
        folder: ``my-exercises``.

    Raises:
        LoomError: the file cannot be read, or not be moved.
    """
    path = state_file(folder)
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return Progress()
    except OSError as error:
        raise fail(f"cannot be read: {error.strerror}",
                   "see that you may read it (`ls -l`)", path=path) from None
    try:
        return decode(text)
    except Damage:
        with _locked(path):
            return _mended(path)


@contextmanager
def change_progress(folder: Path) -> Iterator[Progress]:
    """The progress, to be changed: read, then written when the block ends well.

    Holds the file's lock meanwhile, so the block should be short. A file of a
    newer version is not written.

    Args:
        folder: ``my-exercises``.

    Raises:
        LoomError: the file cannot be read or written, or another command
            holds it for too long.
    """
    path = state_file(folder)
    with _locked(path):
        progress = _mended(path)
        yield progress
        if not progress.frozen:
            write_all({path: encode(progress)})


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    from filelock import FileLock, Timeout

    lock = FileLock(path.with_suffix(".lock"))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=PATIENCE)
    except Timeout:
        raise fail("another loom command has been writing the progress for "
                   f"{PATIENCE:.0f} seconds", "wait until it ends, or stop it, then try again",
                   path=path) from None
    except OSError as error:
        raise told(error, path.parent) from None
    try:
        yield
    finally:
        lock.release()


def _mended(path: Path) -> Progress:
    """The progress; a file that is damaged is moved aside. The lock is held."""
    try:
        return decode(path.read_bytes())
    except FileNotFoundError:
        return Progress()
    except OSError as error:
        raise fail(f"cannot be read: {error.strerror}",
                   "see that you may read it (`ls -l`)", path=path) from None
    except Damage as damage:
        stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S-%f")
        aside = path.with_name(f"progress.damaged-{stamp}.json")
        try:
            if any((damage.saved.exercises, damage.saved.quiz)):
                write_all({aside: path.read_bytes(), path: encode(damage.saved)})
            else:
                os.replace(path, aside)
        except OSError as error:
            raise told(error, path) from None
        kept = len(damage.saved.exercises)
        damage.saved.notes.append(
            f"The progress file was damaged ({damage}). It is now "
            f"{path.parent.parent.name}/{path.parent.name}/{aside.name}"
            + (f", and what {kept} of its entries said is kept" if kept else "")
            + ". Your answers are untouched: `loom check` checks them all and counts them again.")
        return damage.saved


def remember(folder: Path, *results: Result) -> list[str]:
    """Remember checks; a state that cannot be written spoils no verdict.

    Args:
        folder: ``my-exercises``.
        results: the verdicts.

    Returns:
        What the learner should be told: of damage, of a newer version, of a
        full disk.
    """
    try:
        with change_progress(folder) as progress:
            for result in results:
                progress.checked(result)
        return progress.notes
    except LoomError as error:
        return [f"Your progress was not kept: {problem}" for problem in error.problems]
