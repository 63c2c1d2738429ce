"""The commands of those who write the book.

Every command imports what it needs inside itself: ``loom --help`` is quick.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    name="loom", no_args_is_help=True, add_completion=False,
    pretty_exceptions_enable=False, rich_markup_mode=None,
    help="From chapters to a tested package, an HTML book and a PDF book.",
)


@app.command()
def lint() -> None:
    """Check the chapters' rules. What fits, what is described, what leads somewhere."""
    from loom.book.lint import lint as find_problems
    from loom.book.toc import read_book
    from loom.errors import LoomError
    from loom.exercise.lint import exercise_labels
    from loom.exercise.lint import lint as lint_exercises
    from loom.quiz.gates import check as check_quizzes

    book = read_book()
    exercises, mistakes = lint_exercises(book)
    numbers, found = check_quizzes(book)
    problems = [*find_problems(book, exercise_labels(book)), *mistakes, *found]
    for quiz in numbers:
        typer.echo(quiz)
    if problems:
        raise LoomError(problems)
    count = sum(map(len, exercises.values()))
    typer.echo(f"{len(book.chapters)} chapters, {count} exercises, "
               f"{len(numbers)} quizzes, no problems")


@app.command()
def stats(
    root: Annotated[Path | None, typer.Option(help="The book's folder, if not this one.")] = None,
) -> None:
    """Print the book in numbers. Cells, tangled lines, drift, duplicate definitions."""
    from loom.book.toc import read_book
    from loom.tangle.stats import statistics

    typer.echo(statistics(read_book(root)))


@app.command()
def weave(
    kinds: Annotated[list[str] | None, typer.Argument(
        metavar="[html|pdf|epub]…", help="Forms of the book.")] = None,
    jobs: Annotated[int, typer.Option(
        "--jobs", "-j", min=1, help="Processes for many chapters.")] = 1,
) -> None:
    """Build the book as HTML, PDF or EPUB. HTML if nothing is said."""
    from loom.book.toc import find_root
    from loom.weave.build import build

    for book in build(find_root(), *(kinds or ["html"]), jobs=jobs, tell=typer.echo):
        how = f"built in {book.seconds:.1f} s" if book.fresh else "up to date"
        typer.echo(f"{book.kind}: {how}, open {book.path}")


@app.command()
def run(
    chapters: Annotated[list[str] | None, typer.Argument(
        metavar="[CHAPTERS]…", help="Numbers or names; all chapters if none is given.")] = None,
    jobs: Annotated[int | None, typer.Option(
        "--jobs", "-j", min=1,
        help="Chapters side by side; one per processor if not given.")] = None,
    force: Annotated[bool, typer.Option(help="Run what is up to date too, and compare.")] = False,
    check: Annotated[bool, typer.Option(help="Run nothing; fail if something has to.")] = False,
) -> None:
    """Run the chapters that have changed. Each once; their outputs are kept for the book."""
    from loom.book.toc import read_book
    from loom.errors import LoomError

    book = read_book()
    wanted = [book.chapter(name) for name in chapters or ()]
    if check:
        from loom.run.store import Store

        Store(book).require_fresh(wanted or book.notebooks)
        typer.echo("every chapter's outputs are up to date")
        return
    from loom.run.execute import run as run_chapters
    from loom.run.progress import display

    done = run_chapters(book, wanted or None, jobs=jobs, force=force, display=display())
    for note in done.notes:
        typer.echo(note)
    failed = f"{len(done.failed)} failed, " if done.failed else ""
    typer.echo(f"{len(done.ran)} run, {failed}{len(done.fresh)} up to date")
    if done.problems:
        raise LoomError(done.problems)


@app.command()
def tangle(
    check: bool = typer.Option(False, "--check", help="Write nothing; fail with a diff on drift."),
    force: bool = typer.Option(False, "--force", help="Overwrite edits made in the package."),
) -> None:
    """Make the package in code/scratchlm from the chapters' cells."""
    import gc

    from loom.book.toc import read_book
    from loom.files import exclusive
    from loom.tangle.disk import drift, write_package
    from loom.tangle.modules import tangle as make

    gc.disable()  # a short command: looking for garbage takes longer than it saves
    book = read_book()
    if check:
        found = False
        for line in drift(book, make(book.chapters)):
            found = True
            typer.echo(line, nl=not line.endswith("\n"))
        if found:
            typer.echo("\nThe package differs from the book. `loom tangle` writes it again; "
                       "`loom sync` carries edits of the package back.", err=True)
            raise typer.Exit(1)
        typer.echo("the package is what the book says")
        return
    with exclusive(book.root, "tangle"):
        package = make(book.chapters)
        for path in write_package(book, package, force):
            typer.echo(f"{'wrote' if path.exists() else 'removed'} {path.relative_to(book.root)}")
    lines = sum(text.count("\n") for text in package.files.values())
    typer.echo(f"{len(package.files)} files, {lines} lines")


@app.command()
def snapshot(
    chapter: str = typer.Argument(help="A number or a name; 0 stands before chapter 1."),
    folder: str = typer.Argument(help="Where to write `scratchlm/`."),
) -> None:
    """Write the package as it stands after a chapter."""
    from pathlib import Path

    from loom.book.toc import read_book
    from loom.tangle.snapshot import write_snapshot

    package = write_snapshot(read_book(), chapter, Path(folder))
    typer.echo(f"{len(package.files)} files in {Path(folder) / 'scratchlm'}")


@app.command()
def sync() -> None:
    """Carry edits made in code/scratchlm back to the chapters' cells."""
    from loom.book.toc import read_book
    from loom.files import exclusive
    from loom.tangle.sync import sync as carry

    book = read_book()
    with exclusive(book.root, "sync"):
        carried = carry(book)
    for one in carried:
        typer.echo(f"{one.place}: {one.name} ({one.module})")
    count = len(carried)
    typer.echo(f"{count} edit{'s' * (count > 1)} carried" if count else "nothing to carry")


@app.command()
def where(
    place: str = typer.Argument(metavar="FILE:LINE", help="A line of a chapter or a module."),
) -> None:
    """Tell where a line comes from. From module to chapter, or the reverse."""
    from pathlib import Path

    from loom.book.toc import read_book
    from loom.errors import fail
    from loom.tangle.modules import tangle as make
    from loom.tangle.where import where as find

    file, _, line = place.rpartition(":")
    if not file or not line.isdigit():
        raise fail(f"`{place}` is not FILE:LINE", "such as code/scratchlm/gpt.py:42")
    book = read_book()
    for answer in find(book, make(book.chapters), Path(file), int(line)):
        typer.echo(answer)


@app.command()
def test(
    chapter: str = typer.Argument(None, help="A chapter's number or name; default: each that "
                                  "has tests."),
    package: str = typer.Option(None, "--package", metavar="DIR",
                                help="The folder of a scratchlm that you typed in."),
) -> None:
    """Run a chapter's tests. On the book's code as of that chapter, or on yours."""
    from pathlib import Path

    from loom.book.toc import read_book
    from loom.tangle.snapshot import chapter_tests, run_tests

    book = read_book()
    folder = Path(package) if package else None
    chosen = [book.chapter(chapter)] if chapter else \
        [one for one in book.notebooks if chapter_tests(book, one)]
    raise typer.Exit(max((run_tests(book, one, folder) for one in chosen), default=0))
