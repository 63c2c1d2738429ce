"""Chapter 4: Tokens: from raw bytes to a vocabulary."""

from __future__ import annotations

import codecs
import hashlib
import heapq
import itertools
import json
import os
import secrets
import warnings
from collections import Counter, defaultdict
from collections.abc import (
    Callable,
    Collection,
    Iterable,
    Iterator,
    Mapping,
)
from dataclasses import dataclass, field
from itertools import chain, pairwise, repeat
from numbers import Integral
from operator import add
from pathlib import Path
from typing import Any, Literal, TypeAlias

from scratchlm.tokenizer.pretokenize import (
    BYTE_CHARS,
    GPT2_PATTERN,
    bytes_to_unicode,
    compile_pattern,
    pretokenize,
    settled,
    slices,
    utf8,
)
from scratchlm.tokenizer.special import (
    END_OF_TEXT,
    check_special,
    split_on_special,
)

# § sec-bpe-train
Pair: TypeAlias = tuple[bytes, bytes]
Tie: TypeAlias = Literal["hf", "lexicographic", "first"]
TIES: tuple[Tie, ...] = ("hf", "lexicographic", "first")


def count_pairs(words: Mapping[tuple[bytes, ...], int]) -> Counter[Pair]:
    """How often each pair of neighbors occurs in the words.

    Args:
        words: the tokens of each word, and how often the text has it.

    Returns:
        The counts, in the order in which the pairs first occur.
    """
    counts: Counter[Pair] = Counter()
    for word, times in words.items():
        for pair in pairwise(word):
            counts[pair] += times
    return counts


def merge_word(word: tuple[bytes, ...], pair: Pair) -> tuple[bytes, ...]:
    """The word with every occurrence of the pair joined, from the left."""
    merged: list[bytes] = []
    i = 0
    while i < len(word):
        if word[i : i + 2] == pair:
            merged.append(pair[0] + pair[1])
            i += 2
        else:
            merged.append(word[i])
            i += 1
    return tuple(merged)


def choose_pair(
    counts: Mapping[Pair, int], tie: Tie, ids: Mapping[bytes, int]
) -> Pair:
    """The commonest pair; among equals, the one that the tie rule names.

    Args:
        counts: at least one pair, in the order of first occurrence.
        tie: "first", the pair seen first; "lexicographic", the greatest
            pair of byte strings; "hf", the pair of the smallest ids.
        ids: of all tokens, for the rule "hf".
    """
    most = max(counts.values())
    tied = [pair for pair, count in counts.items() if count == most]
    if tie == "first":
        return tied[0]
    if tie == "lexicographic":
        return max(tied)
    return min(tied, key=lambda pair: (ids[pair[0]], ids[pair[1]]))


def merge_naively(
    counts: Mapping[str, int], n_merges: int, tie: Tie = "hf"
) -> list[Pair]:
    """The merges of byte-level BPE, every pair counted anew for each."""
    words = {
        tuple(bytes([byte]) for byte in word.encode()): times
        for word, times in counts.items()
    }
    alphabet = sorted(range(256), key=lambda byte: BYTE_CHARS[byte])
    ids = {bytes([byte]): i for i, byte in enumerate(alphabet)}
    merges: list[Pair] = []
    while len(merges) < n_merges and (pairs := count_pairs(words)):
        pair = choose_pair(pairs, tie, ids)
        words = {merge_word(word, pair): n for word, n in words.items()}
        ids[pair[0] + pair[1]] = len(ids)
        merges.append(pair)
    return merges


# § sec-bpe-fast
FIRST_NEW = 256 + 68          # code point of the first merged token


