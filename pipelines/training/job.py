"""What is trained: a network with its examples, their inner split, a loss and a recipe."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import torch

from pipelines.training.kept import digest_of
from pipelines.training.recipe import Recipe
from pipelines.training.tensors import Tensors, as_float, called, parts

# Raised whenever the loop would give other weights for the same job: what was kept before then counts for nothing.
VERSION = 1

Loss = Callable[[Any, Any], torch.Tensor]
"""From outputs and targets (:data:`Tensors` each, as the network and the examples give them) of a whole batch to a
scalar: a Cox loss takes its risk sets from the batch."""


class Examples(Protocol):
    """What a network learns from, by row index. Also holds the random changes (augmentation)."""

    def __len__(self) -> int: ...

    def batch(self, rows: torch.Tensor, generator: torch.Generator, augment: bool) -> tuple[Tensors, Tensors]:
        """Inputs and targets of these rows, on the CPU. Without ``augment`` the same rows always give the same."""


@dataclass(frozen=True)
class Rows:
    """The inner split, by patient. ``validation`` may be empty: the last epoch is then kept."""

    train: torch.Tensor
    validation: torch.Tensor


@dataclass(frozen=True)
class Job:
    """One network to train. ``name``: unique within a bundle. ``seed`` decides order, augmentation and dropout."""

    name: str
    network: torch.nn.Module
    examples: Examples
    rows: Rows
    loss: Loss
    recipe: Recipe
    seed: int

    def check(self) -> None:
        """Raises ValueError where the rows cannot be trained on."""
        if len(self.rows.train) < 2:
            raise ValueError(f"{self.name}: {len(self.rows.train)} rows to train on; at least 2 are needed")
        if twice := set(self.rows.train.tolist()) & set(self.rows.validation.tolist()):
            raise ValueError(f"{self.name}: rows {sorted(twice)[:5]} are in both parts of the inner split")

    def digest(self, device: str) -> str:
        """SHA-256 of all that decides the weights: first weights, rows, recipe, seed, what examples and loss give.

        Augmentation and loss are code with parameters of their own: one augmented batch and its loss stand for them.
        """
        rows, size = self.rows, self.recipe.batch
        tensors = {f"network.{key}": value for key, value in self.network.state_dict().items()}
        tensors |= {"train": rows.train, "validation": rows.validation}
        for index, part in enumerate(torch.cat([rows.train, rows.validation]).split(size)):
            inputs, targets = self.examples.batch(part, torch.Generator().manual_seed(0), augment=False)
            tensors[f"examples.{index}"] = torch.tensor(
                [list(bytes.fromhex(digest_of({}, _named("x", inputs) | _named("y", targets))))]
            )
        inputs, targets = self.examples.batch(rows.train[:size], torch.Generator().manual_seed(0), augment=True)
        with torch.inference_mode():
            outputs = called(copy.deepcopy(self.network).cpu().eval(), inputs)
            tensors |= _named("augmented", inputs) | _named("targets", targets)
            tensors["loss"] = self.loss(as_float(outputs), targets)
        described = {
            "version": VERSION,
            "torch": str(torch.__version__),
            "recipe": asdict(self.recipe),
            "seed": self.seed,
            "threads": torch.get_num_threads(),
            "device": device,
            "network": str(self.network),
        }
        return digest_of(described, tensors)


def _named(name: str, tensors: Tensors) -> dict[str, torch.Tensor]:
    return {f"{name}.{index}": part for index, part in enumerate(parts(tensors))}
