"""Chapter 4: Tokens: from raw bytes to a vocabulary."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import AnyStr

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from scratchlm.numerics import logsumexp
from scratchlm.tokenizer.pretokenize import GPT2_PATTERN, pretokenize

# § sec-unigram
Lattice = list[list[tuple[int, float]]]


def lattice(
    text: AnyStr, logp: Mapping[AnyStr, float], longest: int | None = None
) -> Lattice:
    """All ways to spell a text, as arcs sorted by the place they reach.

    Args:
        text: characters or bytes.
        logp: log probabilities of pieces; one of -inf is never used.
        longest: length of the longest piece, found where not given.

    Returns:
        len(text) + 1 lists; that of place ``end`` holds (start, log prob)
        of every piece text[start:end], by increasing start.

    Raises:
        ValueError: no sequence of pieces spells the text.
    """
    if longest is None:
        longest = max(map(len, logp), default=0)
    arcs: Lattice = [[] for _ in range(len(text) + 1)]
    reached = {0}
    for end in range(1, len(text) + 1):
        for start in range(max(0, end - longest), end):
            score = logp.get(text[start:end], -math.inf)
            if score > -math.inf and start in reached:
                arcs[end].append((start, score))
                reached.add(end)
    if len(text) not in reached:
        raise ValueError(f"no pieces spell {text!r}: whatever is tried, "
                         f"nothing fits after place {max(reached)}")
    return arcs


def viterbi(
    text: AnyStr, logp: Mapping[AnyStr, float], longest: int | None = None
) -> tuple[list[AnyStr], float]:
    """The most probable segmentation of a text.

    Where two are equally probable, the one whose last piece is longest
    wins, then the one whose last piece but one is longest, and so on.

    Args:
        text, logp, longest: as for ``lattice``.

    Returns:
        Its pieces, and its log probability in nats.

    Raises:
        ValueError: no sequence of pieces spells the text.
    """
    arcs = lattice(text, logp, longest)
    best = [0.0] + [-math.inf] * len(text)
    came_from = [0] * len(arcs)
    for end in range(1, len(arcs)):
        for start, score in arcs[end]:
            if best[start] + score > best[end]:
                best[end], came_from[end] = best[start] + score, start
    pieces: list[AnyStr] = []
    end = len(text)
    while end > 0:
        pieces.append(text[came_from[end] : end])
        end = came_from[end]
    return pieces[::-1], best[-1]


def log_add(terms: list[float]) -> float:
    """Log of the sum of probabilities whose logs are given.

    Chapter 1's log-sum-exp on plain numbers: for a handful of them a
    tensor costs more than the sum.
    """
    top = max(terms, default=-math.inf)
    if top == -math.inf:
        return top
    return top + math.log(math.fsum(math.exp(x - top) for x in terms))


def forward(arcs: Lattice) -> list[float]:
    """Log probability of the text up to every place, over all paths."""
    alpha = [0.0]
    for arriving in arcs[1:]:
        alpha.append(log_add([alpha[s] + score for s, score in arriving]))
    return alpha


def forward_backward(
    text: AnyStr, logp: Mapping[AnyStr, float], longest: int | None = None
) -> tuple[float, dict[AnyStr, float]]:
    """Log probability of a text, and how often it uses each piece.

    Returns:
        log P(text) in nats, summed over all segmentations, and the
        expected count of every piece that may occur in the text.

    Raises:
        ValueError: no sequence of pieces spells the text.
    """
    arcs = lattice(text, logp, longest)
    alpha = forward(arcs)
    leaving: list[list[float]] = [[] for _ in arcs]
    counts: dict[AnyStr, float] = {}
    for end in range(len(text), 0, -1):
        beta = log_add(leaving[end]) if end < len(text) else 0.0
        for start, score in arcs[end]:
            leaving[start].append(score + beta)
            share = math.exp(alpha[start] + score + beta - alpha[-1])
            piece = text[start:end]
            counts[piece] = counts.get(piece, 0.0) + share
    return alpha[-1], counts


def sample(
    text: AnyStr,
    logp: Mapping[AnyStr, float],
    alpha: float,
    rng: random.Random,
    longest: int | None = None,
) -> list[AnyStr]:
    """Draw a segmentation with probability proportional to P(s)**alpha.

    Forward filtering, backward sampling, over all segmentations (Kudo
    2018, section 3.2, with his l as large as it can be).

    Raises:
        ValueError: alpha is negative or not finite, or no sequence of
            pieces spells the text.
    """
    if not 0 <= alpha < math.inf:
        raise ValueError(f"alpha={alpha} is not a finite number >= 0")
    arcs = [
        [(start, alpha * score) for start, score in arriving]
        for arriving in lattice(text, logp, longest)
    ]
    total = forward(arcs)
    pieces: list[AnyStr] = []
    end = len(text)
    while end > 0:
        starts = [start for start, _ in arcs[end]]
        weights = [
            math.exp(total[s] + x - total[end]) for s, x in arcs[end]
        ]
        start = rng.choices(starts, weights)[0]
        pieces.append(text[start:end])
        end = start
    return pieces[::-1]


def log_marginals(steps: Tensor, logp: Tensor) -> Tensor:
    """Log probability of many texts, each over all its segmentations.

    Args:
        steps: (B, T, L) integers. Entry (b, t, l) is the number of the
            piece of length l + 1 that ends with the t-th unit of text b;
            N where there is none, and N + 1 at (b, t, 0) for t past the
            end of the text.
        logp: (N,) log probabilities of the pieces, in nats.

    Returns:
        (B,) log probabilities. The gradient of their sum with respect to
        logp is the expected count of each piece (Eisner 2016).
    """
    scores = torch.cat([logp, logp.new_tensor([-math.inf, 0.0])])[steps]
    window = torch.full_like(scores[:, 0], -math.inf)   # (B, L)
    window[:, 0] = 0.0
    for t in range(scores.shape[1]):
        alpha = logsumexp(scores[:, t] + window, dim=1)  # (B,)
        window = torch.cat([alpha[:, None], window[:, :-1]], dim=1)
    return window[:, 0]


CELLS = 1 << 20  # of one block: some tens of megabytes with gradients


def lattice_blocks(
    texts: Sequence[bytes], number: Mapping[bytes, int]
) -> Iterator[tuple[Tensor, Tensor]]:
    """The lattices of many texts, in blocks of similar length.

    Args:
        texts: none of them empty.
        number: piece -> its number below N = len(number).

    Yields:
        (B,) places in texts, and (B, T, L) steps for ``log_marginals``.
    """
    longest = max(map(len, number))
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    while order:
        n_steps = len(texts[order[-1]])
        width = min(longest, n_steps)
        n_rows = max(1, CELLS // (n_steps * width))
        rows, order = order[-n_rows:], order[:-n_rows]
        steps = np.full((len(rows), n_steps, width), len(number))
        for row, place in enumerate(rows):
            text = texts[place]
            for end in range(1, len(text) + 1):
                for size in range(1, min(width, end) + 1):
                    found = number.get(text[end - size : end])
                    if found is not None:
                        steps[row, end - 1, size - 1] = found
            steps[row, len(text) :, 0] = len(number) + 1
        yield torch.tensor(rows), torch.from_numpy(steps)


def seed_pieces(
    words: Mapping[bytes, int], max_length: int, n_seeds: int
) -> dict[bytes, int]:
    """Substrings to start from, with how often they occur.

    Args:
        words: every word and its count.
        max_length: of a substring, in bytes; the shortest has two.
        n_seeds: at most so many, by count times length.
    """
    found: Counter[bytes] = Counter()
    for word, count in words.items():
        for start in range(len(word) - 1):
            stop = min(len(word), start + max_length)
            for end in range(start + 2, stop + 1):
                found[word[start:end]] += count
    ranked = sorted(
        (-count * len(piece), piece)
        for piece, count in found.items() if count > 1
    )
    return {piece: found[piece] for _, piece in ranked[:n_seeds]}


class UnigramTrainer:
    """Pieces, their log probabilities, and the lattices of all words."""

    def __init__(
        self, words: Mapping[bytes, int], max_length: int, n_seeds: int
    ) -> None:
        seeds = seed_pieces(words, max_length, n_seeds)
        self.pieces = [bytes([byte]) for byte in range(256)] + [*seeds]
        self.alive = torch.ones(len(self.pieces), dtype=torch.bool)
        self.history: list[tuple[int, float]] = []
        self.build(words)
        counts = torch.zeros(len(self.pieces), dtype=torch.float64)
        for word, count in words.items():
            for byte in word:
                counts[byte] += count
        counts[256:] = torch.tensor([n * len(s) for s, n in seeds.items()])
        self.m_step(counts)

    def build(self: UnigramTrainer, words: Mapping[bytes, int]) -> None:
        """Make the lattices of the words, and those of the pieces."""
        number = {piece: i for i, piece in enumerate(self.pieces)}
        texts = [word for word in words if word]
        uses = torch.tensor([words[t] for t in texts], dtype=torch.float64)
        self.words = [(uses[r], s) for r, s in lattice_blocks(texts, number)]
        self.others = []                # each piece, spelled without itself
        for rows, steps in lattice_blocks(self.pieces[256:], number):
            last = torch.tensor([len(self.pieces[256 + i]) for i in rows]) - 1
            steps[torch.arange(len(rows)), last, last] = len(number)
            self.others.append((rows + 256, steps))

    def e_step(self: UnigramTrainer) -> Tensor:
        """Expected counts (N,) of the pieces; the likelihood is recorded."""
        counts, total = torch.zeros_like(self.logp), 0.0
        leaf = self.logp.clone().requires_grad_()
        for uses, steps in self.words:
            likelihood = uses @ log_marginals(steps, leaf)
            counts += torch.autograd.grad(likelihood, leaf)[0]
            total += likelihood.item()
        self.history.append((int(self.alive.sum()), total))
        return counts

    def m_step(self: UnigramTrainer, counts: Tensor) -> None:
        """The probabilities that fit expected counts best."""
        counts = counts * self.alive
        # A byte that nothing needs now may be needed after pruning.
        counts[:256] = counts[:256].clamp(min=1e-30)
        self.logp = (counts / counts.sum()).log()

    def losses(self: UnigramTrainer, counts: Tensor) -> Tensor:
        """About how many nats the corpus would lose with each piece, (N,)."""
        loss = torch.zeros_like(counts)
        for rows, steps in self.others:
            used = self.alive[rows]
            rows = rows[used]
            ratio = self.logp[rows] - log_marginals(steps[used], self.logp)
            ratio = ratio.clamp(min=-30)  # ln(p / q); below, a loss of c
            loss[rows] = counts[rows] * (1 + (-ratio).exp()) * F.softplus(ratio)
        return loss

    def prune(self: UnigramTrainer, n_keep: int) -> None:
        """Keep the single bytes and the n_keep pieces that matter most."""
        counts = self.e_step()
        # Rounded, since the last digits of a sum differ between machines.
        ranked = sorted(
            (-round(loss, 6), self.pieces[i], i)
            for i, loss in enumerate(self.losses(counts).tolist())
            if i >= 256 and self.alive[i]
        )
        self.alive[[i for *_, i in ranked[n_keep:]]] = False
        self.m_step(counts)

    def run(
        self: UnigramTrainer, n_pieces: int, em_steps: int, keep: float
    ) -> UnigramModel:
        """Alternate EM and pruning until n_pieces longer pieces are left."""
        while True:
            for _ in range(em_steps):
                self.m_step(self.e_step())
            n_left = int(self.alive.sum()) - 256
            if n_left <= n_pieces:
                break
            self.prune(max(n_pieces, int(keep * n_left)))
        logp = self.logp.clone()
        logp[:256] = logp[:256].clamp(min=math.log(BYTE_FLOOR))
        logp -= logsumexp(logp, dim=0)
        table = dict(zip(self.pieces, logp.tolist(), strict=True))
        longer = [x for x in self.pieces[256:] if table[x] > -math.inf]
        longer.sort(key=lambda x: (-table[x], x))
        order = [*self.pieces[:256], *longer]
        return UnigramModel({x: table[x] for x in order}, self.history)


BYTE_FLOOR = 1e-9  # probability of a byte that training had no use for


@dataclass(frozen=True)
class UnigramModel:
    """Pieces with log probabilities, and how training went."""

    logp: dict[bytes, float]          # nats; every single byte is there
    history: list[tuple[int, float]]  # pieces, log-likelihood in nats


def train_unigram(
    words: Mapping[str, int] | Iterable[str],
    vocab_size: int,
    max_length: int = 16,
    em_steps: int = 2,
    keep: float = 0.75,
    n_seeds: int | None = None,
) -> UnigramModel:
    """Learn pieces and their probabilities (Kudo 2018, section 3.2).

    Args:
        words: pre-tokens with their counts, or one after the other.
        vocab_size: pieces in the end, the 256 single bytes included; there
            are fewer where EM leaves fewer with a probability above zero.
        max_length: of a piece, in bytes, 2 or more.
        em_steps: between one pruning and the next, 1 or more.
        keep: share of the pieces that survives a pruning, between 0 and 1.
        n_seeds: longer pieces at the start; 10 * vocab_size if None.

    Raises:
        ValueError: an argument is out of range, there is no text, or a
            word has a lone surrogate, which UTF-8 cannot hold.
    """
    if vocab_size < 256:
        raise ValueError(f"vocab_size={vocab_size} is less than 256 bytes")
    if max_length < 2 or em_steps < 1 or not 0 < keep < 1:
        raise ValueError(f"max_length={max_length}, em_steps={em_steps}, "
                         f"keep={keep}: one is out of range")
    counts = {w.encode(): n for w, n in Counter(words).items() if w and n}
    if not counts:
        raise ValueError("there are no words to learn from")
    n_seeds = 10 * vocab_size if n_seeds is None else n_seeds
    trainer = UnigramTrainer(counts, max_length, n_seeds)
    return trainer.run(vocab_size - 256, em_steps, keep)


class UnigramTokenizer:
    """Most probable segmentation of every pre-token (Kudo 2018).

    Ids 0 to 255 are the single bytes, the others follow in the order of
    logp: no text is unknown, and decoding gives it back.

    Args:
        logp: log probability in nats of every single byte and of pieces.
        pattern: the pre-tokens, which no piece crosses.

    Raises:
        ValueError: a single byte is missing or impossible, or a value is
            no log probability.
    """

    def __init__(
        self, logp: Mapping[bytes, float], pattern: str = GPT2_PATTERN
    ) -> None:
        for piece, value in logp.items():
            if not value <= 0:
                raise ValueError(f"piece {piece!r}: {value} is no log of a "
                                 "probability")
        singles = [bytes([byte]) for byte in range(256)]
        for byte in singles:
            if logp.get(byte, -math.inf) == -math.inf:
                raise ValueError(f"byte {byte!r} has no probability")
        longer = [piece for piece in logp if len(piece) > 1]
        self.vocab = dict(enumerate([*singles, *longer]))
        self.ids = {piece: index for index, piece in self.vocab.items()}
        self.logp = {piece: logp[piece] for piece in self.ids}
        self.longest = max(map(len, self.ids))
        self.pattern = pattern
        self.cache: dict[str, list[int]] = {}

    def encode_word(self: UnigramTokenizer, word: str) -> list[int]:
        """The ids of one pre-token's most probable segmentation."""
        if word not in self.cache:
            if len(self.cache) >= 100_000:
                self.cache.clear()
            pieces, _ = viterbi(word.encode(), self.logp, self.longest)
            self.cache[word] = [self.ids[piece] for piece in pieces]
        return self.cache[word]

    def encode(self: UnigramTokenizer, text: str) -> list[int]:
        """The ids of a text, pre-token by pre-token."""
        words = pretokenize(text, self.pattern)
        return [index for word in words for index in self.encode_word(word)]

    def sample(
        self: UnigramTokenizer, text: str, alpha: float, rng: random.Random
    ) -> list[int]:
        """The ids of a segmentation drawn as by ``sample``."""
        return [
            self.ids[piece]
            for word in pretokenize(text, self.pattern)
            for piece in sample(
                word.encode(), self.logp, alpha, rng, self.longest
            )
        ]

    def decode(
        self: UnigramTokenizer, ids: Iterable[int], errors: str = "replace"
    ) -> str:
        """The text of a sequence of ids; bytes that are no UTF-8 by errors.

        Raises:
            ValueError: an id is not in the vocabulary.
        """
        parts = []
        for index in ids:
            if index not in self.vocab:
                raise ValueError(f"id {index} is not in the vocabulary of "
                                 f"{len(self.vocab)}")
            parts.append(self.vocab[index])
        return b"".join(parts).decode(errors=errors)
