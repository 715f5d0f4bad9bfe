"""A prepared cohort in memory whose planted change decides complete response, and settings that train in seconds."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from pipelines.cohort.cohort import Cohort, CohortPatient
from pipelines.cohort.cut import PreparedPatient
from pipelines.contract import ClinicalRecord, Exam, Item, TimePoint, Value
from pipelines.inputs.cache import Entry
from pipelines.phantom.oracle import CohortTruth
from pipelines.phantom.probabilities import InformationSet, Outcome
from pipelines.phantom.row import PROBABILITY_COLUMNS
from pipelines.systems.networks.rp_net import RpNetSize
from pipelines.systems.tumour_field import Channel, FieldRule
from pipelines.training.recipe import Recipe
from pipelines.training.rp_settings import RpSettings
from pipelines.training.settings import TrainingSettings
from tests.pipelines.made_up_exam import made_up_exam, mask_of, plain_inputs

RULE = FieldRule(slices=8, pixels=16, slice_mm=4.0, pixel_mm=4.0, margin=(1, 2))
TOLD = TrainingSettings(seed=3)
QUICK = RpSettings(
    size=RpNetSize(base=2, depth=4, dropout=0.0, change_channels=4, head_norm="batch"),
    rule=RULE,
    folds=2,
    views=2,
    recipe=Recipe(epochs=2, batch=8, learning_rate=1e-2),
    validation_share=0.15,
    refits=3,
    costs=(1.0,),
)
COUNT = 36
KINDS = 4


def ready(exam: Exam) -> Exam:
    """The exam with inputs as acquired: no field to correct, nothing displaced."""
    return replace(exam, inputs=plain_inputs(exam))


def exam_of(when: TimePoint, kind: int, complete: bool, *, ce_t1: bool = True) -> Exam:
    """After therapy a complete responder's ADC is 1.5 and the tumour small; otherwise 1.0 and larger."""
    if when is TimePoint.BASELINE:
        adc, radius = 0.86 + 0.02 * kind, 14.0
    else:
        adc, radius = (1.5 + 0.05 * kind, 9.0 + 0.4 * kind) if complete else (1.0 + 0.04 * kind, 11.0 + 0.4 * kind)
    seed = kind + 10 * complete + 20 * (when is TimePoint.RESTAGING)
    return ready(made_up_exam(when, adc=adc, radius=radius, seed=seed, ce_t1=ce_t1))


@lru_cache(maxsize=64)
def entry_of(settings: RpSettings, when: TimePoint, kind: int, complete: bool) -> Entry:
    """Such an exam, cut."""
    exam = exam_of(when, kind, complete)
    return settings.cut.cut(plain_inputs(exam), mask_of(exam), np.random.default_rng(kind))


def without(entry: Entry, *channels: Channel) -> Entry:
    """The entry of an exam that lacks these."""
    lost = {f"field_{channel}" for channel in channels}
    return Entry({name: array for name, array in entry.arrays.items() if name not in lost}, entry.described)


@lru_cache(maxsize=4)
def made_up_patients(settings: RpSettings = QUICK) -> tuple[PreparedPatient, ...]:
    """Every other patient responds. Every ninth lacks contrast-enhanced T1, some a marker; some responders' second exam
    was read in the tumour bed."""
    rng = np.random.default_rng(0)
    patients = []
    for index in range(COUNT):
        complete = index % 2 == 0
        exams = {
            when: _jittered(entry_of(settings, when, int(rng.integers(KINDS)), complete), rng) for when in TimePoint
        }
        if index % 9 == 4:
            exams = {when: without(entry, Channel.CE_T1) for when, entry in exams.items()}
        values: dict[Item, Value | None] = {
            Item.THERAPY: "chemoradiotherapy",
            Item.CEA: None if index % 7 == 3 else float(rng.normal(2.0 if complete else 6.0, 0.8)),
            Item.CA19_9: None if index % 8 == 5 else float(rng.uniform(5, 30)),
        }
        patient = CohortPatient(
            line=index + 2,
            patient_id=f"P{index:02d}",
            site="AB"[index // 2 % 2],
            exams={when: Path("nowhere") for when in TimePoint},
            truth={},
            record=ClinicalRecord({item: value for item, value in values.items() if value is not None}),
            complete_response=complete,
        )
        beds = frozenset({TimePoint.RESTAGING}) if index % 12 == 2 else frozenset()
        patients.append(PreparedPatient(patient, exams, beds=beds))
    return tuple(patients)


def _jittered(entry: Entry, rng: np.random.Generator) -> Entry:
    """The same field; features and facts as another exam of such a tumour would have them."""
    factor = float(rng.normal(1.0, 0.05))
    features = [{name: value * factor for name, value in view.items()} for view in entry.described["features"]]
    facts = {name: value * float(rng.normal(1.0, 0.02)) for name, value in entry.described["facts"].items()}
    return Entry(entry.arrays, {**entry.described, "features": features, "facts": facts})


def made_up_cohort(patients: tuple[PreparedPatient, ...]) -> Cohort:
    """The cohort these patients would be read from."""
    likely = np.array([0.9 if p.patient.complete_response else 0.1 for p in patients])
    columns = [
        PROBABILITY_COLUMNS[Outcome.COMPLETE_RESPONSE, shown]
        for shown in (InformationSet.PAIR, InformationSet.PAIR_CLINICAL)
    ]
    truth = CohortTruth(dict.fromkeys(columns, likely), {})
    return Cohort(Path("nowhere"), tuple(p.patient for p in patients), "made-up-digest", truth)


def with_outcomes(patients: tuple[PreparedPatient, ...], outcomes: list[bool]) -> tuple[PreparedPatient, ...]:
    """The same patients with other outcomes."""
    return tuple(
        replace(p, patient=replace(p.patient, complete_response=value))
        for p, value in zip(patients, outcomes, strict=True)
    )
