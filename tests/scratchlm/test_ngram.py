"""N-gram models of chapter 3 against counting by definition and exact fractions."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from scratchlm.ngram import Corpus, NGramLM, Vocabulary, draw, score, spell, words

FEW = settings(max_examples=30, deadline=None)
V = 6
DOCS = st.lists(st.lists(st.integers(1, V - 1), max_size=9), min_size=1, max_size=6)
TEXT = st.text("abé9 \n\t'-.,\"(<|>_\ud800😀", max_size=20)
METHODS = ("none", "add_k", "interpolated", "kneser_ney")


def row(docs: list[list[int]]) -> np.ndarray:
    return np.array([i for doc in docs for i in [*doc, 0]], dtype=np.int64)


def fitted(docs: list[list[int]], n: int, smoothing: str, **options: float) -> NGramLM:
    lm = NGramLM(n, smoothing, vocab_size=V, **options)  # type: ignore[arg-type]
    return lm.fit(row(docs), held_out=row([[1, 2, 3], [5, 1, 1, 2]]))


def grams(docs: list[list[int]], n: int) -> Counter[tuple[int, ...]]:
    """By definition: each document alone, behind n - 1 ends."""
    counts: Counter[tuple[int, ...]] = Counter()
    for doc in docs:
        padded = [0] * (n - 1) + doc + [0]
        for t in range(n - 1, len(padded)):
            counts[tuple(padded[t - n + 1 : t + 1])] += 1
    return counts


class Exact:
    """Interpolated Kneser-Ney in fractions (Chen & Goodman 1999, section 2.7)."""

    def __init__(self, docs: list[list[int]], n: int, discount: float | None) -> None:
        self.n = n
        self.counts = [grams(docs, n)]
        for k in range(n - 1, 0, -1):  # how many distinct words stand before
            before = defaultdict(set)
            for gram in grams(docs, k + 1):
                before[gram[1:]].add(gram[0])
            self.counts.insert(0, Counter({g: len(s) for g, s in before.items()}))
        self.discounts = [self.estimate(c) for c in self.counts]
        if discount is not None:
            self.discounts = [Fraction(discount)] * n

    @staticmethod
    def estimate(counts: Counter[tuple[int, ...]]) -> Fraction:
        n1 = sum(c == 1 for c in counts.values())
        n2 = sum(c == 2 for c in counts.values())
        return Fraction(n1, n1 + 2 * n2) if n1 and n2 else Fraction(3, 4)

    def prob(self, word: int, history: tuple[int, ...]) -> Fraction:
        return self._prob(word, ((0,) * (self.n - 1) + history)[len(history) :])

    def _prob(self, word: int, context: tuple[int, ...] | None) -> Fraction:
        if context is None:
            return Fraction(1, V)
        k = len(context)
        follow = {g[-1]: c for g, c in self.counts[k].items() if g[:-1] == context}
        lower = self._prob(word, context[1:] if k else None)
        if not follow:
            return lower
        d, total = self.discounts[k], sum(follow.values())
        return max(follow.get(word, 0) - d, Fraction(0)) / total + d * len(follow) * lower / total


# -- words and vocabulary ----------------------------------------------------------


def test_words_by_hand() -> None:
    text = '"Is it Mia\'s well-worn kite?" asked Hugo.\nIt was.'
    assert words(text) == [
        '"', "Is", "it", "Mia's", "well-worn", "kite", "?", '"', "asked", "Hugo", ".",
        "\n", "It", "was", ".",
    ]  # fmt: skip
    assert spell(words(text)) == text
    assert words("") == [] and spell([]) == ""


@FEW
@given(TEXT)
def test_words_lose_nothing_but_space(text: str) -> None:
    assert "".join("".join(words(text)).split()) == "".join(text.split())
    assert words(spell(words(text))) is not None


def test_stories_come_back() -> None:
    storyworld = pytest.importorskip("scratchlm.corpus.storyworld")
    for story in storyworld.generate(60_000, seed=11):
        assert spell(words(story.text)) == story.text


def test_vocabulary_by_hand() -> None:
    vocab = Vocabulary.of(["b a a.", "a c."])
    assert vocab.types == ("<|endoftext|>", "<unk>", "a", ".", "b", "c")
    assert vocab.encode("a c.", "d").tolist() == [2, 5, 3, 0, 1, 0]
    assert vocab.encode().tolist() == [] and vocab.encode("").tolist() == [0]
    assert vocab.decode([2, 5, 3, 0, 1, 0]) == "a c.\n\n<unk>"
    assert Vocabulary.of(["b a a.", "a c."], min_count=2).types[2:] == ("a", ".")


def test_a_text_cannot_inject_the_end() -> None:
    vocab = Vocabulary.of(["<|endoftext|> <unk>"])
    assert 0 not in vocab.encode("<|endoftext|>")[:-1]


@FEW
@given(st.lists(TEXT, max_size=5))
def test_ends_separate_documents(texts: list[str]) -> None:
    vocab = Vocabulary.of(texts)
    ids = vocab.encode(*texts)
    assert (ids == 0).sum() == len(texts) and not (ids == 1).any()
    assert len(ids) == sum(len(words(t)) + 1 for t in texts)


def test_vocabulary_bad_input() -> None:
    with pytest.raises(ValueError, match="twice"):
        Vocabulary(["a", "a"])
    vocab = Vocabulary(["a"])
    for ids, message in (([3], "id 3 .* vocabulary of 3"), ([-1], "-1"), ([0.5], "integers"),
                         ([[1]], "one row")):  # fmt: skip
        with pytest.raises(ValueError, match=message):
            vocab.decode(ids)


# -- probabilities -------------------------------------------------------------------


@FEW
@given(docs=DOCS, n=st.integers(1, 5))
def test_counts_are_those_of_a_dictionary(docs: list[list[int]], n: int) -> None:
    lm = NGramLM(n, "none", vocab_size=V).fit(row(docs))
    for k in range(1, n + 1):
        wanted = grams(docs, k)
        level = lm.levels[k - 1]
        assert sorted(c for c in level.counts if c) == sorted(wanted.values())


@FEW
@given(docs=DOCS, n=st.integers(1, 4), k=st.sampled_from([0.01, 1.0, 3.0]))
def test_mle_and_add_k_by_definition(docs: list[list[int]], n: int, k: float) -> None:
    counts = grams(docs, n)
    plain, added = fitted(docs, n, "none"), fitted(docs, n, "add_k", k=k)
    for doc in [*docs, [5, 5, 1, 4]]:
        for t in range(len(doc) + 1):
            h = tuple(([0] * n + doc[:t])[t + 1 :])
            follow = np.array([counts[(*h, w)] for w in range(V)])
            total = follow.sum()
            wanted = follow / total if total else np.full(V, 1 / V)
            np.testing.assert_allclose(plain.prob(doc[:t]), wanted, atol=1e-15)
            np.testing.assert_allclose(
                added.prob(doc[:t]), (follow + k) / (total + k * V), atol=1e-15
            )


@FEW
@given(docs=DOCS, n=st.integers(1, 4), discount=st.sampled_from([None, 0.25, 0.75, 1.0]))
def test_kneser_ney_in_fractions(
    docs: list[list[int]], n: int, discount: float | None
) -> None:
    exact = Exact(docs, n, discount)
    lm = NGramLM(n, vocab_size=V, discount=discount).fit(row(docs))
    np.testing.assert_allclose(lm.discounts, [float(d) for d in exact.discounts])
    for doc in [*docs, [5, 5, 1, 4]]:
        for t in range(len(doc) + 1):
            p = lm.prob(doc[:t])
            for word in range(V):
                assert p[word] == pytest.approx(
                    float(exact.prob(word, tuple(doc[:t]))), abs=1e-14
                )


def test_kneser_ney_by_hand() -> None:
    texts = ["the cat sat", "the cat ran", "the dog sat"]
    vocab = Vocabulary.of(texts)
    lm = NGramLM(2, vocab_size=len(vocab)).fit(vocab.encode(*texts))
    assert lm.discounts == [1 / 2, 5 / 9]
    by_hand = {"the": 65, "cat": 793, "dog": 289, "sat": 135, "ran": 65, "<unk>": 30}
    p = lm.prob([vocab["the"]]) * 1512
    for word, value in by_hand.items():
        assert p[vocab[word]] == pytest.approx(value, abs=1e-10)
    assert p[0] == pytest.approx(135, abs=1e-10)


@FEW
@given(
    docs=DOCS,
    n=st.integers(1, 5),
    method=st.sampled_from(METHODS),
    context=st.lists(st.integers(0, V - 1), max_size=12),
)
def test_every_context_sums_to_one(
    docs: list[list[int]], n: int, method: str, context: list[int]
) -> None:
    p = fitted(docs, n, method).prob(context)
    assert p.shape == (V,) and p.dtype == np.float64
    assert (p >= 0).all() and p.sum() == pytest.approx(1, abs=1e-12)
    if method in ("add_k", "kneser_ney"):
        assert (p > 0).all()


@FEW
@given(docs=DOCS, n=st.integers(1, 5), method=st.sampled_from(METHODS), new=DOCS)
def test_logprob_is_prob_at_every_position(
    docs: list[list[int]], n: int, method: str, new: list[list[int]]
) -> None:
    lm, ids = fitted(docs, n, method), row(new)
    found = lm.logprob(ids)
    with np.errstate(divide="ignore"):
        wanted = [np.log(lm.prob(ids[:t])[ids[t]]) for t in range(len(ids))]
    np.testing.assert_allclose(found, wanted, atol=1e-12)


def test_contexts_end_at_documents_and_at_n() -> None:
    lm = fitted([[1, 2, 3], [3, 2, 1, 1, 2]], 3, "kneser_ney")
    p = lm.prob([5, 4, 3, 1, 2])
    np.testing.assert_array_equal(p, lm.prob([1, 2]))
    np.testing.assert_array_equal(lm.prob([3, 2, 0]), lm.prob([]))
    np.testing.assert_array_equal(lm.prob([3, 0, 2]), lm.prob([2]))
    assert not np.array_equal(p, lm.prob([2]))


def test_unseen_contexts() -> None:
    docs = [[1, 2], [1, 3]]
    np.testing.assert_array_equal(fitted(docs, 2, "none").prob([5]), np.full(V, 1 / V))
    lm = fitted(docs, 3, "kneser_ney")
    np.testing.assert_array_equal(lm.prob([5, 1]), lm.prob([4, 1]))


def test_zero_probability_is_an_infinite_loss() -> None:
    vocab = Vocabulary.of(["a b.", "b a."])
    lm = NGramLM(2, "none", vocab_size=len(vocab)).fit(vocab.encode("a b.", "b a."))
    result = score(lm.logprob, Corpus.of(vocab, ["a a."]))
    assert math.isinf(result.loss) and math.isinf(result.perplexity)
    assert math.isinf(result.bits_per_byte)


def test_em_climbs_and_finds_the_best_weight() -> None:
    rng = np.random.default_rng(0)
    mle = np.array([0.5, 0.25, 0.15, 0.06, 0.03, 0.01])
    ids, aside = rng.choice(V, 500, p=mle), rng.choice(V, 300, p=0.6 * mle + 0.4 / V)
    mle, held = np.bincount(ids, minlength=V) / 500, np.bincount(aside, minlength=V)

    def posterior(weight: np.ndarray) -> np.ndarray:  # with one stop and one pass more
        fit = (held * np.log(weight[..., None] * mle + (1 - weight[..., None]) / V)).sum(-1)
        return fit + np.log(weight) + np.log(1 - weight)

    lm = NGramLM(1, "interpolated", vocab_size=V).fit(ids, held_out=aside)
    climb = []
    for rounds in (1, 2, 4, 8, 16, 200):
        lm._fit_weights(aside, rounds)
        climb.append(lm.weights[0, 9])  # the bucket of 256 to 511
    heights = posterior(np.array(climb))
    assert (np.diff(heights) >= -1e-9).all()
    grid = np.linspace(0.001, 0.999, 999)
    assert climb[-1] == pytest.approx(grid[posterior(grid).argmax()], abs=0.002)


@FEW
@given(docs=DOCS, n=st.integers(1, 4), aside=DOCS)
def test_the_mixture_holds_nothing_for_impossible(
    docs: list[list[int]], n: int, aside: list[list[int]]
) -> None:
    lm = NGramLM(n, "interpolated", vocab_size=V).fit(row(docs), held_out=row(aside))
    for context in ([], [1], [2, 3], [5, 5, 5]):
        assert (lm.prob(context) > 0).all()


def test_kneser_ney_beats_the_others_on_stories() -> None:
    storyworld = pytest.importorskip("scratchlm.corpus.storyworld")
    texts = [s.text for s in storyworld.generate(150_000, seed=2)]
    vocab = Vocabulary.of(texts)
    cut = len(texts) * 9 // 10
    train, held = vocab.encode(*texts[:cut]), Corpus.of(vocab, texts[cut:])
    bits = {}
    for method in ("add_k", "kneser_ney"):
        lm = NGramLM(3, method, vocab_size=len(vocab), k=0.001).fit(train)
        bits[method] = score(lm.logprob, held).bits_per_byte
    assert bits["kneser_ney"] < bits["add_k"]


# -- scores ---------------------------------------------------------------------------


def test_score_by_hand() -> None:
    vocab = Vocabulary.of(["a b"])
    corpus = Corpus.of(vocab, ["a é", "b"])
    assert corpus.ids.tolist() == [2, 1, 0, 3, 0] and corpus.n_bytes == 5
    assert corpus.spelling == pytest.approx(3 * math.log(257))  # two bytes and the end
    result = score(lambda ids: np.full(len(ids), -math.log(2)), corpus)
    assert result.n_tokens == 5
    assert result.nll_sum == pytest.approx(5 * math.log(2) + 3 * math.log(257))
    with pytest.raises(ValueError, match="no texts"):
        Corpus.of(vocab, [])


def test_lone_surrogates_have_a_size() -> None:
    assert Corpus.of(Vocabulary([]), ["a\ud800"]).n_bytes == 4


# -- samples ------------------------------------------------------------------------


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_draws_pass_chi_squared(temperature: float) -> None:
    p = np.array([0.4, 0.0, 0.3, 0.2, 0.1, 0.0])
    rng = np.random.default_rng(1)
    hits = np.bincount([draw(p, rng, temperature) for _ in range(6000)], minlength=V)
    q = p ** (1 / temperature)
    q /= q.sum()
    assert hits[p == 0].sum() == 0
    assert chisquare(hits[p > 0], 6000 * q[p > 0]).pvalue > 1e-3


def test_samples_have_the_models_distribution() -> None:
    docs = [[1, 2], [1, 3], [1, 2], [4]]
    lm = fitted(docs, 3, "none")
    rng = np.random.default_rng(0)
    seen = Counter(tuple(lm.sample(rng)) for _ in range(2000))
    assert set(seen) == {(1, 2, 0), (1, 3, 0), (4, 0)}
    expected = {(1, 2, 0): 1000, (1, 3, 0): 500, (4, 0): 500}
    assert chisquare([seen[s] for s in expected], list(expected.values())).pvalue > 1e-3


@FEW
@given(docs=DOCS, n=st.integers(1, 4), method=st.sampled_from(METHODS), seed=st.integers(0, 9))
def test_samples_follow_prob(docs: list[list[int]], n: int, method: str, seed: int) -> None:
    lm = fitted(docs, n, method)
    prefix = [1, 2, 2, 3][: seed % 5]
    new = lm.sample(np.random.default_rng(seed), prefix, max_new_tokens=8)
    rng, again = np.random.default_rng(seed), list(prefix)
    for word in new:
        assert draw(lm.prob(again), rng) == word
        again.append(word)
    assert len(new) == 8 or new[-1] == 0
    assert 0 not in new[:-1]


def test_cold_samples_are_the_likeliest() -> None:
    p = np.array([0.2, 0.5, 0.3])
    rng = np.random.default_rng(0)
    assert {draw(p, rng, 1e-3) for _ in range(50)} == {1}
    assert {draw(np.array([0.0, 1.0]), rng, 1e6) for _ in range(50)} == {1}


# -- bad input -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n": 0}, "n=0"),
        ({"n": -2}, "n=-2"),
        ({"n": 2.5}, "n=2.5"),
        ({"n": 2, "vocab_size": 0}, "vocab_size=0"),
        ({"n": 2, "vocab_size": -3}, "vocab_size=-3"),
        ({"n": 2, "vocab_size": 2.5}, "vocab_size=2.5"),
        ({"n": 2, "smoothing": "magic"}, "'magic' is none of none, add_k"),
        ({"n": 2, "k": 0.0}, "k=0.0"),
        ({"n": 2, "k": math.nan}, "k=nan"),
        ({"n": 2, "discount": 0.0}, "discount=0.0"),
        ({"n": 2, "discount": 1.5}, "discount=1.5"),
    ],
)
def test_bad_options(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        NGramLM(**options)  # type: ignore[arg-type]


def test_bad_ids() -> None:
    lm = NGramLM(2, "add_k", vocab_size=4)
    with pytest.raises(ValueError, match="call fit first"):
        lm.prob([])
    with pytest.raises(ValueError, match="call fit first"):
        lm.logprob([])
    with pytest.raises(ValueError, match="call fit first"):
        NGramLM(2).logprob([1])
    for ids in (["a"], [math.nan], [0.5]):
        with pytest.raises(ValueError, match="integers"):
            NGramLM(2).fit(ids)
    with pytest.raises(ValueError, match="one row"):
        NGramLM(2).fit([[1, 2]])
    with pytest.raises(ValueError, match="corpus is empty"):
        lm.fit([])
    with pytest.raises(ValueError, match="id 4 is not in a vocabulary of 4"):
        lm.fit([1, 4])
    with pytest.raises(ValueError, match="boundary=7"):
        NGramLM(2, vocab_size=4, boundary=7).fit([1])
    with pytest.raises(ValueError, match="held_out"):
        NGramLM(2, "interpolated").fit([1, 2, 0])
    lm.fit([1, 2, 0])
    for bad in ([4], [-1]):
        with pytest.raises(ValueError, match="vocabulary of 4"):
            lm.prob(bad)
        with pytest.raises(ValueError, match="vocabulary of 4"):
            lm.logprob(bad)
    assert lm.logprob([]).shape == (0,)


def test_a_fit_that_fails_leaves_nothing_half_done() -> None:
    lm = NGramLM(2, "interpolated", vocab_size=4)
    with pytest.raises(ValueError, match="id 9"):
        lm.fit([1, 2, 0], held_out=[9])
    with pytest.raises(ValueError, match="call fit first"):
        lm.prob([])
    lm.fit([1, 2, 0], held_out=[1, 0])
    before = lm.prob([1])
    with pytest.raises(ValueError, match="id 9"):
        lm.fit([3, 3, 0], held_out=[9])
    np.testing.assert_array_equal(lm.prob([1]), before)


def test_one_string_is_not_a_list_of_texts() -> None:
    with pytest.raises(ValueError, match="single string"):
        Vocabulary.of("abc")
    with pytest.raises(ValueError, match="single string"):
        Corpus.of(Vocabulary(["a"]), "a b")


@pytest.mark.parametrize("p", [[], [0.0, 0.0], [0.5, -0.1], [0.5, math.nan], [math.inf, 1]])
@pytest.mark.parametrize("temperature", [0.5, 1.0])
def test_draws_from_what_is_no_distribution(p: list[float], temperature: float) -> None:
    with pytest.raises(ValueError, match="finite sum above 0"):
        draw(np.array(p), np.random.default_rng(0), temperature)


def test_bad_sampling() -> None:
    lm = fitted([[1, 2]], 2, "add_k")
    rng = np.random.default_rng(0)
    for temperature in (0, -1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match="temperature"):
            lm.sample(rng, temperature=temperature)
    with pytest.raises(ValueError, match="max_new_tokens=-1"):
        lm.sample(rng, max_new_tokens=-1)
    assert lm.sample(rng, max_new_tokens=0) == []


def test_another_boundary() -> None:
    ids = np.array([0, 1, 5, 1, 5])
    lm = NGramLM(2, "none", boundary=5).fit(ids)
    np.testing.assert_array_equal(lm.prob([]), [0.5, 0.5, 0, 0, 0, 0])
