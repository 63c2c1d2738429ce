"""Build the book: Markdown and stored outputs in, HTML, PDF and EPUB out.

Sphinx reads the sources once; the builders share what it read. Each builder
works in its own folder below ``_build/weave``; only a build without a single
warning is published, by renaming, so the last good book stays in place when
something is wrong or the author presses Ctrl-C.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from loom import files
from loom.errors import fail
from loom.weave.inputs import Inputs, inputs_of
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
        inputs = inputs_of(root)
        return [_build(root, KINDS[kind], inputs, jobs, tell) for kind in kinds]


def current(root: Path, kind: str) -> Path | None:
    """The built book, if it is what the sources say now."""
    path = root / files.BUILD / kind / KINDS[kind].opens
    return path if path.is_file() and _stamp(root, kind).get("all") == inputs_of(root).all else None


def _build(root: Path, kind: Kind, inputs: Inputs, jobs: int,
           tell: Callable[[str], None]) -> Built:
    started = time.monotonic()
    opens = root / files.BUILD / kind.name / kind.opens
    last = _stamp(root, kind.name)
    if opens.is_file() and last.get("all") == inputs.all:
        return Built(kind.name, opens, False, time.monotonic() - started)
    tell(f"weaving {kind.name}")
    work = root / WORK / kind.name
    keep = (kind.name == "html" and last.get("look") == inputs.look
            and last.get("pages") == list(inputs.pages))
    _stamp_file(root, kind.name).unlink(missing_ok=True)
    _forget_if_read_otherwise(root / WORK / "doctrees", inputs)
    press(root, kind.builder, work, jobs, keep)
    _publish(root, kind, work)
    _stamp_file(root, kind.name).write_text(json.dumps(asdict(inputs)), encoding="utf-8")
    return Built(kind.name, opens, True, time.monotonic() - started)


def _stamp_file(root: Path, kind: str) -> Path:
    return root / WORK / f"{kind}.json"


def _stamp(root: Path, kind: str) -> dict[str, Any]:
    """What the last complete build was made of."""
    with suppress(OSError, ValueError):
        stamp = json.loads(_stamp_file(root, kind).read_text(encoding="utf-8"))
        if isinstance(stamp, dict):
            return stamp
    return {}


def _forget_if_read_otherwise(doctrees: Path, inputs: Inputs) -> None:
    """Drop what another version of the tool has read."""
    mark = doctrees / "read-by"
    if not mark.is_file() or mark.read_text(encoding="utf-8") != inputs.tool:
        shutil.rmtree(doctrees, ignore_errors=True)
        files.write_all({mark: inputs.tool})


def _publish(root: Path, kind: Kind, work: Path) -> None:
    """Put what was made in its place, complete or not at all."""
    target = root / files.BUILD / kind.name
    for left in (root / files.BUILD).glob(f".{kind.name}.*"):
        shutil.rmtree(left, ignore_errors=True)  # of a build that was killed
    try:
        staging = Path(tempfile.mkdtemp(prefix=f".{kind.name}.", dir=root / files.BUILD))
    except OSError as error:
        raise files.told(error, root / files.BUILD) from error
    try:
        new = staging / "new"
        if kind.whole:
            shutil.copytree(work, new, ignore=shutil.ignore_patterns(".buildinfo", "objects.inv"))
        else:
            new.mkdir()
            shutil.copy2(work / kind.opens, new / kind.opens)
        files.replace_folder(target, new)
    except (OSError, shutil.Error) as error:
        told = error if isinstance(error, OSError) else OSError(str(error))
        raise files.told(told, target) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
