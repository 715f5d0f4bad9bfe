from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from dicom_templates.check.codes import check_codes
from dicom_templates.check.rejection import check_rejections
from dicom_templates.contour_series import build_contours
from dicom_templates.encode import encode, reread, write_part10
from dicom_templates.errors import TemplateError
from dicom_templates.identity import ResultIdentity
from dicom_templates.kinds import Kind, Result
from dicom_templates.profile import Rendering
from dicom_templates.rejection import build_rejections
from dicom_templates.segmentation import build_segmentation
from dicom_templates.summary import build_summary
from dicom_templates.withdrawal import Withdrawal
from pipelines.contract import Case, Exam, Findings, TimePoint
from tests.dicom_templates.validated import complaints
from tests.programs import output_of

MakeExam = Callable[..., Exam]
BASELINE, RESTAGING = TimePoint.BASELINE, TimePoint.RESTAGING
REASON = "The baseline series belong to another patient (Ä. Müller); found by the reporting radiologist."


@pytest.fixture(scope="module")
def case(make_exam: MakeExam) -> Case:
    return Case(make_exam(BASELINE), make_exam(RESTAGING))


def header(dataset: Dataset) -> Dataset:
    return dcmread(BytesIO(encode(dataset)), stop_before_pixels=True)


def sent(case: Case, identity: ResultIdentity) -> tuple[Dataset, ...]:
    """A SEG per exam, the baseline's pictures and the page, as a node keeps them: without pixels."""
    together = None if identity.rendering.in_baseline_study else case.restaging
    objects = [build_segmentation(exam, identity, exam.files.time_point, together or exam) for exam in case.exams]
    if case.baseline is not None:
        objects += build_contours(case.baseline, identity, together or case.baseline)
    return tuple(header(one) for one in (*objects, build_summary(Findings(case), identity)))


@pytest.fixture(scope="module")
def withdrawal(case: Case, identity: ResultIdentity) -> Withdrawal:
    return Withdrawal(sent(case, identity), REASON, identity)


def references(note: Dataset) -> dict[str, str]:
    return {
        str(item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID): item.ValueType
        for item in note.ContentSequence
        if "ReferencedSOPSequence" in item
    }


def test_each_study_gets_a_note_that_rejects_every_object_there(withdrawal: Withdrawal, case: Case) -> None:
    notes = {note.kind: reread(note.dataset) for note in build_rejections(withdrawal)}
    assert set(notes) == {Kind.REJECTION_BASELINE, Kind.REJECTION_RESTAGING}
    assert case.baseline is not None and case.restaging is not None
    for kind, exam in ((Kind.REJECTION_BASELINE, case.baseline), (Kind.REJECTION_RESTAGING, case.restaging)):
        study = exam.files.study_uids[0]
        expected = {str(one.SOPInstanceUID) for one in withdrawal.objects if one.StudyInstanceUID == study}
        assert notes[kind].StudyInstanceUID == study
        assert set(references(notes[kind])) == expected
        (evidence,) = notes[kind].CurrentRequestedProcedureEvidenceSequence
        instances = [one for series in evidence.ReferencedSeriesSequence for one in series.ReferencedSOPSequence]
        assert {str(one.ReferencedSOPInstanceUID) for one in instances} == expected
    assert len(references(notes[Kind.REJECTION_BASELINE])) == 10


def test_a_note_says_why_and_by_the_published_title(withdrawal: Withdrawal) -> None:
    for note in build_rejections(withdrawal):
        written = reread(note.dataset)
        (title,) = written.ConceptNameCodeSequence
        assert (title.CodeValue, title.CodingSchemeDesignator) == ("113037", "DCM")
        assert title.CodeMeaning == "Rejected for Patient Safety Reasons"
        assert [item.TextValue for item in written.ContentSequence if item.get("TextValue") == REASON]
        assert written.Modality == "KO" and "WITHDRAWN" in written.SeriesDescription
        check_codes(written)
    check_rejections([Result(one.kind, reread(one.dataset)) for one in build_rejections(withdrawal)], withdrawal)


def test_patient_and_study_are_those_of_the_objects(withdrawal: Withdrawal) -> None:
    for note in build_rejections(withdrawal):
        written = reread(note.dataset)
        one = next(one for one in withdrawal.objects if one.StudyInstanceUID == written.StudyInstanceUID)
        for keyword in ("PatientName", "PatientID", "IssuerOfPatientID", "AccessionNumber", "StudyDate"):
            assert written[keyword].value == one[keyword].value


def test_documents_are_referred_to_as_what_they_are(withdrawal: Withdrawal) -> None:
    report = Dataset()
    for keyword in ("StudyInstanceUID", "PatientID", "IssuerOfPatientID", "PatientName"):
        report[keyword] = withdrawal.objects[0][keyword]
    report.SOPClassUID, report.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.88.34", "1.2.3.4"
    report.SeriesInstanceUID = "1.2.3"
    with_report = replace(withdrawal, objects=(*withdrawal.objects, report))
    (found,) = {
        references(note.dataset)["1.2.3.4"]
        for note in build_rejections(with_report)
        if "1.2.3.4" in references(note.dataset)
    }
    assert found == "COMPOSITE"
    assert set(references(build_rejections(withdrawal)[0].dataset).values()) == {"IMAGE"}


