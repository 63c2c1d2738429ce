"""Embeddings of chapter 6 against PyTorch's, one-hot products, NumPy and definitions."""

from __future__ import annotations

import copy
import math
import pickle

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from scratchlm.embedding import (
    CBOW,
    Embedding,
    analogy,
    cooccurrence,
    nearest,
    pca,
    pmi,
    surroundings,
    svd_embeddings,
    tie,
    train_cbow,
    unit_rows,
)
from scratchlm.ngram import Vocabulary

FEW = settings(max_examples=40, deadline=None)
documents = st.lists(st.lists(st.integers(1, 5), max_size=6), max_size=5)


def stream(docs: list[list[int]]) -> list[int]:
    return [i for doc in docs for i in [*doc, 0]]


# -- lookup ------------------------------------------------------------------------


@FEW
@given(
    v=st.integers(1, 9),
    d=st.integers(1, 6),
    shape=st.lists(st.integers(0, 4), max_size=3),
    seed=st.integers(0, 99),
)
def test_embedding_is_torchs_and_a_product(v: int, d: int, shape: list[int], seed: int) -> None:
    torch.manual_seed(seed)
    ours, theirs = Embedding(v, d).double(), nn.Embedding(v, d).double()
    theirs.load_state_dict(ours.state_dict())
    ids = torch.randint(v, shape)
    out = ours(ids)
    arriving = torch.randn_like(out)
    product = F.one_hot(ids, v).double() @ ours.weight
    assert out.shape == (*shape, d)
    assert torch.equal(out, theirs(ids))
    assert torch.equal(out, product)
    by_hand = np.zeros((v, d))
    np.add.at(by_hand, ids.flatten().numpy(), arriving.reshape(-1, d).numpy())
    for result, weight in (
        (out, ours.weight),
        (theirs(ids), theirs.weight),
        (product, ours.weight),
        (F.embedding(ids, ours.weight), ours.weight),
    ):
        grad = torch.autograd.grad(result, weight, arriving)[0]
        np.testing.assert_allclose(grad.numpy(), by_hand, atol=1e-12)


