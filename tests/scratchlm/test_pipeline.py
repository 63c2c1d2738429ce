"""The pipeline over files: the set of documents of the lists, whatever stops it."""

from __future__ import annotations

import gzip
import hashlib
import itertools
import json
import os
import random
import signal
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scratchlm.corpus.storyworld import generate
from scratchlm.corpus.web import crawl, write_warc
from scratchlm.data import pipeline
from scratchlm.data.dedup import dedup
from scratchlm.data.pipeline import (
    STAGES,
    Document,
    Settings,
    Tally,
    batches,
    describe,
    load_report,
    read_documents,
    run,
    through,
)

PLAIN = {name: STAGES[name] for name in ("clean", "mask")}
SMALL: dict[str, Any] = {"batch_bytes": 4_000, "shard_bytes": 9_000, "keys_bytes": 20_000}


def write(path: Path, texts: list[str]) -> Path:
    path.write_text("".join(json.dumps({"text": t, "url": str(i)}) + "\n"
                            for i, t in enumerate(texts)), encoding="utf-8")
    return path


def shards(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in sorted(folder.glob("shard-*"))}


def kept(folder: Path) -> list[str]:
    return [json.loads(line)["text"] for raw in shards(folder).values()
            for line in raw.decode().splitlines()]


def by_lists(docs: list[Document], stages: Any = STAGES, **options: Any) -> list[str]:
    """The same in memory, with the functions of chapter 5."""
    done = [through(doc, stages, {name: Tally() for name in stages}) for doc in docs]
    texts = [doc.text for doc in done if isinstance(doc, Document)]
    return [texts[i] for i in dedup(texts, **options).keep]


@pytest.fixture(scope="module")
def copied() -> list[str]:
    """Stories, a fifth of which come again, some with a word changed or another end."""
    rng = random.Random(7)
    texts = [story.text for story in generate(60_000, seed=3)]
    for text in rng.sample(texts, len(texts) // 5):
        words = text.split(" ")
        edit = rng.randrange(3)
        if edit:
            words[rng.randrange(len(words))] = "otherwise"
        texts.insert(rng.randrange(len(texts)), " ".join(words[:-3] if edit == 2 else words))
    return texts


@pytest.mark.parametrize("threshold", [0.5, 0.8, 1.0])
def test_the_documents_are_those_of_the_lists(tmp_path: Path, copied: list[str],
                                              threshold: float) -> None:
    path = write(tmp_path / "in.jsonl", copied)
    report = run([path], tmp_path / "out", PLAIN, 1, threshold=threshold, **SMALL)
    wanted = by_lists([Document("", text) for text in copied], PLAIN, threshold=threshold)
    assert kept(tmp_path / "out") == wanted
    assert len(wanted) < len(copied)
    assert report.stages["near copies"].docs_out == len(wanted)
    assert report.stages["copies"].docs_out == len(set(copied))


@settings(max_examples=12, deadline=None)
@given(st.lists(st.lists(st.sampled_from("abc"), max_size=7).map(" ".join), max_size=25),
       st.integers(1, 300), st.integers(1, 200), st.sampled_from([0.3, 0.6, 0.8]))
def test_pieces_of_any_size_give_the_same_documents(
        tmp_path_factory: pytest.TempPathFactory, texts: list[str], batch: int, shard: int,
        threshold: float) -> None:
    folder = tmp_path_factory.mktemp("any")
    path = write(folder / "in.jsonl", texts)
    run([path], folder / "out", {}, 1, threshold=threshold, n=2, batch_bytes=batch,
        shard_bytes=shard, keys_bytes=100)
    assert kept(folder / "out") == by_lists([Document("", t) for t in texts], {}, n=2,
                                            threshold=threshold)
    for raw in shards(folder / "out").values():
        assert len(raw) <= shard or raw.count(b"\n") == 1


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Path], list[Document]]:
    """A dirty web in two WARC files."""
    folder = tmp_path_factory.mktemp("web")
    pages = list(crawl(80_000, seed=2))
    paths = [folder / "a.warc.gz", folder / "b.warc.gz"]
    write_warc(pages[:20], paths[0])
    write_warc(pages[20:], paths[1])
    return paths, [Document(p.url, "", p.html, p.content_type) for p in pages]


