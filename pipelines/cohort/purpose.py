"""What each system is made for: which outcome and exams it needs, after which therapy, for which tumours.

The same table decides which rows of a cohort a system may learn from or be judged by, and which patients of a hospital
it scores. A therapy or histology that nobody recorded stops nothing; one that is recorded and was not foreseen does.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipelines.cohort.cohort import Cohort, CohortPatient
from pipelines.cohort.read import FILE, CohortError, read_table, whole
from pipelines.contract import ClinicalRecord, Code, InputUnfit, Item, TimePoint
from pipelines.exams_needed import EXAMS_NEEDED

_NEOADJUVANT = frozenset(
    {"chemotherapy", "chemoradiotherapy", "total neoadjuvant therapy", "short-course radiotherapy"}
)
OUTCOMES: Mapping[str, Callable[[CohortPatient], object | None]] = {
    "good_response": lambda patient: patient.good_response,
    "complete_response": lambda patient: patient.complete_response,
    "metastasis_months": lambda patient: patient.metastasis,
    "dfs_months": lambda patient: patient.recurrence,
}


@dataclass(frozen=True)
class Purpose:
    """What a system is made for. ``outcome_column``: of ``OUTCOMES``, or '' where it needs none.

    ``time_points``: the exams that a patient must have. ``therapies`` and ``histologies``: words of
    :mod:`pipelines.clinical.items`; empty: any.
    """

    system: str
    outcome_column: str
    time_points: frozenset[TimePoint]
    therapies: frozenset[str] = frozenset()
    histologies: frozenset[str] = frozenset()

    def outcome(self, patient: CohortPatient) -> object | None:
        """The patient's outcome that the system predicts, None where it is not known."""
        return OUTCOMES[self.outcome_column](patient) if self.outcome_column else None


PURPOSES: Mapping[str, Purpose] = {
    "segmenter": Purpose("segmenter", "", EXAMS_NEEDED["segmenter"]),
    # Zhang et al., section 2.1: mucinous and signet-ring tumours excluded. Its patients had chemotherapy alone, those
    # of the metastasis paper chemoradiotherapy: which therapies a bundle has seen stands in the bundle.
    "signature_svm": Purpose(
        "signature_svm", "good_response", EXAMS_NEEDED["signature_svm"], _NEOADJUVANT, frozenset({"adenocarcinoma"})
    ),
    # Liu X. et al., section 2.1: biopsy-proven rectal cancer of any histology.
    "dlrs_nomogram": Purpose(
        "dlrs_nomogram",
        "metastasis_months",
        EXAMS_NEEDED["dlrs_nomogram"],
        _NEOADJUVANT,
        frozenset({"adenocarcinoma", "mucinous adenocarcinoma", "signet-ring cell carcinoma"}),
    ),
    # Jin et al. 2021: two exams, before and after neoadjuvant therapy. Mucin stays bright and diffuses freely after its
    # cells are gone, so that what tells a complete response elsewhere says nothing there: adenocarcinoma alone.
    "rp_net": Purpose(
        "rp_net", "complete_response", EXAMS_NEEDED["rp_net"], _NEOADJUVANT, frozenset({"adenocarcinoma"})
    ),
    # Liu Z. et al. 2025: locally advanced rectal cancer before neoadjuvant therapy and surgery, of any histology.
    "multi_rec_net": Purpose(
        "multi_rec_net",
        "dfs_months",
        EXAMS_NEEDED["multi_rec_net"],
        _NEOADJUVANT,
        frozenset({"adenocarcinoma", "mucinous adenocarcinoma", "signet-ring cell carcinoma"}),
    ),
}


def read_for(folder: Path, purpose: Purpose) -> Cohort:
    """Read a cohort folder for one system.

    Raises
    ------
    CohortError
        Naming every problem of the table and every row the system was not made for, before any exam is read.
    """
    table = read_table(folder)
    found = [*table.problems, *_problems(table.patients, purpose, whole_table=not table.problems)]
    if found:
        raise CohortError(folder / FILE, found)
    return whole(folder, table)


def usable(cohort: Cohort, purpose: Purpose) -> tuple[CohortPatient, ...]:
    """The patients that are not excluded and suit the purpose; of a cohort without ``problems``, all not excluded."""
    kept = (patient for patient in cohort.patients if not patient.excluded)
    return tuple(p for p in kept if not any(_patient_problems(p, purpose, demand_outcome=True)))


def problems(cohort: Cohort, purpose: Purpose) -> list[str]:
    """Why a system can neither learn from this cohort nor be judged by it, row by row; excluded patients are passed."""
    return list(_problems(cohort.patients, purpose, whole_table=True))


def check_scope(record: ClinicalRecord, purpose: Purpose) -> None:
    """Whether a patient is of those the system was made for, as far as therapy and histology are known.

    Raises
    ------
    InputUnfit
        OUTSIDE_INTENDED_USE, naming the value and what the system was made for.
    """
    for item, reason in _outside(record, purpose):
        raise InputUnfit(Code.OUTSIDE_INTENDED_USE, f"the patient's {item} is {reason}")


def _problems(patients: Sequence[CohortPatient], purpose: Purpose, whole_table: bool) -> Iterator[str]:
    kept = [patient for patient in patients if not patient.excluded]
    if not kept and whole_table:
        yield "every patient is excluded"
    # One sentence instead of one per row, where nobody ever wrote the outcome down.
    absent = bool(kept) and bool(purpose.outcome_column) and all(purpose.outcome(patient) is None for patient in kept)
    if absent:
        yield f"row 1: column '{purpose.outcome_column}' is missing, or empty in every row; {purpose.system} needs it"
    for patient in kept:
        yield from _patient_problems(patient, purpose, demand_outcome=not absent)


def _patient_problems(patient: CohortPatient, purpose: Purpose, demand_outcome: bool) -> Iterator[str]:
    remedy = "or say in column excluded why this patient is left out"
    if purpose.outcome_column and demand_outcome and purpose.outcome(patient) is None:
        yield f"row {patient.line}, column '{purpose.outcome_column}': is empty; fill it in, {remedy}"
    for time_point in TimePoint:
        if time_point in purpose.time_points and time_point not in patient.exams:
            said = f"is empty; {purpose.system} reads this exam: give its folder, {remedy}"
            yield f"row {patient.line}, column '{time_point}': {said}"
    for item, reason in _outside(patient.record, purpose):
        yield f"row {patient.line}, column '{item}': {reason}; say in column excluded why this patient is left out"


def _outside(record: ClinicalRecord, purpose: Purpose) -> Iterator[tuple[Item, str]]:
    for item, allowed in ((Item.THERAPY, purpose.therapies), (Item.HISTOLOGY, purpose.histologies)):
        word = record.word(item)
        if word and allowed and word not in allowed:
            yield item, f"'{word}', and {purpose.system} was made for {_listed(allowed)}"


def _listed(words: Collection[str]) -> str:
    *others, last = sorted(words)
    return f"{', '.join(others)} or {last}" if others else last


def out_of_scope(record: ClinicalRecord, system: str) -> str:
    """What ``check_scope`` refuses a patient for, in words; '' where it does not."""
    try:
        check_scope(record, PURPOSES[system])
    except InputUnfit as unfit:
        return str(unfit)
    return ""
