"""Our attention layer beside PyTorch's on the same sizes: milliseconds, forward and backward.

Both run in this one process with the same weights on the same batch, in turn, A B A B …; the
table has medians, and the median of the ratios, pair by pair.

    nox -s bench -- attention
    .venv/bin/python bench/attention.py layer     only these parts
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from scratchlm.attention import (
    MultiHeadAttention,
    causal_mask,
    fused_attention,
    scaled_dot_product_attention,
)

PARTS = ("layer", "shared", "kernel")
console = Console(width=max(Console().width, 120))


@dataclass(frozen=True)
class Row:
    """What a comparison came to."""

    task: str
    ours: str
    peer: str
    ratio: str
    wanted: str = ""
    remark: str = ""


def seconds(f: Callable[[], object]) -> float:
    started = time.perf_counter()
    f()
    return time.perf_counter() - started


def beside(ours: Callable[[], object], peer: Callable[[], object],
           runs: int) -> tuple[float, float, float]:
    """Medians of both, and of the peer's time divided by ours: our speed."""
    ours(), peer()  # the first call of a shape allocates
    pairs = [(seconds(ours), seconds(peer)) for _ in range(runs)]
    return (statistics.median(a for a, _ in pairs), statistics.median(b for _, b in pairs),
            statistics.median(b / a for a, b in pairs))


def layers(runs: int) -> Iterator[Row]:
    for B, T, d_model, n_heads in ((8, 128, 256, 8), (4, 512, 256, 8), (1, 1024, 768, 12)):
        torch.manual_seed(0)
        ours = MultiHeadAttention(d_model, n_heads, bias=True)
        theirs = nn.MultiheadAttention(d_model, n_heads, bias=True, batch_first=True)
        with torch.no_grad():
            for a, b in zip(theirs.parameters(), ours.parameters(), strict=True):
                a.copy_(b)
        x, grad = torch.randn(2, B, T, d_model)
        future = ~causal_mask(T)

        def mine(ours: nn.Module = ours, x: Tensor = x) -> Tensor:
            return ours(x, is_causal=True)  # type: ignore[no-any-return]

        def peers(theirs: nn.Module = theirs, x: Tensor = x, future: Tensor = future) -> Tensor:
            return theirs(x, x, x, attn_mask=future, is_causal=True,  # type: ignore[no-any-return]
                          need_weights=False)[0]

        size = f"B={B} T={T} d_model={d_model} H={n_heads}"
        gap = (mine() - peers()).abs().max().item()
        for task, f, g in (
                ("forward", mine, peers),
                ("forward and backward", lambda: mine().backward(grad),  # noqa: B023
                 lambda: peers().backward(grad))):  # noqa: B023
            a, b, ratio = beside(f, g, runs)
            yield Row(f"{task}, {size}", f"{a * 1e3:.1f} ms",
                      f"{b * 1e3:.1f} ms, nn.MultiheadAttention", f"{ratio:.2f} of its speed",
                      "≥ 0.9", f"causal, float32; outputs differ by {gap:.0e}")


def shared(runs: int) -> Iterator[Row]:
    B, T, d_model, n_heads = 4, 512, 256, 8
    x, grad = torch.randn(2, B, T, d_model)
    full = MultiHeadAttention(d_model, n_heads)
    for kv in (2, 1):
        fewer = MultiHeadAttention(d_model, n_heads, kv)
        a, b, ratio = beside(lambda m=fewer: m(x, is_causal=True).backward(grad),  # type: ignore[misc]
                             lambda: full(x, is_causal=True).backward(grad), runs)
        yield Row(f"n_kv_heads={kv}, B={B} T={T} d_model={d_model} H={n_heads}",
                  f"{a * 1e3:.1f} ms", f"{b * 1e3:.1f} ms, ours with {n_heads}",
                  f"{ratio:.2f} of its speed", remark="forward and backward")


def kernel(runs: int) -> Iterator[Row]:
    for T in (128, 512, 1024):
        q, k, v = torch.randn(3, 2, 8, T, 32)
        for x in (q, k, v):
            x.requires_grad_()
        a, b, ratio = beside(lambda: fused_attention(q, k, v, is_causal=True).sum().backward(),  # noqa: B023
                             lambda: scaled_dot_product_attention(
                                 q, k, v, is_causal=True).sum().backward(), runs)  # noqa: B023
        yield Row(f"fused, T={T}", f"{a * 1e3:.1f} ms", f"{b * 1e3:.1f} ms, by hand",
                  f"{ratio:.1f} times its speed", remark="B=2, H=8, d_head=32; both ways")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("-n", "--runs", type=int, default=15, help="counted pairs (default 15)")
    options = parser.parse_args()
    parts = options.parts or PARTS
    for part in parts:
        if part not in PARTS:
            parser.error(f"{part} is none of {', '.join(PARTS)}")
    console.print(f"[dim]Python {platform.python_version()}, PyTorch {torch.__version__}, "
                  f"{torch.get_num_threads()} threads.[/]")
    table = Table(title=f"Medians of {options.runs} pairs")
    for heading in ("task", "ours", "peer", "ours to the peer", "wanted", "remark"):
        table.add_column(heading)
    rows = {"layer": layers, "shared": shared, "kernel": kernel}
    for part in parts:
        for row in rows[part](options.runs):
            console.print(f"[dim]{row.task}: {row.ours}, {row.peer} {row.ratio} {row.remark}[/]")
            table.add_row(row.task, row.ours, row.peer, row.ratio, row.wanted, row.remark)
    console.print(table)


if __name__ == "__main__":
    main()
