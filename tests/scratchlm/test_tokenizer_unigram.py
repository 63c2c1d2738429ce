"""Unigram against SentencePiece, and against all segmentations listed."""

from __future__ import annotations

import io
import itertools
import math
import random
import struct
from collections import Counter
from collections.abc import Mapping

import pytest
import sentencepiece
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from scratchlm.numerics import logsumexp
from scratchlm.tokenizer.unigram import (
    UnigramTokenizer,
    UnigramTrainer,
    forward_backward,
    lattice_blocks,
    log_add,
    log_marginals,
    sample,
    seed_pieces,
    train_unigram,
    viterbi,
)

PATIENT = settings(deadline=None, max_examples=80)
STORY = (
    "the cat sat on the mat and the hat was on the cat . the mat was wet , "
    "so the cat sat on the hat . that was that , and the hat was flat . "
) * 3


def all_segmentations(text: str, logp: Mapping[str, float]) -> list[list[str]]:
    """Every way to cut, by choosing every subset of the places between."""
    ways = []
    for cuts in itertools.product([False, True], repeat=max(0, len(text) - 1)):
        ends = [i + 1 for i, cut in enumerate(cuts) if cut] + [len(text)]
        pieces = [text[a:b] for a, b in zip([0, *ends], ends, strict=False)]
        if all(logp.get(piece, -math.inf) > -math.inf for piece in pieces):
            ways.append(pieces)
    return ways if text else [[]]


def total(pieces: list[str], logp: Mapping[str, float]) -> float:
    return sum(logp[piece] for piece in pieces)


tables = st.dictionaries(
    st.text("abc", min_size=1, max_size=4), st.floats(-12, -0.1), max_size=20
).map(lambda table: {"a": -3.0, "b": -4.0, "c": -5.0} | table)
texts = st.text("abc", max_size=9)


# --- one lattice ------------------------------------------------------------


@PATIENT
@given(texts, tables)
def test_viterbi_is_the_best_of_all(text: str, logp: dict[str, float]) -> None:
    pieces, score = viterbi(text, logp)
    assert "".join(pieces) == text
    assert score == pytest.approx(total(pieces, logp))
    assert score == pytest.approx(max(total(w, logp) for w in all_segmentations(text, logp)))


@PATIENT
@given(texts, tables)
def test_forward_backward_is_the_sum_over_all(text: str, logp: dict[str, float]) -> None:
    ways = all_segmentations(text, logp)
    whole = math.fsum(math.exp(total(w, logp)) for w in ways)
    log_whole, counts = forward_backward(text, logp)
    assert log_whole == pytest.approx(math.log(whole), abs=1e-9)
    for piece in logp:
        listed = math.fsum(math.exp(total(w, logp)) * w.count(piece) for w in ways) / whole
        assert counts.get(piece, 0.0) == pytest.approx(listed, abs=1e-9)


def test_bytes_are_as_good_as_characters() -> None:
    logp = {"h": -3.0, "u": -3.0, "g": -3.0, "ug": -2.0, "hug": -4.0}
    as_bytes = {piece.encode(): value for piece, value in logp.items()}
    pieces, score = viterbi(b"hughug", as_bytes)
    assert ([p.decode() for p in pieces], score) == viterbi("hughug", logp)


def test_empty_text_has_one_spelling() -> None:
    logp = {"a": -1.0}
    assert viterbi("", logp) == ([], 0.0)
    assert forward_backward("", logp) == (0.0, {})
    assert sample("", logp, 1.0, random.Random(0)) == []
    assert viterbi("", {}) == ([], 0.0)


def test_ties_go_to_the_longest_last_piece() -> None:
    logp = {"a": -1.0, "aa": -2.0, "aaa": -3.0}
    assert viterbi("aaaa", logp) == (["a", "aaa"], -4.0)


def test_impossible_pieces_are_never_used() -> None:
    logp = {"a": -1.0, "b": -1.0, "ab": -math.inf}
    assert viterbi("ab", logp)[0] == ["a", "b"]
    assert "ab" not in forward_backward("ab", logp)[1]


