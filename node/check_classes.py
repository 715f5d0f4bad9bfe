"""The SOP classes that a peer's roles and profile call for, and what to do where it does not take one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from dicom_templates.kinds import Item
from dicom_templates.profile import ReportClass
from node.ask import STUDY_ROOT_GET, STUDY_ROOT_MOVE
from node.association import STORAGE_COMMITMENT
from node.finding import Level
from node.peer import Peer

SEG: Final = "1.2.840.10008.5.1.4.1.1.66.4"
COMPREHENSIVE_3D_SR: Final = "1.2.840.10008.5.1.4.1.1.88.34"
COMPREHENSIVE_SR: Final = "1.2.840.10008.5.1.4.1.1.88.33"
SECONDARY_CAPTURE: Final = "1.2.840.10008.5.1.4.1.1.7"
ENCAPSULATED_PDF: Final = "1.2.840.10008.5.1.4.1.1.104.1"
PARAMETRIC_MAP: Final = "1.2.840.10008.5.1.4.1.1.30"
PRESENTATION_STATE: Final = "1.2.840.10008.5.1.4.1.1.11.1"
KEY_OBJECTS: Final = "1.2.840.10008.5.1.4.1.1.88.59"

NAMES: Mapping[str, str] = {
    SEG: "Segmentation (SEG)",
    COMPREHENSIVE_3D_SR: "Comprehensive 3D SR",
    COMPREHENSIVE_SR: "Comprehensive SR",
    SECONDARY_CAPTURE: "Secondary Capture (summary page)",
    ENCAPSULATED_PDF: "Encapsulated PDF",
    PARAMETRIC_MAP: "Parametric Map",
    PRESENTATION_STATE: "Grayscale Softcopy Presentation State",
    KEY_OBJECTS: "Key Object Selection (withdrawals)",
    STUDY_ROOT_MOVE: "Study Root MOVE",
    STUDY_ROOT_GET: "Study Root GET",
    STORAGE_COMMITMENT: "Storage Commitment",
}
REPORTS: Mapping[ReportClass, str] = {
    ReportClass.COMPREHENSIVE_3D: COMPREHENSIVE_3D_SR,
    ReportClass.COMPREHENSIVE: COMPREHENSIVE_SR,
}
_OBJECTS: Mapping[Item, str] = {
    Item.SEG: SEG,
    Item.SUMMARY: SECONDARY_CAPTURE,
    Item.PDF: ENCAPSULATED_PDF,
    Item.MAPS: PARAMETRIC_MAP,
    Item.CONTOURS: SECONDARY_CAPTURE,
    Item.PRESENTATION: PRESENTATION_STATE,
}


@dataclass(frozen=True)
class Wanted:
    """One SOP class that a peer should take. ``level`` and ``advice``: how bad it is, and what to do, where not."""

    uid: str
    level: Level
    advice: str


def wanted_results(peer: Peer) -> tuple[Wanted, ...]:
    """What the profile's objects are stored as, and what announces that they are withdrawn."""
    found: dict[str, Wanted] = {}
    for item in Item:
        if item in peer.profile.items:
            one = _wanted_object(peer, item)
            found.setdefault(one.uid, one)
    lost = "until then what is withdrawn is not announced there by a rejection note: a reader sees the page alone"
    return (*found.values(), Wanted(KEY_OBJECTS, Level.WARN, f"enable that SOP class; {lost}"))


def wanted_services(peer: Peer) -> Iterator[Wanted]:
    """What the peer's other roles call for; C-FIND and C-GET are tried, not only proposed."""
    if peer.queries:
        verb = STUDY_ROOT_MOVE if peer.retrieve == "move" else STUDY_ROOT_GET
        yield Wanted(verb, Level.WARN, "without it, priors cannot be fetched from there: see retrieve of this [[peer]]")
    if peer.storage_commitment:
        yield Wanted(STORAGE_COMMITMENT, Level.FAIL, "enable that SOP class, or set storage_commitment = false")


def _wanted_object(peer: Peer, item: Item) -> Wanted:
    profile = peer.profile
    advice = f'enable that SOP class, or leave "{item}" out of objects in its [peer.profile]'
    if profile.transfer_syntax == "implicit":
        advice += '; it is offered in Implicit VR Little Endian alone, as transfer_syntax = "implicit" says'
    uid = REPORTS[profile.report_class] if item is Item.REPORT else _OBJECTS[item]
    return Wanted(uid, Level.FAIL, advice)
