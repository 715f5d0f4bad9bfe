"""The cohort on disk: the same bytes for the same seed, honest headers, and images that show what was planted."""

from __future__ import annotations

import csv
import hashlib
import re
from pathlib import Path

import numpy as np
import pydicom
import pytest

from pipelines.phantom import row as row_module
from pipelines.phantom.cohort import (
    PRESETS,
    CohortHeld,
    CohortPlan,
    SimulatedPatient,
    choose_sites,
    refuse_other_cohort,
    simulate_patient,
    write_cohort,
    write_patient,
)
from pipelines.phantom.exam import SimulatedExam
from pipelines.phantom.oracle import read_truth
from pipelines.phantom.patient import draw_patient
from pipelines.phantom.row import PatientRow
from pipelines.phantom.site import SITES

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


def test_sites_are_chosen_by_name_and_an_unknown_one_is_named() -> None:
    assert [site.name for site in choose_sites("C, A")] == ["A", "C"]
    assert choose_sites("") == SITES
    with pytest.raises(ValueError, match="no site Q; there are A, B, C"):
        choose_sites("A,Q")


def test_a_patient_keeps_its_truth_at_another_site(cohort: Path, rows: list[dict[str, str]], tmp_path: Path) -> None:
    moved = write_patient(tmp_path, SEED, 0, sites=choose_sites("C")).columns()
    same = {name for name, value in moved.items() if value == rows[0][name]}
    assert moved["site"] == "C" != rows[0]["site"]
    assert {"d_baseline", "p_metastasis_36m_pathology", "dfs_months", "volume_restaging_cm3", "cea_ng_ml"} <= same


def test_no_image_tells_the_truth_and_a_patient_is_small(exam: Datasets, cohort: Path) -> None:
    text = " ".join(str(element.value) for ds in exam for element in ds.iterall() if element.tag != "PixelData").lower()
    for word in ("ajcc", "ypt", "ypn", "response", "metasta", "recurrence", "tumour", "mucinous"):
        assert word not in text
    size = sum(p.stat().st_size for p in (cohort / f"PHANTOM-S{SEED}-0000").rglob("*") if p.is_file())
    assert size < 9.5e6  # the largest site; 7.7 MB on average, so that 600 patients fit in 5 GB


def test_an_exam_lacks_the_series_that_its_row_says(tmp_path: Path) -> None:
    index = next(i for i in range(200) if {"dwi", "ce_t1"} <= draw_patient(SEED, i).missing[1])
    row = write_patient(tmp_path, SEED, index)
    assert (row.has_ce_t1, "dwi" in row.missing_restaging.split()) == (0, True)
    exam = [pydicom.dcmread(path, stop_before_pixels=True) for path in (tmp_path / row.restaging).glob("*.dcm")]
    assert not [ds for ds in exam if "dif" in ds.SeriesDescription.lower() or "dwi" in ds.SeriesDescription.lower()]
    assert not [ds for ds in exam if ds.get("ContrastBolusAgent")]


def test_headers_agree_with_each_other_and_with_the_csv(exam: Datasets, rows: list[dict[str, str]]) -> None:
    row = rows[0]
    assert {(ds.PatientID, str(ds.PatientName)) for ds in exam} == {(row["patient_id"], row["name"])}
    assert {ds.PatientBirthDate for ds in exam} == {row["birth_date"].replace("-", "")}
    assert {ds.StudyDate for ds in exam} == {row["baseline_date"].replace("-", "")}
    assert len({ds.StudyInstanceUID for ds in exam}) == len({ds.FrameOfReferenceUID for ds in exam}) == 1
    assert all("SYNTHETIC" in ds.ImageComments for ds in exam)


def test_every_column_of_the_csv_is_explained() -> None:
    explained = str(row_module.__doc__)
    for name in PatientRow.__dataclass_fields__:
        pattern = re.sub("baseline|restaging", "*", name)
        family = re.match("(d|k|adc|adc_b500up|z|p|volume|mask_volume|missing|hazard)_", name)
        assert name in explained or pattern in explained or (family and family[0] in explained), name


def test_the_csv_gives_back_what_was_drawn(rows: list[dict[str, str]], cohort: Path) -> None:
    truth = read_truth(cohort)
    patients = [draw_patient(SEED, index) for index in range(2)]
    for (outcome, shown), p in patients[1].probabilities.items():
        assert truth.probability(outcome, shown)[1] == pytest.approx(p, rel=1e-5)
    assert rows[1]["ypt_stage"] == patients[1].record.ypt
    assert rows[1]["p_good_response"] == rows[1]["p_good_response_pair"]
    assert float(rows[0]["dtav_restaging_mm"]) > float(rows[0]["dtav_baseline_mm"]) > 0


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
        if not exam.dwi:
            continue
        index = np.argwhere(tumour_core(exam))
        world = exam.t2.affine @ np.c_[index, np.ones(len(index))].T
        world[:3] += exam.dwi_shift_mm * exam.dwi_shift_axis[:, None]
        i, j, k = np.rint(np.linalg.inv(exam.dwi[0].affine) @ world).astype(int)[:3]
        (b1, low), (b2, high) = (
            (stack.b_value / 1000, float(np.median(stack.counts[i, j, k]))) for stack in exam.dwi[1:3] if stack.b_value
        )
        planted = truth.d_pre - truth.d_pre**2 * truth.k_pre * (b1 + b2) / 6  # Jensen and Helpern, between two b-values
        assert np.log(low / high) / (b2 - b1) == pytest.approx(planted, rel=0.08)  # gradient error 3 %, noise


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


def held(folder: Path, line: str) -> str:
    """What is said of a folder whose cohort.csv holds this."""
    (folder / "cohort.csv").write_text(line, encoding="utf-8")
    with pytest.raises(CohortHeld) as refused:
        refuse_other_cohort(folder, CohortPlan(2, SEED))
    return str(refused.value)


def test_a_folder_may_be_written_again_and_to_more_patients_but_to_no_other_cohort(cohort: Path) -> None:
    for same in (CohortPlan(2, SEED), CohortPlan(5, SEED)):
        refuse_other_cohort(cohort, same)
    refuse_other_cohort(cohort / "new", CohortPlan(1, 1))
    others = {
        "2 patients": CohortPlan(1, SEED),
        f"seed {SEED}": CohortPlan(2, SEED + 1),
        "preset small": CohortPlan(2, SEED, PRESETS["full"]),
        "sites": CohortPlan(2, SEED, sites=choose_sites("C")),
    }
    for named, plan in others.items():
        with pytest.raises(CohortHeld, match=named):
            refuse_other_cohort(cohort, plan)


def test_a_table_that_is_not_as_it_was_written_is_kept(cohort: Path, tmp_path: Path) -> None:
    header, first, second = (cohort / "cohort.csv").read_text(encoding="utf-8").splitlines()
    assert "not a synthetic cohort" in held(tmp_path, "patient_id,site\nP1,A\n")
    assert "not a synthetic cohort" in held(tmp_path, f"{header},remark\n{first},mine\n")
    assert "changed" in held(tmp_path, f"{header}\n{second}\n")
    assert "changed" in held(tmp_path, f"{header}\n{second}\n{first}\n")
    assert "changed" in held(tmp_path, f"{header}\n{first[:40]}\n")
