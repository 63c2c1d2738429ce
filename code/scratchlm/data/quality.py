"""Chapter 5: Data: collect, clean, deduplicate, pack."""

from __future__ import annotations

import math
import re
import unicodedata
import zlib
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import numpy as np
from numpy.typing import NDArray

from scratchlm.ngram import Corpus, NGramLM, Vocabulary, score, words


# § sec-data-extract
def precision_recall(found: Iterable[Hashable], real: Iterable[Hashable]
                     ) -> tuple[float, float]:
    """How much of what was found is real, and of what is real was found.

    Args:
        found, real: bags of anything; an item counts as often as it
            stands in both.

    Returns:
        Two shares; nan where nothing was found, or nothing is real.
    """
    a, b = Counter(found), Counter(real)
    both = (a & b).total()
    return (both / a.total() if a else float("nan"),
            both / b.total() if b else float("nan"))


# § sec-data-language
class NGramLanguageId:
    """Names the language of a text by its n-grams of letters.

    Naive Bayes: a text is taken for independent draws of n-grams from its
    language's counts, to each of which k is added.

    Args:
        n: characters in an n-gram.
        k: what is added to every count.
    """

    def __init__(self, n: int = 3, k: float = 0.5) -> None:
        if n < 1 or not 0 < k < math.inf:
            raise ValueError(f"n={n}, k={k}: want 1 or more, and above 0")
        self.n, self.k = n, k
        self.counts: dict[str, Counter[str]] = {}
        self.n_types = 1  # of n-grams, one of them for all never seen

    def grams(self, text: str) -> Counter[str]:
        """The n-grams of a text in lower case, white space as one blank."""
        line = f" {' '.join(text.lower().split())} "
        return Counter(map("".join, zip(
            *(line[i:] for i in range(self.n)), strict=False)))

    def fit(self, texts: Sequence[str], languages: Sequence[str]) -> Self:
        """Count the n-grams of texts whose languages are known."""
        if not texts or len(texts) != len(languages):
            raise ValueError(f"{len(texts)} texts, {len(languages)} "
                             "languages: want as many, and at least one")
        self.counts = {name: Counter() for name in sorted(set(languages))}
        for text, name in zip(texts, languages, strict=True):
            self.counts[name].update(self.grams(text))
        self.n_types = 1 + len(set().union(*self.counts.values()))
        return self

    def probabilities(self, text: str) -> dict[str, float]:
        """Probability of each language; all alike where there is no text.

        Raises:
            ValueError: called before fit.
        """
        if not self.counts:
            raise ValueError("no language has been counted yet: call fit first")
        grams = self.grams(text) if text.strip() else Counter[str]()
        scores = {}
        for name, counts in self.counts.items():
            total = counts.total() + self.k * self.n_types
            scores[name] = sum(times * math.log((counts[gram] + self.k) / total)
                               for gram, times in grams.items())
        top = max(scores.values())
        weights = {name: math.exp(s - top) for name, s in scores.items()}
        return {name: w / sum(weights.values()) for name, w in weights.items()}

    def predict(self, text: str) -> tuple[str, float]:
        """The likeliest language and its probability."""
        return max(self.probabilities(text).items(), key=lambda kv: kv[1])


# § sec-data-rules
@dataclass(frozen=True)
class Violation:
    """A rule that a text breaks: what was measured, and the limits."""

    rule: str
    value: float
    low: float
    high: float


def _broken(rules: Iterable[tuple[str, float, float, float]]
            ) -> list[Violation]:
    return [Violation(*rule) for rule in rules
            if not rule[2] <= rule[1] <= rule[3]]


STOP_WORDS = {"the", "be", "to", "of", "and", "that", "have", "with"}


def gopher_rules(text: str) -> list[Violation]:
    """The quality rules of Gopher (Rae et al. 2021, appendix A.1.1).

    A word is a run without white space; blank lines are no lines. A text
    without words breaks the first rule, and no other.
    """
    words = text.split()
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not words:
        return [Violation("words", 0, 50, 100_000)]
    n, m = len(words), len(lines)
    bare = {word.strip(".,;:!?\"'()“”‘’…").lower() for word in words}
    dots = [line.count("...") + line.count("…") for line in lines]
    bullets = [line[0] in "•‣*-" for line in lines]
    last = [line.endswith(("...", "…")) for line in lines]
    return _broken([
        ("words", n, 50, 100_000),
        ("mean word length", sum(map(len, words)) / n, 3, 10),
        ("hashes per word", text.count("#") / n, 0, 0.1),
        ("ellipses per word", sum(dots) / n, 0, 0.1),
        ("bullet lines", sum(bullets) / m, 0, 0.9),
        ("ellipsis lines", sum(last) / m, 0, 0.3),
        ("words with a letter", sum(
            any(map(str.isalpha, word)) for word in words) / n, 0.8, 1),
        ("stop words", len(STOP_WORDS & bare), 2, math.inf)])


C4_ENDS = (".", "!", "?", '"', "”")
C4_NOTICES = ("javascript", "terms of use", "privacy policy",
              "cookie policy", "uses cookies", "use of cookies",
              "use cookies")
_SENTENCE = re.compile(r"[.!?][\"'”’)\]]*(?=\s|\Z)")


