from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipelines.contract import Code, InputUnfit, MapKind, TimePoint, Volume
from pipelines.features import measured_features
from pipelines.inputs.model_inputs import half_scale, inputs_of, model_inputs
from tests.pipelines.made_up_exam import made_up_exam, mask_of, plain_inputs

KURTOSIS_B = (0.0, 600.0, 1000.0, 1500.0, 2000.0)


def test_b_values_above_the_limit_do_not_change_the_adc_that_models_see() -> None:
    exam = made_up_exam()
    noise = Volume(np.ones_like(exam.dwi[0.0].array), exam.dwi[0.0].affine)
    more = replace(exam, dwi={**exam.dwi, 2000.0: noise})
    first, second = plain_inputs(exam), plain_inputs(more)
    assert max(second.dwi) == 1000.0
    assert np.array_equal(first.fitted_adc.array, second.fitted_adc.array, equal_nan=True)


def test_missing_diffusion_is_kept_as_a_refusal_that_names_the_exam_and_what_is_there() -> None:
    exam = made_up_exam(TimePoint.RESTAGING)
    inputs = plain_inputs(replace(exam, dwi={}))
    with pytest.raises(InputUnfit, match=r"restaging exam lacks diffusion.*it has: none") as caught:
        inputs.demand_diffusion()
    assert caught.value.code is Code.NO_DIFFUSION
    with pytest.raises(InputUnfit, match="it has: 1000"):
        plain_inputs(replace(exam, dwi={1000.0: exam.dwi[1000.0]})).high_b  # noqa: B018 - the property raises


def test_b_values_too_close_together_are_refused_naming_the_exam() -> None:
    inputs = plain_inputs(made_up_exam(TimePoint.RESTAGING, b_values=(0.0, 50.0)))
    with pytest.raises(InputUnfit, match="the restaging exam: b-values 0, 50") as caught:
        inputs.demand_diffusion()
    assert caught.value.code is Code.ADC_NOT_ESTIMABLE
    assert inputs.dwi == {}


def test_a_planted_field_goes_from_weighted_images_and_never_touches_the_adc() -> None:
    exam = made_up_exam()
    rows = np.linspace(-0.4, 0.4, exam.t2.array.shape[1], dtype=np.float32)
    on_dwi = np.linspace(-0.4, 0.4, exam.dwi[0.0].array.shape[1], dtype=np.float32)
    shaded = replace(
        exam,
        t2=exam.t2.like(exam.t2.array * np.exp(rows)[None, :, None]),
        dwi={b: volume.like(volume.array * np.exp(on_dwi)[None, :, None]) for b, volume in exam.dwi.items()},
    )
    inputs = model_inputs(shaded)
    tissue = ~mask_of(exam)
    before = shaded.t2.array[tissue].std() / shaded.t2.array[tissue].mean()
    after = inputs.t2.array[tissue].std() / inputs.t2.array[tissue].mean()
    assert after < 0.35 * before
    plain = plain_inputs(exam).fitted_adc.array
    both = np.isfinite(plain) & np.isfinite(inputs.fitted_adc.array)
    assert both.mean() > 0.9
    assert np.median(np.abs(inputs.fitted_adc.array - plain)[both]) < 0.02
    assert ("bias correction" in dict(inputs.parameters)) and dict(inputs.parameters)["bias correction"] != "none"


def test_the_ratio_of_two_b_values_survives_bias_correction() -> None:
    exam = made_up_exam()
    inputs = model_inputs(exam)
    asked = exam.dwi[1000.0].array / exam.dwi[0.0].array
    found = inputs.dwi[1000.0].array / inputs.dwi[0.0].array
    assert found == pytest.approx(asked, rel=5e-3)


def anatomy(volume: Volume) -> np.ndarray:
    """A pattern of a few centimetres in the patient's plane, float32 of the volume's shape, 0.4 to 1.6."""
    index = np.indices(volume.array.shape).reshape(3, -1)
    x, y, _ = volume.affine[:3, :3] @ index + volume.affine[:3, 3:]
    pattern = 1 + 0.3 * np.sin(x / 5) + 0.3 * np.sin(y / 6 + x / 11)
    return pattern.reshape(volume.array.shape).astype(np.float32)


def test_a_diffusion_series_that_lies_beside_the_t2_is_moved_and_the_features_follow() -> None:
    plain = made_up_exam(adc=0.7)
    # Both sequences show the same anatomy, or there is nothing to align by.
    exam = replace(
        plain,
        t2=plain.t2.like(plain.t2.array * anatomy(plain.t2)),
        dwi={b: volume.like(volume.array * anatomy(volume)) for b, volume in plain.dwi.items()},
    )
    away = exam.dwi[0.0].affine.copy()
    away[:3, 3] += 4.0 * away[:3, 1] / np.linalg.norm(away[:3, 1])
    displaced = replace(exam, phase_axis=1, dwi={b: replace(v, affine=away) for b, v in exam.dwi.items()})
    inputs = model_inputs(displaced)
    assert inputs.alignment is not None
    assert inputs.alignment.accepted
    assert inputs.alignment.matrix[:3, 3] == pytest.approx([0.0, -4.0, 0.0], abs=1.0)
    mask = mask_of(exam)
    moved = measured_features(inputs, mask)["adc_mean"]
    unmoved = measured_features(plain_inputs(displaced), mask)["adc_mean"]
    assert abs(moved - 0.7) < 0.5 * abs(unmoved - 0.7)
    assert dict(inputs.parameters)["T2 and DWI"] == inputs.alignment.how


def test_d_and_k_are_there_where_the_b_values_allow_them_and_say_why_where_they_do_not() -> None:
    maps = plain_inputs(made_up_exam(b_values=KURTOSIS_B)).maps
    assert [found.kind for found in maps] == [MapKind.KURTOSIS_D, MapKind.KURTOSIS_K]
    none = plain_inputs(made_up_exam())
    assert none.maps == ()
    assert dict(none.parameters)["kurtosis"].startswith("not estimable: ")


def test_inputs_that_an_exam_was_loaded_with_are_not_made_again() -> None:
    exam = made_up_exam()
    inputs = plain_inputs(exam)
    assert inputs_of(replace(exam, inputs=inputs)) is inputs


@pytest.mark.parametrize("largest", [1e-4, 0.9, 4.0, 1023.9, 1024.0, 70000.0, 3e7])
def test_half_precision_keeps_three_digits_at_any_scale(largest: float) -> None:
    array = np.linspace(0.01, 1, 500, dtype=np.float32) * np.float32(largest)
    scale = half_scale(array)
    kept = (array / scale).astype(np.float16).astype(np.float32) * scale
    assert kept == pytest.approx(array, rel=5e-4)
    assert half_scale(kept) == scale
    assert half_scale(np.zeros(3, np.float32)) == 1.0
