"""What TeX's names for symbols are called in Typst.

Only what is listed here converts: an unknown command is an error, because a
formula that silently lost a sign is worse than none.
"""

from __future__ import annotations

_GREEK = """
alpha beta gamma delta zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigma tau
upsilon chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega
"""

# Commands that stand for one symbol.
SYMBOLS: dict[str, str] = {name: name for name in _GREEK.split()} | {
    "epsilon": "epsilon.alt", "varepsilon": "epsilon", "phi": "phi.alt", "varphi": "phi",
    "vartheta": "theta.alt", "varrho": "rho.alt", "varsigma": "sigma.alt", "varpi": "pi.alt",
    "varkappa": "kappa.alt",
    # letters
    "ell": "ell", "hbar": "planck", "partial": "partial", "nabla": "nabla", "infty": "infinity",
    "Re": "Re", "Im": "Im", "aleph": "aleph", "emptyset": "emptyset", "varnothing": "emptyset",
    "imath": "dotless.i", "jmath": "dotless.j",
    # binary operators
    "cdot": "dot.op", "times": "times", "div": "div", "pm": "plus.minus", "mp": "minus.plus",
    "ast": "ast.op", "star": "star.op", "circ": "circle.small", "bullet": "bullet",
    "otimes": "times.o", "oplus": "plus.o", "ominus": "minus.o", "odot": "dot.o",
    "cup": "union", "cap": "inter", "setminus": "without", "land": "and", "wedge": "and",
    "lor": "or", "vee": "or", "sqcup": "union.sq", "uplus": "union.plus", "amalg": "product.co",
    # relations
    "le": "lt.eq", "leq": "lt.eq", "ge": "gt.eq", "geq": "gt.eq", "ne": "eq.not",
    "neq": "eq.not", "lt": "lt", "gt": "gt", "ll": "lt.double", "gg": "gt.double",
    "leqslant": "lt.eq.slant", "geqslant": "gt.eq.slant",
    "lesssim": "lt.tilde", "gtrsim": "gt.tilde", "approx": "approx", "sim": "tilde.op",
    "simeq": "tilde.eq", "cong": "tilde.equiv", "equiv": "equiv", "propto": "prop",
    "in": "in", "notin": "in.not", "ni": "in.rev", "subset": "subset", "subseteq": "subset.eq",
    "supset": "supset", "supseteq": "supset.eq", "subsetneq": "subset.neq", "prec": "prec",
    "succ": "succ", "preceq": "prec.eq", "succeq": "succ.eq", "perp": "perp",
    "parallel": "parallel", "mid": "divides", "nmid": "divides.not", "vdash": "tack.r",
    "models": "models", "asymp": "asymp", "doteq": "eq.dot", "triangleq": "eq.delta",
    "coloneqq": "colon.eq", "coloneq": "colon.eq",
    # arrows
    "to": "arrow.r", "rightarrow": "arrow.r", "leftarrow": "arrow.l", "gets": "arrow.l",
    "leftrightarrow": "arrow.l.r", "Rightarrow": "arrow.r.double", "Leftarrow": "arrow.l.double",
    "Leftrightarrow": "arrow.l.r.double", "mapsto": "arrow.r.bar",
    "longrightarrow": "arrow.r.long", "longleftarrow": "arrow.l.long",
    "Longrightarrow": "arrow.r.double.long", "Longleftarrow": "arrow.l.double.long",
    "implies": "arrow.r.double.long", "iff": "arrow.l.r.double.long",
    "longmapsto": "arrow.r.long.bar", "uparrow": "arrow.t", "downarrow": "arrow.b",
    "updownarrow": "arrow.t.b", "nearrow": "arrow.tr", "searrow": "arrow.br",
    "hookrightarrow": "arrow.r.hook", "leadsto": "arrow.r.squiggly",
    # dots and the rest
    "dots": "dots.h", "ldots": "dots.h", "cdots": "dots.h.c", "vdots": "dots.v",
    "ddots": "dots.down", "dotsc": "dots.h", "dotsb": "dots.h.c", "forall": "forall",
    "exists": "exists", "nexists": "exists.not", "neg": "not", "lnot": "not", "top": "top",
    "bot": "bot", "angle": "angle", "triangle": "triangle.t", "square": "square",
    "therefore": "therefore", "because": "because", "dagger": "dagger", "ddagger": "dagger.double",
    "prime": "prime", "degree": "degree", "checkmark": "checkmark", "colon": "colon",
    "backslash": "backslash", "S": "section",
    # with limits
    "sum": "sum", "prod": "product", "coprod": "product.co", "int": "integral",
    "iint": "integral.double", "iiint": "integral.triple", "oint": "integral.cont",
    "bigcup": "union.big", "bigcap": "inter.big", "bigoplus": "plus.o.big",
    "bigotimes": "times.o.big", "bigodot": "dot.o.big", "bigvee": "or.big", "bigwedge": "and.big",
    "bigsqcup": "union.sq.big",
    # escaped characters
    "%": "percent", "$": "dollar", "&": "amp", "#": "hash", "_": '"_"', "-": "",
    # spaces
    ",": "thin", ":": "med", ">": "med", ";": "thick", "!": "negthin", " ": "thick",
    "quad": "quad", "qquad": "wide", "enspace": "thick thick", "thinspace": "thin",
    "negthinspace": "negthin",
}

