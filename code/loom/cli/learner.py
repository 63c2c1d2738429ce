"""The commands of those who solve the exercises."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer()


@app.command()
def quiz(
    chapter: Annotated[str | None, typer.Argument(
        help="A number or a name; the list of quizzes if none is given.")] = None,
    again: Annotated[bool, typer.Option(
        "--again", help="Ask those whose last answer was wrong.")] = False,
    everything: Annotated[bool, typer.Option("--all", help="Ask every question again.")] = False,
    plain: Annotated[bool, typer.Option("--plain", help="No colors, only ASCII.")] = False,
    verify: Annotated[bool, typer.Option(
        "--verify", help="Ask nothing: run the code behind the answers.")] = False,
    schema: Annotated[bool, typer.Option(
        "--schema", help="Ask nothing: print the format's JSON schema.")] = False,
) -> None:
    """Answer a chapter's questions. Right or wrong, each answer gets its reply."""
    from loom.book.toc import read_book
    from loom.cli import quizzing
    from loom.cli.screen import Screen

    if schema:
        typer.echo(quizzing.json_schema())
        return
    book = read_book()
    if verify:
        quizzing.check(book, [chapter] if chapter else [])
    elif chapter is None:
        quizzing.overview(book, Screen(plain=plain))
    else:
        quizzing.play(book, chapter, Screen(plain=plain), again, everything)
