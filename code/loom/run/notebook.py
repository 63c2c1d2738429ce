"""A chapter's cells as a notebook to run, and its outputs in a form that compares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from loom.book.chapter import Chapter
from loom.errors import Problem
from loom.run.keys import RUNNING_TAGS

PRINTED = 100_000  # characters that a cell may print; some thirty pages


def to_run(chapter: Chapter) -> Any:
    """The notebook that nbmake runs: code cells only, no display options."""
    import nbformat

    cells = []
    for cell in chapter.cells:
        new = nbformat.v4.new_code_cell(  # type: ignore[no-untyped-call]
            cell.source, id=f"cell-{cell.index + 1}")
        tags = sorted(cell.tags & RUNNING_TAGS)
        if tags:
            new.metadata["tags"] = tags
        cells.append(new)
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return nbformat.v4.new_notebook(  # type: ignore[no-untyped-call]
        cells=cells, metadata={"kernelspec": kernel})


def tidy(notebook: Any, paths: Mapping[str, str]) -> None:
    """Take out of a run's outputs what differs between equal runs.

    Streams are joined, since how they are cut depends on timing; the folders
    of the run get names that stay; times of execution go.

    Args:
        notebook: the executed notebook, changed in place.
        paths: what stands for folders of the run, and what to say instead.
    """
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        cell.outputs = _joined(cell.outputs)
        for output in cell.outputs:
            if output.output_type == "stream":
                output.text = _renamed(output.text, paths)
            elif output.output_type == "error":
                output.evalue = _renamed(output.evalue, paths)
                output.traceback = [_renamed(line, paths) for line in output.traceback]
            else:
                for kind, data in output.data.items():
                    if isinstance(data, str) and (kind.startswith("text/") or "xml" in kind):
                        output.data[kind] = _renamed(data, paths)


def _joined(outputs: list[Any]) -> list[Any]:
    """Each stream in one piece, where its first piece stood; stdout before stderr."""
    joined: list[Any] = []
    streams: dict[str, Any] = {}
    for output in outputs:
        if output.output_type != "stream":
            joined.append(output)
        elif output.name in streams:
            streams[output.name].text += output.text
        else:
            streams[output.name] = output
            joined.append(output)
    for output in streams.values():
        output.text = "\n".join(map(_overwritten, output.text.split("\n")))
    if len(streams) == 2:
        first, second = sorted(joined.index(output) for output in streams.values())
        joined[first], joined[second] = streams["stdout"], streams["stderr"]
    return joined


def _overwritten(line: str) -> str:
    """What a terminal still shows of a line that returned to its start, as progress bars do."""
    return line[line.rstrip("\r").rfind("\r") + 1:]


def verbose(chapter: Chapter, notebook: Any) -> list[Problem]:
    """A problem for each cell that printed more than anyone would read."""
    printed = [sum(len(output.text) for output in cell.outputs if output.output_type == "stream")
               for cell in notebook.cells]
    return [Problem(cell.place(), f"this cell printed {count:,} characters; at most {PRINTED:,} "
                    "go into the book", "print a part, or a summary")
            for cell, count in zip(chapter.cells, printed, strict=True) if count > PRINTED]


def _renamed(text: str, paths: Mapping[str, str]) -> str:
    for path, name in paths.items():
        text = text.replace(path, name)
    return text


def differing(chapter: Chapter, old: Any, new: Any) -> list[int]:
    """The cells whose outputs differ, leaving out those tagged ``varies``."""
    return [cell.index for cell, one, two in
            zip(chapter.cells, old.cells, new.cells, strict=True)
            if "varies" not in cell.tags and one.outputs != two.outputs]
