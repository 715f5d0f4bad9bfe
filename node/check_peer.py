"""One peer, as a commissioning doctor sees it: which side must change what before objects can travel.

Name, TCP, association, presentation contexts, C-ECHO, in this order: each step needs the one before it. Nothing is
stored and nothing is queried.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE
from pynetdicom.association import Association

from node.config import Node, Peer

TIMEOUT_SECONDS = 5.0

VERIFICATION = "1.2.840.10008.1.1"
RESULT_CLASSES: Mapping[str, str] = {
    "1.2.840.10008.5.1.4.1.1.66.4": "Segmentation (SEG)",
    "1.2.840.10008.5.1.4.1.1.88.34": "Comprehensive 3D SR",
    "1.2.840.10008.5.1.4.1.1.7": "Secondary Capture (summary page)",
}
QUERY_CLASSES: Mapping[str, str] = {
    "1.2.840.10008.5.1.4.1.2.2.1": "Study Root FIND",
    "1.2.840.10008.5.1.4.1.2.2.2": "Study Root MOVE",
}
COMMITMENT_CLASSES: Mapping[str, str] = {"1.2.840.10008.1.20.1": "Storage Commitment"}
TRANSFER_SYNTAXES = [ExplicitVRLittleEndian, ImplicitVRLittleEndian]

# A-ASSOCIATE-RJ, (source, reason): PS3.8 Table 9-21. "{ours}" and "{theirs}" are the AE titles.
REJECTIONS: Mapping[tuple[int, int], str] = {
    (1, 1): "their side gives no reason; often our AE title {ours} or our IP address is not registered there",
    (1, 2): "their side does not know the DICOM application context: that port may serve another protocol",
    (1, 3): "their side does not know us: register AE title {ours} (and this machine's IP address) there",
    (1, 7): "our side calls it by a wrong name: it is not {theirs}; mend ae_title of this [[peer]]",
    (2, 1): "their side gives no reason",
    (2, 2): "their side does not support this protocol version",
    (3, 1): "their side is busy (temporary congestion): try again",
    (3, 2): "their side has too many associations open (local limit exceeded): try again, or raise its limit",
}


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


def check_peer(node: Node, peer: Peer) -> Iterator[Finding]:
    """What stands between this node and one peer. Takes at most a few times ``TIMEOUT_SECONDS``."""
    subject = f"peer {peer.name} ({peer.ae_title} at {peer.host}:{peer.port})"
    # A peer that only sends need not listen: that we cannot call it is worth knowing, and no fault.
    bad = Level.FAIL if peer.receives or peer.queries or peer.storage_commitment else Level.WARN
    if not (peer.sends or peer.receives or peer.queries or peer.storage_commitment):
        yield Finding(Level.WARN, subject, "our side: it has no role, so nothing is taken from it or sent to it")
    yield from _not_yet(peer, subject)
    unreachable = _reach(peer)
    if unreachable:
        yield Finding(bad, subject, unreachable)
        return
    association = _associate(node, peer)
    try:
        if association.is_established:
            yield from _accepted(association, node, peer, subject)
        else:
            yield Finding(bad, subject, _why_not(association, node, peer))
    finally:
        if association.is_established:
            association.release()


def _not_yet(peer: Peer, subject: str) -> Iterator[Finding]:
    """Roles that the configuration knows and this version does not play to the end."""
    if peer.queries:
        yield Finding(Level.WARN, subject, "queries = true: priors are not fetched in this version")
    if peer.storage_commitment:
        words = "storage_commitment = true: not asked for in this version, deliveries end as SENT"
        yield Finding(Level.WARN, subject, words)


def answers_as(host: str, port: int, called: str, calling: str) -> bool:
    """Whether an application entity there accepts ``calling`` under the title ``called`` and answers C-ECHO."""
    ae = _application_entity(calling)
    ae.add_requested_context(VERIFICATION, TRANSFER_SYNTAXES)
    association = ae.associate(host, port, ae_title=called)
    if not association.is_established:
        return False
    try:
        return bool(association.send_c_echo().get("Status") == 0x0000)
    finally:
        association.release()


def _reach(peer: Peer) -> str:
    """Why no TCP connection can be made; empty where one can."""
    try:
        socket.getaddrinfo(peer.host, peer.port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        return (
            f"our side: the host name {peer.host} is not known here ({error}); mend host of this [[peer]], or the DNS"
        )
    try:
        with socket.create_connection((peer.host, peer.port), timeout=TIMEOUT_SECONDS):
            return ""
    except TimeoutError:
        return (
            f"the network between: no answer from {peer.host}:{peer.port} within {TIMEOUT_SECONDS:.0f} s; a firewall "
            "drops it, the machine is off, or host is wrong"
        )
    except ConnectionRefusedError:
        return f"their side: nothing listens on port {peer.port}; start it, or mend port of this [[peer]]"
    except OSError as error:
        return f"the network between: {peer.host}:{peer.port} cannot be reached ({_os_words(error)}); ask for a route"


def _application_entity(title: str) -> AE:
    ae = AE(ae_title=title)
    ae.connection_timeout = TIMEOUT_SECONDS
    ae.acse_timeout = TIMEOUT_SECONDS
    ae.dimse_timeout = TIMEOUT_SECONDS
    ae.network_timeout = TIMEOUT_SECONDS
    return ae


def _wanted(peer: Peer) -> dict[str, str]:
    """The SOP classes that the peer's roles call for, with their names for a person."""
    wanted: dict[str, str] = {}
    if peer.receives:
        wanted |= RESULT_CLASSES
    if peer.queries:
        wanted |= QUERY_CLASSES
    if peer.storage_commitment:
        wanted |= COMMITMENT_CLASSES
    return wanted


