"""The notebook that a reader downloads: no outputs, and everything it needs inside."""

from __future__ import annotations

import ast
import base64
import io
import json
import re
import sys
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from loom.book.chapter import Cell, Chapter
from loom.book.toc import PACKAGE, Book
from loom.run.environment import LOOK
from loom.run.keys import RUNNING_TAGS, Keys, home
from loom.run.plain import plain

CARRIED = ("__init__.py", "extends.py", "run/__init__.py", "run/identity.py", "run/kernel.py",
           "run/outside.py", "run/cache.py")  # of loom
DATA_LIMIT = 1024 ** 2  # bytes of a named file that a notebook carries

SETUP = '''\
# {title}
# Run this cell first. It unpacks what the chapters before this one built,
# so that everything below runs here, and downloads nothing.
import base64, io, sys, tarfile, tempfile

_folder = tempfile.mkdtemp(prefix="every-line-runs-")
with tarfile.open(fileobj=io.BytesIO(base64.b64decode("""
{archive}
""")), mode="r:xz") as _files:
    _files.extraction_filter = getattr(tarfile, "data_filter", None)
    _files.extractall(_folder)
sys.path.insert(0, _folder)
for _name in [n for n in sys.modules if n.split(".")[0] == "loom"]:
    del sys.modules[_name]
from loom.run.outside import begin

begin(get_ipython())'''
MAKE = '''\
# This chapter works with {needs}, which {makers} made.
# Made once, it is kept in ~/.cache/scratchlm for all chapters.
from loom.run.outside import make_what_is_missing

make_what_is_missing()'''


def notebook_for_reader(book: Book, chapter: Chapter, keys: Keys | None = None) -> Any:
    """A chapter as a notebook that runs on its own, without outputs.

    Args:
        book: the book.
        chapter: one of its chapters with cells.
        keys: the book's keys, where they are known already.

    Returns:
        An ``nbformat`` notebook. Its first cell unpacks the package as of the
        chapter before; a second one makes the products that it needs.

    Raises:
        LoomError: a chapter cannot be tangled.
    """
    import nbformat

    keys = keys or Keys(book)
    titles = {section.label: section.title for other in book.chapters
              for section in other.sections if section.label}
    setup = SETUP.format(title=f"Every Line Runs: {chapter.title}",
                         archive=base64.encodebytes(_archive(book, chapter, keys)).decode().strip())
    cells = [_code("setup", setup, {"jupyter": {"source_hidden": True}, "tags": ["hide-input"]})]
    if chapter.needs:
        makers = sorted({keys.maker(chapter, need).title for need in chapter.needs})
        cells.append(_code("products", MAKE.format(
            needs=", ".join(chapter.needs), makers=" and ".join(f"“{m}”" for m in makers))))
    for number, part in enumerate(_parts(chapter)):
        if isinstance(part, Cell):
            cells.append(_code(f"cell-{part.index + 1}", part.source,
                               {"tags": tags} if (tags := sorted(part.tags)) else {}))
            part = _caption(part)
        text = plain(part, titles)
        if text:
            cells.append(nbformat.v4.new_markdown_cell(  # type: ignore[no-untyped-call]
                text, id=f"text-{number + 1}"))
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return nbformat.v4.new_notebook(  # type: ignore[no-untyped-call]
        cells=cells, metadata={"kernelspec": kernel, "language_info": {"name": "python"}})


def _code(name: str, source: str, metadata: dict[str, Any] | None = None) -> Any:
    import nbformat

    return nbformat.v4.new_code_cell(  # type: ignore[no-untyped-call]
        source, id=name, metadata=metadata or {})


def _parts(chapter: Chapter) -> Iterator[str | Cell]:
    """A chapter's text and cells in turn, the header left out."""
    lines = chapter.text.split("\n")
    ends = {first: last for first, last, _ in chapter.fences}
    at = 0
    if lines and lines[0].strip() == "---":
        at = next(n for n, line in enumerate(lines[1:], 1) if line.strip() == "---") + 1
    for cell in chapter.cells:
        yield "\n".join(lines[at:cell.fence - 1])
        yield cell
        at = ends[cell.fence]
    yield "\n".join(lines[at:])


