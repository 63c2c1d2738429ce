"""Chapter 3: Predicting by counting, then by learning."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scratchlm.numerics import TextScore

# § sec-counting-corpus
_WORD = re.compile(r"\w+(?:['’-]\w+)*|[^\w\s]|\n")
_CLOSING, _OPENING = frozenset(".,;:!?)]}…’”\n"), frozenset("([{‘“\n")


def words(text: str) -> list[str]:
    """The words, punctuation marks and line breaks of a text, in order."""
    return _WORD.findall(text)


def spell(tokens: Iterable[str]) -> str:
    """Words and marks as a text: ``words`` undone, where that is possible.

    One space goes before every token, except before marks that close,
    after marks that open, and around line breaks. A straight double quote
    opens and closes in turn. Unusual spacing does not come back.
    """
    pieces: list[str] = []
    quoted, glue = False, True
    for token in tokens:
        closes = token in _CLOSING or (token == '"' and quoted)
        pieces.append(token if glue or closes else " " + token)
        quoted ^= token == '"'
        glue = token in _OPENING or (token == '"' and quoted)
    return "".join(pieces)


IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]


class Vocabulary:
    """Types of words and their ids; 0 ends a document, 1 is unknown."""

    END, UNKNOWN = 0, 1

    def __init__(self, types: Iterable[str]) -> None:
        self.types = ("<|endoftext|>", "<unk>", *types)
        self._ids = {word: i for i, word in enumerate(self.types)}
        if len(self._ids) < len(self.types):
            raise ValueError("a word stands in the vocabulary twice")

    @classmethod
    def of(cls, texts: Iterable[str], min_count: int = 1) -> Self:
        """The words that occur min_count times or more, most first."""
        if isinstance(texts, str):
            raise ValueError("texts is a single string: want a list")
        counts = Counter(chain.from_iterable(map(words, texts)))
        kept = [w for w, c in counts.items() if c >= min_count]
        return cls(sorted(kept, key=lambda w: (-counts[w], w)))

    def __len__(self) -> int:
        return len(self.types)

    def __getitem__(self, word: str) -> int:
        return self._ids.get(word, self.UNKNOWN)

    def encode(self, *texts: str) -> IntArray:
        """Ids of documents in a row, each with its end: (T,)."""
        ids = [self[word] if word else self.END
               for text in texts for word in (*words(text), "")]
        return np.array(ids, dtype=np.int64)

    def decode(self, ids: ArrayLike) -> str:
        """The text of ids, with a blank line after each document's end.

        Raises:
            ValueError: an id that is no word's.
        """
        documents: list[list[str]] = [[]]
        for i in checked_ids(ids, len(self)).tolist():
            if i == self.END:
                documents.append([])
            else:
                documents[-1].append(self.types[i])
        if not documents[-1]:
            documents.pop()
        return "\n\n".join(map(spell, documents))


def checked_ids(ids: ArrayLike, vocab_size: int | None = None) -> IntArray:
    """ids as a flat int64 array.

    Raises:
        ValueError: not one row, not integers, or outside the vocabulary.
    """
    array = np.asarray(ids)
    if array.ndim != 1:
        raise ValueError(f"ids have shape {array.shape}: want one row")
    if array.size and array.dtype.kind not in "iu":
        raise ValueError(f"ids are {array.dtype}: want integers")
    size = math.inf if vocab_size is None else vocab_size
    wrong = array[(array < 0) | (array >= size)]
    if wrong.size:
        raise ValueError(f"id {wrong[0]} is not in a vocabulary" + (
            "" if vocab_size is None else f" of {vocab_size}"))
    return array.astype(np.int64)


# § sec-counting-arrays
@dataclass(frozen=True)
class Level:
    """All grams of one length: gram i is context keys[i] // V, then a word.

    Arrays have one more entry than there are grams or contexts, a zero at
    the end. A gram never seen has the number -1, which selects that zero.
    """

    keys: IntArray  # (grams + 1,), sorted; the last is larger than any
    counts: IntArray  # (grams + 1,)
    starts: IntArray  # (contexts + 1,), where each context's grams begin
    totals: IntArray  # (contexts + 1,), sum of a context's counts
    types: IntArray  # (contexts + 1,), its grams with a count above 0

    @classmethod
    def of(cls, keys: IntArray, counts: IntArray, n_contexts: int,
           vocab_size: int) -> Self:
        """From sorted keys without repeats, and the count of each."""
        context = keys // vocab_size
        edges = np.arange(n_contexts + 1) * vocab_size
        size = n_contexts + 1
        return cls(
            keys=np.append(keys, np.iinfo(np.int64).max),
            counts=np.append(counts, 0),
            starts=np.searchsorted(keys, edges),
            totals=np.bincount(context, counts, size).astype(np.int64),
            types=np.bincount(context[counts > 0], minlength=size))

    def find(self, keys: ArrayLike) -> IntArray:
        """The grams' numbers, -1 for those that are not here."""
        at = np.searchsorted(self.keys[:-1], keys)
        return np.where(self.keys[at] == keys, at, -1)


