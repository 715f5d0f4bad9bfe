"""What system 1 reads of one exam: a crop per sequence and measured features, through one mask or several.

The node cuts a case the same way as training and evaluation cut a cohort, half precision included, so that the same
exam and mask give the same score everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from pipelines.cohort.views import views_of
from pipelines.contract import InputUnfit, MaskArray, ModelInputs, TimePoint
from pipelines.envelope import exam_facts
from pipelines.features import measured_features
from pipelines.inputs.cache import Entry
from pipelines.systems.signature_inputs import CropRule, Sequence, signature_input

VERSION = 1
"""Raised whenever the code below makes another entry from the same exam."""


@dataclass(frozen=True)
class SignatureCut:
    """``views``: through how many masks a tumour is seen, the one given and disturbed ones.

    An entry holds ``crop_VIEW_SEQUENCE`` in half precision for every sequence there is; ``features``, one mapping per
    view; and ``facts`` for the envelope.
    """

    rule: CropRule
    views: int = 1

    @property
    def name(self) -> str:
        return "signature_svm"

    @property
    def time_points(self) -> frozenset[TimePoint]:
        return frozenset(TimePoint)

    def parameters(self) -> Mapping[str, Any]:
        return {"version": VERSION, "rule": self.rule.as_json(), "views": self.views}

    def cut(self, inputs: ModelInputs, mask: MaskArray, rng: Generator) -> Entry:
        """The entry of one exam.

        Raises
        ------
        InputUnfit
            Why there is no diffusion, ``NO_MASK`` where the mask covers too few voxels, ``INPUTS_MISSING`` where an
            image has no signal.
        """
        first, *others = views_of(mask, inputs.t2.spacing, self.views, rng)
        arrays, features = self._view(inputs, first, 0)
        measured = [features]
        for index, other in enumerate(others, start=1):
            try:
                seen, features = self._view(inputs, other, index)
            except InputUnfit:  # the disturbed mask is too small to measure in
                seen, features = self._view(inputs, first, index)
            arrays |= seen
            measured.append(features)
        facts = exam_facts(inputs, measured[0])
        return Entry(arrays, {"features": measured, "facts": facts})

    def _view(
        self, inputs: ModelInputs, mask: MaskArray, index: int
    ) -> tuple[dict[str, NDArray[np.float16]], dict[str, float]]:
        features = measured_features(inputs, mask)
        sequences = [s for s in Sequence if s is not Sequence.CE_T1 or inputs.ce_t1 is not None]
        crops = {s: signature_input(inputs, s, mask, self.rule).astype(np.float16) for s in sequences}
        return {crop_name(index, s): crop for s, crop in crops.items()}, features


def crop_name(view: int, sequence: Sequence) -> str:
    """The name of a crop in an entry."""
    return f"crop_{view}_{sequence}"


def has(entry: Entry, sequence: Sequence) -> bool:
    """Whether an exam has the sequence."""
    return crop_name(0, sequence) in entry.arrays
