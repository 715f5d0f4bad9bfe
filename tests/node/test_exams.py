"""Studies grouped into exams, exams into episodes."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from itertools import permutations

import pytest

from node.exams import DatedExam, group_into_exams, split_into_episodes
from node.records import StudyFacts
from pipelines.contract import Patient, Role, TimePoint

FIRST_DAY = date(2024, 1, 1)
FULL = frozenset({Role.T2_AXIAL, Role.DWI, Role.ADC})


def study(uid: str, day: int, roles: frozenset[Role] = FULL, slices: int = 20, words: str = "") -> StudyFacts:
    patient = Patient("4711", "", "DOE^JANE", "", "")
    return StudyFacts(uid, patient, FIRST_DAY + timedelta(days=day), roles, words, slices, datetime(2024, 1, 1))


def never_apart(_first: str, _second: str) -> bool:
    return False


def grouped(*studies: StudyFacts, within: int = 14) -> list[tuple[str, ...]]:
    return [exam.uids for exam in group_into_exams(studies, within, never_apart)]


@pytest.mark.parametrize(("gap", "exams"), [(0, 1), (14, 1), (15, 2)])
def test_studies_within_the_days_are_one_exam(gap: int, exams: int) -> None:
    assert len(grouped(study("1", 0), study("2", gap))) == exams


def test_a_row_of_near_exams_is_not_chained_into_one() -> None:
    assert grouped(study("1", 0), study("2", 10), study("3", 20), study("4", 30)) == [("2", "1"), ("4", "3")]


def test_the_more_complete_study_leads_whatever_the_order() -> None:
    dwi_only = study("1", 0, frozenset({Role.DWI, Role.ADC, Role.CE_T1, Role.T1}), slices=900)
    t2_only = study("2", 1, frozenset({Role.T2_AXIAL, Role.OTHER}), slices=20)
    both = study("3", 2, frozenset({Role.T2_AXIAL, Role.DWI}), slices=20)
    longer = study("4", 2, frozenset({Role.T2_AXIAL, Role.DWI}), slices=25)
    for order in permutations([dwi_only, t2_only, both, longer]):
        assert grouped(*order) == [("4", "3", "2", "1")]


def test_of_two_equal_studies_the_later_repeat_leads() -> None:
    assert grouped(study("1", 0), study("2", 3)) == [("2", "1")]


def test_studies_kept_apart_are_two_exams_on_the_same_day() -> None:
    exams = group_into_exams([study("1", 0), study("2", 0)], 14, lambda one, other: {one, other} == {"1", "2"})
    assert [exam.uids for exam in exams] == [("1",), ("2",)]


def test_an_exam_is_usable_when_one_of_its_studies_has_an_axial_t2() -> None:
    (exam,) = group_into_exams([study("1", 0, frozenset({Role.DWI})), study("2", 1, FULL)], 14, never_apart)
    assert exam.is_usable
    assert exam.date == FIRST_DAY + timedelta(days=1)
    (exam,) = group_into_exams([study("1", 0, frozenset({Role.DWI, Role.T2_SAGITTAL}))], 14, never_apart)
    assert not exam.is_usable


def test_an_exam_says_what_any_of_its_studies_says() -> None:
    exam = DatedExam((study("1", 0, words="post crt"), study("2", 0, words="baseline"), study("3", 0)))
    assert exam.said == {TimePoint.RESTAGING: "post crt", TimePoint.BASELINE: "baseline"}


def test_a_gap_longer_than_the_days_starts_an_episode() -> None:
    exams = group_into_exams([study("1", 0), study("2", 730), study("3", 1461)], 14, never_apart)
    assert [[exam.uids[0] for exam in episode] for episode in split_into_episodes(exams, 730)] == [["1", "2"], ["3"]]


def test_the_study_a_person_named_leads_and_others_may_be_left_out() -> None:
    exam = DatedExam((study("1", 0), study("2", 0), study("3", 0)))
    assert exam.led_by("2", frozenset({"2", "3"})).uids == ("2", "1")


def test_an_undated_study_has_no_place_in_time() -> None:
    undated = StudyFacts("1", Patient("1", "", "", "", ""), None, FULL, "", 1, datetime(2024, 1, 1))
    with pytest.raises(ValueError, match="no StudyDate"):
        group_into_exams([undated], 14, never_apart)
