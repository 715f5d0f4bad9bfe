"""All figures of one model that predicts a response: discrimination, calibration, how near it comes to the oracle."""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.evaluation.flat import beside_oracle, flat
from pipelines.evaluation.judged import Flags, Judged
from pipelines.evaluation.prediction import Prediction
from pipelines.evaluation.statistics.binary import AtThreshold, at_threshold, auc, auprc
from pipelines.evaluation.statistics.calibration import Calibration, calibration
from pipelines.evaluation.statistics.oracle_ratio import GROUP_REDRAWS, REDRAWS, OracleRatio, auc_ratio
from pipelines.evaluation.statistics.stated import Estimate


@dataclass(frozen=True)
class ResponseFigures:
    """Of the ``patients`` that the model covers and whose response is known; ``oracle`` is None for real patients."""

    prediction: Prediction
    patients: int
    events: int
    auc: Estimate
    auprc: Estimate
    at_threshold: AtThreshold
    calibration: Calibration
    oracle: OracleRatio | None

    @property
    def primary(self) -> Estimate:
        """The figure that the system is judged by."""
        return self.auc

    def as_json(self) -> dict[str, object]:
        """The figures as ``metrics.json`` names them."""
        at, calibrated = self.at_threshold, self.calibration
        return {
            **flat("auc", self.auc),
            "oracle": {"auc": self.oracle.oracle_expected} if self.oracle else None,
            **beside_oracle(self.oracle, "auc"),
            **flat("auprc", self.auprc),
            "threshold": at.threshold,
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
                **flat("brier", calibrated.brier),
                **flat("scaled_brier", calibrated.scaled_brier),
                "ece": calibrated.expected_error.value,
            },
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
        at_threshold(probability, event, prediction.threshold),
        calibration(probability, event),
        None
        if true is None
        else auc_ratio(probability, true[rows], event, REDRAWS if among is None else GROUP_REDRAWS),
    )
