"""The stacks of a cohort as the training loop reads them, with the random changes that no outcome depends on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from pipelines.cohort.cut import PreparedPatient
from pipelines.contract import TimePoint
from pipelines.systems.dlrs_exam import from_entry
from pipelines.systems.dlrs_inputs import ADC_SPAN, TUMOUR_ADC, Modality
from pipelines.systems.dlrs_network import network_input
from pipelines.training.augment import turned

TURN_DEGREES, ZOOM = 15.0, 0.03
"""Zoom changes the size that the risk depends on: it stays within what readers differ by."""
T2_GAIN, ADC_SCALE_ERROR, NOISE = 0.12, 0.03, 0.05
"""Log gain of T2 (its reference tissue is measured), share of ADC, and noise, in the units of the stacks."""


class Stacks:
    """Stacks of one modality, (patients, views), and their targets (patients, views, …)."""

    def __init__(self, patients: Sequence[PreparedPatient], modality: Modality, views: int, targets: torch.Tensor):
        entries = [patient.exams[TimePoint.BASELINE] for patient in patients]
        boxes = [[from_entry(entry, view).boxes[modality] for view in range(views)] for entry in entries]
        self._boxes = torch.from_numpy(np.stack([np.stack(one) for one in boxes]))
        self._targets = targets
        self._modality = modality

    def __len__(self) -> int:
        return len(self._boxes)

    @property
    def views(self) -> int:
        return int(self._boxes.shape[1])

    def batch(self, rows: torch.Tensor, generator: torch.Generator, augment: bool) -> tuple[torch.Tensor, torch.Tensor]:
        """Network inputs (rows, channels, pixels, pixels) and targets; with ``augment`` each through a random view."""
        if not augment:
            return self.through(rows, 0), self._targets[rows, 0]
        view = torch.randint(self.views, (len(rows),), generator=generator)
        boxes = self._boxes[rows, view].float()
        count, channels, slices, *plane = boxes.shape
        moved = turned(boxes.reshape(count, channels * slices, *plane), TURN_DEGREES, ZOOM, generator)
        changed = self._other_scanner(moved.reshape(boxes.shape), generator)
        return network_input(changed), self._targets[rows, view]

    def through(self, rows: torch.Tensor, view: int) -> torch.Tensor:
        """Network inputs through one view, as they are."""
        return network_input(self._boxes[rows, view].float())

    def _other_scanner(self, boxes: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """What scanners differ by, on the image channel: the mask, and empty slots, stay."""
        image, shape = boxes[:, 0], (len(boxes), 1, 1, 1)
        held = (image != 0).any(dim=3, keepdim=True).any(dim=2, keepdim=True)
        drawn = 2 * torch.rand(shape, generator=generator) - 1
        if self._modality is Modality.ADC:
            changed = image * (1 + ADC_SCALE_ERROR * drawn) + ADC_SCALE_ERROR * drawn * TUMOUR_ADC / ADC_SPAN
        else:
            changed = image + T2_GAIN * drawn
        changed = changed + NOISE * torch.randn(image.shape, generator=generator)
        return torch.cat([torch.where(held, changed, image)[:, None], boxes[:, 1:]], dim=1)
