"""Audit messages: who moved which studies of whom between which application entities, and who was turned away.

PS3.15 A.5: the schema (A.5.1), and the messages of A.5.3.1 (Application Activity), A.5.3.7 (DICOM Instances
Transferred), A.5.3.10 (Query) and A.5.3.11 (Security Alert). Patients are known by their IDs; names are never written.
"""

from __future__ import annotations

import socket
from base64 import b64encode
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from xml.etree.ElementTree import Element, SubElement, tostring


class Event(StrEnum):
    """Event IDs (PS3.16 CID 400): code, and meaning."""

    APPLICATION_ACTIVITY = "110100"
    INSTANCES_TRANSFERRED = "110104"
    QUERY = "110112"
    SECURITY_ALERT = "110113"


class EventType(StrEnum):
    """Event type codes (PS3.16 CID 401)."""

    START = "110120"
    STOP = "110121"
    NODE_AUTHENTICATION = "110126"


class Role(StrEnum):
    """Roles of active participants (PS3.16 CID 402)."""

    APPLICATION = "110150"
    DESTINATION = "110152"
    SOURCE = "110153"


class Action(StrEnum):
    """What was done to what a message is about (PS3.15 A.5.1.1)."""

    CREATE = "C"
    READ = "R"
    EXECUTE = "E"


class Outcome(StrEnum):
    SUCCESS = "0"
    MINOR_FAILURE = "4"


MEANINGS: Mapping[str, str] = {
    Event.APPLICATION_ACTIVITY: "Application Activity",
    Event.INSTANCES_TRANSFERRED: "DICOM Instances Transferred",
    Event.QUERY: "Query",
    Event.SECURITY_ALERT: "Security Alert",
    EventType.START: "Application Start",
    EventType.STOP: "Application Stop",
    EventType.NODE_AUTHENTICATION: "Node Authentication",
    Role.APPLICATION: "Application",
    Role.DESTINATION: "Destination Role ID",
    Role.SOURCE: "Source Role ID",
    "110180": "Study Instance UID",
    "110181": "SOP Class UID",
    "110182": "Node ID",
}
_PATIENT_NUMBER = ("2", "RFC-3881", "Patient Number")
_IP_ADDRESS, _MACHINE_NAME = "2", "1"
_APPLICATION_SERVER = "4"


@dataclass(frozen=True)
class Participant:
    """An application entity that took part. ``host``: IP address or name."""

    ae_title: str
    host: str
    role: Role
    requestor: bool


@dataclass(frozen=True)
class StudyMoved:
    """Objects of one study that went from one application entity to another; ``counts`` by SOP Class UID."""

    study_uid: str
    patient_id: str
    issuer: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)


@dataclass
class Movement:
    """Objects counted while they move."""

    _counts: dict[tuple[str, str, str], Counter[str]] = field(default_factory=dict)

    def add(self, study: tuple[str, str, str], sop_class_uid: str) -> None:
        """``study``: its UID, its patient's ID, and who issued that."""
        self._counts.setdefault(study, Counter())[sop_class_uid] += 1

    @property
    def total(self) -> int:
        return sum(counts.total() for counts in self._counts.values())

    @property
    def studies(self) -> tuple[StudyMoved, ...]:
        return tuple(StudyMoved(*study, counts) for study, counts in self._counts.items())


@dataclass(frozen=True)
class Queried:
    """A query: its SOP class, and its identifier as it was encoded."""

    sop_class_uid: str
    identifier: bytes
    transfer_syntax: str


@dataclass(frozen=True)
class Message:
    """One audit message. ``words`` say what was wrong, where anything was."""

    event: Event
    action: Action
    participants: tuple[Participant, ...]
    type: EventType | None = None
    outcome: Outcome = Outcome.SUCCESS
    words: str = ""
    studies: tuple[StudyMoved, ...] = ()
    query: Queried | None = None
    node: str = ""
    at: datetime = field(default_factory=lambda: datetime.now(UTC))


def activity(ours: Participant, *, starts: bool) -> Message:
    """This node starts or stops (A.5.3.1)."""
    kind = EventType.START if starts else EventType.STOP
    return Message(Event.APPLICATION_ACTIVITY, Action.EXECUTE, (ours,), kind)


def transferred(sender: Participant, receiver: Participant, moved: Movement, words: str = "") -> Message | None:
    """Objects were moved (A.5.3.7); ``words``: of what did not arrive. None where nothing did and nothing is said."""
    if not moved.studies and not words:
        return None
    outcome = Outcome.MINOR_FAILURE if words else Outcome.SUCCESS
    parties = (sender, receiver)
    return Message(Event.INSTANCES_TRANSFERRED, Action.CREATE, parties, None, outcome, words, moved.studies)


