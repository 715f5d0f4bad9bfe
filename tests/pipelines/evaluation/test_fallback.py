from __future__ import annotations

import numpy as np

from pipelines.contract import Envelope
from pipelines.evaluation.fallback import Candidate, Candidates, spread
from pipelines.phantom.probabilities import InformationSet, Outcome
from pipelines.systems.signature_svm import Assessed

NAN = np.nan


def candidate(model: str, probability: list[float], youden: float, clinical: bool = False) -> Candidate:
    values = np.array(probability)
    return Candidate(
        model, clinical, {"low": 0.3, "high": 0.7, "youden": youden}, Assessed(values, values - 0.05, values + 0.05)
    )


def candidates(*found: Candidate) -> Candidates:
    envelopes = {row: Envelope(row != 3) for row in range(4)}
    return Candidates(Outcome.GOOD_RESPONSE, found, ("full", "plain"), envelopes, 4)


BOTH = candidates(
    candidate("plain", [0.1, 0.2, 0.8, 0.9], youden=0.5),
    candidate("full", [NAN, NAN, 0.9, NAN], youden=0.4, clinical=True),
    candidate("full", [NAN, 0.6, 0.5, NAN], youden=0.6, clinical=True),
)


def test_the_node_scores_each_patient_by_the_first_model_and_subset_that_has_all_inputs() -> None:
    assert BOTH.used == ("plain", "full", "full", "plain")
    shown = BOTH.node()
    assert shown.probability.tolist() == [0.1, 0.6, 0.9, 0.9]
    assert shown.thresholds.tolist() == [0.5, 0.6, 0.4, 0.5]
    assert shown.categories is not None
    assert shown.categories.tolist() == ["low", "moderate", "high", "uncertain"]  # the last lies outside the envelope


def test_a_model_alone_says_nothing_of_whom_it_lacks_inputs_of_and_is_measured_by_what_it_reads() -> None:
    full, plain = BOTH.prediction("full"), BOTH.prediction("plain")
    assert np.isnan(full.probability).tolist() == [True, False, False, True]
    assert full.shown is InformationSet.PAIR_CLINICAL
    assert plain.shown is InformationSet.PAIR
    assert plain.threshold == 0.5


def test_the_report_is_about_the_next_model_where_the_usual_one_covers_nobody_and_says_so() -> None:
    none = candidates(candidate("plain", [0.1] * 4, 0.5), candidate("full", [NAN] * 4, 0.4))
    assert BOTH.default() == ("full", "")
    name, why = none.default()
    assert name == "plain"
    assert why.startswith("full covers nobody here")


def test_what_is_known_of_some_is_spread_over_the_cohort() -> None:
    found = spread(Assessed(np.array([0.4]), np.array([0.3]), np.array([0.5])), np.array([2]), 4)
    assert np.isnan(found.probability).tolist() == [True, True, False, True]
    assert (found.lower[2], found.upper[2]) == (0.3, 0.5)
