r"""Formulas: TeX in, Typst out, or an error that says what is not understood.

The converters on the registry were tried on the book's formulas first. One
drops what it does not know (``\bigl(``, ``\middle|``, thin spaces) without a
word; the other has no wheel for every machine that the book is built on. A
formula that silently means something else is the worst outcome a textbook
can have, so this is a strict parser of the TeX that the book uses: what is
not in its tables does not pass.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from loom.weave.pdf import symbols as names

_TOKEN = re.compile(r"\\[A-Za-z]+\*?|\\.|\d+(?:\.\d+)?|%[^\n]*\n?|\s+|.", re.DOTALL)
_STARRED = {"\\operatorname*"}
_OPERATORS = {"+", "-", "=", "<", ">", "\\times", "\\cdot", "\\le", "\\ge", "\\to", "\\oplus"}
_LENGTH = re.compile(r"(-?\d*\.?\d+)\s*(em|ex|pt|mu|cm|mm|in)")


class FormulaError(ValueError):
    """A formula that does not convert; the message says why."""


@lru_cache(maxsize=8192)
def to_typst(tex: str) -> str:
    """The inside of a Typst equation for the inside of a TeX one.

    Args:
        tex: the formula without its dollar signs.

    Returns:
        Typst's math markup; uses the helpers ``mtext``, ``negthin``,
        ``phantom``, ``boxed`` … that the book's template defines.

    Raises:
        FormulaError: a command that is not in the tables, unbalanced braces.
    """
    parser = _Parser(tex)
    rows = parser.rows(lambda token: False)
    if len(rows) == 1:
        if len(rows[0]) > 1:
            raise FormulaError("`&` outside an environment")
        return rows[0][0]
    return _aligned(rows)


class _Parser:
    """Recursive descent over TeX's tokens; every method returns Typst."""

    def __init__(self, tex: str) -> None:
        self.tokens = list(_tokens(tex))
        self.at = 0
        self.depth = 0

    # -- tokens ---------------------------------------------------------

    def peek(self, skip_space: bool = True) -> str:
        """The next token, empty at the end."""
        at = self.at
        while skip_space and at < len(self.tokens) and self.tokens[at].isspace():
            at += 1
        return self.tokens[at] if at < len(self.tokens) else ""

    def take(self, skip_space: bool = True) -> str:
        while skip_space and self.at < len(self.tokens) and self.tokens[self.at].isspace():
            self.at += 1
        if self.at >= len(self.tokens):
            raise FormulaError("the formula ends too early")
        self.at += 1
        return self.tokens[self.at - 1]

    def expect(self, wanted: str) -> None:
        found = self.take()
        if found != wanted:
            raise FormulaError(f"`{wanted}` expected where `{found}` stands")

    def raw_argument(self) -> str:
        """The characters of a braced argument, as they are."""
        if self.peek() != "{":
            return self.take()
        self.take()
        depth, start = 1, self.at
        while depth:
            token = self.take(skip_space=False)
            depth += (token == "{") - (token == "}")
        return "".join(self.tokens[start:self.at - 1])

    def option(self) -> str | None:
        """The characters of an argument in square brackets, if there is one."""
        if self.peek() != "[":
            return None
        self.take()
        start = self.at
        while self.take(skip_space=False) != "]":
            pass
        return "".join(self.tokens[start:self.at - 1])

    # -- rows and atoms -------------------------------------------------

    def rows(self, ends: Callable[[str], bool]) -> list[list[str]]:
        r"""Rows between ``\\``, cells between ``&``, up to a token that ends them."""
        rows: list[list[str]] = [[]]
        while True:
            cell = self.row(lambda token: token in ("&", "\\\\") or ends(token))
            rows[-1].append(cell)
            token = self.peek()
            if token == "&":
                self.take()
            elif token == "\\\\":
                self.take()
                if self.peek(skip_space=False) == "[":
                    self.option()
                rows.append([])
            else:
                break
        if len(rows) > 1 and rows[-1] == [""]:
            rows.pop()
        return rows

    def row(self, ends: Callable[[str], bool]) -> str:
        """Atoms up to a token that ends them (not taken)."""
        parts: list[str] = []
        while (token := self.peek()) and not ends(token):
            if token in ("}", "&", "\\\\", "\\right", "\\end"):
                raise FormulaError(f"`{token}` without its beginning")
            if token in ("\\displaystyle", "\\textstyle", "\\scriptstyle"):
                self.take()
                style = {"\\displaystyle": "display", "\\textstyle": "inline",
                         "\\scriptstyle": "script"}[token]
                parts.append(f"{style}({self.row(ends)})")
                break
            parts.append(self.scripted())
        if not self.peek() and not ends(""):
            self._at_end(ends)
        return _join(parts)

    def _at_end(self, ends: Callable[[str], bool]) -> None:
        if self.depth:
            raise FormulaError("a brace or an environment is not closed")

    def scripted(self) -> str:
        """An atom with its primes, subscript and superscript."""
        base = '""' if self.peek() in ("^", "_", "'") else self.atom()
        wrap = {"\\limits": "limits({})", "\\nolimits": "scripts({})"}.get(self.peek())
        if wrap:
            self.take()
            base = wrap.format(base)
        primes, scripts = "", {}
        while (token := self.peek()) in ("^", "_", "'"):
            self.take()
            if token == "'":
                primes += "'"
                continue
            if token in scripts:
                raise FormulaError(f"two scripts `{token}` on one symbol")
            scripts[token] = self.argument()
        if base.startswith(("underbrace(", "overbrace(")):
            own = "_" if base.startswith("under") else "^"
            if own in scripts:
                base = f"{base[:-1]}, {scripts.pop(own)})"
        return base + primes + "".join(f"{mark}({scripts[mark]})"
                                       for mark in ("_", "^") if mark in scripts)

    def argument(self) -> str:
        """A braced group or a single atom, as an argument of a function."""
        if self.peek() == "{":
            return self.group()
        token = self.take()
        rest = token[1:] if token[0].isdigit() else ""  # TeX takes one digit only
        self.at -= 1
        self.tokens[self.at:self.at + 1] = [token[0], rest] if rest else [token]
        return self.atom()

    def group(self) -> str:
        self.expect("{")
        self.depth += 1
        inside = self.row(lambda token: token == "}")
        self.expect("}")
        self.depth -= 1
        return inside or '""'

    def atom(self) -> str:
        token = self.take()
        if token == "{":
            self.at -= 1
            if self.raw_ahead() in (",", ";", ".", ":"):
                return f'"{self.raw_argument().strip()}"'
            inside = self.group()
            return f'class("normal", {inside})'
        if token[0] == "\\":
            return self.command(token[1:]) if token != "\\" else '"\\\\"'
        if token in names.CHARACTERS:
            return names.CHARACTERS[token]
        if token[0].isdigit() or token.isalpha():
            return token
        if ord(token[0]) > 127:
            return token
        raise FormulaError(f"`{token}` cannot stand here")

    def raw_ahead(self) -> str:
        end = self.tokens.index("}", self.at) if "}" in self.tokens[self.at:] else self.at
        return "".join(self.tokens[self.at + 1:end]).strip()

    # -- commands -------------------------------------------------------

    def command(self, name: str) -> str:
        """What a command and its arguments are in Typst."""
        if name == "dots":  # TeX raises them between operators
            return "dots.h.c" if self.peek() in _OPERATORS else "dots.h"
        if name in names.SYMBOLS:
            return names.SYMBOLS[name]
        if name in names.FUNCTIONS:
            return name
        if name in names.ACCENTS:
            return f"{names.ACCENTS[name]}({self.argument()})"
        if name in names.TEXTS:
            return self.text(names.TEXTS[name])
        if name in names.ALPHABETS:
            return self.alphabet(name)
        if "\\" + name in names.DELIMITERS:
            return _delimiter("\\" + name)
        special = getattr(self, f"do_{name.replace('*', '_star')}", None)
        if special is not None:
            return str(special())
        if (size := re.fullmatch(r"(big|Big|bigg|Bigg)([lrm]?)", name)):
            return self.sized(size[1], size[2])
        raise FormulaError(f"`\\{name}` is not among the commands that convert")

    def text(self, wrap: str) -> str:
        r"""``\text{if $x > 0$}``: text with formulas in it."""
        raw = self.raw_argument()
        parts = re.split(r"(?<!\\)\$", raw)
        if len(parts) % 2 == 0:
            raise FormulaError("a `$` inside \\text is not closed")
        done = [wrap.format(_string(_untex(part))) if n % 2 == 0 else to_typst(part)
                for n, part in enumerate(parts) if part]
        return done[0] if len(done) == 1 else _join(done) if done else '""'

    def alphabet(self, name: str) -> str:
        if name in ("mathrm", "mathit", "mathtt", "mathsf", "mathbf") and self.peek() == "{":
            start, raw = self.at, self.raw_argument()
            if len(raw) > 1 and re.fullmatch(r"[A-Za-z0-9 -]+", raw):
                letters = raw.replace(" ", "")
                return _string(letters) if name == "mathrm" else \
                    names.ALPHABETS[name].format(" ".join(letters))
            self.at = start
        if name == "mathop":
            start, raw = self.at, self.raw_argument()
            if found := re.fullmatch(r"\\(?:mathrm|text|rm)\s*\{([^{}]+)\}", raw.strip()):
                return f"op({_string(_untex(found[1]))}, limits: #true)"
            self.at = start
        return names.ALPHABETS[name].format(self.argument())

    def sized(self, size: str, side: str) -> str:
        token = self.take()
        if token not in names.DELIMITERS:
            raise FormulaError(f"`{token}` is not a delimiter")
        kind = {"l": "opening", "r": "closing", "m": "relation"}.get(side)
        if kind is None:
            kind = "opening" if token in names.OPENING | {"(", "["} else \
                "closing" if token in names.CLOSING | {")", "]"} else "normal"
        sign = names.DELIMITERS[token] or '""'
        return f'class("{kind}", lr({sign}, size: #{names.SIZES[size]}))'

    def do_left(self) -> str:
        opening = self.delimiter()
        self.depth += 1
        inside = self.row(lambda token: token == "\\right")
        self.expect("\\right")
        self.depth -= 1
        closing = self.delimiter()
        return f"lr({_join([part for part in (opening, inside, closing) if part])})"

    def do_middle(self) -> str:
        return f"mid({self.delimiter()})"

    def delimiter(self) -> str:
        token = self.take()
        if token not in names.DELIMITERS:
            raise FormulaError(f"`{token}` is not a delimiter")
        return names.DELIMITERS[token]

    def do_frac(self) -> str:
        return f"frac({self.argument()}, {self.argument()})"

    def do_dfrac(self) -> str:
        return f"display({self.do_frac()})"

    def do_tfrac(self) -> str:
        return f"inline({self.do_frac()})"

    def do_binom(self) -> str:
        return f"binom({self.argument()}, {self.argument()})"

    def do_sqrt(self) -> str:
        index = self.option()
        if index is None:
            return f"sqrt({self.argument()})"
        return f"root({to_typst(index)}, {self.argument()})"

    def do_operatorname(self) -> str:
        return f"op({_string(_untex(self.raw_argument()))})"

    def do_operatorname_star(self) -> str:
        return f"op({_string(_untex(self.raw_argument()))}, limits: #true)"

    def do_underbrace(self) -> str:
        return f"underbrace({self.argument()})"

    def do_overbrace(self) -> str:
        return f"overbrace({self.argument()})"

    def do_overset(self) -> str:
        above, base = self.argument(), self.argument()
        return f'class("relation", limits({base})^({above}))'

    do_stackrel = do_overset

    def do_underset(self) -> str:
        below, base = self.argument(), self.argument()
        return f"limits({base})_({below})"

    def do_xrightarrow(self) -> str:
        below = self.option()
        scripts = f"^({self.argument()})" + (f"_({to_typst(below)})" if below else "")
        return f'class("relation", stretch(arrow.r){scripts})'

    def do_substack(self) -> str:
        self.expect("{")
        self.depth += 1
        rows = self.rows(lambda token: token == "}")
        self.expect("}")
        self.depth -= 1
        return " \\ ".join(_join(row) for row in rows)

    def do_not(self) -> str:
        token = self.take()
        known = {"=": "eq.not", "\\in": "in.not", "\\equiv": "equiv.not", "<": "lt.not",
                 ">": "gt.not", "\\subset": "subset.not", "\\exists": "exists.not"}
        if token not in known:
            raise FormulaError(f"`\\not{token}` is not among the commands that convert")
        return known[token]

    def do_pmod(self) -> str:
        return f"quad paren.l mod thin {self.argument()} paren.r"

    def do_bmod(self) -> str:
        return 'class("binary", "mod")'

    def do_hspace(self) -> str:
        length = _LENGTH.fullmatch(self.raw_argument().strip())
        if not length:
            raise FormulaError("\\hspace takes a length such as 1em")
        if length[2] == "mu":
            return f"#h({float(length[1]) / 18:.4g}em)"
        unit = {"ex": ("em", 0.43)}.get(length[2], (length[2], 1.0))
        return f"#h({float(length[1]) * unit[1]:.4g}{unit[0]})"

    do_mspace = do_mkern = do_hspace

    def do_nonumber(self) -> str:
        return ""

    do_notag = do_nonumber

    def do_tag(self) -> str:
        raise FormulaError("`\\tag` would number the equation twice")

    # -- environments ---------------------------------------------------

    def do_begin(self) -> str:
        name = self.raw_argument()
        columns = self.raw_argument() if name in ("array", "alignat*") else ""
        self.depth += 1
        rows = self.rows(lambda token: token == "\\end")
        self.expect("\\end")
        self.depth -= 1
        if (closed := self.raw_argument()) != name:
            raise FormulaError(f"`\\begin{{{name}}}` is closed by `\\end{{{closed}}}`")
        if name == "cases":
            return "cases(" + ", ".join(_case(row) for row in rows) + ")"
        if name in names.MATRICES:
            return _matrix(name, columns, rows)
        if name in names.ALIGNED:
            whole = self.depth == 0 and not self.before(name) and not self.peek()
            if whole or len(rows) == 1 == len(rows[0]):
                return _aligned(rows)
            return "mat(delim: #none, row-gap: #0.65em, " + \
                " ; ".join(f"display({' & '.join(row)})" if len(row) == 1
                           else " & ".join(f"display({cell})" if cell else ""
                                           for cell in row) for row in rows) + ")"
        raise FormulaError(f"the environment `{name}` is not among those that convert")

    def before(self, name: str) -> str:
        """What stands in the formula before the environment that just ended."""
        opening = "".join(self.tokens).find(f"\\begin{{{name}}}")
        return "".join(self.tokens)[:opening].strip()


