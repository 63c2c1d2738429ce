"""Token files against bytes written by hand; the loader against numpy.memmap and counting."""

from __future__ import annotations

import copy
import hashlib
import json
import os
import struct
import subprocess
import sys
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import binom, chisquare
from torch import Tensor

from scratchlm.data.loader import HEADER, StatefulLoader, TokenDataset, write_tokens
from scratchlm.data.pack import concat_and_chunk

reused = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None,
                  max_examples=60)


# The file

def by_hand(tokens: Sequence[int], vocab_size: int, width: int) -> bytes:
    """The format as it is described, without the code that writes it."""
    body = struct.pack(f"<{len(tokens)}{'H' if width == 2 else 'I'}", *tokens)
    fields = (b"\x89TOK\r\n\x1a\n" + (1).to_bytes(2, "little") + width.to_bytes(2, "little")
              + bytes(4) + len(tokens).to_bytes(8, "little") + vocab_size.to_bytes(8, "little"))
    return fields + hashlib.sha256(body + fields).digest() + body


@reused
@given(st.lists(st.lists(st.integers(0, 299), max_size=9), max_size=9),
       st.sampled_from([300, 1 << 16, (1 << 16) + 1, 1 << 32]))
def test_written_as_described_and_read_back(
        tmp_path: Path, docs: list[list[int]], vocab_size: int) -> None:
    path = tmp_path / "t.bin"
    flat = [i for doc in docs for i in doc]
    assert write_tokens(path, docs, vocab_size) == len(flat)
    width = 2 if vocab_size <= 1 << 16 else 4
    assert path.read_bytes() == by_hand(flat, vocab_size, width)
    data = TokenDataset(path)
    assert len(data) == len(flat) and data.vocab_size == vocab_size
    assert data.tokens.tolist() == flat and data.tokens.dtype == np.dtype(f"<u{width}")


def test_the_header_is_64_bytes_so_numpy_can_map_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "t.bin"
    write_tokens(path, [np.arange(1000)], 1000)
    assert HEADER == 64
    np.testing.assert_array_equal(np.memmap(path, "<u2", "r", 64), np.arange(1000))


@pytest.mark.parametrize("stream", [
    lambda: range(200_000),
    lambda: iter(range(200_000)),
    lambda: (np.int32(i) for i in range(200_000)),
    lambda: [range(150_000), [], np.arange(150_000, 200_000, dtype=np.uint32)],
    lambda: [torch.arange(200_000)],
], ids=["range", "iterator", "numpy ints", "rows", "tensor"])
def test_single_ids_or_rows_of_any_kind(
        tmp_path: Path, stream: Callable[[], Iterator[int]]) -> None:
    path = tmp_path / "t.bin"
    assert write_tokens(path, stream(), 200_000) == 200_000
    np.testing.assert_array_equal(TokenDataset(path).tokens, np.arange(200_000))


@pytest.mark.parametrize("highest, vocab_size", [(65_535, 1 << 16), (65_536, (1 << 16) + 1),
                                                 (2**32 - 1, 1 << 32)])
def test_the_largest_ids(tmp_path: Path, highest: int, vocab_size: int) -> None:
    path = tmp_path / "t.bin"
    write_tokens(path, [[0, highest]], vocab_size)
    assert TokenDataset(path).tokens.tolist() == [0, highest]


@pytest.mark.parametrize("stream, vocab_size, message", [
    ([[1, 2], [300]], 300, "ids from 300 to 300 are not in a vocabulary of vocab_size=300"),
    ([[1, -1]], 300, "ids from -1 to 1 are not"),
    ([[70_000]], 1 << 16, "ids from 70000 to 70000"),
    ([[1.0, 2.0]], 300, r"ids of shape \(2,\) and float64"),
    ([[True, False]], 300, r"ids of shape \(2,\) and bool"),
    ([[[1, 2], [3, 4]]], 300, r"ids of shape \(2, 2\)"),
    (["text"], 300, "ids of shape"),
    ([1.5], 300, "ids of shape"),
    ([1, 2, [3]], 300, "inhomogeneous"),
    ([[2**70]], 300, "ids of shape"),
    ([[1]], 0, "vocab_size=0 is not in"),
    ([[1]], (1 << 32) + 1, "vocab_size=4294967297 is not in"),
])
def test_bad_ids_leave_the_old_file_and_nothing_else(
        tmp_path: Path, stream: list[object], vocab_size: int, message: str) -> None:
    path = tmp_path / "t.bin"
    write_tokens(path, [[1, 2, 3]], 10)
    before = path.read_bytes()
    with pytest.raises(ValueError, match=message):
        write_tokens(path, stream, vocab_size)  # type: ignore[arg-type]
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_stream_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def broken() -> Iterator[list[int]]:
        yield list(range(100_000))
        raise OSError("the cable")

    with pytest.raises(OSError, match="the cable"):
        write_tokens(tmp_path / "t.bin", broken(), 1 << 20)
    assert list(tmp_path.iterdir()) == []


