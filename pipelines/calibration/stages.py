"""The final stages of bundles as stored numbers, and what a calibration curve makes of them.

A curve turns every final stage into another one of its kind: a logistic model, a machine with Platt's curve, or a Cox
model with its baseline. So a calibrated bundle is scored, explained and drawn like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.bundle import Bundle, Manifest
from pipelines.calibration.curve import Curve
from pipelines.systems.cox_risk import HORIZON

Arrays = dict[str, NDArray[Any]]
SLOPE, OFFSET = 2, 3
"""Of a machine's stored numbers: γ, bias, slope, offset."""


@dataclass(frozen=True)
class Family:
    """What is calibrated together: the final ``stages`` of one model, and under which keys its thresholds are."""

    stages: tuple[str, ...]
    thresholds: tuple[str, ...]


@dataclass(frozen=True)
class Kind:
    """``file``: where a system's final stages are stored. ``families``: by the name of the model in an evaluation.
    ``calibrated``: changes the numbers of one stage in place."""

    file: str
    families: Callable[[Manifest], dict[str, Family]]
    calibrated: Callable[[Arrays, str, Curve], None]


def calibrated_arrays(bundle: Bundle, curves: Mapping[str, Curve]) -> dict[str, Arrays]:
    """Every file of a bundle by its stem; the final stages of the named models as ``curves`` have them."""
    files = {name.removesuffix(".safetensors"): None for name in bundle.manifest.files}
    stored = {stem: {key: np.array(value) for key, value in bundle.arrays(stem).items()} for stem in files}
    kind = KINDS[bundle.manifest.system]
    families = kind.families(bundle.manifest)
    for name, curve in curves.items():
        for stage in families[name].stages:
            kind.calibrated(stored[kind.file], stage, curve)
    return stored


def _logistic(stored: Arrays, stage: str, curve: Curve) -> None:
    for name in (f"{stage}.coefficients", f"{stage}.refits"):
        stored[name] *= curve.slope
        stored[name][..., -1] += curve.intercept


def _machines(stored: Arrays, stage: str, curve: Curve) -> None:
    index = 0
    while (name := f"{stage}.{index}.numbers") in stored:
        stored[name][[SLOPE, OFFSET]] *= curve.slope
        stored[name][OFFSET] += curve.intercept
        index += 1


def _cox(stored: Arrays, stage: str, curve: Curve) -> None:
    """β becomes slope · β; the baseline hazard is scaled so that its logarithm at the horizon follows the curve."""
    months, hazard = stored[f"{stage}.months"], stored[f"{stage}.hazard"]
    at_horizon = float(hazard[np.searchsorted(months, HORIZON, side="right") - 1])
    scale = float(np.exp(curve.intercept + (curve.slope - 1.0) * np.log(at_horizon)))
    factors = {
        "coefficients": curve.slope,
        "covariance": curve.slope**2,
        "hazard": scale,
        "spent": scale**2,
        "drift": scale,
    }
    for name, factor in factors.items():
        stored[f"{stage}.{name}"] *= factor


def _by_model(described: str) -> Callable[[Manifest], dict[str, Family]]:
    """Stages that say of which model they are a subset, each with thresholds of its own."""

    def families(manifest: Manifest) -> dict[str, Family]:
        found: dict[str, list[str]] = {}
        for key, said in manifest.network[described].items():
            found.setdefault(said["model"], []).append(key)
        return {model: Family(tuple(keys), tuple(keys)) for model, keys in found.items()}

    return families


def _dlrs(manifest: Manifest) -> dict[str, Family]:
    """Cox models by the family whose cut-off they share, which is its key as well."""
    found: dict[str, list[str]] = {}
    for name, said in manifest.network["models"].items():
        found.setdefault(said["family"], []).append(name)
    return {family: Family(tuple(names), (family,)) for family, names in found.items()}


KINDS: Mapping[str, Kind] = {
    "signature_svm": Kind("stages", _by_model("variants"), _machines),
    "rp_net": Kind("stages", _by_model("models"), _logistic),
    "multi_rec_net": Kind("cox", _by_model("models"), _cox),
    "dlrs_nomogram": Kind("cox", _dlrs, _cox),
}
