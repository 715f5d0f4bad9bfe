"""The words of a study, in the languages of the sites: what they say of its time point, and what they do not."""

from __future__ import annotations

import pytest

from node.words import fold, read_words
from pipelines.contract import TimePoint

RESTAGING = [
    "mrt becken restaging",
    "mri pelvis re-staging",
    "rectum restaged",
    "mri rectum post crt",
    "mr_rectum_post-nat",
    "post nact rectal mri",
    "post-neoadjuvant therapy",
    "post neoadjuvant chemoradiotherapy",
    "post short-course rt",
    "post tnt",
    "postoperative plan after chemoradiation",
    "after therapy",
    "rectum after neoadjuvant treatment",
    "ymr rectum",
    "yrmri",
    "ymrt2n0",
    "ycmri rectum",
    "2nd look pelvis",
    "second look mri",
    "rectum follow-up",
    "response assessment rectum",
    "reassessment",
    "watch and wait",
    "mrt becken nach rct",
    "mrt becken nach RCTx",
    "z.n. radiochemotherapie",
    "nach neoadjuvanter therapie",
    "verlaufskontrolle rektum",
    "irm pelvienne après radiochimiothérapie",
    "irm rectum réévaluation",
    "rm recto post tratamiento",
    "rm recto tras quimiorradioterapia",
    "reestadificación",
    "reestadiamento",
    "rm retto dopo radioterapia",
    "ristadiazione",
    "mri rectum na chemoradiotherapie",
    "herstadiëring",
    "直肠mr新辅助后",
    "放化疗后复查",
    "直腸mri 治療後",
]
BASELINE = [
    "primary staging rectum",
    "mri rectum initial staging",
    "baseline mri rectum",
    "base-line",
    "pre-treatment rectal mri",
    "pretreatment",
    "pre crt",
    "pre-therapeutic",
    "before neoadjuvant therapy",
    "primärstaging rektum-ca",
    "primaerstaging",
    "mrt becken vor rct",
    "erststaging",
    "prätherapeutisch",
    "irm: bilan initial",
    "bilan d'extension initial",
    "irm avant traitement",
    "estadificación inicial",
    "antes de quimioterapia",
    "estadiamento inicial",
    "stadiazione iniziale",
    "primaire stadiëring",
    "直肠mr治疗前",
    "初診 直腸",
]
NOTHING = [
    "",
    "mri rectum",
    "rectum staging",
    "staging/restaging rectum",
    "mrt rektum staging und restaging",
    "t1 vibe post contrast",
    "t1_fl3d post gd sag",
    "t1 pre contrast",
    "post ct",
    "dce baseline",
    "t1 vibe baseline",
    "baseline dyn 1",
    "postero-lateral",
    "restaging, compare with baseline",
    "primary staging before therapy; prior: post crt",
    "rm pelvis y mri",
    "prestaging",
    "nach km",
    "dopo mdc",
    "outpatient",
    "interimplant",
]


@pytest.mark.parametrize("words", RESTAGING)
def test_words_that_say_restaging(words: str) -> None:
    hint = read_words(words)
    assert hint.time_point is TimePoint.RESTAGING
    assert hint.said


@pytest.mark.parametrize("words", BASELINE)
def test_words_that_say_baseline(words: str) -> None:
    assert read_words(words).time_point is TimePoint.BASELINE


@pytest.mark.parametrize("words", NOTHING)
def test_words_that_say_nothing_or_both(words: str) -> None:
    hint = read_words(words)
    assert hint.time_point is None
    assert hint.said == ""


def test_the_words_that_say_it_are_given_back() -> None:
    assert read_words("MRT Becken nach RCT, t2_tse_tra").said == "nach rct"


def test_folding_drops_case_accents_and_punctuation() -> None:
    assert fold("Primär-Staging_Rektum (T2)") == "primar staging rektum t2"
