"""Chapter 5, cleaning: beside unicodedata, ftfy, ipaddress and counts by hand."""

from __future__ import annotations

import ipaddress
import unicodedata
from collections import Counter

import ftfy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scratchlm.data.clean import (
    find_pii,
    fix_mojibake,
    mask_pii,
    normalize,
    strip_boilerplate,
)

FEW = settings(max_examples=150, deadline=None)
FORMS = ("NFC", "NFD", "NFKC", "NFKD")


@FEW
@given(st.text(st.characters(categories=["L", "M", "N"]), max_size=40))
def test_letters_are_as_unicodedata_has_them(text: str) -> None:
    for form in FORMS:
        assert normalize(text, form) == unicodedata.normalize(form, text)


@FEW
@given(st.text(max_size=60), st.sampled_from(FORMS))
def test_normalize_twice_changes_nothing(text: str, form: str) -> None:
    once = normalize(text, form)  # type: ignore[arg-type]
    assert normalize(once, form) == once  # type: ignore[arg-type]
    once.encode("utf-8")  # no lone surrogates


def test_normalize_by_hand() -> None:
    assert normalize("cafe\u0301\r\nso\u00adft\rnb\u00a0sp  \nz\u200bw\ud800") == (
        "café\nsoft\nnb sp\nzw\ufffd"
    )
    assert normalize("") == ""
    assert normalize("a\tb\x00\x85c") == "a\tb\nc"
    family = "\U0001f468\u200d\U0001f469"  # its joiner has a meaning
    assert normalize(family) == family
    with pytest.raises(ValueError, match="form='nfc' is not NFC"):
        normalize("x", "nfc")  # type: ignore[arg-type]


def spoil(text: str, layers: int) -> str:
    """The mistake itself, as programs make it."""
    for _ in range(layers):
        text = text.encode("utf-8").decode("sloppy-windows-1252")  # ftfy's codec
    return text


@FEW
@given(
    st.text("“”‘’—–…éèêëàçöüßñÅØœ€™ abcXYZ.,", max_size=40),
    st.integers(1, 2),
)
def test_mojibake_is_undone(text: str, layers: int) -> None:
    assert fix_mojibake(spoil(text, layers), layers) == text


@FEW
@given(st.text("абвгдежзиклмнопрст 日本語の文章 abc", max_size=40))
def test_runs_of_other_alphabets(text: str) -> None:
    spoiled = spoil(text, 1)
    lone = set("абвгдежзиклмнопрст")
    if not any(
        a in lone and b not in lone and before not in lone
        for before, a, b in zip(" " + text, text, text[1:] + " ", strict=False)
    ):
        assert fix_mojibake(spoiled, 1) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "plain ASCII",
        "“Crêpes” — naïve café, 5 € … ™",
        "Größe Straße ÄÖÜ",
        "«CAFÉ»",
        "LE CAFÉ» DE LA GARE",
        "Привет, мир",
        "Â, Ã, à la carte, ÂÂ",
        "price: 3£ or 5°",
    ],
)
def test_honest_text_stays(text: str) -> None:
    assert fix_mojibake(text) == text


@pytest.mark.parametrize(
    "text",
    ["It’s", "“Zoë”", "naïve façade", "5 € for crêpes…", "Mäya — Íris"],
)
def test_as_ftfy_does(text: str) -> None:
    for layers in (1, 2):
        spoiled = f"{spoil(text, layers)} and honest “é”"
        assert fix_mojibake(spoiled) == ftfy.fix_encoding(spoiled) == (f"{text} and honest “é”")


@FEW
@given(st.text(max_size=60))
def test_any_text_survives(text: str) -> None:
    assert isinstance(fix_mojibake(text), str)
    if text.isascii():
        assert fix_mojibake(text) == text


def test_boilerplate_by_hand() -> None:
    pages = [f"Menu\nstory {i}\nFooter\nsaid  " for i in range(6)] + ["Menu\nother"]
    sites = ["a"] * 6 + ["b"]
    cut = strip_boilerplate(pages, sites, min_pages=5, max_share=0.5)
    assert cut == [f"story {i}" for i in range(6)] + ["Menu\nother"]
    assert strip_boilerplate(pages, sites, min_pages=7) == pages
    assert strip_boilerplate(pages, sites, max_share=1) == pages
    twice = ["x\nx\nx\nx\nx", "y", "z", "u", "v"]  # five times, on one page
    assert strip_boilerplate(twice, ["a"] * 5, min_pages=2, max_share=0) == twice
    assert strip_boilerplate([], []) == []
    blank = ["a\n\nb"] * 4
    assert strip_boilerplate(blank, ["s"] * 4, min_pages=2) == [""] * 4


