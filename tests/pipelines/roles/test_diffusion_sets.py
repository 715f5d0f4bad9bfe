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


def at(clock: str) -> dict[str, str]:
    return {"AcquisitionDate": "20240102", "AcquisitionTime": clock}


def sets(files: ExamFiles, parts: Sequence[Sequence[Dataset]]) -> str:
    """The indices of the parts whose files the chosen DWI holds."""
    paths = {path.name for path in files.chosen[Role.DWI].paths}
    return "".join(str(i) for i, part in enumerate(parts) if {str(d.SOPInstanceUID) for d in part} <= paths)


def test_a_repeated_acquisition_makes_a_second_set(maker: Maker) -> None:
    early = [one_b(maker, b, **at(f"1000{i:02d}")) for i, b in enumerate((0.0, 800.0))]
    late = [one_b(maker, b, **at(f"1030{i:02d}")) for i, b in enumerate((0.0, 800.0))]
    files = exam(maker, *late, *early)
    assert sets(files, [*late, *early]) == "01"
    assert any("the later of equals" in choice for choice in files.choices)


@pytest.mark.parametrize(
    ("series", "expected"),
    [
        ({"100000": 0, "100200": 800, "103000": 0.5, "103200": 1400}, "23"),  # two acquisitions
        ({"100000": 0, "100200": 800, "100400": 0.5, "100600": 800.5}, "23"),  # a repeat at once
        ({"100000": 0, "101000": 800, "101100": 0.5}, "12"),  # the nearer of two
        ({"100000": 0, "100500": 50, "101000": 800, "101500": 1000}, "0123"),  # one long acquisition
        ({"100000": 0, "103000": 800}, "1"),  # half an hour
        ({"235900": 0, "20240103000100": 800}, "01"),  # midnight
        ({"100000": 0, "100200": 800, "100400": 0.5}, "1"),  # between two b 0
        ({"100000": 0, "100200": 800, "100400": 0.5, "100600": 1400}, "3"),  # b 800 and b 1400 may share either b 0
        ({"100000": 0, "100000.1": 0.5, "100002": 800}, "2"),  # two reconstructions of one b 0
        ({"": 0, " ": 800}, "01"),  # no times, one of each
        ({"": 0, " ": 0.5, "  ": 800}, "2"),  # no times: which b 0?
        ({"": 0, "100000": 0.5, "100100": 800}, "2"),  # one of two without a time
    ],
)
def test_series_are_joined_to_the_nearest_in_time_or_not_at_all(
    maker: Maker, series: dict[str, float], expected: str
) -> None:
    """A b-value that ends on a half stands for a second series of the same b-value."""
    parts = []
    for when, b in series.items():
        day = {"AcquisitionDate": when[:8], "AcquisitionTime": when[8:]} if len(when) == 14 else at(when.strip())
        parts.append(one_b(maker, b - b % 1, **day))
    for order in (parts, parts[::-1]):
        assert sets(exam(maker, *order), parts) == expected


def test_what_stays_apart_for_its_time_says_so(maker: Maker) -> None:
    parts = [one_b(maker, b, **at(when)) for b, when in ((0.0, "100000"), (800.0, "100200"), (0.0, "100400"))]
    choices = " ".join(exam(maker, *parts).choices)
    assert "not put together" in choices
    assert "series 1 (b 0)" in choices


def test_one_odd_series_stays_out_of_the_set_and_is_named(maker: Maker) -> None:
    parts = [one_b(maker, b) for b in (0.0, 400.0, 800.0)]
    parts[1] = parts[1][:-1]
    for order in (parts, parts[::-1]):
        files = exam(maker, *order)
        assert files.chosen[Role.DWI].role.b_values == (0, 800)
        assert "series 2 (b 400) stays out: other slices" in files.choices[0]
    missing = exam(maker, one_b(maker, 0.0)[:-2], *[one_b(maker, b) for b in (50.0, 800.0)])
    assert missing.chosen[Role.DWI].role.b_values == (50, 800)
    assert [role.code for role in missing.refused] == [Code.B_VALUES_UNFIT]
    alone = exam(maker, one_b(maker, 0.0)[:-2], one_b(maker, 800.0))
    assert "not put together with" in alone.choices[0] and alone.choices[0].endswith("other slices")


