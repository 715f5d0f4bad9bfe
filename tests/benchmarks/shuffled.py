"""What is learnt from outcomes dealt anew: nothing, so every figure is a half, unless something leaks.

Run: python -m tests.benchmarks.shuffled COHORT [--seeds N] [--epochs N]; prints JSON last. Of a cohort folder
(``restage phantom``), system 4 is trained whole, networks included, for fewer epochs than its bundle. Of the others the
final stages are fitted anew: of system 1 on the signatures that the shipped bundle keeps, of systems 2 and 3 on what
the shipped networks say of the patients. All are judged out of fold by the very outcomes they were given, as their
manifests' figures are. A mean over the seeds further than 0.05 from 0.5 is too far. A Cox model that finds nothing is
left out of a bundle: ``left_out`` counts the seeds, and each counts as 0.5 in the mean.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from pipelines.bundle import Bundle, load_bundle
from pipelines.cohort.cut import PreparedPatient
from pipelines.cohort.folds import patient_folds
from pipelines.cohort.prepare import Preparing, prepare
from pipelines.cohort.purpose import PURPOSES, read_for, usable
from pipelines.cohort.read import CohortError
from pipelines.contract import TimePoint
from pipelines.models import PACKAGED
from pipelines.systems import multi_rec_cut
from pipelines.systems.dlrs_exam import DlrsCut
from pipelines.systems.multi_rec_columns import codes_of
from pipelines.systems.multi_rec_cut import MultiRecCut
from pipelines.systems.multi_rec_models import Reading, readings_of
from pipelines.systems.multi_rec_net import MultiRecSystem, Patients
from pipelines.systems.rp_net import RpNetResponse
from pipelines.systems.signature_bundle import ROWS, STAGES
from pipelines.systems.signature_cut import SignatureCut
from pipelines.systems.signature_models import MEASURED, variants
from pipelines.systems.signature_table import Table
from pipelines.training import dlrs_nomogram, rp_stages
from pipelines.training.dlrs_settings import DlrsSettings
from pipelines.training.multi_rec_networks import Said, TrainedNetworks, strata_of, times_of
from pipelines.training.multi_rec_settings import MultiRecSettings
from pipelines.training.multi_rec_stages import fit_stage, learning_of
from pipelines.training.rp_settings import RpSettings
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


def complete_response(
    bundle: Bundle, prepared: Sequence[PreparedPatient], own: RpSettings, seeds: Sequence[int]
) -> dict[str, list[float]]:
    """AUC by model and seed: ridge and logistic fusion of what the bundle's networks say, and measured values, on
    outcomes dealt anew."""
    system = RpNetResponse(bundle, torch.device("cpu"))
    people = [one.patient for one in prepared]
    pairs, labels = [one.exams for one in prepared], np.array([bool(one.complete_response) for one in people])
    read = system.table(system.read(pairs), pairs, [one.record for one in people])
    table = Table(read.names, read.values.mean(axis=1, keepdims=True))
    found: dict[str, list[float]] = {}
    for seed in seeds:
        dealt = np.random.default_rng(seed).permutation(labels)
        folds = patient_folds(people, dealt.tolist(), own.folds, seed)
        learning = rp_stages.Learning(table, dealt, folds, seed, 0, {}, own.costs)
        metrics = rp_stages.fit_stages(learning, [one.model for one in system.stages]).metrics
        for key, figures in metrics.items():
            if "auc" in figures:
                found.setdefault(key, []).append(figures["auc"])
    return found


def recurrence(
    bundle: Bundle, prepared: Sequence[PreparedPatient], own: MultiRecSettings, seeds: Sequence[int]
) -> dict[str, list[float]]:
    """C-index by model and seed: the Cox models of what the bundle's networks say, and of measured values, on courses
    dealt anew."""
    system = MultiRecSystem(bundle, torch.device("cpu"))
    exams = [multi_rec_cut.from_entry(one.exams[TimePoint.BASELINE]) for one in prepared]
    codes = [codes_of(one.patient.record) for one in prepared]
    has_maps = np.array([exam.has_maps for exam in exams])
    said = {
        reading.name: _said(system, reading, Patients(exams, codes), has_maps)
        for variant in system.networks
        for reading in readings_of(variant)
    }
    networks = TrainedNetworks({}, said, {}, (), {}, has_maps, {})
    own = replace(own, variants=tuple(system.networks))
    found: dict[str, list[float]] = {}
    for seed in seeds:
        order = np.random.default_rng(seed).permutation(len(prepared))
        courses = [prepared[index].patient.recurrence for index in order]
        dealt = [
            replace(one, patient=replace(one.patient, recurrence=course))
            for one, course in zip(prepared, courses, strict=True)
        ]
        folds = patient_folds([one.patient for one in dealt], strata_of(dealt), own.folds, seed)
        metrics = fit_stage(networks, learning_of(dealt, times_of(dealt), folds), own).metrics
        for name, figures in metrics.items():
            found.setdefault(name, []).append(figures["c_index"])
    return found


def _said(system: MultiRecSystem, reading: Reading, patients: Patients, has_maps: NDArray[np.bool_]) -> Said:
    """The mean over the folds' networks, NaN of whom the reading cannot read."""
    rows = np.flatnonzero(has_maps | (not reading.needs_maps))
    risk, logit = np.full((2, len(patients)), np.nan)
    if rows.size:
        chosen = Patients([patients.exams[row] for row in rows], [patients.codes[row] for row in rows])
        own = system.said(reading, chosen)
        risk[rows], logit[rows] = own.risk.mean(axis=0), own.recurrence.mean(axis=0)
    return Said(risk, logit)


