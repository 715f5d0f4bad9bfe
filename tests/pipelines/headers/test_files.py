from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipelines.headers.files import find_files, read_files, read_series
from tests.pipelines.made_series import T2, Grid, Maker


@pytest.fixture
def maker(tmp_path: Path) -> Maker:
    return Maker(tmp_path)


def test_files_are_grouped_by_series_with_parallel_paths(maker: Maker) -> None:
    for _ in range(2):
        maker.write(maker.slices(np.ones((5, 4, 4)), Grid(), T2))
    series = read_series(reversed(find_files(maker.folder)))
    assert [len(one.headers) for one in series] == [5, 5]
    for one in series:
        assert all(path.stem == header.SOPInstanceUID for header, path in zip(one.headers, one.paths, strict=True))
        assert [header.InstanceNumber for header in one.headers] == [1, 2, 3, 4, 5]
        assert "PixelData" not in one.headers[0]


def test_what_is_not_dicom_is_named_with_its_reason(maker: Maker) -> None:
    path, other, *_ = maker.write(maker.slices(np.ones((5, 4, 4)), Grid(), T2), "good")
    (maker.folder / "notes.txt").write_text("no DICOM")
    (maker.folder / "empty.dcm").touch()
    (maker.folder / "truncated.dcm").write_bytes(path.read_bytes()[:200])
    (maker.folder / "copy.dcm").write_bytes(other.read_bytes())
    found = read_files(find_files(maker.folder))
    skipped = {one.path.name: one.reason for one in found.skipped}
    assert sum(len(one.paths) for one in found.series) == 5
    assert "DICM" in skipped["notes.txt"]
    assert "DICM" in skipped["empty.dcm"]
    assert "without SOPClassUID" in skipped["truncated.dcm"] or "not readable" in skipped["truncated.dcm"]
    assert any("same SOP Instance UID" in reason for reason in skipped.values())


def test_a_missing_folder_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere"):
        find_files(tmp_path / "nowhere")


def test_malformed_real_files_are_read_or_named_but_never_crash(shared_data: Path) -> None:
    for folder in ("pydicom_test_files", "pydicom_data_compressed", "pydicom_charset_files"):
        files = find_files(shared_data / folder)
        found = read_files(files)
        assert sum(len(one.paths) for one in found.series) + len(found.skipped) == len(files)
        assert all(one.reason for one in found.skipped)
