from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import Dataset

from pipelines.contract import Code, ExamFiles, Role, TimePoint
from pipelines.exam import assemble, exam_files
from pipelines.headers.files import SeriesHeaders
from pipelines.roles.study_roles import classified
from pipelines.volumes.volume import load_dwi
from tests.pipelines.made_series import DWI, T2, Grid, Maker

SHAPE = (8, 12, 10)


@pytest.fixture
def maker(tmp_path: Path) -> Maker:
    return Maker(tmp_path)


def one_b(maker: Maker, b: float, grid: Grid | None = None, **more: Any) -> list[Dataset]:
    """A trace series of one b-value; its signal is 1000 - b."""
    signal = np.full(SHAPE, 1000 - b)
    return maker.slices(signal, grid or Grid(), DWI, SeriesDescription=f"dwi_b{b:g}", DiffusionBValue=b, **more)


def exam(maker: Maker, *series: Sequence[Dataset]) -> ExamFiles:
    named = [maker.headers(one) for one in series]
    paths = [tuple(Path(str(dataset.SOPInstanceUID)) for dataset in one.headers) for one in named]
    found = [SeriesHeaders(one.series_uid, one.study_uid, one.headers, p) for one, p in zip(named, paths, strict=True)]
    return assemble(classified(found), TimePoint.BASELINE, ())


def test_series_of_one_b_value_become_one_dwi_with_the_files_of_all(maker: Maker) -> None:
    parts = [one_b(maker, b) for b in (0.0, 800.0, 50.0)]
    files = exam(maker, *parts)
    chosen = files.chosen[Role.DWI]
    assert chosen.role.b_values == (0, 50, 800)
    assert chosen.role.description == "dwi_b0 + dwi_b50 + dwi_b800"
    assert chosen.role.series_uid == parts[1][0].SeriesInstanceUID
    assert {path.name for path in chosen.paths} == {str(d.SOPInstanceUID) for part in parts for d in part}
    (choice,) = files.choices
    assert "one b-value per series" in choice
    assert "series 2 (b 800)" in choice
    assert files.refused == ()


def test_b_0_beside_its_partners_is_dwi_in_the_list_of_series_too(maker: Maker) -> None:
    series = [maker.headers(one_b(maker, b)) for b in (0.0, 800.0)]
    assert [(role.role, role.b_values, role.code) for _, role in classified(series)] == [
        (Role.DWI, (0,), None),
        (Role.DWI, (800,), None),
    ]


def test_b_0_alone_is_no_dwi_and_says_what_it_lacks(maker: Maker) -> None:
    files = exam(maker, one_b(maker, 0.0), maker.slices(np.ones(SHAPE), Grid(), T2))
    assert Role.DWI not in files.chosen
    assert [role.code for role in files.refused] == [Code.B_VALUES_UNFIT]


@pytest.mark.parametrize(
    "other",
    [
        {"EchoTime": 90},
        {"RepetitionTime": 8000},
        {"ScanningSequence": ["SE", "EP"]},
        {"StudyInstanceUID": "1.2.3"},
        {"FrameOfReferenceUID": "1.2.3"},
        {"grid": Grid(origin=(-50.0, -40.0, -10.0))},
        {"grid": Grid(spacing=(3.0, 0.8, 0.7))},
    ],
)
def test_series_acquired_otherwise_stay_apart(maker: Maker, other: dict[str, Any]) -> None:
    files = exam(maker, one_b(maker, 800.0), one_b(maker, 50.0, **other))
    assert len(files.chosen[Role.DWI].role.b_values) == 1
    assert "one b-value per series" not in "".join(files.choices)


def test_a_repeated_acquisition_makes_a_second_set(maker: Maker) -> None:
    early = [one_b(maker, b, AcquisitionTime=f"1000{i:02d}") for i, b in enumerate((0.0, 800.0))]
    late = [one_b(maker, b, AcquisitionTime=f"1030{i:02d}") for i, b in enumerate((0.0, 800.0))]
    files = exam(maker, *late, *early)
    assert {path.name for path in files.chosen[Role.DWI].paths} == {str(d.SOPInstanceUID) for s in late for d in s}
    assert any("the later of equals" in choice for choice in files.choices)


def test_philips_series_of_different_scale_are_not_put_together(maker: Maker) -> None:
    parts = [one_b(maker, b, Manufacturer="Philips") for b in (0.0, 800.0)]
    for part, scale in zip(parts, (0.01, 0.02), strict=True):
        for dataset in part:
            dataset.private_block(0x2005, "Philips MR Imaging DD 001", create=True).add_new(0x0E, "FL", scale)
    assert exam(maker, *parts).chosen[Role.DWI].role.b_values == (800,)


def test_the_volumes_of_a_set_are_those_of_its_series(maker: Maker, tmp_path: Path) -> None:
    for b in (0.0, 50.0, 800.0):
        maker.write(one_b(maker, b), f"b{b:g}")
    files = exam_files(tmp_path, TimePoint.BASELINE)
    volumes = load_dwi(files.chosen[Role.DWI])
    assert {b: float(volume.array.mean()) for b, volume in volumes.items()} == {0: 1000, 50: 950, 800: 200}
