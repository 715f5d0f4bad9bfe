"""One peer, as a commissioning doctor sees it: which side must change what before objects can travel.

Name, TCP, association, presentation contexts, C-ECHO, C-FIND, in this order: each step needs the one before it. Nothing
is stored, and the study that is asked for does not exist.
"""

from __future__ import annotations

import errno
import socket
import uuid
from collections.abc import Iterator, Mapping, Sequence
from ssl import SSLCertVerificationError

from pydicom.uid import UID, ImplicitVRLittleEndian
from pynetdicom.association import Association

from node.ask import Inquiry, asking
from node.association import STORAGE_COMMITMENT, SYNTAXES, VERIFICATION, called, entity, propose
from node.check_classes import (
    COMPREHENSIVE_3D_SR,
    COMPREHENSIVE_SR,
    NAMES,
    Wanted,
    wanted_results,
    wanted_services,
)
from node.check_priors import check_priors
from node.check_tls import certificate_at, speaks_tls
from node.config import Node
from node.errors import ConfigError, PeerError
from node.finding import Finding, Level
from node.peer import Peer
from node.tls_words import why_not
from node.trail import Trail

TIMEOUT_SECONDS = 5.0

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


def check_peer(node: Node, peer: Peer) -> Iterator[Finding]:
    """What stands between this node and one peer. Takes at most a few times ``TIMEOUT_SECONDS``."""
    subject = f"peer {peer.name} ({peer.ae_title} at {peer.host}:{peer.port})"
    # A peer that only sends need not listen: that we cannot call it is worth knowing, and no fault.
    bad = Level.FAIL if peer.receives or peer.queries or peer.storage_commitment else Level.WARN
    if not (peer.sends or peer.receives or peer.queries or peer.storage_commitment):
        yield Finding(Level.WARN, subject, "our side: it has no role, so nothing is taken from it or sent to it")
    unreachable = _reach(peer)
    if unreachable:
        yield Finding(bad, subject, unreachable)
        return
    try:
        association, trouble = _associate(node, peer)
    except (OSError, ConfigError) as error:  # of a file of [tls], which has been told of
        yield Finding(bad, subject, f"our side: not tried, because [tls] cannot be used: {error}")
        return
    try:
        if association.is_established:
            yield from _accepted(association, node, peer, subject)
        elif trouble:
            yield Finding(bad, subject, _why_no_tls(trouble, node, peer))
        else:
            yield Finding(bad, subject, _why_not(association, node, peer))
    finally:
        if association.is_established:
            association.release()
    if peer.queries:
        yield from _queried(node, peer, subject)


def answers_as(host: str, port: int, called: str, calling: str) -> bool:
    """Whether an application entity there accepts ``calling`` under the title ``called`` and answers C-ECHO."""
    ae = entity(calling, TIMEOUT_SECONDS, TIMEOUT_SECONDS)
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


def _associate(node: Node, peer: Peer) -> tuple[Association, OSError | None]:
    ae = entity(node.ae_title, TIMEOUT_SECONDS, TIMEOUT_SECONDS)
    if peer.receives:
        classes = {one.uid for one in wanted_results(peer)}
        alternative = {COMPREHENSIVE_SR} if COMPREHENSIVE_3D_SR in classes else set()
        propose(ae, sorted(classes | alternative), SYNTAXES[peer.profile.transfer_syntax])
    propose(ae, [one.uid for one in wanted_services(peer)], [ImplicitVRLittleEndian])
    return called(ae, peer)


def _accepted(association: Association, node: Node, peer: Peer, subject: str) -> Iterator[Finding]:
    over = " over TLS" if peer.tls else ""
    yield Finding(Level.OK, subject, f"accepts an association from {node.ae_title}{over}")
    # In the order proposed, so that the preferred transfer syntax of a class comes last and stays.
    accepted = {str(one.abstract_syntax): one for one in reversed(association.accepted_contexts)}
    results = wanted_results(peer) if peer.receives else ()
    for one in (*results, *wanted_services(peer)):
        if one.uid in accepted:
            syntax = UID(accepted[one.uid].transfer_syntax[0]).name
            yield Finding(Level.OK, subject, f"takes {NAMES[one.uid]} in {syntax}")
        else:
            yield Finding(one.level, subject, f"their side does not take {NAMES[one.uid]}; {_advice(one, accepted)}")
    if peer.storage_commitment and STORAGE_COMMITMENT in accepted:
        where = f"{node.ae_title} at this machine, port {node.port}"
        yield Finding(Level.OK, subject, f"may report on storage commitment to {where}: register it there")
    if VERIFICATION not in accepted:
        yield Finding(Level.WARN, subject, "their side does not offer Verification, so C-ECHO cannot be tried")
        return
    status = association.send_c_echo().get("Status")
    if status == 0x0000:
        yield Finding(Level.OK, subject, "answers C-ECHO")
    else:
        said = "nothing" if status is None else f"status 0x{status:04X}"
        yield Finding(Level.WARN, subject, f"their side answers C-ECHO with {said}: see its log")