def turned_away(ours: Participant, caller: Participant, words: str) -> Message:
    """An association was refused because of who asked for it (A.5.3.11)."""
    kind, failure = EventType.NODE_AUTHENTICATION, Outcome.MINOR_FAILURE
    parties = (ours, caller)
    return Message(Event.SECURITY_ALERT, Action.EXECUTE, parties, kind, failure, words, node=caller.host)


def queried(ours: Participant, archive: Participant, query: Queried) -> Message:
    """This node asked an archive (A.5.3.10)."""
    return Message(Event.QUERY, Action.EXECUTE, (ours, archive), query=query)


def encoded(message: Message, source: str) -> str:
    """The message as one line of XML. ``source``: the Audit Source ID."""
    root = Element("AuditMessage")
    _event(root, message)
    for participant in message.participants:
        _participant(root, participant)
    reporter = SubElement(root, "AuditSourceIdentification", {"AuditSourceID": source})
    SubElement(reporter, "AuditSourceTypeCode", {"csd-code": _APPLICATION_SERVER})
    _objects(root, message)
    return " ".join(tostring(root, encoding="unicode").splitlines())


def _event(root: Element, message: Message) -> None:
    event = SubElement(
        root,
        "EventIdentification",
        {
            "EventActionCode": message.action,
            "EventDateTime": message.at.isoformat(timespec="milliseconds"),
            "EventOutcomeIndicator": message.outcome,
        },
    )
    _code(event, "EventID", message.event)
    if message.type is not None:
        _code(event, "EventTypeCode", message.type)
    if message.words:
        SubElement(event, "EventOutcomeDescription").text = _plain(message.words)


def _participant(root: Element, one: Participant) -> None:
    found = SubElement(
        root,
        "ActiveParticipant",
        {
            "UserID": _plain(one.ae_title),
            "AlternativeUserID": f"AETITLES={_plain(one.ae_title)}",
            "UserIsRequestor": str(one.requestor).lower(),
            "NetworkAccessPointID": one.host,
            "NetworkAccessPointTypeCode": _IP_ADDRESS if _is_address(one.host) else _MACHINE_NAME,
        },
    )
    _code(found, "RoleIDCode", one.role)


def _objects(root: Element, message: Message) -> None:
    for study in message.studies:
        found = _object(root, study.study_uid, ("2", "3"), ("110180", "DCM", MEANINGS["110180"]))
        classes = SubElement(found, "ParticipantObjectDescription")
        for uid, count in sorted(study.counts.items()):
            SubElement(classes, "SOPClass", {"UID": uid, "NumberOfInstances": str(count)})
    for patient_id, issuer in dict.fromkeys((study.patient_id, study.issuer) for study in message.studies):
        # HL7's CX data type: the ID, and who issued it.
        _object(root, f"{patient_id}^^^{issuer}" if issuer else patient_id, ("1", "1"), _PATIENT_NUMBER)
    if message.node:
        _object(root, message.node, ("2", ""), ("110182", "DCM", MEANINGS["110182"]))
    if message.query is not None:
        _query(root, message.query)


def _object(root: Element, id_: str, kind: tuple[str, str], code: tuple[str, str, str]) -> Element:
    """An object that took part, by its ID. ``kind``: type, and role or ''."""
    type_, role = kind
    attributes = {"ParticipantObjectID": _plain(id_), "ParticipantObjectTypeCode": type_}
    if role:
        attributes["ParticipantObjectTypeCodeRole"] = role
    found = SubElement(root, "ParticipantObjectIdentification", attributes)
    keys = ("csd-code", "codeSystemName", "originalText")
    SubElement(found, "ParticipantObjectIDTypeCode", dict(zip(keys, code, strict=True)))
    SubElement(found, "ParticipantObjectName")  # the schema wants a name or a query; a name would name a patient
    return found


def _query(root: Element, query: Queried) -> None:
    found = _object(root, query.sop_class_uid, ("2", "3"), ("110181", "DCM", MEANINGS["110181"]))
    found.remove(found[-1])
    SubElement(found, "ParticipantObjectQuery").text = b64encode(query.identifier).decode()
    value = b64encode(query.transfer_syntax.encode()).decode()
    SubElement(found, "ParticipantObjectDetail", {"type": "TransferSyntax", "value": value})


def _code(parent: Element, name: str, code: StrEnum) -> None:
    attributes = {"csd-code": code, "codeSystemName": "DCM", "originalText": MEANINGS[code]}
    SubElement(parent, name, attributes)


def _plain(value: str) -> str:
    """Without what XML 1.0 cannot hold: what a peer calls itself may be any bytes."""
    return "".join(char if char.isprintable() else "?" for char in value)


def _is_address(host: str) -> bool:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host)
        except OSError:
            continue
        return True
    return False
