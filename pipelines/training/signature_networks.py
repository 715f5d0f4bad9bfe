"""Training of the six signature networks, each once per patient fold, and the out-of-fold signatures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from pipelines.cohort.cut import PreparedPatient
from pipelines.cohort.folds import inner_split
from pipelines.contract import TimePoint
from pipelines.systems import signature_inputs
from pipelines.systems.networks.densenet import densenet
from pipelines.systems.signature_bundle import COLOURS
from pipelines.systems.signature_cut import has
from pipelines.systems.signature_models import signature_name
from pipelines.training.fit import Fitted, Job, Rows, Run, fit
from pipelines.training.imagenet import Checkpoint, load_imagenet
from pipelines.training.signature_examples import Signature, SignatureExamples, signature_loss
from pipelines.training.signature_settings import SignatureSettings

Labels = NDArray[np.bool_]
PREDICTED_AT_ONCE = 64


@dataclass(frozen=True)
class Plan:
    """What all networks of a run share: outcomes and folds (patients,), seed, settings, where the weights begin."""

    labels: Labels
    folds: NDArray[np.intp]
    seed: int
    settings: SignatureSettings
    checkpoint: Checkpoint | None = None


@dataclass(frozen=True)
class TrainedNetworks:
    """``weights``: tensors by ``signature.fold.name``; ``signatures`` (patients, views) by name, NaN where the sequence
    is missing; ``epochs``: per network which was kept. Signatures are out of fold, but in the paper's way."""

    weights: Mapping[str, torch.Tensor]
    signatures: Mapping[str, NDArray[np.float64]]
    epochs: Mapping[str, int]
    fitted: Mapping[str, Fitted]


def with_sequence(patients: Sequence[PreparedPatient], sequence: signature_inputs.Sequence) -> NDArray[np.intp]:
    """Who has the sequence in both exams."""
    return np.flatnonzero([all(has(entry, sequence) for entry in patient.exams.values()) for patient in patients])


def enough(labels: Labels, folds: int, inner_folds: int) -> bool:
    """Whether each outcome can be in every fold, and in every inner fold of the rest."""
    return min(int(labels.sum()), int((~labels).sum())) >= max(2 * folds, 2 * inner_folds)


def in_every_rest(labels: Labels, folds: NDArray[np.intp], count: int) -> bool:
    """Whether both outcomes are in the rest of each of ``count`` folds, dealt without asking who has a sequence."""
    rests = (labels[folds != fold] for fold in range(count))
    return count == 1 or all(rest.any() and not rest.all() for rest in rests)


def train_networks(patients: Sequence[PreparedPatient], plan: Plan, run: Run) -> TrainedNetworks:
    """Every network of every fold, fitted on the patients of the other folds alone.

    A sequence that too few patients have gets none.
    """
    weights: dict[str, torch.Tensor] = {}
    signatures: dict[str, NDArray[np.float64]] = {}
    trained: dict[str, Fitted] = {}
    for index, (time_point, sequence) in enumerate((t, s) for s in signature_inputs.Sequence for t in TimePoint):
        rows = with_sequence(patients, sequence)
        labels, folds = plan.labels[rows], plan.folds[rows]
        if not enough(labels, plan.settings.folds, 1) or not in_every_rest(labels, folds, plan.settings.folds):
            continue
        name, signature = signature_name(time_point, sequence), Signature(time_point, sequence)
        own = [patients[int(row)] for row in rows]
        found = np.full((len(patients), plan.settings.views), np.nan)
        for fold, fitted, apart, values in _folds(own, rows, signature, (plan, 1000 * index), run):
            found[rows[apart]] = values
            trained[f"{name}.{fold}"] = fitted
            weights |= _stored(f"{name}.{fold}", fitted.network)
        signatures[name] = found
    epochs = {name: fitted.best_epoch + 1 for name, fitted in trained.items()}
    return TrainedNetworks(weights, signatures, epochs, trained)


