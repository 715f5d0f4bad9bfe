"""All figures of one model that predicts an event in time: ranking, discrimination at each year, calibration, oracle.

Where death is no part of the event it is a competing risk: it ends the follow-up, and all figures are cause-specific.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pipelines.evaluation.flat import beside_oracle, flat
from pipelines.evaluation.judged import Flags, Judged
from pipelines.evaluation.prediction import Prediction
from pipelines.evaluation.sets import sets_of
from pipelines.evaluation.statistics.concordance import harrell_c, uno_c
from pipelines.evaluation.statistics.horizon import AtHorizon, Observed, inverse_weights
from pipelines.evaluation.statistics.oracle_ratio import (
    GROUP_REDRAWS,
    REDRAWS,
    OracleRatio,
    auc_ratio,
    concordance_ratio,
)
from pipelines.evaluation.statistics.resample import once
from pipelines.evaluation.statistics.set_coverage import SetCoverage
from pipelines.evaluation.statistics.stated import Estimate
from pipelines.evaluation.statistics.survival_calibration import SurvivalCalibration, survival_calibration
from pipelines.evaluation.statistics.time_roc import TimeRoc, time_roc
from pipelines.phantom.oracle import EventTruth
from pipelines.phantom.probabilities import Outcome
from pipelines.phantom.survival import HORIZON_MONTHS

ROC_MONTHS: Mapping[Outcome, tuple[float, ...]] = {
    # Liu X. et al., figure 2: one, two and three years; Liu Z. et al. (and their code): one, three and five.
    Outcome.METASTASIS: (12.0, 24.0, HORIZON_MONTHS),
    Outcome.RECURRENCE: (12.0, HORIZON_MONTHS, 60.0),
}


@dataclass(frozen=True)
class SurvivalFigures:
    """Of the ``patients`` that the model covers and who were followed; ``events``: seen in all of the follow-up.

    ``rocs``: at each of the outcome's ``ROC_MONTHS``. ``oracle``: of the C-index; ``oracle_auc``: of the AUC at 36
    months. ``mean_predicted``: of the probability by 36 months; ``mean_true``: of the true one if nobody died of
    another cause first, which is what 1 − Kaplan–Meier estimates. Oracles and truth are None for real patients.
    ``sets``: at 36 months, of those whose state is known then; None where the model has no prediction sets.
    """

    prediction: Prediction
    patients: int
    events: int
    observed: Observed
    c_index: Estimate
    uno: Estimate
    rocs: tuple[TimeRoc, ...]
    calibration: SurvivalCalibration
    mean_predicted: float
    mean_true: float | None
    oracle: OracleRatio | None
    oracle_auc: OracleRatio | None
    sets: SetCoverage | None = None

    @property
    def primary(self) -> Estimate:
        """The figure that the system is judged by."""
        return self.c_index

    @property
    def events_36m(self) -> int:
        """How many were seen to have the event by 36 months."""
        return int(self.outcome.had.sum())

    @property
    def outcome(self) -> AtHorizon:
        """What became of the patients by 36 months."""
        return AtHorizon(self.observed, HORIZON_MONTHS)

    def as_json(self) -> dict[str, object]:
        """The figures as ``metrics.json`` names them."""
        calibrated, rank, area = self.calibration, self.oracle, self.oracle_auc
        oracle = {"c_index": rank.oracle_expected, "auc_36m": area.oracle_expected} if rank and area else None
        by_year: dict[str, object] = {}
        for found in self.rocs:
            by_year |= flat(f"auc_{found.month:.0f}m", found.auc)
        return {
            **flat("c_index", self.c_index),
            "oracle": oracle,
            **beside_oracle(rank, "c_index"),
            **flat("uno_c_index", self.uno),
            **by_year,
            "auc_36m_expected": area.expected if area else None,
            "oracle_ratio_auc_36m": area.ratio if area else None,
            "threshold": self.prediction.cuts[0] if len(self.prediction.cuts) == 1 else None,
            "calibration": {
                **flat("slope", calibrated.slope),
                **flat("expected_observed", calibrated.expected_observed),
                "mean_predicted": self.mean_predicted,
                "mean_true": self.mean_true,
                **flat("brier", calibrated.brier),
                **flat("scaled_brier", calibrated.scaled_brier),
            },
            **({"conformal": self.sets.as_json()} if self.sets else {}),
        }


def survival_figures(judged: Judged, prediction: Prediction, among: Flags | None = None) -> SurvivalFigures:
    """The figures of one model; ``among`` (n,): these patients alone."""
    rows = judged.judgeable(prediction) if among is None else judged.judgeable(prediction) & among
    months, event = judged.followed(prediction.outcome)
    observed, risk = Observed(months[rows], event[rows]), prediction.probability[rows]
    outcome = AtHorizon(observed, HORIZON_MONTHS)
    rank = area = mean_true = None
    true, truth = judged.true(prediction), judged.events(prediction.outcome)
    if true is not None and truth is not None:
        chosen = EventTruth(truth.hazard[rows], truth.competing[rows], truth.observed_months[rows])
        redraws = REDRAWS if among is None else GROUP_REDRAWS
        rank = concordance_ratio(risk, true[rows], chosen, observed, redraws)
        # By the averages alone: of those lost before 36 months there is no label to observe.
        area = auc_ratio(risk, true[rows], outcome.had, redraws)
        mean_true = float(-np.expm1(-chosen.hazard).mean()) if risk.size else None
    return SurvivalFigures(
        prediction,
        int(rows.sum()),
        int(observed.event.sum()),
        observed,
        harrell_c(risk, observed),
        uno_c(risk, observed, 60.0),
        time_roc(risk, observed, ROC_MONTHS[prediction.outcome]),
        survival_calibration(risk, outcome),
        float(risk.mean()) if risk.size else float("nan"),
        mean_true,
        rank,
        area,
        # Of those lost before 36 months nobody knows: the others count for them.
        sets_of(prediction, rows, (outcome.had, outcome.free), true, inverse_weights(once(risk.size), outcome)[0])
        if risk.size
        else None,
    )
