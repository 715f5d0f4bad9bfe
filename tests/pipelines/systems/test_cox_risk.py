from __future__ import annotations

import numpy as np
import pytest

from pipelines.contract import Envelope, Likelihood
from pipelines.systems.cox_risk import category, curve_of, risk_of, stored_cox
from pipelines.training.dlrs_cox import fit_cox
from pipelines.training.dlrs_nomogram import cox_arrays
from tests.pipelines.made_up_times import made_up_times

RNG = np.random.default_rng(0)
VALUES = RNG.standard_normal((200, 2))
MODEL = fit_cox(("a", "b"), VALUES, made_up_times(VALUES @ np.array([0.8, 0.3]), seed=1), 0.001)
MONTHS = (12.0, 36.0)


def test_the_risk_is_that_of_the_networks_mean() -> None:
    rows = np.array([[0.2, 1.0], [0.6, 1.0]])
    risk = risk_of(MODEL, rows, MONTHS)
    expected = np.exp(-MODEL.cumulative_hazard(np.array([[0.4, 1.0]]), MONTHS)[0])
    assert risk.event_free == pytest.approx(expected)
    assert (risk.lower < risk.event_free).all() and (risk.event_free < risk.upper).all()


def test_networks_that_differ_widen_the_limits_and_nothing_else() -> None:
    alike, apart = (risk_of(MODEL, np.array([[0.4 - gap, 1.0], [0.4 + gap, 1.0]]), MONTHS) for gap in (0.0, 1.0))
    assert apart.event_free == pytest.approx(alike.event_free)
    assert (apart.upper - apart.lower > alike.upper - alike.lower).all()
    one = risk_of(MODEL, np.array([[0.4, 1.0]]), MONTHS)
    assert one.lower == pytest.approx(alike.lower)


def test_a_curve_holds_the_months_it_is_for() -> None:
    curve = curve_of(risk_of(MODEL, np.array([[0.0, 0.0]]), (*MONTHS, 60.0)), MONTHS, "surgery")
    assert curve.months == MONTHS and len(curve.event_free) == len(curve.lower) == 2


def test_a_stored_model_is_found_by_its_whole_name() -> None:
    arrays = {key: value.numpy() for key, value in cox_arrays({"all": MODEL, "all without maps": MODEL}).items()}
    found = stored_cox(arrays, "all without maps", MODEL.names)
    assert found.log_hazard(VALUES) == pytest.approx(MODEL.log_hazard(VALUES))


def test_outside_the_envelope_nothing_is_high_or_low() -> None:
    assert category(0.9, 0.3, Envelope(inside=True)) is Likelihood.HIGH
    assert category(0.9, 0.3, Envelope(False, ("other scanner",))) is Likelihood.UNCERTAIN
