"""A prepared cohort in memory whose planted volume and record decide metastasis, and settings that train in seconds."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from pipelines.cohort.cohort import Cohort, CohortPatient, FollowUp
from pipelines.cohort.cut import PreparedPatient
from pipelines.contract import ClinicalRecord, Exam, Item, TimePoint, Value
from pipelines.inputs.cache import Entry
from pipelines.systems.dlrs_exam import DlrsCut
from pipelines.systems.dlrs_inputs import BoxRule
from pipelines.systems.dlrs_network import DlrsSize
from pipelines.systems.networks.resnet import ResNetSize
from pipelines.training.dlrs_settings import DlrsSettings
from pipelines.training.recipe import Recipe
from pipelines.training.settings import TrainingSettings
from tests.pipelines.made_up_exam import made_up_exam, mask_of, plain_inputs
from tests.pipelines.made_up_times import made_up_times

RULE = BoxRule(slices=8, pixels=16, field_mm=60.0)
QUICK = TrainingSettings(seed=3)
QUICK_DLRS = DlrsSettings(
    rule=RULE,
    size=DlrsSize(ResNetSize(width=2), mixed=3),
    folds=3,
    views=2,
    recipe=Recipe(epochs=3, batch=32, learning_rate=1e-2),
)


def ready(exam: Exam) -> Exam:
    """The exam with inputs as acquired: no field to correct, nothing displaced."""
    return replace(exam, inputs=plain_inputs(exam))


def record(ct: str = "cT3", cea: float | None = 2.0, emvi: str = "negative", ypn: str = "ypN0") -> ClinicalRecord:
    """A record of these; what is '' or None is not known."""
    values: dict[Item, Value | None] = {
        Item.CT_STAGE: ct or None,
        Item.CEA: cea,
        Item.EMVI_BASELINE: emvi or None,
        Item.YPN_STAGE: ypn or None,
    }
    return ClinicalRecord({item: value for item, value in values.items() if value is not None})


@lru_cache(maxsize=1)
def entries() -> tuple[Entry, ...]:
    """Six baseline exams with tumours from small to large, each cut once: patients share them."""
    cut = DlrsCut(RULE, QUICK_DLRS.views)
    found = []
    for index, radius in enumerate(np.linspace(10.0, 15.0, 6)):
        exam = made_up_exam(adc=0.9 + 0.02 * index, radius=float(radius), seed=index, ce_t1=False)
        found.append(cut.cut(plain_inputs(exam), mask_of(exam), np.random.default_rng(index)))
    return tuple(found)


@lru_cache(maxsize=1)
def made_up_patients(count: int = 72) -> tuple[PreparedPatient, ...]:
    """Large tumours, raised CEA and positive nodes metastasise. The record of some lacks CEA or EMVI."""
    rng = np.random.default_rng(0)
    size = rng.integers(0, 6, count)
    cea, nodes = rng.random(count) < 0.3, rng.integers(0, 3, count)
    times = made_up_times(0.7 * (size - 2.5) + 0.8 * cea + 0.5 * nodes, seed=0, baseline=0.3)
    patients = []
    for index in range(count):
        known = record(
            ct=("cT2", "cT3", "cT4")[int(rng.integers(0, 3))],
            cea=None if index % 9 == 4 else 9.0 if cea[index] else 2.0,
            emvi="" if index % 11 == 5 else ("negative", "positive")[int(rng.integers(0, 2))],
            ypn=f"ypN{nodes[index]}",
        )
        followed = FollowUp(float(times.months[index]), bool(times.event[index]))
        patient = CohortPatient(index + 2, f"P{index:02d}", "AB"[index // 2 % 2], {}, {}, known, metastasis=followed)
        patients.append(PreparedPatient(patient, {TimePoint.BASELINE: _jittered(entries()[int(size[index])], rng)}))
    return tuple(patients)


def _jittered(entry: Entry, rng: np.random.Generator) -> Entry:
    """The same stacks; features and facts as another exam of such a tumour would have them."""
    factor = rng.normal(1.0, 0.02)
    features = [{name: value * factor for name, value in view.items()} for view in entry.described["features"]]
    facts = {name: value * rng.normal(1.0, 0.02) for name, value in entry.described["facts"].items()}
    return Entry(entry.arrays, {**entry.described, "features": features, "facts": facts})


def made_up_cohort(patients: tuple[PreparedPatient, ...]) -> Cohort:
    """The cohort these patients would be read from."""
    return Cohort(Path("nowhere"), tuple(patient.patient for patient in patients), "made-up-digest")
