"""More text than memory."""

from __future__ import annotations

import gzip
import hashlib
import itertools
import json
import os
import pickle
import re
import shutil
import sys
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache, partial
from importlib.metadata import version
from pathlib import Path
from types import BuiltinFunctionType, FunctionType
from typing import Any, Protocol, TypeVar

import numpy as np
import rich.progress as bars
from filelock import FileLock, Timeout
from numpy.typing import NDArray
from rich.console import Console

import scratchlm
from scratchlm.data.clean import fix_mojibake, mask_pii, normalize
from scratchlm.data.dedup import (
    MinHash,
    UnionFind,
    choose_bands,
    shingle_hashes,
)
from scratchlm.data.extract import decode, iter_warc, main_text
from scratchlm.data.quality import gopher_rules
from scratchlm.tokenizer.train import counting_pool, n_cores


# § sec-many-stream
@dataclass(frozen=True)
class Document:
    """What travels through the stages."""

    url: str
    text: str = ""
    payload: bytes = b""  # as served, until a stage makes text of it
    content_type: str = ""


Stage = Callable[[Document], Document | str]  # or why it is dropped


def extract(doc: Document) -> Document | str:
    """The main text of a page; a document that is text stays."""
    if not doc.payload:
        return doc
    text = main_text(decode(doc.payload, doc.content_type))
    return Document(doc.url, text) if text else "no text"


def clean(doc: Document) -> Document | str:
    """Characters repaired and normalized."""
    return replace(doc, text=normalize(fix_mojibake(doc.text)))


@dataclass
class Tally:
    """What went into a stage, what came out, and why the rest did not."""

    docs_in: int = 0
    bytes_in: int = 0
    docs_out: int = 0
    bytes_out: int = 0
    reasons: dict[str, int] = field(default_factory=dict)

    def count(self, before: Document, after: Document | str) -> None:
        """One document through a stage; bytes as served, or as UTF-8."""
        self.docs_in += 1
        self.bytes_in += len(before.payload) or len(before.text.encode())
        if isinstance(after, str):
            self.reasons[after] = self.reasons.get(after, 0) + 1
        else:
            self.docs_out += 1
            self.bytes_out += len(after.payload) or len(after.text.encode())

    def add(self, other: Mapping[str, Any]) -> None:
        """Another tally's fields, as many as it has."""
        for name, value in other.items():
            if name == "reasons":
                for reason, n in value.items():
                    self.reasons[reason] = self.reasons.get(reason, 0) + n
            else:
                setattr(self, name, getattr(self, name) + value)


def rules(doc: Document) -> Document | str:
    """Dropped, with the name of the first of Gopher's rules it breaks."""
    broken = gopher_rules(doc.text)
    return broken[0].rule if broken else doc


def mask(doc: Document) -> Document | str:
    """Personal data masked."""
    return replace(doc, text=mask_pii(doc.text)[0])


STAGES: dict[str, Stage] = {
    "extract": extract, "clean": clean, "rules": rules, "mask": mask}


def through(doc: Document, stages: Mapping[str, Stage],
            tallies: Mapping[str, Tally]) -> Document | str:
    """A document after all stages, or why one of them dropped it.

    Raises:
        RuntimeError: a stage failed; it names the stage and the document.
    """
    for name, stage in stages.items():
        try:
            after = stage(doc)
        except Exception as error:
            why = f"{type(error).__name__}: {error}"
            raise RuntimeError(
                f"stage {name!r} failed on {doc.url!r}: {why}") from error
        tallies[name].count(doc, after)
        if isinstance(after, str):
            return after
        doc = after
    if doc.payload:
        raise RuntimeError(f"no stage made text of {doc.url!r}")
    return doc


LONGEST = 1 << 26  # bytes of a document; a longer line is not held


def read_lines(path: Path, longest: int = LONGEST
               ) -> Iterator[Document | str]:
    """Documents of JSON lines, or "damaged" or "too long" for one."""
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rb") as file:
        try:
            while line := file.readline(longest + 1):
                if len(line) > longest:
                    while line and not line.endswith(b"\n"):
                        line = file.readline(longest)
                    yield "too long"
                elif line.strip():
                    yield _parsed(line)
        except (EOFError, gzip.BadGzipFile, zlib.error):
            yield "damaged"  # and nobody knows what the rest was


