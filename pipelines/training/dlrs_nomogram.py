"""Training of system 4: networks out of fold, the Cox models of everything that may be known, their cut-offs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from pipelines.bundle import Bundle, Manifest, save_bundle
from pipelines.cohort.cohort import Cohort
from pipelines.cohort.cut import PreparedPatient
from pipelines.cohort.folds import patient_folds
from pipelines.cohort.prepare import Preparing, prepare
from pipelines.cohort.purpose import PURPOSES, problems, usable
from pipelines.cohort.read import FILE, CohortError
from pipelines.contract import METASTASIS, TimePoint
from pipelines.envelope import fit_envelope
from pipelines.phantom.oracle import EventTruth, expected_concordance
from pipelines.phantom.probabilities import InformationSet, Outcome
from pipelines.systems.cox import CoxModel, Numbers
from pipelines.systems.dlrs_exam import DlrsCut
from pipelines.systems.dlrs_inputs import Modality
from pipelines.training.curves import compact
from pipelines.training.dlrs_cox import LEAST_EVENTS
from pipelines.training.dlrs_models import READ, CoxStage, axes_of, fit_stage, known_of
from pipelines.training.dlrs_networks import Plan, TrainedNetworks, size_of, strata_of, times_of, train_networks
from pipelines.training.dlrs_settings import DlrsSettings, dlrs_settings
from pipelines.training.fit import Run
from pipelines.training.imagenet import read_checkpoint, words_of
from pipelines.training.kept import Kept
from pipelines.training.provenance import cohort_words, provenance
from pipelines.training.settings import Progress, TrainingSettings, fixed_random_state
from pipelines.volumes.normalise import ADC_SCALE

PURPOSE = PURPOSES["dlrs_nomogram"]
INTENDED_USE = (
    "Risk of distant metastasis within 36 months of surgery, from the MRI before therapy of an adult with rectal "
    "cancer who is to have neoadjuvant therapy and surgery; support for a reader, never a decision alone. "
    "Research only."
)
LIMITS = (
    "cause-specific: death without metastasis counts as censored; no adjuvant therapy is known to it; the stacks of "
    "the networks hold at most the central slices of a long tumour"
)
NOTHING_FOUND = (
    "column 'metastasis_months': image and clinical values predict nothing in this cohort: every Cox model was shrunk "
    "until nothing moves its risk, so none is left to score with"
)
HAD = "had metastasis within 36 months"


class Stage(Protocol):
    """Out-of-fold log hazards by model, (patients,), NaN where a model says nothing, and what each model sees."""

    @property
    def log_hazard(self) -> Mapping[str, Numbers]: ...

    @property
    def shown(self) -> Mapping[str, InformationSet]: ...


def train_dlrs_nomogram(cohort: Cohort, out: Path, settings: TrainingSettings, progress: Progress) -> Bundle:
    """Prepare the cohort's baseline exams, train, and write the bundle to ``out``.

    Raises
    ------
    CohortError
        Where the cohort does not suit the purpose, or too few patients with or without metastasis can be used.
    """
    found = problems(cohort, PURPOSE)
    if found:
        raise CohortError(cohort.folder / FILE, found)
    own = dlrs_settings(settings)
    cut = DlrsCut(own.rule, own.views)
    prepared = prepare(cohort, usable(cohort, PURPOSE), cut, Preparing(settings.workers, progress))
    return train_prepared(cohort, prepared, out, (settings, own), progress)


def train_prepared(
    cohort: Cohort,
    prepared: Sequence[PreparedPatient],
    out: Path,
    how: tuple[TrainingSettings, DlrsSettings],
    progress: Progress,
) -> Bundle:
    """Train on prepared patients and write the bundle; those refused are named in it.

    Raises CohortError where too few patients can be used, or no model is left that moves the risk.
    """
    settings, own = how
    patients = [patient for patient in prepared if not patient.refusal]
    demand_enough(cohort, prepared, times_of(patients).status, own.folds, ("metastasis_months", HAD))
    folds = patient_folds([p.patient for p in patients], strata_of(patients), own.folds, settings.seed)
    keep = Kept.beside(out)
    checkpoint = read_checkpoint(settings.imagenet) if settings.imagenet is not None else None
    with fixed_random_state(settings.seed, settings.threads):
        plan = Plan(folds, settings.seed, own, checkpoint)
        networks = train_networks(patients, plan, Run(settings.device, keep, progress))
    progress("fitting the Cox models", 0, 1)
    stage = fit_stage(known_of(patients, networks.probability), times_of(patients), folds, own)
    if not stage.scoring:
        raise CohortError(cohort.folder / FILE, [NOTHING_FOUND])
    progress("fitting the Cox models", 1, 1)
    manifest = _manifest(
        cohort,
        patients,
        settings,
        preprocessing={"box": own.rule.as_json(), "weighted": _weighted(own), "adc": ADC_SCALE},
        network=_described(networks, stage, own),
        thresholds=stage.thresholds,
        metrics={**stage.metrics, **oracle_shares(cohort, patients, stage)},
        training=_training(patients, prepared, folds, how, networks) | {"first_weights": words_of(checkpoint)},
    )
    bundle = save_bundle(out, manifest, {"networks": networks.weights, "cox": cox_arrays(stage.models)})
    keep.remove()
    return bundle


def oracle_shares(
    cohort: Cohort, patients: Sequence[PreparedPatient], stage: Stage, outcome: Outcome = Outcome.METASTASIS
) -> dict[str, Any]:
    """Of simulated patients: the share of its oracle's C-index over 0.5 that each image model reaches out of fold."""
    if cohort.truth is None:
        return {}
    rows = cohort.places(one.patient for one in patients)
    events = cohort.truth.events(outcome)
    assert events is not None
    shares = {}
    for name, log_hazard in stage.log_hazard.items():
        seen = np.isfinite(log_hazard)
        own = EventTruth(*(one[rows][seen] for one in (events.hazard, events.competing, events.observed_months)))
        true = cohort.truth.probability(outcome, stage.shown[name])[rows][seen]
        reached, best = (expected_concordance(own, one) - 0.5 for one in (log_hazard[seen], true))
        shares[name] = round(reached / best, 4)
    return {"oracle_share_out_of_fold": shares}