SMOOTHINGS = ("none", "add_k", "interpolated", "kneser_ney")


class NGramLM:
    """A language model that counts: each id given the n - 1 before it.

    Args:
        n: length of the grams; 1 looks at no context.
        smoothing: "none", "add_k", "interpolated" or "kneser_ney".
        vocab_size: ids go from 0 to V - 1; largest id + 1 if not given.
        boundary: the id that ends a document. No context reaches back
            over it, and a document begins as if it followed many.
        k: what "add_k" adds to every count.
        discount: what "kneser_ney" takes off every count, above 0 and at
            most 1; estimated for every length if not given.
    """

    def __init__(self, n: int, smoothing: str = "kneser_ney", *,
                 vocab_size: int | None = None, boundary: int = 0,
                 k: float = 1.0, discount: float | None = None) -> None:
        for name, size in (("n", n), ("vocab_size", vocab_size)):
            if size is not None and (size < 1 or size != int(size)):
                raise ValueError(f"{name}={size}: want a whole number "
                                 "above 0")
        if smoothing not in SMOOTHINGS:
            raise ValueError(f"smoothing={smoothing!r} is none of "
                             f"{', '.join(SMOOTHINGS)}")
        if not 0 < k < math.inf:
            raise ValueError(f"k={k} must be positive and finite")
        if discount is not None and not 0 < discount <= 1:
            raise ValueError(f"discount={discount} is not above 0 and at "
                             "most 1")
        self.n, self.smoothing, self.vocab_size = n, smoothing, vocab_size
        self.boundary, self.k, self.discount = boundary, k, discount
        self.levels: list[Level] = []          # these four: set by fit
        self.weights: FloatArray = np.zeros((n, 0))
        self.discounts: list[float] = []
        self._v = vocab_size or 0

    # § sec-counting-interpolation
    def fit(self, ids: ArrayLike, held_out: ArrayLike | None = None) -> Self:
        """Count the grams of a corpus.

        Args:
            ids: (T,), documents in a row, each with its boundary at the end.
            held_out: (T,), documents that are not in ids. "interpolated"
                chooses its weights on them; the others do not use them.

        Raises:
            ValueError: no ids, ids that are no part of the vocabulary, or
                nothing held out where it is needed.
        """
        aside: ArrayLike = () if held_out is None else held_out
        if self.smoothing == "interpolated" and np.asarray(aside).size == 0:
            raise ValueError("smoothing='interpolated' chooses its weights on "
                             "held_out documents: none are given")
        counted = self._adopt(ids)
        aside = checked_ids(aside, self._v)
        self.levels = self._count(counted)
        if self.smoothing == "interpolated":
            self._fit_weights(aside)
        return self

    # § sec-kneser-ney-by-hand
    def _count(self, ids: IntArray) -> list[Level]:
        """The levels of a corpus: grams of length 1, 2, ... n.

        For "kneser_ney" the counts of all but the longest are continuation
        counts: in how many distinct longer grams they are the end.
        """
        stream, at = self._padded(ids)
        node, n_contexts = np.zeros_like(stream), 1
        grams: list[tuple[IntArray, IntArray, int]] = []
        for _ in range(self.n):
            ending, (keys, first, node) = node, np.unique(
                self._keys(node, stream), return_index=True,
                return_inverse=True)
            counts = np.bincount(node[at], minlength=len(keys))
            if grams and self.smoothing == "kneser_ney":
                short_keys, _, n_before = grams[-1]
                company = np.bincount(ending[first[counts > 0]],
                                      minlength=len(short_keys))
                grams[-1] = short_keys, company, n_before
            grams.append((keys, counts, n_contexts))
            n_contexts = len(keys)
        self.discounts = [self._discount(counts) for _, counts, _ in grams]
        return [Level.of(*gram, self._v) for gram in grams]

    # § sec-counting-arrays
    def _padded(self, ids: IntArray) -> tuple[IntArray, IntArray]:
        """ids with n - 1 boundaries before each document; where ids went."""
        ends = ids == self.boundary
        before = np.cumsum(ends) - ends            # documents that have ended
        at = np.arange(len(ids)) + (self.n - 1) * (1 + before)
        stream = np.full(at[-1] + 1 if len(at) else 0, self.boundary)
        stream[at] = ids
        return stream, at

    def _keys(self, node: IntArray, stream: IntArray) -> IntArray:
        """Keys of the grams at every position, from those one word shorter.

        At position 0 the context is what stands there: more padding.
        """
        return np.concatenate([node[:1], node[:-1]]) * self._v + stream

    def _adopt(self, ids: ArrayLike) -> IntArray:
        """Checked ids to fit; settles the size of the vocabulary."""
        array = checked_ids(ids)
        if array.size == 0:
            raise ValueError("the corpus is empty: no ids to count")
        top = max(int(array.max()), self.boundary)
        self._v = top + 1 if self.vocab_size is None else self.vocab_size
        if not 0 <= self.boundary < self._v:
            raise ValueError(f"boundary={self.boundary} is not in a "
                             f"vocabulary of {self._v}")
        return checked_ids(array, self._v)

    # § sec-counting-lookup
    def _state(self, context: ArrayLike) -> list[int]:
        """The numbers of the last 0, 1, ... n - 1 ids; -1 for one unseen."""
        if not self.levels:
            raise ValueError("nothing has been counted yet: call fit first")
        inside = checked_ids(context, self._v).tolist()
        if self.boundary in inside:  # forget the documents before this one
            last = len(inside) - 1 - inside[::-1].index(self.boundary)
            inside = inside[last + 1:]
        padded = [self.boundary] * (self.n - 1) + inside
        state = [0] + [-1] * (self.n - 1)
        for word in padded[len(padded) - self.n + 1:]:
            state = self._advance(state, word)
        return state

    def _advance(self, state: list[int], word: int) -> list[int]:
        """The numbers after one more word."""
        return [0] + [int(level.find(node * self._v + word)) for level, node
                      in zip(self.levels, state[:-1], strict=False)]

    def prob(self, context: ArrayLike) -> FloatArray:
        """Probability of every id after a context, (V,), with the sum 1.

        Args:
            context: (T,), the ids of the document so far. Only the last n - 1
                count; a shorter context is the beginning of a document.
        """
        return self._distribution(self._state(context))

    def _distribution(self, state: list[int]) -> FloatArray:
        """Probabilities of all ids, (V,), after the contexts of a state."""
        p = np.full(self._v, 1 / self._v)
        for order, level in enumerate(self.levels, 1):
            node = state[order - 1]
            counts = np.zeros(self._v, dtype=np.int64)
            if node >= 0:
                here = slice(*level.starts[node:node + 2])
                counts[level.keys[here] % self._v] = level.counts[here]
            p = self._blend(order, counts, level.totals[node],
                            level.types[node], p)
        return p

    # § sec-kneser-ney-by-hand
    def _blend(self, order: int, counts: IntArray, totals: IntArray,
               types: IntArray, lower: FloatArray) -> FloatArray:
        """Probabilities by grams of one length, from those one word shorter.

        Args:
            order: length of the grams, from 1 to n.
            counts: (...), of the grams whose last word is asked for.
            totals, types: of their contexts; 0 for one never seen.
            lower: (...), the probabilities that one word less of context gave.
        """
        known = np.maximum(totals, 1)
        if self.smoothing == "kneser_ney":
            d = self.discounts[order - 1]
            mixed = (np.maximum(counts - d, 0) + d * types * lower) / known
            return np.where(totals > 0, mixed, lower)
        if self.smoothing == "interpolated":
            share: FloatArray = self.weights[order - 1, _bucket(totals)]
            return share * counts / known + (1 - share) * lower
        if order < self.n:
            return lower
        if self.smoothing == "add_k":
            return (counts + self.k) / (totals + self.k * self._v)
        return np.where(totals > 0, counts / known, lower)

    # § sec-counting-score
    def _walk(self, stream: IntArray
              ) -> Iterator[tuple[IntArray, IntArray, IntArray]]:
        """For each length: counts, totals and types at every position."""
        node = np.zeros_like(stream)
        for level in self.levels:
            keys = self._keys(node, stream)
            context = keys // self._v           # -1 for one never seen
            node = level.find(keys)
            yield (level.counts[node], level.totals[context],
                   level.types[context])

    def logprob(self, ids: ArrayLike) -> FloatArray:
        """Log-probability in nats of every id, given those before it: (T,).

        Args:
            ids: (T,), documents in a row; the first begins at position 0.

        Returns:
            -inf where the model holds an id for impossible.
        """
        if not self.levels:
            raise ValueError("nothing has been counted yet: call fit first")
        stream, at = self._padded(checked_ids(ids, self._v))
        p = np.full(len(stream), 1 / self._v)
        for order, found in enumerate(self._walk(stream), 1):
            p = self._blend(order, *found, p)
        with np.errstate(divide="ignore"):
            log_p: FloatArray = np.log(p[at])
        return log_p

    # § sec-counting-sampling
    def sample(self, rng: np.random.Generator, prefix: ArrayLike = (),
               max_new_tokens: int = 500, temperature: float = 1.0
               ) -> list[int]:
        """Continue a document until its end is drawn.

        Args:
            rng: the source of randomness; the same state, the same text.
            prefix: (T,), how the document begins; nothing starts a new one.
            max_new_tokens: where to stop if no end is drawn before.
            temperature: as in ``draw``.

        Returns:
            The new ids without the prefix, the boundary included if it came.

        Raises:
            ValueError: a prefix or temperature that cannot be, max_new_tokens
                below 0.
        """
        if max_new_tokens < 0:
            raise ValueError(f"max_new_tokens={max_new_tokens} is negative")
        state = self._state(prefix)
        new: list[int] = []
        while len(new) < max_new_tokens:
            word = draw(self._distribution(state), rng, temperature)
            new.append(word)
            if word == self.boundary:
                break
            state = self._advance(state, word)
        return new

    # § sec-counting-interpolation
    def _fit_weights(self, held_out: IntArray, rounds: int = 25) -> None:
        """Weights of the lengths by expectation maximization.

        One stop and one pass are added to every bucket, which keeps its
        weight between 0 and 1.
        """
        stream, at = self._padded(held_out)
        seen = [(counts[at] / np.maximum(totals[at], 1), _bucket(totals[at]))
                for counts, totals, _ in self._walk(stream)]
        self.weights = np.full((self.n, _N_BUCKETS), 0.5)
        self.weights[:, 0] = 0
        for _ in range(rounds):
            mixed = [np.full(len(at), 1 / self._v)]
            for weight, (ratio, bucket) in zip(self.weights, seen,
                                               strict=True):
                share = weight[bucket]
                mixed.append(share * ratio + (1 - share) * mixed[-1])
            reached = np.ones(len(at))
            for k in reversed(range(self.n)):
                ratio, bucket = seen[k]
                share = self.weights[k, bucket]
                stopped = reached * share * ratio / mixed[k + 1]
                arrivals = np.bincount(bucket, reached, _N_BUCKETS)
                stops = np.bincount(bucket, stopped, _N_BUCKETS)
                self.weights[k, 1:] = (stops[1:] + 1) / (arrivals[1:] + 2)
                reached = reached - stopped

    # § sec-kneser-ney-by-hand
    def _discount(self, counts: IntArray) -> float:
        """D for the grams of one length (Ney, Essen & Kneser 1994).

        Where no gram occurs once, or none twice, the estimate says 0 or 1,
        which would leave nothing to the unseen or take all from the rare:
        then it is 0.75.
        """
        if self.discount is not None:
            return self.discount
        once, twice = (int((counts == c).sum()) for c in (1, 2))
        return once / (once + 2 * twice) if once and twice else 0.75


