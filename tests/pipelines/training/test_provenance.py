from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipelines.cohort.cohort import Cohort, CohortPatient
from pipelines.cohort.cut import PreparedPatient
from pipelines.contract import ClinicalRecord, Item, TimePoint
from pipelines.training.provenance import cohort_words, provenance
from pipelines.training.settings import TrainingSettings

FOLDS = np.array([0, 1, 2])
SETTINGS = TrainingSettings(seed=7, threads=2, workers=9)


def patient(index: int, site: str, **values: str) -> PreparedPatient:
    record = ClinicalRecord({Item[name]: word for name, word in values.items()})
    return PreparedPatient(CohortPatient(index + 2, f"P{index}", site, {}, {}, record), {})


USED = [
    patient(0, "B", THERAPY="chemotherapy", HISTOLOGY="adenocarcinoma"),
    patient(1, "A", THERAPY="chemotherapy"),
    patient(2, "B"),
]
REFUSED = replace(patient(3, "C"), refusal="no axial T2")


def test_patients_are_counted_by_site_therapy_and_histology_with_those_nobody_wrote_down() -> None:
    found = provenance(USED, [*USED, REFUSED], FOLDS, SETTINGS)
    assert found["patients"] == 3
    assert list(found["sites"].items()) == [("A", 1), ("B", 2)]
    assert found["therapies"] == {"chemotherapy": 2, "unknown": 1}
    assert found["histologies"] == {"adenocarcinoma": 1, "unknown": 2}


def test_who_was_left_out_is_named_with_why() -> None:
    assert provenance(USED, [*USED, REFUSED], FOLDS, SETTINGS)["left_out"] == ["P3: no axial T2"]


def test_what_decides_the_weights_is_recorded_and_what_does_not_is_not() -> None:
    found = provenance(USED, USED, FOLDS, SETTINGS)
    assert {name: found[name] for name in ("seed", "threads", "device", "paper_mode")} == {
        "seed": 7,
        "threads": 2,
        "device": "cpu",
        "paper_mode": False,
    }
    assert "workers" not in found
    assert found["folds_sha256"] != provenance(USED, USED, FOLDS[::-1], SETTINGS)["folds_sha256"]


@pytest.mark.parametrize(
    ("truth", "words"),
    [
        ({}, "cohort, 3 patients, 2 sites"),
        ({TimePoint.BASELINE: Path("mask.nii")}, "simulated cohort (restage phantom), 3 patients, 2 sites"),
    ],
)
def test_words_say_whether_the_patients_are_simulated(truth: dict[TimePoint, Path], words: str) -> None:
    patients = tuple(replace(one.patient, truth=truth) for one in USED)
    assert cohort_words(Cohort(Path("c"), patients, "ab"), USED) == words


def test_beds_that_were_learnt_from_are_counted_and_where_there_are_none_nothing_is_said() -> None:
    found = provenance([replace(USED[0], beds=frozenset({TimePoint.RESTAGING})), *USED[1:]], USED, FOLDS, SETTINGS)
    assert found["tumour_beds"] == {"restaging": 1}
    assert "tumour_beds" not in provenance(USED, USED, FOLDS, SETTINGS)