def _described(networks: TrainedNetworks, stage: CoxStage, own: DlrsSettings) -> dict[str, Any]:
    rules = {name: {"covariates": list(rule.covariates), "family": rule.family} for name, rule in stage.rules.items()}
    return {
        "sizes": {str(modality): size_of(modality, own).as_json() for modality in Modality},
        "folds": own.folds,
        "baselines": dict(networks.baselines),
        "measured": list(READ),
        "models": rules,
        "scoring": list(stage.scoring),
        "axes": {name: axis.as_json() for name, axis in axes_of(stage.known).items()},
    }


def cox_arrays(models: Mapping[str, CoxModel]) -> dict[str, torch.Tensor]:
    """What a bundle stores of Cox models, as ``name.array``."""
    return {
        f"{name}.{key}": torch.from_numpy(np.ascontiguousarray(array))
        for name, model in models.items()
        for key, array in model.arrays().items()
    }


def _weighted(own: DlrsSettings) -> str:
    return "z-score of the stack" if own.rule.field_mm is None else "logarithm, relative to the exam's tissue"


def _manifest(
    cohort: Cohort, patients: Sequence[PreparedPatient], settings: TrainingSettings, **parts: Mapping[str, Any]
) -> Manifest:
    facts = [patient.exams[TimePoint.BASELINE].described["facts"] for patient in patients]
    return Manifest(
        system="dlrs_nomogram",
        name="restage-dlrs-nomogram",
        version=settings.version,
        outcome=METASTASIS,
        intended_use=INTENDED_USE,
        limits=LIMITS,
        phantom_trained=cohort.simulated,
        cohort=cohort_words(cohort, patients),
        cohort_digest=cohort.digest,
        inputs=(
            "axial T2 and DWI before therapy, with at least two b-values up to 1100 s/mm²",
            "a tumour mask on the exam before therapy",
            "cT, CEA, EMVI and ypN: each optional, another model is used without",
        ),
        envelope=fit_envelope(facts),
        **parts,
    )


def _training(
    patients: Sequence[PreparedPatient],
    prepared: Sequence[PreparedPatient],
    folds: NDArray[np.intp],
    how: tuple[TrainingSettings, DlrsSettings],
    networks: TrainedNetworks,
) -> dict[str, Any]:
    settings, own = how
    return provenance(patients, prepared, folds, settings) | {
        "settings": asdict(own),
        "events": int(times_of(patients).event.sum()),
        "epochs": {name: fitted.best_epoch + 1 for name, fitted in networks.fitted.items()},
        "curves": compact(networks.fitted),
        "figures": "out of fold: networks, their baselines, the measured score and the Cox models never saw the "
        "patient; the probabilities that the Cox models learn from come from networks that saw the other folds",
    }


def demand_enough(
    cohort: Cohort, prepared: Sequence[PreparedPatient], status: Numbers, folds: int, words: tuple[str, str]
) -> None:
    """Every fold needs patients with and without the event, and the Cox models enough of the former.

    ``status``: of those who can be used, by 36 months. ``words``: the column that says it, and what they had.
    Raises CohortError, naming who was refused as well.
    """
    column, had = words
    needed = {1.0: (max(2 * folds, LEAST_EVENTS), had), 0.0: (2 * folds, "are known to be free of it until then")}
    short = [
        f"column '{column}': {int((status == one).sum())} usable patients {said}, {count} are needed"
        for one, (count, said) in needed.items()
        if (status == one).sum() < count
    ]
    if short:
        refused = [f"{patient.patient.patient_id}: {patient.refusal}" for patient in prepared if patient.refusal]
        raise CohortError(cohort.folder / FILE, [*short, *refused])
