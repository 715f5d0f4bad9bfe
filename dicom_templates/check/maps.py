"""Parametric Maps against the maps they were made from, without the library that wrote them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydicom.dataset import Dataset
from pydicom.sr.coding import Code as Concept

from dicom_templates.codes import images as codes
from dicom_templates.errors import ResultUnfit
from dicom_templates.filing import referred
from dicom_templates.parametric_map import PADDING, WRITINGS, SourcedMap, maps_of, source_planes, stored_values
from dicom_templates.planes import cosines, key_of, on_grid, slice_at
from pipelines.contract import Exam, Findings, FloatArray, Volume

_MILLIMETRES = 1e-3


def check_maps(maps: Sequence[Dataset], exam: Exam, findings: Findings) -> None:
    """Raises ResultUnfit unless ``maps`` are the maps of the exam, in their order, value for value and in place."""
    expected = maps_of(exam, findings)
    if len(maps) != len(expected):
        raise ResultUnfit(f"PM: {len(maps)} objects for {len(expected)} maps of the {exam.files.time_point} exam")
    for written, one in zip(maps, expected, strict=True):
        _check_meaning(written, one)
        _check_grid(written, one.scalar.volume)
        _check_values(written, one)
        _check_sources(written, one, exam)


def read_map(written: Dataset, volume: Volume) -> FloatArray:
    """The stored values, float32 (slices, rows, columns), each frame placed by its position."""
    shape = (int(written.get("NumberOfFrames", 1)), int(written.Rows), int(written.Columns))
    if shape != volume.array.shape:
        raise ResultUnfit(f"PM: frames {shape} are not the map's grid {volume.array.shape}")
    frames = np.frombuffer(written.FloatPixelData, dtype="<f4").reshape(shape)
    placed = [_slice(volume, frame) for frame in written.PerFrameFunctionalGroupsSequence]
    if sorted(placed) != list(range(shape[0])):
        raise ResultUnfit("PM: its frames do not cover every slice once")
    values = np.empty(shape, dtype=np.float32)
    values[placed] = frames
    return values


def _check_meaning(written: Dataset, one: SourcedMap) -> None:
    """Quantity, unit and slope: what a reader's pointer over a voxel shows."""
    writing = WRITINGS[one.scalar.kind]
    (mapping,) = written.SharedFunctionalGroupsSequence[0].RealWorldValueMappingSequence
    unit, quantity = mapping.MeasurementUnitsCodeSequence[0], mapping.QuantityDefinitionSequence[0]
    if not _is(unit, writing.unit):
        raise ResultUnfit(f"PM: the unit of {writing.name} is {unit.CodeValue}, not {writing.unit.value}")
    if not _is(quantity.ConceptCodeSequence[0], codes.MAP_QUANTITIES[one.scalar.kind]):
        raise ResultUnfit(f"PM: {writing.name} is called {quantity.ConceptCodeSequence[0].CodeMeaning}")
    if (mapping.RealWorldValueSlope, mapping.RealWorldValueIntercept) != (1, 0):
        raise ResultUnfit(f"PM: the stored values of {writing.name} are not its values")
    said = str(written.PerFrameFunctionalGroupsSequence[0].DerivationImageSequence[0].DerivationDescription)
    if not said.startswith(one.title[:1024]):
        raise ResultUnfit(f"PM: it says {said!r} of {one.title}")


def _check_grid(written: Dataset, volume: Volume) -> None:
    shared = written.SharedFunctionalGroupsSequence[0]
    spacing = np.array(shared.PixelMeasuresSequence[0].PixelSpacing, dtype=float)
    orientation = np.array(shared.PlaneOrientationSequence[0].ImageOrientationPatient, dtype=float)
    if np.abs(spacing - volume.spacing[1:]).max() > _MILLIMETRES:
        raise ResultUnfit(f"PM: pixel spacing {spacing.tolist()} is not the map's {volume.spacing[1:]}")
    if np.abs(orientation - cosines(volume)).max() > _MILLIMETRES:
        raise ResultUnfit(f"PM: orientation {orientation.tolist()} is not the map's")


def _check_values(written: Dataset, one: SourcedMap) -> None:
    if written.FloatPixelPaddingValue != PADDING:
        raise ResultUnfit(f"PM: padding is {written.FloatPixelPaddingValue}, not {PADDING}")
    values, expected = read_map(written, one.scalar.volume), stored_values(one.scalar)
    has_value = values != PADDING
    if not np.array_equal(has_value, one.scalar.valid):
        raise ResultUnfit(f"PM: {int((has_value ^ one.scalar.valid).sum())} voxels are wrong about having a value")
    wrong = int(np.count_nonzero(values != expected))
    if wrong:
        raise ResultUnfit(f"PM: {wrong} voxels differ from the {WRITINGS[one.scalar.kind].name} map")


def _check_sources(written: Dataset, one: SourcedMap, exam: Exam) -> None:
    """Every image of the source series is referred to, and a frame names just the images that lie where it lies."""
    planes = source_planes(one, exam)
    headers = [plane.header for plane in planes]
    expected = {
        str(header.SOPInstanceUID): (str(header.StudyInstanceUID), str(header.SeriesInstanceUID)) for header in headers
    }
    if referred(written) != expected:
        raise ResultUnfit(f"PM: the images it refers to are not those of the {one.role} series")
    if str(written.FrameOfReferenceUID) != str(headers[0].FrameOfReferenceUID):
        raise ResultUnfit(f"PM: frame of reference is not that of the {one.role} series")
    volume = one.scalar.volume
    at = {plane.key: slice_at(volume, plane.position) for plane in planes if on_grid(plane, volume)}
    for frame in written.PerFrameFunctionalGroupsSequence:
        named = {key_of(item) for item in frame.DerivationImageSequence[0].SourceImageSequence}
        index = _slice(volume, frame)
        if named != {key for key, place in at.items() if place == index}:
            raise ResultUnfit(f"PM: the frame of slice {index} does not name the images that lie there")


def _slice(volume: Volume, frame: Dataset) -> int:
    return slice_at(volume, frame.PlanePositionSequence[0].ImagePositionPatient)


def _is(item: Dataset, concept: Concept) -> bool:
    return bool((item.CodeValue, item.CodingSchemeDesignator) == (concept.value, concept.scheme_designator))
