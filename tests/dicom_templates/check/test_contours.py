"""The check must find what is wrong: each test breaks one thing in right objects."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
from pydicom.dataset import Dataset

from dicom_templates.check.contours import check_contours
from dicom_templates.contour_series import build_contours
from dicom_templates.encode import reread
from dicom_templates.errors import ResultUnfit
from dicom_templates.identity import ResultIdentity
from pipelines.contract import Exam, TimePoint

MakeExam = Callable[..., Exam]
Built = tuple[list[Dataset], Exam]


@pytest.fixture(scope="module")
def built(make_exam: MakeExam, identity: ResultIdentity) -> Built:
    exam = make_exam(TimePoint.BASELINE)
    return [reread(one) for one in build_contours(exam, identity)], exam


def refuses(built: Built, spoil: Callable[[list[Dataset]], None], message: str) -> None:
    contours, exam = [deepcopy(one) for one in built[0]], built[1]
    spoil(contours)
    with pytest.raises(ResultUnfit, match=message):
        check_contours(contours, exam)


def test_an_outline_two_pixels_off_is_found(built: Built) -> None:
    contours, exam = built
    assert exam.mask is not None
    moved = replace(exam, mask=replace(exam.mask, array=np.roll(exam.mask.array, 3, axis=2)))
    with pytest.raises(ResultUnfit, match=r"outline in slice 1 does not go around the mask"):
        check_contours(contours, moved)


def test_an_outline_around_something_else_as_well_is_found(built: Built) -> None:
    contours, exam = built
    assert exam.mask is not None
    half = exam.mask.array.copy()
    half[4, :, 48:] = False
    with pytest.raises(ResultUnfit, match=r"slice 4 goes where the mask has no edge|slice 4 does not go around"):
        check_contours(contours, replace(exam, mask=replace(exam.mask, array=half)))


def test_a_picture_without_its_outline_and_one_with_a_strange_one_are_found(built: Built) -> None:
    def swap(contours: list[Dataset]) -> None:
        contours[0].PixelData, contours[4].PixelData = contours[4].PixelData, contours[0].PixelData

    def lose(contours: list[Dataset]) -> None:
        contours[4].PixelData = contours[0].PixelData

    refuses(built, swap, "an outline in slice 0, which has none")
    refuses(built, lose, "slice 4 does not go around the mask")


def test_a_picture_in_the_wrong_place_is_found(built: Built) -> None:
    def sideways(contours: list[Dataset]) -> None:
        x, y, z = contours[4].ImagePositionPatient
        contours[4].ImagePositionPatient = [x + 3.0, y, z]

    def up(contours: list[Dataset]) -> None:
        contours[4].ImagePositionPatient = contours[5].ImagePositionPatient

    refuses(built, sideways, "slice 4")
    refuses(built, up, "the picture of slice 4 lies at 5.000")


def test_a_missing_picture_another_source_and_a_silent_annotation_are_found(built: Built) -> None:
    def drop(contours: list[Dataset]) -> None:
        del contours[2]

    def source(contours: list[Dataset]) -> None:
        contours[2].SourceImageSequence = contours[3].SourceImageSequence

    def frame(contours: list[Dataset]) -> None:
        contours[2].FrameOfReferenceUID = "1.2.3"

    def burned(contours: list[Dataset]) -> None:
        contours[2].BurnedInAnnotation = "NO"

    refuses(built, drop, "8 pictures for 9 slices")
    refuses(built, source, "does not name the T2 image")
    refuses(built, frame, "frame of reference")
    refuses(built, burned, "Burned In Annotation")


def test_a_mask_at_the_border_of_the_image_and_one_that_fills_a_slice_pass(
    make_exam: MakeExam, identity: ResultIdentity
) -> None:
    exam = make_exam(TimePoint.BASELINE)
    assert exam.mask is not None
    array = np.zeros_like(exam.mask.array)
    array[3, :10, :20] = True
    array[4] = True
    odd = replace(exam, mask=replace(exam.mask, array=array))
    check_contours([reread(one) for one in build_contours(odd, identity)], odd)
