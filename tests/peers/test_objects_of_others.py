"""Segmentations, structure sets and reports that others made: read by our code, or refused with a reason."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import highdicom as hd
import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import Dataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.sr.codedict import codes
from pydicom.uid import ImplicitVRLittleEndian

from pipelines.contract import Code, ExamFiles, InputUnfit, Patient, TimePoint, Volume
from pipelines.masks.annotations import DEFAULT_ROI_PATTERN, read_annotation
from pipelines.masks.reader_mask import find_reader_mask
from pipelines.masks.segment_frames import segment_mask
from pipelines.reports.reader_report import read_reader_report

pytestmark = pytest.mark.peers

DCMQI = Path("dcmqi_prostate_adc_seg_sr/files/data")
COMPRESSED = Path("pydicom_data_compressed/files/data_store/data")
Points = set[tuple[float, float, float]]  # LPS, mm, to a hundredth


def test_every_annotation_of_others_is_read_or_refused_with_a_reason(shared_data: Path) -> None:
    answers = {path: _answer(path, _annotation) for path in _of_modality(shared_data, {"SEG", "RTSTRUCT"})}
    assert len(answers) >= 10
    assert [path for path, answer in answers.items() if not answer] == []


def test_every_report_of_others_is_read_or_refused_with_a_reason(shared_data: Path) -> None:
    answers = {path: _answer(path, _report) for path in _of_modality(shared_data, {"SR"})}
    assert len(answers) >= 3
    assert [path for path, answer in answers.items() if not answer] == []


@pytest.mark.parametrize(
    ("path", "segments"),
    [
        (DCMQI / "segmentations/23x38x3/seg/label.seg", 1),
        (DCMQI / "segmentations/24x38x3/seg/label.seg", 1),
        (DCMQI / "segmentations/liver.dcm", 1),
        (DCMQI / "segmentations/partial_overlaps.dcm", 5),
        (DCMQI / "segmentations/sparse-labelmap-noppv.dcm", 1),
        (DCMQI / "segmentations/sparse-labelmap-ppv5.dcm", 1),
        (DCMQI / "sr-example/seg.dcm", 1),
        (COMPRESSED / "liver_j2k.dcm", 1),
    ],
    ids=lambda value: value.name if isinstance(value, Path) else str(value),
)
def test_the_voxels_of_a_segment_of_others_lie_where_highdicom_sees_them(
    path: Path, segments: int, shared_data: Path
) -> None:
    dataset, theirs = dcmread(shared_data / path), hd.seg.segread(shared_data / path)
    for number in range(1, segments + 1):
        mask, grid = segment_mask(dataset, number)
        volume = theirs.get_volume(segment_numbers=[number], combine_segments=False, allow_missing_positions=True)
        points = _points(mask, grid.affine)
        assert points
        assert points == _points(volume.array[..., 0] > 0, volume.affine)


@pytest.mark.parametrize("name", ["liver_rle.dcm", "liver_deflate.dcm"])
def test_frames_that_nobody_here_can_decode_are_refused(name: str, shared_data: Path) -> None:
    with pytest.raises(InputUnfit) as refused:
        segment_mask(dcmread(shared_data / COMPRESSED / name), 1)
    assert refused.value.code is Code.PIXELS_UNREADABLE


def test_a_mask_that_dcmqi_wrote_is_taken_voxel_for_voxel_once_it_is_coded_as_the_tumour(
    shared_data: Path, tmp_path: Path
) -> None:
    folder = shared_data / DCMQI / "segmentations" / "24x38x3"
    seg = dcmread(folder / "seg" / "label.seg")
    mask, _ = segment_mask(seg, 1)
    recoded = _recoded_as_tumour(seg, tmp_path)
    found, statements = find_reader_mask(_exam(seg, recoded), _stack(folder / "image"))
    assert statements == ()
    assert found is not None
    assert np.array_equal(found.array, mask)
    assert found.source_sop_uid == seg.SOPInstanceUID
    assert "as drawn on the axial T2" in found.how


def test_the_same_mask_on_images_of_another_frame_of_reference_is_refused(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / DCMQI / "segmentations"
    seg = dcmread(folder / "24x38x3" / "seg" / "label.seg")
    found, (statement,) = find_reader_mask(
        _exam(seg, _recoded_as_tumour(seg, tmp_path)), _stack(folder / "23x38x3" / "image")
    )
    assert found is None
    assert statement.code is Code.READER_MASK_UNFIT
    assert "frame of reference" in statement.reason


def test_a_structure_set_of_a_planning_system_without_a_rectal_tumour_is_refused(
    shared_data: Path, tmp_path: Path
) -> None:
    rtstruct = dcmread(shared_data / "pydicom_test_files/files/src/pydicom/data/test_files/rtstruct.dcm", force=True)
    rtstruct.file_meta = FileMetaDataset()
    rtstruct.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    rtstruct.save_as(tmp_path / "rtstruct.dcm", enforce_file_format=True)
    assert "is not named as the tumour" in _answer(tmp_path / "rtstruct.dcm", _annotation)


def _of_modality(folder: Path, wanted: set[str]) -> Iterator[Path]:
    """Files without a preamble, which a node never keeps, count too: they are to be refused, not to end anything."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix not in (".md", ".txt", ".upstream", ".gz"):
            header = dcmread(path, specific_tags=["Modality"], stop_before_pixels=True, force=True)
            if header.get("Modality") in wanted:
                yield path


