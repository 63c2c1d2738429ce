"""The commands of those who teach with the book: grading, exporting, proving."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer()


@app.command()
def prove(
    wanted: Annotated[list[str] | None, typer.Argument(
        metavar="[CHAPTERS|EXERCISES]…",
        help="What to prove; if nothing is said, the newest chapters and those that changed.",
    )] = None,
    everything: Annotated[bool, typer.Option(
        "--all", help="The whole book, and its exports in other people's graders.")] = False,
    skip: Annotated[list[int] | None, typer.Option(
        help="A proof to leave out, by its number; may be given again.")] = None,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, help="Side by side.")] = 2,
) -> None:
    """Prove that the graders are sound. Right answers pass, wrong ones do not."""
    from loom.book.toc import read_book
    from loom.cli.proofs import prove_book

    if not prove_book(read_book(), wanted or [], everything, skip or [], jobs):
        raise typer.Exit(1)
