"""Packing and masks against brute force: token by token, and all packings of small cases."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor

from scratchlm.data.pack import (
    Piece,
    best_fit_pack,
    concat_and_chunk,
    document_mask,
    lay_out,
    position_ids,
)
from scratchlm.numerics import cross_entropy

EOS = 0
documents = st.lists(st.lists(st.integers(1, 50), max_size=25), max_size=12)
lengths_of = st.lists(st.integers(0, 40), max_size=40)


# Concat-and-chunk

@given(documents, st.integers(1, 12))
@example([], 3)
@example([[]], 1)
@example([[], [], []], 2)
@example([[1, 2, 3]], 3)
@example([[1, 2, 3]], 4)
def test_chunks_are_the_stream_cut_by_hand(docs: list[list[int]], T: int) -> None:
    stream = []
    for doc in docs:
        for token in doc:
            stream.append(token)
        stream.append(EOS)
    want = []
    at = 0
    while at + T + 1 <= len(stream):
        want.append(stream[at:at + T + 1])
        at += T
    got = concat_and_chunk(docs, T, EOS)
    assert got.shape == (len(want), T + 1) and got.dtype == np.int64
    assert got.tolist() == want


@given(documents, st.integers(1, 12))
def test_every_token_but_the_rest_is_an_input_once_and_a_target_once(
        docs: list[list[int]], T: int) -> None:
    stream = [token for doc in docs for token in (*doc, EOS)]
    rows = concat_and_chunk(docs, T, EOS)
    used = len(rows) * T
    assert rows[:, :-1].reshape(-1).tolist() == stream[:used]
    assert rows[:, 1:].reshape(-1).tolist() == stream[1:used + 1] * (used > 0)
    assert used == 0 or len(stream) - used - 1 < T  # what is left fills no window


def test_documents_may_be_arrays_tensors_or_a_generator() -> None:
    want = concat_and_chunk([[1, 2], [3]], 2, 9)
    for docs in ((np.array(d) for d in ([1, 2], [3])), iter([[1, 2], (3,)]),
                 [torch.tensor([1, 2]), torch.tensor([3])]):
        np.testing.assert_array_equal(concat_and_chunk(docs, 2, 9), want)  # type: ignore[arg-type]


def test_a_document_longer_than_the_window_goes_on_in_the_next() -> None:
    rows = concat_and_chunk([range(1, 11)], 4, EOS)
    assert rows.tolist() == [[1, 2, 3, 4, 5], [5, 6, 7, 8, 9]]


def test_chunks_refuse_what_cannot_be_meant() -> None:
    with pytest.raises(ValueError, match="document 1 contains eos=7"):
        concat_and_chunk([[1, 2], [3, 7, 4]], 2, 7)
    for T in (0, -3):
        with pytest.raises(ValueError, match=f"T={T}: a window"):
            concat_and_chunk([[1, 2]], T, 0)
        with pytest.raises(ValueError, match=f"T={T}: a row"):
            best_fit_pack([[1, 2]], T)


# Best-fit packing

def packed_lengths(rows: Sequence[Sequence[Piece]]) -> list[int]:
    return [sum(p.stop - p.start for p in row) for row in rows]


@given(lengths_of, st.integers(1, 20))
@example([0, 0], 4)
@example([41], 4)
@example([8, 8], 4)
def test_only_what_is_longer_is_cut_and_nothing_is_lost(lengths: list[int], T: int) -> None:
    rows = best_fit_pack([range(n) for n in lengths], T)
    assert all(0 < n <= T for n in packed_lengths(rows))
    pieces = sorted(piece for row in rows for piece in row)
    tokens = [(p.doc, at) for p in pieces for at in range(p.start, p.stop)]
    assert tokens == [(i, at) for i, n in enumerate(lengths) for at in range(n)]
    for doc, n in enumerate(lengths):
        assert sum(p.doc == doc for p in pieces) == math.ceil(n / T)


def slow_best_fit(sizes: Sequence[int], T: int) -> list[list[int]]:
    """Best-fit decreasing as it is defined: look at every row."""
    rows: list[list[int]] = []
    for size in sorted(sizes, reverse=True):
        fitting = [row for row in rows if sum(row) + size <= T]
        if fitting:
            max(fitting, key=sum).append(size)
        else:
            rows.append([size])
    return rows


@given(st.lists(st.integers(1, 30), max_size=60), st.integers(30, 60))
def test_rows_are_filled_as_the_definition_says(sizes: list[int], T: int) -> None:
    rows = best_fit_pack([range(n) for n in sizes], T)
    got = [tuple(p.stop - p.start for p in row) for row in rows]
    assert len(got) == len(slow_best_fit(sizes, T))
    assert sorted(map(sum, got)) == sorted(map(sum, slow_best_fit(sizes, T)))


def fewest_rows(sizes: Sequence[int], T: int) -> int:
    """The true optimum: try to put each piece into every row."""
    best = len(sizes)

    def place(i: int, rows: list[int]) -> None:
        nonlocal best
        if len(rows) >= best:
            return
        if i == len(order):
            best = len(rows)
            return
        for r in range(len(rows)):
            if rows[r] + order[i] <= T and rows.index(rows[r]) == r:
                rows[r] += order[i]
                place(i + 1, rows)
                rows[r] -= order[i]
        place(i + 1, [*rows, order[i]])

    order = sorted(sizes, reverse=True)
    place(0, [])
    return best


@settings(deadline=None)
@given(st.lists(st.integers(1, 12), min_size=1, max_size=9), st.integers(12, 20))
def test_close_to_the_best_of_all_packings(sizes: list[int], T: int) -> None:
    got = len(best_fit_pack([range(n) for n in sizes], T))
    best = fewest_rows(sizes, T)
    assert math.ceil(sum(sizes) / T) <= best <= got <= 11 / 9 * best + 4
    assert got <= best + 1  # with so few pieces


def test_against_the_lower_bound_on_many_short_documents() -> None:
    rng = random.Random(0)
    sizes = [min(5000, int(rng.lognormvariate(5, 1.2)) + 1) for _ in range(20_000)]
    for T in (512, 2048):
        rows = best_fit_pack([range(n) for n in sizes], T)
        least = math.ceil(sum(sizes) / T)
        assert least <= len(rows) <= 1.01 * least


# Laid out

@given(documents, st.integers(1, 12), st.integers(0, 3))
def test_targets_are_the_next_token_of_the_same_document(
        docs: list[list[int]], T: int, pad: int) -> None:
    closed = [[*doc, EOS] for doc in docs]
    rows = best_fit_pack(closed, T)
    ids, targets = lay_out(rows, closed, T, pad)
    assert ids.shape == targets.shape == (len(rows), T)
    for row, x, y in zip(rows, ids.tolist(), targets.tolist(), strict=True):
        want = [(closed[doc][at], closed[doc][at + 1] if at + 1 < len(closed[doc]) else -100)
                for doc, start, stop in row for at in range(start, stop)]
        want += [(pad, -100)] * (T - len(want))
        assert list(zip(x, y, strict=True)) == want


def test_a_packed_loss_is_the_sum_over_the_documents() -> None:
    """A model of bigrams sees the same pairs packed and unpacked, no more and no fewer."""
    rng = random.Random(1)
    closed = [[*(rng.randrange(1, 20) for _ in range(rng.randrange(40))), EOS] for _ in range(30)]
    table = torch.randn(20, 20, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    ids, targets = lay_out(best_fit_pack(closed, 16), closed, 16, EOS)
    packed = torch.nn.functional.cross_entropy(
        table[torch.from_numpy(ids)].flatten(0, 1), torch.from_numpy(targets).flatten(),
        reduction="sum")
    pairs = [pair for doc in closed for pair in pairwise(doc)]
    log_probs = table.log_softmax(-1)
    assert math.isclose(packed, -sum(log_probs[a, b].item() for a, b in pairs), rel_tol=1e-12)
    ours = cross_entropy(table[torch.from_numpy(ids)], torch.from_numpy(targets))
    assert math.isclose(ours, packed / len(pairs), rel_tol=1e-12)


def test_nothing_to_pack() -> None:
    assert best_fit_pack([], 4) == [] == best_fit_pack([[], []], 4)
    ids, targets = lay_out([], [], 4, 0)
    assert ids.shape == targets.shape == (0, 4)


# Masks and positions

def slow_mask(ids: Sequence[int], eos: int) -> list[list[bool]]:
    """By the definition: no end stands between s and t, t itself aside, and s <= t."""
    return [[s <= t and eos not in ids[s:t] for s in range(len(ids))] for t in range(len(ids))]


def slow_positions(ids: Sequence[int], eos: int) -> list[int]:
    at, places = 0, []
    for token in ids:
        places.append(at)
        at = 0 if token == eos else at + 1
    return places


rows_of_ids = st.lists(st.integers(0, 3), max_size=24)


@given(rows_of_ids, st.integers(0, 3))
@example([0, 0, 0], 0)
@example([], 0)
def test_mask_and_positions_by_brute_force(ids: list[int], eos: int) -> None:
    row = torch.tensor(ids, dtype=torch.int64)
    mask, places = document_mask(row, eos), position_ids(row, eos)
    assert mask.dtype == torch.bool and mask.shape == (len(ids), len(ids))
    assert mask.tolist() == slow_mask(ids, eos)
    assert places.tolist() == slow_positions(ids, eos) and places.dtype == torch.int64
    assert mask.diagonal().all()  # no row of the mask is empty


@given(st.integers(1, 4), st.integers(1, 9), st.integers(0, 10**6))
def test_rows_of_a_batch_do_not_mix(B: int, T: int, seed: int) -> None:
    ids = torch.randint(0, 3, (2, B, T), generator=torch.Generator().manual_seed(seed))
    mask, places = document_mask(ids, 0), position_ids(ids, 0)
    assert mask.shape == (2, B, T, T) and places.shape == (2, B, T)
    for i in range(2):
        for b in range(B):
            assert mask[i, b].tolist() == slow_mask(ids[i, b].tolist(), 0)
            assert places[i, b].tolist() == slow_positions(ids[i, b].tolist(), 0)


def test_an_end_belongs_to_the_document_it_ends() -> None:
    mask = document_mask([5, 6, 0, 7], 0)
    assert mask[2].tolist() == [True, True, True, False]
    assert mask[3].tolist() == [False, False, False, True]
    assert position_ids([5, 6, 0, 7, 8], 0).tolist() == [0, 1, 2, 0, 1]


@pytest.mark.parametrize("dtype", [torch.int16, torch.int32, torch.int64, torch.uint8])
def test_lists_arrays_and_all_integers(dtype: torch.dtype) -> None:
    ids = [3, 1, 0, 2, 0, 0, 1]
    want = torch.tensor(slow_mask(ids, 0))
    for row in (torch.tensor(ids, dtype=dtype), ids, np.array(ids), np.array(ids, dtype=np.uint16)):
        assert torch.equal(document_mask(row, 0), want)
        assert position_ids(row, 0).tolist() == slow_positions(ids, 0)


@pytest.mark.parametrize("ids", [torch.tensor(3), torch.rand(4), torch.tensor([True, False])])
def test_ids_of_the_wrong_kind(ids: Tensor) -> None:
    for f in (document_mask, position_ids):
        with pytest.raises(ValueError, match=r"ids of shape .* want \(\.\.\., T\) of integers"):
            f(ids, 0)


@given(documents, st.integers(1, 12))
def test_the_mask_of_packed_rows_lets_pieces_see_themselves_only(
        docs: list[list[int]], T: int) -> None:
    """The ends alone tell the pieces apart, since a piece without one fills its row."""
    closed = [[*doc, EOS] for doc in docs]
    rows = best_fit_pack(closed, T)
    ids, _ = lay_out(rows, closed, T, EOS)
    mask, places = document_mask(ids, EOS), position_ids(ids, EOS)
    for r, row in enumerate(rows):
        owner = [i for i, p in enumerate(row) for _ in range(p.stop - p.start)]
        owner += range(len(row), len(row) + T - len(owner))  # padding: each on its own
        want = [[s <= t and owner[s] == owner[t] for s in range(T)] for t in range(T)]
        assert mask[r].tolist() == want
        assert places[r].tolist() == [owner[:t].count(owner[t]) for t in range(T)]


def test_what_the_mask_permits_is_what_attention_uses() -> None:
    """Neither ends nor positions, but the mask keeps strangers apart (PyTorch's attention)."""
    ids = torch.tensor([5, 6, 0, 7, 8, 9, 0, 4])
    torch.manual_seed(0)
    x = torch.randn(1, 1, 8, 16, dtype=torch.float64)
    changed = x.clone()
    changed[..., :3, :] += 1.0  # another first document
    attend = torch.nn.functional.scaled_dot_product_attention
    own = document_mask(ids, 0)
    causal = torch.ones(8, 8, dtype=torch.bool).tril()
    a, b = (attend(v, v, v, attn_mask=own) for v in (x, changed))
    assert torch.equal(a[..., 3:, :], b[..., 3:, :])
    a, b = (attend(v, v, v, attn_mask=causal) for v in (x, changed))
    assert (a[..., 3:, :] != b[..., 3:, :]).any(-1).all()
