"""Nothing is ever half-written, and one command writes at a time."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from loom import files
from loom.book.toc import Book, read_book
from loom.errors import LoomError
from loom.files import exclusive, replace_folder, write_all
from loom.tangle.disk import write_package
from loom.tangle.modules import tangle
from loom.tangle.sync import sync

BookMaker = Callable[[Mapping[str, str]], Book]


def contents(folder: Path) -> dict[Path, bytes]:
    """Every file below a folder, temporary ones included."""
    return {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def failing(monkeypatch: pytest.MonkeyPatch, name: str, error: BaseException, after: int) -> None:
    """Let ``os.<name>`` raise once, after it worked so many times."""
    real: Callable[..., Any] = getattr(os, name)
    calls = [0]

    def fake(*arguments: Any, **options: Any) -> Any:
        calls[0] += 1
        if calls[0] == after + 1:
            raise error
        return real(*arguments, **options)

    monkeypatch.setattr(files.os, name, fake)


FULL = OSError(errno.ENOSPC, "No space left on device")
REFUSED = PermissionError(errno.EACCES, "Permission denied")
READ_ONLY = OSError(errno.EROFS, "Read-only file system")


def test_only_what_changed_is_written(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "deep" / "new"
    old.write_text("same")
    before = old.stat().st_mtime_ns
    gone = tmp_path / "gone"
    gone.write_text("x")
    assert write_all({old: "same", new: b"bytes"}, remove=(gone, tmp_path / "never")) == [new, gone]
    assert old.stat().st_mtime_ns == before
    assert contents(tmp_path) == {old: b"same", new: b"bytes"}


def test_the_mode_of_a_file_stays(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("old")
    script.chmod(0o750)
    write_all({script: "new"})
    assert script.stat().st_mode & 0o777 == 0o750


@pytest.mark.parametrize(("call", "after"), [
    ("fsync", 0), ("fsync", 1), ("fsync", 3), ("replace", 0), ("replace", 1), ("replace", 2)])
@pytest.mark.parametrize(("error", "remedy"), [
    (FULL, "the disk is full"), (REFUSED, "you may not write here"),
    (READ_ONLY, "work in a copy")])
def test_a_failure_in_the_middle_leaves_everything_as_it_was(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, after: int,
        error: OSError, remedy: str) -> None:
    one, two, three = (tmp_path / name for name in ("one", "two", "three"))
    one.write_text("1")
    two.write_text("2")
    before = contents(tmp_path)
    failing(monkeypatch, call, error, after)
    with pytest.raises(LoomError) as caught:
        write_all({one: "new 1", three: "new 3", two: "new 2"})
    assert remedy in str(caught.value) and str(tmp_path) in str(caught.value)
    assert contents(tmp_path) == before


@pytest.mark.parametrize(("call", "after"), [("fsync", 1), ("replace", 0), ("replace", 1)])
def test_control_c_in_the_middle_leaves_everything_as_it_was(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, after: int) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text("1")
    before = contents(tmp_path)
    failing(monkeypatch, call, KeyboardInterrupt(), after)
    with pytest.raises(KeyboardInterrupt):
        write_all({one: "new 1", two: "new 2"})
    assert contents(tmp_path) == before
    monkeypatch.undo()
    write_all({one: "new 1", two: "new 2"})  # the next command just works
    assert contents(tmp_path) == {one: b"new 1", two: b"new 2"}


def test_a_folder_is_put_in_place_whole_or_not_at_all(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target, source = tmp_path / "target", tmp_path / "source"
    for folder, text in ((target, "old"), (source, "new")):
        folder.mkdir()
        (folder / "file").write_text(text)
    failing(monkeypatch, "replace", FULL, 1)
    with pytest.raises(LoomError, match="the disk is full"):
        replace_folder(target, source)
    assert (target / "file").read_text() == "old"
    monkeypatch.undo()
    replace_folder(target, source)
    assert contents(tmp_path) == {target / "file": b"new"}


# Whole commands

CHAPTER = '''(ch-one)=
# One

```{code-cell} python
:tangle: one.py
def f():
    return 1
```

```{code-cell} python
:tangle: two.py
def g():
    return 2
```
'''


@pytest.mark.parametrize("error", [FULL, REFUSED, KeyboardInterrupt()])
@pytest.mark.parametrize("after", [0, 2, 4])
def test_tangle_and_sync_are_all_or_nothing(
        make_book: BookMaker, monkeypatch: pytest.MonkeyPatch, error: BaseException,
        after: int) -> None:
    book = make_book({"01-one": CHAPTER})
    package = tangle(book.chapters)
    before = contents(book.root)
    expected: type[BaseException] = LoomError if isinstance(error, OSError) else KeyboardInterrupt
    failing(monkeypatch, "replace", error, after)
    with pytest.raises(expected):
        write_package(book, package)
    assert contents(book.root) == before
    monkeypatch.undo()
    write_package(book, package)
    for name, old, new in (("one", "return 1", "return 10"), ("two", "return 2", "return 20")):
        path = book.package / f"{name}.py"
        path.write_text(path.read_text().replace(old, new))
    before = contents(book.root)
    failing(monkeypatch, "replace", error, after % 3)
    with pytest.raises(expected):
        sync(read_book(book.root))
    assert contents(book.root) == before
    monkeypatch.undo()
    assert len(sync(read_book(book.root))) == 2


def loom(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", "from loom.cli import main; main()", *arguments],
                          cwd=root, capture_output=True, text=True, check=False)


def test_two_commands_at_once(make_book: BookMaker) -> None:
    book = make_book({"01-one": CHAPTER})
    with exclusive(book.root, "run"):
        for command in ("tangle", "sync"):
            done = loom(book.root, command)
            assert done.returncode == 1
            assert f"`loom run, process {os.getpid()}` is at work in this tree" in done.stderr
            assert "wait until it ends" in done.stderr
        assert not book.package.exists()
        assert loom(book.root, "tangle", "--check").returncode == 1  # reading needs no lock
    assert loom(book.root, "tangle").returncode == 0


def test_a_module_that_cannot_be_read(make_book: BookMaker) -> None:
    book = make_book({"01-one": CHAPTER})
    assert loom(book.root, "tangle").returncode == 0
    (book.package / "one.py").write_bytes(b"x = 1\ny = '\xe9'\n")
    for command in ("tangle", "sync", "stats"):
        done = loom(book.root, command)
        assert done.returncode == 1 and "Traceback" not in done.stderr
        assert "one.py:2: is not UTF-8" in done.stderr


def test_the_lock_of_a_killed_command_is_free(make_book: BookMaker) -> None:
    book = make_book({"01-one": CHAPTER})
    code = ("import sys, time\nfrom pathlib import Path\nfrom loom.files import exclusive\n"
            f"with exclusive(Path({str(book.root)!r}), 'run'):\n"
            "    print('held', flush=True)\n    time.sleep(60)\n")
    holder = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None and holder.stdout.readline() == "held\n"
    assert loom(book.root, "tangle").returncode == 1
    holder.kill()
    holder.wait()
    holder.stdout.close()
    assert loom(book.root, "tangle").returncode == 0


def stops_while(book: Book, patch: str, stop: signal.Signals) -> str:
    """What `loom tangle` says that is asked to stop while something is slow."""
    code = (f"import time\n{patch}\nimport sys; sys.argv = ['loom', 'tangle']\n"
            "from loom.cli import main; main()")
    running = subprocess.Popen([sys.executable, "-c", code], cwd=book.root, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert running.stdout is not None and running.stdout.readline() == "in\n"
    time.sleep(0.1)
    running.send_signal(stop)
    _, said = running.communicate(timeout=20)
    assert running.returncode == 130
    return said


def test_control_c_on_the_command_line(make_book: BookMaker) -> None:
    book = make_book({"01-one": CHAPTER})
    slow = ("import loom.tangle.disk as disk\n"
            "def slow(*a, **k):\n    print('in', flush=True)\n    time.sleep(60)\n"
            "disk.write_package = slow")
    said = stops_while(book, slow, signal.SIGINT)
    assert "Stopped" in said and "Traceback" not in said
    assert not book.package.exists()
    assert loom(book.root, "tangle").returncode == 0


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_request_to_stop_between_two_renames_waits(make_book: BookMaker,
                                                     stop: signal.Signals) -> None:
    book = make_book({"01-one": CHAPTER})
    slow = ("import os\nreplace = os.replace\n"
            "def slow(*a):\n    print('in', flush=True)\n    time.sleep(0.4)\n    replace(*a)\n"
            "os.replace = slow")
    said = stops_while(book, slow, stop)
    assert "Stopped" in said and "Traceback" not in said
    assert loom(book.root, "tangle", "--check").returncode == 0  # all of it was written


# The machine


OLD = """import nox, runpy, sys
from collections import namedtuple
Version = namedtuple("Version", "major minor micro releaselevel serial")
sys.version_info, sys.version = Version(3, 9, 2, "final", 0), "3.9.2 (default)"
"""


def test_a_python_too_old(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", f"{OLD}from loom.cli import main; main()"],
                          cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == ("loom needs Python 3.11 or newer; this is 3.9.2.\n"
                           "    → install a newer Python, then `python3 -m venv .venv` again\n")
    noxfile = Path(__file__).parents[2] / "noxfile.py"
    session = ("class Session:\n    def error(self, what): sys.exit(what)\n"
               f"runpy.run_path({str(noxfile)!r})['ready'](Session())")
    done = subprocess.run([sys.executable, "-c", OLD + session], cwd=tmp_path,
                          capture_output=True, text=True)
    assert done.returncode == 1
    assert "Python 3.11 or newer is needed; this is 3.9.2. Install one, then:" in done.stderr


# What loom may overwrite and delete


def test_edits_by_hand_are_not_overwritten(make_book: BookMaker) -> None:
    book = make_book({"01-one": CHAPTER})
    package = tangle(book.chapters)
    write_package(book, package)
    path = book.package / "one.py"
    path.write_text(path.read_text() + "\n\nx = 1\n")
    before = contents(book.root)
    with pytest.raises(LoomError) as caught:
        write_package(book, package)
    assert "one.py: was edited since it was tangled" in str(caught.value)
    assert "`loom sync`" in str(caught.value) and "--force" in str(caught.value)
    assert contents(book.root) == before
    assert write_package(book, package, force=True) == [path]


def test_modules_that_no_cell_makes_are_deleted_unknown_files_are_not(
        make_book: BookMaker) -> None:
    book = make_book({"01-one": CHAPTER})
    write_package(book, tangle(book.chapters))
    smaller = make_book({"01-one": CHAPTER.replace(":tangle: two.py", ":tangle: one.py")})
    mine = book.package / "mine.py"
    mine.write_text("x = 1\n")
    before = contents(book.root)
    with pytest.raises(LoomError) as caught:
        write_package(smaller, tangle(smaller.chapters))
    assert "mine.py: comes from no cell, and git does not know it" in str(caught.value)
    assert contents(book.root) == before
    mine.unlink()
    changed = write_package(smaller, tangle(smaller.chapters))
    assert sorted(p.name for p in changed) == ["one.py", "two.py"]
    assert not (book.package / "two.py").exists()


def test_what_git_has_committed_may_be_overwritten(make_book: BookMaker) -> None:
    book = make_book({"01-one": CHAPTER})
    (book.package).mkdir(parents=True)
    (book.package / "old.py").write_text("# from an older book\n")
    (book.package / "one.py").write_text("# from an older book\n")
    git = ["git", "-c", "user.name=T", "-c", "user.email=t@example.org"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "Old"]):
        subprocess.run([*git, *command], cwd=book.root, check=True)
    write_package(book, tangle(book.chapters))
    assert not (book.package / "old.py").exists()
    assert "def f" in (book.package / "one.py").read_text()