def _advice(wanted: Wanted, accepted: Mapping[str, object]) -> str:
    if wanted.uid == COMPREHENSIVE_3D_SR and COMPREHENSIVE_SR in accepted:
        return 'it takes Comprehensive SR: set report_class = "comprehensive" in its [peer.profile]'
    return wanted.advice


def _queried(node: Node, peer: Peer, subject: str) -> Iterator[Finding]:
    """A study that nobody has is asked for, and whether results could be fetched back."""
    classes = [one.uid for one in wanted_results(peer)]
    try:
        with asking(Trail(None, node.ae_title), peer, classes, TIMEOUT_SECONDS) as inquiry:
            if inquiry.patients_of(f"2.25.{uuid.uuid4().int}"):
                yield Finding(Level.FAIL, subject, "their side answers C-FIND for a study that does not exist")
            else:
                yield Finding(Level.OK, subject, "answers C-FIND for a study that does not exist: there is none")
            yield _fetched_back(inquiry, classes, subject)
        yield from check_priors(node, peer, subject, TIMEOUT_SECONDS)
    except PeerError as error:
        until = ": until then no result is sent to it" if peer.receives else ""
        mend = f"let {node.ae_title} ask it by Study Root C-FIND, or set queries = false"
        yield Finding(Level.FAIL, subject, f"their side cannot be queried: {error}; {mend}{until}")


def _fetched_back(inquiry: Inquiry, classes: Sequence[str], subject: str) -> Finding:
    missing = [NAMES[uid] for uid in classes if not inquiry.gives(uid)]
    if not missing:
        return Finding(Level.OK, subject, "gives back what it was sent by C-GET, so results are verified")
    what = "results" if len(missing) == len(classes) else ", ".join(missing)
    words = f"their side does not give back {what} by C-GET: they are verified by their presence alone"
    return Finding(Level.WARN, subject, words)


def _why_not(association: Association, node: Node, peer: Peer) -> str:
    if association.is_rejected:
        answer = association.acceptor.primitive
        source, reason = getattr(answer, "result_source", None), getattr(answer, "diagnostic", None)
        words = REJECTIONS.get((source or 0, reason or 0), f"their side: source {source}, reason {reason}")
        return f"rejects the association: {words.format(ours=node.ae_title, theirs=peer.ae_title)}"
    if association.rejected_contexts:
        return "their side accepts the association and none of our SOP classes: enable them for " + node.ae_title
    if not peer.tls and speaks_tls(peer, TIMEOUT_SECONDS):
        words = f"their side speaks TLS on port {peer.port}: set tls = true for this [[peer]], and [tls]"
        return f"{words}, or name its port without TLS"
    return (
        f"their side takes the connection and gives no DICOM answer within {TIMEOUT_SECONDS:.0f} s: port "
        f"{peer.port} may serve another protocol, or not allow this machine's IP address"
    )


def _why_no_tls(trouble: OSError, node: Node, peer: Peer) -> str:
    if isinstance(trouble, SSLCertVerificationError):
        shown = certificate_at(peer, TIMEOUT_SECONDS) or "nothing that can be read"
        return f"{why_not(trouble)}. It presents the certificate of {shown}"
    # Who does not know TLS says something else, hangs up, or waits for more; who does, answers nothing without it.
    if _speaks_dicom(node, peer):
        return f"their side speaks DICOM without TLS on port {peer.port}: switch TLS on there, or set tls = false"
    return why_not(trouble)


def _speaks_dicom(node: Node, peer: Peer) -> bool:
    """Whether an association without TLS is answered there, well or not."""
    ae = entity(node.ae_title, TIMEOUT_SECONDS, TIMEOUT_SECONDS)
    association = ae.associate(peer.host, peer.port, ae_title=peer.ae_title)
    if association.is_established:
        association.release()
    return association.is_released or association.is_rejected


def _os_words(error: OSError) -> str:
    return errno.errorcode.get(error.errno or 0, "") + f" {error.strerror or error}".rstrip()
