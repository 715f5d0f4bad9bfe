"""Settled studies -> roles, pairs and jobs, or a stated refusal. A patient is planned as a whole."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import structlog
from sqlalchemy import Connection, Row, and_, delete, insert, or_, select, update

from node import clinical, jobs, outbox, overtaken
from node.database import Database
from node.due import PatientKey, due, jobless, owners, receiving
from node.flow import PAIR, STUDY, move
from node.gather import classified, gather_case, inputs_digest
from node.match import MatchingRules, match
from node.objects import parse_date
from node.records import Decision, Matching, PairState, Proposal, StudyFacts, StudyState, Task, Verb, Verdict
from node.schema import decision_table, pair_table, series_table, study_table
from node.store import Store
from pipelines.contract import InputUnfit, Patient, Role, SeriesRole
from pipelines.headers.files import SeriesHeaders
from pipelines.masks.annotations import DEFAULT_ROI_PATTERN
from pipelines.roles.site_rules import SiteRule

log = structlog.get_logger()


_MEANWHILE = "; meanwhile the baseline exam is scored by itself"


@dataclass(frozen=True)
class Planner:
    """``alone``: a baseline that waits for its restaging exam is scored by itself meanwhile."""

    database: Database
    store: Store
    rules: MatchingRules
    roi_pattern: str = DEFAULT_ROI_PATTERN
    series_rules: tuple[SiteRule, ...] = ()
    alone: bool = False

    def plan_due(self) -> int:
        """Plan every patient who is due (``node.due``); how many."""
        with self.database.reading() as connection:
            keys = due(connection, self.alone)
        for key in keys:
            try:
                for former in self._former_owners(key):
                    self.plan(former)  # first: a failure there leaves this patient due
                self.plan(key)
            except Exception:
                log.exception("plan.failed", patient_id=key.patient_id, issuer=key.issuer)
        return len(keys)

    def plan(self, key: PatientKey, *, anew: bool = False) -> None:
        """Classify what is new, match the patient's exams, and write what follows from it.

        ``anew``: what was classified before is classified again, as always where a job was abandoned: it showed that
        series are chosen otherwise now.
        """
        self._classify(key, anew)
        with self.database.reading() as connection:
            rows = _studies(connection, key)
            studies = [_facts(connection, row) for row in rows if not row.conflict]
            decided = _decisions(connection, [row.study_uid for row in rows])
            imported = clinical.unplanned(connection, key)
            rules = replace(self.rules, therapy=clinical.therapy_of(connection, key))
        decisions = [Decision(Verb(row.verb), row.baseline_uid, row.restaging_uid) for row in decided]
        matching, digests = self._digested(match(studies, decisions, rules))
        with self.database.transaction() as connection:
            if _changed(connection, key, rows):
                return
            self._write(connection, key, matching, digests)
            _quarantine_conflicts(connection, rows)
            _mark_applied(connection, [row.id for row in decided])
            clinical.mark_planned(connection, imported)

    def _former_owners(self, key: PatientKey) -> list[PatientKey]:
        """The patients who have a pair with a study that is this patient's now: after a merge in the PACS."""
        with self.database.reading() as connection:
            uids = {row.study_uid for row in _studies(connection, key)}
            rows = connection.execute(select(pair_table).where(pair_table.c.state.not_in(jobs.RETIRED))).all()
            busy = receiving(connection)
        return sorted(owners(row for row in rows if uids & {*row.baseline, *row.restaging}) - busy - {key})

    def _classify(self, key: PatientKey, anew: bool) -> None:
        with self.database.reading() as connection:
            every = anew or key in jobless(connection, self.alone)
            rows = [row for row in _studies(connection, key) if row.state != StudyState.RECEIVING]
            uids = [row.study_uid for row in rows if every or row.state == StudyState.SETTLED]
            paths = {uid: [item.path for item in self.store.objects_of(connection, (uid,))] for uid in uids}
        for uid, files in paths.items():
            series = _series_rows(uid, classified(files, self.series_rules))
            with self.database.transaction() as connection:
                connection.execute(delete(series_table).where(series_table.c.study_uid == uid))
                if series:
                    connection.execute(insert(series_table), series)

    def _digested(self, matching: Matching) -> tuple[Matching, dict[tuple[str, str], str]]:
        """The digest of the inputs of each that is scored; one whose files do not go together is declined, with why."""
        digests: dict[tuple[str, str], str] = {}
        for proposal in matching.proposals:
            if not self._is_scored(proposal):
                continue
            try:
                case = gather_case(self.database, self.store, proposal.baseline, proposal.restaging, self.series_rules)
            except InputUnfit as unfit:
                matching = _without(matching, proposal, unfit)
            else:
                digests[proposal.key] = inputs_digest(case, self.roi_pattern)
        return matching, digests

    def _is_scored(self, proposal: Proposal) -> bool:
        return proposal.state is PairState.READY or (self.alone and proposal.is_lone_baseline)

    def _write(
        self, connection: Connection, key: PatientKey, matching: Matching, digests: dict[tuple[str, str], str]
    ) -> None:
        for verdict in matching.verdicts:
            _write_verdict(connection, verdict)
        kept: set[int] = set()
        for proposal in matching.proposals:
            digest = digests.get(proposal.key, "")
            if digest and proposal.is_lone_baseline:
                proposal = replace(proposal, reason=proposal.reason + _MEANWHILE)
            pair_id = _write_pair(connection, key, proposal, kept)
            kept.add(pair_id)
            if digest:
                jobs.put(connection, pair_id, digest, proposal)
        _retire(connection, key, kept, matching)


