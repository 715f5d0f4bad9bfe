"""What an archive says of what it keeps, asked as query SCU: whose study, is an object there, and what is it now?

PS3.4 Annex C, Study Root: C-FIND at STUDY and IMAGE level, C-GET at IMAGE level (C.6.2). Whatever an archive answers,
or does not, a question takes no longer than its deadline and the time limit of one answer.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import Final

from pydicom import Dataset, dcmread
from pydicom.charset import python_encoding
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import build_role, evt
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.dsutils import encode

from node.association import ANSWER_SECONDS, CONNECT_SECONDS, associate, entity
from node.audit import Participant, Queried, Role, queried
from node.config import Config
from node.demographics import ArchivedPatient
from node.errors import AskError, PeerError
from node.objects import UNREADABLE, patient_of
from node.peer import Peer
from node.records import ResultFile
from node.trail import Trail

STUDY_ROOT_FIND: Final = "1.2.840.10008.5.1.4.1.2.2.1"
STUDY_ROOT_MOVE: Final = "1.2.840.10008.5.1.4.1.2.2.2"
STUDY_ROOT_GET: Final = "1.2.840.10008.5.1.4.1.2.2.3"

_SUCCESS = 0x0000
_PENDING = frozenset({0xFF00, 0xFF01})  # PS3.4 Table C.4-1
# Its last word, PS3.4 Tables C.4-1 and C.4-3, PS3.7 C.5: the others may pass.
_LAST_WORDS = frozenset({0x0122, 0x0124, 0x0211, 0xA900})
PATIENT_KEYS = ("PatientID", "IssuerOfPatientID", "PatientName", "PatientBirthDate", "PatientSex")
_DEADLINE_SECONDS = 180.0
_MOST_ANSWERS = 100


def whom_to_ask(config: Config, peer: Peer) -> Peer | None:
    """The peer that answers questions about what ``peer`` keeps: itself, or the same application at another port."""
    return next((one for one in (peer, *config.peers_titled(peer.ae_title)) if one.queries), None)


@contextmanager
def asking(
    us: Trail, peer: Peer, sop_class_uids: Sequence[str] = (), seconds: float = ANSWER_SECONDS
) -> Iterator[Inquiry]:
    """An association to ask over. ``us``: who asks, and where that is audited.

    ``sop_class_uids``: of what is to be fetched, for which we are SCP (PS3.7 D.3.3.4).
    ``seconds``: the time limit of one answer. Raises PeerError where there is no association.
    """
    ae = entity(us.ae_title, min(seconds, CONNECT_SECONDS), seconds)
    for uid in (STUDY_ROOT_FIND, STUDY_ROOT_GET, *sop_class_uids):
        ae.add_requested_context(uid, [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
    roles = [build_role(uid, scp_role=True) for uid in sop_class_uids]
    inbox = _Inbox()
    handlers = [(evt.EVT_C_STORE, inbox.keep)]
    association = associate(ae, peer, handlers, ext_neg=roles)
    try:
        yield Inquiry(association, peer, us, inbox)
    finally:
        if association.is_established:
            association.release()


@dataclass
class _Inbox:
    """What a C-GET brings. Only what was asked for is taken, and not for ever."""

    wanted: str = ""
    until: float = 0.0
    refused: int = 0
    encoded: bytes = b""

    def expect(self, sop_uid: str) -> None:
        self.wanted, self.until, self.refused, self.encoded = sop_uid, _deadline(), 0, b""

    def keep(self, event: evt.Event) -> int:
        request = event.request
        if isinstance(request, C_STORE) and request.AffectedSOPInstanceUID == self.wanted:
            self.encoded = event.encoded_dataset()
            return _SUCCESS
        self.refused += 1
        if self.refused > _MOST_ANSWERS or time.monotonic() > self.until:
            event.assoc.abort()
        return 0xA900  # Error: Data Set does not match SOP Class, PS3.4 Table B.2-1


@dataclass(frozen=True)
class Inquiry:
    """Questions to one archive over one association. Each raises AskError where it could not be asked."""

    association: Association
    archive: Peer
    us: Trail
    _inbox: _Inbox

    @property
    def peer(self) -> str:
        """The archive's name."""
        return self.archive.name

    def patients_of(self, study_uid: str) -> tuple[ArchivedPatient, ...]:
        """Whose study this is, there; empty where the archive has no such study. More than one is its own conflict."""
        keys = keys_of("STUDY", StudyInstanceUID=study_uid)
        for keyword in PATIENT_KEYS:
            setattr(keys, keyword, "")
        return tuple(self._patient(answer, study_uid) for answer in self.find(keys))

    def holds(self, result: ResultFile) -> bool:
        """Whether the archive says that it has this object."""
        answers = self.find(_image_keys(result))
        if any(text_of(answer, "SOPInstanceUID") != result.sop_uid for answer in answers):
            raise self._error("answers with other objects than it was asked for", permanent=True)
        return bool(answers)

    def gives(self, sop_class_uid: str) -> bool:
        """Whether an object of this class can come back over this association, by C-GET."""
        contexts = self.association.accepted_contexts
        asked = any(context.abstract_syntax == STUDY_ROOT_GET for context in contexts)
        return asked and any(context.abstract_syntax == sop_class_uid and context.as_scp for context in contexts)

    def fetch(self, result: ResultFile) -> Dataset | None:
        """The object as the archive gives it now; None where it has none.

        Archives answer a C-GET of nothing with success or with a failure (PS3.4 C.4.3.1.4), so C-FIND says which.
        """
        self._inbox.expect(result.sop_uid)
        status = self._get(_image_keys(result))
        if self._inbox.encoded:
            try:
                return dcmread(BytesIO(self._inbox.encoded))
            except UNREADABLE as error:
                raise self._error(f"gives an object that cannot be read: {error}") from error
        if not self.holds(result):
            return None
        raise self._error(f"has the object and does not give it: C-GET ended with status 0x{status:04X}", status=status)

    def find(self, keys: Dataset, most: int = _MOST_ANSWERS) -> list[Dataset]:
        """The matches of a request identifier (PS3.4 C.4.1.1.3.1); an archive with more than ``most`` is broken off."""
        try:
            responses = self.association.send_c_find(keys, STUDY_ROOT_FIND)
        except (ValueError, RuntimeError) as error:
            raise self._not_asked("C-FIND", error) from error
        self._audit(keys)
        answers: list[Dataset] = []
        until = _deadline()
        for response, identifier in responses:
            status = self._status("C-FIND", response)
            if status not in _PENDING:
                self._require_success("C-FIND", status)
                return answers
            if identifier is None:
                raise self._broken_off("answers C-FIND with what cannot be read")
            answers.append(identifier)
            if len(answers) > most or time.monotonic() > until:
                raise self._broken_off(f"answers C-FIND without an end: {len(answers)} matches")
        raise self._error("gives no final answer to C-FIND")

    def _audit(self, keys: Dataset) -> None:
        ours = self.us.us(Role.SOURCE, requestor=True)
        archive = Participant(self.archive.ae_title, self.archive.host, Role.DESTINATION, requestor=False)
        identifier = encode(keys, is_implicit_vr=True, is_little_endian=True) or b""
        self.us.record(queried(ours, archive, Queried(STUDY_ROOT_FIND, identifier, str(ImplicitVRLittleEndian))))

    def _get(self, keys: Dataset) -> int:
        try:
            responses = self.association.send_c_get(keys, STUDY_ROOT_GET)
        except (ValueError, RuntimeError) as error:
            raise self._not_asked("C-GET", error) from error
        until = _deadline()
        for response, _ in responses:
            status = self._status("C-GET", response)
            if status not in _PENDING:
                return status
            if time.monotonic() > until:
                raise self._broken_off("answers C-GET without an end")
        raise self._error("gives no final answer to C-GET")

    def _patient(self, answer: Dataset, study_uid: str) -> ArchivedPatient:
        answered = text_of(answer, "StudyInstanceUID")
        if answered != study_uid:
            words = "other studies than it was asked for" if answered else "what names no study"
            raise self._error(f"answers with {words}", permanent=bool(answered))
        try:
            archived = archived_patient(answer)
        except UNREADABLE as error:
            raise self._error(f"names a patient who cannot be read: {error}") from error
        patient = archived.patient
        if not (patient.patient_id or patient.name or patient.birth_date):
            raise self._error("names no patient of the study", permanent=True)
        return archived

    def _status(self, verb: str, response: Dataset) -> int:
        if "Status" not in response:
            # Where the peer broke it off, pynetdicom may not know yet: the next question would wait in vain.
            raise self._broken_off(f"gives no answer to {verb}, or breaks the association off")
        return int(response.Status)

    def _require_success(self, verb: str, status: int) -> None:
        if status != _SUCCESS:
            words = f"answers {verb} with status 0x{status:04X}"
            raise self._error(words, permanent=status in _LAST_WORDS, status=status)

    def _not_asked(self, verb: str, error: ValueError | RuntimeError) -> PeerError:
        # pynetdicom: ValueError where no presentation context was accepted, RuntimeError where no association is left.
        if isinstance(error, ValueError):
            return self._error(f"does not offer Study Root {verb}", permanent=True)
        return self._error(f"cannot be asked by {verb}: the association ended")

    def _broken_off(self, words: str) -> PeerError:
        self.association.abort()
        return self._error(words)

    def _error(self, words: str, *, permanent: bool = False, status: int | None = None) -> AskError:
        return AskError(f"{self.peer} {words}", permanent=permanent, status=status)


