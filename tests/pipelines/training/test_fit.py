from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from pipelines.training.fit import Diverged, Fitted, Kept, Recipe, Rows, Run, fit, outputs_of
from pipelines.training.settings import fixed_random_state
from tests.pipelines.training.made_up_job import REPOSITORY, Points, job, network

FAST = Recipe(epochs=12, batch=16, learning_rate=2e-2)


def weights(fitted: Fitted) -> Mapping[str, torch.Tensor]:
    return fitted.network.state_dict()


def same(one: Fitted, two: Fitted) -> bool:
    first, second = weights(one), weights(two)
    return all(torch.equal(first[key], second[key]) for key in first) and one.history == two.history


def accuracy(fitted: Fitted, points: Points, rows: torch.Tensor) -> float:
    outputs, targets = outputs_of(fitted.network, points, rows)
    return float(((outputs[:, 0] > 0) == (targets > 0.5)).float().mean())


@pytest.mark.parametrize("optimiser", ["adamw", "sgd"])
@pytest.mark.parametrize("schedule", ["onecycle", "constant", "plateau"])
def test_a_rule_that_is_there_is_learnt(optimiser: str, schedule: str) -> None:
    wanted = job(Recipe(12, 16, {"adamw": 2e-2, "sgd": 0.2}[optimiser], 0.0, optimiser, 0, schedule))  # type: ignore[arg-type]  # parametrised
    fitted = fit(wanted, Run())
    unseen = Points(200, seed=9)
    assert accuracy(fitted, unseen, torch.arange(200)) > 0.85
    assert fitted.history[-1][0] < 0.6 * fitted.history[0][0]


def test_the_same_job_gives_the_same_weights_and_another_seed_others() -> None:
    assert same(fit(job(FAST), Run()), fit(job(FAST), Run()))
    assert not same(fit(job(FAST), Run()), fit(replace(job(FAST), seed=8), Run()))


def test_training_leaves_the_given_network_and_the_callers_random_state_alone() -> None:
    given = job(FAST)
    before = {key: value.clone() for key, value in given.network.state_dict().items()}
    torch.manual_seed(3)
    state = torch.get_rng_state()
    fit(given, Run())
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(before[key], value) for key, value in given.network.state_dict().items())


def test_the_weights_are_those_of_the_best_inner_validation_epoch() -> None:
    overfitting = job(Recipe(60, 16, 5e-2, schedule="constant"), noisy=True)
    fitted = fit(overfitting, Run())
    losses = [validation for _, validation in fitted.history]
    assert fitted.best_epoch == losses.index(min(losses)) < 59
    outputs, targets = outputs_of(fitted.network, overfitting.examples, overfitting.rows.validation)
    assert float(overfitting.loss(outputs, targets)) == pytest.approx(min(losses), abs=1e-6)
    assert min(losses) < losses[-1]


def test_training_stops_when_inner_validation_has_not_improved_for_so_many_epochs() -> None:
    whole = fit(job(Recipe(60, 16, 5e-2, schedule="constant"), noisy=True), Run())
    stopped = fit(job(Recipe(60, 16, 5e-2, schedule="constant", patience=4), noisy=True), Run())
    assert len(stopped.history) == stopped.best_epoch + 5 < 60
    assert stopped.history == whole.history[: len(stopped.history)]


def test_without_inner_validation_the_last_epoch_is_kept() -> None:
    given = job(FAST)
    fitted = fit(replace(given, rows=Rows(given.rows.train, torch.tensor([], dtype=torch.long))), Run())
    assert fitted.best_epoch == 11
    assert all(math.isnan(validation) for _, validation in fitted.history)


def test_validation_rows_change_which_epoch_is_kept_and_never_the_path_of_the_weights() -> None:
    given = job(FAST)
    fewer = replace(given, rows=Rows(given.rows.train, given.rows.validation[::2]))
    assert [t for t, _ in fit(given, Run()).history] == [t for t, _ in fit(fewer, Run()).history]


