"""Chapter 5: Data: collect, clean, deduplicate, pack."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from scratchlm.data.dedup import shingle_hashes


# § sec-data-decontaminate
@dataclass(frozen=True)
class Overlap:
    """A training document and a test text that share runs of words."""

    doc: int     # position in train
    test: int    # position in test
    shared: int  # different runs of n words in both
    total: int   # different runs of n words in the test text


def ngram_overlap(train: Iterable[str], test: Iterable[str], n: int = 13
                  ) -> Iterator[Overlap]:
    """All pairs that share a run of n words; case and marks are ignored.

    A text of fewer than n words is one run. Training documents stream.

    Raises:
        ValueError: one string instead of a list, or n below 1.
    """
    if isinstance(train, str) or isinstance(test, str):
        raise ValueError("train or test is a single string: want a list")
    runs = [shingle_hashes(text, n) for text in test]
    owners = defaultdict[int, list[int]](list)
    for i, hashes in enumerate(runs):
        for key in hashes.tolist():
            owners[key].append(i)
    known = np.array(sorted(owners), dtype=np.uint64)
    for doc, text in enumerate(train):
        mine = shingle_hashes(text, n)
        hits = mine[np.isin(mine, known, assume_unique=True)]
        counts = Counter(i for key in hits.tolist() for i in owners[key])
        for i, shared in sorted(counts.items()):
            yield Overlap(doc, i, shared, len(runs[i]))
