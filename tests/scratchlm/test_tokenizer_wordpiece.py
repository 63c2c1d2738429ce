"""WordPiece against Hugging Face's tokenizers and the definition, executed slowly."""

from __future__ import annotations

import math
import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from scratchlm.tokenizer.wordpiece import (
    SymbolPairs,
    WordPieceTokenizer,
    pair_scores,
    train_wordpiece,
)

PATIENT = settings(deadline=None, max_examples=60)
HUGS = {"hug": 10, "pug": 5, "pun": 12, "bun": 4, "hugs": 5}


def slow_wordpiece(
    words: dict[str, int], n_merges: int, score: str, stop_at_tie: bool = False
) -> list[str]:
    """Learned pieces by the definition: all counts anew, exact fractions.

    With ``stop_at_tie`` it ends where two pairs are equally good.
    """
    split = {w: [w[0], *("##" + c for c in w[1:])] for w in words}
    learned = []
    for _ in range(n_merges):
        uses: Counter[str] = Counter()
        pairs: Counter[tuple[str, str]] = Counter()
        for word, symbols in split.items():
            for symbol in symbols:
                uses[symbol] += words[word]
            for i in range(len(symbols) - 1):
                pairs[symbols[i], symbols[i + 1]] += words[word]
        if not pairs:
            break
        values = {
            (a, b): Fraction(n, uses[a] * uses[b]) if score == "ratio" else Fraction(n)
            for (a, b), n in pairs.items()
        }
        tied = [pair for pair, value in values.items() if value == max(values.values())]
        if stop_at_tie and len(tied) > 1:
            break
        a, b = min(tied)
        new = a + (b[2:] if b.startswith("##") else b)
        learned.append(new)
        for word, symbols in split.items():
            out, i = [], 0
            while i < len(symbols):
                if symbols[i : i + 2] == [a, b]:
                    out.append(new)
                    i += 2
                else:
                    out.append(symbols[i])
                    i += 1
            split[word] = out
    return learned


def hf_wordpiece(vocab: dict[str, int], max_chars: int = 100) -> Tokenizer:
    model = models.WordPiece(vocab=vocab, unk_token="[UNK]", max_input_chars_per_word=max_chars)
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece(prefix="##", cleanup=False)
    return tokenizer


# --- training ---------------------------------------------------------------


def test_first_merges_of_the_worked_example() -> None:
    # The course of Hugging Face: ##gs first, where byte-pair encoding has ##ug.
    alphabet = ["[UNK]", "##g", "##n", "##s", "##u", "b", "h", "p"]
    ratio = list(train_wordpiece(HUGS, 9, score="ratio"))
    count = list(train_wordpiece(HUGS, 9, score="count"))
    assert ratio == [*alphabet, "##gs"]
    assert count == [*alphabet, "##ug"]


@PATIENT
@given(
    st.dictionaries(st.text("abcd", min_size=1, max_size=7), st.integers(1, 30), min_size=1,
                    max_size=12),
    st.sampled_from(["ratio", "count"]),
)
def test_training_is_the_definition(words: dict[str, int], score: str) -> None:
    learned = slow_wordpiece(words, 25, score)
    letters = {s for w in words for s in [w[0], *("##" + c for c in w[1:])]}
    wanted = list(dict.fromkeys(["[UNK]", *sorted(letters), *learned]))
    assert list(train_wordpiece(words, len(wanted), score=score)) == wanted


def test_overlapping_pairs_merge_from_the_left() -> None:
    vocab = train_wordpiece({"baaaa": 3}, 5, score="count")
    # ##a ##a ##a ##a: two merges, not three, and nothing is left over.
    assert list(vocab) == ["[UNK]", "##a", "b", "##aa", "##aaaa"]


def test_counts_stay_those_of_a_recount() -> None:
    rng = random.Random(0)
    words = {"".join(rng.choices("abc", k=rng.randint(1, 9))): rng.randint(1, 9) for _ in range(40)}
    pairs = SymbolPairs(words, "##")
    for _ in range(40):
        pair = pairs.best("gain")
        if pair is None:
            break
        pairs.merge(pair)
        uses: Counter[int] = Counter()
        together: Counter[tuple[int, int]] = Counter()
        for word, count in zip(pairs.words, pairs.counts, strict=True):
            for symbol in word:
                uses[symbol] += count
            for two in pairwise(word):
                together[two] += count
        assert {i: int(n) for i, n in enumerate(pairs.uses) if n} == dict(uses)
        kept = {p: int(pairs.pairs[row, 2]) for p, row in pairs.rows.items()}
        assert {p: n for p, n in kept.items() if n} == dict(together)