def _studies(connection: Connection, key: PatientKey) -> Sequence[Row[Any]]:
    table = study_table
    ours = and_(table.c.patient_id == key.patient_id, table.c.issuer == key.issuer)
    return connection.execute(select(table).where(ours).order_by(table.c.first_received_at, table.c.study_uid)).all()


def _series_rows(study_uid: str, found: Sequence[tuple[SeriesHeaders, SeriesRole]]) -> list[dict[str, object]]:
    return [_series_row(study_uid, role, len(series.paths)) for series, role in found]


def _series_row(study_uid: str, role: SeriesRole, images: int) -> dict[str, object]:
    return {
        "series_uid": role.series_uid,
        "study_uid": study_uid,
        "role": str(role.role),
        "modality": role.modality,
        "description": role.description,
        "b_values": list(role.b_values),
        "confidence": role.confidence,
        "code": "" if role.code is None else str(role.code),
        "reason": role.reason,
        "images": images,
    }


def _facts(connection: Connection, row: Row[Any]) -> StudyFacts:
    table = series_table
    series = connection.execute(select(table).where(table.c.study_uid == row.study_uid)).all()
    usable = [one for one in series if one.role != Role.OTHER]
    return StudyFacts(
        study_uid=row.study_uid,
        patient=Patient(row.patient_id, row.issuer, row.name, row.birth_date, row.sex),
        study_date=parse_date(row.study_date),
        roles=frozenset(Role(one.role) for one in usable),
        words=" ".join([row.description, *(one.description for one in series)]).lower(),
        slices=sum(one.images for one in usable),
        first_received=datetime.fromtimestamp(row.first_received_at, UTC),
    )


def _without(matching: Matching, proposal: Proposal, unfit: InputUnfit) -> Matching:
    """The matching without one pair: those of its studies that no other pair uses are declined."""
    others = tuple(one for one in matching.proposals if one != proposal)
    used = {uid for one in others for uid in (*one.baseline, *one.restaging)}
    studies = {*proposal.baseline, *proposal.restaging} - used
    declined = {uid: Verdict(uid, StudyState.DECLINED, unfit.code, unfit.reason) for uid in studies}
    return Matching(
        proposals=others,
        verdicts=tuple(declined.get(verdict.study_uid, verdict) for verdict in matching.verdicts),
    )


def _decisions(connection: Connection, study_uids: Sequence[str]) -> Sequence[Row[Any]]:
    table = decision_table
    about = or_(table.c.baseline_uid.in_(study_uids), table.c.restaging_uid.in_(study_uids))
    return connection.execute(select(table).where(about).order_by(table.c.id)).all()


def _changed(connection: Connection, key: PatientKey, seen: Sequence[Row[Any]]) -> bool:
    """Whether an object or a study arrived while we were reading: then this plan is dropped, and another follows."""
    now = {(row.study_uid, row.state, row.generation) for row in _studies(connection, key)}
    return now != {(row.study_uid, row.state, row.generation) for row in seen}


