"""Training of system 2: out-of-fold log odds of the networks, then the final stages on them.

Each network is trained on the other folds' patients, so that what it says of a patient never comes from a network that
saw them. The reported figures come from the same patient folds: scaler, ridge and coefficients are fitted without the
fold's patients.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pipelines.bundle import Bundle, Manifest, Weights, save_bundle
from pipelines.cohort.cohort import Cohort
from pipelines.cohort.cut import PreparedPatient
from pipelines.cohort.folds import patient_folds
from pipelines.cohort.prepare import Preparing, prepare
from pipelines.cohort.purpose import PURPOSES, problems, usable
from pipelines.cohort.read import FILE, CohortError
from pipelines.contract import COMPLETE_RESPONSE
from pipelines.envelope import fit_envelope
from pipelines.phantom.probabilities import Outcome
from pipelines.systems.logistic import INNER_FOLDS
from pipelines.systems.rp_bundle import NETWORKS, STAGES
from pipelines.systems.rp_models import Learnt, models, reading_names
from pipelines.systems.rp_table import Told, table_of
from pipelines.systems.signature_inputs import Sequence as MrSequence
from pipelines.systems.signature_models import MEASURED
from pipelines.systems.signature_table import Table
from pipelines.training.curves import compact
from pipelines.training.fit import Run
from pipelines.training.kept import Kept
from pipelines.training.provenance import cohort_words, provenance
from pipelines.training.responders import demand_enough
from pipelines.training.rp_networks import Plan, TrainedNetworks, size_of, train_networks
from pipelines.training.rp_settings import RpSettings, rp_settings
from pipelines.training.rp_stages import Learning, Stages, fit_stages
from pipelines.training.settings import Progress, TrainingSettings, fixed_random_state
from pipelines.training.signature_examples import LEARNT
from pipelines.training.signature_networks import Labels
from pipelines.training.signature_stages import truth_of

PURPOSE = PURPOSES["rp_net"]
INTENDED_USE = (
    "Probability of pathological complete response (ypT0 ypN0) to neoadjuvant therapy of rectal adenocarcinoma, from "
    "MRI before and after therapy; support for a reader, never a decision alone. Research only."
)
LIMITS = (
    "Not a diagnosis and not checked on patients unless the training cohort says so. Not for mucinous or signet-ring "
    "tumours, nor for other treatments than the cohort's. A tumour mask on each exam says where to look; the outlines "
    "that the networks draw themselves are no measurement."
)
OUT_OF_FOLD = (
    "out of fold: networks, scaler, ridge and coefficients never saw the patient; the log odds that the final stages "
    "learn from come from networks that saw the other folds"
)
WEIGHTED = "logarithm, relative to the exam's tissue"
PAPER_WEIGHTED = "z-score, then 0 to 1, of the foreground"
How = tuple[TrainingSettings, RpSettings]


def train_rp_net(cohort: Cohort, out: Path, settings: TrainingSettings, progress: Progress) -> Bundle:
    """Prepare the cohort's exams, train, and write the bundle to ``out``.

    Raises
    ------
    CohortError
        Where the cohort does not suit the purpose, or too few patients with or without complete response can be used.
    """
    found = problems(cohort, PURPOSE)
    if found:
        raise CohortError(cohort.folder / FILE, found)
    own = rp_settings(settings)
    run = Preparing(settings.workers, progress, beds=True)
    prepared = prepare(cohort, usable(cohort, PURPOSE), own.cut, run)
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
    folds = patient_folds([p.patient for p in patients], labels.tolist(), own.folds, settings.seed)
    keep = Kept.beside(out)
    with fixed_random_state(settings.seed, settings.threads):
        plan = Plan(labels, folds, settings.seed, own)
        networks = train_networks(patients, plan, Run(settings.device, keep, progress))
    learnt = {sequence: LEARNT[sequence] for sequence in networks.logits} if own.feature_weight else {}
    told = _told(networks, learnt, own.views)
    table = table_of(told, [p.exams for p in patients], [p.patient.record for p in patients], views=True)
    truth = truth_of(cohort.truth, cohort.places(one.patient for one in patients), Outcome.COMPLETE_RESPONSE)
    learning = Learning(table, labels, folds, settings.seed, own.refits, truth, own.costs, progress)
    stages = fit_stages(learning, models(_measured(table), learnt))
    training = _training(patients, prepared, folds, how, networks)
    manifest = _manifest(cohort, patients, how, (stages, learnt), training)
    bundle = save_bundle(out, manifest, {NETWORKS: networks.weights, STAGES: _packed(stages)})
    keep.remove()
    return bundle


def outcomes(patients: Sequence[PreparedPatient]) -> Labels:
    """Complete response of each patient; those of a cohort without ``problems`` are all known."""
    return np.array([bool(patient.patient.complete_response) for patient in patients], dtype=bool)


def _measured(table: Table) -> tuple[str, ...]:
    """The measured features that every patient has: two b-values give no curvature."""
    return tuple(name for name in MEASURED if table.complete([name]).all())


def _told(networks: TrainedNetworks, learnt: Learnt, views: int) -> dict[MrSequence, Told]:
    """What the networks say out of fold, the same in every view: they look at the field, not through a mask."""
    names = reading_names(learnt)
    return {
        sequence: Told(
            np.repeat(logit[:, None], views, axis=1),
            np.repeat(networks.readings[sequence][:, None], views, axis=1),
            names.get(sequence, ()),
        )
        for sequence, logit in networks.logits.items()
    }


def _packed(stages: Stages) -> Weights:
    return {
        f"{key}.{name}": torch.from_numpy(np.ascontiguousarray(values))
        for key, stage in stages.stages.items()
        for name, values in stage.stored().items()
    }


def _manifest(
    cohort: Cohort,
    patients: Sequence[PreparedPatient],
    how: How,
    fitted: tuple[Stages, Learnt],
    training: Mapping[str, Any],
) -> Manifest:
    (settings, own), (stages, learnt) = how, fitted
    sizes = {str(sequence): size_of(sequence, own).as_json() for sequence in own.cut.channels}
    return Manifest(
        system="rp_net",
        name="restage-rp-net",
        version=settings.version,
        outcome=COMPLETE_RESPONSE,
        intended_use=INTENDED_USE,
        limits=LIMITS,
        phantom_trained=cohort.simulated,
        cohort=cohort_words(cohort, patients),
        cohort_digest=cohort.digest,
        inputs=(
            "axial T2 and DWI before and after therapy; b-values up to 1100 s/mm²: two, three where curvature is used",
            "contrast-enhanced T1 before and after therapy: optional, another model is used without",
            "a tumour mask on both exams, or where the tumour was",
            "CEA and CA19-9 before therapy: each optional, another model is used without",
        ),
        preprocessing={
            "field": own.rule.as_json(),
            "foreground": own.foreground,
            "weighted": PAPER_WEIGHTED if own.foreground else WEIGHTED,
        },
        network={
            "sizes": sizes,
            "folds": own.folds,
            "learnt": {str(sequence): list(features) for sequence, features in learnt.items()},
            "models": {key: model.as_json() for key, model in stages.models.items()},
            "chosen": {key: {"C": stage.cost} for key, stage in stages.stages.items()},
        },
        thresholds=stages.thresholds,
        envelope=fit_envelope([exam.described["facts"] for patient in patients for exam in patient.exams.values()]),
        metrics=stages.metrics,
        training=training,
    )


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
        "complete_responses": int(outcomes(patients).sum()),
        "epochs": {name: fitted.best_epoch + 1 for name, fitted in networks.fitted.items()},
        "curves": compact(networks.fitted),
        "own_outlines": {
            str(sequence): {"baseline": float(mean[0]), "restaging": float(mean[1])}
            for sequence, mean in ((s, np.nanmean(found, axis=0)) for s, found in networks.dice.items())
        },
        "figures": OUT_OF_FOLD,
    }
