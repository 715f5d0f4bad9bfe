"""One job: the pipeline's findings, encoded, on disk, and handed to the outbox. Runs in a process of its own."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import structlog

from dicom_templates.encode import encode
from dicom_templates.errors import TemplateError
from dicom_templates.identity import Predecessor, ResultIdentity
from dicom_templates.results import Result, build_results
from node import jobs
from node.config import Config
from node.database import Database
from node.errors import JobError, LeaseLost, RestageError
from node.gather import gather_case, inputs_digest
from node.installation import device_uid
from node.records import JobTicket, Outcome, ResultFile
from node.release import releasable
from node.store import Store, write_durably
from pipelines.contract import CaseFiles, Findings, InputUnfit, Models
from pipelines.findings_json import findings_json
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

    def work_one(self) -> bool:
        """Claim and do one job; False where none was due."""
        seconds = self.config.scoring.lease_seconds
        ticket = jobs.claim(self.database, seconds)
        if ticket is None:
            return False
        try:
            with _heartbeat(self.database, ticket, seconds):
                outcome = self._outcome(ticket)
            receivers = [peer.name for peer in self.config.peers_receiving]
            with _noting_a_lost_lease(ticket):
                jobs.finish(self.database, ticket, outcome, receivers)
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
        started = time.monotonic()
        try:
            case = self._case(ticket)
            findings = score_case(case, self.models, self.config.scoring.roi_pattern)
            scored = time.monotonic()
            sendable = releasable(findings, self.config.results.phantom_scores)
            results = build_results(sendable, self._identity(ticket, case))
        except (InputUnfit, TemplateError) as error:
            raise JobError(str(error), permanent=True) from error
        log.info(
            "job.scored",
            job=ticket.claim.id,
            scoring_seconds=round(scored - started, 1),
            encoding_seconds=round(time.monotonic() - scored, 1),
        )
        refused = "; ".join(f"{one.subject}: {one.reason} [{one.code}]" for one in sendable.refusals)
        return Outcome(tuple(self._keep(ticket, findings, results)), refused)

    def _case(self, ticket: JobTicket) -> CaseFiles:
        """The case that the job was put for; Overtaken where what is stored now is another."""
        case = gather_case(self.database, self.store, ticket.baseline, ticket.restaging)
        if inputs_digest(case) != ticket.inputs_digest:
            raise Overtaken("the exams changed after this job was planned; a new version follows")
        return case

    def _identity(self, ticket: JobTicket, case: CaseFiles) -> ResultIdentity:
        patient = case.patient
        before = jobs.previous_results(self.database, ticket)
        leaders = [studies[0] for studies in (ticket.baseline, ticket.restaging) if studies]
        return ResultIdentity(
            pair_key="|".join([patient.issuer, patient.patient_id, *leaders]),
            version=ticket.version,
            created=ticket.created,
            device_uid=device_uid(self.config.node.data_dir),
            station=self.config.node.ae_title,
            software_version=version("restage"),
            predecessors=tuple(Predecessor(r.study_uid, r.series_uid, r.sop_class_uid, r.sop_uid) for r in before),
        )

    def _keep(self, ticket: JobTicket, findings: Findings, results: tuple[Result, ...]) -> list[ResultFile]:
        """The objects and the findings they were made from, durably on disk before the ledger names them."""
        # The token keeps a worker that lost its lease from writing over what the new holder made.
        folder = self.store.results / f"pair{ticket.pair_id:06d}-v{ticket.version:03d}-{ticket.claim.token[:8]}"
        text = json.dumps(findings_json(findings), indent=1, sort_keys=True)
        write_durably(folder / "findings.json", text.encode())
        return [self._keep_one(folder, result) for result in results]

    def _keep_one(self, folder: Path, result: Result) -> ResultFile:
        encoded = encode(result.dataset)
        path = folder / f"{result.kind}.dcm"
        write_durably(path, encoded)
        dataset = result.dataset
        return ResultFile(
            kind=str(result.kind),
            sop_uid=str(dataset.SOPInstanceUID),
            sop_class_uid=str(dataset.SOPClassUID),
            series_uid=str(dataset.SeriesInstanceUID),
            study_uid=str(dataset.StudyInstanceUID),
            path=path.relative_to(self.store.folder),
            digest=hashlib.sha256(encoded).hexdigest(),
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