def test_where_all_is_in_the_restaging_study_there_is_one_note(case: Case, identity: ResultIdentity) -> None:
    together = replace(identity, rendering=Rendering(in_baseline_study=False))
    withdrawal = Withdrawal(sent(case, together), REASON, together)
    (note,) = build_rejections(withdrawal)
    assert note.kind is Kind.REJECTION_RESTAGING and len(references(note.dataset)) == 12
    check_rejections([Result(note.kind, reread(note.dataset))], withdrawal)


@pytest.mark.parametrize("time_point", list(TimePoint))
def test_a_single_exam_has_a_note_of_its_own_kind(
    make_exam: MakeExam, identity: ResultIdentity, time_point: TimePoint
) -> None:
    exam = make_exam(time_point)
    alone = Case(exam, None) if time_point is BASELINE else Case(None, exam)
    (note,) = build_rejections(Withdrawal(sent(alone, identity), REASON, identity))
    assert note.kind == f"rejection_{time_point}"


def test_a_repeat_is_the_same_note_and_another_version_is_another_one(
    withdrawal: Withdrawal, case: Case, identity: ResultIdentity
) -> None:
    first, again = (build_rejections(withdrawal) for _ in range(2))
    assert [encode(one.dataset) for one in first] == [encode(one.dataset) for one in again]
    later = replace(identity, version=2)
    second = build_rejections(Withdrawal(sent(case, later), REASON, later))
    assert {one.dataset.SeriesInstanceUID for one in second} == {one.dataset.SeriesInstanceUID for one in first}
    assert not {one.dataset.SOPInstanceUID for one in second} & {one.dataset.SOPInstanceUID for one in first}


def test_an_object_sent_to_two_destinations_is_rejected_once(withdrawal: Withdrawal) -> None:
    twice = replace(withdrawal, objects=(*withdrawal.objects, *withdrawal.objects))
    for once, again in zip(build_rejections(withdrawal), build_rejections(twice), strict=True):
        assert encode(once.dataset) == encode(again.dataset)


def test_an_object_that_nothing_can_refer_to_is_refused(withdrawal: Withdrawal) -> None:
    nameless = header(withdrawal.objects[0])
    del nameless.SeriesInstanceUID
    with pytest.raises(TemplateError, match="no SeriesInstanceUID"):
        build_rejections(replace(withdrawal, objects=(nameless,)))


def test_missing_accession_numbers_stay_missing_values(make_exam: MakeExam, identity: ResultIdentity) -> None:
    def lose(ds: Dataset, index: int) -> None:
        for keyword in ("AccessionNumber", "StudyID", "StudyTime"):
            del ds[keyword]

    exam = make_exam(BASELINE, edit=lose)
    withdrawal = Withdrawal(sent(Case(exam, None), identity), REASON, identity)
    (note,) = build_rejections(withdrawal)
    assert reread(note.dataset).AccessionNumber == ""
    check_rejections([Result(note.kind, reread(note.dataset))], withdrawal)


@pytest.mark.peers
def test_dciodvfy_and_dsrdump_have_nothing_against_them(withdrawal: Withdrawal, tmp_path: Path) -> None:
    for note in build_rejections(withdrawal):
        assert complaints(note.dataset, tmp_path, "KeyObjectSelectionDocument") == []
        write_part10(note.dataset, tmp_path / "note.dcm")
        said = output_of("dsrdump", "dcmtk", tmp_path / "note.dcm")
        assert "Rejected for Patient Safety Reasons" in said
        assert not [line for line in said.splitlines() if line.startswith(("E:", "F:"))]


def test_where_a_result_was_filed_in_two_studies_over_its_versions_each_has_its_note(
    case: Case, identity: ResultIdentity
) -> None:
    """As when version 1 could not read the restaging exam, and was filed with the baseline."""
    findings = Findings(Case(case.baseline, None)), Findings(case)
    pages = [build_summary(one, replace(identity, version=number)) for number, one in enumerate(findings, 1)]
    withdrawal = Withdrawal(tuple(header(page) for page in pages), REASON, replace(identity, version=2))
    notes = build_rejections(withdrawal)
    assert [note.kind for note in notes] == [Kind.REJECTION_BASELINE, Kind.REJECTION_RESTAGING]
    assert [note.dataset.StudyInstanceUID for note in notes] == [page.StudyInstanceUID for page in pages]
    check_rejections([Result(note.kind, reread(note.dataset)) for note in notes], withdrawal)


def test_an_issuer_that_only_some_objects_name_does_not_stop_a_withdrawal(case: Case, identity: ResultIdentity) -> None:
    objects = sent(case, identity)
    del objects[0].IssuerOfPatientID
    assert len(build_rejections(Withdrawal(objects, REASON, identity))) == 2
