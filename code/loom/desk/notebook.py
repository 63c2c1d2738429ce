"""``check("id")`` in a Jupyter notebook: the same judge, in a process of its own.

What is judged is what was run: the latest executed cell that starts with the
exercise's marker, and the cells above the exercises (imports, helpers).
"""

from __future__ import annotations

import html
import io
import json
import re
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loom.errors import LoomError, fail
from loom.exercise.answers import Answer, read_answers
from loom.exercise.jupyter import CHECKER
from loom.exercise.markers import MARKER, cut
from loom.exercise.model import Exercise
from loom.grade.hand import CUT

if TYPE_CHECKING:
    from loom.cli.show import Around
    from loom.grade.judge import Verdict
    from loom.grade.warm import Warm

PRINTED = 4_000  # characters of what an answer printed that a page shows
_warm: dict[frozenset[str], Warm] = {}  # one for the life of the kernel


def check(exercise: str, seed: int | None = None, everything: bool = False) -> None:
    """Check an exercise whose cell was run, and show what came of it.

    Args:
        exercise: its id or its number, as in ``check("masked-softmax")``.
        seed: the numbers of an earlier check; fresh ones if None.
        everything: run all cases, even after one has failed.
    """
    try:
        text, page = _checked(exercise, seed, everything)
    except LoomError as error:
        text = str(error)
        page = f"<pre>{html.escape(text)}</pre>"
    from IPython import display

    show: Any = display.display
    show({"text/plain": text, "text/html": page}, raw=True)


def _checked(wanted: str, seed: int | None, everything: bool) -> tuple[str, str]:
    """What is shown: as text, and as HTML.

    Raises:
        LoomError: not in a notebook; no such exercise; its cell was not run.
    """
    from loom.cli.screen import Screen
    from loom.cli.show import Around, show
    from loom.desk.desk import find_book, require_desk
    from loom.desk.progress import read_progress, remember
    from loom.desk.shelf import read_shelf
    from loom.grade.judge import judge
    from loom.grade.warm import Warm

    history = history_of(wanted)
    shelf = read_shelf(find_book())
    one = shelf.one(wanted)
    desk = require_desk(shelf.root)
    answer = answer_in(history, one, shelf.by_chapter[one.chapter],
                       desk.file(one.chapter, ".ipynb"))
    if answer.runs:
        one = shelf.ready(one)
        if one.libraries not in _warm:
            _warm[one.libraries] = Warm(one.libraries)
        verdict = judge(one, answer, seed=seed, everything=everything, warm=_warm[one.libraries])
    else:
        verdict = judge(one, answer, seed=seed)
    hints = read_progress(desk.folder).of(one.id).hints
    notes = [] if answer.shared else remember(desk.folder, verdict)
    file = io.StringIO()
    around = Around(answer.where(), hints, again=f'check("{one.id}", seed={{seed}})',
                    more="everything=True")
    show(Screen(file=file, width=88), one, verdict, around)
    return "\n".join([file.getvalue().rstrip(), *notes]), page_of(one, verdict, around, notes)


def history_of(wanted: str) -> list[str]:
    """The cells that were run in this kernel; number n is ``In[n]``.

    Raises:
        LoomError: this is no notebook.
    """
    try:
        from IPython import get_ipython
    except ImportError:
        get_ipython = None
    shell: Any = get_ipython() if get_ipython else None
    if shell is None:
        raise fail("`check` is for notebooks", f"in a terminal: `loom check {wanted}`")
    manager = getattr(shell, "history_manager", None)
    cells = getattr(manager, "input_hist_raw", None) or shell.user_ns.get("In", [])
    return [cell if isinstance(cell, str) else "" for cell in cells]


