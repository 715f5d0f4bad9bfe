"""The true probability of each outcome given each information set: what a perfect model with these inputs would say.

What a set does not hold is summed out exactly (words) or over 32 equally likely values (response latents that the
baseline exam does not show). A value that is missing in a patient's record is not known to any set. Age is known to
every set: it stands in the header of every image. The probabilities suppose that the images show what was planted:
noise, and series that were not acquired, are the model's problem.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import numpy as np

from pipelines.phantom.latents import Latents, response_given_baseline
from pipelines.phantom.survival import (
    DECISIVE,
    Hazards,
    any_event,
    incidence,
    local_hazard,
    metastasis_hazard,
    other_death,
)
from pipelines.phantom.words import BASELINE_WORDS, PATHOLOGY_WORDS, RESTAGING_WORDS, Cells, cells


class Outcome(StrEnum):
    """What is predicted. The last two: within 36 months of surgery (recurrence: metastasis, local or death)."""

    GOOD_RESPONSE = "good_response"
    COMPLETE_RESPONSE = "complete_response"
    METASTASIS = "metastasis_36m"
    RECURRENCE = "recurrence_36m"


class InformationSet(StrEnum):
    """What a model sees: the baseline exam or both, without or with the clinical words of that time; and pathology.

    ``BASELINE_PATHOLOGY``: the baseline exam and its clinical words, and ypN: what a postoperative prognosis sees that
    looks at no restaging exam.
    """

    BASELINE = "baseline"
    BASELINE_CLINICAL = "baseline_clinical"
    PAIR = "pair"
    PAIR_CLINICAL = "pair_clinical"
    BASELINE_PATHOLOGY = "baseline_pathology"
    PATHOLOGY = "pathology"


CLINICAL = BASELINE_WORDS + RESTAGING_WORDS
HOLDS: dict[InformationSet, tuple[str, ...]] = {
    InformationSet.BASELINE: (),
    InformationSet.BASELINE_CLINICAL: BASELINE_WORDS,
    InformationSet.PAIR: (),
    InformationSet.PAIR_CLINICAL: CLINICAL,
    InformationSet.BASELINE_PATHOLOGY: (*BASELINE_WORDS, "ypn"),
    InformationSet.PATHOLOGY: CLINICAL + PATHOLOGY_WORDS,
}
RESPONSES = frozenset({Outcome.GOOD_RESPONSE, Outcome.COMPLETE_RESPONSE})
BASELINE_ONLY = frozenset(
    {InformationSet.BASELINE, InformationSet.BASELINE_CLINICAL, InformationSet.BASELINE_PATHOLOGY}
)
AFTER_SURGERY = frozenset({InformationSet.BASELINE_PATHOLOGY, InformationSet.PATHOLOGY})
Probabilities = dict[tuple[Outcome, InformationSet], float]


def _of_cells(latents: Latents, age_years: float, seen: Cells) -> dict[Outcome, float]:
    spreading, natural = metastasis_hazard(latents.spread, seen), other_death(age_years)
    recurring = spreading + local_hazard(latents.spread, seen) + natural
    values = {
        Outcome.GOOD_RESPONSE: seen.of("trg_ajcc", (1.0, 1.0, 0.0, 0.0)),
        Outcome.COMPLETE_RESPONSE: seen.of("trg_ajcc", (1.0, 0.0, 0.0, 0.0)) * seen.of("ypn", (1.0, 0.0, 0.0)),
        Outcome.METASTASIS: incidence(spreading, natural),
        Outcome.RECURRENCE: any_event(recurring),
    }
    return {outcome: float((seen.weight * value).sum()) for outcome, value in values.items()}


def true_probabilities(latents: Latents, age_years: float, recorded: Mapping[str, str]) -> Probabilities:
    """P(outcome | set) for each pair that makes sense: response is known once pathology is.

    ``recorded``: the patient's words by name (``words.WORDS``), without those that are missing.
    """
    unseen = response_given_baseline(latents)
    both = np.array([latents.response_index])
    found: Probabilities = {}
    for shown, names in HOLDS.items():
        known = {name: recorded[name] for name in names if name in recorded}
        r = unseen if shown in BASELINE_ONLY else both
        values = _of_cells(latents, age_years, cells(latents, r, known, DECISIVE))
        for outcome, value in values.items():
            if shown not in AFTER_SURGERY or outcome not in RESPONSES:
                found[outcome, shown] = value
    return found


def true_hazards(latents: Latents, age_years: float, words: Mapping[str, str]) -> Hazards:
    """The hazards that this patient's times are drawn from; ``words`` must be complete."""
    everything = cells(latents, np.array([latents.response_index]), words, DECISIVE)
    return Hazards(
        metastasis=metastasis_hazard(latents.spread, everything).item(),
        local_recurrence=local_hazard(latents.spread, everything).item(),
        other_death=other_death(age_years),
    )