def test_pages_and_workers(tmp_path: Path, web: tuple[list[Path], list[Document]]) -> None:
    paths, docs = web
    small = {"batch_bytes": 20_000, "shard_bytes": 4_000, "keys_bytes": 2_000}
    report = run(paths, tmp_path / "one", workers=1, **small)
    assert kept(tmp_path / "one") == by_lists(docs)
    again = run(paths, tmp_path / "two", workers=2, **small)
    assert shards(tmp_path / "two") == shards(tmp_path / "one")
    assert again == report == load_report(tmp_path / "one")
    assert not (tmp_path / "one" / "work").exists()
    assert len(report.shards) > 2
    for shard in report.shards:
        raw = (tmp_path / "one" / shard["name"]).read_bytes()
        assert shard["sha256"] == hashlib.sha256(raw).hexdigest()
        assert (shard["docs"], shard["bytes"]) == (raw.count(b"\n"), len(raw))
    assert not [p for p in psutil.Process().children() if "spawn_main" in " ".join(p.cmdline())]


def test_the_tallies_add_up(tmp_path: Path, web: tuple[list[Path], list[Document]]) -> None:
    paths, docs = web
    report = run(paths, tmp_path / "out", workers=1, batch_bytes=30_000)
    tallies = list(report.stages.values())
    assert tallies[0].docs_in == len(docs)
    assert tallies[0].bytes_in == sum(len(doc.payload) for doc in docs)
    for before, after in itertools.pairwise(tallies):
        assert (before.docs_out, before.bytes_out) == (after.docs_in, after.bytes_in)
    for tally in tallies:
        assert tally.docs_in - tally.docs_out == sum(tally.reasons.values())
    texts = kept(tmp_path / "out")
    assert tallies[-1].docs_out == len(texts)
    assert tallies[-1].bytes_out == sum(len(text.encode()) for text in texts)
    table = str(report).splitlines()
    assert len(table) == 1 + len(tallies) and table[1].startswith("read ")


class Fails:
    """A stage that fails from a certain document on, until a file is there."""

    def __init__(self, url: str, cure: Path) -> None:
        self.url, self.cure = url, str(cure)

    def __call__(self, doc: Document) -> Document | str:
        if doc.url == self.url and not Path(self.cure).exists():
            raise KeyError("no luck")
        return doc


@pytest.mark.parametrize("url", ["0", "60", "119"])
def test_a_failed_stage_is_named_and_what_was_saved_is_kept(
        tmp_path: Path, copied: list[str], url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "in.jsonl", copied[:120])
    stages = {**PLAIN, "fails": Fails(url, tmp_path / "cure")}
    with pytest.raises(RuntimeError, match=f"stage 'fails' failed on '{url}': KeyError: 'no luck'"):
        run([path], tmp_path / "out", stages, 1, **SMALL)
    saved = {p.name for p in (tmp_path / "out" / "work").glob("*.json")}
    assert not shards(tmp_path / "out")
    (tmp_path / "cure").touch()
    done: list[str] = []
    honest = pipeline.process
    monkeypatch.setattr(pipeline, "process", lambda work, task: (done.append(task[0]),
                                                                honest(work, task)))
    run([path], tmp_path / "out", stages, 1, **SMALL)
    assert not saved & {f"{name}.json" for name in done} and done
    run([path], tmp_path / "whole", stages, 1, **SMALL)
    assert shards(tmp_path / "out") == shards(tmp_path / "whole")


PROGRAM = """
import sys
from pathlib import Path
from scratchlm.data.pipeline import STAGES, run
if __name__ == "__main__":
    stages = {name: STAGES[name] for name in ("clean", "mask")}
    run([Path(sys.argv[1])], sys.argv[2], stages, int(sys.argv[3]), batch_bytes=4_000,
        shard_bytes=9_000, keys_bytes=20_000)
"""


@pytest.mark.skipif(os.name == "nt", reason="signals are another matter on Windows")
@pytest.mark.parametrize("workers", [1, 2])
def test_killed_at_any_moment_and_started_again(tmp_path: Path, copied: list[str],
                                                workers: int) -> None:
    path = write(tmp_path / "in.jsonl", copied)
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    run([path], tmp_path / "whole", PLAIN, 1, **SMALL)
    out = tmp_path / "out"
    rng = random.Random(workers)
    for _ in range(2):  # ever later in the run
        process = subprocess.Popen([sys.executable, program, path, out, str(workers)])
        saved = len(list(out.glob("work/*.json")))
        until = time.monotonic() + 60
        while (len(list(out.glob("work/*.json"))) <= saved and process.poll() is None
               and time.monotonic() < until):
            time.sleep(0.002)
        time.sleep(rng.random() * 0.05)
        family = [psutil.Process(process.pid).children(recursive=True)
                  if process.poll() is None else []][0]
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert psutil.wait_procs(family, timeout=30)[1] == []
    run([path], out, PLAIN, 1, **SMALL)
    assert shards(out) == shards(tmp_path / "whole")
    assert (out / "report.json").read_bytes() == (tmp_path / "whole/report.json").read_bytes()
    assert {p.name for p in out.iterdir()} == {p.name for p in (tmp_path / "whole").iterdir()}


