"""Which objects are made, how they are written, and who gets them."""

from __future__ import annotations

from pathlib import Path

import pytest

from dicom_templates.kinds import Item, Kind
from dicom_templates.profile import DEFAULT_RENDERING, ReportClass
from node.config import Config, Results
from node.mailing import mailings, shadowed
from node.peer import Profile
from pipelines.contract import Case, Code, Findings, MaskOrigin, Measurement, Quantity, Statement, TimePoint
from tests.node.conftest import configured, peer

MEASURED = Findings(
    Case(None, None), (Measurement(Quantity.VOLUME, TimePoint.BASELINE, 12.0, "cm3", MaskOrigin.READER),)
)
REFUSED = Findings(Case(None, None), refusals=(Statement(Code.NO_T2_AXIAL, "baseline", "no axial T2"),))


def receiver(name: str, **profile: object) -> object:
    return peer(name, receives=True, profile=Profile(**profile))


def config(folder: Path, *peers: object, **sections: object) -> Config:
    return configured(folder, *peers, **sections)


def test_peers_with_equal_renderings_share_their_objects(tmp_path: Path) -> None:
    both = config(tmp_path, receiver("pacs"), receiver("workstation", objects=("summary", "pdf", "seg")))
    (mailing,) = mailings(both, MEASURED)
    assert mailing.rendering == DEFAULT_RENDERING
    assert mailing.items == {Item.SEG, Item.REPORT, Item.SUMMARY, Item.PDF}
    assert mailing.receivers(Kind.REPORT) == ("pacs",)
    assert mailing.receivers(Kind.PDF) == ("workstation",)
    assert mailing.receivers(Kind.SEG_BASELINE) == ("pacs", "workstation")


def test_another_way_of_writing_is_a_mailing_of_its_own(tmp_path: Path) -> None:
    old = receiver("old PACS", report_class=ReportClass.COMPREHENSIVE, objects=("report",))
    first, second = mailings(config(tmp_path, receiver("pacs"), old), MEASURED)
    assert first.rendering == DEFAULT_RENDERING and first.receivers(Kind.REPORT) == ("pacs",)
    assert second.rendering.report_class is ReportClass.COMPREHENSIVE
    assert not second.rendering.with_segmentations, "a report must not cite what its reader does not get"
    assert second.items == {Item.REPORT} and second.receivers(Kind.REPORT) == ("old PACS",)


def test_without_receivers_the_usual_objects_are_made_for_the_node(tmp_path: Path) -> None:
    (mailing,) = mailings(config(tmp_path, peer("scanner", sends=True)), MEASURED)
    assert mailing.items == {Item.SEG, Item.REPORT, Item.SUMMARY}
    assert mailing.receivers(Kind.REPORT) == ()


@pytest.mark.parametrize(
    ("refusals", "gets"), [(("*",), True), ((), False), (("NO_T2_AXIAL",), True), (("NO_DIFFUSION",), False)]
)
def test_a_result_without_any_number_goes_where_its_refusal_is_wanted(
    tmp_path: Path, refusals: tuple[str, ...], gets: bool
) -> None:
    (mailing,) = mailings(config(tmp_path, receiver("pacs", refusals=refusals)), REFUSED)
    assert bool(mailing.receivers(Kind.REPORT)) is gets


def test_a_result_with_a_number_goes_out_whatever_was_refused_beside_it(tmp_path: Path) -> None:
    (mailing,) = mailings(config(tmp_path, receiver("pacs", refusals=())), MEASURED)
    assert mailing.receivers(Kind.REPORT) == ("pacs",)


def test_shadow_mode_is_one_peers_or_everybodys(tmp_path: Path) -> None:
    peers = (receiver("pacs", shadow=True), receiver("archive"))
    assert shadowed(config(tmp_path, *peers)) == {"pacs"}
    assert shadowed(config(tmp_path, *peers, results=Results(shadow=True))) == {"pacs", "archive"}


def test_a_peer_that_has_an_earlier_version_gets_the_refusal_that_replaces_it(tmp_path: Path) -> None:
    (mailing,) = mailings(config(tmp_path, receiver("pacs", refusals=())), REFUSED)
    assert mailing.receivers(Kind.REPORT) == ()
    assert mailing.receivers(Kind.REPORT, have_earlier={"pacs"}) == ("pacs",)
