"""Asks the peers for storage commitment, as SCU (PS3.4 Annex J, Push Model): do they keep safe what they were sent?

The answer comes as N-EVENT-REPORT: on this association, which stays open for it a moment, or on one of the peer's own.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from pydicom import Dataset
from pynetdicom import evt
from pynetdicom.association import Association
from pynetdicom.pdu import P_DATA_TF
from pynetdicom.status import code_to_category

from node import commitment
from node.ask import whom_to_ask
from node.association import STORAGE_COMMITMENT, SYNTAXES, associate, entity
from node.breaker import Breaker
from node.commitment import Due, Patience, Question
from node.config import Config
from node.database import Database
from node.errors import AskError, PeerError
from node.event_report import Answer, answer_report
from node.peer import Peer

WELL_KNOWN_INSTANCE = "1.2.840.10008.1.20.1.1"  # PS3.4 J.3.5
REQUEST_COMMITMENT = 1  # action type, PS3.4 Table J.3-1
REPORT_SECONDS = 5.0
"""How long an association stays open for its report; who needs longer reports on one of its own."""
_LOOK_SECONDS = 0.1


def ask_for_commitment(database: Database, config: Config, peer: Peer, breaker: Breaker) -> int:
    """Ask about what arrived at one peer; about how many objects it took the question. Never raises for what it does.

    While ``breaker`` is open nobody is asked.
    """
    asked = _whom_to_ask(config, peer)
    if asked is None:
        return 0
    us = f"{config.node.ae_title}, this machine's address and port {config.node.port}"
    commitment.end_overdue(database, peer.name, us)
    due = Due(peer.name, verified_first=whom_to_ask(config, peer) is not None)
    if breaker.is_open or not commitment.is_due(database, due):
        return 0
    asker = _Asker(database, config, due, asked)
    try:
        with asker.association() as association:
            breaker.succeeded()
            return asker.ask(association)
    except PeerError as error:
        breaker.failed(str(error))
        commitment.not_asked(database, due, str(error))
        return 0


def _whom_to_ask(config: Config, peer: Peer) -> Peer | None:
    """Who commits what ``peer`` was sent: itself, or the same application at another port."""
    return next((one for one in (peer, *config.peers_titled(peer.ae_title)) if one.storage_commitment), None)


@dataclass(frozen=True)
class _Hearing:
    """Whether a report on our own association waits for its response: before that it may not be released."""

    unanswered: threading.Event = field(default_factory=threading.Event)

    def note_sent(self, event: evt.Event) -> None:
        """While reports are waited for, nothing goes out but their responses."""
        if isinstance(event.pdu, P_DATA_TF):
            self.unanswered.clear()


@dataclass(frozen=True)
class _Asker:
    database: Database
    config: Config
    due: Due
    asked: Peer
    hearing: _Hearing = field(default_factory=_Hearing)

    @property
    def patience(self) -> Patience:
        return Patience.of(self.config.results)

    @contextmanager
    def association(self) -> Iterator[Association]:
        """One over which can be asked, under the default roles: ours is SCU. Raises PeerError where there is none."""
        ours = self.config.node.ae_title
        ae = entity(ours)
        ae.add_requested_context(STORAGE_COMMITMENT, list(SYNTAXES["explicit"]))
        handlers: list[evt.EventHandlerType] = [
            (evt.EVT_N_EVENT_REPORT, self._hear),
            (evt.EVT_PDU_SENT, self.hearing.note_sent),
        ]
        association = associate(ae, self.asked, handlers)
        try:
            if not any(one.abstract_syntax == STORAGE_COMMITMENT for one in association.accepted_contexts):
                mend = "enable that SOP class there, or set storage_commitment = false"
                raise AskError(f"{self.asked.name} takes no Storage Commitment from {ours}: {mend}", permanent=True)
            yield association
        finally:
            if association.is_established:
                association.release()

    def ask(self, association: Association) -> int:
        """Put the question, and wait a moment for its report; the number of its objects where it was taken."""
        question = commitment.ask(self.database, self.due, self.asked.ae_title)
        if question is None:
            return 0
        reason = self._put(association, question)
        if reason:
            commitment.not_taken(self.database, question, self.due.peer, reason, self.patience)
            return 0
        commitment.taken(self.database, question, self.due.peer, self.patience)
        self._wait_for_report(association, question)
        return len(question.objects)

    def _put(self, association: Association, question: Question) -> str:
        """N-ACTION; why it was not taken, or ''."""
        try:
            answer, _ = association.send_n_action(
                _information(question), REQUEST_COMMITMENT, STORAGE_COMMITMENT, WELL_KNOWN_INSTANCE
            )
        except RuntimeError as error:
            return f"{self.asked.name} ended the association before it was asked: {error}"
        if "Status" not in answer:
            # Where the peer broke it off, pynetdicom may not know yet.
            association.abort()
            return f"{self.asked.name} gave no answer to the question (N-ACTION), or broke the association off"
        status = int(answer.Status)
        if code_to_category(status) in ("Success", "Warning"):
            return ""
        said = f"0x{status:04X} {answer.get('ErrorComment', '')}".rstrip()
        mend = f"let {self.config.node.ae_title} ask it for Storage Commitment there"
        return f"{self.asked.name} refuses the question (N-ACTION) with status {said}: {mend}"

    def _hear(self, event: evt.Event) -> Answer:
        self.hearing.unanswered.set()
        return answer_report(event, self.database, self.asked.ae_title, self.patience)

    def _wait_for_report(self, association: Association, question: Question) -> None:
        """Until it has come here or elsewhere, or a moment has passed; the peer may report on older questions first."""
        until = time.monotonic() + REPORT_SECONDS
        while association.is_established and time.monotonic() < until:
            if commitment.is_reported(self.database, question) and not self.hearing.unanswered.is_set():
                return
            time.sleep(_LOOK_SECONDS)


def _information(question: Question) -> Dataset:
    """The Action Information, PS3.4 Table J.3-1."""
    information = Dataset()
    information.TransactionUID = question.transaction_uid
    information.ReferencedSOPSequence = [_reference(*one) for one in question.objects]
    return information


def _reference(sop_class_uid: str, sop_uid: str) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = sop_class_uid
    item.ReferencedSOPInstanceUID = sop_uid
    return item
