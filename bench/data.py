"""Chapter 5 beside its peers: duplicates, the loader, the memory of the pipeline.

What is compared runs in this one process on the same documents, in turn, A B A B …; the table
has medians, and the median of the ratios, pair by pair. Rows about memory run in processes
of their own. Documents are Storyworld's, a part of them copied or edited by a seeded draw.

    nox -s bench -- data
    .venv/bin/python bench/data.py dedup     only this part
"""

from __future__ import annotations

import argparse
import json
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
import psutil
from rich.console import Console
from rich.table import Table

from scratchlm.corpus.storyworld import generate
from scratchlm.corpus.web import crawl, write_warc
from scratchlm.data import dedup

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


# Duplicates

def documents(n_bytes: int, seed: int = 0) -> list[str]:
    """Stories in rows of two or three; three in ten copied, whole or with words changed."""
    rng = np.random.default_rng(seed)
    stories = [story.text for story in generate(n_bytes, seed=seed)]
    docs = [" ".join(stories[i:i + 3]) for i in range(0, len(stories), 3)]
    for i in rng.permutation(len(docs))[:3 * len(docs) // 10].tolist():
        words = docs[i].split()
        for at in np.flatnonzero(rng.random(len(words)) < rng.choice([0, 0.005, 0.02, 0.05])):
            words[at] = words[rng.integers(len(words))]
        docs.append(" ".join(words))
    return [docs[i] for i in rng.permutation(len(docs))]


def duplicates(runs: int) -> Iterator[Row]:
    """MinHash and LSH beside datasketch: 128 values, the same bands, the same shingles."""
    from datasketch import MinHash as Peer
    from datasketch import MinHashLSH

    bands, rows, threshold = 16, 8, 0.8
    docs = documents(4_000_000)
    sets = [dedup.shingles(doc) for doc in docs]
    size = f"{len(docs):,} documents, {sum(map(len, docs)) / 1e6:.1f} MB"
    mine = dedup.MinHash(128, seed=1)

    def theirs(groups: list[set[str]]) -> list[Peer]:
        return Peer.bulk(([s.encode() for s in group] for group in groups), num_perm=128)

    def our_pairs(signatures: dedup.Signatures) -> set[tuple[int, int]]:
        index: dedup.LSHIndex[int] = dedup.LSHIndex(bands, rows)
        pairs = set()
        for i, signature in enumerate(signatures):
            pairs |= {(j, i) for j in index.query(signature)}
            index.insert(i, signature)
        return pairs

    def their_pairs(signatures: list[Peer]) -> set[tuple[int, int]]:
        index = MinHashLSH(params=(bands, rows), num_perm=128)
        pairs = set()
        for i, signature in enumerate(signatures):
            pairs |= {(j, i) for j in index.query(signature)}
            index.insert(i, signature, check_duplication=False)
        return pairs

    def row(task: str, ours: Callable[[], object], peer: Callable[[], object],
            remark: str) -> Row:
        a, b, ratio = beside(ours, peer, runs, time.process_time)
        return Row(f"{task}, {size}", f"{a:.2f} s", f"{b:.2f} s, datasketch",
                   f"{1 / ratio:.1f} times its speed", "≥ 1", remark)

    yield row("signatures of sets of strings", lambda: mine.signatures(sets),
              lambda: theirs(sets), "seconds of CPU; encoding the strings included")
    signatures, peers = mine.signatures(sets), theirs(sets)
    yield row(f"candidates, {bands} bands of {rows}", lambda: our_pairs(signatures),
              lambda: their_pairs(peers), "from signatures that are there")
    yield row("from texts to candidates",
              lambda: our_pairs(mine.signatures([dedup.shingle_hashes(d) for d in docs])),
              lambda: their_pairs(theirs([dedup.shingles(d) for d in docs])),
              "ours hashes shingles without cutting them out")

    # The truth, by brute force over all pairs that share a shingle at all.
    holders = defaultdict[str, list[int]](list)
    for i, items in enumerate(sets):
        for item in items:
            holders[item].append(i)
    shared = Counter(pair for group in holders.values() for pair in combinations(group, 2))
    alike = {(i, j): both / (len(sets[i]) + len(sets[j]) - both)
             for (i, j), both in shared.items()}
    chances = np.array([dedup.catch_probability(s, bands, rows) for s in alike.values()])
    mean, sd = chances.sum(), float(np.sqrt((chances * (1 - chances)).sum()))
    true = {pair for pair, s in alike.items() if s >= threshold}
    for name, found in (("ours", our_pairs(signatures)), ("datasketch", their_pairs(peers))):
        yield Row(f"candidates of {name}, {size}", f"{len(found):,} pairs",
                  f"{mean:,.0f} ± {sd:.0f} by theory", f"{(len(found) - mean) / sd:+.1f} sd",
                  "within 3 sd", f"{len(found & true):,} of {len(true):,} pairs of J ≥ {threshold}")
    kept = dedup.dedup(docs, threshold)
    groups = dedup.UnionFind(len(docs))
    for i, j in true:
        groups.union(i, j)
    right = sum(groups.find(i) == i for i in range(len(docs)))
    yield Row(f"documents kept by dedup, {size}", f"{len(kept.keep):,}",
              f"{right:,} by brute force", remark="equal if no true pair was missed")


# The loader

def loading(runs: int) -> Iterator[Row]:
    """Batches beside plain reads of the same windows from a numpy.memmap, in the same order."""
    from scratchlm.data.loader import StatefulLoader, TokenDataset, write_tokens

    n_tokens, steps = 40_000_000, 200
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tokens.bin"
        write_tokens(path, (rng.integers(0, 50_257, 1_000_000) for _ in range(n_tokens // 10**6)),
                     50_257)
        data, mapped = TokenDataset(path), np.memmap(path, "<u2", "r", 64)
        array = np.asarray(mapped)  # without the subclass, whose slices cost more
        for B, T in ((32, 256), (16, 1024)):
            loader = StatefulLoader(data, B, T)
            starts = (loader.order(0)[:steps * B] * T).reshape(steps, B)

            def ours(loader: StatefulLoader = loader) -> None:
                loader.taken = 0
                for _ in range(steps):
                    next(loader)

            def slices(tokens: np.ndarray, starts: np.ndarray = starts, T: int = T) -> None:
                for step in starts:
                    np.stack([tokens[i:i + T + 1] for i in step]).astype(np.int64)

            kept = np.empty((B, T + 1), np.int64)

            def bare(starts: np.ndarray = starts, T: int = T,
                     batch: np.ndarray = kept) -> None:
                for step in starts:
                    for row, i in enumerate(step):
                        batch[row] = array[i:i + T + 1]

            for step, (x, y) in zip(starts, loader, strict=False):
                read = np.stack([mapped[i:i + T + 1] for i in step])
                assert (x.numpy() == read[:, :-1]).all() and (y.numpy() == read[:, 1:]).all()
            n = steps * B * T / 1e6
            for peer, what in ((lambda: slices(mapped), "slices of a numpy.memmap, stacked"),
                               (bare, "copied row by row into one buffer, kept for all batches")):
                a, b, ratio = beside(ours, peer, runs)
                yield Row(f"load batches of {B} × {T} from {n_tokens / 1e6:.0f} million tokens",
                          f"{n / a:.0f} million tokens/s", f"{n / b:.0f} million tokens/s, {what}",
                          f"{1 / ratio:.2f} of its speed", "≥ 0.8",
                          "shuffled windows as int64, the same ones on both sides; batches equal")


# Memory of the pipeline

def text_file(path: Path, n_bytes: int) -> None:
    """Storyworld's words in shuffled order, so that no story comes twice, and some that do."""
    rng = random.Random(0)
    stories = [story.text.split(" ") for story in generate(1_000_000)]
    size, last = 0, ""
    with path.open("w", encoding="utf-8") as file:
        while size < n_bytes:
            words = rng.choice(stories)
            rng.shuffle(words)
            last = last if last and rng.random() < 0.1 else json.dumps({"text": " ".join(words)})
            size += file.write(last + "\n")


def page_file(path: Path, n_bytes: int) -> None:
    write_warc(crawl(n_bytes), path)


def peak_memory(path: Path, out: Path, workers: int) -> tuple[int, float]:
    """The most that all processes of a run held at once, in bytes; the seconds it took."""
    command = [sys.executable, "-m", "scratchlm.data", "run", str(path), "--out", str(out),
               "--workers", str(workers)]
    started = time.perf_counter()
    process = psutil.Popen(command, stdout=subprocess.DEVNULL)
    peak = 0
    while process.poll() is None:
        held = 0
        for each in [process, *process.children(recursive=True)]:
            with suppress(psutil.Error):
                held += getattr(info := each.memory_full_info(), "pss", info.uss)
        peak = max(peak, held)
        time.sleep(0.1)
    took = time.perf_counter() - started
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} failed")
    return peak, took


def memory(_: int) -> Iterator[Row]:
    """Peak memory of all processes, on an input and on one that is ten times as long."""
    for what, write, sizes in (("text", text_file, (30_000_000, 300_000_000)),
                               ("pages", page_file, (4_000_000, 40_000_000))):
        peaks = []
        for n_bytes in sizes:
            with tempfile.TemporaryDirectory() as folder:
                name = "input.jsonl" if what == "text" else "input.warc.gz"
                write(Path(folder) / name, n_bytes)
                peak, took = peak_memory(Path(folder) / name, Path(folder) / "out", 2)
            peaks.append(peak)
            yield Row(f"pipeline, {n_bytes / 1e6:,.0f} MB of {what}", f"{peak / 1e6:,.0f} MB",
                      remark=f"{took:,.0f} s, 2 workers")
        yield Row(f"pipeline, ten times the {what}", f"{peaks[1] / peaks[0]:.2f} times the memory",
                  wanted="flat: < 1.25")


# One function a part: what it is called with is the number of counted pairs.
PARTS: dict[str, Callable[[int], Iterator[Row]]] = {
    "dedup": duplicates,
    "loader": loading,
    "memory": memory,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("-n", "--runs", type=int, default=5, help="counted pairs (default 5)")
    options = parser.parse_args()
    for part in options.parts:
        if part not in PARTS:
            parser.error(f"{part} is none of {', '.join(PARTS)}")
    console.print(f"[dim]Python {platform.python_version()}[/]")
    table = Table(title=f"Medians of {options.runs} pairs")
    for heading in ("task", "ours", "peer", "ours to the peer", "wanted", "remark"):
        table.add_column(heading)
    for part in options.parts or PARTS:
        for row in PARTS[part](options.runs):
            console.print(f"[dim]{row.task}: {row.ours}, {row.peer} {row.ratio} {row.remark}[/]")
            table.add_row(row.task, row.ours, row.peer, row.ratio, row.wanted, row.remark)
    console.print(table)


if __name__ == "__main__":
    main()
