"""Completeness by the counts of real archives: Orthanc states them, DCMTK's archive is counted image by image."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from node.breaker import Breaker
from node.config import Config
from node.count import count_due
from node.database import Database
from node.settle import settle
from node.standin import send_files
from node.status import read_status
from node.store import Store
from tests.dicom_files import BASELINE, exam, mask, write
from tests.node.conftest import Bench, configured, free_port, peer
from tests.peers.dcmqrscp import running_dcmqrscp
from tests.peers.orthanc import TITLE, running_orthanc
from tests.running_node import SENDER_TITLE

pytestmark = [pytest.mark.peers, pytest.mark.timeout(120)]

OURS = mask(BASELINE, manufacturer="RESTAGE")
Fill = Callable[[list[Path]], None]


@contextmanager
def orthanc_archive(folder: Path) -> Iterator[tuple[str, int, Fill]]:
    with running_orthanc(folder / "orthanc") as orthanc:
        yield TITLE, orthanc.dicom_port, orthanc.store


@contextmanager
def dcmtk_archive(folder: Path) -> Iterator[tuple[str, int, Fill]]:
    port = free_port()
    with running_dcmqrscp(folder, port):

        def send(paths: list[Path]) -> None:
            send_files(paths, "127.0.0.1", port, called="DCMQRSCP", calling=SENDER_TITLE)

        yield "DCMQRSCP", port, send


@pytest.mark.parametrize("archive", [orthanc_archive, dcmtk_archive])
def test_a_study_settles_by_the_archives_counts(
    archive: Callable[[Path], AbstractContextManager[tuple[str, int, Fill]]], tmp_path: Path
) -> None:
    with archive(tmp_path) as (title, port, fill):
        node = Archived(tmp_path, title, port)
        fill(write([*exam(BASELINE), OURS], tmp_path / "archived"))
        node.bench.receive(*exam(BASELINE)[1:], source=title)
        assert node.count() == 0
        assert node.settled() == 0
        (exams,) = [patient["exams"] for patient in read_status(node.bench.database)["patients"]]
        assert "archive has more of it: 4 of 5 instances of series" in exams[0]["missing"][0]
        node.bench.receive(exam(BASELINE)[0], source=title)
        assert node.count() == 1
        assert node.settled() == 1
        node.bench.database.close()


class Archived:
    """A node to which one archive sends."""

    def __init__(self, folder: Path, title: str, port: int) -> None:
        database = Database(f"sqlite:///{folder / 'restage.sqlite'}")
        database.migrate()
        self.bench = Bench(database, Store(folder, database))
        self.bench.store.prepare()
        entry = peer("archive", ae_title=title, port=port, queries=True, sends=True)
        self.config: Config = configured(folder, entry, settle={"evidence_seconds": 1e-6})

    def count(self) -> int:
        return count_due(self.bench.database, self.config, self.config.peers[0], Breaker("archive", 0.1))

    def settled(self) -> int:
        return settle(self.bench.database, self.config.settle)
