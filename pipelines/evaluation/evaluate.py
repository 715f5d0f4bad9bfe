"""`restage evaluate`: judges a bundle on a cohort and writes a report that programs, tables and people can read.

::

    REPORT/metrics.json      every figure by name (``metrics.py``)
    REPORT/predictions.csv   one row per patient
    REPORT/tables/*.csv      the numbers behind report and pictures
    REPORT/figures/*.png     the pictures
    REPORT/report.html       one page that needs no other file
    REPORT/report.pdf        the same for print
    REPORT/model_card.md     what the bundle is, and what it reached here
    REPORT/tripod_ai.md      the reporting checklist, filled in where the program knows the answer

Nothing here changes the bundle, and nothing is chosen by what the cohort shows.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipelines.bundle import load_bundle
from pipelines.cohort.prepare import READER, Preparing, prepare
from pipelines.cohort.purpose import PURPOSES, read_for, usable
from pipelines.evaluation.evaluators import SEGMENTER, evaluator_of
from pipelines.evaluation.judged import Judged
from pipelines.evaluation.metrics import metrics
from pipelines.evaluation.report.build import build
from pipelines.evaluation.report.checklist import checklist
from pipelines.evaluation.report.model_card import model_card
from pipelines.evaluation.report.opening import summary_line
from pipelines.evaluation.report.segmenter_report import Judging, judge_segmenter
from pipelines.evaluation.report.set_report import METRICS, set_report
from pipelines.evaluation.results import Explained, Results, compute
from pipelines.evaluation.saliency import check, chosen
from pipelines.evaluation.tables import write_predictions, write_tables
from pipelines.evaluation.viewed import VIEWS
from pipelines.models import PACKAGED, choose_device
from pipelines.progress import Progress, silent

DETERMINED = ("system", "bundle", "cohort")  # what an earlier report's metrics say first


class ReportHeld(Exception):
    """The folder for the report holds something else, which is left as it is."""

    def __init__(self, folder: Path) -> None:
        super().__init__(f"{folder}: is not empty and not a report; give another folder")


@dataclass(frozen=True)
class Evaluation:
    """``masks``: "reader" takes the reader's masks (of simulated patients the truth), "segmenter" the shipped one's
    wherever no reader outlined the tumour. ``workers``: processes that read exams, and outline them where a segmenter
    is judged; they change nothing."""

    bundle: Path
    cohort: Path
    out: Path
    device: str = "auto"
    workers: int = 1
    masks: str = READER


def evaluate(wanted: Evaluation, progress: Progress = silent) -> str:
    """Judges, writes the report whole or not at all, over an earlier report of the same folder, and returns one line
    that says how it went.

    Raises
    ------
    BundleError
        Where the bundle, or that of the segmenter, cannot be used.
    CohortError
        Naming every problem of the cohort, before any exam is read.
    ReportHeld
        Where ``out`` is a folder with something else in it.
    ValueError
        For an unknown device or way of masks.
    """
    if wanted.masks not in (READER, SEGMENTER):
        raise ValueError(f"masks '{wanted.masks}' is not one of {READER}, {SEGMENTER}")
    _demand_place(wanted.out)
    bundle, device = load_bundle(wanted.bundle), choose_device(wanted.device)
    system = bundle.manifest.system
    masks = load_bundle(PACKAGED / SEGMENTER) if wanted.masks == SEGMENTER else None
    run = Preparing(wanted.workers, progress, masks or READER)
    if system == SEGMENTER:
        read = read_for(wanted.cohort, PURPOSES[SEGMENTER])
        return _written(wanted.out, lambda draft: judge_segmenter(bundle, read, draft, Judging(run, device)))
    evaluator = evaluator_of(bundle)
    cohort = read_for(wanted.cohort, PURPOSES[system])
    patients = usable(cohort, PURPOSES[system])
    # The node scores a restaging exam in which nothing is drawn in the tumour bed: so is it judged.
    prepared = prepare(cohort, patients, evaluator.cut_of(bundle), replace(run, beds=True))
    progress("predicting", 0, 1)
    predicted = evaluator.predict(bundle, prepared, device)
    progress("predicting", 1, 1)
    judged = Judged(bundle, cohort, patients, predicted)
    shown = VIEWS[system](bundle, chosen(prepared, predicted), predicted, device)
    saliency = tuple(check(view) for view in shown)
    explained = Explained(evaluator.explain(bundle, predicted), evaluator.example(bundle, predicted), saliency)
    return write_report(compute(judged, explained, progress), wanted.out)


def write_report(results: Results, out: Path) -> str:
    """Writes everything about a scoring system; returns one line that says how it went. Raises ReportHeld."""
    return _written(out, lambda draft: _fill(results, draft))


def _fill(results: Results, draft: Path) -> str:
    for folder in ("figures", "tables"):
        (draft / folder).mkdir()
    found = metrics(results)
    write_predictions(results.judged, draft / "predictions.csv")
    write_tables(results, found, draft / "tables")
    set_report(build(results, draft / "figures"), found, draft)
    (draft / "model_card.md").write_text(model_card(results), encoding="utf-8")
    (draft / "tripod_ai.md").write_text(checklist(results), encoding="utf-8")
    return summary_line(results)


def _written(out: Path, fill: Callable[[Path], str]) -> str:
    """Whole or not at all: a folder beside ``out`` is filled and takes its name."""
    _demand_place(out)
    draft = out.with_name(f".{out.name}.new")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    try:
        line = fill(draft)
        if out.exists():
            shutil.rmtree(out)
        draft.rename(out)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return line


def _demand_place(out: Path) -> None:
    """An empty folder or an earlier report may be written over; anything else is left alone."""
    if not out.exists() or (out.is_dir() and (not any(out.iterdir()) or _is_report(out))):
        return
    raise ReportHeld(out)


def _is_report(folder: Path) -> bool:
    try:
        held: Any = json.loads((folder / METRICS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(held, dict) and all(name in held for name in DETERMINED) and (folder / "report.html").is_file()
