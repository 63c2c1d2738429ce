"""The dirty web: its truths, read back by parsers that are not ours."""

from __future__ import annotations

import gzip
import hashlib
import ipaddress
import os
import re
import subprocess
import sys
import tracemalloc
import unicodedata
from collections import Counter, deque
from email.utils import parseaddr
from itertools import pairwise
from pathlib import Path

import ftfy
import lxml.html
import pytest
from bs4 import BeautifulSoup
from hypothesis import given, settings
from hypothesis import strategies as st
from warcio.archiveiterator import ArchiveIterator

import scratchlm
from scratchlm.corpus import web
from scratchlm.corpus.checks import check_story
from scratchlm.corpus.defects import (
    JUNK,
    LANGUAGES,
    PII,
    edit_text,
    foreign_text,
    hide,
    mojibake,
    phrases,
    plant,
    say,
    typeset,
    word_salad,
)
from scratchlm.corpus.storyworld import Stream, generate, held_out
from scratchlm.corpus.web import DEFECTS, DROP, SHARES, Page, crawl, make_site, write_warc

PAGES = list(crawl(2_500_000, seed=4))
BY_URL = {page.url: page for page in PAGES}
SHA256 = "7c7244caecbf8f064af1d23c86d65306c0e1bb05105fed05501d8d01b4415206"
LETTERS = dict.fromkeys(map(ord, "\xad\u200b")) | {0xA0: " "}


def having(*defects: str) -> list[Page]:
    return [page for page in PAGES if page.truth.defects >= set(defects)]


def digest(pages: list[Page]) -> str:
    sha = hashlib.sha256()
    for page in pages:
        sha.update(page.html)
        truth = page.truth
        facts = (page.url, page.content_type, sorted(truth.defects), truth.text, truth.main)
        sha.update(repr((*facts, truth.pii, truth.lookalikes, truth.copy_of)).encode())
    return sha.hexdigest()


def plain(text: str) -> str:
    """Text without what cannot be seen, for comparison."""
    return " ".join(unicodedata.normalize("NFC", text).translate(LETTERS).split())


def visible(page: Page) -> str:
    document = lxml.html.document_fromstring(page.html.decode(page.truth.charset))
    for hidden in document.xpath("//script | //style"):
        hidden.drop_tree()
    return plain(document.text_content())


# The same bytes everywhere


def test_the_bytes_are_pinned() -> None:
    assert digest(list(crawl(300_000))) == SHA256


