"""``[[peer]]`` and ``[peer.profile]`` of config.toml: another application entity, and how objects are written."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address, ip_network
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, PrivateAttr

from dicom_templates.kinds import Item
from dicom_templates.profile import (
    DEFAULT_ITEMS,
    DEFAULT_PREFIX,
    FIRST_SERIES_NUMBER,
    Rendering,
    ReportClass,
    ReportTitle,
)
from node.config_errors import Section
from node.config_values import AETitle, Host, Port, Switch, check_text
from node.tls_section import Tls
from pipelines.contract import Code


def _check_prefix(value: str) -> str:
    # It begins a series description (LO: 64 characters, no backslash), which must hold the rest as well.
    text = value.strip()
    if not 1 <= len(text) <= 8 or not text.isprintable() or "\\" in text:
        raise ValueError("not a prefix")
    return text


def _check_refusal(value: str) -> str:
    if value != "*" and value not in set(Code):
        raise ValueError("not a published code")
    return value


def plain_title(title: str) -> str:
    """An AE title without its padding: spaces (PS3.5 6.2, VR AE), or NUL as some senders have it."""
    return title.strip(" \0")


def titled(peers: Iterable[Peer], ae_title: str) -> tuple[Peer, ...]:
    """Every peer with this AE title (several may share one); its padding does not count."""
    return tuple(peer for peer in peers if peer.ae_title == plain_title(ae_title))


def _check_network(value: str) -> str:
    return str(ip_network(value, strict=False)) if "/" in value else str(ip_address(value))


class Profile(Section):
    """``[peer.profile]``: which objects a peer gets, and how they are written for it."""

    objects: Annotated[
        tuple[Annotated[Item, Field(strict=False)], ...],
        Field(strict=False, min_length=1, description=f"a list of one or more of {', '.join(Item)}"),
    ] = tuple(sorted(DEFAULT_ITEMS))
    baseline_study: Switch = True
    report_title: Annotated[
        ReportTitle, Field(strict=False, description='"126001" (Oncology) or "126000" (Imaging Measurement Report)')
    ] = ReportTitle.ONCOLOGY
    report_class: Annotated[ReportClass, Field(strict=False, description='"comprehensive_3d" or "comprehensive"')] = (
        ReportClass.COMPREHENSIVE_3D
    )
    refusals: Annotated[
        tuple[Annotated[str, AfterValidator(_check_refusal)], ...],
        Field(strict=False, description='["*"] for all, [] for none, or a list of published codes: "NO_T2_AXIAL"'),
    ] = ("*",)
    transfer_syntax: Annotated[Literal["explicit", "implicit"], Field(description='"explicit" or "implicit"')] = (
        "explicit"
    )
    series_number: Annotated[int, Field(ge=1, le=99990, description="a whole number from 1 to 99990")] = (
        FIRST_SERIES_NUMBER
    )
    description_prefix: Annotated[
        str, AfterValidator(_check_prefix), Field(description="1 to 8 characters without a backslash")
    ] = DEFAULT_PREFIX
    shadow: Switch = False

    @property
    def items(self) -> frozenset[Item]:
        return frozenset(self.objects)

    @property
    def rendering(self) -> Rendering:
        """How objects are written for this peer; peers with equal ones share their objects."""
        return Rendering(
            title=self.report_title,
            report_class=self.report_class,
            in_baseline_study=self.baseline_study,
            with_segmentations=Item.SEG in self.items,
            first_series_number=self.series_number,
            prefix=self.description_prefix,
        )


class Peer(Section):
    """``[[peer]]``: another application entity. Its four roles say what it may do here and what is done to it."""

    name: Annotated[
        str, AfterValidator(check_text), Field(max_length=64, description="a unique name, 1 to 64 characters")
    ]
    ae_title: AETitle
    host: Host
    port: Port
    sends: Switch = False
    receives: Switch = False
    queries: Switch = False
    retrieve: Annotated[Literal["move", "get"], Field(description='"move" or "get"')] = "move"
    storage_commitment: Switch = False
    calls_from: tuple[Annotated[str, AfterValidator(_check_network)], ...] = Field(
        (), strict=False, description='a list of IP addresses or networks in quotes: "10.1.2.3", "10.1.2.0/24"'
    )
    tls: Switch = False
    tls_name: Annotated[
        str,
        AfterValidator(str.strip),
        Field(max_length=255, description='"" for host, or the DNS name or IP address in its certificate, in quotes'),
    ] = ""
    profile: Profile = Profile()
    _ours: Tls = PrivateAttr(Tls())

    @property
    def certified_name(self) -> str:
        """What its certificate has to name."""
        return self.tls_name or self.host

    @property
    def ours(self) -> Tls:
        """What is presented to it, and whom it must come from. With the peer it reaches whoever calls it."""
        return self._ours

    def call_with(self, tls: Tls) -> None:
        """For the configuration that holds this peer."""
        self._ours = tls
