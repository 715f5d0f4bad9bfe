"""What a baseline exam contributes to system 3: the field around the tumour, the tumour in it, measured features.

A field is placed by the mask that was given and is kept with its margin, so that training can move it. Features are
measured through several masks, as other readers might have drawn them; D and K are read where the exam allows them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from pipelines.cohort.views import views_of
from pipelines.contract import MapKind, MaskArray, ModelInputs, TimePoint
from pipelines.envelope import exam_facts
from pipelines.features import MIN_VOXELS
from pipelines.inputs.cache import Entry
from pipelines.inputs.model_inputs import KURTOSIS
from pipelines.systems.dlrs_exam import known_features
from pipelines.systems.networks.multi_rec_size import ADC, DAPP, KAPP, T2
from pipelines.systems.tumour_field import Channel, FieldRule, central, tumour_field
from pipelines.volumes.resample import mask_onto

VERSION = 1
"""Raised whenever the code of the cut, or what it calls, makes other numbers from the same exam."""
MASK = "mask"
T2_SQUARE = "T2 squared"
"""A stem of its own for texture finer than a voxel of the field."""
CHANNELS: Mapping[str, Channel] = {
    T2: Channel.T2,
    T2_SQUARE: Channel.T2_SQUARE,
    ADC: Channel.ADC,
    DAPP: Channel.DAPP,
    KAPP: Channel.KAPP,
}
"""The networks' sequences, and the field's channel that each reads."""
MAPS = (DAPP, KAPP)
"""Sequences that few protocols allow: without them a patient is scored from T2 and ADC."""
MEDIANS: Mapping[MapKind, str] = {MapKind.KURTOSIS_D: "dapp_median", MapKind.KURTOSIS_K: "kapp_median"}


@dataclass(frozen=True)
class MultiRecExam:
    """``channels`` and ``mask``: of the field, (slices, rows, columns) each, with its margin; those there are.

    ``features``: measured through the masks, the one given first; empty where the tumour is too small to measure in.
    ``volume_cm3``: the mask's. ``without_maps``: why there are no D and K, or ''.
    """

    channels: Mapping[Channel, NDArray[np.float16]]
    mask: MaskArray
    features: tuple[Mapping[str, float], ...]
    volume_cm3: float
    facts: Mapping[str, float]
    without_maps: str

    @property
    def has_maps(self) -> bool:
        return all(CHANNELS[name] in self.channels for name in MAPS)

    def stack(self, sequences: Sequence[str]) -> tuple[NDArray[np.float16], NDArray[np.bool_]]:
        """(sequences, slices, rows, columns), 0 where there is none, and which there are."""
        there = np.array([CHANNELS[name] in self.channels for name in sequences], dtype=bool)
        images = np.zeros((len(sequences), *self.mask.shape), dtype=np.float16)
        for index, name in enumerate(sequences):
            if there[index]:
                images[index] = self.channels[CHANNELS[name]]
        return images, there


@dataclass(frozen=True)
class MultiRecCut:
    """The cut of system 3. ``views``: through how many masks features are measured, the drawn one among them."""

    rule: FieldRule
    views: int = 1
    name: str = "multi_rec_net"
    time_points: frozenset[TimePoint] = frozenset({TimePoint.BASELINE})

    def parameters(self) -> Mapping[str, Any]:
        return {"version": VERSION, "rule": self.rule.as_json(), "views": self.views, "least voxels": MIN_VOXELS}

    def exam(self, inputs: ModelInputs, mask: MaskArray, rng: Generator) -> MultiRecExam:
        """One exam through a mask on its T2 grid.

        Raises
        ------
        InputUnfit
            Why there is no diffusion, ``NO_MASK`` where the mask is empty, and ``INPUTS_MISSING`` where an image has no
            signal in the tumour.
        """
        inputs.demand_diffusion()
        wanted = set(CHANNELS.values())
        field = tumour_field(inputs, mask, self.rule)
        masks = views_of(mask, inputs.t2.spacing, self.views, rng)
        features = [_measured(inputs, one) for one in masks]
        why = "" if inputs.maps else dict(inputs.parameters).get(KURTOSIS, "not made")
        return MultiRecExam(
            channels={channel: array for channel, array in field.channels.items() if channel in wanted},
            mask=field.mask,
            features=(features[0], *(one or features[0] for one in features[1:])),
            volume_cm3=float(mask.sum()) * inputs.t2.voxel_mm3 / 1000.0,
            facts=exam_facts(inputs, features[0]),
            without_maps=why,
        )

    def cut(self, inputs: ModelInputs, mask: MaskArray, rng: Generator) -> Entry:
        """Channels and mask of the field; the rest described. Raises InputUnfit as ``exam`` does."""
        exam = self.exam(inputs, mask, rng)
        described = {
            "features": [dict(view) for view in exam.features],
            "volume_cm3": exam.volume_cm3,
            "facts": dict(exam.facts),
            "without_maps": exam.without_maps,
        }
        return Entry({**{str(name): array for name, array in exam.channels.items()}, MASK: exam.mask}, described)


def from_entry(entry: Entry) -> MultiRecExam:
    """An exam as the cut kept it."""
    described = entry.described
    return MultiRecExam(
        channels={Channel(name): array for name, array in entry.arrays.items() if name != MASK},
        mask=entry.arrays[MASK],
        features=tuple(described["features"]),
        volume_cm3=float(described["volume_cm3"]),
        facts=described["facts"],
        without_maps=str(described["without_maps"]),
    )


def network_axes(array: NDArray[Any], rule: FieldRule) -> NDArray[Any]:
    """(…, slices, rows, columns) without the margin, as (…, rows, columns, slices)."""
    return np.moveaxis(central(array, rule), -3, -1)


def _measured(inputs: ModelInputs, mask: MaskArray) -> Mapping[str, float]:
    """Measured features with the medians of D and K in the tumour, where it has enough voxels of them."""
    features = dict(known_features(inputs, mask))
    for found in inputs.maps if features else ():
        values = found.volume.array[mask_onto(mask, inputs.t2, found.volume) & found.valid]
        if found.kind in MEDIANS and values.size >= MIN_VOXELS:
            features[MEDIANS[found.kind]] = float(np.median(values))
    return features
