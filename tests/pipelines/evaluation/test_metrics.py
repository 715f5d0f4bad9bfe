"""The keys of metrics.json, and that they mean what they say."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest
from lifelines.utils import concordance_index
from sklearn.metrics import roc_auc_score

from pipelines.evaluation.metrics import left_out, metrics
from pipelines.evaluation.results import Explained, Results, compute
from pipelines.phantom.oracle import expected_auc, expected_concordance
from pipelines.phantom.probabilities import Outcome
from tests.pipelines.evaluation.made_predictions import judged_response, judged_survival

PROMISED = {
    "system",
    "bundle",
    "cohort",
    "default_model",
    "oracle",
    "coverage",
    "outside_envelope",
    "oracle_ratio",
    "oracle_ratio_observed",
    "oracle_ratio_sd",
    "calibration",
    "models",
    "sites",
    "strata",
    "left_out",
    "demands",
}


@lru_cache(maxsize=1)
def response() -> Results:
    judged = judged_response(120)
    few = replace(judged.predicted, predictions=judged.predicted.predictions[-2:])
    return compute(replace(judged, predicted=few), Explained())


@lru_cache(maxsize=1)
def survival() -> Results:
    judged = judged_survival(100)
    few = replace(judged.predicted, predictions=judged.predicted.predictions[-2:])
    return compute(replace(judged, predicted=few), Explained())


def test_the_promised_keys_are_there_and_the_file_is_plain_json() -> None:
    for results, figure in ((response(), "auc"), (survival(), "c_index")):
        found = metrics(results)
        assert found.keys() >= PROMISED | {figure, f"{figure}_ci", f"{figure}_expected"}
        assert json.loads(json.dumps(found, allow_nan=False)) == found
        assert {"slope", "slope_ci"} <= found["calibration"].keys()
        assert found["models"][found["default_model"]][figure] == found[figure]
        assert set(found["models"]) == set(results.models)


def test_the_share_of_the_oracle_is_that_of_averages_over_true_probabilities() -> None:
    found, judged = metrics(response()), response().judged
    rows = judged.judgeable(judged.default)
    true = judged.true(judged.default)
    assert true is not None
    reached, best = expected_auc(true[rows], judged.default.probability[rows]), expected_auc(true[rows], true[rows])
    assert found["auc_expected"] == pytest.approx(reached)
    assert found["oracle"]["auc"] == pytest.approx(best)
    assert found["oracle_ratio"] == pytest.approx((reached - 0.5) / (best - 0.5))
    event = judged.responded(Outcome.GOOD_RESPONSE)[rows] == 1
    observed = [roc_auc_score(event, score[rows]) - 0.5 for score in (judged.default.probability, true)]
    assert found["oracle_ratio_observed"] == pytest.approx(observed[0] / observed[1])


def test_of_an_event_in_time_the_c_index_comes_first_and_the_auc_at_36_months_beside_it() -> None:
    found, judged = metrics(survival()), survival().judged
    risk, true, truth = judged.default.probability, judged.true(judged.default), judged.events(Outcome.METASTASIS)
    assert true is not None and truth is not None
    months, event = judged.followed(Outcome.METASTASIS)
    assert found["c_index"] == pytest.approx(concordance_index(months, -risk, event))
    reached, best = expected_concordance(truth, risk), expected_concordance(truth, true)
    assert found["oracle"]["c_index"] == pytest.approx(best)
    assert found["oracle_ratio"] == pytest.approx((reached - 0.5) / (best - 0.5))
    reached, best = expected_auc(true, risk), expected_auc(true, true)
    assert found["oracle"]["auc_36m"] == pytest.approx(best)
    assert found["oracle_ratio_auc_36m"] == pytest.approx((reached - 0.5) / (best - 0.5))


def test_real_patients_have_null_where_an_oracle_would_stand() -> None:
    judged = response().judged
    real = replace(judged, cohort=replace(judged.cohort, truth=None))
    found = metrics(compute(real, Explained()))
    assert [found[key] for key in ("oracle", "oracle_ratio", "oracle_ratio_observed", "oracle_ratio_sd")] == [None] * 4
    assert found["auc"] == metrics(response())["auc"]
    assert found["cohort"]["simulated"] is False
    assert [demand["name"][:4] for demand in found["demands"]] == ["CRD:"]  # calibration alone


def test_coverage_counts_the_patients_not_excluded_and_everyone_left_out_has_a_reason() -> None:
    found, judged = metrics(response()), response().judged
    covered = np.isfinite(judged.default.probability)
    assert found["coverage"] == pytest.approx(covered.mean())
    assert found["outside_envelope"] == pytest.approx(judged.predicted.outside[covered].mean())
    assert sum(left_out(judged).values()) + found["patients"] == len(judged.cohort.patients)
    assert left_out(judged)["the baseline exam has no DWI"] == int((~covered).sum())


def test_events_by_the_horizon_stand_beside_those_of_all_the_follow_up() -> None:
    found, judged = metrics(survival()), survival().judged
    months, event = judged.followed(Outcome.METASTASIS)
    assert found["events_36m"] == int((event & (months <= 36.0)).sum()) < found["events"] == int(event.sum())
    assert sum(site["events_36m"] for site in found["sites"].values()) == found["events_36m"]
    assert "events_36m" not in metrics(response())


def test_mean_predicted_stands_beside_the_mean_true_probability() -> None:
    found, judged = metrics(survival())["calibration"], survival().judged
    truth = judged.events(Outcome.METASTASIS)
    assert truth is not None
    assert found["mean_predicted"] == pytest.approx(judged.default.probability.mean())
    assert found["mean_true"] == pytest.approx(np.mean(1.0 - np.exp(-truth.hazard)))
    default, rows = response().judged.default, response().judged.judgeable(response().judged.default)
    true = response().judged.true(default)
    assert true is not None
    assert metrics(response())["calibration"]["mean_true"] == pytest.approx(true[rows].mean())


def test_who_lacks_an_input_is_told_what_the_node_uses_instead() -> None:
    judged = response().judged
    silent = judged.default.probability.copy()
    rows = np.flatnonzero(np.isfinite(silent))[:3]
    silent[rows] = np.nan
    used = ["CRD"] * len(judged.patients)
    used[rows[0]], used[rows[1]], used[rows[2]] = "FDL_measured", "FDL_measured", ""
    predictions = (*judged.predicted.predictions[:-1], replace(judged.default, probability=silent))
    reasons = left_out(replace(judged, predicted=replace(judged.predicted, predictions=predictions, used=tuple(used))))
    assert reasons["CRD lacks an input; the node then uses FDL_measured"] == 2
    assert reasons["CRD lacks an input; so does every model of the node"] == 1


def test_a_demand_that_is_not_met_says_so() -> None:
    judged = response().judged
    noise = np.random.default_rng(5).uniform(0.2, 0.5, len(judged.patients))
    worthless = tuple(replace(p, probability=noise) for p in judged.predicted.predictions)
    found = metrics(compute(replace(judged, predicted=replace(judged.predicted, predictions=worthless)), Explained()))
    missed = [demand["name"] for demand in found["demands"] if demand["met"] is False]
    assert "CRD: at least 0.80 of the oracle" in missed
    assert "FDL: at least 0.70 of the oracle" in missed
