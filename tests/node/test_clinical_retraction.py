"""Clinical values that are taken back."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from node.clinical import import_values, rows_of, values_of
from node.clinical_file import PatientValue
from node.clinical_retraction import Named, RetractionRefused, retract, retracted
from node.due import PatientKey
from node.errors import NotFound
from node.schema import clinical_value_table
from pipelines.clinical.dated import DatedValue, Name, Stem
from pipelines.contract import Item, Value
from tests.dicom_files import BASELINE, RESTAGING, exam
from tests.node.conftest import Bench

DRAWN, LATER = date(2024, 1, 8), date(2024, 1, 9)
P1, OTHER = PatientKey("P1", "HOSPITAL"), PatientKey("P1", "OTHER")


def take(bench: Bench, what: Value, name: Name = Item.CEA, on: date = DRAWN, issuer: str = "") -> None:
    import_values(bench.database, [PatientValue("P1", issuer, DatedValue(name, what, on, "labs.csv"), 2)])


def take_back(bench: Bench, item: str = "cea_ng_ml", on: date | None = None, issuer: str | None = None) -> list[str]:
    return [row.value for row in retract(bench.database, Named("P1", item, on, issuer))]


def known(bench: Bench, key: PatientKey = P1) -> list[tuple[str, date, Value]]:
    with bench.database.reading() as connection:
        return [(str(one.name), one.on, one.value) for one in values_of(connection, key)]


def test_a_retracted_value_counts_no_more_and_stays_as_history(held: Bench) -> None:
    take(held, 40.0)
    assert take_back(held) == ["40"]
    assert known(held) == []
    assert [(row.value, row.current) for row in held.rows(clinical_value_table)] == [("40", False)]


def test_its_patient_is_planned_again_once(held: Bench) -> None:
    take(held, 40.0)
    held.settle_and_plan()
    take_back(held)
    assert held.patients_due() == [P1]
    held.settle_and_plan()
    assert held.patients_due() == []


def test_a_pair_is_scored_again_without_the_value(bench: Bench) -> None:
    bench.receive(*exam(BASELINE), *exam(RESTAGING))
    bench.settle_and_plan()
    take(bench, 40.0)
    bench.settle_and_plan()
    planned = bench.jobs()
    take_back(bench)
    bench.settle_and_plan()
    assert bench.jobs() != planned
    assert known(bench) == []


def test_a_day_names_one_value_and_no_day_all_of_them(held: Bench) -> None:
    take(held, 5.0)
    take(held, 6.0, on=LATER)
    take(held, "cT3", Item.CT_STAGE)
    assert take_back(held, on=LATER) == ["6"]
    take(held, 7.0, on=LATER)
    assert take_back(held) == ["5", "7"]
    assert known(held) == [("ct_stage", DRAWN, "cT3")]


def test_what_a_retracted_value_had_replaced_does_not_come_back_and_may_be_imported_again(held: Bench) -> None:
    take(held, 5.0)
    take(held, 7.0)
    take_back(held)
    assert known(held) == []
    take(held, 5.0)
    assert known(held) == [("cea_ng_ml", DRAWN, 5.0)]


def test_where_nothing_matches_it_says_what_there_is(held: Bench) -> None:
    with pytest.raises(NotFound, match="no cea_ng_ml counts of patient 'P1', and no other clinical value does"):
        take_back(held)
    take(held, "positive", Stem.EMVI)
    with pytest.raises(NotFound, match="no emvi_baseline counts of patient 'P1'; there is emvi of 2024-01-08"):
        take_back(held, "emvi_baseline")
    with pytest.raises(NotFound, match="no emvi of 2024-01-09 counts of patient 'P1'; there is emvi of 2024-01-08"):
        take_back(held, "emvi", LATER)
    with pytest.raises(NotFound, match="issuer 'ELSEWHERE'"):
        take_back(held, "emvi", issuer="ELSEWHERE")
    assert known(held) == [("emvi", DRAWN, "positive")]


def test_a_value_without_issuer_is_of_the_only_patient_held(held: Bench) -> None:
    take(held, 5.0)
    assert take_back(held, issuer="HOSPITAL") == ["5"]


def test_where_several_patients_have_the_id_one_must_be_named(held: Bench) -> None:
    held.receive(*exam(replace(BASELINE, number=5, issuer="OTHER")))
    held.settle_and_plan()
    take(held, 5.0, issuer="HOSPITAL")
    take(held, 6.0, issuer="OTHER")
    with pytest.raises(RetractionRefused, match="'HOSPITAL', 'OTHER'"):
        take_back(held)
    assert take_back(held, issuer="OTHER") == ["6"]
    assert (known(held), known(held, OTHER)) == ([("cea_ng_ml", DRAWN, 5.0)], [])


def test_a_value_of_a_patient_who_is_not_here_is_taken_back_without_planning_anybody(bench: Bench) -> None:
    take(bench, 5.0)
    assert take_back(bench) == ["5"]
    assert bench.patients_due() == []
    bench.receive(*exam(BASELINE))
    bench.settle_and_plan()
    assert known(bench) == []


def test_what_was_replaced_is_told_from_what_was_taken_back(held: Bench) -> None:
    take(held, 5.0)
    take(held, 7.0)
    take(held, "positive", Stem.EMVI)
    take(held, "positive", Item.EMVI_BASELINE)
    take_back(held)
    with held.database.reading() as connection:
        rows = rows_of(connection, "P1")
        gone = retracted(rows)
    assert [(row.item, row.value) for row in rows if row.id in gone] == [("cea_ng_ml", "7")]