# § sec-counting-score
@dataclass(frozen=True)
class Corpus:
    """Documents as ids, with what is needed to score a model on them."""

    ids: IntArray  # (T,), each document with its end
    n_bytes: int  # of the texts in UTF-8
    spelling: float  # nats that the unknown words cost beyond their ids

    @classmethod
    def of(cls, vocab: Vocabulary, texts: Iterable[str]) -> Self:
        """Texts in a vocabulary.

        Each word that it lacks costs, beyond its ``<unk>``, ln 257 nats
        for every byte and for its end.

        Raises:
            ValueError: no texts, or one string instead of a list.
        """
        if isinstance(texts, str):
            raise ValueError("texts is a single string: want a list")
        texts = list(texts)
        if not texts:
            raise ValueError("there are no texts")
        ids = vocab.encode(*texts)
        unknown: list[str] = []
        if vocab.UNKNOWN in ids:
            unknown = [word for text in texts for word in words(text)
                       if vocab[word] == vocab.UNKNOWN]
        spelled = sum(_n_bytes(word) + 1 for word in unknown)
        return cls(ids, sum(map(_n_bytes, texts)), spelled * math.log(257))


def _n_bytes(text: str) -> int:
    """Length in UTF-8; a lone surrogate counts as the three it would be."""
    return len(text.encode("utf-8", "surrogatepass"))


