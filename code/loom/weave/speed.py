"""Where others do the same work again and again, or one thing after another.

Two pure look-ups are remembered, which takes seconds off each build; and an
extension that does not say that chapters may be read side by side is vouched for.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import pybtex.plugin  # type: ignore[import-untyped]
from sphinx.domains.std import StandardDomain

if TYPE_CHECKING:
    from docutils import nodes
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment


def setup(app: Sphinx) -> None:
    """Remember, from the second call on."""
    numbering = app.extensions.get("sphinx_multitoc_numbering")
    if numbering is not None:  # it numbers after reading, in one process
        numbering.parallel_read_safe = numbering.parallel_write_safe = True
    if not hasattr(pybtex.plugin.find_plugin, "cache_info"):
        # searches the metadata of all installed packages, for every citation
        pybtex.plugin.find_plugin = lru_cache(maxsize=None)(pybtex.plugin.find_plugin)
    if StandardDomain._resolve_numref_xref is not _resolve_numref:
        StandardDomain._resolve_numref_xref = _resolve_numref  # type: ignore[method-assign, assignment]


_slow_numref = StandardDomain._resolve_numref_xref
_trees: WeakKeyDictionary[BuildEnvironment, dict[str, nodes.document]] = WeakKeyDictionary()


def _resolve_numref(self: StandardDomain, env: BuildEnvironment, *args: Any) -> Any:
    """Sphinx unpickles a whole chapter for each reference to a number in it."""
    return _slow_numref(self, _Remembering(env), *args)  # type: ignore[arg-type]


class _Remembering:
    """An environment that reads each chapter's tree once."""

    def __init__(self, env: BuildEnvironment) -> None:
        self._env = env

    def __getattr__(self, name: str) -> Any:
        return getattr(self._env, name)

    def get_doctree(self, docname: str) -> nodes.document:
        """The tree as it was read, for looking only."""
        trees = _trees.setdefault(self._env, {})
        if docname not in trees:
            trees[docname] = self._env.get_doctree(docname)
        return trees[docname]
