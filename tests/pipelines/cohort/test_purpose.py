from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.clinical.items import KINDS, Words
from pipelines.cohort.purpose import OUTCOMES, PURPOSES, check_scope, problems, read_for, usable
from pipelines.cohort.read import CohortError, read_cohort
from pipelines.contract import ClinicalRecord, Code, InputUnfit, Item, TimePoint
from tests.pipelines.cohort.written import row, written

RESPONSE, METASTASIS, SEGMENTER = (PURPOSES[name] for name in ("signature_svm", "dlrs_nomogram", "segmenter"))
LEFT_OUT = "say in column excluded why this patient is left out"


def test_every_purpose_speaks_the_vocabulary_of_the_record() -> None:
    therapies, histologies = KINDS[Item.THERAPY], KINDS[Item.HISTOLOGY]
    assert isinstance(therapies, Words) and isinstance(histologies, Words)
    for name, purpose in PURPOSES.items():
        assert purpose.system == name
        assert purpose.therapies <= set(therapies.allowed)
        assert purpose.histologies <= set(histologies.allowed)
        assert purpose.outcome_column in {"", *OUTCOMES}


def test_a_missing_outcome_is_named_and_an_excluded_patient_needs_none(tmp_path: Path) -> None:
    rows = [row("P1"), row("P2", good_response=""), row("P3", good_response="", excluded="second cancer")]
    cohort = read_cohort(written(tmp_path, rows))
    assert problems(cohort, RESPONSE) == [
        f"row 3, column 'good_response': is empty; fill it in, or {LEFT_OUT}",
    ]
    assert [patient.patient_id for patient in usable(cohort, RESPONSE)] == ["P1"]
    assert [patient.patient_id for patient in usable(cohort, SEGMENTER)] == ["P1", "P2"]


def test_an_outcome_that_nobody_has_is_one_problem(tmp_path: Path) -> None:
    cohort = read_cohort(written(tmp_path, [row("P1"), row("P2")]))
    (found,) = problems(cohort, METASTASIS)
    assert found.startswith("row 1: column 'metastasis_months' is missing, or empty in every row")


def test_a_therapy_or_histology_the_system_was_not_made_for_is_named(tmp_path: Path) -> None:
    seen = {"metastasis_months": "12", "metastasis_event": "0"}
    rows = [
        row("P1", therapy="immunotherapy", **seen),
        row("P2", histology="mucinous adenocarcinoma", therapy="chemotherapy", **seen),
        row("P3", histology="other", excluded="a sarcoma", **seen),
    ]
    cohort = read_cohort(written(tmp_path, rows))
    assert problems(cohort, RESPONSE) == [
        "row 2, column 'therapy': 'immunotherapy', and signature_svm was made for chemoradiotherapy, chemotherapy, "
        f"short-course radiotherapy or total neoadjuvant therapy; {LEFT_OUT}",
        "row 3, column 'histology': 'mucinous adenocarcinoma', and signature_svm was made for adenocarcinoma; "
        f"{LEFT_OUT}",
    ]
    assert [line.split(":")[0] for line in problems(cohort, METASTASIS)] == ["row 2, column 'therapy'"]


def test_an_exam_that_the_system_reads_must_be_there(tmp_path: Path) -> None:
    seen = {"metastasis_months": "12", "metastasis_event": "0"}
    cohort = read_cohort(written(tmp_path, [row("P1", restaging="", **seen)]))
    assert problems(cohort, RESPONSE) == [
        "row 2, column 'restaging': is empty; signature_svm reads this exam: give its folder, or " + LEFT_OUT
    ]
    assert problems(cohort, METASTASIS) == []
    assert METASTASIS.time_points == {TimePoint.BASELINE}


def test_a_cohort_of_excluded_patients_is_refused(tmp_path: Path) -> None:
    cohort = read_cohort(written(tmp_path, [row("P1", excluded="other trial")]))
    assert problems(cohort, SEGMENTER) == ["every patient is excluded"]


def test_problems_of_both_kinds_are_told_at_once_and_no_exam_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.cohort.read.folder_digest", None)  # would fail if it were called
    rows = [row("P1"), row("P2", good_response=""), row("P3", good_response="maybe")]
    with pytest.raises(CohortError) as caught:
        read_for(written(tmp_path, rows), RESPONSE)
    assert [line.split(":")[0] for line in caught.value.problems] == [
        "row 4, column 'good_response'",
        "row 3, column 'good_response'",
    ]


def test_a_cohort_that_suits_the_system_is_read(tmp_path: Path) -> None:
    cohort = read_for(written(tmp_path, [row("P1"), row("P2", good_response="0")]), RESPONSE)
    assert cohort == read_cohort(tmp_path)


def test_a_patient_outside_the_intended_use_is_refused_with_the_reason() -> None:
    with pytest.raises(InputUnfit) as caught:
        check_scope(ClinicalRecord({Item.HISTOLOGY: "signet-ring cell carcinoma"}), RESPONSE)
    assert caught.value.code is Code.OUTSIDE_INTENDED_USE
    assert caught.value.reason == (
        "the patient's histology is 'signet-ring cell carcinoma', and signature_svm was made for adenocarcinoma"
    )
    with pytest.raises(InputUnfit, match="the patient's therapy is 'none'"):
        check_scope(ClinicalRecord({Item.THERAPY: "none"}), METASTASIS)


def test_what_nobody_recorded_stops_nothing() -> None:
    check_scope(ClinicalRecord(), RESPONSE)
    check_scope(ClinicalRecord({Item.THERAPY: "none", Item.HISTOLOGY: "other"}), SEGMENTER)
    check_scope(ClinicalRecord({Item.HISTOLOGY: "mucinous adenocarcinoma"}), METASTASIS)