def test_gain_is_the_derivative_of_the_exact_one() -> None:
    # For a pair that is a small part of its symbols, the first order is exact
    # to first order: the error shrinks with the square of the pair's count.
    def h(n: float) -> float:
        return n * math.log(n)

    n_a, n_b, total = 10**6, 2 * 10**6, 10**7
    errors = []
    for n in (4000, 2000, 1000):
        exact = (h(n) + h(n_a - n) + h(n_b - n) - h(n_a) - h(n_b) + h(total) - h(total - n))
        gain = pair_scores(np.array([n]), np.array([n_a]), np.array([n_b]), total, "gain")[0]
        # The old symbols' own change: -n each for a, b and +n for the total, to first order.
        errors.append(abs(exact - gain + n))
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.01)
    assert errors[1] / errors[2] == pytest.approx(4, rel=0.01)


def test_many_symbols_and_pairs_outgrow_the_first_arrays() -> None:
    words = {chr(0x4E00 + i) + chr(0x5E00 + 7 * i % 2999): 1 + i % 5 for i in range(1100)}
    vocab = train_wordpiece(words, 10**6)
    assert set(words) - set(vocab) == set()      # every word became one piece


def test_without_pairs_the_vocabulary_stays_small() -> None:
    vocab = train_wordpiece(HUGS, 1000)
    assert set(HUGS) <= set(vocab) and len(vocab) < 30
    assert list(train_wordpiece([], 5)) == ["[UNK]"]
    assert list(train_wordpiece({"": 3}, 5)) == ["[UNK]"]


def test_words_may_come_one_by_one() -> None:
    one_by_one = [w for w, n in HUGS.items() for _ in range(n)]
    assert train_wordpiece(one_by_one, 14) == train_wordpiece(HUGS, 14)
    backward = dict(reversed(HUGS.items()))
    assert train_wordpiece(backward, 14) == train_wordpiece(HUGS, 14)


def test_min_count_passes_rare_pairs_over() -> None:
    assert "##gs" not in train_wordpiece(HUGS, 100, min_count=6)
    assert "##ug" in train_wordpiece(HUGS, 100, min_count=6)


def test_ties_do_not_depend_on_hashing() -> None:
    program = (
        "from scratchlm.tokenizer.wordpiece import train_wordpiece as t\n"
        "print(list(t({'xy', 'zw', 'vu', 'ts', 'abc', 'acb'}, 20)))"
    )
    path = os.pathsep.join(p for p in sys.path if p)
    outputs = {
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True,
                       env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": path}).stdout
        for seed in ("1", "2", "3")
    }
    assert len(outputs) == 1


