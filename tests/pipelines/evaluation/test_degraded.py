"""What hidden inputs cost: the same patients, the whole model beside the lesser one, and no model of the bundle."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from lifelines.utils import concordance_index
from sklearn.metrics import roc_auc_score

from pipelines.evaluation.degraded import degraded
from pipelines.evaluation.results import few, headline
from pipelines.phantom.oracle import expected_auc
from pipelines.phantom.probabilities import Outcome
from tests.pipelines.evaluation.made_predictions import judged_complete_response, judged_recurrence


def test_both_figures_are_of_the_patients_who_have_what_is_hidden() -> None:
    judged = judged_complete_response(160)
    found = degraded(judged)
    assert list(found) == ["fused without CE-T1", "fused_markers_measured without blood markers"]
    less, whole = judged.of("fused without CE-T1"), judged.of("fused")
    rows = judged.judgeable(less)
    assert 0 < rows.sum() < judged.judgeable(whole).sum()
    event = judged.responded(Outcome.COMPLETE_RESPONSE)[rows] == 1
    areas = [roc_auc_score(event, one.probability[rows]) for one in (whole, less)]
    one = found["fused without CE-T1"]
    assert (one.model, one.hidden, one.patients, one.events) == ("fused", "CE-T1", rows.sum(), event.sum())
    assert [one.whole.value, one.without.value] == pytest.approx(areas)
    assert one.difference.value == pytest.approx(areas[1] - areas[0])
    true = judged.true(whole)
    assert true is not None and one.expected is not None
    assert one.expected[1] == pytest.approx(expected_auc(true[rows], less.probability[rows]))
    assert one.as_json()["difference_expected"] == pytest.approx(one.expected[1] - one.expected[0])


def test_of_an_event_in_time_the_figure_is_the_c_index() -> None:
    judged = judged_recurrence(120)
    one = degraded(judged)["All without kurtosis maps"]
    months, event = judged.followed(Outcome.RECURRENCE)
    ranked = [
        concordance_index(months, -judged.of(name).probability, event) for name in ("All", f"All without {one.hidden}")
    ]
    assert [one.whole.value, one.without.value] == pytest.approx(ranked)
    assert one.difference.value == pytest.approx(ranked[1] - ranked[0])
    assert one.difference.lower is not None and one.difference.upper is not None
    assert one.difference.lower < one.difference.value < one.difference.upper


def test_a_model_without_inputs_stands_in_no_table_of_models() -> None:
    judged = judged_recurrence(60)
    assert not any(" without " in name for name in (*headline(judged), *few(judged)))
    assert all(one.hidden for one in judged.predicted.degraded)
    assert len(judged.predicted.models) + len(judged.predicted.degraded) == len(judged.predicted.predictions)


def test_what_nobody_has_costs_nothing_that_could_be_said_and_real_patients_have_no_average() -> None:
    judged = judged_complete_response(60)
    silent = [
        replace(one, probability=np.full_like(one.probability, np.nan)) if one.hidden == "CE-T1" else one
        for one in judged.predicted.predictions
    ]
    real = replace(
        judged,
        cohort=replace(judged.cohort, truth=None),
        predicted=replace(judged.predicted, predictions=tuple(silent)),
    )
    found = degraded(real)
    assert list(found) == ["fused_markers_measured without blood markers"]
    assert found["fused_markers_measured without blood markers"].expected is None
