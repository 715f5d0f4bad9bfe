from __future__ import annotations

from dataclasses import replace

import pytest

from pipelines.agreement import disagreements
from pipelines.contract import (
    COMPLETE_RESPONSE,
    GOOD_RESPONSE,
    METASTASIS,
    RECURRENCE,
    Code,
    Envelope,
    Likelihood,
    ModelIdentity,
    PredictionSet,
    Score,
)

HIGH, LOW, MODERATE, UNCERTAIN = Likelihood.HIGH, Likelihood.LOW, Likelihood.MODERATE, Likelihood.UNCERTAIN


def score(
    name: str, outcome: str, numbers: tuple[float, float, float], category: Likelihood, *, inside: bool = True
) -> Score:
    """A score; ``numbers`` are lower limit, probability and upper limit."""
    model = ModelIdentity(name, name, "1.0", "5f2c", "cohort", "90ab", False, "", "")
    lower, probability, upper = numbers
    return Score(model, outcome, probability, lower, upper, "95 %", category, Envelope(inside))


def test_opposite_categories_of_one_outcome_are_a_disagreement() -> None:
    first = score("svm", GOOD_RESPONSE, (0.10, 0.28, 0.52), LOW)
    second = score("net", GOOD_RESPONSE, (0.48, 0.71, 0.85), HIGH)
    (found,) = disagreements([first, second])
    assert found.code is Code.SYSTEMS_DISAGREE
    assert found.subject == GOOD_RESPONSE
    assert found.reason == (
        "svm 1.0 gives 28 % (10–52 %, low), net 1.0 71 % (48–85 %, high); their categories are opposite. Neither "
        "number was changed: a reader has to judge"
    )


def test_intervals_without_a_common_value_are_a_disagreement() -> None:
    first = score("svm", METASTASIS, (0.10, 0.20, 0.30), MODERATE)
    second = score("net", METASTASIS, (0.31, 0.40, 0.60), MODERATE)
    (found,) = disagreements([first, second])
    assert "their intervals do not overlap" in found.reason
    assert "opposite" not in found.reason
    assert disagreements([first, replace(second, lower=0.30)]) == ()  # touching limits share a value


@pytest.mark.parametrize(
    ("narrower", "wider"), [(COMPLETE_RESPONSE, GOOD_RESPONSE), (METASTASIS, RECURRENCE)], ids=["response", "prognosis"]
)
def test_a_part_cannot_be_likelier_than_the_whole(narrower: str, wider: str) -> None:
    part = score("net", narrower, (0.72, 0.83, 0.91), HIGH)
    whole = score("svm", wider, (0.07, 0.16, 0.25), LOW)
    for pair in ([part, whole], [whole, part]):
        (found,) = disagreements(pair)
        assert found.subject == f"{narrower} and {wider}"
        assert (
            f"net 1.0 gives {narrower} 83 % (72–91 %, high), svm 1.0 gives {wider} 16 % (7–25 %, low)" in found.reason
        )
        assert "opposite and their intervals do not overlap" in found.reason
        assert f"{narrower} implies {wider}" in found.reason


def test_good_but_not_complete_is_no_disagreement() -> None:
    complete = score("net", COMPLETE_RESPONSE, (0.02, 0.05, 0.11), LOW)
    good = score("svm", GOOD_RESPONSE, (0.71, 0.84, 0.93), HIGH)
    assert disagreements([complete, good]) == disagreements([good, complete]) == ()


def test_outcomes_that_say_nothing_of_each_other_are_not_compared() -> None:
    good = score("svm", GOOD_RESPONSE, (0.80, 0.90, 0.97), HIGH)
    metastasis = score("dlrs", METASTASIS, (0.02, 0.05, 0.11), LOW)
    assert disagreements([good, metastasis]) == ()


@pytest.mark.parametrize(("category", "inside"), [(UNCERTAIN, True), (HIGH, False)], ids=["uncertain", "outside"])
def test_a_category_that_cannot_be_relied_on_counts_by_its_interval_alone(category: Likelihood, inside: bool) -> None:
    low = score("svm", GOOD_RESPONSE, (0.10, 0.20, 0.45), LOW)
    overlapping = score("net", GOOD_RESPONSE, (0.40, 0.60, 0.80), category, inside=inside)
    apart = replace(overlapping, lower=0.50)
    assert disagreements([low, overlapping]) == ()
    (found,) = disagreements([low, apart])
    assert "their intervals do not overlap" in found.reason
    assert "opposite" not in found.reason
    assert ("outside its envelope" in found.reason) is not inside


def test_a_system_that_refers_contradicts_nobody_by_its_category() -> None:
    low = score("svm", GOOD_RESPONSE, (0.10, 0.20, 0.45), LOW)
    high = score("net", GOOD_RESPONSE, (0.40, 0.60, 0.80), HIGH)
    assert len(disagreements([low, high])) == 1
    refers = replace(high, possible=PredictionSet(0.9, event=True, no_event=True))
    assert disagreements([low, refers]) == ()
    assert len(disagreements([low, replace(high, possible=PredictionSet(0.9, event=True, no_event=False))])) == 1


def test_every_pair_that_cannot_hold_is_named() -> None:
    scores = [
        score("a", GOOD_RESPONSE, (0.05, 0.10, 0.20), LOW),
        score("b", GOOD_RESPONSE, (0.70, 0.80, 0.90), HIGH),
        score("c", COMPLETE_RESPONSE, (0.60, 0.70, 0.80), HIGH),
    ]
    found = disagreements(scores)
    assert [statement.subject for statement in found] == [GOOD_RESPONSE, f"{COMPLETE_RESPONSE} and {GOOD_RESPONSE}"]


def test_one_score_and_none_agree_with_themselves() -> None:
    assert disagreements([]) == disagreements([score("a", GOOD_RESPONSE, (0.1, 0.2, 0.3), LOW)]) == ()
