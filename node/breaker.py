"""A circuit breaker for one destination: while it cannot be reached it is tried now and then, by one association."""

from __future__ import annotations

import time
from dataclasses import dataclass

import structlog

from node.lease import wait_seconds

log = structlog.get_logger()

LONGEST_SECONDS = 60.0
"""Between two tries: one association a minute costs nobody anything, and results go out soon after a restart."""


@dataclass
class Breaker:
    """Closed while associations are made; open after one was not, for twice as long after each further one."""

    destination: str
    first_seconds: float
    longest_seconds: float = LONGEST_SECONDS
    failures: int = 0
    _open_until: float = float("-inf")

    @property
    def is_open(self) -> bool:
        """Whether the destination is left alone for now."""
        return time.monotonic() < self._open_until

    def failed(self, reason: str) -> None:
        """No association was made."""
        self.failures += 1
        longest = max(self.longest_seconds, self.first_seconds)
        self._open_until = time.monotonic() + wait_seconds(self.failures, self.first_seconds, longest)
        if self.failures == 1:
            log.error("destination.unreachable", peer=self.destination, reason=reason)

    def succeeded(self) -> bool:
        """An association was made; whether it is the first after some that were not."""
        back, self.failures, self._open_until = self.failures > 0, 0, float("-inf")
        if back:
            log.info("destination.back", peer=self.destination)
        return back