def test_two_reconstructions_of_one_acquisition_make_a_set_each(maker: Maker) -> None:
    types = ["DERIVED", "PRIMARY", "DIFFUSION", "TRACEW"]
    parts = [one_b(maker, b, ImageType=[*types, kind]) for b in (0.0, 800.0) for kind in ("ND", "DIS2D")]
    assert sets(exam(maker, *parts), parts) in {"02", "13"}


def test_a_derived_series_without_a_word_for_trace_is_not_joined(maker: Maker) -> None:
    derived = {"ImageType": ["DERIVED", "PRIMARY", "DIFFUSION", "NONE"], "DiffusionDirectionality": "ISOTROPIC"}
    acquired = {"ImageType": ["ORIGINAL", "PRIMARY", "DIFFUSION", "NONE"], "DiffusionDirectionality": "ISOTROPIC"}
    parts = [one_b(maker, 0.0), one_b(maker, 800.0, **acquired), one_b(maker, 1500.0, **derived)]
    files = exam(maker, *parts)
    assert files.chosen[Role.DWI].role.b_values == (0, 800)
    assert "series 3 (b 1500) stays out: derived, and nothing calls it a trace image" in files.choices[0]
    for dataset in parts[2]:
        dataset.SeriesDescription = "dwi_b1500_trace"
    assert exam(maker, *parts).chosen[Role.DWI].role.b_values == (0, 800, 1500)


def test_neighbouring_b_values_of_one_nominal_value_are_repeats(maker: Maker) -> None:
    files = exam(maker, one_b(maker, 995.0), one_b(maker, 1000.0))
    assert len(files.chosen[Role.DWI].role.b_values) == 1


def philips(maker: Maker, b: float, signal: float, slope: float | None, scale: float | None) -> list[Dataset]:
    """A series of this signal, written as Philips does: stored = signal × Scale Slope, shown = stored × slope."""
    stored = np.full(SHAPE, round(signal * (scale or 0.01)))
    more = {} if slope is None else {"RescaleSlope": f"{slope:.10g}", "RescaleIntercept": "0"}
    name = {"SeriesDescription": f"dwi_b{b:g}", "DiffusionBValue": b, "Manufacturer": "Philips"}
    series = maker.slices(stored, Grid(), DWI, **name, **more)
    for dataset in series if scale is not None else ():
        dataset.private_block(0x2005, "Philips MR Imaging DD 001", create=True).add_new(0x0E, "FL", scale)
    return series


@pytest.mark.parametrize(
    ("slopes", "scales", "joined"),
    [
        ((1.0, 1.0), (0.01, 0.01), True),
        ((1.0, 1.0), (0.01, 0.02), False),
        ((1.0, 3.0), (0.01, 0.01), False),
        ((1.0, 3.0), (0.03, 0.01), True),
        ((1.2345678, 2.3456789), (0.0098 / 1.2345678, 0.0098 / 2.3456789), True),  # rounded as FL and DS
        ((0.001, 0.001), (0.01, 0.02), False),  # small, yet twice as much
        ((None, None), (0.01, 0.01), True),
        ((None, 2.0), (0.01, 0.01), False),
        ((1.0, 1.0), (None, None), False),  # lost: what was measured cannot be told
    ],
)
def test_philips_series_are_joined_only_where_their_shown_values_are_one_scale_of_the_signal(
    maker: Maker, tmp_path: Path, slopes: tuple[float | None, ...], scales: tuple[float | None, ...], joined: bool
) -> None:
    for b, signal, slope, scale in zip((0.0, 1000.0), (40000.0, 16000.0), slopes, scales, strict=True):
        maker.write(philips(maker, b, signal, slope, scale), f"b{b:g}")
    chosen = exam_files(tmp_path, TimePoint.BASELINE).chosen[Role.DWI]
    assert chosen.role.b_values == ((0, 1000) if joined else (1000,))
    if joined:
        low, high = (float(volume.array.mean()) for volume in load_dwi(chosen).values())
        assert high / low == pytest.approx(0.4, rel=5e-3)  # of the stored integers


def test_the_volumes_of_a_set_are_those_of_its_series(maker: Maker, tmp_path: Path) -> None:
    for b in (0.0, 50.0, 800.0):
        maker.write(one_b(maker, b), f"b{b:g}")
    files = exam_files(tmp_path, TimePoint.BASELINE)
    volumes = load_dwi(files.chosen[Role.DWI])
    assert {b: float(volume.array.mean()) for b, volume in volumes.items()} == {0: 1000, 50: 950, 800: 200}
