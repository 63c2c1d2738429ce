"""Build the book: Markdown and stored outputs in, HTML, PDF and EPUB out.

Sphinx reads the sources once; the builders share what it read. Each builder
works in its own folder below ``_build/weave``; only a build without a single
warning is published, by renaming, so the last good book stays in place when
something is wrong or the author presses Ctrl-C.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from loom import files
from loom.book.toc import read_book
from loom.errors import fail
from loom.weave.press import press

WORK = Path(files.BUILD) / "weave"  # doctrees, notebooks, unpublished output


@dataclass(frozen=True)
class Kind:
    """One form of the book: its Sphinx builder and what a reader opens."""

    name: str
    builder: str
    opens: str  # within _build/<name>
    whole: bool  # publish the builder's whole folder, or this one file of it


KINDS = {kind.name: kind for kind in (
    Kind("html", "html", "index.html", whole=True),
    Kind("pdf", "typst", "every-line-runs.pdf", whole=False),
    Kind("epub", "epub", "every-line-runs.epub", whole=False),
)}


@dataclass(frozen=True)
class Built:
    """A finished book: the file to open, whether it had to be made, how long it took."""

    kind: str
    path: Path
    fresh: bool
    seconds: float


def build(root: Path, *kinds: str, jobs: int = 1,
          tell: Callable[[str], None] = lambda line: None) -> list[Built]:
    """Build some forms of the book; those that are up to date stay untouched.

    Args:
        root: the book's folder.
        kinds: of ``html``, ``pdf``, ``epub``; all share one reading of the sources.
        jobs: processes that read and write chapters, where there are many.
        tell: is given a line of progress now and then.

    Returns:
        What was built or found current, in the order asked for.

    Raises:
        LoomError: an unknown kind; every warning that Sphinx has, with chapter
            and line; outputs that are missing or stale.
    """
    for kind in kinds:
        if kind not in KINDS:
            raise fail(f"cannot weave `{kind}`", f"choose among {', '.join(KINDS)}")
    with files.exclusive(root, f"weave {' '.join(kinds)}"):
        state = fingerprint(root)
        return [_build(root, KINDS[kind], state, jobs, tell) for kind in kinds]


def fingerprint(root: Path) -> str:
    """A hash of everything a built book depends on."""
    found = hashlib.sha256(sys.version.encode())
    for path in sorted(_sources(root)):
        found.update(f"{path.relative_to(root) if path.is_relative_to(root) else path.name}\0"
                     .encode())
        with suppress(FileNotFoundError):
            found.update(hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()


def current(root: Path, kind: str) -> Path | None:
    """The built book, if it is what the sources say now."""
    path = root / files.BUILD / kind / KINDS[kind].opens
    return path if path.is_file() and _stamp(root, kind) == fingerprint(root) else None


def _sources(root: Path) -> Iterable[Path]:
    book = read_book(root)
    yield from (chapter.path for chapter in book.chapters)
    for name in ("_config.yml", "_toc.yml", "requirements.lock", "pyproject.toml"):
        yield root / name
    yield from (root / "book").glob("*.bib")
    for folder in ("_static", "_templates", "images"):
        yield from (path for path in (root / "book" / folder).rglob("*") if path.is_file())
    yield from Path(__file__).parents[1].rglob("*.py")
    yield from (path for path in Path(__file__).parent.rglob("*")
                if path.suffix in (".typ", ".css", ".js", ".html"))
    yield from _outputs(root)


def _outputs(root: Path) -> Iterable[Path]:
    """The stored outputs that the chapters show."""
    from loom.run.store import shown

    return shown(root)


def _build(root: Path, kind: Kind, state: str, jobs: int, tell: Callable[[str], None]) -> Built:
    started = time.monotonic()
    opens = root / files.BUILD / kind.name / kind.opens
    if opens.is_file() and _stamp(root, kind.name) == state:
        return Built(kind.name, opens, False, time.monotonic() - started)
    tell(f"weaving {kind.name}")
    work = root / WORK / kind.name
    _stamp_file(root, kind.name).unlink(missing_ok=True)
    press(root, kind.builder, work, jobs)
    _publish(root, kind, work)
    _stamp_file(root, kind.name).write_text(state, encoding="utf-8")
    return Built(kind.name, opens, True, time.monotonic() - started)


def _stamp_file(root: Path, kind: str) -> Path:
    return root / WORK / f"{kind}.stamp"


def _stamp(root: Path, kind: str) -> str:
    with suppress(OSError):
        return _stamp_file(root, kind).read_text(encoding="utf-8")
    return ""


def _publish(root: Path, kind: Kind, work: Path) -> None:
    """Put what was made in its place, complete or not at all."""
    target = root / files.BUILD / kind.name
    try:
        staging = Path(tempfile.mkdtemp(prefix=f".{kind.name}.", dir=root / files.BUILD))
    except OSError as error:
        raise files.told(error, root / files.BUILD) from error
    try:
        new = staging / "new"
        if kind.whole:
            work.rename(new)
        else:
            new.mkdir()
            shutil.copy2(work / kind.opens, new / kind.opens)
        files.replace_folder(target, new)
    except (OSError, shutil.Error) as error:
        told = error if isinstance(error, OSError) else OSError(str(error))
        raise files.told(told, target) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