class PairIndex:
    """Words in training, with all their pairs counted, found and ranked.

    A token is one character here: a byte is its character of
    `bytes_to_unicode`, the k-th merge is the character FIRST_NEW + k. So a
    word is a string, a pair a string of two, and characters compare as the
    ids of Hugging Face's trainer do.

    Args:
        counts: the words, and how often the text has them.
        tie: the rule between pairs that are equally common.
    """

    def __init__(self, counts: Mapping[str, int], tie: Tie) -> None:
        byte_chars = dict(enumerate(BYTE_CHARS))
        self.words = [
            utf8(word).decode("latin-1").translate(byte_chars)
            for word in counts
        ]
        self.times = list(counts.values())
        self.tie = tie
        self.tokens = {char: bytes([b]) for b, char in byte_chars.items()}
        self.counts: defaultdict[str, int] = defaultdict(int)
        self.where: defaultdict[str, list[int]] = defaultdict(list)
        for i, word in enumerate(self.words):
            for pair in map("".join, pairwise(word)):
                self.counts[pair] += self.times[i]
                self.where[pair].append(i)
        self.heap = [(-n, self.key(p), p) for p, n in self.counts.items()]
        heapq.heapify(self.heap)

    def key(self, pair: str) -> Any:
        """What the tie rule compares: the smallest key wins."""
        if self.tie == "hf":
            return pair
        if self.tie == "lexicographic":
            downward = [
                [255 - byte for byte in self.tokens[char]] + [256]
                for char in pair
            ]
            return downward
        first = min(i for i in self.where[pair] if pair in self.words[i])
        before = self.words[first].partition(pair)[0]
        return first, sum(len(self.tokens[char]) for char in before)

    def best(self) -> str | None:
        """The pair to merge next; None when no word has a pair left."""
        while self.heap:
            negative, key, pair = self.heap[0]
            count = self.counts.get(pair, 0)
            if count == 0:
                heapq.heappop(self.heap)
                continue
            now = self.key(pair) if self.tie == "first" else key
            if (-count, now) == (negative, key):
                return pair
            heapq.heapreplace(self.heap, (-count, now, pair))
        return None

    def merge(self, pair: str) -> None:
        """Join the pair into one token wherever it occurs."""
        a, b = pair[0], pair[1]
        new = chr(FIRST_NEW + len(self.tokens) - 256)
        self.tokens[new] = self.tokens[a] + self.tokens[b]
        counts, where = self.counts, self.where
        fresh: defaultdict[str, int] = defaultdict(int)
        for i in where.pop(pair):
            left, found, right = self.words[i].partition(pair)
            if pair in right:
                self.recount(i, pair, new, fresh)
            if not found or pair in right:
                continue
            times = self.times[i]
            self.words[i] = left + new + right
            if left:
                counts[left[-1] + a] -= times
                fresh[left[-1] + new] += times
                where[left[-1] + new].append(i)
            if right:
                counts[b + right[0]] -= times
                fresh[new + right[0]] += times
                where[new + right[0]].append(i)
        del counts[pair]
        counts.update(fresh)
        for made, n in fresh.items():
            heapq.heappush(self.heap, (-n, self.key(made), made))

    def recount(
        self, i: int, pair: str, new: str, fresh: defaultdict[str, int]
    ) -> None:
        """Merge in a word that has the pair more than once."""
        old, times = self.words[i], self.times[i]
        word = self.words[i] = old.replace(pair, new)
        for known in map("".join, pairwise(old)):
            self.counts[known] -= times
        for known in map("".join, pairwise(word)):
            if new in known:
                fresh[known] += times
                self.where[known].append(i)
            else:
                self.counts[known] += times


def merge_fast(
    counts: Mapping[str, int],
    n_merges: int,
    tie: Tie = "hf",
    progress: Callable[[int, int], None] | None = None,
) -> list[Pair]:
    """The same merges as `merge_naively`, from counts that are kept.

    Args:
        counts: the words, and how often the text has them.
        n_merges: how many are wanted; fewer when the pairs run out.
        tie: the rule between pairs that are equally common.
        progress: called with (merges done, merges wanted) after each.
    """
    index = PairIndex(counts, tie)
    merges: list[Pair] = []
    while len(merges) < n_merges and (pair := index.best()):
        merges.append((index.tokens[pair[0]], index.tokens[pair[1]]))
        index.merge(pair)
        if progress:
            progress(len(merges), n_merges)
    return merges


