"""An archive that is asked for storage commitment: it takes questions, and reports on them when and as a test wants."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydicom import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, SegmentationStorage
from pynetdicom import AE, build_role, evt
from pynetdicom.association import Association

from node.association import STORAGE_COMMITMENT, VERIFICATION
from node.commit import WELL_KNOWN_INSTANCE

SYNTAXES = [ExplicitVRLittleEndian, ImplicitVRLittleEndian]
AS_SCP = (build_role(STORAGE_COMMITMENT, scp_role=True),)
"""Role selection of a peer that reports on an association of its own."""

Before = Callable[[Association], None]
Then = Callable[["CommitmentArchive", Association, Dataset], None]


@dataclass
class CommitmentArchive:
    """``status`` answers each question; ``then`` is what it does after, in a thread of its own.

    ``before``: what it does with the association instead of answering.
    """

    title: str = "PACS"
    offers: bool = True
    status: int = 0x0000
    then: Then | None = None
    before: Before | None = None
    questions: list[Dataset] = field(default_factory=list)
    associations: int = 0
    answered: list[int | None] = field(default_factory=list)
    _threads: list[threading.Thread] = field(default_factory=list)

    def open(self) -> int:
        ae = AE(ae_title=self.title)
        ae.add_supported_context(VERIFICATION)
        ae.add_supported_context(SegmentationStorage, SYNTAXES)
        if self.offers:
            ae.add_supported_context(STORAGE_COMMITMENT, SYNTAXES)
        handlers = [(evt.EVT_N_ACTION, self._asked), (evt.EVT_ACCEPTED, self._count)]
        handlers.append((evt.EVT_C_STORE, lambda _: 0x0000))
        server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
        assert server is not None
        self._entity = ae
        return int(server.socket.getsockname()[1])

    def behave(self, status: int = 0x0000, then: Then | None = None, before: Before | None = None) -> None:
        """Forget what was, and behave like this from now on."""
        self.status, self.then, self.before = status, then, before
        self.questions, self.associations, self.answered = [], 0, []

    def close(self) -> None:
        for thread in self._threads:
            thread.join(10)
        self._entity.shutdown()

    def wait_for_answers(self, count: int = 1) -> list[int | None]:
        """What its reports were answered with."""
        deadline = time.monotonic() + 5
        while len(self.answered) < count and time.monotonic() < deadline:
            time.sleep(0.01)
        return self.answered

    def report(self, association: Association, report: Dataset, event_type: int = 1) -> int | None:
        """N-EVENT-REPORT; the status of its response, None where there is none."""
        answer, _ = association.send_n_event_report(report, event_type, STORAGE_COMMITMENT, WELL_KNOWN_INSTANCE)
        status = int(answer.Status) if "Status" in answer else None
        self.answered.append(status)
        return status

    def _count(self, _: evt.Event) -> None:
        self.associations += 1

    def _asked(self, event: evt.Event) -> tuple[int, None]:
        self.questions.append(event.action_information)
        if self.before:
            self.before(event.assoc)
        elif self.then and self.status == 0x0000:
            thread = threading.Thread(target=self._later, args=(event.assoc, event.action_information), daemon=True)
            self._threads.append(thread)
            thread.start()
        return self.status, None

    def _later(self, association: Association, question: Dataset) -> None:
        time.sleep(0.1)  # the answer to the question goes first
        assert self.then is not None
        self.then(self, association, question)


def asked_for(question: Dataset) -> list[str]:
    """The SOP Instance UIDs of a question."""
    return [str(one.ReferencedSOPInstanceUID) for one in question.ReferencedSOPSequence]


def report_on(transaction_uid: str, committed: Sequence[str] = (), failed: Mapping[str, int] | None = None) -> Dataset:
    """Event Information, PS3.4 Table J.3-2."""
    report = Dataset()
    report.TransactionUID = transaction_uid
    if committed:
        report.ReferencedSOPSequence = [_item(uid) for uid in committed]
    if failed:
        report.FailedSOPSequence = [_item(uid, FailureReason=code) for uid, code in failed.items()]
    return report


def reporter(host: str, port: int, title: str = "PACS", roles: Sequence[Any] = AS_SCP) -> Association:
    """An association of the archive's own, to report on."""
    ae = AE(ae_title=title)
    ae.add_requested_context(STORAGE_COMMITMENT, SYNTAXES)
    return ae.associate(host, port, ae_title="RESTAGE", ext_neg=list(roles))


def _item(sop_uid: str, **values: object) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = "1.2.840.10008.5.1.4.1.1.88.34"
    item.ReferencedSOPInstanceUID = sop_uid
    for keyword, value in values.items():
        setattr(item, keyword, value)
    return item
