"""Image planes: every classic image, or every frame of a multi-frame one, with its place in the patient.

Objects that we make refer to planes, whatever kind of image they come in (PS3.3 C.7.6.2, C.7.6.16.2).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from dicom_templates.errors import TemplateError
from pipelines.contract import Exam, Volume

#: Rounded and slightly irregular slice positions: a regular grid lies this near to them (mm, share of the distance).
_POSITION_MM, _POSITION_SHARE = 0.05, 0.05
#: Scanners print direction cosines with rounding noise of about 1e-6 to 1e-5; 1e-4 moves a corner by 0.02 mm.
ORIENTATION_NOISE = 1e-4


@dataclass(frozen=True)
class Plane:
    """One image plane of ``header``; ``frame`` counts from 1 in a multi-frame image and is None in a classic one.

    ``position``, ``orientation`` and ``spacing`` are the values of Image Position and Orientation (Patient) and of
    Pixel Spacing, LPS, mm; empty where the image does not have them. ``thickness``: mm, 0 where it is not said.
    """

    header: Dataset
    frame: int | None
    position: tuple[float, ...]
    orientation: tuple[float, ...]
    spacing: tuple[float, ...]
    thickness: float

    def reference(self) -> Dataset:
        """Item of a Referenced or Source Image Sequence (PS3.3 10.3)."""
        item = Dataset()
        item.ReferencedSOPClassUID = self.header.SOPClassUID
        item.ReferencedSOPInstanceUID = self.header.SOPInstanceUID
        if self.frame is not None:
            item.ReferencedFrameNumber = self.frame
        return item

    @property
    def key(self) -> tuple[str, int | None]:
        """What tells this plane from every other one."""
        return str(self.header.SOPInstanceUID), self.frame


def key_of(reference: Dataset) -> tuple[str, int | None]:
    """:attr:`Plane.key` of the plane that an item refers to."""
    frame = reference.get("ReferencedFrameNumber")
    return str(reference.ReferencedSOPInstanceUID), None if frame is None else int(frame)


def is_multi_frame(header: Dataset) -> bool:
    """Whether an image describes its frames in functional groups (Enhanced MR)."""
    return "PerFrameFunctionalGroupsSequence" in header


def planes(headers: Sequence[Dataset]) -> tuple[Plane, ...]:
    """Every plane of the images, in their order."""
    return tuple(plane for header in headers for plane in _of_image(header))


def slice_planes(exam: Exam, headers: Sequence[Dataset]) -> tuple[Plane, ...]:
    """The plane of each slice of the exam's axial T2, in slice order. TemplateError where a slice has none, or two."""
    placed: dict[int, Plane] = {}
    found = planes(headers)
    for plane in found:
        placed[slice_at(exam.t2, plane.position)] = plane
    count = exam.t2.array.shape[0]
    if len(found) != count or len(placed) != count:
        raise TemplateError(f"the axial T2 has {len(found)} images at {len(placed)} places for {count} slices")
    return tuple(placed[index] for index in range(count))


def slice_at(volume: Volume, position: Sequence[float]) -> int:
    """Index of the slice whose first voxel lies at ``position`` (LPS mm); TemplateError where none does."""
    corners = volume.affine[:3, 3] + np.arange(volume.array.shape[0])[:, None] * volume.affine[:3, 0]
    if len(position) != 3:
        raise TemplateError("an image has no position in the patient")
    distances = np.abs(corners - np.array(position)).max(axis=1)
    nearest = int(distances.argmin())
    if distances[nearest] > position_tolerance(volume):
        raise TemplateError(f"an image at {[round(value, 3) for value in position]} is no slice of this grid")
    return nearest


def position_tolerance(volume: Volume) -> float:
    """How far an image may lie from its slice of a regular grid, mm."""
    return max(_POSITION_MM, _POSITION_SHARE * volume.spacing[0])


def on_grid(plane: Plane, volume: Volume) -> bool:
    """Whether the pixels of the plane are voxels of a slice of the volume."""
    if (int(plane.header.Rows), int(plane.header.Columns)) != volume.array.shape[1:]:
        return False
    if len(plane.position) != 3 or not runs_along(plane, volume):
        return False
    try:
        slice_at(volume, plane.position)
    except TemplateError:
        return False
    return True


def runs_along(plane: Plane, volume: Volume) -> bool:
    """Whether rows and columns run as those of the grid, at its spacing (PS3.3 C.7.6.2.1.1)."""
    if len(plane.orientation) != 6 or len(plane.spacing) != 2:
        return False
    row_spacing, column_spacing = plane.spacing
    along_rows, along_columns = (np.array(half) for half in (plane.orientation[:3], plane.orientation[3:]))
    return bool(
        np.allclose(volume.affine[:3, 1], along_columns * row_spacing, atol=1e-3)
        and np.allclose(volume.affine[:3, 2], along_rows * column_spacing, atol=1e-3)
    )


def cosines(volume: Volume) -> NDArray[np.float64]:
    """Image Orientation (Patient) of the grid: unit vectors of increasing column, then of increasing row index."""
    _, row_mm, column_mm = volume.spacing
    return np.concatenate([volume.affine[:3, 2] / column_mm, volume.affine[:3, 1] / row_mm])


def _of_image(header: Dataset) -> Iterator[Plane]:
    if not is_multi_frame(header):
        yield _plane(header, None, header, header, header)
        return
    shared = next(iter(header.get("SharedFunctionalGroupsSequence") or ()), Dataset())
    for number, own in enumerate(header.PerFrameFunctionalGroupsSequence, start=1):
        position, orientation, measures = (
            _group(own, shared, keyword)
            for keyword in ("PlanePositionSequence", "PlaneOrientationSequence", "PixelMeasuresSequence")
        )
        yield _plane(header, number, position, orientation, measures)


def _plane(header: Dataset, frame: int | None, position: Dataset, orientation: Dataset, measures: Dataset) -> Plane:
    return Plane(
        header,
        frame,
        _numbers(position, "ImagePositionPatient"),
        _numbers(orientation, "ImageOrientationPatient"),
        _numbers(measures, "PixelSpacing"),
        float(measures.get("SliceThickness") or 0.0),
    )


def _group(own: Dataset, shared: Dataset, keyword: str) -> Dataset:
    """A functional group of one frame: its own, else the shared one (PS3.3 C.7.6.16.1)."""
    items = own.get(keyword) or shared.get(keyword) or ()
    return next(iter(items), Dataset())


def _numbers(item: Dataset, keyword: str) -> tuple[float, ...]:
    value = item.get(keyword)
    return () if not value else tuple(float(number) for number in value)


def edge_letters(volume: Volume) -> tuple[str, str, str, str]:
    """Anatomical letters of the left, right, upper and lower edge of its slices (LPS axes, PS3.3 C.7.6.1.1.1)."""
    right, down = _letters(volume.affine[:3, 2]), _letters(volume.affine[:3, 1])
    return right[1], right[0], down[1], down[0]


def _letters(direction: NDArray[np.float64]) -> tuple[str, str]:
    """(where the direction points, where it comes from)."""
    axis = int(np.abs(direction).argmax())
    pair = (("L", "R"), ("P", "A"), ("H", "F"))[axis]
    return pair if direction[axis] > 0 else (pair[1], pair[0])
