"""What chapters make for later chapters: corpora, tokenizers, weights.

A product lives outside the repository, under the key of the run that made it,
so that all checkouts share it. It appears whole or not at all.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import time
from pathlib import Path

from loom.book.chapter import Chapter
from loom.errors import LoomError, Place, Problem
from loom.files import replace_folder, told
from loom.run.cache import product

KEPT = 4  # runs of one product that stay on disk, the most recently used


def is_made(name: str, key: str) -> bool:
    return product(name, key).is_dir()


class Bench:
    """The products of one run: where its chapter makes them, and finds what it needs.

    Args:
        chapter: the chapter that runs.
        key: its key, which names what it makes.
        needs: names of what it needs and the keys of the chapters that make them.
    """

    def __init__(self, chapter: Chapter, key: str, needs: dict[str, str]) -> None:
        self.chapter = chapter
        self.key = key
        self.needs = {name: product(name, made) for name, made in needs.items()}
        self.staged: dict[str, Path] = {}
        self._seen: dict[str, str] = {}

    def set_out(self, folder: Path) -> None:
        """Put made and needed products into ``SCRATCHLM_PRODUCTS``, as links.

        Raises:
            LoomError: the cache cannot be written.
        """
        for name, path in self.needs.items():
            os.utime(path)
            (folder / name).symlink_to(path, target_is_directory=True)
            self._seen[name] = _fingerprint(path)
        for name in self.chapter.makes:
            home = product(name, self.key).parent
            try:
                home.mkdir(parents=True, exist_ok=True)
                _sweep(home)
                self.staged[name] = Path(tempfile.mkdtemp(prefix=".making-", dir=home))
            except OSError as error:
                raise told(error, home) from error
            (folder / name).symlink_to(self.staged[name], target_is_directory=True)

    def problems(self) -> list[Problem]:
        """What the cells did wrong: nothing made, or a needed product changed."""
        found = []
        place = Place(self.chapter.path, 1)
        for name, staging in self.staged.items():
            if not any(staging.iterdir()):
                found.append(Problem(
                    place, f"says `makes: {name}`, but its cells wrote nothing there",
                    f'write the files into Path(os.environ["SCRATCHLM_PRODUCTS"]) / "{name}"'))
        for name, path in self.needs.items():
            if _fingerprint(path) != self._seen[name]:
                shutil.rmtree(path, ignore_errors=True)
                found.append(Problem(
                    place, f"changed `{name}`, which it only needs; the product was dropped",
                    "write elsewhere; `loom run` makes the product again"))
        return found

    def publish(self) -> None:
        """Give what was made its name, by renaming.

        Raises:
            LoomError: the cache cannot be written.
        """
        for name, staging in self.staged.items():
            for path in staging.rglob("*"):
                if path.is_file() and not path.is_symlink():
                    path.chmod(0o444)
            staging.chmod(0o755)
            target = product(name, self.key)
            replace_folder(target, staging)
            made = sorted((p for p in target.parent.iterdir() if not p.name.startswith(".")),
                          key=lambda p: p.stat().st_mtime, reverse=True)
            for old in made[KEPT:]:
                shutil.rmtree(old, ignore_errors=True)

    def clear(self) -> None:
        """Drop what was not published."""
        for staging in self.staged.values():
            shutil.rmtree(staging, ignore_errors=True)


def lacking(chapter: Chapter, name: str, maker: Chapter) -> LoomError:
    """The error of a chapter whose needed product is not there."""
    return LoomError(Problem(
        Place(chapter.path, 1), f"needs `{name}`, which {maker.path.name} has not made",
        f"run that chapter: `loom run {maker.name}`"))


def _fingerprint(folder: Path) -> str:
    """Names, sizes and times of a product's files."""
    found = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        state = path.lstat()
        found.update(f"{path.relative_to(folder)}\0{state.st_size}\0"
                     f"{state.st_mtime_ns if path.is_file() else 0}\0".encode())
    return found.hexdigest()


def _sweep(home: Path) -> None:
    """Remove what a killed run left behind a day ago or more."""
    for left in home.glob(".making-*"):
        if time.time() - left.stat().st_mtime > 24 * 3600:
            shutil.rmtree(left, ignore_errors=True)
