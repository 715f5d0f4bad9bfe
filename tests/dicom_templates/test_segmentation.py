from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from dicom_templates.check.codes import check_codes
from dicom_templates.check.segmentation import check_segmentation, read_segment
from dicom_templates.encode import encode, reread
from dicom_templates.errors import TemplateError
from dicom_templates.identity import ResultIdentity
from dicom_templates.kinds import Kind
from dicom_templates.segmentation import build_segmentation
from dicom_templates.sources import t2_planes
from pipelines.contract import Code, Exam, Findings, InputUnfit, Mask, MaskOrigin, Patient, TimePoint
from tests.dicom_templates.made_images import enhance, with_structures
from tests.dicom_templates.validated import complaints

MakeExam = Callable[..., Exam]
BASELINE = TimePoint.BASELINE


def written_mask(seg: Dataset, exam: Exam) -> np.ndarray:
    """Unpacked by hand from the bits (PS3.5 8.1.1: first pixel in the least significant bit), placed by z position."""
    bits = np.unpackbits(np.frombuffer(seg.PixelData, np.uint8), bitorder="little")[: exam.t2.array.size]
    frames = bits.reshape(exam.t2.array.shape).astype(bool)
    heights = [float(f.PlanePositionSequence[0].ImagePositionPatient[2]) for f in seg.PerFrameFunctionalGroupsSequence]
    return frames[np.argsort(heights)]


def test_the_mask_comes_back_voxel_for_voxel(make_exam: MakeExam, identity: ResultIdentity) -> None:
    exam = make_exam(BASELINE)
    assert exam.mask is not None
    seg = reread(build_segmentation(exam, identity, BASELINE))
    assert np.array_equal(written_mask(seg, exam), exam.mask.array)
    assert seg.SegmentationType == "BINARY" and int(seg.NumberOfFrames) == len(exam.t2_paths)
    check_segmentation(seg, exam)


def test_the_real_mask_comes_back_voxel_for_voxel(real_findings: Findings, identity: ResultIdentity) -> None:
    for exam in real_findings.case.exams:
        assert exam.mask is not None
        seg = reread(build_segmentation(exam, identity, exam.files.time_point))
        assert np.array_equal(written_mask(seg, exam), exam.mask.array)


def test_a_frame_lies_where_its_source_image_lies(make_exam: MakeExam, identity: ResultIdentity) -> None:
    exam = make_exam(BASELINE)
    seg = reread(build_segmentation(exam, identity, BASELINE))
    positions = {str(ds.SOPInstanceUID): ds.ImagePositionPatient for ds in map(dcmread, exam.t2_paths)}
    for frame in seg.PerFrameFunctionalGroupsSequence:
        uid = str(frame.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID)
        assert frame.PlanePositionSequence[0].ImagePositionPatient == positions.pop(uid)
    assert not positions


def test_patient_and_study_are_the_source_images(make_exam: MakeExam, identity: ResultIdentity) -> None:
    exam = make_exam(BASELINE)
    seg, source = reread(build_segmentation(exam, identity, BASELINE)), dcmread(exam.t2_paths[0])
    for keyword in ("PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientSex", "StudyDate"):
        assert seg[keyword].value == source[keyword].value
    for keyword in ("StudyInstanceUID", "AccessionNumber", "StudyDescription", "ReferringPhysicianName", "StudyTime"):
        assert seg[keyword].value == source[keyword].value
    assert seg.ContentQualification == "RESEARCH" and seg.SeriesNumber == 9001


def test_a_readers_mask_is_typed_manual_and_called_a_copy(make_exam: MakeExam, identity: ResultIdentity) -> None:
    seg = build_segmentation(make_exam(BASELINE), identity, BASELINE)
    segment = seg.SegmentSequence[0]
    assert segment.SegmentAlgorithmType == "MANUAL"
    assert "Copy of the mask that a reader (Dr. Leser) drew" in segment.SegmentDescription
    assert "copy of reader's" in seg.SeriesDescription and seg.Manufacturer == "Restage"
    assert segment.SegmentedPropertyTypeCodeSequence[0].CodeValue == "372087000"
    assert segment.AnatomicRegionSequence[0].CodeValue == "34402009"
    assert len(segment.RecommendedDisplayCIELabValue) == 3


