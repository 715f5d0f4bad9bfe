"""Clinical values of patients: imported from a table, kept with all that they replaced, and found again by patient."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, TypeVar

import structlog
from sqlalchemy import Connection, Row, and_, insert, select, update

from node.clinical_file import VALUES, PatientValue, TableUnfit
from node.database import Database
from node.due import PatientKey
from node.schema import clinical_value_table, study_table
from node.therapy import Therapy
from pipelines.clinical.dated import DatedValue, Name, Stem, therapy_days
from pipelines.clinical.items import ClinicalUnfit, read_value
from pipelines.clinical.phrase import written
from pipelines.contract import Item, TimePoint

log = structlog.get_logger()

BATCH = 500  # bound parameters of one query
T = TypeVar("T")


@dataclass(frozen=True)
class Replaced:
    """A value that a newer import took the place of."""

    patient_id: str
    item: str
    on: str
    old: str
    new: str


@dataclass(frozen=True)
class Import:
    """What an import did. ``unknown``: patients of whom no study is held yet; their values wait."""

    values: int
    patients: int
    new: int
    replaced: tuple[Replaced, ...]
    unknown: tuple[str, ...]


def import_values(database: Database, values: Sequence[PatientValue]) -> Import:
    """Keep all values of one table, or none. The newer value wins for the same patient, item and day; what it replaces
    stays as history, and the value that counts already changes nothing. Patients who are held are planned anew. Where
    patients of one issuer alone are held under an ID, a value that names no issuer is of the same patient as one that
    names it.

    Raises TableUnfit where a value names no issuer, and patients of several issuers are held under its ID, or where two
    values are of one patient, item and day, the issuer named once.
    """
    ids = sorted({one.patient_id for one in values})
    with database.transaction() as connection:
        issuers = held_issuers(connection, ids)
        _refuse_ambiguous(values, issuers)
        known = _current(connection, issuers)
        rows, retired, replaced = [], [], []
        for one in _once(values, issuers):
            olds = [known.get(key, []) for key in _same(one, issuers)]
            counting = [rows_there[-1] for rows_there in olds if rows_there]
            text = written(one.dated.value)
            if any((old.item, old.value) == (one.dated.name, text) for old in counting):
                continue
            retired += [old.id for rows_there in olds for old in rows_there]
            replaced += [_replaced(old, text) for old in counting if old.value != text]
            rows.append(_row(one, planned=not is_held(one.patient_id, one.issuer, issuers)))
        retire(connection, retired)
        if rows:
            connection.execute(insert(clinical_value_table), rows)
    unknown = {one.patient_id for one in values if not is_held(one.patient_id, one.issuer, issuers)}
    done = Import(len(values), len(ids), len(rows), tuple(replaced), tuple(sorted(unknown)))
    log.info("clinical.imported", values=done.values, patients=done.patients, new=done.new)
    return done


def rows_of(connection: Connection, patient_id: str) -> Sequence[Row[Any]]:
    """Every row under a patient ID, whoever issued it, those that were replaced too; by item, day and time."""
    table = clinical_value_table
    order = (table.c.issuer, table.c.item, table.c.date, table.c.id)
    return connection.execute(select(table).where(table.c.patient_id == patient_id).order_by(*order)).all()


def current_rows(connection: Connection, keys: Iterable[PatientKey]) -> dict[PatientKey, list[Row[Any]]]:
    """What counts of these patients, by item and day.

    A value without an issuer is of the patient with its ID, as long as patients of one issuer alone have that ID. Of
    two values of one item and day the one imported later counts.
    """
    keys = list(keys)
    issuers = held_issuers(connection, sorted({key.patient_id for key in keys}))
    found: dict[str, list[Row[Any]]] = {}
    for row in currents_of(connection, list(issuers)):
        found.setdefault(row.patient_id, []).append(row)
    return {key: _theirs(key, found.get(key.patient_id, ()), issuers[key.patient_id]) for key in keys}


def values_of(connection: Connection, key: PatientKey) -> tuple[DatedValue, ...]:
    """What counts of a patient, typed. What this program no longer takes as a value is left out."""
    values = []
    for row in current_rows(connection, [key])[key]:
        name = VALUES.get(row.item)
        try:
            if name is not None:
                value = read_value(_item(name), row.value)
                values.append(DatedValue(name, value, date.fromisoformat(row.date), row.source))
        except ClinicalUnfit:
            log.warning("clinical.unreadable", row=row.id, item=row.item)
    return tuple(values)


def values_of_study(connection: Connection, study_uid: str) -> tuple[DatedValue, ...]:
    """What counts of the patient whose study this is."""
    table = study_table
    row = connection.execute(select(table.c.patient_id, table.c.issuer).where(table.c.study_uid == study_uid)).first()
    return () if row is None else values_of(connection, PatientKey(row.patient_id, row.issuer))


def therapy_of(connection: Connection, key: PatientKey) -> Therapy:
    """When the patient's therapy began and ended, where that is known."""
    days = therapy_days(values_of(connection, key))
    return Therapy(days.day(Item.THERAPY_START), days.day(Item.THERAPY_END))


def unplanned(connection: Connection, key: PatientKey) -> list[int]:
    """The rows with which a patient is to be planned."""
    table = clinical_value_table
    theirs = and_(table.c.patient_id == key.patient_id, table.c.issuer.in_(("", key.issuer)))
    return list(connection.execute(select(table.c.id).where(theirs, table.c.planned.is_(False))).scalars())


