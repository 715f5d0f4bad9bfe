"""What the node holds, waits for and could not do: per patient, exams, pairs, jobs and deliveries, with reasons."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table as RichTable
from rich.tree import Tree
from sqlalchemy import Connection, Row, Select, Table, select

from node.clinical import current_rows
from node.database import Database
from node.due import owners
from node.evidence import missing
from node.schema import (
    commitment_item_table,
    delivery_table,
    job_table,
    pair_table,
    result_table,
    search_table,
    series_table,
    study_table,
)

# Why something waits, where its row has no reason of its own.
_EXAM_WAITS = {
    "RECEIVING": "still arriving: complete after [settle] quiet_seconds without a new object",
    "SETTLED": "complete: planned as soon as no study of this patient is arriving any more",
}
_JOB_WAITS = {"READY": "waits for a worker", "CLAIMED": "is being worked on"}
_DELIVERY_WAITS = {
    "DUE": "waits to be sent",
    "CLAIMED": "is being sent",
    "KEPT": "shadow mode: computed and kept, not sent",
}
_CLINICAL = ("item", "value", "date", "source")
_DELIVERIES = (
    select(
        delivery_table,
        result_table.c.pair_id,
        result_table.c.kind,
        result_table.c.version,
        result_table.c.sop_uid,
        commitment_item_table.c.reason.label("kept"),
    )
    .join(result_table)
    .outerjoin(commitment_item_table, commitment_item_table.c.delivery_id == delivery_table.c.id)
    .order_by(delivery_table.c.id)
)
_SEARCH_WAITS = {
    "DUE": "waits until nothing of the patient is arriving, and the peer can be reached",
    "CLAIMED": "searching",
}
_GOOD = {"PLANNED", "READY", "DONE", "SENT", "VERIFIED", "COMMITTED", "FETCHED"}
_BAD = {"QUARANTINED", "DECLINED", "FAILED", "HELD", "WITHDRAWN", "OTHER_PATIENT", "DESTINATION_UNKNOWN", "REFUSED"}


def read_status(database: Database) -> dict[str, Any]:
    """Everything, as plain data for ``status --json``."""
    with database.reading() as connection:
        studies = _rows(connection, study_table, study_table.c.first_received_at)
        series = _grouped(_rows(connection, series_table, series_table.c.series_uid), "study_uid")
        pairs = _rows(connection, pair_table, pair_table.c.id)
        jobs = _grouped(_rows(connection, job_table, job_table.c.version), "pair_id")
        deliveries = _grouped(_deliveries(connection), "pair_id")
        lacks = missing(connection)
        searches = _grouped(_rows(connection, search_table, search_table.c.id), "pair_id")
        clinical = current_rows(connection, owners((*studies, *pairs)))
    patients: dict[tuple[str, str], dict[str, Any]] = {}
    for row in (*studies, *pairs):  # a patient whose exams moved to another one still has what became of their pairs
        patients.setdefault((row.patient_id, row.issuer), _patient(row))
    for row in studies:
        patient = patients[(row.patient_id, row.issuer)]
        exam = {**_exam(row, series.get(row.study_uid, [])), "missing": lacks.get(row.study_uid, [])}
        patient["exams"].append(exam)
    for key, values in clinical.items():
        patient = patients[(key.patient_id, key.issuer)]
        patient["clinical"] = [{name: getattr(one, name) for name in _CLINICAL} for one in values]
    for row in pairs:
        one = _pair(row, jobs.get(row.id, []), deliveries.get(row.id, []))
        one["searches"] = [_pick(search, _SEARCH, _SEARCH_WAITS) for search in searches.get(row.id, [])]
        patients[(row.patient_id, row.issuer)]["pairs"].append(one)
    return {"patients": list(patients.values())}


def _rows(connection: Connection, table: Table, order: Any) -> Sequence[Row[Any]]:
    return connection.execute(select(table).order_by(order)).all()


def _deliveries(connection: Connection) -> Sequence[Row[Any]]:
    return connection.execute(_DELIVERIES).all()


def _grouped(rows: Iterable[Row[Any]], column: str) -> dict[Any, list[Row[Any]]]:
    groups: dict[Any, list[Row[Any]]] = {}
    for row in rows:
        groups.setdefault(getattr(row, column), []).append(row)
    return groups


def _patient(row: Row[Any]) -> dict[str, Any]:
    return {"patient_id": row.patient_id, "issuer": row.issuer, "clinical": [], "exams": [], "pairs": []}


class _Shown:
    """What is shown of the rows of a query, by the places of its columns: there are tens of thousands of series."""

    def __init__(self, query: Select[Any], *names: str) -> None:
        columns = [column.key for column in query.selected_columns]
        self.names = names
        self.of = itemgetter(*(columns.index(name) for name in names))


_EXAM = _Shown(select(study_table), "study_uid", "study_date", "description", "state", "generation", "code", "reason")
_SERIES = _Shown(
    select(series_table),
    *("series_uid", "role", "modality", "description", "b_values", "confidence", "code", "reason", "images"),
)
_PAIR = _Shown(select(pair_table), "id", "baseline", "restaging", "state", "version", "reason")
_JOB = _Shown(select(job_table), "id", "task", "version", "state", "attempts", "reason")
_SEARCH = _Shown(select(search_table), "id", "peer", "state", "attempts", "instances", "reason")
_DELIVERY = _Shown(_DELIVERIES, "id", "peer", "kind", "version", "sop_uid", "state", "attempts", "status", "reason")


def _exam(row: Row[Any], series: Sequence[Row[Any]]) -> dict[str, Any]:
    return {**_pick(row, _EXAM, _EXAM_WAITS), "series": [_pick(one, _SERIES) for one in series]}


def _pair(row: Row[Any], jobs: Sequence[Row[Any]], deliveries: Sequence[Row[Any]]) -> dict[str, Any]:
    return {
        **_pick(row, _PAIR),
        "jobs": [_pick(one, _JOB, _JOB_WAITS) for one in jobs],
        "deliveries": [_with_commitment(one, _pick(one, _DELIVERY, _DELIVERY_WAITS)) for one in deliveries],
    }


def _with_commitment(row: Row[Any], picked: dict[str, Any]) -> dict[str, Any]:
    """Where it arrived and is not committed, also why not."""
    if row.state in ("SENT", "VERIFIED") and row.kept:
        picked["reason"] = "; ".join(filter(None, (picked["reason"], row.kept)))
    return picked


def _pick(row: Row[Any], shown: _Shown, waits: Mapping[str, str] | None = None) -> dict[str, Any]:
    picked = dict(zip(shown.names, shown.of(row), strict=True))
    if waits and not picked["reason"]:
        picked["reason"] = waits.get(picked["state"], "")
    return picked


def render_status(status: dict[str, Any]) -> RenderableType:
    """The same for a terminal: one tree per patient."""
    if not status["patients"]:
        return "Nothing has been received yet."
    return Group(*(_patient_tree(patient) for patient in status["patients"]))


def _patient_tree(patient: dict[str, Any]) -> Tree:
    issuer = f" (issuer {escape(patient['issuer'])})" if patient["issuer"] else ""
    tree = Tree(f"[bold]Patient {escape(patient['patient_id']) or 'without ID'}[/]{issuer}")
    if patient["clinical"]:
        table = RichTable("clinical value", "", "of", "from", box=None, padding=(0, 1))
        for one in patient["clinical"]:
            table.add_row(one["item"], escape(one["value"]), one["date"], escape(one["source"]))
        tree.add(table)
    for exam in patient["exams"]:
        roles = sorted({one["role"] for one in exam["series"] if one["role"] != "other"})
        title = f"exam {exam['study_date'] or 'without date'}  {escape(exam['description'])}"
        branch = tree.add(f"{title}  {_state(exam['state'])}  {', '.join(roles)}")
        branch.add(f"[dim]{exam['study_uid']}[/]")
        if exam["reason"]:
            branch.add(escape(exam["reason"]))
        for lack in exam["missing"]:
            branch.add(f"[yellow]incomplete[/]: {escape(lack)}")
        for one in exam["series"]:
            if one["role"] == "other":
                branch.add(f"[dim]{escape(one['description'] or one['series_uid'])}: {escape(one['reason'])}[/]")
    for pair in patient["pairs"]:
        _add_pair(tree, pair)
    return tree


def _add_pair(tree: Tree, pair: dict[str, Any]) -> None:
    branch = tree.add(f"pair {pair['id']}  {_state(pair['state'])}  version {pair['version']}")
    if pair["reason"]:
        branch.add(escape(pair["reason"]))
    for search in pair["searches"]:
        what = f"search {search['id']} for its baseline at {escape(search['peer'])}"
        branch.add(f"{what}  {_state(search['state'])}  {escape(search['reason'])}")
    for job in pair["jobs"]:
        what = f"job {job['id']}  {job['task']}  version {job['version']}"
        branch.add(f"{what}  {_state(job['state'])}  {escape(job['reason'])}")
    if pair["deliveries"]:
        table = RichTable("delivery", "to", "what", "version", "state", "tries", "reason", box=None, padding=(0, 1))
        for one in pair["deliveries"]:
            cells = (one["id"], escape(one["peer"]), one["kind"], one["version"], _state(one["state"]), one["attempts"])
            table.add_row(*(str(cell) for cell in cells), escape(one["reason"]))
        branch.add(table)


def _state(state: str) -> str:
    colour = "green" if state in _GOOD else "red" if state in _BAD else "yellow"
    return f"[{colour}]{state}[/]"
