"""Clinical values in the database: imported, replaced, and whose they are."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from node import clinical
from node.clinical import Import, import_values, rows_of, values_of
from node.clinical_file import PatientValue, TableUnfit
from node.due import PatientKey
from node.schema import clinical_value_table
from node.therapy import Therapy
from pipelines.clinical.dated import DatedValue, Name, Stem
from pipelines.contract import Item, Value
from tests.dicom_files import BASELINE, exam
from tests.node.conftest import Bench

DRAWN = date(2024, 1, 9)
P1 = PatientKey("P1", "HOSPITAL")


def value(
    name: Name = Item.CEA, what: Value = 7.2, *, on: date = DRAWN, patient: str = "P1", issuer: str = ""
) -> PatientValue:
    return PatientValue(patient, issuer, DatedValue(name, what, on, "labs.csv"), 2)


def take(bench: Bench, *values: PatientValue) -> Import:
    return import_values(bench.database, values)


def known(bench: Bench, key: PatientKey = P1) -> dict[tuple[str, date], Value]:
    with bench.database.reading() as connection:
        return {(str(one.name), one.on): one.value for one in values_of(connection, key)}


def test_values_come_back_as_they_were_typed(held: Bench) -> None:
    start = date(2024, 1, 20)
    take(held, value(), value(Item.CT_STAGE, "cT3b"), value(Item.THERAPY_START, start), value(Stem.MWT, 11.0))
    assert known(held) == {
        ("cea_ng_ml", DRAWN): 7.2,
        ("ct_stage", DRAWN): "cT3b",
        ("therapy_start", DRAWN): start,
        ("mwt_mm", DRAWN): 11.0,
    }


def test_a_newer_import_wins_and_the_older_value_is_history(held: Bench) -> None:
    assert take(held, value()).new == 1
    done = take(held, replace(value(), dated=DatedValue(Item.CEA, 8.0, DRAWN, "corrected.csv")))
    assert [(one.item, one.old, one.new) for one in done.replaced] == [("cea_ng_ml", "7.2", "8")]
    assert known(held) == {("cea_ng_ml", DRAWN): 8.0}
    with held.database.reading() as connection:
        rows = rows_of(connection, "P1")
    assert [(row.value, row.source, row.current) for row in rows] == [
        ("7.2", "labs.csv", False),
        ("8", "corrected.csv", True),
    ]


def test_the_same_value_again_changes_nothing(held: Bench) -> None:
    take(held, value())
    held.settle_and_plan()
    done = take(held, replace(value(), dated=DatedValue(Item.CEA, 7.2, DRAWN, "again.csv")))
    assert (done.values, done.new, done.replaced) == (1, 0, ())
    assert held.patients_due() == []
    assert len(held.rows(clinical_value_table)) == 1


def test_one_that_names_its_exam_replaces_one_that_named_none(held: Bench) -> None:
    take(held, value(Stem.EMVI, "positive"))
    take(held, value(Item.EMVI_BASELINE, "positive"))
    assert known(held) == {("emvi_baseline", DRAWN): "positive"}


def test_an_import_makes_its_patient_due_once(held: Bench) -> None:
    assert held.patients_due() == []
    take(held, value())
    assert held.patients_due() == [P1]
    held.settle_and_plan()
    assert held.patients_due() == []


def test_values_of_a_patient_who_is_not_here_wait_for_the_first_exam(bench: Bench) -> None:
    done = take(bench, value())
    assert done.unknown == ("P1",)
    assert bench.patients_due() == []
    bench.receive(*exam(BASELINE))
    bench.settle_and_plan()
    assert known(bench) == {("cea_ng_ml", DRAWN): 7.2}


def test_a_value_of_another_issuer_is_not_this_patients(held: Bench) -> None:
    done = take(held, value(issuer="ELSEWHERE"))
    assert (done.unknown, known(held), held.patients_due()) == (("P1",), {}, [])
    take(held, value(issuer="HOSPITAL"))
    assert known(held) == {("cea_ng_ml", DRAWN): 7.2}


def test_a_value_with_and_one_without_issuer_of_one_day_are_one_value_the_later_counts(held: Bench) -> None:
    take(held, value(issuer="HOSPITAL"))
    take(held, value(what=9.0))
    assert known(held) == {("cea_ng_ml", DRAWN): 9.0}


def counting(bench: Bench) -> list[tuple[str, str]]:
    """Issuer and value of every row that is marked as current."""
    return [(row.issuer, row.value) for row in bench.rows(clinical_value_table) if row.current]


def test_the_value_imported_last_counts_whether_its_row_names_the_issuer_or_not(held: Bench) -> None:
    take(held, value(what=5.0))
    named = take(held, value(what=7.0, issuer="HOSPITAL"))
    again = take(held, value(what=5.0))
    assert [(one.old, one.new) for one in named.replaced] == [("5", "7")]
    assert (again.new, [(one.old, one.new) for one in again.replaced]) == (1, [("7", "5")])
    assert known(held) == {("cea_ng_ml", DRAWN): 5.0}
    assert counting(held) == [("", "5")]


def test_the_value_that_counts_is_known_already_whichever_way_it_names_the_issuer(held: Bench) -> None:
    take(held, value(what=7.0, issuer="HOSPITAL"))
    assert take(held, value(what=7.0)).new == 0
    assert counting(held) == [("HOSPITAL", "7")]


def test_values_that_waited_under_both_names_are_replaced_together(bench: Bench) -> None:
    take(bench, value(what=5.0))
    take(bench, value(what=7.0, issuer="HOSPITAL"))
    bench.receive(*exam(BASELINE))
    bench.settle_and_plan()
    done = take(bench, value(what=9.0))
    assert [(one.old, one.new) for one in done.replaced] == [("7", "9")]
    assert counting(bench) == [("", "9")]


def test_a_value_of_an_issuer_who_is_not_held_stays_beside_the_one_that_counts(held: Bench) -> None:
    take(held, value(what=5.0, issuer="ELSEWHERE"))
    assert take(held, value(what=7.0)).replaced == ()
    assert counting(held) == [("ELSEWHERE", "5"), ("", "7")]


def test_one_table_gives_a_patient_one_value_of_a_day_however_it_names_the_issuer(held: Bench) -> None:
    with pytest.raises(TableUnfit, match="another value than row 2 gives this patient and day"):
        take(held, value(what=5.0), replace(value(what=7.0, issuer="HOSPITAL"), line=3))
    assert take(held, value(what=5.0), value(what=5.0, issuer="HOSPITAL")).new == 1


def test_where_two_issuers_have_one_id_a_value_must_name_one(held: Bench) -> None:
    take(held, value())
    other = PatientKey("P1", "OTHER")
    held.receive(*exam(replace(BASELINE, number=5, issuer="OTHER")))
    held.settle_and_plan()
    assert (known(held), known(held, other)) == ({}, {})
    with pytest.raises(TableUnfit, match="row 2, column issuer: is blank, and 2 issuers"):
        take(held, value(Item.CA19_9))
    take(held, value(Item.CA19_9, issuer="OTHER"))
    assert (known(held), known(held, other)) == ({}, {("ca19_9_u_ml", DRAWN): 7.2})


def test_an_import_that_fails_leaves_nothing(held: Bench) -> None:
    held.receive(*exam(replace(BASELINE, number=5, issuer="OTHER")))
    with pytest.raises(TableUnfit):
        take(held, value(patient="P2"), value())
    assert held.rows(clinical_value_table) == []


def test_what_this_program_no_longer_reads_is_left_out(held: Bench) -> None:
    take(held, value(), value(Item.CT_STAGE, "cT3"))
    with held.database.transaction() as connection:
        table = clinical_value_table
        connection.execute(table.update().where(table.c.item == "ct_stage").values(value="stage three"))
    assert known(held) == {("cea_ng_ml", DRAWN): 7.2}


def test_therapy_is_known_by_its_newest_days(held: Bench) -> None:
    start, end = date(2024, 1, 20), date(2024, 4, 1)
    take(held, value(Item.THERAPY_START, DRAWN), value(Item.THERAPY_START, start, on=start))
    take(held, value(Item.THERAPY_END, end, on=end))
    with held.database.reading() as connection:
        assert clinical.therapy_of(connection, P1) == Therapy(start, end)


def test_a_large_table_is_taken_over_in_batches(held: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clinical, "BATCH", 3)
    take(held, *(value(patient=f"P{number}") for number in range(10)))
    done = take(held, *(value(what=1.0, patient=f"P{number}") for number in range(10)))
    assert len(done.replaced) == 10
    assert [row.value for row in held.rows(clinical_value_table) if row.current] == ["1"] * 10
