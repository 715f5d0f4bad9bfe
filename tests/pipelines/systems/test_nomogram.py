from __future__ import annotations

import numpy as np
import pytest

from pipelines.systems.cox import CoxModel
from pipelines.systems.nomogram import Axis, log_hazard_at, nomogram, numeric_axis

NAMES = ("dl_prob", "protective", "cea")
AXES = (
    Axis("dl_prob", "DL-prob", (("0", 0.0), ("1", 1.0), ("2", 2.0)), False),
    Axis("protective", "protective", (("0", 0.0), ("4", 4.0)), False),
    Axis("cea", "CEA", (("≤ 5 µg/L", 0.0), ("> 5 µg/L", 1.0)), True),
)


def model() -> CoxModel:
    return CoxModel(
        names=NAMES,
        coefficients=np.array([1.5, -0.25, 0.6]),
        centre=np.array([0.6, 2.0, 0.3]),
        covariance=np.eye(3) * 0.01,
        months=np.array([10.0, 30.0, 50.0]),
        hazard=np.array([0.1, 0.25, 0.4]),
        spent=np.array([1e-3, 3e-3, 5e-3]),
        drift=np.zeros((3, 3)),
    )


@pytest.mark.parametrize("values", [(0.83, 1.0, 1.0), (2.0, 0.0, 1.0), (0.0, 4.0, 0.0), (2.4, -1.0, 0.0)])
def test_the_points_add_up_to_the_log_hazard(values: tuple[float, ...]) -> None:
    drawn = nomogram(model(), AXES, np.array(values), 36.0)
    assert drawn.total == pytest.approx(sum(axis.points for axis in drawn.axes))
    expected = float(model().log_hazard(np.array([values]))[0])
    assert log_hazard_at(model(), AXES, drawn.total) == pytest.approx(expected)


def test_the_strongest_axis_is_a_hundred_points_long_and_none_begins_below_zero() -> None:
    drawn = nomogram(model(), AXES, np.array([1.0, 2.0, 0.0]), 36.0)
    points = {axis.name: dict(axis.ticks) for axis in drawn.axes}
    assert points["DL-prob"] == pytest.approx({"0": 0.0, "1": 50.0, "2": 100.0})
    assert points["protective"] == pytest.approx({"0": 1.0 / 3.0 * 100, "4": 0.0})
    assert points["CEA"] == pytest.approx({"≤ 5 µg/L": 0.0, "> 5 µg/L": 20.0})


def test_the_risk_scale_says_what_the_model_says() -> None:
    values = np.array([1.2, 1.0, 1.0])
    drawn = nomogram(model(), AXES, values, 36.0)
    risk = 1.0 - float(model().event_free(values[None], (36.0,))[0, 0])
    chances, totals = zip(*drawn.risk, strict=True)
    assert list(totals) == sorted(totals) and len(totals) >= 4
    between = np.interp(drawn.total, totals, np.log(-np.log1p(-np.array(chances))))
    assert 1.0 - np.exp(-np.exp(between)) == pytest.approx(risk, abs=1e-6)


def test_words_are_written_as_their_labels_and_numbers_as_numbers() -> None:
    drawn = nomogram(model(), AXES, np.array([0.834, 1.0, 1.0]), 36.0)
    assert [axis.value for axis in drawn.axes] == ["0.83", "1.00", "> 5 µg/L"]


def test_another_order_of_axes_is_refused() -> None:
    with pytest.raises(ValueError, match="not the model's covariates"):
        nomogram(model(), AXES[::-1], np.zeros(3), 36.0)


def test_the_ticks_of_a_number_reach_just_beyond_its_range() -> None:
    axis = numeric_axis("dl_prob", "DL-prob", np.array([0.13, 1.44]))
    values = [value for _, value in axis.ticks]
    assert values[0] <= 0.13 and values[-1] >= 1.44
    assert values[0] > 0.13 - (values[1] - values[0]) and values[-1] < 1.44 + (values[1] - values[0])
    assert [label for label, _ in axis.ticks][:2] == ["0", "0.2"]
