"""How well a probability tells patients with the event from those without: at every threshold, and at a given one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from sklearn.metrics import average_precision_score, roc_curve
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from pipelines.evaluation.statistics.delong import auc, auc_bootstrap, compare_auc
from pipelines.evaluation.statistics.resample import multiplicities
from pipelines.evaluation.statistics.stated import Estimate, Flags, Numbers, Stated, by_draws, missing, unfit

__all__ = [
    "AtThreshold",
    "Comparison",
    "RocCurve",
    "at_threshold",
    "auc",
    "auc_bootstrap",
    "auprc",
    "compare_all",
    "compare_auc",
    "roc",
    "youden_threshold",
]


@dataclass(frozen=True)
class RocCurve(Stated):
    """A ROC curve's corners (k,) each, from (0, 0) to (1, 1); ``threshold``: at or above it counts as positive."""

    false_positive: Numbers
    true_positive: Numbers
    threshold: Numbers
    not_estimable: str = ""


def roc(score: Numbers, event: Flags) -> RocCurve:
    """The ROC curve of ``score`` (n,) for ``event`` (n,). Its first threshold is infinite: nobody is positive."""
    nothing = np.empty(0)
    if why := unfit(event, score):
        return RocCurve(nothing, nothing, nothing, why)
    return RocCurve(*roc_curve(event, score))


def auprc(score: Numbers, event: Flags, draws: Numbers | None = None) -> Estimate:
    """Average precision (the step-wise area under precision and recall) with percentile limits of the bootstrap.

    Compare it with the share of events, which is what chance gives. ``draws``: ``multiplicities``.
    """
    if why := unfit(event, score):
        return missing(why)
    drawn = multiplicities(event) if draws is None else draws
    value = float(average_precision_score(event, score))
    return by_draws(value, drawn_average_precision(score, event, drawn), "bootstrap of patients")


def drawn_average_precision(score: Numbers, event: Flags, counts: Numbers) -> Numbers:
    """(draws,): the average precision in each draw of ``counts`` (draws, n)."""
    order = np.argsort(-score, kind="stable")
    last = np.flatnonzero(np.r_[np.diff(score[order]) < 0, True])  # of each run of equal scores
    true = np.cumsum(counts[:, order] * event[order], axis=1)[:, last]
    positive = np.cumsum(counts[:, order], axis=1)[:, last]
    gained = np.diff(true, axis=1, prepend=0.0)
    with np.errstate(invalid="ignore"):
        area: Numbers = (gained * true / np.where(positive > 0, positive, 1.0)).sum(axis=1) / true[:, -1]
    return area


@dataclass(frozen=True)
class AtThreshold(Stated):
    """What calling everyone at or above ``threshold`` positive gives: counts, and shares with Wilson's limits.

    ``threshold``: None where patients have different ones.
    """

    threshold: float | None
    true_positive: int
    false_positive: int
    true_negative: int
    false_negative: int
    accuracy: Estimate
    sensitivity: Estimate
    specificity: Estimate
    ppv: Estimate
    npv: Estimate
    f1: Estimate


def at_threshold(probability: Numbers, event: Flags, threshold: float | Numbers) -> AtThreshold:
    """The figures at a threshold that was fixed on training data, one for all or (n,) one each. Shares of nobody are
    not estimable, each by itself.

    F1 is 2J / (1 + J) of J = TP / (TP + FP + FN), which is a share: its limits are J's, carried over.
    """
    different = np.unique(threshold)
    one = float(different[0]) if different.size == 1 else None
    if probability.shape != event.shape or not np.isfinite(probability).all():
        why = missing("predictions are missing: give the covered patients")
        return AtThreshold(one, 0, 0, 0, 0, why, why, why, why, why, why)
    called = probability >= threshold
    tp, fp = int((called & event).sum()), int((called & ~event).sum())
    tn, fn = int((~called & ~event).sum()), int((~called & event).sum())
    return AtThreshold(
        one,
        tp,
        fp,
        tn,
        fn,
        accuracy=share(tp + tn, event.size, "patients"),
        sensitivity=share(tp, tp + fn, "patients with the event"),
        specificity=share(tn, tn + fp, "patients without the event"),
        ppv=share(tp, tp + fp, "patients called positive"),
        npv=share(tn, tn + fn, "patients called negative"),
        f1=_f1(share(tp, tp + fp + fn, "patients with the event or called positive")),
    )


def share(found: int, of: int, whom: str) -> Estimate:
    """A proportion with Wilson's score interval (E. B. Wilson, JASA 22 (1927) 209–212)."""
    if of == 0:
        return missing(f"there are no {whom}")
    lower, upper = proportion_confint(found, of, method="wilson")
    return Estimate(found / of, float(lower), float(upper), None, "Wilson")


def _f1(overlap: Estimate) -> Estimate:
    if overlap.value is None or overlap.lower is None or overlap.upper is None:
        return overlap
    value, lower, upper = (2.0 * j / (1.0 + j) for j in (overlap.value, overlap.lower, overlap.upper))
    return Estimate(value, lower, upper, None, "Wilson, of TP / (TP + FP + FN)")


def youden_threshold(probability: Numbers, event: Flags) -> float | None:
    """The threshold of the largest sensitivity + specificity − 1, half-way to the next lower probability; of equals the
    highest. For training data only: on the data that is judged it flatters. None where ``unfit`` says so.

    Half-way, because a probability that is stored or computed again may differ in its last digit.
    """
    if unfit(event, probability):
        return None
    false_positive, true_positive, thresholds = roc_curve(event, probability, drop_intermediate=False)
    best = float(thresholds[1:][np.argmax((true_positive - false_positive)[1:])])
    lower = probability[probability < best]
    return (best + float(lower.max())) / 2.0 if lower.size else best


@dataclass(frozen=True)
class Comparison(Stated):
    """AUC of ``first`` minus AUC of ``second`` on the patients that both cover; ``holm``: p for all pairs together."""

    first: str
    second: str
    difference: Estimate
    holm: float | None


def compare_all(scores: Mapping[str, Numbers], event: Flags) -> tuple[Comparison, ...]:
    """DeLong's test of each pair of models in the mapping's order, p also corrected for their number by Holm's method.

    Patients whom either of two models does not cover (NaN) are left out of that pair.
    """
    names = list(scores)
    pairs = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
    differences = []
    for a, b in pairs:
        both = np.isfinite(scores[a]) & np.isfinite(scores[b])
        differences.append(compare_auc(scores[a][both], scores[b][both], event[both]))
    tested = [i for i, d in enumerate(differences) if d.p_value is not None]
    holm: list[float | None] = [None] * len(pairs)
    if tested:
        corrected = multipletests([differences[i].p_value for i in tested], method="holm")[1]
        for i, p in zip(tested, corrected, strict=True):
            holm[i] = float(p)
    return tuple(Comparison(a, b, d, p) for (a, b), d, p in zip(pairs, differences, holm, strict=True))
