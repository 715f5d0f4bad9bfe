"""Training of the networks of system 3, one per variant and fold, and what they say of patients they never saw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pipelines.cohort.cut import PreparedPatient
from pipelines.cohort.folds import inner_split, survival_label
from pipelines.masks.overlap import dice
from pipelines.segment import stored_weights
from pipelines.systems.cox import Numbers
from pipelines.systems.multi_rec_columns import Scaler
from pipelines.systems.multi_rec_models import readings_of
from pipelines.systems.networks.multi_rec_net import MultiRecNet, MultiRecNetSize, MultiRecOutput, Variant
from pipelines.training.dlrs_cox import Times, times_from
from pipelines.training.fit import Fitted, Job, Rows, Run, fit, outputs_of
from pipelines.training.multi_rec_examples import CohortArrays, Examples, gathered, learnt, standardised
from pipelines.training.multi_rec_loss import Told, Wanted, multi_rec_loss
from pipelines.training.multi_rec_settings import MultiRecSettings
from pipelines.training.tensors import parts

AT_ONCE = 64
HEADS = ("network.recurrence.weight", "network.log_risk.weight")


class Looped(torch.nn.Module):
    """A MultiRecNet with inputs and outputs in the order of the training loop (:class:`Examples`, :class:`Told`)."""

    def __init__(self, network: MultiRecNet) -> None:
        super().__init__()
        self.network = network
        images = ("images", "present") if network.size.sequences else ()
        self.inputs = (*images, *(("values", "missing") if network.size.clinical is not None else ()))

    def forward(self, *inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """What :class:`Told` holds, of a network without images the first two."""
        output: MultiRecOutput = self.network(**dict(zip(self.inputs, inputs, strict=True)))
        if output.segmentation is None:
            return output.recurrence, output.log_risk
        none = output.log_risk.new_empty((len(output.log_risk), 0))
        read = none if output.features is None else output.features
        return output.recurrence, output.log_risk, output.segmentation, read


@dataclass(frozen=True)
class Plan:
    """How networks are trained: the fold of each patient, the seed, the settings."""

    folds: NDArray[np.intp]
    seed: int
    settings: MultiRecSettings


@dataclass(frozen=True)
class Said:
    """Of n patients, by networks that never saw them: ``risk``, log hazard against the mean of each network's own
    patients; ``recurrence``, logit."""

    risk: Numbers
    recurrence: Numbers


@dataclass(frozen=True)
class TrainedNetworks:
    """``weights``: tensors by ``variant.fold.name``. By reading: ``said`` out of fold, and ``centres``, per fold the
    mean log risk of the patients that its network learnt from. ``scalers``: per fold. ``dice``: by variant, of the own
    mask out of fold. ``has_maps`` (n,): who has D and K. ``fitted``: every network by ``variant fold``."""

    weights: Mapping[str, torch.Tensor]
    said: Mapping[str, Said]
    centres: Mapping[str, list[float]]
    scalers: tuple[Scaler, ...]
    dice: Mapping[Variant, Numbers]
    has_maps: NDArray[np.bool_]
    fitted: Mapping[str, Fitted]


def times_of(patients: Sequence[PreparedPatient]) -> Times:
    """Months from surgery to recurrence or death, or to when the patient was last known free of both."""
    return times_from([patient.patient.recurrence for patient in patients])


def strata_of(patients: Sequence[PreparedPatient]) -> list[str]:
    """Event by 36 months, free of it until then, or censored before."""
    found = [patient.patient.recurrence for patient in patients]
    return ["unknown" if course is None else survival_label(course) for course in found]


def train_networks(patients: Sequence[PreparedPatient], plan: Plan, run: Run) -> TrainedNetworks:
    """Every network of every fold, each fitted on the patients of the other folds alone.

    Networks that begin with others' branches take those of the same fold, which saw the same patients.
    """
    cohort, made = gathered(patients, times_of(patients)), _Made(len(patients))
    order = sorted(plan.settings.variants, key=lambda variant: bool(plan.settings.warm_from(variant)))
    for variant in order:
        for fold in range(plan.settings.folds):
            rest = np.flatnonzero(plan.folds != fold)
            examples = _examples(cohort, variant, rest, plan.settings)
            begun = [made.fitted[f"{first} {fold}"].network for first in plan.settings.warm_from(variant)]
            fitted = fit(_job(patients, examples, (variant, fold, rest), plan, begun), run)
            made.fitted[f"{variant} {fold}"] = fitted
            made.keep(fitted.network, examples, (variant, fold, rest, np.flatnonzero(plan.folds == fold)), run.device)
    codes = [[cohort.codes[row] for row in np.flatnonzero(plan.folds != fold)] for fold in range(plan.settings.folds)]
    scalers = tuple(Scaler.fitted(one, _columns(plan.settings)) for one in codes)
    return TrainedNetworks(made.weights, made.said, made.centres, scalers, made.dice, cohort.has_maps, made.fitted)


class _Made:
    """What was trained so far, and what it says of whom it never saw."""

    def __init__(self, patients: int) -> None:
        self.patients = patients
        self.weights: dict[str, torch.Tensor] = {}
        self.said: dict[str, Said] = {}
        self.centres: dict[str, list[float]] = {}
        self.dice: dict[Variant, Numbers] = {}
        self.fitted: dict[str, Fitted] = {}

    def keep(
        self,
        network: torch.nn.Module,
        examples: Examples,
        which: tuple[Variant, int, NDArray[np.intp], NDArray[np.intp]],
        device: str,
    ) -> None:
        """The weights of a fold's network, and its readings of the patients ``apart`` from it."""
        variant, fold, rest, apart = which
        stored = stored_weights(network.get_submodule("network"))
        self.weights |= {f"{variant}.{fold}.{key}": value.detach().cpu() for key, value in stored.items()}
        overlap = self.dice.setdefault(variant, np.full(self.patients, np.nan)) if variant.sequences else None
        for reading in readings_of(variant):
            shown = examples if reading.maps else examples.without_maps()
            own = rest[examples.cohort.has_maps[rest]] if reading.needs_maps else rest
            centre = float(predicted(network, shown, own if own.size else rest, device).risk.mean())
            self.centres.setdefault(reading.name, []).append(centre)
            found = predicted(network, shown, apart, device)
            said = self.said.setdefault(reading.name, Said(*(np.full(self.patients, np.nan) for _ in range(2))))
            said.risk[apart], said.recurrence[apart] = found.risk - centre, found.recurrence
            if overlap is not None and reading.maps:
                overlap[apart] = found.dice


