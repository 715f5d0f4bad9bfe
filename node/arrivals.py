"""What each association has brought so far: one line of the log and one audit message for it when it ends, not one for
each object."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from threading import Lock
from weakref import WeakKeyDictionary

import structlog
from pynetdicom.association import Association
from pynetdicom.events import Event

from node.audit import Movement, Participant, Role, transferred
from node.records import ObjectFacts
from node.trail import Trail

log = structlog.get_logger()


@dataclass
class _Load:
    kept: Movement = field(default_factory=Movement)
    refused: Counter[str] = field(default_factory=Counter)


class Arrivals:
    """Notes of associations that are still open. Each is written by its own thread, and ended once."""

    def __init__(self, trail: Trail) -> None:
        self._trail = trail
        self._loads: WeakKeyDictionary[Association, _Load] = WeakKeyDictionary()
        self._lock = Lock()

    def kept(self, association: Association, facts: ObjectFacts) -> None:
        self._load(association).kept.add(
            (facts.study_uid, facts.patient.patient_id, facts.patient.issuer), facts.sop_class_uid
        )

    def refused(self, association: Association, reason: str) -> None:
        self._load(association).refused[reason] += 1

    def end(self, event: Event) -> None:
        """Handler of a connection's end, however it came about."""
        with self._lock:
            load = self._loads.pop(event.assoc, None)
        if load is None:
            return
        words = "; ".join(f"{count} refused: {reason}" for reason, count in load.refused.items())
        # Of an association of our own the peer is the acceptor: a C-GET brings what was asked for.
        ours = bool(event.assoc.is_requestor)
        peer = event.assoc.acceptor if ours else event.assoc.requestor
        counts = {"studies": len(load.kept.studies), "kept": load.kept.total, "refused": load.refused.total()}
        log.info("association.ended", peer=peer.ae_title, **counts)
        sender = Participant(peer.ae_title, str(peer.address), Role.SOURCE, requestor=not ours)
        self._trail.record(transferred(sender, self._trail.us(Role.DESTINATION, requestor=ours), load.kept, words))

    def _load(self, association: Association) -> _Load:
        with self._lock:
            load = self._loads.get(association)
            if load is None:
                load = self._loads[association] = _Load()
            return load
