"""Does an exam look like the cohort a model was trained on?

Two checks, both fitted on the training cohort and kept in the bundle's manifest:

- *acquisition*: each fact of the protocol (spacing, field of view, b-values) must lie in the training range;
- *appearance*: the squared Mahalanobis distance of image statistics and measured features from the training mean must
  not exceed what leaving each training exam out in turn gave (Mahalanobis 1936; shrunk covariance of Ledoit and Wolf
  2004).

Outside is not wrong: it says that the model's figures do not speak for this exam.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.covariance import LedoitWolf

from pipelines.bundle import UNRECORDED
from pipelines.contract import ClinicalRecord, Envelope, Item, ModelInputs, TimePoint, Volume

Facts = Mapping[str, float]


@dataclass(frozen=True)
class Quality:
    """How a fact is named and printed. ``tolerance`` widens the training range, relative to its ends."""

    words: str
    unit: str
    tolerance: float


ACQUISITION: Mapping[str, Quality] = {
    "t2_in_plane": Quality("T2 pixel spacing", "mm", 0.05),
    "t2_slice": Quality("T2 slice spacing", "mm", 0.05),
    "t2_field_of_view": Quality("T2 field of view", "mm", 0.05),
    "t2_coverage": Quality("T2 coverage along the slices", "mm", 0.15),
    "dwi_in_plane": Quality("DWI pixel spacing", "mm", 0.05),
    "dwi_slice": Quality("DWI slice spacing", "mm", 0.05),
    "dwi_field_of_view": Quality("DWI field of view", "mm", 0.05),
    "highest_b": Quality("highest b-value", "s/mm²", 0.05),
    "lowest_b": Quality("lowest b-value", "s/mm²", 0.05),
    "ce_t1_in_plane": Quality("CE-T1 pixel spacing", "mm", 0.05),
    "ce_t1_slice": Quality("CE-T1 slice spacing", "mm", 0.05),
}
IMAGE_ONLY = (
    "t2_tissue",
    "t2_sharpness",
    "t2_foreground",
    "dwi_sharpness",
    "adc_tissue",
    "adc_tissue_spread",
)
APPEARANCE = (*IMAGE_ONLY, "log_volume", "adc_mean", "t2_ratio", "dwi_ratio")
MARGIN = 1.25
"""The appearance limit is this much above the training quantile: a cohort of some hundred does not show its tails."""
QUANTILE = 0.99


def acquisition_facts(inputs: ModelInputs) -> dict[str, float]:
    """Facts of the protocol of one exam, by the names of ``ACQUISITION``; those of absent series are left out."""
    facts = {f"t2_{name}": value for name, value in _geometry(inputs.t2).items()}
    facts["t2_coverage"] = inputs.t2.spacing[0] * inputs.t2.array.shape[0]
    if inputs.dwi:
        first = inputs.dwi[min(inputs.dwi)]
        facts |= {f"dwi_{name}": value for name, value in _geometry(first).items()}
        facts |= {"highest_b": max(inputs.dwi), "lowest_b": min(inputs.dwi)}
    if inputs.ce_t1 is not None:
        facts |= {f"ce_t1_{name}": value for name, value in _geometry(inputs.ce_t1).items()}
    return {name: float(value) for name, value in facts.items() if name in ACQUISITION}


def exam_facts(inputs: ModelInputs, measured: Facts | None = None) -> dict[str, float]:
    """All that the envelope looks at in one exam; ``measured``: features in the tumour's mask, where there is one.

    Raises InputUnfit where the exam has no diffusion.
    """
    facts = acquisition_facts(inputs)
    facts |= image_statistics("t2", inputs.t2) | image_statistics("dwi", inputs.high_b)
    low_b = inputs.dwi[min(inputs.dwi)].array
    adc_map = inputs.fitted_adc.array
    adc = adc_map[(low_b > 0.1 * np.percentile(low_b, 99)) & np.isfinite(adc_map)]
    facts |= {"adc_tissue": float(np.median(adc)), "adc_tissue_spread": float(adc.std())} if adc.size else {}
    return facts | {name: value for name, value in (measured or {}).items() if name in APPEARANCE}


def image_statistics(prefix: str, volume: Volume) -> dict[str, float]:
    """Statistics of a weighted image that do not depend on its gain.

    ``tissue``: the foreground's median over its 99th percentile. ``sharpness``: mean absolute difference of
    neighbouring columns in the foreground over its median, per √mm of spacing, so that resampling changes it little.
    ``foreground``: the share of voxels above a tenth of the 99th percentile.
    """
    array = volume.array
    high = float(np.percentile(array, 99))
    inside = array > 0.1 * high
    if high <= 0 or not inside.any():
        return {f"{prefix}_tissue": 0.0, f"{prefix}_sharpness": 0.0, f"{prefix}_foreground": 0.0}
    median = float(np.median(array[inside]))
    steps = np.abs(np.diff(array, axis=2))[inside[:, :, 1:]]
    sharpness = float(steps.mean()) / median / np.sqrt(volume.spacing[2]) if steps.size else 0.0
    return {
        f"{prefix}_tissue": median / high,
        f"{prefix}_sharpness": float(sharpness),
        f"{prefix}_foreground": float(inside.mean()),
    }


def fit_envelope(exams: Sequence[Facts], *, of_mask: bool = True) -> dict[str, Any]:
    """The envelope of a training cohort as JSON values.

    ``exams``: what ``exam_facts`` gave for each training exam. A fact that some exams lack is fitted on those that have
    it; the appearance uses the names that all exams have, without those measured in a mask unless ``of_mask``.
    """
    ranges = {}
    for name in ACQUISITION:
        values = [facts[name] for facts in exams if name in facts]
        if values:
            ranges[name] = [float(min(values)), float(max(values))]
    wanted = APPEARANCE if of_mask else IMAGE_ONLY
    names = [name for name in wanted if all(name in facts for facts in exams)]
    appearance = _fit_appearance(names, np.array([[facts[name] for name in names] for facts in exams]))
    return {"ranges": ranges, "appearance": appearance, "exams": len(exams)}


def check_exam(envelope: Mapping[str, Any], facts: Facts, subject: str) -> tuple[str, ...]:
    """Every departure of one exam from the training cohort, in words; empty where there is none."""
    reasons = [
        _range_reason(ACQUISITION[name], facts[name], low, high)
        for name, (low, high) in envelope["ranges"].items()
        if name in facts and not _within(ACQUISITION[name], facts[name], low, high)
    ]
    appearance = _appearance_reason(envelope["appearance"], facts)
    return tuple(f"{subject}: {reason}" if subject else reason for reason in [*reasons, *appearance])


def check_case(envelope: Mapping[str, Any], exams: Mapping[TimePoint, Facts]) -> Envelope:
    """The envelope check of the exams a score was made from."""
    reasons = tuple(
        reason for time_point, facts in exams.items() for reason in check_exam(envelope, facts, f"{time_point} exam")
    )
    return Envelope(inside=not reasons, reasons=reasons)


def check_history(envelope: Envelope, record: ClinicalRecord, training: Mapping[str, Any]) -> Envelope:
    """The same, and outside where the patient's therapy or histology is recorded and no training patient had it.

    ``training``: a manifest's counts by ``therapies`` and ``histologies``; a cohort that recorded none says nothing.
    """
    reasons = list(envelope.reasons)
    for item, counted in ((Item.THERAPY, "therapies"), (Item.HISTOLOGY, "histologies")):
        word, seen = record.word(item), [word for word in training[counted] if word != UNRECORDED]
        if word and seen and word not in seen:
            reasons.append(f"{item} {word}: the training cohort had {' or '.join(seen)}")
    return Envelope(inside=not reasons, reasons=tuple(reasons))


def _geometry(volume: Volume) -> dict[str, float]:
    through, down, across = volume.spacing
    _, rows, columns = volume.array.shape
    return {
        "in_plane": max(down, across),
        "slice": through,
        "field_of_view": max(rows * down, columns * across),
    }


def _within(quality: Quality, value: float, low: float, high: float) -> bool:
    return low - quality.tolerance * abs(low) <= value <= high + quality.tolerance * abs(high)


def _range_reason(quality: Quality, value: float, low: float, high: float) -> str:
    span = f"{low:g}" if np.isclose(low, high) else f"{low:.4g}–{high:.4g}"
    verb = "is not the" if np.isclose(low, high) else "lies outside the"
    return f"{quality.words} {value:.4g} {quality.unit} {verb} {span} {quality.unit} of the training cohort"


def _fit_appearance(names: Sequence[str], rows: np.ndarray[Any, Any]) -> dict[str, Any]:
    centre, scale = rows.mean(axis=0), rows.std(axis=0) + 1e-9
    standard = (rows - centre) / scale
    precision = np.linalg.inv(LedoitWolf(assume_centered=True).fit(standard).covariance_)
    squared = np.einsum("ij,jk,ik->i", standard, precision, standard)
    # Leaving exam i out moves the mean and the covariance; for a Gaussian sample the distance grows by this factor
    # (Hawkins 1980, section 8.3).
    count = len(rows)
    shrink = np.clip(1.0 - count * squared / (count - 1) ** 2, 0.1, 1.0)
    left_out = squared * (count - 2) / (count - 1) / shrink
    return {
        "names": list(names),
        "centre": centre.tolist(),
        "scale": scale.tolist(),
        "precision": precision.tolist(),
        "limit": float(np.quantile(left_out, QUANTILE) * MARGIN),
    }


def _appearance_reason(model: Mapping[str, Any], facts: Facts) -> list[str]:
    missing = [name for name in model["names"] if name not in facts or not np.isfinite(facts[name])]
    if missing:
        return [f"cannot be compared with the training cohort without {', '.join(missing)}"]
    values = np.array([facts[name] for name in model["names"]])
    standard = (values - np.array(model["centre"])) / np.array(model["scale"])
    squared = float(standard @ np.array(model["precision"]) @ standard)
    if squared <= model["limit"]:
        return []
    worst = np.argsort(-np.abs(standard))[:2]
    which = ", ".join(f"{model['names'][i].replace('_', ' ')} {standard[i]:+.1f} SD" for i in worst)
    return [
        f"image appearance is {np.sqrt(squared):.1f} from the training cohort's centre, limit "
        f"{np.sqrt(model['limit']):.1f} (Mahalanobis distance; most unusual: {which})"
    ]