def test_embedding_gradcheck() -> None:
    ids = torch.tensor([[2, 0], [2, 2]])
    ours = Embedding(4, 3).double()

    def f(weight: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(ours, {"weight": weight}, (ids,)).tanh()

    assert torch.autograd.gradcheck(f, (ours.weight.detach().requires_grad_(),))


def test_embedding_std_and_sizes() -> None:
    torch.manual_seed(0)
    table = Embedding(400, 100, std=0.02)
    assert table.weight.std().item() == pytest.approx(0.02, rel=0.03)
    assert (table.vocab_size, table.d_model) == (400, 100)
    assert table(torch.tensor(3, dtype=torch.int32)).shape == (100,)


@pytest.mark.parametrize(
    ("ids", "words"),
    [
        (torch.tensor([0, -1]), "id -1 is not in a table of 5"),
        (torch.tensor([[5]]), "id 5 is not in a table of 5"),
        (torch.tensor([0.0]), "float32"),
        (torch.tensor([True]), "bool"),
    ],
)
def test_embedding_refuses_what_is_no_id(ids: torch.Tensor, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Embedding(5, 2)(ids)


@pytest.mark.parametrize(("v", "d", "name"), [(0, 3, "vocab_size=0"), (3, -1, "d_model=-1")])
def test_embedding_refuses_sizes(v: int, d: int, name: str) -> None:
    with pytest.raises(ValueError, match=name):
        Embedding(v, d)


# -- counts ------------------------------------------------------------------------


@FEW
@given(docs=documents, window=st.integers(1, 4), open_end=st.booleans())
def test_surroundings_and_cooccurrence_by_definition(
    docs: list[list[int]], window: int, open_end: bool
) -> None:
    docs = [*docs, [3, 1]] if open_end else docs
    ids = stream(docs)[: -1 if open_end else None]
    wanted = []
    for n, doc in enumerate(docs):
        closed = [*doc] if open_end and n == len(docs) - 1 else [*doc, 0]
        padded = [0] * window + closed + [0] * window
        for i in range(len(closed)):
            wanted.append(padded[i : i + window] + padded[i + window + 1 : i + 2 * window + 1])
    found = surroundings(ids, window)
    assert found.shape == (len(ids), 2 * window)
    assert found.tolist() == wanted

    counts = np.zeros((6, 6))
    for doc in docs:
        for i, a in enumerate(doc):
            for j, b in enumerate(doc):
                if i != j and abs(i - j) <= window:
                    counts[a, b] += 1
    table = cooccurrence(ids, 6, window)
    assert np.array_equal(table, counts)
    assert np.array_equal(table, table.T)


def test_another_boundary() -> None:
    ids = [1, 2, 5, 2, 3, 5]
    assert surroundings(ids, 1, boundary=5).tolist() == [
        [5, 2],
        [1, 5],
        [2, 5],
        [5, 3],
        [2, 5],
        [3, 5],
    ]
    table = cooccurrence(ids, 6, 1, boundary=5)
    assert table.sum() == 4
    assert table[1, 2] == table[2, 3] == 1


@pytest.mark.parametrize("boundary", [-1, 3, 9])
def test_a_boundary_that_is_no_word(boundary: int) -> None:
    counts = cooccurrence([1, 2, 2], 3, 1, boundary=boundary)
    assert counts.tolist() == [[0, 0, 0], [0, 0, 1], [0, 1, 2]]


def test_counts_refuse() -> None:
    with pytest.raises(ValueError, match="window=0"):
        surroundings([1, 0], 0)
    with pytest.raises(ValueError, match="id 7"):
        cooccurrence([7, 0], 6, 1)
    with pytest.raises(ValueError, match="shape"):
        surroundings(np.zeros((2, 2), int), 1)
    with pytest.raises(ValueError, match="integers"):
        cooccurrence([0.5], 6, 1)


@FEW
@given(rows=st.lists(st.lists(st.integers(0, 9), min_size=3, max_size=3), min_size=2, max_size=5))
def test_pmi_by_definition(rows: list[list[int]]) -> None:
    n = np.array(rows)
    if n.sum() == 0:
        with pytest.raises(ValueError, match="all 0"):
            pmi(n)
        return
    full, positive = pmi(n, positive=False), pmi(n)
    for i in range(n.shape[0]):
        for j in range(n.shape[1]):
            if n[i, j] == 0:
                assert full[i, j] == -math.inf
                assert positive[i, j] == 0
            else:
                x = math.log(n[i, j] * n.sum() / (n[i].sum() * n[:, j].sum()))
                assert full[i, j] == pytest.approx(x, abs=1e-12)
                assert positive[i, j] == pytest.approx(max(x, 0), abs=1e-12)


def test_pmi_of_independent_counts_is_zero() -> None:
    assert np.abs(pmi(np.outer([1, 2, 3], [5, 7]), positive=False)).max() < 1e-12


@pytest.mark.parametrize("bad", [[[1, -1]], [[1, math.nan]], [1, 2], [[math.inf, 1]]])
def test_pmi_refuses(bad: list) -> None:
    with pytest.raises(ValueError, match="counts of shape"):
        pmi(bad)


# -- SVD and PCA -------------------------------------------------------------------


@FEW
@given(v=st.integers(1, 7), c=st.integers(1, 7), seed=st.integers(0, 999))
def test_svd_is_the_best_of_its_rank(v: int, c: int, seed: int) -> None:
    table = np.random.default_rng(seed).normal(size=(v, c))
    s = np.linalg.svd(table, compute_uv=False)
    for d in range(1, min(v, c) + 1):
        a, b = svd_embeddings(table, d)
        assert (a.shape, b.shape) == ((v, d), (c, d))
        error = np.square(table - a @ b.T).sum()
        assert error == pytest.approx(np.square(s[d:]).sum(), abs=1e-9)  # Eckart and Young
        np.testing.assert_allclose(np.square(a).sum(0), s[:d], atol=1e-9)
        np.testing.assert_allclose(np.square(b).sum(0), s[:d], atol=1e-9)
        assert (a[np.abs(a).argmax(0), range(d)] > 0).all()


def test_svd_refuses() -> None:
    for d in (0, 3):
        with pytest.raises(ValueError, match=f"d_model={d}"):
            svd_embeddings(np.eye(2), d)
    with pytest.raises(ValueError, match="finite"):
        svd_embeddings([[-math.inf, 0.0]], 1)


@FEW
@given(n=st.integers(2, 8), d=st.integers(1, 5), seed=st.integers(0, 999))
def test_pca_against_the_covariance(n: int, d: int, seed: int) -> None:
    rows = np.random.default_rng(seed).normal(size=(n, d)) + 3
    k = min(n, d)
    points, share = pca(rows, k)
    values = np.linalg.eigvalsh(np.atleast_2d(np.cov(rows.T)))[::-1][:k]
    np.testing.assert_allclose(points.var(0, ddof=1), values, atol=1e-9)
    np.testing.assert_allclose(share, values / np.trace(np.atleast_2d(np.cov(rows.T))), atol=1e-9)
    np.testing.assert_allclose(points.mean(0), 0, atol=1e-9)
    if k == d:  # all directions: distances are kept
        np.testing.assert_allclose(
            np.linalg.norm(points[:, None] - points, axis=-1),
            np.linalg.norm(rows[:, None] - rows, axis=-1),
            atol=1e-9,
        )


def test_pca_refuses() -> None:
    with pytest.raises(ValueError, match="n_axes=3"):
        pca(np.eye(2), 3)
    with pytest.raises(ValueError, match="no spread"):
        pca(np.ones((3, 2)), 1)


# -- neighbors ---------------------------------------------------------------------

WORDS = ("red", "blue", "cat", "dog", "king")
VOCAB = Vocabulary(WORDS)


def vectors(seed: int = 0, d: int = 4) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(len(VOCAB), d))


@FEW
@given(seed=st.integers(0, 999), k=st.integers(1, 6))
def test_nearest_by_definition(seed: int, k: int) -> None:
    table = vectors(seed)
    cosine = F.cosine_similarity(torch.tensor(table[3]), torch.tensor(table), dim=1).tolist()
    wanted = sorted((i for i in range(7) if i != 3), key=lambda i: -cosine[i])[:k]
    found = nearest("blue", k, table, VOCAB)
    assert [w for w, _ in found] == [VOCAB.types[i] for i in wanted]
    assert [c for _, c in found] == pytest.approx([cosine[i] for i in wanted])
    scaled = table * np.random.default_rng(seed).uniform(0.1, 9, (7, 1))
    assert [w for w, _ in nearest("blue", k, scaled, VOCAB)] == [w for w, _ in found]
    assert nearest("blue", k, nn.Parameter(torch.tensor(table)), VOCAB) == found


@FEW
@given(seed=st.integers(0, 999), exclude=st.booleans())
def test_analogy_by_definition(seed: int, exclude: bool) -> None:
    table = vectors(seed)
    rows = table / np.linalg.norm(table, axis=1, keepdims=True)
    target = rows[VOCAB["blue"]] - rows[VOCAB["red"]] + rows[VOCAB["cat"]]
    cosine = rows @ target / np.linalg.norm(target)
    banned = {"red", "blue", "cat"} if exclude else set()
    best = max(set(VOCAB.types) - banned, key=lambda w: cosine[VOCAB.types.index(w)])
    ((word, value),) = analogy("red", "blue", "cat", table, VOCAB, exclude=exclude)
    assert word == best
    assert value == pytest.approx(cosine[VOCAB.types.index(best)])


def test_analogy_of_a_parallelogram() -> None:
    table = np.zeros((7, 3))
    table[2:] = [[1, 0, 0], [0, 1, 0], [1, 0, 1], [0, 1, 1], [-1, -1, -1]]
    assert analogy("red", "blue", "cat", table, VOCAB)[0][0] == "dog"


def test_nearest_refuses() -> None:
    table = vectors()
    table[4] = 0
    with pytest.raises(ValueError, match="'green' is not in the vocabulary"):
        nearest("green", 1, table, VOCAB)
    with pytest.raises(ValueError, match="'cat' is zero"):
        nearest("cat", 1, table, VOCAB)
    with pytest.raises(ValueError, match="6 vectors for a vocabulary of 7"):
        nearest("red", 1, table[:6], VOCAB)
    for k in (0, 7):
        with pytest.raises(ValueError, match=f"k={k}: there are 6"):
            nearest("red", k, table, VOCAB)
    with pytest.raises(ValueError, match="k=5: there are 4"):
        analogy("red", "blue", "dog", table, VOCAB, k=5)
    with pytest.raises(ValueError, match="finite"):
        nearest("red", 1, table * math.nan, VOCAB)


def test_unit_rows_keep_zeros() -> None:
    assert unit_rows([[3, 4], [0, 0]]).tolist() == [[0.6, 0.8], [0, 0]]


# -- CBOW --------------------------------------------------------------------------


def test_cbow_by_definition_with_gradients() -> None:
    torch.manual_seed(0)
    model = CBOW(6, 3).double()
    nn.init.normal_(model.head.weight)
    around = torch.tensor([[1, 1, 4], [0, 2, 3]])
    bag = nn.EmbeddingBag(6, 3, mode="mean").double()
    bag.load_state_dict(model.embed.state_dict())
    theirs = F.linear(bag(around), model.head.weight, model.head.bias)
    torch.testing.assert_close(model(around), theirs)
    y = torch.tensor([2, 5])
    ours = torch.autograd.grad(F.cross_entropy(model(around), y), model.embed.weight)[0]
    expected = torch.autograd.grad(F.cross_entropy(theirs, y), bag.weight)[0]
    torch.testing.assert_close(ours, expected)


def test_train_cbow_finds_who_is_alike_and_leaves_the_seed_alone() -> None:
    rng = np.random.default_rng(0)
    ids = []
    for _ in range(400):  # a of 1, 2 is followed by b of 5, 6; of 3, 4 by 7, 8
        group = rng.integers(0, 2)
        ids += [1 + 2 * group + rng.integers(0, 2), 5 + 2 * group + rng.integers(0, 2), 0]
    state = torch.get_rng_state()
    model = train_cbow(ids, 9, 4, window=1, steps=300, lr=2.0, batch_size=64)
    again = train_cbow(ids, 9, 4, window=1, steps=300, lr=2.0, batch_size=64)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(model.head.weight, again.head.weight)
    rows = unit_rows(model.head.weight)
    cosine = rows @ rows.T
    for a, b, other in ((1, 2, 3), (3, 4, 1), (5, 6, 7), (7, 8, 5)):
        assert cosine[a, b] > cosine[a, other] + 0.3


def test_train_cbow_refuses() -> None:
    with pytest.raises(ValueError, match="id 9"):
        train_cbow([9, 0], 9, 2)
    with pytest.raises(ValueError, match="steps=0"):
        train_cbow([1, 0], 9, 2, steps=0)


# -- tying -------------------------------------------------------------------------


class Tiny(nn.Module):
    def __init__(self, v: int = 5, d: int = 3, bias: bool = True) -> None:
        super().__init__()
        self.embed = Embedding(v, d)
        self.head = nn.Linear(d, v, bias=bias)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.head(self.embed(ids).tanh())


def test_tied_gradient_is_the_sum_of_both() -> None:
    torch.manual_seed(0)
    one, two = Tiny().double(), Tiny().double()
    tie(one.embed, one.head)
    with torch.no_grad():
        two.embed.weight.copy_(one.embed.weight)
        two.head.weight.copy_(one.embed.weight)
        two.head.bias.copy_(one.head.bias)
    x, y = torch.tensor([1, 1, 4]), torch.tensor([0, 2, 1])
    for model in (one, two):
        F.cross_entropy(model(x), y).backward()
    torch.testing.assert_close(one.embed.weight.grad, two.embed.weight.grad + two.head.weight.grad)
    assert sum(p.numel() for p in one.parameters()) == 5 * 3 + 5
    assert sum(p.numel() for p in two.parameters()) == 2 * 5 * 3 + 5
    torch.optim.SGD(one.parameters(), 0.1).step()
    assert one.head.weight is one.embed.weight


def test_tie_survives_copying_loading_and_casting() -> None:
    model = Tiny()
    tie(model.embed, model.head)
    tie(model.embed, model.head)
    assert len(model.embed.tied) == 1
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model)), model.double()):
        assert other.head.weight is other.embed.weight
        assert other.embed.tied[0] is other.head
        other.load_state_dict(Tiny().state_dict())
        assert other.head.weight is other.embed.weight


