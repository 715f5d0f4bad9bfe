"""A real archive is asked whether it keeps what it was sent, and reports to a real node on its own association."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from dicom_templates.kinds import Kind
from node import outbox
from node.app import opened
from node.check_peer import check_peer
from node.config import load_config
from node.finding import Level
from node.schema import delivery_table
from tests.dicom_files import BASELINE, mask, report
from tests.node.conftest import Bench, kept_result
from tests.peers.orthanc import TITLE, Orthanc, running_orthanc
from tests.running_node import NODE_TITLE, Destination, RunningNode, free_port, started, write_config

pytestmark = [pytest.mark.peers, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    with running_orthanc(tmp_path_factory.mktemp("orthanc") / "archive") as orthanc:
        yield orthanc


def deliveries(status: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for patient in status["patients"] for pair in patient["pairs"] for one in pair["deliveries"]]


def test_results_are_committed_and_what_was_deleted_there_is_sent_again_first(orthanc: Orthanc, tmp_path: Path) -> None:
    port = free_port()
    orthanc.know(NODE_TITLE, port)
    write_config(tmp_path, port, [Destination("archive", TITLE, orthanc.dicom_port, "storage_commitment = true")])
    lost, due = report(BASELINE), mask(BASELINE)
    with opened(load_config(tmp_path / "config.toml")) as (database, store):
        store.prepare()
        bench = Bench(database, store)
        bench.done_job([kept_result(lost, Kind.REPORT, store), kept_result(due, Kind.SEG_BASELINE, store)], ["archive"])
        (sent,) = outbox.claim(database, "archive", only=[Kind.REPORT])
        outbox.sent(database, sent, 0)
        orthanc.store([store.folder / sent.result.path])
        orthanc.forget(lost.SOPInstanceUID)
        with database.transaction() as connection:  # long enough ago that it is no matter of indexing
            earlier = {"updated_at": time.time() - 2 * outbox.INDEXING_SECONDS}
            connection.execute(update(delivery_table).where(delivery_table.c.id == sent.claim.id).values(**earlier))
    with started(tmp_path, port, worker=False) as node:
        begun = time.monotonic()
        status = node.wait_until(lambda s: {one["state"] for one in deliveries(s)} == {"COMMITTED"}, 60)
        print(f"committed after {time.monotonic() - begun:.1f} s")
        assert {str(one.SOPInstanceUID) for one in orthanc.datasets()} == {lost.SOPInstanceUID, due.SOPInstanceUID}
        (again,) = [one for one in deliveries(status) if one["kind"] == Kind.REPORT]
        assert again["attempts"] == 1
        assert "it has no such object (0x0112)" in node.log
        assert "Traceback" not in node.log
        assert_checked(node)


def assert_checked(node: RunningNode) -> None:
    """`restage check` finds that the archive commits, and says where it reports to."""
    config = load_config(node.config)
    findings = list(check_peer(config.node, config.peers[1]))
    taken = [one.message for one in findings if one.level is Level.OK and "torage" in one.message]
    assert any("takes Storage Commitment in" in one for one in taken), findings
    assert (
        f"may report on storage commitment to {NODE_TITLE} at this machine, port {node.port}: register it there"
        in taken
    )
