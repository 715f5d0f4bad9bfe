"""What was imported, joined with what headers and readers' reports say."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from pipelines.clinical.join import age_on, join
from pipelines.contract import (
    ClinicalRecord,
    ClinicalVariable,
    Code,
    Exam,
    ExamFiles,
    Item,
    Patient,
    TimePoint,
    Value,
    Variable,
    Volume,
)

GRID = Volume(np.zeros((1, 2, 2), np.float32), np.eye(4), "1.2.3")
NOBODY = Patient("P1", "", "", "", "")
DAYS = {TimePoint.BASELINE: date(2024, 1, 10), TimePoint.RESTAGING: date(2024, 5, 10)}


def exam(time_point: TimePoint = TimePoint.BASELINE, *said: ClinicalVariable, patient: Patient = NOBODY) -> Exam:
    files = ExamFiles(time_point, ("1.2",), DAYS[time_point], patient, chosen={})
    return Exam(files, GRID, (), {}, None, None, None, clinical=said)


def said(variable: Variable, value: float | str) -> ClinicalVariable:
    given = {"category": value} if isinstance(value, str) else {"millimetres": value}
    return ClinicalVariable(variable, "Reader^Anna in 'Rectal MRI' of 2024-01-11", **given)  # type: ignore[arg-type]


def imported(item: Item, value: Value, on: date | None = None) -> ClinicalRecord:
    return ClinicalRecord({item: value}, {item: f"{item} imported"}, {} if on is None else {item: on})


def test_sex_and_age_come_from_the_headers() -> None:
    jane = replace(NOBODY, birth_date="19600111", sex="F")
    found = join(ClinicalRecord(), [exam(patient=jane), exam(TimePoint.RESTAGING, patient=jane)])
    assert dict(found.record.values) == {Item.SEX: "F", Item.AGE_YEARS: 63.0}
    assert found.record.origins[Item.AGE_YEARS] == "age 63 years, from the headers of the baseline exam of 2024-01-10"
    assert "1960" not in "".join(found.record.origins.values())


def test_headers_without_identity_say_nothing() -> None:
    assert join(ClinicalRecord(), [exam(patient=replace(NOBODY, birth_date="18000101", sex="U"))]).record.values == {}
    assert join(ClinicalRecord(), [exam()]).statements == ()


@pytest.mark.parametrize(
    ("born", "on", "years"),
    [
        (date(1960, 1, 11), date(2024, 1, 10), 63),
        (date(1960, 1, 10), date(2024, 1, 10), 64),
        (date(1960, 2, 29), date(2023, 2, 28), 62),
    ],
)
def test_age_is_in_completed_years(born: date, on: date, years: int) -> None:
    assert age_on(born, on) == years


def test_an_age_of_another_day_is_no_contradiction() -> None:
    headers = [exam(patient=replace(NOBODY, birth_date="19600111"))]
    at_surgery = join(imported(Item.AGE_YEARS, 65.0, date(2025, 2, 1)), headers)
    assert (at_surgery.record.number(Item.AGE_YEARS), at_surgery.statements) == (63.0, ())
    wrong = join(imported(Item.AGE_YEARS, 65.0, date(2024, 1, 10)), headers)
    assert wrong.record.number(Item.AGE_YEARS) is None
    assert [one.code for one in wrong.statements] == [Code.CLINICAL_CONFLICT]


def test_what_readers_report_becomes_items_of_their_exam() -> None:
    before = exam(
        TimePoint.BASELINE,
        said(Variable.WALL_THICKNESS, 14.0),
        said(Variable.MRF_INVOLVEMENT, "negative"),
        said(Variable.T_STAGE, "T3b"),
        said(Variable.N_STAGE, "N1"),
        said(Variable.CRM_DISTANCE, 4.0),
    )
    after = exam(
        TimePoint.RESTAGING,
        said(Variable.EMVI, "positive"),
        said(Variable.TUMOUR_LENGTH, 31.5),
        said(Variable.T_STAGE, "T2"),
    )
    found = join(ClinicalRecord(), [before, after])
    assert dict(found.record.values) == {
        Item.CT_STAGE: "cT3b",
        Item.CN_STAGE: "cN1",
        Item.EMVI_RESTAGING: "positive",
        Item.CRM_BASELINE: "negative",
        Item.MWT_BASELINE: 14.0,
        Item.LENGTH_RESTAGING: 31.5,
    }
    assert list(found.record.values) == [item for item in Item if item in found.record.values]
    assert found.record.origins[Item.CT_STAGE].endswith("reported by Reader^Anna in 'Rectal MRI' of 2024-01-11")


@pytest.mark.parametrize(("distance", "where"), [(50.0, "low"), (50.1, "middle"), (100.0, "middle"), (101.0, "high")])
def test_the_location_follows_from_the_distance_to_the_anal_verge(distance: float, where: str) -> None:
    found = join(ClinicalRecord(), [exam(TimePoint.BASELINE, said(Variable.ANAL_VERGE_DISTANCE, distance))])
    assert found.record.number(Item.DTAV_BASELINE) == distance
    assert found.record.word(Item.LOCATION) == where
    assert "distance to the anal verge at baseline" in found.record.origins[Item.LOCATION]


def test_a_location_against_the_distance_is_a_conflict_and_the_distance_stays() -> None:
    found = join(imported(Item.LOCATION, "high"), [exam(TimePoint.BASELINE, said(Variable.ANAL_VERGE_DISTANCE, 30.0))])
    assert dict(found.record.values) == {Item.DTAV_BASELINE: 30.0}
    assert [one.subject for one in found.statements] == ["clinical record: location"]


@pytest.mark.parametrize(("known", "reported", "one"), [("cT3", "T3b", "cT3b"), ("cT3b", "T3", "cT3b")])
def test_the_finer_of_two_that_agree_counts_with_its_origin(known: str, reported: str, one: str) -> None:
    found = join(imported(Item.CT_STAGE, known), [exam(TimePoint.BASELINE, said(Variable.T_STAGE, reported))])
    assert (found.record.word(Item.CT_STAGE), found.statements) == (one, ())
    assert ("reported by" in found.record.origins[Item.CT_STAGE]) is (one != known)


@pytest.mark.parametrize(
    ("item", "known", "variable", "reported"),
    [
        (Item.CT_STAGE, "cT2", Variable.T_STAGE, "T3"),
        (Item.EMVI_BASELINE, "negative", Variable.EMVI, "positive"),
        (Item.MWT_BASELINE, 9.0, Variable.WALL_THICKNESS, 14.0),
    ],
)
def test_what_contradicts_a_report_is_not_used_and_neither_is_the_report(
    item: Item, known: Value, variable: Variable, reported: float | str
) -> None:
    found = join(imported(item, known), [exam(TimePoint.BASELINE, said(variable, reported))])
    assert (found.record.values, found.record.origins, found.record.dates) == ({}, {}, {})
    (statement,) = found.statements
    assert statement.code is Code.CLINICAL_CONFLICT
    assert f"{item} imported and " in statement.reason and "Reader^Anna" in statement.reason


def test_what_was_imported_and_is_said_nowhere_else_stays_as_it_is() -> None:
    record = imported(Item.CEA, 7.2, date(2024, 1, 9))
    assert join(record, [exam()]).record == record


def test_a_reported_length_beyond_belief_is_stated() -> None:
    found = join(ClinicalRecord(), [exam(TimePoint.BASELINE, said(Variable.WALL_THICKNESS, 400.0))])
    assert found.record.values == {}
    assert [(one.code, one.warning) for one in found.statements] == [(Code.CLINICAL_UNFIT, True)]
