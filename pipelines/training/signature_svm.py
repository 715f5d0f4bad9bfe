"""Training of system 1: out-of-fold signatures, then the final stage on them.

Each network is trained on the other folds' patients, so that the signature of a patient never comes from a network
that saw it. (The paper's machine seems to see in-sample probabilities; ``SYSTEMS.md`` says why this differs.) The
reported figures come from the same patient folds: scaler, C, γ and calibration are fitted without the fold's patients.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import binary_cross_entropy_with_logits

from pipelines.bundle import Bundle, Manifest, save_bundle
from pipelines.contract import FloatArray, TimePoint
from pipelines.envelope import fit_envelope
from pipelines.features import pair_features
from pipelines.systems import signature_inputs
from pipelines.systems.final_stage import fit_with_refits, out_of_fold
from pipelines.systems.signature_inputs import CHANNELS
from pipelines.systems.signature_network import signature_network
from pipelines.systems.signature_svm import OUTCOME, signature_name, with_changes
from pipelines.training.augment import mapped, turned, weighted
from pipelines.training.cohort import Cohort
from pipelines.training.folds import folds_digest, patient_folds
from pipelines.training.metrics import cut_offs, discrimination
from pipelines.training.prepare import PreparedPatient
from pipelines.training.settings import Progress, SignatureSettings, TrainingSettings, fixed_random_state

T2, DWI, CE_T1 = signature_inputs.Sequence.T2, signature_inputs.Sequence.DWI, signature_inputs.Sequence.CE_T1
VARIANTS: Mapping[str, tuple[signature_inputs.Sequence, ...]] = {
    "ce_t1_t2_dwi": (CE_T1, T2, DWI),
    "t2_dwi": (T2, DWI),
}
MEASURED = (
    "pre_adc_mean",
    "pre_log_volume",
    "pre_t2_spread",
    "post_adc_mean",
    "post_slope",
    "post_curvature",
    "post_log_volume",
    "post_thickness",
    "post_t2_median",
    "post_t2_dark_share",
    "post_t2_skewness",
    "post_dwi_ratio",
    "change_adc_mean",
    "change_log_volume",
)
INTENDED_USE = (
    "Probability of good response (AJCC TRG 0–1) to neoadjuvant therapy of rectal adenocarcinoma, from MRI before and "
    "after therapy. Research only."
)
LIMITS = (
    "Not a diagnosis and not checked on patients unless the training cohort says so. Not for mucinous or signet-ring "
    "tumours, nor for other treatments than the cohort's. Depends on the tumour masks."
)

Signatures = Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Trained:
    """Networks of every signature and fold as tensors, and the out-of-fold signatures (NaN: sequence missing)."""

    weights: Mapping[str, torch.Tensor]
    signatures: Signatures


def train_signature_svm(
    cohort: Cohort,
    patients: Sequence[PreparedPatient],
    out: Path,
    settings: TrainingSettings,
    progress: Progress,
) -> Bundle:
    """Train networks and final stages on the usable patients of a cohort and save the bundle."""
    usable = [patient for patient in patients if not patient.refusal]
    folds = patient_folds([p.patient for p in usable], settings.signature.folds, settings.seed)
    labels = np.array([p.patient.good_response for p in usable])
    with fixed_random_state(settings.seed, settings.threads):
        trained = _train_networks(usable, labels, folds, settings, progress)
    fitted, described, metrics, thresholds = {}, {}, {}, {}
    for done, (name, sequences) in enumerate(VARIANTS.items(), start=1):
        rows = _complete(usable, sequences)
        names, features = final_features(usable, trained.signatures, sequences)
        stage = fit_with_refits(features[rows], labels[rows], settings.seed, settings.signature.refits)
        fitted[name] = stage.estimators()
        described[name] = {"sequences": [str(s) for s in sequences], "features": list(names), "chosen": stage.chosen}
        metrics[name], held_out = _figures(usable, features, names, rows, folds, settings.seed)
        thresholds[name] = cut_offs(labels[rows], held_out)
        progress("fitting the final stages", done, len(VARIANTS))
    training = _training(usable, patients, folds, settings)
    network = {"size": settings.signature.size.as_json(), "folds": settings.signature.folds, "variants": described}
    manifest = Manifest(
        system="signature_svm",
        name="restage-signature-svm",
        version=settings.version,
        outcome=OUTCOME,
        intended_use=INTENDED_USE,
        limits=LIMITS,
        phantom_trained=cohort.simulated,
        cohort=_cohort_words(cohort, usable),
        cohort_digest=cohort.digest,
        inputs=(
            "axial T2 and DWI (three b-values up to 1100 s/mm²) before and after therapy",
            "contrast-enhanced T1: optional",
            "a tumour mask on both",
        ),
        preprocessing={"crop": settings.signature.rule.as_json(), "weighted": "0–255 of the volume", "adc": 3.5},
        network=network,
        thresholds=thresholds,
        envelope=fit_envelope([exam.facts for patient in usable for exam in patient.exams.values()]),
        metrics=metrics,
        training=training,
    )
    return save_bundle(out, manifest, {"networks": trained.weights}, fitted)


def final_features(
    patients: Sequence[PreparedPatient], signatures: Signatures, sequences: Sequence[signature_inputs.Sequence]
) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """Names and values (patients, names) of what the final stage sees: signatures, changes, measured features."""
    named = with_changes(signatures, sequences)
    measured = [
        pair_features(p.exams[TimePoint.BASELINE].features, p.exams[TimePoint.RESTAGING].features) for p in patients
    ]
    kept = [name for name in MEASURED if all(name in row for row in measured)]
    named |= {name: np.array([row[name] for row in measured]) for name in kept}
    return tuple(named), np.stack(list(named.values()), axis=1)


def _complete(patients: Sequence[PreparedPatient], sequences: Sequence[signature_inputs.Sequence]) -> NDArray[np.bool_]:
    """Which patients have all the sequences at both time points."""
    return np.array([all(str(s) in exam.crops for s in sequences for exam in p.exams.values()) for p in patients])


def _figures(
    patients: Sequence[PreparedPatient],
    features: NDArray[np.float64],
    names: Sequence[str],
    rows: NDArray[np.bool_],
    folds: NDArray[np.intp],
    seed: int,
) -> tuple[dict[str, Any], NDArray[np.float64]]:
    """Out-of-fold figures of signatures alone (FDL), measured features alone, and both; the latter's probabilities."""
    labels = np.array([p.patient.good_response for p in patients])[rows]
    known = [p.patient.true_probability for p in patients]
    true = np.array(known, dtype=np.float64)[rows] if all(p is not None for p in known) else None
    is_measured = np.array([name in MEASURED for name in names])
    choices = {"FDL": ~is_measured, "measured": is_measured, "FDL+measured": np.ones(len(names), dtype=bool)}
    figures: dict[str, Any] = {"patients": int(rows.sum()), "good_responses": int(labels.sum())}
    for name, chosen in choices.items():
        probability = out_of_fold(features[rows][:, chosen], labels, folds[rows], seed)
        figures[name] = discrimination(labels, probability, true)
    return figures, probability


