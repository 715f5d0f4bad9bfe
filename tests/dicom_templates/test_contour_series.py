from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from dicom_templates.check.codes import check_codes
from dicom_templates.check.contours import check_contours
from dicom_templates.contour_picture import ABOVE
from dicom_templates.contour_series import build_contours
from dicom_templates.encode import encode, reread
from dicom_templates.identity import ResultIdentity
from pipelines.contract import Code, Exam, Findings, InputUnfit, TimePoint
from tests.dicom_templates.made_images import enhance
from tests.dicom_templates.validated import complaints

MakeExam = Callable[..., Exam]
BASELINE = TimePoint.BASELINE
#: The plane of the slice, as a Standard Extended SOP Class: viewers sort and link by it.
EXTENSION = ("Attribute is not present in standard DICOM IOD",)


@pytest.fixture(scope="module")
def exam(make_exam: MakeExam) -> Exam:
    return make_exam(BASELINE)


@pytest.fixture(scope="module")
def contours(exam: Exam, identity: ResultIdentity) -> tuple[Dataset, ...]:
    return tuple(reread(one) for one in build_contours(exam, identity))


def test_there_is_a_picture_of_each_slice_with_tumour_and_its_neighbours(
    contours: tuple[Dataset, ...], exam: Exam
) -> None:
    check_contours(contours, exam)
    assert [one.InstanceNumber for one in contours] == list(range(1, 10))
    assert len({one.SeriesInstanceUID for one in contours}) == 1
    assert contours[0].SeriesDescription == "AI reader's outline images baseline RESEARCH ONLY"
    assert {one.BurnedInAnnotation for one in contours} == {"YES"}


def test_a_picture_lies_on_its_slice(contours: tuple[Dataset, ...], exam: Exam) -> None:
    """The middle of the picture's slice is the middle of the T2 image, in patient coordinates."""
    for contour, path in zip(contours, exam.t2_paths, strict=True):
        source = dcmread(path)
        middles = []
        for ds, above, height in ((contour, ABOVE, contour.Rows - ABOVE - 114), (source, 0, source.Rows)):
            along_rows, along_columns = np.array(ds.ImageOrientationPatient, dtype=float).reshape(2, 3)
            row_mm, column_mm = (float(value) for value in ds.PixelSpacing)
            row, column = above + (height - 1) / 2, (ds.Columns - 1) / 2
            corner = np.array(ds.ImagePositionPatient, dtype=float)
            middles.append(corner + along_columns * row * row_mm + along_rows * column * column_mm)
        assert np.allclose(*middles, atol=0.1)
        assert contour.SourceImageSequence[0].ReferencedSOPInstanceUID == source.SOPInstanceUID
        assert contour.FrameOfReferenceUID == source.FrameOfReferenceUID


def test_patient_and_study_are_those_of_the_images(contours: tuple[Dataset, ...], exam: Exam) -> None:
    source = dcmread(exam.t2_paths[0])
    for keyword in ("PatientName", "PatientID", "IssuerOfPatientID", "StudyInstanceUID", "AccessionNumber"):
        assert {str(one[keyword].value) for one in contours} == {str(source[keyword].value)}


def test_frames_of_an_enhanced_image_are_named(exam: Exam, identity: ResultIdentity) -> None:
    enhanced = replace(exam, t2_paths=(enhance(exam.t2_paths),))
    written = [reread(one) for one in build_contours(enhanced, identity)]
    assert [one.SourceImageSequence[0].ReferencedFrameNumber for one in written] == list(range(9, 0, -1))
    check_contours(written, enhanced)


def test_filed_in_the_restaging_study_they_still_lead_to_the_baseline_images(
    make_exam: MakeExam, exam: Exam, identity: ResultIdentity
) -> None:
    restaging = make_exam(TimePoint.RESTAGING)
    written = [reread(one) for one in build_contours(exam, identity, restaging)]
    check_contours(written, exam)
    assert {one.StudyInstanceUID for one in written} == {restaging.files.study_uids[0]}
    assert all("StudiesContainingOtherReferencedInstancesSequence" in one for one in written)


def test_a_second_version_keeps_its_pictures_apart(
    contours: tuple[Dataset, ...], exam: Exam, identity: ResultIdentity
) -> None:
    again = build_contours(exam, replace(identity, version=2))
    assert {one.SeriesInstanceUID for one in again} == {contours[0].SeriesInstanceUID}
    assert min(one.InstanceNumber for one in again) > max(one.InstanceNumber for one in contours)
    assert not {one.SOPInstanceUID for one in again} & {one.SOPInstanceUID for one in contours}


def test_the_same_work_gives_the_same_bytes(
    contours: tuple[Dataset, ...], exam: Exam, identity: ResultIdentity
) -> None:
    assert [encode(one) for one in build_contours(exam, identity)] == [encode(one) for one in contours]


def test_without_frame_of_reference_it_is_refused_with_a_reason(make_exam: MakeExam, identity: ResultIdentity) -> None:
    def lose(ds: Dataset, index: int) -> None:
        del ds.FrameOfReferenceUID

    with pytest.raises(InputUnfit) as refusal:
        build_contours(make_exam(BASELINE, edit=lose), identity)
    assert refusal.value.code is Code.NO_FRAME_OF_REFERENCE


def test_a_real_outline_is_where_the_mask_ends(real_findings: Findings, identity: ResultIdentity) -> None:
    for real in real_findings.case.exams:
        check_contours([reread(one) for one in build_contours(real, identity)], real)


@pytest.mark.peers
def test_dciodvfy_has_nothing_against_them_but_their_plane(contours: tuple[Dataset, ...], tmp_path: Path) -> None:
    check_codes(contours[0])
    assert complaints(contours[0], tmp_path, "SCImage", EXTENSION) == []
    found = complaints(contours[4], tmp_path, "SCImage")
    assert all("Warning" in line for line in found) and len(found) == 5
