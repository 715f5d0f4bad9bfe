"""What the commissioning doctor says of one thing that it looked at."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at, and in plain words what is right or wrong, on which side, and what to do."""

    level: Level
    subject: str
    message: str

    @property
    def failed(self) -> bool:
        return self.level is Level.FAIL
