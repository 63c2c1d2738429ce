"""`loom run` on tiny books: what runs, in what, and what is told when it fails."""

from __future__ import annotations

import errno
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from loom.book.chapter import Chapter
from loom.book.toc import Book, read_book
from loom.errors import LoomError, Problem
from loom.files import exclusive
from loom.run.environment import Limits
from loom.run.execute import Summary, run
from loom.run.progress import Plain
from loom.run.store import Store

HEADER = """---
jupytext:
  text_representation: {extension: .md, format_name: myst}
kernelspec: {display_name: Python 3, name: python3}
"""
LOOM = [sys.executable, "-c", "from loom.cli import main; main()"]


def cell(source: str, **options: str) -> str:
    """A code cell with its options."""
    said = "".join(f":{name}: {value}\n" for name, value in options.items())
    return f"```{{code-cell}} python\n{said}{source.strip()}\n```\n\n"


class Writer:
    """A book in a temporary folder; its cells count their runs in a file."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.names: list[str] = []
        (root / "book").mkdir(parents=True)
        (root / "book" / "index.md").write_text("# A book\n")
        self.counts = root / "counts.txt"
        self.counts.touch()

    def chapter(self, name: str, *cells: str, header: str = "") -> Path:
        """Write a chapter, whose first cell counts that it ran, at the book's end."""
        counting = cell(f'with open({str(self.counts)!r}, "a") as counts:\n'
                        f'    print("{name}", file=counts)')
        path = self.root / "book" / f"{name}.md"
        path.write_text(f"{HEADER}{header}---\n(ch-{name[3:]})=\n# Chapter {name[3:]}\n\n"
                        f"(sec-{name[3:]})=\n## The section\n\nProse.\n\n{counting}"
                        + "".join(cells), encoding="utf-8")
        if name not in self.names:
            self.names.append(name)
        toc = "".join(f"  - file: book/{name}\n" for name in self.names)
        (self.root / "_toc.yml").write_text(
            f"format: jb-book\nroot: book/index\nchapters:\n{toc}", encoding="utf-8")
        return path

    def edit(self, name: str, old: str, new: str) -> None:
        path = self.root / "book" / f"{name}.md"
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")

    @property
    def book(self) -> Book:
        return read_book(self.root)

    def run(self, *names: str, **options: object) -> Summary:
        """`loom run`, in this process."""
        book = self.book
        return run(book, [book.chapter(name) for name in names] or None,
                   **options)  # type: ignore[arg-type]

    def counted(self) -> list[str]:
        """The chapters that have really executed since the last time of asking."""
        ran = sorted(self.counts.read_text().split())
        self.counts.write_text("")
        return ran

    def texts(self, name: str) -> list[str]:
        """What each cell of a chapter has printed or shown as text, by its stored run."""
        book = self.book
        stored = Store(book).load(book.chapter(name))
        assert stored is not None
        return ["".join(o.get("text") or o.get("data", {}).get("text/plain", "")
                        for o in c.outputs) for c in stored.notebook.cells]


@pytest.fixture
def writer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Writer:
    monkeypatch.setenv("SCRATCHLM_CACHE", str(tmp_path / "cache"))
    return Writer(tmp_path / "tree")


def at(problem: Problem, text: str) -> bool:
    """Whether a problem's place is the first line of its chapter with some text."""
    assert problem.place is not None
    lines = problem.place.path.read_text(encoding="utf-8").split("\n")
    return problem.place.line == next(n for n, line in enumerate(lines, 1) if text in line)


def only(problems: list[Problem]) -> Problem:
    assert len(problems) == 1, problems
    return problems[0]


