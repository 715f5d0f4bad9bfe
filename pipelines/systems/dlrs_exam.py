"""What a baseline exam contributes to system 4: stacks for the networks, measured features, facts for the envelope."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from pipelines.cohort.views import views_of
from pipelines.contract import Code, InputUnfit, MaskArray, ModelInputs, TimePoint
from pipelines.envelope import exam_facts
from pipelines.features import MIN_VOXELS, measured_features
from pipelines.inputs.cache import Entry
from pipelines.systems.dlrs_inputs import BoxRule, Modality, box

VERSION = 1
"""Raised whenever the code of the cut, or what it calls, makes other numbers from the same exam."""


@dataclass(frozen=True)
class DlrsExam:
    """``boxes``: float16 (channels, slices, pixels, pixels) by modality; ``dropped``: tumour slices that no stack held.

    ``features``: measured in the mask; empty where the tumour is too small to measure in. ``volume_cm3``: the mask's.
    """

    boxes: Mapping[Modality, NDArray[np.float16]]
    features: Mapping[str, float]
    volume_cm3: float
    facts: Mapping[str, float]
    dropped: int


def dlrs_exam(inputs: ModelInputs, mask: MaskArray, rule: BoxRule) -> DlrsExam:
    """One exam through a mask on its T2 grid.

    Raises
    ------
    InputUnfit
        ``NO_MASK`` where the mask is empty or lies outside the diffusion images, why there is no diffusion, and
        ``INPUTS_MISSING`` where an image has no signal in the tumour.
    """
    boxes = {modality: box(inputs, modality, mask, rule) for modality in Modality}
    features = known_features(inputs, mask)
    return DlrsExam(
        boxes={modality: made.array for modality, made in boxes.items()},
        features=features,
        volume_cm3=float(mask.sum()) * inputs.t2.voxel_mm3 / 1000.0,
        facts=exam_facts(inputs, features),
        dropped=max(made.dropped for made in boxes.values()),
    )


def known_features(inputs: ModelInputs, mask: MaskArray) -> dict[str, float]:
    """Measured features; none where the mask has too few voxels for any, which is no reason to refuse the stacks."""
    try:
        return measured_features(inputs, mask)
    except InputUnfit as unfit:
        if unfit.code is Code.NO_MASK:
            return {}
        raise


@dataclass(frozen=True)
class DlrsCut:
    """The cut of system 4. ``views``: through how many masks an exam is seen, the one drawn and disturbed ones."""

    rule: BoxRule
    views: int = 1
    name: str = "dlrs_nomogram"
    time_points: frozenset[TimePoint] = frozenset({TimePoint.BASELINE})

    def parameters(self) -> Mapping[str, Any]:
        return {"version": VERSION, "rule": self.rule.as_json(), "views": self.views, "least voxels": MIN_VOXELS}

    def cut(self, inputs: ModelInputs, mask: MaskArray, rng: Generator) -> Entry:
        """Stacks per view and modality; the rest described. Raises InputUnfit as ``dlrs_exam`` does."""
        first = dlrs_exam(inputs, mask, self.rule)
        exams = [first]
        for other in views_of(mask, inputs.t2.spacing, self.views, rng)[1:]:
            exams.append(_exam_or(first, inputs, other, self.rule))
        arrays = {
            f"{modality}_{view}": array for view, exam in enumerate(exams) for modality, array in exam.boxes.items()
        }
        described = {
            "features": [dict(exam.features) for exam in exams],
            "volume_cm3": [exam.volume_cm3 for exam in exams],
            "facts": dict(first.facts),
            "dropped": first.dropped,
        }
        return Entry(arrays, described)


def from_entry(entry: Entry, view: int = 0) -> DlrsExam:
    """An exam as the cut kept it; view 0 is the mask as drawn."""
    described = entry.described
    return DlrsExam(
        boxes={modality: entry.arrays[f"{modality}_{view}"] for modality in Modality},
        features=described["features"][view],
        volume_cm3=float(described["volume_cm3"][view]),
        facts=described["facts"],
        dropped=int(described["dropped"]),
    )


def _exam_or(fallback: DlrsExam, inputs: ModelInputs, mask: MaskArray, rule: BoxRule) -> DlrsExam:
    """The exam through a disturbed mask; as drawn where that one misses the diffusion images."""
    try:
        return dlrs_exam(inputs, mask, rule)
    except InputUnfit:
        return fallback
