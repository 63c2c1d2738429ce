"""What a batch found, as a table for a spreadsheet and as data."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

from loom.exercise.model import Exercise
from loom.grade.batch.batch import Report
from loom.grade.batch.strangers import shown

FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a cell that starts so is run by spreadsheets
MOST_NOTES = 500  # characters


def csv_text(exercises: Sequence[Exercise], points: dict[str, float],
             reports: Sequence[Report]) -> str:
    """A row for each student: points by exercise, their sum, what there is to know.

    It begins with a byte-order mark, by which spreadsheets know UTF-8.
    """
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(["student", *(e.id for e in exercises), "total", "of", "notes"])
    for report in reports:
        earned = [number(report.verdicts.get(e.id, {}).get("earned")) for e in exercises]
        writer.writerow([cell(report.submission.student), *earned, number(report.earned),
                         number(sum(points.values())), cell(notes(report)[:MOST_NOTES])])
    return "\ufeff" + out.getvalue()


def notes(report: Report) -> str:
    """Everything to know about a submission, in one line."""
    same: dict[str, list[str]] = {}
    for name, verdict in report.verdicts.items():
        if verdict["state"] == "broken" and verdict["problem"]:
            same.setdefault(" ".join(" ".join(verdict["problem"]).split()), []).append(name)
    parts = [*report.notes, *(f"{', '.join(names)}: {text}" for text, names in same.items())]
    untouched = [name for name, v in report.verdicts.items() if v["state"] == "not started"]
    if untouched:
        parts.append("nothing was begun" if len(untouched) == len(report.verdicts)
                     else f"not started: {', '.join(untouched)}")
    return "; ".join(shown(part) for part in parts)


def cell(text: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    plain = shown(text)
    return f"'{plain}" if plain.startswith(FORMULA) or plain.lstrip().startswith(FORMULA) \
        else plain


def number(value: float | None) -> str:
    """Points as they are written: ``2``, ``1.5``, nothing where there are none."""
    return "" if value is None else f"{value:g}"


def json_text(exercises: Sequence[Exercise], points: dict[str, float], seed: int,
              reports: Sequence[Report], strange: Sequence[tuple[str, str]],
              absent: Sequence[str] = ()) -> str:
    """All verdicts as JSON; ``absent`` are chapters that nobody answers."""
    data: dict[str, Any] = {
        "format": 1, "seed": seed, "exercises": [
            {"id": e.id, "title": e.title, "number": e.printed, "points": points.get(e.id)}
            for e in exercises],
        "students": [
            {"student": shown(report.submission.student), "earned": report.earned,
             "points": sum(points.values()),
             "files": [{"path": shown(str(f.path)), "sha256": f.digest}
                       for f in report.submission.files],
             "notes": report.notes, "verdicts": report.verdicts} for report in reports],
        "not_recognized": [{"path": path, "why": why} for path, why in strange],
        "not_handed_in": list(absent)}
    return json.dumps(data, ensure_ascii=False, indent=1) + "\n"
