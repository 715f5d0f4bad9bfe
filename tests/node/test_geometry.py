"""Gaps between the slices that are here, as evidence that some are still to come."""

from __future__ import annotations

import pytest
from pydicom import Dataset
from sqlalchemy import update

from node import geometry
from node.config import Settle
from node.geometry import look_due
from node.schema import evidence_table, study_table
from node.settle import settle
from node.status import read_status
from tests.dicom_files import BASELINE, dwi, localizer, t2_axial
from tests.node.conftest import Bench

RULES = Settle(quiet_seconds=60, evidence_seconds=5, gap_factor=3)
WHOLE = [*t2_axial(BASELINE, slices=8), *dwi(BASELINE, slices=6), *localizer(BASELINE)]
SLICE_LACKS = [*t2_axial(BASELINE, slices=8)[:3], *t2_axial(BASELINE, slices=8)[4:]]
B_VALUE_LACKS = [*t2_axial(BASELINE, slices=8), *dwi(BASELINE, slices=6)[:-1]]


def arrived(bench: Bench, datasets: list[Dataset], seconds_ago: float) -> None:
    bench.receive(*datasets)
    wait(bench, seconds_ago)


def wait(bench: Bench, seconds: float) -> None:
    """As if all had come, and been looked at, so much earlier."""
    studies, known = study_table.c, evidence_table.c
    with bench.database.transaction() as connection:
        connection.execute(update(study_table).values(last_received_at=studies.last_received_at - seconds))
        connection.execute(update(evidence_table).values(received_at=known.received_at - seconds))


def look(bench: Bench) -> int:
    return look_due(bench.database, bench.store, RULES)


@pytest.mark.parametrize(
    ("datasets", "said"),
    [
        (SLICE_LACKS, "series t2_tse_tra: otherwise looks like t2 axial: 1 slice(s) missing: a gap of 6.00 mm"),
        (B_VALUE_LACKS, "series ep2d_diff_tra: otherwise looks like dwi: b 800 has other slice positions than b 50"),
    ],
    ids=["slice", "b-value"],
)
def test_a_gap_extends_the_wait_to_a_multiple_of_the_quiet_period(
    bench: Bench, datasets: list[Dataset], said: str
) -> None:
    arrived(bench, datasets, 61)
    assert look(bench) == 1
    assert settle(bench.database, RULES) == 0
    assert look(bench) == 0, "looked at once"
    wait(bench, 118)
    assert settle(bench.database, RULES) == 0
    wait(bench, 2)
    assert settle(bench.database, RULES) == 1
    ((lack,),) = [exam["missing"] for exam in read_status(bench.database)["patients"][0]["exams"]]
    assert lack.startswith(said)


def test_the_missing_slice_ends_the_wait(bench: Bench) -> None:
    arrived(bench, SLICE_LACKS, 6)
    assert look(bench) == 1
    arrived(bench, t2_axial(BASELINE, slices=8)[3:4], 61)
    assert look(bench) == 0
    assert settle(bench.database, RULES) == 1


def test_whole_series_settle_after_the_quiet_period_whether_they_were_looked_at_or_not(bench: Bench) -> None:
    arrived(bench, WHOLE, 6)
    assert look(bench) == 0
    assert settle(bench.database, RULES) == 0
    wait(bench, 55)
    assert settle(bench.database, RULES) == 1


def test_a_study_that_cannot_be_looked_at_stops_nobody(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(geometry, "classified", broken)
    arrived(bench, SLICE_LACKS, 61)
    assert look(bench) == 0
    assert settle(bench.database, RULES) == 1
