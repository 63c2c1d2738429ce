"""Chapter 5: Data: collect, clean, deduplicate, pack."""

from __future__ import annotations

import hashlib
import os
import secrets
import struct
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

# § sec-data-files
MAGIC, VERSION = b"\x89TOK\r\n\x1a\n", 1
# Magic, version, bytes per token, (4 spare), tokens, vocabulary size
FIELDS = struct.Struct("<8sHH4xQQ")
HEADER = FIELDS.size + hashlib.sha256().digest_size  # 64 bytes


def _blocks(stream: Iterable[ArrayLike], vocab_size: int,
            dtype: np.dtype[np.unsignedinteger]) -> Iterator[bytes]:
    """Ids as bytes, once they are checked; single ids many at a time."""
    items = iter(stream)
    for item in items:
        single = isinstance(item, int | np.integer)
        row = np.asarray([item, *islice(items, 1 << 16)] if single
                         else item)
        if row.size == 0:
            continue
        if row.ndim != 1 or row.dtype.kind not in "iu":
            raise ValueError(f"ids of shape {row.shape} and {row.dtype}: "
                             "want rows of integers")
        if not 0 <= row.min() <= row.max() < vocab_size:
            raise ValueError(f"ids from {row.min()} to {row.max()} are not "
                             f"in a vocabulary of vocab_size={vocab_size}")
        yield row.astype(dtype).tobytes()


def write_tokens(path: str | os.PathLike[str], stream: Iterable[ArrayLike],
                 vocab_size: int = 1 << 16) -> int:
    """Write token ids to a file, whole or not at all; how many they are.

    Args:
        path: of the file, which appears there once it is complete and on
            the disk. What was there is replaced.
        stream: ids one by one, or rows of them of any length. Only one row
            is in memory at a time.
        vocab_size: ids are below it. Up to 65,536, a token takes 2 bytes,
            otherwise 4, little end first.

    Raises:
        ValueError: ids that are no integers, or outside the vocabulary.
    """
    if not 1 <= vocab_size <= 1 << 32:
        raise ValueError(f"vocab_size={vocab_size} is not in 1 … 2**32")
    dtype = np.dtype("<u2" if vocab_size <= 1 << 16 else "<u4")
    target, n_bytes, digest = Path(path), 0, hashlib.sha256()
    part = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        with part.open("xb") as file:
            file.write(bytes(HEADER))
            for block in _blocks(stream, vocab_size, dtype):
                n_bytes += file.write(block)
                digest.update(block)
            count = n_bytes // dtype.itemsize
            head = FIELDS.pack(MAGIC, VERSION, dtype.itemsize, count,
                               vocab_size)
            digest.update(head)
            file.seek(0)
            file.write(head + digest.digest())
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)
    return count


class TokenDataset:
    """The tokens of a file, mapped into memory and not read.

    Args:
        path: what ``write_tokens`` wrote, or a ValueError says what not.
        verify: read it once, and compare the checksum.
    """

    def __init__(self, path: str | os.PathLike[str],
                 verify: bool = True) -> None:
        with open(path, "rb") as file:
            head = file.read(HEADER)
            if not head or not head.startswith(MAGIC[:len(head)]):
                raise ValueError(f"{path} is no token file: it begins with "
                                 f"{head[:8]!r}")
            if len(head) < HEADER:
                raise ValueError(f"{path} is cut off inside its header")
            _, version, width, n, self.vocab_size = FIELDS.unpack_from(head)
            if version != VERSION or width not in (2, 4):
                raise ValueError(f"{path} has version {version}, {width} "
                                 f"bytes a token: want {VERSION}; 2 or 4")
            there = os.fstat(file.fileno()).st_size - HEADER
            if there != n * width:
                raise ValueError(f"{path} is cut off or damaged: {n} tokens"
                                 f" take {n * width} bytes, not {there}")
            found = hashlib.sha256()
            while verify and (block := file.read(1 << 20)):
                found.update(block)
        found.update(head[:FIELDS.size])
        self.digest = head[FIELDS.size:].hex()
        if verify and found.hexdigest() != self.digest:
            raise ValueError(f"{path} is damaged: its sha256 has changed")
        mapped = np.memmap(path, f"<u{width}", "r", HEADER) if n else ()
        self.tokens: NDArray[Any] = np.asarray(mapped, dtype=f"<u{width}")

    def __len__(self) -> int:
        return len(self.tokens)


