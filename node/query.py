"""Priors: where an exam waits that may be a restaging exam, its baseline is looked for in an archive, and fetched.

C-FIND and C-MOVE or C-GET as SCU (PS3.4 Annex C). What comes is received, settled and matched like everything else:
this station only asks, and notes what came of it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date

import structlog

from node import searches
from node.arrivals import Arrivals
from node.ask import Inquiry, asking
from node.breaker import Breaker
from node.config import Config
from node.errors import AskError, LeaseLost, PeerError
from node.identity import is_confirmed
from node.intake import Intake
from node.ledger import own_series
from node.listed import ListedSeries, ListedStudy, list_mr_studies, list_series
from node.match import MatchingRules
from node.peer import Peer
from node.prior import Candidates, candidates, wanted_series, window
from node.records import SearchState
from node.retrieve import DESTINATION_UNKNOWN, SUCCESS, Limits, Retrieval, retrieving
from node.searches import Found, Search
from node.store import Store
from node.study import adopt
from node.trail import Trail

log = structlog.get_logger()

_RENEW_SECONDS = 10.0
_MOST_NAMED = 3


@dataclass(frozen=True)
class _Wanted:
    """One study to fetch, with its series."""

    study: ListedStudy
    series: tuple[ListedSeries, ...]


@dataclass
class _Fetched:
    """What has come so far, and what stopped the rest."""

    whole: list[_Wanted] = field(default_factory=list)
    partly: list[tuple[_Wanted, bool]] = field(default_factory=list)  # and whether anything of it came
    instances: int = 0
    failed: int = 0
    lost: int = 0
    error: PeerError | None = None

    @property
    def sent(self) -> int:
        """How many instances the archive says that it sent."""
        return self.instances + self.lost


class PriorSearch:
    """Searches at one peer, one after the other; :meth:`stop` ends the one that is being made."""

    def __init__(self, config: Config, store: Store, peer: Peer, breaker: Breaker) -> None:
        self._config = config
        self._store = store
        self._peer = peer
        self._breaker = breaker
        self._intake = Intake(store, Arrivals(Trail.of(config)))
        self._rules: MatchingRules = config.matching.rules()
        self._stopped = threading.Event()
        self._running: Retrieval | None = None

    @property
    def peer(self) -> str:
        """The name of the peer."""
        return self._peer.name

    def search_due(self) -> int:
        """Make the search that is due; how many instances it brought. Never raises for what a peer does."""
        if self._stopped.is_set() or self._breaker.is_open:
            return 0
        search = searches.claim(self._store.database, self._peer.name, self._config.priors)
        if search is None:
            return 0
        try:
            found = self._made(search)
            if self._stopped.is_set() and found.state is not SearchState.FETCHED:
                searches.release(self._store.database, search)
            else:
                searches.end(self._store.database, search, found, self._config.priors)
            return found.instances
        except LeaseLost as lost:
            log.warning("search.lease_lost", reason=str(lost))
            return 0

    def stop(self) -> None:
        """Make no further search; one that waits for its archive ends now, and is made at the next start."""
        self._stopped.set()
        if self._running is not None:
            self._running.cancel()

    def _made(self, search: Search) -> Found:
        try:
            with asking(Trail.of(self._config), self._peer) as inquiry:
                self._breaker.succeeded()
                found, wanted = self._looked_up(inquiry, search)
            if not wanted:
                return self._nothing(search, found)
            fetched = self._fetch(search, wanted)
        except AskError as error:
            return self._not_told(error)
        except PeerError as error:
            self._breaker.failed(str(error))
            return Found(SearchState.UNREACHABLE, str(error), reached=False)
        return _told(self._peer, self._config.node.ae_title, fetched, len(found.studies))

    def _looked_up(self, inquiry: Inquiry, search: Search) -> tuple[Candidates, list[_Wanted]]:
        """What the archive lists, and what of it is to be fetched, the oldest first."""
        listed = list_mr_studies(inquiry, search.patient.patient_id, *window(search.exam, self._rules))
        known = searches.held(self._store.database, [study.study_uid for study in listed])
        found = candidates(search.patient, listed, known)
        wanted = []
        for study in found.studies:
            with self._store.database.reading() as connection:
                own = own_series(connection, study.study_uid)
            series = wanted_series(list_series(inquiry, study.study_uid), own)
            if series:
                wanted.append(_Wanted(study, series))
            if len(wanted) == self._config.priors.most_studies:
                break
        return found, wanted

    def _nothing(self, search: Search, found: Candidates) -> Found:
        first, last = window(search.exam, self._rules)
        where = f"{self._peer.name} has no {{}}MR study of this patient from {first} to {last}"
        if found.others:
            words = "; ".join(found.others[:_MOST_NAMED])
            reason = f"{where.format('')}, only of another person under this PatientID: {words}"
            return Found(SearchState.OTHER_PATIENT, f"{reason}; nothing was fetched")
        if found.here:
            days = _dates([study.date for study in found.here])
            return Found(SearchState.NO_PRIOR, f"{where.format('other ')} than those here already, of {days}")
        return Found(SearchState.NO_PRIOR, where.format(""))

    def _not_told(self, error: AskError) -> Found:
        if error.permanent or error.status is not None:
            ours = self._config.node.ae_title
            advice = f"let {ours} ask it by Study Root C-FIND, or set queries = false for it"
            return Found(SearchState.REFUSED, f"{error}; {advice}")
        return Found(SearchState.UNREACHABLE, str(error))

    def _fetch(self, search: Search, wanted: Sequence[_Wanted]) -> _Fetched:
        """Fetch study after study, until one does not come whole: a later one must not be the baseline in its place."""
        priors = self._config.priors
        limits = Limits(priors.silence_seconds, time.monotonic() + priors.total_seconds)
        fetched = _Fetched()
        with self._retrieving(search, limits) as retrieval:
            for one in wanted:
                before, failed = fetched.instances, fetched.failed + fetched.lost
                try:
                    for series in one.series:
                        self._fetch_series(retrieval, fetched, one.study.study_uid, series.series_uid)
                        self._adopt(search, one.study)
                except AskError as error:
                    fetched.error = error
                if fetched.error is not None or fetched.failed + fetched.lost > failed:
                    fetched.partly.append((one, fetched.instances > before))
                    break
                fetched.whole.append(one)
        return fetched

    @contextmanager
    def _retrieving(self, search: Search, limits: Limits) -> Iterator[Retrieval]:
        renewed = [time.monotonic()]

        def progress() -> None:
            if time.monotonic() - renewed[0] > _RENEW_SECONDS:
                renewed[0] = time.monotonic()
                searches.renew(self._store.database, search, self._config.priors)

        ours = self._config.node.ae_title
        with retrieving(ours, self._peer, self._intake, limits, progress) as retrieval:
            self._running = retrieval
            try:
                yield retrieval
            finally:
                self._running = None

    def _fetch_series(self, retrieval: Retrieval, fetched: _Fetched, study_uid: str, series_uid: str) -> None:
        if self._stopped.is_set():
            raise AskError("the node was stopped", permanent=False)
        transfer = retrieval.series(study_uid, series_uid)
        fetched.failed += transfer.failed
        if not transfer.completed and not transfer.failed:
            raise AskError(f"{self._peer.name} lists a series and gives nothing of it", permanent=False, status=SUCCESS)
        # What a C-MOVE brings comes to the listener: its objects are indexed before they are answered for.
        if self._store.holds_series(study_uid, series_uid):
            fetched.instances += transfer.completed
        else:
            fetched.lost += transfer.completed

    def _adopt(self, search: Search, study: ListedStudy) -> None:
        """Give a study without issuer that of the patient for whom it is fetched, where more than the ID says so."""
        if search.patient.issuer and is_confirmed(search.patient, study.patient.patient):
            with self._store.database.transaction() as connection:
                adopt(connection, study.study_uid, search.patient.issuer)


def _told(peer: Peer, ours: str, fetched: _Fetched, candidate_count: int) -> Found:
    """The outcome of fetching, in words that name the side that has to change something."""
    came = _came(fetched, candidate_count)
    whole = tuple(one.study.study_uid for one in fetched.whole)
    partly = tuple((one.study.study_uid, anything) for one, anything in fetched.partly)
    if not partly:
        return Found(SearchState.FETCHED, f"fetched from {peer.name}: {came}", fetched.instances, whole)
    state, why = _why_not_whole(peer, ours, fetched)
    if fetched.instances:
        state, why = SearchState.PARTLY_FETCHED, f"fetched from {peer.name}: {came}; the rest did not come: {why}"
    return Found(state, why, fetched.instances, whole, partly)


def _came(fetched: _Fetched, candidate_count: int) -> str:
    studies = [*fetched.whole, *(one for one, _ in fetched.partly)]
    several = f", out of {candidate_count} that may be its baseline" if candidate_count > 1 else ""
    which = f"{len(studies)} MR {'study' if len(studies) == 1 else 'studies'}"
    return f"{fetched.instances} instances of {which}, of {_dates([one.study.date for one in studies])}{several}"


def _why_not_whole(peer: Peer, ours: str, fetched: _Fetched) -> tuple[SearchState, str]:
    error = fetched.error
    entry = f"add {ours} there, with the host and port of this node"
    if error is not None and error.status == DESTINATION_UNKNOWN:
        words = f"their side does not know our AE title {ours} as a move destination (0xA801): {entry}"
        return SearchState.DESTINATION_UNKNOWN, words
    if error is not None and (error.permanent or error.status is not None):
        hint = f"; often their side does not know {ours} as a destination or cannot connect to it: {entry}"
        return SearchState.REFUSED, f"{error}{hint if peer.retrieve == 'move' else ''}"
    if error is not None:
        hint = f"; where {ours} is not registered there, some archives end the association: {entry}"
        return SearchState.UNREACHABLE, f"{error}{hint if peer.retrieve == 'move' else ''}"
    if fetched.failed:
        words = f"{fetched.failed} of {fetched.failed + fetched.sent} instances failed on their way from {peer.name}"
        return SearchState.REFUSED, f"{words}: the archive's log and this node's say why"
    words = f"{peer.name} says that it sent them, and none came here: its entry for {ours} names another host or port"
    return SearchState.DESTINATION_UNKNOWN, words


def _dates(days: Sequence[date]) -> str:
    return " and ".join(str(day) for day in sorted(set(days)))
