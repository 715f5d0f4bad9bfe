"""The questions for storage commitment in the tables: asked, reported, overdue, and what follows for each delivery.

The station that asks and the listener that hears the report meet here (PS3.4 J.3). A question is in the tables before
it goes out, so that its report finds it whatever happens between.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from pydicom.uid import generate_uid
from sqlalchemy import ColumnElement, Connection, Row, Select, and_, delete, insert, or_, select, union_all, update

from node import lease, outbox
from node.commitment_failure import Then, failure_of
from node.config import Results
from node.database import Database
from node.errors import ReportError
from node.flow import COMMITMENT, DELIVERY, move, sources
from node.records import CommitmentReport, CommitmentState, DeliveryState
from node.schema import commitment_item_table, commitment_table, delivery_table, result_table

log = structlog.get_logger()

MOST_OBJECTS = 200
"""In one question."""
MOST_QUESTIONS = 6
"""About one sending of an object; with the default of 24 hours they last about six days."""
MOST_SENT_AGAIN = 2
UNANSWERED_SECONDS = 300.0
"""A question that is in the tables and has no answer yet: whoever asked it has died after this time."""
# Where the peer is queried too, its copy is compared first; where that does not come about, it is asked all the same.
VERIFIED_FIRST_SECONDS = 86400.0
_FIRST_SHARE = 24.0  # the wait after the first thing that may pass is this share of the longest one

INVALID_ARGUMENT = 0x0115  # PS3.7 10.1.1.1.8 and Annex C
_ARRIVED = (DeliveryState.SENT, DeliveryState.VERIFIED)


@dataclass(frozen=True)
class Patience:
    """How long, in seconds, a report is waited for before the same is asked again; waits differ by a fifth."""

    seconds: float

    @classmethod
    def of(cls, results: Results) -> Patience:
        return cls(results.commitment_hours * 3600.0)

    @property
    def longest(self) -> float:
        """No question waits longer, in seconds."""
        return max(self.seconds * lease.MOST_JITTER, UNANSWERED_SECONDS)

    def until(self) -> float:
        """When the report of what is asked now is overdue, in seconds since the epoch."""
        return lease.backoff(1, self.seconds, self.seconds)

    def next(self, questions: int) -> float:
        """When to ask again after something that may pass, in seconds since the epoch."""
        return lease.backoff(questions, self.seconds / _FIRST_SHARE, self.seconds)


@dataclass(frozen=True)
class Due:
    """Deliveries of one peer that may be asked for. ``verified_first``: its copies are being compared by queries."""

    peer: str
    verified_first: bool = False


@dataclass(frozen=True)
class Question:
    """One request: each object's SOP class and instance UID under a Transaction UID."""

    id: int
    transaction_uid: str
    objects: tuple[tuple[str, str], ...]


def is_due(database: Database, due: Due) -> bool:
    """Whether there is anything to ask for."""
    with database.reading() as connection:
        return connection.execute(_due(due).limit(1)).first() is not None


def ask(database: Database, due: Due, ae_title: str) -> Question | None:
    """A new question for what is due, in the tables before it is sent to ``ae_title``; None where nothing is."""
    now = time.time()
    with database.transaction() as connection:
        rows = connection.execute(_due(due).limit(MOST_OBJECTS)).all()
        if not rows:
            return None
        uid = str(generate_uid(prefix=None))
        row = {
            "transaction_uid": uid,
            "peer": due.peer,
            "ae_title": ae_title,
            "sop_uids": [one.sop_uid for one in rows],
        }
        more = {"state": CommitmentState.ASKED, "asked_at": now, "until": now + UNANSWERED_SECONDS}
        made = connection.execute(insert(commitment_table).values(**row, **more).returning(commitment_table.c.id))
        question = Question(int(made.scalar_one()), uid, tuple((one.sop_class_uid, one.sop_uid) for one in rows))
        for one in rows:
            item = _item(connection, one.id)
            _set(
                connection,
                one.id,
                commitment_id=question.id,
                questions=item.questions + 1,
                reason="is being asked for commitment",
            )
    return question


def taken(database: Database, question: Question, peer: str, patience: Patience) -> None:
    """The peer took the question: its report is awaited, unless it has come already."""
    table, item = commitment_table, commitment_item_table
    with database.transaction() as connection:
        asked = and_(table.c.id == question.id, table.c.state == CommitmentState.ASKED)
        waits = connection.execute(update(table).where(asked).values(until=patience.until())).rowcount
        if waits:
            words = f"{peer} was asked whether it keeps this safe, and its report is awaited"
            connection.execute(update(item).where(item.c.commitment_id == question.id).values(reason=words))
    log.info("commitment.asked", peer=peer, transaction=question.transaction_uid, objects=len(question.objects))


def not_taken(database: Database, question: Question, peer: str, reason: str, patience: Patience) -> None:
    """The peer refused the question, or broke off: asked again later. A report that comes all the same counts."""
    with database.transaction() as connection:
        if _end(connection, commitment_table.c.id == question.id):
            for row in _asked_for(connection, question.id):
                _later(connection, row, reason, patience.next(row.questions))
            log.warning("commitment.not_taken", peer=peer, transaction=question.transaction_uid, reason=reason)


