"""b-values of an exam and protocols of a pair: pipelines.quality.protocol and headers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread

from pipelines.contract import AdcMap, Case, Code, Exam, Role, SeriesFiles
from pipelines.quality import Severity, assess_images, assess_pair
from pipelines.quality.headers import Acquisition, acquisition
from tests.pipelines.quality.planted import resized, tilted, with_t2_headers


def with_b_values(exam: Exam, *b_values: float) -> Exam:
    low = exam.dwi[min(exam.dwi)]
    return replace(exam, dwi=dict.fromkeys(b_values, low))


@pytest.mark.parametrize(
    ("b_values", "severity"),
    [
        ((0.0, 800.0), None),
        ((0.0, 400.0, 1000.0), None),
        ((0.0, 600.0), Severity.WARNING),
        ((0.0, 450.0), Severity.REFUSAL),
        ((1000.0,), Severity.WARNING),
    ],
)
def test_low_or_single_b_values_are_named(clean: Exam, b_values: tuple[float, ...], severity: Severity | None) -> None:
    findings = [one for one in assess_images(with_b_values(clean, *b_values)).findings if one.role is Role.DWI]
    assert [(one.code, one.severity) for one in findings] == ([(Code.B_VALUES_UNFIT, severity)] if severity else [])


def test_a_pair_of_one_protocol_and_a_single_exam_are_silent(clean_pair: tuple[Exam, Exam]) -> None:
    assert assess_pair(Case(*clean_pair)) == ()
    assert assess_pair(Case(None, clean_pair[1])) == ()


def test_all_that_differs_stands_in_one_warning(clean_pair: tuple[Exam, Exam]) -> None:
    baseline, restaging = clean_pair
    other = replace(restaging, t2=tilted(resized(restaging.t2, (1, 1.5, 1.5)), 40), ce_t1=None)
    (warning,) = assess_pair(Case(baseline, with_b_values(other, 50.0, 700.0)))
    assert (warning.code, warning.warning) == (Code.PROTOCOLS_DIFFER, True)
    for words in ("T2 voxel", "against each other", "CE-T1 at baseline only", "and 50/700 s/mm²"):
        assert words in warning.reason


def test_b_values_are_left_to_the_warning_about_the_adc_maps(clean_pair: tuple[Exam, Exam]) -> None:
    def fitted(exam: Exam, *b_values: float) -> Exam:
        volume = exam.dwi[min(exam.dwi)]
        adc = AdcMap(volume, np.ones(volume.array.shape, dtype=bool), b_values, "made")
        return replace(with_b_values(exam, 0.0, *b_values), adc=adc)

    assert assess_pair(Case(fitted(clean_pair[0], 400.0, 1000.0), fitted(clean_pair[1], 500.0, 1000.0))) == ()


@pytest.mark.parametrize(
    ("attributes", "words"),
    [
        ({"EchoTime": 100, "MagneticFieldStrength": 3, "ManufacturerModelName": "Skyra"}, ""),
        ({"EchoTime": 80}, ""),
        ({"EchoTime": 60}, "T2 echo time 100 and 60 ms"),
        ({"RepetitionTime": 8000}, "T2 repetition time 4000 and 8000 ms"),
        ({"MagneticFieldStrength": 1.5}, "field 3 and 1.5 T"),
        ({"Manufacturer": "GE", "ManufacturerModelName": "Signa"}, "scanner SIEMENS Skyra and GE Signa"),
    ],
)
def test_headers_are_compared(
    clean_pair: tuple[Exam, Exam], tmp_path: Path, attributes: dict[str, Any], words: str
) -> None:
    usual: dict[str, Any] = {"MagneticFieldStrength": 3, "ManufacturerModelName": "Skyra"}
    baseline = with_t2_headers(clean_pair[0], tmp_path / "baseline", **usual)
    restaging = with_t2_headers(clean_pair[1], tmp_path / "restaging", **{**usual, **attributes})
    warnings = assess_pair(Case(baseline, restaging))
    assert [one.reason for one in warnings] == (
        [f"baseline and restaging differ: {words}; part of a change may be the protocol's"] if words else []
    )


def test_files_that_cannot_be_read_say_nothing(clean: Exam, tmp_path: Path) -> None:
    series = with_t2_headers(clean, tmp_path).files.chosen[Role.T2_AXIAL]
    gone = SeriesFiles(series.role, (tmp_path / "gone.dcm",))
    assert acquisition({Role.T2_AXIAL: series}, Role.T2_AXIAL).echo_time == 100
    assert acquisition({Role.T2_AXIAL: gone}, Role.T2_AXIAL) == Acquisition()
    assert acquisition({}, Role.DWI) == Acquisition()


def test_enhanced_files_keep_their_times_in_functional_groups(clean: Exam, tmp_path: Path, shared_data: Path) -> None:
    path = min((shared_data / "siemens_prisma_xa30_enhanced").rglob("*.dcm"))
    role = with_t2_headers(clean, tmp_path).files.chosen[Role.T2_AXIAL].role
    found = acquisition({Role.DWI: SeriesFiles(role, (path,))}, Role.DWI)
    frame = dcmread(path, stop_before_pixels=True).SharedFunctionalGroupsSequence[0]
    assert found.repetition_time == frame.MRTimingAndRelatedParametersSequence[0].RepetitionTime
    assert found.field_strength == pytest.approx(3.0, abs=0.2)
    assert found.slice_thickness is not None
    assert found.echo_time is not None
