"""Exercises and quizzes of the book, read once per run of Sphinx, and their Markdown.

Their sources are files of their own. What they say is parsed as part of the
chapter's page, with the places of the file that it stands in.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from loom.book.toc import Book
from loom.weave.listings import listings_of, spans

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

    from loom.exercise.model import Exercise
    from loom.quiz.models import Quiz


class Practice:
    """What readers are asked to do, by chapter."""

    def __init__(self, book: Book) -> None:
        self.book = book

    @cached_property
    def exercises(self) -> Mapping[str, tuple[Exercise, ...]]:
        """By the names of chapters; those without a source are not there."""
        from loom.exercise.source import exercises_of

        return exercises_of(self.book)

    @cached_property
    def quizzes(self) -> Mapping[str, Quiz]:
        """By the names of chapters; those without a file are not there."""
        from loom.quiz.bank import quizzes_of

        return quizzes_of(self.book)


def practice_of(app: Sphinx) -> Practice:
    """The exercises and quizzes of the book that is being built."""
    found: Practice | None = getattr(app, "loom_practice", None)
    if found is None:
        found = Practice(listings_of(app).book)
        app.loom_practice = found  # type: ignore[attr-defined]
    return found


def read_all(app: Sphinx) -> None:
    """Read every source before the first page.

    Raises:
        LoomError: every problem of every source.
    """
    practice = practice_of(app)
    practice.exercises  # noqa: B018 - read for its problems
    practice.quizzes  # noqa: B018


def chapter_of(env: BuildEnvironment) -> str:
    """The name of the chapter that is being read or written."""
    return PurePosixPath(env.docname).name


def number_of(env: BuildEnvironment, docname: str, node: nodes.Element) -> str:
    """The number that Sphinx gave an exercise or a question, as ``1.3``."""
    numbers = env.toc_fignumbers.get(docname, {}).get(node.tagname, {})
    return ".".join(map(str, numbers.get(node["ids"][0], ())))


def parse(directive: SphinxDirective, text: str, path: Path, line: int,
          into: nodes.Element) -> nodes.Element:
    """Parse the Markdown of another file; warnings name that file and its lines.

    Args:
        directive: the one that shows it.
        text: blocks of MyST.
        path: where it stands.
        line: of its first line.
        into: receives what comes out.

    Returns:
        ``into``.
    """
    _render(directive, text, path, line, into, inline=False)
    return into


def parse_inline(directive: SphinxDirective, text: str, path: Path, line: int,
                 into: nodes.Element) -> nodes.Element:
    """As ``parse``, for words in a line."""
    _render(directive, text, path, line, into, inline=True)
    return into


def _render(directive: SphinxDirective, text: str, path: Path, line: int,
            into: nodes.Element, inline: bool) -> None:
    # As MyST's own {include} does it: the document is, for a moment, another file.
    renderer: Any = directive.state._renderer  # type: ignore[attr-defined]
    document, reporter = renderer.document, renderer.reporter
    before = document["source"], reporter.source, getattr(reporter, "get_source_and_line", None)
    document["source"] = reporter.source = str(path)
    reporter.get_source_and_line = lambda at=None: (str(path), at)
    try:
        with renderer.current_node_context(into):
            renderer.nested_render_text(text, line - 1, inline=inline)
    finally:
        document["source"], reporter.source, reporter.get_source_and_line = before


def code_block(source: str, path: Path, line: int) -> nodes.literal_block:
    """Python, as a listing."""
    block = nodes.literal_block(source, source, language="python")
    block.source, block.line = str(path), line
    return block


def words(text: str) -> list[nodes.Node]:
    """Plain text whose names may stand in backticks."""
    return [nodes.literal(part, part) if code else nodes.Text(part)
            for code, part in spans(text)]
