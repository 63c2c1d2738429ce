"""Byte-level BPE against tiktoken, Hugging Face's trainer and the slow definition."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import random
import re
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import regex
import tiktoken
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from scratchlm.tokenizer import bpe, pretokenize, special
from scratchlm.tokenizer.bpe import BPEModel, BPETokenizer, merge_fast, merge_naively, train_bpe
from scratchlm.tokenizer.pretokenize import GPT2_PATTERN, GPT4_PATTERN

END, PAD = special.END_OF_TEXT, special.PAD
PUBLISHED = (  # as printed in GPT-2's code and in tiktoken
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+")
# Characters of many scripts that Unicode has had for long, spaces of all kinds, pieces of words.
PIECES = [
    "'s", "'LL", "'", "r", "e", " ", "  ", "\n", "\r\n", "\t", "\u00a0", "\u3000", "\u200b", "\x1c",
    "the", " the", "don't", "12345",
    "٣", "Ⅷ", "½", "é", "e\u0301", "ß", "ſ", "K", "Привет", "γλώσσα",
    "שלום", "مرحبا", "दुनिया", "你好", "日本語", "안녕", "สวัสดี", "😀", "👩\u200d🚀", "🇨🇭", "ᏣᎳᎩ",
    "!!", "...", "«", "$", "_x", "\x00", "\x85", "<|endoftext|>", "<|end", "<UNK>",
]
texts = st.lists(st.sampled_from(PIECES) | st.text(
    st.characters(exclude_categories=("Cs", "Cn")), max_size=4), max_size=40).map("".join)
ENGLISH = (Path(bpe.__file__).read_text() + Path(pretokenize.__file__).read_text()) * 2


@pytest.fixture(scope="module", params=[GPT2_PATTERN, GPT4_PATTERN], ids=["gpt2", "gpt4"])
def tokenizer(request: pytest.FixtureRequest) -> BPETokenizer:
    corpus = [ENGLISH, "".join(PIECES) * 3, "Привет, мир! 你好世界 " * 5]
    return BPETokenizer(train_bpe(corpus, 1000, [END, "<UNK>", PAD], pattern=request.param))


def theirs(model: BPEModel) -> tiktoken.Encoding:
    return tiktoken.Encoding("ours", pat_str=model.pattern, mergeable_ranks=model.ids(),
                             special_tokens=model.special_tokens)


@pytest.fixture(scope="module")
def oracle(tokenizer: BPETokenizer) -> tiktoken.Encoding:
    return theirs(tokenizer.model)


def hf_merges(corpus: list[str], vocab_size: int) -> list[tuple[bytes, bytes]]:
    """What Hugging Face's trainer merges."""
    other = Tokenizer(models.BPE())
    other.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    other.train_from_iterator(corpus, trainers.BpeTrainer(
        vocab_size=vocab_size, show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    byte_of = {c: b for b, c in pretokenize.bytes_to_unicode().items()}
    pairs = json.loads(other.to_str())["model"]["merges"]
    return [(bytes(byte_of[c] for c in a), bytes(byte_of[c] for c in b)) for a, b in pairs]


# --- pre-tokens


@given(texts)
@settings(max_examples=200, deadline=None)
def test_pretokens_are_those_of_the_published_pattern(text: str) -> None:
    assert pretokenize.pretokenize(text) == regex.findall(PUBLISHED, text)


@given(st.text(st.characters(max_codepoint=127), max_size=60))
@settings(max_examples=300, deadline=None)
def test_the_ascii_twins_cut_alike(text: str) -> None:
    for pattern, twin in pretokenize.ASCII_TWINS.items():
        assert twin.findall(text) == regex.findall(pattern, text)


@given(texts, texts)
@settings(max_examples=150, deadline=None)
def test_what_is_settled_stays_whatever_follows(text: str, more: str) -> None:
    for pattern in (GPT2_PATTERN, GPT4_PATTERN):
        end = pretokenize.settled(text, pattern)
        borders, at = {0}, 0
        for word in regex.findall(pattern, text + more):
            at += len(word)
            borders.add(at)
        assert end in borders


def test_slices_join_to_the_text_and_cut_no_pretoken() -> None:
    for text in ("word " * 9000, "x" * 50_000, " " * 50_000, "你好。\n" * 9000, ""):
        parts = list(pretokenize.slices(text))
        assert "".join(parts) == text
        found = [w for part in parts for w in pretokenize.pretokenize(part)]
        assert found == pretokenize.pretokenize(text)


SPACED = st.text(st.sampled_from(" \n\t\r\u3000\u00a0a1é'!"), max_size=120)


@given(SPACED)
@settings(max_examples=200, deadline=None)
def test_slices_that_end_anywhere_keep_the_pretokens(text: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pretokenize, "SLICE", 16)
        for pattern in (GPT2_PATTERN, GPT4_PATTERN):
            parts = list(pretokenize.slices(text, pattern))
            found = [w for part in parts for w in pretokenize.pretokenize(part, pattern)]
            assert found == regex.findall(pattern, text)


@given(SPACED, SPACED)
@settings(max_examples=200, deadline=None)
def test_what_is_settled_is_cut_alike_alone(text: str, more: str) -> None:
    for pattern in (GPT2_PATTERN, GPT4_PATTERN):
        end = pretokenize.settled(text, pattern)
        alone = regex.findall(pattern, text[:end])
        assert alone == regex.findall(pattern, text + more)[: len(alone)]


def test_of_other_patterns_nothing_is_settled() -> None:
    pattern, text = r".{9999}|(?s:.)", "ab " * 20_000  # what is a pre-token depends on all of it
    assert pretokenize.settled(text, pattern) == 0
    assert list(pretokenize.slices(text, pattern)) == [text]


def table(gap: str) -> str:
    """Rows of cells, most of them empty, more than many slices long."""
    rng = random.Random(0)
    rows = (gap.join(rng.choice(("", "", "kite", "12", "")) for _ in range(9))
            for _ in range(5_000))
    return "\n".join(rows)


@pytest.mark.parametrize("gap", ["\t", ",", "\u3000", "  ", "\r\n\t"])
def test_tables_with_empty_cells_are_cut_as_by_tiktoken(
        tokenizer: BPETokenizer, gap: str) -> None:
    """Here runs of white space are tokens, so that a wrong border gives wrong ids."""
    text = table(gap)
    pattern = tokenizer.model.pattern
    assert bpe.count_words([text], pattern=pattern) == Counter(regex.findall(pattern, text))
    spaced = BPETokenizer(train_bpe([text[:20_000]], 400, pattern=pattern))
    expected = theirs(spaced.model).encode_ordinary(text)
    assert spaced.encode(text) == expected
    chunks = [text[i : i + 1000] for i in range(0, len(text), 1000)]
    assert list(spaced.encode_iterable(chunks)) == expected


def test_byte_characters_are_those_of_hugging_face() -> None:
    table = pretokenize.bytes_to_unicode()
    assert sorted(table) == list(range(256))
    assert set(table.values()) == set(pre_tokenizers.ByteLevel.alphabet())
    assert (table[ord(" ")], table[ord("\n")], table[ord("a")]) == ("Ġ", "Ċ", "a")


def test_a_bad_pattern_is_named() -> None:
    with pytest.raises(ValueError, match=r"pattern '\(' is no regular expression"):
        pretokenize.pretokenize("é", "(")
    for grouped in ("(a)(b)", "(?P<x>a)"):
        with pytest.raises(ValueError, match="has groups"):
            pretokenize.pretokenize("é", grouped)
        with pytest.raises(ValueError, match="has groups"):
            train_bpe(["a text"], 300, pattern=grouped)
        with pytest.raises(ValueError, match="has groups"):
            BPEModel({i: bytes([i]) for i in range(256)}, [], pattern=grouped)


# --- training


@pytest.mark.parametrize("tie", bpe.TIES)
def test_fast_and_naive_merge_alike_on_random_words(tie: bpe.Tie) -> None:
    rng = random.Random(0)
    for _ in range(60):
        letters = "ab" if rng.random() < 0.4 else "abcé "
        counts = {"".join(rng.choices(letters, k=rng.randint(1, 12))): rng.randint(1, 4)
                  for _ in range(rng.randint(1, 25))}
        assert merge_fast(counts, 40, tie) == merge_naively(counts, 40, tie)


@pytest.mark.parametrize("seed", range(4))
def test_merges_are_those_of_hugging_face(seed: int) -> None:
    rng = random.Random(seed)
    words = [*ENGLISH.split(), "Привет", "你好", "😀😀😀", "aaaaaaa", "banana"]
    corpus = [" ".join(rng.choices(words, k=2000)) for _ in range(3)]
    size = 256 + 700
    ours = train_bpe(corpus, size, tie="hf")
    assert ours.merges == hf_merges(corpus, size)
    # Ids: HF numbers its alphabet by code point, we number bytes by value; merges agree.
    assert [ours.vocab[256 + i] for i in range(700)] == [a + b for a, b in ours.merges]


def test_merges_of_a_corpus_that_runs_out_are_those_of_hugging_face() -> None:
    corpus = ["the cat and the hat sat", "on the mat"]
    with pytest.warns(UserWarning, match=r"ran out of pairs: \d+ tokens, not 5000"):
        ours = train_bpe(corpus, 5000)
    assert ours.merges == hf_merges(corpus, 5000)
    assert len(ours.vocab) == 256 + len(ours.merges)


def test_first_seen_is_what_max_over_a_dictionary_takes() -> None:
    """The rule of minbpe: max(stats, key=stats.get) over pairs in the order of the text."""
    text = ENGLISH[:3000]
    chunks = [list(w.encode()) for w in pretokenize.pretokenize(text)]
    expected = []
    vocab = {i: bytes([i]) for i in range(256)}
    for new in range(256, 320):
        stats: dict[tuple[int, int], int] = {}
        for ids in chunks:
            for pair in itertools.pairwise(ids):
                stats[pair] = stats.get(pair, 0) + 1
        a, b = best = max(stats, key=lambda p: stats[p])
        expected.append((vocab[a], vocab[b]))
        vocab[new] = vocab[a] + vocab[b]
        for ids in chunks:
            i = 0
            while i < len(ids) - 1:
                if (ids[i], ids[i + 1]) == best:
                    ids[i : i + 2] = [new]
                i += 1
    assert train_bpe([text], 320, tie="first").merges == expected


def test_lexicographic_takes_the_greatest_pair_of_bytes() -> None:
    assert merge_fast({"ab": 2, "zc": 2, " d": 2}, 1, "lexicographic") == [(b"z", b"c")]
    # Bytes, not printable characters: the space (32) is written with U+0120.
    assert merge_fast({" a": 1, "za": 1}, 1, "lexicographic") == [(b"z", b"a")]
    # Pairs, not what they join to: both give abbc, and (ab, ...) > (a, ...).
    counts = {"ab": 9, "abc": 1, "abb": 1}
    assert merge_fast(counts, 3, "lexicographic") == [(b"a", b"b"), (b"ab", b"c"), (b"ab", b"b")]
    naive = merge_naively(counts, 3, "lexicographic")
    assert naive == [(b"a", b"b"), (b"ab", b"c"), (b"ab", b"b")]


def test_the_order_of_the_corpus_matters_to_first_only() -> None:
    words = Counter(pretokenize.pretokenize(ENGLISH[:4000]))
    shuffled = dict(sorted(words.items()))
    for tie in bpe.TIES:
        same = merge_fast(words, 200, tie) == merge_fast(shuffled, 200, tie)
        assert same == (tie != "first")


def test_special_tokens_are_not_learned_from() -> None:
    corpus = ["ab<|endoftext|>" * 100, "cd"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = train_bpe(corpus, 300, [END, PAD])
    assert model.merges == [(b"a", b"b"), (b"c", b"d")]
    assert model.special_tokens == {END: 258, PAD: 259}
    assert model.vocab[258] == END.encode()


def test_progress_is_told_after_each_merge() -> None:
    seen: list[tuple[int, int]] = []
    train_bpe([ENGLISH], 276, progress=lambda *step: seen.append(step))
    assert seen == [(i, 20) for i in range(1, 21)]


def test_words_are_counted_over_texts_and_slices() -> None:
    texts_ = ["a b a", "a\n" * 10_000, ""]
    assert bpe.count_words(iter(texts_)) == Counter(
        w for t in texts_ for w in regex.findall(PUBLISHED, t))


@pytest.mark.parametrize(("arguments", "message"), [
    ({"vocab_size": 255}, "vocab_size=255 is too small: the 256 bytes and 0 special"),
    ({"vocab_size": 257, "special_tokens": [END, PAD]}, "2 special tokens need 258"),
    ({"vocab_size": 300, "tie": "random"}, "tie='random' is none of hf, lexicographic, first"),
    ({"vocab_size": 300, "special_tokens": [""]}, "must not be empty"),
    ({"vocab_size": 300, "special_tokens": [END, END]}, "is there twice"),
    ({"vocab_size": 300, "pattern": "["}, "is no regular expression"),
])
def test_impossible_training_is_refused(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        train_bpe(["é text"], **arguments)  # type: ignore[arg-type]


def test_one_string_for_many_is_refused() -> None:
    with pytest.raises(TypeError, match=r"give \[text\]"):
        train_bpe("a text", 300)
    with pytest.raises(TypeError, match="is one string"):
        train_bpe(["a text"], 300, "<|pad|>")
    with pytest.raises(TypeError, match="special token 7 is not a string"):
        train_bpe(["a text"], 300, [7])  # type: ignore[list-item]


def test_no_text_gives_bytes_only() -> None:
    for corpus in ([], [""], ["", ""]):
        with pytest.warns(UserWarning, match="256 tokens, not 300"):
            model = train_bpe(corpus, 300)
        assert BPETokenizer(model).encode("hé") == list("hé".encode())


# --- encoding


@given(text=texts)
@settings(max_examples=150, deadline=None)
def test_ids_are_tiktokens(tokenizer: BPETokenizer, oracle: tiktoken.Encoding, text: str) -> None:
    ids = tokenizer.encode(text, disallowed_special=())
    assert ids == oracle.encode_ordinary(text)
    assert tokenizer.decode(ids, "strict") == text
    ids = tokenizer.encode(text, allowed_special="all")
    assert ids == oracle.encode(text, allowed_special="all")
    assert tokenizer.decode(ids) == oracle.decode(ids) == text
    only = tokenizer.encode(text, allowed_special={END}, disallowed_special=())
    assert only == oracle.encode(text, allowed_special={END}, disallowed_special=())


def test_long_words_are_merged_alike(tokenizer: BPETokenizer, oracle: tiktoken.Encoding) -> None:
    rng = random.Random(0)
    for letters in ("a", "ab", "the", "abcdefgh", "你好a"):
        for n in (bpe.LONG_WORD - 1, bpe.LONG_WORD, bpe.LONG_WORD + 1, 5000):
            word = "".join(rng.choices(letters, k=n))
            assert tokenizer.encode(word) == oracle.encode_ordinary(word)


@given(st.lists(st.integers(0, 999)), st.sampled_from(["replace", "ignore"]))
@settings(max_examples=150, deadline=None)
def test_decoding_is_tiktokens(ids: list[int], errors: str) -> None:
    tokenizer = any_tokenizer()
    expected = theirs(tokenizer.model)
    assert tokenizer.decode_bytes(ids) == expected.decode_bytes(ids)
    assert tokenizer.decode(ids, errors) == expected.decode(ids, errors)  # type: ignore[arg-type]


_ANY: list[BPETokenizer] = []


def any_tokenizer() -> BPETokenizer:
    if not _ANY:
        _ANY.append(BPETokenizer(train_bpe([ENGLISH], 1000, [END, "<UNK>", PAD])))
    return _ANY[0]


def test_a_small_cache_changes_nothing() -> None:
    model = any_tokenizer().model
    expected = any_tokenizer().encode(ENGLISH, disallowed_special=())
    for size in (0, 1, 7):
        cached = BPETokenizer(model, cache_size=size)
        assert cached.encode(ENGLISH, disallowed_special=()) == expected
        assert len(cached._cache) <= size


def test_rank_decides_and_not_place_or_length() -> None:
    merges = [(b"a", b"b"), (b"b", b"c"), (b"a", b"a")]
    vocab = {i: bytes([i]) for i in range(256)} | {
        256 + i: a + b for i, (a, b) in enumerate(merges)}
    assert BPETokenizer(BPEModel(vocab, merges)).encode("aabc") == [97, 256, 99]


def test_unknown_ids_are_refused() -> None:
    tokenizer = any_tokenizer()
    for wrong in (1000, -1, 10**9):
        with pytest.raises(ValueError, match=f"no token has the id {wrong}; the vocabulary holds"):
            tokenizer.decode([1, wrong])
    with pytest.raises(UnicodeDecodeError):
        tokenizer.decode([0xFF], "strict")
    assert tokenizer.decode([]) == "" and tokenizer.encode("") == []


def test_what_is_no_text_and_no_id_is_named() -> None:
    tokenizer = any_tokenizer()
    for wrong, kind in ((b"kite", "bytes"), (None, "NoneType"), (7, "int")):
        with pytest.raises(TypeError, match=f"text is {kind}, not str"):
            tokenizer.encode(wrong)  # type: ignore[arg-type]
    ids = torch.tensor([65, 66])
    assert tokenizer.decode(ids.tolist()) == tokenizer.decode(np.array([65, 66])) == "AB"
    with pytest.raises(TypeError, match=r"not Tensor; a tensor gives them with \.tolist\(\)"):
        tokenizer.decode(ids)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="no token has the id 5000"):
        tokenizer.decode(np.array([5000]))
    with pytest.raises(TypeError, match=r"a chunk is int.* give \[data\]"):
        list(tokenizer.encode_iterable(b"kite"))  # type: ignore[arg-type]


def test_lone_surrogates_are_refused() -> None:
    with pytest.raises(ValueError, match=r"lone surrogate U\+D83D"):
        any_tokenizer().encode("kite \ud83d kite")
    with pytest.raises(ValueError, match="surrogate"):
        train_bpe(["kite \udcff"], 300)
    with pytest.raises(ValueError, match=r"lone surrogate U\+D800"):
        train_bpe(["\ud800"], 300)


# --- special tokens


def test_the_four_cases_of_special_tokens() -> None:
    tokenizer = any_tokenizer()
    text, end = f"a{END}b", tokenizer.model.special_tokens[END]
    with pytest.raises(ValueError, match=re.escape(f"has the special token {END!r}")):
        tokenizer.encode(text)
    assert tokenizer.encode(text, allowed_special={END}) == [97, end, 98]
    assert end not in tokenizer.encode(text, disallowed_special=())
    with pytest.raises(ValueError, match=re.escape(END)):
        tokenizer.encode(text, allowed_special={PAD})
    assert tokenizer.encode(text, disallowed_special={PAD}) == tokenizer.encode(
        text, disallowed_special=())
    with pytest.raises(ValueError, match="'<x>' is not a special token of this model"):
        tokenizer.encode(text, allowed_special={"<x>"})
    with pytest.raises(TypeError, match="one string"):
        tokenizer.encode(text, allowed_special=END)  # type: ignore[arg-type]


def test_the_longer_special_token_wins() -> None:
    names = ["<a>", "<a><b>", "<b>", "a"]
    pieces = list(special.split_on_special("x<a><b><b><a>y", names))
    assert pieces == [("x", False), ("<a><b>", True), ("<b>", True), ("<a>", True), ("y", False)]
    assert list(special.split_on_special("xyz", [])) == [("xyz", False)]
    assert list(special.split_on_special("", names)) == []
    # Not a pattern: a dot or a bar in a name means itself.
    assert list(special.split_on_special("a|b.c", ["b.c", "a|"])) == [("a|", True), ("b.c", True)]


# --- streams


@given(text=texts, cuts=st.lists(st.integers(0, 10**6), max_size=12))
@settings(max_examples=100, deadline=None)
def test_a_stream_has_the_ids_of_the_whole(text: str, cuts: list[int]) -> None:
    for pattern in (GPT2_PATTERN, GPT4_PATTERN):
        model = any_tokenizer().model
        tokenizer = BPETokenizer(BPEModel(model.vocab, model.merges, model.special_tokens, pattern))
        expected = tokenizer.encode(text, allowed_special="all")
        data = text.encode()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(bpe, "CHUNK", 5)
            for whole in (text, data):
                at = sorted({0, len(whole), *(c % (len(whole) + 1) for c in cuts)})
                chunks = [whole[a:b] for a, b in itertools.pairwise(at)]
                found = list(tokenizer.encode_iterable(chunks, allowed_special="all"))
                assert found == expected


def test_a_stream_of_single_characters_and_of_runs() -> None:
    tokenizer = any_tokenizer()
    for text in ("x" * 70_000, " " * 70_000 + "x", "it's  " * 12_000, f"{END}" * 6000, ""):
        expected = tokenizer.encode(text, allowed_special="all")
        assert list(tokenizer.encode_iterable(text, allowed_special="all")) == expected


def test_memory_of_a_stream_does_not_grow() -> None:
    import tracemalloc

    def lines(n: int) -> Iterator[str]:
        return (f"line {i % 50} of the kite's story\n" for i in range(n))

    tokenizer = any_tokenizer()
    peaks = []
    for n in (4_000, 20_000):
        tracemalloc.start()
        assert sum(1 for _ in tokenizer.encode_iterable(lines(n))) > n
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.5 * peaks[0] + 10**6


def test_bad_bytes_in_a_stream_are_located() -> None:
    tokenizer = any_tokenizer()
    data = "kite 你".encode()
    with pytest.raises(ValueError, match="no UTF-8 at byte 5 of the stream: unexpected end"):
        list(tokenizer.encode_iterable([data[:3], data[3:-1]]))
    with pytest.raises(ValueError, match="no UTF-8 at byte 6 of the stream: invalid start"):
        list(tokenizer.encode_iterable([b"kite", b"", b"s \xff"]))
    with pytest.raises(ValueError, match="no UTF-8 at byte 5 of the stream"):
        list(tokenizer.encode_iterable([data[:6], b"x"]))
    with pytest.raises(ValueError, match="special token"):
        list(tokenizer.encode_iterable(["<|endof", "text|>"]))
    with pytest.raises(ValueError, match="no UTF-8 at byte 4 of the stream: unexpected end"):
        list(tokenizer.encode_iterable([b"kite\xc3", "x", b"\xa9"]))
    mixed = ["Zo", b"\xc3", b"\xab", "'s ", b"kite"]
    assert list(tokenizer.encode_iterable(mixed)) == tokenizer.encode("Zoë's kite")


# --- files


def test_saved_and_loaded(tmp_path: Path, tokenizer: BPETokenizer) -> None:
    tokenizer.save(tmp_path / "t.json")
    again = BPETokenizer.load(tmp_path / "t.json")
    assert again.model == tokenizer.model
    assert [p.name for p in tmp_path.iterdir()] == ["t.json"]


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.json"
    any_tokenizer().save(path)
    whole = path.read_text()
    cases = {
        "not a saved tokenizer, or not all of one": whole[: len(whole) // 2],
        "changed after it was saved": whole.replace('"<UNK>": 998', '"<UNK>": 997'),
        "no file of the format": '{"model": {}}',
    }
    for message, text in cases.items():
        assert text != whole
        path.write_text(text)
        with pytest.raises(ValueError, match=message):
            BPETokenizer.load(path)
    for foreign in (b"", b"\xff\xfe\x00", b"[]", b"null", b"7"):
        path.write_bytes(foreign)
        with pytest.raises(ValueError, match=r"t\.json"):
            BPETokenizer.load(path)
    with pytest.raises(FileNotFoundError):
        BPETokenizer.load(tmp_path / "none.json")


def without(key: str) -> Callable[[dict[str, Any]], None]:
    return lambda model: model.pop(key)


@pytest.mark.parametrize(("change", "message"), [
    (without("special_tokens"), "special_tokens"),
    (without("vocab"), "vocab"),
    (without("pattern"), "pattern"),
    (lambda model: model.update(vocab=[1, 2]), "list"),
    (lambda model: model["vocab"].update(a="7"), "'7'"),
    (lambda model: model["vocab"].update(a=7.5), "id 7.5"),
    (lambda model: model["vocab"].update(a=[7]), "list"),
    (lambda model: model["vocab"].update({"你": 7}), "stands for no byte"),
    (lambda model: model.update(merges=[7]), "int"),
    (lambda model: model["merges"].reverse(), "cannot have been made"),
    (lambda model: model.update(pattern="("), "no regular expression"),
    (lambda model: model.update(pattern=5), "no regular expression"),
    (lambda model: model.update(pattern=["a"]), "list"),
    (lambda model: model.update(pattern="(a)(b)"), "has groups"),
    (lambda model: model.update(special_tokens=["<x>"]), "list"),
])
def test_an_edited_file_with_a_fresh_fingerprint_is_refused(
        tmp_path: Path, change: Callable[[dict[str, Any]], None], message: str) -> None:
    path = tmp_path / "t.json"
    any_tokenizer().save(path)
    whole = json.loads(path.read_text())
    change(whole["model"])
    text = json.dumps(whole["model"], sort_keys=True)
    whole["sha256"] = hashlib.sha256(text.encode()).hexdigest()
    path.write_text(json.dumps(whole))
    with pytest.raises(ValueError, match=rf"t\.json.*{re.escape(message)}"):
        BPETokenizer.load(path)


def test_a_file_nested_too_deep_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.json"
    path.write_text("[" * 100_000 + "]" * 100_000)
    with pytest.raises(ValueError, match=r"t\.json is not a saved tokenizer"):
        BPETokenizer.load(path)


def test_a_saved_file_may_be_read_by_those_the_umask_allows(tmp_path: Path) -> None:
    for mask, mode in ((0o022, 0o644), (0o077, 0o600)):
        before = os.umask(mask)
        try:
            any_tokenizer().save(tmp_path / f"{mode}.json")
        finally:
            os.umask(before)
        assert (tmp_path / f"{mode}.json").stat().st_mode & 0o777 == mode
    with pytest.raises(FileNotFoundError, match=r"no folder .*missing"):
        any_tokenizer().save(tmp_path / "missing" / "t.json")


def test_a_failed_save_leaves_the_old_file(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "t.json"
    path.write_text("old")

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        any_tokenizer().save(path)
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_models_that_cannot_be_are_refused() -> None:
    vocab = {i: bytes([i]) for i in range(256)}
    with pytest.raises(ValueError, match="cannot have been made"):
        BPEModel(vocab | {256: b"abc"}, [(b"ab", b"c")])
    with pytest.raises(ValueError, match="cannot have been made"):
        BPEModel(vocab | {256: b"ab"}, [(b"a", b"b"), (b"a", b"b")])
    with pytest.raises(ValueError, match="not both"):
        BPEModel(vocab | {256: b"xy"}, [])
    with pytest.raises(ValueError, match="not both"):
        BPEModel({i: b for i, b in vocab.items() if i != 7}, [])
    with pytest.raises(ValueError, match="two ids: 97 and 256"):
        BPEModel(vocab | {256: b"a"}, [])
    with pytest.raises(ValueError, match="special token '<UNK>' has id 3"):
        BPEModel(vocab, [], {"<UNK>": 3})
    with pytest.raises(ValueError, match="id 1114112 is not between"):
        BPEModel(vocab | {0x110000: b"ab"}, [(b"a", b"b")])


def test_merges_are_found_again_from_ranks(tokenizer: BPETokenizer) -> None:
    model = tokenizer.model
    assert bpe.from_ranks(model.ids(), model.special_tokens, model.pattern) == model
    with pytest.raises(ValueError, match=r"no two tokens of lower rank make b'xyz'"):
        bpe.from_ranks({bytes([i]): i for i in range(256)} | {b"xyz": 256})


# --- GPT-2 as it was published


@pytest.fixture(scope="module")
def gpt2(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[BPEModel, tiktoken.Encoding]]:
    if "SCRATCHLM_DATA" not in os.environ:
        pytest.skip("SCRATCHLM_DATA does not say where GPT-2's merges are")
    cache = Path(os.environ["SCRATCHLM_DATA"]).resolve() / "tiktoken_cache"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TIKTOKEN_CACHE_DIR", str(cache))
        published = tiktoken.get_encoding("gpt2")
        files = sorted(cache.iterdir(), key=lambda path: path.stat().st_size)
        yield bpe.load_gpt2(files[0], files[1]), published


def test_gpt2_has_its_vocabulary(gpt2: tuple[BPEModel, tiktoken.Encoding]) -> None:
    model, published = gpt2
    assert len(model.vocab) == 50257 == 256 + 50_000 + 1 == published.n_vocab
    assert model.ids() == published._mergeable_ranks
    assert model.special_tokens == {END: 50256}
    assert bpe.from_ranks(published._mergeable_ranks, published._special_tokens) == model


def test_gpt2_encodes_as_published(gpt2: tuple[BPEModel, tiktoken.Encoding]) -> None:
    model, published = gpt2
    tokenizer = BPETokenizer(model)
    assert tokenizer.encode("Hello, world!") == [15496, 11, 995, 0]
    text = (Path(os.environ["SCRATCHLM_DATA"]) / "tinyshakespeare.txt").read_text()
    assert tokenizer.encode(text) == published.encode(text)

    @given(text=texts)
    @settings(max_examples=200, deadline=None)
    def fuzz(text: str) -> None:
        assert tokenizer.encode(text, allowed_special="all") == published.encode(
            text, allowed_special="all")

    fuzz()


def test_files_that_are_not_gpt2s_are_refused(tmp_path: Path) -> None:
    merges, vocab = tmp_path / "vocab.bpe", tmp_path / "encoder.json"
    merges.write_text("a b\n")
    vocab.write_text("{}")
    with pytest.raises(ValueError, match="does not begin with #version"):
        bpe.load_gpt2(merges, vocab)
    merges.write_text("#version: 0.2\na b\n")
    with pytest.raises(ValueError, match="no id for"):
        bpe.load_gpt2(merges, vocab)
