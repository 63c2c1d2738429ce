"""The logs in ``book/recorded``: made by the code that is there, and what the chapters quote."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

from loom.run.record import FOLDER, origin, read_log

ROOT = Path(__file__).parents[2]
SCRIPTS = sorted((ROOT / FOLDER).glob("*.py"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_log_was_made_by_this_script_from_these_cells(
        script: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    log = script.with_suffix(".csv")
    assert log.is_file(), f"run `python {script.relative_to(ROOT)}` and commit its log"
    sources = runpy.run_path(str(script), run_name="script")["SOURCES"]
    head, rows = read_log(log)
    assert head["script"] == script.name and rows
    assert head["origin"] == origin(script, sources), (
        f"its code has changed: run `python {script.relative_to(ROOT)}` again, and read "
        "what the chapter says of it")


def test_every_log_has_its_script_and_is_quoted() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "book").glob("*.md"))
    quoted = set(re.findall(r"book/recorded/([\w-]+)\.csv", text))
    assert {path.stem for path in (ROOT / FOLDER).glob("*.csv")} == quoted == {
        path.stem for path in SCRIPTS}


def test_chapter_6_with_four_times_the_steps() -> None:
    _, rows = read_log(ROOT / FOLDER / "06-more-steps.csv")
    bits = {(row["model"], int(row["steps"])): float(row["bits_per_byte"]) for row in rows}
    few = {model: value for (model, steps), value in bits.items() if steps == 400}
    many = {model: value for (model, steps), value in bits.items() if steps == 1600}
    assert many["bag of 8 words"] < few["counted pairs"] < few["bag of 8 words"]
    assert many["positions, then a layer"] < few["counted, 8 words"] \
        < few["positions, then a layer"]


def test_chapter_7_with_more_steps_and_a_larger_start() -> None:
    _, rows = read_log(ROOT / FOLDER / "07-more-steps-larger-start.csv")
    found = {(row["model"], float(row["std"]), int(row["steps"])): row for row in rows}
    bag, longer = found["bag", 0.1, 600], found["bag", 0.1, 2400]
    assert float(longer["training loss, last 100"]) < 0.5 < float(bag["training loss, last 100"])
    assert 0.55 < float(longer["right, full stop, several"]) < 0.65
    usual, larger = found["two heads", 0.1, 600], found["two heads", 1.0, 600]
    assert float(larger["right, all"]) < 0.8 < 0.95 < float(usual["right, all"])
