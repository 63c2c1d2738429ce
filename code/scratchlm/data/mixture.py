"""Chapter 5: Data: collect, clean, deduplicate, pack."""

from __future__ import annotations

import random
from bisect import bisect
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

# § sec-data-mixture
Document = TypeVar("Document")


def temper(sizes: ArrayLike,
           temperature: float = 1.0) -> NDArray[np.float64]:
    """Shares in proportion to ``sizes ** (1 / temperature)``.

    Args:
        sizes: (n,), none negative, not all 0. What has none gets none.
        temperature: 1 keeps the proportions, ``math.inf`` makes all that is
            not empty equal.

    Returns:
        (n,), which add up to 1 (Arivazhagan et al. 2019, section 4.2).

    Raises:
        ValueError: sizes or temperature are not as above.
    """
    n = np.asarray(sizes, dtype=np.float64)
    if n.ndim != 1 or not n.any() or not (np.isfinite(n) & (n >= 0)).all():
        raise ValueError(f"sizes={n.tolist()}: want finite numbers, in a "
                         "row, 0 or more, and not all of them 0")
    if not temperature > 0:
        raise ValueError(f"temperature={temperature} must be positive")
    # Divided by the largest, no power can overflow.
    powers = np.where(n > 0, (n / n.max()) ** (1 / temperature), 0.0)
    return np.asarray(powers / powers.sum())


def in_turns(pile: Sequence[Document], seed: str) -> Iterator[Document]:
    """A pile's documents without end, each once before any comes again."""
    draw = random.Random(seed).random  # the one sequence Python promises
    while True:
        yield from (pile[i] for _, i in
                    sorted((draw(), i) for i in range(len(pile))))


def sample_mixture(
    sources: Mapping[str, Sequence[Document]],
    weights: Mapping[str, float] | None = None,
    temperature: float = 1.0,
    seed: int = 0,
) -> Iterator[tuple[str, Document]]:
    """Documents of several sources in given shares, without end.

    Args:
        sources: piles of documents by name.
        weights: what ``temper`` makes the shares of; without them, the
            number of documents. Shares are shares of *documents*.
        temperature: see ``temper``.
        seed: another one, another order.

    Raises:
        ValueError: names that differ, or a share for an empty source.
    """
    if weights is None:
        weights = {name: len(pile) for name, pile in sources.items()}
    if weights.keys() != sources.keys():
        raise ValueError(f"weights for {sorted(weights)} do not match the "
                         f"sources {sorted(sources)}")
    shares = temper(list(weights.values()), temperature)
    names = [name for name, p in zip(weights, shares, strict=True) if p > 0]
    if empty := [name for name in names if not sources[name]]:
        raise ValueError(f"sources {empty} are empty and have a share")
    edges = np.cumsum(shares[shares > 0])[:-1].tolist()
    turns = [in_turns(sources[name], f"{seed} {name}") for name in names]
    draw = random.Random(f"{seed}").random
    picks = iter(lambda: bisect(edges, draw()), -1)  # never -1: without end
    return ((names[i], next(turns[i])) for i in picks)
