r"""MyST as other places understand it: HTML with ``\( \)``, and lines for a terminal.

A question is made of paragraphs, lists, code, tables and formulas. Directives
are for chapters.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

ROLES = frozenset({"numref", "ref", "eq", "code", "math", "sub", "sup"})
# What a terminal can show of TeX without setting it.
SIGNS = {
    "cdot": "·", "times": "×", "approx": "≈", "le": "≤", "leq": "≤", "ge": "≥", "geq": "≥",
    "ne": "≠", "neq": "≠", "ldots": "…", "dots": "…", "cdots": "⋯", "infty": "∞", "pm": "±",
    "to": "→", "rightarrow": "→", "mapsto": "↦", "partial": "∂", "nabla": "∇", "sum": "Σ",
    "prod": "Π", "in": "∈", "mid": "|", "top": "⊤", "odot": "⊙", "ll": "≪", "gg": "≫",
    "sim": "~", "quad": "  ", "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ",
    "epsilon": "ε", "varepsilon": "ε", "eta": "η", "theta": "θ", "lambda": "λ", "mu": "μ",
    "pi": "π", "rho": "ρ", "sigma": "σ", "tau": "τ", "phi": "φ", "omega": "ω", "Delta": "Δ",
    "Sigma": "Σ", "Pi": "Π", "lVert": "‖", "rVert": "‖",
}
ACCENTS = {"bar": "\u0304", "hat": "\u0302"}  # they follow their letter
# The same for a terminal that has nothing but ASCII.
ASCII = str.maketrans({sign: name for name, sign in SIGNS.items() if not sign.isascii()} | {
    "·": "*", "×": "x", "≈": "~", "≤": "<=", "≥": ">=", "≠": "!=", "…": "...", "⋯": "...",
    "∞": "inf", "±": "+/-", "→": "->", "↦": "->", "⊤": "T", "≪": "<<", "≫": ">>", "√": "sqrt",
    "∈": " in ", "ε": "epsilon", "‖": "||",
    **{sign: f"_{name}" for name, sign in ACCENTS.items()}})


@lru_cache(maxsize=1)
def markdown() -> Any:
    """The parser of all that a quiz says; raw HTML is text."""
    from markdown_it import MarkdownIt
    from mdit_py_plugins.colon_fence import colon_fence_plugin
    from mdit_py_plugins.dollarmath import dollarmath_plugin
    from mdit_py_plugins.myst_role import myst_role_plugin

    return (MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
            .use(myst_role_plugin).use(dollarmath_plugin, allow_labels=True)
            .use(colon_fence_plugin))


def to_html(text: str, titles: Mapping[str, str]) -> str:
    r"""HTML with formulas between ``\(`` and ``\)`` or ``\[`` and ``\]``.

    Args:
        text: MyST.
        titles: the titles of the book's labeled sections, for references.
    """
    return _html(text, titles, paragraphs=True)


def to_inline_html(text: str, titles: Mapping[str, str]) -> str:
    """The same, without the ``<p>`` around a text of a single paragraph."""
    return _html(text, titles, paragraphs=False)


def _html(text: str, titles: Mapping[str, str], paragraphs: bool) -> str:
    parser = markdown()
    environment: dict[str, Any] = {}
    tokens = parser.parse(text, environment)
    for token in tokens:
        for inner in [token, *(token.children or ())]:
            if inner.type.startswith("math_"):
                tex = html.escape(inner.content.strip(), quote=False)
                block = inner.type.startswith("math_block") or inner.type == "math_inline_double"
                inner.content = rf"<p>\[{tex}\]</p>" if block else rf"\({tex}\)"
                inner.type = "html_inline"
            elif inner.type == "myst_role":
                inner.content = _role_html(inner, titles)
                inner.type = "html_inline"
    if not paragraphs and len(tokens) == 3 and tokens[0].type == "paragraph_open":
        tokens = tokens[1:2]
    return str(parser.renderer.render(tokens, parser.options, environment)).strip()


def _role_html(token: Any, titles: Mapping[str, str]) -> str:
    name, said = token.meta["name"], html.escape(token.content, quote=False)
    if name in ("code", "sub", "sup"):
        return f"<{name}>{said}</{name}>"
    if name == "math":
        return rf"\({said}\)"
    return html.escape(_role(token, titles), quote=False)


def _role(token: Any, titles: Mapping[str, str]) -> str:
    """What a role says in words."""
    name, said = token.meta["name"], str(token.content)
    shown, _, rest = said.rpartition("<")
    label = rest.rstrip(">").strip() if shown else said.strip()
    if name not in ("numref", "ref", "eq"):
        return said
    if label in titles:
        return shown.strip() if shown and "%" not in shown else f"“{titles[label]}”"
    kind = {"fig": "figure ", "tab": "table ", "eq": "equation "}.get(label.split("-")[0], "")
    return kind + (label.partition("-")[2] if kind else label)


def references(text: str) -> list[tuple[int, str, str]]:
    """The roles of a text: line from 0, name, label."""
    found = []
    for token in markdown().parse(text):
        for inner in token.children or ():
            if inner.type == "myst_role":
                said = str(inner.content)
                label = said.rpartition("<")[2].rstrip(">").strip()
                found.append(((token.map or [0])[0], str(inner.meta["name"]), label))
    return found


def directives(text: str) -> list[tuple[int, str]]:
    """The directives of a text, which no quiz can show: line from 0, name."""
    return [((token.map or [0])[0], token.info.strip().split()[0])
            for token in markdown().parse(text)
            if token.type in ("fence", "colon_fence")
            and (token.info.strip().startswith("{") or token.type == "colon_fence")]


def to_lines(text: str, titles: Mapping[str, str], width: int = 76,
             plain: bool = False) -> list[str]:
    """The text as lines for a terminal: wrapped paragraphs, code as it is.

    Args:
        text: MyST.
        titles: the titles of the book's labeled sections.
        width: columns of a line of a paragraph.
        plain: signs in ASCII, which may be longer.
    """
    import textwrap

    lines: list[str] = []
    indent = ""
    bullet = ""
    counters: list[int | None] = []
    row: list[str] | None = None
    tight = False

    def put(new: Sequence[str], tight: bool = False) -> None:
        nonlocal bullet
        if lines and not tight:
            lines.append("")
        for line in new:
            lines.append((indent[:len(indent) - len(bullet)] + bullet + line).rstrip()
                         if bullet else (indent + line).rstrip())
            bullet = ""

    for token in markdown().parse(text):
        if token.type in ("bullet_list_open", "ordered_list_open"):
            counters.append(int(token.attrGet("start") or 1)
                            if token.type[0] == "o" else None)
        elif token.type in ("bullet_list_close", "ordered_list_close"):
            counters.pop()
        elif token.type == "list_item_open":
            number = counters[-1]
            bullet = "• " if number is None else f"{number}. "
            counters[-1] = None if number is None else number + 1
            indent += " " * len(bullet)
        elif token.type == "list_item_close":
            indent = indent[:-2 if counters[-1] is None else -3]
        elif token.type == "blockquote_open":
            indent += "│ "
        elif token.type == "blockquote_close":
            indent = indent[:-2]
        elif token.type in ("fence", "code_block", "colon_fence"):
            put(["    " + line for line in token.content.rstrip("\n").split("\n")])
        elif token.type.startswith("math_block"):
            formula = readable(token.content.strip())
            put(["    " + (formula.translate(ASCII) if plain else formula)])
        elif token.type == "tr_open":
            row = []
        elif token.type == "tr_close":
            put([" | ".join(row or [])], tight)
            row, tight = None, True
        elif token.type in ("table_open", "paragraph_open"):
            tight = bool(token.hidden)
        elif token.type == "inline":
            words = inline(token.children or (), titles)
            words = words.translate(ASCII) if plain else words
            if row is not None:
                row.append(words)
            else:
                put(textwrap.wrap(words, max(20, width - len(indent)), break_on_hyphens=False,
                                  break_long_words=False) or [""], tight)
    return lines


def to_words(text: str) -> str:
    """All that a text says, in one line: what its length is measured on."""
    said = []
    for token in markdown().parse(text):
        if token.type == "inline":
            said.append(inline(token.children or (), {}))
        elif token.content:
            said.append(token.content)
    return " ".join(" ".join(said).split())


def inline(tokens: Sequence[Any], titles: Mapping[str, str]) -> str:
    """Running text without marks: formulas as a terminal can show them, code in backticks."""
    said = []
    for token in tokens:
        if token.type == "code_inline":
            said.append(f"`{token.content}`")
        elif token.type.startswith("math_inline"):
            said.append(readable(token.content))
        elif token.type == "myst_role":
            name = token.meta["name"]
            said.append(readable(token.content) if name == "math" else
                        f"`{token.content}`" if name == "code" else _role(token, titles))
        elif token.type in ("softbreak", "hardbreak"):
            said.append(" ")
        else:
            said.append(token.content)
    return "".join(said)


def readable(tex: str) -> str:
    r"""TeX that a terminal shows: ``\ln 256 \approx 5.5`` reads ``ln 256 ≈ 5.5``."""
    shown = re.sub(r"\\(?:text|mathrm|mathbf|operatorname)\{([^{}]*)\}", r"\1", tex)
    shown = re.sub(r"\\[td]?frac\s?(\w)(\w)", r"\1/\2", shown)
    shown = re.sub(r"\\[td]?frac\{([^{}]*)\}\{([^{}]*)\}", _fraction, shown)
    shown = re.sub(r"\\sqrt\{([^{}]*)\}", lambda match: f"√{_whole(match[1])}", shown)
    shown = re.sub(r"\\(bar|hat)\s?(?:\{(\w)\}|(\w))",
                   lambda match: (match[2] or match[3]) + ACCENTS[match[1]], shown)
    shown = re.sub(r"\\([A-Za-z]+)", lambda match: SIGNS.get(
        match[1], match[1] if match[1] in ("ln", "log", "exp", "max", "min", "tanh", "sin", "cos")
        else match[0]), shown)
    shown = shown.replace("{,}", ",")
    shown = re.sub(r"([\^_])\{([^{}]*)\}", lambda match: match[1] + _whole(match[2]), shown)
    shown = re.sub(r"\\[,;:! ]", " ", shown)
    shown = re.sub(r"\\([%|_&#{}])", r"\1", shown)
    return " ".join(shown.split())


def _fraction(match: re.Match[str]) -> str:
    return "/".join(map(_whole, match.groups()))


def _whole(tex: str) -> str:
    """A part of a formula that stands together: ``n``, ``-7``, ``(e - 7)``."""
    tex = tex.strip()
    return tex if re.fullmatch(r"-?[\w.]+|-?\\?[A-Za-z]+|.", tex) else f"({tex})"
