"""Hostile answers: no marks, nothing moved, nothing left behind.

Every program below ``attacks/`` is handed in as the answer to one exercise.
Some twenty fight in one arena, one after the other, with an honest answer
judged before, between and after them: what one program breaks shows in the
next honest answer's marks.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from loom.book.chapter import HEADER
from loom.grade.judge import LOADING

_spec = importlib.util.spec_from_file_location(
    "arena", Path(__file__).parent / "attacks" / "arena.py")
assert _spec and _spec.loader
arena = importlib.util.module_from_spec(_spec)
sys.modules["arena"] = arena
_spec.loader.exec_module(arena)
Program = arena.Program

PROGRAMS = {program.name: program for program in arena.programs()}
TOGETHER = 12  # programs in one arena
SIDE_BY_SIDE = 3 * (os.cpu_count() or 2)
SECONDS = 1  # of each case below
GROWTH = 96 << 20  # bytes by which the judge may grow, for answers of up to 32 MiB of text
DISK = 160 << 20  # bytes that an answer may write
MEMORY = 3 << 30  # bytes of all processes together
TEXT = 64 << 10  # of what an answer printed

EXERCISES = f"""{HEADER}

# Exercises of a small chapter

:::{{exercise}} Softmax
:id: softmax
:minutes: 10
:level: 1
:section: sec-small

Write `softmax(x)` over the last axis.
:::

```{{code-cell}} python
:tags: [ex-answer]
import numpy as np


def softmax(x: np.ndarray) -> np.ndarray:
    \"\"\"Softmax over the last axis. x: float array (..., V). Returns the same shape.

    >>> softmax(np.zeros(2))
    array([0.5, 0.5])
    \"\"\"
    ### BEGIN SOLUTION
    shifted = np.exp(x - x.max(axis=-1, keepdims=True))
    return shifted / shifted.sum(axis=-1, keepdims=True)
    ### END SOLUTION
```

:::{{exercise-hint}}
What is the exponential of a thousand?
:::

:::{{exercise-hint}}
Subtract the largest.
:::

```{{code-cell}} python
:tags: [ex-cases, remove-cell]
case("rows of a matrix", lambda r: [r.normal(size=(3, 5)) * 1000], seconds={SECONDS},
     why="subtract each row's own maximum before the exponential")
case("any number of axes", lambda r: each([r.normal(size=(2, 3, 4))], [r.normal(size=(2, 7))]),
     seconds={SECONDS}, why="the last axis is the one that sums to one")
```

```{{code-cell}} python
:tags: [ex-wrong, remove-cell]
# without a shift
# caught by: rows of a matrix
import numpy as np


def softmax(x):
    return np.exp(x) / np.exp(x).sum(axis=-1, keepdims=True)
```

:::{{exercise}} Center
:id: center
:minutes: 5
:level: 1
:section: sec-small

Write `center(x)`, which takes the mean away.
:::

```{{code-cell}} python
:tags: [ex-answer]
import numpy as np


def center(x: np.ndarray) -> np.ndarray:
    \"\"\"x without its mean. x: float array. Returns the same shape.

    >>> center(np.array([1.0, 3.0]))
    array([-1.,  1.])
    \"\"\"
    ### BEGIN SOLUTION
    return x - x.mean()
    ### END SOLUTION
```

:::{{exercise-hint}}
What is the mean?
:::

:::{{exercise-hint}}
`x.mean()`.
:::

```{{code-cell}} python
:tags: [ex-cases, remove-cell]
case("mean zero", lambda r: [r.normal(size=9)], why="the mean is one number", points=2)
```

```{{code-cell}} python
:tags: [ex-wrong, remove-cell]
# the median
# caught by: mean zero
import numpy as np


def center(x):
    return x - np.median(x)
```
"""

BOOK = {
    "_toc.yml": "format: jb-book\nroot: book/index\nchapters:\n  - file: book/01-small\n",
    "book/index.md": "# A small book\n",
    "book/01-small.md": f"{HEADER}\n\n# Small\n\n(sec-small)=\n## Section\n\nText.\n",
    "exercises/01-small.md": EXERCISES,
}

HONEST = """import numpy as np

# %% exercise softmax · 1.1 Softmax
import numpy as np


def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)

# %% exercise center · 1.2 Center
import numpy as np


def center(x):
    return x - np.mean(x)
