from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipelines.contract import Code, InputUnfit
from pipelines.systems.multi_rec_cut import MAPS, T2_SQUARE, MultiRecCut, from_entry, network_axes
from pipelines.systems.tumour_field import Channel
from tests.pipelines.made_up_exam import made_up_exam, mask_of, plain_inputs
from tests.pipelines.made_up_recurrence import RULE, with_maps_exam, without_maps_exam

CUT = MultiRecCut(RULE, views=2)
SEQUENCES = ("T2", T2_SQUARE, "ADC", *MAPS)


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_an_entry_gives_back_the_exam_that_was_cut() -> None:
    exam = with_maps_exam()
    made = CUT.exam(plain_inputs(exam), mask_of(exam), rng())
    kept = from_entry(CUT.cut(plain_inputs(exam), mask_of(exam), rng()))
    assert kept.features == made.features and kept.facts == made.facts and kept.without_maps == ""
    assert np.array_equal(kept.mask, made.mask)
    assert kept.channels.keys() == made.channels.keys()
    assert all(np.array_equal(kept.channels[channel], made.channels[channel]) for channel in made.channels)
    assert kept.volume_cm3 == pytest.approx(mask_of(exam).sum() * exam.t2.voxel_mm3 / 1000.0)


def test_d_and_k_are_read_where_the_b_values_allow_them() -> None:
    exam = with_maps_exam(adc=1.0)
    made = CUT.exam(plain_inputs(exam), mask_of(exam), rng())
    assert made.has_maps
    # The made-up signal decays with one exponent: D is its ADC, and K is 0 but for noise.
    assert made.features[0]["dapp_median"] == pytest.approx(1.0, abs=0.05)
    assert made.features[0]["kapp_median"] < 0.2
    assert len(made.features) == 2


def test_without_high_b_values_there_are_no_maps_and_the_exam_says_why() -> None:
    exam = without_maps_exam()
    made = CUT.exam(plain_inputs(exam), mask_of(exam), rng())
    assert not made.has_maps
    assert made.without_maps.startswith("not estimable: b-values 0, 500, 1000")
    assert "dapp_median" not in made.features[0]
    images, there = made.stack(SEQUENCES)
    assert there.tolist() == [True, True, True, False, False]
    assert not images[3:].any() and images[2].any()


def test_network_axes_are_rows_columns_slices_of_the_field_without_its_margin() -> None:
    through, across = RULE.margin
    field = np.arange(np.prod(RULE.shape)).reshape(RULE.shape)
    seen = network_axes(field, RULE)
    assert seen.shape == (RULE.pixels, RULE.pixels, RULE.slices)
    assert seen[2, 3, 1] == field[1 + through, 2 + across, 3 + across]


def test_what_cannot_be_cut_is_refused_with_its_reason() -> None:
    exam = without_maps_exam()
    with pytest.raises(InputUnfit) as caught:
        CUT.exam(plain_inputs(exam), np.zeros_like(mask_of(exam)), rng())
    assert caught.value.code is Code.NO_MASK
    bare = replace(made_up_exam(ce_t1=False), dwi={})
    with pytest.raises(InputUnfit) as caught:
        CUT.exam(plain_inputs(bare), mask_of(bare), rng())
    assert caught.value.code is Code.NO_DIFFUSION


def test_a_tumour_too_small_to_measure_in_has_a_field_and_no_features() -> None:
    exam = without_maps_exam()
    tiny = np.zeros_like(mask_of(exam))
    tiny[5, 36, 38] = True
    made = CUT.exam(plain_inputs(exam), tiny, rng())
    assert made.features[0] == {} and Channel.T2 in made.channels


def test_the_parameters_name_all_that_decides_an_entry() -> None:
    assert MultiRecCut(RULE, 2).parameters() == CUT.parameters()
    assert MultiRecCut(RULE, 3).parameters() != CUT.parameters()
    assert MultiRecCut(replace(RULE, pixel_mm=3.0), 2).parameters() != CUT.parameters()
