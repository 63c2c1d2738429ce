"""Chapter 5: Data: collect, clean, deduplicate, pack."""

from __future__ import annotations

import hashlib
import math
import re
from collections import defaultdict
from collections.abc import (
    Container,
    Hashable,
    Iterable,
    Iterator,
    Sequence,
    Set,
)
from dataclasses import dataclass
from functools import lru_cache
from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray


# § sec-data-exact
class Seen(Container[bytes], Protocol):
    """What remembers keys: a set, or a Bloom filter."""

    def add(self, key: bytes, /) -> None:
        """Remember a key."""


def digest(text: str) -> bytes:
    """Sixteen bytes (BLAKE2b) that name a text, the same everywhere."""
    data = text.encode("utf-8", "surrogatepass")
    return hashlib.blake2b(data, digest_size=16).digest()


def first_time(text: str, seen: Seen) -> bool:
    """Whether seen does not know a text; from now on it does."""
    known = (key := digest(text)) in seen
    seen.add(key)
    return not known


def exact_dedup(docs: Iterable[str], seen: Seen | None = None
                ) -> Iterator[int]:
    """Positions of the documents that have not come before, in order."""
    seen = set[bytes]() if seen is None else seen
    return (i for i, doc in enumerate(docs) if first_time(doc, seen))


def exact_line_dedup(docs: Iterable[str], seen: Seen | None = None,
                     min_words: int = 4) -> Iterator[str]:
    """Documents without lines of min_words or more that came before."""
    known = set[bytes]() if seen is None else seen
    for doc in docs:
        yield "\n".join(line for line in doc.split("\n")
                        if len(line.split()) < min_words
                        or first_time(line.strip(), known))


# § sec-data-minhash
_SHINGLE_WORD = re.compile(r"\w+")


def shingles(text: str, n: int = 5) -> set[str]:
    """All runs of n words of a text; case and punctuation do not count.

    A text of fewer words is one shingle, a text without words has none.

    Raises:
        ValueError: n is below 1.
    """
    if n < 1:
        raise ValueError(f"n={n}: a shingle has 1 word or more")
    found = _SHINGLE_WORD.findall(text.lower())
    starts = range(max(len(found) - n + 1, min(1, len(found))))
    return {" ".join(found[i:i + n]) for i in starts}


def jaccard(a: Set[object], b: Set[object]) -> float:
    """|A ∩ B| / |A ∪ B|; two empty sets are equal, so theirs is 1."""
    return len(a & b) / len(a | b) if a or b else 1.0


Hashes = NDArray[np.uint64]
_BETA = 0x9E3779B97F4A7C15
_BLOCK = 50_000  # words hashed at a time


@lru_cache
def _powers(base: int, n_bits: int) -> Hashes:
    """base**i modulo 2**64 for i below 2**n_bits."""
    powers = np.full(1 << n_bits, base, dtype=np.uint64)
    powers[0] = 1
    return np.multiply.accumulate(powers)


def hash_pieces(data: bytes, starts: NDArray[np.int64],
                ends: NDArray[np.int64]) -> Hashes:
    """64-bit hashes of data[start:end] for many pieces, vectorized.

    A polynomial modulo 2**64 by prefix sums (Karp and Rabin 1987), its
    bits mixed by MurmurHash3's finalizer. The same on every machine.
    """
    n_bits = len(data).bit_length()
    terms = np.frombuffer(data, dtype=np.uint8).astype(np.uint64)
    terms += np.uint64(1)
    terms *= _powers(_BETA, n_bits)[:len(data)]
    sums = np.zeros(len(data) + 1, dtype=np.uint64)
    np.cumsum(terms, out=sums[1:])
    back = _powers(pow(_BETA, -1, 1 << 64), n_bits)
    x: Hashes = (sums[ends] - sums[starts]) * back[starts]
    for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        x ^= x >> np.uint64(33)
        x *= np.uint64(factor)
    return x ^ (x >> np.uint64(33))


def hash_strings(items: Iterable[str]) -> Hashes:
    """The 64-bit hash of each string, (n,)."""
    data = [item.encode("utf-8", "surrogatepass") for item in items]
    ends = np.cumsum([0, *map(len, data)])
    return hash_pieces(b"".join(data), ends[:-1], ends[1:])


