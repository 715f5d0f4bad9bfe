"""The clock: calls the stations at their intervals, each by itself, never twice at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

import structlog
from apscheduler.events import EVENT_JOB_ERROR, JobExecutionEvent
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

log = structlog.get_logger()

_LOOK_SECONDS, _TOLERANCE_SECONDS = 0.5, 1.0


class Clock:
    """A background scheduler. A station that is late is called once, not as often as it was missed."""

    def __init__(self, threads: int) -> None:
        self._scheduler = BackgroundScheduler(
            executors={"default": ThreadPoolExecutor(threads)},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
            timezone="UTC",
        )
        self._scheduler.add_listener(_log_error, EVENT_JOB_ERROR)
        self._stopped = threading.Event()
        self._watch = threading.Thread(target=self._watch_the_wall_clock, name="wall clock", daemon=True)

    def every(self, seconds: float, name: str, call: Callable[[], object]) -> None:
        """Call ``call`` every so many seconds. An error is logged, and the next call comes all the same."""
        self._scheduler.add_job(call, "interval", seconds=seconds, id=name, name=name)

    def start(self) -> None:
        self._scheduler.start()
        self._watch.start()

    def stop(self) -> None:
        """Start nothing more, and wait for what runs."""
        self._stopped.set()
        self._scheduler.shutdown(wait=True)

    def _watch_the_wall_clock(self) -> None:
        """Call every station at once where the wall clock was set back: the scheduler would wait until it caught up."""
        ahead = time.time() - time.monotonic()
        while not self._stopped.wait(_LOOK_SECONDS):
            before, ahead = ahead, time.time() - time.monotonic()
            if before - ahead > _TOLERANCE_SECONDS:
                log.warning("clock.set_back", seconds=round(before - ahead, 1))
                for job in self._scheduler.get_jobs():
                    job.modify(next_run_time=datetime.now(UTC))


def _log_error(event: JobExecutionEvent) -> None:
    log.error("station.failed", station=event.job_id, reason=repr(event.exception), traceback=event.traceback)