def not_asked(database: Database, due: Due, reason: str) -> None:
    """Nobody there could be asked: said with each delivery, and none of its questions is used up."""
    words = f"not asked for commitment: {reason}"
    with database.transaction() as connection:
        for row in connection.execute(_due(due).limit(MOST_OBJECTS)).all():
            if _item(connection, row.id).reason != words:
                _set(connection, row.id, reason=words)


def end_overdue(database: Database, peer: str, us: str) -> int:
    """Questions to a peer whose report is overdue end, and are asked anew; how many. ``us``: how it reaches us."""
    table = commitment_table
    overdue = and_(table.c.peer == peer, table.c.state == CommitmentState.ASKED, table.c.until < time.time())
    with database.reading() as connection:
        if connection.execute(select(table.c.id).where(overdue).limit(1)).first() is None:
            return 0
    with database.transaction() as connection:
        rows = connection.execute(select(table).where(overdue)).all()
        for row in rows:
            _end(connection, table.c.id == row.id)
            words = f"{peer} was asked and did not report: it must know {us} to report on an association of its own"
            for one in _asked_for(connection, row.id):
                _later(connection, one, words, 0.0)
            log.warning("commitment.not_reported", peer=peer, transaction=row.transaction_uid, hint=words)
    return len(rows)


def is_reported(database: Database, question: Question) -> bool:
    """Whether its report has come, on whatever association."""
    table = commitment_table
    query = select(table.c.id).where(table.c.id == question.id, table.c.state == CommitmentState.REPORTED)
    with database.reading() as connection:
        return connection.execute(query).first() is not None


def report(database: Database, ae_title: str, said: CommitmentReport, patience: Patience) -> None:
    """What the peer of this AE title says of a question. One that was reported before changes nothing.

    Raises ReportError where nobody asked that peer, or not for these objects.
    """
    table = commitment_table
    with database.transaction() as connection:
        this = table.c.transaction_uid == said.transaction_uid
        row = connection.execute(select(table).where(this).with_for_update()).first()
        if row is None:
            raise ReportError(INVALID_ARGUMENT, "this Transaction UID was never asked about")
        if row.ae_title != ae_title:
            raise ReportError(INVALID_ARGUMENT, f"{row.ae_title} was asked about this Transaction UID")
        if row.state == CommitmentState.REPORTED:
            log.info("commitment.reported_again", peer=row.peer, transaction=row.transaction_uid)
            return
        named = said.committed | said.failed.keys()
        if not named or not named <= set(row.sop_uids):
            what = "objects that were not asked for" if named else "no object"
            raise ReportError(INVALID_ARGUMENT, f"it names {what}")
        state = move(COMMITMENT, CommitmentState(row.state), CommitmentState.REPORTED)
        connection.execute(update(table).where(table.c.id == row.id).values(state=state))
        for one in _asked_for(connection, row.id):
            _conclude(connection, one, said, patience)
    counts = {"committed": len(said.committed - said.failed.keys()), "failed": len(said.failed)}
    log.info("commitment.reported", peer=row.peer, transaction=row.transaction_uid, **counts)


def ask_anew(database: Database) -> int:
    """A person mended what was wrong: what is not asked for any more is asked for again; how many."""
    item = commitment_item_table
    arrived = select(delivery_table.c.id).where(delivery_table.c.state.in_(_ARRIVED))
    given_up = and_(item.c.questions >= MOST_QUESTIONS, item.c.delivery_id.in_(arrived))
    fresh = {"questions": 0, "not_before": 0.0, "reason": ""}
    with database.transaction() as connection:
        return int(connection.execute(update(item).where(given_up).values(**fresh)).rowcount)


def _due(due: Due) -> Select[Any]:
    """Arrived deliveries, none of a pair that is none any more, nor what an archive may hide."""
    table, result = delivery_table.c, result_table.c
    sent = table.state == DeliveryState.SENT
    if due.verified_first:
        sent &= table.updated_at < time.time() - VERIFIED_FIRST_SECONDS
    return (
        select(table.id, result.sop_class_uid, result.sop_uid)
        .join(result_table, table.result_id == result.id)
        .where(
            # Apart, so that each has its index: most of what arrived is neither.
            table.id.in_(union_all(_never_asked(due.peer), _to_be_asked_again(due.peer))),
            or_(table.state == DeliveryState.VERIFIED, sent),
            result.kind.not_in(outbox.HIDDEN),
            table.result_id.not_in(outbox.retired_results()),
        )
        .order_by(table.result_id)
    )


def _never_asked(peer: str) -> Select[Any]:
    """Not for what arrived long ago: an archive may have moved that by its own rules."""
    table, item = delivery_table.c, commitment_item_table.c
    recent = table.updated_at > time.time() - outbox.LOOKED_FOR_SECONDS
    arrived = and_(table.peer == peer, table.state.in_(_ARRIVED), recent)
    return select(table.id).where(arrived, table.id.not_in(select(item.delivery_id)))


