from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipelines.contract import Code, Exam, InputUnfit
from pipelines.systems.signature_inputs import CropRule, Sequence, network_input, signature_input
from pipelines.volumes.normalise import discretise
from tests.pipelines.made_up_exam import made_up_exam, mask_of, plain_inputs

RULE = CropRule(field_mm=60.0, pixels=40)


def crop(exam: Exam, sequence: Sequence, rule: CropRule = RULE) -> np.ndarray:
    assert exam.mask is not None
    return signature_input(plain_inputs(exam), sequence, exam.mask.array, rule)


@pytest.mark.parametrize(("sequence", "channels"), [(Sequence.T2, 3), (Sequence.DWI, 3), (Sequence.CE_T1, 3)])
def test_crops_have_the_rules_size_and_the_mask_last_and_centred(sequence, channels) -> None:
    found = crop(made_up_exam(), sequence)
    assert found.shape == (channels, 40, 40)
    assert found.dtype == np.float32
    rows, columns = np.nonzero(found[-1] > 0.5)
    assert rows.mean() == pytest.approx(19.5, abs=0.6)
    assert columns.mean() == pytest.approx(19.5, abs=0.6)


def test_the_slice_with_the_largest_area_is_taken() -> None:
    exam = made_up_exam()
    marked = exam.t2.array.copy()
    largest = int(exam.mask.array.sum(axis=(1, 2)).argmax())
    marked[largest] = 1000.0
    found = crop(replace(exam, t2=exam.t2.like(marked)), Sequence.T2)
    assert (found[0] == 1.0).all()


def test_the_field_is_millimetres_whatever_the_spacing() -> None:
    exam = made_up_exam(radius=14.0)
    for sequence in (Sequence.T2, Sequence.DWI):
        area = crop(exam, sequence)[-1].sum() * (60.0 / 40) ** 2
        assert area == pytest.approx(np.pi * 14.0 * 11.2, rel=0.12)


def test_adc_keeps_its_physical_scale_and_weighted_images_lie_between_0_and_1() -> None:
    found = crop(made_up_exam(adc=0.7), Sequence.DWI)
    inside = found[2] > 0.99
    assert found[1][inside].mean() * 3.5 == pytest.approx(0.7, abs=0.03)
    assert 0.0 <= found[0].min() <= found[0].max() <= 1.0


def test_a_missing_sequence_is_refused_and_never_an_empty_image() -> None:
    with pytest.raises(InputUnfit, match="baseline exam has no contrast-enhanced T1") as caught:
        crop(made_up_exam(ce_t1=False), Sequence.CE_T1)
    assert caught.value.code is Code.INPUTS_MISSING


def test_a_mask_outside_the_sequence_is_refused() -> None:
    exam = made_up_exam()
    away = exam.ce_t1.affine.copy()
    away[0, 3] += 1000.0
    with pytest.raises(InputUnfit, match="lies outside the ce_t1 images"):
        crop(replace(exam, ce_t1=replace(exam.ce_t1, affine=away)), Sequence.CE_T1)


def test_a_crop_over_the_edge_repeats_the_edge() -> None:
    found = crop(made_up_exam(), Sequence.T2, CropRule(field_mm=200.0, pixels=40))
    assert found[0].min() > 0.0


def test_a_whole_slice_is_resampled_from_edge_to_edge_and_alone() -> None:
    exam = made_up_exam()
    found = crop(exam, Sequence.T2, CropRule(pixels=36, whole=True))
    assert found.shape == (1, 36, 36)
    largest = int(mask_of(exam).sum(axis=(1, 2)).argmax())
    # 72 pixels to 36: every new pixel lies between four old ones.
    plane = discretise(plain_inputs(exam).t2.array)[largest] / 255.0
    expected = plane.reshape(36, 2, 36, 2).mean(axis=(1, 3))
    assert found[0] == pytest.approx(expected, abs=1e-5)


def test_a_network_sees_a_lone_image_as_a_colour_image() -> None:
    lone = np.random.default_rng(0).random((2, 1, 8, 8)).astype(np.float16)
    seen = network_input(lone)
    assert seen.shape == (2, 3, 8, 8)
    assert all(np.array_equal(seen[:, channel].numpy(), lone[:, 0].astype(np.float32)) for channel in range(3))
