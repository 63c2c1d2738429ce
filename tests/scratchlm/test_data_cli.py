"""The command line of the data pipeline: what it saves, what it prints, how it refuses."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from scratchlm.corpus.storyworld import generate
from scratchlm.corpus.web import crawl
from scratchlm.data import __main__ as cli
from scratchlm.data.loader import TokenDataset
from scratchlm.data.pipeline import load_report
from scratchlm.tokenizer.bpe import BPETokenizer, train_bpe


def run(*arguments: object) -> int:
    return cli.main([str(argument) for argument in arguments])


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """What a command that must fail says: one line, and nothing on stdout."""
    assert run(*arguments) == 1
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and err.startswith("error: ")
    return err


@pytest.fixture
def lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "in.jsonl"
    path.write_text("".join(json.dumps({"text": story.text}) + "\n"
                            for story in generate(30_000)) * 2, encoding="utf-8")
    return path


def shards(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in sorted(folder.glob("shard-*"))}


def test_from_a_crawl_to_tokens(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    web, out, ids = tmp_path / "web.warc.gz", tmp_path / "out", tmp_path / "train.bin"
    assert run("crawl", "--bytes", 60_000, "--seed", 3, "--out", web) == 0
    n_pages = len(list(crawl(60_000, seed=3)))
    assert f"saved {n_pages:,} pages in {web}" in capsys.readouterr().out
    assert run("run", web, "--out", out, "--workers", 1, "--shard-bytes", 5000) == 0
    told = capsys.readouterr().out
    assert run("report", out) == 0
    report = capsys.readouterr().out
    assert told.startswith(report) and str(load_report(out)) == report.rstrip("\n")
    texts = [json.loads(line)["text"] for raw in shards(out).values() for line in raw.splitlines()]
    assert f"saved {len(texts):,} documents in {len(shards(out))} shards in {out}" in told
    tokenizer = BPETokenizer(train_bpe(texts, 300, ["<|endoftext|>"]))
    tokenizer.save(tmp_path / "tokens.json")
    assert run("tokens", out, "--tokenizer", tmp_path / "tokens.json", "--out", ids) == 0
    data = TokenDataset(ids)
    assert f"saved {len(data):,} tokens in {ids}" in capsys.readouterr().out
    said = tokenizer.decode([int(i) for i in data.tokens])
    assert said == "".join(f"{text}<|endoftext|>" for text in texts)


def test_every_option_arrives(lines: Path) -> None:
    assert run("run", lines, "--out", "a", "--stages", "clean", "--threshold", 0.9, "--workers", 1,
               "--batch-bytes", 5000, "--shard-bytes", 2000) == 0
    assert list(load_report(Path("a")).stages) == ["read", "clean", "copies", "near copies"]
    assert len(shards(Path("a"))) > 5
    assert run("run", lines, "--out", "a", "--stages", "", "--workers", 1, "--fresh") == 0
    assert list(load_report(Path("a")).stages) == ["read", "copies", "near copies"]
    assert len(shards(Path("a"))) == 1


def test_what_is_refused(lines: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "gone.jsonl" in refused(capsys, "run", "gone.jsonl", "--out", "x")
    assert "--stages clear: want some of extract,clean,rules,mask" in refused(
        capsys, "run", lines, "--out", "x", "--stages", "clean,clear")
    assert "threshold=2.0" in refused(capsys, "run", lines, "--out", "x", "--threshold", 2)
    assert "workers=0" in refused(capsys, "run", lines, "--out", "x", "--workers", 0)
    assert "batch_bytes=0" in refused(capsys, "run", lines, "--out", "x", "--batch-bytes", 0)
    assert "want .warc" in refused(capsys, "run", __file__, "--out", "x")
    assert "holds in.jsonl and no manifest" in refused(capsys, "run", lines, "--out", ".")
    assert "holds no finished run" in refused(capsys, "report", ".")
    assert "No such file" in refused(capsys, "tokens", ".", "--tokenizer", "t", "--out", "o")
    assert run("run", lines, "--out", "ok", "--stages", "", "--workers", 1) == 0
    capsys.readouterr()
    assert "holds a run with other settings" in refused(
        capsys, "run", lines, "--out", "ok", "--stages", "clean")
    BPETokenizer(train_bpe(["a b"], 256)).save("t.json")
    assert "t.json has no token <|endoftext|>" in refused(
        capsys, "tokens", "ok", "--tokenizer", "t.json", "--out", "o")
    assert not Path("o").exists()


@pytest.mark.parametrize("arguments", [[], ["run"], ["run", "a"], ["crawl"], ["run", "a", "--out"],
                                       ["run", "a", "--out", "b", "--engine", "spark"]])
def test_wrong_calls(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        run(*arguments)
    assert caught.value.code == 2 and "usage: python -m scratchlm.data" in capsys.readouterr().err


@pytest.mark.skipif(os.name == "nt", reason="signals are another matter on Windows")
@pytest.mark.parametrize("how", ["terminal", "kill"])
def test_stopped_and_called_again(lines: Path, how: str) -> None:
    text = lines.read_text(encoding="utf-8")
    lines.write_text(text.replace("e", "ee") + text + text.replace("a", "aa"), encoding="utf-8")
    command = [sys.executable, "-m", "scratchlm.data", "run", str(lines), "--stages", "clean,mask",
               "--workers", "2", "--batch-bytes", "2000", "--shard-bytes", "20000", "--out"]
    out = Path("out")
    process = subprocess.Popen([*command, "out"], text=True, stderr=subprocess.PIPE,
                               stdout=subprocess.DEVNULL, start_new_session=True)
    until = time.monotonic() + 60
    while len(list(out.glob("work/*.json"))) < 3 and time.monotonic() < until:
        time.sleep(0.005)
    family = psutil.Process(process.pid).children(recursive=True)
    if how == "terminal":  # Ctrl-C reaches every process of the terminal
        os.killpg(process.pid, signal.SIGINT)
    else:
        process.kill()
    told = process.communicate(timeout=60)[1]
    assert psutil.wait_procs(family, timeout=30)[1] == []
    if how == "terminal":
        assert process.returncode == 130
        assert told == "interrupted: the same command goes on from here\n"
    assert not (out / "report.json").exists()
    again = subprocess.run([*command, "out"], capture_output=True, text=True, check=True)
    whole = subprocess.run([*command, "whole"], capture_output=True, text=True, check=True)
    assert again.stderr == "" and re.sub(" out$", " whole", again.stdout.rstrip()) == \
        whole.stdout.rstrip()
    assert shards(out) == shards(Path("whole"))
