"""The Sphinx extension ``loom.weave``: what the book needs beyond Jupyter Book.

Each part is a module with a ``setup(app)`` of its own and can be read alone.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.application import Sphinx

PARTS = (
    "listings",     # the line above a tangled cell: where it goes, what it does there
    "built",        # the directive that lists what a chapter built
    "stats",        # the directive that counts the book
    "exercises",    # what the reader is asked to program
    "quizzes",      # what the reader is asked
    "answers",      # where hints, solutions and answers stand
    "outputs",      # outputs of the runner, as MyST-NB reads them
    "numbers",      # chapters are called chapters
    "html.page",    # the page: mathematics, notebooks, style
    "html.quiz",    # the style and the script of questions
    "html.search",  # what search results show, without a network
    "epub.book",    # the same book for e-readers
    "pdf.builder",  # the PDF
    "speed",        # look-ups that are remembered
)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register every part."""
    for part in PARTS:
        import_module(f"{__name__}.{part}").setup(app)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
