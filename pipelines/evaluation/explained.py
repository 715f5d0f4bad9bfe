"""What the final stage of a bundle listens to: Shapley values of system 1, the nomogram of system 4."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.random import default_rng

from pipelines.bundle import Bundle
from pipelines.contract import Nomogram
from pipelines.evaluation.prediction import Predicted
from pipelines.evaluation.statistics.explain import Shapley, shapley
from pipelines.systems.dlrs_nomogram import HORIZON, DlrsNomogram
from pipelines.systems.nomogram import Axis, nomogram
from pipelines.systems.signature_bundle import described_variants, read_stages
from pipelines.systems.signature_models import FDL

MOST_PATIENTS = 150  # of whom values are computed: minutes are enough
FEWEST = 20


def signature_shapley(bundle: Bundle, predicted: Predicted) -> dict[str, Shapley]:
    """Of FDL and the default model, each in its first subset of sequences that enough patients have.

    An input is the mean over the fold networks, as the tables show it; the machine then gives almost the probability
    that it gives on each network's own.
    """
    stages = read_stages(bundle)
    found = {}
    for model in dict.fromkeys((FDL, predicted.default)):
        for described in (d for d in described_variants(bundle) if d.variant.model == model):
            inputs = np.column_stack([predicted.features[name] for name in described.columns])
            rows = np.flatnonzero(np.isfinite(inputs).all(axis=1))
            if rows.size < FEWEST:
                continue
            machine = stages[described.variant.key].machine
            chosen = default_rng(0).permutation(rows)[:MOST_PATIENTS]
            found[described.variant.key] = shapley(
                lambda seen, machine=machine: machine.probability(seen[:, None, :]),  # type: ignore[misc]  # a default
                inputs[np.sort(chosen)],
                described.columns,
                inputs[rows],
            )
            break
    return found


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
