"""What a bundle of system 1 holds, read back: fold networks, machines, and which columns each machine sees."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pipelines.bundle import Bundle, Weights
from pipelines.contract import TimePoint
from pipelines.systems.final_stage import FittedStage, Machine
from pipelines.systems.networks.densenet import DenseNetSize, densenet
from pipelines.systems.signature_inputs import CropRule, Sequence
from pipelines.systems.signature_models import Variant, signature_name
from pipelines.systems.signature_table import Table

NETWORKS, STAGES, ROWS = "networks", "stages", "rows"
COLOURS = 3
"""Channels of every signature network: image, tumour or ADC, mask; of a whole slice the image three times."""


@dataclass(frozen=True)
class Described:
    """A variant with all its columns, clinical ones included, and its thresholds: ``youden``, and the limits ``low``
    and ``high`` with their ``coverage`` (none where training saw the patients that they come from)."""

    variant: Variant
    columns: tuple[str, ...]
    thresholds: Mapping[str, float]

    def as_json(self) -> dict[str, Any]:
        v = self.variant
        return {
            "model": v.model,
            "subset": v.subset,
            "sequences": [str(sequence) for sequence in v.sequences],
            "columns": list(self.columns),
            "own": list(v.columns),
            "clinical": v.clinical,
        }


def packed(rows: NDArray[np.float64], stages: Mapping[str, tuple[FittedStage, NDArray[np.intp]]]) -> Weights:
    """The machines of a bundle as tensors: one table of rows (rows, names) that they share, and what is each one's own.

    ``stages``: by key, with which rows of the table its training rows are.
    """
    tensors = {ROWS: torch.from_numpy(rows.astype(np.float32))}
    for key, (stage, origin) in stages.items():
        for index, machine in enumerate((stage.machine, *stage.refits)):
            for name, values in machine.stored(origin).items():
                tensors[f"{key}.{index}.{name}"] = torch.from_numpy(values)
    return tensors


def described_variants(bundle: Bundle) -> Iterator[Described]:
    """The variants of a bundle, in its order."""
    manifest = bundle.manifest
    for key, said in manifest.network["variants"].items():
        sequences = tuple(Sequence(sequence) for sequence in said["sequences"])
        variant = Variant(said["model"], said["subset"], sequences, tuple(said["own"]), said["clinical"])
        yield Described(variant, tuple(said["columns"]), manifest.thresholds[key])


def read_stages(bundle: Bundle) -> dict[str, FittedStage]:
    """The machines of every variant, by its key."""
    stored = bundle.arrays(STAGES)
    names = list(bundle.manifest.network["table"])
    rows = stored[ROWS].astype(np.float64)
    found = {}
    for described in described_variants(bundle):
        key = described.variant.key
        seen = rows[:, [names.index(name) for name in described.columns]]
        machines = [Machine.read(one, seen) for one in _machines(stored, key)]
        found[key] = FittedStage(machines[0], {}, tuple(machines[1:]))
    return found


def read_table(bundle: Bundle) -> Table:
    """The rows that the machines learnt from, a patient each: every view of a training patient counts as one."""
    rows = bundle.arrays(STAGES)[ROWS].astype(np.float64)
    return Table(tuple(bundle.manifest.network["table"]), rows[:, None])


def _machines(stored: Mapping[str, NDArray[Any]], key: str) -> Iterator[dict[str, NDArray[Any]]]:
    index = 0
    while f"{key}.{index}.support" in stored:
        prefix = f"{key}.{index}."
        yield {name.removeprefix(prefix): value for name, value in stored.items() if name.startswith(prefix)}
        index += 1


def rule_of(bundle: Bundle) -> CropRule:
    return CropRule.from_json(bundle.manifest.preprocessing["crop"])


def read_networks(bundle: Bundle, device: torch.device) -> dict[str, tuple[torch.nn.Module, ...]]:
    """The fold networks of each signature, in evaluation mode."""
    size = DenseNetSize.from_json(bundle.manifest.network["size"])
    stored = bundle.weights(NETWORKS)
    found = {}
    for time_point in TimePoint:
        for sequence in Sequence:
            name = signature_name(time_point, sequence)
            members: list[torch.nn.Module] = []
            while _any(stored, f"{name}.{len(members)}."):
                network = densenet(size, COLOURS)
                prefix = f"{name}.{len(members)}."
                network.load_state_dict({k.removeprefix(prefix): v for k, v in stored.items() if k.startswith(prefix)})
                members.append(network.to(device).eval())
            if members:
                found[name] = tuple(members)
    return found


def _any(stored: Mapping[str, torch.Tensor], prefix: str) -> bool:
    return any(key.startswith(prefix) for key in stored)
