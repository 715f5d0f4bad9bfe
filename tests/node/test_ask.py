"""Questions to an archive over real associations: what it says, what it does not, and that nothing hangs."""

from __future__ import annotations

import codecs
import time
from base64 import b64decode
from collections.abc import Callable, Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import fromstring

import pytest
from pydicom import Dataset
from pynetdicom import evt
from pynetdicom.dsutils import decode

from node import ask
from node.ask import Inquiry, asking, whom_to_ask
from node.config import Config
from node.errors import AskError, PeerError
from node.peer import Peer
from node.records import ResultFile
from node.trail import Trail
from tests.dicom_files import BASELINE, RESTAGING, mask, report
from tests.node.conftest import configured, free_port, peer
from tests.node.query_archive import Answers, QueryArchive, answer_of, garbage

SEG = mask(BASELINE)
CLASSES = (str(SEG.SOPClassUID), str(report(BASELINE).SOPClassUID))
QUICK = 0.5
US = Trail(None, "RESTAGE")

Opened = Callable[..., tuple[QueryArchive, Peer]]


@pytest.fixture(scope="module")
def usual() -> Iterator[tuple[QueryArchive, Peer]]:
    """One archive for the tests that want nothing special: closing one takes half a second."""
    archive = QueryArchive(storage=CLASSES)
    yield archive, Peer(name="pacs", ae_title="PACS", host="127.0.0.1", port=archive.open(), queries=True)
    archive.close()


@pytest.fixture
def opened(usual: tuple[QueryArchive, Peer]) -> Iterator[Opened]:
    """An archive that has the SEG and nothing else, and answers as a test says."""
    archive, pacs = usual

    def start(find: Any = None, get: Any = None) -> tuple[QueryArchive, Peer]:
        archive.find, archive.get, archive.objects = find, get, {}
        archive.put(SEG)
        archive.silence.clear()
        return archive, pacs

    yield start
    archive.silence.set()


@pytest.fixture
def restricted() -> Iterator[Opened]:
    """An archive that has the SEG and offers less than most do."""
    archives: list[QueryArchive] = []

    def start(**changes: bool) -> tuple[QueryArchive, Peer]:
        archive = QueryArchive(storage=CLASSES, **changes)
        archive.put(SEG)
        archives.append(archive)
        return archive, Peer(name="pacs", ae_title="PACS", host="127.0.0.1", port=archive.open(), queries=True)

    yield start
    for archive in archives:
        archive.close()


def of(dataset: Dataset) -> ResultFile:
    uids = (dataset.SOPInstanceUID, dataset.SOPClassUID, dataset.SeriesInstanceUID, dataset.StudyInstanceUID)
    return ResultFile("seg", *map(str, uids), Path("seg.dcm"), "digest")


def asked(peer: Peer, question: Callable[[Inquiry], Any], seconds: float = 10.0) -> Any:
    with asking(US, peer, CLASSES, seconds) as inquiry:
        return question(inquiry)


def patients(inquiry: Inquiry) -> list[tuple[str, str]]:
    found = inquiry.patients_of(BASELINE.uid)
    return [(one.patient.patient_id, one.patient.name) for one in found]


def test_the_archive_says_whose_study_it_is(opened: Opened) -> None:
    _, pacs = opened()
    (found,) = asked(pacs, lambda inquiry: inquiry.patients_of(BASELINE.uid))
    assert found.patient.patient_id == "P1"
    assert found.patient.issuer == "HOSPITAL"
    assert (found.patient.name, found.patient.birth_date, found.patient.sex) == ("DOE^JANE", "19600102", "F")


def test_a_study_that_is_not_there_has_no_patient(opened: Opened) -> None:
    _, pacs = opened()
    assert asked(pacs, lambda inquiry: inquiry.patients_of(RESTAGING.uid)) == ()


def test_one_study_of_two_patients_is_told_as_both(opened: Opened) -> None:
    archive, pacs = opened()
    other = mask(replace(BASELINE, patient_id="P2", name="ROE^JIM"))
    other.SOPInstanceUID = f"{SEG.SOPInstanceUID}.2"
    archive.put(other)
    assert asked(pacs, patients) == [("P1", "DOE^JANE"), ("P2", "ROE^JIM")]


