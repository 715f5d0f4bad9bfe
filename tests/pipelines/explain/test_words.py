"""What a reader of rectal MRI sees in the place of a column's name and number."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache

import numpy as np
import pytest

from pipelines.contract import ClinicalRecord, Contribution, Item
from pipelines.explain.words import contributions, plain, words_of
from pipelines.features import measured_features, pair_features
from pipelines.systems.dlrs_models import ITEMS, MEASURED, clinical_values, nomogram_rules
from pipelines.systems.multi_rec_cut import MEDIANS
from pipelines.systems.multi_rec_models import RECURRENCE, RISK
from pipelines.systems.rp_models import models
from pipelines.systems.signature_clinical import coded
from pipelines.systems.signature_models import variants
from pipelines.training.signature_examples import LEARNT
from tests.pipelines.made_up_exam import made_up_exam, mask_of, plain_inputs

RECORD = ClinicalRecord(
    {
        **{Item.SEX: "F", Item.AGE_YEARS: 61.0, Item.CEA: 7.25, Item.CA19_9: 1200.0, Item.CT_STAGE: "cT3b"},
        **{Item.CN_STAGE: "cN1", Item.MWT_RESTAGING: 8.0, Item.CRM_BASELINE: "negative"},
        **{Item.EMVI_RESTAGING: "positive", Item.EMVI_BASELINE: "negative", Item.YPN_STAGE: "ypN1"},
    }
)


@cache
def features() -> Mapping[str, float]:
    exam = made_up_exam()
    return measured_features(plain_inputs(exam), mask_of(exam))


def columns() -> set[str]:
    """Every column that a final stage of any system may read."""
    measured = features()
    known = set(pair_features(measured, measured)) | set(measured) | set(coded(RECORD))
    known |= {column for variant in variants(()) for column in variant.columns}
    known |= {name for model in models((), LEARNT) for name in model.names} | {RISK, RECURRENCE, *MEDIANS.values()}
    return known | {covariate for rule in nomogram_rules() for covariate in rule.covariates}


def test_every_column_of_a_final_stage_has_words() -> None:
    unknown = {column for column in columns() if words_of(column).name == column}
    assert unknown == {"sex"}
    assert not [column for column in columns() if "_" in words_of(column).name + words_of(column).said(0.3)]


def test_no_two_columns_of_one_system_have_the_same_words() -> None:
    rules = {covariate for rule in nomogram_rules() for covariate in rule.covariates}
    exam = {*features(), *MEDIANS.values(), RISK, RECURRENCE}
    for names in (columns() - rules - exam, rules | exam):
        found = [words_of(name).name for name in names]
        assert len(found) == len(set(found))


def test_a_coded_item_is_said_as_the_record_has_it() -> None:
    said = {name: words_of(name).said(value) for name, value in coded(RECORD).items() if math.isfinite(value)}
    assert said == {
        **{"sex": "female", "age_years": "61 years", "cea_ng_ml": "7.25 ng/mL", "ca19_9_u_ml": "1200 U/mL"},
        **{"ct_stage": "cT3", "cn_stage": "cN1", "mwt_restaging_mm": "8 mm", "crm_baseline": "negative"},
        **{"emvi_baseline": "negative", "emvi_restaging": "positive"},
    }


def test_a_covariate_of_system_4_is_said_as_the_record_has_it() -> None:
    said = {name: words_of(name).said(value) for name, value in clinical_values(RECORD).items()}
    assert said == {"ct": "cT3", "cea": "raised (> 5 ng/mL)", "emvi": "negative", "ypn": "ypN1"}
    assert set(said) == set(ITEMS)


def test_logarithms_are_undone_and_units_are_those_of_the_page() -> None:
    before, after = dict(features()), dict(features())
    before |= {"log_volume": math.log(20.0), "adc_mean": 0.85, "t2_dark_share": 0.1}
    after |= {"log_volume": math.log(9.6), "adc_mean": 1.21, "t2_dark_share": 0.35}
    pair = pair_features(before, after)
    said = {name: words_of(name).said(pair[name]) for name in pair if name.endswith(("volume", "adc_mean", "share"))}
    assert said == {
        **{"pre_log_volume": "20 cm³", "post_log_volume": "9.6 cm³", "change_log_volume": "−52 %"},
        **{"pre_adc_mean": "850 ×10⁻⁶ mm²/s", "post_adc_mean": "1210 ×10⁻⁶ mm²/s"},
        **{"change_adc_mean": "+360 ×10⁻⁶ mm²/s", "change_t2_dark_share": "+25 percentage points"},
        **{"pre_t2_dark_share": "10 %", "post_t2_dark_share": "35 %"},
    }


def test_what_networks_say_is_said_as_a_probability_or_against_the_average_patient() -> None:
    said = {"post_dwi": 0.73, "logit_t2": math.log(3.0), "dl_prob": 0.58, RISK: math.log(1.5), "kapp_median": 0.84}
    assert {words_of(name).name: words_of(name).said(value) for name, value in said.items()} == {
        "network: DWI at restaging": "73 %",
        "network: T2 of both exams": "75 %",
        "networks: T2 and ADC map": "mean 29 %",
        "network: risk": "1.5 × average",
        "median K at baseline": "0.84",
    }


def test_a_column_that_nobody_described_keeps_its_name_and_number() -> None:
    assert contributions(["entropy"], [0.123456], [1.0]) == (Contribution("entropy", "0.12", 1.0),)


def test_the_largest_comes_first_whatever_its_direction() -> None:
    found = contributions(["post_t2", MEASURED, "ct"], [0.4, 1.5, 3.0], [0.1, -0.9, 0.5])
    assert [(one.name, one.value) for one in found] == [
        ("score of the measured features", "+1.5"),
        ("clinical T stage", "cT3"),
        ("network: T2 at restaging", "40 %"),
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (-0.001, "0"), (-0.276, "−0.28"), (9.99, "9.99"), (12.34, "12.3"), (100.0, "100"), (1200.4, "1200")],
)
def test_numbers_keep_three_digits_or_all_before_the_point(value: float, text: str) -> None:
    assert plain(float(np.float64(value))) == text
