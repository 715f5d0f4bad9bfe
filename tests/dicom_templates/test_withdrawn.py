from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from pydicom.dataset import Dataset

from dicom_templates.encode import encode, reread
from dicom_templates.errors import TemplateError
from dicom_templates.identity import ResultIdentity
from dicom_templates.kinds import Kind
from dicom_templates.page import Page
from dicom_templates.summary.frame import HEIGHT, WIDTH
from dicom_templates.withdrawal import Withdrawal
from dicom_templates.withdrawn import build_withdrawn_page, draw_withdrawn
from tests.dicom_templates.page_layout import faults, says, text_of
from tests.summary_stories import REASON

ObjectsOf = Callable[[str], dict[Kind, Dataset]]


def headers(objects: Sequence[Dataset]) -> tuple[Dataset, ...]:
    """The objects as the ledger has them: read without pixels."""
    kept = []
    for one in objects:
        header = reread(one)
        for keyword in ("PixelData", "ContentSequence"):
            if keyword in header:
                del header[keyword]
        kept.append(header)
    return tuple(kept)


@pytest.fixture
def withdrawal(objects_of: ObjectsOf, identity: ResultIdentity) -> Withdrawal:
    later = replace(identity, created=identity.created + timedelta(days=2))
    return Withdrawal(headers(tuple(objects_of("good response").values())), REASON, later)


def drawn(withdrawal: Withdrawal) -> Page:
    page = Page(WIDTH, HEIGHT)
    draw_withdrawn(page, withdrawal)
    return page


def test_the_word_is_as_wide_as_the_page(withdrawal: Withdrawal) -> None:
    word = next(text for text in drawn(withdrawal).texts if text.words == "WITHDRAWN")
    assert word.box.width > 0.8 * WIDTH


def test_it_says_what_when_and_why(withdrawal: Withdrawal) -> None:
    page = drawn(withdrawal)
    assert faults(page) == []
    when = withdrawal.identity.local_time
    assert says(page, f"Result version 1, made on 2024-06-12, was withdrawn on {when:%Y-%m-%d at %H:%M}.")
    assert says(page, REASON)
    assert "Muster, Erika" in text_of(page) and "ID RM-0042 (HOSPITAL-A)" in text_of(page)
    assert "Study of 2024-03-04 MR Becken" in text_of(page) and "Study of 2024-06-10 MR Becken" in text_of(page)
    assert "RESEARCH USE ONLY" in text_of(page) and "PHANTOM-TRAINED" in text_of(page)


def test_every_object_to_disregard_is_listed(withdrawal: Withdrawal) -> None:
    page = drawn(withdrawal)
    for one in withdrawal.objects:
        assert says(page, str(one.SeriesDescription))


def test_it_is_the_first_image_of_the_series_of_summary_pages(withdrawal: Withdrawal, objects_of: ObjectsOf) -> None:
    page = reread(build_withdrawn_page(withdrawal))
    taken_back = objects_of("good response")[Kind.SUMMARY]
    for keyword in ("SeriesInstanceUID", "SeriesNumber", "StudyInstanceUID", "PatientID", "PatientName", "SOPClassUID"):
        assert page[keyword].value == taken_back[keyword].value
    assert page.SOPInstanceUID != taken_back.SOPInstanceUID
    assert int(page.InstanceNumber) < int(taken_back.InstanceNumber)
    assert page.SeriesDescription == "AI result WITHDRAWN, do not use PHANTOM-TRAINED RESEARCH ONLY"
    assert page.BurnedInAnnotation == "YES" and page.pixel_array.shape == (HEIGHT, WIDTH, 3)


def test_two_versions_have_two_pages_and_a_repeat_has_one(withdrawal: Withdrawal) -> None:
    assert encode(build_withdrawn_page(withdrawal)) == encode(build_withdrawn_page(withdrawal))
    second = replace(withdrawal, identity=replace(withdrawal.identity, version=2))
    assert build_withdrawn_page(second).SOPInstanceUID != build_withdrawn_page(withdrawal).SOPInstanceUID


def test_without_a_page_it_is_filed_like_the_report(withdrawal: Withdrawal) -> None:
    few = tuple(one for one in withdrawal.objects if one.Modality in ("SEG", "SR"))
    page = build_withdrawn_page(replace(withdrawal, objects=few))
    assert page.StudyInstanceUID == "1.2.826.0.1.999.2"
    baseline = tuple(one for one in few if one.StudyInstanceUID == "1.2.826.0.1.999.1")
    assert build_withdrawn_page(replace(withdrawal, objects=baseline)).StudyInstanceUID == "1.2.826.0.1.999.1"


def test_long_reasons_and_many_objects_stay_on_the_page(withdrawal: Withdrawal) -> None:
    many = []
    for number in range(40):
        one = reread(withdrawal.objects[0])
        one.SeriesDescription = f"AI series {number} of a result with many objects RESEARCH ONLY"
        many.append(one)
    page = drawn(replace(withdrawal, objects=(*withdrawal.objects, *many), reason="wrong patient, " * 60))
    assert faults(page) == []
    assert "more series" in text_of(page)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"objects": ()}, "headers of the objects"),
        ({"reason": "  "}, "reason in words"),
    ],
)
def test_a_withdrawal_of_nothing_or_for_no_reason_is_refused(
    withdrawal: Withdrawal, change: dict[str, object], message: str
) -> None:
    with pytest.raises(TemplateError, match=message):
        replace(withdrawal, **change)  # type: ignore[arg-type]  # deliberately wrong


def test_two_patients_are_never_withdrawn_together(withdrawal: Withdrawal) -> None:
    other = reread(withdrawal.objects[0])
    other.PatientID = "RM-0043"
    with pytest.raises(TemplateError, match="one patient, not IDs"):
        replace(withdrawal, objects=(*withdrawal.objects, other))
