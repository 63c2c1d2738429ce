"""Chapter 3: Predicting by counting, then by learning."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from scratchlm.ngram import checked_ids
from scratchlm.numerics import token_nll


# § sec-pytorch
class NeuralBigram(nn.Module):
    """A row of logits for every word that can come before.

    Args:
        vocab_size: V.
    """

    context = 1

    def __init__(self, vocab_size: int) -> None:
        super().__init__()
        if vocab_size < 1:
            raise ValueError(f"vocab_size={vocab_size}: there is nothing "
                             "to predict")
        self.weight = nn.Parameter(torch.zeros(vocab_size, vocab_size))

    def forward(self, contexts: Tensor) -> Tensor:
        """Logits of the next word, (B, V), from contexts, (B, T), T > 0."""
        return self.weight[contexts[:, -1]]


def contexts(ids: ArrayLike, size: int, boundary: int = 0) -> Tensor:
    """The ids before each position, none from another document.

    Args:
        ids: (T,), documents in a row, each with its boundary at the end.
        size: how many.

    Returns:
        (T, size), the nearest last. Where the document has not begun yet
        stands its boundary.

    Raises:
        ValueError: ids are not one row of ids, or size is below 1.
    """
    row = checked_ids(ids)
    if size < 1:
        raise ValueError(f"size={size}: want at least one id before each")
    ends = np.flatnonzero(row == boundary)
    starts, here = np.append(0, ends + 1), np.arange(len(row))
    age = here - starts[np.searchsorted(ends, here)]   # ids since the start
    columns = [np.where(age >= back, np.roll(row, back), boundary)
               for back in range(size, 0, -1)]
    return torch.from_numpy(np.stack(columns, axis=1))


def minibatches(inputs: Tensor, targets: Tensor, batch_size: int,
                seed: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
    """Random examples without end, batch_size of (N, ...) at a time.

    Raises:
        ValueError: at the first batch, if there can be none.
    """
    if not 0 < len(inputs) == len(targets) or batch_size < 1:
        raise ValueError(f"{len(inputs)} inputs, {len(targets)} targets, "
                         f"batch_size={batch_size}: want as many of one as "
                         "of the other, and no zero")
    rng = np.random.default_rng(seed)
    while True:
        pick = torch.from_numpy(rng.integers(0, len(inputs), batch_size))
        yield inputs[pick], targets[pick]


def train_sgd(model: nn.Module, batches: Iterable[tuple[Tensor, Tensor]],
              steps: int, lr: float, momentum: float = 0.9) -> list[float]:
    """Descend on the cross-entropy, one batch for each step.

    Args:
        model: from inputs to logits, (B, V).
        batches: pairs of inputs and targets, (B,); at least steps of them.
        lr: learning rate at first; it falls linearly to zero.

    Returns:
        The loss of every batch before its step, in nats.

    Raises:
        ValueError: steps below 1, too few batches, or a loss that is no
            longer finite.
    """
    if steps < 1:
        raise ValueError(f"steps={steps}: there is nothing to do")
    optimizer = torch.optim.SGD(model.parameters(), lr, momentum)
    losses: list[float] = []
    for inputs, targets in islice(batches, steps):
        optimizer.param_groups[0]["lr"] = lr * (1 - len(losses) / steps)
        loss = F.cross_entropy(model(inputs), targets)
        losses.append(loss.item())
        if not torch.isfinite(loss):
            raise ValueError(f"the loss is {losses[-1]}, batch "
                             f"{len(losses)}: is lr={lr} too large?")
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    if len(losses) < steps:
        raise ValueError(f"the batches ended after {len(losses)} of "
                         f"{steps} steps")
    return losses


# § sec-neural-ngram
class NeuralNGram(nn.Module):
    """Predicts from the embeddings of a few words (Bengio et al. 2003).

    Equation 1 of the paper without its optional direct connections.

    Args:
        vocab_size: V.
        context: m, how many words it sees.
        d_embed: numbers for each word.
        d_hidden: units of the hidden layer.
    """

    def __init__(self, vocab_size: int, context: int, d_embed: int,
                 d_hidden: int) -> None:
        super().__init__()
        sizes = {"vocab_size": vocab_size, "context": context,
                 "d_embed": d_embed, "d_hidden": d_hidden}
        for name, size in sizes.items():
            if size < 1:
                raise ValueError(f"{name}={size} must be at least 1")
        self.context = context
        self.embed = nn.Embedding(vocab_size, d_embed)
        self.hidden = nn.Linear(context * d_embed, d_hidden)
        self.output = nn.Linear(d_hidden, vocab_size)
        nn.init.zeros_(self.output.weight)
        nn.init.zeros_(self.output.bias)

    def forward(self, contexts: Tensor) -> Tensor:
        """Logits, (B, V), from the last ids of contexts, (B, T).

        Raises:
            ValueError: fewer ids than the model's context.
        """
        if contexts.shape[-1] < self.context:
            raise ValueError(f"contexts of {contexts.shape[-1]} ids: this "
                             f"model looks at {self.context}")
        rows = self.embed(contexts[:, -self.context:])      # (B, m, d)
        hidden = torch.tanh(self.hidden(rows.flatten(1)))   # (B, d_h)
        logits: Tensor = self.output(hidden)
        return logits


@torch.no_grad()
def logprob(model: nn.Module, ids: ArrayLike, context: int,
            boundary: int = 0, block: int = 4096) -> NDArray[np.float64]:
    """Log-probability in nats of every id given those before it: (T,).

    Args:
        model: from contexts, (B, context), to logits, (B, V).
        ids: (T,), documents in a row, each with its boundary at the end.
        block: positions at a time; bounds the memory.

    Raises:
        ValueError: what are no ids of the model's vocabulary.
    """
    past = contexts(ids, context, boundary)
    vocab_size = model(torch.full((1, context), boundary)).shape[-1]
    targets = torch.from_numpy(checked_ids(ids, vocab_size))
    nll = [-token_nll(model(past[i:i + block]), targets[i:i + block])
           for i in range(0, len(targets), block)]
    return torch.cat(nll).double().numpy() if nll else np.zeros(0)
