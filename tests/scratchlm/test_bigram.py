"""Neural n-grams of chapter 3 against counts, closed forms and slow loops."""

from __future__ import annotations

import math
from itertools import repeat

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from scratchlm.bigram import (
    NeuralBigram,
    NeuralNGram,
    contexts,
    logprob,
    minibatches,
    train_sgd,
)
from scratchlm.ngram import NGramLM

FEW = settings(max_examples=40, deadline=None)
V = 5


def chain(n: int, seed: int = 0) -> np.ndarray:
    """Ids of a first-order chain whose every transition has a fair chance."""
    rng = np.random.default_rng(seed)
    rows = rng.dirichlet(np.full(V, 1.0), V) * 0.8 + 0.2 / V
    ids = [0]
    for _ in range(n):
        ids.append(int(rng.choice(V, p=rows[ids[-1]])))
    return np.array([*ids[1:], 0])


def pairs(ids: np.ndarray) -> np.ndarray:
    counts = np.zeros((V, V))
    np.add.at(counts, (np.concatenate([[0], ids[:-1]]), ids), 1)
    return counts


# -- contexts ----------------------------------------------------------------------


@FEW
@given(
    docs=st.lists(st.lists(st.integers(1, 4), max_size=6), max_size=5),
    size=st.integers(1, 6),
    open_end=st.booleans(),
)
def test_contexts_by_definition(docs: list[list[int]], size: int, open_end: bool) -> None:
    ids = [i for doc in docs for i in [*doc, 0]] + [3, 1] * open_end
    wanted, current = [], []
    for i in ids:
        wanted.append(([0] * size + current)[-size:])
        current = [] if i == 0 else [*current, i]
    found = contexts(ids, size)
    assert found.shape == (len(ids), size) and found.dtype == torch.int64
    assert found.tolist() == wanted


def test_contexts_bad_input() -> None:
    with pytest.raises(ValueError, match="size=0"):
        contexts([1], 0)
    with pytest.raises(ValueError, match="one row"):
        contexts([[1]], 1)
    with pytest.raises(ValueError, match="integers"):
        contexts([0.5, 1.5], 1)
    with pytest.raises(ValueError, match="id -1"):
        contexts([1, -1, 2], 1)


def test_minibatches_draw_matching_rows() -> None:
    x = torch.arange(50)[:, None]
    seen = set()
    for (a, b), _ in zip(minibatches(x, x[:, 0] * 2, 8, seed=1), range(60), strict=False):
        assert a.shape == (8, 1) and torch.equal(a[:, 0] * 2, b)
        seen |= set(a[:, 0].tolist())
    assert seen == set(range(50))
    first = next(minibatches(x, x, 8, seed=1))[0]
    assert torch.equal(first, next(minibatches(x, x, 8, seed=1))[0])


def test_minibatches_bad_input() -> None:
    x = torch.arange(4)
    for inputs, targets, size in ((x[:0], x[:0], 2), (x, x[:3], 2), (x[:3], x, 2), (x, x, 0)):
        with pytest.raises(
            ValueError, match=f"{len(inputs)} inputs, {len(targets)} targets, batch_size={size}"
        ):
            next(minibatches(inputs, targets, size))


# -- the bigram ---------------------------------------------------------------------


def test_a_fresh_bigram_knows_nothing() -> None:
    logits = NeuralBigram(V)(torch.tensor([[1, 2], [3, 4]]))
    assert logits.shape == (2, V)
    assert F.cross_entropy(logits, torch.tensor([0, 1])).item() == pytest.approx(math.log(V))


def test_lookup_is_one_hot_times_matrix() -> None:
    net = NeuralBigram(V)
    torch.nn.init.normal_(net.weight)
    x = torch.tensor([[0], [3], [3]])
    one_hot = F.one_hot(x[:, -1], V).float()
    torch.testing.assert_close(net(x), one_hot @ net.weight)


def test_gradient_is_counts_against_beliefs() -> None:
    ids = chain(200)
    net = NeuralBigram(V).double()
    torch.nn.init.normal_(net.weight)
    F.cross_entropy(net(contexts(ids, 1)), torch.tensor(ids)).backward()
    c = pairs(ids)
    p = net.weight.detach().softmax(-1).numpy()
    wanted = (c.sum(1, keepdims=True) * p - c) / len(ids)
    assert net.weight.grad is not None
    np.testing.assert_allclose(net.weight.grad.numpy(), wanted, atol=1e-12)


def test_log_counts_are_the_optimum() -> None:
    ids = chain(3000)
    net = NeuralBigram(V).double()
    c = pairs(ids)
    assert (c > 0).all()
    shift = np.random.default_rng(0).normal(size=(V, 1))  # any constant per row
    with torch.no_grad():
        net.weight.copy_(torch.tensor(np.log(c) + shift))
    counted = NGramLM(2, "none", vocab_size=V).fit(ids).logprob(ids)
    np.testing.assert_allclose(logprob(net, ids, 1), counted, atol=1e-9)
    F.cross_entropy(net(contexts(ids, 1)), torch.tensor(ids)).backward()
    assert net.weight.grad is not None
    assert net.weight.grad.abs().max().item() < 1e-12