def _folds(
    own: Sequence[PreparedPatient],
    rows: NDArray[np.intp],
    signature: Signature,
    seeded: tuple[Plan, int],
    run: Run,
) -> Iterator[tuple[int, Fitted, NDArray[np.intp], NDArray[np.float64]]]:
    """Per fold: its network, the rows of ``own`` held out, and their signatures (rows, views).

    A fold in which nobody has the sequence holds nobody out; its network is there, as a bundle has one of every fold.
    """
    plan, offset = seeded
    labels, folds = plan.labels[rows], plan.folds[rows]
    for fold in range(plan.settings.folds):
        apart = np.flatnonzero(folds == fold)
        # The paper's way: one network, which has seen everybody.
        rest = np.flatnonzero(folds != fold) if plan.settings.folds > 1 else apart
        examples = SignatureExamples(own, labels, signature, rest, plan.settings.cropped)
        fitted = fit(_job(own, examples, rest, (plan, plan.seed + offset + fold, fold)), run)
        yield fold, fitted, apart, predicted(fitted.network, examples, apart, run.device)


def _job(
    own: Sequence[PreparedPatient], examples: SignatureExamples, rest: NDArray[np.intp], which: tuple[Plan, int, int]
) -> Job:
    plan, seed, fold = which
    settings = plan.settings
    torch.manual_seed(seed)
    network = densenet(settings.size, COLOURS)
    if plan.checkpoint is not None:
        load_imagenet(network, plan.checkpoint)
    if settings.feature_weight:
        head = network.get_submodule("class_layers")
        last = head.get_submodule("out")
        assert isinstance(last, torch.nn.Linear)
        head.add_module("out", torch.nn.Linear(last.in_features, examples.targets.shape[2]))
    # The layout that convolutions on a CPU are quickest in: a quarter less time.
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # the stubs do not know it
    name = f"{signature_name(examples.signature.time_point, examples.signature.sequence)} {fold}"
    rows = _inner(own, examples, rest, settings.validation_share, seed)
    return Job(name, network, examples, rows, signature_loss(settings.feature_weight), settings.recipe, seed)


def _inner(
    own: Sequence[PreparedPatient], examples: SignatureExamples, rest: NDArray[np.intp], share: float, seed: int
) -> Rows:
    """Rows to train on and rows that say when to stop, all of them of the other folds."""
    if not share:
        return Rows(torch.from_numpy(rest), torch.empty(0, dtype=torch.int64))
    outcome = [bool(value) for value in examples.targets[torch.from_numpy(rest), 0, 0] > 0]
    train, validation = inner_split([own[int(row)].patient for row in rest], outcome, share, seed)
    return Rows(torch.from_numpy(rest[train]), torch.from_numpy(rest[validation]))


def predicted(
    network: torch.nn.Module, examples: SignatureExamples, rows: NDArray[np.intp], device: str
) -> NDArray[np.float64]:
    """Signatures (rows, views): the probability that the network reads in each crop; there may be no row."""
    if not rows.size:
        return np.empty((0, examples.crops.shape[1]))
    moved = network.to(device).eval()
    views = []
    with torch.inference_mode():
        for view in range(examples.crops.shape[1]):
            parts = np.array_split(rows, -(-len(rows) // PREDICTED_AT_ONCE))
            logits = [moved(examples.through(part, view).to(device))[:, 0].cpu() for part in parts]
            views.append(torch.sigmoid(torch.cat(logits)).double().numpy())
    network.to("cpu")
    return np.stack(views, axis=1)


def _stored(prefix: str, network: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Half precision on disk (rounding is far below what a refit changes), without the outputs that read features."""
    found = {}
    for key, value in network.state_dict().items():
        kept = value.detach().cpu()
        kept = kept[:1] if key.startswith("class_layers.out.") else kept
        found[f"{prefix}.{key}"] = kept.half() if kept.is_floating_point() else kept
    return found
