"""One job: the pipeline's findings, encoded, on disk, and handed to the outbox. Runs in a process of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import version

import structlog
from pydicom import dcmread

from dicom_templates.errors import TemplateError
from dicom_templates.identity import Predecessor, ResultIdentity
from dicom_templates.profile import Rendering
from dicom_templates.results import build_results, build_withdrawal
from dicom_templates.withdrawal import Withdrawal
from node import jobs, ledger
from node.alone import scored_alone
from node.config import Config
from node.database import Database
from node.errors import JobError, LeaseLost, RestageError
from node.gather import gather_case, inputs_digest
from node.installation import device_uid
from node.keep import Keeper
from node.mailing import Mailing, mailings, shadowed
from node.match import without_advice
from node.records import JobTicket, Outcome, ResultFile, Task
from node.release import releasable
from node.store import Store
from node.watchdog import ended_after
from pipelines.contract import CaseFiles, InputUnfit, Models
from pipelines.inputs.cache import Cache
from pipelines.inputs.input_cache import Preparation
from pipelines.models import choose_device
from pipelines.score import score_case

log = structlog.get_logger()


class Overtaken(RestageError):
    """The stored exams are no longer those that the job was put for."""


@dataclass(frozen=True)
class Worker:
    config: Config
    database: Database
    store: Store
    models: Models

    @property
    def preparation(self) -> Preparation:
        """Where model inputs are made, and kept from one scoring to the next."""
        folder, scoring = self.config.cache_dir, self.config.scoring
        cache = None if folder is None else Cache(folder, int(scoring.cache_gb * 1e9))
        return Preparation(cache, choose_device(scoring.device))

    def work_one(self) -> bool:
        """Claim and do one job; False where none was due."""
        seconds = self.config.scoring.lease_seconds
        ticket = jobs.claim(self.database, seconds)
        if ticket is None:
            return False
        try:
            with _heartbeat(self.database, ticket, seconds), ended_after(self.config.scoring.job_seconds):
                outcome = self._outcome(ticket)
            with _noting_a_lost_lease(ticket):
                jobs.finish(self.database, ticket, outcome)
        except SystemExit:
            with _noting_a_lost_lease(ticket):
                jobs.give_back(self.database, ticket.claim)
            raise
        except Overtaken as error:
            with _noting_a_lost_lease(ticket):
                jobs.abandon(self.database, ticket, str(error))
        except JobError as error:
            self._fail(ticket, error)
        except Exception as error:  # one broken job must not stop the worker; it is logged and retried
            log.exception("job.crashed", job=ticket.claim.id)
            self._fail(ticket, JobError(f"{type(error).__name__}: {error}", permanent=False))
        return True

    def _fail(self, ticket: JobTicket, error: JobError) -> None:
        with _noting_a_lost_lease(ticket):
            jobs.fail(self.database, ticket.claim, error)

    def _outcome(self, ticket: JobTicket) -> Outcome:
        try:
            return self._withdrawn(ticket) if ticket.task is Task.WITHDRAW else self._scored(ticket)
        except (InputUnfit, TemplateError) as error:
            raise JobError(str(error), permanent=True) from error

    def _scored(self, ticket: JobTicket) -> Outcome:
        started = time.monotonic()
        case = self._case(ticket)
        findings = score_case(case, self.models, self.config.scoring.roi_pattern, self.preparation)
        if not ticket.restaging:
            findings = scored_alone(findings, without_advice(ledger.reason_of(self.database, ticket.pair_id)))
        scored = time.monotonic()
        sendable = releasable(findings, self.config.results.phantom_scores)
        keeper = Keeper(self.store, ticket)
        keeper.keep_findings(findings)
        kept = [one for mailing in mailings(self.config, sendable) for one in self._rendered(keeper, mailing)]
        log.info(
            "job.scored",
            job=ticket.claim.id,
            scoring_seconds=round(scored - started, 1),
            encoding_seconds=round(time.monotonic() - scored, 1),
        )
        refused = "; ".join(f"{one.subject}: {one.reason} [{one.code}]" for one in sendable.refusals)
        return Outcome(tuple(kept), refused, shadowed(self.config))

    def _rendered(self, keeper: Keeper, mailing: Mailing) -> Iterator[tuple[ResultFile, tuple[str, ...]]]:
        """The objects of one rendering, kept, each with the peers that get it."""
        ticket, rendering = keeper.ticket, mailing.rendering
        peers = [peer.name for peer in mailing.peers]
        before = ledger.previous_results(self.database, ticket, rendering.text, peers)
        have_earlier = ledger.peers_with_earlier(self.database, ticket)
        predecessors = tuple(Predecessor(r.study_uid, r.series_uid, r.sop_class_uid, r.sop_uid) for r in before)
        identity = self._identity(ticket, rendering)
        results = build_results(mailing.findings, replace(identity, predecessors=predecessors), mailing.items)
        for kind, file in keeper.keep(results, rendering):
            yield file, mailing.receivers(kind, have_earlier)

    def _withdrawn(self, ticket: JobTicket) -> Outcome:
        """Rejection notes and a page for everything of a retired pair that may be at a peer."""
        recall = ledger.recall(self.database, ticket.pair_id)
        made = replace(ticket, baseline=recall.baseline, restaging=recall.restaging)
        keeper = Keeper(self.store, ticket)
        kept: list[tuple[ResultFile, tuple[str, ...]]] = []
        for text in sorted({file.rendering for file in recall.sent}):
            files = {file: peers for file, peers in recall.sent.items() if file.rendering == text}
            receivers = tuple(sorted({peer for peers in files.values() for peer in peers}))
            objects = tuple(dcmread(self.store.folder / file.path, stop_before_pixels=True) for file in files)
            identity = self._identity(made, Rendering.read(text))
            withdrawal = Withdrawal(objects, recall.reason, identity)
            results = build_withdrawal(withdrawal)
            kept += [(file, receivers) for _, file in keeper.keep(results, identity.rendering)]
        # In shadow mode too: it goes only where the result may have gone before.
        return Outcome(tuple(kept), f"withdrawn: {recall.reason}")

    def _case(self, ticket: JobTicket) -> CaseFiles:
        """The case that the job was put for; Overtaken where what is stored now is another."""
        rules = self.config.site_rules
        case = gather_case(self.database, self.store, ticket.baseline, ticket.restaging, rules)
        if inputs_digest(case, self.config.scoring.roi_pattern) != ticket.inputs_digest:
            raise Overtaken(
                "the exams, or how they are read, changed after this job was planned; a new version follows"
            )
        return case

    def _identity(self, ticket: JobTicket, rendering: Rendering) -> ResultIdentity:
        leaders = [studies[0] for studies in (ticket.baseline, ticket.restaging) if studies]
        return ResultIdentity(
            pair_key="|".join([*ledger.owner(self.database, ticket.pair_id), *leaders]),
            version=ticket.version,
            created=ticket.created,
            device_uid=device_uid(self.config.node.data_dir),
            station=self.config.node.ae_title,
            software_version=version("restage"),
            rendering=rendering,
        )


@contextmanager
def _noting_a_lost_lease(ticket: JobTicket) -> Iterator[None]:
    """Somebody else has the job now: whatever this worker wanted to say of it no longer counts."""
    try:
        yield
    except LeaseLost as lost:
        log.warning("job.lease_lost", job=ticket.claim.id, reason=str(lost))


@contextmanager
def _heartbeat(database: Database, ticket: JobTicket, lease_seconds: float) -> Iterator[None]:
    """Renew the lease while the block runs. A lost lease shows at `finish`, which counts only the current token."""
    stop = threading.Event()

    def beat() -> None:
        while not stop.wait(lease_seconds / 3):
            try:
                jobs.renew(database, ticket.claim, lease_seconds)
            except LeaseLost:
                return

    thread = threading.Thread(target=beat, name="lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
