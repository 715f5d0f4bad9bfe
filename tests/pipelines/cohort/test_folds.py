from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from pipelines.cohort.cohort import CohortPatient, FollowUp
from pipelines.cohort.folds import folds_digest, inner_split, patient_folds, survival_label
from pipelines.contract import UNKNOWN


def patient(name: str, site: str, good: bool) -> CohortPatient:
    return CohortPatient(2, name, site, {}, {}, UNKNOWN, good_response=good)


def patients(count: int = 97) -> list[CohortPatient]:
    rng = np.random.default_rng(3)
    return [patient(f"P{i:03d}", "ABC"[int(rng.integers(3))], bool(rng.random() < 0.3)) for i in range(count)]


def outcome(cohort: list[CohortPatient]) -> list[bool | None]:
    return [p.good_response for p in cohort]


def folds_of(cohort: list[CohortPatient], count: int = 5, seed: int = 1) -> np.ndarray:
    return patient_folds(cohort, outcome(cohort), count, seed)


def sides_of(cohort: list[CohortPatient], seed: int = 1) -> np.ndarray:
    train, validation = inner_split(cohort, outcome(cohort), 0.2, seed)
    assert sorted([*train, *validation]) == list(range(len(cohort)))
    return np.isin(np.arange(len(cohort)), validation).astype(int)


@pytest.mark.parametrize("split", [folds_of, sides_of])
def test_a_patient_is_never_on_two_sides(split: Callable[[list[CohortPatient]], np.ndarray]) -> None:
    moved = [patient(p.patient_id, "Z", not p.good_response) for p in patients()[::2]]
    tried = [*patients(), *patients()[::3], *moved]
    seen: dict[str, set[int]] = {}
    for one, fold in zip(tried, split(tried), strict=True):
        seen.setdefault(one.patient_id, set()).add(int(fold))
    assert len(seen) == 97
    assert all(len(found) == 1 for found in seen.values())


def test_folds_have_equal_sizes_and_the_same_mix_of_site_and_outcome() -> None:
    cohort = patients(300)
    folds = folds_of(cohort)
    assert np.bincount(folds).tolist() == [60] * 5
    for site in "ABC":
        for good in (True, False):
            member = np.array([p.site == site and p.good_response is good for p in cohort])
            counts = np.bincount(folds[member], minlength=5)
            assert counts.max() - counts.min() <= 1


def test_folds_depend_on_the_seed_and_not_on_the_order_of_rows() -> None:
    cohort = patients()
    folds = dict(zip([p.patient_id for p in cohort], folds_of(cohort), strict=True))
    turned = cohort[::-1]
    assert all(folds[p.patient_id] == f for p, f in zip(turned, folds_of(turned), strict=True))
    assert not np.array_equal(folds_of(cohort), folds_of(cohort, seed=2))


def test_the_digest_names_the_assignment() -> None:
    cohort = patients()
    folds = folds_of(cohort)
    assert folds_digest(cohort, folds) == folds_digest(cohort[::-1], folds[::-1])
    assert folds_digest(cohort, folds) != folds_digest(cohort, (folds + 1) % 5)


def test_more_folds_than_patients_are_refused() -> None:
    with pytest.raises(ValueError, match="3 patients cannot be split into 5 folds"):
        folds_of(patients(3))


def test_an_inner_split_takes_its_share_of_every_site_and_outcome() -> None:
    cohort = patients(300)
    sides = sides_of(cohort)
    assert sides.sum() == 60
    for site in "ABC":
        for good in (True, False):
            member = np.array([p.site == site and p.good_response is good for p in cohort])
            assert abs(sides[member].sum() - 0.2 * member.sum()) <= 1
    assert not np.array_equal(sides, sides_of(cohort, seed=2))


def test_neither_side_of_an_inner_split_is_empty() -> None:
    two = [patient("P1", "A", True), patient("P2", "A", True)]
    for share in (0.01, 0.99):
        train, validation = inner_split(two, outcome(two), share, 1)
        assert (train.size, validation.size) == (1, 1)
    with pytest.raises(ValueError, match="1 patients cannot be split in two"):
        inner_split(two[:1], [True], 0.2, 1)
    with pytest.raises(ValueError, match="share"):
        inner_split(two, outcome(two), 1.0, 1)


def test_a_censored_patient_is_never_an_event() -> None:
    assert survival_label(FollowUp(12, True)) == "event"
    assert survival_label(FollowUp(12, False)) == "censored"
    assert survival_label(FollowUp(36, False)) == "free"
    assert survival_label(FollowUp(40, True)) == "free"  # of it at 36 months
