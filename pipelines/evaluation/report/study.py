"""What kind of study an evaluation is, and who was eligible for it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from pipelines.cohort.cohort import Cohort
from pipelines.cohort.purpose import PURPOSES
from pipelines.contract import TimePoint
from pipelines.evaluation.judged import UNSTATED
from pipelines.evaluation.report.wording import listed

PERSON = "**For a person to say:**"


@dataclass(frozen=True)
class Hospitals:
    """Those that a bundle learnt from, () where it does not record them, and those of the patients given."""

    known: tuple[str, ...]
    here: tuple[str, ...]


def objective(hospitals: Hospitals, trained_on_it: bool, simulated: tuple[bool, bool]) -> str:
    """Whether it is of the training patients, of new ones of their hospitals, or of other hospitals. ``simulated``: the
    patients of training, and those given."""
    if trained_on_it:
        return "Apparent performance: these are the patients it learnt from, and the figures say nothing of others."
    learnt, given = simulated
    if learnt and not given:
        return "External evaluation on real patients of a model that learnt from simulated ones."
    new = "" if given else f" {PERSON} that none of these patients was in training."
    named = sorted(set(hospitals.here) - {UNSTATED})
    if not hospitals.known or not named:
        return f"Evaluation on another cohort than that of training. {PERSON} whether of the same hospitals.{new}"
    elsewhere = listed([site for site in named if site not in hospitals.known])
    own = listed([site for site in named if site in hospitals.known])
    if not elsewhere:
        return f"Evaluation on new patients of the training hospitals ({own}): internal, not external.{new}"
    if not own:
        return f"External evaluation, at hospitals that training never saw ({elsewhere}).{new}"
    return f"Evaluation on new patients of training hospitals ({own}), and external at others ({elsewhere}).{new}"


def eligibility(system: str, cohort: Cohort) -> str:
    """Whom the system was made for, and whom the cohort's owner left out of it."""
    purpose = PURPOSES[system]
    exams = listed([f"the {when} exam" for when in TimePoint if when in purpose.time_points])
    asked = [f"Patients with {exams}" + (" and a known outcome" if purpose.outcome_column else "")]
    for name, allowed in (("therapy", purpose.therapies), ("histology", purpose.histologies)):
        asked.append(f"{name}: {', '.join(sorted(allowed)) or 'any'}, or not recorded")
    reasons = Counter(patient.excluded for patient in cohort.patients if patient.excluded)
    words = "; ".join(f"{reason} ({count})" for reason, count in reasons.most_common())
    return f"{'; '.join(asked)}. Excluded by the cohort's owner: {words or 'nobody'}"
