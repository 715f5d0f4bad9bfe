"""What the final stage of a bundle listens to: exact Shapley values of every system, the nomogram of system 4."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.random import default_rng

from pipelines.bundle import Bundle
from pipelines.contract import Nomogram
from pipelines.evaluation.prediction import Numbers, Predicted
from pipelines.evaluation.statistics.explain import Shapley, ranked
from pipelines.explain.cox import linear_of
from pipelines.explain.shapley import linear_shapley
from pipelines.explain.words import LOG_HAZARD, LOG_ODDS
from pipelines.systems.cox_risk import stored_cox
from pipelines.systems.dlrs_models import FEATURES, MEASURED
from pipelines.systems.dlrs_nomogram import HORIZON, DlrsNomogram
from pipelines.systems.multi_rec_models import RISK, MultiRecRule, measured_name
from pipelines.systems.nomogram import Axis, nomogram
from pipelines.systems.rp_bundle import RpStage
from pipelines.systems.rp_bundle import read_stages as read_rp_stages
from pipelines.systems.rp_models import FUSED
from pipelines.systems.signature_bundle import Described, described_variants, read_stages, read_table
from pipelines.systems.signature_models import FDL
from pipelines.systems.signature_svm import BACKGROUND

MOST_PATIENTS = 150  # of whom values are computed: minutes are enough
FEWEST = 20


@dataclass(frozen=True)
class _Stage:
    """A final stage: its key, its inputs, and what each adds in ``unit``, (n, k), of inputs (n, k).

    ``known_as``: inputs that the evaluation's columns have under another name.
    """

    key: str
    names: Sequence[str]
    added: Callable[[Numbers], Numbers]
    unit: str
    known_as: Mapping[str, str] = field(default_factory=dict)


def signature_shapley(bundle: Bundle, predicted: Predicted) -> dict[str, Shapley]:
    """Of FDL and the default model, each in its first subset of sequences that enough patients have."""
    machines, table = read_stages(bundle), read_table(bundle)

    def stage(described: Described) -> _Stage:
        key, names = described.variant.key, described.columns
        machine, background = machines[key].machine, table.spread(names, BACKGROUND)
        return _Stage(key, names, lambda seen: machine.contributions(seen[:, None, :], background), LOG_ODDS)

    found: dict[str, Shapley] = {}
    for model in dict.fromkeys((FDL, predicted.default)):
        own = (described for described in described_variants(bundle) if described.variant.model == model)
        found |= _first(map(stage, own), predicted)
    return found


def rp_shapley(bundle: Bundle, predicted: Predicted) -> dict[str, Shapley]:
    """Of the fused model and the default one, each in its first subset of inputs that enough patients have."""

    def stage(one: RpStage) -> _Stage:
        fitted = one.stage
        return _Stage(
            one.model.key, one.model.names, lambda seen: linear_shapley(fitted.slopes, seen, fitted.centre), LOG_ODDS
        )

    found: dict[str, Shapley] = {}
    for model in dict.fromkeys((FUSED, predicted.default)):
        own = (one for one in read_rp_stages(bundle) if one.model.model == model)
        found |= _first(map(stage, own), predicted)
    return found


def dlrs_shapley(bundle: Bundle, predicted: Predicted) -> dict[str, Shapley]:
    """Of the default model; its measured score as the features that it is made of."""
    network, stored = bundle.manifest.network, bundle.arrays("cox")
    if predicted.default not in network["models"]:
        return {}
    inner = stored_cox(stored, FEATURES, tuple(network["measured"]))
    model = stored_cox(stored, predicted.default, tuple(network["models"][predicted.default]["covariates"]))
    linear = linear_of(model, MEASURED, inner)
    return _first([_Stage(predicted.default, linear.names, linear.contributions, LOG_HAZARD)], predicted)


def multi_rec_shapley(bundle: Bundle, predicted: Predicted) -> dict[str, Shapley]:
    """Of the default model, with D and K or, where too few patients have these, without."""
    return _first(_multi_rec_stages(bundle, predicted.default), predicted)


def _multi_rec_stages(bundle: Bundle, default: str) -> Iterator[_Stage]:
    network, stored = bundle.manifest.network, bundle.arrays("cox")
    rules = [MultiRecRule.from_json(said) for said in network["models"].values()]
    for rule in sorted((rule for rule in rules if rule.model == default), key=lambda rule: not rule.reading.maps):
        model, features = stored_cox(stored, rule.name, rule.covariates), measured_name(rule.reading.maps)
        inner = stored_cox(stored, features, tuple(network["measured"][features])) if rule.measured else None
        linear = linear_of(model, MEASURED, inner)
        known_as = {RISK: f"{rule.reading.name} log risk"}
        yield _Stage(rule.name, linear.names, linear.contributions, LOG_HAZARD, known_as)


def _first(stages: Iterable[_Stage], predicted: Predicted) -> dict[str, Shapley]:
    """Of the first of these final stages that enough patients have all inputs of.

    An input is the mean over the fold networks, as the tables show it: what a linear stage adds is the same for it as
    the mean of what it adds on each network's own, and almost the same of a machine.
    """
    for stage in stages:
        columns = [predicted.features.get(stage.known_as.get(name, name)) for name in stage.names]
        known = [column for column in columns if column is not None]
        if len(known) < len(columns):
            continue
        inputs = np.column_stack(known)
        rows = np.flatnonzero(np.isfinite(inputs).all(axis=1))
        if rows.size >= FEWEST:
            chosen = inputs[np.sort(default_rng(0).permutation(rows)[:MOST_PATIENTS])]
            return {stage.key: ranked(stage.names, stage.added(chosen), chosen, stage.unit)}
    return {}


def dlrs_example(bundle: Bundle, predicted: Predicted) -> tuple[Nomogram, float] | None:
    """The nomogram that the default model is, with the patient of median risk on it, and that patient's probability.

    None where no patient has all its inputs.
    """
    system = DlrsNomogram(bundle, torch.device("cpu"))
    rule = system.rules.get(predicted.default)
    if rule is None or any(name not in predicted.features for name in rule.covariates):
        return None
    values = np.column_stack([predicted.features[name] for name in rule.covariates])
    probability = {p.model: p.probability for p in predicted.predictions}[predicted.default]
    rows = np.flatnonzero(np.isfinite(values).all(axis=1) & np.isfinite(probability))
    if not rows.size:
        return None
    middle = rows[np.argsort(probability[rows], kind="stable")[rows.size // 2]]
    axes: Mapping[str, Axis] = {name: Axis.from_json(said) for name, said in bundle.manifest.network["axes"].items()}
    drawn = nomogram(system.cox[rule.name], [axes[name] for name in rule.covariates], values[middle], HORIZON)
    return drawn, float(probability[middle])
