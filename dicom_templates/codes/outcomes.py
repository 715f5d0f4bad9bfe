"""The outcomes that a system may predict, each with its published definition.

A definition says what the event is, from when to when it counts, and what happens to patients who are lost or die of
something else; without these a percentage means nothing. The categories are private codes, not CID 3118 ("High risk",
15508007, …): a viewer that prints values without their names would show a bare "High risk", which beside *good*
response reads as its opposite and beside a metastasis does not say of what. Every meaning therefore names its outcome,
"likelihood" where the outcome is wanted and "risk" where it is feared.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from dicom_templates.codes.private import PrivateCode
from dicom_templates.errors import TemplateError
from pipelines.contract import COMPLETE_RESPONSE, GOOD_RESPONSE, METASTASIS, RECURRENCE, Likelihood, PredictionSet


@dataclass(frozen=True)
class Remaining:
    """Words and codes of prediction sets: ``present`` and ``absent`` alone, ``both`` after "both"; ``by``: the horizon.

    Where the horizon stands beside them the words do without it.
    """

    present: str
    absent: str
    both: str
    by: str
    expected: PrivateCode
    excluded: PrivateCode
    refer: PrivateCode

    def words(self, possible: PredictionSet) -> str:
        """What remains possible, without its horizon."""
        return self.both if possible.refer else self.present if possible.event else self.absent

    def code(self, possible: PredictionSet) -> PrivateCode:
        """The code of a set."""
        return self.refer if possible.refer else self.expected if possible.event else self.excluded


@dataclass(frozen=True)
class Outcome:
    """A predicted outcome: the concept of its probability and the words its category may take.

    ``words`` follow "Probability of"; ``short`` is for a card, a column or a disagreement. ``favourable``: a high
    probability is good news. ``event_free``: what a curve of this outcome gives; None for what is no event in time.
    ``horizon``: the months from time zero that the probability is for; one of :data:`HORIZONS`, None without time.
    ``remaining``: what remains possible of a patient: the outcome alone, its absence alone, or both.
    """

    words: str
    short: str
    favourable: bool
    probability: PrivateCode
    categories: dict[Likelihood, PrivateCode]
    remaining: Remaining
    event_free: PrivateCode | None = None
    horizon: int | None = None


_THRESHOLDS = {
    Likelihood.HIGH: "The probability is above the upper threshold stored with the model, fixed on its training data.",
    Likelihood.MODERATE: "The probability is between the two thresholds stored with the model.",
    Likelihood.LOW: "The probability is below the lower threshold stored with the model.",
    Likelihood.UNCERTAIN: (
        "The limits of the probability span more than one category, or the case is outside the envelope."
    ),
}


def _categories(prefix: str, of_what: str) -> dict[Likelihood, PrivateCode]:
    return {
        category: PrivateCode(f"{prefix}_{category.name}", f"{category.name.capitalize()} {of_what}", definition)
        for category, definition in _THRESHOLDS.items()
    }


def _remaining(prefix: str, present: str, absent: str, both: str, by: str = "") -> Remaining:
    stated = "at the coverage that SET_COVERAGE states"
    return Remaining(
        present,
        absent,
        both,
        by,
        PrivateCode(
            f"{prefix}_EXPECTED",
            f"At stated confidence: {present}{by}",
            f"The model's training cohort rules out the absence of the outcome, {stated}.",
        ),
        PrivateCode(
            f"{prefix}_EXCLUDED",
            f"At stated confidence: {absent}{by}",
            f"The model's training cohort rules out the outcome, {stated}.",
        ),
        PrivateCode(
            f"{prefix}_REFER",
            f"REFER: {present} neither expected nor excluded",
            f"Neither the outcome nor its absence is ruled out, {stated}, or the case is outside the envelope: the "
            "model leaves the decision to a reader.",
        ),
    )


_COMPETING = (
    "Time zero: the day of surgery. Horizon: 36 months. Event: distant metastasis, proven by histology or imaging. "
    "Patients without the event are censored at last follow-up; those lost before 36 months are no event and no proof "
    "of its absence. Competing risk: death without metastasis ends the observation (cause-specific), so the number is "
    "the risk where nobody died of something else first."
)
OUTCOMES: Final[dict[str, Outcome]] = {
    GOOD_RESPONSE: Outcome(
        words="good response (TRG 0–1)",
        short="good response",
        favourable=True,
        probability=PrivateCode(
            "P_GOODRESP",
            "Probability of good response",
            "Predicted probability, in percent, of pathological tumour regression grade AJCC/CAP 0 or 1 in the "
            "resected specimen after neoadjuvant therapy. Horizon: the resection. Event: grade 0 or 1. No censoring: "
            "patients without a graded specimen are not in the training cohort.",
        ),
        categories=_categories("GR", "likelihood of good response"),
        remaining=_remaining("GR", "good response", "poor response", "good and poor response"),
    ),
    COMPLETE_RESPONSE: Outcome(
        words="complete response (ypT0 ypN0)",
        short="complete response",
        favourable=True,
        probability=PrivateCode(
            "P_CR",
            "Probability of complete response",
            "Predicted probability, in percent, of pathological complete response, ypT0 ypN0, in the resected specimen "
            "after neoadjuvant therapy. Horizon: the resection. Event: no viable tumour in wall or nodes. No "
            "censoring: patients who were not resected, watch and wait included, are not in the training cohort.",
        ),
        categories=_categories("CR", "likelihood of complete response"),
        remaining=_remaining("CR", "complete response", "residual tumour", "complete response and residual tumour"),
    ),
    METASTASIS: Outcome(
        words="distant metastasis within 36 months of surgery",
        short="distant metastasis",
        favourable=False,
        probability=PrivateCode(
            "P_DM",
            "Probability of distant metastasis within 36 months",
            f"Predicted probability, in percent. {_COMPETING}",
        ),
        categories=_categories("DM", "risk of distant metastasis"),
        remaining=_remaining(
            "DM",
            "distant metastasis",
            "no distant metastasis",
            "distant metastasis and freedom from it",
            " by 36 months",
        ),
        horizon=36,
        event_free=PrivateCode(
            "EVENT_FREE_DM",
            "Predicted share free of distant metastasis",
            f"A group that holds the curve of one model at several times, for the event of P_DM. {_COMPETING}",
        ),
    ),
    RECURRENCE: Outcome(
        words="recurrence or death within 36 months of surgery",
        short="recurrence or death",
        favourable=False,
        probability=PrivateCode(
            "P_DFS_EVENT",
            "Probability of recurrence or death within 36 months",
            "Predicted probability, in percent, of the end of disease-free survival. Time zero: the day of surgery. "
            "Horizon: 36 months. Event: local recurrence, distant metastasis, or death of any cause, whichever is "
            "first, so no risk competes. Patients without the event are censored at last follow-up; those lost before "
            "36 months are no event and no proof of its absence.",
        ),
        categories=_categories("DFS", "risk of recurrence or death"),
        remaining=_remaining(
            "DFS",
            "recurrence or death",
            "neither recurrence nor death",
            "an event (recurrence or death) and freedom from it",
            " by 36 months",
        ),
        horizon=36,
        event_free=PrivateCode(
            "EVENT_FREE_DFS",
            "Predicted share alive without recurrence",
            "A group that holds the curve of one model at several times, for the event of P_DFS_EVENT.",
        ),
    ),
}


def outcome(name: str) -> Outcome:
    """The published outcome of this name. Raises TemplateError: a number without a definition is not sent."""
    found = OUTCOMES.get(name)
    if found is None:
        raise TemplateError(f"outcome {name!r} has no published definition; known: {', '.join(OUTCOMES)}")
    return found


@dataclass(frozen=True)
class Horizon:
    """The share of patients without the event at one time, with its limits."""

    months: int
    share: PrivateCode
    lower: PrivateCode
    upper: PrivateCode


def _horizon(months: int) -> Horizon:
    at = f"event-free share at {months} months"
    where = "In percent, on the patient's predicted curve. The finding of the group names the event, TIME_ZERO month 0."
    return Horizon(
        months,
        PrivateCode(f"EF_{months}", f"Event-free share at {months} months", where),
        PrivateCode(f"EF_{months}_LOWER", f"Lower limit of {at}", where),
        PrivateCode(f"EF_{months}_UPPER", f"Upper limit of {at}", where),
    )


#: Where a curve is read: each share is a concept of its own, so that no group holds two numbers of one name.
HORIZONS: Final = tuple(_horizon(months) for months in (12, 24, 36, 60))
