"""Chapter 5, from pages to text: beside bs4 and trafilatura, and broken input."""

from __future__ import annotations

import gzip
import io
import random
import warnings
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from hypothesis import given, settings
from hypothesis import strategies as st
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from scratchlm.data.extract import (
    Record,
    decode,
    html_to_text,
    is_text,
    iter_warc,
    main_text,
)

FEW = settings(max_examples=100, deadline=None)
PAGE = """<!DOCTYPE html><html><head><title>T</title><style>p { }</style>
<script>if (a < b) document.write("<p>no</p>");</script></head><body>
<nav><ul><li><a href="/">Home</a></li></ul></nav>
<article><h1>A kite</h1><p>Mia &amp; <b>Hugo</b> ran.</p>
<p>It was&nbsp;caf&#233;&shy;late.<br>The end.</p></article>
<ul><li><a href="/1">More</a> <a href="/2">Less</a></li></ul>
<footer>(c) 2020</footer></body></html>"""


def test_a_page_by_hand() -> None:
    assert html_to_text(PAGE).splitlines() == [
        "A kite",
        "Mia & Hugo ran.",
        "It was\u00a0caf\u00e9\u00adlate.",
        "The end.",
    ]


def test_link_density_decides() -> None:
    line = "<p>See <a>the long text of a link</a></p>"
    assert html_to_text(line) == ""
    assert html_to_text(line, max_link_share=1) == "See the long text of a link"
    assert html_to_text("<p>A word in <a>one</a> line of others</p>") != ""


words = st.lists(st.text("abcdef&<é", min_size=1, max_size=6), min_size=1, max_size=8)


@FEW
@given(st.lists(words, min_size=1, max_size=8), st.sampled_from(["p", "div", "li"]))
def test_paragraphs_come_back_as_bs4_reads_them(paragraphs: list[list[str]], tag: str) -> None:
    soup = BeautifulSoup("<html><body></body></html>", "html.parser")
    assert soup.body is not None
    for paragraph in paragraphs:
        block = soup.new_tag(tag)
        block.string = " ".join(paragraph)
        soup.body.append(block)
    expected = [
        " ".join(block.get_text().split())
        for block in BeautifulSoup(str(soup), "html.parser").find_all(tag)
    ]
    assert html_to_text(str(soup)).splitlines() == expected


@FEW
@given(st.text("<>/pabnv!-& =\"'", max_size=80))
def test_no_string_is_refused(html: str) -> None:
    text = html_to_text(html)
    assert text == "\n".join(line.strip(" ") for line in text.split("\n"))


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("", ""),
        ("<p>one<p>two", "one\ntwo"),  # no end tags
        ("<nav>menu<article>story</article>", "story"),  # nav left open
        ("<b><p>a</b></p><p>b</p></nav></div>", "a\nb"),  # crossed, closed twice
        ("<p>cut <a hre", "cut"),
        ("<p>cut</", "cut"),
        ("<p>cut <", "cut"),
        ("<p>1 < 2", "1 < 2"),
        ("<p>a<!-- never closed <p>b", "a"),
        ("<p>a</p><script>var x = '<p>b</p>'", "a"),
        ("<p>1 < 2 && 3 > 2</p>", "1 < 2 && 3 > 2"),
        ("plain text", "plain text"),
    ],
)
def test_broken_pages(html: str, text: str) -> None:
    assert html_to_text(html) == text


def test_every_cut_of_a_page_is_read() -> None:
    whole = html_to_text(PAGE)
    for cut in range(0, len(PAGE), 3):
        text = html_to_text(PAGE[:cut])
        assert "document.write" not in text
        assert "href" not in text
        assert len(text) <= len(whole) + len("&#233;&shy;")


def test_bad_arguments() -> None:
    with pytest.raises(ValueError, match="bytes: decode it first"):
        html_to_text(b"<p>x</p>")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"max_link_share=1\.5"):
        html_to_text("", max_link_share=1.5)


def test_trafilatura_finds_the_article_or_nothing() -> None:
    long = PAGE.replace("ran.", "ran to the park with a red kite. " * 20)
    assert "red kite" in main_text(long)
    assert "2020" not in main_text(long)
    assert main_text("") == ""


