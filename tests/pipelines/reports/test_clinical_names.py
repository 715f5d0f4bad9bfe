from __future__ import annotations

import pytest

from pipelines.contract import TimePoint, Variable
from pipelines.reports.clinical_names import category_in_words, meant_by_name, says_rectum, time_point_in_words


@pytest.mark.parametrize(
    ("name", "variable"),
    [
        ("Maximum wall thickness at the tumour", Variable.WALL_THICKNESS),
        ("Rectal wall thickness", Variable.WALL_THICKNESS),
        ("Distance to MRF", Variable.CRM_DISTANCE),
        ("Minimum distance from tumor to the mesorectal fascia (MRF)", Variable.CRM_DISTANCE),
        ("CRM", Variable.CRM_DISTANCE),
        ("Tumor length", Variable.TUMOUR_LENGTH),
        ("Craniocaudal extent of the tumour", Variable.TUMOUR_LENGTH),
        ("Longest tumour diameter", Variable.TUMOUR_LENGTH),
        ("Distance of lowest extent of tumor from anal verge", Variable.ANAL_VERGE_DISTANCE),
        ("Height above anal verge", Variable.ANAL_VERGE_DISTANCE),
    ],
)
def test_a_name_of_a_length_that_says_one_thing_is_read(name: str, variable: Variable) -> None:
    meant = meant_by_name(name, is_length=True)
    assert meant is not None
    assert (meant.variable, meant.general) == (variable, False)
    assert meant_by_name("a " + name, is_length=True) is None


@pytest.mark.parametrize("name", ["Wall thickness", "Craniocaudal length", "Longest diameter", "Long axis"])
def test_a_general_name_counts_only_where_the_tumour_is_meant(name: str) -> None:
    meant = meant_by_name(name, is_length=True)
    assert meant is not None
    assert meant.general


@pytest.mark.parametrize(
    "name",
    [
        "Bladder wall thickness",
        "Lymph node to MRF distance",
        "Mesorectal fascia thickness",
        "Extramural depth of invasion",
        "Baseline wall thickness",
        "Distance to the top of the sphincter",
        "",
    ],
)
def test_other_lengths_are_not_read(name: str) -> None:
    assert meant_by_name(name, is_length=True) is None


@pytest.mark.parametrize(
    ("name", "variable"),
    [
        ("mrEMVI", Variable.EMVI),
        ("Extramural Vascular Invasion (EMVI)", Variable.EMVI),
        ("Extramural venous invasion", Variable.EMVI),
        ("MRF involvement", Variable.MRF_INVOLVEMENT),
        ("Circumferential resection margin (CRM)", Variable.MRF_INVOLVEMENT),
        ("Involvement of the mesorectal fascia", Variable.MRF_INVOLVEMENT),
        ("ymrT", Variable.T_STAGE),
        ("Clinical T stage", Variable.T_STAGE),
        ("N stage on MRI", Variable.N_STAGE),
    ],
)
def test_a_name_of_a_category_that_says_one_thing_is_read(name: str, variable: Variable) -> None:
    meant = meant_by_name(name, is_length=False)
    assert meant is not None
    assert meant.variable is variable


@pytest.mark.parametrize(
    "name",
    [
        "Circumferential resection margin: other site",
        "Tumor component closer to the MRF",
        "Distance-to-MRF information",
        "EMVI score",
        "Baseline EMVI",
        "Extramural vein invasion [Presence] in Colorectal cancer specimen by Light microscopy",
        "pT category",
        "Tumor stage",
        "Stage",
    ],
)
def test_other_categories_are_not_read(name: str) -> None:
    assert meant_by_name(name, is_length=False) is None


@pytest.mark.parametrize(
    ("variable", "words", "category"),
    [
        (Variable.T_STAGE, "mrT3b", "T3b"),
        (Variable.T_STAGE, "ymrT2", "T2"),
        (Variable.T_STAGE, "American Joint Committee on Cancer cT3 (qualifier value)", "T3"),
        (Variable.T_STAGE, "T stage T4a on MRI", "T4a"),
        (Variable.T_STAGE, "pT3", ""),
        (Variable.T_STAGE, "ypT0", ""),
        (Variable.T_STAGE, "T1 or T2", ""),
        (Variable.T_STAGE, "TX", ""),
        (Variable.T_STAGE, "N1", ""),
        (Variable.N_STAGE, "cN1b", "N1b"),
        (Variable.N_STAGE, "N+", ""),
        (Variable.EMVI, "EMVI positive", "positive"),
        (Variable.EMVI, "mrEMVI+", "positive"),
        (Variable.EMVI, "No EMVI", "negative"),
        (Variable.EMVI, "EMVI (-)", "negative"),
        (Variable.EMVI, "equivocal", ""),
        (Variable.EMVI, "not assessable", ""),
        (Variable.MRF_INVOLVEMENT, "Clear", "negative"),
        (Variable.MRF_INVOLVEMENT, "CRM involved", "positive"),
        (Variable.MRF_INVOLVEMENT, "threatened, tumor within 2 mm", ""),
    ],
)
def test_words_give_a_category_only_where_they_are_plain(variable: Variable, words: str, category: str) -> None:
    assert category_in_words(variable, words) == category


@pytest.mark.parametrize(
    ("words", "time_point"),
    [
        ("Baseline", TimePoint.BASELINE),
        ("PRE-NAT", TimePoint.BASELINE),
        ("Post-chemotherapy", TimePoint.RESTAGING),
        ("TP1", None),
        ("baseline against post CRT", None),
    ],
)
def test_words_name_a_time_point_or_none(words: str, time_point: TimePoint | None) -> None:
    assert time_point_in_words(words) is time_point


def test_the_rectum_is_named_by_its_own_words_only() -> None:
    assert says_rectum("Rectum, mid third")
    assert says_rectum("Mesorectal fascia")
    assert not says_rectum("Direction")
    assert not says_rectum("Sigmoid colon")
