from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from dicom_templates.errors import TemplateError
from dicom_templates.sources import classic_images, decimals, t2_planes
from pipelines.contract import Code, Exam, InputUnfit, TimePoint
from tests.dicom_templates.made_images import enhance

MakeExam = Callable[..., Exam]
BASELINE = TimePoint.BASELINE


def test_the_planes_of_the_t2_are_its_files_in_slice_order(make_exam: MakeExam) -> None:
    exam = make_exam(BASELINE)
    uids = [str(dcmread(path).SOPInstanceUID) for path in exam.t2_paths]
    assert [plane.key for plane in t2_planes(exam)] == [(uid, None) for uid in uids]


def test_files_that_are_not_the_grids_are_refused(make_exam: MakeExam) -> None:
    exam = make_exam(BASELINE)
    flipped = exam.t2.affine.copy()
    flipped[:3, 1] *= -1
    for odd, message in (
        (replace(exam, t2_paths=exam.t2_paths[::-1]), "not in the order of their slices"),
        (replace(exam, t2_paths=exam.t2_paths[:-1]), "8 images at 8 places for 9 slices"),
        (replace(exam, t2=replace(exam.t2, affine=flipped)), "do not run as those"),
    ):
        with pytest.raises(TemplateError, match=message):
            t2_planes(odd)


def test_an_image_without_a_place_in_the_patient_is_refused_with_a_reason(make_exam: MakeExam) -> None:
    def lose(ds: Dataset, index: int) -> None:
        if index == 3:
            del ds.ImageOrientationPatient

    with pytest.raises(InputUnfit, match="no position or orientation") as refusal:
        t2_planes(make_exam(BASELINE, edit=lose))
    assert refusal.value.code is Code.NO_GEOMETRY


@pytest.mark.parametrize("by", [1e-6, 1e-5, -1e-6])
def test_direction_cosines_that_differ_in_their_last_digits_become_one(make_exam: MakeExam, by: float) -> None:
    def turn(ds: Dataset, index: int) -> None:
        cosines = [float(value) for value in ds.ImageOrientationPatient]
        cosines[5] += by * (index % 2)
        ds.ImageOrientationPatient = [f"{value:.9f}" for value in cosines]

    exam = make_exam(BASELINE, edit=turn)
    images = classic_images(t2_planes(exam), 3.6)
    assert len({str(image.ImageOrientationPatient) for image in images}) == 1
    assert [image.SOPInstanceUID for image in images] == [dcmread(path).SOPInstanceUID for path in exam.t2_paths]


@pytest.mark.parametrize("own_groups", [False, True])
def test_frames_are_stood_in_for_by_classic_images(make_exam: MakeExam, own_groups: bool) -> None:
    classic = make_exam(BASELINE)
    exam = replace(classic, t2_paths=(enhance(classic.t2_paths, own_groups=own_groups),))
    images = classic_images(t2_planes(exam), 3.6)
    for image, path in zip(images, classic.t2_paths, strict=True):
        original = dcmread(path)
        assert np.allclose(image.ImagePositionPatient, original.ImagePositionPatient)
        assert image.PixelSpacing == original.PixelSpacing and image.SliceThickness == original.SliceThickness
        assert "NumberOfFrames" not in image and "PerFrameFunctionalGroupsSequence" not in image
    assert len({image.SOPInstanceUID for image in images}) == 9


def test_decimals_fit_their_sixteen_characters() -> None:
    written = decimals([1 / 3, -2e-17 / 3, -123456.789012345678, 0.1 + 0.2])
    assert all(len(str(one)) <= 16 for one in written)
    assert [float(one) for one in written] == pytest.approx([1 / 3, 0.0, -123456.789012346, 0.3], abs=1e-9)