# § sec-data-loader
class StatefulLoader:
    """Batches of windows without end, the same for the same arguments.

    Window i holds tokens i T … i T + T. In every epoch the ranks together
    see each window once, in an order of the epoch's own.

    Args:
        dataset: the tokens, more than context_length of them.
        batch_size: B, windows per rank and step.
        context_length: T, in tokens.
        seed: of the order; the same on all ranks.
        rank, world_size: which process of how many this is, from 0.
    """

    def __init__(self, dataset: TokenDataset, batch_size: int,
                 context_length: int, seed: int = 0, rank: int = 0,
                 world_size: int = 1) -> None:
        if min(batch_size, context_length, world_size) < 1 or seed < 0:
            raise ValueError(f"{batch_size=}, {context_length=} and "
                             f"{world_size=} must be positive, {seed=} not "
                             "negative")
        if not 0 <= rank < world_size:
            raise ValueError(f"{rank=} is none of {world_size=} from 0")
        if len(dataset) <= context_length:
            raise ValueError(f"{len(dataset)} tokens are too few for a "
                             f"window of {context_length=} and one target")
        self.dataset, self.batch_size, self.seed = dataset, batch_size, seed
        self.context_length, self.rank = context_length, rank
        self.world_size, self.taken = world_size, 0
        self._windows = np.lib.stride_tricks.sliding_window_view(
            dataset.tokens, context_length + 1)[::context_length]
        self._order = (-1, np.empty(0, dtype=np.int64))

    def order(self, epoch: int) -> NDArray[np.int64]:
        """The numbers of all windows, in the order of an epoch: (n,)."""
        if self._order[0] != epoch:
            bits = np.random.PCG64([self.seed, epoch]).random_raw(
                len(self._windows))
            self._order = (epoch, np.argsort(bits, kind="stable"))
        return self._order[1]

    def __iter__(self) -> StatefulLoader:
        return self

    def __next__(self) -> tuple[Tensor, Tensor]:
        """Inputs and targets of this rank's next step: (B, T) each."""
        first = self.taken + self.rank * self.batch_size
        numbers: list[NDArray[np.int64]] = []
        wanted = self.batch_size
        while wanted:
            epoch, at = divmod(first, len(self._windows))
            numbers.append(self.order(epoch)[at:at + wanted])
            first += len(numbers[-1])
            wanted -= len(numbers[-1])
        rows = self._windows[np.concatenate(numbers)].astype(np.int64)
        self.taken += self.batch_size * self.world_size
        batch = torch.from_numpy(rows)
        return batch[:, :-1], batch[:, 1:]

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint has to keep; the same on all ranks after a step."""
        return {"taken": self.taken, "seed": self.seed,
                "context_length": self.context_length,
                "tokens": self.dataset.digest}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on after the last step before ``state_dict`` was called.

        World size and batch size may differ from then: the windows still to
        come are dealt to the ranks there are now, none is lost or repeated.

        Raises:
            ValueError: another file, seed or context length, with which the
                windows to come would be different ones; or no such state.
        """
        own = self.state_dict()
        if state.keys() != own.keys():
            raise ValueError(f"a state has {sorted(own)}, not {sorted(state)}")
        for name in ("tokens", "context_length", "seed"):
            if state[name] != own[name]:
                raise ValueError(f"the state was saved with {name}="
                                 f"{state[name]!r}, and this loader has "
                                 f"{own[name]!r}: it cannot go on")
        if not isinstance(state["taken"], int) or state["taken"] < 0:
            raise ValueError(f"taken={state['taken']!r} counts no windows")
        self.taken = state["taken"]
