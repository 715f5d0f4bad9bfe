"""Folders of results that count for nothing: their worker died, or lost its lease, before its job was done."""

from __future__ import annotations

import shutil
from pathlib import Path

import structlog
from sqlalchemy import select

from node.records import JobState
from node.schema import job_table, result_table
from node.store import Store

log = structlog.get_logger()


def leftovers(store: Store) -> list[Path]:
    """The folders that no result, no running job and no job that ended without objects needs."""
    # The folders first: whoever made one had claimed its job before, and the tables know of that by now.
    folders = sorted(store.results.iterdir())
    jobs, made = job_table.c, result_table.c
    silent = (jobs.state == JobState.DONE) & jobs.id.not_in(select(made.job_id))
    with store.database.reading() as connection:
        named = {Path(row.path).parts[1] for row in connection.execute(select(made.path))}
        tokens = {row.token[:8] for row in connection.execute(select(jobs.token).where(jobs.state == JobState.CLAIMED))}
        # A job may end without any object, where refusals make none: what was found is kept all the same.
        done = connection.execute(select(jobs.pair_id, jobs.version).where(silent)).all()
    kept = {f"pair{row.pair_id:06d}-v{row.version:03d}" for row in done}

    def counts(folder: Path) -> bool:
        job, _, token = folder.name.rpartition("-")
        return folder.name in named or token in tokens or job in kept

    return [folder for folder in folders if not counts(folder)]


def drop_leftovers(store: Store) -> None:
    """Remove them: what they hold is made again, and it is patient data."""
    for folder in leftovers(store):
        shutil.rmtree(folder)
        log.info("results.dropped", folder=folder.name)
