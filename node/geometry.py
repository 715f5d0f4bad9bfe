"""Is an arriving study complete? Slices missing between those that are here say that it is not.

Headers alone are read, with the rules by which series get their roles; pixel data are never decoded.
"""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from node import evidence
from node.config import Settle
from node.database import Database
from node.evidence import Arriving, Kind, Verdict
from node.gather import classified
from node.store import Store
from pipelines.contract import Code
from pipelines.roles.site_rules import SiteRule

log = structlog.get_logger()


def look_due(database: Database, store: Store, rules: Settle, site_rules: Sequence[SiteRule] = ()) -> int:
    """Look at every study that has been quiet for a while; how many have gaps."""
    gaps = 0
    for study in evidence.arriving(database, Kind.GEOMETRY, rules):
        try:
            found = _looked_at(database, store, study, site_rules)
        except Exception:  # one study that cannot be looked at must not keep all others waiting
            log.exception("study.not_looked_at", study_uid=study.study_uid)
            found = (Verdict.OPEN, "")
        evidence.note(database, Kind.GEOMETRY, study, found, rules)
        gaps += found[0] is Verdict.INCOMPLETE
    return gaps


def _looked_at(
    database: Database, store: Store, study: Arriving, site_rules: Sequence[SiteRule]
) -> tuple[Verdict, str]:
    with database.reading() as connection:
        paths = [item.path for item in store.objects_of(connection, (study.study_uid,))]
    roles = [role for _, role in classified(paths, site_rules) if role.code is Code.SLICE_MISSING]
    if not roles:
        return Verdict.OPEN, ""
    return Verdict.INCOMPLETE, "; ".join(f"series {one.description or one.series_uid}: {one.reason}" for one in roles)
