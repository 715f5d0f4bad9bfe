"""Hospitals and groups: each patient in the right one, and how much lower a figure is elsewhere."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from pipelines.contract import ClinicalRecord, Item
from pipelines.evaluation.groups import by_site, response_strata, strata, training_sites
from pipelines.phantom.oracle import expected_auc
from pipelines.phantom.probabilities import Outcome
from tests.pipelines.evaluation.made_predictions import judged_response, judged_survival


def test_each_hospital_has_the_auc_of_its_own_patients() -> None:
    judged = judged_response(200)
    found = by_site(judged, judged.default)
    assert list(found) == ["A", "B", "C", "D"]
    assert [name for name, group in found.items() if group.outside_training] == ["D"]
    rows = judged.judgeable(judged.default) & (judged.sites == "A")
    event = judged.responded(Outcome.GOOD_RESPONSE)[rows] == 1
    assert found["A"].figures.primary.value == pytest.approx(roc_auc_score(event, judged.default.probability[rows]))


def test_the_drop_is_between_expected_figures_inside_and_outside() -> None:
    judged = judged_response(200)
    true, score = judged.true(judged.default), judged.default.probability
    assert true is not None
    covered = judged.judgeable(judged.default)
    inside, outside = covered & (judged.sites != "D"), covered & (judged.sites == "D")
    drop = expected_auc(true[inside], score[inside]) - expected_auc(true[outside], score[outside])
    assert by_site(judged, judged.default)["D"].drop == pytest.approx(drop)


def test_without_a_list_of_training_hospitals_none_counts_as_unseen() -> None:
    judged = judged_response(60)
    silent = replace(judged, bundle=replace(judged.bundle, manifest=replace(judged.bundle.manifest, training={})))
    assert training_sites(silent) == ()
    assert not any(group.outside_training for group in by_site(silent, silent.default).values())


def test_a_hospital_that_nobody_stated_is_called_so_and_counts_as_none_that_training_never_saw() -> None:
    judged = judged_response(60)
    patients = tuple(replace(p, site="") if p.site == "D" else p for p in judged.patients)
    found = by_site(replace(judged, patients=patients), judged.default)
    assert list(found) == ["A", "B", "C", "not stated"]
    assert not any(group.outside_training for group in found.values())


def test_response_strata_are_those_of_the_paper() -> None:
    judged = judged_survival(60)
    found = response_strata(judged)
    record = ClinicalRecord({Item.YPT_STAGE: "ypT2", Item.YPN_STAGE: "ypN0"})
    downstaged = replace(judged.patients[0], record=record, complete_response=False)
    unknown = replace(judged.patients[1], record=ClinicalRecord({Item.YPT_STAGE: "ypT2"}), complete_response=None)
    changed = response_strata(replace(judged, patients=(downstaged, unknown, *judged.patients[2:])))
    assert [name for name, rows in changed.items() if rows[0]] == ["no complete response", "downstaged (ypT0–2 N0)"]
    assert not any(rows[1] for rows in changed.values())
    assert not np.any(found["complete response (pCR)"] & found["no complete response"])


def test_a_substage_counts_as_its_stage() -> None:
    judged = judged_response(60)
    first = replace(judged.patients[0], record=ClinicalRecord({Item.CT_STAGE: "cT3b"}))
    found = strata(replace(judged, patients=(first, *judged.patients[1:])))
    assert found["cT3"][0]
    assert "cT3b" not in found
    assert not any(rows[0] for name, rows in found.items() if "years" in name or name in ("men", "women"))
