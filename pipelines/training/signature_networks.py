"""Training of the signature networks of system 1, out of fold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import binary_cross_entropy_with_logits

from pipelines.contract import FloatArray, TimePoint
from pipelines.systems import signature_inputs
from pipelines.systems.final_stage import INNER_FOLDS
from pipelines.systems.signature_inputs import CHANNELS
from pipelines.systems.signature_network import signature_network
from pipelines.systems.signature_svm import signature_name
from pipelines.training.augment import mapped, turned, weighted
from pipelines.training.prepare import PreparedPatient
from pipelines.training.settings import Progress, SignatureSettings, TrainingSettings

Signatures = Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Trained:
    """Networks of every signature and fold as tensors, and the out-of-fold signatures.

    Signatures are (patients, views): a patient's first view is through the mask as drawn; NaN: sequence missing.
    """

    weights: Mapping[str, torch.Tensor]
    signatures: Signatures


def outcomes(patients: Sequence[PreparedPatient]) -> NDArray[np.bool_]:
    return np.array([p.patient.good_response for p in patients], dtype=bool)


def complete(patients: Sequence[PreparedPatient], sequences: Sequence[signature_inputs.Sequence]) -> NDArray[np.bool_]:
    """Which patients have all the sequences at both time points."""
    return np.array(
        [all(str(s) in exam.views[0].crops for s in sequences for exam in p.exams.values()) for p in patients]
    )


def enough(labels: NDArray[np.bool_], folds: int) -> bool:
    """Whether each outcome can be in every fold, and in every inner fold of the rest."""
    return min(int(labels.sum()), int((~labels).sum())) >= max(2 * folds, 2 * INNER_FOLDS)


def train_networks(
    patients: Sequence[PreparedPatient],
    folds: NDArray[np.intp],
    settings: TrainingSettings,
    progress: Progress,
) -> Trained:
    labels = outcomes(patients)
    weights: dict[str, torch.Tensor] = {}
    signatures: dict[str, NDArray[np.float64]] = {}
    count = settings.signature.folds
    jobs = [(time_point, s) for s in signature_inputs.Sequence for time_point in TimePoint]
    for index, (time_point, sequence) in enumerate(jobs):
        name = signature_name(time_point, sequence)
        rows = np.flatnonzero(complete(patients, (sequence,)))
        signatures[name] = np.full((len(patients), settings.signature.views), np.nan)
        if not enough(labels[rows], count):
            continue
        crops = _crops([patients[int(row)] for row in rows], time_point, sequence)
        for fold in range(count):
            apart = folds[rows] == fold
            seed = settings.seed + 1000 * index + fold
            network = fit_signature(crops[~apart], labels[rows][~apart], sequence, seed, settings)
            signatures[name][rows[apart]] = predict(network, crops[apart], settings.device)
            weights |= {f"{name}.{fold}.{key}": _stored(value) for key, value in network.state_dict().items()}
            progress("training signatures", index * count + fold + 1, len(jobs) * count)
    return Trained(weights, signatures)


def _crops(
    patients: Sequence[PreparedPatient], time_point: TimePoint, sequence: signature_inputs.Sequence
) -> FloatArray:
    """(patients, views, channels, pixels, pixels)."""
    views = [[view.crops[str(sequence)] for view in patient.exams[time_point].views] for patient in patients]
    return np.array(views, dtype=np.float32)


def fit_signature(
    crops: FloatArray,
    labels: NDArray[np.bool_],
    sequence: signature_inputs.Sequence,
    seed: int,
    settings: TrainingSettings,
) -> torch.nn.Module:
    """One signature network, trained for a fixed number of epochs.

    ``crops``: (patients, views, channels, pixels, pixels); each step sees one view of a patient, drawn at random.
    """
    chosen = settings.signature
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    network = signature_network(chosen.size, crops.shape[2]).to(settings.device).train()
    optimiser = torch.optim.AdamW(network.parameters(), chosen.learning_rate, weight_decay=chosen.weight_decay)
    images, targets = torch.from_numpy(crops), torch.from_numpy(labels.astype(np.float32))
    steps = _batches(len(labels), chosen, generator)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, chosen.learning_rate, total_steps=len(steps))
    for drawn in steps:
        view = torch.randint(images.shape[1], (len(drawn),), generator=generator)
        batch = _augmented(images[drawn, view], sequence, generator).to(settings.device)
        optimiser.zero_grad()
        loss = binary_cross_entropy_with_logits(network(batch)[:, 0], targets[drawn].to(settings.device))
        loss.backward()
        optimiser.step()
        schedule.step()
    return network.eval()


def predict(network: torch.nn.Module, crops: FloatArray, device: str) -> NDArray[np.float64]:
    """Signatures (patients, views) of crops (patients, views, channels, pixels, pixels)."""
    with torch.inference_mode():
        logits = network(torch.from_numpy(crops).flatten(0, 1).to(device))[:, 0]
    return torch.sigmoid(logits).cpu().numpy().astype(np.float64).reshape(crops.shape[:2])


def _batches(count: int, chosen: SignatureSettings, generator: torch.Generator) -> list[torch.Tensor]:
    """Row indices of every step: each epoch a new order; a last batch of one patient is left out (batch norm)."""
    epochs = [torch.randperm(count, generator=generator).split(chosen.batch) for _ in range(chosen.epochs)]
    return [batch for epoch in epochs for batch in epoch if len(batch) > 1]


def _augmented(batch: torch.Tensor, sequence: signature_inputs.Sequence, generator: torch.Generator) -> torch.Tensor:
    channel = {name: index for index, name in enumerate(CHANNELS[sequence])}
    changed = weighted(turned(batch, 15.0, 0.1, generator), (channel["image"],), generator)
    if "adc" in channel:
        changed = mapped(changed, channel["adc"], generator)
    if "tumour" in channel:
        changed[:, channel["tumour"]] = changed[:, channel["image"]] * changed[:, channel["mask"]]
    return changed


def _stored(value: torch.Tensor) -> torch.Tensor:
    """Half precision on disk; the rounding (0.05 %) is far below what a refit changes."""
    return value.detach().cpu().half() if value.is_floating_point() else value.detach().cpu()
