"""The listener: C-STORE and C-ECHO as SCP. Success is answered only after the object is on disk.

Of storage commitment it is SCU alone: it hears the reports of what this node asked, and promises nobody anything.

Sources: PS3.4 Annex A (Verification), B (Storage) and J (Storage Commitment), PS3.7 9.1.1, 9.1.5, 10.1.1 and D.3.3.4
(role selection), PS3.8 9.3 (association).
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from ssl import SSLContext
from typing import cast
from weakref import WeakKeyDictionary

import structlog
from pynetdicom import AE, _config, evt
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.pdu_primitives import A_ASSOCIATE
from pynetdicom.presentation import PresentationContext
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]  # the module makes its names at import

from node import searches
from node.accepted import STORED_CLASSES, TRANSFER_SYNTAXES
from node.arrivals import Arrivals
from node.association import STORAGE_COMMITMENT, SYNTAXES
from node.audit import Participant, Role, turned_away
from node.commitment import Patience
from node.config import Config
from node.crowd import MIB, MOST_CONNECTIONS, Sizes, crowded, forget_a_lost_connection, limit_silence
from node.errors import ConfigError
from node.event_report import Answer, answer_report
from node.fast_store import FastStore
from node.gate import Caller, Gate
from node.handshake import Handshakes
from node.intake import Intake
from node.peer import Peer, plain_title
from node.store import Store
from node.tls import as_server
from node.trail import Trail

log = structlog.get_logger()

SUCCESS = 0x0000
NOT_AUTHORIZED = 0x0124  # PS3.7 C.5.14 "Refused: not authorized"
UNRECOGNIZED_OPERATION = 0x0211  # PS3.7 10.1.4.1.10 and Annex C

_LOCAL_LIMIT_EXCEEDED = (0x02, 0x03, 0x02)  # transient, by the presentation service provider (PS3.8 Table 9-21)
_CALLING_TITLE_UNKNOWN = (0x01, 0x01, 0x03)  # permanent, by the service user
_ASSOCIATE_RQ = 0x01  # PDU type, PS3.8 9.3.2
_MAX_PDU = 262_144
_BACKLOG = 128


class Listener:
    """Answers associations until it is closed; runs in pynetdicom's own threads."""

    def __init__(self, config: Config, store: Store) -> None:
        self.config = config
        self.store = store
        # A padding NUL or a control character in an AE title is looked up (and refused by name) like any other title,
        # instead of aborting the connection without a word.
        _config.VALIDATORS["AE"] = _any_title
        self.gate = Gate(config.peers)
        self.handshakes = Handshakes(config.tls)
        self._most_bytes = config.node.largest_object_mib * MIB
        self._sizes = Sizes(self._most_bytes)
        self._ae = _application_entity(config)
        self._trail = Trail.of(config)
        self._arrivals = Arrivals(self._trail)
        self._titles: WeakKeyDictionary[Association, tuple[bytes, bytes]] = WeakKeyDictionary()
        self._peers: WeakKeyDictionary[Association, tuple[Peer, ...]] = WeakKeyDictionary()

    def open(self) -> None:
        """Listen, with TLS, without, or on a port for each. Raises ConfigError where a port cannot be had."""
        node, tls = self.config.node, self.config.tls
        refuse_taken_ports(self.config)
        if tls.port:
            self._listen(tls.port, self.handshakes.shake, as_server(tls))
        if node.port:
            self._listen(node.port, self.handshakes.expect_plain)
        log.info("listener.open", ae_title=node.ae_title, host=node.host, port=node.port, tls_port=tls.port)

    def _listen(self, port: int, begin: Callable[[evt.Event], None], context: SSLContext | None = None) -> None:
        handlers: list[evt.EventHandlerType] = [
            (evt.EVT_CONN_OPEN, self._sizes.watch),
            (evt.EVT_PDU_RECV, self._sizes.count),
            (evt.EVT_CONN_OPEN, begin),
            (evt.EVT_CONN_OPEN, limit_silence),
            (evt.EVT_DATA_RECV, self._note_titles),
            (evt.EVT_REQUESTED, self._narrow),
            (evt.EVT_REQUESTED, self._require_peer),
            (evt.EVT_REQUESTED, self._require_room),
            (evt.EVT_FSM_TRANSITION, forget_a_lost_connection),
            (evt.EVT_REJECTED, self._rejected),
            (evt.EVT_CONN_CLOSE, self._arrivals.end),
            (evt.EVT_C_ECHO, self._echo),
            (evt.EVT_C_STORE, self._store),
            (evt.EVT_N_EVENT_REPORT, self._hear),
            (evt.EVT_N_ACTION, self._promise_nothing),
        ]
        if self.config.node.fast_ingest:
            served = (*STORED_CLASSES, Verification)
            handlers += FastStore(served, self._most_bytes, lambda: self.store.incoming()).handlers
        address = (self.config.node.host, port)
        server = self._ae.start_server(address, block=False, ssl_context=context, evt_handlers=handlers)
        if server is not None and server.socket is not None:
            # pynetdicom lets 5 connections wait: of a burst the others would wait a second for their next SYN.
            server.socket.listen(_BACKLOG)
            # Nobody waits at the end for those who have not yet ended their handshake.
            server.daemon_threads = True

    def close(self) -> None:
        """Take no new association; running ones end with an abort, and their senders send again."""
        self._ae.shutdown()

    def _note_titles(self, event: evt.Event) -> None:
        """Keep the titles of an A-ASSOCIATE-RQ as they came: bytes 11-26 called, 27-42 calling (PS3.8 Table 9-11)."""
        if event.data[:1] == bytes([_ASSOCIATE_RQ]):
            self._titles[event.assoc] = (event.data[10:26], event.data[26:42])

    def _narrow(self, event: evt.Event) -> None:
        """Offer a peer what its role allows: all and this machine may echo, only senders and archives may store, and
        only who is asked for storage commitment may report on it."""
        request = cast(A_ASSOCIATE, event.assoc.requestor.primitive)
        request.calling_ae_title = plain_title(request.calling_ae_title)
        request.called_ae_title = plain_title(request.called_ae_title)
        # Once for each association: the gate may have to ask a name server, which no object should wait for.
        peers = self._peers[event.assoc] = self.gate.let_in(self._caller(event))
        stores = any(peer.sends or peer.queries for peer in peers)
        # One application may store, be asked and call from different ports and hosts: its AE title is what they share.
        reports = any(one.storage_commitment for peer in peers for one in self.config.peers_titled(peer.ae_title))
        acceptor = event.assoc.acceptor
        acceptor.supported_contexts = [
            context
            for context in acceptor.supported_contexts
            if context.abstract_syntax == Verification
            or (reports if context.abstract_syntax == STORAGE_COMMITMENT else stores)
        ]

    def _require_peer(self, event: evt.Event) -> None:
        """Reject a known AE title that calls from elsewhere, or cannot prove that it is that peer, with "calling AE
        title not recognised" (PS3.8 Table 9-21)."""
        caller = self._caller(event)
        refusal = self.gate.refusal(caller)
        if refusal:
            log.warning("association.rejected", address=caller.address, calling=repr(caller.title), hint=refusal)
            self._note_turned_away(caller, refusal)
            _reject(event, _CALLING_TITLE_UNKNOWN)

    def _require_room(self, event: evt.Event) -> None:
        """Without room on the disk, or for another association, reject as transient, "local limit exceeded" (PS3.8
        Table 9-21): the sender keeps its objects and tries again; a permanent refusal would end its routing job."""
        if event.assoc.is_rejected:
            return
        shortage = self.store.room.shortage() or crowded(self._ae, event.assoc, self._caller(event).title)
        if shortage:
            log.error("association.no_room", address=event.assoc.requestor.address, reason=shortage)
            _reject(event, _LOCAL_LIMIT_EXCEEDED)

    def _caller(self, event: evt.Event) -> Caller:
        requestor = event.assoc.requestor
        title = cast(A_ASSOCIATE, requestor.primitive).calling_ae_title
        return Caller(title, str(requestor.address), self.handshakes.names(event.assoc))

    def _rejected(self, event: evt.Event) -> None:
        called, calling = self._titles.get(event.assoc, (b"", b""))
        hint = "the calling AE title must be a [[peer]] of config.toml, the called one [node] ae_title"
        address = str(event.assoc.requestor.address)
        log.warning("association.rejected", address=address, calling=repr(calling), called=repr(called), hint=hint)
        self._note_turned_away(Caller(repr(calling), address), f"called {called!r}: {hint}")

    def _note_turned_away(self, caller: Caller, words: str) -> None:
        who = Participant(caller.title, caller.address, Role.SOURCE, requestor=True)
        self._trail.record(turned_away(self._trail.us(Role.DESTINATION, requestor=False), who, words))

    def _echo(self, event: evt.Event) -> int:
        log.info("echo.answered", peer=event.assoc.requestor.ae_title)
        return SUCCESS

    def _store(self, event: evt.Event) -> int | object:
        """C-STORE: bytes to disk, then Success. Every refusal carries its reason in the Error Comment (0000,0902)."""
        title = event.assoc.requestor.ae_title
        request = cast(C_STORE, event.request)
        if not self._may_store(request, self._peers.get(event.assoc, ())):
            return self._intake.refuse(event, NOT_AUTHORIZED, "this AE title may not store here", title)
        return self._intake.take(event, title)

    @property
    def _intake(self) -> Intake:
        return Intake(self.store, self._arrivals)

    def _hear(self, event: evt.Event) -> Answer:
        """N-EVENT-REPORT: what a peer says of the objects that this node asked it to keep."""
        title = event.assoc.requestor.ae_title
        return answer_report(event, self.store.database, title, Patience.of(self.config.results))

    def _promise_nothing(self, event: evt.Event) -> tuple[int, None]:
        """N-ACTION: never taken. Whoever were told that this node keeps an object might delete its only copy."""
        hint = "Restage commits no storage: let this peer ask the archive"
        log.warning("commitment.asked_of_us", peer=event.assoc.requestor.ae_title, hint=hint)
        return UNRECOGNIZED_OPERATION, None

    def _may_store(self, request: C_STORE, peers: tuple[Peer, ...]) -> bool:
        """Senders may; an archive that is only queried may as part of a C-MOVE of ours (PS3.7 9.1.1.1).

        The Move Originator is optional, and some archives name themselves: then it counts that we are fetching there.
        """
        if any(peer.sends for peer in peers):
            return True
        archives = [peer.name for peer in peers if peer.queries]
        originator = plain_title(str(request.MoveOriginatorApplicationEntityTitle or ""))
        ours = originator == self.config.node.ae_title
        return bool(archives) and (ours or searches.is_made(self.store.database, archives))


