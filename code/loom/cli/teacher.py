"""The commands of those who teach with the book: grading, exporting, proving."""

from __future__ import annotations

import typer

app = typer.Typer()
