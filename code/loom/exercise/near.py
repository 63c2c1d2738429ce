"""What somebody may have meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(wanted: str, known: Iterable[str], count: int = 3) -> str:
    """A sentence that helps with a name nobody knows: near misses, or all names."""
    names = list(dict.fromkeys(known))
    near = difflib.get_close_matches(wanted, names, n=count, cutoff=0.55)
    near = near or [name for name in names if wanted and wanted.lower() in name.lower()][:count]
    if near:
        return "did you mean " + " or ".join(f"`{name}`" for name in near) + "?"
    if not names:
        return "there are none yet"
    shown = ", ".join(f"`{name}`" for name in names[:12])
    return f"there is {shown}" + (f" and {len(names) - 12} more" if len(names) > 12 else "")