def refuse_taken_ports(config: Config) -> None:
    """Raise ConfigError where another program listens on a port of ours, or the address is not this machine's."""
    for key, port in (("node.port", config.node.port), ("tls.port", config.tls.port)):
        if port:
            _refuse_taken_port(key, config.node.host, port)


def _refuse_taken_port(key: str, host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            allowed = "a free port, and an address of this machine"
            raise ConfigError(key, f"{key} = {port} on {host}: {error.strerror}; allowed: {allowed}") from error


def _application_entity(config: Config) -> AE:
    ae = AE(ae_title=config.node.ae_title)
    ae.supported_contexts = [_context(Verification), *(_context(uid) for uid in STORED_CLASSES)]
    # The peer that reports on storage commitment is SCP, and proposes that role (PS3.7 D.3.3.4); the role of an SCU is
    # given to nobody who proposes it. Some peers leave role selection out and report all the same. That is safe: under
    # the default roles they could only ask us (N-ACTION), which is refused.
    ae.add_supported_context(STORAGE_COMMITMENT, list(SYNTAXES["explicit"]), scu_role=False, scp_role=True)
    ae.require_called_aet = True
    # An empty list would let everybody in: a title longer than the 16 bytes of a request keeps strangers out.
    ae.require_calling_aet = sorted({peer.ae_title for peer in config.peers}) or ["no peer is configured"]
    ae.maximum_associations = MOST_CONNECTIONS
    ae.maximum_pdu_size = _MAX_PDU
    ae.network_timeout = 60
    ae.acse_timeout = 30
    ae.dimse_timeout = 120
    return ae


def _reject(event: evt.Event, words: tuple[int, int, int]) -> None:
    """A-ASSOCIATE-RJ with result, source and reason, in place of a negotiation."""
    event.assoc.acse.send_reject(*words)
    event.assoc.kill()


def _context(uid: str) -> PresentationContext:
    context = PresentationContext()
    context.abstract_syntax = uid
    context.transfer_syntax = list(TRANSFER_SYNTAXES)
    return context


def _any_title(value: str) -> tuple[bool, str]:
    return True, ""
