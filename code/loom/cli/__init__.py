"""One command line, ``loom``: for authors, for learners, for teachers."""

from __future__ import annotations

import errno
import os
import signal
import sys
from types import FrameType


def main() -> None:
    """Run ``loom``; an error of the user's making is told without a traceback."""
    if sys.version_info < (3, 11):  # noqa: UP036 (pip refuses too; for a copied folder)
        print(f"loom needs Python 3.11 or newer; this is {sys.version.split()[0]}.\n"
              "    → install a newer Python, then `python3 -m venv .venv` again",
              file=sys.stderr)
        raise SystemExit(1)
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:  # nohup's stays
            signal.signal(number, _stop)
    try:
        _command()
    except (KeyboardInterrupt, SystemExit) as end:
        if isinstance(end, SystemExit) and end.code != 130:
            raise
        print("\nStopped. Nothing is half-written; run the command again to go on.",
              file=sys.stderr)  # typer hands Ctrl-C on as exit code 130
        raise SystemExit(130) from None
    except OSError as error:
        if error.errno not in (errno.EPIPE, errno.ENOSPC):
            raise
        if error.errno == errno.ENOSPC:
            print(f"What there is to say could not be written: {error.strerror}\n"
                  "    → make room, or send the output elsewhere", file=sys.stderr)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None


def _command() -> None:
    """Run what the arguments say; tell the problems that it finds."""
    from loom.cli import learner, teacher
    from loom.cli.author import app
    from loom.errors import LoomError

    app.add_typer(learner.app)  # without a name of its own: its commands are loom's
    app.add_typer(teacher.app)
    try:
        app(prog_name="loom", standalone_mode=True)
    except LoomError as error:
        print(error, file=sys.stderr)
        count = len(error.problems)
        if count > 1:
            print(f"{count} problems.", file=sys.stderr)
        raise SystemExit(1) from None


def _stop(number: int, frame: FrameType | None) -> None:
    """A request to terminate, or a closed terminal, ends a command as Ctrl-C does."""
    raise KeyboardInterrupt
