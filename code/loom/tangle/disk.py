"""The package on disk: written, compared, never overwritten where edited by hand."""

from __future__ import annotations

import difflib
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

from loom.book.toc import Book
from loom.errors import LoomError, Place, Problem
from loom.files import BUILD, read_text, write_all
from loom.tangle.modules import Package


@dataclass(frozen=True)
class Disk:
    """The modules as they lie on disk, and what is known of how they came to be.

    A module that equals neither what loom last wrote (kept in the build
    folder) nor what git has committed was edited by hand.
    """

    book: Book

    @property
    def written(self) -> Path:
        """The folder with a copy of every module as loom last wrote it."""
        return self.book.root / BUILD / "tangled"

    @cached_property
    def modules(self) -> dict[PurePosixPath, str]:
        """The modules that are there."""
        home = self.book.package
        return {PurePosixPath(path.relative_to(home).as_posix()): read_text(path, exact=True)
                for path in sorted(home.rglob("*.py"))}

    def copy(self, module: PurePosixPath) -> str | None:
        """A module as loom last wrote it."""
        path = self.written / module
        return read_text(path, exact=True) if path.is_file() else None

    def committed(self, module: PurePosixPath) -> str | None:
        """A module as git's last commit has it, None without git."""
        return self._git("show", f"HEAD:./{module}")

    def is_known(self, module: PurePosixPath) -> bool:
        """Whether loom wrote this file or git tracks it."""
        return self.copy(module) is not None or bool(self._git("ls-files", "--", str(module)))

    def was_written(self, module: PurePosixPath, text: str) -> bool:
        """Whether a module's text is one that loom or git has seen."""
        if text in (self.copy(module), self.committed(module)):
            return True
        return not self.written.is_dir() and self._git("rev-parse", "HEAD") is None

    def _git(self, *command: str) -> str | None:
        try:
            done = subprocess.run(["git", *command], cwd=self.book.package, check=True,
                                  capture_output=True, text=True, encoding="utf-8")
        except (OSError, subprocess.CalledProcessError):
            return None
        return done.stdout


def write_package(book: Book, package: Package, force: bool = False,
                  more: dict[Path, str] | None = None) -> list[Path]:
    """Write the package, and delete modules that no cell makes any more.

    Args:
        book: the book, which says where.
        package: what ``tangle`` made of it.
        force: overwrite modules that were edited by hand.
        more: other files to write in the same stroke.

    Returns:
        The files that changed.

    Raises:
        LoomError: edits that would be lost, files that nobody knows, a disk
            that is full, a folder that cannot be written. Nothing is changed.
    """
    disk = Disk(book)
    problems: list[Problem] = []
    stale = [module for module in disk.modules if module not in package.files]
    for module, text in disk.modules.items():
        new = package.files.get(module)
        if text == new or (force and new is not None) or disk.was_written(module, text):
            continue
        place = Place(book.package / module)
        if new is None and not disk.is_known(module):
            problems.append(Problem(place, "comes from no cell, and git does not know it",
                                    "move it away, or write it in a chapter's cell"))
        elif not force:
            problems.append(Problem(
                place, "was edited since it was tangled, and tangling would undo the edits",
                "`loom sync` carries them back to the chapters; `loom tangle --force` "
                "throws them away"))
    if problems:
        raise LoomError(problems)
    files: dict[Path, str | bytes] = {**(more or {})}
    for module, text in package.files.items():
        files[book.package / module] = text
        files[disk.written / module] = text
    remove = [book.package / module for module in stale]
    if disk.written.is_dir():
        remove += [path for path in disk.written.rglob("*.py") if path not in files]
    changed = write_all(files, remove=tuple(remove))
    return [path for path in changed if disk.written not in path.parents]


def drift(book: Book, package: Package) -> Iterator[str]:
    """The difference between the package on disk and the book's, as a unified diff."""
    have = Disk(book).modules
    home = book.package.relative_to(book.root).as_posix()
    for module in sorted({*have, *package.files}):
        old, new = have.get(module), package.files.get(module)
        if old != new:
            yield from difflib.unified_diff(
                (old or "").splitlines(keepends=True), (new or "").splitlines(keepends=True),
                f"{home}/{module} (on disk)" if old is not None else "/dev/null",
                f"{home}/{module} (from the book)" if new is not None else "/dev/null")
