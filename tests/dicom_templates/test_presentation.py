from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from dicom_templates.check.codes import check_codes
from dicom_templates.check.presentation import check_presentation
from dicom_templates.encode import encode, reread, write_part10
from dicom_templates.errors import TemplateError
from dicom_templates.identity import ResultIdentity
from dicom_templates.presentation import build_presentation
from pipelines.contract import Code, Exam, Findings, InputUnfit, Mask, MaskOrigin, ModelIdentity, TimePoint
from tests.dicom_templates.made_images import enhance
from tests.dicom_templates.validated import complaints
from tests.programs import output_of

MakeExam = Callable[..., Exam]
BASELINE = TimePoint.BASELINE


def test_lines_are_over_the_slices_with_tumour_and_over_no_other(make_exam: MakeExam, identity: ResultIdentity) -> None:
    exam = make_exam(BASELINE)
    assert exam.mask is not None
    state = reread(build_presentation(exam, identity))
    over = {str(one.ReferencedImageSequence[0].ReferencedSOPInstanceUID) for one in state.GraphicAnnotationSequence}
    holds = {
        str(dcmread(path).SOPInstanceUID)
        for path, plane in zip(exam.t2_paths, exam.mask.array, strict=True)
        if plane.any()
    }
    assert over == holds and len(holds) == 7
    assert len(state.ReferencedSeriesSequence[0].ReferencedImageSequence) == 9
    check_presentation(state, exam)


def test_the_first_pixel_is_from_zero_to_one(make_exam: MakeExam, identity: ResultIdentity) -> None:
    """PS3.3 C.10.5: the upper left corner of the upper left pixel is 0\\0, its lower right corner 1\\1."""
    exam = make_exam(BASELINE)
    assert exam.mask is not None
    corner = np.zeros_like(exam.mask.array)
    corner[2, 0, 0] = corner[2, -1, -1] = True
    state = build_presentation(replace(exam, mask=replace(exam.mask, array=corner)), identity)
    (annotation,) = state.GraphicAnnotationSequence
    first, last = (np.array(line.GraphicData).reshape(-1, 2) for line in annotation.GraphicObjectSequence)
    assert first.min() == 0.0 and first.max() == 1.0 and first[:-1].mean(axis=0).tolist() == [0.5, 0.5]
    assert last.max(axis=0).tolist() == [96.0, 80.0]


def test_the_layer_and_the_text_say_whose_outline_it_is(
    make_exam: MakeExam, identity: ResultIdentity, model: ModelIdentity
) -> None:
    exam = make_exam(BASELINE)
    assert exam.mask is not None
    drawn = Mask(exam.mask.array, MaskOrigin.MODEL, "by a network", algorithm="segmenter", version="2.1", model=model)
    for mask, said, series in (
        (exam.mask, "outlined by a reader (Dr. Leser), copied", "AI copy of reader's outline baseline"),
        (drawn, "the model segmenter 2.1 (PHANTOM-TRAINED), not checked by a reader", "AI tumour outline baseline"),
    ):
        state = reread(build_presentation(replace(exam, mask=mask), identity))
        text = state.GraphicAnnotationSequence[0].TextObjectSequence[0].UnformattedTextValue
        assert said in text and text.startswith("AI") and text.endswith("RESEARCH ONLY")
        assert state.SeriesDescription.startswith(series) and len(state.SeriesDescription) <= 64
        (layer,) = state.GraphicLayerSequence
        assert layer.GraphicLayer == "AI_TUMOUR" and len(layer.GraphicLayerRecommendedDisplayCIELabValue) == 3


def test_the_lines_track_the_tumour_of_the_segmentation(make_exam: MakeExam, identity: ResultIdentity) -> None:
    exam = make_exam(BASELINE)
    state = build_presentation(exam, identity)
    tracked = {line.TrackingUID for one in state.GraphicAnnotationSequence for line in one.GraphicObjectSequence}
    assert tracked == {identity.tracking_uid(exam.files.patient)}


def test_pixels_that_are_not_square_are_shown_as_they_are(make_exam: MakeExam, identity: ResultIdentity) -> None:
    (area,) = build_presentation(make_exam(BASELINE), identity).DisplayedAreaSelectionSequence
    assert [float(value) for value in area.PresentationPixelSpacing] == [0.8, 0.7]
    assert "PresentationPixelAspectRatio" not in area