def test_exactly_what_depends_on_a_change_runs_again(writer: Writer) -> None:
    writer.chapter(
        "01-base",
        cell('def alpha() -> int:\n    """One."""\n    return 1', tangle="alpha.py"),
        cell('def beta() -> int:\n    """Two."""\n    return 2', tangle="beta.py"),
        cell('def gamma() -> int:\n    """More than alpha."""\n    return alpha() + 1',
             tangle="gamma.py"))
    writer.chapter("02-beta", cell("from scratchlm.beta import beta\nprint(beta())"))
    writer.chapter("03-gamma", cell("from scratchlm.gamma import gamma\nprint(gamma())"))
    writer.chapter("04-nothing", cell("print(4)", tags="[hide-output]"))
    done = writer.run()
    everything = ["01-base", "02-beta", "03-gamma", "04-nothing"]
    assert (sorted(done.ran), done.problems) == (everything, [])
    assert writer.counted() == everything
    assert writer.texts("03-gamma")[1] == "2\n"

    assert writer.run().fresh == everything
    assert writer.counted() == []

    # A module of chapter 1, which chapter 3 uses through another module.
    writer.edit("01-base", "return 1", "return 10")
    writer.run()
    assert writer.counted() == ["01-base", "03-gamma"]
    assert writer.texts("03-gamma")[1] == "11\n"

    # Prose, titles, labels, looks.
    writer.edit("01-base", "Prose.", "Prose, better.")
    writer.edit("01-base", "## The section", "## Another title")
    writer.edit("01-base", "(sec-base)=", "(sec-else)=")
    writer.edit("04-nothing", ":tags: [hide-output]\n", "")
    writer.edit("02-beta", "```{code-cell} python\nfrom",
                "```{code-cell} python\n---\ntags: [hide-input]\nmystnb:\n  figure:\n"
                "    caption: New.\n---\nfrom")
    assert writer.run().fresh == everything
    assert writer.counted() == []

    # Back to what was: its outputs are still there.
    writer.edit("01-base", "return 10", "return 1")
    assert writer.run().fresh == everything

    # The locked versions concern everyone.
    (writer.root / "requirements.lock").write_text("torch==9\n")
    assert Store(writer.book).is_fresh(writer.book.chapter("04")) is False


CHILD = """
import multiprocessing, subprocess, sys
with multiprocessing.get_context("spawn").Pool(1) as pool:
    print(pool.map(triple, [1, 2]))
print(subprocess.run([sys.executable, "-c", "from scratchlm.new import triple; "
                      "from scratchlm.base import twice; print(triple(2), twice(2))"],
                     capture_output=True, text=True).stdout, end="")
print(subprocess.run([sys.executable, "-c", "import scratchlm" + ".later"],
                     capture_output=True, text=True).stderr.split(": ")[-1])
"""


