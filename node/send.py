"""Deliveries out, by C-STORE as SCU (PS3.4 Annex B). At least once, with the same bytes and UIDs each time.

Where the destination can be queried, it is asked first under whom it has the study: another patient holds a delivery.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import structlog
from pydicom import Dataset
from pynetdicom.association import Association

from dicom_templates.kinds import Kind
from node import outbox
from node.ask import Inquiry, asking, whom_to_ask
from node.association import SYNTAXES, associate, entity, propose
from node.audit import Movement, Participant, Role, transferred
from node.breaker import Breaker
from node.config import Config
from node.database import Database
from node.demographics import Agreement, ArchivedPatient, compare
from node.errors import LeaseLost, OtherPatient, PeerError, SendError
from node.objects import patient_of
from node.outbox import RetryPolicy
from node.peer import Peer
from node.records import Parcel
from node.trail import Trail

log = structlog.get_logger()

SUCCESS = 0x0000
# The peer kept the object, with a remark: PS3.7 C.4.2, C.4.3; PS3.4 Table B.2-1.
WARNINGS = frozenset({0x0107, 0x0116, *range(0xB000, 0xC000)})

# What takes a result back goes wherever the result went, also where a merge has given the study to another patient.
TAKES_BACK = frozenset({Kind.WITHDRAWN, Kind.REJECTION_BASELINE, Kind.REJECTION_RESTAGING})

# Under whom an archive has a study, or why it did not say.
Answer = tuple[ArchivedPatient, ...] | PeerError


def send_due(database: Database, config: Config, peer: Peer, breaker: Breaker) -> int:
    """Send what is due for one peer over one association; how many arrived. Never raises for what a peer does.

    While ``breaker`` is open nothing is tried, and no delivery loses one of its tries.
    """
    if breaker.is_open:
        return 0
    parcels = outbox.claim(database, peer.name, only=TAKES_BACK if config.in_shadow(peer) else ())
    if not parcels:
        return 0
    errand = _Errand(database, config.node.data_dir, RetryPolicy.of(config.results), Trail.of(config))
    cleared = _cleared(errand, config, peer, parcels)
    if not cleared:
        return 0
    try:
        association = _associate(config.node.ae_title, peer, cleared)
    except PeerError as error:
        breaker.failed(str(error))
        for parcel in cleared:
            errand.failed(parcel, error)
        return 0
    if breaker.succeeded():
        outbox.hasten(database, peer.name)
    outbox.expose(database, cleared)
    try:
        return sum(errand.tried(parcel, partial(_deliver, errand, association, parcel)) for parcel in cleared)
    finally:
        association.release()
        errand.account(peer, len(cleared))


@dataclass(frozen=True)
class _Errand:
    """Where results lie, and where it is noted what became of each."""

    database: Database
    folder: Path
    policy: RetryPolicy
    trail: Trail
    arrived: Movement = field(default_factory=Movement)

    def arrive(self, dataset: Dataset) -> None:
        patient = patient_of(dataset)
        self.arrived.add((str(dataset.StudyInstanceUID), patient.patient_id, patient.issuer), str(dataset.SOPClassUID))

    def account(self, peer: Peer, tried: int) -> None:
        """One audit message of what went to a peer."""
        missing = tried - self.arrived.total
        words = f"{missing} did not arrive" if missing else ""
        receiver = Participant(peer.ae_title, peer.host, Role.DESTINATION, requestor=False)
        self.trail.record(transferred(self.trail.us(Role.SOURCE, requestor=True), receiver, self.arrived, words))

    def read(self, parcel: Parcel) -> Dataset:
        """The result as it was made. Raises SendError, permanent, where it is that no more."""
        return outbox.read(self.folder, parcel)

    def tried(self, parcel: Parcel, step: Callable[[], None]) -> bool:
        """Whether a step of this delivery was taken; what stood in its way is noted."""
        with _logging_a_lost_lease():
            try:
                step()
                return True
            except OtherPatient as other:
                outbox.held(self.database, parcel, str(other))
            except PeerError as error:
                outbox.failed(self.database, parcel, error, self.policy)
        return False

    def failed(self, parcel: Parcel, error: PeerError) -> None:
        with _logging_a_lost_lease():
            outbox.failed(self.database, parcel, error, self.policy)


@contextmanager
def _logging_a_lost_lease() -> Iterator[None]:
    """Another sender has the delivery now: whatever this one wanted to say of it no longer counts."""
    try:
        yield
    except LeaseLost as lost:
        log.warning("delivery.lease_lost", reason=str(lost))


def _cleared(errand: _Errand, config: Config, peer: Peer, parcels: Sequence[Parcel]) -> list[Parcel]:
    """What may be sent as far as the archive's patients go."""
    asked = whom_to_ask(config, peer)
    if asked is None:
        return list(parcels)
    doubtful = {parcel.result.study_uid: None for parcel in parcels if not _goes_anyway(parcel)}
    answers = _whose(errand.trail, asked, tuple(doubtful)) if doubtful else {}
    return [
        parcel
        for parcel in parcels
        if _goes_anyway(parcel)
        or errand.tried(parcel, partial(_require_same_patient, errand, parcel, answers[parcel.result.study_uid]))
    ]


