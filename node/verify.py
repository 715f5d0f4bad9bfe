"""What was sent, looked for where it was sent: fetched back, read again, and compared with the stored bytes.

The destination's Success is its word; this is the proof. Only peers that can be queried are asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from node import outbox
from node.ask import Inquiry, asking, whom_to_ask
from node.config import Config
from node.database import Database
from node.errors import LeaseLost, PeerError
from node.objects import UNREADABLE
from node.outbox import RetryPolicy
from node.peer import Peer
from node.records import Parcel
from node.returned import differences
from node.trail import Trail

log = structlog.get_logger()

BY_PRESENCE = "by its presence alone: {peer} does not give such objects by C-GET"
_MOST_NAMED = 3


def verify_sent(database: Database, config: Config, peer: Peer) -> int:
    """Look for what one peer was sent; how much was found there. Never raises for what a peer does."""
    archive = whom_to_ask(config, peer)
    parcels = outbox.claim_sent(database, peer.name) if archive else ()
    if archive is None or not parcels:
        return 0
    verifier = _Verifier(database, config)
    classes = sorted({parcel.result.sop_class_uid for parcel in parcels})
    try:
        with asking(Trail.of(config), archive, classes) as inquiry:
            return sum(verifier.verify(inquiry, parcel) for parcel in parcels)
    except PeerError as error:
        verifier.put_off(parcels, error)
        return 0


@dataclass(frozen=True)
class _Verifier:
    database: Database
    config: Config

    @property
    def policy(self) -> RetryPolicy:
        return RetryPolicy.of(self.config.results)

    def verify(self, inquiry: Inquiry, parcel: Parcel) -> bool:
        """Whether it is there as it was sent; the ledger has what was found."""
        try:
            if inquiry.gives(parcel.result.sop_class_uid):
                return self._compare(inquiry, parcel)
            if inquiry.holds(parcel.result):
                outbox.verified(self.database, parcel, BY_PRESENCE.format(peer=inquiry.peer))
                return True
            outbox.missing(self.database, parcel, self.policy)
        except PeerError as error:
            self.put_off([parcel], error)
        except LeaseLost as lost:
            log.warning("delivery.lease_lost", reason=str(lost))
        return False

    def put_off(self, parcels: Sequence[Parcel], error: PeerError) -> None:
        """Whatever could not be looked for now is looked for later: it was sent, and that still counts."""
        for parcel in parcels:
            try:
                outbox.not_verified(self.database, parcel, str(error), self.policy)
            except LeaseLost as lost:
                log.warning("delivery.lease_lost", reason=str(lost))

    def _compare(self, inquiry: Inquiry, parcel: Parcel) -> bool:
        returned = inquiry.fetch(parcel.result)
        if returned is None:
            outbox.missing(self.database, parcel, self.policy)
            return False
        sent = outbox.read(self.config.node.data_dir, parcel)
        try:
            found = differences(sent, returned)
        except UNREADABLE as error:
            found = (f"it cannot be read: {error}",)
        if found:
            outbox.altered(self.database, parcel, _words(inquiry.peer, found))
            return False
        outbox.verified(self.database, parcel)
        return True


def _words(peer: str, found: Sequence[str]) -> str:
    more = f"; and {len(found) - _MOST_NAMED} more" if len(found) > _MOST_NAMED else ""
    return f"{peer} has it altered: {'; '.join(found[:_MOST_NAMED])}{more}"
