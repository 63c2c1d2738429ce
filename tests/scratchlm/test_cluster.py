"""The pipeline on Ray Data, with two local workers: the same shards, and no process left."""

from __future__ import annotations

import importlib.util
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from scratchlm.corpus.web import crawl, write_warc
from scratchlm.data import cluster
from scratchlm.data.cluster import on_ray
from scratchlm.data.pipeline import STAGES, Document, Stage, load_report, run

needs_ray = pytest.mark.skipif(importlib.util.find_spec("ray") is None,
                               reason="Ray is not installed (extra: cluster)")


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("web")
    pages = list(crawl(100_000, seed=4))
    paths = [folder / "a.warc.gz", folder / "b.warc.gz"]
    write_warc(pages[::2], paths[0])
    write_warc(pages[1::2], paths[1])
    return paths


def of_ray() -> set[psutil.Process]:
    """Processes of Ray's on this machine."""
    found = set()
    for process in psutil.process_iter(["cmdline"]):
        line = " ".join(process.info["cmdline"] or ())
        if "raylet" in line or "gcs_server" in line or "ray::" in line:
            found.add(process)
    return found


@pytest.fixture(scope="module")
def ray(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """One Ray for the tests of this file, which join it as they would a cluster."""
    before = of_ray()
    address = os.environ.pop("RAY_ADDRESS", None)
    with on_ray(2):
        import ray
        assert ray.cluster_resources()["CPU"] == 2
        yield ray
    if address is not None:
        os.environ["RAY_ADDRESS"] = address
    assert not ray.is_initialized()
    until = time.monotonic() + 180  # its agents look for their parent now and then
    while (left := of_ray() - before) and time.monotonic() < until:
        time.sleep(0.2)
    assert not left


def shards(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in sorted(folder.glob("shard-*"))}



@needs_ray
def test_the_shards_are_those_of_one_machine(tmp_path: Path, inputs: list[Path],
                                             ray: Any) -> None:
    small = {"batch_bytes": 20_000, "shard_bytes": 5_000, "keys_bytes": 3_000}
    here = run(inputs, tmp_path / "here", workers=1, **small)
    there = run(inputs, tmp_path / "there", engine=on_ray, **small)
    assert shards(tmp_path / "there") == shards(tmp_path / "here")
    assert len(shards(tmp_path / "here")) > 1
    assert there == here == load_report(tmp_path / "there")
    assert here.stages["near copies"].docs_in > here.stages["near copies"].docs_out > 0
    assert ray.is_initialized()  # what was there before is not ended


@needs_ray
def test_a_stopped_run_goes_on_with_another_engine(tmp_path: Path, inputs: list[Path],
                                                   ray: Any,
                                                   monkeypatch: pytest.MonkeyPatch) -> None:
    small = {"batch_bytes": 20_000, "shard_bytes": 5_000}

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("scratchlm.data.pipeline.finish", stop)
        run(inputs, tmp_path / "out", engine=on_ray, **small)
    saved = {p: p.stat().st_mtime_ns for p in (tmp_path / "out" / "work").glob("*.jsonl")}
    assert saved
    with monkeypatch.context() as patch:
        patch.setattr("scratchlm.data.pipeline.process", stop)  # there is nothing to process
        run(inputs, tmp_path / "out", workers=1, **small)
    run(inputs, tmp_path / "whole", workers=1, **small)
    assert shards(tmp_path / "out") == shards(tmp_path / "whole")


@needs_ray
def test_the_words_of_a_stage_arrive(tmp_path: Path, inputs: list[Path], ray: Any,
                                     monkeypatch: pytest.MonkeyPatch) -> None:
    def on_machine(work: Path, task: Any) -> None:
        from scratchlm.data.pipeline import through
        through(Document("page"), {"refuse": _stage()}, {})

    def _stage() -> Stage:
        def refuse(doc: Document) -> Document | str:
            raise ValueError("a stage's own words")
        return refuse

    monkeypatch.setattr(cluster, "process", on_machine)
    with pytest.raises(RuntimeError) as caught:
        run(inputs, tmp_path / "out", STAGES, engine=on_ray)
    assert str(caught.value) == ("RuntimeError: stage 'refuse' failed on 'page': "
                                 "ValueError: a stage's own words")


def test_without_ray(tmp_path: Path, inputs: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "ray"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(RuntimeError, match=r"Ray is missing: every-line-runs\[cluster\]"):
        run(inputs, tmp_path / "out", engine=on_ray)


def test_ray_is_imported_only_where_it_is_used() -> None:
    import subprocess
    code = "import sys, scratchlm.data.__main__; assert 'ray' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