def score(logprob: Callable[[IntArray], FloatArray], corpus: Corpus
          ) -> TextScore:
    """What a model thinks of documents, their ends included.

    Args:
        logprob: of a model, from ids to nats.
        corpus: the documents in the model's vocabulary.

    Returns:
        A total that would pay for storing the texts, up to spaces that
        ``spell`` cannot restore; infinite if the model holds one of the
        texts for impossible.
    """
    nats = corpus.spelling - float(logprob(corpus.ids).sum())
    return TextScore(max(nats, 0.0), len(corpus.ids), corpus.n_bytes)


# § sec-counting-sampling
def draw(p: FloatArray, rng: np.random.Generator,
         temperature: float = 1.0) -> int:
    """An id, drawn from probabilities.

    Args:
        p: (V,), not negative, with a sum above 0.
        temperature: 1 draws from p itself, less prefers the likely ids.

    Raises:
        ValueError: p is no such thing, or a temperature that is not
            positive and finite. At 0 there is nothing to draw: take the
            largest probability.
    """
    p = np.asarray(p)
    if not (p.size and p.min() >= 0 and 0 < p.sum() < math.inf):
        raise ValueError(f"p={p}: want numbers that are not negative, with "
                         "a finite sum above 0")
    if not 0 < temperature < math.inf:
        raise ValueError(f"temperature={temperature} must be positive; for "
                         "the likeliest id take the argmax")
    if temperature != 1:
        with np.errstate(divide="ignore"):
            log_p = np.log(p) / temperature
        p = np.exp(log_p - log_p.max())
    total = p.cumsum()
    at = np.searchsorted(total, rng.random() * total[-1], side="right")
    return int(at)


# § sec-counting-interpolation
_N_BUCKETS = 32


def _bucket(totals: IntArray) -> IntArray:
    """Orders of magnitude: 0 is 0, 1 is 1, 2 and 3 are 2, 4 to 7 are 3."""
    exponents = np.frexp(totals)[1]
    return np.minimum(exponents, _N_BUCKETS - 1).astype(np.int64)
