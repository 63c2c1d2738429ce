"""The book in numbers: every count is of something real."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

from typer.testing import CliRunner

from loom.cli.author import app
from loom.tangle.disk import write_package
from loom.tangle.modules import Package, tangle
from loom.tangle.stats import duplicates, statistics

CHAPTERS = {"01-one": '''(ch-one)=
# One

```{code-cell} python
:tangle: one.py
class One:
    """One."""

    def get(self) -> int:
        """The number."""
        return 1
```

```{code-cell} python
print(1)
```
'''}


def test_counts_of_a_small_book(make_book: Any) -> None:
    book = make_book(CHAPTERS)
    package = tangle(book.chapters)
    write_package(book, package)
    found = statistics(book)
    assert (found.chapters, found.cells, found.tangled_cells, found.modules) == (1, 2, 1, 1)
    assert found.definitions == 2  # the class and its method
    assert found.lines == sum(len(text.splitlines()) for text in package.files.values())
    assert (found.drift, found.duplicates) == (0, 0)


def test_a_line_edited_on_one_side_counts_as_drift(make_book: Any) -> None:
    book = make_book(CHAPTERS)
    write_package(book, tangle(book.chapters))
    module = book.package / "one.py"
    module.write_text(module.read_text().replace("return 1", "return 2"))
    assert statistics(book).drift == 2  # one line out, one line in


def test_duplicates_are_found_in_the_text() -> None:
    twice = ("def f():\n    pass\n\n\ndef f():\n    pass\n\n\nclass A:\n"
             "    @property\n    def x(self):\n        return 1\n\n"
             "    @x.setter\n    def x(self, value):\n        pass\n\n"
             "    def g(self):\n        pass\n\n    def g(self):\n        pass\n")
    found = list(duplicates(Package({PurePosixPath("m.py"): twice})))
    assert found == ["m.py: f", "m.py: A: g"]


def test_the_command_prints_every_count(make_book: Any) -> None:
    result = CliRunner().invoke(app, ["stats", "--root", str(make_book(CHAPTERS).root)])
    assert result.exit_code == 0
    lines = dict(line.rsplit(maxsplit=1) for line in result.output.splitlines())
    assert lines["cells"] == "2" and lines["tangled cells"] == "1" and "drift" in lines
