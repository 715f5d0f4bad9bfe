"""A bundle's predictions beside what became of the patients and, of simulated ones, what could have become of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pipelines.bundle import Bundle
from pipelines.cohort.cohort import Cohort, CohortPatient, FollowUp
from pipelines.evaluation.prediction import Numbers, Predicted, Prediction
from pipelines.phantom.oracle import EventTruth, expected_auc, expected_concordance
from pipelines.phantom.probabilities import RESPONSES, Outcome

Flags = NDArray[np.bool_]
UNSTATED = "not stated"
"""The hospital of patients of whom the cohort names none."""


@dataclass(frozen=True)
class Judged:
    """The n ``patients`` are those of the cohort whom its owner does not exclude; all arrays have their order."""

    bundle: Bundle
    cohort: Cohort
    patients: tuple[CohortPatient, ...]
    predicted: Predicted

    @property
    def excluded(self) -> tuple[CohortPatient, ...]:
        """Whom the cohort's owner leaves out, with the reason in ``excluded``."""
        return tuple(patient for patient in self.cohort.patients if patient.excluded)

    @property
    def survival(self) -> bool:
        """Whether the system predicts an event in time, so that the C-index is its first figure."""
        return self.default.outcome not in RESPONSES

    @property
    def default(self) -> Prediction:
        """The model that the node uses first."""
        return self.of(self.predicted.default)

    @property
    def truth_known(self) -> bool:
        """Whether the patients' true probabilities are known, so that there is an oracle."""
        return self.cohort.truth is not None

    @property
    def trained_on_it(self) -> bool:
        """Whether the bundle learnt from this cohort, or was calibrated on it: its figures then say nothing of other
        patients."""
        return bool(self.cohort.digest) and self.cohort.digest in self.bundle.manifest.learnt_from

    @cached_property
    def sites(self) -> NDArray[np.str_]:
        """(n,): the site of each patient, ``UNSTATED`` where the cohort names none."""
        return np.array([patient.site or UNSTATED for patient in self.patients])

    def of(self, model: str) -> Prediction:
        """The predictions of a model by name. KeyError where the bundle has none of that name."""
        return {prediction.model: prediction for prediction in self.predicted.predictions}[model]

    def has(self, model: str) -> bool:
        return any(prediction.model == model for prediction in self.predicted.predictions)

    @cached_property
    def _truth_rows(self) -> NDArray[np.int64]:
        rows = {patient.patient_id: row for row, patient in enumerate(self.cohort.patients)}
        return np.array([rows[patient.patient_id] for patient in self.patients], dtype=np.int64)

    def true(self, prediction: Prediction) -> Numbers | None:
        """(n,): the true probability given what the model is shown; None for real patients."""
        if self.cohort.truth is None:
            return None
        return self.cohort.truth.probability(prediction.outcome, prediction.shown)[self._truth_rows]

    def events(self, outcome: Outcome) -> EventTruth | None:
        """What the patients' event times were drawn from; None for real patients and for responses."""
        truth = self.cohort.truth.events(outcome) if self.cohort.truth else None
        if truth is None:
            return None
        rows = self._truth_rows
        return EventTruth(truth.hazard[rows], truth.competing[rows], truth.observed_months[rows])

    def expected(self, prediction: Prediction, rows: Flags, score: Numbers) -> float | None:
        """The AUC or C-index of a ``score`` of the patients in ``rows``, averaged over all outcomes of the prediction's
        that they could have had, given what it is shown; None for real patients and where there is no pair."""
        true = self.true(prediction)
        if true is None or rows.sum() < 2:
            return None
        events = self.events(prediction.outcome)
        if events is None:
            return expected_auc(true[rows], score)
        chosen = EventTruth(events.hazard[rows], events.competing[rows], events.observed_months[rows])
        return expected_concordance(chosen, score)

    def responded(self, outcome: Outcome) -> Numbers:
        """(n,): 1 with the response, 0 without, NaN where nobody knows."""
        return np.array([_response(patient, outcome) for patient in self.patients], dtype=np.float64)

    def followed(self, outcome: Outcome) -> tuple[Numbers, Flags]:
        """(n,) each: months from surgery (NaN where there was no follow-up), and whether they end with the event."""
        courses = [_course(patient, outcome) for patient in self.patients]
        months = [course.months if course else np.nan for course in courses]
        return np.array(months, dtype=np.float64), np.array([course is not None and course.event for course in courses])

    def known(self, outcome: Outcome) -> Flags:
        """(n,): whose outcome, or course, is known at all."""
        return np.isfinite(self.responded(outcome) if outcome in RESPONSES else self.followed(outcome)[0])

    def judgeable(self, prediction: Prediction) -> Flags:
        """(n,): whom the model has the inputs for, and whose outcome is known."""
        return prediction.covered & self.known(prediction.outcome)


def _response(patient: CohortPatient, outcome: Outcome) -> float:
    answer = patient.good_response if outcome is Outcome.GOOD_RESPONSE else patient.complete_response
    return np.nan if answer is None else float(answer)


def _course(patient: CohortPatient, outcome: Outcome) -> FollowUp | None:
    return patient.metastasis if outcome is Outcome.METASTASIS else patient.recurrence


def together(judged: Judged, predictions: Sequence[Prediction]) -> Flags:
    """(n,): whom every one of the models can be judged by, so that they are compared on the same patients."""
    rows = np.ones(len(judged.patients), dtype=bool)
    for prediction in predictions:
        rows &= judged.judgeable(prediction)
    return rows