def _parsed(line: bytes) -> Document | str:
    try:
        row = json.loads(line.decode("utf-8-sig"))
        text, url = row["text"], row.get("url", "")
    except (ValueError, LookupError, TypeError, AttributeError,
            RecursionError):
        return "damaged"
    if not isinstance(text, str) or not isinstance(url, str):
        return "damaged"
    lone = re.compile("[\ud800-\udfff]")  # halves that UTF-8 cannot hold
    return Document(lone.sub("\ufffd", url), lone.sub("\ufffd", text))


def read_documents(path: Path) -> Iterator[Document | str]:
    """Documents of a WARC or JSON-lines file, one at a time in memory.

    Yields:
        Documents; "damaged" or "too long" for what gives none.

    Raises:
        ValueError: it is neither, by its name or by its first bytes.
    """
    name = path.name.removesuffix(".gz")
    if name.endswith((".jsonl", ".ndjson")):
        yield from read_lines(path)
    elif name.endswith(".warc"):
        damage: list[str] = []
        for record in iter_warc(path, report=damage.append):
            yield from ["damaged"] * len(damage)
            damage.clear()
            kind = record.headers.get("content-type", "")
            yield "too long" if len(record.payload) > LONGEST else Document(
                record.url, "", record.payload, kind)
        yield from ["damaged"] * len(damage)
    else:
        raise ValueError(f"{path}: want .warc, .warc.gz, .jsonl, "
                         ".jsonl.gz or .ndjson")


def batches(path: Path, n_bytes: int) -> Iterator[list[Document | str]]:
    """A file's documents, in lists of about ``n_bytes``."""
    batch: list[Document | str] = []
    size = 0
    for doc in read_documents(path):
        batch.append(doc)
        size += 100  # what a line costs that holds next to nothing
        if isinstance(doc, Document):
            size += len(doc.payload) or len(doc.text.encode())
        if size >= n_bytes:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


# § sec-many-workers
@dataclass(frozen=True)
class Settings:
    """All that decides about the output, the inputs apart."""

    stages: Mapping[str, Stage]
    threshold: float = 0.8  # of Jaccard similarity, for near copies
    n: int = 5  # words of a shingle
    num_perm: int = 128
    seed: int = 0
    batch_bytes: int = 1 << 20  # what a worker takes at a time
    shard_bytes: int = 1 << 26
    keys_bytes: int = 1 << 24  # of keys that are sorted at a time

    def __post_init__(self) -> None:
        choose_bands(self.threshold)  # checks it
        for name, value in vars(self).items():
            if name.endswith("_bytes") and value < 1:
                raise ValueError(f"{name}={value}: want 1 or more")
        MinHash(self.num_perm).signature(shingle_hashes("", self.n))


@lru_cache(maxsize=1)
def unpickled(path: Path, changed: int) -> Settings:
    """Settings from a file that changed last at that time."""
    found: Settings = pickle.loads(path.read_bytes())
    return found


def saved_settings(work: Path) -> Settings:
    """Those of a run, wherever this process is; read once."""
    path = work / "settings.pickle"
    return unpickled(path, path.stat().st_mtime_ns)


def key_rows(texts: Sequence[str], sizes: Sequence[int],
             settings: Settings) -> NDArray[Any]:
    """What deduplication must know of documents: (docs,), fixed in size.

    Fields: ``at`` and ``size``, where its line is in the batch's file;
    ``bytes`` of its text; ``keys``, a hash of the text and those of its
    MinHash bands.
    """
    bands, rows = choose_bands(settings.threshold, settings.num_perm)
    fields: list[Any] = [(s, "<u8") for s in ("at", "size", "bytes")]
    out = np.empty(len(texts), [*fields, ("keys", "<u8", bands + 1)])
    out["size"] = sizes
    out["at"] = np.cumsum(out["size"]) - out["size"]
    out["bytes"] = [len(text.encode()) for text in texts]
    minhash = MinHash(settings.num_perm, settings.seed)
    for row, text in zip(out, texts, strict=True):
        found = minhash.signature(shingle_hashes(text, settings.n))
        row["keys"] = [hash64(text.encode()), *(
            hash64(found[i * rows:(i + 1) * rows].astype("<u4").tobytes())
            for i in range(bands))]
    return out


