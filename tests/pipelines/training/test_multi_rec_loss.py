from __future__ import annotations

import numpy as np
import pytest
import torch

from pipelines.training.multi_rec_loss import LossWeights, feature_loss, multi_rec_loss, recurrence_loss

NAN = float("nan")
# months, event, recurrence by 36 months: recurred early, recurred late, free at 40, censored at 10.
COURSE = torch.tensor([[5.0, 1.0, 1.0], [50.0, 1.0, 0.0], [40.0, 0.0, 0.0], [10.0, 0.0, NAN]])
RISK = torch.tensor([0.7, -0.2, 0.1, 0.4])


def of(weights: LossWeights, risk: torch.Tensor, course: torch.Tensor = COURSE) -> torch.Tensor:
    return multi_rec_loss(weights)((torch.zeros(len(risk)), risk), (course,))


def test_the_order_of_recurrences_is_coxs_partial_likelihood() -> None:
    found = of(LossWeights(recurrence=0.0), RISK)
    risk = RISK.double().numpy()
    everybody, late = np.exp(risk).sum(), np.exp(risk[1])  # at risk at 5 and at 50 months
    assert float(found) == pytest.approx((np.log(everybody) - risk[0] + np.log(late) - risk[1]) / 2, abs=1e-6)


def test_a_censored_patient_never_acts_as_an_event() -> None:
    risk = RISK.clone().requires_grad_()
    of(LossWeights(recurrence=0.0), risk).backward()
    assert risk.grad is not None
    # Raising the risk of somebody who was at risk and had no event can only make the order less likely.
    assert risk.grad[2] > 0 and risk.grad[3] > 0
    nobody = COURSE.clone()
    nobody[:, 1], nobody[:, 2] = 0.0, NAN
    alone = RISK.clone().requires_grad_()
    loss = of(LossWeights(), alone, nobody)
    loss.backward()
    assert loss.item() == 0.0 and alone.grad is not None and not alone.grad.any()


def test_who_was_censored_before_three_years_has_no_label() -> None:
    logit = torch.tensor([1.0, -1.0, -2.0, 3.0], requires_grad=True)
    loss = recurrence_loss(logit, COURSE[:, 2])
    loss.backward()
    expected = np.mean([np.log1p(np.exp(-1.0)), np.log1p(np.exp(-1.0)), np.log1p(np.exp(-2.0))])
    assert loss.item() == pytest.approx(expected, abs=1e-6)
    assert logit.grad is not None and logit.grad[3] == 0


def test_an_empty_mask_is_a_target_like_any_other() -> None:
    weights = LossWeights(recurrence=0.0, risk=0.0, features=0.0)
    mask = torch.full((2, 1, 4, 4, 4), 0.5, requires_grad=True)
    zeros = torch.zeros(2)
    wanted = torch.zeros(2, 1, 4, 4, 4)
    loss = multi_rec_loss(weights)((zeros, zeros, mask, zeros[:, None]), (COURSE[:2], wanted, zeros[:, None]))
    loss.backward()
    assert torch.isfinite(loss) and mask.grad is not None and (mask.grad > 0).all()
    drawn = multi_rec_loss(weights)
    none, some = (
        drawn((zeros, zeros, m, zeros[:, None]), (COURSE[:2], wanted, zeros[:, None]))
        for m in (-9 * torch.ones_like(wanted), 9 * torch.ones_like(wanted))
    )
    assert none < 0.05 < 0.9 < some


def test_features_that_were_not_measured_count_for_nothing() -> None:
    read = torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    loss = feature_loss(read, torch.tensor([[0.0, NAN], [NAN, 5.0]]))
    loss.backward()
    assert loss.item() == pytest.approx((1.0 + 1.0) / 2)
    assert read.grad is not None and (read.grad == 0).tolist() == [[False, True], [True, False]]


def test_a_network_that_reads_no_features_has_no_error_in_them() -> None:
    assert feature_loss(torch.empty(2, 0), torch.ones(2, 3)).item() == 0.0