def _training(
    usable: Sequence[PreparedPatient],
    patients: Sequence[PreparedPatient],
    folds: NDArray[np.intp],
    settings: TrainingSettings,
) -> dict[str, Any]:
    return {
        "seed": settings.seed,
        "threads": settings.threads,
        "device": settings.device,
        "settings": asdict(settings.signature),
        "patients": len(usable),
        "folds_sha256": folds_digest([p.patient for p in usable], folds),
        "left_out": [f"{p.patient.patient_id}: {p.refusal}" for p in patients if p.refusal],
        "figures": "out of fold: networks, scaler, C, gamma and calibration never saw the patient; the signatures the "
        "final stage learns from come from networks that saw the other folds",
    }


def _cohort_words(cohort: Cohort, usable: Sequence[PreparedPatient]) -> str:
    source = "simulated cohort (restage phantom)" if cohort.simulated else "cohort"
    return f"{source}, {len(usable)} patients, {len({p.patient.site for p in usable})} sites"


def _train_networks(
    patients: Sequence[PreparedPatient],
    labels: NDArray[np.bool_],
    folds: NDArray[np.intp],
    settings: TrainingSettings,
    progress: Progress,
) -> Trained:
    weights: dict[str, torch.Tensor] = {}
    signatures: dict[str, NDArray[np.float64]] = {}
    count = settings.signature.folds
    jobs = [(time_point, s) for s in signature_inputs.Sequence for time_point in TimePoint]
    for index, (time_point, sequence) in enumerate(jobs):
        name = signature_name(time_point, sequence)
        rows = np.flatnonzero(_complete(patients, (sequence,)))
        signatures[name] = np.full(len(patients), np.nan)
        if len(rows) < 2 * count or len(np.unique(labels[rows])) < 2:
            continue
        crops = np.stack([patients[int(i)].exams[time_point].crops[str(sequence)] for i in rows]).astype(np.float32)
        for fold in range(count):
            apart = folds[rows] == fold
            seed = settings.seed + 1000 * index + fold
            network = fit_signature(crops[~apart], labels[rows][~apart], sequence, seed, settings)
            signatures[name][rows[apart]] = predict(network, crops[apart], settings.device)
            weights |= {f"{name}.{fold}.{key}": _stored(value) for key, value in network.state_dict().items()}
            progress("training signatures", index * count + fold + 1, len(jobs) * count)
    return Trained(weights, signatures)


