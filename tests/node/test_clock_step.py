"""After the wall clock was set back nothing waits longer than its rule says, and what obeys its rule stays."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from sqlalchemy import Column, insert, update

from node import commitment, outbox
from node.clock_step import Limit, bring_back, limits
from node.commitment import Due
from node.config import Config
from node.jobs import LONGEST_RETRY_SECONDS
from node.schema import (
    commitment_item_table,
    commitment_table,
    delivery_table,
    evidence_table,
    job_table,
    search_table,
    study_table,
)
from tests.dicom_files import BASELINE, t2_axial
from tests.node.conftest import Bench, result

HOUR = 3600.0
RULES = limits(Config())
TIMES = [(one.table.name, one.column.name) for one in RULES]


@pytest.fixture
def filled(bench: Bench) -> Bench:
    """One study with evidence, one job, one delivery that its destination is asked about, and one search."""
    bench.receive(t2_axial(BASELINE)[0])
    pair_id = bench.done_job([result(path=Path("results/x/report.dcm"))])
    (parcel,) = outbox.claim(bench.database, "pacs")
    outbox.sent(bench.database, parcel, 0)
    assert commitment.ask(bench.database, Due("pacs"), "PACS")
    search = {"pair_id": pair_id, "peer": "pacs", "state": "DUE", "again": True, "since": 0.0, "updated_at": 0.0}
    with bench.database.transaction() as connection:
        found = {"verdict": "open", "reason": "", "attempts": 1, "received_at": 0.0, "not_before": 0.0}
        connection.execute(insert(evidence_table).values(study_uid=BASELINE.uid, kind="counts", **found))
        connection.execute(insert(search_table).values(**search, fetched=[], partly={}))
    return bench


def put(bench: Bench, limit: Limit, value: float) -> None:
    with bench.database.transaction() as connection:
        connection.execute(update(limit.table).values({limit.column: value}))


def value_of(bench: Bench, column: Column[float]) -> float:
    (row,) = bench.rows(column.table)
    return float(row._mapping[column.name])


def test_every_time_that_something_waits_for_has_a_limit() -> None:
    tables = (
        study_table,
        job_table,
        delivery_table,
        commitment_table,
        commitment_item_table,
        search_table,
        evidence_table,
    )
    waits = {
        (table.name, column.name)
        for table in tables
        for column in table.c
        if column.name in ("last_received_at", "lease_until", "not_before", "until")
    }
    assert set(TIMES) == waits


@pytest.mark.parametrize("limit", RULES, ids=[".".join(one) for one in TIMES])
def test_what_lies_too_far_ahead_is_brought_back_to_its_rule(filled: Bench, limit: Limit) -> None:
    put(filled, limit, time.time() + limit.seconds + HOUR)
    assert bring_back(filled.database, RULES) == 1
    assert value_of(filled, limit.column) == pytest.approx(time.time() + limit.seconds, abs=5)
    assert bring_back(filled.database, RULES) == 0


@pytest.mark.parametrize("limit", RULES, ids=[".".join(one) for one in TIMES])
def test_what_waits_by_its_rule_goes_on_waiting(filled: Bench, limit: Limit) -> None:
    ahead = time.time() + limit.seconds
    put(filled, limit, ahead)
    assert bring_back(filled.database, RULES) == 0
    assert value_of(filled, limit.column) == ahead


def test_the_limits_are_those_of_queue_and_outbox() -> None:
    said = {(one.table.name, one.column.name): one.seconds for one in RULES}
    assert said["job", "not_before"] > LONGEST_RETRY_SECONDS
    assert said["delivery", "lease_until"] == outbox.LEASE_SECONDS