def _associate(node: Node, peer: Peer) -> Association:
    ae = _application_entity(node.ae_title)
    for uid in (VERIFICATION, *_wanted(peer)):
        ae.add_requested_context(uid, TRANSFER_SYNTAXES)
    return ae.associate(peer.host, peer.port, ae_title=peer.ae_title)


def _accepted(association: Association, node: Node, peer: Peer, subject: str) -> Iterator[Finding]:
    yield Finding(Level.OK, subject, f"accepts an association from {node.ae_title}")
    accepted = {str(context.abstract_syntax): context for context in association.accepted_contexts}
    for uid, name in _wanted(peer).items():
        if uid in accepted:
            syntax = UID(accepted[uid].transfer_syntax[0]).name
            yield Finding(Level.OK, subject, f"takes {name} in {syntax}")
        else:
            yield Finding(
                Level.FAIL, subject, f"their side does not take {name}; enable that SOP class for {node.ae_title}"
            )
    if VERIFICATION not in accepted:
        yield Finding(Level.WARN, subject, "their side does not offer Verification, so C-ECHO cannot be tried")
        return
    status = association.send_c_echo().get("Status")
    if status == 0x0000:
        yield Finding(Level.OK, subject, "answers C-ECHO")
    else:
        said = "nothing" if status is None else f"status 0x{status:04X}"
        yield Finding(Level.WARN, subject, f"their side answers C-ECHO with {said}: see its log")


def _why_not(association: Association, node: Node, peer: Peer) -> str:
    if association.is_rejected:
        answer = association.acceptor.primitive
        source, reason = getattr(answer, "result_source", None), getattr(answer, "diagnostic", None)
        words = REJECTIONS.get((source or 0, reason or 0), f"their side: source {source}, reason {reason}")
        return f"rejects the association: {words.format(ours=node.ae_title, theirs=peer.ae_title)}"
    if association.rejected_contexts:
        return "their side accepts the association and none of our SOP classes: enable them for " + node.ae_title
    return (
        f"their side takes the TCP connection and gives no DICOM answer within {TIMEOUT_SECONDS:.0f} s: port "
        f"{peer.port} may want TLS, serve another protocol, or not allow this machine's IP address"
    )


def _os_words(error: OSError) -> str:
    return errno.errorcode.get(error.errno or 0, "") + f" {error.strerror or error}".rstrip()