@FEW
@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.lists(st.sampled_from("uvwxyz"))), max_size=12),
    st.integers(2, 4),
    st.sampled_from([0.0, 0.25, 0.5, 1.0]),
)
def test_boilerplate_is_the_slow_definition(
    made: list[tuple[str, list[str]]], least: int, share: float
) -> None:
    pages, sites = ["\n".join(lines) for _, lines in made], [site for site, _ in made]
    expected = []
    for site, lines in made:
        peers = [other for name, other in made if name == site]
        kept = []
        for line in lines:
            n = sum(line in other for other in peers)
            if not (n >= least and n / len(peers) > share):
                kept.append(line)
        expected.append("\n".join(kept))
    assert strip_boilerplate(pages, sites, least, share) == expected


def test_boilerplate_refuses() -> None:
    with pytest.raises(ValueError, match="2 pages, but 1 sites"):
        strip_boilerplate(["a", "b"], ["s"])
    with pytest.raises(ValueError, match="min_pages=1"):
        strip_boilerplate(["a"], ["s"], min_pages=1)
    with pytest.raises(ValueError, match="max_share=2"):
        strip_boilerplate(["a"], ["s"], max_share=2)


def kinds(text: str) -> list[tuple[str, str]]:
    return [(kind, text[a:b]) for kind, a, b in find_pii(text)]


@FEW
@given(st.ip_addresses(v=4).map(str), st.ip_addresses(v=6).map(str))
def test_addresses_of_the_ipaddress_module(four: str, six: str) -> None:
    found = kinds(f"From {four} to {six}, he said.")
    assert ("ipv4", four) in found
    if any(c not in ":" for c in six):
        assert ("ipv6", six) in found


@FEW
@given(st.lists(st.integers(0, 999), min_size=2, max_size=6))
def test_only_addresses_are_addresses(parts: list[int]) -> None:
    text = ".".join(map(str, parts))
    try:
        ipaddress.ip_address(text)
        real = True
    except ValueError:
        real = False
    assert (("ipv4", text) in kinds(f"see {text} there")) is real


@pytest.mark.parametrize(
    "text",
    [
        "version 4.1.2.3",
        "Version: 10.0.0.1",
        "firmware 1.2.3.4",
        "v1.2.3.4",
        "release v 1.2.3.4",
        "1.2.3.4.5",
        "256.1.1.1",
        "1.02.3.4",
        "12:30:59",
        "std::vector",
        "a::b::c",
        "2024-06-01",
        "01.06.2024",
        "ISBN 978-0-306-12315-4",
        "$1,234.56",
        "@mia",
        "3 + 4 = 7",
        "1999",
        "a@b",
        "",
    ],
)
def test_lookalikes_stay(text: str) -> None:
    assert mask_pii(text) == (text, Counter())


@pytest.mark.parametrize(
    ("text", "masked", "counts"),
    [
        ("a@b.example,c@d.example", "<EMAIL>,<EMAIL>", {"email": 2}),
        ("a@b.example c@d.example", "<EMAIL> <EMAIL>", {"email": 2}),
        ("192.0.2.1 192.0.2.2", "<IPV4> <IPV4>", {"ipv4": 2}),
        ("(mia.fox+tales@mail.example.org).", "(<EMAIL>).", {"email": 1}),
        ("Call +1 (555) 201-0133.", "Call <PHONE>.", {"phone": 1}),
        ("1-800-555-0133, 555-0142", "<PHONE>, <PHONE>", {"phone": 2}),
        ("+44 20 7946 0123", "<PHONE>", {"phone": 1}),
        ("2001:db8::8a2e:1.", "<IPV6>.", {"ipv6": 1}),
        ("Version 4 is at 192.0.2.7", "Version 4 is at <IPV4>", {"ipv4": 1}),
    ],
)
def test_masks(text: str, masked: str, counts: dict[str, int]) -> None:
    assert mask_pii(text) == (masked, Counter(counts))


@FEW
@given(st.text("a1@.:-+ ()v", max_size=60))
def test_masking_is_finding_and_it_is_done_once(text: str) -> None:
    masked, counts = mask_pii(text)
    assert counts == Counter(kind for kind, _, _ in find_pii(text))
    last = 0
    for _, start, end in find_pii(text):
        assert last <= start < end
        last = end
    assert sum(masked.count(f"<{kind.upper()}>") for kind in counts) == counts.total()


def test_long_input_is_read_in_linear_time() -> None:
    for text in (
        "a" * 100_000,
        "1." * 50_000,
        "1-" * 50_000,
        "a@" * 50_000,
        "a:" * 50_000,
        "a.b-" * 25_000 + "@",
    ):
        assert mask_pii(text)[0] == text
