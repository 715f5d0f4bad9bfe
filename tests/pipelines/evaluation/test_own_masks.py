"""Dice of masks that scoring networks draw themselves, beside the shipped segmenter's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipelines.bundle import load_bundle
from pipelines.contract import TimePoint
from pipelines.evaluation.own_masks import own_masks
from pipelines.models import PACKAGED
from tests.pipelines.evaluation.made_predictions import judged_complete_response, judged_response


def test_each_time_point_has_its_mean_and_the_segmenters_beside_it() -> None:
    judged = judged_complete_response(120)
    found = own_masks(judged)
    assert list(found) == ["baseline", "restaging"]
    dice = judged.predicted.features["own_dice_restaging"]
    one, shipped = found["restaging"], load_bundle(PACKAGED / "segmenter").manifest.metrics
    assert one.exams == dice.size and one.mean.value == pytest.approx(dice.mean())
    assert one.missed == pytest.approx(np.mean(dice == 0)) and one.missed > 0
    assert one.segmenter == shipped["held_out_dice_restaging"]
    assert one.mean.lower is not None and one.mean.upper is not None
    assert one.mean.upper - one.mean.lower == pytest.approx(2 * 1.96 * dice.std() / np.sqrt(dice.size), rel=0.15)


def test_networks_are_told_apart_and_exams_without_an_outline_left_out() -> None:
    judged = judged_response(60)
    dice = np.where(np.arange(len(judged.patients)) < 5, np.nan, 0.5)
    features = judged.predicted.features | {"own_dice_t2_baseline": dice, "own_dice_": dice, "post_dwi": dice}
    found = own_masks(replace(judged, predicted=replace(judged.predicted, features=features)))
    assert list(found) == ["t2_baseline"]
    assert (found["t2_baseline"].network, found["t2_baseline"].time_point) == ("t2", TimePoint.BASELINE)
    assert found["t2_baseline"].exams == dice.size - 5
    assert own_masks(judged) == {}