@pytest.mark.parametrize(
    ("character_set", "name", "encoding"),
    [
        ("ISO_IR 192", "Łucja^Żak=山田^太郎", "utf-8"),
        ("ISO_IR 100", "Müller^Jörg", "iso8859-1"),
        (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎", "utf-8"),
        (None, "DOE^JANE", "ascii"),
    ],
)
def test_names_are_decoded_in_the_character_set_of_the_answer(
    opened: Opened, character_set: Any, name: str, encoding: str
) -> None:
    def find(_: evt.Event) -> Answers:
        answer = answer_of(SEG)
        del answer.SpecificCharacterSet
        if character_set:
            answer.SpecificCharacterSet = character_set
        answer.PatientName = name
        yield 0xFF00, answer

    _, pacs = opened(find=find)
    (found,) = asked(pacs, lambda inquiry: inquiry.patients_of(BASELINE.uid))
    assert found.patient.name == name
    assert codecs.lookup(found.encoding).name == encoding


def fails_with(status: int) -> Callable[[evt.Event], Answers]:
    def find(_: evt.Event) -> Answers:
        yield status, None

    return find


@pytest.mark.parametrize(("status", "permanent"), [(0xA700, False), (0xC000, False), (0xA900, True), (0x0124, True)])
def test_a_failed_question_says_whether_it_may_be_asked_again(opened: Opened, status: int, permanent: bool) -> None:
    _, pacs = opened(find=fails_with(status))
    with pytest.raises(AskError, match=f"0x{status:04X}") as failed:
        asked(pacs, patients)
    assert (failed.value.permanent, failed.value.status) == (permanent, status)


def test_an_archive_without_c_find_can_never_be_asked(restricted: Opened) -> None:
    _, pacs = restricted(offers_find=False)
    with pytest.raises(AskError, match="pacs does not offer Study Root C-FIND") as failed:
        asked(pacs, patients)
    assert failed.value.permanent


def test_an_archive_that_is_down_is_asked_another_time() -> None:
    pacs = Peer(name="pacs", ae_title="PACS", host="127.0.0.1", port=free_port(), queries=True)
    with pytest.raises(PeerError, match=r"no association with pacs \(PACS@127.0.0.1:") as failed:
        asked(pacs, patients)
    assert not failed.value.permanent


def test_an_archive_that_never_answers_holds_nobody_up(opened: Opened) -> None:
    def find(_: evt.Event) -> Answers:
        archive.silence.wait(10)
        yield 0x0000, None

    archive, pacs = opened(find=find)
    started = time.monotonic()
    with pytest.raises(AskError, match="gives no answer to C-FIND") as failed:
        asked(pacs, patients, QUICK)
    assert not failed.value.permanent
    assert time.monotonic() - started < 4


def test_every_question_is_in_the_audit_trail_as_it_was_asked(opened: Opened, tmp_path: Path) -> None:
    _, pacs = opened()
    with asking(Trail(tmp_path, "RESTAGE"), pacs, CLASSES) as inquiry:
        patients(inquiry)
    (file,) = tmp_path.glob("*.xml")
    (message,) = map(fromstring, file.read_text().splitlines())
    assert [one.attrib["UserID"] for one in message.iter("ActiveParticipant")] == ["RESTAGE", "PACS"]
    query = b64decode(message.findtext(".//ParticipantObjectQuery", ""))
    assert decode(BytesIO(query), True, True).StudyInstanceUID == BASELINE.uid


def test_after_an_answer_that_never_came_the_next_question_fails_at_once(opened: Opened) -> None:
    def find(event: evt.Event) -> Answers:
        event.assoc.abort()
        yield 0x0000, None

    _, pacs = opened(find=find)
    with asking(US, pacs, CLASSES) as inquiry:
        with pytest.raises(AskError, match="breaks the association off") as failed:
            inquiry.patients_of(BASELINE.uid)
        assert not failed.value.permanent
        with pytest.raises(AskError, match="the association ended"):
            inquiry.patients_of(BASELINE.uid)


def test_an_answer_that_is_no_data_set_is_no_answer(opened: Opened) -> None:
    _, pacs = opened(find=garbage)
    with pytest.raises(AskError, match="pacs answers with what names no study") as failed:
        asked(pacs, patients)
    assert not failed.value.permanent


def test_matches_without_an_end_are_broken_off(opened: Opened) -> None:
    def find(_: evt.Event) -> Answers:
        while not archive.silence.is_set():
            yield 0xFF00, answer_of(SEG)

    archive, pacs = opened(find=find)
    with pytest.raises(AskError, match="without an end"):
        asked(pacs, patients)


def test_an_archive_that_ignores_the_key_is_not_believed(opened: Opened) -> None:
    def find(_: evt.Event) -> Answers:
        yield 0xFF00, answer_of(mask(RESTAGING))

    _, pacs = opened(find=find)
    with pytest.raises(AskError, match="other studies than it was asked for") as failed:
        asked(pacs, patients)
    assert failed.value.permanent
    with pytest.raises(AskError, match="other objects than it was asked for"):
        asked(pacs, lambda inquiry: inquiry.holds(of(SEG)))


def test_an_archive_that_names_no_patient_cannot_be_compared_with(opened: Opened) -> None:
    def find(_: evt.Event) -> Answers:
        answer = Dataset()
        answer.StudyInstanceUID = BASELINE.uid
        yield 0xFF00, answer

    _, pacs = opened(find=find)
    with pytest.raises(AskError, match="names no patient") as failed:
        asked(pacs, patients)
    assert failed.value.permanent


def test_an_object_comes_back_as_it_is_there(opened: Opened) -> None:
    _, pacs = opened()
    assert asked(pacs, lambda inquiry: inquiry.fetch(of(SEG))) == SEG
    assert asked(pacs, lambda inquiry: inquiry.holds(of(SEG)))
    assert asked(pacs, lambda inquiry: inquiry.gives(str(SEG.SOPClassUID)))


def refused(_: evt.Event) -> Iterator[Any]:
    yield 1
    yield 0xC000, None


@pytest.mark.parametrize("get", [None, refused])
def test_an_object_that_is_not_there_is_none_whatever_c_get_says(opened: Opened, get: Any) -> None:
    _, pacs = opened(get=get)
    assert asked(pacs, lambda inquiry: inquiry.fetch(of(report(BASELINE)))) is None
    assert not asked(pacs, lambda inquiry: inquiry.holds(of(report(BASELINE))))


def test_an_object_that_is_there_and_not_given_is_asked_for_again(opened: Opened) -> None:
    _, pacs = opened(get=refused)
    with pytest.raises(AskError, match="has the object and does not give it: C-GET ended with status 0xC000") as failed:
        asked(pacs, lambda inquiry: inquiry.fetch(of(SEG)))
    assert not failed.value.permanent


def test_what_was_not_asked_for_is_not_taken(opened: Opened) -> None:
    def get(_: evt.Event) -> Iterator[Any]:
        yield 2
        yield 0xFF00, report(BASELINE)
        yield 0xFF00, SEG

    _, pacs = opened(get=get)
    assert asked(pacs, lambda inquiry: inquiry.fetch(of(SEG))) == SEG


def test_objects_without_an_end_are_broken_off(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ask, "_MOST_ANSWERS", 3)

    def get(_: evt.Event) -> Iterator[Any]:
        yield 1000
        while not archive.silence.is_set():
            yield 0xFF00, report(BASELINE)

    archive, pacs = opened(get=get)
    with pytest.raises(AskError):
        asked(pacs, lambda inquiry: inquiry.fetch(of(SEG)), QUICK)


@pytest.mark.parametrize("changes", [{"offers_get": False}, {"takes_roles": False}])
def test_an_archive_without_c_get_or_our_role_gives_nothing_and_still_says_what_it_has(
    restricted: Opened, changes: dict[str, bool]
) -> None:
    _, pacs = restricted(**changes)
    assert not asked(pacs, lambda inquiry: inquiry.gives(str(SEG.SOPClassUID)))
    assert asked(pacs, lambda inquiry: inquiry.holds(of(SEG)))


def test_a_peer_is_asked_itself_or_at_the_other_port_of_the_same_application() -> None:
    def of_peers(*peers: dict[str, Any]) -> tuple[Config, Peer]:
        config = configured("data", *peers)
        return config, config.peers[0]

    both = of_peers(peer("pacs", receives=True, queries=True))
    assert whom_to_ask(*both) == both[1]
    config, store = of_peers(peer("store", receives=True), peer("query", queries=True, port=105))
    assert whom_to_ask(config, store) is None
    config, store = of_peers(
        peer("store", receives=True, ae_title="PACS"), peer("query", ae_title="PACS", queries=True, port=105)
    )
    assert whom_to_ask(config, store) == config.peers[1]
