"""What the networks of system 4 minimise: Cox's partial likelihood, or the paper's cross-entropy at three years.

Targets are rows of (months, event, …). The rest are measured features of the same image, standardised: a network that
must also read those learns from some hundred patients what the outcome alone would take thousands for. They say
nothing of the outcome.
"""

from __future__ import annotations

import warnings

import torch
from torch.nn.functional import binary_cross_entropy_with_logits, mse_loss
from torchsurv.loss.cox import neg_partial_log_likelihood

from pipelines.training.fit import Loss

RISK, MONTHS, EVENT, FEATURES = 0, 0, 1, 2


def partial_likelihood(log_hazard: torch.Tensor, months: torch.Tensor, event: torch.Tensor) -> torch.Tensor:
    """Minus the log partial likelihood of a batch per event (Cox 1975; ties by Efron), a scalar; all of shape (n,).

    A patient who was censored is at risk until then and never has the event. 0, with a gradient of 0, where nobody has.
    """
    happened = event > 0
    if not happened.any():
        return log_hazard.sum() * 0.0
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Ties in `time` detected")
        # Its mean is over distinct times: a batch with ties would count for more.
        total: torch.Tensor = neg_partial_log_likelihood(log_hazard, happened, months, "efron", "sum")
    return total / happened.sum()


def cox_loss(features: float) -> Loss:
    """Partial likelihood of the first output, and ``features`` times the mean squared error of the others."""

    def loss(output: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        found = partial_likelihood(output[:, RISK], targets[:, MONTHS], targets[:, EVENT])
        return found + _of_features(output, targets, features)

    return loss


def three_year_loss(horizon: float, features: float = 0.0) -> Loss:
    """Cross-entropy of the event by ``horizon`` months (the paper).

    Whoever was censored before counts for nothing; at ``horizon`` itself it is known that there was no event by then.
    """

    def loss(output: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        months, event = targets[:, MONTHS], targets[:, EVENT] > 0
        had = event & (months <= horizon)
        known = had | (months >= horizon)
        found = output[:, RISK].sum() * 0.0
        if known.any():
            found = binary_cross_entropy_with_logits(output[known, RISK], had.float()[known])
        return found + _of_features(output, targets, features)

    return loss


def _of_features(output: torch.Tensor, targets: torch.Tensor, weight: float) -> torch.Tensor:
    """Weighted mean squared error of the outputs that follow the risk; a target that is NaN counts for nothing."""
    wanted = targets[:, FEATURES:]
    known = torch.isfinite(wanted)
    if weight == 0 or not known.any():
        return output.sum() * 0.0
    return weight * mse_loss(output[:, 1:][known], wanted[known])
