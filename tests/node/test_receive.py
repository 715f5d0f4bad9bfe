"""The listener, over real associations on this machine: who may do what, and what is answered to what arrives."""

from __future__ import annotations

import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, fromstring, tostring

import pytest
import structlog
from pydicom import Dataset, dcmread
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE, _config
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]  # the module makes its names at import

from node.accepted import STORED_CLASSES, TRANSFER_SYNTAXES
from node.association import AS_SCU
from node.audit import Event
from node.config import Config
from node.database import Database
from node.errors import ConfigError
from node.gate import Caller
from node.receive import Listener
from node.schema import object_table, study_table
from node.store import Store
from tests.dicom_files import BASELINE, ROOT, data_set, dwi, in_syntax, mask, report, t2_axial
from tests.node.conftest import Bench, configured, peer

SENDER = peer("sender", sends=True)
VIEWER = peer("viewer", receives=True)
ARCHIVE = peer("archive", queries=True)
PATHS = ("fast", "plain")
"""Straight from the socket, and all by pynetdicom: what is answered and kept is the same."""


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Listener]]:
    """Two listeners for the tests of this file, one that leaves the transfer to pynetdicom: closing one takes time."""
    with ExitStack() as stack:
        yield {path: stack.enter_context(opened(tmp_path_factory.mktemp(path), path)) for path in PATHS}


@contextmanager
def opened(folder: Path, path: str) -> Iterator[Listener]:
    config = configured(folder, SENDER, VIEWER, ARCHIVE, node={"fast_ingest": path == "fast"})
    listener = Listener(config, Store(folder, Database("sqlite://")))
    listener.open()
    yield listener
    listener.close()


@pytest.fixture(params=PATHS)
def listener(both: dict[str, Listener], request: pytest.FixtureRequest) -> Listener:
    return both[request.param]


@pytest.fixture
def config(listener: Listener, store: Store) -> Config:
    """The configuration of the listener, which keeps what it gets in the store of this test."""
    listener.store = store
    return listener.config


@contextmanager
def listening(store: Store, *peers: dict[str, Any]) -> Iterator[Config]:
    """A listener with other peers."""
    listener = Listener(configured(store.folder, *peers), store)
    listener.open()
    try:
        yield listener.config
    finally:
        listener.close()


@contextmanager
def associated(
    config: Config,
    *contexts: tuple[str, list[str]],
    calling: str = "SENDER",
    called: str = "RESTAGE",
) -> Iterator[Association]:
    """An association with these presentation contexts (and Verification), released at the end."""
    ae = AE(ae_title=calling)
    ae.add_requested_context(Verification)
    for abstract, syntaxes in contexts:
        ae.add_requested_context(abstract, syntaxes)
    association = ae.associate(config.node.host, config.node.port, ae_title=called, evt_handlers=list(AS_SCU))
    try:
        yield association
    finally:
        if association.is_established:
            association.release()


def context_of(dataset: Dataset) -> tuple[str, list[str]]:
    return str(dataset.SOPClassUID), [str(dataset.file_meta.TransferSyntaxUID)]


def send(config: Config, *datasets: Dataset, calling: str = "SENDER", **more: Any) -> list[Dataset]:
    """C-STORE each dataset as it is; the answers."""
    contexts = {context_of(one)[0] + context_of(one)[1][0]: context_of(one) for one in datasets}
    with associated(config, *contexts.values(), calling=calling) as association:
        assert association.is_established
        return [association.send_c_store(one, **more) for one in datasets]


def send_bytes(config: Config, dataset: Dataset, content: bytes, sop_class: str = "") -> Dataset:
    """C-STORE the request of a dataset with other bytes behind it."""
    with associated(config, context_of(dataset)) as association:
        context = next(one for one in association.accepted_contexts if one.abstract_syntax == dataset.SOPClassUID)
        request = C_STORE()
        request.MessageID = 1
        request.AffectedSOPClassUID = sop_class or dataset.SOPClassUID
        request.AffectedSOPInstanceUID = dataset.SOPInstanceUID
        request.Priority = 2
        request.DataSet = BytesIO(content)
        association._reactor_checkpoint.clear()  # or the association's own thread takes the answer, as in send_c_store
        association.dimse.send_msg(request, context.context_id)
        _, answer = association.dimse.get_msg(block=True)
        association._reactor_checkpoint.set()
        status = Dataset()
        status.Status = answer.Status
        if answer.ErrorComment is not None:
            status.ErrorComment = answer.ErrorComment
        return status


