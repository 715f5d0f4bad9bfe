from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest
from pydicom.dataset import Dataset

from dicom_templates.identity import ResultIdentity, made_by_restage, mask_words
from dicom_templates.kinds import Kind
from dicom_templates.profile import Rendering, ReportTitle
from pipelines.contract import MaskOrigin, Patient, TimePoint

PATIENT = Patient("42", "A", "Doe^Jane", "19600101", "F")


def test_the_same_work_gives_the_same_uids(identity: ResultIdentity) -> None:
    again = replace(identity, software_version="9.9", station="OTHER")
    for kind in Kind:
        assert again.sop_uid(kind) == identity.sop_uid(kind)
        assert again.series_uid(kind) == identity.series_uid(kind)


def test_a_new_version_is_a_new_instance_in_the_same_series(identity: ResultIdentity) -> None:
    second = replace(identity, version=2)
    for kind in Kind:
        assert second.series_uid(kind) == identity.series_uid(kind)
        assert second.sop_uid(kind) != identity.sop_uid(kind)


def test_kinds_pairs_and_devices_never_share_a_uid(identity: ResultIdentity) -> None:
    others = [identity, replace(identity, pair_key="other"), replace(identity, device_uid="2.25.99")]
    uids = [other.sop_uid(kind) for other in others for kind in Kind]
    uids += [other.series_uid(kind) for other in others for kind in Kind]
    assert len(set(uids)) == len(uids) == 6 * len(Kind)


def test_uids_are_valid_and_short_enough(identity: ResultIdentity) -> None:
    for uid in (identity.sop_uid(Kind.REPORT), identity.tracking_uid(PATIENT)):
        assert uid.is_valid and len(uid) <= 64 and uid.startswith("2.25.")


def test_a_tumour_keeps_its_tracking_uid_over_pairs_and_versions(identity: ResultIdentity) -> None:
    other_pair = replace(identity, pair_key="later restaging", version=3)
    assert other_pair.tracking_uid(PATIENT) == identity.tracking_uid(PATIENT)
    assert identity.tracking_uid(PATIENT, tumour=2) != identity.tracking_uid(PATIENT)
    assert identity.tracking_uid(replace(PATIENT, issuer="B")) != identity.tracking_uid(PATIENT)


def test_ids_that_run_together_are_kept_apart(identity: ResultIdentity) -> None:
    one, other = replace(PATIENT, issuer="A1", patient_id="2"), replace(PATIENT, issuer="A", patient_id="12")
    assert identity.tracking_uid(one) != identity.tracking_uid(other)


@pytest.mark.parametrize(
    "changes",
    [
        {"version": 0},
        {"pair_key": ""},
        {"created": datetime(2024, 1, 1)},
        {"device_uid": "not a uid"},
    ],
)
def test_an_identity_that_cannot_be_one_is_refused(identity: ResultIdentity, changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"."):
        replace(identity, **changes)


@pytest.mark.parametrize("phantom", [True, False])
def test_descriptions_begin_with_the_prefix_and_end_with_research_only(identity: ResultIdentity, phantom: bool) -> None:
    words = [mask_words(time, origin) for time in TimePoint for origin in MaskOrigin if not phantom]
    words += [mask_words(time, MaskOrigin.MODEL) for time in TimePoint]
    for text in (
        identity.description(what, phantom) for what in (*words, "rectal MR report", "rectal MR summary page")
    ):
        assert text.startswith("AI ") and text.endswith("RESEARCH ONLY") and len(text) <= 64
        assert ("PHANTOM-TRAINED" in text) == phantom


def test_another_rendering_has_other_uids_numbers_and_descriptions(identity: ResultIdentity) -> None:
    other = replace(identity, rendering=Rendering(first_series_number=700, prefix="KI", title=ReportTitle.IMAGING))
    for kind in Kind:
        assert other.sop_uid(kind) != identity.sop_uid(kind)
        assert other.series_uid(kind) != identity.series_uid(kind)
    assert other.tracking_uid(PATIENT) == identity.tracking_uid(PATIENT)
    assert other.series_number(Kind.REPORT) == 701
    assert other.description("rectal MR report", phantom=False).startswith("KI rectal")


def test_our_objects_are_recognised_by_their_manufacturer() -> None:
    ours, theirs = Dataset(), Dataset()
    ours.Manufacturer, theirs.Manufacturer = "Restage ", "Reader Workstation"
    assert made_by_restage(ours)
    assert not made_by_restage(theirs) and not made_by_restage(Dataset())
