"""Structured logs: one event per line on standard error, named by what happened (``study.settled``), times in UTC.

No patient is named in a log: logs travel to collectors and support desks. A study is known by its Study Instance UID,
which `restage status` resolves on this machine, a patient by a pseudonym, which `restage pseudonym` tells for an ID
here alone. Values under the keys in ``WITHHELD`` never get through, nor does the reason of an identity conflict, which
quotes names. pydicom's own messages quote attribute values, so they are silenced
below CRITICAL. Tracebacks are written without local variables.
"""

from __future__ import annotations

import logging
import sys
import threading
import traceback
import warnings
from collections.abc import Mapping
from pathlib import Path

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from node.config import Logs
from node.pseudonym import Pseudonyms

log = structlog.get_logger()

_READER = "dul.py"  # of pynetdicom: its thread reads what a peer sends

# Libraries speak only when something is wrong; pydicom quotes patients' values when it does.
LIBRARY_LEVELS: Mapping[str, int] = {
    "pynetdicom": logging.WARNING,
    "apscheduler": logging.ERROR,  # a station that is busy is not called again: no news
    "sqlalchemy": logging.WARNING,
    "alembic": logging.WARNING,
    "highdicom": logging.WARNING,
    "matplotlib": logging.WARNING,
    "PIL": logging.WARNING,
    "pydicom": logging.CRITICAL,
}
WITHHELD = frozenset({"patient", "patient_id", "issuer", "patient_name", "birth_date", "sex"})
QUOTING_CODES = frozenset({"IDENTITY_CONFLICT"})


def configure_logs(logs: Logs, pseudonyms: Pseudonyms | None = None, **always: str) -> None:
    """Send this process's events, and its libraries' warnings, to standard error.

    ``pseudonyms``: what stands in place of patients' IDs; nothing does where they are None.
    ``always``: fields that every line carries, such as ``process="worker"``. They are no context variables: threads
    start with an empty context.
    """
    level = logging.getLevelNamesMapping()[logs.level]
    shared = _shared_processors(pseudonyms, always)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_renderers(logs.json_lines)],
        )
    )
    handler.addFilter(_WithoutTraceback())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for name, library_level in LIBRARY_LEVELS.items():
        logging.getLogger(name).setLevel(max(level, library_level))
    warnings.filterwarnings("ignore", module=r"pydicom(\.|$)")
    threading.excepthook = _log_thread


class _WithoutTraceback(logging.Filter):
    """pynetdicom logs a traceback for every connection that breaks off: one line each is enough, and no flood."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name.startswith("pynetdicom"):
            record.exc_info = record.exc_text = None
        return True


def _log_thread(ended: threading.ExceptHookArgs) -> None:
    """One event in place of a bare traceback, where a thread ends by an error.

    pynetdicom's reader of a connection ends so where a peer sends what PS3.8 9.2 has no row for, or no command at all:
    that is the peer's fault, and the association's end.
    """
    error = ended.exc_value
    frames = traceback.walk_tb(ended.exc_traceback)
    if any(Path(frame.f_code.co_filename).name == _READER for frame, _ in frames):
        log.warning("association.broken", reason=f"{type(error).__name__}: {error}")
    elif error is not None:
        name = ended.thread.name if ended.thread else ""
        log.error("thread.failed", thread=name, exc_info=(ended.exc_type, error, ended.exc_traceback))


def _shared_processors(pseudonyms: Pseudonyms | None, always: Mapping[str, str]) -> list[Processor]:
    def add_always(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        return {**always, **event}

    def name_patient(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        if pseudonyms and "patient_id" in event:
            patient_id, issuer = str(event.pop("patient_id")), str(event.pop("issuer", ""))
            event["pseudonym"] = pseudonyms.of(patient_id, issuer)
        return event

    return [
        structlog.contextvars.merge_contextvars,
        add_always,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        name_patient,
        withhold_patient,
        structlog.processors.format_exc_info,
    ]


def withhold_patient(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Blank what names a patient; the key stays, so that a reader sees that something was there."""
    keys = WITHHELD | ({"reason"} if str(event.get("code")) in QUOTING_CODES else set())
    return {key: "[withheld]" if key in keys else value for key, value in event.items()}


def _renderers(json_lines: bool) -> list[Processor]:
    if json_lines:
        return [structlog.processors.JSONRenderer(default=str)]
    plain = structlog.dev.plain_traceback
    return [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)]
