"""Chapter 4: Tokens: from raw bytes to a vocabulary."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

import regex


# § sec-utf8
def utf8(text: str) -> bytes:
    """The bytes of a text.

    Raises:
        ValueError: it holds a lone surrogate, which has none.
    """
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        code = ord(text[error.start])
        raise ValueError(
            f"the text holds the lone surrogate U+{code:04X}, which is no "
            "character and has no bytes; did something cut a pair in two?"
        ) from None


# § sec-pretokenize
GPT2_PATTERN = (
    r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+"
    r"|\s+(?!\S)|\s+"
)


@lru_cache(maxsize=64)
def compile_pattern(pattern: str) -> regex.Pattern[str]:
    """The compiled pattern.

    Raises:
        ValueError: not a regular expression of the package ``regex``, or
            one with groups, of which ``findall`` would give the parts.
    """
    try:
        compiled = regex.compile(pattern)
    except (regex.error, TypeError) as error:
        raise ValueError(
            f"pattern {pattern!r} is no regular expression: {error}"
        ) from None
    if compiled.groups:
        raise ValueError(f"pattern {pattern!r} has groups; write (?:…)")
    return compiled


def pretokenize(text: str, pattern: str = GPT2_PATTERN) -> list[str]:
    """The pre-tokens of a text, in order: no token crosses their borders.

    ASCII is cut by Python's own `re`, which takes half the time.

    Args:
        text: any string.
        pattern: regular expression of the package ``regex``, without
            groups. What it does not match is left out, as in tiktoken.
    """
    if text.isascii() and (twin := ASCII_TWINS.get(pattern)):
        return twin.findall(text)
    found: list[str] = compile_pattern(pattern).findall(text)
    return found


GPT4_PATTERN = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+"
    r"| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s"
)


def bytes_to_unicode() -> dict[int, str]:
    """One printable character for every byte, as GPT-2 writes them.

    The printable characters of Latin-1 stand for themselves; the other 68
    bytes, in order, take the characters from U+0100 on (Radford et al.
    2019, in the code published with it).

    Returns:
        256 entries, byte to character.
    """
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    table = {byte: chr(byte) for byte in printable}
    for byte in range(256):
        if byte not in table:
            table[byte] = chr(256 + len(table) - len(printable))
    return table


BYTE_CHARS = "".join(bytes_to_unicode()[byte] for byte in range(256))

ASCII_TWINS = {
    GPT2_PATTERN: re.compile(
        r"'(?:[sdmt]|ll|ve|re)| ?[A-Za-z]+| ?[0-9]+| ?[^\sA-Za-z0-9]+"
        r"|\s+(?!\S)|\s+", re.ASCII),
    GPT4_PATTERN: re.compile(
        r"'(?i:[sdmt]|ll|ve|re)|[^\r\nA-Za-z0-9]?[A-Za-z]+|[0-9]{1,3}"
        r"| ?[^\sA-Za-z0-9]+[\r\n]*|\s+\Z|\s*[\r\n]|\s+(?!\S)|\s",
        re.ASCII),
}

LOOKAHEAD = 4                 # characters that can still change a token


def settled(text: str, pattern: str = GPT2_PATTERN) -> int:
    """How much of a text is pre-tokenized for good, whatever follows it.

    Args:
        text: the beginning of a text that starts with a pre-token.
        pattern: of the pre-tokens. Of GPT-2's and GPT-4's we know that a
            border depends on the white space after it and at most
            LOOKAHEAD characters; with any other, nothing is settled.

    Returns:
        A number of characters. They are cut the same alone and at the
        beginning of every longer text.
    """
    if pattern not in ASCII_TWINS:
        return 0
    at = limit = len(text.rstrip()) - LOOKAHEAD
    while (at := text.rfind(" ", 1, max(at, 0))) > 0:
        if not (text[at - 1].isspace() or text[at + 1].isspace()):
            return at
    end = 0
    for match in compile_pattern(pattern).finditer(text):
        if match.end() > limit:
            break
        if not text[match.end() - 1].isspace():
            end = match.end()
    return end


SLICE = 1 << 13               # characters worth a call of pretokenize


def slices(text: str, pattern: str = GPT2_PATTERN) -> Iterator[str]:
    """A text in slices whose pre-tokens together are those of the text."""
    start, size = 0, SLICE
    while pattern in ASCII_TWINS and len(text) - start > size:
        end = start + settled(text[start : start + size], pattern)
        if end > start:
            yield text[start:end]
            start, size = end, SLICE
        else:
            size *= 2
    yield text[start:]
