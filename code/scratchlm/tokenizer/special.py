"""Chapter 4: Tokens: from raw bytes to a vocabulary."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

# § sec-bpe-encode
END_OF_TEXT = "<|endoftext|>"
UNKNOWN = "<UNK>"
PAD = "<|pad|>"


def check_special(special_tokens: Collection[str]) -> list[str]:
    """The special tokens as a list, once they are known to be usable.

    Raises:
        TypeError: a single string was given, or one is not a string.
        ValueError: one is empty, or there twice.
    """
    if isinstance(special_tokens, str):
        raise TypeError(
            f"special_tokens={special_tokens!r} is one string; give a "
            "collection of strings"
        )
    specials = list(special_tokens)
    for token in specials:
        if not isinstance(token, str):
            raise TypeError(f"special token {token!r} is not a string")
        if not token:
            raise ValueError("a special token must not be empty")
        if specials.count(token) > 1:
            raise ValueError(f"special token {token!r} is there twice")
    return specials


# § sec-special-tokens
def split_on_special(
    text: str, special_tokens: Collection[str]
) -> Iterator[tuple[str, bool]]:
    """Cut the special tokens out of a text.

    Where one special token begins with another, the longer one wins.

    Args:
        text: any string.
        special_tokens: distinct strings, none of them empty.

    Yields:
        (piece, is_special) in the order of the text; no piece is empty.
    """
    specials = sorted(check_special(special_tokens), key=len, reverse=True)
    start = 0
    if specials:
        for match in re.finditer("|".join(map(re.escape, specials)), text):
            if match.start() > start:
                yield text[start : match.start()], False
            yield match.group(), True
            start = match.end()
    if start < len(text):
        yield text[start:], False
