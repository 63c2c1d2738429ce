"""The commands of those who solve the exercises."""

from __future__ import annotations

import typer

app = typer.Typer()
