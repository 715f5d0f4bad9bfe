"""Is this study complete? For now by a quiet period alone: no object of it for ``quiet_seconds``."""

from __future__ import annotations

import time

import structlog
from sqlalchemy import select, update

from node.config import Settle
from node.database import Database
from node.flow import STUDY, sources
from node.records import StudyState
from node.schema import study_table

log = structlog.get_logger()


def settle(database: Database, rules: Settle) -> int:
    """Settle every study that has been quiet long enough; how many that were."""
    table = study_table
    quiet = table.c.state.in_(sources(STUDY, StudyState.SETTLED)) & (
        table.c.last_received_at <= time.time() - rules.quiet_seconds
    )
    with database.reading() as connection:
        if connection.execute(select(table.c.study_uid).where(quiet).limit(1)).first() is None:
            return 0
    with database.transaction() as connection:
        rows = connection.execute(select(table.c.study_uid, table.c.generation).where(quiet)).all()
        connection.execute(update(table).where(quiet).values(state=StudyState.SETTLED))
    for row in rows:
        log.info("study.settled", study_uid=row.study_uid, generation=row.generation, by="quiet period")
    return len(rows)
