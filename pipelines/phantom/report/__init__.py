"""`restage phantom --report`: what a written cohort turned out to be, beside what it was meant to be.

``DIR/report/report.json`` for programs, ``report.html`` for people, with the pictures beside them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from pipelines.phantom.oracle import oracle, read_truth
from pipelines.phantom.report.expected import checks
from pipelines.phantom.report.page import Page, render
from pipelines.phantom.report.pictures import draw_oracle, draw_overlap, draw_survival, overlaps
from pipelines.phantom.report.slices import chosen, draw_slices

__all__ = ["write_report"]


def write_report(cohort: Path, progress: Callable[[int, int], None] | None = None) -> Path:
    """Reads ``cohort``/cohort.csv, writes ``cohort``/report; returns the page's path. ``progress``: (done, total).

    Raises OSError, and ValueError where the cohort is not a synthetic one or too small to say anything.
    """
    truth = read_truth(cohort)
    responses = truth.numbers["good_response"]
    if min((responses == 1).sum(), (responses == 0).sum()) < 5:
        raise ValueError(f"{cohort}: a report needs five good and five poor responders")
    out = cohort / "report"
    out.mkdir(exist_ok=True)
    rows = chosen(truth)
    total = 3 + len(rows)
    tell = progress or (lambda done, of: None)
    table = oracle(truth)
    draw_overlap(truth, out / "overlap.png")
    tell(1, total)
    draw_oracle(table, out / "oracle.png")
    tell(2, total)
    draw_survival(truth, out / "survival.png")
    tell(3, total)
    patients = []
    for done, row in enumerate(rows):
        name = f"{truth.words['patient_id'][row]}.png"
        patients.append((name, draw_slices(truth, row, out / name)))
        tell(4 + done, total)
    found = checks(truth)
    figures = {
        "patients": int(responses.size),
        "checks": [check.as_json() for check in found],
        "overlap": overlaps(truth),
        "oracle": table,
    }
    (out / "report.json").write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    page = out / "report.html"
    page.write_text(render(Page(truth, found, table, patients)), encoding="utf-8")
    return page
