"""Chapter 5 beside its peers: duplicates, the loader, the memory of the pipeline.

What is compared runs in this one process on the same documents, in turn, A B A B …; the table
has medians, and the median of the ratios, pair by pair. Rows about memory run in processes
of their own. Documents are Storyworld's, a part of them copied or edited by a seeded draw.

    nox -s bench -- data
    .venv/bin/python bench/data.py dedup     only this part
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

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

def duplicates(runs: int) -> Iterator[Row]:
    """MinHash and LSH beside datasketch."""
    yield Row("MinHash", "not there yet")


# One function a part: what it is called with is the number of counted pairs.
PARTS: dict[str, Callable[[int], Iterator[Row]]] = {
    "dedup": duplicates,
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
