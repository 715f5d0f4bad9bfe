"""The one training loop of all networks.

A job is a network with its examples, its inner split, a loss and a recipe. The best epoch by inner-validation loss is
kept, and nothing else decides when to stop. The same job on the same number of threads gives the same weights, and so
does one that was killed and went on.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch.optim.lr_scheduler import OneCycleLR, ReduceLROnPlateau

from pipelines.training.job import Examples, Job, Loss, Rows
from pipelines.training.kept import Kept, Snapshot
from pipelines.training.recipe import Precision, Recipe, optimiser_of, schedule_of
from pipelines.training.settings import Progress, silent
from pipelines.training.tensors import Tensors, as_float, called, joined, moved

__all__ = [
    "Diverged",
    "Examples",
    "Fitted",
    "History",
    "Job",
    "Kept",
    "Loss",
    "Recipe",
    "Rows",
    "Run",
    "fit",
    "outputs_of",
]

History = tuple[tuple[float, float], ...]
"""Training and inner-validation loss of every epoch; the latter is NaN where nothing was set apart."""


@dataclass(frozen=True)
class Run:
    """Where jobs run. ``keep``: what was and will be trained on disk, or None. On CUDA in mixed precision."""

    device: str = "cpu"
    keep: Kept | None = None
    progress: Progress = silent


@dataclass(frozen=True)
class Fitted:
    """The network of the best epoch (counted from 0), in evaluation mode, on the CPU."""

    network: torch.nn.Module
    history: History
    best_epoch: int


class Diverged(ValueError):
    """A loss became infinite or not a number. Names the job and the epoch."""


def fit(job: Job, run: Run) -> Fitted:
    """Train a network, go on with one that was begun, or read one that was finished.

    Raises
    ------
    Diverged
        Where a loss is not finite.
    ValueError
        Where there are fewer than two rows to train on, or a row is in both parts of the inner split.
    """
    job.check()
    digest = job.digest(run.device) if run.keep is not None else ""
    found = run.keep.read(job.name, digest) if run.keep is not None else None
    # Dropout draws from torch's global generators, which belong to the caller.
    with torch.random.fork_rng():
        torch.manual_seed(job.seed)
        training = _Training(job, run.device)
        if found is not None:
            training.restore(found)
        _train(training, run, digest)
    return training.fitted()


def outputs_of(
    network: torch.nn.Module, examples: Examples, rows: torch.Tensor, device: str = "cpu", batch: int = 64
) -> tuple[Tensors, Tensors]:
    """Outputs (float32) and targets of rows, without augmentation, in evaluation mode, on the CPU."""
    there = network.to(device).eval()
    outputs, targets = [], []
    with torch.inference_mode():
        for part in rows.split(batch):
            inputs, wanted = examples.batch(part, torch.Generator(), augment=False)
            outputs.append(as_float(called(there, moved(inputs, device))))
            targets.append(wanted)
    return joined(outputs), joined(targets)


def _train(training: _Training, run: Run, digest: str) -> None:
    job, epochs = training.job, training.job.recipe.epochs
    written = time.monotonic()
    run.progress(job.name, training.done, epochs)
    while not training.finished:
        training.epoch()
        due = training.finished or (run.keep is not None and time.monotonic() - written >= run.keep.every_s)
        if run.keep is not None and due:
            run.keep.write(job.name, digest, training.snapshot())
            written = time.monotonic()
        run.progress(job.name, epochs if training.finished else training.done, epochs)


class _Training:
    """The state of one job between two epochs."""

    def __init__(self, job: Job, device: str) -> None:
        self.job, self.device = job, device
        self.network = copy.deepcopy(job.network).to(device)
        self.optimiser = optimiser_of(self.network, job.recipe)
        self.schedule = schedule_of(self.optimiser, job.recipe, len(_split(job.rows.train, job.recipe.batch)))
        self.generator = torch.Generator().manual_seed(job.seed)
        self.precision = Precision(device)
        self.history: list[tuple[float, float]] = []
        self.best = self._weights()

    @property
    def done(self) -> int:
        return len(self.history)

    @property
    def best_epoch(self) -> int:
        """The first epoch of the lowest inner-validation loss; the last one where there is none."""
        if math.isnan(self.history[-1][1]):
            return self.done - 1
        return min(range(self.done), key=lambda epoch: self.history[epoch][1])

    @property
    def finished(self) -> bool:
        patience = self.job.recipe.patience
        waited = patience > 0 and self.done > 0 and self.done - 1 - self.best_epoch >= patience
        return waited or self.done >= self.job.recipe.epochs

    def epoch(self) -> None:
        """One pass over the training rows in a new order, then the inner-validation loss."""
        self.network.train()
        total, count = 0.0, 0
        rows = self.job.rows.train
        order = torch.randperm(len(rows), generator=self.generator)
        for drawn in _split(rows[order], self.job.recipe.batch):
            total += self._step(drawn) * len(drawn)
            count += len(drawn)
        validation = self._validation_loss()
        if not math.isfinite(total) or math.isinf(validation):
            raise Diverged(f"{self.job.name}: the loss is not finite in epoch {self.done + 1}")
        if isinstance(self.schedule, ReduceLROnPlateau):
            self.schedule.step(total / count if math.isnan(validation) else validation)
        self.history.append((total / count, validation))
        if self.best_epoch == self.done - 1:
            self.best = self._weights()

    def _step(self, drawn: torch.Tensor) -> float:
        inputs, targets = self.job.examples.batch(drawn, self.generator, augment=True)
        self.optimiser.zero_grad(set_to_none=True)
        with self.precision.context():
            outputs = called(self.network, moved(inputs, self.device))
        loss = self.job.loss(as_float(outputs), moved(targets, self.device))
        self.precision.step(loss, self.optimiser, self.network, self.job.recipe.clip)
        if isinstance(self.schedule, OneCycleLR):
            self.schedule.step()
        return float(loss.detach())

    def _validation_loss(self) -> float:
        rows = self.job.rows.validation
        if not len(rows):
            return math.nan
        outputs, targets = outputs_of(self.network, self.job.examples, rows, self.device, self.job.recipe.batch)
        loss = float(self.job.loss(outputs, targets))
        return math.inf if math.isnan(loss) else loss

    def _weights(self) -> dict[str, torch.Tensor]:
        return {key: value.detach().cpu().clone() for key, value in self.network.state_dict().items()}

    def fitted(self) -> Fitted:
        network = copy.deepcopy(self.job.network)
        network.load_state_dict(self.best)
        return Fitted(network.eval(), tuple(self.history), self.best_epoch)

    def snapshot(self) -> Snapshot:
        """All that the next epoch depends on; of a finished job the best weights and the history alone."""
        tensors = {f"best.{key}": value for key, value in self.best.items()}
        described: dict[str, Any] = {"history": self.history, "finished": self.finished}
        if self.finished:
            return Snapshot(tensors, described)
        tensors |= {f"network.{key}": value for key, value in self.network.state_dict().items()}
        tensors |= {f"random.{key}": value for key, value in self._random_states().items()}
        stored = self.optimiser.state_dict()
        described |= {"groups": stored["param_groups"], "numbers": {}, "precision": self.precision.state()}
        for index, state in stored["state"].items():
            for key, value in state.items():
                if isinstance(value, torch.Tensor):
                    tensors[f"optimiser.{index}.{key}"] = value
                else:
                    described["numbers"][f"{index}.{key}"] = value
        described["schedule"] = self.schedule.state_dict() if self.schedule is not None else {}
        return Snapshot(tensors, described)

    def restore(self, snapshot: Snapshot) -> None:
        """The state that ``snapshot`` was taken of."""
        described = snapshot.described
        self.history = [(train, validation) for train, validation in described["history"]]
        self.best = _under(snapshot.tensors, "best.")
        if described["finished"]:
            return
        self.network.load_state_dict(_under(snapshot.tensors, "network."))
        state: dict[int, dict[str, Any]] = {}
        values = _under(snapshot.tensors, "optimiser.") | described["numbers"]
        for name, value in values.items():
            index, key = name.split(".", 1)
            state.setdefault(int(index), {})[key] = value
        self.optimiser.load_state_dict({"state": state, "param_groups": described["groups"]})
        if self.schedule is not None:
            self.schedule.load_state_dict(described["schedule"])
        self.precision.restore(described["precision"])
        self._restore_random_states(_under(snapshot.tensors, "random."))

    def _random_states(self) -> dict[str, torch.Tensor]:
        states = {"own": self.generator.get_state(), "torch": torch.get_rng_state()}
        return states | ({"cuda": torch.cuda.get_rng_state(self.device)} if self.device.startswith("cuda") else {})

    def _restore_random_states(self, states: Mapping[str, torch.Tensor]) -> None:
        self.generator.set_state(states["own"])
        torch.set_rng_state(states["torch"])
        if "cuda" in states:
            torch.cuda.set_rng_state(states["cuda"], self.device)


def _split(rows: torch.Tensor, batch: int) -> list[torch.Tensor]:
    """Batches; a last one of a single row is left out, since batch normalisation cannot work on it."""
    return [part for part in rows.split(batch) if len(part) > 1]


def _under(values: Mapping[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {key.removeprefix(prefix): value for key, value in values.items() if key.startswith(prefix)}
