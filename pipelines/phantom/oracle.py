"""What a perfect model could reach on a synthetic cohort, and what a given score is worth on average.

One draw of labels misleads: with 600 patients the share of the oracle that a model seems to reach has a standard
deviation of 0.04–0.05. With the truth known nothing has to be drawn: both figures here are averages over all outcomes
that these patients could have had.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from pipelines.phantom.patient import VirtualPatient
from pipelines.phantom.probabilities import InformationSet, Outcome
from pipelines.phantom.row import PROBABILITY_COLUMNS
from pipelines.phantom.signal import noise_free_adc
from pipelines.phantom.survival import HORIZON_MONTHS, SHAPE, draw_time

Numbers = NDArray[np.float64]


def expected_auc(true: Numbers, score: Numbers) -> float:
    """The AUC of ``score`` averaged over outcomes drawn anew from the ``true`` probabilities.

    A pair (i, j) counts as (event, none) with weight p_i (1 − p_j); ties count half. Both of shape (patients,).
    """
    weight = np.outer(true, 1.0 - true)
    np.fill_diagonal(weight, 0.0)
    return float((weight * _ordered(score)).sum() / weight.sum())


def _ordered(score: Numbers) -> Numbers:
    """1 where the first of a pair scores higher, ½ where both score the same."""
    return (np.sign(score[:, None] - score[None, :]) + 1.0) / 2.0


@dataclass(frozen=True)
class EventTruth:
    """What event times are drawn from. Shape (patients,) each: cumulative hazard of the event and of what would
    prevent it by 36 months, and the months of follow-up of a patient who lives."""

    hazard: Numbers
    competing: Numbers
    observed_months: Numbers


def expected_concordance(truth: EventTruth, risk: Numbers) -> float:
    """Harrell's C-index of ``risk`` (higher: earlier), averaged over event times drawn anew.

    A pair counts where i has the event while j is still under observation and free of it. With hazards proportional to
    t^1.1 that has probability h_i / Σ · (1 − exp(−Σ τ)), Σ the sum of both patients' hazards of either kind and
    τ = (m / 36)^1.1 at the shorter follow-up m: so no time is drawn at all. It is the ratio of the expected numbers of
    concordant and comparable pairs.
    """
    own = truth.hazard + truth.competing
    total = own[:, None] + own[None, :]
    shorter = np.minimum(truth.observed_months[:, None], truth.observed_months[None, :])
    weight = truth.hazard[:, None] / total * -np.expm1(-total * (shorter / HORIZON_MONTHS) ** SHAPE)
    np.fill_diagonal(weight, 0.0)
    return float((weight * _ordered(risk)).sum() / weight.sum())


def redraw(truth: EventTruth, rng: Generator) -> tuple[Numbers, NDArray[np.bool_]]:
    """(months, event) of another course of the same patients, for figures that have no closed average."""
    count = truth.hazard.size
    event = draw_time(1.0 - rng.random(count), truth.hazard)
    with np.errstate(divide="ignore"):
        other = draw_time(1.0 - rng.random(count), truth.competing)
    end = np.minimum(other, truth.observed_months)
    return np.minimum(event, end), event <= end


@dataclass(frozen=True)
class CohortTruth:
    """The truth of a cohort by column of cohort.csv, NaN where a number is missing or not one; words as they stand."""

    numbers: Mapping[str, Numbers]
    words: Mapping[str, tuple[str, ...]]

    def probability(self, outcome: Outcome, shown: InformationSet) -> Numbers:
        return self.numbers[PROBABILITY_COLUMNS[outcome, shown]]

    def events(self, outcome: Outcome) -> EventTruth | None:
        """What times are drawn from; None for a response, which has no time. Of a recurrence, death is a part."""
        spread, death = self.numbers["hazard_metastasis"], self.numbers["hazard_death"]
        months = self.numbers["observed_months"]
        if outcome is Outcome.METASTASIS:
            return EventTruth(spread, death, months)
        if outcome is Outcome.RECURRENCE:
            return EventTruth(spread + self.numbers["hazard_local_recurrence"] + death, np.zeros_like(death), months)
        return None


def read_truth(folder: Path) -> CohortTruth:
    """The truth of a written cohort. Raises OSError, and ValueError where cohort.csv is not a synthetic cohort's."""
    with (folder / "cohort.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    needed = {*PROBABILITY_COLUMNS.values(), "hazard_metastasis", "observed_months"}
    if not lines or needed - set(lines[0]):
        raise ValueError(f"{folder / 'cohort.csv'} lacks the true probabilities of a synthetic cohort")
    words = {name: tuple(line[name] for line in lines) for name in lines[0]}
    return CohortTruth({name: np.array([_number(v) for v in values]) for name, values in words.items()}, words)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


def truth_of(patients: Sequence[VirtualPatient]) -> CohortTruth:
    """The same for patients of whom no image was made: probabilities, hazards, and what was planted in the tumour."""
    numbers = {
        column: np.array([patient.probabilities[key] for patient in patients])
        for key, column in PROBABILITY_COLUMNS.items()
    }
    hazards = [patient.hazards for patient in patients]
    latents = [patient.latents for patient in patients]
    after = [noise_free_adc(p.latents.d_post, p.latents.k_post, p.site.b_values) for p in patients]
    numbers |= {
        "hazard_metastasis": np.array([h.metastasis for h in hazards]),
        "hazard_local_recurrence": np.array([h.local_recurrence for h in hazards]),
        "hazard_death": np.array([h.other_death for h in hazards]),
        "observed_months": np.array([patient.follow_up.observed_months for patient in patients]),
        "d_restaging": np.array([x.d_post for x in latents]),
        "k_restaging": np.array([x.k_post for x in latents]),
        "volume_baseline_cm3": np.array([x.volume_pre for x in latents]),
        "volume_restaging_cm3": np.array([x.volume_post for x in latents]),
        "adc_restaging": np.array(after),
    }
    return CohortTruth(numbers, {"site": tuple(patient.site.name for patient in patients)})


def oracle(truth: CohortTruth) -> dict[str, dict[str, dict[str, float]]]:
    """By outcome and information set: the expected AUC of the true probabilities, for outcomes with a time the expected
    C-index of ranking by them, and the mean probability."""
    table: dict[str, dict[str, dict[str, float]]] = {}
    for (outcome, shown), column in PROBABILITY_COLUMNS.items():
        p, events = truth.numbers[column], truth.events(outcome)
        cell = {"auc": expected_auc(p, p), "mean": float(p.mean())}
        if events is not None:
            cell["c_index"] = expected_concordance(events, p)
        table.setdefault(str(outcome), {})[str(shown)] = cell
    return table


def adc_alone(truth: CohortTruth) -> float:
    """Expected AUC for good response of the planted ADC after therapy, averaged over sites weighted by their patients:
    ADCs of different b-sets are not compared."""
    p, adc = truth.probability(Outcome.GOOD_RESPONSE, InformationSet.PAIR), truth.numbers["adc_restaging"]
    sites = np.array(truth.words["site"])
    names = [name for name in np.unique(sites) if (sites == name).sum() > 1]
    parts = [expected_auc(p[sites == name], adc[sites == name]) for name in names]
    return float(np.average(parts, weights=[(sites == name).sum() for name in names]))
