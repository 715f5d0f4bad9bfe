"""What was sent, looked for in an archive: there as it was sent, altered, lost, or not to be said now."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from pydicom import Dataset
from pynetdicom import evt
from sqlalchemy import update

from node import outbox
from node.outbox import INDEXING_SECONDS
from node.schema import delivery_table
from node.verify import verify_sent
from tests.dicom_files import BASELINE, encoded, mask, report
from tests.node.conftest import Bench, configured, free_port, kept_result, peer
from tests.node.query_archive import Answers, QueryArchive

CLASSES = (str(mask(BASELINE).SOPClassUID), str(report(BASELINE).SOPClassUID))
FAST = {"retry_seconds": 0.2, "retry_max_seconds": 1.0}

Opened = tuple[QueryArchive, int]


@pytest.fixture(scope="module")
def one_archive() -> Iterator[Opened]:
    archive = QueryArchive(storage=CLASSES)
    yield archive, archive.open()
    archive.close()


@pytest.fixture
def archive(one_archive: Opened) -> Opened:
    """An archive that has what was sent."""
    archive, port = one_archive
    archive.find, archive.get, archive.objects = None, None, {}
    archive.put(mask(BASELINE), report(BASELINE))
    return archive, port


@pytest.fixture
def sent(bench: Bench) -> Bench:
    """A SEG and an SR were sent to the PACS."""
    bench.done_job([kept_result(one, one.Modality, bench.store) for one in (mask(BASELINE), report(BASELINE))])
    for parcel in outbox.claim(bench.database, "pacs"):
        outbox.sent(bench.database, parcel, 0)
    return bench


def verify(bench: Bench, port: int, *, queries: bool = True) -> int:
    config = configured(bench.store.folder, peer("pacs", receives=True, port=port, queries=queries), results=FAST)
    return verify_sent(bench.database, config, config.peers[0])


def rows(bench: Bench) -> Sequence[Any]:
    return bench.rows(delivery_table)


def states(bench: Bench) -> list[str]:
    return [row.state for row in rows(bench)]


def set_deliveries(bench: Bench, **values: object) -> None:
    with bench.database.transaction() as connection:
        connection.execute(update(delivery_table).values(**values))


def test_what_is_there_as_it_was_sent_is_verified(sent: Bench, archive: Opened) -> None:
    assert verify(sent, archive[1]) == 2
    assert states(sent) == ["VERIFIED", "VERIFIED"]
    assert [row.reason for row in rows(sent)] == ["", ""]
    assert verify(sent, archive[1]) == 0


def test_a_peer_that_cannot_be_queried_is_not_asked(sent: Bench, archive: Opened) -> None:
    assert verify(sent, archive[1], queries=False) == 0
    assert states(sent) == ["SENT", "SENT"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: setattr(d, "PixelData", b"\0" * len(d.PixelData)), "PixelData is '128 bytes' as sent"),
        (lambda d: setattr(d, "PatientID", "P2"), "PatientID is 'P1' as sent and 'P2' in the archive"),
        (lambda d: setattr(d, "Rows", 31), "Rows is '32' as sent and '31' in the archive"),
    ],
)
def test_what_is_there_altered_fails_and_is_named(
    sent: Bench, archive: Opened, change: Callable[[Dataset], None], words: str
) -> None:
    altered = mask(BASELINE)
    change(altered)
    archive[0].put(altered)
    assert verify(sent, archive[1]) == 1
    assert states(sent) == ["FAILED", "VERIFIED"]
    assert rows(sent)[0].reason.startswith(f"pacs has it altered: {words}")


def test_many_differences_are_counted(sent: Bench, archive: Opened) -> None:
    altered = mask(BASELINE)
    altered.PatientID, altered.Rows, altered.Columns, altered.InstanceNumber = "P2", 1, 1, 9
    archive[0].put(altered)
    verify(sent, archive[1])
    assert rows(sent)[0].reason.endswith("; and 1 more")


def test_what_is_not_there_is_looked_for_again_and_then_lost(sent: Bench, archive: Opened) -> None:
    del archive[0].objects[mask(BASELINE).SOPInstanceUID]
    assert verify(sent, archive[1]) == 1
    assert states(sent) == ["SENT", "VERIFIED"]
    assert "does not find it yet" in rows(sent)[0].reason
    set_deliveries(sent, not_before=0.0, updated_at=time.time() - INDEXING_SECONDS - 1)
    assert verify(sent, archive[1]) == 0
    assert states(sent) == ["FAILED", "VERIFIED"]
    assert rows(sent)[0].reason == "pacs answered Success and does not have it; `restage retry` sends it again"


def test_without_c_get_presence_is_all_that_is_verified(sent: Bench) -> None:
    archive = QueryArchive(storage=CLASSES, offers_get=False)
    archive.put(mask(BASELINE))
    port = archive.open()
    try:
        assert verify(sent, port) == 1
    finally:
        archive.close()
    assert states(sent) == ["VERIFIED", "SENT"]
    assert rows(sent)[0].reason == "by its presence alone: pacs does not give such objects by C-GET"


def test_an_archive_that_is_down_is_asked_again_later(sent: Bench, archive: Opened) -> None:
    assert verify(sent, free_port()) == 0
    for row in rows(sent):
        assert (row.state, row.attempts) == ("SENT", 1)
        assert row.reason.startswith("not verified: no association with pacs")
        assert row.not_before > time.time()
    assert verify(sent, archive[1]) == 0
    set_deliveries(sent, not_before=0.0)
    assert verify(sent, archive[1]) == 2


def test_an_archive_that_breaks_off_leaves_the_rest_for_later(sent: Bench, archive: Opened) -> None:
    def get(event: evt.Event) -> Iterator[Any]:
        event.assoc.abort()
        yield 0

    archive[0].get = get
    assert verify(sent, archive[1]) == 0
    assert states(sent) == ["SENT", "SENT"]
    assert all("not verified: pacs" in row.reason for row in rows(sent))


def test_an_archive_that_answers_no_question_leaves_it_sent_and_says_so(sent: Bench) -> None:
    archive = QueryArchive(storage=CLASSES, offers_get=False, offers_find=False)
    port = archive.open()
    try:
        assert verify(sent, port) == 0
    finally:
        archive.close()
    assert states(sent) == ["SENT", "SENT"]
    assert "does not offer Study Root C-FIND" in rows(sent)[0].reason


def test_a_result_that_was_changed_here_proves_nothing(sent: Bench, archive: Opened) -> None:
    (sent.store.results / "SEG.dcm").write_bytes(encoded(report(BASELINE)))
    assert verify(sent, archive[1]) == 1
    assert states(sent) == ["SENT", "VERIFIED"]
    assert "not verified: the result file SEG.dcm is not what was made" in rows(sent)[0].reason


def test_who_lost_the_lease_changes_nothing(sent: Bench, archive: Opened) -> None:
    def find(_: evt.Event) -> Answers:
        set_deliveries(sent, token="another")
        yield 0x0000, None

    archive[0].find = find
    archive[0].objects.clear()
    assert verify(sent, archive[1]) == 0
    assert [(row.state, row.token) for row in rows(sent)] == [("SENT", "another")] * 2