def test_tie_refuses_shapes() -> None:
    with pytest.raises(ValueError, match=r"\(3, 5\) cannot share a table of shape \(5, 3\)"):
        tie(Embedding(5, 3), nn.Linear(5, 3))


# -- resizing ----------------------------------------------------------------------


@pytest.mark.parametrize("init", ["mean", "normal", "zeros"])
@pytest.mark.parametrize("bias", [True, False])
def test_resize_keeps_old_rows_and_takes_the_head_along(init: str, bias: bool) -> None:
    torch.manual_seed(0)
    model = Tiny(bias=bias).double()
    tie(model.embed, model.head)
    before = copy.deepcopy(model)
    x = torch.tensor([0, 4, 2])
    model.embed.resize(8, init)
    assert model.embed.weight.shape == (8, 3)
    assert model.embed.weight.dtype == torch.float64
    assert model.head.weight is model.embed.weight
    assert model.head.out_features == 8
    assert torch.equal(model.embed.weight[:5], before.embed.weight)
    assert torch.equal(model(x)[:, :5], before(x))
    if init == "mean":
        mean = before(x).mean(1, keepdim=True).expand(3, 3)
        torch.testing.assert_close(model(x)[:, 5:], mean)
    if init == "zeros":
        assert not model(x)[:, 5:].any()
    F.cross_entropy(model(torch.tensor([7])), torch.tensor([6])).backward()
    assert model.embed.weight.grad.shape == (8, 3)


