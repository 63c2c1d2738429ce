"""Weaving small books: problems with places, the last good book, few pages written."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import nbformat
import pytest

from loom.errors import LoomError
from loom.weave import build as building
from loom.weave.build import build, current

GOOD = """(ch-one)=
# One

Some words, see {numref}`ch-two` and {eq}`eq-sum`.

```{code-cell} python
:tangle: one.py
def one() -> int:
    \"\"\"The number one.\"\"\"
    return 1
```

$$
s = \\sum_i x_i
$$ (eq-sum)

## Built

```{built}
```
"""
TWO = """(ch-two)=
# Two

```{margin}
A note, with $x^2$.
```

As {numref}`ch-one` says.

```{code-cell} python
:tangle: one.py
def two() -> int:
    \"\"\"The number two.\"\"\"
    return 2
```
"""

OUTPUTS = "printed by no kernel"  # conftest.put_outputs


@pytest.fixture
def root(weave_book: Callable[[Mapping[str, str]], Path]) -> Path:
    """A book of two chapters with outputs, which no kernel made."""
    return weave_book({"01-one": GOOD, "02-two": TWO})


def page(root: Path, name: str) -> str:
    return (root / "_build" / "html" / "book" / f"{name}.html").read_text(encoding="utf-8")


def edit(root: Path, name: str, old: str, new: str) -> None:
    path = root / "book" / f"{name}.md"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def written(root: Path) -> dict[str, int]:
    """When each page was written, in nanoseconds."""
    work = root / "_build" / "weave" / "html" / "book"
    return {path.stem: path.stat().st_mtime_ns for path in work.glob("*.html")}


def test_a_small_book(root: Path) -> None:
    (built,) = build(root, "html")
    assert built.fresh and built.path.is_file()
    one, two = page(root, "01-one"), page(root, "02-two")
    assert '<span class="std std-numref">Chapter 2</span>' in one
    assert '<span class="std std-numref">Chapter 1</span>' in two
    assert 'id="listing-one-1"' in one and "defines <code>one</code>" in one
    assert 'href="02-two.html#listing-one-2"' in one, "the head leads to where one.py goes on"
    assert 'href="01-one.html#listing-one-1"' in two
    assert "The number one." in one and "built-additions" in one
    assert OUTPUTS in one, "the stored outputs are shown"
    assert not (root / "_build" / "html" / "reports").exists()
    notebook = nbformat.read(root / "_build" / "html" / "book" / "01-one.ipynb", as_version=4)
    assert any("def one()" in cell.source for cell in notebook.cells)


def test_a_change_of_prose_writes_one_page_a_new_title_all(root: Path) -> None:
    build(root, "html")
    before = written(root)
    edit(root, "02-two", "A note", "A remark")
    build(root, "html")
    after = written(root)
    assert {name for name in after if after[name] != before[name]} <= {"02-two", "index"}
    assert "A remark" in page(root, "02-two")
    assert "A remark" in (root / "_build/html/_static/search-text.js").read_text()
    assert "Some words" in (root / "_build/html/_static/search-text.js").read_text()

    edit(root, "02-two", "# Two", "# Deux")
    build(root, "html")
    assert "Deux" in page(root, "01-one"), "the other page's margin shows the new title"


def test_what_is_up_to_date_is_left_alone(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert current(root, "html") is None
    build(root, "html")

    def never(*_: object) -> None:
        raise AssertionError("nothing has changed, and yet Sphinx runs")

    monkeypatch.setattr(building, "press", never)
    (built,) = build(root, "html")
    assert not built.fresh
    assert current(root, "html") == built.path


def test_every_warning_is_a_problem_with_its_line(
        weave_book: Callable[[Mapping[str, str]], Path]) -> None:
    root = weave_book({"01-one": """(ch-one)=
# One

See {cite}`nobody1900`.

See {numref}`fig-nowhere` and {ref}`nothing`.

![A picture](missing.png)

(twice)=
## A

(twice)=
## B

```{unheard-of}
```

{whatrole}`of`

See {eq}`eq-nothing`.

#### Deep