def answer_in(history: Sequence[str], exercise: Exercise, exercises: Sequence[Exercise],
              path: Path) -> Answer:
    """The answer among the cells that were run.

    Args:
        history: their sources; an empty one comes first, as in IPython.
        exercise: the exercise.
        exercises: all of its chapter.
        path: what the notebook is called in messages.

    Raises:
        LoomError: no cell of this exercise was run.
    """
    marks = [{block.id for block in cut(cell.split("\n"))[1]} for cell in history]
    mine = max((n for n, ids in enumerate(marks) if exercise.id in ids), default=None)
    if mine is None:
        raise fail(f"the cell of `{exercise.id}` was not run in this kernel",
                   f"run the cell that starts with `{MARKER} {exercise.id}`, then this one again")
    first = next(n for n, ids in enumerate(marks) if ids)
    imports = re.compile(rf"^\s*from\s+{re.escape(CHECKER)}\s+import\b", re.MULTILINE)
    kept = {n for n, cell in enumerate(history) if not marks[n] and (
        n < first or imports.search(cell))} | {mine}
    cells = [{"cell_type": "code", "source": cell if n in kept else ""}
             for n, cell in enumerate(history)][1:]
    with tempfile.TemporaryDirectory(prefix="loom-") as folder:
        copy = Path(folder) / path.name
        copy.write_text(json.dumps({"cells": cells}), encoding="utf-8", errors="replace")
        answer = read_answers(copy, exercises)[exercise.id]
    problem = answer.problem
    if problem is not None and problem.place is not None:
        problem = replace(problem, place=replace(problem.place, path=path))
    return replace(answer, path=path, problem=problem)


def page_of(exercise: Exercise, verdict: Verdict, around: Around,
            notes: Sequence[str] = ()) -> str:
    """A verdict as HTML that needs no style sheet, light or dark."""
    from loom.cli.show import next_hint, points
    from loom.grade.messages import of_the_call

    said = html.escape
    good, bad = "color:#2a9d4a", "color:#d1495b"
    state = "not started" if verdict.state == "not started" \
        else points(verdict.earned, verdict.points)
    rows = [f"<div><b>{said(exercise.id)}</b> (chapter {exercise.chapter_number}, exercise "
            f"{exercise.number}) · <b style='{good if verdict.state == 'passed' else bad}'>"
            f"{said(state)}</b></div>"]
    if verdict.problem:
        rows.append(_lines(verdict.problem))
    for outcome in verdict.outcomes:
        if outcome.state == "not run":
            continue
        passed = outcome.state == "passed"
        rows.append(f"<div><span style='{good if passed else bad}' aria-hidden='true'>"
                    f"{'✓' if passed else '✗'}</span> {said(outcome.case)} "
                    f"({outcome.earned:g}/{outcome.points:g})</div>")
        if not passed:
            why = [] if of_the_call(outcome.lines) else [f"→ {outcome.why}"]
            rows.append(_lines([*outcome.lines, *why]))
    waiting = sum(o.state == "not run" for o in verdict.outcomes)
    if waiting and verdict.state == "failed":
        rows.append(f"<div>· {waiting} more not run yet: fix the one above, or use "
                    f"<code>{said(around.more)}</code></div>")
    if verdict.output.strip():
        text = verdict.output if len(verdict.output) <= PRINTED else \
            f"{verdict.output[:PRINTED]}\n{CUT}: {len(verdict.output):,} characters were printed"
        rows.append(f"<details><summary>What it printed</summary>"
                    f"<pre>{said(text)}</pre></details>")
    if verdict.state != "passed":
        rows.append(f"<div>{said(next_hint(exercise, around.hints))}</div>")
    if verdict.state == "failed":
        again = around.again.format(seed=verdict.seed)
        rows.append(f"<div><small>Repeat these numbers: <code>{said(again)}</code></small></div>")
    rows += [f"<div>{said(note)}</div>" for note in notes]
    return f"<div style='line-height:1.5'>{''.join(rows)}</div>"


def _lines(lines: Sequence[str]) -> str:
    text = html.escape("\n".join(lines))
    return f"<pre style='margin:.2em 0 .4em 1.4em;white-space:pre-wrap'>{text}</pre>"
