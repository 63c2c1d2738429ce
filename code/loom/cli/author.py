"""The commands of those who write the book.

Every command imports what it needs inside itself: ``loom --help`` is quick.
"""

from __future__ import annotations

import typer

app = typer.Typer(
    name="loom", no_args_is_help=True, add_completion=False,
    pretty_exceptions_enable=False,
    help="From chapters to a tested package, an HTML book and a PDF book.",
)
