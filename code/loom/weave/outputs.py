"""The outputs of the runner, put into each chapter as MyST-NB reads it.

MyST-NB asks ``create_client`` for something that fills a notebook with
outputs. Ours fills it from what ``loom run`` has stored and can execute
nothing. Looks are taken from the chapter as it is now, so a new caption or
tag shows at once; a chapter whose outputs changed is read again although its
Markdown did not change.
"""

from __future__ import annotations

import hashlib
import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loom.book.chapter import Chapter
from loom.book.toc import read_book
from loom.errors import fail
from loom.run.store import Store, Stored

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

PARAMETERS = ["notebook", "source", "nb_config", "logger", "read_fmt"]


class Outputs:
    """The stored outputs of all chapters that one build shows."""

    def __init__(self) -> None:
        self.store: Store | None = None
        self.chapters: dict[str, Chapter] = {}  # by document name

    def begin(self, app: Sphinx) -> None:
        """Refuse to build with outputs that are missing or stale.

        Raises:
            LoomError: for each such chapter; `loom run` is the remedy.
        """
        book = read_book(Path(app.srcdir))
        self.store = Store(book)
        self.chapters = {str(app.project.path2doc(str(chapter.path))): chapter
                         for chapter in book.notebooks if chapter.cells}
        self.store.require_fresh(self.chapters.values())

    def outdated(self, app: Sphinx, env: BuildEnvironment, added: set[str],
                 changed: set[str], removed: set[str]) -> list[str]:
        """Chapters that were read with other outputs than are stored now."""
        read = getattr(env, "loom_outputs", {})
        return [name for name, digest in self._digests().items()
                if name in env.all_docs and read.get(name) != digest]

    def remember(self, app: Sphinx, env: BuildEnvironment) -> None:
        """Note which outputs the chapters have been read with."""
        env.loom_outputs = self._digests()  # type: ignore[attr-defined]

    def _digests(self) -> dict[str, str]:
        assert self.store is not None
        return {name: hashlib.sha256(self.store.path(chapter).read_bytes()).hexdigest()
                for name, chapter in self.chapters.items()}

    def of(self, path: Path) -> tuple[Chapter, Stored] | None:
        """A chapter and its outputs; None for a page without cells.

        Raises:
            LoomError: the stored outputs cannot be read.
        """
        assert self.store is not None
        for chapter in self.chapters.values():
            if chapter.path.resolve() == path.resolve():
                stored = self.store.load(chapter)
                if stored is None:
                    damaged = self.store.path(chapter)
                    damaged.unlink(missing_ok=True)
                    raise fail("its stored outputs were damaged and have been dropped",
                               "`loom run` makes them again", path=chapter.path)
                return chapter, stored
        return None


def fill(notebook: Any, chapter: Chapter, stored: Stored) -> None:
    """Give a notebook, as MyST-NB has read it, the outputs of the run.

    Raises:
        LoomError: its cells are not those that ran.
    """
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for number, (cell, ran) in enumerate(zip(cells, stored.notebook.cells, strict=False)):
        if cell.source.strip() != ran.source.strip():
            raise fail(f"cell {number + 1} is not the cell that ran",
                       "MyST-NB and loom read this cell differently: write it at the left "
                       "margin, its options before its code",
                       path=chapter.path, line=chapter.cells[number].fence)
        cell.outputs = ran.outputs
        cell.execution_count = ran.execution_count
    if len(cells) != len(stored.notebook.cells):
        raise fail(f"MyST-NB sees {len(cells)} cells, and {len(stored.notebook.cells)} ran",
                   "write every cell at the left margin, outside of other directives",
                   path=chapter.path)
    if "language_info" in stored.notebook.metadata:
        notebook.metadata["language_info"] = stored.notebook.metadata["language_info"]


def setup(app: Sphinx) -> None:
    """Take the place of MyST-NB's executing clients for this build."""
    import myst_nb.sphinx_ as reader  # type: ignore[import-untyped]
    from myst_nb.core.execute.base import (  # type: ignore[import-untyped]
        NotebookClientBase,
    )

    known = list(inspect.signature(reader.create_client).parameters)
    if known != PARAMETERS:
        raise fail(f"this MyST-NB's create_client takes {', '.join(known)}",
                   "install the version of requirements.lock: `pip install -r requirements.lock`")
    outputs = Outputs()

    class StoredClient(NotebookClientBase):  # type: ignore[misc]
        """Fills a notebook from the store; executes nothing, whatever the configuration."""

        def start_client(self) -> None:
            found = outputs.of(self.path) if self.path else None
            if found is None:
                return
            chapter, stored = found
            fill(self.notebook, chapter, stored)
            self.exec_metadata = {
                "mtime": stored.when, "runtime": stored.seconds, "method": "loom run",
                "succeeded": True, "error": None, "traceback": None}

    def create_client(notebook: Any, source: str, nb_config: Any, logger: Any,
                      read_fmt: dict[str, Any] | None = None) -> NotebookClientBase:
        return StoredClient(notebook, Path(source), nb_config, logger)

    reader.create_client = create_client
    app.connect("builder-inited", outputs.begin)
    app.connect("env-get-outdated", outputs.outdated)
    app.connect("env-updated", outputs.remember)