def kept(bench: Bench) -> list[Path]:
    return sorted(bench.store.folder / row.path for row in bench.rows(object_table))


def files(bench: Bench) -> list[Path]:
    return [path for path in bench.store.objects.rglob("*") if path.is_file()]


@pytest.fixture
def events() -> Iterator[list[Any]]:
    with structlog.testing.capture_logs() as captured:
        yield captured


# --- associations ------------------------------------------------------------------------------------------------


def test_an_echo_is_answered(config: Config) -> None:
    with associated(config) as association:
        assert association.send_c_echo().Status == 0x0000


def test_a_title_that_is_no_peer_is_rejected_and_its_bytes_are_logged(config: Config, events: list[Any]) -> None:
    with associated(config, calling="STRANGER") as association:
        assert association.is_rejected
        assert association.acceptor.primitive.diagnostic == 0x03  # calling AE title not recognised, PS3.8 9.3.4
    (event,) = [one for one in events if one["event"] == "association.rejected"]
    assert event["calling"] == repr(b"STRANGER        ")
    assert event["called"] == repr(b"RESTAGE         ")
    assert event["address"] == "127.0.0.1"


def test_without_room_a_sender_is_told_to_come_back_and_is_let_in_when_there_is_room_again(
    config: Config, listener: Listener, bench: Bench, events: list[Any]
) -> None:
    first = t2_axial(BASELINE)[0]
    listener.store = replace(bench.store, keep_free=2**62)
    with associated(config, context_of(first)) as refused:
        assert refused.is_rejected
        answer = refused.acceptor.primitive
        assert (answer.result, answer.result_source, answer.diagnostic) == (2, 3, 2)  # PS3.8 Table 9-21
    (said,) = [event for event in events if event["event"] == "association.no_room"]
    assert "keep_free_gib" in said["reason"]
    listener.store = bench.store
    assert [answer.Status for answer in send(config, first)] == [0x0000]