def test_a_writer_that_is_killed_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "t.bin"
    write_tokens(path, [[1, 2, 3]], 10)
    code = ("import os, sys\nfrom scratchlm.data.loader import write_tokens\n"
            "def stream():\n    yield list(range(100_000))\n    os._exit(9)\n"
            "write_tokens(sys.argv[1], stream(), 1 << 20)")
    assert subprocess.run([sys.executable, "-c", code, str(path)]).returncode == 9
    assert TokenDataset(path).tokens.tolist() == [1, 2, 3]


def test_others_may_read_the_file(tmp_path: Path) -> None:
    """A temporary file is private by habit; the finished one follows the umask."""
    path = tmp_path / "t.bin"
    write_tokens(path, [[1]])
    (tmp_path / "plain").write_bytes(b"")
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_tokens(tmp_path / "no" / "t.bin", [[1]])
    with pytest.raises(FileNotFoundError):
        TokenDataset(tmp_path / "t.bin")


def test_every_flipped_byte_and_every_truncation_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.bin"
    good = by_hand(range(40), 300, 2)
    path.write_bytes(good)
    TokenDataset(path)
    for at in range(len(good)):
        path.write_bytes(good[:at] + bytes([good[at] ^ 0x41]) + good[at + 1:])
        with pytest.raises(ValueError, match=str(path.name)):
            TokenDataset(path)
        path.write_bytes(good[:at])
        for verify in (True, False):
            with pytest.raises(ValueError, match=r"no token file|is cut off"):
                TokenDataset(path, verify)
    for more in (b"\0", b"\0\0", good):
        path.write_bytes(good + more)
        with pytest.raises(ValueError, match="is cut off or damaged: 40 tokens take 80 bytes"):
            TokenDataset(path, verify=False)