@pytest.mark.parametrize("logp", [{"a": -1.0, "c": -1.0}, {"a": -1.0, "b": -math.inf, "c": -1.0}])
def test_no_segmentation_is_an_error(logp: dict[str, float]) -> None:
    rng = random.Random(0)
    for call in (lambda: viterbi("aabc", logp), lambda: forward_backward("aabc", logp),
                 lambda: sample("aabc", logp, 1.0, rng)):
        with pytest.raises(ValueError, match=r"no pieces spell 'aabc'.*after place 2"):
            call()
    with pytest.raises(ValueError, match=r"no pieces spell 'a'"):
        viterbi("a", {})


def test_a_long_text_does_not_underflow() -> None:
    log_whole, counts = forward_backward("ab" * 3000, {"a": -9.0, "b": -9.0, "ab": -10.0})
    assert log_whole == pytest.approx(3000 * math.log(math.exp(-18) + math.exp(-10)))
    assert counts["ab"] == pytest.approx(3000 / (1 + math.exp(-8)))


@PATIENT
@given(st.lists(st.floats(-800, 5) | st.just(-math.inf), min_size=1, max_size=6))
def test_log_add_is_the_log_sum_exp_of_chapter_1(terms: list[float]) -> None:
    wanted = logsumexp(torch.tensor(terms, dtype=torch.float64), dim=0).item()
    assert log_add(terms) == pytest.approx(wanted)


def test_log_add_of_nothing() -> None:
    assert log_add([]) == -math.inf


# --- sampling ---------------------------------------------------------------


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0, 2.0])
def test_samples_come_with_their_probability(alpha: float) -> None:
    logp = {"a": -1.2, "b": -1.5, "ab": -2.0, "ba": -2.5, "aba": -3.0, "bab": -2.2}
    text, rng, n = "ababa", random.Random(3), 4000
    ways = {tuple(w): math.exp(alpha * total(w, logp)) for w in all_segmentations(text, logp)}
    whole = sum(ways.values())
    drawn = Counter(tuple(sample(text, logp, alpha, rng)) for _ in range(n))
    assert set(drawn) <= set(ways)
    # Chi-square with len(ways) - 1 degrees of freedom, five deviations above its mean.
    chi = sum((drawn[w] - n * p / whole) ** 2 / (n * p / whole) for w, p in ways.items())
    free = len(ways) - 1
    assert chi < free + 5 * math.sqrt(2 * free)


def test_a_large_alpha_is_viterbi_and_seeds_repeat() -> None:
    logp = {"a": -1.0, "b": -1.1, "ab": -2.0, "aab": -2.9}
    assert sample("aabab", logp, 200.0, random.Random(0)) == viterbi("aabab", logp)[0]
    twice = [sample("aabab" * 5, logp, 1.0, random.Random(7)) for _ in range(2)]
    assert twice[0] == twice[1]


@pytest.mark.parametrize("alpha", [-0.1, math.inf, math.nan])
def test_alpha_must_be_a_finite_number(alpha: float) -> None:
    with pytest.raises(ValueError, match=r"alpha=.* is not a finite number >= 0"):
        sample("a", {"a": -1.0}, alpha, random.Random(0))


# --- many lattices ----------------------------------------------------------


@PATIENT
@given(st.lists(st.text("abc", min_size=1, max_size=9), min_size=1, max_size=6), tables)
def test_a_batch_is_its_lattices_one_by_one(words: list[str], logp: dict[str, float]) -> None:
    number = {piece.encode(): i for i, piece in enumerate(logp)}
    leaf = torch.tensor(list(logp.values()), dtype=torch.float64, requires_grad=True)
    seen = []
    for rows, steps in lattice_blocks([word.encode() for word in words], number):
        found = log_marginals(steps, leaf)
        (gradient,) = torch.autograd.grad(found.sum(), leaf)
        alone = [forward_backward(words[row], logp) for row in rows.tolist()]
        assert found.tolist() == pytest.approx([value for value, _ in alone])
        for piece, slope in zip(logp, gradient.tolist(), strict=True):
            wanted = sum(counts.get(piece, 0.0) for _, counts in alone)
            assert slope == pytest.approx(wanted, abs=1e-9)
        seen += rows.tolist()
    assert sorted(seen) == list(range(len(words)))


