"""What the header of a received object says, and which objects are refused."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import date
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread
from pydicom.encaps import encapsulate
from pydicom.uid import DeflatedExplicitVRLittleEndian, RLELossless

from node.errors import ObjectError
from node.objects import Announced, parse_date, read_facts
from tests.dicom_files import BASELINE, encoded, in_syntax, mask, report, t2_axial

NOT_DICOM, IDENTIFIER_MISSING, TRUNCATED, MISMATCH = 0xC000, 0xC001, 0xC002, 0xA900


MR = "1.2.840.10008.5.1.4.1.1.4"


def refusal(content: bytes, announced: Announced | None = None) -> ObjectError:
    with pytest.raises(ObjectError) as caught:
        read_facts(content, announced)
    return caught.value


def image() -> Dataset:
    return t2_axial(BASELINE, slices=1)[0]


def test_facts_are_those_of_the_header() -> None:
    dataset = image()
    facts = read_facts(encoded(dataset), Announced(MR, str(dataset.SOPInstanceUID)))
    assert facts.sop_uid == dataset.SOPInstanceUID
    assert facts.sop_class_uid == MR
    assert (facts.series_uid, facts.study_uid) == (BASELINE.series_uid(1), BASELINE.uid)
    assert (facts.patient.patient_id, facts.patient.issuer, facts.patient.name) == ("P1", "HOSPITAL", "DOE^JANE")
    assert (facts.patient.birth_date, facts.patient.sex) == ("19600102", "F")
    assert facts.study_date == date(2024, 1, 10)
    assert (facts.study_description, facts.modality, facts.manufacturer) == ("MR Becken", "MR", "ACME")
    assert facts.transfer_syntax_uid == "1.2.840.10008.1.2.1"


def test_an_object_without_patient_and_date_is_kept() -> None:
    dataset = image()
    for keyword in ("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "StudyDate", "StudyDescription"):
        delattr(dataset, keyword)
    facts = read_facts(encoded(dataset))
    assert facts.patient.patient_id == facts.patient.name == facts.patient.birth_date == facts.patient.sex == ""
    assert facts.study_date is None


@pytest.mark.parametrize("content", [b"", b"DICM", b"\x00" * 4000, b"\x00" * 128 + b"DICM", b"%PDF-1.7 " * 200])
def test_what_is_not_dicom_is_refused_as_such(content: bytes) -> None:
    assert refusal(content).status in (NOT_DICOM, IDENTIFIER_MISSING)


@pytest.mark.parametrize("keyword", ["SOPInstanceUID", "SOPClassUID", "SeriesInstanceUID", "StudyInstanceUID"])
@pytest.mark.parametrize("value", ["", "1.2.x.4", "1..2", "1.2.", "../../etc/passwd", "1." + "2" * 64, None])
def test_an_identifier_that_is_missing_or_no_uid_is_refused_by_name(keyword: str, value: str | None) -> None:
    content = encoded(image())
    dataset = dcmread_bytes(content)
    if value is None:
        delattr(dataset, keyword)
    else:
        dataset[keyword].value = value
    error = refusal(without_meta_check(dataset))
    assert error.status == IDENTIFIER_MISSING
    assert keyword in str(error)


@pytest.mark.parametrize(
    "announced", [Announced(MR, "1.2.3"), Announced("1.2.3", str(t2_axial(BASELINE)[0].SOPInstanceUID))]
)
def test_another_instance_or_class_than_the_announced_one_is_a_mismatch(announced: Announced) -> None:
    error = refusal(encoded(image()), announced)
    assert error.status == MISMATCH
    assert "not the announced 1.2.3" in str(error)


def test_native_pixel_data_too_short_for_their_attributes_are_truncated() -> None:
    dataset = image()
    dataset.PixelData = dataset.PixelData[:-2]
    error = refusal(encoded(dataset))
    assert error.status == TRUNCATED
    assert "2046 of 2048" in str(error)


def test_packed_single_bit_pixel_data_are_measured_in_bits() -> None:
    dataset = mask(BASELINE)
    assert len(dataset.PixelData) == 128
    read_facts(encoded(dataset))
    dataset.NumberOfFrames = 2
    assert refusal(encoded(dataset)).status == TRUNCATED


@pytest.mark.parametrize("of", ["image", "mask"])
def test_an_image_cut_off_anywhere_is_refused(of: str) -> None:
    content = encoded(image() if of == "image" else mask(BASELINE))
    accepted = [length for length in range(0, len(content), 3) if not is_refused(content[:length])]
    assert accepted == []


def test_a_report_cut_off_is_refused_wherever_the_cut_can_be_seen(shared_data: Path) -> None:
    content = (shared_data / PYDICOM / "test-SR.dcm").read_bytes()
    lengths = range(0, len(content), 31)
    assert [length for length in lengths if not is_refused(content[:length])] == []


def test_encapsulated_pixel_data_cut_off_are_refused() -> None:
    dataset = image()
    dataset.file_meta.TransferSyntaxUID = RLELossless
    dataset.PixelData = encapsulate([b"\x01" * 600])
    dataset["PixelData"].is_undefined_length = True
    content = encoded(dataset)
    read_facts(content)
    start = content.index(b"\x01" * 600)
    for length in range(start, len(content) - 8, 7):
        assert is_refused(content[:length])


def test_empty_encapsulated_pixel_data_are_refused() -> None:
    dataset = image()
    dataset.file_meta.TransferSyntaxUID = RLELossless
    dataset.PixelData = b"\xfe\xff\x00\xe0\x00\x00\x00\x00"  # an empty offset table, and no fragment
    dataset["PixelData"].is_undefined_length = True
    assert refusal(encoded(dataset)).status == TRUNCATED


def test_a_deflated_object_cut_off_anywhere_is_refused() -> None:
    content = encoded(in_syntax(image(), DeflatedExplicitVRLittleEndian))
    assert read_facts(content).transfer_syntax_uid == DeflatedExplicitVRLittleEndian
    start = content.index(DeflatedExplicitVRLittleEndian.encode())
    # The last bytes may be padding, PS3.5 A.5.
    assert [length for length in range(start, len(content) - 2, 11) if not is_refused(content[:length])] == []


def test_broken_bytes_are_refused_or_read_but_nothing_else_is_raised() -> None:
    rng = random.Random(5)
    contents = [encoded(image())[:2000], encoded(report(BASELINE)), encoded(mask(BASELINE))]
    for content in contents * 200:
        broken = bytearray(content)
        for _ in range(rng.randint(1, 4)):
            broken[rng.randrange(132, len(broken))] = rng.randrange(256)
        is_refused(bytes(broken))


def test_a_report_needs_no_pixels() -> None:
    assert read_facts(encoded(report(BASELINE))).modality == "SR"


@pytest.mark.parametrize(("text", "day"), [("20240229", date(2024, 2, 29)), ("20230229", None), ("", None)])
def test_a_date_that_is_none_is_none(text: str, day: date | None) -> None:
    assert parse_date(text) == day


def is_refused(content: bytes) -> bool:
    try:
        read_facts(content)
    except ObjectError:
        return True
    return False


def dcmread_bytes(content: bytes) -> Dataset:
    return dcmread(BytesIO(content))


def without_meta_check(dataset: Dataset) -> bytes:
    """Part 10 bytes of an object that pydicom would not write as one."""
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=False)
    return buffer.getvalue()


# --- real objects ------------------------------------------------------------------------------------------------

PYDICOM = "pydicom_test_files/files/src/pydicom/data/test_files"
# Every real file that is refused, and why that is right.
REFUSED = {
    # no Part 10 file: a C-STORE has a transfer syntax, these have none
    "ExplVR_BigEndNoMeta.dcm": NOT_DICOM,
    "ExplVR_LitEndNoMeta.dcm": NOT_DICOM,
    "no_meta.dcm": NOT_DICOM,
    "rtstruct.dcm": NOT_DICOM,
    # Number of Frames is "1A"
    "badVR.dcm": NOT_DICOM,
    # snippets without the UIDs by which an object is found again
    "HTJ2KLossless_08_RGB.dcm": IDENTIFIER_MISSING,
    "HTJ2K_08_RGB.dcm": IDENTIFIER_MISSING,
    "JPEGLSNearLossless_16.dcm": IDENTIFIER_MISSING,
    "UN_sequence.dcm": IDENTIFIER_MISSING,
    "bad_sequence.dcm": IDENTIFIER_MISSING,
    "empty_charset_LEI.dcm": IDENTIFIER_MISSING,
    "meta_missing_tsyntax.dcm": IDENTIFIER_MISSING,
    "nested_priv_SQ.dcm": IDENTIFIER_MISSING,
    "no_meta_group_length.dcm": IDENTIFIER_MISSING,
    "priv_SQ.dcm": IDENTIFIER_MISSING,
    # cut off
    "MR_truncated.dcm": TRUNCATED,
    "chrJapMulti.dcm": TRUNCATED,
    "rtplan_truncated.dcm": TRUNCATED,
    # classes that the listener does not accept, and that have no pixels
    "rtplan.dcm": TRUNCATED,
    "rwvm.dcm": TRUNCATED,
}
WORDS = {".md", ".upstream", ".txt", ".gz"}


def real_files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file() and path.suffix not in WORDS)


def test_every_real_object_is_read_and_only_broken_ones_are_refused(shared_data: Path) -> None:
    refused = {}
    for path in real_files(shared_data):
        try:
            facts = read_facts(path.read_bytes())
        except ObjectError as error:
            refused[path.name] = error.status
        else:
            assert facts.sop_uid
    assert refused == REFUSED


@pytest.mark.parametrize("folder", ["siemens_trio_transfer_syntaxes", "prostatex_0000_0001"])
def test_a_real_object_is_read_in_every_transfer_syntax(shared_data: Path, folder: str) -> None:
    facts = [read_facts(path.read_bytes()) for path in real_files(shared_data / folder)]
    assert len(facts) > 6
    assert {one.modality for one in facts} == {"MR"}
    if folder.startswith("siemens"):
        assert len({one.transfer_syntax_uid for one in facts}) >= 7
