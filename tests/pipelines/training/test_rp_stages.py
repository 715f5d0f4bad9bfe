from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from pipelines.phantom.probabilities import InformationSet
from pipelines.systems.conformal import conformal_limits
from pipelines.systems.logistic import fit_logistic
from pipelines.systems.rp_models import models
from pipelines.systems.signature_table import Table
from pipelines.training.rp_stages import Learning, fit_stages, out_of_fold

COUNT, VIEWS = 90, 2
MEASURED = ("post_adc_mean",)
NAMES = ("logit_t2", "logit_dwi", "logit_ce_t1", "post_adc_mean", "cea_ng_ml", "ca19_9_u_ml")
BY_KEY = {model.key: model for model in models(MEASURED, {})}


def learning(seed: int = 0, signal: float = 1.2) -> Learning:
    """Patients whose T2 network and ADC tell the response; a third has no contrast, one in ten no CA19-9."""
    rng = np.random.default_rng(seed)
    values = np.repeat(rng.normal(size=(COUNT, 1, len(NAMES))), VIEWS, axis=1)
    chance = 1 / (1 + np.exp(-signal * (values[:, 0, 0] + values[:, 0, 3])))
    values[..., 3] += 0.1 * rng.normal(size=(COUNT, VIEWS))
    values[::3, :, 2] = np.nan
    values[::10, :, 5] = np.nan
    truth = {InformationSet.PAIR: chance, InformationSet.PAIR_CLINICAL: chance}
    return Learning(Table(NAMES, values), rng.random(COUNT) < chance, np.arange(COUNT) % 3, 1, 4, truth, (1.0,))


def test_every_model_has_a_stage_figures_and_limits_from_patients_it_never_saw() -> None:
    own = learning()
    found = fit_stages(own, models(MEASURED, {}))
    assert set(found.stages) == set(found.models) == set(found.metrics) == set(found.thresholds) == set(BY_KEY)
    assert found.metrics["T2"]["patients"] == COUNT
    assert found.metrics["CE-T1"]["patients"] == found.metrics["fused ce_t1_t2_dwi"]["patients"] == COUNT * 2 // 3
    assert found.metrics["fused_measured t2_dwi"]["oracle_share"] > 0.6
    assert abs(found.metrics["DWI"]["oracle_share"]) < 0.5
    probability = out_of_fold(own, BY_KEY["fused t2_dwi"])[:, 0]
    expected = conformal_limits(own.labels, probability)
    assert {name: found.thresholds["fused t2_dwi"][name] for name in expected} == expected
    assert found.thresholds["fused t2_dwi"]["coverage"] == 0.9
    assert 0 < found.thresholds["fused t2_dwi"]["youden"] < 1


def test_only_what_the_node_uses_is_refitted() -> None:
    found = fit_stages(learning(), models(MEASURED, {}))
    assert len(found.stages["fused_markers_measured t2_dwi cea"].refits) == 4
    assert len(found.stages["fused_markers t2_dwi"].refits) == len(found.stages["T2"].refits) == 0


def test_out_of_fold_is_a_stage_fitted_on_the_other_folds() -> None:
    own = replace(learning(), costs=(0.1, 1.0))
    model = BY_KEY["fused_measured t2_dwi"]
    rest, apart = own.folds != 1, own.folds == 1
    stage = fit_logistic(model.names, own.table.of(model.names)[rest], own.labels[rest], own.seed, own.costs)
    expected = 1 / (1 + np.exp(-stage.logit(own.table.of(model.names)[apart])))
    assert out_of_fold(own, model)[apart] == pytest.approx(expected)


def test_a_patients_own_outcome_does_not_touch_its_probability() -> None:
    own = learning()
    other = own.labels.copy()
    other[7] = not other[7]
    before, after = (out_of_fold(one, BY_KEY["fused t2_dwi"]) for one in (own, replace(own, labels=other)))
    assert np.array_equal(before[own.folds == own.folds[7]], after[own.folds == own.folds[7]])
    assert not np.array_equal(before, after)


def test_shuffled_outcomes_teach_nothing() -> None:
    def auc(seed: int) -> float:
        own = learning(seed)
        dealt: NDArray[np.bool_] = np.random.default_rng(seed).permutation(own.labels)
        metrics = fit_stages(replace(own, labels=dealt), [BY_KEY["fused_measured t2_dwi"]]).metrics
        return float(metrics["fused_measured t2_dwi"]["auc"])

    assert abs(float(np.mean([auc(seed) for seed in range(10)])) - 0.5) < 0.06


def test_a_model_of_what_too_few_patients_have_is_left_out() -> None:
    own = learning()
    values = own.table.values.copy()
    values[15:, :, 2] = np.nan
    found = fit_stages(replace(own, table=Table(NAMES, values)), models(MEASURED, {}))
    assert not [key for key in found.stages if "ce_t1" in key or key == "CE-T1"]
    without_markers = Table(NAMES[:4], own.table.values[..., :4])
    assert "fused_measured t2_dwi" in fit_stages(replace(own, table=without_markers), models(MEASURED, {})).stages


def test_a_network_that_has_it_the_wrong_way_round_moves_nobody() -> None:
    own = learning()
    values = own.table.values.copy()
    values[..., 0] *= -1
    found = fit_stages(replace(own, table=Table(NAMES, values)), models(MEASURED, {}))
    share = own.labels.mean()
    assert found.stages["T2"].probability(values[:5, :, :1]) == pytest.approx(share)
    assert found.stages["fused t2_dwi"].slopes[0] < 0  # beside others it may correct them
