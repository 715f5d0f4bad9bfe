"""How well a scoring network's own masks agree with the given outlines, beside what the shipped segmenter reached.

The two do not do the same: a scoring network draws in a small field that is already centred on the given outline, at
the field's resolution, the segmenter finds the tumour in the whole image. So the figures stand side by side and are not
tested against each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pipelines.bundle import BundleError, load_bundle
from pipelines.contract import TimePoint
from pipelines.evaluation.flat import flat
from pipelines.evaluation.judged import Judged
from pipelines.evaluation.prediction import OWN_DICE, Numbers
from pipelines.evaluation.statistics.resample import multiplicities
from pipelines.evaluation.statistics.stated import Estimate, by_draws
from pipelines.models import PACKAGED

SEGMENTER = "segmenter"
LEARNT = "held_out_dice_"
"""How the segmenter's manifest names its figures of patients held out of training; the time point follows."""


@dataclass(frozen=True)
class OwnMasks:
    """Dice of one network's masks of one time point with the given outlines: mean and median over ``exams`` with
    bootstrap limits, the share ``missed`` with no overlap at all, and the shipped segmenter's held-out mean."""

    network: str
    time_point: TimePoint
    exams: int
    mean: Estimate
    median: float
    missed: float
    segmenter: float | None

    def as_json(self) -> dict[str, object]:
        """As ``metrics.json`` has it under ``own_masks``."""
        return {
            "network": self.network,
            "time_point": str(self.time_point),
            "exams": self.exams,
            **flat("dice_mean", self.mean),
            "dice_median": self.median,
            "no_overlap": self.missed,
            "segmenter_dice_mean": self.segmenter,
        }


def own_masks(judged: Judged) -> dict[str, OwnMasks]:
    """By column of ``Predicted.features`` without ``OWN_DICE``; nothing where the networks draw no masks."""
    reached = _segmenter()
    found = {}
    for column, values in judged.predicted.features.items():
        kind, _, when = column.removeprefix(OWN_DICE).rpartition("_")
        if not column.startswith(OWN_DICE) or when not in list(TimePoint):
            continue
        dice = values[np.isfinite(values)]
        if dice.size:
            found[column.removeprefix(OWN_DICE)] = _summary(kind, TimePoint(when), dice, reached)
    return found


def _summary(network: str, when: TimePoint, dice: Numbers, reached: Mapping[str, float]) -> OwnMasks:
    draws = multiplicities(np.zeros(dice.size)) @ dice / dice.size
    return OwnMasks(
        network=network,
        time_point=when,
        exams=dice.size,
        mean=by_draws(float(dice.mean()), draws, "bootstrap of patients"),
        median=float(np.median(dice)),
        missed=float(np.mean(dice == 0)),
        segmenter=reached.get(f"{LEARNT}{when}"),
    )


def _segmenter() -> Mapping[str, float]:
    """What the shipped segmenter reached on patients held out of its training; nothing where none is shipped."""
    try:
        return load_bundle(PACKAGED / SEGMENTER).manifest.metrics
    except BundleError:
        return {}