@pytest.mark.parametrize(("arguments", "message"), [
    ({"vocab_size": 7}, "vocab_size=7 is less than the 8 special tokens and letters"),
    ({"vocab_size": 20, "min_count": 0}, "min_count=0 is not positive"),
    ({"vocab_size": 20, "score": "best"}, "score='best' is none of"),
])
def test_training_refuses(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        train_wordpiece(HUGS, **arguments)  # type: ignore[arg-type]


# --- what libraries run -----------------------------------------------------


def hf_trained(words: dict[str, int], vocab_size: int) -> set[str]:
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    trainer = trainers.WordPieceTrainer(
        vocab_size=vocab_size, special_tokens=["[UNK]"], min_frequency=0, show_progress=False
    )
    tokenizer.train_from_iterator([" ".join([w] * n) for w, n in words.items()], trainer)
    return set(tokenizer.get_vocab())


def longer(names: Iterable[str]) -> list[str]:
    """The pieces that were learned: neither letters nor special tokens."""
    return [n for n in names if len(n.removeprefix("##")) > 1 and n != "[UNK]"]


def test_the_library_merges_the_worked_example_by_count() -> None:
    learned = [longer(hf_trained(HUGS, size)) for size in range(9, 16)]
    first = next(names for names in learned if names)
    assert first == ["##ug"] and "##gs" not in learned[-1]


def test_the_library_merges_by_count_and_not_by_ratio() -> None:
    rng = random.Random(1)
    compared = 0
    for _ in range(8):
        words = {"".join(rng.choices("abcde", k=rng.randint(2, 6))): rng.randint(1, 400)
                 for _ in range(40)}
        safe = longer(slow_wordpiece(words, 40, "count", stop_at_tie=True))
        ours = longer(train_wordpiece(words, 200, score="count"))
        by_ratio = longer(train_wordpiece(words, 200, score="ratio"))
        assert ours[: len(dict.fromkeys(safe))] == list(dict.fromkeys(safe))
        for size in range(14, 50, 6):
            theirs = set(longer(hf_trained(words, size)))
            if 3 < len(theirs) <= len(dict.fromkeys(safe)):
                assert theirs == set(ours[: len(theirs)])
                assert theirs != set(by_ratio[: len(theirs)])
                compared += 1
    assert compared > 8


# --- encoding ---------------------------------------------------------------

pieces = st.sets(
    st.builds(lambda a, b: a + b, st.sampled_from(["", "##"]), st.text("abcé", min_size=1,
                                                                     max_size=4)),
    max_size=25,
)


@settings(deadline=None, max_examples=150)
@given(pieces, st.lists(st.text("abcéx", min_size=1, max_size=12), max_size=8),
       st.integers(1, 12))
def test_encoding_is_the_librarys(names: set[str], words: list[str], max_chars: int) -> None:
    vocab = {name: i for i, name in enumerate(["[UNK]", *sorted(names)])}
    ours = WordPieceTokenizer(vocab, max_chars=max_chars)
    theirs = hf_wordpiece(vocab, max_chars)
    text = " ".join(words)
    ids = theirs.encode(text).ids
    assert ours.encode(text) == ids
    assert ours.decode(ids) == theirs.decode(ids, skip_special_tokens=False)


SCRIPTS = "abzÀéßñ ,.!?'#$+<=>^`|~-_()\t\n\u00a0\u2003日本語中文हिन्दीनमस्तेخ🎈🙂α«»…—"


@settings(deadline=None, max_examples=150)
@given(st.text(SCRIPTS, max_size=40))
def test_words_and_ids_of_any_text_are_the_librarys(text: str) -> None:
    names = ["[UNK]", *sorted(set(SCRIPTS) - set(" \t\n")), *("##" + c for c in "abé本語म")]
    vocab = {name: i for i, name in enumerate(dict.fromkeys(names))}
    ours = WordPieceTokenizer(vocab)
    theirs = hf_wordpiece(vocab)
    assert ours.encode(text) == theirs.encode(text).ids


def test_encoding_a_trained_vocabulary() -> None:
    folder = os.environ.get("SCRATCHLM_DATA")
    if not folder:
        pytest.skip("SCRATCHLM_DATA names no folder with tinyshakespeare.txt")
    with open(os.path.join(folder, "tinyshakespeare.txt"), encoding="utf-8") as file:
        text = file.read()[:200_000]
    pre = pre_tokenizers.BertPreTokenizer()
    words = [word for word, _ in pre.pre_tokenize_str(text)]
    vocab = train_wordpiece(words, 1500, score="gain")
    ours, theirs = WordPieceTokenizer(vocab), hf_wordpiece(vocab)
    strange = text[:50_000] + " Qwxyz naïve 日本 " + "a" * 101 + " " + "a" * 100
    assert ours.encode(strange) == theirs.encode(strange).ids


def test_greed_does_not_back_up() -> None:
    vocab = {p: i for i, p in enumerate(["[UNK]", "h", "hug", "##u", "##ugs"])}
    tokenizer = WordPieceTokenizer(vocab)
    assert tokenizer.encode_word("hugs") == [0]       # though h ##ugs spells it
    assert tokenizer.encode_word("hugugs") == [2, 4]
    assert tokenizer.encode_word("huu") == [1, 3, 3]
    assert tokenizer.encode_word("") == []
    assert tokenizer.encode("") == [] and tokenizer.decode([]) == ""


def test_max_chars_is_inclusive() -> None:
    tokenizer = WordPieceTokenizer({"[UNK]": 7, "a": 1, "##a": 2}, max_chars=3)
    assert tokenizer.encode("aaa aaaa") == [1, 2, 2, 7]


def test_another_prefix_and_pattern() -> None:
    vocab = {"?": 0, "a": 1, "@b": 2, "-": 3}
    tokenizer = WordPieceTokenizer(vocab, unk_token="?", prefix="@", pattern=r"\S+")
    assert tokenizer.encode("ab a-") == [1, 2, 0]
    assert tokenizer.decode([1, 2, 1]) == "ab a"


def test_the_tokenizer_refuses() -> None:
    with pytest.raises(ValueError, match=r"unk_token='\[UNK\]' is not in vocab"):
        WordPieceTokenizer({"a": 0})
    with pytest.raises(ValueError, match="share an id"):
        WordPieceTokenizer({"[UNK]": 0, "a": 1, "b": 1})
    with pytest.raises(ValueError, match="id 9 is not in the vocabulary"):
        WordPieceTokenizer({"[UNK]": 0}).decode([9])
