"""Tell line drawings from pictures, so that each can be read at night.

A drawing (axes, lines, letters) may be turned light on dark. A picture, a
heat map say, would mean something else: it keeps its colors, on a card.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform


class TellFiguresApart(SphinxPostTransform):
    """Give each image the class ``figure-lines`` or ``figure-picture``."""

    default_priority = 600  # images have been collected, their files are known
    formats = ("html",)

    def run(self, **kwargs: Any) -> None:
        """Look into each image's file."""
        for image in self.document.findall(nodes.image):
            path = Path(self.env.srcdir) / image["uri"]
            kind = "figure-lines" if is_drawing(path) else "figure-picture"
            image["classes"].append(kind)


def is_drawing(path: Path) -> bool:
    """Whether it is an SVG of vectors alone, without a raster image inside."""
    if path.suffix != ".svg" or not path.is_file():
        return False
    return "<image" not in path.read_text(encoding="utf-8", errors="replace")
