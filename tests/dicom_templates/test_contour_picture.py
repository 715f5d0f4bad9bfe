from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from dicom_templates.contour_picture import ABOVE, BELOW, PICTURE, Canvas, Pictures, shown_slices
from dicom_templates.errors import TemplateError
from dicom_templates.identity import ResultIdentity
from dicom_templates.sources import t2_planes
from pipelines.contract import Exam, Mask, MaskOrigin, ModelIdentity, Patient, TimePoint, Volume

MakeExam = Callable[..., Exam]
BASELINE, RESTAGING = TimePoint.BASELINE, TimePoint.RESTAGING
AMBER, ROSE, YELLOW, BLUE = (0xFF, 0xC2, 0x3D), (0xFF, 0x9D, 0xB0), (0xFF, 0xE1, 0x4D), (0x6F, 0xD3, 0xFF)


def count(pixels: np.ndarray, colour: tuple[int, int, int]) -> int:
    return int((pixels == np.array(colour, dtype=np.uint8)).all(axis=2).sum())


def drawn(exam: Exam, index: int, identity: ResultIdentity) -> np.ndarray:
    return Pictures.of(exam).draw(index, t2_planes(exam)[index], identity)


def test_the_slices_shown_are_those_with_tumour_and_a_neighbour_on_either_side() -> None:
    array = np.zeros((12, 4, 4), dtype=bool)
    array[[0, 5, 6, 9], 1, 1] = True
    assert shown_slices(Mask(array, MaskOrigin.READER, "drawn")) == (0, 1, 4, 5, 6, 7, 8, 9, 10)


def test_the_outline_has_the_colour_of_its_time_point_and_the_neighbour_has_none(
    make_exam: MakeExam, identity: ResultIdentity
) -> None:
    for time_point, colour in ((BASELINE, YELLOW), (RESTAGING, BLUE)):
        exam = make_exam(time_point)
        middle, neighbour = (drawn(exam, index, identity)[ABOVE:-BELOW] for index in (4, 0))
        assert count(middle, colour) > 500 and count(neighbour, colour) == 0


def test_the_flags_are_there_where_they_belong(
    make_exam: MakeExam, identity: ResultIdentity, model: ModelIdentity
) -> None:
    exam = make_exam(BASELINE)
    assert exam.mask is not None
    by_model = Mask(exam.mask.array, MaskOrigin.MODEL, "by a network", algorithm="net", version="2", model=model)
    reader, network = (drawn(replace(exam, mask=mask), 4, identity) for mask in (exam.mask, by_model))
    assert count(reader[:ABOVE], AMBER) > 2000 and count(network[:ABOVE], AMBER) > 2000
    assert count(reader[:ABOVE], ROSE) == 0 and count(network[:ABOVE], ROSE) > 2000


def test_long_names_stay_in_the_picture(make_exam: MakeExam, identity: ResultIdentity) -> None:
    patient = Patient("ID" + "0123456789" * 6, "H", "Featherstonehaugh-Cholmondeley^Maximiliana Theodora", "", "F")
    exam = make_exam(BASELINE, patient=patient)
    assert exam.mask is not None
    long = replace(exam, mask=replace(exam.mask, reader="Prof. Dr. " + "von und zu Langenfeld-Oberhausen " * 8))
    pixels = drawn(long, 4, identity)
    band = np.concatenate([pixels[:ABOVE, -8:], pixels[-BELOW:, -8:]])
    assert len(np.unique(band.reshape(-1, 3), axis=0)) == 1  # nothing runs over the edge
    assert (pixels[-30:] != pixels[-1, 0]).any()  # the last line is still there


def test_pixels_are_square_and_each_lies_where_the_slice_has_its_value() -> None:
    """A ramp along the columns, seen through rows and columns of different size."""
    affine = np.diag([1.0, 1.0, 1.0, 1.0])
    affine[:3, :3] = np.array([[0, 0, 0.5], [0, 2.0, 0], [3.0, 0, 0]])
    ramp = np.broadcast_to(np.arange(100, dtype=np.float32), (2, 40, 100))
    canvas = Canvas.of(Volume(np.ascontiguousarray(ramp), affine))
    assert canvas.spacing == pytest.approx(80.0 / PICTURE)
    assert (canvas.height, canvas.width, canvas.left) == (PICTURE, 480, 144)
    assert canvas.shape == (ABOVE + PICTURE + BELOW, PICTURE)
    sampled = canvas.sample(ramp[0], order=1)
    x_mm = (np.arange(480) + 0.5) * canvas.spacing - 0.25  # from the first pixel's centre
    inside = (x_mm >= 0) & (x_mm <= 49.5)
    assert sampled[300, inside] == pytest.approx(x_mm[inside] / 0.5, abs=1e-3)


def test_an_exam_without_a_mask_has_no_pictures(make_exam: MakeExam) -> None:
    exam = make_exam(BASELINE)
    assert exam.mask is not None
    for mask in (None, replace(exam.mask, array=np.zeros_like(exam.mask.array))):
        with pytest.raises(TemplateError, match="no tumour mask to draw"):
            Pictures.of(replace(exam, mask=mask))
