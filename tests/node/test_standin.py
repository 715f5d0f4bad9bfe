"""The PACS stand-in of the demo and the tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread

from node.errors import SendError
from node.standin import Archive, send_files
from tests.dicom_files import BASELINE, report, t2_axial, write
from tests.node.conftest import free_port

HOST = "127.0.0.1"


class Refusals:
    """What the archive answers; a test may change it."""

    status = 0x0000

    def __call__(self, _: Dataset) -> int:
        return self.status


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Archive, int]]:
    archive = Archive(tmp_path_factory.mktemp("archive"), "ARCHIVE", Refusals())
    yield archive, archive.open()
    archive.close()


def test_what_is_sent_is_kept_under_its_uid_and_counted(opened: tuple[Archive, int], tmp_path: Path) -> None:
    archive, port = opened
    datasets = [*t2_axial(BASELINE), report(BASELINE)]
    assert send_files(write(datasets, tmp_path), HOST, port, called="ARCHIVE", calling="SENDER") == len(datasets)
    assert archive.wait_for(len(datasets), 5)
    for dataset in datasets:
        kept = dcmread(archive.folder / f"{dataset.SOPInstanceUID}.dcm")
        assert kept == dataset


def test_waiting_for_more_than_comes_ends(opened: tuple[Archive, int]) -> None:
    assert not opened[0].wait_for(10_000, 0.05)


def test_a_refusal_is_an_error_of_the_sender_and_nothing_is_kept(opened: tuple[Archive, int], tmp_path: Path) -> None:
    archive, port = opened
    dataset = t2_axial(BASELINE, slices=1)[0]
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4.5"
    archive.answer.status = 0xC123
    try:
        with pytest.raises(SendError, match="ARCHIVE refused") as caught:
            send_files(write([dataset], tmp_path), HOST, port, called="ARCHIVE", calling="SENDER")
    finally:
        archive.answer.status = 0x0000
    assert caught.value.permanent
    assert not (archive.folder / "1.2.3.4.5.dcm").exists()


def test_nobody_there_is_an_error_that_names_where(tmp_path: Path) -> None:
    port = free_port()
    with pytest.raises(SendError, match=f"127.0.0.1:{port}") as caught:
        send_files(write(t2_axial(BASELINE, slices=1), tmp_path), HOST, port, called="ARCHIVE", calling="SENDER")
    assert not caught.value.permanent
