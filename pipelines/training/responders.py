"""What the systems that predict a response ask of a cohort: enough patients with either outcome."""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.cohort.cohort import Cohort
from pipelines.cohort.cut import PreparedPatient
from pipelines.cohort.purpose import Purpose
from pipelines.cohort.read import FILE, CohortError
from pipelines.training.signature_networks import Labels, enough


def demand_enough(
    cohort: Cohort, prepared: Sequence[PreparedPatient], labels: Labels, purpose: Purpose, folds: tuple[int, int]
) -> None:
    """Every outcome needs patients in every fold, inner folds (the second number) included; CohortError where not.

    ``labels``: of those of ``prepared`` who were not refused, whose reasons the error repeats.
    """
    most = max(folds)
    if enough(labels, most, folds[1]):
        return
    refused = [f"{p.patient.patient_id}: {p.refusal}" for p in prepared if p.refusal]
    words = [
        f"column '{purpose.outcome_column}': {count} usable patients have {value}, {2 * most} are needed"
        for value, count in ((1, int(labels.sum())), (0, int((~labels).sum())))
    ]
    raise CohortError(cohort.folder / FILE, [*words, *refused])
