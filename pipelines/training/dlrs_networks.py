"""Training of the networks of system 4, one per modality and fold, and their out-of-fold probabilities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pipelines.cohort.cut import PreparedPatient
from pipelines.cohort.folds import inner_split
from pipelines.contract import TimePoint
from pipelines.systems.cox import Numbers
from pipelines.systems.dlrs_exam import from_entry
from pipelines.systems.dlrs_inputs import Modality
from pipelines.systems.dlrs_network import DlrsSize, dlrs_network
from pipelines.systems.dlrs_nomogram import event_probability
from pipelines.training.dlrs_cox import HORIZON, Times, times_from, with_baseline
from pipelines.training.dlrs_examples import Stacks
from pipelines.training.dlrs_loss import RISK, cox_loss, three_year_loss
from pipelines.training.dlrs_settings import DlrsSettings
from pipelines.training.fit import Fitted, Job, Rows, Run, fit
from pipelines.training.imagenet import Checkpoint, load_imagenet

LEARNT: Mapping[Modality, tuple[str, ...]] = {
    Modality.T2: ("log_volume", "thickness", "t2_median", "t2_spread", "t2_low", "t2_high"),
    Modality.ADC: ("log_volume", "adc_mean", "adc_median", "adc_spread", "adc_low"),
}
"""Measured features that a network of the modality can see, and learns to read beside the risk."""
PREDICTED_AT_ONCE = 64


@dataclass(frozen=True)
class Plan:
    """How networks are trained: the fold of each patient, the seed, the settings, and what they begin with."""

    folds: NDArray[np.intp]
    seed: int
    settings: DlrsSettings
    checkpoint: Checkpoint | None = None


@dataclass(frozen=True)
class TrainedNetworks:
    """``weights``: tensors by ``modality.fold.name``; ``baselines``: per modality and fold the cumulative hazard by 36
    months at an output of 0 (empty where outputs are logits); ``probability``: out of fold, (patients, views);
    ``fitted``: every network by ``modality fold``, with its history."""

    weights: Mapping[str, torch.Tensor]
    baselines: Mapping[str, list[float]]
    probability: Mapping[Modality, Numbers]
    fitted: Mapping[str, Fitted]


def times_of(patients: Sequence[PreparedPatient]) -> Times:
    """Months from surgery to distant metastasis, or to when the patient was last known free of it."""
    return times_from([patient.patient.metastasis for patient in patients])


def train_networks(patients: Sequence[PreparedPatient], plan: Plan, run: Run) -> TrainedNetworks:
    """Every network of every fold, each fitted on the patients of the other folds alone."""
    times, settings = times_of(patients), plan.settings
    weights: dict[str, torch.Tensor] = {}
    baselines: dict[str, list[float]] = {}
    probability: dict[Modality, Numbers] = {}
    kept: dict[str, Fitted] = {}
    for modality in Modality:
        probability[modality] = np.full((len(patients), settings.views), np.nan)
        for fold in range(settings.folds):
            apart, rest = np.flatnonzero(plan.folds == fold), np.flatnonzero(plan.folds != fold)
            stacks = Stacks(patients, modality, settings.views, _targets(patients, modality, settings, rest))
            fitted = fit(_job(patients, stacks, plan, (modality, fold)), run)
            hazard = None
            if not settings.cross_entropy:
                hazard = baseline_hazard(predicted(fitted.network, stacks, rest, 0, run.device), times.of(rest))
                baselines.setdefault(str(modality), []).append(hazard)
            for view in range(settings.views):
                output = predicted(fitted.network, stacks, apart, view, run.device)
                probability[modality][apart, view] = event_probability(output, hazard)
            stored = fitted.network.state_dict()
            weights |= {f"{modality}.{fold}.{key}": _stored(value) for key, value in stored.items()}
            kept[f"{modality} {fold}"] = fitted
    return TrainedNetworks(weights, baselines, probability, kept)


def baseline_hazard(output: Numbers, times: Times) -> float:
    """Breslow's cumulative hazard by 36 months at an output (log hazard) of 0."""
    model = with_baseline(("output",), np.ones(1), np.zeros((1, 1)), output[:, None], times)
    return float(model.cumulative_hazard(np.zeros((1, 1)), (HORIZON,))[0, 0])