def hash64(raw: bytes) -> int:
    """Eight bytes of BLAKE2b, the same in every process."""
    return int.from_bytes(hashlib.blake2b(raw, digest_size=8).digest())


Batch = tuple[str, list[Document | str]]  # with its name


def write_file(path: Path, pieces: Iterable[bytes]) -> None:
    """Whole or not at all: under another name first, then renamed."""
    half = path.with_name(f".{path.name}.{os.urandom(4).hex()}.half")
    with half.open("wb") as file:
        file.writelines(pieces)
        file.flush()
        os.fsync(file.fileno())
    half.replace(path)


def process(work: Path, task: Batch) -> None:
    """Take a batch through the stages and save what is left of it.

    The file of tallies comes last: where it is, the others are complete.
    """
    settings, (name, batch) = saved_settings(work), task
    tallies = {s: Tally() for s in ("read", *settings.stages)}
    kept: list[Document] = []
    for doc in batch:
        if isinstance(doc, str):
            tallies["read"].count(Document(""), doc)
            continue
        tallies["read"].count(doc, doc)
        after = through(doc, settings.stages, tallies)
        if isinstance(after, Document):
            kept.append(after)
    lines = [f"{json.dumps(row, ensure_ascii=False)}\n".encode()
             for row in ({"url": d.url, "text": d.text} for d in kept)]
    keys = key_rows([d.text for d in kept], list(map(len, lines)), settings)
    write_file(work / f"{name}.jsonl", lines)
    write_file(work / f"{name}.keys", [keys.tobytes()])
    write_file(work / f"{name}.json", [json.dumps(
        {s: asdict(tally) for s, tally in tallies.items()}).encode()])


def part_name(file: int, batch: int) -> str:
    """What the saved files of a batch are called."""
    return f"{file:05}-{batch:08}"


def unsaved(work: Path, file: int, path: Path) -> Iterator[Batch]:
    """The batches of a file that no earlier run has finished."""
    size = saved_settings(work).batch_bytes
    for k, batch in enumerate(batches(path, size)):
        name = part_name(file, k)
        if not (work / f"{name}.json").exists():
            yield name, batch


T = TypeVar("T")
R = TypeVar("R")


class Local:
    """Processes of this machine, or none beside the one that calls."""

    def __init__(self, workers: int, pool: ProcessPoolExecutor | None):
        self.workers, self.pool = workers, pool

    def each(self, function: Callable[[T], R], items: Iterable[T]
             ) -> Iterator[R]:
        """What the function gives for each item; few are on their way."""
        if self.pool is None:
            yield from map(function, items)
            return
        waiting: deque[Future[R]] = deque()
        for item in items:
            waiting.append(self.pool.submit(function, item))
            if len(waiting) > 2 * self.workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

    def process(self, work: Path, inputs: Sequence[Path]) -> Iterator[None]:
        """Read the inputs here, and give the workers what is not saved."""
        return self.each(partial(process, work), (
            batch for i, path in enumerate(inputs)
            for batch in unsaved(work, i, path)))


def n_workers(wanted: int | None) -> int:
    """As many as wanted, or as there are cores."""
    if wanted is not None and wanted < 1:
        raise ValueError(f"workers={wanted}: want 1 or more")
    return wanted or n_cores()


@contextmanager
def local(workers: int | None = None) -> Iterator[Local]:
    """The engine for one machine; no process of it is left at the end.

    Raises:
        RuntimeError: a worker died.
    """
    if (n := n_workers(workers)) == 1:
        yield Local(1, None)
        return
    try:
        with counting_pool(n) as pool:
            yield Local(n, pool)
    except RuntimeError as error:
        if not isinstance(error.__cause__, BrokenProcessPool):
            raise
        raise RuntimeError(
            "a worker died: of too little memory, or, if this is a script, "
            "because the call is not below `if __name__ == '__main__':`. "
            "What was saved is kept; the same call goes on from there"
        ) from error


