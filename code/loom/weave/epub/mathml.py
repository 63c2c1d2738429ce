"""Formulas as MathML, for readers without scripts."""

from __future__ import annotations

import re
from xml.etree import ElementTree

NAMESPACE = "http://www.w3.org/1998/Math/MathML"
# Environments that latex2mathml knows by another name, without numbers.
KNOWN = {"aligned": "split", "alignedat": "split", "align": "align*", "gathered": "split",
         "gather": "split", "gather*": "split", "equation": "split", "equation*": "split"}
ARITY = {"mfrac": 2, "mroot": 2, "msub": 2, "msup": 2, "munder": 2, "mover": 2,
         "msubsup": 3, "munderover": 3}


def to_mathml(tex: str, display: bool) -> str:
    """Convert a formula.

    Args:
        tex: TeX, without dollar signs.
        display: whether it stands on lines of its own.

    Raises:
        ValueError: it does not convert; the message says what part does not.
    """
    from latex2mathml.converter import convert

    source = " ".join(tex.split())
    bare = re.sub(r"\\[\\{}]", "", source)
    if bare.count("{") != bare.count("}"):
        raise ValueError("a brace has no partner")
    known = re.sub(r"\\(begin|end)\{([a-z]+\*?)\}",
                   lambda m: rf"\{m[1]}{{{KNOWN.get(m[2], m[2])}}}", source)
    if r"\\" in known and r"\begin" not in known:
        known = rf"\begin{{split}}{known}\end{{split}}"
    try:
        text = convert(known, display="block" if display else "inline")
    except Exception as error:
        raise ValueError(f"{type(error).__name__}: {error}" if str(error)
                         else type(error).__name__) from error
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise ValueError(f"its MathML is not XML: {error}") from error
    unknown = [word for node in root.iter() for word in [(node.text or "").strip()]
               if word.startswith("\\") and len(word) > 1]
    if unknown:
        raise ValueError(f"`{unknown[0]}` is not known")
    for node in root.iter():
        needed = ARITY.get(node.tag.rpartition("}")[2])
        if needed is not None and len(node) != needed:
            raise ValueError(f"something is missing: {node.tag.rpartition('}')[2]} "
                             f"has {len(node)} parts and needs {needed}")
    root.set("alttext", source)
    ElementTree.register_namespace("", NAMESPACE)
    return ElementTree.tostring(root, encoding="unicode")