def test_a_peers_title_from_elsewhere_is_rejected_and_from_this_machine_may_only_echo(
    store: Store, events: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = t2_axial(BASELINE)[0]
    with listening(store, peer("sender", sends=True, host="192.0.2.1")) as config:
        with associated(config, context_of(first)) as echoing:
            assert [one.abstract_syntax for one in echoing.accepted_contexts] == [Verification]
        monkeypatch.setattr(Caller, "is_local", False)
        with associated(config, context_of(first)) as refused:
            answer = refused.acceptor.primitive
            assert (answer.result, answer.result_source, answer.diagnostic) == (1, 1, 3)  # PS3.8 Table 9-21
    (said,) = [event for event in events if event["event"] == "association.rejected"]
    assert "calls_from" in said["hint"] and "192.0.2.1" in said["hint"]


def test_a_node_without_peers_lets_nobody_in(store: Store) -> None:
    with listening(store) as config:
        for calling in ("SENDER", "-", "RESTAGE", "\\", "*"):
            with associated(config, calling=calling) as association:
                assert not association.is_established


def test_a_wrong_called_title_is_rejected(config: Config, events: list[Any]) -> None:
    with associated(config, called="SOMEBODY") as association:
        assert association.is_rejected
        assert association.acceptor.primitive.diagnostic == 0x07  # called AE title not recognised
    assert [one["called"] for one in events if one["event"] == "association.rejected"] == [repr(b"SOMEBODY        ")]


def test_titles_padded_with_nul_are_accepted_and_others_still_are_not(
    config: Config, monkeypatch: pytest.MonkeyPatch, events: list[Any]
) -> None:
    monkeypatch.setitem(_config.VALIDATORS, "AE", lambda _: (True, ""))
    with associated(config, calling="SENDER\0\0", called="RESTAGE\0") as association:
        assert association.send_c_echo().Status == 0x0000
    with associated(config, calling="SEN\0DER") as association:
        assert association.is_rejected
    assert [one["calling"] for one in events if one["event"] == "association.rejected"] == [
        repr(b"SEN\x00DER         ")
    ]


def test_a_connection_that_speaks_no_dicom_does_not_stop_the_listener(config: Config) -> None:
    for garbage in (b"GET / HTTP/1.1\r\n\r\n", b"\x01", b"\x01\x00\x00\x00\x00\x10" + b"\xff" * 16, b""):
        with socket.create_connection((config.node.host, config.node.port), timeout=5) as connection:
            connection.sendall(garbage)
    with associated(config) as association:
        assert association.send_c_echo().Status == 0x0000


def test_a_port_that_is_taken_is_told_with_its_key(store: Store, data_dir: Path) -> None:
    config = configured(data_dir, SENDER)
    with socket.socket() as taken:
        taken.bind((config.node.host, config.node.port))
        taken.listen()
        with pytest.raises(ConfigError, match=f"node.port = {config.node.port} on 127.0.0.1") as caught:
            Listener(config, store).open()
    assert caught.value.key == "node.port"


def test_the_port_is_free_again_once_the_listener_is_closed(store: Store, data_dir: Path) -> None:
    config = configured(data_dir, SENDER)
    for _ in range(2):
        listener = Listener(config, store)
        listener.open()
        with associated(config) as association:
            assert association.is_established
        listener.close()


# --- who may store -----------------------------------------------------------------------------------------------


def test_a_peer_that_only_receives_may_echo_and_nothing_else(config: Config, bench: Bench) -> None:
    dataset = t2_axial(BASELINE)[0]
    with associated(config, context_of(dataset), calling="VIEWER") as association:
        assert [one.abstract_syntax for one in association.accepted_contexts] == [Verification]
        assert association.send_c_echo().Status == 0x0000
    assert files(bench) == []


def test_an_archive_may_store_what_we_asked_it_to_move(config: Config, bench: Bench) -> None:
    first, second, third, *_ = t2_axial(BASELINE)
    (unasked,) = send(config, first, calling="ARCHIVE")
    assert unasked.Status == 0x0124
    (for_others,) = send(config, second, calling="ARCHIVE", originator_aet="SOMEBODY", originator_id=1)
    assert for_others.Status == 0x0124
    assert files(bench) == []
    (ours,) = send(config, third, calling="ARCHIVE", originator_aet="RESTAGE", originator_id=1)
    assert ours.Status == 0x0000
    assert len(kept(bench)) == 1


def test_of_two_peers_with_one_title_either_may_allow_storing(store: Store) -> None:
    peers = ({**ARCHIVE, "name": "query"}, {**ARCHIVE, "name": "store", "sends": True, "port": 105})
    with listening(store, *peers) as config:
        (answer,) = send(config, t2_axial(BASELINE)[0], calling="ARCHIVE")
    assert answer.Status == 0x0000


# --- what is kept ------------------------------------------------------------------------------------------------


def test_an_image_a_mask_and_a_report_are_kept(config: Config, bench: Bench) -> None:
    answers = send(config, t2_axial(BASELINE)[0], mask(BASELINE), report(BASELINE))
    assert [answer.Status for answer in answers] == [0x0000] * 3
    assert len(kept(bench)) == 3
    assert {row.source for row in bench.rows(object_table)} == {"SENDER"}
    assert bench.states() == {BASELINE.uid: "RECEIVING"}


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian])
def test_the_data_set_is_kept_byte_for_byte(config: Config, bench: Bench, syntax: str) -> None:
    dataset = in_syntax(t2_axial(BASELINE)[0], syntax)
    send(config, dataset)
    (path,) = kept(bench)
    assert path.read_bytes().endswith(data_set(dataset))
    assert dcmread(path).file_meta.TransferSyntaxUID == syntax


