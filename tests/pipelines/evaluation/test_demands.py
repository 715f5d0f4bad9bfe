"""What was not reached says so, and says what the figures tell of the reason."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest

from pipelines.evaluation.demands import Demand, demands
from pipelines.evaluation.judged import Judged
from pipelines.evaluation.model_figures import figures_of
from pipelines.evaluation.prediction import Sets
from pipelines.evaluation.reasons import mean_slope
from tests.pipelines.evaluation.made_predictions import judged_complete_response, judged_recurrence

MODELS = ("fused", "fused_measured", "fused_markers_measured")


def found_of(judged: Judged, *names: str) -> dict[str, Demand]:
    models = {name: figures_of(judged, judged.of(name)) for name in names}
    return {demand.name: demand for demand in demands(judged, models, {})}


@lru_cache(maxsize=1)
def worthless_fused() -> Judged:
    judged = judged_complete_response(200)
    noise = np.random.default_rng(5).uniform(0.05, 0.3, len(judged.patients))
    predictions = tuple(
        replace(one, probability=noise) if one.model == "fused" else one for one in judged.predicted.predictions
    )
    manifest = replace(
        judged.bundle.manifest,
        metrics={"fused ce_t1_t2_dwi": {"oracle_share": 0.66}},
        training={**judged.bundle.manifest.training, "patients": 535},
    )
    return replace(
        judged,
        predicted=replace(judged.predicted, predictions=predictions),
        bundle=replace(judged.bundle, manifest=manifest),
    )


def test_a_share_that_is_short_names_what_others_reach_and_what_training_reached() -> None:
    found = found_of(worthless_fused(), *MODELS)
    short = found["fused: at least 0.70 of the oracle"]
    assert short.met is False
    assert (
        "out of fold on its training cohort fused ce_t1_t2_dwi reached 0.66 of the oracle, so it does less" in short.why
    )
    assert "with the same information fused_measured reaches 0." in short.why
    assert "it learnt from 535 patients" in short.why and short.why in short.missed
    assert found["fused_markers_measured: at least 0.80 of the oracle"].met is True
    assert found["fused_markers_measured: at least 0.80 of the oracle"].why == ""


def test_a_model_that_the_bundle_lacks_is_named() -> None:
    found = found_of(judged_complete_response(120), "fused_markers_measured")
    assert found["fused: at least 0.70 of the oracle"].met is None
    assert found["fused: at least 0.70 of the oracle"].said == "the bundle has no such model"


def test_a_slope_that_is_off_is_told_from_an_unlucky_draw() -> None:
    judged = judged_complete_response(200)
    default = judged.default
    logit = np.log(default.probability / (1 - default.probability))
    extreme = replace(default, probability=1 / (1 + np.exp(-2.0 * logit)))
    usual = mean_slope(judged, default)
    assert usual is not None and mean_slope(judged, extreme) == pytest.approx(usual / 2.0, rel=1e-3)
    predictions = tuple(extreme if one is default else one for one in judged.predicted.predictions)
    found = found_of(replace(judged, predicted=replace(judged.predicted, predictions=predictions)), default.model)
    slope = found["fused_markers_measured: the calibration slope's 95 % interval holds 1"]
    assert slope.met is False and "so the predictions themselves are off" in slope.why
    assert mean_slope(replace(judged, cohort=replace(judged.cohort, truth=None)), default) is None


def test_sets_that_hold_too_little_are_named_by_outcome() -> None:
    judged = judged_recurrence(120)
    never = np.zeros(len(judged.patients), dtype=bool)
    sets = Sets(0.9, event=never, no_event=~never)
    predictions = tuple(
        replace(one, sets=sets) if one is judged.default else one for one in judged.predicted.predictions
    )
    found = found_of(replace(judged, predicted=replace(judged.predicted, predictions=predictions)), "All_measured")
    demand = found["All_measured: 90 % of its sets hold what came true"]
    assert demand.met is False
    assert "with the outcome 0.00" in demand.why and "without it 1.00" in demand.why and "averaged over" in demand.why