def test_what_cells_see(writer: Writer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rival = tmp_path / "installed" / "scratchlm"  # a package that must not be seen
    rival.mkdir(parents=True)
    (rival / "__init__.py").write_text("raise RuntimeError('the wrong package')\n")
    monkeypatch.setenv("PYTHONPATH", str(rival.parent))
    for name in ("base", "user", "new", "later"):
        (rival / f"{name}.py").touch()
    writer.chapter(
        "01-base",
        cell('def twice(x: int) -> int:\n    """Two of it."""\n    return 2 * x',
             tangle="base.py"),
        cell('def four(x: int) -> int:\n    """Twice twice."""\n    return twice(twice(x))',
             tangle="user.py"),
        cell("import importlib, scratchlm\nprint(scratchlm.__file__, twice.__module__)\n"
             'importlib.import_module("scratchlm.new")', tags="[raises-exception]"),
        cell("import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()"),
        cell("import os, tempfile\nprint(os.getcwd(), os.listdir(), tempfile.gettempdir())\n"
             "print(os.environ['LOOM_ROOT'], os.environ['SCRATCHLM_PRODUCTS'])"),
        cell("import numpy\nprint(numpy.__file__)\nnumpy.exp(numpy.float64(1e9));"))
    writer.chapter(
        "02-next",
        cell("from scratchlm.base import twice\nfrom scratchlm.user import four\nprint(four(1))"),
        cell('def twice(x: int) -> int:\n    """Wrong on purpose."""\n    return 10 * x',
             tangle="base.py", replaces="twice"),
        cell("print(four(1))"),
        cell('def triple(x: int) -> int:\n    """Three of it."""\n    return 3 * x',
             tangle="new.py"),
        cell("import pickle\nprint(pickle.loads(pickle.dumps(triple)) is triple, "
             "triple.__module__)"),
        cell(CHILD),
        cell('import urllib.request\ntry:\n    urllib.request.urlopen("http://example.com")\n'
             "except OSError as error:\n    print(error)"),
        cell("import socket\nserver = socket.create_server(('127.0.0.1', 0))\n"
             "socket.create_connection(server.getsockname()).close()\nprint('loopback')"))
    assert writer.run().problems == []
    first = writer.texts("01-base")
    assert first[3].startswith("scratchlm/__init__.py scratchlm.base\n")
    assert first[5] == ". [] /tmp\n$LOOM_ROOT $SCRATCHLM_PRODUCTS\n"
    assert first[6].startswith("numpy/__init__.py\n<cell 7>:3: RuntimeWarning: overflow")
    book = writer.book
    stored = Store(book).load(book.chapter("01-base"))
    assert stored is not None
    error = stored.notebook.cells[3].outputs[-1]
    assert error.ename == "ModuleNotFoundError" and str(writer.root) not in str(error)
    figure = stored.notebook.cells[4].outputs[0].data
    assert "image/png" not in figure and "<dc:date>" not in figure["image/svg+xml"]
    assert "execution" not in stored.notebook.cells[0].metadata

    second = writer.texts("02-next")
    assert second[1] == "4\n"
    assert second[3] == "100\n"  # rebound in the modules that were loaded already
    assert second[5] == "True scratchlm.new\n"
    assert second[6].split("\n")[:3] == ["[3, 6]", "6 20", "No module named 'scratchlm.later'"]
    assert "no network" in second[7] and "example.com" in second[7]
    assert second[8] == "loopback\n"

    again = writer.run("01", force=True)  # the same output twice, the figure too
    assert (again.ran, again.problems) == (["01-base"], [])


@pytest.fixture(scope="module")
def failures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Problem]:
    """A book in which nearly every chapter fails; the problems by chapter."""
    writer = Writer(tmp_path_factory.mktemp("failures") / "tree")
    writer.chapter("01-base", cell(
        'def invert(x: float) -> float:\n    """One over x."""\n    return 1 / x',
        tangle="base.py"))
    writer.chapter(
        "02-fails", cell("from scratchlm.base import invert\n\n\ndef f(x):\n"
                         "    return invert(x)"),
        cell("# one\ntry:\n    f(0)\nexcept ZeroDivisionError as error:\n"
             "    raise ValueError('bad') from error"), cell("print('never')"))
    writer.chapter("03-loops", cell("import time\nwhile True:\n    time.sleep(0.01)"))
    writer.chapter("04-allocates", cell("import numpy\nnumpy.ones(1 << 29)"))
    writer.chapter("05-dies", cell("import ctypes\nctypes.string_at(0)"))
    writer.chapter("06-exits", cell("import sys\nsys.exit(3)"))
    writer.chapter("07-misspells", cell("x = 1\ny = = 2"))
    writer.chapter("08-works", cell("print('fine')"))
    writer.chapter("09-hoards", cell(
        "import multiprocessing, time\n\n\ndef hold():\n    kept = b'x' * (350 << 20)\n"
        "    time.sleep( 60 )\n    return kept\n\n\nfork = multiprocessing.get_context('fork')\n"
        "all_ = [fork.Process(target=hold) for _ in range(3)]\n"
        "[p.start() for p in all_]\ntime.sleep(60)"))
    writer.chapter("10-dawdles", *(cell("import time\ntime.sleep(2)") for _ in range(4)))
    writer.chapter("11-hides", cell('import importlib\n'
                                    'importlib.import_module("scratchlm" + ".ba" + "se")'))
    writer.chapter("12-prints", cell("print('x' * 20_000_000)"))
    writer.chapter("13-asks", cell("name = input('Who? ')"))
    writer.chapter("14-leaves", cell("print('bye', flush=True)\nimport os\nos._exit(0)"))
    writer.chapter("15-recurs", cell("def f(n):\n    return f(n - 1) if n else 1 / 0\n\n\nf(90)"))
    limits = Limits(chapter=6, cell=4, memory=3 << 28, patience=1)
    before = set(psutil.Process().children(recursive=True))
    done = writer.run(limits=limits, jobs=3)
    assert sorted(done.ran) == ["01-base", "08-works"]
    assert [p.place.path.name for p in done.problems if p.place] == sorted(
        p.place.path.name for p in done.problems if p.place)
    assert set(psutil.Process().children(recursive=True)) <= before
    return {p.place.path.stem: p for p in done.problems if p.place}


def test_a_failing_cell_is_told_in_terms_of_the_chapter(failures: dict[str, Problem]) -> None:
    problem = failures["02-fails"]
    assert at(problem, "raise ValueError")
    what = problem.what
    assert what.startswith("ValueError: bad\n")
    assert "chapter 2, “Chapter fails”, section “The section” (line 10), cell 3 of 4" in what
    assert re.search(r">   \d\d \|     raise ValueError\('bad'\) from error\n", what)
    for frame in (r"02-fails.md:\d\d\n          f\(0\)", r"02-fails.md:2\d in f\n",
                  r"01-base.md:2\d \(code/scratchlm/base.py\) in invert\n",
                  r"ZeroDivisionError: .*division by zero\n    which was the cause of"):
        assert re.search(frame, what)
    assert "ipython" not in what and "snapshots" not in what


