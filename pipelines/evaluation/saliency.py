"""Whether the maps of where networks look can be believed (Adebayo et al. 2018, Sanity Checks for Saliency Maps).

A map is only worth a look if it hangs on what the networks learnt and on the image. So each kind of network is compared
with copies whose weights are drawn anew, and each patient's map with another patient's. The share of a map inside the
tumour says something beside what chance gives: the tumour's share of the area, and the share in untrained networks'
maps, which see the outline too where it is part of their input.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import default_rng
from numpy.typing import NDArray

from pipelines.cohort.cut import PreparedPatient
from pipelines.contract import FloatArray
from pipelines.evaluation.prediction import Predicted
from pipelines.explain.grad_cam import inside_share
from pipelines.explain.randomised import randomised, rank_correlation
from pipelines.explain.viewed import Viewed

MOST = 40  # patients: the means are then within a few hundredths
ALIKE = 0.5
"""Rank correlation with untrained networks from which a map shows mostly what needs no training."""
THE_SAME = 0.95
"""Rank correlation between patients from which a map does not hang on the image."""


@dataclass(frozen=True)
class Example:
    """One patient's plane with most tumour, (rows, columns) each: image, how much of it is tumour, and the maps."""

    image: FloatArray
    tumour: FloatArray | None
    trained: FloatArray
    untrained: FloatArray


@dataclass(frozen=True)
class Looked:
    """Means over ``patients`` of the maps of one kind of network.

    ``inside``: the share of a map inside the tumour, ``inside_untrained`` that of untrained networks, and ``area`` the
    tumour's share of the places (NaN where the input does not tell). ``untrained``: the rank correlation of trained and
    untrained networks' maps, ``between``: of two patients' maps. ``even``: the share of maps without any order, which
    have neither: empty, or the same everywhere.
    """

    name: str
    patients: int
    inside: float
    inside_untrained: float
    area: float
    untrained: float
    between: float
    even: float
    example: Example

    @property
    def doubts(self) -> tuple[str, ...]:
        """Why the maps should not be believed; none where the check found nothing against them."""
        found = []
        if self.even > 0.5:
            found.append("most maps are empty or the same everywhere: these networks make nothing of places")
        if self.between >= THE_SAME:
            found.append("all patients have the same map, whatever their images")
        if self.untrained >= ALIKE:
            found.append("untrained networks have much the same maps, which therefore show little that was learnt")
        if self.inside <= self.area:
            found.append("no more of a map lies in the tumour than chance would put there")
        elif self.inside <= self.inside_untrained:
            found.append("no more of a map lies in the tumour than of untrained networks' maps")
        return tuple(found)

    def as_json(self) -> dict[str, Any]:
        return {
            "patients": self.patients,
            "inside_tumour": self.inside,
            "inside_tumour_untrained": self.inside_untrained,
            "tumour_area": self.area,
            "rank_correlation_untrained": self.untrained,
            "rank_correlation_between_patients": self.between,
            "even": self.even,
            "doubts": list(self.doubts),
        }


def chosen(prepared: Iterable[PreparedPatient], predicted: Predicted) -> list[PreparedPatient]:
    """Up to ``MOST`` of the patients whom the default model covers, drawn at random, in the cohort's order."""
    (default,) = (one for one in predicted.models if one.model == predicted.default)
    rows = np.sort(default_rng(0).permutation(np.flatnonzero(default.covered))[:MOST])
    patients = list(prepared)
    return [patients[int(row)] for row in rows if not patients[int(row)].refusal]


def check(view: Viewed) -> Looked:
    """One kind of network on the patients that it was shown; every fold's network has random weights of its own."""
    trained = view.saliency()
    untrained = view.through([randomised(network, seed) for seed, network in enumerate(view.networks)]).saliency()
    count, tumour = len(trained), view.tumour
    shown = np.ones(trained.shape, dtype=bool) if view.shown is None else view.shown
    following = np.roll(np.arange(count), -1)

    def alike(one: FloatArray, other: FloatArray, places: NDArray[np.bool_]) -> float:
        return rank_correlation(one[places], other[places])

    def between(row: int) -> float:
        other = int(following[row])
        return alike(trained[row], trained[other], shown[row] & shown[other])

    shares, shares_untrained = (_shares(maps, tumour) for maps in (trained, untrained))
    middle = int(np.argsort(np.nan_to_num(shares), kind="stable")[count // 2])
    return Looked(
        name=view.name,
        patients=count,
        inside=_mean(shares),
        inside_untrained=_mean(shares_untrained),
        area=float("nan") if tumour is None else float(tumour[shown].mean()),
        untrained=_mean(_each(count, lambda row: alike(trained[row], untrained[row], shown[row]))),
        between=_mean(_each(count, between)) if count > 1 else float("nan"),
        even=float(np.mean([np.ptp(one[places]) == 0 for one, places in zip(trained, shown, strict=True)])),
        example=_example(view, trained[middle], untrained[middle], middle),
    )


def _shares(maps: FloatArray, tumour: FloatArray | None) -> NDArray[np.float64]:
    """(n,): the share of each map inside the tumour, NaN where nobody knows where that is."""
    if tumour is None:
        return np.full(len(maps), np.nan)
    return _each(len(maps), lambda row: inside_share(maps[row], tumour[row]))


def _each(count: int, how: Callable[[int], float]) -> NDArray[np.float64]:
    return np.array([how(row) for row in range(count)], dtype=np.float64)


def _mean(values: NDArray[np.float64]) -> float:
    """The mean of those that are known; NaN where none is."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else float("nan")


def _example(view: Viewed, trained: FloatArray, untrained: FloatArray, row: int) -> Example:
    tumour = None if view.tumour is None else view.tumour[row]
    image = view.image[row]
    if image.ndim == 2:
        return Example(image, tumour, trained, untrained)
    plane = int((trained if tumour is None else tumour).sum(axis=(1, 2)).argmax())
    return Example(image[plane], None if tumour is None else tumour[plane], trained[plane], untrained[plane])
