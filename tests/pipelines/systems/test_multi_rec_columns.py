from __future__ import annotations

import numpy as np
import pytest

from pipelines.contract import ClinicalRecord, Item, Value
from pipelines.systems.multi_rec_columns import (
    COLUMNS,
    SOURCES,
    YPN,
    Scaler,
    codes_of,
    hidden,
    items_of,
    missing_words,
)
from pipelines.systems.networks.multi_rec_size import PRETREATMENT, Variant

WHOLE: dict[Item, Value] = {
    Item.AGE_YEARS: 61.0,
    Item.SEX: "M",
    Item.CEA: 5.1,
    Item.CA19_9: 37.0,
    Item.LOCATION: "high",
    Item.CT_STAGE: "cT4a",
    Item.CN_STAGE: "cN1c",
    Item.CRM_BASELINE: "positive",
    Item.EMVI_BASELINE: "negative",
    Item.DIFFERENTIATION: "poor",
    Item.YPT_STAGE: "ypT0",
    Item.YPN_STAGE: "ypN2b",
    Item.LYMPHOVASCULAR_INVASION: "positive",
    Item.PERINEURAL_INVASION: "negative",
    Item.ADJUVANT_CHEMOTHERAPY: "yes",
    Item.TRG_AJCC: "AJCC-3",
}


def codes(**values: Value) -> dict[str, float]:
    return dict(codes_of(ClinicalRecord({Item(name): value for name, value in values.items()})))


def test_every_column_of_the_paper_has_an_item_of_the_record() -> None:
    assert set(SOURCES) == {column.name for column in COLUMNS}
    assert set(Variant.ALL.columns) == set(COLUMNS)


def test_a_whole_record_fills_every_column_with_a_code_of_its_words() -> None:
    found = codes_of(ClinicalRecord(WHOLE))
    assert found == {
        "age_years": 61.0,
        "sex": 1.0,
        "cea_over_5": 1.0,
        "ca19_9_over_37": 0.0,  # at the limit is not over it
        "location": 2.0,
        "ctnm_stage": 2.0,
        "ct_stage": 3.0,
        "cn_stage": 1.0,
        "mrf_baseline": 1.0,
        "emvi_baseline": 0.0,
        "differentiation": 2.0,
        "ypt_stage": 0.0,
        "ypn_stage": 2.0,
        "lymphovascular_invasion": 1.0,
        "perineural_invasion": 0.0,
        "adjuvant_chemotherapy": 1.0,
        "trg_ajcc": 3.0,
    }
    for column in COLUMNS:
        assert not column.words or found[column.name] in range(column.words)
    assert missing_words(found, COLUMNS) == ()


@pytest.mark.parametrize(
    ("ct", "cn", "stage"),
    [
        ("cT2", "cN0", 0.0),
        ("cT3", "cN0", 1.0),
        ("cT4b", "cN0", 1.0),
        ("cT2", "cN1", 2.0),
        ("", "cN2a", 2.0),  # positive nodes alone make it III
        ("cT3", "", None),
        ("", "cN0", None),
        ("cT0", "cN0", None),
    ],
)
def test_the_ctnm_stage_follows_from_ct_and_cn_as_far_as_they_are_known(ct: str, cn: str, stage: float | None) -> None:
    given = {name: word for name, word in (("ct_stage", ct), ("cn_stage", cn)) if word}
    assert codes(**given).get("ctnm_stage") == stage


def test_what_a_column_has_no_word_for_is_not_known() -> None:
    assert codes(sex="O", ct_stage="cT0", ypt_stage="ypTis") == {}
    assert "trg_ajcc" not in codes(trg_mandard="Mandard-2")


def test_the_missing_are_named_and_the_known_lead_back_to_their_items() -> None:
    known = codes(age_years=50.0, cn_stage="cN1", ypn_stage="ypN0")
    assert missing_words(known, PRETREATMENT) == (*("sex", "CEA", "CA19-9", "location", "cT stage", "MRF", "EMVI"),)
    assert items_of(known, PRETREATMENT) == (Item.AGE_YEARS, Item.CT_STAGE, Item.CN_STAGE)
    assert hidden(known, (YPN,)) == {"ypn_stage": 0.0}


def test_a_scaler_knows_the_patients_it_was_fitted_on_alone() -> None:
    rows = [{"age_years": age} for age in (40.0, 60.0, 65.0)] + [{"sex": 1.0}]
    scaler = Scaler.fitted(rows, COLUMNS)
    values, missing = scaler.table([{"age_years": 50.0, "sex": 1.0}, {}], COLUMNS)
    ages = np.array([40.0, 60.0, 65.0])
    assert values[0, 0].item() == pytest.approx((50.0 - ages.mean()) / ages.std(), abs=1e-6)
    assert values[0, 1].item() == 1.0  # a word stays its code
    assert missing[0].tolist() == [column.name not in ("age_years", "sex") for column in COLUMNS]
    assert missing[1].all()
    assert Scaler.from_json(scaler.as_json()) == scaler


def test_a_number_that_nobody_has_is_scaled_by_nothing() -> None:
    assert Scaler.fitted([{}], COLUMNS) == Scaler({"age_years": 0.0}, {"age_years": 1.0})
