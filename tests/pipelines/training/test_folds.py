from __future__ import annotations

import numpy as np
import pytest

from pipelines.training.cohort import CohortPatient
from pipelines.training.folds import folds_digest, patient_folds


def patients(count: int = 97) -> list[CohortPatient]:
    rng = np.random.default_rng(3)
    return [
        CohortPatient(f"P{i:03d}", "ABC"[int(rng.integers(3))], {}, {}, bool(rng.random() < 0.3)) for i in range(count)
    ]


def test_a_patient_is_never_in_two_folds() -> None:
    twice = [*patients(), *patients()[::3]]
    folds = patient_folds(twice, 5, seed=1)
    seen: dict[str, set[int]] = {}
    for patient, fold in zip(twice, folds, strict=True):
        seen.setdefault(patient.patient_id, set()).add(int(fold))
    assert all(len(found) == 1 for found in seen.values())


def test_a_patient_given_with_two_sites_and_outcomes_is_still_in_one_fold() -> None:
    other = [CohortPatient(p.patient_id, "Z", {}, {}, not p.good_response) for p in patients()]
    folds = patient_folds([*patients(), *other], 5, seed=1)
    assert np.array_equal(folds[: len(other)], folds[len(other) :])


def test_folds_have_equal_sizes_and_the_same_mix_of_site_and_outcome() -> None:
    cohort = patients(300)
    folds = patient_folds(cohort, 5, seed=1)
    assert np.bincount(folds).tolist() == [60] * 5
    for site in "ABC":
        for outcome in (True, False):
            member = np.array([p.site == site and p.good_response is outcome for p in cohort])
            counts = np.bincount(folds[member], minlength=5)
            assert counts.max() - counts.min() <= 1


def test_folds_depend_on_the_seed_and_not_on_the_order_of_rows() -> None:
    cohort = patients()
    folds = dict(zip([p.patient_id for p in cohort], patient_folds(cohort, 5, seed=1), strict=True))
    turned = cohort[::-1]
    assert all(folds[p.patient_id] == f for p, f in zip(turned, patient_folds(turned, 5, seed=1), strict=True))
    assert not np.array_equal(patient_folds(cohort, 5, seed=1), patient_folds(cohort, 5, seed=2))


def test_the_digest_names_the_assignment() -> None:
    cohort = patients()
    folds = patient_folds(cohort, 5, seed=1)
    assert folds_digest(cohort, folds) == folds_digest(cohort[::-1], folds[::-1])
    assert folds_digest(cohort, folds) != folds_digest(cohort, (folds + 1) % 5)


def test_more_folds_than_patients_are_refused() -> None:
    with pytest.raises(ValueError, match="3 patients cannot be split into 5 folds"):
        patient_folds(patients(3), 5, seed=1)