def _tokens(tex: str) -> list[str]:
    found = []
    for token in _TOKEN.findall(tex):
        if token.startswith("%"):
            continue
        if token[0] == "\\" and token.endswith("*") and len(token) > 2 \
                and token not in _STARRED:
            found += [token[:-1], "*"]
        else:
            found.append(token)
    return found


def _join(parts: list[str]) -> str:
    """Atoms side by side; no space beside a string, where Typst would show it."""
    out = ""
    for part in parts:
        if not part:
            continue
        if out and not (out.endswith(('"', ");")) or part.startswith(('"', "#mtext"))):
            out += " "
        out += part
    return out


def _delimiter(token: str) -> str:
    sign = names.DELIMITERS[token]
    if token in names.OPENING:
        return f'class("opening", {sign})'
    if token in names.CLOSING:
        return f'class("closing", {sign})'
    return f'class("normal", {sign})'


def _string(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _untex(text: str) -> str:
    """Text that stands inside a formula, as plain characters."""
    text = text.replace("\\,", "\u2009").replace("~", "\u00a0").replace("\\ ", " ")
    text = text.replace("``", "“").replace("''", "”").replace("\\textbackslash", "\\\\")
    text = re.sub(r"\\([%$&#_{}])", r"\1", text).replace("\\-", "").replace("--", "–")
    if found := re.search(r"\\[A-Za-z]+", text):
        raise FormulaError(f"`{found[0]}` inside text is not among the commands that convert")
    return text


def _aligned(rows: list[list[str]]) -> str:
    """Rows of a derivation; pairs of columns stand apart."""
    return " \\ ".join(" & ".join(f"wide {cell}" if n and n % 2 == 0 else cell
                                  for n, cell in enumerate(row)) for row in rows)


def _case(row: list[str]) -> str:
    """Both columns flush left: Typst aligns odd columns right, even ones left."""
    return "& " + " quad && ".join(cell or '""' for cell in row)


def _matrix(name: str, columns: str, rows: list[list[str]]) -> str:
    options = f"delim: {names.MATRICES[name]}"
    if columns:
        sides = columns.replace("|", "").replace(" ", "")
        if len(set(sides)) > 1 or not set(sides) <= set("lcr"):
            raise FormulaError(f"array columns `{columns}`: all l, all c or all r convert")
        options += f", align: #{ {'l': 'left', 'c': 'center', 'r': 'right'}[sides[0]] }"
        bars = [n for n in range(1, len(sides))
                if "|" in columns.replace(" ", "") and _bar_after(columns, n)]
        if bars:
            options += f", augment: #({', '.join(map(str, bars))},)".replace("#(", "#(vline: (") \
                + ")"
    body = " ; ".join(", ".join(cell for cell in row) for row in rows)
    matrix = f"mat({options}, {body})"
    return f"inline({matrix})" if name == "smallmatrix" else matrix


def _bar_after(columns: str, count: int) -> bool:
    seen = 0
    for sign in columns.replace(" ", ""):
        if sign == "|" and seen == count:
            return True
        seen += sign in "lcr"
    return False
