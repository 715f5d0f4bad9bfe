"""How much of what could be known a model knows: its discrimination over chance as a share of the oracle's.

Both averaged over all outcomes that the simulated patients could have had; one draw of 600 is off by 0.05.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import default_rng

from pipelines.evaluation.statistics.concordance import drawn_c
from pipelines.evaluation.statistics.concordance import unfit as unranked
from pipelines.evaluation.statistics.delong import areas_with_covariance
from pipelines.evaluation.statistics.horizon import Observed
from pipelines.evaluation.statistics.resample import once
from pipelines.evaluation.statistics.stated import Flags, Numbers, Stated, unfit
from pipelines.phantom.oracle import EventTruth, expected_auc, expected_concordance, redraw

REDRAWS = 200
GROUP_REDRAWS = 25  # of a group of patients: the averages need none, and its spread is read by nobody


@dataclass(frozen=True)
class OracleRatio(Stated):
    """(figure − 0.5) / (oracle's figure − 0.5), the figure being an AUC or a C-index.

    ``expected``, ``oracle_expected``: the averages over redrawn outcomes; ``ratio``: of these. ``spread``: the standard
    deviation of single draws' ratios, ``lower`` and ``upper`` their 2.5th and 97.5th percentiles: how far one draw
    misleads, not how sure ``ratio`` is. ``observed``, ``oracle_observed``, ``ratio_observed``: with the outcomes that
    the cohort has, None where they give no figure.
    """

    figure: str
    expected: float | None
    oracle_expected: float | None
    ratio: float | None
    spread: float | None
    lower: float | None
    upper: float | None
    observed: float | None
    oracle_observed: float | None
    ratio_observed: float | None
    not_estimable: str = ""


def auc_ratio(score: Numbers, true: Numbers, event: Flags, redraws: int = REDRAWS, seed: int = 0) -> OracleRatio:
    """Of the AUC of ``score`` (n,): patients with ``true`` probabilities (n,) and ``event`` (n,) as the cohort has it.

    All of the same patients, those whom the model covers: the oracle is measured on the same ones.
    """
    if why := _not_finite(score, true):
        return _nothing("AUC", why)
    both = np.stack([score, true])
    rng = default_rng(seed)
    drawn = []
    for _ in range(redraws):
        labels = rng.random(true.size) < true
        if 1 < labels.sum() < labels.size - 1:  # one case has no variance
            drawn.append(areas_with_covariance(both, labels)[0])
    seen = None if unfit(event, score, true) else areas_with_covariance(both, event)[0]
    return _ratio("AUC", (expected_auc(true, score), expected_auc(true, true)), drawn, seen)


def concordance_ratio(
    score: Numbers,
    true: Numbers,
    truth: EventTruth,
    observed: Observed | None,
    redraws: int = REDRAWS,
    seed: int = 0,
) -> OracleRatio:
    """Of Harrell's C of ``score`` (n,); the oracle ranks by the ``true`` probabilities (n,) of its information set, and
    times are redrawn from ``truth``. ``observed``: the cohort's own follow-up of the same patients, if known."""
    if why := _not_finite(score, true, truth.hazard):
        return _nothing("C-index", why)
    rng, own = default_rng(seed), once(true.size)
    drawn = []
    for _ in range(redraws):
        course = Observed(*redraw(truth, rng))
        drawn.append(np.array([drawn_c(risk, course, own)[0] for risk in (score, true)]))
    seen = None
    if observed is not None and not unranked(observed, score, true):
        seen = np.array([drawn_c(risk, observed, own)[0] for risk in (score, true)])
    means = (expected_concordance(truth, score), expected_concordance(truth, true))
    return _ratio("C-index", means, drawn, seen)


def _ratio(figure: str, means: tuple[float, float], drawn: list[Numbers], seen: Numbers | None) -> OracleRatio:
    model, best = means
    if not best > 0.5:
        return _nothing(figure, "the oracle itself is no better than chance")
    shares = np.array([(own - 0.5) / (top - 0.5) for own, top in drawn if top > 0.5])
    spread = lower = upper = None
    if shares.size > 1:
        spread = float(shares.std(ddof=1))
        lower, upper = (float(v) for v in np.percentile(shares, [2.5, 97.5]))
    own, top, share = None, None, None
    if seen is not None:
        own, top = float(seen[0]), float(seen[1])
        share = (own - 0.5) / (top - 0.5) if top > 0.5 else None
    return OracleRatio(figure, model, best, (model - 0.5) / (best - 0.5), spread, lower, upper, own, top, share)


def _not_finite(*columns: Numbers) -> str:
    if len({column.size for column in columns}) > 1:
        return "predictions and truth are not of the same patients"
    lost = ~np.all([np.isfinite(column) for column in columns], axis=0)
    if lost.any():
        return f"{int(lost.sum())} patients lack a prediction or a truth: give the covered patients"
    return "fewer than two patients" if lost.size < 2 else ""


def _nothing(figure: str, why: str) -> OracleRatio:
    return OracleRatio(figure, *(None,) * 9, not_estimable=why)