def fit_signature(
    crops: FloatArray,
    labels: NDArray[np.bool_],
    sequence: signature_inputs.Sequence,
    seed: int,
    settings: TrainingSettings,
) -> torch.nn.Module:
    """One signature network, trained on crops (patients, channels, pixels, pixels) for a fixed number of epochs."""
    chosen = settings.signature
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    network = signature_network(chosen.size, crops.shape[1]).to(settings.device).train()
    optimiser = torch.optim.AdamW(network.parameters(), chosen.learning_rate, weight_decay=chosen.weight_decay)
    images, targets = torch.from_numpy(crops), torch.from_numpy(labels.astype(np.float32))
    steps = _batches(len(labels), chosen, generator)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, chosen.learning_rate, total_steps=len(steps))
    for drawn in steps:
        batch = _augmented(images[drawn], sequence, generator).to(settings.device)
        optimiser.zero_grad()
        loss = binary_cross_entropy_with_logits(network(batch)[:, 0], targets[drawn].to(settings.device))
        loss.backward()
        optimiser.step()
        schedule.step()
    return network.eval()


def predict(network: torch.nn.Module, crops: FloatArray, device: str) -> NDArray[np.float64]:
    """Signatures (patients,) of crops (patients, channels, pixels, pixels)."""
    with torch.inference_mode():
        logits = network(torch.from_numpy(crops).to(device))[:, 0]
    return torch.sigmoid(logits).cpu().numpy().astype(np.float64)


def _batches(count: int, chosen: SignatureSettings, generator: torch.Generator) -> list[torch.Tensor]:
    """Row indices of every step: each epoch a new order; a last batch of one patient is left out (batch norm)."""
    epochs = [torch.randperm(count, generator=generator).split(chosen.batch) for _ in range(chosen.epochs)]
    return [batch for epoch in epochs for batch in epoch if len(batch) > 1]


def _augmented(batch: torch.Tensor, sequence: signature_inputs.Sequence, generator: torch.Generator) -> torch.Tensor:
    channel = {name: index for index, name in enumerate(CHANNELS[sequence])}
    changed = weighted(turned(batch, 15.0, 0.1, generator), (channel["image"],), generator)
    if "adc" in channel:
        changed = mapped(changed, channel["adc"], generator)
    if "tumour" in channel:
        changed[:, channel["tumour"]] = changed[:, channel["image"]] * changed[:, channel["mask"]]
    return changed


def _stored(value: torch.Tensor) -> torch.Tensor:
    """Half precision on disk; the rounding (0.05 %) is far below what a refit changes."""
    return value.detach().cpu().half() if value.is_floating_point() else value.detach().cpu()
