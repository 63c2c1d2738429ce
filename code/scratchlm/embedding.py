"""Chapter 6: Vectors and order."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from scratchlm.bigram import minibatches, train_sgd
from scratchlm.ngram import Vocabulary, checked_ids


# § sec-vectors-lookup
def check_index(ids: Tensor, size: int, what: str) -> None:
    """Refuse what is no index into a table of that size.

    The range is checked on the CPU only: on a GPU looking would make it
    wait, and there the kernel stops by itself.

    Raises:
        ValueError: ids are not integers, or one is outside the table.
    """
    if ids.dtype not in (torch.int64, torch.int32):
        raise ValueError(f"{what}s are {ids.dtype}: want int64 or int32")
    if ids.device.type == "cpu" and ids.numel():
        low, high = (int(x) for x in ids.aminmax())
        if low < 0 or high >= size:
            wrong = low if low < 0 else high
            raise ValueError(f"{what} {wrong} is not in a table of {size} "
                             f"rows, 0 to {size - 1}")


def check_sizes(**sizes: int) -> None:
    """Refuse a size that is below 1, by its name."""
    for name, size in sizes.items():
        if size < 1:
            raise ValueError(f"{name}={size} must be at least 1")


class Embedding(nn.Module):
    """A row of d_model numbers for every id, as ``nn.Embedding`` has.

    Args:
        vocab_size: V.
        d_model: numbers in a row.
        std: rows begin as normal noise of this standard deviation.
    """

    def __init__(self, vocab_size: int, d_model: int,
                 std: float = 1.0) -> None:
        super().__init__()
        check_sizes(vocab_size=vocab_size, d_model=d_model)
        self.weight = nn.Parameter(std * torch.randn(vocab_size, d_model))
        self.tied: list[nn.Linear] = []    # heads that share the weight

    @property
    def vocab_size(self) -> int:
        """How many rows there are."""
        return self.weight.shape[0]

    @property
    def d_model(self) -> int:
        """How many numbers a row has."""
        return self.weight.shape[1]

    def forward(self, ids: Tensor) -> Tensor:
        """Rows of ids: (...) to (..., d_model).

        Raises:
            ValueError: what is no id of the vocabulary.
        """
        check_index(ids, self.vocab_size, "id")
        return F.embedding(ids, self.weight)

    # § sec-vectors-resize
    @torch.no_grad()
    def resize(self, new_vocab: int, init: str = "mean") -> None:
        """Grow to more rows, tied heads and their biases with it.

        The weight becomes a new parameter: make a new optimizer after it.

        Args:
            new_vocab: rows afterwards, at least as many as now.
            init: of new rows: "mean" of the old ones (Hewitt 2021), "normal"
                with mean and spread of each column, or "zeros".

        Raises:
            ValueError: fewer rows, an unknown init, or a head whose weight is
                no longer this one.
        """
        n_new = new_vocab - self.vocab_size
        if n_new < 0:
            raise ValueError(f"new_vocab={new_vocab} is below the "
                             f"{self.vocab_size} rows there are")
        if any(head.weight is not self.weight for head in self.tied):
            raise ValueError("a tied head has another weight by now: tie it "
                             "again before resizing")
        if n_new == 0:
            _new_rows(self.weight, 0, init)
            return
        self.weight = _grown(self.weight, n_new, init)
        for head in self.tied:
            head.weight, head.out_features = self.weight, new_vocab
            if head.bias is not None:
                how = "zeros" if init == "zeros" else "mean"
                head.bias = _grown(head.bias, n_new, how)


# § sec-vectors-counts
IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]


def surroundings(ids: ArrayLike, window: int,
                 boundary: int = 0) -> IntArray:
    """The ids on both sides of each position, of the same document.

    Args:
        ids: (T,), documents in a row, each with its boundary at the end.
        window: how many on either side.

    Returns:
        (T, 2 window), in the order of the text. Where the document has no
        token stands the boundary.

    Raises:
        ValueError: ids are not one row of ids, or window is below 1.
    """
    row = checked_ids(ids)
    check_sizes(window=window)
    document = np.cumsum(row == boundary) - (row == boundary)
    columns = []
    for step in (*range(-window, 0), *range(1, window + 1)):
        at = np.arange(len(row)) + step
        inside = (at >= 0) & (at < len(row))
        at = np.where(inside, at, 0)
        inside &= document[at] == document
        columns.append(np.where(inside, row[at], boundary))
    return np.stack(columns, axis=1)


def cooccurrence(ids: ArrayLike, vocab_size: int, window: int,
                 boundary: int = 0) -> FloatArray:
    """How often two words stand within a window of each other: (V, V).

    The result is symmetric. Pairs with the boundary are not counted.

    Args:
        ids: (T,), documents in a row, each with its boundary at the end.
        window: distance at most, in tokens.

    Raises:
        ValueError: ids outside the vocabulary, or window below 1.
    """
    check_sizes(vocab_size=vocab_size)
    row = checked_ids(ids, vocab_size)
    size = vocab_size * vocab_size
    counts = np.zeros(size)
    for column in surroundings(row, window, boundary).T:
        met = (row != boundary) & (column != boundary)
        counts += np.bincount(row[met] * vocab_size + column[met],
                              minlength=size)
    return counts.reshape(vocab_size, vocab_size)


def pmi(counts: ArrayLike, positive: bool = True) -> FloatArray:
    """Pointwise mutual information, in nats (Church and Hanks 1990).

    Args:
        counts: (V, C), how often row and column occur together.
        positive: replace what is negative by 0, minus infinity included.

    Raises:
        ValueError: no table of counts, or nothing in it.
    """
    table = np.asarray(counts, dtype=np.float64)
    if table.ndim != 2 or not (np.isfinite(table) & (table >= 0)).all():
        raise ValueError(f"counts of shape {table.shape}: want a table of "
                         "finite numbers, none below 0")
    total = table.sum()
    if total == 0:
        raise ValueError("counts are all 0: nothing occurred together")
    expected = np.outer(table.sum(1), table.sum(0)) / total
    ratio = np.divide(table, expected, out=np.zeros_like(table),
                      where=expected > 0)
    if positive:
        return np.asarray(np.log(np.maximum(ratio, 1)))
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(ratio))


def svd_embeddings(pmi: ArrayLike, d_model: int
                   ) -> tuple[FloatArray, FloatArray]:
    """Two tables whose product is the best of its rank.

    Args:
        pmi: (V, C), finite.
        d_model: d, numbers in a row of either table.

    Returns:
        Rows of words (V, d) and of their neighbors (C, d), the singular
        values split evenly (Levy and Goldberg 2014, section 4.2), the
        largest number of each column of the first positive.

    Raises:
        ValueError: no finite table, or d_model larger than its sides.
    """
    table = np.asarray(pmi, dtype=np.float64)
    if table.ndim != 2 or not np.isfinite(table).all():
        raise ValueError(f"a table of shape {table.shape}: want rows and "
                         "columns of finite numbers")
    if not 1 <= d_model <= min(table.shape):
        raise ValueError(f"d_model={d_model} is not between 1 and "
                         f"{min(table.shape)}, the rank of the table")
    u, s, vt = np.linalg.svd(table, full_matrices=False)
    peak = np.abs(u).argmax(axis=0)
    root = np.sqrt(s) * np.where(u[peak, np.arange(len(s))] < 0, -1, 1)
    return (u * root)[:, :d_model], (vt.T * root)[:, :d_model]


def unit_rows(vectors: ArrayLike | Tensor) -> FloatArray:
    """Rows scaled to length one; a row of zeros stays as it is."""
    if isinstance(vectors, Tensor):
        vectors = vectors.detach().cpu().numpy()
    rows = np.asarray(vectors, dtype=np.float64)
    if rows.ndim != 2 or not np.isfinite(rows).all():
        raise ValueError(f"vectors of shape {rows.shape}: want rows of "
                         "finite numbers")
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(length > 0, length, 1))


def _row(word: str, rows: FloatArray, vocab: Vocabulary) -> int:
    """The id of a word that has a direction."""
    if len(rows) != len(vocab):
        raise ValueError(f"{len(rows)} vectors for a vocabulary of "
                         f"{len(vocab)}: want one for each")
    i = vocab[word]
    if vocab.types[i] != word:
        raise ValueError(f"{word!r} is not in the vocabulary")
    if not rows[i].any():
        raise ValueError(f"the vector of {word!r} is zero and has no "
                         "direction")
    return i


def _best(cosines: FloatArray, vocab: Vocabulary, k: int,
          without: set[int]) -> list[tuple[str, float]]:
    """The k words of largest cosine, ties in the order of ids."""
    if not 1 <= k <= len(vocab) - len(without):
        raise ValueError(f"k={k}: there are {len(vocab) - len(without)} "
                         "words to choose from")
    order = np.argsort(-cosines, kind="stable").tolist()
    chosen = [i for i in order if i not in without][:k]
    return [(vocab.types[i], float(cosines[i])) for i in chosen]


def nearest(word: str, k: int, vectors: ArrayLike | Tensor,
            vocab: Vocabulary) -> list[tuple[str, float]]:
    """The k words whose vectors point most nearly the same way.

    Args:
        word: not among its own neighbors.
        vectors: (V, d), a row for each word of the vocabulary.

    Returns:
        Words with their cosines, the largest first.

    Raises:
        ValueError: an unknown word, a vector of zeros, or k out of range.
    """
    rows = unit_rows(vectors)
    i = _row(word, rows, vocab)
    return _best(rows @ rows[i], vocab, k, {i})


# § sec-vectors-cbow
class CBOW(nn.Module):
    """A word from the mean of the vectors around it (Mikolov et al. 2013).

    Args:
        vocab_size: V.
        d_model: numbers for a word, in either of two tables.
    """

    def __init__(self, vocab_size: int, d_model: int) -> None:
        super().__init__()
        self.embed = Embedding(vocab_size, d_model, std=0.1)
        self.head = nn.Linear(d_model, vocab_size)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, around: Tensor) -> Tensor:
        """Logits of the word, (B, V), from those around it, (B, C)."""
        logits: Tensor = self.head(self.embed(around).mean(dim=1))
        return logits


def train_cbow(ids: ArrayLike, vocab_size: int, d_model: int,
               window: int = 2, steps: int = 800, lr: float = 10.0,
               batch_size: int = 512, seed: int = 0,
               boundary: int = 0) -> CBOW:
    """Vectors that predict words from both sides.

    Args:
        ids: (T,), documents in a row, each with its boundary at the end.
        lr: learning rate at first; it falls linearly to zero.

    Raises:
        ValueError: no ids of the vocabulary, or a loss not finite.
    """
    row = checked_ids(ids, vocab_size)
    around = torch.from_numpy(surroundings(row, window, boundary))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = CBOW(vocab_size, d_model)
    train_sgd(model, minibatches(around, torch.from_numpy(row),
                                 batch_size, seed), steps, lr)
    return model


# § sec-vectors-geometry
def pca(vectors: ArrayLike, n_axes: int = 2
        ) -> tuple[FloatArray, FloatArray]:
    """Coordinates along the directions of largest spread.

    Args:
        vectors: (N, d).
        n_axes: k, how many directions.

    Returns:
        (N, k), each axis with its largest number positive, and the share
        of the whole variance along each, (k,).

    Raises:
        ValueError: fewer directions than asked for, or no spread at all.
    """
    rows = np.asarray(vectors, dtype=np.float64)
    if rows.ndim != 2 or not 1 <= n_axes <= min(rows.shape):
        raise ValueError(f"n_axes={n_axes} of vectors of shape "
                         f"{rows.shape}: want 1 up to the smaller side")
    u, s, _ = np.linalg.svd(rows - rows.mean(axis=0), full_matrices=False)
    if not s.any():
        raise ValueError("all vectors are equal: there is no spread")
    points = (u * s)[:, :n_axes]
    peak = np.abs(points).argmax(axis=0)
    sign = np.where(points[peak, np.arange(n_axes)] < 0, -1, 1)
    return points * sign, (s**2 / (s**2).sum())[:n_axes]


def analogy(a: str, b: str, c: str, vectors: ArrayLike | Tensor,
            vocab: Vocabulary, k: int = 1, exclude: bool = True
            ) -> list[tuple[str, float]]:
    """What is to c as b is to a: the k words nearest to b - a + c.

    Args:
        vectors: (V, d), scaled to length one before they are added.
        exclude: pass over a, b and c, as is usual and worth doubting.

    Returns:
        Words with their cosines, the largest first.

    Raises:
        ValueError: an unknown word, a vector of zeros, or k out of range.
    """
    rows = unit_rows(vectors)
    i, j, m = (_row(word, rows, vocab) for word in (a, b, c))
    target = rows[j] - rows[i] + rows[m]
    length = np.linalg.norm(target)
    if length == 0:
        raise ValueError(f"{b!r} - {a!r} + {c!r} is zero and has no "
                         "direction")
    return _best(rows @ target / length, vocab, k,
                 {i, j, m} if exclude else set())


# § sec-vectors-tying
def tie(embedding: Embedding, head: nn.Linear) -> None:
    """Let a head share the embedding's weight, now and after a resize.

    The head's own weight is dropped, its bias stays (Press and Wolf 2017).

    Args:
        embedding: (V, d_model).
        head: from d_model to V; ``nn.Linear`` stores (V, d_model), so
            that nothing is transposed.

    Raises:
        ValueError: the shapes differ.
    """
    if head.weight.shape != embedding.weight.shape:
        raise ValueError(
            f"a head of shape {tuple(head.weight.shape)} cannot share a "
            f"table of shape {tuple(embedding.weight.shape)}")
    head.weight = embedding.weight
    if not any(other is head for other in embedding.tied):
        embedding.tied.append(head)


# § sec-vectors-resize
def _new_rows(old: Tensor, n_new: int, init: str) -> Tensor:
    """Rows to stand below the old ones: (n_new, ...)."""
    mean = old.mean(dim=0, keepdim=True).expand(n_new, *old.shape[1:])
    if init == "mean":
        return mean
    if init == "normal":
        spread = old.std(dim=0, unbiased=False, keepdim=True)
        return mean + spread * torch.randn_like(mean)
    if init == "zeros":
        return torch.zeros_like(mean)
    raise ValueError(f"init={init!r} is none of mean, normal, zeros")


def _grown(old: nn.Parameter, n_new: int, init: str) -> nn.Parameter:
    """A longer parameter that begins with the old one."""
    rows = torch.cat([old, _new_rows(old, n_new, init)])
    return nn.Parameter(rows, requires_grad=old.requires_grad)
