"""After a restart with changed rules for series or outlines, every patient is planned once more, one after the other.

Only these rules count: they are what a person changes in order to have exams read otherwise. A new version of the
program alone sends nobody a second report of an exam that has been scored.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import structlog

from node.database import Database
from node.due import PatientKey, everybody, receiving
from pipelines.roles.site_rules import SiteRule

log = structlog.get_logger()

FILE = "planned_under"


def fingerprint(rules: Sequence[SiteRule], roi_pattern: str) -> str:
    """SHA-256 of what a site says of its images; their order counts."""
    said = [{name: value for name, value in asdict(rule).items() if value} for rule in rules]
    return hashlib.sha256(json.dumps([said, roi_pattern], sort_keys=True).encode()).hexdigest()


class Revision:
    """The patients that were planned under other rules. The file in the data folder is written when all are done:
    a node that is stopped in between begins again."""

    def __init__(self, database: Database, data_dir: Path, rules: str) -> None:
        self._database = database
        self._path = data_dir / FILE
        self._rules = rules
        self._waiting: deque[PatientKey] | None = None

    def plan_next(self, plan: Callable[[PatientKey], None]) -> bool:
        """Plan one patient; False where nobody is left. One of whom something is arriving comes later."""
        if self._waiting is None:
            self._waiting = deque(self._concerned())
            if not self._waiting:
                self._note()
        if not self._waiting:
            return False
        with self._database.reading() as connection:
            busy = receiving(connection)
        key = next((one for one in self._waiting if one not in busy), None)
        if key is not None:
            self._waiting.remove(key)
            try:
                plan(key)
            except Exception:  # one broken patient must not stop the others
                log.exception("plan.failed", patient_id=key.patient_id, issuer=key.issuer)
        if not self._waiting:
            self._note()
        return key is not None

    def _concerned(self) -> list[PatientKey]:
        if not self._path.exists():  # a new node, or one whose rules of old nobody knows any more
            return []
        if self._path.read_text(encoding="utf-8").strip() == self._rules:
            return []
        with self._database.reading() as connection:
            found = everybody(connection)
        log.info("plan.rules_changed", patients=len(found))
        return found

    def _note(self) -> None:
        draft = self._path.with_name(f"{FILE}.{os.getpid()}")
        draft.write_text(self._rules, encoding="utf-8")
        draft.replace(self._path)