def test_a_models_mask_names_its_model(make_exam: MakeExam, identity: ResultIdentity, model: Any) -> None:
    exam = make_exam(BASELINE)
    assert exam.mask is not None
    mask = Mask(exam.mask.array, MaskOrigin.MODEL, "by a network", algorithm="segmenter", version="2.1", model=model)
    seg = reread(build_segmentation(replace(exam, mask=mask), identity, BASELINE))
    segment = seg.SegmentSequence[0]
    assert segment.SegmentAlgorithmType == "AUTOMATIC" and segment.SegmentAlgorithmName == "segmenter"
    algorithm = segment.SegmentationAlgorithmIdentificationSequence[0]
    assert algorithm.AlgorithmVersion == "2.1" and model.weights_digest in algorithm.AlgorithmParameters
    assert "PHANTOM-TRAINED" in seg.SeriesDescription
    with pytest.raises(TemplateError, match="name its model"):
        build_segmentation(replace(exam, mask=replace(mask, version="")), identity, BASELINE)


def test_an_empty_or_misplaced_mask_is_refused(make_exam: MakeExam, identity: ResultIdentity) -> None:
    exam = make_exam(BASELINE)
    assert exam.mask is not None
    for array, message in ((np.zeros_like(exam.mask.array), "is empty"), (exam.mask.array[1:], "not on the T2 grid")):
        with pytest.raises(TemplateError, match=message):
            build_segmentation(replace(exam, mask=replace(exam.mask, array=array)), identity, BASELINE)
    with pytest.raises(TemplateError, match="no tumour mask"):
        build_segmentation(replace(exam, mask=None), identity, BASELINE)


def test_files_out_of_slice_order_are_refused(make_exam: MakeExam, identity: ResultIdentity) -> None:
    exam = make_exam(BASELINE)
    with pytest.raises(TemplateError, match="not in the order of their slices"):
        build_segmentation(replace(exam, t2_paths=exam.t2_paths[::-1]), identity, BASELINE)


def test_a_grid_whose_rows_run_the_other_way_is_refused(make_exam: MakeExam, identity: ResultIdentity) -> None:
    exam = make_exam(BASELINE)
    flipped = exam.t2.affine.copy()
    flipped[:3, 1] *= -1
    with pytest.raises(TemplateError, match="do not run"):
        build_segmentation(replace(exam, t2=replace(exam.t2, affine=flipped)), identity, BASELINE)


def test_without_frame_of_reference_it_is_refused_with_a_reason(make_exam: MakeExam, identity: ResultIdentity) -> None:
    def lose(ds: Dataset, index: int) -> None:
        del ds.FrameOfReferenceUID

    with pytest.raises(InputUnfit, match="Frame of Reference") as refusal:
        build_segmentation(make_exam(BASELINE, edit=lose), identity, BASELINE)
    assert refusal.value.code is Code.NO_FRAME_OF_REFERENCE


def test_orientation_noise_is_evened_out_and_real_tilt_is_not(make_exam: MakeExam, identity: ResultIdentity) -> None:
    def turn(by: float) -> Callable[[Dataset, int], None]:
        def edit(ds: Dataset, index: int) -> None:
            cosines = [float(value) for value in ds.ImageOrientationPatient]
            cosines[1] += by * (index % 2)
            ds.ImageOrientationPatient = [f"{value:.9f}" for value in cosines]

        return edit

    for noise in (1e-6, 1e-5):
        exam = make_exam(BASELINE, edit=turn(noise))
        check_segmentation(reread(build_segmentation(exam, identity, BASELINE)), exam)
    with pytest.raises(InputUnfit, match="differ") as refusal:
        build_segmentation(make_exam(BASELINE, edit=turn(1e-2)), identity, BASELINE)
    assert refusal.value.code is Code.MIXED_ORIENTATIONS


