"""Recorded runs: which cells they run, and what their logs say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from loom.errors import LoomError
from loom.run.record import cells, names_after, origin, read_log, write_log

CHAPTER = """\
(ch-one)=
# One

```{code-cell} python
x = 20
```

(sec-more)=
## More

```{code-cell} python
def double(n):
    return n * x
```

(sec-last)=
## Last

```{code-cell} python
raise SystemExit
```
"""


@pytest.fixture
def book(make_book: Any) -> Any:
    return make_book({"01-one": CHAPTER})


def test_the_cells_before_a_section_run_as_one_program(book: Any) -> None:
    found = cells("01-one", "sec-last", book)
    assert found == ["x = 20", "def double(n):\n    return n * x"]
    assert names_after(found)["double"](2.1) == 42
    assert cells("01-one", "sec-more", book) == found[:1]


def test_names_that_are_not_there_are_told(book: Any) -> None:
    with pytest.raises(LoomError, match=r"(?s)no chapter is named '02-two'.*are 01-one$"):
        cells("02-two", "sec-last", book)
    with pytest.raises(LoomError, match=r"01-one\.md.*no section has the label 'sec-lost'"):
        cells("01-one", "sec-lost", book)


def test_a_log_says_where_it_comes_from(tmp_path: Path) -> None:
    script = tmp_path / "run.py"
    script.write_text("x = 1  # one\n")
    rows = [{"model": "bag, small", "loss": 0.25}, {"model": "two\nlines", "loss": 1e-9}]
    path = write_log(script, ["y = 2"], 7, rows)
    head, found = read_log(path)
    assert path == tmp_path / "run.csv" and head["script"] == "run.py" and head["seed"] == "7"
    assert head["origin"] == origin(script, ["y = 2"]) and "Python 3" in head["software"]
    assert head["hardware"].endswith("cores")
    assert [(row["model"], float(row["loss"])) for row in found] == [
        (row["model"], row["loss"]) for row in rows]


def test_comments_and_layout_do_not_make_a_run_stale_and_code_does(tmp_path: Path) -> None:
    script = tmp_path / "run.py"
    script.write_text("x = 1  # one\n")
    before = origin(script, ["y = [2]"])
    script.write_text("\nx = (1)\n")
    assert origin(script, ["y = [\n    2]  # two"]) == before
    assert origin(script, ["y = [3]"]) != before != origin(script, ["y = [2]", "z = 1"])
    script.write_text("x = 2\n")
    assert origin(script, ["y = [2]"]) != before