# § sec-many-copies
class Parts:
    """The saved batches: documents on disk, numbered in their order."""

    def __init__(self, work: Path) -> None:
        self.work = work
        self.type = key_rows([], [], saved_settings(work)).dtype
        self.index = np.load(work / "index.npy")  # (batches + 1, 3)

    def __len__(self) -> int:
        return int(self.index[-1, 2])

    def rows(self, low: int = 0, high: int = 1 << 62
             ) -> Iterator[tuple[int, Path, NDArray[Any]]]:
        """First number, file of lines, key rows: by batch, low to high."""
        first = int(np.searchsorted(self.index[:-1, 2], low, "right")) - 1
        for k in range(max(first, 0), len(self.index) - 1):
            file, batch, start = self.index[k].tolist()
            if start >= high:
                break
            a, b = max(low, start), min(high, int(self.index[k + 1, 2]))
            path = self.work / f"{part_name(file, batch)}.keys"
            yield a, path.with_suffix(".jsonl"), np.fromfile(
                path, self.type, b - a,
                offset=(a - start) * self.type.itemsize)

    def keys(self, number: int) -> NDArray[np.uint64]:
        """The keys of one document: its text's, its bands'."""
        _, _, [row] = next(self.rows(number, number + 1))
        return np.asarray(row["keys"])

    def lines(self, low: int, high: int) -> Iterator[bytes]:
        """The lines of documents ``low`` to ``high``, JSON in UTF-8."""
        for _, path, rows in self.rows(low, high):
            if len(rows):
                with path.open("rb") as file:
                    file.seek(int(rows["at"][0]))
                    yield from map(file.read, rows["size"].tolist())


def spread(parts: Parts, gone: NDArray[np.uint8], near: bool) -> list[Path]:
    """Keys of what is not gone into files, equal keys into the same one.

    A file has rows of key, column, number, and fits into memory.
    """
    columns = slice(1, None) if near else slice(1)
    width = parts.type["keys"].shape[0] - 1 if near else 1
    n = 1 + len(parts) * width * 24 // saved_settings(parts.work).keys_bytes
    folder = parts.work / "keys"
    shutil.rmtree(folder, ignore_errors=True)  # of a run that was stopped
    folder.mkdir()
    for start, _, rows in parts.rows():
        live = np.flatnonzero(gone[start:start + len(rows)] == 0)
        table = np.empty((len(live), width, 3), np.uint64)
        table[..., 0] = rows["keys"][live, columns]
        table[..., 1] = np.arange(width)
        table[..., 2] = start + live[:, None]
        table = table.reshape(-1, 3)
        files = table[:, 0] % np.uint64(n)
        for k in np.unique(files):
            with (folder / f"{k:06}").open("ab") as file:
                table[files == k].tofile(file)
    return sorted(folder.iterdir())


def equal_keys(table: NDArray[np.uint64]
               ) -> Iterator[tuple[int, list[int]]]:
    """Columns, and the numbers of two or more documents with one key."""
    table = table.reshape(-1, 3)
    table = table[np.lexsort(table.T[::-1])]
    new = (table[1:, :2] != table[:-1, :2]).any(axis=1)
    ends = np.flatnonzero(np.r_[True, new, True])
    for k in np.flatnonzero(np.diff(ends) > 1):
        group = table[ends[k]:ends[k + 1]]
        yield int(group[0, 1]), group[:, 2].tolist()


def find_pairs(work: Path, near: bool, keys: Path) -> NDArray[np.uint64]:
    """Pairs of copies among documents with equal keys: (pairs, 2).

    A pair that shares several bands is compared once, in the first of
    them, wherever that one is sorted.

    Args:
        near: compare shingles, not whole texts.
        keys: a file of ``spread``.
    """
    parts, settings = Parts(work), saved_settings(work)

    @lru_cache(maxsize=64)
    def load(number: int) -> Any:
        text = json.loads(next(parts.lines(number, number + 1)))["text"]
        return shingle_hashes(text, settings.n) if near else text

    def alike(a: int, b: int) -> bool:
        one, other = load(a), load(b)
        if not near:
            return bool(one == other)
        both = len(np.intersect1d(one, other, assume_unique=True))
        return both >= settings.threshold * (len(one) + len(other) - both)

    pairs: list[tuple[int, int]] = []
    for column, numbers in equal_keys(np.fromfile(keys, np.uint64)):
        known = np.stack([parts.keys(a)[near:] for a in numbers])
        groups = UnionFind(len(numbers))
        for j in range(1, len(numbers)):
            met = (known[:j, :column] == known[j, :column]).any(axis=1)
            for i in np.flatnonzero(~met).tolist():
                if (groups.find(i) != groups.find(j)
                        and alike(numbers[i], numbers[j])):
                    groups.union(i, j)
                    pairs.append((numbers[i], numbers[j]))
    return np.array(pairs, np.uint64).reshape(-1, 2)


