"""The chapters' rules find what they are meant to find, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from loom.book.chapter import HEADER
from loom.book.lint import lint
from loom.book.toc import read_book

GOOD = """
(ch-one)=
# One

Some text with {numref}`fig-line`, {eq}`eq-one` and {cite}`shannon1948`.

$$
1 = 1
$$ (eq-one)

```{code-cell} python
:tangle: one.py
def one() -> int:
    \"\"\"The number one.\"\"\"
    return 1
```

```{code-cell} python
---
mystnb:
  image:
    alt: A line.
  figure:
    name: fig-line
    caption: A line goes up.
---
plt.subplots()
```
"""


def problems(folder: Path, *chapters: str) -> list[str]:
    """What the lint says of a book of these chapters, without the header's lines."""
    names = [f"{n:02}-chapter" for n in range(1, len(chapters) + 1)]
    (folder / "book").mkdir(parents=True)
    (folder / "_toc.yml").write_text(
        "format: jb-book\nroot: book/index\nchapters:\n"
        + "".join(f"  - file: book/{name}\n" for name in names))
    (folder / "book/index.md").write_text("# A book\n")
    (folder / "book/references.bib").write_text("@article{shannon1948, title={A}}\n")
    for name, text in zip(names, chapters, strict=True):
        (folder / f"book/{name}.md").write_text(HEADER + "\n" + text)
    return [str(problem) for problem in lint(read_book(folder))]


def test_a_good_chapter_has_no_problems(tmp_path: Path) -> None:
    assert problems(tmp_path, GOOD) == []


@pytest.mark.parametrize(("change", "line", "says"), [
    (('    """The number one."""\n', ""), 22, "public `one` has no docstring"),
    (("    return 1\n", f"    return {'1' * 80}\n"), 24, "a code line of 91 columns"),
    (("    return 1\n", "    1\n" * 40 + "    return 1\n"), 20, "a tangled cell of 43 lines"),
    (("  image:\n    alt: A line.\n", ""), 27, "a figure without alternative text"),
    (("    caption: A line goes up.\n", ""), 27, "a figure without a caption"),
    (("{numref}`fig-line`", "{numref}`fig-lime`"), 14, "the reference `fig-lime` leads nowhere"),
    (("{eq}`eq-one`", "{eq}`eq-two`"), 14, "the reference `eq-two` leads nowhere"),
    (("{cite}`shannon1948`", "{cite}`shannon1848`"), 14, "the citation `shannon1848` leads now"),
    (("Some text", "In this chapter we will see text"), 14, "`In this chapter we will` praises"),
    (("Some text", "Some text[^note]"), 14, "the footnote `[^note]` is not written"),
    (("Some text", "Some powerful text"), 14, "`powerful` praises"),
    (("Some text", "Some " + "long " * 41 + "text"), 14, "a sentence of"),
])
def test_what_is_wrong_is_named_with_its_line(
    tmp_path: Path, change: tuple[str, str], line: int, says: str
) -> None:
    assert change[0] in GOOD
    found = problems(tmp_path, GOOD.replace(*change))
    assert len(found) == 1, found
    assert f"01-chapter.md:{line}: " in found[0] and says in found[0] and "→" in found[0]


def test_a_written_footnote_is_no_problem(tmp_path: Path) -> None:
    assert problems(tmp_path, GOOD.replace("Some text", "A call[^n], `[^code]`")
                    + "\n[^n]: A note.\n") == []


def test_a_label_names_one_thing_in_the_whole_book(tmp_path: Path) -> None:
    found = problems(tmp_path, GOOD, "(ch-one)=\n# Two\n")
    assert len(found) == 1
    assert "02-chapter.md:10: the label `ch-one` is taken by" in found[0]
    assert "01-chapter.md:11" in found[0]


def test_what_is_only_shown_is_not_checked(tmp_path: Path) -> None:
    shown = "\n````md\n(ch-one)=\n{cite}`nobody1900`, a powerful $x$\n````\n"
    assert problems(tmp_path, GOOD + shown) == []


def test_chapters_are_numbered_in_the_order_of_the_contents(tmp_path: Path) -> None:
    problems(tmp_path, GOOD)
    (tmp_path / "book/01-chapter.md").rename(tmp_path / "book/02-chapter.md")
    (tmp_path / "_toc.yml").write_text(
        "format: jb-book\nroot: book/index\nchapters:\n  - file: book/02-chapter\n")
    assert "numbered [2]" in str(lint(read_book(tmp_path))[0])


def test_a_source_stands_once_in_the_bibliography(tmp_path: Path) -> None:
    problems(tmp_path, GOOD)
    with (tmp_path / "book/references.bib").open("a") as file:
        file.write("@book{shannon1948, title={B}}\n")
    assert "`shannon1948` stands there 2 times" in str(lint(read_book(tmp_path))[0])