```{list-table}
- one level
```
"""})
    with pytest.raises(LoomError) as raised:
        build(root, "html")
    lines = {"nobody1900": 14, "fig-nowhere": 16, "nothing": 16, "missing.png": 18,
             "unheard-of": 26, "whatrole": 29, "eq-nothing": 31, "header level": 33,
             "list-table": 35}
    for word, line in lines.items():
        found = [p for p in raised.value.problems if word in p.what]
        assert found, f"nothing said of {word}"
        assert found[0].place is not None
        assert found[0].place.path.name == "01-one.md"
        assert abs((found[0].place.line or 0) - line) <= 1, found[0]
        assert found[0].remedy, found[0]
    assert any("twice" in p.what and "uplicate" in p.what for p in raised.value.problems)
    assert not (root / "_build" / "html").exists()


def test_a_failed_build_keeps_the_last_good_one_and_is_told_again(root: Path) -> None:
    build(root, "html")
    edit(root, "01-one", "Some words", "Other words, {cite}`nobody1900`")
    for _ in range(2):
        with pytest.raises(LoomError, match="nobody1900"):
            build(root, "html")
        assert "Some words" in page(root, "01-one")
        assert current(root, "html") is None
    edit(root, "01-one", ", {cite}`nobody1900`", "")
    build(root, "html")
    assert "Other words" in page(root, "01-one")


def test_a_warning_of_reading_is_told_again(root: Path) -> None:
    edit(root, "01-one", "Some words", "{unheard}`of`")
    for _ in range(2):
        with pytest.raises(LoomError, match="unheard"):
            build(root, "html")


def test_interruption_keeps_the_last_good_book(
        root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build(root, "html")
    edit(root, "01-one", "Some words", "Other words")
    from sphinx.builders.html import StandaloneHTMLBuilder

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(StandaloneHTMLBuilder, "write_doc", interrupted)
        with pytest.raises(KeyboardInterrupt):
            build(root, "html")
    assert "Some words" in page(root, "01-one")
    build(root, "html")
    assert "Other words" in page(root, "01-one")
    assert not list((root / "_build").glob(".html.*")), "nothing is left lying about"


def test_a_chapter_that_changed_since_it_ran_is_refused(root: Path) -> None:
    edit(root, "02-two", "return 2", "return 3")
    with pytest.raises(LoomError, match="loom run"):
        build(root, "html")


def test_a_chapter_that_left_the_book_leaves_no_page(
        root: Path, put_outputs: Callable[[Path, str], None]) -> None:
    build(root, "html")
    edit(root, "01-one", "{numref}`ch-two`", "nothing")
    toc = root / "_toc.yml"
    toc.write_text(toc.read_text().replace("  - file: book/02-two\n", ""))
    put_outputs(root, "01-one")
    build(root, "html")
    assert not (root / "_build" / "html" / "book" / "02-two.html").exists()


def test_two_commands_at_once(root: Path) -> None:
    from loom import files

    with files.exclusive(root, "run"), pytest.raises(LoomError, match="at work"):
        build(root, "html")


def test_a_kind_that_does_not_exist(root: Path) -> None:
    with pytest.raises(LoomError, match="docx"):
        build(root, "docx")


def test_a_configuration_that_is_not_yaml(root: Path) -> None:
    (root / "_config.yml").write_text("title: [unclosed\n")
    with pytest.raises(LoomError, match=r"_config\.yml:\d+: is not YAML"):
        build(root, "html")


def test_a_configuration_that_is_not_utf_8(root: Path) -> None:
    (root / "_config.yml").write_bytes(b"title: A\nauthor: Ren\xe9\n")
    with pytest.raises(LoomError, match=r"_config\.yml:2: is not UTF-8"):
        build(root, "html")


def test_a_configuration_that_jupyter_book_refuses(root: Path) -> None:
    (root / "_config.yml").write_text("title: [a, list]\n")
    with pytest.raises(LoomError, match="not a configuration"):
        build(root, "html")


def test_no_configuration(root: Path) -> None:
    (root / "_config.yml").unlink()
    with pytest.raises(LoomError, match=r"_config\.yml: cannot be read: No such file"):
        build(root, "html")


def test_a_folder_that_may_not_be_written(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copytree", full)
    with pytest.raises(LoomError, match="disk is full"):
        build(root, "html")


def test_the_epub_of_a_formula_that_does_not_convert(
        weave_book: Callable[[Mapping[str, str]], Path]) -> None:
    root = weave_book({"01-one": "(ch-one)=\n# One\n\nA formula $\\nosuchthing{x}$.\n"})
    with pytest.raises(LoomError) as raised:
        build(root, "epub")
    (problem,) = raised.value.problems
    assert "nosuchthing" in problem.what and problem.place is not None
    assert problem.place.path.name == "01-one.md" and problem.place.line == 14
