"""The bag of words of chapter 6: its definition, its blindness, and what ends it."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from scratchlm.bigram import logprob
from scratchlm.bow import BagOfWordsLM
from scratchlm.embedding import tie
from scratchlm.positions import LearnedPositions, SinusoidalPositions

FEW = settings(max_examples=30, deadline=None)
V, D, T = 7, 4, 4


def make(positions: str = "", each: bool = False, seed: int = 0) -> BagOfWordsLM:
    torch.manual_seed(seed)
    where = {"": None, "learned": LearnedPositions(T, D), "fixed": SinusoidalPositions(T, D)}
    layer = nn.Sequential(nn.Linear(D, 6), nn.GELU()) if each else None
    model = BagOfWordsLM(V, D, where[positions], layer, 6 if each else None)
    nn.init.normal_(model.head.weight)
    return model.double()


contexts = st.lists(st.integers(0, V - 1), min_size=T, max_size=T)


def spread(model: BagOfWordsLM, ids: list[int]) -> float:
    """Largest difference of logits among all orders of a context."""
    with torch.no_grad():
        logits = model(torch.tensor(list(itertools.permutations(ids))))
    return (logits - logits[0]).abs().max().item()


@FEW
@given(ids=contexts, seed=st.integers(0, 99))
def test_blind_to_order(ids: list[int], seed: int) -> None:
    assert spread(make(seed=seed), ids) < 1e-12
    assert spread(make(each=True, seed=seed), ids) < 1e-12


@FEW
@given(ids=contexts, seed=st.integers(0, 99))
def test_positions_before_a_mean_cancel(ids: list[int], seed: int) -> None:
    for kind in ("learned", "fixed"):
        assert spread(make(kind, seed=seed), ids) < 1e-12


@pytest.mark.parametrize("kind", ["learned", "fixed"])
@pytest.mark.parametrize("seed", range(5))
def test_positions_before_a_layer_are_seen(kind: str, seed: int) -> None:
    model = make(kind, each=True, seed=seed)
    assert spread(model, [1, 2, 3, 4]) > 1e-3
    assert spread(model, [5, 5, 5, 5]) < 1e-12


def test_positions_before_a_linear_layer_cancel() -> None:
    model = BagOfWordsLM(V, D, LearnedPositions(T, D), nn.Linear(D, 6), 6)
    nn.init.normal_(model.head.weight)
    assert spread(model.double(), [1, 2, 3, 4]) < 1e-12


def test_against_embedding_bag_with_gradients() -> None:
    model = make()
    bag = nn.EmbeddingBag(V, D, mode="mean").double()
    bag.load_state_dict(model.embed.state_dict())
    x, y = torch.tensor([[1, 1, 0, 6], [2, 3, 4, 5]]), torch.tensor([0, 3])
    theirs = F.linear(bag(x), model.head.weight, model.head.bias)
    torch.testing.assert_close(model(x), theirs)
    got = torch.autograd.grad(F.cross_entropy(model(x), y), model.embed.weight)[0]
    expected = torch.autograd.grad(F.cross_entropy(theirs, y), bag.weight)[0]
    torch.testing.assert_close(got, expected)


def test_all_of_it_in_a_loop() -> None:
    model = make("learned", each=True)
    x = torch.tensor([[1, 2, 2, 5]])
    e, p = model.embed.weight, model.positions.weight
    seen = [model.each(e[i] + p[t]) for t, i in enumerate(x[0].tolist())]
    mean = torch.stack(seen).sum(0) / 4
    torch.testing.assert_close(model.features(x)[0], mean)
    torch.testing.assert_close(model(x)[0], model.head.weight @ mean + model.head.bias)


def test_begins_by_knowing_nothing() -> None:
    model = BagOfWordsLM(V, D)
    x, y = torch.randint(V, (20, 3)), torch.randint(V, (20,))
    assert F.cross_entropy(model(x), y).item() == pytest.approx(math.log(V))
    nll = -logprob(model, [1, 2, 3, 0, 4, 0], context=3)
    assert nll.tolist() == pytest.approx([math.log(V)] * 6)


def test_one_table() -> None:
    model = BagOfWordsLM(V, D)
    tie(model.embed, model.head)
    assert sum(p.numel() for p in model.parameters()) == V * D + V
    assert model(torch.tensor([[1, 2]])).shape == (1, V)


def test_refuses() -> None:
    model = BagOfWordsLM(V, D, LearnedPositions(2, D))
    with pytest.raises(ValueError, match=r"contexts of shape \(2, 0\)"):
        model(torch.zeros(2, 0, dtype=torch.long))
    with pytest.raises(ValueError, match=r"contexts of shape \(3,\)"):
        model(torch.tensor([1, 2, 3]))
    with pytest.raises(ValueError, match="3 tokens: there are only 2 positions"):
        model(torch.tensor([[1, 2, 3]]))
    with pytest.raises(ValueError, match=f"id {V} is not"):
        model(torch.tensor([[V]]))
    with pytest.raises(ValueError, match="d_out=0"):
        BagOfWordsLM(V, D, d_out=0)
    with pytest.raises(ValueError, match="vocab_size=0"):
        BagOfWordsLM(0, D)
