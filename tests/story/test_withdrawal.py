"""A result is taken back: whoever read it must be told, in every study and at every peer that has it."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydicom import Dataset
from pydicom.uid import KeyObjectSelectionDocumentStorage, SecondaryCaptureImageStorage

from tests.story.conftest import Story, all_sent, edited, files, in_state

pytestmark = [pytest.mark.story, pytest.mark.timeout(400)]

PATIENT_SAFETY = ("113037", "DCM")


def rejected_by(note: Dataset) -> set[str]:
    """SOP Instance UIDs that a rejection note takes back."""
    return {
        str(reference.ReferencedSOPInstanceUID)
        for item in note.ContentSequence
        for reference in item.get("ReferencedSOPSequence", [])
    }


def withdrawn(patient: dict) -> bool:
    jobs = [job for pair in patient["pairs"] for job in pair["jobs"] if job["task"] == "withdraw"]
    sent = [one for pair in patient["pairs"] for one in pair["deliveries"] if one["kind"] == "withdrawn"]
    return bool(jobs) and bool(sent) and all(one["state"] == "SENT" for one in sent)


def assert_all_taken_back(results: list[Dataset], patient_id: str) -> None:
    """Rejection notes for every object, one note per study, and a page that says so."""
    notes = [one for one in results if one.SOPClassUID == KeyObjectSelectionDocumentStorage]
    pages = [one for one in results if one.SOPClassUID == SecondaryCaptureImageStorage]
    others = [one for one in results if one not in notes and one not in pages]
    titles = [note.ConceptNameCodeSequence[0] for note in notes]
    assert {(title.CodeValue, title.CodingSchemeDesignator) for title in titles} == {PATIENT_SAFETY}
    assert {note.StudyInstanceUID for note in notes} == {one.StudyInstanceUID for one in others}
    (page, last) = sorted(pages, key=lambda one: "WITHDRAWN" in one.SeriesDescription)
    assert "WITHDRAWN" in last.SeriesDescription and last.SeriesInstanceUID == page.SeriesInstanceUID
    taken_back = set().union(*(rejected_by(note) for note in notes))
    assert taken_back == {str(one.SOPInstanceUID) for one in (*others, page)}
    assert {one.PatientID for one in (*notes, last)} == {patient_id}


def test_unpair_withdraws_every_object_that_was_sent(story: Story) -> None:
    patient = story.patient(30)
    for exam in ("baseline", "restaging"):
        story.send(files(patient / exam))
    found = story.when(patient.name, all_sent(1))
    done = story.node.restage("unpair", str(found["pairs"][0]["id"]))
    assert done.returncode == 0, done.stderr
    found = story.when(patient.name, withdrawn)
    assert found["pairs"][0]["reason"] == "taken apart by a person"
    assert_all_taken_back(story.results_of(patient.name), patient.name)


def test_a_patient_merged_in_the_pacs_has_the_result_under_the_new_id_and_the_old_one_is_withdrawn(
    story: Story, tmp_path: Path
) -> None:
    patient = story.patient(31)
    for exam in ("baseline", "restaging"):
        story.send(files(patient / exam))
    story.when(patient.name, all_sent(1))
    merged = f"{patient.name}-MERGED"

    def renamed(dataset: Dataset) -> None:
        dataset.PatientID = merged

    for exam in ("baseline", "restaging"):
        story.send(edited(files(patient / exam), tmp_path / exam, renamed))
    found = story.when(merged, all_sent(1))
    assert in_state("READY")(found)
    assert sorted(one.Modality for one in story.results_of(merged)) == ["OT", "SEG", "SEG", "SR"]
    story.when(patient.name, withdrawn)
    assert_all_taken_back(story.results_of(patient.name), patient.name)
