"""A small network and points in the plane that it can learn to tell apart."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from pipelines.training.fit import Job, Kept, Recipe, Rows, Run, fit
from pipelines.training.settings import fixed_random_state

REPOSITORY = Path(__file__).resolve().parents[3]


class Points:
    """Points whose class is the sign of the product of their coordinates; ``noisy``: classes drawn at random."""

    def __init__(self, count: int, seed: int, jitter: float = 0.05, noisy: bool = False) -> None:
        drawn = torch.Generator().manual_seed(seed)
        self.points = torch.randn(count, 2, generator=drawn)
        signal = self.points[:, 0] * self.points[:, 1]
        self.classes = ((torch.randn(count, generator=drawn) + 0.5 * signal if noisy else signal) > 0).float()
        self.jitter = jitter

    def __len__(self) -> int:
        return len(self.points)

    def batch(self, rows: torch.Tensor, generator: torch.Generator, augment: bool) -> tuple[torch.Tensor, torch.Tensor]:
        points = self.points[rows]
        if augment:
            points = points + self.jitter * torch.randn(points.shape, generator=generator)
        return points, self.classes[rows]


def network(seed: int = 1, norm: bool = False, dropout: float = 0.0) -> torch.nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return torch.nn.Sequential(
            torch.nn.Linear(2, 32),
            torch.nn.BatchNorm1d(32) if norm else torch.nn.Identity(),
            torch.nn.ReLU(),
            torch.nn.Dropout(dropout),
            torch.nn.Linear(32, 32),
            torch.nn.ReLU(),
            torch.nn.Linear(32, 1),
        )


def bce(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return binary_cross_entropy_with_logits(outputs[:, 0], targets)


def job(recipe: Recipe, *, norm: bool = False, dropout: float = 0.0, noisy: bool = False) -> Job:
    """80 points to train on, 40 for inner validation."""
    examples = Points(120, seed=1, noisy=noisy)
    rows = Rows(torch.arange(80), torch.arange(80, 120))
    return Job("made up", network(1, norm, dropout), examples, rows, bce, recipe, seed=7)


def train_slowly() -> None:
    """For a process that will be killed: says each epoch, and waits a little after it."""

    def tell(what: str, done: int, total: int) -> None:
        print(f"epoch {done}", flush=True)
        time.sleep(0.1)

    recipe = Recipe(epochs=9, batch=16, learning_rate=2e-2)
    with fixed_random_state(1, 1):
        fit(job(recipe, norm=True, dropout=0.3), Run(keep=Kept(Path(sys.argv[1]), every_s=0.0), progress=tell))
