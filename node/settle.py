"""Is this study complete? By an archive's own counts at once, else by a quiet period, which gaps in its slices extend.

This station only reads what others have found (``node.evidence``): asking an archive or reading headers delays nobody.
"""

from __future__ import annotations

import time

import structlog
from sqlalchemy import case, select, update

from node.config import Settle
from node.database import Database
from node.evidence import Kind, Verdict, missing, says
from node.flow import STUDY, sources
from node.records import StudyState
from node.schema import study_table

log = structlog.get_logger()

BY_COUNTS, BY_QUIET, IN_SPITE = "archive's counts", "quiet period", "longest quiet period, in spite of gaps"


def settle(database: Database, rules: Settle) -> int:
    """Settle every study that is complete, or has been quiet long enough; how many that were."""
    table = study_table
    counted = says(Kind.COUNTS, Verdict.COMPLETE)
    gaps = says(Kind.GEOMETRY, Verdict.INCOMPLETE)
    silence = time.time() - table.c.last_received_at
    quiet = (silence >= rules.quiet_seconds) & (~gaps | (silence >= rules.quiet_seconds * rules.gap_factor))
    due = table.c.state.in_(sources(STUDY, StudyState.SETTLED)) & (counted | quiet)
    with database.reading() as connection:
        if connection.execute(select(table.c.study_uid).where(due).limit(1)).first() is None:
            return 0
    by = case((counted, BY_COUNTS), (gaps, IN_SPITE), else_=BY_QUIET).label("by")
    with database.transaction() as connection:
        rows = connection.execute(select(table.c.study_uid, table.c.generation, by).where(due)).all()
        lacks = missing(connection)
        settled = table.c.study_uid.in_([row.study_uid for row in rows])
        connection.execute(update(table).where(settled).values(state=StudyState.SETTLED))
    for row in rows:
        more = {"missing": lacks[row.study_uid]} if row.study_uid in lacks and row.by != BY_COUNTS else {}
        log.info("study.settled", study_uid=row.study_uid, generation=row.generation, by=row.by, **more)
    return len(rows)
