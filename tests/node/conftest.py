"""A database, a store and the stations between them, all real, in a folder of the test's own."""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import structlog
from pydicom import Dataset
from sqlalchemy import Row, Table, insert, select

from node import jobs
from node.config import Config, Settle
from node.database import Database
from node.due import PatientKey, due
from node.match import MatchingRules
from node.objects import read_facts
from node.plan import Planner
from node.records import JobTicket, Outcome, PairState, Proposal, ResultFile, StudyState, Task
from node.schema import job_table, pair_table, study_table
from node.settle import settle
from node.store import Kept, Store
from tests.dicom_files import BASELINE, encoded, exam

LEASE_SECONDS = 60.0
AT_ONCE = Settle(quiet_seconds=1e-6)
PROPOSAL = Proposal(("1.2.1",), ("1.2.2",), PairState.READY, "")


def kept(store: Store, content: bytes, source: str = "SENDER") -> Kept:
    """What keeping an object amounted to that arrived whole."""
    incoming = store.incoming(content)
    try:
        return store.keep(incoming.whole(), read_facts(content), source)
    finally:
        incoming.discard()


@dataclass(frozen=True)
class Bench:
    """The stations of one node without its processes: what arrives is settled and planned when a test says so.

    ``alone``: a baseline that waits is scored by itself.
    """

    database: Database
    store: Store
    alone: bool = False

    def receive(self, *datasets: Dataset, source: str = "SENDER") -> list[Kept]:
        return [kept(self.store, encoded(dataset), source) for dataset in datasets]

    @property
    def planner(self) -> Planner:
        return Planner(self.database, self.store, MatchingRules(), alone=self.alone)

    def settle_and_plan(self) -> int:
        settle(self.database, AT_ONCE)
        return self.planner.plan_due()

    def rows(self, table: Table) -> Sequence[Row[Any]]:
        with self.database.reading() as connection:
            return connection.execute(select(table).order_by(*table.primary_key)).all()

    def study(self, uid: str) -> Row[Any]:
        return next(row for row in self.rows(study_table) if row.study_uid == uid)

    def states(self) -> dict[str, str]:
        """State per study."""
        return {row.study_uid: row.state for row in self.rows(study_table)}

    def jobs(self) -> list[tuple[int, str]]:
        """Version and state of every scoring job."""
        return [(row.version, row.state) for row in self.rows(job_table) if row.task == Task.SCORE]

    def patients_due(self) -> list[PatientKey]:
        with self.database.reading() as connection:
            return due(connection)

    def withdrawals(self) -> list[tuple[int, str]]:
        """Version and state of every withdrawal."""
        return [(row.version, row.state) for row in self.rows(job_table) if row.task == Task.WITHDRAW]

    def pairs(self) -> list[tuple[list[str], list[str], str]]:
        return [(row.baseline, row.restaging, row.state) for row in self.rows(pair_table)]

    def make_pair(self) -> int:
        """A pair that is ready, by its row alone."""
        row = {"patient_id": "P1", "issuer": "", "baseline": ["1.2.1"], "restaging": ["1.2.2"]}
        more = {"state": PairState.READY, "reason": "", "updated_at": time.time()}
        with self.database.transaction() as connection:
            made = connection.execute(insert(pair_table).values(**row, **more).returning(pair_table.c.id))
            return int(made.scalar_one())

    def put_job(self, pair_id: int, inputs_digest: str = "a") -> bool:
        with self.database.transaction() as connection:
            return jobs.put(connection, pair_id, inputs_digest, PROPOSAL)

    def claim(self, lease_seconds: float = LEASE_SECONDS) -> JobTicket:
        ticket = jobs.claim(self.database, lease_seconds)
        assert ticket is not None
        return ticket

    def finish(self, ticket: JobTicket, results: Sequence[ResultFile], peers: Sequence[str] = ("pacs",)) -> str:
        outcome = Outcome(tuple((result, tuple(peers)) for result in results), "")
        return str(jobs.finish(self.database, ticket, outcome))

    def done_job(self, results: Sequence[ResultFile], peers: Sequence[str] = ("pacs",)) -> int:
        """A pair whose one job has made these results, due for these peers; its number."""
        pair_id = self.make_pair()
        self.put_job(pair_id)
        assert self.finish(self.claim(), results, peers) == "DONE"
        return pair_id

    def all_settled(self) -> bool:
        return all(row.state != StudyState.RECEIVING for row in self.rows(study_table))


def result(name: str = "report", uid: str = "1.2.3.4", path: Path = Path("nowhere.dcm")) -> ResultFile:
    """A result by its record alone."""
    return ResultFile(name, uid, "1.2.840.10008.5.1.4.1.1.88.34", f"{uid}.1", "1.2.2", path, "digest")


def kept_result(dataset: Dataset, kind: str, store: Store) -> ResultFile:
    """An object as a job leaves it: its file, and its record."""
    content = encoded(dataset)
    path = store.results / f"{kind}.dcm"
    path.write_bytes(content)
    uids = (dataset.SOPInstanceUID, dataset.SOPClassUID, dataset.SeriesInstanceUID, dataset.StudyInstanceUID)
    return ResultFile(kind, *map(str, uids), path.relative_to(store.folder), hashlib.sha256(content).hexdigest())


@pytest.fixture(autouse=True)
def _plain_logs() -> Iterator[None]:
    """One plain line per event, shown where a test fails: structlog's coloured tracebacks take seconds."""
    structlog.configure(processors=[structlog.processors.format_exc_info, structlog.processors.KeyValueRenderer()])
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated database file without rows: copied, because a migration takes longer than most tests."""
    path = tmp_path_factory.mktemp("database") / "restage.sqlite"
    database = Database(f"sqlite:///{path}")
    database.migrate()
    database.close()
    return path


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A data folder, in memory where the machine has such a folder: most of a test would be waiting for flushes."""
    memory = Path("/dev/shm")
    with TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as folder:
        yield Path(folder)


@pytest.fixture
def database(data_dir: Path, empty_database: Path) -> Iterator[Database]:
    path = data_dir / "restage.sqlite"
    shutil.copy(empty_database, path)
    database = Database(f"sqlite:///{path}")
    yield database
    database.close()


@pytest.fixture
def store(data_dir: Path, database: Database) -> Store:
    store = Store(data_dir, database)
    store.prepare()
    return store


@pytest.fixture
def bench(database: Database, store: Store) -> Bench:
    return Bench(database, store)


@pytest.fixture
def held(bench: Bench) -> Bench:
    """A patient of whom one exam is here, and planned."""
    bench.receive(*exam(BASELINE))
    bench.settle_and_plan()
    return bench


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def peer(name: str, **values: Any) -> dict[str, Any]:
    """One [[peer]] section; its AE title is its name in upper case."""
    return {"name": name, "ae_title": name.upper(), "host": "127.0.0.1", "port": 104, **values}


def configured(
    data_dir: Path, *peers: dict[str, Any], node: Mapping[str, Any] | None = None, **sections: Any
) -> Config:
    """A configuration of a node on a free port of this machine; ``node``: more of its [node] section."""
    node = {"host": "127.0.0.1", "port": free_port(), "data_dir": str(data_dir), **(node or {})}
    return Config.model_validate({"node": node, "peer": list(peers), **sections})
