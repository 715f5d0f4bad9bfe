"""A presentation state against the mask: its lines are filled again, pixel by pixel, and must be the mask."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.path import Path as Polygon
from pydicom.dataset import Dataset

from dicom_templates.errors import ResultUnfit
from dicom_templates.identity import RESEARCH
from dicom_templates.planes import Plane, key_of
from dicom_templates.sources import t2_planes
from pipelines.contract import Exam, MaskArray


def check_presentation(state: Dataset, exam: Exam) -> None:
    """Raises ResultUnfit unless the lines over each image are the outline of its slice, and over no other image."""
    if exam.mask is None:
        raise ResultUnfit("PR: the exam has no tumour mask")
    planes = t2_planes(exam)
    _check_references(state, planes)
    annotations = _annotations(state)
    if unknown := set(annotations) - {plane.key for plane in planes}:
        raise ResultUnfit(f"PR: lines over {next(iter(unknown))[0]}, which is no slice of the axial T2")
    for index, (plane, mask) in enumerate(zip(planes, exam.mask.array, strict=True)):
        annotation = annotations.get(plane.key)
        drawn = np.zeros_like(mask) if annotation is None else _filled(annotation, mask)
        wrong = int(np.count_nonzero(drawn != mask))
        if wrong:
            raise ResultUnfit(f"PR: {wrong} pixels of slice {index} are on the wrong side of the lines")
        if annotation is not None and RESEARCH not in _text(annotation):
            raise ResultUnfit(f"PR: the text over slice {index} does not say {RESEARCH}")


def _check_references(state: Dataset, planes: Sequence[Plane]) -> None:
    header = planes[0].header
    if str(state.StudyInstanceUID) != str(header.StudyInstanceUID):
        raise ResultUnfit("PR: it must be in the study of its images")
    series = state.ReferencedSeriesSequence
    if [str(item.SeriesInstanceUID) for item in series] != [str(header.SeriesInstanceUID)]:
        raise ResultUnfit("PR: it must refer to the axial T2 series and to no other")
    found = {str(item.ReferencedSOPInstanceUID) for item in series[0].ReferencedImageSequence}
    if found != {str(plane.header.SOPInstanceUID) for plane in planes}:
        raise ResultUnfit("PR: the images it refers to are not those of the axial T2")


def _annotations(state: Dataset) -> dict[tuple[str, int | None], Dataset]:
    layers = {str(layer.GraphicLayer) for layer in state.GraphicLayerSequence}
    found: dict[tuple[str, int | None], Dataset] = {}
    for annotation in state.GraphicAnnotationSequence:
        if annotation.GraphicLayer not in layers:
            raise ResultUnfit(f"PR: lines on the layer {annotation.GraphicLayer}, which nobody defines")
        for image in annotation.ReferencedImageSequence:
            if key_of(image) in found:
                raise ResultUnfit(f"PR: two groups of lines over {key_of(image)[0]}")
            found[key_of(image)] = annotation
    return found


def _filled(annotation: Dataset, mask: MaskArray) -> MaskArray:
    """The pixels whose centres are inside an odd number of the closed lines."""
    rows, columns = np.indices(mask.shape)
    centres = np.column_stack([columns.ravel() + 0.5, rows.ravel() + 0.5])
    inside = np.zeros(mask.shape, dtype=bool)
    for line in annotation.GraphicObjectSequence:
        if (line.GraphicAnnotationUnits, line.GraphicType) != ("PIXEL", "POLYLINE"):
            raise ResultUnfit("PR: a line that is no polyline in image coordinates")
        points = np.array(line.GraphicData, dtype=float).reshape(-1, 2)
        if not np.array_equal(points[0], points[-1]):
            raise ResultUnfit("PR: a line that is not closed")
        inside ^= Polygon(points).contains_points(centres).reshape(mask.shape)
    return inside


def _text(annotation: Dataset) -> str:
    return " ".join(str(text.UnformattedTextValue) for text in annotation.get("TextObjectSequence", []))
