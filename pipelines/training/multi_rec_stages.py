"""The Cox stage of system 3: for every reading of the networks a model of what they say, without and with the measured
score, and its thresholds. All of it is learnt from out-of-fold readings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from lifelines.exceptions import ConvergenceError
from numpy.typing import NDArray

from pipelines.cohort.cut import PreparedPatient
from pipelines.contract import TimePoint
from pipelines.phantom.probabilities import InformationSet
from pipelines.systems.conformal import conformal_limits
from pipelines.systems.cox import CoxModel, Numbers
from pipelines.systems.multi_rec_columns import Codes, codes_of
from pipelines.systems.multi_rec_cut import MEDIANS, from_entry
from pipelines.systems.multi_rec_models import (
    MEASURED,
    MEASURED_BESIDE,
    MEASURED_SUFFIX,
    RECURRENCE,
    RISK,
    MultiRecRule,
    Reading,
    measured_name,
    needed_columns,
    readings_of,
    scoring_order,
    shown_to,
)
from pipelines.training.dlrs_cox import Times, figures, fit_cox, out_of_fold, youden
from pipelines.training.dlrs_loss import partial_likelihood
from pipelines.training.dlrs_models import READ, enough, hazard_ratios, measured_score
from pipelines.training.multi_rec_networks import TrainedNetworks
from pipelines.training.multi_rec_settings import MultiRecSettings

READ_WITH_MAPS = (*READ, *MEDIANS.values())
LEAST_SPREAD = 0.02
"""Networks whose log risks of different patients lie closer together tell nobody apart."""


@dataclass(frozen=True)
class Learning:
    """What the stage learns from, of n patients: courses, folds, known columns, and measured features by view."""

    times: Times
    folds: NDArray[np.intp]
    codes: tuple[Codes, ...]
    features: tuple[tuple[Mapping[str, float], ...], ...]

    def measured(self, names: Sequence[str]) -> Numbers:
        """(n, views, names), NaN where not measured."""
        return np.array([[[view.get(name, np.nan) for name in names] for view in views] for views in self.features])


@dataclass(frozen=True)
class MultiRecStage:
    """``models``: of every rule by its name, and those of measured features by ``measured_name``. ``scoring``: names in
    the order in which the node tries them. ``thresholds`` by name: ``youden``, and the limits ``low`` and ``high`` with
    their ``coverage``. ``metrics`` and ``log_hazard`` (n,) out of fold."""

    models: Mapping[str, CoxModel]
    rules: Mapping[str, MultiRecRule]
    scoring: tuple[str, ...]
    thresholds: Mapping[str, Mapping[str, float]]
    metrics: Mapping[str, Any]
    log_hazard: Mapping[str, Numbers]

    @property
    def shown(self) -> Mapping[str, InformationSet]:
        """What each model sees."""
        return {name: shown_to(rule.reading.variant) for name, rule in self.rules.items()}


@dataclass(frozen=True)
class _Fit:
    """One model, and its out-of-fold log hazard and probability by 36 months of the patients ``rows``."""

    model: CoxModel
    rows: NDArray[np.bool_]
    log_hazard: Numbers
    probability: Numbers
    likelihood: float


@dataclass(frozen=True)
class _Known:
    """What the models of one reading learn from: who of all patients, and the ridge penalty."""

    learning: Learning
    rows: NDArray[np.bool_]
    penalty: float


def learning_of(patients: Sequence[PreparedPatient], times: Times, folds: NDArray[np.intp]) -> Learning:
    """What these patients teach, beside what the networks say of them."""
    exams = [from_entry(patient.exams[TimePoint.BASELINE]) for patient in patients]
    codes = tuple(codes_of(patient.patient.record) for patient in patients)
    return Learning(times, folds, codes, tuple(exam.features for exam in exams))


def fit_stage(networks: TrainedNetworks, learning: Learning, settings: MultiRecSettings) -> MultiRecStage:
    """Every model of the bundle, and its out-of-fold figures.

    One that too few patients have the inputs for, or that was shrunk until nothing moves its risk, is left out;
    ``scoring`` may then be empty.
    """
    models: dict[str, CoxModel] = {}
    rules: list[MultiRecRule] = []
    fits: list[_Fit] = []
    scores = {maps: _measured(learning, maps, networks.has_maps, settings) for maps in (True, False)}
    for variant in settings.variants:
        for reading in readings_of(variant):
            rows = _rows(reading, networks, learning)
            if not rows.any() or networks.said[reading.name].risk[rows].std() < LEAST_SPREAD:
                continue
            known = _Known(learning, rows, settings.penalty)
            found = [_of_networks(reading, networks, known)]
            beside = scores[reading.maps] if variant in MEASURED_BESIDE else None
            if beside is not None:
                models[measured_name(reading.maps)] = beside[0]
                found.append(_with_measured(found[0][0], networks, beside[1], known))
            rules += [rule for rule, fit in found if fit is not None]
            fits += [fit for _, fit in found if fit is not None]
    named = {rule.name: fit for rule, fit in zip(rules, fits, strict=True)}
    return MultiRecStage(
        models=models | {name: fit.model for name, fit in named.items()},
        rules={rule.name: rule for rule in rules},
        scoring=scoring_order(rules),
        thresholds={name: _thresholds(fit, learning.times) for name, fit in named.items()},
        metrics={name: _figures(fit, learning.times) for name, fit in named.items()},
        log_hazard={name: fit.log_hazard for name, fit in named.items()},
    )


def _rows(reading: Reading, networks: TrainedNetworks, learning: Learning) -> NDArray[np.bool_]:
    """Who has what the reading cannot do without."""
    rows = np.array([needed_columns(reading.variant, codes) for codes in learning.codes], dtype=bool)
    return rows & networks.has_maps if reading.needs_maps else rows


def _of_networks(reading: Reading, networks: TrainedNetworks, known: _Known) -> tuple[MultiRecRule, _Fit | None]:
    """The Cox model of the log risk, with the logit of recurrence where that ranks unseen patients better.

    None where what is meant to raise the risk would lower it: the networks then found nothing.
    """
    found = []
    for covariates in ((RISK,), (RISK, RECURRENCE)):
        rule = MultiRecRule(str(reading.variant), reading, covariates)
        fit = _fit(covariates, _values(rule, networks, None), known)
        found += [(rule, fit)] if fit is not None and (fit.model.coefficients >= 0).all() else []
    if not found:
        return MultiRecRule(str(reading.variant), reading, (RISK,)), None
    return max(found, key=lambda one: one[1].likelihood)


def _with_measured(
    rule: MultiRecRule, networks: TrainedNetworks, score: Numbers, known: _Known
) -> tuple[MultiRecRule, _Fit | None]:
    """The same with the measured score, which may be there where the networks alone found nothing."""
    extended = MultiRecRule(f"{rule.model}{MEASURED_SUFFIX}", rule.reading, (*rule.covariates, MEASURED))
    return extended, _fit(extended.covariates, _values(extended, networks, score), known)


def _values(rule: MultiRecRule, networks: TrainedNetworks, score: Numbers | None) -> Numbers:
    """(n, covariates) out of fold."""
    said = networks.said[rule.reading.name]
    columns = {RISK: said.risk, RECURRENCE: said.recurrence}
    if score is not None:
        columns[MEASURED] = score
    return np.stack([columns[name] for name in rule.covariates], axis=1)


def _measured(
    learning: Learning, maps: bool, has_maps: NDArray[np.bool_], settings: MultiRecSettings
) -> tuple[CoxModel, Numbers] | None:
    """The measured score (n,), and its model. Where D and K may be read, they are if that ranks unseen patients who
    have them better: all patients teach what the others say, few teach what these add. None where nothing says
    anything."""
    among = has_maps if maps else np.ones(len(has_maps), dtype=bool)
    found = []
    for names in (READ, READ_WITH_MAPS) if maps else (READ,):
        features = learning.measured(names)
        rows = np.asarray(np.isfinite(features).all(axis=(1, 2)))
        if not enough(learning.times, rows, learning.folds):
            continue
        model, score = measured_score(features, learning.times, learning.folds, settings.measured_penalty, names)
        if model.coefficients.any() and (among & rows).any():
            found.append((model, score))
    if not found:
        return None
    common = among & np.isfinite(np.stack([score for _, score in found])).all(axis=0)
    return max(found, key=lambda one: likelihood(one[1][common], learning.times.of(common)))


def _fit(covariates: Sequence[str], values: Numbers, known: _Known) -> _Fit | None:
    learning, penalty = known.learning, known.penalty
    rows = known.rows & np.isfinite(values).all(axis=1)
    times, folds = learning.times.of(rows), learning.folds[rows]
    if not enough(learning.times, rows, learning.folds):
        return None
    try:
        model = fit_cox(covariates, values[rows], times, penalty)
        log_hazard, probability = out_of_fold(covariates, values[rows], times, folds, penalty)
    except ConvergenceError:  # a covariate that separates the few who have the event
        return None
    if not model.coefficients.any():
        return None
    return _Fit(model, rows, _spread(log_hazard, rows), _spread(probability, rows), likelihood(log_hazard, times))


def likelihood(log_hazard: Numbers, times: Times) -> float:
    """Log partial likelihood per event (Cox 1975) of log hazards (n,) that patients have who were not learnt from."""
    columns = (log_hazard, times.months, times.event.astype(float))
    return -float(partial_likelihood(*(torch.from_numpy(np.ascontiguousarray(column)) for column in columns)))


def _thresholds(fit: _Fit, times: Times) -> dict[str, float]:
    """Youden's cut-off, and conformal limits. A patient censored before 36 months has no say in either, but the others
    then stand for them."""
    own = times.of(fit.rows)
    probability = fit.probability[fit.rows]
    limits = conformal_limits(own.status == 1.0, probability, weights=times.weights[fit.rows])
    return {"youden": youden(own.status, probability), **limits}


def _figures(fit: _Fit, times: Times) -> dict[str, Any]:
    found = figures(times.of(fit.rows), fit.log_hazard[fit.rows], fit.probability[fit.rows])
    return found | {"hazard_ratios": hazard_ratios(fit.model)}


def _spread(values: Numbers, rows: NDArray[np.bool_]) -> Numbers:
    spread = np.full(len(rows), np.nan)
    spread[rows] = values
    return spread
