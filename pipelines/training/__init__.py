"""Training of every system from a cohort folder: ``train`` is what ``restage train`` calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pipelines.bundle import Bundle
from pipelines.systems.final_stage import INNER_FOLDS
from pipelines.training.cohort import Cohort, CohortError, CohortPatient, read_cohort
from pipelines.training.prepare import PreparedPatient, PrepareSettings, prepare_cohort
from pipelines.training.segmenter import train_segmenter
from pipelines.training.settings import Progress, TrainingSettings, silent
from pipelines.training.signature_svm import train_signature_svm

__all__ = ["SYSTEMS", "Cohort", "CohortError", "CohortPatient", "Progress", "TrainingSettings", "read_cohort", "train"]

Trainer = Callable[[Cohort, Sequence[PreparedPatient], Path, TrainingSettings, Progress], Bundle]
TRAINERS: Mapping[str, Trainer] = {"segmenter": train_segmenter, "signature_svm": train_signature_svm}
SYSTEMS = tuple(TRAINERS)


def train(
    system: str, cohort: Path, out: Path, settings: TrainingSettings | None = None, progress: Progress = silent
) -> Path:
    """Train one system on a cohort folder and write its bundle to ``out``; returns ``out``.

    The same cohort, settings and machine give the same bundle. Exams are read once and kept in ``COHORT/.cache``.

    Raises
    ------
    CohortError
        Naming every problem of the cohort with its row and column, before anything is trained.
    BundleError
        Where ``out`` is a folder with something else in it.
    ValueError
        For a system that is not in ``SYSTEMS``.
    """
    if system not in TRAINERS:
        raise ValueError(f"'{system}' is no system to train; there are {', '.join(SYSTEMS)}")
    chosen = settings or TrainingSettings()
    read = read_cohort(cohort)
    parameters = PrepareSettings(chosen.segmenter.size.spacing, chosen.signature.rule, chosen.signature.views)
    prepared = prepare_cohort(read, parameters, chosen.workers, progress)
    _demand_enough(read, prepared, chosen)
    TRAINERS[system](read, prepared, out, chosen, progress)
    return out


def _demand_enough(cohort: Cohort, prepared: Sequence[PreparedPatient], settings: TrainingSettings) -> None:
    """Every outcome needs a patient in every fold, inner folds included."""
    needed = max(2 * settings.signature.folds, 2 * INNER_FOLDS)
    for outcome in (True, False):
        usable = [p for p in prepared if not p.refusal and p.patient.good_response is outcome]
        if len(usable) < needed:
            refused = [f"{p.patient.patient_id}: {p.refusal}" for p in prepared if p.refusal]
            words = f"column 'good_response': {len(usable)} usable patients have {int(outcome)}, {needed} are needed"
            raise CohortError(cohort.folder / "cohort.csv", [words, *refused])
