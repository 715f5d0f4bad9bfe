"""What system 2 reads of one exam: the field around the tumour, where the tumour is in it, and measured features.

The node cuts a case the same way as training and evaluation cut a cohort, margin and half precision included, so that
the same exam and mask give the same score everywhere. The margin is for training, which moves the field at random.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from pipelines.cohort.views import views_of
from pipelines.contract import InputUnfit, MaskArray, ModelInputs, TimePoint
from pipelines.envelope import exam_facts
from pipelines.features import measured_features
from pipelines.inputs.cache import Entry
from pipelines.systems.rp_inputs import OURS, PUBLISHED, Channels, foreground_field
from pipelines.systems.signature_inputs import Sequence
from pipelines.systems.tumour_field import FieldRule, central, tumour_field

VERSION = 1
"""Raised whenever the code below, or the tumour field, makes another entry from the same exam."""
MASK = "mask"
MARGIN = (2, 3)


@dataclass(frozen=True)
class RpCut:
    """``views``: through how many masks features are measured, the one given and disturbed ones; the field is placed by
    the one given. ``foreground``: the paper's way of cutting, ``rule`` then says only how many voxels.

    An entry holds ``field_CHANNEL`` in half precision for every channel there is, and ``mask``, each of ``rule.shape``;
    ``features``, one mapping per view; and ``facts`` for the envelope.
    """

    rule: FieldRule = field(default_factory=lambda: FieldRule(margin=MARGIN))
    views: int = 1
    foreground: bool = False

    @property
    def name(self) -> str:
        return "rp_net"

    @property
    def time_points(self) -> frozenset[TimePoint]:
        return frozenset(TimePoint)

    @property
    def channels(self) -> Channels:
        """What each sequence's network reads."""
        return PUBLISHED if self.foreground else OURS

    def parameters(self) -> Mapping[str, Any]:
        said = {"rule": self.rule.as_json(), "views": self.views, "foreground": self.foreground}
        return {"version": VERSION, **said}

    def cut(self, inputs: ModelInputs, mask: MaskArray, rng: Generator) -> Entry:
        """The entry of one exam.

        Raises
        ------
        InputUnfit
            Why there is no diffusion, ``NO_MASK`` where the mask covers too few voxels, ``INPUTS_MISSING`` where an
            image has no signal.
        """
        first, *others = views_of(mask, inputs.t2.spacing, self.views, rng)
        measured = [measured_features(inputs, first)]
        for other in others:
            try:
                measured.append(measured_features(inputs, other))
            except InputUnfit:  # the disturbed mask is too small to measure in
                measured.append(measured[0])
        found = (foreground_field if self.foreground else tumour_field)(inputs, first, self.rule)
        wanted = {channel for channels in self.channels.values() for channel in channels}
        fields: dict[str, NDArray[Any]] = {
            f"field_{channel}": array for channel, array in found.channels.items() if channel in wanted
        }
        facts = exam_facts(inputs, measured[0])
        return Entry(fields | {MASK: found.mask}, {"features": measured, "facts": facts})

    def has(self, entry: Entry, sequence: Sequence) -> bool:
        """Whether an exam has all that the sequence's network reads."""
        return all(f"field_{channel}" in entry.arrays for channel in self.channels[sequence])

    def volume(self, entry: Entry, sequence: Sequence) -> NDArray[np.float16]:
        """What the sequence's network reads of an exam, (channels, slices, rows, columns), with the margin."""
        return np.stack([entry.arrays[f"field_{channel}"] for channel in self.channels[sequence]])

    def seen(self, entry: Entry, sequence: Sequence) -> NDArray[np.float16]:
        """The same without the margin: what a network scores."""
        return central(self.volume(entry, sequence), self.rule)

    def outline(self, entry: Entry) -> MaskArray:
        """The mask that the exam was cut through, (slices, rows, columns), without the margin."""
        return np.asarray(central(entry.arrays[MASK], self.rule), dtype=np.bool_)
