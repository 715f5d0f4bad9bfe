"""Who gets what: the renderings that the destinations want of one result, and which of its objects go to whom."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from dicom_templates.kinds import ITEMS, Item, Kind
from dicom_templates.profile import DEFAULT_ITEMS, DEFAULT_RENDERING, Rendering
from node.config import Config
from node.peer import Peer
from pipelines.contract import Findings


@dataclass(frozen=True)
class Mailing:
    """One rendering of one result, with the peers that want it so."""

    rendering: Rendering
    peers: tuple[Peer, ...]
    findings: Findings

    @property
    def items(self) -> frozenset[Item]:
        """What is built: all that one of the peers asks for; where nobody receives anything, the usual objects."""
        asked = frozenset(item for peer in self.peers for item in peer.profile.items)
        return asked or DEFAULT_ITEMS

    def receivers(self, kind: Kind, have_earlier: Collection[str] = ()) -> tuple[str, ...]:
        """The peers that get the object of this kind.

        One that has an earlier version gets this one whatever it holds: the old numbers must not stay the newest there.
        """
        asking = (peer for peer in self.peers if ITEMS[kind] in peer.profile.items)
        return tuple(peer.name for peer in asking if peer.name in have_earlier or wants(peer, self.findings))


def mailings(config: Config, findings: Findings) -> tuple[Mailing, ...]:
    """One mailing for each rendering that a destination wants; without destinations the default one, for the node."""
    peers: dict[Rendering, tuple[Peer, ...]] = {}
    for peer in config.peers_receiving:
        rendering = peer.profile.rendering
        peers[rendering] = (*peers.get(rendering, ()), peer)
    wanted = peers or {DEFAULT_RENDERING: ()}
    return tuple(Mailing(rendering, receivers, findings) for rendering, receivers in wanted.items())


def wants(peer: Peer, findings: Findings) -> bool:
    """Whether a peer gets this result: one without any number only where one of its refusals is wanted there."""
    if findings.scores or findings.measurements or "*" in peer.profile.refusals:
        return True
    return any(one.code in peer.profile.refusals for one in findings.refusals)


def shadowed(config: Config) -> frozenset[str]:
    """The peers for which everything is computed and kept, and nothing is sent."""
    return frozenset(peer.name for peer in config.peers_receiving if config.in_shadow(peer))
