"""A node that is killed while an archive thinks about a question for storage commitment loses nothing by it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from dicom_templates.kinds import Kind
from node.app import opened
from node.config import load_config
from tests.dicom_files import BASELINE, mask
from tests.node.commitment_archive import CommitmentArchive, asked_for, report_on, reporter
from tests.node.conftest import Bench, kept_result
from tests.running_node import Destination, free_port, started, write_config

pytestmark = [pytest.mark.faults, pytest.mark.timeout(120)]


def states(status: dict[str, Any]) -> set[str]:
    return {one["state"] for p in status["patients"] for pair in p["pairs"] for one in pair["deliveries"]}


def test_a_report_finds_its_question_after_a_kill(tmp_path: Path) -> None:
    archive = CommitmentArchive("ARCHIVE")
    port = free_port()
    write_config(tmp_path, port, [Destination("archive", "ARCHIVE", archive.open(), "storage_commitment = true")])
    with opened(load_config(tmp_path / "config.toml")) as (database, store):
        store.prepare()
        bench = Bench(database, store)
        bench.done_job([kept_result(mask(BASELINE), Kind.SEG_BASELINE, store)], ["archive"])
    try:
        with started(tmp_path, port, worker=False) as node:
            deadline = time.monotonic() + 30
            while not archive.questions:
                assert time.monotonic() < deadline, node.log
                time.sleep(0.05)
            node.kill()
        with started(tmp_path, port, worker=False) as node:
            (question,) = archive.questions
            own = reporter("127.0.0.1", port, "ARCHIVE")
            assert archive.report(own, report_on(question.TransactionUID, asked_for(question))) == 0x0000
            own.release()
            node.wait_until(lambda status: states(status) == {"COMMITTED"}, 10)
            assert len(archive.questions) == 1
    finally:
        archive.close()
