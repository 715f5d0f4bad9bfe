from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipelines.contract import Code, InputUnfit, TimePoint
from pipelines.systems.rp_cut import RpCut
from pipelines.systems.signature_inputs import Sequence
from pipelines.systems.tumour_field import FieldRule, tumour_field
from tests.pipelines.made_up_exam import DWI_SPACING, SLICE, T2_SPACING, made_up_exam, mask_of, plain_inputs

RULE = FieldRule(slices=8, pixels=16, slice_mm=4.0, pixel_mm=4.0, margin=(1, 2))
EXAM = made_up_exam(TimePoint.RESTAGING, adc=1.2, radius=12.0, seed=3)


def rng() -> np.random.Generator:
    return np.random.default_rng(1)


def test_an_entry_holds_the_field_the_mask_and_what_was_measured_through_every_mask() -> None:
    entry = RpCut(RULE, views=3).cut(plain_inputs(EXAM), mask_of(EXAM), rng())
    expected = tumour_field(plain_inputs(EXAM), mask_of(EXAM), RULE)
    assert set(entry.arrays) == {"mask", *(f"field_{name}" for name in ("t2", "t2_square", "high_b", "adc", "ce_t1"))}
    assert all(entry.arrays[f"field_{name}"].dtype == np.float16 for name in ("t2", "adc"))
    assert np.array_equal(entry.arrays["mask"], expected.mask)
    for channel, array in expected.channels.items():
        assert np.array_equal(entry.arrays[f"field_{channel}"], array)
    volumes = [seen["log_volume"] for seen in entry.described["features"]]
    assert len(set(volumes)) == 3
    assert entry.described["facts"]["highest_b"] == 1000.0


def test_what_the_node_cuts_is_the_first_view_of_what_training_cuts() -> None:
    one, three = (RpCut(RULE, views=views).cut(plain_inputs(EXAM), mask_of(EXAM), rng()) for views in (1, 3))
    assert one.arrays.keys() == three.arrays.keys()
    assert all(np.array_equal(one.arrays[name], three.arrays[name]) for name in one.arrays)
    assert one.described["features"] == three.described["features"][:1]


def test_a_network_sees_the_field_without_its_margin() -> None:
    cut, plain = RpCut(RULE), RpCut(replace(RULE, margin=(0, 0)))
    entry, bare = (one.cut(plain_inputs(EXAM), mask_of(EXAM), rng()) for one in (cut, plain))
    assert cut.volume(entry, Sequence.DWI).shape == (2, 10, 20, 20)
    for sequence in Sequence:
        assert np.array_equal(cut.seen(entry, sequence), plain.volume(bare, sequence))
    assert np.array_equal(cut.outline(entry), bare.arrays["mask"])


def test_a_missing_sequence_is_left_out_and_missing_diffusion_refuses() -> None:
    exam = made_up_exam(ce_t1=False)
    cut = RpCut(RULE)
    entry = cut.cut(plain_inputs(exam), mask_of(exam), rng())
    assert [cut.has(entry, sequence) for sequence in Sequence] == [True, True, False]
    lone = plain_inputs(replace(EXAM, dwi={1000.0: EXAM.dwi[1000.0]}))
    with pytest.raises(InputUnfit) as caught:
        cut.cut(lone, mask_of(EXAM), rng())
    assert caught.value.code is Code.NO_DIFFUSION


def test_an_empty_mask_says_no_place_to_look_at() -> None:
    with pytest.raises(InputUnfit) as caught:
        RpCut(RULE).cut(plain_inputs(EXAM), np.zeros_like(mask_of(EXAM)), rng())
    assert caught.value.code is Code.NO_MASK


def test_everything_that_decides_an_entry_is_among_the_parameters() -> None:
    cuts = (RpCut(RULE), RpCut(replace(RULE, margin=(0, 0))), RpCut(RULE, views=3), RpCut(RULE, foreground=True))
    said = [repr(cut.parameters()) for cut in cuts]
    assert len(set(said)) == len(cuts)


def test_the_papers_way_cuts_to_the_foreground_and_scales_each_image_from_0_to_1() -> None:
    """The foreground of the made-up exam is all of it: a field of 10 × 108 × 108 mm, whatever the tumour's place."""
    rule = FieldRule(slices=8, pixels=32)
    cut = RpCut(rule, foreground=True)
    entry = cut.cut(plain_inputs(EXAM), mask_of(EXAM), rng())
    assert set(entry.arrays) == {"mask", "field_t2", "field_high_b", "field_ce_t1"}
    for name in ("field_t2", "field_high_b", "field_ce_t1"):
        array = entry.arrays[name].astype(float)
        assert array.shape == (8, 32, 32)
        assert (array.min(), array.max()) == (0.0, 1.0)
    voxel = (10 * SLICE / 8) * (72 * T2_SPACING / 32) ** 2
    volume = mask_of(EXAM).sum() * SLICE * T2_SPACING**2
    assert entry.arrays["mask"].sum() * voxel == pytest.approx(volume, rel=0.15)
    inside = entry.arrays["mask"]
    # Dark on T2, bright on CE-T1, as planted; diffusion lies on the same grid.
    assert entry.arrays["field_t2"][inside].mean() < 0.3 < entry.arrays["field_ce_t1"][inside].mean()
    assert entry.arrays["field_high_b"][inside].mean() > entry.arrays["field_high_b"][~inside].mean()
    assert 44 * DWI_SPACING >= 72 * T2_SPACING
