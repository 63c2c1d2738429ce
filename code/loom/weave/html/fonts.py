"""The fonts of the HTML book, cut down from the packages that pip brings.

Nothing is committed and nothing downloaded: a subset of each face, with what
European text and our formulas in running text need, goes into the build
folder as WOFF. Where the packages are missing, the style sheet's system
fonts take over.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from loom import files


@dataclass(frozen=True)
class Face:
    """One face of a family, and the file of the package that holds it."""

    family: str
    package: str
    file: str
    weight: int
    style: str = "normal"


SERIF, SANS = "font_source_serif_pro", "font_source_sans_pro"
FACES = (
    Face("Book Serif", SERIF, "SourceSerifPro-Regular.otf", 400),
    Face("Book Serif", SERIF, "SourceSerifPro-It.otf", 400, "italic"),
    Face("Book Serif", SERIF, "SourceSerifPro-Semibold.otf", 600),
    Face("Book Serif", SERIF, "SourceSerifPro-SemiboldIt.otf", 600, "italic"),
    Face("Book Sans", SANS, "SourceSansPro-Regular.otf", 400),
    Face("Book Sans", SANS, "SourceSansPro-It.otf", 400, "italic"),
    Face("Book Sans", SANS, "SourceSansPro-Semibold.otf", 600),
)

# Latin with its extensions, Greek, punctuation, super- and subscripts,
# currency, letterlike signs, arrows, operators, geometric shapes.
RANGES = ((0x20, 0x17F), (0x218, 0x21B), (0x2C6, 0x2DD), (0x300, 0x30C), (0x370, 0x3FF),
          (0x2010, 0x205E), (0x2070, 0x209C), (0x20AC, 0x20AC), (0x2100, 0x214F),
          (0x2190, 0x21FF), (0x2200, 0x22FF), (0x25A0, 0x25FF))


def write_fonts(folder: Path) -> None:
    """Write ``fonts.css`` and the fonts it names into a folder of static files.

    Args:
        folder: is made where it is missing; what it holds already is kept.
    """
    rules: list[str] = []
    for face in FACES:
        source = _file(face.package, face.file)
        if source is None:
            continue
        target = folder / "fonts" / f"{source.stem}.woff"
        if not target.is_file():
            files.write_all({target: _subset(source)})
        rules.append(
            "@font-face {\n"
            f'  font-family: "{face.family}";\n'
            f'  src: url("fonts/{target.name}") format("woff");\n'
            f"  font-weight: {face.weight};\n"
            f"  font-style: {face.style};\n"
            "  font-display: swap;\n}\n")
    licenses = {folder / "fonts" / f"{package}.txt": path.read_bytes()
                for package in (SERIF, SANS) if (path := _file(package, "LICENSE.txt"))}
    head = "/* Made by the build. Source Serif and Source Sans: SIL Open Font License. */\n"
    files.write_all({**licenses, folder / "fonts.css": head + "".join(rules)})


def _file(package: str, name: str) -> Path | None:
    """A file of a font package, if both are there."""
    spec = find_spec(package)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder) / "files" / name
        if path.is_file():
            return path
    return None


def _subset(source: Path) -> bytes:
    from io import BytesIO

    from fontTools import subset  # type: ignore[import-untyped]

    options = subset.Options()
    options.layout_features = ["kern", "liga", "mark", "mkmk", "ccmp", "locl", "lnum", "tnum",
                               "onum", "pnum", "case"]
    options.flavor = "woff"
    options.hinting = False
    options.desubroutinize = True
    options.recalc_timestamp = False
    options.name_IDs = [0, 13, 14]  # the license reserves the name for the original
    font = subset.load_font(str(source), options)
    cutter = subset.Subsetter(options)
    cutter.populate(unicodes=[code for first, last in RANGES for code in range(first, last + 1)])
    cutter.subset(font)
    result = BytesIO()
    subset.save_font(font, result, options)
    return result.getvalue()
