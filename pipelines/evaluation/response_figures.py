"""All figures of one model that predicts a response: discrimination, calibration, how near it comes to the oracle."""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.contract import Likelihood
from pipelines.evaluation.flat import beside_oracle, flat
from pipelines.evaluation.judged import Flags, Judged
from pipelines.evaluation.prediction import Prediction
from pipelines.evaluation.sets import sets_of
from pipelines.evaluation.statistics.binary import AtThreshold, at_threshold, auc, auprc, share
from pipelines.evaluation.statistics.calibration import Calibration, calibration
from pipelines.evaluation.statistics.oracle_ratio import GROUP_REDRAWS, REDRAWS, OracleRatio, auc_ratio
from pipelines.evaluation.statistics.set_coverage import SetCoverage
from pipelines.evaluation.statistics.stated import Estimate


@dataclass(frozen=True)
class Category:
    """Whom the node calls so: ``patients``, ``events`` of these, their ``share``, and the mean predicted."""

    name: str
    patients: int
    events: int
    share: Estimate
    predicted: float

    def as_json(self) -> dict[str, object]:
        counts = {"patients": self.patients, "events": self.events, "mean_predicted": self.predicted}
        return counts | flat("share", self.share)


@dataclass(frozen=True)
class ResponseFigures:
    """Of the ``patients`` that the model covers and whose response is known. ``mean_true``: of their true
    probabilities; it and ``oracle`` are None for real patients. ``categories``: () where the node shows none. ``sets``:
    None where the model has no prediction sets."""

    prediction: Prediction
    patients: int
    events: int
    auc: Estimate
    auprc: Estimate
    at_threshold: AtThreshold
    calibration: Calibration
    mean_predicted: float
    mean_true: float | None
    oracle: OracleRatio | None
    categories: tuple[Category, ...] = ()
    sets: SetCoverage | None = None

    @property
    def primary(self) -> Estimate:
        """The figure that the system is judged by."""
        return self.auc

    def as_json(self) -> dict[str, object]:
        """The figures as ``metrics.json`` names them."""
        at, calibrated = self.at_threshold, self.calibration
        shown = {"categories": {found.name: found.as_json() for found in self.categories}} if self.categories else {}
        return {
            **flat("auc", self.auc),
            "oracle": {"auc": self.oracle.oracle_expected} if self.oracle else None,
            **beside_oracle(self.oracle, "auc"),
            **flat("auprc", self.auprc),
            "threshold": at.threshold,
            "thresholds": list(self.prediction.cuts),
            **flat("accuracy", at.accuracy),
            **flat("sensitivity", at.sensitivity),
            **flat("specificity", at.specificity),
            **flat("ppv", at.ppv),
            **flat("npv", at.npv),
            **flat("f1", at.f1),
            "calibration": {
                **flat("slope", calibrated.slope),
                **flat("intercept", calibrated.intercept),
                **flat("expected_observed", calibrated.expected_observed),
                "mean_predicted": self.mean_predicted,
                "mean_true": self.mean_true,
                **flat("brier", calibrated.brier),
                **flat("scaled_brier", calibrated.scaled_brier),
                "ece": calibrated.expected_error.value,
            },
            **shown,
            **({"conformal": self.sets.as_json()} if self.sets else {}),
        }


def response_figures(judged: Judged, prediction: Prediction, among: Flags | None = None) -> ResponseFigures:
    """The figures of one model; ``among`` (n,): these patients alone."""
    rows = judged.judgeable(prediction) if among is None else judged.judgeable(prediction) & among
    probability, event = prediction.probability[rows], judged.responded(prediction.outcome)[rows] == 1
    true = judged.true(prediction)
    return ResponseFigures(
        prediction,
        int(rows.sum()),
        int(event.sum()),
        auc(probability, event),
        auprc(probability, event),
        at_threshold(probability, event, prediction.thresholds[rows]),
        calibration(probability, event),
        float(probability.mean()) if probability.size else float("nan"),
        None if true is None or not probability.size else float(true[rows].mean()),
        None
        if true is None
        else auc_ratio(probability, true[rows], event, REDRAWS if among is None else GROUP_REDRAWS),
        _categories(prediction, rows, event),
        sets_of(prediction, rows, (event, ~event), true),
    )


def _categories(prediction: Prediction, rows: Flags, event: Flags) -> tuple[Category, ...]:
    """What became of those whom the node calls high, moderate, low and uncertain."""
    if prediction.categories is None:
        return ()
    called, probability = prediction.categories[rows], prediction.probability[rows]
    found = []
    for name in (name for name in Likelihood if (called == name).any()):
        chosen = called == name
        count, had = int(chosen.sum()), int(event[chosen].sum())
        predicted = float(probability[chosen].mean())
        found.append(Category(str(name), count, had, share(had, count, "patients called so"), predicted))
    return tuple(found)
