"""The shown order: the same everywhere and for ever, and fair."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from loom.quiz.arrange import arrange
from loom.quiz.models import Choice, Option, OrderQuestion, Step


def choice(name: str, count: int, rights: int = 1) -> Choice:
    """A question with so many options, the right ones first."""
    options = tuple(Option(text=f"{name} {n}", right=n < rights, reply=f"reply {n}")
                    for n in range(count))
    return Choice(id=name, kind="single" if rights == 1 else "multiple", section="s", level=1,
                  ask="?", explain="!", options=options)


def order(name: str, count: int) -> OrderQuestion:
    return OrderQuestion(id=name, kind="order", section="s", level=1, ask="?", explain="!",
                         reply="no", steps=tuple(Step(text=str(n)) for n in range(count)))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(3, 8), st.integers(1, 7)), min_size=1, max_size=40),
       st.text("abc", min_size=1, max_size=3))
def test_each_position_is_right_equally_often(shapes: list[tuple[int, int]], chapter: str) -> None:
    asked = [choice(f"q{n}", count, min(rights, count - 1))
             for n, (count, rights) in enumerate(shapes)]
    shares: dict[tuple[str, int], Counter[int]] = {}
    for before, after in zip(asked, arrange(chapter, asked), strict=True):
        assert isinstance(after, Choice) and after.id == before.id
        assert sorted(after.arrangement) == list(range(len(before.options)))
        assert [option.right for option in after.shown] == [
            n in after.right for n in range(len(after.options))]
        shares.setdefault((after.kind, len(after.options)), Counter()).update(after.right)
    for (_, count), positions in shares.items():
        taken = [positions[n] for n in range(count)]
        assert max(taken) - min(taken) <= 1


def test_wrong_options_are_mixed_too() -> None:
    asked = arrange("01-one", [choice(f"q{n}", 4) for n in range(40)])
    seconds = Counter(one.arrangement.index(1) for one in asked if isinstance(one, Choice))
    assert min(seconds[n] for n in range(4)) >= 3


def test_positions_do_not_follow_the_order_of_the_file() -> None:
    asked = arrange("01-one", [choice(f"question-{n}", 4) for n in range(40)])
    rights = [one.right[0] for one in asked if isinstance(one, Choice)]
    steps = Counter((later - earlier) % 4 for earlier, later in itertools.pairwise(rights))
    assert max(steps.values()) < 25, rights


@given(st.text("abcdefg", min_size=1, max_size=6), st.integers(3, 8))
def test_steps_are_never_shown_in_the_right_order(name: str, count: int) -> None:
    (one,) = arrange("01-one", [order(name, count)])
    assert isinstance(one, OrderQuestion)
    assert sorted(one.arrangement) == list(range(count)) != list(one.arrangement)
    assert [one.shown[at].text for at in one.right] == [str(n) for n in range(count)]


def test_the_order_depends_on_nothing_but_names() -> None:
    program = ("from tests_of_arrange import choice, order; from loom.quiz.arrange import arrange;"
               "print([q.arrangement for q in arrange('01-one', [choice('a', 4), choice('b', 5, 2),"
               " order('c', 6)])])")
    here = [q.arrangement for q in arrange(  # type: ignore[union-attr]
        "01-one", [choice("a", 4), choice("b", 5, 2), order("c", 6)])]
    for seed in ("0", "1"):
        other = subprocess.run(
            [sys.executable, "-c", "import importlib.util as u, sys;"
             f"s = u.spec_from_file_location('tests_of_arrange', {__file__!r});"
             "m = u.module_from_spec(s); sys.modules['tests_of_arrange'] = m;"
             f"s.loader.exec_module(m); {program}"],
            capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": seed})
        assert other.stdout.strip() == str(here)


def test_an_order_that_was_drawn_stays() -> None:
    """What readers have answered on paper must not move under them."""
    drawn = arrange("01-numbers", [choice("softmax-shift", 4), choice("other", 4),
                                   order("steps", 5)])
    assert {one.id: one.arrangement for one in drawn} == {  # type: ignore[union-attr]
        "softmax-shift": (3, 2, 0, 1), "other": (0, 3, 2, 1),
        "steps": (4, 0, 2, 1, 3)}