@pytest.mark.parametrize("step", ["number_parts", "spread", "mark_copies", "cuts", "load_report"])
def test_stopped_between_two_steps(tmp_path: Path, copied: list[str], step: str,
                                   monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "in.jsonl", copied[:60])
    run([path], tmp_path / "whole", PLAIN, 1, **SMALL)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        def stop(*_: object) -> None:
            raise KeyboardInterrupt
        patch.setattr(pipeline, step, stop)
        run([path], tmp_path / "out", PLAIN, 1, **SMALL)
    (tmp_path / "out" / ".shard-00000.jsonl.abcd.half").write_bytes(b"torn")
    run([path], tmp_path / "out", PLAIN, 1, **SMALL)
    assert shards(tmp_path / "out") == shards(tmp_path / "whole")
    assert not list((tmp_path / "out").glob(".*.half"))


def test_a_run_that_differs_is_refused(tmp_path: Path, copied: list[str],
                                       monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "in.jsonl", copied[:30])
    out = tmp_path / "out"
    run([path], out, PLAIN, 1, **SMALL)
    before = shards(out)
    with pytest.raises(ValueError, match="holds a run with other settings: choose another"):
        run([path], out, PLAIN, 1, **{**SMALL, "threshold": 0.7})
    with pytest.raises(ValueError, match="other settings"):
        run([path], out, {**PLAIN, "fails": Fails("x", tmp_path)}, 1, **SMALL)
    with pytest.raises(ValueError, match="other settings"):
        run([path], out, dict(reversed(PLAIN.items())), 1, **SMALL)
    other = write(tmp_path / "other.jsonl", copied[:29])
    with pytest.raises(ValueError, match="other inputs"):
        run([other], out, PLAIN, 1, **SMALL)
    raw = path.read_bytes()
    path.write_bytes(raw.replace(b"the", b"thy", 1))
    with pytest.raises(ValueError, match="other inputs"):
        run([path], out, PLAIN, 1, **SMALL)
    path.write_bytes(raw)
    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "version", lambda name: "0")
        with pytest.raises(ValueError, match="other versions"):
            run([path], out, PLAIN, 1, **SMALL)
    with monkeypatch.context() as patch:
        patch.setattr(pipeline.scratchlm, "__path__", [str(tmp_path)])
        with pytest.raises(ValueError, match="other code"):
            run([path], out, PLAIN, 1, **SMALL)
    assert shards(out) == before
    run([path], out, PLAIN, 1, resume=False, **{**SMALL, "shard_bytes": 1 << 20})
    assert list(shards(out)) == ["shard-00000.jsonl"]
    assert b"".join(shards(out).values()) == b"".join(before.values())


def test_folders_that_are_not_ours(tmp_path: Path, copied: list[str]) -> None:
    path = write(tmp_path / "in.jsonl", copied[:9])
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter.txt").write_text("dear")
    for resume in (True, False):
        with pytest.raises(ValueError, match=r"holds letter\.txt and no manifest: want an empty"):
            run([path], tmp_path / "full", PLAIN, 1, resume=resume)
    assert (tmp_path / "full" / "letter.txt").read_text() == "dear"
    run([path], tmp_path / "out", PLAIN, 1)
    shard = tmp_path / "out" / "shard-00000.jsonl"
    shard.write_bytes(shard.read_bytes()[:-5])
    with pytest.raises(ValueError, match=r"shard-00000\.jsonl has \d+ bytes, its report says"):
        run([path], tmp_path / "out", PLAIN, 1)
    (tmp_path / "out" / "manifest.json").write_text("{")
    with pytest.raises(ValueError, match=r"manifest\.json is damaged"):
        run([path], tmp_path / "out", PLAIN, 1)
    with pytest.raises(ValueError, match="holds no finished run"):
        load_report(tmp_path / "full")


