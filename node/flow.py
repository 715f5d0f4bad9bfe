"""The life cycles, as tables. A move that is not in its table raises: no state is ever changed another way."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from node.errors import IllegalMove
from node.records import CommitmentState, DeliveryState, JobState, PairState, SearchState, StudyState

Table = Mapping[StrEnum, frozenset[StrEnum]]

# A late object takes a study back to RECEIVING, with its generation raised by one.
STUDY: Table = {
    StudyState.RECEIVING: frozenset({StudyState.SETTLED}),
    StudyState.SETTLED: frozenset(
        {StudyState.RECEIVING, StudyState.PLANNED, StudyState.DECLINED, StudyState.QUARANTINED}
    ),
    StudyState.PLANNED: frozenset({StudyState.RECEIVING, StudyState.DECLINED, StudyState.QUARANTINED}),
    StudyState.DECLINED: frozenset({StudyState.RECEIVING, StudyState.PLANNED, StudyState.QUARANTINED}),
    StudyState.QUARANTINED: frozenset({StudyState.RECEIVING, StudyState.PLANNED, StudyState.DECLINED}),
}

PAIR: Table = {
    PairState.AWAITING_BASELINE: frozenset(
        {PairState.AWAITING_RESTAGING, PairState.READY, PairState.SUPERSEDED, PairState.WITHDRAWN}
    ),
    PairState.AWAITING_RESTAGING: frozenset(
        {PairState.AWAITING_BASELINE, PairState.READY, PairState.SUPERSEDED, PairState.WITHDRAWN}
    ),
    PairState.READY: frozenset({PairState.SUPERSEDED, PairState.WITHDRAWN}),
    # A person may take back an `unpair`, and a superseded pair may become the right one again.
    PairState.SUPERSEDED: frozenset({PairState.READY, PairState.AWAITING_BASELINE, PairState.AWAITING_RESTAGING}),
    PairState.WITHDRAWN: frozenset({PairState.READY}),
}

JOB: Table = {
    JobState.READY: frozenset({JobState.CLAIMED, JobState.SUPERSEDED}),
    JobState.CLAIMED: frozenset({JobState.READY, JobState.DONE, JobState.FAILED, JobState.ABANDONED}),
    JobState.FAILED: frozenset({JobState.READY, JobState.SUPERSEDED}),
    JobState.DONE: frozenset(),
    JobState.ABANDONED: frozenset(),
    JobState.SUPERSEDED: frozenset(),
}

DELIVERY: Table = {
    DeliveryState.DUE: frozenset({DeliveryState.CLAIMED, DeliveryState.WITHDRAWN}),
    DeliveryState.CLAIMED: frozenset({DeliveryState.DUE, DeliveryState.SENT, DeliveryState.FAILED, DeliveryState.HELD}),
    # Back to DUE: the destination reports that it has no such object.
    DeliveryState.SENT: frozenset(
        {DeliveryState.VERIFIED, DeliveryState.COMMITTED, DeliveryState.FAILED, DeliveryState.DUE}
    ),
    DeliveryState.VERIFIED: frozenset({DeliveryState.COMMITTED, DeliveryState.FAILED, DeliveryState.DUE}),
    DeliveryState.HELD: frozenset({DeliveryState.DUE, DeliveryState.WITHDRAWN}),
    DeliveryState.FAILED: frozenset({DeliveryState.DUE, DeliveryState.WITHDRAWN}),
    DeliveryState.COMMITTED: frozenset(),
    DeliveryState.KEPT: frozenset(),
    DeliveryState.WITHDRAWN: frozenset(),
}

COMMITMENT: Table = {
    CommitmentState.ASKED: frozenset({CommitmentState.REPORTED, CommitmentState.ENDED}),
    CommitmentState.ENDED: frozenset({CommitmentState.REPORTED}),
    CommitmentState.REPORTED: frozenset(),
}

# While its exam waits, a search is made again, whatever came of it: what was not there may be there later.
_SEARCHED = frozenset(SearchState) - {SearchState.DUE, SearchState.CLAIMED}
SEARCH: Table = {
    SearchState.DUE: frozenset({SearchState.CLAIMED}),
    SearchState.CLAIMED: _SEARCHED | {SearchState.DUE},
    **{state: frozenset({SearchState.CLAIMED}) for state in _SEARCHED},
}


def move(table: Table, current: StrEnum, wanted: StrEnum) -> StrEnum:
    """The state after a move; raises IllegalMove where the table has none. Staying is not a move, and is allowed."""
    if wanted is not current and wanted not in table[current]:
        raise IllegalMove(f"{type(current).__name__} {current} may not become {wanted}")
    return wanted


def sources(table: Table, wanted: StrEnum) -> tuple[str, ...]:
    """The states from which ``wanted`` can be reached in one move: the guard of a conditional UPDATE."""
    return tuple(str(state) for state, targets in table.items() if wanted in targets)
