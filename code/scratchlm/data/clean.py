"""Chapter 5: Data: collect, clean, deduplicate, pack."""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Literal

# § sec-data-clean
_INVISIBLE = re.compile(  # controls, soft hyphens, marks of byte order
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\xad\u200b\u2060\ufeff]")


def normalize(text: str, form: Literal["NFC", "NFD", "NFKC", "NFKD"] = "NFC"
              ) -> str:
    """One spelling for texts that look the same.

    Unicode's normal form. Lines end in a line feed and in no space, every
    space is a plain one; controls and invisible marks go; lone surrogates
    become U+FFFD.

    Raises:
        ValueError: a form that Unicode does not have.
    """
    if form not in ("NFC", "NFD", "NFKC", "NFKD"):
        raise ValueError(f"form={form!r} is not NFC, NFD, NFKC or NFKD")
    text = re.sub(r"\r\n?|[\x85\u2028\u2029]", "\n", text)
    text = _INVISIBLE.sub("", re.sub("[\ud800-\udfff]", "\ufffd", text))
    text = unicodedata.normalize(form, re.sub(r"[^\S\n\t]", " ", text))
    return re.sub(r"[ \t]+$", "", text, flags=re.MULTILINE)


_BYTES = {chr(b): b for b in range(128, 256)} | {
    bytes([b]).decode("cp1252"): b for b in range(128, 256)
    if b not in (0x81, 0x8D, 0x8F, 0x90, 0x9D)}  # cp1252 lacks these


def _charset(first: int, last: int) -> str:
    return "[" + "".join(re.escape(c) for c, b in _BYTES.items()
                         if first <= b <= last) + "]"


_NEXT = _charset(0x80, 0xBF)
_MOJIBAKE = re.compile(
    f"(?:{_charset(0xC2, 0xDF)}{_NEXT}|{_charset(0xE0, 0xEF)}{_NEXT}{{2}}"
    f"|{_charset(0xF0, 0xF4)}{_NEXT}{{3}})+")


def fix_mojibake(text: str, max_layers: int = 2) -> str:
    """Undo UTF-8 that was read as Latin-1 or windows-1252.

    Only runs of characters that are whole UTF-8 sequences change; a lone
    sequence of two, only into Latin-1 or Latin Extended-A.

    Args:
        text: any text; its clean parts stay as they are.
        max_layers: how often it may have happened.
    """
    for _ in range(max_layers):
        before, text = text, _MOJIBAKE.sub(_decoded, text)
        if text == before:
            break
    return text


def _decoded(match: re.Match[str]) -> str:
    run = match.group()
    try:
        text = bytes(_BYTES[c] for c in run).decode("utf-8")
    except UnicodeDecodeError:  # over-long, or a surrogate
        return run
    return text if len(run) > 2 or text < "\u0180" else run


def strip_boilerplate(pages: Sequence[str], sites: Sequence[str],
                      min_pages: int = 5, max_share: float = 0.1
                      ) -> list[str]:
    """Texts without the lines that their sites repeat.

    Args:
        pages: texts, one line each for what stood in one block.
        sites: the site of every page.
        min_pages: a line on fewer pages of its site is never dropped.
        max_share: nor is one on at most this share of them. A line counts
            once per page.

    Raises:
        ValueError: another number of sites than of pages, min_pages
            below 2, or a share outside 0 to 1.
    """
    if len(pages) != len(sites):
        raise ValueError(f"{len(pages)} pages, but {len(sites)} sites")
    if min_pages < 2 or not 0 <= max_share <= 1:
        raise ValueError(f"min_pages={min_pages}, max_share={max_share}: "
                         "want 2 or more and a share")
    size = Counter(sites)
    seen: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for page, site in zip(pages, sites, strict=True):
        seen[site].update({line.strip() for line in page.splitlines()})
    return ["\n".join(
        line for line in page.splitlines()
        if not line.strip() or (n := seen[site][line.strip()]) < min_pages
        or n <= max_share * size[site])
        for page, site in zip(pages, sites, strict=True)]


# § sec-data-pii
_PII = re.compile(r"""
    (?P<email> (?<![\w.+-]) [\w.+-]{1,64} @ (?:[\w-]{1,63}\.)+
               [^\W\d_]{2,24} (?![\w-]) )
  | (?P<ipv4>  (?<![\w.]) \d{1,3} (?:\.\d{1,3}){3} (?! \w | \.\d ) )
  | (?P<ipv6>  (?<![\w:.]) (?=[:\d]*[\da-f]) [\da-f]{0,4}
               (?: :[\da-f]{0,4} ){2,7} (?![\w:]) )
  | (?P<phone> (?<![\w.+-]) (?: \+?\d{1,3}[ .-]? )? (?: \(\d{2,4}\)[ ]? )?
               \d{2,5} (?: [ .-]\d{2,5} ){1,4} (?! \w | [.-]\d ) )
    """, re.VERBOSE | re.IGNORECASE)
_VERSION = re.compile(r"\b(?:v|version|release|build|firmware)[\s:]*\Z",
                      re.IGNORECASE)
_DATE = re.compile(r"\d{4}([ .-])\d\d?\1\d\d?|\d\d?([ .-])\d\d?\2\d{4}")


def find_pii(text: str) -> Iterator[tuple[str, int, int]]:
    """E-mail and IP addresses and telephone numbers.

    What looks like an IP address is one if ``ipaddress`` takes it and no
    word such as "version" stands before it. A telephone number has 7 to
    15 digits (ITU-T E.164) and not the shape of a date.

    Yields:
        Kind ("email", "ipv4", "ipv6" or "phone"), start and end.
    """
    for match in _PII.finditer(text):
        kind, (start, end) = str(match.lastgroup), match.span()
        if kind == "phone":
            real = (7 <= sum(map(str.isdigit, match[0])) <= 15
                    and not _DATE.fullmatch(match[0]))
        else:
            real = kind == "email" or (_is_ip(match[0]) and not
                _VERSION.search(text[max(0, start - 16):start]))
        if real:
            yield kind, start, end


def _is_ip(text: str) -> bool:
    """Whether it is an IPv4 or IPv6 address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:  # a part above 255, a leading zero, a time of day
        return False
    return True


def mask_pii(text: str) -> tuple[str, Counter[str]]:
    """The text with <EMAIL>, <PHONE>, <IPV4> and <IPV6>; how many of each.
    """
    counts: Counter[str] = Counter()
    pieces, done = [], 0
    for kind, start, end in find_pii(text):
        counts[kind] += 1
        pieces += [text[done:start], f"<{kind.upper()}>"]
        done = end
    return "".join(pieces) + text[done:], counts
