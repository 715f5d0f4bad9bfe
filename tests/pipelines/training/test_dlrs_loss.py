from __future__ import annotations

import numpy as np
import pytest
import torch
from statsmodels.duration.hazard_regression import PHReg

from pipelines.training.dlrs_loss import cox_loss, partial_likelihood, three_year_loss
from tests.pipelines.made_up_times import made_up_times


def batch(seed: int = 0, count: int = 60) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    risk = np.random.default_rng(seed).standard_normal(count)
    times = made_up_times(risk, seed)
    months = np.round(times.months / 3.0) * 3.0  # with ties
    return torch.tensor(risk), torch.tensor(months), torch.tensor(times.event.astype(float))


def test_the_partial_likelihood_is_that_of_statsmodels() -> None:
    risk, months, event = batch()
    model = PHReg(months.numpy(), risk.numpy()[:, None], event.numpy(), ties="efron")
    expected = -model.loglike(np.array([1.0])) / event.sum().item()
    assert partial_likelihood(risk, months, event).item() == pytest.approx(expected, rel=1e-6)


def test_a_censored_patient_never_acts_as_an_event() -> None:
    risk, months, event = batch()
    last = int(months.argmax())
    assert months[last] == months.max()
    event[last], months[last] = 0.0, 500.0
    before = partial_likelihood(risk, months, event)
    months[last] = 900.0  # at risk for all events either way: nothing of him but that is seen
    assert partial_likelihood(risk, months, event) == before
    event[last] = 1.0
    assert partial_likelihood(risk, months, event) != before


def test_who_left_before_the_first_event_changes_nothing() -> None:
    risk, months, event = batch()
    months = months + 10.0
    early = torch.tensor([1.0, 2.0], dtype=torch.double)
    more = partial_likelihood(
        torch.cat([risk, torch.tensor([9.0, -9.0])]), torch.cat([months, early]), torch.cat([event, torch.zeros(2)])
    )
    assert more.item() == pytest.approx(partial_likelihood(risk, months, event).item())


def test_a_batch_without_an_event_teaches_nothing() -> None:
    risk = torch.randn(5, 1, requires_grad=True)
    targets = torch.stack([torch.arange(1.0, 6.0), torch.zeros(5)], dim=1)
    for loss in (cox_loss(0.0), three_year_loss(36.0)):
        value = loss(risk, targets)
        (gradient,) = torch.autograd.grad(value, risk)
        assert value == 0.0 and (gradient == 0).all()


def test_the_papers_loss_leaves_out_whom_was_censored_before_three_years() -> None:
    output = torch.tensor([[2.0], [-1.0], [0.5], [3.0]])
    targets = torch.tensor([[10.0, 1.0], [50.0, 0.0], [40.0, 1.0], [20.0, 0.0]])
    expected = torch.nn.functional.binary_cross_entropy_with_logits(output[:3, 0], torch.tensor([1.0, 0.0, 0.0]))
    assert three_year_loss(36.0)(output, targets) == pytest.approx(expected.item())


def test_the_papers_loss_knows_whom_was_censored_on_the_very_day_as_free() -> None:
    output = torch.tensor([[2.0], [-1.0], [0.5]])
    targets = torch.tensor([[36.0, 1.0], [36.0, 0.0], [35.9, 0.0]])
    expected = torch.nn.functional.binary_cross_entropy_with_logits(output[:2, 0], torch.tensor([1.0, 0.0]))
    assert three_year_loss(36.0)(output, targets) == pytest.approx(expected.item())


def test_measured_features_are_learnt_beside_the_risk_and_unknown_ones_are_not() -> None:
    output = torch.tensor([[0.3, 1.0, 5.0], [0.1, 2.0, 1.0]])
    targets = torch.tensor([[10.0, 1.0, 2.0, float("nan")], [50.0, 0.0, 2.0, 3.0]])
    alone = partial_likelihood(output[:, 0], targets[:, 0], targets[:, 1])
    assert cox_loss(0.5)(output, targets).item() == pytest.approx(alone.item() + 0.5 * (1.0 + 0.0 + 4.0) / 3)
