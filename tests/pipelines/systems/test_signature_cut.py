from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipelines.contract import Code, InputUnfit, TimePoint
from pipelines.features import measured_features
from pipelines.inputs.cache import Entry
from pipelines.systems.signature_cut import SignatureCut, crop_name, has
from pipelines.systems.signature_inputs import CropRule, Sequence, signature_input
from tests.pipelines.made_up_exam import made_up_exam, mask_of, plain_inputs

RULE = CropRule(60.0, 16)


def cut(views: int, rule: CropRule = RULE, ce_t1: bool = True, seed: int = 1) -> Entry:
    exam = made_up_exam(ce_t1=ce_t1)
    return SignatureCut(rule, views).cut(plain_inputs(exam), mask_of(exam), np.random.default_rng(seed))


def test_the_first_view_is_through_the_mask_as_given() -> None:
    exam, entry = made_up_exam(), cut(3)
    inputs = plain_inputs(exam)
    expected = signature_input(inputs, Sequence.DWI, mask_of(exam), RULE).astype(np.float16)
    assert np.array_equal(entry.arrays[crop_name(0, Sequence.DWI)], expected)
    assert entry.described["features"][0] == measured_features(inputs, mask_of(exam))


def test_other_views_are_through_other_masks_the_same_ones_each_time() -> None:
    first, second = cut(3), cut(3)
    volumes = [features["log_volume"] for features in first.described["features"]]
    assert len(set(volumes)) == 3
    assert volumes == [features["log_volume"] for features in second.described["features"]]


def test_a_lone_view_is_the_first_of_several() -> None:
    one, several = cut(1), cut(3)
    assert set(one.arrays) < set(several.arrays)
    assert all(np.array_equal(one.arrays[name], several.arrays[name]) for name in one.arrays)
    assert one.described["facts"] == several.described["facts"]


def test_a_sequence_that_is_missing_is_missing() -> None:
    entry = cut(2, ce_t1=False)
    assert has(entry, Sequence.T2)
    assert not has(entry, Sequence.CE_T1)
    assert not any("ce_t1" in name for name in entry.arrays)


def test_an_empty_mask_is_refused_with_its_reason() -> None:
    exam = made_up_exam(TimePoint.RESTAGING)
    nothing = np.zeros_like(mask_of(exam))
    with pytest.raises(InputUnfit) as caught:
        SignatureCut(RULE, 2).cut(plain_inputs(exam), nothing, np.random.default_rng(0))
    assert caught.value.code is Code.NO_MASK


def test_no_diffusion_is_refused() -> None:
    exam = made_up_exam()
    with pytest.raises(InputUnfit) as caught:
        SignatureCut(RULE).cut(plain_inputs(replace(exam, dwi={})), mask_of(exam), np.random.default_rng(0))
    assert caught.value.code is Code.NO_DIFFUSION


def test_every_number_of_the_rule_is_in_the_key() -> None:
    keys = [
        str(SignatureCut(rule, views).parameters())
        for rule, views in ((RULE, 1), (RULE, 2), (CropRule(50.0, 16), 1), (CropRule(60.0, 16, whole=True), 1))
    ]
    assert len(set(keys)) == 4
