from __future__ import annotations

import numpy as np
import pytest

from pipelines.calibration.curve import LEAST, Curve, NoCurve, event_curve, response_curve

HORIZON = 36.0


def odds(probability: np.ndarray) -> np.ndarray:
    return np.asarray(np.log(probability / (1 - probability)))


def courses(probability: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Months and event of patients with a constant hazard that gives each ``probability`` by 36 months."""
    rng = np.random.default_rng(seed)
    happens = rng.exponential(-HORIZON / np.log1p(-probability))
    lost = rng.uniform(20, 90, len(probability))
    return np.minimum(happens, lost), happens <= lost


def test_an_overconfident_response_model_is_brought_back_to_the_truth() -> None:
    rng = np.random.default_rng(1)
    true = rng.beta(2, 5, 20_000)
    said = 1 / (1 + np.exp(-(2.0 * odds(true) + 0.7)))
    curve = response_curve(rng.random(true.size) < true, said)
    assert curve.slope == pytest.approx(0.5, abs=0.02)
    assert curve.odds(said) == pytest.approx(true, abs=0.03)


def test_an_overconfident_risk_model_is_brought_back_to_the_truth() -> None:
    true = np.random.default_rng(2).beta(2, 4, 20_000)
    said = -np.expm1(-np.exp(1.6 * np.log(-np.log1p(-true)) + 0.4))
    curve = event_curve(*courses(true, 3), said, HORIZON)
    assert curve.slope == pytest.approx(1 / 1.6, abs=0.03)
    assert curve.hazard(said) == pytest.approx(true, abs=0.03)
    assert curve.hazard(said).mean() == pytest.approx(true.mean(), abs=0.01)


def test_a_calibrated_model_keeps_its_numbers_and_a_curve_keeps_every_rank() -> None:
    true = np.random.default_rng(4).beta(2, 4, 20_000)
    same = event_curve(*courses(true, 5), true, HORIZON)
    assert (same.slope, same.intercept) == (pytest.approx(1.0, abs=0.04), pytest.approx(0.0, abs=0.04))
    curve, said = Curve(-0.3, 0.6), np.linspace(0.01, 0.99, 50)
    assert (np.diff(curve.odds(said)) > 0).all() and (np.diff(curve.hazard(said)) > 0).all()
    assert Curve(0.0, 1.0).odds(said) == pytest.approx(said)
    assert Curve(0.0, 1.0).hazard(said) == pytest.approx(said)


def test_certain_predictions_give_finite_numbers() -> None:
    rng = np.random.default_rng(6)
    said = np.where(rng.random(200) < 0.5, 0.0, 1.0)
    had = np.where(rng.random(200) < 0.2, said == 0, said == 1)
    assert np.isfinite(response_curve(had, said).odds(said)).all()


def test_too_few_patients_give_no_curve_and_the_reason_counts_them() -> None:
    said = np.linspace(0.1, 0.9, 100)
    had = np.arange(100) < LEAST - 1
    with pytest.raises(NoCurve, match=f"{LEAST - 1} patients are known"):
        response_curve(had, said)
    with pytest.raises(NoCurve, match=f"{LEAST - 1} patients are known"):
        event_curve(np.where(had, 10.0, 50.0), had, said, HORIZON)


def test_patients_lost_before_the_horizon_do_not_count_as_free_of_the_event() -> None:
    said = np.linspace(0.1, 0.9, 100)
    event = np.arange(100) >= 50
    with pytest.raises(NoCurve, match="0 patients"):
        event_curve(np.full(100, 20.0), event, said, HORIZON)


def test_a_model_that_ranks_the_wrong_way_round_or_not_at_all_gives_no_curve() -> None:
    rng = np.random.default_rng(7)
    true = rng.beta(2, 2, 400)
    with pytest.raises(NoCurve, match="the wrong way round"):
        response_curve(rng.random(400) < true, 1 - true)
    with pytest.raises(NoCurve, match="the wrong way round"):
        event_curve(*courses(true, 8), 1 - true, HORIZON)
    with pytest.raises(NoCurve, match="the same of all"):
        event_curve(*courses(true, 8), np.full(400, 0.4), HORIZON)