def shingle_hashes(text: str, n: int = 5) -> Hashes:
    """Sorted hashes of ``shingles(text, n)``, without building them."""
    if n < 1:
        raise ValueError(f"n={n}: a shingle has 1 word or more")
    found = _SHINGLE_WORD.findall(text.lower())
    blocks = [np.empty(0, dtype=np.uint64)]
    for i in range(0, max(len(found) - n + 1, min(1, len(found))), _BLOCK):
        data = " ".join(found[i:i + _BLOCK + n - 1]).encode()
        blanks = np.flatnonzero(np.frombuffer(data, np.uint8) == ord(" "))
        starts = np.concatenate([[0], blanks + 1])
        ends = np.append(blanks, len(data))
        m = max(1, len(ends) - n + 1)
        blocks.append(hash_pieces(data, starts[:m], ends[-m:]))
    return np.unique(np.concatenate(blocks))


Signatures = NDArray[np.uint32]
_EMPTY = np.uint32(0xFFFFFFFF)


class MinHash:
    """num_perm orders of all shingles, fixed by a seed (Broder 1997)."""

    def __init__(self, num_perm: int = 128, seed: int = 0) -> None:
        if num_perm < 1:
            raise ValueError(f"num_perm={num_perm}: want 1 or more")
        digits = hashlib.shake_128(f"MinHash {seed}".encode())
        drawn = np.frombuffer(digits.digest(8 * num_perm), dtype="<u4")
        self.num_perm, self.seed = num_perm, seed
        self._a, self._b = drawn[::2] | np.uint32(1), drawn[1::2]

    def signature(self, items: Set[str] | Hashes) -> Signatures:
        """The first in each order of shingles or their hashes, (num_perm,).

        Of an empty set every value is the largest there is.
        """
        hashes = (items if isinstance(items, np.ndarray)
                  else hash_strings(items))
        x = (hashes >> np.uint64(32)).astype(np.uint32)[:, None]
        least = np.full(self.num_perm, _EMPTY)
        for i in range(0, len(x), 4096):
            values = x[i:i + 4096] * self._a + self._b
            np.minimum(least, values.min(axis=0), out=least)
        return least

    def signatures(self, docs: Sequence[Set[str] | Hashes]) -> Signatures:
        """Signatures of many sets, (n, num_perm)."""
        found = np.empty((len(docs), self.num_perm), dtype=np.uint32)
        for i, doc in enumerate(docs):
            found[i] = self.signature(doc)
        return found


# § sec-data-lsh
Key = TypeVar("Key", bound=Hashable)


def catch_probability(s: float, bands: int, rows: int) -> float:
    """Of a pair of similarity s to agree in a whole band of rows."""
    return 1 - (1 - s**rows) ** bands


class LSHIndex(Generic[Key]):
    """Finds signatures that share a band with a given one."""

    def __init__(self, bands: int, rows: int) -> None:
        if bands < 1 or rows < 1:
            raise ValueError(f"bands={bands}, rows={rows}: want 1 or more")
        self.bands, self.rows = bands, rows
        self._tables: list[dict[bytes, list[Key]]] = [
            defaultdict(list) for _ in range(bands)]

    def _cut(self, signature: Signatures) -> list[bytes]:
        """The bands of a signature, whose further values are not used."""
        if signature.ndim != 1 or len(signature) < self.bands * self.rows:
            raise ValueError(f"a signature of shape {signature.shape} has "
                             f"no {self.bands} bands of {self.rows}")
        data, width = signature.astype("<u4").tobytes(), 4 * self.rows
        return [data[i * width:(i + 1) * width] for i in range(self.bands)]

    def insert(self, key: Key, signature: Signatures) -> None:
        """Remember a signature under a key."""
        bands = zip(self._tables, self._cut(signature), strict=True)
        for table, band in bands:
            table[band].append(key)

    def query(self, signature: Signatures) -> set[Key]:
        """The keys of all signatures that share a band with this one."""
        bands = zip(self._tables, self._cut(signature), strict=True)
        return {key for table, band in bands for key in table.get(band, ())}


class UnionFind:
    """Numbers 0 … n-1 in groups that merge, named by their smallest."""

    def __init__(self, n: int) -> None:
        self.parent = list(range(n))

    def find(self, i: int) -> int:
        """The smallest member of i's group."""
        while self.parent[i] != i:  # halve the path on the way
            self.parent[i] = i = self.parent[self.parent[i]]
        return i

    def union(self, i: int, j: int) -> None:
        """Make two groups one."""
        i, j = sorted((self.find(i), self.find(j)))
        self.parent[j] = i


