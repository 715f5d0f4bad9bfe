"""What every manifest says of how its bundle came to be: the cohort, who was left out, and what the run was told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from pipelines.bundle import UNRECORDED
from pipelines.cohort.cohort import Cohort
from pipelines.cohort.cut import PreparedPatient
from pipelines.cohort.folds import folds_digest
from pipelines.contract import Item
from pipelines.training.settings import TrainingSettings


def cohort_words(cohort: Cohort, patients: Sequence[PreparedPatient]) -> str:
    """The patients a model learnt from, in words."""
    source = "simulated cohort (restage phantom)" if cohort.simulated else "cohort"
    return f"{source}, {len(patients)} patients, {len({one.patient.site for one in patients})} sites"


def provenance(
    patients: Sequence[PreparedPatient],
    prepared: Sequence[PreparedPatient],
    folds: NDArray[Any],
    settings: TrainingSettings,
) -> dict[str, Any]:
    """``patients``: who was learnt from, in the ``folds`` (patients,); ``prepared``: everybody, those refused too."""
    return {
        "seed": settings.seed,
        "threads": settings.threads,
        "device": settings.device,
        "paper_mode": settings.paper_mode,
        "patients": len(patients),
        "folds_sha256": folds_digest([one.patient for one in patients], folds),
        "left_out": [f"{one.patient.patient_id}: {one.refusal}" for one in prepared if one.refusal],
        "sites": dict(sorted(Counter(one.patient.site for one in patients).items())),
        "therapies": _counted(patients, Item.THERAPY),
        "histologies": _counted(patients, Item.HISTOLOGY),
    } | _beds(patients)


def _beds(patients: Sequence[PreparedPatient]) -> dict[str, Any]:
    """How many exams were learnt from in the tumour bed, by time point; said where there are any."""
    counted = Counter(str(when) for one in patients for when in one.beds)
    return {"tumour_beds": dict(sorted(counted.items()))} if counted else {}


def _counted(patients: Sequence[PreparedPatient], item: Item) -> dict[str, int]:
    return dict(sorted(Counter(one.patient.record.word(item) or UNRECORDED for one in patients).items()))