def test_a_last_batch_of_one_row_is_left_out() -> None:
    given = job(Recipe(2, 16, 1e-2), norm=True)
    seen: list[int] = []

    def counted(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        seen.append(len(outputs))
        return binary_cross_entropy_with_logits(outputs[:, 0], targets)

    none = torch.tensor([], dtype=torch.long)
    fit(replace(given, rows=Rows(torch.arange(33), none), loss=counted), Run())
    assert seen == [16, 16, 16, 16]


def test_a_loss_sees_the_whole_inner_validation_set_at_once() -> None:
    """A Cox loss has its risk sets there."""
    seen: list[int] = []
    given = job(Recipe(1, 16, 1e-2))

    def counted(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        seen.append(len(outputs))
        return binary_cross_entropy_with_logits(outputs[:, 0], targets)

    fit(replace(given, loss=counted), Run())
    assert seen[-1] == len(given.rows.validation) > 16


def test_a_loss_that_is_not_finite_is_an_error_with_the_job_and_the_epoch() -> None:
    given = replace(job(FAST), loss=lambda outputs, targets: outputs.mean() / 0.0 * 0.0)
    with pytest.raises(Diverged, match="made up: the loss is not finite in epoch 1"):
        fit(given, Run())


def test_a_row_in_both_parts_of_the_inner_split_is_refused() -> None:
    with pytest.raises(ValueError, match=r"rows \[3\] are in both parts"):
        fit(replace(job(FAST), rows=Rows(torch.arange(10), torch.tensor([3, 20]))), Run())


def test_progress_is_told_per_epoch_and_ends_at_the_end() -> None:
    told: list[tuple[str, int, int]] = []
    early = Recipe(60, 16, 5e-2, schedule="constant", patience=4)
    fit(job(early, noisy=True), Run(progress=lambda *what: told.append(what)))
    assert told[:3] == [("made up", 0, 60), ("made up", 1, 60), ("made up", 2, 60)]
    assert told[-1] == ("made up", 60, 60)


def test_a_finished_job_is_read_and_not_trained_again(tmp_path: Path) -> None:
    keep = Kept(tmp_path / "b.training")
    first = fit(job(FAST), Run(keep=keep))
    told: list[int] = []
    second = fit(job(FAST), Run(keep=keep, progress=lambda what, done, total: told.append(done)))
    assert same(first, second)
    assert told == [12]


@pytest.mark.parametrize(
    "changed",
    [
        {"seed": 8},
        {"recipe": replace(FAST, learning_rate=1e-2)},
        {"network": network(seed=5)},
        {"examples": Points(120, seed=2)},
        {"examples": Points(120, seed=1, jitter=0.3)},
        {"rows": Rows(torch.arange(70), torch.arange(80, 120))},
        {"loss": lambda outputs, targets: outputs.pow(2).mean()},
    ],
    ids=["seed", "recipe", "first weights", "examples", "augmentation", "rows", "loss"],
)
def test_what_was_kept_of_a_job_counts_for_no_other_job(tmp_path: Path, changed: dict[str, object]) -> None:
    keep = Kept(tmp_path)
    fit(job(FAST), Run(keep=keep))
    other = replace(job(FAST), **changed)  # type: ignore[arg-type]  # parametrised
    assert same(fit(other, Run(keep=keep)), fit(other, Run()))


@pytest.mark.parametrize("schedule", ["onecycle", "constant", "plateau"])
@pytest.mark.parametrize("optimiser", ["adamw", "sgd"])
def test_a_job_that_was_interrupted_gives_the_weights_of_one_that_was_not(
    tmp_path: Path, optimiser: str, schedule: str
) -> None:
    recipe = Recipe(12, 16, 2e-2, 1e-2, optimiser, 0, schedule)  # type: ignore[arg-type]  # parametrised
    whole = fit(job(recipe, norm=True, dropout=0.3), Run())

    def interrupt(what: str, done: int, total: int) -> None:
        if done == 7:
            raise KeyboardInterrupt

    keep = Kept(tmp_path, every_s=0.0)
    with pytest.raises(KeyboardInterrupt):
        fit(job(recipe, norm=True, dropout=0.3), Run(keep=keep, progress=interrupt))
    told: list[int] = []
    resumed = fit(job(recipe, norm=True, dropout=0.3), Run(keep=keep, progress=lambda what, done, _: told.append(done)))
    assert told[0] == 7
    assert same(resumed, whole)


def test_a_killed_training_run_goes_on_and_gives_bit_identical_weights(tmp_path: Path) -> None:
    code = "from tests.pipelines.training.made_up_job import train_slowly; train_slowly()"
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    for line in child.stdout:
        if line.strip() == "epoch 4":
            break
    os.kill(child.pid, signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    child.stdout.close()
    kept = list(tmp_path.glob("*.kept"))
    assert len(kept) == 1, "nothing was kept before the kill"
    told: list[int] = []
    slow = replace(FAST, epochs=9)
    # Other threads round otherwise, and what was kept then is another job's.
    with fixed_random_state(1, 1):
        run = Run(keep=Kept(tmp_path), progress=lambda w, d, t: told.append(d))
        resumed, whole = (fit(job(slow, norm=True, dropout=0.3), one) for one in (run, Run()))
    assert 4 <= told[0] < 9
    assert same(resumed, whole)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="mixed precision is for CUDA alone, and there is none")
def test_on_cuda_a_rule_is_learnt_in_mixed_precision_and_an_interrupted_job_goes_on(tmp_path: Path) -> None:
    def interrupt(what: str, done: int, total: int) -> None:
        if done == 7:
            raise KeyboardInterrupt

    keep = Kept(tmp_path, every_s=0.0)
    with pytest.raises(KeyboardInterrupt):
        fit(job(FAST, norm=True), Run("cuda", keep, interrupt))
    resumed, whole = fit(job(FAST, norm=True), Run("cuda", keep)), fit(job(FAST, norm=True), Run("cuda"))
    assert accuracy(resumed, Points(200, seed=9), torch.arange(200)) > 0.8
    assert resumed.history[-1] == pytest.approx(whole.history[-1], rel=0.05)
