"""Patient-level folds, stratified by site and outcome."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipelines.training.cohort import CohortPatient


def patient_folds(patients: Sequence[CohortPatient], count: int, seed: int) -> NDArray[np.intp]:
    """The fold of each patient, 0 … count − 1.

    Within each (site, outcome) stratum patients are shuffled and dealt in turn; the deal goes on from stratum to
    stratum, so that folds differ by one patient at most. All rows of one patient ID get one fold.

    Raises
    ------
    ValueError
        Where there are fewer patients than folds.
    """
    stratum = {patient.patient_id: (patient.site, patient.good_response) for patient in patients}
    strata: dict[tuple[str, bool], list[str]] = {}
    for patient_id in sorted(stratum):
        strata.setdefault(stratum[patient_id], []).append(patient_id)
    dealt = [name for key in sorted(strata) for name in _shuffled(strata[key], seed, key)]
    if len(dealt) < count:
        raise ValueError(f"{len(dealt)} patients cannot be split into {count} folds")
    fold = {patient_id: index % count for index, patient_id in enumerate(dealt)}
    return np.array([fold[patient.patient_id] for patient in patients], dtype=np.intp)


def folds_digest(patients: Sequence[CohortPatient], folds: NDArray[np.intp]) -> str:
    """SHA-256 of the fold manifest: which patient was in which fold."""
    lines = sorted(f"{patient.patient_id}\t{fold}\n" for patient, fold in zip(patients, folds, strict=True))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _shuffled(names: Sequence[str], seed: int, key: tuple[str, bool]) -> list[str]:
    entropy = int.from_bytes(hashlib.sha256(repr(key).encode()).digest()[:4], "big")
    order = np.random.default_rng([seed, entropy]).permutation(len(names))
    return [names[index] for index in order]
