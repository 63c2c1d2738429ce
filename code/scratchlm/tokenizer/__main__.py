"""A real corpus."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scratchlm.corpus.download import DownloadError
from scratchlm.corpus.storyworld import generate
from scratchlm.corpus.tinystories import SEPARATOR, download
from scratchlm.tokenizer.bpe import TIES, BPETokenizer, check_sizes
from scratchlm.tokenizer.pretokenize import GPT2_PATTERN, GPT4_PATTERN
from scratchlm.tokenizer.train import train_file

# § sec-real-command
PATTERNS = {"gpt2": GPT2_PATTERN, "gpt4": GPT4_PATTERN}


@contextmanager
def corpus_file(options: Namespace) -> Iterator[Path]:
    """The file that ``--corpus`` means; one made here is removed again.

    Raises:
        ValueError, DownloadError: it is no file, or cannot be had.
    """
    name = options.corpus
    if name == "storyworld":
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / name
            with path.open("w", encoding="utf-8", newline="") as file:
                for story in generate(options.bytes, seed=options.seed):
                    file.write(f"{story.text}\n{SEPARATOR}\n")
            yield path
    elif name in ("tinystories", "tinystories-valid"):
        try:
            path = download("valid" if "valid" in name else "train")
        except DownloadError as error:
            raise DownloadError(f"{error}; storyworld needs no network"
                                ) from error
        yield path
    elif not Path(name).is_file():
        raise ValueError(f"--corpus {name}: no such file, and neither "
                         "storyworld nor tinystories")
    else:
        yield Path(name)


def run_train(options: Namespace) -> None:
    """The command ``train``."""
    name = f"{Path(options.corpus).stem}-{options.vocab_size}.json"
    out = options.out or Path(name)
    if not out.parent.is_dir():  # now, and not after two minutes of work
        raise ValueError(f"--out {out}: there is no folder {out.parent}")
    special = options.special or [SEPARATOR]
    check_sizes(options.vocab_size, special, options.tie)
    with corpus_file(options) as path:
        model, report = train_file(
            path, options.vocab_size, special, options.tie,
            PATTERNS.get(options.pattern, options.pattern),
            jobs=options.jobs, errors=options.errors)
    BPETokenizer(model).save(out)
    print(report)
    print(f"saved     {len(model.vocab):,} tokens in {out}")


def run_encode(options: Namespace) -> None:
    """The command ``encode``: text in, token ids out."""
    tokenizer = BPETokenizer.load(options.tokenizer)
    ids = tokenizer.encode_iterable(options.input, allowed_special="all")
    for i in ids:
        print(i, end=" ")
    print()


def run_decode(options: Namespace) -> None:
    """The command ``decode``: token ids in, text out."""
    tokenizer = BPETokenizer.load(options.tokenizer)
    ids = [int(word) for line in options.input for word in line.split()]
    sys.stdout.buffer.write(tokenizer.decode_bytes(ids))


def run_inspect(options: Namespace) -> None:
    """The command ``inspect``: what a saved tokenizer holds."""
    model = BPETokenizer.load(options.tokenizer).model
    special = set(model.special_tokens.values())
    plain = [t for i, t in model.vocab.items() if i not in special]
    longest = sorted(plain, key=len, reverse=True)[:8]
    print(f"tokens    {len(model.vocab):,}, {len(model.merges):,} merges")
    print(f"special   {model.special_tokens}")
    print(f"pattern   {model.pattern}")
    print("longest  ", *[repr(t.decode(errors="replace")) for t in longest])


def train_options(add: argparse.ArgumentParser) -> None:
    """What the command ``train`` understands."""
    add.add_argument("--corpus", default="storyworld", metavar="NAME",
                     help="storyworld (made on the spot; the default), "
                     "tinystories (2.2 GB, downloaded once), "
                     "tinystories-valid (22 MB), or a UTF-8 text file")
    add.add_argument("--vocab-size", type=int, default=10_000, metavar="N",
                     help="tokens in all (default 10000)")
    add.add_argument("--special", action="append", metavar="TOKEN", help=(
        f"a special token (default {SEPARATOR}); may be given repeatedly"))
    add.add_argument("--tie", choices=TIES, default="hf", help=(
        "which of two equally common pairs is merged first (default hf)"))
    add.add_argument("--pattern", default="gpt2", metavar="REGEX", help=(
        "of pre-tokens: gpt2 (the default), gpt4 or an expression"))
    add.add_argument("--jobs", type=int, metavar="N",
                     help="processes that count (default: one per core)")
    add.add_argument("--out", type=Path, metavar="FILE",
                     help="where to save (default CORPUS-N.json, here)")
    add.add_argument("--bytes", type=int, default=2_000_000, metavar="N",
                     help="size of storyworld (default 2000000)")
    add.add_argument("--seed", type=int, default=0, metavar="N",
                     help="of storyworld (default 0)")
    add.add_argument("--errors", choices=("strict", "replace"),
                     default="strict", help=(
        "what to do with bytes that are not UTF-8 (default strict)"))


def main(arguments: list[str] | None = None) -> int:
    """Run one command; what it returns is the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m scratchlm.tokenizer",
        description="Train a byte-level BPE tokenizer, and use it.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command, about in ((run_train, "learn a vocabulary from a corpus"),
                           (run_encode, "turn text into token ids"),
                           (run_decode, "turn token ids into text"),
                           (run_inspect, "say what a tokenizer holds")):
        add = commands.add_parser(command.__name__[4:], help=about,
                                  description=f"{about.capitalize()}.")
        add.set_defaults(command=command)
        if command is run_train:
            train_options(add)
        else:
            add.add_argument("tokenizer", type=Path, help="a saved one")
        if command in (run_encode, run_decode):
            add.add_argument(
                "input", nargs="?", default="-", help="a file (default -)",
                type=argparse.FileType("rb"))
    options = parser.parse_args(arguments)
    try:
        options.command(options)
    except KeyboardInterrupt:
        print("interrupted: nothing was saved", file=sys.stderr)
        return 130
    except BrokenPipeError:  # whoever reads our output has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (ValueError, OSError, RuntimeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__" and __package__:  # not in a notebook
    sys.exit(main())
