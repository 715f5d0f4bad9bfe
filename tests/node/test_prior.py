"""Which studies of an archive are fetched, and in which order."""

from __future__ import annotations

from datetime import date

import pytest

from node.demographics import ArchivedPatient
from node.listed import ListedSeries, ListedStudy
from node.match import MatchingRules
from node.prior import Held, candidates, wanted_series, window
from pipelines.contract import Patient

JANE = Patient("P1", "HOSPITAL", "DOE^JANE", "19600102", "F")


def study(uid: str, day: int = 1, patient: Patient = JANE) -> ListedStudy:
    return ListedStudy(uid, ArchivedPatient(patient), date(2024, 1, day), "MR", frozenset({"MR"}))


def series(uid: str, modality: str = "MR", manufacturer: str = "ACME") -> ListedSeries:
    return ListedSeries(uid, modality, "", manufacturer, 1)


def test_the_window_is_that_of_matching() -> None:
    rules = MatchingRules(min_interval_days=10, max_interval_days=100)
    assert window(date(2024, 4, 10), rules) == (date(2024, 1, 1), date(2024, 3, 31))


@pytest.mark.parametrize(
    ("held", "is_fetched"),
    [
        (Held(), True),
        (Held(code="PAIRED"), False),
        (Held(code="IDENTITY_CONFLICT"), False),
        (Held(code="NO_T2_AXIAL"), True),
        (Held(code="NO_T2_AXIAL", fetched=True), False),
        (Held(fetched=True), False),
        (Held(parts=0), True),
        (Held(code="PAIRED", parts=2), True),
        (Held(code="NO_T2_AXIAL", parts=3), False),
    ],
)
def test_what_is_here_or_was_fetched_is_not_fetched_again(held: Held, is_fetched: bool) -> None:
    found = candidates(JANE, [study("1")], {"1": held})
    assert bool(found.studies) is is_fetched
    assert bool(found.here) is not is_fetched


def test_the_oldest_comes_first_and_what_was_tried_in_vain_last() -> None:
    found = candidates(JANE, [study("1", 20), study("2", 5), study("3", 1)], {"3": Held(parts=0)})
    assert [one.study_uid for one in found.studies] == ["2", "1", "3"]


def test_annotations_come_before_images_and_nothing_without_images() -> None:
    listed = [series("1"), series("2", "SEG"), series("3", "OT"), series("4", "MR", "RESTAGE"), series("5", "SR")]
    assert [one.series_uid for one in wanted_series(listed, {"5"})] == ["2", "1"]
    assert wanted_series(listed[1:], ()) == ()
