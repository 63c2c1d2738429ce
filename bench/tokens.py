"""The tokenizers and n-grams beside their peers: seconds, megabytes a second, memory.

What is compared runs in this one process on the same text, in turn, A B A B …; the table
has medians, and the median of the ratios, pair by pair. Rows about memory run in processes
of their own. The text that is not Storyworld is whatever English this machine has:
tinyshakespeare, if SCRATCHLM_DATA names its folder, then the docstrings of the standard
library and of the installed packages.

    nox -s bench -- tokens
    .venv/bin/python bench/tokens.py train encode     only these parts
"""

from __future__ import annotations

import argparse
import ast
import importlib.util
import itertools
import json
import os
import platform
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import tiktoken
from rich.console import Console
from rich.table import Table
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from scratchlm.corpus.storyworld import generate
from scratchlm.tokenizer import bpe
from scratchlm.tokenizer.train import count_file, n_cores, train_file

SIZE = 5_000_000
VOCAB = 10_000
END = "<|endoftext|>"
PARTS = ("train", "encode", "stream", "file", "ngram")
console = Console(width=max(Console().width, 120))


@dataclass(frozen=True)
class Row:
    """What a comparison came to."""

    task: str
    ours: str
    peer: str = "–"
    ratio: str = "–"
    wanted: str = ""
    remark: str = ""


# The texts

def storyworld(n_bytes: int) -> list[str]:
    return [story.text for story in generate(n_bytes)]


def english(n_bytes: int) -> tuple[list[str], str]:
    """Varied English, no text twice, and what it is."""
    found: list[str] = []
    size = 0
    data = os.environ.get("SCRATCHLM_DATA")
    if data:
        found = (Path(data) / "tinyshakespeare.txt").read_text(encoding="utf-8").split("\n\n")
        size = sum(len(text.encode()) for text in found)
    what = f"tinyshakespeare ({size / 1e6:.1f} MB), " if data else ""
    shakespeare, seen = size, set(found)
    paths = sysconfig.get_paths()
    for path in itertools.chain(sorted(Path(paths["stdlib"]).rglob("*.py")),
                                sorted(Path(paths["purelib"]).rglob("*.py"))):
        if size >= n_bytes:
            break
        for text in docstrings(path):
            if text not in seen and size < n_bytes:
                seen.add(text)
                found.append(text)
                size += len(text.encode())
    what += f"docstrings of Python and its packages ({(size - shakespeare) / 1e6:.1f} MB)"
    return found, what