def _to_be_asked_again(peer: str) -> Select[Any]:
    table, item = delivery_table, commitment_item_table.c
    asked = select(commitment_table.c.id).where(commitment_table.c.state == CommitmentState.ASKED)
    free = or_(item.commitment_id.is_(None), item.commitment_id.not_in(asked))
    waited = and_(item.questions < MOST_QUESTIONS, item.not_before <= time.time(), free)
    return select(item.delivery_id).join(table, table.c.id == item.delivery_id).where(table.c.peer == peer, waited)


def _asked_for(connection: Connection, question_id: int) -> Sequence[Row[Any]]:
    """The deliveries whose newest question this is, and which are still where they were when it was asked."""
    item, delivery = commitment_item_table, delivery_table
    query = select(item, delivery.c.state, delivery.c.peer, delivery.c.updated_at, result_table.c.sop_uid)
    joined = query.join(delivery, delivery.c.id == item.c.delivery_id).join(result_table)
    ours = and_(item.c.commitment_id == question_id, delivery.c.state.in_(_ARRIVED))
    return connection.execute(joined.where(ours)).all()


def _conclude(connection: Connection, row: Row[Any], said: CommitmentReport, patience: Patience) -> None:
    if row.sop_uid in said.failed:
        _failed(connection, row, said.failed[row.sop_uid], patience)
    elif row.sop_uid in said.committed:
        _move(connection, row, DeliveryState.COMMITTED)
        item = commitment_item_table
        connection.execute(delete(item).where(item.c.delivery_id == row.delivery_id))
    else:
        words = f"the report of {row.peer} does not name it"
        _later(connection, row, words, patience.next(row.questions))


def _failed(connection: Connection, row: Row[Any], code: int, patience: Patience) -> None:
    failure = failure_of(code)
    words = f"{row.peer} does not commit it: {failure.words} (0x{code:04X})"
    then = failure.then
    if then is Then.SEND_AGAIN:
        then = _without_it(connection, row)
    if then is Then.SEND_AGAIN:
        _move(connection, row, DeliveryState.DUE, reason=f"sent again: {words}", attempts=0, not_before=0.0, token="")
        _set(connection, row.delivery_id, questions=0, sent_again=row.sent_again + 1, commitment_id=None, reason="")
    elif then is Then.FAIL:
        ended = {"reason": f"{words}; `restage retry` sends it again", "status": None, "token": ""}
        _move(connection, row, DeliveryState.FAILED, **ended)
        _set(connection, row.delivery_id, questions=0, sent_again=0, commitment_id=None, reason="")
    elif then is Then.ASK_NO_MORE:
        _set(connection, row.delivery_id, questions=MOST_QUESTIONS, reason=words)
    else:
        _later(connection, row, words, patience.next(row.questions))
    log.warning("commitment.failed", delivery=row.delivery_id, peer=row.peer, reason=words, next=str(then))


def _without_it(connection: Connection, row: Row[Any]) -> Then:
    """What follows where the peer says that it has no such object."""
    if time.time() - row.updated_at < outbox.INDEXING_SECONDS:
        return Then.ASK_LATER  # it may still be indexing
    retired = delivery_table.c.result_id.in_(outbox.retired_results())
    query = select(delivery_table.c.id).where(delivery_table.c.id == row.delivery_id, retired)
    if connection.execute(query).first() is not None:
        return Then.ASK_NO_MORE
    return Then.SEND_AGAIN if row.sent_again < MOST_SENT_AGAIN else Then.FAIL


def _later(connection: Connection, row: Row[Any], words: str, not_before: float) -> None:
    """Asked again then, unless it was asked as often as anything is."""
    last = f"; asked {row.questions} times and not any more, `restage retry` asks again"
    more = last if row.questions >= MOST_QUESTIONS else ""
    _set(connection, row.delivery_id, reason=f"not committed: {words}{more}", not_before=not_before)


def _end(connection: Connection, which: ColumnElement[bool]) -> bool:
    """Whether a question was still open."""
    table = commitment_table
    still = which & table.c.state.in_(sources(COMMITMENT, CommitmentState.ENDED))
    return bool(connection.execute(update(table).where(still).values(state=CommitmentState.ENDED)).rowcount)


def _move(connection: Connection, row: Row[Any], wanted: DeliveryState, **values: object) -> None:
    state = move(DELIVERY, DeliveryState(row.state), wanted)
    this = delivery_table.c.id == row.delivery_id
    connection.execute(update(delivery_table).where(this).values(state=state, updated_at=time.time(), **values))


def _item(connection: Connection, delivery_id: int) -> Row[Any]:
    """What was asked of a delivery, made where nothing was."""
    table = commitment_item_table
    query = select(table).where(table.c.delivery_id == delivery_id)
    if connection.execute(query).first() is None:
        connection.execute(insert(table).values(delivery_id=delivery_id))
    return connection.execute(query).one()


def _set(connection: Connection, delivery_id: int, **values: object) -> None:
    table = commitment_item_table
    connection.execute(update(table).where(table.c.delivery_id == delivery_id).values(**values))