@pytest.mark.parametrize("slopes", [(1.0,), (2.5,), (2.5, 4.0)])
def test_the_window_is_in_the_values_that_a_viewer_windows(
    make_exam: MakeExam, identity: ResultIdentity, slopes: tuple[float, ...]
) -> None:
    """Rescaled where all images have one rescale, which then stands in the state too; stored values otherwise."""

    def edit(ds: Dataset, index: int) -> None:
        ds.RescaleSlope, ds.RescaleIntercept, ds.RescaleType = slopes[index % len(slopes)], -7.0, "US"

    plain = build_presentation(make_exam(BASELINE), identity).SoftcopyVOILUTSequence[0]
    state = build_presentation(make_exam(BASELINE, edit=edit), identity)
    (window,) = state.SoftcopyVOILUTSequence
    assert ("RescaleSlope" in state) == (len(slopes) == 1)
    slope, intercept = (slopes[0], -7.0) if len(slopes) == 1 else (1.0, 0.0)
    assert float(window.WindowCenter) == pytest.approx(float(plain.WindowCenter) * slope + intercept)
    assert float(window.WindowWidth) == pytest.approx(float(plain.WindowWidth) * slope)


def test_frames_of_an_enhanced_image_are_drawn_on_one_by_one(make_exam: MakeExam, identity: ResultIdentity) -> None:
    exam = make_exam(BASELINE)
    enhanced = replace(exam, t2_paths=(enhance(exam.t2_paths),))
    state = reread(build_presentation(enhanced, identity))
    frames = [one.ReferencedImageSequence[0].ReferencedFrameNumber for one in state.GraphicAnnotationSequence]
    assert frames == list(range(8, 1, -1))
    check_presentation(state, enhanced)


def test_without_a_mask_there_is_nothing_to_present(make_exam: MakeExam, identity: ResultIdentity) -> None:
    with pytest.raises(TemplateError, match="no tumour mask to outline"):
        build_presentation(replace(make_exam(BASELINE), mask=None), identity)


def test_without_frame_of_reference_it_is_refused_with_a_reason(make_exam: MakeExam, identity: ResultIdentity) -> None:
    def lose(ds: Dataset, index: int) -> None:
        del ds.FrameOfReferenceUID

    with pytest.raises(InputUnfit) as refusal:
        build_presentation(make_exam(BASELINE, edit=lose), identity)
    assert refusal.value.code is Code.NO_FRAME_OF_REFERENCE


def test_missing_identity_attributes_stay_empty(make_exam: MakeExam, identity: ResultIdentity) -> None:
    def lose(ds: Dataset, index: int) -> None:
        for keyword in ("AccessionNumber", "StudyID", "StudyTime", "ReferringPhysicianName"):
            del ds[keyword]

    state = reread(build_presentation(make_exam(BASELINE, edit=lose), identity))
    assert state.AccessionNumber == "" and not state.ReferringPhysicianName


def test_the_same_work_gives_the_same_bytes(make_exam: MakeExam, identity: ResultIdentity) -> None:
    exam = make_exam(BASELINE)
    first, second = (encode(build_presentation(exam, identity)) for _ in range(2))
    assert first == second


@pytest.mark.peers
@pytest.mark.parametrize("enhanced", [False, True])
def test_dciodvfy_has_nothing_against_it(
    make_exam: MakeExam, identity: ResultIdentity, tmp_path: Path, enhanced: bool
) -> None:
    exam = make_exam(BASELINE)
    exam = replace(exam, t2_paths=(enhance(exam.t2_paths),)) if enhanced else exam
    state = build_presentation(exam, identity)
    check_codes(reread(state))
    assert complaints(state, tmp_path, "GrayscaleSoftcopyPresentationState") == []


@pytest.mark.peers
def test_dcmtk_applies_it_to_its_image(make_exam: MakeExam, identity: ResultIdentity, tmp_path: Path) -> None:
    """dcmp2pgm windows the image by the state and lists its graphics: at the middle of the tumour it is grey."""
    exam = make_exam(BASELINE)
    state = build_presentation(exam, identity)
    write_part10(state, tmp_path / "state.dcm")
    said = output_of(
        "dcmp2pgm",
        "dcmtk",
        *map(Path, ("-v", "-p", str(tmp_path / "state.dcm"), str(exam.t2_paths[4]), str(tmp_path / "shown.pgm"))),
    )
    assert "type=polyline" in said and "units=pixel" in said and "RESEARCH ONLY" in said
    assert not [line for line in said.splitlines() if line.startswith(("E:", "F:"))]
    header, _, pixels = (tmp_path / "shown.pgm").read_bytes().partition(b"255\n")
    shown = np.frombuffer(pixels, dtype=np.uint8).reshape(80, 96)
    assert header.startswith(b"P5") and 100 < shown[47, 48] < 220 and shown[2, 2] < 60


@pytest.mark.peers
def test_dciodvfy_has_nothing_against_a_real_one(
    real_findings: Findings, identity: ResultIdentity, tmp_path: Path
) -> None:
    for exam in real_findings.case.exams:
        state = build_presentation(exam, identity)
        check_presentation(reread(state), exam)
        found = complaints(state, tmp_path, "GrayscaleSoftcopyPresentationState", ("StudyID(0020,0010)",))
        assert found == []
