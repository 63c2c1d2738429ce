"""A real corpus."""

from __future__ import annotations

import multiprocessing
import os
import re
import signal
import threading
import time
import warnings
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

from scratchlm.corpus.files import decode_at, progress_bar
from scratchlm.tokenizer.bpe import (
    BPEModel,
    BPETokenizer,
    Tie,
    check_sizes,
    count_words,
    train_from_counts,
)
from scratchlm.tokenizer.pretokenize import (
    GPT2_PATTERN,
    GPT4_PATTERN,
    compile_pattern,
)

# § sec-real-cuts
FILE_CUTS = r"(?<=\S)(?= \S)|(?<=\S\n)(?=\S)"  # where patterns allow it


def safe_cuts(text: str, special_tokens: Sequence[str] = (),
              pattern: str = GPT2_PATTERN) -> Iterator[int]:
    """Where a text may be cut in two without a change to its pre-tokens.

    Before a special token, whatever the pattern. With GPT-2's and GPT-4's
    patterns also before a single space between two words, and after a
    single line break. Never inside a special token.

    Args:
        text: any string; a special token may straddle its ends.
        special_tokens: what is cut out before pre-tokenization.
        pattern: the pre-tokenizer's regular expression.

    Yields:
        Positions in the text, in ascending order.
    """
    rules = [f"(?={re.escape(token)})" for token in special_tokens]
    if pattern in (GPT2_PATTERN, GPT4_PATTERN):
        rules.append(FILE_CUTS)
    for match in re.finditer("|".join(rules) or r"(?!)", text):
        cut = match.start()
        if not any(token in text[max(0, cut - len(token) + 1):
                                 cut + len(token) - 1]
                   for token in special_tokens):
            yield cut


def next_cut(file: BinaryIO, start: int, size: int,
             special_tokens: Sequence[str], pattern: str) -> int:
    """The first safe cut at or after a byte of a file; else its size."""
    margin = 4 * max(map(len, special_tokens), default=1) + 4
    block = 1 << 14
    for at in range(start, size, block):
        low = max(0, at - margin)
        file.seek(low)
        raw = file.read(at - low + block + margin)
        while low and raw and raw[0] & 0xC0 == 0x80:  # inside a character
            raw, low = raw[1:], low + 1
        text = raw.decode("utf-8", "surrogateescape")  # and back, exactly
        for cut in safe_cuts(text, special_tokens, pattern):
            head = text[:cut].encode("utf-8", "surrogateescape")
            if at <= low + len(head) < at + block:
                return low + len(head)
    return size


def file_spans(path: Path, n_bytes: int, special_tokens: Sequence[str] = (),
           pattern: str = GPT2_PATTERN) -> Iterator[tuple[int, int]]:
    """Cut a file, where that is safe, into spans of about ``n_bytes``.

    Yields:
        (start, end) in bytes: adjacent, and together the whole file. With
        a pattern of your own and no special token, there is only one.
    """
    start, size = 0, path.stat().st_size
    with path.open("rb") as file:
        while start < size:
            end = next_cut(file, start + n_bytes, size, special_tokens,
                           pattern)
            yield start, end
            start = end


# § sec-real-processes
def count_span(path: Path, special_tokens: Sequence[str], pattern: str,
               errors: str, span: tuple[int, int]) -> Counter[str]:
    """Count the pre-tokens of one span of a file: a worker's task.

    Raises:
        ValueError: the span is not UTF-8, and ``errors`` is "strict".
    """
    with path.open("rb") as file:
        file.seek(span[0])
        raw = file.read(span[1] - span[0])
    text = decode_at(raw, span[0], path, errors)
    return count_words([text], special_tokens, pattern)


