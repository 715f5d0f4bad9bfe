"""Training of system 3: networks of every variant out of fold, the Cox models of what they say, their thresholds."""

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
from pipelines.contract import RECURRENCE, TimePoint
from pipelines.envelope import fit_envelope
from pipelines.phantom.probabilities import Outcome
from pipelines.systems.multi_rec_cut import MultiRecCut
from pipelines.systems.tumour_field import SCALES
from pipelines.training.curves import compact
from pipelines.training.dlrs_nomogram import cox_arrays, demand_enough, oracle_shares
from pipelines.training.fit import Run
from pipelines.training.kept import Kept
from pipelines.training.multi_rec_networks import (
    Plan,
    TrainedNetworks,
    network_size,
    strata_of,
    times_of,
    train_networks,
)
from pipelines.training.multi_rec_settings import MultiRecSettings, multi_rec_settings
from pipelines.training.multi_rec_stages import MultiRecStage, fit_stage, learning_of
from pipelines.training.provenance import cohort_words, provenance
from pipelines.training.settings import Progress, TrainingSettings, fixed_random_state

PURPOSE = PURPOSES["multi_rec_net"]
INTENDED_USE = (
    "Risk of recurrence or death within 36 months of surgery, from the MRI before therapy and the clinical record of "
    "an adult with rectal cancer who is to have neoadjuvant therapy and surgery; support for a reader, never a "
    "decision alone. Research only."
)
LIMITS = "death of any cause counts as an event; the field of the networks holds only what lies around the tumour"
NOTHING_FOUND = (
    "column 'dfs_months': image and clinical values predict nothing in this cohort: every Cox model was shrunk until "
    "nothing moves its risk, so none is left to score with"
)
HAD = "had a recurrence or died within 36 months"


def train_multi_rec_net(cohort: Cohort, out: Path, settings: TrainingSettings, progress: Progress) -> Bundle:
    """Prepare the cohort's baseline exams, train, and write the bundle to ``out``.

    Raises
    ------
    CohortError
        Where the cohort does not suit the purpose, or too few patients with or without the event can be used.
    """
    found = problems(cohort, PURPOSE)
    if found:
        raise CohortError(cohort.folder / FILE, found)
    own = multi_rec_settings(settings)
    cut = MultiRecCut(own.rule, own.views)
    prepared = prepare(cohort, usable(cohort, PURPOSE), cut, Preparing(settings.workers, progress))
    return train_prepared(cohort, prepared, out, (settings, own), progress)


def train_prepared(
    cohort: Cohort,
    prepared: Sequence[PreparedPatient],
    out: Path,
    how: tuple[TrainingSettings, MultiRecSettings],
    progress: Progress,
) -> Bundle:
    """Train on prepared patients and write the bundle; those refused are named in it.

    Raises CohortError where too few patients can be used, or no model is left that moves the risk.
    """
    settings, own = how
    patients = [patient for patient in prepared if not patient.refusal]
    times = times_of(patients)
    demand_enough(cohort, prepared, times.status, own.folds, ("dfs_months", HAD))
    folds = patient_folds([p.patient for p in patients], strata_of(patients), own.folds, settings.seed)
    keep = Kept.beside(out)
    with fixed_random_state(settings.seed, settings.threads):
        networks = train_networks(patients, Plan(folds, settings.seed, own), Run(settings.device, keep, progress))
    progress("fitting the Cox models", 0, 1)
    stage = fit_stage(networks, learning_of(patients, times, folds), own)
    if not stage.scoring:
        raise CohortError(cohort.folder / FILE, [NOTHING_FOUND])
    progress("fitting the Cox models", 1, 1)
    manifest = _manifest(
        cohort,
        patients,
        settings,
        preprocessing={"field": own.rule.as_json(), "weighted": "logarithm, relative to the exam's tissue"} | _scales(),
        network=_described(networks, stage, own),
        thresholds=stage.thresholds,
        metrics={
            **stage.metrics,
            "own_mask_dice": {str(variant): round(float(one.mean()), 4) for variant, one in networks.dice.items()},
            **oracle_shares(cohort, patients, stage, Outcome.RECURRENCE),
        },
        training=_training(patients, prepared, folds, how, networks),
    )
    bundle = save_bundle(out, manifest, {"networks": networks.weights, "cox": cox_arrays(stage.models)})
    keep.remove()
    return bundle


def _scales() -> dict[str, str]:
    return {str(channel): f"({channel} − {scale.usual:g}) / {scale.span:g}" for channel, scale in SCALES.items()}


def _described(networks: TrainedNetworks, stage: MultiRecStage, own: MultiRecSettings) -> dict[str, Any]:
    measured = {name: list(model.names) for name, model in stage.models.items() if name not in stage.rules}
    return {
        "sizes": {str(variant): network_size(variant, own).as_json() for variant in own.variants},
        "folds": own.folds,
        "centres": dict(networks.centres),
        "scalers": [scaler.as_json() for scaler in networks.scalers],
        "measured": measured,
        "models": {name: rule.as_json() for name, rule in stage.rules.items()},
        "scoring": list(stage.scoring),
    }


def _manifest(
    cohort: Cohort, patients: Sequence[PreparedPatient], settings: TrainingSettings, **parts: Mapping[str, Any]
) -> Manifest:
    facts = [patient.exams[TimePoint.BASELINE].described["facts"] for patient in patients]
    return Manifest(
        system="multi_rec_net",
        name="restage-multi-rec-net",
        version=settings.version,
        outcome=RECURRENCE,
        intended_use=INTENDED_USE,
        limits=LIMITS,
        phantom_trained=cohort.simulated,
        cohort=cohort_words(cohort, patients),
        cohort_digest=cohort.digest,
        inputs=(
            "axial T2 and DWI before therapy, with at least two b-values up to 1100 s/mm²",
            "D and K from b-values up to 1500 s/mm² or more: optional, another final stage is used without",
            "a tumour mask on the exam before therapy",
            "clinical values, each optional: what is not known is read as missing, and named; ypN after surgery",
        ),
        envelope=fit_envelope(facts),
        **parts,
    )


def _training(
    patients: Sequence[PreparedPatient],
    prepared: Sequence[PreparedPatient],
    folds: NDArray[np.intp],
    how: tuple[TrainingSettings, MultiRecSettings],
    networks: TrainedNetworks,
) -> dict[str, Any]:
    settings, own = how
    return provenance(patients, prepared, folds, settings) | {
        "settings": asdict(own),
        "events": int(times_of(patients).event.sum()),
        "with_maps": int(networks.has_maps.sum()),
        "epochs": {name: fitted.best_epoch + 1 for name, fitted in networks.fitted.items()},
        "curves": compact(networks.fitted),
        "figures": "out of fold: networks, their centres, the measured score and the Cox models never saw the patient; "
        "the readings that the Cox models learn from come from networks that saw the other folds",
    }
