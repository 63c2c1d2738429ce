"""Chapter 5: Data: collect, clean, deduplicate, pack."""

from __future__ import annotations

import codecs
import io
import re
import warnings
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import BinaryIO

import trafilatura
from warcio.archiveiterator import ArchiveIterator
from warcio.exceptions import ArchiveLoadFailed

# § sec-data-extract
BLOCKS = frozenset(re.findall(r"\w+", """
    address article aside blockquote body br dd div dl dt fieldset footer
    form h1 h2 h3 h4 h5 h6 header hr li main nav ol p pre section table td
    th tr ul"""))
HIDDEN = BLOCKS & {"nav", "header", "footer", "aside", "form"} | {
    "script", "style", "template", "noscript", "title", "svg", "button"}


class _Lines(HTMLParser):
    """Collects visible lines, each with the share of it that is links."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.lines: list[tuple[str, float]] = []
        self._pieces: list[tuple[str, bool]] = []
        self._hidden: list[str] = []   # open elements that show no text
        self._in_link = False

    def handle_starttag(self, tag: str, attrs: object) -> None:
        """Hide what nobody reads; open links."""
        if tag in ("body", "main", "article"):
            self._hidden.clear()  # somebody forgot an end tag before
        if tag in HIDDEN:
            self._hidden.append(tag)
        self._step(tag, in_link=True)

    def handle_endtag(self, tag: str) -> None:
        """Show again what comes behind; close links."""
        if tag in self._hidden:
            last = len(self._hidden) - 1 - self._hidden[::-1].index(tag)
            del self._hidden[last:]
        self._step(tag, in_link=False)

    def handle_data(self, data: str) -> None:
        """Take text that can be seen."""
        if not self._hidden:
            self._pieces.append((data, self._in_link))

    def _step(self, tag: str, in_link: bool) -> None:
        """A tag may open or close a link, and end a line."""
        if tag in BLOCKS:
            whole = "".join(piece for piece, _ in self._pieces)
            line = re.sub(r"[ \t\n\r\f]+", " ", whole).strip(" ")
            links = sum(len(p.strip()) for p, in_link in self._pieces
                        if in_link)
            if line:
                self.lines.append((line, links / len(line)))
            self._pieces.clear()
        if tag == "a" or tag in BLOCKS:
            self._in_link = in_link and tag == "a"


def html_to_text(html: str, max_link_share: float = 0.5) -> str:
    """The readable lines of a page; ours, as far as the chapter goes.

    Args:
        html: any string; broken mark-up is read as far as it goes.
        max_link_share: a line is dropped if more of it than this is the
            text of links (Kohlschuetter et al. 2010, link density).

    Raises:
        ValueError: bytes, or a share outside 0 to 1.
    """
    if not isinstance(html, str):
        raise ValueError(f"html is {type(html).__name__}: decode it first")
    if not 0 <= max_link_share <= 1:
        raise ValueError(f"max_link_share={max_link_share} is no share")
    if html.rfind("<!--") > html.rfind("-->"):
        html = html[:html.rfind("<!--")]
    parser = _Lines()
    parser.feed(re.sub(r"<([/!a-zA-Z][^<>]*)?\Z", "", html))  # a cut tag
    parser.close()
    parser._step("body", in_link=False)
    return "\n".join(line for line, share in parser.lines
                     if share <= max_link_share)


def main_text(html: str) -> str:
    """The main text of a page by trafilatura; "" if it finds none."""
    return trafilatura.extract(html, include_comments=False) or ""


_CHARSET = re.compile(r"charset\s*=\s*[\"']?\s*([\w.:-]+)", re.IGNORECASE)
_LATIN = frozenset({"iso8859-1", "ascii"})  # browsers read windows-1252
_BOMS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16",
         codecs.BOM_UTF16_BE: "utf-16"}


def decode(payload: bytes, content_type: str = "") -> str:
    """The bytes of a page as text, by the first encoding that fits.

    A byte order mark; UTF-8, if there are bytes beyond ASCII that prove
    it; the charset of the Content-Type header; of a meta tag in the first
    1,024 bytes (not UTF-16, or we could not read the tag); windows-1252,
    with U+FFFD for what it lacks.
    """
    head = payload[:1024].decode("latin-1")
    labels = [_BOMS[bom] for bom in _BOMS if payload.startswith(bom)]
    if not payload.isascii():
        labels.append("utf-8")
    labels += _CHARSET.findall(content_type)[:1]
    labels += [label for label in _CHARSET.findall(head)[:1]
               if not re.match("utf.?16", label, re.IGNORECASE)]
    for label in labels:
        try:
            name = codecs.lookup(label).name
            return payload.decode("cp1252" if name in _LATIN else name)
        except (LookupError, UnicodeError):
            continue  # unknown, no text encoding, or the bytes disagree
    return payload.decode("cp1252", errors="replace")


Report = Callable[[str], object]


def _next_member(file: BinaryIO, start: int) -> int:
    """Where the next gzip header begins, -1 if there is none."""
    file.seek(start)
    before = b""
    while block := file.read(1 << 14):
        at = (before + block).find(b"\x1f\x8b\x08")
        if at >= 0:
            return start - len(before) + at
        start, before = start + len(block), (before + block)[-2:]
    return -1


def _members(file: BinaryIO, report: Report) -> Iterator[BinaryIO]:
    """Every gzip member that is whole, in memory, one at a time."""
    end, whole = 0, True
    while True:
        start = _next_member(file, end)
        stop = start if start >= 0 else file.tell()
        if whole and stop > end:
            report(f"bytes {end:,} to {stop:,} are no record: skipped")
        if start < 0:
            return
        file.seek(start)
        inflate, parts = zlib.decompressobj(wbits=31), []
        try:
            while not inflate.eof:
                if not (block := file.read(1 << 14)):
                    raise zlib.error("the file ends inside it")
                parts.append(inflate.decompress(block))
            end, whole = file.tell() - len(inflate.unused_data), True
            yield io.BytesIO(b"".join(parts))
        except zlib.error as error:
            end, whole = start + 1, False  # to the next: one accident
            report(f"record at byte {start:,}: {error}")


@dataclass(frozen=True)
class Record:
    """One answer of a server."""

    url: str
    headers: dict[str, str]  # of HTTP, names in lower case
    payload: bytes  # the body, decompressed


def iter_warc(path: Path | str, report: Report = warnings.warn
              ) -> Iterator[Record]:
    """The responses in a WARC file, with one record in memory.

    Args:
        path: gzip by record, as crawlers write it, or not compressed.
        report: is told of what is damaged. It is skipped; in a compressed
            file everything behind it is read.

    Raises:
        ValueError: the file begins as neither gzip nor WARC.
    """
    with Path(path).open("rb") as file:
        magic = file.read(5)
        file.seek(0)
        if magic != b"WARC/" and magic[:2] != b"\x1f\x8b":
            raise ValueError(f"{path} begins with {magic!r}: no WARC file")
        plain = magic == b"WARC/"
        for piece in [file] if plain else _members(file, report):
            try:
                yield from _responses(piece, report)
            except (ArchiveLoadFailed, EOFError, zlib.error) as error:
                report(f"{path}: no WARC record, {error}")


def _responses(piece: BinaryIO, report: Report) -> Iterator[Record]:
    """The responses of an open file whose bytes are as promised."""
    for record in ArchiveIterator(piece, check_digests=True):
        url = record.rec_headers.get_header("WARC-Target-URI") or ""
        if record.rec_type != "response":
            continue
        http = record.http_headers.headers if record.http_headers else []
        payload = record.content_stream().read()
        if record.raw_stream.limit or record.digest_checker.passed is False:
            report(f"{url}: other bytes than its header promises")
        else:
            yield Record(url, {k.lower(): v for k, v in http}, payload)


def is_text(payload: bytes, content_type: str = "") -> bool:
    """Whether to try reading it: text by its label and by its bytes."""
    kind = content_type.partition(";")[0].strip().lower()
    labeled = not kind or kind.startswith("text/") or kind.endswith("xml")
    wide = payload.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return labeled and (wide or b"\0" not in payload[:1024])