# § sec-bpe-encode
@dataclass(frozen=True)
class BPEModel:
    """What training leaves behind, and all that encoding needs.

    Args:
        vocab: the bytes of every token, by id, special tokens included.
        merges: pairs in the order in which they were merged.
        special_tokens: their ids, by name.
        pattern: of the pre-tokens that the merges were learned in.

    Raises:
        ValueError: the parts do not belong together.
    """

    vocab: dict[int, bytes]
    merges: list[Pair]
    special_tokens: dict[str, int] = field(default_factory=dict)
    pattern: str = GPT2_PATTERN

    def __post_init__(self) -> None:
        check_special(self.special_tokens)
        compile_pattern(self.pattern)
        ids = self.ids()
        known = {bytes([byte]) for byte in range(256)}
        for pair in self.merges:
            joined = b"".join(pair)
            if not known.issuperset(pair) or joined in known:
                raise ValueError(f"merge {pair} cannot have been made: its "
                                 "parts must come before it, once")
            known.add(joined)
        for token in known ^ ids.keys():
            raise ValueError(f"token {token!r} is in the vocabulary or can "
                             "be made from bytes and merges, but not both")

    def ids(self) -> dict[bytes, int]:
        """The id of every token that is not special.

        Raises:
            ValueError: an id that is too large or no integer, a special token
                that the vocabulary does not have, or two ids for one token.
        """
        special = set(self.special_tokens.values())
        for name, i in self.special_tokens.items():
            if self.vocab.get(i) != name.encode():
                raise ValueError(f"special token {name!r} has id {i}, "
                                 f"which stands for {self.vocab.get(i)!r}")
        ids: dict[bytes, int] = {}
        for i, token in self.vocab.items():
            if not isinstance(i, int) or not 0 <= i <= MAX_ID:
                raise ValueError(f"id {i!r} is not between 0 and {MAX_ID}")
            if i not in special and ids.setdefault(token, i) != i:
                raise ValueError(f"token {token!r} has two ids: "
                                 f"{ids[token]} and {i}")
        return ids


MAX_ID = 0x10FFFF             # a token must fit into one character

CACHED_LENGTH = 64            # characters of the longest word remembered


class WordCache(dict[str, tuple[int, ...]]):
    """Words and their ids, computed when they are first asked for.

    Args:
        compute: the ids of a word.
        size: how many may be kept; a full cache starts again.
    """

    def __init__(
        self, compute: Callable[[str], tuple[int, ...]], size: int
    ) -> None:
        super().__init__()
        self.compute = compute
        self.size = size

    def __missing__(self, word: str) -> tuple[int, ...]:
        ids = self.compute(word)
        if len(word) <= CACHED_LENGTH and self.size > 0:
            if len(self) >= self.size:
                self.clear()
            self[word] = ids
        return ids


NEVER = 1 << 62               # the rank of a pair that no merge joins
LONG_WORD = 200               # tokens from which a heap is worth its price