@FEW
@given(seed=st.integers(0, 999), scale=st.floats(0.1, 30), k=st.integers(1, 9))
def test_mean_rows_cost_no_more_than_the_bound(seed: int, scale: float, k: int) -> None:
    torch.manual_seed(seed)
    model = Tiny(7, 4).double()
    with torch.no_grad():
        model.embed.weight.mul_(scale)
        model.head.bias.sub_(40)
    tie(model.embed, model.head)
    x = torch.arange(7)
    old = model(x).log_softmax(-1)
    model.embed.resize(7 + k)
    lost = (old - model(x).log_softmax(-1)[:, :7]).detach()
    assert lost.min() > -1e-9
    assert lost.max() <= math.log1p(k / 7) + 1e-9


def test_resize_normal_has_the_spread_of_the_columns() -> None:
    torch.manual_seed(0)
    table = Embedding(50, 2)
    with torch.no_grad():
        table.weight.mul_(torch.tensor([1.0, 5.0])).add_(3)
    old = table.weight.detach().clone()
    table.resize(20_050, "normal")
    new = table.weight[50:]
    torch.testing.assert_close(new.mean(0), old.mean(0), atol=0.15, rtol=0)
    torch.testing.assert_close(new.std(0), old.std(0, unbiased=False), atol=0.1, rtol=0.02)


def test_resize_to_the_same_size_and_frozen() -> None:
    table = Embedding(4, 2)
    weight = table.weight
    table.resize(4)
    assert table.weight is weight
    table.weight.requires_grad_(False)
    table.resize(5)
    assert not table.weight.requires_grad


def test_resize_refuses() -> None:
    model = Tiny()
    tie(model.embed, model.head)
    with pytest.raises(ValueError, match="new_vocab=4 is below the 5 rows"):
        model.embed.resize(4)
    for size in (5, 6):
        with pytest.raises(ValueError, match="init='average' is none of"):
            model.embed.resize(size, "average")
    assert model.embed.vocab_size == 5
    model.head.weight = nn.Parameter(model.head.weight.clone())
    with pytest.raises(ValueError, match="tie it again"):
        model.embed.resize(6)
    assert model.embed.vocab_size == 5