@pytest.mark.parametrize(("chapter", "text", "said"), [
    ("03-loops", "time.sleep(0.01)", "this cell ran out of time: a cell may take 4 s"),
    ("04-allocates", "numpy.ones", "out of memory: a chapter may take 0.75 GiB"),
    ("05-dies", "string_at", "the kernel died"),
    ("06-exits", "sys.exit", "SystemExit: 3"),
    ("07-misspells", "= = 2", "SyntaxError: invalid syntax"),
    ("09-hoards", "time.sleep(60)", "all its processes together may hold 0.75 GiB"),
    ("10-dawdles", "", "its cells may take 6 s together"),
    ("15-recurs", "", "… 68 more calls\n"),
    ("12-prints", "", "printed 20,000,001 characters; at most 100,000"),
    ("13-asks", "input(", "StdinNotImplementedError"),
    ("14-leaves", "", "the kernel died"),
    ("11-hides", "", "load `scratchlm.base` without naming it"),
])
def test_other_ways_to_fail(failures: dict[str, Problem], chapter: str, text: str,
                            said: str) -> None:
    problem = failures[chapter]
    assert said in problem.what
    assert not text or at(problem, text)
    assert chapter != "05-dies" or "Segmentation fault" in problem.remedy
    assert problem.remedy


def test_products(writer: Writer) -> None:
    place = 'import os, pathlib\nplace = pathlib.Path(os.environ["SCRATCHLM_PRODUCTS"], "corpus")\n'
    writer.chapter("01-makes", cell(place + '(place / "text").write_text("hello")'),
                   header="makes: corpus\n")
    writer.chapter("02-needs", cell(place + '(place / "text").read_text()'),
                   header="needs: corpus\n")
    store = writer.root.parent / "cache" / "products" / "corpus"
    assert writer.run("02").ran == ["01-makes", "02-needs"]  # what it needs comes first
    assert writer.texts("02-needs")[1] == "'hello'"
    assert (next(store.iterdir()) / "text").read_text() == "hello"
    writer.counted()

    # Made once and shared; but who changes what he only needs has spoilt it.
    writer.edit("02-needs", "read_text()", 'with_name("more").write_text("x")')
    assert "changed `corpus`, which it only needs" in only(writer.run().problems).what
    assert writer.counted() == ["02-needs"]
    writer.edit("02-needs", 'with_name("more").write_text("x")', "read_text().upper()")
    assert writer.run().problems == []
    assert writer.counted() == ["01-makes", "02-needs"]  # the product was gone

    writer.edit("01-makes", '(place / "text").write_text', "len")
    first, second = writer.run().problems
    assert "says `makes: corpus`, but its cells wrote nothing there" in first.what
    assert "it needs `corpus`, and 01-makes.md, which makes it, failed" in second.what
    assert [path.name[0] for path in store.iterdir()] != ["."]


def test_side_by_side_and_alone(writer: Writer) -> None:
    meet = ("import pathlib, time\nroot = pathlib.Path({root!r})\n(root / {mine!r}).touch()\n"
            "while not (root / {other!r}).exists():\n    time.sleep(0.01)\n"
            "(root / 'log').open('a').write('met ')")
    root = str(writer.root)
    alone = (f"import pathlib, time\nlog = pathlib.Path({root!r}, 'log')\n"
             "log.open('a').write('begin ')\ntime.sleep(0.5)\nlog.open('a').write('end ')")
    writer.chapter("01-alone", cell(alone), header="exclusive: true\n")
    writer.chapter("02-left", cell(meet.format(root=root, mine="left", other="right")))
    writer.chapter("03-right", cell(meet.format(root=root, mine="right", other="left")))
    assert writer.run(jobs=4, limits=Limits(chapter=30, patience=1)).problems == []
    assert (writer.root / "log").read_text() == "met met begin end "


def test_outputs_that_differ_are_reported_unless_they_may(writer: Writer) -> None:
    writer.chapter("01-dice", cell("import random\nrandom.random()"),
                   cell("import time\ntime.time()", tags="[varies]"),
                   cell("import sys\nprint('a'); print('b', file=sys.stderr); print({'x', 'y'})"))
    assert writer.run().problems == []
    problem = only(writer.run(force=True).problems)
    assert "cell 2 gave another output than last time" in problem.what
    assert at(problem, "import random")