def mark_planned(connection: Connection, ids: Sequence[int]) -> None:
    table = clinical_value_table
    for some in _batches(ids):
        connection.execute(update(table).where(table.c.id.in_(some)).values(planned=True))


def held_issuers(connection: Connection, ids: Sequence[str]) -> dict[str, set[str]]:
    """The issuers under which studies of each patient ID are held."""
    table = study_table
    issuers: dict[str, set[str]] = {patient_id: set() for patient_id in ids}
    for some in _batches(ids):
        query = select(table.c.patient_id, table.c.issuer).where(table.c.patient_id.in_(some)).distinct()
        for row in connection.execute(query):
            issuers[row.patient_id].add(row.issuer)
    return issuers


def is_held(patient_id: str, issuer: str, issuers: Mapping[str, set[str]]) -> bool:
    """Whether a study of the patient of a value is held; ``issuers`` as :func:`held_issuers` gives them."""
    held = issuers[patient_id]
    return issuer in held if issuer else bool(held)


def owner_of(patient_id: str, issuer: str, issuers: Mapping[str, set[str]]) -> str:
    """The issuer of whose patient a value is: where it names none, the only one that is held, else ''."""
    held = issuers[patient_id]
    return next(iter(held)) if not issuer and len(held) == 1 else issuer


def currents_of(connection: Connection, ids: Sequence[str]) -> list[Row[Any]]:
    """Current rows under these patient IDs, in the order in which they were imported."""
    table = clinical_value_table
    rows: list[Row[Any]] = []
    for some in _batches(ids):
        here = and_(table.c.patient_id.in_(some), table.c.current)
        rows += connection.execute(select(table).where(here).order_by(table.c.id)).all()
    return rows


def retire(connection: Connection, ids: Sequence[int], **marks: bool) -> None:
    """These rows no longer count; they stay as history."""
    table = clinical_value_table
    for some in _batches(ids):
        connection.execute(update(table).where(table.c.id.in_(some)).values(current=False, **marks))


def _batches(many: Sequence[T]) -> Iterator[Sequence[T]]:
    return (many[start : start + BATCH] for start in range(0, len(many), BATCH))


def _refuse_ambiguous(values: Sequence[PatientValue], issuers: Mapping[str, set[str]]) -> None:
    problems = {
        one.line: f"row {one.line}, column issuer: is blank, and {len(held)} issuers have this patient_id here"
        for one in values
        if not one.issuer and len(held := issuers[one.patient_id]) > 1
    }
    if problems:
        raise TableUnfit(values[0].dated.source, list(problems.values()))


def _once(values: Sequence[PatientValue], issuers: Mapping[str, set[str]]) -> list[PatientValue]:
    """Each value once, whether its row names the issuer or not. Raises TableUnfit where two contradict each other."""
    found: dict[_Place, PatientValue] = {}
    problems = []
    for one in values:
        before = found.setdefault(_same(one, issuers)[0], one)
        if before.dated.value != one.dated.value:
            what = f"another value than row {before.line} gives this patient and day, the issuer named once"
            problems.append(f"row {one.line}, column {one.dated.name}: {what}")
    if problems:
        raise TableUnfit(values[0].dated.source, problems)
    return list(found.values())


_Place = tuple[str, str, str, str]


def _current(connection: Connection, issuers: Mapping[str, set[str]]) -> dict[_Place, list[Row[Any]]]:
    """The current rows of each held patient, item and day; the last of them counts."""
    found: dict[_Place, list[Row[Any]]] = {}
    for row in currents_of(connection, list(issuers)):
        place = (row.patient_id, owner_of(row.patient_id, row.issuer, issuers), row.item, row.date)
        found.setdefault(place, []).append(row)
    return found


def _same(one: PatientValue, issuers: Mapping[str, set[str]]) -> list[_Place]:
    """Its own place, and those whose rows it takes the place of too: one that names its exam replaces one that named
    none."""
    names = [one.dated.name, *(stem for stem in Stem if one.dated.name in {stem.at(when) for when in TimePoint})]
    owner = owner_of(one.patient_id, one.issuer, issuers)
    return [(one.patient_id, owner, str(name), one.dated.on.isoformat()) for name in names]


def _replaced(old: Row[Any], new: str) -> Replaced:
    return Replaced(old.patient_id, old.item, old.date, old.value, new)


def _row(one: PatientValue, planned: bool) -> dict[str, object]:
    dated = one.dated
    return {
        "patient_id": one.patient_id,
        "issuer": one.issuer,
        "item": str(dated.name),
        "value": written(dated.value),
        "date": dated.on.isoformat(),
        "source": dated.source,
        "imported_at": time.time(),
        "current": True,
        "planned": planned,
    }


def _theirs(key: PatientKey, rows: Iterable[Row[Any]], issuers: set[str]) -> list[Row[Any]]:
    alone = issuers <= {key.issuer}  # else of which of them a row without issuer speaks is not known
    mine = [row for row in rows if (row.issuer == key.issuer if row.issuer else alone)]
    latest = {(row.item, row.date): row for row in mine}
    return [latest[place] for place in sorted(latest)]


def _item(name: Name) -> Item:
    return name.at(TimePoint.BASELINE) if isinstance(name, Stem) else name
