from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from pipelines.cohort.cohort import FollowUp
from pipelines.cohort.cut import PreparedPatient
from pipelines.cohort.purpose import PURPOSES, check_scope, read_for
from pipelines.cohort.read import CohortError
from pipelines.contract import RECURRENCE, ClinicalRecord, Code, InputUnfit, Item
from pipelines.systems.networks.multi_rec_net import Variant
from pipelines.training import dlrs_cox
from pipelines.training.multi_rec_net import train_prepared
from pipelines.training.settings import silent
from tests.pipelines.cohort.written import row, written
from tests.pipelines.made_up_recurrence import (
    QUICK,
    QUICK_MULTI_REC,
    made_up_cohort,
    made_up_patients,
    trained_bundle,
)

IMAGES_ALONE = replace(QUICK_MULTI_REC, variants=(Variant.T2_DKI,))


def changed(patient: PreparedPatient, followed: FollowUp) -> PreparedPatient:
    return replace(patient, patient=replace(patient.patient, recurrence=followed))


def test_a_bundle_says_what_it_is_and_what_it_was_made_from() -> None:
    m = trained_bundle().manifest
    assert m.system == "multi_rec_net" and m.outcome == RECURRENCE
    assert m.training["patients"] == len(made_up_patients()) and m.training["with_maps"] > 0
    assert set(m.training["curves"]) == {f"{variant} {fold}" for variant in QUICK_MULTI_REC.variants for fold in (0, 1)}
    assert m.network["scoring"][0].startswith("All_measured")
    assert {"folds_sha256", "seed", "threads", "settings"} <= set(m.training)
    for thresholds in m.thresholds.values():
        assert set(thresholds) == {"youden", "low", "high", "coverage"}
    json.dumps(m.metrics, allow_nan=False)


def test_the_same_seed_gives_the_same_bundle_and_names_whom_it_left_out(tmp_path: Path) -> None:
    cohort = made_up_cohort(made_up_patients())
    refused = replace(made_up_patients()[0], exams={}, refusal="baseline: NO_DIFFUSION: none")
    given = (*made_up_patients()[1:], refused)
    first = train_prepared(cohort, given, tmp_path / "a", (QUICK, IMAGES_ALONE), silent)
    torch.rand(7)  # what ran before must not matter
    second = train_prepared(cohort, given, tmp_path / "b", (QUICK, IMAGES_ALONE), silent)
    assert first.weights_digest == second.weights_digest
    assert first.manifest.training["left_out"] == ["P00: baseline: NO_DIFFUSION: none"]
    assert not (tmp_path / "a.training").exists()


def test_too_few_events_are_said_before_anything_is_trained(tmp_path: Path) -> None:
    patients = tuple(changed(patient, FollowUp(50.0, event=False)) for patient in made_up_patients())
    with pytest.raises(CohortError, match=r"'dfs_months': 0 usable patients had a recurrence .* 10 are needed"):
        train_prepared(made_up_cohort(patients), patients, tmp_path / "a", (QUICK, QUICK_MULTI_REC), silent)
    assert not (tmp_path / "a").exists()


def test_a_cohort_that_teaches_nothing_gives_no_bundle_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dlrs_cox, "shrunk", lambda chi_square, covariates: 0.0)
    with pytest.raises(CohortError, match="image and clinical values predict nothing in this cohort"):
        patients = made_up_patients()
        train_prepared(made_up_cohort(patients), patients, tmp_path / "a", (QUICK, IMAGES_ALONE), silent)
    assert not (tmp_path / "a").exists()


def test_follow_up_before_surgery_and_a_therapy_it_was_not_made_for_are_each_named(tmp_path: Path) -> None:
    rows = [
        row("P1", dfs_months="-2", dfs_event="1"),
        row("P2", dfs_months="20", dfs_event="0", therapy="immunotherapy"),
        row("P3", dfs_months="20", dfs_event=""),
        row("P4", dfs_months="20", dfs_event="1", histology="other"),
    ]
    with pytest.raises(CohortError) as caught:
        read_for(written(tmp_path, rows), PURPOSES["multi_rec_net"])
    said = "\n".join(caught.value.problems)
    assert "row 2, column 'dfs_months': follow-up of -2 months ends before surgery, from which months run" in said
    assert "row 3, column 'therapy': 'immunotherapy', and multi_rec_net was made for chemoradiotherapy" in said
    assert "row 4, column 'dfs_event': is empty, but dfs_months is given" in said
    assert "row 5, column 'histology': 'other', and multi_rec_net was made for adenocarcinoma" in said


def test_a_patient_outside_the_intended_use_is_refused_with_the_reason() -> None:
    with pytest.raises(InputUnfit, match="the patient's therapy is 'none', and multi_rec_net was made for") as caught:
        check_scope(ClinicalRecord({Item.THERAPY: "none"}), PURPOSES["multi_rec_net"])
    assert caught.value.code is Code.OUTSIDE_INTENDED_USE
