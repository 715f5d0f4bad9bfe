"""Why a result no longer counts, as its readers are told."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from sqlalchemy import update

from node import decide
from node.clinical import import_values
from node.clinical_file import PatientValue
from node.schema import delivery_table, pair_table
from pipelines.clinical.dated import DatedValue
from pipelines.contract import Item
from tests.dicom_files import BASELINE, RESTAGING, dwi, exam, of_other_patient, t2_axial
from tests.node.conftest import Bench, result


@pytest.fixture
def sent(bench: Bench) -> Bench:
    """A pair whose result has arrived at its peer."""
    bench.receive(*exam(BASELINE), *exam(RESTAGING))
    bench.settle_and_plan()
    bench.finish(bench.claim(), [result()])
    with bench.database.transaction() as connection:
        connection.execute(update(delivery_table).values(state="SENT"))
    return bench


@pytest.fixture
def sent_alone(bench: Bench) -> Bench:
    """A lone baseline whose result has arrived at its peer."""
    bench = replace(bench, alone=True)
    bench.receive(*exam(replace(BASELINE, description="MR Becken Primärstaging")))
    bench.settle_and_plan()
    bench.finish(bench.claim(), [result()])
    with bench.database.transaction() as connection:
        connection.execute(update(delivery_table).values(state="SENT"))
    return bench


def take(bench: Bench, item: Item, day: date) -> None:
    import_values(bench.database, [PatientValue("P1", "", DatedValue(item, day, day, "labs.csv"))])
    bench.settle_and_plan()


def first(bench: Bench) -> tuple[str, str]:
    """State and reason of the first pair."""
    row = bench.rows(pair_table)[0]
    return row.state, row.reason


def test_a_therapy_that_ended_after_the_second_exam_is_the_reason_and_what_was_sent_is_withdrawn(sent: Bench) -> None:
    take(sent, Item.THERAPY_END, date(2024, 5, 1))
    state, reason = first(sent)
    assert state == "SUPERSEDED"
    assert reason == ("exam of 2024-04-10: it was taken before therapy ended on 2024-05-01, so it is no restaging exam")
    assert sent.study(RESTAGING.uid).code == "BEFORE_THERAPY_END"
    assert sent.withdrawals() == [(1, "READY")]


@pytest.mark.parametrize("made", ["sent", "sent_alone"])
def test_a_therapy_that_began_before_the_baseline_is_the_reason(made: str, request: pytest.FixtureRequest) -> None:
    bench: Bench = request.getfixturevalue(made)
    take(bench, Item.THERAPY_START, date(2024, 1, 2))
    state, reason = first(bench)
    assert state == "SUPERSEDED"
    assert "it was taken after therapy began on 2024-01-02" in reason
    assert "restage" not in reason, "advice for the node's keeper, on a page that a radiologist reads"
    assert bench.withdrawals() == [(1, "READY")]


def test_an_earlier_exam_that_is_the_baseline_now_is_the_reason(sent: Bench) -> None:
    sent.receive(*exam(replace(BASELINE, number=3, date="20231101")))
    sent.settle_and_plan()
    assert first(sent) == (
        "SUPERSEDED",
        "an earlier exam of this patient was received, and that one is the baseline now",
    )
    assert sent.withdrawals() == [(1, "READY")]


def test_an_earlier_exam_that_the_lone_baselines_words_deny_is_the_reason(sent_alone: Bench) -> None:
    sent_alone.receive(*exam(replace(BASELINE, number=3, date="20231101")))
    sent_alone.settle_and_plan()
    state, reason = first(sent_alone)
    assert state == "SUPERSEDED"
    assert "say 'primarstaging', but an exam of 2023-11-01 is earlier" in reason
    assert sent_alone.withdrawals() == [(1, "READY")]


def test_files_that_do_not_go_together_are_the_reason(sent_alone: Bench) -> None:
    sent_alone.receive(*t2_axial(RESTAGING), *dwi(replace(RESTAGING, birth_date="19990101")))
    sent_alone.settle_and_plan()
    state, reason = first(sent_alone)
    assert state == "SUPERSEDED"
    assert reason == sent_alone.study(BASELINE.uid).reason
    assert sent_alone.study(BASELINE.uid).code == "PATIENTS_DIFFER"


def test_a_lone_baseline_that_is_another_patients_now_says_so(sent_alone: Bench) -> None:
    sent_alone.receive(*exam(of_other_patient(BASELINE)))
    sent_alone.settle_and_plan()
    assert first(sent_alone) == ("SUPERSEDED", "this exam now belongs to another patient")


def test_a_person_who_takes_a_pair_apart_is_the_reason(sent: Bench) -> None:
    decide.unpair(sent.database, 1)
    sent.settle_and_plan()
    assert first(sent) == ("WITHDRAWN", "taken apart by a person")
