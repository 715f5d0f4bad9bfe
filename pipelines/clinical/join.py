"""The record of a case: what was imported, joined with what headers and readers' reports of its exams say.

Two sources that agree give the finer value (cT3b refines cT3); two that contradict each other give none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from pipelines.clinical.dated import SUBJECT, Resolved, Stem, finest
from pipelines.clinical.items import ClinicalUnfit, read_value
from pipelines.clinical.phrase import phrase, written
from pipelines.contract import (
    ClinicalRecord,
    ClinicalVariable,
    Code,
    Exam,
    Item,
    Statement,
    TimePoint,
    Value,
    Variable,
)

REPORTED_AS: Mapping[Variable, Stem] = {
    Variable.WALL_THICKNESS: Stem.MWT,
    Variable.MRF_INVOLVEMENT: Stem.CRM,
    Variable.EMVI: Stem.EMVI,
    Variable.TUMOUR_LENGTH: Stem.LENGTH,
    Variable.ANAL_VERGE_DISTANCE: Stem.DTAV,
}
CLINICAL_STAGES: Mapping[Variable, Item] = {Variable.T_STAGE: Item.CT_STAGE, Variable.N_STAGE: Item.CN_STAGE}
LOW_MM, MIDDLE_MM = 50.0, 100.0  # from the anal verge to the tumour's lower edge


@dataclass(frozen=True)
class Said:
    """One value that the case itself gives; ``origin`` follows the value: "reported by …"."""

    item: Item
    value: Value
    on: date
    origin: str


@dataclass
class Joining:
    """A record in the making. Items that were contradicted are struck for good."""

    values: dict[Item, Value]
    origins: dict[Item, str]
    dates: dict[Item, date]
    struck: set[Item] = field(default_factory=set)
    statements: list[Statement] = field(default_factory=list)

    def hear(self, said: Said) -> None:
        """Take a value, refine the one that is there by it, or strike both."""
        item, known = said.item, self.values.get(said.item)
        if item in self.struck:
            return
        if known is not None:
            value = _agreed(item, known, said, self.dates.get(item))
            if value is None:
                self.strike(said)
                return
            if value == known:
                return
        self.values[item], self.dates[item] = said.value, said.on
        self.origins[item] = f"{phrase(item, said.value)}, {said.origin}"

    def strike(self, said: Said) -> None:
        """Two sources contradict each other: neither is used."""
        item = said.item
        known = self.origins.get(item) or f"{phrase(item, self.values[item])}, imported"
        reason = f"{known} and {phrase(item, said.value)}, {said.origin} contradict each other; neither is used"
        self.statements.append(Statement(Code.CLINICAL_CONFLICT, f"{SUBJECT}: {item}", reason))
        self.struck.add(item)
        for kept in (self.values, self.origins, self.dates):
            kept.pop(item, None)

    def unfit(self, item: Item, origin: str, why: ClinicalUnfit) -> None:
        self.statements.append(
            Statement(Code.CLINICAL_UNFIT, f"{SUBJECT}: {item}", f"{origin}: {why}; not used", warning=True)
        )


def join(imported: ClinicalRecord, exams: Sequence[Exam]) -> Resolved:
    """The record of a case with these exams, in order of time; values in the order of :class:`Item`.

    Sex, and age in completed years at the first exam, come from the headers; wall thickness, fascia, EMVI, length and
    distance to the anal verge of each exam, and cT and cN of the baseline, from readers' reports; the location from the
    distance at baseline. CLINICAL_CONFLICT where two sources contradict each other: that item then has no value.
    """
    joining = Joining(dict(imported.values), dict(imported.origins), dict(imported.dates))
    for said in _of_headers(exams):
        joining.hear(said)
    for exam in exams:
        for variable in exam.clinical:
            _hear_reported(joining, exam, variable)
    _locate(joining)
    order = [item for item in Item if item in joining.values]
    record = ClinicalRecord(
        values={item: joining.values[item] for item in order},
        origins={item: joining.origins[item] for item in order if item in joining.origins},
        dates={item: joining.dates[item] for item in order if item in joining.dates},
    )
    return Resolved(record, tuple(joining.statements))


def age_on(born: date, on: date) -> int:
    """Completed years."""
    return on.year - born.year - ((on.month, on.day) < (born.month, born.day))


def _agreed(item: Item, known: Value, said: Said, known_on: date | None) -> Value | None:
    """The value that both say; None where they contradict. An age is compared over the time between the two days."""
    if item is Item.AGE_YEARS and isinstance(known, float) and isinstance(said.value, float):
        passed = 0.0 if known_on is None else (said.on - known_on).days / 365.25
        return said.value if abs(known + passed - said.value) <= 1.0 else None
    return finest([known, said.value])


def _of_headers(exams: Sequence[Exam]) -> Iterator[Said]:
    for item, text_of in ((Item.SEX, _sex), (Item.AGE_YEARS, _age)):
        for exam in exams:
            try:
                value = read_value(item, text_of(exam))
            except ClinicalUnfit:  # blank, or made up when identities were removed: no evidence
                continue
            on = exam.files.study_date
            yield Said(item, value, on, f"from the headers of the {exam.files.time_point} exam of {on}")
            break


def _sex(exam: Exam) -> str:
    return exam.files.patient.sex


def _age(exam: Exam) -> str:
    try:
        born = datetime.strptime(exam.files.patient.birth_date.strip(), "%Y%m%d").date()
    except ValueError:
        return ""
    return str(age_on(born, exam.files.study_date))


def _hear_reported(joining: Joining, exam: Exam, variable: ClinicalVariable) -> None:
    time_point = exam.files.time_point
    if variable.variable in REPORTED_AS:
        item = REPORTED_AS[variable.variable].at(time_point)
    elif variable.variable in CLINICAL_STAGES and time_point is TimePoint.BASELINE:
        item = CLINICAL_STAGES[variable.variable]
    else:
        return
    origin = f"reported by {variable.origin}"
    text = variable.category if variable.millimetres is None else written(float(variable.millimetres))
    try:
        value = read_value(item, f"c{text}" if variable.variable in CLINICAL_STAGES else text)
    except ClinicalUnfit as why:
        joining.unfit(item, origin, why)
        return
    joining.hear(Said(item, value, exam.files.study_date, origin))


def _locate(joining: Joining) -> None:
    """The location by the distance to the anal verge at baseline."""
    distance = joining.values.get(Item.DTAV_BASELINE)
    if not isinstance(distance, float):
        return
    where = "low" if distance <= LOW_MM else "middle" if distance <= MIDDLE_MM else "high"
    origin = joining.origins.get(Item.DTAV_BASELINE) or f"{written(distance)} mm above the anal verge"
    on = joining.dates.get(Item.DTAV_BASELINE)
    known = joining.values.get(Item.LOCATION)
    if known is None and Item.LOCATION not in joining.struck:
        joining.values[Item.LOCATION] = where
        joining.origins[Item.LOCATION] = f"{phrase(Item.LOCATION, where)}, by its {origin}"
        if on is not None:
            joining.dates[Item.LOCATION] = on
    elif known is not None and known != where:
        joining.strike(Said(Item.LOCATION, where, on or date.min, f"by its {origin}"))
