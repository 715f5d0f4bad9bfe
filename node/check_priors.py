"""Whether priors could be fetched from a peer: nothing is moved, because the study that is asked for does not exist."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

from node.ask import STUDY_ROOT_MOVE, asking, keys_of
from node.association import SYNTAXES, associate, entity
from node.config import Node
from node.finding import Finding, Level
from node.peer import Peer
from node.retrieve import DESTINATION_UNKNOWN
from node.trail import Trail

_MR_IMAGE = "1.2.840.10008.5.1.4.1.1.4"


def check_priors(node: Node, peer: Peer, subject: str, seconds: float) -> Iterator[Finding]:
    """What stands between this node and priors at one peer. Raises PeerError where there is no association."""
    if peer.retrieve == "get":
        with asking(Trail(None, node.ae_title), peer, [_MR_IMAGE], seconds) as inquiry:
            if inquiry.gives(_MR_IMAGE):
                yield Finding(Level.OK, subject, "gives MR images by C-GET, so priors can be fetched")
            else:
                words = 'their side does not give MR images by C-GET: enable it there, or set retrieve = "move"'
                yield Finding(Level.WARN, subject, f"{words}; until then no prior is fetched")
        return
    ae = entity(node.ae_title, min(seconds, 10.0), seconds)
    ae.add_requested_context(STUDY_ROOT_MOVE, list(SYNTAXES["explicit"]))
    association = associate(ae, peer)
    try:
        if any(context.abstract_syntax == STUDY_ROOT_MOVE for context in association.accepted_contexts):
            keys = keys_of("STUDY", StudyInstanceUID=f"2.25.{uuid.uuid4().int}")
            answers = association.send_c_move(keys, node.ae_title, STUDY_ROOT_MOVE)
            status = [response.get("Status") for response, _ in answers][-1]
            yield _by_status(status, node, subject)
    finally:
        if association.is_established:
            association.release()


def _by_status(status: int | None, node: Node, subject: str) -> Finding:
    """PS3.4 Table C.4-2. Archives differ in what they look at first: the study, or the destination."""
    add = f"add {node.ae_title} there, with the host and port of this node, or no prior is fetched"
    if status == DESTINATION_UNKNOWN:
        words = f"their side does not know {node.ae_title} as a move destination (C-MOVE status 0xA801): {add}"
        return Finding(Level.WARN, subject, words)
    if status is None:
        words = f"their side breaks off, or is silent, at C-MOVE: often it does not know our AE title; {add}"
        return Finding(Level.WARN, subject, words)
    words = f"answers C-MOVE of a study that does not exist with 0x{status:04X}; whether it knows {node.ae_title} as a "
    return Finding(Level.OK, subject, f"{words}destination it says only of a study that it has")
