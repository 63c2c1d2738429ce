"""Chapter 4: Tokens: from raw bytes to a vocabulary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from scratchlm.tokenizer.pretokenize import pretokenize

# § sec-wordpiece
Counts = NDArray[np.int64]
SCORES = ("ratio", "gain", "count")


def pair_scores(
    pair: Counts, left: Counts, right: Counts, total: int, score: str
) -> NDArray[np.float64]:
    """How much each adjacent pair of symbols deserves to be merged.

    Args:
        pair: (P,) positive counts of the pairs.
        left, right: (P,) counts of their two symbols.
        total: count of all symbols.
        score: "ratio", pair / (left * right); "gain", the change of the
            log-likelihood of a unigram model whose old probabilities are
            kept, in nats; "count", the pair's count, as in BPE.

    Returns:
        (P,) scores; the largest is merged.

    Raises:
        ValueError: there is no such score.
    """
    if score not in SCORES:
        raise ValueError(f"score={score!r} is none of {SCORES}")
    if score == "count":
        return pair.astype(np.float64)
    ratio: NDArray[np.float64] = pair / (left.astype(np.float64) * right)
    if score == "ratio":
        return ratio
    return np.asarray(pair * np.log(ratio * total), dtype=np.float64)


class SymbolPairs:
    """Words as lists of symbols, with all counts that training needs.

    Args:
        words: every word and how often it occurs.
        prefix: what marks a symbol that does not begin its word.
    """

    def __init__(self, words: Mapping[str, int], prefix: str) -> None:
        self.prefix = prefix
        self.names: list[str] = []                  # of symbols, by id
        self.ids: dict[str, int] = {}
        self.uses = np.zeros(1024, dtype=np.int64)  # of symbols, by id
        self.rows: dict[tuple[int, int], int] = {}  # of pairs
        self.pairs = np.zeros((1024, 3), dtype=np.int64)  # a, b, count
        self.where: list[set[int]] = []             # words, by row
        split = [[w[0], *(prefix + c for c in w[1:])] for w in words if w]
        for name in sorted({name for symbols in split for name in symbols}):
            self.add_symbol(name)
        self.words = [[self.ids[s] for s in symbols] for symbols in split]
        self.counts = [count for word, count in words.items() if word]
        for index in range(len(self.words)):
            self.tally(index, +1)

    def add_symbol(self, name: str) -> int:
        """The id of a symbol, which is made where there is none yet."""
        if name not in self.ids:
            self.ids[name] = len(self.names)
            self.names.append(name)
            if len(self.names) > len(self.uses):
                self.uses = np.append(self.uses, 0 * self.uses)
        return self.ids[name]

    def tally(self: SymbolPairs, index: int, sign: int) -> None:
        """Add a word to all counts (sign +1), or take it out (sign -1)."""
        word, count = self.words[index], sign * self.counts[index]
        for symbol in word:
            self.uses[symbol] += count
        for pair in pairwise(word):
            row = self.rows.setdefault(pair, len(self.rows))
            if row == len(self.where):
                self.where.append(set())
                if row == len(self.pairs):
                    self.pairs = np.append(self.pairs, 0 * self.pairs, axis=0)
                self.pairs[row, :2] = pair
            self.pairs[row, 2] += count
            if sign > 0:
                self.where[row].add(index)
            else:
                self.where[row].discard(index)

    def merge(self: SymbolPairs, pair: tuple[int, int]) -> str:
        """Make one symbol of a pair, from left to right in every word."""
        a, b = pair
        tail = self.names[b].removeprefix(self.prefix)
        new = self.add_symbol(self.names[a] + tail)
        for index in sorted(self.where[self.rows[pair]]):
            self.tally(index, -1)
            old, word, i = self.words[index], [], 0
            while i < len(old):
                found = old[i : i + 2] == [a, b]
                word.append(new if found else old[i])
                i += 2 if found else 1
            self.words[index] = word
            self.tally(index, +1)
        return self.names[new]

    def best(
        self: SymbolPairs, score: str, min_count: int = 1
    ) -> tuple[int, int] | None:
        """The pair to merge next, or None where no pair is left.

        Scores that agree to twelve digits are a tie, and the pair that comes
        first in the order of its two strings wins it.

        Args:
            score: as for ``pair_scores``.
            min_count: rarer pairs are passed over.
        """
        table = self.pairs[: len(self.rows)]
        table = table[table[:, 2] >= min_count]
        if not len(table):
            return None
        left, right, pair = table.T
        values = pair_scores(
            pair, self.uses[left], self.uses[right], int(self.uses.sum()), score
        )
        top = values.max()
        ties = table[values >= top - 1e-12 * abs(top)]
        return min(
            ((int(a), int(b)) for a, b, _ in ties),
            key=lambda ab: (self.names[ab[0]], self.names[ab[1]]),
        )


def train_wordpiece(
    words: Mapping[str, int] | Iterable[str],
    vocab_size: int,
    special_tokens: Sequence[str] = ("[UNK]",),
    prefix: str = "##",
    score: str = "ratio",
    min_count: int = 1,
) -> dict[str, int]:
    """Learn a vocabulary of word pieces by merging pairs of symbols.

    Args:
        words: words with their counts, or words one after the other.
        vocab_size: how many pieces, special tokens and letters included.
        score, min_count: which pair is merged; see ``SymbolPairs.best``.

    Returns:
        piece -> id: special tokens, letters in order, then the pieces as
        they were learned; fewer than vocab_size where no pair is left.

    Raises:
        ValueError: min_count is not positive, or the special tokens and
            letters alone are more than vocab_size.
    """
    if min_count < 1:
        raise ValueError(f"min_count={min_count} is not positive")
    pairs = SymbolPairs(Counter(words), prefix)
    names = dict.fromkeys([*special_tokens, *pairs.names])
    if vocab_size < len(names):
        raise ValueError(f"vocab_size={vocab_size} is less than the "
                         f"{len(names)} special tokens and letters")
    while len(names) < vocab_size:
        pair = pairs.best(score, min_count)
        if pair is None:
            break
        names[pairs.merge(pair)] = None
    return {name: index for index, name in enumerate(names)}


BERT_PATTERN = r"[\p{P}$+<=>^`|~]|[^\p{P}$+<=>^`|~\p{White_Space}]+"


class WordPieceTokenizer:
    """Greedy longest-match encoding of words (Devlin et al. 2019).

    Args:
        vocab: piece -> id, all ids different.
        unk_token: what stands for a word that cannot be spelled.
        prefix: what marks a piece that does not begin its word.
        max_chars: longer words are unknown, without a look at them.
        pattern: what is a word; BERT's rule without its normalizer.

    Raises:
        ValueError: unk_token is not in vocab, or two pieces share an id.
    """

    def __init__(
        self,
        vocab: Mapping[str, int],
        unk_token: str = "[UNK]",
        prefix: str = "##",
        max_chars: int = 100,
        pattern: str = BERT_PATTERN,
    ) -> None:
        if unk_token not in vocab:
            raise ValueError(f"unk_token={unk_token!r} is not in vocab")
        self.vocab = dict(vocab)
        self.pieces = {index: piece for piece, index in vocab.items()}
        if len(self.pieces) < len(self.vocab):
            raise ValueError("two pieces of vocab share an id")
        self.unk_id = self.vocab[unk_token]
        self.prefix = prefix
        self.max_chars = max_chars
        self.pattern = pattern
        self.longest = max(map(len, self.vocab))

    def encode_word(self: WordPieceTokenizer, word: str) -> list[int]:
        """The ids of one word's pieces; [unk_id] if it has no spelling."""
        if len(word) > self.max_chars:
            return [self.unk_id]
        ids: list[int] = []
        start = 0
        while start < len(word):
            mark = self.prefix if start else ""
            for end in range(min(len(word), start + self.longest), start, -1):
                piece = self.vocab.get(mark + word[start:end])
                if piece is not None:
                    break
            else:
                return [self.unk_id]
            ids.append(piece)
            start = end
        return ids

    def encode(self: WordPieceTokenizer, text: str) -> list[int]:
        """The ids of a text, word by word. White space is lost."""
        words = pretokenize(text, self.pattern)
        return [index for word in words for index in self.encode_word(word)]

    def decode(self: WordPieceTokenizer, ids: Iterable[int]) -> str:
        """The words of a sequence of ids, with one space between them.

        Raises:
            ValueError: an id is not in the vocabulary.
        """
        text = ""
        for index in ids:
            if index not in self.pieces:
                raise ValueError(f"id {index} is not in the vocabulary")
            piece = self.pieces[index]
            inside = text and piece.startswith(self.prefix)
            text += piece.removeprefix(self.prefix) if inside else " " + piece
        return text.removeprefix(" ")
