"""A prepared cohort in memory whose planted volume and record decide recurrence, and settings that train in seconds."""

from __future__ import annotations

import atexit
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

import numpy as np

from pipelines.bundle import Bundle
from pipelines.cohort.cohort import Cohort, CohortPatient, FollowUp
from pipelines.cohort.cut import PreparedPatient
from pipelines.contract import ClinicalRecord, Exam, Item, TimePoint, Value
from pipelines.inputs.cache import Entry
from pipelines.systems.multi_rec_columns import COLUMNS
from pipelines.systems.multi_rec_cut import MultiRecCut
from pipelines.systems.networks.multi_rec_size import MultiRecNetSize, Variant
from pipelines.systems.networks.saint import SaintSize
from pipelines.systems.tumour_field import FieldRule
from pipelines.training.multi_rec_loss import LossWeights
from pipelines.training.multi_rec_net import train_prepared
from pipelines.training.multi_rec_settings import MultiRecSettings
from pipelines.training.recipe import Recipe
from pipelines.training.settings import TrainingSettings, silent
from tests.pipelines.made_up_exam import made_up_exam, mask_of, plain_inputs
from tests.pipelines.made_up_times import made_up_times

WITH_MAPS = (0.0, 600.0, 1000.0, 1500.0, 2000.0)
RULE = FieldRule(slices=4, pixels=8, slice_mm=10.0, pixel_mm=7.0, margin=(1, 1))
SIZE = MultiRecNetSize(
    clinical=SaintSize(COLUMNS, dim=8, heads=2, hidden=4, ratio=1),
    base=2,
    place=3,
    downs=1,
    attention_layers=1,
    attention_heads=1,
    groups=2,
)
QUICK = TrainingSettings(seed=3)
_FEW = Recipe(epochs=4, batch=24, learning_rate=3e-2)
QUICK_MULTI_REC = MultiRecSettings(
    rule=RULE,
    size=SIZE,
    variants=(Variant.T2_DKI, Variant.CLINICAL, Variant.T2_DKI_PRECLINICAL, Variant.ALL),
    folds=2,
    views=2,
    recipe=_FEW,
    joined_recipe=replace(_FEW, epochs=1),
    table_recipe=replace(_FEW, epochs=6),
    loss=LossWeights(mask=0.3, risk=2.0, features=1.0),
)


def ready(exam: Exam) -> Exam:
    """The exam with inputs as acquired: no field to correct, nothing displaced."""
    return replace(exam, inputs=plain_inputs(exam))


def with_maps_exam(radius: float = 12.0, seed: int = 0, adc: float = 0.93) -> Exam:
    """A baseline exam whose b-values allow D and K."""
    return ready(made_up_exam(adc=adc, radius=radius, seed=seed, ce_t1=False, b_values=WITH_MAPS))


def without_maps_exam(radius: float = 12.0, seed: int = 0, adc: float = 0.93) -> Exam:
    return ready(made_up_exam(adc=adc, radius=radius, seed=seed, ce_t1=False))


def record(age: float = 60.0, cea: float | None = 2.0, ypn: str = "ypN0", **more: Value) -> ClinicalRecord:
    """A record of these; what is '' or None is not known."""
    values: dict[Item, Value | None] = {
        Item.AGE_YEARS: age,
        Item.SEX: "M",
        Item.CT_STAGE: "cT3b",
        Item.CN_STAGE: "cN0",
        Item.CEA: cea,
        Item.YPN_STAGE: ypn or None,
    }
    values |= {Item(name): value for name, value in more.items()}
    return ClinicalRecord({item: value for item, value in values.items() if value is not None})


@lru_cache(maxsize=1)
def entries() -> tuple[Entry, ...]:
    """Six baseline exams with tumours from small to large, every other one with D and K: patients share them."""
    cut, found = MultiRecCut(RULE, QUICK_MULTI_REC.views), []
    for index, radius in enumerate(np.linspace(9.0, 15.0, 6)):
        exam = (with_maps_exam if index % 2 else without_maps_exam)(float(radius), index, 0.9 + 0.02 * index)
        found.append(cut.cut(plain_inputs(exam), mask_of(exam), np.random.default_rng(index)))
    return tuple(found)


@lru_cache(maxsize=1)
def made_up_patients(count: int = 96) -> tuple[PreparedPatient, ...]:
    """Large tumours and positive nodes recur. Of some the record lacks CEA, or nodes: no surgery yet."""
    rng = np.random.default_rng(0)
    size, nodes = rng.integers(0, 6, count), rng.integers(0, 3, count)
    times = made_up_times(0.6 * (size - 2.5) + 0.6 * nodes, seed=0, baseline=0.3)
    patients = []
    for index in range(count):
        known = record(
            age=float(rng.integers(40, 80)),
            cea=None if index % 9 == 4 else float(rng.uniform(1, 9)),
            ypn="" if index % 13 == 6 else f"ypN{nodes[index]}",
        )
        followed = FollowUp(float(times.months[index]), bool(times.event[index]))
        patient = CohortPatient(index + 2, f"P{index:02d}", "AB"[index // 2 % 2], {}, {}, known, recurrence=followed)
        patients.append(PreparedPatient(patient, {TimePoint.BASELINE: _jittered(entries()[int(size[index])], rng)}))
    return tuple(patients)


def _jittered(entry: Entry, rng: np.random.Generator) -> Entry:
    """The same field; features and facts as another exam of such a tumour would have them."""
    factor = rng.normal(1.0, 0.02)
    features = [{name: value * factor for name, value in view.items()} for view in entry.described["features"]]
    facts = {name: value * rng.normal(1.0, 0.02) for name, value in entry.described["facts"].items()}
    return Entry(entry.arrays, {**entry.described, "features": features, "facts": facts})


@lru_cache(maxsize=1)
def trained_bundle() -> Bundle:
    """A bundle of these patients, once for all tests."""
    folder = mkdtemp()
    atexit.register(rmtree, folder, ignore_errors=True)
    patients = made_up_patients()
    how = (QUICK, QUICK_MULTI_REC)
    return train_prepared(made_up_cohort(patients), patients, Path(folder) / "multi_rec_net", how, silent)


def made_up_cohort(patients: tuple[PreparedPatient, ...]) -> Cohort:
    """The cohort these patients would be read from."""
    return Cohort(Path("nowhere"), tuple(patient.patient for patient in patients), "made-up-digest")