def _write_verdict(connection: Connection, verdict: Verdict) -> None:
    table = study_table
    here = table.c.study_uid == verdict.study_uid
    state = StudyState(connection.execute(select(table.c.state).where(here)).scalar_one())
    move(STUDY, state, verdict.state)
    connection.execute(update(table).where(here).values(state=verdict.state, code=verdict.code, reason=verdict.reason))
    if verdict.state is not StudyState.PLANNED:
        log.warning("study.not_planned", study_uid=verdict.study_uid, state=str(verdict.state), code=verdict.code)


def _quarantine_conflicts(connection: Connection, rows: Sequence[Row[Any]]) -> None:
    for row in rows:
        if row.conflict:
            verdict = Verdict(row.study_uid, StudyState.QUARANTINED, "IDENTITY_CONFLICT", row.conflict)
            _write_verdict(connection, verdict)


def _mark_applied(connection: Connection, ids: Sequence[int]) -> None:
    table = decision_table
    connection.execute(update(table).where(table.c.id.in_(ids)).values(applied=True))


def _write_pair(connection: Connection, key: PatientKey, proposal: Proposal, taken: set[int]) -> int:
    row = _pair_row(connection, key, proposal, taken)
    values = {
        "baseline": list(proposal.baseline),
        "restaging": list(proposal.restaging),
        "state": proposal.state,
        "reason": proposal.reason,
        "evident": proposal.evident,
        "updated_at": time.time(),
    }
    if row is None:
        owner = {"patient_id": key.patient_id, "issuer": key.issuer}
        theirs = [one.id for one in _pairs(connection, key)]
        version = 0 if proposal.restaging else jobs.last_version_alone(connection, theirs, proposal.key[0])
        new = insert(pair_table).values(**owner, **values, version=version).returning(pair_table.c.id)
        pair_id = int(connection.execute(new).scalar_one())
    else:
        move(PAIR, PairState(row.state), proposal.state)
        connection.execute(update(pair_table).where(pair_table.c.id == row.id).values(**values))
        pair_id = int(row.id)
    log.info("pair.planned", pair=pair_id, state=str(proposal.state), patient_id=key.patient_id, issuer=key.issuer)
    return pair_id


def _pair_row(connection: Connection, key: PatientKey, proposal: Proposal, taken: set[int]) -> Row[Any] | None:
    """The row of this pair: the same leading studies, or one that was waiting for just what has now arrived."""
    candidates = [row for row in _pairs(connection, key) if row.id not in taken and not _lost(row, proposal)]
    baseline, restaging = proposal.key
    for row in candidates:
        if ((row.baseline or [""])[0], (row.restaging or [""])[0]) == (baseline, restaging):
            return row
    waiting = [row for row in candidates if row.state in (PairState.AWAITING_BASELINE, PairState.AWAITING_RESTAGING)]
    for row in waiting:
        if not row.baseline and row.restaging[:1] == [restaging]:
            return row
        if not row.restaging and row.baseline[:1] == [baseline]:
            return row
    return None


def _lost(row: Row[Any], proposal: Proposal) -> bool:
    """Whether this lone baseline was scored as one, and may now be a restaging exam: what was sent is withdrawn."""
    return row.version > 0 and row.evident and not (proposal.evident or row.restaging or proposal.restaging)


def _pairs(connection: Connection, key: PatientKey) -> Sequence[Row[Any]]:
    table = pair_table
    ours = and_(table.c.patient_id == key.patient_id, table.c.issuer == key.issuer)
    return connection.execute(select(table).where(ours).order_by(table.c.id)).all()


def _retire(connection: Connection, key: PatientKey, kept: set[int], matching: Matching) -> None:
    """Pairs that matching no longer proposes: what of them was sent is withdrawn, never left to be read."""
    for row in _pairs(connection, key):
        if row.id in kept or row.state in jobs.RETIRED:
            continue
        wanted, reason = overtaken.why(connection, key, row, matching)
        state = move(PAIR, PairState(row.state), wanted)
        values = {"state": state, "reason": reason, "inputs_digest": "", "updated_at": time.time()}
        connection.execute(update(pair_table).where(pair_table.c.id == row.id).values(**values))
        jobs.supersede(connection, row.id, (Task.SCORE,))
        outbox.withdraw(connection, row.id)
        jobs.put_withdrawal(connection, row.id)
        log.warning("pair.retired", pair=row.id, state=str(state))
