"""Taking clinical values back: what was imported by mistake no longer counts, and stays as history."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import structlog
from sqlalchemy import Connection, Row

from node.clinical import currents_of, held_issuers, is_held, owner_of, retire
from node.database import Database
from node.errors import NotFound, RestageError
from pipelines.clinical.dated import Stem
from pipelines.contract import TimePoint

log = structlog.get_logger()


@dataclass(frozen=True)
class Named:
    """The values that a person names. ``on`` None: of every day. ``issuer`` None: of the one patient with this ID."""

    patient_id: str
    item: str
    on: date | None = None
    issuer: str | None = None


class RetractionRefused(RestageError):
    """What a person asked for would take back values of several patients."""


def retract(database: Database, named: Named) -> Sequence[Row[Any]]:
    """Take values back; the rows as they were. The patient, where held, is planned anew with the next tick.

    What a retracted value had replaced does not count again. A value without an issuer is of the patient of the only
    issuer that is held. Raises NotFound, saying what there is, and RetractionRefused where several patients' values
    are named.
    """
    with database.transaction() as connection:
        issuers = held_issuers(connection, [named.patient_id])
        theirs = _theirs(connection, named, issuers)
        found = [row for row in theirs if row.item == named.item and named.on in (None, date.fromisoformat(row.date))]
        if not found:
            raise NotFound(_nothing(named, theirs))
        owners = {owner_of(row.patient_id, row.issuer, issuers) for row in found}
        if len(owners) > 1:
            said = ", ".join(repr(owner) for owner in sorted(owners))
            raise RetractionRefused(
                f"{named.item} is known of patients of several issuers under ID {named.patient_id!r}: "
                f"name one with --issuer ({said}; '' names none)"
            )
        held = is_held(named.patient_id, owners.pop(), issuers)
        retire(connection, [row.id for row in found], planned=not held)
    log.info("clinical.retracted", values=len(found))
    return found


def retracted(rows: Collection[Row[Any]]) -> set[int]:
    """Of every row under a patient ID those that were taken back: they count no more, and no later one is there."""
    return {row.id for row in rows if not row.current and not any(_follows(other, row) for other in rows)}


def _theirs(connection: Connection, named: Named, issuers: Mapping[str, set[str]]) -> list[Row[Any]]:
    rows = currents_of(connection, [named.patient_id])
    return [row for row in rows if named.issuer in (None, owner_of(row.patient_id, row.issuer, issuers))]


def _nothing(named: Named, theirs: Sequence[Row[Any]]) -> str:
    day = "" if named.on is None else f" of {named.on}"
    issuer = "" if named.issuer is None else f", issuer {named.issuer!r},"
    nothing = f"no {named.item}{day} counts of patient {named.patient_id!r}{issuer}"
    same = [row for row in theirs if row.item == named.item] or theirs
    if not same:
        return f"{nothing}, and no other clinical value does"
    known = sorted({f"{row.item} of {row.date}" for row in same})
    return f"{nothing}; there is {', '.join(known)}"


def _follows(later: Row[Any], row: Row[Any]) -> bool:
    """Whether a row took the place of another one, or came after it was taken back."""
    names = {row.item, *(Stem(row.item).at(when) for when in TimePoint if row.item in set(Stem))}
    alike = later.issuer == row.issuer or "" in (later.issuer, row.issuer)
    return later.id > row.id and alike and later.date == row.date and later.item in names
