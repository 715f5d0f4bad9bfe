"""Audit messages have the elements, codes and order of PS3.15 A.5, and nobody's name."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping
from datetime import UTC, datetime
from xml.etree.ElementTree import Element, fromstring

import pytest

from node.audit import (
    MEANINGS,
    Event,
    EventType,
    Message,
    Movement,
    Participant,
    Queried,
    Role,
    activity,
    encoded,
    queried,
    transferred,
    turned_away,
)

MR, SEG = "1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.66.4"
PACS = Participant("PACS", "10.1.2.3", Role.SOURCE, requestor=True)
US = Participant("RESTAGE", "node.example.org", Role.DESTINATION, requestor=False)
STUDY = ("1.2.3", "P1", "HOSPITAL")


def moved() -> Movement:
    movement = Movement()
    for sop_class_uid in (MR, MR, SEG):
        movement.add(STUDY, sop_class_uid)
    return movement


def read(message: Message | None) -> Element:
    assert message is not None
    return fromstring(encoded(message, "RESTAGE@node"))


def attributes(root: Element, path: str) -> Mapping[str, str]:
    (found,) = root.findall(path)
    return found.attrib


def code(value: str) -> dict[str, str]:
    return {"csd-code": value, "codeSystemName": "DCM", "originalText": MEANINGS[value]}


def test_a_transfer_names_both_sides_the_study_its_classes_and_the_patients_id() -> None:
    root = read(transferred(PACS, US, moved()))
    event = attributes(root, "EventIdentification")
    assert (event["EventActionCode"], event["EventOutcomeIndicator"]) == ("C", "0")
    assert abs(datetime.fromisoformat(event["EventDateTime"]) - datetime.now(UTC)).total_seconds() < 60
    assert attributes(root, "EventIdentification/EventID") == code(Event.INSTANCES_TRANSFERRED)
    source, destination = root.findall("ActiveParticipant")
    assert source.attrib == {
        "UserID": "PACS",
        "AlternativeUserID": "AETITLES=PACS",
        "UserIsRequestor": "true",
        "NetworkAccessPointID": "10.1.2.3",
        "NetworkAccessPointTypeCode": "2",
    }
    assert attributes(source, "RoleIDCode") == code(Role.SOURCE)
    assert (destination.attrib["UserID"], destination.attrib["NetworkAccessPointTypeCode"]) == ("RESTAGE", "1")
    study, patient = root.findall("ParticipantObjectIdentification")
    assert study.attrib["ParticipantObjectID"] == "1.2.3"
    assert attributes(study, "ParticipantObjectIDTypeCode") == code("110180")
    assert [one.attrib for one in study.findall("ParticipantObjectDescription/SOPClass")] == [
        {"UID": MR, "NumberOfInstances": "2"},
        {"UID": SEG, "NumberOfInstances": "1"},
    ]
    assert patient.attrib["ParticipantObjectID"] == "P1^^^HOSPITAL"
    assert [one.text for one in root.iter("ParticipantObjectName")] == [None, None]


def test_what_did_not_arrive_is_a_failure_with_its_reason() -> None:
    root = read(transferred(PACS, US, Movement(), "3 refused: no room"))
    assert attributes(root, "EventIdentification")["EventOutcomeIndicator"] == "4"
    assert root.findtext("EventIdentification/EventOutcomeDescription") == "3 refused: no room"
    assert transferred(PACS, US, Movement()) is None


@pytest.mark.parametrize(("starts", "kind"), [(True, EventType.START), (False, EventType.STOP)])
def test_starts_and_stops_are_activities_of_the_application(starts: bool, kind: EventType) -> None:
    root = read(activity(Participant("RESTAGE", "node", Role.APPLICATION, requestor=False), starts=starts))
    assert attributes(root, "EventIdentification/EventID") == code(Event.APPLICATION_ACTIVITY)
    assert attributes(root, "EventIdentification/EventTypeCode") == code(kind)


def test_a_caller_that_is_turned_away_is_an_alert_that_says_where_it_called_from() -> None:
    root = read(turned_away(US, PACS, "no peer"))
    assert attributes(root, "EventIdentification/EventTypeCode") == code(EventType.NODE_AUTHENTICATION)
    assert attributes(root, "ParticipantObjectIdentification")["ParticipantObjectID"] == "10.1.2.3"
    assert root.findtext("EventIdentification/EventOutcomeDescription") == "no peer"


def test_a_query_is_kept_as_it_was_encoded() -> None:
    root = read(queried(US, PACS, Queried("1.2.840.10008.5.1.4.1.2.2.1", b"\x08\x00", "1.2.840.10008.1.2")))
    (found,) = root.findall("ParticipantObjectIdentification")
    assert b64decode(found.findtext("ParticipantObjectQuery", "")) == b"\x08\x00"
    assert found.find("ParticipantObjectName") is None
    assert b64decode(attributes(found, "ParticipantObjectDetail")["value"]) == b"1.2.840.10008.1.2"


def test_whatever_a_peer_calls_itself_the_message_is_one_line_of_xml() -> None:
    caller = Participant("\x00<A>\n&\ud800\uffff", "10.1.2.3", Role.SOURCE, requestor=True)
    line = encoded(turned_away(US, caller, 'says "no"\r\nand\x1b[31m'), "RESTAGE@node")
    assert line.isprintable()
    fromstring(line)


def test_elements_stand_in_the_schemas_order() -> None:
    root = read(transferred(PACS, US, moved(), "one refused"))
    names = [element.tag for element in root]
    assert names == [
        "EventIdentification",
        "ActiveParticipant",
        "ActiveParticipant",
        "AuditSourceIdentification",
        "ParticipantObjectIdentification",
        "ParticipantObjectIdentification",
    ]
