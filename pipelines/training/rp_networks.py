"""Training of the RP-Nets, one per sequence and patient fold, and what they say of patients they never saw."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from pipelines.cohort.cut import PreparedPatient
from pipelines.cohort.folds import inner_split
from pipelines.contract import TimePoint
from pipelines.masks.overlap import dice
from pipelines.packing import packed
from pipelines.systems import signature_inputs
from pipelines.systems.networks.rp_net import RpNet, RpNetOutput, RpNetSize, readings_of
from pipelines.training.fit import Fitted, Job, Rows, Run, fit, outputs_of
from pipelines.training.rp_examples import Pairs
from pipelines.training.rp_loss import Outputs, rp_loss
from pipelines.training.rp_settings import RpSettings
from pipelines.training.signature_examples import LEARNT
from pipelines.training.signature_networks import Labels, enough, in_every_rest
from pipelines.training.tensors import parts

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Plan:
    """What all networks of a run share: outcomes and folds (patients,), seed, settings."""

    labels: Labels
    folds: NDArray[np.intp]
    seed: int
    settings: RpSettings


@dataclass(frozen=True)
class TrainedNetworks:
    """``weights``: tensors by ``sequence.fold.name``, packed. ``logits`` (patients,): log odds of complete
    response, out of fold, NaN where the sequence is missing; ``dice`` (patients, 2): of the networks' own outlines
    before and after therapy with those given, likewise (NaN in a tumour bed, too). ``readings`` (patients, names): the
    features that they read, likewise, both exams in turn. ``fitted``: by ``sequence fold``."""

    weights: Mapping[str, torch.Tensor]
    logits: Mapping[signature_inputs.Sequence, Numbers]
    dice: Mapping[signature_inputs.Sequence, Numbers]
    readings: Mapping[signature_inputs.Sequence, Numbers]
    fitted: Mapping[str, Fitted]


class Learner(torch.nn.Module):
    """RP-Net as the training loop calls it: outputs as a tuple, none of them lacking."""

    def __init__(self, size: RpNetSize) -> None:
        super().__init__()
        self.network = RpNet(size)

    def forward(self, pre: torch.Tensor, post: torch.Tensor) -> Outputs:
        """Two exams (batch, channels, slices, rows, columns) to outlines, response and features."""
        said: RpNetOutput = self.network(pre, post)
        features = readings_of(said).reshape(len(pre), 2, -1)
        return said.pre_mask, said.post_mask, said.response, features


def size_of(sequence: signature_inputs.Sequence, settings: RpSettings) -> RpNetSize:
    """The size of a sequence's networks: its channels, and the measured features that show in it."""
    reads = len(LEARNT[sequence]) if settings.feature_weight else 0
    return replace(settings.size, channels=len(settings.cut.channels[sequence]), reads=reads)


def with_sequence(
    patients: Sequence[PreparedPatient], sequence: signature_inputs.Sequence, settings: RpSettings
) -> NDArray[np.intp]:
    """Who has the sequence in both exams."""
    cut = settings.cut
    return np.flatnonzero([all(cut.has(one.exams[when], sequence) for when in TimePoint) for one in patients])


def train_networks(patients: Sequence[PreparedPatient], plan: Plan, run: Run) -> TrainedNetworks:
    """Every network of every fold, fitted on the patients of the other folds alone.

    A sequence that too few patients have gets none.
    """
    weights: dict[str, torch.Tensor] = {}
    logits, overlap, readings = {}, {}, {}
    trained: dict[str, Fitted] = {}
    for sequence in signature_inputs.Sequence:
        rows = with_sequence(patients, sequence, plan.settings)
        labels, folds = plan.labels[rows], plan.folds[rows]
        if not enough(labels, plan.settings.folds, 1) or not in_every_rest(labels, folds, plan.settings.folds):
            continue
        own = [patients[int(row)] for row in rows]
        said, agreed = np.full(len(patients), np.nan), np.full((len(patients), 2), np.nan)
        read = np.full((len(patients), 2 * size_of(sequence, plan.settings).reads), np.nan)
        for fold, fitted, apart, pairs in _folds(own, rows, sequence, plan, run):
            found = predicted(fitted.network, pairs, apart, run.device)
            said[rows[apart]], agreed[rows[apart]], read[rows[apart]] = found
            trained[f"{sequence} {fold}"] = fitted
            weights |= _stored(f"{sequence}.{fold}", fitted.network)
        logits[sequence], overlap[sequence], readings[sequence] = said, agreed, read
    return TrainedNetworks(weights, logits, overlap, readings, trained)


def _folds(
    own: Sequence[PreparedPatient],
    rows: NDArray[np.intp],
    sequence: signature_inputs.Sequence,
    plan: Plan,
    run: Run,
) -> Iterator[tuple[int, Fitted, NDArray[np.intp], Pairs]]:
    """Per fold: its network, the rows of ``own`` held out (there may be none), and the examples."""
    labels, folds, settings = plan.labels[rows], plan.folds[rows], plan.settings
    whole = Pairs(own, labels, sequence, settings.cut, np.arange(len(own)))
    for fold in range(settings.folds):
        rest = np.flatnonzero(folds != fold)
        pairs = whole.refitted(rest)
        seed = plan.seed + 1000 * list(signature_inputs.Sequence).index(sequence) + fold
        torch.manual_seed(seed)
        network = Learner(size_of(sequence, settings))
        split = _inner(own, labels, rest, settings, seed)
        loss = rp_loss(settings.mask_weight, settings.feature_weight)
        job = Job(f"{sequence} {fold}", network, pairs, split, loss, settings.recipe, seed)
        yield fold, fit(job, run), np.flatnonzero(folds == fold), pairs


def _inner(
    own: Sequence[PreparedPatient], labels: Labels, rest: NDArray[np.intp], settings: RpSettings, seed: int
) -> Rows:
    """Rows to train on, complete responders as often as told, and rows that say when to stop: of the other folds."""
    train, validation = rest, torch.empty(0, dtype=torch.int64)
    if settings.validation_share:
        people = [own[int(row)].patient for row in rest]
        fitted, stopping = inner_split(people, labels[rest].tolist(), settings.validation_share, seed)
        train, validation = rest[fitted], torch.from_numpy(rest[stopping])
    often = np.where(labels[train], settings.oversampling, 1)
    return Rows(torch.from_numpy(np.repeat(train, often)), validation)


def predicted(
    network: torch.nn.Module, pairs: Pairs, rows: NDArray[np.intp], device: str
) -> tuple[Numbers, Numbers, Numbers]:
    """Log odds (rows,), the Dice of the outlines before and after therapy (rows, 2), NaN where none was given, and the
    features that were read (rows, names), those of both exams in turn.

    There may be no row.
    """
    if not rows.size:
        return np.empty(0), np.empty((0, 2)), np.empty((0, 2 * pairs.features.shape[-1]))
    outputs, targets = (parts(both) for both in outputs_of(network, pairs, torch.from_numpy(rows), device))
    network.to("cpu")
    found = [
        [dice(own.numpy() > 0, given.numpy() > 0) if given.any() else np.nan for own, given in zip(*both, strict=True)]
        for both in ((outputs[at], targets[at]) for at in (0, 1))
    ]
    return outputs[2][:, 0].double().numpy(), np.array(found).T, outputs[3].flatten(1).double().numpy()


def _stored(prefix: str, network: torch.nn.Module) -> dict[str, torch.Tensor]:
    """RP-Net alone, packed: rounding is far below what another seed changes."""
    own = network.get_submodule("network").state_dict()
    return {f"{prefix}.{key}": value for key, value in packed(own).items()}