def mark_copies(parts: Parts, near: bool, gone: NDArray[np.uint8],
                found: Iterable[NDArray[np.uint64]]) -> Tally:
    """Mark all documents of a cluster but its first.

    Args:
        gone: (docs,), changed in place: 0 for what is kept, 1 for what
            has an equal text before it, 2 for a near copy.
        found: pairs of copies, in any order.
    """
    parent = np.full(len(parts), -1)  # 8 bytes a document

    def root(number: int) -> int:
        while (above := int(parent[number])) >= 0:
            if (top := int(parent[above])) >= 0:
                parent[number] = top
            number = above
        return number

    for a, b in itertools.chain.from_iterable(x.tolist() for x in found):
        first, last = sorted((root(a), root(b)))
        if first != last:
            parent[last] = first
    tally = Tally()
    for start, _, rows in parts.rows():
        fate = gone[start:start + len(rows)]
        before = fate == 0
        fate[before & (parent[start:start + len(rows)] >= 0)] = 1 + near
        kept, size = fate == 0, rows["bytes"]
        copies = int((before & ~kept).sum())
        tally.add({"docs_in": int(before.sum()),
                   "docs_out": int(kept.sum()),
                   "bytes_in": int(size[before].sum()),
                   "bytes_out": int(size[kept].sum()),
                   "reasons": {("copy", "near copy")[near]: copies}
                   if copies else {}})
    return tally


Shard = tuple[str, int, int, NDArray[np.uint8]]


def cuts(parts: Parts, gone: NDArray[np.uint8], n_bytes: int) -> list[int]:
    """Where shards of at most ``n_bytes`` begin and end: numbers.

    A document that is longer gets a shard of its own.
    """
    found, filled = [0], 0
    for start, _, rows in parts.rows():
        sizes = rows["size"] * (gone[start:start + len(rows)] == 0)
        for number, size in enumerate(sizes.tolist(), start):
            if filled and size and filled + size > n_bytes:
                found.append(number)
                filled = 0
            filled += size
    return [*found, len(parts)] if filled else [0]


def write_shard(work: Path, task: Shard) -> dict[str, Any]:
    """Write the kept documents of a range; the shard's size and SHA-256."""
    name, low, high, gone = task
    digest, docs, size = hashlib.sha256(), 0, 0

    def kept() -> Iterator[bytes]:
        nonlocal docs, size
        for line in itertools.compress(Parts(work).lines(low, high),
                                       gone == 0):
            digest.update(line)
            docs, size = docs + 1, size + len(line)
            yield line

    write_file(work.parent / name, kept())
    return {"name": name, "docs": docs, "bytes": size,
            "sha256": digest.hexdigest()}


# § sec-many-resume
def describe(thing: Any) -> Any:
    """A thing as JSON that is equal for equal things, in every process.

    Raises:
        ValueError: it has a part that no text tells from another.
    """
    if thing is None or isinstance(thing, (str, int, float)):
        return thing
    if isinstance(thing, bytes):
        return hashlib.sha256(thing).hexdigest()
    if hasattr(thing, "__array__"):
        array = np.asarray(thing)
        return [str(array.dtype), array.shape, describe(array.tobytes())]
    if isinstance(thing, Mapping):
        return [[describe(k), describe(v)] for k, v in thing.items()]
    if isinstance(thing, (list, tuple)):
        return [describe(item) for item in thing]
    if isinstance(thing, (set, frozenset)):
        found = (describe(item) for item in thing)
        return ["set", sorted(found, key=json.dumps)]
    if isinstance(thing, re.Pattern):
        return [thing.pattern, thing.flags]
    if isinstance(thing, partial):
        return describe([thing.func, thing.args, thing.keywords])
    if isinstance(thing, (FunctionType, BuiltinFunctionType, type)):
        source = getattr(sys.modules[thing.__module__], "__file__", None)
        if "<" in thing.__qualname__:
            raise ValueError(f"{thing.__qualname__} has no name by which "
                             "another process could find it")
        return [thing.__module__, thing.__qualname__,
                describe(Path(source).read_bytes()) if source else ""]
    if hasattr(thing, "__dict__"):
        return [describe(type(thing)), describe(vars(thing))]
    raise ValueError(f"cannot tell one {type(thing).__name__} from another")


