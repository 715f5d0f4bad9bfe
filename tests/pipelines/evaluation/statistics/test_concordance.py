"""C-indices compared with their definition, with lifelines, and with figures that torchsurv gives."""

from __future__ import annotations

import numpy as np
import pytest
from lifelines import KaplanMeierFitter
from lifelines.utils import concordance_index
from numpy.random import default_rng

from pipelines.evaluation.statistics.concordance import (
    compare_c,
    drawn_c,
    harrell_c,
    harrell_c_analytic,
    uno_c,
)
from pipelines.evaluation.statistics.horizon import Observed
from pipelines.evaluation.statistics.resample import multiplicities
from pipelines.evaluation.statistics.stated import Numbers


def cohort(size: int, seed: int, step: float = 0.0) -> tuple[Numbers, Observed]:
    """Risks and follow-up; ``step``: months are rounded up to it, so that they tie."""
    rng = default_rng(seed)
    event, lost = rng.exponential(40, size), rng.uniform(10, 90, size)
    risk = -np.log(event) + rng.standard_normal(size)
    months = np.minimum(event, lost)
    if step:
        months, risk = np.ceil(months / step) * step, np.round(risk)
    return risk, Observed(months, event <= lost)


def test_harrells_c_counts_pairs() -> None:
    risk, observed = cohort(40, 1, step=6.0)
    months, event = observed.months, observed.event
    found = pairs = 0.0
    for i in range(40):
        for j in range(40):
            if event[i] and (months[i] < months[j] or (months[i] == months[j] and not event[j])):
                pairs += 1
                found += 1.0 if risk[i] > risk[j] else 0.5 * (risk[i] == risk[j])
    for estimate in (harrell_c(risk, observed), harrell_c_analytic(risk, observed)):
        assert estimate.value == pytest.approx(found / pairs)


def test_a_draw_is_lifelines_c_of_the_patients_repeated() -> None:
    risk, observed = cohort(70, 2, step=3.0)
    counts = multiplicities(observed.event, 5, seed=1)
    for drawn, own in zip(drawn_c(risk, observed, counts), counts.astype(int), strict=True):
        months, scores, event = (np.repeat(v, own) for v in (observed.months, risk, observed.event))
        assert drawn == pytest.approx(concordance_index(months, -scores, event))


def test_both_are_what_torchsurv_gives() -> None:
    """ConcordanceIndex and get_ipcw of torchsurv 0.2.0 on these 80 patients."""
    rng = default_rng(3)
    event, lost = rng.exponential(40, 80), rng.uniform(10, 90, 80)
    risk = -np.log(event) + rng.standard_normal(80)
    observed = Observed(np.minimum(event, lost), event <= lost)
    assert harrell_c(risk, observed).value == pytest.approx(0.7960, abs=5e-5)
    assert uno_c(risk, observed, np.inf).value == pytest.approx(0.7819, abs=5e-5)


def test_unos_c_is_its_definition() -> None:
    risk, observed = cohort(60, 4)
    months, event = observed.months, observed.event
    lost = KaplanMeierFitter().fit(months, ~event)
    found = pairs = 0.0
    for i in np.flatnonzero(event & (months < 50.0)):
        weight = float(lost.predict(months[i])) ** -2  # no ties: just before is the same
        for j in np.flatnonzero(months > months[i]):
            pairs += weight
            found += weight * (risk[i] > risk[j])
    assert uno_c(risk, observed, 50.0).value == pytest.approx(found / pairs)


def test_unos_c_does_not_move_with_the_censoring_where_harrells_does() -> None:
    """The risk ranks early events well and late ones badly: losing the late ones flatters Harrell's C."""
    rng = default_rng(5)
    event = rng.exponential(30, 1500)
    risk = np.where(event < 20, -event, rng.uniform(-60, -10, 1500)) + rng.standard_normal(1500)
    light = Observed(np.minimum(event, 60.0), event <= 60.0)
    lost = np.minimum(rng.exponential(25, 1500), 60.0)
    heavy = Observed(np.minimum(event, lost), event <= lost)
    few = np.ones((20, 1500))
    unos = [uno_c(risk, seen, 60.0, few).value for seen in (light, heavy)]
    harrells = [harrell_c(risk, seen, few).value for seen in (light, heavy)]
    assert None not in unos and None not in harrells
    assert abs(unos[0] - unos[1]) < 0.02 < 0.04 < harrells[1] - harrells[0]  # type: ignore[operator]  # none is None


def test_analytic_and_bootstrap_limits_agree() -> None:
    risk, observed = cohort(400, 6)
    one, two = harrell_c_analytic(risk, observed), harrell_c(risk, observed)
    assert (one.lower, one.upper) == pytest.approx((two.lower, two.upper), abs=0.008)


def test_limits_hold_the_truth_nineteen_times_in_twenty() -> None:
    truth = harrell_c_analytic(*cohort(1500, 7)).value
    assert truth is not None
    held = 0
    for seed in range(150):
        found = harrell_c_analytic(*cohort(120, 100 + seed))
        assert found.lower is not None and found.upper is not None
        held += found.lower <= truth <= found.upper
    assert 0.90 <= held / 150 <= 0.985


def test_two_models_are_compared_on_the_same_draws() -> None:
    risk, observed = cohort(300, 8)
    noisy = risk + default_rng(9).normal(0, 2, 300)
    found = compare_c(risk, noisy, observed)
    expected = concordance_index(observed.months, -risk, observed.event) - concordance_index(
        observed.months, -noisy, observed.event
    )
    assert found.value == pytest.approx(expected)
    assert found.p_value is not None and found.p_value < 0.001 and found.lower is not None and found.lower > 0
    same = compare_c(risk, 2 * risk + 1, observed)
    assert same.value == 0.0 and same.p_value == 1.0


def test_what_cannot_be_ranked_says_why() -> None:
    risk, observed = cohort(50, 10)
    nobody = Observed(observed.months, np.zeros(50, bool))
    assert harrell_c(risk, nobody).not_estimable == "0 events; at least 5 are needed"
    assert uno_c(risk, observed, 0.001).value is None
    assert "missing" in harrell_c(np.where(np.arange(50) == 3, np.nan, risk), observed).not_estimable
    assert compare_c(risk, risk[:-1], observed).value is None
