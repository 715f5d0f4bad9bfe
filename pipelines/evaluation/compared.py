"""Models against each other on the patients that both cover: differences, decision curves, what one adds to another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pipelines.evaluation.judged import Flags, Judged, together
from pipelines.evaluation.prediction import Prediction
from pipelines.evaluation.statistics.binary import Comparison, compare_all
from pipelines.evaluation.statistics.concordance import compare_c
from pipelines.evaluation.statistics.decision import DecisionCurve, decision_curve
from pipelines.evaluation.statistics.horizon import AtHorizon, Observed, known
from pipelines.evaluation.statistics.impact import Impact, impact
from pipelines.evaluation.statistics.reclassification import Reclassification, reclassification
from pipelines.evaluation.statistics.survival import KaplanMeier, LogRank, kaplan_meier, log_rank
from pipelines.phantom.survival import HORIZON_MONTHS

TICKS = (0.0, 12.0, 24.0, 36.0, 48.0, 60.0)
HIGH, LOW = "high risk", "low risk"
MOST_LOST = 0.5
"""A model that covers less than this share of the default's patients would take the others' decision curves away."""


def outcome_of(judged: Judged, prediction: Prediction, rows: Flags) -> AtHorizon:
    """The outcome of the patients in ``rows``: a response as it is known, an event by 36 months."""
    if not judged.survival:
        return known(judged.responded(prediction.outcome)[rows] == 1)
    return AtHorizon(observed_of(judged, prediction, rows), HORIZON_MONTHS)


def observed_of(judged: Judged, prediction: Prediction, rows: Flags) -> Observed:
    """The follow-up of the patients in ``rows``."""
    months, event = judged.followed(prediction.outcome)
    return Observed(months[rows], event[rows])


def differences(judged: Judged, predictions: Sequence[Prediction]) -> tuple[Comparison, ...]:
    """The first figure of each pair of models of one outcome: AUCs by DeLong's test, C-indices by paired bootstrap."""
    if not judged.survival:
        event = judged.responded(judged.default.outcome)
        rows = np.isfinite(event)
        scores = {p.model: p.probability[rows] for p in predictions if p.outcome is judged.default.outcome}
        return compare_all(scores, event[rows] == 1)
    found = []
    for place, first in enumerate(predictions):
        for second in predictions[place + 1 :]:
            rows = together(judged, (first, second))
            observed = observed_of(judged, first, rows)
            difference = compare_c(first.probability[rows], second.probability[rows], observed)
            found.append(Comparison(first.model, second.model, difference, None))
    return tuple(found)


@dataclass(frozen=True)
class Decisions:
    """Decision curves of the models that share enough ``patients``; ``without``: the names of those that do not."""

    curve: DecisionCurve
    patients: int
    without: tuple[str, ...] = ()


def decisions(judged: Judged, predictions: Sequence[Prediction]) -> Decisions:
    """The decision curves of the default model and of those of ``predictions`` that cover enough of its patients, on
    the patients that all of them cover."""
    least = MOST_LOST * judged.judgeable(judged.default).sum()
    kept = [judged.default]
    for other in (prediction for prediction in predictions if prediction.model != judged.predicted.default):
        rows = together(judged, (*kept, other))
        if rows.sum() >= least and not outcome_of(judged, other, rows).unfit():
            kept.append(other)
    shown = [prediction for prediction in predictions if any(prediction is one for one in kept)]
    rows = together(judged, shown)
    scores = {prediction.model: prediction.probability[rows] for prediction in shown}
    curve = decision_curve(scores, outcome_of(judged, judged.default, rows))
    names = tuple(prediction.model for prediction in predictions if prediction.model not in scores)
    return Decisions(curve, int(rows.sum()), names)


def impact_of(judged: Judged, prediction: Prediction) -> Impact:
    """Clinical impact and ROC components of one model."""
    rows = judged.judgeable(prediction)
    return impact(prediction.probability[rows], outcome_of(judged, prediction, rows))


@dataclass(frozen=True)
class Added:
    """What ``new`` adds to ``old``, by the risk categories that ``new``'s threshold parts."""

    old: str
    new: str
    patients: int
    found: Reclassification


def added(judged: Judged, old: Prediction, new: Prediction) -> Added:
    """NRI and IDI of one model over another."""
    rows = together(judged, (old, new))
    outcome = outcome_of(judged, new, rows)
    found = reclassification(old.probability[rows], new.probability[rows], outcome, new.cuts)
    return Added(old.model, new.model, int(rows.sum()), found)


@dataclass(frozen=True)
class RiskGroups:
    """Kaplan–Meier curves of high and low risk by a model's threshold, among patients described by ``among``."""

    model: str
    among: str
    curves: tuple[KaplanMeier, ...]
    tested: LogRank

    def counts(self) -> Mapping[str, tuple[int, int]]:
        """(patients, events) of each group."""
        return {curve.group: (curve.patients, curve.events) for curve in self.curves}


def risk_groups(judged: Judged, prediction: Prediction, among: str = "", rows: Flags | None = None) -> RiskGroups:
    """High and low risk by the threshold that was fixed on training data; ``rows`` (n,): of these patients alone."""
    chosen = judged.judgeable(prediction) if rows is None else judged.judgeable(prediction) & rows
    observed = observed_of(judged, prediction, chosen)
    high = prediction.probability[chosen] >= prediction.thresholds[chosen]
    groups = [HIGH if above else LOW for above in high]
    curves = tuple(sorted(kaplan_meier(observed, groups, TICKS), key=lambda curve: curve.group))
    return RiskGroups(prediction.model, among, curves, log_rank(observed, groups))
