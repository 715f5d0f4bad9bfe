"""A person's word on two exams."""

from __future__ import annotations

from dataclasses import replace

import pytest

from node import decide, jobs
from node.decide import Retried
from node.errors import JobError, NotFound, RestageError
from node.schema import decision_table
from tests.dicom_files import BASELINE, RESTAGING, exam, of_other_patient, t2_axial
from tests.node.conftest import Bench


def decisions(bench: Bench) -> list[tuple[str, str, str, bool]]:
    return [(row.verb, row.baseline_uid, row.restaging_uid, row.applied) for row in bench.rows(decision_table)]


def test_a_decision_to_pair_is_noted_until_it_is_planned(bench: Bench) -> None:
    bench.receive(*exam(BASELINE), *exam(RESTAGING))
    decide.pair(bench.database, BASELINE.uid, RESTAGING.uid)
    assert decisions(bench) == [("pair", BASELINE.uid, RESTAGING.uid, False)]
    bench.settle_and_plan()
    assert decisions(bench) == [("pair", BASELINE.uid, RESTAGING.uid, True)]


def test_a_study_that_is_not_here_is_named(bench: Bench) -> None:
    bench.receive(*t2_axial(BASELINE))
    with pytest.raises(NotFound, match=r"no study 9\.9"):
        decide.pair(bench.database, BASELINE.uid, "9.9")
    assert decisions(bench) == []


def test_a_study_is_not_paired_with_itself(bench: Bench) -> None:
    bench.receive(*t2_axial(BASELINE))
    with pytest.raises(RestageError, match="same study"):
        decide.pair(bench.database, BASELINE.uid, BASELINE.uid)


def test_two_patients_are_never_paired(bench: Bench) -> None:
    bench.receive(*t2_axial(BASELINE), *t2_axial(of_other_patient(RESTAGING)))
    with pytest.raises(RestageError, match="different patient IDs"):
        decide.pair(bench.database, BASELINE.uid, RESTAGING.uid)
    assert decisions(bench) == []


def test_two_issuers_are_two_patients(bench: Bench) -> None:
    bench.receive(*t2_axial(BASELINE), *t2_axial(replace(RESTAGING, issuer="OTHER")))
    with pytest.raises(RestageError, match="issuers"):
        decide.pair(bench.database, BASELINE.uid, RESTAGING.uid)


def test_a_pair_is_taken_apart_by_its_number(bench: Bench) -> None:
    bench.receive(*exam(BASELINE), *exam(RESTAGING))
    bench.settle_and_plan()
    decide.unpair(bench.database, 1)
    assert decisions(bench) == [("unpair", BASELINE.uid, RESTAGING.uid, False)]


def test_only_a_pair_with_two_exams_can_be_taken_apart(bench: Bench) -> None:
    bench.receive(*exam(BASELINE))
    bench.settle_and_plan()
    for number in (1, 99):
        with pytest.raises(NotFound, match=f"no pair {number}"):
            decide.unpair(bench.database, number)


def test_everything_that_failed_is_tried_again(bench: Bench) -> None:
    assert decide.retry_all(bench.database) == Retried(0, 0, 0, 0)
    bench.put_job(bench.make_pair())
    jobs.fail(bench.database, bench.claim().claim, JobError("broken", permanent=True))
    assert decide.retry_all(bench.database) == Retried(1, 0, 0, 0)
