"""Which pages to write again after a change: as few as are still right.

A page shows more than its own chapter: titles and numbers of others in its
references and its margin, listings that continue one of its own. All of that
is the face of the book. While the face is the same, a change of prose
concerns one page.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment


class Pages:
    """The pages of one form of the book, across builds.

    Args:
        memory: the file that remembers the face of the last complete build.
    """

    def __init__(self, memory: Path) -> None:
        self.memory = memory
        self.last = memory.read_text(encoding="utf-8") if memory.is_file() else ""
        self.when = memory.stat().st_mtime if memory.is_file() else 0.0
        self.now = ""
        memory.unlink(missing_ok=True)

    def choose(self, app: Sphinx, env: BuildEnvironment) -> list[str]:
        """Pages to write besides those that have just been read."""
        self.now = _face(app, env)
        if self.now != self.last:
            return sorted(env.found_docs)
        return [name for name in env.found_docs
                if Path(app.doctreedir, f"{name}.doctree").stat().st_mtime >= self.when]

    def complete(self) -> None:
        """Remember the face: all pages show it now."""
        self.memory.write_text(self.now, encoding="utf-8")


def _face(app: Sphinx, env: BuildEnvironment) -> str:
    from loom.weave.listings import listings_of

    listings = listings_of(app)
    parts: list[Any] = [
        {name: title.astext() for name, title in env.titles.items()},
        {name: tree.astext() for name, tree in env.tocs.items()},
        {name: sorted(map(str, numbers.items())) for name, numbers in env.toc_secnumbers.items()},
        {name: sorted(map(str, numbers.items())) for name, numbers in env.toc_fignumbers.items()},
        sorted(map(str, env.domaindata["std"]["labels"].items())),
        sorted(map(str, env.domaindata["std"]["anonlabels"].items())),
        sorted(map(str, env.domaindata["math"]["objects"].items())),
        sorted((c.citation_id, c.key, c.bibliography_key.docname)
               for c in env.domaindata["cite"]["citations"]),
        [[str(module), *((one.docname, one.anchor, one.action) for one in cells)]
         for module, cells in listings.of_module.items()],
        [[str(path), text] for path, text in listings.package.files.items()],
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
