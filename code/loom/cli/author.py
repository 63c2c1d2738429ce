"""The commands of those who write the book.

Every command imports what it needs inside itself: ``loom --help`` is quick.
"""

from __future__ import annotations

import typer

app = typer.Typer(
    name="loom", no_args_is_help=True, add_completion=False,
    pretty_exceptions_enable=False,
    help="From chapters to a tested package, an HTML book and a PDF book.",
)


@app.command()
def lint() -> None:
    """Check the chapters' rules: what fits, what is described, what leads somewhere."""
    from loom.book.lint import lint as find_problems
    from loom.book.toc import read_book
    from loom.errors import LoomError

    book = read_book()
    problems = find_problems(book)
    if problems:
        raise LoomError(problems)
    typer.echo(f"{len(book.chapters)} chapters, no problems")
