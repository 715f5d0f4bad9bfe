"""What kind of study it is depends on whom the bundle learnt from."""

from __future__ import annotations

from pathlib import Path

from pipelines.cohort.cohort import Cohort, CohortPatient
from pipelines.contract import UNKNOWN
from pipelines.evaluation.report.study import PERSON, Hospitals, eligibility, objective

BOTH = (True, True)


def test_new_patients_of_the_training_hospitals_are_no_external_evaluation() -> None:
    words = objective(Hospitals(("A", "B"), ("A", "B", "A")), False, BOTH)
    assert words == "Evaluation on new patients of the training hospitals (A and B): internal, not external."


def test_hospitals_that_training_never_saw_make_it_external_as_far_as_they_go() -> None:
    assert objective(Hospitals(("A",), ("D",)), False, BOTH).startswith("External evaluation, at hospitals that")
    words = objective(Hospitals(("A",), ("A", "D", "not stated")), False, BOTH)
    assert "training hospitals (A), and external at others (D)" in words


def test_the_training_cohort_itself_shows_apparent_performance() -> None:
    assert objective(Hospitals(("A",), ("D",)), True, BOTH).startswith("Apparent performance")


def test_real_patients_are_external_to_simulated_ones_whatever_their_hospitals_are_called() -> None:
    assert objective(Hospitals(("A",), ("A",)), False, (True, False)).startswith("External evaluation on real patients")


def test_a_person_must_say_what_the_program_cannot_know() -> None:
    assert PERSON in objective(Hospitals((), ("A",)), False, BOTH)
    assert PERSON in objective(Hospitals(("A",), ("not stated",)), False, BOTH)
    assert PERSON in objective(Hospitals(("A",), ("A",)), False, (False, False))


def test_eligibility_is_the_purpose_of_the_system_and_the_owners_exclusions() -> None:
    out = CohortPatient(2, "P1", "A", {}, {}, UNKNOWN, excluded="histology: mucinous adenocarcinoma")
    words = eligibility("signature_svm", Cohort(Path("nowhere"), (out, out), "1" * 64))
    assert "the baseline exam and the restaging exam and a known outcome" in words
    assert "chemoradiotherapy" in words and "histology: adenocarcinoma, or not recorded" in words
    assert words.endswith("Excluded by the cohort's owner: histology: mucinous adenocarcinoma (2)")
    assert "histology: any, or not recorded" in eligibility("segmenter", Cohort(Path("nowhere"), (), ""))
