"""Chapter 4: Tokens: from raw bytes to a vocabulary."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

# § sec-unigram
Encode = Callable[[str], Sequence[int]]


def _totals(encode: Encode, texts: Iterable[str]) -> tuple[int, int, int]:
    """Tokens, UTF-8 bytes and words of some texts."""
    if isinstance(texts, str):
        raise TypeError("texts is one string; give a list of texts, [text]")
    tokens = n_bytes = words = 0
    for text in texts:
        tokens += len(encode(text))
        n_bytes += len(text.encode())
        words += len(text.split())
    return tokens, n_bytes, words


def bytes_per_token(encode: Encode, texts: Iterable[str]) -> float:
    """How many bytes of UTF-8 one token carries: the larger the shorter.

    Raises:
        ValueError: the texts give no token at all.
    """
    tokens, n_bytes, _ = _totals(encode, texts)
    if not tokens:
        raise ValueError("the texts give no tokens, so no bytes per token")
    return n_bytes / tokens


def fertility(encode: Encode, texts: Iterable[str]) -> float:
    """Tokens per word, a word being what white space sets apart.

    Means little for scripts that do not separate words (cf. Rust et al.
    2021, who count tokens per word of a segmented corpus).

    Raises:
        ValueError: the texts have no word.
    """
    tokens, _, words = _totals(encode, texts)
    if not words:
        raise ValueError("the texts have no words, so no tokens per word")
    return tokens / words


def renyi_efficiency(
    ids: Iterable[int], order: float = 2.5, vocab_size: int | None = None
) -> float:
    """How evenly tokens are used: Rényi entropy over its maximum.

    Zouhar et al. 2023, "Tokenization and the noiseless channel".

    Args:
        ids: tokens of a corpus.
        order: of the entropy, positive; 1 is Shannon's.
        vocab_size: number of tokens there are; those seen if None.

    Returns:
        Between 0, always the same token, and 1, all equally often.

    Raises:
        ValueError: there are no ids, order is not positive and finite, or
            vocab_size is below 2 or below the number of tokens seen.
    """
    counts = Counter(ids)
    size = len(counts) if vocab_size is None else vocab_size
    if not counts or not 0 < order < math.inf:
        raise ValueError(f"order={order} and {counts.total()} ids: need a "
                         "positive finite order and at least one id")
    if size < max(2, len(counts)):
        raise ValueError(f"vocab_size={size} with {len(counts)} different "
                         "tokens seen: need two or more, and all of them")
    shares = [n / counts.total() for n in counts.values()]
    if order == 1:
        entropy = -math.fsum(p * math.log(p) for p in shares)
    else:
        power = math.fsum(p**order for p in shares)
        entropy = math.log(power) / (1 - order)
    return entropy / math.log(size)
