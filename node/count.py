"""Is an arriving study complete? The archive that sends it is asked how many instances each of its series has.

Series by series, because routing may send a part of them, and results (ours too) raise the numbers of the study. What
is missing is said, not fetched: the site's routing chose what it sends, and may still be sending.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import structlog

from node import evidence
from node.ask import Inquiry, asking, whom_to_ask
from node.breaker import Breaker
from node.config import Config
from node.database import Database
from node.errors import PeerError
from node.evidence import Arriving, Kind, Verdict
from node.ledger import own_series
from node.listed import MR, ListedSeries, count_images, list_series
from node.peer import Peer
from node.prior import is_own
from node.trail import Trail

log = structlog.get_logger()

_ANSWER_SECONDS = 10.0  # whoever is slower is no help: the quiet period is over soon
_MOST_AT_ONCE = 20
_MOST_NAMED = 5
# Of the quiet period: for so long, MR series that the archive has and of which nothing came may still be on their way.
_AWAITED = 0.5


def count_due(database: Database, config: Config, peer: Peer, breaker: Breaker) -> int:
    """Ask one peer for the studies that it sends; how many it has no more of. Never raises for what a peer does."""
    if breaker.is_open:
        return 0
    quiet = evidence.arriving(database, Kind.COUNTS, config.settle)
    studies = [one for one in quiet if archive_of(config, one.sources) == peer][:_MOST_AT_ONCE]
    if not studies:
        return 0
    complete = 0
    try:
        with asking(Trail.of(config), peer, seconds=_ANSWER_SECONDS) as inquiry:
            breaker.succeeded()
            for study in studies:
                with database.reading() as connection:
                    own = own_series(connection, study.study_uid)
                series = [one for one in list_series(inquiry, study.study_uid) if not is_own(one, own)]
                found = _compared(inquiry, study, series, config.settle.quiet_seconds)
                evidence.note(database, Kind.COUNTS, study, found, config.settle)
                complete += found[0] is Verdict.COMPLETE
    except PeerError as error:
        # Also where it answers, but not such questions: it is not asked again at once.
        breaker.failed(str(error))
    return complete


def archive_of(config: Config, sources: frozenset[str]) -> Peer | None:
    """The peer that knows how much of a study there is: who sent it, or else the only one that answers queries."""
    senders = [peer for title in sorted(sources) for peer in config.peers_titled(title)]
    asked = [archive for sender in senders if (archive := whom_to_ask(config, sender))]
    if asked:
        return asked[0]
    queried = config.peers_queried
    return queried[0] if len(queried) == 1 else None


def _compared(
    inquiry: Inquiry, study: Arriving, series: Sequence[ListedSeries], quiet_seconds: float
) -> tuple[Verdict, str]:
    listed = {one.series_uid: one for one in series}
    there = {uid: _instances(inquiry, study.study_uid, one) for uid, one in listed.items() if uid in study.held}
    more = [uid for uid, count in there.items() if count > study.held[uid]]
    log.info(
        "study.counted",
        study_uid=study.study_uid,
        peer=inquiry.peer,
        series=len(study.held),
        short=more,
        not_sent=sorted(listed.keys() - study.held.keys()),
    )
    if more:
        words = [_words(listed[uid], study.held[uid], there[uid]) for uid in more[:_MOST_NAMED]]
        others = f"; and {len(more) - _MOST_NAMED} more series" if len(more) > _MOST_NAMED else ""
        return Verdict.INCOMPLETE, f"{inquiry.peer} has more of it: {'; '.join(words)}{others}"
    if any(there.get(uid, 0) < held for uid, held in study.held.items()):
        return Verdict.OPEN, f"{inquiry.peer} has less of it than is here"  # it is still receiving it, or never will
    unsent = [one for one in series if one.modality == MR and one.series_uid not in study.held]
    if unsent and time.time() - study.received_at < _AWAITED * quiet_seconds:
        return Verdict.OPEN, f"{inquiry.peer} has {len(unsent)} MR series more, which may be on their way"
    return Verdict.COMPLETE, ""


def _instances(inquiry: Inquiry, study_uid: str, series: ListedSeries) -> int:
    if series.instances is None:
        return count_images(inquiry, study_uid, series.series_uid)
    return series.instances


def _words(series: ListedSeries, held: int, there: int) -> str:
    return f"{held} of {there} instances of series {series.description or series.series_uid} are here"