TEXT = "Zoë ate “crêpes” at the café. Größe, naïveté, œuvre."


@pytest.mark.parametrize(
    ("payload", "content_type"),
    [
        (TEXT.encode(), "text/html"),
        (TEXT.encode(), "text/html; charset=iso-8859-1"),  # the label is wrong
        (TEXT.encode("cp1252"), "text/html; charset=windows-1252"),
        (TEXT.encode("cp1252"), "text/html; charset=ISO-8859-1"),  # as browsers do
        (TEXT.encode("cp1252"), "text/html"),  # nothing says so
        (TEXT.encode("cp1252"), "text/html; charset=utf-8"),  # nor is this true
        (TEXT.encode("cp1252"), "text/html; charset=no-such-thing"),
        (TEXT.encode("cp1252"), "text/html; charset=base64"),  # no text encoding
        (TEXT.encode("utf-8-sig"), ""),
        (TEXT.encode("utf-16"), "text/html; charset=utf-8"),
    ],
)
def test_encodings(payload: bytes, content_type: str) -> None:
    assert decode(payload, content_type) == TEXT


def test_labels_of_other_alphabets() -> None:
    russian, japanese = "Привет, мир", "こんにちは"
    assert decode(russian.encode("cp1251"), "text/html; charset=cp1251") == russian
    meta = f'<meta charset="shift_jis"><p>{japanese}</p>'
    assert decode(meta.encode("shift_jis"), "text/html") == meta
    for name in ("utf-16", "UTF16", "utf-16le"):  # a tag in ASCII says so, and lies
        page = f'<meta charset="{name}"><p>A kite.</p>'
        assert decode((page + " " * (len(page) % 2)).encode(), "text/html").rstrip() == page
    header = decode(japanese.encode("iso2022_jp"), "text/html; charset=iso-2022-jp")
    assert header == japanese  # ASCII bytes: the label is all there is


@FEW
@given(st.binary(max_size=60), st.text(max_size=30))
def test_no_bytes_are_refused(payload: bytes, content_type: str) -> None:
    assert isinstance(decode(payload, content_type), str)
    assert decode(b"") == ""


@FEW
@given(st.text(min_size=1, max_size=60))
def test_utf8_is_read_whatever_the_label(text: str) -> None:
    if text.encode("utf-8", "replace").isascii() or "\ufeff" in text:
        return
    payload = text.encode("utf-8", "replace")
    assert decode(payload, "text/html; charset=latin-1") == payload.decode()


@pytest.mark.parametrize(
    ("payload", "content_type", "yes"),
    [
        (b"<p>", "text/html; charset=utf-8", True),
        (b"<p>", "application/xhtml+xml", True),
        (b"<p>", "", True),
        (b"\x89PNG", "image/png", False),
        (b"%PDF\0\0", "text/html", False),
        ("<p>".encode("utf-16"), "text/html", True),
    ],
)
def test_is_text(payload: bytes, content_type: str, yes: bool) -> None:
    assert is_text(payload, content_type) is yes


def archive(path: Path, bodies: list[bytes], compress: bool = True) -> list[int]:
    """A WARC file by warcio; where each record begins."""
    starts = []
    with path.open("wb") as file:
        writer = WARCWriter(file, gzip=compress)
        for i, body in enumerate(bodies):
            starts.append(file.tell())
            http = StatusAndHeaders("200 OK", [("Content-Type", "text/html")], protocol="HTTP/1.1")
            writer.write_record(
                writer.create_warc_record(
                    f"https://site.example/{i}",
                    "response",
                    payload=io.BytesIO(body),
                    http_headers=http,
                )
            )
    return starts


BODIES = [bytes([65 + i]) * 40_000 + str(i).encode() for i in range(6)]


@pytest.mark.parametrize("compress", [True, False])
def test_what_warcio_wrote_comes_back(tmp_path: Path, compress: bool) -> None:
    archive(tmp_path / "a.warc", BODIES, compress)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        records = list(iter_warc(tmp_path / "a.warc"))
    assert [r.payload for r in records] == BODIES
    assert records[2] == Record("https://site.example/2", {"content-type": "text/html"}, BODIES[2])