def _answer(path: Path, read: Callable[[Path], object]) -> str:
    """What our code makes of a file in its own study: the object read, "nothing of ours", or the reason."""
    try:
        return str(read(path) or "nothing that concerns a rectal tumour")
    except InputUnfit as refused:
        return refused.reason


def _annotation(path: Path) -> object:
    return read_annotation(path, [_study_uid(path)], DEFAULT_ROI_PATTERN)


def _report(path: Path) -> object:
    return read_reader_report(path, [_study_uid(path)], TimePoint.RESTAGING)


def _study_uid(path: Path) -> str:
    return str(dcmread(path, specific_tags=["StudyInstanceUID"], stop_before_pixels=True, force=True).StudyInstanceUID)


def _points(mask: NDArray[np.bool_], affine: NDArray[np.float64]) -> Points:
    places = np.argwhere(mask) @ affine[:3, :3].T + affine[:3, 3]
    return {(float(x), float(y), float(z)) for x, y, z in np.round(places, 2) + 0.0}


def _recoded_as_tumour(seg: Dataset, folder: Path) -> Path:
    (segment,) = seg.SegmentSequence
    segment.SegmentedPropertyTypeCodeSequence = [hd.sr.CodedConcept.from_code(codes.SCT.NeoplasmPrimary)]
    segment.AnatomicRegionSequence = [hd.sr.CodedConcept.from_code(codes.SCT.Rectum)]
    segment.SegmentLabel = "Rectal tumour"
    path = folder / "recoded.dcm"
    seg.save_as(path)
    return path


def _exam(seg: Dataset, annotation: Path) -> ExamFiles:
    patient = Patient(str(seg.PatientID), "", str(seg.PatientName), "", "")
    uids = (str(seg.StudyInstanceUID),)
    return ExamFiles(TimePoint.RESTAGING, uids, date(2025, 1, 1), patient, {}, annotations=(annotation,))


def _stack(folder: Path) -> Volume:
    """Classic slices as a volume, by highdicom's reading of their geometry, slices along the normal."""
    datasets = [dcmread(path) for path in sorted(folder.glob("*.dcm"))]
    volume = hd.get_volume_from_series(datasets).flip_spatial(0)
    return Volume(volume.array.astype(np.float32), volume.affine, str(datasets[0].FrameOfReferenceUID))