@dataclass(frozen=True)
class Predicted:
    """Outputs of one network, (rows,) each; ``dice`` of its own mask, NaN of one that draws none."""

    risk: Numbers
    recurrence: Numbers
    dice: Numbers


def predicted(network: torch.nn.Module, examples: Examples, rows: NDArray[np.intp], device: str = "cpu") -> Predicted:
    """What a network says of these patients; the masks themselves are not kept, cohorts of them fill the memory."""
    found = [np.empty((3, 0))]
    for part in torch.from_numpy(rows).split(AT_ONCE):
        if not len(part):
            continue
        outputs, targets = outputs_of(network, examples, part, device, AT_ONCE)
        told, wanted = Told(*parts(outputs)), Wanted(*parts(targets))
        overlap = np.full(len(part), np.nan)
        if told.mask is not None and wanted.mask is not None:
            pairs = zip((told.mask > 0).numpy(), (wanted.mask > 0).numpy(), strict=True)
            overlap = np.array([dice(own, given) for own, given in pairs])
        found.append(np.stack([told.log_risk.double().numpy(), told.recurrence.double().numpy(), overlap]))
    network.to("cpu")
    return Predicted(*np.concatenate(found, axis=1))


def network_size(variant: Variant, settings: MultiRecSettings) -> MultiRecNetSize:
    """The size of a variant's networks, with an output for each feature that is learnt beside the risk."""
    size = settings.size_of(variant)
    return replace(size, reads=len(learnt(size)) if settings.loss.features else 0)


def _columns(settings: MultiRecSettings) -> tuple[Any, ...]:
    """All columns that any of the networks reads."""
    return tuple(dict.fromkeys(column for variant in settings.variants for column in variant.columns))


def _examples(cohort: CohortArrays, variant: Variant, rest: NDArray[np.intp], settings: MultiRecSettings) -> Examples:
    """Of all patients, scaled by those of the other folds."""
    size = network_size(variant, settings)
    columns = size.clinical.columns if size.clinical is not None else ()
    scaler = Scaler.fitted([cohort.codes[row] for row in rest], columns)
    features = standardised(cohort, learnt(size), rest)
    return Examples(cohort, size, settings.rule, scaler, features, settings.hiding)


def _job(
    patients: Sequence[PreparedPatient],
    examples: Examples,
    which: tuple[Variant, int, NDArray[np.intp]],
    plan: Plan,
    begun: Sequence[torch.nn.Module],
) -> Job:
    variant, fold, rest = which
    settings = plan.settings
    seed = plan.seed + 1000 * list(Variant).index(variant) + fold
    torch.manual_seed(seed)
    network = Looped(MultiRecNet(examples.size))
    begin_with(network, begun)
    rows = _inner(patients, rest, settings.validation_share, seed)
    loss = multi_rec_loss(settings.loss)
    return Job(f"{variant} {fold}", network, examples, rows, loss, settings.recipe_of(variant), seed)


def begin_with(network: Looped, begun: Sequence[torch.nn.Module]) -> None:
    """Take over the branches of networks that have one each, what reads features from images, and the heads' weights of
    either branch, so that the first risk is the sum of theirs."""
    own = network.state_dict()
    for other in begun:
        assert isinstance(other, Looped)
        shared = other.state_dict()
        for name, value in shared.items():
            if name in own and own[name].shape == value.shape:
                own[name] = value
        for head in HEADS:
            # The image's columns come first, as the network joins them.
            width = shared[head].shape[1]
            part = slice(None, width) if other.network.image is not None else slice(-width, None)
            own[head][:, part] = shared[head]
    network.load_state_dict(own)


def _inner(patients: Sequence[PreparedPatient], rest: NDArray[np.intp], share: float, seed: int) -> Rows:
    """Rows to train on and rows that say when to stop, all of them of the other folds."""
    if not share:
        return Rows(torch.from_numpy(rest), torch.empty(0, dtype=torch.int64))
    own = [patients[int(row)] for row in rest]
    train, validation = inner_split([one.patient for one in own], strata_of(own), share, seed)
    return Rows(torch.from_numpy(rest[train]), torch.from_numpy(rest[validation]))
