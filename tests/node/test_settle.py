"""When a study counts as complete."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from node.config import Settle
from node.records import StudyState
from node.schema import study_table
from node.settle import settle
from tests.dicom_files import BASELINE, RESTAGING, t2_axial
from tests.node.conftest import Bench

MINUTE = Settle(quiet_seconds=60)


def arrived(bench: Bench, seconds_ago: float, uid: str = BASELINE.uid) -> None:
    table = study_table
    with bench.database.transaction() as connection:
        earlier = update(table).where(table.c.study_uid == uid)
        connection.execute(earlier.values(last_received_at=table.c.last_received_at - seconds_ago))


def test_a_study_settles_once_it_has_been_quiet(bench: Bench) -> None:
    bench.receive(*t2_axial(BASELINE))
    assert settle(bench.database, MINUTE) == 0
    arrived(bench, seconds_ago=58)
    assert settle(bench.database, MINUTE) == 0
    arrived(bench, seconds_ago=3)
    assert settle(bench.database, MINUTE) == 1
    assert bench.states() == {BASELINE.uid: "SETTLED"}
    assert settle(bench.database, MINUTE) == 0


def test_each_study_settles_by_itself(bench: Bench) -> None:
    bench.receive(*t2_axial(BASELINE), *t2_axial(RESTAGING))
    arrived(bench, 61, RESTAGING.uid)
    assert settle(bench.database, MINUTE) == 1
    assert bench.states() == {BASELINE.uid: "RECEIVING", RESTAGING.uid: "SETTLED"}


def test_an_object_that_arrives_meanwhile_starts_the_period_again(bench: Bench) -> None:
    first, second, *_ = t2_axial(BASELINE)
    bench.receive(first)
    arrived(bench, seconds_ago=61)
    bench.receive(second)
    assert settle(bench.database, MINUTE) == 0


@pytest.mark.parametrize("state", [state for state in StudyState if state is not StudyState.RECEIVING])
def test_a_study_that_is_not_arriving_is_left(bench: Bench, state: StudyState) -> None:
    bench.receive(*t2_axial(BASELINE))
    arrived(bench, seconds_ago=61)
    with bench.database.transaction() as connection:
        connection.execute(update(study_table).values(state=state))
    assert settle(bench.database, MINUTE) == 0
    assert bench.states() == {BASELINE.uid: state}
