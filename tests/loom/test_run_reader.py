"""The notebooks that readers download: plain Markdown, and they run anywhere."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from loom.book.toc import read_book
from loom.run.plain import plain
from loom.run.store import notebook_for_reader

HEADER = """---
jupytext:
  text_representation: {extension: .md, format_name: myst}
kernelspec: {display_name: Python 3, name: python3}
"""
PLACE = "import os, pathlib\nplace = pathlib.Path(os.environ['SCRATCHLM_PRODUCTS'], 'corpus')\n"


def cells(*sources: str) -> str:
    return "".join(f"```{{code-cell}} python\n{source}\n```\n\n" for source in sources)


def a_book(root: Path) -> Path:
    (root / "book").mkdir(parents=True)
    (root / "book" / "matplotlibrc").write_text("lines.linewidth: 7.25\n")
    (root / "book" / "01-makes.md").write_text(
        f"{HEADER}makes: corpus\n---\n(ch-makes)=\n# Making\n\n" + cells(
            ':tangle: base.py\ndef twice(x: int) -> int:\n    """Two of it."""\n    return 2 * x',
            ':tangle: user.py\ndef four(x: int) -> int:\n    """Twice twice."""\n'
            "    return twice(twice(x))",
            f"{PLACE}(place / 'text').write_text(f'{{twice(21)}}')"))
    (root / "book" / "02-needs.md").write_text(
        f"{HEADER}needs: corpus\n---\n(ch-needs)=\n# Needing\n\nSee {{ref}}`ch-makes`.\n\n" + cells(
            "from scratchlm.base import twice\nfrom scratchlm.user import four\nprint(four(1))",
            ':tangle: base.py\n:replaces: twice\ndef twice(x: int) -> int:\n    """Ten."""\n'
            "    return 10 * x",
            "print(four(1), twice.__module__)",
            "import subprocess, sys\nprint(subprocess.run([sys.executable, '-c', "
            "'from scratchlm.base import twice; print(twice(1))'], capture_output=True, "
            "text=True).stdout)",
            f"{PLACE}print((place / 'text').read_text())",
            "import matplotlib.pyplot as plt\nprint(plt.rcParams['lines.linewidth'])\n"
            "plt.plot([1])\nplt.show()"))
    (root / "_toc.yml").write_text(
        "format: jb-book\nroot: book/01-makes\nchapters: [{file: book/02-needs}]\n")
    return root


def test_a_downloaded_notebook_runs_outside_of_the_repository(tmp_path: Path) -> None:
    book = read_book(a_book(tmp_path / "tree"))
    notebook = notebook_for_reader(book, book.chapter("02-needs"))
    nbformat.validate(notebook)
    assert not any(cell.get("outputs") for cell in notebook.cells)
    assert notebook == notebook_for_reader(book, book.chapter("02-needs"))  # the same every time
    assert notebook.cells[2].source == "# Needing\n\nSee *Making*."

    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    nbformat.write(notebook, elsewhere / "needs.ipynb")
    environment = {"HOME": str(elsewhere), "PATH": os.environ["PATH"],
                   "SCRATCHLM_CACHE": str(elsewhere / "cache"), "TMPDIR": str(elsewhere)}
    done = subprocess.run(
        [sys.executable, "-m", "jupyter", "execute", "--inplace", "needs.ipynb"],
        cwd=elsewhere, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    ran = nbformat.read(elsewhere / "needs.ipynb", as_version=4)
    texts = ["".join(output.get("text", "") for output in cell.outputs)
             for cell in ran.cells if cell.cell_type == "code"]
    assert "needs corpus, not made on this machine yet" in texts[0]
    assert "making corpus: running the cells of 01-makes" in texts[1]
    assert texts[2:7] == ["4\n", "", "100 scratchlm.base\n", "10\n\n", "42\n"]
    assert texts[7] == "7.25\n"
    assert "image/svg+xml" in ran.cells[-1].outputs[-1].data
    made = list((elsewhere / "cache" / "products" / "corpus").iterdir())
    assert [(path / "text").read_text() for path in made] == ["42"]


@pytest.mark.parametrize(("myst", "markdown"), [
    ("(sec-a)=\n## Title\n% a comment\n+++\nText", "## Title\nText"),
    ("```{margin}\nBeside {eq}`eq-loss`.\n```\nText", "> Beside (loss).\n\nText"),
    ("````{note} Mind\n:class: big\n\nOne\n\n```python\nx = 1\n```\n````",
     "> **Mind**\n>\n> One\n>\n> ```python\n> x = 1\n> ```"),
    (":::{warning}\nHot.\n:::", "> **Warning**\n>\n> Hot."),
    ("```{index} single: loss\n```\nText", "Text"),
    ("$$\nx^2\n$$ (eq-square)", "$$\nx^2\n\\tag{square} $$"),
    ("$$ x^2 $$ (eq-square)", "$$ x^2 \\tag{square} $$"),
    ("```{math}\n:label: eq-y\ny\n```", "$$\ny\n$$"),
    ("see {numref}`fig-loss` and {ref}`sec-b`", "see Figure *loss* and *Beta*"),
    ("see {ref}`this part <sec-b>`, {numref}`Section %s <sec-b>`", "see this part, *Beta*"),
    ("{cite}`a2020, b2021` and {cite:t}`c`", "[a2020; b2021] and [c]"),
    ("`{eq}` is a role; `x` is code", "`{eq}` is a role; `x` is code"),
    ("```python\n{eq}\n(sec-a)=\n```", "```python\n{eq}\n(sec-a)=\n```"),
    ("```{list-table} Costs\n:name: tab-c\n* - a\n  - b | c\n* - 1\n  - 2\n    more\n```",
     "**Costs**\n\n| a | b \\| c |\n| --- | --- |\n| 1 | 2 more |"),
    ("```{table} Costs\n| a |\n| - |\n```", "**Costs**\n\n| a |\n| - |"),
])
def test_plain_markdown(myst: str, markdown: str) -> None:
    assert plain(myst, {"sec-b": "Beta"}) == markdown