def keys_of(level: str, **keys: str) -> Dataset:
    """A request identifier (PS3.4 C.4.1.1.3.1). It names a character set only where what it matches by needs one."""
    identifier = Dataset()
    if not "".join(keys.values()).isascii():
        identifier.SpecificCharacterSet = "ISO_IR 192"
    identifier.QueryRetrieveLevel = level
    for keyword, value in keys.items():
        setattr(identifier, keyword, value)
    return identifier


def _image_keys(result: ResultFile) -> Dataset:
    uids = {"StudyInstanceUID": result.study_uid, "SeriesInstanceUID": result.series_uid}
    return keys_of("IMAGE", **uids, SOPInstanceUID=result.sop_uid)


def archived_patient(answer: Dataset) -> ArchivedPatient:
    """Whose it is, by an answer that names its patient. Raises one of UNREADABLE."""
    return ArchivedPatient(patient_of(answer), _encoding(answer))


def text_of(answer: Dataset, keyword: str) -> str:
    """One attribute of an answer; '' where it is absent or cannot be read."""
    try:
        return str(answer.get(keyword) or "").strip(" \0")
    except UNREADABLE:
        return ""


def _encoding(answer: Dataset) -> str:
    """Python's name of the answer's character set; UTF-8, which holds every letter, for code extensions."""
    named = answer.get("SpecificCharacterSet") or ""
    if not isinstance(named, str):
        return "utf-8"
    return python_encoding.get(named, "utf-8") if named else "ascii"


def _deadline() -> float:
    return time.monotonic() + _DEADLINE_SECONDS
