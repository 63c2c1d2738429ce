"""Counting a file in pieces and in processes: the counts are those of the whole."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from scratchlm.tokenizer import train as training
from scratchlm.tokenizer.bpe import BPETokenizer, train_bpe
from scratchlm.tokenizer.pretokenize import GPT2_PATTERN, GPT4_PATTERN
from scratchlm.tokenizer.train import count_file, file_spans, safe_cuts, train_file

MANY = settings(max_examples=300, deadline=None)
FEW = settings(max_examples=100, deadline=None)
OWN_PATTERN = r"\S+\s*|\s+"  # spaces behind the words: no cut but at special tokens
PATTERNS = (GPT2_PATTERN, GPT4_PATTERN, OWN_PATTERN)
# Overlapping, containing one another, holding spaces; one is a letter of the texts.
SPECIALS = ("<|endoftext|>", "<|", "a b", "b\nc", " ", "aa", "aab", "é", "|>x")

# Everything that borders depend on: letters, digits, contractions, all kinds of space.
alphabet = st.sampled_from([
    "a", "b", "c", "x", "S", "'s", "'LL", "1", "22", ".", "!?", "<|endoftext|>", "<|", "|>",
    " ", "  ", "\n", "\r\n", "\n\n", "\t", "\u00a0", "\u3000", "\u2028", "\x1c", "\x85",
    "é", "e\u0301", "中", "。", "🙂", "\u200d", "ſ", "²", "\ufffd", "_"])
texts = st.lists(alphabet, max_size=40).map("".join)
special_lists = st.lists(st.sampled_from(SPECIALS), unique=True, max_size=4)


def whole(text: str, specials: list[str], pattern: str) -> list[str]:
    """Pre-tokens and special tokens of a text, by the package `regex` and nothing of ours."""
    names = "|".join(regex.escape(s) for s in sorted(specials, key=len, reverse=True))
    parts = regex.split(f"({names})", text) if names else [text]
    return [word for n, part in enumerate(parts)
            for word in ([part] if n % 2 else regex.findall(pattern, part))]


def counted(text: str, specials: list[str], pattern: str) -> Counter[str]:
    """The oracle's counts; special tokens are none of them."""
    names = "|".join(regex.escape(s) for s in sorted(specials, key=len, reverse=True))
    parts = regex.split(names, text) if names else [text]
    return Counter(word for part in parts for word in regex.findall(pattern, part))


@MANY
@given(texts, special_lists, st.sampled_from(PATTERNS))
def test_a_safe_cut_changes_nothing(text: str, specials: list[str], pattern: str) -> None:
    expected = whole(text, specials, pattern)
    cuts = list(safe_cuts(text, specials, pattern))
    assert cuts == sorted(set(cuts))
    for cut in cuts:
        assert whole(text[:cut], specials, pattern) + whole(text[cut:], specials, pattern) \
            == expected, (cut, text)
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert [w for piece in pieces for w in whole(piece, specials, pattern)] == expected


@pytest.mark.parametrize("text, specials, pattern, expected", [
    ("one two  three\nfour\n\nfive", [], GPT2_PATTERN, [3, 15]),
    ("one two", [], OWN_PATTERN, []),
    ("ab<s>cd<s>", ["<s>"], OWN_PATTERN, [2, 7]),
    ("a b c", ["a b"], GPT2_PATTERN, [0, 3]),
    ("aaa", ["aa"], GPT2_PATTERN, [0]),
    ("", ["x"], GPT2_PATTERN, []),
])
def test_where_the_cuts_are(text: str, specials: list[str], pattern: str,
                            expected: list[int]) -> None:
    assert list(safe_cuts(text, specials, pattern)) == expected


@FEW
@given(texts, special_lists, st.sampled_from(PATTERNS), st.integers(1, 60))
def test_counts_of_a_file_do_not_depend_on_the_pieces(
        tmp_path_factory: pytest.TempPathFactory, text: str, specials: list[str],
        pattern: str, n_bytes: int) -> None:
    path = tmp_path_factory.getbasetemp() / "pieces.txt"
    path.write_bytes(text.encode())
    found = count_file(path, specials, pattern, jobs=1, n_bytes=n_bytes)
    assert list(found.items()) == list(counted(text, specials, pattern).items())


@FEW
@given(st.lists(st.one_of(alphabet.map(str.encode), st.binary(max_size=3)), max_size=40)
       .map(b"".join), st.sampled_from(PATTERNS), st.integers(1, 20))
