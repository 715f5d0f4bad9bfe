from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from dicom_templates.key_slice import field_of_view, further_slices, key_slice
from pipelines.contract import Alignment, Exam, ModelInputs, TimePoint

MakeExam = Callable[..., Exam]


def test_the_key_slice_has_the_largest_area_and_the_right_scale(make_exam: MakeExam) -> None:
    exam = make_exam(TimePoint.BASELINE, 12.0)
    assert exam.mask is not None
    key = key_slice(exam, field_of_view((exam,)))
    areas = exam.mask.array.sum(axis=(1, 2))
    assert key.index == int(areas.argmax())
    assert key.area_cm2 == pytest.approx(np.pi * 1.2**2, rel=0.05)
    assert key.outline is not None
    shown = (key.outline > 0.5).mean() * key.field_mm**2 / 100
    assert shown == pytest.approx(key.area_cm2, rel=0.03)


def test_the_edges_are_named_for_the_patient(make_exam: MakeExam) -> None:
    assert key_slice(make_exam(TimePoint.BASELINE), 90.0).edges == ("R", "L", "A", "P")


def test_the_adc_picture_shows_the_same_place(make_exam: MakeExam) -> None:
    exam = make_exam(TimePoint.BASELINE)
    key = key_slice(exam, field_of_view((exam,)))
    assert key.diffusion is not None and key.outline is not None and key.is_adc
    assert np.median(key.diffusion[key.outline > 0.9]) == pytest.approx(1.0 / 2.5, abs=0.01)


def test_a_dwi_is_shown_where_there_is_no_adc(make_exam: MakeExam) -> None:
    exam = make_exam(TimePoint.BASELINE)
    key = key_slice(replace(exam, adc=None, dwi={0.0: exam.t2, 800.0: exam.t2}), 90.0)
    assert key.diffusion_words == "DWI b 800 s/mm²" and not key.is_adc
    assert key_slice(replace(exam, adc=None), 90.0).diffusion is None


def test_another_volume_is_sampled_in_the_same_place(make_exam: MakeExam) -> None:
    exam = make_exam(TimePoint.BASELINE)
    assert exam.mask is not None
    key = key_slice(exam, 90.0)
    again = key.sample(exam.t2.like(exam.mask.array.astype(np.float32)))
    assert key.outline is not None and np.allclose(again, key.outline, atol=1e-5)


def test_further_slices_lie_in_the_tumour_and_beside_the_key_slice(make_exam: MakeExam) -> None:
    exam = make_exam(TimePoint.BASELINE, 12.0)
    assert exam.mask is not None
    with_tumour = np.flatnonzero(exam.mask.array.any(axis=(1, 2)))
    found = [key.index for key in further_slices(exam, 90.0, 4)]
    assert found == sorted(set(found)) and set(found) <= set(with_tumour.tolist())
    assert key_slice(exam, 90.0).index not in found and len(found) == 4


def test_without_a_tumour_further_slices_span_the_stack(make_exam: MakeExam) -> None:
    exam = replace(make_exam(TimePoint.BASELINE), mask=None)
    found = [key.index for key in further_slices(exam, 90.0, 4)]
    assert (found[0], found[-1], len(found)) == (0, exam.t2.array.shape[0] - 1, 4)
    assert len(further_slices(exam, 90.0, 99)) == exam.t2.array.shape[0] - 1


def test_an_exam_without_a_tumour_is_shown_where_the_baselines_lay(make_exam: MakeExam) -> None:
    exam = make_exam(TimePoint.RESTAGING)
    assert exam.mask is not None
    bed = replace(exam.mask, array=np.zeros_like(exam.mask.array))
    bed.array[2, 10:20, 12:22] = True
    key = key_slice(replace(exam, mask=None, bed=bed), 90.0)
    assert (key.index, key.of_bed, key.area_cm2) == (2, True, 0.0)
    assert key.outline is not None
    own = key_slice(replace(exam, bed=bed), 90.0)
    assert not own.of_bed
    assert own.index == int(exam.mask.array.sum(axis=(1, 2)).argmax())


def test_the_adc_picture_is_taken_where_the_diffusion_images_were_aligned_to(make_exam: MakeExam) -> None:
    exam = make_exam(TimePoint.BASELINE)
    assert exam.adc is not None
    matrix = np.eye(4)
    matrix[:3, 3] = [0.0, 6.0, 0.0]
    alignment = Alignment(matrix, True, 6.0, "moved by 6 mm")
    displaced = replace(exam.adc.volume, affine=np.linalg.inv(matrix) @ exam.adc.volume.affine)
    inputs = ModelInputs(TimePoint.BASELINE, exam.t2, None, {}, None, (), alignment)
    moved = replace(exam, adc=replace(exam.adc, volume=displaced), inputs=inputs)
    expected, found, left = (key_slice(one, 90.0).diffusion for one in (exam, moved, replace(moved, inputs=None)))
    assert found == pytest.approx(expected, abs=1e-4)
    assert left != pytest.approx(expected, abs=1e-2)
