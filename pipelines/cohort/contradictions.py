"""What cannot be true together in one row of ``cohort.csv``, though each cell alone may stand."""

from __future__ import annotations

from datetime import date

from pipelines.cohort.cohort import CohortPatient
from pipelines.cohort.row import BASELINE_DATE, EXAM_DATES, FOLLOW_UP_DATE, RESTAGING_DATE, Row
from pipelines.contract import Item

# (later, earlier, whether the same day is possible). One clear sentence for each follows from the names.
ORDER: tuple[tuple[str, str, bool], ...] = (
    (Item.THERAPY_END, Item.THERAPY_START, True),
    (RESTAGING_DATE, BASELINE_DATE, False),
    (RESTAGING_DATE, Item.THERAPY_START, False),
    (Item.SURGERY_DATE, Item.THERAPY_END, True),
    (Item.SURGERY_DATE, BASELINE_DATE, True),
    (Item.SURGERY_DATE, RESTAGING_DATE, True),
    (FOLLOW_UP_DATE, Item.SURGERY_DATE, True),
)
GOOD_GRADES = ("AJCC-0", "AJCC-1")


def check_together(row: Row, patient: CohortPatient) -> None:
    """Add to ``row.problems`` what its cells say against each other."""
    _check_days(row, patient)
    grade = patient.record.word(Item.TRG_AJCC)
    if grade and patient.good_response is not None and patient.good_response is not (grade in GOOD_GRADES):
        row.say("good_response", f"{int(patient.good_response)} contradicts trg_ajcc {grade}: 1 is AJCC-0 or AJCC-1")
    tumour, nodes = patient.record.word(Item.YPT_STAGE), patient.record.word(Item.YPN_STAGE)
    if tumour and nodes and patient.complete_response is not None:
        complete = (tumour, nodes) == ("ypT0", "ypN0")
        if patient.complete_response is not complete:
            said = f"{int(patient.complete_response)} contradicts {tumour} {nodes}: 1 is ypT0 ypN0"
            row.say("complete_response", said)


def _check_days(row: Row, patient: CohortPatient) -> None:
    days: dict[str, date | None] = {column: patient.days.get(when) for when, column in EXAM_DATES.items()}
    days[FOLLOW_UP_DATE] = row.day(FOLLOW_UP_DATE)
    days |= {item: patient.record.day(item) for item in (Item.THERAPY_START, Item.THERAPY_END, Item.SURGERY_DATE)}
    for later, earlier, same in ORDER:
        second, first = days[later], days[earlier]
        if second is None or first is None or second > first or (same and second == first):
            continue
        row.say(later, f"{second} is {'before' if second < first else 'the day of'} {earlier} {first}")