def test_a_full_disk(writer: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    writer.chapter("01-fine", cell("print(1)"))
    full: list[bool] = []
    real = os.fsync

    def fsync(file: int) -> None:
        if full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(file)

    class Filling(Plain):
        def start(self, chapter: Chapter, last: float | None) -> None:
            full.append(True)

    monkeypatch.setattr(os, "fsync", fsync)
    problem = only(writer.run(display=Filling()).problems)
    assert "cannot write" in problem.what and "the disk is full" in problem.remedy
    left = list((writer.root / "_build" / "run" / "outputs").rglob("*.*"))
    assert not left
    full.clear()
    assert writer.run().ran == ["01-fine"]


def test_something_in_the_way(writer: Writer) -> None:
    writer.chapter("01-fine", cell("print(1)"))
    (writer.root / "_build" / "run").mkdir(parents=True)
    (writer.root / "_build" / "run" / "outputs").write_text("not a folder")
    assert "cannot write" in only(writer.run().problems).what


def alive(marker: str) -> list[psutil.Process]:
    """Processes, not this one, that have something in their environment."""
    found = []
    for process in psutil.process_iter():
        try:
            if marker in process.environ().values() and process.pid != os.getpid() \
                    and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


def wait_for(condition: Callable[[], object], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.02)


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_stopped_in_the_middle(writer: Writer, stop: signal.Signals, tmp_path: Path) -> None:
    flag = writer.root / "go"
    writer.chapter("01-waits", cell(
        "import pathlib, subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'],\n"
        f"                         start_new_session=True)\n"
        f"while not pathlib.Path({str(flag)!r}).exists():\n    time.sleep(0.01)\n"
        "child.kill()"))
    place = tmp_path / "tmp"
    place.mkdir()
    environment = {**os.environ, "TMPDIR": str(place), "RUN_OF_TEST": str(tmp_path)}
    command = subprocess.Popen([*LOOM, "run"], cwd=writer.root, env=environment,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    wait_for(lambda: writer.counts.read_text())
    with pytest.raises(LoomError, match="loom run, process"), exclusive(writer.root, "tangle"):
        pass
    time.sleep(0.3)
    command.send_signal(stop)
    said, _ = command.communicate(timeout=60)
    if stop == signal.SIGTERM:
        assert command.returncode == 130 and not alive(str(tmp_path))
        return
    if stop != signal.SIGKILL:  # nobody can tidy up after that one, except the next command
        assert command.returncode == 130
        assert "Stopped. Nothing is half-written" in said
        assert not list(place.iterdir())
        assert not alive(str(tmp_path))
    assert not list((writer.root / "_build" / "run").rglob("*.ipynb"))
    flag.touch()
    again = subprocess.run([*LOOM, "run"], cwd=writer.root, env=environment, text=True,
                           capture_output=True, timeout=60)
    assert (again.returncode, again.stderr) == (0, "")
    assert not list(place.iterdir())
    for left in alive(str(tmp_path)):  # after SIGKILL: the cell's own detached process
        left.kill()


def test_the_command(writer: Writer) -> None:
    writer.chapter("01-fine", cell("print(1)"))
    writer.chapter("02-wrong", cell("1 / 0"))

    def loom(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*LOOM, *arguments], cwd=writer.root, text=True,
                              capture_output=True, timeout=60)

    check = loom("run", "--check")
    assert check.returncode == 1 and "01-fine.md: has not run" in check.stderr
    done = loom("run")
    assert done.returncode == 1
    assert "01-fine: running 2 cells" in done.stdout and "02-wrong: failed" in done.stdout
    assert "book/02-wrong.md:20: ZeroDivisionError" in done.stderr
    assert "→" not in done.stdout
    assert loom("run", "1").stdout == "0 run, 1 up to date\n"
    assert loom("run", "--check", "01").returncode == 0
    assert "no chapter `7`" in loom("run", "7").stderr
    writer.edit("01-fine", "print(1)", "print(2)")
    assert "01-fine.md: its outputs are out of date" in loom("run", "--check").stderr
    assert "(last time " in loom("run", "01").stdout


def test_a_chapter_that_cannot_be_tangled_does_not_stop_those_before_it(writer: Writer) -> None:
    writer.chapter("01-fine", cell('def f() -> int:\n    """One."""\n    return 1',
                                   tangle="a.py"))
    writer.chapter("02-twice", cell('def f() -> int:\n    """One."""\n    return 1',
                                    tangle="a.py"))
    writer.chapter("03-after", cell("print(3)"))
    done = writer.run()
    assert done.ran == ["01-fine"]
    assert len(done.problems) == 1 and "02-twice.md" in str(done.problems[0].place)
