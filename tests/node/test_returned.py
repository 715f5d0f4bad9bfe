"""What an archive gives back, beside what it was sent."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from io import BytesIO

import pytest
from pydicom import Dataset, dcmread
from pydicom.sequence import Sequence
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from node.returned import differences
from tests.dicom_files import BASELINE, ROOT, mask, report


def seg() -> Dataset:
    """A SEG with frames and references."""
    dataset = mask(BASELINE)
    source = Dataset()
    source.ReferencedSOPInstanceUID = f"{ROOT}.1.1.1"
    frame, derivation, plane = Dataset(), Dataset(), Dataset()
    derivation.SourceImageSequence = Sequence([source])
    frame.DerivationImageSequence = Sequence([derivation])
    plane.ImagePositionPatient = [0.0, 1.5, -3.0]
    frame.PlanePositionSequence = Sequence([plane])
    dataset.PerFrameFunctionalGroupsSequence = Sequence([frame])
    return dataset


def document() -> Dataset:
    """An SR with one measurement."""
    dataset = report(BASELINE)
    value, item = Dataset(), Dataset()
    value.NumericValue = "12.30"
    item.ValueType = "NUM"
    item.MeasuredValueSequence = Sequence([value])
    dataset.ContentSequence = Sequence([item])
    return dataset


def frame(dataset: Dataset) -> Dataset:
    return dataset.PerFrameFunctionalGroupsSequence[0]


def with_change(dataset: Dataset, change: Callable[[Dataset], object]) -> Dataset:
    changed = deepcopy(dataset)
    change(changed)
    return changed


def reread(dataset: Dataset, syntax: UID) -> Dataset:
    """What a reader finds in the dataset's bytes in a transfer syntax."""
    buffer = BytesIO()
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.save_as(buffer, enforce_file_format=True)
    return dcmread(BytesIO(buffer.getvalue()))


@pytest.mark.parametrize("make", [seg, document])
@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_what_comes_back_as_it_was_sent_has_no_difference_in_any_encoding(
    make: Callable[[], Dataset], syntax: UID
) -> None:
    assert differences(make(), reread(make(), syntax)) == ()


ALLOWED: dict[str, Callable[[Dataset], object]] = {
    "character set": lambda d: setattr(d, "SpecificCharacterSet", "ISO_IR 100"),
    "original attributes": lambda d: setattr(d, "OriginalAttributesSequence", Sequence([Dataset()])),
    "institution": lambda d: setattr(d, "InstitutionName", "Hospital"),
    "an empty attribute": lambda d: setattr(d, "FrameOfReferenceUID", ""),
    "a private group": lambda d: d.private_block(0x0009, "ARCHIVE", create=True).add_new(1, "LO", "stored"),
    "a patient's name in capitals": lambda d: setattr(d, "PatientName", "Doe^Jane^^^"),
    "a study description": lambda d: setattr(d, "StudyDescription", "MRI pelvis"),
    "an accession number": lambda d: setattr(d, "AccessionNumber", "A1"),
    "an issuer": lambda d: setattr(d, "IssuerOfPatientID", ""),
    "a referring physician": lambda d: setattr(d, "ReferringPhysicianName", "WHO^DR"),
    "a patient comment": lambda d: setattr(d, "PatientComments", "allergic"),
    "padding": lambda d: d.add_new(0xFFFCFFFC, "OB", b"\0\0"),
}


@pytest.mark.parametrize("what", sorted(ALLOWED))
@pytest.mark.parametrize("make", [seg, document])
def test_what_an_archive_may_rewrite_or_add_is_no_difference(make: Callable[[], Dataset], what: str) -> None:
    assert differences(make(), with_change(make(), ALLOWED[what])) == ()


CHANGED: dict[str, tuple[Callable[[], Dataset], Callable[[Dataset], object], str]] = {
    "pixels": (seg, lambda d: setattr(d, "PixelData", b"\2" * len(d.PixelData)), "PixelData is '128 bytes' as sent"),
    "a number": (
        document,
        lambda d: setattr(d.ContentSequence[0].MeasuredValueSequence[0], "NumericValue", "99"),
        "ContentSequence[1].MeasuredValueSequence[1].NumericValue is '12.30' as sent and '99' in the archive",
    ),
    "the content": (
        document,
        lambda d: d.ContentSequence.append(Dataset()),
        "ContentSequence has 1 items as sent and 2 in the archive",
    ),
    "no content": (document, lambda d: d.__delattr__("ContentSequence"), "ContentSequence has 1 items as sent and 0"),
    "a reference": (
        seg,
        lambda d: setattr(
            frame(d).DerivationImageSequence[0].SourceImageSequence[0], "ReferencedSOPInstanceUID", "1.2.3"
        ),
        "PerFrameFunctionalGroupsSequence[1].DerivationImageSequence[1].SourceImageSequence[1]."
        f"ReferencedSOPInstanceUID is '{ROOT}.1.1.1' as sent and '1.2.3' in the archive",
    ),
    "a frame's place": (
        seg,
        lambda d: setattr(frame(d).PlanePositionSequence[0], "ImagePositionPatient", [0.0, 1.5, -4.0]),
        "PerFrameFunctionalGroupsSequence[1].PlanePositionSequence[1].ImagePositionPatient is",
    ),
    "the patient": (seg, lambda d: setattr(d, "PatientID", "P2"), "PatientID is 'P1' as sent and 'P2' in the archive"),
    "no patient": (seg, lambda d: setattr(d, "PatientID", ""), "PatientID is 'P1' as sent and '' in the archive"),
    "the name": (seg, lambda d: setattr(d, "PatientName", "ROE^JANE"), "PatientName is 'DOE^JANE' as sent"),
    "the study": (seg, lambda d: setattr(d, "StudyInstanceUID", "1.2"), "StudyInstanceUID is"),
    "a frame of reference": (
        seg,
        lambda d: setattr(d, "FrameOfReferenceUID", "1.2"),
        "FrameOfReferenceUID was not sent and is 1.2 in the archive",
    ),
    "an overlay": (seg, lambda d: d.add_new(0x60003000, "OB", b"\1\1"), "Overlay Data was not sent and is 2 bytes"),
    "an item's attribute": (
        document,
        lambda d: setattr(d.ContentSequence[0], "TextValue", "no tumour"),
        "ContentSequence[1].TextValue was not sent and is no tumour in the archive",
    ),
}


@pytest.mark.parametrize("what", sorted(CHANGED))
def test_what_an_archive_must_not_touch_is_named_with_both_values(what: str) -> None:
    make, change, words = CHANGED[what]
    (found,) = differences(make(), with_change(make(), change))
    assert found.startswith(words)


def test_a_series_description_that_lost_its_warning_is_a_difference() -> None:
    sent = seg()
    sent.SeriesDescription = "AI tumour mask RESEARCH ONLY"
    (found,) = differences(sent, with_change(sent, lambda d: setattr(d, "SeriesDescription", "AI tumour mask")))
    assert found.startswith("SeriesDescription is")


def test_numbers_are_compared_as_numbers_and_text_without_its_padding() -> None:
    sent, returned = document(), document()
    returned.ContentSequence[0].MeasuredValueSequence[0].NumericValue = "1.23E+1 "
    returned.ContentSequence[0].ValueType = "NUM "
    assert differences(sent, returned) == ()


def test_not_a_number_is_itself() -> None:
    sent = seg()
    sent.FloatPixelPaddingValue = float("nan")
    assert differences(sent, deepcopy(sent)) == ()
