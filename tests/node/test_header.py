"""A header that is walked says what pydicom would say, and what pydicom would not read is not walked."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom import Dataset, Sequence
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian

from node import header, objects
from node.durable import Draft
from node.errors import ObjectError
from node.header import walked
from node.objects import drafted_facts, read_facts
from tests.dicom_files import BASELINE, dwi, encoded, in_syntax, mask, report, t2_axial
from tests.faults.hostile import mutated

MUTATIONS = 2400
IMAGE = encoded(t2_axial(BASELINE)[0])


def said(content: bytes) -> object:
    """The facts, or how they were refused."""
    try:
        return read_facts(content)
    except ObjectError as error:
        return error.status, str(error)


def said_by_pydicom(content: bytes, monkeypatch: pytest.MonkeyPatch) -> object:
    with monkeypatch.context() as patched:
        patched.setattr(header, "walked", lambda _: None)
        return said(content)


def said_of_a_draft(draft: Draft) -> object:
    """What is said of an object as it arrives: most are understood from their begin."""
    try:
        return drafted_facts(draft)
    except ObjectError as error:
        return error.status, str(error)


def changed(change: Callable[[Dataset], object]) -> bytes:
    dataset = t2_axial(BASELINE)[0]
    change(dataset)
    return encoded(dataset)


def nested(*, undefined: bool) -> Dataset:
    inner, outer = Dataset(), Dataset()
    inner.CodeValue = "1"
    outer.ConceptCodeSequence = Sequence([inner, inner])
    outer["ConceptCodeSequence"].is_undefined_length = undefined
    for item in (inner, outer):
        item.is_undefined_length_sequence_item = undefined
    return outer


def with_sequence(*, undefined: bool) -> bytes:
    dataset = t2_axial(BASELINE)[0]
    dataset.ReferencedStudySequence = Sequence([nested(undefined=undefined)])
    dataset["ReferencedStudySequence"].is_undefined_length = undefined
    return encoded(dataset)


WALKED = {
    "an image": IMAGE,
    "diffusion": encoded(dwi(BASELINE)[0]),
    "a mask": encoded(mask(BASELINE)),
    "sequences": with_sequence(undefined=False),
    "sequences of undefined length": with_sequence(undefined=True),
    "a name in Chinese": changed(lambda one: one.update({"SpecificCharacterSet": "GB18030", "PatientName": "王^小东"})),
    "a name in two scripts": changed(
        lambda one: one.update({"SpecificCharacterSet": ["", "ISO 2022 IR 87"], "PatientName": "A^B=山田^太郎"})
    ),
    "padded": changed(lambda one: one.update({"PatientID": " P 1 ", "Manufacturer": "A\\B"})),
    "empty": changed(lambda one: one.update({"PatientID": "", "StudyDate": None})),
    "a map of floats": changed(
        lambda one: one.update({"FloatPixelData": bytes(2 * len(one.pop("PixelData").value)), "BitsAllocated": 32})
    ),
    "pixels without a type": changed(lambda one: one.add_new("PixelData", "UN", one.PixelData)),
    "no rows": changed(lambda one: one.pop("Rows")),
    "too few pixels": changed(lambda one: one.update({"PixelData": one.PixelData[:-2]})),
    "no study": changed(lambda one: one.pop("StudyInstanceUID")),
}
LEFT_TO_PYDICOM = {
    "implicit VR": encoded(in_syntax(t2_axial(BASELINE)[0], ImplicitVRLittleEndian)),
    "big endian": encoded(in_syntax(t2_axial(BASELINE)[0], ExplicitVRBigEndian)),
    "deflated": encoded(in_syntax(t2_axial(BASELINE)[0], DeflatedExplicitVRLittleEndian)),
    "cut off": IMAGE[:-10],
    "cut off in its header": IMAGE[:335],
    "no preamble": IMAGE[132:],
    "nothing": b"",
}


@pytest.mark.parametrize("content", WALKED.values(), ids=WALKED)
def test_a_regular_object_is_walked_and_says_the_same(content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    assert walked(content) is not None
    assert said(content) == said_by_pydicom(content, monkeypatch)


@pytest.mark.parametrize("content", [*WALKED.values(), *LEFT_TO_PYDICOM.values()], ids=[*WALKED, *LEFT_TO_PYDICOM])
def test_wherever_the_begin_ends_a_draft_says_what_the_whole_says(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = said(content)
    with Draft(tmp_path) as draft:
        draft.write(content)
        for length in range(0, min(len(content), 3000) + 100, 61):
            monkeypatch.setattr(objects, "_BEGIN_BYTES", length)
            assert said_of_a_draft(draft) == expected, length


@pytest.mark.parametrize("content", LEFT_TO_PYDICOM.values(), ids=LEFT_TO_PYDICOM)
def test_what_is_not_regular_is_left_to_pydicom(content: bytes) -> None:
    assert walked(content) is None


@pytest.mark.parametrize("seed", range(3))
def test_a_mutated_header_is_judged_as_pydicom_judges_it(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(seed)
    contents = [content for content in WALKED.values() if len(content) < 20_000] + [encoded(report(BASELINE))]
    walks = 0
    for _ in range(MUTATIONS // 3):
        whole = chance.choice(contents)
        content = whole[:132] + mutated(whole[132:2000], chance) + whole[2000:]
        walks += walked(content) is not None
        assert said(content) == said_by_pydicom(content, monkeypatch)
    assert walks > MUTATIONS // 60, "hardly any was walked: nothing was compared"


def test_real_objects_say_the_same(shared_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [path for path in sorted(shared_data.rglob("*.dcm")) if path.stat().st_size < 2_000_000]
    contents = [path.read_bytes() for path in paths[:: max(1, len(paths) // 60)]]
    assert sum(walked(content) is not None for content in contents) > len(contents) // 2
    for content in contents:
        assert said(content) == said_by_pydicom(content, monkeypatch)
