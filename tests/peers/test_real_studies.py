"""The main job on real input: two real pelvic studies in by DCMTK's storescu, results out to a real Orthanc."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import Dataset, dcmread
from pydicom.uid import Comprehensive3DSRStorage, SecondaryCaptureImageStorage, SegmentationStorage

from tests.peers.real_run import ALLOWED_SECONDS, Outcome
from tests.real_pair import RealExam, position_along_normal

pytestmark = [pytest.mark.peers, pytest.mark.timeout(400)]


def test_seg_report_and_summary_arrive_in_time(with_masks: Outcome) -> None:
    kinds = sorted(dataset.SOPClassUID for dataset in with_masks.datasets)
    wanted = [Comprehensive3DSRStorage, SecondaryCaptureImageStorage, SegmentationStorage, SegmentationStorage]
    assert kinds == sorted(wanted)
    assert with_masks.seconds < ALLOWED_SECONDS
    print(f"results {with_masks.seconds:.1f} s after the last image")


def test_orthanc_counts_what_was_sent(with_masks: Outcome) -> None:
    assert with_masks.count_by_orthanc == 4


def test_the_masks_are_the_readers_voxel_for_voxel(with_masks: Outcome) -> None:
    for exam in with_masks.pair.exams:
        assert np.array_equal(frames_on(with_masks.seg_of(exam), exam), exam.mask)


def frames_on(seg: Dataset, exam: RealExam) -> NDArray[np.bool_]:
    """The SEG's frames put on the slices that they name as their sources."""
    slices = {str(header.SOPInstanceUID): index for index, header in enumerate(exam.t2)}
    mask = np.zeros(exam.mask.shape, bool)
    pixels = seg.pixel_array
    for frame, groups in zip(pixels, seg.PerFrameFunctionalGroupsSequence, strict=True):
        source = groups.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID
        mask[slices[str(source)]] |= frame.astype(bool)
    return mask


def test_volume_agrees_with_an_independent_count(with_masks: Outcome) -> None:
    found = _numbers(with_masks.report, "Volume")
    wanted = [_volume_cm3(exam) for exam in with_masks.pair.exams]
    assert sorted(found) == pytest.approx(sorted(wanted), rel=0.01)


def _volume_cm3(exam: RealExam) -> float:
    first, second = exam.t2[:2]
    gap = np.linalg.norm(np.array(second.ImagePositionPatient, float) - np.array(first.ImagePositionPatient, float))
    return float(exam.mask.sum() * np.prod(np.array(first.PixelSpacing, float)) * gap / 1000)


def test_adc_agrees_with_an_independent_fit(with_masks: Outcome) -> None:
    """A two-point ADC from the extreme b-values, sampled at the mask's voxels by nearest neighbour."""
    found = _numbers(with_masks.report, "Apparent Diffusion Coefficient")
    wanted = [_adc(exam) for exam in with_masks.pair.exams]
    assert sorted(found) == pytest.approx(sorted(wanted), rel=0.05)


def _adc(exam: RealExam) -> float:
    """Mean ADC in the mask, 10⁻⁶ mm²/s, from the files alone: two points, each voxel where its centre lies."""
    images: dict[int, list[Dataset]] = {}
    for dataset in _read_all(exam.folder):
        name = str(dataset.SeriesDescription)
        if name.startswith("ep2d_diff") and not name.endswith(("ADC", "BVAL")):
            b_value = int(bytes(dataset[0x0019, 0x100C].value).decode().strip(" \0"))
            images.setdefault(b_value, []).append(dataset)
    low, high = min(images), max(images)
    before, after = (sorted(images[b], key=position_along_normal) for b in (low, high))
    slices, rows, columns = _indices(before, _mask_points(exam))
    s_low, s_high = (np.stack([one.pixel_array for one in stack])[slices, rows, columns] for stack in (before, after))
    measurable = (s_low > 0) & (s_high > 0)
    ratio = s_low[measurable] / s_high[measurable]
    return float(np.mean(np.log(ratio)) / (high - low) * 1e6)


