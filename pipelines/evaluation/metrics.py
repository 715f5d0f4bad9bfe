"""``metrics.json``: every figure by name, for programs. The keys stand in :func:`metrics` and do not change."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from pipelines.evaluation.groups import GroupFigures
from pipelines.evaluation.judged import Judged
from pipelines.evaluation.model_figures import ModelFigures
from pipelines.evaluation.prediction import Prediction
from pipelines.evaluation.references import published
from pipelines.evaluation.results import Results
from pipelines.evaluation.statistics.stated import json_form
from pipelines.evaluation.survival_figures import SurvivalFigures


def metrics(results: Results) -> dict[str, Any]:
    """The whole file as JSON values.

    - ``system``, ``bundle`` (name, version, digest, phantom_trained), ``cohort`` (patients, excluded, sites, digest,
      simulated, seed, trained_on), ``default_model``;
    - ``patients``: judged, of those given; ``events``: of these, seen in all of the follow-up, and of an event in time
      ``events_36m``, those seen by 36 months;
    - of the default model, at top level: ``auc`` or ``c_index`` with ``_ci`` (95 % limits), ``oracle`` (the figure of
      the true probabilities on the same patients), ``oracle_ratio`` with ``_observed`` and ``_sd`` (null for real
      patients), ``calibration``, and all else of its entry under ``models``;
    - ``coverage``: share of the patients not excluded that the model has the inputs for; ``outside_envelope``: share of
      those covered that lie outside the training envelope, nobody being left out for it; ``left_out``: why, counted;
    - ``models``: the same for each model by name, of some systems also of what the node shows (``node``, with
      ``categories``: whom it calls high, moderate, low and uncertain); ``threshold`` is null where patients have
      different ones, which ``thresholds`` lists; ``conformal``, of models with prediction sets: how often they
      hold what came true; ``sites`` and ``strata``: the default model's by group;
    - ``degraded``: by name, models without some of their inputs beside the whole model on the same patients, with the
      difference; ``own_masks``: Dice of masks that the networks draw, beside the shipped segmenter's;
    - ``saliency``: by kind of network, the share of Grad-CAM inside the tumour, beside chance and untrained networks,
      rank correlations, and the doubts that follow;
    - ``demands``: what was expected, what was found, and of what was not reached what the figures say of the reason.
    """
    judged = results.judged
    models = {name: _model(judged, found) for name, found in results.models.items()}
    manifest, default = judged.bundle.manifest, judged.predicted.default
    described = {
        "system": manifest.system,
        "bundle": {
            "name": manifest.name,
            "version": manifest.version,
            "digest": judged.bundle.weights_digest,
            "phantom_trained": manifest.phantom_trained,
        },
        "cohort": _cohort(judged),
        "default_model": default,
    }
    groups = {
        "sites": {name: _group(group) for name, group in results.sites.items()},
        "strata": {name: _group(group) for name, group in results.strata.items()},
        "degraded": {name: found.as_json() for name, found in results.degraded.items()},
        "own_masks": {name: found.as_json() for name, found in results.own_masks.items()},
        "saliency": {one.name: one.as_json() for one in results.explained.saliency},
        "demands": [demand.as_json() for demand in results.demands],
    }
    form = json_form(described | models[default] | {"left_out": left_out(judged)} | {"models": models} | groups)
    assert isinstance(form, dict)
    return form


def _cohort(judged: Judged) -> dict[str, Any]:
    cohort = judged.cohort
    seeds = sorted(set(cohort.truth.words.get("seed", ()))) if cohort.truth else []
    return {
        "patients": len(cohort.patients),
        "excluded": len(judged.excluded),
        "sites": dict(sorted(Counter(str(site) for site in judged.sites).items())),
        "digest": cohort.digest,
        "simulated": cohort.simulated,
        "seed": int(seeds[0]) if len(seeds) == 1 else None,
        "trained_on": judged.trained_on_it,
    }


def coverage(judged: Judged, prediction: Prediction) -> float:
    """The share of the patients not excluded that the model has the inputs for."""
    return float(prediction.covered.mean()) if prediction.covered.size else float("nan")


def outside(judged: Judged, prediction: Prediction) -> float:
    """The share of the covered patients that lie outside the training envelope."""
    covered = prediction.covered
    return float(np.mean(judged.predicted.outside[covered])) if covered.any() else float("nan")


def _model(judged: Judged, found: ModelFigures) -> dict[str, Any]:
    prediction = found.prediction
    reference = published(judged.predicted.system, prediction.model)
    return {
        "outcome": str(prediction.outcome),
        "information": str(prediction.shown),
        **_counts(found),
        "coverage": coverage(judged, prediction),
        "outside_envelope": outside(judged, prediction),
        **found.as_json(),
        "published": reference.as_json() if reference else None,
    }


def _counts(found: ModelFigures) -> dict[str, Any]:
    counts = {"patients": found.patients, "events": found.events}
    return counts | ({"events_36m": found.events_36m} if isinstance(found, SurvivalFigures) else {})


def _group(group: GroupFigures) -> dict[str, Any]:
    return {
        **_counts(group.figures),
        "outside_training": group.outside_training,
        "drop": group.drop,
        **group.figures.as_json(),
    }


def left_out(judged: Judged) -> dict[str, int]:
    """Why patients are not among those the default model is judged by, and how many for each reason."""
    reasons = Counter(f"excluded by the cohort's owner: {patient.excluded}" for patient in judged.excluded)
    prediction = judged.default
    known = judged.known(prediction.outcome)
    for row, refusal in enumerate(judged.predicted.refused):
        if not prediction.covered[row]:
            reasons[refusal or _lacking(judged, row)] += 1
        elif not known[row]:
            reasons["outcome not known"] += 1
    return dict(reasons.most_common())


def _lacking(judged: Judged, row: int) -> str:
    """What the node does with a patient of whom the default model says nothing."""
    used, words = judged.predicted.used, f"{judged.predicted.default} lacks an input"
    if not used:
        return words
    return f"{words}; the node then uses {used[row]}" if used[row] else f"{words}; so does every model of the node"