def test_bytes_that_are_no_text(tmp_path_factory: pytest.TempPathFactory, raw: bytes,
                                pattern: str, n_bytes: int) -> None:
    path = tmp_path_factory.getbasetemp() / "raw.txt"
    path.write_bytes(raw)
    text = raw.decode("utf-8", "replace")
    found = count_file(path, ["<|endoftext|>"], pattern, jobs=1, n_bytes=n_bytes,
                       errors="replace")
    assert found == counted(text, ["<|endoftext|>"], pattern)


@FEW
@given(texts, special_lists, st.sampled_from(PATTERNS), st.integers(1, 60))
def test_spans_are_adjacent_and_cover_the_file(
        tmp_path_factory: pytest.TempPathFactory, text: str, specials: list[str],
        pattern: str, n_bytes: int) -> None:
    path = tmp_path_factory.getbasetemp() / "spans.txt"
    path.write_bytes(text.encode())
    spans = list(file_spans(path, n_bytes, specials, pattern))
    assert [a for a, _ in spans] == [0, *(b for _, b in spans)][:len(spans)]
    assert (spans[-1][1] if spans else 0) == len(text.encode())
    assert all(b - a >= n_bytes for a, b in spans[:-1])


@pytest.mark.parametrize("before", range(16_370, 16_400))
def test_a_cut_on_either_side_of_a_block(tmp_path: Path, before: int) -> None:
    """The search reads blocks of 16 KiB; what stands across their border must be seen."""
    text = "é" * (before // 2) + "x" * (before % 2) + "<|endoftext|>b<|endoftext|> c d"
    path = tmp_path / "blocks.txt"
    path.write_text(text, encoding="utf-8")
    spans = list(file_spans(path, 1, ["<|endoftext|>", "|>b<|"]))
    cuts = [len(text[:cut].encode()) for cut in safe_cuts(text, ["<|endoftext|>", "|>b<|"])]
    assert [b for _, b in spans] == [*cuts, path.stat().st_size]


@pytest.fixture
def tale(tmp_path: Path) -> Path:
    path = tmp_path / "tale.txt"
    path.write_text("".join(f"Tale {n}: it's {'so ' * (n % 7)}\n\n  long.\n<|endoftext|>\n"
                            for n in range(3000)), encoding="utf-8")
    return path


def test_processes_count_what_one_counts(tale: Path) -> None:
    specials = ["<|endoftext|>"]
    expected = counted(tale.read_text(encoding="utf-8"), specials, GPT2_PATTERN)
    for jobs in (1, 2, 3):
        found = count_file(tale, specials, jobs=jobs, n_bytes=20_000)
        assert list(found.items()) == list(expected.items())


def test_training_on_a_file_is_training_on_its_text(tale: Path) -> None:
    specials = ["<|endoftext|>"]
    model, report = train_file(tale, 400, specials, jobs=2)
    text = tale.read_text(encoding="utf-8")
    assert model == train_bpe([text], 400, specials)
    ids = BPETokenizer(model).encode(text, allowed_special="all")
    assert report.n_tokens == len(ids) - 3000
    assert report.n_bytes == len(text.encode()) == report.n_text + 3000 * len(specials[0])
    assert (report.n_words, report.n_distinct) == (
        counted(text, specials, GPT2_PATTERN).total(),
        len(counted(text, specials, GPT2_PATTERN)))


def test_a_corpus_that_runs_out_of_pairs_says_how_many(tmp_path: Path,
                                                       recwarn: pytest.WarningsRecorder) -> None:
    path = tmp_path / "short.txt"
    path.write_text("low lower lowest", encoding="utf-8")
    model, report = train_file(path, 500, ["<|pad|>"])
    assert report.missing == 500 - len(model.vocab) > 0
    assert f"missing   {report.missing} tokens" in str(report)
    assert not recwarn.list
    assert "missing" not in str(train_file(path, 258, ["<|pad|>"])[1])


def test_the_sample_of_tinystories() -> None:
    folder = os.environ.get("SCRATCHLM_DATA")
    if not folder:
        pytest.skip("SCRATCHLM_DATA does not name the folder of test data")
    path = Path(folder) / "tinystories_sample.txt"
    model, report = train_file(path, 10_000, ["<|endoftext|>"])
    assert report.missing == 10_000 - len(model.vocab) > 9000
    assert report.n_tokens == report.n_words  # every word has become a token
    assert b"endoftext" not in b" ".join(a + b for a, b in model.merges)


def test_an_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "empty.txt"
    path.touch()
    model, report = train_file(path, 300, ["<|endoftext|>"], jobs=2)
    assert (len(model.vocab), report.missing, report.n_tokens) == (257, 43, 0)
    assert "0 tokens" in str(report)


def test_bad_arguments(tale: Path) -> None:
    with pytest.raises(ValueError, match="jobs=0 and n_bytes=1048576 must be > 0"):
        count_file(tale, jobs=0)
    with pytest.raises(ValueError, match="vocab_size=256 is too small"):
        train_file(tale, 256, ["<|endoftext|>"])
    with pytest.raises(ValueError, match="no regular expression"):
        train_file(tale, 300, pattern="(")
    with pytest.raises(FileNotFoundError):
        train_file(tale.with_name("nowhere.txt"), 300)


def test_a_bad_byte_is_named_whichever_process_meets_it(tale: Path) -> None:
    raw = tale.read_bytes()
    tale.write_bytes(raw[:70_000] + b"\xff" + raw[70_000:])
    for jobs in (1, 2):
        with pytest.raises(ValueError, match=r"tale\.txt is not UTF-8 at byte 70000: invalid"):
            count_file(tale, ["<|endoftext|>"], jobs=jobs, n_bytes=20_000)
    tale.write_bytes(raw[:-20] + "é".encode()[:1])
    with pytest.raises(ValueError, match="it ends inside a character"):
        count_file(tale, ["<|endoftext|>"], jobs=1)


def children() -> list[psutil.Process]:
    """Processes of ours, without the one that multiprocessing keeps for its bookkeeping."""
    return [child for child in psutil.Process().children(recursive=True)
            if "resource_tracker" not in " ".join(child.cmdline())]


def test_a_process_that_dies_is_an_error_and_no_hang(tale: Path) -> None:
    before = children()  # a browser of another test, say
    with pytest.raises(RuntimeError, match="a process that counted words has died"), \
            training.counting_pool(2) as pool:
        list(training.in_order(pool, os._exit, [9] * 20, 4))  # type: ignore
    assert set(children()) <= set(before)


def test_nothing_is_left_after_an_error(tale: Path) -> None:
    before = children()
    with pytest.raises(KeyboardInterrupt), training.counting_pool(2) as pool:
        for _ in training.in_order(pool, Counter, [(0, 0)] * 50, 4):  # type: ignore
            raise KeyboardInterrupt
    assert set(children()) <= set(before)


@pytest.fixture
def at_work(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A program in a session of its own, in the middle of counting with two processes."""
    path = tmp_path / "long.txt"
    path.write_bytes(b"".join(b"word%d, and %d\n" % (n, n * n) for n in range(500)) * 5000)
    code = ("import pathlib, sys; from scratchlm.tokenizer.train import count_file\n"
            "if __name__ == '__main__':\n"
            "    count_file(pathlib.Path(sys.argv[1]), jobs=2, n_bytes=100_000)")
    process = subprocess.Popen([sys.executable, "-c", code, str(path)], text=True,
                               stderr=subprocess.PIPE, start_new_session=True)
    until = time.monotonic() + 30
    while len(psutil.Process(process.pid).children()) < 3 and time.monotonic() < until:
        time.sleep(0.02)
    time.sleep(0.5)
    assert process.poll() is None
    yield process
    process.kill()
    process.communicate()
    path.unlink()


@pytest.mark.skipif(os.name == "nt", reason="signals are another matter on Windows")
@pytest.mark.parametrize("how", ["terminal", "kill"])
def test_no_process_outlives_its_parent(at_work: subprocess.Popen[str], how: str) -> None:
    family = psutil.Process(at_work.pid).children(recursive=True)
    if how == "terminal":  # Ctrl-C reaches every process of the terminal
        os.killpg(at_work.pid, signal.SIGINT)
    else:
        at_work.kill()
    at_work.wait(20)
    assert psutil.wait_procs(family, timeout=20)[1] == []
    if how == "terminal":
        told = at_work.stderr.read() if at_work.stderr else ""
        assert told.rstrip().endswith("KeyboardInterrupt")


@pytest.mark.parametrize("pattern", [GPT2_PATTERN, GPT4_PATTERN])
def test_a_table_with_empty_cells_is_counted_as_it_stands(tmp_path: Path, pattern: str) -> None:
    path = tmp_path / "table.tsv"
    rows = (f"kite {i % 7}\t\t\t{i}\t\t \t\u3000\tit's\t\t" for i in range(3_000))
    path.write_text("\n".join(rows), encoding="utf-8")
    expected = counted(path.read_text(encoding="utf-8"), [], pattern)
    for n_bytes in (999, 20_000, 1 << 20):
        assert count_file(path, [], pattern, jobs=1, n_bytes=n_bytes) == expected
