"""The cover of the EPUB, drawn: title, a rule, authors."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

WIDTH, HEIGHT = 1200, 1800  # pixels; the shape that shops and readers expect
PAPER, INK, ACCENT = "#fffefb", "#24211d", "#9a3317"


def draw_cover(path: Path, title: str, author: str) -> None:
    """Write the cover as PNG.

    Args:
        path: the file.
        title: set large, a word a line.
        author: set small, at the foot.
    """
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (WIDTH, HEIGHT), PAPER)
    draw = ImageDraw.Draw(image)
    left, top = 130, 260
    for word in title.split():
        draw.text((left, top), word, fill=INK, font=_font("SourceSerifPro-Semibold.otf", 210))
        top += 230
    draw.rectangle((left, top + 70, WIDTH - left, top + 82), fill=ACCENT)
    draw.text((left, top + 140), "Build a Large Language Model\nfrom Scratch", fill=INK,
              font=_font("SourceSerifPro-It.otf", 66), spacing=24)
    draw.text((left, HEIGHT - 200), author, fill=ACCENT,
              font=_font("SourceSerifPro-Regular.otf", 44))
    image.save(path, optimize=True)


def _font(name: str, size: int):  # type: ignore[no-untyped-def]
    from PIL import ImageFont

    spec = find_spec("font_source_serif_pro")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        return ImageFont.truetype(str(Path(folder) / "files" / name), size)
    return ImageFont.load_default(size)