def test_same_bytes_whatever_the_hash_seed() -> None:
    program = (
        "import hashlib; from scratchlm.corpus.web import crawl;"
        "print(hashlib.sha256(b''.join(p.html for p in crawl(100_000))).hexdigest())"
    )
    want = hashlib.sha256(b"".join(p.html for p in crawl(100_000))).hexdigest()
    path = str(Path(scratchlm.__file__).parent.parent)
    for seed in ("0", "4242"):
        env = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": path}
        done = subprocess.run(
            [sys.executable, "-c", program], env=env, capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == want


def test_a_longer_crawl_begins_with_the_shorter() -> None:
    assert list(crawl(60_000, seed=4)) == PAGES[: len(list(crawl(60_000, seed=4)))]


def test_size() -> None:
    pages = list(crawl(50_000, seed=2))
    assert sum(len(page.html) for page in pages) >= 50_000
    assert sum(len(page.html) for page in pages[:-1]) < 50_000
    assert list(crawl(0)) == []


def test_seeds_and_splits_differ() -> None:
    texts = [
        {page.truth.text for page in crawl(60_000, seed, split)} - {""}
        for seed, split in ((0, "train"), (1, "train"), (0, "test"))
    ]
    for a, b in ((0, 1), (0, 2), (1, 2)):
        assert not texts[a] & texts[b]
    assert next(crawl(1, split="heldout")) == next(crawl(1, split="test"))


def test_memory_does_not_grow_with_the_crawl() -> None:
    crawler = web.Crawler()
    assert crawler.recent.maxlen == 1000
    crawler.recent = deque(maxlen=40)
    tracemalloc.start()
    tops = []
    for start in (0, 100, 200, 300):
        tracemalloc.reset_peak()
        for number in range(start, start + 100):
            crawler.page(number)
        tops.append(tracemalloc.get_traced_memory()[1])
    tracemalloc.stop()
    assert max(tops) < 2 * tops[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [((-1,), "n_bytes=-1 is negative"), ((1, 0, "validation"), "none of train, test, heldout")],
)
def test_bad_arguments(arguments: tuple[int, int, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        next(crawl(*arguments))


# Truths, against the bytes


def test_urls_are_unique_and_nobodys() -> None:
    assert len(BY_URL) == len(PAGES)
    assert all(re.match(r"https://[a-z0-9-]+\.example/", url) for url in BY_URL)


def test_all_defects_occur_and_no_others() -> None:
    found = Counter(defect for page in PAGES for defect in page.truth.defects)
    assert set(found) == set(DEFECTS)
    assert set(DROP) < set(DEFECTS)


def test_shares() -> None:
    assert sum(SHARES.values()) == 1000
    for kind in ("exact-copy", "edited-copy", "leaked", "wrong-language", "nonsense"):
        n, p = len(PAGES), SHARES[kind] / 1000
        found = len([page for page in having(kind) if page.truth.copy_of or "copy" not in kind])
        assert abs(found - n * p) < 4 * (n * p * (1 - p)) ** 0.5, kind


def test_the_article_stands_on_the_page() -> None:
    checked = 0
    for page in PAGES:
        truth = page.truth
        if not truth.main:
            continue
        text = visible(page)
        layers = ("mojibake" in truth.defects) + ("mojibake-2" in truth.defects)
        for line in truth.main.split("\n"):
            assert plain(mojibake(line, layers)) in text, (page.url, line)
            checked += 1
    assert checked > 3000


def test_text_is_the_part_of_main_that_is_worth_keeping() -> None:
    for truth in (page.truth for page in PAGES):
        main, text = truth.main.split("\n"), truth.text.split("\n")
        if truth.defects & DROP:
            assert truth.text == ""
        elif "mixed-language" in truth.defects:
            assert 0 < len([line for line in main if line not in text]) <= 2
            assert [line for line in main if line in text] == text or truth.text == ""
        else:
            assert truth.main == truth.text != ""


def test_texts_are_in_nfc_without_hidden_characters() -> None:
    for truth in (page.truth for page in PAGES):
        assert unicodedata.is_normalized("NFC", truth.main)
        assert not set("\xad\u200b\xa0\x00\ufffd") & set(truth.main)


def test_without_a_defect_the_charset_is_as_the_page_says() -> None:
    for page in PAGES:
        truth = page.truth
        if truth.language != "en" or "binary" in truth.defects:
            continue
        head = page.html[:1000].decode("ascii", "ignore")
        said = re.search(r"charset=([\w-]+)", page.content_type)
        said = said or re.search(r'<meta charset="([\w-]+)', head)
        if not page.html.isascii():
            wrong = said is not None and said[1] != truth.charset
            assert ("misdeclared" in truth.defects) == wrong
            legacy = truth.charset == "windows-1252" and not wrong
            assert ("latin-1" in truth.defects) == (legacy and said is not None)
            assert ("undeclared" in truth.defects) == (legacy and said is None)
        page.html.decode(truth.charset)


def test_wrong_bytes_are_no_utf8() -> None:
    for name in ("latin-1", "undeclared"):
        for page in having(name):
            with pytest.raises(UnicodeDecodeError):
                page.html.decode("utf-8")


def test_decomposed_and_invisible_are_in_the_bytes() -> None:
    for page in having("decomposed"):
        assert not unicodedata.is_normalized("NFC", page.html.decode(page.truth.charset))
    for page in having("invisible"):
        soup = BeautifulSoup(page.html.decode(page.truth.charset), "html.parser")
        assert set("\xad\u200b\xa0") & set(soup.get_text())


def test_broken_markup_is_broken() -> None:
    def errors(page: Page) -> int:
        tags = re.findall(r"<(/?)(p|div|span|b|i|em|u)\b", page.html.decode(page.truth.charset))
        count = Counter((name, bool(close)) for close, name in tags)
        return sum(abs(count[name, True] - count[name, False]) for name, _ in count)

    broken = [page for page in having("broken-html") if "truncated" not in page.truth.defects]
    fine = [page for page in PAGES if not page.truth.defects & {"broken-html", "truncated"}]
    assert sum(errors(page) > 0 for page in broken) > 0.8 * len(broken)
    assert not any(errors(page) for page in fine if "binary" not in page.truth.defects)


def test_a_truncated_page_has_no_end() -> None:
    for page in having("truncated"):
        assert b"</html>" not in page.html.lower()
        assert "broken-html" not in page.truth.defects
    whole = [page for page in PAGES if not page.truth.defects & {"truncated", "empty", "binary"}]
    assert all(page.html.rstrip().lower().endswith(b"</html>") for page in whole)


# Words


def test_personal_data_stand_in_the_article() -> None:
    for page in PAGES:
        truth = page.truth
        assert bool(truth.pii) == ("pii" in truth.defects)
        for kind, value in truth.pii:
            assert kind in ("email", "phone", "ipv4", "ipv6") and value in truth.main
        assert all(value in truth.main for value in truth.lookalikes)


def test_personal_data_are_nobodys() -> None:
    stream = Stream("test")
    documentation = [
        ipaddress.ip_network(net)
        for net in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")
    ]
    for _ in range(300):
        for kind in ("ipv4", "ipv6"):
            sentence, value = plant(kind, stream)
            assert value in sentence
            address = ipaddress.ip_address(value)
            assert f"ipv{address.version}" == kind
            assert any(address in net for net in documentation if net.version == address.version)
        host = parseaddr(plant("email", stream)[1])[1].partition("@")[2]
        assert re.search(r"(^|\.)example(\.com|\.net|\.org|$)", host)
        phone = plant("phone", stream)[1]
        assert re.fullmatch(r".*555-01\d\d|(\+44 20|020) 7946 0\d{3}|\+49 30 23125 \d{3}", phone)


def test_lookalikes_are_not_what_they_look_like() -> None:
    stream = Stream("test")
    for _ in range(500):
        value = plant("lookalike", stream)[1]
        assert not re.search(r"\w@\w", value)
        for quad in re.findall(r"(?<![\d.])\d+(?:\.\d+){3}(?![\d.])", value):
            assert value.startswith(("version", "section"))
            if value.startswith("section"):
                with pytest.raises(ValueError):
                    ipaddress.ip_address(quad)


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_other_languages(language: str) -> None:
    stream = Stream(language)
    lines = [line for _ in range(50) for line in foreign_text(language, stream)]
    assert len(set(lines)) > 0.9 * len(lines)
    text = "".join(lines)
    assert "{" not in text and "|" not in text and "  " not in text
    names = [unicodedata.name(letter).split()[0] for letter in text if letter.isalpha()]
    script = Counter(names).most_common(1)[0][0]
    assert script == {"ru": "CYRILLIC", "ja": "HIRAGANA"}.get(language, "LATIN")
    for paragraph in lines:
        assert paragraph[-1] in ".!?。", paragraph


def test_all_phrases_can_be_said() -> None:
    for lists in (*LANGUAGES.values(), JUNK, PII):
        for options in lists.values():
            for slot in re.findall(r"\{(\w+)\}", "".join(options)):
                assert slot in lists, slot
    assert set(web.CHROME) == {"en", *LANGUAGES}
    assert len({tuple(sorted(lists)) for lists in web.CHROME.values()}) == 1


def test_wrong_language_pages_are_on_sites_of_their_own() -> None:
    for page in PAGES:
        assert (page.truth.language != "en") == ("wrong-language" in page.truth.defects)
    assert {page.truth.language for page in having("wrong-language")} == set(LANGUAGES)


def test_every_blank_of_a_layout_is_filled() -> None:
    for page in PAGES:
        if "binary" not in page.truth.defects:
            text = page.html.decode(page.truth.charset)
            assert not re.search(r"\[[a-z]+\]", text), page.url


def test_word_salad_keeps_the_counts() -> None:
    line = "one two three two one zero"
    new = word_salad(line, Stream("salad"))
    assert Counter(new.split()) == Counter(line.split()) and new != line


def test_phrases_wrap() -> None:
    assert phrases("a: 1 | 2 |\n   3\nb: {a}: x") == {"a": ("1", "2", "3"), "b": ("{a}: x",)}
    assert say("b", phrases("a: 1\nb: {a}{a}"), Stream("say")) == "11"


# Letters


@given(st.text(st.characters(codec="utf-8", exclude_characters="\x1a")), st.integers(1, 3))
@settings(deadline=None)
def test_mojibake_is_ftfys_sloppy_windows_1252(text: str, layers: int) -> None:
    wrong = mojibake(text, layers)
    for _ in range(layers):
        wrong = wrong.encode("sloppy-windows-1252").decode("utf-8")
    assert wrong == text


def test_ftfy_mends_most_of_it() -> None:
    lines = [line for page in having("mojibake") for line in page.truth.main.split("\n")]
    lines = [line for line in lines if not line.isascii()]
    mended = sum(ftfy.fix_encoding(mojibake(line)) == line for line in lines)
    assert mended > 0.9 * len(lines)


@given(st.integers(0, 10**9))
@settings(max_examples=30, deadline=None)
def test_hidden_characters_hide(seed: int) -> None:
    text = next(generate(1, seed)).text
    assert plain(hide(text, Stream(str(seed)))) == plain(text)


def test_typeset() -> None:
    assert typeset('"It\'s Zoe," he said. "Hm."') == "“It’s Zoë,” he said. “Hm.”"


# Copies


def runs(text: str) -> set[tuple[str, ...]]:
    words = text.split()
    return set(zip(*(words[i:] for i in range(5)), strict=False))


def test_copies_say_what_their_originals_say() -> None:
    assert len(having("exact-copy")) > 50
    for page in having("exact-copy"):
        original = BY_URL[page.truth.copy_of or ""].truth
        assert (page.truth.text, page.truth.story) == (original.text, original.story)
        assert original.copy_of is None


def test_some_copies_are_the_same_bytes() -> None:
    same = [page.html == BY_URL[page.truth.copy_of or ""].html for page in having("exact-copy")]
    assert 0.2 < sum(same) / len(same) < 0.6


def test_edited_copies_of_every_likeness() -> None:
    found = []
    for truth in (page.truth for page in having("edited-copy")):
        original = BY_URL[truth.copy_of or ""].truth
        assert truth.main != original.text and truth.story == original.story
        assert 0 < truth.edited <= 0.2
        a, b = runs(truth.main), runs(original.text)
        found.append(len(a & b) / len(a | b))
    buckets = Counter(min(4, int(5 * likeness)) for likeness in found)
    assert all(buckets[i] >= 5 for i in range(1, 5))


def test_two_stories_that_are_no_copies_are_unlike() -> None:
    texts = [page.truth.text for page in PAGES if page.truth.text and not page.truth.copy_of]
    for a, b in pairwise([runs(text) for text in texts if len(text) > 300]):
        assert len(a & b) < 0.3 * len(a | b)


@given(st.integers(0, 10**6), st.floats(0.0001, 0.9))
@settings(max_examples=60, deadline=None)
def test_an_edit_is_never_the_original(seed: int, share: float) -> None:
    lines = ["Mia had a red kite.", "She gave it to Tom.", "Tom was glad."]
    new = edit_text(lines, share, Stream(str(seed)))
    assert new != lines and new and all(new)


# Leaks


def test_leaks_are_of_the_benchmark() -> None:
    tests = web.test_stories(4)
    whole = parts = 0
    for page in having("leaked"):
        assert page.truth.test is not None
        story = typeset(tests[page.truth.test].text).replace("\n", " ")
        main = typeset(page.truth.main)
        if "leaked-part" in page.truth.defects:
            quoted = [line for line in main.split("\n") if line in story]
            assert max(len(line.split()) for line in quoted) >= 13
            parts += 1
        else:
            assert main.replace("\n", " ") == story and page.truth.story is None
            whole += 1
    assert whole > 5 and parts > 3


def test_nothing_else_is_of_the_benchmark() -> None:
    """Stories share stock phrases of thirteen words, but hardly ten of them."""

    def grams(text: str) -> set[tuple[str, ...]]:
        words = re.findall(r"\w+", typeset(text))
        return set(zip(*(words[i:] for i in range(13)), strict=False))

    benchmark = set().union(*(grams(story.text) for story in web.test_stories(4)))
    leaked = [page.truth for page in having("leaked")]
    others = [p.truth for p in PAGES if p.truth.text]
    assert all(len(grams(truth.main) & benchmark) >= 10 for truth in leaked)
    alike = sum(len(grams(truth.main) & benchmark) >= 10 for truth in others)
    assert alike < 0.03 * len(others)


def test_the_benchmark() -> None:
    stories = web.test_stories(0, 30)
    assert [s.text for s in stories] == [s.text for s in web.test_stories(0)][:30]
    assert all(rule.ok for story in stories for rule in check_story(story.text))
    for story in stories:
        names = list(story.cast)[:2]
        assert len(names) < 2 or held_out(*names)


# Sites and archives


def test_sites_cover_every_way_to_declare() -> None:
    for seed in (0, 1, -7):
        sites = [make_site(i, code, seed) for i, code in enumerate(web.LANGUAGE_OF_SITES)]
        assert len({site.host for site in sites}) == len(sites)
        ways = {(site.charset, site.declares) for site in sites if site.language == "en"}
        assert ways >= {
            (charset, how)
            for charset in ("utf-8", "windows-1252")
            for how in ("header", "meta", "nothing", "wrong")
        }


def test_warc_reads_back(tmp_path: Path) -> None:
    pages = PAGES[:200]
    path = tmp_path / "pages.warc.gz"
    assert write_warc(iter(pages), path) == 200
    with path.open("rb") as file:
        records = [
            (
                record.rec_type,
                record.rec_headers["WARC-Target-URI"],
                record.http_headers and record.http_headers["Content-Type"],
                record.content_stream().read(),
                record.rec_headers["WARC-Payload-Digest"],
            )
            for record in ArchiveIterator(file, check_digests="raise")
        ]
    assert [record[0] for record in records] == ["warcinfo"] + ["response"] * 200
    for page, (_, url, content_type, payload, sha1) in zip(pages, records[1:], strict=True):
        assert (url, content_type, payload) == (page.url, page.content_type, page.html)
        assert sha1.startswith("sha1:")


def test_warc_records_have_a_gzip_member_each(tmp_path: Path) -> None:
    path = tmp_path / "pages.warc.gz"
    write_warc(PAGES[:20], path)
    raw = path.read_bytes()
    with path.open("rb") as file:
        records = ArchiveIterator(file)
        starts = [records.get_record_offset() for _ in records]
    assert len(starts) == 21
    for start in starts:
        assert raw[start : start + 2] == b"\x1f\x8b"
        assert gzip.decompress(raw[start:]).startswith(b"WARC/1.1\r\n")


def test_warc_is_the_same_every_time(tmp_path: Path) -> None:
    for name in "ab":
        write_warc(PAGES[:20], tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_an_empty_crawl_makes_a_file_with_no_page(tmp_path: Path) -> None:
    assert write_warc([], tmp_path / "none") == 0
    with (tmp_path / "none").open("rb") as file:
        assert [record.rec_type for record in ArchiveIterator(file)] == ["warcinfo"]


def test_short_means_fewer_than_fifty_words() -> None:
    for truth in (page.truth for page in PAGES):
        if truth.text:
            assert len(truth.text.split()) >= 50
        if "short" in truth.defects:
            assert len(truth.main.split()) < 50 or "mixed-language" in truth.defects