def test_blocks_stay_small(monkeypatch: pytest.MonkeyPatch) -> None:
    words = [b"a" * n for n in (1, 2, 3, 30, 31, 200)]
    monkeypatch.setitem(lattice_blocks.__globals__, "CELLS", 128)
    blocks = list(lattice_blocks(words, {b"a": 0, b"aa": 1}))
    assert [len(rows) for rows, _ in blocks] == [1, 2, 3]   # no short word is padded to 200
    for rows, steps in blocks:
        assert steps.shape[0] == 1 or steps.numel() <= 128
        found = log_marginals(steps, torch.tensor([-1.0, -2.0], dtype=torch.float64))
        for row, value in zip(rows.tolist(), found.tolist(), strict=True):
            text = words[row].decode()
            assert value == pytest.approx(forward_backward(text, {"a": -1.0, "aa": -2.0})[0])


# --- training ---------------------------------------------------------------


def test_seeds_are_the_frequent_substrings() -> None:
    seeds = seed_pieces({b"hugs": 2, b"hug": 3, b"x": 9, b"ab": 1}, 3, 100)
    assert seeds == {b"hu": 5, b"ug": 5, b"gs": 2, b"hug": 5, b"ugs": 2}
    assert list(seed_pieces({b"hugs": 2, b"hug": 3}, 3, 1)) == [b"hug"]


def test_em_never_lowers_the_likelihood() -> None:
    model = train_unigram(STORY.split(" "), 280, em_steps=6)
    pairs = list(itertools.pairwise(model.history))
    kept = [(a[1], b[1]) for a, b in pairs if a[0] == b[0]]
    assert len(kept) > 10 and any(a[0] > b[0] for a, b in pairs)
    assert all(after >= before - 1e-9 * abs(before) for before, after in kept)


def test_the_m_step_is_the_definition() -> None:
    words = {b"hugs": 5, b"hug": 10, b"pug": 4, b"gugs": 2}
    trainer = UnigramTrainer(words, 3, 100)
    logp = dict(zip(trainer.pieces, trainer.logp.tolist(), strict=True))
    wanted: Counter[bytes] = Counter()
    likelihood = 0.0
    for word, n in words.items():
        value, counts = forward_backward(word, logp)
        likelihood += n * value
        for piece, count in counts.items():
            wanted[piece] += n * count          # type: ignore[assignment]
    counts_found = trainer.e_step()
    assert trainer.history[-1][1] == pytest.approx(likelihood)
    trainer.m_step(counts_found)
    whole = sum(wanted.values())
    assert trainer.logp.exp().sum().item() == pytest.approx(1)
    for piece, value in zip(trainer.pieces, trainer.logp.exp().tolist(), strict=True):
        assert value == pytest.approx(wanted[piece] / whole, abs=1e-12)


def test_the_estimated_loss_is_the_true_one_where_nothing_spans_the_ends() -> None:
    # Every word is at most one piece long in this sense: its ends are cuts.
    words = {b"ab": 7, b"cd": 3, b"xyz": 2}
    trainer = UnigramTrainer(words, 3, 100)
    counts = trainer.e_step()
    with_all, logp = trainer.history[-1][1], trainer.logp.clone()
    losses = dict(zip(trainer.pieces, trainer.losses(counts).tolist(), strict=True))
    for piece in (b"ab", b"cd", b"xyz"):
        trainer.logp = logp.clone()
        trainer.logp[trainer.pieces.index(piece)] = -math.inf
        trainer.e_step()
        assert losses[piece] == pytest.approx(with_all - trainer.history[-1][1])


