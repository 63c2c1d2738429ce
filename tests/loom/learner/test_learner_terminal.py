"""Real terminals and pipes: colors here, none there; ``loom watch`` as one works with it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pexpect
import psutil
import pytest

from loom.cli.screen import Screen, to_ascii
from loom.desk.progress import read_progress

LOOM = [sys.executable, "-c", "from loom.cli import main; main()"]
ESCAPE = re.compile(r"\x1b\[[\d;?]*[A-Za-z]")
WRONG = "def twice(x):\n    return x * x"


@pytest.fixture
def ready(learner: Any) -> Any:
    """A learner with files and a wrong answer."""
    learner.loom("start")
    learner.answer("twice", WRONG)
    return learner


def environment(**more: str) -> dict[str, str]:
    """A terminal's."""
    kept = {k: v for k, v in os.environ.items()
            if k not in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LC_ALL", "PYTHONIOENCODING")}
    return kept | {"TERM": "xterm-256color", "LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1",
                   **more}


def spawn(learner: Any, *arguments: str, columns: int = 80, **more: str) -> Any:
    """A command in a terminal of its own."""
    return pexpect.spawn(LOOM[0], [*LOOM[1:], *arguments], cwd=str(learner.root),
                         env=environment(**more), dimensions=(40, columns), encoding="utf-8",
                         timeout=60)


def typed(learner: Any, *arguments: str, columns: int = 80, **more: str) -> tuple[str, int]:
    """What a terminal shows of a command, and its exit code."""
    child = spawn(learner, *arguments, columns=columns, **more)
    text = child.read().replace("\r\n", "\n")
    child.close()
    text = re.sub(r"\x1b\[\?25[lh]|\x1b\[1A", "", text)  # what is shown while one waits is gone
    return re.sub(r"[^\n]*\r(\x1b\[2K)?", "", text), child.exitstatus


def piped(learner: Any, *arguments: str, **more: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([*LOOM, *arguments], cwd=learner.root, env=environment(**more),
                          capture_output=True, timeout=60, check=False)


def test_colors_in_a_terminal(ready: Any) -> None:
    text, code = typed(ready, "check", "twice")
    assert code == 1
    assert "\x1b[31m✗" in text and "\x1b[1mtwice" in text
    assert max(len(ESCAPE.sub("", line).rstrip()) for line in text.splitlines()) <= 80
    wide = typed(ready, "list", columns=200)[0]
    assert max(len(ESCAPE.sub("", line)) for line in wide.splitlines()) <= 100
    page = typed(ready, "list", "half-of-it")[0]
    assert "\x1b[" in page and "def" in ESCAPE.sub("", page)


@pytest.mark.parametrize("more", [{"NO_COLOR": "1"}, {"TERM": "dumb"}, {}])
def test_no_colors_where_they_are_not_wanted(ready: Any, more: dict[str, str]) -> None:
    arguments = ["check", "twice", *([] if more else ["--plain"])]
    text, _ = typed(ready, *arguments, **more)
    assert "\x1b" not in text
    assert ("✗ any number" if more else "x any number") in text


def test_a_pipe_is_plain(ready: Any) -> None:
    run = piped(ready, "check", "twice")
    text = run.stdout.decode()
    assert run.returncode == 1 and "\x1b" not in text and "✗ any number" in text
    assert run.stderr == b""
    assert not any(line != line.rstrip() for line in text.splitlines())


def test_a_terminal_that_cannot_show_signs(ready: Any) -> None:
    for command in ("check", "list", "progress", "doctor"):
        run = piped(ready, command, PYTHONIOENCODING="ascii")
        assert run.stdout.isascii() and b"Traceback" not in run.stderr, run.stderr
    assert b"x any number" in piped(ready, "check", PYTHONIOENCODING="latin-1").stdout
    assert b"shows them as they are" in piped(ready, "doctor", PYTHONIOENCODING="ascii").stdout
    assert b"shows them as they are" not in piped(ready, "doctor", "--plain").stdout


def test_a_reader_that_goes_away(ready: Any) -> None:
    line = " ".join(f"'{part}'" for part in [*LOOM, "list"])
    run = subprocess.run(f"{line} | true", shell=True, cwd=ready.root, env=environment(),
                         capture_output=True, text=True, timeout=60, check=False)
    assert "Traceback" not in run.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_full_disk_behind_the_output(ready: Any) -> None:
    with open("/dev/full", "w") as full:
        run = subprocess.run([*LOOM, "list"], cwd=ready.root, env=environment(), stdout=full,
                             stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert run.returncode == 1 and run.stderr.count("\n") == 2
    assert "could not be written: No space left on device" in run.stderr


def test_signs_by_their_likes() -> None:
    assert to_ascii("✓ → x × 3² “so”…") == '+ > x x 3^2 "so"...'


def test_letters_by_number() -> None:
    """An accent may be all that a case is about, on a letter or beside it."""
    assert to_ascii("é e\u0301 ﬁ \u3042") == r"\xe9 e\u0301 \ufb01 \u3042"


def test_output_of_an_answer_cannot_move_the_cursor(learner: Any) -> None:
    learner.loom("start")
    learner.answer("twice", "def twice(x):\n    print('\\x1b[2J\\x1b]0;title\\x07 gone')\n")
    text, _ = typed(learner, "check", "twice")
    assert "gone" in text and "\x1b[2J" not in text and "\x07" not in text


def watching(learner: Any, *arguments: str) -> Any:
    child = spawn(learner, "watch", *arguments, columns=100)
    child.expect("Ctrl-C to stop")
    child.expect("exercises passed")
    return child


def stop(child: Any) -> None:
    child.sendintr()
    child.expect("Stopped watching")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0


def test_watch_checks_what_was_saved(ready: Any) -> None:
    child = watching(ready, "1")
    ready.edit("x * x", "x + x * 2")
    child.expect("any number")
    child.expect("0 of 2 exercises passed")
    assert "half-of-it" not in child.before
    ready.edit("def twice(x):\n    return x + x * 2",
               "def twice(x):\n    if x < 0:\n        raise ValueError\n    return x * 2")
    child.expect("4 of 4 points")
    child.expect("1 of 2 exercises passed")
    assert read_progress(ready.folder).of("twice").passed
    ready.answer("half-of-it")
    child.expect("half-of-it")
    assert "twice" not in child.before
    child.expect("1 of 1 point")
    child.expect("2 of 2 exercises passed")
    stop(child)


def test_watch_bears_what_editors_do(ready: Any) -> None:
    child = watching(ready)
    path, text = ready.file, ready.file.read_text(encoding="utf-8")
    path.unlink()  # and written anew, a moment later
    time.sleep(0.15)
    path.write_text(text.replace("x * x", "x * 3"), encoding="utf-8")
    child.expect("any number")
    child.expect("exercises passed")
    path.write_text("", encoding="utf-8")  # emptied first
    time.sleep(0.05)
    path.write_text(text, encoding="utf-8")
    child.expect("any number")
    assert "empty" not in child.before
    child.expect("exercises passed")
    other = path.with_suffix(".tmp")  # renamed over it
    other.write_text(text.replace("x * x", "x * 4"), encoding="utf-8")
    other.replace(path)
    child.expect("any number")
    child.expect("exercises passed")
    path.write_text(text.replace("def twice(x):", "def twice(x:"), encoding="utf-8")
    child.expect("never closed")
    child.expect("exercises passed")
    path.unlink()
    child.expect("there is no")
    child.expect("exercises passed")
    path.write_text(text, encoding="utf-8")
    child.expect("any number")
    child.expect("exercises passed")
    path.write_text("# a note\n" + text, encoding="utf-8")
    child.expect("exercises passed|no exercise has changed")
    stop(child)


def test_a_book_s_mistake_does_not_end_the_watch(ready: Any, source: str) -> None:
    ready.source(source.replace("return x * 2", "return x * y"))  # the reference fails
    child = watching(ready, "1")
    ready.edit("x * x", "x * 3")
    child.expect("the reference fails")
    child.expect("exercises passed")
    ready.answer("half-of-it")
    child.expect("1 of 1 point")
    stop(child)


def test_watch_of_one_exercise_checks_it_at_once(ready: Any) -> None:
    child = spawn(ready, "watch", "twice", columns=100)
    child.expect("any number")
    child.expect("exercises passed")
    ready.answer("half-of-it")
    child.expect("no exercise has changed")
    stop(child)


def test_watch_ends_on_a_request_to_terminate_and_leaves_no_process(ready: Any) -> None:
    child = watching(ready)
    children = psutil.Process(child.pid).children()
    assert children  # the warm processes
    child.kill(signal.SIGTERM)
    child.expect("Stopped watching")
    child.expect(pexpect.EOF)
    child.close()
    assert not psutil.wait_procs(children, timeout=5)[1]


def test_watch_and_check_at_once_lose_nothing(ready: Any) -> None:
    child = watching(ready, "2")
    second = ready.folder / "02_second.py"
    ready.answer("thrice", "def thrice(x):\n    return x * x * x", second)
    said = piped(ready, "check", "twice")
    assert said.returncode == 1
    child.expect("any number", timeout=120)  # torch is being imported
    child.expect("exercises passed")
    begun = time.monotonic()
    ready.edit("x * x * x", "x * x * 3", second)
    child.expect("exercises passed")
    print(f"torch, saved to shown: {time.monotonic() - begun:.2f} s")
    stop(child)
    progress = read_progress(ready.folder)
    assert progress.of("twice").attempts == 1 and progress.of("thrice").attempts == 2


def test_the_folder_goes_away(ready: Any) -> None:
    child = watching(ready)
    ready.folder.rename(ready.root / "elsewhere")
    child.expect("the folder is gone")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 1


def test_a_screen_of_its_own_width() -> None:
    assert Screen(width=20).width == 40 and Screen(width=500).width == 100
