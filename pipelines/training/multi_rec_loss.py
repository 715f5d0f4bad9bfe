"""What the networks of system 3 minimise: the mask, recurrence within 36 months, the order in which patients recur,
and the measured features that a network reads beside them (Liu Z. et al. 2025; the last one is ours).

A patient who was censored is at risk until then and never has the event; one who was censored before 36 months has no
label of recurrence. What is not known (NaN) counts for nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from monai.losses.dice import DiceFocalLoss
from torch.nn.functional import binary_cross_entropy_with_logits, mse_loss

from pipelines.training.dlrs_loss import partial_likelihood
from pipelines.training.fit import Loss
from pipelines.training.tensors import Tensors, parts

MONTHS, EVENT, STATUS = 0, 1, 2
FOCUS = 2.0


@dataclass(frozen=True)
class LossWeights:
    """Of each part of the loss. ``features``: of the mean squared error of standardised measured features."""

    mask: float = 1.0
    recurrence: float = 1.0
    risk: float = 1.0
    features: float = 4.0


class Told(NamedTuple):
    """A network's outputs in the order of the training loop. ``recurrence`` and ``log_risk``: (batch,). Only of a
    network of images: ``mask``, logits (batch, 1, rows, columns, slices), and ``features``, (batch, count ≥ 0)."""

    recurrence: torch.Tensor
    log_risk: torch.Tensor
    mask: torch.Tensor | None = None
    features: torch.Tensor | None = None


class Wanted(NamedTuple):
    """The targets in that order. ``course``: (batch, 3), months, event, and recurrence by 36 months, 1, 0 or NaN."""

    course: torch.Tensor
    mask: torch.Tensor | None = None
    features: torch.Tensor | None = None


def multi_rec_loss(weights: LossWeights) -> Loss:
    """The weighted sum of the parts, over a whole batch."""
    dice_and_focal = DiceFocalLoss(sigmoid=True, gamma=FOCUS, smooth_nr=1.0, smooth_dr=1.0)

    def loss(outputs: Tensors, targets: Tensors) -> torch.Tensor:
        told, wanted = Told(*parts(outputs)), Wanted(*parts(targets))
        course = wanted.course
        total = weights.recurrence * recurrence_loss(told.recurrence, course[:, STATUS])
        total = total + weights.risk * partial_likelihood(told.log_risk, course[:, MONTHS], course[:, EVENT])
        if told.mask is not None and wanted.mask is not None:
            # A mask that is empty gives a loss of its own (no tumour where none is), kept finite by the smoothing.
            total = total + weights.mask * dice_and_focal(told.mask, wanted.mask)
        if told.features is not None and wanted.features is not None:
            total = total + weights.features * feature_loss(told.features, wanted.features)
        return total

    return loss


def recurrence_loss(logit: torch.Tensor, status: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of those whose status at 36 months is known; 0, with a gradient of 0, where nobody's is."""
    known = torch.isfinite(status)
    if not known.any():
        return logit.sum() * 0.0
    return binary_cross_entropy_with_logits(logit[known], status[known])


def feature_loss(read: torch.Tensor, measured: torch.Tensor) -> torch.Tensor:
    """Mean squared error of the features that a network reads, over those that were measured; 0 of one that reads
    none."""
    known = torch.isfinite(measured)
    if read.shape != measured.shape or not known.any():
        return read.sum() * 0.0
    return mse_loss(read[known], measured[known])