def test_training_gives_what_was_asked_for() -> None:
    words = Counter(STORY.split(" "))
    model = train_unigram(words, 270)
    assert len(model.logp) == 270
    assert {bytes([b]) for b in range(256)} <= set(model.logp)
    assert math.fsum(math.exp(v) for v in model.logp.values()) == pytest.approx(1)
    assert list(model.logp)[:256] == [bytes([b]) for b in range(256)]
    longer = [v for piece, v in model.logp.items() if len(piece) > 1]
    assert longer == sorted(longer, reverse=True)
    assert train_unigram(STORY.split(" "), 270) == model
    # The word that a third of the text consists of is one piece.
    assert b"the" in model.logp


def test_too_little_text_gives_fewer_pieces() -> None:
    model = train_unigram({"ab": 5, "c": 1}, 1000)
    assert set(model.logp) == {bytes([b]) for b in range(256)} | {b"ab"}


@pytest.mark.parametrize(("words", "arguments", "message"), [
    ({"ab": 1}, {"vocab_size": 255}, "vocab_size=255 is less than 256 bytes"),
    ({"ab": 1}, {"vocab_size": 300, "max_length": 1}, "max_length=1, .*out of range"),
    ({"ab": 1}, {"vocab_size": 300, "em_steps": 0}, "em_steps=0, .*out of range"),
    ({"ab": 1}, {"vocab_size": 300, "keep": 1.0}, r"keep=1\.0: one is out of range"),
    ({}, {"vocab_size": 300}, "no words to learn from"),
    ({"": 4}, {"vocab_size": 300}, "no words to learn from"),
    ({"\ud800": 4}, {"vocab_size": 300}, "surrogates not allowed"),
])
def test_training_refuses(
    words: dict[str, int], arguments: dict[str, float], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        train_unigram(words, **arguments)  # type: ignore[arg-type]


# --- SentencePiece ----------------------------------------------------------


def _field(number: int, payload: bytes) -> bytes:
    """One length-delimited field of a protocol buffer."""
    size, head = len(payload), bytes([number << 3 | 2])
    while size > 127:
        head += bytes([size & 127 | 128])
        size >>= 7
    return head + bytes([size]) + payload


def sentencepiece_model(logp: Mapping[str, float]) -> sentencepiece.SentencePieceProcessor:
    """A SentencePiece unigram model with these pieces, nothing normalized."""
    special = [("<unk>", 0.0, 2), ("<s>", 0.0, 3), ("</s>", 0.0, 3)]
    proto = b""
    for piece, score, kind in [*special, *((p, s, 1) for p, s in logp.items())]:
        body = _field(1, piece.encode()) + b"\x15" + struct.pack("<f", score)
        proto += _field(1, body + bytes([0x18, kind]))
    proto += _field(2, bytes([0x18, 1]))                                # model_type: UNIGRAM
    proto += _field(3, _field(1, b"identity") + bytes([0x18, 0, 0x20, 0, 0x28, 0]))
    return sentencepiece.SentencePieceProcessor(model_proto=proto)


@PATIENT
@given(st.text("abc", min_size=1, max_size=30), tables)
def test_viterbi_scores_are_sentencepieces(text: str, logp: dict[str, float]) -> None:
    processor = sentencepiece_model(logp)
    theirs = processor.encode(text, out_type=str)
    assert "".join(theirs) == text
    pieces, score = viterbi(text, logp)
    # Their sums are of 32 bits: of two nearly equal ones, either may win.
    assert score == pytest.approx(total(theirs, logp), abs=1e-4)
    assert "".join(pieces) == text


def test_our_trained_pieces_in_sentencepiece() -> None:
    words = Counter(STORY.split(" "))
    model = train_unigram(words, 300)
    logp = {p.decode("latin-1"): v for p, v in model.logp.items() if p > b" " and p < b"\x7f"}
    processor = sentencepiece_model(logp)
    tokenizer = UnigramTokenizer(model.logp)
    for word in [*words, "thatcher", "wetsuit", "xylophone"]:
        ours = [tokenizer.vocab[i].decode() for i in tokenizer.encode_word(word)]
        theirs = processor.encode(word, out_type=str)
        assert total(ours, logp) == pytest.approx(total(theirs, logp), abs=1e-4)


def test_viterbi_on_a_model_that_sentencepiece_trained() -> None:
    file = io.BytesIO()
    rng = random.Random(0)
    words = [w for w in Counter(STORY.split(" ")) if w.isalpha()]
    lines = [" ".join(rng.choices(words, k=8)) for _ in range(300)]
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_writer=file, model_type="unigram", vocab_size=40,
        hard_vocab_limit=False, normalization_rule_name="identity", minloglevel=2,
    )
    processor = sentencepiece.SentencePieceProcessor(model_proto=file.getvalue())
    logp = {processor.id_to_piece(i): processor.get_score(i)
            for i in range(3, processor.get_piece_size())}
    assert len(logp) > 20
    for line in lines[:50]:
        theirs = processor.encode(line, out_type=str)
        ours, score = viterbi("▁" + line.replace(" ", "▁"), logp)
        assert score == pytest.approx(total(theirs, logp), abs=1e-3)
        assert "".join(ours) == "".join(theirs)


