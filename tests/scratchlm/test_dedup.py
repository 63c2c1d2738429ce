"""Duplicates of chapter 5, against datasketch, brute force, the binomial, and other processes."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections import defaultdict
from itertools import combinations

import numpy as np
import pytest
from datasketch import MinHash as Peer
from datasketch import MinHashLSH
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from scratchlm.corpus.storyworld import generate
from scratchlm.data.dedup import (
    BloomFilter,
    LSHIndex,
    MinHash,
    UnionFind,
    catch_probability,
    choose_bands,
    dedup,
    digest,
    exact_dedup,
    exact_line_dedup,
    hash_pieces,
    hash_strings,
    jaccard,
    shingle_hashes,
    shingles,
)

FEW = settings(max_examples=60, deadline=None)
TEXTS = st.text(st.sampled_from("ab Ä.\n\U0001f600"), max_size=40)


def related_sets(rng: np.random.Generator, union: int, shared: int) -> tuple[set[str], set[str]]:
    """Two random sets of strings with |A ∪ B| = union and |A ∩ B| = shared."""
    items = [f"{x:x}" for x in rng.choice(2**40, union, replace=False)]
    cut = (union + shared) // 2
    return set(items[:cut]), {*items[:shared], *items[cut:]}


def edited(docs: list[str], rng: np.random.Generator) -> list[str]:
    """Docs, and for each third one a copy with a few words changed."""
    copies = []
    for doc in docs[::3]:
        words = doc.split()
        for at in rng.integers(len(words), size=rng.integers(0, 6)):
            words[at] = "other"
        copies.append(" ".join(words))
    both = docs + copies
    return [both[i] for i in rng.permutation(len(both))]


@pytest.fixture(scope="module")
def docs() -> list[str]:
    stories = [story.text for story in generate(250_000, seed=3)]
    joined = [" ".join(stories[i : i + 2]) for i in range(0, len(stories), 2)]
    return edited(joined, np.random.default_rng(0))


# Exact


@FEW
@given(st.lists(st.sampled_from(["", "a", "a ", "A", "b\n", "\ud800", "\U0001f600"]), max_size=20))
def test_exact_keeps_the_first_of_each(texts: list[str]) -> None:
    kept = list(exact_dedup(texts))
    assert [texts[i] for i in kept] == list(dict.fromkeys(texts))
    assert all(texts[i] not in texts[:i] for i in kept)


def test_digest_is_blake2b() -> None:
    assert digest("Ä") == hashlib.blake2b("Ä".encode(), digest_size=16).digest()


def test_exact_with_a_bloom_filter_forgets_nothing() -> None:
    texts = [f"text {i % 500}" for i in range(2000)]
    kept = list(exact_dedup(texts, BloomFilter(1000, 1e-9)))
    assert kept == list(range(500))
    seen: set[bytes] = set()
    assert list(exact_dedup(texts[:500], seen)) == kept
    assert list(exact_dedup(texts[500:], seen)) == []


def test_lines_stay_where_they_came_first() -> None:
    pages = [
        "the same long menu line\nstory one of a cat\nYes.",
        " the same long menu line \nYes.\nstory two of a dog\nstory two of a dog",
        "",
    ]
    assert list(exact_line_dedup(pages)) == [pages[0], "Yes.\nstory two of a dog", ""]
    assert list(exact_line_dedup(pages, min_words=1))[1] == "story two of a dog"


def test_line_dedup_streams() -> None:
    def endless():  # type: ignore[no-untyped-def]
        while True:
            yield "one two three four five"

    stream = exact_line_dedup(endless())
    assert [next(stream), next(stream)] == ["one two three four five", ""]


# Shingles and their hashes


@pytest.mark.parametrize(
    ("text", "n", "expected"),
    [
        ("", 5, set()),
        ("... !?", 5, set()),
        ("One", 5, {"one"}),
        ("a b c", 5, {"a b c"}),
        ("A, b. c!", 2, {"a b", "b c"}),
        ("a b a b a", 2, {"a b", "b a"}),
        ("Äpfel und ÄPFEL", 1, {"äpfel", "und"}),
    ],
)
def test_shingles_by_hand(text: str, n: int, expected: set[str]) -> None:
    assert shingles(text, n) == expected


@FEW
@given(TEXTS, st.integers(1, 6))
def test_hashes_of_a_text_are_those_of_its_shingles(text: str, n: int) -> None:
    assert np.array_equal(shingle_hashes(text, n), np.sort(hash_strings(shingles(text, n))))


def test_a_text_longer_than_a_block() -> None:
    rng = np.random.default_rng(0)
    text = " ".join(map(str, rng.integers(10**6, size=120_000)))
    assert np.array_equal(shingle_hashes(text), np.sort(hash_strings(shingles(text))))


@FEW
@given(st.binary(max_size=60), st.data())
def test_pieces_hash_as_the_polynomial_says(data: bytes, draw: st.DataObject) -> None:
    start = draw.draw(st.integers(0, len(data)))
    end = draw.draw(st.integers(start, len(data)))
    h = sum((c + 1) * 0x9E3779B97F4A7C15**i for i, c in enumerate(data[start:end])) % 2**64
    for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):  # MurmurHash3's fmix64
        h ^= h >> 33
        h = h * factor % 2**64
    h ^= h >> 33
    assert hash_pieces(data, np.array([start]), np.array([end])).tolist() == [h]


def test_no_collisions_and_even_bits() -> None:
    hashes = hash_strings(f"shingle number {i}" for i in range(50_000))
    assert len(np.unique(hashes)) == 50_000
    for bit in range(64):
        ones = int((hashes >> np.uint64(bit) & np.uint64(1)).sum())
        assert stats.binomtest(ones, 50_000).pvalue > 1e-6
    buckets = np.bincount((hashes >> np.uint64(54)).astype(int), minlength=1024)
    assert stats.chisquare(buckets).pvalue > 1e-6


def test_strings_that_are_prefixes_or_zeros_differ() -> None:
    items = ["", "\0", "\0\0", "a", "a\0", "\0a", "ab", "ba", "\ud800"]
    assert len(np.unique(hash_strings(items))) == len(items)


@pytest.mark.parametrize("call", [shingles, shingle_hashes])
def test_no_shingles_of_no_words(call) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match="n=0"):
        call("a b", 0)


def test_jaccard_by_hand() -> None:
    assert jaccard({1, 2, 3}, {2, 3, 4}) == 0.5
    assert jaccard(set(), set()) == 1
    assert jaccard(set(), {1}) == 0


# MinHash


def test_signatures_are_the_same_in_every_process() -> None:
    code = (
        "import json; from scratchlm.data.dedup import MinHash, shingles;"
        "print(json.dumps(MinHash(16, 7).signature("
        "shingles('the cat sat on the mat and slept')).tolist()))"
    )
    got = set()
    for salt in ("1", "2"):
        out = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": salt},
            capture_output=True,
            text=True,
            check=True,
        )
        got.add(tuple(json.loads(out.stdout)))
    here = MinHash(16, 7).signature(shingles("the cat sat on the mat and slept"))
    assert got == {tuple(here.tolist())}


def test_a_signature_is_the_least_of_affine_values() -> None:
    minhash = MinHash(8, seed=3)
    digits = hashlib.shake_128(b"MinHash 3").digest(64)
    drawn = [int.from_bytes(digits[i : i + 4], "little") for i in range(0, 64, 4)]
    hashes = hash_strings(["x", "y", "z"])
    for j in range(8):
        a, b = drawn[2 * j] | 1, drawn[2 * j + 1]
        values = [(a * (int(h) >> 32) + b) % 2**32 for h in hashes]
        assert minhash.signature(hashes)[j] == min(values)


@FEW
@given(st.lists(st.text(max_size=5), max_size=20), st.randoms(use_true_random=False))
def test_neither_order_nor_repeats_matter(items: list[str], random) -> None:  # type: ignore[no-untyped-def]
    minhash = MinHash(8)
    again = items * 2
    random.shuffle(again)
    expected = minhash.signature(set(items))
    assert np.array_equal(minhash.signature(hash_strings(again)), expected)
    halves = [minhash.signature(set(items[i::2])) for i in (0, 1)]
    assert np.array_equal(np.minimum(*halves), expected)


def test_many_sets_at_once_and_an_empty_one() -> None:
    sets = [{"a", "b"}, set(), {"b"}]
    minhash = MinHash(32, seed=2)
    signatures = minhash.signatures(sets)
    assert signatures.shape == (3, 32)
    assert signatures.dtype == np.uint32
    for row, items in zip(signatures, sets, strict=True):
        assert np.array_equal(row, minhash.signature(items))
    assert (signatures[1] == 2**32 - 1).all()
    assert minhash.signatures([]).shape == (0, 32)


def test_a_set_larger_than_a_block() -> None:
    hashes = hash_strings(map(str, range(10_000)))
    minhash = MinHash(4)
    parts = [minhash.signature(part) for part in np.array_split(hashes, 7)]
    assert np.array_equal(minhash.signature(hashes), np.min(parts, axis=0))


def test_permutations_are_not_one() -> None:
    minhash = MinHash(64)
    items = [f"{i}" for i in range(50)]
    hashes = hash_strings(items)
    winners = {int(np.argmin(minhash.signatures([{x} for x in items])[:, j])) for j in range(64)}
    assert len(winners) > 20
    assert len(hashes) == 50


@pytest.mark.parametrize("shared", [0, 20, 100, 160, 200])
def test_estimates_have_the_mean_and_variance_of_theory(shared: int) -> None:
    rng = np.random.default_rng(shared)
    j, k, runs = shared / 200, 128, 300
    errors = []
    for run in range(runs):
        a, b = related_sets(rng, 200, shared)
        minhash = MinHash(k, seed=run)
        errors.append((minhash.signature(a) == minhash.signature(b)).mean() - j)
    var = j * (1 - j) / k
    assert abs(np.mean(errors)) <= 4 * (var / runs) ** 0.5
    low, high = stats.chi2.ppf([1e-5, 1 - 1e-5], runs) / runs
    assert low * var <= np.mean(np.square(errors)) <= high * var


def test_estimates_agree_with_datasketch(docs: list[str]) -> None:
    sets = [shingles(doc) for doc in docs[:80]]
    ours = MinHash(256).signatures(sets)
    peers = Peer.bulk([[s.encode() for s in items] for items in sets], num_perm=256)
    pairs = list(combinations(range(80), 2))
    true = np.array([jaccard(sets[i], sets[j]) for i, j in pairs])
    mine = np.array([(ours[i] == ours[j]).mean() for i, j in pairs])
    theirs = np.array([peers[i].jaccard(peers[j]) for i, j in pairs])
    assert abs(mine - true).max() < 0.2
    bulk = np.sqrt(true * (1 - true) / 256).mean()
    assert abs(mine - true).mean() < 1.5 * max(abs(theirs - true).mean(), bulk)


@pytest.mark.parametrize("k", [0, -3])
def test_no_permutations(k: int) -> None:
    with pytest.raises(ValueError, match=f"num_perm={k}"):
        MinHash(k)


# LSH


@pytest.mark.parametrize(("bands", "rows"), [(16, 8), (8, 16), (42, 3), (1, 1)])
def test_catches_as_often_as_the_curve_says(bands: int, rows: int) -> None:
    rng = np.random.default_rng(bands)
    runs = 150
    for shared in (40, 100, 150, 180):
        hits = 0
        for run in range(runs):
            minhash = MinHash(128, seed=1000 * run + shared)
            a, b = (minhash.signature(x) for x in related_sets(rng, 200, shared))
            index: LSHIndex[str] = LSHIndex(bands, rows)
            index.insert("a", a)
            hits += "a" in index.query(b)
        p = 1 - (1 - (shared / 200) ** rows) ** bands
        assert catch_probability(shared / 200, bands, rows) == pytest.approx(p)
        assert stats.binomtest(hits, runs, p).pvalue > 1e-5


def test_finds_exactly_those_that_share_a_band() -> None:
    rng = np.random.default_rng(0)
    signatures = rng.integers(0, 3, size=(60, 12), dtype=np.uint32)
    index: LSHIndex[int] = LSHIndex(4, 3)
    peer = MinHashLSH(params=(4, 3), num_perm=12)
    for i, row in enumerate(signatures):
        index.insert(i, row)
        peer.insert(i, Peer(num_perm=12, hashvalues=row, scheme="affine32"))
    for row in signatures:
        same = (signatures.reshape(60, 4, 3) == row.reshape(4, 3)).all(axis=2).any(axis=1)
        expected = set(np.flatnonzero(same).tolist())
        assert index.query(row) == expected
        assert set(peer.query(Peer(num_perm=12, hashvalues=row, scheme="affine32"))) == expected
    assert index.query(np.full(12, 99, dtype=np.uint32)) == set()


def test_a_question_adds_nothing() -> None:
    index: LSHIndex[str] = LSHIndex(2, 2)
    index.query(np.zeros(4, dtype=np.uint32))
    assert index.query(np.zeros(4, dtype=np.uint32)) == set()
    assert not any(index._tables)


def test_bad_bands() -> None:
    with pytest.raises(ValueError, match="bands=0, rows=3"):
        LSHIndex(0, 3)
    with pytest.raises(ValueError, match=r"shape \(5,\) has no 2 bands of 3"):
        LSHIndex(2, 3).insert("x", np.zeros(5, dtype=np.uint32))
    with pytest.raises(ValueError, match=r"shape \(2, 6\)"):
        LSHIndex(2, 3).query(np.zeros((2, 6), dtype=np.uint32))


@FEW
@given(st.floats(0.02, 1), st.integers(1, 200))
def test_chosen_bands(threshold: float, num_perm: int) -> None:
    bands, rows = choose_bands(threshold, num_perm)
    assert 1 <= bands * rows <= num_perm
    enough = catch_probability(threshold, bands, rows) >= 0.9
    assert enough or (bands, rows) == (num_perm, 1)
    for longer in range(rows + 1, num_perm + 1):
        assert catch_probability(threshold, num_perm // longer, longer) < 0.9


@pytest.mark.parametrize("threshold", [0, -0.1, 1.01, float("nan")])
def test_bad_thresholds(threshold: float) -> None:
    with pytest.raises(ValueError, match="threshold="):
        dedup(["a"], threshold)


# Groups


@FEW
@given(st.integers(1, 30), st.lists(st.tuples(st.integers(0, 29), st.integers(0, 29))))
def test_union_find_is_connected_components(n: int, edges: list[tuple[int, int]]) -> None:
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    edges = [(a % n, b % n) for a, b in edges]
    groups = UnionFind(n)
    for a, b in edges:
        groups.union(a, b)
    rows, cols = zip(*edges, strict=True) if edges else ((), ())
    graph = coo_matrix((np.ones(len(edges)), (rows, cols)), shape=(n, n))
    _, labels = connected_components(graph, directed=False)
    least = [int(np.flatnonzero(labels == labels[i])[0]) for i in range(n)]
    assert [groups.find(i) for i in range(n)] == least


def test_a_long_chain_is_no_recursion() -> None:
    groups = UnionFind(100_000)
    for i in reversed(range(99_999)):
        groups.union(i, i + 1)
    assert groups.find(99_999) == 0


def brute_force(docs: list[str], threshold: float, n: int) -> list[list[int]]:
    sets = [shingles(doc, n) for doc in docs]
    groups = list(range(len(docs)))
    for i, j in combinations(range(len(docs)), 2):
        if jaccard(sets[i], sets[j]) >= threshold:
            old, new = groups[j], groups[i]
            groups = [new if g == old else g for g in groups]
    members = defaultdict(list)
    for i, g in enumerate(groups):
        members[g].append(i)
    return [group for group in members.values() if len(group) > 1]


@pytest.mark.parametrize(("threshold", "n"), [(0.8, 5), (0.4, 2)])
def test_dedup_against_all_pairs(docs: list[str], threshold: float, n: int) -> None:
    few = docs[:220]
    expected = brute_force(few, threshold, n)
    result = dedup(few, threshold, n)
    same = {p for group in expected for p in combinations(group, 2)}
    found = {p for group in result.clusters for p in combinations(group, 2)}
    assert found <= same  # pairs are verified: nothing wrong, only missed
    assert len(expected) > 20
    assert len(found) >= 0.9 * len(same)
    assert result.keep == sorted({*range(220)} - {i for g in result.clusters for i in g[1:]})


@FEW
@given(st.lists(st.sampled_from(["", "a b c", "A b. c", "b c d", "x", "!"]), max_size=12))
def test_dedup_at_one_is_equality_of_shingles(texts: list[str]) -> None:
    result = dedup(texts, 1.0, n=2)
    keys = [frozenset(shingles(text, 2)) for text in texts]
    assert [keys[i] for i in result.keep] == list(dict.fromkeys(keys))
    assert sorted(i for g in result.clusters for i in g) == [
        i for i, key in enumerate(keys) if keys.count(key) > 1
    ]


def test_one_of_each_group_stays_and_groups_are_transitive() -> None:
    a = " ".join(f"w{i}" for i in range(100))
    b = a.replace("w0 w1 w2 w3 w4 w5 w6 w7 w8 w9 ", "")
    c = b.replace("w90 w91 w92 w93 w94 w95 w96 w97 w98 w99", "")
    assert jaccard(shingles(a), shingles(c)) < 0.85 < jaccard(shingles(a), shingles(b))
    result = dedup([a, "something else", c, b], 0.85)
    assert result.keep == [0, 1]
    assert result.clusters == [[0, 2, 3]]


def test_dedup_of_nothing_and_of_a_string() -> None:
    result = dedup([])
    assert (result.keep, result.clusters) == ([], [])
    with pytest.raises(ValueError, match="single string"):
        dedup("abc")


# Bloom


@FEW
@given(st.sets(st.text(max_size=6), max_size=50), st.integers(1, 60))
def test_what_was_added_is_found(keys: set[str], n: int) -> None:
    bloom = BloomFilter(n, 0.1)
    for key in keys:
        bloom.add(key)
        bloom.add(key.encode("utf-8", "surrogatepass"))
    assert all(key in bloom for key in keys)


def test_an_empty_filter_holds_nothing() -> None:
    assert "x" not in BloomFilter(10)
    assert b"" not in BloomFilter(10)


@pytest.mark.parametrize("p", [0.3, 0.05, 0.01])
@pytest.mark.parametrize("load", [0.5, 1, 2])
def test_false_positives_as_derived(p: float, load: float) -> None:
    n, asked = 4000, 20_000
    bloom = BloomFilter(n, p)
    for i in range(int(load * n)):
        bloom.add(f"key {i}")
    found = sum(f"new {i}" in bloom for i in range(asked))
    m, k = bloom.n_bits, bloom.n_hashes
    theory = (1 - np.exp(-k * load * n / m)) ** k
    assert bloom.expected_rate(int(load * n)) == pytest.approx(theory)
    # The fill itself is random, and double hashing adds a little.
    assert abs(found - asked * theory) <= 5 * (asked * theory) ** 0.5 + 0.06 * asked * theory
    ones = sum(byte.bit_count() for byte in bloom.bits)
    assert ones == pytest.approx(m * (1 - (1 - 1 / m) ** (k * load * n)), rel=0.02)


def test_size_is_the_formula_rounded_up() -> None:
    for n, p in ((1, 0.5), (7, 0.01), (1000, 0.001)):
        bloom = BloomFilter(n, p)
        assert 0 <= bloom.n_bits - n * np.log(1 / p) / np.log(2) ** 2 < 1
        assert bloom.n_hashes == max(1, round(np.log2(1 / p)))
        assert 8 * len(bloom.bits) >= bloom.n_bits


@pytest.mark.parametrize(("n", "p"), [(0, 0.1), (-1, 0.1), (5, 0), (5, 1), (5, float("nan"))])
def test_no_such_filter(n: int, p: float) -> None:
    with pytest.raises(ValueError, match=f"n={n}, p={p}"):
        BloomFilter(n, p)


def test_no_such_key() -> None:
    with pytest.raises(ValueError, match="3 is neither bytes nor str"):
        _ = 3 in BloomFilter(5)
