"""The evaluation of a segmenter: overlap with the true or the reader's outline, before and after therapy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from pipelines.bundle import Bundle
from pipelines.cohort.cohort import Cohort
from pipelines.cohort.prepare import Preparing, prepare
from pipelines.cohort.purpose import PURPOSES, usable
from pipelines.contract import TimePoint
from pipelines.evaluation import segmenter
from pipelines.evaluation.judged import UNSTATED
from pipelines.evaluation.report.content import Block, Figure, Figures, Picture, Report, Section, Table, Warned, Words
from pipelines.evaluation.report.learnt import learnt_from
from pipelines.evaluation.report.opening import MET, origin
from pipelines.evaluation.report.segmenter_card import WHEN, given_words, segmenter_card, segmenter_checklist
from pipelines.evaluation.report.set_report import set_report
from pipelines.evaluation.report.wording import number, percent, written
from pipelines.evaluation.statistics.stated import json_form
from pipelines.evaluation.tables import write

LEAST_DICE_BEFORE = 0.85
BEFORE, AFTER = str(TimePoint.BASELINE), str(TimePoint.RESTAGING)
OF_FOUND = "Of those found: outlined over true volume − 1, and the 95th percentile surface distance (HD95)."


@dataclass(frozen=True)
class Judging:
    """How: the processes that read the exams and outline them, and where the network runs."""

    run: Preparing
    device: torch.device


def judge_segmenter(bundle: Bundle, cohort: Cohort, draft: Path, how: Judging) -> str:
    """Fills ``draft`` with figures, pictures and report; returns one line that says how it went."""
    patients = usable(cohort, PURPOSES[segmenter_name(bundle)])
    prepared = prepare(cohort, patients, segmenter.cut_of(bundle), how.run)
    how_outlined = segmenter.Outlining(how.device, how.run.workers, how.run.progress)
    found = segmenter.figures(bundle, prepared, how_outlined)
    for folder in ("figures", "tables"):
        (draft / folder).mkdir()
    write(draft / "predictions.csv", found["exams"])
    write(draft / "tables" / "sites.csv", _rows(found))
    segmenter.draw(found, draft / "figures")
    described = _metrics(bundle, cohort, found)
    set_report(_report(bundle, cohort, found, described), described, draft)
    (draft / "model_card.md").write_text(segmenter_card(bundle, cohort, described), encoding="utf-8")
    (draft / "tripod_ai.md").write_text(segmenter_checklist(bundle, cohort, described), encoding="utf-8")
    return f"Dice before therapy {_cell(found, BEFORE, 'dice_mean')}, after {_cell(found, AFTER, 'dice_mean')}"


def segmenter_name(bundle: Bundle) -> str:
    return bundle.manifest.system


def _metrics(bundle: Bundle, cohort: Cohort, found: Mapping[str, Any]) -> dict[str, Any]:
    manifest = bundle.manifest
    sites = Counter(patient.site or UNSTATED for patient in cohort.patients if not patient.excluded)
    before = _value(found, BEFORE, "dice_mean")
    form = json_form(
        {
            "system": manifest.system,
            "bundle": {
                "name": manifest.name,
                "version": manifest.version,
                "digest": bundle.weights_digest,
                "phantom_trained": manifest.phantom_trained,
            },
            "cohort": {
                "patients": len(cohort.patients),
                "excluded": sum(bool(patient.excluded) for patient in cohort.patients),
                "sites": dict(sorted(sites.items())),
                "digest": cohort.digest,
                "simulated": cohort.simulated,
                "trained_on": cohort.digest == manifest.cohort_digest,
            },
            "dice_before": before,
            "dice_before_ci": _ends(found, BEFORE, "dice_mean"),
            "dice_after": _value(found, AFTER, "dice_mean"),
            "dice_after_ci": _ends(found, AFTER, "dice_mean"),
            "found_before": _value(found, BEFORE, "found_share"),
            "found_after": _value(found, AFTER, "found_share"),
            "before": found[BEFORE],
            "after": found[AFTER],
            "left_out": dict(Counter(found["left_out"].values())),
            "demands": [
                {
                    "name": f"Dice before therapy at least {LEAST_DICE_BEFORE}",
                    "met": None if before is None else before >= LEAST_DICE_BEFORE,
                    "found": _cell(found, BEFORE, "dice_mean"),
                }
            ],
        }
    )
    assert isinstance(form, dict)
    return form


def _summary(found: Mapping[str, Any], when: str) -> Mapping[str, Any]:
    summary: Mapping[str, Any] = found[when].get(segmenter.WHOLE, {})
    return summary


def _value(found: Mapping[str, Any], when: str, figure: str) -> float | None:
    value: float | None = _summary(found, when).get(figure, {}).get("value")
    return value


def _ends(found: Mapping[str, Any], when: str, figure: str) -> list[float] | None:
    ends: list[float] | None = _summary(found, when).get(figure, {}).get("ci")
    return ends


def _cell(found: Mapping[str, Any], when: str, figure: str) -> str:
    return written(_summary(found, when).get(figure))


def _rows(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    rows = []
    for when in (BEFORE, AFTER):
        for site, summary in found[when].items():
            row: dict[str, Any] = {"exam": when, "site": site, "exams": summary["exams"]}
            for name, figure in summary.items():
                if name != "exams":
                    low, high = figure["ci"] or (None, None)
                    row |= {name: figure["value"], f"{name}_low": low, f"{name}_high": high}
            rows.append(row)
    return rows


def _report(bundle: Bundle, cohort: Cohort, found: Mapping[str, Any], metrics: Mapping[str, Any]) -> Report:
    manifest = bundle.manifest
    warned: list[Block] = []
    if metrics["cohort"]["trained_on"]:
        warned.append(Warned("These are the patients it learnt from: the figures flatter it."))
    for demand in metrics["demands"]:
        if demand["met"] is False:
            warned.append(Warned(f"Not reached: {demand['name']} (found {demand['found']})."))
    kind = "the tumours are known" if cohort.simulated else "a reader outlined the tumours"
    words = (
        f"{manifest.name} {manifest.version} (digest {bundle.weights_digest[:12]}…), trained on {manifest.cohort}. "
        f"{given_words(metrics)}: {kind}, each exam on its own axial T2, as the node does it. A tumour that it did not "
        "find counts with Dice 0."
    )
    numbers = [
        Figure(f"Dice {WHEN[w]}", number(_value(found, w, "dice_mean")), _ci(found, w, "dice_mean")) for w in WHEN
    ]
    numbers += [
        Figure(f"Found {WHEN[w]}", percent(_value(found, w, "found_share")), "touched the true tumour") for w in WHEN
    ]
    expected = tuple((d["name"], d["found"], MET[d["met"]]) for d in metrics["demands"])
    return Report(
        "Tumour segmenter: overlap with the known outline",
        origin(manifest.phantom_trained, cohort.simulated),
        (*warned, Words(words), Figures(tuple(numbers))),
        (
            Section("What was expected, and what was found", (Table(("expected", "found", ""), expected),)),
            Section("By hospital", (*_tables(found), *_pictures())),
            Section("Limits and methods", (_limits(bundle, cohort, metrics),)),
        ),
        f"restage evaluate · {manifest.name} {manifest.version} · bundle {bundle.weights_digest[:16]} · "
        f"cohort {cohort.digest[:16]}",
    )


def _ci(found: Mapping[str, Any], when: str, figure: str) -> str:
    ends = _ends(found, when, figure)
    return f"95 % CI {number(ends[0])}–{number(ends[1])}" if ends else "no exam"


def _tables(found: Mapping[str, Any]) -> tuple[Block, ...]:
    columns = ("hospital", "exams", "Dice, mean (95 % CI)", "Dice, median", "found", "volume bias", "HD95, mm")
    blocks: list[Block] = []
    for when, words in WHEN.items():
        rows = []
        for site, summary in found[when].items():
            figures = [written(summary[name]) for name in ("dice_mean", "dice_median", "found_share")]
            others = [written(summary[name]) for name in ("volume_bias_of_found", "hausdorff95_mm_of_found")]
            rows.append((site, str(summary["exams"]), *figures, *others))
        if rows:
            note = f"{words.capitalize()}. {OF_FOUND}"
            blocks.append(Table(columns, tuple(rows), note, 0))
    return tuple(blocks)


def _pictures() -> tuple[Block, ...]:
    return (
        Picture("segmenter_dice.png", "Dice coefficient by hospital, before therapy and after."),
        Picture("segmenter_volume.png", "Outlined against true volume of each exam; the line: equal.", narrow=True),
    )


def _limits(bundle: Bundle, cohort: Cohort, metrics: Mapping[str, Any]) -> Table:
    manifest = bundle.manifest
    rows = [
        ("Intended use", manifest.intended_use),
        ("Limits", manifest.limits),
        ("Trained on", f"{manifest.cohort}; cohort digest {manifest.cohort_digest[:16]}…"),
        *learnt_from(manifest),
        ("Judged on", f"cohort digest {cohort.digest[:16]}…"),
        (
            "References",
            "a reader against a reader: 0.75 before therapy, 0.36 after; an outline after therapy is weak truth",
        ),
        ("Intervals", "95 %, bootstrap over patients"),
        *((f"Left out: {reason}", f"{count} patients") for reason, count in metrics["left_out"].items()),
    ]
    return Table(("", ""), tuple(rows))
