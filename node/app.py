"""Composition root: the only place that constructs stations and connects them to the clock."""

from __future__ import annotations

import faulthandler
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType

import structlog

from node import jobs, outbox, searches
from node.audit import Role, activity
from node.breaker import Breaker
from node.certificates import Credentials, examined, today
from node.clock_step import bring_back, limits
from node.commit import ask_for_commitment
from node.config import Config
from node.count import count_due
from node.database import Database
from node.errors import ConfigError
from node.finding import Level
from node.forward import Repository, forward
from node.geometry import look_due
from node.leftovers import drop_leftovers
from node.plan import Planner
from node.query import PriorSearch
from node.receive import Listener, refuse_taken_ports
from node.revision import Revision, fingerprint
from node.room import GIB
from node.schedule import Clock
from node.send import send_due
from node.settle import settle
from node.store import Store
from node.tls import as_client
from node.tls_section import Tls
from node.trail import Trail
from node.verify import verify_sent
from pipelines.exams_needed import some_score_a_baseline

log = structlog.get_logger()

TICK_SECONDS = 1.0
LEASE_CHECK_SECONDS = 5.0
VERIFY_SECONDS = 5.0
COMMIT_SECONDS = 2.0
LONGEST_COMMIT_WAIT_SECONDS = 900.0
SEARCH_SECONDS = 2.0
WALL_CLOCK_SECONDS = 60.0
FORWARD_SECONDS = 2.0
DAY_SECONDS = 86400.0
WORKER_RESTART_SECONDS = 5.0
STOP_SECONDS = 15.0


@contextmanager
def opened(config: Config) -> Iterator[tuple[Database, Store]]:
    """The database, at this program's schema, and the store."""
    # Patients' data: for the node's own user alone. A folder that is there already is its owner's to judge.
    config.node.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    database = Database(config.database_url)
    try:
        database.migrate()
        yield database, Store(config.node.data_dir, database, int(config.node.keep_free_gib * GIB))
    finally:
        database.close()


def serve(config: Config, config_path: Path, *, with_worker: bool = True) -> None:
    """Listen, settle, plan, send, and keep a scoring worker alive, until SIGTERM or SIGINT. Raises ConfigError."""
    with _naming(config_path):
        refuse_taken_ports(config)
        credentials = _credentials(config.tls)
    stop = _stop_on_signals()
    with opened(config) as (database, store):
        store.prepare()
        bring_back(database, limits(config))  # it may have been set back while nothing ran
        listener = Listener(config, store)
        prior_searches = _prior_searches(config, store)
        clock = _clock(config, database, store, prior_searches)
        if credentials is not None:
            _remind(credentials)
            clock.every(DAY_SECONDS, "certificates", partial(_remind, credentials))
        worker = WorkerProcess(config_path)
        if with_worker:
            worker.start()
            clock.every(TICK_SECONDS, "worker", worker.revive)
        trail = Trail.of(config)
        ours = trail.us(Role.APPLICATION, requestor=False)
        listener.open()
        trail.record(activity(ours, starts=True))
        clock.start()
        # The system may hand the signal to any thread; Python runs its handler in this one, when this one wakes.
        while not stop.wait(TICK_SECONDS):
            pass
        log.info("node.stopping")
        trail.record(activity(ours, starts=False))
        for search in prior_searches:
            search.stop()
        listener.close()
        clock.stop()
        worker.stop()


def _prior_searches(config: Config, store: Store) -> tuple[PriorSearch, ...]:
    if not config.matching.fetch_priors:
        return ()
    retry = config.results.retry_seconds
    return tuple(PriorSearch(config, store, peer, Breaker(peer.name, retry)) for peer in config.peers_queried)