class BPETokenizer:
    """Text to token ids and back, by the merges of a model.

    Inside, a token is the character whose code point is its id, so that
    merging a pair is replacing two characters by one.

    Args:
        model: what training left behind.
        cache_size: how many words may be remembered, with their ids.
    """

    def __init__(self, model: BPEModel, cache_size: int = 1 << 16) -> None:
        self.model = model
        self._ids = model.ids()
        char = {token: chr(i) for token, i in self._ids.items()}
        self._bytes = {b: char[bytes([b])] for b in range(256)}
        self._merges = [
            (char[a] + char[b], char[a + b]) for a, b in model.merges
        ]
        self._rank = {pair: i for i, (pair, _) in enumerate(self._merges)}
        self._cache = WordCache(self._merge_word, cache_size)

    def decode_bytes(self, ids: Iterable[int]) -> bytes:
        """The bytes that token ids stand for.

        Raises:
            TypeError: an id is no integer.
            ValueError: no token has such an id.
        """
        try:
            return b"".join([self.model.vocab[i] for i in ids])
        except KeyError as error:
            wrong = error.args[0]
        if not isinstance(wrong, Integral):
            raise TypeError(f"ids must be integers, not {type(wrong).__name__};"
                            " a tensor gives them with .tolist()")
        raise ValueError(f"no token has the id {wrong}; the vocabulary "
                         f"holds {len(self.model.vocab)} tokens")

    def _merge_word(self, word: str) -> tuple[int, ...]:
        """The ids of one pre-token: its merges, replayed by rank."""
        raw = utf8(word)
        if (whole := self._ids.get(raw)) is not None:
            return (whole,)
        chars = raw.decode("latin-1").translate(self._bytes)
        if len(chars) > LONG_WORD:
            return self._merge_long(chars)
        rank, never = self._rank.get, repeat(NEVER)
        while len(chars) > 1:
            first = min(map(rank, map(add, chars, chars[1:]), never))
            if first == NEVER:
                break
            chars = chars.replace(*self._merges[first])
        return tuple(map(ord, chars))

    def _merge_long(self, chars: str) -> tuple[int, ...]:
        """The same for long words, in time n log n: a heap of (rank, place)."""
        rank, at, end = self._rank, list(chars), len(chars)
        before = list(range(-1, end - 1))
        after = list(range(1, end + 1))
        heap = [
            (rank[pair], i)
            for i in range(end - 1)
            if (pair := chars[i : i + 2]) in rank
        ]
        heapq.heapify(heap)
        while heap:
            wanted, i = heapq.heappop(heap)
            j = after[i]
            pair = at[i] + at[j] if j < end else ""
            if not at[i] or rank.get(pair) != wanted:
                continue                      # merged away since it was put in
            at[i], at[j] = self._merges[wanted][1], ""
            after[i] = after[j]
            if after[i] < end:
                before[after[i]] = i
            for left in (before[i], i):
                if left >= 0 and after[left] < end:
                    pair = at[left] + at[after[left]]
                    if pair in rank:
                        heapq.heappush(heap, (rank[pair], left))
        return tuple(ord(char) for char in at if char)

    def decode(
        self,
        ids: Iterable[int],
        errors: Literal["replace", "strict", "ignore"] = "replace",
    ) -> str:
        """The text that token ids stand for.

        Args:
            ids: any sequence; its bytes need not be whole characters.
            errors: what becomes of bytes that are not UTF-8, as in
                `bytes.decode`.

        Raises:
            ValueError: an unknown id, or bytes that are not UTF-8 under
                "strict".
        """
        return self.decode_bytes(ids).decode("utf-8", errors)

    # § sec-special-tokens
    def encode(
        self,
        text: str,
        *,
        allowed_special: Collection[str] | Literal["all"] = (),
        disallowed_special: Collection[str] | Literal["all"] = "all",
    ) -> list[int]:
        """The token ids of a text.

        Args:
            text: any string without lone surrogates.
            allowed_special: special tokens that become their ids.
            disallowed_special: special tokens that must not occur, unless they
                are allowed. What is in neither is text like any other.

        Raises:
            TypeError: text is no string.
            ValueError: a disallowed special token, or a lone surrogate.
        """
        if not isinstance(text, str):
            raise TypeError(f"text is {type(text).__name__}, not str")
        allowed, disallowed = self._special(allowed_special, disallowed_special)
        ids: list[int] = []
        for part, is_special in split_on_special(text, allowed | disallowed):
            if not is_special:
                self._encode_text(part, ids)
            elif part in allowed:
                ids.append(self.model.special_tokens[part])
            else:
                raise ValueError(
                    f"the text has the special token {part!r}: put it into "
                    "allowed_special if it is meant, or take it out of "
                    "disallowed_special to read it as plain text"
                )
        return ids

    def _special(
        self,
        allowed: Collection[str] | Literal["all"],
        disallowed: Collection[str] | Literal["all"],
    ) -> tuple[set[str], set[str]]:
        """Both as sets; ValueError if the model has no such special token."""
        known = set(self.model.special_tokens)
        chosen = set(known if allowed == "all" else check_special(allowed))
        refused = set(
            known if disallowed == "all" else check_special(disallowed)
        )
        for name in (chosen | refused) - known:
            raise ValueError(f"{name!r} is not a special token of this model")
        return chosen, refused - chosen

    def _encode_text(self, text: str, ids: list[int]) -> None:
        """Append the ids of a text without special tokens."""
        known, pattern = self._cache.__getitem__, self.model.pattern
        for part in slices(text, pattern):
            words = pretokenize(part, pattern)
            ids += chain.from_iterable(map(known, words))

    # § sec-tokenizer-files
    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model to one JSON file, whole or not at all."""
        target = Path(path)
        if not target.parent.is_dir():
            raise FileNotFoundError(f"{target}: no folder {target.parent}")
        model = self.model
        special = set(model.special_tokens.values())
        content = {
            "pattern": model.pattern,
            "special_tokens": model.special_tokens,
            "vocab": {printable(token): i for i, token in model.vocab.items()
                      if i not in special},
            "merges": [" ".join(map(printable, pair)) for pair in model.merges],
        }
        whole = {"format": FORMAT, "sha256": _digest(content), "model": content}
        part = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
        try:
            with part.open("x", encoding="utf-8") as file:
                json.dump(whole, file, ensure_ascii=False, indent=0)
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, target)
        finally:
            part.unlink(missing_ok=True)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> BPETokenizer:
        """Read what `save` wrote.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: it is cut off, changed, or something else altogether.
        """
        try:
            whole = json.loads(Path(path).read_text(encoding="utf-8"))
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{path} is not a saved tokenizer, or not all of "
                             f"one: {error}") from None
        if not isinstance(whole, dict) or whole.get("format") != FORMAT:
            raise ValueError(f"{path} is JSON, but no file of the format "
                             f"{FORMAT!r}")
        content = whole.get("model")
        if not content or whole.get("sha256") != _digest(content):
            raise ValueError(f"{path} was changed after it was saved: its "
                             "content does not have the recorded sha256")
        try:
            special: dict[str, int] = content["special_tokens"]
            vocab = {i: from_printable(t) for t, i in content["vocab"].items()}
            vocab |= {i: utf8(name) for name, i in special.items()}
            merges = [read_merge(line) for line in content["merges"]]
            return cls(BPEModel(vocab, merges, special, content["pattern"]))
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise ValueError(f"{path} has our format and cannot be a "
                             f"tokenizer: {error!r}") from None

    # § sec-tokenizer-streams
    def encode_iterable(
        self,
        chunks: Iterable[str | bytes],
        *,
        allowed_special: Collection[str] | Literal["all"] = (),
        disallowed_special: Collection[str] | Literal["all"] = "all",
    ) -> Iterator[int]:
        """The ids of a text that comes in chunks, cut anywhere.

        They are the ids that `encode` gives for the whole. Memory grows with
        the longest pre-token, not with the text. Arguments and errors are
        those of `encode`; bytes must be UTF-8.
        """
        allowed, refused = self._special(allowed_special, disallowed_special)
        waiting, size, enough = [""], 0, CHUNK
        for chunk in decoded(chunks):
            waiting.append(chunk)
            size += len(chunk)
            if size < enough:
                continue
            text = "".join(waiting)
            end = self._settled(text, allowed | refused)
            yield from self.encode(text[:end], allowed_special=allowed,
                                   disallowed_special=refused)
            waiting, size = [text[end:]], len(text) - end
            enough = max(CHUNK, 2 * size)
        yield from self.encode("".join(waiting), allowed_special=allowed,
                               disallowed_special=refused)

    def _settled(self, text: str, specials: Collection[str]) -> int:
        """How many characters of a beginning have their ids for good."""
        limit = len(text) - max(map(len, specials), default=0)
        start = at = 0
        for part, is_special in split_on_special(text, specials):
            if at > limit:
                break
            at += len(part)
            if is_special:
                start = at
        rest = text[start : max(start, limit)]
        return start + settled(rest, self.model.pattern)


# § sec-special-tokens
def count_words(
    texts: Iterable[str],
    special_tokens: Collection[str] = (),
    pattern: str = GPT2_PATTERN,
) -> Counter[str]:
    """The pre-tokens of texts, and how often they occur.

    Args:
        texts: a list, a generator, an open file.
        special_tokens: left out, and never part of a pre-token.
        pattern: of the pre-tokens.

    Returns:
        Counts in the order of first occurrence.
    """
    if isinstance(texts, str | bytes):
        raise TypeError("texts must be many strings; for one, give [text]")
    specials = check_special(special_tokens)
    words: Counter[str] = Counter()
    for text in texts:
        for part, is_special in split_on_special(text, specials):
            if not is_special:
                for piece in slices(part, pattern):
                    words.update(pretokenize(piece, pattern))
    return words


def check_sizes(
    vocab_size: int, special_tokens: Collection[str], tie: str
) -> int:
    """How many merges a vocabulary of this size has room for.

    Raises:
        ValueError: it has no room for bytes and special tokens, or there
            is no such tie rule.
    """
    least = 256 + len(check_special(special_tokens))
    if vocab_size < least:
        raise ValueError(
            f"vocab_size={vocab_size} is too small: the 256 bytes and "
            f"{least - 256} special tokens need {least}"
        )
    if tie not in TIES:
        raise ValueError(f"tie={tie!r} is none of {', '.join(TIES)}")
    return vocab_size - least


def train_from_counts(
    counts: Mapping[str, int],
    vocab_size: int,
    special_tokens: Collection[str] = (),
    tie: Tie = "hf",
    pattern: str = GPT2_PATTERN,
    progress: Callable[[int, int], None] | None = None,
) -> BPEModel:
    """Byte-level BPE from the counts of pre-tokens (Sennrich et al. 2016).

    Ids: the 256 bytes, then the merges, then the special tokens.

    Args:
        counts: pre-tokens, and how often the corpus has them.
        vocab_size: tokens wanted in all. A corpus that runs out of pairs
            gives fewer, and a warning that says how many.
        special_tokens: distinct strings; no merge is learned from them.
        tie: the rule between pairs that are equally common.
        pattern: that made the pre-tokens; kept in the model.
        progress: called with (merges done, merges wanted) after each.

    Raises:
        ValueError: vocab_size, special_tokens or tie cannot be.
    """
    wanted = check_sizes(vocab_size, special_tokens, tie)
    merges = merge_fast(counts, wanted, tie, progress)
    tokens = [bytes([byte]) for byte in range(256)]
    tokens += [a + b for a, b in merges]
    specials = {name: len(tokens) + n
                for n, name in enumerate(special_tokens)}
    tokens += [name.encode() for name in specials]
    if len(merges) < wanted:
        warnings.warn(f"the corpus ran out of pairs: {len(tokens)} tokens, "
                      f"not {vocab_size}", stacklevel=2)
    return BPEModel(dict(enumerate(tokens)), merges, specials, pattern)


def train_bpe(
    texts: Iterable[str],
    vocab_size: int,
    special_tokens: Collection[str] = (),
    tie: Tie = "hf",
    pattern: str = GPT2_PATTERN,
    progress: Callable[[int, int], None] | None = None,
) -> BPEModel:
    """Byte-level BPE from texts; `train_from_counts` has the details."""
    check_sizes(vocab_size, special_tokens, tie)
    counts = count_words(texts, special_tokens, pattern)
    return train_from_counts(
        counts, vocab_size, special_tokens, tie, pattern, progress
    )


# § sec-tokenizer-files
FORMAT = "scratchlm byte-level BPE, version 1"
_TO_CHAR = bytes_to_unicode()
_TO_BYTE = {char: byte for byte, char in _TO_CHAR.items()}


def printable(token: bytes) -> str:
    """A token as GPT-2's files write it, in printable characters."""
    return "".join(_TO_CHAR[byte] for byte in token)


