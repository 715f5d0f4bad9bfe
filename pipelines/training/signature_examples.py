"""What a signature network learns from: crops of one sequence at one time point through several masks, and outcomes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import affine_grid, binary_cross_entropy_with_logits, grid_sample, mse_loss

from pipelines.cohort.cut import PreparedPatient
from pipelines.contract import TimePoint
from pipelines.systems import signature_inputs
from pipelines.systems.signature_cut import crop_name
from pipelines.systems.signature_inputs import CHANNELS, WHOLE_SLICE, network_input
from pipelines.training.augment import mapped, turned, weighted
from pipelines.training.job import Loss

SHAPE = ("log_volume", "thickness")
T2_TEXTURE = ("t2_median", "t2_spread", "t2_low", "t2_high", "t2_dark_share", "t2_skewness")
DIFFUSION = ("adc_mean", "adc_median", "adc_spread", "adc_low", "dwi_ratio")
LEARNT: Mapping[signature_inputs.Sequence, tuple[str, ...]] = {
    signature_inputs.Sequence.T2: (*SHAPE, *T2_TEXTURE),
    signature_inputs.Sequence.DWI: (*SHAPE, *DIFFUSION),
    signature_inputs.Sequence.CE_T1: SHAPE,
}
"""Measured features that show in a crop of the sequence, and that its network learns to read beside the outcome."""


@dataclass(frozen=True)
class Signature:
    """One network's place among the six."""

    time_point: TimePoint
    sequence: signature_inputs.Sequence


class SignatureExamples:
    """Crops (patients, views, channels, pixels, pixels) in half precision with targets (patients, views, 1 + features).

    A training batch sees each patient through one view, drawn at random; without augmentation it is the first view.
    ``fitted_on``: the rows whose features decide how features are standardised. ``cropped``: the paper's augmentation.
    """

    def __init__(
        self,
        patients: Sequence[PreparedPatient],
        labels: NDArray[np.bool_],
        signature: Signature,
        fitted_on: NDArray[np.intp],
        cropped: bool = False,
    ) -> None:
        self.signature = signature
        entries = [patient.exams[signature.time_point] for patient in patients]
        views = range(len(entries[0].described["features"]))
        names = [crop_name(view, signature.sequence) for view in views]
        self.crops = torch.from_numpy(np.array([[entry.arrays[name] for name in names] for entry in entries]))
        features = [
            [_values(entry.described["features"][view], signature.sequence) for view in views] for entry in entries
        ]
        self.targets = _targets(labels, np.array(features), fitted_on)
        self._cropped = cropped

    def __len__(self) -> int:
        return len(self.crops)

    def batch(self, rows: torch.Tensor, generator: torch.Generator, augment: bool) -> tuple[torch.Tensor, torch.Tensor]:
        view = torch.zeros(len(rows), dtype=torch.int64)
        if augment:
            view = torch.randint(self.crops.shape[1], (len(rows),), generator=generator)
        crops = self.crops[rows, view].float()
        if augment:
            crops = (
                _recropped(crops, generator) if self._cropped else _changed(crops, self.signature.sequence, generator)
            )
        return network_input(crops.numpy()), self.targets[rows, view]

    def through(self, rows: NDArray[np.intp], view: int) -> torch.Tensor:
        """Network inputs of these rows through one view."""
        return network_input(self.crops[torch.from_numpy(rows), view].numpy())


def signature_loss(feature_weight: float) -> Loss:
    """Cross-entropy of the first output; the mean squared error of the others, which read features, is added."""

    def loss(output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        outcome = binary_cross_entropy_with_logits(output[:, 0], target[:, 0])
        if output.shape[1] == 1:
            return outcome
        return outcome + feature_weight * mse_loss(output[:, 1:], target[:, 1:])

    return loss


def _values(features: Mapping[str, float], sequence: signature_inputs.Sequence) -> list[float]:
    return [features[name] for name in LEARNT[sequence]]


def _targets(labels: NDArray[np.bool_], features: NDArray[np.float64], fitted_on: NDArray[np.intp]) -> torch.Tensor:
    """(patients, views, 1 + features): the outcome, and features standardised by the patients trained on."""
    known = features[fitted_on].reshape(-1, features.shape[2])
    scaled = (features - known.mean(axis=0)) / (known.std(axis=0) + 1e-9)
    outcome = np.broadcast_to(labels[:, None, None], (*features.shape[:2], 1))
    # A feature far beyond the training patients' would rule the loss.
    return torch.from_numpy(np.concatenate([outcome, scaled.clip(-4, 4)], axis=2)).float()


def _changed(batch: torch.Tensor, sequence: signature_inputs.Sequence, generator: torch.Generator) -> torch.Tensor:
    names = WHOLE_SLICE if batch.shape[1] == 1 else CHANNELS[sequence]
    channel = {name: index for index, name in enumerate(names)}
    changed = weighted(turned(batch, 15.0, 0.1, generator), (channel["image"],), generator)
    if "adc" in channel:
        changed = mapped(changed, channel["adc"], generator)
    if "tumour" in channel:
        changed[:, channel["tumour"]] = changed[:, channel["image"]] * changed[:, channel["mask"]]
    return changed


def _recropped(batch: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Random crops of 0.8–1.0 of the area at a side ratio of 0.9–1.1, flipped left–right with probability 0.5."""
    count = len(batch)
    area = 0.8 + 0.2 * torch.rand(count, generator=generator)
    ratio = torch.exp(math.log(0.9) + math.log(1.1 / 0.9) * torch.rand(count, generator=generator))
    sides = torch.stack([(area * ratio).sqrt(), (area / ratio).sqrt()], dim=1).clamp(max=1.0)
    centre = (1.0 - sides) * (2 * torch.rand(count, 2, generator=generator) - 1)
    flip = torch.where(torch.rand(count, generator=generator) < 0.5, -1.0, 1.0)
    matrix = torch.zeros(count, 2, 3)
    matrix[:, 0, 0], matrix[:, 1, 1] = flip * sides[:, 0], sides[:, 1]
    matrix[:, :, 2] = centre
    grid = affine_grid(matrix, list(batch.shape), align_corners=False)
    return grid_sample(batch, grid, mode="bilinear", padding_mode="border", align_corners=False)
