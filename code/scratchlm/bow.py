"""Chapter 6: Vectors and order."""

from __future__ import annotations

from torch import Tensor, nn

from scratchlm.embedding import Embedding, check_sizes


# § sec-vectors-blind
class BagOfWordsLM(nn.Module):
    """The next id from the mean of its context's vectors.

    Blind to order unless both positions and each are given.

    Args:
        vocab_size: V.
        d_model: numbers in an embedding.
        positions: from vectors (B, T, d_model) to vectors with their
            positions in them; none if not given.
        each: from one vector to another, (..., d_model) to (..., d_out),
            applied before the mean; the vector itself if not given.
        d_out: numbers that each gives, d_model if not given.
    """

    def __init__(self, vocab_size: int, d_model: int,
                 positions: nn.Module | None = None,
                 each: nn.Module | None = None,
                 d_out: int | None = None) -> None:
        super().__init__()
        width = d_model if d_out is None else d_out
        check_sizes(d_out=width)
        self.embed = Embedding(vocab_size, d_model)
        self.positions = nn.Identity() if positions is None else positions
        self.each = nn.Identity() if each is None else each
        self.head = nn.Linear(width, vocab_size)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def features(self, contexts: Tensor) -> Tensor:
        """The mean that the head sees: (B, T) to (B, d_out).

        Raises:
            ValueError: contexts that are not (B, T), or empty ones.
        """
        if contexts.ndim != 2 or contexts.shape[1] == 0:
            raise ValueError(f"contexts of shape {tuple(contexts.shape)}: "
                             "want (B, T) with T at least 1")
        vectors = self.positions(self.embed(contexts))  # (B, T, d_model)
        mean: Tensor = self.each(vectors).mean(dim=1)
        return mean

    def forward(self, contexts: Tensor) -> Tensor:
        """Logits of the next id, (B, V), from contexts, (B, T)."""
        logits: Tensor = self.head(self.features(contexts))
        return logits
