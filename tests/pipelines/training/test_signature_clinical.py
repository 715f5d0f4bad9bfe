from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from pipelines.systems.signature_clinical import CLINICAL
from pipelines.systems.signature_table import Table
from pipelines.training.signature_clinical import select

COUNT = 400


def planted(seed: int = 0) -> tuple[Table, NDArray[np.bool_]]:
    """Thickness and margin decide; length only follows thickness; the rest is noise."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(COUNT, len(CLINICAL)))
    thickness, margin, length = (
        CLINICAL.index(n) for n in ("mwt_restaging_mm", "crm_restaging", "length_restaging_mm")
    )
    values[:, margin] = rng.random(COUNT) < 0.7
    values[:, length] = values[:, thickness] + rng.normal(0, 0.6, COUNT)
    logit = -0.3 - 1.2 * values[:, thickness] + 1.5 * (values[:, margin] - 0.7)
    labels = rng.random(COUNT) < 1 / (1 + np.exp(-logit))
    return Table(CLINICAL, values[:, None]), labels


EVERYBODY = np.arange(COUNT)


def test_independent_predictors_are_kept_and_a_mere_follower_is_not() -> None:
    found = select(*planted(), EVERYBODY)
    assert {"mwt_restaging_mm", "crm_restaging"} <= set(found.names)
    assert "length_restaging_mm" in {one.name for one in found.multivariate}
    assert "length_restaging_mm" not in found.names


def test_only_what_is_significant_alone_goes_into_the_common_model() -> None:
    found = select(*planted(), EVERYBODY)
    assert {one.name for one in found.multivariate} == {one.name for one in found.univariate if one.p < 0.10}


def test_the_odds_ratio_is_that_of_an_unpenalised_logistic_regression() -> None:
    table, labels = planted()
    column = table.of(["mwt_restaging_mm"])[:, 0]
    theirs = LogisticRegression(C=1e9, tol=1e-8).fit((column - column.mean()) / column.std(), labels)
    ours = next(one for one in select(table, labels, EVERYBODY).univariate if one.name == "mwt_restaging_mm")
    assert ours.odds_ratio == pytest.approx(float(np.exp(theirs.coef_[0, 0])), rel=1e-3)
    assert ours.lower < ours.odds_ratio < ours.upper < 1.0


def test_selection_sees_the_given_rows_alone() -> None:
    table, labels = planted()
    spoilt = labels.copy()
    spoilt[300:] = ~spoilt[300:]
    rows = np.arange(300)
    assert select(table, labels, rows) == select(table, spoilt, rows)
    assert select(table, labels, EVERYBODY) != select(table, spoilt, EVERYBODY)


def test_missing_values_are_left_out_and_never_filled_in() -> None:
    table, labels = planted()
    values = table.values.copy()
    values[:50, 0, CLINICAL.index("mwt_restaging_mm")] = np.nan
    found = {one.name: one for one in select(Table(CLINICAL, values), labels, EVERYBODY).univariate}
    assert found["mwt_restaging_mm"].patients == COUNT - 50
    assert found["age_years"].patients == COUNT


def test_shuffled_outcomes_leave_next_to_nothing() -> None:
    table, labels = planted()
    kept = [len(select(table, np.random.default_rng(s).permutation(labels), EVERYBODY).names) for s in range(5)]
    assert float(np.mean(kept)) < 1.5


def test_a_value_that_is_constant_or_separates_perfectly_is_not_judged() -> None:
    table, labels = planted()
    values = table.values.copy()
    values[:, 0, CLINICAL.index("age_years")] = 60.0
    values[:, 0, CLINICAL.index("ct_stage")] = labels
    found = {one.name: one for one in select(Table(CLINICAL, values), labels, EVERYBODY).univariate}
    assert np.isnan(found["age_years"].p)
    assert np.isnan(found["ct_stage"].p)
    assert found["ct_stage"].as_json()["p"] is None