def test_damage_costs_the_records_it_hits(tmp_path: Path) -> None:
    path = tmp_path / "a.warc.gz"
    starts = archive(path, BODIES)
    raw = bytearray(path.read_bytes())
    raw[starts[1] + 60 : starts[1] + 90] = bytes(30)
    path.write_bytes(raw[: starts[5] + 100])
    said: list[str] = []
    records = list(iter_warc(path, report=said.append))
    assert [r.payload for r in records] == [BODIES[i] for i in (0, 2, 3, 4)]
    assert [f"{starts[i]:,}" in message for i, message in zip((1, 5), said, strict=True)]
    assert "the file ends inside it" in said[1]
    with pytest.warns(UserWarning, match="record at byte"):
        list(iter_warc(path))


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_any_damage_is_survived(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("w") / "a.warc.gz"
    archive(path, BODIES)
    raw = bytearray(path.read_bytes())
    at = 4 + int(data.draw(st.floats(0, 1, exclude_max=True)) * (len(raw) - 4))
    raw[at:] = data.draw(st.binary(max_size=9)) + raw[at + data.draw(st.integers(0, 9)) :]
    path.write_bytes(raw)
    said: list[str] = []
    found = [r.payload for r in iter_warc(path, report=said.append)]
    assert [body for body in BODIES if body in found] == found  # whole, in order
    assert len(found) >= len(BODIES) - 2
    assert said or len(found) == len(BODIES)


def test_an_accident_late_in_a_record_is_reported_once(tmp_path: Path) -> None:
    path = tmp_path / "a.warc.gz"
    noise = random.Random(0).randbytes(100_000)  # of several blocks, compressed
    starts = archive(path, [b"one", noise, b"three"])
    raw = bytearray(path.read_bytes())
    raw[starts[2] - 50 : starts[2] - 40] = bytes(10)
    path.write_bytes(raw)
    said: list[str] = []
    assert [r.payload for r in iter_warc(path, report=said.append)] == [b"one", b"three"]
    assert len(said) == 1 and said[0].startswith(f"record at byte {starts[1]:,}: ")


def test_bytes_between_members_are_reported(tmp_path: Path) -> None:
    path = tmp_path / "a.warc.gz"
    starts = archive(path, BODIES)
    raw = path.read_bytes()
    path.write_bytes(raw[: starts[3]] + b"rubbish" + raw[starts[3] :])
    said: list[str] = []
    assert len(list(iter_warc(path, report=said.append))) == len(BODIES)
    assert "are no record: skipped" in said[0]


@pytest.mark.parametrize("which", [0, 3, 5])
def test_a_record_whose_magic_is_gone_is_reported(tmp_path: Path, which: int) -> None:
    path = tmp_path / "a.warc.gz"
    starts = archive(path, BODIES)
    raw = bytearray(path.read_bytes())
    raw[starts[which] + 2] = 0  # 1F 8B 08: the last of the three
    path.write_bytes(raw)
    said: list[str] = []
    found = [r.payload for r in iter_warc(path, report=said.append)]
    assert found == [body for i, body in enumerate(BODIES) if i != which]
    end = [*starts, len(raw)][which + 1]
    assert said == [f"bytes {starts[which]:,} to {end:,} are no record: skipped"]


def test_a_payload_that_was_changed(tmp_path: Path) -> None:
    path = tmp_path / "a.warc"
    archive(path, BODIES, compress=False)
    path.write_bytes(path.read_bytes().replace(b"CCCC", b"CXCC", 1))
    said: list[str] = []
    found = [r.payload for r in iter_warc(path, report=said.append)]
    assert found == [b for b in BODIES if not b.startswith(b"C")]
    assert "https://site.example/2: other bytes" in said[0]


def test_gzip_without_a_warc_inside(tmp_path: Path) -> None:
    path = tmp_path / "a.warc.gz"
    path.write_bytes(gzip.compress(b"no archive at all\r\n"))
    said: list[str] = []
    assert list(iter_warc(path, report=said.append)) == []
    assert "no WARC record" in said[0]


@pytest.mark.parametrize("content", [b"", b"<html>", b"PK\x03\x04"])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.warc.gz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="no WARC file"):
        list(iter_warc(path))
