"""What is said of real patients: nothing of a simulation, nothing that is not there, and nothing that is false."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest

from pipelines.contract import ClinicalRecord, Item
from pipelines.evaluation.judged import Judged
from pipelines.evaluation.report.build import build
from pipelines.evaluation.report.checklist import checklist
from pipelines.evaluation.report.content import Figures, Picture, Report, Table, Warned, Words
from pipelines.evaluation.report.model_card import model_card
from pipelines.evaluation.results import Explained, Results, compute
from tests.pipelines.evaluation.made_predictions import judged_response, judged_survival

AFTER_SURGERY = (Item.YPT_STAGE, Item.YPN_STAGE)


def real(judged: Judged, *models: str) -> Judged:
    """The same patients as if they existed, without pathology, those of hospital D of no hospital that is stated."""
    patients = tuple(
        replace(
            patient,
            site="" if patient.site == "D" else patient.site,
            complete_response=None,
            record=ClinicalRecord({k: v for k, v in patient.record.values.items() if k not in AFTER_SURGERY}),
        )
        for patient in judged.patients
    )
    predictions = tuple(prediction for prediction in judged.predicted.predictions if prediction.model in models)
    return replace(
        judged,
        patients=patients,
        cohort=replace(judged.cohort, truth=None),
        predicted=replace(judged.predicted, predictions=predictions),
    )


@lru_cache(maxsize=1)
def survival() -> Results:
    """Nobody has what the clinical model needs."""
    judged = real(judged_survival(100), "clinical", "nomogram")
    clinical, nomogram = judged.predicted.predictions
    absent = replace(clinical, probability=np.full_like(clinical.probability, np.nan))
    return compute(replace(judged, predicted=replace(judged.predicted, predictions=(absent, nomogram))), Explained())


@lru_cache(maxsize=1)
def response() -> Results:
    return compute(real(judged_response(120), "CR", "CRD"), Explained())


def text(report: Report) -> str:
    """All words of a report."""
    said = [report.title]
    for block in report.blocks():
        if isinstance(block, Words | Warned):
            said.append(block.text)
        elif isinstance(block, Picture):
            said.append(block.caption)
        elif isinstance(block, Table):
            said += [*block.columns, *(cell for row in block.rows for cell in row), block.note]
        elif isinstance(block, Figures):
            said += [word for shown in block.shown for word in (shown.label, shown.value, shown.beside)]
    return "\n".join(said)


@pytest.mark.parametrize("results", [survival, response])
def test_no_oracle_is_spoken_of_where_nobody_knows_the_truth(results: object, tmp_path: Path) -> None:
    assert callable(results)
    said = text(build(results(), tmp_path)).lower() + model_card(results()).lower()
    assert "oracle" not in said
    assert "small networks" not in said and "averaged:" not in said and "mean true" not in said
    assert "of real patients calibration alone is demanded" in said


def test_a_reference_that_covers_nobody_is_named_and_the_rest_is_drawn(tmp_path: Path) -> None:
    report = build(survival(), tmp_path)
    assert "Without a decision curve: clinical, for want of patients whom nomogram covers too." in text(report)
    assert all((tmp_path / name).is_file() for name in ("decision.png", "impact.png", "roc_components.png"))
    assert not list(tmp_path.glob("*_clinical.png"))


def test_strata_that_hold_nobody_are_named_instead_of_drawn(tmp_path: Path) -> None:
    report = build(survival(), tmp_path)
    assert survival().survived is not None and survival().survived.strata == ()
    assert not (tmp_path / "kaplan_meier_strata.png").exists()
    assert "Not shown: complete response (pCR), no complete response, downstaged (ypT0–2 N0) and" in text(report)


def test_how_many_were_given_and_how_many_judged_is_said_everywhere_alike(tmp_path: Path) -> None:
    found = response()
    given, judged = len(found.judged.patients), found.default.patients
    assert judged < given
    assert f"judged on {judged} of {given} patients" in build(found, tmp_path).title
    for said in (text(build(found, tmp_path)), model_card(found).lower(), checklist(found).lower()):
        assert f"given {given} patients (" in said and f"judged on {judged} of them" in said
    assert "of a hospital that is not stated" in model_card(found)


def test_intervals_and_p_values_are_described_as_they_were_had(tmp_path: Path) -> None:
    of_events, of_responses = text(build(survival(), tmp_path)), text(build(response(), tmp_path))
    assert "DeLong" not in of_events and "IPCW" in of_events
    assert "No p-value is corrected" in of_events and "p is not corrected" in of_events
    assert "predicted over observed log-normal" in of_responses


def test_the_checklist_counts_events_by_the_horizon_and_in_all_and_claims_no_interval_that_is_not_there() -> None:
    said, found = checklist(survival()), survival().default
    assert f"of the {found.patients} patients by 36 months" in said
    assert f"and in {found.events} in all of the follow-up" in said
    assert "decision curves: without" in said and "intervals 95 %" not in said
    assert "External evaluation on real patients of a model that learnt from simulated ones" in said
    assert "ECE and decision curves: without" in checklist(response())