def from_printable(text: str) -> bytes:
    """The bytes of a token that `printable` wrote.

    Raises:
        ValueError: a character that stands for no byte.
    """
    for char in text:
        if char not in _TO_BYTE:
            raise ValueError(f"{char!r} stands for no byte in {text!r}")
    return bytes(_TO_BYTE[char] for char in text)


def _digest(content: object) -> str:
    """A fingerprint of a file's content, whatever its spacing."""
    text = json.dumps(content, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def read_merge(line: str) -> Pair:
    """One merge as GPT-2's files write it: two tokens and a space."""
    left, _, right = line.partition(" ")
    return from_printable(left), from_printable(right)


def load_gpt2(
    merges_file: str | os.PathLike[str], vocab_file: str | os.PathLike[str]
) -> BPEModel:
    """The tokenizer of GPT-2 from the two files published with it.

    Args:
        merges_file: `vocab.bpe`, a comment and then a merge in each line.
        vocab_file: `encoder.json`, the id of each token.

    Raises:
        ValueError: the files do not have that form, or do not agree.
    """
    lines = Path(merges_file).read_text(encoding="utf-8").splitlines()
    if not lines or not lines[0].startswith("#version"):
        raise ValueError(f"{merges_file} does not begin with #version")
    ids = json.loads(Path(vocab_file).read_text(encoding="utf-8"))
    if not isinstance(ids, dict) or END_OF_TEXT not in ids:
        raise ValueError(f"{vocab_file} has no id for {END_OF_TEXT}")
    special = {END_OF_TEXT: ids.pop(END_OF_TEXT)}
    vocab = {i: from_printable(token) for token, i in ids.items()}
    vocab |= {i: name.encode() for name, i in special.items()}
    merges = [read_merge(line) for line in lines[1:]]
    return BPEModel(vocab, merges, special)


def from_ranks(
    ranks: Mapping[bytes, int],
    special_tokens: Mapping[str, int] | None = None,
    pattern: str = GPT2_PATTERN,
) -> BPEModel:
    """A model from tokens and their ranks, which is all tiktoken keeps.

    The pair that made a token is found by encoding the token with the
    tokens of lower rank: two parts must be left.

    Raises:
        ValueError: a token that no two tokens of lower rank make.
    """
    tokens = sorted(ranks, key=lambda token: ranks[token])
    merges: list[Pair] = []
    for token in tokens:
        if len(token) == 1:
            continue
        parts = [token[i : i + 1] for i in range(len(token))]
        while len(parts) > 2:
            joined = [ranks.get(a + b, NEVER) for a, b in pairwise(parts)]
            if min(joined) >= ranks[token]:
                break
            i = joined.index(min(joined))
            parts[i : i + 2] = [parts[i] + parts[i + 1]]
        if len(parts) != 2:
            raise ValueError(f"no two tokens of lower rank make {token!r}")
        merges.append((parts[0], parts[1]))
    special = dict(special_tokens or {})
    vocab = {i: token for token, i in ranks.items()}
    vocab |= {i: name.encode() for name, i in special.items()}
    return BPEModel(vocab, merges, special, pattern)


# § sec-tokenizer-streams
def decoded(chunks: Iterable[str | bytes]) -> Iterator[str]:
    """Chunks of text; those of bytes may end inside a character.

    Raises:
        TypeError: a chunk that is neither text nor bytes.
        ValueError: bytes that are not UTF-8, with their place; text that
            comes before a character in bytes is whole.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    offset = 0
    for chunk in itertools.chain(chunks, [None]):
        if not isinstance(chunk, str | bytes | None):
            raise TypeError(f"a chunk is {type(chunk).__name__}, not str "
                            "or bytes; for one piece of bytes, give [data]")
        begun = len(decoder.getstate()[0])
        data = chunk if isinstance(chunk, bytes) else b""
        try:
            yield decoder.decode(data, final=not isinstance(chunk, bytes))
        except UnicodeDecodeError as error:
            raise ValueError(
                f"no UTF-8 at byte {offset - begun + error.start} of the "
                f"stream: {error.reason}"
            ) from None
        offset += len(data)
        if isinstance(chunk, str):
            yield chunk


CHUNK = 1 << 16               # characters that are worth a call of encode
