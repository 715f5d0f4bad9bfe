"""Patient-level folds and inner splits, stratified by site and outcome."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Sequence

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from pipelines.cohort.cohort import CohortPatient, FollowUp

HORIZON_MONTHS = 36.0


def survival_label(follow_up: FollowUp, horizon: float = HORIZON_MONTHS) -> str:
    """The stratum of a course: an event by ``horizon`` months, censored before, or free of it then."""
    if follow_up.event and follow_up.months <= horizon:
        return "event"
    return "free" if follow_up.months >= horizon else "censored"


def patient_folds(
    patients: Sequence[CohortPatient], strata: Sequence[Hashable], count: int, seed: int
) -> NDArray[np.intp]:
    """The fold of each patient, 0 … count − 1.

    ``strata``: a label per patient, the outcome as a rule (a bool or a word: what prints alike is alike). Within each
    (site, label) patients are shuffled and dealt in turn; the deal goes on from one to the next, so that folds differ
    by one patient at most. All rows of one patient ID get one fold, whatever their site and label.

    Raises
    ------
    ValueError
        Where there are fewer patients than folds.
    """
    dealt = [name for stratum in _shuffled(patients, strata, seed) for name in stratum]
    if not 1 <= count <= len(dealt):
        raise ValueError(f"{len(dealt)} patients cannot be split into {count} folds")
    fold = {patient_id: index % count for index, patient_id in enumerate(dealt)}
    return np.array([fold[patient.patient_id] for patient in patients], dtype=np.intp)


def inner_split(
    patients: Sequence[CohortPatient], strata: Sequence[Hashable], share: float, seed: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows of ``patients`` to train on, and rows (about ``share`` of the patients) that say when to stop.

    Stratified as :func:`patient_folds` does it; all rows of one patient ID are on the same side. Both are sorted and
    neither is empty.

    Raises
    ------
    ValueError
        Where ``share`` is not between 0 and 1, or there are fewer than two patients.
    """
    if not 0.0 < share < 1.0:
        raise ValueError(f"a share of {share:g} for validation is not between 0 and 1")
    dealt = [name for stratum in _shuffled(patients, strata, seed) for name in stratum]
    if len(dealt) < 2:
        raise ValueError(f"{len(dealt)} patients cannot be split in two")
    wanted = min(max(round(share * len(dealt)), 1), len(dealt) - 1)
    # Spread evenly along the deal, so that every stratum gives its share; the first one not always on the same side.
    start = np.random.default_rng(seed).random()
    chosen = {dealt[int((step + start) * len(dealt) / wanted)] for step in range(wanted)}
    validation = np.array([patient.patient_id in chosen for patient in patients], dtype=bool)
    return np.flatnonzero(~validation), np.flatnonzero(validation)


def folds_digest(patients: Sequence[CohortPatient], folds: NDArray[np.intp]) -> str:
    """SHA-256 of the fold manifest: which patient was in which fold."""
    lines = sorted(f"{patient.patient_id}\t{fold}\n" for patient, fold in zip(patients, folds, strict=True))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _shuffled(patients: Sequence[CohortPatient], strata: Sequence[Hashable], seed: int) -> list[list[str]]:
    """Patient IDs by (site, label), each group in an order that depends on its key and the seed alone."""
    keys = {p.patient_id: (p.site, repr(label)) for p, label in zip(patients, strata, strict=True)}
    groups: dict[tuple[str, str], list[str]] = {}
    for patient_id in sorted(keys):
        groups.setdefault(keys[patient_id], []).append(patient_id)
    return [[groups[key][i] for i in _generator(seed, key).permutation(len(groups[key]))] for key in sorted(groups)]


def _generator(seed: int, key: tuple[str, str]) -> Generator:
    entropy = int.from_bytes(hashlib.sha256(repr(key).encode()).digest()[:4], "big")
    return np.random.default_rng([seed, entropy])
