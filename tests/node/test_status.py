"""What `restage status` tells, as data and for a terminal."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from node import outbox
from node.clinical import import_values
from node.clinical_file import PatientValue
from node.errors import SendError
from node.outbox import RetryPolicy
from node.status import read_status, render_status
from pipelines.clinical.dated import DatedValue
from pipelines.contract import Item
from tests.dicom_files import BASELINE, RESTAGING, dwi, exam, localizer, of_other_patient, t2_axial
from tests.node.conftest import Bench, result


def shown(status: dict[str, Any]) -> str:
    console = Console(width=300, record=True, file=StringIO())
    console.print(render_status(status))
    return console.export_text()


def status_of(bench: Bench) -> dict[str, Any]:
    """As `status --json` gives it."""
    return dict(json.loads(json.dumps(read_status(bench.database))))


@pytest.fixture
def delivered(bench: Bench) -> Bench:
    bench.receive(*exam(BASELINE), *exam(RESTAGING))
    bench.settle_and_plan()
    bench.finish(bench.claim(), [result("seg", "1.2.3.1"), result("report", "1.2.3.2")])
    sent, refused = outbox.claim(bench.database, "pacs")
    outbox.sent(bench.database, sent, 0)
    error = SendError("refused with status 0xC000", permanent=True, status=0xC000)
    outbox.failed(bench.database, refused, error, RetryPolicy(1, 1, 1))
    return bench


def test_a_new_node_says_that_nothing_came(bench: Bench) -> None:
    assert status_of(bench) == {"patients": []}
    assert "Nothing has been received" in shown(status_of(bench))


def test_a_patient_has_exams_pairs_jobs_and_deliveries(delivered: Bench) -> None:
    (patient,) = status_of(delivered)["patients"]
    assert (patient["patient_id"], patient["issuer"]) == ("P1", "HOSPITAL")
    assert [(one["study_uid"], one["study_date"], one["state"]) for one in patient["exams"]] == [
        (BASELINE.uid, "20240110", "PLANNED"),
        (RESTAGING.uid, "20240410", "PLANNED"),
    ]
    assert {one["role"] for one in patient["exams"][0]["series"]} == {"t2_axial", "dwi", "other"}
    assert all(one["reason"] for one in patient["exams"][0]["series"])
    (pair,) = patient["pairs"]
    assert (pair["baseline"], pair["restaging"]) == ([BASELINE.uid], [RESTAGING.uid])
    assert (pair["state"], pair["version"]) == ("READY", 1)
    assert [(job["version"], job["state"]) for job in pair["jobs"]] == [(1, "DONE")]
    assert [(one["kind"], one["peer"], one["state"], one["status"]) for one in pair["deliveries"]] == [
        ("seg", "pacs", "SENT", 0),
        ("report", "pacs", "FAILED", 0xC000),
    ]


def test_the_terminal_shows_the_same(delivered: Bench) -> None:
    text = shown(status_of(delivered))
    for word in ("P1", "HOSPITAL", "20240110", "PLANNED", "t2_axial", BASELINE.uid, "localizer", "job 1", "DONE"):
        assert word in text
    assert "refused with status 0xC000" in text
    assert "91 days apart" in text


def test_patients_stand_apart(bench: Bench) -> None:
    bench.receive(*t2_axial(BASELINE), *t2_axial(of_other_patient(RESTAGING)))
    assert [one["patient_id"] for one in status_of(bench)["patients"]] == ["P1", "P2"]


@pytest.mark.parametrize(
    ("datasets", "code", "words"),
    [
        (exam(BASELINE), "AWAITING_RESTAGING", "only exam here"),
        ([*dwi(BASELINE), *localizer(BASELINE)], "NO_T2_AXIAL", "usable axial T2"),
        (exam(replace(BASELINE, date="")), "NO_STUDY_DATE", "no StudyDate"),
        (exam(replace(BASELINE, patient_id="")), "NO_PATIENT_ID", "no PatientID"),
    ],
)
def test_whatever_waits_or_was_refused_has_its_reason(bench: Bench, datasets: Any, code: str, words: str) -> None:
    bench.receive(*datasets)
    bench.settle_and_plan()
    ((one,),) = [patient["exams"] for patient in status_of(bench)["patients"]]
    assert one["code"] == code
    assert words in one["reason"]
    assert words in shown(status_of(bench))


def test_brackets_and_signs_in_descriptions_are_shown_as_they_are(bench: Bench) -> None:
    odd = replace(BASELINE, description="[red]MR[/] [/bold] 直肠", patient_id="[b]P1")
    bench.receive(*t2_axial(odd, SeriesDescription="t2 [/x] tra"), *localizer(odd))
    bench.settle_and_plan()
    text = shown(status_of(bench))
    assert "[red]MR[/] [/bold] 直肠" in text
    assert "[b]P1" in text


def test_an_issuer_that_only_a_late_object_names_does_not_hide_the_patient(bench: Bench) -> None:
    anonymous = [replace(one, issuer="") for one in (BASELINE, RESTAGING)]
    bench.receive(*exam(anonymous[0]), *exam(anonymous[1]))
    bench.settle_and_plan()
    bench.receive(*t2_axial(RESTAGING, slices=6)[5:])
    bench.settle_and_plan()
    (patient,) = status_of(bench)["patients"]
    assert len(patient["exams"]) == 2
    assert len(patient["pairs"]) == 1
    assert bench.jobs() == [(1, "SUPERSEDED"), (2, "READY")]


def test_clinical_values_stand_with_their_patient(delivered: Bench) -> None:
    dated = DatedValue(Item.CEA, 7.2, date(2024, 1, 9), "labs [ward 3].csv")
    values = [PatientValue(patient, "", dated) for patient in ("P1", "P2")]
    import_values(delivered.database, values)
    (patient,) = status_of(delivered)["patients"]
    assert patient["clinical"] == [
        {"item": "cea_ng_ml", "value": "7.2", "date": "2024-01-09", "source": "labs [ward 3].csv"}
    ]
    text = shown(status_of(delivered))
    for word in ("cea_ng_ml", "7.2", "2024-01-09", "labs [ward 3].csv"):
        assert word in text
