"""The pictures with the outline against the mask: the drawn line is found in the pixels and put back in the patient."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.colors import to_rgb
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from scipy.ndimage import binary_erosion, distance_transform_edt

from dicom_templates.contour_picture import Pictures
from dicom_templates.errors import ResultUnfit
from dicom_templates.filing import referred
from dicom_templates.palette import OUTLINES
from dicom_templates.planes import Plane, key_of
from dicom_templates.sources import t2_planes
from pipelines.contract import Exam, Volume

_COLOUR = 40  # of 255: a line's own pixels; its smooth edges are farther from its colour
_T2_PIXELS, _LINE_PIXELS = 1.2, 2.0  # from the line to the mask's edge: its corners, and half of its width
_MILLIMETRES = 1e-3


def check_contours(contours: Sequence[Dataset], exam: Exam) -> None:
    """Raises ResultUnfit unless each picture shows its slice's outline where the slice's mask ends, and says so."""
    pictures, planes = Pictures.of(exam), t2_planes(exam)
    if len(contours) != len(pictures.slices):
        raise ResultUnfit(f"contours: {len(contours)} pictures for {len(pictures.slices)} slices")
    colour = np.array(to_rgb(OUTLINES[exam.files.time_point])) * 255.0
    for contour, index in zip(contours, pictures.slices, strict=True):
        if contour.get("BurnedInAnnotation") != "YES":
            raise ResultUnfit("contours: a picture shows a name and must say so in Burned In Annotation")
        _check_source(contour, planes[index])
        _check_place(contour, exam.t2, index)
        _check_line(contour, exam, index, colour)


def _check_source(contour: Dataset, plane: Plane) -> None:
    header = plane.header
    expected = {str(header.SOPInstanceUID): (str(header.StudyInstanceUID), str(header.SeriesInstanceUID))}
    if referred(contour) != expected or [key_of(item) for item in contour.SourceImageSequence] != [plane.key]:
        raise ResultUnfit("contours: a picture does not name the T2 image that it shows")
    if str(contour.FrameOfReferenceUID) != str(header.FrameOfReferenceUID):
        raise ResultUnfit("contours: frame of reference is not that of the axial T2")


def _check_place(contour: Dataset, t2: Volume, index: int) -> None:
    """The picture lies in the plane of its slice."""
    corner = _to_volume(contour, t2, np.array([[0.0], [0.0]]))
    if abs(corner[0, 0] - index) * t2.spacing[0] > _MILLIMETRES:
        raise ResultUnfit(f"contours: the picture of slice {index} lies at {corner[0, 0]:.3f}")


def _check_line(contour: Dataset, exam: Exam, index: int, colour: NDArray[np.float64]) -> None:
    assert exam.mask is not None  # Pictures.of has seen it
    mask = exam.mask.array[index]
    pixels = np.asarray(contour.pixel_array, dtype=np.float64)
    drawn = np.argwhere(np.abs(pixels - colour).max(axis=2) < _COLOUR).T
    placed = np.rint(_to_volume(contour, exam.t2, drawn.astype(np.float64))[1:]).astype(int)
    in_slice = ((placed >= 0) & (placed < np.array(mask.shape)[:, None])).all(axis=0)
    line = np.zeros(mask.shape, dtype=bool)
    line[tuple(placed[:, in_slice])] = True
    if not mask.any():
        if line.any():
            raise ResultUnfit(f"contours: an outline in slice {index}, which has none")
        return
    edge = mask & ~binary_erosion(mask, border_value=1)  # nothing is drawn along the border of the image
    near = _T2_PIXELS + _LINE_PIXELS * float(contour.PixelSpacing[0]) / min(exam.t2.spacing[1:])
    if edge.any() and (not line.any() or distance_transform_edt(~line)[edge].max() > near):
        raise ResultUnfit(f"contours: the outline in slice {index} does not go around the mask")
    if line.any() and (not edge.any() or distance_transform_edt(~edge)[line].max() > near):
        raise ResultUnfit(f"contours: the outline in slice {index} goes where the mask has no edge")


def _to_volume(contour: Dataset, t2: Volume, pixels: NDArray[np.float64]) -> NDArray[np.float64]:
    """(row, column) in the picture, (2, n), to indices (slice, row, column) in the T2, by the picture's attributes."""
    along_rows, along_columns = np.array(contour.ImageOrientationPatient, dtype=float).reshape(2, 3)
    row_mm, column_mm = (float(value) for value in contour.PixelSpacing)
    place = np.array(contour.ImagePositionPatient, dtype=float)[:, None]
    place = place + np.outer(along_columns, pixels[0] * row_mm) + np.outer(along_rows, pixels[1] * column_mm)
    inverse = np.linalg.inv(t2.affine)
    return np.asarray(inverse[:3, :3] @ place + inverse[:3, 3][:, None], dtype=np.float64)
