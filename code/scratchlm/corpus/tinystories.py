"""A real corpus."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from scratchlm.corpus.download import Remote, fetch
from scratchlm.corpus.files import decode_at

# § sec-tinystories
_AT = ("https://huggingface.co/datasets/roneneldan/TinyStories/resolve/"
       "f54c09fd23315a6f9c86f9dc80f725de7d8f9c64/TinyStoriesV2-GPT4-")
TINYSTORIES = {
    "train": Remote(
        f"{_AT}train.txt", 2_227_753_162,
        "6418d412de72888f52b5142c761ac21a582f7d1166f0bfbdb5f03ccfdec90443"),
    "valid": Remote(
        f"{_AT}valid.txt", 22_502_601,
        "6874bae9a4c1a4e7edcf0e53b86c17817e9cf881fc75ff2368da457b80c0585d"),
}
SEPARATOR = "<|endoftext|>"  # stands between stories, on a line of its own


def download(split: str = "train", folder: Path | None = None) -> Path:
    """TinyStories, the version written by GPT-4 (Eldan and Li 2023).

    Args:
        split: "train" (2.2 GB) or "valid" (22 MB).
        folder: where the file belongs; the cache if None.

    Raises:
        ValueError: there is no such split.
        DownloadError: see ``fetch``.
    """
    if split not in TINYSTORIES:
        names = ", ".join(TINYSTORIES)
        raise ValueError(f"split={split!r} is none of {names}")
    return fetch(TINYSTORIES[split], folder)


def read_stories(path: Path, errors: str = "strict") -> Iterator[str]:
    """The stories of a file, in the memory of the longest one.

    White space around a story is no part of it, and a story without text
    is skipped. What follows the last separator counts as a story: a file
    that breaks off inside one gives its beginning.

    Args:
        path: UTF-8 text in which ``SEPARATOR`` stands between stories.
        errors: "strict", or "replace" for U+FFFD where no character is.

    Raises:
        ValueError: a byte is not UTF-8, or the file ends inside a
            character; with "replace" neither is an error.
    """
    mark, start, parts = SEPARATOR.encode(), 0, list[bytes]()
    with path.open("rb") as file:
        for line in chain(file, [mark]):  # the end of the file ends one
            *ends, rest = line.split(mark)
            for end in ends:
                raw = b"".join([*parts, end])
                if story := decode_at(raw, start, path, errors).strip():
                    yield story
                start, parts = start + len(raw) + len(mark), []
            parts.append(rest)
