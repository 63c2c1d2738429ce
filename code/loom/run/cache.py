"""Where products are kept on this machine. Standard library only: notebooks carry it."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def cache_folder() -> Path:
    """Where products live: ``SCRATCHLM_CACHE``, or the system's place for caches."""
    said = os.environ.get("SCRATCHLM_CACHE")
    if said:
        return Path(said).expanduser().absolute()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "scratchlm"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "scratchlm"


def product(name: str, key: str) -> Path:
    """The folder of a product, made or not."""
    return cache_folder() / "products" / name / key
