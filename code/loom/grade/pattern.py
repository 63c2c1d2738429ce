"""What a whole array of wrong numbers has in common: often the mistake itself."""

from __future__ import annotations

from typing import Any

import numpy as np

from loom.grade.words import number

FEWEST = 3  # values that a pattern is seen in
FEWEST_DIGITS = 3  # that all values are right to, to speak of digits
SAME = 1e-6  # relative spread of what counts as one number


def pattern(got: Any, expected: Any) -> str:
    """One clause on how all values differ from the expected ones; empty if nothing is seen.

    Args:
        got: numbers or booleans of the same shape as ``expected``.
        expected: what the reference returned.
    """
    if expected.size < FEWEST or got.dtype.kind not in "iuf" or expected.dtype.kind not in "iuf":
        return ""
    a, b = got.astype(np.float64).ravel(), expected.astype(np.float64).ravel()
    if np.isnan(a).all() and not np.isnan(b).any():
        return "every value is nan"
    if not (np.isfinite(a).all() and np.isfinite(b).all()) or np.ptp(b) == 0:
        return ""
    if np.ptp(a) == 0:
        return f"every value is {number(a[0])}"
    size = float(np.abs(b).max())
    with np.errstate(all="ignore"):
        if np.abs(a - b).max() <= SAME * size:
            return _digits(a, b) if expected.dtype.kind == "f" else ""
        if np.abs(np.sort(a) - np.sort(b)).max() <= SAME * size:
            return "they are the right values in another order"
        gap = a - b
        if np.ptp(gap) <= SAME * size:
            more = "more" if gap[0] > 0 else "less"
            return f"every value is {number(abs(float(gap.mean())))} {more} than expected"
        ratio = a[b != 0] / b[b != 0]
        if len(ratio) >= FEWEST and (a[b == 0] == 0).all() \
                and np.ptp(ratio) <= SAME * float(np.abs(ratio).max()):
            factor = float(ratio.mean())
            if abs(factor + 1) <= SAME:
                return "every value has the wrong sign"
            return f"every value is {number(round(factor, 6))} times what is expected"
    return ""


def _digits(a: Any, b: Any) -> str:
    """To how many digits values are right that differ by little; empty if one is wrong."""
    wrong = a != b
    worst = float((np.abs(a - b)[wrong] / np.abs(b[wrong])).max(initial=0.0))
    if not 0 < worst <= 10.0 ** -FEWEST_DIGITS:
        return ""
    return f"right to about {int(-np.log10(worst))} digits; the case wants more"