def _indices(stack: list[Dataset], points: NDArray[np.float64]) -> tuple[NDArray[np.intp], ...]:
    """Slice, row and column of the voxels in which some LPS points lie."""
    first = stack[0]
    along_row, along_column = np.array(first.ImageOrientationPatient, float).reshape(2, 3)
    offset = points - np.array(first.ImagePositionPatient, float)
    between_rows, between_columns = (float(value) for value in first.PixelSpacing)
    heights = np.array([position_along_normal(one) for one in stack])
    levels = points @ np.cross(along_row, along_column)
    nearest = np.abs(levels[:, None] - heights[None, :]).argmin(axis=1)
    rows = np.rint(offset @ along_column / between_rows).astype(int)
    columns = np.rint(offset @ along_row / between_columns).astype(int)
    return nearest, rows, columns


def _read_all(folder: Path) -> Iterator[Dataset]:
    return (dcmread(path) for path in sorted(folder.glob("*.dcm")))


def _mask_points(exam: RealExam) -> NDArray[np.float64]:
    """LPS positions of the mask's voxel centres (PS3.3 C.7.6.2.1.1, equation C.7.6.2.1-1)."""
    points = []
    for header, plane in zip(exam.t2, exam.mask, strict=True):
        along_row, along_column = np.array(header.ImageOrientationPatient, float).reshape(2, 3)
        between_rows, between_columns = (float(value) for value in header.PixelSpacing)
        for row, column in np.argwhere(plane):
            step = along_row * between_columns * column + along_column * between_rows * row
            points.append(np.array(header.ImagePositionPatient, float) + step)
    return np.array(points)


def test_the_scores_are_flagged_out_of_envelope(with_masks: Outcome) -> None:
    """These are prostates, scored by a model that was trained on phantoms."""
    assert _predicted_numbers(with_masks.report), "the configuration lets scores out"
    assert {"ENV_OUTSIDE", "OUT_OF_ENVELOPE"} <= _codes(with_masks.report)


def test_no_predicted_number_leaves_the_node_unless_configured(scores_withheld: Outcome) -> None:
    assert _predicted_numbers(scores_withheld.report) == []
    assert not re.search(r"probability of good response[^.]*\d", " ".join(_texts(scores_withheld.report)).lower())
    assert "SCORES_WITHHELD" in _codes(scores_withheld.report)
    assert _numbers(scores_withheld.report, "Volume"), "measurements in a reader's own mask are sent either way"


def test_without_masks_there_is_a_result_or_a_coded_refusal_and_never_an_empty_seg(without_masks: Outcome) -> None:
    assert len(without_masks.of(SecondaryCaptureImageStorage)) == 1
    for seg in without_masks.of(SegmentationStorage):
        assert seg.pixel_array.any()
    if not without_masks.of(SegmentationStorage):
        assert {"NO_TUMOUR_FOUND", "NO_MASK"} & _codes(without_masks.report)


def _items(node: Dataset) -> Iterator[Dataset]:
    for item in node.get("ContentSequence", ()):
        yield item
        yield from _items(item)


def _meaning(item: Dataset) -> str:
    return str(item.ConceptNameCodeSequence[0].CodeMeaning) if "ConceptNameCodeSequence" in item else ""


def _numbers(report: Dataset, name: str) -> list[float]:
    """Every NUM whose concept name is exactly this."""
    return [
        float(item.MeasuredValueSequence[0].NumericValue)
        for item in _items(report)
        if item.ValueType == "NUM" and _meaning(item) == name and item.get("MeasuredValueSequence")
    ]


def _predicted_numbers(report: Dataset) -> list[str]:
    """Names of the NUMs that are predictions: by our own coding scheme, in per cent, and no change of a measurement."""
    return [
        _meaning(item)
        for item in _items(report)
        if item.ValueType == "NUM"
        and item.ConceptNameCodeSequence[0].CodingSchemeDesignator == "99RESTAGE"
        and "change" not in _meaning(item).lower()
    ]


def _codes(report: Dataset) -> set[str]:
    """Every code value that stands as a value or a concept name."""
    sequences = ("ConceptNameCodeSequence", "ConceptCodeSequence")
    return {
        str(code.get("CodeValue", "")) for item in _items(report) for name in sequences for code in item.get(name, ())
    }


def _texts(report: Dataset) -> list[str]:
    return [str(item.TextValue) for item in _items(report) if item.ValueType == "TEXT"]
