"""The check must find what is wrong: each test breaks one thing in a right note."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace

import pytest
from pydicom.dataset import Dataset

from dicom_templates.check.rejection import check_rejections
from dicom_templates.encode import reread
from dicom_templates.errors import ResultUnfit
from dicom_templates.identity import ResultIdentity
from dicom_templates.kinds import Kind, Result
from dicom_templates.rejection import build_rejections
from dicom_templates.segmentation import build_segmentation
from dicom_templates.withdrawal import Withdrawal
from pipelines.contract import Exam, TimePoint

MakeExam = Callable[..., Exam]
Built = tuple[Result, Withdrawal]


@pytest.fixture(scope="module")
def built(make_exam: MakeExam, identity: ResultIdentity) -> Built:
    exam = make_exam(TimePoint.RESTAGING)
    segmentation = reread(build_segmentation(exam, identity, TimePoint.RESTAGING))
    withdrawal = Withdrawal((segmentation,), "another patient's images", identity)
    (note,) = build_rejections(withdrawal)
    return Result(note.kind, reread(note.dataset)), withdrawal


def refuses(built: Built, spoil: Callable[[Dataset], None], message: str) -> None:
    note, withdrawal = deepcopy(built[0].dataset), built[1]
    spoil(note)
    with pytest.raises(ResultUnfit, match=message):
        check_rejections([Result(built[0].kind, note)], withdrawal)


def test_what_was_built_passes(built: Built) -> None:
    check_rejections([built[0]], built[1])


def test_another_title_reason_or_series_is_found(built: Built) -> None:
    def title(note: Dataset) -> None:
        note.ConceptNameCodeSequence[0].CodeValue = "113000"

    def reason(note: Dataset) -> None:
        for item in note.ContentSequence:
            if item.get("TextValue") == "another patient's images":
                item.TextValue = "no reason"

    def series(note: Dataset) -> None:
        note.SeriesInstanceUID = "1.2.3"

    refuses(built, title, "the title is")
    refuses(built, reason, "does not give the reason")
    refuses(built, series, "another series")


def test_an_object_that_is_not_rejected_or_not_in_evidence_is_found(built: Built) -> None:
    def cited(note: Dataset) -> None:
        del note.ContentSequence[-1]

    def evidence(note: Dataset) -> None:
        (study,) = note.CurrentRequestedProcedureEvidenceSequence
        study.ReferencedSeriesSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID = "1.2.3"

    def elsewhere(note: Dataset) -> None:
        note.CurrentRequestedProcedureEvidenceSequence[0].StudyInstanceUID = "1.2.3"

    refuses(built, cited, "the objects it rejects are not those that were sent")
    refuses(built, evidence, "the objects in evidence are not those that were sent")
    refuses(built, elsewhere, "evidence of another study")


def test_another_patient_or_study_is_found(built: Built) -> None:
    def patient(note: Dataset) -> None:
        note.PatientID = "RM-0043"

    def study(note: Dataset) -> None:
        note.StudyInstanceUID = "1.2.3"

    refuses(built, patient, "PatientID is 'RM-0043'")
    refuses(built, study, "1 notes for 1 studies, or of other ones")


def test_a_missing_note_and_one_of_the_wrong_kind_are_found(built: Built) -> None:
    note, withdrawal = built
    with pytest.raises(ResultUnfit, match="0 notes for 1 studies"):
        check_rejections([], withdrawal)
    with pytest.raises(ResultUnfit, match="filed as rejection_baseline"):
        check_rejections([replace(note, kind=Kind.REJECTION_BASELINE)], withdrawal)