@dataclass(frozen=True)
class DedupResult:
    """Which documents stay, and which were held for the same."""

    keep: list[int]            # the first of each group, singles too
    clusters: list[list[int]]  # groups of two or more


def choose_bands(threshold: float, num_perm: int = 128,
                 recall: float = 0.9) -> tuple[int, int]:
    """(bands, rows): the longest bands that catch enough at a threshold."""
    if not 0 < threshold <= 1:
        raise ValueError(f"threshold={threshold} is not in (0, 1]")
    return next(((num_perm // rows, rows) for rows in range(num_perm, 0, -1)
                 if catch_probability(threshold, num_perm // rows, rows)
                 >= recall), (num_perm, 1))


def dedup(docs: Sequence[str], threshold: float = 0.8, n: int = 5,
          num_perm: int = 128, seed: int = 0) -> DedupResult:
    """Keep the first of all documents that resemble each other.

    MinHash and LSH propose pairs, the exact Jaccard similarity of their
    n-word shingles decides, and union–find makes groups of them.

    Args:
        docs: texts. All those without words count as equal.
        threshold: similarity from which two documents are the same.
        n: words in a shingle.
        num_perm: values in a signature.
        seed: of the signatures.

    Raises:
        ValueError: docs is one string, or a number out of range.
    """
    if isinstance(docs, str):
        raise ValueError("docs is a single string: want a list")
    hashes = [shingle_hashes(doc, n) for doc in docs]
    index: LSHIndex[int] = LSHIndex(*choose_bands(threshold, num_perm))
    minhash, groups = MinHash(num_perm, seed), UnionFind(len(docs))
    first: dict[bytes, int] = {}
    for i, mine in enumerate(hashes):
        if (j := first.setdefault(mine.tobytes(), i)) != i:
            groups.union(i, j)  # equal sets need no signature
            continue
        signature = minhash.signature(mine)
        for j in index.query(signature):
            if groups.find(i) != groups.find(j):
                both = len(np.intersect1d(mine, hashes[j], True))
                if both >= threshold * (len(mine) + len(hashes[j]) - both):
                    groups.union(i, j)
        index.insert(i, signature)
    members = defaultdict(list)
    for i in range(len(docs)):
        members[groups.find(i)].append(i)
    return DedupResult(list(members), [
        group for group in members.values() if len(group) > 1])


# § sec-data-bloom
class BloomFilter:
    """A set of keys in a few bits each (Bloom 1970): add, and ask.

    What was added is found; so is a share p of the rest, after n keys.
    """

    def __init__(self, n: int, p: float = 0.01) -> None:
        if n < 1 or not 0 < p < 1:
            raise ValueError(f"n={n}, p={p}: want n >= 1 and 0 < p < 1")
        self.n_bits = math.ceil(n * math.log(1 / p) / math.log(2) ** 2)
        self.n_hashes = max(1, round(self.n_bits / n * math.log(2)))
        self.bits = bytearray((self.n_bits + 7) // 8)

    def _places(self, key: bytes | str) -> Iterator[int]:
        """The bits of a key: h1 + i h2, from one hash of 128 bits."""
        data = (key if isinstance(key, bytes)
                else key.encode("utf-8", "surrogatepass"))
        both = hashlib.blake2b(data, digest_size=16, person=b"bloom")
        h1, h2 = np.frombuffer(both.digest(), dtype="<u8").tolist()
        return ((h1 + i * (h2 | 1)) % self.n_bits
                for i in range(self.n_hashes))

    def add(self, key: bytes | str) -> None:
        """Remember a key."""
        for place in self._places(key):
            self.bits[place >> 3] |= 1 << (place & 7)

    def __contains__(self, key: object) -> bool:
        if not isinstance(key, bytes | str):
            raise ValueError(f"{key!r} is neither bytes nor str")
        return all(self.bits[place >> 3] >> (place & 7) & 1
                   for place in self._places(key))

    def expected_rate(self, n: int) -> float:
        """How often a new key is found after n, by theory."""
        unset = math.exp(-self.n_hashes * n / self.n_bits)
        return (1 - unset) ** self.n_hashes
