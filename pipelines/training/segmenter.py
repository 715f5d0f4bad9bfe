"""Training of the tumour segmenter on prepared exams."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.inferers.utils import sliding_window_inference
from monai.losses.dice import DiceCELoss
from numpy.random import Generator

from pipelines.bundle import Bundle, Manifest, save_bundle
from pipelines.contract import MaskArray, TimePoint
from pipelines.envelope import fit_envelope
from pipelines.segment import largest_region, segmenter_network, stored_weights
from pipelines.training.augment import mapped, turned, weighted
from pipelines.training.cohort import Cohort
from pipelines.training.folds import folds_digest, patient_folds
from pipelines.training.prepare import PreparedExam, PreparedPatient, cohort_words
from pipelines.training.settings import Progress, SegmenterSettings, TrainingSettings, fixed_random_state

INTENDED_USE = "Outlines the primary rectal tumour on axial T2-weighted MRI, before or after therapy. Research only."
LIMITS = (
    "Not checked on patients unless the training cohort says so; a mask after therapy is uncertain even between "
    "readers. A reader's mask always wins."
)
POSITIVE_SHARE = 0.75


@dataclass(frozen=True)
class Split:
    train: tuple[PreparedExam, ...]
    held_out: tuple[tuple[TimePoint, PreparedExam], ...]


def train_segmenter(
    cohort: Cohort,
    patients: Sequence[PreparedPatient],
    out: Path,
    settings: TrainingSettings,
    progress: Progress,
) -> Bundle:
    """Train on all patients but one in ``held_out``, measure on those, and save the bundle."""
    usable = [patient for patient in patients if not patient.refusal]
    folds = patient_folds([p.patient for p in usable], settings.segmenter.held_out, settings.seed)
    pairs = list(zip(usable, folds, strict=True))
    split = Split(
        train=tuple(exam for patient, fold in pairs if fold != 0 for exam in patient.exams.values()),
        held_out=tuple(item for patient, fold in pairs if fold == 0 for item in patient.exams.items()),
    )
    with fixed_random_state(settings.seed, settings.threads):
        network = _fit(split.train, settings, progress)
        metrics = _measure(network, split.held_out, settings, progress)
    training = {
        "seed": settings.seed,
        "threads": settings.threads,
        "device": settings.device,
        "settings": asdict(settings.segmenter),
        "patients": len(usable),
        "held_out_patients": int((folds == 0).sum()),
        "folds_sha256": folds_digest([p.patient for p in usable], folds),
        "left_out": [f"{p.patient.patient_id}: {p.refusal}" for p in patients if p.refusal],
    }
    manifest = _manifest(cohort, usable, settings, metrics, training)
    return save_bundle(out, manifest, {"network": stored_weights(network)}, {})


def _manifest(
    cohort: Cohort,
    usable: Sequence[PreparedPatient],
    settings: TrainingSettings,
    metrics: dict[str, float],
    training: dict[str, Any],
) -> Manifest:
    exams = [exam for patient in usable for exam in patient.exams.values()]
    smallest = float(np.quantile([np.exp(exam.views[0].features["log_volume"]) for exam in exams], 0.01))
    return Manifest(
        system="segmenter",
        name="restage-segmenter",
        version=settings.version,
        outcome="tumour mask",
        intended_use=INTENDED_USE,
        limits=LIMITS,
        phantom_trained=cohort.simulated,
        cohort=cohort_words(cohort, usable),
        cohort_digest=cohort.digest,
        inputs=("axial T2", "DWI with at least two b-values up to 1100 s/mm²"),
        preprocessing={"in_plane_mm": settings.segmenter.size.spacing, "weighted": "2 × foreground median", "adc": 3.5},
        network=settings.segmenter.size.as_json(),
        thresholds={"probability": 0.5, "min_volume_cm3": round(max(0.1, 0.5 * smallest), 2)},
        envelope=fit_envelope([exam.facts for exam in exams], of_mask=False),
        metrics=metrics,
        training=training,
    )


def _fit(exams: Sequence[PreparedExam], settings: TrainingSettings, progress: Progress) -> torch.nn.Module:
    chosen = settings.segmenter
    network = segmenter_network(chosen.size).to(settings.device).train()
    optimiser = torch.optim.AdamW(network.parameters(), lr=chosen.learning_rate, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, chosen.learning_rate, total_steps=chosen.steps)
    loss_of = DiceCELoss(sigmoid=True, batch=True)
    rng = np.random.default_rng(settings.seed)
    generator = torch.Generator().manual_seed(settings.seed)
    for step in range(chosen.steps):
        images, masks = _batch(exams, chosen, rng, generator)
        optimiser.zero_grad()
        loss = loss_of(network(images.to(settings.device)), masks.to(settings.device))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimiser.step()
        schedule.step()
        progress("training the segmenter", step + 1, chosen.steps)
    return network.eval()


def _batch(
    exams: Sequence[PreparedExam], chosen: SegmenterSettings, rng: Generator, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Random patches (batch, 3, …) and their masks (batch, 1, …), augmented together."""
    drawn = [_patch(exams[int(rng.integers(len(exams)))], chosen.patch, rng) for _ in range(chosen.batch)]
    both = turned(torch.from_numpy(np.stack(drawn)), 15.0, 0.15, generator)
    images, masks = both[:, :3], (both[:, 3:] > 0.5).float()
    return mapped(weighted(images, (0, 1), generator), 2, generator), masks