def _caption(cell: Cell) -> str:
    """What stands below a cell's figure."""
    options = cell.options.get("mystnb")
    figure = options.get("figure") if isinstance(options, dict) else None
    if not isinstance(figure, dict) or "caption" not in figure:
        return ""
    name = str(figure.get("name", "")).removeprefix("fig-")
    said = " ".join(str(figure["caption"]).split())
    return f"Figure *{name}*. {said}" if name else said


def _archive(book: Book, chapter: Chapter, keys: Keys) -> bytes:
    """What a notebook carries: the same bytes every time."""
    loom = Path(__file__).parents[1]
    files: dict[PurePosixPath, bytes] = {
        PurePosixPath("loom", name): (loom / name).read_bytes() for name in CARRIED}
    makers = _makers(chapter, keys)
    for one in [chapter, *makers]:
        for side, folder in (("before", keys.snapshots.before(one)),
                             ("after", keys.snapshots.after(one))):
            for path, text in keys.snapshots.files(folder).items():
                files[PurePosixPath(one.name, side, PACKAGE) / path] = text.encode()
    look = book.root / LOOK
    files[PurePosixPath("matplotlibrc")] = look.read_bytes() if look.is_file() else b""
    for pattern in chapter.data:
        for source in book.root.glob(pattern):
            if source.is_file() and source.stat().st_size < DATA_LIMIT:
                name = PurePosixPath("root", source.relative_to(book.root).as_posix())
                files[name] = source.read_bytes()
    files[PurePosixPath("chapter.json")] = json.dumps({
        "chapter": chapter.name, "homes": _homes(chapter), "makes": list(chapter.makes),
        "needs": _needs(chapter, keys),
        "imports": _imports(chapter, keys),
        "loom": any(re.search(r"^[ !%]*loom ", cell.source, re.MULTILINE)
                    for cell in chapter.cells),
        "makers": [{
            "chapter": maker.name, "homes": _homes(maker),
            "makes": [{"name": name, "key": keys.key(maker)} for name in maker.makes],
            "needs": _needs(maker, keys),
            "cells": [[cell.source, bool(cell.tags & RUNNING_TAGS)] for cell in maker.cells],
        } for maker in makers]}, ensure_ascii=False).encode()
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:xz") as archive:
        for path in sorted(files):
            entry = tarfile.TarInfo(str(path))
            entry.size = len(files[path])
            archive.addfile(entry, io.BytesIO(files[path]))
    return packed.getvalue()


def _homes(chapter: Chapter) -> dict[str, Any]:
    """Where tangled cells belong, by their ids, which stay when a reader edits them."""
    found: dict[str, Any] = {}
    for cell in chapter.cells:
        if cell.target:
            home_of = {"module": home(cell), "replaces": list(cell.replaces)}
            found[f"cell-{cell.index + 1}"] = found[cell.source] = home_of
    return found


def _needs(chapter: Chapter, keys: Keys) -> list[dict[str, str]]:
    return [{"name": name, "key": keys.key(keys.maker(chapter, name))} for name in chapter.needs]


def _makers(chapter: Chapter, keys: Keys) -> list[Chapter]:
    """The chapters that make what one needs, and what those need, in the book's order."""
    found: dict[str, Chapter] = {}

    def visit(one: Chapter) -> None:
        for need in one.needs:
            maker = keys.maker(one, need)
            found[maker.name] = maker
            visit(maker)

    visit(chapter)
    return sorted(found.values(), key=lambda maker: maker.position)


def _imports(chapter: Chapter, keys: Keys) -> list[str]:
    """What the chapter and the modules it uses import from elsewhere, by top-level name."""
    sources: Iterable[str] = [*(cell.source for cell in chapter.cells),
                              *keys.modules(chapter).values()]
    found: set[str] = set()
    for source in sources:
        try:
            tree = ast.parse(source)
        except SyntaxError:
            continue
        for node in tree.body:
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.split(".")[0])
    return sorted(found - set(sys.stdlib_module_names) - {PACKAGE, "loom"})
