"""A cut that any process can import: the mask, how many voxels it has, and a number that was drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from numpy.random import Generator

from pipelines.contract import Code, InputUnfit, MaskArray, ModelInputs, TimePoint
from pipelines.inputs.cache import Entry


@dataclass(frozen=True)
class PlainCut:
    """``least``: of fewer voxels an exam is refused."""

    time_points: frozenset[TimePoint] = frozenset(TimePoint)
    least: int = 1
    name: str = "plain"

    def parameters(self) -> Mapping[str, Any]:
        return {"least": self.least}

    def cut(self, inputs: ModelInputs, mask: MaskArray, rng: Generator) -> Entry:
        voxels = int(mask.sum())
        if voxels < self.least:
            raise InputUnfit(Code.INPUTS_MISSING, f"{voxels} voxels are too few")
        cm3 = voxels * inputs.t2.voxel_mm3 / 1000.0
        return Entry({"mask": mask, "t2": inputs.t2.array[mask]}, {"cm3": cm3, "drawn": float(rng.random())})
