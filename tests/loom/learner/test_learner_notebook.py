"""``check("id")`` in a kernel: what was run is judged, by the same judge."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from loom.cli.show import Around
from loom.desk.notebook import answer_in, check, page_of
from loom.desk.progress import read_progress
from loom.desk.shelf import read_shelf
from loom.errors import LoomError
from loom.grade.verdict import Verdict

MARK = "# %% exercise twice · 1.1 Twice as much\n"
RIGHT = (MARK + "def twice(x):\n    if x < 0:\n        raise ValueError(check_sign(x))\n"
         "    return x * 2")
HELPER = "def check_sign(x):\n    return 'below zero'"
IMPORT = "from loom.desk.notebook import check"


def run(learner: Any, *cells: str) -> list[tuple[str, str]]:
    """Run cells in a kernel of their own; what their checks show, as text and as HTML."""
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
    NotebookClient(book, timeout=120,
                   resources={"metadata": {"path": str(learner.folder)}}).execute()
    shown = [output.data for cell in book.cells for output in cell.outputs
             if output.output_type == "display_data"]
    return [(data["text/plain"], data["text/html"]) for data in shown]


@pytest.fixture
def ready(learner: Any) -> Any:
    """A learner with a notebook."""
    learner.loom("start", "1", "--notebook")
    return learner


def test_what_was_run_is_judged(ready: Any) -> None:
    shown = run(ready, f"{IMPORT}\n{HELPER}", 'check("twice")', RIGHT, 'check("twice")',
                RIGHT.replace("x * 2", "x * x"), 'check("twice", seed=5)', 'check("twise")')
    texts = [text for text, _ in shown]
    assert "the cell of `twice` was not run" in texts[0] and MARK[:18] in texts[0]
    assert "4 of 4 points" in texts[1] and "01_first.ipynb, cell 3, line 1" in texts[1]
    assert "✗ any number" in texts[2] and 'check("twice", seed=5)' in texts[2]
    assert "everything=True" in texts[2]
    assert "did you mean `twice`" in texts[3]
    assert not any("\x1b" in text for text in texts)
    page = shown[2][1]
    assert "✗</span> any number" in page and "check(&quot;twice&quot;, seed=5)" in page
    record = read_progress(ready.folder).of("twice")
    assert record.passed and record.attempts == 2


def test_a_check_in_the_answer_s_own_cell(ready: Any) -> None:
    (text, _), = run(ready, f"{IMPORT}\n{HELPER}", RIGHT + '\n\ncheck("twice")')
    assert "4 of 4 points" in text


def history(*cells: str) -> list[str]:
    return ["", *cells]


def found(learner: Any, *cells: str) -> Any:
    shelf = read_shelf(learner.root)
    return answer_in(history(*cells), shelf.one("twice"), shelf.by_chapter["01-first"],
                     Path("01_first.ipynb"))


def test_the_latest_cell_and_the_cells_above(ready: Any) -> None:
    answer = found(ready, "import math", MARK + "def twice(x):\n    return 1", "oops = 1",
                   RIGHT, "print(twice(3))", f"{IMPORT}\nimport re")
    assert answer.problem is None and answer.started
    source = answer.source
    assert "import math" in source and "x * 2" in source and "import re" in source
    assert "return 1" not in source and "oops" not in source and "print" not in source
    line = source.split("\n").index("    return x * 2") + 1
    assert answer.where(line) == "01_first.ipynb, cell 4, line 5"


def test_problems_name_the_cell(ready: Any) -> None:
    answer = found(ready, IMPORT, MARK + "def twice(x:\n    return 1")
    assert "01_first.ipynb" in str(answer.problem) and "cell 2, line 2" in str(answer.problem)
    assert "/tmp" not in str(answer.problem)


def test_an_untouched_stub(ready: Any) -> None:
    data = json.loads((ready.folder / "01_first.ipynb").read_text(encoding="utf-8"))
    cells = ["".join(c["source"]) for c in data["cells"] if c["cell_type"] == "code"]
    assert not found(ready, *cells).started


def test_magics_are_no_part_of_an_answer(ready: Any) -> None:
    answer = found(ready, "%load_ext autoreload\nimport math", MARK + "%time\ndef twice(x):\n"
                   "    return 2 * x")
    assert answer.problem is None and "%" not in re.sub("# %%.*", "", answer.source)


def test_what_was_printed_is_cut_with_a_word(ready: Any) -> None:
    one = read_shelf(ready.root).one("twice")
    for printed, cut in (("x" * 4_000, False), ("x" * 4_001, True)):
        verdict = Verdict("twice", 1, "passed", (), 0.1, (), printed)
        page = page_of(one, verdict, Around("01_first.py:1", 0))
        assert page.count("x" * 4_000) == 1 and ("x" * 4_001 in page) is False
        assert ("… cut here: 4,001 characters were printed" in page) is cut


def test_outside_a_notebook(ready: Any, capsys: pytest.CaptureFixture[str]) -> None:
    check("twice")
    said = capsys.readouterr().out
    assert "`check` is for notebooks" in said and "loom check twice" in said
    with pytest.raises(LoomError, match="was not run"):
        found(ready)