@pytest.mark.parametrize("content, message", [
    (b"", r"is no token file: it begins with b''"),
    (b"Once upon a time", "is no token file: it begins with b'Once upo'"),
    (b"\x93NUMPY" + bytes(100), "is no token file"),
    (b"\x89TOK\n\x1a\n" + bytes(100), "is no token file"),  # line ends were "repaired"
    (b"\x89TOK\r", "is cut off inside its header"),
    (b"\x89TOK\r\n\x1a\n\x02\0\x02\0" + bytes(100), "has version 2, 2 bytes"),
    (b"\x89TOK\r\n\x1a\n\x01\0\x08\0" + bytes(100), "has version 1, 8 bytes"),
])
def test_foreign_files(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "t.bin"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        TokenDataset(path)


def test_without_verify_the_tokens_are_not_read(tmp_path: Path) -> None:
    path = tmp_path / "t.bin"
    good = by_hand(range(40), 300, 2)
    path.write_bytes(good[:-1] + b"\1")
    assert len(TokenDataset(path, verify=False)) == 40
    with pytest.raises(ValueError, match="is damaged: its sha256"):
        TokenDataset(path)


def test_opening_a_large_file_takes_no_memory(tmp_path: Path) -> None:
    """16 MB of tokens, opened, checked and sampled, without keeping half of them."""
    path = tmp_path / "t.bin"
    write_tokens(path, (np.full(1_000_000, i) for i in range(8)), 8)
    tracemalloc.start()
    try:
        steps(StatefulLoader(TokenDataset(path), 8, 1024), 20)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8_000_000


# The loader

def numbered(folder: Path, n_windows: int, T: int, more: int = 0) -> TokenDataset:
    """Token i is i, so a window tells which one it is."""
    path = folder / f"{n_windows}-{T}-{more}.bin"
    if not path.exists():
        n = n_windows * T + 1 + more
        write_tokens(path, [np.arange(n)], max(n, 2))
    return TokenDataset(path)


def steps(loader: StatefulLoader, n: int) -> list[tuple[Tensor, Tensor]]:
    return list(islice(loader, n))


def all_ranks(data: TokenDataset, B: int, T: int, seed: int, world: int) -> list[StatefulLoader]:
    return [StatefulLoader(data, B, T, seed, rank, world) for rank in range(world)]


def windows_by_step(loaders: list[StatefulLoader], n: int, T: int) -> list[list[int]]:
    return [[int(w) for rank in ranks for w in rank[0][:, 0] // T]
            for ranks in zip(*(steps(loader, n) for loader in loaders), strict=True)]


def flat(rows: Iterable[list[int]]) -> list[int]:
    return list(chain.from_iterable(rows))


cases = given(n=st.integers(1, 30), T=st.integers(1, 7), B=st.integers(1, 9),
              world=st.integers(1, 5), seed=st.integers(0, 2**32), more=st.integers(0, 6))


@reused
@cases
def test_every_epoch_has_every_window_once_over_all_ranks(
        tmp_path: Path, n: int, T: int, B: int, world: int, seed: int, more: int) -> None:
    data = numbered(tmp_path, n, T, min(more, T - 1))
    n_steps = -(-3 * n // (B * world))
    taken = flat(windows_by_step(all_ranks(data, B, T, seed, world), n_steps, T))
    for epoch in range(3):
        assert sorted(taken[epoch * n:(epoch + 1) * n]) == list(range(n))


@reused
@cases
def test_targets_are_one_on_in_every_window(
        tmp_path: Path, n: int, T: int, B: int, world: int, seed: int, more: int) -> None:
    data = numbered(tmp_path, n, T, min(more, T - 1))
    for x, y in steps(StatefulLoader(data, B, T, seed, world - 1, world), 5):
        assert x.shape == y.shape == (B, T) and x.dtype == y.dtype == torch.int64
        assert torch.equal(y, x + 1)
        assert torch.equal(x, x[:, :1] + torch.arange(T)) and (x[:, 0] % T == 0).all()


@reused
@given(st.lists(st.integers(0, 9), min_size=9, max_size=90), st.integers(1, 4), st.integers(1, 3))
def test_the_tokens_of_an_epoch_are_those_of_the_file(
        tmp_path: Path, tokens: list[int], T: int, world: int) -> None:
    """As multisets, inputs and targets, against numpy.memmap."""
    path = tmp_path / "t.bin"
    write_tokens(path, [tokens], 10)
    n = (len(tokens) - 1) // T
    read = np.memmap(path, "<u2", "r", 64)
    loaders = all_ranks(TokenDataset(path), 1, T, 0, world)
    got = [batch for ranks in zip(*(steps(loader, -(-n // world)) for loader in loaders),
                                  strict=True) for batch in ranks][:n]
    inputs = Counter(torch.cat([x for x, _ in got]).flatten().tolist())
    targets = Counter(torch.cat([y for _, y in got]).flatten().tolist())
    assert inputs == Counter(read[:n * T].tolist())
    assert targets == Counter(read[1:n * T + 1].tolist())


def test_the_windows_are_those_of_concat_and_chunk(tmp_path: Path) -> None:
    docs = [[1, 2, 3, 4, 5], [], [6, 7, 8], list(range(10, 60))]  # one longer than T
    write_tokens(tmp_path / "t.bin", [[*doc, 0] for doc in docs], 60)
    rows = concat_and_chunk(docs, 6, 0)
    x, y = next(StatefulLoader(TokenDataset(tmp_path / "t.bin"), len(rows), 6, seed=3))
    got = sorted(torch.cat([x, y[:, -1:]], 1).tolist())
    assert got == sorted(rows.tolist())


def test_a_document_longer_than_the_shard_of_a_rank(tmp_path: Path) -> None:
    """One document that is the whole file, for four ranks of two windows each."""
    write_tokens(tmp_path / "t.bin", [[*range(1, 8 * 16 + 1), 0]], 200)
    loaders = all_ranks(TokenDataset(tmp_path / "t.bin"), 2, 16, 0, 4)
    x = torch.cat([next(loader)[0] for loader in loaders])
    assert sorted(x.flatten().tolist()) == list(range(1, 129))


def test_each_epoch_and_each_seed_has_an_order_of_its_own(tmp_path: Path) -> None:
    data = numbered(tmp_path, 200, 4)
    a, b = (StatefulLoader(data, 1, 4, seed) for seed in (0, 1))
    orders = [tuple(loader.order(epoch)) for loader in (a, b) for epoch in range(20)]
    assert len(set(orders)) == 40
    mean = np.mean([np.corrcoef(orders[0], other)[0, 1] for other in orders[1:]])
    assert abs(mean) < 0.1


def test_all_orders_are_about_equally_likely(tmp_path: Path) -> None:
    data = numbered(tmp_path, 4, 1)
    loader = StatefulLoader(data, 1, 1, seed=2)
    seen = Counter(tuple(loader.order(epoch)) for epoch in range(2400))
    assert len(seen) == 24 and chisquare(list(seen.values())).pvalue > 1e-4


def test_the_order_is_pinned(tmp_path: Path) -> None:
    """A resumed run must find the same order after any update, so it is written down here:
    ranks of the raw integers of PCG64, whose stream NumPy guarantees."""
    bits = [int(b) for b in np.random.PCG64([5, 1]).random_raw(6)]
    want = sorted(range(6), key=bits.__getitem__)
    loader = StatefulLoader(numbered(tmp_path, 6, 3), 1, 3, seed=5)
    assert loader.order(1).tolist() == want
    assert [int(x[0, 0]) // 3 for x, _ in steps(loader, 12)][6:] == want
    assert np.random.PCG64([5, 1]).random_raw() == 14281546376153053393


# Resume

@reused
@cases
def test_resumed_batches_are_identical_at_every_step(
        tmp_path: Path, n: int, T: int, B: int, world: int, seed: int, more: int) -> None:
    data = numbered(tmp_path, n, T, min(more, T - 1))
    rank = seed % world
    whole = StatefulLoader(data, B, T, seed, rank, world)
    states, batches = [], []
    for _ in range(8):
        states.append(json.loads(json.dumps(whole.state_dict())))
        batches.append(next(whole))
    for k, state in enumerate(states):
        again = StatefulLoader(data, B, T, seed, rank, world)
        again.load_state_dict(state)
        for want, got in zip(batches[k:], again, strict=False):
            assert torch.equal(want[0], got[0]) and torch.equal(want[1], got[1])


def test_resume_in_the_middle_of_an_epoch_and_after_several(tmp_path: Path) -> None:
    data = numbered(tmp_path, 37, 5)
    whole = windows_by_step(all_ranks(data, 3, 5, 9, 2), 60, 5)  # 6 windows a step: 9.7 epochs
    for stop in (1, 3, 6, 7, 20, 37, 59):
        loaders = all_ranks(data, 3, 5, 9, 2)
        head = windows_by_step(loaders, stop, 5)
        fresh = all_ranks(data, 3, 5, 9, 2)
        for old, new in zip(loaders, fresh, strict=True):
            new.load_state_dict(old.state_dict())
        assert head + windows_by_step(fresh, 60 - stop, 5) == whole


def test_a_state_is_a_copy(tmp_path: Path) -> None:
    loader = StatefulLoader(numbered(tmp_path, 9, 2), 2, 2)
    next(loader)
    state = loader.state_dict()
    before = copy.deepcopy(state)
    next(loader)
    assert state == before != loader.state_dict()


def test_one_loader_may_go_back(tmp_path: Path) -> None:
    loader = StatefulLoader(numbered(tmp_path, 9, 2), 2, 2, seed=1)
    state = loader.state_dict()
    first = steps(loader, 12)
    loader.load_state_dict(state)
    assert all(torch.equal(a, c) for (a, _), (c, _) in zip(first, steps(loader, 12), strict=True))


def test_all_ranks_have_the_same_state(tmp_path: Path) -> None:
    loaders = all_ranks(numbered(tmp_path, 50, 3), 4, 3, 0, 3)
    for loader in loaders:
        steps(loader, 7)
    assert len({str(loader.state_dict()) for loader in loaders}) == 1


@reused
@given(st.integers(1, 40), st.lists(st.tuples(st.integers(1, 4), st.integers(1, 5),
                                              st.integers(0, 6)), min_size=2, max_size=5))
def test_another_world_or_batch_size_loses_no_window_and_repeats_none(
        tmp_path: Path, n: int, parts: list[tuple[int, int, int]]) -> None:
    """The documented re-sharding: the windows are those of one rank that never stopped."""
    data = numbered(tmp_path, n, 2)
    state: dict[str, Any] = {}
    taken: list[int] = []
    for world, B, n_steps in parts:
        loaders = all_ranks(data, B, 2, 4, world)
        for loader in loaders if state else []:
            loader.load_state_dict(state)
        taken += flat(windows_by_step(loaders, n_steps, 2))
        state = loaders[0].state_dict()
    alone = windows_by_step(all_ranks(data, 1, 2, 4, 1), len(taken), 2)
    assert taken == flat(alone)


def test_another_file_is_refused(tmp_path: Path) -> None:
    loader = StatefulLoader(numbered(tmp_path, 9, 2), 2, 2)
    write_tokens(tmp_path / "other.bin", [[*range(18), 17]], 19)  # the same length
    other = StatefulLoader(TokenDataset(tmp_path / "other.bin"), 2, 2)
    with pytest.raises(ValueError, match=r"saved with tokens='[0-9a-f]{64}', and this loader has"):
        other.load_state_dict(loader.state_dict())
    os.rename(tmp_path / "9-2-0.bin", tmp_path / "renamed.bin")  # the same file elsewhere is not
    StatefulLoader(TokenDataset(tmp_path / "renamed.bin"), 2, 2).load_state_dict(
        loader.state_dict())


@pytest.mark.parametrize("change, message", [
    ({"seed": 1}, "saved with seed=1, and this loader has 0"),
    ({"context_length": 3}, "saved with context_length=3, and this loader has 2"),
    ({"taken": -1}, "taken=-1"),
    ({"taken": 2.5}, "taken=2.5"),
    ({"taken": "4"}, "taken='4'"),
    ({"extra": 1}, "a state has"),
])
def test_bad_states_change_nothing(
        tmp_path: Path, change: dict[str, object], message: str) -> None:
    loader = StatefulLoader(numbered(tmp_path, 9, 2), 2, 2)
    next(loader)
    before = loader.state_dict()
    with pytest.raises(ValueError, match=message):
        loader.load_state_dict({**before, **change})
    with pytest.raises(ValueError, match="a state has"):
        loader.load_state_dict({"taken": 2})
    assert loader.state_dict() == before


@pytest.mark.parametrize("arguments, message", [
    ({"batch_size": 0}, "batch_size=0"),
    ({"context_length": 0}, "context_length=0"),
    ({"world_size": 0}, "world_size=0"),
    ({"seed": -1}, "seed=-1"),
    ({"rank": 2, "world_size": 2}, "rank=2 is none of world_size=2"),
    ({"rank": -1}, "rank=-1"),
    ({"context_length": 19}, "19 tokens are too few for a window of context_length=19"),
])
def test_bad_arguments(tmp_path: Path, arguments: dict[str, int], message: str) -> None:
    good = {"batch_size": 2, "context_length": 2}
    with pytest.raises(ValueError, match=message):
        StatefulLoader(numbered(tmp_path, 9, 2), **{**good, **arguments})


def test_one_window_and_none(tmp_path: Path) -> None:
    write_tokens(tmp_path / "one.bin", [[7, 8, 9]], 10)
    x, y = next(StatefulLoader(TokenDataset(tmp_path / "one.bin"), 3, 2))
    assert x.tolist() == [[7, 8]] * 3 and y.tolist() == [[8, 9]] * 3
    write_tokens(tmp_path / "none.bin", [], 10)
    with pytest.raises(ValueError, match="0 tokens are too few"):
        StatefulLoader(TokenDataset(tmp_path / "none.bin"), 1, 1)


def test_a_batch_is_the_readers_own(tmp_path: Path) -> None:
    """Writing to a batch changes neither the file nor later batches."""
    data = numbered(tmp_path, 1, 4)
    loader = StatefulLoader(data, 1, 4)
    x, _ = next(loader)
    x += 100
    assert next(loader)[0].tolist() == [[0, 1, 2, 3]]
    assert data.tokens.tolist() == [0, 1, 2, 3, 4]


def test_seeds_by_rank_overlap_as_the_binomial_says(tmp_path: Path) -> None:
    """The bug of the chapter: what is seen k times in an epoch of four ranks."""
    n = 4000
    data = numbered(tmp_path, n, 1)
    times: NDArray[np.int64] = np.zeros(n, dtype=np.int64)
    for rank in range(4):
        loader = StatefulLoader(data, n // 4, 1, seed=rank, rank=rank, world_size=4)
        times[next(loader)[0][:, 0].numpy()] += 1
    share = np.bincount(times, minlength=5) / n
    np.testing.assert_allclose(share, binom.pmf(range(5), 4, 0.25), atol=0.03)
