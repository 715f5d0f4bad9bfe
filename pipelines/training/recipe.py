"""How a network is trained: optimiser, learning-rate schedule, precision."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch.optim import SGD, AdamW, Optimizer
from torch.optim.lr_scheduler import OneCycleLR, ReduceLROnPlateau

MOMENTUM = 0.9
PLATEAU_FACTOR, PLATEAU_EPOCHS = 0.5, 5

Schedule = OneCycleLR | ReduceLROnPlateau | None


@dataclass(frozen=True)
class Recipe:
    """Everything but data, network and loss that decides how training goes.

    ``optimiser``: adamw, or sgd with momentum 0.9. ``schedule``: onecycle (Smith & Topin 2019, stepped per batch),
    constant, or plateau (halved after 5 epochs without a better inner-validation loss). ``patience``: epochs without
    a better inner-validation loss after which training stops; 0: never. ``clip``: the largest norm of a gradient.
    """

    epochs: int
    batch: int
    learning_rate: float
    weight_decay: float = 0.0
    optimiser: Literal["adamw", "sgd"] = "adamw"
    patience: int = 0
    schedule: Literal["onecycle", "constant", "plateau"] = "onecycle"
    clip: float = 5.0


def optimiser_of(network: torch.nn.Module, recipe: Recipe) -> Optimizer:
    if recipe.optimiser == "sgd":
        return SGD(network.parameters(), recipe.learning_rate, MOMENTUM, weight_decay=recipe.weight_decay)
    return AdamW(network.parameters(), recipe.learning_rate, weight_decay=recipe.weight_decay)


def schedule_of(optimiser: Optimizer, recipe: Recipe, steps_per_epoch: int) -> Schedule:
    if recipe.schedule == "onecycle":
        return OneCycleLR(optimiser, recipe.learning_rate, total_steps=recipe.epochs * steps_per_epoch)
    if recipe.schedule == "plateau":
        return ReduceLROnPlateau(optimiser, factor=PLATEAU_FACTOR, patience=PLATEAU_EPOCHS)
    return None


class Precision:
    """Mixed precision on CUDA: bfloat16, or float16 with scaled gradients where the GPU lacks it. Float32 elsewhere."""

    def __init__(self, device: str) -> None:
        self._mixed = device.startswith("cuda")
        self._type = torch.bfloat16 if self._mixed and torch.cuda.is_bf16_supported() else torch.float16
        self._scaler = torch.amp.GradScaler(enabled=self._mixed and self._type is torch.float16)

    def context(self) -> AbstractContextManager[Any]:
        """What the forward pass runs in; losses are computed outside, in float32."""
        return torch.autocast("cuda", self._type) if self._mixed else nullcontext()

    def step(self, loss: torch.Tensor, optimiser: Optimizer, network: torch.nn.Module, clip: float) -> None:
        """Backward pass, clipping, and one step of the optimiser (none where a scaled gradient overflowed)."""
        self._scaler.scale(loss).backward()
        self._scaler.unscale_(optimiser)
        torch.nn.utils.clip_grad_norm_(network.parameters(), clip)
        self._scaler.step(optimiser)
        self._scaler.update()

    def state(self) -> dict[str, Any]:
        return dict(self._scaler.state_dict())

    def restore(self, state: Mapping[str, Any]) -> None:
        if state:
            self._scaler.load_state_dict(dict(state))