def _goes_anyway(parcel: Parcel) -> bool:
    return parcel.released or parcel.result.kind in TAKES_BACK


def _whose(us: Trail, archive: Peer, study_uids: Sequence[str]) -> Mapping[str, Answer]:
    """Each study's answer, asked once over one association."""
    try:
        with asking(us, archive) as inquiry:
            return {uid: _answer(inquiry, uid) for uid in study_uids}
    except PeerError as error:
        return dict.fromkeys(study_uids, error)


def _answer(inquiry: Inquiry, study_uid: str) -> Answer:
    try:
        return inquiry.patients_of(study_uid)
    except PeerError as error:
        return error


def _require_same_patient(errand: _Errand, parcel: Parcel, answer: Answer) -> None:
    """Raises OtherPatient where the archive has the study under somebody else, PeerError where it did not say."""
    if isinstance(answer, PeerError):
        mend = "; let it answer Study Root C-FIND, or set queries = false for it" if answer.permanent else ""
        words = f"the patient could not be compared with the archive's: {answer}{mend}"
        raise SendError(words, permanent=answer.permanent, status=answer.status) from answer
    if not answer:
        log.info("delivery.study_unknown", delivery=parcel.claim.id, peer=parcel.peer, study=parcel.result.study_uid)
        return
    ours = patient_of(errand.read(parcel))
    found = [compare(ours, archived) for archived in answer]
    if any(one.agreement is Agreement.MISMATCH for one in found):
        several = f"the archive has this study under {len(answer)} patients: " if len(answer) > 1 else ""
        words = "; ".join(dict.fromkeys(words for one in found for words in one.differences))
        let_go = f"where the result is right, `restage retry --delivery {parcel.claim.id}` sends it"
        raise OtherPatient(f"{several}{words}; {let_go}")
    agreements = [str(one.agreement) for one in found]
    log.info("delivery.patient_compared", delivery=parcel.claim.id, peer=parcel.peer, agreement=agreements)


def _associate(our_title: str, peer: Peer, parcels: Sequence[Parcel]) -> Association:
    """An association with contexts for each SOP class to be sent. Raises PeerError, not permanent: peers come back."""
    ae = entity(our_title)
    classes = sorted({parcel.result.sop_class_uid for parcel in parcels})
    propose(ae, classes, SYNTAXES[peer.profile.transfer_syntax])
    return associate(ae, peer)


def _deliver(errand: _Errand, association: Association, parcel: Parcel) -> None:
    dataset = errand.read(parcel)
    status = store(association, dataset)
    errand.arrive(dataset)
    outbox.sent(errand.database, parcel, status)


def store(association: Association, dataset: Dataset) -> int:
    """C-STORE one object; its status where the peer took it (Success or a warning, 0xBxxx). Raises SendError.

    Where the peer takes Implicit VR Little Endian alone, the same elements go out without their VRs (PS3.5 A.1).
    """
    try:
        answer = association.send_c_store(dataset)
    except ValueError as error:
        # No accepted presentation context: the peer said at negotiation that it does not take this SOP class.
        kind = dataset.SOPClassUID.name
        raise SendError(f"the peer does not accept {kind}: {error}", permanent=True) from error
    except RuntimeError as error:
        raise SendError(f"the association ended: {error}", permanent=False) from error
    if "Status" not in answer:
        # Where the peer broke it off, pynetdicom may not know yet: the next object would wait for an answer in vain.
        association.abort()
        raise SendError("no answer to C-STORE: the association was aborted or timed out", permanent=False)
    status = int(answer.Status)
    if status == SUCCESS or status in WARNINGS:
        return status
    comment = str(answer.get("ErrorComment", ""))
    # 0xA7xx is "out of resources": the peer asks for another try (PS3.4 Table B.2-1). Others are its last word.
    permanent = not 0xA700 <= status <= 0xA7FF
    raise SendError(f"refused with status 0x{status:04X} {comment}".rstrip(), permanent=permanent, status=status)
