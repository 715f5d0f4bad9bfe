"""Why a pair is none any more, in words for those who have its result: what they read stands on the WITHDRAWN page."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, and_, select

from node.due import PatientKey
from node.match import MatchCode, without_advice
from node.records import Matching, PairState, StudyState, Verb, Verdict
from node.schema import decision_table, study_table


def why(connection: Connection, key: PatientKey, row: Row[Any], matching: Matching) -> tuple[PairState, str]:
    """The state of a pair that this matching of its patient's exams no longer proposes, and the reason."""
    if _taken_apart(connection, row):
        return PairState.WITHDRAWN, "taken apart by a person"
    return PairState.SUPERSEDED, _exams_moved(connection, key, row) or _told_otherwise(row, matching)


def _exams_moved(connection: Connection, key: PatientKey, row: Row[Any]) -> str:
    table = study_table
    exam = "an exam of this pair" if row.restaging and row.baseline else "this exam"
    studies = connection.execute(select(table).where(table.c.study_uid.in_([*row.baseline, *row.restaging]))).all()
    if any(PatientKey(study.patient_id, study.issuer) != key for study in studies):
        return f"{exam} now belongs to another patient"
    return f"{exam} holds objects of two patients" if any(study.conflict for study in studies) else ""


def _told_otherwise(row: Row[Any], matching: Matching) -> str:
    """What matching now says of the exams; the baseline first, because all that follows hangs on it."""
    verdicts = {verdict.study_uid: verdict for verdict in matching.verdicts}
    for uid in row.baseline:
        if uid in verdicts and (_refused(verdicts[uid]) or verdicts[uid].code in _no_baseline(row)):
            return without_advice(verdicts[uid].reason)
    for uid in row.restaging:
        if uid in verdicts and _refused(verdicts[uid]):
            return without_advice(verdicts[uid].reason)
    if any(set(row.baseline) & set(proposal.restaging) for proposal in matching.proposals):
        return "an earlier exam of this patient was received, and that one is the baseline now"
    return "another pairing of these exams took its place"


def _no_baseline(row: Row[Any]) -> set[str]:
    """The codes of an exam that is no baseline; one that was scored alone and waits on may be none."""
    return (
        {MatchCode.AWAITING_BASELINE} if row.restaging else {MatchCode.AWAITING_BASELINE, MatchCode.AWAITING_RESTAGING}
    )


def _refused(verdict: Verdict) -> bool:
    return verdict.state in (StudyState.DECLINED, StudyState.QUARANTINED)


def _taken_apart(connection: Connection, row: Row[Any]) -> bool:
    if not (row.baseline and row.restaging):
        return False
    table = decision_table
    here = and_(table.c.baseline_uid.in_(row.baseline), table.c.restaging_uid.in_(row.restaging))
    newest = connection.execute(select(table.c.verb).where(here).order_by(table.c.id.desc()).limit(1)).scalar()
    return newest == Verb.UNPAIR
