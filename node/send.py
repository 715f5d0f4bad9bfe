"""Deliveries out, by C-STORE as SCU (PS3.4 Annex B). At least once, with the same bytes and UIDs each time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import structlog
from pydicom import dcmread
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE
from pynetdicom.association import Association
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]  # the module makes its names at import

from node import outbox
from node.config import Config, Peer
from node.database import Database
from node.errors import LeaseLost, SendError
from node.objects import UNREADABLE
from node.outbox import RetryPolicy
from node.records import Parcel

log = structlog.get_logger()

SUCCESS = 0x0000
# The peer kept the object, with a remark: PS3.7 C.4.2, C.4.3; PS3.4 Table B.2-1.
WARNINGS = frozenset({0x0107, 0x0116, *range(0xB000, 0xC000)})
_CONNECT_SECONDS = 10
_ANSWER_SECONDS = 120


def send_due(database: Database, config: Config, peer: Peer) -> int:
    """Send what is due for one peer over one association; how many arrived. Never raises for what a peer does."""
    parcels = outbox.claim(database, peer.name)
    if not parcels:
        return 0
    results = config.results
    policy = RetryPolicy(results.retry_seconds, results.retry_max_seconds, results.give_up_after)
    try:
        association = _associate(config.node.ae_title, peer, parcels)
    except SendError as error:
        for parcel in parcels:
            _note_failure(database, parcel, error, policy)
        return 0
    try:
        folder = config.node.data_dir
        return sum(_deliver(database, association, parcel, folder, policy) for parcel in parcels)
    finally:
        association.release()


def _deliver(database: Database, association: Association, parcel: Parcel, folder: Path, policy: RetryPolicy) -> bool:
    try:
        status = store(association, folder / parcel.result.path)
        outbox.sent(database, parcel, status)
    except SendError as error:
        _note_failure(database, parcel, error, policy)
        return False
    except LeaseLost as error:
        log.warning("delivery.lease_lost", reason=str(error))
        return False
    return True


def _note_failure(database: Database, parcel: Parcel, error: SendError, policy: RetryPolicy) -> None:
    try:
        outbox.failed(database, parcel, error, policy)
    except LeaseLost as lost:
        log.warning("delivery.lease_lost", reason=str(lost))


def _associate(our_title: str, peer: Peer, parcels: Sequence[Parcel]) -> Association:
    """An association with a context for each SOP class to be sent. Raises SendError, not permanent: peers come back."""
    ae = AE(ae_title=our_title)
    ae.connection_timeout = _CONNECT_SECONDS
    ae.acse_timeout = _CONNECT_SECONDS
    ae.dimse_timeout = _ANSWER_SECONDS
    ae.network_timeout = _ANSWER_SECONDS
    for uid in sorted({parcel.result.sop_class_uid for parcel in parcels}):
        ae.add_requested_context(uid, [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
    # Verification is accepted everywhere: the association stands where no storage class is, and says which are not.
    ae.add_requested_context(Verification)
    where = f"{peer.name} ({peer.ae_title}@{peer.host}:{peer.port})"
    try:
        association = ae.associate(peer.host, peer.port, ae_title=peer.ae_title)
    except OSError as error:
        raise SendError(f"no association with {where}: {error}", permanent=False) from error
    if association.is_established:
        return association
    if association.is_rejected:
        raise SendError(f"{where} rejected the association: {_rejection(association)}", permanent=False)
    raise SendError(f"no association with {where}: it does not answer, or aborted", permanent=False)


def _rejection(association: Association) -> str:
    primitive = association.acceptor.primitive
    return str(getattr(primitive, "reason_str", "no reason given"))


def store(association: Association, path: Path) -> int:
    """C-STORE one file; its status where the peer took it (Success or a warning, 0xBxxx). Raises SendError."""
    try:
        dataset = dcmread(path)
    except UNREADABLE as error:
        raise SendError(f"the result file {path.name} cannot be read: {error}", permanent=True) from error
    try:
        answer = association.send_c_store(dataset)
    except ValueError as error:
        # No accepted presentation context: the peer said at negotiation that it does not take this SOP class.
        kind = dataset.SOPClassUID.name
        raise SendError(f"the peer does not accept {kind}: {error}", permanent=True) from error
    except RuntimeError as error:
        raise SendError(f"the association ended: {error}", permanent=False) from error
    if "Status" not in answer:
        raise SendError("no answer to C-STORE: the association was aborted or timed out", permanent=False)
    status = int(answer.Status)
    if status == SUCCESS or status in WARNINGS:
        return status
    comment = str(answer.get("ErrorComment", ""))
    # 0xA7xx is "out of resources": the peer asks for another try (PS3.4 Table B.2-1). Others are its last word.
    permanent = not 0xA700 <= status <= 0xA7FF
    raise SendError(f"refused with status 0x{status:04X} {comment}".rstrip(), permanent=permanent, status=status)
