"""Why a demand was not reached, as far as figures tell: what the model did on its own training cohort, what others did
with the same information, and what the same predictions are worth on average over other draws of the outcomes.

Every sentence is a figure that stands somewhere in the report or the bundle; nothing here is a guess.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.random import default_rng

from pipelines.evaluation.judged import Judged
from pipelines.evaluation.model_figures import ModelFigures
from pipelines.evaluation.prediction import Prediction
from pipelines.evaluation.statistics.calibration import recalibrated
from pipelines.evaluation.statistics.horizon import Observed
from pipelines.evaluation.statistics.stated import Numbers
from pipelines.evaluation.statistics.survival_calibration import cox_slope
from pipelines.phantom.oracle import EventTruth, redraw

COURSES = 40
"""Redrawn courses of all patients, of which a mean slope is had."""
AS_WELL = 0.03  # of the oracle: nearer than this, two shares are called alike
SLIGHT = 0.05  # of a slope
LEARNT_SHARE = ("oracle_share", "oracle_ratio")  # in a model's entry of a manifest
ALL_SHARES = "oracle_share_out_of_fold"  # by model


def why_short(judged: Judged, models: Mapping[str, ModelFigures], found: ModelFigures) -> str:
    """Why a model comes less near to the oracle than was demanded."""
    return "; ".join([*_in_training(judged, found), *_others(models, found), *_learnt_from(judged)])


def _share(found: ModelFigures) -> float | None:
    return None if found.oracle is None else found.oracle.ratio


def _in_training(judged: Judged, found: ModelFigures) -> Iterator[str]:
    """The bundle's figure of patients each left out in turn, where it has one."""
    name, here = found.prediction.model, _share(found)
    held = judged.bundle.manifest.metrics
    for key, share in _out_of_fold(held, name):
        if here is None:
            return
        if share > here + AS_WELL:
            compared = "so it does less well on these patients than on those of its training"
        else:
            compared = "so it learnt no more, and lost nothing on the way to these patients"
        yield f"out of fold on its training cohort {key} reached {share:.2f} of the oracle, {compared}"
        return


def _out_of_fold(metrics: Mapping[str, object], name: str) -> Iterator[tuple[str, float]]:
    """Shares of the oracle that a manifest states of a model, or of its subsets of sequences."""
    shares = metrics.get(ALL_SHARES)
    for key, entry in (shares if isinstance(shares, Mapping) else {}).items():
        if key == name and isinstance(entry, float):
            yield key, entry
    for key, entry in metrics.items():
        if isinstance(entry, Mapping) and (key == name or key.startswith(f"{name} ")):
            yield from ((key, entry[known]) for known in LEARNT_SHARE if isinstance(entry.get(known), float))


def _others(models: Mapping[str, ModelFigures], found: ModelFigures) -> Iterator[str]:
    """Models with the same information that come nearer: what they show can be seen, and this one does not see it."""
    here = _share(found)
    alike = [other for other in models.values() if other.prediction.shown is found.prediction.shown]
    known = {other.prediction.model: share for other in alike if (share := _share(other)) is not None}
    if here is None or not known:
        return
    best = max(known, key=lambda name: known[name])
    if known[best] > here + AS_WELL:
        yield (
            f"with the same information {best} reaches {known[best]:.2f}: the inputs carry more than this model reads "
            "from them"
        )
    else:
        yield "no other model with the same information comes nearer"


def _learnt_from(judged: Judged) -> Iterator[str]:
    count = judged.bundle.manifest.training.get("patients")
    if isinstance(count, int):
        yield f"it learnt from {count} patients"


def why_miscalibrated(judged: Judged, found: ModelFigures) -> str:
    """Whether the model or the one draw of outcomes is to blame for a slope; '' for real patients."""
    mean = mean_slope(judged, found.prediction)
    if mean is None:
        return ""
    off = abs(mean - 1.0) > SLIGHT
    blame = "so the predictions themselves are off" if off else "so it is this draw of outcomes rather than the model"
    return f"averaged over {COURSES} redrawn courses of the same patients the slope is {mean:.2f}, {blame}"


def mean_slope(judged: Judged, prediction: Prediction) -> float | None:
    """The calibration slope averaged over courses that simulated patients could have had; None of real ones."""
    rows, true = judged.judgeable(prediction), judged.true(prediction)
    if true is None or not rows.any():
        return None
    rng, probability, truth = default_rng(0), prediction.probability[rows], judged.events(prediction.outcome)
    if truth is None:
        drawn = [recalibrated(probability, rng.random(probability.size) < true[rows])[0] for _ in range(COURSES)]
    else:
        chosen = EventTruth(truth.hazard[rows], truth.competing[rows], truth.observed_months[rows])
        risk = _log_hazard(probability)
        drawn = [cox_slope(risk, Observed(*redraw(chosen, rng))) for _ in range(COURSES)]
    slopes = [slope.value for slope in drawn if slope.value is not None]
    return float(np.mean(slopes)) if slopes else None


def _log_hazard(probability: Numbers) -> Numbers:
    return np.asarray(np.log(-np.log1p(-np.clip(probability, 1e-9, 1.0 - 1e-9))))
