"""The files of each site: where its vendor hides what, and whether they are read back as what was simulated."""

from __future__ import annotations

import io
import struct
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pydicom
import pytest

from pipelines.contract import Role, TimePoint
from pipelines.exam import exam_files
from pipelines.headers.files import read_series
from pipelines.phantom.dicom import t2_headers, write_exam
from pipelines.phantom.site import SITES
from pipelines.roles.series import classify
from pipelines.volumes.volume import load_volume
from tests.pipelines.phantom.made_exams import one_of_each_site, patient_of, series
from tests.programs import output_of

Datasets = list[pydicom.Dataset]
NAMES = [site.name for site in SITES]
DWI = {"A": "ep2d_diff_b0_600_1000_1500_2000", "B": "Ax DWI b1000", "C": "DWI_3b"}
ADC = {"A": DWI["A"] + "_ADC", "B": "Apparent Diffusion Coefficient (mm2/s)", "C": "dADC"}


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    return one_of_each_site(tmp_path_factory.mktemp("sites"))


def baseline_of(site: str, parity: int, folder: Path) -> Path:
    simulated = patient_of(site, parity)
    write_exam(folder, simulated.patient, TimePoint.BASELINE, simulated.exams[0])
    return folder


def private(dataset: pydicom.Dataset, group: int, creator: str, offset: int) -> object:
    return dataset.private_block(group, creator)[offset].value


@pytest.mark.parametrize("name", NAMES)
def test_every_series_is_recognised_as_what_it_was_simulated_as(homes: Mapping[str, Path], name: str) -> None:
    roles = [classify(one) for one in read_series(sorted((homes[name] / "baseline").glob("*.dcm")))]
    expected = {Role.T2_AXIAL, Role.T2_SAGITTAL, Role.DWI, Role.ADC, Role.CE_T1} | ({Role.T1} if name == "B" else set())
    assert {role.role for role in roles} == expected
    assert len(roles) == len(expected)
    assert [r.b_values for r in roles if r.role is Role.DWI] == [patient_of(name).patient.site.b_values]


@pytest.mark.parametrize("name", NAMES)
def test_no_site_states_a_b_value_in_the_standard_attribute(homes: Mapping[str, Path], name: str) -> None:
    assert not any("DiffusionBValue" in ds for found in series(homes[name] / "baseline").values() for ds in found)


def test_siemens_writes_the_b_value_as_text_or_as_bytes_and_on_its_map_as_well(tmp_path: Path) -> None:
    kinds = set()
    for parity in (0, 1):
        exam = series(baseline_of("A", parity, tmp_path / str(parity)))
        assert {int(private(ds, 0x19, "SIEMENS MR HEADER", 0x0C)) for ds in exam[DWI["A"]]} == {
            0,
            600,
            1000,
            1500,
            2000,
        }  # type: ignore[call-overload]
        assert {int(private(ds, 0x19, "SIEMENS MR HEADER", 0x0C)) for ds in exam[ADC["A"]]} == {1000}  # type: ignore[call-overload]
        kinds |= {ds[0x0019, 0x100C].VR for ds in exam[DWI["A"]]}
    assert kinds == {"IS", "OB"}


def test_ge_adds_a_milliard_to_the_b_value_of_some_scanners(tmp_path: Path) -> None:
    stated = {}
    for parity in (0, 1):
        exam = series(baseline_of("B", parity, tmp_path / str(parity)))
        stated[parity] = {int(private(ds, 0x43, "GEMS_PARM_01", 0x39)[0]) for ds in exam[DWI["B"]]}  # type: ignore[index]
        assert {(ds.BitsStored, ds.PixelRepresentation) for ds in exam[DWI["B"]]} == {(16, 1)}
    assert stated == {0: {0, 500, 1000}, 1: {0, 1_000_000_500, 1_000_001_000}}


def test_philips_writes_all_b_values_of_a_slice_before_the_next_slice(homes: Mapping[str, Path]) -> None:
    images = series(homes["C"] / "baseline")[DWI["C"]]
    assert [private(ds, 0x2001, "Philips Imaging DD 001", 0x03) for ds in images[:6]] == [0, 500, 1000] * 2
    assert len({tuple(ds.ImagePositionPatient) for ds in images[:3]}) == 1
    assert images[2].ImagePositionPatient != images[3].ImagePositionPatient


