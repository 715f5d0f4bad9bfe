"""Why a peer does not commit an object, and what follows for its delivery.

Failure Reason (0008,1197): PS3.3 C.14.1.1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Then(StrEnum):
    """What follows for a delivery that is not committed."""

    ASK_LATER = "ask later"
    ASK_NO_MORE = "ask no more"
    SEND_AGAIN = "send again"
    FAIL = "fail"


@dataclass(frozen=True)
class Failure:
    """One reason in words, and what follows."""

    words: str
    then: Then


NO_SUCH_OBJECT = 0x0112
FAILURES: Mapping[int, Failure] = {
    0x0110: Failure("it had a processing failure", Then.ASK_LATER),
    NO_SUCH_OBJECT: Failure("it has no such object", Then.SEND_AGAIN),
    0x0119: Failure("it has another SOP class under this UID", Then.FAIL),
    0x0122: Failure("it commits no objects of this SOP class; what it was sent stays sent", Then.ASK_NO_MORE),
    0x0131: Failure("it took the Transaction UID for a used one", Then.ASK_LATER),
    0x0213: Failure("it has no resources for it now", Then.ASK_LATER),
}
_OTHER = Failure("it gives a reason of its own", Then.ASK_LATER)


def failure_of(code: int) -> Failure:
    """What a failure reason says; one that the standard does not have may pass."""
    return FAILURES.get(code, _OTHER)
