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


@app.command()
def weave(
    kinds: list[str] = typer.Argument(None, metavar="html|pdf|epub…", help="Forms of the book."),
    jobs: int = typer.Option(1, "--jobs", "-j", min=1, help="Processes for many chapters."),
) -> None:
    """Build the book as HTML, PDF, EPUB (HTML if nothing is said)."""
    from loom.book.toc import find_root
    from loom.weave.build import build

    for book in build(find_root(), *(kinds or ["html"]), jobs=jobs, tell=typer.echo):
        how = f"built in {book.seconds:.1f} s" if book.fresh else "up to date"
        typer.echo(f"{book.kind}: {how}, open {book.path}")