def test_two_runs_in_one_folder(tmp_path: Path, copied: list[str]) -> None:
    path = write(tmp_path / "in.jsonl", copied[:9])
    with pipeline.claimed(tmp_path / "out", {}, True), \
            pytest.raises(RuntimeError, match="another process is at work in"):
        run([path], tmp_path / "out", PLAIN, 1)


@pytest.mark.parametrize(("options", "message"), [
    ({"threshold": 0.0}, r"threshold=0\.0 is not in"),
    ({"batch_bytes": 0}, "batch_bytes=0: want 1 or more"),
    ({"shard_bytes": -1}, "shard_bytes=-1: want 1 or more"),
    ({"n": 0}, "n=0"), ({"num_perm": 0}, "num_perm=0"),
    ({"workers": 0}, "workers=0: want 1 or more")])
def test_bad_settings(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    path = write(tmp_path / "in.jsonl", ["a b c"])
    with pytest.raises(ValueError, match=message):
        run([path], tmp_path / "out", PLAIN, **options)


def test_bad_inputs(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="there are no inputs"):
        run([], tmp_path / "out")
    with pytest.raises(FileNotFoundError):
        run([tmp_path / "gone.jsonl"], tmp_path / "out")
    (tmp_path / "page.html").write_text("<p>")
    with pytest.raises(ValueError, match=r"page\.html: want \.warc"):
        run([tmp_path / "page.html"], tmp_path / "out")
    (tmp_path / "no.warc.gz").write_bytes(b"<!DOCTYPE html>")
    with pytest.raises(ValueError, match="no WARC file"):
        run([tmp_path / "no.warc.gz"], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_pages_that_no_stage_reads(tmp_path: Path,
                                   web: tuple[list[Path], list[Document]]) -> None:
    with pytest.raises(RuntimeError, match="no stage made text of 'http"):
        run(web[0], tmp_path / "out", PLAIN, 1)


@pytest.mark.parametrize("text", ["", "\n\n", '{"text": ""}\n'])
def test_inputs_without_text(tmp_path: Path, text: str) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text(text)
    report = run([path], tmp_path / "out", workers=1)
    assert report.shards == [] and not shards(tmp_path / "out")
    assert report.stages["near copies"] == Tally()


def test_lines_that_are_no_documents(tmp_path: Path) -> None:
    good = ['{"text": "one"}', r'{"text": "\ud83d\ude42 two", "url": "u"}', r'{"text": "\udc80"}']
    bad = ["{", "[]", "7", "null", '"text"', '{"url": "u"}', '{"text": 7}', '{"text": "cut',
           '{"text": "a", "url": 1}', "[" * 100_000]
    path = tmp_path / "in.jsonl"
    path.write_bytes("\n".join([*bad, "", *good]).encode() + b"\n\xff\xfe\n")
    found = list(read_documents(path))
    assert found == ["damaged"] * len(bad) + [
        Document("", "one"), Document("u", "🙂 two"), Document("", "\ufffd"), "damaged"]
    report = run([path], tmp_path / "out", {}, 1)
    assert report.stages["read"].reasons == {"damaged": len(bad) + 1}
    assert kept(tmp_path / "out") == ["one", "🙂 two", "\ufffd"]


def test_a_line_longer_than_memory_is_never_in_it(tmp_path: Path,
                                                  monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "in.jsonl"
    with path.open("wb") as file:
        file.write(b'{"text": "before"}\n{"text": "')
        for _ in range(30):
            file.write(b"x" * 1_000_000)
        file.write(b'"}\n{"text": "after"}\n')
    tracemalloc.start()
    found = [doc if isinstance(doc, str) else doc.text
             for doc in pipeline.read_lines(path, longest=100_000)]
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found == ["before", "too long", "after"]
    assert most < 2_000_000
    monkeypatch.setattr(pipeline.read_lines, "__defaults__", (100_000,))
    report = run([path], tmp_path / "out", {}, 1)
    assert report.stages["read"].reasons == {"too long": 1}


def test_a_document_longer_than_a_shard(tmp_path: Path) -> None:
    texts = ["short one", "long " * 1000, "short two", "short three"]
    run([write(tmp_path / "in.jsonl", texts)], tmp_path / "out", {}, 1, shard_bytes=100)
    assert kept(tmp_path / "out") == texts
    assert [raw.count(b"\n") for raw in shards(tmp_path / "out").values()] == [1, 1, 2]


def test_gzip_that_ends_too_soon(tmp_path: Path, copied: list[str]) -> None:
    whole = gzip.compress(write(tmp_path / "in.jsonl", copied).read_bytes())
    path = tmp_path / "cut.jsonl.gz"
    half = len(whole) // 2
    for raw in (whole[:half], whole[:half] + b"\0" * 99 + whole[-999:], whole[:-4] + b"sum!"):
        path.write_bytes(raw)
        *docs, last = read_documents(path)
        assert last == "damaged"
        texts = [doc.text for doc in docs if isinstance(doc, Document)]
        alike = next((i for i, (a, b) in enumerate(zip(texts, copied, strict=False)) if a != b),
                     len(texts))
        assert alike > len(copied) // 3
        if raw == whole[:half]:  # what is damaged inside may end in a line of rubbish
            assert alike == len(texts)


def test_a_broken_warc(tmp_path: Path, web: tuple[list[Path], list[Document]]) -> None:
    paths, docs = web
    raw = paths[0].read_bytes()
    starts = [i for i in range(len(raw)) if raw.startswith(b"\x1f\x8b\x08", i)]
    middle = (starts[5] + starts[6]) // 2
    broken = tmp_path / "broken.warc.gz"
    broken.write_bytes(raw[:middle] + b"\xff" * 20 + raw[middle + 20:-30])
    report = run([broken], tmp_path / "out", workers=1)
    read = report.stages["read"]
    assert read.reasons["damaged"] >= 2 and read.docs_out >= 17
    alive = [doc for doc in read_documents(broken) if isinstance(doc, Document)]
    assert {doc.payload for doc in alive} < {doc.payload for doc in docs[:20]}
    assert kept(tmp_path / "out") == by_lists(alive)


def test_batches_hold_all_in_order(tmp_path: Path, copied: list[str]) -> None:
    path = write(tmp_path / "in.jsonl", copied)
    for size in (1, 5_000, 1 << 30):
        found = list(batches(path, size))
        assert [doc.text for batch in found for doc in batch
                if isinstance(doc, Document)] == copied
        assert len(found) == (len(copied) if size == 1 else 1 if size > 1e6 else len(found))


def test_memory_does_not_grow_with_the_text(tmp_path: Path) -> None:
    peaks = []
    for n_bytes in (40_000, 400_000):
        texts = [story.text for story in generate(n_bytes, seed=1)]
        path = write(tmp_path / f"{n_bytes}.jsonl", texts)
        del texts
        tracemalloc.start()
        run([path], tmp_path / str(n_bytes), {}, 1, batch_bytes=20_000, shard_bytes=20_000,
            keys_bytes=50_000)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0] + 100_000


class Model:
    """A stage with a state."""

    def __init__(self, **state: Any) -> None:
        self.__dict__.update(state)

    def __call__(self, doc: Document) -> Document | str:
        return doc


def test_equal_things_are_described_alike_in_every_process() -> None:
    code = ("from test_pipeline_model import *\n"
            "print(json.dumps(describe([STAGES, Settings(STAGES), {'b', 'a', 'c'}, b'x',"
            " np.arange(3), re.compile('x'), functools.partial(sorted, reverse=True)])))")
    code = code.replace("from test_pipeline_model import *", (
        "import functools, json, re\nimport numpy as np\n"
        "from scratchlm.data.pipeline import STAGES, Settings, describe"))
    found = {subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                            check=True, env={**os.environ, "PYTHONHASHSEED": str(seed)}).stdout
             for seed in range(3)}
    assert len(found) == 1


def test_different_things_are_described_differently() -> None:
    states: list[Any] = [1, 1.5, "1", b"1", None, True, [1], {1}, {1: 2}, np.ones(2),
                         np.ones(2, np.float32), np.ones((2, 1)), len, sum, Model]
    found = [json.dumps(describe(Model(x=state))) for state in states]
    assert len(set(found)) == len(found)
    with pytest.raises(ValueError, match="has no name by which another process"):
        describe(lambda doc: doc)
    with pytest.raises(ValueError, match="cannot tell one object from another"):
        describe(object())
    assert describe(Settings(PLAIN)) != describe(Settings(PLAIN, seed=1))


def test_a_worker_that_dies(tmp_path: Path, copied: list[str]) -> None:
    path = write(tmp_path / "in.jsonl", copied[:9])
    with pytest.raises(RuntimeError, match=r"a worker died.*the same call goes on from there"):
        run([path], tmp_path / "out", {"die": die}, 2, batch_bytes=1000)


def die(doc: Document) -> Document | str:
    os._exit(1)
