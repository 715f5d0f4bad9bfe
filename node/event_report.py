"""N-EVENT-REPORT of storage commitment (PS3.4 J.3.3): what it says, and what it is answered with.

It comes on the association on which the question was asked, or on one of the peer's own: both hear it here.
"""

from __future__ import annotations

from typing import cast

import structlog
from pydicom import Dataset
from pynetdicom import evt

from node import commitment
from node.commitment import INVALID_ARGUMENT, Patience
from node.database import Database
from node.errors import ReportError
from node.objects import UNREADABLE
from node.records import CommitmentReport

log = structlog.get_logger()

SUCCESS = 0x0000
NO_SUCH_EVENT_TYPE = 0x0113  # PS3.7 10.1.1.1.8 and Annex C
COMPLETE, FAILURES_EXIST = 1, 2  # PS3.4 Table J.3-2

# A status, or a data set with one; an Event Reply is never made.
Answer = tuple[Dataset | int, None]


def answer_report(event: evt.Event, database: Database, ae_title: str, patience: Patience) -> Answer:
    """Note the report of the peer of this AE title; the response to it. What cannot be noted is answered as a failure.

    An error of the database raises: pynetdicom answers it with 0x0110, "processing failure"; the peer may repeat it.
    """
    try:
        commitment.report(database, ae_title, read_report(event), patience)
    except ReportError as error:
        log.warning("commitment.report_refused", peer=ae_title, status=f"0x{error.status:04X}", reason=str(error))
        response = Dataset()
        response.Status = error.status
        response.ErrorComment = str(error)[:64]
        return response, None
    return SUCCESS, None


def read_report(event: evt.Event) -> CommitmentReport:
    """What is said, under which Transaction UID. An object that is named as failed is not committed, whatever else it
    is named as. Raises ReportError."""
    if event.event_type not in (COMPLETE, FAILURES_EXIST):
        raise ReportError(NO_SUCH_EVENT_TYPE, f"there is no event type {event.event_type} of storage commitment")
    try:
        said = event.event_information
        failed = {_uid(one): int(one.FailureReason) for one in said.get("FailedSOPSequence") or ()}
        committed = {_uid(one) for one in said.get("ReferencedSOPSequence") or ()}
        transaction = str(said.TransactionUID)
    except (*UNREADABLE, AttributeError, TypeError) as error:
        raise ReportError(INVALID_ARGUMENT, f"it cannot be read: {error}") from error
    return CommitmentReport(transaction, frozenset(committed - failed.keys()), failed)


def _uid(item: Dataset) -> str:
    return str(cast(str, item.ReferencedSOPInstanceUID))
