"""Positions of chapter 6 against float64 formulas, published values and their algebra."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from scratchlm.positions import LearnedPositions, SinusoidalPositions, sinusoidal

FEW = settings(max_examples=40, deadline=None)


@FEW
@given(t=st.integers(1, 40), half=st.integers(1, 16), base=st.floats(1.5, 1e6))
def test_sinusoids_by_definition(t: int, half: int, base: float) -> None:
    table = sinusoidal(t, 2 * half, base)
    assert table.shape == (t, 2 * half)
    assert table.dtype == torch.float32
    wanted = np.zeros((t, 2 * half))
    for pos in range(t):
        for i in range(half):
            angle = pos / math.pow(base, 2 * i / (2 * half))
            wanted[pos, 2 * i], wanted[pos, 2 * i + 1] = math.sin(angle), math.cos(angle)
    np.testing.assert_allclose(table.numpy(), wanted, atol=1e-6)


def test_first_rows_are_the_published_ones() -> None:
    rows = [
        [0, 1, 0, 1],
        [0.84147, 0.54030, 0.01000, 0.99995],
        [0.90930, -0.41615, 0.02000, 0.99980],
    ]
    np.testing.assert_allclose(sinusoidal(3, 4), rows, atol=1e-5)


def test_large_positions_keep_their_digits() -> None:
    t = 1_000_000
    row = sinusoidal(t + 1, 4)[t]
    wanted = [math.sin(t), math.cos(t), math.sin(t / 100), math.cos(t / 100)]
    np.testing.assert_allclose(row.numpy(), wanted, atol=1e-6)


@FEW
@given(k=st.integers(0, 60), half=st.integers(1, 12))
def test_a_step_is_one_rotation(k: int, half: int) -> None:
    d = 2 * half
    pe = sinusoidal(100, d).double().numpy()
    m = np.zeros((d, d))
    for i in range(half):
        a = k * 10000.0 ** (-2 * i / d)
        here = slice(2 * i, 2 * i + 2)
        m[here, here] = [[math.cos(a), math.sin(a)], [-math.sin(a), math.cos(a)]]
    np.testing.assert_allclose(pe[k:], pe[: 100 - k] @ m.T, atol=1e-6)


def test_dot_products_know_the_distance_alone() -> None:
    pe = sinusoidal(200, 32).double()
    dots = pe @ pe.T
    for k in (0, 1, 7, 150):
        diagonal = dots.diagonal(k)
        formula = sum(math.cos(k * 10000 ** (-2 * i / 32)) for i in range(16))
        assert (diagonal - formula).abs().max() < 1e-5
        torch.testing.assert_close(diagonal, dots.diagonal(-k))


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ((3, 5), "d_model=5 is odd"),
        ((0, 4), "T=0"),
        ((3, 0), "d_model=0"),
        ((3, 4, 0.0), "base=0.0"),
        ((3, 4, -1.0), "base=-1.0"),
        ((3, 4, math.inf), "base=inf"),
        ((3, 4, math.nan), "base=nan"),
    ],
)
def test_sinusoidal_refuses(args: tuple, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        sinusoidal(*args)


# -- modules -----------------------------------------------------------------------


def modules() -> list[LearnedPositions | SinusoidalPositions]:
    torch.manual_seed(0)
    return [LearnedPositions(6, 4), SinusoidalPositions(6, 4)]


@pytest.mark.parametrize("module", modules())
def test_rows_are_added(module: LearnedPositions | SinusoidalPositions) -> None:
    x = torch.randn(2, 3, 4, dtype=torch.float64)
    module = module.double()
    table = nn.Embedding.from_pretrained(module.weight.detach())
    torch.testing.assert_close(module(x), x + table(torch.arange(3)))
    torch.testing.assert_close(module(x[0]), x[0] + table(torch.arange(3)))
    ids = torch.tensor([[5, 0, 1], [2, 2, 3]])
    torch.testing.assert_close(module(x, ids), x + table(ids))
    torch.testing.assert_close(module(x, ids[0]), x + table(ids[0]))
    assert module(torch.randn(2, 0, 4, dtype=torch.float64)).shape == (2, 0, 4)


def test_learned_gradient_against_embedding() -> None:
    ours = LearnedPositions(6, 4).double()
    theirs = nn.Embedding(6, 4).double()
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(2, 3, 4, dtype=torch.float64)
    for ids in (None, torch.tensor([[5, 0, 1], [2, 2, 3]])):
        where = torch.arange(3).expand(2, 3) if ids is None else ids
        got = torch.autograd.grad(ours(x, ids).tanh().sum(), ours.weight)[0]
        expected = torch.autograd.grad((x + theirs(where)).tanh().sum(), theirs.weight)[0]
        torch.testing.assert_close(got, expected)


def test_what_is_learned_and_what_is_stored() -> None:
    learned, fixed = modules()
    assert [p.shape for p in learned.parameters()] == [(6, 4)]
    assert list(fixed.parameters()) == []
    assert fixed.state_dict() == {}
    assert torch.equal(fixed.weight, sinusoidal(6, 4))
    assert LearnedPositions(500, 50, std=0.02).weight.std().item() == pytest.approx(0.02, rel=0.05)


@pytest.mark.parametrize("module", modules())
def test_positions_refuse(module: LearnedPositions | SinusoidalPositions) -> None:
    module = module.float()
    with pytest.raises(ValueError, match="7 tokens: there are only 6 positions"):
        module(torch.randn(2, 7, 4))
    with pytest.raises(ValueError, match=r"want \(\.\.\., T, 4\)"):
        module(torch.randn(2, 3, 5))
    with pytest.raises(ValueError, match=r"want \(\.\.\., T, 4\)"):
        module(torch.randn(4))
    x = torch.randn(2, 3, 4)
    with pytest.raises(ValueError, match=r"position_ids of shape \(2,\) for 3 tokens"):
        module(x, torch.tensor([0, 1]))
    with pytest.raises(ValueError, match="position 6 is not in a table of 6"):
        module(x, torch.tensor([0, 1, 6]))
    with pytest.raises(ValueError, match="position -1"):
        module(x, torch.tensor([0, 1, -1]))
    with pytest.raises(ValueError, match=r"positions are torch\.float32"):
        module(x, torch.zeros(3))


@pytest.mark.parametrize(("t", "d", "name"), [(0, 4, "T=0"), (4, 0, "d_model=0")])
def test_learned_refuses_sizes(t: int, d: int, name: str) -> None:
    with pytest.raises(ValueError, match=name):
        LearnedPositions(t, d)
