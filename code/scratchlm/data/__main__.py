"""More text than memory."""

from __future__ import annotations

import json
import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from pathlib import Path

from scratchlm.corpus.tinystories import SEPARATOR
from scratchlm.corpus.web import crawl, write_warc
from scratchlm.data.cluster import on_ray
from scratchlm.data.loader import write_tokens
from scratchlm.data.pipeline import STAGES, Start, load_report, local, run
from scratchlm.tokenizer.bpe import BPETokenizer


# § sec-many-command
def do_crawl(options: Namespace) -> None:
    """The command ``crawl``."""
    count = write_warc(crawl(options.bytes, options.seed), options.out)
    print(f"saved {count:,} pages in {options.out}")


def texts(folder: Path) -> Iterator[str]:
    """The documents of a finished run, one at a time."""
    for shard in load_report(folder).shards:
        with (folder / shard["name"]).open(encoding="utf-8") as file:
            for line in file:
                yield json.loads(line)["text"]


def do_tokens(options: Namespace) -> None:
    """The command ``tokens``."""
    model = (tokenizer := BPETokenizer.load(options.tokenizer)).model
    if (end := model.special_tokens.get(SEPARATOR)) is None:
        raise ValueError(f"{options.tokenizer} has no token {SEPARATOR}")
    rows = ([*tokenizer.encode(text, disallowed_special=()), end]
            for text in texts(options.folder))
    count = write_tokens(options.out, rows, max(model.vocab) + 1)
    print(f"saved {count:,} tokens in {options.out}")


def do_run(options: Namespace) -> None:
    """The command ``run``."""
    names = options.stages.split(",") if options.stages else []
    if unknown := sorted(set(names) - set(STAGES)):
        raise ValueError(f"--stages {unknown[0]}: want some of "
                         f"{','.join(STAGES)}")
    sizes = {name: getattr(options, name) for name in
             ("threshold", "batch_bytes", "shard_bytes")}
    report = run(options.inputs, options.out,
                 {name: STAGES[name] for name in names}, options.workers,
                 not options.fresh, engine=ENGINES[options.engine], **sizes)
    print(report)
    print(f"saved {sum(s['docs'] for s in report.shards):,} documents in "
          f"{len(report.shards)} shards in {options.out}")


def do_report(options: Namespace) -> None:
    """The command ``report``."""
    print(load_report(options.folder))


ENGINES: dict[str, Start] = {"local": local, "ray": on_ray}


def run_options(add: ArgumentParser) -> None:
    """What the command ``run`` understands."""
    add.add_argument("inputs", nargs="+", type=Path, metavar="INPUT",
                     help="WARC or JSON-lines files, gzip or not")
    add.add_argument("--stages", default=",".join(STAGES), metavar="A,B",
                     help="in their order (default %(default)s)")
    add.add_argument("--threshold", type=float, default=0.8, metavar="J",
                     help="similarity of near copies (default 0.8)")
    add.add_argument("--workers", type=int, metavar="N",
                     help="processes (default: one per core)")
    add.add_argument("--engine", choices=ENGINES, default="local",
                     help="local (the default), or ray for many machines")
    add.add_argument("--batch-bytes", type=int, default=1 << 20,
                     metavar="N", help="for a worker (default %(default)s)")
    add.add_argument("--shard-bytes", type=int, default=1 << 26,
                     metavar="N", help="in a shard (default %(default)s)")
    add.add_argument("--fresh", action="store_true",
                     help="start again instead of going on")


def other_options(add: ArgumentParser, name: str) -> None:
    """What the other commands understand."""
    if name == "crawl":
        add.add_argument("--bytes", type=int, default=2_000_000,
                         metavar="N", help="of pages (default %(default)s)")
        add.add_argument("--seed", type=int, default=0, metavar="N",
                         help="of the pages (default 0)")
    else:
        add.add_argument("folder", type=Path, help="of a finished run")
    if name == "tokens":
        add.add_argument("--tokenizer", type=Path, required=True,
                         metavar="FILE", help="a saved one")


def main(arguments: list[str] | None = None) -> int:
    """Run one command; what it returns is the exit status."""
    parser = ArgumentParser(
        prog="python -m scratchlm.data",
        description="Training text from files larger than memory.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command, about in ((do_crawl, "make a dirty web of Storyworld"),
                           (do_run, "take files through all stages"),
                           (do_report, "show what a run did"),
                           (do_tokens, "encode a run's documents")):
        add = commands.add_parser(command.__name__[3:], help=about)
        add.set_defaults(command=command)
        if command is do_run:
            run_options(add)
        else:
            other_options(add, command.__name__[3:])
        if command is not do_report:
            add.add_argument("--out", type=Path, required=True,
                             metavar="PATH", help="where to save")
    options = parser.parse_args(arguments)
    try:
        options.command(options)
    except KeyboardInterrupt:
        print("interrupted: the same command goes on from here",
              file=sys.stderr)
        return 130
    except BrokenPipeError:  # whoever reads our output has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (ValueError, OSError, RuntimeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__" and __package__:  # not in a notebook
    sys.exit(main())
