from __future__ import annotations

import math
from datetime import date

import pytest

from pipelines.clinical.items import KINDS, TRG_SCHEMES, ClinicalUnfit, Quantity, Words, read_value
from pipelines.contract import Item
from pipelines.phantom.clinical import SCHEMES, YPT
from pipelines.phantom.latents import Histology
from pipelines.phantom.words import WORDS


def refusal(item: Item, text: str) -> str:
    with pytest.raises(ClinicalUnfit) as caught:
        read_value(item, text)
    return str(caught.value)


def test_every_item_has_a_kind() -> None:
    assert set(KINDS) == set(Item)


def test_every_word_of_a_simulated_cohort_is_read_as_it_stands() -> None:
    written = {
        Item.CT_STAGE: WORDS["ct_stage"],
        Item.CN_STAGE: WORDS["cn_stage"],
        Item.YPN_STAGE: WORDS["ypn"],
        Item.EMVI_BASELINE: WORDS["emvi_baseline"],
        Item.CRM_RESTAGING: WORDS["crm_restaging"],
        Item.HISTOLOGY: tuple(Histology),
        Item.THERAPY: ("chemotherapy", "chemoradiotherapy"),
        Item.YPT_STAGE: tuple(f"ypT{n}" for n in range(len(YPT["AJCC-0"]))),
        Item.TRG_AJCC: tuple(SCHEMES),
        Item.TRG_MANDARD: tuple(pair[0] for pairs in SCHEMES.values() for pair in pairs),
        Item.TRG_DWORAK: tuple(pair[1] for pairs in SCHEMES.values() for pair in pairs),
    }
    for item, words in written.items():
        assert [read_value(item, str(word)) for word in words] == list(words)


def test_numbers_are_floats_and_days_dates() -> None:
    age = read_value(Item.AGE_YEARS, "71")
    assert age == 71.0
    assert isinstance(age, float)
    assert read_value(Item.CEA, " 1.2e1 ") == 12.0
    assert read_value(Item.SURGERY_DATE, "2020-02-29") == date(2020, 2, 29)


def test_case_and_a_few_other_spellings_do_not_matter() -> None:
    assert read_value(Item.CT_STAGE, "CT3A") == "cT3a"
    assert read_value(Item.TRG_AJCC, "ajcc 1") == "AJCC-1"
    assert read_value(Item.EMVI_BASELINE, "Positive") == "positive"
    assert read_value(Item.THERAPY, "TNT") == "total neoadjuvant therapy"
    assert read_value(Item.SEX, "female") == "F"


@pytest.mark.parametrize("text", ["2", "TRG 2", "trg2", "II", "grade 1", "1a"])
def test_a_bare_grade_names_no_scheme(text: str) -> None:
    for item in TRG_SCHEMES:
        assert f"'{text}' names no scheme; schemes run in different directions" in refusal(item, text)


def test_a_grade_of_another_scheme_is_refused_with_both_names() -> None:
    assert "of the Dworak scheme, and here stand grades of AJCC" in refusal(Item.TRG_AJCC, "Dworak-2")
    assert "a grade of no scheme that is known here" in refusal(Item.TRG_MANDARD, "Becker-1a")
    assert "is no grade of the Mandard scheme" in refusal(Item.TRG_MANDARD, "Mandard-0")


@pytest.mark.parametrize("text", ["5 ug/L", "5,2", "<0.5", "nan", "inf", "1_0", "5 ng/mL", "0x10"])
def test_no_unit_is_guessed_and_no_comma_turned_into_a_point(text: str) -> None:
    assert refusal(Item.CEA, text) == (
        f"'{text}' is not a plain number; write the number alone, in ng/mL, with a point"
    )


def test_a_number_outside_its_range_is_another_unit_or_a_slip() -> None:
    assert refusal(Item.MWT_BASELINE, "1200") == "1200 mm is outside 0 to 100: is it in another unit?"
    assert "-1 ng/mL is outside" in refusal(Item.CEA, "-1")
    assert "0 years is outside 10" in refusal(Item.AGE_YEARS, "0")


@pytest.mark.parametrize("text", ["2020-02-30", "11.3.2020", "20200311", "2020-3-1", "2020-W11-3", "0020-03-11"])
def test_a_day_is_written_one_way(text: str) -> None:
    assert refusal(Item.THERAPY_START, text) == f"'{text}' is no day of the form YYYY-MM-DD"


def test_a_stage_of_another_time_is_refused() -> None:
    assert "is none of cT0" in refusal(Item.CT_STAGE, "ypT3")
    assert "is none of ypN0" in refusal(Item.YPN_STAGE, "cN1")
    assert "is none of cT0" in refusal(Item.CT_STAGE, "3")


def test_what_is_not_known_is_empty_and_no_value() -> None:
    assert refusal(Item.CEA, "  ") == "is empty"
    assert "leave it empty where it is not known" in refusal(Item.HISTOLOGY, "unknown")


def test_every_vocabulary_reads_itself_and_every_range_is_one() -> None:
    for item, kind in KINDS.items():
        if isinstance(kind, Words):
            assert all(read_value(item, word) == word for word in kind.allowed)
            assert all(text == text.lower() and word in kind.allowed for text, word in kind.synonyms.items())
            assert not {word.lower() for word in kind.allowed} & set(kind.synonyms)
        elif isinstance(kind, Quantity):
            assert kind.unit
            assert math.isfinite(kind.high) and kind.low < kind.high
