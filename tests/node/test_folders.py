"""Scoring folders with a table of clinical values beside them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from node.folders import Reading, Wanted, score_folders
from pipelines.contract import Code, InputUnfit, Models
from tests.dicom_files import BASELINE, t2_axial, write

HEADER = "patient_id,issuer,date,cea_ng_ml\n"


@pytest.fixture
def before(tmp_path: Path) -> Path:
    write(t2_axial(replace(BASELINE, sex="", birth_date="")), tmp_path / "before")
    return tmp_path / "before"


def score(before: Path, rows: str) -> list[dict[str, object]]:
    """The record in findings.json."""
    table, out = before.parent / "labs.csv", before.parent / "out"
    table.write_text(HEADER + rows)
    reading = Reading("tumour", clinical=table)
    found = score_folders(before, None, Wanted(out, frozenset()), Models(), reading)
    assert json.loads((out / "findings.json").read_text()) == found.findings
    return list(found.findings["record"])


def test_the_patients_values_are_used_and_nobody_elses(before: Path) -> None:
    assert score(before, "P2,,2024-01-09,99\nP1,ELSEWHERE,2024-01-09,98\nP1,,2024-01-09,7.2\n") == [
        {
            "item": "cea_ng_ml",
            "value": 7.2,
            "date": "2024-01-09",
            "origin": "CEA 7.2 ng/mL of 2024-01-09, imported from labs.csv",
        }
    ]


@pytest.mark.parametrize("rows", ["P2,,2024-01-09,7.2\n", "P1,,2024-01-09,raised\n"])
def test_a_table_without_the_patient_or_with_a_problem_is_refused(before: Path, rows: str) -> None:
    with pytest.raises(InputUnfit) as unfit:
        score(before, rows)
    assert unfit.value.code is Code.CLINICAL_UNFIT
    assert not (before.parent / "out").exists()
