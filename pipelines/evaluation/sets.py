"""How often a model's prediction sets hold what came true."""

from __future__ import annotations

from pipelines.evaluation.judged import Flags
from pipelines.evaluation.prediction import Numbers, Prediction
from pipelines.evaluation.statistics.set_coverage import SetCoverage, set_coverage


def sets_of(
    prediction: Prediction,
    rows: Flags,
    outcome: tuple[Flags, Flags],
    true: Numbers | None,
    weights: Numbers | None = None,
) -> SetCoverage | None:
    """Of the patients in ``rows``; None where the model has no sets. ``outcome``: of these patients, who is known to
    have it and who not to. ``true`` (n,): the true probabilities of all patients, None where nobody knows them.
    ``weights``: of the patients in ``rows``, where some of them are lost before their outcome is known."""
    sets = prediction.sets
    if sets is None:
        return None
    known = None if true is None else true[rows]
    return set_coverage(sets.coverage, (sets.event[rows], sets.no_event[rows]), outcome, known, weights)