LIBRARIES = ("ftfy", "numpy", "regex", "trafilatura", "warcio")


def manifest(inputs: Sequence[Path], settings: Settings) -> dict[str, Any]:
    """What must stay the same while a run is stopped; reads every input."""
    files = []
    for path in inputs:
        next(read_documents(path), None)  # a wrong format is an error now
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        files.append([path.name, path.stat().st_size, digest])
    package = Path(scratchlm.__path__[0]) / "data"
    code = [describe(path.read_bytes())
            for path in sorted(package.glob("*.py"))]
    return {"inputs": files, "settings": describe(settings), "code": code,
            "versions": [sys.version, *map(version, LIBRARIES)]}


def check_manifest(out: Path, wanted: Mapping[str, Any]) -> None:
    """Write a manifest, or compare with that of a run that was stopped."""
    path = out / "manifest.json"
    if not path.exists():
        if other := sorted(p.name for p in out.glob("[!.]*")):
            raise ValueError(f"{out} holds {other[0]} and no manifest: "
                             "want an empty folder")
        write_file(path, [json.dumps(wanted).encode()])
    try:
        found = dict(json.loads(path.read_bytes()))
    except (ValueError, TypeError):
        raise ValueError(f"{path} is damaged") from None
    if differ := [key for key, value in wanted.items()
                  if json.dumps(found.get(key)) != json.dumps(value)]:
        raise ValueError(f"{out} holds a run with other "
                         f"{' and '.join(differ)}: choose another folder, "
                         "or start again (resume=False, --fresh)")