def docstrings(path: Path) -> Iterator[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            tree = ast.parse(path.read_text(encoding="utf-8"))
        except (SyntaxError, ValueError, OSError, RecursionError):
            return
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            text = ast.get_docstring(node)
            if text and len(text) > 80:
                yield text


# Seconds

Clock = Callable[[], float]


def seconds(f: Callable[[], object], clock: Clock = time.perf_counter) -> float:
    started = clock()
    f()
    return clock() - started


def beside(ours: Callable[[], object], peer: Callable[[], object], runs: int,
           clock: Clock = time.perf_counter) -> tuple[float, float, float]:
    """Medians of both, and of ours divided by the peer's."""
    pairs = [(seconds(ours, clock), seconds(peer, clock)) for _ in range(runs)]
    return (statistics.median(a for a, _ in pairs), statistics.median(b for _, b in pairs),
            statistics.median(a / b for a, b in pairs))


def hugging_face(texts: list[str], vocab_size: int) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.train_from_iterator(texts, trainers.BpeTrainer(
        vocab_size=vocab_size, show_progress=False, special_tokens=[],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    return tokenizer


def training(corpora: dict[str, list[str]], runs: int) -> Iterator[Row]:
    for name, texts in corpora.items():
        size = sum(len(text.encode()) for text in texts) / 1e6
        task = f"BPE, {size:.1f} MB of {name} to {VOCAB:,} tokens"
        a, b, ratio = beside(lambda t=texts: bpe.train_bpe(t, VOCAB),  # type: ignore[misc]
                             lambda t=texts: hugging_face(t, VOCAB), runs)  # type: ignore[misc]
        made, theirs = bpe.train_bpe(texts, VOCAB), hugging_face(texts, VOCAB)
        merges = json.loads(theirs.to_str())["model"]["merges"]
        same = [bpe.printable(x) + " " + bpe.printable(y) for x, y in made.merges] == \
            [" ".join(pair) if isinstance(pair, list) else pair for pair in merges]
        yield Row(task, f"{a:.2f} s, one process", f"{b:.2f} s, HF tokenizers, {n_cores()} threads",
                  f"{ratio:.2f} times", "≤ 3",
                  f"{len(made.vocab):,} tokens, merges {'equal' if same else 'DIFFERENT'}")
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "corpus.txt"
            path.write_text(END.join(texts), encoding="utf-8")
            c = statistics.median(seconds(lambda p=path: train_file(p, VOCAB, [END]))  # type: ignore[misc]
                                  for _ in range(runs))
        yield Row(task + ", from a file", f"{c:.2f} s, {n_cores()} processes", remark=(
            "starting the processes included"))
    for name, texts in corpora.items():
        few = list(itertools.islice(texts, len(texts) // 10))
        size = sum(len(text.encode()) for text in few) / 1e6
        counts = bpe.count_words(few)
        a, b, _ = beside(lambda c=counts: bpe.merge_fast(c, 744),  # type: ignore[misc]
                         lambda c=counts: bpe.merge_naively(c, 744), 1,  # type: ignore[misc]
                         time.process_time)
        yield Row(f"744 merges, {size:.1f} MB of {name}", f"{a:.2f} s, kept counts",
                  f"{b:.2f} s, counted anew", f"{b / a:.0f} times faster", "≥ 10",
                  "seconds of CPU; the counting of words left out on both sides")


def encoding(corpora: dict[str, list[str]], runs: int) -> Iterator[Row]:
    for name, texts in corpora.items():
        text = "\n\n".join(texts)
        model = bpe.train_bpe(texts, VOCAB)
        ranks = {token: i for i, token in model.vocab.items()}
        peer = tiktoken.Encoding("ours", pat_str=model.pattern, mergeable_ranks=ranks,
                                 special_tokens={})
        a, b, ratio = beside(lambda m=model, t=text: bpe.BPETokenizer(m).encode(t),  # type: ignore[misc]
                             lambda p=peer, t=text: p.encode_ordinary(t), runs,  # type: ignore[misc]
                             time.process_time)
        size = len(text.encode()) / 1e6
        same = bpe.BPETokenizer(model).encode(text) == peer.encode_ordinary(text)
        yield Row(f"encode {size:.1f} MB of {name}", f"{size / a:.1f} MB/s",
                  f"{size / b:.1f} MB/s, tiktoken, one thread", f"{1 / ratio:.2f} of its speed",
                  "≥ 0.33", f"ids {'equal' if same else 'DIFFERENT'}; seconds of CPU; nothing "
                  "remembered before")


# Memory

def memory_of(code: str, *arguments: object) -> dict[str, float]:
    """Run code in a process of its own, and watch the memory of it and of its children.

    Returns:
        What the code printed as JSON, with ``peak``, the largest sum of resident
        memory in bytes, and ``largest``, that of one process.
    """
    process = subprocess.Popen([sys.executable, "-c", code, *map(str, arguments)],
                               stdout=subprocess.PIPE, text=True)
    root, peak, largest = psutil.Process(process.pid), 0, 0
    done = threading.Event()

    def watch() -> None:
        nonlocal peak, largest
        while not done.wait(0.05):
            try:
                each = [p.memory_info().rss for p in [root, *root.children(recursive=True)]]
            except psutil.Error:
                continue
            peak, largest = max(peak, sum(each)), max([largest, *each])

    thread = threading.Thread(target=watch)
    thread.start()
    out, _ = process.communicate()
    done.set()
    thread.join()
    if process.returncode:
        raise RuntimeError(f"exit status {process.returncode}")
    return {**json.loads(out.splitlines()[-1]), "peak": peak, "largest": largest}


STREAM = """
import itertools, json, sys, time
from pathlib import Path
from scratchlm.tokenizer.bpe import BPETokenizer
tokenizer = BPETokenizer.load(sys.argv[1])
def chunks():
    left = int(sys.argv[3])
    while left > 0:
        with open(sys.argv[2], "rb") as file:
            while left > 0 and (block := file.read(min(left, 50_000))):
                left -= len(block)
                yield block
started = time.perf_counter()
n = sum(1 for _ in tokenizer.encode_iterable(chunks()))
print(json.dumps({"tokens": n, "seconds": time.perf_counter() - started}))
"""

COUNT = """
import json, sys, time
from pathlib import Path
from scratchlm.tokenizer.train import count_file
if __name__ == "__main__":
    started = time.perf_counter()
    counts = count_file(Path(sys.argv[1]), ["<|endoftext|>"])
    print(json.dumps({"words": len(counts), "seconds": time.perf_counter() - started}))
"""

NGRAM = """
import json, sys, time
from pathlib import Path
from scratchlm.ngram import NGramLM, Vocabulary
texts = Path(sys.argv[1]).read_text(encoding="utf-8").split("<|endoftext|>")
vocab = Vocabulary.of(texts)
ids = vocab.encode(*texts)
started = time.perf_counter()
NGramLM(5, "kneser_ney", vocab_size=len(vocab)).fit(ids)
print(json.dumps({"seconds": time.perf_counter() - started, "cpu": time.process_time(),
                  "types": len(vocab), "tokens": len(ids)}))
"""


def streaming(texts: list[str], gigabytes: float) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        source, saved = Path(folder) / "source.txt", Path(folder) / "tokenizer.json"
        source.write_text("\n\n".join(texts) + "\n\n", encoding="utf-8")
        bpe.BPETokenizer(bpe.train_bpe(texts, VOCAB)).save(saved)
        for size in (int(gigabytes * 1e8), int(gigabytes * 1e9)):
            got = memory_of(STREAM, saved, source, size)
            yield Row(f"encode_iterable, a stream of {size / 1e9:.1f} GB",
                      f"{got['peak'] / 1e6:.0f} MB at most", wanted="≤ 100 MB",
                      remark=f"{size / got['seconds'] / 1e6:.1f} MB/s; Python and all imports "
                             "included")


def counting(texts: list[str], gigabytes: float) -> Iterator[Row]:
    """The same texts over and over: the words stay the same, the file grows."""
    block = (END.join(texts) + END).encode()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.txt"
        for size in (int(gigabytes * 1e8), int(gigabytes * 1e9)):
            with path.open("wb") as file:
                for _ in range(size // len(block)):
                    file.write(block)
            got = memory_of(COUNT, path)
            yield Row(f"count a file of {path.stat().st_size / 1e9:.1f} GB",
                      f"{got['peak'] / 1e6:.0f} MB at most", remark=(
                f"{got['seconds']:.0f} s, {got['words']:,.0f} different words; "
                f"{n_cores()} counting processes together with their parent, "
                f"{got['largest'] / 1e6:.0f} MB in the largest"))
        few = path.with_name("one.txt")
        few.write_bytes(block)
        assert count_file(few, [END]) == bpe.count_words(texts)


def ngrams(corpora: dict[str, list[str]]) -> Iterator[Row]:
    if importlib.util.find_spec("scratchlm.ngram") is None:
        yield Row("Kneser-Ney 5-gram", "skipped", remark="scratchlm.ngram is not there")
        return
    for name, texts in corpora.items():
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "texts.txt"
            path.write_text(END.join(texts), encoding="utf-8")
            got = memory_of(NGRAM, path)
            size = path.stat().st_size
        yield Row(f"Kneser-Ney 5-gram, {size / 1e6:.1f} MB of {name}",
                  f"{got['seconds']:.1f} s, {got['peak'] / 1e6:.0f} MB at most",
                  wanted="≤ 10 s, ≤ 1 GB", remark=(
            f"{got['tokens']:,.0f} words, {got['types']:,.0f} of them different; "
            f"{got['cpu']:.1f} s of CPU with Python, all imports and the vocabulary"))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("-n", "--runs", type=int, default=3, help="counted pairs (default 3)")
    parser.add_argument("--gigabytes", type=float, default=1.0, help="of the large file")
    options = parser.parse_args()
    parts = options.parts or PARTS
    for part in parts:
        if part not in PARTS:
            parser.error(f"{part} is none of {', '.join(PARTS)}")
    warnings.filterwarnings("ignore", "the corpus ran out of pairs")
    varied, what = english(SIZE)
    corpora = {"Storyworld": storyworld(SIZE), "English": varied}
    console.print(f"[dim]English: {what}. Python {platform.python_version()}, "
                  f"{n_cores()} cores. Storyworld has few words, and runs out of pairs.[/]")
    table = Table(title=f"Medians of {options.runs} pairs")
    for heading in ("task", "ours", "peer", "ours to the peer", "wanted", "remark"):
        table.add_column(heading)
    rows = {"train": lambda: training(corpora, options.runs),
            "encode": lambda: encoding(corpora, options.runs),
            "stream": lambda: streaming(varied, options.gigabytes),
            "file": lambda: counting(varied, options.gigabytes),
            "ngram": lambda: ngrams(corpora)}
    for part in parts:
        for row in rows[part]():
            console.print(f"[dim]{row.task}: {row.ours}, {row.peer} {row.ratio} {row.remark}[/]")
            table.add_row(row.task, row.ours, row.peer, row.ratio, row.wanted, row.remark)
    console.print(table)


if __name__ == "__main__":
    main()