def _clock(config: Config, database: Database, store: Store, prior_searches: Sequence[PriorSearch]) -> Clock:
    scoring = config.scoring
    alone = scoring.baseline_alone and some_score_a_baseline(scoring.systems)
    planner = Planner(database, store, config.matching.rules(), scoring.roi_pattern, config.site_rules, alone)
    clock = Clock(threads=5 + 3 * len(config.peers_receiving) + 2 * len(config.peers_queried))
    clock.every(TICK_SECONDS, "settle", partial(settle, database, config.settle))
    clock.every(TICK_SECONDS, "geometry", partial(look_due, database, store, config.settle, config.site_rules))
    clock.every(TICK_SECONDS, "plan", partial(_plan, planner, _revision(config, database)))
    # At once, too, where the clock notices that the wall clock was set back (`schedule.py`).
    clock.every(WALL_CLOCK_SECONDS, "wall clock", partial(bring_back, database, limits(config)))
    clock.every(LEASE_CHECK_SECONDS, "job leases", partial(jobs.give_back_expired, database))
    clock.every(LEASE_CHECK_SECONDS, "delivery leases", partial(outbox.give_back_expired, database))
    if config.audit.repository and (folder := Trail.of(config).folder):
        repository, patience = Repository(config.audit.repository), Breaker("audit repository", FORWARD_SECONDS)
        clock.every(FORWARD_SECONDS, "audit", partial(forward, folder, repository, patience))
    for peer in config.peers_receiving:
        # Each destination by itself: a dead one delays nobody else.
        breaker = Breaker(peer.name, config.results.retry_seconds)
        clock.every(TICK_SECONDS, f"send to {peer.name}", partial(send_due, database, config, peer, breaker))
        clock.every(VERIFY_SECONDS, f"verify at {peer.name}", partial(verify_sent, database, config, peer))
        # A promise is less urgent than a result: who does not give it is tried more and more seldom.
        breaker = Breaker(
            f"{peer.name} (storage commitment)", config.results.retry_seconds, LONGEST_COMMIT_WAIT_SECONDS
        )
        asking = partial(ask_for_commitment, database, config, peer, breaker)
        clock.every(COMMIT_SECONDS, f"storage commitment by {peer.name}", asking)
    for peer in config.peers_queried:
        breaker = Breaker(peer.name, config.results.retry_seconds)
        clock.every(TICK_SECONDS, f"counts at {peer.name}", partial(count_due, database, config, peer, breaker))
    for search in prior_searches:
        clock.every(SEARCH_SECONDS, f"priors at {search.peer}", search.search_due)
    clock.every(LEASE_CHECK_SECONDS, "search leases", partial(searches.give_back_expired, database))
    return clock


def _credentials(tls: Tls) -> Credentials | None:
    """Our certificate and whom we believe, read now for as long as this process runs. Raises ConfigError."""
    if not tls.is_set_up:
        return None
    credentials = examined(tls)
    as_client(tls)
    return credentials


def _remind(credentials: Credentials) -> None:
    """Say what is wrong with our certificates, or soon will be: without it nobody looks before peers refuse them."""
    for finding in credentials.findings(today()):
        if finding.level is not Level.OK:
            log.warning("tls.certificate", hint=finding.message)


def _revision(config: Config, database: Database) -> Revision:
    return Revision(database, config.node.data_dir, fingerprint(config.site_rules, config.scoring.roi_pattern))


def _plan(planner: Planner, revision: Revision) -> None:
    """Whoever is due, and then, where rules were changed, one of those who were planned before that."""
    planner.plan_due()
    revision.plan_next(partial(planner.plan, anew=True))


@contextmanager
def _naming(config_path: Path) -> Iterator[None]:
    """Errors of configuration that only show at start name the file too."""
    try:
        yield
    except ConfigError as error:
        raise ConfigError(error.key, f"{config_path}: {error}") from error


def work(config: Config, config_path: Path, *, parent: int | None = None) -> None:
    """Score jobs as they come, until SIGTERM or SIGINT, or until the process ``parent`` is gone. Raises ConfigError."""
    # torch and MONAI take seconds to import: only a worker pays for them.
    from node.watchdog import go_first
    from node.work import Worker
    from pipelines.bundle import BundleError
    from pipelines.models import load_models

    stop = threading.Event()
    _exit_on_signals(stop)
    go_first()
    faulthandler.enable()  # the stack, where native code crashes
    with _naming(config_path):
        try:
            models = load_models(config.bundles_dir, config.scoring.systems, config.scoring.device)
        except (BundleError, ValueError) as error:
            raise ConfigError("scoring", f"[scoring] cannot be used: {error}") from error
    log.info("worker.ready", systems=[system.model.name for system in models.systems])
    with opened(config) as (database, store):
        store.prepare_folders()
        drop_leftovers(store)
        worker = Worker(config, database, store, models)
        while not stop.is_set() and (parent is None or os.getppid() == parent):
            if not worker.work_one():
                stop.wait(TICK_SECONDS)


class WorkerProcess:
    """The scoring worker as a child process: a crash there (out of memory, CUDA) never closes the listener."""

    def __init__(self, config_path: Path) -> None:
        self._command = [sys.executable, "-m", "node", "work", "--config", str(config_path)]
        self._command += ["--parent", str(os.getpid())]
        self._process: subprocess.Popen[bytes] | None = None
        self._started = 0.0

    def start(self) -> None:
        self._started = time.monotonic()
        self._process = subprocess.Popen(self._command)

    def revive(self) -> None:
        """Start the worker again where it ended; not more often than every few seconds."""
        if self._process is None or self._process.poll() is None:
            return
        if time.monotonic() - self._started < WORKER_RESTART_SECONDS:
            return
        log.error("worker.ended", exit_code=self._process.returncode, next="started again")
        self.start()

    def stop(self) -> None:
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _stop_on_signals() -> threading.Event:
    stop = threading.Event()

    def handle(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, handle)
    return stop


def _exit_on_signals(stop: threading.Event) -> None:
    """Leave at once: a claimed job is given back on the way out."""

    def handle(_number: int, _frame: FrameType | None) -> None:
        stop.set()
        raise SystemExit(0)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, handle)