# Characters that TeX sets as they are, and Typst would read as syntax.
CHARACTERS: dict[str, str] = {
    ",": "comma", ";": "semi", "/": "slash", "(": "paren.l", ")": "paren.r", "[": "bracket.l",
    "]": "bracket.r", "|": 'class("normal", bar.v)', "*": "ast.op", ":": "colon", "!": "excl",
    "?": "quest", "<": "lt", ">": "gt", "=": "eq", "+": "plus", "-": "minus", ".": '"."',
    "~": "thick", "@": "at",
}

# Upright names of functions.
FUNCTIONS = frozenset((
    "arccos", "arcsin", "arctan", "arg", "cos", "cosh", "cot", "coth", "csc", "deg", "det",
    "dim", "exp", "gcd", "hom", "inf", "ker", "lg", "lim", "liminf", "limsup", "ln", "log",
    "max", "min", "Pr", "sec", "sin", "sinh", "sup", "tan", "tanh",
))

# After \left, \right, \middle, \big …
DELIMITERS: dict[str, str] = {
    "(": "paren.l", ")": "paren.r", "[": "bracket.l", "]": "bracket.r",
    "\\{": "brace.l", "\\}": "brace.r", "\\lbrace": "brace.l", "\\rbrace": "brace.r",
    "|": "bar.v", "\\|": "bar.v.double", "\\vert": "bar.v", "\\Vert": "bar.v.double",
    "\\lvert": "bar.v", "\\rvert": "bar.v", "\\lVert": "bar.v.double", "\\rVert": "bar.v.double",
    "\\langle": "chevron.l", "\\rangle": "chevron.r", "<": "chevron.l", ">": "chevron.r",
    "\\lfloor": "floor.l", "\\rfloor": "floor.r", "\\lceil": "ceil.l", "\\rceil": "ceil.r",
    "/": "slash", "\\backslash": "backslash", "\\uparrow": "arrow.t", "\\downarrow": "arrow.b",
    ".": "",
}
OPENING = frozenset({"\\{", "\\lbrace", "\\lvert", "\\lVert", "\\langle", "\\lfloor", "\\lceil"})
CLOSING = frozenset({"\\}", "\\rbrace", "\\rvert", "\\rVert", "\\rangle", "\\rfloor", "\\rceil"})

# \big and its kin: the height, and the class that the letter at the end gives.
SIZES = {"big": "1.2em", "Big": "1.8em", "bigg": "2.4em", "Bigg": "3em"}

ACCENTS: dict[str, str] = {
    "hat": "hat", "widehat": "hat", "bar": "macron", "tilde": "tilde", "widetilde": "tilde",
    "vec": "arrow", "overrightarrow": "arrow", "dot": "dot", "ddot": "dot.double",
    "check": "caron", "breve": "breve", "acute": "acute", "grave": "grave", "mathring": "circle",
    "overline": "overline", "underline": "underline",
}

# Alphabets: what wraps one argument.
ALPHABETS: dict[str, str] = {
    "mathbb": "bb({})", "mathcal": "cal({})", "mathscr": "scr({})", "mathfrak": "frak({})",
    "mathsf": "sans(upright({}))", "mathtt": "mono({})", "mathbf": "bold(upright({}))",
    "boldsymbol": "bold({})", "bm": "bold({})", "mathit": "italic({})", "mathnormal": "{}",
    "mathrm": "upright({})", "mathop": "limits({})", "mathbin": 'class("binary", {})',
    "mathrel": 'class("relation", {})', "mathord": 'class("normal", {})',
    "mathopen": 'class("opening", {})', "mathclose": 'class("closing", {})',
    "mathpunct": 'class("punctuation", {})', "cancel": "cancel({})", "phantom": "phantom({})",
    "boxed": "boxed({})",
}

# Text inside a formula.
TEXTS: dict[str, str] = {
    "text": "#mtext({});", "textrm": "#mtext({});", "textnormal": "#mtext({});",
    "mbox": "#mtext({});",
    "textbf": "#mtextbf({});", "textit": "#mtextit({});", "texttt": "#mtexttt({});",
    "textsf": "#mtext({});",
}

MATRICES: dict[str, str] = {
    "matrix": "#none", "pmatrix": '"("', "bmatrix": '"["', "vmatrix": '"|"', "Vmatrix": '"‖"',
    "Bmatrix": '"{"', "smallmatrix": "#none", "array": "#none",
}
ALIGNED = frozenset({
    "aligned", "align", "align*", "alignat*", "split", "gathered", "gather", "gather*",
    "equation", "equation*", "multline*",
})
