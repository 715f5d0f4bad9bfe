"""Training of system 1: out-of-fold signatures, then the machines on them.

Each network is trained on the other folds' patients, so that the signature of a patient never comes from a network
that saw it. (The paper's machine seems to see in-sample probabilities, which promise more than new patients keep;
``paper_mode`` does it the paper's way.) The reported figures come from the same patient folds: clinical selection,
scaler, C, γ and calibration are fitted without the fold's patients.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.bundle import Bundle, Manifest, save_bundle
from pipelines.cohort.cohort import Cohort
from pipelines.cohort.cut import PreparedPatient
from pipelines.cohort.folds import patient_folds
from pipelines.cohort.prepare import Preparing, prepare
from pipelines.cohort.purpose import PURPOSES, problems, usable
from pipelines.cohort.read import FILE, CohortError
from pipelines.contract import GOOD_RESPONSE
from pipelines.envelope import fit_envelope
from pipelines.systems.final_stage import INNER_FOLDS
from pipelines.systems.signature_bundle import NETWORKS, STAGES, Described, packed
from pipelines.systems.signature_cut import SignatureCut
from pipelines.systems.signature_models import MEASURED, variants
from pipelines.systems.signature_table import Table, table_of
from pipelines.training.curves import compact
from pipelines.training.fit import Run
from pipelines.training.imagenet import read_checkpoint, words_of
from pipelines.training.kept import Kept
from pipelines.training.provenance import cohort_words, provenance
from pipelines.training.responders import demand_enough
from pipelines.training.settings import Progress, TrainingSettings, fixed_random_state
from pipelines.training.signature_networks import Labels, Plan, TrainedNetworks, train_networks
from pipelines.training.signature_settings import SignatureSettings, signature_settings
from pipelines.training.signature_stages import Learning, Stages, fit_stages, truth_of

PURPOSE = PURPOSES["signature_svm"]
INTENDED_USE = (
    "Probability of good response (AJCC TRG 0–1) to neoadjuvant therapy of rectal adenocarcinoma, from MRI before and "
    "after therapy. Research only."
)
LIMITS = (
    "Not a diagnosis and not checked on patients unless the training cohort says so. Not for mucinous or signet-ring "
    "tumours, nor for other treatments than the cohort's. Depends on the tumour masks."
)
OUT_OF_FOLD = (
    "out of fold: networks, clinical selection, scaler, C, gamma and calibration never saw the patient; the signatures "
    "that the machines learn from come from networks that saw the other folds"
)
IN_SAMPLE = "in sample, as the paper seems to do it: the networks saw every patient; these figures promise too much"
How = tuple[TrainingSettings, SignatureSettings]


def train_signature_svm(cohort: Cohort, out: Path, settings: TrainingSettings, progress: Progress) -> Bundle:
    """Prepare the cohort's exams, train, and write the bundle to ``out``.

    Raises
    ------
    CohortError
        Where the cohort does not suit the purpose, or too few patients with either outcome can be used.
    """
    found = problems(cohort, PURPOSE)
    if found:
        raise CohortError(cohort.folder / FILE, found)
    own = signature_settings(settings)
    cut = SignatureCut(own.rule, own.views)
    run = Preparing(settings.workers, progress, beds=True)
    prepared = prepare(cohort, usable(cohort, PURPOSE), cut, run)
    return train_prepared(cohort, prepared, out, (settings, own), progress)


def train_prepared(
    cohort: Cohort, prepared: Sequence[PreparedPatient], out: Path, how: How, progress: Progress
) -> Bundle:
    """Train on prepared patients and write the bundle; those refused are named in it.

    A model whose inputs too few patients have is left out.
    """
    settings, own = how
    patients = [patient for patient in prepared if not patient.refusal]
    labels = outcomes(patients)
    demand_enough(cohort, prepared, labels, PURPOSE, (own.folds, INNER_FOLDS))
    people = [p.patient for p in patients]
    network_folds = patient_folds(people, labels.tolist(), own.folds, settings.seed)
    # The machines are judged out of fold in the paper's way too, where one network has seen everybody.
    folds = network_folds if own.folds > 1 else patient_folds(people, labels.tolist(), INNER_FOLDS, settings.seed)
    keep = Kept.beside(out)
    checkpoint = read_checkpoint(settings.imagenet) if settings.imagenet is not None else None
    with fixed_random_state(settings.seed, settings.threads):
        plan = Plan(labels, network_folds, settings.seed, own, checkpoint)
        networks = train_networks(patients, plan, Run(settings.device, keep, progress))
    table = table_of(networks.signatures, [p.exams for p in patients], [p.patient.record for p in patients], views=True)
    truth = truth_of(cohort.truth, cohort.places(one.patient for one in patients))
    learning = Learning(table, labels, folds, settings.seed, own.refits, truth, own.grid, progress)
    stages = fit_stages(learning, [v for v in variants(_measured(table)) if own.compared or not v.compared_only])
    training = _training(patients, prepared, folds, how, networks) | {"first_weights": words_of(checkpoint)}
    manifest = _manifest(cohort, patients, how, (table, stages), training)
    rows = table.values.reshape(-1, len(table.names))
    bundle = save_bundle(out, manifest, {NETWORKS: networks.weights, STAGES: packed(rows, stages.stages)})
    keep.remove()
    return bundle


def outcomes(patients: Sequence[PreparedPatient]) -> Labels:
    """Good response of each patient; those of a cohort without ``problems`` are all known."""
    return np.array([bool(patient.patient.good_response) for patient in patients], dtype=bool)


def _measured(table: Table) -> tuple[str, ...]:
    """The measured features that every patient has: two b-values give no curvature."""
    return tuple(name for name in MEASURED if table.complete([name]).all())


def _manifest(
    cohort: Cohort,
    patients: Sequence[PreparedPatient],
    how: How,
    made: tuple[Table, Stages],
    training: Mapping[str, Any],
) -> Manifest:
    settings, own = how
    table, stages = made
    return Manifest(
        system="signature_svm",
        name="restage-signature-svm",
        version=settings.version,
        outcome=GOOD_RESPONSE,
        intended_use=INTENDED_USE,
        limits=LIMITS,
        phantom_trained=cohort.simulated,
        cohort=cohort_words(cohort, patients),
        cohort_digest=cohort.digest,
        inputs=(
            "axial T2 and DWI before and after therapy; b-values up to 1100 s/mm²: two, three where curvature is used",
            "contrast-enhanced T1 before and after therapy: optional, another model is used without",
            "a tumour mask on both exams",
            f"clinical values, optional: {', '.join(stages.selection.names) or 'none was selected'}",
        ),
        preprocessing={"crop": own.rule.as_json(), "weighted": "0–255 of the volume", "adc": 3.5},
        network={
            "size": own.size.as_json(),
            "folds": own.folds,
            "table": list(table.names),
            "variants": {key: described.as_json() for key, described in stages.described.items()},
            "chosen": {key: dict(stage.chosen) for key, (stage, _) in stages.stages.items()},
        },
        thresholds={key: _thresholds(described, own) for key, described in stages.described.items()},
        envelope=fit_envelope([exam.described["facts"] for patient in patients for exam in patient.exams.values()]),
        metrics=stages.metrics,
        training={**training, "clinical_selection": stages.selection.as_json()},
    )


def _thresholds(described: Described, own: SignatureSettings) -> dict[str, float]:
    """A coverage is stated where the networks had not seen the patients that the limits come from, not in the paper's
    way."""
    return {name: value for name, value in described.thresholds.items() if own.folds > 1 or name != "coverage"}


def _training(
    patients: Sequence[PreparedPatient],
    prepared: Sequence[PreparedPatient],
    folds: NDArray[np.intp],
    how: How,
    networks: TrainedNetworks,
) -> dict[str, Any]:
    settings, own = how
    return provenance(patients, prepared, folds, settings) | {
        "settings": asdict(own),
        "epochs": dict(networks.epochs),
        "curves": compact(networks.fitted),
        "figures": OUT_OF_FOLD if own.folds > 1 else IN_SAMPLE,
    }
