"""Training of the tumour segmenter: random patches of all exams, by the one training loop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.losses.dice import DiceCELoss
from numpy.random import Generator
from numpy.typing import NDArray

from pipelines.bundle import Bundle, Manifest, save_bundle
from pipelines.cohort.cohort import Cohort, CohortPatient
from pipelines.cohort.cut import PreparedPatient
from pipelines.cohort.folds import inner_split, patient_folds
from pipelines.cohort.prepare import Preparing, prepare
from pipelines.cohort.purpose import PURPOSES, usable
from pipelines.contract import TimePoint
from pipelines.envelope import fit_envelope
from pipelines.masks.overlap import dice
from pipelines.progress import Progress
from pipelines.segment import SegmenterSize, outline, segmenter_network, stored_weights, tumour_probability
from pipelines.segmenter_cut import SegmenterCut, SegmenterExam
from pipelines.training.augment import mapped, turned, weighted
from pipelines.training.curves import compact
from pipelines.training.fit import Fitted, Job, Kept, Recipe, Rows, Run, fit
from pipelines.training.provenance import cohort_words, provenance
from pipelines.training.settings import TrainingSettings, fixed_random_state

INTENDED_USE = "Outlines the primary rectal tumour on axial T2-weighted MRI, before or after therapy. Research only."
LIMITS = (
    "Not checked on patients unless the training cohort says so; a mask after therapy is uncertain even between "
    "readers. A reader's mask always wins."
)
POSITIVE_SHARE = 0.75  # of patches lie around a tumour voxel
LEAST_PATIENTS = 8

Timed = tuple[TimePoint, SegmenterExam]


@dataclass(frozen=True)
class SegmenterSettings:
    """An epoch is ``patches`` random ones, of which ``after_therapy`` come from restaging exams: the harder ones.

    ``held_out``: one in so many patients measures and decides nothing; ``stopping``: the share of the others that says
    which epoch is best. The patch is the network's window.
    """

    size: SegmenterSize = field(default_factory=SegmenterSize)
    recipe: Recipe = field(default_factory=lambda: Recipe(15, 2, 3e-3, weight_decay=1e-4, patience=5))
    patches: int = 200
    after_therapy: float = 0.6
    held_out: int = 12
    stopping: float = 0.06


@dataclass(frozen=True)
class Split:
    """Exams by what they are for; a patient's exams are together."""

    train: tuple[Timed, ...]
    stopping: tuple[Timed, ...]
    held_out: tuple[Timed, ...]
    folds: NDArray[np.intp]


def train_segmenter(
    cohort: Cohort,
    out: Path,
    settings: TrainingSettings,
    progress: Progress,
    chosen: SegmenterSettings | None = None,
) -> Bundle:
    """Train on all patients but those held out, measure on these, and save the bundle. Goes on where it was killed.

    Raises ValueError where fewer than ``LEAST_PATIENTS`` patients have an exam with diffusion and a mask.
    """
    chosen = chosen or SegmenterSettings()
    cut = SegmenterCut(chosen.size.spacing)
    prepared = prepare(cohort, usable(cohort, PURPOSES["segmenter"]), cut, Preparing(settings.workers, progress))
    patients = [one for one in prepared if one.exams]
    if len(patients) < LEAST_PATIENTS:
        reasons = "; ".join(f"{one.patient.patient_id}: {one.refusal}" for one in prepared if one.refusal)
        raise ValueError(f"{len(patients)} patients can be learnt from, {LEAST_PATIENTS} are needed ({reasons})")
    split = split_of(patients, chosen, settings.seed)
    keep = Kept.beside(out)
    with fixed_random_state(settings.seed, settings.threads):
        job = _job(split, chosen, settings, cohort)
        fitted = fit(job, Run(settings.device, keep, progress))
        metrics = _measure(fitted.network, split.held_out, chosen.size, settings.device, progress)
    training = provenance(patients, prepared, split.folds, settings) | _training(split, fitted, chosen)
    manifest = _manifest(cohort, patients, settings, chosen, metrics, training)
    bundle = save_bundle(out, manifest, {"network": stored_weights(fitted.network)})
    keep.remove()
    return bundle


def split_of(patients: Sequence[PreparedPatient], chosen: SegmenterSettings, seed: int) -> Split:
    """One patient in ``held_out`` measures; of the others a few say which epoch is best; the rest trains."""
    people = [one.patient for one in patients]
    folds = patient_folds(people, _strata(people), min(chosen.held_out, len(people)), seed)
    learning = [one for one, fold in zip(patients, folds, strict=True) if fold != 0]
    told = [one.patient for one in learning]
    train, stopping = inner_split(told, _strata(told), chosen.stopping, seed)
    return Split(
        train=_exams([learning[row] for row in train]),
        stopping=_exams([learning[row] for row in stopping]),
        held_out=_exams([one for one, fold in zip(patients, folds, strict=True) if fold == 0]),
        folds=folds,
    )


def _strata(patients: Sequence[CohortPatient]) -> list[bool | None]:
    """Good responders have small tumours after therapy: both parts should know them."""
    return [patient.good_response for patient in patients]


def _exams(patients: Sequence[PreparedPatient]) -> tuple[Timed, ...]:
    return tuple((when, SegmenterExam.of(entry)) for one in patients for when, entry in one.exams.items())


