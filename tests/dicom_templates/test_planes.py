from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from dicom_templates.errors import TemplateError
from dicom_templates.planes import cosines, edge_letters, key_of, on_grid, planes, slice_at, slice_planes
from pipelines.contract import Exam, TimePoint
from tests.dicom_templates.made_images import enhance, with_diffusion

MakeExam = Callable[..., Exam]
BASELINE = TimePoint.BASELINE


def headers(exam: Exam) -> list[Dataset]:
    return [dcmread(path) for path in exam.t2_paths]


@pytest.mark.parametrize("own_groups", [False, True])
def test_frames_of_an_enhanced_image_are_found_in_slice_order(make_exam: MakeExam, own_groups: bool) -> None:
    exam = make_exam(BASELINE)
    enhanced = dcmread(enhance(exam.t2_paths, own_groups=own_groups))
    found = slice_planes(exam, [enhanced])
    assert [plane.frame for plane in found] == list(range(9, 0, -1))  # its frames run from the top down
    for plane, original in zip(found, headers(exam), strict=True):
        assert plane.position == tuple(original.ImagePositionPatient)
        assert plane.spacing == tuple(original.PixelSpacing) and plane.thickness == original.SliceThickness
        assert plane.orientation == pytest.approx(tuple(original.ImageOrientationPatient))
        assert on_grid(plane, exam.t2)


def test_a_reference_leads_back_to_its_plane(make_exam: MakeExam) -> None:
    exam = make_exam(BASELINE)
    for plane in (*planes(headers(exam)), *planes([dcmread(enhance(exam.t2_paths))])):
        assert key_of(plane.reference()) == plane.key
        assert ("ReferencedFrameNumber" in plane.reference()) == (plane.frame is not None)


def test_two_images_at_one_place_are_refused(make_exam: MakeExam) -> None:
    exam = make_exam(BASELINE)
    with pytest.raises(TemplateError, match="9 images at 8 places"):
        slice_planes(exam, [*headers(exam)[:-1], headers(exam)[0]])


def test_a_position_between_slices_is_no_slice(make_exam: MakeExam) -> None:
    t2 = make_exam(BASELINE).t2
    between = t2.affine[:3, 3] + 0.5 * t2.affine[:3, 0]
    with pytest.raises(TemplateError, match="no slice of this grid"):
        slice_at(t2, between)
    with pytest.raises(TemplateError, match="no position"):
        slice_at(t2, ())


def test_slices_that_are_a_little_irregular_still_have_their_place(make_exam: MakeExam) -> None:
    """As the pipeline loads them: up to a twentieth of their distance from a regular grid."""
    t2 = make_exam(BASELINE).t2
    assert slice_at(t2, t2.affine[:3, 3] + 4.03 * t2.affine[:3, 0]) == 4


def test_an_image_of_another_grid_is_not_on_this_one(make_exam: MakeExam) -> None:
    exam = with_diffusion(make_exam(BASELINE))
    diffusion = next(iter(exam.dwi.values()))
    plane = planes(headers(exam))[0]
    assert on_grid(plane, exam.t2) and not on_grid(plane, diffusion)
    assert not on_grid(replace(plane, spacing=()), exam.t2)
    assert not on_grid(replace(plane, position=(0.0, 0.0, 0.0)), exam.t2)


def test_cosines_and_letters_of_an_oblique_axial_stack(make_exam: MakeExam) -> None:
    exam = make_exam(BASELINE)
    assert cosines(exam.t2) == pytest.approx(np.array(headers(exam)[0].ImageOrientationPatient, dtype=float))
    assert edge_letters(exam.t2) == ("R", "L", "A", "P")
