"""Chapter 5, quality: beside torch, scipy, and documents counted by hand."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from scratchlm.data.quality import (
    NGramLanguageId,
    QualityClassifier,
    c4_rules,
    fold,
    gopher_rules,
    perplexity_filter,
    precision_recall,
)
from scratchlm.ngram import NGramLM, Vocabulary, words

FEW = settings(max_examples=100, deadline=None)


@FEW
@given(st.lists(st.integers(0, 4)), st.lists(st.integers(0, 4)))
def test_precision_and_recall_by_counting(found: list[int], real: list[int]) -> None:
    both = sum(min(found.count(x), real.count(x)) for x in range(5))
    precision, recall = precision_recall(found, real)
    assert math.isnan(precision) if not found else precision == both / len(found)
    assert math.isnan(recall) if not real else recall == both / len(real)


def broken(text: str) -> set[str]:
    return {violation.rule for violation in gopher_rules(text)}


FINE = "the kite and " * 20  # 60 words


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        (FINE, set()),
        ("", {"words"}),
        (" \n\t", {"words"}),
        ("the kite and " * 16 + "the", {"words"}),  # 49
        ("the kite and " * 16 + "the kite", set()),  # 50
        ("the kite and " * 33_333 + "kite", set()),  # 100,000
        ("the kite and " * 33_333 + "kite kite", {"words"}),
        ("the and " * 30, set()),  # a mean of 3
        ("the an " * 30, {"mean word length", "stop words"}),  # 2.5
        ("the and " + "kitekitekite " * 60, {"mean word length"}),
        (FINE + "# " * 6, set()),  # 6 of 66
        (FINE + "# " * 7, {"hashes per word"}),  # 7 of 67
        (FINE + "... " * 7, {"ellipses per word", "ellipsis lines"}),
        (FINE + "12 " * 15, set()),  # 60 of 75 have a letter: 80 %
        (FINE + "12 " * 16, {"words with a letter"}),
        ("the kite flew high " * 20, {"stop words"}),  # one stop word only
        ("The kite, flew AND! high " * 20, set()),
        ("bathe sand kites " * 20, {"stop words"}),  # no words inside of words
    ],
)
def test_gopher_by_hand(text: str, rules: set[str]) -> None:
    assert broken(text) == rules


def test_gopher_lines_by_hand() -> None:
    line = "the kite and the park are here to stay"
    assert broken("\n".join(["- " + line] * 9 + [line])) == set()  # 90 %
    assert broken("\n".join(["• " + line] * 10)) == {"bullet lines"}
    assert broken("\n".join([line + "…"] * 3 + [line] * 7)) == set()  # 30 %
    assert broken("\n".join([line + "..."] * 4 + [line] * 6)) == {"ellipsis lines"}
    (violation,) = gopher_rules("the and " * 10)
    assert (violation.value, violation.low, violation.high) == (20, 50, 100_000)


SENTENCES = "It was a fine day.\nMia went to the park!\nWas it a red kite?"


def rules(text: str, **options: object) -> set[str]:
    return {v.rule for v in c4_rules(text, **options)[1]}  # type: ignore[arg-type]


def test_c4_lines_by_hand() -> None:
    text = "\n".join(
        [
            "Home | About | Contact | Us | More",  # no end of a sentence
            "It was a day.",  # four words
            "It was a fine day.",
            '"I like it," said Mia, "a lot."',
            "“I like this one a lot.”",
            "Please enable JavaScript in your browser now.",
            "This site uses cookies to know you.",
            "Read our Privacy Policy before you go.",
            "It was late[3] and all slept [citation needed] well[edit].",
        ]
    )
    kept, violations = c4_rules(text)
    assert kept.split("\n") == [
        "It was a fine day.",
        '"I like it," said Mia, "a lot."',
        "“I like this one a lot.”",
        "It was late and all slept  well.",
    ]
    assert violations == []
    straight, _ = c4_rules(text, ends=(".", "!", "?", '"'))
    assert "“" not in straight


def test_c4_pages_by_hand() -> None:
    assert rules(SENTENCES) == set()
    assert rules(SENTENCES.rsplit("\n", 1)[0]) == {"sentences"}
    assert rules("") == {"sentences"}
    assert rules("One two three four. Five six! Seven?") == set()
    assert rules("Two words.\n" * 9) == {"sentences"}  # the lines are too short
    assert rules(SENTENCES + "\nint main() { }") == {"curly brackets"}
    assert rules(SENTENCES + "\nLorem ipsum dolor") == {"lorem ipsum"}
    assert rules(SENTENCES, bad_words=["kite", "xyz"]) == {"bad words"}
    assert rules(SENTENCES, bad_words=["kit"]) == set()


TEXTS = ["the cat sat", "the dog ran", "der hund lief", "die katze"]
NAMES = ["en", "en", "de", "de"]


def brute(text: str, n: int, k: float) -> dict[str, float]:
    """Naive Bayes from its definition, one gram after another."""

    def grams(line: str) -> list[str]:
        line = " " + " ".join(line.lower().split()) + " "
        return [line[i : i + n] for i in range(len(line) - n + 1)]

    types = {g for t in TEXTS for g in grams(t)}
    logs = {}
    for name in set(NAMES):
        seen = Counter(g for t, m in zip(TEXTS, NAMES, strict=True) if m == name for g in grams(t))
        total = sum(seen.values()) + k * (len(types) + 1)
        logs[name] = sum(math.log((seen[g] + k) / total) for g in grams(text))
    norm = math.log(sum(math.exp(v) for v in logs.values()))
    return {name: math.exp(v - norm) for name, v in logs.items()}


@FEW
@given(
    st.text("acdehiknorstu  ", min_size=1, max_size=30),
    st.integers(1, 4),
    st.sampled_from([0.1, 0.5, 1.0]),
)
def test_language_is_the_definition(text: str, n: int, k: float) -> None:
    if not text.strip():
        return
    found = NGramLanguageId(n, k).fit(TEXTS, NAMES).probabilities(text)
    expected = brute(text, n, k)
    assert found == pytest.approx(expected, abs=1e-9)
    assert sum(found.values()) == pytest.approx(1)


def test_language_edges() -> None:
    identify = NGramLanguageId().fit(TEXTS, NAMES)
    assert identify.predict("The  CAT\n")[0] == "en"
    assert identify.predict("der Hund")[0] == "de"
    assert identify.probabilities("") == {"de": 0.5, "en": 0.5}
    assert identify.probabilities(" \n") == {"de": 0.5, "en": 0.5}
    assert identify.predict("the dog " * 10_000) == ("en", 1.0)  # no underflow
    with pytest.raises(ValueError, match="call fit first"):
        NGramLanguageId().predict("x")
    with pytest.raises(ValueError, match="2 texts, 1 languages"):
        NGramLanguageId().fit(["a", "b"], ["x"])
    with pytest.raises(ValueError, match="0 texts"):
        NGramLanguageId().fit([], [])
    for n, k in ((0, 1.0), (3, 0.0), (3, math.inf)):
        with pytest.raises(ValueError, match="want 1 or more, and above 0"):
            NGramLanguageId(n, k)


GOOD = [
    f"the {a} saw a {b} in the park"
    for a in ("cat", "dog", "fox")
    for b in ("kite", "ball", "duck", "boat")
]
BAD = [f"buy {a} {b} now cheap" for a in ("cat", "dog") for b in ("food", "toys", "kite")]
LABELS = [True] * len(GOOD) + [False] * len(BAD)


def dense(model: QualityClassifier, texts: list[str]) -> np.ndarray:
    x = np.zeros((len(texts), model.n_features))
    for i, text in enumerate(texts):
        for column, value in model.features(text).items():
            x[i, column] += value
    return x


def test_the_minimum_is_scipys() -> None:
    model = QualityClassifier(n_features=200, l2=1e-2).fit(GOOD + BAD, LABELS, 400)
    x, y = dense(model, GOOD + BAD), np.array(LABELS, float)

    def loss(w: np.ndarray) -> tuple[float, np.ndarray]:
        z = x @ w
        p = 1 / (1 + np.exp(-z))
        value = np.mean(np.logaddexp(0, z) - y * z) + 0.005 * w @ w
        return value, x.T @ (p - y) / len(y) + 0.01 * w

    best = minimize(loss, np.zeros(200), jac=True, method="L-BFGS-B", tol=1e-12)
    np.testing.assert_allclose(model.weights, best.x, atol=1e-4)
    assert model.losses[-1] == pytest.approx(best.fun, abs=1e-8)


def test_loss_and_gradient_are_torchs() -> None:
    model = QualityClassifier(n_features=100, l2=0.1).fit(GOOD + BAD, LABELS, 1)
    x = torch.tensor(dense(model, GOOD + BAD))
    y = torch.tensor(LABELS, dtype=torch.float64)
    w = torch.zeros(100, dtype=torch.float64, requires_grad=True)
    loss = torch.nn.functional.binary_cross_entropy_with_logits(x @ w, y)
    loss.backward()  # type: ignore[no-untyped-call]
    assert model.losses[0] == pytest.approx(loss.item()) == pytest.approx(math.log(2))
    assert w.grad is not None
    np.testing.assert_allclose(model.weights, -w.grad.numpy() / 0.6, atol=1e-12)


def test_features_by_hand() -> None:
    model = QualityClassifier()
    assert model.features("") == {0: 1.0}
    bag = model.features("A a dog")
    assert bag.pop(0) == 1.0
    # a twice, dog, "a a", "a dog": length of the counts is the root of 7
    assert sorted(bag.values()) == pytest.approx([7**-0.5] * 3 + [2 * 7**-0.5])
    assert model.features("A a dog") == model.features("a A DOG")
    assert model.features("a dog") != model.features("dog a")
    assert all(0 < i < 1 << 16 for i in bag)
    assert model.features("\ud800 lone")  # a lone surrogate is hashed, too


def test_classifier_learns_and_predicts() -> None:
    model = QualityClassifier().fit(GOOD + BAD, LABELS)
    p = model.predict(GOOD + BAD)
    assert (p[: len(GOOD)] > 0.5).all()
    assert (p[len(GOOD) :] < 0.5).all()
    assert model.losses[-1] < model.losses[0]
    np.testing.assert_array_equal(
        QualityClassifier().fit(GOOD + BAD, LABELS).weights, model.weights
    )
    assert model.predict([]).shape == (0,)
    assert 0 < model.predict([""])[0] < 1


def test_classifier_refuses() -> None:
    with pytest.raises(ValueError, match="call fit first"):
        QualityClassifier().predict(["x"])
    with pytest.raises(ValueError, match="2 texts, 1 labels"):
        QualityClassifier().fit(["a", "b"], [True])
    with pytest.raises(ValueError, match="some of both kinds"):
        QualityClassifier().fit(["a", "b"], [True, True])
    with pytest.raises(ValueError, match="single string"):
        QualityClassifier().fit("ab", [True, False])
    for n, l2 in ((1, 1.0), (9, 0.0), (9, math.nan)):
        with pytest.raises(ValueError, match="want 2 or more, and above 0"):
            QualityClassifier(n, l2)


def test_fold() -> None:
    assert fold("“Zoë’s” ﬁne «café» Ångström") == '"Zoe\'s" fine "cafe" Angstrom'
    assert fold("plain 'text'") == "plain 'text'"
    assert fold("") == ""


VOCAB = Vocabulary.of(GOOD)
MODEL = NGramLM(2, vocab_size=len(VOCAB)).fit(VOCAB.encode(*GOOD))


def bits(text: str) -> float:
    """Bits per byte from the model's definition, word by word."""
    nats, context = 0.0, []
    for word in [*words(text), ""]:
        i = VOCAB[word] if word else VOCAB.END
        nats -= math.log(MODEL.prob(context)[i])
        if word and i == VOCAB.UNKNOWN:
            nats += (len(word.encode()) + 1) * math.log(257)
        context.append(i)
    return nats / math.log(2) / len(text.encode())


