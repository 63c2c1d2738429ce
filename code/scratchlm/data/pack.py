"""Chapter 5: Data: collect, clean, deduplicate, pack."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Iterable, Sequence, Sized
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor


# § sec-data-pack
def concat_and_chunk(docs_ids: Iterable[Sequence[int]], T: int,
                     eos: int) -> NDArray[np.int64]:
    """Documents in one row, ``eos`` after each, cut every T tokens.

    Args:
        docs_ids: the ids of each document, without eos. May be empty.
        T: context length, in tokens.
        eos: the id that ends a document.

    Returns:
        (n, T + 1). Inputs are ``rows[:, :-1]``, targets ``rows[:, 1:]``:
        the last token of a row is the first of the next. The rest,
        with fewer than T targets, is left out.

    Raises:
        ValueError: T below 1, or a document that contains eos.
    """
    if T < 1:
        raise ValueError(f"T={T}: a window has at least 1 token")
    row: list[int] = []
    for i, ids in enumerate(docs_ids):
        if eos in ids:
            raise ValueError(f"document {i} contains eos={eos}, which ends "
                             "documents and cannot stand in one")
        row += [*ids, eos]
    n = max(0, len(row) - 1) // T
    at = T * np.arange(n)[:, None] + np.arange(T + 1)
    return np.asarray(np.array(row, dtype=np.int64)[at])


class Piece(NamedTuple):
    """Tokens ``start`` to ``stop`` of document number ``doc``."""

    doc: int
    start: int
    stop: int


def lay_out(rows: Sequence[Sequence[Piece]], docs: Sequence[Sequence[int]],
            T: int, pad: int) -> tuple[NDArray[np.int64], ...]:
    """Inputs and targets of packed rows: two arrays of (n, T).

    A target is the next token of the same document, even where that stands
    in another row; it is -100 where there is none.

    Args:
        rows: what ``best_fit_pack`` made of ``docs`` and ``T``.
        docs: the documents' ids, each with its eos.
        T: tokens in a row.
        pad: the id that fills a row up; eos will do.
    """
    ids = np.full((len(rows), T), pad, dtype=np.int64)
    targets = np.full((len(rows), T), -100, dtype=np.int64)
    for i, row in enumerate(rows):
        at = 0
        for doc, start, stop in row:
            ids[i, at:at + stop - start] = docs[doc][start:stop]
            following = docs[doc][start + 1:stop + 1]
            targets[i, at:at + len(following)] = following
            at += stop - start
    return ids, targets


def best_fit_pack(docs: Iterable[Sized], T: int) -> list[list[Piece]]:
    """Rows of at most T tokens in which only what is longer is cut.

    Best-fit decreasing (Ding et al. 2024, section 3).

    Args:
        docs: the documents, each with its eos; an empty one has no piece.
        T: tokens in a row. Below 1, a ValueError is raised.
    """
    if T < 1:
        raise ValueError(f"T={T}: a row has at least 1 token")
    pieces = [Piece(i, at, min(at + T, len(doc)))
              for i, doc in enumerate(docs) for at in range(0, len(doc), T)]
    rows: list[list[Piece]] = []
    spaces: list[int] = []  # those that some row has left, ascending
    having: defaultdict[int, list[list[Piece]]] = defaultdict(list)
    for piece in sorted(pieces, key=lambda piece: piece.start - piece.stop):
        size = piece.stop - piece.start
        at = bisect_left(spaces, size)
        if at == len(spaces):
            rows.append([])
            spaces.append(T)
            having[T].append(rows[-1])
        space = spaces[at]
        row = having[space].pop()
        if not having[space]:
            del spaces[at]
        row.append(piece)
        if not having[space - size] and space > size:
            insort(spaces, space - size)
        having[space - size].append(row)
    return rows


# § sec-data-mask
def _documents(ids: Tensor | ArrayLike, eos: int) -> Tensor:
    """The number of each token's document in its row, from 0: (..., T)."""
    row = torch.as_tensor(ids)
    if row.ndim == 0 or row.is_floating_point() or row.dtype == torch.bool:
        raise ValueError(f"ids of shape {tuple(row.shape)}, {row.dtype}: "
                         "want (..., T) of integers")
    is_end = (row == eos).long()
    return is_end.cumsum(-1) - is_end  # an eos belongs to what it ends


def document_mask(ids: Tensor | ArrayLike, eos: int) -> Tensor:
    """True where a token may attend: before it, in its own document.

    Args:
        ids: (..., T), with eos at the end of each document.
        eos: the id that ends a document, and may pad the row.

    Returns:
        (..., T, T) of bool. Every token may attend to itself.
    """
    doc = _documents(ids, eos)
    causal = torch.ones(2 * doc.shape[-1:], dtype=torch.bool).tril()
    return (doc[..., :, None] == doc[..., None, :]) & causal.to(doc.device)


def position_ids(ids: Tensor | ArrayLike, eos: int) -> Tensor:
    """Positions that begin at 0 again in every document: (..., T)."""
    doc = _documents(ids, eos)
    place = torch.arange(doc.shape[-1], device=doc.device).expand(doc.shape)
    before = torch.nn.functional.pad(doc, (1, 0), value=-1)[..., :-1]
    first = torch.where(doc != before, place, 0)
    return place - first.cummax(-1).values if doc.shape[-1] else place