def _of_rp_net(cohort_folder: Path, seeds: Sequence[int]) -> dict[str, list[float]]:
    own, purpose = RpSettings(), PURPOSES["rp_net"]
    cohort = read_for(cohort_folder, purpose)
    prepared = prepare(cohort, usable(cohort, purpose), own.cut, Preparing(beds=True))
    return complete_response(load_bundle(PACKAGED / "rp_net"), _unrefused(prepared), own, seeds)


def _of_multi_rec_net(cohort_folder: Path, seeds: Sequence[int]) -> dict[str, list[float]]:
    own, purpose = MultiRecSettings(), PURPOSES["multi_rec_net"]
    cohort = read_for(cohort_folder, purpose)
    prepared = prepare(cohort, usable(cohort, purpose), MultiRecCut(own.rule, own.views), Preparing())
    return recurrence(load_bundle(PACKAGED / "multi_rec_net"), _unrefused(prepared), own, seeds)


def _unrefused(prepared: Sequence[PreparedPatient]) -> list[PreparedPatient]:
    return [one for one in prepared if not one.refusal]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cohort", type=Path)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--only", nargs="*", help="systems; without it all that a bundle is shipped of")
    asked = parser.parse_args()
    seeds = range(1, asked.seeds + 1)
    systems: Mapping[str, Callable[[], dict[str, list[float]]]] = {
        "signature_svm": lambda: response(asked.cohort, seeds),
        "rp_net": lambda: _of_rp_net(asked.cohort, seeds),
        "multi_rec_net": lambda: _of_multi_rec_net(asked.cohort, seeds),
        "dlrs_nomogram": lambda: prognosis(asked.cohort, seeds, asked.epochs),
    }
    shipped = [system for system in systems if (PACKAGED / system).is_dir()]
    print(json.dumps({system: summary(systems[system](), asked.seeds) for system in asked.only or shipped}))


def summary(found: Mapping[str, Sequence[float]], seeds: int) -> dict[str, object]:
    """By model: the mean over the seeds, each figure, and in how many seeds it was left out."""
    return {
        model: {
            "mean": round(float(np.mean([*each, *[0.5] * (seeds - len(each))])), 3),
            "each": np.round(each, 3).tolist(),
            "left_out": seeds - len(each),
        }
        for model, each in found.items()
    }


if __name__ == "__main__":
    main()