@pytest.mark.parametrize("text", [GOOD[0], BAD[0], "the the the", "zebra"])
def test_perplexity_filter_is_the_definition(text: str) -> None:
    value = bits(text)
    assert perplexity_filter(MODEL, VOCAB, 0, value + 1e-9)(text)
    assert perplexity_filter(MODEL, VOCAB, value - 1e-9, 99)(text)
    assert not perplexity_filter(MODEL, VOCAB, 0, value - 1e-9)(text)
    assert not perplexity_filter(MODEL, VOCAB, value + 1e-9, 99)(text)


def test_perplexity_filter_edges() -> None:
    keep = perplexity_filter(MODEL, VOCAB, 0, math.inf)
    assert not keep("")
    assert not keep(" \n")
    assert not keep("\u0301")  # nothing is left of it
    plain, curly = "the cat saw a kite", "the cät saw a kite"
    limit = (bits(plain) + bits(curly)) / 2
    assert perplexity_filter(MODEL, VOCAB, 0, limit)(curly)
    assert not perplexity_filter(MODEL, VOCAB, 0, limit, view=str)(curly)
    for low, high in ((1, 1), (2, 1), (-1, 1), (0, math.nan)):
        with pytest.raises(ValueError, match="want 0 <= low < high"):
            perplexity_filter(MODEL, VOCAB, low, high)
