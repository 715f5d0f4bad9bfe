"""Whether the scores of several systems can hold together. Where they cannot, both are shown and nothing is averaged.

Two scores of one outcome contradict each other where their categories are opposite (high against low) or their
intervals have no value in common. Outcomes are nested: a complete response (ypT0 ypN0) is a good one, and a distant
metastasis ends disease-free survival, so the narrower outcome can never be the more probable one. Across such a pair
only the impossible direction is a contradiction: a complete response that is likely where a good one is not. Good but
not complete is a common course, and no disagreement.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Final

from pipelines.contract import (
    COMPLETE_RESPONSE,
    GOOD_RESPONSE,
    METASTASIS,
    RECURRENCE,
    Code,
    Likelihood,
    Score,
    Statement,
    in_percent,
)

#: The narrower outcome implies the wider one.
IMPLIES: Final = {COMPLETE_RESPONSE: GOOD_RESPONSE, METASTASIS: RECURRENCE}


def disagreements(scores: Sequence[Score]) -> tuple[Statement, ...]:
    """A SYSTEMS_DISAGREE about the outcomes of each pair of scores that cannot both hold, naming both with numbers.

    A category speaks only where the case is inside the score's envelope, the category is not UNCERTAIN, and the model
    does not refer the patient to a reader; the intervals are compared either way.
    """
    pairs = (_narrower_first(*pair) for pair in combinations(scores, 2))
    return tuple(
        Statement(Code.SYSTEMS_DISAGREE, _about(first, second), f"{_words(first, second)}; {why}")
        for first, second in pairs
        if (why := _contradiction(first, second))
    )


def _narrower_first(first: Score, second: Score) -> tuple[Score, Score]:
    return (second, first) if IMPLIES.get(second.outcome) == first.outcome else (first, second)


def _contradiction(first: Score, second: Score) -> str:
    """Why the two cannot both hold; empty where they can. ``first`` is the narrower outcome of two."""
    same = first.outcome == second.outcome
    if not same and IMPLIES.get(first.outcome) != second.outcome:
        return ""
    reasons = []
    opposite = {(Likelihood.HIGH, Likelihood.LOW)} | ({(Likelihood.LOW, Likelihood.HIGH)} if same else set())
    if _speaks(first) and _speaks(second) and (first.category, second.category) in opposite:
        reasons.append("their categories are opposite")
    if first.lower > second.upper or (same and second.lower > first.upper):
        reasons.append("their intervals do not overlap")
    if not reasons:
        return ""
    implied = "" if same else f", and {first.outcome} implies {second.outcome}"
    return f"{' and '.join(reasons)}{implied}. Neither number was changed: a reader has to judge"


def _speaks(score: Score) -> bool:
    refers = score.possible is not None and score.possible.refer
    return score.envelope.inside and score.category is not Likelihood.UNCERTAIN and not refers


def _about(first: Score, second: Score) -> str:
    return first.outcome if first.outcome == second.outcome else f"{first.outcome} and {second.outcome}"


def _words(first: Score, second: Score) -> str:
    if first.outcome == second.outcome:
        return f"{_name(first)} gives {_numbers(first)}, {_name(second)} {_numbers(second)}"
    return (
        f"{_name(first)} gives {first.outcome} {_numbers(first)}, {_name(second)} gives {second.outcome} "
        f"{_numbers(second)}"
    )


def _numbers(score: Score) -> str:
    """Probability, limits and category: "73 % (61–83 %, high)"."""
    value, lower, upper = (f"{in_percent(one):g}" for one in (score.probability, score.lower, score.upper))
    outside = "" if score.envelope.inside else ", outside its envelope"
    return f"{value} % ({lower}–{upper} %, {score.category}{outside})"


def _name(score: Score) -> str:
    return f"{score.model.name} {score.model.version}"