@contextmanager
def claimed(out: Path, wanted: Mapping[str, Any], resume: bool
            ) -> Iterator[None]:
    """The folder of a run, for one process alone.

    Raises:
        ValueError: see ``check_manifest``.
        RuntimeError: another process is at work in it.
    """
    out.mkdir(parents=True, exist_ok=True)
    lock = FileLock(out / ".lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise RuntimeError(f"another process is at work in {out}") from None
    try:
        for half in [*out.glob(".*.half"), *out.glob("work/.*.half")]:
            half.unlink()
        if not resume and (out / "manifest.json").exists():
            shutil.rmtree(out / "work", ignore_errors=True)
            for path in [*out.glob("shard-*.jsonl"), out / "report.json",
                         out / "manifest.json"]:
                path.unlink(missing_ok=True)
        check_manifest(out, wanted)
        yield
    finally:
        lock.release()


@dataclass
class Report:
    """What a run did: a tally for every stage, and the shards."""

    stages: dict[str, Tally]
    shards: list[dict[str, Any]]

    def __str__(self) -> str:
        """The funnel as a table."""
        lines = [f"{'stage':12}{'docs in':>10}{'out':>10}"
                 f"{'bytes in':>15}{'out':>15}  dropped"]
        for name, t in self.stages.items():
            why = ", ".join(f"{n:,} {reason}"
                            for reason, n in sorted(t.reasons.items()))
            row = (f"{name:12}{t.docs_in:10,}{t.docs_out:10,}"
                   f"{t.bytes_in:15,}{t.bytes_out:15,}  {why}")
            lines.append(row.rstrip())
        return "\n".join(lines)


def load_report(out: Path) -> Report:
    """The report of a finished run, if its shards are as it says.

    Raises:
        ValueError: there is none, or a shard is missing or cut.
    """
    try:
        found = json.loads((out / "report.json").read_bytes())
    except (OSError, ValueError):
        raise ValueError(f"{out} holds no finished run") from None
    for shard in found["shards"]:
        path = out / shard["name"]
        size = path.stat().st_size if path.exists() else 0
        if size != shard["bytes"]:
            raise ValueError(f"{path} has {size} bytes, its report says "
                             f"{shard['bytes']}: it is damaged")
    stages = {name: Tally(**t) for name, t in found["stages"].items()}
    return Report(stages, found["shards"])


class Engine(Protocol):
    """What runs tasks, on one machine or many."""

    def each(self, function: Callable[[T], R], items: Iterable[T]
             ) -> Iterator[R]:
        """What the function gives for every item, in any order."""

    def process(self, work: Path, inputs: Sequence[Path]) -> Iterator[None]:
        """Read the inputs, and ``process`` their batches."""


Start = Callable[[int | None], AbstractContextManager[Engine]]


def watched(what: str, found: Iterable[T], total: int | None = None
            ) -> Iterator[T]:
    """The same things, with a progress bar on a terminal."""
    with bars.Progress(
            bars.TextColumn(f"{what:12}"), bars.BarColumn(),
            bars.MofNCompleteColumn(), bars.TimeElapsedColumn(),
            console=Console(stderr=True),
            disable=not sys.stderr.isatty()) as shown:
        yield from shown.track(found, total=total)


def number_parts(work: Path) -> dict[str, Tally]:
    """Number the saved documents, and add up the tallies of the batches."""
    tallies = {s: Tally() for s in ("read", *saved_settings(work).stages)}
    index, start, last = [], 0, list(tallies)[-1]
    for path in sorted(work.glob("*.json")):
        file, batch = path.stem.split("-")
        index.append((int(file), int(batch), start))
        found = json.loads(path.read_bytes())
        start += found[last]["docs_out"]
        for name, tally in tallies.items():
            tally.add(found[name])
    np.save(work / "index.npy", np.array([*index, (0, 0, start)]))
    return tallies


def finish(work: Path, engine: Engine) -> Report:
    """From saved batches to shards: all that no batch can decide alone."""
    stages, parts = number_parts(work), Parts(work)
    gone = np.zeros(len(parts), np.uint8)  # 1 byte a document
    for near, name in ((False, "copies"), (True, "near copies")):
        keys = spread(parts, gone, near)
        found = engine.each(partial(find_pairs, work, near), keys)
        stages[name] = mark_copies(parts, near, gone,
                                   watched(name, found, len(keys)))
    bounds = cuts(parts, gone, saved_settings(work).shard_bytes)
    tasks = ((f"shard-{k:05}.jsonl", a, b, gone[a:b])
             for k, (a, b) in enumerate(itertools.pairwise(bounds)))
    written = engine.each(partial(write_shard, work), tasks)
    shards = watched("shards", written, len(bounds) - 1)
    return Report(stages, sorted(shards, key=lambda s: str(s["name"])))


def run(inputs: Sequence[str | Path], out_dir: str | Path,
        stages: Mapping[str, Stage] = STAGES, workers: int | None = None,
        resume: bool = True, *, engine: Start = local, **options: Any
        ) -> Report:
    """Files through all stages, into shards without copies.

    Args:
        inputs: WARC or JSON-lines files; their order counts.
        out_dir: an empty folder, or that of a run that was stopped.
        stages: by name; functions that other processes can import.
        workers: processes, one per core if None; the output is the same.
        resume: go on with a stopped run; False starts again.
        engine: what runs the tasks.
        options: other fields of ``Settings``.

    Raises:
        ValueError: no inputs, bad options, or a folder that holds
            anything but this very run.
        RuntimeError: a stage failed, a worker died, or another process
            is at work in the folder.
    """
    out = Path(out_dir).absolute()
    paths = [Path(path).absolute() for path in inputs]
    if not paths:
        raise ValueError("there are no inputs")
    settings, work = Settings(stages, **options), out / "work"
    with claimed(out, manifest(paths, settings), resume):
        if not (out / "report.json").exists():
            work.mkdir(exist_ok=True)
            write_file(work / "settings.pickle", [pickle.dumps(settings)])
            with engine(workers) as team:
                deque(watched("batches", team.process(work, paths)), 0)
                report = finish(work, team)
            write_file(out / "report.json", [
                json.dumps(asdict(report), indent=1).encode()])
        shutil.rmtree(work, ignore_errors=True)
        return load_report(out)
