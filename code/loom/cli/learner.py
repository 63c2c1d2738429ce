"""The commands of those who solve the exercises.

Every command imports what it needs inside itself: ``loom --help`` is quick.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from loom.desk.shelf import Shelf

app = typer.Typer()

Plain = Annotated[bool, typer.Option("--plain", help="No colors, only ASCII.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead.")]
Id = Annotated[str, typer.Argument(metavar="ID", help="An exercise's id, or its number (1.3).")]


def _shelf() -> Shelf:
    from loom.desk.desk import find_book
    from loom.desk.shelf import read_shelf

    return read_shelf(find_book())


@app.command()
def start(
    chapters: Annotated[list[str] | None, typer.Argument(
        metavar="[CHAPTERS]…", help="Numbers or names; all chapters if none is given.")] = None,
    notebook: Annotated[bool, typer.Option(
        "--notebook", help="Jupyter notebooks instead of Python files.")] = False,
    plain: Plain = False,
) -> None:
    """Write files for your answers. Never over your work: what is there is only added to."""
    from loom.cli import lessons
    from loom.cli.screen import Screen

    lessons.start(_shelf(), chapters or [], Screen(plain=plain), notebook)


@app.command()
def watch(
    names: Annotated[list[str] | None, typer.Argument(
        metavar="[CHAPTER|ID]…", help="What to look at; everything if nothing is given.")] = None,
    plain: Plain = False,
) -> None:
    """Check your answers whenever you save. Ctrl-C ends it."""
    from loom.cli import checking, watching
    from loom.cli.screen import Screen
    from loom.desk.desk import require_desk

    shelf = _shelf()
    desk = require_desk(shelf.root)
    named = checking.wanted(shelf, desk, names) if names else tuple(
        e for e in shelf.exercises if desk.files(e.chapter))
    checking.unbroken(shelf)
    single = any(shelf.chapter(name) is None for name in names or ())
    watching.watch(shelf, desk, named, Screen(plain=plain), at_once=single)


@app.command()
def check(
    names: Annotated[list[str] | None, typer.Argument(
        metavar="[ID|CHAPTER]…", help="What to check; all that you started if nothing is given.",
    )] = None,
    everything: Annotated[bool, typer.Option(
        "--all", help="Run all cases, even after one has failed.")] = False,
    seed: Annotated[int | None, typer.Option(
        min=0, help="Numbers of an earlier check.")] = None,
    as_json: Json = False,
    plain: Plain = False,
) -> None:
    """Check your answers. Succeeds (exit code 0) only on full marks."""
    from loom.cli import checking
    from loom.desk.desk import require_desk

    shelf = _shelf()
    checking.unbroken(shelf)
    screen = None
    if not as_json:
        from loom.cli.screen import Screen

        screen = Screen(plain=plain)
    passed = checking.check(shelf, require_desk(shelf.root), names or [], screen,
                            everything=everything, seed=seed)
    raise typer.Exit(0 if passed else 1)


@app.command()
def hint(
    name: Id,
    number: Annotated[int | None, typer.Argument(
        metavar="[N]", help="One that you have seen already.")] = None,
    plain: Plain = False,
) -> None:
    """Show the next hint for an exercise."""
    from loom.cli import lessons
    from loom.cli.screen import Screen

    lessons.hint(_shelf(), name, number, Screen(plain=plain))


@app.command()
def solution(
    name: Id,
    give_up: Annotated[bool, typer.Option(
        "--give-up", help="Show it although you have not passed; this is remembered.")] = False,
    plain: Plain = False,
) -> None:
    """Show the solution and other ways. After you have passed, or given up."""
    from loom.cli import lessons
    from loom.cli.screen import Screen

    lessons.solution(_shelf(), name, give_up, Screen(plain=plain))


@app.command("list")
def list_(
    name: Annotated[str | None, typer.Argument(
        metavar="[CHAPTER|ID]", help="One chapter, or one exercise with all it asks.")] = None,
    as_json: Json = False,
    plain: Plain = False,
) -> None:
    """Show the exercises and how you stand. Or one, with all that it asks."""
    import json

    from loom.cli import checking, lessons, tables
    from loom.desk.desk import find_desk
    from loom.desk.progress import Progress, read_progress

    shelf = _shelf()
    checking.unbroken(shelf)
    exercises = shelf.pick(name) if name else shelf.exercises
    desk = find_desk(shelf.root)
    progress = read_progress(desk.folder) if desk else Progress()
    found = tables.states(shelf, desk, progress, exercises)
    if as_json:
        rows = tables.as_rows(shelf, exercises, found, progress)
        print(json.dumps({"schema": 1, "exercises": rows}, indent=1))
        return
    from loom.cli.screen import Screen

    screen = Screen(plain=plain)
    if name and shelf.chapter(name) is None:
        lessons.page(shelf, exercises[0], screen)
    else:
        tables.list_exercises(screen, shelf, exercises, found, progress)
    checking.tell(screen, [*progress.notes, *map(str, shelf.broken)])


@app.command()
def progress(as_json: Json = False, plain: Plain = False) -> None:
    """Show how far you have come, and what is next."""
    import json

    from loom.cli import checking, tables
    from loom.desk.desk import require_desk
    from loom.desk.progress import read_progress

    shelf = _shelf()
    checking.unbroken(shelf)
    desk = require_desk(shelf.root)
    done = read_progress(desk.folder)
    found = tables.states(shelf, desk, done, shelf.exercises)
    if as_json:
        print(json.dumps(tables.as_summary(shelf, found, done), indent=1))
        return
    from loom.cli.screen import Screen

    screen = Screen(plain=plain)
    tables.show_progress(screen, shelf, found, done)
    checking.tell(screen, done.notes)


@app.command()
def reset(name: Id, plain: Plain = False) -> None:
    """Put an exercise's stub back. Your answer is kept, and you are told where."""
    from loom.cli import lessons
    from loom.cli.screen import Screen

    lessons.reset(_shelf(), name, Screen(plain=plain))


@app.command()
def doctor(plain: Plain = False) -> None:
    """Look whether everything works here, and what to do where it does not."""
    from loom.cli.doctor import examine
    from loom.cli.screen import Screen

    raise typer.Exit(0 if examine(Screen(plain=plain)) else 1)


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
    from loom.desk.desk import find_book

    if schema:
        typer.echo(quizzing.json_schema())
        return
    book = read_book(find_book())
    if verify:
        quizzing.check(book, [chapter] if chapter else [])
    elif chapter is None:
        quizzing.overview(book, Screen(plain=plain))
    else:
        quizzing.play(book, chapter, Screen(plain=plain), again, everything)
