from __future__ import annotations

import numpy as np
from monai.metrics.meandice import compute_dice
from torch import from_numpy

from pipelines.cohort.disturb import disturbed
from pipelines.contract import MaskArray
from tests.pipelines.made_up_exam import made_up_exam, mask_of


def dice(one: MaskArray, other: MaskArray) -> float:
    return float(compute_dice(from_numpy(one[None, None]), from_numpy(other[None, None])))


def test_a_disturbed_mask_is_about_as_far_off_as_another_reader() -> None:
    exam = made_up_exam(radius=14.0)
    found = [disturbed(mask_of(exam), exam.t2.spacing, np.random.default_rng(seed)) for seed in range(20)]
    scores = [dice(mask, mask_of(exam)) for mask in found]
    assert 0.70 < np.mean(scores) < 0.92
    volumes = np.array([mask.sum() for mask in found]) / mask_of(exam).sum()
    assert abs(np.median(volumes) - 1.0) < 0.2


def test_the_smallest_mask_is_never_emptied() -> None:
    mask = np.zeros((5, 20, 20), bool)
    mask[2, 8:11, 8:11] = True
    assert all(disturbed(mask, (4.0, 1.25, 1.25), np.random.default_rng(seed)).any() for seed in range(50))


def test_the_same_seed_gives_the_same_mask() -> None:
    exam = made_up_exam()
    one, two = (disturbed(mask_of(exam), exam.t2.spacing, np.random.default_rng(7)) for _ in range(2))
    assert np.array_equal(one, two)