def test_missing_and_odd_identity_attributes_are_carried_as_they_are(
    make_exam: MakeExam, identity: ResultIdentity
) -> None:
    def edit(ds: Dataset, index: int) -> None:
        for keyword in ("AccessionNumber", "StudyID", "StudyTime", "ReferringPhysicianName", "SliceThickness"):
            del ds[keyword]
        ds.PatientSex = "U"
        ds.PatientBirthDate = ""

    seg = reread(build_segmentation(make_exam(BASELINE, edit=edit), identity, BASELINE))
    assert seg.PatientSex == "U"
    for keyword in ("AccessionNumber", "StudyID", "StudyTime", "ReferringPhysicianName", "PatientBirthDate"):
        assert keyword in seg and not seg[keyword].value
    measures = seg.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    assert float(measures.SliceThickness) == pytest.approx(3.6, abs=1e-3)


@pytest.mark.parametrize(
    ("character_set", "name", "written"),
    [
        ("ISO_IR 100", "Müller^Jürgen", "ISO_IR 100"),
        ("ISO_IR 192", "Мария^Иванова", "ISO_IR 192"),
        (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎", "ISO_IR 192"),
    ],
)
def test_names_survive_their_character_set(
    make_exam: MakeExam, identity: ResultIdentity, character_set: str, name: str, written: str
) -> None:
    def edit(ds: Dataset, index: int) -> None:
        ds.SpecificCharacterSet = character_set
        ds.PatientName = name

    exam = make_exam(BASELINE, patient=Patient("RM-0042", "HOSPITAL-A", name, "19580312", "F"), edit=edit)
    seg = reread(build_segmentation(exam, identity, BASELINE))
    assert str(seg.PatientName) == name
    assert seg.SpecificCharacterSet == written


def test_the_same_work_gives_the_same_bytes(make_exam: MakeExam, identity: ResultIdentity) -> None:
    exam = make_exam(BASELINE)
    first, second = (encode(build_segmentation(exam, identity, BASELINE)) for _ in range(2))
    assert first == second


@pytest.mark.parametrize("own_groups", [False, True])
def test_an_enhanced_source_is_named_frame_by_frame(
    make_exam: MakeExam, identity: ResultIdentity, own_groups: bool
) -> None:
    classic = make_exam(BASELINE)
    path = enhance(classic.t2_paths, own_groups=own_groups)
    exam = replace(classic, t2_paths=(path,))
    assert exam.mask is not None
    seg = reread(build_segmentation(exam, identity, BASELINE))
    assert np.array_equal(written_mask(seg, exam), exam.mask.array)
    assert {str(item.ReferencedSOPInstanceUID) for item in seg.SourceImageSequence} == {dcmread(path).SOPInstanceUID}
    sources = dcmread(path).PerFrameFunctionalGroupsSequence
    for frame in seg.PerFrameFunctionalGroupsSequence:
        source = frame.DerivationImageSequence[0].SourceImageSequence[0]
        there = sources[source.ReferencedFrameNumber - 1].PlanePositionSequence[0].ImagePositionPatient
        assert np.allclose(there, frame.PlanePositionSequence[0].ImagePositionPatient)
    check_segmentation(seg, exam)


def test_wall_and_lumen_are_further_segments_that_may_overlap_the_tumour(
    make_exam: MakeExam, identity: ResultIdentity, model: Any
) -> None:
    exam = with_structures(make_exam(BASELINE), model)
    assert exam.mask is not None and (exam.structures[0].array & exam.mask.array).any()
    seg = reread(build_segmentation(exam, identity, BASELINE))
    check_segmentation(seg, exam)
    labels = [segment.SegmentLabel for segment in seg.SegmentSequence]
    assert labels == [
        "Rectal tumour baseline (reader)",
        "Rectal wall baseline (model)",
        "Rectal lumen baseline (model)",
    ]
    types = [segment.SegmentedPropertyTypeCodeSequence[0] for segment in seg.SegmentSequence]
    assert [(code.CodeValue, code.CodingSchemeDesignator) for code in types] == [
        ("372087000", "SCT"),
        ("15388", "FMA"),
        ("113342003", "SCT"),
    ]
    assert len({tuple(segment.RecommendedDisplayCIELabValue) for segment in seg.SegmentSequence}) == 3
    assert [segment.SegmentAlgorithmType for segment in seg.SegmentSequence] == ["MANUAL", "AUTOMATIC", "AUTOMATIC"]
    wall = read_segment(seg, exam, t2_planes(exam), 2)
    assert np.array_equal(wall, exam.structures[0].array)
    check_codes(seg)


def test_structures_without_a_tumour_mask_make_no_segmentation(
    make_exam: MakeExam, identity: ResultIdentity, model: Any
) -> None:
    exam = replace(with_structures(make_exam(BASELINE), model), mask=None)
    with pytest.raises(TemplateError, match="no tumour mask"):
        build_segmentation(exam, identity, BASELINE)


def test_an_empty_structure_is_refused_by_name(make_exam: MakeExam, identity: ResultIdentity, model: Any) -> None:
    exam = with_structures(make_exam(BASELINE), model)
    empty = replace(exam.structures[1], array=np.zeros_like(exam.structures[1].array))
    with pytest.raises(TemplateError, match="the rectal lumen mask of the baseline exam is empty"):
        build_segmentation(replace(exam, structures=(empty,)), identity, BASELINE)


def test_filed_in_the_restaging_study_it_still_leads_to_the_baseline_images(
    make_exam: MakeExam, identity: ResultIdentity
) -> None:
    exam, restaging = make_exam(BASELINE), make_exam(TimePoint.RESTAGING)
    seg = reread(build_segmentation(exam, identity, BASELINE, restaging))
    study = dcmread(restaging.t2_paths[0])
    for keyword in ("StudyInstanceUID", "StudyDate", "AccessionNumber"):
        assert seg[keyword].value == study[keyword].value
    assert seg.FrameOfReferenceUID == dcmread(exam.t2_paths[0]).FrameOfReferenceUID
    assert "ReferencedSeriesSequence" not in seg
    (other,) = seg.StudiesContainingOtherReferencedInstancesSequence
    assert other.StudyInstanceUID == exam.files.study_uids[0]
    assert "baseline" in seg.SeriesDescription
    check_segmentation(seg, exam)


def test_the_readers_own_object_stays_what_it_is(make_exam: MakeExam, identity: ResultIdentity) -> None:
    """Ours is a copy: another series, another instance, another maker."""
    exam = make_exam(BASELINE)
    assert exam.mask is not None
    theirs = replace(exam.mask, source_sop_uid="1.2.826.0.1.999.1.20.1")
    seg = build_segmentation(replace(exam, mask=theirs), identity, BASELINE)
    assert seg.SOPInstanceUID == identity.sop_uid(Kind.SEG_BASELINE) != theirs.source_sop_uid
    assert seg.SeriesInstanceUID == identity.series_uid(Kind.SEG_BASELINE) and seg.Manufacturer == "Restage"


@pytest.mark.peers
@pytest.mark.parametrize("refiled", [False, True])
def test_dciodvfy_has_nothing_against_several_segments(
    make_exam: MakeExam, identity: ResultIdentity, model: Any, tmp_path: Path, refiled: bool
) -> None:
    exam = with_structures(make_exam(BASELINE), model)
    filed = make_exam(TimePoint.RESTAGING) if refiled else None
    assert complaints(build_segmentation(exam, identity, BASELINE, filed), tmp_path, "Segmentation") == []


@pytest.mark.peers
def test_dciodvfy_has_nothing_against_frames_of_an_enhanced_image(
    make_exam: MakeExam, identity: ResultIdentity, tmp_path: Path
) -> None:
    exam = make_exam(BASELINE)
    enhanced = replace(exam, t2_paths=(enhance(exam.t2_paths),))
    assert complaints(build_segmentation(enhanced, identity, BASELINE), tmp_path, "Segmentation") == []
