"""The Cox stage of system 4: one model for each set of covariates that may be known, and its thresholds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from lifelines.exceptions import ConvergenceError
from numpy.typing import NDArray

from pipelines.cohort.cut import PreparedPatient
from pipelines.contract import TimePoint
from pipelines.phantom.probabilities import InformationSet
from pipelines.systems.conformal import conformal_limits
from pipelines.systems.cox import CoxModel, Numbers
from pipelines.systems.dlrs_exam import from_entry
from pipelines.systems.dlrs_inputs import Modality
from pipelines.systems.dlrs_models import (
    ADC,
    CEA,
    COMPARED,
    CT,
    DL,
    EMVI,
    FEATURES,
    MEASURED,
    T2W,
    YPN,
    ModelRule,
    choose,
    clinical_values,
    nomogram_rules,
)
from pipelines.systems.nomogram import Axis, numeric_axis
from pipelines.training.dlrs_cox import LEAST_EVENTS, Times, figures, fit_cox, out_of_fold, youden
from pipelines.training.dlrs_settings import DlrsSettings

READ = ("log_volume", "adc_median", "t2_dark_share")
"""Measured features of the baseline exam that carry what is known to go with spread: size, diffusion, heterogeneity."""
AXIS_WORDS = {DL: "DL-prob", T2W: "T2-prob", ADC: "ADC-prob", MEASURED: "measured score"}
STAGES = {CT: ("cT stage", "cT"), YPN: ("ypN stage", "ypN")}
WORDS = {CEA: ("CEA", (("≤ 5 µg/L", 0.0), ("> 5 µg/L", 1.0))), EMVI: ("EMVI", (("negative", 0.0), ("positive", 1.0)))}


@dataclass(frozen=True)
class Known:
    """What is known of n patients. ``covariates`` by name, (n,) each, NaN where unknown; ``features``
    (n, views, ``READ``), NaN where they could not be measured."""

    covariates: Mapping[str, Numbers]
    features: Numbers

    def of(self, names: Sequence[str]) -> Numbers:
        """(n, names)."""
        return np.stack([self.covariates[name] for name in names], axis=1)


@dataclass(frozen=True)
class CoxStage:
    """``models``: fitted on all patients who have what they need, that of the measured features among them.
    ``scoring``: names in the order in which a patient is matched. ``thresholds`` by family (``youden``, and the limits
    ``low`` and ``high`` with their ``coverage``); ``metrics`` out of fold."""

    models: Mapping[str, CoxModel]
    rules: Mapping[str, ModelRule]
    scoring: tuple[str, ...]
    thresholds: Mapping[str, Mapping[str, float]]
    metrics: Mapping[str, Any]
    log_hazard: Mapping[str, Numbers]
    known: Known

    @property
    def shown(self) -> Mapping[str, InformationSet]:
        """What each model sees."""
        return {name: rule.shown for name, rule in self.rules.items()}


def known_of(patients: Sequence[PreparedPatient], probability: Mapping[Modality, Numbers]) -> Known:
    """Covariates of the patients; those of networks as the out-of-fold ``probability`` in the mask as drawn."""
    t2, adc = probability[Modality.T2][:, 0], probability[Modality.ADC][:, 0]
    clinical = [clinical_values(patient.patient.record) for patient in patients]
    named = {name: np.array([one.get(name, np.nan) for one in clinical]) for name in (CT, CEA, EMVI, YPN)}
    views = probability[Modality.T2].shape[1]
    features = [
        [from_entry(patient.exams[TimePoint.BASELINE], view).features for view in range(views)] for patient in patients
    ]
    read = [[[view.get(name, np.nan) for name in READ] for view in one] for one in features]
    return Known({T2W: t2, ADC: adc, DL: t2 + adc} | named, np.array(read))


def fit_stage(known: Known, times: Times, folds: NDArray[np.intp], settings: DlrsSettings) -> CoxStage:
    """Every model of the bundle, and its out-of-fold figures.

    A set of items that too few patients have gets none, nor does one whose model was shrunk until no coefficient moves
    the risk; where that is so of the measured features, no model has them. ``scoring`` may then be empty.
    """
    features, score = measured_score(known.features, times, folds, settings.measured_penalty)
    if not features.coefficients.any():
        score = np.full_like(score, np.nan)
    known = Known({**known.covariates, MEASURED: score}, known.features)
    models: dict[str, CoxModel] = {FEATURES: features}
    rules: dict[str, ModelRule] = {}
    log_hazard, probability, metrics = {}, {}, {}
    order = nomogram_rules()
    for rule in (*order, *COMPARED):
        values = known.of(rule.covariates)
        rows = np.asarray(np.isfinite(values).all(axis=1))
        if not enough(times, rows, folds):
            continue
        own = times.of(rows)
        try:
            model = fit_cox(rule.covariates, values[rows], own, settings.penalty)
            found = out_of_fold(rule.covariates, values[rows], own, folds[rows], settings.penalty)
        except ConvergenceError:  # a covariate that separates the few who have the event: no model of this set
            continue
        if not model.coefficients.any():
            continue
        models[rule.name], rules[rule.name] = model, rule
        log_hazard[rule.name], probability[rule.name] = (_spread(one, rows) for one in found)
        metrics[rule.name] = figures(own, *found) | {"hazard_ratios": hazard_ratios(models[rule.name])}
    scoring = tuple(rule.name for rule in order if rule.name in rules)
    thresholds = _thresholds([rules[name] for name in rules], known, times, probability)
    return CoxStage(models, rules, scoring, thresholds, metrics, log_hazard, known)


def measured_score(
    features: Numbers, times: Times, folds: NDArray[np.intp], penalty: float, names: Sequence[str] = READ
) -> tuple[CoxModel, Numbers]:
    """The Cox model of measured features (patients, views, names), and its out-of-fold log hazard in the mask as drawn,
    NaN where they could not be measured."""
    rows = np.asarray(np.isfinite(features).all(axis=(1, 2)))
    score = np.full(len(rows), np.nan)
    for fold in np.unique(folds[rows]):
        apart = rows & (folds == fold)
        model = _of_views(names, features[rows & (folds != fold)], times.of(rows & (folds != fold)), penalty)
        score[apart] = model.log_hazard(features[apart, 0])
    return _of_views(names, features[rows], times.of(rows), penalty), score


def _of_views(names: Sequence[str], features: Numbers, times: Times, penalty: float) -> CoxModel:
    """All views of a patient count as one: the model must not lean on a border that another reader draws elsewhere."""
    views = features.shape[1]
    repeated = Times(np.repeat(times.months, views), np.repeat(times.event, views))
    weights = np.full(repeated.months.size, 1.0 / views)
    return fit_cox(names, features.reshape(-1, len(names)), repeated, penalty, weights)


def axes_of(known: Known) -> dict[str, Axis]:
    """How each covariate is drawn: over the range, or the stages, that training saw."""
    axes = {}
    for name, values in known.covariates.items():
        seen = values[np.isfinite(values)]
        if not seen.size:  # no model has it
            continue
        if name in AXIS_WORDS:
            axes[name] = numeric_axis(name, AXIS_WORDS[name], seen)
        elif name in STAGES:
            words, letter = STAGES[name]
            axes[name] = Axis(
                name, words, tuple((f"{letter}{stage:g}", float(stage)) for stage in np.unique(seen)), True
            )
        else:
            words, ticks = WORDS[name]
            axes[name] = Axis(name, words, ticks, True)
    return axes


def enough(times: Times, rows: NDArray[np.bool_], folds: NDArray[np.intp]) -> bool:
    """Whether there is an event to learn from in the rest of every fold, and enough of them in all.

    A cut-off also needs some who had it by 36 months, and some who are known to be free of it then.
    """
    if not {0.0, 1.0} <= set(times.of(rows).status.tolist()):
        return False
    events = rows & times.event
    parts = np.unique(folds)
    return int(events.sum()) >= LEAST_EVENTS and all(
        (rows & (folds == f)).any() and (events & (folds != f)).any() for f in parts
    )


def _thresholds(
    rules: Sequence[ModelRule], known: Known, times: Times, probability: Mapping[str, Numbers]
) -> dict[str, dict[str, float]]:
    """Youden's cut-off and the conformal limits of each family, on out-of-fold probabilities of each patient by the
    model that would score."""
    status, weights = times.status, times.weights
    found = {}
    for family in dict.fromkeys(rule.family for rule in rules):
        members = [rule for rule in rules if rule.family == family]
        chosen = [choose(members, _names(known, row)) for row in range(len(status))]
        scored = np.array([np.nan if rule is None else probability[rule.name][row] for row, rule in enumerate(chosen)])
        covered = np.isfinite(scored)
        cut_off = youden(np.where(covered, status, np.nan), scored)
        limits = conformal_limits(status == 1.0, scored, weights=np.where(covered, weights, 0.0))
        found[family] = {"youden": cut_off, **limits}
    return found


def _names(known: Known, row: int) -> set[str]:
    return {name for name, values in known.covariates.items() if np.isfinite(values[row])}


def _spread(values: Numbers, rows: NDArray[np.bool_]) -> Numbers:
    spread = np.full(len(rows), np.nan)
    spread[rows] = values
    return spread


def hazard_ratios(model: CoxModel) -> dict[str, list[float]]:
    """exp β with its 95 % limits, by covariate."""
    error = np.sqrt(np.diag(model.covariance))
    limits = [np.exp(model.coefficients + z * error) for z in (0.0, -1.96, 1.96)]
    return {name: [round(float(one[i]), 4) for one in limits] for i, name in enumerate(model.names)}