def c4_rules(text: str, ends: tuple[str, ...] = C4_ENDS,
             bad_words: Iterable[str] = ()) -> tuple[str, list[Violation]]:
    """The rules of C4 (Raffel et al. 2020, section 2.2).

    Args:
        text: a page, one line for each of its blocks.
        ends: what a line must end with.
        bad_words: in lower case; a page with one of them breaks a rule.

    Returns:
        The lines that stay, and the rules that the page as a whole
        breaks. C4 drops it if there is any.
    """
    low = text.lower()
    kept = "\n".join(
        re.sub(r"\[(?:\d+|edit|citation needed)\]", "", line)
        for line in text.splitlines()
        if line.rstrip().endswith(ends) and len(line.split()) >= 5
        and not any(notice in line.lower() for notice in C4_NOTICES))
    bad = set(bad_words) & set(re.findall(r"\w+", low))
    return kept, _broken([
        ("sentences", len(_SENTENCE.findall(kept)), 3, math.inf),
        ("lorem ipsum", low.count("lorem ipsum"), 0, 0),
        ("curly brackets", text.count("{") + text.count("}"), 0, 0),
        ("bad words", len(bad), 0, 0)])


# § sec-data-classifier
FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


class QualityClassifier:
    """Logistic regression on hashed bags of words and pairs of words.

    Args:
        n_features: size of the hash table; weight 0 is the bias.
        l2: weight decay; the loss adds l2 / 2 times the squared weights.
    """

    def __init__(self, n_features: int = 1 << 16, l2: float = 1e-3) -> None:
        if n_features < 2 or not 0 < l2 < math.inf:
            raise ValueError(f"n_features={n_features}, l2={l2}: want 2 or "
                             "more, and above 0")
        self.n_features, self.l2 = n_features, l2
        self.weights: FloatArray = np.zeros(n_features)
        self.losses: list[float] = []

    def features(self, text: str) -> dict[int, float]:
        """Hashed counts, scaled to length 1, and a bias of 1."""
        tokens = [w.lower() for w in words(text)]
        pairs = map(" ".join, pairwise(tokens))
        bag = Counter(1 + zlib.crc32(gram.encode("utf-8", "surrogatepass"))
                      % (self.n_features - 1) for gram in (*tokens, *pairs))
        norm = math.sqrt(sum(c * c for c in bag.values())) or 1.0
        return {0: 1.0} | {i: c / norm for i, c in bag.items()}

    def _rows(self, texts: Sequence[str]) -> tuple[IntArray, IntArray,
                                                   FloatArray]:
        """The features of all texts: row, column and value of each."""
        if isinstance(texts, str):
            raise ValueError("texts is a single string: want a list")
        bags = [self.features(text) for text in texts]
        row = np.repeat(np.arange(len(bags)), [len(bag) for bag in bags])
        column = np.array([i for bag in bags for i in bag], dtype=np.int64)
        return row, column, np.array([v for bag in bags for v in bag.values()])

    def fit(self, texts: Sequence[str], good: Sequence[bool],
            n_steps: int = 200) -> Self:
        """Descend the loss with Nesterov's momentum, from weights of zero.

        Raises:
            ValueError: lengths differ, or one of the classes is missing.
        """
        y = np.asarray(good, dtype=np.float64)
        if len(texts) != len(y) or set(y.tolist()) != {0.0, 1.0}:
            raise ValueError(f"{len(texts)} texts, {len(y)} labels: want as "
                             "many, and some of both kinds")
        row, column, value = self._rows(texts)
        lr = 1 / (0.5 + self.l2)  # 1 over the largest curvature
        slow = math.sqrt(self.l2 * lr)
        self.weights, self.losses = np.zeros(self.n_features), []
        velocity = np.zeros(self.n_features)
        for _ in range(n_steps):
            ahead = self.weights + (1 - slow) / (1 + slow) * velocity
            z = np.bincount(row, value * ahead[column], len(y))
            loss = (np.logaddexp(0, z) - y * z).mean()
            self.losses.append(loss + self.l2 / 2 * float(ahead @ ahead))
            error = (1 / (1 + np.exp(-z)) - y)[row] / len(y)
            grad = np.bincount(column, error * value, self.n_features)
            new = ahead - lr * (grad + self.l2 * ahead)
            velocity, self.weights = new - self.weights, new
        return self

    def predict(self, texts: Sequence[str]) -> FloatArray:
        """Probability that each text is good: (len(texts),)."""
        if not self.losses:
            raise ValueError("there are no weights yet: call fit first")
        row, column, value = self._rows(texts)
        z = np.bincount(row, value * self.weights[column], len(texts))
        return np.asarray(np.exp(-np.logaddexp(0, -z)))


_STRAIGHT = str.maketrans("‘’‚‛“”„‟«»", "''''" + 6 * '"')


def fold(text: str) -> str:
    """A text without typography: straight quotes, no accents."""
    apart = unicodedata.normalize("NFKD", text.translate(_STRAIGHT))
    return "".join(c for c in apart if not unicodedata.combining(c))


def perplexity_filter(model: NGramLM, vocabulary: Vocabulary,
                      low: float, high: float,
                      view: Callable[[str], str] = fold
                      ) -> Callable[[str], bool]:
    """A test of texts: does a model find them neither odd nor stale?

    Args:
        model: fitted on text of the kind that is wanted.
        vocabulary: of the model; a word it lacks pays for its spelling.
        low, high: bits per byte between which a text is kept. CCNet cuts
            by quantiles of perplexity (Wenzek et al. 2020).
        view: what the model is shown of a text. No text, no pass.

    Raises:
        ValueError: 0 <= low < high does not hold.
    """
    if not 0 <= low < high:
        raise ValueError(f"low={low}, high={high}: want 0 <= low < high")

    def keep(text: str) -> bool:
        if not view(text).strip():
            return False
        corpus = Corpus.of(vocabulary, [view(text)])
        return low <= score(model.logprob, corpus).bits_per_byte <= high

    return keep
