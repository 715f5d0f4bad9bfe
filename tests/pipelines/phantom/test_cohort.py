"""The cohort on disk: the same bytes for the same seed, honest headers, and images that show what was planted."""

from __future__ import annotations

import csv
import hashlib
from collections import Counter
from pathlib import Path

import numpy as np
import pydicom
import pytest

from pipelines.phantom.cohort import SimulatedPatient, simulate_patient, write_cohort, write_patient
from pipelines.phantom.exam import SimulatedExam
from pipelines.phantom.patient import draw_patient
from tests.programs import output_of

SEED = 41
Datasets = list[pydicom.Dataset]


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_cohort(tmp_path_factory.mktemp("cohort"), 2, SEED).parent


@pytest.fixture(scope="module")
def rows(cohort: Path) -> list[dict[str, str]]:
    with (cohort / "cohort.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def exam(cohort: Path, rows: list[dict[str, str]]) -> Datasets:
    return [pydicom.dcmread(path) for path in sorted((cohort / rows[0]["baseline"]).glob("*.dcm"))]


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def series(exam: Datasets, description: str) -> Datasets:
    return [ds for ds in exam if description in ds.SeriesDescription]


def test_a_patient_is_the_same_to_the_byte_alone_or_in_a_cohort_by_two_workers(cohort: Path, tmp_path: Path) -> None:
    write_patient(tmp_path / "alone", SEED, 1)
    again = write_cohort(tmp_path / "again", 2, SEED, workers=2).parent
    assert digests(again) == digests(cohort)
    name = f"PHANTOM-S{SEED}-0001"
    assert digests(tmp_path / "alone" / name) == digests(cohort / name)


def test_another_seed_is_another_patient(cohort: Path, tmp_path: Path) -> None:
    row = write_patient(tmp_path, SEED + 1, 0)
    one = {pydicom.dcmread(p, stop_before_pixels=True).SOPInstanceUID for p in tmp_path.rglob("*.dcm")}
    other = {pydicom.dcmread(p, stop_before_pixels=True).SOPInstanceUID for p in cohort.rglob("*.dcm")}
    assert row.patient_id == f"PHANTOM-S{SEED + 1}-0000"
    assert not one & other


def test_writing_again_leaves_no_stale_file(tmp_path: Path) -> None:
    home = tmp_path / f"PHANTOM-S{SEED}-0000"
    (home / "baseline").mkdir(parents=True)
    (home / "baseline" / "99_0001.dcm").write_bytes(b"old")
    write_patient(tmp_path, SEED, 0)
    assert not (home / "baseline" / "99_0001.dcm").exists()


def test_progress_reaches_the_total(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    write_cohort(tmp_path, 1, SEED, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 1)]


@pytest.mark.parametrize(("patients", "seed"), [(0, 1), (1, -1)])
def test_a_cohort_of_nobody_is_refused(tmp_path: Path, patients: int, seed: int) -> None:
    with pytest.raises(ValueError, match="patients ≥ 1"):
        write_cohort(tmp_path, patients, seed)


def test_the_exam_holds_the_protocol_and_nothing_of_the_truth(exam: Datasets, cohort: Path) -> None:
    counts = Counter(ds.SeriesDescription for ds in exam)
    assert counts["t2_tse_tra_obl"] == 16
    assert counts["ep2d_diff_b0_500_1000"] == 48
    assert counts["t2_tse_sag"] == 7
    assert set(counts) <= {"t2_tse_tra_obl", "t2_tse_sag", "ep2d_diff_b0_500_1000", "t1_fs_tra_ce"}
    size = sum(p.stat().st_size for p in (cohort / f"PHANTOM-S{SEED}-0000").rglob("*") if p.is_file())
    assert size < 8e6


def test_a_patient_without_contrast_agent_has_no_such_series_at_either_exam(tmp_path: Path) -> None:
    index = next(i for i in range(50) if not draw_patient(SEED, i).has_ce_t1)
    row = write_patient(tmp_path, SEED, index)
    assert row.has_ce_t1 == 0
    assert not [p for p in tmp_path.rglob("*.dcm") if p.name.startswith("05_")]


def test_headers_agree_with_each_other_and_with_the_csv(exam: Datasets, rows: list[dict[str, str]]) -> None:
    row = rows[0]
    assert {(ds.PatientID, str(ds.PatientName)) for ds in exam} == {(row["patient_id"], row["name"])}
    assert {ds.PatientBirthDate for ds in exam} == {row["birth_date"].replace("-", "")}
    assert {ds.StudyDate for ds in exam} == {row["baseline_date"].replace("-", "")}
    assert len({ds.StudyInstanceUID for ds in exam}) == len({ds.FrameOfReferenceUID for ds in exam}) == 1
    assert len({ds.SOPInstanceUID for ds in exam}) == len(exam)
    assert all(ds.SOPInstanceUID.startswith("2.25.") and len(ds.SOPInstanceUID) <= 64 for ds in exam)
    assert all(ds.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.1" for ds in exam)
    assert all("SYNTHETIC" in ds.ImageComments for ds in exam)


def test_b_values_stand_in_the_standard_tag_and_slices_repeat_for_each(exam: Datasets) -> None:
    dwi = series(exam, "diff")
    places = {
        b: {tuple(ds.ImagePositionPatient) for ds in dwi if ds.DiffusionBValue == b} for b in (0.0, 500.0, 1000.0)
    }
    assert places[0.0] == places[500.0] == places[1000.0]
    assert len(places[0.0]) == 16


def test_only_site_a_repeats_the_b_value_in_siemens_private_tag(cohort: Path, rows: list[dict[str, str]]) -> None:
    assert {row["site"] for row in rows} == {"A", "B"}
    for row in rows:
        last = pydicom.dcmread(cohort / row["restaging"] / "04_0048.dcm", stop_before_pixels=True)
        private = last.get((0x0019, 0x100C))
        assert (private is not None) == (row["site"] == "A")
        assert private is None or private.value == 1000


def test_the_truth_mask_lies_on_the_axial_t2_in_ascending_order(cohort: Path, exam: Datasets) -> None:
    t2 = series(exam, "t2_tse_tra")
    orientation = np.array(t2[0].ImageOrientationPatient, dtype=float)
    normal = np.cross(orientation[:3], orientation[3:])
    assert 8 < np.degrees(np.arccos(normal[2])) < 40  # oblique, superior
    t2.sort(key=lambda ds: float(normal @ np.array(ds.ImagePositionPatient, dtype=float)))
    truth = np.load(cohort / f"PHANTOM-S{SEED}-0000" / "truth" / "baseline.npz")
    assert truth["mask"].shape == (16, t2[0].Rows, t2[0].Columns)
    for i, ds in enumerate(t2):
        assert truth["affine"] @ [i, 0, 0, 1] == pytest.approx([*map(float, ds.ImagePositionPatient), 1], abs=1e-4)
    corner = np.array(t2[0].ImagePositionPatient, float) + 3 * orientation[3:] * float(t2[0].PixelSpacing[0])
    assert truth["affine"] @ [0, 3, 0, 1] == pytest.approx([*corner, 1], abs=1e-3)


def test_mask_volumes_are_the_planted_volumes(rows: list[dict[str, str]]) -> None:
    for row in rows:
        for when in ("baseline", "restaging"):
            planted, drawn = float(row[f"volume_{when}_cm3"]), float(row[f"mask_volume_{when}_cm3"])
            assert drawn == pytest.approx(planted, rel=0.06), row["patient_id"]


@pytest.fixture(scope="module")
def simulated() -> list[SimulatedPatient]:
    return [simulate_patient(SEED, index) for index in range(6)]


def tumour_core(exam: SimulatedExam) -> np.ndarray:
    """Mask voxels at least two voxels away from the tumour's edge in plane."""
    core = exam.mask.copy()
    for axis in (1, 2):
        for step in (-2, -1, 1, 2):
            core &= np.roll(exam.mask, step, axis)
    return core


def test_the_diffusion_images_show_the_planted_adc(simulated: list[SimulatedPatient]) -> None:
    for one in simulated:
        exam, truth = one.exams[0], one.patient.latents
        index = np.argwhere(tumour_core(exam))
        world = exam.t2.affine @ np.c_[index, np.ones(len(index))].T
        i, j, k = np.rint(np.linalg.inv(exam.dwi[0].affine) @ world).astype(int)[:3]
        s500, s1000 = (float(np.median(stack.counts[i, j, k])) for stack in exam.dwi[1:])
        planted = truth.d_pre - truth.d_pre**2 * truth.k_pre * 0.25  # b 500 and 1000: D − D²K (b1 + b2) / 6
        assert np.log(s500 / s1000) / 0.5 == pytest.approx(planted, rel=0.08)  # gradient error 3 %, noise, shift


def test_the_axial_t2_shows_the_planted_heterogeneity(simulated: list[SimulatedPatient]) -> None:
    for one in simulated:
        exam = one.exams[0]
        seen = float(np.log(exam.t2.counts[tumour_core(exam)]).std())
        assert seen == pytest.approx(one.patient.latents.heterogeneity, abs=0.06)


def test_the_axial_t2_after_therapy_is_dark_in_the_planted_share(simulated: list[SimulatedPatient]) -> None:
    for one in simulated:
        exam = one.exams[1]
        values = exam.t2.counts[tumour_core(exam)].astype(float)
        if values.size < 300:
            continue
        bright = np.percentile(values, 80)
        assert (values < 0.58 * bright).mean() == pytest.approx(one.patient.latents.fibrosis, abs=0.15)


@pytest.mark.peers
def test_every_kind_of_file_passes_dciodvfy(cohort: Path) -> None:
    for exam in ("baseline", "restaging"):
        for patient in cohort.glob("PHANTOM-*"):
            firsts = [*sorted((patient / exam).glob("*_0001.dcm")), patient / exam / "04_0048.dcm"]
            for path in firsts:
                report = output_of("dciodvfy", "dicom3tools", path)
                assert "Error" not in report, f"{path.name}: {report}"
