"""What a chapter's key depends on, and what it does not. No kernel runs here."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from loom.book.toc import read_book
from loom.errors import LoomError
from loom.run.cache import cache_folder
from loom.run.environment import Limits, Room
from loom.run.keys import Keys
from loom.run.progress import Live, Plain, display

HEADER = """---
jupytext:
  text_representation: {extension: .md, format_name: myst}
kernelspec: {display_name: Python 3, name: python3}
"""
BASE = '''---
(ch-base)=
# Base

(sec-parts)=
## Parts

```{code-cell} python
:tangle: left.py
LEFT = 1
```

```{code-cell} python
:tangle: right.py
def right() -> int:
    """Two."""
    return 2
```

```{code-cell} python
:tangle: both.py
def both() -> int:
    """Left, to the right."""
    return right() + 1
```
'''
CODE = {  # cells of the second chapter, and the modules of the first that each needs
    "from scratchlm.left import LEFT": {"left"},
    "import scratchlm.both\nprint(1)": {"both", "right"},
    "from scratchlm import both": {"both", "right"},
    "def f():\n    from scratchlm.right import right\n    return right()": {"right"},
    "%%bash\npython -m scratchlm.both": {"both", "right"},
    'code = "from scratchlm.left import LEFT"': {"left"},
    "!echo hello\nfrom scratchlm.both import both": {"both", "right"},
    "import scratchlm": set(),
    "print('nothing')": set(),
}


def a_book(root: Path, second: str = "print('nothing')", header: str = "",
           first_header: str = "") -> Path:
    (root / "book").mkdir(parents=True, exist_ok=True)
    (root / "book" / "matplotlibrc").write_text("font.size: 9\n")
    (root / "requirements.lock").write_text("torch==2\n")
    (root / "book" / "01-base.md").write_text(HEADER + first_header + BASE)
    (root / "book" / "02-user.md").write_text(
        f"{HEADER}{header}---\n(ch-user)=\n# User\n\n```{{code-cell}} python\n{second}\n```\n")
    (root / "_toc.yml").write_text(
        "format: jb-book\nroot: book/01-base\nchapters: [{file: book/02-user}]\n")
    return root


def key(root: Path, chapter: str = "02-user") -> str:
    book = read_book(root)
    return Keys(book).key(book.chapter(chapter))


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.mark.parametrize("source", CODE)
def test_a_key_depends_on_the_modules_that_a_chapter_names(tmp_path: Path, source: str) -> None:
    root = a_book(tmp_path, source)
    before = key(root)
    changes = {"left": ("LEFT = 1", "LEFT = 3"), "right": ("return 2", "return 4"),
               "both": ("right() + 1", "right() + 5")}
    for module, (old, new) in changes.items():
        replace(root / "book" / "01-base.md", old, new)
        assert (key(root) != before) == (module in CODE[source]), module
        replace(root / "book" / "01-base.md", new, old)
        assert key(root) == before


@pytest.mark.parametrize(("old", "new"), [
    ("## Parts", "## Pieces\n\nAnd some prose."),
    ("(sec-parts)=", "(sec-pieces)="),
    ("    return 2", "    # what a comment says does not matter\n    return 2"),
    ("LEFT = 1", "LEFT  =  1"),
])
def test_a_key_does_not_depend_on_prose_labels_or_comments(
        tmp_path: Path, old: str, new: str) -> None:
    root = a_book(tmp_path, "from scratchlm.both import both\nfrom scratchlm.left import LEFT")
    before = key(root)
    replace(root / "book" / "01-base.md", old, new)
    assert key(root) == before


CHANGES: dict[str, Callable[[Path], None]] = {
    "the lock file": lambda root: replace(root / "requirements.lock", "2", "3"),
    "the look": lambda root: replace(root / "book" / "matplotlibrc", "9", "10"),
    "its code": lambda root: replace(root / "book" / "02-user.md", "nothing", "something"),
    "its tags": lambda root: replace(root / "book" / "02-user.md", "print",
                                     ":tags: [raises-exception]\nprint"),
    "where its code goes": lambda root: replace(
        root / "book" / "02-user.md", "print('nothing')", ":tangle: new.py\nNEW = 1"),
    "its data": lambda root: (root / "data.csv").write_text("2") and None,
    "more data": lambda root: (root / "more.csv").write_text("2") and None,
    "the chapter that makes what it needs": lambda root: replace(
        root / "book" / "01-base.md", "LEFT = 1", "LEFT = 3"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_key_depends_on_what_shapes_the_outputs(tmp_path: Path, what: str) -> None:
    (tmp_path / "data.csv").write_text("1")
    root = a_book(tmp_path, header='data: "*.csv"\nneeds: corpus\n',
                  first_header="makes: corpus\n")
    before = key(root)
    assert key(root) == before
    CHANGES[what](root)
    assert key(root) != before


def test_looks_of_a_cell_do_not_count(tmp_path: Path) -> None:
    root = a_book(tmp_path)
    before = key(root)
    replace(root / "book" / "02-user.md", "print",
            "---\ntags: [hide-output, varies]\nmystnb: {figure: {caption: New}}\n---\n\nprint")
    assert key(root) == before


@pytest.mark.parametrize(("header", "said"), [
    ('data: "*.txt"\n', "`data: *.txt` matches no file"),
    ("data: ../secret\n", "`data: ../secret` matches no file"),
    ("needs: weights\n", "needs `weights`, which no chapter makes"),
    ("needs: own\nmakes: own\n", "needs `own`, which is made only in 02-user"),
    ("makes: corpus\n", "makes `corpus`, which 01-base makes too"),
    ("makes: ../up\n", "`../up` is not a name for a product"),
])
def test_headers_that_cannot_be_followed(tmp_path: Path, header: str, said: str) -> None:
    root = a_book(tmp_path / "tree", header=header, first_header="makes: corpus\n")
    (tmp_path / "secret").write_text("")
    with pytest.raises(LoomError) as caught:
        key(root)
    problem = caught.value.problems[0]
    assert said in problem.what and problem.remedy
    assert problem.place is not None and problem.place.line == 5


def test_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOOM_PATIENCE", "7.5")
    assert Limits.from_environment().patience == 7.5
    for wrong in ("soon", "0", "-1", "nan", "inf"):
        monkeypatch.setenv("LOOM_PATIENCE", wrong)
        with pytest.raises(LoomError, match="is not a positive number"):
            Limits.from_environment()


def test_a_run_takes_nothing_from_the_users_settings(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PYTHONPATH", "PYTHONSTARTUP", "JUPYTER_CONFIG_DIR", "IPYTHONDIR",
                 "MPLBACKEND", "MATPLOTLIBRC", "LOOM_KERNEL"):
        monkeypatch.setenv(name, "/mine")
    monkeypatch.setenv("OMP_NUM_THREADS", "64")
    room = Room(tmp_path / "room")
    room.prepare(tmp_path / "before", tmp_path / "after", {}, 1 << 30)
    environment = room.environment(tmp_path)
    assert "/mine" not in environment.values()
    assert environment["OMP_NUM_THREADS"] == "2"
    look = Path(environment["MATPLOTLIBRC"]).read_text()
    assert look == "\nsvg.hashsalt: loom\n"


def test_where_products_live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCRATCHLM_CACHE", str(tmp_path / "here"))
    assert cache_folder() == tmp_path / "here"
    monkeypatch.delenv("SCRATCHLM_CACHE")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert tmp_path in cache_folder().parents and cache_folder().name == "scratchlm"


def test_the_live_display_says_what_runs_and_for_how_long(tmp_path: Path) -> None:
    from rich.console import Console

    chapter = read_book(a_book(tmp_path)).chapter("01-base")
    screen = io.StringIO()
    with Live(Console(file=screen, force_terminal=True, width=100)) as live:
        live.start(chapter, 75.4)
        live.progress.refresh()
        live.cell(chapter, 2)
        live.progress.refresh()
        live.end(chapter, "ran in 3.0 s")
    shown = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", screen.getvalue())
    assert "01-base" in shown and "last time 0:01:15" in shown
    assert "starting" in shown and "cell 2 of 3" in shown
    assert shown.rstrip().endswith("01-base: ran in 3.0 s")


def test_the_display_suits_where_it_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    for is_terminal, kind in ((True, Live), (False, Plain)):
        monkeypatch.setattr(sys.stdout, "isatty", lambda answer=is_terminal: answer)
        assert isinstance(display(), kind)
