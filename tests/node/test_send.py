"""Deliveries over real associations: what arrives, what waits, and what a person must see."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import fromstring

import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE, evt
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]  # the module makes its names at import
from sqlalchemy import update

from dicom_templates.kinds import Kind
from node import outbox
from node.breaker import Breaker
from node.config import Config
from node.records import ResultFile
from node.returned import differences
from node.schema import delivery_table
from node.send import send_due
from node.standin import Archive
from tests.dicom_files import BASELINE, encoded, mask, report, t2_axial
from tests.node.conftest import Bench, configured, free_port, peer
from tests.node.query_archive import Answers, QueryArchive

NODE = "RESTAGE"
FAST = {"retry_seconds": 0.2, "retry_max_seconds": 1.0, "give_up_after": 3}


class Answer:
    """What the archive answers to each SOP class; success where nothing else was said."""

    def __init__(self) -> None:
        self.status: dict[str, int] = {}

    def __call__(self, dataset: Dataset) -> int:
        return self.status.get(str(dataset.Modality), 0x0000)


class Pacs:
    """An archive that is open for the whole file; a test gives its answers."""

    def __init__(self, folder: Path) -> None:
        self.answer = Answer()
        self.archive = Archive(folder, "PACS", self.answer)
        self.port = self.archive.open()

    @property
    def received(self) -> list[str]:
        return [str(dataset.Modality) for dataset in self.archive.received]


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pacs]:
    """One archive for the tests of this file: closing one takes half a second."""
    pacs = Pacs(tmp_path_factory.mktemp("pacs"))
    yield pacs
    pacs.archive.close()


@pytest.fixture
def pacs(opened: Pacs) -> Pacs:
    opened.answer.status.clear()
    opened.archive.received.clear()
    return opened


def results(bench: Bench, *datasets: Dataset) -> list[ResultFile]:
    """Objects on disk as a job leaves them."""
    made = []
    for dataset in datasets:
        path = bench.store.results / f"{dataset.Modality}.dcm"
        content = encoded(dataset)
        path.write_bytes(content)
        uids = (dataset.SOPInstanceUID, dataset.SOPClassUID, dataset.SeriesInstanceUID, dataset.StudyInstanceUID)
        digest = hashlib.sha256(content).hexdigest()
        made.append(ResultFile(dataset.Modality, *map(str, uids), path.relative_to(bench.store.folder), digest))
    return made


@pytest.fixture
def scored(bench: Bench) -> Bench:
    """A job is done; its SEG and its SR are due for the PACS."""
    bench.done_job(results(bench, mask(BASELINE), report(BASELINE)))
    return bench


def config_for(bench: Bench, *ports: int, **values: Any) -> Config:
    names = ("pacs", "other")
    peers = [peer(name, receives=True, port=port, **values) for name, port in zip(names, ports, strict=False)]
    return configured(bench.store.folder, *peers, results=FAST)


def deliver(bench: Bench, config: Config, name: str = "pacs", breaker: Breaker | None = None) -> int:
    to = config.peer_named(name)
    assert to is not None
    return send_due(bench.database, config, to, breaker or Breaker(name, 0.2))


def deliveries(bench: Bench) -> Sequence[Any]:
    return bench.rows(delivery_table)


def states(bench: Bench) -> list[str]:
    return [row.state for row in deliveries(bench)]


def no_wait(bench: Bench) -> None:
    with bench.database.transaction() as connection:
        connection.execute(update(delivery_table).values(not_before=0.0))


def test_what_is_due_is_delivered_and_noted_as_sent(scored: Bench, pacs: Pacs) -> None:
    config = config_for(scored, pacs.port)
    assert deliver(scored, config) == 2
    assert pacs.received == ["SEG", "SR"]
    assert states(scored) == ["SENT", "SENT"]
    assert [row.status for row in deliveries(scored)] == [0x0000, 0x0000]
    assert deliver(scored, config) == 0
    assert pacs.received == ["SEG", "SR"]


def test_what_arrives_is_what_is_on_disk(scored: Bench, pacs: Pacs) -> None:
    deliver(scored, config_for(scored, pacs.port))
    for dataset in pacs.archive.received:
        made = dcmread(scored.store.results / f"{dataset.Modality}.dcm")
        arrived = dcmread(pacs.archive.folder / f"{dataset.SOPInstanceUID}.dcm")
        assert arrived == made
        assert arrived.file_meta.TransferSyntaxUID == made.file_meta.TransferSyntaxUID


def test_a_destination_that_is_down_gets_its_results_when_it_is_back(scored: Bench, pacs: Pacs) -> None:
    down = config_for(scored, free_port())
    now = time.time()
    assert deliver(scored, down) == 0
    for row in deliveries(scored):
        assert (row.state, row.attempts, row.token) == ("DUE", 1, "")
        assert row.not_before > now
        assert "pacs (PACS@127.0.0.1:" in row.reason
    assert deliver(scored, config_for(scored, pacs.port)) == 0  # not yet
    time.sleep(0.3)
    assert deliver(scored, config_for(scored, pacs.port)) == 2
    assert states(scored) == ["SENT", "SENT"]
    assert [row.reason for row in deliveries(scored)] == ["", ""]


def test_a_destination_without_address_is_one_that_is_down(scored: Bench) -> None:
    config = configured(scored.store.folder, peer("pacs", receives=True, host="no-such-host.invalid"), results=FAST)
    assert deliver(scored, config) == 0
    assert states(scored) == ["DUE", "DUE"]


def test_a_destination_that_stays_down_is_given_up_visibly_and_can_be_retried(scored: Bench, pacs: Pacs) -> None:
    down = config_for(scored, free_port())
    for _ in range(3):
        no_wait(scored)
        deliver(scored, down)
    assert states(scored) == ["FAILED", "FAILED"]
    assert outbox.retry_failed(scored.database) == 2
    assert deliver(scored, config_for(scored, pacs.port)) == 2


def test_a_destination_that_is_down_is_left_alone_and_costs_no_delivery_a_try(scored: Bench, pacs: Pacs) -> None:
    breaker = Breaker("pacs", 0.3)
    deliver(scored, config_for(scored, free_port()), breaker=breaker)
    no_wait(scored)
    assert deliver(scored, config_for(scored, pacs.port), breaker=breaker) == 0
    assert [row.attempts for row in deliveries(scored)] == [1, 1]
    time.sleep(0.4)
    assert deliver(scored, config_for(scored, pacs.port), breaker=breaker) == 2


def test_when_a_destination_is_back_nothing_waits_that_waited_for_it(bench: Bench, pacs: Pacs) -> None:
    bench.done_job(results(bench, mask(BASELINE)))
    breaker = Breaker("pacs", 0.05)
    deliver(bench, config_for(bench, free_port()), breaker=breaker)
    with bench.database.transaction() as connection:
        connection.execute(update(delivery_table).values(not_before=time.time() + 3600))
    bench.done_job(results(bench, report(BASELINE)))
    time.sleep(0.1)
    up = config_for(bench, pacs.port)
    assert deliver(bench, up, breaker=breaker) == 1
    assert deliver(bench, up, breaker=breaker) == 1
    assert pacs.received == ["SR", "SEG"]


def test_a_destination_out_of_resources_is_asked_again(scored: Bench, pacs: Pacs) -> None:
    config = config_for(scored, pacs.port)
    pacs.answer.status["SEG"] = 0xA700
    assert deliver(scored, config) == 1
    assert states(scored) == ["DUE", "SENT"]
    assert deliveries(scored)[0].status == 0xA700
    pacs.answer.status.clear()
    no_wait(scored)
    assert deliver(scored, config) == 1
    assert pacs.received == ["SR", "SEG"]


@pytest.mark.parametrize("status", [0xC000, 0xC211, 0xA900, 0x0122, 0x0124])
def test_a_refusal_is_a_visible_failure_and_the_rest_is_sent(scored: Bench, pacs: Pacs, status: int) -> None:
    config = config_for(scored, pacs.port)
    pacs.answer.status["SEG"] = status
    assert deliver(scored, config) == 1
    assert states(scored) == ["FAILED", "SENT"]
    row = deliveries(scored)[0]
    assert row.status == status
    assert f"0x{status:04X}" in row.reason
    pacs.answer.status.clear()
    outbox.retry(scored.database, row.id)
    assert deliver(scored, config) == 1
    assert states(scored) == ["SENT", "SENT"]


def test_what_went_where_and_what_did_not_is_in_the_audit_trail(scored: Bench, pacs: Pacs) -> None:
    config = config_for(scored, pacs.port)
    pacs.answer.status["SEG"] = 0xC000
    deliver(scored, config)
    pacs.answer.status.clear()
    (file,) = (config.node.data_dir / "audit").glob("*.xml")
    (message,) = map(fromstring, file.read_text().splitlines())
    assert [one.attrib["UserID"] for one in message.iter("ActiveParticipant")] == ["RESTAGE", "PACS"]
    assert [one.attrib["NumberOfInstances"] for one in message.iter("SOPClass")] == ["1"]
    assert message.findtext(".//EventOutcomeDescription") == "1 did not arrive"


@pytest.mark.parametrize("status", [0xB000, 0xB006, 0xB007, 0x0107, 0x0116])
def test_a_warning_is_an_arrival(scored: Bench, pacs: Pacs, status: int) -> None:
    pacs.answer.status["SEG"] = status
    assert deliver(scored, config_for(scored, pacs.port)) == 2
    assert states(scored) == ["SENT", "SENT"]
    assert deliveries(scored)[0].status == status


@contextmanager
def picky_archive(
    *classes: Dataset, title: str = "PACS", syntaxes: Sequence[str] = ()
) -> Iterator[tuple[int, list[Any]]]:
    """A storage SCP that takes some SOP classes alone, or some transfer syntaxes alone."""
    received: list[Any] = []

    def keep(event: evt.Event) -> int:
        received.append((event.context.transfer_syntax, event.dataset))
        return 0x0000

    ae = AE(ae_title=title)
    ae.require_called_aet = True
    ae.add_supported_context(Verification)
    for dataset in classes:
        ae.add_supported_context(dataset.SOPClassUID, list(syntaxes) or [dataset.file_meta.TransferSyntaxUID])
    server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, keep)])
    try:
        yield server.socket.getsockname()[1], received
    finally:
        ae.shutdown()


def test_a_destination_that_takes_no_seg_fails_that_alone(scored: Bench) -> None:
    with picky_archive(report(BASELINE)) as (port, received):
        assert deliver(scored, config_for(scored, port)) == 1
    assert [dataset.Modality for _, dataset in received] == ["SR"]
    assert states(scored) == ["FAILED", "SENT"]
    assert "Segmentation Storage" in deliveries(scored)[0].reason


def test_a_destination_that_takes_nothing_of_it_is_a_visible_failure(bench: Bench) -> None:
    bench.done_job(results(bench, mask(BASELINE)))
    with picky_archive(report(BASELINE)) as (port, _):
        assert deliver(bench, config_for(bench, port)) == 0
    (row,) = deliveries(bench)
    assert row.state == "FAILED", row.reason
    assert "Segmentation Storage" in row.reason


def test_a_destination_of_implicit_vr_gets_the_same_object(scored: Bench) -> None:
    with picky_archive(mask(BASELINE), report(BASELINE), syntaxes=[ImplicitVRLittleEndian]) as (port, received):
        assert deliver(scored, config_for(scored, port)) == 2
    assert [syntax for syntax, _ in received] == [ImplicitVRLittleEndian] * 2
    assert received[0][1].PixelData == mask(BASELINE).PixelData
    assert received[0][1].SOPInstanceUID == mask(BASELINE).SOPInstanceUID


def test_an_implicit_profile_offers_nothing_else_and_loses_nothing(scored: Bench) -> None:
    both = [ImplicitVRLittleEndian, ExplicitVRLittleEndian]
    with picky_archive(mask(BASELINE), report(BASELINE), syntaxes=both) as (port, received):
        profile = {"transfer_syntax": "implicit"}
        assert deliver(scored, config_for(scored, port, profile=profile)) == 2
    assert [syntax for syntax, _ in received] == [ImplicitVRLittleEndian] * 2
    for (_, arrived), made in zip(received, (mask(BASELINE), report(BASELINE)), strict=True):
        assert differences(made, arrived) == ()


def test_an_explicit_profile_is_sent_explicit_wherever_it_is_taken(scored: Bench) -> None:
    """Offered both in one context, an archive that prefers Implicit VR Little Endian would have it."""
    both = [ImplicitVRLittleEndian, ExplicitVRLittleEndian]
    with picky_archive(mask(BASELINE), report(BASELINE), syntaxes=both) as (port, received):
        assert deliver(scored, config_for(scored, port)) == 2
    assert [syntax for syntax, _ in received] == [ExplicitVRLittleEndian] * 2


def test_a_destination_that_rejects_us_is_told_and_tried_again(scored: Bench) -> None:
    with picky_archive(report(BASELINE), title="ANOTHER") as (port, _):
        assert deliver(scored, config_for(scored, port)) == 0
    assert states(scored) == ["DUE", "DUE"]
    assert "rejected the association" in deliveries(scored)[0].reason
    assert "alled AE title" in deliveries(scored)[0].reason


def test_a_dead_destination_does_not_hold_up_another_one(bench: Bench, pacs: Pacs) -> None:
    bench.done_job(results(bench, mask(BASELINE), report(BASELINE)), ["pacs", "other"])
    config = config_for(bench, pacs.port, free_port())
    assert deliver(bench, config, "other") == 0
    assert deliver(bench, config, "pacs") == 2
    assert [(row.peer, row.state) for row in deliveries(bench)] == [
        ("pacs", "SENT"),
        ("other", "DUE"),
        ("pacs", "SENT"),
        ("other", "DUE"),
    ]


def test_a_result_file_that_is_gone_fails_alone(scored: Bench, pacs: Pacs) -> None:
    (scored.store.results / "SEG.dcm").unlink()
    assert deliver(scored, config_for(scored, pacs.port)) == 1
    assert states(scored) == ["FAILED", "SENT"]
    assert "SEG.dcm" in deliveries(scored)[0].reason


def test_a_result_file_that_was_changed_is_not_sent(scored: Bench, pacs: Pacs) -> None:
    changed = mask(BASELINE)
    changed.PatientID = "P2"
    (scored.store.results / "SEG.dcm").write_bytes(encoded(changed))
    assert deliver(scored, config_for(scored, pacs.port)) == 1
    assert pacs.received == ["SR"]
    assert "is not what was made" in deliveries(scored)[0].reason


@pytest.mark.parametrize("content", [b"", b"no DICOM", b"\x00" * 128 + b"DICM\x02\x00\x00\x00UL\x04\x00\xff"])
def test_a_result_file_that_is_broken_fails_alone(scored: Bench, pacs: Pacs, content: bytes) -> None:
    (scored.store.results / "SEG.dcm").write_bytes(content)
    assert deliver(scored, config_for(scored, pacs.port)) == 1
    assert states(scored) == ["FAILED", "SENT"]


def test_a_sender_that_lost_its_lease_changes_nothing(scored: Bench, pacs: Pacs) -> None:
    """While the object is on its way its lease ends, and another sender claims it."""

    def end_the_lease(_: Dataset) -> int:
        with scored.database.transaction() as connection:
            connection.execute(update(delivery_table).values(token="another"))
        return 0x0000

    pacs.archive.answer = end_the_lease
    try:
        assert deliver(scored, config_for(scored, pacs.port)) == 0
    finally:
        pacs.archive.answer = pacs.answer
    assert states(scored) == ["CLAIMED", "CLAIMED"]


def test_an_association_that_breaks_off_leaves_all_of_it_due(scored: Bench, pacs: Pacs) -> None:
    def hang_up(_: Dataset) -> int:
        for association in pacs.archive._entity.active_associations:
            association.abort()
        return 0x0000

    pacs.archive.answer = hang_up
    try:
        assert deliver(scored, config_for(scored, pacs.port)) == 0
    finally:
        pacs.archive.answer = pacs.answer
    assert states(scored) == ["DUE", "DUE"]
    assert all(row.reason for row in deliveries(scored))
    no_wait(scored)
    pacs.archive.received.clear()
    assert deliver(scored, config_for(scored, pacs.port)) == 2


@pytest.fixture(scope="module")
def one_archive() -> Iterator[tuple[QueryArchive, int]]:
    """One archive that can be queried for the tests of this file."""
    archive = QueryArchive(storage=(str(mask(BASELINE).SOPClassUID), str(report(BASELINE).SOPClassUID)))
    yield archive, archive.open()
    archive.close()


@pytest.fixture
def archive(one_archive: tuple[QueryArchive, int]) -> tuple[QueryArchive, int]:
    queried, port = one_archive
    queried.objects, queried.find, queried.asked = {}, None, []
    return queried, port


def image(**changes: str) -> Dataset:
    """An image of the study that is in the archive already."""
    (slice_,) = t2_axial(replace(BASELINE, **changes), slices=1)
    return slice_


def test_a_study_that_the_archive_has_under_the_same_patient_is_delivered(
    scored: Bench, archive: tuple[QueryArchive, int]
) -> None:
    queried, port = archive
    queried.put(image(name="Doe^Jane^^^", issuer=""))
    assert deliver(scored, config_for(scored, port, queries=True)) == 2
    assert states(scored) == ["SENT", "SENT"]
    assert queried.asked == ["STUDY"], "asked once for the one study"


def test_a_study_that_the_archive_does_not_have_is_delivered(scored: Bench, archive: tuple[QueryArchive, int]) -> None:
    queried, port = archive
    assert deliver(scored, config_for(scored, port, queries=True)) == 2
    assert queried.asked == ["STUDY"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": "ROE^JANE"}, "PatientName is 'DOE^JANE' in the result and 'ROE^JANE' in the archive"),
        ({"birth_date": "19700102"}, "PatientBirthDate is '19600102' in the result and '19700102' in the archive"),
        ({"patient_id": "P2"}, "PatientID is 'P1' in the result and 'P2' in the archive"),
    ],
)
def test_another_patient_in_the_archive_holds_a_delivery_until_a_person_lets_it_go(
    scored: Bench, archive: tuple[QueryArchive, int], changes: dict[str, str], words: str
) -> None:
    queried, port = archive
    queried.put(image(**changes))
    config = config_for(scored, port, queries=True)
    assert deliver(scored, config) == 0
    assert states(scored) == ["HELD", "HELD"]
    assert deliveries(scored)[0].reason == f"{words}; where the result is right, `restage retry --delivery 1` sends it"
    assert len(queried.objects) == 1
    assert deliver(scored, config) == 0
    outbox.retry(scored.database, 1)
    assert deliver(scored, config) == 1
    assert states(scored) == ["SENT", "HELD"]


def test_what_takes_a_result_back_goes_also_where_the_study_has_another_patient_by_now(
    bench: Bench, archive: tuple[QueryArchive, int]
) -> None:
    queried, port = archive
    queried.put(image(patient_id="MERGED"))
    (note,) = results(bench, report(BASELINE))
    bench.done_job([replace(note, kind=Kind.REJECTION_BASELINE)])
    assert deliver(bench, config_for(bench, port, queries=True)) == 1
    assert queried.asked == []


def test_a_study_of_two_patients_in_the_archive_holds_a_delivery(
    scored: Bench, archive: tuple[QueryArchive, int]
) -> None:
    queried, port = archive
    other = image(name="ROE^JIM", patient_id="P2")
    other.SOPInstanceUID = f"{other.SOPInstanceUID}.2"
    queried.put(image(), other)
    assert deliver(scored, config_for(scored, port, queries=True)) == 0
    assert deliveries(scored)[0].reason.startswith("the archive has this study under 2 patients: PatientID is 'P1'")


def test_a_peer_that_cannot_be_queried_is_not_asked(scored: Bench, archive: tuple[QueryArchive, int]) -> None:
    queried, port = archive
    queried.put(image(name="ROE^JANE"))
    assert deliver(scored, config_for(scored, port)) == 2
    assert queried.asked == []


def test_an_archive_that_cannot_be_asked_now_gets_its_results_later(
    scored: Bench, archive: tuple[QueryArchive, int]
) -> None:
    def find(event: evt.Event) -> Answers:
        event.assoc.abort()
        yield 0x0000, None

    queried, port = archive
    queried.find = find
    config = config_for(scored, port, queries=True)
    assert deliver(scored, config) == 0
    assert states(scored) == ["DUE", "DUE"]
    assert "the patient could not be compared with the archive's: pacs" in deliveries(scored)[0].reason
    queried.find = None
    no_wait(scored)
    assert deliver(scored, config) == 2


def test_an_archive_that_answers_no_question_is_a_visible_failure(scored: Bench, pacs: Pacs) -> None:
    assert deliver(scored, config_for(scored, pacs.port, queries=True)) == 0
    assert states(scored) == ["FAILED", "FAILED"]
    assert "does not offer Study Root C-FIND" in deliveries(scored)[0].reason
    assert "or set queries = false" in deliveries(scored)[0].reason
    assert pacs.received == []


def test_the_query_port_of_the_same_application_is_asked(
    scored: Bench, pacs: Pacs, archive: tuple[QueryArchive, int]
) -> None:
    queried, port = archive
    queried.put(image(name="ROE^JANE"))
    peers = [
        peer("pacs", receives=True, port=pacs.port),
        peer("query", ae_title="PACS", queries=True, port=port),
    ]
    assert deliver(scored, configured(scored.store.folder, *peers, results=FAST)) == 0
    assert states(scored) == ["HELD", "HELD"]
