"""A prepared cohort in memory whose planted ADC decides the outcome, and settings that train in seconds."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.random import Generator

from pipelines.cohort.cohort import Cohort, CohortPatient
from pipelines.cohort.cut import PreparedPatient
from pipelines.contract import ClinicalRecord, Item, TimePoint
from pipelines.inputs.cache import Entry
from pipelines.phantom.oracle import CohortTruth
from pipelines.phantom.probabilities import InformationSet, Outcome
from pipelines.phantom.row import PROBABILITY_COLUMNS
from pipelines.systems.final_stage import Grid
from pipelines.systems.networks.densenet import DenseNetSize
from pipelines.systems.signature_cut import SignatureCut
from pipelines.systems.signature_inputs import CropRule, Sequence
from pipelines.training.recipe import Recipe
from pipelines.training.settings import TrainingSettings
from pipelines.training.signature_settings import SignatureSettings
from tests.pipelines.made_up_exam import made_up_exam, mask_of, plain_inputs

RULE = CropRule(field_mm=60.0, pixels=16)
TOLD = TrainingSettings(seed=3)
QUICK = SignatureSettings(
    size=DenseNetSize(blocks=(1, 1), growth=4, first=4, dropout=0.0, fine_start=True),
    rule=RULE,
    folds=3,
    views=2,
    refits=3,
    recipe=Recipe(epochs=2, batch=8, learning_rate=5e-3),
    grid=Grid(costs=(3.0,), widths=(0.1,)),
)
PAPER = replace(
    QUICK,
    rule=CropRule(pixels=24, whole=True),
    folds=1,
    views=1,
    validation_share=0.0,
    feature_weight=0.0,
    cropped=True,
)
COUNT = 36


def entry_of(cut: SignatureCut, time_point: TimePoint, adc: float, radius: float, seed: int) -> Entry:
    """One made-up exam, cut; one in twelve has no contrast-enhanced T1."""
    exam = made_up_exam(time_point, adc=adc, radius=radius, seed=seed, ce_t1=seed % 24 < 22)
    return cut.cut(plain_inputs(exam), mask_of(exam), np.random.default_rng(seed))


def lacking(entry: Entry, sequence: Sequence) -> Entry:
    """The entry of an exam without the sequence."""
    kept = {name: crop for name, crop in entry.arrays.items() if not name.endswith(f"_{sequence}")}
    return Entry(kept, entry.described)


def made_up_record(good: bool, rng: Generator) -> ClinicalRecord:
    """Wall thickness tells a good response, nothing else does; one in ten has no thickness on record."""
    values: dict[Item, float | str] = {
        Item.SEX: "MF"[int(rng.integers(2))],
        Item.AGE_YEARS: float(rng.integers(40, 80)),
        Item.THERAPY: "chemotherapy",
        Item.CEA: float(rng.uniform(1, 9)),
        Item.CRM_RESTAGING: ("positive", "negative")[int(rng.integers(2))],
        Item.CT_STAGE: f"cT{rng.integers(2, 5)}",
        Item.MWT_RESTAGING: float(rng.normal(8.0 if good else 12.0, 1.5)),
    }
    if rng.random() < 0.1:
        del values[Item.MWT_RESTAGING]
    return ClinicalRecord(values)


@lru_cache(maxsize=4)
def made_up_patients(rule: CropRule = RULE, views: int = 2) -> tuple[PreparedPatient, ...]:
    """Half of the patients respond: their ADC after therapy is 1.5, not 1.0, and their tumour smaller."""
    rng, cut, patients = np.random.default_rng(0), SignatureCut(rule, views), []
    for index in range(COUNT):
        good = index % 2 == 0
        adc, radius = (1.5, 10.0) if good else (1.0, 12.0)
        exams = {
            TimePoint.BASELINE: entry_of(cut, TimePoint.BASELINE, float(rng.normal(0.9, 0.05)), 14.0, 2 * index),
            TimePoint.RESTAGING: entry_of(
                cut, TimePoint.RESTAGING, float(rng.normal(adc, 0.1)), float(rng.normal(radius, 1)), 2 * index + 1
            ),
        }
        patient = CohortPatient(
            line=index + 2,
            patient_id=f"P{index:02d}",
            site="AB"[index // 2 % 2],
            exams={time_point: Path("nowhere") for time_point in TimePoint},
            truth={},
            record=made_up_record(good, rng),
            good_response=good,
        )
        patients.append(PreparedPatient(patient, exams))
    return tuple(patients)


def made_up_cohort(patients: tuple[PreparedPatient, ...]) -> Cohort:
    """The cohort these patients would be read from."""
    likely = np.array([0.9 if p.patient.good_response else 0.1 for p in patients])
    columns = [PROBABILITY_COLUMNS[Outcome.GOOD_RESPONSE, shown] for shown in InformationSet if _response(shown)]
    truth = CohortTruth(dict.fromkeys(columns, likely), {})
    return Cohort(Path("nowhere"), tuple(p.patient for p in patients), "made-up-digest", truth)


def _response(shown: InformationSet) -> bool:
    return (Outcome.GOOD_RESPONSE, shown) in PROBABILITY_COLUMNS


def with_outcomes(patients: tuple[PreparedPatient, ...], outcomes: list[bool]) -> tuple[PreparedPatient, ...]:
    """The same patients with other outcomes."""
    return tuple(
        replace(p, patient=replace(p.patient, good_response=value)) for p, value in zip(patients, outcomes, strict=True)
    )
