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
from numpy.typing import NDArray

from pipelines.bundle import Bundle, Manifest, save_bundle
from pipelines.contract import GOOD_RESPONSE, TimePoint
from pipelines.envelope import fit_envelope
from pipelines.features import pair_features
from pipelines.systems import signature_inputs
from pipelines.systems.final_stage import fit_with_refits, out_of_fold
from pipelines.systems.signature_svm import with_changes
from pipelines.training.cohort import Cohort
from pipelines.training.folds import folds_digest, patient_folds
from pipelines.training.metrics import cut_offs, discrimination
from pipelines.training.prepare import PreparedPatient, cohort_words
from pipelines.training.settings import Progress, TrainingSettings, fixed_random_state
from pipelines.training.signature_networks import Signatures, complete, enough, outcomes, train_networks

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


@dataclass(frozen=True)
class Stages:
    """The final stage of each model: estimators for the bundle, description, out-of-fold figures, cut-offs."""

    estimators: Mapping[str, Mapping[str, Any]]
    described: Mapping[str, Any]
    metrics: Mapping[str, Any]
    thresholds: Mapping[str, Any]


def train_signature_svm(
    cohort: Cohort,
    patients: Sequence[PreparedPatient],
    out: Path,
    settings: TrainingSettings,
    progress: Progress,
) -> Bundle:
    """Train networks and final stages on the usable patients of a cohort and save the bundle.

    A model whose sequences too few patients have is left out.
    """
    usable = [patient for patient in patients if not patient.refusal]
    folds = patient_folds([p.patient for p in usable], settings.signature.folds, settings.seed)
    with fixed_random_state(settings.seed, settings.threads):
        trained = train_networks(usable, folds, settings, progress)
    stages = _fit_stages(usable, trained.signatures, folds, settings, progress)
    training = _training(usable, patients, folds, settings)
    manifest = _manifest(cohort, usable, settings, stages, training)
    return save_bundle(out, manifest, {"networks": trained.weights}, stages.estimators)


def _fit_stages(
    usable: Sequence[PreparedPatient],
    signatures: Signatures,
    folds: NDArray[np.intp],
    settings: TrainingSettings,
    progress: Progress,
) -> Stages:
    labels = outcomes(usable)
    estimators, described, metrics, thresholds = {}, {}, {}, {}
    for done, (name, sequences) in enumerate(VARIANTS.items(), start=1):
        rows = complete(usable, sequences)
        if enough(labels[rows], settings.signature.folds):
            names, features = final_features(usable, signatures, sequences)
            stage = fit_with_refits(features[rows], labels[rows], settings.seed, settings.signature.refits)
            estimators[name] = stage.estimators()
            chosen = {"features": list(names), "chosen": stage.chosen}
            described[name] = {"sequences": [str(s) for s in sequences]} | chosen
            metrics[name], held_out = _figures(usable, features, names, rows, folds, settings.seed)
            thresholds[name] = cut_offs(labels[rows], held_out)
        progress("fitting the final stages", done, len(VARIANTS))
    return Stages(estimators, described, metrics, thresholds)


def _manifest(
    cohort: Cohort,
    usable: Sequence[PreparedPatient],
    settings: TrainingSettings,
    stages: Stages,
    training: Mapping[str, Any],
) -> Manifest:
    size = {"size": settings.signature.size.as_json(), "folds": settings.signature.folds}
    return Manifest(
        system="signature_svm",
        name="restage-signature-svm",
        version=settings.version,
        outcome=GOOD_RESPONSE,
        intended_use=INTENDED_USE,
        limits=LIMITS,
        phantom_trained=cohort.simulated,
        cohort=cohort_words(cohort, usable),
        cohort_digest=cohort.digest,
        inputs=(
            "axial T2 and DWI before and after therapy; b-values up to 1100 s/mm²: two, three where curvature is used",
            "contrast-enhanced T1 before and after therapy: optional, another model is used without",
            "a tumour mask on both exams",
        ),
        preprocessing={"crop": settings.signature.rule.as_json(), "weighted": "0–255 of the volume", "adc": 3.5},
        network=size | {"variants": stages.described},
        thresholds=stages.thresholds,
        envelope=fit_envelope([exam.facts for patient in usable for exam in patient.exams.values()]),
        metrics=stages.metrics,
        training=training,
    )


def final_features(
    patients: Sequence[PreparedPatient], signatures: Signatures, sequences: Sequence[signature_inputs.Sequence]
) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """Names and values (patients, views, names) of the final stage's inputs: signatures, changes, measured features."""
    named = with_changes(signatures, sequences)
    measured = [_measured(patient) for patient in patients]
    kept = [name for name in MEASURED if all(name in view for views in measured for view in views)]
    named |= {name: np.array([[view[name] for view in views] for views in measured]) for name in kept}
    return tuple(named), np.stack(list(named.values()), axis=2)


def _measured(patient: PreparedPatient) -> list[dict[str, float]]:
    """The pair's features in each view."""
    pairs = zip(*(patient.exams[time_point].views for time_point in TimePoint), strict=True)
    return [pair_features(before.features, after.features) for before, after in pairs]


def _figures(
    patients: Sequence[PreparedPatient],
    features: NDArray[np.float64],
    names: Sequence[str],
    rows: NDArray[np.bool_],
    folds: NDArray[np.intp],
    seed: int,
) -> tuple[dict[str, Any], NDArray[np.float64]]:
    """Out-of-fold figures of signatures alone (FDL), measured features alone, and both; the latter's probabilities.

    In the mask as drawn; for both together also in the disturbed masks, where there are any.
    """
    labels = outcomes(patients)[rows]
    known = [p.patient.true_probability for p in patients]
    true = np.array(known, dtype=np.float64)[rows] if all(p is not None for p in known) else None
    is_measured = np.array([name in MEASURED for name in names])
    choices = {"FDL": ~is_measured, "measured": is_measured, "FDL+measured": np.ones(len(names), dtype=bool)}
    figures: dict[str, Any] = {"patients": int(rows.sum()), "good_responses": int(labels.sum())}
    for name, chosen in choices.items():
        probability = out_of_fold(features[rows][..., chosen], labels, folds[rows], seed)
        figures[name] = discrimination(labels, probability[:, 0], true)
    if probability.shape[1] > 1:
        figures["FDL+measured, disturbed masks"] = discrimination(labels, probability[:, 1], true)
    return figures, probability[:, 0]


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
