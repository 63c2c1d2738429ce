"""Recorded runs: which cells they run, and what their logs say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from loom.errors import LoomError
from loom.run.record import Sources, cells, names_after, origin, read_log, write_log

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
    assert found.cells == ("x = 20", "def double(n):\n    return n * x")
    assert names_after(found)["double"](2.1) == 42
    assert cells("01-one", "sec-more", book).cells == found.cells[:1]


def test_names_that_are_not_there_are_told(book: Any) -> None:
    with pytest.raises(LoomError, match=r"(?s)no chapter `02-two`.*01-one$"):
        cells("02-two", "sec-last", book)
    with pytest.raises(LoomError, match=r"01-one\.md.*no section has the label 'sec-lost'"):
        cells("01-one", "sec-lost", book)


def test_a_log_says_where_it_comes_from(tmp_path: Path) -> None:
    script = tmp_path / "run.py"
    script.write_text("x = 1  # one\n")
    rows = [{"model": "bag, small", "loss": 0.25}, {"model": "two\nlines", "loss": 1e-9}]
    path = write_log(script, Sources(("y = 2",)), 7, rows)
    head, found = read_log(path)
    assert path == tmp_path / "run.csv" and head["script"] == "run.py" and head["seed"] == "7"
    assert head["origin"] == origin(script, Sources(("y = 2",))) and "Python 3" in head["software"]
    assert head["hardware"].endswith("cores")
    assert [(row["model"], float(row["loss"])) for row in found] == [
        (row["model"], row["loss"]) for row in rows]


def test_comments_and_layout_do_not_make_a_run_stale_and_code_does(tmp_path: Path) -> None:
    script = tmp_path / "run.py"
    script.write_text("x = 1  # one\n")
    before = origin(script, Sources(("y = [2]",), ("a = 1",)))
    script.write_text("\nx = (1)\n")
    assert origin(script, Sources(("y = [\n    2]  # two",), ("a = 1  # one",))) == before
    for other in (Sources(("y = [3]",), ("a = 1",)), Sources(("y = [2]", "z = 1"), ("a = 1",)),
                  Sources(("y = [2]",), ("a = 2",))):
        assert origin(script, other) != before
    script.write_text("x = 2\n")
    assert origin(script, Sources(("y = [2]",), ("a = 1",))) != before


def test_modules_of_the_package_belong_to_where_a_run_comes_from(make_book: Any) -> None:
    def modules(value: int) -> tuple[str, ...]:
        tangled = f"```{{code-cell}} python\n:tangle: one.py\nONE = {value}\n```\n"
        user = CHAPTER.replace("x = 20", "from scratchlm.one import ONE as x")
        made = make_book({"01-first": f"(ch-first)=\n# First\n\n{tangled}", "02-one": user})
        return cells("02-one", "sec-last", made).modules

    assert any("ONE = 1" in text for text in modules(1)) and modules(1) != modules(2)