def predicted(
    network: torch.nn.Module, stacks: Stacks, rows: NDArray[np.intp], view: int, device: str = "cpu"
) -> Numbers:
    """The risk output (rows,) through one view."""
    moved = network.to(device).eval()
    with torch.inference_mode():
        parts = [
            moved(stacks.through(part, view).to(device))[:, RISK].cpu()
            for part in torch.from_numpy(rows).split(PREDICTED_AT_ONCE)
        ]
    return torch.cat(parts).double().numpy()


def _job(patients: Sequence[PreparedPatient], stacks: Stacks, plan: Plan, which: tuple[Modality, int]) -> Job:
    modality, fold = which
    settings, rule = plan.settings, plan.settings.rule
    seed = plan.seed + 1000 * list(Modality).index(modality) + fold
    torch.manual_seed(seed)
    network = dlrs_network(size_of(modality, settings), rule.slices, len(rule.channels))
    if plan.checkpoint is not None:
        load_imagenet(network.get_submodule("resnet"), plan.checkpoint)
    weight = settings.feature_weight
    loss = three_year_loss(HORIZON, weight) if settings.cross_entropy else cox_loss(weight)
    rows = _inner(patients, np.flatnonzero(plan.folds != fold), settings, seed)
    return Job(f"{modality} {fold}", network, stacks, rows, loss, settings.recipe, seed)


def size_of(modality: Modality, settings: DlrsSettings) -> DlrsSize:
    """The size of a modality's networks, with an output for each feature that is learnt beside the risk."""
    return replace(settings.size, outputs=1 + (len(LEARNT[modality]) if settings.feature_weight else 0))


def _inner(patients: Sequence[PreparedPatient], rest: NDArray[np.intp], settings: DlrsSettings, seed: int) -> Rows:
    """Rows to train on and rows that say when to stop, all of them of the other folds."""
    if not settings.validation_share:
        return Rows(torch.from_numpy(rest), torch.empty(0, dtype=torch.int64))
    own = [patients[int(row)].patient for row in rest]
    train, validation = inner_split(
        own, strata_of([patients[int(row)] for row in rest]), settings.validation_share, seed
    )
    return Rows(torch.from_numpy(rest[train]), torch.from_numpy(rest[validation]))


def strata_of(patients: Sequence[PreparedPatient]) -> list[str]:
    """Event by 36 months, free of it until then, or censored before."""
    words = {1.0: "event", 0.0: "free"}
    return [words.get(float(status), "censored") for status in times_of(patients).status]


def _targets(
    patients: Sequence[PreparedPatient],
    modality: Modality,
    settings: DlrsSettings,
    rest: NDArray[np.intp],
) -> torch.Tensor:
    """(patients, views, 2 + features): months, event, and features standardised by the patients of the other folds."""
    times = times_of(patients)
    outcome = np.stack([times.months, times.event.astype(float)], axis=1)
    repeated = np.repeat(outcome[:, None], settings.views, axis=1)
    if not settings.feature_weight:
        return torch.from_numpy(repeated).float()
    exams: list[list[Mapping[str, Any]]] = [
        [from_entry(patient.exams[TimePoint.BASELINE], view).features for view in range(settings.views)]
        for patient in patients
    ]
    names = LEARNT[modality]
    values = np.array([[[view.get(name, np.nan) for name in names] for view in views] for views in exams])
    known = values[rest].reshape(-1, len(names))
    scaled = (values - np.nanmean(known, axis=0)) / (np.nanstd(known, axis=0) + 1e-9)
    return torch.from_numpy(np.concatenate([repeated, scaled], axis=2)).float()


def _stored(value: torch.Tensor) -> torch.Tensor:
    """Half precision on disk; the rounding (0.05 %) is far below what another training run changes."""
    return value.detach().cpu().half() if value.is_floating_point() else value.detach().cpu()