def test_descent_reaches_the_counts() -> None:
    ids = chain(3000)
    net = NeuralBigram(V)
    x, y = contexts(ids, 1), torch.tensor(ids)
    losses = train_sgd(net, repeat((x, y)), steps=400, lr=2.0)
    c = pairs(ids)
    mle = -(c * np.log(c / c.sum(1, keepdims=True))).sum() / c.sum()
    found = -logprob(net, ids, 1).mean()
    assert losses[0] == pytest.approx(math.log(V), abs=1e-6)
    assert mle - 1e-6 <= found < mle + 0.01
    w = net.weight.detach().double().numpy()
    w -= w.mean(1, keepdims=True)
    log_c = np.log(c) - np.log(c).mean(1, keepdims=True)
    np.testing.assert_allclose(w, log_c, atol=0.1)


# -- the network of Bengio et al. ----------------------------------------------------


def test_ngram_network_by_hand() -> None:
    torch.manual_seed(0)
    net = NeuralNGram(V, context=3, d_embed=2, d_hidden=4)
    torch.nn.init.normal_(net.output.weight)
    x = torch.tensor([[9, 0, 1, 4], [9, 2, 2, 3]]) % 5
    e = net.embed.weight
    for row, logits in zip(x, net(x), strict=True):
        h = torch.cat([e[i] for i in row[-3:]])
        h = torch.tanh(net.hidden.weight @ h + net.hidden.bias)
        torch.testing.assert_close(logits, net.output.weight @ h + net.output.bias)
    assert sum(p.numel() for p in net.parameters()) == V * 2 + (6 * 4 + 4) + (4 * V + V)


def test_ngram_network_learns_what_a_bigram_cannot() -> None:
    """The next id is the one before the last: two words of context decide."""
    ids = np.tile([1, 2, 3, 2], 100)
    torch.manual_seed(0)
    net = NeuralNGram(V, context=2, d_embed=4, d_hidden=16)
    data = repeat((contexts(ids, 2), torch.tensor(ids)))
    losses = train_sgd(net, data, steps=150, lr=0.3)
    assert losses[0] == pytest.approx(math.log(V), abs=1e-5)
    assert losses[-1] < 0.05  # a bigram: half of the positions cost ln 2


def test_bad_sizes_and_contexts() -> None:
    with pytest.raises(ValueError, match="vocab_size=0"):
        NeuralBigram(0)
    with pytest.raises(ValueError, match="d_hidden=0"):
        NeuralNGram(5, 2, 3, 0)
    with pytest.raises(ValueError, match=r"contexts of 1 ids.* looks at 2"):
        NeuralNGram(5, 2, 3, 4)(torch.tensor([[1]]))


# -- training and scoring ------------------------------------------------------------


def test_sgd_is_momentum_with_a_falling_rate() -> None:
    ids = chain(50)
    x, y = contexts(ids, 1), torch.tensor(ids)
    net, twin = NeuralBigram(V).double(), torch.zeros(V, V, dtype=torch.float64)
    train_sgd(net, repeat((x, y)), steps=5, lr=0.7, momentum=0.8)
    velocity = torch.zeros_like(twin)
    for step in range(5):
        twin.requires_grad_()
        (g,) = torch.autograd.grad(F.cross_entropy(twin[x[:, 0]], y), twin)
        velocity = 0.8 * velocity + g
        twin = (twin - 0.7 * (1 - step / 5) * velocity).detach()
    torch.testing.assert_close(net.weight.detach(), twin)


def test_training_bad_input() -> None:
    x, y = torch.tensor([[1], [2]]), torch.tensor([2, 1])
    with pytest.raises(ValueError, match="steps=0"):
        train_sgd(NeuralBigram(V), repeat((x, y)), 0, 0.1)
    with pytest.raises(ValueError, match="ended after 3 of 9"):
        train_sgd(NeuralBigram(V), [(x, y)] * 3, 9, 0.1)
    net = NeuralBigram(V)
    with torch.no_grad():
        net.weight[1, 1] = math.inf
    with pytest.raises(ValueError, match=r"nan, batch 1: is lr=0\.1"):
        train_sgd(net, repeat((x, y)), 5, 0.1)


def test_logprob_is_one_softmax_after_another() -> None:
    torch.manual_seed(0)
    net = NeuralNGram(V, 2, 3, 4)
    torch.nn.init.normal_(net.output.weight)
    ids = chain(60)
    found = logprob(net, ids, 2)
    assert found.shape == (len(ids),) and found.dtype == np.float64
    np.testing.assert_allclose(found, logprob(net, ids, 2, block=7), atol=1e-6)
    past = [0, 0]
    for i, log_p in zip(ids.tolist(), found, strict=True):
        p = net(torch.tensor([past]))[0].softmax(-1)
        assert math.log(p[i].item()) == pytest.approx(log_p, abs=1e-5)
        past = [past[1], i] if i else [0, 0]
    assert logprob(net, [], 2).shape == (0,)


def test_logprob_bad_ids() -> None:
    net = NeuralBigram(V)
    for bad, message in (
        ([7], "id 7 is not in a vocabulary of 5"),
        ([1, 5, 2], "id 5 is not in a vocabulary of 5"),
        ([1, 2, -100], "id -100"),  # not what a loss should ignore
        ([-100, 1], "id -100"),
        ([1.7, 2.2], "integers"),
        ([[1]], "one row"),
    ):
        with pytest.raises(ValueError, match=message):
            logprob(net, bad, 1)
