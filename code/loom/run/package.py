"""The package as it stands after each chapter, kept on disk for keys and kernels."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import time
from functools import cached_property
from pathlib import Path, PurePosixPath

from loom.book.chapter import Chapter
from loom.book.toc import PACKAGE, Book
from loom.files import BUILD, told, write_all
from loom.tangle.modules import Package, tangle

FOLDER = Path(BUILD) / "run" / "snapshots"
AGE = 3600.0  # seconds that an unused snapshot stays: another command may be reading it


class Snapshots:
    """Snapshots of one book, each written once for the same chapters.

    Args:
        book: the book.
    """

    def __init__(self, book: Book) -> None:
        self.book = book
        self.used: set[Path] = set()
        self._files: dict[Path, dict[PurePosixPath, str]] = {}

    def before(self, chapter: Chapter) -> Path:
        """Folder that holds the package as of the chapter before."""
        return self._folder(chapter.position)

    def after(self, chapter: Chapter) -> Path:
        """Folder that holds the package as of this chapter."""
        return self._folder(chapter.position + 1)

    def tangled(self, count: int) -> Package:
        """The package that the first ``count`` chapters make, and where its lines are from."""
        return tangle(self.book.chapters[:count])

    def files(self, folder: Path) -> dict[PurePosixPath, str]:
        """A snapshot's modules, by their paths within the package."""
        if folder not in self._files:
            package = folder / PACKAGE
            self._files[folder] = {
                PurePosixPath(path.relative_to(package).as_posix()):
                    path.read_text(encoding="utf-8")
                for path in sorted(package.rglob("*.py"))}
        return self._files[folder]

    def prune(self) -> None:
        """Remove old snapshots of chapters as they no longer are."""
        folder = self.book.root / FOLDER
        for old in folder.iterdir() if folder.is_dir() else ():
            if old not in self.used and time.time() - old.stat().st_mtime > AGE:
                shutil.rmtree(old, ignore_errors=True)

    def _folder(self, count: int) -> Path:
        """The package made of the first ``count`` chapters."""
        folder = self.book.root / FOLDER / self._digests[count]
        self.used.add(folder)
        if folder.is_dir():
            return folder
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            new = Path(tempfile.mkdtemp(prefix=".new-", dir=folder.parent))
        except OSError as error:
            raise told(error, folder.parent) from error
        try:
            write_all({new / PACKAGE / path: text
                       for path, text in self.tangled(count).files.items()})
            try:
                os.replace(new, folder)
            except OSError as error:
                if not folder.is_dir():  # another command was quicker
                    raise told(error, folder) from error
        finally:
            shutil.rmtree(new, ignore_errors=True)
        return folder

    @cached_property
    def _digests(self) -> list[str]:
        """For each count of chapters, a name for the package that they make."""
        import loom.tangle

        tool = hashlib.sha256()
        for path in sorted(Path(loom.tangle.__file__).parent.glob("*.py")):
            tool.update(path.read_bytes())
        digests = [tool.hexdigest()[:20]]
        for chapter in self.book.chapters:
            tool.update(_code(chapter).encode())
            digests.append(tool.hexdigest()[:20])
        return digests


def _code(chapter: Chapter) -> str:
    """All of a chapter that tangling reads: its cells and the labels they stand under."""
    numbers = {id(section): number for number, section in enumerate(chapter.sections)}
    return repr((
        chapter.name, [(section.label, section.level) for section in chapter.sections],
        [(cell.source, str(cell.target), cell.replaces, sorted(cell.tags),
          numbers.get(id(cell.section))) for cell in chapter.cells]))
