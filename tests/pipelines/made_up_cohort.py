"""A prepared cohort in memory whose planted ADC decides the outcome, and settings that train in seconds."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np

from pipelines.contract import TimePoint
from pipelines.segment import SegmenterSize
from pipelines.systems.signature_inputs import CropRule
from pipelines.systems.signature_network import SignatureSize
from pipelines.training.cohort import Cohort, CohortPatient
from pipelines.training.prepare import PreparedExam, PreparedPatient, PrepareSettings, prepare_exam
from pipelines.training.settings import SegmenterSettings, SignatureSettings, TrainingSettings
from tests.pipelines.made_up_exam import made_up_exam, mask_of, plain_inputs

RULE = CropRule(field_mm=60.0, pixels=16)
SIZE = SegmenterSize(spacing=3.0, window=(8, 16, 16), filters=(2, 2, 2, 2))
QUICK = TrainingSettings(
    seed=3,
    segmenter=SegmenterSettings(size=SIZE, steps=3, patch=(8, 16, 16), held_out=8),
    signature=SignatureSettings(
        size=SignatureSize(blocks=(1, 1), growth=4, first=4, dropout=0.0, fine_start=True),
        rule=RULE,
        folds=3,
        epochs=2,
        batch=8,
        refits=3,
        views=2,
    ),
)


def prepared(time_point: TimePoint, adc: float, radius: float, seed: int) -> PreparedExam:
    """One made-up exam, prepared as ``QUICK`` wants it."""
    exam = made_up_exam(time_point, adc=adc, radius=radius, seed=seed)
    return prepare_exam(plain_inputs(exam), mask_of(exam), PrepareSettings(SIZE.spacing, RULE, views=2), seed)


@lru_cache(maxsize=1)
def made_up_patients(count: int = 24) -> tuple[PreparedPatient, ...]:
    """Half of the patients respond: their ADC after therapy is 1.5, not 1.0, and their tumour smaller."""
    rng = np.random.default_rng(0)
    patients = []
    for index in range(count):
        good = index % 2 == 0
        adc, radius = (1.5, 10.0) if good else (1.0, 12.0)
        exams = {
            TimePoint.BASELINE: prepared(TimePoint.BASELINE, float(rng.normal(0.9, 0.05)), 14.0, 2 * index),
            TimePoint.RESTAGING: prepared(
                TimePoint.RESTAGING, float(rng.normal(adc, 0.1)), float(rng.normal(radius, 1)), 2 * index + 1
            ),
        }
        patient = CohortPatient(f"P{index:02d}", "AB"[index // 2 % 2], {}, {}, good, 0.9 if good else 0.1)
        patients.append(PreparedPatient(patient, exams))
    return tuple(patients)


def made_up_cohort(patients: tuple[PreparedPatient, ...]) -> Cohort:
    """The cohort these patients would be read from."""
    return Cohort(Path("nowhere"), tuple(p.patient for p in patients), "made-up-digest")
