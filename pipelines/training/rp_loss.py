"""What the networks of system 2 minimise: both outlines, the response, and measured features that they read beside it.

Per outline the authors' code (repository Heng14/3D_RP-Net) adds cross-entropy and 0.2 · (1 − soft Dice); the response
has its cross-entropy. The features are ours: a network that must also read them learns from some hundred patients what
the outcome alone would take thousands for. They say nothing of the outcome.
"""

from __future__ import annotations

import torch
from torch.nn.functional import binary_cross_entropy_with_logits, mse_loss

from pipelines.training.job import Loss

DICE_WEIGHT = 0.2
SMOOTHING = 1.0
"""Voxels added to both sides of the Dice quotient: an empty outline that is found empty gives 1, with a gradient."""

Outputs = tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]
"""Outlines before and after therapy (batch, 1, slices, rows, columns), response (batch, 1), features of both
exams (batch, 2, k)."""


def rp_loss(mask_weight: float, feature_weight: float) -> Loss:
    """Of outputs (logits; features as they are) and targets; a feature that is NaN in a target counts for nothing."""

    def loss(outputs: Outputs, targets: Outputs) -> torch.Tensor:
        pre, post, response, features = outputs
        wanted_pre, wanted_post, wanted_response, wanted_features = targets
        outlines = outline_loss(pre, wanted_pre) + outline_loss(post, wanted_post)
        found = mask_weight * outlines + binary_cross_entropy_with_logits(response, wanted_response)
        known = torch.isfinite(wanted_features)
        if feature_weight and known.any():
            found = found + feature_weight * mse_loss(features[known], wanted_features[known])
        return found

    return loss


def outline_loss(logits: torch.Tensor, outline: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of the voxels + 0.2 · (1 − soft Dice), the latter per case; both (batch, 1, …), outline 0 or 1."""
    crossed = binary_cross_entropy_with_logits(logits, outline)
    return crossed + DICE_WEIGHT * (1.0 - soft_dice(torch.sigmoid(logits), outline).mean())


def soft_dice(probability: torch.Tensor, outline: torch.Tensor) -> torch.Tensor:
    """(2 Σ p·y + 1) / (Σ p + Σ y + 1) of each case (batch,)."""
    shared = (probability * outline).flatten(1).sum(1)
    total = probability.flatten(1).sum(1) + outline.flatten(1).sum(1)
    return (2.0 * shared + SMOOTHING) / (total + SMOOTHING)