def _obey() -> None:
    """A worker leaves Ctrl-C to its parent, and does not outlive it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()

    def follow() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


@contextmanager
def counting_pool(n: int) -> Iterator[ProcessPoolExecutor]:
    """Processes to count in; none of them is left at the end.

    They are spawned and not forked, since a fork copies locks that other
    threads may be holding.

    Raises:
        RuntimeError: one of them died.
    """
    pool = ProcessPoolExecutor(
        n, multiprocessing.get_context("spawn"), initializer=_obey)
    try:
        yield pool
    except BrokenProcessPool as error:
        raise RuntimeError(
            "a process that counted words has died: of too little memory, "
            "or, if this is a script, because the call is not below "
            "`if __name__ == '__main__':`") from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


Span = tuple[int, int]


def in_order(pool: ProcessPoolExecutor,
             count: Callable[[Span], Counter[str]],
             spans: Iterable[Span], ahead: int,
             ) -> Iterator[Counter[str]]:
    """Counts of spans in the order of the file, few of them at a time."""
    waiting: deque[Future[Counter[str]]] = deque()
    for span in spans:
        waiting.append(pool.submit(count, span))
        if len(waiting) > ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def n_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def count_file(path: Path, special_tokens: Sequence[str] = (),
               pattern: str = GPT2_PATTERN, *, jobs: int | None = None,
               n_bytes: int = 1 << 20, errors: str = "strict",
               ) -> Counter[str]:
    """Count a file's pre-tokens, in memory for its words and not for it.

    Args:
        special_tokens: never counted; no pre-token crosses one.
        pattern: the pre-tokenizer's regular expression.
        jobs: processes; as many as there are cores if None.
        n_bytes: what a process takes at a time.
        errors: "strict", or "replace" for U+FFFD where no character is.

    Returns:
        Counts in the order of first occurrence, whatever ``jobs`` is.

    Raises:
        ValueError: jobs or n_bytes < 1, or the file is not UTF-8.
        RuntimeError: a process died.
    """
    jobs = n_cores() if jobs is None else jobs
    if jobs < 1 or n_bytes < 1:
        raise ValueError(f"jobs={jobs} and n_bytes={n_bytes} must be > 0")
    size, counts = path.stat().st_size, Counter[str]()
    count = partial(count_span, path, special_tokens, pattern, errors)
    spans = list(file_spans(path, n_bytes, special_tokens, pattern))
    with (progress_bar(f"counting {path.name}", size, "bytes") as tell,
          ExitStack() as own):
        found: Iterable[Counter[str]] = map(count, spans)
        if jobs > 1 and len(spans) > 1:
            pool = own.enter_context(counting_pool(min(jobs, len(spans))))
            found = in_order(pool, count, spans, 2 * jobs)
        for span, part in zip(spans, found, strict=True):
            counts.update(part)
            tell(span[1])
    return counts


@dataclass(frozen=True)
class TrainingReport:
    """What came of training on a file."""

    n_bytes: int  # of the file
    n_text: int  # of these, bytes that are no special token's
    n_words: int  # pre-tokens
    n_distinct: int  # different ones
    n_tokens: int  # that the pre-tokens become
    missing: int  # tokens not made, since the pairs ran out
    counting: float  # seconds
    merging: float  # seconds

    def __str__(self) -> str:
        """A few lines for people."""
        ratio = self.n_text / max(1, self.n_tokens)
        return "\n".join([
            f"corpus    {self.n_bytes:,} bytes, {self.n_words:,} "
            f"pre-tokens, {self.n_distinct:,} of them different",
            f"time      {self.counting:.1f} s to count, "
            f"{self.merging:.1f} s to merge",
            f"result    {self.n_tokens:,} tokens, {ratio:.2f} bytes each",
            *[f"missing   {self.missing:,} tokens: the corpus ran out of "
              "pairs"] * (self.missing > 0)])


def train_file(path: Path, vocab_size: int,
               special_tokens: Sequence[str] = (), tie: Tie = "hf",
               pattern: str = GPT2_PATTERN, *, jobs: int | None = None,
               errors: str = "strict") -> tuple[BPEModel, TrainingReport]:
    """Train byte-level BPE on a file of any size.

    Args:
        path, special_tokens, pattern, jobs, errors: see ``count_file``.
        vocab_size, tie: see ``train_from_counts``.

    Raises:
        ValueError, RuntimeError: see there.
    """
    wanted = check_sizes(vocab_size, special_tokens, tie)
    compile_pattern(pattern)
    started = time.perf_counter()
    counts = count_file(path, special_tokens, pattern, jobs=jobs,
                        errors=errors)
    counted = time.perf_counter()
    with progress_bar("merging", wanted) as tell, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the report says what is missing
        model = train_from_counts(counts, vocab_size, special_tokens, tie,
                                  pattern, lambda done, _: tell(done))
    merged = time.perf_counter()
    n_text = sum(n * len(word.encode()) for word, n in counts.items())
    encode = BPETokenizer(model, cache_size=0).encode
    n_tokens = sum(n * len(encode(word, disallowed_special=()))
                   for word, n in counts.items())
    return model, TrainingReport(
        path.stat().st_size, n_text, counts.total(), len(counts), n_tokens,
        vocab_size - len(model.vocab), counted - started, merged - counted)
