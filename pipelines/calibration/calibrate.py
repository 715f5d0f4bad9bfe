"""`restage calibrate`: what a trained bundle says, set right on patients that it has not learnt from.

Training knows patients apart from its networks only one fold at a time: each by the one network that did not see them,
where a new patient gets the mean of all. And one cohort's luck is in every slope that was fitted to it. Here other
patients are scored exactly as the node scores: from them come each model's calibration curve, its cut-off, and the
limits of its prediction sets, which then hold as often as they say (split conformal prediction: H. Papadopoulos et al.,
ECML 2002; V. Vovk et al., Algorithmic Learning in a Random World, 2nd ed. 2022, section 4.2). Networks stay as they
are, and so does who ranks above whom.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pipelines.bundle import CALIBRATION, MANIFEST, Bundle, BundleError, load_bundle, save_bundle
from pipelines.calibration.curve import Curve, NoCurve, event_curve, response_curve
from pipelines.calibration.stages import KINDS, calibrated_arrays
from pipelines.cohort.cohort import Cohort
from pipelines.cohort.prepare import Preparing, prepare
from pipelines.cohort.purpose import PURPOSES, read_for, usable
from pipelines.cohort.read import FILE, CohortError
from pipelines.evaluation.evaluators import evaluator_of
from pipelines.evaluation.judged import Judged
from pipelines.evaluation.prediction import Prediction
from pipelines.models import choose_device
from pipelines.phantom.probabilities import RESPONSES
from pipelines.progress import Progress, silent
from pipelines.systems.conformal import conformal_limits
from pipelines.training import dlrs_cox, signature_stages
from pipelines.training.provenance import cohort_words

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Calibration:
    """``out``: folder for the calibrated bundle, which may be that of the bundle itself. ``workers``: processes that
    read exams; they change nothing."""

    bundle: Path
    cohort: Path
    out: Path
    device: str = "auto"
    workers: int = 1


@dataclass(frozen=True)
class Calibrated:
    """Of one model: its curve and thresholds, and the number of patients that they come from."""

    curve: Curve
    thresholds: Mapping[str, float]
    patients: int


def calibrate(wanted: Calibration, progress: Progress = silent) -> str:
    """Calibrate every model of a bundle that the cohort says enough of; returns lines that say how it went.

    Raises
    ------
    BundleError
        Where the bundle cannot be used, or is of a system without final stages.
    CohortError
        Naming every problem of the cohort, before any exam is read; where the bundle has learnt from it; and where it
        says enough of no model.
    ValueError
        For an unknown device.
    """
    bundle, device = load_bundle(wanted.bundle), choose_device(wanted.device)
    system = bundle.manifest.system
    if system not in KINDS:
        problem = f"is of '{system}', which predicts no outcome"
        raise BundleError(wanted.bundle / MANIFEST, problem, f"there are {', '.join(KINDS)}")
    cohort = read_for(wanted.cohort, PURPOSES[system])
    if cohort.digest in bundle.manifest.learnt_from:
        raise CohortError(wanted.cohort / FILE, ["the bundle has learnt from these patients: give others"])
    evaluator, patients = evaluator_of(bundle), usable(cohort, PURPOSES[system])
    run = Preparing(wanted.workers, progress, beds=True)
    prepared = prepare(cohort, patients, evaluator.cut_of(bundle), run)
    progress("predicting", 0, 1)
    judged = Judged(bundle, cohort, patients, evaluator.predict(bundle, prepared, device))
    progress("predicting", 1, 1)
    found, left = calibrated_models(judged)
    if not found:
        raise CohortError(wanted.cohort / FILE, [f"{name}: {reason}" for name, reason in left.items()])
    seen = cohort_words(cohort, [one for one in prepared if not one.refusal])
    write_calibrated(bundle, wanted.out, found, _described(cohort, seen, found, left))
    return "\n".join(
        [
            *(f"{name}: slope {one.curve.slope:.2f}, {one.patients} patients" for name, one in found.items()),
            *(f"{name}: left as it is, since {reason}" for name, reason in left.items()),
        ]
    )


def calibrated_models(judged: Judged) -> tuple[dict[str, Calibrated], dict[str, str]]:
    """What becomes of each model by its name, and of those that the patients say too little of, why."""
    found, left = {}, {}
    for name in KINDS[judged.bundle.manifest.system].families(judged.bundle.manifest):
        if not judged.has(name):
            left[name] = "nobody has its inputs"
            continue
        try:
            found[name] = _calibrated(judged, judged.of(name))
        except NoCurve as reason:
            left[name] = str(reason)
    return found, left


def write_calibrated(
    bundle: Bundle, out: Path, found: Mapping[str, Calibrated], described: Mapping[str, Any]
) -> Bundle:
    """The bundle with these models calibrated, written to ``out``."""
    manifest, families = bundle.manifest, KINDS[bundle.manifest.system].families(bundle.manifest)
    thresholds = {key: dict(one.thresholds) for name, one in found.items() for key in families[name].thresholds}
    stored = calibrated_arrays(bundle, {name: one.curve for name, one in found.items()})
    weights = {stem: {key: torch.from_numpy(value) for key, value in arrays.items()} for stem, arrays in stored.items()}
    changed = replace(
        manifest,
        thresholds={**manifest.thresholds, **thresholds},
        training={**manifest.training, CALIBRATION: described},
    )
    return save_bundle(out, changed, weights)


def _calibrated(judged: Judged, prediction: Prediction) -> Calibrated:
    of: Callable[[Judged, Prediction, NDArray[np.bool_]], tuple[Curve, dict[str, float]]]
    of = _of_response if prediction.outcome in RESPONSES else _of_event
    rows = judged.judgeable(prediction)
    curve, thresholds = of(judged, prediction, rows)
    return Calibrated(curve, thresholds, int(rows.sum()))


def _of_response(judged: Judged, prediction: Prediction, rows: NDArray[np.bool_]) -> tuple[Curve, dict[str, float]]:
    had = judged.responded(prediction.outcome)[rows] == 1.0
    curve = response_curve(had, prediction.probability[rows])
    probability = curve.odds(prediction.probability[rows])
    return curve, conformal_limits(had, probability) | {"youden": signature_stages.youden(had, probability)}


def _of_event(judged: Judged, prediction: Prediction, rows: NDArray[np.bool_]) -> tuple[Curve, dict[str, float]]:
    months, event = judged.followed(prediction.outcome)
    times = dlrs_cox.Times(months[rows], event[rows])
    curve = event_curve(times.months, times.event, prediction.probability[rows], dlrs_cox.HORIZON)
    probability = curve.hazard(prediction.probability[rows])
    limits = conformal_limits(times.status == 1.0, probability, weights=times.weights)
    return curve, limits | {"youden": dlrs_cox.youden(times.status, probability)}


def _described(cohort: Cohort, seen: str, found: Mapping[str, Calibrated], left: Mapping[str, str]) -> dict[str, Any]:
    return {
        "cohort": seen,
        "cohort_digest": cohort.digest,
        "models": {
            name: {"intercept": one.curve.intercept, "slope": one.curve.slope, "patients": one.patients}
            for name, one in found.items()
        },
        "left": dict(left),
    }
