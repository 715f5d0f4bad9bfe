"""What missing inputs cost: a model beside itself with inputs hidden, on the patients who have them.

Nothing is filled in for what is hidden: the model goes the way it goes for a patient who lacks it.
"""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.evaluation.compared import observed_of
from pipelines.evaluation.flat import flat
from pipelines.evaluation.judged import Flags, Judged, together
from pipelines.evaluation.prediction import Prediction
from pipelines.evaluation.statistics.binary import auc, compare_auc
from pipelines.evaluation.statistics.concordance import compare_c, harrell_c
from pipelines.evaluation.statistics.stated import Estimate


@dataclass(frozen=True)
class Degraded:
    """The first figure (AUC or C-index) of a model with all inputs and ``without`` the ``hidden`` ones, of the same
    ``patients``. ``difference``: without minus with. ``expected``: both averaged over all outcomes that simulated
    patients could have had; None of real ones."""

    model: str
    hidden: str
    patients: int
    events: int
    whole: Estimate
    without: Estimate
    difference: Estimate
    expected: tuple[float, float] | None

    def as_json(self) -> dict[str, object]:
        """As ``metrics.json`` has it under ``degraded``."""
        whole, without = self.expected or (None, None)
        return {
            "model": self.model,
            "hidden": self.hidden,
            "patients": self.patients,
            "events": self.events,
            **flat("whole", self.whole),
            **flat("without", self.without),
            **flat("difference", self.difference),
            "whole_expected": whole,
            "without_expected": without,
            "difference_expected": None if whole is None or without is None else without - whole,
        }


def degraded(judged: Judged) -> dict[str, Degraded]:
    """By the name of each prediction from which inputs were hidden."""
    found = {}
    for prediction in judged.predicted.degraded:
        whole = judged.of(prediction.whole)
        rows = together(judged, (whole, prediction))
        if rows.any():
            found[prediction.model] = _degraded(judged, whole, prediction, rows)
    return found


def _degraded(judged: Judged, whole: Prediction, prediction: Prediction, rows: Flags) -> Degraded:
    full, less = whole.probability[rows], prediction.probability[rows]
    if judged.survival:
        observed = observed_of(judged, whole, rows)
        figures = harrell_c(full, observed), harrell_c(less, observed), compare_c(less, full, observed)
        events = int(observed.event.sum())
    else:
        event = judged.responded(whole.outcome)[rows] == 1
        figures = auc(full, event), auc(less, event), compare_auc(less, full, event)
        events = int(event.sum())
    expected = judged.expected(whole, rows, full), judged.expected(whole, rows, less)
    return Degraded(
        prediction.whole,
        prediction.hidden,
        int(rows.sum()),
        events,
        *figures,
        None if expected[0] is None or expected[1] is None else (expected[0], expected[1]),
    )
