"""Series fetched from an archive, as retrieve SCU: C-MOVE to our listener, or C-GET over the same association.

PS3.4 C.4.2 and C.4.3, Study Root, level SERIES. An archive may take long for what it keeps offline: what counts is how
long it is silent, and how long all of it takes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from pydicom import Dataset
from pynetdicom import build_role, evt
from pynetdicom.association import Association

from node.accepted import STORED_CLASSES, TRANSFER_SYNTAXES
from node.ask import STUDY_ROOT_GET, STUDY_ROOT_MOVE, keys_of
from node.association import SYNTAXES, associate, entity
from node.errors import AskError
from node.intake import OUT_OF_RESOURCES, Intake
from node.peer import Peer

DESTINATION_UNKNOWN: Final = 0xA801  # "Refused: Move Destination unknown", PS3.4 Table C.4-2
SUCCESS: Final = 0x0000
SOME_FAILED: Final = 0xB000  # "Sub-operations complete - one or more failures or warnings", PS3.4 Tables C.4-2, C.4-3
_PENDING: Final = 0xFF00


@dataclass(frozen=True)
class Limits:
    """How long an archive may be silent, and when all must be done (``time.monotonic``)."""

    silence_seconds: float
    until: float


@dataclass(frozen=True)
class Transfer:
    """The sub-operations of one retrieval, as the archive counts them (PS3.7 9.1.4.1)."""

    completed: int
    failed: int


@dataclass
class Retrieval:
    """Retrievals over one association. ``progress`` is called at each sign of life."""

    association: Association
    peer: Peer
    our_title: str
    limits: Limits
    progress: Callable[[], None]
    wanted: str = field(default="", init=False)

    def series(self, study_uid: str, series_uid: str) -> Transfer:
        """Fetch one series; what arrived is kept. Raises AskError, with its status where the archive gave one."""
        self.wanted = study_uid
        heard = time.monotonic()
        responses = self._request(keys_of("SERIES", StudyInstanceUID=study_uid, SeriesInstanceUID=series_uid))
        for response, _ in responses:
            self.progress()
            if "Status" not in response:
                raise self._broken_off(heard)
            if int(response.Status) != _PENDING:
                return self._ended(response)
            heard = time.monotonic()
            if heard > self.limits.until:
                raise self._broken_off(heard)
        raise self._error(f"gives no final answer to {self._verb}")

    def cancel(self) -> None:
        """End the wait of :meth:`series` in another thread, which raises: as where the connection is lost."""
        self.association.dimse.msg_queue.put((None, None))

    @property
    def _verb(self) -> str:
        return "C-MOVE" if self.peer.retrieve == "move" else "C-GET"

    def _request(self, keys: Dataset) -> Iterator[tuple[Dataset, Dataset | None]]:
        try:
            if self.peer.retrieve == "move":
                return self.association.send_c_move(keys, self.our_title, STUDY_ROOT_MOVE)
            return self.association.send_c_get(keys, STUDY_ROOT_GET)
        except ValueError as error:
            raise self._error(f"does not offer Study Root {self._verb}", permanent=True) from error
        except RuntimeError as error:
            raise self._error(f"cannot be asked by {self._verb}: the association ended") from error

    def _ended(self, response: Dataset) -> Transfer:
        status = int(response.Status)
        completed = int(response.get("NumberOfCompletedSuboperations") or 0)
        completed += int(response.get("NumberOfWarningSuboperations") or 0)  # kept, with a remark
        failed = int(response.get("NumberOfFailedSuboperations") or 0)
        if status == SUCCESS or (status == SOME_FAILED and completed + failed):
            return Transfer(completed, failed)
        comment = f" ({response.ErrorComment})" if response.get("ErrorComment") else ""
        raise self._error(f"answers {self._verb} with status 0x{status:04X}{comment}", status=status)

    def _broken_off(self, heard: float) -> AskError:
        """``heard``: when it gave its last sign of life. pynetdicom may not know yet that the association ended."""
        self.association.abort()
        if time.monotonic() > self.limits.until:
            return self._error(f"had not done with {self._verb} when its time was up")
        if time.monotonic() - heard >= self.limits.silence_seconds:
            return self._error(f"gave no sign of life for {self.limits.silence_seconds:g} s during {self._verb}")
        return self._error(f"breaks the association off at {self._verb}")

    def _error(self, words: str, *, permanent: bool = False, status: int | None = None) -> AskError:
        return AskError(f"{self.peer.name} {words}", permanent=permanent, status=status)


@contextmanager
def retrieving(
    our_title: str, peer: Peer, intake: Intake, limits: Limits, progress: Callable[[], None]
) -> Iterator[Retrieval]:
    """An association to fetch over. What a C-GET brings goes through ``intake``, as at the listener.

    Raises PeerError where there is no association.
    """
    ae = entity(our_title, answer=limits.silence_seconds)
    by_get = peer.retrieve == "get"
    ae.add_requested_context(STUDY_ROOT_GET if by_get else STUDY_ROOT_MOVE, list(SYNTAXES["explicit"]))
    for uid in STORED_CLASSES if by_get else ():
        ae.add_requested_context(uid, list(TRANSFER_SYNTAXES))
    roles = [build_role(uid, scp_role=True) for uid in STORED_CLASSES] if by_get else []
    fetching: list[Retrieval] = []

    def keep(event: evt.Event) -> int | Dataset:
        (retrieval,) = fetching
        return _keep(retrieval, intake, event)

    handlers: list[evt.EventHandlerType] = [(evt.EVT_C_STORE, keep), (evt.EVT_CONN_CLOSE, intake.arrivals.end)]
    association = associate(ae, peer, handlers, ext_neg=roles)
    fetching.append(Retrieval(association, peer, our_title, limits, progress))
    try:
        yield fetching[0]
    finally:
        if association.is_established:
            association.release()


def _keep(retrieval: Retrieval, intake: Intake, event: evt.Event) -> int | Dataset:
    """An object that a C-GET brings. Only objects of what was asked for are taken, and not for ever."""
    retrieval.progress()
    title = retrieval.peer.ae_title
    if time.monotonic() > retrieval.limits.until:
        event.assoc.abort()
        return intake.refuse(event, OUT_OF_RESOURCES, "the time for this retrieval is up", title)
    return intake.take(event, title, retrieval.wanted)