def test_real_compressed_objects_are_kept_as_they_came(config: Config, bench: Bench, shared_data: Path) -> None:
    sources = sorted((shared_data / "siemens_trio_transfer_syntaxes").rglob("*.dcm"))
    datasets = [dcmread(path) for path in sources]
    for number, dataset in enumerate(datasets):
        dataset.SOPInstanceUID = f"{ROOT}.88.{number}"
    syntaxes = {str(dataset.file_meta.TransferSyntaxUID) for dataset in datasets}
    assert len(syntaxes) >= 7
    assert syntaxes <= set(TRANSFER_SYNTAXES)
    assert [answer.Status for answer in send(config, *datasets)] == [0x0000] * len(datasets)
    stored = {str(dcmread(path).SOPInstanceUID): path for path in kept(bench)}
    for dataset in datasets:
        read = dcmread(stored[str(dataset.SOPInstanceUID)])
        assert read.file_meta.TransferSyntaxUID == dataset.file_meta.TransferSyntaxUID
        assert read.PixelData == dataset.PixelData


def test_explicit_vr_is_chosen_where_the_sender_offers_both(config: Config) -> None:
    wanted = (str(t2_axial(BASELINE)[0].SOPClassUID), [ImplicitVRLittleEndian, ExplicitVRLittleEndian])
    with associated(config, wanted) as association:
        chosen = [one.transfer_syntax for one in association.accepted_contexts if one.abstract_syntax == wanted[0]]
    assert chosen == [[ExplicitVRLittleEndian]]


@pytest.mark.parametrize("syntax", TRANSFER_SYNTAXES)
def test_every_class_is_accepted_in_every_transfer_syntax(config: Config, syntax: str) -> None:
    with associated(config, *((str(uid), [syntax]) for uid in STORED_CLASSES)) as association:
        assert len(association.accepted_contexts) == len(STORED_CLASSES) + 1
        assert association.rejected_contexts == []


def test_an_object_sent_twice_is_success_twice_and_kept_once(config: Config, bench: Bench) -> None:
    dataset = t2_axial(BASELINE)[0]
    assert [answer.Status for answer in send(config, dataset, dataset)] == [0x0000, 0x0000]
    assert len(files(bench)) == 1