# --- the tokenizer ----------------------------------------------------------


@pytest.fixture(scope="module")
def tokenizer() -> UnigramTokenizer:
    return UnigramTokenizer(train_unigram(Counter(STORY.replace(" ", " \0").split("\0")), 300).logp)


@settings(deadline=None, max_examples=200)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_any_text_comes_back(text: str) -> None:
    logp = {bytes([b]): -6.0 for b in range(256)} | {b" the": -1.0, "é".encode(): -2.0}
    tokenizer = UnigramTokenizer(logp)
    assert tokenizer.decode(tokenizer.encode(text)) == text
    assert tokenizer.decode(tokenizer.sample(text, 0.3, random.Random(0))) == text


def test_ids_are_bytes_first(tokenizer: UnigramTokenizer) -> None:
    assert all(tokenizer.vocab[b] == bytes([b]) for b in range(256))
    assert len(tokenizer.vocab) == 300 and sorted(tokenizer.vocab) == list(range(300))
    assert tokenizer.encode("") == [] and tokenizer.decode([]) == ""
    assert tokenizer.encode("\x00") == [0]
    text = "the cat sat on 🎈"
    assert tokenizer.encode(text) == tokenizer.encode(text)          # from the cache
    assert len(tokenizer.encode(text)) < len(text.encode())


def test_pieces_do_not_cross_pretokens() -> None:
    logp = {bytes([b]): -6.0 for b in range(256)} | {b"t s": -0.5, b" sat": -1.0}
    tokenizer = UnigramTokenizer(logp)
    assert [tokenizer.vocab[i] for i in tokenizer.encode("t sat")] == [b"t", b" sat"]


def test_broken_utf8_is_replaced_or_refused(tokenizer: UnigramTokenizer) -> None:
    assert tokenizer.decode([0xF0, 0x9F]) == "\ufffd"
    with pytest.raises(UnicodeDecodeError):
        tokenizer.decode([0xF0, 0x9F], errors="strict")


def test_the_tokenizer_refuses(tokenizer: UnigramTokenizer) -> None:
    singles = {bytes([b]): -6.0 for b in range(256)}
    with pytest.raises(ValueError, match="id 300 is not in the vocabulary of 300"):
        tokenizer.decode([300])
    with pytest.raises(ValueError, match="id -1 is not"):
        tokenizer.decode([-1])
    with pytest.raises(ValueError, match=r"byte b'\\x07' has no probability"):
        UnigramTokenizer({p: v for p, v in singles.items() if p != b"\x07"})
    with pytest.raises(ValueError, match=r"byte b'a' has no probability"):
        UnigramTokenizer(singles | {b"a": -math.inf})
    for bad in (0.5, math.nan):
        with pytest.raises(ValueError, match=r"piece b'ab': .* is no log of a probability"):
            UnigramTokenizer(singles | {b"ab": bad})
    with pytest.raises(ValueError, match="surrogates not allowed"):
        tokenizer.encode("\ud800")
