"""What the segmenter learns from and is judged by: the network's channels of one exam, with the tumour to find."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import Generator

from pipelines.contract import FloatArray, MaskArray, ModelInputs, TimePoint, Volume
from pipelines.envelope import exam_facts
from pipelines.inputs.cache import Entry
from pipelines.segment import SegmenterSize, network_grid, network_input
from pipelines.volumes.resample import mask_onto


@dataclass(frozen=True)
class SegmenterCut:
    """Channels at ``spacing`` (mm, in plane) over the whole field of view, of both exams."""

    spacing: float = SegmenterSize().spacing

    @property
    def name(self) -> str:
        return "segmenter"

    @property
    def time_points(self) -> frozenset[TimePoint]:
        return frozenset(TimePoint)

    def parameters(self) -> Mapping[str, Any]:
        return {"version": 1, "spacing": self.spacing}

    def cut(self, inputs: ModelInputs, mask: MaskArray, rng: Generator) -> Entry:
        """Raises InputUnfit where the exam has no diffusion."""
        grid = network_grid(inputs.t2, self.spacing)
        arrays = {
            "channels": network_input(inputs, grid).astype(np.float16),
            "mask": mask_onto(mask, inputs.t2, grid),
            "truth": np.packbits(mask),
        }
        described = {
            "t2": {"shape": list(mask.shape), "affine": inputs.t2.affine.tolist()},
            "grid": grid.affine.tolist(),
            "facts": exam_facts(inputs),
        }
        return Entry(arrays, described)


@dataclass(frozen=True)
class SegmenterExam:
    """One exam of a cohort, read back: ``channels`` (3, …) and ``mask`` on ``grid``, ``truth`` on ``t2``.

    The arrays of ``grid`` and ``t2`` are empty of signal: they say where voxels lie.
    """

    channels: FloatArray
    mask: MaskArray
    grid: Volume
    truth: MaskArray
    t2: Volume
    facts: Mapping[str, float]

    @classmethod
    def of(cls, entry: Entry) -> SegmenterExam:
        channels, described = entry.arrays["channels"], entry.described
        shape = tuple(described["t2"]["shape"])
        truth = np.unpackbits(entry.arrays["truth"], count=int(np.prod(shape))).reshape(shape).astype(bool)
        return cls(
            channels=channels,
            mask=entry.arrays["mask"],
            grid=_place(channels.shape[1:], described["grid"]),
            truth=truth,
            t2=_place(shape, described["t2"]["affine"]),
            facts=described["facts"],
        )

    @property
    def volume_cm3(self) -> float:
        return float(np.count_nonzero(self.truth)) * self.t2.voxel_mm3 / 1000.0


def _place(shape: Sequence[int], affine: Sequence[Sequence[float]]) -> Volume:
    """Where voxels lie; all of them share one zero in memory."""
    return Volume(np.broadcast_to(np.float32(0), tuple(shape)), np.array(affine))
