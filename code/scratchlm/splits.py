"""Chapter 3: Predicting by counting, then by learning."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from typing import Any, TypeVar

import numpy as np

# § sec-counting-split
Document = TypeVar("Document")


def train_val_test(docs: Sequence[Document],
                   fractions: Sequence[float] = (0.8, 0.1, 0.1),
                   seed: int = 0,
                   key: Callable[[Document], Hashable] | None = None,
                   ) -> tuple[list[Document], list[Document],
                              list[Document]]:
    """Split documents at random, never within one.

    Args:
        docs: texts, or objects with a ``text``.
        fractions: of the documents, for training, validation and test.
        seed: of the draw; the same seed gives the same split.
        key: documents with equal keys go to the same side. Their whole
            text if not given, so that copies stay together.

    Returns:
        Three lists, each in the order of docs. A group of copies is
        never cut, so sizes can be off by what such a group holds.

    Raises:
        ValueError: no documents, one string, or fractions that do not fit.
    """
    if len(docs) == 0 or isinstance(docs, str):
        raise ValueError("there are no documents to split" if not docs
                         else "docs is a single string: want a list")
    if (len(fractions) != 3 or min(fractions) < 0
            or not math.isclose(sum(fractions), 1)):
        raise ValueError(f"fractions={tuple(fractions)}: want three that "
                         "are not negative and sum to 1")
    groups = _groups(docs, key or (lambda doc: getattr(doc, "text", doc)))
    return _deal(docs, groups, fractions, np.random.default_rng(seed))


def _groups(docs: Sequence[Document], key: Callable[[Document], Any]
            ) -> list[list[int]]:
    """Positions of the documents, those with equal keys together."""
    groups: dict[Hashable, list[int]] = {}
    for i, doc in enumerate(docs):
        groups.setdefault(key(doc), []).append(i)
    return list(groups.values())


def _deal(docs: Sequence[Document], groups: list[list[int]],
          fractions: Sequence[float], rng: np.random.Generator
          ) -> tuple[list[Document], list[Document], list[Document]]:
    """Groups in random order to one side after another, as each fills."""
    limits = np.round(np.cumsum(fractions) * len(docs))
    limits[-1] = len(docs)  # the sum may miss 1 by a rounding error
    sides: list[list[int]] = [[], [], []]
    placed = 0
    for g in rng.permutation(len(groups)):
        side = int(np.searchsorted(limits, placed, side="right"))
        sides[side] += groups[g]
        placed += len(groups[g])
    train, val, test = ([docs[i] for i in sorted(s)] for s in sides)
    return train, val, test
