"""The clock: calls the stations at their intervals, each by itself, never twice at once."""

from __future__ import annotations

from collections.abc import Callable

import structlog
from apscheduler.events import EVENT_JOB_ERROR, JobExecutionEvent
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

log = structlog.get_logger()


class Clock:
    """A background scheduler. A station that is late is called once, not as often as it was missed."""

    def __init__(self, threads: int) -> None:
        self._scheduler = BackgroundScheduler(
            executors={"default": ThreadPoolExecutor(threads)},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
            timezone="UTC",
        )
        self._scheduler.add_listener(_log_error, EVENT_JOB_ERROR)

    def every(self, seconds: float, name: str, call: Callable[[], object]) -> None:
        """Call ``call`` every so many seconds. An error is logged, and the next call comes all the same."""
        self._scheduler.add_job(call, "interval", seconds=seconds, id=name, name=name)

    def start(self) -> None:
        self._scheduler.start()

    def stop(self) -> None:
        """Start nothing more, and wait for what runs."""
        self._scheduler.shutdown(wait=True)


def _log_error(event: JobExecutionEvent) -> None:
    log.error("station.failed", station=event.job_id, reason=repr(event.exception), traceback=event.traceback)
