"""A book of three exercises in two chapters, and a learner in it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from loom.book.chapter import HEADER
from loom.book.toc import Book
from loom.cli.learner import app
from loom.desk.shelf import read_shelf
from loom.errors import LoomError
from loom.exercise.source import all_exercises

CHAPTERS = {
    "01-first": "(ch-first)=\n# The first chapter\n\n(sec-one)=\n## One section\n\nText.\n",
    "02-second": "# The second chapter\n\n(sec-two)=\n## Two\n\nText.\n",
}
FIRST = HEADER + '''

# Exercises: The first chapter

:::{exercise} Twice as much
:id: twice
:minutes: 5
:level: 1
:section: sec-one

Write `twice(x)`, which doubles $x_i$, see {ref}`sec-one`. An `x` below zero is a `ValueError`.
:::

```{code-cell} python
:tags: [ex-answer]
def twice(x: float) -> float:
    """Double a number.

    >>> twice(2.0)
    4.0
    """
    ### BEGIN SOLUTION
    if x < 0:
        raise ValueError(f"{x} is below zero")
    return x * 2
    ### END SOLUTION
```

:::{exercise-hint}
Look at *the sign*.
:::

:::{exercise-hint}
Multiply by two.
:::

:::{exercise-solution}
It costs one multiplication.
:::

```{code-cell} python
:tags: [ex-cases, remove-cell]
case("any number", lambda r: [float(r.random())], why="twice, not the square")
case("large ones", lambda r: [float(r.random()) * 1e300], why="no detour through integers",
     points=2)
case("below zero", lambda r: [-float(r.random()) - 1], why="it is refused", raises=ValueError)
```

```{code-cell} python
:tags: [ex-wrong, remove-cell]
# the square
# caught by: any number
def twice(x):
    return x * x
```

```{code-cell} python
:tags: [ex-accept, remove-cell]
# by adding
def twice(x):
    if x < 0:
        raise ValueError("below zero")
    return x + x
```

```{code-cell} python
:tags: [ex-accept, remove-cell]
# by dividing
def twice(x):
    if x < 0:
        raise ValueError("below zero")
    return x / 0.5
```

:::{exercise} Half as much
:id: half-of-it
:minutes: 15
:level: 2
:section: sec-one

Write `half(x)`.
:::

```{code-cell} python
:tags: [ex-answer]
import numpy as np


def half(x: np.ndarray) -> np.ndarray:
    """Halve an array.

    >>> half(np.array([2.0]))
    array([1.])
    """
    ### BEGIN SOLUTION
    return x / 2
    ### END SOLUTION
```

:::{exercise-hint}
Divide.
:::

:::{exercise-hint}
By two.
:::

```{code-cell} python
:tags: [ex-cases, remove-cell]
case("any array", lambda r: [r.normal(size=(2, 3))], why="half of each entry")
```

```{code-cell} python
:tags: [ex-wrong, remove-cell]
# twice
# caught by: any array
def half(x):
    return x * 2
```

```{code-cell} python
:tags: [ex-accept, remove-cell]
# by a product
def half(x):
    return x * 0.5
```

```{code-cell} python
:tags: [ex-accept, remove-cell]
# by a difference
def half(x):
    return x - x * 0.5
```
'''
SECOND = FIRST[:FIRST.index(":::{exercise} Half")].replace("twice", "thrice").replace(
    "sec-one", "sec-two").replace("x * 2", "x * 3").replace("4.0", "6.0").replace(
    "x + x", "x + x + x").replace("x / 0.5", "x / 0.5 + x").replace(
    "first chapter", "second chapter").replace("Twice", "Thrice").replace(
    ":section: sec-two", ":section: sec-two\n:libraries: torch")


@dataclass
class Said:
    """What a command left behind: its output, its error, its exit code."""

    text: str
    error: str
    code: int


@dataclass
class Learner:
    """Somebody who works in a small book; ``here`` is where commands are typed."""

    root: Path
    here: Path

    @property
    def folder(self) -> Path:
        return self.root / "my-exercises"

    @property
    def file(self) -> Path:
        return self.folder / "01_first.py"

    def loom(self, *arguments: str) -> Said:
        """Run a command."""
        with contextlib.chdir(self.here):
            result = CliRunner().invoke(app, list(arguments))
        error = result.exception
        if error is not None and not isinstance(error, LoomError | SystemExit):
            raise error
        said = "" if not isinstance(error, LoomError) else str(error)
        return Said(result.stdout, said + result.stderr, result.exit_code)

    def edit(self, old: str, new: str, file: Path | None = None) -> None:
        """Change the answers in a file."""
        path = file or self.file
        text = path.read_text(encoding="utf-8")
        assert text.count(old) == 1, old
        path.write_text(text.replace(old, new), encoding="utf-8")

    def answer(self, exercise: str, solution: str | None = None, file: Path | None = None) -> None:
        """Put an answer in the place of the stub, the reference if none is given."""
        one = read_shelf(self.root).one(exercise)
        self.edit(one.stub.strip(), (solution or one.solution).strip(), file)

    def source(self, text: str, chapter: str = "01-first") -> None:
        """Give the book another text of exercises."""
        (self.root / "exercises" / f"{chapter}.md").write_text(text, encoding="utf-8")


@pytest.fixture
def learner(make_book: Callable[..., Book], monkeypatch: pytest.MonkeyPatch) -> Learner:
    """A learner in a new book, whose files are not written yet."""
    book = make_book(CHAPTERS)
    (book.root / "exercises").mkdir()
    one = Learner(book.root, book.root)
    one.source(FIRST)
    one.source(SECOND, "02-second")
    assert len(all_exercises(book)) == 3
    for name in ("LOOM_ROOT", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "100")
    return one


@pytest.fixture
def source() -> str:
    """The exercises of the first chapter."""
    return FIRST