def _patch(exam: PreparedExam, patch: tuple[int, int, int], rng: Generator) -> np.ndarray[Any, Any]:
    """Channels and mask, float32 (4, *patch): around a tumour voxel three times in four, else anywhere."""
    shape = np.array(exam.mask.shape)
    inside = np.argwhere(exam.mask)
    if len(inside) and rng.random() < POSITIVE_SHARE:
        centre = inside[int(rng.integers(len(inside)))] + rng.integers(-8, 9, 3) * np.array([0, 1, 1])
    else:
        centre = rng.integers(0, shape)
    start = np.clip(centre - np.array(patch) // 2, 0, np.maximum(shape - np.array(patch), 0))
    where = tuple(slice(int(first), int(first) + size) for first, size in zip(start, patch, strict=True))
    cut = np.concatenate([exam.channels[:, *where], exam.mask[None, *where]]).astype(np.float32)
    padding = [(0, 0), *[(0, size - have) for size, have in zip(patch, cut.shape[1:], strict=True)]]
    return np.pad(cut, padding)


def _measure(
    network: torch.nn.Module,
    exams: Sequence[tuple[TimePoint, PreparedExam]],
    settings: TrainingSettings,
    progress: Progress,
) -> dict[str, float]:
    """Mean Dice coefficient of held-out exams on the network's grid, per time point, and the share found at all."""
    scores: dict[TimePoint, list[float]] = {time_point: [] for time_point in TimePoint}
    for done, (time_point, exam) in enumerate(exams, start=1):
        channels = torch.from_numpy(exam.channels.astype(np.float32))[None].to(settings.device)
        with torch.inference_mode():
            logits = sliding_window_inference(
                channels, settings.segmenter.size.window, 1, network, overlap=0.25, mode="gaussian"
            )
        probability = torch.sigmoid(torch.as_tensor(logits))[0, 0].cpu().numpy()
        scores[time_point].append(dice(largest_region(probability, 0.5), exam.mask))
        progress("measuring the segmenter", done, len(exams))
    metrics = {f"held_out_dice_{time_point}": float(np.mean(values)) for time_point, values in scores.items() if values}
    return metrics | {"held_out_exams": float(len(exams))}


def dice(found: MaskArray, truth: MaskArray) -> float:
    """Dice coefficient 2|A ∩ B| / (|A| + |B|); 1 where both are empty (Dice 1945)."""
    total = int(found.sum()) + int(truth.sum())
    return 2.0 * int((found & truth).sum()) / total if total else 1.0
