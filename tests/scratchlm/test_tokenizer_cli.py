"""The command line of the tokenizer: what it saves, what it prints, how it refuses."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from scratchlm.corpus import download as downloads
from scratchlm.corpus import tinystories
from scratchlm.corpus.download import Remote
from scratchlm.corpus.storyworld import generate
from scratchlm.tokenizer import __main__ as cli
from scratchlm.tokenizer.bpe import BPETokenizer, train_bpe
from scratchlm.tokenizer.pretokenize import GPT4_PATTERN

TEXT = "It's a low, lower and lowest café.\n<|endoftext|>\nLow 🙂 again, it's 1234.\n"


@pytest.fixture
def text_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "tale.txt"
    path.write_text(TEXT, encoding="utf-8")
    return path


def run(*arguments: object) -> int:
    return cli.main([str(argument) for argument in arguments])


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """What a command that must fail says: one line, and nothing on stdout."""
    assert run(*arguments) == 1
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and err.startswith("error: ")
    return err


def test_train_on_a_file(text_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("train", "--corpus", text_file, "--vocab-size", 270) == 0
    out = capsys.readouterr().out
    assert re.search(r"result +\d+ tokens, \d\.\d\d bytes each\nsaved +270 tokens in tale-270.json",
                     out)
    model = BPETokenizer.load("tale-270.json").model
    assert model == train_bpe([TEXT], 270, ["<|endoftext|>"])


def test_every_option_arrives(text_file: Path) -> None:
    assert run("train", "--corpus", text_file, "--vocab-size", 280, "--special", "<a>",
               "--special", "<b>", "--tie", "lexicographic", "--pattern", "gpt4",
               "--jobs", 1, "--out", "x.json") == 0
    model = BPETokenizer.load("x.json").model
    assert model == train_bpe([TEXT], 280, ["<a>", "<b>"], "lexicographic", GPT4_PATTERN)
    assert run("train", "--corpus", text_file, "--vocab-size", 270, "--pattern", r"\S+|\s+",
               "--out", "y.json") == 0
    assert BPETokenizer.load("y.json").model.pattern == r"\S+|\s+"


def test_storyworld_needs_nothing(text_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for out, seed in (("a.json", 3), ("b.json", 3), ("c.json", 4)):
        assert run("train", "--bytes", 20_000, "--vocab-size", 300, "--seed", seed,
                   "--out", out) == 0
    a, b, c = (Path(name).read_bytes() for name in ("a.json", "b.json", "c.json"))
    assert a == b != c
    text = "".join(f"{story.text}\n<|endoftext|>\n" for story in generate(20_000, seed=3))
    assert BPETokenizer.load("a.json").model == train_bpe([text], 300, ["<|endoftext|>"])
    assert f"{len(text.encode()):,} bytes" in capsys.readouterr().out


def test_what_is_made_on_the_way_is_removed(text_file: Path,
                                            monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(text_file.parent))
    assert run("train", "--bytes", 2000, "--vocab-size", 260) == 0
    assert {p.name for p in text_file.parent.iterdir()} == {"tale.txt", "storyworld-260.json"}

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "train_file", interrupted)
    assert run("train", "--bytes", 2000, "--vocab-size", 261) == 130
    assert {p.name for p in text_file.parent.iterdir()} == {"tale.txt", "storyworld-260.json"}


def test_missing_tokens_are_reported(text_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("train", "--corpus", text_file, "--vocab-size", 10_000) == 0
    found = re.search(r"missing +([\d,]+) tokens.*\nsaved +(\d+) tokens", capsys.readouterr().out)
    assert found and int(found[1].replace(",", "")) + int(found[2]) == 10_000


def test_tinystories_is_trained_from_the_sample(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str]) -> None:
    folder = os.environ.get("SCRATCHLM_DATA")
    if not folder:
        pytest.skip("SCRATCHLM_DATA does not name the folder of test data")
    raw = (Path(folder) / "tinystories_sample.txt").read_bytes()
    real = tinystories.TINYSTORIES["train"]
    monkeypatch.setitem(tinystories.TINYSTORIES, "train", Remote(
        real.url, len(raw), downloads.hashlib.sha256(raw).hexdigest()))
    monkeypatch.setenv("SCRATCHLM_CACHE", str(tmp_path / "cache"))
    part = tmp_path / "cache" / "corpora" / "TinyStoriesV2-GPT4-train.txt.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(raw)  # as somebody would who brings the file on a stick
    out = tmp_path / "ts.json"
    assert run("train", "--corpus", "tinystories", "--out", out) == 0
    assert "ran out of pairs" in capsys.readouterr().out
    tokenizer = BPETokenizer.load(out)
    text = raw.decode()
    assert tokenizer.decode(tokenizer.encode(text, allowed_special="all")) == text


def test_tinystories_without_a_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                       capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SCRATCHLM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(downloads.time, "sleep", lambda _: None)
    monkeypatch.setitem(tinystories.TINYSTORIES, "valid",
                        Remote("http://127.0.0.1:1/valid.txt", 10, "0" * 64))
    err = refused(capsys, "train", "--corpus", "tinystories-valid")
    assert "refused" in err and "storyworld needs no network" in err
    assert str(tmp_path / "cache" / "corpora" / "valid.txt.part") in err
    assert not list(tmp_path.glob("*.json"))


@pytest.mark.parametrize("arguments, message", [
    (["--corpus", "nowhere.txt"], "nowhere.txt: no such file, and neither storyworld nor"),
    (["--corpus", "."], "no such file"),
    (["--vocab-size", "256"], "vocab_size=256 is too small"),
    (["--special", ""], "must not be empty"),
    (["--special", "<a>", "--special", "<a>"], "is there twice"),
    (["--out", "no/such/folder/x.json"], "there is no folder no/such/folder"),
    (["--pattern", "("], "no regular expression"),
    (["--jobs", "0"], "jobs=0"),
    (["--corpus", "latin.txt"], r"not UTF-8 at byte 3: "),
])
def test_what_cannot_be_is_said_in_a_line(
        text_file: Path, arguments: list[str], message: str,
        capsys: pytest.CaptureFixture[str]) -> None:
    Path("latin.txt").write_bytes("café au lait".encode("latin-1"))
    assert message in refused(capsys, "train", "--corpus", text_file, "--vocab-size", 300,
                              *arguments)
    assert not list(Path().glob("*.json"))


def test_bad_bytes_can_be_replaced(text_file: Path) -> None:
    text_file.write_bytes("été au lait".encode("latin-1"))
    assert run("train", "--corpus", text_file, "--vocab-size", 260, "--errors", "replace") == 0
    model = BPETokenizer.load("tale-260.json").model
    assert model == train_bpe(["\ufffdt\ufffd au lait"], 260, ["<|endoftext|>"])


def test_an_old_file_survives_a_failure(text_file: Path,
                                        capsys: pytest.CaptureFixture[str]) -> None:
    Path("x.json").write_text("precious")
    refused(capsys, "train", "--corpus", text_file, "--vocab-size", 1, "--out", "x.json")
    assert Path("x.json").read_text() == "precious"


@pytest.fixture
def saved(text_file: Path, capsys: pytest.CaptureFixture[str]) -> str:
    run("train", "--corpus", text_file, "--vocab-size", 270, "--out", "t.json")
    capsys.readouterr()
    return "t.json"


def test_encode_and_decode_are_inverse(saved: str, text_file: Path,
                                       capsys: pytest.CaptureFixture[str]) -> None:
    assert run("encode", saved, text_file) == 0
    ids = capsys.readouterr().out
    tokenizer = BPETokenizer.load(saved)
    assert [int(i) for i in ids.split()] == tokenizer.encode(TEXT, allowed_special="all")
    Path("ids").write_text(ids)
    assert run("decode", saved, "ids") == 0
    assert capsys.readouterr().out == TEXT


def test_encode_reads_standard_input(saved: str, monkeypatch: pytest.MonkeyPatch,
                                     capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("é\r\né".encode())))
    assert run("encode", saved) == 0
    ids = [int(i) for i in capsys.readouterr().out.split()]
    assert BPETokenizer.load(saved).decode(ids) == "é\r\né"


def test_inspect(saved: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("inspect", saved) == 0
    out = capsys.readouterr().out
    assert "tokens    270, 13 merges" in out and "{'<|endoftext|>': 269}" in out


@pytest.mark.parametrize("command, content, message", [
    ("decode", "1 2 x", "invalid literal"),
    ("decode", "99999", "no token has the id 99999"),
    ("decode", "-1", "no token has the id -1"),
])
def test_ids_that_are_none(saved: str, command: str, content: str, message: str,
                           capsys: pytest.CaptureFixture[str]) -> None:
    Path("ids").write_text(content)
    assert message in refused(capsys, command, saved, "ids")


def test_files_that_are_no_tokenizers(saved: str, capsys: pytest.CaptureFixture[str]) -> None:
    whole = Path(saved).read_text(encoding="utf-8")
    Path("half.json").write_text(whole[:len(whole) // 2], encoding="utf-8")
    Path("other.json").write_text(json.dumps({"a": 1}))
    for name in ("half.json", "other.json", "none.json"):
        assert name in refused(capsys, "inspect", name)
        assert name in refused(capsys, "encode", name, saved)


@pytest.mark.parametrize("arguments", [[], ["--help"], ["train", "--help"], ["fly"],
                                       ["train", "--tie", "dice"]])
def test_help(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        run(*arguments)
    out, err = capsys.readouterr()
    assert stopped.value.code == (0 if "--help" in arguments else 2)
    assert "usage: python -m scratchlm.tokenizer" in out + err
    assert max(map(len, out.splitlines()), default=0) <= 80


def test_as_a_program(text_file: Path) -> None:
    command = [sys.executable, "-m", "scratchlm.tokenizer"]
    done = subprocess.run([*command, "train", "--corpus", "tale.txt", "--vocab-size", "264"],
                          capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    ids = subprocess.run([*command, "encode", "tale-264.json"], input=TEXT.encode(),
                         capture_output=True, timeout=60).stdout
    again = subprocess.run([*command, "decode", "tale-264.json"], input=ids,
                           capture_output=True, timeout=60).stdout
    assert again.decode() == TEXT


@pytest.mark.skipif(os.name == "nt", reason="there are no pseudo-terminals on Windows")
def test_a_terminal_sees_bars_and_a_pipe_none(text_file: Path) -> None:
    import pty

    text_file.write_text("a few words again and again, and more of them\n" * 20_000)
    terminal, end = pty.openpty()
    done = subprocess.Popen(
        [sys.executable, "-m", "scratchlm.tokenizer", "train", "--corpus", "tale.txt",
         "--vocab-size", "300", "--jobs", "1"], stdout=subprocess.PIPE, stderr=end,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "100"})
    os.close(end)
    shown = b""
    while True:
        try:
            block = os.read(terminal, 4096)
        except OSError:  # the other end is closed
            break
        if not block:
            break
        shown += block
    out = done.communicate()[0]
    os.close(terminal)
    assert done.returncode == 0
    assert b"counting tale.txt" in shown and b"merging" in shown
    assert b"\x1b" not in out
