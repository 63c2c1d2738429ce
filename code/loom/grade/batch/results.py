"""What a batch has found so far, kept so that it can be taken up again.

A result is named by the digest of everything that it depends on: the files of
the submission, the exercises, the seed and how it was judged. So a result
that exists is right, whenever and in whatever order it was made.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from loom.errors import fail
from loom.files import BUILD, told, write_all
from loom.grade.batch.submissions import Submission

FORMAT = 1
FOLDER = Path(BUILD) / "graded"
INDEX = "index.json"


class Results:
    """The results for one folder of submissions.

    Args:
        root: the book's folder.
        folder: the submissions.
        about: what is graded; another selection is another set of results.
    """

    def __init__(self, root: Path, folder: Path, about: str) -> None:
        name = hashlib.sha256(f"{folder.resolve()}\0{about}".encode(errors="surrogateescape"))
        self.folder = root / FOLDER / name.hexdigest()[:16]
        self.index = self._index()

    @property
    def bundle(self) -> Path:
        """Where the exercises lie while they are graded."""
        return self.folder / "exercises"

    @property
    def seed(self) -> int | None:
        """The seed of the last run."""
        seed = self.index.get("seed")
        return seed if isinstance(seed, int) and not isinstance(seed, bool) else None

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep another run over the same folder from writing here.

        Raises:
            LoomError: another one is at work; the folder cannot be made.
        """
        from filelock import FileLock, Timeout

        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.folder / "lock")
            lock.acquire(timeout=0)
        except Timeout:
            raise fail("these submissions are being graded by another `loom grade`",
                       "wait until it ends, or stop it") from None
        except OSError as error:
            raise told(error, self.folder) from error
        try:
            yield
        finally:
            lock.release()

    def begin(self, seed: int) -> None:
        """Note the seed, so that the next run goes on with it."""
        self.index = {"format": FORMAT, "seed": seed, "keys": self.index.get("keys", {})}
        self._write(self.folder / INDEX, self.index)

    def key(self, submission: Submission, seed: int, how: str) -> str:
        """The name of a submission's result.

        Args:
            submission: the files, which count with their paths and contents.
            seed: of the inputs.
            how: everything else that a result depends on.
        """
        parts = [str(FORMAT), str(seed), how, submission.student,
                 *(f"{file.path}\0{file.digest}" for file in submission.files)]
        return hashlib.sha256("\0\0".join(parts).encode(errors="surrogateescape")).hexdigest()[:32]

    def load(self, key: str) -> dict[str, Any] | None:
        """A result; None if there is none, or one that cannot be read."""
        with suppress(OSError, ValueError, RecursionError):
            result = json.loads((self.folder / f"{key}.json").read_bytes())
            if isinstance(result, dict) and result.get("format") == FORMAT:
                return result
        return None

    def store(self, key: str, result: dict[str, Any]) -> None:
        """Keep a result.

        Raises:
            LoomError: a full disk.
        """
        self._write(self.folder / f"{key}.json", {"format": FORMAT, **result})

    def finish(self, keys: dict[str, str]) -> None:
        """Note which results are this folder's, and drop those that no longer are."""
        old = {f"{key}.json" for key in self.index.get("keys", {}).values()}
        kept = {f"{key}.json" for key in keys.values()}
        self.index = {**self.index, "keys": keys}
        write_all({self.folder / INDEX: _text(self.index)},
                  remove=tuple(self.folder / name for name in sorted(old - kept)))

    def _index(self) -> dict[str, Any]:
        with suppress(OSError, ValueError, RecursionError):
            index = json.loads((self.folder / INDEX).read_bytes())
            if isinstance(index, dict) and index.get("format") == FORMAT \
                    and isinstance(index.get("keys"), dict):
                return index
        return {}

    def _write(self, path: Path, content: dict[str, Any]) -> None:
        write_all({path: _text(content)})


def _text(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=1) + "\n"  # verdicts stay in the order of the exercises
