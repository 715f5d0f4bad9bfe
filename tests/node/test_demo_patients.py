from __future__ import annotations

from datetime import date
from pathlib import Path

from node.clinical_file import read_table
from node.demo_patients import PATIENTS, SEED, truth_lines, write_clinical_table
from pipelines.contract import Item
from pipelines.phantom.cohort import write_patient
from pipelines.phantom.row import PatientRow


def row(tmp_path: Path) -> PatientRow:
    return write_patient(tmp_path / "patients", SEED, PATIENTS[0].index)


def test_what_the_hospital_knows_is_a_table_that_restage_imports_and_nothing_of_pathology_is_in_it(
    tmp_path: Path,
) -> None:
    drawn = row(tmp_path)
    write_clinical_table(tmp_path / "clinical.csv", [drawn])
    found = {value.dated.name: value.dated.value for value in read_table(tmp_path / "clinical.csv", date.today())}
    assert found[Item.THERAPY] == drawn.therapy
    assert found[Item.CT_STAGE] == drawn.ct_stage
    assert not found.keys() & {Item.YPT_STAGE, Item.YPN_STAGE, Item.TRG_AJCC, Item.SURGERY_DATE}
    assert all(value.patient_id == drawn.patient_id for value in read_table(tmp_path / "clinical.csv", date.today()))


def test_the_truth_beside_a_report_names_the_planted_outcome(tmp_path: Path) -> None:
    drawn = row(tmp_path)
    said = "\n".join(truth_lines(drawn))
    assert drawn.trg_ajcc in said
    assert f"{drawn.mask_volume_restaging_cm3:.1f} cm³ after" in said


def test_every_demo_patient_has_files_of_its_own() -> None:
    assert len({one.name for one in PATIENTS}) == len({one.index for one in PATIENTS}) == len(PATIENTS)
