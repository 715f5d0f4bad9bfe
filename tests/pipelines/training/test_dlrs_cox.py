from __future__ import annotations

import numpy as np
import pytest

from pipelines.evaluation.statistics.horizon import AtHorizon, Observed, inverse_weights
from pipelines.training.dlrs_cox import HORIZON, Times, figures, fit_cox, out_of_fold, youden
from tests.pipelines.made_up_times import made_up_times

NAMES = ("a", "b")


def cohort(count: int = 200, seed: int = 3) -> tuple[np.ndarray, Times, np.ndarray]:
    rng = np.random.default_rng(seed)
    values = rng.standard_normal((count, 2))
    return values, made_up_times(values @ np.array([1.0, 0.4]), seed), rng.permutation(count) % 5


def test_status_at_three_years_is_unknown_of_whom_was_censored_before_and_known_on_the_very_day() -> None:
    times = Times(np.array([10.0, 36.0, 50.0, 10.0, 36.0, 40.0]), np.array([True, True, True, False, False, False]))
    assert times.status.tolist() == pytest.approx([1, 1, 0, np.nan, 0, 0], nan_ok=True)
    judged = AtHorizon(Observed(times.months, times.event), HORIZON)
    assert (times.status == 1).tolist() == judged.had.tolist()
    assert (times.status == 0).tolist() == judged.free.tolist()


def test_a_covariate_that_never_differs_decides_nothing() -> None:
    values, times, _ = cohort()
    alone = fit_cox(NAMES[:1], values[:, :1], times, 0.01)
    values[:, 1] = 4.0
    model = fit_cox(NAMES, values, times, 0.01)
    assert model.coefficients[1] == 0.0
    assert model.coefficients[0] == pytest.approx(alone.coefficients[0])


def test_views_of_a_patient_count_as_one_patient() -> None:
    values, times, _ = cohort()
    once = fit_cox(NAMES, values, times, 0.01)
    repeated = Times(np.repeat(times.months, 3), np.repeat(times.event, 3))
    thrice = fit_cox(NAMES, np.repeat(values, 3, axis=0), repeated, 0.01, np.full(600, 1 / 3))
    assert thrice.coefficients == pytest.approx(once.coefficients, abs=0.02)
    assert thrice.covariance == pytest.approx(once.covariance, rel=0.05, abs=1e-4)
    assert thrice.event_free(values, (36.0,)) == pytest.approx(once.event_free(values, (36.0,)), abs=0.01)


def test_a_patients_own_course_never_reaches_his_prediction() -> None:
    values, times, folds = cohort()
    before, _ = out_of_fold(NAMES, values, times, folds, 0.01)
    apart = folds == 2
    months, event = times.months.copy(), times.event.copy()
    months[apart], event[apart] = 1.0, True
    after, _ = out_of_fold(NAMES, values, Times(months, event), folds, 0.01)
    assert (after[apart] == before[apart]).all()
    assert not np.allclose(after[~apart], before[~apart])


def test_shuffled_outcomes_predict_nothing() -> None:
    values, times, folds = cohort(300)
    found = []
    for seed in range(5):
        order = np.random.default_rng(seed).permutation(300)
        shuffled = times.of(order)
        found.append(figures(shuffled, *out_of_fold(NAMES, values, shuffled, folds, 0.01))["c_index"])
    assert np.mean(found) == pytest.approx(0.5, abs=0.05)
    assert figures(times, *out_of_fold(NAMES, values, times, folds, 0.01))["c_index"] > 0.65


def test_weights_of_a_worked_example_make_up_for_who_was_lost() -> None:
    # Lost at 10 (1 of 5 at risk) and at 20 (1 of 3): 4/5 and 8/15 are still observed after it. An event counts by what
    # was observed just before it, so the one at 20 by 4/5; free at 36, or after it, by 8/15.
    months = np.array([5.0, 10.0, 20.0, 20.0, 36.0, 50.0])
    event = np.array([True, False, True, False, False, True])
    weights = Times(months, event).weights
    assert weights == pytest.approx([1.0, 0.0, 5 / 4, 0.0, 15 / 8, 15 / 8])
    assert weights.sum() == pytest.approx(6.0)  # nobody is lost, and nobody invented


@pytest.mark.parametrize("seed", range(4))
def test_weights_are_those_that_evaluation_uses(seed: int) -> None:
    rng = np.random.default_rng(seed)
    months = np.round(rng.exponential(30.0, 80), 0)  # with ties
    times = Times(months, rng.random(80) < 0.4)
    outcome = AtHorizon(Observed(times.months, times.event), HORIZON)
    assert times.weights == pytest.approx(inverse_weights(np.ones((1, 80)), outcome)[0])


def test_youdens_cut_off_of_a_worked_example() -> None:
    status = np.array([0, 0, 0, 1, 0, 1, 1, np.nan])
    probability = np.array([0.1, 0.2, 0.3, 0.35, 0.4, 0.6, 0.7, 0.99])
    # At 0.35: sensitivity 3/3, specificity 3/4; at 0.6: 2/3 and 4/4.
    assert youden(status, probability) == pytest.approx(0.35)
    with pytest.raises(ValueError, match="with and without the event"):
        youden(np.array([1.0, 1.0, np.nan]), np.array([0.1, 0.2, 0.3]))