def test_the_same_exam_over_two_associations_at_once_is_one_exam(config: Config, bench: Bench) -> None:
    datasets = [*t2_axial(BASELINE), *dwi(BASELINE)]
    answers: list[Dataset] = []

    def route(order: list[Dataset]) -> None:
        answers.extend(send(config, *order))

    threads = [threading.Thread(target=route, args=(order,)) for order in (datasets, datasets[::-1])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [answer.Status for answer in answers] == [0x0000] * 2 * len(datasets)
    assert len(kept(bench)) == len(files(bench)) == len(datasets)
    assert bench.study(BASELINE.uid).generation == 1


# --- what is refused ---------------------------------------------------------------------------------------------


def without(keyword: str) -> Dataset:
    dataset = t2_axial(BASELINE)[0]
    delattr(dataset, keyword)
    return dataset


IMAGE = t2_axial(BASELINE)[0]
BROKEN = {
    "no DICOM": (b"this is no data set at all, whatever the request says" * 20, range(0xC000, 0xD000)),
    "cut off": (data_set(IMAGE)[:-500], range(0xC000, 0xD000)),
    "cut off in its header": (data_set(IMAGE)[:600], range(0xC000, 0xD000)),
    "without study": (data_set(without("StudyInstanceUID")), range(0xC000, 0xD000)),
    "without series": (data_set(without("SeriesInstanceUID")), range(0xC000, 0xD000)),
    "another instance": (data_set(t2_axial(BASELINE)[1]), range(0xA900, 0xAA00)),
    "another class": (data_set(report(BASELINE)), range(0xA900, 0xAA00)),
}


@pytest.mark.parametrize("broken", list(BROKEN))
def test_a_broken_object_is_refused_with_a_comment_and_leaves_nothing(
    config: Config, bench: Bench, events: list[Any], broken: str
) -> None:
    content, statuses = BROKEN[broken]
    answer = send_bytes(config, IMAGE, content)
    assert answer.Status in statuses
    assert 0 < len(answer.ErrorComment) <= 64
    assert files(bench) == []
    assert bench.rows(object_table) == bench.rows(study_table) == []
    assert [one["status"] for one in events if one["event"] == "object.refused"] == [f"0x{answer.Status:04X}"]
    assert send(config, IMAGE)[0].Status == 0x0000


def test_an_object_announced_under_another_class_than_its_own_is_a_mismatch(config: Config, bench: Bench) -> None:
    other = report(BASELINE)
    other.SOPInstanceUID = IMAGE.SOPInstanceUID
    assert send_bytes(config, IMAGE, data_set(other)).Status == 0xA900
    assert files(bench) == []


def test_a_broken_object_does_not_end_the_association(config: Config, bench: Bench) -> None:
    first, second, *_ = t2_axial(BASELINE)
    first.PixelData = first.PixelData[:-2]
    answers = send(config, first, second)
    assert [answer.Status for answer in answers] == [0xC002, 0x0000]
    assert "2046 of 2048" in answers[0].ErrorComment
    assert len(files(bench)) == 1


def test_a_store_that_cannot_write_is_out_of_resources(config: Config, bench: Bench) -> None:
    shutil.rmtree(bench.store.objects)
    bench.store.objects.write_bytes(b"a file where the folder should be")
    (answer,) = send(config, IMAGE)
    assert answer.Status == 0xA700
    assert 0 < len(answer.ErrorComment) <= 64
    bench.store.objects.unlink()
    assert send(config, IMAGE)[0].Status == 0x0000


def test_a_comment_with_signs_of_another_script_is_no_crash(config: Config) -> None:
    dataset = t2_axial(BASELINE)[0]
    dataset.PixelData = dataset.PixelData[:-2]
    dataset.PatientName = "Wang^XiaoDong=王^小东"
    assert send(config, dataset)[0].Status == 0xC002


# --- the audit trail ---------------------------------------------------------------------------------------------


def audited(config: Config, event: Event) -> list[Element]:
    """The messages of one event, once an association's end has been noted."""
    deadline = time.monotonic() + 5
    while True:
        lines = [line for path in (config.node.data_dir / "audit").glob("*.xml") for line in path.open()]
        found = [one for one in map(fromstring, lines) if one.find(f".//EventID[@csd-code='{event}']") is not None]
        if found or time.monotonic() > deadline:
            return found
        time.sleep(0.02)


def test_what_an_association_brought_and_what_was_refused_is_one_audit_message_without_a_name(store: Store) -> None:
    images = t2_axial(BASELINE, 2)
    with listening(store, SENDER) as config:
        send(config, *images, without("StudyInstanceUID"))
        (message,) = audited(config, Event.INSTANCES_TRANSFERRED)
    objects = [one.attrib["ParticipantObjectID"] for one in message.iter("ParticipantObjectIdentification")]
    assert objects == [BASELINE.uid, f"{images[0].PatientID}^^^{images[0].IssuerOfPatientID}"]
    assert [one.attrib["NumberOfInstances"] for one in message.iter("SOPClass")] == ["2"]
    assert [one.attrib["UserID"] for one in message.iter("ActiveParticipant")] == ["SENDER", "RESTAGE"]
    assert "1 refused" in str(message.findtext(".//EventOutcomeDescription"))
    assert str(images[0].PatientName).partition("^")[0] not in tostring(message, encoding="unicode")


def test_the_log_has_one_line_of_what_an_association_brought(store: Store, events: list[Any]) -> None:
    with listening(store, SENDER) as config:
        send(config, *t2_axial(BASELINE, 2), without("StudyInstanceUID"))
        audited(config, Event.INSTANCES_TRANSFERRED)
    (event,) = [one for one in events if one["event"] == "association.ended"]
    assert (event["peer"], event["studies"], event["kept"], event["refused"]) == ("SENDER", 1, 2, 1)


def test_an_association_that_breaks_off_is_audited_with_what_it_brought(store: Store) -> None:
    (image,) = t2_axial(BASELINE, 1)
    with listening(store, SENDER) as config, associated(config, context_of(image)) as association:
        association.send_c_store(image)
        association.abort()
        (message,) = audited(config, Event.INSTANCES_TRANSFERRED)
    assert [one.attrib["NumberOfInstances"] for one in message.iter("SOPClass")] == ["1"]


def test_a_stranger_is_an_alert_in_the_audit_trail(store: Store) -> None:
    with listening(store, SENDER) as config:
        with associated(config, calling="STRANGER"):
            pass
        (message,) = audited(config, Event.SECURITY_ALERT)
    assert any("STRANGER" in one.attrib["UserID"] for one in message.iter("ActiveParticipant"))
