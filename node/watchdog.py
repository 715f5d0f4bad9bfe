"""A job that hangs, or takes all the memory, ends its own worker process and nothing else.

The job's lease runs out then, and it is tried again, a bounded number of times (`jobs.give_back_expired`).
"""

from __future__ import annotations

import faulthandler
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog

log = structlog.get_logger()

_OWN_SCORE = Path("/proc/self/oom_score_adj")
_FIRST_TO_GO = "1000"


@contextmanager
def ended_after(seconds: float) -> Iterator[None]:
    """End this process, with the stack of every thread on standard error, where the block takes longer.

    The clock runs in a thread of C: it ends a process too whose computation never lets another thread of Python run.
    """
    faulthandler.dump_traceback_later(seconds, exit=True, file=sys.__stderr__ or sys.stderr)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()


def go_first() -> None:
    """Where the machine runs out of memory, Linux ends this process before any other: the listener goes on."""
    try:
        _OWN_SCORE.write_text(_FIRST_TO_GO)
    except OSError as error:
        log.info("worker.not_first_to_go", reason=str(error))
