"""The frozen records that travel between stations. They meet nowhere else but in the tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path

from pipelines.contract import Patient, Role


class StudyState(StrEnum):
    RECEIVING = "RECEIVING"
    SETTLED = "SETTLED"
    PLANNED = "PLANNED"
    DECLINED = "DECLINED"
    QUARANTINED = "QUARANTINED"


class PairState(StrEnum):
    AWAITING_BASELINE = "AWAITING_BASELINE"
    AWAITING_RESTAGING = "AWAITING_RESTAGING"
    READY = "READY"
    SUPERSEDED = "SUPERSEDED"
    WITHDRAWN = "WITHDRAWN"


class JobState(StrEnum):
    READY = "READY"
    CLAIMED = "CLAIMED"
    DONE = "DONE"
    FAILED = "FAILED"
    ABANDONED = "ABANDONED"
    SUPERSEDED = "SUPERSEDED"


class DeliveryState(StrEnum):
    """``HELD``: the archive's patient is not ours, a person decides. ``VERIFIED``: read back, and found as it was sent.

    ``KEPT``: shadow mode, computed and never sent.
    """

    DUE = "DUE"
    CLAIMED = "CLAIMED"
    SENT = "SENT"
    VERIFIED = "VERIFIED"
    COMMITTED = "COMMITTED"
    HELD = "HELD"
    FAILED = "FAILED"
    KEPT = "KEPT"
    WITHDRAWN = "WITHDRAWN"


class CommitmentState(StrEnum):
    """One question for storage commitment. ``ENDED``: refused or not answered; what is reported late still counts."""

    ASKED = "ASKED"
    REPORTED = "REPORTED"
    ENDED = "ENDED"


class SearchState(StrEnum):
    """A search for the baseline of a waiting exam at one peer, by what came of it last."""

    DUE = "DUE"
    CLAIMED = "CLAIMED"
    NO_PRIOR = "NO_PRIOR"
    OTHER_PATIENT = "OTHER_PATIENT"
    FETCHED = "FETCHED"
    PARTLY_FETCHED = "PARTLY_FETCHED"
    DESTINATION_UNKNOWN = "DESTINATION_UNKNOWN"
    REFUSED = "REFUSED"
    UNREACHABLE = "UNREACHABLE"


class Task(StrEnum):
    """What a job does with its pair."""

    SCORE = "score"
    WITHDRAW = "withdraw"


class Verb(StrEnum):
    """What a person decided about two exams."""

    PAIR = "pair"
    UNPAIR = "unpair"


@dataclass(frozen=True)
class ObjectFacts:
    """What the header of one received object says, before anything is interpreted."""

    sop_uid: str
    sop_class_uid: str
    series_uid: str
    study_uid: str
    patient: Patient
    study_date: date | None
    study_description: str
    modality: str
    manufacturer: str
    transfer_syntax_uid: str


@dataclass(frozen=True)
class StoredObject:
    """One indexed object: ``path`` is its Part 10 file, ``digest`` the SHA-256 of the file's bytes."""

    sop_uid: str
    sop_class_uid: str
    series_uid: str
    study_uid: str
    manufacturer: str
    path: Path
    digest: str


@dataclass(frozen=True)
class StudyFacts:
    """A settled study as matching sees it. Pure data: ``roles`` from the series' headers.

    ``words`` are the study, series and protocol descriptions, lower case; ``slices`` is the number of images in
    usable series, by which the more complete of two repeats is told; ``first_received`` orders claims to an identity.
    """

    study_uid: str
    patient: Patient
    study_date: date | None
    roles: frozenset[Role]
    words: str
    slices: int
    first_received: datetime


@dataclass(frozen=True)
class Decision:
    """A person's word on two exams; it overrides what the node would have matched."""

    verb: Verb
    baseline_uid: str
    restaging_uid: str


@dataclass(frozen=True)
class Proposal:
    """A pair as matching sees it: study UIDs per time point, the one that leads first (empty: that exam is awaited).

    ``evident``: the therapy's start or the exam's own words say that a baseline without a restaging exam is one; where
    they do not, it may be a restaging exam whose baseline is elsewhere.
    """

    baseline: tuple[str, ...]
    restaging: tuple[str, ...]
    state: PairState
    reason: str
    evident: bool = False

    @property
    def is_lone_baseline(self) -> bool:
        """Whether it may be scored by itself while its restaging exam is awaited."""
        return self.state is PairState.AWAITING_RESTAGING and self.evident

    @property
    def key(self) -> tuple[str, str]:
        """What identifies the pair over generations: its leading studies."""
        return (self.baseline[0] if self.baseline else "", self.restaging[0] if self.restaging else "")


@dataclass(frozen=True)
class Verdict:
    """What became of one study: PLANNED (it is in a pair, waiting or ready), DECLINED or QUARANTINED, and why."""

    study_uid: str
    state: StudyState
    code: str
    reason: str


@dataclass(frozen=True)
class Matching:
    """The outcome for all settled studies of one patient."""

    proposals: tuple[Proposal, ...]
    verdicts: tuple[Verdict, ...]


@dataclass(frozen=True)
class Claim:
    """A lease on a job or a delivery. ``token`` fences: a result counts only under the current one."""

    id: int
    token: str
    attempts: int


@dataclass(frozen=True)
class JobTicket:
    """A claimed job: what to do with which studies, for which pair, as which version."""

    claim: Claim
    task: Task
    pair_id: int
    version: int
    inputs_digest: str
    baseline: tuple[str, ...]
    restaging: tuple[str, ...]
    created: datetime


@dataclass(frozen=True)
class ResultFile:
    """One object a job made, on disk and about to be delivered; ``path`` is relative to the data folder.

    ``rendering``: how it is written (``Rendering.text``; empty: the default); only peers that want it so get it.
    """

    kind: str
    sop_uid: str
    sop_class_uid: str
    series_uid: str
    study_uid: str
    path: Path
    digest: str
    rendering: str = ""


@dataclass(frozen=True)
class Outcome:
    """What a job made: each object with the peers that get it, and in words what it refused (for `restage status`).

    ``shadowed``: the peers in shadow mode, whose objects are kept and not sent.
    """

    results: tuple[tuple[ResultFile, tuple[str, ...]], ...]
    refused: str
    shadowed: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Parcel:
    """A claimed delivery: one result file for one peer.

    ``released``: a person let it go after it had been held. ``exposed``: an earlier try may have left it there.
    """

    claim: Claim
    peer: str
    result: ResultFile
    released: bool = False
    exposed: bool = False


@dataclass(frozen=True)
class CommitmentReport:
    """What a peer says of one question: the SOP Instance UIDs it keeps, and others with the reason why it does not."""

    transaction_uid: str
    committed: frozenset[str]
    failed: Mapping[str, int]