class Patches:
    """Random patches: the first ``patches`` rows draw from the training exams, each later row has an exam of its own.

    Channels (n, 3, *window) and masks (n, 1, *window), float32.
    """

    def __init__(self, train: Sequence[Timed], stopping: Sequence[Timed], chosen: SegmenterSettings) -> None:
        self._train = {when: [exam for timed, exam in train if timed is when] for when in TimePoint}
        self._stopping = [exam for _, exam in stopping]
        self._chosen = chosen

    def __len__(self) -> int:
        return self._chosen.patches + len(self._stopping)

    def batch(self, rows: torch.Tensor, generator: torch.Generator, augment: bool) -> tuple[torch.Tensor, torch.Tensor]:
        drawn = int(torch.randint(2**31, (1,), generator=generator)) if augment else None
        cut = []
        for place, row in enumerate(rows.tolist()):
            rng = np.random.default_rng([row] if drawn is None else [drawn, place])
            cut.append(random_patch(self._exam(row, rng), self._chosen.size.window, rng))
        both = torch.from_numpy(np.stack(cut))
        if not augment:
            return both[:, :3], both[:, 3:]
        both = turned(both, 15.0, 0.15, generator)
        images, masks = both[:, :3], (both[:, 3:] > 0.5).float()
        return mapped(weighted(images, (0, 1), generator), 2, generator), masks

    def _exam(self, row: int, rng: Generator) -> SegmenterExam:
        if row >= self._chosen.patches:
            return self._stopping[row - self._chosen.patches]
        after = self._train[TimePoint.RESTAGING] and rng.random() < self._chosen.after_therapy
        exams = self._train[TimePoint.RESTAGING if after or not self._train[TimePoint.BASELINE] else TimePoint.BASELINE]
        return exams[int(rng.integers(len(exams)))]


def random_patch(exam: SegmenterExam, window: tuple[int, int, int], rng: Generator) -> NDArray[np.float32]:
    """Channels and mask (4, *window): around a tumour voxel three times in four, else anywhere; zeros beyond."""
    shape, size = np.array(exam.mask.shape), np.array(window)
    inside = np.argwhere(exam.mask)
    if len(inside) and rng.random() < POSITIVE_SHARE:
        reach = size // 4
        centre = inside[int(rng.integers(len(inside)))] + rng.integers(-reach, reach + 1) * np.array([0, 1, 1])
    else:
        centre = rng.integers(0, shape)
    start = np.clip(centre - size // 2, 0, np.maximum(shape - size, 0))
    where = tuple(slice(int(first), int(first) + int(length)) for first, length in zip(start, size, strict=True))
    cut = np.concatenate([exam.channels[:, *where], exam.mask[None, *where]]).astype(np.float32)
    padding = [(0, 0), *[(0, int(length) - have) for length, have in zip(size, cut.shape[1:], strict=True)]]
    return np.pad(cut, padding)


def _job(split: Split, chosen: SegmenterSettings, settings: TrainingSettings, cohort: Cohort) -> Job:
    examples = Patches(split.train, split.stopping, chosen)
    return Job(
        name=f"segmenter {cohort.digest[:8]}",  # the cohort's: rows alone do not tell which exams they draw from
        network=segmenter_network(chosen.size),
        examples=examples,
        rows=Rows(torch.arange(chosen.patches), torch.arange(chosen.patches, len(examples))),
        loss=DiceCELoss(sigmoid=True, batch=True),
        recipe=chosen.recipe,
        seed=settings.seed,
    )


def _measure(
    network: torch.nn.Module, exams: Sequence[Timed], size: SegmenterSize, device: str, progress: Progress
) -> dict[str, float]:
    """Mean Dice coefficient of held-out exams on their T2 grids, per time point."""
    scores: dict[TimePoint, list[float]] = {time_point: [] for time_point in TimePoint}
    network.to(device)
    for done, (time_point, exam) in enumerate(exams, start=1):
        probability = tumour_probability(network, size, exam.channels.astype(np.float32), torch.device(device))
        scores[time_point].append(dice(outline(probability, exam.grid, exam.t2, 0.5), exam.truth))
        progress("measuring the segmenter", done, len(exams))
    metrics = {f"held_out_dice_{time_point}": float(np.mean(values)) for time_point, values in scores.items() if values}
    return metrics | {"held_out_exams": float(len(exams))}


def _training(split: Split, fitted: Fitted, chosen: SegmenterSettings) -> dict[str, Any]:
    return {
        "settings": asdict(chosen),
        "held_out_patients": int((split.folds == 0).sum()),
        "stopping_exams": len(split.stopping),
        "curves": compact({"segmenter": fitted}),
    }


def _manifest(
    cohort: Cohort,
    patients: Sequence[PreparedPatient],
    settings: TrainingSettings,
    chosen: SegmenterSettings,
    metrics: Mapping[str, float],
    training: Mapping[str, Any],
) -> Manifest:
    exams = [exam for _, exam in _exams(patients)]
    smallest = float(np.quantile([exam.volume_cm3 for exam in exams if exam.truth.any()], 0.01))
    return Manifest(
        system="segmenter",
        name="restage-segmenter",
        version=settings.version,
        outcome="tumour mask",
        intended_use=INTENDED_USE,
        limits=LIMITS,
        phantom_trained=cohort.simulated,
        cohort=cohort_words(cohort, patients),
        cohort_digest=cohort.digest,
        inputs=("axial T2", "DWI with at least two b-values up to 1100 s/mm²"),
        preprocessing={"in_plane_mm": chosen.size.spacing, "weighted": "2 × foreground median", "adc": 3.5},
        network=chosen.size.as_json(),
        thresholds={"probability": 0.5, "min_volume_cm3": round(max(0.1, 0.5 * smallest), 2)},
        envelope=fit_envelope([exam.facts for exam in exams], of_mask=False),
        metrics=metrics,
        training=training,
    )
