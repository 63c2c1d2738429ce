"""Formulas: what converts is right, what is not understood is an error."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typst
from hypothesis import given, settings
from hypothesis import strategies as st

import loom.weave
from loom.weave.pdf.compile import fonts
from loom.weave.pdf.formulas import FormulaError, to_typst
from loom.weave.pdf.symbols import (
    ACCENTS,
    ALPHABETS,
    CHARACTERS,
    DELIMITERS,
    FUNCTIONS,
    SYMBOLS,
)

# Looked at one by one beside MathJax's rendering; `formulas.txt` keeps them all.
FORMULAS = [line for line in
            Path(__file__).with_name("formulas.txt").read_text(encoding="utf-8").splitlines()
            if line.strip()]
TEMPLATE = (Path(loom.weave.__file__).with_name("pdf") / "book.typ").read_text(encoding="utf-8")


def compiles(*formulas: str) -> None:
    """Typst accepts these formulas, every glyph included."""
    body = "\n".join(f'#equation-line("alt", none, $ {formula} $)' for formula in formulas)
    source = f'{TEMPLATE}\n#show: book.with("T", "A", none)\n= H\n{body}\n'
    typst.Compiler(font_paths=fonts()).compile(
        input=source.encode(), format="pdf", pdf_standards=["ua-1"], timestamp=0)


def test_all_formulas_of_the_list_convert_and_compile() -> None:
    assert len(FORMULAS) > 240
    compiles(*(to_typst(formula) for formula in FORMULAS))


def test_the_template_hides_no_name_that_formulas_use() -> None:
    own = set(re.findall(r"^#let ([a-z-]+)", TEMPLATE, re.MULTILINE))
    used = set(re.findall(r"[a-z-]+", " ".join(
        [*SYMBOLS.values(), *DELIMITERS.values(), *ALPHABETS.values(), *ACCENTS.values(),
         *CHARACTERS.values(), *FUNCTIONS, *(to_typst(formula) for formula in FORMULAS)])))
    helpers = {"mtext", "mtextbf", "mtextit", "mtexttt", "negthin", "phantom", "boxed"}
    assert own & used - helpers == set()


def test_every_symbol_of_the_tables_is_known_to_typst() -> None:
    compiles(*(f"x {name} y" for name in SYMBOLS.values() if name),
             *(f"lr({name} x)" for name in DELIMITERS.values() if name))


@pytest.mark.parametrize(("tex", "typst_source"), [
    (r"\frac{1}{N}\sum_{t=1}^{N} x_t", "frac(1, N) sum_(t eq 1)^(N) x_(t)"),
    (r"x^12", "x^(1) 2"),
    (r"\frac12", "frac(1, 2)"),
    (r"10{,}000", '10","000'),
    (r"f'(x)", "f' paren.l x paren.r"),
    (r"\mathrm{KL}", '"KL"'),
    (r"\operatorname{arg\,max}_k", 'op("arg\u2009max")_(k)'),
    (r"\operatorname*{argmin}_w", 'op("argmin", limits: #true)_(w)'),
    (r"a \text{ if } b", 'a#mtext(" if ");b'),
    (r"\text{if $x$}", '#mtext("if ");x'),
    (r"\bigl( x \bigr)", 'class("opening", lr(paren.l, size: #1.2em)) x '
                         'class("closing", lr(paren.r, size: #1.2em))'),
    (r"\left\{ x \,\middle|\, y \right.", "lr(brace.l x thin mid(bar.v) thin y)"),
    (r"\underbrace{a}_{b}", "underbrace(a, b)"),
    (r"\begin{cases} a & b \\ c & d \end{cases}", "cases(& a quad && b, & c quad && d)"),
    (r"\begin{pmatrix} a & b \\ c & d \end{pmatrix}", 'mat(delim: "(", a, b ; c, d)'),
    (r"\begin{aligned} a &= b \\ &= c \end{aligned}", "a & eq b \\  & eq c"),
    (r"a % a remark", "a"),
    (r"\sum_{\substack{i \\ j}}", "sum_(i \\ j)"),
    (r"x_{i,j}", "x_(i comma j)"),
    (r"a/b", "a slash b"),
])
def test_conversion(tex: str, typst_source: str) -> None:
    assert to_typst(tex) == typst_source


def test_dots_rise_between_operators() -> None:
    assert "dots.h.c" in to_typst(r"x_1 + \dots + x_n")
    assert "dots.h.c" not in to_typst(r"x_1, \dots, x_n")


@pytest.mark.parametrize(("tex", "says"), [
    (r"\foo{x}", r"`\foo`"),
    (r"\color{red}{x}", r"`\color`"),
    (r"\frac{1}{2", "not closed"),
    (r"{x", "not closed"),
    (r"x}", "without its beginning"),
    (r"\left( x", "not closed"),
    (r"x \right)", "without its beginning"),
    (r"a & b", "`&` outside"),
    (r"x^2^3", "two scripts"),
    (r"\begin{tikzcd} a \end{tikzcd}", "`tikzcd`"),
    (r"\begin{cases} a \end{aligned}", "closed by"),
    (r"\begin{array}{lcr} a & b & c \end{array}", "array columns"),
    (r"\tag{1}", "twice"),
    (r"\text{a \textbf{b}}", r"`\textbf`"),
    (r"\big x", "not a delimiter"),
    ('"', "cannot stand"),
])
def test_what_is_not_understood_is_an_error(tex: str, says: str) -> None:
    with pytest.raises(FormulaError, match=re.escape(says)):
        to_typst(tex)


atoms = st.sampled_from(["x", "y_i", "2", r"\alpha", r"\mathbf{W}", r"\hat{x}", r"\ln n",
                         r"\mathbb{E}[x]", r"\lVert v \rVert_2", r"\operatorname{Var}(s)",
                         r"\text{ if }", "(a, b]", "|x|", r"f'(x)", "-1", "0.5"])
trees = st.recursive(atoms, lambda inner: st.one_of(
    st.tuples(inner, inner).map(lambda t: rf"\frac{{{t[0]}}}{{{t[1]}}}"),
    st.tuples(inner, inner).map(lambda t: rf"{{{t[0]}}}^{{{t[1]}}}"),
    st.tuples(inner, inner).map(lambda t: f"{t[0]} + {t[1]}"),
    inner.map(lambda t: rf"\sqrt{{{t}}}"),
    inner.map(lambda t: rf"\left( {t} \right)"),
    inner.map(lambda t: rf"\sum_{{{t}}}"),
    st.tuples(inner, inner).map(
        lambda t: rf"\begin{{pmatrix}} {t[0]} & {t[1]} \\ {t[1]} & {t[0]} \end{{pmatrix}}"),
    st.tuples(inner, inner).map(lambda t: rf"\underbrace{{{t[0]}}}_{{{t[1]}}}"),
), max_leaves=8)


@settings(max_examples=8, deadline=None)
@given(st.lists(trees, min_size=15, max_size=15))
def test_whatever_converts_compiles(formulas: list[str]) -> None:
    compiles(*(f"inline({to_typst(formula)})" for formula in formulas))