def test_philips_rescales_every_series_and_says_how_to_come_back_to_the_signal(homes: Mapping[str, Path]) -> None:
    for found in series(homes["C"] / "baseline").values():
        slope, scale = float(found[0].RescaleSlope), private(found[0], 0x2005, "Philips MR Imaging DD 001", 0x0E)
        assert slope != 1
        assert slope * float(str(scale)) == pytest.approx(0.0098, rel=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_images_come_back_as_they_were_simulated(homes: Mapping[str, Path], name: str) -> None:
    exam = patient_of(name).exams[0]
    chosen = exam_files(homes[name] / "baseline", TimePoint.BASELINE).chosen
    assert exam.sagittal is not None
    assert exam.ce_t1 is not None
    for role, stack in (
        (Role.T2_AXIAL, exam.t2),
        (Role.T2_SAGITTAL, exam.sagittal),
        (Role.CE_T1, exam.ce_t1),
    ):
        volume = load_volume(chosen[role])
        slope = float(pydicom.dcmread(chosen[role].paths[0]).get("RescaleSlope", 1))
        assert np.allclose(volume.array, stack.counts * slope, rtol=1e-6), role
        assert np.allclose(volume.affine, stack.affine, atol=1e-3), role


@pytest.mark.parametrize("name", NAMES)
def test_the_scanners_map_has_its_vendors_unit(homes: Mapping[str, Path], name: str) -> None:
    simulated = patient_of(name)
    exam = simulated.exams[0]
    assert exam.scanner_adc is not None
    shown = load_volume(exam_files(homes[name] / "baseline", TimePoint.BASELINE).chosen[Role.ADC]).array
    unit = 1.0 if name == "C" else 1e-3  # of what is shown, in 10⁻³ mm²/s
    expected = exam.scanner_adc.counts * simulated.patient.site.adc_step
    assert np.allclose(shown * unit, expected, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_files_are_as_pydicom_would_have_written_them(homes: Mapping[str, Path], name: str) -> None:
    for path in sorted((homes[name] / "restaging").glob("*_0003.dcm")):
        again = io.BytesIO()
        pydicom.dcmread(path).save_as(again)
        assert again.getvalue() == path.read_bytes(), path.name


def test_the_phase_encoding_stands_on_the_diffusion_images(homes: Mapping[str, Path]) -> None:
    stated = {
        name: {ds.InPlanePhaseEncodingDirection for ds in series(home / "baseline")[DWI[name]]}
        for name, home in homes.items()
    }
    assert stated == {"A": {"COL"}, "B": {"COL"}, "C": {"ROW"}}


def test_series_follow_each_other_in_time(homes: Mapping[str, Path]) -> None:
    for home in homes.values():
        times = {
            name: min(str(ds.AcquisitionTime) for ds in found) for name, found in series(home / "baseline").items()
        }
        assert len(set(times.values())) == len(times) - 1  # the map has the time of its images
    first = series(homes["B"] / "baseline")
    assert first["Ax LAVA FS pre"][0].AcquisitionTime < first["Ax LAVA FS +C"][0].AcquisitionTime
    assert "ContrastBolusAgent" not in first["Ax LAVA FS pre"][0]


def test_headers_of_the_axial_t2_are_those_of_its_files(homes: Mapping[str, Path]) -> None:
    simulated = patient_of("B")
    headers = t2_headers(simulated.patient, TimePoint.BASELINE, simulated.exams[0])
    files = series(homes["B"] / "baseline")["Ax T2 FRFSE obl"]
    assert len(headers) == len(files)
    for header, file in zip(headers, files, strict=True):
        for keyword in ("SOPInstanceUID", "SeriesInstanceUID", "ImagePositionPatient", "Rows", "InstanceNumber"):
            assert header[keyword].value == file[keyword].value


def test_the_preamble_and_group_length_are_right(homes: Mapping[str, Path]) -> None:
    data = next((homes["A"] / "baseline").glob("*.dcm")).read_bytes()
    assert data[128:132] == b"DICM"
    length = struct.unpack("<L", data[140:144])[0]
    assert struct.unpack("<H", data[144 + length : 146 + length])[0] == 0x0008  # the dataset begins there


@pytest.mark.peers
@pytest.mark.parametrize("name", NAMES)
def test_files_of_every_site_pass_dciodvfy(homes: Mapping[str, Path], name: str) -> None:
    chosen = [*sorted((homes[name] / "baseline").glob("*_0001.dcm")), *sorted((homes[name] / "truth").glob("*.dcm"))]
    chosen += sorted((homes[name] / "restaging").glob("*_0016.dcm"))
    for path in chosen:
        report = output_of("dciodvfy", "dicom3tools", path)
        assert "Error" not in report, f"{path.name}: {report}"
