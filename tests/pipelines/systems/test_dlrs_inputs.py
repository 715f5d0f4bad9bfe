from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipelines.contract import Code, Exam, InputUnfit, ModelInputs
from pipelines.systems.dlrs_inputs import ADC_SPAN, PUBLISHED, TUMOUR_ADC, BoxRule, Modality, box
from tests.pipelines.made_up_exam import T2_SPACING, made_up_exam, mask_of, plain_inputs

RULE = BoxRule(slices=6, pixels=24, field_mm=60.0)


@pytest.fixture(scope="module")
def exam() -> Exam:
    return made_up_exam(adc=0.7, radius=10.0, ce_t1=False)


@pytest.fixture(scope="module")
def inputs(exam: Exam) -> ModelInputs:
    return plain_inputs(exam)


def only(exam: Exam, *slices: int) -> np.ndarray:
    """The tumour of these slices alone."""
    mask = np.zeros_like(mask_of(exam))
    mask[list(slices)] = mask_of(exam)[list(slices)]
    return mask


def test_the_tumour_is_in_the_middle_of_the_stack_and_the_rest_is_empty(exam: Exam, inputs: ModelInputs) -> None:
    made = box(inputs, Modality.T2, only(exam, 4, 5), RULE)
    assert made.array.shape == (2, 6, 24, 24)
    held = made.array[1].any(axis=(1, 2))
    assert held.tolist() == [False, False, True, True, False, False]
    assert not made.array[0][~held].any()
    assert made.dropped == 0


def test_of_too_many_slices_the_central_ones_are_taken_and_counted(exam: Exam, inputs: ModelInputs) -> None:
    mask = np.repeat(mask_of(exam)[5:6], 10, axis=0)
    made = box(inputs, Modality.T2, mask, RULE)
    assert made.dropped == 4
    assert made.array[1].any(axis=(1, 2)).all()
    alone = box(inputs, Modality.T2, np.where(np.arange(10)[:, None, None] == 2, mask, False), RULE)
    assert (made.array[:, 0] == alone.array[:, 2]).all()


def test_the_field_is_the_same_number_of_millimetres_in_every_case(exam: Exam, inputs: ModelInputs) -> None:
    area = box(inputs, Modality.T2, mask_of(exam), RULE).array[1].astype(float).sum() * (60.0 / 24) ** 2
    held = mask_of(exam).any(axis=(1, 2)).sum()
    expected = mask_of(exam).sum() * T2_SPACING**2 * min(1.0, 6 / held)
    assert area == pytest.approx(expected, rel=0.15)


def test_adc_keeps_its_unit(exam: Exam, inputs: ModelInputs) -> None:
    image, mask = box(inputs, Modality.ADC, mask_of(exam), RULE).array.astype(float)
    assert np.median(image[mask > 0.99]) * ADC_SPAN + TUMOUR_ADC == pytest.approx(0.7, abs=0.03)


def test_t2_does_not_depend_on_the_gain(exam: Exam, inputs: ModelInputs) -> None:
    louder = replace(inputs, t2=inputs.t2.like(inputs.t2.array * np.float32(3.0)))
    first, second = (box(one, Modality.T2, mask_of(exam), RULE).array for one in (inputs, louder))
    assert first.astype(float) == pytest.approx(second.astype(float), abs=5e-3)


def test_invalid_voxels_of_the_adc_have_no_value_and_lower_none(exam: Exam, inputs: ModelInputs) -> None:
    adc = inputs.fitted_adc
    holes = np.random.default_rng(0).random(adc.array.shape) < 0.1
    holed = replace(inputs, adc=adc.like(np.where(holes, np.nan, adc.array).astype(np.float32)))
    image, mask = box(holed, Modality.ADC, mask_of(exam), RULE).array.astype(float)
    inside = (mask > 0.99) & (image != 0)
    assert np.isfinite(image).all()
    assert image[inside].mean() * ADC_SPAN + TUMOUR_ADC == pytest.approx(0.7, abs=0.03)


@pytest.mark.parametrize("rule", [RULE, PUBLISHED])
def test_one_voxel_is_a_tumour(exam: Exam, inputs: ModelInputs, rule: BoxRule) -> None:
    mask = np.zeros_like(mask_of(exam))
    mask[5, 36, 38] = True
    for modality in Modality:
        made = box(inputs, modality, mask, rule).array
        assert np.isfinite(made.astype(float)).all()
        assert made.shape[1:] == (rule.slices, rule.pixels, rule.pixels)
    if rule is RULE:
        assert made[1].any()


def test_an_empty_mask_is_refused(exam: Exam, inputs: ModelInputs) -> None:
    with pytest.raises(InputUnfit) as caught:
        box(inputs, Modality.T2, np.zeros_like(mask_of(exam)), RULE)
    assert caught.value.code is Code.NO_MASK
    assert "baseline exam is empty" in caught.value.reason


def test_as_published_a_stack_is_112_by_112_by_20_with_mean_0_and_deviation_1(exam: Exam, inputs: ModelInputs) -> None:
    made = box(inputs, Modality.T2, mask_of(exam), PUBLISHED).array.astype(float)
    assert made.shape == (1, 20, 112, 112)
    held = made[0][made[0].any(axis=(1, 2))]
    assert len(held) == mask_of(exam).any(axis=(1, 2)).sum()
    assert held.mean() == pytest.approx(0.0, abs=0.01)
    assert held.std() == pytest.approx(1.0, abs=0.01)


def test_as_published_size_is_lost_and_ours_keeps_it(exam: Exam, inputs: ModelInputs) -> None:
    small, large = (made_up_exam(radius=radius, ce_t1=False) for radius in (8.0, 16.0))
    areas = [
        [(box(plain_inputs(one), Modality.T2, mask_of(one), rule).array[-1] != 0).sum() for one in (small, large)]
        for rule in (RULE, PUBLISHED)
    ]
    assert areas[0][1] > 2.5 * areas[0][0]
    shown = [count / 112**2 for count in areas[1]]
    assert shown == pytest.approx([round(one) for one in shown], abs=0.05)  # every slice is filled whole


def test_a_rule_is_written_and_read() -> None:
    for rule in (RULE, PUBLISHED):
        assert BoxRule.from_json(rule.as_json()) == rule
