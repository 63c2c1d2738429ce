"""The commands of those who teach with the book: grading, exporting, proving."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()


@app.command()
def grade(
    folder: Annotated[Path, typer.Argument(
        metavar="DIR", help="One folder or one file per student.")],
    csv: Annotated[Path | None, typer.Option(
        metavar="FILE", help="Write a table, a row per student.")] = None,
    json: Annotated[Path | None, typer.Option(
        metavar="FILE", help="Write all verdicts.")] = None,
    jobs: Annotated[int | None, typer.Option(
        "--jobs", "-j", min=1, help="Side by side; one per processor if not given.")] = None,
    exercises: Annotated[list[str] | None, typer.Option(
        metavar="CHAPTER|ID|FILE", help="What is graded, the chapters that somebody handed in if "
        "not given; a FILE holds your own exercises. May be given again.")] = None,
    seed: Annotated[int | None, typer.Option(
        min=0, help="Of the inputs; that of the last run if not given.")] = None,
    timeout: Annotated[float, typer.Option(
        min=1, help="Seconds for one exercise of one submission.")] = 120.0,
    unsafe: Annotated[bool, typer.Option(
        "--unsafe", help="Grade even where nothing keeps answers from this machine.")] = False,
    again: Annotated[bool, typer.Option(
        "--again", help="Grade what has a result already, too.")] = False,
) -> None:
    """Grade a folder of submissions. Stopped and run again, it goes on."""
    import os

    from loom.cli.grading import Wish, grade_folder

    grade_folder(Wish(folder, csv, json, jobs or os.cpu_count() or 1, tuple(exercises or ()),
                      seed, timeout, unsafe, again))


@app.command()
def prove(
    wanted: Annotated[list[str] | None, typer.Argument(
        metavar="[CHAPTER|ID|FILE]…",
        help="What to prove, a FILE of your own exercises too; if nothing is said, the "
             "exercises that changed, and one of every other chapter.",
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
    from loom.desk.desk import find_book

    if not prove_book(read_book(find_book()), wanted or [], everything, skip or [], jobs):
        raise typer.Exit(1)


@app.command()
def export(
    system: Annotated[str, typer.Argument(
        metavar="SYSTEM", help="otter, nbgrader, classroom, gradescope; moodle, gift.")],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where to: a new folder.")],
    chapters: Annotated[list[str] | None, typer.Argument(
        metavar="[CHAPTERS]…", help="Numbers or names; all if none is given.")] = None,
) -> None:
    """Write exercises or quizzes for another system."""
    from loom.cli.exporting import export_to

    for path in export_to(system, folder, chapters or []):
        typer.echo(path)