"""

Seen = dict[str, Any]


def _fight(programs: list[Program], **how: Any) -> Seen:
    return arena.fight(BOOK, HONEST, programs, **how)


class Fights:
    """All fights of this run, started at once; those that go wrong are fought again alone.

    Args:
        names: the programs that fight.
        others: further fights, by a name of their own: programs, and how they are judged.
    """

    def __init__(self, names: list[str],
                 others: dict[Any, tuple[list[Program], Seen]] | None = None) -> None:
        self.pool = ThreadPoolExecutor(SIDE_BY_SIDE)
        self.futures: dict[Any, Future[Seen]] = {}
        for key, (programs, how) in (others or {}).items():
            self.futures[key] = self.pool.submit(_fight, programs, **how)
        chosen = [PROGRAMS[name] for name in names
                  if arena.isolated() or not PROGRAMS[name].needs]
        count = max(1, -(-len(chosen) // TOGETHER))
        for start in range(count):
            group = chosen[start::count]  # slow ones, which are neighbors, are spread
            future = self.pool.submit(_fight, group)
            self.futures.update(dict.fromkeys((p.name for p in group), future))

    def seen(self, program: Program) -> Seen:
        """What was seen of one program.

        Where its arena was lost, or something was wrong that another program
        may have caused, it fights again alone.
        """
        together = self.futures[program.name].result()
        found = together.get(program.name)
        if found is not None and not together[""] and not _wrong(program, found):
            return found
        alone = _fight([program])
        assert not alone[""] or program.name in alone, alone[""]
        return {**alone.get(program.name, {}), "as a whole": alone[""]}


@pytest.fixture(scope="module")
def fights(request: pytest.FixtureRequest) -> Iterator[Fights]:
    """The fights of the programs that are asked for."""
    names = [item.callspec.params["name"] for item in request.session.items
             if item.fspath == request.fspath and hasattr(item, "callspec")
             and "name" in item.callspec.params]
    asked = {getattr(item, "originalname", "") for item in request.session.items}
    running = Fights(names, {key: other for key, other in _others().items() if key[0] in asked})
    yield running
    running.pool.shutdown(cancel_futures=True)


def _wrong(program: Program, seen: Seen) -> list[str]:
    """Everything that should not have been seen; empty if the judge held."""
    if seen.get("as a whole"):
        return [seen["as a whole"]]
    if "lost" in seen:
        return [f"the run was lost: {seen['lost']}"]
    verdict, wrong = seen["hostile"], []
    earned, points = verdict["earned"]["softmax"], verdict["points"]["softmax"]
    most = {"zero": 0, "partial": points - 0.5, "any": points}[program.expects]
    if earned > most:
        wrong.append(f"{earned} of {points} points")
    if verdict["state"]["softmax"] == "passed" and program.expects != "any":
        wrong.append("passed")
    if earned < points and not verdict["text"]["softmax"]:
        wrong.append("points are missing, and nothing says why")
    if verdict["earned"]["center"] != verdict["points"]["center"]:
        wrong.append(f"the next exercise got {verdict['earned']['center']}: "
                     f"{verdict['text']['center']}")
    if seen["moved"]:
        wrong.append(f"honest scores moved: {seen['moved']}, {seen['honest']['text']}")
    for what in ("left", "files", "ports"):
        if seen[what]:
            wrong.append(f"{what}: {seen[what][:8]}")
    if seen["visitors"]:
        wrong.append(f"{seen['visitors']} connections got out")
    if seen["grown"] > GROWTH:
        wrong.append(f"the judge grew by {seen['grown'] >> 20} MiB")
    if seen["peaks"]["disk"] > DISK:
        wrong.append(f"{seen['peaks']['disk'] >> 20} MiB were written")
    if seen["peaks"]["memory"] > MEMORY:
        wrong.append(f"{seen['peaks']['memory'] >> 20} MiB of memory were in use")
    seconds = verdict["seconds"]["softmax"]
    if seconds > LOADING + 2 * SECONDS + 5:
        wrong.append(f"it took {seconds:.1f} s")
    wrong += _wrong_text(program, verdict)
    return wrong


def _wrong_text(program: Program, verdict: Seen) -> list[str]:
    """What is wrong with what a person would read."""
    wrong = []
    output, lines = verdict["output"]["softmax"], verdict["text"]["softmax"]
    text = "\n".join([output, *lines])
    if len(text) > TEXT + 4096:
        wrong.append(f"{len(text)} characters of output and messages")
    if program.output == "cut" and "cut" not in output:
        wrong.append(f"no notice that the output was cut: …{output[-200:]!r}")
    odd = sorted({c for c in text if not (c.isprintable() or c in "\n\t")})
    if odd:
        wrong.append(f"characters that a terminal obeys or no encoding has: {odd[:8]}")
    if arena.SECRET in text or "SECRET" in output:
        wrong.append("the judge's secret was seen")
    if "arena.py" in "".join(lines) or "loom/grade" in "".join(lines):
        wrong.append("a frame of ours is shown")
    return wrong


@pytest.mark.parametrize("name", PROGRAMS)
def test_hostile_answer(name: str, fights: Fights) -> None:
    """Nothing for it, everything for the others, nothing left behind."""
    program = PROGRAMS[name]
    if program.needs and not arena.isolated():
        pytest.skip("it would endanger this machine, which has no namespaces to hold it")
    assert _wrong(program, fights.seen(program)) == []


@functools.cache
def _bubblewrap() -> bool:
    """Whether there is one, and it runs."""
    if shutil.which("bwrap") is None:
        return False
    tried = ["bwrap", "--unshare-all", "--ro-bind", "/", "/", "true"]
    return subprocess.run(tried, capture_output=True).returncode == 0


CHOSEN = [p for p in PROGRAMS.values() if p.name in {
    "planting/numpy_beside", "planting/site_beside", "planting/conftest_beside",
    "planting/python_environment", "processes/daemon", "processes/daemon_holds_wire",
    "ending/os_exit_on_call", "time/signals_ignored", "wire/closes", "output/flood",
    "processes/kill_everything", "peeking/exercise_source", "processes/network",
    "disk/tmp_files"}]


BREAKS = {  # what each does to a judge that runs answers in its own process
    "ending/os_exit_on_call": "the run was lost",
    "ending/sys_exit_on_import": "the run was lost",
    "processes/forks": "left:",
    "processes/daemon_by_shell": "left:",
    "processes/port": "ports:",
    "processes/network": "got out",
    "disk/home": "files:",
    "disk/shm": "files:",
    "memory/huge_list": "the judge grew",
    "peeking/exercise_source": "points",
    "patching/numpy_testing": "of 2 points",  # last: it stays patched
}


def _halves(programs: list[Program]) -> list[list[Program]]:
    there = [p for p in programs if arena.isolated() or not p.needs]
    return [there[::2], there[1::2]]


def _others() -> dict[tuple[str, int], tuple[list[Program], Seen]]:
    """Fights other than those of all programs before a warm judge, by the test that wants them."""
    found: dict[tuple[str, int], tuple[list[Program], Seen]] = {}
    for n, half in enumerate(_halves(CHOSEN)):
        found["test_without_a_warm_process", n] = half, {"warm": False}
        if _bubblewrap():
            found["test_as_somebody_elses_work", n] = half, {"sandbox": True}
    found["test_a_right_answer_among_them_gets_its_marks", 0] = [RIGHT], {}
    if arena.isolated():
        deadly = [name for name in BREAKS if name.startswith("ending/")]
        rest = [name for name in BREAKS if name not in deadly]
        for n, names in enumerate([rest, *([name] for name in deadly)]):
            found["test_the_arena_sees_what_breaks_a_judge_without_a_guard", n] = (
                [PROGRAMS[name] for name in names], {"naive": True})
    return found


def _of(fights: Fights, test: str) -> Seen:
    """What was seen in all the fights of one test."""
    found: Seen = {}
    for key, (programs, _) in _others().items():
        if key[0] == test:
            seen = fights.futures[key].result()
            for program in programs:
                found[program.name] = seen.get(program.name, {"lost": seen[""]})
    return found


def _all_wrong(seen: Seen) -> dict[str, list[str]]:
    return {p.name: wrong for p in CHOSEN if p.name in seen
            if (wrong := _wrong(p, seen[p.name]))}


def test_without_a_warm_process(fights: Fights) -> None:
    """The same holds where each answer starts Python anew."""
    seen = _of(fights, "test_without_a_warm_process")
    assert len(seen) > 5 and _all_wrong(seen) == {}


@pytest.mark.skipif(not _bubblewrap(), reason="no bubblewrap that runs here")
def test_as_somebody_elses_work(fights: Fights) -> None:
    """The same holds inside bubblewrap."""
    seen = _of(fights, "test_as_somebody_elses_work")
    assert len(seen) > 5 and _all_wrong(seen) == {}


def test_there_are_enough_programs_and_each_says_what_it_attacks() -> None:
    assert len(PROGRAMS) >= 50
    sentences = [program.about for program in PROGRAMS.values()]
    assert len(set(sentences)) == len(sentences)


RIGHT = Program("honest/other", "A right answer.", HONEST.split("# %% exercise")[1].split(
    "\n", 1)[1], expects="any")


def test_a_right_answer_among_them_gets_its_marks(fights: Fights) -> None:
    """The measure is not one that nobody can pass."""
    seen = _of(fights, "test_a_right_answer_among_them_gets_its_marks")[RIGHT.name]
    verdict = seen["hostile"]
    assert verdict["earned"] == verdict["points"] == {"softmax": 2, "center": 2}
    assert _wrong(RIGHT, seen) == []


@pytest.mark.skipif(not arena.isolated(), reason="only namespaces let the arena see everything")
@pytest.mark.parametrize("broken", BREAKS)
def test_the_arena_sees_what_breaks_a_judge_without_a_guard(broken: str, fights: Fights) -> None:
    seen = _of(fights, "test_the_arena_sees_what_breaks_a_judge_without_a_guard")[broken]
    wrong = _wrong(PROGRAMS[broken], seen)
    assert any(BREAKS[broken] in one for one in wrong), wrong


def test_what_answers_leave_is_deleted_however_deep(tmp_path: Path) -> None:
    from loom.grade.worker.cage import remove

    outside = tmp_path / "outside"
    outside.write_text("stays")
    folder = tmp_path / "left"
    folder.mkdir()
    here = os.open(folder, os.O_RDONLY)
    for _ in range(1500):
        os.symlink(outside, "link", dir_fd=here)
        os.mkdir("d" * 100, dir_fd=here)
        inner = os.open("d" * 100, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.fchmod(here, 0)
    os.close(here)
    remove(str(folder))
    assert not folder.exists() and outside.read_text() == "stays"
