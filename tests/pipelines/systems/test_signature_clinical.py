from __future__ import annotations

import math

import pytest

from pipelines.contract import ClinicalRecord, Item
from pipelines.systems.signature_clinical import CLINICAL, coded


def test_margin_and_vascular_invasion_are_coded_as_the_paper_does() -> None:
    found = coded(ClinicalRecord({Item.CRM_RESTAGING: "negative", Item.EMVI_BASELINE: "positive"}))
    assert found["crm_restaging"] == 1.0
    assert found["emvi_baseline"] == 0.0


def test_stages_are_numbers_whatever_their_letter() -> None:
    found = coded(ClinicalRecord({Item.CT_STAGE: "cT3b", Item.CN_STAGE: "cN1c"}))
    assert (found["ct_stage"], found["cn_stage"]) == (3.0, 1.0)


def test_markers_are_logarithms_and_lengths_millimetres() -> None:
    found = coded(ClinicalRecord({Item.CEA: 5.0, Item.MWT_RESTAGING: 9.5, Item.SEX: "F"}))
    assert found["cea_ng_ml"] == pytest.approx(math.log(6.0))
    assert (found["mwt_restaging_mm"], found["sex"]) == (9.5, 0.0)


def test_what_is_not_known_is_not_a_number() -> None:
    found = coded(ClinicalRecord({}))
    assert set(found) == set(CLINICAL)
    assert all(math.isnan(value) for value in found.values())


def test_nothing_that_is_known_after_surgery_alone_is_a_candidate() -> None:
    assert not {"ypt_stage", "ypn_stage", "trg_ajcc", "lymphovascular_invasion"} & set(CLINICAL)
