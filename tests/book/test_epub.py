"""The EPUB: a sound archive of sound pages, with formulas, figures and no scripts."""

from __future__ import annotations

import shutil
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree

import pytest

from loom.book.toc import Book

XHTML = "{http://www.w3.org/1999/xhtml}"
OPF = "{http://www.idpf.org/2007/opf}"
MATH = "{http://www.w3.org/1998/Math/MathML}"
JAR = Path("/usr/share/java/epubcheck.jar")  # where Debian's package puts it


@pytest.fixture(scope="module")
def epub(woven: Callable[[str], Path]) -> Path:
    return woven("epub")


@pytest.fixture(scope="module")
def files(epub: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(epub) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def trees(files: dict[str, bytes]) -> dict[str, ElementTree.Element]:
    """Every page, parsed: one that is not XML fails here."""
    return {name: ElementTree.fromstring(data) for name, data in files.items()
            if name.endswith(".xhtml")}


def test_what_it_is_stands_first_and_uncompressed(epub: Path) -> None:
    with zipfile.ZipFile(epub) as archive:
        first = archive.infolist()[0]
        assert first.filename == "mimetype" and first.compress_type == zipfile.ZIP_STORED
        assert archive.read("mimetype").strip() == b"application/epub+zip"


def test_the_manifest_lists_every_file_and_no_other(files: dict[str, bytes]) -> None:
    package = ElementTree.fromstring(files["content.opf"])
    listed = {unquote(item.get("href", "")) for item in package.iter(f"{OPF}item")}
    own = {"mimetype", "META-INF/container.xml", "content.opf"}
    assert listed == set(files) - own
    ids = [item.get("id") for item in package.iter(f"{OPF}item")]
    assert len(set(ids)) == len(ids)
    assert {ref.get("idref") for ref in package.iter(f"{OPF}itemref")} <= set(ids)


def test_every_chapter_is_there_in_order(files: dict[str, bytes], book: Book) -> None:
    package = ElementTree.fromstring(files["content.opf"])
    by_id = {item.get("id"): item.get("href", "") for item in package.iter(f"{OPF}item")}
    spine = [by_id[ref.get("idref")] for ref in package.iter(f"{OPF}itemref")]
    wanted = [c.path.relative_to(book.root).with_suffix(".xhtml").as_posix()
              for c in book.chapters]
    assert [name for name in spine if name in wanted] == wanted
    assert spine[0] == "epub-cover.xhtml"


def test_links_and_images_lead_inside(trees: dict[str, ElementTree.Element],
                                      files: dict[str, bytes]) -> None:
    ids = {name: {e.get("id") for e in tree.iter() if e.get("id")}
           for name, tree in trees.items()}
    broken = []
    for name, tree in trees.items():
        folder = PurePosixPath(name).parent
        for element in tree.iter():
            for key in ("href", "src"):
                address = urlsplit(element.get(key) or "")
                if address.scheme or not (address.path or address.fragment):
                    continue
                target = _normal(folder / unquote(address.path)) if address.path else name
                if target not in files or (address.fragment and target in ids
                                           and address.fragment not in ids[target]):
                    broken.append((name, element.get(key)))
    assert not broken


def _normal(path: PurePosixPath) -> str:
    parts: list[str] = []
    for part in path.parts:
        if part == "..":
            parts.pop()
        elif part != ".":
            parts.append(part)
    return "/".join(parts)


def _prose(element: ElementTree.Element) -> str:
    """The text of an element, without what is set as code: a pattern may hold `\\(`."""
    inner = "".join(_prose(child) + (child.tail or "") for child in element)
    return "" if element.tag == f"{XHTML}code" else (element.text or "") + inner


def test_formulas_are_mathml(trees: dict[str, ElementTree.Element], book: Book) -> None:
    formulas = [f for tree in trees.values() for f in tree.iter(f"{MATH}math")]
    assert formulas
    for formula in formulas:
        assert formula.get("alttext")
        assert len(list(formula.iter())) > 1
        assert "\\" not in "".join(formula.itertext()), formula.get("alttext")
    text = " ".join(_prose(p) for tree in trees.values() for p in tree.iter(f"{XHTML}p"))
    assert "\\(" not in text and "\\[" not in text and "$$" not in text


def test_images_say_what_they_show(trees: dict[str, ElementTree.Element]) -> None:
    images = [(name, i) for name, tree in trees.items() for i in tree.iter(f"{XHTML}img")]
    assert any((i.get("src") or "").endswith(".svg") for _, i in images)
    for name, image in images:
        alt = image.get("alt") or ""
        assert alt and not alt.startswith("../"), name


def test_no_scripts(trees: dict[str, ElementTree.Element], files: dict[str, bytes]) -> None:
    assert not [name for name, tree in trees.items() if next(tree.iter(f"{XHTML}script"), None)]
    assert not [name for name in files if name.endswith(".js")]


def test_listings_and_margin_notes(trees: dict[str, ElementTree.Element], book: Book) -> None:
    for chapter in book.chapters:
        tree = trees[chapter.path.relative_to(book.root).with_suffix(".xhtml").as_posix()]
        heads = [e for e in tree.iter(f"{XHTML}div") if e.get("class") == "listing-head"]
        assert len(heads) == sum(cell.target is not None for cell in chapter.cells)
        notes = [e for e in tree.iter(f"{XHTML}aside") if "margin" in (e.get("class") or "")]
        said = [kind for _, _, kind in chapter.fences if kind.startswith("{margin}")]
        assert len(notes) >= len(said)


def test_the_judge_of_the_trade_has_nothing_to_say(epub: Path) -> None:
    java = shutil.which("java")
    if java is None or not JAR.is_file():
        pytest.skip("epubcheck is not installed (Debian: `apt-get install epubcheck`)")
    said = subprocess.run([java, "-jar", str(JAR), str(epub)], capture_output=True, text=True,
                          timeout=300)
    assert said.returncode == 0, said.stdout + said.stderr
