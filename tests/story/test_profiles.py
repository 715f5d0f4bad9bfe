"""One result, three destinations: each gets what its profile asks for, and shadow mode sends nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import (
    Comprehensive3DSRStorage,
    ComprehensiveSRStorage,
    EncapsulatedPDFStorage,
    SecondaryCaptureImageStorage,
)

from node.demo_patients import PATIENTS, SEED
from node.standin import Archive, send_files
from pipelines.phantom.cohort import write_patient
from tests.running_node import NODE_TITLE, QUICK_SCORING, SENDER_TITLE, Destination, RunningNode, running_node
from tests.story.conftest import files

pytestmark = [pytest.mark.story, pytest.mark.timeout(400)]

OLD_PACS = """\
[peer.profile]
objects = ["report", "summary", "pdf"]
report_class = "comprehensive"
report_title = "126000"
baseline_study = false
series_number = 700
description_prefix = "KI"
transfer_syntax = "implicit"
"""
MUCH = """\
[peer.profile]
objects = ["seg", "report", "summary", "pdf", "presentation"]
baseline_study = false
"""
SHADOW = "[peer.profile]\nshadow = true\n"


@dataclass(frozen=True)
class Delivered:
    """What each destination has, and what the node says of it."""

    node: RunningNode
    received: dict[str, list[Dataset]]
    deliveries: list[dict]
    restaging_study: str


@pytest.fixture(scope="module")
def delivered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Delivered]:
    folder = tmp_path_factory.mktemp("profiles")
    profiles = {"pacs": "", "old": OLD_PACS, "all": MUCH, "shadowed": SHADOW}
    with ExitStack() as stack:
        archives = {name: Archive(folder / name, name.upper()) for name in profiles}
        for archive in archives.values():
            stack.callback(archive.close)
        peers = [Destination(name, name.upper(), archives[name].open(), more) for name, more in profiles.items()]
        truth = write_patient(folder / "patients", SEED, PATIENTS[0].index)
        patient = folder / "patients" / truth.patient_id
        extra = f"[results]\nphantom_scores = true\n{QUICK_SCORING}"
        node = stack.enter_context(running_node(folder / "node", peers, extra))
        images = [*files(patient / "baseline"), *files(patient / "restaging")]
        send_files(images, "127.0.0.1", node.port, called=NODE_TITLE, calling=SENDER_TITLE)
        status = node.wait_until(_finished, 120)
        received = {name: list(archive.received) for name, archive in archives.items()}
        study = dcmread(files(patient / "restaging")[0]).StudyInstanceUID
        yield Delivered(node, received, _deliveries(status), study)


def _deliveries(status: dict) -> list[dict]:
    return [one for patient in status["patients"] for pair in patient["pairs"] for one in pair["deliveries"]]


def _finished(status: dict) -> bool:
    found = _deliveries(status)
    return bool(found) and all(one["state"] in ("SENT", "KEPT", "FAILED") for one in found)


def of_class(datasets: list[Dataset], sop_class: str) -> Dataset:
    (found,) = (dataset for dataset in datasets if dataset.SOPClassUID == sop_class)
    return found


def test_without_a_profile_a_peer_gets_segmentations_report_and_page(delivered: Delivered) -> None:
    assert sorted(dataset.Modality for dataset in delivered.received["pacs"]) == ["OT", "SEG", "SEG", "SR"]
    report = of_class(delivered.received["pacs"], Comprehensive3DSRStorage)
    assert report.ConceptNameCodeSequence[0].CodeValue == "126001"


def test_an_old_pacs_gets_the_objects_class_title_numbers_and_prefix_of_its_profile(delivered: Delivered) -> None:
    received = delivered.received["old"]
    classes = {ComprehensiveSRStorage, SecondaryCaptureImageStorage, EncapsulatedPDFStorage}
    assert {dataset.SOPClassUID for dataset in received} == classes
    assert of_class(received, ComprehensiveSRStorage).ConceptNameCodeSequence[0].CodeValue == "126000"
    assert sorted(int(dataset.SeriesNumber) for dataset in received) == [701, 703, 704]
    assert all(dataset.SeriesDescription.startswith("KI ") for dataset in received)


def test_a_report_without_segmentations_cites_none(delivered: Delivered) -> None:
    report = of_class(delivered.received["old"], ComprehensiveSRStorage)
    assert "1.2.840.10008.5.1.4.1.1.66.4" not in str(report)


def test_no_two_contents_ever_share_a_uid(delivered: Delivered) -> None:
    by_uid: dict[str, set[bytes]] = {}
    for datasets in delivered.received.values():
        for dataset in datasets:
            by_uid.setdefault(str(dataset.SOPInstanceUID), set()).add(dataset.to_json().encode())
    assert all(len(contents) == 1 for contents in by_uid.values())
    assert len(by_uid) == sum(len(datasets) for datasets in delivered.received.values())


def test_a_destination_that_wants_nothing_in_the_baseline_study_gets_everything_in_the_restaging_study(
    delivered: Delivered,
) -> None:
    received = delivered.received["all"]
    assert {dataset.StudyInstanceUID for dataset in received} == {delivered.restaging_study}
    modalities = {dataset.Modality for dataset in received}
    assert {"SEG", "SR", "OT", "DOC", "PR"} <= modalities


def test_shadow_mode_computes_and_keeps_everything_and_sends_nothing(delivered: Delivered) -> None:
    assert delivered.received["shadowed"] == []
    kept = [one for one in delivered.deliveries if one["peer"] == "shadowed"]
    assert {one["state"] for one in kept} == {"KEPT"} and len(kept) == 4
    assert all("shadow" in one["reason"] for one in kept)
