"""What an estimate says, in Python and in JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import pytest

from pipelines.evaluation.statistics.stated import Estimate, Numbers, Stated, by_draws, json_form, missing, wald


@dataclass(frozen=True)
class Table(Stated):
    values: Numbers
    first: Estimate


def test_a_number_that_is_none_is_null_in_json() -> None:
    table = Table(np.array([1.0, np.nan, np.inf]), missing("nobody had it"))
    text = json.dumps(table.as_json(), allow_nan=False)
    assert json.loads(text)["values"] == [1.0, None, None]
    assert json.loads(text)["first"]["not_estimable"] == "nobody had it"
    assert json_form({"n": np.int64(3), "of": (True, np.float64(0.5))}) == {"n": 3, "of": [True, 0.5]}


def test_wald_limits_and_p_are_those_of_the_normal_tables() -> None:
    found = wald(1.96, 1.0, "test", tested=True)
    assert found.p_value == pytest.approx(0.05, abs=1e-4)
    assert (found.lower, found.upper) == pytest.approx((0.0, 3.92), abs=1e-3)
    assert wald(np.nan, 1.0, "test").value is None


def test_draws_without_the_figure_take_the_limits_away_and_not_the_figure() -> None:
    draws = np.where(np.arange(100) < 30, np.nan, 0.5)
    found = by_draws(0.5, draws, "bootstrap")
    assert found.value == 0.5 and found.lower is None and "most bootstrap draws" not in found.method
    assert "limits" in found.not_estimable
    whole = by_draws(50.0, np.arange(101.0), "bootstrap")
    assert (whole.lower, whole.upper) == (2.5, 97.5)
