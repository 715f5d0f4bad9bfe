"""What is learnt from outcomes dealt anew: nothing, so every figure is a half, unless something leaks.

Run: python -m tests.benchmarks.shuffled COHORT [--seeds N] [--epochs N]; prints JSON last. Of a cohort folder
(``restage phantom``), system 4 is trained whole, networks included, for fewer epochs than its bundle; of system 1 the
machines are fitted on the signatures that the shipped bundle keeps. Both are judged out of fold by the very outcomes
they were given, as their manifests' figures are. A mean over the seeds further than 0.05 from 0.5 is too far.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from pipelines.bundle import load_bundle
from pipelines.cohort.cut import PreparedPatient
from pipelines.cohort.folds import patient_folds
from pipelines.cohort.prepare import Preparing, prepare
from pipelines.cohort.purpose import PURPOSES, read_for, usable
from pipelines.cohort.read import CohortError
from pipelines.models import PACKAGED
from pipelines.systems.dlrs_exam import DlrsCut
from pipelines.systems.signature_bundle import ROWS, STAGES
from pipelines.systems.signature_cut import SignatureCut
from pipelines.systems.signature_models import MEASURED, variants
from pipelines.systems.signature_table import Table
from pipelines.training import dlrs_nomogram
from pipelines.training.dlrs_settings import DlrsSettings
from pipelines.training.settings import TrainingSettings, silent
from pipelines.training.signature_settings import SignatureSettings
from pipelines.training.signature_stages import Learning, fit_stages

PROGNOSIS = ("DLRS", "measured", "T2W", "ADC", "clinical", "nomogram", "nomogram_postoperative")
RESPONSE = ("FDL t2_dwi", "FDL_measured t2_dwi", "CRD t2_dwi", "CR")


def prognosis(cohort_folder: Path, seeds: Sequence[int], epochs: int) -> dict[str, list[float]]:
    """C-index by model and seed: networks, Cox models and all, on courses dealt anew among the patients."""
    cohort, own = read_for(cohort_folder, PURPOSES["dlrs_nomogram"]), DlrsSettings()
    own = replace(own, recipe=replace(own.recipe, epochs=epochs))
    patients = usable(cohort, PURPOSES["dlrs_nomogram"])
    prepared = [one for one in prepare(cohort, patients, DlrsCut(own.rule, own.views), Preparing()) if not one.refusal]
    found: dict[str, list[float]] = {}
    for seed in seeds:
        dealt = _dealt(prepared, np.random.default_rng(seed).permutation(len(prepared)).tolist())
        with tempfile.TemporaryDirectory() as name:
            how = (TrainingSettings(seed=seed), own)
            try:
                bundle = dlrs_nomogram.train_prepared(
                    replace(cohort, truth=None), dealt, Path(name) / "bundle", how, silent
                )
            except CohortError:  # nothing was learnt, and training says so: as it should be
                continue
        for model in PROGNOSIS:
            if model in bundle.manifest.metrics:
                found.setdefault(model, []).append(bundle.manifest.metrics[model]["c_index"])
    return found


def _dealt(patients: Sequence[PreparedPatient], order: Sequence[int]) -> list[PreparedPatient]:
    """Each patient with the follow-up of another one."""
    courses = [patients[index].patient.metastasis for index in order]
    return [
        replace(one, patient=replace(one.patient, metastasis=course))
        for one, course in zip(patients, courses, strict=True)
    ]


def response(cohort_folder: Path, seeds: Sequence[int]) -> dict[str, list[float]]:
    """AUC by model and seed: clinical selection, scaler, grid and calibration, on outcomes dealt anew."""
    bundle, own, purpose = load_bundle(PACKAGED / "signature_svm"), SignatureSettings(), PURPOSES["signature_svm"]
    cohort = read_for(cohort_folder, purpose)
    if cohort.digest != bundle.manifest.cohort_digest:
        raise SystemExit(f"{cohort_folder} is not the cohort of the shipped bundle, whose signatures are needed")
    prepared = prepare(cohort, usable(cohort, purpose), SignatureCut(own.rule, own.views), Preparing())
    people = [one.patient for one in prepared if not one.refusal]
    labels = np.array([bool(one.good_response) for one in people])
    names = tuple(bundle.manifest.network["table"])
    table = Table(names, bundle.arrays(STAGES)[ROWS].astype(float).reshape(len(people), -1, len(names)))
    wanted = [one for one in variants(tuple(name for name in MEASURED if name in names)) if one.key in RESPONSE]
    found: dict[str, list[float]] = {}
    for seed in seeds:
        dealt = np.random.default_rng(seed).permutation(labels)
        folds = patient_folds(people, dealt.tolist(), own.folds, seed)
        metrics = fit_stages(Learning(table, dealt, folds, seed, 1, {}), wanted).metrics
        for variant in wanted:
            if variant.key in metrics:
                found.setdefault(variant.key, []).append(metrics[variant.key]["auc"])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cohort", type=Path)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=8)
    asked = parser.parse_args()
    seeds = range(1, asked.seeds + 1)
    print(
        json.dumps(
            {
                system: {
                    model: {"mean": round(float(np.mean(each)), 3), "each": np.round(each, 3).tolist()}
                    for model, each in found.items()
                }
                for system, found in (
                    ("signature_svm", response(asked.cohort, seeds)),
                    ("dlrs_nomogram", prognosis(asked.cohort, seeds, asked.epochs)),
                )
            }
        )
    )


if __name__ == "__main__":
    main()
